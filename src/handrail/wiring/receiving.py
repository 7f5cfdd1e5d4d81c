"""What a push finds in a bare repository, as ``handrail.service.receiving`` asks for it.

Promise: as in ``handrail.facts.receiving``, which does it; ledgers are read by the doors of
``handrail.facts.published`` and ``handrail.facts.keys``.

    Receiving(application.sources, Arrivals(application.place.common_dir)).judge(lines)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from handrail.config.records import Epoch
from handrail.facts.receiving import Arrival
from handrail.service.published import Published


class Arrivals(Arrival):
    """A bare repository, its refs, and the ledgers that are pushed to it."""

    def ledgers(self, enrolled: Sequence[Epoch], tips: Mapping[str, str]) -> Sequence[Published]:
        """Check the ledgers that a push brings."""
        from handrail.facts.keys import check
        from handrail.facts.published import open_published
        from handrail.service.receiving import check_ledger_refs

        with open_published(self.folder) as source:
            return check_ledger_refs(source, enrolled, check, tips)

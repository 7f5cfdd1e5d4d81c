"""The ledgers that lie in git refs here, read by git and checked by their enrolled keys.

SharedRefs(place.toplevel).read(settings, {}, own=None)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from handrail.config import Settings
from handrail.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.service.published import Published


class SharedRefs:
    """Reads them anew each time: they are another's, and move."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def read(
        self, settings: Settings, proposed: Mapping[str, str | None], own: str | None
    ) -> Sequence[Published]:
        """Read and check what these settings enrol, but for the epoch of the store here."""
        from handrail.facts.keys import check
        from handrail.facts.published import open_published
        from handrail.service.published import read_published

        enrolled = [epoch for epoch in settings.epochs if epoch.id != own]
        with open_published(self._folder) as source:
            return read_published(source, enrolled, check, proposed=proposed)

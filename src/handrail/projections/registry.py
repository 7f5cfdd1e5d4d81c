"""All projections there are, by format. The only list.

PROJECTIONS["lanes-coordination"].render(known, None)
"""

from __future__ import annotations

from typing import Final

from handrail.projections.port import Projection

_KNOWN: Final[tuple[Projection, ...]] = ()

PROJECTIONS: Final[dict[str, Projection]] = {one.format: one for one in _KNOWN}

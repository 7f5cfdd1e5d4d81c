"""Which anchors a question about patterns must look at: the shared plan behind ``near``.

A pattern's anchor is its literal prefix. Two patterns can share a path only if one's anchor is the
other's or lies above it; so the leases that matter stand at the *points* (an anchor and all its
ancestors) and *below* it, which is one range of an ordered index.

    >>> plan([parse_pattern("src/api/*.py")])
    [Step(points=('', 'src', 'src/api'), below='src/api')]
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail.core.record import Record
from handrail.core.scope import Pattern, ancestors


class Step(Record):
    """Look at these anchors, then at everything below ``below``."""

    points: tuple[str, ...]
    below: str

    def takes(self, anchor: str) -> bool:
        """Tell whether an anchor belongs to this step."""
        return anchor in self.points or is_below(anchor, self.below)


def plan(patterns: Sequence[Pattern]) -> list[Step]:
    """Cut what the patterns may touch into steps, in a fixed order, no anchor looked at twice."""
    if len(patterns) == 1:
        return [Step(tuple(ancestors(patterns[0].anchor)), patterns[0].anchor)]
    roots: list[str] = []
    for anchor in sorted({pattern.anchor for pattern in patterns}):
        if not any(anchor == root or is_below(anchor, root) for root in roots):
            roots.append(anchor)
    steps: list[Step] = []
    seen: set[str] = set()
    for root in roots:
        points = tuple(above for above in ancestors(root) if above not in seen)
        seen.update(points)
        steps.append(Step(points, root))
    return steps


def is_below(anchor: str, root: str) -> bool:
    """Tell whether ``anchor`` lies strictly below ``root``; all but '' lies below ''."""
    return anchor.startswith(root + "/") if root else bool(anchor)

"""Parts of scopes: what two of them share and what is left of one, as far as patterns can say it.

Promises: ``common`` means nothing that not both mean, ``leftover`` nothing that was given away. Not
promised is that they mean all of it: patterns know no "but not", so ``leftover`` refuses where a
part would be lost, and ``common`` leaves it out.

    common(patterns("src", "docs"), patterns("src/**"))   # -> patterns src/**
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from handrail import errors
from handrail.core.lease import EXCLUSIVE, Lease, Session, conflict
from handrail.core.ledger import format_token
from handrail.core.scope import Pattern, matches, overlap, uncovered
from handrail.errors.handoff import ScopeCut


def within(
    pattern: Pattern, patterns: Sequence[Pattern], single: frozenset[str] = frozenset()
) -> bool:
    """Tell whether a pattern is known to lie in others; one of ``single`` means one path."""
    if pattern.text in single and any(matches(other, pattern.text) for other in patterns):
        return True
    try:
        return uncovered(pattern, patterns) is None
    except errors.MalformedScope:
        return False  # too much work to find out


def common(
    one: Sequence[Pattern], two: Sequence[Pattern], single: frozenset[str] = frozenset()
) -> tuple[Pattern, ...]:
    """Return what lies in both: patterns of the first in the second, and the other way round."""
    found = [pattern for pattern in one if within(pattern, two, single)]
    found += [
        pattern
        for pattern in two
        if within(pattern, one, single) and not within(pattern, found, single)
    ]
    return tuple(dict.fromkeys(found))


def leftover(
    epoch: str, lease: Lease, given: Sequence[Pattern], single: frozenset[str] = frozenset()
) -> tuple[Pattern, ...]:
    """Return the patterns of a lease that share nothing with ``given``; raises ScopeCut."""
    rest: list[Pattern] = []
    for pattern in lease.patterns:
        if within(pattern, given, single):
            continue
        if overlap((pattern,), given) is not None:
            raise ScopeCut(
                scope=[one.text for one in given],
                whole=pattern.text,
                token=format_token(epoch, lease.token),
                asked=tuple(one.text for one in given),
            )
        rest.append(pattern)
    return tuple(rest)


def others(pattern: Pattern, patterns: Sequence[Pattern]) -> bool:
    """Tell whether a pattern shares no path with any of these."""
    return not patterns or overlap((pattern,), patterns) is None


def taken(
    leases: Iterable[Lease],
    pattern: Pattern,
    session: str,
    giver: Session | None,
    contended: Sequence[Pattern],
) -> bool:
    """Tell whether somebody else holds a part of a pattern that would go back to its giver."""
    worktree = "" if giver is None else giver.worktree
    for lease in leases:
        if lease.session == session:
            continue
        found = conflict(lease, (pattern,), EXCLUSIVE, worktree, contended)
        if found is not None and found[0] == "refuse":
            return True
    return False

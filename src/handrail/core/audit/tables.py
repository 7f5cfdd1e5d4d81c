"""Rows of a matrix: a table that says which role hands over to which, and when.

Promise: pure; where a table's head names the columns it is believed; where it is in another
language, two cells that are names of roles beside a third cell are read in their order.

    >>> row = ("architect", "`meta.priority: ultra`", "executor")
    >>> handed_in(row, ("From", "When", "To"), Names(("architect", "executor")), english=True)
    Handed(from_role='architect', to_role='executor', condition='`meta.priority: ultra`')
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from handrail.core.audit.names import Names
from handrail.core.record import Record
from handrail.core.role import ANY_ROLE

_FROM: Final = re.compile(r"\b(?:from|sender|source|giver|current|role|in role)\b")
_TO: Final = re.compile(
    r"\b(?:to|receiver|target|next|goes to|hands? ?off(?: to)?|escalat\w{1,4}(?: to)?|successor)\b"
)
_WHEN: Final = re.compile(r"\b(?:trigger|condition|when|event|situation|case|cause|reason|if)\b")
_ARROW: Final = re.compile(r"\s*(?:→|⇒|➜|-{1,2}>|=>)\s*")
_EVERYBODY: Final = frozenset(("any", "all", "every role", "any role", "*", "everyone"))


class Handed(Record):
    """What a row says; without a role of its own the sender is the file's."""

    from_role: str | None
    to_role: str
    condition: str


def handed_in(
    cells: Sequence[str], columns: Sequence[str], names: Names, *, english: bool
) -> Handed | None:
    """Return what a row of a matrix says, None for a row of any other table."""
    heads = [column.lower() for column in columns]
    for number, cell in enumerate(cells):
        parts = _ARROW.split(cell)
        if len(parts) == 2:
            sender, receiver = _who(parts[0], names), names.is_name(parts[1])
            if sender is not None and receiver is not None:
                return Handed(sender, receiver, _when(cells, heads, {number}))
    headed = _by_heads(cells, heads, names)
    if headed is not None or english or len(cells) < 3:
        return headed
    named = [(place, name) for place, cell in enumerate(cells) if (name := names.is_name(cell))]
    if len(named) != 2 or named[0][1] == named[1][1]:
        return None
    return Handed(named[0][1], named[1][1], _when(cells, heads, {place for place, _ in named}))


def _by_heads(cells: Sequence[str], heads: Sequence[str], names: Names) -> Handed | None:
    """Return what a row says by the heads of its columns."""
    to = _column(heads, _TO)
    if to is None or to >= len(cells):
        return None
    receiver = names.is_name(cells[to]) or _only(cells[to], names)
    place = _column(heads, _FROM, but=to)
    sender = None if place is None or place >= len(cells) else _who(cells[place], names)
    if receiver is None or (sender is None and place is not None):
        return None
    return Handed(sender, receiver, _when(cells, heads, {to} if place is None else {to, place}))


def _column(heads: Sequence[str], pattern: re.Pattern[str], but: int = -1) -> int | None:
    places = [n for n, head in enumerate(heads) if n != but and pattern.search(head)]
    return places[0] if places else None


def _who(cell: str, names: Names) -> str | None:
    bare = cell.strip(" \t`*_").lower()
    return ANY_ROLE if bare in _EVERYBODY else names.is_name(cell) or _only(cell, names)


def _only(cell: str, names: Names) -> str | None:
    found = names.in_text(cell)
    return found[0] if len(found) == 1 else None


def _when(cells: Sequence[str], heads: Sequence[str], used: set[int]) -> str:
    """Return what a row says of the occasion: the cells under such a head, else the longest."""
    rest = [(place, cell) for place, cell in enumerate(cells) if place not in used and cell]
    headed = [cell for place, cell in rest if place < len(heads) and _WHEN.search(heads[place])]
    return ", ".join(headed) or max((cell for _, cell in rest), key=len, default="")

"""The matrix: a role, what happens to its work, and who gets the work then.

Promises: pure; of several rows that mean what happened the first one counts. Who says that a row's
own id stands in the way means that row, whatever it waits for. A row that leads to whoever works
there already leads nobody.

    >>> rows = (Row("offline", "executor", "architect", "blocked", ("no network",)),)
    >>> firing(rows, "executor".__eq__, Happened("blocked", "no network")).to_role
    'architect'
    >>> firing(rows, "auditor".__eq__, Happened("blocked", "no network")) is None
    True
    >>> firing(rows, "executor".__eq__, Happened("blocked", "offline")).id
    'offline'
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from handrail.core.record import Record
from handrail.core.role import ANY_ROLE
from handrail.typed import Final

EDIT_REFUSED: Final = "edit_refused"
GATE_FAILED: Final = "gate_failed"
REVISE_LIMIT: Final = "revise_limit"
BLOCKED: Final = "blocked"
PHASE_DONE: Final = "phase_done"
DOCUMENT: Final = "document"

ROUNDS_MAX: Final = 3
"""So often one trigger sends one task from the same role; then a person has to say how it goes on."""  # noqa: E501


class Happened(Record):
    """What happened: an event's name, and the rule, code, gate, checkpoint or phase in question."""

    event: str
    about: str = ""


class Row(Record):
    """A row of the matrix; ``from_role`` and ``to_role`` are roles or families.

    ``about`` are the names that the event has to be about, none: any. ``times``: so many of them it
    takes.
    """

    id: str
    from_role: str
    to_role: str
    event: str
    about: tuple[str, ...] = ()
    times: int = 1


ActsAs = Callable[[str], bool]
"""Tells whether who works there has a role or is of a family."""


def firing(
    rows: Iterable[Row], acts_as: ActsAs, happened: Happened, counts: Mapping[str, int] = {}
) -> Row | None:
    """Return the row that fires.

    ``counts``: how often each name has come up, this time included; without it once.
    """
    for row in rows:
        if not is_from(row, acts_as):
            continue
        if happened.event == BLOCKED and happened.about == row.id:
            return row
        if _means(row, happened) and _times(row, counts or {happened.about: 1}) >= row.times:
            return row
    return None


def counted(rows: Iterable[Row], acts_as: ActsAs, happened: Happened) -> bool:
    """Tell whether some row counts what happened, so that it has to be remembered."""
    return any(is_from(row, acts_as) and _means(row, happened) for row in rows)


def circles(rows: Iterable[Row], roles: Mapping[str, Collection[str]]) -> list[tuple[Row, ...]]:
    """Return the circles in which two rows lead work back to the role that it came from.

    A row alone makes none: it does not fire in who acts as its receiver already.

    ``roles`` has what each role acts as: its name and its family. Longer ways round end in rounds
    of one of their rows all the same.
    """
    kept = tuple(rows)

    def follows(row: Row, next_row: Row) -> bool:
        return any(
            row.to_role in acts and (next_row.from_role == ANY_ROLE or next_row.from_role in acts)
            for acts in roles.values()
        )

    found: list[tuple[Row, ...]] = []
    for place, row in enumerate(kept):
        found += [
            (row, other)
            for other in kept[place + 1 :]
            if follows(row, other) and follows(other, row)
        ]
    return found


def is_from(row: Row, acts_as: ActsAs) -> bool:
    """Tell whether a row is about who works there, and leads to somebody else."""
    if acts_as(row.to_role):
        return False
    return row.from_role == ANY_ROLE or acts_as(row.from_role)


def _means(row: Row, happened: Happened) -> bool:
    return row.event == happened.event and (not row.about or happened.about in row.about)


def _times(row: Row, counts: Mapping[str, int]) -> int:
    return sum(times for name, times in counts.items() if not row.about or name in row.about)

"""The matrix: a role, what happens to its work, and who gets the work then.

Promise: pure; of several rows that mean what happened the first one counts.

    >>> rows = (Row("offline", "executor", "architect", Happened("blocked", "no network")),)
    >>> firing(rows, "executor".__eq__, Happened("blocked", "no network")).to_role
    'architect'
    >>> firing(rows, "auditor".__eq__, Happened("blocked", "no network")) is None
    True
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from handrail.core.record import Record
from handrail.core.role import ANY_ROLE

BLOCKED: Final = "blocked"


class Happened(Record):
    """What happened: an event's name, and the rule, gate, checkpoint or phase that it is about."""

    event: str
    about: str = ""


class Row(Record):
    """A row of the matrix; ``from_role`` and ``to_role`` are roles or families."""

    id: str
    from_role: str
    to_role: str
    when: Happened


def firing(rows: Iterable[Row], acts_as: Callable[[str], bool], happened: Happened) -> Row | None:
    """Return the row that fires; ``acts_as`` tells whether who works there has a role or family."""
    for row in rows:
        if row.when == happened and (row.from_role == ANY_ROLE or acts_as(row.from_role)):
            return row
    return None

"""The matrix: a role, what happens to its work, and who gets the work then.

Promise: pure; of several rows that mean what happened the first one counts.

    >>> rows = (Row("offline", "executor", "architect", Happened("blocked", "no network")),)
    >>> firing(rows, ("executor",), Happened("blocked", "no network")).to_role
    'architect'
    >>> firing(rows, ("auditor",), Happened("blocked", "no network")) is None
    True
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from handrail.core.record import Record

ANYBODY: Final = "any"
"""Stands for every role, and for who has none, where a row says whose work it is about."""
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


def firing(rows: Iterable[Row], names: Collection[str], happened: Happened) -> Row | None:
    """Return the row that fires; ``names`` are the role of who works there, and its family."""
    for row in rows:
        if row.when == happened and (row.from_role == ANYBODY or row.from_role in names):
            return row
    return None

"""The events of tasks and packets, which ``core.events`` names with all the others.

Promise: as there; their fields never change.

    >>> TaskClosed("fix-login", "done").task
    'fix-login'
"""

from __future__ import annotations

from handrail.core.record import Record


class TaskOpened(Record):
    """A unit of work began."""

    task: str
    title: str


class TaskTaken(Record):
    """A session took up a task whose holder is gone, with all that is reserved for it."""

    task: str
    session: str
    role: str | None


class TaskClosed(Record):
    """A task ended; what was reserved for it is free."""

    task: str
    reason: str


class PacketOffered(Record):
    """A packet was offered and its scope reserved under ``token``; ``packet`` is its canonical text."""  # noqa: E501

    task: str
    number: int
    packet_kind: str
    session: str
    agent: str
    from_role: str | None
    to_role: str | None
    patterns: tuple[str, ...]
    returns: tuple[str, ...]
    token: int
    lapses_at: int
    packet_hash: str
    packet: str


class PacketAccepted(Record):
    """A packet was accepted; ``token`` is the receiver's for ``patterns``, 0 for none."""

    task: str
    number: int
    session: str
    role: str | None
    patterns: tuple[str, ...]
    token: int


class PacketDeclined(Record):
    """Whom a packet was offered to did not take it."""

    task: str
    number: int
    session: str
    reason: str


class PacketWithdrawn(Record):
    """A packet was taken back before anybody answered it."""

    task: str
    number: int
    session: str
    reason: str


class PacketLapsed(Record):
    """Nobody had answered a packet at ``lapses_at``; recorded when somebody next came near it."""

    task: str
    number: int
    lapses_at: int

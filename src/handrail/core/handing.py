"""What the events of tasks and packets do to the tables: the other half of ``core.state.apply``.

Promise: as there; only what ``Tables`` names is asked and changed.

    handed(tables, seq, at, PacketAccepted("fix-login", 2, "s-1", "worker", (), 0))
"""

from __future__ import annotations

from typing import Any, Protocol

from handrail.core.events import Event
from handrail.core.handed import (
    PacketAccepted,
    PacketDeclined,
    PacketLapsed,
    PacketOffered,
    PacketWithdrawn,
    TaskClosed,
    TaskOpened,
    TaskTaken,
)
from handrail.core.task import (
    ACCEPTED,
    CLOSED,
    COMPLETE,
    DECLINED,
    LAPSED,
    OPEN,
    RETURN,
    WITHDRAWN,
    Packet,
    Task,
)


class Tables(Protocol):
    """The part of ``core.state.Tables`` that tasks and packets need."""

    def task(self, task: str) -> Task | None:
        """Return a task."""

    def put_task(self, task: Task) -> None:
        """Add or replace a task."""

    def packet(self, task: str, number: int) -> Packet | None:
        """Return a packet."""

    def put_packet(self, packet: Packet) -> None:
        """Add or replace a packet."""


def handed(tables: Tables, seq: int, at: int, change: Event) -> None:
    """Let an event of a task or a packet act; every other one changes no table."""
    match change:
        case TaskOpened(id, title):
            tables.put_task(Task(id, title, OPEN, at, 0, None, None, 0, 0))
        case TaskTaken(id, session, role):
            _change_task(tables, id, holder=session, role=role)
        case TaskClosed(id):
            _change_task(tables, id, state=CLOSED)
        case PacketOffered():
            tables.put_packet(packet_of(seq, at, change))
            _offered(tables, change)
        case PacketAccepted(id, number, session, role):
            _settle(tables, at, id, number, ACCEPTED, session, None)
            _change_task(tables, id, holder=session, role=role, taken=number)
        case PacketDeclined(id, number, session, reason):
            _settle(tables, at, id, number, DECLINED, session, reason)
            task = tables.task(id)
            _change_task(tables, id, failed=task.failed + 1 if task is not None else 0)
        case PacketWithdrawn(id, number, session, reason):
            _settle(tables, at, id, number, WITHDRAWN, session, reason)
        case PacketLapsed(id, number):
            _settle(tables, at, id, number, LAPSED, None, None)
        case _:
            pass


def packet_of(seq: int, at: int, offer: PacketOffered) -> Packet:
    """Return the row of a packet that was offered by entry ``seq`` at store time ``at``."""
    return Packet(
        task=offer.task,
        number=offer.number,
        kind=offer.packet_kind,
        state=OPEN,
        session=offer.session,
        agent=offer.agent,
        from_role=offer.from_role,
        to_role=offer.to_role,
        patterns=offer.patterns,
        returns=offer.returns,
        token=offer.token,
        offered_at=at,
        lapses_at=offer.lapses_at,
        seq=seq,
        hash=offer.packet_hash,
        by=None,
        settled_at=None,
        note=None,
    )


def _offered(tables: Tables, offer: PacketOffered) -> None:
    """Count the offer: a return is a failure, and going on after a completed one ends the row."""
    task = tables.task(offer.task)
    if task is None:
        return
    taken = tables.packet(task.id, task.taken)
    failed = task.failed
    if offer.packet_kind == RETURN:
        failed += 1
    elif offer.packet_kind == COMPLETE and taken is not None and taken.kind == COMPLETE:
        # Whoever gives on what came complete found nothing to object to; a second offer of the
        # same after a refusal is no success.
        failed = 0 if task.number == task.taken else failed
    task = task._replace(number=offer.number, failed=failed)
    if offer.session:
        task = task._replace(holder=offer.session, role=offer.from_role)
    tables.put_task(task)


def _settle(
    tables: Tables, at: int, task: str, number: int, state: str, by: str | None, note: str | None
) -> None:
    packet = tables.packet(task, number)
    if packet is not None:
        tables.put_packet(packet._replace(state=state, by=by, settled_at=at, note=note))


def _change_task(tables: Tables, id: str, **changes: Any) -> None:
    task = tables.task(id)
    if task is not None:
        tables.put_task(task._replace(**changes))

"""What events of tasks, packets, projections do to the tables: the rest of ``core.state.apply``.

Promise: as there; only what ``Tables`` names is asked and changed.

    handed(tables, seq, at, PacketAccepted("fix-login", 2, "s-1", "worker", (), 0))
"""

from __future__ import annotations

from handrail.core.events import Event
from handrail.core.handed import (
    CheckpointDecided,
    PacketAccepted,
    PacketDeclined,
    PacketLapsed,
    PacketOffered,
    PacketReturned,
    PacketWithdrawn,
    PhaseEntered,
    ReadingAsked,
    ReadingDone,
    TaskClosed,
    TaskOpened,
    TaskResumed,
    TaskTaken,
    TriggerLooped,
    WaiverAdded,
    WaiverRevoked,
    WaiverUsed,
)
from handrail.core.projected import KeptRow, ProjectionWritten, RowKept, projected
from handrail.core.task import (
    ACCEPTED,
    CLOSED,
    COMPLETE,
    DECLINED,
    LAPSED,
    LOOP,
    OPEN,
    RETURN,
    RETURNED,
    WITHDRAWN,
    Packet,
    Task,
    Waiver,
)
from handrail.core.workflow import REVISE
from handrail.typed import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from handrail.core.reading import ToRead

REVISES_MAX: Final = 2
"""So often a checkpoint is revised before a person has to say whether the work goes on."""


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

    def waiver(self, seq: int) -> Waiver | None:
        """Return a waiver."""

    def put_waiver(self, waiver: Waiver) -> None:
        """Add or replace a waiver."""

    def put_row(self, row: KeptRow) -> None:
        """Add or replace a row of a projection."""

    def drop_row(self, projection: str, key: str) -> None:
        """Forget a row of a projection."""

    def put_written(self, projection: str, blob: str, seq: int) -> None:
        """Remember bytes of a projection."""

    def reading(self, session: str) -> tuple[ToRead, ...]:
        """Return what a session has to read."""

    def put_reading(self, session: str, rows: tuple[ToRead, ...]) -> None:
        """Put what a session has to read in its place."""


def handed(tables: Tables, seq: int, at: int, change: Event) -> None:
    """Let an event of a task, packet, waiver or projection act; any other changes no table."""
    match change:
        case PacketOffered() | PacketAccepted():
            _handed_over(tables, seq, at, change)
        case PacketDeclined(id, number, session, reason):
            _settle(tables, at, id, number, DECLINED, session, reason)
            _fail(tables, id)
        case PacketReturned(id, number, session, reason):
            _settle(tables, at, id, number, RETURNED, session, reason)
            _fail(tables, id)
        case PacketWithdrawn(id, number, session, reason):
            _settle(tables, at, id, number, WITHDRAWN, session, reason)
        case PacketLapsed(id, number):
            _settle(tables, at, id, number, LAPSED, None, None)
        case WaiverAdded() | WaiverUsed() | WaiverRevoked():
            _waived(tables, seq, at, change)
        case RowKept() | ProjectionWritten():
            projected(tables, seq, change)
        case ReadingAsked() | ReadingDone():
            from handrail.core.reading import followed

            followed(tables, change)
        case _:
            _worked(tables, at, change)


def _handed_over(tables: Tables, seq: int, at: int, change: PacketOffered | PacketAccepted) -> None:
    match change:
        case PacketOffered():
            tables.put_packet(packet_of(seq, at, change))
            _offered(tables, change)
        case PacketAccepted(id, number, session, role):
            _settle(tables, at, id, number, ACCEPTED, session, None)
            _change_task(tables, id, holder=session, role=role, taken=number)


def _worked(tables: Tables, at: int, change: Event) -> None:
    """Let what happens to a task between its packets act."""
    match change:
        case TaskOpened(id, title):
            tables.put_task(Task(id, title, OPEN, at, 0, None, None, 0, 0))
        case TaskTaken(id, session, role):
            _change_task(tables, id, holder=session, role=role)
        case TaskClosed(id):
            _change_task(tables, id, state=CLOSED)
        case TaskResumed(id):
            _change_task(tables, id, failed=0, waits_at=None)
        case PhaseEntered(id, phase):
            _change_task(tables, id, phase=phase, next_phase=None)
        case CheckpointDecided():
            _decided(tables, change)
        case TriggerLooped(_, trigger, id):
            _change_task(tables, id, waits_at=LOOP + trigger)
        case _:
            pass


def _waived(
    tables: Tables, seq: int, at: int, change: WaiverAdded | WaiverUsed | WaiverRevoked
) -> None:
    match change:
        case WaiverAdded():
            tables.put_waiver(waiver_of(seq, at, change))
        case WaiverUsed(number):
            _change_waiver(tables, number, uses=1)
        case WaiverRevoked(number):
            _change_waiver(tables, number, revoked=True)


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


def _fail(tables: Tables, id: str) -> None:
    task = tables.task(id)
    if task is not None:
        tables.put_task(task._replace(failed=task.failed + 1))


def _decided(tables: Tables, decided: CheckpointDecided) -> None:
    """Remember where a decision leads; one that answers the limit of revisions lifts it."""
    task = tables.task(decided.task)
    if task is None:
        return
    before = dict(task.revises).get(decided.checkpoint, 0)
    reached = REVISES_MAX <= decided.times != before
    revises = {**dict(task.revises), decided.checkpoint: decided.times}
    tables.put_task(
        task._replace(
            next_phase=decided.leads_to,
            revises=tuple(sorted(revises.items())),
            waits_at=decided.checkpoint if decided.decision == REVISE and reached else None,
        )
    )


def waiver_of(seq: int, at: int, added: WaiverAdded) -> Waiver:
    """Return the row of a waiver that entry ``seq`` added at store time ``at``."""
    return Waiver(
        seq=seq,
        gate=added.gate,
        for_task=added.for_task,
        reason=added.reason,
        by=added.by,
        added_at=at,
        ends_at=added.ends_at,
        uses=added.uses,
        used=0,
        revoked=False,
    )


def _change_waiver(tables: Tables, seq: int, *, uses: int = 0, revoked: bool = False) -> None:
    waiver = tables.waiver(seq)
    if waiver is not None:
        tables.put_waiver(
            waiver._replace(used=waiver.used + uses, revoked=waiver.revoked or revoked)
        )


def _change_task(tables: Tables, id: str, **changes: Any) -> None:
    task = tables.task(id)
    if task is not None:
        tables.put_task(task._replace(**changes))

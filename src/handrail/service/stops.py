"""Sessions that a trigger stopped: their work is on its way to somebody else, and they wait.

Promises: who was stopped may write nothing until the packet came back, its task is over, the
session accepted a packet addressed to it, or a person gave it another role; where no trigger ever
fired in the session, the open tasks and one entry are looked up.

    refusal = stop_of(reader, policy, session)     # None: it is not stopped
"""

from __future__ import annotations

from handrail import errors
from handrail.core.decide import Policy
from handrail.core.duty import held_by, why_stopped
from handrail.core.events import KIND_OF, SessionRoleChanged
from handrail.core.handed import EditRefused, PacketAccepted, TaskTaken, TriggerFired
from handrail.core.lease import Session
from handrail.core.ledger import read_event
from handrail.core.record import Record
from handrail.core.task import ACCEPTED, OPEN, Packet, Task
from handrail.errors.handoff import HandedOff
from handrail.store.port import Reader
from handrail.typed import TypeVar

Kind = TypeVar("Kind", bound=Record)


def stop_of(reader: Reader, policy: Policy, session: Session) -> errors.Refused | None:
    """Return why a session that a trigger stopped may write nothing; None where none did."""
    own = held_by(session.id, reader.tasks())
    loops = next((one for one in own if one.loops is not None), None)
    if loops is not None:
        return why_stopped(loops, policy.halt_after)
    found = latest_of(reader, TriggerFired, session.id)
    if found is None:
        return None
    seq, fired = found
    task = reader.task(fired.task)
    if task is None or task.state != OPEN or not _is_away(reader, session, task, fired):
        return None
    if _is_released(reader, session, own, seq):
        return None
    return HandedOff(
        task=task.id,
        session=session.id,
        holder=_where(reader.packet(task.id, task.number), task, fired),
        next=f"handrail task show {task.id}",
    )


def sent(reader: Reader, session: Session, packet: Packet) -> bool:
    """Tell whether it was this packet with which a trigger sent a session's work off."""
    found = latest_of(reader, TriggerFired, session.id)
    return found is not None and (found[1].task, found[1].number) == (packet.task, packet.number)


def counts_of(reader: Reader, session: Session) -> dict[str, int]:
    """Return how often a session was refused with each code since a trigger last fired in it."""
    fired, refused = (
        latest_of(reader, TriggerFired, session.id),
        latest_of(reader, EditRefused, session.id),
    )
    if refused is None or (fired is not None and fired[0] > refused[0]):
        return {}
    return dict(refused[1].counts)


def latest_of(reader: Reader, kind: type[Kind], subject: str) -> tuple[int, Kind] | None:
    """Return the newest event of a kind about a subject, and the entry that holds it."""
    entry = reader.latest(KIND_OF[kind], subject)  # type: ignore[index]
    event = None if entry is None else read_event(entry)
    return (entry.seq, event) if entry is not None and isinstance(event, kind) else None


def _is_away(reader: Reader, session: Session, task: Task, fired: TriggerFired) -> bool:
    """Tell whether what a trigger sent off has not come back."""
    packet = reader.packet(task.id, fired.number)
    if packet is None:
        return False
    if packet.state == OPEN:
        return reader.now < packet.lapses_at
    if packet.state != ACCEPTED and task.number == packet.number:
        return False  # it came back
    return task.holder != session.id


def _is_released(reader: Reader, session: Session, own: list[Task], since: int) -> bool:
    """Tell whether a session took up other work since, or a person gave it another role."""
    changed = latest_of(reader, SessionRoleChanged, session.id)
    if changed is not None and changed[0] > since:
        return True
    taken = [latest_of(reader, PacketAccepted, task.id) for task in own]
    resumed = [latest_of(reader, TaskTaken, task.id) for task in own]
    return any(
        one is not None and one[0] > since and one[1].session == session.id
        for one in (*taken, *resumed)
    )


def _where(packet: Packet | None, task: Task, fired: TriggerFired) -> str:
    if packet is not None and packet.state == OPEN:
        by = f" by trigger {fired.trigger}"
        return f"role {packet.to_role} (packet {packet.number} waits there{by})"
    return f"session {task.holder} (role {task.role or '-'})"

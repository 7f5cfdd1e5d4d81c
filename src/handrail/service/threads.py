"""One thread under several names: who gave a packet must not be who takes it.

Promises: where ``[handoff] in_thread`` is false, the same thread is the harness session that gave
the packet, under whatever name it acts, or whatever session acts below the process that gave it:
one that ``session start`` made there, or the next one of that process after ``/clear``. A harness
that was started below another one is a thread of its own. Not promised: that somebody is found who
leaves the tree of processes below its harness.

    check_thread(tx, context, session, packet)     # raises NotYourHandoff
"""

from __future__ import annotations

from handrail.core.duty import not_yours
from handrail.core.events import KIND_OF
from handrail.core.handed import PacketTraced
from handrail.core.lease import Process, Session
from handrail.core.ledger import read_event
from handrail.core.receipts import question
from handrail.core.record import Record
from handrail.core.task import OPEN, Packet, Task
from handrail.service.context import Context
from handrail.service.identity import thread_of
from handrail.service.policy import Rules
from handrail.store.port import Reader


class Below(Record):
    """The harness that the asking process runs below: its digest, the session it acts for.

    ``own`` are the digests of all processes up to it; of every one where no harness is registered.
    """

    process: str | None
    session: str | None
    own: tuple[str, ...]


def traced(reader: Reader, context: Context, rules: Rules, task: Task) -> tuple[PacketTraced, ...]:
    """Return what is to be entered with an offer, so that the thread which gave it is known."""
    if rules.settings.handoff.in_thread:
        return ()
    below = _below(reader, context)
    if below.process is None or below.session is None:
        return ()
    return (PacketTraced(task.id, task.number + 1, below.session, below.process),)


def check_thread(reader: Reader, context: Context, session: Session, packet: Packet | None) -> None:
    """Refuse to receive what the same thread offered; raises NotYourHandoff."""
    if packet is None or packet.state != OPEN:
        return
    given = _trace(reader, packet)
    givers = {thread_of(name) for name in (packet.session, given and given.session) if name}
    below = _below(reader, context)
    takers = {thread_of(name) for name in (session.id, below.session) if name}
    whose = f"offered by session {packet.session}"
    if thread_of(packet.session) != thread_of(session.id):
        same = givers & takers or (given is not None and given.process in below.own)
        if not same:
            return
        whose += ", from the harness that runs this"
    raise not_yours(packet, session, f"{whose}, and [handoff] in_thread is false")


def _trace(reader: Reader, packet: Packet) -> PacketTraced | None:
    entry = reader.latest(KIND_OF[PacketTraced], packet.task)
    event = None if entry is None else read_event(entry)
    return event if isinstance(event, PacketTraced) and event.number == packet.number else None


def _below(reader: Reader, context: Context) -> Below:
    own: list[str] = []
    for process in context.outside.ancestors():
        own.append(_digest(process))
        session = reader.acts_for(process)
        if session is not None:
            return Below(own[-1], session, tuple(own))
    return Below(None, None, tuple(own))


def _digest(process: Process) -> str:
    """Name a process by a digest: the ledger is published, and it tells nothing of the machine."""
    return question("process", *map(str, process))

"""Answering: a packet is accepted, declined or withdrawn, each in one transaction.

Promises: the scope moves and the entry is appended together or not at all; repeating a request id
gives the first outcome; where ``[handoff] in_thread`` is false nobody accepts what its own harness
gave.

    Answers(context).accept("fix-login").lease
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail import errors
from handrail.core.decide import Looked
from handrail.core.decide.desk import Accept
from handrail.core.decide.handoff import decide_accept, decide_decline, decide_withdraw, fits
from handrail.core.duty import role_by
from handrail.core.events import Event, LeaseGranted
from handrail.core.handed import PacketAccepted, TaskTaken
from handrail.core.lease import Lease, Session
from handrail.core.ledger import Entry, read_event
from handrail.core.record import Record
from handrail.core.task import OPEN, Packet, Task, task_of
from handrail.errors.handoff import FactsChanged, NoHandoff
from handrail.service.asking import Check, as_request, decision
from handrail.service.attempts import with_facts
from handrail.service.claims import Claims
from handrail.service.context import Context
from handrail.service.identity import actor_of, require_session
from handrail.service.lapses import desk_of, lapse_ms, record_due, settle_of, singles, task_named
from handrail.service.lookups import check_looked, reading_of, with_reading
from handrail.service.policy import Rules, rules_in_force
from handrail.service.tasks import the_one
from handrail.service.threads import check_thread
from handrail.store.port import Reader, Tx
from handrail.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.service.gating import Checked
    from handrail.service.readings import Looked as Seen

Answering = tuple[str | None, Sequence[str] | None, str | None]
"""Which packet, the part of its scope that is wanted, the request's id."""


class Accepted(Record):
    """A packet that was accepted, or a task that was taken up; what its receiver holds by it.

    ``unread`` is what it has to read before it writes.
    """

    task: Task
    packet: Packet | None
    lease: Lease | None
    free: tuple[str, ...]
    epoch: str
    checked: Checked | None = None
    unread: tuple[str, ...] = ()


class Answers:
    """The use cases of answering; here nothing but the rules is asked."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def accept(
        self,
        target: str | None = None,
        narrow: Sequence[str] | None = None,
        request_id: str | None = None,
    ) -> Accepted:
        """Accept the packet that waits, or take up a task whose holder is gone.

        Raises NoHandoff, NotYourHandoff, HandedOff, TaskOver, Halted and what a claim raises.
        """
        record_due(self._context)
        return self._decide_accept((target, narrow, request_id))

    def _decide_accept(self, asked: Answering) -> Accepted:
        return self._accept_at_last(asked)

    def _accept_at_last(
        self, asked: Answering, check: Check | None = None, judged: Packet | None = None
    ) -> Accepted:
        """Accept, looking at the working tree and at what is to be read as often as it takes."""
        context = self._context
        return with_reading(
            context,
            lambda seen: with_facts(
                context,
                lambda looked: self._accept(asked, looked, check, judged=judged, seen=seen),
            ),
        )

    def _accept(
        self,
        asked: Answering,
        looked: Looked,
        check: Check | None = None,
        *,
        judged: Packet | None = None,
        trial: bool = False,
        seen: Seen | None = None,
    ) -> Accepted:
        target, narrow, request_id = asked
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            session = require_session(tx, self._context)
            request = as_request("accept", request_id, (target, narrow, session.id))
            known = None if request is None else tx.outcome(request)
            if known is not None:
                return _accepted(tx, known)
            counted = () if check is None else check(tx, rules, session)
            task = self._task_to_answer(tx, rules, session, target, "handoff accept")
            if judged is not None:
                check_same(task, judged)
            desk = desk_of(tx, rules, task, session)
            if not rules.settings.handoff.in_thread:
                check_thread(tx, self._context, session, desk.packet)
            wanted = None if narrow is None else Claims(self._context).scope(rules, narrow)
            role = _role_by(tx, rules, session, desk.packet)
            accept = Accept(
                role=role,
                session=session,
                ttl_ms=rules.settings.limits.ttl_ms,
                lapse_ms=lapse_ms(rules),
                narrow=wanted,
                single=singles(self._context, desk, wanted or ()),
                looked=looked,
            )
            changes = decide_accept(desk, accept, tx.now)
            if trial:
                return Accepted(task, desk.packet, None, (), tx.epoch)
            taken = desk.packet
            if taken is None or taken.state != OPEN:
                taken = tx.packet(task.id, task.taken)
            reading = list(to_read(tx, session, taken, seen))
            if role is not None:
                reading[:0] = reading_of(tx, rules, session._replace(role=role), seen)
            entries = tx.commit([*changes, *reading, *counted], actor_of(session), request)
            return _accepted(tx, entries)

    def decline(
        self, target: str | None = None, reason: str = "", request_id: str | None = None
    ) -> Packet:
        """Refuse the packet that waits; its scope goes back to whoever gave it."""
        return self._settle("decline", target, reason, request_id)

    def withdraw(
        self, target: str | None = None, reason: str = "", request_id: str | None = None
    ) -> Packet:
        """Take back a packet that nobody has answered."""
        return self._settle("withdraw", target, reason, request_id)

    def _settle(self, what: str, target: str | None, reason: str, request_id: str | None) -> Packet:
        record_due(self._context)
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            session = require_session(tx, self._context)
            request = as_request(what, request_id, (target, reason, session.id))
            known = None if request is None else tx.outcome(request)
            if known is None:
                if what == "withdraw":
                    task = _task_to_withdraw(tx, session, target)
                else:
                    task = self._task_to_answer(tx, rules, session, target, "handoff decline")
                desk = desk_of(tx, rules, task, session)
                settle = settle_of(self._context, rules, desk, session, reason)
                settle = settle._replace(stopped=_is_stopped(tx, rules, session, desk.packet))
                rule = decide_withdraw if what == "withdraw" else decide_decline
                changes = rule(desk, settle, tx.now)
                if what == "decline":
                    changes = [*decision(tx, rules, session, task, reason), *changes]
                known = tx.commit(changes, actor_of(session), request)
            return _settled(tx, known)

    def _task_to_answer(
        self, tx: Reader, rules: Rules, session: Session, target: str | None, command: str
    ) -> Task:
        """Find the task that is meant: by name, by its packet's number, or the only one for us."""
        if target is not None and not target.isdigit():
            return task_named(tx, target)
        every = tx.packets(settled=False)
        waiting = [p for p in every if fits(rules.policy, session, p)]
        waiting = waiting or [p for p in every if _role_by(tx, rules, session, p) is not None]
        if target is not None:
            waiting = [packet for packet in waiting if str(packet.number) == target.lstrip("0")]
        if not waiting:
            which = "" if target is None else f" with number {target}"
            reason = f"no packet{which} waits for role {session.role or '-'}"
            held = [task.id for task in tx.tasks() if task.holder == session.id]
            if target is None and len(held) == 1:
                reason += f", and session {session.id} acts for task {held[0]} already"
                raise NoHandoff(reason=reason, next=f"handrail handoff briefing {held[0]}")
            raise NoHandoff(reason=reason)
        tasks = [task_named(tx, packet.task) for packet in waiting]
        return the_one(tasks, f"For session {session.id} wait", command)


def _is_stopped(reader: Reader, rules: Rules, session: Session, packet: Packet | None) -> bool:
    """Tell whether a trigger sent a session's work off with a packet."""
    if packet is None or not rules.policy.fires:
        return False
    from handrail.service.stops import sent

    return sent(reader, session, packet)


def _role_by(reader: Reader, rules: Rules, session: Session, packet: Packet | None) -> str | None:
    """Return the role that a session takes with a packet; None where it keeps its own."""
    if packet is None or packet.state != OPEN or fits(rules.policy, session, packet):
        return None
    here = rules.settings.handoff.in_thread and _is_stopped(reader, rules, session, packet)
    return role_by(rules.policy, session, packet, sent=here)


def to_read(
    reader: Reader, session: Session, packet: Packet | None, seen: Seen | None
) -> Sequence[Event]:
    """Return what a session is asked to read by the packet that it goes by from here on."""
    from handrail.service.readings import asked_by_packet, named_by

    paths = named_by(reader, packet)
    if packet is None or not paths:
        return ()
    return asked_by_packet(session.id, packet, paths, check_looked(paths, seen), binds=True)


def check_same(task: Task, judged: Packet) -> None:
    """Refuse to answer another packet than the one that gates judged; raises FactsChanged."""
    if (task.id, task.number) != (judged.task, judged.number):
        again = f"handrail handoff accept {task.id}"
        raise FactsChanged(what="the packet that waits", stage="post-handoff", next=again)


def _task_to_withdraw(tx: Reader, session: Session, target: str | None) -> Task:
    if target is not None and not target.isdigit():
        return task_named(tx, target)
    given = [packet for packet in tx.packets(settled=False) if packet.session == session.id]
    if target is not None:
        given = [packet for packet in given if str(packet.number) == target.lstrip("0")]
    if not given:
        raise NoHandoff(reason=f"session {session.id} has no packet that waits for an answer")
    tasks = [task_named(tx, packet.task) for packet in given]
    return the_one(tasks, f"Session {session.id} offered", "handoff withdraw")


def _accepted(tx: Tx, entries: Sequence[Entry]) -> Accepted:
    lease: Lease | None = None
    for entry in entries:
        event = read_event(entry)
        if isinstance(event, LeaseGranted):
            found = tx.lease(entry.seq)
            lease = found if found is not None and task_of(found.session) is None else lease
        elif isinstance(event, PacketAccepted):
            task, packet = task_named(tx, event.task), tx.packet(event.task, event.number)
            lease = tx.lease(event.token) if event.token else None
            scope = () if packet is None else packet.patterns
            free = tuple(text for text in scope if text not in event.patterns)
            left = tuple(row.path for row in tx.unread(event.session))
            return Accepted(task, packet, lease, free, tx.epoch, unread=left)
        elif isinstance(event, TaskTaken):
            left = tuple(row.path for row in tx.unread(event.session))
            return Accepted(task_named(tx, event.task), None, lease, (), tx.epoch, unread=left)
    raise errors.Bug(detail="an acceptance led to no entry")


def _settled(tx: Reader, entries: Sequence[Entry]) -> Packet:
    event = read_event(entries[-1])
    task, number = getattr(event, "task", ""), getattr(event, "number", 0)
    packet = tx.packet(task, number)
    if packet is None:
        raise errors.Bug(detail="a packet's end led to no entry")
    return packet

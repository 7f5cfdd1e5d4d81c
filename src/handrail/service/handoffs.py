"""Handing over: offer, accept, decline, withdraw; each of them one transaction.

Promises: the number is given, the scope moved and the entry appended together or not at all;
repeating a request id gives the first outcome. What an offer says is checked before the transaction
as far as that needs no store. The packet's file is written afterwards: it is a copy, and one that
could not be written is made by ``handrail export``. ``service.judged`` puts the gates around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from json import loads
from typing import TYPE_CHECKING, Any, Protocol

from handrail import errors
from handrail.core.decide import Changes, Looked
from handrail.core.decide.desk import Accept, Offer
from handrail.core.decide.handoff import (
    decide_accept,
    decide_decline,
    decide_offer,
    decide_withdraw,
    fits,
)
from handrail.core.digest import sha256
from handrail.core.events import Event, LeaseGranted
from handrail.core.handed import PacketAccepted, PacketOffered, TaskOpened, TaskTaken
from handrail.core.handing import packet_of
from handrail.core.lease import Lease, Session
from handrail.core.ledger import Entry, read_event, read_header
from handrail.core.names import check_name
from handrail.core.packet import draft, overwritten, pretty, read_packet
from handrail.core.record import Record
from handrail.core.scope import Pattern
from handrail.core.task import COMPLETE, KINDS, OPEN, SYSTEM, Packet, Task, file_name, task_of
from handrail.errors.handoff import FactsChanged, MalformedPacket, NoHandoff, NotYourHandoff
from handrail.service.attempts import with_facts
from handrail.service.claims import Claims
from handrail.service.context import Context
from handrail.service.identity import actor_of, require_session, thread_of
from handrail.service.lapses import desk_of, lapse_ms, record_due, settle_of, singles, task_named
from handrail.service.phases import addressed, with_artifact
from handrail.service.policy import Rules, rules_in_force
from handrail.service.tasks import acts_for_any, check_receiver, own_task, task_for, the_one
from handrail.store.port import Reader, Request, Tx
from handrail.text import visible

if TYPE_CHECKING:
    from handrail.service.gating import Checked

Answering = tuple[str | None, Sequence[str] | None, str | None]
"""Which packet, the part of its scope that is wanted, the request's id."""
Check = Callable[[Reader, Rules, Session], Sequence[Event]]
"""What looks again within the transaction; returns what belongs to the verdict, to be entered."""


class Files(Protocol):
    """Where packets are exported to."""

    def write(self, name: str, content: bytes) -> str | None:
        """Write a packet's file; returns its path, None if it was there like that."""


class Offering(Record):
    """An offer as it was asked for; what is None or empty is taken from the packet or found out."""

    packet: bytes | None = None
    message: str | None = None
    task: str | None = None
    to_role: str | None = None
    kind: str | None = None
    scope: tuple[str, ...] = ()
    request_id: str | None = None
    next_phase: str | None = None


class Offered(Record):
    """A packet that was offered, its canonical text, and what of the draft was written over.

    ``opened`` says that it is the first of a task which was opened for it.
    """

    packet: Packet
    text: str
    overwritten: tuple[str, ...]
    file: str | None
    left: tuple[str, ...]
    checked: Checked | None = None
    opened: bool = False


class Accepted(Record):
    """A packet that was accepted, or a task that was taken up; what its receiver holds by it."""

    task: Task
    packet: Packet | None
    lease: Lease | None
    free: tuple[str, ...]
    epoch: str
    checked: Checked | None = None


class Handoffs:
    """The use cases of handing over; here nothing but the rules is asked."""

    def __init__(self, context: Context, files: Files) -> None:
        self._context = context
        self._store = context.store
        self._files = files

    # --- offering --------------------------------------------------------------------------------

    def offer(self, asked: Offering, *, dry_run: bool = False) -> Offered:
        """Offer a packet and reserve its scope.

        Raises MalformedPacket, MalformedScope, UnknownTask, UnknownRole and the refusals of
        ``decide_offer``.
        """
        given = {} if asked.packet is None else read_packet(asked.packet)
        if asked.message is not None:
            given = draft(given, {"message": asked.message})
        if asked.kind is not None and asked.kind not in KINDS:
            reason = f"No kind of packet is '{visible(asked.kind)}': take {', '.join(KINDS)}."
            raise errors.Usage(reason=reason, next="handrail handoff offer --help")
        record_due(self._context)
        done = self._decide_offer(asked, given, dry_run=dry_run)
        if dry_run:
            return done
        return done._replace(file=self._export(done.packet, done.text))

    def _decide_offer(self, asked: Offering, given: dict[str, Any], *, dry_run: bool) -> Offered:
        return self._attempt(asked, given, draft(given, self._head()), dry_run=dry_run)

    def _attempt(
        self,
        asked: Offering,
        given: dict[str, Any],
        written: dict[str, Any],
        *,
        dry_run: bool = False,
        check: Check | None = None,
    ) -> Offered:
        return with_facts(
            self._context,
            lambda looked: self._offer(asked, given, written, check, dry_run=dry_run),
        )

    def _offer(
        self,
        asked: Offering,
        given: dict[str, Any],
        written: dict[str, Any],
        check: Check | None,
        *,
        dry_run: bool,
    ) -> Offered:
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            session = require_session(tx, self._context)
            request = _request("offer", asked.request_id, (asked, session.id))
            known = None if request is None else tx.outcome(request)
            if known is not None:
                return _offered(known, given, ())
            counted = () if check is None else check(tx, rules, session)
            task = self._task_to_offer(tx, rules, session, asked, given)
            offer = self._as_asked(tx, rules, task, session, asked, written)
            _check_trigger(rules, offer.draft.get("trigger"))
            desk = desk_of(tx, rules, task, session, offer.patterns)
            offer = offer._replace(single=singles(self._context, desk, offer.patterns))
            changes = decide_offer(with_artifact(self._context, desk), offer, tx.now)
            if task.number == 0:
                changes.insert(-1, TaskOpened(task.id, task.title))
            left = _left(tx, session, offer)
            if dry_run:
                return _to_offer(changes, given, left, tx.now)
            entries = tx.commit([*changes, *counted], actor_of(session), request)
            return _offered(entries, given, left)

    def _task_to_offer(
        self, tx: Reader, rules: Rules, session: Session, asked: Offering, given: dict[str, Any]
    ) -> Task:
        name = asked.task if asked.task is not None else given.get("task_id")
        if name is not None:
            return task_named(tx, str(name))
        if not rules.settings.phases and not acts_for_any(tx, session):
            # Where there are phases a task begins with the first of them, by `task new`.
            return task_for(tx, session, self._context.outside.branch())
        return own_task(tx, session, "handoff offer --task")

    def _as_asked(
        self,
        tx: Tx,
        rules: Rules,
        task: Task,
        session: Session,
        asked: Offering,
        given: dict[str, Any],
    ) -> Offer:
        kind = asked.kind or given.get("kind", COMPLETE)
        wanted = (asked.to_role, asked.next_phase)
        to_role, phase = addressed(tx, rules, task, session, kind, wanted, given)
        again = f"handrail handoff offer --task {task.id} --to"
        check_receiver(rules.settings, to_role, again)
        texts = asked.scope or tuple(given.get("context", {}).get("files_in_scope", ()))
        patterns: tuple[Pattern, ...] = ()
        if texts:
            patterns = Claims(self._context).scope(rules, texts)
        written = draft(given, {"kind": kind, "to_role": to_role})
        if phase is not None:
            written = draft({"metadata": {}, **written}, {"metadata": {"next_phase": phase}})
        return Offer(session, patterns, written, lapse_ms(rules, kind))

    def _head(self) -> dict[str, Any]:
        """Say which commit the work stands at; nothing where there is none yet."""
        commit, tree = self._context.outside.at_head()
        return {"metadata": {"head": commit, "tree": tree}} if commit else {}

    def _export(self, packet: Packet, text: str) -> str | None:
        name = file_name(packet.task, packet.number)
        try:
            return self._files.write(name, pretty(text)) or f".handrail/handoffs/{name}"
        except errors.Unavailable:
            return None  # it stands in the ledger, and `handrail export` makes it anew

    # --- answering -------------------------------------------------------------------------------

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
        return with_facts(self._context, lambda looked: self._accept(asked, looked))

    def _accept(
        self,
        asked: Answering,
        looked: Looked,
        check: Check | None = None,
        *,
        judged: Packet | None = None,
        trial: bool = False,
    ) -> Accepted:
        target, narrow, request_id = asked
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            session = require_session(tx, self._context)
            request = _request("accept", request_id, (target, narrow, session.id))
            known = None if request is None else tx.outcome(request)
            if known is not None:
                return _accepted(tx, known)
            counted = () if check is None else check(tx, rules, session)
            task = self._task_to_answer(tx, rules, session, target, "handoff accept")
            if judged is not None:
                check_same(task, judged)
            desk = desk_of(tx, rules, task, session)
            if not rules.settings.handoff.in_thread:
                _check_thread(session, desk.packet)
            wanted = None if narrow is None else Claims(self._context).scope(rules, narrow)
            accept = Accept(
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
            entries = tx.commit([*changes, *counted], actor_of(session), request)
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
            request = _request(what, request_id, (target, reason, session.id))
            known = None if request is None else tx.outcome(request)
            if known is None:
                if what == "withdraw":
                    task = _task_to_withdraw(tx, session, target)
                else:
                    task = self._task_to_answer(tx, rules, session, target, "handoff decline")
                desk = desk_of(tx, rules, task, session)
                settle = settle_of(self._context, rules, desk, session, reason)
                rule = decide_withdraw if what == "withdraw" else decide_decline
                known = tx.commit(rule(desk, settle, tx.now), actor_of(session), request)
            return _settled(tx, known)

    def _task_to_answer(
        self, tx: Reader, rules: Rules, session: Session, target: str | None, command: str
    ) -> Task:
        """Find the task that is meant: by name, by its packet's number, or the only one for us."""
        if target is not None and not target.isdigit():
            return task_named(tx, target)
        waiting = [p for p in tx.packets(settled=False) if fits(rules.policy, session, p)]
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


def check_same(task: Task, judged: Packet) -> None:
    """Refuse to answer another packet than the one that gates judged; raises FactsChanged."""
    if (task.id, task.number) != (judged.task, judged.number):
        again = f"handrail handoff accept {task.id}"
        raise FactsChanged(what="the packet that waits", stage="post-handoff", next=again)


def _check_thread(session: Session, packet: Packet | None) -> None:
    """Refuse to receive what the same harness session offered; it has other names elsewhere."""
    if packet is None or packet.state != OPEN or thread_of(packet.session) != thread_of(session.id):
        return
    raise NotYourHandoff(
        task=packet.task,
        number=packet.number,
        whose=f"offered by session {packet.session}, and [handoff] in_thread is false",
        to_role=packet.to_role,
        session=session.id,
        role=session.role,
    )


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


def _check_trigger(rules: Rules, trigger: str | None) -> None:
    """Refuse a packet that names a trigger which the configuration does not have."""
    names = [row.id for row in rules.settings.triggers]
    if trigger is None or trigger in names:
        return
    there = f"there are {', '.join(names[:20])}" if names else "there are none"
    reason = f"there is no trigger {trigger[:80]!r}: {there}"
    raise MalformedPacket(field="trigger", reason=reason, value=trigger)


def _left(tx: Reader, session: Session, offer: Offer) -> tuple[str, ...]:
    """Name what the giver holds where it offers no scope: that stays its own."""
    if offer.patterns:
        return ()
    live = [lease for lease in tx.leases(session.id) if lease.live(tx.now)]
    return tuple(text for lease in live for text in lease.scope)


def _request(what: str, id: str | None, question: object) -> Request | None:
    if id is None:
        return None
    text = repr((what, question))
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return Request(check_name("request", id), digest)


def _offered(entries: Sequence[Entry], given: dict[str, Any], left: tuple[str, ...]) -> Offered:
    for entry in entries:
        event = read_event(entry)
        if isinstance(event, PacketOffered):
            # The row as it was then; what became of it is another question.
            at = read_header(entry.header).at
            return _of(event, packet_of(entry.seq, at, event), given, left)
    raise errors.Bug(detail="an offer's request led to no packet")


def _to_offer(changes: Changes, given: dict[str, Any], left: tuple[str, ...], now: int) -> Offered:
    event = changes[-1]
    assert isinstance(event, PacketOffered)
    return _of(event, packet_of(0, now, event), given, left)


def _of(
    event: PacketOffered, packet: Packet, given: dict[str, Any], left: tuple[str, ...]
) -> Offered:
    opened = packet.number == 1 and packet.session != SYSTEM
    over = overwritten(given, loads(event.packet))
    return Offered(packet, event.packet, over, None, left, opened=opened)


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
            return Accepted(task, packet, lease, free, tx.epoch)
        elif isinstance(event, TaskTaken):
            return Accepted(task_named(tx, event.task), None, lease, (), tx.epoch)
    raise errors.Bug(detail="an acceptance led to no entry")


def _settled(tx: Reader, entries: Sequence[Entry]) -> Packet:
    event = read_event(entries[-1])
    task, number = getattr(event, "task", ""), getattr(event, "number", 0)
    packet = tx.packet(task, number)
    if packet is None:
        raise errors.Bug(detail="a packet's end led to no entry")
    return packet

"""Offering: a packet gets its number, and its scope is reserved, in one transaction.

Promises: what an offer says is checked before the transaction as far as that needs no store;
repeating a request id gives the first outcome. The packet's file is written afterwards: it is a
copy, and one that could not be written is made by ``handrail export``.

    Offers(context, files).offer(Offering(message="…", scope=("src/api",)))
"""

from __future__ import annotations

from collections.abc import Sequence
from json import loads

from handrail import errors
from handrail.config.vocabulary import SPREAD
from handrail.core.decide import Changes
from handrail.core.decide.desk import Offer
from handrail.core.decide.handoff import decide_offer
from handrail.core.events import Event
from handrail.core.handed import PacketOffered, TaskOpened
from handrail.core.handing import packet_of
from handrail.core.lease import Session
from handrail.core.ledger import Entry, read_header, read_if
from handrail.core.packet import draft, overwritten, pretty, read_packet
from handrail.core.record import Record
from handrail.core.scope import Pattern
from handrail.core.task import BLOCK, COMPLETE, KINDS, SYSTEM, Packet, Task, file_name
from handrail.errors.handoff import MalformedPacket
from handrail.service.asking import Check, Files, as_request, decision
from handrail.service.attempts import with_facts
from handrail.service.claims import Claims
from handrail.service.context import Context
from handrail.service.identity import actor_of, require_session
from handrail.service.lapses import desk_of, lapse_ms, record_due, singles, task_named
from handrail.service.phases import addressed, offering, with_artifact
from handrail.service.policy import Rules, projections_in_force, rules_in_force
from handrail.service.tasks import acts_for_any, check_receiver, own_task, task_for
from handrail.service.threads import traced
from handrail.store.port import Reader, Tx
from handrail.text import visible
from handrail.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handrail.service.fired import Fire
    from handrail.service.gating import Checked


class Offering(Record):
    """An offer as it was asked for; what is None or empty is taken from the packet or found out.

    ``fresh``: where no task is named, one is opened for it, whatever else the giver acts for.
    ``fire`` is the trigger that offers it.
    """

    packet: bytes | None = None
    message: str | None = None
    task: str | None = None
    to_role: str | None = None
    kind: str | None = None
    scope: tuple[str, ...] = ()
    request_id: str | None = None
    next_phase: str | None = None
    fresh: bool = False
    fire: Fire | None = None


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


class Offers:
    """The use case of offering; here nothing but the rules is asked."""

    def __init__(self, context: Context, files: Files) -> None:
        self._context = context
        self._store = context.store
        self._files = files

    def offer(self, asked: Offering, *, dry_run: bool = False) -> Offered:
        """Offer a packet and reserve its scope.

        Raises MalformedPacket, MalformedScope, UnknownTask, UnknownRole and the refusals of
        ``decide_offer``.
        """
        given = {} if asked.packet is None else self._read(asked.packet)
        if asked.message is not None:
            given = draft(given, {"message": asked.message})
        if asked.kind is not None and asked.kind not in KINDS:
            reason = f"No kind of packet is '{visible(asked.kind)}': take {', '.join(KINDS)}."
            raise errors.Usage(reason=reason, next="handrail handoff offer --help")
        given = self._of_directive(asked, given)
        record_due(self._context)
        done = self._decide_offer(asked, given, dry_run=dry_run)
        if dry_run:
            return done
        return done._replace(file=self._export(done.packet, done.text))

    def _knows_directives(self) -> bool:
        rows = projections_in_force(self._store)
        return any(one.format in SPREAD for one in rows)

    def _read(self, raw: bytes) -> dict[str, Any]:
        """Read a packet that somebody wrote, or what another tool has for one."""
        if self._knows_directives():
            from handrail.service.directive_drafts import draft_of

            given = draft_of(raw)
            if given is not None:
                return given
        return read_packet(raw)

    def _of_directive(self, asked: Offering, given: dict[str, Any]) -> dict[str, Any]:
        """Let a draft say what its directive says, where the configuration knows of directives."""
        if not self._knows_directives():
            return given
        from handrail.service.directives import completed

        return completed(self._context, asked, given)

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
            request = as_request("offer", asked.request_id, (asked, session.id))
            known = None if request is None else tx.outcome(request)
            if known is not None:
                return _offered(known, given, ())
            counted = () if check is None else check(tx, rules, session)
            task = self._task_to_offer(tx, rules, session, asked, given)
            if asked.fire is not None and not dry_run:
                from handrail.service.fired import check_fires

                check_fires(tx, rules, session, task, asked.fire)
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
            besides: Changes = [*traced(tx, self._context, rules, task), *counted]
            besides += _decision(tx, rules, session, task, offer)
            if asked.fire is not None:
                from handrail.service.fired import entered_besides

                packet = _to_offer(changes, given, left, tx.now).packet
                besides += entered_besides(tx, rules, session, packet, asked.fire)
            entries = tx.commit([*changes, *besides], actor_of(session), request)
            return _offered(entries, given, left)

    def _task_to_offer(
        self, tx: Reader, rules: Rules, session: Session, asked: Offering, given: dict[str, Any]
    ) -> Task:
        name = asked.task if asked.task is not None else given.get("task_id")
        if name is not None:
            return task_named(tx, str(name))
        if not rules.settings.phases and (asked.fresh or not acts_for_any(tx, session)):
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
        check_receiver(rules.settings, to_role, f"{offering(task)} --to")
        texts = asked.scope or tuple(given.get("context", {}).get("files_in_scope", ()))
        patterns: tuple[Pattern, ...] = ()
        if texts:
            patterns = Claims(self._context).scope(rules, texts)
        written = draft(given, {"kind": kind, "to_role": to_role})
        if phase is not None:
            written = draft({"metadata": {}, **written}, {"metadata": {"next_phase": phase}})
        wait = lapse_ms(rules, kind)
        return Offer(session, patterns, written, wait, stops=asked.fire is not None)

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


def _decision(
    tx: Reader, rules: Rules, session: Session, task: Task, offer: Offer
) -> Sequence[Event]:
    """Return what becomes of an answer to a question of lanes; to pass it on is none."""
    if task.holder != session.id or offer.draft.get("kind") == BLOCK:
        return ()
    answer = str(offer.draft.get("message") or "") or f"packet {task.number + 1:03d} says"
    return decision(tx, rules, session, task, answer)


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


def _offered(entries: Sequence[Entry], given: dict[str, Any], left: tuple[str, ...]) -> Offered:
    for entry in entries:
        event = read_if(entry, "packet.offered")
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

"""Triggers that fire by themselves: what happened becomes a packet of kind ``block``, offered.

Promises: nothing is asked of anybody; the packet says what was tried, what refused it and what is
unfinished, and goes out even where gates mind something; its giver is stopped with it, in one
transaction. What cannot fire (no task that could carry it, a tree that keeps moving) leaves the
refusal as it was, and the reason is handed to ``note``.

    firing = Firing(context, handoffs, note)
    firing.edit_refused("outside_lane", "docs/a.md lies …", "docs/a.md")
    # HandedOff, TriggerLoop, or None: no trigger fires
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from handrail import errors
from handrail.core.duty import role_by
from handrail.core.handed import EditRefused
from handrail.core.lease import Session
from handrail.core.record import Record
from handrail.core.task import BLOCK, COMPLETE, OPEN, Packet
from handrail.core.trigger import (
    EDIT_REFUSED,
    GATE_FAILED,
    PHASE_DONE,
    REVISE_LIMIT,
    Happened,
    Row,
    counted,
)
from handrail.errors.handoff import FactsChanged, HandedOff, TriggerLoop
from handrail.service.context import Context
from handrail.service.fired import Fire
from handrail.service.handoffs import Offered, Offering
from handrail.service.identity import actor_of, require_session
from handrail.service.judged import JudgedHandoffs
from handrail.service.phases import workflow_of
from handrail.service.policy import Rules, rules_in_force
from handrail.service.stops import counts_of, stop_of
from handrail.service.triggers import as_what, fires, rows_of
from handrail.store.port import Reader
from handrail.text import shell_quote, visible
from handrail.typed import Final

ATTEMPTS: Final = 3
MESSAGE_CHARS_MAX: Final = 4_000
SAID_CHARS_MAX: Final = 500
EDIT: Final = "edit"

Note = Callable[[str, str], None]
"""Takes a stable code and a sentence for the log of hooks."""


Show = Callable[[Packet], object]
"""Writes the files that lead readers to a packet."""


class Tried(Record):
    """What a session was at when a trigger fired: a sentence, and findings for the packet.

    ``task`` is what it is about, where that is known; ``finished``: the work leads on.
    """

    sentence: str
    findings: tuple[Mapping[str, str], ...] = ()
    task: str | None = None
    finished: bool = False


class Firing:
    """The use cases of what happens by itself."""

    def __init__(
        self,
        context: Context,
        handoffs: JudgedHandoffs,
        note: Note = lambda code, said: None,
        show: Show = lambda packet: None,
    ) -> None:
        self._context = context
        self._show = show
        self._store = context.store
        self._handoffs = handoffs
        self._note = note

    # --- what happens -----------------------------------------------------------------------------

    def edit_refused(self, code: str, said: str, path: str) -> errors.Refused | None:
        """Count an edit that was refused; returns the refusal in its place if a trigger fires."""
        happened = Happened(EDIT_REFUSED, code)
        if not self._counts(happened):
            return None
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            session = require_session(tx, self._context)
            if stop_of(tx, rules.policy, session) is not None:
                return None  # that is what the refusal says
            counts = counts_of(tx, session)
            counts[code] = counts.get(code, 0) + 1
            event = EditRefused(session.id, code, path, tuple(sorted(counts.items())))
            tx.commit([event], actor_of(session))
            row = fires(rules, session, happened, counts)
        if row is None:
            return None
        said = said[:SAID_CHARS_MAX]
        finding = {"gate": EDIT, "code": code, "message": said, "path": path}
        times = sum(n for code, n in counts.items() if not row.about or code in row.about)
        often = "once" if times == 1 else f"{times} times"
        sentence = f"An edit of {path or 'a path'} was refused, {often} by now: {said}"
        return self._fire(row, happened, Tried(sentence, (finding,)))

    def gates_failed(self, failed: Sequence[tuple[str, str]]) -> errors.Refused | None:
        """Let the first trigger fire on one of these gates, each with what it minds."""
        for gate, minded in failed:
            words = minded[:SAID_CHARS_MAX]
            finding = {"gate": gate, "code": "gate_failed", "message": words}
            tried = Tried(f"Gate {gate} does not pass: {words}", (finding,))
            found = self.happened(Happened(GATE_FAILED, gate), tried)
            if found is not None:
                return found
        return None

    def due(self) -> errors.Refused | None:
        """Let fire what the state of the session's tasks brings about, if anything does."""
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            if not any(row.event in (REVISE_LIMIT, PHASE_DONE) for row in rows_of(rules)):
                return None
            session = require_session(reader, self._context)
            found = list(_standing(reader, rules, session))
        for happened, tried in found:
            fired = self.happened(happened, tried)
            if fired is not None:
                return fired
        return None

    def phase_done(self) -> errors.Refused | None:
        """Let a trigger fire on the phase of the one task that the session acts for."""
        with self._store.read() as reader:
            session = require_session(reader, self._context)
            held = [task for task in reader.tasks() if task.holder == session.id and task.phase]
        if len(held) != 1:
            return None
        phase = held[0].phase or ""
        tried = Tried(f"Phase {phase} of task {held[0].id} is done.", (), held[0].id, finished=True)
        return self.happened(Happened(PHASE_DONE, phase), tried)

    def happened(self, happened: Happened, tried: Tried) -> errors.Refused | None:
        """Let the first trigger fire that means what happened; None if none does."""
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            session = require_session(reader, self._context)
            if stop_of(reader, rules.policy, session) is not None:
                return None
            row = fires(rules, session, happened)
        return None if row is None else self._fire(row, happened, tried)

    def row(self, row: Row, about: str, tried: Tried) -> errors.Refused | None:
        """Let this trigger fire about something."""
        return self._fire(row, Happened(row.event, about), tried)

    def _counts(self, happened: Happened) -> bool:
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            if not rules.policy.fires:
                return False
            session = require_session(reader, self._context)
            return counted(rows_of(rules), as_what(rules, session), happened)

    # --- what is offered --------------------------------------------------------------------------

    def _fire(self, row: Row, happened: Happened, tried: Tried) -> errors.Refused | None:
        """Offer what a trigger makes of what happened; returns what the giver is told."""
        with self._store.read() as reader:
            session = require_session(reader, self._context)
            task = tried.task or _carrying(reader, session)
        kinds = (COMPLETE, BLOCK) if tried.finished else (BLOCK,)
        for kind in kinds:
            try:
                done = self._offered(_asked(row, happened, tried, session, task, kind))
            except (HandedOff, TriggerLoop) as stopped:
                return stopped
            except (errors.Refused, errors.Malformed, errors.Unavailable) as error:
                self._note(error.code, f"trigger {row.id} did not fire: {error.message}")
            else:
                self._shown(done)
                return self._escalated(row, happened, done)
        return None

    def _offered(self, asked: Offering) -> Offered:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._handoffs.offer(asked)
            except FactsChanged:
                continue
        return self._handoffs.offer(asked)

    def _shown(self, done: Offered) -> None:
        """Let files show the packet; those that cannot be written are copies of what is known."""
        try:
            self._show(done.packet)
        except errors.HandrailError as error:
            self._note(error.code, error.message)

    def _escalated(self, row: Row, happened: Happened, done: Offered) -> HandedOff:
        packet = done.packet
        fired = f"trigger {row.id} fired on {happened.event}: {visible(happened.about)}"
        return HandedOff(
            task=packet.task,
            holder=f"role {packet.to_role} (packet {packet.number}, because {fired})",
            session=packet.session,
            trigger=row.id,
            number=packet.number,
            to_role=packet.to_role,
            next=leads_on(self._context, packet),
        )


def leads_on(context: Context, packet: Packet) -> str:
    """Return the next command of a session whose work a trigger sent off with a packet."""
    with context.store.read() as reader:
        rules = rules_in_force(reader)
        session = require_session(reader, context)
    here = rules.settings.handoff.in_thread
    if here and role_by(rules.policy, session, packet, sent=True) is not None:
        return f"handrail handoff accept {shell_quote(packet.task)}"
    return f"handrail task show {shell_quote(packet.task)}"


def _asked(
    row: Row, happened: Happened, tried: Tried, session: Session, task: str | None, kind: str
) -> Offering:
    who = f"session {session.id} of role {session.role or '-'}"
    said = (
        f"Trigger {row.id} fired in {who}, on {happened.event} ({happened.about}). {tried.sentence}"
    )
    goal = f"Decide how the work of {who} goes on: {tried.sentence}"
    packet = {
        "kind": kind,
        "trigger": row.id,
        "context": {
            "blocking_rule": visible(happened.about)[:SAID_CHARS_MAX],
            "objective": visible(goal)[:MESSAGE_CHARS_MAX],
        },
    }
    findings = tuple(
        tuple((key, visible(value)[:SAID_CHARS_MAX]) for key, value in one.items() if value)
        for one in tried.findings
    )
    gated = kind == COMPLETE
    return Offering(
        packet=json.dumps(packet).encode("ascii"),
        message=visible(said)[:MESSAGE_CHARS_MAX],
        task=task,
        to_role=row.to_role,
        kind=kind,
        fresh=True,
        fire=Fire(row.id, happened.event, happened.about, findings, gated),
    )


def _carrying(reader: Reader, session: Session) -> str | None:
    """Return the task that carries what happens: the one that its session took up last."""
    held = []
    for task in reader.tasks():
        packet = reader.packet(task.id, task.number)
        if task.holder == session.id and packet is not None and packet.state != OPEN:
            held.append((packet.seq, task.id))
    return max(held)[1] if held else None


def _standing(reader: Reader, rules: Rules, session: Session) -> Sequence[tuple[Happened, Tried]]:
    """Return what is the case with the tasks of a session that nothing has fired on yet."""
    found = []
    flow = workflow_of(rules)
    for task in reader.tasks():
        packet = reader.packet(task.id, task.number)
        if task.holder != session.id or (packet is not None and packet.state == OPEN):
            continue
        phase = flow.phase(task.phase)
        if task.waits_at is not None and task.loops is None:
            said = f"Checkpoint {task.waits_at} of task {task.id} was revised as often as may be."
            found.append((Happened(REVISE_LIMIT, task.waits_at), Tried(said, (), task.id)))
        elif phase is not None and phase.checkpoint is not None and task.next_phase is not None:
            said = f"Phase {phase.name} of task {task.id} was approved."
            tried = Tried(said, (), task.id, finished=True)
            if task.next_phase == phase.checkpoint.approve:
                found.append((Happened(PHASE_DONE, phase.name), tried))
    return found


def failed_gates(refusal: errors.HandrailError) -> list[tuple[str, str]]:
    """Return the gates that a refusal names as failed, each with what it minds."""
    rows = refusal.values.get("gates")
    found = []
    for row in rows if isinstance(rows, list) else ():
        said = [str(one.get("message", "")) for one in row.get("findings", ())]
        found.append((str(row.get("gate", "")), "; ".join(said) or str(row.get("reason") or "")))
    return found

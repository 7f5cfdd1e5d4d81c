"""The gates around a handoff: before an offer, before an acceptance, before a task is closed.

Promises: gates run before the transaction, on one look at HEAD, working tree, configuration and the
session's newest token; within the transaction the look is taken again, and what moved is
``facts_changed``. A gate that fails refuses, one that cannot tell leaves all as it is. Where the
mode of the stage refuses nothing, what the gates mind is told and carried in the packet.

    content, checked, rules = gates.offering(task, content, gates.watch())
    refuse(checked, rules, "the offer of task fix-login")    # raises GateFailed, GateUnsure
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from handrail.core.decide import writable
from handrail.core.decide.handoff import fits
from handrail.core.events import Event
from handrail.core.lease import Session
from handrail.core.packet import CLEAN_REQUIRED, ITEMS_MAX, KNOWN_DIRTY
from handrail.core.record import Record
from handrail.core.scope import normalise_path
from handrail.core.task import COMPLETE, OPEN, Packet, Task
from handrail.errors.handoff import FactsChanged, GateFailed, GateUnsure
from handrail.gates.facts import NO_PACKET, Handed, Standing
from handrail.gates.gate import CANNOT_TELL, FAIL, Outcome
from handrail.gates.registry import GATES
from handrail.service.clean import standing_here
from handrail.service.context import Context
from handrail.service.evidence_runs import reports_of
from handrail.service.gating import EVIDENCE, POST_HANDOFF, Checked, Gating, Tell
from handrail.service.identity import require_session
from handrail.service.packet_facts import Grounds, open_task, received, to_offer, with_digests
from handrail.service.policy import Rules, rules_in_force
from handrail.service.verdicts import enter, judgement
from handrail.service.waivers import counted
from handrail.store.port import Reader
from handrail.typed import Any, Final

PRE_HANDOFF: Final = "pre-handoff"
ENFORCE: Final = "enforce"
FINDINGS_SHOWN_MAX: Final = 8
FINDINGS_CARRIED_MAX: Final = 100
FINDING_CHARS_MAX: Final = 500


class Watch(Record):
    """What gates judged: how the working tree stood, which rules, the session's newest token."""

    standing: Standing
    config: str
    token: int


class Look(Record):
    """A look that has to hold in the transaction; ``deep``: the working tree is looked at again.

    ``checked`` is what the gates said, ``task`` what it is about: with what it leads to, that is
    entered, and the waivers that it rests on are counted.
    """

    watch: Watch
    deep: bool
    checked: Checked
    task: str
    again: str


class HandoffGates:
    """The gates of one handoff, for its use cases."""

    def __init__(
        self, context: Context, grounds: Grounds, gating: Gating, tell: Tell, again: str = ""
    ) -> None:
        self._context = context
        self._grounds = grounds
        self._gating = gating
        self._tell = tell
        self.again = again

    # --- looking ----------------------------------------------------------------------------------

    def watch(self) -> Watch:
        """Look at what the gates are going to judge."""
        with self._context.store.read() as reader:
            rules = rules_in_force(reader)
            session = require_session(reader, self._context)
            token = _newest_token(reader, session)
        standing = self._grounds.standing(reports_of(rules.settings.gates))
        standing = standing_here(self._context, standing)
        return Watch(standing, rules.in_force.blob, token)

    def unmoved(self, look: Look) -> Callable[[Reader, Rules, Session], Sequence[Event]]:
        """Return what looks again within the transaction, and gives the uses of waivers."""
        return lambda reader, rules, session: self._check(reader, rules, session, look)

    def _check(self, reader: Reader, rules: Rules, session: Session, look: Look) -> Sequence[Event]:
        """Look again, within the transaction; raises FactsChanged, WaiverSpent.

        Where no command ran, only moments have passed, and the working tree is not walked again.
        """
        watch, moved = look.watch, ""
        if rules.in_force.blob != watch.config:
            moved = "the configuration"
        elif _newest_token(reader, session) != watch.token:
            moved = "what this session holds"
        elif look.deep:
            now = self._grounds.standing(reports_of(rules.settings.gates))
            if (now.commit, now.tree) != (watch.standing.commit, watch.standing.tree):
                moved = "HEAD"
            elif now.fingerprint != watch.standing.fingerprint:
                moved = "the working tree"
        elif self._grounds.head() != watch.standing.commit:
            moved = "HEAD"
        if moved:
            raise FactsChanged(what=moved, stage=look.checked.stage, next=look.again or None)
        return [*judgement(session, look.checked, look.task), *counted(reader, look.checked.used)]

    # --- asking beforehand ------------------------------------------------------------------------

    def to_check(self, stage: str, target: str | None) -> Handed:
        """Return what ``check`` judges: the packet that one has, or is about to write.

        Raises UnknownTask, TaskOver.
        """
        with self._context.store.read() as reader:
            rules = rules_in_force(reader)
            if stage == PRE_HANDOFF:
                task = self._own(reader) if target is None else open_task(reader, target)
                if task is None:
                    return NO_PACKET
                return to_offer(reader, self._grounds, rules, task, None)
            packet = self._accepted_or_waiting(reader, rules, target)
            if packet is None:
                return NO_PACKET
        standing = standing_here(self._context, self._grounds.standing(()))
        with self._context.store.read() as reader:
            return self._received(reader, packet, standing)

    def _own(self, reader: Reader) -> Task | None:
        """Return the one task that the asking session acts for, if it is one."""
        if self._context.caller.session is None:
            return None
        session = require_session(reader, self._context)
        held = [task for task in reader.tasks() if task.holder == session.id]
        return held[0] if len(held) == 1 else None

    def _accepted_or_waiting(
        self, reader: Reader, rules: Rules, target: str | None
    ) -> Packet | None:
        if target is not None:
            task: Task | None = open_task(reader, target)
        else:
            task = self._own(reader)
        if task is None:
            session = self._context.caller.session
            known = None if session is None else reader.session(session)
            waiting = [] if known is None else reader.packets(settled=False)
            mine = [p for p in waiting if known is not None and fits(rules.policy, known, p)]
            return _given(mine[0]) if len(mine) == 1 else None
        newest = reader.packet(task.id, task.number)
        mine_to_give = newest is not None and newest.session == self._context.caller.session
        if newest is None or newest.state != OPEN or mine_to_give:
            newest = reader.packet(task.id, task.taken)
        return _given(newest)

    def _received(self, reader: Reader, packet: Packet, standing: Standing) -> Handed:
        own: list[str] = []
        rules = rules_in_force(reader)
        session = self._context.caller.session
        if session is not None:
            fold = rules.settings.workspace.fold_case
            worktree, held = self._context.caller.worktree, reader.leases(session)
            for path in standing.dirty:
                # What is held counts, also while it may not be written yet.
                normal = normalise_path(path, fold_case=fold)
                if writable(held, session, worktree, normal, reader.now):
                    own.append(path)
        return received(reader, self._grounds, rules, packet, standing.commit, own, session)

    # --- before something happens -----------------------------------------------------------------

    def offering(
        self, task: Task, content: Mapping[str, Any], watch: Watch, *, commands: bool = True
    ) -> tuple[dict[str, Any], Checked, Rules]:
        """Judge a packet; returns what it says with all that the gates add, and what they say.

        The gates add the digests of its artifacts, the receipts of the commands, the commit that
        the task began from, and what they mind.
        """
        with self._context.store.read() as reader:
            rules = rules_in_force(reader)
            at = watch.standing.commit
            handed = to_offer(reader, self._grounds, rules, task, content, self.again, at)
        checked = self._gating.check(
            PRE_HANDOFF,
            commands=commands,
            tell=self._tell,
            handed=handed,
            standing=watch.standing,
        )
        made = dict(content)
        if "artifacts" in made:
            made["artifacts"] = with_digests(made, handed, watch.standing.commit)
        metadata = {key: value for key, value in made["metadata"].items() if key != "findings"}
        if handed.base is not None:
            metadata.setdefault("base", handed.base)
        findings = _carried(checked)
        made["metadata"] = {**metadata, **({"findings": findings} if findings else {})}
        receipts = _receipts(checked, made.get("evidence", []))
        return {**made, **({"evidence": receipts} if receipts else {})}, checked, rules

    def accepting(self, packet: Packet, watch: Watch) -> tuple[Checked, Rules]:
        """Judge a packet that is to be accepted."""
        with self._context.store.read() as reader:
            rules = rules_in_force(reader)
            handed = self._received(reader, packet, watch.standing)
        checked = self._gating.check(
            POST_HANDOFF, tell=self._tell, handed=handed, standing=watch.standing
        )
        return checked, rules

    def close(self, name: str | None) -> Callable[[Reader, Rules, Session], Sequence[Event]] | None:
        """Judge a task that its own holder is about to close, as complete work.

        Returns what looks again within the transaction; None where somebody else decides: a person,
        or a coordinator about the work of others. Raises GateFailed, GateUnsure.
        """
        if self._context.caller.session is None:
            return None
        with self._context.store.read() as reader:
            rules = rules_in_force(reader)
            session = require_session(reader, self._context)
            held = [task for task in reader.tasks() if task.holder == session.id]
            mine = [task for task in held if name is None or task.id == name]
            if len(mine) != 1:
                return None
        watch = self.watch()
        with self._context.store.read() as reader:
            handed = to_offer(reader, self._grounds, rules, mine[0], None)
        checked = self._gating.check(
            PRE_HANDOFF, tell=self._tell, handed=handed, standing=watch.standing
        )
        again = f"handrail task close {mine[0].id}"
        self.refuse(checked, rules, mine[0].id, f"the end of task {mine[0].id}")
        return self.unmoved(looked(watch, checked, mine[0].id, again))

    def refuse(self, checked: Checked, rules: Rules, task: str, what: str) -> None:
        """Refuse what its gates do not let pass, and enter that; raises GateFailed, GateUnsure."""
        refusal = refused(checked, rules, what)
        if refusal is not None:
            enter(self._context, checked, task)
            raise refusal


def looked(watch: Watch, checked: Checked, task: str, again: str) -> Look:
    """Return what has to hold: deep where more was asked than what looks and is done at once."""
    long = any(_may_last(checked.stage, one) for one in checked.outcomes)
    return Look(watch, long, checked, task, again)


def _may_last(stage: str, outcome: Outcome) -> bool:
    """Tell whether a command ran or a plugin judged, whatever came of it.

    A preparation that failed leaves no receipt, and took its time all the same.
    """
    if outcome.reused or not outcome.applicable:
        return False
    again = stage == POST_HANDOFF and outcome.gate == EVIDENCE
    return again or all(gate.id != outcome.gate for gate in GATES)


def untrue(checked: Checked) -> tuple[Outcome, ...]:
    """Return what of the evidence came out otherwise when its commands ran again."""
    if checked.stage != POST_HANDOFF:
        return ()
    return tuple(
        one
        for one in checked.outcomes
        if one.gate.partition(":")[0] == EVIDENCE and one.verdict == FAIL and one.binds
    )


def refused(checked: Checked, rules: Rules, what: str) -> GateFailed | GateUnsure | None:
    """Return the refusal of what its gates do not let pass; None where they do."""
    if rules.settings.mode(checked.stage) != ENFORCE:
        return None
    for verdict, kind in ((FAIL, GateFailed), (CANNOT_TELL, GateUnsure)):
        bad = [one for one in checked.outcomes if one.binds and one.verdict == verdict]
        if not bad:
            continue
        steps = [
            *(row.next for one in bad for row in one.objections if row.next and not row.advice),
            *(one.next for one in bad if one.next),
        ]
        return kind(
            what=what,
            failed="A gate is" if len(bad) == 1 else f"{len(bad)} gates are",
            findings="; ".join(told(bad)),
            stage=checked.stage,
            gates=[_row(one) for one in bad],
            next=next(iter(steps), None),
        )
    return None


def told(outcomes: Sequence[Outcome]) -> list[str]:
    """Return what gates mind as words of a sentence, the first few of each."""
    rows = []
    for one in outcomes:
        if one.verdict == CANNOT_TELL:
            rows.append(f"{one.gate}: {one.reason}")
        binding = [row for row in one.objections if not row.advice]
        for row in binding[:FINDINGS_SHOWN_MAX]:
            path = "" if row.path is None else f"{row.path}: "
            rows.append(f"{one.gate}: {path}{row.message}"[:FINDING_CHARS_MAX])
        if len(binding) > FINDINGS_SHOWN_MAX:
            rows.append(f"{one.gate}: and {len(binding) - FINDINGS_SHOWN_MAX} more")
    more = len(rows) - 2 * FINDINGS_SHOWN_MAX
    return rows if more <= 0 else [*rows[: 2 * FINDINGS_SHOWN_MAX], f"and {more} more"]


def _row(outcome: Outcome) -> dict[str, object]:
    return {
        "gate": outcome.gate,
        "verdict": outcome.verdict,
        "reason": outcome.reason or None,
        "findings": [
            {"code": one.code, "message": one.message, "path": one.path, "next": one.next}
            for one in outcome.objections
            if not one.advice
        ],
    }


def _carried(checked: Checked) -> list[dict[str, Any]]:
    """Return what a packet carries of what its gates mind: all that does not refuse it."""
    rows: list[dict[str, Any]] = []
    for one in checked.outcomes:
        said = [(row.code, row.path, row.message) for row in one.objections]
        if one.verdict == CANNOT_TELL:
            said.append((CANNOT_TELL, None, one.reason))
        for code, path, message in said:
            row = {"gate": one.gate, "code": code, "message": message[:FINDING_CHARS_MAX]}
            rows.append(row if path is None else {**row, "path": path[:FINDING_CHARS_MAX]})
    return rows[:FINDINGS_CARRIED_MAX]


def _receipts(checked: Checked, named: Sequence[Any]) -> list[Any]:
    """Add the receipts of the command gates to the evidence that somebody named."""
    known = {one.get("receipt") for one in named if isinstance(one, dict)}
    made = [
        {"gate": one.gate, "receipt": one.receipt}
        for one in checked.outcomes
        if one.receipt is not None and one.receipt not in known
    ]
    # By these the receiver's re-run finds out what the gates saw: no long list pushes them out.
    return [*list(named)[: ITEMS_MAX - len(made)], *made]


def _given(packet: Packet | None) -> Packet | None:
    """Return a packet that somebody gave; the system's first one says nothing of any work."""
    return packet if packet is not None and packet.session else None


def _newest_token(reader: Reader, session: Session) -> int:
    return max((lease.token for lease in reader.leases(session.id)), default=0)


def declared(given: Mapping[str, Any], kind: str, standing: Standing) -> dict[str, Any]:
    """Say which commit the work stands at; work that is not complete declares what is dirty."""
    metadata = dict(given.get("metadata", {}))
    if standing.commit:
        metadata |= {"head": standing.commit, "tree": standing.tree}
    if kind != COMPLETE:
        known = list(metadata.get("worktree_allowlist_paths", ()))
        new = [path for path in standing.dirty if _sayable(path) and path not in known]
        if known or new:
            metadata["worktree_allowlist_paths"] = [*known, *new][:ITEMS_MAX]
            if metadata.get("worktree_mode") == CLEAN_REQUIRED:
                metadata["worktree_mode"] = KNOWN_DIRTY
    return {**given, "metadata": metadata}


def _sayable(path: str) -> bool:
    """Tell whether a packet can name a path; what it cannot, its findings tell."""
    return path.isprintable() and "\\" not in path and not path.endswith("/")

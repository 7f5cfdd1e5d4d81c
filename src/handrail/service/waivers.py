"""Waivers: recorded exceptions from gates, by whom, why, until when and how often.

Promises: a waiver is a person's, or a coordinator's where ``[handoff] waivers`` says so; a verdict
that rests on one names it; whether it still counts is read again in the transaction that counts the
use, so the last use is used once. Who only looks uses nothing. What hooks and the landing judge
anyway cannot be waived. Time is the store's.

    outcomes, used = waived(reader, "pre-handoff", "fix-login", outcomes)
    tx.commit([*changes, *counted(tx, used)], actor)
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail import errors
from handrail.config import Settings
from handrail.core.events import Event
from handrail.core.handed import WaiverAdded, WaiverRevoked, WaiverUsed
from handrail.core.lease import Actor
from handrail.core.record import Record
from handrail.core.task import Waiver
from handrail.errors.handoff import NotWaivable, UnknownGate, UnknownWaiver, WaiverSpent
from handrail.gates.gate import PASS, Outcome
from handrail.service.context import Context
from handrail.service.identity import UNATTRIBUTED, acting, actor_of, require_session
from handrail.service.lapses import task_named
from handrail.service.policy import Rules, rules_in_force
from handrail.service.sessions import OR_COORDINATOR, person_proof
from handrail.store.port import Reader, Tx
from handrail.text import format_duration, rfc3339, shell_quote
from handrail.typed import Final

LASTS_MAX_MS: Final = 366 * 86_400_000
USES_MAX: Final = 1_000
REASON_CHARS_MAX: Final = 1_000
PERSON: Final = "person"
COORDINATOR: Final = "coordinator"


class Waiving(Record):
    """A waiver as it is asked for; it ends after ``lasts_ms`` or at ``ends_at``, if at all."""

    gate: str
    reason: str
    task: str | None = None
    lasts_ms: int | None = None
    ends_at: int | None = None
    uses: int | None = None


class WaiverShown(Record):
    """A waiver, and whether it counts now."""

    waiver: Waiver
    counts: bool
    changed: bool = True


class Waivers:
    """The use cases of waiving."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def add(self, asked: Waiving) -> WaiverShown:
        """Let a gate not count; raises UnknownGate, NotWaivable, UnknownTask, NeedsPerson."""
        _check_reason(asked.reason, "add")
        command = _typed(asked)
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            _check_gate(rules.settings, asked)
            if asked.task is not None:
                task_named(tx, asked.task)
            actor, by, proof = self._who(tx, rules, command)
            ends_at = asked.ends_at if asked.lasts_ms is None else tx.now + asked.lasts_ms
            if ends_at is not None and not 0 < ends_at - tx.now <= LASTS_MAX_MS:
                reason = (
                    f"A waiver ends later than now, and within {format_duration(LASTS_MAX_MS)}."
                )
                raise errors.Usage(reason=reason, next="handrail waiver add --help")
            event = WaiverAdded(
                gate=asked.gate,
                for_task=asked.task,
                reason=asked.reason,
                by=by,
                proof=proof,
                ends_at=ends_at,
                uses=asked.uses,
            )
            entries = tx.commit([event], actor)
            return _shown(tx, _named(tx, entries[0].seq))

    def listed(self, *, everything: bool = False) -> list[WaiverShown]:
        """Return the waivers that count, or all of them."""
        with self._store.read() as reader:
            found = [_shown(reader, one) for one in reader.waivers(revoked=everything)]
        return [one for one in found if everything or one.counts]

    def revoke(self, seq: int, reason: str) -> WaiverShown:
        """Take a waiver back; one that was already stays as it is. Raises UnknownWaiver."""
        _check_reason(reason, "revoke")
        with self._store.transaction() as tx:
            waiver = _named(tx, seq)
            words = ("waiver", "revoke", str(seq), "--reason", reason)
            actor, _, proof = self._who(tx, rules_in_force(tx), words)
            if waiver.revoked:
                return _shown(tx, waiver)._replace(changed=False)
            tx.commit([WaiverRevoked(seq, reason, proof)], actor)
            return _shown(tx, _named(tx, seq))

    def _who(self, tx: Tx, rules: Rules, command: Sequence[str]) -> tuple[Actor, str, str]:
        """Return who decides, its name, and what shows that; raises NeedsPerson."""
        coordinators = rules.settings.handoff.waivers == COORDINATOR
        if coordinators and self._context.caller.session is not None:
            session = require_session(tx, self._context)
            role = rules.policy.roles.get(session.role or "")
            if role is not None and role.coordinates:
                return actor_of(session), session.agent, COORDINATOR
        or_else = OR_COORDINATOR if coordinators else ""
        proof = person_proof(self._context.caller, "waiving a gate", command, or_else)
        return UNATTRIBUTED, PERSON, proof


def seen(
    context: Context, stage: str, outcomes: Sequence[Outcome], task: str | None
) -> tuple[tuple[Outcome, ...], tuple[WaiverUsed, ...]]:
    """Say of the outcomes which waiver each uses: nothing is counted before ``counted``.

    Without a ``task`` it is that which the asking session acts for.
    """
    if all(not one.binds or one.verdict == PASS for one in outcomes):
        return tuple(outcomes), ()
    with context.store.read() as reader:
        if task is None:
            session = acting(reader, context).session
            tasks = [one.id for one in reader.tasks() if session and one.holder == session]
            task = tasks[0] if len(tasks) == 1 else None
        return waived(reader, stage, task, outcomes)


def waived(
    reader: Reader, stage: str, task: str | None, outcomes: Sequence[Outcome]
) -> tuple[tuple[Outcome, ...], tuple[WaiverUsed, ...]]:
    """Let waivers answer for what binds and does not pass; returns the uses to be counted."""
    if all(not one.binds or one.verdict == PASS for one in outcomes):
        return tuple(outcomes), ()
    there = [one for one in reader.waivers() if one.counts(reader.now)]
    there = [one for one in there if one.for_task in (None, task)]
    # The narrowest first, and one that is not used up before one that is.
    there.sort(key=lambda one: (one.for_task is None, one.uses is not None, one.seq))
    told: list[Outcome] = []
    used: list[WaiverUsed] = []
    for outcome in outcomes:
        minds = outcome.binds and outcome.verdict != PASS and is_waivable(outcome.gate)
        fitting = [one.seq for one in there if minds and one.gate == outcome.gate]
        used += [WaiverUsed(seq, outcome.gate, stage, task) for seq in fitting[:1]]
        told.append(outcome._replace(waiver=fitting[0]) if fitting else outcome)
    return tuple(told), tuple(used)


def counted(tx: Reader, used: Sequence[WaiverUsed]) -> list[Event]:
    """Return the uses as events of the transaction that the verdict is for.

    Raises WaiverSpent where one of them counts no longer.
    """
    there = {one.seq: one for one in tx.waivers(revoked=True)}
    for seq in dict.fromkeys(one.waiver for one in used):
        waiver = there[seq]
        uses = [one for one in used if one.waiver == seq]
        spent = waiver.uses is not None and waiver.used + len(uses) > waiver.uses
        if spent or not waiver.counts(tx.now):
            reason = "it was revoked" if waiver.revoked else "its time is over"
            reason = "it was used as often as it may be" if spent else reason
            raise WaiverSpent(waiver=seq, gate=waiver.gate, reason=reason)
    return list(used)


def is_waivable(gate: str) -> bool:
    """Tell whether an exception from a gate means anything."""
    from handrail.gates.registry import GATES

    return all(one.switchable for one in GATES if one.id == gate)


def _check_gate(settings: Settings, asked: Waiving) -> None:
    from handrail.config.vocabulary import BUILTIN_GATES
    from handrail.core.nearest import nearest
    from handrail.gates.registry import GATES

    known = dict.fromkeys(
        (*(one.id for one in GATES), *(one.id for one in settings.gates), *BUILTIN_GATES)
    )
    if asked.gate not in known:
        close = nearest(asked.gate, known)
        meant = _typed(asked._replace(gate=close or asked.gate))
        raise UnknownGate(
            gate=asked.gate, nearest=close, next=f"handrail {' '.join(map(shell_quote, meant))}"
        )
    if not is_waivable(asked.gate):
        raise NotWaivable(gate=asked.gate)


def _check_reason(reason: str, command: str) -> None:
    if not 0 < len(reason.strip()) <= REASON_CHARS_MAX or not reason.isprintable():
        why = f"Say why with --reason: one printable line, {REASON_CHARS_MAX} characters at most."
        raise errors.Usage(reason=why, next=f"handrail waiver {command} --help")


def _typed(asked: Waiving) -> tuple[str, ...]:
    """Return the command that a person would type."""
    words = ["waiver", "add", asked.gate, "--reason", asked.reason]
    if asked.task is not None:
        words += ["--task", asked.task]
    if asked.lasts_ms is not None:
        words += ["--until", format_duration(asked.lasts_ms)]
    elif asked.ends_at is not None:
        words += ["--until", rfc3339(asked.ends_at)]
    if asked.uses is not None:
        words += ["--uses", str(asked.uses)]
    return tuple(words)


def _named(reader: Reader, seq: int) -> Waiver:
    found = next((one for one in reader.waivers(revoked=True) if one.seq == seq), None)
    if found is None:
        raise UnknownWaiver(waiver=seq)
    return found


def _shown(reader: Reader, waiver: Waiver) -> WaiverShown:
    return WaiverShown(waiver, waiver.counts(reader.now))

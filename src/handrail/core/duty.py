"""What a session's task lets it do: the sandbox of its phase, the packet it must have, its scope.

Promises: a session in a read-only phase may hold only what that phase and its role may write, and
the evidence folder of its task; where a packet is required, a session that acts for no task, or
whose task has gone on, may hold nothing. ``leaving`` ends what somebody would still hold against
that, in the transaction that makes it so, so that whatever is held may be written: the guard needs
to look up nothing more. A configuration without phases and requirements binds nobody.

Not promised: that a phase of a configuration which is gone binds anybody.

    duty = duty_of(policy, session, tx.tasks(), offered)   # None: nothing binds it
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from handrail import errors
from handrail.core.decide.parts import within
from handrail.core.record import Record
from handrail.core.role import READ_ONLY
from handrail.core.scope import Pattern, matches, stored_pattern, uncovered
from handrail.core.task import OPEN, Packet, Task
from handrail.core.trigger import ROUNDS_MAX
from handrail.errors import handoff as refusals
from handrail.text import shell_quote
from handrail.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from handrail.core.decide.view import Claim, Policy
    from handrail.core.lease import Session

TEXTS_SHOWN_MAX: Final = 8


class Step(Record):
    """A phase as the rules want it: parsed."""

    name: str
    role: str
    read_only: bool
    may_write: tuple[Pattern, ...]


class Duty(Record):
    """What binds one session; what is None binds it not.

    ``allowed`` is all that it may hold and write in read-only ``phase`` of ``task``. ``scope`` is
    what packet ``number`` of task ``taken``, given by role ``giver``, lets it claim. ``refusal``
    says why it may write nothing at all.
    """

    session: str
    role: str | None = None
    task: str | None = None
    phase: str | None = None
    allowed: tuple[Pattern, ...] | None = None
    taken: str | None = None
    number: int = 0
    giver: str | None = None
    scope: tuple[Pattern, ...] | None = None
    refusal: errors.Refused | None = None


class Cage(Record):
    """The read-only phase of a task that a session is in, and all that it may write there."""

    task: Task
    step: Step
    allowed: tuple[Pattern, ...]


def evidence_of(policy: Policy, task: str) -> Pattern:
    """Return the evidence folder of a task as a pattern."""
    return stored_pattern(f"{policy.evidence}/{task}")


def held_by(session: str, tasks: Iterable[Task]) -> list[Task]:
    """Return the open tasks that a session acts for, or has just offered."""
    return [task for task in tasks if task.state == OPEN and task.holder == session]


def cage_of(policy: Policy, session: str, role: str | None, tasks: Iterable[Task]) -> Cage | None:
    """Return the read-only phase that a session is in; of several tasks one is named, all count."""
    found: list[Cage] = []
    for task in held_by(session, tasks):
        step = step_of(policy, task.phase)
        allowed = sandboxed(policy, role, task.id, task.phase)
        if step is not None and allowed is not None:
            found.append(Cage(task, step, allowed))
    if not found:
        return None
    every = dict.fromkeys(pattern for cage in found for pattern in cage.allowed)
    return found[0]._replace(allowed=tuple(every))


def step_of(policy: Policy, phase: str | None) -> Step | None:
    """Return a phase of the configuration by its name."""
    return next((step for step in policy.phases if step.name == phase), None)


def sandboxed(
    policy: Policy, role: str | None, task: str, phase: str | None
) -> tuple[Pattern, ...] | None:
    """Return all that a role may hold in a phase of a task; None where its lane alone counts."""
    step = step_of(policy, phase)
    if step is None or not step.read_only:
        return None
    own = policy.roles.get(role or "")
    extra = () if own is None else tuple(stored_pattern(text) for text in own.may_write)
    return tuple(dict.fromkeys((*step.may_write, evidence_of(policy, task), *extra)))


def lane_of(policy: Policy, role: str | None) -> tuple[Pattern, ...] | None:
    """Return what a role may hold; None where there are no roles, and so no bounds."""
    return (*policy.lanes.get(role or "", ()), *policy.commons) if policy.roles else None


def entitled(policy: Policy, session: str, tasks: Iterable[Task], offered: Container[str]) -> bool:
    """Tell whether a session acts for a task by a packet that was accepted.

    ``offered`` are the tasks whose newest packet waits for an answer: they are on their way.
    """
    return any(
        task.taken and task.id not in offered and not task.stopped(policy.halt_after)
        for task in held_by(session, tasks)
    )


# --- what binds a session now --------------------------------------------------------------------


def duty_of(
    policy: Policy, session: Session, tasks: Sequence[Task], taken: Packet | None = None
) -> Duty | None:
    """Return the sandbox and the scope that bind a session; None if neither does.

    ``taken`` is the packet by which it acts, where ``widen`` is ``handoff``. It does not bind a
    role that writes nothing but ``may_write``: what such a one is handed waits for somebody else.
    """
    cage = cage_of(policy, session.id, session.role, tasks)
    duty = Duty(session.id, session.role)
    if cage is not None:
        duty = duty._replace(
            task=cage.task.id,
            phase=cage.step.name,
            allowed=cage.allowed,
        )
    own = policy.roles.get(session.role or "")
    reads = own is not None and own.sandbox == READ_ONLY
    if policy.narrow and not reads and taken is not None and taken.patterns:
        scope = tuple(stored_pattern(text) for text in taken.patterns)
        duty = duty._replace(
            taken=taken.task,
            number=taken.number,
            giver=taken.from_role,
            scope=(*scope, evidence_of(policy, taken.task)),
        )
    return None if duty.allowed is None and duty.scope is None else duty


def may_not_write(
    policy: Policy,
    session: Session,
    tasks: Sequence[Task],
    packets: Sequence[Packet],
    now: int,
) -> errors.Refused:
    """Say why a session that is not entitled may write nothing, and what leads on.

    ``tasks`` and ``packets`` are all there are, closed and settled ones too.
    """
    open_ = [task for task in tasks if task.state == OPEN]
    live = {task.id for task in open_}
    waiting = [p for p in packets if p.state == OPEN and p.task in live and now < p.lapses_at]
    for packet in waiting:
        if packet.session != session.id and is_for(policy, session, packet.to_role):
            reason = (
                f"packet {packet.number} of task {packet.task} waits for session {session.id},"
                " which has not accepted it"
            )
            step = f"handrail handoff accept {packet.task}"
            return refusals.NoHandoff(reason=reason, task=packet.task, next=step)
    own = held_by(session.id, open_)
    for task in own:
        if task.stopped(policy.halt_after):
            return why_stopped(task, policy.halt_after)
    for packet in waiting:
        if packet.session == session.id:
            holder = f"its next receiver (packet {packet.number} waits for {_whom(packet)})"
            step = f"handrail handoff withdraw {packet.task}"
            return refusals.HandedOff(
                task=packet.task, session=session.id, holder=holder, next=step
            )
    fresh = _fresh_task(policy, session, tasks)
    gone = {packet.task for packet in packets if session.id in (packet.session, packet.by)}
    for task in open_:
        if task.id in gone and task.holder not in (None, session.id):
            holder = f"session {task.holder} (role {task.role or '-'})"
            return refusals.HandedOff(task=task.id, session=session.id, holder=holder, next=fresh)
    for packet in waiting:
        return not_yours(packet, session, f"for {_whom(packet)}", _as_receiver(policy, packet))
    reason = f"session {session.id} acts for no task"
    return refusals.NoHandoff(reason=reason, task=None, next=fresh)


def why_stopped(task: Task, halt_after: int) -> errors.Refused:
    """Return the refusal of a task that waits for a person."""
    if task.loops is not None:
        return refusals.TriggerLoop(task=task.id, trigger=task.loops, rounds=ROUNDS_MAX)
    if task.halted(halt_after):
        return refusals.Halted(task=task.id, failed=task.failed)
    times = dict(task.revises).get(task.waits_at or "", 0)
    return refusals.ReviseLimit(checkpoint=task.waits_at, task=task.id, times=times)


def not_yours(
    packet: Packet, session: Session, whose: str, next: str | None = None
) -> refusals.NotYourHandoff:
    """Return the refusal of a packet that is another's; ``whose`` says of whom."""
    return refusals.NotYourHandoff(
        task=packet.task,
        number=packet.number,
        whose=whose,
        to_role=packet.to_role,
        session=session.id,
        role=session.role,
        next=next,
    )


def _whom(packet: Packet) -> str:
    return "anybody" if packet.to_role is None else f"role {packet.to_role}"


def acts_as(policy: Policy, role: str | None, wanted: str | None) -> bool:
    """Tell whether a role has a name, or is of a family of that name; none is like none."""
    known = policy.roles.get(role or "")
    return wanted == role or (known is not None and known.family == wanted)


def is_for(policy: Policy, session: Session, to_role: str | None) -> bool:
    """Tell whether what is for a role, a family or (None) anybody is for a session."""
    return to_role is None or acts_as(policy, session.role, to_role)


def role_by(policy: Policy, session: Session, packet: Packet, *, sent: bool) -> str | None:
    """Return the role that a session takes by accepting a packet; None where it keeps its own.

    One that has no role yet takes the packet's, and so does one whose work a trigger ``sent`` off
    with that packet: it goes on in the same thread. A family of several roles gives none.
    """
    if is_for(policy, session, packet.to_role) or not (sent or session.role is None):
        return None
    return only_role(policy, packet.to_role)


def only_role(policy: Policy, name: str | None) -> str | None:
    """Return the role of a name, or the only one of a family of that name."""
    names = [r.name for r in policy.roles.values() if name in (r.name, r.family)]
    return name if name in policy.roles else names[0] if len(names) == 1 else None


def _as_receiver(policy: Policy, packet: Packet) -> str | None:
    """Return the command by which a session of the right role begins and accepts."""
    names = [r.name for r in policy.roles.values() if packet.to_role in (r.name, r.family)]
    if not names:
        return None
    begin = f'eval "$(handrail session start --role {shell_quote(names[0])})"'
    return f"{begin} && handrail handoff accept {packet.task}"


def _fresh_task(policy: Policy, session: Session, tasks: Sequence[Task]) -> str:
    """Return the command that opens a task, and accepts it where its first packet is for us."""
    known = {task.id for task in tasks}
    number = next(n for n in range(1, len(known) + 2) if f"task-{n}" not in known)
    step = f"handrail task new task-{number}"
    if policy.phases:
        mine = acts_as(policy, session.role, policy.phases[0].role)
    else:
        mine = True
        step += "" if session.role is None else f" --to {shell_quote(session.role)}"
    return f"{step} && handrail handoff accept task-{number}" if mine else step


# --- holding the rules to it ---------------------------------------------------------------------


def check_write(duty: Duty, path: str, asked: Sequence[str] = ()) -> None:
    """Refuse a path that may not be written, whatever is held; raises SandboxReadOnly and more."""
    if duty.refusal is not None:
        raise duty.refusal
    if duty.allowed is not None and not any(matches(pattern, path) for pattern in duty.allowed):
        raise _read_only(duty, path, path, asked or (path,))


def check_claim(duty: Duty, claim: Claim) -> None:
    """Refuse a claim that reaches beyond the sandbox, or of somebody who may write nothing."""
    if duty.refusal is not None:
        raise duty.refusal
    for pattern in claim.patterns if duty.allowed is not None else ():
        assert duty.allowed is not None
        witness = _beyond(claim, pattern, duty.allowed)
        if witness is not None:
            asked = tuple(one.text for one in claim.patterns)
            raise _read_only(duty, pattern.text, witness, asked)


def check_scope(duty: Duty, claim: Claim) -> None:
    """Refuse what a packet did not hand over, where that takes a handoff."""
    for pattern in claim.patterns if duty.scope is not None else ():
        assert duty.scope is not None
        witness = _beyond(claim, pattern, duty.scope)
        if witness is not None:
            asked = tuple(one.text for one in claim.patterns)
            to = "" if duty.giver is None else f" --to {shell_quote(duty.giver)}"
            needs = " ".join(asked)[:200]
            said = shell_quote(f"this work needs {needs}, which its packet did not hand over")
            raise refusals.ScopeNeedsHandoff(
                task=duty.taken,
                number=duty.number,
                scope=pattern.text,
                given=tuple(one.text for one in duty.scope[:TEXTS_SHOWN_MAX]),
                witness=witness,
                asked=asked,
                next=f"handrail handoff offer --task {duty.taken} --kind block{to} -m {said}",
            )


def _beyond(claim: Claim, pattern: Pattern, given: Sequence[Pattern]) -> str | None:
    """Return a path that a pattern means and others do not; None if there is none."""
    if pattern.text in claim.single and any(matches(own, pattern.text) for own in given):
        return None
    return uncovered(pattern, given)


def _read_only(duty: Duty, scope: str, witness: str, asked: Sequence[str]) -> errors.Refused:
    assert duty.allowed is not None
    lane = tuple(pattern.text for pattern in duty.allowed)
    remedy = f"; it may write {', '.join(lane[:TEXTS_SHOWN_MAX])}"
    return errors.SandboxReadOnly(
        who=f"Session {duty.session}, in phase {duty.phase} of task {duty.task},",
        role=duty.role,
        session=duty.session,
        task=duty.task,
        phase=duty.phase,
        scope=scope,
        lane=lane,
        witness=witness,
        asked=tuple(asked),
        remedy=remedy,
        next=f"handrail task show {duty.task}",
    )


def overstays(allowed: Sequence[Pattern] | None, patterns: Iterable[Pattern]) -> bool:
    """Tell whether a lease reaches beyond what may be held."""
    return allowed is not None and not all(within(pattern, allowed) for pattern in patterns)

"""The rules for checkpoints: what a person's decision at the end of a phase does to a task.

Promises: a decision counts only for the phase that the task is in, and not while a packet leads it
elsewhere; to approve, what the phase has to leave must be there. The second revision of a
checkpoint is applied, and then nothing is handed over until a person decides there again. What
leads to the end closes the task; where the holder's role works in the next phase too, the task is
in it at once, else a packet has to lead there.

    decide_decision(desk, Decision("plan_check", "approve", "fine", "terminal"), now)
"""

from __future__ import annotations

from handrail.core.decide.desk import Decision, Desk, Settle
from handrail.core.decide.handoff import decide_close
from handrail.core.decide.leaving import leaving
from handrail.core.decide.phases import check_artifact, entered
from handrail.core.decide.view import Changes
from handrail.core.duty import acts_as
from handrail.core.handed import CheckpointDecided, TaskResumed
from handrail.core.task import CLOSED, DONE, HALT, OPEN
from handrail.core.workflow import APPROVE, DECISIONS, REVISE, Phase, leads_to
from handrail.errors import handoff as refusals

STOPPED = "stopped"


def decide_decision(desk: Desk, asked: Decision, settle: Settle, now: int) -> Changes:
    """Decide at the checkpoint of the task's phase; ``settle`` says how the task would be closed.

    Raises TaskOver, NoCheckpoint, WrongCheckpoint, PacketOpen, ArtifactMissing.
    """
    assert asked.decision in DECISIONS
    task = desk.task
    phase = _phase_of(desk, asked)
    checkpoint = phase.checkpoint
    assert checkpoint is not None
    target = leads_to(checkpoint, asked.decision)
    ends = target in (DONE, HALT)
    if desk.packet is not None and desk.packet.state == OPEN and not ends:
        raise refusals.PacketOpen(
            task=task.id, number=desk.packet.number, to_role=desk.packet.to_role or "anybody"
        )
    if asked.decision == APPROVE:
        check_artifact(desk, phase)
    times = dict(task.revises).get(checkpoint.name, 0)
    if asked.decision == REVISE and task.waits_at != checkpoint.name:
        times += 1  # else this is the person's answer to the last one
    decided = CheckpointDecided(
        task=task.id,
        checkpoint=checkpoint.name,
        phase=phase.name,
        decision=asked.decision,
        leads_to=target,
        times=times,
        reason=asked.reason,
        proof=asked.proof,
    )
    if ends:
        reason = STOPPED if target == HALT else asked.reason
        return [decided, *decide_close(desk, settle._replace(reason=reason, entitled=True), now)]
    return leaving(desk, [decided, *_goes_on(desk, desk.workflow.phase(target))])


def _phase_of(desk: Desk, asked: Decision) -> Phase:
    """Return the task's phase if it ends with the checkpoint in question."""
    task, phase = desk.task, desk.workflow.phase(desk.task.phase)
    if task.state == CLOSED:
        raise refusals.TaskOver(task=task.id)
    if phase is None or phase.checkpoint is None:
        reason = f"task {task.id} is in phase {task.phase or '-'}, which has no checkpoint"
        raise refusals.NoCheckpoint(reason=reason, task=task.id, phase=task.phase)
    if phase.checkpoint.name != asked.checkpoint:
        raise refusals.WrongCheckpoint(
            task=task.id,
            phase=phase.name,
            expected=phase.checkpoint.name,
            checkpoint=asked.checkpoint,
            decision=asked.decision,
        )
    return phase


def _goes_on(desk: Desk, phase: Phase | None) -> Changes:
    """Let the task be in its next phase at once where whoever acts for it works there as well."""
    task = desk.task
    if phase is None or task.holder is None or task.role not in desk.view.policy.roles:
        return []
    if not acts_as(desk.view.policy, task.role, phase.role):
        return []
    return entered(desk, phase, 0)


def decide_resume(desk: Desk, reason: str, proof: str) -> Changes:
    """Let a task go on that was halted or waits at a checkpoint; raises TaskOver, NotHalted."""
    task = desk.task
    if task.state == CLOSED:
        raise refusals.TaskOver(task=task.id)
    if not task.stopped(desk.halt_after):
        raise refusals.NotHalted(task=task.id)
    return [TaskResumed(task.id, reason, proof)]

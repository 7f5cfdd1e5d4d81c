"""``checkpoint approve``, ``revise``, ``stop``, ``list``."""

from __future__ import annotations

from handrail.core.task import DONE, HALT
from handrail.core.workflow import APPROVE, REVISE, STOP
from handrail.edge.cli.commands.triggers import decided
from handrail.edge.cli.invocation import Invocation
from handrail.edge.decided import follow_up
from handrail.edge.phases import phase_data, revised
from handrail.edge.render import table
from handrail.edge.reply import Data, Reply
from handrail.errors import AS_PERSON
from handrail.service.checkpoints import Checkpoints, Decided, Pending


def approve(invocation: Invocation) -> Reply:
    """Let a task go on."""
    return _decide(invocation, APPROVE)


def revise(invocation: Invocation) -> Reply:
    """Send the work of a phase back."""
    return _decide(invocation, REVISE)


def stop(invocation: Invocation) -> Reply:
    """End a task."""
    return _decide(invocation, STOP)


def _decide(invocation: Invocation, decision: str) -> Reply:
    done = Checkpoints(invocation.application.context).decide(
        invocation.text("checkpoint") or "",
        decision,
        invocation.text("task"),
        invocation.text("reason") or "not given",
    )
    task = done.task
    data: Data = {
        "task": task.id,
        "state": task.state,
        "checkpoint": done.checkpoint,
        "decision": done.decision,
        "leads_to": done.leads_to,
        **phase_data(task, done.pending),
    }
    text = f"{done.checkpoint} of task {task.id}: {decision}; {_outcome(done)}"
    notes = [f"revised: {revised(done.checkpoint, done.times)}"] if done.times else []
    notes += follow_up(invocation.application, done)
    if done.waits:
        notes.append(f"nothing goes on until a person says so: handrail task resume {task.id}")
    notes += decided(invocation, task)
    return Reply(data, text, tuple(notes))


def _outcome(done: Decided) -> str:
    if done.leads_to in (DONE, HALT):
        return "the task is completed" if done.leads_to == DONE else "the task is stopped"
    if done.entered:
        return f"the task is in phase {done.leads_to} now"
    return f"next is phase {done.leads_to}, by a packet for {done.next_role}"


def listed(invocation: Invocation) -> Reply:
    """List the checkpoints that wait."""
    found = Checkpoints(invocation.application.context).pending()
    rows = [
        (
            one.task.id,
            one.checkpoint,
            one.phase,
            "waits" if one.waits else _readiness(one),
            f"{one.times}/{one.limit}",
        )
        for one in found
    ]
    data: Data = {
        "checkpoints": [
            {
                "task": one.task.id,
                "checkpoint": one.checkpoint,
                "phase": one.phase,
                "artifact": one.artifact,
                "artifact_there": one.there,
                "revised": one.times,
                "revises_max": one.limit,
                "waits": one.waits,
                "decided_by": "person",
            }
            for one in found
        ]
    }
    if not rows:
        return Reply(data, "no checkpoint waits for a decision")
    text = table(("TASK", "CHECKPOINT", "PHASE", "STATE", "REVISED"), rows)
    how = f"a person decides: {AS_PERSON}handrail checkpoint approve|revise|stop NAME --task TASK"
    return Reply(data, text, (how,))


def _readiness(one: Pending) -> str:
    if one.artifact is None or one.there:
        return "ready"
    return f"no {one.artifact}"

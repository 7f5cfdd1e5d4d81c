"""Decisions at checkpoints: a person says whether a task goes on, once more, or not at all.

Promises: nobody decides but a person, and the entry says what showed that; one decision is one
transaction. What may be decided is the rule of ``core.decide.checkpoint``.

    Checkpoints(context).decide("plan_check", "approve", "fix-login", "fine")
"""

from __future__ import annotations

from handrail.core.decide.checkpoint import decide_decision
from handrail.core.decide.desk import Decision
from handrail.core.handing import REVISES_MAX
from handrail.core.lease import Session
from handrail.core.record import Record
from handrail.core.task import Task
from handrail.core.workflow import leads_to
from handrail.errors.handoff import NoCheckpoint, UnknownCheckpoint
from handrail.service.context import Context
from handrail.service.identity import UNATTRIBUTED
from handrail.service.lapses import desk_of, record_due, settle_of, task_named
from handrail.service.phases import pending, with_artifact, workflow_of
from handrail.service.policy import Rules, rules_in_force
from handrail.service.sessions import person_proof
from handrail.service.tasks import the_one
from handrail.store.port import Reader


class Pending(Record):
    """A checkpoint at which a person has to decide; ``artifact`` is the path of what is looked at.

    ``there`` tells whether that file lies in this working tree; ``times`` how often the checkpoint
    was revised of ``limit``; ``waits`` that nothing goes on until a person has said so.
    """

    task: Task
    checkpoint: str
    phase: str
    artifact: str | None
    there: bool
    times: int
    limit: int
    waits: bool


class Decided(Record):
    """What a decision led to: the task as it stands now, and how often it was revised by now."""

    task: Task
    checkpoint: str
    decision: str
    leads_to: str
    entered: bool
    waits: bool
    times: int
    limit: int
    next_role: str | None
    pending: str | None


class Checkpoints:
    """The use cases around checkpoints."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def pending(self) -> list[Pending]:
        """Return the checkpoints of open tasks that wait for a person."""
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            found = [self._pending(rules, task) for task in reader.tasks()]
        return [one for one in found if one is not None]

    def _pending(self, rules: Rules, task: Task) -> Pending | None:
        flow = workflow_of(rules)
        name = pending(flow, task)
        if name is None:
            return None
        phase = flow.checkpoint(name)
        artifact = None if phase is None else phase.artifact
        path = None if artifact is None else flow.artifact_path(task.id, artifact)
        return Pending(
            task=task,
            checkpoint=name,
            phase=task.phase or "",
            artifact=path,
            there=path is not None and self._context.outside.digest(path) is not None,
            times=dict(task.revises).get(name, 0),
            limit=REVISES_MAX,
            waits=task.waits_at is not None,
        )

    def decide(
        self, checkpoint: str, decision: str, task: str | None = None, reason: str = "not given"
    ) -> Decided:
        """Approve, revise or stop at the checkpoint of a task's phase.

        Raises NeedsPerson, UnknownCheckpoint, UnknownTask and the refusals of ``decide_decision``.
        """
        words = ["checkpoint", decision, checkpoint]
        words += ["--task", task] if task is not None else []
        proof = person_proof(self._context.caller, "deciding at a checkpoint", words)
        record_due(self._context)
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            self._check_known(rules, checkpoint)
            found = self._meant(tx, rules, checkpoint) if task is None else task_named(tx, task)
            desk = desk_of(tx, rules, found, _holder(tx, found))
            desk = with_artifact(self._context, desk)
            asked = Decision(checkpoint, decision, reason, proof)
            settle = settle_of(self._context, rules, desk, None, reason)
            tx.commit(decide_decision(desk, asked, settle, tx.now), UNATTRIBUTED)
            return _decided(rules, task_named(tx, found.id), asked)

    def _check_known(self, rules: Rules, checkpoint: str) -> None:
        names = workflow_of(rules).checkpoints
        if checkpoint not in names:
            from handrail.core.nearest import nearest

            raise UnknownCheckpoint(checkpoint=checkpoint, nearest=nearest(checkpoint, names))

    def _meant(self, reader: Reader, rules: Rules, checkpoint: str) -> Task:
        """Return the only task whose phase ends with a checkpoint."""
        phase = workflow_of(rules).checkpoint(checkpoint)
        assert phase is not None
        tasks = [task for task in reader.tasks() if task.phase == phase.name]
        if not tasks:
            reason = f"no task is in phase {phase.name}, which ends with {checkpoint}"
            raise NoCheckpoint(reason=reason)
        return the_one(tasks, f"At {checkpoint} are", f"checkpoint approve {checkpoint} --task")


def _holder(reader: Reader, task: Task) -> Session | None:
    session = reader.session(task.holder or "")
    return session if session is not None and session.live else None


def _decided(rules: Rules, after: Task, asked: Decision) -> Decided:
    flow = workflow_of(rules)
    here = flow.checkpoint(asked.checkpoint)
    assert here is not None
    assert here.checkpoint is not None
    target = leads_to(here.checkpoint, asked.decision)
    phase = flow.phase(target)
    return Decided(
        task=after,
        checkpoint=asked.checkpoint,
        decision=asked.decision,
        leads_to=target,
        entered=phase is not None and after.next_phase is None,
        waits=after.waits_at is not None,
        times=dict(after.revises).get(asked.checkpoint, 0),
        limit=REVISES_MAX,
        next_role=None if phase is None else phase.role,
        pending=pending(flow, after),
    )

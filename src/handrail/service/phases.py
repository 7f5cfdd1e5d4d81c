"""The phases of a task as the use cases need them: where a packet leads, and what it finds.

Promise: what a packet says of phases is read from the ledger, never from a file; without phases in
the configuration nothing here is asked or read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from handrail import errors
from handrail.core.decide import View
from handrail.core.decide.desk import Desk
from handrail.core.decide.phases import leads_by_itself, meets
from handrail.core.lease import Session
from handrail.core.task import BLOCK, OPEN, RETURN, Packet, Task
from handrail.core.workflow import Workflow
from handrail.errors.handoff import UnknownPhase
from handrail.service.context import Context
from handrail.service.packet_text import packet_text
from handrail.service.policy import Rules
from handrail.store.port import Reader
from handrail.typed import Any


def workflow_of(rules: Rules) -> Workflow:
    """Return the phases of the configuration in force."""
    return Workflow(rules.settings.phases, rules.settings.workspace.evidence)


def phase_named(reader: Reader, packet: Packet | None, field: str) -> str | None:
    """Return what a packet says of a phase, by the field of its metadata."""
    if packet is None:
        return None
    content: dict[str, Any] = json.loads(packet_text(reader, packet))
    name = content.get("metadata", {}).get(field)
    return name if isinstance(name, str) else None


def entering(reader: Reader, rules: Rules, packet: Packet | None) -> str | None:
    """Return the phase into which an open packet leads; None where there is none."""
    if not rules.settings.phases or packet is None or packet.state != OPEN:
        return None
    return phase_named(reader, packet, "next_phase")


def with_artifact(context: Context, desk: Desk) -> Desk:
    """Return the desk with the digest of what the task's phase has to leave, as it lies here."""
    phase = desk.workflow.phase(desk.task.phase)
    if phase is None or phase.artifact is None:
        return desk
    path = desk.workflow.artifact_path(desk.task.id, phase.artifact)
    return desk._replace(artifact=context.outside.digest(path))


def addressed(
    reader: Reader,
    rules: Rules,
    task: Task,
    session: Session,
    kind: str,
    asked: tuple[str | None, str | None],
    given: Mapping[str, Any],
) -> tuple[str | None, str | None]:
    """Return for whom a packet is, and the phase it leads to.

    ``asked`` are role and phase as they were asked for, ``given`` is the draft; what neither says
    follows from the task. Raises UnknownPhase, and Usage where it cannot be told for whom.
    """
    to_role = asked[0] if asked[0] is not None else given.get("to_role")
    phase = asked[1] or given.get("metadata", {}).get("next_phase")
    if rules.settings.phases:
        to_role, phase = _routed(reader, rules, task, kind, to_role, phase)
    if to_role is None and "to_role" not in given:
        to_role = _receiver(reader, rules, task, session, kind)
    return to_role, phase


def _routed(
    reader: Reader, rules: Rules, task: Task, kind: str, to_role: str | None, named: str | None
) -> tuple[str | None, str | None]:
    """Follow the phases; a role that nobody can tell by them is None still."""
    flow, policy = workflow_of(rules), rules.policy
    taken = reader.packet(task.id, task.taken)
    phase = flow.phase(named)
    if named is not None and phase is None:
        from handrail.core.nearest import nearest

        close = nearest(named, [one.name for one in flow.phases])
        raise UnknownPhase(phase=named, nearest=close, task=task.id)
    if named is None:
        desk = Desk(View(reader.epoch, policy=policy), task, workflow=flow)
        returned = phase_named(reader, taken, "phase") if kind == RETURN else None
        phase = leads_by_itself(desk, kind, to_role, returned)
    if phase is None or to_role is not None:
        return to_role, None if phase is None else phase.name
    giver = None if taken is None else taken.from_role
    if kind == RETURN and giver is not None and meets(policy, giver, phase.role):
        return giver, phase.name
    stays = kind == BLOCK and phase.name == task.phase
    return (None if stays else phase.role), phase.name


def _receiver(reader: Reader, rules: Rules, task: Task, session: Session, kind: str) -> str | None:
    """Find whom a packet is for where nobody says: back to its giver, or the only other role."""
    roles = rules.settings.roles
    taken = reader.packet(task.id, task.taken)
    if kind == RETURN and taken is not None and taken.session:
        return taken.from_role
    rest = [role.name for role in roles if role.name != session.role]
    if len(rest) == 1:
        return rest[0]
    if not rest:
        return session.role if roles else None
    again = f"{offering(task)} --to {rest[0]}"
    raise errors.Usage(reason=f"To whom: {', '.join(rest)}?", next=again)


def offering(task: Task) -> str:
    """Return the command that offers a task; one that is opened with it cannot be named yet."""
    named = f" --task {task.id}" if task.number else ""
    return f"handrail handoff offer{named}"


def check_first(rules: Rules, task: str, to_role: str | None) -> str | None:
    """Return whom the first packet of a task is for; raises WrongPhase where that is not its phase's."""  # noqa: E501
    first = workflow_of(rules).first
    if first is None or to_role is None:
        return to_role if first is None else first.role
    if not meets(rules.policy, to_role, first.role):
        from handrail.errors.handoff import WrongPhase

        raise WrongPhase(
            kind="complete",
            to_role=to_role,
            task=task,
            phase=None,
            next_phase=first.name,
            reason=f"that phase is for role {first.role}",
            next=f"handrail task new {task} --to {first.role}",
        )
    return to_role


def artifact_of(flow: Workflow, task: Task) -> str | None:
    """Return the file that a phase still has to leave; None where it leaves none."""
    phase = flow.phase(task.phase) if task.state == OPEN else None
    if phase is None or phase.artifact is None or task.next_phase is not None:
        return None
    return flow.artifact_path(task.id, phase.artifact)


def pending(flow: Workflow, task: Task) -> str | None:
    """Return the checkpoint that waits for a person: undecided, or revised as often as may be."""
    if task.state != OPEN:
        return None
    phase = flow.phase(task.phase)
    if task.waits_at is not None:
        return None if task.loops is not None else task.waits_at
    if phase is None or phase.checkpoint is None or task.next_phase is not None:
        return None
    return phase.checkpoint.name

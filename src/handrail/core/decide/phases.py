"""The rules for phases: where a packet leads, and what it finds when it leaves one.

Promises: without a workflow nothing here refuses or writes anything; a packet never leads past a
checkpoint that nobody has decided; one that leads on from a phase finds the phase's artifact there.
What may be held in a phase is said by ``core.duty`` and ``core.decide.leaving``.

    phase = next_phase(desk, Offer(session, patterns, draft, ttl_ms))   # raises CheckpointPending
"""

from __future__ import annotations

from collections.abc import Mapping

from handrail.core.decide.desk import Desk, Offer
from handrail.core.decide.view import Changes, Policy
from handrail.core.handed import PhaseEntered
from handrail.core.packet import draft
from handrail.core.task import BLOCK, COMPLETE, RETURN
from handrail.core.workflow import Phase
from handrail.errors import AS_PERSON
from handrail.errors import handoff as refusals
from handrail.text import add_step
from handrail.typed import Any

# --- who fits ------------------------------------------------------------------------------------


def meets(policy: Policy, to_role: str | None, wanted: str) -> bool:
    """Tell whether every session that a packet may be for fits a phase's role or family."""
    if to_role == wanted:
        return True
    roles = [
        role for name, role in policy.roles.items() if to_role in (name, role.family) and to_role
    ]
    return bool(roles) and all(wanted in (role.name, role.family) for role in roles)


# --- where a packet leads ------------------------------------------------------------------------


def leads_by_itself(
    desk: Desk, kind: str, to_role: str | None, returned: str | None
) -> Phase | None:
    """Return the phase that a packet leads to where its giver says none; None if none fits.

    A decision comes first. Finished work goes on in the file's order, what is sent back to the
    phase that it came from (``returned``), and what cannot go on back to whoever is asked.
    """
    flow, here = desk.workflow, desk.task.phase

    def fits(phase: Phase) -> bool:
        return to_role is None or meets(desk.view.policy, to_role, phase.role)

    decided = flow.phase(desk.task.next_phase)
    if kind == BLOCK:
        return (
            flow.phase(here) if to_role is None else flow.precedes(here, fits) or flow.phase(here)
        )
    if decided is not None:
        return decided
    if kind == RETURN:
        return flow.phase(returned) or flow.precedes(here, fits)
    return flow.follows(here, fits)


def next_phase(desk: Desk, offer: Offer) -> Phase | None:
    """Return the phase that an offer leads to; None where there is no workflow.

    Raises NoNextPhase, UnknownPhase, CheckpointPending, ArtifactMissing, WrongPhase.
    """
    flow, task = desk.workflow, desk.task
    if flow.first is None:
        return None
    kind = offer.draft.get("kind", COMPLETE)
    to_role, name = offer.draft.get("to_role"), offer.draft.get("metadata", {}).get("next_phase")
    if kind == COMPLETE:
        _check_done(desk)
    if name is None:
        later = flow.follows(task.phase, lambda phase: True)
        step = f"handrail task close {task.id}"  # after the last phase there is nothing to do
        if later is not None:
            step = f"handrail handoff offer --task {task.id} --next-phase {later.name}"
        raise refusals.NoNextPhase(task=task.id, phase=task.phase, next=step)
    phase = flow.phase(name)
    if phase is None:
        raise refusals.UnknownPhase(phase=name, nearest=flow.first.name, task=task.id)
    decided = flow.phase(task.next_phase)
    reason, expected = None, name
    stays = kind == BLOCK and name == task.phase
    if not stays and not meets(desk.view.policy, to_role, phase.role):
        reason = f"that phase is for role {phase.role}"
        expected = f"{name} --to {phase.role}"
    elif decided is not None and kind == COMPLETE and decided != phase:
        reason, expected = f"the decision led to {decided.name}", decided.name
    elif kind != COMPLETE and _leads_on(desk, phase):
        reason, expected = "only finished work leads on", f"{name} --kind {COMPLETE}"
    elif decided != phase and (passed := flow.passed(task.phase, name)) is not None:
        assert passed.checkpoint is not None
        reason = f"phase {passed.name} has the checkpoint {passed.checkpoint.name}"
        expected = passed.name
    elif decided != phase and (skipped := flow.skipped(task.phase, name)) is not None:
        reason = f"phase {skipped.name} comes first, which leaves {skipped.artifact}"
        expected = f"{skipped.name} --to {skipped.role}"
    if reason is not None:
        raise refusals.WrongPhase(
            kind=kind,
            to_role=to_role,
            task=task.id,
            phase=task.phase,
            next_phase=name,
            reason=reason,
            expected=expected.split(),
        )
    return phase


def _leads_on(desk: Desk, phase: Phase) -> bool:
    """Tell whether a phase lies ahead, where no decision but an approval sends unfinished work.

    Gates bind finished work; the name of another kind would go around them.
    """
    flow, task = desk.workflow, desk.task
    here = flow.phase(task.phase)
    if here is None or flow.place(here.name) >= flow.place(phase.name):
        return False
    approved = here.checkpoint is not None and here.checkpoint.approve == phase.name
    return approved or task.next_phase != phase.name


def _check_done(desk: Desk) -> None:
    """Refuse finished work from a phase that is not: undecided, or without what it has to leave."""
    phase = desk.workflow.phase(desk.task.phase)
    if phase is None:
        return
    decided = desk.workflow.phase(desk.task.next_phase)
    if phase.checkpoint is not None and decided is None:
        raise refusals.CheckpointPending(
            phase=phase.name, task=desk.task.id, checkpoint=phase.checkpoint.name
        )
    # What was sent back for another try need not be there yet.
    if phase.checkpoint is None or desk.task.next_phase == phase.checkpoint.approve:
        check_artifact(desk, phase)


def check_close(desk: Desk) -> None:
    """Refuse to call a task done, whose phases still have a checkpoint before them."""
    passed = desk.workflow.passed(desk.task.phase, None)
    if desk.task.phase is not None and passed is not None and passed.checkpoint is not None:
        raise refusals.CheckpointPending(
            phase=passed.name,
            task=desk.task.id,
            checkpoint=passed.checkpoint.name,
            next=f"{AS_PERSON}handrail task close {desk.task.id}",
        )


def check_artifact(desk: Desk, phase: Phase) -> None:
    """Refuse if a phase has to leave a file that is not there; raises ArtifactMissing."""
    if phase.artifact is not None and desk.artifact is None:
        path = desk.workflow.artifact_path(desk.task.id, phase.artifact)
        step = add_step(path, there=False)
        raise refusals.ArtifactMissing(phase=phase.name, task=desk.task.id, path=path, next=step)


def written_over(desk: Desk, phase: Phase | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Lay over a draft what Handrail knows of the phases that it leads from and to."""
    if phase is None:
        return dict(given)
    checkpoint = None if phase.checkpoint is None else phase.checkpoint.name
    steps = {"next_phase": phase.name, "next_checkpoint": checkpoint, "phase": desk.task.phase}
    over: dict[str, Any] = {"metadata": steps, "context": {"sandbox": phase.sandbox}}
    left = desk.workflow.phase(desk.task.phase)
    if left is not None and left.artifact is not None and desk.artifact is not None:
        path = desk.workflow.artifact_path(desk.task.id, left.artifact)
        named = given.get("artifacts", {}).get("produced", ())
        rest = [one for one in named if _path_of(one) != path]
        over["artifacts"] = {"produced": [*rest, {"path": path, "sha256": desk.artifact}]}
    return draft(given, over)


def _path_of(file: object) -> object:
    return file.get("path") if isinstance(file, Mapping) else file


# --- arriving ------------------------------------------------------------------------------------


def arrives_in(desk: Desk) -> Phase | None:
    """Return the phase into which accepting the open packet leads; raises UnknownPhase."""
    flow = desk.workflow
    if flow.first is None or desk.entering is None:
        return None
    phase = flow.phase(desk.entering)
    if phase is None:
        raise refusals.UnknownPhase(
            phase=desk.entering,
            nearest=flow.first.name,
            task=desk.task.id,
            next=f"handrail handoff decline {desk.task.id}",
        )
    return phase


def entered(desk: Desk, phase: Phase | None, number: int) -> Changes:
    """Record that the task is in a phase now, by packet ``number`` or (0) by a decision."""
    return [] if phase is None else [PhaseEntered(desk.task.id, phase.name, number)]

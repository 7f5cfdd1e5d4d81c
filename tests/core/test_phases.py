"""Phases and checkpoints: where packets and decisions lead, who is refused, what one may hold."""

from __future__ import annotations

import json
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail import errors
from handrail.config.records import Checkpoint, Phase
from handrail.core.decide import Changes, Looked, View, decide
from handrail.core.decide import handoff as rules
from handrail.core.decide.checkpoint import decide_decision, decide_resume
from handrail.core.decide.desk import Accept, Decision, Desk, Offer, Settle
from handrail.core.decide.phases import leads_by_itself, meets
from handrail.core.duty import Step, sandboxed
from handrail.core.events import LeaseOrphaned, Move
from handrail.core.handed import (
    CheckpointDecided,
    PacketAccepted,
    PacketOffered,
    PhaseEntered,
    TaskClosed,
    TaskResumed,
)
from handrail.core.lease import Actor, Session
from handrail.core.role import READ_ONLY, WORKSPACE_WRITE, Role
from handrail.core.state import State, apply
from handrail.core.task import CLOSED, OPEN, Packet, Task, reserved_for
from handrail.core.workflow import DECISIONS, Workflow, artifact_path, leads_to
from handrail.errors import handoff as refusals
from tests.core.makers import (
    EPOCH,
    HOUR,
    NOW,
    a_claim,
    a_lease,
    a_policy,
    a_role,
    a_session,
    patterns,
)

DIGEST: Final = "d1" * 32


def a_phase(name: str, role: str, *, sandbox: str = WORKSPACE_WRITE, **given: Any) -> Phase:
    return Phase(
        name=name,
        role=role,
        sandbox=sandbox,
        may_write=given.get("may_write", ()),
        artifact=given.get("artifact"),
        checkpoint=given.get("checkpoint"),
    )


PLAN: Final = a_phase(
    "plan",
    "architect",
    sandbox=READ_ONLY,
    artifact="plan.md",
    checkpoint=Checkpoint("plan_check", "implement", "plan", "halt"),
)
IMPLEMENT: Final = a_phase("implement", "implementer")
TEST: Final = a_phase("test", "tester", sandbox=READ_ONLY, may_write=("tests",), artifact="t.md")
FINAL: Final = a_phase(
    "final",
    "reviewer",
    sandbox=READ_ONLY,
    checkpoint=Checkpoint("end", "done", "implement", "halt"),
)
FLOW: Final = Workflow((PLAN, IMPLEMENT, TEST, FINAL))


def steps_of(flow: Workflow) -> tuple[Step, ...]:
    """Give the phases as the configuration in force has them."""
    return tuple(
        Step(one.name, one.role, one.sandbox == READ_ONLY, patterns(*one.may_write))
        for one in flow.phases
    )


POLICY: Final = a_policy(
    a_role("architect", "docs"),
    Role("maker", "implementer", ("src", "tests"), None, (), WORKSPACE_WRITE, (), False),
    Role("tester", "implementer", ("src", "tests"), None, (), WORKSPACE_WRITE, (), False),
    a_role("reviewer", "src", "docs"),
)._replace(phases=steps_of(FLOW))


def a_desk(phase: str | None, role: str = "maker", **given: Any) -> Desk:
    task = Task("fix", "Fix it", OPEN, NOW, 1, "mine", role, 0, 1, phase)
    task = task._replace(**{name: given.pop(name) for name in Task._fields if name in given})
    leases = given.pop("leases", ())
    holder = a_session(role=role)
    desk = Desk(View(EPOCH, leases, (), POLICY), task, None, None, holder, 3, FLOW)
    return desk._replace(**given)


def an_offer(desk: Desk, to_role: str | None, phase: str | None, kind: str = "complete") -> Any:
    draft = {"kind": kind, "to_role": to_role, "metadata": {"next_phase": phase}, "context": {}}
    offer = Offer(a_session(role=desk.task.role), (), draft, HOUR)
    event = rules.decide_offer(desk, offer, NOW)[-1]
    assert isinstance(event, PacketOffered)
    return json.loads(event.packet)


def a_decision(desk: Desk, checkpoint: str, decision: str) -> Changes:
    settle = Settle(None, "why", HOUR, HOUR)
    return decide_decision(desk, Decision(checkpoint, decision, "why", "terminal"), settle, NOW)


# --- where a packet leads ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "decided", "kind", "to_role", "returned", "leads"),
    [
        (None, None, "complete", None, None, "plan"),
        ("implement", None, "complete", None, None, "test"),
        ("implement", None, "complete", "reviewer", None, "final"),
        ("implement", None, "complete", "maker", None, None),
        ("final", None, "complete", None, None, None),
        ("final", "implement", "complete", "maker", None, "implement"),
        ("test", None, "return", None, "implement", "implement"),
        ("test", None, "return", "architect", None, "plan"),
        ("test", None, "return", "maker", "gone", "implement"),
        ("final", "implement", "return", None, "test", "implement"),
        ("implement", None, "block", None, None, "implement"),
        ("implement", None, "block", "architect", None, "plan"),
        ("implement", None, "block", "reviewer", None, "implement"),
        ("gone", None, "complete", None, None, "plan"),
    ],
)
def test_a_packet_leads_where_its_giver_would_say(
    phase: str | None,
    decided: str | None,
    kind: str,
    to_role: str | None,
    returned: str | None,
    leads: str | None,
) -> None:
    found = leads_by_itself(a_desk(phase, next_phase=decided), kind, to_role, returned)
    assert (None if found is None else found.name) == leads


@pytest.mark.parametrize(
    ("phase", "decided", "kind", "to_role", "leads", "refusal"),
    [
        ("implement", None, "complete", "tester", "test", None),
        ("implement", None, "complete", "reviewer", "final", refusals.WrongPhase),
        ("implement", None, "complete", "architect", "plan", None),
        ("implement", None, "complete", "tester", None, refusals.NoNextPhase),
        ("implement", None, "complete", "tester", "tset", refusals.UnknownPhase),
        ("implement", None, "complete", "maker", "test", refusals.WrongPhase),
        ("implement", None, "complete", "implementer", "test", refusals.WrongPhase),
        ("implement", None, "complete", "nobody", "test", refusals.WrongPhase),
        ("plan", None, "complete", "maker", "implement", refusals.CheckpointPending),
        ("plan", None, "complete", "architect", "plan", refusals.CheckpointPending),
        ("plan", "implement", "complete", "maker", "implement", None),
        ("plan", "implement", "complete", "tester", "test", refusals.WrongPhase),
        ("final", "implement", "complete", "architect", "plan", refusals.WrongPhase),
        ("plan", None, "return", "architect", "plan", None),
        ("plan", None, "return", "maker", "implement", refusals.WrongPhase),
        ("plan", None, "block", "maker", "implement", refusals.WrongPhase),
        ("plan", None, "block", "reviewer", "plan", None),
        # What does not call itself finished goes around the gates that bind finished work.
        ("implement", None, "return", "tester", "test", refusals.WrongPhase),
        ("implement", None, "block", "tester", "test", refusals.WrongPhase),
        ("plan", "implement", "return", "maker", "implement", refusals.WrongPhase),
        ("plan", "test", "return", "tester", "test", None),
        ("final", None, "return", "tester", "test", None),
        ("final", "implement", "return", "maker", "implement", None),
        (None, None, "complete", "maker", "implement", refusals.WrongPhase),
        (None, None, "complete", "architect", "plan", None),
        ("gone", None, "return", "architect", "plan", None),
    ],
)
def test_no_packet_leads_past_a_checkpoint_or_to_a_role_that_does_not_work_there(
    phase: str | None,
    decided: str | None,
    kind: str,
    to_role: str,
    leads: str | None,
    refusal: type[errors.HandrailError] | None,
) -> None:
    desk = a_desk(phase, next_phase=decided, artifact=DIGEST)
    if refusal is None:
        packet = an_offer(desk, to_role, leads, kind)
        assert packet["metadata"]["next_phase"] == leads
        return
    with pytest.raises(refusal):
        an_offer(desk, to_role, leads, kind)


def test_a_packet_says_what_handrail_knows_of_its_phases() -> None:
    desk = a_desk("test", artifact=DIGEST)
    draft = {
        "kind": "complete",
        "to_role": "reviewer",
        "metadata": {"next_phase": "final", "phase": "plan", "x": 1},
        "context": {"sandbox": "none"},
        "artifacts": {"produced": ["a.md", {"path": artifact_path("fix", "t.md"), "sha256": "0"}]},
    }
    event = rules.decide_offer(desk, Offer(a_session(), (), draft, HOUR), NOW)[-1]
    assert isinstance(event, PacketOffered)
    packet = json.loads(event.packet)
    assert packet["metadata"] == {
        "next_phase": "final",
        "next_checkpoint": "end",
        "phase": "test",
        "x": 1,
    }
    assert packet["context"]["sandbox"] == READ_ONLY
    made = {"path": ".handrail/evidence/fix/t.md", "sha256": DIGEST}
    assert packet["artifacts"]["produced"] == ["a.md", made]


@pytest.mark.parametrize(
    ("phase", "decided", "kind", "to_role", "leads", "needed"),
    [
        ("test", None, "complete", "reviewer", "final", True),
        ("test", None, "return", "maker", "implement", False),
        ("test", None, "block", "architect", "plan", False),
        ("plan", "implement", "complete", "maker", "implement", True),
        ("plan", "plan", "complete", "architect", "plan", False),
        ("implement", None, "complete", "tester", "test", False),
    ],
)
def test_only_finished_work_needs_what_its_phase_has_to_leave(
    phase: str, decided: str | None, kind: str, to_role: str, leads: str, needed: bool
) -> None:
    desk = a_desk(phase, next_phase=decided)
    if not needed:
        assert "artifacts" not in an_offer(desk, to_role, leads, kind)
        return
    with pytest.raises(refusals.ArtifactMissing) as refused:
        an_offer(desk, to_role, leads, kind)
    path = str(refused.value.values["path"])
    assert path.startswith(".handrail/evidence/fix/")
    assert str(refused.value.next).endswith(f"git commit -m 'Add {path}'")


def test_without_phases_nothing_is_asked_and_nothing_is_written() -> None:
    desk = a_desk(None, workflow=Workflow())
    draft = {"kind": "complete", "to_role": "tester", "metadata": {"phase": "mine"}}
    event = rules.decide_offer(desk, Offer(a_session(), (), draft, HOUR), NOW)[-1]
    assert isinstance(event, PacketOffered)
    packet = json.loads(event.packet)
    assert (packet["metadata"], "sandbox" in packet["context"]) == ({"phase": "mine"}, False)


@pytest.mark.parametrize(
    ("to_role", "wanted", "fits"),
    [
        ("maker", "maker", True),
        ("maker", "implementer", True),
        ("implementer", "implementer", True),
        ("implementer", "maker", False),
        ("reviewer", "implementer", False),
        (None, "implementer", False),
        ("nobody", "implementer", False),
    ],
)
def test_a_phase_is_for_a_role_or_a_family(to_role: str | None, wanted: str, fits: bool) -> None:
    assert meets(POLICY, to_role, wanted) == fits


def test_after_the_last_phase_the_task_is_closed_and_not_handed_on() -> None:
    for phase, step in (("final", "task close fix"), ("implement", "--next-phase test")):
        desk = a_desk(phase, workflow=Workflow((PLAN, IMPLEMENT, TEST, a_phase("final", "maker"))))
        with pytest.raises(refusals.NoNextPhase) as refused:
            an_offer(desk, "maker", None)
        assert str(refused.value.next).endswith(step)


@pytest.mark.parametrize(
    ("phase", "phases", "may"),
    [
        ("implement", (PLAN, IMPLEMENT, TEST), True),
        ("implement", (PLAN, IMPLEMENT, TEST, FINAL), False),
        ("final", (PLAN, IMPLEMENT, TEST, FINAL), False),
        (None, (PLAN, IMPLEMENT), True),
        ("implement", (), True),
    ],
)
def test_whoever_acts_for_a_task_closes_it_only_where_no_checkpoint_lies_ahead(
    phase: str | None, phases: tuple[Phase, ...], may: bool
) -> None:
    desk = a_desk(phase, workflow=Workflow(phases))
    settle = Settle(a_session(), "why", HOUR, HOUR)
    if may:
        assert rules.decide_close(desk, settle, NOW) == [TaskClosed("fix", "why")]
    else:
        with pytest.raises(refusals.CheckpointPending) as refused:
            rules.decide_close(desk, settle, NOW)
        assert str(refused.value.next).endswith("handrail task close fix")
    entitled = settle._replace(session=None, entitled=True)
    assert rules.decide_close(desk, entitled, NOW) == [TaskClosed("fix", "why")]


# --- decisions -----------------------------------------------------------------------------------


def test_an_approval_leads_on_and_needs_the_artifact() -> None:
    desk = a_desk("plan", "architect")
    with pytest.raises(refusals.ArtifactMissing):
        a_decision(desk, "plan_check", "approve")
    changes = a_decision(desk._replace(artifact=DIGEST), "plan_check", "approve")
    assert changes == [
        CheckpointDecided("fix", "plan_check", "plan", "approve", "implement", 0, "why", "terminal")
    ]


def test_where_the_holder_works_in_the_next_phase_too_it_is_entered_at_once() -> None:
    changes = a_decision(a_desk("plan", "architect"), "plan_check", "revise")
    assert changes[-1] == PhaseEntered("fix", "plan", 0)
    changes = a_decision(a_desk("final", "reviewer"), "end", "revise")
    assert not any(isinstance(change, PhaseEntered) for change in changes)
    changes = a_decision(a_desk("final", "tester"), "end", "revise")
    assert changes[-1] == PhaseEntered("fix", "implement", 0)
    changes = a_decision(a_desk("final", holder=None)._replace(holder=None), "end", "revise")
    assert changes[-1] != PhaseEntered("fix", "implement", 0)


def test_whoever_enters_a_read_only_phase_keeps_only_what_may_be_written_there() -> None:
    leases = (
        a_lease(3, "mine", "src/a", "docs/x"),
        a_lease(4, "mine", ".handrail/evidence/fix/plan.md"),
        a_lease(5, "other", "src/b"),
        a_lease(6, "mine", "src/dead", expires_at=NOW - 1),
    )
    changes = a_decision(a_desk("plan", "architect", leases=leases), "plan_check", "revise")
    ended = [LeaseOrphaned(token, None, "sandbox") for token in (3, 6)]  # what ran out, too
    assert changes[1:] == [*ended, PhaseEntered("fix", "plan", 0)]


@pytest.mark.parametrize(("decision", "reason"), [("approve", "why"), ("stop", "stopped")])
def test_a_decision_that_leads_to_the_end_closes_the_task(decision: str, reason: str) -> None:
    lease = a_lease(3, reserved_for("fix"), "src")
    changes = a_decision(a_desk("final", "reviewer", leases=(lease,)), "end", decision)
    assert isinstance(changes[0], CheckpointDecided)
    assert changes[-1] == TaskClosed("fix", reason)
    assert len(changes) == 3


def test_a_decision_is_refused_where_there_is_none_to_take() -> None:
    with pytest.raises(refusals.NoCheckpoint):
        a_decision(a_desk("implement"), "plan_check", "approve")
    with pytest.raises(refusals.NoCheckpoint):
        a_decision(a_desk(None), "plan_check", "approve")
    with pytest.raises(refusals.WrongCheckpoint) as refused:
        a_decision(a_desk("plan"), "end", "stop")
    assert "handrail checkpoint stop plan_check --task fix" in str(refused.value.next)
    with pytest.raises(refusals.TaskOver):
        a_decision(a_desk("plan", state=CLOSED), "plan_check", "stop")
    packet = Packet(
        *("fix", 1, "block", OPEN, "mine", "a", None, "maker", (), (), 0, NOW, NOW, 1, "00"),
        *(None, None, None),
    )
    with pytest.raises(refusals.PacketOpen):
        a_decision(a_desk("plan", packet=packet), "plan_check", "revise")
    assert a_decision(a_desk("plan", packet=packet), "plan_check", "stop")[-1] == TaskClosed(
        "fix", "stopped"
    )


@pytest.mark.parametrize(
    ("before", "waits_at", "after", "waits"),
    [
        (0, None, 1, False),
        (1, None, 2, True),
        (2, "plan_check", 2, False),
        (2, None, 3, True),
    ],
)
def test_the_second_revision_is_applied_and_then_waits_until_it_is_answered(
    before: int, waits_at: str | None, after: int, waits: bool
) -> None:
    revises = (("plan_check", before),) if before else ()
    desk = a_desk("plan", "architect", revises=revises, waits_at=waits_at)
    state = State()
    state.put_task(desk.task)
    for change in a_decision(desk, "plan_check", "revise"):
        apply(state, 1, NOW, Actor(), change)
    task = state.tasks["fix"]
    assert (task.phase, dict(task.revises)) == ("plan", {"plan_check": after})
    assert task.waits_at == ("plan_check" if waits else None)


def test_while_a_task_waits_nothing_is_handed_over_until_a_person_says_so() -> None:
    desk = a_desk("implement", waits_at="plan_check", revises=(("plan_check", 2),))
    for kind in ("complete", "return", "block"):
        with pytest.raises(refusals.ReviseLimit):
            an_offer(desk, "maker", "implement", kind)
    with pytest.raises(refusals.ReviseLimit):
        rules.decide_accept(desk, Accept(a_session(role="maker"), HOUR, HOUR), NOW)
    resumed = TaskResumed("fix", "why", "terminal")
    assert decide_resume(desk, "why", "terminal") == [resumed]
    assert decide_resume(a_desk("plan", failed=3), "why", "terminal") == [resumed]
    with pytest.raises(refusals.NotHalted):
        decide_resume(a_desk("plan", failed=2), "why", "terminal")
    with pytest.raises(refusals.TaskOver):
        decide_resume(a_desk("plan", state=CLOSED, waits_at="x"), "why", "terminal")


# --- any workflow --------------------------------------------------------------------------------

NAMES: Final = ("one", "two", "three", "four")
ROLES: Final = ("architect", "implementer", "maker", "reviewer")
WHO: Final = ("architect", "maker", "tester", "reviewer")


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    names = NAMES[: draw(st.sampled_from((4, 3, 2, 1)))]
    phases = []
    for name in names:
        checkpoint = None
        if draw(st.booleans()):
            approve = draw(st.sampled_from((*names, *names, "done")))
            stop = draw(st.sampled_from((*names, *names, "halt")))
            checkpoint = Checkpoint(f"{name}_check", approve, draw(st.sampled_from(names)), stop)
        phases.append(
            a_phase(
                name,
                draw(st.sampled_from(ROLES)),
                sandbox=draw(st.sampled_from((READ_ONLY, WORKSPACE_WRITE))),
                may_write=draw(st.sampled_from(((), ("tests",), ("src/a", "tests")))),
                artifact=draw(st.sampled_from((None, "a.md"))),
                checkpoint=checkpoint,
            )
        )
    return Workflow(tuple(phases))


class History:
    """One task under a workflow, and sessions that try whatever comes up."""

    def __init__(self, flow: Workflow) -> None:
        self.flow = flow
        self.policy = POLICY._replace(phases=steps_of(flow))
        self.state = State()
        self.seq = 0
        self.sessions = {role: a_session(role, role=role) for role in WHO}
        assert flow.first is not None
        self.commit(
            rules.decide_open("fix", "Fix it", flow.first.role, NOW, HOUR, flow.first), Actor()
        )

    @property
    def task(self) -> Task:
        return self.state.tasks["fix"]

    def commit(self, changes: Changes, actor: Actor) -> None:
        for change in changes:
            self.seq += not isinstance(change, Move)
            apply(self.state, self.seq, NOW, actor, change)
            if isinstance(change, PacketOffered):
                self.offered = change

    def desk(self, session: Session | None, artifact: bool) -> Desk:
        task = self.task
        packet = self.state.packets.get(("fix", task.number))
        content = json.loads(self.offered.packet)
        return Desk(
            view=View(EPOCH, tuple(self.state.leases.values()), (), self.policy, (), (), self.seq),
            task=task,
            packet=packet,
            giver=None if packet is None else self.sessions.get(packet.session),
            holder=self.sessions.get(task.holder or ""),
            halt_after=0,
            workflow=self.flow,
            entering=content["metadata"]["next_phase"],
            artifact=DIGEST if artifact else None,
        )

    def step(
        self, act: str, who: str, artifact: bool, straight: bool, one: str, two: str
    ) -> Changes:
        """Try something; returns what it led to, nothing if it was refused.

        So that histories get somewhere, whoever acts for the task offers, mostly to where it leads
        by itself, and if one may not accept, another one tries.
        """
        session = self.sessions[who]
        if act not in ("accept", "decline", "claim") and artifact:
            session = self.sessions.get(self.task.holder or who, session)
        desk = self.desk(session, artifact)
        settle = Settle(session, "why", HOUR, HOUR)
        looked = Looked(patterns("**"), self.seq, ())
        try:
            if act in ("complete", "return", "block"):
                known = leads_by_itself(desk, act, None, None) if straight else self.flow.phase(two)
                steps = (one, two) if known is None else (known.role, known.name)
                draft = {"kind": act, "to_role": steps[0], "metadata": {"next_phase": steps[1]}}
                scope = patterns("src/a", "tests") if artifact else ()
                changes = rules.decide_offer(desk, Offer(session, scope, draft, HOUR), NOW)
            elif act == "accept":
                accept = Accept(session, HOUR, HOUR, looked=looked)
                changes = rules.decide_accept(desk, accept, NOW)
            elif act == "decline":
                changes = rules.decide_decline(desk, settle, NOW)
            elif act == "withdraw":
                changes = rules.decide_withdraw(desk, settle, NOW)
            elif act == "claim":
                changes = decide(desk.view, a_claim(session, "src/b"), NOW)
            elif act == "resume":
                changes = decide_resume(desk, "why", "terminal")
            else:
                phase = self.flow.phase(self.task.phase)
                at = None if phase is None else phase.checkpoint
                changes = a_decision(desk, "none" if at is None else at.name, act)
        except errors.HandrailError:
            others = [name for name in WHO[WHO.index(who) + 1 :] if act == "accept"]
            return self.step(act, others[0], artifact, straight, one, two) if others else []
        self.commit(changes, Actor(session.id, session.agent, session.role))
        return changes


ACTS: Final = (
    *("complete", "complete", "accept", "accept", "accept", "return", "block", "decline"),
    *("withdraw", "resume", "claim", "claim", "approve", "revise", "revise", *DECISIONS),
)
STEPS: Final = 60


def a_step(chance: Random) -> tuple[str, str, bool, bool, str, str]:
    return (
        chance.choice(ACTS),
        chance.choice(WHO),
        chance.random() < 0.8,
        chance.random() < 0.6,
        chance.choice((*WHO, "implementer")),
        chance.choice(NAMES),
    )


@settings(max_examples=150)
@given(workflows(), st.integers(0, 2**32))
def test_no_phase_changes_without_a_packet_or_a_decision(flow: Workflow, seed: int) -> None:
    history, chance = History(flow), Random(seed)
    decided: set[tuple[str, str]] = set()
    for _ in range(STEPS):
        step = a_step(chance)
        before = history.task
        changes = history.step(*step)
        after = history.task
        entered = [change for change in changes if isinstance(change, PhaseEntered)]
        decisions = [change for change in changes if isinstance(change, CheckpointDecided)]
        accepted = [change for change in changes if isinstance(change, PacketAccepted)]
        offered = [change for change in changes if isinstance(change, PacketOffered)]
        for change in decisions:
            phase = flow.phase(before.phase)
            assert phase is not None
            assert phase.checkpoint is not None
            assert change.leads_to == leads_to(phase.checkpoint, change.decision)
            assert step[2] or phase.artifact is None or change.decision != "approve"
            decided.add((change.phase, change.leads_to))
        if before.phase != after.phase:
            assert [change.phase for change in entered] == [after.phase]
        for arrival in entered:
            if arrival.number == 0:
                assert [one.leads_to for one in decisions] == [arrival.phase]
            else:
                assert [one.number for one in accepted] == [arrival.number]
                said = json.loads(history.offered.packet)["metadata"]
                assert (said["next_phase"], said["phase"]) == (arrival.phase, before.phase)
            _check_way(flow, before.phase, arrival.phase, decided)
        if before.waits_at is not None:
            assert (accepted, offered) == ([], [])
        if len(decisions) == 1 and decisions[0].decision == "revise" and before.waits_at is None:
            assert (after.waits_at is not None) == (decisions[0].times >= 2)
        _check_sandbox(history, bool(entered))


def _check_way(flow: Workflow, start: str | None, end: str, decided: set[tuple[str, str]]) -> None:
    """Nobody gets past a checkpoint that was not decided in favour of where they went."""
    names = [phase.name for phase in flow.phases]
    first = names.index(start) if start is not None else 0
    for phase in flow.phases[first : names.index(end)]:
        if phase.checkpoint is not None:
            assert (start, end) in decided, (start, end, decided)


def _check_sandbox(history: History, entered: bool) -> None:
    """Whoever has just entered a read-only phase holds nothing but what may be written in it."""
    task, phase = history.task, history.flow.phase(history.task.phase)
    if not entered or phase is None or phase.sandbox != READ_ONLY:
        return
    allowed = {".handrail/evidence/fix", *phase.may_write}
    for lease in history.state.leases.values():
        if lease.session == task.holder and lease.live(NOW):
            assert set(lease.scope) <= allowed, (lease, phase)


def test_all_that_may_be_written_in_a_phase_is_what_phase_and_role_say() -> None:
    assert sandboxed(POLICY, "maker", "fix", "implement") is None
    assert sandboxed(POLICY, "maker", "fix", None) is None
    found = sandboxed(POLICY, "tester", "fix", "test")
    assert found == patterns("tests", ".handrail/evidence/fix")

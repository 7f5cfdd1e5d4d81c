"""Phases, checkpoints and artifacts in real repositories; tasks that open by themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

from handrail import errors
from handrail.errors import handoff as refusals
from handrail.facts.artifacts import ARTIFACT_BYTES_MAX, digest_of
from handrail.service.board import Board
from handrail.service.checkpoints import Checkpoints, Decided
from handrail.service.handoffs import Accepted, Handoffs, Offered, Offering
from handrail.service.tasks import Tasks, TaskShown
from tests.cli.world import World

FLOW: Final = """
[handoff]
halt_after = 2
[[role]]
name = "architect"
lane = ["docs/**", "src/**"]
[[role]]
name = "maker"
family = "implementer"
lane = ["src/**", "tests/**"]
[[role]]
name = "reviewer"
lane = ["**"]

[[phase]]
name = "plan"
role = "architect"
sandbox = "read-only"
artifact = "plan.md"
checkpoint = { name = "plan_check", approve = "draw", stop = "final" }
[[phase]]
name = "draw"
role = "architect"
checkpoint = { name = "draw_check", approve = "implement", revise = "plan" }
[[phase]]
name = "implement"
role = "implementer"
artifact = "done/result.md"
[[phase]]
name = "final"
role = "reviewer"
sandbox = "read-only"
checkpoint = { name = "final_check", approve = "done", revise = "implement" }
"""


class Work:
    """A task under phases, and whoever works on it."""

    def __init__(self, world: World) -> None:
        world.configure(FLOW)
        self.world = world
        for role in ("architect", "maker", "reviewer"):
            world.session(id=role, role=role)

    def tasks(self, who: str | None, ask: Callable[[Tasks], Any], *, terminal: bool = False) -> Any:
        with self.world.open(who, terminal=terminal) as application:
            return ask(Tasks(application.context))

    def begin(self) -> None:
        self.tasks(None, lambda it: it.open("fix", "Fix it"))
        self.accept("architect")

    def shown(self) -> TaskShown:
        found = self.tasks(None, lambda it: it.show("fix"))
        assert isinstance(found, TaskShown)
        return found

    def decide(self, checkpoint: str, decision: str, **given: Any) -> Decided:
        with self.world.open(terminal=True) as application:
            return Checkpoints(application.context).decide(checkpoint, decision, **given)

    def offer(self, who: str, *scope: str, **asked: Any) -> Any:
        with self.world.open(who) as application:
            handoffs = Handoffs(application.context, application.packet_files)
            done = handoffs.offer(Offering(scope=scope, **asked))
            assert isinstance(done, Offered)
            return json.loads(done.text)

    def accept(self, who: str, target: str = "fix") -> Accepted:
        with self.world.open(who) as application:
            return Handoffs(application.context, application.packet_files).accept(target)

    def leaves(self, name: str, text: str = "done\n") -> str:
        path = self.world.path / ".handrail" / "evidence" / "fix" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return sha256(text.encode()).hexdigest()

    def sound(self) -> None:
        self.world.sound()


@pytest.fixture
def work(world: World) -> Work:
    return Work(world)


def test_the_first_packet_is_for_the_first_phase(work: Work) -> None:
    with pytest.raises(refusals.WrongPhase) as refused:
        work.tasks(None, lambda it: it.open("fix", to_role="maker"))
    assert refused.value.next == "handrail task new fix --to architect"
    work.begin()
    assert (work.shown().task.phase, work.shown().pending) == ("plan", "plan_check")


def test_a_decision_enters_the_next_phase_of_the_same_role_and_what_waits_can_be_taken(
    work: Work,
) -> None:
    work.begin()
    work.offer("architect", "src/a", kind="block", to_role="architect")
    accepted = work.accept("architect")
    assert (accepted.lease, accepted.free) == (None, ("src/a",))
    with pytest.raises(refusals.NoHandoff):
        work.accept("architect")  # in a read-only phase there is nothing to take up
    work.leaves("plan.md")
    done = work.decide("plan_check", "approve", task="fix", reason="good")
    assert (done.entered, done.task.phase, done.task.next_phase) == (True, "draw", None)
    taken = work.accept("architect")
    assert taken.lease is not None
    assert taken.lease.scope == ("src/a",)
    assert work.shown().reserved == ()
    work.sound()


def test_whoever_enters_a_read_only_phase_loses_its_other_leases(work: Work) -> None:
    work.world.claim("architect", "src/b")
    work.begin()
    assert not work.world.holds("architect", "src/b")
    work.leaves("plan.md")
    work.decide("plan_check", "approve")
    work.world.claim("architect", "src/b")
    done = work.decide("draw_check", "revise")
    assert (done.entered, done.pending) == (True, "plan_check")
    assert not work.world.holds("architect", "src/b")
    work.sound()


def test_a_stop_may_lead_to_a_phase_and_a_revision_back_to_another_role(work: Work) -> None:
    work.begin()
    done = work.decide("plan_check", "stop")
    assert (done.leads_to, done.entered, done.next_role) == ("final", False, "reviewer")
    packet = work.offer("architect", message="stopped")
    assert (packet["to_role"], packet["metadata"]["next_phase"]) == ("reviewer", "final")
    work.accept("reviewer")
    done = work.decide("final_check", "revise")
    assert (done.entered, work.shown().pending) == (False, None)
    packet = work.offer("reviewer", kind="return")
    assert (packet["to_role"], packet["metadata"]["phase"]) == ("implementer", "final")
    assert work.accept("maker").task.phase == "implement"
    with pytest.raises(refusals.ArtifactMissing):
        work.offer("maker")
    digest = work.leaves("done/result.md")
    produced = work.offer("maker")["artifacts"]["produced"]
    assert produced == [{"path": ".handrail/evidence/fix/done/result.md", "sha256": digest}]
    work.sound()


def test_decisions_are_a_persons(work: Work) -> None:
    work.begin()
    for who, terminal in (("architect", True), (None, False)):
        with work.world.open(who, terminal=terminal) as application:
            with pytest.raises(errors.NeedsPerson):
                Checkpoints(application.context).decide("plan_check", "stop")
            with pytest.raises(errors.NeedsPerson):
                Tasks(application.context).resume("fix")
    with work.world.open(None, terminal=True, CLAUDECODE="1") as application:
        with pytest.raises(errors.NeedsPerson):
            Checkpoints(application.context).decide("plan_check", "stop")
    assert work.shown().pending == "plan_check"


def test_a_wrong_word_is_told_with_the_nearest_one(work: Work) -> None:
    with pytest.raises(refusals.NoCheckpoint, match="no task is in phase plan, which ends with"):
        work.decide("plan_check", "approve")
    work.begin()
    with pytest.raises(refusals.UnknownCheckpoint) as refused:
        work.decide("plan_chek", "approve")
    assert refused.value.values["nearest"] == "plan_check"
    with pytest.raises(refusals.UnknownTask):
        work.decide("plan_check", "approve", task="fox")
    with pytest.raises(refusals.UnknownPhase) as unknown:
        work.offer("architect", kind="block", next_phase="implment")
    assert unknown.value.values["nearest"] == "implement"


def test_a_person_lets_a_halted_task_go_on(work: Work) -> None:
    work.begin()
    for _ in range(2):
        work.offer("architect", kind="return", to_role="architect")
        work.accept("architect") if work.shown().task.failed < 2 else None
    with pytest.raises(refusals.Halted) as refused:
        work.accept("architect")
    assert "task resume fix" in str(refused.value.next)
    assert work.shown().halted
    resumed = work.tasks(None, lambda it: it.resume(), terminal=True)
    assert (resumed.task.id, resumed.halted) == ("fix", False)
    work.accept("architect")


def test_the_board_shows_where_tasks_are(work: Work) -> None:
    work.begin()
    work.decide("plan_check", "revise")
    with work.world.open() as application:
        [(task, pending)] = Board(application.context).status().tasks
        [waits] = Checkpoints(application.context).pending()
    assert (task.phase, pending, task.revises) == ("plan", "plan_check", (("plan_check", 1),))
    path = ".handrail/evidence/fix/plan.md"
    assert (waits.artifact, waits.there, waits.times, waits.limit) == (path, False, 1, 2)


def test_a_phase_that_is_no_more_leads_nowhere(work: Work) -> None:
    work.tasks(None, lambda it: it.open("fix", "Fix it"))
    work.world.configure(FLOW.replace('"plan"', '"outline"'))
    with pytest.raises(refusals.UnknownPhase) as refused:
        work.accept("architect")
    assert refused.value.next == "handrail handoff decline fix"


# --- artifacts -----------------------------------------------------------------------------------


def test_only_an_ordinary_file_inside_is_an_artifact(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "plan.md").write_bytes(b"plan")
    (tmp_path / "link").symlink_to(folder)
    (folder / "link.md").symlink_to("plan.md")
    os.mkfifo(folder / "pipe")
    root = str(tmp_path)
    assert digest_of(root, "evidence/plan.md") == sha256(b"plan").hexdigest()
    for path in ("evidence/none", "none/plan.md", "evidence", "link/plan.md", "evidence/link.md"):
        assert digest_of(root, path) is None, path
    assert digest_of(root, "evidence/pipe") is None
    assert digest_of(root, "evidence/plan.md/x") is None
    os.truncate(folder / "plan.md", ARTIFACT_BYTES_MAX + 1)
    with pytest.raises(errors.FactsUnavailable):
        digest_of(root, "evidence/plan.md")


# --- tasks that open by themselves ---------------------------------------------------------------


def test_without_phases_an_offer_of_somebody_without_a_task_opens_one(world: World) -> None:
    world.session(id="Ada_1")
    world.repo.git("checkout", "-q", "-b", "topic/Login-Form")
    names = []
    for number in (1, 2):
        with world.open("Ada_1") as application:
            handoffs = Handoffs(application.context, application.packet_files)
            dry = handoffs.offer(Offering(scope=("src/a",)), dry_run=True)
            done = handoffs.offer(Offering(scope=("src/a",), request_id=f"r{number}"))
            again = handoffs.offer(Offering(scope=("src/a",), request_id=f"r{number}"))
        assert (done.opened, dry.packet.task) == (True, done.packet.task)
        assert again.packet == done.packet
        names.append(done.packet.task)
        with world.open() as application, application.store.read() as reader:
            lease = reader.lease(done.packet.token)
            assert lease is not None
            assert lease.session == f"task:{done.packet.task}"
        with world.open("Ada_1") as application:
            Tasks(application.context).close(done.packet.task)
    assert names == ["topic-login-form-ada-1", "topic-login-form-ada-1-2"]
    with world.open() as application:
        tasks = Tasks(application.context).all(closed=True)
        assert [(one.task.id, one.task.number) for one in tasks] == [(name, 1) for name in names]
    world.sound()


def test_where_there_are_phases_a_task_begins_with_the_first_of_them(work: Work) -> None:
    with pytest.raises(errors.Usage):
        work.offer("maker")

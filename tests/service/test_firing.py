"""Triggers that no edit fires: failed gates, decisions of persons, time; and what races there."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import pytest

from handrail.core.handed import TriggerFired
from handrail.core.ledger import read_event
from handrail.core.trigger import BLOCKED, Happened
from handrail.core.workflow import APPROVE, REVISE, artifact_path
from handrail.errors import Refused
from handrail.service.checkpoints import Checkpoints
from handrail.service.fired import Fire
from handrail.service.firing import Tried
from handrail.service.handoffs import Handoffs, Offering
from handrail.service.packets import Packets
from handrail.service.stuck import Stuck
from handrail.service.tasks import Tasks
from handrail.wiring import Application
from handrail.wiring.firing import firing_of, judged_of
from tests.cli.world import World

ROLES: Final = """
[handoff]
stuck_after = "1s"
[[role]]
name = "planner"
lane = ["docs/**"]
[[role]]
name = "maker"
lane = ["src/**"]
[[role]]
name = "navigator"
lane = ["nav/**"]
"""
PHASES: Final = """
[[phase]]
name = "plan"
role = "planner"
sandbox = "read-only"
artifact = "plan.md"
checkpoint = { name = "plan_check", approve = "work" }
[[phase]]
name = "work"
role = "maker"
[[trigger]]
id = "planned"
from = "planner"
to = "maker"
when = { event = "phase_done", phase = "plan" }
[[trigger]]
id = "stuck-plan"
from = "planner"
to = "navigator"
when = { event = "revise_limit", checkpoint = "plan_check" }
"""
UNFINISHED: Final = """
[[trigger]]
id = "unfinished"
from = "maker"
to = "planner"
when = { event = "gate_failed", gate = "committed" }
[[trigger]]
id = "offline"
from = "maker"
to = "planner"
when = { event = "blocked", rule = "no network" }
"""


def acts(world: World, session: str, act: Callable[[Application], Any]) -> Any:
    with world.open(session) as application:
        return act(application)


def fired(world: World) -> list[TriggerFired]:
    with world.open(None) as application, application.store.read() as reader:
        found = [read_event(entry) for entry in reader.entries(0, reader.head.seq)]
    return [event for event in found if isinstance(event, TriggerFired)]


def works(world: World, more: str, role: str) -> None:
    """Let a session of a role act for task ``fix``."""
    world.configure(ROLES + more)
    world.repo.commit("begin", "handrail.toml")
    world.session(id="ada", agent="agent-ada", role=role)
    acts(world, "ada", lambda app: Tasks(app.context).open("fix", "Fix it", to_role=role))
    acts(world, "ada", lambda app: Handoffs(app.context, app.packet_files).accept("fix"))


def decides(world: World, decision: str) -> Any:
    def decide(application: Application) -> Any:
        application.caller = application.caller._replace(terminal=True, harness=None)
        return Checkpoints(application.context).decide("plan_check", decision, "fix", "said")

    with world.open(None) as application:
        return decide(application)


def plans(world: World) -> None:
    path = world.path / artifact_path("fix", "plan.md")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("# The plan\n")
    world.repo.commit("plan", str(path))


def test_an_approved_phase_leads_on_by_a_packet_of_finished_work(world: World) -> None:
    works(world, "[gates]\nmessage = 'off'\npushed = 'off'\n" + PHASES, "planner")
    plans(world)
    assert acts(world, "ada", lambda app: firing_of(app).due()) is None
    decides(world, APPROVE)
    told = acts(world, "ada", lambda app: firing_of(app).due())
    assert (told.code, told.values["trigger"]) == ("handed_off", "planned")
    packet = acts(world, "ada", lambda app: Packets(app.context, app.packet_files).show("fix"))
    assert (packet.packet.kind, packet.packet.to_role) == ("complete", "maker")
    assert packet.content["metadata"]["next_phase"] == "work"
    assert acts(world, "ada", lambda app: firing_of(app).due()) is None
    world.sound()


def test_what_the_gates_mind_of_a_finished_phase_goes_out_as_work_that_cannot_go_on(
    world: World,
) -> None:
    works(world, "[gates]\npushed = 'off'\n" + PHASES, "planner")
    plans(world)
    decides(world, APPROVE)
    (world.path / "docs").mkdir()
    (world.path / "docs" / "left.md").write_text("unfinished\n")
    told = acts(world, "ada", lambda app: firing_of(app).due())
    assert told.values["trigger"] == "planned"
    packet = acts(world, "ada", lambda app: Packets(app.context, app.packet_files).show("fix"))
    assert (packet.packet.kind, packet.packet.to_role) == ("block", "maker")
    assert "docs/left.md" in packet.content["metadata"]["worktree_allowlist_paths"]


def test_a_checkpoint_revised_too_often_is_told_and_waits_for_a_person_all_the_same(
    world: World,
) -> None:
    works(world, PHASES, "planner")
    decides(world, REVISE)
    assert acts(world, "ada", lambda app: firing_of(app).due()) is None
    decides(world, REVISE)
    told = acts(world, "ada", lambda app: firing_of(app).due())
    assert (told.values["trigger"], told.values["to_role"]) == ("stuck-plan", "navigator")
    world.session(id="nav", agent="agent-nav", role="navigator")
    with pytest.raises(Refused, match="revise_limit"):
        acts(world, "nav", lambda app: judged_of(app).accept("fix"))
    with world.open(None) as application:
        application.caller = application.caller._replace(terminal=True, harness=None)
        Tasks(application.context).resume("fix", "go on")
    assert acts(world, "nav", lambda app: judged_of(app).accept("fix")).task.holder == "nav"
    world.sound()


def test_an_offer_that_its_gates_refuse_goes_to_who_is_meant(world: World) -> None:
    works(world, UNFINISHED, "maker")
    world.repo.write("src/left.py", "x = 1\n")
    ada = world.person(id="ada", agent="agent-ada", role="maker")
    done = ada.handrail("offer", "--task", "fix", "--to", "navigator", "-m", "done", "--json")
    error = done.json()["error"]
    assert (done.code, error["code"], error["trigger"]) == (1, "handed_off", "unfinished")
    packet = acts(world, "ada", lambda app: Packets(app.context, app.packet_files).show("fix"))
    assert packet.content["metadata"]["findings"][0]["gate"] == "committed"
    assert error["next"] == "handrail handoff accept fix"
    assert ada.types(error["next"]).code == 0
    world.sound()


def test_a_dry_run_and_a_check_fire_nothing(world: World) -> None:
    works(world, UNFINISHED, "maker")
    world.repo.write("src/left.py", "x = 1\n")
    ada = world.person(id="ada", agent="agent-ada", role="maker")
    assert ada.handrail("offer", "--to", "navigator", "-m", "done", "--dry-run").code == 1
    assert ada.handrail("check", "pre-handoff").code == 1
    assert ada.handrail("task", "block", "--rule", "no network", "--dry-run").code == 0
    assert fired(world) == []


def test_what_nobody_accepts_is_told_once_by_whatever_comes_by_next(world: World) -> None:
    works(world, UNFINISHED, "maker")
    happened = Happened(BLOCKED, "no network")
    acts(world, "ada", lambda app: firing_of(app).happened(happened, Tried("It is down.")))
    assert acts(world, "ada", lambda app: Stuck(app.context).take()) == ()
    time.sleep(1.1)
    person = world.shell()
    told = person.handrail("task", "list")
    assert "packet 002 of task fix waits for role planner since" in told.err
    assert person.handrail("task", "list").err == ""


def test_of_processes_that_are_refused_at_once_one_fires(world: World) -> None:
    works(world, UNFINISHED, "maker")
    happened = Happened(BLOCKED, "no network")
    told: list[Any] = []

    def fires() -> None:
        with world.open("ada") as application:
            told.append(firing_of(application).happened(happened, Tried("It is down.")))

    threads = [threading.Thread(target=fires) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fired(world)) == 1
    assert sum(one is not None and "trigger" in one.values for one in told) == 1
    with world.open(None) as application, application.store.read() as reader:
        assert len(reader.packets(settled=False)) == 1
    world.sound()


def test_what_is_said_of_what_was_tried_is_bounded_and_visible(world: World) -> None:
    works(world, UNFINISHED, "maker")
    hostile = "\x1b[31m" + "x" * 100_000
    tried = Tried(hostile, ({"gate": "edit", "code": "c", "message": hostile, "path": hostile},))
    acts(world, "ada", lambda app: firing_of(app).happened(Happened(BLOCKED, "no network"), tried))
    packet = acts(world, "ada", lambda app: Packets(app.context, app.packet_files).show("fix"))
    text = json.dumps(packet.content)
    assert "\\u001b" not in text
    assert len(text) < 20_000


def test_what_cannot_be_offered_leaves_the_refusal_and_says_why(world: World) -> None:
    world.configure(ROLES + PHASES + UNFINISHED)
    world.session(id="bob", agent="agent-bob", role="maker")
    noted: list[tuple[str, str]] = []

    def fires(application: Application) -> Any:
        firing = firing_of(application)
        firing._note = lambda code, said: noted.append((code, said))
        return firing.happened(Happened(BLOCKED, "no network"), Tried("It is down."))

    assert acts(world, "bob", fires) is None
    assert noted[0][1].startswith("trigger offline did not fire: ")
    assert fired(world) == []


def test_an_offer_of_a_trigger_in_a_stopped_session_is_refused(world: World) -> None:
    works(world, UNFINISHED, "maker")
    happened = Happened(BLOCKED, "no network")
    acts(world, "ada", lambda app: firing_of(app).happened(happened, Tried("It is down.")))
    fire = Fire("offline", BLOCKED, "no network")
    asked = Offering(kind="block", to_role="planner", message="again", fresh=True, fire=fire)
    with pytest.raises(Refused, match="handed_off"):
        acts(world, "ada", lambda app: judged_of(app).offer(asked))

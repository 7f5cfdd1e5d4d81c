"""The scene of a task with phases, by commands alone: plan, approval, work, red, green, the end.

Every command runs with stdin closed, but for the decisions, which a person takes at a terminal.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from tests.cli.world import Person, Refusal, World, refusal

PHASES: Final = """
[[role]]
name = "architect"
lane = ["docs/**"]
[[role]]
name = "maker"
family = "implementer"
lane = ["src/**", "tests/**"]
[[role]]
name = "tester"
family = "implementer"
lane = ["src/**", "tests/**"]
[[role]]
name = "reviewer"
lane = ["docs/**"]

[[phase]]
name = "plan"
role = "architect"
sandbox = "read-only"
artifact = "plan.md"
checkpoint = { name = "plan_check", approve = "implement" }
[[phase]]
name = "implement"
role = "implementer"
[[phase]]
name = "test"
role = "implementer"
sandbox = "read-only"
may_write = ["tests/**"]
[[phase]]
name = "final"
role = "reviewer"
sandbox = "read-only"
checkpoint = { name = "final_check", approve = "done", revise = "implement" }
"""
SAYS: Final = "what was asked for is done, nothing is left, look at the menu"


class Scene:
    """A repository with phases in force, a session for each role, and a person at a terminal."""

    def __init__(self, world: World) -> None:
        world.configure(PHASES)
        world.repo.commit("begin", "handrail.toml")
        self.world = world
        self.judge = world.shell()
        self.sessions = {
            role: world.person(id=role, role=role)
            for role in ("architect", "maker", "tester", "reviewer")
        }

    def says(self, who: str, line: str) -> str:
        """Let a session type a line that must be done; returns what it printed."""
        done = self._person(who).types(line, terminal=who == "judge")
        assert done.code == 0, (line, done.err)
        return done.out.strip()

    def data(self, who: str, line: str) -> Any:
        return json.loads(self.says(who, f"{line} --json"))

    def refused(self, who: str, line: str) -> Refusal:
        """Let a session type a line that must be refused."""
        return refusal(self._person(who).types(line, terminal=who == "judge"))

    def _person(self, who: str) -> Person:
        return self.judge if who == "judge" else self.sessions[who]

    def writes(self, artifact: str, text: str) -> str:
        """Leave an artifact, as an agent's tool would; returns its digest."""
        path = self.world.path / ".handrail" / "evidence" / "menu" / artifact
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.world.repo.commit(artifact, str(path.relative_to(self.world.path)))
        return sha256(text.encode()).hexdigest()

    def packet_file(self, number: int) -> Path:
        return self.world.path / ".handrail" / "handoffs" / f"menu-{number:03d}.json"

    def packet(self, number: int) -> Any:
        return json.loads(self.packet_file(number).read_text())


def test_a_task_goes_from_the_plan_to_its_end_by_packets_and_decisions(world: World) -> None:
    scene = Scene(world)
    says, refused = scene.says, scene.refused

    # The architect plans, and may write nothing but that; without the plan and a person's word
    # nothing leaves the phase.
    says("architect", "handrail task new menu --title 'Tidy the menu'")
    assert scene.packet(1)["to_role"] == "architect"
    assert scene.packet(1)["metadata"]["next_phase"] == "plan"
    assert "in phase plan" in says("architect", "handrail accept")
    assert refused("architect", f"handrail offer -m 'planned: {SAYS}'").code == "checkpoint_pending"
    assert refused("architect", "handrail claim docs/menu.md").code == "sandbox_read_only"
    told = refused("judge", "handrail checkpoint approve plan_check")
    assert told.code == "artifact_missing"
    says("architect", f"EDITOR=touch; {told.next}")
    digest = scene.writes("plan.md", "1. Tidy src/menu.\n")
    assert "plan_check" in says("judge", "handrail checkpoint list")
    assert refused("judge", "handrail checkpoint approve final_check --task menu").code == (
        "wrong_checkpoint"
    )
    told = refused("architect", "handrail checkpoint approve plan_check --task menu")
    assert told.code == "needs_person"
    # The way that the refusal names is a person's to go.
    says("judge", told.next.partition("AGENT_SESSION_ID ")[2] + " --reason 'read it'")
    offers = f"handrail offer -m 'see the plan: {SAYS}' --scope src/menu --scope tests"
    assert refused("architect", "handrail offer -m x --to reviewer").code == "wrong_phase"
    told = refused("architect", f"{offers} --to maker --next-phase test")
    assert told.code == "wrong_phase"
    says("architect", told.next)
    packet = scene.packet(2)
    assert packet["metadata"]["phase"] == "plan"
    assert packet["metadata"]["next_phase"] == "implement"
    assert (packet["to_role"], packet["context"]["sandbox"]) == ("implementer", "workspace-write")
    (produced,) = packet["artifacts"]["produced"]
    assert produced["path"] == ".handrail/evidence/menu/plan.md"
    assert produced["sha256"] == digest

    # The implementer gets the scope with the phase in which it may write.
    accepted = scene.data("maker", "handrail accept")
    assert (accepted["phase"], accepted["lease"]["scope"]) == ("implement", ["src/menu", "tests"])
    assert world.holds("maker", "src/menu/a.py")
    says("maker", f"handrail offer -m 'tidied: {SAYS}' --to tester --scope src/menu --scope tests")
    assert scene.packet(3)["metadata"]["next_phase"] == "test"

    # In the test phase only tests may be written: the rest stays the task's own.
    accepted = scene.data("tester", "handrail accept")
    assert (accepted["phase"], accepted["lease"]["scope"]) == ("test", ["tests"])
    assert not world.holds("tester", "src/menu/a.py")
    assert refused("maker", "handrail claim src/menu/a.py").code == "scope_held"
    says("tester", f"handrail offer --kind return -m 'red: {SAYS}' --scope src/menu --scope tests")
    back = scene.packet(4)
    assert (back["to_role"], back["metadata"]["next_phase"]) == ("maker", "implement")
    assert scene.data("maker", "handrail accept")["lease"]["scope"] == ["src/menu", "tests"]
    says(
        "maker", f"handrail offer -m 'repaired: {SAYS}' --to tester --scope src/menu --scope tests"
    )
    says("tester", "handrail accept")

    # Green goes on to the reviewer, who may write nothing; a number is never used twice.
    scene.packet_file(4).unlink()
    says("tester", f"handrail offer -m 'green: {SAYS}' --scope src/menu --scope tests")
    assert not scene.packet_file(7).exists()
    assert scene.packet(6)["metadata"]["next_checkpoint"] == "final_check"
    accepted = scene.data("reviewer", "handrail accept")
    assert (accepted["phase"], accepted["lease"]) == ("final", None)
    shown = scene.data("reviewer", "handrail task show")
    assert shown["pending_checkpoint"] == "final_check"
    assert shown["reserved"][0]["scope"] == ["src/menu", "tests"]
    done = scene.data("judge", "handrail checkpoint approve final_check --reason good")
    assert (done["leads_to"], done["state"]) == ("done", "closed")
    says("maker", "handrail claim src/menu")

    says("judge", "handrail export")
    numbers = [
        packet["number"] for packet in scene.data("judge", "handrail task show menu")["packets"]
    ]
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert all(scene.packet_file(number).exists() for number in numbers)
    says("judge", "handrail ledger verify")


def test_the_second_revision_is_applied_and_then_a_person_has_to_say(world: World) -> None:
    scene = Scene(world)
    says, refused = scene.says, scene.refused
    says("architect", "handrail task new menu")
    says("architect", "handrail accept")
    for times in (1, 2):
        done = scene.data("judge", "handrail checkpoint revise plan_check --reason thin")
        assert (done["phase"], done["revises"]) == ("plan", {"plan_check": times})
        assert done["waits"] == (times == 2)
    assert "until a person" in says("judge", "handrail status")
    told = refused("architect", f"handrail offer --kind block --to architect -m 'stuck: {SAYS}'")
    assert told.code == "revise_limit"
    assert refused("architect", told.next.partition("AGENT_SESSION_ID ")[2]).code == "needs_person"
    says("judge", told.next)
    assert refused("judge", "handrail task resume menu").code == "not_halted"
    says("architect", f"handrail offer --kind block --to architect -m 'stuck: {SAYS}'")
    says("architect", "handrail accept")
    done = scene.data("judge", "handrail checkpoint stop plan_check --reason 'no use'")
    assert (done["state"], done["leads_to"]) == ("closed", "halt")


def test_the_command_that_leads_on_keeps_what_was_typed(world: World) -> None:
    scene = Scene(world)
    told = scene.refused("architect", "handrail task new menu --title 'Tidy it' --to architct")
    assert told.code == "unknown_role"
    scene.says("architect", told.next)
    assert scene.data("judge", "handrail task show menu")["title"] == "Tidy it"
    scene.says("architect", "handrail accept")
    world.repo.write("said.json", json.dumps({"claims": ["it is thin"]}))
    line = f"handrail offer said.json --kind block --to architct -m 'stuck: {SAYS}' --scope docs/a"
    told = scene.refused("architect", line)
    assert told.code == "unknown_role"
    scene.says("architect", told.next)
    packet = scene.packet(2)
    assert (packet["kind"], packet["to_role"], packet["claims"]) == (
        *("block", "architect"),
        ["it is thin"],
    )
    assert packet["context"]["files_in_scope"] == ["docs/a"]
    assert packet["message"] == f"stuck: {SAYS}"

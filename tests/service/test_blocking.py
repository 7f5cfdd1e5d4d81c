"""To whom work goes that a rule stops: by a trigger, to who is named, to a coordinator."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.cli.world import World

MATRIX: Final = """
[[role]]
name = "executor"
family = "builders"
lane = ["src/**"]
[[role]]
name = "architect"
lane = ["docs/**"]
[[role]]
name = "auditor"
lane = ["audit/**"]
[[role]]
name = "lead"
lane = ["**"]
coordinates = true

[[trigger]]
id = "offline"
from = "builders"
to = "architect"
when = { event = "blocked", rule = "no network" }
[[trigger]]
id = "odd"
from = "any"
to = "auditor"
when = { event = "blocked", rule = "odd" }
[[trigger]]
id = "odd-again"
from = "any"
to = "lead"
when = { event = "blocked", rule = "odd" }
[[trigger]]
id = "unpushed"
from = "executor"
to = "architect"
when = { event = "gate_failed", gate = "pushed" }
"""


def blocked(world: World, role: str, *words: str) -> dict[str, Any]:
    """Let a session of a role say what stops it; returns the packet."""
    done = world.person(role=role).handrail("task", "block", *words, "--json")
    assert done.code == 0, done
    packet: dict[str, Any] = done.json()["packet"]
    assert packet["kind"] == "block"
    return packet


@pytest.mark.parametrize(
    ("role", "words", "to", "trigger"),
    [
        ("executor", ("--rule", "no network"), "architect", "offline"),
        ("auditor", ("--rule", "no network"), "lead", None),
        ("architect", ("--rule", "odd"), "auditor", "odd"),
        ("executor", ("--rule", "odd"), "auditor", "odd"),
        ("executor", ("--rule", "odd", "--to", "lead"), "lead", None),
        ("executor", ("--rule", "pushed"), "lead", None),
        ("executor", ("--rule", "lane-conflict"), "lead", None),
    ],
)
def test_the_first_trigger_that_means_it_says_to_whom(
    world: World, role: str, words: tuple[str, ...], to: str, trigger: str | None
) -> None:
    world.configure(MATRIX)
    packet = blocked(world, role, *words)
    assert (packet["to_role"], packet.get("trigger")) == (to, trigger)
    assert packet["context"]["blocking_rule"] == words[1]
    world.sound()


def test_the_matrix_can_be_looked_at(world: World) -> None:
    world.configure(MATRIX)
    shell = world.shell()
    rows = shell.handrail("trigger", "list", "--json").json()["triggers"]
    assert [(row["id"], row["event"], row["about"], row["to"]) for row in rows] == [
        ("offline", "blocked", ["no network"], "architect"),
        ("odd", "blocked", ["odd"], "auditor"),
        ("odd-again", "blocked", ["odd"], "lead"),
        ("unpushed", "gate_failed", ["pushed"], "architect"),
    ]
    assert "gate_failed: pushed" in shell.handrail("trigger", "list").out


def test_a_rule_of_a_triggers_own_name_means_that_trigger_whatever_it_waits_for(
    world: World,
) -> None:
    world.configure(MATRIX)
    packet = blocked(world, "executor", "--rule", "unpushed")
    assert (packet["to_role"], packet["trigger"]) == ("architect", "unpushed")


def test_what_is_odd_about_a_matrix_is_said(world: World) -> None:
    odd = """
[[role]]
name = "nobody"
lane = []
[[trigger]]
id = "nowhere"
from = "executor"
to = "nobody"
when = { event = "blocked", rule = "nowhere" }
[[trigger]]
id = "back"
from = "architect"
to = "builders"
when = { event = "edit_refused" }
"""
    world.configure(MATRIX + odd)
    shell = world.shell()
    said = shell.handrail("config", "validate", "--json").json()["notes"]
    assert said == shell.handrail("trigger", "list", "--json").json()["notes"]
    assert said[0] == "trigger nowhere leads to nobody, whose lane is empty"
    assert any(line.startswith("offline, back: they lead in a circle") for line in said)
    assert "note: trigger nowhere leads to nobody" in shell.handrail("config", "validate").err


def test_who_blocked_by_a_trigger_waits(world: World) -> None:
    world.configure(MATRIX)
    ada = world.person(role="executor")
    assert ada.handrail("claim", "src/a.py").code == 0
    done = ada.handrail("task", "block", "--rule", "no network", "--json")
    assert done.code == 0, done
    refused = ada.handrail("claim", "src/a.py", "--json")
    assert (refused.code, refused.json()["error"]["code"]) == (1, "handed_off")
    world.sound()

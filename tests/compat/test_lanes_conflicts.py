"""A refused claim is put before the integrator, whose decision lands where people look for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.compat.lanes_ground import TRACKER, Ground, make_ground
from tests.support import Handrail, Result

STATE: Final = "ops/tracker/coordination.json"
BLOCK: Final = ("task", "block", "--rule", "lane-conflict")
DECISION: Final = "bot-2 ends its page first; bot-3 goes on | with the tools until noon."
SCOPE: Final = "site/src"


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A repository whose people follow the lanes' document."""
    return make_ground(tmp_path, tmp_path_factory.mktemp("lanes-template"))


def says(ground: Ground, session: str, *words: str) -> Result:
    """Let a session give a command to Handrail itself."""
    done = Handrail(ground.path)(*words, env={"HANDRAIL_SESSION": session})
    assert "bug" not in done.err
    return done


def refused(ground: Ground) -> None:
    """Let bot-3 ask for what bot-2 holds, and let there be an integrator."""
    assert ground.claims("website", SCOPE).code == 0
    claimed = ground.claims("website", SCOPE, "bot-3", "s-3")
    assert claimed.code == 1
    assert f"next: HANDRAIL_SESSION=s-3 handrail {' '.join(BLOCK)}\n" in claimed.err
    assert ground.claims("integrator", "ops", "boss", "s-boss").code == 0


def shown(ground: Ground) -> tuple[list[dict[str, Any]], str]:
    """Export, and return the conflicts and the tracker's section 3."""
    assert Handrail(ground.path)("export").code == 0
    file = json.loads((ground.path / STATE).read_text())
    tracker = (ground.path / TRACKER).read_text()
    return file["conflicts"], tracker.partition("\n## 3)")[2].partition("\n## 4)")[0]


def test_what_the_integrator_decides_of_a_refused_claim_is_in_both_files(ground: Ground) -> None:
    refused(ground)
    done = says(ground, "s-3", *BLOCK)
    assert done.code == 0, done
    assert "(block) to integrator" in done.out
    told = says(ground, "s-boss", "accept")
    assert told.code == 0, told
    briefing = says(ground, "s-boss", "resume")
    asked = "role website asked for site/src, and bot-2 holds site/src."
    assert asked in briefing.out
    (conflict,), log = shown(ground)
    assert conflict["decision"] == "rejected-active-lease"
    assert "s-boss" not in log
    answered = says(ground, "s-boss", "offer", "--kind", "return", "-m", DECISION)
    assert answered.code == 0, answered
    (conflict,), log = shown(ground)
    assert conflict["decision"] == DECISION
    (row,) = [line for line in log.splitlines() if "s-boss" in line]
    cells = [cell.strip() for cell in row.replace("\\|", "\0").strip("|").split("|")]
    assert cells[1:3] == ["s-boss", "website, integrator"]
    assert cells[3].startswith("lane-conflict ")
    assert cells[3].endswith(": role website asks for site/src, held by bot-2")
    assert cells[4].replace("\0", "|") == DECISION
    assert cells[5] == "closed"
    assert shown(ground) == ([conflict], log), "nothing is told twice"
    back = says(ground, "s-3", "accept")
    assert back.code == 0, back
    assert DECISION in says(ground, "s-3", "resume").out


def test_a_decline_is_a_decision_too_and_only_of_the_newest_conflict(ground: Ground) -> None:
    refused(ground)
    assert ground.claims("website", f"{SCOPE}/a.qmd", "bot-3", "s-3").code == 1
    assert says(ground, "s-3", *BLOCK, "-m", "May I have it? It is for the release.").code == 0
    declined = says(ground, "s-boss", "handoff", "decline", "--reason", "no, wait")
    assert declined.code == 0, declined
    (first, second), log = shown(ground)
    assert (first["decision"], second["decision"]) == ("rejected-active-lease", "no, wait")
    assert "no, wait" in log


def test_of_a_long_answer_the_row_has_the_beginning_and_the_packet_all(ground: Ground) -> None:
    refused(ground)
    assert says(ground, "s-3", *BLOCK).code == 0
    assert says(ground, "s-boss", "accept").code == 0
    answer = "wait\\ | \x01\U0001f6a7 " * 2_400
    done = says(ground, "s-boss", "offer", "--kind", "return", "-m", answer)
    assert done.code == 0, done
    (conflict,), log = shown(ground)
    assert conflict["decision"] == answer[:2_000]
    assert "lane-conflict" in log
    assert Handrail(ground.path)("doctor", "--replay").code == 0
    assert Handrail(ground.path)("ledger", "verify").code == 0


@pytest.mark.parametrize("words", [("--rule", "tests-are-red"), ("--rule", "lane-conflict")])
def test_another_rule_and_another_one_than_a_coordinator_decide_nothing(
    ground: Ground, words: tuple[str, ...]
) -> None:
    refused(ground)
    to = () if "tests-are-red" in words else ("--to", "ops-tooling")
    assert ground.claims("ops-tooling", "tools", "bot-4", "s-4").code == 0
    assert says(ground, "s-3", "task", "block", *words, *to).code == 0
    who = "s-boss" if "tests-are-red" in words else "s-4"
    assert says(ground, who, "accept").code == 0
    done = says(ground, who, "offer", "--kind", "return", "-m", DECISION)
    assert done.code == 0, done
    (conflict,), log = shown(ground)
    assert conflict["decision"] == "rejected-active-lease"
    assert DECISION not in log


def test_who_passes_it_on_or_has_it_no_more_decides_nothing(ground: Ground) -> None:
    refused(ground)
    assert says(ground, "s-3", *BLOCK, "--dry-run").code == 0
    assert says(ground, "s-3", *BLOCK).code == 0
    assert says(ground, "s-3", "handoff", "withdraw").code == 0
    (conflict,), _ = shown(ground)
    assert conflict["decision"] == "rejected-active-lease"
    assert says(ground, "s-3", *BLOCK).code == 0
    assert says(ground, "s-boss", "accept").code == 0
    passed = says(ground, "s-boss", "task", "block", "--rule", "x", "--to", "ops-tooling")
    assert passed.code == 0, passed
    (conflict,), log = shown(ground)
    assert conflict["decision"] == "rejected-active-lease"
    assert "lane-conflict" not in log


@pytest.mark.parametrize("rule", ["", " ", "a\nb", "x" * 201])
def test_what_can_name_no_rule_is_malformed(ground: Ground, rule: str) -> None:
    refused(ground)
    done = says(ground, "s-3", "task", "block", "--rule", rule)
    assert done.code == 2
    assert "next: handrail task block --rule lane-conflict" in done.err
    missing = says(ground, "s-3", "task", "block")
    assert missing.code == 2


@pytest.mark.parametrize(
    "words", [BLOCK, ("handoff", "offer", "--kind", "return"), ("offer", "--kind", "complete")]
)
def test_the_next_command_of_a_refusal_is_the_same_command_mended(
    ground: Ground, words: tuple[str, ...]
) -> None:
    refused(ground)
    done = says(ground, "s-3", *words, "--to", "integrater")
    assert done.code == 2
    step = done.err.partition("next: handrail ")[2].split()
    assert set(words) - {"offer"} <= set(step)
    assert says(ground, "s-3", *step, "--dry-run").code == 0

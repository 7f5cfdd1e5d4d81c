"""The gates of stage land in CI: those of the base, run once, on the tip and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import pytest

from tests.cli.test_ci import Team, team
from tests.service.forge import Pull, payload
from tests.support import Handrail, Result

__all__ = ["team"]

NO_KEY: Final = {"HANDRAIL_LEDGER_KEY": ""}
GATE: Final = """
[[gate]]
id = "tests"
stages = ["land"]
run = ["sh", "-c", "test ! -e src/broken"]
"""


def adopts(team: Team, gates: str = GATE, extra: str = "") -> None:
    """Let the base ask for a gate."""
    team.repo.git("checkout", "--quiet", "--detach", team.main())
    config = team.repo.path / "handrail.toml"
    text = config.read_text()
    if extra:
        text = text.replace("[workspace]\n", f"[workspace]\n{extra}\n", 1)
    config.write_text(text + gates)
    team.pushes(team.repo.commit("gates"), "refs/heads/main")


def held(team: Team, branch: str, *paths: str) -> Pull:
    """Open a pull request whose commits CI attests, in the run that has the key."""
    pull = team.opens(branch, *paths)
    done = team.runs_for(pull, "opened", "--gates", "elsewhere")
    assert done.code == 0, done
    assert "left to another run" in done.err
    return pull


def judges(
    team: Team, pull: Pull, *words: str, at: str | None = None, dirty: str = "", **env: str
) -> Result:
    """Run the job that has no key, with the tip checked out, or something else."""
    clone = team.clone()
    team.repo.git("-C", str(clone), "fetch", "--quiet", "origin", pull.head)
    team.repo.git("-C", str(clone), "checkout", "--quiet", "--detach", at or pull.head)
    if dirty:
        (clone / dirty).write_text("x\n")
    file = clone.with_suffix(".json")
    file.write_text(json.dumps(payload(pull, "synchronize")))
    given = {"GITHUB_EVENT_PATH": str(file), "GITHUB_EVENT_NAME": "pull_request", **env}
    return Handrail(clone)("ci", "--verify", *words, env=given)


def gates_of(done: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.out)["gates"]
    return found


def test_a_gate_that_passes_lets_it_land_and_one_that_fails_does_not(
    team: Team, tmp_path: Path
) -> None:
    adopts(team)
    good = judges(team, held(team, "ada/good", "src/a.py"), "--format", "json")
    assert good.code == 0, good
    (gate,) = gates_of(good)
    assert (gate["gate"], gate["verdict"], gate["receipt"]) == ("tests", "pass", None)
    assert json.loads(good.out)["verdict"] == "pass"
    summary, log = tmp_path / "summary.md", tmp_path / "out.sarif"
    bad = held(team, "ada/bad", "src/broken")
    done = judges(team, bad, "--sarif", str(log), GITHUB_STEP_SUMMARY=str(summary))
    assert done.code == 1, done
    assert "error: gate_failed: tests: sh ended with status 1" in done.out
    assert "pull request #2 may not land" in done.out
    assert "ended with status 1" in summary.read_text()
    (result,) = json.loads(log.read_text())["runs"][0]["results"]
    assert result["ruleId"] == "gate_failed"
    suite = ElementTree.fromstring(judges(team, bad, "--format", "junit").out)
    assert [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None]


def test_the_base_says_which_gates_there_are_and_what_they_run(team: Team) -> None:
    adopts(team, extra='mode = "warn"')
    pull = team.opens("ada/weaker", "src/broken")
    config = team.repo.path / "handrail.toml"
    config.write_text(config.read_text().replace("test ! -e src/broken", "true"))
    pull.head = team.repo.commit("weaken the gate")
    team.pushes(pull.head, "refs/heads/ada/weaker", f"refs/pull/{pull.number}/head")
    (gate,) = gates_of(judges(team, pull, "--format", "json"))
    assert gate["verdict"] == "fail", "the base's own command was run"


@pytest.mark.nightly
def test_a_merge_that_the_forge_made_to_try_it_is_as_good_as_the_tip(team: Team) -> None:
    adopts(team)
    pull = held(team, "ada/one", "src/a.py")
    adopts(team, "\n# a comment\n")
    team.repo.git("checkout", "--quiet", "--detach", team.main())
    team.repo.git("merge", "--quiet", "--no-ff", "-m", "try", pull.head)
    trial = team.pushes(team.repo.git("rev-parse", "HEAD"), f"refs/pull/{pull.number}/merge")
    fetched = judges(team, pull, at=pull.head)
    assert fetched.code == 0, fetched
    done = at_merge(team, pull, trial)
    assert done.code == 0, done
    (team.repo.path / "src/more").write_text("x\n")
    team.repo.git("add", "--all")
    team.repo.git("commit", "--quiet", "--amend", "--no-edit")
    evil = team.pushes(team.repo.git("rev-parse", "HEAD"), f"refs/pull/{pull.number}/merge")
    done = at_merge(team, pull, evil)
    assert done.code == 3, done
    assert "check that out" in done.out


def at_merge(team: Team, pull: Pull, merge: str) -> Result:
    head, pull.head = pull.head, merge
    try:
        clone = team.clone()
        team.repo.git("-C", str(clone), "fetch", "--quiet", "origin", merge)
        team.repo.git("-C", str(clone), "checkout", "--quiet", "--detach", merge)
    finally:
        pull.head = head
    file = clone.with_suffix(".json")
    file.write_text(json.dumps(payload(pull, "synchronize")))
    given = {"GITHUB_EVENT_PATH": str(file), "GITHUB_EVENT_NAME": "pull_request"}
    return Handrail(clone)("ci", "--verify", env=given)


def test_what_is_not_just_the_tip_is_not_judged(team: Team) -> None:
    adopts(team)
    pull = held(team, "ada/one", "src/a.py")
    for done, why in (
        (judges(team, pull, at="origin/main"), "check that out"),
        (judges(team, pull, dirty="src/conftest.py"), "holds what the tip does not"),
    ):
        assert done.code == 3, done
        assert "cannot_tell: tests: the working tree holds" in done.out
        assert why in done.out


def test_beside_the_key_no_gate_is_run_and_nothing_passes_for_it(team: Team) -> None:
    adopts(team, GATE.replace("test ! -e src/broken", "touch ../it-ran"))
    pull = team.opens("ada/one", "src/a.py")
    done = team.runs_for(pull)
    assert done.code == 3, done
    assert "--gates elsewhere" in done.out
    assert not (team.folder / "it-ran").exists()
    assert team.runs_for(pull, "opened", "--gates", "nowhere").code == 2


def test_what_does_not_land_anyway_is_not_run(team: Team) -> None:
    adopts(team, GATE.replace("test ! -e src/broken", "touch ../it-ran"))
    pull = team.opens("ada/one", "src/a.py")
    done = judges(team, pull)
    assert done.code == 3, done
    assert "no_ledger" in done.out
    assert "were not run" in done.err
    assert not (team.folder / "it-ran").exists()


def test_where_nothing_is_enforced_a_gate_is_said_and_refuses_nothing(team: Team) -> None:
    adopts(team, extra='mode = "warn"')
    done = judges(team, held(team, "ada/bad", "src/broken"))
    assert done.code == 0, done
    assert "warning: gate_failed" in done.out
    assert "may not land" in done.out


def test_a_push_to_the_protected_branch_is_asked_too(team: Team) -> None:
    adopts(team, extra='mode = "warn"')
    before = team.main()
    team.repo.git("checkout", "--quiet", "--detach", before)
    team.repo.write("src/broken", "x\n")
    after = team.pushes(team.repo.commit("straight to main"), "refs/heads/main")
    event = {
        "ref": "refs/heads/main",
        "before": before,
        "after": after,
        "forced": False,
        "created": False,
        "deleted": False,
        "repository": {"full_name": "acme/web", "default_branch": "main"},
    }
    done = team.run("push", event, "--verify", "--format", "json", env=NO_KEY)
    assert done.code in (0, 3), done
    assert [gate["verdict"] for gate in gates_of(done)] == ["fail"]


def test_a_base_without_such_gates_runs_nothing(team: Team) -> None:
    adopts(team, GATE.replace('["land"]', '["pre-handoff"]'))
    done = judges(team, held_plain(team), "--format", "json")
    assert done.code == 0, done
    assert gates_of(done) == []


def held_plain(team: Team) -> Pull:
    pull = team.opens("ada/one", "src/a.py")
    assert team.runs_for(pull).code == 0
    return pull

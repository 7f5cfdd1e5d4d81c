"""``check STAGE`` and ``evidence`` as they are typed: verdicts, receipts, hostile commands."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.gates.registry import GATES
from tests.cli.world import Person, World, refusal, unharmed
from tests.formats import check_json, check_junit, check_sarif
from tests.support import Result

GATE: Final = '\n[[gate]]\nid = "{id}"\nstages = ["pre-handoff"]\nrun = {run}\n{more}\n'
ROLE: Final = '\n[[role]]\nname = "worker"\nlane = ["**"]\n'
PRE_HANDOFF: Final = [
    gate.id for gate in GATES if "pre-handoff" in gate.stages and gate.unasked != "off"
]
REPORT: Final = "<testsuite><testcase classname='a' name='b'/></testsuite>"


def gate(id: str, *run: str, more: str = "") -> str:
    return GATE.format(id=id, run=json.dumps(run), more=more)


def shell(id: str, script: str, more: str = "") -> str:
    return gate(id, "sh", "-c", script, more=more)


def configured(world: World, *texts: str) -> Person:
    """Put gates into force and commit them: the tree is clean."""
    text = "".join(texts)
    world.configure(text if "[[role]]" in text else ROLE + text)
    world.repo.commit("configuration", "handrail.toml")
    return world.shell()


def told(done: Result) -> dict[str, Any]:
    """Read the verdicts of an answer in JSON, by gate."""
    return {one["gate"]: one for one in json.loads(done.out)["gates"]}


def one_verdict(person: Person, name: str, *words: str) -> dict[str, Any]:
    done = person.handrail("check", "pre-handoff", "--only", name, "--json", *words)
    verdict: dict[str, Any] = told(done)[name]
    assert done.code == {"pass": 0, "fail": 1, "cannot-tell": 3}[verdict["verdict"]]
    return verdict


# --- evidence ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 7, 255])
def test_a_run_ends_as_its_command_does_and_leaves_a_receipt(world: World, status: int) -> None:
    person = world.person()
    with unharmed(world.store):
        done = person.handrail("evidence", "run", "--", "sh", "-c", f"echo hello; exit {status}")
    assert (done.code, done.err) == (status, "hello\n")
    receipt = json.loads(person.handrail("evidence", "list", "--json").out)["receipts"][-1]
    assert (receipt["exit_status"], receipt["session"]) == (status, person.session)
    assert receipt["commit"] == world.repo.git("rev-parse", "HEAD")
    assert receipt["tree"] == world.repo.git("rev-parse", "HEAD^{tree}")
    assert (receipt["dirt"], receipt["output_tail"]) == ("", "hello\n")


def test_who_has_no_session_records_too_and_a_wrong_one_does_not(world: World) -> None:
    assert world.shell().handrail("evidence", "run", "-q", "--", "true").code == 0
    stranger = world.shell(HANDRAIL_SESSION="nobody")
    with unharmed(world.store):
        done = stranger.handrail("evidence", "run", "--", "touch", str(world.path / "ran"))
    assert refusal(done).code == "unknown_session"
    assert not (world.path / "ran").exists()


def test_it_runs_where_it_is_typed_and_options_of_the_command_stay_its_own(world: World) -> None:
    folder = world.path / "sub"
    folder.mkdir()
    done = world.shell(folder).handrail("evidence", "run", "--json", "--", "ls", "--json", "-q")
    receipt = json.loads(done.out)
    assert (receipt["argv"], receipt["folder"]) == (["ls", "--json", "-q"], "sub")


def test_secrets_do_not_reach_the_ledger(world: World) -> None:
    person = world.shell()
    words = ("sh", "-c", "echo password=hunter22", "--token", "hunter22")
    assert person.handrail("evidence", "run", "-q", "--", *words).code == 0
    assert "hunter22" not in person.handrail("ledger", "export").out
    assert "[redacted]" in person.handrail("evidence", "list").out


def test_a_time_that_is_over_is_no_status_of_the_command(world: World) -> None:
    words = ("--timeout", "200ms", "--", "sleep", "60")
    done = world.shell().handrail("evidence", "run", "--json", *words)
    receipt = json.loads(done.out)
    assert (done.code, receipt["ended"], receipt["exit_status"]) == (3, "timed-out", None)


@pytest.mark.parametrize(
    "words",
    [(), ("--", "./nothing"), ("--gate", "nope"), ("--gate", "fine", "--", "true"), ("--", "")],
)
def test_what_cannot_be_run_is_refused_and_nothing_is_recorded(
    world: World, words: tuple[str, ...]
) -> None:
    person = configured(world, gate("fine", "echo"))
    before = person.handrail("evidence", "list").out
    assert refusal(person.handrail("evidence", "run", *words)).code == "usage"
    assert person.handrail("evidence", "list").out == before == "no receipts\n"


def test_a_gate_of_ones_own_command_cannot_be_claimed(world: World) -> None:
    person = configured(world, shell("tests", "exit 1"))
    assert refusal(person.handrail("evidence", "run", "--gate", "tests", "--", "true")).next
    assert (
        person.handrail("evidence", "run", "--gate", "tests", "--", "sh", "-c", "exit 1").code == 1
    )
    assert one_verdict(person, "tests")["verdict"] == "fail"


# --- command gates -------------------------------------------------------------------------------


def test_a_success_counts_until_the_tree_changes_and_a_failure_is_tried_again(
    world: World,
) -> None:
    person = configured(world, shell("tests", "test ! -e broken"))
    first = one_verdict(person, "tests")
    again = one_verdict(person, "tests")
    assert (first["reused"], again["reused"]) == (False, True)
    assert first["receipt"] == again["receipt"]
    world.repo.write("broken", "x\n")
    assert [one_verdict(person, "tests")["verdict"] for _ in range(2)] == ["fail", "fail"]
    (world.path / "broken").unlink()
    done = person.handrail("check", "pre-handoff", "--only", "tests")
    assert done.out.splitlines()[0] == f"pass: tests (from receipt {first['receipt']})"


@pytest.mark.parametrize(
    ("fresh_for", "after_dirt", "after_commit"),
    [("tree", False, False), ("commit", False, False), ("1h", True, True), ("never", False, False)],
)
def test_how_long_a_receipt_counts_is_a_setting(
    world: World, fresh_for: str, *, after_dirt: bool, after_commit: bool
) -> None:
    person = configured(world, gate("tests", "true", more=f'fresh_for = "{fresh_for}"'))
    one_verdict(person, "tests")
    assert one_verdict(person, "tests")["reused"] == (fresh_for != "never")
    world.repo.write("more", "x\n")
    assert one_verdict(person, "tests")["reused"] == after_dirt
    world.repo.commit("more", "more")
    assert one_verdict(person, "tests")["reused"] == after_commit


def test_the_same_tree_in_another_commit_counts_for_the_tree_alone(world: World) -> None:
    more = '[[gate]]\nid = "by-commit"\nstages = ["pre-handoff"]\nrun = ["true"]\n'
    person = configured(world, gate("by-tree", "true"), f'{more}fresh_for = "commit"\n')
    assert person.handrail("check", "pre-handoff").code == 0
    world.repo.git("commit", "--quiet", "--allow-empty", "-m", "same tree")
    found = told(person.handrail("check", "pre-handoff", "--json"))
    assert (found["by-tree"]["reused"], found["by-commit"]["reused"]) == (True, False)


def test_another_definition_is_another_question(world: World) -> None:
    person = configured(world, gate("tests", "true", more='fresh_for = "1h"'))
    assert one_verdict(person, "tests")["verdict"] == "pass"
    configured(world, gate("tests", "false", more='fresh_for = "1h"'))
    assert one_verdict(person, "tests")["verdict"] == "fail"


@pytest.mark.parametrize(
    ("script", "more", "why"),
    [
        ("sleep 60", 'timeout = "1s"', "timed out"),
        ("kill -SEGV $$", "", "signal 11 ended it"),
        ("echo x >made", "", "the working tree changed meanwhile"),
        ("git commit --quiet --allow-empty -m x", "", "the working tree changed meanwhile"),
        ("true", 'report = "r.xml"', "the report r.xml was not written"),
        ("echo '<!DOCTYPE a>' >r.xml", 'report = "r.xml"', "document type"),
        ("ln -sf /etc/passwd r.xml", 'report = "r.xml"', "symbolic link"),
    ],
)
def test_what_hangs_crashes_or_leaves_no_true_answer_cannot_tell(
    world: World, script: str, more: str, why: str
) -> None:
    person = configured(world, shell("odd", script, more))
    verdict = one_verdict(person, "odd")
    assert verdict["verdict"] == "cannot-tell"
    assert why in verdict["reason"]
    again = one_verdict(person, "odd")
    assert not again["reused"]


def test_a_program_that_is_not_there_cannot_tell(world: World) -> None:
    verdict = one_verdict(configured(world, gate("odd", "./nothing")), "odd")
    assert (verdict["verdict"], verdict["receipt"]) == ("cannot-tell", None)


def test_a_report_of_before_is_not_believed(world: World) -> None:
    write = f'test -e skip || echo "{REPORT}" >r.xml'
    person = configured(world, shell("tests", write, 'report = "r.xml"\nfresh_for = "never"'))
    assert one_verdict(person, "tests")["verdict"] == "pass"
    receipt = json.loads(person.handrail("evidence", "list", "--json").out)["receipts"][-1]
    assert receipt["tests_passed"] == 1
    world.repo.write("skip", "x\n")
    assert one_verdict(person, "tests")["verdict"] == "cannot-tell"


def test_gates_run_beside_each_other_and_exclusive_ones_alone(world: World, tmp_path: Path) -> None:
    meet = 'for i in $(seq 500); do test -e "$1" && exit 0; sleep 0.02; done; exit 1'
    one, two, log = (str(tmp_path / name) for name in ("one", "two", "log"))
    both = [
        gate(name, "sh", "-c", f'touch "$0"; {meet}; echo {name} >>{log}', mine, other)
        for name, mine, other in (("one", one, two), ("two", two, one))
    ]
    alone = shell("alone", f"rm {one} {two}", "exclusive = true")
    done = configured(world, alone, *both).handrail("check", "pre-handoff", "--json")
    assert {one["verdict"] for one in told(done).values()} == {"pass"}, done.err
    assert not os.path.exists(one)
    running = [line for line in done.err.splitlines() if ": sh -c" in line]
    assert [line.split(": ")[1] for line in running] == ["one", "two", "alone"]


def test_a_gates_environment_is_its_own(world: World) -> None:
    more = 'env = { COLOUR = "blue" }'
    person = configured(world, shell("tests", 'test "$COLOUR" = blue', more))
    assert one_verdict(person, "tests")["verdict"] == "pass"


# --- stages --------------------------------------------------------------------------------------


def test_each_repair_that_is_named_leads_on_until_all_pass(world: World, tmp_path: Path) -> None:
    person = world.shell(GIT_EDITOR="true")
    world.repo.git("init", "--quiet", "--bare", str(tmp_path / "hub"))
    world.repo.git("remote", "add", "origin", str(tmp_path / "hub"))
    world.repo.write("new.txt", "x\n")
    seen = list[str]()
    while (done := person.handrail("check", "pre-handoff")).code and len(seen) < 5:
        step = done.out.splitlines()[-1].removeprefix("next: ")
        seen.append(step)
        fixed = person.types(step.replace("git commit", "git commit -m change"))
        assert fixed.code == 0, fixed.err
    assert seen == ["git add --all && git commit", "git push -u origin main"]
    assert done.out.splitlines()[-1] == f"pre-handoff: {len(PRE_HANDOFF)} gates pass"


def test_push_and_land_ask_rule_v(world: World) -> None:
    world.repo.git("update-ref", "refs/remotes/origin/main", "HEAD")
    ada = world.person()
    world.repo.write("src/a.py", "x\n")
    world.repo.commit("change", "src/a.py")
    for stage in ("push", "land"):
        done = ada.handrail("check", stage)
        assert (done.code, "unseen" in done.out) == (1, True)
    assert ada.types("handrail claim src && handrail attest HEAD").code == 0
    assert [ada.handrail("check", stage).code for stage in ("push", "land")] == [0, 0]


def test_a_switch_lets_a_gate_advise_or_be_silent(world: World) -> None:
    world.repo.write("new.txt", "x\n")
    person = configured(world, '[gates]\ncommitted = "advise"\npushed = "off"\n')
    done = person.handrail("check", "pre-handoff", "--json")
    assert (done.code, list(told(done))) == (0, [one for one in PRE_HANDOFF if one != "pushed"])
    assert told(done)["committed"]["verdict"] == "fail"
    github = person.handrail("check", "pre-handoff", "--format", "github")
    assert (github.code, github.out.startswith("::warning file=new.txt")) == (0, True)


def test_what_hooks_judge_anyway_is_not_switched_off(world: World) -> None:
    person = configured(world, '[gates]\nattested = "off"\nlease-live = "off"\n')
    assert list(told(person.handrail("check", "push", "--json"))) == [
        *("attested", "sandbox", "packet-current")
    ]


def test_what_a_gate_protects_is_a_coordinators_to_change(world: World) -> None:
    lead = '[[role]]\nname = "lead"\nlane = ["**"]\ncoordinates = true\n'
    text = '[[gate]]\nid = "tests"\nstages = ["land"]\nrun = ["true"]\nprotects = ["ci/**"]\n'
    configured(world, ROLE, lead, text)
    world.repo.write("ci/run", "x\n")
    world.repo.git("add", "ci")
    for role, code in (("worker", 1), ("lead", 0)):
        person = world.person(role=role)
        done = person.handrail("check", "commit", "--json")
        # The hook of the commit refuses it, too, so the gate that asks the hook's rule says so.
        verdict = "fail" if code else "pass"
        assert (done.code, told(done)["lease-live"]["verdict"]) == (code, verdict)
        assert told(done)["policy-change"]["verdict"] == verdict


@pytest.mark.parametrize("form", ["json", "junit", "sarif", "github"])
def test_other_formats_tell_what_binds_and_what_nobody_can_tell(world: World, form: str) -> None:
    person = configured(world, shell("red", "exit 4"), shell("odd", "kill -9 $$"))
    done = person.handrail("check", "pre-handoff", "--format", form, "-q")
    assert (done.code, done.err) == (1, "")
    if form == "junit":
        check_junit(done.out)
        suite = ElementTree.fromstring(done.out)
        assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == (
            str(len(PRE_HANDOFF) + 2),
            *("1", "1"),
        )
    elif form == "sarif":
        check_sarif(json.loads(done.out))
        results = json.loads(done.out)["runs"][0]["results"]
        assert [one["ruleId"] for one in results] == ["gate_failed", "cannot_tell"]
    elif form == "json":
        check_json(json.loads(done.out))
        assert json.loads(done.out)["next"] == "handrail evidence run --gate red"
    else:
        assert done.out.count("::error") == 2


def test_nothing_runs_where_nothing_shall(world: World) -> None:
    person = configured(world, shell("tests", f"touch {world.path}/ran"))
    assert person.handrail("check", "pre-handoff", "--no-commands").code == 0
    assert not (world.path / "ran").exists()


@pytest.mark.parametrize(
    "words", [(), ("edit",), ("nope",), ("push", "--only", "committed"), ("land", "--format", "x")]
)
def test_a_question_that_makes_no_sense_is_refused(world: World, words: tuple[str, ...]) -> None:
    assert refusal(world.shell().handrail("check", *words)).code == "usage"


def test_the_self_test_finds_paths_that_nothing_is_at(world: World) -> None:
    assert world.shell().handrail("check", "--self-test").code == 0
    more = 'protects = ["ci/**"]'
    person = configured(world, gate("tests", "true", more=more), '[references]\ndocs = ["D.md"]\n')
    done = person.handrail("check", "--self-test")
    assert done.code == 1
    assert "'ci/**': watches_nothing: tests watches it" in done.out
    assert "D.md: watches_nothing" in done.out


def test_gates_work_in_the_middle_of_a_rebase_and_on_no_branch(world: World) -> None:
    person = configured(world, gate("tests", "true"))
    world.repo.git("checkout", "--quiet", "--detach")
    assert person.handrail("check", "pre-handoff").code == 0
    (world.path / ".git" / "rebase-merge").mkdir()
    done = person.handrail("check", "pre-handoff")
    assert (done.code, done.out.splitlines()[-1]) == (1, "next: git rebase --continue")

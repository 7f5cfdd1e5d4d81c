"""``handrail verify`` as it is typed: exit status, next command, and the formats of others."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail import __version__
from handrail.core.events import CommitUnattributed
from handrail.core.landing import CODES
from handrail.core.lease import Actor
from handrail.edge.findings import (
    ANNOTATIONS_MAX,
    Case,
    Finding,
    fingerprint,
    junit,
    sarif,
    uri,
    workflow_commands,
)
from handrail.text import visible
from tests.cli.world import Person, World, refusal, refusal_in_json, unharmed

ZERO: Final = "0" * 40


@pytest.fixture
def ada(world: World) -> Person:
    """Somebody with a session, in a repository whose remote has what is here."""
    world.repo.git("update-ref", "refs/remotes/origin/main", "HEAD")
    return world.person()


def change(world: World, *paths: str) -> str:
    for path in paths:
        world.repo.write(path, "changed\n")
    return world.repo.commit("change of\tmine", *(f":(literal){path}" for path in paths))


def test_nothing_to_judge_is_done(world: World, ada: Person) -> None:
    done = ada.handrail("verify")
    assert (done.code, done.out, done.err) == (0, "no commits to judge\n", "")


def test_what_is_said_leads_from_a_refusal_to_a_commit_that_may_land(
    world: World, ada: Person
) -> None:
    commit = change(world, "src/a.py")
    with unharmed(world.store):
        done = ada.handrail("verify")
    assert (done.code, done.err) == (1, "")
    first, second, third, fourth = done.out.splitlines()
    assert first == f"refused: {commit[:12]} change of\\tmine"
    assert second == "    unseen: src/a.py: the ledger knows nothing of it"
    assert third == "1 commit may not land: 1 unseen"
    step = fourth.removeprefix("next: ")
    said = refusal(ada.types(step))
    assert said.code == "not_holder"
    assert ada.types(said.next).code == 0
    assert ada.types(step).code == 0
    assert ada.types("handrail release --all").code == 0
    done = ada.handrail("verify")
    assert (done.code, done.out) == (0, "1 commit may land: 1 attested\n")


def test_what_one_landed_stays_good_though_another_goes_on_there(world: World, ada: Person) -> None:
    bob = world.person()
    for person in (ada, bob):
        assert person.types("handrail claim src").code == 0
        world.repo.write("src/a.py", f"{person.session}\n")
        world.repo.commit("change", "src/a.py")
        assert person.types("handrail attest HEAD && handrail release src").code == 0
    change(world, "src/b.py")
    for _ in range(50):
        world.claim(bob.session or "", "src/a.py")
        world.release(bob.session or "")
    done = ada.handrail("verify", "origin/main..HEAD~1")
    assert (done.code, done.out) == (0, "2 commits may land: 2 attested\n")
    assert ada.handrail("verify").code == 1


def test_several_refused_commits_have_one_way_out(world: World, ada: Person) -> None:
    commits = [change(world, f"src/{number}") for number in range(3)]
    done = ada.handrail("verify", "origin/main..HEAD")
    step = done.out.splitlines()[-1].removeprefix("next: ")
    assert ada.types("handrail claim src").code == 0
    assert ada.types(step).code == 0
    assert ada.handrail("verify", *commits).code == 0


def test_a_stale_agent_is_told_whom_to_wait_for(world: World, ada: Person) -> None:
    change(world, "src/a.py")
    bob = world.session()
    world.claim(bob, "src")
    step = ada.handrail("verify").out.splitlines()[-1].removeprefix("next: ")
    assert refusal(ada.types(step)).code == "scope_held"


def test_json_is_one_object_with_every_commit(world: World, ada: Person) -> None:
    good = world.repo.commit("nothing")
    bad = change(world, "src/\udcff.py")
    for words in (("--json",), ("--format", "json")):
        done = ada.handrail("verify", *words)
        assert done.code == 1
        told = done.json()
        assert told["verdict"] == "refused"
        assert told["base"] == world.repo.git("rev-parse", "origin/main")
        assert [commit["commit"] for commit in told["commits"]] == [good, bad]
        assert [commit["code"] for commit in told["commits"]] == ["empty", "unseen"]
        assert told["commits"][1]["path"] == "src/\udcff.py"
        assert told["next"] == f"handrail attest {bad[:12]}"


def test_sarif_has_a_result_for_each_objection_and_a_rule_for_each_code(
    world: World, ada: Person
) -> None:
    world.repo.commit("nothing")
    bad = change(world, "src/a b#%.py")
    done = ada.handrail("verify", "--format", "sarif")
    assert done.code == 1
    log = done.json()
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["semanticVersion"]) == ("handrail", __version__)
    assert [rule["id"] for rule in driver["rules"]] == list(CODES)
    assert all("{" not in rule["shortDescription"]["text"] for rule in driver["rules"])
    (result,) = run["results"]
    assert result["ruleId"] == "unseen"
    assert driver["rules"][result["ruleIndex"]]["id"] == "unseen"
    assert result["level"] == "error"
    assert bad[:12] in result["message"]["text"]
    (location,) = result["locations"]
    artifact = location["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "src/a%20b%23%25.py", "uriBaseId": "%SRCROOT%"}
    again = ada.handrail("verify", "--format", "sarif").json()
    assert again == log, "the same objection has the same fingerprint"


def test_junit_has_a_test_for_each_commit(world: World, ada: Person) -> None:
    good = world.repo.commit("nothing <&>")
    bad = change(world, 'src/"a"\udcff&\n.py')
    done = ada.handrail("verify", "--format", "junit")
    assert done.code == 1
    suites = ElementTree.fromstring(done.out)
    (suite,) = suites
    assert [suites.get(name) for name in ("tests", "failures", "errors")] == ["2", "1", "0"]
    first, second = suite
    assert (first.get("name"), list(first)) == (f"{good[:12]} nothing <&>", [])
    assert second.get("name") == f"{bad[:12]} change of\\tmine"
    (failure,) = second
    assert (failure.tag, failure.get("type")) == ("failure", "unseen")
    assert failure.get("message") == ('src/"a"\\udcff&\\n.py: the ledger knows nothing of it')


@given(name=st.text(), message=st.text())
def test_what_nobody_can_tell_is_an_error_in_junit(name: str, message: str) -> None:
    text = junit("s", [Case(name, "redacted", message, told=False), Case(name, None, "")])
    (suite,) = ElementTree.fromstring(text)
    assert (suite.get("errors"), suite.get("failures")) == ("1", "0")
    assert [case.get("name") for case in suite] == [visible(name)] * 2
    assert suite[0][0].get("message") == visible(message)


def test_annotations_are_made_of_one_line_each(world: World, ada: Person) -> None:
    bad = change(world, "src/a,b:c%d\n.py")
    done = ada.handrail("verify", "--format", "github")
    assert done.code == 1
    (line,) = done.out.splitlines()
    head, _, message = line.removeprefix("::").partition("::")
    assert head == "error file=src/a%2Cb%3Ac%25d\\n.py,title=handrail%3A unseen"
    assert message.startswith(bad[:12])


def test_what_passes_and_should_be_known_is_noted(world: World, ada: Person) -> None:
    commit = change(world, "src/a.py")
    with world.open() as application, application.store.transaction() as tx:
        tx.commit([CommitUnattributed((("r", ZERO, commit),), (commit,), "no store")], Actor())
    done = ada.handrail("verify")
    assert done.code == 0
    assert done.out.splitlines()[0].startswith(f"note: {commit[:12]}")
    assert done.out.splitlines()[-1] == "1 commit may land: 1 unattributed"
    assert ada.handrail("verify", "--format", "github").out.startswith("::notice ")


def test_where_landing_only_warns_it_is_said_and_done(world: World, ada: Person) -> None:
    toml = (world.path / "handrail.toml").read_text()
    world.repo.write("handrail.toml", f'{toml}\n[mode]\nland = "warn"\n')
    world.repo.commit("mode")
    world.repo.git("update-ref", "refs/remotes/origin/main", "HEAD")
    change(world, "src/a.py")
    done = ada.handrail("verify")
    assert (done.code, done.err) == (
        0,
        "note: the base says warn for landing, so nothing is refused\n",
    )
    assert "1 commit may not land" in done.out
    told = ada.handrail("verify", "--json").json()
    assert (told["mode"], told["verdict"]) == ("warn", "refused")
    assert ada.handrail("verify", "--format", "github").out.startswith("::warning ")


def test_a_hook_before_a_push_lets_through_what_is_attested(world: World, ada: Person) -> None:
    world.repo.git("update-ref", "-d", "refs/remotes/origin/main")
    remote = world.path.parent / "remote.git"
    world.repo.git("init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    world.repo.git("remote", "add", "origin", str(remote))
    world.repo.git("push", "--quiet", "--set-upstream", "origin", "main")
    hook = world.path / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexec handrail verify --stdin\n")
    hook.chmod(0o755)
    new = change(world, "src/a.py")
    assert ada.types("git push --quiet").code != 0
    assert ada.types("git push --quiet origin HEAD:refs/heads/other").code == 0
    ada.types("handrail claim src && handrail attest HEAD")
    assert ada.types("git push --quiet").code == 0
    assert world.repo.git("rev-parse", "refs/remotes/origin/main") == new


def test_a_push_is_read_from_stdin(world: World, ada: Person) -> None:
    old = world.repo.git("rev-parse", "HEAD")
    new = change(world, "src/a.py")
    lines = f"{old} {new} refs/heads/main\n{ZERO} {new} refs/heads/x\x1b[31m\n"
    done = ada.handrail("verify", "--stdin", input=lines)
    assert done.code == 1
    assert "unseen: src/a.py" in done.out
    assert done.err == "note: refs/heads/x\\x1b[31m is not protected and was not judged\n"
    assert ada.handrail("verify", "--stdin", input="").code == 0
    assert refusal(ada.handrail("verify", "--stdin", input="\udcff\n")).code == "malformed_range"
    assert refusal(ada.handrail("verify", "--stdin", "HEAD", input=lines)).code == "usage"


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (("nonsense",), "malformed_range", 2),
        (("HEAD..nonsense",), "malformed_range", 2),
        (("--format", "xml"), "usage", 2),
        (("--format", "sarif", "--json"), "usage", 2),
        (("--", "--all"), "malformed_range", 2),
    ],
)
def test_a_question_that_makes_no_sense_is_malformed(
    world: World, ada: Person, words: tuple[str, ...], code: str, status: int
) -> None:
    done = ada.handrail("verify", *words)
    said = (refusal_in_json if "--json" in words else refusal)(done)
    assert (said.code, said.status) == (code, status)


def test_what_cannot_be_told_is_status_three(world: World, ada: Person) -> None:
    change(world, "src/a.py")
    tree = world.repo.git("rev-parse", "HEAD^{tree}")
    (world.path / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    said = refusal(ada.handrail("verify"))
    assert (said.code, said.status) == ("facts_unavailable", 3)


def test_a_merge_that_drops_work_leads_to_a_rebase(world: World, ada: Person) -> None:
    world.repo.git("switch", "--quiet", "-c", "side")
    change(world, "src/landed")
    world.repo.git("switch", "--quiet", "main")
    world.repo.git("update-ref", "refs/remotes/origin/main", "side")
    change(world, "docs/x")
    ada.types("handrail claim docs && handrail attest HEAD")
    world.repo.git("merge", "--quiet", "--no-edit", "--strategy=ours", "side")
    done = ada.handrail("verify")
    assert done.code == 1
    assert "unseen: src/landed" in done.out
    assert ada.types(done.out.splitlines()[-1].removeprefix("next: ")).code == 0
    assert ada.handrail("verify").code == 0


# -------------------------------------------------------------------------------- formats, purely


def a_finding(number: int, **given: Any) -> Finding:
    values = {"path": f"p{number}", "subject": f"{number:040x}", "message": "m", **given}
    return Finding("unseen", "error", **values)


def test_there_are_never_more_annotations_than_are_shown() -> None:
    lines: list[str] = []
    for many in (0, 1, ANNOTATIONS_MAX, ANNOTATIONS_MAX + 1, 500):
        lines = workflow_commands([a_finding(number) for number in range(many)]).splitlines()
        assert len(lines) == min(many, ANNOTATIONS_MAX)
    assert lines[-1].endswith(f"and {500 - ANNOTATIONS_MAX + 1} more")


@given(st.text(), st.text())
def test_whatever_a_path_or_message_holds_an_annotation_is_one_line(
    path: str, message: str
) -> None:
    line = workflow_commands([a_finding(1, path=path, message=message)])
    assert line.isprintable()
    head = line.removeprefix("::").split("::")[0]
    assert head.count(",") == 1
    assert head.count("=") >= 2


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_uri_gives_the_path_again(path: str) -> None:
    from urllib.parse import unquote

    assert unquote(uri(path)) == path
    assert uri(path).isascii()
    assert not set(uri(path)) & set(' "<>\\^`{|}#?%') - {"%"}


def test_findings_have_fingerprints_of_their_own_and_a_place() -> None:
    one = a_finding(1)
    others = [one._replace(code="octopus"), one._replace(path=None), one._replace(subject="x")]
    assert len({fingerprint(finding) for finding in (one, *others)}) == 4
    assert fingerprint(one) == fingerprint(one._replace(message="other"))
    log: Any = sarif([one._replace(path=None)], {"unseen": "x {y}"}, "handrail.toml")
    (result,) = json.loads(json.dumps(log))["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place["uri"] == "handrail.toml"

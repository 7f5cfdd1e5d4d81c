"""CI alone, as its runs are: an event file, a fresh clone, a key; only the ledger ref stays."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.edge.summary import ROWS_MAX, SUMMARY_BYTES_MAX, Row, summary
from handrail.facts.keys import make_key, signer_from_file
from tests.service.forge import CONFIG, Pull, payload
from tests.support import Handrail, Repo, Result

EPOCH: Final = "c1c1c1c1"
LEDGER: Final = f"refs/handrail/ledger/{EPOCH}"


@dataclass
class Team:
    """A remote, somebody who works at it, and runs of CI, each in a clone of its own."""

    repo: Repo
    remote: Path
    key: Path
    folder: Path
    runs: int = 0
    pulls: int = 0
    counting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def secret(self) -> str:
        return self.key.read_text()

    def main(self) -> str:
        return self.git("rev-parse", "refs/heads/main")

    def git(self, *words: str) -> str:
        return self.repo.git("--git-dir", str(self.remote), *words)

    def pushes(self, commit: str, *refs: str) -> str:
        for ref in refs:
            self.repo.git("push", "--quiet", "--force", str(self.remote), f"{commit}:{ref}")
        return commit

    def opens(self, branch: str, *paths: str, **given: Any) -> Pull:
        """Push a branch and open a pull request, as the forge keeps it."""
        self.pulls += 1
        base = self.main()
        self.repo.git("switch", "--quiet", "--force-create", branch, base)
        pull = Pull(self.pulls, branch, base, base, **given)
        for path in paths:
            target = self.repo.path / path
            before = target.read_text() if target.exists() else ""
            self.repo.write(path, f"{before}{branch}\n")
            pull.head = self.repo.commit(f"change {path}")
        self.pushes(pull.head, f"refs/heads/{branch}", f"refs/pull/{pull.number}/head")
        return pull

    def squashes(self, pull: Pull) -> str:
        """Land a pull request as one commit, and delete its branch."""
        self.repo.git("checkout", "--quiet", "--detach", self.main())
        self.repo.git("merge", "--quiet", "--squash", pull.head)
        landed = self.pushes(self.repo.commit(f"Work (#{pull.number})"), "refs/heads/main")
        self.git("update-ref", "-d", f"refs/heads/{pull.branch}")
        return landed

    def clone(self) -> Path:
        with self.counting:
            self.runs += 1
            clone = self.folder / f"run-{self.runs}"
        self.repo.git("clone", "--quiet", "--no-local", f"file://{self.remote}", str(clone))
        return clone

    def runs_for(
        self,
        pull: Pull,
        action: str = "opened",
        *words: str,
        env: dict[str, str] | None = None,
        **more: Any,
    ) -> Result:
        """Run CI for an event of a pull request."""
        return self.run("pull_request", payload(pull, action, **more), *words, env=env)

    def run(
        self, name: str, event: object, *words: str, env: dict[str, str] | None = None
    ) -> Result:
        clone = self.clone()
        file = clone.with_suffix(".json")
        file.write_text(json.dumps(event))
        given = {"GITHUB_EVENT_PATH": str(file), "GITHUB_EVENT_NAME": name}
        given |= {"HANDRAIL_LEDGER_KEY": self.secret, **(env or {})}
        return Handrail(clone)("ci", *words, env={k: v for k, v in given.items() if v})

    def ledger(self) -> str | None:
        return self.git("for-each-ref", "--format=%(objectname)", LEDGER) or None


@pytest.fixture
def team(tmp_path: Path) -> Team:
    key = tmp_path / "ci.key"
    make_key(str(key))
    remote = tmp_path / "remote.git"
    repo = Repo.create(tmp_path / "dev")
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(remote)], check=True)
    public = signer_from_file(str(key)).public_key
    epoch = f'\n[[epoch]]\nid = "{EPOCH}"\nkey = "{public}"\nholder = "ci"\n'
    repo.write("handrail.toml", CONFIG + epoch)
    repo.commit("adopt")
    team = Team(repo, remote, key, tmp_path)
    team.pushes(repo.git("rev-parse", "HEAD"), "refs/heads/main")
    return team


def said(done: Result) -> dict[str, Any]:
    assert done.code in (0, 1, 3), done
    found: dict[str, Any] = done.json()
    return found


def codes(done: Result) -> list[str]:
    told = said(done)
    return [one["code"] for one in told["objections"] or told["commits"]]


# -------------------------------------------------------------------------------------------- shows


def test_two_that_overlap_and_the_second_after_the_first_was_squashed_and_closed(
    team: Team,
) -> None:
    one, two = team.opens("ada/work", "src/a.py"), team.opens("bob/work", "src/a.py", login="bob")
    first = team.runs_for(one, "opened", "--json")
    assert (first.code, codes(first)) == (0, ["attested"]), first
    second = team.runs_for(two)
    assert second.code == 1
    assert "scope_held: src/a.py: pull request #1 (agent ada)" in second.out
    base = team.main()
    landed = team.squashes(one)
    closed = team.runs_for(one, "closed", merged=True, merge_commit_sha=landed)
    assert closed.code == 0, closed
    assert team.runs_for(two, "synchronize").code == 0
    fresh = team.clone()
    Handrail(fresh)("--version")
    team.repo.git("fetch", "--quiet", "origin", f"{LEDGER}:{LEDGER}", cwd=fresh)
    judged = Handrail(fresh)("verify", f"{base}..{landed}", "--json").json()
    assert [one["code"] for one in judged["commits"]] == ["attested"], judged


def test_the_ledger_ref_moves_forward_one_commit_a_run_and_no_ref_of_the_clone_moves(
    team: Team,
) -> None:
    pull = team.opens("ada/work", "src/a.py")
    team.runs_for(pull)
    first = team.ledger()
    assert first is not None
    pull.head = team.opens("ada/work", "src/b.py").head
    team.pushes(pull.head, "refs/pull/1/head")
    team.runs_for(pull, "synchronize")
    assert team.git("rev-list", "--count", LEDGER) == "2"
    team.git("merge-base", "--is-ancestor", first, LEDGER)
    clone = team.folder / "run-2"
    refs = team.repo.git("for-each-ref", "--format=%(refname)", cwd=clone).split()
    assert not [ref for ref in refs if "ledger" in ref]
    assert not (clone / ".git" / "handrail").exists()


def test_runs_at_once_lose_nothing(team: Team) -> None:
    pulls = [team.opens(f"ada/{number}", f"src/{number}.py") for number in range(4)]
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda pull: team.runs_for(pull, "opened", "--json"), pulls))
    assert [result.code for result in done] == [0] * 4, done
    rival = team.opens("eve/all", *[f"src/{number}.py" for number in range(4)])
    refused = said(team.runs_for(rival, "opened", "--json"))
    assert [one["path"] for one in refused["objections"]] == [f"src/{n}.py" for n in range(4)]


# ------------------------------------------------------------------------------------- who may what


def test_without_its_key_a_run_is_no_pass(team: Team) -> None:
    pull = team.opens("ada/work", "src/a.py")
    done = team.runs_for(pull, "opened", "--json", env={"HANDRAIL_LEDGER_KEY": ""})
    assert (done.code, codes(done)) == (3, ["no_key"])
    assert team.ledger() is None


def test_a_fork_without_a_key_is_judged_by_the_ledger_as_it_is(team: Team) -> None:
    one = team.opens("ada/work", "src/a.py")
    team.runs_for(one)
    before = team.ledger()
    env = {"HANDRAIL_LEDGER_KEY": ""}
    free = team.opens("patch-1", "src/b.py", repository="eve/web")
    done = team.runs_for(free, "opened", env=env)
    assert (done.code, "fork" in done.err) == (0, True), done
    held = team.opens("patch-2", "src/a.py", repository="eve/web")
    assert team.runs_for(held, "opened", env=env).code == 1
    assert team.ledger() == before


def test_a_fork_holds_nothing_even_where_there_is_a_key_and_is_attested_when_merged(
    team: Team,
) -> None:
    fork = team.opens("patch-1", "src/a.py", repository="eve/web")
    done = team.run("pull_request_target", payload(fork), "--json")
    assert (done.code, said(done)["recorded"], team.ledger()) == (0, False, None), done
    base, landed = team.main(), team.squashes(fork)
    closed = payload(fork, "closed", merged=True, merge_commit_sha=landed)
    assert team.run("pull_request_target", closed).code == 0
    zero = {"created": False, "deleted": False, "forced": False}
    push = {"ref": "refs/heads/main", "before": base, "after": landed, **zero}
    pushed = team.run("push", push, "--json", env={"HANDRAIL_LEDGER_KEY": ""})
    assert (pushed.code, codes(pushed)) == (0, ["attested"]), pushed


def test_a_merge_group_is_judged_by_the_ledger_of_the_remote(team: Team) -> None:
    pull, bad = team.opens("ada/work", "src/a.py"), team.opens("bob/work", "src/b.py")
    team.runs_for(pull)
    base = team.main()
    for number, (one, expected) in enumerate(((pull, 0), (bad, 1))):
        team.repo.git("checkout", "--quiet", "--detach", base)
        team.repo.git("merge", "--quiet", "--squash", one.head)
        group = team.repo.commit("group")
        team.pushes(group, f"refs/heads/gh-readonly-queue/main/{number}")
        shas = {"head_sha": group, "base_sha": base, "head_ref": "q", "base_ref": "refs/heads/main"}
        done = team.run("merge_group", {"action": "checks_requested", "merge_group": shas})
        assert done.code == expected, done


def test_a_key_that_the_base_does_not_enrol_is_refused(team: Team, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    make_key(str(other))
    done = team.runs_for(
        team.opens("x", "src/a"), "opened", env={"HANDRAIL_LEDGER_KEY": other.read_text()}
    )
    assert (done.code, "malformed_key" in done.err) == (2, True)
    assert "PRIVATE" not in done.err
    named = team.runs_for(
        team.opens("y", "src/b"), "opened", "--key", str(team.key), env={"HANDRAIL_LEDGER_KEY": ""}
    )
    assert named.code == 0, named


def test_a_ledger_that_was_tampered_with_cannot_be_believed(team: Team) -> None:
    pull = team.opens("ada/work", "src/a.py")
    team.runs_for(pull)
    tree = team.git("rev-parse", "main^{tree}")
    forged = team.git("commit-tree", tree, "-p", LEDGER, "-m", "ledger x")
    team.git("update-ref", LEDGER, forged)
    done = team.runs_for(pull, "edited")
    assert done.code == 3, done
    assert "malformed" in done.err


def test_a_trial_says_the_same_and_writes_nothing(team: Team) -> None:
    done = team.runs_for(team.opens("ada/work", "src/a.py"), "opened", "--dry-run")
    assert (done.code, team.ledger()) == (0, None)


def test_verify_claims_nothing(team: Team) -> None:
    pull = team.opens("ada/work", "src/a.py")
    env = {"HANDRAIL_LEDGER_KEY": ""}
    assert team.runs_for(pull, "opened", "--verify", env=env).code != 0
    team.runs_for(pull)
    assert team.runs_for(pull, "opened", "--verify", env=env).code == 0


def test_an_event_of_an_older_head_is_found_by_the_ref_of_the_forge(team: Team) -> None:
    pull = team.opens("ada/work", "src/a.py")
    team.pushes(team.opens("ada/work", "src/b.py").head, "refs/pull/1/head")
    done = team.runs_for(pull, "synchronize", "--json")
    assert (done.code, codes(done)) == (3, ["outdated_event"])


# ---------------------------------------------------------------------------------- files of events


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{", "it"),
        ("[]", "it"),
        ("[" * 100_000, "it"),
        ("{}", "pull_request"),
        ('{"pull_request": {}, "action": 1}', "action"),
    ],
)
def test_a_file_that_is_no_event_is_malformed_and_the_field_is_named(
    team: Team, text: str, field: str
) -> None:
    file = team.folder / "event.json"
    file.write_text(text)
    done = Handrail(team.clone())("ci", str(file), "--event", "pull_request")
    assert (
        done.code,
        f"malformed_event: The forge's event makes no sense: {field}" in done.err,
    ) == (
        2,
        True,
    ), done


def test_outside_of_a_run_an_event_has_to_be_given(team: Team) -> None:
    done = Handrail(team.clone())("ci")
    assert (done.code, "event file" in done.err) == (2, True)
    assert Handrail(team.clone())("ci", "nowhere.json", "--event", "push").code == 3


def test_a_merge_request_is_told_by_variables_alone(team: Team) -> None:
    pull = team.opens("ada/work", "src/a.py")
    team.git("update-ref", f"refs/merge-requests/{pull.number}/head", pull.head)
    variables = {
        "GITLAB_CI": "true",
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_MERGE_REQUEST_IID": str(pull.number),
        "CI_MERGE_REQUEST_TITLE": "Work",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": pull.base,
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": pull.branch,
        "CI_MERGE_REQUEST_PROJECT_PATH": "acme/web",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "acme/web",
        "CI_COMMIT_SHA": pull.head,
        "CI_DEFAULT_BRANCH": "main",
        "GITLAB_USER_LOGIN": "ada",
        "HANDRAIL_LEDGER_KEY": team.secret,
    }
    done = Handrail(team.clone())("ci", "--json", env=variables)
    assert (done.code, codes(done)) == (0, ["attested"]), done
    del variables["CI_MERGE_REQUEST_IID"]
    lacking = Handrail(team.clone())("ci", env=variables)
    assert (lacking.code, "CI_MERGE_REQUEST_IID: it is missing" in lacking.err) == (2, True)
    file = team.folder / "closed.json"
    told = {**variables, "CI_MERGE_REQUEST_IID": str(pull.number), "action": "closed"}
    file.write_text(json.dumps({k: v for k, v in told.items() if k != "HANDRAIL_LEDGER_KEY"}))
    env = {"HANDRAIL_LEDGER_KEY": team.secret}
    closed = Handrail(team.clone())("ci", str(file), "--event", "gitlab", env=env)
    assert (closed.code, "is free" in closed.err) == (0, True), closed


# -------------------------------------------------------------------------------------- how it says


def test_annotations_summary_and_sarif_say_the_same(team: Team) -> None:
    one, two = team.opens("a", "src/a.py"), team.opens("b", "src/a.py")
    team.runs_for(one)
    page, sarif = team.folder / "page.md", team.folder / "out.sarif"
    page.write_text("before\n")
    env = {"GITHUB_STEP_SUMMARY": str(page)}
    done = team.runs_for(two, "opened", "--format", "github", "--sarif", str(sarif), env=env)
    assert done.code == 1
    assert done.out.startswith(
        "::error file=src/a.py,title=handrail%3A scope_held::pull request #1"
    )
    assert page.read_text().startswith("before\n### Handrail: ")
    assert "<code>scope&#95;held</code>" in page.read_text()
    results = json.loads(sarif.read_text())["runs"][0]["results"]
    assert [one["ruleId"] for one in results] == ["scope_held", "unseen"]


def test_a_summary_that_cannot_be_written_changes_no_verdict(team: Team) -> None:
    env = {"GITHUB_STEP_SUMMARY": str(team.folder / "no" / "folder")}
    done = team.runs_for(team.opens("a", "src/a.py"), "opened", env=env)
    assert (done.code, "note: " in done.err) == (0, True)


HOSTILE: Final = (
    "<script>![x](http://e.example/x) @admin #1 www.e.example `a` | \n# b [c](d) &lt; \x1b[2J"
)


def test_nothing_hostile_renders_on_the_page() -> None:
    written = summary("refused", HOSTILE, [Row("error", "c", HOSTILE, HOSTILE)], [HOSTILE])
    own = written.replace("<code>", "").replace("</code>", "")
    for sign in "<>[]()!@`\x1b":
        assert sign not in own
    assert "http:" not in own
    assert "www." not in own
    assert own.count("\n") == 2 + 2 + 1 + 2
    assert all(line.count("|") in (0, 5) for line in own.splitlines())


def test_a_page_has_a_bound_whatever_stands_in_it() -> None:
    row = Row("error", "c", "\U0010ffff" * 10_000, "\U0010fffd" * 10_000)
    written = summary("refused", "x" * 10_000, [row] * 5_000, ["\U0001f600" * 10_000] * 5_000)
    assert len(written.encode()) <= SUMMARY_BYTES_MAX
    assert f"and {5_000 - ROWS_MAX} more" in written


def test_no_git_that_is_run_sees_the_key(team: Team) -> None:
    pull = team.opens("ada/work", "src/a.py")
    folder = team.folder / "bin"
    folder.mkdir()
    real = subprocess.run(["which", "git"], check=True, capture_output=True, text=True).stdout
    log = team.folder / "seen"
    script = folder / "git"
    script.write_text(
        f'#!/bin/sh\nenv | grep -c HANDRAIL_LEDGER_KEY >> "{log}"\nexec {real.strip()} "$@"\n'
    )
    script.chmod(0o755)
    done = team.runs_for(pull, env={"PATH": f"{folder}:{os.environ['PATH']}"})
    assert done.code == 0, done
    assert set(log.read_text().split()) == {"0"}

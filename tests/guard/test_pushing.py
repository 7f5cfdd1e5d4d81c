"""``pre-push``: the ledger goes before the branch; what may not land is stopped where it binds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from handrail.service.enforcement import pause
from handrail.service.setup import apply_config
from handrail.wiring import Application
from handrail.wiring.sharing import enrolment
from tests.guard.conftest import Agents
from tests.sharing_support import LEDGERS, refs_of
from tests.support import Handrail, Repo, Result, launcher

AGENT: Final = {"CLAUDECODE": "1"}
"""Commits of an agent without a session are recorded as unattested."""
Push = Callable[..., Result]


def run(repo: Repo, *argv: str, **env: str) -> Result:
    """Run a program in a repository, with nothing on stdin."""
    done = subprocess.run(
        argv,
        cwd=repo.path,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Result(argv, done.returncode, done.stdout, done.stderr)


@pytest.fixture
def bare(guarded: Repo, tmp_path: Path) -> Path:
    """The remote ``origin``, which has what HEAD has."""
    path = tmp_path / "remote.git"
    guarded.git("init", "--quiet", "--bare", "--initial-branch=main", str(path))
    guarded.git("remote", "add", "origin", str(path))
    guarded.git("push", "--quiet", "--no-verify", "--set-upstream", "origin", "main")
    return path


@pytest.fixture
def push(guarded: Repo, bare: Path) -> Push:
    """Push as somebody does."""

    def pushing(*words: str, **env: str) -> Result:
        return run(guarded, "git", "push", *(words or ("origin", "main")), **env)

    return pushing


def enroll(repo: Repo) -> str:
    """Enrol the store and land that; returns its ref."""
    application = Application.open(str(repo.path), {}, terminal=True)
    try:
        done = enrolment(application).enroll()
        apply_config(application.context)
    finally:
        application.close()
    repo.commit("enrol")
    repo.git("push", "--quiet", "--no-verify", "origin", "main")
    return LEDGERS + done.epoch


def mode(repo: Repo, text: str) -> None:
    """Put a mode for pushes into force, and land that."""
    path = repo.path / "handrail.toml"
    path.write_text(f'{path.read_text()}\n[mode]\npush = "{text}"\n')
    application = Application.open(str(repo.path), {}, terminal=True)
    try:
        apply_config(application.context)
    finally:
        application.close()
    repo.commit("mode")
    repo.git("push", "--quiet", "--no-verify", "origin", "main")


def unattested(repo: Repo, path: str = "src/a.py") -> str:
    """Commit as an agent that has no session."""
    repo.write(path, "unattested\n")
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "by nobody", env=AGENT)
    return repo.git("rev-parse", "HEAD")


def hook_log(repo: Repo) -> str:
    path = repo.path / ".git" / "handrail" / "hook.log"
    return path.read_text() if path.exists() else ""


# --- the ledger before the branch ----------------------------------------------------------------


def test_the_ledger_of_an_enrolled_store_goes_along(
    guarded: Repo, bare: Path, push: Push, agents: Agents
) -> None:
    ref = enroll(guarded)
    ada = agents("s-ada")
    ada.edit("src/a.py", "one\n")
    assert ada.commits("work").code == 0
    done = push()
    assert done.code == 0, done
    assert refs_of(bare) == refs_of(guarded.path)
    assert ref in refs_of(bare)
    assert "handrail" not in done.err, "nothing is said where nothing is to be said"
    head = Repo(bare).git("log", "-1", "--format=%s", ref)
    assert head == f"ledger {Handrail(guarded.path)('ledger', 'verify', '--json').json()['head']}"


def test_whoever_clones_then_can_judge_what_was_pushed(
    guarded: Repo, bare: Path, push: Push, agents: Agents, tmp_path: Path
) -> None:
    enroll(guarded)
    base = guarded.git("rev-parse", "HEAD")
    ada = agents("s-ada")
    ada.edit("src/a.py", "one\n")
    ada.commits("work")
    assert push().code == 0
    fresh = tmp_path / "fresh"
    guarded.git("clone", "--quiet", str(bare), str(fresh))
    handrail = Handrail(fresh)
    assert handrail("verify", f"{base}..HEAD", "--base", base).code != 0
    assert handrail("ledger", "sync").code == 0
    assert handrail("verify", f"{base}..HEAD", "--base", base).code == 0


def test_a_store_that_is_not_enrolled_shares_nothing_by_the_way(
    guarded: Repo, bare: Path, push: Push
) -> None:
    guarded.commit("by a person")
    done = push()
    assert (done.code, refs_of(bare)) == (0, {})
    assert "not enrolled" not in done.err, "nobody is, so nobody judges by ledgers"


def test_a_store_that_is_not_enrolled_where_others_are_is_told(
    guarded: Repo, bare: Path, push: Push
) -> None:
    enroll(guarded)
    path = guarded.path / "handrail.toml"
    epoch = Handrail(guarded.path)("ledger", "verify", "--json").json()["head"].split(":")[0]
    path.write_text(path.read_text().replace(f'"{epoch}"', '"another1"'))
    mode(guarded, "shadow")
    done = push("origin", "main:side")
    assert "not enrolled" not in done.err, "that branch is nobody's business"
    guarded.commit("by a person")
    done = push()
    assert (done.code, refs_of(bare)) == (0, {})
    assert "note: this store is not enrolled" in done.err
    assert done.err.count("handrail enroll\n") == 1


def test_a_ledger_that_cannot_be_shared_is_said_and_stops_nothing(
    guarded: Repo, bare: Path, push: Push
) -> None:
    enroll(guarded)
    hooks = bare / "hooks"
    hooks.mkdir(exist_ok=True)
    (hooks / "update").write_text("#!/bin/sh\ncase $1 in *handrail*) exit 1;; esac\n")
    (hooks / "update").chmod(0o755)
    guarded.commit("by a person")
    done = push()
    assert done.code == 0, done
    assert "ledger_not_taken" in done.err
    assert "the push goes on" in done.err
    assert "ledger_not_taken" in hook_log(guarded)
    assert Repo(bare).git("rev-parse", "main") == guarded.git("rev-parse", "HEAD")


def test_a_key_that_was_lost_stops_no_push(guarded: Repo, push: Push) -> None:
    enroll(guarded)
    (guarded.path / ".git" / "handrail" / "epoch.key").unlink()
    guarded.commit("by a person")
    done = push()
    assert done.code == 0
    assert "malformed_key" in done.err


def test_a_push_of_ledgers_alone_is_let_through_at_once(
    guarded: Repo, bare: Path, push: Push
) -> None:
    ref = enroll(guarded)
    assert Handrail(guarded.path)("ledger", "sync").code == 0
    before = refs_of(bare)
    guarded.git("update-ref", "-d", ref)
    done = push("origin", f"HEAD~1:{LEDGERS}aaaa")
    assert done.code == 0
    assert refs_of(bare) == {**before, f"{LEDGERS}aaaa": guarded.git("rev-parse", "HEAD~1")}
    assert ref not in refs_of(guarded.path), "nobody synced"


def test_an_address_in_place_of_a_name_gets_the_ledger_too(
    guarded: Repo, bare: Path, push: Push
) -> None:
    ref = enroll(guarded)
    guarded.commit("by a person")
    assert push(str(bare), "main").code == 0
    assert ref in refs_of(bare)


# --- judging -------------------------------------------------------------------------------------


def test_what_may_not_land_is_stopped_with_what_verify_says(
    guarded: Repo, bare: Path, push: Push, handrail: Handrail
) -> None:
    before = Repo(bare).git("rev-parse", "main")
    commit = unattested(guarded)
    told = handrail("verify", "origin/main..HEAD")
    done = push()
    assert done.code != 0
    assert done.err.startswith(told.out)
    assert f"handrail attest {commit[:12]}" in done.err
    assert Repo(bare).git("rev-parse", "main") == before
    assert "push unattested enforce" in hook_log(guarded)


def test_it_lands_once_it_is_attested(guarded: Repo, push: Push, agents: Agents) -> None:
    commit = unattested(guarded)
    assert push().code != 0
    ada = agents("s-ada")
    ada.begins()
    assert ada.run([*launcher(), "claim", "src"], env={"HANDRAIL_SESSION": "s-ada"}).code == 0
    done = ada.run([*launcher(), "attest", commit], env={"HANDRAIL_SESSION": "s-ada"})
    assert done.code == 0, done
    assert push().code == 0


@pytest.mark.parametrize("how", ["warn", "shadow"])
def test_where_it_does_not_bind_it_is_said_or_written_down(
    guarded: Repo, push: Push, how: str
) -> None:
    mode(guarded, how)
    unattested(guarded)
    done = push()
    assert done.code == 0
    assert ("may not land" in done.err) == (how == "warn")
    assert f"push unattested {how}" in hook_log(guarded)


def test_while_it_is_switched_off_nothing_is_stopped(guarded: Repo, push: Push) -> None:
    unattested(guarded)
    application = Application.open(str(guarded.path), {}, terminal=True)
    try:
        pause(application.context, 60_000)
    finally:
        application.close()
    done = push()
    assert done.code == 0
    assert "may not land" not in done.err


@pytest.mark.parametrize(
    "words", [("origin", "main:feature"), ("origin", "main:refs/tags/x"), ("origin", ":gone")]
)
def test_refs_that_are_not_protected_are_not_judged(
    guarded: Repo, push: Push, words: tuple[str, ...]
) -> None:
    guarded.git("push", "--quiet", "--no-verify", "origin", "main:gone")
    unattested(guarded)
    done = push(*words)
    assert done.code == 0, done
    assert "may not land" not in done.err


def test_a_push_of_replace_refs_is_stopped(guarded: Repo, push: Push) -> None:
    guarded.git("replace", "HEAD", "HEAD~1")
    assert push("origin", "refs/replace/*").code != 0


def test_work_of_persons_is_let_through(guarded: Repo, bare: Path, push: Push) -> None:
    guarded.write("src/a.py", "a person's\n")
    commit = guarded.commit("by hand")
    assert push().code == 0
    assert Repo(bare).git("rev-parse", "main") == commit


def test_what_cannot_be_judged_here_is_let_through_with_a_notice(
    guarded: Repo, bare: Path, push: Push
) -> None:
    guarded.write("handrail.toml", "[workspace\n")
    broken = guarded.commit("broken")
    guarded.git("push", "--quiet", "--no-verify", "origin", "main")
    unattested(guarded)
    done = push()
    assert done.code == 0, done
    assert "was not judged here" in done.err
    assert Repo(bare).git("rev-parse", "main~1") == broken


def test_no_verify_goes_past_it(guarded: Repo, push: Push) -> None:
    unattested(guarded)
    assert push("--no-verify", "origin", "main").code == 0


def test_without_a_store_a_push_is_none_of_its_business(guarded: Repo, push: Push) -> None:
    unattested(guarded)
    (guarded.path / ".git" / "handrail" / "state.db").unlink()
    assert push().code == 0


# --- beside other hooks --------------------------------------------------------------------------


def put(repo: Repo, script: str) -> Path:
    """Put a hook where ours is, and ours in front of it."""
    path = repo.path / ".git" / "hooks" / "pre-push"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    assert Handrail(repo.path)("init").code == 0
    return path


def test_the_hook_that_was_there_sees_the_same_words_and_lines(
    guarded: Repo, bare: Path, push: Push, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    put(guarded, f'{{ echo "$@"; cat; }} >{seen}')
    old = guarded.git("rev-parse", "HEAD")
    commit = unattested(guarded)
    done = push("origin", "main", "main:feature")
    assert done.code != 0, "and ours judges the same lines"
    lines = seen.read_text().splitlines()
    assert lines == [
        f"origin {bare}",
        f"refs/heads/main {commit} refs/heads/main {old}",
        f"refs/heads/main {commit} refs/heads/feature {'0' * 40}",
    ]


def test_where_nothing_is_pushed_the_hook_that_was_there_sees_no_line(
    guarded: Repo, push: Push, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    path = put(guarded, f"cat >{seen}; exit 3")
    for words in ((str(path), "origin", "x"), ("/bin/sh", str(path), "origin", "x")):
        done = run(guarded, *words)
        assert done.code == 3
        assert seen.read_text() == ""


def test_a_hook_that_was_there_and_says_no_is_heard(guarded: Repo, push: Push) -> None:
    put(guarded, "cat >/dev/null; exit 1")
    guarded.commit("by a person")
    assert push().code != 0

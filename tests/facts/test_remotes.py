"""Talking to remotes: real repositories at the other end, that take, refuse, forbid or are gone."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest

from handrail.errors import FactsUnavailable
from handrail.errors.landing import RemoteUnavailable, UnknownRemote
from handrail.facts import remotes as module
from handrail.facts.remotes import DONE, FORBIDDEN, KEY_VARIABLE, RACED, Remotes
from tests.cli.world import eventually
from tests.support import Repo

REF: Final = "refs/handrail/ledger/3fk2"
BRANCH: Final = "refs/heads/handrail/ledger/3fk2"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.create(tmp_path / "work")


@pytest.fixture
def bare(repo: Repo, tmp_path: Path) -> Path:
    """A bare repository that is the remote ``origin``."""
    path = tmp_path / "remote.git"
    repo.git("init", "--quiet", "--bare", str(path))
    repo.git("remote", "add", "origin", str(path))
    return path


@pytest.fixture
def remotes(repo: Repo) -> Remotes:
    return Remotes(str(repo.path))


def written(remotes: Remotes, text: bytes = b"one\n", parent: str | None = None) -> str:
    tree = remotes.write_tree({"head": remotes.write_file(text)}, {})
    return remotes.write_commit(tree, parent, "ledger\n", 1_767_225_600)


def hook(bare: Path, name: str, script: str) -> None:
    path = bare / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def at(bare: Path, ref: str) -> str:
    argv = ["git", "--git-dir", str(bare), "for-each-ref", "--format=%(objectname)", ref]
    return subprocess.run(argv, capture_output=True, check=True, text=True).stdout.strip()


# --- which remote --------------------------------------------------------------------------------


def test_the_branchs_remote_comes_first_then_origin_then_the_only_one(
    repo: Repo, remotes: Remotes
) -> None:
    with pytest.raises(UnknownRemote, match="has no remote"):
        remotes.chosen(None)
    repo.git("remote", "add", "fork", "/nowhere")
    assert remotes.chosen(None) == "fork"
    repo.git("remote", "add", "up", "/nowhere")
    with pytest.raises(UnknownRemote, match="fork, up"):
        remotes.chosen(None)
    repo.git("remote", "add", "origin", "/nowhere")
    assert remotes.chosen(None) == "origin"
    repo.git("config", "branch.main.remote", "up")
    assert remotes.chosen(None) == "up"
    assert remotes.chosen("fork") == "fork"
    repo.git("config", "branch.main.remote", ".")
    assert remotes.chosen(None) == "origin"
    repo.git("checkout", "--quiet", "--detach")
    assert remotes.chosen(None) == "origin"


@pytest.mark.parametrize(
    "asked", ["", "-x", "--upload-pack=touch x", "a\nb", " origin", "nothing", "x" * 5_000]
)
def test_what_is_no_remote_is_refused_before_git_sees_it(remotes: Remotes, asked: str) -> None:
    with pytest.raises(UnknownRemote):
        remotes.chosen(asked)


@pytest.mark.parametrize("asked", ["/some/where", "../x.git", "https://h/x", "git@h:x.git"])
def test_an_address_is_a_remote_too(remotes: Remotes, asked: str) -> None:
    assert remotes.chosen(asked) == asked


# --- objects and local refs ----------------------------------------------------------------------


def test_the_same_words_give_the_same_commit_whoever_writes_it(
    repo: Repo, remotes: Remotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = written(remotes)
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Mallory")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "@1 +0200")
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    repo.git("config", "user.name", "Mallory")
    repo.git("config", "i18n.commitEncoding", "ISO-8859-1")
    repo.git("config", "commit.gpgSign", "true")
    assert written(remotes) == first
    assert written(remotes, parent=first) != first


def test_a_local_ref_moves_by_compare_and_swap(repo: Repo, remotes: Remotes) -> None:
    one = written(remotes)
    two = written(remotes, parent=one)
    three = written(remotes, b"three\n", one)
    assert remotes.move(REF, one, None)
    assert not remotes.move(REF, two, None), "somebody made it meanwhile"
    assert remotes.move(REF, two, one)
    assert not remotes.move(REF, three, one), "somebody moved it meanwhile"
    assert remotes.refs("refs/handrail/ledger/") == {REF: two}
    assert remotes.contains(two, one)
    assert not remotes.contains(one, two)
    assert not remotes.contains(three, two)


def test_no_hook_of_the_repository_sees_a_ledger_move(repo: Repo, remotes: Remotes) -> None:
    folder = repo.path / ".git" / "hooks"
    folder.mkdir(exist_ok=True)
    seen = repo.path.parent / "seen"
    for name in ("reference-transaction", "pre-push"):
        (folder / name).write_text(f"#!/bin/sh\necho {name} >>{seen}\n")
        (folder / name).chmod(0o755)
    other = repo.path.parent / "other.git"
    repo.git("init", "--quiet", "--bare", str(other))
    one = written(remotes)
    assert remotes.move(REF, one, None)
    assert remotes.push(str(other), one, BRANCH).outcome == DONE
    assert remotes.fetch(str(other), [BRANCH])
    assert not seen.exists()


def test_commits_are_told_from_what_is_missing_or_of_another_kind(remotes: Remotes) -> None:
    one, file = written(remotes), remotes.write_file(b"x")
    assert remotes.commits_among([one, file, "0" * 40]) == {one}
    assert remotes.commits_among([]) == set()


def test_git_that_fails_is_said(tmp_path: Path) -> None:
    with pytest.raises(FactsUnavailable):
        Remotes(str(tmp_path)).refs("refs/")


# --- pushing -------------------------------------------------------------------------------------


def test_a_push_makes_the_ref_and_moves_it_forward(bare: Path, remotes: Remotes) -> None:
    one = written(remotes)
    two = written(remotes, parent=one)
    assert remotes.push("origin", one, REF).outcome == DONE
    assert remotes.push("origin", two, REF).outcome == DONE
    assert remotes.push("origin", two, REF).outcome == DONE, "what is there already is fine"
    assert remotes.listed("origin", ["refs/handrail/ledger/"]) == {REF: two}
    assert at(bare, REF) == two


def test_what_does_not_fast_forward_is_never_overwritten(
    bare: Path, repo: Repo, remotes: Remotes, tmp_path: Path
) -> None:
    one = written(remotes)
    two, rival = written(remotes, b"two\n", one), written(remotes, b"rival\n", one)
    remotes.push("origin", two, REF)
    for settings in ((), ("remote.origin.push", f"+{rival}:{REF}"), ("push.default", "matching")):
        if settings:
            repo.git("config", *settings)
        told = remotes.push("origin", rival, REF)
        assert told.outcome == RACED, told
        assert at(bare, REF) == two
    assert remotes.push("origin", one, REF).outcome == RACED, "nor taken back"
    # What this repository has never seen is not overwritten either.
    other = Repo.create(tmp_path / "other")
    other.git("remote", "add", "origin", str(bare))
    stranger = Remotes(str(other.path))
    assert stranger.push("origin", written(stranger, b"stranger\n"), REF).outcome == RACED
    assert at(bare, REF) == two


def test_a_ref_that_moves_between_the_look_and_the_push_is_a_race(
    bare: Path, remotes: Remotes
) -> None:
    one = written(remotes)
    two, rival = written(remotes, b"two\n", one), written(remotes, b"rival\n", one)
    remotes.push("origin", one, REF)
    remotes.push("origin", rival, "refs/handrail/spare")
    hook(bare, "pre-receive", f"unset GIT_QUARANTINE_PATH; git update-ref {REF} {rival}")
    told = remotes.push("origin", two, REF)
    assert told.outcome == RACED, told
    assert at(bare, REF) == rival


@pytest.mark.parametrize(
    "where", ["pre-receive", "update", "receive.hideRefs", "transfer.hideRefs"]
)
def test_a_host_that_takes_no_such_ref_is_told_from_a_race(
    bare: Path, remotes: Remotes, where: str
) -> None:
    if where in ("pre-receive", "update"):
        condition = "case $1 in refs/handrail/*) exit 1;; esac" if where == "update" else "exit 1"
        hook(bare, where, f"echo 'no such refs here' >&2; {condition}")
    else:
        subprocess.run(
            ["git", "--git-dir", str(bare), "config", where, "refs/handrail"], check=True
        )
    told = remotes.push("origin", written(remotes), REF)
    assert told.outcome == FORBIDDEN, told
    assert told.reason
    if where in ("pre-receive", "update"):
        assert "no such refs here" in told.reason, "what the remote said is passed on"


def test_nothing_else_goes_along(bare: Path, repo: Repo, remotes: Remotes) -> None:
    repo.git("tag", "-a", "-m", "a tag", "v1")
    for name, value in (("push.followTags", "true"), ("push.gpgSign", "true")):
        repo.git("config", name, value)
    assert remotes.push("origin", written(remotes), REF).outcome == DONE
    assert list(Remotes(str(bare)).refs("refs/")) == [REF]


def test_the_key_of_the_environment_reaches_no_git(
    bare: Path, remotes: Remotes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    hook(bare, "pre-receive", f"env >{seen}")
    monkeypatch.setenv(KEY_VARIABLE, "the private key")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    assert remotes.push("origin", written(remotes), REF).outcome == DONE
    assert KEY_VARIABLE not in seen.read_text()
    assert "SSH_AUTH_SOCK=/agent" in seen.read_text()


# --- listing and fetching ------------------------------------------------------------------------


def test_a_fetch_brings_the_commits_and_moves_no_ref(
    bare: Path, repo: Repo, remotes: Remotes, tmp_path: Path
) -> None:
    one = written(remotes)
    remotes.push("origin", one, REF)
    repo.git("push", "--quiet", "origin", "HEAD:refs/tags/v1")
    other = Repo.create(tmp_path / "other")
    other.git("remote", "add", "origin", str(bare))
    other.git("config", "fetch.prune", "true")
    other.git("config", "remote.origin.fetch", "+refs/*:refs/*")
    before = other.git("for-each-ref")
    there = Remotes(str(other.path))
    assert there.fetch("origin", [REF])
    assert there.commits_among([one]) == {one}
    assert other.git("for-each-ref") == before
    assert not (other.path / ".git" / "FETCH_HEAD").exists()
    assert not there.fetch("origin", ["refs/handrail/ledger/gone"])


def test_only_refs_at_the_right_place_are_listed(bare: Path, remotes: Remotes) -> None:
    one = written(remotes)
    for ref in (REF, BRANCH, f"refs/heads/x/{REF}", "refs/heads/main"):
        assert remotes.push("origin", one, ref).outcome == DONE
    found = remotes.listed("origin", ["refs/handrail/ledger/", "refs/heads/handrail/ledger/"])
    assert found == {REF: one, BRANCH: one}


@pytest.mark.parametrize("what", ["listed", "fetch", "push"])
@pytest.mark.parametrize("address", ["/nowhere/x.git", "nosuchhelper::x", "ssh://127.0.0.1:1/x"])
def test_a_remote_that_cannot_be_reached_is_unavailable(
    remotes: Remotes, what: str, address: str
) -> None:
    words: tuple[object, ...] = (written(remotes), REF) if what == "push" else ([REF],)
    with pytest.raises(RemoteUnavailable) as caught:
        getattr(remotes, what)(address, *words)
    assert caught.value.values["reason"]


def test_a_remote_that_hangs_is_given_up_with_all_it_started(
    repo: Repo, remotes: Remotes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "ASK_TIMEOUT_S", 1)
    pid = tmp_path / "pid"
    script = tmp_path / "ssh"
    script.write_text(f"#!/bin/sh\necho $$ >{pid}\nexec sleep 600\n")
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    started = time.monotonic()
    with pytest.raises(RemoteUnavailable, match="took more than"):
        remotes.listed("git@example.org:x.git", ["refs/"])
    assert time.monotonic() - started < 30
    state = Path(f"/proc/{pid.read_text().strip()}/stat")
    assert eventually(lambda: not state.exists() or ") Z " in state.read_text())


def test_a_remote_that_never_stops_talking_is_given_up(
    remotes: Remotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OUTPUT_BYTES_MAX", 10)
    with pytest.raises(FactsUnavailable, match="more than 10 bytes"):
        remotes.write_file(b"x")


def test_where_pushes_go_to_another_address_that_one_is_asked_too(
    bare: Path, repo: Repo, remotes: Remotes, tmp_path: Path
) -> None:
    other = tmp_path / "other.git"
    repo.git("init", "--quiet", "--bare", str(other))
    repo.git("remote", "set-url", "--push", "origin", str(other))
    one = written(remotes)
    assert remotes.push("origin", one, REF).outcome == DONE
    assert at(bare, REF) == ""
    assert remotes.listed("origin", ["refs/handrail/"]) == {REF: one}
    assert os.path.isdir(bare)

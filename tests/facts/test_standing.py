"""How a working tree stands, in real repositories in every state that they can be in."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from handrail import errors
from handrail.core.receipts import UNKNOWN_DIRT
from handrail.facts import standing
from handrail.facts.begun import LISTING, Begun
from handrail.facts.dirt import begin_dirty
from handrail.facts.standing import look, look_pushed, look_tree
from handrail.gates.facts import Facts, Standing
from handrail.gates.tree import pushed
from tests.support import RUN_TIMEOUT_S, Repo


def stands(repo: Repo, *reports: str) -> Standing:
    return look(str(repo.path), str(repo.path / ".git"), reports)


def test_a_clean_tree_has_its_commit_its_tree_and_no_fingerprint(repo: Repo) -> None:
    commit, tree = repo.git("rev-parse", "HEAD"), repo.git("rev-parse", "HEAD^{tree}")
    assert stands(repo) == Standing(commit, tree, None, (), "")


def test_an_unborn_branch_has_neither(tmp_path: Path) -> None:
    Repo.create(tmp_path / "other")
    repo = Repo(tmp_path / "new")
    repo.path.mkdir()
    repo.git("init", "--quiet")
    assert stands(repo) == Standing("", "", None, (), "")
    assert not look_pushed(str(repo.path)).contained
    assert look_tree(str(repo.path), ["a"]).documents == (("a", None),)


def test_the_fingerprint_is_of_the_bytes_and_comes_back_with_them(repo: Repo) -> None:
    repo.write("a", "1\n")
    one = stands(repo)
    repo.write("a", "2\n")
    two = stands(repo)
    repo.write("a", "1\n")
    assert one.dirty == two.dirty == ("a",)
    assert one.fingerprint == stands(repo).fingerprint != two.fingerprint
    repo.git("add", "a")
    assert stands(repo).fingerprint == one.fingerprint


def test_what_git_ignores_and_reports_that_are_untracked_are_no_dirt(repo: Repo) -> None:
    repo.write(".gitignore", "build/\n")
    repo.commit("ignore", ".gitignore")
    repo.write("build/x", "1\n")
    repo.write("junit.xml", "1\n")
    assert stands(repo, "junit.xml").fingerprint == ""
    assert stands(repo).dirty == ("junit.xml",)
    repo.commit("report", "junit.xml")
    repo.write("junit.xml", "2\n")
    assert stands(repo, "junit.xml").dirty == ("junit.xml",)


def test_dirt_that_nobody_can_compare_says_so(repo: Repo) -> None:
    Repo.create(repo.path / "nested")
    assert stands(repo).fingerprint == UNKNOWN_DIRT


@pytest.mark.parametrize("operation", ["rebase", "merge", "cherry-pick", "revert"])
def test_what_is_not_over_is_told(repo: Repo, operation: str) -> None:
    repo.write("a", "base\n")
    repo.commit("base", "a")
    repo.git("checkout", "--quiet", "-b", "topic")
    repo.write("a", "topic\n")
    repo.commit("topic", "a")
    repo.git("checkout", "--quiet", "-")
    repo.write("a", "main\n")
    repo.commit("main", "a")
    what = "HEAD~1" if operation == "revert" else "topic"
    repo.git(operation, what, check=False)
    assert stands(repo).operation == operation


@pytest.mark.parametrize("detached", [True, False])
def test_pushed_is_what_a_remote_tracking_ref_contains(repo: Repo, *, detached: bool) -> None:
    where = str(repo.path)
    assert look_pushed(where).remotes == ()
    repo.git("remote", "add", "origin", "/nowhere")
    assert not look_pushed(where).contained
    repo.git("update-ref", "refs/remotes/origin/main", "HEAD")
    if detached:
        repo.git("checkout", "--quiet", "--detach")
    told = look_pushed(where)
    assert (told.contained, told.branch is None) == (True, detached)
    repo.write("a", "1\n")
    repo.commit("more", "a")
    assert not look_pushed(where).contained


def test_a_shallow_clone_says_so(repo: Repo, tmp_path: Path) -> None:
    clone = Repo(tmp_path / "clone")
    repo.git("clone", "--quiet", "--depth=1", f"file://{repo.path}", str(clone.path))
    told = look_pushed(str(clone.path))
    assert (told.shallow, told.contained) == (True, True)


def test_in_a_clone_of_a_single_branch_the_next_command_makes_a_push_of_another_known(
    repo: Repo, tmp_path: Path
) -> None:
    clone = Repo(tmp_path / "clone")
    repo.git("clone", "--quiet", "--single-branch", f"file://{repo.path}", str(clone.path))
    clone.git("switch", "--quiet", "-c", "topic")
    clone.write("a", "1\n")
    clone.commit("more", "a")
    clone.git("push", "--quiet", "-u", "origin", "topic")
    told = look_pushed(str(clone.path))
    assert (told.contained, told.narrow) == (False, True), "git keeps no word of what it pushed"
    (objection,) = pushed(Facts(pushed=told)) or ()
    assert objection.next is not None
    subprocess.run(["sh", "-c", objection.next], cwd=clone.path, check=True, capture_output=True)
    assert look_pushed(str(clone.path)).contained
    clone.write("a", "2\n")
    clone.commit("more", "a")
    assert not look_pushed(str(clone.path)).narrow


@pytest.mark.parametrize(
    ("source", "covers"),
    [
        *(("refs/heads/*", True), ("refs/heads/a/b", True), ("refs/heads/a/*", True)),
        *(("refs/heads/main", False), ("refs/heads/b/*", False), ("", False)),
        *(("refs/*/b", True), ("refs/heads/a/b*b", False)),
    ],
)
def test_a_refspec_means_a_ref_or_does_not(source: str, *, covers: bool) -> None:
    assert standing._covers(source, "refs/heads/a/b") is covers


def test_of_a_commit_all_paths_links_and_documents_are_told(repo: Repo) -> None:
    repo.write("docs/a.md", "see `x`\n")
    (repo.path / "link").symlink_to("docs")
    (repo.path / "doc").symlink_to("docs/a.md")
    (repo.path / "docs/newest").symlink_to("../doc")
    (repo.path / "out").symlink_to("/docs/a.md")
    (repo.path / "loop").symlink_to("loop")
    repo.commit("more", "docs", "link", "doc", "out", "loop")
    repo.write("docs/a.md", "not this\n")
    asked = ["docs/a.md", "doc", "docs/newest", "docs", "link", "out", "loop", "gone"]
    tree = look_tree(str(repo.path), asked)
    assert {"docs/a.md", "link", "doc"} <= {*tree.files}
    links = {"link": "docs", "doc": "docs/a.md", "docs/newest": "../doc"}
    assert dict(tree.links) == {**links, "out": "/docs/a.md", "loop": "loop"}
    told = dict.fromkeys(asked[:3], "see `x`\n")
    wanted = {**told, **dict.fromkeys(asked[3:])}
    assert dict(tree.documents) == wanted


def test_too_long_a_document_cannot_be_told(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.write("a.md", "12345\n")
    repo.commit("more", "a.md")
    monkeypatch.setattr(standing, "DOCUMENT_BYTES_MAX", 5)
    with pytest.raises(errors.FactsUnavailable):
        look_tree(str(repo.path), ["a.md"])


# --- a look that was begun -----------------------------------------------------------------------


def looked(repo: Repo, begun: Begun | None = None) -> Standing:
    return look(str(repo.path), str(repo.path / ".git"), (), begun)


def test_a_look_that_was_begun_is_the_look_and_is_taken_once(repo: Repo) -> None:
    repo.write("docs/a.md", "see `x`\n")
    repo.commit("more", "docs/a.md")
    repo.write("docs/a.md", "changed\n")
    begun = Begun(str(repo.path), listing=True)
    first, tree = looked(repo), look_tree(str(repo.path), ["docs/a.md"])
    assert first.dirty == ("docs/a.md",)
    repo.write("b.md", "later\n")
    repo.commit("later", "b.md")
    assert looked(repo, begun) == first
    then = look_tree(str(repo.path), ["docs/a.md"], begun)
    assert (then.commit, {*then.files}) == (tree.commit, {*tree.files})
    repo.git("remote", "add", "later", "nowhere")
    assert look_pushed(str(repo.path), begun).remotes == ()
    assert look_pushed(str(repo.path), begun).remotes == ("later",)
    assert looked(repo, begun) == looked(repo) != first
    assert look_tree(str(repo.path), (), begun).commit == looked(repo).commit
    begun.end()


def test_an_unborn_branch_is_looked_at_too(tmp_path: Path) -> None:
    empty = Repo(tmp_path)
    empty.git("init", "--quiet")
    begun = Begun(str(tmp_path), listing=True)
    assert (begun.commit, begun.tree) == ("", "")
    assert looked(empty, begun) == looked(empty)
    assert look_tree(str(tmp_path), (), begun).commit == ""


def test_a_listing_longer_than_any_pipe_does_not_wait_to_be_read(repo: Repo) -> None:
    for number in range(1_000):
        repo.write(f"{'deep/' * 20}{number}", "")
    repo.commit("many", "deep")
    begun = Begun(str(repo.path), listing=True)
    if hasattr(os, "memfd_create"):
        begun._asked[LISTING]._process.wait(RUN_TIMEOUT_S)
    assert len(list(look_tree(str(repo.path), (), begun).files)) > 1_000
    begun.end()


def test_who_ends_a_look_leaves_no_process_and_no_file_open(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_files() -> int:
        return len(os.listdir("/dev/fd"))

    before = open_files()
    begun = Begun(str(repo.path), listing=True)
    asked = list(begun._asked.values())
    begun.end()
    assert all(one._process.returncode is not None for one in asked)
    with pytest.raises(errors.FactsUnavailable):
        Begun(str(tmp_path))
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.environ['PATH']}")
    waiting = begin_dirty(str(repo.path))
    waiting.end()
    assert waiting._process.returncode == -signal.SIGKILL
    waiting.end()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.FactsUnavailable, match="git is not installed"):
        begin_dirty(str(repo.path))
    assert open_files() == before

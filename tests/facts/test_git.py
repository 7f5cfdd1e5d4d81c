"""What git knows of commits: asked exactly, never answered with "no changes" where it failed."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from handrail.errors import FactsUnavailable, MalformedRange
from handrail.facts import git
from handrail.facts.git import RawCommit, ask, read_range
from handrail.facts.refs import head_of
from tests.support import Repo


def only(repo: Repo, text: str = "HEAD") -> RawCommit:
    commits = read_range(str(repo.path), text)
    assert len(commits) == 1
    return commits[0]


def test_a_commit_is_told_with_its_tree_parent_and_paths(repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    repo.write("src/b.py", "b")
    repo.write("src/a.py", "a")
    commit = repo.commit()
    found = only(repo)
    assert found.commit == commit
    assert found.tree == repo.git("rev-parse", "HEAD^{tree}")
    assert found.parents == (first,)
    assert found.paths == ("src/a.py", "src/b.py")
    assert found.paths_hash == sha256(b"src/a.py\0src/b.py").hexdigest()


def test_the_first_commit_has_all_its_paths_and_no_parent(repo: Repo) -> None:
    found = only(repo)
    assert (found.parents, found.paths) == ((), ("README.md",))


def test_a_range_is_told_oldest_first(repo: Repo) -> None:
    commits = [repo.commit(str(number)) for number in range(5)]
    found = read_range(str(repo.path), "HEAD~4..HEAD")
    assert [row.commit for row in found] == commits[1:]
    assert [row.paths for row in found] == [()] * 4
    named = read_range(str(repo.path), f"{commits[0]}..{commits[2]}")
    assert [row.commit for row in named] == commits[1:3]
    assert only(repo, commits[3][:10]).commit == commits[3]
    assert only(repo, "HEAD~1").commit == commits[3]


def test_parents_come_before_children_whatever_their_dates(repo: Repo) -> None:
    dates = {
        "GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z",
        "GIT_COMMITTER_DATE": "2001-01-01T00:00:00Z",
    }
    base = repo.commit("base")
    repo.git("commit", "--allow-empty", "--quiet", "-m", "older than its parent", env=dates)
    older = repo.git("rev-parse", "HEAD")
    last = repo.commit("last")
    assert [row.commit for row in read_range(str(repo.path), f"{base}..")] == [older, last]


def test_every_kind_of_change_is_a_path(repo: Repo) -> None:
    repo.write("kept", "k")
    repo.write("gone", "g")
    repo.write("before", "the same text, long enough to be found again\n" * 5)
    repo.write("script", "s")
    repo.write("file", "f")
    repo.commit("base")
    repo.git("rm", "--quiet", "gone")
    repo.git("mv", "before", "after")
    repo.git("update-index", "--chmod=+x", "script")
    (repo.path / "file").unlink()
    (repo.path / "file").symlink_to("kept")
    repo.git("add", "file")
    sub = f"160000,{repo.git('rev-parse', 'HEAD')},sub"
    repo.git("update-index", "--add", "--cacheinfo", sub)
    repo.git("commit", "--quiet", "-m", "all")
    assert only(repo).paths == ("after", "before", "file", "gone", "script", "sub")


ODD = [
    "a\nb",
    'quo"te',
    "tab\there",
    "back\\slash",
    " lead",
    "bytes-\udcff\udcfe",
    ":colon",
    "ä",
    "-x",
]


def test_names_are_the_bytes_that_git_keeps(repo: Repo) -> None:
    for name in ODD:
        repo.write(f"odd/{name}", "x")
    repo.commit()
    found = only(repo)
    raw = sorted(f"odd/{name}".encode("utf-8", "surrogateescape") for name in ODD)
    assert [path.encode("utf-8", "surrogateescape") for path in found.paths] == raw
    assert found.paths_hash == sha256(b"\0".join(raw)).hexdigest()


def test_a_path_may_look_like_anything_that_git_prints(repo: Repo) -> None:
    head = repo.git("rev-parse", "HEAD")
    names = [head, f":100644 100644 {head} {head} M", f"{head}\n"]
    for name in names:
        repo.write(name, "x")
    repo.commit()
    assert set(only(repo).paths) == set(names)


def test_a_merge_is_told_with_its_parents(repo: Repo) -> None:
    repo.git("switch", "--quiet", "-c", "side")
    repo.write("side", "s")
    side = repo.commit()
    repo.git("switch", "--quiet", "main")
    repo.write("main", "m")
    main = repo.commit()
    repo.git("merge", "--quiet", "--no-edit", "side")
    assert only(repo).parents == (main, side)
    assert len(read_range(str(repo.path), f"{main}..HEAD")) == 2


@pytest.mark.parametrize(
    "text",
    [
        *("", "nonsense", "HEAD..HEAD", "HEAD..nonsense", "HEAD~99", "--all", "-n1", "--output=x"),
        *("HEAD:README.md", "HEAD^{tree}", "HEAD\n", "HEAD HEAD", "@{u}", "a\udcff", "x" * 4_000),
        *("^HEAD", "HEAD^@"),
    ],
)
def test_what_names_no_commits_is_refused(repo: Repo, text: str) -> None:
    with pytest.raises(MalformedRange) as refused:
        read_range(str(repo.path), text)
    assert refused.value.values["range"] == text
    assert not (repo.path / "x").exists()


def test_a_branch_named_like_a_file_is_the_branch(repo: Repo) -> None:
    commit = repo.git("rev-parse", "HEAD")
    repo.git("branch", "README.md")
    assert only(repo, "README.md").commit == commit


def test_too_many_commits_are_refused(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "COMMITS_MAX", 3)
    for number in range(4):
        repo.commit(str(number))
    assert len(read_range(str(repo.path), "HEAD~3..HEAD")) == 3
    with pytest.raises(MalformedRange) as refused:
        read_range(str(repo.path), "HEAD~4..HEAD")
    assert "more than 3" in refused.value.message


def test_replaced_objects_filters_and_the_users_own_taste_do_not_matter(repo: Repo) -> None:
    repo.write("secret.txt", "s")
    commit = repo.commit()
    empty = repo.git("commit-tree", "HEAD^^{tree}", "-p", "HEAD^", "-m", "innocent")
    repo.git("replace", commit, empty)
    for key, value in {
        "diff.external": "false",
        "diff.renames": "copies",
        "diff.noprefix": "true",
        "diff.orderFile": "order",
        "diff.ignoreSubmodules": "all",
        "core.quotePath": "true",
        "core.pager": "false",
        "color.ui": "always",
        "log.showSignature": "true",
        "diff.relative": "true",
        "log.diffMerges": "separate",
    }.items():
        repo.git("config", key, value)
    repo.write("order", "*.py\n")
    (repo.path / "deep").mkdir()
    found = read_range(str(repo.path / "deep"), "HEAD")
    assert (found[0].commit, found[0].paths) == (commit, ("secret.txt",))


def test_a_change_of_a_submodule_is_a_path_whatever_is_configured(repo: Repo) -> None:
    head = repo.git("rev-parse", "HEAD")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{head},sub")
    repo.git("commit", "--quiet", "-m", "sub")
    new = repo.git("rev-parse", "HEAD")
    repo.git("update-index", "--cacheinfo", f"160000,{new},sub")
    repo.git("commit", "--quiet", "-m", "moved")
    for key in ("diff.ignoreSubmodules", "submodule.sub.ignore"):
        repo.git("config", key, "all")
    assert only(repo).paths == ("sub",)


def test_a_repository_of_sha256_works(tmp_path: Path, repo: Repo) -> None:
    other = Repo(tmp_path / "sha256")
    other.path.mkdir()
    other.git("init", "--quiet", "--object-format=sha256")
    other.write("a", "a")
    commit = other.commit()
    assert len(commit) == 64
    assert (only(other).commit, only(other).paths) == (commit, ("a",))


def test_a_shallow_clone_tells_its_oldest_commit_as_if_it_had_no_parent(
    tmp_path: Path, repo: Repo
) -> None:
    repo.write("second", "s")
    repo.commit()
    repo.git("clone", "--quiet", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
    found = read_range(str(tmp_path / "shallow"), "HEAD")[0]
    assert (found.parents, found.paths) == ((), ("README.md", "second"))


# ------------------------------------------------------------------------------ git that fails


def fake_git(folder: Path, script: str) -> None:
    program = folder / "git"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_git_that_is_not_there_or_fails_is_said(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FactsUnavailable) as refused:
        ask(str(repo.path), ["nonsense"])
    assert "git nonsense" in refused.value.message
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(FactsUnavailable) as refused:
        ask(str(repo.path), ["status"])
    assert refused.value.values["reason"] == "git is not installed"
    fake_git(folder, "exit 7")
    with pytest.raises(FactsUnavailable) as refused:
        ask(str(repo.path), ["status"])
    assert refused.value.values["reason"] == "no reason"
    fake_git(folder, "echo 'fatal: bad thing' >&2; echo more >&2; exit 128")
    with pytest.raises(FactsUnavailable) as refused:
        ask(str(repo.path), ["status"])
    assert refused.value.values["reason"] == "bad thing"


def test_git_that_hangs_is_given_up(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    fake_git(folder, "exec /bin/sleep 30")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(git, "TIMEOUT_S", 0.2)
    with pytest.raises(FactsUnavailable):
        ask(str(repo.path), ["status"])


def test_a_damaged_repository_is_no_commit_without_paths(repo: Repo) -> None:
    repo.write("src/a.py", "a")
    repo.commit()
    tree = repo.git("rev-parse", "HEAD^{tree}")
    (repo.path / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises((FactsUnavailable, MalformedRange)):
        read_range(str(repo.path), "HEAD")


def test_head_is_named_with_its_tree_and_an_unborn_one_by_nothing(repo: Repo) -> None:
    commit = repo.commit("first")
    assert head_of(str(repo.path)) == (commit, repo.git("rev-parse", "HEAD^{tree}"))
    repo.git("checkout", "--quiet", "--orphan", "unborn")
    assert head_of(str(repo.path)) == ("", "")

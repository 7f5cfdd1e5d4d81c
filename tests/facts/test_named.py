"""What a commit holds at paths that somebody names, and what a task's own commits changed."""

from __future__ import annotations

import pytest

from handrail.errors import FactsUnavailable
from handrail.facts import named
from handrail.facts.named import changed_since, has_commit, held, here, relation
from tests.support import Repo


def test_files_folders_and_what_is_missing_are_told_apart_whatever_they_are_called(
    repo: Repo,
) -> None:
    names = ["a b.txt", "x missing", "-n", "é/ü.txt", "$(x)'\".md"]
    for name in names:
        repo.write(name, name)
    repo.commit("odd", ".")
    found = held(str(repo.path), "HEAD", [*names, "é", "gone", "gone missing", "a"])
    assert found == {**{name: name.encode() for name in names}, "é": None}
    assert held(str(repo.path), "", names) == {}


def test_what_is_too_large_is_not_read(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.write("big", "x" * 100)
    repo.commit("big", "big")
    monkeypatch.setattr(named, "FILE_BYTES_MAX", 99)
    with pytest.raises(FactsUnavailable):
        held(str(repo.path), "HEAD", ["big"])
    with pytest.raises(FactsUnavailable):
        here(str(repo.path), "big")


def test_a_commit_is_here_or_not_and_before_or_behind_head(repo: Repo) -> None:
    where, first = str(repo.path), repo.git("rev-parse", "HEAD")
    second = repo.commit("second")
    assert relation(where, first) == (True, True, False)
    assert relation(where, second) == (True, True, True)
    repo.git("checkout", "--quiet", "--detach", first)
    assert relation(where, second) == (True, False, True)
    repo.commit("aside")
    assert relation(where, second) == (True, False, False)
    for odd in ("0" * 40, "HEAD", "--all", "", repo.git("rev-parse", "HEAD^{tree}")):
        assert relation(where, odd) == (False, False, False)


def test_head_has_a_commit_by_its_id_or_how_that_begins(repo: Repo) -> None:
    where, first = str(repo.path), repo.git("rev-parse", "HEAD")
    second = repo.commit("second")
    for size in (7, 12, 40):
        assert has_commit(where, first[:size])
        assert has_commit(where, second[:size])
    tree = repo.git("rev-parse", "HEAD^{tree}")
    for odd in (first[:6], "", "HEAD", "main", "0" * 40, "f" * 65, tree, f"{first[:7]}\n"):
        assert not has_commit(where, odd)
    repo.git("checkout", "--quiet", "--detach", first)
    repo.commit("aside")
    assert not has_commit(where, second), "it is here, and not HEAD's"


def test_merges_bring_the_work_of_others(repo: Repo) -> None:
    base = repo.git("rev-parse", "HEAD")
    repo.git("checkout", "--quiet", "-b", "other")
    repo.write("theirs.txt", "x")
    repo.commit("theirs", "theirs.txt")
    repo.git("checkout", "--quiet", "-")
    repo.write("ours.txt", "x")
    repo.commit("ours", "ours.txt")
    repo.git("merge", "--quiet", "--no-edit", "other")
    assert changed_since(str(repo.path), base) == {"ours.txt"}
    assert changed_since(str(repo.path), repo.git("rev-parse", "HEAD")) == frozenset()
    for odd in ("HEAD~1", "--all", "0" * 40):
        with pytest.raises(FactsUnavailable):
            changed_since(str(repo.path), odd)

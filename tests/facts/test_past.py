"""What happened between two commits, read from real repositories."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest

from handrail.core.history import PastCommit
from handrail.errors import FactsUnavailable, MalformedRange
from handrail.facts import past
from handrail.facts.past import read_past
from tests.support import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A repository with one commit."""
    return Repo.create(tmp_path / "repo")


def read(repo: Repo, since: str = "start", until: str = "HEAD") -> list[PastCommit]:
    tip, found = read_past(str(repo.path), since, until, lambda _: None)
    assert tip == repo.git("rev-parse", until)
    return found


def test_names_subjects_and_paths_are_read_whatever_they_hold(repo: Repo) -> None:
    repo.git("tag", "start")
    repo.write(":a\tb\n c", "1")
    repo.write(os.fsdecode(b"\xff/\xc3\xa9"), "2")
    odd = {"GIT_AUTHOR_NAME": ":100644 é", "GIT_AUTHOR_EMAIL": ""}
    odd["GIT_AUTHOR_DATE"] = "1234567890 +0000"
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "-m", ":subject\nof two lines\n\nbody\n", env=odd)
    repo.git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "-m", "")
    one, empty = read(repo)
    assert (one.author, one.mail, one.at) == ("100644 é", "", 1234567890)
    assert one.subject == ":subject of two lines"
    assert sorted(one.paths) == [":a\tb\n c", os.fsdecode(b"\xff/\xc3\xa9")]
    assert (empty.subject, empty.paths, empty.parents) == ("", (), (one.commit,))


def test_parents_come_first_merges_have_no_paths_and_renames_are_two(repo: Repo) -> None:
    repo.git("tag", "start")
    repo.git("switch", "--quiet", "-c", "work")
    repo.git("mv", "README.md", "READ.md")
    repo.commit("moved")
    repo.git("switch", "--quiet", "main")
    repo.write("b", "b")
    repo.commit("b")
    repo.git("merge", "--quiet", "--no-ff", "-m", "Merge branch 'work'", "work")
    found = read(repo)
    assert {one.subject: sorted(one.paths) for one in found} == {
        "moved": ["READ.md", "README.md"],
        "b": ["b"],
        "Merge branch 'work'": [],
    }
    seen = {repo.git("rev-parse", "start")}
    for one in found:
        assert set(one.parents) <= seen
        seen.add(one.commit)
    assert [one.subject for one in read(repo, "start", "work")] == ["moved"]


def test_no_setting_and_no_replacement_changes_what_is_read(repo: Repo) -> None:
    repo.git("tag", "start")
    repo.write("a", "a")
    repo.commit("a")
    before = read(repo)
    other = repo.commit("b")
    repo.git("reset", "--quiet", "--hard", "HEAD~1")
    for setting in ("log.showSignature=true", "log.mailmap=true", "diff.renames=copies"):
        repo.git("config", *setting.split("="))
    repo.write(".mailmap", "Somebody <else@example.org> <tests@handrail.invalid>\n")
    repo.git("replace", repo.git("rev-parse", "HEAD"), other)
    assert read(repo) == before


@pytest.mark.parametrize("name", ["nonsense", "", "-x", "--all", "a..b", "HEAD:README.md", "x\0y"])
def test_a_name_of_no_commit_is_refused(repo: Repo, name: str) -> None:
    for ends in ((name, "HEAD"), ("HEAD", name)):
        with pytest.raises(MalformedRange):
            read_past(str(repo.path), *ends, lambda _: None)


def test_more_commits_than_the_bound_are_refused_and_as_many_are_not(repo: Repo) -> None:
    repo.git("tag", "start")
    told: list[int] = []
    for number in range(3):
        repo.write("a", str(number))
        repo.commit(str(number))
    with patch.object(past, "COMMITS_MAX", 3), patch.object(past, "COMMITS_BETWEEN_TOLD", 2):
        read_past(str(repo.path), "start", "HEAD", told.append)
    assert told == [2]
    with patch.object(past, "COMMITS_MAX", 2), pytest.raises(MalformedRange, match="more than 2"):
        read(repo)
    with patch.object(past, "PATHS_MAX", 2), pytest.raises(FactsUnavailable, match="more than 2"):
        read(repo)


def test_a_shallow_clone_is_read_where_it_reaches_and_else_cannot_be(repo: Repo) -> None:
    for number in range(4):
        repo.commit(str(number))
    clone = repo.path.parent / "clone"
    repo.git("clone", "--quiet", "--depth=3", f"file://{repo.path}", str(clone))
    shallow = Repo(clone)
    assert [one.subject for one in read(shallow, "HEAD~1")] == ["3"]
    assert [one.subject for one in read(shallow, "HEAD~2")] == ["2", "3"]
    stranger = shallow.git("commit-tree", "-m", "stranger", "HEAD^{tree}")
    with pytest.raises(FactsUnavailable):
        read(shallow, stranger)

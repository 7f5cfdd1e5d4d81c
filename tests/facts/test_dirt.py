"""What is dirty in a working tree, who changed it, what merging gives: real repositories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from handrail.errors import FactsUnavailable
from handrail.facts import dirt
from handrail.facts.dirt import RawDirty
from tests.support import Repo


def blob(repo: Repo, path: str) -> str:
    return repo.git("hash-object", "--no-filters", "--", path)


def dirty(repo: Repo, *roots: str) -> dict[str, RawDirty]:
    return {row.path: row for row in dirt.dirty(str(repo.path), roots)}


def test_a_clean_tree_is_not_dirty_and_nothing_is_written(repo: Repo) -> None:
    before = (repo.path / ".git/index").read_bytes()
    os.utime(repo.path / "README.md", (1, 1))
    assert dirty(repo) == {}
    assert (repo.path / ".git/index").read_bytes() == before


def test_every_way_to_differ_is_told_with_its_blobs(repo: Repo) -> None:
    for name in ("changed", "staged", "gone", "both"):
        repo.write(f"src/{name}", f"{name} 1\n")
    repo.commit("base", "src")
    heads = {name: repo.git("rev-parse", f"HEAD:src/{name}") for name in ("changed", "both")}
    repo.write("src/changed", "2\n")
    repo.write("src/staged", "2\n")
    repo.git("add", "src/staged")
    (repo.path / "src/gone").unlink()
    repo.write("src/both", "2\n")
    repo.git("add", "src/both")
    index = repo.git("rev-parse", ":src/both")
    repo.write("src/both", "3\n")
    repo.write("src/new file", "n\n")
    os.symlink("target", repo.path / "src/link")
    found = dirty(repo, "src")
    assert set(found) == {
        f"src/{n}" for n in ("changed", "staged", "gone", "both", "new file", "link")
    }
    changed, both = found["src/changed"], found["src/both"]
    assert (changed.blob, changed.head) == (blob(repo, "src/changed"), heads["changed"])
    assert changed.staged == changed.head
    assert (both.blob, both.staged, both.head) == (blob(repo, "src/both"), index, heads["both"])
    assert found["src/gone"].blob == ""
    assert found["src/staged"].blob == found["src/staged"].staged == blob(repo, "src/staged")
    assert found["src/new file"] == RawDirty("src/new file", blob(repo, "src/new file"), "", "")
    link = repo.git("hash-object", "--stdin", input="target")
    assert found["src/link"].blob == link


def test_only_what_was_asked_for_is_looked_at_and_ignored_files_never(repo: Repo) -> None:
    repo.write(".gitignore", "*.o\n")
    repo.commit("ignore")
    for path in ("a/x", "b/x", "a*/x", "a/y.o"):
        repo.write(path, "x\n")
    assert set(dirty(repo, "a")) == {"a/x"}
    assert set(dirty(repo, "a*", "b/x")) == {"a*/x", "b/x"}
    assert set(dirty(repo, "")) == set(dirty(repo)) == {"a/x", "b/x", "a*/x"}


def test_names_that_are_no_text_are_told_as_they_are(repo: Repo) -> None:
    name = os.fsdecode(b"c\xff\n d")
    repo.write(name, "x\n")
    assert set(dirty(repo)) == {name}


def test_a_conflict_is_dirty(repo: Repo) -> None:
    repo.write("x", "base\n")
    repo.commit("base", "x")
    repo.git("branch", "side")
    repo.write("x", "ours\n")
    repo.commit("ours", "x")
    repo.git("switch", "--quiet", "side")
    repo.write("x", "theirs\n")
    repo.commit("theirs", "x")
    repo.git("merge", "main", check=False)
    assert set(dirty(repo, "x")) == {"x"}


def test_a_repository_without_commits_and_one_that_is_broken(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.git("init", "--quiet")
    repo.write("x", "x\n")
    assert set(dirty(repo)) == {"x"}
    repo.write(".git/index", b"broken")
    with pytest.raises(FactsUnavailable):
        dirty(repo)


def test_commits_that_touched_paths_come_newest_first(repo: Repo) -> None:
    repo.write("a b", "1\n")
    first = repo.commit("1")
    repo.write("other", "1\n")
    repo.commit("2")
    repo.write("a b", "2\n")
    repo.write("c", "2\n")
    third = repo.commit("3")
    toplevel = str(repo.path)
    assert dirt.touching(toplevel, ["a b"]) == [(third, ("a b",)), (first, ("a b",))]
    assert dirt.touching(toplevel, ["none"]) == []
    assert dirt.changed_by(toplevel, [third, "0" * 40]) == {third: frozenset({"a b", "c"})}
    assert dirt.not_in(toplevel, first, [first, third, "0" * 40]) == {third}
    assert dirt.not_in(toplevel, "HEAD", [first, third]) == frozenset()


def test_a_merge_changed_what_it_settled(repo: Repo) -> None:
    repo.git("switch", "--quiet", "-c", "side")
    repo.write("both", "side\n")
    repo.write("theirs", "side\n")
    repo.commit("side")
    repo.git("switch", "--quiet", "main")
    repo.write("both", "main\n")
    main = repo.commit("main")
    repo.git("merge", "side", check=False)
    repo.write("both", "settled\n")
    repo.git("commit", "--quiet", "--all", "--no-edit")
    merge = repo.git("rev-parse", "HEAD")
    toplevel = str(repo.path)
    assert dirt.touching(toplevel, ["both"])[0] == (merge, ())
    changed = dirt.changed_by(toplevel, [merge, main])
    assert changed == {merge: frozenset({"both"}), main: frozenset({"both"})}


LINES = [f"line {number}\n" for number in range(12)]


def changed(at: int, text: str) -> str:
    return "".join([*LINES[:at], f"{text}\n", *LINES[at + 1 :]])


@pytest.mark.parametrize(
    ("mine", "good"),
    [
        (changed(10, "theirs").replace("line 1\n", "mine\n"), "own"),
        (changed(1, "mine"), "another"),
        (changed(10, "mine"), None),
        (changed(10, "theirs").replace("\n", "\r\n"), "own"),
        (None, None),
    ],
)
def test_a_merge_gives_the_files_own_bytes_others_or_none(
    repo: Repo, mine: str | None, good: str | None
) -> None:
    repo.write("x", "".join(LINES))
    base = repo.commit("base", "x")
    repo.write("x", changed(10, "theirs"))
    repo.commit("theirs", "x")
    if mine is None:
        (repo.path / "x").unlink()
    else:
        (repo.path / "x").write_bytes(mine.encode())
    merged = dirt.merged(str(repo.path), "x", base, "HEAD")
    own = "" if mine is None else blob(repo, "x")
    assert {None: merged is None, "own": merged == own, "another": merged not in (None, own)}[good]


def test_a_file_that_one_side_does_not_have_merges_only_if_it_is_the_same(repo: Repo) -> None:
    base = repo.git("rev-parse", "HEAD")
    repo.write("x", "new\n")
    repo.commit("new", "x")
    assert dirt.merged(str(repo.path), "x", base, "HEAD") == blob(repo, "x")
    assert dirt.merged(str(repo.path), "x", "HEAD", base) is None
    os.unlink(repo.path / "x")
    os.symlink("README.md", repo.path / "x")
    assert dirt.merged(str(repo.path), "x", base, "HEAD") is None


def test_paths_unlike_a_commit_are_those_whose_blob_it_does_not_hold(repo: Repo) -> None:
    repo.write("same", "1\n")
    repo.write("other", "1\n")
    repo.commit("base")
    repo.write("other", "2\n")
    blobs: dict[str, str | None] = {"same": None, "other": None, "none": None, "gone": "x"}
    toplevel = str(repo.path)
    head = repo.git("rev-parse", "HEAD")
    assert dirt.unlike(toplevel, head, blobs) == ["other", "gone"]
    assert dirt.unlike(toplevel, head, {"other": repo.git("rev-parse", "HEAD:other")}) == []
    assert dirt.unlike(toplevel, head, {}) == []

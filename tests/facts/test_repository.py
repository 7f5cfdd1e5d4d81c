"""Where we are, found by reading git's files, is where git says we are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from handrail.errors import BareRepository, FactsUnavailable, NoRepository
from handrail.facts.repository import Place, locate
from tests.support import Repo


def as_git_says(repo: Repo, folder: Path, env: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Ask git itself for working tree, git folder and common folder."""
    words = ("rev-parse", "--path-format=absolute", "--show-toplevel", "--absolute-git-dir")
    told = repo.git(*words, "--git-common-dir", cwd=folder, env=env).split("\n")
    return tuple(os.path.realpath(path) for path in told)


def found(place: Place) -> tuple[str, ...]:
    return (place.toplevel, place.git_dir, place.common_dir)


def test_the_main_working_tree_is_found_from_any_folder_in_it(repo: Repo) -> None:
    repo.write("src/deep/a.py", "a")
    for folder in (repo.path, repo.path / "src", repo.path / "src" / "deep"):
        place = locate(str(folder), {})
        assert found(place) == as_git_says(repo, folder)
        assert (place.worktree, place.folder) == (".", repo.path.name)


def test_a_linked_worktree_has_gits_own_id_and_shares_the_common_folder(repo: Repo) -> None:
    beside = repo.worktree("beside")
    (beside / "deep").mkdir()
    for folder in (beside, beside / "deep"):
        place = locate(str(folder), {})
        assert found(place) == as_git_says(repo, beside)
        assert place.worktree == "beside"
    assert locate(str(beside), {}).common_dir == locate(str(repo.path), {}).common_dir


def test_the_id_survives_a_move_and_tells_two_of_one_name_apart(repo: Repo) -> None:
    first = repo.worktree("one/same", "first")
    second = repo.worktree("two/same", "second")
    ids = [locate(str(folder), {}).worktree for folder in (first, second)]
    assert len(set(ids)) == 2
    moved = repo.path.parent / "moved"
    repo.git("worktree", "move", str(second), str(moved))
    assert locate(str(moved), {}).worktree == ids[1]


@pytest.mark.parametrize("name", [b"w\xff", "w\u00e4".encode(), b'it\'s "w" $x', b"."])
def test_the_id_is_text_whatever_the_folder_is_called(repo: Repo, name: bytes) -> None:
    folder = repo.path.parent / os.fsdecode(b"x" + name)
    repo.git("worktree", "add", "--quiet", "-b", "branch", str(folder))
    place = locate(str(folder), {})
    assert place.worktree.encode("utf-8")
    assert found(place)[1:] == as_git_says(repo, folder)[1:]
    assert locate(str(folder), {"GIT_WORK_TREE": str(folder)}).worktree == place.worktree


def test_links_on_the_way_do_not_matter(repo: Repo, tmp_path: Path) -> None:
    repo.write("src/a.py", "a")
    door = tmp_path / "door"
    door.symlink_to(repo.path / "src")
    assert locate(str(door), {}) == locate(str(repo.path), {})
    (repo.path / "src" / "back").symlink_to(tmp_path)
    with pytest.raises(NoRepository):
        locate(str(repo.path / "src" / "back"), {})


def test_a_git_folder_elsewhere_is_followed(repo: Repo, tmp_path: Path) -> None:
    apart = tmp_path / "apart"
    repo.git("init", "--quiet", f"--separate-git-dir={tmp_path / 'store.git'}", str(apart))
    place = locate(str(apart), {})
    assert found(place) == as_git_says(repo, apart)
    assert place.worktree == "."


def test_a_submodule_is_a_repository_of_its_own(repo: Repo, tmp_path: Path) -> None:
    inner = Repo.create(tmp_path / "inner")
    allow = ("-c", "protocol.file.allow=always")
    repo.git(*allow, "submodule", "add", "--quiet", str(inner.path), "sub")
    place = locate(str(repo.path / "sub"), {})
    assert found(place) == as_git_says(repo, repo.path / "sub")
    assert (place.worktree, place.folder) == (".", "sub")


def test_a_repository_within_a_repository_is_the_nearer_one(repo: Repo) -> None:
    inner = Repo.create(repo.path / "vendor" / "inner")
    (inner.path / "src").mkdir()
    assert locate(str(inner.path / "src"), {}).toplevel == str(inner.path.resolve())
    # Neither an empty folder of that name nor a file of another make is a repository.
    (repo.path / "plain" / ".git").mkdir(parents=True)
    assert locate(str(repo.path / "plain"), {}).toplevel == str(repo.path.resolve())


def test_one_without_commits_and_one_of_sha256_are_found(repo: Repo, tmp_path: Path) -> None:
    for kind in ("sha1", "sha256"):
        folder = tmp_path / kind
        repo.git("init", "--quiet", f"--object-format={kind}", str(folder))
        assert found(locate(str(folder), {})) == as_git_says(repo, folder)


@pytest.mark.parametrize("name", [b"a\nb", b"it's", b"\xff\xfe", b"x y ", "\u00e9".encode()])
def test_any_name_of_a_folder_will_do(repo: Repo, tmp_path: Path, name: bytes) -> None:
    folder = tmp_path / os.fsdecode(name)
    repo.git("init", "--quiet", str(folder))
    place = locate(str(folder), {})
    assert os.fsencode(place.toplevel) == os.fsencode(folder.resolve())
    assert os.path.isdir(place.common_dir)


# ---------------------------------------------------------------------------- the environment


def test_where_the_environment_points_elsewhere_git_is_asked(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repo.create(tmp_path / "other")
    outside = tmp_path / "outside"
    outside.mkdir()
    for folder in (outside, repo.path):
        for name, value in {
            "GIT_DIR": str(other.path / ".git"),
            "GIT_WORK_TREE": str(other.path),
        }.items():
            monkeypatch.setenv(name, value)
        place = locate(str(folder), os.environ)
        assert place.toplevel == str(other.path.resolve())
        assert found(place)[1:] == (str(other.path.resolve() / ".git"),) * 2
        assert place.worktree == "."


def test_an_empty_variable_points_nowhere_else(repo: Repo) -> None:
    assert locate(str(repo.path), {"GIT_DIR": "", "GIT_WORK_TREE": ""}).worktree == "."


def test_a_hook_of_a_linked_worktree_is_in_that_worktree(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = repo.worktree("beside")
    plain = locate(str(beside), {})
    monkeypatch.setenv("GIT_DIR", plain.git_dir)
    assert locate(str(beside), os.environ) == plain


def test_git_pointed_to_nothing_is_said(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    with pytest.raises(FactsUnavailable):
        locate(str(repo.path), os.environ)


# ------------------------------------------------------------------------------- where none is


def test_no_repository_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoRepository):
        locate(str(tmp_path), {})
    (tmp_path / ".git").write_text("no pointer at all\n")
    with pytest.raises(NoRepository):
        locate(str(tmp_path), {})
    with pytest.raises(NoRepository):
        locate("/", {})


def test_a_bare_repository_is_said(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare.git"
    repo.git("init", "--quiet", "--bare", str(bare))
    for folder in (bare, bare / "refs", bare / "objects" / "info"):
        with pytest.raises(BareRepository) as refused:
            locate(str(folder), {})
        assert refused.value.values["path"] == str(bare.resolve())
    monkeypatch.setenv("GIT_DIR", str(bare))
    with pytest.raises(BareRepository):
        locate(str(tmp_path), os.environ)


def test_inside_gits_own_folder_nobody_edits(repo: Repo) -> None:
    for folder in (repo.path / ".git", repo.path / ".git" / "hooks"):
        with pytest.raises(BareRepository) as refused:
            locate(str(folder), {})
        assert refused.value.next == f"cd {repo.path.resolve()}"


def test_a_worktree_whose_repository_is_gone_is_said(repo: Repo, tmp_path: Path) -> None:
    beside = repo.worktree("beside")
    repo.path.rename(tmp_path / "gone")
    with pytest.raises(FactsUnavailable):
        locate(str(beside), {})


def test_a_worktree_of_a_bare_repository_is_a_place_to_edit(repo: Repo, tmp_path: Path) -> None:
    bare, work = tmp_path / "bare.git", tmp_path / "work"
    repo.git("clone", "--quiet", "--bare", str(repo.path), str(bare))
    repo.git("worktree", "add", "--quiet", str(work), "main", cwd=bare)
    place = locate(str(work), {})
    assert found(place) == as_git_says(repo, work)
    assert (place.worktree, place.common_dir) == ("work", str(bare.resolve()))

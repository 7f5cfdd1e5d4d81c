"""Working trees for re-runs: made, shared into, taken away, and the caller's is left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from handrail.errors import FactsUnavailable
from handrail.facts.repository import Place, locate
from handrail.facts.reruns import PREFIX, sweep, temporary_tree
from tests.cli.world import eventually
from tests.support import SOURCE, Repo


@pytest.fixture(autouse=True)
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the trees lie where the test can look."""
    folder = tmp_path / "private"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def place(repo: Repo) -> Iterator[Place]:
    """A repository whose every file, ref and setting must be the same in the end."""
    before = state(repo)
    yield locate(str(repo.path), {})
    assert state(repo) == before


def state(repo: Repo) -> dict[str, bytes]:
    found = {}
    for path in sorted(repo.path.rglob("*")):
        name = str(path.relative_to(repo.path))
        if path.is_file() and not name.startswith((".git/objects", ".git/worktrees")):
            found[name] = path.read_bytes()
    return found


def head(repo: Repo) -> str:
    return repo.git("rev-parse", "HEAD")


def registered(repo: Repo) -> list[str]:
    folder = repo.path / ".git" / "worktrees"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_it_holds_what_the_commit_holds_and_is_taken_away(
    repo: Repo, place: Place, private: Path
) -> None:
    with temporary_tree(place, head(repo)) as tree:
        names = sorted(path.name for path in Path(tree.folder).iterdir())
        assert names == [".git", "README.md"]
        assert os.stat(os.path.dirname(tree.folder)).st_mode & 0o077 == 0
        assert tree.standing(()).fingerprint == ""
        assert registered(repo) == [os.path.basename(tree.folder)]
    assert list(private.iterdir()) == []
    assert registered(repo) == []


def test_no_hook_runs(repo: Repo, private: Path) -> None:
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        hook = repo.write(f".git/hooks/{name}", f"#!/bin/sh\ntouch '{private}/{name}'\n")
        hook.chmod(0o755)
    with temporary_tree(locate(str(repo.path), {}), head(repo)):
        pass
    assert list(private.iterdir()) == []


def test_it_is_taken_away_whatever_a_command_left_there(
    repo: Repo, place: Place, private: Path
) -> None:
    with temporary_tree(place, head(repo)) as tree:
        script = "mkdir -p a/b && touch a/b/c && chmod 0 a/b && chmod 500 a && git add -f README.md"
        assert tree.run(("sh", "-c", script), 30_000).status == 0
    assert list(private.iterdir()) == []
    assert registered(repo) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, FactsUnavailable])
def test_it_is_taken_away_whatever_happens(
    repo: Repo, place: Place, private: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error), temporary_tree(place, head(repo)):
        raise error
    assert list(private.iterdir()) == []
    assert registered(repo) == []


def test_a_link_in_its_place_is_taken_away_and_not_what_it_leads_to(
    repo: Repo, place: Place, private: Path, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.joinpath("sub").mkdir(parents=True, mode=0o755)
    victim.joinpath("sub", "x").write_text("x\n")
    victim.chmod(0o755)
    swap = 'd=$PWD; cd .. && mv "$d" "$d.x" && ln -s "$0" "$d"'
    with temporary_tree(place, head(repo)) as tree:
        assert tree.run(("sh", "-c", swap, str(victim)), 10_000).status == 0
    assert [oct(path.stat().st_mode & 0o777) for path in (victim, victim / "sub")] == ["0o755"] * 2
    assert victim.joinpath("sub", "x").read_text() == "x\n"
    assert list(private.iterdir()) == []
    assert registered(repo) == []


def test_what_a_killed_process_left_the_next_one_takes_away_and_no_other(
    repo: Repo, private: Path
) -> None:
    place, mine = locate(str(repo.path), {}), repo.worktree("mine")
    subprocess.run(["rm", "-r", str(mine)], check=True)  # gone, as a removable disk is
    left = private / f"{PREFIX}left"
    repo.git("worktree", "add", "-q", "--detach", str(left / left.name), "HEAD")
    with temporary_tree(place, head(repo)) as first:
        with temporary_tree(place, head(repo)) as second:
            assert not left.exists()
            assert Path(first.folder).is_dir()
            names = {os.path.basename(one.folder) for one in (first, second)}
            assert set(registered(repo)) == {"mine", *names}
    assert registered(repo) == ["mine"]


def test_what_git_still_writes_is_left_until_it_has_ended(
    repo: Repo, private: Path, tmp_path: Path
) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    slow = f"touch '{begun}'; while test ! -e '{go}'; do sleep 0.02; done; cat"
    repo.write(".gitattributes", "*.txt filter=slow\n")
    repo.write("a.txt", "1\n")
    commit = repo.commit("slow")
    repo.git("config", "filter.slow.smudge", slow)
    lines = (
        "import os",
        "from handrail.facts.repository import locate",
        "from handrail.facts.reruns import temporary_tree",
        f"with temporary_tree(locate({str(repo.path)!r}, {{}}), {commit!r}): pass",
    )
    env = {**os.environ, "TMPDIR": str(private), "PYTHONPATH": str(SOURCE.parent)}
    with subprocess.Popen([sys.executable, "-c", "\n".join(lines)], env=env) as process:
        assert eventually(begun.exists)
        process.kill()
    (left,) = private.iterdir()
    place = locate(str(repo.path), {})
    sweep(place.common_dir)
    assert left.exists()
    go.touch()

    def is_swept() -> bool:
        sweep(place.common_dir)
        return not left.exists()

    assert eventually(is_swept)
    assert registered(repo) == []


def test_a_commit_that_is_not_here_is_a_fact_that_is_missing(
    repo: Repo, place: Place, private: Path
) -> None:
    with pytest.raises(FactsUnavailable), temporary_tree(place, "0" * 40):
        raise AssertionError("there is no such tree")
    assert (list(private.iterdir()), registered(repo)) == ([], [])


def test_a_variable_that_points_git_elsewhere_is_refused(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = locate(str(repo.path), {})
    monkeypatch.setenv("GIT_INDEX_FILE", str(repo.path / ".git/index"))
    with pytest.raises(FactsUnavailable, match="GIT_INDEX_FILE"), temporary_tree(place, head(repo)):
        raise AssertionError("git would look elsewhere")


# --- links ---------------------------------------------------------------------------------------


def test_a_link_leads_to_what_is_not_tracked_and_is_no_dirt(repo: Repo) -> None:
    repo.write("deps/a", "1\n")
    with temporary_tree(locate(str(repo.path), {}), head(repo)) as tree:
        tree.link(["deps"])
        ran = tree.run(("cat", "deps/a"), 30_000)
        assert (ran.status, ran.tail) == (0, "1\n")
        assert tree.standing(()).fingerprint == ""
    assert (repo.path / "deps/a").read_text() == "1\n"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nothing", "is not in this working tree"),
        ("README.md", "is tracked"),
        ("half", "is tracked"),
        ("later", "is tracked"),
        ("out", "leads out"),
        ("git", "leads out"),
        ("trap/deps", "behind a link"),
    ],
)
def test_an_input_that_cannot_be_shared_says_why(
    repo: Repo, private: Path, path: str, reason: str
) -> None:
    outside = private.parent / "outside"
    outside.mkdir()
    repo.write("half/tracked", "1\n")
    (repo.path / "trap").symlink_to(outside)
    commit = repo.commit("a trap")
    repo.git("rm", "-q", "trap")
    repo.write("trap/deps", "1\n")
    repo.write("half/not", "1\n")
    repo.write("later/tracked", "1\n")
    repo.git("add", "later")
    (repo.path / "out").symlink_to(outside)
    (repo.path / "git").symlink_to(repo.path / ".git")
    with temporary_tree(locate(str(repo.path), {}), commit) as tree:
        with pytest.raises(FactsUnavailable, match=reason):
            tree.link([path])
    assert list(outside.iterdir()) == []


def test_a_command_sees_the_tree_and_no_way_back(
    repo: Repo, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PWD", str(repo.path))
    monkeypatch.setenv("OLDPWD", str(repo.path))
    with temporary_tree(place, head(repo)) as tree:
        ran = tree.run(("sh", "-c", "echo $PWD; pwd -P; git rev-parse --show-toplevel"), 30_000)
        assert ran.tail.split() == [tree.folder] * 3
        assert str(repo.path) not in tree.run(("env",), 30_000).tail


# --- what is not there ---------------------------------------------------------------------------


def test_submodules_and_lfs_are_named(repo: Repo) -> None:
    repo.write("data/.gitattributes", "*.bin filter=lfs diff=lfs\n")
    repo.git("add", ".")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{head(repo)},libs/x")
    repo.git("commit", "-qm", "refers")
    with temporary_tree(locate(str(repo.path), {}), head(repo)) as tree:
        assert tree.unfetched() == ("the submodule libs/x", "the files of Git LFS")


def test_what_is_untracked_and_not_shared_is_named(repo: Repo) -> None:
    repo.write(".gitignore", "/deps/\n")
    commit = repo.commit("ignore")
    repo.write("deps/a", "1\n")
    repo.write("free", "1\n")
    with temporary_tree(locate(str(repo.path), {}), commit) as tree:
        assert set(tree.unshared()) == {"deps", "free"}
        tree.link(["deps"])
        assert set(tree.unshared()) == {"free"}


def test_code_that_an_environment_borrows_is_told_unless_it_is_the_same(repo: Repo) -> None:
    repo.write(".gitignore", "/.venv\n")
    repo.write("src/a.py", "1\n")
    commit = repo.commit("source")
    told = {"url": (repo.path / "src").as_uri(), "dir_info": {"editable": True}}
    packages = ".venv/lib/python3/site-packages"
    repo.write(f"{packages}/bad-1.dist-info/direct_url.json", "[1]")
    repo.write(f"{packages}/p-1.dist-info/direct_url.json", json.dumps(told))
    with temporary_tree(locate(str(repo.path), {}), commit) as tree:
        assert tree.borrowed(()) is None
        tree.link([".venv"])
        assert tree.borrowed(()) is None
        repo.write("src/a.py", "2\n")
        assert tree.borrowed(()) == str(repo.path / "src")

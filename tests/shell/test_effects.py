"""What was told about a line, against what a real shell then did."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from handrail.edge.shell.grammar import written
from handrail.edge.shell.scan import may_write
from tests.shell.lines import GIT, HOME, QUIET, RUN, ground
from tests.support import Repo

RUN_TIMEOUT_S = 30
# Needs what a test has not: a network, a container, a build.
FOREIGN = (
    *("make", "npm", "cargo", "go ", "docker", "curl", "jq", "git", "pytest", "rg", "tsc", "ps"),
    *("python -m pytest", "python3 -m unittest", "ruff", "mypy"),
)

Listing = dict[str, tuple[object, ...]]


def listing(folder: Path) -> Listing:
    """Give what every file and link below ``folder`` is."""
    out: Listing = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            path = os.path.join(parent, name)
            info = os.lstat(path)
            out[path] = (info.st_ino, info.st_mode, info.st_size, info.st_mtime_ns)
    return out


def run(line: str, folder: Path) -> set[str]:
    """Run ``line`` and give the files that are other than before."""
    before = listing(folder)
    environment = {**os.environ, "HOME": str(folder), "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    after = listing(folder)
    paths = before.keys() | after.keys()
    return {path for path in paths if before.get(path) != after.get(path)}


def compare(line: str, folder: Path) -> None:
    """Tell what ``line`` writes, run it, and see that it was that and nothing else."""
    told = written(line, str(folder), HOME, {})
    changed = run(line, folder)
    exact = {target.path for target in told.targets if not target.below}
    trees = [target.path + "/" for target in told.targets if target.below]
    covered = exact | {path for path in changed if path.startswith(tuple(trees))}
    assert changed - covered == set(), "written, and not told"
    assert exact - changed == set(), "told, and not written"
    assert [tree for tree in trees if not any(path.startswith(tree) for path in changed)] == []
    assert told.undecided == 0


@pytest.mark.parametrize("line", [line for line, _ in RUN])
def test_what_a_shell_does_was_told_before(line: str, tmp_path: Path) -> None:
    ground(tmp_path)
    os.utime(tmp_path / "a.txt", (1, 1))
    os.utime(tmp_path / "b.txt", (1, 1))
    compare(line, tmp_path)


@pytest.mark.parametrize("line", [line for line, _ in GIT])
def test_what_git_does_was_told_before(line: str, tmp_path: Path) -> None:
    repo = Repo.create(tmp_path / "repo")
    ground(repo.path)
    repo.commit("files")
    repo.write("a.txt", "changed\n")
    repo.write("new.txt", "new\n")
    compare(line, repo.path)


@pytest.mark.parametrize("line", [line for line in QUIET if not line.startswith(FOREIGN)])
def test_a_line_that_the_scan_lets_pass_changes_nothing(line: str, tmp_path: Path) -> None:
    ground(tmp_path)
    assert not may_write(line)
    assert run(line, tmp_path) == set()

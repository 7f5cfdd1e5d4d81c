"""Setting up and taking down, killed before any change of a file: nothing of others is lost."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from handrail.service.install import install, uninstall
from handrail.service.install.scripts import is_ours
from handrail.wiring import Application
from tests.cli.test_init import tree
from tests.support import Repo

CHANGES: Final = frozenset(
    {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.link", "os.symlink"}
)
FOREIGN: Final = b"#!/bin/sh\nexit 0\n"
SETTINGS: Final = b'{\n  "model": "x"\n}\n'
RULES: Final = b"# Rules\n"
NEVER: Final = 1 << 30

Act = Callable[[Application], object]


def installing(application: Application) -> object:
    return install(application.site, "enforce")


def uninstalling(application: Application) -> object:
    return uninstall(application.site)


def die(root: Path, act: Act, at: int) -> int:
    """Act in a child that kills itself before its n-th change; returns how many it made, or 0."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            left = at

            def watch(event: str, args: tuple[object, ...]) -> None:
                nonlocal left
                writes = event == "open" and isinstance(args[2], int) and args[2] & os.O_ACCMODE
                if (event in CHANGES or writes) and str(args[0]) != os.devnull:
                    left -= 1
                    if left == 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            application = Application.open(str(root), {}, terminal=False)
            sys.addaudithook(watch)
            act(application)
            os.write(writing, str(at - left).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as told:
        steps = int(told.read() or b"0")
    os.waitpid(child, 0)
    return steps


@pytest.fixture
def grown(repo: Repo) -> Repo:
    """A repository in which each file that is changed was somebody else's before."""
    hook = repo.write(".git/hooks/pre-commit", FOREIGN)
    hook.chmod(0o755)
    (repo.path / ".git" / "hooks" / "reference-transaction").symlink_to("pre-commit")
    repo.write(".claude/settings.json", SETTINGS)
    repo.write("AGENTS.md", RULES)
    return repo


def check_nothing_lost(repo: Repo, at: int) -> None:
    hooks = repo.path / ".git" / "hooks"
    if (hooks / "pre-commit").read_bytes() != FOREIGN:
        assert is_ours((hooks / "pre-commit").read_bytes()), at
        assert (hooks / "pre-commit.before-handrail").read_bytes() == FOREIGN, at
    if not (hooks / "reference-transaction").is_symlink():
        assert is_ours((hooks / "reference-transaction").read_bytes()), at
        assert os.readlink(hooks / "reference-transaction.before-handrail") == "pre-commit", at
    assert b'"model": "x"' in (repo.path / ".claude" / "settings.json").read_bytes(), at
    assert (repo.path / "AGENTS.md").read_bytes().startswith(RULES), at
    assert [path for path in repo.path.rglob("*.part") if ".git" not in path.parts] == []


def run_in_a_child(repo: Repo, act: Act) -> int:
    return die(repo.path, act, NEVER)


def test_killed_at_any_step_nothing_is_lost_and_the_next_run_completes(grown: Repo) -> None:
    before = tree(grown.path)
    total = run_in_a_child(grown, installing)
    after = tree(grown.path)
    assert total > 20
    for at in range(1, total + 1):
        assert run_in_a_child(grown, uninstalling) > 0
        assert tree(grown.path) == before, at
        assert die(grown.path, installing, at) == 0
        check_nothing_lost(grown, at)
        run_in_a_child(grown, installing)
        assert tree(grown.path) == after, at


@pytest.mark.nightly
def test_killed_while_it_takes_down_nothing_is_lost(grown: Repo) -> None:
    before = tree(grown.path)
    run_in_a_child(grown, installing)
    total = run_in_a_child(grown, uninstalling)
    assert total > 5
    for at in range(1, total + 1):
        run_in_a_child(grown, installing)
        assert die(grown.path, uninstalling, at) == 0
        check_nothing_lost(grown, at)
        run_in_a_child(grown, uninstalling)
        assert tree(grown.path) == before, at

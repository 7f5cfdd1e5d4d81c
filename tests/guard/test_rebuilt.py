"""A repository rebuilt from a real history, the hook line of its settings, payloads by version."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.guard.histories import Model, read_history, rebuild
from tests.guard.support import Agent, Hooked, at_a_terminal
from tests.support import Handrail, Repo

PAYLOADS: Final = Path(__file__).parent / "data" / "payloads"
COMMITS: Final = 400
WRITING: Final = ("Edit", "Write", "NotebookEdit", "Bash", "Edit.subagent")
FOREIGN_HOOK: Final = '#!/bin/sh\necho foreign >> "$PWD/.git/foreign.log"\n'


def fed(agent: Agent, version: Path, name: str, file: Path, cwd: Path | None = None) -> Hooked:
    """Feed a payload to the hook line of the settings."""
    text = (version / f"{name}.json").read_text()
    values = {
        "@SESSION@": agent.session,
        "@CWD@": str(cwd or agent.cwd),
        "@FILE@": str(file),
        "@HOME@": os.environ["HOME"],
    }
    for mark, value in values.items():
        text = text.replace(mark, json.dumps(value)[1:-1])
    return agent.raw_hook(text.encode(), name.partition(".")[0])


@pytest.fixture
def repo_of_a_history(tmp_path: Path) -> Repo:
    repo = Repo.create(tmp_path / "rebuilt")
    ids = rebuild(Model(read_history("one", COMMITS)), repo.path)
    repo.git("reset", "--quiet", "--hard", ids[-1])
    return repo


def listing(root: Path) -> dict[str, str]:
    """Return every file of a working tree and of its hooks folder, with what it holds."""
    found = {}
    for folder in (root, root / ".git" / "hooks"):
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(root)
            if path.is_file() and (".git" not in inside.parts or folder != root):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[str(inside)] = f"{path.stat().st_mode & 0o777:o} {digest}"
    return found


@pytest.fixture
def agents_of(repo_of_a_history: Repo) -> Iterator[list[Agent]]:
    started: list[Agent] = []
    yield started
    for agent in started:
        agent.dies()


@pytest.mark.parametrize("version", sorted(PAYLOADS.glob("*-*")), ids=lambda path: path.name)
def test_the_verdicts_are_right_wherever_the_harness_stands(
    repo_of_a_history: Repo, handrail: Handrail, agents_of: list[Agent], version: Path
) -> None:
    root = repo_of_a_history.path
    hooks = root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    (hooks / "pre-commit").write_text(FOREIGN_HOOK)
    (hooks / "pre-commit").chmod(0o755)
    (root / ".claude").mkdir()
    (root / ".claude" / "settings.json").write_text('{"permissions": {"allow": ["Read"]}}\n')
    repo_of_a_history.commit("settings")
    before = listing(root)
    assert handrail("init", cwd=root).code == 0
    repo_of_a_history.commit("Handrail")
    beside = repo_of_a_history.worktree("beside")
    files = sorted(path for path in root.glob("*/*.py") if not path.is_symlink())
    held, free = files[0], files[1]
    ada, bob, cara = Agent("s-ada", root), Agent("s-bob", root), Agent("s-cara", beside)
    agents_of += [ada, bob, cara]
    inside = held.parent
    for agent in (ada, bob, cara):
        assert fed(agent, version, "SessionStart", held).code == 0
    assert fed(ada, version, "PreToolUse.Edit", held).code == 0
    held.write_text("ada's\n")
    for tool in WRITING:
        name = f"PreToolUse.{tool}"
        assert fed(bob, version, name, held).refused, name
        assert fed(bob, version, name, held, cwd=inside).refused, name
        assert fed(bob, version, name, free).code == 0, name
        assert fed(ada, version, name, held).code == 0, name
        assert fed(cara, version, name, beside / held.relative_to(root)).code == 0, name
        assert fed(cara, version, name, held).refused, "a file of the other tree"
    assert fed(bob, version, "PreToolUse.Read", held).code == 0
    bob.cwd = inside
    assert fed(bob, version, "PreToolUse.Edit", Path(held.name)).refused
    assert ada.commits("ada's").code == 0
    assert (root / ".git" / "foreign.log").read_text().count("foreign") >= 1
    for agent in (ada, bob, cara):
        assert fed(agent, version, "SessionEnd", held).code == 0
    repo_of_a_history.git("worktree", "remove", "--force", str(beside))
    assert at_a_terminal(root, "uninstall") == 0
    changed = {
        path: (before.get(path), now)
        for path, now in {**dict.fromkeys(before), **listing(root)}.items()
        if before.get(path) != now
    }
    assert set(changed) == {str(held.relative_to(root))}, "only ada's own edit is left"
    status = repo_of_a_history.git("status", "--porcelain").splitlines()
    assert sorted(line.split()[-1] for line in status) == [
        *(".claude/settings.json", ".handrail/hook", "AGENTS.md", "handrail.toml"),
    ]

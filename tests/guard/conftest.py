"""A repository that Handrail guards, and agents that work in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.guard.support import Agent
from tests.support import Handrail, Repo

Agents = Callable[..., Agent]


_templates: Final[list[Repo]] = []


@pytest.fixture
def guarded(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A repository with a few files, where somebody ran ``handrail init`` and committed it."""
    if not _templates:
        _templates.append(set_up(tmp_path_factory.mktemp("template") / "repo"))
    return Repo.copied(_templates[0], tmp_path / "repo")


@pytest.fixture
def handrail(guarded: Repo) -> Handrail:
    """The command line, run in the guarded repository."""
    return Handrail(guarded.path)


def set_up(path: Path) -> Repo:
    """Make the repository; nothing in it names where it lies."""
    repo = Repo.create(path)
    for file in ("src/a.py", "src/b.py", "lib/c.py", "docs/guide.md"):
        repo.write(file, f"# {file}\n")
    repo.write(".gitignore", "build/\n")
    repo.commit("files")
    done = Handrail(path)("init")
    assert done.code == 0, done
    repo.commit("set up Handrail")
    return repo


@pytest.fixture
def agents(guarded: Repo) -> Iterator[Agents]:
    """Start agents; their processes end with the test."""
    started: list[Agent] = []

    def start(session: str, root: Path | None = None, *, name: str | None = None) -> Agent:
        agent = Agent(session, root or guarded.path, name=name)
        started.append(agent)
        return agent

    yield start
    for agent in started:
        agent.dies()

"""A repository that Handrail guards, and agents that work in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.guard.support import Agent
from tests.support import Handrail, Repo

Agents = Callable[..., Agent]


@pytest.fixture
def guarded(repo: Repo, handrail: Handrail) -> Repo:
    """A repository with a few files, where somebody ran ``handrail init`` and committed it."""
    for path in ("src/a.py", "src/b.py", "lib/c.py", "docs/guide.md"):
        repo.write(path, f"# {path}\n")
    repo.write(".gitignore", "build/\n")
    repo.commit("files")
    done = handrail("init")
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

"""The lanes' routine under a harness whose hooks Handrail has: one agent, one session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.lanes_ground import SESSION, Ground, make_ground
from tests.guard.support import Agent

CLAIM = (
    "python3 scripts/agent_coord.py --claim --role website --agent-id bot-2"
    f" --scope site/src --session-id {SESSION}"
)


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A repository whose people follow the lanes' document."""
    return make_ground(tmp_path, tmp_path_factory.mktemp("lanes-template"))


@pytest.fixture
def ada(ground: Ground) -> Iterator[Agent]:
    """An agent of a harness, which has begun."""
    agent = Agent("h-1", ground.path)
    agent.begins()
    yield agent
    agent.dies()


def test_a_session_that_claims_as_documented_takes_the_place_of_its_harness(
    ground: Ground, ada: Agent
) -> None:
    claimed = ada.bash(CLAIM)
    assert claimed.code == 0, claimed
    edited = ada.edit("site/src/a.qmd", "b\n")
    assert not edited.refused, edited
    saved = ada.commits("nav")
    assert saved.code == 0, saved
    assert f"Handrail-Session: {SESSION}" in ground.repo.git("log", "-1", "--format=%B")
    ada.begins("compact")
    assert ground.leases() == [(SESSION, "website", ("site/src",))]
    assert not ada.edit("site/src/a.qmd", "c\n").refused
    ada.ends()
    assert ground.leases() == []


@pytest.mark.nightly
def test_a_harness_that_begins_anew_is_itself_again(ground: Ground, ada: Agent) -> None:
    assert ada.bash(CLAIM).code == 0
    ada.begins("clear", "h-3")
    assert ground.leases() == [], "what is clean is free"
    told = ada.bash("python3 scripts/agent_coord.py --status")
    assert told.code == 0, told
    again = ada.bash(CLAIM)
    assert again.code == 0, again
    assert not ada.edit("site/src/a.qmd", "b\n").refused

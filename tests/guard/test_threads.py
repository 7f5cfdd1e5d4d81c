"""Who gave a packet, under whatever name: ``[handoff] in_thread = false`` below real harnesses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.guard.conftest import Agents
from tests.guard.support import Agent, Hooked, at_a_terminal
from tests.support import Repo, launcher

FORBIDDEN = "\n[handoff]\nin_thread = false\n"


def typed(agent: Agent, *words: str, session: str | None = None) -> Hooked:
    """Run Handrail as a tool of the agent's harness does, perhaps as another session."""
    env = {} if session is None else {"HANDRAIL_SESSION": session}
    return agent.run([*launcher(), *words], env=env)


def started(agent: Agent, session: str) -> str:
    done = typed(agent, "session", "start", "--id", session)
    assert done.code == 0, done
    return session


def offered(agent: Agent, task: str, session: str | None = None) -> None:
    for words in (
        ("task", "new", task),
        ("handoff", "accept", task),
        ("handoff", "offer", "--task", task, "-m", "It works, and nothing is left."),
    ):
        done = typed(agent, *words, session=session)
        assert done.code == 0, done


def refused(done: Hooked) -> None:
    assert done.code == 1, done
    assert re.search(r"not_your_handoff: .* in_thread is false", done.err), done
    assert "next: handrail handoff list" in done.err


@pytest.fixture
def ada(guarded: Repo, agents: Agents) -> Agent:
    """An agent in a repository where no thread may accept what it gave."""
    config = Path(guarded.path, "handrail.toml")
    config.write_text(config.read_text() + FORBIDDEN)
    assert at_a_terminal(guarded.path, "config", "apply") == 0
    guarded.commit("nobody hands over to itself")
    ada = agents("s-ada")
    assert ada.begins().code == 0
    return ada


def test_another_session_below_the_same_harness_is_the_same_thread(
    ada: Agent, agents: Agents
) -> None:
    offered(ada, "one")
    refused(typed(ada, "handoff", "accept", "one"))
    other = started(ada, "other")
    refused(typed(ada, "handoff", "accept", "one", session=other))
    offered(ada, "two", session=other)
    refused(typed(ada, "handoff", "accept", "two"))
    third = started(ada, "third")
    refused(typed(ada, "handoff", "accept", "two", session=third))
    bob = agents("s-bob")
    bob.begins()
    assert typed(bob, "handoff", "accept", "one").code == 0, "another process is another thread"
    assert typed(bob, "handoff", "accept", "two", session=started(bob, "fourth")).code == 0


def test_the_next_session_of_the_same_process_is_the_same_thread(
    ada: Agent, agents: Agents
) -> None:
    offered(ada, "one")
    ada.begins("clear", session="s-next")
    refused(typed(ada, "handoff", "accept", "one"))
    ada.ends()
    alone = started(ada, "alone")
    refused(typed(ada, "handoff", "accept", "one", session=alone))


@pytest.mark.nightly
def test_a_packet_from_before_the_rule_is_known_by_the_session_that_gave_it(
    ada: Agent, guarded: Repo
) -> None:
    config = Path(guarded.path, "handrail.toml")
    config.write_text(config.read_text().replace("in_thread = false", "in_thread = true"))
    assert at_a_terminal(guarded.path, "config", "apply") == 0
    guarded.commit("anybody may")
    offered(ada, "one")
    config.write_text(config.read_text().replace("in_thread = true", "in_thread = false"))
    assert at_a_terminal(guarded.path, "config", "apply") == 0
    other = started(ada, "other")
    refused(typed(ada, "handoff", "accept", "one", session=other))

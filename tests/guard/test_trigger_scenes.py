"""Triggers through the hooks as they were written: real processes, nothing is read from anybody."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import pytest

from tests.guard.support import Agent, Hooked, at_a_terminal
from tests.support import Repo, launcher

Agents = Callable[..., Agent]
Begin = Callable[[str, str], Agent]

CONFIG: Final = """
[[role]]
name = "pair"
lane = ["src/**"]
[[role]]
name = "architect"
lane = ["docs/**"]
[[trigger]]
id = "out"
from = "pair"
to = "architect"
when = { event = "edit_refused", codes = ["outside_lane"], times = 2 }
[[trigger]]
id = "planned"
from = "architect"
to = "pair"
when = { event = "document", glob = "docs/plan.json", field = "go", equals = true }
"""
NEXT: Final = re.compile(r"next: `?(?P<command>handrail [^`\n]+)`?")


@pytest.fixture
def begin(guarded: Repo, agents: Agents) -> Begin:
    config = guarded.path / "handrail.toml"
    kept = config.read_text().partition("[[role]]")[0].replace('default_role = "worker"\n', "")
    config.write_text(f"{kept}{CONFIG}")
    assert at_a_terminal(guarded.path, "config", "apply") == 0
    guarded.commit("configure")

    def begins(session: str, role: str) -> Agent:
        agent = agents(session, name=session)
        agent._env["HANDRAIL_ROLE"] = role
        assert agent.begins().code == 0
        return agent

    return begins


def follows(agent: Agent, told: Hooked) -> Hooked:
    """Type the one next command of an answer, in a shell whose stdin is closed."""
    found = NEXT.search(told.err or told.context)
    assert found is not None, told
    line = found["command"].replace("handrail", launcher()[0], 1)
    return agent.run(["/bin/bash", "-c", f"{line} <&-"])


def test_from_the_refused_edit_to_the_allowed_one_in_one_thread(begin: Begin) -> None:
    ada = begin("s-ada", "pair")
    assert ada.edit("docs/guide.md", "one\n").refused
    fired = ada.edit("docs/guide.md", "one\n")
    assert fired.refused
    assert "trigger out fired" in fired.err
    assert ada.edit("src/a.py", "x = 1\n").refused, "who gave it away waits"
    taken = follows(ada, fired)
    assert taken.code == 0, taken
    assert not ada.edit("docs/guide.md", "one\n").refused
    assert ada.commits("say it").code == 0


def test_the_receiver_that_begins_next_goes_on_without_a_word(begin: Begin, guarded: Repo) -> None:
    ada = begin("s-ada", "pair")
    ada.edit("docs/guide.md", "one\n")
    ada.edit("docs/guide.md", "one\n")
    bob = begin("s-bob", "architect")
    assert not bob.edit("docs/guide.md", "two\n").refused
    assert bob.commits("decide").code == 0
    assert ada.commits("go on", "--allow-empty").code == 0
    guarded.write("src/a.py", "past every hook of the harness\n")
    done = ada.commits("go on")
    assert done.code == 1
    assert "handed_off" in done.err


def test_a_document_that_was_edited_sends_its_writer_s_work_on(begin: Begin) -> None:
    bob = begin("s-bob", "architect")
    assert bob.edit("docs/plan.json", '{"go": false}').context == ""
    told = bob.edit("docs/plan.json", '{"go": true}').context
    assert "trigger planned fired on document: docs/plan.json" in told
    ada = begin("s-ada", "pair")
    assert not ada.edit("src/a.py", "x = 1\n").refused
    assert bob.edit("docs/guide.md", "more\n").refused


def test_an_agent_that_no_harness_guards_meets_it_at_its_commits(
    begin: Begin, guarded: Repo
) -> None:
    ada = begin("s-ada", "pair")
    guarded.write("docs/guide.md", "by a shell\n")
    first = ada.commits("one")
    assert (first.code, "trigger out fired" in first.err) == (1, False)
    second = ada.commits("one")
    assert second.code == 1
    assert "trigger out fired" in second.err
    assert follows(ada, second).code == 0
    assert ada.commits("one").code == 0

"""The five triggers of the matrix from payloads as a harness sends them, to who goes on with it.

Hooks are those that were written, agents are processes, and nothing is read from anybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from handrail.service.verification import Verification
from tests.compat.directive_ground import BRANCH, META, RULES, Ground, make_ground, meta_of
from tests.guard.support import Agent, Hooked
from tests.guard.test_rebuilt import PAYLOADS, fed
from tests.support import Handrail, launcher

(VERSION,) = sorted(PAYLOADS.glob("claude-*"))
PRODUCT: Final = "src/nav.ts"
GOVERNED: Final = RULES.replace("role-handoff-automation", "notes")
NEXT: Final = re.compile(r"next: `?(?P<command>handrail [^`\n]+)`?")
Begin = Callable[[str, str], Agent]


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    ground = make_ground(tmp_path, tmp_path_factory.mktemp("templates"))
    assert Handrail(ground.path)("init", "--harness", "claude").code == 0
    ground.saves("hooks of the harness")
    return ground


@pytest.fixture
def begin(ground: Ground) -> Iterator[Begin]:
    agents: list[Agent] = []

    def begins(session: str, role: str) -> Agent:
        agents.append(Agent(session, ground.path, name=session))
        agents[-1]._env["HANDRAIL_ROLE"] = role
        agents[-1].told = fed(agents[-1], VERSION, "SessionStart", ground.path / PRODUCT)
        assert agents[-1].told.code == 0, agents[-1].told
        return agents[-1]

    yield begins
    for agent in agents:
        agent.dies()


def edits(agent: Agent, path: str) -> Hooked:
    return fed(agent, VERSION, "PreToolUse.Edit", agent.root / path)


def follows(agent: Agent, told: Hooked) -> Hooked:
    """Type the one next command of an answer, in a shell whose stdin is closed."""
    found = NEXT.search(told.err or told.context)
    assert found is not None, told
    line = found["command"].replace("handrail", launcher()[0], 1)
    return agent.run(["/bin/bash", "-c", f"{line} <&-"])


def out_of_scope(ground: Ground, begin: Begin) -> str:
    refused = edits(begin("h-giver", "pair"), PRODUCT)
    assert refused.code == 2
    return refused.err


def said_out_of_scope(ground: Ground, begin: Begin) -> str:
    giver = begin("h-giver", "pair")
    done = giver.run([*launcher(), "task", "block", "--rule", "pair_out_of_scope"])
    assert done.code == 0, done
    return done.err


def contract_block(ground: Ground, begin: Begin) -> str:
    giver = begin("h-giver", "executor")
    told = [edits(giver, GOVERNED) for _ in range(3)]
    assert ["fired" in one.err for one in told] == [False, False, True]
    assert [one.code for one in told] == [2, 2, 2]
    return told[-1].err


def policy_conflict(ground: Ground, begin: Begin) -> str:
    giver = begin("h-giver", "auditor")
    done = giver.run([*launcher(), "task", "block", "--rule", "role_policy_conflict"])
    assert done.code == 0, done
    return done.err


def ultra(role: str) -> Callable[[Ground, Begin], str]:
    def opens(ground: Ground, begin: Begin) -> str:
        ground.writes(META, meta_of(session_priority="ultra"))
        ground.saves("this comes first")
        return begin("h-giver", role).told.context

    return opens


@pytest.mark.parametrize(
    ("trigger", "happens", "receiver", "then"),
    [
        ("pair_out_of_scope", out_of_scope, "architect", GOVERNED),
        ("pair_out_of_scope", said_out_of_scope, "architect", GOVERNED),
        ("executor_scope_or_contract_block", contract_block, "architect", GOVERNED),
        ("role_policy_conflict", policy_conflict, "architect", GOVERNED),
        ("architect_ultra_detected", ultra("architect"), "executor", PRODUCT),
        ("auditor_ultra_open", ultra("auditor"), "executor", PRODUCT),
    ],
)
def test_it_fires_is_delivered_and_obeyed(
    ground: Ground,
    begin: Begin,
    trigger: str,
    happens: Callable[[Ground, Begin], str],
    receiver: str,
    then: str,
) -> None:
    told = happens(ground, begin)
    shown = ground.handoff()
    assert (shown["trigger"], shown["to_role"]) == (trigger, receiver)
    assert trigger in told
    giver = Agent("h-giver", ground.path, name="h-giver")
    try:
        stopped = edits(giver, "apps/web/page.ts")
        assert (stopped.code, "handed_off" in stopped.err) == (2, True), stopped
    finally:
        giver.dies()
    taker = begin("h-taker", receiver)
    assert "which a trigger offered to your role, is accepted for you" in taker.told.context
    assert edits(taker, then).code == 0


def test_in_one_thread_the_next_command_leads_on(ground: Ground, begin: Begin) -> None:
    giver = begin("h-giver", "pair")
    refused = edits(giver, GOVERNED)
    assert "trigger pair_out_of_scope fired" in refused.err
    taken = follows(giver, refused)
    assert taken.code == 0, taken
    again = edits(giver, GOVERNED)
    assert "reading_required" in again.err, "the new role asks for its own reading"
    read = giver.run(["/bin/bash", "-c", _claimed(again)])
    assert read.code == 0, read
    assert edits(giver, GOVERNED).code == 0
    assert edits(giver, "apps/web/page.ts").code == 2


def test_with_hooks_off_the_same_rules_hold_at_commit_and_landing(
    ground: Ground, begin: Begin
) -> None:
    past_hooks = ("-c", "core.hooksPath=/dev/null")
    ground.repo.git(*past_hooks, "branch", "--force", "main")  # the base knows the configuration
    giver = begin("h-giver", "pair")
    ground.repo.write(PRODUCT, "export const past = 'every hook of the harness'\n")
    giver.git("add", "--all")
    refused = giver.git("commit", "--quiet", "-m", "past the bounds")
    assert refused.code == 1
    assert "trigger pair_out_of_scope fired" in refused.err
    assert giver.git(*past_hooks, "commit", "--quiet", "-m", "past git's hooks too").code == 0
    with ground.acting(None) as application:
        judged = Verification(application.sources).verify([f"{BRANCH}~1..{BRANCH}"]).judgments
    assert [(one.verdict, one.code) for one in judged] == [("refused", "unseen")], judged


def _claimed(told: Hooked) -> str:
    """Return what to type from a refusal that names what is to be read."""
    line = told.err.partition("next: ")[2].strip()
    return line.replace("handrail reading", f"{launcher()[0]} reading")

"""What came back: the giver of a packet that was declined, returned or lapsed is told, once."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from handrail.core.decide.desk import Settle
from handrail.core.decide.handoff import decide_return
from handrail.core.lease import Actor
from handrail.edge.guard.tools import Answer
from handrail.service.lapses import desk_of, lapse_ms, record_due
from handrail.service.policy import rules_in_force
from tests.cli.world import World
from tests.guard.test_turns import configured, nobody_registers, opens, world
from tests.guard.thread import Thread

__all__ = ("nobody_registers", "world")

NEXT = "handrail handoff offer --task fix --to tester -m MESSAGE"
WHY = "the parser\x1b[2J loses the last line"


@pytest.fixture
def ada(world: World) -> Thread:
    """A session that offered packet 002 of task fix to a tester."""
    configured(world, "off")
    ada = Thread(world)
    ada.begins()
    opens(world)
    ada.accepts()
    ada.offers(to_role="tester", message="It works.")
    return ada


@pytest.fixture
def bob(ada: Thread) -> Thread:
    """The tester that packet waits for."""
    bob = Thread(ada.world, "s-bob", role="tester")
    bob.begins()
    return bob


def declines(bob: Thread, why: str = WHY) -> None:
    for handoffs in bob.handoffs():
        handoffs.decline("fix", why)


def returns(bob: Thread) -> None:
    """Send the packet back as a re-run that came out otherwise does."""
    with bob.world.open(bob.session) as app, app.store.transaction() as tx:
        rules, task, session = rules_in_force(tx), tx.task("fix"), tx.session(bob.session)
        assert task is not None
        desk = desk_of(tx, rules, task, session)
        settle = Settle(session, WHY, rules.settings.limits.ttl_ms, lapse_ms(rules))
        tx.commit(decide_return(desk, settle, ("evidence",), tx.now), Actor(bob.session))


def lapses(bob: Thread) -> None:
    """Let time run out over the packet, and somebody come near it."""
    with bob.world.open() as app:
        with app.store.transaction() as tx:
            packet = tx.packets("fix")[-1]
            tx._tables.put_packet(packet._replace(lapses_at=tx.now))
            tx._touched = True
            tx.commit([], Actor())
        record_due(app.context)


def told(done: Answer) -> str:
    """Return what the agent reads."""
    assert (done.status, done.stderr) == (0, "")
    if not done.stdout.startswith("{"):
        return done.stdout
    return str(json.loads(done.stdout)["hookSpecificOutput"]["additionalContext"])


EVENTS: Final[dict[str, dict[str, Any]]] = {
    "PostToolUse": {"tool_name": "Bash", "tool_input": {"command": "make"}, "tool_response": {}},
    "UserPromptSubmit": {"prompt": "go on"},
}


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_the_giver_is_told_once_what_was_minded_and_what_leads_on(
    ada: Thread, bob: Thread, event: str
) -> None:
    assert told(ada.hook(event, **EVENTS[event])) == ""
    declines(bob)
    said = told(ada.hook(event, **EVENTS[event]))
    assert "packet 002 of task fix was declined by session s-bob: the parser" in said
    assert "loses the last line" in said
    assert "\x1b" not in said
    assert f"next: `{NEXT}`" in said
    assert told(ada.hook(event, **EVENTS[event])) == "", "once"
    assert told(bob.hook(event, **EVENTS[event])) == "", "who declined knows"


def test_a_return_and_a_lapse_are_told_too(ada: Thread, bob: Thread) -> None:
    returns(bob)
    said = told(ada.hook("UserPromptSubmit", prompt="x"))
    assert "packet 002 of task fix was returned by session s-bob: the parser" in said
    ada.offers(to_role="tester", message="Now it does.")
    lapses(bob)
    said = told(ada.hook("UserPromptSubmit", prompt="x"))
    assert "packet 003 of task fix lapsed: nobody answered it in time" in said
    assert NEXT in said


def test_at_a_beginning_it_is_said_as_long_as_it_is_so_and_not_twice_in_one_answer(
    ada: Thread, bob: Thread
) -> None:
    declines(bob)
    for source in ("resume", "compact"):
        assert ada.begins(source).count("was declined by session s-bob") == 1
    assert told(ada.hook("UserPromptSubmit", prompt="x")) == "", "the beginning told it"
    ada.offers(to_role="tester", message="Again.")
    assert "was declined" not in ada.begins("resume")


def test_what_has_gone_on_since_is_not_told(ada: Thread, bob: Thread) -> None:
    declines(bob)
    ada.offers(to_role="tester", message="It works, really.")
    assert told(ada.hook("UserPromptSubmit", prompt="x")) == ""


def test_where_the_giver_is_gone_the_next_session_of_its_role_is_told(
    ada: Thread, bob: Thread
) -> None:
    ada.hook("SessionEnd", reason="logout")
    declines(bob)
    assert "was declined" not in bob.begins("resume"), "another role"
    said = Thread(ada.world, "s-eve").begins()
    assert "packet 002 of task fix was declined by session s-bob" in said
    assert "next: `handrail handoff accept fix`" in said


def test_a_halted_task_leads_to_a_person(ada: Thread, bob: Thread) -> None:
    configured(ada.world, 'off"\nhalt_after = 1\nwiden = "auto')
    declines(bob)
    assert "next: `handrail task show fix`" in told(ada.hook("UserPromptSubmit", prompt="x"))


def test_inbox_and_briefing_say_it_too(ada: Thread, bob: Thread) -> None:
    declines(bob)
    shell = ada.world.shell(HANDRAIL_SESSION=ada.session)
    done = shell.types("handrail inbox")
    first, second, third = done.out.splitlines()
    assert first == "nothing is offered"
    assert second.startswith("back with you: packet 002 of task fix was declined by session s-bob")
    assert third == f"  next: {NEXT}"
    (back,) = shell.handrail("inbox", "--json").json()["came_back"]
    assert (back["task"], back["number"], back["state"]) == ("fix", 2, "declined")
    assert (back["reason"], back["next"]) == (WHY, NEXT)
    brief = shell.types("handrail handoff briefing fix")
    assert "packet 002 of task fix was declined by session s-bob" in brief.out
    assert f"next: {NEXT}" in brief.err
    other = ada.world.shell(HANDRAIL_SESSION=bob.session).handrail("inbox", "--json").json()
    assert other["came_back"] == []

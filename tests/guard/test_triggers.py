"""Triggers in a harness: what fires, what its packet says, who is stopped, who goes on with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.core.handed import EditRefused, TriggerFired, TriggerLooped
from handrail.core.ledger import read_event
from handrail.edge.guard.tools import Answer
from handrail.errors import Refused
from handrail.service.handoffs import Offering
from handrail.service.packets import Packets
from handrail.service.sessions import Sessions
from handrail.service.tasks import Tasks
from handrail.wiring import Application
from handrail.wiring.firing import judged_of
from tests.cli.world import World, make_world
from tests.guard.thread import Thread

ROLES: Final = """
{first}
[[role]]
name = "executor"
lane = ["src/**"]
[[role]]
name = "architect"
lane = ["docs/**", "plans/**"]
[[role]]
name = "pair"
lane = ["apps/web/**"]
{triggers}
"""
BLOCKED: Final = """
[[trigger]]
id = "scope-block"
from = "executor"
to = "architect"
when = { event = "edit_refused", codes = ["outside_lane"], times = 3 }
[[trigger]]
id = "pair-out"
from = "pair"
to = "architect"
when = { event = "edit_refused", codes = ["outside_lane"] }
"""
ULTRA: Final = """
[[trigger]]
id = "ultra"
from = "architect"
to = "executor"
when = { event = "document", glob = "plans/*.json", field = "meta.priority", equals = "ultra", \
unless = { field = "meta.status", equals = "archived" } }
"""


@pytest.fixture
def world(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path, tmp_path_factory.mktemp("templates"))


@pytest.fixture(autouse=True)
def nobody_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process, in which all events are answered, be the harness of none of them."""
    monkeypatch.setattr(Application, "harness_process", lambda self: None)


def configured(world: World, triggers: str = BLOCKED, first: str = "") -> None:
    world.configure(ROLES.format(first=first, triggers=triggers))


def edits(thread: Thread, path: str, text: str = "x\n") -> Answer:
    """Ask for an edit, and write where it is let through."""
    target = thread.world.path / path
    done = thread.hook("PreToolUse", tool_name="Write", tool_input={"file_path": str(target)})
    if done.status == 0:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return done


def events(world: World, kind: type[Any]) -> list[Any]:
    with world.open(None) as application, application.store.read() as reader:
        found = [read_event(entry) for entry in reader.entries(0, reader.head.seq)]
    return [event for event in found if isinstance(event, kind)]


def said(world: World, task: str) -> dict[str, Any]:
    """Return what the newest packet of a task says."""
    with world.open(None) as application:
        return Packets(application.context, application.packet_files).show(task).content


def packet_of(world: World) -> TriggerFired:
    found = events(world, TriggerFired)
    assert len(found) == 1
    fired: TriggerFired = found[0]
    return fired


def in_thread(thread: Thread, act: Callable[[Application], Any]) -> Any:
    with thread.world.open(thread.session) as application:
        return act(application)


def accepts(thread: Thread, task: str) -> Any:
    return in_thread(thread, lambda application: judged_of(application).accept(task))


def sends_back(thread: Thread, task: str, to: str = "pair") -> None:
    asked = Offering(task=task, kind="block", to_role=to, message="Leave the guide alone. " * 3)
    in_thread(thread, lambda application: judged_of(application).offer(asked))


def test_the_third_refused_edit_becomes_a_packet_and_stops_its_session(world: World) -> None:
    configured(world)
    ada = Thread(world, "s-ada", "executor")
    ada.begins()
    assert edits(ada, "src/own.py").status == 0
    refused = [edits(ada, f"docs/{name}.md") for name in ("a", "b", "c")]
    assert [answer.status for answer in refused] == [2, 2, 2]
    assert "outside_lane" in refused[0].stderr
    assert "outside_lane" in refused[1].stderr
    assert "trigger scope-block fired" in refused[2].stderr
    assert [dict(one.counts)["outside_lane"] for one in events(world, EditRefused)] == [1, 2, 3]
    fired = packet_of(world)
    packet = said(world, fired.task)
    assert (packet["kind"], packet["trigger"]) == ("block", "scope-block")
    assert (packet["from_role"], packet["to_role"]) == ("executor", "architect")
    assert "src/own.py" in packet["metadata"]["worktree_allowlist_paths"]
    tried = packet["metadata"]["findings"][0]
    assert (tried["gate"], tried["code"], tried["path"]) == ("edit", "outside_lane", "docs/c.md")
    assert "docs/c.md" in packet["message"]
    with world.open(None) as application, application.store.read() as reader:
        assert reader.leases("s-ada") == []  # the guard's table lets it write nothing either
        assert not reader.may_write(".", "s-ada", "src/own.py")
    again = edits(ada, "src/own.py")
    assert again.status == 2
    assert "handed_off" in again.stderr
    world.sound()


def test_the_same_thread_goes_on_as_the_receiver_by_the_one_next_command(world: World) -> None:
    configured(world)
    ada = Thread(world, "s-ada", "pair")
    ada.begins()
    answer = edits(ada, "docs/guide.md")
    task = packet_of(world).task
    assert f"next: handrail handoff accept {task}" in answer.stderr
    done = accepts(ada, task)
    assert done.packet.to_role == "architect"
    with world.open("s-ada") as application:
        assert Sessions(application.context).show().session.role == "architect"
    assert edits(ada, "docs/guide.md").status == 0
    assert edits(ada, "apps/web/x.ts").status == 2  # it is the architect now
    world.sound()


def test_the_next_session_of_the_receiver_has_it_accepted_when_it_begins(world: World) -> None:
    configured(world)
    ada = Thread(world, "s-ada", "pair")
    ada.begins()
    edits(ada, "docs/guide.md")
    task = packet_of(world).task
    bob = Thread(world, "s-bob", "architect")
    told = bob.begins()
    assert f"packet 001 of task {task}, which a trigger offered to your role, is accepted" in told
    assert "An edit of docs/guide.md was refused" in told
    assert edits(bob, "docs/guide.md").status == 0
    assert "handed_off" in edits(ada, "apps/web/x.ts").stderr
    assert f"session {bob.session}" in edits(ada, "apps/web/x.ts").stderr
    in_thread(bob, lambda application: Tasks(application.context).close(task))
    assert edits(ada, "apps/web/x.ts").status == 0
    world.sound()


def test_what_takes_commands_to_accept_is_not_accepted_in_passing(world: World) -> None:
    gate = '[[gate]]\nid = "slow"\nstages = ["post-handoff"]\nrun = ["false"]\n'
    configured(world, BLOCKED + gate)
    ada = Thread(world, "s-ada", "pair")
    ada.begins()
    edits(ada, "docs/guide.md")
    task = packet_of(world).task
    told = Thread(world, "s-bob", "architect").begins()
    assert "is accepted" not in told
    assert f"next: `handrail handoff accept {task}`" in told


def test_who_was_stopped_hears_it_again_when_its_session_goes_on(world: World) -> None:
    configured(world)
    ada = Thread(world, "s-ada", "pair")
    ada.begins()
    edits(ada, "docs/guide.md")
    told = ada.begins("resume")
    assert "handed_off" in told
    assert "You may write nothing until it is back" in told


def test_who_works_as_the_receiver_already_is_told_once(world: World) -> None:
    configured(world)
    bob = Thread(world, "s-bob", "architect")
    bob.begins()
    ada = Thread(world, "s-ada", "pair")
    ada.begins()
    edits(ada, "docs/guide.md")
    task = packet_of(world).task
    told = bob.hook("UserPromptSubmit", prompt="go on").stdout
    assert f"handrail handoff accept {task}" in told
    assert bob.hook("UserPromptSubmit", prompt="go on").stdout == ""


def test_a_stopped_giver_does_not_take_its_packet_back(world: World) -> None:
    configured(world)
    ada = Thread(world, "s-ada", "pair")
    ada.begins()
    edits(ada, "docs/guide.md")
    task = packet_of(world).task
    with pytest.raises(Refused, match="not_your_handoff"):
        in_thread(ada, lambda application: judged_of(application).withdraw(task))


def test_what_comes_back_lets_the_giver_go_on(world: World) -> None:
    configured(world)
    ada = Thread(world, "s-ada", "pair")
    ada.begins()
    edits(ada, "docs/guide.md")
    task = packet_of(world).task
    bob = Thread(world, "s-bob", "architect")
    bob.begins()
    with pytest.raises(Refused, match="no_handoff"):
        accepts(ada, task)
    sends_back(bob, task)
    assert edits(ada, "apps/web/x.ts").status == 2
    accepts(ada, task)
    assert edits(ada, "apps/web/x.ts").status == 0
    world.sound()


def test_refusals_are_counted_anew_once_a_trigger_fired(world: World) -> None:
    configured(world)
    ada, bob = Thread(world, "s-ada", "executor"), Thread(world, "s-bob", "architect")
    ada.begins()
    for name in "abc":
        edits(ada, f"docs/{name}.md")
    task = packet_of(world).task
    bob.begins()
    sends_back(bob, task, to="executor")
    accepts(ada, task)
    assert "outside_lane" in edits(ada, "docs/d.md").stderr
    assert [dict(one.counts)["outside_lane"] for one in events(world, EditRefused)] == [1, 2, 3, 1]


def test_a_person_resets_a_role_and_the_session_goes_on(world: World) -> None:
    configured(world)
    ada = Thread(world, "s-ada", "pair")
    ada.begins()
    edits(ada, "docs/guide.md")
    assert edits(ada, "apps/web/x.ts").status == 2
    with world.open(None) as application:
        application.caller = application.caller._replace(terminal=True, harness=None)
        Sessions(application.context).reset_role("s-ada", "executor", "go on with the sources")
    assert edits(ada, "src/a.py").status == 0


def test_after_three_rounds_a_person_has_to_look(world: World) -> None:
    configured(world)
    ada, bob = Thread(world, "s-ada", "pair"), Thread(world, "s-bob", "architect")
    ada.begins()
    answer = edits(ada, "docs/guide.md")
    task = packet_of(world).task
    bob.begins()
    for _ in range(2):
        sends_back(bob, task)
        accepts(ada, task)
        assert "trigger pair-out fired" in edits(ada, "docs/guide.md").stderr
        accepts(bob, task)
    sends_back(bob, task)
    accepts(ada, task)
    answer = edits(ada, "docs/guide.md")
    assert "trigger_loop" in answer.stderr
    assert len(events(world, TriggerLooped)) == 1
    assert "trigger_loop" in edits(ada, "apps/web/x.ts").stderr
    with world.open(None) as application:
        application.caller = application.caller._replace(terminal=True, harness=None)
        Tasks(application.context).resume(task, "seen")
    assert edits(ada, "apps/web/x.ts").status == 0
    world.sound()


@pytest.mark.parametrize("mode", ["warn", "shadow"])
def test_where_nothing_is_refused_nothing_fires(world: World, mode: str) -> None:
    configured(world, first=f'mode = "{mode}"')
    ada = Thread(world, "s-ada", "pair")
    ada.begins()
    assert edits(ada, "docs/guide.md").status == 0
    assert events(world, EditRefused) == []
    assert events(world, TriggerFired) == []


def test_a_shell_line_that_wrote_out_of_its_lane_counts(world: World) -> None:
    configured(world)
    ada = Thread(world, "s-ada", "pair")
    ada.begins()
    (world.path / "docs").mkdir(exist_ok=True)
    (world.path / "docs" / "guide.md").write_text("by a script\n")
    done = ada.hook(
        "PostToolUse", tool_name="Bash", tool_input={"command": "make docs"}, tool_response={}
    )
    assert "trigger pair-out fired" in done.stdout
    assert packet_of(world).event == "edit_refused"


def test_a_document_sends_its_reader_to_the_receiver(world: World) -> None:
    configured(world, ULTRA)
    plan = world.path / "plans" / "a.json"
    plan.parent.mkdir()
    plan.write_text(json.dumps({"meta": {"priority": "ultra", "status": "open"}}))
    bob = Thread(world, "s-bob", "architect")
    told = bob.begins()
    assert "trigger ultra fired on document: plans/a.json" in told
    assert edits(bob, "docs/guide.md").status == 2
    task = packet_of(world).task
    carol = Thread(world, "s-carol", "architect")
    assert "handed_off" in carol.begins()  # no second packet
    assert {(one.task, one.number) for one in events(world, TriggerFired)} == {(task, 1)}
    ada = Thread(world, "s-ada", "executor")
    assert "is accepted for you" in ada.begins()
    plan.write_text(json.dumps({"meta": {"priority": "ultra", "status": "archived"}}))
    in_thread(ada, lambda application: Tasks(application.context).close(task))
    assert edits(bob, "docs/guide.md").status == 0
    assert "trigger" not in Thread(world, "s-dan", "architect").begins()
    world.sound()


@pytest.mark.parametrize(
    ("content", "fires", "told"),
    [
        (b'{"meta": {"priority": "ultra", "status": "archived"}}', False, ""),
        (b'{"meta": {"priority": "low"}}', False, ""),
        (b'{"meta": {"priority": ["ultra"]}}', False, ""),
        (b'{"meta": "ultra"}', False, ""),
        (b"[" * 100_000, False, "plans/a.json cannot be read: it is no JSON"),
        (b"\xff\xfe", False, "plans/a.json cannot be read: it is no JSON"),
        (b" " * ((1 << 20) + 1), False, "it has more than 1048576 bytes"),
        (b'\xef\xbb\xbf{"meta": {"priority": "ultra"}}', True, ""),
    ],
)
def test_what_a_document_says(world: World, content: bytes, fires: bool, told: str) -> None:
    configured(world, ULTRA)
    plan = world.path / "plans" / "a.json"
    plan.parent.mkdir()
    plan.write_bytes(content)
    shown = Thread(world, "s-bob", "architect").begins()
    assert ("trigger ultra fired" in shown) is fires
    assert told in shown


def test_documents_behind_a_link_are_not_looked_at(world: World, tmp_path: Path) -> None:
    configured(world, ULTRA.replace("plans/*.json", "plans/deep/*.json"))
    elsewhere = tmp_path / "elsewhere" / "deep"
    elsewhere.mkdir(parents=True)
    (elsewhere / "a.json").write_text(json.dumps({"meta": {"priority": "ultra"}}))
    (world.path / "plans").symlink_to(elsewhere.parent)
    assert "plans" not in Thread(world, "s-bob", "architect").begins()


def test_a_document_that_is_edited_fires(world: World) -> None:
    configured(world, ULTRA)
    bob = Thread(world, "s-bob", "architect")
    bob.begins()
    text = json.dumps({"meta": {"priority": "ultra"}})
    assert edits(bob, "plans/a.json", text).status == 0
    target = str(world.path / "plans" / "a.json")
    done = bob.hook(
        "PostToolUse", tool_name="Write", tool_input={"file_path": target}, tool_response={}
    )
    assert "trigger ultra fired" in done.stdout

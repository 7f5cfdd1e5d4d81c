"""Payloads that are none, stores in pieces: answered by mode, with a line in the log, no harm."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.guard.conftest import Agents
from tests.guard.support import Agent, at_a_terminal
from tests.support import Handrail, Repo

HOSTILE = {
    "empty": b"",
    "blank": b" \n",
    "cut": b'{"hook_event_name": "PreToolUse", "session_id": "s-1", "tool_na',
    "no JSON": b"<xml/>",
    "a list": b"[1, 2, 3]",
    "a number": b"7",
    "deep": b"[" * 200_000,
    "not UTF-8": b'{"hook_event_name": "PreToolUse", "session_id": "\xff\xfe"}',
    "no session": b'{"hook_event_name": "PreToolUse", "tool_name": "Edit", "tool_input": {}}',
    "a session that is a path": json.dumps(
        {"hook_event_name": "PreToolUse", "session_id": "../../x", "tool_name": "Edit"}
    ).encode(),
    "a tool without its file": json.dumps(
        {"hook_event_name": "PreToolUse", "session_id": "s-1", "tool_name": "Edit"}
    ).encode(),
    "wrong types": json.dumps(
        {"hook_event_name": 1, "session_id": {}, "tool_name": [], "tool_input": "x"}
    ).encode(),
    "a NUL": b'{"hook_event_name": "PreToolUse", "session_id": "s\\u00001", "tool_name": "Edit"}',
}


def log_of(agent: Agent) -> str:
    path = agent.root / ".git" / "handrail" / "hook.log"
    return path.read_text() if path.exists() else ""


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_payload_is_refused_in_enforce_with_a_line_in_the_log(
    agents: Agents, name: str
) -> None:
    ada = agents("s-1")
    done = ada.raw_hook(HOSTILE[name])
    assert done.refused
    assert "Traceback" not in done.err
    assert "malformed_payload" in done.err
    assert "next: " in done.err
    log = log_of(ada)
    assert "malformed_payload" in log
    assert "xml" not in log
    assert "tool_input" not in log, "no payload is ever written down"


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_payload_passes_with_a_notice_in_warn(
    guarded: Repo, agents: Agents, name: str
) -> None:
    config = guarded.path / "handrail.toml"
    config.write_text(config.read_text().replace('mode = "enforce"', 'mode = "warn"'))
    assert at_a_terminal(guarded.path, "config", "apply") == 0
    done = agents("s-1").raw_hook(HOSTILE[name])
    assert done.code == 0, done
    assert "malformed_payload" in json.loads(done.out)["systemMessage"]


def test_ten_megabytes_are_read_like_any_other(agents: Agents) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    text = "x" * (10 << 20)
    path = str(ada.root / "src/a.py")
    assert not ada.tool("Write", lambda: None, file_path=path, content=text).refused
    assert bob.tool("Write", lambda: None, file_path=path, content=text).refused


@pytest.mark.parametrize("event", ["Notification", "PreCompact", "SomethingNew"])
def test_an_unknown_event_is_nothing_to_us(agents: Agents, event: str) -> None:
    payload = {"hook_event_name": event, "session_id": "s-1", "cwd": "/"}
    done = agents("s-1").raw_hook(json.dumps(payload).encode())
    assert (done.code, done.out, done.err) == (0, "", "")


def test_an_unknown_harness_is_refused_like_no_payload(agents: Agents) -> None:
    payload = {"conversation_id": "1", "cursor_version": "3", "tool_name": "Write"}
    assert agents("s-1").raw_hook(json.dumps(payload).encode()).refused


PATHS = {
    "relative": "src/a.py",
    "with dots": "docs/../src/./a.py",
    "doubled slashes": "src//a.py",
    "through a link": "linked/a.py",
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("absolute", [True, False])
def test_a_path_in_any_spelling_is_the_same_path(
    guarded: Repo, agents: Agents, name: str, absolute: bool
) -> None:
    (guarded.path / "linked").symlink_to("src")
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.edit("src/a.py", "one")
    path = f"{guarded.path}/{PATHS[name]}" if absolute else PATHS[name]
    assert bob.tool("Write", lambda: None, file_path=path, content="x").refused


@pytest.mark.parametrize(
    "path", ["src/a\nb.py", 'src/"quoted".py', "src/caf\u00e9.py", "src/\udcff.py", "s" * 4_000]
)
def test_a_strange_name_is_no_reason_to_fall(agents: Agents, path: str) -> None:
    ada = agents("s-ada")
    done = ada.hook("PreToolUse", tool_name="Write", tool_input={"file_path": path})
    assert done.code in (0, 2), done
    assert "Traceback" not in done.err
    assert "bug" not in done.err


def test_a_store_that_vanished_refuses_edits_and_stops_no_commit(
    guarded: Repo, agents: Agents
) -> None:
    ada = agents("s-ada")
    ada.edit("src/a.py", "one")
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        (guarded.path / ".git" / "handrail" / name).unlink(missing_ok=True)
    refused = ada.edit("src/a.py", "two")
    assert refused.refused
    assert "not_initialised" in refused.err
    assert "not_initialised" in log_of(ada)
    assert ada.commits("all the same").code == 0


def test_a_store_that_is_damaged_refuses_edits_and_stops_no_commit(
    guarded: Repo, agents: Agents
) -> None:
    ada = agents("s-ada")
    for name in ("state.db-wal", "state.db-shm"):
        (guarded.path / ".git" / "handrail" / name).unlink(missing_ok=True)
    (guarded.path / ".git" / "handrail" / "state.db").write_bytes(b"damaged" * 1_000)
    refused = ada.edit("src/a.py", "two")
    assert refused.refused
    assert "store_corrupt" in refused.err
    guarded.write("src/a.py", "x")
    assert ada.commits("all the same").code == 0
    assert "store_corrupt" in log_of(ada)


def test_a_launch_line_that_leads_nowhere_lets_work_go_on(guarded: Repo, agents: Agents) -> None:
    launch = guarded.path / ".git" / "handrail" / "launch"
    launch.write_text(launch.read_text().replace("/bin/python", "/bin/no-python"))
    ada = agents("s-ada")
    done = ada.edit("src/a.py", "one")
    assert done.code == 0
    assert "handrail init" in done.err
    assert ada.commits("work").code == 0


def test_a_guard_in_pieces_refuses_what_is_about_to_happen(
    guarded: Repo, agents: Agents, tmp_path: Path
) -> None:
    launch = guarded.path / ".git" / "handrail" / "launch"
    source = Path(launch.read_text().split("'")[3]).parents[2]
    copied = tmp_path / "broken" / "handrail"
    shutil.copytree(source, copied)
    (copied / "wiring" / "__init__.py").write_text("raise RuntimeError('in pieces')")
    launch.write_text(launch.read_text().replace(str(source), str(copied)))
    ada = agents("s-ada")
    done = ada.hook("PreToolUse", tool_name="Edit", tool_input={"file_path": "src/a.py"})
    assert done.refused
    assert "in pieces" in done.err
    assert ada.begins().code == 0
    assert ada.commits("work", "--allow-empty").code == 0


def test_a_broken_index_and_replaced_objects_change_no_verdict(
    guarded: Repo, agents: Agents
) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.edit("src/a.py", "one")
    other = guarded.git("commit-tree", "HEAD^{tree}", "-m", "other")
    guarded.git("replace", guarded.git("rev-parse", "HEAD"), other)
    (guarded.path / ".git" / "index").write_bytes(b"DIRC broken")
    assert bob.edit("src/a.py", "two").refused


def test_hooks_work_in_a_repository_in_the_middle_of_a_rebase(
    guarded: Repo, agents: Agents
) -> None:
    guarded.git("checkout", "--quiet", "-b", "topic")
    guarded.write("src/a.py", "topic\n")
    guarded.commit("topic")
    guarded.git("checkout", "--quiet", "main")
    guarded.write("src/a.py", "main\n")
    guarded.commit("main")
    ada, bob = agents("s-ada"), agents("s-bob")
    assert ada.shell("git rebase -q main topic").code != 0
    assert not ada.edit("src/a.py", "both\n").refused
    assert bob.edit("src/a.py", "mine\n").refused
    done = ada.shell("git add -A && GIT_EDITOR=true git rebase --continue")
    assert done.code == 0, done


def test_doctor_reads_the_log(agents: Agents, handrail: Handrail) -> None:
    assert "hook.log" not in handrail("doctor").out
    agents("s-1").raw_hook(b"<xml/>")
    told = handrail("doctor")
    assert "hook.log: newest line: " in told.out, told
    assert "malformed_payload" in told.out


def test_the_log_is_kept_short(guarded: Repo, agents: Agents) -> None:
    log = guarded.path / ".git" / "handrail" / "hook.log"
    log.write_bytes(b"x" * (1 << 20))
    agents("s-1").raw_hook(b"")
    assert not log.exists() or log.stat().st_size < 4_096
    assert os.stat(f"{log}.1").st_size > 1 << 20

"""The document's matrix and its *Expected operational behavior*, a row and a line at a time.

Nothing is read from a person: every line is typed with stdin closed, or asked in this process.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from handrail import errors
from handrail.errors.handoff import GateFailed
from tests.compat.directive_ground import (
    HANDOFF,
    ID,
    META,
    NAME,
    RULES,
    TASK,
    Ground,
    document,
    make_ground,
    meta_of,
    task_of,
)

ROWS: Final = (
    ("architect_ultra_detected", "architect", "executor", "src/nav.ts"),
    ("auditor_ultra_open", "auditor", "executor", "src/nav.ts"),
    ("executor_scope_or_contract_block", "executor", "architect", TASK),
    ("pair_out_of_scope", "pair", "architect", TASK),
    ("role_policy_conflict", "auditor", "architect", TASK),
)
LINES: Final = (
    "Trigger reached in sender role",
    "Sender emits strict handoff packet and stops",
    "Receiver role treats packet `to_role` as explicit assignment",
    "Receiver completes required reading and continues immediately",
    "No extra confirmation required for trigger-based handoff",
)


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A repository whose people follow the directives' documents."""
    return make_ground(tmp_path, tmp_path_factory.mktemp("directive-template"))


@pytest.mark.parametrize(("trigger", "giver", "receiver", "path"), ROWS)
def test_each_row_of_the_matrix_leads_to_its_receiver_who_goes_on_at_once(
    ground: Ground, trigger: str, giver: str, receiver: str, path: str
) -> None:
    ultra = "ultra" in trigger
    ground.writes(META, meta_of(session_priority="ultra" if ultra else "high"))
    ground.saves("directive")
    done = ground.hands("--session", NAME, "--to-role", receiver, "--trigger", trigger, role=giver)
    assert (done.code, done.out, done.err) == (0, f"Wrote {HANDOFF}\n", "")
    said = ground.handoff()
    assert (said["trigger"], said["to_role"], said["session_id"]) == (trigger, receiver, ID)
    with ground.acting(None) as application, application.store.read() as reader:
        (packet,) = reader.packets()
    assert packet.kind == "block"
    env = {"HANDRAIL_SESSION": f"s-{receiver}"}
    accepted = ground.accepts(receiver)
    if accepted.lease is None:
        assert ground.claims(receiver, path).scope == (path,)
    else:
        assert accepted.lease.scope == (path,)
    if ultra:
        ground.repo.write(path, "export const levels = 2\n")
    else:
        ground.writes(path, task_of(("src/menu.ts", "write")))
    done = ground.types(
        "git add -A && git commit --quiet -m 'go on' && git log -1 --format=%B", env
    )
    assert done.code == 0, done.err
    assert f"Handrail-Session: s-{receiver}" in done.out


def test_the_document_says_the_lines_that_are_tested_here() -> None:
    said = document()
    if said is not None:
        expected = said.partition("## Expected operational behavior")[2].partition("##")[0]
        assert [line[2:] for line in expected.splitlines() if line.startswith("- ")] == list(LINES)


def test_sender_emits_a_strict_packet_and_stops(ground: Ground) -> None:
    ground.offers("architect", to_role="executor", message="Open it")
    ground.accepts("executor")
    trigger = "executor_scope_or_contract_block"
    assert ground.hands("--trigger", trigger, role="executor").code == 0
    said = ground.handoff()
    assert all(said[name] for name in ("trigger", "session_id", "directive_branch", "objective"))
    for path in ("src/nav.ts", TASK):
        with pytest.raises(errors.Refused):
            ground.claims("executor", path)
    assert ground.hands("--trigger", trigger, role="executor").err.startswith("packet_open: ")


def test_receiver_role_treats_to_role_as_explicit_assignment(ground: Ground) -> None:
    ground.hands("--session", NAME, role="architect")
    for role in ("auditor", "pair", "architect"):
        with pytest.raises(errors.Refused) as caught:
            ground.accepts(role, "feat-nav-s-architect")
        assert caught.value.code == "not_your_handoff"
    assert ground.accepts("executor").task.role == "executor"


def test_receiver_is_told_what_to_read_and_it_is_there(ground: Ground) -> None:
    ground.hands("--session", NAME, role="architect")
    named = ground.handoff()["required_reading"].split(", ")
    assert RULES in named
    for path in named:
        assert (ground.path / path).is_file()
    words = ("--session", NAME, "--to-role", "architect", "--required-reading", "docs/gone.md")
    done = ground.hands(*words, role="pair")
    assert done.code == 1
    assert "docs/gone.md" in done.err


def test_no_confirmation_is_asked_from_the_packet_to_the_first_commit(ground: Ground) -> None:
    line = (
        f".directive-cli/bin/newhandoff --session {NAME} && .directive-cli/bin/dc validate --strict"
    )
    done = ground.types(line, {"HANDRAIL_SESSION": "s-architect"})
    assert done.out == f"Wrote {HANDOFF}\nValidation passed: 1 session(s)\n"
    assert ground.accepts("executor").lease is not None
    ground.repo.write("src/nav.ts", "export const levels = 2\n")
    env = {"HANDRAIL_SESSION": "s-executor"}
    assert ground.types("git add -A && git commit --quiet -m 'Open it'", env).code == 0


def test_without_the_scripts_and_hooks_the_same_rules_hold_when_it_is_accepted(
    ground: Ground,
) -> None:
    """A file that somebody wrote by hand is no packet: nobody can accept it."""
    value = {"handoff": {"from_role": "architect", "to_role": "executor", "objective": "Do it"}}
    ground.writes(HANDOFF, value)
    with pytest.raises(errors.Refused):
        ground.accepts("executor")
    with pytest.raises(GateFailed) as caught:
        ground.offers("architect", packet=json.dumps(value).encode())
    assert HANDOFF in caught.value.message  # it is unfinished work like any other

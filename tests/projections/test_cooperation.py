"""Cooperation's files: both shapes read as history and given back, what is odd in them told."""

from __future__ import annotations

import doctest
import json
from collections.abc import Sequence
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import handrail.projections.cooperation
import handrail.service.cooperation.routing
from handrail.core.task import CLOSED, DONE, HALT, OPEN, Task
from handrail.projections.cooperation import without_prose
from handrail.projections.cooperation_handoffs import FOLDER
from handrail.projections.cooperation_tasks import PROJECTION
from handrail.projections.port import Known, Told
from handrail.service.cooperation.routing import routed, task_id
from tests.projections.cooperation_shapes import (
    arrays,
    bare_tasks,
    handoffs,
    layouts,
    tasks,
    written,
)

NAME: Final = "coop-20260601-090000-nav-002.json"
GOOD: Final[dict[str, Any]] = {
    "task_id": "coop-20260601-090000-nav",
    "timestamp": "2026-06-01T09:20:00Z",
    "from_role": "architect",
    "to_role": "reviewer",
    "context": {
        "task_description": "Tidy the menu",
        "requirements": [],
        "constraints": [],
        "files_in_scope": ["src/menu.ts"],
        "sandbox": "read-only",
    },
    "artifacts": {
        "produced": [".cooperations/evidence/coop-20260601-090000-nav/plan.md"],
        "consumed": ["specs/product.md"],
    },
    "metadata": {"phase": "plan", "next_phase": "claude_review", "next_checkpoint": "plan_check"},
}
GOOD_TASK: Final[dict[str, Any]] = {
    "id": "coop-20260601-090000-nav",
    "description": "Tidy the menu",
    "created_at": "2026-06-01T09:00:00Z",
    "status": "completed",
    "current_phase": "claude_final",
    "current_role": "reviewer",
    "sandbox": "read-only",
    "planned_implementer": "frontend-ux",
    "recent_handoffs": [
        {
            "seq": "005",
            "from_role": "implementer",
            "to_role": "reviewer",
            "timestamp": "2026-06-01T13:30:00Z",
        }
    ],
    "checkpoints": [
        {"gate": "final_check", "decision": "approve", "timestamp": "2026-06-01T14:00:00Z"}
    ],
    "revise_count": {},
}


def read_back(name: str, content: bytes) -> bytes | None:
    """Import one file of handoffs and give it again."""
    read = FOLDER.read(Known(0), {name: content})
    rows = {row.key: row.record for row in read.rows}
    return FOLDER.render(Known(0, rows=rows), name)


def ledger_back(content: bytes) -> bytes | None:
    """Import a ledger and give it again."""
    read = PROJECTION.read(Known(0), content, importing=True)
    rows = {row.key: row.record for row in read.rows}
    assert PROJECTION.read(Known(0, rows=rows), content, importing=False).rows == tuple(read.rows)
    return PROJECTION.render(Known(0, rows=rows), content)


def codes(told: Sequence[Told]) -> list[tuple[str, str]]:
    return [(one.place, one.code) for one in told]


@settings(max_examples=100)
@given(value=handoffs(), indent=layouts)
def test_a_handoff_is_read_whole_and_given_back(value: dict[str, Any], indent: Any) -> None:
    content = written(value, indent)
    assert read_back(NAME, content) == content


@settings(max_examples=100)
@given(value=arrays(), indent=layouts)
def test_a_file_of_the_go_tool_is_read_whole_and_given_back(value: list[Any], indent: Any) -> None:
    content = written(value, indent)
    assert json.loads(read_back("1747300000000000000.json", content) or b"") == value
    if value and indent is not None:
        assert read_back("1747300000000000000.json", content) == content


@settings(max_examples=100)
@given(value=tasks(), indent=layouts)
def test_a_ledger_is_read_whole_and_given_back(value: dict[str, Any], indent: Any) -> None:
    again = ledger_back(written(value, indent))
    assert again is not None
    assert json.loads(again) == value


@settings(max_examples=100)
@given(value=bare_tasks(), indent=layouts)
def test_a_bare_array_of_tasks_stays_one(value: list[Any], indent: Any) -> None:
    again = ledger_back(written(value, indent))
    assert again is not None
    assert json.loads(again) == value


@settings(max_examples=100)
@given(st.binary(max_size=200) | handoffs().map(lambda one: written(one, 2)[:-9]))
def test_any_bytes_are_read_or_told(content: bytes) -> None:
    read = FOLDER.read(Known(0), {NAME: content})
    assert read.rows or read.told
    try:
        PROJECTION.read(Known(0), content, importing=True)
    except ValueError as error:
        assert str(error)


def test_what_the_documents_show_is_good() -> None:
    assert FOLDER.read(Known(0), {"coop-20260601-090000-nav-001.json": written(GOOD, 2)}).told == ()
    read = PROJECTION.read(Known(0), written({"tasks": [GOOD_TASK]}, 2), importing=True)
    assert read.told == ()
    assert [row.claimed_at for row in read.rows if row.key.startswith("history/")] == [
        1_780_304_400_000
    ]


def changed(value: dict[str, Any], path: str, new: object) -> dict[str, Any]:
    """Return a value with one field changed, or without it where it is changed to Ellipsis."""
    made: dict[str, Any] = json.loads(json.dumps(value))
    *above, name = path.split(".")
    part = made
    for step in above:
        part = part[step]
    part.pop(name) if new is ... else part.update({name: new})
    return made


@pytest.mark.parametrize(
    ("path", "new", "place", "code", "meant"),
    [
        ("to_role", "test-runner", "to_role", "role_alias", "implementer"),
        ("to_role", "architekt", "to_role", "role_unknown", "architect"),
        ("to_role", None, "to_role", "missing_field", None),
        ("to_role", "null", "to_role", "role_alias", None),
        ("to_role", 7, "to_role", "wrong_value", None),
        ("task_id", ..., "task_id", "missing_field", None),
        ("timestamp", "yesterday", "timestamp", "wrong_value", None),
        ("timestamp", "", "timestamp", "missing_field", None),
        ("context.files_in_scope", ..., "context.files_in_scope", "missing_field", None),
        (
            "context.files_in_scope",
            ["src/x.ts (only if a bug is found)"],
            "context.files_in_scope[0]",
            "prose_in_path",
            "src/x.ts",
        ),
        ("context.files_in_scope", ["../x"], "context.files_in_scope[0]", "wrong_value", None),
        ("context.sandbox", "danger", "context.sandbox", "sandbox_word_unknown", None),
        ("context.mood", "good", "context.mood", "unknown_field", None),
        ("context.conditions", ["C7 wait"], "context.conditions[0]", "condition_unmarked", None),
        ("context", None, "context", "missing_field", None),
        (
            "artifacts.produced",
            [".cooperations/evidence/coop-20260601-090000-nav/implement.md"],
            "artifacts.produced[0]",
            "artifact_alias",
            "implementation-result.md",
        ),
        ("artifacts.produced", ["specs/product.md"], "artifacts.produced", "made_and_used", None),
        ("metadata.next_phase", ..., "metadata.next_phase", "no_next_phase", None),
        ("metadata.next_phase", "implment", "metadata.next_phase", "phase_unknown", "implement"),
        (
            "metadata.next_checkpoint",
            "(none until claude_final)",
            "metadata.next_checkpoint",
            "checkpoint_alias",
            None,
        ),
        ("metadata.phase", "claude_review", "metadata.phase", "phase_of_receiver", None),
    ],
)
def test_what_is_odd_in_a_handoff_is_told_with_its_place(
    path: str, new: object, place: str, code: str, meant: str | None
) -> None:
    content = written(changed(GOOD, path, new), 2)
    name = "coop-20260601-090000-nav-001.json"
    told = FOLDER.read(Known(0), {name: content}).told
    found = [one for one in told if (one.place, one.code) == (f"{name}.{place}", code)]
    assert len(found) == 1, told
    assert meant in (None, found[0].suggestion)
    assert read_back(name, content) == content


def test_gaps_in_the_numbers_and_times_before_their_cause_are_told() -> None:
    early = {**GOOD, "timestamp": "2026-06-01T09:00:00Z"}
    names = [f"coop-20260601-090000-nav-{number:03d}.json" for number in (1, 3)]
    told = FOLDER.read(
        Known(0), dict(zip(names, (written(GOOD, 2), written(early, 2)), strict=True))
    ).told
    assert codes(told) == [
        ("coop-20260601-090000-nav", "gap_in_sequence"),
        (f"{names[1]}.timestamp", "before_its_cause"),
    ]
    other = FOLDER.read(Known(0), {"other-001.json": written(GOOD, 2)}).told
    assert ("other-001.json.task_id", "other_task") in codes(other)


@pytest.mark.parametrize(
    ("path", "new", "place", "code"),
    [
        ("status", "done", "status", "task_status_alias"),
        ("current_phase", "done", "current_phase", "phase_alias"),
        ("current_role", "test-runner", "current_role", "role_alias"),
        ("current_sandbox", "read-only", "current_sandbox", "sandbox_alias"),
        ("status", ..., "status", "missing_field"),
        ("id", "my task", "id", "wrong_value"),
        ("created_at", "2026-06-02T00:00:00Z", "recent_handoffs[0]", "before_its_cause"),
        (
            "checkpoints",
            [{"gate": "final_check", "decision": "approve", "timestamp": "2026-06-01T12:00:43Z"}],
            "checkpoints[0]",
            "before_its_cause",
        ),
        (
            "checkpoints",
            [{"gate": "plan", "decision": "ok", "timestamp": "2026-06-01T14:00:00Z"}],
            "checkpoints[0].gate",
            "checkpoint_unknown",
        ),
        ("mood", "good", "mood", "unknown_field"),
    ],
)
def test_what_is_odd_in_a_task_is_told_with_its_place(
    path: str, new: object, place: str, code: str
) -> None:
    content = written({"tasks": [changed(GOOD_TASK, path, new)]}, 2)
    told = PROJECTION.read(Known(0), content, importing=True).told
    assert (f"tasks[0].{place}", code) in codes(told)
    assert ledger_back(content) == content


def test_two_active_cooperations_are_told() -> None:
    one = {**GOOD_TASK, "status": "in_progress"}
    both = [one, {**one, "id": "coop-20260602-090000-nav"}]
    told = PROJECTION.read(Known(0), written({"tasks": both}, 2), importing=True).told
    assert ("tasks", "two_active") in codes(told)
    with pytest.raises(ValueError, match="stands there twice"):
        PROJECTION.read(Known(0), written({"tasks": [one, one]}, 2), importing=True)


@pytest.mark.parametrize("text", ["[1]", "{}", '{"tasks": {}}', '{"tasks": [{"id": 1}]}', "null"])
def test_what_is_no_ledger_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="task"):
        PROJECTION.read(Known(0), text.encode(), importing=True)


def test_what_somebody_typed_into_a_task_of_handrails_is_told_and_written_over() -> None:
    task = Task("coop-20260601-090000-nav", "Nav", OPEN, 1_780_304_400_000, 0, None, None, 0, 0)
    known = Known(0, tasks=(task,))
    shown = json.loads(PROJECTION.render(known, None) or b"")["tasks"][0]
    decided = {"gate": "plan_check", "decision": "approve", "timestamp": "2026-06-01T10:00:00Z"}
    typed = {
        **shown,
        "status": "done",
        "checkpoints": [decided],
        "planned_implementer": "ai-features",
        "user_choices": {"colour": "blue"},
    }
    read = PROJECTION.read(known, written({"tasks": [typed]}, 2), importing=False)
    assert codes(read.told) == [
        ("tasks[0].status", "tool_field"),
        ("tasks[0].checkpoints", "tool_field"),
    ]
    rows = {row.key: row.record for row in read.rows}
    again = json.loads(PROJECTION.render(known._replace(rows=rows), None) or b"")["tasks"][0]
    assert (again["status"], again["checkpoints"]) == ("in_progress", [])
    assert again["planned_implementer"] == "ai-features"
    assert again["user_choices"] == {"colour": "blue"}


def test_only_what_a_person_approved_at_the_end_is_completed() -> None:
    task = Task("t", "", CLOSED, 0, 0, None, None, 0, 0)
    known = Known(0, tasks=tuple(task._replace(next_phase=word) for word in (DONE, HALT, None)))
    rows = json.loads(PROJECTION.render(known, None) or b"")["tasks"]
    assert [row["status"] for row in rows] == ["completed", "halted", "halted"]


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ("src/a.ts", "src/a.ts"),
        ("src/app/(auth)/page.tsx", "src/app/(auth)/page.tsx"),
        ("docs/My notes (v2).md", "docs/My notes (v2).md"),
        ("notes v1.2 final.md", "notes v1.2 final.md"),
        ("src/**", "src/**"),
        ("src/a.ts (only if needed)", "src/a.ts"),
        ("src/a.ts - only if needed", "src/a.ts"),
        ("src/a.ts only if needed", "src/a.ts"),
        ("src/** [read only]", "src/**"),
        ("Makefile # later", "Makefile"),
    ],
)
def test_words_behind_a_path_are_told_from_the_path(entry: str, path: str) -> None:
    assert without_prose(entry)[0] == path


@pytest.mark.parametrize(
    ("said", "planned", "reviewed"),
    [
        ("Move the compose layout next to the inbox", "frontend-ux", False),
        ("GMAIL and IMAP accounts over OAuth", "email-integration", False),
        ("Re-derive AI Summary path", "ai-features", False),
        ("an email that maintains fluids", "undecided", False),
        ("the ui of the imap settings", "undecided", False),
        ("", "undecided", False),
        ("rotate the secret token of the deploy for imap", "email-integration", True),
        ("the service worker of the reader", "frontend-ux", False),
    ],
)
def test_the_words_of_a_task_say_who_is_planned_and_a_tie_says_nobody(
    said: str, planned: str, reviewed: bool
) -> None:
    found = routed(said)
    assert (found.planned, found.reviewed) == (planned, reviewed)


def test_an_id_names_the_moment_and_what_it_is_about() -> None:
    at = 1_780_304_400_000
    assert task_id(at, "the menu") == "coop-20260601-090000-men"
    assert task_id(at, "äöü !") == "coop-20260601-090000-tsk"
    names = {task_id(at, "menu", attempt) for attempt in range(27)}
    assert len(names) == 27
    assert all(len(name) == len("coop-20260601-090000-men") for name in names)


def test_the_examples_hold() -> None:
    for module in (handrail.projections.cooperation, handrail.service.cooperation.routing):
        assert doctest.testmod(module).failed == 0

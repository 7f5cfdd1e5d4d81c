"""The state file under Handrail: what the tool writes, what people wrote, no circle with HEAD."""

from __future__ import annotations

import doctest
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.core.packet import MESSAGE_CHARS_MIN
from handrail.projections import (
    agent_state,
    blockers,
    current_task,
    kept,
    mosaic,
    session_log,
)
from handrail.projections import json_text as texts
from handrail.projections.agent_state import lacks
from handrail.projections.mosaic import AGENTS, BLOCKERS, LOG, MODES, STATE, TASK, Field, check
from handrail.projections.mosaic_schemas import schema_files
from handrail.projections.port import Known
from tests.projections import mosaic_world as world
from tests.projections.mosaic_world import COMMIT, MESSAGE, NOON, packet, session, task

STATE_FILE = agent_state.PROJECTION
FIRST = Known(now=NOON, commit=COMMIT)


def commit(number: int) -> str:
    return f"{number:040x}"


def shown(known: Known, before: bytes | None = None) -> dict[str, Any]:
    raw = STATE_FILE.render(known, before)
    assert raw is not None
    value: dict[str, Any] = json.loads(raw)
    return value


def edited(raw: bytes, **fields: Any) -> bytes:
    return (json.dumps({**json.loads(raw), **fields}, indent=2) + "\n").encode("utf-8")


@pytest.mark.parametrize("module", [kept, mosaic, texts])
def test_the_examples_of_the_modules_are_true(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


def test_commit_and_export_twenty_times_changes_nothing_after_the_first() -> None:
    known = FIRST._replace(sessions=(session(at=NOON - 9),), tasks=(task(at=NOON - 8),))
    first = raw = STATE_FILE.render(known, None)
    for number in range(20):
        known = known._replace(now=known.now + 1000, commit=commit(number))
        raw = STATE_FILE.render(known, raw)
        assert raw == first


@pytest.mark.parametrize("handed_over", [False, True])
def test_nor_does_it_where_the_file_is_read_back_each_time(*, handed_over: bool) -> None:
    start = FIRST._replace(sessions=(session(at=NOON - 9),))
    raw = (json.dumps(world.STATE, indent=4) + "\n").encode("utf-8")
    known, _ = world.imported(STATE_FILE, raw, start)
    assert STATE_FILE.render(known, raw) == raw
    raw = edited(raw, open_questions=["None."])
    renders = set()
    for number in range(20):
        known = known._replace(now=known.now + 1000, commit=commit(number))
        if handed_over and number == 0:
            row = packet(at=known.now - 1, metadata={"head": commit(99)})
            known = known._replace(packets=(row,))
        read = STATE_FILE.read(known, raw, importing=False)
        known = world.kept(known, read)
        made = STATE_FILE.render(known, raw)
        assert made is not None
        raw = made
        renders.add(raw)
    assert len(renders) == 1
    assert json.loads(raw)["last_commit"] == commit(0), "HEAD where somebody changed something"


def test_the_tool_writes_what_it_knows_and_leaves_the_rest() -> None:
    raw = (json.dumps(world.STATE, indent=2) + "\n").encode("utf-8")
    known, read = world.imported(STATE_FILE, raw, FIRST._replace(sessions=(session(at=NOON - 9),)))
    assert not read.told
    after = known._replace(
        now=NOON + 99,
        sessions=(
            session(at=NOON - 9, ended=NOON + 50),
            session("s-2", "codex@b", at=NOON + 60),
        ),
        tasks=(task(at=NOON + 10), task("reset", "The reset page", at=NOON + 20)),
        packets=(packet(at=NOON + 40, message="m" * 60),),
    )
    assert shown(after, raw) == {
        **world.STATE,
        "last_agent": "claude@web",
        "last_session_start": "2026-01-07T12:00:00.060Z",
        "last_session_end": None,
        "last_commit": COMMIT,
        "current_agent": "codex@b",
        "current_task": "The reset page",
        "handoff_message": "m" * 60,
        "next_agent": "tester",
    }


def test_that_a_task_was_opened_is_no_handoff_of_anybodys() -> None:
    raw = edited(b"{}", **world.STATE)
    known, _ = world.imported(STATE_FILE, raw, FIRST)
    row, content = packet(1, at=NOON + 9)
    opened = known._replace(packets=((row._replace(session="", agent=""), content),))
    assert shown(opened, raw) == {**world.STATE, "next_agent": "tester"}


def test_a_message_that_was_edited_after_the_handoff_counts_and_an_older_one_does_not() -> None:
    start = FIRST._replace(sessions=(session(at=NOON - 9),))
    raw = STATE_FILE.render(start, None)
    assert raw is not None
    known = start._replace(now=NOON + 20, packets=(packet(at=NOON + 10),))
    other = edited(raw, open_questions=["Why?"])
    read = world.kept(known, STATE_FILE.read(known, other, importing=False))
    assert shown(read, other)["open_questions"] == ["Why?"]
    mine = edited(STATE_FILE.render(known, raw) or b"", handoff_message="n" * 60)
    known = known._replace(now=NOON + 30)
    read = world.kept(known, STATE_FILE.read(known, mine, importing=False))
    assert shown(read, mine)["handoff_message"] == "n" * 60


def test_an_older_message_in_the_file_does_not_outlive_the_handoff() -> None:
    known, _ = world.imported(STATE_FILE, edited(b"{}", **world.STATE), FIRST)
    known = known._replace(now=NOON + 20, packets=(packet(at=NOON + 10, message="m" * 60),))
    stale = edited(b"{}", **{**world.STATE, "open_questions": []})
    read = STATE_FILE.read(known, stale, importing=False)
    assert shown(world.kept(known, read), stale)["handoff_message"] == "m" * 60


def test_what_somebody_writes_into_a_field_of_the_tool_is_told_and_written_over() -> None:
    known, _ = world.imported(STATE_FILE, edited(b"{}", **world.STATE), FIRST)
    known = known._replace(now=NOON + 2, sessions=(session(at=NOON + 1),))
    raw = STATE_FILE.render(known, None)
    assert raw is not None
    typed = edited(raw, current_agent="gemini", last_commit="2" * 40, user_decisions={"D1": "yes"})
    later = known._replace(now=NOON + 5, commit="3" * 40)
    read = STATE_FILE.read(later, typed, importing=False)
    assert [(one.place, one.code, one.suggestion) for one in read.told] == [
        ("current_agent", "tool_field", "claude@web"),
        ("last_commit", "tool_field", "3" * 40),
    ]
    after = shown(world.kept(later, read), typed)
    assert (after["current_agent"], after["last_commit"]) == ("claude@web", "3" * 40)
    assert after["user_decisions"] == {"D1": "yes"}


def test_the_short_name_of_head_is_no_difference() -> None:
    known, _ = world.imported(STATE_FILE, edited(b"{}", **world.STATE), FIRST)
    later = known._replace(now=NOON + 5, commit=commit(0xABCDEF << 136))
    raw = edited(b"{}", **{**world.STATE, "last_commit": later.commit[:7]})
    read = STATE_FILE.read(later, raw, importing=False)
    assert not read.told
    assert shown(world.kept(later, read), raw)["last_commit"] == later.commit


def test_a_commit_that_somebody_wrote_is_head_or_is_written_over() -> None:
    known, _ = world.imported(STATE_FILE, edited(b"{}", **world.STATE), FIRST)
    later = known._replace(now=NOON + 5, commit=commit(7))
    raw = edited(b"{}", **{**world.STATE, "last_commit": "abcdef0"})
    read = STATE_FILE.read(later, raw, importing=False)
    assert [(one.place, one.suggestion) for one in read.told] == [("last_commit", commit(7))]
    assert shown(world.kept(later, read), raw)["last_commit"] == commit(7)


def test_a_field_that_somebody_took_out_is_gone() -> None:
    known, _ = world.imported(STATE_FILE, edited(b"{}", **world.STATE, note="x"), FIRST)
    later = known._replace(now=NOON + 5, commit=commit(7))
    read = STATE_FILE.read(later, edited(b"{}", **world.STATE), importing=False)
    assert [row.key for row in read.rows if not row.record] == ["field/note"]
    after = shown(world.kept(later, read))
    assert "note" not in after
    assert after["last_commit"] == commit(7), "taking out is a change as well"


@pytest.mark.parametrize("format", ["mosaic-state", "mosaic-task", "mosaic-blockers"])
def test_what_is_written_where_nothing_was_satisfies_the_schema(format: str) -> None:
    raw = world.FILES[format].render(FIRST, None)
    assert raw is not None
    assert raw.endswith(b"\n")
    for name, fields, schema in SCHEMAS:
        if name == format:
            jsonschema.Draft7Validator(schema).validate(json.loads(raw))
            assert not check(json.loads(raw), fields)


# --- the schemas ---------------------------------------------------------------------------------

SCHEMAS = [
    ("mosaic-state", STATE, agent_state.json_schema()),
    ("mosaic-blockers", BLOCKERS, blockers.json_schema()),
    ("mosaic-task", TASK, current_task.json_schema()),
    ("mosaic-log", LOG, session_log.json_schema()),
]
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, 0, 1, 1.0, -1, 2.5, "", "x", "B001", "B01", "2026-01-07"),
        *("2026-01-07T22:30:00Z", "c48d80c", "c48d80", "C48D80C", "open", "active"),
        *([], {}, [1], [{}], {"id": "B001"}, "claude_code_sonnet_4_5", "high", "complete"),
        *("wont-fix", *AGENTS, *MODES),
    ]
)


@st.composite
def values(draw: st.DrawFn, fields: tuple[Field, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in fields:
        if draw(st.integers(0, 9)):
            inner: st.SearchStrategy[Any] = ODD
            if one.fields:
                inner = values(one.fields)
                inner = st.lists(inner | ODD, max_size=2) if one.shape == "objects" else inner
            elif one.one_of:
                inner = st.sampled_from(one.one_of) | ODD
            found[one.name] = draw(inner)
    return found | ({"more": 1} if draw(st.integers(0, 5)) == 0 else {})


@pytest.mark.parametrize(("name", "fields", "schema"), SCHEMAS)
@settings(max_examples=40)
@given(data=st.data())
def test_a_file_is_told_of_exactly_where_it_does_not_satisfy_its_schema(
    name: str, fields: tuple[Field, ...], schema: dict[str, Any], data: st.DataObject
) -> None:
    value = data.draw(values(fields))
    validator = jsonschema.Draft7Validator(schema)
    wrong = list(validator.iter_errors(value))
    told = check(value, fields)
    assert bool(wrong) == bool(told)
    places = {
        "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in one.absolute_path)
        for one in wrong
        if one.validator not in ("required", "additionalProperties")
    }
    assert {one.removeprefix(".") for one in places} == {
        one.place for one in told if one.code not in ("missing_field", "unknown_field")
    }


@pytest.mark.parametrize(
    ("version", "right"), [(1, True), (1.0, True), (True, False), ("1", False)]
)
def test_the_version_is_one_and_nothing_like_it(version: Any, *, right: bool) -> None:
    value = {**world.STATE, "version": version}
    assert jsonschema.Draft7Validator(SCHEMAS[0][2]).is_valid(value) == right
    assert bool(check(value, STATE)) != right


def test_the_schemas_are_of_the_originals_draft_and_name_its_words() -> None:
    for _, _, schema in SCHEMAS:
        assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
        jsonschema.Draft7Validator.check_schema(schema)
        assert schema["additionalProperties"] is False
    assert {name: json.loads(raw) for name, raw in schema_files().items()} == {
        schema["$id"]: schema for _, _, schema in SCHEMAS
    }
    state = agent_state.json_schema()
    assert state["required"] == [
        *("version", "last_agent", "last_mode", "last_session_start", "last_commit"),
        *("current_agent", "current_task", "handoff_message", "user_decisions"),
        "implementation_progress",
    ]
    assert state["properties"]["last_mode"]["enum"] == [
        *("INIT", "BUILD", "DIAGNOSE", "REPAIR", "VERIFY", "HANDOFF")
    ]


# --- what a receiver needs -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({}, []),
        ({"handoff_message": "x" * MESSAGE_CHARS_MIN}, []),
        ({"handoff_message": "x" * (MESSAGE_CHARS_MIN - 1)}, ["short_message"]),
        ({"handoff_message": " " * 90}, ["short_message"]),
        ({"handoff_message": ["x" * 90]}, ["short_message"]),
        ({"last_commit": None}, ["missing_field"]),
        ({"last_agent": None}, ["missing_field"]),
        ({"implementation_progress": None}, ["missing_field", "no_service_url"]),
        ({"implementation_progress": {}}, ["no_service_url"]),
        ({"implementation_progress": {"service_url": "https://x.invalid"}}, []),
        ({"implementation_progress": []}, ["no_service_url"]),
    ],
)
def test_a_receiver_is_told_what_is_not_there(change: dict[str, Any], codes: list[str]) -> None:
    assert [one.code for one in lacks({**world.STATE, **change})] == codes
    whole = {**world.STATE, **change}
    without = {name: one for name, one in whole.items() if one is not None}
    assert [one.code for one in lacks(without)] == codes


def test_nobody_left_a_message_in_a_fresh_file() -> None:
    assert "short_message" in {one.code for one in lacks(shown(FIRST))}
    handed = FIRST._replace(packets=(packet(at=NOON),))
    assert shown(handed)["handoff_message"] == MESSAGE

"""Blockers, task and log under Handrail: what is resolved, what complete, what added."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handrail.core.task import BLOCK, CLOSED
from handrail.projections import blockers, current_task, session_log
from handrail.projections.blockers import Resolved, resolved
from handrail.projections.current_task import COMPLETING
from handrail.projections.port import Asked, Known
from tests.projections import mosaic_world as world
from tests.projections.mosaic_world import COMMIT, NOON, packet, session, task

FIRST = Known(now=NOON, commit=COMMIT)
BLOCKERS = blockers.PROJECTION
TASKS = current_task.PROJECTION


def raw_of(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode("utf-8")


def with_blockers(*entries: Any, **more: Any) -> bytes:
    return raw_of({**world.BLOCKERS, "blockers": list(entries), **more})


def read_back(projection: Any, known: Known, raw: bytes) -> tuple[Known, dict[str, Any]]:
    known = known._replace(now=known.now + 1000)
    known = world.kept(known, projection.read(known, raw, importing=False))
    return known, json.loads(projection.render(known, raw))


# --- blockers ------------------------------------------------------------------------------------


def test_what_was_resolved_before_the_import_needs_no_proof() -> None:
    known, _ = world.imported(BLOCKERS, raw_of(world.BLOCKERS), FIRST)
    assert resolved(known.rows) == ()
    first, second = world.BLOCKERS["blockers"]
    known, shown = read_back(BLOCKERS, known, with_blockers(first, {**second, "notes": "more"}))
    assert resolved(known.rows) == (), "a note more is no new answer"
    assert shown["updated_at"] == "2026-01-07T12:00:01.000Z"
    known, _ = read_back(
        BLOCKERS, known, with_blockers(first, archived_blockers=[{**second, "notes": "more"}])
    )
    assert resolved(known.rows) == (), "nor is being put away"
    known, _ = read_back(BLOCKERS, known, with_blockers(first, {**second, "status": "open"}))
    known, _ = read_back(BLOCKERS, known, with_blockers(first, second))
    assert [one.blocker for one in resolved(known.rows)] == ["B002"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, Resolved("B001", "", (), "")),
        ({"resolution": " done "}, Resolved("B001", "done", (), "")),
        ({"resolution": "see 1a2b3c4"}, Resolved("B001", "see 1a2b3c4", ("1a2b3c4",), "")),
        ({"resolution": "decade 12"}, Resolved("B001", "decade 12", (), "")),
        ({"commit": "1a2b3c4d"}, Resolved("B001", "", ("1a2b3c4d",), "")),
        ({"commit": "../x"}, Resolved("B001", "", (), "")),
        ({"receipt": 41}, Resolved("B001", "", (), "41")),
        ({"evidence": "3fk2:41"}, Resolved("B001", "", (), "3fk2:41")),
        ({"resolution": "Receipt 41."}, Resolved("B001", "Receipt 41.", (), "41")),
        ({"receipt": True}, Resolved("B001", "", (), "")),
        ({"receipt": -1}, Resolved("B001", "", (), "")),
        ({"resolution": ["x"], "status": "Resolved"}, Resolved("B001", "", (), "")),
    ],
)
def test_a_resolved_blocker_says_what_shows_it(change: dict[str, Any], found: Resolved) -> None:
    known, _ = world.imported(BLOCKERS, raw_of(world.BLOCKERS), FIRST)
    value = {**world.BLOCKER, "status": "resolved", **change}
    known, _ = read_back(BLOCKERS, known, with_blockers(value))
    assert resolved(known.rows) == (found,)


@pytest.mark.parametrize("status", ["open", "resolving", "wont-fix", "active", "", None, 7])
def test_no_other_word_calls_a_blocker_resolved(status: Any) -> None:
    known, _ = world.imported(BLOCKERS, raw_of(world.BLOCKERS), FIRST)
    known, _ = read_back(BLOCKERS, known, with_blockers({**world.BLOCKER, "status": status}))
    assert resolved(known.rows) == ()
    assert resolved({}) == ()


def test_blockers_without_a_name_of_their_own_are_kept_in_their_order() -> None:
    entries: list[Any] = [
        *(world.BLOCKER, "word", {**world.BLOCKER, "title": "Another"}, {"id": "../x"}),
        {"id": "B7", "status": "resolved"},
    ]
    known, _ = world.imported(BLOCKERS, with_blockers(), FIRST)
    known, shown = read_back(BLOCKERS, known, with_blockers(*entries))
    assert shown["blockers"] == entries
    known, shown = read_back(BLOCKERS, known, with_blockers(*entries[2:]))
    assert shown["blockers"] == entries[2:]
    assert [one.blocker for one in resolved(known.rows)] == ["B7"]


def test_a_blocker_that_the_order_does_not_name_is_shown_all_the_same() -> None:
    known, _ = world.imported(BLOCKERS, with_blockers(world.BLOCKER), FIRST)
    row = known.rows["blockers/B001"].replace("B001", "B009")
    more = known._replace(rows={**known.rows, "blockers/B009": row})
    shown = json.loads(BLOCKERS.render(more, None) or b"")
    assert [one["id"] for one in shown["blockers"]] == ["B001", "B009"]


# --- the task ------------------------------------------------------------------------------------


def test_the_newest_task_is_shown_beside_what_somebody_wrote() -> None:
    known, _ = world.imported(TASKS, raw_of(world.TASK), FIRST)
    assert TASKS.render(known, None) == raw_of(world.TASK)
    known = known._replace(
        now=NOON + 99,
        sessions=(session(at=NOON + 1),),
        tasks=(task("older", at=NOON + 2), task(at=NOON + 5)),
        packets=(packet(at=NOON + 40),),
    )
    shown = json.loads(TASKS.render(known, None) or b"")
    assert shown == {
        **world.TASK,
        "task_id": "fix-login",
        "objective": "Fix the login",
        "assigned_agent": "claude@web",
        "created_at": "2026-01-07T12:00:00.005Z",
        "updated_at": "2026-01-07T12:00:00.040Z",
    }
    row, content = packet(3, at=NOON + 50)
    stuck = known._replace(packets=(*known.packets, (row._replace(kind=BLOCK), content)))
    assert json.loads(TASKS.render(stuck, None) or b"")["status"] == "blocked"
    closed = known._replace(tasks=(task(at=NOON + 5, state=CLOSED),))
    after = json.loads(TASKS.render(closed, None) or b"")
    assert (after["status"], after["completed_at"]) == ("complete", "2026-01-07T12:00:00.040Z")


@pytest.mark.parametrize("word", ["complete", "Complete", " COMPLETE "])
def test_who_writes_complete_asks_for_it(word: str) -> None:
    known, _ = world.imported(TASKS, raw_of(world.TASK), FIRST)
    typed = raw_of({**world.TASK, "status": word})
    later = known._replace(now=NOON + 9)
    read = TASKS.read(later, typed, importing=False)
    assert COMPLETING.asked(later, typed, read) == Asked(None)
    refused = world.kept(later, COMPLETING.refused(later, read))
    assert json.loads(TASKS.render(refused, typed) or b"")["status"] == "active"
    let = world.kept(later, read)
    assert json.loads(TASKS.render(let, typed) or b"")["status"] == word
    assert COMPLETING.asked(let, typed, TASKS.read(let, typed, importing=False)) is None


def test_where_the_gates_say_no_the_word_that_stood_there_stays() -> None:
    known, _ = world.imported(TASKS, raw_of({**world.TASK, "status": "blocked"}), FIRST)
    typed = raw_of({**world.TASK, "status": "complete"})
    later = known._replace(now=NOON + 9)
    read = TASKS.read(later, typed, importing=False)
    refused = world.kept(later, COMPLETING.refused(later, read))
    assert json.loads(TASKS.render(refused, typed) or b"")["status"] == "blocked"


def test_who_writes_complete_of_a_task_asks_for_that_task() -> None:
    known, _ = world.imported(TASKS, raw_of(world.TASK), FIRST)
    known = known._replace(now=NOON + 9, tasks=(task(at=NOON + 5),))
    raw = TASKS.render(known, None)
    assert raw is not None
    assert COMPLETING.asked(known, raw, TASKS.read(known, raw, importing=False)) is None
    typed = raw.replace(b'"active"', b'"complete"')
    read = TASKS.read(known, typed, importing=False)
    assert COMPLETING.asked(known, typed, read) == Asked("fix-login")
    assert "tool_field" in {one.code for one in read.told}
    assert TASKS.render(world.kept(known, read), typed) == raw, "a word alone closes nothing"
    told = COMPLETING.told("why")
    assert (told.place, told.code, told.suggestion) == ("status", "not_complete", "active")
    closed = known._replace(tasks=(task(at=NOON + 5, state=CLOSED),))
    done = TASKS.render(closed, None) or b""
    assert COMPLETING.asked(closed, done, TASKS.read(closed, done, importing=False)) is None


def test_a_fresh_file_that_calls_itself_complete_is_active_where_the_gates_say_no() -> None:
    typed = (TASKS.render(FIRST, None) or b"").replace(b'"active"', b'"complete"')
    read = TASKS.read(FIRST, typed, importing=False)
    assert COMPLETING.asked(FIRST, typed, read) == Asked(None)
    refused = world.kept(FIRST, COMPLETING.refused(FIRST, read))
    assert json.loads(TASKS.render(refused, typed) or b"")["status"] == "active"


# --- the log -------------------------------------------------------------------------------------


def test_each_thing_that_happened_has_one_line_however_often_it_is_asked() -> None:
    known = FIRST._replace(sessions=(session(at=NOON + 1),), packets=(packet(at=NOON + 2),))
    raw = session_log.render(known, None)
    row, content = packet(at=NOON + 2)
    for step in range(3):
        settled = row._replace(state="accepted", by="s-2", settled_at=NOON + 3 + step // 2)
        known = known._replace(packets=((settled, content),))
        raw = session_log.render(known, raw)
    assert raw is not None
    rows = [json.loads(line) for line in raw.splitlines()]
    assert [(one["action"], one["details"]["handrail"]) for one in rows] == [
        ("session_start", "session s-1"),
        ("handoff_offer", "packet fix-login-002"),
        ("handoff_accepted", "packet fix-login-002"),
        ("handoff_accepted", "packet fix-login-002"),
    ]
    read = session_log.read(known, raw, importing=False)
    assert not read.told
    known = world.kept(known, read)
    assert session_log.render(known, raw) == raw == session_log.render(known, None)


def test_a_line_of_an_agent_stays_where_it_wrote_it() -> None:
    known = FIRST._replace(sessions=(session(at=NOON + 1),))
    mine = json.dumps(world.ENTRY).encode("ascii") + b"\n"
    raw = (session_log.render(known, None) or b"") + mine
    known = world.kept(known, session_log.read(known, raw, importing=False))
    known = known._replace(packets=(packet(at=NOON + 2),))
    again = session_log.render(known, raw) or b""
    assert again.startswith(raw)
    assert again.count(b"\n") == 3
    assert session_log.render(known._replace(sessions=()), again) == again, "forgotten, not lost"


def test_a_log_is_bounded() -> None:
    with pytest.raises(ValueError, match="more than 50000 lines"):
        session_log.read(FIRST, b"\n" * 50_001, importing=True)
    with pytest.raises(ValueError, match="more than 16777216 bytes"):
        session_log.read(FIRST, b"x" * 16_777_217, importing=True)

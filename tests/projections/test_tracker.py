"""``PROJECT_TRACKER.md``: rows are added where they belong, and nothing else ever changes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.core.projected import RECORD_CHARS_MAX
from handrail.projections.port import Read
from handrail.projections.tracker import (
    TRACKER,
    made_activity,
    made_coordination,
    parse,
    read,
    render,
    with_rows,
)
from tests.projections.lanes_arrange import NOW, kept, known, session

ROW = "| s-0 | website | bot-0 | site/src | Navigation | closed | check_fast | none |"
EVENT = "| 2026-02-15T10:00:00Z | s-0 | website, integrator | overlap | website first | closed |"
PAGE = f"""\
# Project Tracker

Some words.

## 1) Overview

| session_id | other table |
|---|---|
| s-0 | x |

## 2) Role Activity Ledger

Every session adds a row.

| session_id | role | agent_id | scope | activity | status | evidence | follow_up |
|:---|---|---|---|---|---|---|---|
{ROW}

Some words below.

## 3) Integrator Coordination Log

| date_time | session_id | roles_involved | coordination_event | decision | status |
|---|---|---|---|---|---|
{EVENT}

## 4) Decision Changelog

| decision_id | date |
|---|---|
| D-001 | today |
"""
NEW = {
    "session_id": "s-1",
    "role": "website",
    "agent_id": "bot-1",
    "scope": "site/src",
    "activity": "Made a | b",
    "status": "open",
}
NEW_LINE = "| s-1 | website | bot-1 | site/src | Made a \\| b | open |  |  |"
TALK = {"date_time": "2026-03-01T09:00:00Z", "session_id": "s-1", "coordination_event": "overlap"}
TALK_LINE = "| 2026-03-01T09:00:00Z | s-1 |  | overlap |  |  |"


def odd(page: str | bytes) -> list[tuple[str, str]]:
    content = page if isinstance(page, bytes) else page.encode()
    found = read(known(), content, importing=True)
    assert found.rows == ()
    return [(told.place, told.code) for told in found.told]


def line_of(page: str, text: str) -> str:
    return f"line {page[: page.index(text)].count(chr(10)) + 1}"


# --- adding rows ---------------------------------------------------------------------------------


def test_rows_are_added_at_the_end_of_their_tables_and_nothing_else_changes() -> None:
    after = with_rows(PAGE.encode(), [NEW, NEW], [TALK]).decode()
    assert after == PAGE.replace(ROW, f"{ROW}\n{NEW_LINE}\n{NEW_LINE}").replace(
        EVENT, f"{EVENT}\n{TALK_LINE}"
    )
    assert [row.line for row in parse(after.encode()).rows["activity"]] == [17, 18, 19]


@pytest.mark.parametrize("eol", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_a_byte_order_mark_and_foreign_bytes_stay(eol: str, mark: str) -> None:
    before = (mark + PAGE).replace("\n", eol).encode().replace(b"Some", b"S\xff\0me")
    after = with_rows(before, [NEW], [])
    added = (NEW_LINE + eol).encode()
    assert after.replace(added, b"") == before
    assert after.index(added) > after.index(ROW.encode())


def test_a_missing_last_line_end_stays_missing() -> None:
    before = PAGE[: PAGE.index(EVENT)].encode() + EVENT.encode()
    assert with_rows(before, [], [TALK]) == before + b"\n" + TALK_LINE.encode()
    windows = before.replace(b"\n", b"\r\n")
    assert with_rows(windows, [], [TALK]) == windows + b"\r\n" + TALK_LINE.encode()


def test_columns_are_filled_by_their_names_wherever_they_stand() -> None:
    page = "## 2) Role Activity Ledger\n\nsession_id | Mood | Role\n---|---|---\ns-0 | good | x\n"
    after = with_rows(page.encode(), [NEW], []).decode()
    assert after == page + "| s-1 |  | website |\n"


def test_a_missing_table_is_made_at_the_end_of_its_section() -> None:
    page = "## 2) Role Activity Ledger\nNone yet.\n\n\n# Else\n"
    after = with_rows(page.encode(), [NEW], []).decode()
    head, table, rest = after.partition("None yet.\n\n| session_id | role |")
    assert head + "None yet.\n" + rest[rest.index("\n\n\n# Else") + 1 :] == page
    assert table
    assert [row.fields["activity"] for row in parse(after.encode()).rows["activity"]] == [
        "Made a | b"
    ]


def test_missing_sections_are_made_at_the_end_of_the_file() -> None:
    page = "# Ours\n\ntext"
    after = with_rows(page.encode(), [NEW], [TALK]).decode()
    assert after.startswith("# Ours\n\ntext\n\n## 2) Role Activity Ledger\n\n| session_id |")
    assert after.index("## 2)") < after.index(NEW_LINE) < after.index("\n\n## 3)")
    assert after.endswith(f"| --- | --- |\n{TALK_LINE}")


def test_a_missing_file_is_made_with_a_title() -> None:
    for nothing in (None, b""):
        after = with_rows(nothing, [NEW], []).decode()
        assert after.startswith("# Project Tracker\n\n## 2) Role Activity Ledger\n\n| session_id |")
        assert after.endswith(f"{NEW_LINE}\n")


def test_with_nothing_to_add_nothing_is_made() -> None:
    assert with_rows(None, [], []) == b""
    assert with_rows(b"text", [], []) == b"text"
    assert render(known(), None) is None
    assert render(known(), b"text") == b"text"


@pytest.mark.parametrize(
    "page",
    [
        "<!-- never closed\n",
        "```\nnever closed\n",
        f"<<<<<<< HEAD\n{PAGE}=======\nx\n>>>>>>> other\n",
        "## 2) Role Activity Ledger\n<script>\n| session_id | role |\n|---|---|\n",
    ],
)
def test_where_a_row_would_be_no_row_nothing_is_written(page: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        with_rows(page.encode(), [NEW], [])
    rows = kept([made_activity("s-1", "website", {})])
    assert render(known(rows=rows), page.encode()) is None


@pytest.mark.parametrize(
    "page",
    [
        "```\n## 2) Role Activity Ledger\n| session_id |\n|---|\n```\n",
        "<!--\n## 2) Role Activity Ledger\n| session_id |\n|---|\n-->\n",
        "> ## 2) Role Activity Ledger\n> | session_id |\n> |---|\n",
        "    ## 2) Role Activity Ledger\n",
    ],
)
def test_what_only_looks_like_a_section_is_none(page: str) -> None:
    after = with_rows(page.encode(), [NEW], []).decode()
    assert after.startswith(page + "\n## 2) Role Activity Ledger\n")


PIECES = st.sampled_from([*PAGE.splitlines(), "", "```", "<!--", "-->", "| a |", "|---|", "# x"])


@given(st.lists(PIECES, max_size=25), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_whatever_the_file_its_own_lines_stay_in_order(
    pieces: list[str], eol: str, ended: bool, mark: bool
) -> None:
    content = (("\ufeff" if mark else "") + eol.join(pieces) + (eol if ended else "")).encode()
    try:
        after = with_rows(content, [NEW, {**NEW, "session_id": "s-2"}], [TALK])
    except ValueError:
        return
    old, new = parse(content), parse(after)
    assert [row.fields["session_id"] for row in new.rows["activity"]].count("s-2") == 1
    assert len(new.rows["activity"]) == len(old.rows["activity"]) + 2
    assert len(new.rows["coordination"]) == len(old.rows["coordination"]) + 1
    rest = iter(after.splitlines())
    assert all(line in rest for line in content.splitlines())
    assert with_rows(after, [], []) == after


TEXTS = st.text(st.sampled_from("ab|\\` \n\r\x85\x00é<#-"), max_size=8)


@given(st.lists(TEXTS, min_size=6, max_size=6))
def test_no_text_of_a_cell_breaks_out_of_it(texts: list[str]) -> None:
    fields = dict(zip(["session_id", *list(NEW)[1:]], ["s-9", *texts[1:]], strict=True))
    after = with_rows(PAGE.encode(), [fields], [])
    assert len(after.splitlines()) == len(PAGE.splitlines()) + 1
    rows = parse(after).rows["activity"]
    assert (len(rows), rows[1].columns, rows[1].fields["session_id"]) == (2, 8, "s-9")


def test_five_thousand_rows_take_well_under_a_second() -> None:
    many = "\n".join(ROW.replace("s-0", f"s-{number}") for number in range(5_000))
    page = PAGE.replace(ROW, many).encode()
    began = time.process_time()
    after = with_rows(page, [NEW], [])
    spent = time.process_time() - began
    assert len(parse(after).rows["activity"]) == 5_001
    assert spent < 1
    assert read(known(sessions=(session("s-7"),)), page, importing=False).rows[0].key == (
        "activity/s-7/website"
    )


# --- rendering -----------------------------------------------------------------------------------


def test_a_kept_row_that_the_file_lacks_is_added_once() -> None:
    rows = kept(
        [made_activity("s-1", "website", NEW), made_coordination("s-1", {**TALK, "status": ""})]
    )
    at = known(rows=rows, sessions=(session("s-1"),))
    after = render(at, PAGE.encode())
    assert after == with_rows(PAGE.encode(), [NEW], [TALK])
    assert render(at, after) == after
    assert render(at, None) == with_rows(None, [NEW], [TALK])


def test_events_with_a_name_of_their_own_are_rows_of_their_own() -> None:
    rows = kept(
        [
            made_coordination("s-1", {"coordination_event": "one"}, "one"),
            made_coordination("s-1", {"coordination_event": "two"}, "two"),
        ]
    )
    page = PAGE.replace(EVENT, TALK_LINE).encode()
    after = render(known(rows=rows), page) or b""
    events = [row.fields["coordination_event"] for row in parse(after).rows["coordination"]]
    assert events == ["overlap", "one", "two"]
    assert render(known(rows=rows), after) == after


def test_the_status_that_handrail_wrote_is_closed_when_the_session_ended() -> None:
    rows = kept([made_activity("s-1", "website", NEW)])
    live = known(rows=rows, sessions=(session("s-1"),))
    over = known(rows=rows, sessions=(session("s-1", ended_at=NOW),))
    opened = render(live, PAGE.encode()) or b""
    closed = render(over, opened) or b""
    assert closed == opened.replace(b"| open |", b"| closed |")
    assert render(over, PAGE.encode()) == closed
    edited = opened.replace(b"| open |", b"| blocked |").replace(b"Made a", b"We made a")
    assert render(over, edited) == edited


def test_rows_that_people_wrote_keep_their_status_and_go_to_no_other_file() -> None:
    page = PAGE.replace("| closed |", "| open |", 1).encode()
    at = known(sessions=(session("s-0", ended_at=NOW),))
    claims = kept(read(at, page, importing=False).rows)
    assert list(claims) == ["activity/s-0/website", "coordination/s-0"]
    at = at._replace(rows=claims)
    assert render(at, page) == page
    assert render(at, b"# Other\n") == b"# Other\n"
    assert render(at, None) is None


# --- reading -------------------------------------------------------------------------------------


def test_rows_of_known_sessions_are_claims_each_with_a_name() -> None:
    page = PAGE.replace(ROW, f"{ROW}\n{NEW_LINE}\n{NEW_LINE}").replace(
        EVENT, f"{EVENT}\n{TALK_LINE}"
    )
    found = read(known(sessions=(session("s-1"),)), page.encode(), importing=False)
    assert [row.key for row in found.rows] == [
        *("activity/s-1/website", "activity/s-1/website/2", "coordination/s-1"),
    ]
    assert found.rows[2].claimed_at == NOW
    assert '"activity":"Made a | b"' in found.rows[0].record
    again = known(sessions=(session("s-1"),), rows=kept(found.rows))
    assert read(again, page.encode(), importing=False) == Read(())


def test_a_second_row_like_a_made_one_is_a_claim_of_its_own() -> None:
    rows = kept([made_activity("s-1", "website", NEW)])
    at = known(rows=rows, sessions=(session("s-1"),))
    page = (render(at, PAGE.encode()) or b"").replace(
        NEW_LINE.encode(), f"{NEW_LINE}\n{NEW_LINE}".encode()
    )
    found = read(at, page, importing=False)
    assert [row.key for row in found.rows if "/2" in row.key] == ["activity/s-1/website/2"]
    again = at._replace(rows=kept(found.rows, rows))
    assert render(again, page) == page


def test_what_people_changed_in_a_made_row_is_a_claim_under_its_name() -> None:
    rows = kept([made_activity("s-1", "website", NEW)])
    at = known(rows=rows, sessions=(session("s-1"),))
    written = (render(at, PAGE.encode()) or b"").replace(b"Made a", b"Made all of")
    found = read(at, written, importing=False)
    assert [row.key for row in found.rows] == ["activity/s-1/website"]
    again = at._replace(rows=kept(found.rows, rows))
    assert "Made all of" in again.rows["activity/s-1/website"]
    assert render(again, written) == written
    assert read(again, written, importing=False) == Read(())


def test_an_import_keeps_no_row_and_says_nothing_of_a_well_formed_file() -> None:
    assert odd(PAGE) == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (ROW, ROW.replace("Navigation", "a | b"), "row_cells"),
        (ROW, "| s-0 | website | bot-0 |", "row_cells"),
        (ROW, ROW.replace("bot-0", " "), "field_missing"),
        (ROW, ROW.replace("| website", "| webiste"), "role_unknown"),
        (ROW, ROW.replace("closed", "done"), "row_status_alias"),
        (ROW, ROW.replace("closed", "flying"), "row_status_unknown"),
        (ROW, ROW.replace("s-0", "manual-session"), "session_forbidden"),
        (EVENT, EVENT.replace("integrator", "integrater"), "role_unknown"),
        ("Some words below.", "| s-0 | website | b | s | a | open | e | f |", "row_outside_table"),
    ],
)
def test_what_is_odd_in_a_row_is_told_with_its_line(old: str, new: str, code: str) -> None:
    page = PAGE.replace(old, new)
    assert odd(page) == [(line_of(page, new), code)]
    assert render(known(), page.encode()) == page.encode()


def test_the_line_under_the_header_is_no_row_however_it_is_written() -> None:
    for line in ("|:---|:-:|--:|---|---|---|---|-|", ":-|-|-|-|-|-|-|-"):
        page = PAGE.replace("|:---|---|---|---|---|---|---|---|", line)
        assert len(parse(page.encode()).rows["activity"]) == 1
    page = PAGE.replace(ROW, f"{ROW}\n|:---|---|---|---|---|---|---|---|\n{ROW}")
    assert len(parse(page.encode()).rows["activity"]) == 2


def test_a_table_of_something_else_in_the_section_is_left_alone() -> None:
    other = "| legend | meaning |\n|---|---|\n| open | still going on |\n\n"
    page = PAGE.replace("Every session adds a row.\n\n", f"Every session adds a row.\n\n{other}")
    assert odd(page) == []
    assert len(parse(page.encode()).rows["activity"]) == 1
    assert with_rows(page.encode(), [NEW], []).decode() == page.replace(ROW, f"{ROW}\n{NEW_LINE}")


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("# x\n", [("the end", "section_missing")] * 2),
        ("", [("the end", "section_missing")] * 2),
        (
            PAGE.replace("session_id | role", "id | role"),
            [("line 11", "table_missing")],
        ),
        (
            PAGE.replace("| role |", "| part |"),
            [("line 15", "column_missing"), ("line 17", "field_missing")],
        ),
        (
            PAGE.replace("## 2) Role Activity", "### 2. role activity"),
            [("line 11", "heading_differs")],
        ),
    ],
)
def test_what_is_odd_in_a_file_is_told(page: str, expected: list[tuple[str, str]]) -> None:
    found = odd(page)
    assert found[: len(expected)] == expected


def test_a_merge_conflict_is_told_and_nothing_is_read_or_written() -> None:
    page = PAGE.replace(ROW, f"<<<<<<< HEAD\n{ROW}\n=======\n{NEW_LINE}\n>>>>>>> other").encode()
    at = known(sessions=(session("s-0"),), rows=kept([made_activity("s-1", "website", NEW)]))
    for importing in (True, False):
        found = read(at, page, importing=importing)
        assert found.rows == ()
        assert [(told.place, told.code) for told in found.told] == [("line 17", "merge_conflict")]
    assert render(at, page) is None


def test_a_row_that_is_too_long_is_told() -> None:
    page = PAGE.replace("Navigation", "n" * RECORD_CHARS_MAX).encode()
    found = read(known(sessions=(session("s-0"),)), page, importing=False)
    assert [row.key for row in found.rows] == ["coordination/s-0"]
    assert [told.code for told in found.told] == ["too_long"]


def test_the_format_has_its_name() -> None:
    assert TRACKER.format == "lanes-tracker"

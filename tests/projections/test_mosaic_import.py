"""Files of mosaic as people left them: read, told of or refused, and given back as they were."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.projections import agent_state, session_log
from handrail.projections.json_text import read_json, same, write_json
from handrail.projections.port import Known
from tests.projections.mosaic_world import (
    BREAKS,
    CHANGES,
    COMMIT,
    FILES,
    NOON,
    STATE,
    VALUES,
    File,
    Repository,
    imported,
    kept,
    packet,
    session,
    task,
)

BEFORE = Known(now=NOON, commit=COMMIT, sessions=(session(at=NOON - 1000),))


def check_file(file: File) -> None:
    projection = FILES[file.format]
    if file.refused:
        with pytest.raises(ValueError, match=r"^it |^line |is too large") as told:
            projection.read(BEFORE, file.content, importing=True)
        assert len(str(told.value)) < 300
        return
    known, read = imported(projection, file.content, BEFORE)
    again = projection.render(known._replace(now=NOON + 5, commit="2" * 40), file.content)
    assert again is not None
    if file.exact:
        assert again == file.content
    else:
        assert same(read_json(again)[0], read_json(file.content)[0])
    assert projection.render(known, None) == again, "the rows alone hold all of it"
    for row in read.rows:
        assert row.record
        json.loads(row.record)
        assert row.record.isascii()
        assert row.claimed_at >= 0


def test_a_hundred_repositories_are_imported_and_given_back_as_they_were() -> None:
    repositories = [Repository(seed) for seed in range(100)]
    for repository in repositories:
        for file in repository.files:
            check_file(file)
    files = [file for one in repositories for file in one.files]
    seen = Counter(odd for file in files for odd in file.oddities)
    assert {*CHANGES, *BREAKS} <= set(seen), "each oddity came up"
    assert sum(file.exact for file in files) > 200


@pytest.mark.parametrize("format", sorted(VALUES))
@pytest.mark.parametrize("odd", sorted(BREAKS))
def test_what_is_no_such_file_is_refused_with_a_sentence(format: str, odd: str) -> None:
    raw = BREAKS[odd]((json.dumps(VALUES[format], indent=2) + "\n").encode("utf-8"))
    check_file(File(format, raw, (odd,), refused=True, exact=False))


def test_a_merge_that_is_not_settled_is_called_one() -> None:
    raw = b'{\n<<<<<<< HEAD\n  "a": 1\n=======\n  "a": 2\n>>>>>>> topic\n}\n'
    with pytest.raises(ValueError, match=r"^line 2 is the mark of a merge conflict"):
        read_json(raw)


def test_each_oddity_of_a_state_is_told_with_its_place() -> None:
    value = {
        **{name: one for name, one in STATE.items() if name != "last_commit"},
        "last_mode": "AUTONOMOUS",
        "last_agent": "claude_code_sonnet_4_5",
        "handoff_message": 7,
        "colour": "blue",
    }
    value["briefing_acknowledgment"] = {"agent": ""}
    raw = b"\xef\xbb\xbf" + json.dumps(value).encode("utf-8").replace(
        b'"colour"', b'"version":1,"x"'
    )
    _, read = imported(agent_state.PROJECTION, raw, BEFORE)
    assert [(one.place, one.code, one.suggestion) for one in read.told] == [
        ("line 1", "byte_order_mark", None),
        ("version", "duplicate_field", None),
        ("last_agent", "not_in_vocabulary", "claude_code_terminal"),
        ("last_mode", "not_in_vocabulary", "BUILD"),
        ("handoff_message", "wrong_type", None),
        ("briefing_acknowledgment.agent", "wrong_type", None),
        ("x", "unknown_field", None),
        ("last_commit", "missing_field", None),
    ]


def test_blockers_of_the_documents_are_kept_and_told() -> None:
    value: dict[str, Any] = json.loads(json.dumps(VALUES["mosaic-blockers"]))
    value["blockers"][0] |= {"status": "active", "severity": "High", "resolved_at": None}
    value["blockers"] += ["B003", {**value["blockers"][1], "id": "B2"}]
    value["archived_blockers"] = {}
    raw = (json.dumps(value, indent=2) + "\n").encode("ascii")
    known, read = imported(FILES["mosaic-blockers"], raw, BEFORE)
    assert [(one.place, one.code, one.suggestion) for one in read.told] == [
        ("blockers[0].severity", "not_in_vocabulary", "high"),
        ("blockers[0].status", "not_in_vocabulary", "open"),
        ("blockers[2]", "wrong_type", None),
        ("blockers[3].id", "wrong_type", None),
        ("archived_blockers", "wrong_type", None),
    ]
    assert FILES["mosaic-blockers"].render(known, raw) == raw
    assert "blockers/B001" in known.rows


def test_a_log_is_kept_byte_for_byte_and_grows_at_its_end() -> None:
    raw = b'{"timestamp": "2026-01-07T20:00:00Z"}\r\nno json\n\xff\n\n{"a": 1}'
    known, read = imported(session_log.PROJECTION, raw, BEFORE)
    assert session_log.render(known, raw) == raw
    codes = Counter((one.place.partition(":")[0], one.code) for one in read.told)
    assert {"no_json", "not_utf8", "blank_line", "missing_field"} <= {code for _, code in codes}
    later = known._replace(sessions=(session(at=NOON - 1000, ended=NOON + 1000),))
    grown = session_log.render(later, raw)
    assert grown is not None
    assert grown.startswith(raw + b"\n")
    assert json.loads(grown.splitlines()[-1])["action"] == "session_end"
    assert grown.count(b"\n") == raw.count(b"\n") + 2


def test_of_a_merge_in_the_log_the_lines_of_both_sides_are_kept_once() -> None:
    line = {name: f'{{"timestamp": "{name}"}}\n'.encode("ascii") for name in "abcd"}
    raw = b"".join(
        [
            *(line["a"], b"<<<<<<< HEAD\n", line["b"], b"||||||| 123\n", line["a"], b"=======\n"),
            *(line["c"], line["b"], b">>>>>>> topic\n", line["d"]),
        ]
    )
    known, read = imported(session_log.PROJECTION, raw, BEFORE)
    assert [(one.place, one.code) for one in read.told if one.code == "merge_conflict"] == [
        ("line 2", "merge_conflict")
    ]
    assert session_log.render(known, raw) == b"".join(line[name] for name in "abcd")


def test_a_line_that_somebody_took_out_of_the_log_comes_back() -> None:
    lines = [f'{{"timestamp": "{n}"}}\n'.encode("ascii") for n in range(4)]
    known, _ = imported(session_log.PROJECTION, b"".join(lines[:3]), BEFORE)
    for damaged in (lines[0] + lines[2] + lines[3], b"".join([*lines[:2], b"{}\n", lines[3]])):
        read = session_log.read(known, damaged, importing=False)
        assert "lost_line" in {one.code for one in read.told}
        again = session_log.render(kept(known, read), damaged)
        assert again is not None
        assert again.startswith(b"".join(lines[:3]))
        assert again.endswith(lines[3])
    turned = b"".join(reversed(lines[:3]))
    read = session_log.read(known, turned, importing=False)
    assert "moved_lines" in {one.code for one in read.told}
    assert session_log.render(kept(known, read), turned) == b"".join(lines[:3])


@pytest.mark.parametrize("size", [65_536, 200_000])
def test_what_is_too_long_for_a_row_is_refused_by_name(size: int) -> None:
    value = {**STATE, "implementation_progress": {"notes": "x" * size}}
    with pytest.raises(ValueError, match="field/implementation_progress has more than 65536"):
        imported(agent_state.PROJECTION, json.dumps(value).encode("ascii"), BEFORE)
    with pytest.raises(ValueError, match="line 1 has more than 65536"):
        imported(session_log.PROJECTION, b"x" * size, BEFORE)


def test_a_value_is_sixty_four_levels_deep_and_not_one_more() -> None:
    raw = b"[" * 64 + b"]" * 64
    assert write_json(*read_json(raw)[:2]) == raw
    with pytest.raises(ValueError, match="deeper than 64 levels"):
        read_json(b"[" * 65 + b"]" * 65)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(
    value=JSON,
    indent=st.sampled_from([None, 0, 1, 2, 4, "\t", " \t"]),
    escaped=st.booleans(),
    tight=st.booleans(),
    around=st.tuples(*(st.sampled_from(["", "\n", "\n\n", " ", "\t\n"]),) * 2),
    crlf=st.booleans(),
)
def test_what_a_usual_writer_wrote_comes_back_byte_for_byte(
    value: Any, indent: Any, escaped: bool, tight: bool, around: tuple[str, str], crlf: bool
) -> None:
    separators = (",", ":") if tight and indent is None else None
    text = json.dumps(value, indent=indent, ensure_ascii=escaped, separators=separators)
    text = around[0] + text + around[1]
    raw = (text.replace("\n", "\r\n") if crlf else text).encode("utf-8")
    read, layout, told = read_json(raw)
    assert same(read, value)
    assert not told
    assert write_json(read, layout) == raw


@settings(max_examples=50)
@given(raw=st.binary(max_size=80) | JSON.map(lambda value: json.dumps(value).encode("ascii")))
def test_no_bytes_make_a_reader_crash(raw: bytes) -> None:
    for projection in FILES.values():
        try:
            known, _ = imported(projection, raw, BEFORE)
        except ValueError:
            continue
        again = projection.render(known, raw)
        assert again is not None
        assert imported(projection, again, BEFORE)[0].rows.keys() == known.rows.keys()


@settings(max_examples=40)
@given(value=st.dictionaries(st.sampled_from(sorted(STATE)), JSON, max_size=6))
def test_an_imported_state_survives_what_happens_under_handrail(value: dict[str, Any]) -> None:
    projection = agent_state.PROJECTION
    known, _ = imported(projection, json.dumps(value).encode("ascii"), BEFORE)
    later = known._replace(
        now=NOON + 9,
        sessions=(session("s-2", at=NOON + 1),),
        tasks=(task(at=NOON + 2),),
        packets=(packet(at=NOON + 3),),
    )
    raw = projection.render(later, None)
    assert raw is not None
    found = read_json(raw)[0]
    tool = {"last_agent", "last_session_start", "last_session_end", "last_commit", "current_agent"}
    tool |= {"current_task", "next_agent", "handoff_message"}
    assert found["last_commit"] == COMMIT
    assert {name: one for name, one in found.items() if name not in tool} == {
        name: one for name, one in value.items() if name not in tool
    }

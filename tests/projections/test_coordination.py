"""``coordination.json``: what is shown, what an import keeps, what is read back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.core.projected import RECORD_CHARS_MAX
from handrail.core.task import SYSTEM
from handrail.projections.coordination import COORDINATION, next_key, read, render
from handrail.projections.loose_json import key_of, written
from handrail.projections.port import Known, Read
from tests.projections.lanes_arrange import HOUR, NOW, kept, known, lease, packet

LEASE = {
    "role": "website",
    "agent_id": "bot-2",
    "scope": "site/src",
    "session_id": "2026-03-01-nav",
    "acquired_at": "2026-03-01T08:00:00.000000Z",
    "expires_at": "2026-03-01T09:30:00.000000Z",
}
HANDOFF = {
    "timestamp": "2026-03-01T08:20:00.000000Z",
    "session_id": "2026-03-01-nav",
    "from_role": "website",
    "to_role": "integrator",
    "scope": "site/src",
    "note": "navigation is done",
}
CONFLICT = {
    "timestamp": "2026-03-01T08:30:00.000000Z",
    "role": "website",
    "requested_by": "bot-3",
    "active_agent": "bot-2",
    "requested_scope": "site",
    "active_scope": "site/src",
    "session_id": "2026-03-01-other",
    "decision": "rejected-active-lease",
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from([*LEASE, *HANDOFF, "x", "é"]), inner, max_size=4)
    ),
    max_leaves=6,
)
SECTION = st.lists(st.sampled_from([LEASE, HANDOFF, CONFLICT]) | VALUES, max_size=4) | VALUES
FILES = st.dictionaries(
    st.sampled_from(["schema_version", "leases", "handoffs", "conflicts", "x", "y"]),
    SECTION,
    max_size=6,
)


def text(file: Any) -> bytes:
    return (json.dumps(file, indent=2) + "\n").encode()


def full(**fields: Any) -> dict[str, Any]:
    return {"schema_version": 1, "leases": [], "handoffs": [], "conflicts": [], **fields}


def imported(raw: bytes, at: Known | None = None) -> tuple[Read, dict[str, str]]:
    found = read(at or known(), raw, importing=True)
    return found, kept(found.rows, (at or known()).rows)


def shown(known: Known, before: bytes | None = None) -> dict[str, Any]:
    file: dict[str, Any] = json.loads(render(known, before))
    return file


def codes(found: Read) -> list[str]:
    return [told.code for told in found.told]


# --- rendering -----------------------------------------------------------------------------------


def test_nothing_known_is_the_original_s_empty_file() -> None:
    assert render(known(), None) == text(full())


def test_each_pattern_of_a_live_lease_of_a_role_is_a_row_as_the_original_writes_it() -> None:
    live = lease(3, "site/src/**", "site/*.qmd", session="2026-03-01-nav", agent="bot-2")
    assert shown(known(leases=(live,)))["leases"] == [
        {
            "role": "website",
            "agent_id": "bot-2",
            "scope": scope,
            "session_id": "2026-03-01-nav",
            "acquired_at": "2026-03-01T08:00:00.000000Z",
            "expires_at": "2026-03-01T10:00:00.000000Z",
        }
        for scope in ("site/src", "site/*.qmd")
    ]


def test_leases_of_tasks_of_no_role_and_of_yesterday_are_not_shown() -> None:
    leases = (
        lease(1, "site", session="task:t"),
        lease(2, "site", role=None),
        lease(3, "site", expires_at=NOW),
    )
    assert shown(known(leases=leases))["leases"] == []


def test_packets_are_handoffs_after_the_kept_ones() -> None:
    _, rows = imported(text(full(handoffs=[HANDOFF])))
    packets = (
        packet(1, "site/src", session=SYSTEM, from_role=None, message="begin"),
        packet(2, "site/a", "site/b/**", to_role=None, message="go on", offered_at=NOW + 1),
    )
    later = [
        {
            "timestamp": f"2026-03-01T09:00:00.00{number - 1}000Z",
            "session_id": session,
            "from_role": giver,
            "to_role": receiver,
            "scope": scope,
            "note": note,
        }
        for number, session, giver, receiver, scope, note in (
            (1, "", "system", "integrator", "site/src", "begin"),
            (2, "s-1", "website", "", "site/a", "go on"),
            (2, "s-1", "website", "", "site/b", "go on"),
        )
    ]
    assert shown(known(rows=rows, packets=packets))["handoffs"] == [HANDOFF, *later]


def test_conflicts_are_what_is_kept_in_the_order_of_their_names() -> None:
    rows = {
        "conflicts/000002": written({**CONFLICT, "decision": "website first"}),
        "conflicts/000010": written(CONFLICT),
    }
    assert shown(known(rows=rows))["conflicts"] == [
        {**CONFLICT, "decision": "website first"},
        CONFLICT,
    ]
    assert next_key("conflicts", rows) == "conflicts/000011"
    assert next_key("handoffs", rows) == "handoffs/000001"


def test_a_row_that_was_kept_in_alphabetical_order_is_shown_in_the_original_s() -> None:
    sorted_row = dict(sorted({**CONFLICT, "by": "ada"}.items()))
    at = known(rows={"conflicts/000001": written(sorted_row)})
    assert list(shown(at)["conflicts"][0]) == [*CONFLICT, "by"]
    raw = text(full(conflicts=[sorted_row]))
    assert render(known(rows=imported(raw)[1]), None) == raw


def test_imported_leases_are_shown_until_the_file_shows_one_that_was_granted() -> None:
    raw = text(full(leases=[LEASE]))
    _, rows = imported(raw)
    assert render(known(rows=rows), raw) == raw
    assert render(known(rows=rows), None) == raw
    assert shown(known(rows=rows), b"{half")["leases"] == [LEASE]
    granted = render(known(rows=rows, leases=(lease(1, "site"),)), raw)
    assert [row["agent_id"] for row in json.loads(granted)["leases"]] == ["bot-1"]
    assert shown(known(rows=rows), granted)["leases"] == []


@given(FILES)
def test_what_was_imported_is_rendered_again_byte_for_byte(file: dict[str, Any]) -> None:
    for indent in (2, None):
        raw = (json.dumps(file, indent=indent) + "\n").encode()
        _, rows = imported(raw)
        for before in (raw, None):
            again = render(known(rows=rows), before)
            assert key_of(json.loads(again)) == key_of(file)
            assert indent is None or again == raw


@given(FILES)
def test_every_row_of_an_import_is_kept_and_importing_twice_adds_none(file: dict[str, Any]) -> None:
    found, rows = imported(text(file))
    records = "".join(key_of(json.loads(record)) for record in rows.values())
    for section in file.values():
        for row in section if isinstance(section, list) else [section]:
            assert key_of(row) in records or row == 1
    assert read(known(rows=rows), text(file), importing=True).rows == ()
    assert len({row.key for row in found.rows}) == len(found.rows)


@given(FILES)
def test_what_handrail_rendered_reads_back_as_nothing_new(file: dict[str, Any]) -> None:
    _, rows = imported(text(file))
    for leases in ((), (lease(1, "site"),)):
        at = known(rows=rows, packets=(packet(1, "site/src", message="m"),), leases=leases)
        again = render(at, text(file))
        assert read(at, again, importing=False) == Read(())
        assert render(at, again) == again


# --- importing -----------------------------------------------------------------------------------


def test_a_well_formed_file_is_imported_without_a_word() -> None:
    current = {**LEASE, "expires_at": "2026-03-01T09:30:00.000000Z"}
    found, rows = imported(text(full(leases=[current], handoffs=[HANDOFF], conflicts=[CONFLICT])))
    assert found.told == ()
    assert list(rows) == ["conflicts/000001", "handoffs/000001", "leases/000001"]
    assert {row.key: row.claimed_at for row in found.rows} == {
        "leases/000001": NOW - HOUR,
        "handoffs/000001": NOW - HOUR + 1_200_000,
        "conflicts/000001": NOW - HOUR + 1_800_000,
    }


@pytest.mark.parametrize(
    ("change", "place", "code", "suggestion"),
    [
        ({"role": "webiste"}, "role", "role_unknown", "website"),
        ({"role": "ops_tooling"}, "role", "role_alias", "ops-tooling"),
        ({"role": ""}, "role", "field_missing", None),
        ({"agent_id": None}, "agent_id", "field_missing", None),
        ({"agent_id": 7}, "agent_id", "field_type", None),
        ({"agent_id": "bot 2"}, "agent_id", "name_malformed", None),
        (
            {"session_id": "manual-session"},
            "session_id",
            "session_forbidden",
            "an id for each session",
        ),
        ({"scope": "../../etc"}, "scope", "scope_malformed", None),
        ({"scope": "/etc"}, "scope", "scope_malformed", None),
        ({"scope": "site\\src"}, "scope", "scope_malformed", "site/src"),
        ({"scope": "."}, "scope", "scope_malformed", "**"),
        ({"scope": ["site"]}, "scope", "field_type", None),
        ({"expires_at": "soon"}, "expires_at", "time_malformed", "2026-03-01T09:00:00.000000Z"),
        ({"expires_at": "2026-03-01T09:00:00Z"}, "expires_at", "lease_expired", None),
        ({"expires_at": "2026-03-01T07:00:00Z"}, "expires_at", "ttl_negative", None),
        ({"lane": "x"}, "lane", "field_unknown", None),
    ],
)
def test_what_is_odd_in_a_lease_is_told_with_its_place_and_kept(
    change: dict[str, Any], place: str, code: str, suggestion: str | None
) -> None:
    found, rows = imported(text(full(leases=[{**LEASE, **change}])))
    assert [(told.place, told.code, told.suggestion) for told in found.told] == [
        (f"leases[0].{place}", code, suggestion)
    ]
    assert json.loads(rows["leases/000001"]) == {**LEASE, **change}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (full(leases=[LEASE, LEASE]), [("leases[1]", "lease_twice")]),
        (full(leases=[LEASE, {**LEASE, "scope": "site/b"}]), [("leases[1]", "role_twice")]),
        (full(leases=["x"]), [("leases[0]", "row_type")]),
        (full(leases=None), [("leases", "section_type")]),
        (full(handoffs={"a": 1}), [("handoffs", "section_type")]),
        (
            full(handoffs=[{**HANDOFF, "to_role": "website"}]),
            [("handoffs[0].to_role", "handoff_to_self")],
        ),
        (full(handoffs=[{**HANDOFF, "note": ""}]), []),
        (
            full(conflicts=[{**CONFLICT, "decision": "later"}]),
            [("conflicts[0].decision", "decision_unknown")],
        ),
        (full(schema_version=2), [("schema_version", "version_unknown")]),
        ({"leases": []}, []),
        (full(extra={"a": 1}), [("extra", "field_unknown")]),
    ],
)
def test_what_is_odd_in_a_file_is_told(file: Any, expected: list[tuple[str, str]]) -> None:
    found, rows = imported(text(file))
    assert [(told.place, told.code) for told in found.told] == expected
    assert render(known(rows=rows), None) == text(file)


def test_an_unknown_field_is_told_once_for_a_list() -> None:
    found, _ = imported(text(full(handoffs=[{**HANDOFF, "x": number} for number in range(9)])))
    assert codes(found) == ["field_unknown"]


def test_what_is_no_text_of_a_reasonable_length_is_told_and_not_kept() -> None:
    found, rows = imported(text(full(handoffs=[{**HANDOFF, "note": "n" * RECORD_CHARS_MAX}])))
    assert (codes(found), rows) == (["too_long"], {})
    spare = RECORD_CHARS_MAX - len(written({**HANDOFF, "note": ""}))
    found, rows = imported(text(full(handoffs=[{**HANDOFF, "note": "n" * spare}])))
    assert (codes(found), list(rows)) == ([], ["handoffs/000001"])


def test_letters_beyond_ascii_stay_as_they_were_written() -> None:
    file = full(handoffs=[{**HANDOFF, "note": "naïve – 日本"}])
    for ascii_only in (True, False):
        raw = (json.dumps(file, indent=2, ensure_ascii=ascii_only) + "\n").encode()
        assert render(known(rows=imported(raw)[1]), None) == raw


def test_half_a_surrogate_pair_is_rendered_as_the_escape_that_it_is() -> None:
    raw = json.dumps(full(handoffs=[{**HANDOFF, "note": "\ud800 é"}]), indent=2) + "\n"
    raw = raw.replace("\\u00e9", "é")
    again = render(known(rows=imported(raw.encode())[1]), None)
    assert json.loads(again) == json.loads(raw)


def test_a_half_written_file_keeps_what_is_whole_and_the_rest_as_text() -> None:
    raw = text(full(leases=[LEASE], handoffs=[HANDOFF]))
    found, rows = imported(raw[: raw.index(b"navigation is")])
    assert codes(found)[0] == "half_written"
    assert json.loads(rows["leases/000001"]) == LEASE
    assert json.loads(rows["unread/000001"])["text"].endswith('"note": "')
    assert "layout" not in rows
    half = raw[: raw.index(b"navigation is")]
    assert read(known(rows=rows), half, importing=True).rows == ()


@pytest.mark.parametrize("raw", [b"[]", b'"leases"', b"", b"\0", b"leases: []\n"])
def test_what_is_no_such_file_is_refused_with_a_sentence(raw: bytes) -> None:
    for importing in (True, False):
        with pytest.raises(ValueError, match=r"^The file .*\.$"):
            read(known(), raw, importing=importing)


# --- reading back --------------------------------------------------------------------------------


def edited(at: Known, **sections: Any) -> bytes:
    return text({**json.loads(render(at, None)), **sections})


def test_rows_that_a_person_added_are_claims_with_the_next_names() -> None:
    _, rows = imported(text(full(handoffs=[HANDOFF], conflicts=[CONFLICT])))
    at = known(rows=rows, packets=(packet(1, "site/src"),))
    new = {**HANDOFF, "timestamp": "2026-03-01T08:50:00.000000Z", "note": "by hand"}
    other = {**CONFLICT, "requested_by": "bot-9", "timestamp": "2026-03-01T08:51:00.000000Z"}
    now = json.loads(render(at, None))
    raw = edited(at, handoffs=[*now["handoffs"], new], conflicts=[other, *now["conflicts"]])
    found = read(at, raw, importing=False)
    assert {row.key: json.loads(row.record) for row in found.rows} == {
        "handoffs/000002": new,
        "conflicts/000002": other,
    }
    assert found.rows[0].claimed_at == NOW - 600_000
    assert found.told == ()


def test_a_changed_decision_or_note_is_a_claim_under_the_same_name() -> None:
    _, rows = imported(text(full(handoffs=[HANDOFF], conflicts=[CONFLICT, CONFLICT])))
    at = known(rows=rows)
    decided = {**CONFLICT, "decision": "website goes first", "by": "ada"}
    raw = edited(at, handoffs=[{**HANDOFF, "note": "n"}], conflicts=[CONFLICT, decided])
    found = read(at, raw, importing=False)
    assert found.told == ()
    again = kept(found.rows, rows)
    assert sorted(again) == sorted(rows)
    file = shown(known(rows=again))
    assert file["handoffs"] == [{**HANDOFF, "note": "n"}]
    assert sorted(map(key_of, file["conflicts"])) == sorted(map(key_of, [CONFLICT, decided]))


def test_of_two_rows_that_differ_in_the_claim_alone_each_is_changed_once() -> None:
    _, rows = imported(text(full(conflicts=[CONFLICT, CONFLICT])))
    both = [{**CONFLICT, "decision": "first"}, {**CONFLICT, "decision": "second"}]
    found = read(known(rows=rows), text(full(conflicts=both)), importing=False)
    assert [row.key for row in found.rows] == ["conflicts/000001", "conflicts/000002"]
    assert shown(known(rows=kept(found.rows, rows)))["conflicts"] == both


def test_other_fields_of_a_known_row_and_of_a_packet_are_told_and_written_over() -> None:
    _, rows = imported(text(full(conflicts=[CONFLICT])))
    at = known(rows=rows, packets=(packet(1, "site/src", message="the truth"),))
    now = json.loads(render(at, None))
    lie = {**now["handoffs"][0], "note": "another truth"}
    raw = edited(at, conflicts=[{**CONFLICT, "active_agent": "bot-8"}], handoffs=[lie])
    found = read(at, raw, importing=False)
    assert found.rows == ()
    assert [(told.place, told.code) for told in found.told] == [
        ("handoffs[0]", "overwritten"),
        ("conflicts[0]", "overwritten"),
    ]
    assert shown(at, raw) == now


def test_a_lease_that_nobody_granted_is_told_and_gives_none() -> None:
    _, rows = imported(text(full(leases=[LEASE])))
    at = known(rows=rows, leases=(lease(1, "site"),))
    raw = edited(at, leases=[*shown(at)["leases"], LEASE, {**LEASE, "agent_id": "bot-7"}], extra=1)
    found = read(at, raw, importing=False)
    assert [(told.place, told.code) for told in found.told] == [("leases[2]", "overwritten")]
    assert [json.loads(row.record) for row in found.rows] == [{"name": "extra", "value": 1}]
    assert "handrail claim" in (found.told[0].suggestion or "")


def test_a_row_that_is_missing_is_no_message_since_the_file_may_be_an_old_one() -> None:
    _, rows = imported(text(full(handoffs=[HANDOFF], conflicts=[CONFLICT])))
    at = known(rows=rows, packets=(packet(1, "site/src"),))
    assert read(at, text(full()), importing=False) == Read(())


def test_of_a_merge_conflict_the_rows_of_both_sides_are_claims_once() -> None:
    sides = [text(full(handoffs=[HANDOFF, {**HANDOFF, "note": side}])) for side in "ab"]
    raw = b"<<<<<<< HEAD\n" + sides[0] + b"=======\n" + sides[1] + b">>>>>>> other\n"
    found = read(known(rows=imported(text(full(handoffs=[HANDOFF])))[1]), raw, importing=False)
    assert [json.loads(row.record)["note"] for row in found.rows] == ["a", "b"]
    assert codes(found) == ["merge_conflict"]


def test_a_section_or_version_of_a_wrong_type_is_told_and_written_over() -> None:
    found = read(known(), text(full(handoffs="none", schema_version=3)), importing=False)
    assert sorted(told.place for told in found.told) == ["handoffs", "schema_version"]
    assert found.rows == ()


def test_five_thousand_rows_are_no_matter() -> None:
    raw = text(full(handoffs=[{**HANDOFF, "note": str(number)} for number in range(5_000)]))
    _, rows = imported(raw)
    at = known(rows=rows)
    assert render(at, raw) == raw
    changed = raw.replace(b"bot", b"b").replace(b'"from_role": "website"', b'"from_role": "w"')
    assert len(read(at, changed, importing=False).rows) == 5_000


def test_the_format_has_its_name() -> None:
    assert COORDINATION.format == "lanes-coordination"

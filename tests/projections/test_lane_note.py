"""A lane's note: five values are the tool's, three are filled in where nobody wrote any."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.core.task import ACCEPTED
from handrail.projections.lane_note import FIELDS, LANE_NOTE, read, render, template
from handrail.projections.port import Known, Read
from tests.projections.lanes_arrange import HOUR, NOTE, ROLES, kept, known, lease, packet

PAGE = """\
# Website agent

## Agent Identity
- Agent: codex
- Role: website

## Current Lease and Session
- lease_role: website
- `agent_id`: `codex`
* **session_id**: 2026-02-15-old
scope_claim: site/, ours
- lease_expires_at: 2026-03-01T12:00:00.000000Z

## Blockers
- session_id: not this one

## Next Handoff Action
- to_role: none
- reason: TBD
- expected_artifact: the menu
"""
HELD = """\
## Current Lease and Session
- lease_role: website
- `agent_id`: `bot-1`
* **session_id**: s-1
scope_claim: site/src, site/a.qmd
- lease_expires_at: 2026-03-01T10:00:00.000000Z
"""


def at(**fields: Any) -> Known:
    return known(path=NOTE, **fields)


def codes(found: Read) -> list[tuple[str, str]]:
    return [(told.place, told.code) for told in found.told]


# --- rendering -----------------------------------------------------------------------------------


def test_the_lease_of_the_role_replaces_five_values_and_nothing_else() -> None:
    leases = (
        lease(1, "site/old", session="s-0"),
        lease(2, "site/src/**", expires_at=known().now + HOUR),
        lease(3, "site/a.qmd", expires_at=known().now + 2 * HOUR),
        lease(4, "scripts", role="ops-tooling", session="s-3"),
        lease(5, "site", session="task:t"),
    )
    start, end = PAGE.index("## Current"), PAGE.index("\n## Blockers")
    expected = PAGE[:start] + HELD + PAGE[end:]
    assert render(at(leases=leases), PAGE.encode()) == expected.encode()


def test_without_a_lease_or_a_packet_a_note_stays_as_it_is() -> None:
    assert render(at(), PAGE.encode()) == PAGE.encode()
    assert render(at(leases=(lease(1, "x", role="integrator"),)), PAGE.encode()) == PAGE.encode()


def test_the_next_handoff_is_filled_in_only_where_nobody_wrote() -> None:
    content = {"message": "Menu is done\nmore", "artifacts": {"produced": [{"path": "site/m"}]}}
    packets = (packet(1, "site", content=content), packet(2, "site", state=ACCEPTED, message="x"))
    after = (render(at(packets=packets), PAGE.encode()) or b"").decode()
    assert after == PAGE.replace("to_role: none", "to_role: integrator").replace(
        "reason: TBD", "reason: Menu is done"
    )
    empty = PAGE.replace("the menu", "")
    assert b"- expected_artifact: site/m\n" in (render(at(packets=packets), empty.encode()) or b"")


@pytest.mark.parametrize(
    "content", [{}, {"message": 1, "artifacts": []}, {"artifacts": {"produced": [1]}}]
)
def test_a_packet_that_says_little_fills_in_little(content: Any) -> None:
    after = render(at(packets=(packet(1, "site", content=content),)), PAGE.encode())
    assert after == PAGE.replace("to_role: none", "to_role: integrator").encode()


def test_a_missing_note_is_made_whole() -> None:
    after = (render(at(leases=(lease(2, "site/src"),)), None) or b"").decode()
    assert after.startswith("# website: working note\n\n## Agent Identity\n")
    assert "## Scope\n- `site`\n" in after
    assert "- session_id: s-1\n- scope_claim: site/src\n" in after
    assert template(ROLES[1]) == render(at(), None)
    assert read(at(), template(ROLES[1]), importing=True).told == ()


def test_a_note_of_no_role_is_left_alone() -> None:
    assert render(known(path="other.md"), None) is None
    assert render(known(path="other.md"), b"text") is None


def test_missing_fields_and_sections_are_added_where_they_belong() -> None:
    after = render(at(leases=(lease(1, "site"),)), b"# Note\n\n## Current Lease and Session\n\n# x")
    assert after == (
        b"# Note\n\n## Current Lease and Session\n- lease_role: website\n- agent_id: bot-1\n"
        b"- session_id: s-1\n- scope_claim: site\n"
        b"- lease_expires_at: 2026-03-01T10:00:00.000000Z\n\n# x"
    )
    page = b"## Current Lease and Session\r\n- agent_id: x\r\nWords.\r\n"
    after = render(at(leases=(lease(1, "site"),)), page) or b""
    assert after.startswith(b"## Current Lease and Session\r\n- agent_id: bot-1\r\n- lease_role: ")
    assert after.endswith(b"Words.\r\n")
    after = render(at(leases=(lease(1, "site"),)), b"# Note") or b""
    assert after.startswith(b"# Note\n\n## Current Lease and Session\n- lease_role: website\n")


def test_where_a_field_would_be_none_nothing_is_written() -> None:
    for page in (b"```\nnever closed\n", b"<!-- never closed\n"):
        assert render(at(leases=(lease(1, "site"),)), page) is None


LINES = st.lists(
    st.sampled_from([*PAGE.splitlines(), "```", "<!--", "-->", "", "> x"]), max_size=15
)


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_whatever_the_note_other_lines_stay_and_rendering_twice_is_rendering_once(
    lines: list[str], eol: str, ended: bool, mark: bool
) -> None:
    content = (("\ufeff" if mark else "") + eol.join(lines) + (eol if ended else "")).encode()
    where = at(leases=(lease(1, "site"),), packets=(packet(1, "site", message="m"),))
    after = render(where, content)
    if after is None:
        return  # it has no place for a field
    assert render(where, after) == after
    names = [name for fields in FIELDS.values() for name in fields]
    rest = iter(after.splitlines())
    others = [x for x in content.splitlines() if not any(name.encode() in x for name in names)]
    assert all(line in rest for line in others)


@given(st.text(st.sampled_from("a`*:-\n\r\x85 #|é"), max_size=8))
def test_no_message_breaks_out_of_its_line(text: str) -> None:
    after = render(at(packets=(packet(1, "site", message=text),)), PAGE.encode()) or b""
    assert len(after.splitlines()) == len(PAGE.splitlines())


# --- reading -------------------------------------------------------------------------------------


def test_the_next_handoff_is_read_back_as_claims() -> None:
    page = PAGE.replace("to_role: none", "to_role: `integrator`").encode()
    found = read(at(), page, importing=False)
    assert {row.key: row.record for row in found.rows} == {
        "field/to_role": '"integrator"',
        "field/expected_artifact": '"the menu"',
    }
    again = at(rows=kept(found.rows))
    assert read(again, page, importing=False) == Read(())
    emptied = page.replace(b"the menu", b"none")
    assert [row.record for row in read(again, emptied, importing=False).rows] == ['"none"']


def test_a_lease_that_was_not_granted_so_is_told() -> None:
    where = at(leases=(lease(1, "site/src"),))
    found = read(where, PAGE.encode(), importing=False)
    assert [told.place for told in found.told] == [f"line {line}" for line in (9, 10, 11, 12)]
    assert {told.code for told in found.told} == {"overwritten"}
    assert found.told[0].suggestion == "bot-1"
    assert read(where, render(where, PAGE.encode()) or b"", importing=False).told == ()


def test_an_import_keeps_all_fields() -> None:
    found = read(at(), PAGE.encode(), importing=True)
    assert [row.key for row in found.rows] == [
        *("field/agent_id", "field/lease_expires_at", "field/lease_role", "field/scope_claim"),
        *("field/session_id", "field/expected_artifact"),
    ]
    assert found.told == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("lease_role: website", "lease_role: webiste", [("line 8", "role_unknown")]),
        ("2026-02-15-old", "manual-session", [("line 10", "session_forbidden")]),
        ("2026-03-01T12:00", "2026-03-01T09:00", [("line 12", "lease_expired")]),
        ("2026-03-01T12:00:00.000000Z", "tomorrow", [("line 12", "time_malformed")]),
        ("site/, ours", "../../etc", [("line 11", "scope_malformed")]),
        ("to_role: none", "to_role: ops_tooling", [("line 18", "role_alias")]),
        ("- reason: TBD\n", "", [("line 17", "field_missing")]),
        ("## Next Handoff", "## Then", [("the end", "section_missing")]),
    ],
)
def test_what_is_odd_is_told_when_importing(
    old: str, new: str, expected: list[tuple[str, str]]
) -> None:
    assert old in PAGE
    assert codes(read(at(), PAGE.replace(old, new).encode(), importing=True)) == expected


def test_a_merge_conflict_is_told_and_nothing_is_read_or_written() -> None:
    page = f"<<<<<<< HEAD\n{PAGE}=======\nx\n>>>>>>> other\n".encode()
    where = at(leases=(lease(1, "site"),))
    assert render(where, page) is None
    found = read(where, page, importing=True)
    assert (found.rows, codes(found)) == ((), [("line 1", "merge_conflict")])


def test_the_format_has_its_name() -> None:
    assert LANE_NOTE.format == "lanes-note"

"""The dated file behind LATEST_HANDOFF.md: one a day, people's text around Handrail's part."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.projections import latest_handoff
from handrail.projections.latest_handoff import (
    BEGIN,
    END,
    behind,
    read,
    render,
)
from handrail.projections.port import Known, told_of_link
from tests.projections.mosaic_world import COMMIT, NOON, kept, packet

DAY = 86_400_000
NONE = Known(now=NOON, commit=COMMIT)
ONE = NONE._replace(packets=(packet(at=NOON),))


def rendered(known: Known, before: bytes | None = None) -> str:
    raw = render(known, before)
    assert raw is not None
    return raw.decode("utf-8")


def test_before_the_first_handoff_nothing_is_written() -> None:
    row, content = packet(1, at=NOON)
    opened = NONE._replace(packets=((row._replace(session=""), content),))
    for known in (NONE, opened):
        assert render(known, None) is None
        assert render(known, b"# Session handoff\n") is None
        assert behind(known) == "SESSION_HANDOFF_2026-01-07.md"


def test_a_days_file_has_each_packet_of_the_day_and_the_next_day_another_file() -> None:
    both = ONE._replace(packets=(packet(at=NOON), packet(3, at=NOON + 5)))
    text = rendered(both)
    assert text.index("# Session handoff fix-login-003") < text.index("fix-login-002")
    assert behind(both) == "SESSION_HANDOFF_2026-01-07.md"
    later = both._replace(packets=(*both.packets, packet(4, at=NOON + DAY)))
    assert behind(later) == "SESSION_HANDOFF_2026-01-08.md"
    assert "fix-login-003" not in rendered(later)


def test_the_newest_packet_is_told_in_full() -> None:
    known = NONE._replace(
        packets=(
            packet(
                at=NOON,
                message="All done.\n# Not a heading",
                context={"requirements": ["green"], "objective": "Land it"},
                artifacts={"produced": [{"path": "app/login.py"}, "b.md"]},
                metadata={"head": COMMIT, "worktree_allowlist_paths": ["new_feature.py"]},
                claims=[{"blocker": "B001"}],
            ),
        )
    )
    text = rendered(known)
    for line in (
        "- When: 2026-01-07T12:00:00.000Z",
        f"- Commit: {COMMIT}",
        "> All done.",
        "> # Not a heading",
        "- green",
        "> Land it",
        "- app/login.py",
        "- b.md",
        "- new_feature.py",
        '- {"blocker":"B001"}',
    ):
        assert f"\n{line}\n" in text


TEXTS = st.text(alphabet="ab<!-->#\n\r\t hndrailbegn:\u202e\x00\ud800", max_size=60)


@settings(max_examples=50)
@given(message=TEXTS | st.sampled_from([END, BEGIN, f"{END}\n{BEGIN}"]), entry=TEXTS)
def test_no_packet_ends_handrails_part(message: str, entry: str) -> None:
    known = NONE._replace(packets=(packet(at=NOON, message=message, claims=[entry]),))
    raw = render(known, b"mine\n")
    assert raw is not None
    assert raw.count(BEGIN.encode()) == raw.count(END.encode()) == 1
    assert raw.endswith(b"\nmine\n")
    assert render(known, raw) == raw
    assert not read(known, raw, importing=False).told


@pytest.mark.parametrize("text", ["", "# Mine\n", "no end", "a\r\nb\r\n", "a\r\nb\n", "\ufeffx\n"])
@pytest.mark.parametrize("above", [False, True])
def test_what_people_wrote_around_stays_byte_for_byte(text: str, *, above: bool) -> None:
    first = rendered(ONE, text.encode("utf-8"))
    if above:
        first = f"above\n{first}"
    later = ONE._replace(packets=(*ONE.packets, packet(3, at=NOON + 1)))
    for known in (ONE, later, ONE):
        first = rendered(known, first.encode("utf-8"))
    outside = first[: first.index(BEGIN)], first[first.index(END) + len(END) :].lstrip("\r\n")
    assert outside == ("above\n" if above else "", text.lstrip("\r\n"))
    again = kept(ONE, read(ONE, first.encode("utf-8"), importing=False))
    assert text in rendered(again), "kept where the file is lost"


def test_handrails_part_has_the_line_ends_that_the_whole_file_has() -> None:
    assert f"{BEGIN}\r\n" in rendered(ONE, b"a\r\nb\r\n")
    assert f"{BEGIN}\n" in rendered(ONE, b"a\r\nb\n")


def test_the_text_of_another_day_is_not_carried_over() -> None:
    imported = kept(NONE, read(NONE, b"# Session of January 7\n", importing=True))
    assert "January" not in rendered(imported._replace(packets=ONE.packets))
    today = kept(ONE, read(ONE, rendered(ONE, b"uncommitted: x.py\n").encode(), importing=False))
    assert "uncommitted: x.py" in rendered(today)
    tomorrow = today._replace(packets=(packet(3, at=NOON + DAY),))
    assert "uncommitted" not in rendered(tomorrow)
    assert len(read(tomorrow, b"x", importing=False).rows) == 2, "and what was kept is still there"


def test_what_somebody_changed_in_handrails_part_is_told_and_written_anew() -> None:
    good = rendered(ONE)
    bad = good.replace("fix-login-002", "fix-login-009").encode()
    told = read(ONE, bad, importing=False).told
    assert [(one.place, one.code) for one in told] == [(BEGIN, "tool_part")]
    assert rendered(ONE, bad) == good
    cut = good.replace(END, "").encode()
    assert "broken_part" in {one.code for one in read(ONE, cut, importing=False).told}


def test_of_two_parts_that_a_merge_left_one_stays_and_no_word_of_peoples_is_lost() -> None:
    good = rendered(ONE)
    merged = f"a\n<<<<<<< HEAD\n{good}=======\n{good}>>>>>>> topic\nb\n".encode()
    told = read(ONE, merged, importing=False).told
    assert [one.code for one in told] == ["merge_conflict", "merge_conflict", "tool_part"]
    again = rendered(ONE, merged)
    assert again == f"a\n<<<<<<< HEAD\n{good}=======\n>>>>>>> topic\nb\n"


@pytest.mark.parametrize(
    ("raw", "codes"),
    [
        (b"# Mine\n", []),
        (b"", ["blank_file"]),
        (b"\xef\xbb\xbf# Mine\n", ["byte_order_mark"]),
        (b"caf\xe9\n", ["not_utf8"]),
        (b"SESSION_HANDOFF_2026-01-07.md", ["link_as_text"]),
        (b"<<<<<<< HEAD\n", ["merge_conflict"]),
    ],
)
def test_what_is_odd_in_an_imported_file_is_told_and_kept(raw: bytes, codes: list[str]) -> None:
    found = read(NONE, raw, importing=True)
    assert [one.code for one in found.told] == codes
    assert [row.key for row in found.rows] == ["text/imported"]


@pytest.mark.parametrize(
    ("target", "is_there", "codes"),
    [
        ("SESSION_HANDOFF_2026-01-07.md", True, []),
        ("SESSION_HANDOFF_2026-01-19_PATHFINDER.md", False, ["dangling_link"]),
        ("../../etc/passwd", True, ["link_elsewhere"]),
        ("/etc/passwd", True, ["link_elsewhere"]),
        ("a\nb", True, ["link_elsewhere"]),
        ("..", True, ["link_elsewhere"]),
        ("", True, ["link_elsewhere"]),
    ],
)
def test_where_the_link_leads_is_told(target: str, codes: list[str], *, is_there: bool) -> None:
    assert [one.code for one in told_of_link(target, is_there=is_there)] == codes


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 1048576 bytes"):
        read(NONE, b"x" * 1_048_577, importing=True)
    with pytest.raises(ValueError, match="more than 65536 characters"):
        read(NONE, b"x" * 65_536, importing=True)


def test_the_projection_names_the_file_behind_the_link() -> None:
    projection: Any = latest_handoff.PROJECTION
    assert projection.behind(ONE) == "SESSION_HANDOFF_2026-01-07.md"

"""How values are written down: what a shell reads back, what a person sees, what a clock says."""

from __future__ import annotations

import doctest
import os
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import handrail.text
from handrail.text import (
    format_duration,
    looks_like_duration,
    parse_duration_ms,
    rfc3339,
    scope_word,
    shell_quote,
    visible,
)

# Every text that can be an argument of a program: no NUL, and of the surrogates only those that
# stand for bytes which are not UTF-8.
bytes_as_text = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"])
arguments = st.text(
    st.one_of(
        st.sampled_from("'\"\\$`!*?[]{}()<>|&;#~ \t\n\r\x1b\x7f=-"),
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
        bytes_as_text,
    ),
    max_size=24,
)
anything = st.text(st.characters(), max_size=24)  # half surrogate pairs and NUL too


# --- words for a shell ---------------------------------------------------------------------------


@given(st.lists(arguments, min_size=1, max_size=12))
@example(["", "'", "\\", "a\nb", "\n", "$(reboot)", "`x`", "!!", "~", "-n", "\udcff\udc80"])
@example(["é\n\udcc3\udca9", "\x1b]0;title\x07", "\u202e", "${IFS}", "a'\n'b", "\\x41\n"])
@settings(max_examples=60)
def test_bash_reads_back_exactly_what_was_quoted(words: list[str]) -> None:
    quoted = " ".join(shell_quote(word) for word in words)
    done = subprocess.run(
        ["bash", "--norc", "-c", f"printf '%s\\0' {quoted}"], capture_output=True, check=True
    )
    assert done.stdout == b"".join(os.fsencode(word) + b"\0" for word in words)


@given(anything)
def test_a_quoted_word_is_one_printable_line(text: str) -> None:
    assert shell_quote(text).isprintable()


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("src/api", "src/api"),
        ("claude@web-2", "claude@web-2"),
        ("3fk2ap7q:41", "3fk2ap7q:41"),
        ("", "''"),
        ("src/*.py", "'src/*.py'"),
        ("a b", "'a b'"),
        ("it's", "'it'\"'\"'s'"),
        ("é", "'é'"),
        ("a\nb", "$'a\\x0ab'"),
        ("\udcff", "$'\\xff'"),
    ],
)
def test_plain_words_stay_plain_and_others_are_quoted(text: str, quoted: str) -> None:
    assert shell_quote(text) == quoted


@pytest.mark.parametrize(
    ("scope", "word"), [("src", "src"), ("-rf", "./-rf"), ("--all", "./--all"), ("- b", "'./- b'")]
)
def test_a_scope_is_never_taken_for_an_option(scope: str, word: str) -> None:
    assert scope_word(scope) == word


# --- what a person sees --------------------------------------------------------------------------


@given(anything)
def test_what_is_shown_cannot_move_a_cursor_or_break_a_line(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1


@given(st.text(st.characters(exclude_categories=["C", "Z"])))
def test_printable_text_is_shown_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b", "a b"),
        ("a\nb", "a\\nb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udcff", "\\udcff"),
        ("\u200b", "\\u200b"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_hostile_characters_are_shown_as_escapes(text: str, shown: str) -> None:
    assert visible(text) == shown


# --- instants ------------------------------------------------------------------------------------

LAST_MS = 253_402_300_799_999  # the last millisecond of the year 9999


@given(st.integers(min_value=0, max_value=LAST_MS))
@example(LAST_MS)
def test_an_instant_is_written_in_utc_whatever_the_zone_is(at_ms: int) -> None:
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    assert rfc3339(at_ms) == instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"
    assert datetime.fromisoformat(rfc3339(at_ms)) == instant


@pytest.mark.parametrize(
    ("at_ms", "written"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (999, "1970-01-01T00:00:00.999Z"),
        (1_000, "1970-01-01T00:00:01.000Z"),
        (1_709_210_096_789, "2024-02-29T12:34:56.789Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_known_instants(at_ms: int, written: str) -> None:
    assert rfc3339(at_ms) == written


# --- durations -----------------------------------------------------------------------------------


@given(st.integers(min_value=0, max_value=10**15))
def test_a_duration_is_read_back_as_it_was_written(ms: int) -> None:
    assert parse_duration_ms(format_duration(ms)) == ms


@pytest.mark.parametrize(
    ("ms", "written"),
    [
        (0, "0s"),
        (1, "1ms"),
        (999, "999ms"),
        (1_000, "1s"),
        (1_001, "1s1ms"),
        (59_999, "59s999ms"),
        (60_000, "1m"),
        (5_400_000, "1h30m"),
        (86_399_999, "23h59m59s999ms"),
        (86_400_000, "1d"),
        (86_400_001, "1d1ms"),
        (-1, "0s"),
    ],
)
def test_a_duration_is_written_without_its_empty_units(ms: int, written: str) -> None:
    assert format_duration(ms) == written


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90m", 5_400_000),
        ("1h30m", 5_400_000),
        (" 45s ", 45_000),
        ("0s", 0),
        ("007s", 7_000),
        ("2d", 172_800_000),
        ("500ms", 500),
        ("30m1h", 5_400_000),
        ("999999999999ms", 999_999_999_999),
    ],
)
def test_durations_that_are_read(text: str, ms: int) -> None:
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "90", "m", "1.5h", "-5m", "+5m", "1h 30m", "5 m", "90min", "1H", "5M"),
        *("٣m", "1²s", "1e3s", "0x1s", "1000000000000ms", "1h30", "h1", "forever", "1m\x00"),
    ],
)
def test_what_is_no_duration_is_none(text: str) -> None:
    assert parse_duration_ms(text) is None


@given(anything)
def test_reading_a_duration_never_fails_otherwise(text: str) -> None:
    ms = parse_duration_ms(text)
    assert ms is None or ms >= 0


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        *(("90m", True), ("5min", True), ("90", True), ("1h30m", True), ("10days", True)),
        *(
            ("", False),
            ("m", False),
            ("src", False),
            ("5/x", False),
            ("5.py", False),
            ("٣m", False),
        ),
    ],
)
def test_a_word_that_begins_with_a_digit_and_is_plain_was_meant_as_a_duration(
    text: str, meant: bool
) -> None:
    assert looks_like_duration(text) is meant


@given(st.integers(min_value=0, max_value=10**15))
def test_every_duration_that_is_written_looks_like_one(ms: int) -> None:
    assert looks_like_duration(format_duration(ms))


def test_the_examples_in_the_documentation_hold() -> None:
    done = doctest.testmod(handrail.text)
    assert done.attempted >= 2
    assert done.failed == 0

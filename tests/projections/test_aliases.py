"""Aliases of values: a word, an alias of one, or unknown with the nearest word."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handrail.projections.aliases
import handrail.projections.instants
import handrail.projections.scopes
from handrail.projections.aliases import ALIASES, resolved, told_of
from handrail.projections.instants import instant_ms, micros

WORDS = ("implementer", "ops-tooling", "website")


@pytest.mark.parametrize(
    ("field", "value", "word", "alias"),
    [
        ("role", "website", "website", False),
        ("role", " Website ", "website", True),
        ("role", "OPS_TOOLING", "ops-tooling", True),
        ("role", "test-runner", "implementer", True),
        ("role", "null", "", True),
        ("role", "N/A", "", True),
        ("role", "done", None, False),
        ("sandbox", "current_sandbox", None, False),
    ],
)
def test_a_value_is_a_word_an_alias_or_unknown(
    field: str, value: str, word: str | None, alias: bool
) -> None:
    found = resolved(field, value, WORDS)
    assert (found.value, found.alias) == (word, alias)
    assert (found.suggestion is None) == (word is not None)


def test_an_alias_counts_only_where_its_word_is_known() -> None:
    assert resolved("role", "test-runner", ("website",)).value is None
    assert resolved("task_status", "done", ("completed",)).value == "completed"
    assert resolved("artifact", "implement.md", ("implementation-result.md",)).alias


def test_what_is_unknown_is_told_with_the_nearest_word_and_what_is_known_is_not() -> None:
    assert told_of("line 1", "role", "website", WORDS) is None
    unknown, alias = (told_of("l", "role", value, WORDS) for value in ("webiste", "n/a"))
    assert unknown is not None
    assert alias is not None
    assert (unknown.code, unknown.suggestion) == ("role_unknown", "website")
    assert (alias.code, alias.suggestion) == ("role_alias", None)
    assert told_of("l", "role", "x", ()) == unknown._replace(
        place="l", sentence='There is no role "x".', suggestion=None
    )


def test_the_table_is_written_in_lower_case_without_blanks_around() -> None:
    for table in ALIASES.values():
        assert [alias for alias in table if alias != alias.strip().casefold()] == []


@given(st.sampled_from(sorted(ALIASES)), st.text(max_size=8))
def test_whatever_is_asked_the_answer_is_one_of_the_words(field: str, value: str) -> None:
    assert resolved(field, value, WORDS).value in (*WORDS, "", None)


@given(st.integers(0, 253_402_300_799_999))
def test_an_instant_that_was_written_is_read_as_the_same_millisecond(at_ms: int) -> None:
    assert instant_ms(micros(at_ms)) == at_ms


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2026-03-01T09:00:00.000000Z", 1_772_355_600_000),
        ("2026-03-01T09:00:00.123999Z", 1_772_355_600_123),
        ("2026-03-01T10:30:00+01:30", 1_772_355_600_000),
        ("2026-03-01T09:00:00", 1_772_355_600_000),
        ("2026-03-01 09:00", 1_772_355_600_000),
        ("1969-12-31T23:59:59Z", -1_000),
        *((text, None) for text in ("", "soon", "2026-13-01T00:00:00Z", "0000-00-00", None, 7)),
        *(
            (text, None)
            for text in ("2026-03-01T09:00:00Z" + " " * 60, "0001-01-01T00:00:00+23:59x")
        ),
    ],
)
def test_an_instant_is_milliseconds_or_none(text: object, at_ms: int | None) -> None:
    assert instant_ms(text) == at_ms


@pytest.mark.parametrize(
    "module",
    [handrail.projections.aliases, handrail.projections.instants, handrail.projections.scopes],
)
def test_the_examples_in_the_documentation_of_the_code_hold(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.failed == 0
    assert result.attempted > 0

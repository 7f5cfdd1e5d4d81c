"""The nearest word: what a mistake was meant to be."""

from __future__ import annotations

import doctest

import pytest

import handrail.core.nearest
from handrail.core.nearest import LETTERS_MAX, nearest


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("lanes", ["name", "lane", "note"], "lane"),
        ("EXECUTOR", ["architect", "executor"], "executor"),
        ("x", [], None),
        ("", ["a"], "a"),
        ("abcd", ["abxx", "cdab"], "abxx"),
        ("x" * 10**6, ["y", "x" * (LETTERS_MAX - 1)], "x" * (LETTERS_MAX - 1)),
    ],
)
def test_the_nearest_word_is_the_known_one_that_looks_most_alike(
    word: str, known: list[str], expected: str | None
) -> None:
    assert nearest(word, known) == expected


def test_the_example_in_the_documentation_of_the_code_holds() -> None:
    result = doctest.testmod(handrail.core.nearest)
    assert (result.failed, result.attempted) == (0, 1)

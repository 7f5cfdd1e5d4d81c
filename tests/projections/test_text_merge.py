"""Rows that both sides of a merge added are kept; what people must decide is left to them."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.errors import FactsUnavailable
from handrail.facts.text_merge import merge_text
from handrail.projections import text_merge
from handrail.projections.text_merge import additions_kept

SIZE = 61
HEAD = b"| a | b |\n| --- | --- |\n"


def merged(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Merge three versions as git does, and then the rows."""
    return additions_kept(merge_text(ours, base, theirs, size=SIZE), SIZE)


def test_the_example_holds() -> None:
    assert doctest.testmod(text_merge).failed == 0


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        (HEAD, HEAD + b"| 1 |\n", HEAD + b"| 2 |\n", HEAD + b"| 1 |\n| 2 |\n"),
        (HEAD, HEAD + b"| 1 |", HEAD + b"| 2 |", HEAD + b"| 1 |\n| 2 |\n"),
        (HEAD, HEAD + b"| 1 |\r\n", HEAD + b"| 2 |\r\n", HEAD + b"| 1 |\r\n| 2 |\r\n"),
        (HEAD, HEAD + b"| 0 |\n| 1 |\n", HEAD + b"| 0 |\n| 2 |\n", None),
        (b"", b'{"a": 1}\n', b'{"b": 2}\n', b'{"a": 1}\n{"b": 2}\n'),
        (b"a\n", b"a\n", b"b\n", b"b\n"),
    ],
)
def test_rows_that_were_added_at_one_place_are_all_kept(
    base: bytes, ours: bytes, theirs: bytes, expected: bytes | None
) -> None:
    found = merged(base, ours, theirs)
    assert found is not None
    if expected is not None:
        assert found == expected
    rows = [line for line in (ours + b"\n" + theirs).splitlines() if line.startswith((b"|", b"{"))]
    assert [line for line in found.splitlines() if found.count(line) > 1] == []
    assert set(rows) - set(base.splitlines()) <= set(found.splitlines())


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        (b"words\n", b"one\n", b"two\n"),
        (b"", b"one\n", b"two\n"),
        (b"", b"| one |\n", b"two\n"),
        (HEAD + b"| 0 |\n", HEAD + b"| 1 |\n", HEAD + b"| 2 |\n"),
        (HEAD + b"| 0 |\n", HEAD + b"| 1 |\n", HEAD),
    ],
)
def test_what_is_more_than_added_rows_is_left_for_people(
    base: bytes, ours: bytes, theirs: bytes
) -> None:
    assert merged(base, ours, theirs) is None


@given(
    st.lists(st.sampled_from([b"| x |", b"words", b"<<<<<<< a", b"=======", b">>>>>>> b"])),
    st.lists(st.binary(min_size=1, max_size=3), max_size=3),
    st.lists(st.binary(min_size=1, max_size=3), max_size=3),
)
def test_no_row_of_anybody_is_lost(
    before: list[bytes], ours: list[bytes], theirs: list[bytes]
) -> None:
    sides = [[b"| " + cell.hex().encode() + b" |" for cell in side] for side in (ours, theirs)]
    base, mine, others = (
        b"".join(line + b"\n" for line in lines)
        for lines in (before, before + sides[0], before + sides[1])
    )
    found = additions_kept(_merged_by_hand(base, mine, others), SIZE)
    assert found is not None
    assert found.startswith(base)
    assert {line for side in sides for line in side} <= set(found.splitlines())


def _merged_by_hand(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """Write a conflict as git does where both sides added lines at the end."""
    mine, others = ours.removeprefix(base), theirs.removeprefix(base)
    signs = [sign * SIZE for sign in (b"<", b"|", b"=", b">")]
    begin, middle, equals, end = signs
    parts = (begin + b" ours\n", mine, middle + b" base\n", equals + b"\n", others)
    return base + b"".join(parts) + end + b" theirs\n"


def test_what_is_no_text_is_not_merged() -> None:
    with pytest.raises(FactsUnavailable):
        merge_text(b"a\0", b"b\0", b"c\0", size=SIZE)

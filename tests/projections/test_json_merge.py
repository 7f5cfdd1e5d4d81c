"""Documents merged field by field: nothing that one side says alone is lost."""

from __future__ import annotations

import doctest
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.projections import json_merge
from handrail.projections.json_merge import BASE, OURS, THEIRS, merged

SIDES = (OURS, BASE, THEIRS)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner),
    max_leaves=8,
)


def of(base: Any, ours: Any, theirs: Any, contested: str = OURS) -> Any:
    """Merge three values."""
    one, two, three = (json.dumps(value) for value in (base, ours, theirs))
    return json.loads(merged(one, two, three, contested))


def test_the_example_holds() -> None:
    assert doctest.testmod(json_merge).failed == 0


@settings(max_examples=40)
@given(VALUES, VALUES)
def test_what_one_side_alone_changed_is_taken(base: Any, changed: Any) -> None:
    for contested in SIDES:
        assert of(base, changed, base, contested) == changed
        assert of(base, base, changed, contested) == changed
        assert of(base, changed, changed, contested) == changed


@settings(max_examples=40)
@given(VALUES, VALUES, VALUES)
def test_where_nothing_is_contested_it_is_all_one_whose_counts(
    base: Any, ours: Any, theirs: Any
) -> None:
    found = [json.dumps(of(base, ours, theirs, side)) for side in (OURS, THEIRS)]
    swapped = [json.dumps(of(base, theirs, ours, side)) for side in (THEIRS, OURS)]
    assert (found[0] == found[1]) == (swapped[0] == swapped[1])


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ({}, {"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 1}, {"a": 1}, {"a": 2, "b": 1}, {"a": 2}),
        ([1, 2], [1, 2, 3], [2, 4], [2, 3, 4]),
        ([], ["x"], ["x", "y"], ["x", "y"]),
        (
            [{"id": "B1", "s": 0}],
            [{"id": "B1", "s": 1}],
            [{"id": "B1", "s": 0}, {"id": "B2"}],
            [{"id": "B1", "s": 1}, {"id": "B2"}],
        ),
        (
            [{"id": "B1"}, {"id": "B2"}],
            [{"id": "B2"}],
            [{"id": "B1"}, {"id": "B2"}, {"id": "B3"}],
            [{"id": "B2"}, {"id": "B3"}],
        ),
        (
            {"n": {"a": 1}},
            {"n": {"a": 1, "b": 1}},
            {"n": {"a": 1, "c": 1}},
            {"n": {"a": 1, "b": 1, "c": 1}},
        ),
        ({"a": 1}, {"a": True}, {"a": 1}, {"a": True}),
    ],
)
def test_fields_entries_and_ids_are_merged_by_themselves(
    base: Any, ours: Any, theirs: Any, expected: Any
) -> None:
    for contested in SIDES:
        assert of(base, ours, theirs, contested) == expected


@pytest.mark.parametrize("base", [{"a": "0"}, {"a": "0", "b": 1}])
def test_of_a_value_that_both_changed_the_caller_says_whose_counts(base: Any) -> None:
    rest = {"b": 1} if "b" in base else {}
    ours, theirs = {"a": "1", **rest}, {"a": "2", **rest}
    assert [of(base, ours, theirs, side)["a"] for side in SIDES] == ["1", "0", "2"]
    assert "a" not in of({}, {"a": "1"}, {"a": "2"}, BASE)
    assert [of(base, {}, theirs, side).get("a") for side in SIDES] == [None, "0", "2"]


@pytest.mark.parametrize(
    "text", ['{"a": 1}', '{"a": 1}\n', '{\n  "a": 1\n}\n', '{\n\t"a": "ä"\n}', '{\n    "a": 1\n}\n']
)
def test_the_layout_is_ours(text: str) -> None:
    assert merged("{}", text, "{}", OURS) == text
    assert merged("", text, text, OURS) == text


@pytest.mark.parametrize("text", ["", "{", '{"a": 1, "a": 2}', "[NaN]", "[" * 100_000])
def test_what_is_no_plain_document_is_a_value_error(text: str) -> None:
    for three in ((text or "{", "{}", "{}"), ("{}", text, "{}"), ("{}", "{}", text)):
        with pytest.raises(ValueError, match=r"."):
            merged(*three, OURS)

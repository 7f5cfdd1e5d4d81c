"""JSON that crashed programs, merges and people left."""

from __future__ import annotations

import doctest
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handrail.projections.loose_json
from handrail.projections.json_text import DEPTH_MAX
from handrail.projections.loose_json import FILE_BYTES_MAX, key_of, read_json, written

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Half a surrogate pair can stand in JSON as an escape.
    | st.text(st.characters(), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


def codes(raw: bytes) -> list[str]:
    return [told.code for told in read_json(raw).told]


@given(VALUES, st.sampled_from([None, 2, "\t"]))
def test_what_is_json_is_read_as_it_is_and_nothing_is_told(value: Any, indent: Any) -> None:
    found = read_json(json.dumps(value, indent=indent).encode())
    assert found.values == (value,)
    assert (found.told, found.unread) == ((), "")


@given(VALUES)
def test_a_record_holds_the_value_with_its_fields_in_order(value: Any) -> None:
    assert json.loads(written(value)) == value
    assert json.dumps(json.loads(written(value))) == json.dumps(value)
    assert key_of(json.loads(written(value))) == key_of(value)


@given(st.dictionaries(st.text(max_size=4), VALUES, min_size=1), st.data())
def test_of_a_half_written_file_every_character_is_read_or_told(
    value: dict[str, Any], data: st.DataObject
) -> None:
    whole = json.dumps(value, indent=2)
    end = data.draw(st.integers(1, len(whole) - 1))
    found = read_json(whole[:end].encode())
    assert [told.code for told in found.told] == ["half_written"]
    rest = found.unread
    assert whole[:end].rstrip().endswith(rest)
    part = whole[:end].rstrip()[: len(whole[:end].rstrip()) - len(rest)].rstrip()
    assert is_beginning(found.values[0], value), (part, rest)


def is_beginning(part: Any, whole: Any) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        names = list(part)
        return names == list(whole)[: len(names)] and all(
            is_beginning(part[name], whole[name]) for name in names
        )
    if isinstance(part, list) and isinstance(whole, list):
        pairs = zip(part, whole, strict=False)
        return len(part) <= len(whole) and all(is_beginning(*pair) for pair in pairs)
    return type(part) is type(whole) and part == whole


@given(st.binary(max_size=60) | st.text(st.sampled_from('{}[]",:1ae\\ \n<=>|'), max_size=40))
def test_no_bytes_at_all_do_more_than_raise_a_sentence(raw: bytes | str) -> None:
    try:
        read_json(raw if isinstance(raw, bytes) else raw.encode())
    except ValueError as error:
        assert str(error).endswith(".")


def test_a_file_that_stops_says_where_and_keeps_what_was_whole() -> None:
    found = read_json(b'{\n "leases": [\n  {"role": "website"},\n  {"role": "ops')
    assert found.values == ({"leases": [{"role": "website"}]},)
    assert found.unread == ',\n  {"role": "ops'
    assert (found.told[0].place, found.told[0].code) == ("line 4", "half_written")
    assert '"ops' not in found.told[0].sentence or "not read" in found.told[0].sentence


def test_a_number_that_may_go_on_is_not_taken_for_a_whole_one() -> None:
    assert read_json(b'{"a": 1, "b": 12').values == ({"a": 1},)
    assert read_json(b'{"a": 1, "b": true').values == ({"a": 1, "b": True},)


def test_both_sides_of_a_merge_are_read() -> None:
    raw = b'{"a": [1\n<<<<<<< HEAD\n, 2\n||||||| base\n, 9\n=======\n, 3\n>>>>>>> other\n]}'
    found = read_json(raw)
    assert found.values == ({"a": [1, 2]}, {"a": [1, 3]})
    assert [(told.place, told.code) for told in found.told] == [("line 2", "merge_conflict")]


def test_a_side_of_a_merge_that_cannot_be_read_is_told_and_given_as_unread() -> None:
    found = read_json(b'<<<<<<< HEAD\n{"a": 1}\n=======\noh\n>>>>>>> other\n')
    assert found.values == ({"a": 1},)
    assert found.unread == "oh\n"
    assert codes(b'<<<<<<< HEAD\noh\n=======\n{"a": 1}\n>>>>>>> other\n') == [
        *("merge_conflict", "side_unreadable"),
    ]


@pytest.mark.parametrize(
    ("raw", "value", "told"),
    [
        (b'{"a": 1, "a": 2}', {"a": 2}, ["field_twice"]),
        (b'{"a": [NaN, 1e999, -Infinity]}', {"a": ["NaN", "1e999", "-Infinity"]}, 3),
        (b'{"a": ' + b"7" * 400 + b"}", {"a": "7" * 400}, ["no_number"]),
        (b"\xef\xbb\xbf{}", {}, ["byte_order_mark"]),
        (b'{\r\n"a": 1\r\n}\r\n', {"a": 1}, []),
        (b'{"a": "\xff"}', {"a": "\ufffd"}, ["not_utf8"]),
        (b'{"a": 1} trailing', {"a": 1}, ["half_written"]),
    ],
)
def test_what_is_odd_is_kept_and_told(raw: bytes, value: Any, told: list[str] | int) -> None:
    assert read_json(raw).values == (value,)
    assert codes(raw) == (["no_number"] * told if isinstance(told, int) else told)


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b" \n", b"hello", b"[" * 100_000, b'{"a":' * 70 + b"1" + b"}" * 70),
        *(b"\xff\xfe{\x00}\x00", b"<<<<<<<\n=======\n>>>>>>>\n"),
    ],
)
def test_what_has_no_readable_beginning_is_refused_with_a_sentence(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"^The file .*\.$"):
        read_json(raw)


def test_a_file_that_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(ValueError, match="bytes"):
        read_json(b" " * (FILE_BYTES_MAX - 1) + b"{}")
    assert read_json(b" " * (FILE_BYTES_MAX - 2) + b"{}").values == ({},)


def test_depth_is_bounded_on_both_sides() -> None:
    inside = b"[" * DEPTH_MAX + b"]" * DEPTH_MAX
    assert len(read_json(inside).values) == 1
    with pytest.raises(ValueError, match="deeper"):
        read_json(b"[" + inside + b"]")


def test_the_example_in_the_documentation_of_the_code_holds() -> None:
    result = doctest.testmod(handrail.projections.loose_json)
    assert (result.failed, result.attempted) == (0, 2)

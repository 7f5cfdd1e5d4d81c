"""``locate`` knows the line of everything that tomllib reads, and survives what it does not."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.config.lines import (
    BARE_WORD_MAX,
    KEY_PARTS_MAX,
    NESTING_MAX,
    Path,
    locate,
)
from tests.config.toml_writer import Document, documents

EVERYTHING = '''\
# comment with [brackets] and = signs
top = 1
"quoted key" = 'x'
dotted.key . "with space" = [
  "a", # comment, with a comma
  "b",
  [ 1,
    2 ],
]

[table]   # explicit
text = """
[not.a.table]
key = "no"
"""
after = { x = 1, y.z = [ 1,
  2 ], w = """
""", last = true }

[[row]]
name = "one"
[row.sub]
deep = 1
[[row]]
name = 'two'
[[row.list]]
a = 1
[[row.list]]
b = 2
[row.sub]
deep = 2
'''


def paths_of(value: object, path: Path = ()) -> Iterator[Path]:
    """Give every path of a parsed document."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    elements = enumerate(value) if isinstance(value, list) else ()
    for part, inner in [*items, *elements]:
        yield from paths_of(inner, (*path, part))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_way_to_write_a_key_has_its_line(end: str) -> None:
    lines = locate(EVERYTHING.replace("\n", end))
    assert lines.excess is None
    assert lines.of == {
        (): 1,
        ("top",): 2,
        ("quoted key",): 3,
        ("dotted",): 4,
        ("dotted", "key"): 4,
        ("dotted", "key", "with space"): 4,
        ("dotted", "key", "with space", 0): 5,
        ("dotted", "key", "with space", 1): 6,
        ("dotted", "key", "with space", 2): 7,
        ("dotted", "key", "with space", 2, 0): 7,
        ("dotted", "key", "with space", 2, 1): 8,
        ("table",): 11,
        ("table", "text"): 12,
        ("table", "after"): 16,
        ("table", "after", "x"): 16,
        ("table", "after", "y"): 16,
        ("table", "after", "y", "z"): 16,
        ("table", "after", "y", "z", 0): 16,
        ("table", "after", "y", "z", 1): 17,
        ("table", "after", "w"): 17,
        ("table", "after", "last"): 18,
        ("row",): 20,
        ("row", 0): 20,
        ("row", 0, "name"): 21,
        ("row", 0, "sub"): 22,
        ("row", 0, "sub", "deep"): 23,
        ("row", 1): 24,
        ("row", 1, "name"): 25,
        ("row", 1, "list"): 26,
        ("row", 1, "list", 0): 26,
        ("row", 1, "list", 0, "a"): 27,
        ("row", 1, "list", 1): 28,
        ("row", 1, "list", 1, "b"): 29,
        ("row", 1, "sub"): 30,
        ("row", 1, "sub", "deep"): 31,
    }


@given(documents())
def test_lines_found_by_reading_are_those_counted_while_writing(document: Document) -> None:
    parsed = tomllib.loads(document.text)
    assert set(document.lines) == set(paths_of(parsed)), "the writer itself is wrong"
    lines = locate(document.text)
    assert lines.excess is None
    assert lines.of == document.lines


@given(documents(), st.data())
def test_a_document_cut_or_spoilt_anywhere_still_has_lines(
    document: Document, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(document.text)))
    piece = data.draw(st.sampled_from(["", "[", '"', "'''", "]", "}", "=", "."]))
    spoilt = document.text[:at] + piece
    locate(spoilt)
    locate(spoilt + document.text[at:])


@given(st.text(alphabet="[]{}=,.\"'#\\\n\r \tabk1é\0"))
def test_no_text_makes_it_raise(text: str) -> None:
    locate(text)


@pytest.mark.parametrize(
    "text",
    [
        "{ '\n[a]\n'=",
        "a = {'x'\n[b] =",
        "a = {[[['x' =",
        "a = {'' '' =",
        "= 1",
        f"[{'a={' * 500}'']",
        f"['{']a=[' * 500}",
    ],
)
def test_a_key_that_is_none_does_not_make_it_raise(text: str) -> None:
    locate(text)
    locate(f"a = {{ {text} }}")
    locate(f"a = {{ # ' =\n[b] {text} }}")


def test_reading_ends_at_what_can_be_no_key() -> None:
    for wrong in ("{", "}", "]", ",", "a b\n", "a [", "[a = 1", "[a\n", "[[a], [b]", "b = {,"):
        after = locate(f"a = 1\n{wrong}\nlater = 1\n").of
        assert ("a",) in after
        assert ("later",) not in after, wrong


def test_a_table_stands_at_its_header_even_if_mentioned_before() -> None:
    lines = locate("[a.b]\n\n[a]\n")
    assert lines.line(("a",)) == 3
    assert lines.line(("a", "b")) == 1


def test_a_path_that_is_not_written_has_the_line_of_what_is_around_it() -> None:
    lines = locate("\n[limits]\nttl = 1\n")
    assert lines.line(("limits", "ttl", 7)) == 3
    assert lines.line(("limits", "lapse_after")) == 2
    assert lines.line(("handoff",)) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"\na = {'[' * NESTING_MAX}", 2),
        (f"\n\na = {'{b=' * NESTING_MAX}", 3),
        (f"\na{'.a' * KEY_PARTS_MAX} = 1", 2),
        (f"\n[a{'.a' * KEY_PARTS_MAX}]", 2),
        (f"\n[['a'{'.a' * KEY_PARTS_MAX}]]", 2),
        (f"\na = {{ b = 1, c{'.a' * KEY_PARTS_MAX} = 2 }}", 2),
        (f"a = 1\nb = {'1' * (BARE_WORD_MAX + 1)}", 2),
        (f"a = [\n\n0x{'f' * BARE_WORD_MAX}]", 3),
        (f"{'k' * (BARE_WORD_MAX + 1)} = 1", 1),
    ],
)
def test_what_a_parser_may_choke_on_is_named_with_its_line(text: str, line: int) -> None:
    excess = locate(text).excess
    assert excess is not None
    assert excess[0] == line


def test_what_lies_on_the_bounds_is_no_excess() -> None:
    levels = NESTING_MAX - 1
    texts = [
        f"a = {'[' * levels}{']' * levels}",
        f"a{'.a' * (KEY_PARTS_MAX - 1)} = 1\nb{'.b' * (KEY_PARTS_MAX - 1)} = 1.5",
        f"a = 0x{'f' * (BARE_WORD_MAX - 2)}",
        f"# {'x' * 5000}\na = '{'x' * 5000}'\nb = '''{'[' * 5000}'''\nc = '{'a.' * 5000}'",
    ]
    for text in texts:
        tomllib.loads(text)
        assert locate(text).excess is None


def test_reading_ends_at_a_quote_that_is_never_closed() -> None:
    """Otherwise each later quote would be searched to the end again: quadratic time."""
    assert locate('a = 1\nb = "open\nc = 1').of == {(): 1, ("a",): 1, ("b",): 2}


@pytest.mark.parametrize(
    "piece", ['\\"', '"', "'", '"""', "'''", '"""a', "'''\\", "a.", "[", "a=[", "a={", "#", '"a".']
)
def test_the_work_grows_with_the_length_of_the_text_only(piece: str) -> None:
    def work(text: str) -> int:
        count = 0

        def trace(_frame: FrameType, event: str, _argument: object) -> Any:
            nonlocal count
            count += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            locate(text)
        finally:
            sys.settrace(before)
        return count

    once, thrice = work(f'a = "{piece * 300}'), work(f'a = "{piece * 900}')
    assert thrice <= 4 * once

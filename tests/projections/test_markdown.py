"""A Markdown file as lines: nothing of it is lost, and a table is what GitHub takes for one."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import handrail.projections.markdown
from handrail.projections.markdown import (
    FILE_BYTES_MAX,
    as_read,
    cells,
    document,
    is_delimiter,
    row,
    with_cell,
)

LINES = st.sampled_from(
    [
        *("---", ":--", "- | -", "| a | b |", "|---|---|", "|:--|--:|", "| 1 | 2 |", "a | b"),
        *("--- | ---", "| 1 |", "", "text", "# h", "## 2) Ledger", "```", "<!-- x", "-->"),
        *("- item", "> quote", "    | 1 | 2 |", "| x \\| y | z |", "| `a|b` | c |", "==="),
        *("\t| 1 | 2 |", "| a | b | c |", "<div>", "[x]: /y"),
    ]
)
PAGES = st.lists(LINES, max_size=10).map("\n".join)


@given(st.binary(max_size=80) | PAGES.map(str.encode))
def test_no_byte_is_lost(content: bytes) -> None:
    assert document(content).to_bytes() == content


@given(PAGES, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_tables_and_headings_are_where_markdown_it_says(page: str, eol: str, mark: bool) -> None:
    reader = MarkdownIt("commonmark").enable("table")
    tokens = [token for token in reader.parse(page) if token.level == 0 and token.map]
    found = document((("\ufeff" if mark else "") + page).replace("\n", eol).encode())
    assert [table.line for table in found.tables] == [
        token.map[0] for token in tokens if token.type == "table_open" and token.map
    ]
    assert [(heading.line, heading.end) for heading in found.headings] == [
        (token.map[0], token.map[1])
        for token in tokens
        if token.type == "heading_open" and token.map
    ]
    for table, token in zip(
        found.tables, (token for token in tokens if token.type == "table_open"), strict=True
    ):
        assert token.map is not None
        assert table.end == token.map[1]


@pytest.mark.parametrize(
    "line",
    ["# h", "- item", "2. item", "> quote", "```", "***", "<div>", "    code", "\t| 1 | 2 |", ""],
)
def test_a_table_ends_before_whatever_begins_a_block_of_its_own(line: str) -> None:
    page = document(f"| a | b |\n|---|---|\n| 1 | 2 |\ntext\n{line}\n| 3 | 4 |\n".encode())
    assert [(table.line, table.end) for table in page.tables] == [(0, 4)]


@given(st.lists(st.text(st.sampled_from("ab|\\ `\n\u2028\x00é"), max_size=6), min_size=2))
def test_a_row_is_one_line_and_reads_back_as_its_cells(texts: list[str]) -> None:
    line = row(texts)
    assert len(line.splitlines()) == 1
    assert cells(line) == [as_read(text) for text in texts]
    plain = [text for text in texts if text.isprintable() and text == " ".join(text.split())]
    assert [as_read(text) for text in plain] == plain


@given(st.lists(st.text(st.sampled_from("ab|\\ é"), max_size=4), min_size=2), st.data())
def test_one_cell_changes_and_all_others_stay(texts: list[str], data: st.DataObject) -> None:
    column = data.draw(st.integers(0, len(texts) - 1))
    line = row(texts) + "\r\n"
    changed = with_cell(line, column, "x|y")
    assert cells(changed) == [*cells(line)[:column], "x|y", *cells(line)[column + 1 :]]
    assert changed.endswith("|\r\n")


@pytest.mark.parametrize(
    ("line", "column", "expected"),
    [
        ("| a | b |\n", 1, "| a | x |\n"),
        ("|a|b|\n", 1, "|a| x |\n"),
        ("  a | b", 1, "  a | x "),
        ("a | b |\n", 0, "x | b |\n"),
        ("|  a  |  b  | c\n", 2, "|  a  |  b  | x \n"),
    ],
)
def test_the_blanks_around_a_cell_stay(line: str, column: int, expected: str) -> None:
    changed = with_cell(line, column, "x")
    assert cells(changed) == cells(expected)
    assert changed.split("|")[:column] == expected.split("|")[:column]


@pytest.mark.parametrize(
    ("line", "columns", "fits"),
    [
        *(("|---|:-:|", 2, True), (":--- | ---:", 2, True), ("| - |", 1, True)),
        *(
            ("---", 1, True),
            ("- | -", 2, False),
            ("-", 1, False),
            ("|---|---|", 3, False),
            ("| a | - |", 2, False),
            ("||", 1, False),
        ),
    ],
)
def test_the_line_under_a_header(line: str, columns: int, fits: bool) -> None:
    assert is_delimiter(line, columns) is fits


def test_a_section_is_found_by_its_title_and_else_by_its_words() -> None:
    page = document(b"# 2. ledger\ntext\n## Ledger\n### below\n## 2) Ledger\nmine\n# next\n")
    exact, loose = page.section("2) Ledger"), page.section("7) LEDGER")
    assert exact is not None
    assert loose is not None
    assert (exact[0].line, exact[1]) == (4, 6)
    assert (loose[0].line, loose[1]) == (0, 6)
    assert page.section("Nothing") is None


def test_a_file_that_is_too_long_is_refused() -> None:
    assert len(document(b"\n" * 1000).lines) == 1000
    with pytest.raises(ValueError, match="bytes"):
        document(b" " * (FILE_BYTES_MAX + 1))


def test_the_example_in_the_documentation_of_the_code_holds() -> None:
    result = doctest.testmod(handrail.projections.markdown)
    assert (result.failed, result.attempted) == (0, 3)

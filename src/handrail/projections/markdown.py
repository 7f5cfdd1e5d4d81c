r"""A Markdown file as lines: where its headings, paragraphs and tables are, and nothing lost of it.

Promises: joining the lines gives the bytes again, whatever they are; line ends, a byte order mark
and bytes that are not UTF-8 stay. What stands in code, comments, lists and quotations is no heading
and no table. Where blocks begin and end says markdown-it; a table is one block to it, with GitHub's
rules for its first two lines, because taking apart thousands of rows would take seconds.

    >>> page = document(b"# A\r\n\r\n| a | b |\r\n|:--|---|\r\n| 1 | x\\|y |")
    >>> page.headings[0].title, page.tables[0].names, cells(page.lines[4])
    ('A', ('a', 'b'), ['1', 'x|y'])
    >>> page.to_bytes()[-7:]
    b' x\\|y |'
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Final

from handrail.core.record import Record
from handrail.text import visible

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock

FILE_BYTES_MAX: Final = 4 << 20
MARK: Final = "\ufeff"
TABLE: Final = "whole_table"

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_PIPE: Final = re.compile(r"(?<!\\)\|")
_DELIMITER: Final = re.compile(r":?-+:?")


class Heading(Record):
    """A heading: the line it begins in, the line after it, its level, its text."""

    line: int
    end: int
    level: int
    title: str


class Table(Record):
    """A table: the lines of its header and after its last row; the names in its header."""

    line: int
    end: int
    names: tuple[str, ...]


class Document(Record):
    """A file; lines are counted from 0, their ends included. ``eol`` is its usual line end."""

    lines: tuple[str, ...]
    eol: str
    headings: tuple[Heading, ...]
    paragraphs: tuple[tuple[int, int], ...]
    tables: tuple[Table, ...]

    def to_bytes(self) -> bytes:
        """Return the bytes of the file."""
        return encoded(self.lines)

    def section(self, title: str) -> tuple[Heading, int] | None:
        """Find a section by its whole title, else by its words alone; and the line after it."""
        for same in (str, _words):
            for heading in self.headings:
                if same(heading.title.strip()) == same(title):
                    ends = [
                        other.line
                        for other in self.headings
                        if other.line > heading.line and other.level <= heading.level
                    ]
                    return heading, min(ends, default=len(self.lines))
        return None


def _words(title: str) -> str:
    """Return a title without its number, in lower case."""
    return re.sub(r"^\s*[0-9]+[.)]?\s*", "", title).casefold()


@cache
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark").enable("table")
    reader.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    reader.core.ruler.disable(["inline", "text_join"], True)
    return reader


def encoded(lines: Iterable[str]) -> bytes:
    """Return the bytes of lines."""
    return "".join(lines).encode("utf-8", "surrogateescape")


def lines_of(content: bytes) -> tuple[str, ...]:
    """Split bytes into lines, each with its end."""
    return tuple(_LINE.findall(content.decode("utf-8", "surrogateescape")))


def document(content: bytes) -> Document:
    """Read a file; raises ValueError for one that is too long."""
    if len(content) > FILE_BYTES_MAX:
        raise ValueError(f"The file has more than {FILE_BYTES_MAX} bytes.")
    lines = lines_of(content)
    headings: list[Heading] = []
    paragraphs: list[tuple[int, int]] = []
    tables: list[Table] = []
    title: Heading | None = None
    for token in _reader().parse("".join(lines).removeprefix(MARK)):
        if token.type == "inline" and title is not None:
            headings.append(title._replace(title=token.content))
        title = None
        if token.level or token.map is None:
            continue
        if token.type == "heading_open":
            title = Heading(token.map[0], token.map[1], int(token.tag[1:]), "")
        elif token.type == "paragraph_open":
            paragraphs.append((token.map[0], token.map[1]))
        elif token.type == TABLE:
            names = cells(lines[token.map[0]].removeprefix(MARK))
            plain = tuple(name.strip("`*").casefold() for name in names)
            tables.append(Table(token.map[0], token.map[1], plain))
    eol = next(filter(None, map(line_end, lines)), "\n")
    return Document(lines, eol, tuple(headings), tuple(paragraphs), tuple(tables))


def line_end(line: str) -> str:
    """Return what ends a line; '' for a last one without."""
    return line[len(line.rstrip("\r\n")) :]


# --- tables --------------------------------------------------------------------------------------


def _table(state: StateBlock, start: int, stop: int, silent: bool) -> bool:
    """Take a table for one block: a rule of markdown-it's, in the place of its own."""
    if start + 2 > stop or state.sCount[start + 1] < state.blkIndent:
        return False
    header, under = _line(state, start), _line(state, start + 1)
    if "|" not in header or state.is_code_block(start) or state.is_code_block(start + 1):
        return False
    if not is_delimiter(under, len(cells(header))):
        return False
    if silent:
        return True
    enders = state.md.block.ruler.getRules("blockquote")
    end = start + 2
    while end < stop and not (
        state.sCount[end] < state.blkIndent
        or state.isEmpty(end)
        or state.is_code_block(end)
        or any(ender(state, end, stop, True) for ender in enders)
    ):
        end += 1
    state.push(TABLE, "", 0).map = [start, end]
    state.line = end
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


def is_delimiter(line: str, columns: int) -> bool:
    """Tell whether a line is the row under a header of so many columns: ``|:---|---|``.

    A dash and a blank begin an item of a list.
    """
    found, text = cells(line), line.strip()
    if len(found) != columns or len(text) < 2 or (text[0] == "-" and text[1].isspace()):
        return False
    return all(map(_DELIMITER.fullmatch, found))


def cells(line: str) -> list[str]:
    r"""Split a row into its cells; ``\|`` is a bar within one."""
    parts = _PIPE.split(line.strip())
    if len(parts) > 1 and not parts[0]:
        del parts[0]
    if len(parts) > 1 and not parts[-1]:
        del parts[-1]
    return [part.strip().replace("\\|", "|") for part in parts]


def row(values: Iterable[str]) -> str:
    """Write a row, without a line end."""
    return f"| {' | '.join(map(cell, values))} |"


def cell(text: str) -> str:
    """Write a text into a cell: on one line, visible, its bars escaped."""
    return visible(" ".join(text.split())).replace("|", "\\|")


def as_read(text: str) -> str:
    """Return a text as it is read back out of a cell."""
    return cells(row([text]))[0]


def with_cell(line: str, column: int, text: str) -> str:
    """Return a row with another text in one of its cells; all else of the line stays."""
    begin = len(line) - len(line.lstrip())
    bars = [match.start() for match in _PIPE.finditer(line)]
    starts = [bar + 1 for bar in bars]
    if line[begin : begin + 1] != "|":
        starts.insert(0, begin)
    start = starts[column]
    end = next((bar for bar in bars if bar >= start), len(line.rstrip()))
    inner = line[start:end]
    left = inner[: len(inner) - len(inner.lstrip())] or " "
    right = inner[len(inner.rstrip()) :] or " "
    return f"{line[:start]}{left}{cell(text)}{right}{line[end:]}"

r"""A rule file as units: paragraphs, items of lists, rows of tables; sentences with their lines.

Promises: pure; linear; whatever the text is, there is a page. Control characters, escape sequences
of terminals and characters that nobody sees are taken out first; code between fences and comments
is no statement. A fence that nobody closes hides nothing.

    >>> page = read_page("# Scope\n\nStop and ask.\nThen wait.\n")
    >>> [(unit.heading, unit.first, [s.text for s in unit.sentences]) for unit in page.units]
    [(('Scope',), 3, ['Stop and ask.', 'Then wait.'])]
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import Final

from handrail.core.audit.front import Entry, read_front
from handrail.core.record import Record

PARAGRAPH: Final = "paragraph"
ITEM: Final = "item"
ROW: Final = "row"
TITLE: Final = "title"
SENTENCE_CHARS_MAX: Final = 1_500
HEADING_CHARS_MAX: Final = 200
UNITS_MAX: Final = 60_000
CELLS_MAX: Final = 30

_ESCAPES: Final = re.compile(r"\x1b\[[0-?]{0,32}[ -/]{0,8}[@-~]|\x1b")
_UNSEEN: Final = dict.fromkeys(
    [
        *(0xAD, 0x61C, 0x180E, 0xFEFF),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFFF9, 0xFFFC),
    ],
    "",
)
_PLAIN: Final = {
    **dict.fromkeys([*range(9), 11, *range(14, 32), *range(127, 160)], " "),
    0xA0: " ",
    0x202F: " ",
    0x2018: "'",
    0x2019: "'",
    0x201C: '"',
    0x201D: '"',
    12: "\n",
    0x2028: "\n",
    0x2029: "\n",
    0x2010: "-",
    0x2011: "-",
    **_UNSEEN,
}
_FENCE: Final = re.compile(r"[ \t]{0,40}(?:[-*+>] ?|\d{1,3}[.)] ?)?[ \t]{0,40}(`{3,}|~{3,})")
_ITEM: Final = re.compile(r"([ \t]{0,40})(?:[-*+•]|\d{1,3}[.)])[ \t]+(?=\S)")
_QUOTE: Final = re.compile(r"[ \t]{0,3}(?:>[ \t]?){1,8}")
_END: Final = re.compile(r"(?<=[.!?:;])[ \t\n]+(?=[A-Z0-9\"'`*_(\[])|(?<=;)[ \t\n]+")
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.){3,20000})"')
_DELIMITER: Final = frozenset("|:- \t")


class Sentence(Record):
    """A sentence, and the lines that it stands in, counted from 1."""

    text: str
    first: int
    last: int


class Unit(Record):
    """What belongs together: a paragraph, one item of list ``group``, one row of a table.

    ``lead`` is what introduces the item: the sentence before its list, the item that it is below.
    ``columns`` are a table's own words for the ``cells`` of a row.
    """

    kind: str
    heading: tuple[str, ...]
    first: int
    last: int
    sentences: tuple[Sentence, ...]
    lead: tuple[Sentence, ...] = ()
    group: int = 0
    cells: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


class Page(Record):
    """A file; ``problem`` says what of it could not be read, or was not."""

    front: tuple[Entry, ...]
    problem: str
    units: tuple[Unit, ...]
    title: str
    english: bool


def read_page(text: str) -> Page:
    """Read a file's text."""
    lines = clean(text).split("\n")
    front, begin, problem = read_front(lines)
    for number in range(begin):
        lines[number] = ""
    _without_comments(lines)
    _without_code(lines)
    units = tuple(islice(_Reader(lines).units(), UNITS_MAX + 1))
    if len(units) > UNITS_MAX:
        more = f"only the first {UNITS_MAX} paragraphs, items and rows were looked at"
        units, problem = units[:UNITS_MAX], problem or more
    titles = (unit.heading[0] for unit in units if unit.heading)
    described = [entry for entry in front if entry.key == "description"]
    units += tuple(_described(entry) for entry in described)
    return Page(front, problem, units, next(titles, ""), is_english("\n".join(lines)))


def page_of_json(text: str) -> Page:
    """Read the sentences that a JSON file holds as texts, whatever else it is."""
    units = []
    for number, line in enumerate(clean(text).split("\n"), 1):
        for found in _STRING.finditer(line):
            words = found[1].replace("\\n", " ").replace('\\"', "'")
            if words.count(" ") > 1:
                told = sentences(words, [number])
                units.append(Unit(PARAGRAPH, (), number, number, told))
    return Page((), "", tuple(units), "", english=True)


def clean(text: str) -> str:
    """Return a text without what moves a cursor or hides letters; lines stay where they are."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return _ESCAPES.sub("", plain).translate(_PLAIN)


def is_english(text: str) -> bool:
    """Tell whether the rules for English can apply: too little to say counts as English."""
    sample = text[:200_000]
    words = [word.lower() for word in re.findall(r"[A-Za-zÀ-ɏ']+", sample)]
    other = sum(char > "Ͱ" and char.isalpha() for char in sample)
    number = len(words) + other // 2
    if number < 12:
        return True
    return sum(word in _ENGLISH for word in words) * 100 >= 7 * number


_ENGLISH: Final = frozenset(
    {
        *("the", "and", "of", "to", "is", "are", "be", "must", "if", "with", "for", "not"),
        *("or", "this", "that", "when", "from", "by", "it", "its", "as", "at", "on", "you"),
        *("your", "should", "before", "only", "any", "all", "do", "does", "never", "each"),
        *("every", "without", "stop", "ask"),
    }
)


def sentences(text: str, lines: Sequence[int]) -> tuple[Sentence, ...]:
    """Split a text whose lines have these numbers; one that is too long is cut, none is lost."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    cuts = [0, *(match.end() for match in _END.finditer(text)), len(text)]
    found = []
    for begin, end in pairwise(cuts):
        for at in range(begin, end, SENTENCE_CHARS_MAX):
            piece = text[at : min(at + SENTENCE_CHARS_MAX, end)]
            words = " ".join(piece.split())
            if words:
                head = at + len(piece) - len(piece.lstrip())
                tail = at + len(piece.rstrip()) - 1
                numbers = [lines[bisect_right(starts, place) - 1] for place in (head, tail)]
                found.append(Sentence(words, *numbers))
    return tuple(found)


def _described(entry: Entry) -> Unit:
    told = sentences(entry.value, [entry.line] * (entry.value.count("\n") + 1))
    return Unit(PARAGRAPH, (), entry.line, entry.line, told)


def _without_comments(lines: list[str]) -> None:
    """Blank out what stands between ``<!--`` and ``-->``; what nobody closes stays."""
    number = 0
    while number < len(lines):
        begin = lines[number].find("<!--")
        if begin < 0:
            number += 1
            continue
        at, end = number, lines[number].find("-->", begin + 4)
        while end < 0 and at + 1 < len(lines):
            at += 1
            end = lines[at].find("-->")
        if end < 0:
            return
        if at == number:
            lines[number] = lines[number][:begin] + lines[number][end + 3 :]
            continue
        lines[number] = lines[number][:begin]
        lines[number + 1 : at] = [""] * (at - number - 1)
        lines[at] = lines[at][end + 3 :]
        number = at


def _without_code(lines: list[str]) -> None:
    """Blank out code between fences."""
    closings: dict[str, list[int]] = {"`": [], "~": []}
    for number, line in enumerate(lines):
        if "```" in line or "~~~" in line:
            bare = line.strip()
            if bare[0] in closings and set(bare) == {bare[0]}:
                closings[bare[0]].append(number)
    if not closings["`"] and not closings["~"]:
        return
    number = 0
    while number < len(lines):
        line = lines[number]
        fence = _FENCE.match(line) if "```" in line or "~~~" in line else None
        if fence is None:
            number += 1
            continue
        mark, length = fence[1][0], len(fence[1])
        rest = closings[mark]
        place = bisect_right(rest, number)
        while place < len(rest) and len(lines[rest[place]].strip()) < length:
            place += 1
        if place == len(rest):
            number += 1
            continue
        lines[number : rest[place] + 1] = [""] * (rest[place] + 1 - number)
        number = rest[place] + 1


class _Reader:
    """Goes through the lines once, and gathers what belongs together."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._heading: list[tuple[int, str]] = []
        self._kind = PARAGRAPH
        self._text: list[str] = []
        self._numbers: list[int] = []
        self._group = 0
        self._depth = 0
        self._lead: tuple[Sentence, ...] = ()
        self._intro: tuple[Sentence, ...] = ()
        self._parents: list[tuple[int, tuple[Sentence, ...]]] = []

    def units(self) -> Iterator[Unit]:
        """Yield the units of all lines."""
        number = 0
        while number < len(self._lines):
            line = self._lines[number]
            if ">" in line:
                line = _QUOTE.sub("", line, count=1)
            bare = line.strip()
            if not bare:
                yield from self._flush()
            elif _is_table(self._lines, number):
                yield from self._flush()
                end = _table_end(self._lines, number + 2)
                yield from self._rows(number, end)
                number = end
                continue
            elif (level := _level(bare)) and not line.startswith("    "):
                yield from self._flush()
                yield self._titled(level, bare.lstrip("#").strip().rstrip("#").strip(), number)
            elif self._is_underline(bare):
                title, self._text, self._numbers = self._text[0], [], []
                yield self._titled(1 if bare[0] == "=" else 2, title, number - 1)
            else:
                yield from self._plain(line, number)
            number += 1
        yield from self._flush()

    def _plain(self, line: str, number: int) -> Iterator[Unit]:
        item = _ITEM.match(line)
        if item is not None:
            yield from self._flush()
            self._begin_item(len(item[1].expandtabs(4)))
        elif not self._text and not line.startswith((" ", "\t")):
            self._kind, self._parents = PARAGRAPH, []
        self._text.append(line[item.end() :] if item is not None else line)
        self._numbers.append(number + 1)

    def _begin_item(self, depth: int) -> None:
        if self._kind != ITEM:
            self._group += 1
            self._parents = []
            introduced = self._lead and self._lead[-1].text.endswith(":")
            self._intro = self._lead if introduced else ()
        self._kind = ITEM
        while self._parents and self._parents[-1][0] >= depth:
            self._parents.pop()
        self._depth = depth

    def _is_underline(self, bare: str) -> bool:
        one = len(self._text) == 1 and self._kind == PARAGRAPH and len(bare) > 1
        return one and (set(bare) == {"="} or set(bare) == {"-"})

    def _titled(self, level: int, title: str, number: int) -> Unit:
        while self._heading and self._heading[-1][0] >= level:
            self._heading.pop()
        self._heading.append((level, title[:HEADING_CHARS_MAX]))
        self._kind, self._lead, self._parents = PARAGRAPH, (), []
        told = (Sentence(title[:HEADING_CHARS_MAX], number + 1, number + 1),)
        return Unit(TITLE, self._chain(), number + 1, number + 1, told)

    def _chain(self) -> tuple[str, ...]:
        return tuple(title for _, title in self._heading)

    def _flush(self) -> Iterator[Unit]:
        if not self._text:
            return
        told = sentences("\n".join(self._text), self._numbers)
        first, last = self._numbers[0], self._numbers[-1]
        self._text, self._numbers = [], []
        if self._kind == ITEM:
            lead = (*self._intro, *(each for _, one in self._parents for each in one))
            yield Unit(ITEM, self._chain(), first, last, told, lead, self._group)
            if told and told[-1].text.endswith(":"):
                self._parents.append((self._depth, told))
            return
        self._lead = told
        if told:
            yield Unit(PARAGRAPH, self._chain(), first, last, told)

    def _rows(self, begin: int, end: int) -> Iterator[Unit]:
        columns = _cells(self._lines[begin])
        for number in range(begin + 2, end):
            cells, line = _cells(self._lines[number]), number + 1
            told = tuple(Sentence(cell, line, line) for cell in cells if cell)
            yield Unit(ROW, self._chain(), line, line, told, cells=cells, columns=columns)


def _level(bare: str) -> int:
    """Return the level of a heading, 0 for none."""
    marks = len(bare) - len(bare.lstrip("#"))
    return marks if 0 < marks < 7 and bare[marks : marks + 1] in (" ", "\t") else 0


def _is_table(lines: Sequence[str], number: int) -> bool:
    if "|" not in lines[number] or number + 1 >= len(lines):
        return False
    below = lines[number + 1]
    return "-" in below and "|" in below and _DELIMITER.issuperset(below)


def _table_end(lines: Sequence[str], number: int) -> int:
    while number < len(lines) and "|" in lines[number]:
        number += 1
    return number


def _cells(line: str) -> tuple[str, ...]:
    bare = line.strip().replace("\\|", "\\\0")
    inner = bare.removeprefix("|").removesuffix("|").split("|", CELLS_MAX)[:CELLS_MAX]
    return tuple(cell.strip().replace("\\\0", "|")[:SENTENCE_CHARS_MAX] for cell in inner)

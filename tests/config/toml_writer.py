"""TOML documents written so that the line of every path is known: the oracle for ``locate``.

Promise: what ``documents`` draws is valid TOML that uses every way to write keys, strings, arrays
and tables; beside the text stands the line of each path, counted while writing, not by reading.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st

from handrail.config.lines import Path

SCALARS = (
    *("1", "0x1f", "1_000", "3.14", "-1e-3", "nan", "true"),
    *("1979-05-27T07:32:00Z", "1979-05-27 07:32:00", "1979-05-27", "07:32:00.5"),
    *('""', "''", '"a = [1, {"', "'# no comment ]'", r'"\"quoted\" \\"', r"'C:\path\'", '"é→"'),
    *('""""""', "''''''", '"""one"""', '"""""two quotes"""""', "'''''two quotes'''''"),
    *('"""\nkey = [\n# text\n[[table]]\n"""', "'''\n[x]\ny = 'z'\n'''", '"""a \\\n   b\\""" c"""'),
)
KEY_STYLES = ("{}", '"{}"', "'{}'", '"{}.x y = #[]"', "'{}\"]'", r'"\u0041{}\"\\"')
SPACES = ("", " ", "\t", "  ")
COMMENTS = ("", " # a comment = [", "\t#'''", ' # "')


class Document(NamedTuple):
    """A text and the line of each of its paths."""

    text: str
    lines: dict[Path, int]


class _Writer:
    """Writes text and counts its lines."""

    def __init__(self, draw: Any, end: str) -> None:
        self.draw = draw
        self.end = end
        self.parts: list[str] = []
        self.line = 1
        self.lines: dict[Path, int] = {(): 1}
        self.keys = 0

    def put(self, text: str) -> None:
        self.parts.append(text.replace("\n", self.end))
        self.line += text.count("\n")

    def pick(self, among: Any) -> Any:
        return self.draw(st.sampled_from(among))

    def space(self) -> None:
        self.put(self.pick(SPACES))

    def break_line(self) -> None:
        self.put(self.pick(COMMENTS) + "\n")
        if self.draw(st.booleans()):
            self.put(self.pick(("\n", "  # alone\n", "\t\n")))

    def key(self) -> tuple[str, str]:
        """Draw a fresh key: as it is written, and its name."""
        self.keys += 1
        written = self.pick(KEY_STYLES).format(f"k{self.keys}")
        name = written
        if written[0] in "\"'":
            name = written[1:-1]
            if written[0] == '"':
                name = name.replace(r"\u0041", "A").replace(r"\"", '"').replace(r"\\", "\\")
        return written, name

    def dotted(self, path: Path) -> tuple[str, Path]:
        """Draw a key of one to three parts and note where each part is mentioned."""
        written = []
        for _ in range(self.draw(st.integers(1, 3))):
            part, name = self.key()
            written.append(part)
            path = (*path, name)
            self.lines[path] = self.line
        return self.dots(written), path

    def dots(self, written: list[str]) -> str:
        dot = self.pick((".", " . ", "\t.", ". "))
        return str(dot.join(written))

    def assignment(self, path: Path, depth: int) -> None:
        written, place = self.dotted(path)
        self.put(written)
        self.space()
        self.put("=")
        self.space()
        self.value(place, depth)

    def value(self, path: Path, depth: int) -> None:
        shape = self.draw(st.integers(0, 5)) if depth < 3 else 0
        if shape == 4:
            self.array(path, depth)
        elif shape == 5:
            self.inline_table(path, depth)
        else:
            self.put(self.pick(SCALARS))

    def array(self, path: Path, depth: int) -> None:
        self.put("[")
        size = self.draw(st.integers(0, 3))
        for index in range(size):
            self.maybe_break()
            self.lines[*path, index] = self.line
            self.value((*path, index), depth + 1)
            self.maybe_break()
            if index < size - 1 or self.draw(st.booleans()):
                self.put(",")
        self.maybe_break()
        self.put("]")

    def maybe_break(self) -> None:
        self.space()
        if self.draw(st.integers(0, 2)) == 0:
            self.break_line()

    def inline_table(self, path: Path, depth: int) -> None:
        self.put("{")
        size = self.draw(st.integers(0, 3))
        for index in range(size):
            self.space()
            self.assignment(path, depth + 1)
            self.space()
            if index < size - 1:
                self.put(",")
        self.put("}")

    def body(self, path: Path) -> None:
        for _ in range(self.draw(st.integers(0, 3))):
            self.space()
            self.assignment(path, 0)
            self.break_line()

    def header(self, written: list[str], brackets: str) -> None:
        opening, closing = ("[[", "]]") if brackets == "[[" else ("[", "]")
        self.space()
        self.put(opening + self.pick(SPACES) + self.dots(written) + self.pick(SPACES) + closing)

    def table(self) -> None:
        """Write ``[a.b]``, perhaps followed by its parent ``[a]``, which then is a's line."""
        outer, outer_name = self.key()
        inner, inner_name = self.key()
        self.lines[(outer_name,)] = self.line
        self.lines[outer_name, inner_name] = self.line
        self.header([outer, inner], "[")
        self.break_line()
        self.body((outer_name, inner_name))
        if self.draw(st.booleans()):
            self.lines[(outer_name,)] = self.line
            self.header([outer], "[")
            self.break_line()
            self.body((outer_name,))

    def array_of_tables(self) -> None:
        """Write ``[[a]]`` some times, each perhaps with ``[a.b]`` and ``[[a.c]]``."""
        outer, name = self.key()
        inner, inner_name = self.key()
        nested, nested_name = self.key()
        self.lines[(name,)] = self.line
        for index in range(self.draw(st.integers(1, 3))):
            self.lines[name, index] = self.line
            self.header([outer], "[[")
            self.break_line()
            self.body((name, index))
            if self.draw(st.booleans()):
                self.lines[name, index, inner_name] = self.line
                self.header([outer, inner], "[")
                self.break_line()
                self.body((name, index, inner_name))
            for at in range(self.draw(st.integers(0, 2))):
                self.lines.setdefault((name, index, nested_name), self.line)
                self.lines[name, index, nested_name, at] = self.line
                self.header([outer, nested], "[[")
                self.break_line()
                self.body((name, index, nested_name, at))


@st.composite
def documents(draw: Any) -> Document:
    """Draw a TOML document with the line of each of its paths."""
    writer = _Writer(draw, draw(st.sampled_from(("\n", "\r\n"))))
    writer.body(())
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            writer.table()
        else:
            writer.array_of_tables()
    return Document("".join(writer.parts), writer.lines)

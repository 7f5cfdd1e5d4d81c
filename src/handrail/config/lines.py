r"""Where a key or an array element stands in a TOML text: what tomllib does not tell.

Promises: for every text that tomllib accepts, ``locate`` knows the line (from 1) of every table,
key and array element. For any other text it ends in linear time with no exception, at the first
thing that stands where no TOML has it. A table that is mentioned before it has a header of its own
stands at its header. ``excess`` names what a configuration never needs and a parser may choke on:
tomllib takes quadratic time over long dotted keys, recurses into nested arrays, and raises a bare
ValueError for giant numbers.

No library gives lines: tomlkit has been asked for them since 2019 (its issue 55), and a syntax
tree, such as tree-sitter's, knows neither table headers' meaning nor array indexes, which is most
of this module. The text is valid, so nothing is checked here and only its outline is read.

    >>> locate('a = 1\n[[role]]\nlane = ["x",\n"y"]').line(("role", 0, "lane", 1))
    4
"""

from __future__ import annotations

import re

from handrail.core.record import Record
from handrail.typed import Any, Final

Path = tuple[str | int, ...]

NESTING_MAX: Final = 32
KEY_PARTS_MAX: Final = 32
BARE_WORD_MAX: Final = 256

# No possessive quantifiers: Python before 3.11.4 gets them wrong. None is needed, for each choice
# here is told by its first character.
_TOKEN: Final = re.compile(
    r'''
    (?P<string> """(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}
              | \'\'\'(?:[^']|'{1,2}(?!'))*'{3,5}
              | "(?!"")(?:[^"\\\n]|\\[^\n])*"
              | '(?!'')[^'\n]*' )
  | (?P<space> [ \t\r]+ | \#[^\n]* )
  | (?P<mark> [\[\]{}=,.\n] )
  | (?P<bare> [^\s\[\]{}=,.#"']+ )
  | (?P<stray> . )
    ''',
    re.VERBOSE | re.DOTALL,
)
_MARKS: Final = frozenset("[]{}=,\n")


class Lines(Record):
    """Lines by path, and the line and name of the first thing that is too much to parse."""

    of: dict[Path, int]
    excess: tuple[int, str] | None

    def line(self, path: Path) -> int:
        """Give the line of a path, or of the nearest table around it that is written down."""
        while path and path not in self.of:
            path = path[:-1]
        return self.of.get(path, 1)


def locate(text: str) -> Lines:
    """Read the outline of a TOML text."""
    walk = _Walk(text)
    for match in _TOKEN.finditer(text):
        token = match.group()
        if match.lastgroup == "stray":
            break
        if match.lastgroup != "space":
            walk.take(token, match.start())
        if walk.is_over:
            break
        walk.line += token.count("\n")
    return Lines(walk.of, walk.excess)


class _Frame:
    """A table or an array that is open: where it is and what is being read of it."""

    __slots__ = ("in_value", "index", "is_array", "is_inline", "key_start", "path", "value_path")

    def __init__(self, path: Path, opener: str) -> None:
        self.path = path
        self.value_path = path
        self.is_array = opener == "["
        self.is_inline = opener == "{"
        self.in_value = False
        self.key_start = -1
        self.index = 0

    def next_statement(self) -> None:
        self.in_value, self.key_start = False, -1


class _Walk:
    """The state between two tokens. The lowest frame is the table of the last header."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.line = 1
        self.of: dict[Path, int] = {(): 1}
        self.excess: tuple[int, str] | None = None
        self.is_over = False
        self.frames = [_Frame((), "")]
        self.lengths: dict[Path, int] = {}
        self.header_start = -1
        self.key_parts = 1

    def take(self, token: str, start: int) -> None:
        """Go on by one token that is no space and no comment."""
        frame = self.frames[-1]
        if self.header_start >= 0:
            self._take_in_header(token, start)
        elif frame.is_array:
            self._take_in_array(frame, token)
        elif frame.in_value:
            self._take_in_value(frame, token)
        else:
            self._take_in_key(frame, token, start)
        if len(token) > BARE_WORD_MAX and token[0] not in "\"'":
            self._exceed(f"a word or number of more than {BARE_WORD_MAX} characters")
        if self.key_parts > KEY_PARTS_MAX:
            self._exceed(f"a key of more than {KEY_PARTS_MAX} parts")

    def _exceed(self, what: str) -> None:
        self.excess, self.is_over = (self.line, what), True

    def _take_in_header(self, token: str, start: int) -> None:
        if token == "]":
            is_element = self.text.startswith("[", self.header_start)
            names = self._names(self.header_start + is_element, start)
            self._open_table(names, is_element=is_element)
            self.header_start = -1
        elif token == ".":
            self.key_parts += 1
        elif token in _MARKS and not (token == "[" and start == self.header_start):
            self.is_over = True

    def _take_in_array(self, frame: _Frame, token: str) -> None:
        if token == "]":
            self.frames.pop()
        elif token == ",":
            frame.index += 1
            frame.in_value = False
        elif token != "\n":
            path = (*frame.path, frame.index)
            if not frame.in_value:
                frame.in_value = True
                self.of[path] = self.line
            self._open(path, token)

    def _take_in_value(self, frame: _Frame, token: str) -> None:
        if token == ("," if frame.is_inline else "\n"):
            frame.next_statement()
        elif token == "}" and frame.is_inline:
            self.frames.pop()
        else:
            self._open(frame.value_path, token)

    def _take_in_key(self, frame: _Frame, token: str, start: int) -> None:
        if token == "=":
            names = self._names(frame.key_start, start)
            frame.value_path, frame.in_value = self._mention(frame.path, names), True
        elif token == "}" and frame.is_inline:
            self.frames.pop()
        elif token == ".":
            self.key_parts += 1
        elif token not in _MARKS:
            frame.key_start = start if frame.key_start < 0 else frame.key_start
        elif token == "[" and not frame.is_inline and frame.key_start < 0:
            self.header_start = start + 1
        elif token != "\n" or frame.key_start >= 0:
            self.is_over = True

    def _open(self, path: Path, token: str) -> None:
        if token in ("[", "{"):
            self.frames.append(_Frame(path, token))
        if len(self.frames) > NESTING_MAX:
            self._exceed(f"more than {NESTING_MAX} levels of brackets")

    def _open_table(self, names: tuple[str, ...], *, is_element: bool) -> None:
        """Let the lowest frame be the table of a header; the header is that table's line."""
        path: Path = ()
        for name in names:
            if path in self.lengths:
                path = (*path, self.lengths[path] - 1)
            path = self._mention(path, (name,))
        if is_element:
            self.lengths[path] = self.lengths.get(path, 0) + 1
            path = (*path, self.lengths[path] - 1)
        self.of[path] = self.line
        frame = _Frame(path, "")
        frame.in_value = True
        self.frames = [frame]

    def _mention(self, path: Path, names: tuple[str, ...]) -> Path:
        """Note the line of each part of a key, unless it was mentioned before."""
        for name in names:
            path = (*path, name)
            self.of.setdefault(path, self.line)
        return path

    def _names(self, start: int, end: int) -> tuple[str, ...]:
        """Split a dotted key; where it has quotes, tomllib reads it."""
        self.key_parts = 1
        key = self.text[start:end].strip(" \t") if start >= 0 else ""
        if '"' not in key and "'" not in key:
            return tuple([name.strip(" \t") for name in key.split(".")])
        import tomllib

        try:
            node: Any = tomllib.loads(f"{key}=0")
        except ValueError:
            return (key,)
        names = []
        while isinstance(node, dict):
            name, node = next(iter(node.items()))
            names.append(name)
        return tuple(names)

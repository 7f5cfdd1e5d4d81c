r"""What a word of a line stands for: quotes, braces, variables, ``~`` and globs undone.

A word is read from its source text. Each of the fields that it becomes is a string, or None where
it cannot be told without running something. Within this module a half-read word is a string in
which ``\`` precedes what means itself, and NUL plus a letter marks what is no character: ``u``
unknown, ``b`` a break between fields, ``e`` an empty field that was quoted.

    >>> fields('{a,b}"$X"', State("/", "/home/ada", {"X": ".py"}))
    ['a.py', 'b.py']
"""

from __future__ import annotations

from handrail.edge.shell.braces import braces, closing
from handrail.edge.shell.folders import glob, has_glob, literal
from handrail.edge.shell.parameters import parameter
from handrail.edge.shell.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.edge.shell.state import Field, Fields, Value

__all__ = ["fields", "single"]

UNKNOWN, BREAK, EMPTY = "\0u", "\0b", "\0e"
FIELDS_MAX = 4_096
LENGTH_MAX = 131_072  # the longest argument that Linux hands to a program
DEPTH_MAX = 20
NAME = frozenset("_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
SPECIAL = frozenset("\\'\"$`~*?[{\0")
QUOTED = str.maketrans({letter: f"\\{letter}" for letter in "\\*?[]{},.~"})
SPLIT = str.maketrans({letter: f"\\{letter}" for letter in "\\{},.~"})
ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "?": "?",
}
DIGITS = {"x": ("0123456789abcdefABCDEF", 16, 2), "u": ("0123456789abcdefABCDEF", 16, 4)}


def ansi(text: str) -> str:
    """Undo the escapes of ``$'…'``."""
    out, index = [], 0
    while index < len(text):
        letter = text[index]
        index += 1
        if letter != "\\" or index == len(text):
            out.append(letter)
            continue
        kind = text[index]
        allowed, base, most = DIGITS.get(kind, ("01234567", 8, 3))
        start = index + (kind in DIGITS)
        end = start
        while end < min(len(text), start + most) and text[end] in allowed:
            end += 1
        if end > start:
            out.append(chr(int(text[start:end], base)))
            index = end
        else:
            out.append(ESCAPES.get(kind, "\\" + kind))
            index += 1
    return "".join(out).replace("\0", "")


class Reader:
    """Reads one word into its half-read form."""

    def __init__(self, text: str, state: State, depth: int = 0) -> None:
        self.text = text
        self.state = state
        self.depth = depth
        self.length = 0

    def word(self) -> str:
        """Read the whole word."""
        text = self.text
        out: list[str] = []
        index = 0
        if text.startswith("~"):
            name = text.partition("/")[0]
            out.append(self.state.home.translate(QUOTED) if name == "~" else UNKNOWN)
            index = len(name)
        while index < len(text):
            letter = text[index]
            if letter == "\\":
                following = text[index + 1 : index + 2]
                out.append("" if following == "\n" else following.translate(QUOTED) or "\\\\")
                index += 2
            elif letter == "'":
                end = text.find("'", index + 1)
                end = end if end >= 0 else len(text)
                out.append(text[index + 1 : end].translate(QUOTED) or EMPTY)
                index = end + 1
            elif letter == '"':
                read, index = self.double(index + 1)
                out.append(read or EMPTY)
            elif letter in "$`":
                read, index = self.dollar(index, quoted=False)
                out.append(read)
            else:
                out.append(letter)
                index += 1
        return "".join(out)

    def double(self, index: int) -> tuple[str, int]:
        """Read what stands between double quotes, from behind the first."""
        text = self.text
        out: list[str] = []
        while index < len(text):
            letter = text[index]
            if letter == '"':
                return "".join(out), index + 1
            if letter == "\\":
                following = text[index + 1 : index + 2]
                if following in ("$", "`", '"', "\\"):
                    out.append(following.translate(QUOTED))
                elif following != "\n":
                    out.append(("\\" + following).translate(QUOTED))
                index += 2
            elif letter in "$`":
                read, index = self.dollar(index, quoted=True)
                out.append(read)
            else:
                out.append(letter.translate(QUOTED))
                index += 1
        return "".join(out), index

    def dollar(self, index: int, quoted: bool) -> tuple[str, int]:
        """Read an expansion that begins at ``index``."""
        text = self.text
        following = text[index + 1 : index + 2]
        if text[index] == "`":
            end = text.find("`", index + 1)
            end = end if end >= 0 else len(text)
            return self.put(substituted(text[index + 1 : end], self.state), quoted), end + 1
        if following == "(":
            end = closing(text, index + 1)
            return self.put(substituted(text[index + 2 : end - 1], self.state), quoted), end
        if following == "{":
            end = closing(text, index + 1)
            return self.put(self.braced(text[index + 2 : end - 1]), quoted), end
        if following == "'" and not quoted:
            end = index + 2
            while end < len(text) and text[end] != "'":
                end += 1 + (text[end] == "\\")
            return ansi(text[index + 2 : end]).translate(QUOTED) or EMPTY, end + 1
        if following == '"' and not quoted:
            read, end = self.double(index + 2)
            return read or EMPTY, end
        end = index + 1
        while end < len(text) and text[end] in NAME:
            end += 1
            if text[index + 1].isdigit():
                break
        if end == index + 1:
            if following and following in "@*#?$!-":
                return self.put(parameter(following, self.state, _no_default), quoted), index + 2
            return "\\$", end
        return self.put(parameter(text[index + 1 : end], self.state, _no_default), quoted), end

    def braced(self, inner: str) -> Value:
        """Expand what stands within ``${…}``; its default is a word of its own."""
        if self.depth > DEPTH_MAX:
            return None
        return parameter(inner, self.state, lambda text: single(text, self.state, self.depth + 1))

    def put(self, value: Value, quoted: bool) -> str:
        """Write down an expanded value: whole where quoted, else split at blanks."""
        if value is None or self.length > LENGTH_MAX:
            return UNKNOWN
        self.length += sum(len(item or "") for item in value)
        if isinstance(value, tuple):
            items = [UNKNOWN if item is None else item.translate(QUOTED) for item in value]
            return BREAK.join(item or EMPTY for item in items)
        if quoted:
            return value.translate(QUOTED)
        if value.isspace():
            return BREAK
        before = BREAK if value[:1].isspace() else ""
        after = BREAK if value[-1:].isspace() else ""
        return before + BREAK.join(value.translate(SPLIT).split()) + after


def _no_default(_text: str) -> Field:
    return None


def substituted(command: str, state: State) -> Field:
    """Give what ``$(command)`` prints, for the few commands that print what is known here."""
    command = command.strip()
    if command in ("pwd", "pwd -P", "pwd -L"):
        return state.cwd
    if command == "git rev-parse --show-toplevel" and state.cwd is not None:
        folder = state.cwd.rstrip("/")
        while folder and not state.exists(f"{folder}/.git"):
            folder = folder.rpartition("/")[0]
        return folder or None
    return None


def single(text: str, state: State, depth: int = 0) -> Field:
    """Expand a word that stays one, as to the right of ``=``."""
    read = Reader(text, state, depth).word()
    if UNKNOWN in read or len(read) > LENGTH_MAX:
        return None
    return literal(read.replace(BREAK, " ").replace(EMPTY, ""))


def fields(text: str, state: State) -> Fields:
    """Expand a word into its fields: none, one or many."""
    if SPECIAL.isdisjoint(text):
        return [text]
    out: Fields = []
    expanded = braces(text, FIELDS_MAX)
    if expanded is None:
        return [None]
    for word in expanded:
        for part in Reader(word, state).word().split(BREAK):
            if len(out) >= FIELDS_MAX:
                return [*out, None]
            if UNKNOWN in part:
                out.append(None)
            elif not part:
                continue
            elif not has_glob(part := part.replace(EMPTY, "")):
                out.append(literal(part))
            elif part.startswith("/") or state.cwd is not None:
                matched = glob(part, state.cwd or "/")
                out.extend([None] if matched is None else matched)
            else:
                out.append(None)
    return out

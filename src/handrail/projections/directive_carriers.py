r"""What carried handoffs of directives: lines in a chat, the head of ``HANDOFF.md``, files of JSON.

Promises: pure; each handoff that stands somewhere is found once, with where it stands; what cannot
be read is told with its line, and the rest is read on; more than ``FOUND_MAX`` is a ValueError.

    >>> text = b"=== AUTO HANDOFF ===\nfrom_role: pair\nto_role: architect\n"
    >>> read_carrier(text, "chat.txt").found[0].value
    {'from_role': 'pair', 'to_role': 'architect'}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from handrail.core.record import Record
from handrail.projections.json_text import MARK, PLAIN, Layout, read_json
from handrail.projections.loose_json import shown
from handrail.projections.port import Told

CHAT: Final = "chat"
FRONT_MATTER: Final = "front_matter"
FILE: Final = "file"
PHASE: Final = "phase"
HEADLINE: Final = "=== AUTO HANDOFF ==="
TEXT_BYTES_MAX: Final = 2 << 20
FOUND_MAX: Final = 1_000
LINE_CHARS_MAX: Final = 8_192
PHASE_KIND: Final = "runbook_architect_handoff"
ARCHITECT_FILE: Final = ".architect.handoff.json"
_LINE: Final = re.compile(r"[ \t>]{0,8}(?:[-*][ \t]+)?([a-z_]{1,40}):(?:[ \t]+(.*?))?[ \t]*")
_ITEM: Final = re.compile(r"[ \t>]{0,12}[-*][ \t]+(.+?)[ \t]*")
_BARE: Final = re.compile(r"[A-Za-z0-9_./~@+<(\u0080-\uffff](?:(?!: |\s#).)*")
_ESCAPES: Final = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "/": "/", "r": "\r", "0": "\0"}


class Found(Record):
    """One handoff: what carried it, where it stands, its fields, all that stood around them.

    ``layout`` is how a file was written.
    """

    carrier: str
    place: str
    value: Mapping[str, Any]
    whole: Any = None
    layout: Layout = PLAIN


class Carried(Record):
    """What a file or a text carries."""

    found: tuple[Found, ...]
    told: tuple[Told, ...] = ()


class _Unreadable(ValueError):
    """What stands in front matter and cannot be told."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line
        self.why = why


def read_carrier(content: bytes, name: str) -> Carried:
    """Read the handoffs of a file or a chat; raises ValueError for what can be none at all."""
    if name.endswith(".json") or content.removeprefix(MARK).lstrip()[:1] == b"{":
        return _of_json(content)
    if len(content) > TEXT_BYTES_MAX:
        raise ValueError(f"it has more than {TEXT_BYTES_MAX} bytes")
    told: list[Told] = []
    try:
        text = content.removeprefix(MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        text = content.decode("utf-8", "replace")
        told.append(Told(f"byte {error.start}", "not_utf8", "It is not UTF-8; U+FFFD is read."))
    lines = text.replace("\r\n", "\n").split("\n")
    found = [*_front_matter(lines, told), *_chats(lines, told)]
    if len(found) > FOUND_MAX:
        raise ValueError(f"it has more than {FOUND_MAX} handoffs")
    return Carried(tuple(found), tuple(told))


# --- files of JSON -------------------------------------------------------------------------------


def _of_json(content: bytes) -> Carried:
    value, layout, told = read_json(content)
    if not isinstance(value, dict):
        raise ValueError(f"it is no JSON object: it is {shown(value)}")
    inner = value.get("handoff")
    if not isinstance(inner, dict):
        raise ValueError("it has no object 'handoff' at its top")
    carrier = PHASE if value.get("kind") == PHASE_KIND or "from_phase" in inner else FILE
    more = [
        Told(shown(name), "unknown_field", "The format has no such field; it is kept.")
        for name in value
        if carrier == FILE and name not in ("handoff", "kind", "schema_version")
    ]
    return Carried((Found(carrier, "handoff", inner, value, layout),), (*told, *more))


# --- lines of a chat -----------------------------------------------------------------------------


def _chats(lines: list[str], told: list[Told]) -> Iterator[Found]:
    """Yield what stands behind each headline, up to the first line that is no field."""
    at = 0
    while at < len(lines):
        if HEADLINE not in lines[at][: len(HEADLINE) + 20]:
            at += 1
            continue
        start, at = at, at + 1
        while at < len(lines) and not lines[at].strip():
            at += 1
        value: dict[str, Any] = {}
        at = _fields(lines, at, value, told)
        place = f"line {start + 1}"
        if value:
            yield Found(CHAT, place, value)
        else:
            sentence = "There is no field below the headline."
            told.append(Told(place, "unreadable_handoff", sentence))


def _fields(lines: list[str], at: int, value: dict[str, Any], told: list[Told]) -> int:
    """Read lines ``key: value``, and items below a key without one; returns where they end."""
    name = ""
    while at < len(lines):
        line = lines[at]
        field = _LINE.fullmatch(line[:LINE_CHARS_MAX])
        item = _ITEM.fullmatch(line[:LINE_CHARS_MAX]) if field is None else None
        if len(line) > LINE_CHARS_MAX:
            told.append(Told(f"line {at + 1}", "too_long", "The line is cut where it is too long."))
        if field is not None:
            name = field[1]
            if name in value:
                sentence = f"{name} stands there twice, and the last one counts."
                told.append(Told(f"line {at + 1}", "field_twice", sentence))
            value[name] = field[2] if field[2] is not None else ""
        elif (
            item is not None
            and isinstance(value.get(name), list | str)
            and not (isinstance(value[name], str) and value[name])
        ):
            value[name] = [*(value[name] or ()), item[1]]
        else:
            break
        at += 1
    return at


# --- the head of a document ----------------------------------------------------------------------


def _front_matter(lines: list[str], told: list[Told]) -> Iterator[Found]:
    """Yield the handoff of a head between ``---``; one that cannot be read is told."""
    if lines[0].rstrip() != "---":
        return
    end = next((at for at, one in enumerate(lines) if at and one.rstrip() in ("---", "...")), 0)
    try:
        if not end:
            raise _Unreadable(1, "the head that begins here does not end")
        value = _Head(lines, 1, end).mapping(0)
        inner = value.get("handoff")
        if isinstance(inner, dict):
            yield Found(FRONT_MATTER, "handoff", inner, value)
        elif "handoff" in value:
            raise _Unreadable(2, "'handoff' is no table")
    except _Unreadable as error:
        sentence = f"The head cannot be read: {error.why}. What it says does not count."
        told.append(Told(f"line {error.line}", "unreadable_front_matter", sentence))


class _Head:
    """The part of YAML that such heads are written in: tables, lists and texts, nothing else.

    Anchors, tags, several documents and tables on one line are refused, so that nobody reads out of
    it what another reader would not.
    """

    def __init__(self, lines: list[str], at: int, end: int) -> None:
        self._lines = lines
        self._at = at
        self._end = end

    def mapping(self, indent: int) -> dict[str, Any]:
        """Read a table whose keys stand at an indent."""
        found: dict[str, Any] = {}
        while (line := self._next()) is not None:
            depth = len(line) - len(line.lstrip(" "))
            if depth < indent:
                break
            field = re.fullmatch(r" *([A-Za-z_][A-Za-z0-9_-]{0,60}):(?:[ ]+(.*))?", line)
            if depth != indent or field is None:
                raise _Unreadable(self._at + 1, f"{shown(line.strip()[:60])} is no field")
            if field[1] in found:
                raise _Unreadable(self._at + 1, f"{field[1]} stands there twice")
            self._at += 1
            found[field[1]] = self._value(_uncommented(field[2] or ""), indent)
        return found

    def _next(self) -> str | None:
        """Return the next line that says something."""
        while self._at < self._end:
            line = self._lines[self._at].rstrip()
            if line and not line.lstrip().startswith("#"):
                if len(line) > LINE_CHARS_MAX:
                    raise _Unreadable(self._at + 1, "the line is too long")
                if line.lstrip(" ").startswith("\t"):
                    raise _Unreadable(self._at + 1, "it is indented by tabs")
                return line
            self._at += 1
        return None

    def _value(self, text: str, indent: int) -> Any:
        if text in ("|", ">", "|-", ">-"):
            return self._block(text, indent)
        if text:
            return self._scalar(text, self._at)
        line = self._next()
        depth = -1 if line is None else len(line) - len(line.lstrip(" "))
        if line is not None and depth >= indent and line.lstrip().startswith("- "):
            return self._items(depth)
        if depth > indent:
            if indent > 8:
                raise _Unreadable(self._at + 1, "it is too deep")
            return self.mapping(depth)
        return None

    def _items(self, indent: int) -> list[Any]:
        found = []
        while (line := self._next()) is not None and line.startswith(" " * indent + "- "):
            self._at += 1
            found.append(self._scalar(_uncommented(line[indent + 2 :].strip()), self._at))
        return found

    def _block(self, how: str, indent: int) -> str:
        """Read a text of several lines."""
        rows: list[str] = []
        while self._at < self._end:
            line = self._lines[self._at].rstrip()
            if line and len(line) - len(line.lstrip(" ")) <= indent:
                break
            rows.append(line.strip())
            self._at += 1
        return ("\n" if how[0] == "|" else " ").join(rows).strip()

    def _scalar(self, text: str, line: int) -> Any:
        if text in ("null", "~", "Null", "NULL"):
            return None
        if text.startswith("[") and text.endswith("]"):
            inner = text[1:-1].strip()
            return [self._scalar(one.strip(), line) for one in inner.split(",")] if inner else []
        if text[:1] in ("'", '"'):
            return _quoted(text, line)
        if _BARE.fullmatch(text) is None:
            raise _Unreadable(line, f"{shown(text[:60])} is no text, list or null")
        return text


def _uncommented(text: str) -> str:
    """Return a value without the comment behind it."""
    text = text.strip()
    if text[:1] in ("'", '"'):
        return text
    return re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()


def _quoted(text: str, line: int) -> str:
    """Read a text in quotes."""
    if text[0] == "'":
        found = re.fullmatch(r"'((?:[^']|'')*)'(?:\s+#.*)?", text)
        if found is not None:
            return found[1].replace("''", "'")
    else:
        found = re.fullmatch(r'"((?:[^"\\]|\\[nt"\\/r0])*)"(?:\s+#.*)?', text)
        if found is not None:
            return re.sub(r"\\(.)", lambda one: _ESCAPES[one[1]], found[1])
    raise _Unreadable(line, f"the quotes of {shown(text[:60])} do not close, or hold an escape")

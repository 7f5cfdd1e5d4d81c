"""JSON files as they lie there: the value, and the way in which it was written down.

Promises: what one of the usual writers wrote comes back byte for byte; anything else as an equal
value, in the layout that is nearest. A name that stands twice and a byte order mark are told. What
is no JSON, too large or too deep, or holds numbers that JSON does not have, is a ValueError with a
sentence; nothing is guessed, and of a half-written file nothing is taken.

    >>> value, layout, told = read_json(b'{"b": [1]}')
    >>> value, write_json(value, layout)
    ({'b': [1]}, b'{"b": [1]}')
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from handrail.core.record import Record
from handrail.projections.port import Told

FILE_BYTES_MAX: Final = 4 << 20
DEPTH_MAX: Final = 64
MARK: Final = b"\xef\xbb\xbf"
CONFLICT: Final = (b"<<<<<<< ", b"||||||| ", b">>>>>>> ")
BLANKS: Final = " \t\r\n"


class Layout(Record):
    """How a value is written; without ``indent`` on one line. ``ascii``: the rest as escapes."""

    indent: str | None = "  "
    item: str = ","
    name: str = ": "
    ascii: bool = False
    crlf: bool = False
    before: str = ""
    after: str = "\n"


PLAIN: Final = Layout()


def read_json(raw: bytes) -> tuple[Any, Layout, tuple[Told, ...]]:
    """Return a file's value, its layout and what is odd; raises ValueError."""
    if len(raw) > FILE_BYTES_MAX:
        raise ValueError(f"it has more than {FILE_BYTES_MAX} bytes")
    told: list[Told] = []
    if raw.startswith(MARK):
        raw = raw.removeprefix(MARK)
        sentence = "it begins with a byte order mark, and is written without"
        told.append(Told("line 1", "byte_order_mark", sentence))
    refuse_conflict(raw)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: byte {error.start}") from error
    if not text.strip(BLANKS):
        raise ValueError("it is empty")
    twice: list[str] = []
    value = _parsed(text, twice)
    told += [
        Told(name[:80], "duplicate_field", "it stands there twice, and the last one counts")
        for name in twice
    ]
    return value, _layout(text, value), tuple(told)


def refuse_conflict(raw: bytes) -> None:
    """Raise ValueError where a merge has left its marks."""
    for number, line in enumerate(raw.split(b"\n"), 1):
        if line.startswith(CONFLICT):
            raise ValueError(f"line {number} is the mark of a merge conflict: settle it first")


def _parsed(text: str, twice: list[str]) -> Any:
    def fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                twice.append(name)
            found[name] = value
        return found

    try:
        value = json.loads(
            text, object_pairs_hook=fields, parse_constant=_no_number, parse_float=_number
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"it is no JSON: {where}: {error.msg}") from error
    except RecursionError as error:
        raise ValueError(f"it is deeper than {DEPTH_MAX} levels") from error
    _check_depth(value, 1)
    return value


def _no_number(word: str) -> Any:
    raise ValueError(f"it is no JSON: {word} is no number")


def _number(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _check_depth(value: Any, depth: int) -> None:
    if not isinstance(value, dict | list):
        return
    if depth > DEPTH_MAX:
        raise ValueError(f"it is deeper than {DEPTH_MAX} levels")
    for one in value.values() if isinstance(value, dict) else value:
        _check_depth(one, depth + 1)


# --- layouts -------------------------------------------------------------------------------------


def _layout(text: str, value: Any) -> Layout:
    """Return the layout that gives the text again; where none does, the nearest."""
    crlf = "\r\n" in text and text.count("\r\n") == text.count("\n")
    plain = text.replace("\r\n", "\n") if crlf else text
    body = plain.strip(BLANKS)
    start = plain.index(body)
    around = (plain[:start], plain[start + len(body) :])
    nearest = None
    for layout in _candidates(body, crlf, around):
        nearest = nearest or layout
        if _text(value, layout) == plain:
            return layout
    assert nearest is not None
    return nearest._replace(before="", after="\n")


def _candidates(body: str, crlf: bool, around: tuple[str, str]) -> Iterable[Layout]:
    lines = body.split("\n", 2)
    indent = None
    if len(lines) > 1:
        second = lines[1]
        indent = second[: len(second) - len(second.lstrip(" \t"))]
    pairs = ((",", ": "),) if indent is not None else ((", ", ": "), (",", ":"))
    for item, name in pairs:
        for escaped in (True, False) if "\\u" in body else (False, True):
            yield Layout(indent, item, name, escaped, crlf, *around)


def _text(value: Any, layout: Layout) -> str:
    body = json.dumps(
        value,
        indent=layout.indent,
        separators=(layout.item, layout.name),
        ensure_ascii=layout.ascii,
        allow_nan=False,
    )
    return layout.before + body + layout.after


def write_json(value: Any, layout: Layout = PLAIN) -> bytes:
    """Write a value in a layout; half a surrogate pair stays an escape."""
    try:
        raw = _text(value, layout).encode("utf-8")
    except UnicodeEncodeError:
        raw = _text(value, layout._replace(ascii=True)).encode("ascii")
    return raw.replace(b"\n", b"\r\n") if layout.crlf else raw


def compact(value: Any) -> str:
    """Write a value as the JSON text of a row: on one line, in ASCII, in its own order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same, whatever the order of their fields."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

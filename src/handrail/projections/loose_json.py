r"""JSON that crashed programs, merges and people left: as much of it as can be read, all else told.

Promises: never more than ``FILE_BYTES_MAX`` and ``DEPTH_MAX``; of a file that stops half way what
stands before that is read, and what stands after it is told and given as ``unread``; of a merge
conflict both sides are read; a field that stands there twice, and a number that JSON cannot hold,
are told. ValueError, with a sentence, only for what has no readable beginning at all.

    >>> found = read_json(b'{"leases": [{"role": "website"}, {"ro')
    >>> found.values, found.told[0].place, found.unread
    (({'leases': [{'role': 'website'}]},), 'line 1', ', {"ro')
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from handrail.core.projected import RECORD_CHARS_MAX
from handrail.core.record import Record
from handrail.projections.json_text import DEPTH_MAX, MARK
from handrail.projections.port import Row, Told
from handrail.text import visible

FILE_BYTES_MAX: Final = 8 << 20
DIGITS_MAX: Final = 300
SHOWN_CHARS_MAX: Final = 80

_TOKEN: Final = re.compile(r'[ \t\r\n]+|[{}\[\],:]|"(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+', re.DOTALL)
_as_it_stands: Final = json.JSONEncoder(separators=(",", ":")).encode
_sorted: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
_OTHER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


class Found(Record):
    """What a file says: one value, or the two sides of a merge; ``unread`` is what is left over."""

    values: tuple[Any, ...]
    told: tuple[Told, ...]
    unread: str = ""


class _Object(dict[str, Any]):
    """An object that remembers what stood there twice."""

    twice: tuple[tuple[str, Any], ...] = ()


class _NoNumber(str):
    """A number that cannot be one in JSON, as it was written."""

    __slots__ = ()


def shown(value: object) -> str:
    """Write a value into a sentence: as JSON, visible, not too long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    text = text if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]}…"
    return visible(text)


def written(value: object) -> str:
    """Write a value as the record of a row: compact, its fields in the order they stood in."""
    return _as_it_stands(value)


def key_of(value: object) -> str:
    """Return a text that is the same for values that are equal as JSON."""
    return _sorted(value)


def within_bounds(rows: Iterable[Row], told: list[Told]) -> Iterator[Row]:
    """Pass on the rows that are short enough to be kept, and tell of the others."""
    for row in rows:
        if len(row.record) <= RECORD_CHARS_MAX:
            yield row
        else:
            sentence = f"It has more than {RECORD_CHARS_MAX} characters and is not kept: "
            told.append(Told(row.key, "too_long", sentence + shown(row.record)))


def read_json(raw: bytes) -> Found:
    """Read a file of JSON as far as it goes; raises ValueError where nothing can be read."""
    if len(raw) > FILE_BYTES_MAX:
        raise ValueError(f"The file has more than {FILE_BYTES_MAX} bytes.")
    told: list[Told] = []
    text = _decoded(raw, told)
    sides, line = sides_of(text)
    if line:
        told.append(
            Told(f"line {line}", "merge_conflict", "A merge conflict stands in the file.", None)
        )
    values: list[Any] = []
    unread: list[str] = []
    for side in sides:
        try:
            value, rest = _parsed(side, told)
        except ValueError as error:
            if side is sides[-1] and not values:
                raise
            told.append(Told(f"line {line}", "side_unreadable", f"Of one side: {error}"))
            unread.append(side)
            continue
        _told_of_oddities(value, told)
        values.append(value)
        unread.append(rest)
    return Found(tuple(values), tuple(dict.fromkeys(told)), "\n".join(filter(None, unread)))


def _decoded(raw: bytes, told: list[Told]) -> str:
    if raw.startswith(_OTHER_MARKS):
        raise ValueError("The file is UTF-16; JSON is written in UTF-8.")
    if raw.startswith(MARK):
        told.append(Told("line 1", "byte_order_mark", "The file begins with a byte order mark."))
        raw = raw.removeprefix(MARK)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        told.append(
            Told(f"line {line}", "not_utf8", "There are bytes that are not UTF-8; U+FFFD is kept.")
        )
        return raw.decode("utf-8", "replace")


def sides_of(text: str) -> tuple[tuple[str, ...], int]:
    """Split a text at git's conflict markers: both sides, and the line of the first marker; or 0.

    Markers count only in their order, each alone on its line, and only if the last one is there.
    """
    if "\n<<<<<<<" not in "\n" + text:
        return (text,), 0
    ours: list[str] = []
    theirs: list[str] = []
    first, side = 0, "both"
    for number, line in enumerate(re.findall(r"[^\n]*\n|[^\n]+\Z", text), 1):
        mark = line.split(maxsplit=1)[0] if line[:1] in "<|=>" and line.strip() else ""
        if side == "both" and mark == "<<<<<<<":
            side, first = "ours", first or number
        elif side == "ours" and mark == "|||||||":
            side = "base"
        elif side in ("ours", "base") and mark == "=======":
            side = "theirs"
        elif side == "theirs" and mark == ">>>>>>>":
            side = "both"
        else:
            if side in ("both", "ours"):
                ours.append(line)
            if side in ("both", "theirs"):
                theirs.append(line)
    if not first or side != "both":
        return (text,), 0
    return ("".join(ours), "".join(theirs)), first


# --- one text ------------------------------------------------------------------------------------


def _parsed(text: str, told: list[Told]) -> tuple[Any, str]:
    """Read one text; returns its value and what could not be read."""
    try:
        return _loaded(text), ""
    except json.JSONDecodeError as error:
        stop, reason = error.pos, error.msg
    end, closing = _readable(text, stop)
    if end == 0:
        raise ValueError(
            f"The file is no JSON: {reason}, in line {text.count(chr(10), 0, stop) + 1}."
        )
    rest = text[end:].strip()
    line = text.count("\n", 0, stop) + 1
    more = f" What follows is not read: {shown(rest)}" if rest else ""
    told.append(
        Told(f"line {line}", "half_written", f"The file stops being JSON here ({reason}).{more}")
    )
    return _loaded(text[:end] + closing), rest


def _loaded(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_NoNumber,
        )
    except RecursionError as error:
        raise ValueError(f"The file is deeper than {DEPTH_MAX} levels.") from error


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    found = _Object(pairs)
    if len(found) != len(pairs):
        last = {name: index for index, (name, _) in enumerate(pairs)}
        found.twice = tuple(pair for index, pair in enumerate(pairs) if last[pair[0]] != index)
    return found


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= DIGITS_MAX else _NoNumber(text)


def _float(text: str) -> float | str:
    number = float(text)
    return number if abs(number) != float("inf") else _NoNumber(text)


def _readable(text: str, stop: int) -> tuple[int, str]:
    """Return how far a text is whole before ``stop``, and the brackets that are open there.

    Whole are an item of a list, a field with its value, and a bracket that opens for a field.
    """
    open_: list[str] = []
    best: tuple[int, str] = (0, "")
    value_next = True
    at = 0
    while (match := _TOKEN.match(text, at)) and match.end() <= stop:
        token, at = match[0], match.end()
        if token.isspace():
            continue
        if token in "{[":
            item = open_[-1:] == ["]"]
            open_.append("}" if token == "{" else "]")
            value_next = token == "["
            if item:
                continue  # not before there is something in it
        elif token in "}]":
            if not open_ or open_.pop() != token:
                break
            value_next = False
        elif token == ",":
            value_next = open_[-1:] == ["]"]
            continue
        elif token == ":":
            value_next = True
            continue
        elif not value_next:
            continue  # the name of a field
        elif not _whole(token) or (at == len(text) and token[-1].isdigit()):
            break  # the digits of a number may go on
        else:
            value_next = False
        best = (at, "".join(reversed(open_)))
    return best


def _whole(token: str) -> bool:
    try:
        json.loads(token)
    except ValueError:
        return False
    return True


def _told_of_oddities(value: Any, told: list[Told]) -> None:
    """Tell of fields that stood there twice and of numbers that are none; bounds the depth."""
    waiting: list[tuple[str, Any, int]] = [("", value, 1)]
    while waiting:
        place, one, depth = waiting.pop()
        if depth > DEPTH_MAX:
            raise ValueError(f"The file is deeper than {DEPTH_MAX} levels.")
        if isinstance(one, _NoNumber):
            sentence = f"{one[:40]} is no number of JSON; its text is kept."
            told.append(Told(place, "no_number", sentence))
        elif isinstance(one, _Object):
            for name, lost in one.twice:
                where = joined(place, name)
                sentence = f"The field stands there twice; the value {shown(lost)} does not count."
                told.append(Told(where, "field_twice", sentence))
            inner = [(joined(place, name), value, depth + 1) for name, value in one.items()]
            waiting.extend(reversed(inner))
        elif isinstance(one, list):
            inner = [(f"{place}[{i}]", value, depth + 1) for i, value in enumerate(one)]
            waiting.extend(reversed(inner))


def joined(place: str, name: str) -> str:
    """Name a field within a place: ``leases[3].role``."""
    name = visible(name[:SHOWN_CHARS_MAX])
    return f"{place}.{name}" if place else name

r"""Three versions of a JSON document as one: field by field, entry by entry.

Promises: pure; what one side alone changed is taken, what both changed alike is there once; of a
list, what either side added is there and what either took away is not; entries with an ``id`` are
the same entry. Where both sides changed the same value, the caller says whose is taken, so that it
can see what hangs on that. Whatever is no plain document is a ValueError.

    >>> merged('{"a": 1}', '{"a": 1, "b": 2}', '{"a": 3}', OURS)
    '{"a": 3, "b": 2}'
"""

from __future__ import annotations

import json
from typing import Any, Final

OURS: Final = "ours"
BASE: Final = "base"
THEIRS: Final = "theirs"
_ABSENT: Final = object()
_ID: Final = "id"


def merged(base: str, ours: str, theirs: str, contested: str) -> str:
    """Return the merged document, laid out as ours; ``contested`` says whose of such values count.

    An empty base is none. Raises ValueError.
    """
    before = _loaded(base) if base.strip() else _ABSENT
    try:
        value = _value(before, _loaded(ours), _loaded(theirs), contested)
        text = json.dumps(value, indent=_indent(ours), ensure_ascii=ours.isascii())
    except RecursionError as error:
        raise ValueError("the document is nested too deeply") from error
    return text + "\n" * ours.endswith("\n")


def _loaded(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("the document is nested too deeply") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is there twice")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _indent(text: str) -> int | str | None:
    """Return one step of indentation as a text has it; None where all is on one line."""
    lines = text.strip().split("\n")
    if len(lines) < 2:
        return None
    lead = lines[1][: len(lines[1]) - len(lines[1].lstrip())]
    return lead if lead.strip(" ") else len(lead)


def _same(one: object, other: object) -> bool:
    """Tell whether two values are the same: `true` and 1 are not."""
    if _ABSENT in (one, other):
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _value(base: Any, ours: Any, theirs: Any, contested: str) -> Any:
    if _same(ours, theirs) or _same(base, theirs):
        return ours
    if _same(base, ours):
        return theirs
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return _fields(base if isinstance(base, dict) else {}, ours, theirs, contested)
    if isinstance(ours, list) and isinstance(theirs, list):
        return _entries(base if isinstance(base, list) else [], ours, theirs, contested)
    return {OURS: ours, BASE: base, THEIRS: theirs}[contested]


def _fields(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any], contested: str
) -> dict[str, Any]:
    found = {
        name: _value(
            base.get(name, _ABSENT), ours.get(name, _ABSENT), theirs.get(name, _ABSENT), contested
        )
        for name in {**ours, **theirs, **base}
    }
    return {name: value for name, value in found.items() if value is not _ABSENT}


def _entries(base: list[Any], ours: list[Any], theirs: list[Any], contested: str) -> list[Any]:
    """Merge lists: by ids where all entries have one of their own, else by what they say."""
    sides = [_by_id(side) for side in (base, ours, theirs)]
    if all(side is not None for side in sides):
        before, mine, others = (side or {} for side in sides)
        return list(_fields(before, mine, others, contested).values())
    named = [{_named(one): one for one in side} for side in (base, ours, theirs)]
    gone = {name for name in named[0] if name not in named[1] or name not in named[2]}
    kept = [one for one in ours if _named(one) not in gone]
    return kept + [one for name, one in named[2].items() if name not in named[1] | named[0]]


def _by_id(entries: list[Any]) -> dict[str, Any] | None:
    ids = [one.get(_ID) if isinstance(one, dict) else None for one in entries]
    if not all(isinstance(one, str) for one in ids) or len(set(ids)) != len(ids):
        return None
    return dict(zip(map(str, ids), entries, strict=True))


def _named(entry: Any) -> str:
    return json.dumps(entry, sort_keys=True)

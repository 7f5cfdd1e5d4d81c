"""What a field of an event holds, read back from the JSON of its entry.

Promise: a field has one shape, in whatever event it stands; a value of another is a TypeError.

    >>> SHAPES["patterns"](["src", "docs"])
    ('src', 'docs')
"""

from __future__ import annotations

from collections.abc import Callable

from handrail.typed import Final

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    raise TypeError("a text was expected")


def _text_or_none(value: Json) -> str | None:
    return None if value is None else _text(value)


def _number(value: Json) -> int:
    if type(value) is int:
        return value
    raise TypeError("a whole number was expected")


def _number_or_none(value: Json) -> int | None:
    return None if value is None else _number(value)


def _flag(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError("true or false was expected")


def _list(value: Json) -> list[Json]:
    if isinstance(value, list):
        return value
    raise TypeError("a list was expected")


def _texts(value: Json) -> tuple[str, ...]:
    return tuple([_text(item) for item in _list(value)])


def _numbers(value: Json) -> tuple[int, ...]:
    return tuple([_number(item) for item in _list(value)])


def _pairs(value: Json) -> tuple[tuple[int, int], ...]:
    pairs = [_numbers(item) for item in _list(value)]
    if any(len(pair) != 2 for pair in pairs):
        raise TypeError("pairs were expected")
    return tuple([(pair[0], pair[1]) for pair in pairs])


def _blobs(value: Json) -> tuple[tuple[str, str], ...] | None:
    if value is None:
        return None
    pairs = [_texts(item) for item in _list(value)]
    if any(len(pair) != 2 for pair in pairs):
        raise TypeError("pairs were expected")
    return tuple([(pair[0], pair[1]) for pair in pairs])


def _counts(value: Json) -> tuple[tuple[str, int], ...]:
    pairs = [_list(item) for item in _list(value)]
    if any(len(pair) != 2 for pair in pairs):
        raise TypeError("pairs were expected")
    return tuple([(_text(pair[0]), _number(pair[1])) for pair in pairs])


def _found(value: Json) -> tuple[tuple[str, str], ...]:
    return _blobs(_list(value)) or ()


def _updates(value: Json) -> tuple[tuple[str, str, str], ...]:
    rows = [_texts(item) for item in _list(value)]
    if any(len(row) != 3 for row in rows):
        raise TypeError("three texts were expected")
    return tuple([(row[0], row[1], row[2]) for row in rows])


def _documents(value: Json) -> tuple[tuple[str, str, str, str], ...]:
    rows = [_texts(item) for item in _list(value)]
    if any(len(row) != 4 for row in rows):
        raise TypeError("path, digest, commit and fault were expected")
    return tuple([(row[0], row[1], row[2], row[3]) for row in rows])


SHAPES: Final[dict[str, Callable[[Json], object]]] = {
    **dict.fromkeys(("workspace", "blob", "text", "proof", "session", "agent", "worktree"), _text),
    **dict.fromkeys(("secret_hash", "reason", "kind", "commit", "tree", "paths_hash"), _text),
    **dict.fromkeys(("source", "record", "task", "title", "packet"), _text),
    **dict.fromkeys(("packet_kind", "packet_hash"), _text),
    **dict.fromkeys(("predecessor", "role", "change", "holder"), _text_or_none),
    **dict.fromkeys(("from_role", "to_role"), _text_or_none),
    **dict.fromkeys(("ttl_ms", "expires_at", "expired_at", "claimed_at"), _number),
    **dict.fromkeys(("token", "seq", "paths", "until", "number", "lapses_at"), _number),
    **dict.fromkeys(("about", "ended", "output_hash", "output_tail", "dirt", "folder"), _text),
    **dict.fromkeys(("gate", "tests_hash"), _text_or_none),
    **dict.fromkeys(("output_bytes", "duration_ms"), _number),
    **dict.fromkeys(("exit_status", "tests_passed"), _number_or_none),
    **dict.fromkeys(("phase", "checkpoint", "decision", "leads_to", "by", "stage"), _text),
    **dict.fromkeys(("trigger", "note", "process", "projection", "key", "verdict", "how"), _text),
    "for_task": _text_or_none,
    **dict.fromkeys(("times", "waiver", "receipt", "rerun", "advised", "judged"), _number),
    **dict.fromkeys(("ends_at", "uses"), _number_or_none),
    "gates": _texts,
    "argv": _texts,
    "disturbed": _flag,
    "lasting": _flag,
    "patterns": _texts,
    "returns": _texts,
    "parents": _texts,
    **dict.fromkeys(("beside", "written"), _numbers),
    **dict.fromkeys(("code", "path", "event"), _text),
    "rounds": _number,
    "counts": _counts,
    "cover": _pairs,
    "blobs": _blobs,
    "found": _found,
    **dict.fromkeys(("updates", "receipts"), _updates),
    "documents": _documents,
    "binds": _flag,
    "commits": _texts,
}

"""What a packet may say: one table of fields, from which everything else is drawn.

Promises: ``FIELDS`` is the only source of validation, of the JSON Schema (``json_schema``) and of
the table in the docs; equal packets have equal canonical bytes and so equal hashes; a field that is
not in the table survives as it is; a path that leads out of the repository is refused, and so is
whatever is larger or deeper than the bounds below. What a packet says is data: nothing in it gives
its receiver a right.

    >>> packet = draft({"message": "done"}, {"kind": "complete", "x-note": [1]})
    >>> canonical(packet)
    '{"kind":"complete","message":"done","x-note":[1]}'
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from handrail.core.digest import sha256
from handrail.core.record import Record
from handrail.core.scope import parse_pattern
from handrail.core.task import KINDS
from handrail.errors import MalformedScope
from handrail.errors.handoff import MalformedPacket
from handrail.typed import Any, Final

SCHEMA: Final = "handrail-packet-1"
SCHEMA_URI: Final = "https://json-schema.org/draft/2020-12/schema"

PACKET_BYTES_MAX: Final = 256 << 10
"""Of the canonical text; a file may have twice as many, for its blanks."""
DEPTH_MAX: Final = 16
MESSAGE_CHARS_MIN: Final = 50
"""So much a message says at least, where there is to be one."""
TEXT_CHARS_MAX: Final = 32_768
WORD_CHARS_MAX: Final = 200
ITEMS_MAX: Final = 256
CLEAN_REQUIRED: Final = "clean_required"
KNOWN_DIRTY: Final = "known_dirty_allowlist"
WORKTREE_MODES: Final = (CLEAN_REQUIRED, KNOWN_DIRTY)
"""How a working tree has to stand: nothing unfinished, or just the paths that are named."""

_compact: Final = json.JSONEncoder(
    separators=(",", ":"), sort_keys=True, ensure_ascii=True, allow_nan=False
).encode


class Field(Record):
    """One field: its shape, who writes it (``you`` or ``tool``), what it is for.

    ``fields`` are those of a shape ``object``, ``one_of`` the words that a ``word`` may be.
    """

    name: str
    shape: str
    by: str
    about: str
    fields: tuple[Field, ...] = ()
    one_of: tuple[str | None, ...] = ()


FIELDS: Final[tuple[Field, ...]] = (
    Field("schema", "word", "tool", "The format.", (), (SCHEMA,)),
    Field(
        "kind",
        "word",
        "you",
        "What is handed over: finished work, work sent back, or work that cannot go on.",
        (),
        KINDS,
    ),
    Field("task_id", "word", "tool", "The task."),
    Field("seq", "number", "tool", "The packet's number in its task."),
    Field("timestamp", "word", "tool", "When it was offered, by the store's clock, in UTC."),
    Field("from_role", "role", "tool", "What the giver acts as; `system` for a task's first."),
    Field("to_role", "role", "you", "The role or family that it is for; null: whoever accepts."),
    Field("trigger", "role", "you", "The trigger that brought it about."),
    Field(
        "from",
        "object",
        "tool",
        "Who gives it.",
        (
            Field("agent", "role", "tool", "The giver's agent."),
            Field("session", "role", "tool", "The giver's session."),
            Field("token", "role", "tool", "The newest token of the giver that ends with it."),
        ),
    ),
    Field(
        "context",
        "object",
        "you",
        "What the work is.",
        (
            Field("task_description", "text", "you", "The task in words."),
            Field("requirements", "texts", "you", "What must hold in the end."),
            Field("constraints", "texts", "you", "What must not be done."),
            Field("files_in_scope", "scope", "you", "The scope that goes with the packet."),
            Field("sandbox", "role", "you", "The sandbox of the next phase."),
            Field("objective", "text", "you", "What the receiver is to reach."),
            Field("blocking_rule", "text", "you", "The rule that stands in the way."),
            Field("required_reading", "paths", "you", "What to read before anything else."),
        ),
    ),
    Field(
        "artifacts",
        "object",
        "you",
        "The files that the work made and used.",
        (
            Field("produced", "files", "you", "Made or changed."),
            Field("consumed", "files", "you", "Used."),
        ),
    ),
    Field(
        "metadata",
        "object",
        "you",
        "Where the work stands.",
        (
            Field("phase", "role", "you", "The giver's phase."),
            Field("next_phase", "role", "you", "The receiver's phase."),
            Field("next_checkpoint", "role", "you", "The decision that comes next."),
            Field("base", "role", "you", "The commit that the work began from."),
            Field("head", "role", "tool", "The commit that HEAD was at the offer."),
            Field("tree", "role", "tool", "That commit's tree."),
            Field("branch", "role", "you", "The branch."),
            Field(
                "worktree_mode",
                "role",
                "you",
                "How much may be unfinished: nothing, or just the paths that are named; null: what "
                "is named and what the receiver holds.",
                (),
                (None, *WORKTREE_MODES),
            ),
            Field("worktree_allowlist_paths", "paths", "you", "What may be unfinished."),
            Field("findings", "items", "tool", "What gates minded when it was offered."),
        ),
    ),
    Field(
        "directive",
        "object",
        "you",
        "The directive that it belongs to, where the preset `directive` is in force.",
        (
            Field("folder", "path", "you", "The directive's folder."),
            Field("slug", "word", "tool", "What its files are called."),
            Field("id", "role", "tool", "The id in its metadata."),
            Field("task_file", "path", "you", "The task that its receiver works on."),
            Field("trigger", "word", "you", "What brought it about, where no trigger did."),
        ),
    ),
    Field("message", "text", "you", "What the receiver should know."),
    Field("claims", "items", "you", "What somebody says; it counts as no evidence."),
    Field("evidence", "items", "you", "The receipts that the giver names."),
)
_FILE_FIELDS: Final = (
    Field("path", "path", "you", "The file."),
    Field("sha256", "word", "you", "The digest of its bytes."),
    Field("commit", "word", "you", "A commit that holds it."),
)
TOOLS: Final = tuple(field.name for field in FIELDS if field.by == "tool")
"""What the tool writes over."""


# --- reading -------------------------------------------------------------------------------------


def read_packet(raw: bytes) -> dict[str, Any]:
    """Read a packet that somebody wrote; raises MalformedPacket."""
    if len(raw) > 2 * PACKET_BYTES_MAX:
        raise MalformedPacket(
            field="the file", reason=f"it has more than {2 * PACKET_BYTES_MAX} bytes"
        )
    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant
        )
    except UnicodeDecodeError as error:
        raise MalformedPacket(field="the file", reason="it is not UTF-8") from error
    except RecursionError as error:
        raise MalformedPacket(field="the file", reason="it is too deep") from error
    except ValueError as error:
        raise MalformedPacket(field="the file", reason=f"it is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise MalformedPacket(field="the file", reason="it is no JSON object")
    check_packet(value)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field stands there twice")
    return found


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def check_packet(packet: Mapping[str, Any]) -> None:
    """Check every field that is there, and the bounds of the whole; raises MalformedPacket."""
    _check_depth(packet, 1)
    _check_fields(packet, FIELDS, "")
    if len(canonical(packet)) > PACKET_BYTES_MAX:
        reason = f"it has more than {PACKET_BYTES_MAX} bytes"
        raise MalformedPacket(field="the whole", reason=reason)


def _check_depth(value: object, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise MalformedPacket(field="the whole", reason=f"it is deeper than {DEPTH_MAX} levels")
    inner: Sequence[object] = ()
    if isinstance(value, Mapping):
        inner = tuple(value.values())
    elif isinstance(value, list | tuple):
        inner = value
    for one in inner:
        _check_depth(one, depth + 1)


def _check_fields(found: Mapping[str, Any], fields: Sequence[Field], above: str) -> None:
    for field in fields:
        if field.name in found:
            _check(found[field.name], field, above + field.name)


def _check(value: Any, field: Field, name: str) -> None:
    if field.shape == "object":
        if not isinstance(value, dict):
            raise _wrong(name, value, "an object")
        _check_fields(value, field.fields, f"{name}.")
        return
    _CHECKS[field.shape](value, name)
    if field.one_of and value not in field.one_of:
        raise _wrong(name, value, "one of " + ", ".join(filter(None, field.one_of)))


def _wrong(name: str, value: object, wanted: str) -> MalformedPacket:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
    return MalformedPacket(field=name, reason=f"{shown} is not {wanted}", value=shown)


def _is_text(value: object, name: str, chars_max: int) -> str:
    if not isinstance(value, str):
        raise _wrong(name, value, "a text")
    if len(value) > chars_max:
        raise MalformedPacket(field=name, reason=f"it has more than {chars_max} characters")
    return value


def _check_text(value: object, name: str) -> None:
    _is_text(value, name, TEXT_CHARS_MAX)


def _check_word(value: object, name: str) -> None:
    _is_text(value, name, WORD_CHARS_MAX)


def _check_word_or_null(value: object, name: str) -> None:
    if value is not None:
        _check_word(value, name)


def _check_number(value: object, name: str) -> None:
    if type(value) is not int or not 0 < value < 1 << 53:
        raise _wrong(name, value, "a whole number above 0")


def _check_path(value: object, name: str) -> None:
    path = _is_text(value, name, TEXT_CHARS_MAX)
    segments = path.split("/")
    inside = segments[0] != ".git" and not {"", ".", ".."} & set(segments)
    if not inside or not path.isprintable() or "\\" in path:
        reason = f"{path[:80]!r} is no path of this repository"
        raise MalformedPacket(field=name, reason=reason, value=path[:200])


def _check_pattern(value: object, name: str) -> None:
    text = _is_text(value, name, TEXT_CHARS_MAX)
    try:
        parse_pattern(text)
    except MalformedScope as error:
        reason = f"{text[:80]!r} is no scope: {error.values.get('reason')}"
        raise MalformedPacket(field=name, reason=reason, value=text[:200]) from error


def _check_file(value: object, name: str) -> None:
    if isinstance(value, dict):
        if "path" not in value:
            raise MalformedPacket(field=name, reason="it names no path")
        _check_fields(value, _FILE_FIELDS, f"{name}.")
    else:
        _check_path(value, name)


def _check_item(value: object, name: str) -> None:
    if not isinstance(value, dict):
        _check_text(value, name)


def _each(check: Callable[[object, str], None]) -> Callable[[object, str], None]:
    def check_all(value: object, name: str) -> None:
        if not isinstance(value, list):
            raise _wrong(name, value, "a list")
        if len(value) > ITEMS_MAX:
            raise MalformedPacket(field=name, reason=f"it has more than {ITEMS_MAX} items")
        for number, one in enumerate(value):
            check(one, f"{name}[{number}]")

    return check_all


_CHECKS: Final[dict[str, Callable[[object, str], None]]] = {
    "text": _check_text,
    "word": _check_word,
    "role": _check_word_or_null,
    "number": _check_number,
    "path": _check_path,
    "texts": _each(_check_text),
    "paths": _each(_check_path),
    "scope": _each(_check_pattern),
    "files": _each(_check_file),
    "items": _each(_check_item),
}


# --- writing -------------------------------------------------------------------------------------


def draft(given: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay some fields over a packet, objects field by field; both stay as they were."""
    made = dict(given)
    for name, value in over.items():
        below = made.get(name)
        if isinstance(value, dict) and isinstance(below, dict):
            made[name] = {**below, **value}
        else:
            made[name] = value
    return made


def overwritten(given: Mapping[str, Any], packet: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the fields of the tool that somebody had written otherwise."""
    return tuple(name for name in TOOLS if name in given and given[name] != packet[name])


def canonical(packet: Mapping[str, Any]) -> str:
    """Write a packet in the one way there is: sorted, without blanks, in ASCII."""
    try:
        return _compact(packet)
    except (ValueError, TypeError, RecursionError) as error:
        raise MalformedPacket(field="the whole", reason=f"it is no JSON ({error})") from error


def packet_hash(text: str) -> str:
    """Return the SHA-256 of a canonical text."""
    return sha256(text.encode("ascii")).hexdigest()


def pretty(text: str) -> bytes:
    """Return the bytes of a packet's file, from its canonical text: the same each time."""
    value = json.loads(text)
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=True) + "\n").encode("ascii")


# --- the schema ----------------------------------------------------------------------------------

_TEXT: Final[dict[str, Any]] = {"type": "string", "maxLength": TEXT_CHARS_MAX}
_WORD: Final[dict[str, Any]] = {"type": "string", "maxLength": WORD_CHARS_MAX}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a packet as the ledger and the exported files hold it."""
    return {
        "$schema": SCHEMA_URI,
        "$id": SCHEMA,
        "title": "A packet of Handrail",
        **_object(FIELDS),
        "required": [*TOOLS, "kind", "to_role", "context", "metadata", "message"],
    }


def _object(fields: Sequence[Field]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            field.name: {**_shape(field), "description": field.about} for field in fields
        },
        "additionalProperties": True,
    }


def _shape(field: Field) -> dict[str, Any]:
    if field.one_of:
        return {"enum": list(field.one_of)}
    if field.shape == "object":
        return _object(field.fields)
    return _SHAPES[field.shape]


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "maxItems": ITEMS_MAX, "items": items}


_SHAPES: Final[dict[str, dict[str, Any]]] = {
    "text": _TEXT,
    "word": _WORD,
    "role": {"type": ["string", "null"], "maxLength": WORD_CHARS_MAX},
    "number": {"type": "integer", "minimum": 1},
    "path": _TEXT,
    "texts": _list(_TEXT),
    "paths": _list(_TEXT),
    "scope": _list(_TEXT),
    "files": _list(
        {
            "anyOf": [
                _TEXT,
                {
                    "type": "object",
                    "properties": {"path": _TEXT, "sha256": _WORD, "commit": _WORD},
                    "required": ["path"],
                },
            ]
        }
    ),
    "items": _list({"anyOf": [_TEXT, {"type": "object"}]}),
}

"""The fields of mosaic's state files: one table each, for reports, for schemas and for the docs.

Promise: ``check`` tells of a value exactly where it does not satisfy ``schema``; nobody else says
what a field of these files may hold.

    >>> check({"version": 2}, TASK)[0].sentence
    '2 is not 1; it is kept'
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from handrail.core.record import Record
from handrail.projections.aliases import ALIASES, resolved
from handrail.projections.port import Told

TOOL: Final = "tool"
YOU: Final = "you"
DRAFT_07: Final = "http://json-schema.org/draft-07/schema#"
SHOWN_CHARS_MAX: Final = 80


class Field(Record):
    """One field: its shape, who writes it (``you`` or ``tool``), what it is for.

    ``one_of`` are the words that a ``word`` may be, ``fields`` those of an ``object`` or of each
    entry of ``objects``; without any, it may have what it likes.
    """

    name: str
    shape: str
    by: str
    about: str
    required: bool = False
    one_of: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()


AGENTS: Final = ("claude_code_terminal", "gemini", "chatgpt", "cursor_claude", "unknown")
MODES: Final = ("INIT", "BUILD", "DIAGNOSE", "REPAIR", "VERIFY", "HANDOFF")
SEVERITIES: Final = ("critical", "high", "medium", "low")
BLOCKER_STATES: Final = ("open", "resolving", "resolved", "wont-fix")
TASK_STATES: Final = ("active", "blocked", "complete")

STATE: Final[tuple[Field, ...]] = (
    Field("version", "one", YOU, "The format's version.", True),
    Field("last_agent", "agent", TOOL, "Who gave the newest handoff.", True),
    Field("last_mode", "word", YOU, "What the last session was about.", True, MODES),
    Field("last_session_start", "time", TOOL, "When the newest session began.", True),
    Field("last_session_end", "time_or_null", TOOL, "When it ended; null while it runs."),
    Field("last_commit", "commit", TOOL, "HEAD at the newest handoff or claim.", True),
    Field("current_agent", "agent", TOOL, "Who works, or worked last.", True),
    Field("current_task", "text", TOOL, "The newest task.", True),
    Field("handoff_message", "text", YOU, "What the next agent must know.", True),
    Field(
        "briefing_acknowledgment",
        "object",
        YOU,
        "Which briefing an agent says it has read.",
        fields=(
            Field("agent", "agent", YOU, "Who read it."),
            Field("briefing_version", "anything", YOU, "Which one."),
            Field("acknowledged_at", "time", YOU, "When."),
            Field("last_commit_known", "commit", YOU, "The newest commit that it knew."),
            Field("session_notes", "anything", YOU, "Notes."),
        ),
    ),
    Field("user_decisions", "object", YOU, "What people decided.", True),
    Field("implementation_progress", "object", YOU, "How far the work is.", True),
    Field("next_agent", "agent", TOOL, "Whom the newest handoff is for."),
    Field("open_questions", "items", YOU, "What nobody has answered."),
)

BLOCKER: Final[tuple[Field, ...]] = (
    Field("id", "blocker", YOU, "B and three digits.", True),
    Field("title", "text", YOU, "The blocker in a few words.", True),
    Field("severity", "word", YOU, "How bad it is.", True, SEVERITIES),
    Field("status", "word", YOU, "Where it stands.", True, BLOCKER_STATES),
    Field("description", "text", YOU, "What is in the way."),
    Field("impact", "text", YOU, "What it stops."),
    Field("solution", "text", YOU, "What would help."),
    Field("owner", "text", YOU, "Who takes care of it."),
    Field("created_at", "time", YOU, "Since when."),
    Field("resolution_progress", "anything", YOU, "How far that is."),
    Field("resolved_at", "time_or_null", YOU, "Since when it is resolved."),
    Field("resolution", "text", YOU, "What resolved it."),
    Field("commit", "commit", YOU, "The commit that resolved it."),
    Field("receipt", "number", YOU, "The receipt of a command that shows it."),
    Field("notes", "anything", YOU, "Notes."),
)
BLOCKERS: Final[tuple[Field, ...]] = (
    Field("version", "one", YOU, "The format's version.", True),
    Field("updated_at", "time", TOOL, "When a blocker was last changed.", True),
    Field("blockers", "objects", YOU, "What is in the way.", True, fields=BLOCKER),
    Field("archived_blockers", "objects", YOU, "What was in the way.", fields=BLOCKER),
)

TASK: Final[tuple[Field, ...]] = (
    Field("version", "one", YOU, "The format's version.", True),
    Field("task_id", "text", TOOL, "The newest task.", True),
    Field("objective", "text", TOOL, "Its title.", True),
    Field("status", "word", TOOL, "Where it stands.", True, TASK_STATES),
    Field("priority", "anything", YOU, "How soon it is wanted."),
    Field("assigned_agent", "agent", TOOL, "Who acts for it."),
    Field("created_at", "time", TOOL, "When it was opened."),
    Field("updated_at", "time", TOOL, "When it was last handed on."),
    Field("completed_at", "time_or_null", TOOL, "When it was closed; null while it is open."),
    Field(
        "details",
        "object",
        YOU,
        "What the work is.",
        fields=(
            Field("description", "anything", YOU, "In words."),
            Field("success_criteria", "items", YOU, "What must hold in the end."),
            Field("completed_tasks", "items", YOU, "What is done."),
            Field("in_progress", "items", YOU, "What is being done."),
            Field("dependencies", "items", YOU, "What it waits for."),
            Field("user_decisions", "object", YOU, "What people decided."),
            Field("artifacts_created", "items", YOU, "What was made."),
            Field("verification_results", "object", YOU, "What was found out."),
            Field("notes", "anything", YOU, "Notes."),
        ),
    ),
)

LOG: Final[tuple[Field, ...]] = (
    Field("timestamp", "time", TOOL, "When.", True),
    Field("agent", "agent", TOOL, "Who.", True),
    Field("mode", "word", TOOL, "What it was about.", True, MODES),
    Field("action", "text", TOOL, "What happened.", True),
    Field("outcome", "text", TOOL, "What came of it.", True),
    Field("files", "items", YOU, "The files it was about."),
    Field("decisions", "items", YOU, "What was decided."),
    Field("commit", "anything", YOU, "The commit."),
    Field("details", "anything", YOU, "More."),
)

_TIME: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:.*)?$"
_COMMIT: Final = "^[0-9a-f]{7,64}$"
_BLOCKER: Final = "^B[0-9]{3,}$"

# shape -> (its schema, what a report calls it)
_SHAPES: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "anything": ({}, "anything"),
    "one": ({"const": 1}, "1"),
    "text": ({"type": "string", "minLength": 1}, "a text that says something"),
    "agent": (
        {"type": "string", "minLength": 1, "not": {"enum": sorted(ALIASES["mosaic_agent"])}},
        "an agent",
    ),
    "time": ({"type": "string", "pattern": _TIME}, "an instant like 2026-01-07T22:30:00Z"),
    "time_or_null": (
        {"anyOf": [{"type": "string", "pattern": _TIME}, {"type": "null"}]},
        "an instant or null",
    ),
    "commit": ({"type": "string", "pattern": _COMMIT}, "the id of a commit"),
    "blocker": ({"type": "string", "pattern": _BLOCKER}, "B and three digits"),
    "number": ({"type": "integer", "minimum": 1}, "a whole number above 0"),
    "items": ({"type": "array"}, "a list"),
}


def schema(name: str, fields: Sequence[Field]) -> dict[str, Any]:
    """Return the JSON Schema (draft-07, as the original's) of a file."""
    return {"$schema": DRAFT_07, "$id": name, "title": name, **_object(fields)}


def _object(fields: Sequence[Field]) -> dict[str, Any]:
    if not fields:
        return {"type": "object"}
    return {
        "type": "object",
        "properties": {one.name: {**_shape(one), "description": one.about} for one in fields},
        "required": [one.name for one in fields if one.required],
        "additionalProperties": False,
    }


def _shape(field: Field) -> dict[str, Any]:
    if field.one_of:
        return {"enum": list(field.one_of)}
    if field.shape == "object":
        return _object(field.fields)
    if field.shape == "objects":
        return {"type": "array", "items": _object(field.fields)}
    return _SHAPES[field.shape][0]


def check(value: Mapping[str, Any], fields: Sequence[Field], above: str = "") -> list[Told]:
    """Tell of what a file should have and has not, and of what it has and should not."""
    known = {one.name: one for one in fields}
    found = []
    for name, one in value.items():
        field = known.get(name)
        if field is not None:
            found += _check(one, field, above + name)
        elif known:
            sentence = "the format has no such field; it is kept"
            found.append(Told(place(above + name), "unknown_field", sentence))
    return found + [
        Told(above + one.name, "missing_field", "it is not there")
        for one in fields
        if one.required and one.name not in value
    ]


def _check(value: Any, field: Field, where: str) -> list[Told]:
    if field.one_of:
        return [] if value in field.one_of else [_drift(value, field, where)]
    if field.shape == "objects":
        if not isinstance(value, list):
            return [_wrong(value, where, "a list")]
        return [told for at, one in enumerate(value) for told in _entry(one, field, where, at)]
    if field.shape == "object":
        if not isinstance(value, dict):
            return [_wrong(value, where, "an object")]
        return check(value, field.fields, f"{where}.")
    wanted, words = _SHAPES[field.shape]
    if _satisfies(value, wanted):
        return []
    if field.shape == "agent" and value in tuple(ALIASES["mosaic_agent"]):
        return [_drift(value, field._replace(one_of=AGENTS), where)]
    return [_wrong(value, where, words)]


def _entry(value: Any, field: Field, where: str, at: int) -> list[Told]:
    if not isinstance(value, dict):
        return [_wrong(value, f"{where}[{at}]", "an object")]
    return check(value, field.fields, f"{where}[{at}].")


def _satisfies(value: Any, wanted: Mapping[str, Any]) -> bool:
    """Tell whether a value satisfies the schema of a shape."""
    if "anyOf" in wanted:
        return any(_satisfies(value, one) for one in wanted["anyOf"])
    if "const" in wanted:
        return not isinstance(value, bool) and bool(value == wanted["const"])
    kind = wanted.get("type")
    if kind == "integer":
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and not isinstance(value, bool) and bool(value >= wanted["minimum"])
    if kind == "null":
        return value is None
    if kind == "array":
        return isinstance(value, list)
    if kind == "string":
        if not isinstance(value, str) or value in wanted.get("not", {}).get("enum", ()):
            return False
        long = len(value) >= wanted.get("minLength", 0)
        return long and re.search(wanted.get("pattern", ""), value) is not None
    return True


def _drift(value: Any, field: Field, where: str) -> Told:
    words = field.one_of
    suggestion = None
    if isinstance(value, str):
        kind = "agent" if field.shape == "agent" else field.name.removeprefix("last_")
        found = resolved(f"mosaic_{kind}", value, words)
        suggestion = found.value or found.suggestion
    sentence = f"{shown(value)} is none of {', '.join(words)}; it is kept"
    return Told(where, "not_in_vocabulary", sentence, suggestion)


def _wrong(value: Any, where: str, words: str) -> Told:
    return Told(where, "wrong_type", f"{shown(value)} is not {words}; it is kept")


def shown(value: Any) -> str:
    """Write a value as a word of a report."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]}…"


def place(name: str) -> str:
    """Write a field's name as the place of a report."""
    return name if len(name) <= SHOWN_CHARS_MAX else f"{name[:SHOWN_CHARS_MAX]}…"

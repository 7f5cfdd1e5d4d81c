"""Values that the originals' files hold for others: one table, and the nearest word for the rest.

Promise: a value is one of the words, or an alias of one, or unknown; nothing is guessed: what is
unknown is told with the word that looks most like it, and never stored as that.

    >>> resolved("role", "ops_tooling", ("ops-tooling", "website"))
    Resolved(value='ops-tooling', alias=True, suggestion=None)
    >>> resolved("role", "webiste", ("ops-tooling", "website"))
    Resolved(value=None, alias=False, suggestion='website')
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from handrail.core.nearest import nearest
from handrail.core.record import Record
from handrail.projections.loose_json import shown
from handrail.projections.port import Told

ABSENT: Final = ""
"""What an alias for nothing at all stands for."""

_NOTHING: Final = dict.fromkeys(("null", "n/a"), ABSENT)

ALIASES: Final[Mapping[str, Mapping[str, str]]] = {
    "role": {"test-runner": "implementer", **_NOTHING},
    "phase": {"test-runner": "test", "done": ABSENT, **_NOTHING},
    "checkpoint": _NOTHING,
    "sandbox_word": _NOTHING,
    "row_status": {"done": "closed", "completed": "closed", **_NOTHING},
    "task_status": {"done": "completed", **_NOTHING},
    "sandbox": {"current_sandbox": "sandbox", **_NOTHING},
    "artifact": {"implement.md": "implementation-result.md", **_NOTHING},
    "mosaic_agent": {"claude_code_sonnet_4_5": "claude_code_terminal"},
    "mosaic_mode": {
        **dict.fromkeys(("autonomous", "normal", "task_execution"), "BUILD"),
        "governance_implementation": "BUILD",
        **dict.fromkeys(("deploy", "regression_prevention"), "VERIFY"),
        "emergency_handoff": "HANDOFF",
    },
    "mosaic_status": {"active": "open"},
    "directive_text": _NOTHING,
    "directive_trigger": {
        **dict.fromkeys(("role_switch_handoff", "architect_to_executor_handoff_v1"), ABSENT),
        **dict.fromkeys(("architect_scope_approved", "flow_demo"), ABSENT),
        "architect_execution_resume_selected_session": ABSENT,
    },
    "directive_status": {"open": "todo", "completed": "done", "complete": "done"},
    "directive_access": {
        **dict.fromkeys(("edit", "modify", "create", "rw", "read_write", "readwrite"), "write"),
        **dict.fromkeys(("readonly", "read_only", "ro"), "read"),
    },
}
"""By field: how a value is written there, in lower case, and what it stands for."""


class Resolved(Record):
    """What a value stands for: a word, '' for nothing; None where it is unknown."""

    value: str | None
    alias: bool
    suggestion: str | None


def resolved(field: str, value: str, known: Iterable[str]) -> Resolved:
    """Look a value up among the words of a field (known and aliased); case and blanks are one."""
    words = tuple(known)
    if value in words:
        return Resolved(value, False, None)
    plain = value.strip().casefold()
    for word in words:
        if plain.replace("_", "-") == word.casefold().replace("_", "-"):
            return Resolved(word, True, None)
    alias = ALIASES.get(field, {}).get(plain)
    if alias is not None and (alias == ABSENT or alias in words):
        return Resolved(alias, True, None)
    return Resolved(None, False, nearest(value, words))


def told_of(place: str, field: str, value: str, known: Iterable[str]) -> Told | None:
    """Return what is to be said of a value outside the vocabulary; None of one that is in it."""
    words = tuple(known)
    found = resolved(field, value, words)
    what = field.replace("_", " ")
    if found.value is None:
        sentence = f"There is no {what} {shown(value)}."
        return Told(place, f"{field}_unknown", sentence, found.suggestion)
    if found.alias:
        meant = f"it stands for {shown(found.value)}" if found.value else "it stands for nothing"
        sentence = f"The {what} {shown(value)} is written otherwise: {meant}."
        return Told(place, f"{field}_alias", sentence, found.value or None)
    return None

"""What a handoff of directives says: the fields of ``<slug>.handoff.json``.

Promises: pure; nothing is guessed: a field that is missing, of another kind or unknown is told with
its place, an alias is read as what it stands for, and what no field has is kept as ``more``.
``null``, ``"null"`` and ``n/a`` say nothing at all.

    >>> found, told = read_handoff({"from_role": "pair", "task_file": "null"}, "handoff")
    >>> found.from_role, found.task_file, told[0].code
    ('pair', None, 'missing_field')
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handrail.core.packet import CLEAN_REQUIRED, KNOWN_DIRTY, WORKTREE_MODES
from handrail.core.record import Record
from handrail.projections.aliases import resolved, told_of
from handrail.projections.loose_json import joined, shown
from handrail.projections.port import Told

ROLES: Final = ("architect", "executor", "pair", "auditor")
EXECUTOR: Final = "executor"
TRIGGERS: Final = (
    "architect_ultra_detected",
    "auditor_ultra_open",
    "executor_scope_or_contract_block",
    "pair_out_of_scope",
    "role_policy_conflict",
)
"""The matrix of the agents' rules, the same in all its versions."""
PATH_CHARS_MAX: Final = 1_000
_ALLOWED: Final = "worktree_allowlist_paths"


class Handoff(Record):
    """A handoff as a file or a chat says it; what is absent is None.

    ``more`` is what stands there besides, by its name.
    """

    from_role: str | None = None
    to_role: str | None = None
    trigger: str | None = None
    session_id: str | None = None
    task_file: str | None = None
    directive_branch: str | None = None
    required_reading: str | None = None
    objective: str | None = None
    blocking_rule: str | None = None
    worktree_mode: str | None = None
    worktree_allowlist_paths: tuple[str, ...] = ()
    more: Mapping[str, Any] = {}


FIELDS: Final = tuple(name for name in Handoff._fields if name != "more")
"""In the order in which the files have them."""
REQUIRED: Final = (
    *("from_role", "to_role", "trigger", "session_id", "directive_branch"),
    *("objective", "blocking_rule", "worktree_mode"),
)
OPTIONAL: Final = ("task_file", "required_reading")


def read_handoff(value: Mapping[str, Any], place: str) -> tuple[Handoff, tuple[Told, ...]]:
    """Read the fields of a handoff; returns it, and what is odd about it."""
    told: list[Told] = []
    found: dict[str, Any] = {}
    for name in FIELDS:
        where = joined(place, name)
        if name == _ALLOWED:
            found[name] = _paths(value.get(name), where, told)
        elif name not in value:
            if name in REQUIRED:
                told.append(Told(where, "missing_field", "It is not there."))
        else:
            found[name] = _text(value[name], where, name, told)
    found = _in_words(found, place, told)
    told += _contradictions(Handoff(**found), place)
    more = {name: one for name, one in value.items() if name not in FIELDS}
    told += [
        Told(joined(place, name), "unknown_field", "The format has no such field; it is kept.")
        for name in more
    ]
    return Handoff(**found, more=more), tuple(told)


def _text(value: Any, where: str, name: str, told: list[Told]) -> str | None:
    """Return a text; None for what says nothing."""
    if value is None:
        if name in REQUIRED and name != "session_id":
            told.append(Told(where, "missing_field", "It is null."))
        return None
    if not isinstance(value, str):
        told.append(Told(where, "wrong_type", f"{shown(value)} is no text; it does not count."))
        return None
    if not value.strip() or resolved("directive_text", value, ()).alias:
        if value:
            told.append(Told(where, "absent", f"{shown(value)} is read as nothing."))
        return None
    return value.strip()


def _paths(value: Any, where: str, told: list[Told]) -> tuple[str, ...]:
    """Return the paths that may be unfinished; chats write them with commas between."""
    if isinstance(value, str):
        alone = _text(value, where, _ALLOWED, told)
        value = [] if alone is None else [one.strip() for one in alone.split(",")]
    if value is None:
        return ()
    if not isinstance(value, list):
        told.append(Told(where, "wrong_type", f"{shown(value)} is no list; it does not count."))
        return ()
    kept = []
    for number, one in enumerate(value):
        fault = "it is no text" if not isinstance(one, str) else path_fault(one)
        if fault:
            sentence = f"{shown(one)} is no path: {fault}; it does not count."
            told.append(Told(f"{where}[{number}]", "no_path", sentence))
        else:
            kept.append(one)
    return tuple(dict.fromkeys(kept))


def path_fault(path: str) -> str:
    """Say why a text is no path within a repository; '' if it is one.

    >>> path_fault("src/nav.ts"), path_fault("src/a.mjs (allow dirty context)")
    ('', 'there is prose in it')
    """
    if not path or path != path.strip() or len(path) > PATH_CHARS_MAX or not path.isprintable():
        return "it is empty, too long, or has blanks around it"
    if path.startswith(("/", "~")) or path[1:3] in (":/", ":\\"):
        return "it is absolute"
    if "\\" in path or {"", ".", ".."} & set(path.split("/")):
        return "it leads out, or has a part that names nothing"
    if path.endswith(")") and " (" in path:
        return "there is prose in it"
    return ""


def _in_words(found: dict[str, Any], place: str, told: list[Told]) -> dict[str, Any]:
    """Return the fields with the words of the vocabulary for their aliases."""
    for name, field, words in (
        ("from_role", "role", ROLES),
        ("to_role", "role", ROLES),
        ("worktree_mode", "worktree_mode", WORKTREE_MODES),
    ):
        if found.get(name) is None:
            continue
        said = told_of(joined(place, name), field, found[name], words)
        told += [said] if said is not None else []
        meant = resolved(field, found[name], words).value
        if meant is not None:
            found[name] = meant or None
    trigger = found.get("trigger")
    if trigger is not None and trigger_of(trigger) is None:
        said = told_of(joined(place, "trigger"), "directive_trigger", trigger, TRIGGERS)
        told += [said] if said is not None else []
    return found


def trigger_of(name: str) -> str | None:
    """Return the row of the matrix that a name means, '' for an ordinary handoff; None: unknown.

    >>> trigger_of("pair_out_of_scope"), trigger_of("architect_to_executor_handoff")
    ('pair_out_of_scope', '')
    """
    roles = name.removesuffix("_handoff").split("_to_")
    if name.endswith("_handoff") and len(roles) == 2 and set(roles) <= set(ROLES):
        return ""
    return resolved("directive_trigger", name, TRIGGERS).value


def _contradictions(one: Handoff, place: str) -> list[Told]:
    """Tell of fields that cannot all be meant."""
    told = []
    if one.from_role is not None and one.from_role == one.to_role:
        sentence = "from_role and to_role are the same: nothing is handed over."
        told.append(Told(joined(place, "to_role"), "same_role", sentence))
    if one.worktree_mode == KNOWN_DIRTY and not one.worktree_allowlist_paths:
        sentence = f"{KNOWN_DIRTY} names no path that counts."
        told.append(Told(joined(place, _ALLOWED), "no_paths", sentence))
    if one.worktree_mode == CLEAN_REQUIRED and one.worktree_allowlist_paths:
        sentence = f"{CLEAN_REQUIRED} has no paths beside it: they do not count."
        told.append(Told(joined(place, _ALLOWED), "paths_beside_clean", sentence))
    if one.to_role == EXECUTOR and one.task_file is None:
        sentence = "A handoff to the executor names the task file that it works on."
        told.append(Told(joined(place, "task_file"), "missing_field", sentence))
    task = one.task_file
    if task is not None and path_fault(task):
        sentence = f"{shown(task)} is no path of the repository: {path_fault(task)}."
        told.append(Told(joined(place, "task_file"), "no_path", sentence))
    return told


def value_of(one: Handoff) -> dict[str, Any]:
    """Return a handoff as the files have it: in their order, null for what is absent."""
    value = {name: getattr(one, name) for name in FIELDS}
    if value["required_reading"] is None:
        del value["required_reading"]
    return {**value, _ALLOWED: list(one.worktree_allowlist_paths), **one.more}

"""A directive's own files: ``<slug>.meta.json`` and ``<task>.task.json``, as they are read.

Promises: pure; of a file whatever has its kind counts, everything else is told; what a task allows
is only what says so: an entry with another access than ``write``, with prose in it, absolute or
leading out lets nobody write anything.

    >>> task, told = read_task("a/02.task.json", b'{"task": {"allowed_files": ["src/a.ts"]}}')
    >>> task.allowed, told[0].code
    ((), 'wrong_type')
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from handrail.core.record import Record
from handrail.core.scope import parse_pattern
from handrail.errors import MalformedScope
from handrail.projections.aliases import resolved, told_of
from handrail.projections.directive import path_fault
from handrail.projections.json_text import read_json
from handrail.projections.loose_json import joined, shown
from handrail.projections.port import Told

META: Final = ".meta.json"
TASK: Final = ".task.json"
STATUSES: Final = ("todo", "in_progress", "blocked", "done", "archived")
PRIORITIES: Final = ("urgent", "high", "medium", "low")
ULTRA: Final = "ultra"
ARCHIVED: Final = "archived"
DONE: Final = "done"
WRITE: Final = "write"
ACCESSES: Final = ("read", WRITE)
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "status": STATUSES,
    "priority": PRIORITIES,
    "session_priority": (*PRIORITIES, ULTRA),
    "directive_merge_status": ("open", "merge_ready", "merged", "blocked"),
    "commit_policy": ("per_task", "per_collection", "end_of_directive"),
}
_ALIASED: Final = {"status": "directive_status"}
_TASK_WORDS: Final = {name: _WORDS[name] for name in ("status", "priority", "session_priority")}
ALLOWED_MAX: Final = 256
UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
FOLDER: Final = re.compile(r"[0-9]{2}-[0-9]{2}-[0-9]{2}_[a-z0-9]+(?:-[a-z0-9]+)*\Z")


class Meta(Record):
    """What a directive's metadata says; what is not there, or no text, is ''."""

    path: str
    id: str = ""
    slug: str = ""
    title: str = ""
    status: str = ""
    session_priority: str = ""
    branch: str = ""
    created: str = ""

    @property
    def ultra(self) -> bool:
        """Tell whether it comes before all others."""
        return self.session_priority == ULTRA and self.status != ARCHIVED

    @property
    def over(self) -> bool:
        """Tell whether nobody works on it any more."""
        return self.status in (DONE, ARCHIVED)


class TaskFile(Record):
    """What a task says: where it stands, and the patterns that may be written for it."""

    path: str
    status: str = ""
    allowed: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """Tell whether nobody works on it any more."""
        return self.status in (DONE, ARCHIVED)


def read_meta(path: str, content: bytes) -> tuple[Meta, tuple[Told, ...]]:
    """Read a directive's metadata; raises ValueError for what is no such file."""
    value, told = _object(content)
    meta = value.get("meta")
    if not isinstance(meta, dict):
        raise ValueError("Missing top-level meta object")
    texts = {name: one for name, one in meta.items() if isinstance(one, str)}
    words = _in_words(texts, _WORDS, told)
    for name, form in (("id", UUID), ("directive_slug", SLUG)):
        if form.fullmatch(texts.get(name, "")) is None:
            sentence = f"{shown(meta.get(name))} is none."
            told.append(Told(f"meta.{name}", "wrong_form", sentence))
    return (
        Meta(
            path=path,
            id=texts.get("id", ""),
            slug=texts.get("directive_slug", ""),
            title=texts.get("title", ""),
            status=words.get("status", ""),
            session_priority=words.get("session_priority", ""),
            branch=texts.get("directive_branch", ""),
            created=texts.get("created", ""),
        ),
        tuple(told),
    )


def read_task(path: str, content: bytes) -> tuple[TaskFile, tuple[Told, ...]]:
    """Read a task; raises ValueError for what is no such file."""
    value, told = _object(content)
    task, meta = value.get("task"), value.get("meta")
    if not isinstance(task, dict):
        raise ValueError("Missing top-level task object")
    texts = {name: one for name, one in (meta or {}).items() if isinstance(one, str)}
    words = _in_words(texts if isinstance(meta, dict) else {}, _TASK_WORDS, told)
    entries = task.get("allowed_files", [])
    if not isinstance(entries, list):
        told.append(Told("task.allowed_files", "wrong_type", f"{shown(entries)} is no list."))
        entries = []
    if len(entries) > ALLOWED_MAX:
        sentence = f"There are more than {ALLOWED_MAX}; the rest may not be written."
        told.append(Told("task.allowed_files", "too_many", sentence))
    allowed = [
        _writable(one, f"task.allowed_files[{number}]", told)
        for number, one in enumerate(entries[:ALLOWED_MAX])
    ]
    patterns = tuple(dict.fromkeys(filter(None, allowed)))
    return TaskFile(path, words.get("status", ""), patterns), tuple(told)


def _object(content: bytes) -> tuple[Mapping[str, Any], list[Told]]:
    value, _, told = read_json(content)
    if not isinstance(value, dict):
        raise ValueError(f"it is no JSON object: it is {shown(value)}")
    return value, list(told)


def _in_words(
    texts: Mapping[str, str], words: Mapping[str, Sequence[str]], told: list[Told]
) -> dict[str, str]:
    """Return fields with a vocabulary in its words; what is unknown is told and stays."""
    found = {}
    for name, known in words.items():
        if name not in texts:
            continue
        field = _ALIASED.get(name, name)
        said = told_of(joined("meta", name), field, texts[name], known)
        told += [said] if said is not None else []
        found[name] = resolved(field, texts[name], known).value or texts[name]
    return found


def _writable(entry: Any, place: str, told: list[Told]) -> str:
    """Return the pattern of an entry that lets a path be written; '' where it lets nothing be."""
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        sentence = f"{shown(entry)} names no path with an access; it allows nothing."
        told.append(Told(place, "wrong_type", sentence))
        return ""
    path, access = str(entry["path"]), entry.get("access")
    fault = path_fault(path.removesuffix("/")) or _no_pattern(path)
    if fault:
        sentence = f"{shown(path)} is no path: {fault}; it allows nothing."
        told.append(Told(joined(place, "path"), "no_path", sentence))
        return ""
    text = access if isinstance(access, str) else ""
    found = resolved("directive_access", text, ACCESSES)
    if found.value != WRITE:
        if found.value is None:
            sentence = f"There is no access {shown(access)}; it allows nothing."
            told.append(Told(joined(place, "access"), "access_unknown", sentence, found.suggestion))
        return ""
    if path.endswith("/"):
        sentence = f"{shown(path)} is a folder, and paths are exact; it allows nothing."
        told.append(Told(joined(place, "path"), "is_folder", sentence, f"{path}**"))
        return ""
    return path


def _no_pattern(path: str) -> str:
    """Say why a path is no pattern; '' if it is one."""
    if path.split("/", maxsplit=1)[0] == ".git":
        return "it is git's own"
    try:
        parse_pattern(path.removesuffix("/"))
    except MalformedScope as error:
        return str(error.values.get("reason"))
    return ""

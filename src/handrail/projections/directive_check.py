"""What is wrong with the files of directives, in the words of the original's own check.

Promises: pure; each file is judged by itself, and one that cannot be read hides no other.
``strict`` adds what the original let pass: values outside the vocabulary, handoffs that contradict
their directive, paths that let nobody write.

    check({"26-02-11_nav": {"nav.meta.json": b"{}"}}, "d").errors
    # ('d/26-02-11_nav/nav.meta.json: Missing top-level meta object',)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from handrail.core.record import Record
from handrail.projections.directive import REQUIRED, read_handoff
from handrail.projections.directive_carriers import ARCHITECT_FILE
from handrail.projections.directive_files import (
    FOLDER,
    META,
    SLUG,
    TASK,
    UUID,
    Meta,
    read_meta,
    read_task,
)
from handrail.projections.directive_handoff import SUFFIX
from handrail.projections.json_text import read_json
from handrail.projections.port import Told
from handrail.text import visible

META_REQUIRED: Final = (
    *("id", "directive_slug", "title", "summary", "status", "priority", "session_priority"),
    *("directive_branch", "directive_base_branch", "directive_merge_status", "commit_policy"),
)
TASK_META_REQUIRED: Final = (
    *("id", "title", "status", "priority", "session_priority", "summary"),
    *("execution_model", "thinking_level"),
)
TASK_LISTS: Final = ("constraints", "allowed_files", "steps", "expected_output", "stop_conditions")
LEGACY: Final = (
    *("SESSION.md", "SESSION.meta.json", "HANDOFF.json", "HANDOFF.md"),
    *("README.md", "README.meta.json"),
)
ERRORS_MAX: Final = 1_000
Files = Mapping[str, bytes | str]
"""The files of a directive by their names; a text is why one cannot be read."""


class Checked(Record):
    """What is wrong, a line each, and how many directives were looked at."""

    errors: tuple[str, ...]
    sessions: int


def check(directives: Mapping[str, Files], root: str, *, strict: bool = False) -> Checked:
    """Check directives by the names of their folders."""
    errors: list[str] = []
    ultra = []
    for name, files in sorted(directives.items()):
        errors += _folder(f"{root}/{name}", files, strict=strict)
        if strict and FOLDER.match(name) is None:
            errors.append(f"{root}/{name}: folder should be called YY-MM-DD_<directive_slug>")
        ultra += [name for meta in _metas(files) if meta.ultra]
    if strict and len(ultra) > 1:
        errors.append(f"More than one session has session_priority ultra: {', '.join(ultra)}")
    return Checked(tuple(visible(one) for one in errors[:ERRORS_MAX]), len(directives))


def _metas(files: Files) -> Iterator[Meta]:
    """Yield the metadata that can be read."""
    for name, content in files.items():
        if name.endswith(META):
            found, _ = _odd(read_meta, name, content)
            if found is not None:
                yield found


def _folder(folder: str, files: Files, *, strict: bool) -> Iterator[str]:
    for name in sorted(files):
        if name in LEGACY or (name.startswith("TASK_") and name.endswith(".md")):
            yield f"Legacy file naming not allowed: {folder}/{name}"
    metas = [name for name in sorted(files) if name.endswith(META) and name not in LEGACY]
    if len(metas) != 1:
        yield f"Expected exactly one <directive_slug>{META} in {folder}"
    handoffs = [name for name in sorted(files) if name.endswith(SUFFIX)]
    handoffs = [name for name in handoffs if not name.endswith(ARCHITECT_FILE)]
    if len(handoffs) > 1:
        yield f"Expected at most one <directive_slug>{SUFFIX} in {folder}"
    known: Meta | None = None
    for name in metas:
        path = f"{folder}/{name}"
        yield from (f"{path}: {one}" for one in _meta(files[name]))
        if strict:
            known, odd = _odd(read_meta, path, files[name])
            yield from (f"{path}: {one}" for one in odd)
    for name in sorted(files):
        path = f"{folder}/{name}"
        if name.endswith(TASK):
            yield from (f"{path}: {one}" for one in _task(files[name]))
            if strict:
                yield from (f"{path}: {one}" for one in _odd(read_task, path, files[name])[1])
    for name in handoffs:
        yield from (
            f"{folder}/{name}: {one}"
            for one in _handoff(files[name], name, known if strict else None, strict=strict)
        )


def _odd(read: Any, path: str, content: bytes | str) -> tuple[Any, list[str]]:
    """Return what was read of a file, and all that was told of it."""
    if isinstance(content, str):
        return None, []
    try:
        found, told = read(path, content)
    except ValueError:
        return None, []
    return found, [_line(one) for one in told]


def _line(told: Told) -> str:
    return f"{told.place}: {told.sentence} [{told.code}]"


def _object(content: bytes | str) -> tuple[Mapping[str, Any], str]:
    """Return the object of a file, or why there is none."""
    if isinstance(content, str):
        return {}, content
    try:
        value = read_json(content)[0]
    except ValueError as error:
        return {}, str(error)
    return (value, "") if isinstance(value, dict) else ({}, "it is no JSON object")


def _meta(content: bytes | str) -> Iterator[str]:
    value, fault = _object(content)
    meta = value.get("meta")
    if fault or not isinstance(meta, dict):
        yield fault or "Missing top-level meta object"
        return
    yield from _scalars(meta, META_REQUIRED)
    if "id" in meta and UUID.fullmatch(str(meta["id"])) is None:
        yield "meta.id must be UUID"
    if "directive_slug" in meta and SLUG.fullmatch(str(meta["directive_slug"])) is None:
        yield "meta.directive_slug must be slug"


def _scalars(meta: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        if meta.get(name) in (None, ""):
            yield f"Missing meta.{name}"
        elif isinstance(meta[name], dict | list):
            yield f"meta.{name} must be scalar"


def _task(content: bytes | str) -> Iterator[str]:
    value, fault = _object(content)
    if fault:
        yield fault
        return
    meta, task = value.get("meta"), value.get("task")
    if isinstance(meta, dict):
        yield from _scalars(meta, TASK_META_REQUIRED)
    else:
        yield "Missing top-level meta object"
    if not isinstance(task, dict):
        yield "Missing top-level task object"
        return
    if not isinstance(task.get("objective"), str) or not task["objective"].strip():
        yield "task.objective required"
    for name in TASK_LISTS:
        if not isinstance(task.get(name), list) or not task[name]:
            yield f"task.{name} must be non-empty array"
    validation = task.get("validation")
    if not isinstance(validation, dict):
        yield "task.validation required object"
    elif not isinstance(validation.get("commands"), list) or not validation["commands"]:
        yield "task.validation.commands must be non-empty array"


def _handoff(content: bytes | str, name: str, meta: Meta | None, *, strict: bool) -> Iterator[str]:
    value, fault = _object(content)
    handoff = value.get("handoff")
    if fault or not isinstance(handoff, dict):
        yield fault or "Missing top-level handoff object"
        return
    for field in REQUIRED:
        if not isinstance(handoff.get(field), str) or not handoff[field].strip():
            yield f"handoff.{field} required string"
    if not isinstance(handoff.get("worktree_allowlist_paths"), list):
        yield "handoff.worktree_allowlist_paths must be array"
    if not strict:
        return
    found, told = read_handoff(handoff, "handoff")
    yield from (_line(one) for one in told if one.code != "missing_field")
    if meta is None:
        return
    if found.session_id != meta.id:
        yield f"handoff.session_id is {found.session_id}, and meta.id is {meta.id}"
    if found.directive_branch != meta.branch:
        yield (
            f"Handoff branch '{found.directive_branch}' does not match directive metadata branch "
            f"'{meta.branch}'."
        )
    if name != f"{meta.slug}{SUFFIX}":
        yield f"filename should match directive_slug '{meta.slug}'"

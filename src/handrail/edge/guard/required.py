"""Required reading at the hooks: what was shown counts, what is short is given at the beginning.

Promises: what is given is marked as what it is, line by line, and only where all that is told stays
below what the harness takes; only a document that was given whole counts as given. A read is noted
in a session that has begun; none is begun for it.

    required(application, ["Handrail: you are …"])   # ["Handrail: required reading AGENTS.md …", …]
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail.core import reading
from handrail.core.reading import GIVEN, Document, ToRead, awaited, next_step, unread
from handrail.edge.guard.places import Places
from handrail.edge.guard.quick import LOADED
from handrail.edge.harness.claude import Call
from handrail.service.identity import session_here
from handrail.service.policy import rules_in_force
from handrail.service.readings import Readings, look
from handrail.text import visible
from handrail.typed import Final
from handrail.wiring import Application

TOLD_CHARS_MAX: Final = 9_500
"""Claude Code moves what is longer than 10 000 characters into a file, unread."""
LIST_CHARS_MAX: Final = 3_000
"""Kept free for naming what is left: nothing is given that would push it out."""

NAMED_MAX: Final = 6
PATH_CHARS_MAX: Final = 120
LIST: Final = "`handrail reading list`"


def shown(places: Places, call: Call) -> None:
    """Enter that the agent was shown a file whole."""
    how = reading.LOADED if call.event == LOADED else reading.READ
    for application, targets in places.by_workspace(places.targets((call.shown,), call.cwd)):
        with application.store.read() as reader:
            name = session_here(reader, call.session, application.caller.worktree)
            known = reader.session(name)
            waits = awaited(reader.reading(name))
        if known is None or not known.live or not waits:
            continue
        application.act_as(name)
        Readings(application.context).saw([p for one in targets for p in one.paths], how)


def somebody_reads(application: Application) -> bool:
    """Tell whether any role has required reading."""
    with application.store.read() as reader:
        return any(role.reading for role in rules_in_force(reader).settings.roles)


def required(application: Application, told: Sequence[str]) -> list[str]:
    """Return what the acting session has to read: short documents themselves, and what is left.

    ``told`` is what it is told besides.
    """
    readings = Readings(application.context)
    readings.expect()
    rows = readings.standing().rows
    if not rows:
        return []
    left = TOLD_CHARS_MAX - LIST_CHARS_MAX - sum(_width(line) + 1 for line in told)
    waits = awaited(rows)
    found = look(application.context, [row.path for row in waits]) if waits else {}
    lines: list[str] = []
    given: list[Document] = []
    for row in waits:
        text = _given(row, found[row.path])
        size = sum(_width(line) + 1 for line in text)
        if text and size <= left:
            left -= size
            lines += text
            given.append(found[row.path])
    if given:
        rows = readings.received(given, GIVEN).rows
    return [*lines, *_unbound([row for row in rows if row.fault]), *_left(rows)]


def _unbound(rows: Sequence[ToRead]) -> list[str]:
    """Say which documents bind nobody, and why."""
    lines = [
        f"- Required reading of {row.source} binds nobody: {_named([row])}: {row.fault}"
        for row in rows[:NAMED_MAX]
    ]
    more = len(rows) - NAMED_MAX
    return [*lines, f"- and {more} more: {LIST}"] if more > 0 else lines


def _given(row: ToRead, document: Document) -> list[str]:
    """Return a document's lines, marked; nothing where it is long or other than was asked for."""
    if not document.text.strip() or document.commit or document.digest != row.digest:
        return []
    name = visible(row.path)
    head = f"Handrail: required reading of {row.source}, the whole of {name} (the file's words):"
    return [head, *(f"    | {line}".rstrip() for line in document.text.rstrip("\n").split("\n"))]


def _left(rows: Sequence[ToRead]) -> list[str]:
    """Name what is left to read, and how to go on."""
    left = unread(rows)
    later = [row for row in awaited(rows) if not row.binds]
    lines = []
    if left:
        step = f"`{next_step(left)}`" if len(left) <= NAMED_MAX else LIST
        lines.append(f"- Before your first edit, read each of these as a whole: {_named(left)}")
        lines.append(f"- next: read them with your own tool for it, or {step}")
    if later:
        lines.append(f"- What waits for you asks you to read, too: {_named(later)}")
    return lines


def _named(rows: Sequence[ToRead]) -> str:
    named = ", ".join(visible(row.path)[:PATH_CHARS_MAX] for row in rows[:NAMED_MAX])
    return named + (f" and {len(rows) - NAMED_MAX} more" if len(rows) > NAMED_MAX else "")


def _width(text: str) -> int:
    """Count characters as the harness does, in units of UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2

r"""``ops/PROJECT_TRACKER.md``: rows of the role activity ledger and of the integrator's log.

Promises:

- People's text is theirs. Rows are added at the end of a section's table; a section or a table
  that is missing is made at the end, and only when there is a row to add. All other bytes stay:
  line ends, a byte order mark, a missing last line end, rows with too few or too many cells.
- Whatever was added is read back before it is given out; where it would not be a row (within an
  open comment, beside a merge conflict) nothing is written.
- What Handrail added is known by its row (``made_activity``, ``made_coordination``). Of such a row
  it changes one cell later: ``open`` becomes ``closed`` when the session has ended.
- Reading back: rows of sessions that Handrail knows are claims. All other rows stay where they
  are, in the file: it is their only place, a copy of thousands of them in the ledger would say
  nothing more, and a row of one branch has no business in another. So an import keeps no row
  either, and tells of the odd ones.

    with_rows(content, [{"session_id": "s-1", "role": "website", "activity": "Navigation"}], [])
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from handrail.core.names import plain_name
from handrail.core.record import Record
from handrail.projections.instants import instant_ms
from handrail.projections.loose_json import sides_of, within_bounds, written
from handrail.projections.markdown import (
    Document,
    as_read,
    document,
    encoded,
    line_end,
    row,
    with_cell,
)
from handrail.projections.port import Known, Projection, Read, Row, Told
from handrail.projections.tracker_rows import (
    ACTIVITY,
    COORDINATION,
    PARTS,
    Part,
    TrackerRow,
    rows_of,
    table_of,
    told_of_part,
)

OPEN: Final = "open"
CLOSED: Final = "closed"
TITLE: Final = "# Project Tracker"


class Tracker(Record):
    """What a tracker says: the file as lines, and the rows of its two sections."""

    page: Document
    rows: Mapping[str, tuple[TrackerRow, ...]]


class Made(Record):
    """A row that Handrail adds: its key, the section, its cells by column."""

    key: str
    part: Part
    fields: Mapping[str, str]

    def is_in(self, found: TrackerRow) -> bool:
        """Tell whether a row of the file is this one, whatever else its cells say."""
        names = ["session_id"]
        if self.part is ACTIVITY:
            names.append("role")
        elif self.key.count("/") > 1:
            names.append("coordination_event")
        return all(found.fields.get(name, "") == as_read(self.fields[name]) for name in names)


# --- rows that Handrail makes --------------------------------------------------------------------


def made_activity(session: str, role: str, fields: Mapping[str, str]) -> Row:
    """Return the row to keep for what a session did in a role; ``fields`` by column."""
    cells = {"status": OPEN, **fields, "session_id": session, "role": role}
    return _made(f"{ACTIVITY.name}/{session}/{plain_name(role)}", cells)


def made_coordination(session: str, fields: Mapping[str, str], what: str | None = None) -> Row:
    """Return the row to keep for an event between lanes; ``what`` where it needs one of its own."""
    cells = {"status": OPEN, **fields, "session_id": session}
    cells.setdefault("coordination_event", "")
    key = f"{COORDINATION.name}/{session}"
    return _made(key if what is None else f"{key}/{plain_name(what)}", cells)


def _made(key: str, cells: Mapping[str, str]) -> Row:
    at = instant_ms(cells.get("date_time"))
    return Row(key, written({"made": True, "cells": dict(sorted(cells.items()))}), max(at or 0, 0))


def _made_rows(known: Known) -> Iterator[Made]:
    for key in sorted(known.rows):
        part = PARTS.get(key.partition("/")[0])
        record = json.loads(known.rows[key]) if part else {}
        if part and record.get("made"):
            yield Made(key, part, record["cells"])


# --- the file ------------------------------------------------------------------------------------


def parse(content: bytes) -> Tracker:
    """Read a tracker; raises ValueError for one that is too long."""
    page = document(content)
    return Tracker(page, {name: rows_of(page, part) for name, part in PARTS.items()})


def conflict_line(content: bytes) -> int:
    """Return the line of the first merge conflict, 0 where there is none."""
    return sides_of(content.decode("utf-8", "replace"))[1]


def with_rows(
    content: bytes | None,
    activity_rows: Sequence[Mapping[str, str]],
    coordination_rows: Sequence[Mapping[str, str]],
) -> bytes:
    """Return the file with rows added to its two tables; raises ValueError where that cannot be."""
    return _with_rows(parse(content or b""), activity_rows, coordination_rows).page.to_bytes()


def _with_rows(
    tracker: Tracker,
    activity_rows: Sequence[Mapping[str, str]],
    coordination_rows: Sequence[Mapping[str, str]],
) -> Tracker:
    for part, rows in ((ACTIVITY, activity_rows), (COORDINATION, coordination_rows)):
        if rows:
            tracker = _added(tracker, part, rows)
    return tracker


def _added(tracker: Tracker, part: Part, rows: Sequence[Mapping[str, str]]) -> Tracker:
    """Add rows to one section and read the file again."""
    page = tracker.page
    if conflict_line(page.to_bytes()):
        raise ValueError("A merge conflict stands in the file; no row is added to it.")
    section, table = page.section(part.title), table_of(page, part)
    names = table.names if table else part.columns
    texts = [row([fields.get(name, "") for name in names]) for fields in rows]
    at = len(page.lines)
    if table is not None:
        at = table.end
    else:
        texts = ["", row(names), row(["---"] * len(names)), *texts]
        if section is not None:
            at = section[1]
        else:
            texts = ["", f"## {part.title}", *texts]
        while at and not page.lines[at - 1].strip():
            at -= 1
    if not page.lines:
        texts.insert(0, TITLE)
    after = parse(encoded(_inserted(page, at, texts)))
    if len(after.rows[part.name]) != len(tracker.rows[part.name]) + len(rows):
        raise ValueError("There is no place in the file where a row would be read as one.")
    return after


def _inserted(page: Document, at: int, texts: Sequence[str]) -> list[str]:
    """Insert lines; a file whose last line has no end keeps it so."""
    lines = list(page.lines)
    new = [text + page.eol for text in texts]
    if at == len(lines) and lines and not line_end(lines[-1]):
        new = [page.eol + new[0], *new[1:]]
        new[-1] = new[-1].removesuffix(page.eol)
    lines[at:at] = new
    return lines


# --- rendering -----------------------------------------------------------------------------------


def render(known: Known, before: bytes | None) -> bytes | None:
    """Add the rows that the file lacks and close those of sessions that ended; None: leave it."""
    made = list(_made_rows(known))
    if not made and before is None:
        return None
    try:
        tracker = parse(before or b"")
        if conflict_line(before or b""):
            return None
        if not made:
            return before
        live = {session.id for session in known.sessions if session.live}
        lines = list(tracker.page.lines)
        missing: dict[str, list[Mapping[str, str]]] = {name: [] for name in PARTS}
        for one in made:
            over = one.fields["session_id"] not in live
            found = [row for row in tracker.rows[one.part.name] if one.is_in(row)]
            if not found:
                fields = dict(one.fields)
                if over and fields.get("status") == OPEN:
                    fields["status"] = CLOSED
                missing[one.part.name].append(fields)
            for row_ in found if over else ():
                if row_.fields.get("status") == OPEN and row_.columns == len(row_.names):
                    at = row_.names.index("status")
                    lines[row_.line - 1] = with_cell(lines[row_.line - 1], at, CLOSED)
        if lines != list(tracker.page.lines):
            tracker = parse(encoded(lines))
        return _with_rows(
            tracker, missing[ACTIVITY.name], missing[COORDINATION.name]
        ).page.to_bytes()
    except ValueError:
        return None  # too long, or no place for a row


# --- reading -------------------------------------------------------------------------------------


def read(known: Known, content: bytes, *, importing: bool) -> Read:
    """Read the file: claims of known sessions, or when importing only what is odd in it."""
    line = conflict_line(content)
    if line:
        sentence = "A merge conflict stands in the file; no row of it is read and none is added."
        return Read((), (Told(f"line {line}", "merge_conflict", sentence),))
    tracker = parse(content)
    told: list[Told] = []
    if importing:
        for part in PARTS.values():
            told.extend(told_of_part(tracker.page, part, tracker.rows[part.name], known))
        return Read((), tuple(told))
    rows = [row for name in PARTS for row in _claims(known, PARTS[name], tracker.rows[name])]
    return Read(tuple(within_bounds(rows, told)), tuple(told))


def _claims(known: Known, part: Part, rows: Iterable[TrackerRow]) -> Iterator[Row]:
    """Give the rows of sessions that are known as claims, each under a name of its own."""
    sessions = {session.id for session in known.sessions}
    made = [one for one in _made_rows(known) if one.part is part]
    taken = {one.key for one in made}
    for row_ in rows:
        session = row_.fields.get("session_id", "")
        mine = next((one for one in made if one.is_in(row_)), None)
        if mine is not None:
            made.remove(mine)
            record: dict[str, Any] = {"made": True, "cells": {**mine.fields, **row_.fields}}
            key = mine.key
        elif session in sessions:
            record = {"cells": dict(row_.fields)}
            key = _free_key(part, row_, taken)
        else:
            continue
        record["cells"] = dict(sorted(record["cells"].items()))
        if known.rows.get(key) != written(record):
            at = instant_ms(row_.fields.get("date_time"))
            yield Row(key, written(record), max(at or 0, 0))


def _free_key(part: Part, row_: TrackerRow, taken: set[str]) -> str:
    begin = f"{part.name}/{row_.fields['session_id']}"
    if part is ACTIVITY:
        begin += f"/{plain_name(row_.fields.get('role', ''))}"
    key, number = begin, 1
    while key in taken:
        number += 1
        key = f"{begin}/{number}"
    taken.add(key)
    return key


TRACKER: Final = Projection("lanes-tracker", render, read, by_lines=True)

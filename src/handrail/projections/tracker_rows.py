"""The two sections of a tracker that machines read: their tables, their rows, what is odd in them.

Promise: every line of a section that begins with a bar is a row, a header or the line under one,
and none is passed over: one outside of the table is a row too, and told, since the original read
it as one.

    rows_of(page, ACTIVITY)[0].fields["role"]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from handrail.core.record import Record
from handrail.projections.aliases import told_of
from handrail.projections.coordination_check import FORBIDDEN_SESSION
from handrail.projections.loose_json import shown
from handrail.projections.markdown import Document, Table, cells, is_delimiter
from handrail.projections.port import Known, Told

STATUSES: Final = ("closed", "open")


class Part(Record):
    """A section: its name here, its title in the file, the columns of its table."""

    name: str
    title: str
    columns: tuple[str, ...]


ACTIVITY: Final = Part(
    "activity",
    "2) Role Activity Ledger",
    (
        *("session_id", "role", "agent_id", "scope"),
        *("activity", "status", "evidence", "follow_up"),
    ),
)
COORDINATION: Final = Part(
    "coordination",
    "3) Integrator Coordination Log",
    (
        *("date_time", "session_id", "roles_involved"),
        *("coordination_event", "decision", "status"),
    ),
)
PARTS: Final = {part.name: part for part in (ACTIVITY, COORDINATION)}
_NEEDED: Final = {"activity": ("session_id", "role", "agent_id"), "coordination": ("session_id",)}


class TrackerRow(Record):
    """A row: its line (from 1), the columns it is read by, its cells, how many there are."""

    line: int
    names: tuple[str, ...]
    fields: Mapping[str, str]
    columns: int
    in_table: bool


def table_of(page: Document, part: Part) -> Table | None:
    """Find the table of a section: the first one whose first column is the part's."""
    section = page.section(part.title)
    if section is None:
        return None
    heading, end = section
    for table in page.tables:
        if heading.line < table.line < end and table.names[0] == part.columns[0]:
            return table
    return None


def rows_of(page: Document, part: Part) -> tuple[TrackerRow, ...]:
    """List the rows of a section, in order."""
    section = page.section(part.title)
    if section is None:
        return ()
    heading, end = section
    tables = {line: table for table in page.tables for line in range(table.line, table.end)}
    names = part.columns
    found: list[TrackerRow] = []
    blocks = [*page.paragraphs, *((table.line, table.end) for table in page.tables)]
    for start, stop in sorted(blocks):
        for line in range(max(start, heading.end), min(stop, end)):
            text = page.lines[line]
            table = tables.get(line)
            if table is not None and table.names[0] != part.columns[0]:
                continue  # a table of something else
            if table is not None:
                names = table.names
            values = cells(text) if table is not None or text.lstrip().startswith("|") else []
            head = values[:1] == [part.columns[0]] or (
                table is not None and line in (table.line, table.line + 1)
            )
            if values and not head and not is_delimiter(text, len(values)):
                fields = dict(zip(names, values, strict=False))
                found.append(TrackerRow(line + 1, names, fields, len(values), table is not None))
    return tuple(found)


def told_of_part(
    page: Document, part: Part, rows: Iterable[TrackerRow], known: Known
) -> Iterator[Told]:
    """Tell of everything that is odd in a section."""
    section = page.section(part.title)
    if section is None:
        sentence = f"There is no section '## {part.title}'; it is made with its first row."
        yield Told("the end", "section_missing", sentence, f"## {part.title}")
        return
    place = f"line {section[0].line + 1}"
    if section[0].title.strip() != part.title or section[0].level != 2:
        sentence = f"The heading {shown(section[0].title)} is not written as it is elsewhere."
        yield Told(place, "heading_differs", sentence, f"## {part.title}")
    table = table_of(page, part)
    if table is None:
        sentence = f"The section has no table that begins with {part.columns[0]}."
        yield Told(place, "table_missing", sentence)
    elif set(part.columns) - set(table.names):
        lacking = ", ".join(name for name in part.columns if name not in table.names)
        yield Told(f"line {table.line + 1}", "column_missing", f"The table lacks {lacking}.")
    roles = tuple(role.name for role in known.roles)
    for row in rows:
        yield from _told_of_row(part, row, roles)


def _told_of_row(part: Part, row: TrackerRow, roles: tuple[str, ...]) -> Iterator[Told]:
    place = f"line {row.line}"
    if not row.in_table:
        yield Told(place, "row_outside_table", "The row stands outside of the table.")
    if row.columns != len(row.names):
        sentence = f"The row has {row.columns} cells, the table {len(row.names)} columns."
        too_many = row.columns > len(row.names)
        hint = "write | within a cell as \\|" if too_many else None
        yield Told(place, "row_cells", sentence, hint)
        if too_many:
            return  # nobody knows which cell is which
    for name in _NEEDED[part.name]:
        if not row.fields.get(name):
            yield Told(place, "field_missing", f"The cell {name} is missing or empty.")
    if row.fields.get("session_id") == FORBIDDEN_SESSION:
        sentence = f"The session id {shown(FORBIDDEN_SESSION)} is not allowed."
        yield Told(place, "session_forbidden", sentence, "an id for each session")
    named = [row.fields.get("role", ""), *row.fields.get("roles_involved", "").split(",")]
    for field, values, words in (
        ("role", named, roles),
        ("row_status", [row.fields.get("status", "")], STATUSES),
    ):
        for value in filter(None, (one.strip(" `") for one in values)):
            told = told_of(place, field, value, words)
            if told is not None:
                yield told

"""What becomes of a projection, and the events that say so: shared by files and folders.

kept_as("ops/tracker/coordination.json", row, READ)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from handrail.config import blob_id
from handrail.core.events import Event
from handrail.core.projected import RECORD_CHARS_MAX, ProjectionWritten, RowKept
from handrail.core.record import Record
from handrail.projections.port import Asked, Row, Told
from handrail.service.known import has_written
from handrail.store.port import Reader

if TYPE_CHECKING:
    from handrail.config.records import ProjectionFile

ROWS_MAX: Final = 100_000
TOLD_MAX: Final = 1_000

WRITTEN: Final = "written"
SAME: Final = "same"
ABSENT: Final = "absent"
LEFT: Final = "left"


class Shown(Record):
    """What became of one projection.

    ``outcome`` is written, same, absent (there is nothing to show) or left (see ``told``);
    ``kept`` is how many rows were entered from what people wrote. ``behind`` is the file that a
    projection which is a link leads to. ``asked`` says which work the file calls complete.
    """

    path: str
    format: str
    outcome: str
    kept: int
    told: tuple[Told, ...]
    behind: str | None = None
    asked: Asked | None = None


def left(one: ProjectionFile, code: str, why: str) -> Shown:
    """Return that a projection stays as it is, and why."""
    return Shown(one.path, one.format, LEFT, 0, (Told(one.path, code, why),))


def bounded(rows: Iterable[Row]) -> list[Row]:
    """Refuse what no table holds; raises ValueError."""
    found = list(rows)
    if len(found) > ROWS_MAX:
        raise ValueError(f"it has more than {ROWS_MAX} rows")
    for row in found:
        if len(row.record) > RECORD_CHARS_MAX:
            raise ValueError(f"{row.key} has more than {RECORD_CHARS_MAX} characters")
    return found


def kept_as(path: str, row: Row, source: str) -> RowKept:
    """Return what enters a row of the projection at a path."""
    return RowKept(path, row.key, row.record, source, row.claimed_at)


def unknown(reader: Reader, path: str, content: bytes) -> list[Event]:
    """Return what says that Handrail writes these bytes there, unless that was said before."""
    if has_written(reader, path, content):
        return []
    return [ProjectionWritten(path, blob_id(content))]

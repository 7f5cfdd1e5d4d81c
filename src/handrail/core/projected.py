"""What is known of projections: rows that only people know or that were imported, bytes written.

Promise: as ``core.events`` for the events and ``core.state`` for what they do to the tables. A row
has a name within its projection; the newest one of a name counts, and one without a record is gone.
Bytes are known by git's id of them: what Handrail never wrote under a path is not its projection.

    >>> KeptRow("ops/tracker/coordination.json", "conflicts/000001", 7).seq
    7
"""

from __future__ import annotations

from handrail.core.record import Record
from handrail.typed import Final, Protocol

RECORD_CHARS_MAX: Final = 65_536
"""So long is the record of a row at most; what is longer is no row of a table."""
IMPORTED: Final = "import"
READ: Final = "read"
MADE: Final = "made"


class RowKept(Record):
    """A row of a projection: imported as history, read back as a claim, or made by Handrail.

    ``record`` is canonical JSON, '' where the row is gone; ``source`` is import, read or made;
    ``claimed_at`` what it says of its own time, 0 for nothing. It gives no token.
    """

    projection: str
    key: str
    record: str
    source: str
    claimed_at: int


class ProjectionWritten(Record):
    """Handrail wrote a projection: git's id of the bytes."""

    projection: str
    blob: str


class KeptRow(Record):
    """Which entry holds the newest record of a row."""

    projection: str
    key: str
    seq: int


class Tables(Protocol):
    """The part of ``core.state.Tables`` that projections need."""

    def put_row(self, row: KeptRow) -> None:
        """Add a row, or replace the one of the same name."""

    def drop_row(self, projection: str, key: str) -> None:
        """Forget a row."""

    def put_written(self, projection: str, blob: str, seq: int) -> None:
        """Remember where Handrail last wrote these bytes there."""


def projected(tables: Tables, seq: int, change: RowKept | ProjectionWritten) -> None:
    """Let what entry ``seq`` says of a projection act."""
    match change:
        case RowKept(projection, key, record):
            if record:
                tables.put_row(KeptRow(projection, key, seq))
            else:
                tables.drop_row(projection, key)
        case ProjectionWritten(projection, blob):
            tables.put_written(projection, blob, seq)

"""What SQLite says in its own way, asked of one consistent view of the file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import apsw

from handrail.core.ledger import Entry
from handrail.store.clock import Reading
from handrail.store.sql.handoffs import Cursor
from handrail.store.sql.reader import LEASE, STATE, Kept, SqlReader, StateRow, marks, read_entry
from handrail.typed import cast

PLACE = "state.db"
# As in the index of the migration, to the letter; a payload that is no JSON has none.
_PATHS_HASH = (
    "json_extract(iif(json_valid(CAST(payload AS TEXT)), CAST(payload AS TEXT), '{}'),"
    " '$.paths_hash')"
)
_STATE = f"{STATE} FROM state"
_NEAR = (
    f"SELECT {LEASE} FROM may_write a"
    " CROSS JOIN lease l ON l.session = a.session AND l.token = a.token WHERE {}"
    " ORDER BY a.anchor, a.token"
)


def state_row(connection: apsw.Connection) -> StateRow | None:
    """Return what every transaction asks first."""
    return cast("StateRow | None", connection.execute(_STATE).get)


class SqliteDialect(SqlReader):
    """What SQLite says differently."""

    def _near(self, points: Sequence[str], below: str) -> Cursor:
        # To SQLite no text is greater than a blob.
        bounds = (below + "/", below + "0") if below else ("", b"")
        return self._stream(_near(len(points)), (*points, *bounds))

    def _below(self, below: str) -> tuple[str, tuple[str | bytes, ...]]:
        bounds = (below + "/", below + "0") if below else ("", b"")
        return "anchor > ? AND anchor < ?", bounds

    def _stream(self, sql: str, values: tuple[str | bytes | int, ...]) -> Cursor:
        cursor = self._run(sql, values)
        self._streams.append(cursor)
        return cursor

    def close(self) -> None:
        """End what is still being read: an open cursor would keep its snapshot alive."""
        for cursor in self._streams:
            cursor.close()

    def attested_alike(self, paths_hash: str, limit: int) -> list[Entry]:
        """Return attestations of just these paths, the newest, newest first."""
        rows = self._run(
            f"SELECT seq, header, payload FROM entry WHERE {_PATHS_HASH} = ?"
            " AND kind = 'commit.attested' ORDER BY seq DESC LIMIT ?",
            (paths_hash, limit),
        ).fetchall()
        return [read_entry(row) for row in rows]


class SqliteReader(SqliteDialect):
    """One consistent view of the file; lives inside a transaction of its connection."""

    def __init__(
        self, connection: apsw.Connection, reading: Reading, kept: Kept | None = None
    ) -> None:
        super().__init__(connection.execute, state_row(connection), reading, kept, PLACE)


@cache
def _near(points: int) -> str:
    """Return the statement that looks at so many anchors, then at everything between two bounds."""
    first = _NEAR.format(f"a.anchor IN ({marks('?' * points)})")
    then = _NEAR.format("a.anchor > ? AND a.anchor < ?")
    return f"SELECT * FROM ({first}) UNION ALL SELECT * FROM ({then})"

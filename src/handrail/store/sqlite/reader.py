"""One consistent view of the file."""

from __future__ import annotations

import apsw

from handrail.store.clock import Reading
from handrail.store.sql.reader import STATE, Kept, SqlReader, StateRow
from handrail.store.sqlite.dialect import SqliteDialect
from handrail.typed import Final, cast

PLACE: Final = "state.db"
DIALECT: Final = SqliteDialect()
_STATE: Final = f"{STATE.format(at='')} FROM state"


class SqliteReader(SqlReader):
    """One consistent view of the file; lives inside a transaction of its connection."""

    def __init__(
        self, connection: apsw.Connection, reading: Reading, kept: Kept | None = None
    ) -> None:
        super().__init__(DIALECT, connection.execute, state_row(connection), reading, kept, PLACE)


def state_row(connection: apsw.Connection) -> StateRow | None:
    """Return what every transaction asks first."""
    return cast("StateRow | None", connection.execute(_STATE).get)

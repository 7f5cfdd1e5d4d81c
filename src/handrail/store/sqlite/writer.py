"""Changing the file: what SQLite says in its own way, and the exclusive transaction."""

from __future__ import annotations

from collections.abc import Callable

import apsw

from handrail.store.clock import Reading
from handrail.store.sql.reader import Kept, marks
from handrail.store.sql.writer import SqlTables, SqlTx
from handrail.store.sqlite.reader import PLACE, SqliteDialect, state_row


class SqliteTables(SqlTables):
    """``core.state.Tables`` in the file."""

    def _put(self, table: str, row: tuple[object, ...]) -> None:
        self._run(f"INSERT OR REPLACE INTO {table} VALUES ({marks(row)})", row)


class SqliteTx(SqliteDialect, SqlTx):
    """The exclusive transaction of the file."""

    def __init__(
        self,
        connection: apsw.Connection,
        reading: Reading,
        salt: Callable[[], str],
        kept: Kept | None = None,
    ) -> None:
        run, tables = connection.execute, SqliteTables(connection.execute)
        SqlTx.__init__(self, run, state_row(connection), reading, kept, PLACE, tables, salt)

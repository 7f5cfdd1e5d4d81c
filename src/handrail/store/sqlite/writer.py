"""Changing the file: what SQLite says in its own way, and the exclusive transaction."""

from __future__ import annotations

from collections.abc import Callable

import apsw

from handrail.store.clock import Reading
from handrail.store.sql.reader import Kept
from handrail.store.sql.writer import SqlTables, SqlTx
from handrail.store.sqlite.connection import MOVED
from handrail.store.sqlite.reader import DIALECT, PLACE, state_row


class SqliteTx(SqlTx):
    """The exclusive transaction of the file."""

    def __init__(
        self,
        connection: apsw.Connection,
        reading: Reading,
        salt: Callable[[], str],
        kept: Kept | None = None,
    ) -> None:
        run, row = connection.execute, state_row(connection)
        tables = SqlTables(DIALECT, run)
        super().__init__(DIALECT, run, row, reading, kept, PLACE, tables, salt)

    def retire(self, place: str) -> None:
        """Be no store any more, with the next commit."""
        self._touched = True
        self._run("CREATE TABLE moved (place TEXT NOT NULL) STRICT")
        self._run("INSERT INTO moved VALUES (?)", (place,))
        self._run(f"PRAGMA user_version={MOVED}")

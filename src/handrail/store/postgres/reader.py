"""One snapshot of a workspace's schema."""

from __future__ import annotations

from collections.abc import Callable

from handrail.store.clock import Reading
from handrail.store.postgres.dialect import PostgresDialect
from handrail.store.sql.handoffs import Cursor
from handrail.store.sql.reader import Kept, SqlReader, StateRow
from handrail.typed import Final

DIALECT: Final = PostgresDialect()
NOW: Final = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
"""The server's wall clock in ms since 1970; ``now()`` would be when the transaction began."""


class PostgresReader(SqlReader):
    """One snapshot; lives inside a transaction of its connection."""

    def __init__(
        self,
        run: Callable[..., Cursor],
        row: StateRow | None,
        reading: Reading,
        kept: Kept | None,
        place: str,
    ) -> None:
        super().__init__(DIALECT, run, row, reading, kept, place)


def reading_of(server_ms: int) -> Reading:
    """Return the server's clock as a machine's that has been running since 1970."""
    return "", server_ms, server_ms

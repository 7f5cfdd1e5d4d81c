"""Changing a workspace's schema: what PostgreSQL says in its own way, and the transaction.

Promise: statements whose answer nobody waits for travel together with the next one that somebody
does, so that a change costs few round trips; a commit returns when the server has said that it is
durable.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from handrail.core.events import CommitAttested, Event, WaitBegan, subject_of
from handrail.core.ledger import Entry
from handrail.core.state import State
from handrail.store.clock import Reading
from handrail.store.postgres.reader import PostgresDialect
from handrail.store.sql.handoffs import Cursor
from handrail.store.sql.reader import Kept, StateRow, marks
from handrail.store.sql.writer import SqlTables, SqlTx
from handrail.typed import Final

# Of each table whose rows are replaced: its columns in order, and how many of them are the key.
_COLUMNS: Final = {
    "session": (1, "id agent role worktree started_at ended_at secret_hash"),
    "config": (1, "id blob text seq compiled"),
    "attestation": (1, "commit seq"),
    "landing": (1, "token session kind worktree patterns commit seq at"),
    "process": (4, "boot pid_ns pid started session"),
    "task": (
        1,
        (
            "id title state opened_at number holder role failed taken phase next_phase revises"
            " waits_at"
        ),
    ),
    "packet": (
        2,
        (
            "task number kind state session agent from_role to_role patterns returns token"
            " offered_at lapses_at seq hash by settled_at note"
        ),
    ),
    "waiver": (1, "seq gate for_task reason by added_at ends_at uses used revoked"),
    "kept_row": (2, "projection key seq"),
    "written": (2, "projection blob seq"),
    "reading": (1, "session unread awaits rows"),
}


class PostgresTables(SqlTables):
    """``core.state.Tables`` in a schema."""

    def _put(self, table: str, row: tuple[object, ...]) -> None:
        self._run(_replacing(table), row)

    def put_waiter(self, change: WaitBegan, at: int) -> None:
        """Give a claim the next ticket, which a rollback gives back."""
        self._run("UPDATE state SET tickets = tickets + 1")
        self._run(
            "INSERT INTO waiter SELECT tickets, ?, ?, ?, ?, ?, ? FROM state",
            (
                *(change.session, change.kind, change.worktree),
                *("\n".join(change.patterns), at, change.until),
            ),
        )


class PostgresTx(PostgresDialect, SqlTx):
    """The exclusive transaction of a schema."""

    KEEP = f"{SqlTx.KEEP}, commits = commits + 1"

    def __init__(
        self,
        run: Callable[..., Cursor],
        row: StateRow | None,
        reading: Reading,
        kept: Kept,
        place: str,
        salt: Callable[[], str],
        finish: Callable[[bool], None],
    ) -> None:
        """Begin; ``finish`` commits, waits until that is durable and tells those who wait."""
        SqlTx.__init__(self, run, row, reading, kept, place, PostgresTables(run), salt)
        self._commit_durably = finish

    def _finish(self) -> None:
        self._commit_durably(not self._nobody_waits)

    def _add_entry(self, entry: Entry, kind: str, event: Event | None) -> None:
        subject = None if event is None else subject_of(event)
        paths_hash = event.paths_hash if isinstance(event, CommitAttested) else None
        row = (entry.seq, kind, subject, entry.header, entry.payload, paths_hash)
        self._run("INSERT INTO entry VALUES (?,?,?,?,?,?)", row)

    def redact(self, seq: int) -> None:
        """Drop the payload of an entry, and what was found by it."""
        super().redact(seq)
        self._run("UPDATE entry SET paths_hash = NULL WHERE seq = ?", (seq,))

    def replace(self, state: State) -> None:
        """Put these tables in place of those that are there."""
        super().replace(state)
        self._run("UPDATE state SET tickets = greatest(tickets, ?)", (state.tickets,))


@cache
def _replacing(table: str) -> str:
    """Return the statement that adds a row or puts it in place of the one with the same key."""
    keys, names = _COLUMNS[table]
    columns = [f'"{name}"' for name in names.split()]
    rest = ", ".join(f"{name} = excluded.{name}" for name in columns[keys:])
    return (
        f"INSERT INTO {table} VALUES ({marks(columns)})"
        f" ON CONFLICT ({', '.join(columns[:keys])}) DO UPDATE SET {rest}"
    )

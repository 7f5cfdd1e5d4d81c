"""Changing a workspace's schema: what PostgreSQL says in its own way, and the transaction.

Promise: statements whose answer nobody waits for travel together with the next one that somebody
does, so that a change costs few round trips; a commit returns when the server has said that it is
durable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from handrail.core.events import CommitAttested, Event, Move, WaitBegan, subject_of
from handrail.core.lease import Actor
from handrail.core.ledger import Entry
from handrail.core.state import State
from handrail.store.clock import Reading
from handrail.store.port import Request, Watch
from handrail.store.postgres.reader import DIALECT
from handrail.store.postgres.schema import MOVED
from handrail.store.sql.handoffs import Cursor
from handrail.store.sql.reader import Kept, StateRow
from handrail.store.sql.writer import SqlTables, SqlTx


class PostgresTables(SqlTables):
    """``core.state.Tables`` in a schema."""

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


class PostgresTx(SqlTx):
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
        tables = PostgresTables(DIALECT, run)
        super().__init__(DIALECT, run, row, reading, kept, place, tables, salt)
        self._commit_durably = finish
        self.watch: Watch | None = None

    def commit(
        self,
        changes: Iterable[Event | Move],
        actor: Actor,
        request: Request | None = None,
    ) -> tuple[Entry, ...]:
        """Append the events and apply all changes, after whoever keeps a copy heard of them."""
        if self.watch is not None:
            changes = list(changes)
            self.watch.begins(changes, actor)
        return super().commit(changes, actor, request)

    def _finish(self) -> None:
        self._commit_durably(not self._nobody_waits)

    def _add_entry(self, entry: Entry, kind: str, event: Event | None) -> None:
        subject = None if event is None else subject_of(event)
        paths_hash = event.paths_hash if isinstance(event, CommitAttested) else None
        row = (entry.seq, kind, subject, entry.header, entry.payload, paths_hash)
        self._run("INSERT INTO entry VALUES (?,?,?,?,?,?)", row)

    def retire(self, place: str) -> None:
        """Be no store any more, with the next commit."""
        self._touched = True
        self._run("INSERT INTO moved VALUES (?)", (place,))
        self._run("UPDATE format SET number = ?", (MOVED,))

    def redact(self, seq: int) -> None:
        """Drop the payload of an entry, and what was found by it."""
        super().redact(seq)
        self._run("UPDATE entry SET paths_hash = NULL WHERE seq = ?", (seq,))

    def replace(self, state: State) -> None:
        """Put these tables in place of those that are there."""
        super().replace(state)
        self._run("UPDATE state SET tickets = greatest(tickets, ?)", (state.tickets,))

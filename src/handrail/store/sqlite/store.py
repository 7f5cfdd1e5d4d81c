"""The store itself: a fair queue, one transaction at a time, snapshots beside it.

See ``handrail.store.port`` for what is promised. Durable means: when the block of a transaction
ends, the log that holds its commit was synced; nobody else waits for that.
One object belongs to one thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import apsw

from handrail import errors
from handrail.core.events import StoreCreated
from handrail.core.lease import Actor
from handrail.core.ledger import GENESIS, Entry, read_header
from handrail.core.state import State
from handrail.store.clock import Timeline
from handrail.store.fairlock import FairLock
from handrail.store.filesystem import refuse_network, unwritable
from handrail.store.port import POLL_S, Ahead, Clock, Outcome, Tx
from handrail.store.sql.reader import Kept, read_entry
from handrail.store.sql.restoring import checked, restored
from handrail.store.sqlite.connection import (
    BUSY_MS,
    DRIVER_ERRORS,
    FORMAT,
    brought_up,
    connect,
    format_of,
    keep_copy,
    migrate,
    migrations,
    sqlite_version,
    translate,
    translated,
)
from handrail.store.sqlite.reader import SqliteReader
from handrail.store.sqlite.writer import SqliteTx


class SqliteStore:
    """A workspace in one SQLite file."""

    def __init__(
        self, path: str, clock: Clock, salt: Callable[[], str], *, busy_ms: int = BUSY_MS
    ) -> None:
        """Open the file at ``path``; raises NotInitialised, NewerFormat, StoreCorrupt."""
        refuse_network(path)
        self.path = path
        self._clock = clock
        self._salt = salt
        self._busy_ms = busy_ms
        self._kept = Kept()
        self._log = -1
        self._lock = FairLock(path.removesuffix(".db"))
        self._connection = connect(path, create=False)
        self._connection.set_busy_timeout(busy_ms)
        if format_of(self._connection, path) == 0:
            self.close()
            raise errors.NotInitialised(path=path)

    @classmethod
    def create(
        cls,
        path: str,
        clock: Clock,
        salt: Callable[[], str],
        *,
        workspace: str,
        epoch: str,
        predecessor: str | None = None,
    ) -> SqliteStore:
        """Make the file with a first entry, in one transaction; one that exists stays as it is."""
        folder = os.path.dirname(path)
        refuse_network(folder)
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        except OSError as error:
            raise unwritable(path, error) from error
        lock = FairLock(path.removesuffix(".db"))
        with lock.held(BUSY_MS), translated(path):
            connection = connect(path, create=True)
            try:
                os.chmod(path, 0o600)
            except OSError as error:
                raise unwritable(path, error) from error
            if format_of(connection, path) == 0:
                connection.execute("PRAGMA journal_mode=WAL")
                _found(connection, path, clock, salt, workspace, epoch, predecessor)
                # Not in the log alone: a store whose log was lost must not look like none at all.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.close()
        lock.close()
        return cls(path, clock, salt)

    @classmethod
    def restore(
        cls,
        path: str,
        clock: Clock,
        salt: Callable[[], str],
        entries: Sequence[Entry],
        state: State | None = None,
    ) -> SqliteStore:
        """Make the file anew from a whole ledger, byte for byte, to go on in its own epoch.

        The tables are what the entries add up to, or the ``state`` that is given: renewals, waiting
        claims and processes are no history. Store time goes on from the newest entry. Raises
        LedgerBroken where the ledger does not verify or does not begin with its store, Usage where
        another store is there already.
        """
        created = checked(entries)
        store = cls.create(
            path,
            clock,
            salt,
            workspace=created.workspace,
            epoch=read_header(entries[0].header).epoch,
        )
        return restored(store, entries, state)

    @contextmanager
    def transaction(self) -> Iterator[SqliteTx]:
        """Open the exclusive transaction."""
        connection = self._connection
        tx: SqliteTx | None = None
        self._lock.take(self._busy_ms)
        try:
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("PRAGMA user_version").get != FORMAT:
                connection.execute("ROLLBACK")
                self._bring_up()
                connection.execute("BEGIN IMMEDIATE")
            tx = SqliteTx(connection, self._clock.read(), self._salt, self._kept)
            if tx.begins_boot:
                # The first transaction of a boot keeps its anchor, whatever becomes of it.
                tx.keep_time()
                connection.execute("COMMIT")
                connection.execute("BEGIN IMMEDIATE")
                tx = SqliteTx(connection, self._clock.read(), self._salt, self._kept)
            yield tx
        except DRIVER_ERRORS as error:
            raise translate(error, self.path) from error
        finally:
            if tx is not None:
                tx.close()
            _rollback(connection)
            self._lock.give_back()
            if tx is not None and tx.written:
                self._sync_log()

    def _sync_log(self) -> None:
        """Wait until the log is on disk, while others go on: their syncs and ours join."""
        try:
            if self._log < 0:
                self._log = os.open(self.path + "-wal", os.O_RDONLY | os.O_CLOEXEC)
            os.fdatasync(self._log)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def attempt(self, decide: Callable[[Tx], Outcome], ahead: Ahead | None) -> Outcome:
        """Let something be decided in the exclusive transaction: here that waits for nobody far."""
        with self.transaction() as tx:
            return decide(tx)

    @contextmanager
    def read(self) -> Iterator[SqliteReader]:
        """Open a snapshot."""
        reader: SqliteReader | None = None
        connection = self._connection
        try:
            connection.execute("BEGIN")
            found = connection.execute("PRAGMA user_version").get
            if found == FORMAT:
                reader = SqliteReader(connection, self._clock.read(), self._kept)
            else:
                number = format_of(connection, self.path)
                copy = brought_up(connection, self.path, number, migrations(), FORMAT)
                reader = SqliteReader(copy, self._clock.read())
            yield reader
        except DRIVER_ERRORS as error:
            raise translate(error, self.path) from error
        finally:
            if reader is not None:
                reader.close()
            _rollback(connection)

    def version(self) -> int:
        """Return a number that changes whenever another connection commits."""
        with translated(self.path):
            return int(self._connection.pragma("data_version"))

    def wait(self, seconds: float) -> None:
        """Let some time pass."""
        time.sleep(min(seconds, POLL_S))

    def listen(self) -> int | None:
        """Return None: the version is at hand."""
        return None

    def software(self) -> str:
        """Say which database keeps the store."""
        return sqlite_version()

    def integrity(self) -> list[str]:
        """Let SQLite check the file's structure; returns what it complains of, or what is gone."""
        model = apsw.Connection(":memory:")
        for script in migrations().values():
            model.execute(script)
        names = "SELECT type, name FROM sqlite_schema"
        with translated(self.path):
            rows = self._connection.execute("PRAGMA integrity_check").fetchall()
            gone = set(model.execute(names)) - set(self._connection.execute(names))
        model.close()
        complaints = [str(row[0]) for row in rows if row[0] != "ok"]
        return complaints + [f"there is no {kind} {name}" for kind, name in sorted(gone)]

    def check_writable(self) -> None:
        """Raise StoreReadOnly if SQLite could open the file for reading only."""
        if self._connection.readonly("main"):
            raise errors.StoreReadOnly(path=self.path, reason="it is a read-only file")

    def scrub(self) -> None:
        """Make sure that what was redacted is in no free page and no log."""
        with self._lock.held(self._busy_ms), translated(self.path):
            self._connection.execute("VACUUM")
            ((busy, *_),) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if busy:
            raise errors.StoreBusy(path=self.path, waited_ms=self._busy_ms, pid="unknown")

    def _bring_up(self) -> None:
        """Migrate an older file; raises NewerFormat where whoever had the turn went beyond us."""
        found = format_of(self._connection, self.path)
        keep_copy(self._connection, self.path, found)
        self._connection.execute("BEGIN IMMEDIATE")
        migrate(self._connection, self.path, found, migrations(), FORMAT)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Give the file and the locks back."""
        self._connection.close()
        self._lock.close()
        if self._log >= 0:
            os.close(self._log)
            self._log = -1


def salvage(path: str) -> list[Entry]:
    """Return the entries that a damaged file still gives, oldest first."""
    entries: list[Entry] = []
    with suppress(*DRIVER_ERRORS, errors.Unavailable):
        connection = connect(path, create=False)
        try:
            rows = connection.execute("SELECT seq, header, payload FROM entry ORDER BY seq")
            entries.extend(read_entry(row) for row in rows)
        finally:
            connection.close()
    return entries


def _found(
    connection: apsw.Connection,
    path: str,
    clock: Clock,
    salt: Callable[[], str],
    workspace: str,
    epoch: str,
    predecessor: str | None,
) -> None:
    """Lay the tables and write the first entry; all or nothing."""
    reading = clock.read()
    timeline = Timeline("", 0).anchored(reading, 0)
    try:
        connection.execute("BEGIN IMMEDIATE")
        migrate(connection, path, 0, migrations(), FORMAT)
        connection.execute(
            "INSERT INTO state VALUES (1,?,?,?,?,?,?,?)",
            (workspace, epoch, *GENESIS, timeline.boot, timeline.offset_ms, 0),
        )
        tx = SqliteTx(connection, reading, salt)
        tx.commit([StoreCreated(workspace, predecessor)], Actor())
    finally:
        _rollback(connection)


def _rollback(connection: apsw.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")

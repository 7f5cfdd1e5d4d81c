"""What the sessions of one clone may write, kept beside them while their store is elsewhere.

The guard's look-up reads it as it reads a store on this machine. Promises: it says yes to nothing
that the store had not said yes to when it was read, and to nothing beyond the time until which a
holder may trust that; store time goes on here by the boot clock, counted from before the question
was sent, so it is never behind the store's. It says nothing at all after a restart of the machine,
nor from before a change that may take something away is sent until its outcome was read.

It is a copy: nothing waits for the disk, and one that is damaged is made anew.

    copy = GuardCopy("/repo/.git/handrail/guard.db", BootClock())
    copy.take(lambda: snapshot)
    copy.seen()                       # Seen(now=..., mode="enforce", allowed=(...,))
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import apsw

from handrail.core.allowed import Allowed, Seen, Snapshot
from handrail.core.scope import stored_pattern
from handrail.store.port import Clock
from handrail.store.sqlite.connection import FORMAT, reachable, translated
from handrail.typed import Any, Final

NAME: Final = "guard.db"
BUSY_MS: Final = 2_000
_COPY_ID: Final = 0x48524744
FRESH_MS: Final = 5_000
"""So long after a session was read what it is granted is added; then it is read anew."""
_TABLES: Final = """
CREATE TABLE state (boot TEXT NOT NULL, offset_ms INTEGER NOT NULL, last_now INTEGER NOT NULL,
    mode TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL) STRICT;
CREATE TABLE may_write (anchor TEXT NOT NULL, token INTEGER NOT NULL, pattern TEXT NOT NULL,
    worktree TEXT NOT NULL, session TEXT NOT NULL, until INTEGER NOT NULL,
    renew_at INTEGER NOT NULL, PRIMARY KEY (anchor, token, pattern)) STRICT, WITHOUT ROWID;
CREATE TABLE session (id TEXT PRIMARY KEY, ended_at INTEGER, seq INTEGER NOT NULL,
    read_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE reading (session TEXT PRIMARY KEY, awaits INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE under_way (id INTEGER PRIMARY KEY AUTOINCREMENT, boot TEXT NOT NULL,
    until INTEGER NOT NULL) STRICT;
"""
_ROW: Final = "anchor, token, pattern, worktree, session, until, renew_at"


class GuardCopy:
    """The copy of one clone."""

    def __init__(self, path: str, clock: Clock) -> None:
        """Open the file, or make it; raises StoreReadOnly, DiskFull, StoreBusy."""
        self.path = path
        self._clock = clock
        try:
            self._connection = _opened(path)
        except (apsw.NotADBError, apsw.CorruptError):
            for suffix in ("-wal", "-shm", ""):
                with suppress(FileNotFoundError):
                    os.unlink(path + suffix)
            with translated(path):
                self._connection = _opened(path)

    def announce(self, bound_ms: int) -> int:
        """Say nothing until the outcome of a change was read, or ``bound_ms`` are over and more.

        Returns its number, for ``take``. After the bound the store has ended what did not end.
        """
        with self._turn() as run:
            run("UPDATE state SET boot = ''")
            boot, since_boot_ms, _ = self._clock.read()
            row = run(
                "INSERT INTO under_way (boot, until) VALUES (?,?) RETURNING id",
                (boot, since_boot_ms + bound_ms),
            )
            return int(row.get)

    def take(self, read: Callable[[], Snapshot], ended: int | None = None) -> None:
        """Put what the store says now in place of what was there.

        Nobody waits while it is read. Of a session that somebody read later, by the ledger, nothing
        is put in place: an earlier look never replaces a later one. ``ended`` is what was announced
        and is over.
        """
        boot, since_boot_ms, _ = self._clock.read()
        snapshot = read()
        with self._turn() as run:
            run(
                "DELETE FROM under_way WHERE id = ? OR boot <> ? OR until < ?",
                (ended, boot, since_boot_ms),
            )
            waits = run("SELECT EXISTS (SELECT 1 FROM under_way)").get
            known = run("SELECT mode, epoch, seq, last_now FROM state").fetchone()
            mode, seq, newest = snapshot.mode, snapshot.seq, snapshot.now
            same = False
            if known is not None and known[1] == snapshot.epoch:
                same = True
                if known[2] > seq:
                    mode, seq, newest = known[0], known[2], max(known[3], newest)
            run("DELETE FROM state")
            run(
                "INSERT INTO state VALUES (?,?,?,?,?,?)",
                (
                    *("" if waits else boot, snapshot.now - since_boot_ms, newest),
                    *(mode, snapshot.epoch, seq),
                ),
            )
            self._put(snapshot, since_boot_ms, same=same)

    def add(self, granted: Sequence[Allowed], epoch: str, seq: int) -> bool:
        """Add what entry ``seq`` granted to one session, and nothing else that it changed.

        Returns False where that is not enough: nothing is said here just now, the session was
        read some time ago, or after the grant, which may have ended since.
        """
        with self._turn() as run:
            boot, since_boot_ms, _ = self._clock.read()
            fits = run(
                "SELECT EXISTS (SELECT 1 FROM state s, session n WHERE s.boot = ? AND s.epoch = ?"
                " AND n.id = ? AND n.seq < ? AND n.read_at > ?)",
                (boot, epoch, granted[0].session, seq, since_boot_ms - FRESH_MS),
            ).get
            for row in granted if fits else ():
                run("INSERT OR REPLACE INTO may_write VALUES (?,?,?,?,?,?,?)", _row(row))
            return bool(fits)

    def _put(self, snapshot: Snapshot, read_at: int, *, same: bool) -> None:
        """Put sessions in place; ``same``: what is known of them is of the same epoch."""
        run, only = self._connection.execute, snapshot.only
        sql = "SELECT id FROM session WHERE seq > ?"
        later = {name for (name,) in run(sql, (snapshot.seq,))} if same else set[str]()
        rows = run(f"SELECT {_ROW} FROM may_write WHERE ?1 IS NULL OR session = ?1", (only,))
        before = {row for row in rows.fetchall() if row[4] not in later}
        after = {_row(row) for row in snapshot.allowed if row.session not in later}
        for row in before - after:
            run("DELETE FROM may_write WHERE anchor = ? AND token = ? AND pattern = ?", row[:3])
        for row in after - before:
            run("INSERT OR REPLACE INTO may_write VALUES (?,?,?,?,?,?,?)", row)
        known = run("SELECT id FROM session WHERE ?1 IS NULL OR id = ?1", (only,)).fetchall()
        named = {*snapshot.sessions, *snapshot.awaiting, *(name for (name,) in known)}
        for name in named - later:
            run("DELETE FROM session WHERE id = ?", (name,))
            run("DELETE FROM reading WHERE session = ?", (name,))
        for name in set(snapshot.sessions) - later:
            run("INSERT INTO session VALUES (?, NULL, ?, ?)", (name, snapshot.seq, read_at))
        for name in set(snapshot.awaiting) - later:
            run("INSERT INTO reading VALUES (?, 1)", (name,))

    def seen(self) -> Seen | None:
        """Return what is known here without the store; None where nothing can be trusted."""
        boot, since_boot_ms, _ = self._clock.read()
        with translated(self.path):
            rows: list[tuple[Any, ...]] = self._connection.execute(
                "SELECT s.boot, s.offset_ms, s.last_now, s.mode, m.worktree, m.session, m.pattern,"
                " m.token, m.until, m.renew_at FROM state s LEFT JOIN may_write m"
                " ORDER BY m.token, m.pattern"
            ).fetchall()
        if not rows or rows[0][0] != boot:
            return None
        now = max(rows[0][1] + since_boot_ms, rows[0][2])
        allowed = tuple(Allowed(*row[4:]) for row in rows if row[4] is not None)
        return Seen(now, rows[0][3], allowed)

    @contextmanager
    def _turn(self) -> Iterator[Callable[..., apsw.Cursor]]:
        connection = self._connection
        with translated(self.path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection.execute
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()


def _row(row: Allowed) -> tuple[str, int, str, str, str, int, int]:
    trusted = row.trusted()
    return (
        *(stored_pattern(row.pattern).anchor, row.token, row.pattern, row.worktree, row.session),
        *(trusted.until, trusted.renew_at),
    )


def _opened(path: str) -> apsw.Connection:
    """Open the file; one of another format is emptied, one that is not there is made."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with reachable(path) as name:
        connection = apsw.Connection(name, flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(BUSY_MS)
        connection.execute("PRAGMA synchronous=OFF")
        if not _fits(connection):
            connection.execute("PRAGMA journal_mode=WAL").fetchall()
            connection.execute("BEGIN IMMEDIATE")
            if not _fits(connection):
                _lay(connection)
            connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _fits(connection: apsw.Connection) -> bool:
    found = (connection.pragma("user_version"), connection.pragma("application_id"))
    return found == (FORMAT, _COPY_ID)


def _lay(connection: apsw.Connection) -> None:
    """Lay the tables in place of whatever there is."""
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    for (name,) in names:
        connection.execute(f'DROP TABLE "{name}"')
    connection.execute(_TABLES).fetchall()
    connection.execute(f"PRAGMA application_id={_COPY_ID}")
    connection.execute(f"PRAGMA user_version={FORMAT}")

"""Changing the tables behind ``core.state.apply``, and the exclusive transaction, in any dialect.

Promise: as ``store.sql.reader``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from handrail.core.events import KIND_OF, Event, Move, StoreCreated, WaitBegan, subject_of
from handrail.core.lease import (
    Actor,
    Landing,
    Lease,
    Notice,
    Orphan,
    Process,
    Session,
    renew_at,
)
from handrail.core.ledger import Entry, Head, read_event, read_header, seal
from handrail.core.state import Blobs, State, apply, landing_of, left_of
from handrail.errors import Usage
from handrail.jsontext import write_spaced as write_json
from handrail.store.clock import Reading, Timeline
from handrail.store.port import REQUESTS_KEPT_MS, Request
from handrail.store.sql.dialect import Dialect
from handrail.store.sql.handoffs import MAY, Cursor, HandoffTables
from handrail.store.sql.reader import (
    BY_TOKEN,
    LEASE,
    ORPHAN,
    Kept,
    SqlReader,
    StateRow,
    marks,
    read_lease,
    read_orphan,
    read_patterns,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.core.reading import ToRead

_BARE = LEASE.replace("l.", "")
# What has run out tells the guard nothing, and the index of anchors still has it.
_SHOWN = (
    "INSERT INTO may_write"
    " SELECT ?1, ?2, ?3, ?4, ?5,"
    " CASE WHEN may.it THEN ?6 ELSE 0 END, 'lease', CASE WHEN may.it THEN ?7 ELSE 0 END"
    f" FROM (SELECT {MAY.format('?5')} AS it) may WHERE TRUE ON CONFLICT DO NOTHING"
)
_MOVED = (
    "UPDATE may_write SET until = CASE WHEN may.it THEN ?1 ELSE 0 END,"
    " renew_at = CASE WHEN may.it THEN ?2 ELSE 0 END"
    f" FROM (SELECT {MAY.format('?6')} AS it) may"
    " WHERE anchor = ?3 AND token = ?4 AND pattern = ?5"
)
REPLACED = (
    *("lease", "may_write", "session", "waiter", "attestation", "config"),
    *("orphan", "orphan_anchor", "landing", "landing_anchor", "task", "packet"),
    *("waiver", "kept_row", "written", "reading"),
)


class SqlTables(HandoffTables):
    """``core.state.Tables`` as SQL."""

    def __init__(self, dialect: Dialect, run: Callable[..., Cursor]) -> None:
        self._dialect = dialect
        self._run = run

    def _add(self, table: str, row: tuple[object, ...]) -> None:
        """Add a row; one with the same key stays."""
        self._run(f"INSERT INTO {table} VALUES ({marks(row)}) ON CONFLICT DO NOTHING", row)

    def put_lease(self, lease: Lease) -> None:
        """Add a lease and what the guard looks up, which is the index of anchors too."""
        self._run(
            "INSERT INTO lease VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            (
                *lease[:6],
                "\n".join(pattern.text for pattern in lease.patterns),
                *lease[7:10],
                lease.lasting,
            ),
        )
        for pattern in lease.patterns:
            self._run(
                _SHOWN,
                (
                    pattern.anchor,
                    lease.token,
                    pattern.text,
                    lease.worktree,
                    lease.session,
                    lease.expires_at,
                    renew_at(lease),
                ),
            )

    def drop_lease(self, token: int) -> bool:
        """Take a lease away with what the guard looks up; tells whether there was one."""
        row = self._touched(f"DELETE FROM lease WHERE {{}} RETURNING {_BARE}", (token,))
        for pattern in row.patterns if row is not None else ():
            self._run(
                "DELETE FROM may_write WHERE anchor = ? AND token = ? AND pattern = ?",
                (pattern.anchor, token, pattern.text),
            )
        return row is not None

    def move_expiry(self, token: int, expires_at: int) -> None:
        """Let a lease end at another time, for the guard too."""
        change = f"UPDATE lease SET expires_at = ?2 WHERE {{}} RETURNING {_BARE}"
        lease = self._touched(change, (token, expires_at))
        if lease is not None:
            self._show(lease)

    def put_reading(self, session: str, rows: tuple[ToRead, ...]) -> None:
        """Put in place what a session has to read; the guard finds what it holds, or nothing."""
        from handrail.core.reading import awaited, unread

        flags = (bool(unread(rows)), bool(awaited(rows)))
        self._put("reading", (session, *flags, write_json(rows)))
        for row in self._run(
            f"SELECT {LEASE} FROM lease l WHERE session = ?", (session,)
        ).fetchall():
            self._show(read_lease(row))

    def _show(self, lease: Lease) -> None:
        """Let the guard know how long a lease lives, or nothing where its session has to read."""
        for pattern in lease.patterns:
            at = (lease.expires_at, renew_at(lease), pattern.anchor, lease.token, pattern.text)
            self._run(_MOVED, (*at, lease.session))

    def _touched(self, change: str, values: tuple[int, ...]) -> Lease | None:
        """Change the row of a lease; returns the lease, None if there is no such one."""
        for where in BY_TOKEN:
            row = self._run(change.format(where), values).fetchone()
            if row is not None:
                return read_lease(row)
        return None

    def put_session(self, session: Session) -> None:
        """Add or replace a session."""
        self._put("session", tuple(session))

    def end_session(self, session: str, at: int) -> None:
        """Mark a session as ended; forget its processes and what it was to be told."""
        self._run("UPDATE session SET ended_at = ? WHERE id = ?", (at, session))
        self._run("DELETE FROM process WHERE session = ?", (session,))
        self._run("DELETE FROM notice WHERE session = ?", (session,))

    def set_role(self, session: str, role: str) -> None:
        """Let a session act as another role."""
        self._run("UPDATE session SET role = ? WHERE id = ?", (role, session))

    def put_config(self, blob: str, text: str, seq: int) -> None:
        """Put a configuration in force."""
        self._put("config", (1, blob, text, seq, None))

    def put_attestation(self, commit: str, seq: int) -> None:
        """Remember the newest attestation of a commit."""
        self._put("attestation", (commit, seq))

    def put_waiter(self, change: WaitBegan, at: int) -> None:
        """Give a claim the next ticket."""
        self._run(
            "INSERT INTO waiter (session, kind, worktree, patterns, since, until)"
            " VALUES (?,?,?,?,?,?)",
            (
                change.session,
                change.kind,
                change.worktree,
                "\n".join(change.patterns),
                at,
                change.until,
            ),
        )

    def keep_waiter(self, ticket: int, until: int) -> None:
        """Let a waiting claim count as there for longer."""
        self._run("UPDATE waiter SET until = ? WHERE ticket = ?", (until, ticket))

    def drop_waiter(self, ticket: int) -> None:
        """Take a claim out of the queue."""
        self._run("DELETE FROM waiter WHERE ticket = ?", (ticket,))

    def leave_orphan(self, token: int, blobs: Blobs | None, seq: int) -> None:
        """Turn the lease or the orphan under ``token`` into what is left of it."""
        lease: Lease | Orphan | None = self._lease_under(token)
        if lease is not None:
            self.drop_lease(token)
        else:
            row = self._run(f"{ORPHAN} token = ?", (token,)).fetchone()
            lease = None if row is None else read_orphan(row)
            self.drop_orphan(token)
        if lease is not None:
            self.put_orphan(left_of(lease, blobs, seq))

    def _lease_under(self, token: int) -> Lease | None:
        for where in BY_TOKEN:
            row = self._run(f"SELECT {LEASE} FROM lease l WHERE {where}", (token,)).fetchone()
            if row is not None:
                return read_lease(row)
        return None

    def put_orphan(self, orphan: Orphan) -> None:
        """Add what a lease left, with its anchors."""
        blobs = None if orphan.blobs is None else write_json(orphan.blobs)
        texts = "\n".join(orphan.scope)
        self._run(
            "INSERT INTO orphan VALUES (?,?,?,?,?,?,?,?,?,?)",
            (*orphan[:6], texts, blobs, *orphan[8:]),
        )
        for pattern in orphan.patterns:
            self._add("orphan_anchor", (orphan.worktree, pattern.anchor, orphan.token))

    def drop_orphan(self, token: int) -> None:
        """Forget what a lease left behind."""
        row = self._run(
            "DELETE FROM orphan WHERE token = ? RETURNING worktree, patterns", (token,)
        ).fetchone()
        if row is None:
            return
        for pattern in read_patterns(row[1]):
            self._run(
                "DELETE FROM orphan_anchor WHERE worktree = ? AND anchor = ? AND token = ?",
                (row[0], pattern.anchor, token),
            )

    def put_landing(self, token: int, commit: str, seq: int, at: int) -> None:
        """Remember the newest commit attested under a lease."""
        lease = self._lease_under(token)
        if lease is not None:
            self.keep_landing(landing_of(lease, commit, seq, at))

    def keep_landing(self, landing: Landing) -> None:
        """Add a landing with its anchors, or replace the one of the same token."""
        texts = "\n".join(pattern.text for pattern in landing.patterns)
        self._put("landing", (*landing[:4], texts, *landing[5:]))
        for pattern in landing.patterns:
            self._add("landing_anchor", (pattern.anchor, landing.token))

    def put_process(self, process: Process, session: str) -> None:
        """Let a process act for a session, and for no other any more."""
        self._put("process", (*process, session))

    def put_notice(self, notice: Notice) -> None:
        """Leave a notice, unless the same occasion was told before."""
        paths = write_json(notice.paths)
        self._add("notice", (*notice[:4], paths, notice.at, False))

    def take_notices(self, session: str) -> None:
        """Mark as told what was left for a session."""
        self._run("UPDATE notice SET told = TRUE WHERE session = ?", (session,))


class SqlTx(SqlReader):
    """The exclusive transaction: what a reader can ask, and one ``commit``."""

    KEEP = "UPDATE state SET head_seq = ?, head_hash = ?, boot = ?, offset_ms = ?, last_now = ?"

    def __init__(
        self,
        dialect: Dialect,
        run: Callable[..., Cursor],
        row: StateRow | None,
        reading: Reading,
        kept: Kept | None,
        place: str,
        tables: SqlTables,
        salt: Callable[[], str],
    ) -> None:
        """Begin as a reader does; ``tables`` speak the same dialect over the same connection."""
        super().__init__(dialect, run, row, reading, kept, place)
        self._tables = tables
        self._salt = salt
        self._touched = False
        self.committed = False
        self.written = False

    def outcome(self, request: Request) -> tuple[Entry, ...] | None:
        """Return what a request of this id led to; raises Usage if it asked something else."""
        row = self._run(
            "SELECT digest, first_seq, last_seq FROM request WHERE id = ?", (request.id,)
        ).fetchone()
        if row is None:
            return None
        digest, first, last = row
        if digest != request.digest:
            raise Usage(reason=f"Request {request.id} asked something else the first time.")
        return tuple(self.entries(first - 1, last))

    def commit(
        self,
        changes: Iterable[Event | Move],
        actor: Actor,
        request: Request | None = None,
    ) -> tuple[Entry, ...]:
        """Append the events and apply all changes; durable when the block ends."""
        assert not self.committed, "one transaction, one commit"
        before, entries = self.head, []
        self._unchanged = False
        moved = self._touched
        for change in changes:
            if isinstance(change, Move):
                moved = True
                apply(self._tables, 0, self.now, actor, change)
            else:
                entries.append(self._append(actor, change))
        if entries and request is not None:
            self._remember(request, before.seq + 1, self.head.seq)
        if entries or moved:
            self.keep_time()
            self._finish()
            self.written = True
        self.committed = True
        return tuple(entries)

    def _finish(self) -> None:
        """Commit what was written."""
        self._run("COMMIT")

    def _append(self, actor: Actor, event: Event) -> Entry:
        entry = seal(self.head, self.epoch, self.now, actor, event, self._salt())
        self._add_entry(entry, KIND_OF[type(event)], event)
        self.head = Head(entry.seq, entry.hash)
        apply(self._tables, entry.seq, self.now, actor, event)
        return entry

    def _add_entry(self, entry: Entry, kind: str, event: Event | None) -> None:
        """Write an entry down as it was hashed; None: its event cannot be read any more."""
        subject = None if event is None else subject_of(event)
        row = (entry.seq, kind, subject, entry.header, entry.payload)
        self._run("INSERT INTO entry VALUES (?,?,?,?,?)", row)

    @property
    def begins_boot(self) -> bool:
        """Tell whether nothing was committed yet since the machine started."""
        return self._timeline.boot != self._reading[0]

    def keep_time(self) -> None:
        """Write the head and the time of this transaction."""
        timeline = self._timeline.anchored(self._reading, self._last_now)
        self._run(self.KEEP, (*self.head, timeline.boot, timeline.offset_ms, self.now))

    def _remember(self, request: Request, first: int, last: int) -> None:
        self._run("DELETE FROM request WHERE at < ?", (self.now - REQUESTS_KEPT_MS,))
        self._run(
            "INSERT INTO request VALUES (?,?,?,?,?)",
            (request.id, request.digest, first, last, self.now),
        )

    def redact(self, seq: int) -> None:
        """Drop the payload of an entry."""
        self._touched = True
        self._run("UPDATE entry SET payload = NULL WHERE seq = ?", (seq,))

    def keep_compiled(self, compiled: bytes) -> None:
        """Keep a compiled form beside the configuration in force."""
        self._touched, self._unchanged = True, False
        self._run("UPDATE config SET compiled = ?", (compiled,))

    def refill(self, entries: Sequence[Entry], state: State) -> None:
        """Put a whole ledger in place of what is here, and the tables that it adds up to."""
        self._run("DELETE FROM entry")
        for entry in entries:
            header = read_header(entry.header)
            self._add_entry(entry, header.kind, read_event(entry, header))
            self._last_now = max(self._last_now, header.at)
        self._timeline = Timeline("", 0).anchored(self._reading, self._last_now)
        self.now = self._timeline.now(self._reading, self._last_now)
        self.replace(state)

    def replace(self, state: State) -> None:
        """Put these tables in place of those that are there, with the ledger's head and names."""
        self._touched, self._unchanged = True, False
        first, newest = next(self.entries(0, 1)), self.newest(1)[0]
        self.head = Head(newest.seq, newest.hash)
        created = read_event(first)
        if isinstance(created, StoreCreated):
            names = (created.workspace, read_header(first.header).epoch)
            self.workspace, self.epoch = names
            self._run("UPDATE state SET workspace = ?, epoch = ?", names)
        for table in REPLACED:
            self._run(f"DELETE FROM {table}")
        for orphan in state.orphans.values():
            self._tables.put_orphan(orphan)
        for landing in state.landings.values():
            self._tables.keep_landing(landing)
        for lease in state.leases.values():
            self._tables.put_lease(lease)
        for session in state.sessions.values():
            self._tables.put_session(session)
        self._tables.put_handed(state)
        for reader, reading in state.readings.items():
            self._tables.put_reading(reader, reading)
        for commit, seq in state.attestations.items():
            self._tables.put_attestation(commit, seq)
        if state.config is not None:
            self._tables.put_config(state.config.blob, state.config.text, state.config.seq)
            self._run("UPDATE config SET compiled = ?", (state.config.compiled,))

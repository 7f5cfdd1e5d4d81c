"""What can be asked of the tables, each question one indexed statement, in any dialect of SQL.

Promise: statements are written once, in what SQLite and PostgreSQL both understand, with ``?`` for
values; what they say differently they are asked for (``store.sql.dialect``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from handrail.core.lease import (
    Kind,
    Landing,
    Lease,
    Notice,
    Orphan,
    Process,
    Session,
    Waiter,
)
from handrail.core.ledger import Entry, Head
from handrail.core.scope import Pattern, ancestors, matches, stored_pattern
from handrail.core.state import InForce
from handrail.errors import StoreCorrupt
from handrail.jsontext import read as read_json
from handrail.store.anchors import plan
from handrail.store.clock import Reading, Timeline
from handrail.store.sql.dialect import Dialect
from handrail.store.sql.handoffs import Cursor, Handoffs
from handrail.typed import Any, cast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.core.reading import ToRead

PAGE_ENTRIES = 2_000
LEASE = (
    "l.token, l.session, l.agent, l.role, l.kind, l.worktree, l.patterns,"
    " l.granted_at, l.ttl_ms, l.expires_at, l.lasting"
)
StateRow = tuple[str, str, int, str, str, int, int, int | None, bool, bool, bool, int | None, bool]
# What every transaction asks, in one statement: a statement more costs more than a column more.
STATE = (
    "SELECT workspace, epoch, head_seq, head_hash, boot, offset_ms, last_now,"
    " (SELECT seq FROM {at}config), (SELECT compiled IS NOT NULL FROM {at}config),"
    " EXISTS (SELECT 1 FROM {at}waiter), EXISTS (SELECT 1 FROM {at}orphan),"
    " (SELECT max(at) FROM {at}landing), EXISTS (SELECT 1 FROM {at}reading WHERE unread)"
)
"""``at`` is what stands before the name of a table: where it lies, or nothing."""
# A lease lies beside those of its session. The entry of its grant names that; where the entry says
# something else, the whole table is searched.
BY_TOKEN = (
    "session = (SELECT subject FROM entry WHERE seq = ?1) AND token = ?1",
    "token = ?1",
)


ORPHAN = (
    "SELECT token, session, agent, role, kind, worktree, patterns, blobs, ttl_ms, since"
    " FROM orphan WHERE"
)
_LANDING = 'SELECT token, session, kind, worktree, patterns, "commit", seq, at FROM landing WHERE'


class Kept:
    """The configuration as it was read last, by its entry: it is asked for each time."""

    def __init__(self) -> None:
        self.key: tuple[object, object] | None = None
        self.config: InForce | None = None


class SqlReader(Handoffs):
    """One consistent view; lives inside a transaction of its connection."""

    def __init__(
        self,
        dialect: Dialect,
        run: Callable[..., Cursor],
        row: StateRow | None,
        reading: Reading,
        kept: Kept | None,
        place: str,
    ) -> None:
        """Begin with the row that ``STATE`` gives; ``place`` names the store in errors."""
        self._dialect = dialect
        self._run = run
        self._kept = Kept() if kept is None else kept
        self._streams: list[Cursor] = []
        self._place = place
        if row is None or None in row[:7]:
            raise StoreCorrupt(path=place, reason="its state row is missing")
        workspace, epoch, seq, digest, boot, offset_ms, last_now, *more = row
        self._config_key, self._nobody_waits = (more[0], more[1]), not more[2]
        self._nothing_left, self._landed_at, self._all_read = not more[3], more[4], not more[5]
        self._unchanged = True
        self.workspace, self.epoch, self._last_now = workspace, epoch, last_now
        self.head = Head(seq, digest)
        self._timeline = Timeline(boot, offset_ms)
        self._reading = reading
        self.now: int = self._timeline.now(reading, self._last_now)

    def near(self, patterns: Sequence[Pattern]) -> Iterator[Lease]:
        """Yield what may share a path with the patterns, in the order of the plan."""
        seen: set[int] = set()
        for points, below in plan(patterns):
            sql, bounds = self._dialect.near(len(points), below)
            rows = self._run(sql, (*points, *bounds))
            self._streams.append(rows)  # read lazily, perhaps not to the end
            for row in rows:
                if row[0] not in seen:
                    seen.add(row[0])
                    yield read_lease(row)

    def close(self) -> None:
        """End what is still being read: an open cursor would keep its snapshot alive."""
        for cursor in self._streams:
            cursor.close()

    def lease(self, token: int) -> Lease | None:
        """Return the lease under ``token`` if it has not ended."""
        for where in BY_TOKEN:
            row = self._run(f"SELECT {LEASE} FROM lease l WHERE {where}", (token,)).fetchone()
            if row is not None:
                return read_lease(row)
        return None

    def leases(self, session: str | None = None) -> list[Lease]:
        """Return all leases, or those of one session, by token."""
        if session is None:
            rows = self._run(f"SELECT {LEASE} FROM lease l ORDER BY token")
        else:
            rows = self._run(
                f"SELECT {LEASE} FROM lease l WHERE session = ? ORDER BY token", (session,)
            )
        return [read_lease(row) for row in rows]

    def session(self, session: str) -> Session | None:
        """Return a session, ended or not."""
        row = self._run(
            "SELECT id, agent, role, worktree, started_at, ended_at, secret_hash"
            " FROM session WHERE id = ?",
            (session,),
        ).fetchone()
        return None if row is None else Session(*row)

    def sessions(self, *, ended: bool = False, clone: str = "") -> list[Session]:
        """Return the sessions that have not ended (or all), by start; of one clone alone."""
        # No sign comes between a clone's colon and a semicolon.
        within = " AND worktree >= ? AND worktree < ?" if clone else ""
        rows = self._run(
            "SELECT id, agent, role, worktree, started_at, ended_at, secret_hash FROM session"
            f" WHERE (? OR ended_at IS NULL){within} ORDER BY started_at, id",
            (ended, clone, f"{clone[:-1]};") if clone else (ended,),
        )
        return [Session(*row) for row in rows]

    def waiters(self) -> list[Waiter]:
        """Return the queue of waiting claims, by ticket."""
        if self._nobody_waits and self._unchanged:
            return []
        rows = self._run(
            "SELECT ticket, session, kind, worktree, patterns, since, until"
            " FROM waiter ORDER BY ticket"
        )
        return [
            Waiter(ticket, session, kind, worktree, read_patterns(patterns), since, until)
            for ticket, session, kind, worktree, patterns, since, until in cast(
                "Iterable[tuple[int, str, Kind, str, str, int, int]]", rows
            )
        ]

    def config(self) -> InForce | None:
        """Return the configuration in force."""
        if self._kept.key == self._config_key and self._unchanged:
            return self._kept.config
        row = self._run("SELECT blob, text, seq, compiled FROM config").fetchone()
        config = None if row is None else InForce(*row)
        if self._unchanged:
            self._kept.key, self._kept.config = self._config_key, config
        return config

    def attestation(self, commit: str) -> int | None:
        """Return the newest entry that attests ``commit``."""
        row = self._run('SELECT seq FROM attestation WHERE "commit" = ?', (commit,)).fetchone()
        return None if row is None else int(row[0])

    def attestations(self, after: int = 0) -> dict[str, int]:
        """Return the commits whose newest attestation is an entry after ``after``."""
        rows = self._run('SELECT "commit", seq FROM attestation WHERE seq > ?', (after,)).fetchall()
        return dict(cast("list[tuple[str, int]]", rows))

    def orphans(
        self, worktree: str | None = None, patterns: Sequence[Pattern] | None = None
    ) -> list[Orphan]:
        """Return what ended leases left: everywhere, in a worktree, or there near patterns."""
        if self._nothing_left and self._unchanged:
            return []
        if patterns is None or worktree is None:
            where, values = ("worktree = ?", (worktree,)) if worktree is not None else ("TRUE", ())
            return [
                read_orphan(row) for row in self._run(f"{ORPHAN} {where} ORDER BY token", values)
            ]
        near = "SELECT token FROM orphan_anchor WHERE worktree = ? AND "
        tokens = {
            token
            for points, below in plan(patterns)
            for token in self._tokens(near, (worktree,), points, below)
        }
        return [self._orphan_of(token) for token in sorted(tokens)]

    def _orphan_of(self, token: int) -> Orphan:
        row = self._run(f"{ORPHAN} token = ?", (token,)).fetchone()
        if row is None:
            raise StoreCorrupt(path=self._place, reason=f"orphan {token} is in its index alone")
        return read_orphan(row)

    def _tokens(
        self, near: str, values: tuple[str, ...], points: Sequence[str], below: str
    ) -> Iterator[int]:
        within, bounds = self._dialect.below(below)
        where = f"(anchor IN ({marks(points)}) OR ({within}))"
        for (token,) in self._run(near + where, (*values, *points, *bounds)).fetchall():
            yield int(cast("int", token))

    def landing(self, token: int) -> Landing | None:
        """Return the newest commit attested under a token."""
        row = self._run(f"{_LANDING} token = ?", (token,)).fetchone()
        return None if row is None else _landing(row)

    def landings(
        self,
        since: int = 0,
        without: str | None = None,
        patterns: Sequence[Pattern] | None = None,
    ) -> list[Landing]:
        """Return what landed at or after store time ``since``, by token; perhaps near patterns.

        What one session landed is left out.
        """
        if self._unchanged and (self._landed_at is None or self._landed_at < since):
            return []
        if patterns is None:
            rows = self._run(
                f"{_LANDING} at >= ? AND session IS DISTINCT FROM ? ORDER BY token",
                (since, without),
            )
            return [_landing(row) for row in rows]
        near = "SELECT token FROM landing_anchor WHERE "
        tokens = {
            token
            for points, below in plan(patterns)
            for token in self._tokens(near, (), points, below)
        }
        found = [self.landing(token) for token in sorted(tokens)]
        return [
            one for one in found if one is not None and one.at >= since and one.session != without
        ]

    def unread(self, session: str) -> tuple[ToRead, ...]:
        """Return what a session has to read before it writes."""
        if self._all_read and self._unchanged:
            return ()
        from handrail.core.reading import unread

        return unread(self.reading(session))

    def acts_for(self, process: Process) -> str | None:
        """Return the session that a process acts for."""
        row = self._run(
            "SELECT session FROM process WHERE boot = ? AND pid_ns = ? AND pid = ? AND started = ?",
            tuple(process),
        ).fetchone()
        return None if row is None else str(row[0])

    def processes(self, session: str | None = None) -> list[tuple[Process, str]]:
        """Return the processes that act for sessions, or for one of them, in order."""
        rows = self._run(
            "SELECT boot, pid_ns, pid, started, session FROM process"
            " WHERE CAST(?1 AS TEXT) IS NULL OR session = ?1 ORDER BY 1, 2, 3, 4",
            (session,),
        )
        return [
            (Process(boot, pid_ns, pid, started), name)
            for boot, pid_ns, pid, started, name in cast(
                "Iterable[tuple[str, str, int, int, str]]", rows
            )
        ]

    def notices(self, session: str | None = None, *, told: bool = False) -> list[Notice]:
        """Return what is left to tell a session (or all), or what it was told, too."""
        rows = self._run(
            'SELECT session, kind, "key", other, paths, at FROM notice'
            " WHERE (CAST(?1 AS TEXT) IS NULL OR session = ?1) AND (?2 OR NOT told)"
            " ORDER BY 1, 2, 3",
            (session, told),
        )
        return [
            Notice(name, kind, key, other, tuple(read_json(paths)), at)
            for name, kind, key, other, paths, at in cast(
                "Iterable[tuple[str, str, str, str, str, int]]", rows
            )
        ]

    def entries(self, after: int = 0, until: int | None = None) -> Iterator[Entry]:
        """Yield ledger entries with ``after < seq <= until``, oldest first, a page at a time."""
        last = (1 << 62) if until is None else until
        while True:
            rows = self._run(
                "SELECT seq, header, payload FROM entry WHERE seq > ? AND seq <= ?"
                f" ORDER BY seq LIMIT {PAGE_ENTRIES}",
                (after, last),
            ).fetchall()
            for row in rows:
                yield read_entry(row)
            if len(rows) < PAGE_ENTRIES:
                return
            after = rows[-1][0]

    def newest(self, limit: int) -> list[Entry]:
        """Return the last ``limit`` entries, oldest first."""
        rows = self._run(
            "SELECT seq, header, payload FROM entry ORDER BY seq DESC LIMIT ?", (limit,)
        ).fetchall()
        return [read_entry(row) for row in reversed(rows)]

    def latest(self, kind: str, subject: str) -> Entry | None:
        """Return the newest entry of a kind about a subject."""
        # Spoken so that SQLite sees that the index, which leaves grants out, has the answer.
        indexed = " AND kind <> 'lease.granted'" if kind != "lease.granted" else ""
        row = self._run(
            "SELECT seq, header, payload FROM entry WHERE subject = ? AND kind = ?"
            f"{indexed} ORDER BY seq DESC LIMIT 1",
            (subject, kind),
        ).fetchone()
        return None if row is None else read_entry(row)

    def about(self, kind: str, subject: str) -> list[Entry]:
        """Return every entry of a kind about a subject, oldest first."""
        # As in ``latest``: the index leaves grants out.
        rows = self._run(
            "SELECT seq, header, payload FROM entry WHERE subject = ? AND kind = ?"
            " AND kind <> 'lease.granted' ORDER BY seq",
            (subject, kind),
        ).fetchall()
        return [read_entry(row) for row in rows]

    def recorded(self, kind: str, limit: int) -> list[Entry]:
        """Return the newest entries of a rare kind, newest first."""
        from handrail.store.port import RARE

        assert kind in RARE, "only rare kinds can be asked for as a whole"
        # Written out so that SQLite sees that the index of the rare kinds has the answer.
        rows = self._run(
            f"SELECT seq, header, payload FROM entry WHERE kind = '{kind}'"
            " ORDER BY seq DESC LIMIT ?",
            (limit,),
        ).fetchall()
        return [read_entry(row) for row in rows]

    def attestations_of(self, commit: str) -> list[Entry]:
        """Return every entry that attests a commit, oldest first."""
        return self.about("commit.attested", commit)

    def attested_alike(self, paths_hash: str, limit: int) -> list[Entry]:
        """Return attestations of just these paths, the newest, newest first."""
        rows = self._run(
            f"SELECT seq, header, payload FROM entry WHERE {self._dialect.paths_hash} = ?"
            " AND kind = 'commit.attested' ORDER BY seq DESC LIMIT ?",
            (paths_hash, limit),
        ).fetchall()
        return [read_entry(row) for row in rows]

    def may_write(self, worktree: str, session: str, path: str) -> bool:
        """Look up what the guard asks; ``path`` is normalised."""
        # What is not UTF-8 is no pattern's anchor, and no text to SQLite.
        anchors = [anchor for anchor in ancestors(path) if _is_text(anchor)]
        rows = self._run(
            "SELECT pattern FROM may_write WHERE worktree = ? AND session = ?"
            f" AND anchor IN ({marks(anchors)}) AND until > ?",
            (worktree, session, *anchors, self.now),
        )
        return any(matches(stored_pattern(pattern), path) for (pattern,) in rows)

    def guard_rows(self) -> list[tuple[str, str, str, int, int, int]]:
        """Return (worktree, session, pattern, token, until, renew_at) of what may be written."""
        rows = self._run(
            "SELECT worktree, session, pattern, token, until, renew_at FROM may_write"
            " WHERE until <> 0 ORDER BY 1, 2, 3, 4"
        ).fetchall()
        return cast("list[tuple[str, str, str, int, int, int]]", rows)

    def index_rows(self) -> list[tuple[str, int]]:
        """Return (anchor, token) of all that is found by an anchor."""
        rows = self._run("SELECT DISTINCT anchor, token FROM may_write ORDER BY 1, 2").fetchall()
        return cast("list[tuple[str, int]]", rows)


def read_orphan(row: tuple[Any, ...]) -> Orphan:
    """Make of its row what a lease left."""
    make: Callable[..., Orphan] = Orphan
    blobs = None if row[7] is None else tuple((path, blob) for path, blob in read_json(row[7]))
    return make(*row[:6], read_patterns(row[6]), blobs, *row[8:])


def _landing(row: tuple[Any, ...]) -> Landing:
    make: Callable[..., Landing] = Landing
    return make(*row[:4], read_patterns(row[4]), *row[5:])


def read_lease(row: tuple[Any, ...]) -> Lease:
    """Make a lease of its row."""
    make: Callable[..., Lease] = Lease
    return make(*row[:6], read_patterns(row[6]), *row[7:10], bool(row[10]))


def read_entry(row: tuple[Any, ...]) -> Entry:
    """Make an entry of a row (seq, header, payload); raises StoreCorrupt."""
    seq, header, payload = row
    if type(header) is not bytes or (payload is not None and type(payload) is not bytes):
        raise StoreCorrupt(path="state.db", reason=f"entry {seq} in it has no bytes")
    return Entry(seq, header, payload)


def read_patterns(text: str) -> tuple[Pattern, ...]:
    """Read a scope as the file keeps it, one pattern a line."""
    if type(text) is not str:
        raise StoreCorrupt(path="state.db", reason="a scope in it is no text")
    return tuple(stored_pattern(line) for line in text.split("\n"))


def _is_text(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= char <= "\udfff" for char in name)


def marks(values: Sequence[object]) -> str:
    """Return as many marks as there are values."""
    return ",".join("?" * len(values))

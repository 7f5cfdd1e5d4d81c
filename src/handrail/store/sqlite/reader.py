"""What can be asked of the file, each question one indexed statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, cast

import apsw

from handrail.core.lease import Kind, Lease, Session, Waiter
from handrail.core.ledger import Entry, Head
from handrail.core.scope import Pattern, ancestors, matches, stored_pattern
from handrail.core.state import InForce
from handrail.errors import StoreCorrupt
from handrail.store.anchors import plan
from handrail.store.clock import Reading, Timeline

_LEASE = (
    "l.token, l.session, l.agent, l.role, l.kind, l.worktree, l.patterns,"
    " l.granted_at, l.ttl_ms, l.expires_at, l.lasting"
)
_StateRow = tuple[str, str, int, str, str, int, int, tuple[int, bool] | None, bool]
# What every transaction asks, in one statement: a statement more costs more than a column more.
_STATE = (
    "SELECT workspace, epoch, head_seq, head_hash, boot, offset_ms, last_now,"
    " (SELECT seq FROM config), (SELECT compiled IS NOT NULL FROM config),"
    " EXISTS (SELECT 1 FROM waiter) FROM state"
)
_NEAR = (
    f"SELECT {_LEASE} FROM may_write a"
    " CROSS JOIN lease l ON l.session = a.session AND l.token = a.token WHERE {}"
    " ORDER BY a.anchor, a.token"
)
# A lease lies beside those of its session. The entry of its grant names that; where the entry says
# something else, the whole table is searched.
BY_TOKEN = (
    "session = (SELECT subject FROM entry WHERE seq = ?1) AND token = ?1",
    "token = ?1",
)


class Kept:
    """The configuration as it was read last, by its entry: it is asked for each time."""

    def __init__(self) -> None:
        self.key: tuple[object, object] | None = None
        self.config: InForce | None = None


class SqliteReader:
    """One consistent view of the file; lives inside a transaction of its connection."""

    def __init__(
        self, connection: apsw.Connection, reading: Reading, kept: Kept | None = None
    ) -> None:
        self._run = connection.execute
        self._kept = Kept() if kept is None else kept
        self._streams: list[apsw.Cursor] = []
        row = self._run(_STATE).get
        if row is None or None in row[:7]:
            raise StoreCorrupt(path="state.db", reason="its state row is missing")
        workspace, epoch, seq, digest, boot, offset_ms, last_now, *more = cast("_StateRow", row)
        self._config_key, self._nobody_waits = (more[0], more[1]), not more[2]
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
            # To SQLite no text is greater than a blob.
            bounds = (below + "/", below + "0") if below else ("", b"")
            for row in self._stream(_near(len(points)), (*points, *bounds)):
                if row[0] not in seen:
                    seen.add(row[0])
                    yield _lease(row)

    def _stream(self, sql: str, values: tuple[str | bytes | int, ...]) -> apsw.Cursor:
        """Run a statement whose rows are read lazily, perhaps not to the end."""
        cursor = self._run(sql, values)
        self._streams.append(cursor)
        return cursor

    def close(self) -> None:
        """End what is still being read: an open cursor would keep its snapshot alive."""
        for cursor in self._streams:
            cursor.close()

    def lease(self, token: int) -> Lease | None:
        """Return the lease under ``token`` if it has not ended."""
        for where in BY_TOKEN:
            row = self._run(f"SELECT {_LEASE} FROM lease l WHERE {where}", (token,)).fetchone()
            if row is not None:
                return _lease(row)
        return None

    def leases(self, session: str | None = None) -> list[Lease]:
        """Return all leases, or those of one session, by token."""
        if session is None:
            rows = self._run(f"SELECT {_LEASE} FROM lease l ORDER BY token")
        else:
            rows = self._run(
                f"SELECT {_LEASE} FROM lease l WHERE session = ? ORDER BY token", (session,)
            )
        return [_lease(row) for row in rows]

    def session(self, session: str) -> Session | None:
        """Return a session, ended or not."""
        row = self._run(
            "SELECT id, agent, role, worktree, started_at, ended_at, secret_hash"
            " FROM session WHERE id = ?",
            (session,),
        ).fetchone()
        return None if row is None else Session(*row)

    def sessions(self, *, ended: bool = False) -> list[Session]:
        """Return the sessions that have not ended (or all), by start."""
        rows = self._run(
            "SELECT id, agent, role, worktree, started_at, ended_at, secret_hash FROM session"
            " WHERE ? OR ended_at IS NULL ORDER BY started_at, id",
            (ended,),
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

    def attestations(self) -> dict[str, int]:
        """Return every attested commit with its entry."""
        rows = self._run('SELECT "commit", seq FROM attestation').fetchall()
        return dict(cast("list[tuple[str, int]]", rows))

    def entries(self, after: int = 0, until: int | None = None) -> Iterator[Entry]:
        """Yield ledger entries with ``after < seq <= until``, oldest first."""
        rows = self._stream(
            "SELECT seq, header, payload FROM entry WHERE seq > ? AND seq <= ? ORDER BY seq",
            (after, (1 << 62) if until is None else until),
        )
        for row in rows:
            yield read_entry(row)

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

    def may_write(self, worktree: str, session: str, path: str) -> bool:
        """Look up what the guard asks; ``path`` is normalised."""
        anchors = ancestors(path)
        rows = self._run(
            "SELECT pattern FROM may_write WHERE worktree = ? AND session = ?"
            f" AND anchor IN ({_marks(anchors)}) AND until > ?",
            (worktree, session, *anchors, self.now),
        )
        return any(matches(stored_pattern(pattern), path) for (pattern,) in rows)

    def guard_rows(self) -> list[tuple[str, str, str, int, int]]:
        """Return (worktree, session, pattern, token, until) of all that may be written."""
        rows = self._run(
            "SELECT worktree, session, pattern, token, until FROM may_write ORDER BY 1, 2, 3, 4"
        ).fetchall()
        return cast("list[tuple[str, str, str, int, int]]", rows)

    def index_rows(self) -> list[tuple[str, int]]:
        """Return (anchor, token) of all that is found by an anchor."""
        rows = self._run("SELECT DISTINCT anchor, token FROM may_write ORDER BY 1, 2").fetchall()
        return cast("list[tuple[str, int]]", rows)


@cache
def _near(points: int) -> str:
    """Return the statement that looks at so many anchors, then at everything between two bounds."""
    first = _NEAR.format(f"a.anchor IN ({','.join('?' * points)})")
    then = _NEAR.format("a.anchor > ? AND a.anchor < ?")
    return f"SELECT * FROM ({first}) UNION ALL SELECT * FROM ({then})"


def _lease(row: tuple[Any, ...]) -> Lease:
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


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))

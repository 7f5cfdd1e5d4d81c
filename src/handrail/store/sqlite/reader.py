"""What can be asked of the file, each question one indexed statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
_StateRow = tuple[str, str, int, str, str, int, int]
_NEAR = f"SELECT {_LEASE} FROM anchor a JOIN lease l ON l.token = a.token WHERE "


class SqliteReader:
    """One consistent view of the file; lives inside a transaction of its connection."""

    def __init__(self, connection: apsw.Connection, reading: Reading) -> None:
        self._run = connection.execute
        self._streams: list[apsw.Cursor] = []
        row = self._run(
            "SELECT workspace, epoch, head_seq, head_hash, boot, offset_ms, last_now FROM state"
        ).fetchone()
        if row is None or None in row:
            raise StoreCorrupt(path="state.db", reason="its state row is missing")
        workspace, epoch, seq, digest, boot, offset_ms, last_now = cast("_StateRow", row)
        self.workspace, self.epoch, self._last_now = workspace, epoch, last_now
        self.head = Head(seq, digest)
        self._timeline = Timeline(boot, offset_ms)
        self._reading = reading
        self.now: int = self._timeline.now(reading, self._last_now)

    def near(self, patterns: Sequence[Pattern]) -> Iterator[Lease]:
        """Yield what may share a path with the patterns, in the order of the plan."""
        seen: set[int] = set()
        for step in plan(patterns):
            at_points = f"a.anchor IN ({_marks(step.points)})"
            yield from self._unseen(at_points, step.points, seen)
            if step.below:
                bounds = (step.below + "/", step.below + "0")
                yield from self._unseen("a.anchor > ? AND a.anchor < ?", bounds, seen)
            else:
                yield from self._unseen("a.anchor > ''", (), seen)

    def _unseen(self, condition: str, values: tuple[str, ...], seen: set[int]) -> Iterator[Lease]:
        for row in self._stream(f"{_NEAR}{condition} ORDER BY a.anchor, a.token", values):
            if row[0] not in seen:
                seen.add(row[0])
                yield _lease(row)

    def _stream(self, sql: str, values: tuple[str | int, ...]) -> apsw.Cursor:
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
        row = self._run(f"SELECT {_LEASE} FROM lease l WHERE token = ?", (token,)).fetchone()
        return None if row is None else _lease(row)

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
        row = self._run("SELECT blob, text, seq, compiled FROM config").fetchone()
        return None if row is None else InForce(*row)

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
        row = self._run(
            "SELECT seq, header, payload FROM entry WHERE subject = ? AND kind = ?"
            " ORDER BY seq DESC LIMIT 1",
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

    def index_rows(self) -> list[tuple[str, str, int]]:
        """Return ("near" or "guard", anchor, token) of all that is found by an anchor."""
        rows = self._run(
            "SELECT 'near', anchor, token FROM anchor UNION ALL"
            " SELECT DISTINCT 'guard', anchor, token FROM may_write ORDER BY 1, 2, 3"
        ).fetchall()
        return cast("list[tuple[str, str, int]]", rows)


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

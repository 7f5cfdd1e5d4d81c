"""What PostgreSQL says in its own way, asked of one consistent view of a workspace's schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from handrail.core.ledger import Entry
from handrail.store.clock import Reading
from handrail.store.sql.handoffs import Cursor
from handrail.store.sql.reader import LEASE, SqlReader, marks, read_entry
from handrail.typed import Final

PAGE_ENTRIES: Final = 2_000
_NEAR: Final = (
    f"SELECT {{}} AS part, a.anchor AS anchor, {LEASE} FROM may_write a"
    " JOIN lease l ON l.token = a.token WHERE {}"
)


class PostgresDialect(SqlReader):
    """What PostgreSQL says differently."""

    def _near(self, points: Sequence[str], below: str) -> Cursor:
        bounds = (below + "/", below + "0") if below else ()
        return self._run(_near(len(points), bool(below)), (*points, *bounds))

    def _below(self, below: str) -> tuple[str, tuple[str | bytes, ...]]:
        if not below:
            return "anchor > ''", ()
        return "anchor > ? AND anchor < ?", (below + "/", below + "0")

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

    def attested_alike(self, paths_hash: str, limit: int) -> list[Entry]:
        """Return attestations of just these paths, the newest, newest first."""
        rows = self._run(
            "SELECT seq, header, payload FROM entry WHERE paths_hash = ?"
            " AND kind = 'commit.attested' ORDER BY seq DESC LIMIT ?",
            (paths_hash, limit),
        ).fetchall()
        return [read_entry(row) for row in rows]


class PostgresReader(PostgresDialect):
    """One snapshot; lives inside a transaction of its connection."""


def reading_of(server_ms: int) -> Reading:
    """Return the server's clock as a machine's that has been running since 1970."""
    return "", server_ms, server_ms


@cache
def _near(points: int, bounded: bool) -> str:
    """Return the statement that looks at so many anchors, then at everything below one."""
    first = _NEAR.format(0, f"a.anchor IN ({marks('?' * points)})")
    then = _NEAR.format(1, "a.anchor > ? AND a.anchor < ?" if bounded else "a.anchor > ''")
    columns = LEASE.replace("l.", "")
    both = f"SELECT {columns}, part, anchor FROM ({first} UNION ALL {then}) found"
    return f"{both} ORDER BY part, anchor, token"

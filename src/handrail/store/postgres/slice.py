"""A decision without the turn: what it asks for is read at once, a grant is written at once.

Promise: a grant that is written here is one that would have been made with the turn. A slice
answers only what ``grant_lease`` (``migrations/0002_grant.sql``) looks at again once the turn is
won; whoever asks a slice for more, or wants to write anything else, gets NeedsTurn, and where
something has changed Stale. Both lead to another decision, the last one with the turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

import psycopg

from handrail.core.events import Event, LeaseGranted, Move
from handrail.core.lease import Actor, Landing, Lease, Orphan, Session, renew_at
from handrail.core.ledger import Entry, Head
from handrail.core.scope import Pattern
from handrail.core.state import InForce, lease_of
from handrail.core.unplaced import unplaced
from handrail.store.anchors import plan
from handrail.store.clock import Reading
from handrail.store.port import Clock, Grant, Request, Watch
from handrail.store.postgres.link import Link
from handrail.store.postgres.reader import NOW
from handrail.store.postgres.schema import FORMAT, path_of, quoted
from handrail.store.postgres.writer import PostgresTx
from handrail.store.sql.reader import LEASE, STATE, Kept, StateRow, read_lease
from handrail.typed import Any, Final

_STATE_COLUMNS: Final = 13
# What has its anchor near: at the points, or below one of those that are asked for. Each range is
# walked in the index, whatever the planner thinks of how much there is (``OFFSET 0``).
_AT: Final = "n.anchor = ANY (string_to_array(?4, chr(10)))"
_RANGES: Final = (
    "unnest(string_to_array(?5, chr(10)), string_to_array(?6, chr(10))) AS below (low, high)"
)
_BELOW: Final = "n.anchor > below.low AND n.anchor < below.high"


def _near(what: str, tables: str, also: str) -> str:
    """Return a query for what is near; ``tables`` begins with the one that has anchors, as n."""
    return (
        f"SELECT {what} FROM {tables} WHERE {_AT}{also} UNION ALL SELECT found.* FROM {_RANGES},"
        f" LATERAL (SELECT {what} FROM {tables} WHERE {_BELOW}{also} OFFSET 0) found"
    )


_SINCE: Final = "d.at >= x.started_at AND d.session <> x.id"
_LANDED: Final = "{at}landing_anchor n JOIN {at}landing d ON d.token = n.token"
_LEFT_NEAR: Final = (
    "EXISTS (SELECT 1 FROM {at}orphan) AND EXISTS ("
    + _near("1", "{at}orphan_anchor n", " AND n.worktree = x.worktree")
    + ")"
)
_LANDED_NEAR: Final = (
    f"EXISTS (SELECT 1 FROM {{at}}landing d WHERE {_SINCE}) AND EXISTS ("
    + _near("1", _LANDED, f" AND {_SINCE}")
    + ")"
)
_HELD: Final = "{at}may_write n JOIN {at}lease e ON e.token = n.token"
_LOOK: Final = (
    f"{STATE}, pg_backend_pid(), {NOW}, (SELECT number FROM {{at}}format), commits - grants,"
    f" {_LEFT_NEAR}, {_LANDED_NEAR},"
    " c.blob, c.text, c.seq, c.compiled,"
    " x.id, x.agent, x.role, x.worktree, x.started_at, x.ended_at, x.secret_hash,"
    f" l.anchor, {LEASE} FROM {{at}}state"
    # The configuration is sent only to whom it is new.
    " LEFT JOIN {at}config c ON (c.seq, c.compiled IS NOT NULL)"
    " IS DISTINCT FROM (?1::bigint, ?2::boolean)"
    " LEFT JOIN {at}session x ON x.id = ?3"
    f" LEFT JOIN ({_near('n.anchor, e.*', _HELD, '')}) l ON TRUE"
)
_TYPES: Final = (
    *("text", "text", "integer", "text", "text", "bigint", "bigint", "bigint", "bigint"),
    *("text", "text", "text", "text", "bigint", "text", "bigint", "text", "text", "text", "text"),
    *("bigint", "text", "text", "text", "text", "text", "bigint", "bigint", "boolean", "text"),
)
_REFUSED: Final = (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction)
_AGAIN: Final = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)


class NeedsTurn(Exception):
    """The decision asks for what only the exclusive transaction tells or does."""


class Stale(Exception):
    """Something that the decision rests on has changed before it was written."""


class Near:
    """Where the leases that a decision asks for have their anchors."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        """Plan where to look; raises NeedsTurn where that is everywhere."""
        self.patterns = tuple(patterns)
        self.steps = plan(patterns)
        if not all(step.below for step in self.steps):
            raise NeedsTurn
        points = [point for step in self.steps for point in step.points]
        # One a line: no pattern has a line's end in it.
        self.lines = (
            "\n".join(points),
            "\n".join([f"{step.below}/" for step in self.steps]),
            "\n".join([f"{step.below}0" for step in self.steps]),
        )

    def in_order(self, rows: Iterable[tuple[Any, ...]]) -> list[Lease]:
        """Return the leases of rows that begin with the anchor, in the order of ``Reader.near``."""
        found: dict[int, Lease] = {}
        for row in sorted(rows, key=self._place):
            found.setdefault(row[1], read_lease(row[1:]))
        return list(found.values())

    def _place(self, row: tuple[Any, ...]) -> tuple[int, bool, bytes, int]:
        anchor, token = row[:2]
        number = next(number for number, step in enumerate(self.steps) if step.takes(anchor))
        below = anchor not in self.steps[number].points
        return number, below, anchor.encode("utf-8", "surrogatepass"), token


class Looked:
    """What one statement told: the state, the clock, the session that asks, the leases near."""

    def __init__(self, rows: Sequence[tuple[Any, ...]], near: Near, kept: Kept) -> None:
        """Read the rows, keep the configuration; raises NeedsTurn for a store of another format."""
        first = rows[0] if rows else ()
        at = _STATE_COLUMNS
        if not first or first[at + 2] != FORMAT:
            raise NeedsTurn
        self.state: StateRow = first[:at]
        self.pid, self.server_ms = first[at], first[at + 1]
        self.others, self.left_near, self.landed_near = first[at + 3 : at + 6]
        config, session = first[at + 6 : at + 10], first[at + 10 : at + 17]
        if config[0] is not None:
            kept.key, kept.config = (first[7], first[8]), InForce(*config)
        self.session = None if session[0] is None else Session(*session)
        self.leases = near.in_order(row[at + 17 :] for row in rows if row[at + 17] is not None)


def look(link: Link, schema: str, session: str, near: Near, kept: Kept) -> Looked:
    """Ask for all at once; raises NeedsTurn, and the driver's errors."""
    key = (None, None) if kept.key is None else kept.key
    values = (*key, session, *near.lines)
    return Looked(link.send(_look(schema), values).fetchall(), near, kept)


@cache
def _look(schema: str) -> str:
    return _LOOK.format(at=f"{quoted(schema)}.")


@cache
def _grant(schema: str) -> str:
    marks = ", ".join(f"?{number}::{kind}" for number, kind in enumerate(_TYPES, 1))
    return f"CALL {quoted(schema)}.grant_lease({marks}, NULL, NULL, NULL, NULL)"


class PostgresSlice(PostgresTx):
    """What was looked at, and one grant."""

    def __init__(
        self,
        link: Link,
        schema: str,
        looked: Looked,
        near: Near,
        reading: Reading,
        kept: Kept,
        place: str,
        salt: Callable[[], str],
        busy_ms: int,
        *,
        clock: Clock | None,
        watch: Watch | None,
    ) -> None:
        """Begin; without a ``clock`` time is the server's, read when the turn is won."""
        super().__init__(_nothing_more, looked.state, reading, kept, place, salt, _nothing_else)
        if self.begins_boot:
            raise NeedsTurn
        self._link, self._schema, self._busy_ms = link, schema, busy_ms
        self._looked, self._near = looked, near
        self.granted: Grant | None = None
        self.watch = watch
        self._clock = clock

    def session(self, session: str) -> Session | None:
        """Return the session that asks."""
        found = self._looked.session
        return found if found is not None and found.id == session else _nothing_more()

    def near(self, patterns: Sequence[Pattern]) -> Iterator[Lease]:
        """Return the leases near what is asked for."""
        return iter(
            self._looked.leases if tuple(patterns) == self._near.patterns else _nothing_more()
        )

    def orphans(
        self, worktree: str | None = None, patterns: Sequence[Pattern] | None = None
    ) -> list[Orphan]:
        """Return that nothing is left unfinished near, where nothing is."""
        session = self._looked.session
        asked = session is not None and (worktree, patterns) == (
            *(session.worktree, self._near.patterns),
        )
        if not asked or self._looked.left_near:
            raise NeedsTurn
        return []

    def landings(
        self,
        since: int = 0,
        without: str | None = None,
        patterns: Sequence[Pattern] | None = None,
    ) -> list[Landing]:
        """Return that nobody else landed anything near since the session began, where it is so."""
        session = self._looked.session
        asked = session is not None and (since, without, patterns) == (
            *(session.started_at, session.id, self._near.patterns),
        )
        if not asked or self._looked.landed_near:
            raise NeedsTurn
        return []

    def commit(
        self,
        changes: Iterable[Event | Move],
        actor: Actor,
        request: Request | None = None,
    ) -> tuple[Entry, ...]:
        """Write one grant, and nothing else; raises NeedsTurn, Stale."""
        assert not self.committed, "one transaction, one commit"
        changes = list(changes)
        session = self._looked.session
        grant = changes[0] if len(changes) == 1 and request is None else None
        if (
            not isinstance(grant, LeaseGranted)
            or session is None
            or actor != Actor(session.id, session.agent, session.role)
            or (grant.session, grant.worktree) != (session.id, session.worktree)
            or grant.beside
            or grant.holder is not None
            or grant.expires_at != self.now + grant.ttl_ms
        ):
            raise NeedsTurn
        if self.watch is not None:
            self.watch.begins(changes, actor)
        entry = self._granted(grant, session, actor)
        self.committed = self.written = True
        return (entry,)

    def _granted(self, grant: LeaseGranted, session: Session, actor: Actor) -> Entry:
        reading = None if self._clock is None else self._clock.read()
        if reading is not None and reading[0] != self._timeline.boot:
            raise NeedsTurn
        form = unplaced(self.epoch, actor, grant, self._salt())
        ends = [near.expires_at for near in self._looked.leases if near.live(self.now)]
        lease = lease_of(0, 0, actor, grant._replace(expires_at=grant.ttl_ms))
        try:
            seq, at, header, payload = self._link.send(
                _grant(self._schema),
                (
                    *(path_of(self._schema), f"{self._busy_ms}ms"),
                    *(FORMAT, self.epoch, self._timeline.boot, self.head.seq),
                    *(self._config_key[0], min(ends, default=None), session.started_at),
                    *(*session[:5], session.secret_hash),
                    *(self._looked.others, *self._near.lines),
                    "\n".join([str(near.token) for near in self._looked.leases]),
                    None if reading is None else reading[1],
                    *("\n".join(form.header), "\n".join(form.payload)),
                    *(grant.role, grant.kind, "\n".join(grant.patterns)),
                    *(grant.ttl_ms, renew_at(lease), grant.lasting),
                    "\n".join([pattern.anchor for pattern in lease.patterns]),
                ),
            ).fetchone()
        except _REFUSED as error:
            raise NeedsTurn from error
        except _AGAIN as error:
            raise Stale from error
        if not seq:
            raise Stale if seq is None else NeedsTurn
        entry = Entry(seq, header, payload)
        self.now, self.head = at, Head(seq, entry.hash)
        dated = lease._replace(token=seq, granted_at=at, expires_at=at + grant.ttl_ms)
        self.granted = (self.epoch, dated)
        return entry


def _nothing_more(*asked: object) -> Any:
    raise NeedsTurn


def _nothing_else(tell: bool) -> Any:
    raise NeedsTurn

"""Leases: who holds which scope until when, and when two of them cannot stand side by side.

Promises: the conflict table below is the only place that says which kinds of lease exclude each
other; a renewal never shortens a lease and never carries it past its age cap; an expired lease is
never revived. Not promised here: that a holder notices. It must stop by itself at ``ttl - margin``
after the moment *before* it asked (``trusted_until``).

Times are milliseconds since 1970 on the store's clock, spans are milliseconds.

    >>> answer(held=EXCLUSIVE, asked=LOCAL, same_worktree=False)
    'refuse'
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail.core.record import Record
from handrail.core.scope import Overlap, Pattern, matches, overlap, overlap_outside
from handrail.errors import MalformedTtl
from handrail.text import format_duration
from handrail.typed import Final, Literal, Protocol

Kind = Literal["exclusive", "local"]
Answer = Literal["refuse", "grant", "grant_and_tell"]

EXCLUSIVE: Final = "exclusive"
LOCAL: Final = "local"

TTL_MIN_MS: Final = 1_000
TTL_MAX_MS: Final = 24 * 3_600_000
TTL_DEFAULT_MS: Final = 90 * 60_000
AGE_MAX_MS: Final = 72 * 3_600_000
MARGIN_MAX_MS: Final = 30_000

# (held by another session, asked for, in the same working tree?) -> what is answered.
# Only what somebody claimed by hand is exclusive across working trees: git merges the rest.
CONFLICTS: Final[dict[tuple[Kind, Kind, bool], Answer]] = {
    (EXCLUSIVE, EXCLUSIVE, True): "refuse",
    (EXCLUSIVE, EXCLUSIVE, False): "refuse",
    (EXCLUSIVE, LOCAL, True): "refuse",
    (EXCLUSIVE, LOCAL, False): "refuse",
    (LOCAL, EXCLUSIVE, True): "refuse",
    (LOCAL, EXCLUSIVE, False): "refuse",
    (LOCAL, LOCAL, True): "refuse",
    (LOCAL, LOCAL, False): "grant_and_tell",
}


class Lease(Record):
    """A scope held by a session until a time; ``token`` is the ``seq`` of its grant."""

    token: int
    session: str
    agent: str
    role: str | None
    kind: Kind
    worktree: str
    patterns: tuple[Pattern, ...]
    granted_at: int
    ttl_ms: int
    expires_at: int
    lasting: bool

    @property
    def scope(self) -> tuple[str, ...]:
        """The patterns as text."""
        return tuple(pattern.text for pattern in self.patterns)

    def live(self, now: int) -> bool:
        """Tell whether the lease still binds at ``now``; at ``expires_at`` it no longer does."""
        return now < self.expires_at


class Session(Record):
    """One run of an agent in one working tree; ``secret_hash`` is the SHA-256 of its secret."""

    id: str
    agent: str
    role: str | None
    worktree: str
    started_at: int
    ended_at: int | None
    secret_hash: str

    @property
    def live(self) -> bool:
        """Tell whether the session has not ended."""
        return self.ended_at is None


class Waiter(Record):
    """A claim that waits; ``ticket`` orders arrivals, at ``until`` it counts as gone."""

    ticket: int
    session: str
    kind: Kind
    worktree: str
    patterns: tuple[Pattern, ...]
    since: int
    until: int


class Orphan(Record):
    """What a lease left behind when it ended over files that may hold unfinished work.

    It binds in its working tree only. ``blobs`` are path and content of what was unfinished, None
    where nobody has looked yet; ``patterns`` are those paths, or the lease's own. ``since`` is the
    ``seq`` of the entry that ended the lease: what others landed after it, the holder did not know.
    """

    token: int
    session: str
    agent: str
    role: str | None
    kind: Kind
    worktree: str
    patterns: tuple[Pattern, ...]
    blobs: tuple[tuple[str, str], ...] | None
    ttl_ms: int
    since: int

    @property
    def scope(self) -> tuple[str, ...]:
        """The patterns as text."""
        return tuple(pattern.text for pattern in self.patterns)


class Landing(Record):
    """The newest commit that was attested under a token, and the scope of that token."""

    token: int
    session: str
    kind: Kind
    worktree: str
    patterns: tuple[Pattern, ...]
    commit: str
    seq: int
    at: int


class Process(Record):
    """A process as one machine tells it from all others; ``started`` in its clock's ticks."""

    boot: str
    pid_ns: str
    pid: int
    started: int


class Notice(Record):
    """Something that ``session`` is told once; ``key`` names the occasion, ``other`` who."""

    session: str
    kind: str
    key: str
    other: str
    paths: tuple[str, ...]
    at: int


class Holding(Protocol):
    """What the conflict rule needs to know of a lease, a waiter or a grant."""

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """The scope."""

    @property
    def kind(self) -> Kind:
        """Exclusive or local."""

    @property
    def worktree(self) -> str:
        """The working tree it was asked for in."""


class Hold(Record):
    """A bare holding, for a grant that is history."""

    patterns: tuple[Pattern, ...]
    kind: Kind
    worktree: str


class Actor(Record):
    """Who does something, as the ledger's header names it; all None is *unattributed*."""

    session: str | None = None
    agent: str | None = None
    role: str | None = None


def answer(*, held: Kind, asked: Kind, same_worktree: bool) -> Answer:
    """Look the pair up in the conflict table; what is not in the table is refused."""
    return CONFLICTS.get((held, asked, same_worktree), "refuse")


def check_ttl(ttl_ms: int) -> int:
    """Return ``ttl_ms`` if a lease may live that long (1 s to 24 h), else raise MalformedTtl."""
    if not TTL_MIN_MS <= ttl_ms <= TTL_MAX_MS:
        low, high = format_duration(TTL_MIN_MS), "24h"
        raise MalformedTtl(ttl=format_duration(ttl_ms), reason=f"it must be {low} to {high}")
    return ttl_ms


def margin_ms(ttl_ms: int) -> int:
    """How long before the end a holder stops trusting its lease: 30 s, at most a third."""
    return min(MARGIN_MAX_MS, ttl_ms // 3)


def trusted_until(asked_at: int, ttl_ms: int, expires_at: int) -> int:
    """Until when a holder may rely on a lease it asked for at ``asked_at``."""
    return min(asked_at + ttl_ms, expires_at) - margin_ms(ttl_ms)


def renew_at(lease: Lease) -> int:
    """When traffic of its holder begins to renew a lease: half of its life before its end.

    At its age cap a lease cannot be renewed any more: then it is the end itself.
    """
    if lease.expires_at >= lease.granted_at + AGE_MAX_MS:
        return lease.expires_at
    return lease.expires_at - lease.ttl_ms // 2


def renewed_expiry(lease: Lease, ttl_ms: int, now: int) -> int:
    """When ``lease`` ends if it is renewed at ``now``: never earlier, never past its age cap."""
    return max(lease.expires_at, min(now + ttl_ms, lease.granted_at + AGE_MAX_MS))


def conflict(
    held: Holding,
    patterns: Sequence[Pattern],
    kind: Kind,
    worktree: str,
    contended: Sequence[Pattern] = (),
) -> tuple[Answer, Overlap] | None:
    """Compare one lease or waiter of another session with what is asked.

    Returns the answer of the table and the overlap with its witness; None where they share no
    path. On a contended path both sides count as local, whatever they are elsewhere.
    """
    shared = overlap(held.patterns, patterns)
    if shared is None:
        return None
    same = held.worktree == worktree
    if any(matches(pattern, shared.witness) for pattern in contended):
        outside = overlap_outside(held.patterns, patterns, contended)
        if outside is None:
            return answer(held=LOCAL, asked=LOCAL, same_worktree=same), shared
        shared = outside
    return answer(held=held.kind, asked=kind, same_worktree=same), shared

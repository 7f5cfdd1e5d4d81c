"""What a rule looks at, and what it can be asked.

A view must hold at least the leases that may conflict: what ``near`` of the store's port gives.
More is allowed, less is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from handrail.core.events import Event, Move
from handrail.core.lease import Kind, Lease, Session, Waiter
from handrail.core.record import Record
from handrail.core.role import Role
from handrail.core.scope import Pattern

Changes = list[Event | Move]


class Policy(Record):
    """What the configuration in force says about leases; lanes and contended paths parsed."""

    roles: Mapping[str, Role]
    lanes: Mapping[str, tuple[Pattern, ...]]
    contended: tuple[Pattern, ...] = ()
    exempt: tuple[Pattern, ...] = ()
    many_roles: bool = False


class View(Record):
    """The slice of the state that a decision looks at."""

    epoch: str
    leases: Sequence[Lease] | Iterable[Lease] = ()
    waiters: Sequence[Waiter] = ()
    policy: Policy = Policy({}, {})


class Claim(Record):
    """Ask for a scope; ``ticket`` is the asker's place in the queue, if it waits already.

    ``single`` are the literal patterns that are no folder now: what they mean below themselves is
    empty, so a lane need not cover it.
    """

    session: Session
    patterns: tuple[Pattern, ...]
    kind: Kind
    ttl_ms: int
    role: str | None = None
    ticket: int | None = None
    lasting: bool = True
    single: frozenset[str] = frozenset()


class Wait(Record):
    """Take a place in the queue for a claim that was refused, or keep it."""

    claim: Claim


class Renew(Record):
    """Let the lease under ``token`` live ``ttl_ms`` from now."""

    session: Session
    lease: Lease
    ttl_ms: int


class Release(Record):
    """End leases of the asking session."""

    session: Session
    leases: tuple[Lease, ...]
    reason: str = "released"


class StartSession(Record):
    """Begin a session; ``known`` is the one that already has this id."""

    session: Session
    known: Session | None


class EndSession(Record):
    """End a session; the view holds its leases."""

    session: Session
    reason: str


class ChangeRole(Record):
    """Let a session act as another role; ``proof`` says who may decide that."""

    session: Session
    role: str
    reason: str
    proof: str


class CommitFacts(Record):
    """A commit as git tells it: ids, parents, and its changed paths, normalised."""

    commit: str
    tree: str
    parents: tuple[str, ...]
    paths: tuple[str, ...]
    paths_hash: str


class Attest(Record):
    """Record that commits were made under live leases; the view holds the session's leases."""

    session: Session
    commits: tuple[CommitFacts, ...]


class Uncovered(Record):
    """A path of a commit over which the session holds nothing."""

    commit: str
    path: str


class NotCovered(Exception):
    """Paths of a commit are not covered; the service finds out what became of their leases."""

    def __init__(self, missing: tuple[Uncovered, ...]) -> None:
        super().__init__(missing)
        self.missing = missing


Command = Claim | Wait | Renew | Release | StartSession | EndSession | ChangeRole | Attest

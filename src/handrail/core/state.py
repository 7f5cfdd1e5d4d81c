"""What the ledger adds up to: the tables beside it, and the one place that says how they change.

Promise: ``apply`` is the whole meaning of every event and move. Each store offers ``Tables`` and
calls it, so no two stores can disagree about what a grant or a release does; replaying a ledger
with it over an empty ``State`` gives the tables again (but for renewed expiries, which are no
history). Pure: no clock, no I/O; ``evolve`` leaves its argument as it was, ``apply`` changes the
tables that it is given.

    >>> evolve(State(), 1, 0, Actor(), StoreCreated("w", None)).leases
    {}
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from handrail.core.events import (
    CommitAttested,
    ConfigApplied,
    Event,
    LeaseExpired,
    LeaseGranted,
    LeaseReleased,
    LeaseRenewed,
    Move,
    SessionEnded,
    SessionRoleChanged,
    SessionStarted,
    WaitBegan,
    WaitEnded,
    WaitKept,
)
from handrail.core.lease import Actor, Lease, Session, Waiter
from handrail.core.ledger import Entry, read_event, read_header
from handrail.core.record import Record
from handrail.core.scope import stored_pattern


class Tables(Protocol):
    """What a store must be able to change for ``apply``; rows that are not there are no error."""

    def put_lease(self, lease: Lease) -> None:
        """Add a lease and what the guard looks up for it."""

    def drop_lease(self, token: int) -> None:
        """Take a lease away with what the guard looks up for it."""

    def move_expiry(self, token: int, expires_at: int) -> None:
        """Let a lease end at another time."""

    def put_session(self, session: Session) -> None:
        """Add a session, or replace the one of the same id."""

    def end_session(self, session: str, at: int) -> None:
        """Mark a session as ended."""

    def set_role(self, session: str, role: str) -> None:
        """Let a session act as another role."""

    def put_config(self, blob: str, text: str, seq: int) -> None:
        """Put a configuration in force."""

    def put_attestation(self, commit: str, seq: int) -> None:
        """Remember where a commit was attested."""

    def put_waiter(self, change: WaitBegan, at: int) -> None:
        """Give a claim the next ticket of the queue."""

    def keep_waiter(self, ticket: int, until: int) -> None:
        """Let a waiting claim count as there for longer."""

    def drop_waiter(self, ticket: int) -> None:
        """Take a claim out of the queue."""


def apply(tables: Tables, seq: int, at: int, actor: Actor, change: Event | Move) -> None:
    """Let ``change`` (entry ``seq``, at store time ``at`` in ms) act on the tables."""
    match change:
        case LeaseGranted():
            tables.put_lease(_lease_of(seq, at, actor, change))
        case LeaseReleased(token) | LeaseExpired(token):
            tables.drop_lease(token)
        case LeaseRenewed(token, expires_at):
            tables.move_expiry(token, expires_at)
        case SessionStarted(session, agent, role, worktree, secret_hash):
            tables.put_session(Session(session, agent, role, worktree, at, None, secret_hash))
        case SessionEnded(session):
            tables.end_session(session, at)
        case SessionRoleChanged(session, role):
            tables.set_role(session, role)
        case ConfigApplied(blob, text):
            tables.put_config(blob, text, seq)
        case CommitAttested(commit):
            tables.put_attestation(commit, seq)
        case WaitBegan():
            tables.put_waiter(change, at)
        case WaitKept(ticket, until):
            tables.keep_waiter(ticket, until)
        case WaitEnded(ticket):
            tables.drop_waiter(ticket)
        case _:
            pass


def _lease_of(token: int, at: int, actor: Actor, grant: LeaseGranted) -> Lease:
    return Lease(
        token=token,
        session=grant.session,
        agent=actor.agent or "",
        role=grant.role,
        kind=grant.kind,
        worktree=grant.worktree,
        patterns=tuple(stored_pattern(text) for text in grant.patterns),
        granted_at=at,
        ttl_ms=grant.ttl_ms,
        expires_at=grant.expires_at,
        lasting=grant.lasting,
    )


class InForce(Record):
    """The configuration in force: its git blob id, its text, the entry that applied it.

    ``compiled`` is a cache of the text for fast reading, in the form of ``handrail.config``.
    """

    blob: str
    text: str
    seq: int
    compiled: bytes | None = None


class State:
    """The tables as plain dictionaries: the memory store's, a replay's, a test's."""

    def __init__(self) -> None:
        self.leases: dict[int, Lease] = {}
        self.sessions: dict[str, Session] = {}
        self.waiters: dict[int, Waiter] = {}
        self.attestations: dict[str, int] = {}
        self.config: InForce | None = None
        self.tickets = 0

    def copy(self) -> State:
        """Return an independent copy."""
        other = State()
        other.leases = dict(self.leases)
        other.sessions = dict(self.sessions)
        other.waiters = dict(self.waiters)
        other.attestations = dict(self.attestations)
        other.config = self.config
        other.tickets = self.tickets
        return other

    def put_lease(self, lease: Lease) -> None:
        """Add a lease."""
        self.leases[lease.token] = lease

    def drop_lease(self, token: int) -> None:
        """Take a lease away."""
        self.leases.pop(token, None)

    def move_expiry(self, token: int, expires_at: int) -> None:
        """Let a lease end at another time."""
        if token in self.leases:
            self.leases[token] = self.leases[token]._replace(expires_at=expires_at)

    def put_session(self, session: Session) -> None:
        """Add or replace a session."""
        self.sessions[session.id] = session

    def end_session(self, session: str, at: int) -> None:
        """Mark a session as ended."""
        if session in self.sessions:
            self.sessions[session] = self.sessions[session]._replace(ended_at=at)

    def set_role(self, session: str, role: str) -> None:
        """Let a session act as another role."""
        if session in self.sessions:
            self.sessions[session] = self.sessions[session]._replace(role=role)

    def put_config(self, blob: str, text: str, seq: int) -> None:
        """Put a configuration in force."""
        self.config = InForce(blob, text, seq)

    def put_attestation(self, commit: str, seq: int) -> None:
        """Remember the newest attestation of a commit."""
        self.attestations[commit] = seq

    def put_waiter(self, change: WaitBegan, at: int) -> None:
        """Give a claim the next ticket."""
        self.tickets += 1
        patterns = tuple(stored_pattern(text) for text in change.patterns)
        self.waiters[self.tickets] = Waiter(
            self.tickets,
            change.session,
            change.kind,
            change.worktree,
            patterns,
            at,
            change.until,
        )

    def keep_waiter(self, ticket: int, until: int) -> None:
        """Let a waiting claim count as there for longer."""
        if ticket in self.waiters:
            self.waiters[ticket] = self.waiters[ticket]._replace(until=until)

    def drop_waiter(self, ticket: int) -> None:
        """Take a claim out of the queue."""
        self.waiters.pop(ticket, None)


def evolve(state: State, seq: int, at: int, actor: Actor, change: Event | Move) -> State:
    """Return the state after ``change``; the one before stays as it was."""
    after = state.copy()
    apply(after, seq, at, actor, change)
    return after


def replay(entries: Iterable[Entry]) -> State:
    """Add a whole ledger up; a redacted payload and an unknown kind change nothing.

    Raises ValueError, KeyError or TypeError on an entry that cannot be decoded: verify it first.
    """
    state = State()
    for entry in entries:
        header = read_header(entry.header)
        event = read_event(entry, header)
        if event is not None:
            actor = Actor(header.session, header.agent, header.role)
            apply(state, header.seq, header.at, actor, event)
    return state

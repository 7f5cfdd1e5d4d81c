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

from handrail.core.events import (
    CommitAttested,
    ConfigApplied,
    Event,
    LeaseExpired,
    LeaseGranted,
    LeaseOrphaned,
    LeaseReleased,
    LeaseRenewed,
    Move,
    NoticeLeft,
    NoticesTaken,
    OrphanSettled,
    ProcessRegistered,
    SessionEnded,
    SessionRoleChanged,
    SessionStarted,
    WaitBegan,
    WaitEnded,
    WaitKept,
)
from handrail.core.lease import Actor, Landing, Lease, Notice, Orphan, Process, Session, Waiter
from handrail.core.ledger import Entry, read_event, read_verified
from handrail.core.record import Record
from handrail.core.scope import SCOPE_PATTERNS_MAX, Pattern, stored_pattern
from handrail.core.scope.naming import scope_for
from handrail.typed import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.core.projected import KeptRow
    from handrail.core.reading import ToRead
    from handrail.core.task import Packet, Task, Waiver

Blobs = tuple[tuple[str, str], ...]


class Tables(Protocol):
    """What a store must be able to change for ``apply``; rows that are not there are no error."""

    def put_lease(self, lease: Lease) -> None:
        """Add a lease and what the guard looks up for it."""

    def drop_lease(self, token: int) -> bool:
        """Take a lease away with what the guard looks up for it; tells whether there was one."""

    def move_expiry(self, token: int, expires_at: int) -> None:
        """Let a lease end at another time."""

    def leave_orphan(self, token: int, blobs: Blobs | None, seq: int) -> None:
        """Turn the lease or the orphan under ``token`` into what is left of it (``left_of``)."""

    def drop_orphan(self, token: int) -> None:
        """Forget what a lease left behind."""

    def put_session(self, session: Session) -> None:
        """Add a session, or replace the one of the same id."""

    def end_session(self, session: str, at: int) -> None:
        """Mark a session as ended; forget its processes and what it was to be told."""

    def set_role(self, session: str, role: str) -> None:
        """Let a session act as another role."""

    def put_config(self, blob: str, text: str, seq: int) -> None:
        """Put a configuration in force."""

    def put_attestation(self, commit: str, seq: int) -> None:
        """Remember where a commit was attested."""

    def put_landing(self, token: int, commit: str, seq: int, at: int) -> None:
        """Remember the newest commit attested under a lease, with the lease's scope."""

    def put_process(self, process: Process, session: str) -> None:
        """Let a process act for a session, and for no other any more."""

    def put_notice(self, notice: Notice) -> None:
        """Leave a notice, unless the same occasion was told before."""

    def take_notices(self, session: str) -> None:
        """Mark as told what was left for a session."""

    def put_waiter(self, change: WaitBegan, at: int) -> None:
        """Give a claim the next ticket of the queue."""

    def keep_waiter(self, ticket: int, until: int) -> None:
        """Let a waiting claim count as there for longer."""

    def drop_waiter(self, ticket: int) -> None:
        """Take a claim out of the queue."""

    def task(self, task: str) -> Task | None:
        """Return a task."""

    def put_task(self, task: Task) -> None:
        """Add a task, or replace the one of the same id."""

    def packet(self, task: str, number: int) -> Packet | None:
        """Return a packet."""

    def put_packet(self, packet: Packet) -> None:
        """Add a packet, or replace the one of the same task and number."""

    def waiver(self, seq: int) -> Waiver | None:
        """Return a waiver."""

    def put_waiver(self, waiver: Waiver) -> None:
        """Add a waiver, or replace the one of the same number."""

    def put_row(self, row: KeptRow) -> None:
        """Add a row of a projection, or replace the one of the same name."""

    def drop_row(self, projection: str, key: str) -> None:
        """Forget a row of a projection."""

    def put_written(self, projection: str, blob: str, seq: int) -> None:
        """Remember where Handrail last wrote these bytes of a projection."""

    def reading(self, session: str) -> tuple[ToRead, ...]:
        """Return what a session has to read, in the order in which it was asked for."""

    def put_reading(self, session: str, rows: tuple[ToRead, ...]) -> None:
        """Put this in its place: while a document that binds is unread, the guard knows nothing."""


def apply(tables: Tables, seq: int, at: int, actor: Actor, change: Event | Move) -> None:
    """Let ``change`` (entry ``seq``, at store time ``at`` in ms) act on the tables."""
    if isinstance(change, Move):
        _move(tables, at, change)
        return
    match change:
        case LeaseGranted():
            tables.put_lease(lease_of(seq, at, actor, change))
        case LeaseReleased(token):
            if not tables.drop_lease(token):
                tables.drop_orphan(token)
        case LeaseExpired(token):
            tables.leave_orphan(token, None, seq)
        case LeaseOrphaned(token, blobs):
            tables.leave_orphan(token, blobs, seq)
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
            _landed(tables, seq, at, change)
        case _:
            from handrail.core.handing import handed

            handed(tables, seq, at, change)


def _landed(tables: Tables, seq: int, at: int, change: CommitAttested) -> None:
    for token, _ in change.cover:
        tables.put_landing(token, change.commit, seq, at)


def _move(tables: Tables, at: int, change: Move) -> None:
    match change:
        case LeaseRenewed(token, expires_at):
            tables.move_expiry(token, expires_at)
        case WaitBegan():
            tables.put_waiter(change, at)
        case WaitKept(ticket, until):
            tables.keep_waiter(ticket, until)
        case WaitEnded(ticket):
            tables.drop_waiter(ticket)
        case OrphanSettled(token):
            tables.drop_orphan(token)
        case ProcessRegistered(session, boot, pid_ns, pid, started):
            tables.put_process(Process(boot, pid_ns, pid, started), session)
        case NoticeLeft(session, kind, key, other, paths):
            tables.put_notice(Notice(session, kind, key, other, paths, at))
        case NoticesTaken(session):
            tables.take_notices(session)


def lease_of(token: int, at: int, actor: Actor, grant: LeaseGranted) -> Lease:
    """Return the lease that a grant (entry ``token``, at store time ``at``) gives."""
    return Lease(
        token=token,
        session=grant.session,
        agent=(actor.agent if grant.holder is None else grant.holder) or "",
        role=grant.role,
        kind=grant.kind,
        worktree=grant.worktree,
        patterns=tuple(stored_pattern(text) for text in grant.patterns),
        granted_at=at,
        ttl_ms=grant.ttl_ms,
        expires_at=grant.expires_at,
        lasting=grant.lasting,
    )


def left_of(lease: Lease | Orphan, blobs: Blobs | None, seq: int) -> Orphan:
    """Return what a lease leaves: its unfinished paths where they are known, else its scope.

    An orphan that is looked at again keeps the entry that ended its lease.
    """
    patterns: tuple[Pattern, ...] = lease.patterns
    if blobs is not None and len(blobs) <= SCOPE_PATTERNS_MAX:
        texts = dict.fromkeys(scope_for(path) for path, _ in blobs)
        patterns = tuple(stored_pattern(text) for text in texts if text is not None)
    return Orphan(
        token=lease.token,
        session=lease.session,
        agent=lease.agent,
        role=lease.role,
        kind=lease.kind,
        worktree=lease.worktree,
        patterns=patterns,
        blobs=blobs,
        ttl_ms=lease.ttl_ms,
        since=lease.since if isinstance(lease, Orphan) else seq,
    )


def landing_of(lease: Lease, commit: str, seq: int, at: int) -> Landing:
    """Return what is remembered of a commit that was attested under a lease."""
    return Landing(
        *(lease.token, lease.session, lease.kind, lease.worktree, lease.patterns),
        *(commit, seq, at),
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
        self.orphans: dict[int, Orphan] = {}
        self.landings: dict[int, Landing] = {}
        self.processes: dict[Process, str] = {}
        self.notices: dict[tuple[str, str, str], tuple[Notice, bool]] = {}
        self.tasks: dict[str, Task] = {}
        self.packets: dict[tuple[str, int], Packet] = {}
        self.waivers: dict[int, Waiver] = {}
        self.rows: dict[tuple[str, str], KeptRow] = {}
        self.written: dict[tuple[str, str], int] = {}
        self.readings: dict[str, tuple[ToRead, ...]] = {}

    def copy(self) -> State:
        """Return an independent copy."""
        other = State.__new__(State)
        other.__dict__ = {
            name: table.copy() if type(table) is dict else table
            for name, table in vars(self).items()
        }
        return other

    def put_lease(self, lease: Lease) -> None:
        """Add a lease."""
        self.leases[lease.token] = lease

    def drop_lease(self, token: int) -> bool:
        """Take a lease away; tells whether there was one."""
        return self.leases.pop(token, None) is not None

    def move_expiry(self, token: int, expires_at: int) -> None:
        """Let a lease end at another time."""
        if token in self.leases:
            self.leases[token] = self.leases[token]._replace(expires_at=expires_at)

    def leave_orphan(self, token: int, blobs: Blobs | None, seq: int) -> None:
        """Turn the lease or the orphan under ``token`` into what is left of it."""
        lease = self.leases.pop(token, None) or self.orphans.get(token)
        if lease is not None:
            self.orphans[token] = left_of(lease, blobs, seq)

    def drop_orphan(self, token: int) -> None:
        """Forget what a lease left behind."""
        self.orphans.pop(token, None)

    def put_session(self, session: Session) -> None:
        """Add or replace a session."""
        self.sessions[session.id] = session

    def end_session(self, session: str, at: int) -> None:
        """Mark a session as ended; forget its processes and what it was to be told."""
        if session in self.sessions:
            self.sessions[session] = self.sessions[session]._replace(ended_at=at)
        self.processes = {key: name for key, name in self.processes.items() if name != session}
        self.notices = {key: row for key, row in self.notices.items() if key[0] != session}

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

    def put_landing(self, token: int, commit: str, seq: int, at: int) -> None:
        """Remember the newest commit attested under a lease."""
        if token in self.leases:
            self.landings[token] = landing_of(self.leases[token], commit, seq, at)

    def put_process(self, process: Process, session: str) -> None:
        """Let a process act for a session."""
        self.processes[process] = session

    def put_notice(self, notice: Notice) -> None:
        """Leave a notice, unless the same occasion was told before."""
        self.notices.setdefault(notice[:3], (notice, False))

    def take_notices(self, session: str) -> None:
        """Mark as told what was left for a session."""
        for key, (notice, _) in self.notices.items():
            if key[0] == session:
                self.notices[key] = (notice, True)

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

    def task(self, task: str) -> Task | None:
        """Return a task."""
        return self.tasks.get(task)

    def put_task(self, task: Task) -> None:
        """Add or replace a task."""
        self.tasks[task.id] = task

    def packet(self, task: str, number: int) -> Packet | None:
        """Return a packet."""
        return self.packets.get((task, number))

    def put_packet(self, packet: Packet) -> None:
        """Add or replace a packet."""
        self.packets[packet.task, packet.number] = packet

    def waiver(self, seq: int) -> Waiver | None:
        """Return a waiver."""
        return self.waivers.get(seq)

    def put_waiver(self, waiver: Waiver) -> None:
        """Add or replace a waiver."""
        self.waivers[waiver.seq] = waiver

    def put_row(self, row: KeptRow) -> None:
        """Add or replace a row of a projection."""
        self.rows[row.projection, row.key] = row

    def drop_row(self, projection: str, key: str) -> None:
        """Forget a row of a projection."""
        self.rows.pop((projection, key), None)

    def put_written(self, projection: str, blob: str, seq: int) -> None:
        """Remember bytes of a projection."""
        self.written[projection, blob] = seq

    def reading(self, session: str) -> tuple[ToRead, ...]:
        """Return what a session has to read."""
        return self.readings.get(session, ())

    def put_reading(self, session: str, rows: tuple[ToRead, ...]) -> None:
        """Put this in its place."""
        self.readings[session] = rows


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
        header = read_verified(entry.header)
        event = read_event(entry, header)
        if event is not None:
            actor = Actor(header.session, header.agent, header.role)
            apply(state, header.seq, header.at, actor, event)
    return state

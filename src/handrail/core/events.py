"""What can happen: the events that become ledger entries, and the moves that only change rows.

Promise: an event's payload is exactly its fields as JSON values, so an entry can be decoded by any
later version; unknown fields of a newer minor version are kept in the bytes and ignored here.
A *move* (renewal, waiting) is no history: it moves a row and never appends an entry.

    >>> decode("lease.released", {"token": 7, "reason": "released"})
    LeaseReleased(token=7, reason='released')
"""

from __future__ import annotations

from collections.abc import Callable

from handrail.core.handed import (
    CheckpointDecided,
    EditRefused,
    PacketAccepted,
    PacketDeclined,
    PacketLapsed,
    PacketOffered,
    PacketReturned,
    PacketStuck,
    PacketTraced,
    PacketWithdrawn,
    PhaseEntered,
    ReadingAsked,
    ReadingDone,
    SessionCompacted,
    StageJudged,
    TaskClosed,
    TaskOpened,
    TaskResumed,
    TaskTaken,
    TriggerFired,
    TriggerLooped,
    WaiverAdded,
    WaiverRevoked,
    WaiverUsed,
)
from handrail.core.lease import Kind
from handrail.core.projected import ProjectionWritten, RowKept
from handrail.core.receipts import EvidenceContradicted, EvidenceRecorded
from handrail.core.record import Record
from handrail.core.shapes import SHAPES, Json
from handrail.typed import Final


class StoreCreated(Record):
    """The first entry of an epoch; ``predecessor`` is a lost store's last head, as text."""

    workspace: str
    predecessor: str | None


class ConfigApplied(Record):
    """A configuration came into force; its text stands here so that a ledger alone can judge."""

    blob: str
    text: str
    proof: str


class SessionStarted(Record):
    """A session began, or began again under its old id."""

    session: str
    agent: str
    role: str | None
    worktree: str
    secret_hash: str


class SessionEnded(Record):
    """A session ended; its leases end with it, each in an entry of its own."""

    session: str
    reason: str


class SessionRoleChanged(Record):
    """A session acts as another role from here on."""

    session: str
    role: str
    reason: str
    proof: str


class LeaseGranted(Record):
    """A scope was granted; the token is the ``seq`` of this entry."""

    session: str
    role: str | None
    kind: Kind
    worktree: str
    patterns: tuple[str, ...]
    ttl_ms: int
    expires_at: int
    lasting: bool
    beside: tuple[int, ...]
    holder: str | None = None
    """The agent of that session, where somebody else brought the grant about."""


class LeaseReleased(Record):
    """A lease ended because its session said so or ended itself."""

    token: int
    reason: str


class LeaseExpired(Record):
    """A lease had run out at ``expired_at``; recorded when somebody next came near it."""

    token: int
    expired_at: int


class LeaseOrphaned(Record):
    """A lease ended over unfinished work: path and blob of each file left; null: nobody looked."""

    token: int
    blobs: tuple[tuple[str, str], ...] | None
    reason: str


class CommitAttested(Record):
    """A commit was made under live leases over all its paths; ``cover`` lists token and expiry.

    ``written`` are the entries by which its other paths are clean projections.
    """

    commit: str
    tree: str
    parents: tuple[str, ...]
    paths: int
    paths_hash: str
    cover: tuple[tuple[int, int], ...]
    change: str | None = None
    written: tuple[int, ...] = ()


class CommitUnattested(Record):
    """Refs moved (ref, old, new) over commits that nothing attests; newest first, 1000 at most."""

    updates: tuple[tuple[str, str, str], ...]
    commits: tuple[str, ...]
    reason: str


class CommitUnattributed(Record):
    """Refs moved (ref, old, new) by nobody that is known; commits newest first, 1000 at most."""

    updates: tuple[tuple[str, str, str], ...]
    commits: tuple[str, ...]
    reason: str


class PayloadRedacted(Record):
    """The payload of entry ``seq`` was removed; the chain still holds its hash."""

    seq: int
    reason: str


class WriteUnheld(Record):
    """A tool left paths changed that its session may not write; path and why, by its code."""

    session: str
    worktree: str
    found: tuple[tuple[str, str], ...]


class EnforcementPaused(Record):
    """A person let local hooks refuse nothing before ``until``; one that is past ends a pause."""

    workspace: str
    until: int
    proof: str


class HistoryImported(Record):
    """One record of another ledger or system, entered as history: it gives no token."""

    source: str
    claimed_at: int
    record: str


Event = (
    StoreCreated
    | ConfigApplied
    | SessionStarted
    | SessionEnded
    | SessionRoleChanged
    | LeaseGranted
    | LeaseReleased
    | LeaseExpired
    | LeaseOrphaned
    | CommitAttested
    | CommitUnattested
    | CommitUnattributed
    | PayloadRedacted
    | WriteUnheld
    | EnforcementPaused
    | HistoryImported
    | EvidenceRecorded
    | TaskOpened
    | TaskTaken
    | TaskClosed
    | PacketOffered
    | PacketAccepted
    | PacketDeclined
    | PacketWithdrawn
    | PacketLapsed
    | TaskResumed
    | PhaseEntered
    | CheckpointDecided
    | PacketReturned
    | WaiverAdded
    | WaiverUsed
    | WaiverRevoked
    | SessionCompacted
    | RowKept
    | ProjectionWritten
    | PacketTraced
    | EvidenceContradicted
    | StageJudged
    | EditRefused
    | TriggerFired
    | TriggerLooped
    | PacketStuck
    | ReadingAsked
    | ReadingDone
)


class LeaseRenewed(Record):
    """A lease lives longer. No entry: an attestation carries the expiry it relied on."""

    token: int
    expires_at: int


class WaitBegan(Record):
    """A claim took its place in the queue; the store gives the ticket."""

    session: str
    kind: Kind
    worktree: str
    patterns: tuple[str, ...]
    until: int


class WaitKept(Record):
    """A waiting claim showed that it is still there."""

    ticket: int
    until: int


class WaitEnded(Record):
    """A waiting claim was served or gave up."""

    ticket: int


class OrphanSettled(Record):
    """Nothing unfinished lies where a lease had run out. No entry: it only stops being asked."""

    token: int


class ProcessRegistered(Record):
    """A process of this machine acts for a session: it, and whatever it starts."""

    session: str
    boot: str
    pid_ns: str
    pid: int
    started: int


class NoticeLeft(Record):
    """A session shall be told something once; ``key`` names the occasion."""

    session: str
    kind: str
    key: str
    other: str
    paths: tuple[str, ...]


class NoticesTaken(Record):
    """A session was told everything that was left for it."""

    session: str


Move = (
    LeaseRenewed
    | WaitBegan
    | WaitKept
    | WaitEnded
    | OrphanSettled
    | ProcessRegistered
    | NoticeLeft
    | NoticesTaken
)

KINDS: Final[dict[str, type[Event]]] = {
    "store.created": StoreCreated,
    "config.applied": ConfigApplied,
    "session.started": SessionStarted,
    "session.ended": SessionEnded,
    "session.role": SessionRoleChanged,
    "lease.granted": LeaseGranted,
    "lease.released": LeaseReleased,
    "lease.expired": LeaseExpired,
    "lease.orphaned": LeaseOrphaned,
    "commit.attested": CommitAttested,
    "commit.unattested": CommitUnattested,
    "commit.unattributed": CommitUnattributed,
    "payload.redacted": PayloadRedacted,
    "write.unheld": WriteUnheld,
    "enforcement.paused": EnforcementPaused,
    "history.imported": HistoryImported,
    "evidence.recorded": EvidenceRecorded,
    "task.opened": TaskOpened,
    "task.taken": TaskTaken,
    "task.closed": TaskClosed,
    "packet.offered": PacketOffered,
    "packet.accepted": PacketAccepted,
    "packet.declined": PacketDeclined,
    "packet.withdrawn": PacketWithdrawn,
    "packet.lapsed": PacketLapsed,
    "task.resumed": TaskResumed,
    "task.phase": PhaseEntered,
    "checkpoint.decided": CheckpointDecided,
    "packet.returned": PacketReturned,
    "waiver.added": WaiverAdded,
    "waiver.used": WaiverUsed,
    "waiver.revoked": WaiverRevoked,
    "session.compacted": SessionCompacted,
    "projection.row": RowKept,
    "projection.written": ProjectionWritten,
    "packet.traced": PacketTraced,
    "evidence.contradicted": EvidenceContradicted,
    "stage.judged": StageJudged,
    "edit.refused": EditRefused,
    "trigger.fired": TriggerFired,
    "trigger.looped": TriggerLooped,
    "packet.stuck": PacketStuck,
    "reading.asked": ReadingAsked,
    "reading.done": ReadingDone,
}
KIND_OF: Final[dict[type[Event], str]] = {event: kind for kind, event in KINDS.items()}

# What an entry is *about*, for the index: a reader asks for the latest entry of a subject.
SUBJECTS: Final[dict[type[Event], str]] = {
    ConfigApplied: "blob",
    SessionStarted: "session",
    SessionEnded: "session",
    SessionRoleChanged: "session",
    LeaseGranted: "session",
    LeaseReleased: "token",
    LeaseExpired: "token",
    LeaseOrphaned: "token",
    CommitAttested: "commit",
    PayloadRedacted: "seq",
    WriteUnheld: "session",
    EnforcementPaused: "workspace",
    HistoryImported: "source",
    EvidenceRecorded: "about",
    **dict.fromkeys((TaskOpened, TaskTaken, TaskClosed), "task"),
    **dict.fromkeys((PacketOffered, PacketAccepted, PacketDeclined), "task"),
    **dict.fromkeys((PacketWithdrawn, PacketLapsed, PacketReturned), "task"),
    **dict.fromkeys((TaskResumed, PhaseEntered, CheckpointDecided), "task"),
    WaiverAdded: "gate",
    **dict.fromkeys((WaiverUsed, WaiverRevoked), "waiver"),
    **dict.fromkeys((RowKept, ProjectionWritten), "projection"),
    PacketTraced: "task",
    EvidenceContradicted: "about",
    **dict.fromkeys((EditRefused, TriggerFired), "session"),
    **dict.fromkeys((TriggerLooped, PacketStuck), "task"),
    **dict.fromkeys((SessionCompacted, StageJudged, ReadingAsked, ReadingDone), "session"),
}


def subject_of(event: Event) -> str | None:
    """Return what the entry is about: a session, token, commit or blob, as text."""
    field = SUBJECTS.get(type(event))
    return None if field is None else str(getattr(event, field))


def decode(kind: str, payload: dict[str, Json]) -> Event | None:
    """Rebuild the event of an entry; None for a kind that this version does not know.

    Raises KeyError or TypeError where a field is missing or has the wrong shape.
    """
    event = KINDS.get(kind)
    if event is None:
        return None
    make: Callable[..., Event] = event
    # A field that came later has a default, and is not in the entries from before.
    later = event._field_defaults
    there = [name for name in event._fields if name in payload or name not in later]
    return make(**{name: SHAPES[name](payload[name]) for name in there})

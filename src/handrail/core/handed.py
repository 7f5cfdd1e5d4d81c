"""The events of tasks and packets, which ``core.events`` names with all the others.

Promise: as there; their fields never change.

    >>> TaskClosed("fix-login", "done").task
    'fix-login'
"""

from __future__ import annotations

from handrail.core.record import Record


class TaskOpened(Record):
    """A unit of work began."""

    task: str
    title: str


class TaskTaken(Record):
    """A session took up a task whose holder is gone, with all that is reserved for it."""

    task: str
    session: str
    role: str | None


class TaskClosed(Record):
    """A task ended; what was reserved for it is free."""

    task: str
    reason: str


class TaskResumed(Record):
    """A person let a halted task go on; what went wrong before no longer counts."""

    task: str
    reason: str
    proof: str


class PhaseEntered(Record):
    """A task entered a phase: by packet ``number``, or where that is 0 by a decision."""

    task: str
    phase: str
    number: int


class CheckpointDecided(Record):
    """A person decided at the end of a phase: approve, revise or stop.

    ``leads_to`` is the phase that comes next, or ``done`` or ``halt``; ``times`` says how often
    this checkpoint was revised by now.
    """

    task: str
    checkpoint: str
    phase: str
    decision: str
    leads_to: str
    times: int
    reason: str
    proof: str


class PacketOffered(Record):
    """A packet was offered and its scope reserved under ``token``; ``packet`` is its canonical text."""  # noqa: E501

    task: str
    number: int
    packet_kind: str
    session: str
    agent: str
    from_role: str | None
    to_role: str | None
    patterns: tuple[str, ...]
    returns: tuple[str, ...]
    token: int
    lapses_at: int
    packet_hash: str
    packet: str


class PacketAccepted(Record):
    """A packet was accepted; ``token`` is the receiver's for ``patterns``, 0 for none."""

    task: str
    number: int
    session: str
    role: str | None
    patterns: tuple[str, ...]
    token: int


class PacketDeclined(Record):
    """Whom a packet was offered to did not take it."""

    task: str
    number: int
    session: str
    reason: str


class PacketWithdrawn(Record):
    """A packet was taken back before anybody answered it."""

    task: str
    number: int
    session: str
    reason: str


class PacketLapsed(Record):
    """Nobody had answered a packet at ``lapses_at``; recorded when somebody next came near it."""

    task: str
    number: int
    lapses_at: int


class PacketReturned(Record):
    """The gates of its receiver found a packet untrue; its scope went back to whoever gave it."""

    task: str
    number: int
    session: str
    reason: str
    gates: tuple[str, ...]


class PacketTraced(Record):
    """A packet was offered below a harness's ``process`` (a digest), which was ``session`` then."""

    task: str
    number: int
    session: str
    process: str


class WaiverAdded(Record):
    """An exception: what ``gate`` minds does not count, for one task or all, for a reason.

    ``ends_at`` is a store time in ms, ``uses`` how often it may be used; None: no such bound.
    """

    gate: str
    for_task: str | None
    reason: str
    by: str
    proof: str
    ends_at: int | None
    uses: int | None


class WaiverUsed(Record):
    """A verdict rested on the waiver that entry ``waiver`` added."""

    waiver: int
    gate: str
    stage: str
    for_task: str | None


class WaiverRevoked(Record):
    """A waiver was taken back; ``waiver`` is the entry that added it."""

    waiver: int
    reason: str
    proof: str


class SessionCompacted(Record):
    """A harness shortened the thread of a session; ``note`` is what it stood at, for going on."""

    session: str
    trigger: str
    note: str


class StageJudged(Record):
    """Gates judged a stage around a handoff: what the suite said, and whose binding gates minded.

    ``gates`` names those that bound and did not pass, ``advised`` counts those that objected and
    bound nobody, ``judged`` all that had something to judge.
    """

    session: str
    stage: str
    verdict: str
    for_task: str | None
    gates: tuple[str, ...]
    advised: int
    judged: int


class EditRefused(Record):
    """An edit was refused, and a trigger counts such refusals.

    ``counts`` says how often the session was refused with each code since a trigger last fired.
    """

    session: str
    code: str
    path: str
    counts: tuple[tuple[str, int], ...]


class TriggerFired(Record):
    """A trigger offered the work of ``session`` as packet ``number``, and stopped the session.

    ``event`` and ``about`` are what happened; the packet may be one that waited already.
    """

    session: str
    trigger: str
    event: str
    about: str
    task: str
    number: int
    to_role: str | None


class TriggerLooped(Record):
    """A trigger would have sent a task round once more: it waits for a person instead."""

    session: str
    trigger: str
    task: str
    rounds: int


class PacketStuck(Record):
    """Somebody was told that a packet which a trigger offered waits for long."""

    task: str
    number: int


class ReadingAsked(Record):
    """``source`` (a role, a packet) asks a session to read ``documents``, each bound to its bytes.

    A document is path, SHA-256, the commit that holds those bytes where the working tree did not,
    and why it could not be bound, each but the path perhaps ''. ``binds``: nothing is written
    before it was read; else the packet only waits.
    """

    session: str
    source: str
    binds: bool
    documents: tuple[tuple[str, str, str, str], ...]


class ReadingDone(Record):
    """A session read documents; ``how`` says who says so, and ``claimed`` is no evidence.

    A receipt is path, SHA-256 of what was to be read, and that of the file now where a claim is
    made over other bytes ('' where it is the same or gone).
    """

    session: str
    how: str
    receipts: tuple[tuple[str, str, str], ...]

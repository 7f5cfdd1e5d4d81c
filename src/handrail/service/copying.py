"""What the guard of a clone gets to keep of a store that is elsewhere.

snapshot_of(reader, "ada-laptop-x3k9qa:")     # Snapshot(..., allowed=(Allowed(...), ...))
"""

from __future__ import annotations

from handrail.core.allowed import Allowed, Snapshot
from handrail.core.events import (
    Event,
    LeaseExpired,
    LeaseGranted,
    LeaseRenewed,
    Move,
    NoticeLeft,
    NoticesTaken,
    WaitBegan,
    WaitEnded,
    WaitKept,
)
from handrail.core.lease import Lease, Session, renew_at
from handrail.core.reading import awaited, unread
from handrail.service.policy import rules_in_force
from handrail.store.port import Reader
from handrail.typed import Final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# What has run out is trusted no longer than that.
_TAKES_NOTHING: Final = (
    *(LeaseGranted, LeaseRenewed, LeaseExpired, NoticeLeft, NoticesTaken),
    *(WaitBegan, WaitEnded, WaitKept),
)


def takes_away(changes: Iterable[Event | Move]) -> bool:
    """Tell whether a change may take something away that a session could write before."""
    return not all(isinstance(change, _TAKES_NOTHING) for change in changes)


def snapshot_of(reader: Reader, clone: str, only: str | None = None) -> Snapshot:
    """Return what the sessions of a clone may write, or one of them; by their own names there."""
    if only is None:
        sessions = reader.sessions(clone=clone)
    else:
        found = reader.session(only)
        here = found is not None and found.live and found.worktree.startswith(clone)
        sessions = [found] if found is not None and here else []
    allowed: list[Allowed] = []
    awaiting = []
    for session in sessions:
        rows = reader.reading(session.id)
        if awaited(rows):
            awaiting.append(session.id)
        if not unread(rows):
            allowed += _held(reader, session, clone)
    return Snapshot(
        epoch=reader.epoch,
        seq=reader.head.seq,
        now=reader.now,
        mode=rules_in_force(reader).settings.mode("edit"),
        allowed=tuple(allowed),
        sessions=tuple(session.id for session in sessions),
        awaiting=tuple(awaiting),
        only=only,
    )


def _held(reader: Reader, session: Session, clone: str) -> list[Allowed]:
    return [row for lease in reader.leases(session.id) for row in allowed_by(lease, clone)]


def allowed_by(lease: Lease, clone: str) -> list[Allowed]:
    """Return what a lease of a clone's working tree allows, by the name that it has there."""
    return [
        Allowed(
            *(lease.worktree.removeprefix(clone), lease.session, pattern.text, lease.token),
            *(lease.expires_at, renew_at(lease)),
        )
        for pattern in lease.patterns
    ]

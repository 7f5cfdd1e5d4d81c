"""The rules for sessions: beginning, ending, acting as another role."""

from __future__ import annotations

from handrail import errors
from handrail.core.decide.holding import decide_release
from handrail.core.decide.view import (
    ChangeRole,
    Changes,
    EndSession,
    Release,
    StartSession,
    View,
)
from handrail.core.events import SessionEnded, SessionRoleChanged, SessionStarted, WaitEnded


def decide_start(view: View, start: StartSession, now: int) -> Changes:
    """Begin a session; nothing happens if the very same one is live already."""
    new, known = start.session, start.known
    if known is not None and known.live:
        if (known.agent, known.worktree) != (new.agent, new.worktree):
            raise errors.SessionExists(session=known.id, worktree=known.worktree, agent=known.agent)
        if new.role != known.role:
            raise errors.RoleFixed(session=known.id, role=known.role, wanted=new.role)
        return []
    return [SessionStarted(new.id, new.agent, new.role, new.worktree, new.secret_hash)]


def decide_end(view: View, end: EndSession, now: int) -> Changes:
    """End a session with its leases and its places in the queue."""
    own = [lease for lease in view.leases if lease.session == end.session.id]
    waiting = [
        WaitEnded(waiter.ticket) for waiter in view.waiters if waiter.session == end.session.id
    ]
    leases = tuple(sorted(own, key=lambda lease: lease.token))
    released = decide_release(view, Release(end.session, leases, "session_ended"), now)
    return [*waiting, *released, SessionEnded(end.session.id, end.reason)]


def decide_role(view: View, change: ChangeRole, now: int) -> Changes:
    """Change a role; who may, was proven before."""
    if change.role == change.session.role:
        return []
    return [SessionRoleChanged(change.session.id, change.role, change.reason, change.proof)]

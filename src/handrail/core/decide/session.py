"""The rules for sessions: beginning, ending, acting as another role."""

from __future__ import annotations

from handrail import errors
from handrail.core.decide.claim import decide_claim
from handrail.core.decide.dirt import CLEAN, may_adopt
from handrail.core.decide.edit import notices
from handrail.core.decide.holding import decide_release
from handrail.core.decide.view import (
    Adopt,
    ChangeRole,
    Changes,
    Claim,
    EndSession,
    Release,
    StartSession,
    View,
)
from handrail.core.events import (
    LeaseExpired,
    LeaseOrphaned,
    LeaseReleased,
    OrphanSettled,
    SessionEnded,
    SessionRoleChanged,
    SessionStarted,
    WaitEnded,
)
from handrail.core.lease import LOCAL, Kind, Orphan
from handrail.core.scope import matches
from handrail.core.state import Blobs, left_of


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
    release = Release(end.session, leases, "session_ended", end.looked)
    released = decide_release(view, release, now)
    return [*waiting, *released, SessionEnded(end.session.id, end.reason)]


def decide_role(view: View, change: ChangeRole, now: int) -> Changes:
    """Change a role; who may, was proven before."""
    if change.role == change.session.role:
        return []
    return [SessionRoleChanged(change.session.id, change.role, change.reason, change.proof)]


def decide_adopt(view: View, adopt: Adopt, now: int) -> Changes:
    """Take over what the session's agent left unfinished in this working tree; settle the rest.

    What cannot be granted (somebody holds it, its bytes are stale) stays where it is. The view
    holds all orphans and all leases that ran out in the working tree; the look has seen all of it.
    """
    tree = adopt.session.worktree
    dead = [lease for lease in view.leases if lease.worktree == tree and not lease.live(now)]
    leases = tuple(lease for lease in view.leases if lease not in dead)
    changes: Changes = [LeaseExpired(lease.token, lease.expires_at) for lease in dead]
    found = [*view.orphans, *(left_of(lease, None, view.head) for lease in dead)]
    for orphan in found if adopt.looked.dirty is not None else ():
        left = tuple(
            (one.path, one.blob)
            for one in adopt.looked.dirty or ()
            if any(matches(pattern, one.path) for pattern in orphan.patterns)
        )
        if not left:
            known = orphan.blobs is not None
            token = orphan.token
            changes.append(LeaseReleased(token, CLEAN) if known else OrphanSettled(token))
        elif may_adopt(adopt.session, orphan):
            narrow = left_of(orphan, left, orphan.since)
            changes += _adopted(view._replace(leases=leases), adopt, orphan, narrow, now)
        else:
            changes += _looked_at(orphan, left)
    return [*changes, *notices(view._replace(leases=leases), adopt.session.id, changes)]


def _adopted(view: View, adopt: Adopt, orphan: Orphan, narrow: Orphan, now: int) -> Changes:
    """Grant what was left to the session: as it was held, else locally, else not at all."""
    kinds: tuple[Kind, ...] = (orphan.kind,) if orphan.kind == LOCAL else (orphan.kind, LOCAL)
    near = view._replace(orphans=(narrow,))
    for kind in kinds:
        claim = Claim(
            session=adopt.session,
            patterns=narrow.patterns,
            kind=kind,
            ttl_ms=orphan.ttl_ms,
            lasting=False,
            single=frozenset(pattern.text for pattern in narrow.patterns if pattern.is_literal),
            looked=adopt.looked._replace(patterns=(*adopt.looked.patterns, *narrow.patterns)),
        )
        try:
            return decide_claim(near, claim, now)
        except errors.HandrailError:
            continue
    return _looked_at(orphan, narrow.blobs or ())


def _looked_at(orphan: Orphan, left: Blobs) -> Changes:
    """Remember what is still unfinished, where that was not known or part of it is clean now."""
    if orphan.blobs is not None and {path for path, _ in orphan.blobs} == {p for p, _ in left}:
        return []
    return [LeaseOrphaned(orphan.token, left, "looked_at")]

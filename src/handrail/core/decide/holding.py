"""The rules for what one holds: renewing it, giving it back, and what a dead token is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from handrail import errors
from handrail.core.decide.dirt import unfinished
from handrail.core.decide.view import Changes, Release, Renew, View
from handrail.core.events import (
    LeaseExpired,
    LeaseGranted,
    LeaseOrphaned,
    LeaseReleased,
    LeaseRenewed,
    OrphanSettled,
)
from handrail.core.lease import Hold, Lease, Session, check_ttl, conflict, renewed_expiry
from handrail.core.ledger import format_token
from handrail.core.record import Record
from handrail.core.scope import Pattern, stored_pattern


def decide_renew(view: View, renew: Renew, now: int) -> Changes:
    """Let a lease live longer; raises NotHolder, LeaseExpired, MalformedTtl."""
    check_ttl(renew.ttl_ms)
    lease = renew.lease
    _check_holder(view, renew.session, lease)
    if not lease.live(now):
        raise errors.LeaseExpired(
            token=format_token(view.epoch, lease.token),
            scope=lease.scope,
            expires_at=lease.expires_at,
            asked=lease.scope,
        )
    return [LeaseRenewed(lease.token, renewed_expiry(lease, renew.ttl_ms, now))]


def decide_release(view: View, release: Release, now: int) -> Changes:
    """End leases of the one who asks; what had run out is recorded as expired instead.

    With a look at the working tree, a lease over unfinished work is orphaned: the work stays the
    agent's own until it is adopted.
    """
    changes: Changes = []
    for lease in release.leases:
        _check_holder(view, release.session, lease)
        changes += _ended(view, release, lease, now)
    return changes


def _ended(view: View, release: Release, lease: Lease, now: int) -> Changes:
    expired = LeaseExpired(lease.token, lease.expires_at)
    if release.looked is None or lease.worktree != release.session.worktree:
        return [LeaseReleased(lease.token, release.reason) if lease.live(now) else expired]
    kept = [
        other
        for other in view.leases
        if other.session == release.session.id and other.live(now) and other not in release.leases
    ]
    blobs = unfinished(release.looked, lease.patterns, kept)
    if lease.live(now):
        if blobs is not None and not blobs:
            return [LeaseReleased(lease.token, release.reason)]
        return [LeaseOrphaned(lease.token, blobs, release.reason)]
    if blobs is None:
        return [expired]
    if not blobs:
        return [expired, OrphanSettled(lease.token)]
    return [expired, LeaseOrphaned(lease.token, blobs, "expired")]


def _check_holder(view: View, session: Session, lease: Lease) -> None:
    if lease.session != session.id:
        raise errors.NotHolder(
            session=session.id,
            holder=lease.agent,
            scope=lease.scope,
            token=format_token(view.epoch, lease.token),
            expires_at=lease.expires_at,
            asked=lease.scope,
        )


class Past(Record):
    """A lease that is gone: its grant, when it would have ended, how it ended."""

    token: int
    grant: LeaseGranted
    ended: LeaseReleased | LeaseExpired | LeaseOrphaned | None


def dead_token(
    epoch: str,
    session: Session,
    past: Past,
    later: Iterable[tuple[int, LeaseGranted]],
    contended: Sequence[Pattern] = (),
) -> errors.Refused:
    """Say why a token that is no live lease's cannot be used by ``session``.

    ``later`` are the grants after it, ``contended`` the paths that count as local. A token of
    another session is never spoken of as one's own.
    """
    scope = past.grant.patterns
    token = format_token(epoch, past.token)
    if past.grant.session != session.id:
        return errors.NotHolder(session=session.id, scope=scope, token=token, asked=scope)
    patterns = tuple(stored_pattern(text) for text in scope)
    for _, grant in later:
        if grant.session == session.id:
            continue
        held = Hold(tuple(map(stored_pattern, grant.patterns)), grant.kind, grant.worktree)
        found = conflict(held, patterns, past.grant.kind, past.grant.worktree, contended)
        if found is not None and found[0] == "refuse":
            return errors.StaleToken(
                token=token,
                scope=scope,
                session=grant.session,
                witness=found[1].witness,
                asked=scope,
            )
    if isinstance(past.ended, LeaseExpired):
        return errors.LeaseExpired(
            token=token, scope=scope, expires_at=past.ended.expired_at, asked=scope
        )
    return errors.NotHolder(session=session.id, scope=scope, token=token, asked=scope)

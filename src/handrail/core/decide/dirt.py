"""The rules for unfinished work: what ended leases left behind, and bytes that came too late.

Promises: a grant that was asked with ``Claim.looked`` never covers a dirty path that somebody else
left unfinished in this working tree, unless it is adopted; nor one whose bytes would undo what
another session landed in the meantime (``stale_bytes``). A clean path is never refused here, and
where nothing can be dirty no look is asked for: that is what keeps a claim cheap.

    taken_over(view, claim, dead)   # [] where nobody left anything
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from handrail import errors
from handrail.core.decide.view import Changes, Claim, Dirty, Looked, NeedsFacts, View
from handrail.core.events import LeaseOrphaned, LeaseReleased, OrphanSettled
from handrail.core.lease import Lease, Orphan, Session
from handrail.core.ledger import format_token
from handrail.core.scope import Pattern, matches, overlap
from handrail.core.scope.naming import scope_for
from handrail.core.state import left_of
from handrail.typed import Final

ADOPTED: Final = "adopted"
CLEAN: Final = "clean"
PATHS_TOLD_MAX: Final = 20


def taken_over(view: View, claim: Claim, dead: Sequence[Lease]) -> Changes:
    """Say what becomes of the work that lies unfinished under a claim that is about to be granted.

    ``dead`` are the leases near it that have run out. Raises Orphaned, StaleBytes, and NeedsFacts
    where the answer depends on what is dirty and nobody has looked.
    """
    if claim.looked is None:
        return []
    tree = claim.session.worktree
    fresh = [left_of(lease, None, view.head) for lease in dead if lease.worktree == tree]
    left = [
        orphan
        for orphan in (*view.orphans, *fresh)
        if orphan.worktree == tree and overlap(orphan.patterns, claim.patterns) is not None
    ]
    looked = _look(view, claim, left)
    if looked is not None:
        _check(view, claim, left, looked)
    return [
        change for orphan in left for change in _settled(claim, orphan, looked, orphan in fresh)
    ]


def may_adopt(session: Session, orphan: Orphan) -> bool:
    """Tell whether what a lease left is the session's own, or that of its agent."""
    same = orphan.session == session.id or orphan.agent == session.agent
    return same and orphan.worktree == session.worktree


def _look(view: View, claim: Claim, left: Sequence[Orphan]) -> Looked | None:
    """Return the look that the decision needs, None if it needs none; raises NeedsFacts."""
    landed = [
        landing.seq
        for landing in view.landings
        if landing.session != claim.session.id
        and overlap(landing.patterns, claim.patterns) is not None
    ]
    if not landed and all(may_adopt(claim.session, orphan) for orphan in left):
        return None
    wanted = [*claim.patterns, *(pattern for orphan in left for pattern in orphan.patterns)]
    looked = claim.looked
    assert looked is not None
    seen = {pattern.text for pattern in looked.patterns}
    if not seen.issuperset(pattern.text for pattern in wanted) or looked.as_of < max(
        landed, default=0
    ):
        raise NeedsFacts(wanted)
    if looked.dirty is None:
        raise errors.FactsUnavailable(
            what="the working tree", reason="git does not tell what is changed in it"
        )
    return looked


def _check(view: View, claim: Claim, left: Sequence[Orphan], looked: Looked) -> None:
    asked = tuple(pattern.text for pattern in claim.patterns)
    dirty = [one for one in looked.dirty or () if _means(claim.patterns, one.path)]
    for one in dirty:
        for orphan in left:
            other = not (claim.adopt or may_adopt(claim.session, orphan))
            if other and _means(orphan.patterns, one.path):
                raise errors.Orphaned(
                    holder=orphan.agent,
                    role=orphan.role,
                    session=orphan.session,
                    scope=orphan.scope,
                    token=format_token(view.epoch, orphan.token),
                    witness=one.path,
                    asked=asked,
                )
    stale = [one for one in dirty if one.stale]
    if stale:
        raise stale_bytes(stale, asked)


def stale_bytes(stale: Sequence[Dirty], asked: Sequence[str]) -> errors.StaleBytes:
    """Refuse bytes that would undo what another session landed."""
    landed = stale[0].landed
    assert landed is not None
    paths = tuple(one.path for one in stale[:PATHS_TOLD_MAX])
    return errors.StaleBytes(
        path=paths[0],
        paths=paths,
        paths_count=len(stale),
        commit=landed.commit,
        session=landed.session,
        pathspecs=tuple(f":(top,literal){path}" for path in paths),
        asked=tuple(asked),
    )


def _settled(claim: Claim, orphan: Orphan, looked: Looked | None, fresh: bool) -> Changes:
    """Say what becomes of one orphan when the claim is granted."""
    mine = claim.adopt or may_adopt(claim.session, orphan)
    if looked is None:
        rest = [pair for pair in orphan.blobs or () if not _means(claim.patterns, pair[0])]
        whole = {pattern.text for pattern in orphan.patterns} <= {p.text for p in claim.patterns}
        if orphan.blobs is None and not whole:
            return []
    else:
        rest = [
            (one.path, one.blob)
            for one in looked.dirty or ()
            if _means(orphan.patterns, one.path) and not _means(claim.patterns, one.path)
        ]
    if rest:
        if orphan.blobs is not None and len(rest) == len(orphan.blobs):
            return []
        return [LeaseOrphaned(orphan.token, tuple(rest), ADOPTED if mine else "looked_at")]
    if orphan.blobs is None or fresh:
        return [OrphanSettled(orphan.token)]
    return [LeaseReleased(orphan.token, ADOPTED if mine else CLEAN)]


def unfinished(
    looked: Looked, patterns: Sequence[Pattern], kept: Iterable[Lease] = ()
) -> tuple[tuple[str, str], ...] | None:
    """Return path and blob of what is dirty under a lease that ends; None if nobody could look.

    What another lease that is ``kept`` holds is not left behind.
    """
    if looked.dirty is None:
        return None
    held = [pattern for lease in kept for pattern in lease.patterns]
    return tuple(
        (one.path, one.blob)
        for one in looked.dirty
        if _means(patterns, one.path) and not _means(held, one.path)
    )


def literal(paths: Iterable[str]) -> tuple[str, ...]:
    """Return scopes that mean these paths, none twice."""
    return tuple(dict.fromkeys(scope_for(path) or path for path in paths))


def _means(patterns: Sequence[Pattern], path: str) -> bool:
    return any(matches(pattern, path) for pattern in patterns)

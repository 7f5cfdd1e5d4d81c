"""The rule for waiting: a place in the queue, kept alive, and never in a circle."""

from __future__ import annotations

from collections.abc import Sequence

from handrail import errors
from handrail.core.decide.claim import kind_of, texts
from handrail.core.decide.view import Changes, Claim, View, Wait
from handrail.core.events import WaitBegan, WaitEnded, WaitKept
from handrail.core.lease import Lease, Waiter, conflict
from handrail.core.scope import Overlap
from handrail.typed import Final

WAIT_KEPT_MS: Final = 10_000


def decide_wait(view: View, wait: Wait, now: int) -> Changes:
    """Take a place in the queue, keep it, or take a new one if it lapsed; raises WouldDeadlock.

    A place is kept only when half of its time is over: each change wakes everybody who waits.
    Places of the dead are freed.
    """
    claim = wait.claim
    _check_deadlock(view, claim, now)
    for waiter in view.waiters:
        if waiter.ticket == claim.ticket and waiter.until > now:
            soon = waiter.until - now <= WAIT_KEPT_MS // 2
            return [WaitKept(waiter.ticket, now + WAIT_KEPT_MS)] if soon else []
    gone: Changes = [WaitEnded(waiter.ticket) for waiter in view.waiters if waiter.until <= now]
    return [
        *gone,
        WaitBegan(
            session=claim.session.id,
            kind=kind_of(view.policy, claim),
            worktree=claim.session.worktree,
            patterns=texts(claim.patterns),
            until=now + WAIT_KEPT_MS,
        ),
    ]


def _check_deadlock(view: View, claim: Claim, now: int) -> None:
    """Refuse to wait in a circle: for somebody who waits, in the end, for the asker's leases.

    A claim waits for whoever holds its scope, and for whoever asked for it earlier. Needs a view
    with the leases near every waiter's scope too.
    """
    live = [lease for lease in view.leases if lease.live(now)]
    if not any(lease.session == claim.session.id for lease in live):
        return
    waiting = [waiter for waiter in view.waiters if waiter.until > now]
    mine = _asker(view, claim, waiting, now)

    def before(one: Waiter) -> list[tuple[Lease | Waiter, Overlap]]:
        earlier = [other for other in waiting if other.ticket < one.ticket]
        rivals: list[Lease | Waiter] = [*live, *earlier]
        rows = [
            (rival, conflict(rival, one.patterns, one.kind, one.worktree, view.policy.contended))
            for rival in rivals
            if rival.session != one.session
        ]
        return [(rival, found[1]) for rival, found in rows if found and found[0] == "refuse"]

    for first, shared in before(mine):
        seen: set[int] = set()
        frontier: list[Lease | Waiter] = [first]
        while frontier:
            rival = frontier.pop()
            if isinstance(rival, Lease) and rival.session == claim.session.id:
                raise errors.WouldDeadlock(
                    scope=texts(first.patterns),
                    session=first.session,
                    witness=shared.witness,
                    asked=texts(claim.patterns),
                )
            for waiter in waiting if isinstance(rival, Lease) else (rival,):
                if waiter.session == rival.session and waiter.ticket not in seen:
                    seen.add(waiter.ticket)
                    frontier += [other for other, _ in before(waiter)]


def _asker(view: View, claim: Claim, waiting: Sequence[Waiter], now: int) -> Waiter:
    """Return the asking claim as the queue sees it: at its place, or behind all others."""
    last = max((waiter.ticket for waiter in waiting), default=0)
    kept = any(waiter.ticket == claim.ticket for waiter in waiting)
    return Waiter(
        ticket=claim.ticket if kept and claim.ticket is not None else last + 1,
        session=claim.session.id,
        kind=kind_of(view.policy, claim),
        worktree=claim.session.worktree,
        patterns=claim.patterns,
        since=now,
        until=now,
    )

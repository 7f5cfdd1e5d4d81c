"""Where the scope of a handoff goes: reserved for the task, to the receiver, back to the giver.

Promise: a reservation is a lease of the task itself, so that nothing else needs to know of tasks;
what is granted here never conflicts with a live lease of another session.
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail import errors
from handrail.core.decide.claim import decide_claim, texts
from handrail.core.decide.desk import Accept, Desk, Offer, Settle
from handrail.core.decide.parts import common, others, taken, within
from handrail.core.decide.view import Changes, Claim, Policy, View
from handrail.core.duty import lane_of, sandboxed
from handrail.core.events import LeaseGranted, LeaseReleased, Move
from handrail.core.lease import EXCLUSIVE, Lease, Session
from handrail.core.role import READ_ONLY
from handrail.core.scope import Pattern, overlap, stored_pattern
from handrail.core.task import Packet, Task, reserved_for


def reserved(view: View, task: Task) -> list[Lease]:
    """Return the leases under which a task holds scope, dead ones too."""
    return [lease for lease in view.leases if lease.session == reserved_for(task.id)]


def own(view: View, session: Session, task: Task, now: int) -> list[Lease]:
    """Return what the giver may give away: its live leases and what is reserved for the task."""
    names = (session.id, reserved_for(task.id))
    return [lease for lease in view.leases if lease.session in names and lease.live(now)]


def again(lease: Lease, rest: Sequence[Pattern]) -> LeaseGranted:
    """Grant what is left of a lease to whom it belonged, to its old end."""
    return LeaseGranted(
        session=lease.session,
        role=lease.role,
        kind=lease.kind,
        worktree=lease.worktree,
        patterns=texts(rest),
        ttl_ms=lease.ttl_ms,
        expires_at=lease.expires_at,
        lasting=lease.lasting,
        beside=(),
        holder=lease.agent,
    )


def reserve(view: View, agent: str, task: Task, offer: Offer, now: int) -> Changes:
    """Let the task claim the scope: whoever holds a part of it is in the way, as for any claim."""
    if not offer.patterns:
        return []
    claim = Claim(
        session=Session(reserved_for(task.id), agent, None, "", now, None, ""),
        patterns=offer.patterns,
        kind=EXCLUSIVE,
        ttl_ms=offer.ttl_ms,
        single=offer.single,
    )
    plain = view._replace(policy=Policy({}, {}, view.policy.contended), waiters=(), orphans=())
    return decide_claim(plain, claim, now)


def _kept(desk: Desk, patterns: Sequence[Pattern], agent: str, lapse_ms: int, now: int) -> Changes:
    """Keep a scope reserved for the task, without a packet."""
    if not patterns:
        return []
    grant = LeaseGranted(
        session=reserved_for(desk.task.id),
        role=None,
        kind=EXCLUSIVE,
        worktree="",
        patterns=texts(patterns),
        ttl_ms=lapse_ms,
        expires_at=now + lapse_ms,
        lasting=True,
        beside=(),
        holder=agent,
    )
    return [grant]


def received(
    desk: Desk,
    accept: Accept,
    held: Sequence[Lease],
    offered: tuple[Pattern, ...],
    reason: str,
    now: int,
    bounds: tuple[Pattern, ...] | None = None,
) -> tuple[Changes, tuple[Pattern, ...]]:
    """End the reservations ``held`` and grant the receiver its part of what was offered.

    ``bounds`` are all that may be written in a read-only phase; None where one is in no such phase.
    """
    view, session = desk.view, accept.session
    changes: Changes = [LeaseReleased(lease.token, reason) for lease in held]
    if not offered:
        return changes, ()
    part = _wanted(desk, accept, offered)
    lane = lane_of(view.policy, session.role)
    mine = part if lane is None else common(part, lane, accept.single)
    if bounds is not None:
        # A pattern that lies there only in part stays reserved as a whole.
        mine = tuple(pattern for pattern in mine if within(pattern, bounds, accept.single))
    left = tuple(lease for lease in view.leases if lease not in held)
    if mine:
        claim = Claim(
            session=session,
            patterns=mine,
            kind=EXCLUSIVE,
            ttl_ms=accept.ttl_ms,
            single=accept.single,
            looked=accept.looked,
        )
        # Whoever waits for the scope waits behind the handoff.
        changes += decide_claim(view._replace(leases=left, waiters=()), claim, now)
    role = view.policy.roles.get(session.role or "")
    if bounds is not None or (role is not None and role.sandbox == READ_ONLY):
        # Nobody may write what a reader was handed; it goes on with the task.
        rest = [pattern for pattern in offered if overlap((pattern,), mine) is None]
        changes += _kept(desk, rest, session.agent, accept.lapse_ms, now)
    return changes, mine


def _given(
    scope: Sequence[Pattern],
    lane: tuple[Pattern, ...] | None,
    single: frozenset[str],
    *,
    whole: bool,
) -> tuple[Pattern, ...]:
    """Return what of a scope may be held; ``whole``: no part of a pattern, so that none is lost."""
    if lane is None:
        return tuple(scope)
    if whole:
        return tuple(pattern for pattern in scope if within(pattern, lane, single))
    return common(scope, lane, single)


def _wanted(desk: Desk, accept: Accept, offered: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
    """Return the part of the offer that the receiver asks for."""
    for pattern in accept.narrow or ():
        if not within(pattern, offered, accept.single):
            raise errors.MalformedScope(
                scope=pattern.text,
                reason="it reaches beyond what was offered",
                next=f"handrail handoff show {desk.task.id}",
            )
    return offered if accept.narrow is None else accept.narrow


def back(
    desk: Desk, packet: Packet, settle: Settle, scope: Sequence[str], reason: str, now: int
) -> Changes:
    """End a reservation and give ``scope`` back to the giver.

    What its lane does not let it hold, or all of it if the giver is gone, stays reserved for the
    task; what somebody holds by now is nobody's any more but theirs.
    """
    view, giver = desk.view, desk.giver
    held = [lease for lease in reserved(view, desk.task) if lease.token == packet.token]
    changes: Changes = [LeaseReleased(lease.token, reason) for lease in held]
    if not held:
        return changes
    left = [lease for lease in view.leases if lease not in held and lease.live(now)]
    free = [
        pattern
        for pattern in map(stored_pattern, scope)
        if not taken(left, pattern, packet.session, giver, view.policy.contended)
    ]
    mine: tuple[Pattern, ...] = ()
    if giver is not None:
        bounds = sandboxed(view.policy, giver.role, desk.task.id, desk.task.phase)
        lane = bounds if bounds is not None else lane_of(view.policy, giver.role)
        mine = _given(free, lane, settle.single, whole=bounds is not None)
        if mine:
            changes.append(
                LeaseGranted(
                    session=giver.id,
                    role=giver.role,
                    kind=EXCLUSIVE,
                    worktree=giver.worktree,
                    patterns=texts(mine),
                    ttl_ms=settle.ttl_ms,
                    expires_at=now + settle.ttl_ms,
                    lasting=True,
                    beside=(),
                    holder=giver.agent,
                )
            )
    rest = [p for p in free if others(p, mine)]
    return [*changes, *_kept(desk, rest, packet.agent, settle.lapse_ms, now)]


def tokens(changes: Changes, head: int) -> dict[int, LeaseGranted]:
    """Return the grants among changes by the tokens that they will have after entry ``head``."""
    events = [change for change in changes if not isinstance(change, Move)]
    return {
        head + place: event
        for place, event in enumerate(events, 1)
        if isinstance(event, LeaseGranted)
    }

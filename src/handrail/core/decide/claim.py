"""The rule for a claim: role, lane, the table of conflicts, the turn of those who wait."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from handrail import errors
from handrail.core.decide.dirt import taken_over
from handrail.core.decide.view import Changes, Claim, Policy, View
from handrail.core.events import LeaseExpired, LeaseGranted, LeaseRenewed, Move, WaitEnded
from handrail.core.lease import (
    EXCLUSIVE,
    LOCAL,
    Kind,
    Lease,
    check_ttl,
    conflict,
    renewed_expiry,
)
from handrail.core.ledger import format_token
from handrail.core.role import READ_ONLY, Role
from handrail.core.scope import (
    UNANCHORED_LIVE_MAX,
    Overlap,
    Pattern,
    matches,
    overlap,
    uncovered,
)
from handrail.core.task import task_of
from handrail.text import scope_word, shell_quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.core.duty import Duty


def decide_claim(view: View, claim: Claim, now: int) -> Changes:
    """Grant the scope, or renew what already gives it; raises the refusals of a claim.

    Leases near it that have run out are recorded as expired before the grant.
    """
    check_ttl(claim.ttl_ms)
    duty = view.duty if view.duty is not None and view.duty.session == claim.session.id else None
    check_role(view.policy, claim, duty)
    kind = kind_of(view.policy, claim)
    dead: list[Lease] = []
    beside: list[int] = []
    unanchored = 0
    own: Lease | None = None
    for lease in view.leases:
        if not lease.live(now):
            if lease.session.startswith(errors.TASK_PREFIX):
                _check_lapsed(view, lease, claim)
            else:
                dead.append(lease)
            continue
        unanchored += sum(not pattern.anchor for pattern in lease.patterns)
        if lease.session == claim.session.id:
            own = own if own is not None else _holder_of(lease, claim, kind)
            continue
        found = conflict(lease, claim.patterns, kind, claim.session.worktree, view.policy.contended)
        if found is not None and found[0] == "refuse":
            raise _held(view.epoch, lease, claim, found[1])
        if found is not None:
            beside.append(lease.token)
    if own is not None:
        return [LeaseRenewed(own.token, renewed_expiry(own, claim.ttl_ms, now)), *_served(claim)]
    if duty is not None:
        from handrail.core.duty import check_scope

        check_scope(duty, claim)
    _check_turn(view, claim, kind, now)
    asked_unanchored = sum(not pattern.anchor for pattern in claim.patterns)
    if asked_unanchored and unanchored + asked_unanchored > UNANCHORED_LIVE_MAX:
        raise _too_many_unanchored(claim, asked_unanchored)
    grant = LeaseGranted(
        session=claim.session.id,
        role=claim.role or claim.session.role,
        kind=kind,
        worktree=claim.session.worktree,
        patterns=texts(claim.patterns),
        ttl_ms=claim.ttl_ms,
        expires_at=now + claim.ttl_ms,
        lasting=claim.lasting,
        beside=tuple(sorted(beside)),
    )
    expired = [LeaseExpired(lease.token, lease.expires_at) for lease in dead]
    return [*expired, *taken_over(view, claim, dead), grant, *_served(claim)]


def _check_lapsed(view: View, lease: Lease, claim: Claim) -> None:
    """Refuse what a task holds past its time: first it is recorded where that goes.

    Whoever is refused here has the lapse recorded and asks again (``service.reclaim``).
    """
    shared = overlap(lease.patterns, claim.patterns)
    if shared is not None:
        raise _held(view.epoch, lease, claim, shared)


def check_role(policy: Policy, claim: Claim, duty: Duty | None = None) -> None:
    """Refuse a claim that its session's role may not make: role, sandbox, lane.

    Where there are roles, a session without one has no lane. In a read-only phase what may be held
    is said by the ``duty``, of phase and role.
    """
    name = claim.session.role
    if claim.role is not None and claim.role != name:
        if not policy.many_roles:
            raise errors.RoleFixed(session=claim.session.id, role=name, wanted=claim.role)
        name = claim.role
    if duty is not None:
        from handrail.core.duty import check_claim

        check_claim(duty, claim)
    if not policy.roles:
        return
    role = policy.roles.get(name or "")
    if role is None and name is not None:
        first = next(iter(policy.roles))
        raise errors.UnknownRole(role=name, nearest=first, next=_other_role(policy, claim))
    if duty is not None and duty.allowed is not None:
        return
    lane = (*policy.lanes.get(name or "", ()), *policy.commons)
    for pattern in claim.patterns:
        witness = _beyond(claim, pattern, lane)
        if witness is not None:
            raise _outside(policy, claim, role, pattern, witness)


def _beyond(claim: Claim, pattern: Pattern, lane: Sequence[Pattern]) -> str | None:
    """Return a path that the claim asks for and a lane does not mean; None if there is none."""
    if pattern.text in claim.single and any(matches(own, pattern.text) for own in lane):
        return None
    return uncovered(pattern, lane)


def _outside(
    policy: Policy, claim: Claim, role: Role | None, pattern: Pattern, witness: str
) -> errors.Refused:
    """Refuse a pattern that no lane of the role holds, and say how the asker gets further."""
    lane = () if role is None else policy.lanes.get(role.name, ())
    way = _other_role(policy, claim) or _smaller_claim(policy, claim, lane)
    read_only = role is not None and role.sandbox == READ_ONLY
    refusal = errors.SandboxReadOnly if read_only else errors.OutsideLane
    return refusal(
        who=f"Role {None if role is None else role.name}",
        role=None if role is None else role.name,
        scope=pattern.text,
        lane=texts(lane) or ("nothing",),
        witness=witness,
        asked=texts(claim.patterns),
        remedy="" if way else "; no role owns it, so a lane in handrail.toml has to grow first",
        next=way,
    )


def _other_role(policy: Policy, claim: Claim) -> str | None:
    """Return the command that claims the same as a role whose lane covers it all, if any does."""
    for name, lane in policy.lanes.items():
        if all(_owned(claim, pattern, lane) for pattern in claim.patterns):
            return _claim_as(name, claim.patterns)
    return None


def _smaller_claim(policy: Policy, claim: Claim, own: Sequence[Pattern]) -> str | None:
    """Return the command that claims what lies in one's own lane, else in that of another role."""
    part = [pattern for pattern in claim.patterns if _owned(claim, pattern, own)]
    rest = [pattern for pattern in claim.patterns if pattern not in part]
    part += [pattern for pattern in own if overlap((pattern,), rest) is not None]
    if part:
        return _claim_as(None, part)
    for name, lane in policy.lanes.items():
        part = [pattern for pattern in claim.patterns if _owned(claim, pattern, lane)]
        if part:
            return _claim_as(name, part)
    return None


def _owned(claim: Claim, pattern: Pattern, lane: Sequence[Pattern]) -> bool:
    """Tell whether a lane is known to hold a pattern; where finding out is too much, it is not."""
    try:
        return _beyond(claim, pattern, lane) is None
    except errors.MalformedScope:
        return False


def _claim_as(role: str | None, patterns: Sequence[Pattern]) -> str:
    words = " ".join(scope_word(pattern.text) for pattern in patterns)
    if role is None:
        return f"handrail claim {words}"
    return f'eval "$(handrail session start --role {shell_quote(role)})" && handrail claim {words}'


def kind_of(policy: Policy, claim: Claim) -> Kind:
    """Contended paths are always local; a claim that reaches beyond them is what was asked."""
    if policy.contended and all(
        _beyond(claim, pattern, policy.contended) is None for pattern in claim.patterns
    ):
        return LOCAL
    return claim.kind


def _holder_of(lease: Lease, claim: Claim, kind: Kind) -> Lease | None:
    """Return ``lease`` if it already gives all that its own session asks for."""
    strong_enough = lease.kind == EXCLUSIVE or kind == LOCAL
    lasts = lease.lasting or not claim.lasting
    same_role = claim.role is None or lease.role == claim.role
    if not (strong_enough and lasts and same_role):
        return None
    covered = all(_beyond(claim, p, lease.patterns) is None for p in claim.patterns)
    return lease if covered else None


def _held(epoch: str, lease: Lease, claim: Claim, shared: Overlap) -> errors.ScopeHeld:
    task = task_of(lease.session)
    return errors.ScopeHeld(
        next=None if task is None else f"handrail task show {task}",
        holder=lease.agent,
        role=lease.role,
        session=lease.session,
        scope=lease.scope,
        token=format_token(epoch, lease.token),
        expires_at=lease.expires_at,
        witness=shared.witness,
        asked=texts(claim.patterns),
        kind=lease.kind,
    )


def _too_many_unanchored(claim: Claim, asked: int) -> errors.HandrailError:
    scope = next(pattern.text for pattern in claim.patterns if not pattern.anchor)
    if asked > UNANCHORED_LIVE_MAX:
        reason = f"at most {UNANCHORED_LIVE_MAX} patterns of a claim may begin with a wildcard"
        return errors.MalformedScope(scope=scope, reason=reason)
    return errors.UnanchoredLimit(
        scope=scope, limit=UNANCHORED_LIVE_MAX, asked=texts(claim.patterns)
    )


def _served(claim: Claim) -> list[Move]:
    return [] if claim.ticket is None else [WaitEnded(claim.ticket)]


def texts(patterns: Iterable[Pattern]) -> tuple[str, ...]:
    """Return patterns as text."""
    return tuple(pattern.text for pattern in patterns)


def _check_turn(view: View, claim: Claim, kind: Kind, now: int) -> None:
    """Refuse while a claim that conflicts arrived earlier and still waits.

    A place in the queue that lapsed gives no turn: its claim comes after all who wait.
    """
    waiting = [waiter for waiter in view.waiters if waiter.until > now]
    place = claim.ticket if any(waiter.ticket == claim.ticket for waiter in waiting) else None
    for waiter in waiting:
        if waiter.session == claim.session.id or (place is not None and waiter.ticket > place):
            continue
        found = conflict(
            waiter, claim.patterns, kind, claim.session.worktree, view.policy.contended
        )
        if found is not None and found[0] == "refuse":
            raise errors.ScopeAwaited(
                session=waiter.session,
                scope=texts(waiter.patterns),
                witness=found[1].witness,
                asked=texts(claim.patterns),
            )

"""What a session may no longer hold, once its task has moved.

Promise: after the changes that come back, no session in question holds a lease that its phases do
not let it hold, and none that must have a packet holds anything without one. What ends so is left
as unfinished work: it stays its agent's own.

    return leaving(desk, [*changes, event], session)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from handrail.core.decide.desk import Desk
from handrail.core.decide.view import Changes, Policy
from handrail.core.duty import cage_of, entitled, overstays
from handrail.core.events import LeaseOrphaned, Move
from handrail.core.lease import Actor, Lease, Session
from handrail.core.scope import Pattern
from handrail.core.state import State, apply
from handrail.core.task import OPEN, Task

SANDBOX = "sandbox"
HANDED_OFF = "handed_off"


def leaving(
    desk: Desk, changes: Changes, session: Session | None = None, *, stops: bool = False
) -> Changes:
    """Return the changes, and among them the end of what giver, holder and asker may not hold.

    The desk's leases are all of theirs, ``desk.others`` the other tasks that they act for.
    ``stops``: the asker may hold nothing any more.
    """
    policy = desk.view.policy
    if not (policy.phases or policy.required or stops):
        return changes
    after = _after(desk, changes)
    tasks = list(after.tasks.values())
    newest = (after.packet(task.id, task.number) for task in tasks)
    offered = {packet.task for packet in newest if packet is not None and packet.state == OPEN}
    known = {one.id: one for one in (desk.giver, desk.holder, session) if one is not None}
    ends: Changes = []
    for one in known.values():
        own = [lease for lease in after.leases.values() if lease.session == one.id]
        if stops and session is not None and one.id == session.id:
            ends += handed_off(own)
        else:
            ends += overstaying(policy, one, own, tasks, offered)
    # What is said of the task itself stays last.
    return [*changes[:-1], *ends, *changes[-1:]]


def overstaying(
    policy: Policy,
    session: Session,
    leases: Iterable[Lease],
    tasks: Iterable[Task],
    offered: frozenset[str] | set[str],
) -> Changes:
    """End those leases of a session which it may not hold; ``offered`` as in ``core.duty``."""
    tasks = tuple(tasks)
    own = sorted(leases)
    if policy.required and not entitled(policy, session.id, tasks, offered):
        return handed_off(own)
    cage = cage_of(policy, session.id, session.role, tasks)
    return _outside(own, None if cage is None else cage.allowed)


def handed_off(leases: Iterable[Lease]) -> Changes:
    """End leases of a session whose work is with somebody else, as unfinished work."""
    return [LeaseOrphaned(lease.token, None, HANDED_OFF) for lease in sorted(leases)]


def confined(
    desk: Desk, session: Session, phase: str | None, now: int
) -> tuple[Changes, Desk, tuple[Pattern, ...] | None]:
    """End what a session may not hold as soon as it acts for the desk's task in a phase.

    Returns that, the desk with the leases that are left, and all that the session may hold; None:
    its lane alone counts. What it still holds then is no way around the sandbox.
    """
    task = desk.task._replace(holder=session.id, phase=phase)
    cage = cage_of(desk.view.policy, session.id, session.role, (task, *desk.others))
    allowed = None if cage is None else cage.allowed
    leases = tuple(desk.view.leases)
    ends = _outside([one for one in leases if one.session == session.id and one.live(now)], allowed)
    gone = {end.token for end in ends if isinstance(end, LeaseOrphaned)}
    left = tuple(lease for lease in leases if lease.token not in gone)
    return ends, desk._replace(view=desk.view._replace(leases=left)), allowed


def _outside(leases: Iterable[Lease], allowed: Sequence[Pattern] | None) -> Changes:
    return [
        LeaseOrphaned(lease.token, None, SANDBOX)
        for lease in leases
        if overstays(allowed, lease.patterns)
    ]


def _after(desk: Desk, changes: Changes) -> State:
    """Return the tables as the changes leave them, as far as the desk shows them."""
    state = State()
    for lease in desk.view.leases:
        state.put_lease(lease)
    for task in (desk.task, *desk.others):
        state.put_task(task)
    for packet in (desk.packet, *desk.waiting):
        if packet is not None:
            state.put_packet(packet)
    seq = desk.view.head
    for change in changes:
        seq += not isinstance(change, Move)
        if not isinstance(change, Move):
            apply(state, seq, 0, Actor(), change)
    return state

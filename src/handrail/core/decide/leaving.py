"""What a session may no longer hold, once its task has moved.

Promise: after the changes that come back, no session in question holds a lease that its phase does
not let it hold, and none that must have a packet holds anything without one. What ends so is left
as unfinished work: it stays its agent's own.

    return leaving(desk, [*changes, event], session)
"""

from __future__ import annotations

from collections.abc import Iterable

from handrail.core.decide.desk import Desk
from handrail.core.decide.view import Changes, Policy
from handrail.core.duty import cage_of, entitled, overstays
from handrail.core.events import LeaseOrphaned, Move
from handrail.core.lease import Actor, Lease, Session
from handrail.core.state import State, apply
from handrail.core.task import OPEN, Task

SANDBOX = "sandbox"
HANDED_OFF = "handed_off"


def leaving(desk: Desk, changes: Changes, session: Session | None = None) -> Changes:
    """Return the changes, and among them the end of what giver, holder and asker may not hold.

    The desk's leases are all of theirs, ``desk.others`` the other tasks that they act for.
    """
    policy = desk.view.policy
    if not (policy.phases or policy.required):
        return changes
    after = _after(desk, changes)
    tasks = list(after.tasks.values())
    newest = (after.packet(task.id, task.number) for task in tasks)
    offered = {packet.task for packet in newest if packet is not None and packet.state == OPEN}
    known = {one.id: one for one in (desk.giver, desk.holder, session) if one is not None}
    ends: Changes = []
    for one in known.values():
        own = [lease for lease in after.leases.values() if lease.session == one.id]
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
        return [LeaseOrphaned(lease.token, None, HANDED_OFF) for lease in own]
    cage = cage_of(policy, session.id, session.role, tasks)
    allowed = None if cage is None else cage.allowed
    return [
        LeaseOrphaned(lease.token, None, SANDBOX)
        for lease in own
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

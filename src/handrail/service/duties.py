"""What the tasks in the store let a session do, asked only where the configuration cares.

Promise: where no phase, no required packet and no bound scope is configured, nothing is asked but
whether it has something to read; else the open tasks, by one query, and the newest packets of those
that the session acts for. Where there are triggers, first whether one stopped the session.

    view = view_of(tx, rules, session, patterns)._replace(duty=duty_here(tx, rules, session))
"""

from __future__ import annotations

from collections.abc import Iterable

from handrail.core.decide import Changes, Policy
from handrail.core.decide.leaving import overstaying
from handrail.core.duty import Duty, duty_of, entitled, held_by, may_not_write
from handrail.core.lease import Session
from handrail.core.reading import must_read
from handrail.core.task import OPEN, Task
from handrail.service.policy import Rules
from handrail.store.port import Reader


def duty_here(
    reader: Reader, rules: Rules, session: Session, *, reading: bool = True
) -> Duty | None:
    """Return what binds a session now, with or without its reading; None where nothing does."""
    policy = rules.policy
    if policy.fires:
        from handrail.service.stops import stop_of

        refusal = stop_of(reader, policy, session)
        if refusal is not None:
            return Duty(session.id, session.role, refusal=refusal)
    tasks = reader.tasks() if policy.binds else []
    own = held_by(session.id, tasks)
    if policy.required and not entitled(policy, session.id, own, _offered(reader, own)):
        every = (reader.tasks(closed=True), reader.packets())
        refusal = may_not_write(policy, session, *every, reader.now)
        return Duty(session.id, session.role, refusal=refusal)
    left = reader.unread(session.id) if reading else ()
    if left:
        return Duty(session.id, session.role, refusal=must_read(session.id, left))
    if not policy.binds:
        return None
    taken = [reader.packet(task.id, task.taken) for task in own if policy.narrow and task.taken]
    # A task beside it, whose packet names no scope, is no way around the one that does.
    bound = next((packet for packet in taken if packet is not None and packet.patterns), None)
    return duty_of(policy, session, own, bound)


def _offered(reader: Reader, tasks: Iterable[Task]) -> set[str]:
    """Return the tasks whose newest packet waits for an answer."""
    found = (reader.packet(task.id, task.number) for task in tasks)
    return {packet.task for packet in found if packet is not None and packet.state == OPEN}


def not_held_any_more(reader: Reader, policy: Policy) -> Changes:
    """Return the ends of all leases that a policy, once it is in force, lets nobody hold."""
    if not (policy.phases or policy.required):
        return []
    tasks = reader.tasks()
    return [end for session in reader.sessions() for end in _ends(reader, policy, session, tasks)]


def not_held_as(reader: Reader, policy: Policy, session: Session) -> Changes:
    """Return the ends of the leases that a session, as it will be, may not hold."""
    if not (policy.phases or policy.required):
        return []
    return _ends(reader, policy, session, reader.tasks())


def _ends(reader: Reader, policy: Policy, session: Session, tasks: Iterable[Task]) -> Changes:
    leases = reader.leases(session.id)
    if not leases:
        return []
    own = held_by(session.id, tasks)
    return overstaying(policy, session, leases, own, _offered(reader, own))

"""Ending sessions whose process is gone, before their leases run out.

Promise: a session is ended early only if it registered processes and every one of them is known to
be gone; where that cannot be told (another pid namespace or clone, no process registered) nothing
happens.
What it left unfinished is kept for its agent.

    if reclaim_from(context, "s-1"):
        ...   # its leases stand in nobody's way any more
"""

from __future__ import annotations

from handrail.core.decide import EndSession, View, decide
from handrail.core.lease import Actor, Session
from handrail.core.task import task_of
from handrail.service.context import Context
from handrail.service.looking import look
from handrail.service.policy import rules_in_force
from handrail.store.port import Reader

GONE = "process_gone"


def reclaim_from(context: Context, id: str) -> bool:
    """End a session if all the processes that it registered are gone; tells whether it did.

    Of what a task holds past its time, it is recorded where that goes.
    """
    if task := task_of(id):
        from handrail.service.lapses import record_lapse

        return record_lapse(context, task)
    with context.store.read() as reader:
        session = reader.session(id)
        if session is None or not session.live or not gone(context, reader, session):
            return False
    end_gone(context, session)
    return True


def gone(context: Context, reader: Reader, session: Session) -> bool:
    """Tell whether a session registered processes and none of them can be running.

    Of one in another clone only its heartbeat is known: its processes may be on another host.
    """
    if not session.worktree.startswith(context.caller.clone):
        return False
    known = [process for process, _ in reader.processes(session.id)]
    return bool(known) and all(context.outside.alive(process) is False for process in known)


def end_gone(context: Context, session: Session) -> None:
    """End a session in its absence; in another working tree nobody looks what it left."""
    with context.store.read() as reader:
        rules = rules_in_force(reader)
        leases = reader.leases(session.id)
    patterns = [pattern for lease in leases for pattern in lease.patterns]
    looked = look(context, rules, session, patterns)
    with context.store.transaction() as tx:
        there = tx.session(session.id)
        if there is None or not there.live or not gone(context, tx, there):
            return
        view = View(tx.epoch, tx.leases(session.id), tx.waiters())
        changes = decide(view, EndSession(there, GONE, looked), tx.now)
        tx.commit(changes, Actor(there.id, there.agent, there.role))

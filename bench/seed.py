"""Stores that are full already: many live leases, long ledgers, through the store's own port."""

from __future__ import annotations

from typing import Final

from handrail.core.events import HistoryImported, LeaseGranted, LeaseReleased
from handrail.core.lease import Actor, Lease, Session
from handrail.core.scope import stored_pattern
from handrail.core.state import State
from handrail.wiring import Application

HOLDERS: Final = 50
FIRST_TOKEN: Final = 1_000_000
HOUR_MS: Final = 3_600_000
BATCH: Final = 20_000
TASKS: Final = 10_000
NOBODY: Final = Actor()


def seed_leases(application: Application, size: int) -> None:
    """Let fifty sessions hold ``size`` scopes, ten in a folder; the configuration stays."""
    with application.store.transaction() as tx:
        state = State()
        for session in tx.sessions():
            state.put_session(session)
        for number in range(HOLDERS):
            name = f"holder-{number}"
            state.put_session(Session(name, name, "worker", ".", tx.now, None, "0" * 64))
        for number in range(size):
            name = f"holder-{number % HOLDERS}"
            state.put_lease(
                Lease(
                    token=FIRST_TOKEN + number,
                    session=name,
                    agent=name,
                    role="worker",
                    kind="exclusive",
                    worktree=".",
                    patterns=(stored_pattern(f"src/area-{number // 10}/part-{number}"),),
                    granted_at=tx.now,
                    ttl_ms=HOUR_MS,
                    expires_at=tx.now + 24 * HOUR_MS,
                    lasting=True,
                )
            )
        state.config = tx.config()
        tx.replace(state)
        tx.commit([], NOBODY)


def seed_ledger(application: Application, size: int) -> None:
    """Append entries as work leaves them: of twenty, nine grants, nine releases, two packets.

    There are no handoffs yet: an imported record of a packet's length stands for one, under the
    task's name, so that the newest of a task is looked up as a handoff will be.
    """
    while True:
        with application.store.transaction() as tx:
            seq = tx.head.seq
            if seq >= size:
                return
            until = min(seq + BATCH, size)
            changes: list[LeaseGranted | LeaseReleased | HistoryImported] = []
            while seq < until:
                changes.append(_entry(seq + 1, tx.now))
                seq += 1
            tx.commit(changes, Actor("holder-1", "holder-1", "worker"))


def _entry(seq: int, now: int) -> LeaseGranted | LeaseReleased | HistoryImported:
    if seq % 10 == 0:
        return HistoryImported(task(seq // 10 % TASKS), now, "a packet " * 80)
    if seq % 10 % 2:
        scope = (f"src/area-{seq % 997}/part-{seq}",)
        return LeaseGranted(
            "holder-1", "worker", "exclusive", ".", scope, HOUR_MS, now + HOUR_MS, True, ()
        )
    return LeaseReleased(seq - 1, "released")


def task(number: int) -> str:
    """Name a task of the long ledger."""
    return f"task-{number:05d}"

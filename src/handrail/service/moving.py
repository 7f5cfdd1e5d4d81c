"""A whole workspace from one store to another: moved there, or kept there as a copy.

Promises: the ledger arrives byte for byte, and both ledgers verify before anything counts; leases
end when they did; what was moved is never written again where it was, by whoever has it open. Where
it breaks off, the store that was there goes on, and the same command takes up what arrived.

What waits for a lease asks again, and processes are registered anew: neither is history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handrail import errors
from handrail.core.decide import EndSession, Looked, View, decide
from handrail.core.events import Event, Move
from handrail.core.ledger import Entry, Head, verify
from handrail.core.record import Record
from handrail.core.state import State, replay
from handrail.service.health import keep_expiries, verify_store
from handrail.service.identity import UNATTRIBUTED
from handrail.store.port import Reader, Store
from handrail.typed import Final

MOVED: Final = "moved"
Place = Callable[[Sequence[Entry], State], Store]
"""Makes a store with this ledger and these tables, or takes up one that holds their beginning."""


class Carried(Record):
    """What arrived: which ledger, up to where, and how many leases go on there."""

    epoch: str
    head: Head
    leases: int


def copy_store(source: Store, place: Place, tick: Callable[[int], None] | None = None) -> Carried:
    """Keep a copy of a workspace elsewhere; raises LedgerBroken where either ledger is."""
    with source.read() as reader:
        entries, state = _packed(reader, tick)
        epoch = reader.epoch
    return _arrived(place(entries, state), entries, state, epoch)


def move_store(
    source: Store, place: Place, where: str, tick: Callable[[int], None] | None = None
) -> Carried:
    """Move a workspace; ``where`` is what is said to whoever asks the store that it left.

    Nobody else changes anything meanwhile. Raises LedgerBroken where either ledger is.
    """
    with source.transaction() as tx:
        entries, state = _packed(tx, tick)
        carried = _arrived(place(entries, state), entries, state, tx.epoch)
        tx.retire(where)
        tx.commit([], UNATTRIBUTED)
    return carried


def end_sessions(source: Store) -> int:
    """End all sessions, before a move after which working trees have other names; tells how many.

    What they hold is given back; nobody looks what of it is unfinished.
    """
    with source.transaction() as tx:
        changes: list[Event | Move] = []
        sessions = tx.sessions()
        for session in sessions:
            view = View(tx.epoch, tx.leases(session.id), tx.waiters())
            changes += decide(view, EndSession(session, MOVED, Looked(dirty=None)), tx.now)
        tx.commit(changes, UNATTRIBUTED)
    return len(sessions)


def _packed(reader: Reader, tick: Callable[[int], None] | None) -> tuple[list[Entry], State]:
    entries = []
    for number, entry in enumerate(reader.entries(), 1):
        entries.append(entry)
        if tick is not None and number % 10_000 == 0:
            tick(number)
    problem = verify(entries).problem
    if problem is not None:
        raise errors.LedgerBroken(seq=problem.seq, reason=problem.reason)
    state = replay(entries)
    keep_expiries(state, reader)
    return entries, state


def _arrived(store: Store, entries: Sequence[Entry], state: State, epoch: str) -> Carried:
    """Look at the store that was made: ledger, tables, and that it is this ledger to the byte."""
    try:
        verified = verify_store(store, ())
        report = verified.report
        problem = report.problem
        if problem is not None:
            raise errors.LedgerBroken(seq=problem.seq, reason=problem.reason)
        if verified.differences:
            raise errors.LedgerBroken(seq=report.entries, reason=verified.differences[0])
        if not entries or report.head != Head(entries[-1].seq, entries[-1].hash):
            raise errors.LedgerBroken(seq=report.entries, reason="it is not the one that was sent")
    finally:
        store.close()
    return Carried(epoch, report.head, len(state.leases))

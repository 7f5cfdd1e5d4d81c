"""Making a store anew from a whole ledger, byte for byte.

Promises: a store that holds anything but the beginning of this ledger stays as it is; what is there
afterwards is all of it or what was there before.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from handrail import errors
from handrail.core.events import StoreCreated
from handrail.core.lease import Actor
from handrail.core.ledger import Entry, read_event, read_header, verify
from handrail.core.state import State, replay
from handrail.store.sql.writer import SqlTx
from handrail.typed import Protocol, TypeVar


class Restorable(Protocol):
    """A store that can be filled with a ledger."""

    path: str

    def transaction(self) -> AbstractContextManager[SqlTx]:
        """Open the exclusive transaction."""

    def close(self) -> None:
        """Give everything back."""


Restored = TypeVar("Restored", bound=Restorable)


def checked(entries: Sequence[Entry]) -> StoreCreated:
    """Return the first event of a ledger that verifies; raises LedgerBroken."""
    report = verify(entries)
    if report.problem is not None:
        raise errors.LedgerBroken(seq=report.problem.seq, reason=report.problem.reason)
    try:
        created = read_event(entries[0]) if entries else None
    except (ValueError, KeyError, TypeError):
        created = None
    if not isinstance(created, StoreCreated):
        raise errors.LedgerBroken(seq=1, reason="it does not say which workspace it is of")
    return created


def restored(store: Restored, entries: Sequence[Entry], state: State | None) -> Restored:
    """Fill a store that was just made, or that broke off here before; else it is closed.

    Raises Usage where it holds anything else.
    """
    epoch = read_header(entries[0].header).epoch
    try:
        with store.transaction() as tx:
            there = [entry.header for entry in tx.entries()]
            begun = [entry.header for entry in entries[: len(there)]]
            if tx.epoch != epoch or (len(there) > 1 and there != begun):
                reason = f"Another store is at {store.path} already."
                raise errors.Usage(reason=reason, next="handrail store migrate --join")
            tx.refill(entries, replay(entries) if state is None else state)
            tx.commit([], Actor())
    except BaseException:
        store.close()
        raise
    return store

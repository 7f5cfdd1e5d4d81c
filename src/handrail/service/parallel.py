"""What is held here and in another store at once: advice, for stores exclude nobody but their own.

Promise: read from signed ledgers of enrolled epochs only, as of the last sync of each; a ledger
that cannot be believed says nothing here. A lease counts until the time that its grant gave it:
that it was renewed since is not in a ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from handrail.config.records import Epoch
from handrail.core.lease import Lease
from handrail.core.record import Record
from handrail.core.scope import overlap
from handrail.errors import FactsUnavailable
from handrail.service.published import Check, Source, read_live
from handrail.store.port import Reader

TOLD_MAX: Final = 50


class Parallel(Record):
    """A path that lies in a lease here and in one of another store."""

    epoch: str
    holder: str
    session: str
    agent: str
    scope: tuple[str, ...]
    own_session: str
    witness: str


def parallel_edits(
    reader: Reader, source: Source, others: Sequence[Epoch], check: Check
) -> tuple[Parallel, ...]:
    """Return the overlaps of live leases here with those of other epochs, TOLD_MAX at the most."""
    own = [lease for lease in reader.leases() if lease.live(reader.now)]
    if not own:
        return ()
    try:
        rows = read_live(source, others, check)
    except FactsUnavailable:
        return ()
    holders = {row.id: row.holder for row in others}
    found: list[Parallel] = []
    for row in rows:
        if row.live is None:
            continue
        for theirs in row.live.state.leases.values():
            if theirs.live(reader.now) and len(found) < TOLD_MAX:
                found += _meeting(row.epoch, holders[row.epoch], theirs, own)
    return tuple(found[:TOLD_MAX])


def _meeting(epoch: str, holder: str, theirs: Lease, own: Sequence[Lease]) -> list[Parallel]:
    found = []
    for lease in own:
        shared = overlap(theirs.patterns, lease.patterns)
        if shared is not None:
            who = (theirs.session, theirs.agent, theirs.scope, lease.session)
            found.append(Parallel(epoch, holder, *who, shared.witness))
    return found

"""The gates of what is to land, in a clone that has no store: the checkout that CI made.

Promise: a gate's command gets no key and no secret of Handrail, and what it leaves in the ledger of
this run is thrown away with it.

    land_gates(place).judge(base, tip)
"""

from __future__ import annotations

from handrail.config import blob_id
from handrail.core.events import ConfigApplied
from handrail.core.lease import Actor
from handrail.facts.clock import BootClock
from handrail.facts.repository import Place
from handrail.service.context import Caller, Context
from handrail.service.gating import Gating
from handrail.service.land_gates import LandGates
from handrail.service.verification import Found
from handrail.store.memory import MemoryStore
from handrail.wiring.bench import RepositoryBench
from handrail.wiring.forge import NOWHERE, NoSecrets, salt
from handrail.wiring.surroundings import Surroundings


def land_gates(place: Place) -> LandGates:
    """Return what runs the gates of a base in a working tree."""
    outside = Surroundings(place)
    bench = RepositoryBench(place, place.toplevel)

    def gating(config: bytes) -> Gating:
        store = MemoryStore(BootClock(), salt, workspace=NOWHERE, epoch=NOWHERE)
        with store.transaction() as tx:
            applied = ConfigApplied(blob_id(config), config.decode("utf-8"), "base")
            tx.commit([applied], Actor())
        caller = Caller(place.worktree, place.folder)
        context = Context(store, caller, NoSecrets(), outside)
        return Gating(context, bench, lambda: Found(None, outside, None))

    return LandGates(outside, bench, gating)

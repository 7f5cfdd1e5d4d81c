"""Which seed shows which planted bug, over which store, and the words in which it is told.

Found by trying seeds in order; whoever changes what a seed leads to finds them anew with
`python -m tests.sim --find`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.sim import bugs, more_bugs
from tests.sim.bugs import Plant


class Planted(NamedTuple):
    """A bug, the first seed that shows it, the store it is in, and what the checker says."""

    plant: Plant
    seed: int
    ground: str
    told: str


_SHOWN: Final[dict[str, tuple[int, str, str]]] = {
    "a local claim conflicts with nothing": (1, "memory", "P1: granted"),
    "an exclusive lease elsewhere stops no local claim": (1, "memory", "P1: granted"),
    "local leases exclude each other across trees": (5, "memory", "the rules say granted"),
    "local leases stand beside each other in one tree": (62, "memory", "the rules say waiting"),
    "the working tree does not count": (5, "memory", "the rules say granted"),
    "contended paths are like all others": (8, "memory", "the rules say granted"),
    "contended paths conflict with nothing": (5, "memory", "P1: granted"),
    "overlap is decided by the beginning alone": (2, "memory", "the rules say granted"),
    "only the first pattern is compared": (4, "memory", "P1: granted"),
    "globs never meet": (4, "memory", "P1: granted"),
    "a witness lies in one scope only": (1, "memory", "does not lie in both"),
    "case is not folded": (3, "memory", "was granted as"),
    "ones own leases stand in ones way": (1, "memory", "a refusal tells"),
    "a refusal names somebody else": (2, "memory", "a refusal tells"),
    "a lease binds a millisecond too long": (21, "memory", "may write"),
    "a lease binds a millisecond too short": (2, "memory", "was recorded as expired"),
    "a renewal revives an expired lease": (1, "memory", "the rules say lease_expired"),
    "a claim revives an expired lease": (13, "memory", "the rules say granted"),
    "a renewal shortens a lease": (2, "memory", "renewed to"),
    "any time to live is taken": (6, "memory", "the rules say malformed_ttl"),
    "a holder trusts its lease to the end": (1, "memory", "trusted until"),
    "trust counts from the answer on": (1, "memory", "instead of 1"),
    "store time follows the wall": (1, "memory", "store time is"),
    "store time goes back at a reboot": (7, "memory", "store time went back"),
    "what one holds is granted anew": (2, "memory", "the rules say renewed"),
    "a local lease does for an exclusive claim": (5, "memory", "the rules say granted"),
    "a lease over a part does for the whole": (1, "memory", "the rules say scope_awaited"),
    "an expired lease is not recorded before the grant": (1, "memory", "was not recorded before"),
    "near drops leases above": (4, "memory", "P1: granted"),
    "near drops leases that begin with a wildcard": (5, "memory", "P1: granted"),
    "nobody looks at the lane": (2, "memory", "the rules say sandbox_read_only"),
    "a lane that is touched will do": (3, "memory", "the rules say outside_lane"),
    "those who wait are overtaken": (2, "memory", "the rules say waiting"),
    "the queue is served from its end": (5, "memory", "the rules say waiting"),
    "a place in the queue never lapses": (4, "memory", "waits for"),
    "circles of waiting are not seen": (4, "memory", "waits in a circle"),
    "a served claim stays in the queue": (3, "memory", "waiting claims:"),
    "whoever waits is forgotten at a release": (3, "memory", "is not the place"),
    "a place is counted from the end": (2, "memory", "is not the place"),
    "anybody may use any token": (4, "memory", "of somebody else"),
    "a fenced token is only called expired": (2, "memory", "the rules say gone"),
    "a release hides that a token is fenced": (2, "memory", "the rules say gone"),
    "the epoch of a token is ignored": (5, "memory", "the rules say foreign_epoch"),
    "releasing what ran out calls it released": (5, "memory", "had run out and was released"),
    "the end of a session leaves its leases": (1, "memory", "ended and left"),
    "a commit is attested after the expiry": (1, "memory", "P2: "),
    "a commit is attested under anybodys lease": (1, "memory", "of somebody else"),
    "a commit is attested if part of it is covered": (1, "memory", "the rules say not_covered"),
    "a commit may undo what somebody landed": (24, "memory", "the rules say stale_bytes"),
    "an attestation is repeated": (1, "memory", "the rules say before"),
    "a number is used again after a withdrawal": (15, "memory", "P3: packet"),
    "a packet is accepted twice": (5, "memory", "the rules say no_handoff"),
    "a packet is accepted by whoever asks": (1, "memory", "P3: "),
    "the giver is not fenced": (11, "memory", "P3: "),
    "an offer reserves nothing": (1, "memory", "P3: "),
    "two packets of a task are open": (3, "memory", "P3: a second packet"),
    "whoever gave a task away goes on with it": (1, "memory", "the rules say handed_off"),
    "a declined scope stays reserved": (3, "memory", "P3: "),
    "a declined scope is lost to its giver": (3, "memory", "scope went"),
    "anybody withdraws a packet": (1, "memory", "the rules say not_your_handoff"),
    "an offer never lapses": (3, "memory", "liveness:"),
    "a receiver gets more than its lane": (2, "memory", "the rules say sandbox_read_only"),
    "a halted task goes on": (5, "memory", "the rules say halted"),
    "a closed task keeps its scope": (21, "memory", "P3: "),
    "a request is done twice": (31, "memory", "the rules say usage"),
    "a request id gives the outcome of another question": (8, "memory", "the rules say usage"),
    "an outcome is one entry early": (1, "memory", "the rules say repeated"),
    "a lease that ended is given again as one to trust": (35, "memory", "trusted until"),
    "an entry names no predecessor": (1, "memory", "P5: "),
    "an entry holds the hash of another payload": (1, "memory", "P5: "),
    "what was rolled back is in the ledger": (18, "memory", "the store has"),
    "a request is remembered after its commit": (18, "memory", "the rules say repeated"),
    "half of a transaction is committed": (1, "memory", "raised"),
    "a release is not written into the ledger": (11, "memory", "P3: "),
    "the clock is read before the store is had": (1, "memory", "store time is"),
    "a restart uses a token again": (3, "memory", "P5: "),
    "a restart takes renewals back": (5, "memory", "leases: the store"),
    "a restart loses a lease": (3, "memory", "leases: the store"),
    "the guard lets a session write what others hold": (1, "memory", "may write"),
    "the guard does not mind the working tree": (1, "memory", "may write"),
    "sqlite keeps for the guard what was released": (1, "sqlite", "the guard's copy:"),
    "sqlite lets the guard see what ran out": (5, "sqlite", "may write"),
    "sqlite does not tell the guard of a renewal": (1, "sqlite", "the guard's copy:"),
    "sqlite forgets a place in the queue": (2, "sqlite", "waiting claims:"),
    "sqlite finds nothing below": (2, "sqlite", "was not recorded before"),
    "postgres does not come back after the server hung up": (6, "postgres", "store_unreachable"),
    "postgres commits nothing and says it did": (1, "postgres", "led to None"),
    "postgres finds nothing below": (4, "postgres", "P1: granted"),
    "postgres puts nothing in the place of a row": (2, "postgres", "the rules say"),
    "postgres gives a ticket again": (3, "postgres", "is not the place"),
    "whoever has not read claims": (2, "memory", "the rules say reading_required"),
    "the guard lets those write who have not read": (178, "memory", "may write"),
    "a receipt for other bytes counts": (2, "memory", "reading:"),
    "a role asks for its first document alone": (2, "memory", "reading:"),
    "sqlite tells the guard of those who have not read": (269, "sqlite", "the guard's copy"),
}
PLANTED: Final = {name: Planted(plant, *_SHOWN[name]) for name, plant in bugs.PLANTED.items()}
assert more_bugs.__doc__, "its bugs are in the table once it is imported"

"""Switching local enforcement off for a while: a person's decision, kept in the ledger alone.

Promise: the newest entry of its kind says until when hooks refuse nothing; it is found by the
ledger's index, so a hook that asks pays for one look-up. What cannot be read switches nothing off.

    pause(context, 30 * 60_000).until
"""

from __future__ import annotations

from handrail import errors
from handrail.core.events import KIND_OF, EnforcementPaused
from handrail.core.ledger import read_event
from handrail.core.record import Record
from handrail.service.context import Context
from handrail.service.identity import UNATTRIBUTED
from handrail.service.sessions import person_proof
from handrail.store.port import Reader
from handrail.text import format_duration
from handrail.typed import Final

PAUSE_DEFAULT_MS: Final = 30 * 60_000
PAUSE_MAX_MS: Final = 24 * 3_600_000


class Paused(Record):
    """Until when nothing is refused, None if it is; ``changed`` is False if it was so already."""

    until: int | None
    now: int
    changed: bool


def paused_until(reader: Reader) -> int | None:
    """Return until when local hooks refuse nothing, in ms of store time; None if they do."""
    entry = reader.latest(KIND_OF[EnforcementPaused], reader.workspace)
    event = None if entry is None else read_event(entry)
    if not isinstance(event, EnforcementPaused):
        return None
    latest = reader.now + PAUSE_MAX_MS
    return event.until if reader.now < event.until <= latest else None


def pause(context: Context, ms: int) -> Paused:
    """Let local hooks refuse nothing for so many ms, 0 for not any longer; a person's to do."""
    if not 0 <= ms <= PAUSE_MAX_MS:
        reason = "enforcement can be off for 24h at most"
        raise errors.Usage(reason=f"{format_duration(ms)} is too long: {reason}.", next=_NEXT)
    words = ("off", format_duration(ms) if ms else "0")
    proof = person_proof(context.caller, "switching enforcement off", words)
    with context.store.transaction() as tx:
        before, until = paused_until(tx), tx.now + ms
        if not ms and before is None:
            return Paused(None, tx.now, changed=False)
        tx.commit([EnforcementPaused(tx.workspace, until, proof)], UNATTRIBUTED)
        return Paused(until if ms else None, tx.now, changed=True)


_NEXT: Final = "handrail off 30m"

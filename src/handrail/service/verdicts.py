"""What gates said around a handoff, entered in the ledger so that it can be counted.

Promises: one entry for each judgement of a whole suite, bounded in size; no word of what a gate
minds, only its name. A judgement that leads to something is entered in the transaction of that; one
that stops something, or is only asked for, in a small one of its own. One that cannot be entered
changes no answer. A suite of which nothing had anything to judge leaves no entry.

    enter(context, checked, "fix-login")
"""

from __future__ import annotations

from handrail import errors
from handrail.core.events import Event
from handrail.core.handed import StageJudged
from handrail.core.lease import Session
from handrail.gates.gate import PASS, Outcome
from handrail.service.context import Context
from handrail.service.gating import Checked
from handrail.service.identity import actor_of, require_session
from handrail.typed import Final

GATES_NAMED_MAX: Final = 32
GATE_CHARS_MAX: Final = 80


def judgement(session: Session, checked: Checked, task: str | None) -> list[Event]:
    """Return what to enter of a judgement: one event, none where there was nothing to judge."""
    there = [one for one in checked.outcomes if one.applicable]
    if not there:
        return []
    minded = [one for one in there if one.binds and one.verdict != PASS]
    advised = [one for one in there if one not in minded and _says_something(one)]
    return [
        StageJudged(
            session=session.id,
            stage=checked.stage,
            verdict=checked.verdict,
            for_task=task,
            gates=tuple(one.gate[:GATE_CHARS_MAX] for one in minded[:GATES_NAMED_MAX]),
            advised=len(advised),
            judged=len(there),
        )
    ]


def _says_something(outcome: Outcome) -> bool:
    return outcome.verdict != PASS or bool(outcome.objections)


def enter(context: Context, checked: Checked, task: str | None) -> str | None:
    """Enter a judgement by itself; returns why it could not be, None where all is well."""
    if context.caller.session is None:
        return None
    try:
        with context.store.transaction() as tx:
            session = require_session(tx, context)
            events = judgement(session, checked, task)
            if events:
                tx.commit(events, actor_of(session))
    except errors.Interrupted:
        raise
    except errors.HandrailError as error:
        return error.message
    return None

"""Work that a rule stops: the offer by which it goes to whoever may decide.

Promise: a trigger says to whom, where one fires and nobody else is named, and stops who blocked;
without one it is a coordinator.

as_block(context, "lane-conflict", Offering()).message
"""

from __future__ import annotations

import json
from typing import Final

from handrail import errors
from handrail.core.lease import Session
from handrail.core.task import BLOCK
from handrail.core.trigger import BLOCKED, Happened
from handrail.service.context import Context
from handrail.service.fired import Fire
from handrail.service.identity import require_session
from handrail.service.lane_conflicts import LANE_CONFLICT, TO_DECIDE, Conflict, newest
from handrail.service.offering import Offering
from handrail.service.policy import Rules, rules_in_force
from handrail.service.triggers import fires
from handrail.text import visible

RULE_CHARS_MAX: Final = 200


def as_block(context: Context, rule: str, asked: Offering) -> Offering:
    """Return an offer of kind ``block``, for whom it is as the module says.

    Raises Usage for what can name no rule, and what a session is asked with.
    """
    if not rule.strip() or len(rule) > RULE_CHARS_MAX or not rule.isprintable():
        reason = f"Name what stands in the way, in one line of at most {RULE_CHARS_MAX} characters."
        raise errors.Usage(reason=reason, next=TO_DECIDE)
    with context.store.read() as reader:
        rules = rules_in_force(reader)
        session = require_session(reader, context)
        conflict = newest(reader, rules, session.id) if rule == LANE_CONFLICT else None
    said, to_role = _said(rule, session, conflict), asked.to_role
    packet: dict[str, object] = {
        "kind": BLOCK,
        "context": {"blocking_rule": rule, "objective": said},
    }
    row = fires(rules, session, Happened(BLOCKED, rule)) if to_role is None else None
    fire = None
    if row is not None:
        packet["trigger"], to_role = row.id, row.to_role
        fire = Fire(row.id, BLOCKED, rule)
    elif to_role is None:
        to_role = _coordinator(rules, session)
    return asked._replace(
        fire=fire,
        packet=json.dumps(packet).encode("ascii"),
        message=said if asked.message is None else asked.message,
        to_role=to_role,
        kind=BLOCK,
    )


def _coordinator(rules: Rules, session: Session) -> str | None:
    """Return whom a block is for; where there are phases, they say so."""
    if rules.settings.phases:
        return None
    names = (role.name for role in rules.settings.roles if role.coordinates)
    return next((name for name in names if name != session.role), None)


def _said(rule: str, session: Session, conflict: Conflict | None) -> str:
    who = f"role {session.role}" if session.role else f"session {session.id}"
    if conflict is None:
        return f"{visible(rule)} stands in the way of {who}. Please decide how the work goes on."
    row = conflict.row
    return visible(
        f"{who} asked for {row.get('requested_scope')}, and {row.get('active_agent')} holds"
        f" {row.get('active_scope')}. Please decide who goes on there."
    )

"""Attempts that may need more than the store: a look at the working tree, or at a process.

Promise: an attempt is a transaction of its own and may be made again; between two attempts facts
are gathered outside all transactions, and only those that the attempt said it lacks.

    with_facts(context, lambda looked: self._claim(asked, looked))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from handrail import errors
from handrail.core.decide import Looked
from handrail.service.context import Context
from handrail.service.identity import require_session
from handrail.service.looking import look, with_looks
from handrail.service.policy import rules_in_force
from handrail.service.reclaim import reclaim_from

RECLAIMS_MAX: Final = 8
Outcome = TypeVar("Outcome")


def with_facts(context: Context, attempt: Callable[[Looked], Outcome]) -> Outcome:
    """Make an attempt, looking where it asks to; end whoever stands in its way and is gone."""
    with context.store.read() as reader:
        rules = rules_in_force(reader)
        session = require_session(reader, context)
    for _ in range(RECLAIMS_MAX):
        try:
            return with_looks(attempt, lambda patterns: look(context, rules, session, patterns))
        except errors.ScopeHeld as held:
            if not reclaim_from(context, str(held.values.get("session"))):
                raise
    return with_looks(attempt, lambda patterns: look(context, rules, session, patterns))

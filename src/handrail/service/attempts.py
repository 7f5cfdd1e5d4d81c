"""Attempts that may need more than the store: a look at the working tree, or at a process.

Promise: an attempt is a transaction of its own and may be made again; between two attempts facts
are gathered outside all transactions, and only those that the attempt said it lacks.

    with_facts(context, lambda looked: self._claim(asked, looked))
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

from handrail import errors
from handrail.core.decide import Looked
from handrail.core.scope import Pattern
from handrail.service.context import Context
from handrail.service.identity import require_session
from handrail.service.looking import look, with_looks
from handrail.service.policy import rules_in_force
from handrail.service.reclaim import reclaim_from
from handrail.typed import Final, TypeVar

RECLAIMS_MAX: Final = 8
Outcome = TypeVar("Outcome")


def with_facts(
    context: Context,
    attempt: Callable[[Looked], Outcome],
    seen: Container[str] | None = None,
    held: errors.ScopeHeld | None = None,
) -> Outcome:
    """Make an attempt, looking where it asks to; end whoever stands in its way and is gone.

    ``held`` is how an attempt was refused just now, which need not be heard twice.

    ``seen`` are the paths that were dirty when a hook looked last. What was clean then has been
    written on top of what HEAD held: nothing of it can be stale.
    """

    def looked(patterns: Sequence[Pattern]) -> Looked:
        with context.store.read() as reader:
            rules = rules_in_force(reader)
            session = require_session(reader, context)
        found = look(context, rules, session, patterns)
        if seen is None or found.dirty is None:
            return found
        rows = [row if row.path in seen else row._replace(landed=None) for row in found.dirty]
        return found._replace(dirty=tuple(rows))

    for _ in range(RECLAIMS_MAX):
        try:
            if held is None:
                return with_looks(attempt, looked)
        except errors.ScopeHeld as refusal:
            held = refusal
        if not reclaim_from(context, str(held.values.get("session"))):
            raise held
        held = None
    return with_looks(attempt, looked)

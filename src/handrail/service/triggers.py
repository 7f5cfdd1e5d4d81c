"""The triggers of the configuration in force, as rows of the matrix.

Triggers(context).all()      # in the order of the file
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from handrail.core.duty import acts_as
from handrail.core.trigger import ROUNDS_MAX, ActsAs, Happened, Row, circles, firing
from handrail.service.context import Context
from handrail.service.policy import Rules, rules_in_force

if TYPE_CHECKING:
    from handrail.config import Settings
    from handrail.config.records import Trigger
    from handrail.core.lease import Session


class Triggers:
    """The use case of looking at triggers."""

    def __init__(self, context: Context) -> None:
        self._store = context.store

    def all(self) -> tuple[tuple[Row, ...], tuple[str, ...]]:
        """Return the triggers in force, in their order, and what is odd about them."""
        with self._store.read() as reader:
            rules = rules_in_force(reader)
        return rows_of(rules), odd_triggers(rules.settings)


def odd_triggers(settings: Settings) -> tuple[str, ...]:
    """Return what is allowed and hardly meant: work for who may write nothing, circles."""
    rows = tuple(map(_row_of, settings.triggers))
    found = []
    for row in rows:
        named = [role for role in settings.roles if row.to_role in (role.name, role.family)]
        if not any(role.lane or role.may_write for role in named):
            found.append(f"trigger {row.id} leads to {row.to_role}, whose lane is empty")
    known = {role.name: {role.name, role.family} for role in settings.roles}
    for circle in circles(rows, known):
        ids, way = ", ".join(row.id for row in circle), " -> ".join(row.to_role for row in circle)
        found.append(
            f"{ids}: they lead in a circle (-> {way}); after {ROUNDS_MAX} rounds with one task a"
            " person has to say how it goes on"
        )
    return tuple(found)


def rows_of(rules: Rules) -> tuple[Row, ...]:
    """Return the triggers as rows of the matrix."""
    return tuple(map(_row_of, rules.settings.triggers))


def _row_of(trigger: Trigger) -> Row:
    when = trigger.when
    named = (when.rule, when.gate, when.checkpoint, when.phase, when.glob)
    about = when.codes or tuple(name for name in named if name is not None)
    return Row(trigger.id, trigger.from_role, trigger.to_role, when.event, about, when.times)


def fires(
    rules: Rules, session: Session, happened: Happened, counts: Mapping[str, int] | None = None
) -> Row | None:
    """Return the trigger that fires in a session, if there is one."""
    return firing(rows_of(rules), as_what(rules, session), happened, counts or {})


def as_what(rules: Rules, session: Session) -> ActsAs:
    """Return what tells whether a session has a role or is of a family."""
    return partial(acts_as, rules.policy, session.role)

"""The triggers of the configuration in force, as rows of the matrix.

Triggers(context).all()      # in the order of the file
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from handrail.core.duty import acts_as
from handrail.core.record import Record
from handrail.core.trigger import BLOCKED, Happened, Row, firing
from handrail.service.context import Context
from handrail.service.policy import Rules, rules_in_force

if TYPE_CHECKING:
    from handrail.config.records import Trigger
    from handrail.core.lease import Session

FIRE: Final = (BLOCKED,)
"""The events that something watches for in this release; the others are only checked."""


class TriggerShown(Record):
    """A row of the matrix, and whether anything makes it fire yet."""

    row: Row
    fires: bool


class Triggers:
    """The use case of looking at triggers."""

    def __init__(self, context: Context) -> None:
        self._store = context.store

    def all(self) -> tuple[TriggerShown, ...]:
        """Return the triggers in force, in their order."""
        with self._store.read() as reader:
            rows = map(row_of, rules_in_force(reader).settings.triggers)
        return tuple(TriggerShown(row, row.when.event in FIRE) for row in rows)


def row_of(trigger: Trigger) -> Row:
    """Return a trigger as a row; what a document or many refusals must be is not in it."""
    when = trigger.when
    about = when.rule or when.gate or when.checkpoint or when.phase or when.glob
    said = about or ", ".join(when.codes)
    return Row(trigger.id, trigger.from_role, trigger.to_role, Happened(when.event, said))


def fires(rules: Rules, session: Session, happened: Happened) -> Row | None:
    """Return the trigger that fires in a session, if there is one."""
    rows = [row_of(one) for one in rules.settings.triggers if one.when.event in FIRE]
    return firing(rows, partial(acts_as, rules.policy, session.role), happened)

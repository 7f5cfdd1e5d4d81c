"""Attempts that ask a session to read something: files are looked at between, never within them.

Promise: where a role asks for no reading, nothing is looked at, imported or asked.

    with_reading(context, lambda looked: self._start(asked, looked))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handrail import errors
from handrail.core.events import Event
from handrail.core.lease import Session
from handrail.service.context import Context
from handrail.service.policy import Rules
from handrail.store.port import Reader
from handrail.typed import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from handrail.service.readings import Looked

LOOKS_MAX: Final = 8
Outcome = TypeVar("Outcome")


class NeedsReading(Exception):
    """An attempt cannot be made without a look at these documents."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(paths)
        super().__init__(self.paths)


def with_reading(context: Context, attempt: Callable[[Looked | None], Outcome]) -> Outcome:
    """Make an attempt, looking at the documents that it says it lacks."""
    looked: Looked | None = None
    for _ in range(LOOKS_MAX):
        try:
            return attempt(looked)
        except NeedsReading as lack:
            from handrail.service.readings import look

            looked = {**(looked or {}), **look(context, lack.paths)}
    reason = "what is to be read changes all the time"
    raise errors.FactsUnavailable(what="required reading", reason=reason)


def check_looked(paths: Sequence[str], looked: Looked | None) -> Looked:
    """Return what was looked at; raises NeedsReading where one of these is missing."""
    if looked is None or not looked.keys() >= set(paths):
        raise NeedsReading(paths)
    return looked


def reading_of(
    reader: Reader, rules: Rules, session: Session, looked: Looked | None
) -> Sequence[Event]:
    """Return what a session is asked to read by the role that it begins to act as."""
    role = next((one for one in rules.settings.roles if one.name == session.role), None)
    if role is None or not (role.reading or reader.unread(session.id)):
        return ()
    from handrail.service.readings import asked_by_role

    known = check_looked(role.reading, looked) if role.reading else {}
    return asked_by_role(session.id, role.name, role.reading, known)

"""Opening a cooperation, and finding the one that somebody means.

Promises: a cooperation is opened in one transaction with the look at what is open already, so that
of two who open at the same moment one is refused; packet 001 goes from the system to the architect.
What the description says is data: it is kept as it was typed, and names nothing.

    Opening(context).open("Tidy the menu", interleave=False).task
"""

from __future__ import annotations

from typing import Final

from handrail import errors
from handrail.core.record import Record
from handrail.core.task import TITLE_CHARS_MAX, Packet, Task
from handrail.errors.cooperation import (
    CooperationActive,
    CooperationsUnsettled,
    NoCooperation,
)
from handrail.errors.handoff import TaskExists
from handrail.projections.cooperation_tasks import FORMAT, active, history
from handrail.service.context import Context
from handrail.service.cooperation.routing import Routed, routed, task_id
from handrail.service.identity import require_session
from handrail.service.known import kept_rows
from handrail.service.lapses import task_named
from handrail.service.policy import Rules
from handrail.service.tasks import Tasks
from handrail.store.port import Reader

CONSTRAINTS: Final = ("demo-mode parity preserved", "no spec drift")
ATTEMPTS_MAX: Final = 26
DESCRIPTION_CHARS_MAX: Final = 16_384


class Opened(Record):
    """A cooperation that was opened, its first packet, and whom its words ask for."""

    task: Task
    packet: Packet
    routed: Routed


class Opening:
    """The use case of opening a cooperation."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def open(self, description: str, *, interleave: bool) -> Opened:
        """Open a cooperation; beside another one only where somebody says so.

        Raises Usage, CooperationActive, CooperationsUnsettled and what opening a task raises.
        """
        said = description.strip()
        if not said:
            raise errors.Usage(reason="cooperate needs a task description.", next=_again())
        if len(said) > DESCRIPTION_CHARS_MAX:
            reason = f"A description has at most {DESCRIPTION_CHARS_MAX} characters."
            raise errors.Usage(reason=reason, next=_again())
        found = routed(said)
        context = {
            "task_description": said,
            "requirements": [],
            "constraints": list(CONSTRAINTS),
            "planned_implementer": found.planned,
        }
        tasks = Tasks(self._context)
        title = "".join(char if char.isprintable() else " " for char in said)
        title = " ".join(title.split())
        title = title if len(title) <= TITLE_CHARS_MAX else f"{title[: TITLE_CHARS_MAX - 1]}…"
        for attempt in range(ATTEMPTS_MAX + 1):
            with self._store.read() as reader:
                name = task_id(reader.now, said, attempt)
            try:
                shown = tasks.open(
                    *(name, title or name, None, {"context": context}),
                    check=lambda reader, rules: check_alone(reader, rules, interleave=interleave),
                )
            except TaskExists:
                if attempt == ATTEMPTS_MAX:
                    raise
                continue
            return Opened(shown.task, shown.packets[0], found)
        raise AssertionError("the last attempt returns or raises")


def _again() -> str:
    return "python3 .cooperations/cooperate cooperate DESCRIPTION"


def check_alone(reader: Reader, rules: Rules, *, interleave: bool) -> None:
    """Refuse a second cooperation unless it was asked for, and a third in any case."""
    running = in_progress(reader, rules)
    if len(running) > 1:
        raise CooperationsUnsettled(tasks=tuple(running))
    if running and not interleave:
        raise CooperationActive(task=running[0])


def in_progress(reader: Reader, rules: Rules) -> list[str]:
    """Return the cooperations that are open, then those of history that say they are."""
    own = [task.id for task in reader.tasks()]
    return own + [name for name in of_history(reader, rules) if name not in own]


def of_history(reader: Reader, rules: Rules) -> list[str]:
    """Return the tasks of history that say they are in progress."""
    path = next((one.path for one in rules.settings.projections if one.format == FORMAT), None)
    return [] if path is None else active(history(kept_rows(reader, path)))


def meant(reader: Reader, context: Context, name: str | None, command: str) -> Task:
    """Return the cooperation that somebody means: named, one's own, or the only one there is.

    Raises UnknownTask, NoCooperation, and Usage where there are several.
    """
    if name is not None:
        return task_named(reader, name)
    tasks = reader.tasks()
    if context.caller.session is not None:
        session = require_session(reader, context)
        own = [task for task in tasks if task.holder == session.id]
        tasks = own if len(own) == 1 else tasks
    if len(tasks) == 1:
        return tasks[0]
    if not tasks:
        raise NoCooperation
    names = ", ".join(task.id for task in tasks)
    reason = f"Several cooperations are in progress: {names}."
    raise errors.Usage(
        reason=reason, next=f"python3 .cooperations/cooperate {command} --task {tasks[0].id}"
    )

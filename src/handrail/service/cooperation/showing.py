"""Where a cooperation stands, for people and agents: read-only, from the ledger alone.

Showing(context).show(None).next
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from handrail.core.record import Record
from handrail.core.task import BLOCK, CLOSED, OPEN, Packet, Task
from handrail.errors.cooperation import NoCooperation
from handrail.projections.cooperation_tasks import FORMAT, history, task_of
from handrail.service.context import Context
from handrail.service.cooperation.opening import in_progress, meant
from handrail.service.known import at_path, here, kept_rows, known_of
from handrail.service.phases import artifact_of, pending, workflow_of
from handrail.service.policy import Rules, rules_in_force
from handrail.store.port import Reader


class Standing(Record):
    """A cooperation as its ledger shows it (``task``), and what is to be said besides.

    ``pending`` is the checkpoint that waits, ``next`` the command or the words that lead on;
    ``of_history`` says that Handrail did not open it.
    """

    task: Mapping[str, Any]
    pending: str | None
    blockers: tuple[str, ...]
    next: str
    of_history: bool = False


class Showing:
    """The use case of looking."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def any(self) -> bool:
        """Tell whether there is any cooperation at all, ended or not."""
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            return bool(reader.tasks(closed=True)) or bool(_history(reader, rules))

    def running(self) -> list[str]:
        """Return the cooperations that are in progress."""
        with self._store.read() as reader:
            return in_progress(reader, rules_in_force(reader))

    def show(self, name: str | None = None) -> Standing:
        """Return where a cooperation stands; without a name the one that is in progress, or last.

        Raises UnknownTask, NoCooperation, and Usage where several are in progress.
        """
        outside = here(self._context.outside)
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            told = {str(one.get("id")): one for one in _history(reader, rules)}
            if name is not None and name in told and reader.task(name) is None:
                return Standing(told[name], None, (), "none: it is history", of_history=True)
            try:
                task = meant(reader, self._context, name, "status")
            except NoCooperation:
                closed = reader.tasks(closed=True)
                if not closed:
                    raise
                task = closed[-1]
            known = at_path(reader, known_of(reader, rules, outside), "")
            given = [one for one in known.packets if one[0].task == task.id]
            newest = reader.packet(task.id, task.number)
            flow = workflow_of(rules)
            return Standing(
                task=task_of(known, task, given),
                pending=pending(flow, task),
                blockers=tuple(_blockers(rules, task, newest, given)),
                next=_next(reader, rules, task, newest, self._context),
            )


def _history(reader: Reader, rules: Rules) -> list[dict[str, Any]]:
    path = next((one.path for one in rules.settings.projections if one.format == FORMAT), None)
    return [] if path is None else history(kept_rows(reader, path))


def _blockers(
    rules: Rules,
    task: Task,
    newest: Packet | None,
    given: Sequence[tuple[Packet, Mapping[str, Any]]],
) -> list[str]:
    found: list[str] = []
    if task.state == CLOSED:
        return found
    if task.waits_at is not None:
        found.append(f"{task.waits_at} was revised as often as it may be: a person has to say")
    if task.halted(rules.settings.handoff.halt_after):
        found.append(f"{task.failed} handoffs in a row were declined or sent back")
    if newest is not None and newest.kind == BLOCK:
        said = given[-1][1] if given else {}
        rule = (
            said.get("context", {}).get("blocking_rule") or said.get("message") or "no word of it"
        )
        found.append(f"handoff {newest.number:03d} asks for help: {str(rule)[:200]}")
    return found


def _next(reader: Reader, rules: Rules, task: Task, newest: Packet | None, context: Context) -> str:
    """Name what leads on: a slash command, a file to be left, or a person's decision."""
    if task.state == CLOSED:
        return "none: it has ended"
    if task.stopped(rules.settings.handoff.halt_after):
        return f"a person: handrail task resume {task.id}"
    if newest is not None and newest.state == OPEN:
        return f"/handoff {newest.to_role}"
    holder = reader.session(task.holder or "")
    if task.role is not None and not (holder is not None and holder.live):
        return f"/handoff {task.role}"
    flow = workflow_of(rules)
    decided = flow.phase(task.next_phase)
    if decided is not None:
        return f"/handoff {_word(rules, decided.role)}"
    artifact = artifact_of(flow, task)
    if artifact is not None and context.outside.digest(artifact) is None:
        return f"leave {artifact}"
    checkpoint = pending(flow, task)
    if checkpoint is not None:
        return f"a person: /checkpoint {checkpoint} approve|revise|stop"
    later = flow.follows(task.phase, lambda phase: True)
    return "none" if later is None else f"/handoff {_word(rules, later.role)}"


def _word(rules: Rules, role: str) -> str:
    """Return how a role or family is named after ``/handoff``."""
    names = [one.name for one in rules.settings.roles if role in (one.name, one.family)]
    return role if len(names) <= 1 or role in names else f"{role}:<{'|'.join(names)}>"

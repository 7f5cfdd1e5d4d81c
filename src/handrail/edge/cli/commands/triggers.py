"""``trigger list``; what triggers make of what a command meets."""

from __future__ import annotations

from contextlib import suppress

from handrail import errors
from handrail.core.task import OPEN, Task
from handrail.core.trigger import Row
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import say
from handrail.edge.render import stuck_line, table
from handrail.edge.reply import Data, Reply
from handrail.errors.handoff import GateFailed
from handrail.service.policy import rules_read_last
from handrail.service.stuck import Stuck
from handrail.service.triggers import Triggers
from handrail.text import visible


def listed(invocation: Invocation) -> Reply:
    """List the triggers in force."""
    found, odd = Triggers(invocation.application.context).all()
    rows = [
        (
            row.id,
            row.from_role,
            visible(_when(row)),
            row.to_role,
        )
        for row in found
    ]
    triggers = [
        {
            "id": row.id,
            "from": row.from_role,
            "event": row.event,
            "about": list(row.about),
            "times": row.times,
            "to": row.to_role,
        }
        for row in found
    ]
    text = table(("TRIGGER", "FROM", "WHEN", "TO"), rows)
    notes = tuple(f"note: {visible(line)}" for line in odd)
    data: Data = {"triggers": triggers, "notes": list(odd)}
    return Reply(data, text if rows else "no trigger is configured", notes)


def gate_refused(invocation: Invocation, refusal: errors.HandrailError) -> errors.HandrailError:
    """Return what a command is refused with where gates failed: what a trigger makes of it."""
    rules = rules_read_last()
    if rules is None or not rules.policy.fires or not isinstance(refusal, GateFailed):
        return refusal
    from handrail.service.firing import failed_gates
    from handrail.wiring.firing import firing_of

    failed = failed_gates(refusal)
    return firing_of(invocation.application).gates_failed(failed) or refusal


def taken_up(invocation: Invocation) -> list[str]:
    """Return what there is to say where a packet was accepted and a document fires a trigger."""
    from handrail.wiring.firing import watching_of

    seen = watching_of(invocation.application).all()
    lines = [f"note: {line}" for line in seen.told]
    if seen.fired is not None:
        lines += [f"note: {seen.fired.code}: {seen.fired.message}", f"next: {seen.fired.next}"]
    return lines


def decided(invocation: Invocation, task: Task) -> list[str]:
    """Return what there is to say where a person's decision fires a trigger.

    It fires in the session that acts for the task, if that is one of this working tree; elsewhere
    it fires at that session's next hook.
    """
    rules, application = rules_read_last(), invocation.application
    if rules is None or not rules.policy.fires or task.holder is None or task.state != OPEN:
        return []
    with application.store.read() as reader:
        holder = reader.session(task.holder)
    if holder is None or not holder.live or holder.worktree != application.caller.worktree:
        return []
    from handrail.wiring.firing import firing_of

    application.act_as(holder.id)
    fired = firing_of(application).due()
    return [] if fired is None else [f"{fired.code}: {fired.message}"]


def say_stuck(invocation: Invocation) -> None:
    """Say, once, which packets of triggers nobody accepts; what fails there fails no command."""
    with suppress(errors.HandrailError):
        for packet in Stuck(invocation.application.context).take():
            say(stuck_line(packet))


def _when(row: Row) -> str:
    about = f": {', '.join(row.about)}" if row.about else ""
    times = f", {row.times} times" if row.times > 1 else ""
    return f"{row.event}{about}{times}"

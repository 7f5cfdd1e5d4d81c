"""What a session is told when it begins: who it is, what it holds, who else works here."""

from __future__ import annotations

from collections.abc import Iterable

from handrail import errors
from handrail.service.harness_sessions import Begun
from handrail.service.policy import projections_in_force
from handrail.text import rfc3339
from handrail.wiring import Application

NAMED_MAX = 8


def greeting(application: Application, begun: Begun) -> list[str]:
    """Return a few lines for the agent."""
    session = begun.started.session
    role = f", role {session.role}" if session.role else ""
    who = f"session {session.id} of {session.agent}{role}"
    rule = "You may change only what you hold; the first edit of a free path takes it for you."
    lines = [f"Handrail: you are {who}. {rule}"]
    if begun.held:
        lines.append(f"- You hold: {_list(path for lease in begun.held for path in lease.scope)}")
    if begun.adopted:
        lines.append("- That includes what your last session here left unfinished.")
    for lease in begun.others[:NAMED_MAX]:
        until = rfc3339(lease.expires_at)
        lines.append(f"- {lease.agent} holds {_list(lease.scope)} until {until}")
    left = [orphan for orphan in begun.left if orphan.session != session.id]
    lines += [f"- {one.agent} left unfinished work: {_list(one.scope)}" for one in left[:NAMED_MAX]]
    return lines + _repaired(application)


def _list(paths: Iterable[str]) -> str:
    named = list(paths)
    more = f" and {len(named) - NAMED_MAX} more" if len(named) > NAMED_MAX else ""
    return ", ".join(named[:NAMED_MAX]) + more


def _repaired(application: Application) -> list[str]:
    """Bring back hooks that were lost, and say so."""
    from handrail.service.guarding import Guarding
    from handrail.service.install import LEFT, repair

    try:
        mode = Guarding(application.context).mode("edit")
        projections = projections_in_force(application.store)
        steps = repair(application.site, mode, projections, tracked=False)
    except errors.HandrailError as error:
        application.hook_log.write("session", error.code, error.message)
        return []
    return [
        f"- Handrail's {step.what} was lost"
        + (f" and is not back: {step.note}" if step.outcome == LEFT else " and is back")
        for step in steps
    ]

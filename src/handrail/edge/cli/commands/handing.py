"""``handoff offer``, ``accept``, ``task block``: git looks at the tree while the rest is imported.

The two take most of the time, and neither needs the other.
"""

from __future__ import annotations

from collections.abc import Callable

from handrail import errors
from handrail.edge.cli.invocation import Invocation
from handrail.edge.reply import Reply


def offer(invocation: Invocation) -> Reply:
    """Offer a packet."""
    invocation.application.begin_look(listing=True)
    from handrail.edge.cli.commands import handoffs

    return passing_on(invocation, handoffs.offer)


def block(invocation: Invocation) -> Reply:
    """Offer a packet of work that a rule stops."""
    invocation.application.begin_look(listing=True)
    from handrail.edge.cli.commands import handoffs

    return handoffs.block(invocation)


def accept(invocation: Invocation) -> Reply:
    """Accept a packet."""
    invocation.application.begin_look()
    from handrail.edge.cli.commands import handoffs

    return passing_on(invocation, handoffs.accept)


def passing_on(invocation: Invocation, run: Callable[[Invocation], Reply]) -> Reply:
    """Run what gates may refuse; where they do and a trigger waits for that, it fires."""
    try:
        return run(invocation)
    except errors.Refused as refusal:
        if refusal.code != "gate_failed" or invocation.flag("dry_run"):
            raise
        from handrail.edge.cli.commands.triggers import gate_refused

        raise gate_refused(invocation, refusal) from refusal

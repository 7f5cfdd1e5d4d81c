"""``handoff offer``, ``accept``, ``task block``: git looks at the tree while the rest is imported.

The two take most of the time, and neither needs the other.
"""

from __future__ import annotations

from handrail.edge.cli.invocation import Invocation
from handrail.edge.reply import Reply


def offer(invocation: Invocation) -> Reply:
    """Offer a packet."""
    invocation.application.begin_look(listing=True)
    from handrail.edge.cli.commands import handoffs

    return handoffs.offer(invocation)


def block(invocation: Invocation) -> Reply:
    """Offer a packet of work that a rule stops."""
    invocation.application.begin_look(listing=True)
    from handrail.edge.cli.commands import handoffs

    return handoffs.block(invocation)


def accept(invocation: Invocation) -> Reply:
    """Accept a packet."""
    invocation.application.begin_look()
    from handrail.edge.cli.commands import handoffs

    return handoffs.accept(invocation)

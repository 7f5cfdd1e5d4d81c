"""``handoff offer`` and ``accept``, begun: git looks at the tree while what judges it is read.

Both take most of their time, and neither needs the other.
"""

from __future__ import annotations

from handrail.edge.cli.invocation import Invocation
from handrail.edge.reply import Reply


def offer(invocation: Invocation) -> Reply:
    """Offer a packet."""
    invocation.application.begin_look()
    from handrail.edge.cli.commands import handoffs

    return handoffs.offer(invocation)


def accept(invocation: Invocation) -> Reply:
    """Accept a packet."""
    invocation.application.begin_look()
    from handrail.edge.cli.commands import handoffs

    return handoffs.accept(invocation)

"""``trigger list``."""

from __future__ import annotations

from handrail.edge.cli.invocation import Invocation
from handrail.edge.render import table
from handrail.edge.reply import Reply
from handrail.service.triggers import Triggers
from handrail.text import visible


def listed(invocation: Invocation) -> Reply:
    """List the triggers in force."""
    found = Triggers(invocation.application.context).all()
    rows = [
        (
            row.id,
            row.from_role,
            visible(f"{row.when.event}: {row.when.about}" if row.when.about else row.when.event),
            row.to_role,
            "" if fires else "not in this release",
        )
        for row, fires in found
    ]
    data = [
        {
            "id": row.id,
            "from": row.from_role,
            "event": row.when.event,
            "about": row.when.about or None,
            "to": row.to_role,
            "fires": fires,
        }
        for row, fires in found
    ]
    text = table(("TRIGGER", "FROM", "WHEN", "TO", ""), rows)
    return Reply({"triggers": data}, text if rows else "no trigger is configured")

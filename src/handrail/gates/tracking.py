"""Gates about the tracker, that it tells of the change in a row of its own; and who publishes.

A row that was there before tells of earlier work. Work in one lane needs a row of its role, work in
several the coordinator's row besides.
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail.gates.facts import ActivityRow, Facts, Tracked
from handrail.gates.gate import CannotTell, Objection
from handrail.text import shell_quote

Found = Sequence[Objection] | None


def activity_row(facts: Facts) -> Found:
    """Object to a lane that was changed and has no row of the change's own."""
    tracked = _tracked(facts)
    if not tracked.tracker or not tracked.touched:
        return None
    there = {row.role for row in tracked.activity}
    return [
        Objection(
            "no_activity_row",
            f"{path} of role {role} was changed, and no row of section 2 tells of it",
            tracked.tracker,
            _edit(tracked),
        )
        for role, path in tracked.touched
        if role not in there
    ]


def coordinator_row(facts: Facts) -> Found:
    """Object to a change of several lanes that the coordinator's log does not tell of."""
    tracked = _tracked(facts)
    if not tracked.tracker or len(tracked.touched) < 2 or not tracked.coordinators:
        return None
    if tracked.coordination:
        return ()
    roles = ", ".join(role for role, _ in tracked.touched)
    if by_activity(tracked):
        told = "the coordinator's row stands in section 2; section 3 is its place"
        return (Objection("row_misplaced", told, tracked.tracker, advice=True),)
    told = f"several lanes were changed ({roles}), and no row of section 3 tells of it"
    return (Objection("no_coordinator_row", told, tracked.tracker, _edit(tracked)),)


def publisher(facts: Facts) -> Found:
    """Object to whoever publishes and does not coordinate, where somebody does."""
    asks = facts.publisher
    if asks is None:
        raise CannotTell("nobody looked who asks")
    if not asks.coordinators:
        return None
    if asks.person or set(asks.roles) & set(asks.coordinators):
        return ()
    who = f"as {', '.join(asks.roles)}" if asks.roles else "without a role"
    name = asks.coordinators[0]
    told = f"whoever runs this acts {who}; it counts when {name} or a person runs it"
    step = f'eval "$(handrail session start --role {shell_quote(name)})" && handrail check publish'
    return (Objection("not_coordinator", told, None, step),)


def by_activity(tracked: Tracked) -> list[ActivityRow]:
    """Return the coordinator's rows that stand in the table of activity."""
    return [row for row in tracked.activity if row.role in tracked.coordinators]


def _tracked(facts: Facts) -> Tracked:
    if facts.tracked is None:
        raise CannotTell("nobody looked at the tracker")
    return facts.tracked


def _edit(tracked: Tracked) -> str:
    place = shell_quote(f"./{tracked.tracker}")
    told = shell_quote(f"Tell of it in {tracked.tracker}")
    return f'"${{EDITOR:-vi}}" {place} && git add -- {place} && git commit -m {told}'

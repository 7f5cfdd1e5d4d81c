"""Gates about the tracker, that it tells of the change in a row of its own; and who publishes.

A row that was there before tells of earlier work. Work in one lane needs a row of its role, work in
several the coordinator's row besides.

    >>> rows_of("## 2) Log", "## 2)")
    []
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from handrail.gates.facts import ActivityRow, Facts, Tracked
from handrail.gates.gate import CannotTell, Objection
from handrail.text import shell_quote

ACTIVITY: Final = "## 2)"
COORDINATION: Final = "## 3)"
"""How the headings of the two tables begin, whatever comes after."""
HEADING: Final = "## 2) Role Activity Ledger"
Found = Sequence[Objection] | None


def rows_of(text: str, heading: str) -> list[tuple[str, ...]]:
    """Return the rows of the tables below a heading, as cells; lines that only separate left out.

    A backslash before a stroke keeps it in its cell.
    """
    found: list[tuple[str, ...]] = []
    within = False
    for line in text.removeprefix("\ufeff").splitlines():
        plain = line.strip()
        if plain.startswith("## "):
            within = plain.startswith(heading)
        elif within and plain.startswith("|"):
            cells = _cells(plain)
            if not all(cell and set(cell) <= set(":-") for cell in cells):
                found.append(cells)
    return found


def _cells(line: str) -> tuple[str, ...]:
    parts = line.replace("\\|", "\0").removeprefix("|").removesuffix("|").split("|")
    return tuple(part.strip().replace("\0", "|") for part in parts)


def activity_rows(text: str) -> list[tuple[str, ...]]:
    """Return the rows of the table of activity without its head: session, role, agent, …."""
    return [row for row in rows_of(text, ACTIVITY) if row[0] != "session_id" and len(row) > 2]


def coordination_rows(text: str) -> list[tuple[str, ...]]:
    """Return the rows of the coordinator's log without its head: time, session, roles, …."""
    return [row for row in rows_of(text, COORDINATION) if row[0] != "date_time" and len(row) > 1]


def fresh(before: str, now: str) -> tuple[tuple[ActivityRow, ...], tuple[str, ...]]:
    """Return what a change adds or changes in a tracker: rows of activity, sessions of the log."""
    told = _added(activity_rows(before), activity_rows(now))
    log = _added(coordination_rows(before), coordination_rows(now))
    return tuple(ActivityRow(*row[:3]) for row in told), tuple(row[1] for row in log)


def _added(before: list[tuple[str, ...]], now: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    left = Counter(before)
    found = []
    for row in now:
        left[row] -= 1
        if left[row] < 0:
            found.append(row)
    return found


# --- the gates -----------------------------------------------------------------------------------


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

"""What gates mind in the words of the documents; a gate that is not here speaks for itself.

WORDS["pushed"](ground, found, objections)
# ["Production state mismatch: Local HEAD a54f56a != origin/main b036871 (unpushed work)"]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from handrail import errors
from handrail.gates.gate import Objection
from handrail.service.suite.rows import SHOWN_MAX, Found, Ground, plain
from handrail.text import visible

HANDOFF: Final = ".mosaic/LATEST_HANDOFF.md"
SHORT: Final = 7
STATE: Final = ".mosaic/agent_state.json"
BLOCKERS: Final = ".mosaic/blockers.json"
STATE_FILES: Final = (STATE, BLOCKERS, ".mosaic/current_task.json")
OF_FILES: Final = ("state_missing", "unreadable_state")
OF_FIELDS: Final = ("missing_field",)
NO_ADDRESS: Final = "agent_state.json names no production URL"
TOO_SHORT: Final = "handoff_message is empty or too short"

Words = Callable[[Ground, Found, Sequence[Objection]], list[str]]


def as_it_is(ground: Ground, found: Found, rows: Sequence[Objection]) -> list[str]:
    """Use the gate's own words."""
    return [plain(row) for row in rows]


def unpushed(ground: Ground, found: Found, rows: Sequence[Objection]) -> list[str]:
    """Say where the upstream is, as far as this clone knows."""
    known, told = ground.pushed(), []
    for row in rows:
        if row.code != "unpushed" or known.branch is None:
            told.append(f"Cannot check git state: {plain(row)}")
            continue
        name, commit = ground.upstream(known.branch)
        there = f" {commit[:SHORT]}" if commit else ", which is not there"
        told.append(
            f"Production state mismatch: Local HEAD {known.commit[:SHORT]} != "
            f"{visible(name)}{there} (unpushed work)"
        )
    return told


def missing(ground: Ground, found: Found, rows: Sequence[Objection]) -> list[str]:
    """Name each path that is referenced and is not there, once."""
    return [plain(row) if row.missing is None else not_there(ground, row.missing) for row in rows]


def not_there(ground: Ground, path: str) -> str:
    """Say of a path that it is not in the commit, and whether it only has to be committed."""
    told = f"Referenced file does not exist: {visible(path)}"
    try:
        here = ground.behind_links(path) is not None
    except errors.FactsUnavailable:
        here = False
    return f"{told} (it is there, and not committed)" if here else told


def dirty(ground: Ground, found: Found, rows: Sequence[Objection]) -> list[str]:
    """List what is unfinished and not named in the handoff's document."""
    states = ground.short_states()
    document = ground.behind_links(HANDOFF)
    text = "" if document is None else document[1].decode("utf-8", "replace")
    about = {HANDOFF} if document is None else {HANDOFF, document[0]}
    paths = [row.path for row in rows if row.path is not None]
    silent = [path for path in paths if path not in about and not names(text, path)]
    others = [row.message for row in rows if row.path is None]
    found.warnings += [
        f"Uncommitted, and named in the handoff: {visible(path)}"
        for path in paths
        if path not in silent
    ]
    if not silent and not others:
        found.fine = "Uncommitted changes are documented"
        return []
    found.line = "Uncommitted changes not documented"
    lines = [f"{states.get(path, '??')} {visible(path)}" for path in silent[:SHOWN_MAX]]
    more = len(silent) - SHOWN_MAX
    lines += [f"and {more} more"] if more > 0 else []
    return ["\n".join(("Uncommitted changes exist:", *lines, *others))]


def unreadable(ground: Ground, found: Found, rows: Sequence[Objection]) -> list[str]:
    """Say which state file cannot be read; one of the documents' own is looked at for itself."""
    return [
        f"Cannot read state file: {plain(row)}"
        for row in rows
        if row.path not in STATE_FILES or row.code not in (*OF_FILES, *OF_FIELDS)
    ]


def too_short(ground: Ground, found: Found, rows: Sequence[Objection]) -> list[str]:
    """Say that there is no message that could tell anybody anything."""
    return [TOO_SHORT if row.code == "short_message" else plain(row) for row in rows]


def outdated(ground: Ground, found: Found, rows: Sequence[Objection]) -> list[str]:
    """Say which state file was not updated; one that is uncommitted is so when it is committed."""
    states = ground.short_states()
    rows = [row for row in rows if row.code != "state_outdated" or row.path not in states]
    return [f"State file not updated: {plain(row)}" for row in rows]


def advice(row: Objection) -> str:
    """Say what only advises."""
    return NO_ADDRESS if row.code == "no_service_url" else plain(row)


def blocked(ground: Ground, found: Found, rows: Sequence[Objection]) -> list[str]:
    """Say which blockers are not as they are said to be."""
    return [f"Blocker status mismatch: {plain(row)}" for row in rows]


def unhealthy(ground: Ground, found: Found, rows: Sequence[Objection]) -> list[str]:
    """Say what the service returns."""
    found.line = "Service not healthy"
    return [row.message[:1].upper() + row.message[1:] for row in rows]


def names(text: str, path: str) -> bool:
    """Tell whether a text names a path, as a whole: no other word stands for one.

    >>> names("not committed: `src/a.py`.", "src/a.py"), names("src/a.pyc", "src/a.py")
    (True, False)
    """
    return re.search(rf"(?<![\w./-]){re.escape(path)}(?![\w/-]|\.\w)", text) is not None


WORDS: Final[dict[str, Words]] = {
    "state-readable": unreadable,
    "message": too_short,
    "state-fresh": outdated,
    "pushed": unpushed,
    "references": missing,
    "artifacts": missing,
    "committed": dirty,
    "blockers": blocked,
    "deployment": unhealthy,
}
"""By gate; what a gate minds and the documents excuse is not among the words."""

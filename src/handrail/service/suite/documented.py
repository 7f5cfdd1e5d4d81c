"""What the documents want of the state files, and no gate looks at; and the session gate.

Promise: a file that is no JSON is a failure with its place, never a crash; nothing is written.

    look_at_message(ground, found)
    session_gate(ground, frozenset())          # (True, ("🔍 SESSION GATE", …))
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from handrail import errors
from handrail.core.packet import MESSAGE_CHARS_MIN
from handrail.gates.packet import RESOLVED
from handrail.gates.states import problem_of
from handrail.service.suite.rows import Found, Ground
from handrail.service.suite.wording import (
    BLOCKERS,
    HANDOFF,
    STATE,
    STATE_FILES,
    TOO_SHORT,
    not_there,
)
from handrail.text import visible

SESSION_LOG: Final = ".mosaic/session_log.jsonl"
BRIEFINGS: Final = (".mosaic/MANDATORY_AGENT_BRIEFING.md", "MANDATORY_AGENT_BRIEFING.md")
ROUTINE: Final = (
    ".mosaic/enforcement/handoff_validation_tests.py",
    ".mosaic/enforcement/session-gate.sh",
    "scripts/verify_critical_features.sh",
)
"""What the documented routine runs, and so refers to."""
PROMPTS: Final = ("AI_AGENT_PROMPT.md", ".ai-agents/AI_AGENT_PROMPT.md")
DOCUMENTS: Final = (PROMPTS, (HANDOFF,), *((path,) for path in ROUTINE))
"""The documents that a session begins with, each at any of its places."""
REQUIRED: Final = (("last_commit", str), ("last_agent", str), ("implementation_progress", dict))
RESOLVED_MAX: Final = 3
DECISIONS_SHOWN_MAX: Final = 20
DAY: Final = 1


def look_at_state_files(ground: Ground, found: Found) -> None:
    """Object to a state file that is missing, or is no JSON."""
    content = {path: _content(ground, path) for path in STATE_FILES}
    missing = [path for path in STATE_FILES if content[path] is None]
    if missing:
        found.failures.append(f"Missing state files: {missing}")
    found.failures += _unreadable(content)


def look_whether_readable(ground: Ground, found: Found) -> None:
    """Object to each state file that cannot be read."""
    content = {path: _content(ground, path) for path in STATE_FILES}
    missing = [path for path in STATE_FILES if content[path] is None]
    found.failures += [f"Cannot read state file: {path}: it is not there" for path in missing]
    found.failures += _unreadable(content)


def look_at_routine(ground: Ground, found: Found) -> None:
    """Object to what the documented routine runs and the commit does not have."""
    files = ground.tree(()).files
    gone = [not_there(ground, path) for path in ROUTINE if path not in files]
    found.failures += [one for one in gone if one not in found.failures]


def look_at_briefing(ground: Ground, found: Found, reading: Sequence[str]) -> None:
    """Object to a mandatory briefing that is required reading and is not there."""
    there = next((path for path in BRIEFINGS if _content(ground, path) is not None), None)
    if there is None:
        if set(BRIEFINGS) & set(reading):
            found.failures.append("MANDATORY_AGENT_BRIEFING.md does not exist")
        found.fine = "No mandatory briefing is kept here"
    elif not ground.changed_lately(there, DAY):
        found.warnings.append(f"{there} was not updated in the last 24 hours")


def look_at_resolved(ground: Ground, found: Found) -> None:
    """Warn of many resolved blockers."""
    state = _object(_content(ground, BLOCKERS))
    rows = state.get("blockers") if state is not None else None
    done = [row for row in rows if _is_resolved(row)] if isinstance(rows, list) else []
    if len(done) > RESOLVED_MAX:
        found.warnings.append(f"{len(done)} blockers are resolved: archive them")


def _is_resolved(row: object) -> bool:
    return isinstance(row, dict) and row.get("status") == RESOLVED


def look_at_message(ground: Ground, found: Found) -> None:
    """Object to a message that can tell the next session nothing."""
    message = _state(ground).get("handoff_message")
    if not isinstance(message, str) or len(message.strip()) < MESSAGE_CHARS_MIN:
        found.failures.append(TOO_SHORT)


def look_at_production(ground: Ground, found: Found) -> None:
    """Object to a state file that does not tell what the production state is."""
    state = _state(ground)
    for field, kind in REQUIRED:
        value = state.get(field)
        if not isinstance(value, kind) or value == "":
            found.failures.append(f"agent_state.json missing required field: {field}")


# --- the session gate -----------------------------------------------------------------------------


def session_gate(ground: Ground, coming: frozenset[str]) -> tuple[bool, tuple[str, ...]]:
    """Tell whether a session can start from what is here, and what to print.

    ``coming`` are the files that have nothing to show yet.
    """
    lines, failed = ["🔍 SESSION GATE"], 0
    checks = (
        ("State files are there and readable", _gate_state_files),
        ("Briefing was acknowledged", _gate_briefing),
        ("Last commit is known", _gate_commit),
        ("User decisions", _gate_decisions),
        ("Documents exist", lambda ground, found: _gate_documents(ground, found, coming)),
    )
    for number, (name, check) in enumerate(checks, 1):
        found = Found(str(number), name, name)
        found.look(lambda check=check, found=found: check(ground, found))  # type: ignore[misc]
        row = found.row()
        failed += row.verdict != "pass"
        lines.append(f"\n🧪 Check {number}/{len(checks)}: {name}")
        lines += [f"  ⚠️  WARN: {one}" for one in row.warnings]
        lines += [f"  ❌ FAIL: {one}" for one in row.failures]
        if row.verdict == "cannot-tell":
            lines.append(f"  ❌ CANNOT TELL: {row.line}")
        elif row.verdict == "pass":
            lines.append(f"  ✅ PASS: {row.line}")
    told = (
        f"❌ SESSION GATE: {failed} checks FAILED"
        if failed
        else "✅ SESSION GATE: ALL CHECKS PASSED"
    )
    return not failed, (*lines, f"\n{told}")


def _gate_state_files(ground: Ground, found: Found) -> None:
    look_whether_readable(ground, found)
    log = _content(ground, SESSION_LOG)
    if log is None:
        found.failures.append(f"Cannot read state file: {SESSION_LOG}: it is not there")
    else:
        found.failures += _unreadable({SESSION_LOG: log})


def _gate_briefing(ground: Ground, found: Found) -> None:
    if not _state(ground).get("briefing_acknowledgment"):
        found.fine = "No acknowledgment is needed"
        found.warnings.append("agent_state.json has no briefing_acknowledgment")


def _gate_commit(ground: Ground, found: Found) -> None:
    """Accept any commit that is here: a file in the commit cannot name that commit."""
    commit = _state(ground).get("last_commit")
    if not isinstance(commit, str) or not commit:
        found.failures.append("agent_state.json missing required field: last_commit")
        return
    found.fine = (
        f"last_commit is {visible(commit[:12])}; Handrail writes it, and HEAD is not compared"
    )


def _gate_decisions(ground: Ground, found: Found) -> None:
    decisions = _state(ground).get("user_decisions")
    rows = list(decisions.items()) if isinstance(decisions, dict) else []
    told = [f"{visible(str(key))}: {visible(str(value)[:200])}" for key, value in rows]
    found.fine = "; ".join(told[:DECISIONS_SHOWN_MAX]) or "None was made"


def _gate_documents(ground: Ground, found: Found, coming: frozenset[str]) -> None:
    gone = [
        places[0]
        for places in DOCUMENTS
        if not coming.intersection(places) and not any(map(ground.behind_links, places))
    ]
    found.failures += [f"Document does not exist: {path}" for path in gone]


# --- files ----------------------------------------------------------------------------------------


def _content(ground: Ground, path: str) -> bytes | None:
    found = ground.behind_links(path)
    return None if found is None else found[1]


def _unreadable(content: dict[str, bytes | None]) -> list[str]:
    told = {path: problem_of(path, one) for path, one in content.items() if one is not None}
    bad = [f"{path}: {visible(why)}" for path, why in told.items() if why is not None]
    bad += [
        f"{path}: it is no JSON object"
        for path, one in content.items()
        if path in STATE_FILES and one is not None and told[path] is None and _object(one) is None
    ]
    return [f"Cannot read state file: {one}" for one in bad]


def _object(content: bytes | None) -> dict[str, Any] | None:
    """Return the object that a file holds; None for anything else."""
    if content is None or problem_of("state.json", content) is not None:
        return None
    value = json.loads(content)
    return value if isinstance(value, dict) else None


def _state(ground: Ground) -> dict[str, Any]:
    state = _object(_content(ground, STATE))
    if state is None:
        raise errors.FactsUnavailable(what=STATE, reason="it holds no JSON object")
    return state

"""What tests of mosaic's files share: what is known, and repositories as people left them.

Repository(seed=7).files        # path -> bytes, the odd ones included
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from handrail.core.lease import Session
from handrail.core.record import Record
from handrail.core.task import COMPLETE, OPEN, Packet, Task
from handrail.projections import agent_state, blockers, current_task, session_log
from handrail.projections.kept import rows_of
from handrail.projections.port import Known, Projection, Read

NOON: Final = 1_767_787_200_000
"""2026-01-07T12:00:00Z"""
COMMIT: Final = "1" * 40
MESSAGE: Final = "The login works and is deployed; what is left are the tests of the reset page."

STATE: Final[dict[str, Any]] = {
    "version": 1,
    "last_agent": "claude_code_terminal",
    "last_mode": "BUILD",
    "last_session_start": "2026-01-07T20:00:00Z",
    "last_session_end": "2026-01-07T22:30:00Z",
    "last_commit": "c48d80c",
    "current_agent": "gemini",
    "current_task": "Phase 1 deployment",
    "handoff_message": MESSAGE,
    "briefing_acknowledgment": {
        "agent": "gemini",
        "briefing_version": "1.2",
        "acknowledged_at": "2026-01-07T20:01:00Z",
        "last_commit_known": "c48d80c",
    },
    "user_decisions": {"D4_deployment_strategy": "one service — “blue”"},
    "implementation_progress": {
        "render_service_url": "https://example.invalid",
        "deployment_status": "live",
        "latency_ms": 12.5,
    },
    "next_agent": "chatgpt",
    "open_questions": ["Who owns the domain?"],
}
BLOCKER: Final[dict[str, Any]] = {
    "id": "B001",
    "title": "No access to the log",
    "severity": "high",
    "status": "open",
    "description": "The token has run out.",
    "impact": "Nobody sees what fails.",
    "solution": "A new token.",
    "owner": "user",
    "created_at": "2026-01-05T09:00:00Z",
}
BLOCKERS: Final[dict[str, Any]] = {
    "version": 1,
    "updated_at": "2026-01-07T22:30:00Z",
    "blockers": [
        BLOCKER,
        {
            **BLOCKER,
            "id": "B002",
            "status": "resolved",
            "resolved_at": "2026-01-06T09:00:00Z",
            "resolution": "It was the cache.",
        },
    ],
}
TASK: Final[dict[str, Any]] = {
    "version": 1,
    "task_id": "phase-1",
    "objective": "Deploy phase 1",
    "status": "active",
    "priority": "high",
    "assigned_agent": "gemini",
    "created_at": "2026-01-05T09:00:00Z",
    "updated_at": "2026-01-07T22:30:00Z",
    "completed_at": None,
    "details": {
        "description": "All of it.",
        "success_criteria": ["/health is green"],
        "completed_tasks": ["login"],
        "in_progress": ["tests"],
        "dependencies": [],
        "user_decisions": {},
        "artifacts_created": ["app/login.py"],
        "verification_results": {"tests": "42 passed"},
    },
}
ENTRY: Final[dict[str, Any]] = {
    "timestamp": "2026-01-07T20:00:00Z",
    "agent": "gemini",
    "mode": "BUILD",
    "action": "deploy",
    "outcome": "live",
    "files": ["app/login.py"],
}
VALUES: Final[dict[str, dict[str, Any]]] = {
    "mosaic-state": STATE,
    "mosaic-blockers": BLOCKERS,
    "mosaic-task": TASK,
}
FILES: Final[dict[str, Projection]] = {
    one.format: one
    for one in (
        agent_state.PROJECTION,
        blockers.PROJECTION,
        current_task.PROJECTION,
        session_log.PROJECTION,
    )
}


def session(
    id: str = "s-1", agent: str = "claude@web", *, at: int, ended: int | None = None
) -> Any:
    """Return a session."""
    return Session(id, agent, "maker", "/w", at, ended, "")


def task(id: str = "fix-login", title: str = "Fix the login", *, at: int, **more: Any) -> Task:
    """Return a task."""
    return Task(id, title, OPEN, at, 1, "s-1", "maker", 0, 0)._replace(**more)


def packet(
    number: int = 2, *, at: int, task: str = "fix-login", **content: Any
) -> tuple[Packet, Mapping[str, Any]]:
    """Return a packet with what it says."""
    row = Packet(
        task=task,
        number=number,
        kind=COMPLETE,
        state=OPEN,
        session="s-1",
        agent="claude@web",
        from_role="maker",
        to_role="tester",
        patterns=(),
        returns=(),
        token=0,
        offered_at=at,
        lapses_at=at + 1,
        seq=number,
        hash="",
        by=None,
        settled_at=None,
        note=None,
    )
    return row, {"message": MESSAGE, "metadata": {"head": COMMIT}, **content}


def kept(known: Known, read: Read) -> Known:
    """Return what is known after a file was read."""
    rows = {**known.rows, **{row.key: row.record for row in read.rows}}
    return known._replace(rows={key: record for key, record in rows.items() if record})


def imported(projection: Projection, content: bytes, known: Known) -> tuple[Known, Read]:
    """Import a file; returns what is known afterwards, and what was read."""
    read = projection.read(known, content, importing=True)
    return known._replace(rows=rows_of(read.rows)), read


# --- repositories --------------------------------------------------------------------------------


class File(Record):
    """A file as somebody left it: whether it can be read, and comes back byte for byte."""

    format: str
    content: bytes
    oddities: tuple[str, ...]
    refused: bool
    exact: bool


def _written(value: Any, dice: random.Random) -> tuple[bytes, list[str], bool]:
    """Write a value as one of many writers does; returns the oddities and whether it is usual."""
    indent = dice.choice([2, 2, 2, 4, 1, "\t", None])
    separators = (",", ":") if indent is None and dice.random() < 0.5 else None
    escaped = dice.random() < 0.5 or "half" in value
    text = json.dumps(value, indent=indent, ensure_ascii=escaped, separators=separators)
    text += dice.choice(["\n", "\n", "", "\n\n"])
    raw, odd, exact = text.encode("utf-8"), [], True
    if dice.random() < 0.2:
        raw, odd = raw.replace(b"\n", b"\r\n"), ["crlf"]
    if dice.random() < 0.15:
        raw, exact = b"\xef\xbb\xbf" + raw, False
        odd.append("byte order mark")
    if dice.random() < 0.15:
        raw, exact = raw.replace(b'": ', b'"   : ', 3), raw.count(b'": ') == 0 and exact
        odd.append("by hand")
    return raw, odd, exact


Change = Callable[[dict[str, Any], random.Random], None]


def _each(value: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in value.get("blockers", ()) if isinstance(one, dict)]


def _active(value: dict[str, Any], dice: random.Random) -> None:
    for one in _each(value):
        one["status"] = "active"


def _null(value: dict[str, Any], dice: random.Random) -> None:
    for one in _each(value):
        one |= {"resolved_at": None, "notes": [1, "two"], "resolution_progress": "half"}


def _archived(value: dict[str, Any], dice: random.Random) -> None:
    value["archived_blockers"] = [{**BLOCKER, "id": "B001"}, "B009", {"id": 7}, {}]


def _twice(value: dict[str, Any], dice: random.Random) -> None:
    if _each(value):
        value["blockers"] += [{**_each(value)[0], "title": "Another"}, "a word", None, [1]]


def _drift(value: dict[str, Any], dice: random.Random) -> None:
    modes = ("AUTONOMOUS", "NORMAL", "DEPLOY", "TASK_EXECUTION", "EMERGENCY_HANDOFF", "build")
    if "last_mode" in value:
        value |= {"last_mode": dice.choice(modes), "last_agent": "claude_code_sonnet_4_5"}


def _unknown(value: dict[str, Any], dice: random.Random) -> None:
    value |= {"phase": {"deep": [{"er": 1}]}, "": 0, "ü/ö": "é\u2028", "half": "\ud800", "n": -0.0}


def _wrong(value: dict[str, Any], dice: random.Random) -> None:
    for name in dice.sample(sorted(value), min(3, len(value))):
        value[name] = dice.choice([None, 7, "", [], {}, True, 1.0, [[]], "x" * 3000, 10**30])


def _missing(value: dict[str, Any], dice: random.Random) -> None:
    for name in dice.sample(sorted(value), min(4, len(value))):
        del value[name]


def _shuffled(value: dict[str, Any], dice: random.Random) -> None:
    rows = list(value.items())
    dice.shuffle(rows)
    value.clear()
    value.update(rows)


CHANGES: Final[dict[str, Change]] = {
    "active": _active,
    "resolved_at null": _null,
    "archived": _archived,
    "ids twice": _twice,
    "drift": _drift,
    "unknown fields": _unknown,
    "wrong types": _wrong,
    "missing fields": _missing,
    "shuffled": _shuffled,
}
# What is no such file at all.
BREAKS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "half-written": lambda raw: raw.rstrip()[: len(raw) // 2],
    "conflict": lambda raw: b"<<<<<<< HEAD\n" + raw + b"=======\n{}\n>>>>>>> topic\n",
    "empty": lambda raw: b"",
    "blank": lambda raw: b" \n",
    "a list": lambda raw: b"[" + raw.removeprefix(b"\xef\xbb\xbf") + b"]",
    "a word": lambda raw: b'"agent_state"',
    "not a number": lambda raw: b'{"version": NaN}',
    "too large a number": lambda raw: b'{"version": 1e999}',
    "latin 1": lambda raw: b'{"version": "\xe9"}',
    "utf-16": lambda raw: raw.decode("utf-8").encode("utf-16"),
    "too deep": lambda raw: b'{"version": ' + b"[" * 2000 + b"]" * 2000 + b"}",
    "binary": lambda raw: bytes(range(256)),
    "two values": lambda raw: raw + raw,
}


def _log(dice: random.Random) -> tuple[bytes, list[str]]:
    lines = []
    for number in range(dice.randrange(8)):
        value = {**ENTRY, "timestamp": f"2026-01-07T20:{number:02d}:00Z"}
        if dice.random() < 0.2:
            value |= {"mode": "AUTONOMOUS", "extra": number}
        lines.append(json.dumps(value, ensure_ascii=dice.random() < 0.5).encode("utf-8"))
    odd: list[str] = []
    junk = (
        b"",
        b"no json",
        b'{"half":',
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"a": 1}\r',
        b"\x00",
        b"{}",
    )
    if dice.random() < 0.4:
        lines.insert(dice.randrange(len(lines) + 1), dice.choice(junk))
        odd.append("junk")
    end = b"\r\n" if dice.random() < 0.2 else b"\n"
    raw = end.join(lines)
    return raw + (end if lines and dice.random() < 0.7 else b""), odd


class Repository:
    """The files of a repository that ran mosaic, by the number of its seed."""

    def __init__(self, seed: int) -> None:
        dice = random.Random(seed)
        self.files = [self._json(name, value, dice) for name, value in VALUES.items()]
        raw, odd = _log(dice)
        self.files.append(File("mosaic-log", raw, tuple(odd), refused=False, exact=True))

    def _json(self, format: str, value: dict[str, Any], dice: random.Random) -> File:
        made = json.loads(json.dumps(value))
        odd = [name for name in CHANGES if dice.random() < 0.2]
        for name in odd:
            CHANGES[name](made, dice)
        raw, written, exact = _written(made, dice)
        odd += written
        if dice.random() < 0.15:
            name = dice.choice(sorted(BREAKS))
            return File(format, BREAKS[name](raw), (*odd, name), refused=True, exact=False)
        return File(format, raw, tuple(odd), refused=False, exact=exact)

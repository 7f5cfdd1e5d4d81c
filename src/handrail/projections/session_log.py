"""``session_log.jsonl`` of mosaic: a line for each thing that happened; nothing is ever taken out.

Promises: lines that somebody wrote are kept byte for byte, in their order, whatever they say; what
Handrail adds stands below them, one line for each session that began or ended and each packet that
was offered or answered, each once. A line that somebody removed or changed comes back.

    render(known, before), read(known, content, importing=True)
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from handrail.core.lease import Session
from handrail.core.projected import RECORD_CHARS_MAX
from handrail.core.task import OPEN, Packet, file_name
from handrail.projections.instants import instant_ms
from handrail.projections.json_text import MARK, compact
from handrail.projections.mosaic import LOG, check, schema
from handrail.projections.port import Known, Projection, Read, Row, Told
from handrail.text import rfc3339

LOG_BYTES_MAX: Final = 16 << 20
LINES_MAX: Final = 50_000
BEGAN: Final = "began"
LINE: Final = "lines/"
SCHEMA_ID: Final = "session_log.schema.json"
_SAID_BY_NOBODY: Final = "system"
_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+\Z")
BOTH, OURS, BASE, THEIRS = range(4)
"""In which part of a merge conflict a line stands."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft-07) of one line; the original has none."""
    return schema(SCHEMA_ID, LOG)


# --- what happened -------------------------------------------------------------------------------


def _lines(known: Known, since: int) -> list[bytes]:
    """Return a line for each thing that Handrail knows of and that is newer than ``since``."""
    rows = [row for one in known.sessions for row in _of_session(one)]
    rows += [row for packet, _ in known.packets for row in _of_packet(packet)]
    return [line for _, line in sorted({row for row in rows if row[0] > since})]


def _of_session(session: Session) -> Iterable[tuple[int, bytes]]:
    name = f"session {session.id}"
    yield _line(session.started_at, session.agent, "INIT", "session_start", f"{name} began", name)
    if session.ended_at is not None:
        text = f"{name} ended"
        yield _line(session.ended_at, session.agent, "HANDOFF", "session_end", text, name)


def _of_packet(packet: Packet) -> Iterable[tuple[int, bytes]]:
    name = file_name(packet.task, packet.number).removesuffix(".json")
    giver = packet.agent or _SAID_BY_NOBODY
    text = f"{packet.kind} offered to {packet.to_role or 'whoever accepts it'}"
    yield _line(packet.offered_at, giver, "HANDOFF", "handoff_offer", text, f"packet {name}")
    if packet.state != OPEN and packet.settled_at is not None:
        by = packet.by or _SAID_BY_NOBODY
        yield _line(
            packet.settled_at, by, "HANDOFF", f"handoff_{packet.state}", text, f"packet {name}"
        )


def _line(
    at: int, agent: str, mode: str, action: str, outcome: str, about: str
) -> tuple[int, bytes]:
    row = {
        "timestamp": rfc3339(at),
        "agent": agent,
        "mode": mode,
        "action": action,
        "outcome": outcome,
        "details": {"handrail": about},
    }
    return at, (json.dumps(row, ensure_ascii=True) + "\n").encode("ascii")


# --- rendering -----------------------------------------------------------------------------------


def render(known: Known, before: bytes | None) -> bytes | None:
    """Return what is kept, then what else stands in the file, then what happened since."""
    kept = _kept(known)
    standing = [] if before is None else [line for _, line in _split(before)[0]]
    lines = standing if _within(kept, standing) else [*kept, *_beyond(standing, kept)]
    there = {line.rstrip(b"\r\n") for line in lines}
    new = [one for one in _lines(known, _began(known)) if one.rstrip(b"\n") not in there]
    if new and lines and not lines[-1].endswith(b"\n"):
        lines = [*lines[:-1], lines[-1] + b"\n"]
    return b"".join([*lines, *new])


def _kept(known: Known) -> list[bytes]:
    keys = sorted(key for key in known.rows if key.startswith(LINE))
    return [_bytes_of(known.rows[key]) for key in keys]


def _began(known: Known) -> int:
    """Return when the log came under Handrail: what is older has its lines, or never had any."""
    return int(json.loads(known.rows[BEGAN])["at"]) if BEGAN in known.rows else -1


def _within(kept: Sequence[bytes], standing: Sequence[bytes]) -> bool:
    """Tell whether all kept lines stand in the file, in their order."""
    rest = iter(standing)
    return all(any(_same(line, one) for one in rest) for line in kept)


def _beyond(standing: Sequence[bytes], kept: Sequence[bytes]) -> list[bytes]:
    """Return the lines of the file that are not among the kept ones."""
    left = Counter(line.rstrip(b"\r\n") for line in kept)
    found = []
    for line in standing:
        bare = line.rstrip(b"\r\n")
        if left[bare] > 0:
            left[bare] -= 1
        else:
            found.append(line)
    return found


def _same(one: bytes, other: bytes) -> bool:
    return one.rstrip(b"\r\n") == other.rstrip(b"\r\n")


# --- reading -------------------------------------------------------------------------------------


def read(known: Known, content: bytes, *, importing: bool) -> Read:
    """Return every line as a row; raises ValueError for what is too large."""
    if len(content) > LOG_BYTES_MAX:
        raise ValueError(f"it has more than {LOG_BYTES_MAX} bytes")
    standing, told = _split(content)
    if len(standing) > LINES_MAX:
        raise ValueError(f"it has more than {LINES_MAX} lines")
    kept = _kept(known)
    for number, line in standing:
        told += _oddities(number, line)
    lines = [line for _, line in standing]
    if not _within(kept, lines):
        lost = Counter(_beyond(kept, lines))
        told += [
            Told(_first_words(line), "lost_line", "it was taken out, and is put back")
            for line in lost.elements()
        ]
        if not lost:
            told.append(Told("the file", "moved_lines", "lines have another order; it is put back"))
        lines = [*kept, *_beyond(lines, kept)]
    rows = [_row(number, line) for number, line in enumerate(lines, 1)]
    if importing:
        rows.append(Row(BEGAN, compact({"at": known.now})))
    elif BEGAN in known.rows:
        rows.append(Row(BEGAN, known.rows[BEGAN]))
    gone = set(known.rows) - {row.key for row in rows}
    rows += [Row(key, "") for key in gone]
    return Read(tuple(sorted(rows)), tuple(told))


def _split(content: bytes) -> tuple[list[tuple[int, bytes]], list[Told]]:
    """Return the numbered lines with their ends; of a merge conflict those of both sides, once."""
    found: list[tuple[int, bytes]] = []
    told: list[Told] = []
    side, ours, base = BOTH, 0, []
    for number, line in enumerate(_LINE.findall(content), 1):
        mark = line.rstrip(b"\r\n").partition(b" ")[0]
        if mark == b"<<<<<<<" and side == BOTH:
            side, ours = OURS, len(found)
            sentence = "the mark of a merge conflict; the lines of both sides are kept"
            told.append(Told(f"line {number}", "merge_conflict", sentence))
        elif mark == b"|||||||" and side == OURS:
            side = BASE
        elif mark == b"=======" and side in (OURS, BASE):
            side = THEIRS
        elif mark == b">>>>>>>" and side == THEIRS:
            side = BOTH
        elif side == BASE:
            base.append((number, line))
        elif side != THEIRS or not _among(line, found[ours:]):
            found.append((number, line))
    return found + [(number, line) for number, line in base if not _among(line, found)], told


def _among(line: bytes, lines: Iterable[tuple[int, bytes]]) -> bool:
    return any(_same(line, one) for _, one in lines)


def _oddities(number: int, line: bytes) -> list[Told]:
    """Tell what a line says that a line of the log does not say."""
    place, told = f"line {number}", []
    if number == 1 and line.startswith(MARK):
        told.append(Told(place, "byte_order_mark", "it begins with a byte order mark; it is kept"))
        line = line.removeprefix(MARK)
    if not line.strip():
        return [*told, Told(place, "blank_line", "it says nothing; it is kept")]
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return [*told, Told(place, "not_utf8", "it is not UTF-8; it is kept")]
    except (ValueError, RecursionError):
        return [*told, Told(place, "no_json", "it is no JSON; it is kept")]
    if not isinstance(value, dict):
        return [*told, Told(place, "wrong_type", "it is no object; it is kept")]
    return [*told, *check(value, LOG, f"{place}: ")]


def _row(number: int, line: bytes) -> Row:
    text = compact(line.decode("utf-8", "surrogateescape"))
    if len(text) > RECORD_CHARS_MAX:
        raise ValueError(f"line {number} has more than {RECORD_CHARS_MAX} characters")
    return Row(f"{LINE}{number:08d}", text, _claimed_at(line))


def _claimed_at(line: bytes) -> int:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return 0
    at = instant_ms(said.get("timestamp")) if isinstance(said, dict) else None
    return max(at or 0, 0)


def _bytes_of(record: str) -> bytes:
    return str(json.loads(record)).encode("utf-8", "surrogateescape")


def _first_words(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()
    return text if len(text) <= 60 else f"{text[:60]}…"


PROJECTION: Final = Projection("mosaic-log", render, read, by_lines=True, steady=True)

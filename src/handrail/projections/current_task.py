"""``current_task.json`` of mosaic: the newest task, and what an agent says about it.

Promises: id, objective, state, agent and times are the tool's as soon as a task was opened under
Handrail; everything else is what somebody wrote. Whoever writes ``status: complete`` only asks for
it: ``asked`` says so, the gates before a handoff answer, and ``refused`` takes the word out again
where they say no.

    read = TASK_FILE.read(known, content, importing=False)
    COMPLETING.asked(known, content, read)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handrail.core.task import BLOCK, CLOSED, OPEN, Packet, Task
from handrail.projections.json_text import compact, read_json
from handrail.projections.kept import FIELD, FieldsFile, Kept, Since
from handrail.projections.mosaic import TASK, schema
from handrail.projections.port import Asked, Completing, Known, Projection, Read, Row, Told
from handrail.text import rfc3339

COMPLETE: Final = "complete"
NOT_COMPLETE: Final = "not_complete"
ACTIVE: Final = "active"
BLOCKED: Final = "blocked"
STATUS: Final = FIELD + "status"
SCHEMA_ID: Final = "current_task.schema.json"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft-07) of the file; the original has none."""
    return schema(SCHEMA_ID, TASK)


def _newest(known: Known) -> Task | None:
    return max(known.tasks, key=lambda one: (one.opened_at, one.id), default=None)


def _derived(known: Known) -> Mapping[str, Since]:
    """Return what the tool knows of the fields, each with since when."""
    task = _newest(known)
    if task is None:
        return {}
    packets = [packet for packet, _ in known.packets if packet.task == task.id]
    moved = max([task.opened_at, *(_moved(one) for one in packets)])
    agents = {one.id: one.agent for one in known.sessions}
    status = _status(task, packets)
    values = {
        "task_id": task.id,
        "objective": task.title or task.id,
        "status": status,
        "assigned_agent": agents.get(task.holder or "", "unknown"),
        "created_at": rfc3339(task.opened_at),
        "updated_at": rfc3339(moved),
        "completed_at": rfc3339(moved) if status == COMPLETE else None,
    }
    return {name: (task.opened_at, value) for name, value in values.items()}


def _moved(packet: Packet) -> int:
    return max(packet.offered_at, packet.settled_at or 0)


def _status(task: Task, packets: list[Packet]) -> str:
    if task.state == CLOSED:
        return COMPLETE
    newest = packets[-1] if packets else None
    stuck = newest is not None and newest.kind == BLOCK and newest.state == OPEN
    return BLOCKED if stuck or task.waits_at is not None else ACTIVE


def _first(known: Known) -> Mapping[str, Any]:
    """Return what the file begins with."""
    return {
        "version": 1,
        "task_id": "none",
        "objective": "none yet",
        "status": ACTIVE,
        "assigned_agent": "unknown",
        "created_at": rfc3339(known.now),
        "updated_at": rfc3339(known.now),
        "completed_at": None,
        "details": {},
    }


TASK_FILE: Final = FieldsFile(TASK, _derived, _first)


def _asked(known: Known, content: bytes, read: Read) -> Asked | None:
    """Tell whether a file that was read calls work complete that was not so before.

    ``known`` is what was known before, ``read`` what came of ``content``. The gates of
    ``pre-handoff`` are to be asked then: of the task, by closing it; without one by ``check``.
    """
    value = read_json(content)[0]
    said = value.get("status") if isinstance(value, dict) else None
    if not (isinstance(said, str) and said.strip().casefold() == COMPLETE):
        return None
    task = _newest(known)
    if task is not None and _since(known) < task.opened_at:
        return Asked(task.id) if task.state != CLOSED else None
    changed = {row.key: row.record for row in read.rows}.get(STATUS)
    return Asked(None) if changed not in (None, known.rows.get(STATUS)) else None


def _since(known: Known) -> int:
    return Kept(known.rows).fields.get("status", (-1, None))[0]


def _granted(now: int) -> Row:
    """Return the row of the word, for work that is complete."""
    return Row(STATUS, compact({"at": now, "value": COMPLETE}))


def _refused(known: Known, read: Read) -> Read:
    """Return what was read without the word that the gates do not let stand."""
    old = known.rows.get(STATUS) or compact({"at": known.now, "value": ACTIVE})
    rows = tuple(Row(STATUS, old) if row.key == STATUS else row for row in read.rows)
    return read._replace(rows=rows)


def _told(why: str) -> Told:
    return Told("status", NOT_COMPLETE, f"the work is not complete: {why}", ACTIVE)


COMPLETING: Final = Completing(_asked, _granted, _refused, _told)

PROJECTION: Final = Projection(
    "mosaic-task",
    TASK_FILE.render,
    TASK_FILE.read,
    whole=True,
    steady=True,
    completing=COMPLETING,
)

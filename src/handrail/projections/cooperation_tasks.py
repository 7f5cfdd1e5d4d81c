r"""``.cooperations/tasks.json``: the cooperations, as their documents write them.

What Handrail opened it knows itself: where it stands, who gave what to whom, what people decided.
All other fields of such a task (``planned_implementer``, ``user_choices``, ``close_out``) are what
somebody wrote. Any other task in the file is history, and all of it is what somebody wrote.

Promises: reading keeps or tells every value; a decision, a status or a phase that somebody typed
into a task of Handrail's is told and written over; a file that holds history alone comes out as it
was. The other system's shape, a bare array, stays one.

    PROJECTION.render(known, None)   # b'{\n  "tasks": []\n}\n'
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from handrail.core.task import CLOSED, DONE, OPEN, Packet, Task
from handrail.core.workflow import Phase
from handrail.projections.cooperation import (
    COMPLETED,
    FAILED,
    HALTED,
    IN_PROGRESS,
    RECENT_MAX,
    SYSTEM,
    UNDECIDED,
    seconds,
    task_told,
)
from handrail.projections.cooperation_handoffs import family_of
from handrail.projections.instants import instant_ms
from handrail.projections.json_text import Layout, compact, read_json, same, write_json
from handrail.projections.loose_json import joined, shown
from handrail.projections.port import Known, Projection, Read, Row, Told

FORMAT: Final = "cooperation-tasks"
LAYOUT: Final = "layout"
HISTORY: Final = "history/"
FIELD: Final = "field/"
TASKS: Final = "tasks"
_ARRAY_STATUS: Final = {HALTED: FAILED}
Given = Sequence[tuple[Packet, Mapping[str, Any]]]


# --- rendering -----------------------------------------------------------------------------------


def render(known: Known, before: bytes | None) -> bytes | None:
    """Return the file's bytes."""
    layout = json.loads(known.rows.get(LAYOUT, "{}"))
    array = layout.get("array", False)
    rows = [*history(known.rows), *(_with_fields(known, one) for one in tasks_of(known))]
    if array:
        for row in rows:
            if row.get("status") in _ARRAY_STATUS and row["id"] in {t.id for t in known.tasks}:
                row["status"] = _ARRAY_STATUS[row["status"]]
    how = Layout(*layout["how"]) if "how" in layout else Layout()
    return write_json(rows if array else {**layout.get("top", {}), TASKS: rows}, how)


def history(rows: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the tasks that somebody wrote, as they were written, in their order."""
    order = json.loads(rows.get(LAYOUT, "{}")).get("order", [])
    keys = [f"{HISTORY}{id_}" for id_ in order]
    keys += sorted(key for key in rows if key.startswith(HISTORY))
    return [json.loads(rows[key]) for key in dict.fromkeys(keys) if key in rows]


def tasks_of(known: Known) -> list[dict[str, Any]]:
    """Return the tasks of Handrail's as the documents write them, the oldest first."""
    given: dict[str, list[tuple[Packet, Mapping[str, Any]]]] = {}
    for packet, content in known.packets:
        given.setdefault(packet.task, []).append((packet, content))
    return [task_of(known, task, given.get(task.id, [])) for task in known.tasks]


def task_of(known: Known, task: Task, given: Given) -> dict[str, Any]:
    """Return one task as the documents write it."""
    first = next((content for packet, content in given if packet.number == 1), {})
    context = first.get("context", {})
    phase, role, sandbox = _where(known, task, given)
    made: dict[str, Any] = {
        "id": task.id,
        "description": context.get("task_description") or task.title,
        "created_at": seconds(task.opened_at),
        "status": status_of(task),
        "current_phase": phase,
        "current_role": role,
        "sandbox": sandbox,
        "planned_implementer": context.get("planned_implementer", UNDECIDED),
        "recent_handoffs": [_recent(known, packet) for packet, _ in given[-RECENT_MAX:]],
        "checkpoints": [
            {"gate": one.checkpoint, "decision": one.decision, "timestamp": seconds(one.at)}
            for one in known.decisions
            if one.task == task.id
        ],
        "revise_count": {gate: times for gate, times in task.revises if times},
    }
    if made["status"] == COMPLETED and task.id in known.closed:
        made["completed_at"] = seconds(known.closed[task.id])
    return made


def status_of(task: Task) -> str:
    """Return a task's status: completed is only what a person approved at the end."""
    if task.state != CLOSED:
        return IN_PROGRESS
    return COMPLETED if task.next_phase == DONE else HALTED


def _where(known: Known, task: Task, given: Given) -> tuple[str | None, str | None, str | None]:
    """Return phase, role and sandbox: those of the receiver, from the offer on."""
    packet, content = given[-1] if given else (None, {})
    if packet is not None and packet.state == OPEN:
        name = content.get("metadata", {}).get("next_phase")
        phase = _phase(known, name)
        role = family_of(known, packet.to_role)
        return name, role, None if phase is None else phase.sandbox
    phase = _phase(known, task.phase)
    role = family_of(known, task.role)
    return task.phase, role, None if phase is None else phase.sandbox


def _phase(known: Known, name: object) -> Phase | None:
    return next((one for one in known.phases if one.name == name), None)


def _recent(known: Known, packet: Packet) -> dict[str, Any]:
    sender = family_of(known, packet.from_role) if packet.session else SYSTEM
    return {
        "seq": f"{packet.number:03d}",
        "from_role": sender,
        "to_role": family_of(known, packet.to_role),
        "timestamp": seconds(packet.offered_at),
    }


def _with_fields(known: Known, task: dict[str, Any]) -> dict[str, Any]:
    """Return a task with what people wrote of it."""
    begin = f"{FIELD}{task['id']}/"
    said = {
        key.removeprefix(begin): json.loads(text)["value"]
        for key, text in sorted(known.rows.items())
        if key.startswith(begin)
    }
    return {**task, **said}


# --- reading -------------------------------------------------------------------------------------


def read(known: Known, content: bytes, *, importing: bool) -> Read:
    """Return what people wrote: fields of Handrail's tasks, and all of any other task."""
    value, how, odd = read_json(content)
    tasks, top = _tasks_in(value)
    told = list(odd)
    rows: dict[str, Row] = {}
    ours = {task["id"]: _with_fields(known, task) for task in tasks_of(known)}
    order: list[str] = []
    for at, task in enumerate(tasks):
        place = f"{TASKS}[{at}]"
        id_ = task.get("id") if isinstance(task, dict) else None
        if not isinstance(id_, str) or not id_.isprintable() or not 0 < len(id_) <= 200:
            raise ValueError(f"{place} is no task with an id: {shown(task)}")
        if id_ in ours and not importing:
            told += _ours_told(place, task, ours[id_])
            for row in _fields_of(id_, task, ours[id_]):
                rows[row.key] = row
            continue
        if f"{HISTORY}{id_}" in rows:
            raise ValueError(f"{place}: the id {shown(id_)} stands there twice")
        told += task_told(task, place)
        order.append(id_)
        if not importing and f"{HISTORY}{id_}" not in known.rows:
            sentence = f"{shown(id_)} was not opened under Handrail; it is kept as history"
            told.append(Told(place, "not_opened", sentence, "/cooperate DESCRIPTION"))
        created = instant_ms(task.get("created_at"))
        rows[HISTORY + id_] = Row(HISTORY + id_, compact(task), max(0, created or 0))
    told += _active_told(json.loads(row.record) for row in rows.values() if _is_history(row))
    kept = json.loads(known.rows.get(LAYOUT, "{}")).get("order", [])
    layout = {
        "array": isinstance(value, list),
        "order": list(dict.fromkeys((*kept, *order))),
        "how": list(how),
        "top": top,
    }
    if importing or order or top or LAYOUT in known.rows or how != Layout():
        rows[LAYOUT] = Row(LAYOUT, compact(layout))
    return Read(tuple(row for _, row in sorted(rows.items())), tuple(told))


def _tasks_in(value: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the tasks of a file of either shape, and the rest of it; raises ValueError."""
    if isinstance(value, list):
        return value, {}
    if not isinstance(value, dict) or not isinstance(value.get(TASKS), list):
        raise ValueError(f"it has no list of tasks: {shown(value)}")
    return value[TASKS], {name: one for name, one in value.items() if name != TASKS}


def _is_history(row: Row) -> bool:
    return row.key.startswith(HISTORY)


def active(tasks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of the tasks that say they are in progress."""
    return [str(task.get("id")) for task in tasks if task.get("status") == IN_PROGRESS]


def _active_told(tasks: Iterable[Mapping[str, Any]]) -> list[Told]:
    found = active(tasks)
    if not found:
        return []
    code = "two_active" if len(found) > 1 else "active_history"
    sentence = f"in progress by what the file says: {', '.join(found[:20])}"
    return [Told(TASKS, code, sentence, "settle it: set its status to completed or halted")]


def _ours_told(place: str, task: Mapping[str, Any], shown_now: Mapping[str, Any]) -> list[Told]:
    """Tell what somebody typed into fields that the tool writes."""
    told = []
    for name, value in task.items():
        now = shown_now.get(name)
        if name not in _TOOLS or same(value, now):
            continue
        sentence = f"Handrail writes it: it is {shown(now)}, and not {shown(value)}"
        step = "handrail checkpoint approve NAME" if name == "checkpoints" else None
        told.append(Told(joined(place, name), "tool_field", sentence, step))
    return told


_TOOLS: Final = (
    *("id", "description", "created_at", "status", "current_phase", "current_role", "sandbox"),
    *("recent_handoffs", "checkpoints", "revise_count", "completed_at", "current_sandbox"),
)


def _fields_of(id_: str, task: Mapping[str, Any], shown_now: Mapping[str, Any]) -> Iterable[Row]:
    for name, value in task.items():
        if name in _TOOLS or (name in shown_now and same(value, shown_now[name])):
            continue
        if len(name) > 200:
            raise ValueError(f"the name of field {shown(name)} is too long")
        yield Row(f"{FIELD}{id_}/{name}", compact({"value": value}))


PROJECTION: Final = Projection(FORMAT, render, read, leads=True)

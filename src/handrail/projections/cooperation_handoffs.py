"""``.cooperations/handoffs``: each packet as a file, in the shape of cooperation's documents.

Files of the other system are history, in either shape: one object in ``<task>-<NNN>.json``, or an
array of them in ``<task>.json``.

Promises: a packet gives the same bytes under the same roles, whatever happens after it; families
stand in place of roles, and who of the family is meant under ``context.implementer_agent``; what a
giver wrote beside the known fields is there as it was written. What is read as history is kept
whole, file by file, or told and left; it comes out again as the same value in the same layout.

    FOLDER.render(known, "coop-20260601-090000-nav-002.json")
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from handrail.core.projected import RECORD_CHARS_MAX
from handrail.core.record import Record
from handrail.core.task import COMPLETE, Packet, file_name
from handrail.projections.cooperation import SYSTEM, handoff_told, order_told, seconds
from handrail.projections.instants import instant_ms
from handrail.projections.json_text import Layout, compact, read_json, same, write_json
from handrail.projections.loose_json import joined, shown
from handrail.projections.port import Folder, Known, Read, Row, Told

FORMAT: Final = "cooperation-handoffs"
LAYOUT: Final = "layout"
NAME: Final = re.compile(r"(?P<task>.+?)(?:-(?P<number>\d{3,4}))?\.json")
_CONTEXT: Final = ("task_description", "requirements", "constraints")


def family_of(known: Known, role: str | None) -> str | None:
    """Return the family of a role; a word that is none stands for itself."""
    return next((one.family for one in known.roles if one.name == role), role)


def names(known: Known) -> tuple[str, ...]:
    """Return the files that are known: those of packets, then those of history."""
    packets = tuple(file_name(packet.task, packet.number) for packet, _ in known.packets)
    history = (key.rpartition("/")[0] for key in known.rows if key.endswith(f"/{LAYOUT}"))
    return tuple(dict.fromkeys((*packets, *history)))


def ours(known: Known, name: str) -> bool:
    """Tell whether a file shows a packet of Handrail's."""
    return _packet(known, name) is not None


def _packet(known: Known, name: str) -> tuple[Packet, Mapping[str, Any]] | None:
    found = NAME.fullmatch(name)
    if found is None or found["number"] is None:
        return None
    wanted = (found["task"], int(found["number"]))
    return next((one for one in known.packets if (one[0].task, one[0].number) == wanted), None)


def render(known: Known, name: str) -> bytes | None:
    """Return a file's bytes; None where nobody knows it."""
    found = _packet(known, name)
    if found is not None:
        return write_json(shape_of(known, *found))
    text = known.rows.get(f"{name}/{LAYOUT}")
    if text is None:
        return None
    layout = json.loads(text)
    keys = [f"{name}/{at:04d}" for at in range(layout["count"])]
    if not all(key in known.rows for key in keys):
        return None  # something of it was redacted
    rows = [json.loads(known.rows[key]) for key in keys]
    return write_json(rows if layout["array"] else rows[0], Layout(*layout["how"]))


def shape_of(known: Known, packet: Packet, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a packet in the shape of the documents."""
    context, made = dict(content.get("context", {})), content.get("artifacts", {})
    metadata = content.get("metadata", {})
    family = family_of(known, packet.to_role)
    shaped = {
        "task_description": context.pop("task_description", ""),
        "requirements": context.pop("requirements", []),
        "constraints": context.pop("constraints", []),
        "files_in_scope": list(packet.patterns),
        "sandbox": context.pop("sandbox", None),
    }
    context.pop("files_in_scope", None)
    if family != packet.to_role:
        shaped["implementer_agent"] = packet.to_role
    if content.get("message"):
        shaped["note"] = content["message"]
    steps = {name: metadata.get(name) for name in ("phase", "next_phase", "next_checkpoint")}
    if packet.kind != COMPLETE:
        steps["kind"] = packet.kind
    sender = family_of(known, packet.from_role) if packet.session else SYSTEM
    return {
        "task_id": packet.task,
        "timestamp": seconds(packet.offered_at),
        "from_role": sender,
        "to_role": family,
        "context": {**shaped, **context},
        "artifacts": {name: _paths(made.get(name)) for name in ("produced", "consumed")},
        "metadata": steps,
    }


def _paths(rows: object) -> list[Any]:
    return [
        row.get("path") if isinstance(row, dict) else row
        for row in (rows if isinstance(rows, list) else ())
    ]


def changed(known: Known, name: str, content: bytes) -> tuple[Told, ...]:
    """Tell what somebody changed in the file of a packet, which nobody changes."""
    found = _packet(known, name)
    assert found is not None
    wanted = shape_of(known, *found)
    try:
        value, _, odd = read_json(content)
    except ValueError as error:
        return (Told(name, "unreadable", f"{error}; it is written anew from the ledger"),)
    if not isinstance(value, dict):
        return (Told(name, "unreadable", f"it is no object: {shown(value)}"),)
    return (*odd, *_differences(name, value, wanted))


def _differences(place: str, value: Mapping[str, Any], wanted: Mapping[str, Any]) -> Sequence[Told]:
    told: list[Told] = []
    for field in dict.fromkeys((*wanted, *value)):
        mine, theirs = wanted.get(field), value.get(field)
        if field in wanted and field in value and same(mine, theirs):
            continue
        if isinstance(mine, dict) and isinstance(theirs, dict):
            told += _differences(joined(place, field), theirs, mine)
            continue
        sentence = f"the packet in the ledger says {shown(mine)}, and not {shown(theirs)}"
        told.append(Told(joined(place, field), "tool_field", sentence))
    return told


# --- history -------------------------------------------------------------------------------------


def read(known: Known, files: Mapping[str, bytes]) -> Read:
    """Return the handoffs of these files as history; what cannot be kept is told."""
    rows: list[Row] = []
    told: list[Told] = []
    in_order: dict[str, list[_Placed]] = {}
    for name in sorted(files):
        try:
            value, how, odd = read_json(files[name])
            found = _rows_of(name, value, how)
        except ValueError as error:
            told.append(Told(name, "unreadable", f"{error}; the file stays as it is"))
            continue
        told += [one._replace(place=f"{name}: {one.place}") for one in odd]
        rows += found
        for one in _placed(name, value):
            if not isinstance(one.value, dict):
                told.append(Told(one.place, "wrong_value", f"{shown(one.value)} is no handoff"))
                continue
            told += handoff_told(one.value, one.place)
            told += _name_told(name, one.value, one.place)
            in_order.setdefault(str(one.value.get("task_id")), []).append(one)
    for task, handoffs in in_order.items():
        handoffs.sort(key=lambda one: (one.number, one.place))
        told += _sequence_told(task, [one.number for one in handoffs])
        told += order_told((one.place, one.value) for one in handoffs)
    return Read(tuple(rows), tuple(told))


class _Placed(Record):
    """A handoff, its number in its task, and where it stands."""

    number: int
    place: str
    value: Any


def _placed(name: str, value: Any) -> list[_Placed]:
    if isinstance(value, list):
        return [_Placed(at + 1, f"{name}[{at}]", one) for at, one in enumerate(value)]
    found = NAME.fullmatch(name)
    number = int(found["number"]) if found is not None and found["number"] else 1
    return [_Placed(number, name, value)]


def _rows_of(name: str, value: Any, how: Layout) -> list[Row]:
    """Return the rows of a file, all of them or none; raises ValueError."""
    found = value if isinstance(value, list) else [value]
    if not isinstance(value, dict | list):
        raise ValueError(f"it is no handoff: {shown(value)}")
    layout = {"array": isinstance(value, list), "count": len(found), "how": list(how)}
    rows = [Row(f"{name}/{LAYOUT}", compact(layout))]
    for at, one in enumerate(found):
        text = compact(one)
        if len(text) > RECORD_CHARS_MAX:
            raise ValueError(f"handoff {at + 1} has more than {RECORD_CHARS_MAX} characters")
        stamped = instant_ms(one.get("timestamp")) if isinstance(one, dict) else None
        rows.append(Row(f"{name}/{at:04d}", text, max(0, stamped or 0)))
    return rows


def _name_told(name: str, value: Mapping[str, Any], place: str) -> list[Told]:
    found = NAME.fullmatch(name)
    task = None if found is None else found["task"]
    if value.get("task_id") in (task, None, "") or found is None:
        return []
    sentence = f"the file is of task {shown(task)}, and task_id is {shown(value.get('task_id'))}"
    return [Told(joined(place, "task_id"), "other_task", sentence)]


def _sequence_told(task: str, numbers: Sequence[int]) -> list[Told]:
    wanted = list(range(1, len(numbers) + 1))
    if list(numbers) == wanted:
        return []
    listed = ", ".join(f"{number:03d}" for number in numbers[:20])
    sentence = f"its handoffs are numbered {listed}: numbers are missing or used twice"
    return [Told(task, "gap_in_sequence", sentence)]


FOLDER: Final = Folder(FORMAT, names, render, ours, read, changed)

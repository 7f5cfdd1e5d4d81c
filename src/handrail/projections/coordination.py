"""``ops/tracker/coordination.json``: leases, handoffs and conflicts as the lanes tool writes them.

Promises:

- Leases are those that Handrail granted: live, of a role, one row for each pattern. Imported ones
  are history without a token. They are shown until a file shows a lease of Handrail's, as the
  original forgot what had expired at the next claim.
- Handoffs are what was imported or read back, then the packets that are known, one row for each
  pattern. Conflicts are what is kept of them.
- Rows, fields and keys that nobody here knows are kept and shown; so are those of a wrong type,
  where they stood. Whatever looks wrong is told, with its place.
- Reading back: new rows in ``handoffs`` and ``conflicts``, a changed ``decision`` or ``note``, and
  keys that are new at the top are claims. Everything else in it is the tool's: a difference is
  told and written over. A row that is missing is written again: the file may only be old.

    key = next_key("conflicts", known.rows)     # conflicts/000001
    Row(key, written(conflict), known.now)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from handrail.core.lease import Lease
from handrail.core.projected import RECORD_CHARS_MAX
from handrail.core.record import Record
from handrail.core.task import SYSTEM, Packet, task_of
from handrail.projections.coordination_check import SECTIONS, told_of_file
from handrail.projections.instants import instant_ms, micros
from handrail.projections.loose_json import (
    Found,
    joined,
    key_of,
    read_json,
    shown,
    within_bounds,
    written,
)
from handrail.projections.port import Known, Projection, Read, Row, Told
from handrail.projections.scopes import plain_path

ROWS_MAX: Final = 100_000
VERSION: Final = "schema_version"
ORDER: Final = (VERSION, *SECTIONS)
LAYOUT: Final = "layout"
TOP: Final = "top"
UNREAD: Final = "unread"

_TIME: Final = {"leases": "acquired_at", "handoffs": "timestamp", "conflicts": "timestamp"}
_CLAIMED: Final = {"handoffs": "note", "conflicts": "decision"}
"""The field of a kept row that only a person can know, and so may change."""
_IDENTITY: Final = {
    "handoffs": ("timestamp", "session_id", "from_role", "scope"),
    "conflicts": ("timestamp", "session_id", "role", "requested_scope"),
}


class Kept(Record):
    """A kept row of a section: its name and what it says."""

    key: str
    value: Any


def next_key(section: str, keys: Iterable[str]) -> str:
    """Return the name of a section's next row: one past the highest of ``keys``."""
    return f"{section}/{_highest(section, keys) + 1:06d}"


def _highest(section: str, keys: Iterable[str]) -> int:
    begin = f"{section}/"
    numbers = (key.removeprefix(begin) for key in keys if key.startswith(begin))
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


# --- rendering -----------------------------------------------------------------------------------


def render(known: Known, before: bytes | None) -> bytes:
    """Return the file; ``before`` says only whether imported leases are still shown."""
    layout = _layout(known)
    fields = {VERSION: 1, **{section: _rows(known, section, before) for section in SECTIONS}}
    for kept in _kept(known, TOP):
        name, value = kept.value["name"], kept.value["value"]
        if not (name in SECTIONS and fields[name]):
            fields[name] = value
    order: Iterable[str] = layout.get("order", ORDER)
    absent = {name for name in ORDER if name not in order and (name == VERSION or not fields[name])}
    names = dict.fromkeys([*(name for name in order if name in fields), *fields])
    shape = {name: fields[name] for name in names if name not in absent}
    ascii_only = layout.get("ascii", True)
    try:
        return (json.dumps(shape, indent=2, ensure_ascii=ascii_only) + "\n").encode()
    except UnicodeEncodeError:  # half a surrogate pair can only be escaped
        return (json.dumps(shape, indent=2) + "\n").encode()


def _layout(known: Known) -> dict[str, Any]:
    text = known.rows.get(LAYOUT)
    layout: dict[str, Any] = json.loads(text) if text else {}
    return layout


def _kept(known: Known, section: str) -> list[Kept]:
    begin = f"{section}/"
    keys = sorted(key for key in known.rows if key.startswith(begin))
    return [Kept(key, json.loads(known.rows[key])) for key in keys]


def _rows(known: Known, section: str, before: bytes | None) -> list[Any]:
    """List what a section shows."""
    if section == "leases":
        return list(_leases(known)) or _imported_leases(known, before)
    alphabetic = _layout(known).get("alphabetic", False)
    kept = [one.value for one in _kept(known, section)]
    if not alphabetic:
        kept = [_in_order(section, value) for value in kept]
    return kept + list(_packets(known)) if section == "handoffs" else kept


def _is_alphabetic(section: str, value: Any) -> bool:
    return (
        isinstance(value, dict)
        and list(value) == sorted(value)
        and {*SECTIONS[section]} <= {*value}
    )


def _in_order(section: str, value: Any) -> Any:
    """Return a row that was kept in alphabetical order as the original writes it."""
    if not _is_alphabetic(section, value):
        return value
    return {name: value[name] for name in dict.fromkeys((*SECTIONS[section], *value))}


def _leases(known: Known) -> Iterator[dict[str, Any]]:
    for lease in known.leases:
        if lease.role is None or task_of(lease.session) is not None or not lease.live(known.now):
            continue
        yield from lease_rows(lease)


def lease_rows(lease: Lease) -> Iterator[dict[str, str]]:
    """Write a lease, one row for each of its patterns."""
    for pattern in lease.scope:
        yield {
            "role": lease.role or "",
            "agent_id": lease.agent,
            "scope": plain_path(pattern),
            "session_id": lease.session,
            "acquired_at": micros(lease.granted_at),
            "expires_at": micros(lease.expires_at),
        }


def _imported_leases(known: Known, before: bytes | None) -> list[Any]:
    """List imported leases that nothing has replaced yet: those that the file still has."""
    rows = [one.value for one in _kept(known, "leases")]
    if before is None or not rows:
        return rows
    try:
        now = read_json(before).values[0]["leases"]
        there = {key_of(row) for row in now}
    except (ValueError, KeyError, TypeError):
        return rows  # the file cannot say
    return [row for row in rows if key_of(row) in there]


def _packets(known: Known) -> Iterator[dict[str, Any]]:
    for packet, content in known.packets:
        yield from packet_rows(packet, content)


def packet_rows(packet: Packet, content: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Write a packet, one row for each of its patterns, and one where it has none."""
    note = content.get("message")
    for pattern in packet.patterns or ("",):
        yield {
            "timestamp": micros(packet.offered_at),
            "session_id": packet.session,
            "from_role": packet.from_role or ("system" if packet.session == SYSTEM else ""),
            "to_role": packet.to_role or "",
            "scope": plain_path(pattern),
            "note": note if isinstance(note, str) else "",
        }


# --- reading -------------------------------------------------------------------------------------


def read(known: Known, content: bytes, *, importing: bool) -> Read:
    """Read the file; raises ValueError for one that is no JSON object at all."""
    found = read_json(content)
    told = list(found.told)
    file = _joined_sides(found, told)
    rows: list[Row] = []
    if importing:
        told.extend(told_of_file(file, known))
        _import_all(known, file, rows)
        if not found.unread and len(found.values) == 1:
            _keep_layout(known, file, content, rows)
    else:
        _back_leases(known, file.get("leases", []), content, told)
        for section in ("handoffs", "conflicts"):
            _back(known, section, file.get(section, []), rows, told)
        version = _top(known).get(VERSION, 1)
        if key_of(file.get(VERSION, version)) != key_of(version):
            sentence = f"{shown(file[VERSION])} is the tool's to change and is written over."
            told.append(Told(VERSION, "overwritten", sentence))
    _back_top(known, file, rows, importing=importing)
    if found.unread and found.unread not in [one.value["text"] for one in _kept(known, UNREAD)]:
        rows.append(Row(next_key(UNREAD, known.rows), written({"text": found.unread})))
    return Read(tuple(within_bounds(rows, told)), tuple(told))


def _joined_sides(found: Found, told: list[Told]) -> dict[str, Any]:
    """Join the sides of a merge: the rows of both, and of other keys the first side's."""
    if not all(isinstance(side, dict) for side in found.values):
        raise ValueError("The file is JSON, but no object with leases, handoffs and conflicts.")
    file: dict[str, Any] = dict(found.values[0])
    for side in found.values[1:]:
        for name, value in side.items():
            mine = file.setdefault(name, value)
            if name in SECTIONS and isinstance(mine, list) and isinstance(value, list):
                there = {key_of(row) for row in mine}
                file[name] = [*mine, *(row for row in value if key_of(row) not in there)]
            elif key_of(mine) != key_of(value):
                sentence = f"The sides of a merge differ; {shown(value)} does not count."
                told.append(Told(joined("", name), "sides_differ", sentence))
    if any(isinstance(rows, list) and len(rows) > ROWS_MAX for rows in file.values()):
        raise ValueError(f"The file has more than {ROWS_MAX} rows.")
    return file


def _import_all(known: Known, file: Mapping[str, Any], rows: list[Row]) -> None:
    for section in SECTIONS:
        values = file.get(section, [])
        if isinstance(values, list):
            waiting = _counted(one.value for one in _kept(known, section))
            fresh = [value for value in values if not _taken(waiting, value)]
            rows.extend(_numbered(known, section, fresh))


def _all_rows(file: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for section in SECTIONS:
        rows = file.get(section)
        for row in rows if isinstance(rows, list) else ():
            yield section, row


def _keep_layout(known: Known, file: Mapping[str, Any], content: bytes, rows: list[Row]) -> None:
    """Keep what cannot be seen in the rows: the order of the keys, how letters are written."""
    layout: dict[str, Any] = {}
    if list(file) != [*ORDER, *(name for name in file if name not in ORDER)]:
        layout["order"] = list(file)
    if not content.isascii():
        layout["ascii"] = False
    if any(_is_alphabetic(section, row) for section, row in _all_rows(file)):
        layout["alphabetic"] = True
    text = written(layout)
    if layout and known.rows.get(LAYOUT) != text and len(text) <= RECORD_CHARS_MAX:
        rows.append(Row(LAYOUT, text))


def _back_leases(known: Known, rows: Any, content: bytes, told: list[Told]) -> None:
    """Tell of leases in the file that nobody granted: only a claim gives one."""
    if not _is_list(known, "leases", rows, told):
        return
    kept = [one.value for one in _kept(known, "leases")]
    waiting = _counted([*_rows(known, "leases", content), *kept])
    for index, row in enumerate(rows):
        if not _taken(waiting, row):
            sentence = f"{shown(row)} is not what Handrail granted, and is written over."
            told.append(
                Told(f"leases[{index}]", "overwritten", sentence, "claim the scope: handrail claim")
            )


def _is_list(known: Known, section: str, values: Any, told: list[Told]) -> bool:
    """Tell whether a section is a list; of any other value than the one that was imported, tell."""
    if isinstance(values, list):
        return True
    if key_of(values) not in (key_of(_top(known).get(section)), "null"):
        told.append(Told(section, "overwritten", f"{shown(values)} is no list of rows."))
    return False


def _top(known: Known) -> dict[str, Any]:
    return {one.value["name"]: one.value["value"] for one in _kept(known, TOP)}


def _back(known: Known, section: str, values: Any, rows: list[Row], told: list[Told]) -> None:
    """Read a section back: new rows and changed claims are rows, other changes are told."""
    if not _is_list(known, section, values, told):
        return
    kept = _kept(known, section)
    shown_now = [*kept, *(Kept("", row) for row in _packets(known) if section == "handoffs")]
    waiting = _counted(one.value for one in shown_now)
    left = [(i, value) for i, value in enumerate(values) if not _taken(waiting, value)]
    missing: dict[str, list[Kept]] = {}
    for one in shown_now:
        if _taken(waiting, one.value):
            missing.setdefault(_identity(section, one.value), []).append(one)
    fresh = []
    for index, value in left:
        place = f"{section}[{index}]"
        mates = missing.get(_identity(section, value))
        if not mates or not isinstance(value, dict):
            fresh.append(value)
            continue
        mate = mates.pop(0)
        changed = _with_claims(section, mate, value)
        if mate.key and key_of(changed) != key_of(mate.value):
            rows.append(_row(section, mate.key, changed))
        if key_of(changed) != key_of(value):
            sentence = f"{shown(value)} differs from what is known, and is written over."
            told.append(Told(place, "overwritten", sentence))
    rows.extend(_numbered(known, section, fresh))


def _identity(section: str, value: Any) -> str:
    """Return what stays of a row when somebody changes a field or two in it."""
    if not isinstance(value, dict):
        return ""
    return key_of([value.get(name) for name in _IDENTITY[section]])


def _with_claims(section: str, mate: Kept, value: Any) -> Any:
    """Return a known row with what a person may have changed in it: one field, and unknown ones."""
    if not mate.key:
        return mate.value
    claimed = {_CLAIMED[section], *(name for name in value if name not in SECTIONS[section])}
    return mate.value | {name: inner for name, inner in value.items() if name in claimed}


def _back_top(known: Known, file: Mapping[str, Any], rows: list[Row], *, importing: bool) -> None:
    """Keep keys that are unknown, and values of known ones that are no lists."""
    there = {one.value["name"]: one for one in _kept(known, TOP)}
    number = _highest(TOP, known.rows)
    for name, value in file.items():
        if name in SECTIONS and (isinstance(value, list) or not importing):
            continue
        if name == VERSION and (key_of(value) == "1" or not importing):
            continue
        if name in there and key_of(there[name].value["value"]) == key_of(value):
            continue
        if name in there:
            key = there[name].key
        else:
            number += 1
            key = f"{TOP}/{number:06d}"
        rows.append(Row(key, written({"name": name, "value": value})))


# --- rows ----------------------------------------------------------------------------------------


def _counted(values: Iterable[Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        key = key_of(value)
        counts[key] = counts.get(key, 0) + 1
    return counts


def _taken(counts: dict[str, int], value: Any) -> bool:
    """Take one of equal values away; tells whether there was one."""
    key = key_of(value)
    left = counts.get(key, 0)
    counts[key] = left - 1
    return left > 0


def _numbered(known: Known, section: str, values: Iterable[Any]) -> Iterator[Row]:
    first = _highest(section, known.rows) + 1
    for number, value in enumerate(values, first):
        yield _row(section, f"{section}/{number:06d}", value)


def _row(section: str, key: str, value: Any) -> Row:
    at = instant_ms(value.get(_TIME[section])) if isinstance(value, dict) else None
    return Row(key, written(value), max(at or 0, 0))


COORDINATION: Final = Projection("lanes-coordination", render, read)

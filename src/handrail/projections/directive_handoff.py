"""``<slug>.handoff.json`` of a directive: its newest packet, in the directive's own folder.

The configuration names the folder of all directives. A packet says which directive it belongs to
(``directive.folder``, ``directive.slug``); its file is replaced with the next offer, and the ledger
keeps what was there.

Promises: the same packets give the same bytes; fields that no packet has, and people wrote, stay;
what the tool writes and somebody changed is told and written over. A file that no packet is shown
in is never written: what is imported of it is history, and rendered from that it is what it was.

    PROJECTION.spread.written(known)     # ('26-02-11_nav/nav.handoff.json',)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from handrail.core.packet import CLEAN_REQUIRED, KNOWN_DIRTY
from handrail.core.task import Packet
from handrail.projections.directive import FIELDS, Handoff, read_handoff, trigger_of, value_of
from handrail.projections.directive_carriers import (
    ARCHITECT_FILE,
    FILE,
    PHASE,
    TEXT_BYTES_MAX,
    Carried,
    Found,
    read_carrier,
)
from handrail.projections.instants import instant_ms
from handrail.projections.json_text import Layout, compact, read_json, same, write_json
from handrail.projections.loose_json import shown
from handrail.projections.port import Known, Projection, Read, Row, Spread, Told

SUFFIX: Final = ".handoff.json"
MORE: Final = "more"
HISTORY: Final = "history/"
OBJECTIVE: Final = "Go on with the directive."
RULE: Final = "Work goes on in another role."
_LEGACY: Final = ("HANDOFF.md", "HANDOFF.json")
Said = tuple[Packet, Mapping[str, Any]]


def file_of(content: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the folder of the directive that a packet belongs to, and the name of its file."""
    said = content.get("directive")
    if not isinstance(said, dict):
        return None
    folder, slug = said.get("folder"), said.get("slug")
    if not (isinstance(folder, str) and isinstance(slug, str)) or not folder or not slug:
        return None
    return folder, f"{slug}{SUFFIX}"


def _newest(known: Known) -> dict[str, Said]:
    """Return the newest packet that somebody gave, by the path of its file."""
    found: dict[str, Said] = {}
    for packet, content in sorted(known.packets, key=lambda one: one[0].seq):
        place = file_of(content)
        if packet.session and place is not None:
            found["/".join(place)] = packet, content
    return found


def _written(known: Known) -> tuple[str, ...]:
    """Return the files of packets below the folder that the configuration names."""
    root = f"{known.path}/"
    return tuple(path.removeprefix(root) for path in _newest(known) if path.startswith(root))


def _reads(path: str) -> bool:
    """Tell whether a handoff may stand in a file of a directive's folder."""
    name = path.rpartition("/")[2]
    return name.endswith(SUFFIX) or name in _LEGACY


# --- rendering -----------------------------------------------------------------------------------


def render(known: Known, before: bytes | None) -> bytes | None:
    """Return the bytes of the file at ``known.path``; None where there is nothing to show."""
    said = _newest(known).get(known.path)
    if said is None:
        return _as_imported(known)
    more = json.loads(known.rows.get(MORE, "{}"))
    handoff = value_of(shown_as(known, *said)._replace(more=more.get("handoff", {})))
    return write_json({**more.get("top", {}), "handoff": handoff})


def _as_imported(known: Known) -> bytes | None:
    """Return what was imported of a file as it was, where all of it was read."""
    row = known.rows.get(f"{HISTORY}000000")
    record = {} if row is None else json.loads(row)
    if "whole" not in record:
        return None
    return write_json(record["whole"], Layout(*record["layout"]))


def shown_as(known: Known, packet: Packet, content: Mapping[str, Any]) -> Handoff:
    """Return a packet as a handoff of its directive."""
    context, metadata = _part(content, "context"), _part(content, "metadata")
    said = _part(content, "directive")
    paths = tuple(metadata.get("worktree_allowlist_paths") or ())
    mode = metadata.get("worktree_mode") or (KNOWN_DIRTY if paths else CLEAN_REQUIRED)
    ordinary = f"{packet.from_role}_to_{packet.to_role}_handoff"
    task_file = said.get("task_file")
    inside = f"{said.get('folder')}/"
    return Handoff(
        from_role=packet.from_role,
        to_role=packet.to_role,
        trigger=content.get("trigger") or said.get("trigger") or ordinary,
        session_id=said.get("id"),
        task_file=task_file.removeprefix(inside) if isinstance(task_file, str) else None,
        directive_branch=metadata.get("branch"),
        required_reading=", ".join(context.get("required_reading") or _reading(known, packet))
        or None,
        objective=context.get("objective") or content.get("message") or OBJECTIVE,
        blocking_rule=context.get("blocking_rule") or RULE,
        worktree_mode=mode,
        worktree_allowlist_paths=paths if mode == KNOWN_DIRTY else (),
    )


def _reading(known: Known, packet: Packet) -> tuple[str, ...]:
    """Return what the receiver's role has to read."""
    return next((role.reading for role in known.roles if role.name == packet.to_role), ())


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}


# --- reading -------------------------------------------------------------------------------------


def read(known: Known, content: bytes, *, importing: bool) -> Read:
    """Return what people wrote; when importing, the handoffs that the file carries as history."""
    if importing:
        return imported(known, read_carrier(content, known.path))
    value, _, odd = read_json(content)
    if len(content) > TEXT_BYTES_MAX:
        raise ValueError(f"it has more than {TEXT_BYTES_MAX} bytes")
    if not isinstance(value, dict) or not isinstance(value.get("handoff"), dict):
        raise ValueError("it has no object 'handoff' at its top")
    inner = value["handoff"]
    more = {
        "top": {name: one for name, one in value.items() if name != "handoff"},
        "handoff": {name: one for name, one in inner.items() if name not in FIELDS},
    }
    said = _newest(known).get(known.path)
    told: list[Told] = []
    if said is not None:
        wanted = value_of(shown_as(known, *said))
        told = [
            _overwritten(name, inner.get(name), wanted[name])
            for name in wanted
            if not same(inner.get(name), wanted[name])
        ]
    kept = [Row(key, record) for key, record in known.rows.items() if key != MORE]
    rows = [*kept, Row(MORE, compact(more) if any(more.values()) else "")]
    return Read(tuple(sorted(rows)), (*odd, *told))


def _overwritten(name: str, typed: Any, wanted: Any) -> Told:
    sentence = f"Handrail writes this field: it is {shown(wanted)}, and not {shown(typed)}."
    hint = "handrail handoff offer makes a new packet"
    return Told(f"handoff.{name}", "tool_field", sentence, hint)


def imported(known: Known, carried: Carried) -> Read:
    """Return handoffs as history: a row for each, with what was read of it and all that it said."""
    rows, told = [], list(carried.told)
    for number, one in enumerate(carried.found):
        record: dict[str, Any] = {"carrier": one.carrier, "place": one.place}
        if one.carrier == PHASE:
            told += _phase(one, known.path)
        else:
            handoff, odd = read_handoff(one.value, one.place)
            told += odd
            record["handoff"] = value_of(handoff)
        record["said"] = one.value
        if one.carrier in (FILE, PHASE):
            record["whole"], record["layout"] = one.whole, list(one.layout)
        key = f"{HISTORY}{number:06d}"
        rows.append(Row(key, compact(record), _claimed_at(one.value)))
    return Read(tuple(rows), tuple(told))


def _phase(one: Found, path: str) -> list[Told]:
    """Tell what is odd about a handoff from one phase to the next, which names no roles."""
    found = [
        Told(f"handoff.{name}", "missing_field", "It is not there.")
        for name in ("from_phase", "to_phase", "objective")
        if not one.value.get(name)
    ]
    if not path.endswith(ARCHITECT_FILE):
        sentence = f"A handoff between phases is called <directive_slug>{ARCHITECT_FILE}."
        found.append(Told("the file", "file_name", sentence))
    return found


def _claimed_at(value: Mapping[str, Any]) -> int:
    return max(instant_ms(value.get("created")) or 0, 0)


def as_draft(handoff: Handoff) -> dict[str, Any]:
    """Return the draft of a packet that says what a handoff says, as far as it can be offered.

    What nobody may write in it (who gives it) is left out; unknown names of triggers, too.
    """
    context = {
        "objective": handoff.objective,
        "blocking_rule": handoff.blocking_rule,
        "required_reading": [
            one.strip() for one in (handoff.required_reading or "").split(",") if one.strip()
        ],
    }
    metadata: dict[str, Any] = {
        "branch": handoff.directive_branch,
        "worktree_mode": handoff.worktree_mode,
        "worktree_allowlist_paths": list(handoff.worktree_allowlist_paths),
    }
    row = trigger_of(handoff.trigger) if handoff.trigger is not None else ""
    said = {"id": handoff.session_id, "task_file": handoff.task_file}
    if row == "":
        said["trigger"] = handoff.trigger
    draft: dict[str, Any] = {
        "to_role": handoff.to_role,
        "trigger": row or None,
        "context": {name: value for name, value in context.items() if value},
        "metadata": {name: value for name, value in metadata.items() if value},
        "directive": {name: value for name, value in said.items() if value},
    }
    return {name: value for name, value in draft.items() if value}


PROJECTION: Final = Projection(
    "directive-handoff", render, read, steady=True, spread=Spread(_written, _reads)
)

"""Conflicts between lanes: a refused claim is kept, put before a coordinator, and decided.

Promises: a decision lands where people look for it, in the row of the conflict and in the
coordinators' section of the tracker, by the transaction of the answer that it is; only what a
coordinator answers is one. Without projections nobody asks for it (``service.asking``).

    kept(tx, session, role="website", scope="site/src", held=refusal)
    decided(tx, rules, session, task, "website waits until 15:00")
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from handrail.core.events import Event
from handrail.core.projected import MADE, RECORD_CHARS_MAX, RowKept
from handrail.core.record import Record
from handrail.core.task import BLOCK, Packet, Task
from handrail.service.lane_map import COORDINATION_FORMAT, TRACKER_FORMAT, file_of
from handrail.service.packet_text import packet_text
from handrail.service.policy import Rules, rules_in_force

if TYPE_CHECKING:
    from handrail import errors
    from handrail.core.lease import Session
    from handrail.store.port import Reader

LANE_CONFLICT: Final = "lane-conflict"
"""The rule that ``task block`` names to put a refused claim before a coordinator."""
TO_DECIDE: Final = f"handrail task block --rule {LANE_CONFLICT}"
CONFLICTS: Final = "conflicts"
ANSWER_CHARS_MAX: Final = 2_000
"""Of an answer, in a row; the packet has it whole."""


class Conflict(Record):
    """A refused claim: the projection and the name of its row, and what the row says."""

    path: str
    key: str
    row: Mapping[str, Any]


def kept(
    reader: Reader, session: Session, *, role: str, scope: str, held: errors.ScopeHeld
) -> list[Event]:
    """Return what keeps a refused claim as a row of the lanes' file, where there is that file."""
    path = file_of(rules_in_force(reader).settings, COORDINATION_FORMAT)
    if not path:
        return []
    from handrail.projections.coordination import next_key
    from handrail.projections.coordination_check import REJECTED
    from handrail.projections.instants import micros
    from handrail.projections.scopes import plain_path

    scopes = held.values.get("scope")
    active = plain_path(scopes[0]) if isinstance(scopes, tuple) and scopes else ""
    row = {
        "timestamp": micros(reader.now),
        "role": role,
        "requested_by": session.agent,
        "active_agent": held.values.get("holder"),
        "requested_scope": scope,
        "active_scope": active,
        "session_id": session.id,
        "decision": REJECTED,
    }
    key = next_key(CONFLICTS, [one.key for one in reader.rows(path)])
    return _made(Conflict(path, key, row))


def newest(reader: Reader, rules: Rules, session: str, until: int | None = None) -> Conflict | None:
    """Return the newest conflict of a session that nobody decided, at latest of ``until`` (ms)."""
    path = file_of(rules.settings, COORDINATION_FORMAT)
    if not path:
        return None
    from handrail.projections.coordination_check import REJECTED
    from handrail.projections.instants import instant_ms
    from handrail.service.known import kept_rows

    rows = kept_rows(reader, path)
    for key in sorted((key for key in rows if key.startswith(f"{CONFLICTS}/")), reverse=True):
        row = json.loads(rows[key])
        if not isinstance(row, dict) or row.get("session_id") != session:
            continue
        at = instant_ms(row.get("timestamp")) or 0
        if row.get("decision") == REJECTED and (until is None or at <= until):
            return Conflict(path, key, row)
    return None


def decided(reader: Reader, rules: Rules, session: Session, task: Task, answer: str) -> list[Event]:
    """Return the rows that a session's answer to the newest packet of a task leads to.

    Empty where it was no conflict that the packet put before a coordinator.
    """
    role = rules.policy.roles.get(session.role or "")
    packet = reader.packet(task.id, task.number)
    if role is None or not role.coordinates or not _asks(reader, packet, session):
        return []
    assert packet is not None
    conflict = newest(reader, rules, packet.session, packet.offered_at)
    answer = answer[:ANSWER_CHARS_MAX]
    made = [] if conflict is None else _made(_with_decision(conflict, answer))
    return [*made, *_told(reader, rules, session, packet, conflict, answer)]


def _asks(reader: Reader, packet: Packet | None, session: Session) -> bool:
    """Tell whether a packet puts a conflict before somebody other than who gave it."""
    if packet is None or packet.kind != BLOCK or packet.session in ("", session.id):
        return False
    context = json.loads(packet_text(reader, packet)).get("context", {})
    return bool(context.get("blocking_rule") == LANE_CONFLICT)


def _with_decision(conflict: Conflict, answer: str) -> Conflict:
    return conflict._replace(row={**conflict.row, "decision": answer})


def _told(
    reader: Reader,
    rules: Rules,
    session: Session,
    packet: Packet,
    conflict: Conflict | None,
    answer: str,
) -> list[Event]:
    """Return the row of the coordinators' section."""
    path = file_of(rules.settings, TRACKER_FORMAT)
    if not path:
        return []
    from handrail.projections.instants import micros
    from handrail.projections.tracker import made_coordination

    what = f"{packet.task}-{packet.number:03d}"
    asked = packet.from_role or "-"
    event = f"{LANE_CONFLICT} {what}: role {asked} asks"
    if conflict is not None:
        row = conflict.row
        event += f" for {row.get('requested_scope')}, held by {row.get('active_agent')}"
    fields = {
        "date_time": micros(reader.now),
        "roles_involved": ", ".join(dict.fromkeys((asked, session.role or "-"))),
        "coordination_event": event,
        "decision": answer,
        "status": "closed",
    }
    row_ = made_coordination(session.id, fields, what)
    return [RowKept(path, row_.key, row_.record, MADE, row_.claimed_at)]


def _made(conflict: Conflict) -> list[Event]:
    """Return the row; none where people filled it so far that no table would hold it."""
    text = json.dumps(conflict.row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if len(text) > RECORD_CHARS_MAX:
        return []
    return [RowKept(conflict.path, conflict.key, text, MADE, 0)]

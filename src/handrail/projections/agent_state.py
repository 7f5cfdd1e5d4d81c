"""``agent_state.json`` of mosaic: who worked last, on what, and what the next one must know.

Promises: the tool's fields come from sessions, tasks and packets, everything else is what somebody
wrote and stays. ``last_commit`` is HEAD's commit at the newest handoff, or where somebody last
changed a field of theirs; it does not follow HEAD. So the commit that contains the file leaves it
as it is: the original wanted the file to name the commit that holds it, and could never have that.

    STATE_FILE.render(known, before), STATE_FILE.read(known, content, importing=True)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handrail.core.packet import MESSAGE_CHARS_MIN
from handrail.projections.json_text import read_json
from handrail.projections.kept import FieldsFile, Since
from handrail.projections.mosaic import STATE, check, schema
from handrail.projections.port import Known, Projection, Told
from handrail.text import rfc3339

NEEDED: Final = ("last_commit", "last_agent", "implementation_progress")
"""Without these nobody can tell where production stands."""
SERVICE_URLS: Final = ("render_service_url", "service_url")
NO_MESSAGE: Final = "No handoff yet."
UNKNOWN: Final = "unknown"
SCHEMA_ID: Final = "agent_state.schema.json"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft-07) of the file."""
    return schema(SCHEMA_ID, STATE)


def _derived(known: Known) -> Mapping[str, Since]:
    """Return what the tool knows of the fields, each with since when."""
    agents = {one.id: one.agent for one in known.sessions}
    found: dict[str, list[Since]] = {}

    def say(name: str, at: int, value: Any) -> None:
        found.setdefault(name, []).append((at, value))

    for packet, content in known.packets:
        say("next_agent", packet.offered_at, packet.to_role or UNKNOWN)
        head = content.get("metadata", {}).get("head")
        if packet.session:
            say("last_agent", packet.offered_at, packet.agent)
            say("current_agent", packet.offered_at, packet.agent)
            if head:
                say("last_commit", packet.offered_at, head)
            if content.get("message"):
                say("handoff_message", packet.offered_at, content["message"])
        if packet.settled_at is not None and packet.by in agents:
            say("current_agent", packet.settled_at, agents[packet.by])
    for task in known.tasks:
        say("current_task", task.opened_at, task.title or task.id)
    for one in known.sessions:
        say("current_agent", one.started_at, one.agent)
        say("last_session_start", one.started_at, rfc3339(one.started_at))
    newest = max(known.sessions, key=lambda one: (one.started_at, one.id), default=None)
    if newest is not None:
        ended = newest.ended_at
        since = newest.started_at if ended is None else ended
        say("last_session_end", since, None if ended is None else rfc3339(ended))
    return {name: max(rows, key=lambda row: row[0]) for name, rows in found.items()}


def _first(known: Known) -> Mapping[str, Any]:
    """Return what the file begins with."""
    return {
        "version": 1,
        "last_agent": UNKNOWN,
        "last_mode": "INIT",
        "last_session_start": rfc3339(known.now),
        "last_session_end": None,
        **_stamps(known),
        "current_agent": UNKNOWN,
        "current_task": "none yet",
        "handoff_message": NO_MESSAGE,
        "user_decisions": {},
        "implementation_progress": {},
        "next_agent": UNKNOWN,
        "open_questions": [],
    }


def _stamps(known: Known) -> Mapping[str, Any]:
    return {"last_commit": known.commit} if known.commit else {}


STATE_FILE: Final = FieldsFile(STATE, _derived, _first, _stamps)


def lacks(value: Mapping[str, Any]) -> tuple[Told, ...]:
    """Tell what a receiver cannot do without, and is not in the file.

    ``no_service_url`` is advice: without it nobody can ask whether the service is well.
    """
    told = []
    message = value.get("handoff_message")
    chars = len(message.strip()) if isinstance(message, str) else 0
    if chars < MESSAGE_CHARS_MIN:
        much = f"it has {chars} characters" if chars else "it says nothing"
        sentence = f"{much}, and {MESSAGE_CHARS_MIN} are the least"
        told.append(Told("handoff_message", "short_message", sentence))
    told += [
        Told(name, "missing_field", "nobody can tell where the work stands without it")
        for name in NEEDED
        if value.get(name) is None
    ]
    progress = value.get("implementation_progress")
    said = progress if isinstance(progress, dict) else {}
    if not any(isinstance(said.get(name), str) and said[name] for name in SERVICE_URLS):
        place = f"implementation_progress.{SERVICE_URLS[0]}"
        told.append(Told(place, "no_service_url", "nobody can ask whether the service is well"))
    return tuple(told)


def _lacking(content: bytes) -> tuple[Told, ...]:
    value = read_json(content)[0]
    return lacks(value if isinstance(value, dict) else {})


def faults(value: Mapping[str, Any]) -> tuple[Told, ...]:
    """Tell where the file does not satisfy its schema."""
    return tuple(check(value, STATE))


PROJECTION: Final = Projection(
    "mosaic-state", STATE_FILE.render, STATE_FILE.read, whole=True, steady=True, lacks=_lacking
)

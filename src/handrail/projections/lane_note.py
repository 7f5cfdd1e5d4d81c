r"""A lane's working note: who holds the lane now, and what is to be handed over next.

Promises: of a note only the values of five fields are changed, within ``## Current Lease and
Session``, and only while a session holds the lane; values of ``## Next Handoff Action`` only where
nobody wrote any. All other text stays, byte for byte. A note that is missing is made whole. Which
role a note belongs to says the configuration: the role whose ``note`` is this path.

Reading back: the three fields of the next handoff are claims; a lease that is not the one that
Handrail granted is told. When importing, all eight fields are kept as history.

    render(known, b"## Current Lease and Session\\n- session_id: old\n")
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from handrail.core.lease import Lease
from handrail.core.record import Record
from handrail.core.role import Role
from handrail.core.task import OPEN, task_of
from handrail.projections.aliases import told_of
from handrail.projections.coordination_check import FORBIDDEN_SESSION, told_of_scope
from handrail.projections.instants import instant_ms, micros
from handrail.projections.loose_json import shown, sides_of, within_bounds, written
from handrail.projections.markdown import Document, document, encoded, line_end
from handrail.projections.port import Known, Projection, Read, Row, Told
from handrail.projections.scopes import plain_path
from handrail.text import visible

LEASE: Final = "Current Lease and Session"
NEXT: Final = "Next Handoff Action"
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    LEASE: ("lease_role", "agent_id", "session_id", "scope_claim", "lease_expires_at"),
    NEXT: ("to_role", "reason", "expected_artifact"),
}
NOTHING: Final = ("", "none", "null", "n/a", "tbd", "-", "—")
"""What stands for no value, in lower case: there a value may be filled in."""

_FIELD: Final = re.compile(
    r"(?P<begin>[ \t]*(?:[-*+][ \t]+)?[*_`]*)(?P<name>[a-z_]+?)"
    r"(?P<sign>[*_`]*[ \t]*:[*_]*[ \t]*)(?P<value>[^\r\n]*?)(?P<end>[ \t]*[\r\n]*)"
)

TEMPLATE: Final = """\
# {role}: working note

## Agent Identity
- Agent: none
- Role: {role}

## Scope
{scope}

## Active Queue
- none

## Current Lease and Session
- lease_role: {role}
- agent_id: none
- session_id: none
- scope_claim: none
- lease_expires_at: none

## Blockers
- none

## Next Handoff Action
- to_role: none
- reason: none
- expected_artifact: none
"""


class Field(Record):
    """A field of a note: the line it stands in, from 0, and its value."""

    line: int
    value: str


def template(role: Role) -> bytes:
    """Return a note for a lane that has none."""
    scope = "\n".join(f"- `{plain_path(pattern)}`" for pattern in role.lane) or "- none"
    return TEMPLATE.format(role=role.name, scope=scope).encode()


# --- rendering -----------------------------------------------------------------------------------


def render(known: Known, before: bytes | None) -> bytes | None:
    """Return the note with the lease of its role; None for a file that is none, or is broken."""
    role = _role(known)
    if role is None:
        return None
    content = template(role) if before is None else before
    if sides_of(content.decode("utf-8", "replace"))[1]:
        return None
    try:
        content = _with(content, LEASE, _lease_values(known, role), only_empty=False)
        return _with(content, NEXT, _next_values(known, role), only_empty=True)
    except ValueError:
        return None  # too long, or no place for a field


def _role(known: Known) -> Role | None:
    return next((role for role in known.roles if role.note and role.note == known.path), None)


def _held(known: Known, role: Role) -> list[Lease]:
    """List the leases of the session that claimed in this role last."""
    leases = [
        lease
        for lease in known.leases
        if lease.role == role.name and lease.live(known.now) and task_of(lease.session) is None
    ]
    newest = max(leases, key=lambda lease: lease.token, default=None)
    return [lease for lease in leases if newest and lease.session == newest.session]


def _lease_values(known: Known, role: Role) -> dict[str, str]:
    held = _held(known, role)
    if not held:
        return {}
    paths = dict.fromkeys(plain_path(pattern) for lease in held for pattern in lease.scope)
    return {
        "lease_role": role.name,
        "agent_id": held[-1].agent,
        "session_id": held[-1].session,
        "scope_claim": ", ".join(paths),
        "lease_expires_at": micros(min(lease.expires_at for lease in held)),
    }


def _next_values(known: Known, role: Role) -> dict[str, str]:
    for packet, content in reversed(known.packets):
        if packet.from_role == role.name and packet.state == OPEN:
            message = content.get("message")
            lines = message.strip().splitlines() if isinstance(message, str) else []
            values = {
                "to_role": packet.to_role or "",
                "reason": lines[0] if lines else "",
                "expected_artifact": _first_artifact(content),
            }
            return {name: value for name, value in values.items() if value}
    return {}


def _first_artifact(content: Mapping[str, Any]) -> str:
    artifacts = content.get("artifacts")
    produced = artifacts.get("produced") if isinstance(artifacts, dict) else None
    first = produced[0] if isinstance(produced, list) and produced else ""
    path = first.get("path") if isinstance(first, dict) else first
    return path if isinstance(path, str) else ""


def _with(content: bytes, title: str, values: Mapping[str, str], *, only_empty: bool) -> bytes:
    """Return a note with other values in one section; what is missing is added at its end."""
    if not values:
        return content
    page = document(content)
    lines = list(page.lines)
    section = page.section(title)
    found = _fields(page, title)
    missing = []
    for name, value in values.items():
        text = visible(" ".join(value.split()))
        field = found.get(name)
        if field is None:
            missing.append(f"- {name}: {text}")
        elif not only_empty or field.value.casefold() in NOTHING:
            lines[field.line] = _with_value(lines[field.line], text)
    if missing:
        if section is None:
            missing[:0] = ["", f"## {title}"]
        at = section[1] if section else len(lines)
        if found:
            at = max(field.line for field in found.values()) + 1
        while not found and at and not lines[at - 1].strip():
            at -= 1
        if at and not line_end(lines[at - 1]):
            lines[at - 1] += page.eol
        lines[at:at] = [text + page.eol for text in missing]
        if not values.keys() <= _fields(document(encoded(lines)), title).keys():
            raise ValueError("There is no place in the note where a field would be read as one.")
    return encoded(lines)


def _with_value(line: str, text: str) -> str:
    match = _FIELD.fullmatch(line)
    assert match is not None, "only a line that is a field gets a value"
    old = match["value"]
    quote = "`" if len(old) > 1 and old[0] == old[-1] == "`" else ""
    sign = match["sign"] if match["sign"][-1:] in (" ", "\t") else match["sign"] + " "
    return f"{match['begin']}{match['name']}{sign}{quote}{text}{quote}{match['end']}"


def _fields(page: Document, title: str) -> dict[str, Field]:
    """Find the fields of a section, each where it stands first."""
    section = page.section(title)
    found: dict[str, Field] = {}
    for line in range(section[0].end, section[1]) if section else ():
        match = _FIELD.fullmatch(page.lines[line])
        if match and match["name"] in FIELDS[title]:
            value = match["value"].strip("`").strip()
            found.setdefault(match["name"], Field(line, value))
    return found


# --- reading -------------------------------------------------------------------------------------


def read(known: Known, content: bytes, *, importing: bool) -> Read:
    """Read a note; raises ValueError for one that is too long."""
    line = sides_of(content.decode("utf-8", "replace"))[1]
    if line:
        sentence = "A merge conflict stands in the note; nothing of it is read or written."
        return Read((), (Told(f"line {line}", "merge_conflict", sentence),))
    page = document(content)
    told: list[Told] = []
    role = _role(known)
    rows: list[Row] = []
    for title in FIELDS:
        found = _fields(page, title)
        if importing:
            told.extend(_told_of_section(page, title, found, known))
        elif title == LEASE and role is not None:
            told.extend(_told_of_lease(found, _lease_values(known, role)))
        for name, field in sorted(found.items()) if importing or title == NEXT else ():
            key, record = f"field/{name}", written(field.value)
            had = known.rows.get(key)
            if had != record and (had is not None or field.value.casefold() not in NOTHING):
                rows.append(Row(key, record))
    return Read(tuple(within_bounds(rows, told)), tuple(told))


def _told_of_lease(found: Mapping[str, Field], values: Mapping[str, str]) -> Iterator[Told]:
    for name, value in values.items():
        field = found.get(name)
        if field is not None and field.value != value:
            sentence = f"{name} is {shown(field.value)}; Handrail granted otherwise, and writes it."
            yield Told(f"line {field.line + 1}", "overwritten", sentence, value)


def _told_of_section(
    page: Document, title: str, found: Mapping[str, Field], known: Known
) -> Iterator[Told]:
    section = page.section(title)
    if section is None:
        sentence = f"There is no section '## {title}'; it is made when there is something to say."
        yield Told("the end", "section_missing", sentence, f"## {title}")
        return
    for name in FIELDS[title]:
        if name not in found:
            sentence = f"The section has no field {name}."
            yield Told(f"line {section[0].line + 1}", "field_missing", sentence, f"- {name}: none")
    roles = tuple(role.name for role in known.roles)
    for name, field in found.items():
        if field.value.casefold() in NOTHING:
            continue
        place = f"line {field.line + 1}"
        one: Told | None = None
        if name in ("lease_role", "to_role"):
            one = told_of(place, "role", field.value, roles)
        elif name == "session_id" and field.value == FORBIDDEN_SESSION:
            sentence = f"The session id {shown(field.value)} is not allowed."
            one = Told(place, "session_forbidden", sentence, "an id for each session")
        elif name == "lease_expires_at":
            one = _told_of_end(place, field.value, known.now)
        elif name == "scope_claim":
            parts = (part.strip(" `") for part in field.value.split(","))
            one = next(filter(None, (told_of_scope(place, part) for part in parts if part)), None)
        if one is not None:
            yield one


def _told_of_end(place: str, value: str, now: int) -> Told | None:
    end = instant_ms(value)
    if end is None:
        example = "2026-03-01T09:00:00.000000Z"
        return Told(place, "time_malformed", f"{shown(value)} is no instant.", example)
    return Told(place, "lease_expired", "The lease was over already.") if end <= now else None


def with_newer_lease(content: bytes, versions: Iterable[bytes]) -> bytes:
    """Return a note with the lease that ends last in some versions of it; raises ValueError.

    Nobody writes these fields by hand, so two sides of a merge do not disagree about them.
    """
    shown_in = [_fields(document(version), LEASE) for version in versions]
    newest = max(shown_in, key=_end_of, default={})
    values = {name: field.value for name, field in newest.items()}
    return _with(content, LEASE, values, only_empty=False)


def _end_of(found: Mapping[str, Field]) -> int:
    field = found.get("lease_expires_at")
    return (instant_ms(field.value) if field is not None else None) or 0


LANE_NOTE: Final = Projection("lanes-note", render, read, by_lines=True, level=with_newer_lease)

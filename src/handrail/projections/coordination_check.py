"""What looks wrong in a ``coordination.json`` that is imported: told with place, alias and reason.

Promise: telling keeps everything; no value, of whatever type, stops it.

    told_of_file({"leases": [{"role": "webiste"}]}, known)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from handrail.core.names import check_name
from handrail.core.scope import parse_pattern
from handrail.errors import MalformedName, MalformedScope
from handrail.projections.aliases import told_of
from handrail.projections.instants import instant_ms
from handrail.projections.loose_json import joined, key_of, shown
from handrail.projections.port import Known, Told

SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "leases": ("role", "agent_id", "scope", "session_id", "acquired_at", "expires_at"),
    "handoffs": ("timestamp", "session_id", "from_role", "to_role", "scope", "note"),
    "conflicts": (
        *("timestamp", "role", "requested_by", "active_agent", "requested_scope", "active_scope"),
        *("session_id", "decision"),
    ),
}
"""The fields of each list, in the order in which the original writes them."""
REJECTED: Final = "rejected-active-lease"
FORBIDDEN_SESSION: Final = "manual-session"

_MAY_BE_EMPTY: Final = frozenset({"note", "acquired_at"})
_ROLES: Final = frozenset({"role", "from_role", "to_role"})
_SCOPES: Final = frozenset({"scope", "requested_scope", "active_scope"})
_NAMES: Final = frozenset({"agent_id", "session_id", "requested_by", "active_agent"})
_INSTANTS: Final = frozenset({"timestamp", "acquired_at", "expires_at"})


def told_of_file(file: Mapping[str, Any], known: Known) -> Iterator[Told]:
    """Tell of everything that is odd in a file."""
    roles = tuple(role.name for role in known.roles)
    if key_of(file.get("schema_version", 1)) != "1":
        version = shown(file["schema_version"])
        yield Told(
            "schema_version", "version_unknown", f"The version {version} is none known.", "1"
        )
    for name in file:
        if name not in SECTIONS and name != "schema_version":
            yield Told(joined("", name), "field_unknown", "The field is unknown; it is kept.")
    for section, fields in SECTIONS.items():
        rows = file.get(section, [])
        if not isinstance(rows, list):
            sentence = f"It is no list but {shown(rows)}; it is kept as it is."
            yield Told(section, "section_type", sentence, "[]")
            continue
        strange: set[str] = set()
        for index, row in enumerate(rows):
            yield from _told_of_row(f"{section}[{index}]", row, fields, roles, strange)
        if section == "leases":
            yield from _told_of_leases(rows, known.now)


def _told_of_row(
    place: str, row: Any, fields: tuple[str, ...], roles: tuple[str, ...], strange: set[str]
) -> Iterator[Told]:
    if not isinstance(row, dict):
        yield Told(place, "row_type", f"It is no object but {shown(row)}; it is kept as it is.")
        return
    for name in fields:
        where = f"{place}.{name}"
        value = row.get(name)
        if value is None or value == "":
            if name not in _MAY_BE_EMPTY:
                yield Told(where, "field_missing", "The field is missing or empty.")
        elif not isinstance(value, str):
            yield Told(where, "field_type", f"{shown(value)} is no text; it is kept as it is.")
        else:
            found = _told_of_value(where, name, value, roles)
            if found is not None:
                yield found
    for name in row:
        if name not in fields and name not in strange:
            strange.add(name)
            yield Told(joined(place, name), "field_unknown", "The field is unknown; it is kept.")
    if row.get("from_role") and key_of(row["from_role"]) == key_of(row.get("to_role")):
        sentence = f"{shown(row['from_role'])} hands over to itself."
        yield Told(f"{place}.to_role", "handoff_to_self", sentence)


def _told_of_value(where: str, name: str, value: str, roles: tuple[str, ...]) -> Told | None:
    if name in _ROLES:
        return told_of(where, "role", value, roles)
    if name in _SCOPES:
        return told_of_scope(where, value)
    if name in _NAMES:
        return _told_of_name(where, name, value)
    if name in _INSTANTS and instant_ms(value) is None:
        example = "2026-03-01T09:00:00.000000Z"
        return Told(where, "time_malformed", f"{shown(value)} is no instant.", example)
    if name == "decision":
        return told_of(where, "decision", value, (REJECTED,))
    return None


def told_of_scope(where: str, value: str) -> Told | None:
    """Tell of a scope that is no path in this repository; None where it is one."""
    try:
        parse_pattern(value)
    except MalformedScope as error:
        reason = error.values.get("reason")
        suggestion = _scope_meant(value)
        return Told(where, "scope_malformed", f"{shown(value)} is no scope: {reason}.", suggestion)
    return None


def _scope_meant(value: str) -> str | None:
    """Return the scope that was probably meant; None where that would be a guess."""
    if value in (".", "./", "*"):
        return "**"
    plain = "/".join(part for part in value.replace("\\", "/").split("/") if part not in ("", "."))
    if plain == value or value.startswith("/") or ":" in plain[:2]:
        return None
    try:
        return parse_pattern(plain).text
    except MalformedScope:
        return None


def _told_of_name(where: str, name: str, value: str) -> Told | None:
    if name == "session_id" and value == FORBIDDEN_SESSION:
        sentence = f"The session id {shown(value)} is not allowed."
        return Told(where, "session_forbidden", sentence, "an id for each session")
    try:
        check_name("session" if name == "session_id" else "agent", value)
    except MalformedName as error:
        reason = error.values.get("reason")
        return Told(where, "name_malformed", f"{shown(value)} is no name: {reason}.")
    return None


def _told_of_leases(rows: list[Any], now: int) -> Iterator[Told]:
    """Tell of leases that are over, that were never live, and that stand there twice."""
    seen: dict[str, int] = {}
    holders: dict[str, int] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            continue
        place = f"leases[{index}]"
        begin, end = instant_ms(row.get("acquired_at")), instant_ms(row.get("expires_at"))
        if begin is not None and end is not None and end < begin:
            sentence = "It ended before it began: its time to live was negative."
            yield Told(f"{place}.expires_at", "ttl_negative", sentence)
        elif end is not None and end <= now:
            yield Told(f"{place}.expires_at", "lease_expired", "The lease was over already.")
        same = key_of([row.get(name) for name in ("role", "agent_id", "scope")])
        first = seen.setdefault(same, index)
        if first != index:
            yield Told(place, "lease_twice", f"The lease stands there twice: see leases[{first}].")
        elif end is not None and end > now:
            other = holders.setdefault(key_of(row.get("role")), index)
            if other != index:
                sentence = f"The role has a live lease already: see leases[{other}]."
                yield Told(place, "role_twice", sentence)

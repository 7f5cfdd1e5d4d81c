"""``ops/tracker/contracts.json``: the roles of the lanes tool, their notes, what it ignores.

Promises: a missing file, a missing key and ``null`` mean the original's defaults; the notes by role
are merged into its own; a value of a wrong type, an unknown key and a role that stands in no order
are told with the nearest word and never used. ValueError for what is no JSON object at all.

    >>> read_contracts(b'{"role_order": ["website", "integrator"]}').roles
    ('website', 'integrator')
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from handrail.core.nearest import nearest
from handrail.core.record import Record
from handrail.core.scope import parse_pattern
from handrail.errors import MalformedScope
from handrail.projections.aliases import told_of
from handrail.projections.loose_json import joined, read_json, shown
from handrail.projections.port import Told

ROLES: Final = (
    *("topic00", "topic01", "topic02", "topic03"),
    *("website", "ops-tooling", "integrator"),
)
COORDINATOR: Final = "integrator"
NOTES: Final[Mapping[str, str]] = {
    "website": "site/website_agent_working_note.md",
    "ops-tooling": "ops/ops_tooling_agent_working_note.md",
}
_PATHS: Final = (
    "ignored_prefixes",
    "ignored_site_output_prefixes",
    "ignored_site_output_files",
    "legacy_website_source_files",
    "legacy_website_source_prefixes",
)
_NAMES: Final = ("role_order", "owned_lane_roles")
KEYS: Final = (*_NAMES, "lane_note_by_role", *_PATHS)


class Contracts(Record):
    """Roles in order; those that own a lane; the note of each; paths by what they are for.

    ``ignored_prefixes`` and ``ignored_files`` belong to no lane: outputs of the site and the rest;
    the ``website`` ones are sources of the website outside of its folder.
    """

    roles: tuple[str, ...]
    owned: tuple[str, ...]
    notes: Mapping[str, str]
    ignored_prefixes: tuple[str, ...]
    ignored_files: tuple[str, ...]
    website_prefixes: tuple[str, ...]
    website_files: tuple[str, ...]
    told: tuple[Told, ...] = ()


def read_contracts(content: bytes | None) -> Contracts:
    """Read the file; None where there is none. Raises ValueError for what is no such file."""
    told: list[Told] = []
    file: Mapping[str, Any] = {}
    if content is not None:
        found = read_json(content)
        told.extend(found.told)
        if len(found.values) > 1 or not isinstance(found.values[0], dict):
            raise ValueError("The file is no JSON object, or a merge conflict stands in it.")
        file = found.values[0]
    for name in file:
        if name not in KEYS:
            sentence = f"There is no key {shown(name)}; it is not used."
            told.append(Told(joined("", name), "key_unknown", sentence, nearest(name, KEYS)))
    roles = tuple(_texts(file, "role_order", told, _is_name) or ROLES)
    owned = _texts(file, "owned_lane_roles", told, _is_name)
    if owned is None:
        owned = [role for role in roles if role != COORDINATOR]
    paths = {name: tuple(_texts(file, name, told, _is_path) or ()) for name in _PATHS}
    return Contracts(
        roles,
        tuple(_known("owned_lane_roles", owned, roles, told)),
        _notes(file, roles, told),
        paths["ignored_prefixes"] + paths["ignored_site_output_prefixes"],
        paths["ignored_site_output_files"],
        paths["legacy_website_source_prefixes"],
        paths["legacy_website_source_files"],
        tuple(told),
    )


def _texts(
    file: Mapping[str, Any], name: str, told: list[Told], fault: Callable[[str], str | None]
) -> list[str] | None:
    """Return a list of texts without those that are none; None where the default counts."""
    value = file.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        sentence = f"{shown(value)} is no list; the default counts."
        told.append(Told(name, "key_type", sentence))
        return None
    found: dict[str, None] = {}
    for index, item in enumerate(value):
        reason = fault(item) if isinstance(item, str) else "it is no text"
        if reason is None and item in found:
            reason = "it stands there twice"
        if reason is None:
            found[item] = None
        else:
            sentence = f"{shown(item)} is not used: {reason}."
            told.append(Told(f"{name}[{index}]", "value_malformed", sentence))
    return list(found)


def _is_name(text: str) -> str | None:
    plain = text.replace("-", "").replace("_", "")
    return None if plain.isascii() and plain.isalnum() else "it is no name of a role"


def _is_path(text: str) -> str | None:
    try:
        pattern = parse_pattern(text)
    except MalformedScope as error:
        return str(error.values.get("reason"))
    return None if pattern.is_literal else "it is a pattern, and the original compares letters"


def _known(place: str, names: list[str], roles: tuple[str, ...], told: list[Told]) -> Iterator[str]:
    for index, name in enumerate(names):
        unknown = told_of(f"{place}[{index}]", "role", name, roles)
        if unknown is None:
            yield name
        else:
            told.append(unknown)


def _notes(file: Mapping[str, Any], roles: tuple[str, ...], told: list[Told]) -> dict[str, str]:
    notes = {role: path for role, path in NOTES.items() if role in roles}
    value = file.get("lane_note_by_role")
    if value is None:
        return notes
    if not isinstance(value, dict):
        sentence = f"{shown(value)} is no object; the defaults count."
        told.append(Told("lane_note_by_role", "key_type", sentence))
        return notes
    for role, path in value.items():
        place = joined("lane_note_by_role", role)
        unknown = told_of(place, "role", role, roles)
        reason = _is_path(path) if isinstance(path, str) else "it is no text"
        if unknown is not None:
            told.append(unknown)
        elif path is None:
            continue
        elif reason is not None:
            told.append(Told(place, "value_malformed", f"{shown(path)} is not used: {reason}."))
        else:
            notes[role] = path
    return notes

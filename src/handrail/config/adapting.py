"""A preset's text for a repository in which the original runs: its roles, their notes, its outputs.

Promises: pure; a role that the original does not have goes, one that the preset does not have gets
the lane that its name or its note tells, or none; everything else of the text stays as it is.

    adapted(text, Original((Found("website", "site/notes.md"),), exempt=("site/_site/**",)))
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from handrail.config.joining import Part, Row, in_toml, listed, parts_of, text_of
from handrail.core.record import Record

NOTE: Final = "lanes-note"
_TOPIC: Final = re.compile(r"topic[0-9]{2,}")
_EVERYBODY: Final = "may_write"


class Found(Record):
    """A role of the original: its note, whether it owns a lane, what else lies in that."""

    name: str
    note: str | None = None
    owns: bool = True
    lane: tuple[str, ...] = ()
    coordinates: bool = False


class Original(Record):
    """What the original says of roles, in its order, and which paths need no lease.

    ``moved`` are documents that lie elsewhere here than the preset says: from where to where.
    """

    roles: tuple[Found, ...] = ()
    exempt: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()


def adapted(text: str, original: Original) -> str:
    """Return a preset's text with the original's roles in the place of its own, if it has any."""
    parts = parts_of("", text)
    if original.roles:
        parts = _with_roles(parts, original.roles)
    if original.exempt:
        parts = [
            _with_exempt(part, original.exempt) if part.name == "workspace" else part
            for part in parts
        ]
    text = text_of(parts)
    for old, new in original.moved:
        text = text.replace(in_toml(old), in_toml(new))
    return text


def is_in_lane(path: str, lane: Sequence[str]) -> bool:
    """Tell whether a path lies in one of the patterns of a lane."""
    from handrail.core.scope.match import matches
    from handrail.core.scope.pattern import parse_pattern

    return any(matches(parse_pattern(text), path) for text in lane)


def _with_roles(parts: Sequence[Part], roles: Sequence[Found]) -> list[Part]:
    known = {part.value["name"]: part for part in parts if part.name == "role"}
    first = next(part for part in parts if part.name == "role")
    rows = [_role(known.get(role.name), role, first) for role in roles]
    if first.value["name"] not in {role.name for role in roles}:
        rows[0] = rows[0]._replace(head=first.head)
    at = parts.index(first)
    rest = [part for part in parts[at:] if part.name != "role"]
    notes = [part.value["note"] for part in rows if "note" in part.value]
    return [*parts[:at], *rows, *_with_notes(rest, dict.fromkeys(notes))]


def _with_notes(parts: Sequence[Part], notes: Iterable[str]) -> list[Part]:
    """Return the tables with a projection for each role's note, and for no other."""
    kept: list[Part] = []
    at = None
    for part in parts:
        if part.name == "projection" and part.value["format"] == NOTE:
            at = len(kept) if at is None else at
        else:
            kept.append(part)
    if at is None:
        return kept
    lines = [(f'format = "{NOTE}"', f"path = {in_toml(note)}") for note in notes]
    rows = [Part("projection", True, ("[[projection]]",), (), two, "") for two in lines]
    return [*kept[:at], *rows, *kept[at:]]


def _role(part: Part | None, role: Found, first: Part) -> Part:
    """Return the table of a role, as the preset has it where it has it."""
    value: dict[str, Any] = {"name": role.name, "lane": [], **(part.value if part else {})}
    if part is None and _EVERYBODY in first.value:
        value[_EVERYBODY] = first.value[_EVERYBODY]
    old = value.pop("note", None)
    lane = [text for text in value["lane"] if text != old]
    if part is None:
        lane = _lane_of(role) if role.owns else []
        if role.coordinates:
            value["coordinates"] = True
    lane += [text for text in role.lane if text not in lane]
    note = role.note or old
    if note is not None:
        value["note"] = note
        if not is_in_lane(note, lane):
            lane.append(note)
    value["lane"] = lane
    if part is not None and value == part.value:
        return part
    order = ("name", "lane", "note", *(key for key in value if key not in ("name", "lane", "note")))
    keys = [Row(key, _written(key, value[key]), value[key], "") for key in order if key in value]
    return Part("role", True, part.head if part else first.head[-1:], tuple(keys), (), "")


def _lane_of(role: Found) -> list[str]:
    """Return the lane that the name of a role tells, or the folder of its note."""
    if _TOPIC.fullmatch(role.name):
        return [f"content/topics/{role.name}_*/**"]
    folder = role.note.rpartition("/")[0] if role.note else ""
    return [f"{folder}/**"] if folder else []


def _written(key: str, value: Any) -> tuple[str, ...]:
    return listed(key, value) if isinstance(value, list) else (f"{key} = {in_toml(value)}",)


def _with_exempt(part: Part, exempt: Sequence[str]) -> Part:
    """Return the table `[workspace]` with these paths exempt besides its own."""
    own = part.value.get("exempt", [])
    both = [*own, *(text for text in exempt if text not in own)]
    rows = [row for row in part.rows if row.key != "exempt"]
    tail = [line for line in part.tail if not line.startswith("# exempt")]
    return part._replace(rows=tuple(rows), tail=(*listed("exempt", both), *tail))

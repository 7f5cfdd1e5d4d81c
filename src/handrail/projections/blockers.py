"""``blockers.json`` of mosaic: what is in the way, as agents and people wrote it.

Promises: each blocker is a row of its own and stays as it was written; Handrail writes only when
one was last changed. ``resolved`` says which were called resolved under Handrail, and what they
name as proof; what was resolved before the import is history, and nobody has to prove it.

    [one.blocker for one in resolved(known.rows)]
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from handrail.core.record import Record
from handrail.projections.aliases import resolved as meant
from handrail.projections.kept import LAYOUT, FieldsFile, Kept
from handrail.projections.mosaic import BLOCKER_STATES, BLOCKERS, schema
from handrail.projections.port import Known, Projection
from handrail.text import rfc3339

RESOLVED: Final = "resolved"
LISTS: Final = ("blockers", "archived_blockers")
SCHEMA_ID: Final = "blockers.schema.json"
_COMMIT: Final = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{7,64}(?![0-9A-Za-z])")
_RECEIPT: Final = re.compile(r"(?:receipt )?((?:[a-z0-9]{1,40}:)?[1-9][0-9]{0,14})")
_NAMED: Final = re.compile(
    r"\breceipt[ :#]*((?:[a-z0-9]{1,40}:)?[1-9][0-9]{0,14})\b", re.IGNORECASE
)
COMMITS_MAX: Final = 8


class Resolved(Record):
    """A blocker that is called resolved: with what words, which commits and receipt it names.

    A receipt is named by its number in the ledger, with the ledger's epoch before it or not.
    """

    blocker: str
    resolution: str
    commits: tuple[str, ...]
    receipt: str


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft-07) of the file."""
    return schema(SCHEMA_ID, BLOCKERS)


def _first(known: Known) -> Mapping[str, Any]:
    """Return what the file begins with."""
    return {"version": 1, "updated_at": rfc3339(known.now), "blockers": []}


def _stamps(known: Known) -> Mapping[str, Any]:
    return {"updated_at": rfc3339(known.now)}


BLOCKERS_FILE: Final = FieldsFile(BLOCKERS, lambda known: {}, _first, _stamps, LISTS)


def resolved(rows: Mapping[str, str]) -> tuple[Resolved, ...]:
    """Return the blockers that were called resolved under Handrail, by the rows of the file."""
    found = []
    for name in LISTS:
        for key in Kept(rows).lists.get(name, ()) if LAYOUT in rows else ():
            row = json.loads(rows.get(f"{name}/{key}", "null")) or {}
            value = row.get("value")
            if isinstance(value, dict) and not row.get("history") and _is_resolved(value):
                found.append(_resolved(key, value))
    return tuple(found)


def _is_resolved(value: Mapping[str, Any]) -> bool:
    said = value.get("status")
    word = said if isinstance(said, str) else ""
    return meant("mosaic_status", word, BLOCKER_STATES).value == RESOLVED


def _resolved(key: str, value: Mapping[str, Any]) -> Resolved:
    words = value.get("resolution")
    text = words.strip() if isinstance(words, str) else ""
    named = value.get("commit")
    commits = [named] if isinstance(named, str) and _COMMIT.fullmatch(named) else []
    commits += _COMMIT.findall(text)
    return Resolved(
        blocker=str(value.get("id", key))[:80],
        resolution=text,
        commits=tuple(dict.fromkeys(commits))[:COMMITS_MAX],
        receipt=_receipt(value, text),
    )


def _receipt(value: Mapping[str, Any], text: str) -> str:
    for name in ("receipt", "evidence"):
        said = value.get(name)
        word = str(said) if type(said) is int or isinstance(said, str) else ""
        found = _RECEIPT.fullmatch(word)
        if found is not None:
            return found[1]
    named = _NAMED.search(text)
    return named[1] if named is not None else ""


PROJECTION: Final = Projection(
    "mosaic-blockers", BLOCKERS_FILE.render, BLOCKERS_FILE.read, whole=True, steady=True
)

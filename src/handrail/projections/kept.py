"""A JSON file of fields: some that the tool knows, the others kept as rows and shown as they were.

Each field that people wrote is a row ``field/NAME``, each entry of a list of records a row of its
own, the layout of the file a row too. A row remembers since when it says so. What the tool knows of
a field counts once it is newer than the row; so a file that was just imported comes out as it was,
and changes with the first thing that happens under Handrail.

Promises: every value of the file is kept, told or shown again; what is not an object, or holds a
field that is too long for a row, is a ValueError; the same knowledge gives the same bytes, whatever
HEAD is and however often it is asked.

    >>> file = FieldsFile((Field("title", "text", "you", ""),), lambda known: {}, lambda known: {})
    >>> read = file.read(Known(now=5), b'{"title": "x"}', importing=False)
    >>> file.render(Known(now=6, rows=rows_of(read.rows)), None)
    b'{"title": "x"}'
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from handrail.core.projected import RECORD_CHARS_MAX
from handrail.core.record import Record
from handrail.projections.instants import instant_ms
from handrail.projections.json_text import Layout, compact, read_json, same, write_json
from handrail.projections.mosaic import TOOL, Field, check, place, shown
from handrail.projections.port import Known, Read, Row, Told

NAME_CHARS_MAX: Final = 200
LAYOUT: Final = "layout"
FIELD: Final = "field/"
_PROMISED: Final = "Handrail writes this field"

Since = tuple[int, Any]
"""A value, and since when (ms since 1970) it is so."""


class Shown(Record):
    """A field as it is rendered; ``by_tool`` where the tool knows it better than any row."""

    value: Any
    by_tool: bool


class FieldsFile(Record):
    """A format of one JSON object.

    ``derive`` gives what the tool knows of fields, with since when; ``first`` what a file begins
    with that nobody has written yet; ``stamps`` the tool's fields that change with what people
    write; ``lists`` names the lists whose entries are rows of their own.
    """

    fields: tuple[Field, ...]
    derive: Callable[[Known], Mapping[str, Since]]
    first: Callable[[Known], Mapping[str, Any]]
    stamps: Callable[[Known], Mapping[str, Any]] = lambda known: {}
    lists: tuple[str, ...] = ()

    # --- writing ---------------------------------------------------------------------------------

    def render(self, known: Known, before: bytes | None) -> bytes | None:
        """Return the file's bytes."""
        kept = Kept(known.rows)
        found = {name: one.value for name, one in self._shown(known, kept, before).items()}
        order = [name for name in kept.order if name in found]
        order += [name for name in (one.name for one in self.fields) if name in found]
        return write_json({name: found[name] for name in dict.fromkeys([*order, *found])}, kept.how)

    def _shown(self, known: Known, kept: Kept, before: bytes | None) -> dict[str, Shown]:
        found: dict[str, Shown] = {}
        if not kept.began:
            standing = _value_of(before)
            for name, value in self.first(known).items():
                found[name] = Shown(standing.get(name, value), by_tool=False)
        for name, (_, value) in kept.fields.items():
            found[name] = Shown(value, by_tool=False)
        for name in self.lists:
            entries = kept.entries(name)
            if entries or name in kept.lists:
                found[name] = Shown(entries, by_tool=False)
        for name, (since, value) in self.derive(known).items():
            if since > kept.fields.get(name, (kept.imported_at, None))[0]:
                found[name] = Shown(value, by_tool=True)
        return found

    # --- reading ---------------------------------------------------------------------------------

    def read(self, known: Known, content: bytes, *, importing: bool) -> Read:
        """Return what the file says as rows; the tool's own fields are history when importing."""
        value, how, odd = read_json(content)
        if not isinstance(value, dict):
            raise ValueError(f"it is no JSON object: it is {shown(value)}")
        kept = Kept(known.rows)
        by_tool = {one.name for one in self.fields if one.by == TOOL}
        stamps = {} if importing else self.stamps(known)
        shown_now = {} if importing else self._shown(known, kept, content)
        lists = [name for name in self.lists if isinstance(value.get(name), list)]
        made = _Made(known, kept, importing)
        typed: dict[str, Any] = {}
        for name, one in value.items():
            if len(name) > NAME_CHARS_MAX:
                raise ValueError(f"the name of field {place(name)} is too long")
            now = shown_now.get(name)
            if name in lists:
                made.entries(name, one)
            elif now is not None and now.by_tool and (name in by_tool or same(one, now.value)):
                typed |= {} if same(one, now.value) else {name: now.value}
                made.again(FIELD + name)
            else:
                made.field(FIELD + name, one, counts=name not in by_tool or name in stamps)
        made.layout(how, list(value), lists)
        if made.changed(by_tool - set(stamps)):
            for name, stamp in stamps.items():
                made.put(FIELD + name, {"at": known.now, "value": stamp})
                old = shown_now[name].value if name in shown_now else None
                if name in value and not _means(value[name], stamp, old):
                    typed[name] = stamp
        told = [_overwritten(name, value[name], meant) for name, meant in typed.items()]
        return Read(made.done(), (*odd, *check(value, self.fields), *told))


def _means(typed: Any, stamp: Any, old: Any) -> bool:
    """Tell whether somebody left a field alone, or wrote what the tool writes, maybe in short."""
    short = isinstance(typed, str) and len(typed) >= 7 and str(stamp).startswith(typed)
    return short or same(typed, old)


def _overwritten(name: str, typed: Any, value: Any) -> Told:
    sentence = f"{_PROMISED}: it is {shown(value)}, and not {shown(typed)}"
    return Told(place(name), "tool_field", sentence, value if isinstance(value, str) else None)


def _value_of(before: bytes | None) -> Mapping[str, Any]:
    try:
        value = {} if before is None else read_json(before)[0]
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


# --- rows ----------------------------------------------------------------------------------------


def rows_of(rows: Iterable[Row]) -> dict[str, str]:
    """Return rows by name, as they are kept; those that were taken away are not there."""
    return {row.key: row.record for row in rows if row.record}


class Kept:
    """The rows that are kept of a file."""

    def __init__(self, rows: Mapping[str, str]) -> None:
        self.rows = rows
        layout = json.loads(rows[LAYOUT]) if LAYOUT in rows else {}
        self.began = LAYOUT in rows
        self.imported_at: int = layout.get("imported_at", -1)
        self.order: list[str] = layout.get("order", [])
        self.lists: dict[str, list[str]] = layout.get("lists", {})
        self.how = Layout(*layout["how"]) if "how" in layout else Layout()
        self.fields: dict[str, Since] = {
            key.removeprefix(FIELD): self.since(key) for key in rows if key.startswith(FIELD)
        }

    def since(self, key: str) -> Since:
        """Return a row's value, and since when it says so."""
        row = json.loads(self.rows[key])
        return row["at"], row["value"]

    def entries(self, name: str) -> list[Any]:
        """Return the entries of a list: in its order, then those that it does not name."""
        named = [f"{name}/{key}" for key in self.lists.get(name, ())]
        keys = [*named, *sorted(key for key in self.rows if key.startswith(f"{name}/"))]
        return [self.since(key)[1] for key in dict.fromkeys(keys) if key in self.rows]


class _Made:
    """The rows that a file gives."""

    def __init__(self, known: Known, kept: Kept, importing: bool) -> None:
        self.known = known
        self._kept = kept
        self._importing = importing
        self._rows: dict[str, Row] = {}
        self._lists: dict[str, list[str]] = {}
        self._counts = False

    def put(self, key: str, record: dict[str, Any], claimed_at: int = 0) -> None:
        """Add a row, whatever was there."""
        text = compact(record)
        if len(text) > RECORD_CHARS_MAX:
            raise ValueError(f"{place(key)} has more than {RECORD_CHARS_MAX} characters")
        self._rows[key] = Row(key, text, claimed_at)

    def again(self, key: str) -> None:
        """Leave a row as it is kept, if it is."""
        if key in self._kept.rows:
            self._rows[key] = Row(key, self._kept.rows[key])

    def field(self, key: str, value: Any, *, counts: bool, former: str | None = None) -> None:
        """Add a row of a value; one that says the same as before says so since then.

        ``former`` is the row that it was before. What was imported stays history while its state
        does.
        """
        record: dict[str, Any] = {"at": self.known.now, "value": value}
        old = json.loads(self._kept.rows.get(former or key, "null")) or {}
        if self._importing or (old.get("history") and _stands(old["value"], value)):
            record["history"] = True
        if key in self._kept.rows and same(old["value"], value):
            record = {**old, "value": value}
            counts = False
        self._counts = self._counts or counts
        self.put(key, record, _claimed_at(value))

    def entries(self, name: str, entries: list[Any]) -> None:
        """Add a row for each entry of a list, under its id where it has one of its own."""
        keys = self._lists[name] = _keys_of(entries)
        for key, one in zip(keys, entries, strict=True):
            before = [f"{other}/{key}" for other in (name, *self._kept.lists)]
            former = next((old for old in before if old in self._kept.rows), None)
            self.field(f"{name}/{key}", one, counts=True, former=former)

    def layout(self, how: Layout, order: list[str], lists: list[str]) -> None:
        """Add the row that says how the file was written."""
        named = {name: self._lists[name] for name in lists}
        at = self.known.now if self._importing else self._kept.imported_at
        record = {"how": list(how), "order": order, "lists": named, "imported_at": at}
        self.put(LAYOUT, record)

    def changed(self, by_tool: Iterable[str]) -> bool:
        """Tell whether people changed something that is theirs."""
        ours = {LAYOUT, *(FIELD + name for name in by_tool)}
        gone = [key for key in self._kept.rows if key not in self._rows and key not in ours]
        return self._counts or bool(gone)

    def done(self) -> tuple[Row, ...]:
        """Return all rows by name; those that are gone are empty."""
        gone = {key: Row(key, "") for key in self._kept.rows if key not in self._rows}
        return tuple(row for _, row in sorted({**self._rows, **gone}.items()))


def _stands(old: Any, value: Any) -> bool:
    """Tell whether an entry's state is what it was."""
    both = isinstance(old, dict) and isinstance(value, dict)
    return both and same(old.get("status"), value.get("status"))


def _keys_of(entries: list[Any]) -> list[str]:
    named = [str(one.get("id")) if isinstance(one, dict) else "" for one in entries]
    return [
        name
        if name.isascii() and name.isalnum() and len(name) <= 40 and named.count(name) == 1
        else f"~{place:06d}"
        for place, name in enumerate(named, 1)
    ]


def _claimed_at(value: Any) -> int:
    """Return what a value says of its own time."""
    said = value if isinstance(value, dict) else {"at": value}
    for name in ("resolved_at", "updated_at", "created_at", "at"):
        at = instant_ms(said.get(name))
        if at is not None and at > 0:
            return at
    return 0

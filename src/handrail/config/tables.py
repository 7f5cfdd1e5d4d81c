"""The kinds of composed values: arrays, maps, tables with known keys, tables of several forms.

Promise: as ``config.kinds``; what is checked is built at once, into the records that settings are
made of. A table is a list of keys, and a key is one row: name, kind, meaning, default.

    Table("[limits]", (Key("ttl", Duration("1s", "24h"), "…", "90m", field="ttl_ms"),), Limits)
"""

from __future__ import annotations

from collections.abc import Callable

from handrail.config.kinds import INVALID, PATH, JsonSchema, Kind, Scope, Text, mistyped
from handrail.config.lines import Path
from handrail.config.report import Report, quoted
from handrail.core.record import Record
from handrail.typed import Any, Final

REQUIRED: Final = object()


class Each(Record):
    """An array whose elements are all of one kind, as a tuple."""

    kind: Kind
    least: int = 0
    distinct: bool = False

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""
        if type(value) is not list:
            return mistyped(value, "an array in [ ]", at, report)
        if len(value) < self.least:
            report.add(at, f"must have at least {self.least} element")
            return INVALID
        elements: list[Any] = []
        first_at: dict[str, Path] = {}
        for index, element in enumerate(value):
            place = (*at, index)
            elements.append(self.kind.check(element, place, report))
            if self.distinct and isinstance(element, str):
                if element in first_at:
                    again = f"{quoted(element)} is here twice"
                    report.add(place, again, first_at=first_at[element])
                first_at.setdefault(element, place)
        return INVALID if INVALID in elements else tuple(elements)

    def schema(self) -> JsonSchema:
        """Write the JSON Schema."""
        schema: JsonSchema = {"type": "array", "items": self.kind.schema()}
        schema |= {"minItems": self.least} if self.least else {}
        return schema | ({"uniqueItems": True} if self.distinct else {})

    def words(self) -> str:
        """Name the kind."""
        return f"array of: {self.kind.words()}"


SCOPES: Final = Each(Scope())
PATHS: Final = Each(PATH)


class Mapping(Record):
    """A table whose keys are free within a form, as pairs in the order of the keys."""

    names: Text
    values: Kind

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""
        if type(value) is not dict:
            return mistyped(value, "a table", at, report)
        pairs = []
        for name, mapped in value.items():
            place = (*at, name)
            pair = self.names.check(name, place, report), self.values.check(mapped, place, report)
            pairs.append(pair)
        return INVALID if any(INVALID in pair for pair in pairs) else tuple(sorted(pairs))

    def schema(self) -> JsonSchema:
        """Write the JSON Schema."""
        names, values = self.names.schema(), self.values.schema()
        return {"type": "object", "propertyNames": names, "additionalProperties": values}

    def words(self) -> str:
        """Name the kind."""
        return f"table from {self.names.words()} to {self.values.words()}"


class Key(Record):
    """A row of the table: what a key is called, holds and means, and its default.

    A default of None means that the key may be absent; `absent` then says what that means.
    `field` is the name of the setting, where it differs.
    """

    name: str
    kind: Kind
    meaning: str
    default: Any = REQUIRED
    absent: str = ""
    field: str = ""


class Table(Record):
    """A table with known keys only, of which at least `least` are there, built with `make`."""

    title: str
    keys: tuple[Key, ...]
    make: Callable[..., Any]
    least: int = 0

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""
        if type(value) is not dict:
            return self._no_table(value, at, report)
        known = {key.name: key for key in self.keys}
        for name in value:
            if name not in known:
                reason = f"there is no key {quoted(name)} in {self.title}"
                report.add((*at, name), reason, word=name or "-", known=known)
        if len(value) < self.least:
            report.add(at, f"{self.title} needs one of {', '.join(known)}")
            return INVALID
        fields = {key.field or key.name: self._value(key, value, at, report) for key in self.keys}
        return INVALID if INVALID in fields.values() else self.make(**fields)

    def _value(self, key: Key, table: dict[str, object], at: Path, report: Report) -> Any:
        """Check one key of the table, or its default."""
        if key.name in table:
            return key.kind.check(table[key.name], (*at, key.name), report)
        if key.default is REQUIRED:
            report.add(at, f"{self.title} needs {_key_words(key)}")
            return INVALID
        return key.default if key.default is None else key.kind.check(key.default, at, report)

    def _no_table(self, value: object, at: Path, report: Report) -> object:
        """Note that there is something else, and what would be right."""
        if type(value) is list and len(at) == 1:
            report.add(at, f"is one table, not an array: write {self.title} in single brackets")
            return INVALID
        return mistyped(value, "a table", at, report)

    def schema(self) -> JsonSchema:
        """Write the JSON Schema."""
        properties = {key.name: _key_schema(key) for key in self.keys}
        required = [key.name for key in self.keys if key.default is REQUIRED]
        schema: JsonSchema = {"type": "object", "properties": properties}
        schema |= {"required": required} if required else {}
        schema |= {"minProperties": self.least} if self.least else {}
        return schema | {"additionalProperties": False}

    def words(self) -> str:
        """Name the kind."""
        return "table"


class Tables(Record):
    """An array of tables, such as ``[[role]]``, as a tuple."""

    table: Table
    least: int = 0

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""
        if type(value) is dict:
            report.add(at, f"is an array of tables: write {self.table.title} in double brackets")
            return INVALID
        return Each(self.table, self.least).check(value, at, report)

    def schema(self) -> JsonSchema:
        """Write the JSON Schema."""
        return Each(self.table, self.least).schema()

    def words(self) -> str:
        """Name the kind."""
        return "array of tables"


class Forms(Record):
    """A table whose other keys depend on one key, the `tag`."""

    title: str
    tag: str
    meaning: str
    forms: tuple[tuple[str, Table], ...]

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""
        if type(value) is not dict:
            return mistyped(value, "a table", at, report)
        if self.tag not in value:
            report.add(at, f"{self.title} needs {quoted(self.tag)}")
            return INVALID
        forms, tag = dict(self.forms), value[self.tag]
        if type(tag) is not str:
            return mistyped(tag, f"one of {', '.join(forms)}", (*at, self.tag), report)
        if tag not in forms:
            reason = f"there is no {self.tag} {quoted(tag)}"
            report.add((*at, self.tag), reason, word=tag, known=forms)
            return INVALID
        rest = {name: it for name, it in value.items() if name != self.tag}
        return forms[tag].check(rest, at, report)

    def schema(self) -> JsonSchema:
        """Write the JSON Schema."""
        return {"oneOf": [self._form_schema(name, table) for name, table in self.forms]}

    def _form_schema(self, name: str, table: Table) -> JsonSchema:
        """Write the schema of one form: its table and the tag."""
        schema = table.schema()
        tag = {"const": name, "description": self.meaning}
        schema["properties"] = {self.tag: tag} | schema["properties"]
        schema["required"] = [self.tag, *schema.get("required", [])]
        return schema

    def words(self) -> str:
        """Name the kind."""
        return "table"


def _key_words(key: Key) -> str:
    """Name a key as one writes it: a section by its header."""
    table = key.kind.table if isinstance(key.kind, Tables) else key.kind
    return table.title if isinstance(table, Table) and "[" in table.title else quoted(key.name)


def _key_schema(key: Key) -> JsonSchema:
    """Write the schema of a key's value with its meaning and default."""
    schema: JsonSchema = {"description": key.meaning, **key.kind.schema()}
    if key.default is not REQUIRED and key.default is not None:
        schema["default"] = key.default
    return schema

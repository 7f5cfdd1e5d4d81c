r"""Several presets as one text: their tables, roles and keys joined, their comments kept.

Promises: pure; what two presets say alike stands there once; what only one says stands there as it
says it, comments included; where two say different things, the one that is not the default counts,
of two levels of a gate the stricter, of two lists both; anything else is refused, with both names.
A role that owns everything is for presets that divide nothing: beside other roles it is left out.

    >>> texts = ('[limits]\nttl = "90m"\n', '[limits]\nttl = "2h"  # long\n')
    >>> joined((("a", texts[0]), ("b", texts[1])))
    '[limits]\nttl = "2h"  # long\n'
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from handrail.config.schema import HANDRAIL_TOML
from handrail.config.tables import REQUIRED, Table
from handrail.config.vocabulary import LEVELS
from handrail.core.record import Record
from handrail.errors import Usage

MINIMAL: Final = "minimal"
LINE_CHARS_MAX: Final = 100
_EVERYTHING: Final = ["**"]
_HEADER: Final = re.compile(r"(?P<open>\[\[?)(?P<name>\w+)\]\]?")
_ORDER: Final = {key.name: place for place, key in enumerate(HANDRAIL_TOML.keys)}
_NAMED_BY: Final = {
    **dict.fromkeys(("role", "phase", "person", "agent"), "name"),
    **dict.fromkeys(("gate", "trigger", "epoch"), "id"),
    "projection": "path",
}
"""What tells the rows of an array of tables apart; others are told apart by all they say."""


class Row(Record):
    """A key of a table: the lines that write it, the comments above it included."""

    key: str
    lines: tuple[str, ...]
    value: Any
    preset: str


class Part(Record):
    """A table of a text; ``name`` is empty for a paragraph of comments, ``many`` is for [[…]]."""

    name: str
    many: bool
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    tail: tuple[str, ...]
    preset: str

    @property
    def value(self) -> dict[str, Any]:
        """What the table holds."""
        return {row.key: row.value for row in self.rows}

    @property
    def text(self) -> str:
        """The lines of the table."""
        lines = (*self.head, *(line for row in self.rows for line in row.lines), *self.tail)
        return "\n".join(lines)


def joined(presets: Sequence[tuple[str, str]]) -> str:
    """Join the texts of presets, each with its name; raises Usage for what contradicts itself."""
    if len(presets) > 1:
        presets = [one for one in presets if one[0] != MINIMAL]
    (first, text), *others = presets
    if not others:
        return text
    names = [name for name, _ in presets]
    parts = parts_of(first, text)
    for name, more in others:
        for part in parts_of(name, more):
            _add(parts, part, names)
    divided = any(part.name == "role" and not _owns_everything(part) for part in parts)
    kept = [part for part in parts if not (divided and _owns_everything(part))]
    return text_of(kept)


def listed(key: str, values: Sequence[str]) -> tuple[str, ...]:
    """Write a key with a list of texts, on one line if it is short enough."""
    words = [in_toml(value) for value in values]
    line = f"{key} = [{', '.join(words)}]"
    if len(line) <= LINE_CHARS_MAX:
        return (line,)
    return (f"{key} = [", *(f"  {word}," for word in words), "]")


def in_toml(value: str | bool) -> str:
    """Write a text or a boolean as TOML does, which is as JSON does."""
    import json

    return json.dumps(value, ensure_ascii=False)


def _owns_everything(part: Part) -> bool:
    return (
        part.name == "role"
        and set(part.value) == {"name", "lane"}
        and (part.value["lane"] == _EVERYTHING)
    )


# --- reading -------------------------------------------------------------------------------------


def parts_of(preset: str, text: str) -> list[Part]:
    """Read the tables of a preset's text."""
    return [_part(preset, paragraph) for paragraph in _paragraphs(text)]


def text_of(parts: Sequence[Part]) -> str:
    """Write tables as they are written."""
    return "\n\n".join(part.text for part in parts) + "\n"


def _paragraphs(text: str) -> Iterator[list[str]]:
    """Yield what stands between empty lines; presets write each table without one."""
    paragraph: list[str] = []
    for line in [*text.split("\n"), ""]:
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            yield paragraph
            paragraph = []


def _part(preset: str, lines: Sequence[str]) -> Part:
    at = next((at for at, line in enumerate(lines) if line.startswith("[")), None)
    if at is None:
        return Part("", False, (), (), tuple(lines), preset)
    found = _HEADER.match(lines[at])
    assert found is not None, f"{preset}: {lines[at]}"
    rows, tail = _rows(preset, lines[at + 1 :])
    many = found["open"] == "[["
    return Part(found["name"], many, tuple(lines[: at + 1]), tuple(rows), tuple(tail), preset)


def _rows(preset: str, lines: Sequence[str]) -> tuple[list[Row], list[str]]:
    """Read the keys of a table, and the comments after the last of them."""
    rows: list[Row] = []
    pending: list[str] = []
    for line in lines:
        pending.append(line)
        try:
            value = tomllib.loads("\n".join(pending))
        except tomllib.TOMLDecodeError:
            continue  # a list goes on in the next line
        for key in value:
            rows.append(Row(key, tuple(pending), value[key], preset))
            pending = []
    return rows, pending


# --- joining -------------------------------------------------------------------------------------


def _add(parts: list[Part], part: Part, names: Sequence[str]) -> None:
    """Add a table to those that are there, or join it with the one that it means."""
    if not part.name:
        if part.tail not in {one.tail for one in parts if not one.name}:
            parts.append(part)
        return
    same = [at for at, one in enumerate(parts) if one.name == part.name]
    for at in same:
        if not part.many:
            parts[at] = _merged(parts[at], part, names)
            return
        if _identity(parts[at]) == _identity(part):
            _check_alike(parts[at], part, names)
            return
    later = [at for at, one in enumerate(parts) if _ORDER.get(one.name, -1) > _ORDER[part.name]]
    place = same[-1] + 1 if same else later[0] if later else len(parts)
    parts.insert(place, part)


def _identity(part: Part) -> object:
    named = _NAMED_BY.get(part.name)
    return part.value if named is None else part.value.get(named)


def _check_alike(part: Part, other: Part, names: Sequence[str]) -> None:
    """Refuse two rows of one name that do not say the same; raises Usage."""
    named = _NAMED_BY.get(part.name, "")
    mine, theirs = part.value, other.value
    for key in {**mine, **theirs}:
        if mine.get(key) != theirs.get(key):
            what = f'{part.name} "{mine.get(named)}": {key}'
            raise _contradiction(
                what, (part.preset, mine.get(key)), (other.preset, theirs.get(key)), names
            )


def _merged(part: Part, other: Part, names: Sequence[str]) -> Part:
    """Join two tables of the same name key by key."""
    rows = {row.key: row for row in part.rows}
    for row in other.rows:
        mine = rows.get(row.key)
        rows[row.key] = row if mine is None else _chosen(part.name, mine, row, names)
    new = (line for line in other.head if line not in part.head)
    head = *part.head[:-1], *new, part.head[-1]
    tail = *part.tail, *(line for line in other.tail if line not in part.tail)
    return part._replace(head=head, rows=tuple(rows.values()), tail=tail)


def _chosen(table: str, mine: Row, other: Row, names: Sequence[str]) -> Row:
    """Choose between two presets' values of a key, or make one of both; raises Usage."""
    if mine.value == other.value:
        return mine
    if table == "gates":
        return min(mine, other, key=lambda row: LEVELS.index(row.value))
    if isinstance(mine.value, list) and isinstance(other.value, list):
        both = [*mine.value, *(value for value in other.value if value not in mine.value)]
        above = [line for line in mine.lines if line.startswith("#")]
        return mine._replace(lines=(*above, *listed(mine.key, both)), value=both)
    default = _default(table, mine.key)
    if mine.value == default:
        return other
    if other.value == default:
        return mine
    what = f"{mine.key} of [{table}]"
    raise _contradiction(what, (mine.preset, mine.value), (other.preset, other.value), names)


def _default(table: str, key: str) -> object:
    """Return the default of a key, REQUIRED if it has none."""
    for one in HANDRAIL_TOML.keys:
        if one.name == table and isinstance(one.kind, Table):
            return next((row.default for row in one.kind.keys if row.name == key), REQUIRED)
    return REQUIRED


def _contradiction(
    what: str, mine: tuple[str, object], theirs: tuple[str, object], names: Sequence[str]
) -> Usage:
    def told(value: object) -> str:
        import json

        return "not there" if value is None else json.dumps(value, ensure_ascii=False)

    one, other = mine[0], theirs[0]
    reason = (
        f"The presets {one} and {other} contradict each other: {what} is {told(mine[1])} in {one}"
        f" and {told(theirs[1])} in {other}."
    )
    rest = ",".join(name for name in names if name != other)
    return Usage(reason=reason, next=f"handrail init --preset {rest}")

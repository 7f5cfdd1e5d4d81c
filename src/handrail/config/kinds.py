"""The kinds of single values: each checks a value, writes its JSON Schema, and names itself.

Promise: one object per row of the table says all three, so that validation, schema and
documentation cannot drift apart. ``check`` gives the value as settings hold it, or INVALID after
it told the report why; it never raises. The schema accepts whatever ``check`` accepts; it cannot
say everything (references, ranges of durations, the finer rules of scopes).

    >>> Duration("1s", "24h").check("90m", ("limits", "ttl"), Report())
    5400000
"""

from __future__ import annotations

import re

from handrail.config.lines import Path
from handrail.config.report import Report, quoted
from handrail.config.vocabulary import SSH_KEY_TYPES
from handrail.core.record import Record
from handrail.errors import MalformedScope
from handrail.text import parse_duration_ms
from handrail.typed import Any, Final, Protocol

INVALID: Final = object()
WHOLE_NUMBER_MAX: Final = 2**53
URL_MAX: Final = 2000
SHOWN_MAX: Final = 3
LISTED_MAX: Final = 8

JsonSchema = dict[str, Any]


class Kind(Protocol):
    """What a row of the table needs to know of its values."""

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""

    def schema(self) -> JsonSchema:
        """Write the JSON Schema of such values."""

    def words(self) -> str:
        """Name the kind for the documentation."""


def type_words(value: object) -> str:
    """Name the TOML type of a value."""
    return _TYPE_WORDS.get(type(value), "a date or time")


_TYPE_WORDS: Final[dict[type, str]] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "a boolean",
    list: "an array",
    dict: "a table",
}


def mistyped(value: object, wanted: str, at: Path, report: Report) -> object:
    """Note that a value has the wrong type."""
    report.add(at, f"must be {wanted}, not {type_words(value)}")
    return INVALID


class Text(Record):
    """Text of a form; it may define a name, refer to one, or take words that are no names.

    `pattern` is a regular expression both here and in ECMAScript, for the whole text.
    """

    what: str
    pattern: str
    rule: str
    defines: str = ""
    once: bool = True
    taken: tuple[str, ...] = ()
    refers: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()
    length_max: int = 200

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""
        if type(value) is not str:
            return mistyped(value, "text", at, report)
        if len(value) > self.length_max or not re.fullmatch(self.pattern, value):
            report.add(at, f"{quoted(value)} is no {self.what}: {self.rule}")
            return INVALID
        if value in self.taken:
            report.add(at, f"{quoted(value)} is a word of Handrail's own; take another name")
            return INVALID
        if self.defines:
            report.define(self.defines, value, at, once=self.once)
        if self.refers:
            report.refer(at, value, self.refers, self.reserved)
        return value

    def schema(self) -> JsonSchema:
        """Write the JSON Schema."""
        schema: JsonSchema = {"type": "string", "pattern": f"^(?:{self.pattern})$"}
        schema |= {"maxLength": self.length_max}
        return schema | ({"not": {"enum": list(self.taken)}} if self.taken else {})

    def words(self) -> str:
        """Name the kind."""
        if not self.refers:
            return self.what
        few = len(self.reserved) <= SHOWN_MAX
        also = [f"`{word}`" for word in self.reserved] if few else ["built-in one"]
        return " or ".join([*self.refers, *also])


class Enum(Record):
    """One of some words."""

    values: tuple[str, ...]

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""
        if type(value) is not str:
            return mistyped(value, "text", at, report)
        if value not in self.values:
            few = len(self.values) <= LISTED_MAX
            among = ", ".join(self.values) if few else f"the {len(self.values)} words known here"
            reason = f"{quoted(value)} is none of {among}"
            report.add(at, reason, word=value, known=self.values)
            return INVALID
        return value

    def schema(self) -> JsonSchema:
        """Write the JSON Schema."""
        return {"enum": list(self.values)}

    def words(self) -> str:
        """Name the kind."""
        return ", ".join(f"`{value}`" for value in self.values)


class Flag(Record):
    """True or false."""

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""
        return value if type(value) is bool else mistyped(value, "true or false", at, report)

    def schema(self) -> JsonSchema:
        """Write the JSON Schema."""
        return {"type": "boolean"}

    def words(self) -> str:
        """Name the kind."""
        return "`true`, `false`"


class Count(Record):
    """A whole number between bounds, both included."""

    least: int
    most: int

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""
        if type(value) is not int:
            return mistyped(value, "a whole number", at, report)
        if not self.least <= value <= self.most:
            report.add(at, f"must lie between {self.least} and {self.most}")
            return INVALID
        return value

    def schema(self) -> JsonSchema:
        """Write the JSON Schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def words(self) -> str:
        """Name the kind."""
        return f"{self.least} to {self.most}"


class Scalar(Record):
    """Text, a whole number or a boolean: what a field of a document may equal."""

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""
        if type(value) not in (str, int, bool):
            return mistyped(value, "text, a whole number or a boolean", at, report)
        if isinstance(value, int) and abs(value) > WHOLE_NUMBER_MAX:
            report.add(at, f"must lie between -{WHOLE_NUMBER_MAX} and {WHOLE_NUMBER_MAX}")
            return INVALID
        return value

    def schema(self) -> JsonSchema:
        """Write the JSON Schema."""
        number = {"type": "integer", "minimum": -WHOLE_NUMBER_MAX, "maximum": WHOLE_NUMBER_MAX}
        return {"anyOf": [{"type": ["string", "boolean"]}, number]}

    def words(self) -> str:
        """Name the kind."""
        return "text, whole number or boolean"


class Duration(Record):
    """A time such as ``90m``, as milliseconds; or one of some words, as it is."""

    least: str
    most: str
    reserved: tuple[str, ...] = ()

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""
        wanted = 'a duration in quotes, such as "90m"'
        if type(value) is not str:
            return mistyped(value, wanted, at, report)
        if value in self.reserved:
            return value
        ms = parse_duration_ms(value)
        if ms is None:
            either = "".join(f"{word}, " for word in self.reserved)
            reason = f'{quoted(value)} is no duration; write {either}"30s", "90m" or "1h30m"'
            report.add(at, reason, word=value if self.reserved else "", known=self.reserved)
            return INVALID
        if not (parse_duration_ms(self.least) or 0) <= ms <= (parse_duration_ms(self.most) or 0):
            report.add(at, f"{quoted(value)} is out of range: {self.least} to {self.most}")
            return INVALID
        return ms

    def schema(self) -> JsonSchema:
        """Write the JSON Schema."""
        pattern = r"^\s*(?:[0-9]{1,12}(?:ms|s|m|h|d))+\s*$"
        duration: JsonSchema = {"type": "string", "pattern": pattern}
        if not self.reserved:
            return duration
        return {"anyOf": [{"enum": list(self.reserved)}, duration]}

    def words(self) -> str:
        """Name the kind."""
        either = "".join(f"`{word}`, " for word in self.reserved)
        return f"{either}duration, {self.least} to {self.most}"


class Scope(Record):
    """A scope pattern, whose syntax the core knows; where it `is_path`, one without wildcards.

    A path keeps its case: it is opened, not compared.
    """

    is_path: bool = False

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""
        from handrail.core.scope import parse_pattern

        what = "path" if self.is_path else "scope"
        if type(value) is not str:
            return mistyped(value, f"a {what} in quotes", at, report)
        try:
            fold_case = report.fold_case and not self.is_path
            text = parse_pattern(value, fold_case=fold_case).text
        except MalformedScope as refused:
            report.add(at, f"{quoted(value)} is no {what}: {refused.values.get('reason')}")
            return INVALID
        if self.is_path and ("*" in text or "?" in text):
            report.add(at, f"{quoted(value)} is no path: it has a wildcard")
            return INVALID
        return text

    def schema(self) -> JsonSchema:
        """Write the JSON Schema."""
        never = r"\u0000-\u001f\u007f\\" + ("*?" if self.is_path else "")
        pattern = rf"^(?!(?:.*/)?\.\.(?:/|$))[^/{never}][^{never}]*$"
        return {"type": "string", "pattern": pattern}

    def words(self) -> str:
        """Name the kind."""
        return "path" if self.is_path else "scope"


class StoreUrl(Record):
    """``sqlite`` or a PostgreSQL address; what it refuses is not repeated: it may be a secret."""

    pattern: str = r"sqlite|postgresql://[^\s\u0000-\u001f\u007f]+"
    secret: str = r"://[^/?#]*:[^/?#]*@|[?&](?:ssl)?password="

    def check(self, value: object, at: Path, report: Report) -> Any:
        """Give the value as settings hold it, or INVALID."""
        if type(value) is not str:
            return mistyped(value, "text", at, report)
        if len(value) > URL_MAX:
            report.add(at, f"must have at most {URL_MAX} characters")
            return INVALID
        from urllib.parse import unquote

        if any(re.search(self.secret, text) for text in (value, unquote(value))):
            reason = "has a password in it, and this file is no place for secrets"
            report.add(at, f"{reason}; put it into HANDRAIL_STORE_URL")
            return INVALID
        if not re.fullmatch(self.pattern, value):
            scheme = value.partition("://")[0]
            known = ("sqlite", "postgresql")
            report.add(at, 'must be "sqlite" or "postgresql://…"', word=scheme, known=known)
            return INVALID
        return value

    def schema(self) -> JsonSchema:
        """Write the JSON Schema."""
        pattern = f"^(?:{self.pattern})$"
        url: JsonSchema = {"type": "string", "pattern": pattern, "maxLength": URL_MAX}
        return url | {"not": {"pattern": self.secret}}

    def words(self) -> str:
        """Name the kind."""
        return "`sqlite` or `postgresql://…`"


PATH: Final = Scope(is_path=True)

NAME_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}"
NAME_RULE: Final = 'at most 64 letters, digits and ". _ -", the first a letter or digit'

LABEL: Final = Text(
    "label",
    r"[^\s\u0000-\u001f\u007f][^\u0000-\u001f\u007f]*",
    "at most 200 characters in one line, none of them a control character",
)
ARGUMENT: Final = Text(
    "argument", r"[^\u0000]*", "at most 4096 characters, none NUL", length_max=4096
)
VARIABLE: Final = Text("variable", r"[A-Za-z_][A-Za-z0-9_]*", 'letters, digits and "_"')
REF: Final = Text(
    "ref",
    r"(?![\/.\-])(?!.*(?:\.\.|\/\/|@\{))[^\u0000-\u0020\u007f~^:?\[\\]*"
    r"[^\u0000-\u0020\u007f~^:?\[\\\/.]",
    'a branch such as "main" or "release/*"',
)
SIGNING_KEY: Final = Text(
    "signing key",
    rf"(?:{'|'.join(SSH_KEY_TYPES).replace('.', '[.]')})[ \t]+"
    r"[^\s\u0000-\u001f\u007f][^\u0000-\u001f\u007f]*",
    'a line of an SSH public key file, such as "ssh-ed25519 AAAA… ada@laptop"',
    length_max=4096,
)


def name_of(space: str, *, once: bool = True, taken: tuple[str, ...] = ()) -> Text:
    """Make the kind of a name that is defined here."""
    return Text("name", NAME_PATTERN, NAME_RULE, defines=space, once=once, taken=taken)


def name_in(*spaces: str, reserved: tuple[str, ...] = ()) -> Text:
    """Make the kind of a name that is defined elsewhere, or is a reserved word."""
    return Text("name", NAME_PATTERN, NAME_RULE, refers=spaces, reserved=reserved)


def label_of(space: str) -> Text:
    """Make the kind of a label that no two entries share."""
    return LABEL._replace(defines=space)

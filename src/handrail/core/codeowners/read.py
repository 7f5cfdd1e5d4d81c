r"""Reading CODEOWNERS as GitHub and GitLab document it: rules, and the lines that are none.

Patterns are those of gitignore but for ``!`` and ``[ ]``: with a slash at the beginning or inside,
they start at the root, else anywhere; a slash at the end means a folder; a literal end means the
path and all below, a wildcard at the end exactly what it matches (``docs/*`` is no ``docs/a/b``).
``\ `` is a blank. GitLab's files have sections, ``[Name] @default``, each with a last line of its
own that decides; in them only a slash at the beginning means the root.

Promises: pure; bounded; every line is a rule, a comment, a section, or named with a reason.

    >>> read_codeowners("docs/ @acme/writers # who else\n").rules[0].patterns
    ('**/docs',)
"""

from __future__ import annotations

import re
from typing import Final

from handrail.core.record import Record
from handrail.core.scope import parse_pattern
from handrail.errors import MalformedScope
from handrail.errors.landing import MalformedOwners

RULES_MAX: Final = 3_000
OWNERS_MAX: Final = 50
BLANKS: Final = " \t\r"
_SECTION: Final = re.compile(r"(\^?)\[([^\]]{1,200})\](?:\[\d{1,3}\])?(?=[ \t]|$)")
_OWNER: Final = re.compile(r"@@?[\w.-]+(?:/[\w.-]+)*|[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")


class Rule(Record):
    """One line: what it means as scope patterns, and whose it is; no owner takes it from all."""

    line: int
    text: str
    patterns: tuple[str, ...]
    owners: tuple[str, ...]
    section: str


class NoRule(Record):
    """A line that could not be translated, and why."""

    line: int
    text: str
    reason: str


class Owners(Record):
    """What a file says; ``notes`` tell of what counts otherwise there: (line, sentence)."""

    rules: tuple[Rule, ...]
    untranslated: tuple[NoRule, ...]
    notes: tuple[tuple[int, str], ...]
    gitlab: bool


class _Fault(Exception):
    """Why a line is no rule."""


def is_owner(text: str) -> bool:
    """Tell whether a word can be an owner: ``@name``, ``@organisation/team``, a mail address."""
    return _OWNER.fullmatch(text) is not None


def read_codeowners(text: str, *, gitlab: bool = False, file: str = "CODEOWNERS") -> Owners:
    """Read a file; it is GitLab's if it is said to be, or has a section.

    Raises MalformedOwners where it has more than RULES_MAX rules.
    """
    lines = [(number, line.strip(BLANKS)) for number, line in enumerate(text.split("\n"), 1)]
    gitlab = gitlab or any(_SECTION.match(line) for _, line in lines)
    rules: list[Rule] = []
    untranslated: list[NoRule] = []
    notes: list[tuple[int, str]] = []
    section = ""
    default: tuple[str, ...] = ()
    for number, line in lines:
        if not line or line.startswith("#"):
            continue
        try:
            head = _SECTION.match(line) if gitlab else None
            if head is not None:
                section = head[2].strip(BLANKS).casefold()
                default = _owners(_words(line[head.end() :]), lenient=True)
                if head[1]:
                    notes.append((number, "is optional there; a lane binds like any other"))
                continue
            pattern, *words = _words(line)
            owners = _owners(words, lenient=gitlab) or default
            if len(rules) == RULES_MAX:
                raise MalformedOwners(file=file, reason=f"it has more than {RULES_MAX} rules")
            rules.append(Rule(number, pattern, _scopes(pattern, gitlab), owners, section))
        except _Fault as fault:
            untranslated.append(NoRule(number, line, str(fault)))
    return Owners(tuple(rules), tuple(untranslated), tuple(notes), gitlab)


def _words(line: str) -> list[str]:
    """Split a line at blanks, but for those behind a backslash, up to a comment."""
    words = re.findall(r"(?:\\.|[^ \t\r\\])+|\\$", line)
    ends = [index for index, word in enumerate(words) if word.startswith("#")]
    return words[: min(ends, default=len(words))]


def _owners(words: list[str], *, lenient: bool) -> tuple[str, ...]:
    """Return the owners among some words; what is none is passed over, or a fault."""
    owners = [word for word in words if is_owner(word)]
    if len(owners) < len(words) and not lenient:
        wrong = next(word for word in words if word not in owners)
        raise _Fault(f"{wrong} is no owner (@name, @organisation/team or a mail address)")
    if len(owners) > OWNERS_MAX:
        raise _Fault(f"it has more than {OWNERS_MAX} owners")
    return tuple(dict.fromkeys(owners))


def _scopes(pattern: str, gitlab: bool) -> tuple[str, ...]:
    """Translate a pattern; raises _Fault where scopes cannot say the same."""
    if pattern.startswith("!"):
        raise _Fault("it takes paths out, and lanes know no negation")
    if "[" in pattern or "]" in pattern:
        raise _Fault("'[' and ']' mean no range there, and a host skips the line")
    plain = _unescaped(pattern, gitlab)
    body = plain.strip("/")
    if not body or "//" in plain:
        raise _Fault("it names no path")
    names = [re.sub(r"\*\*+", "*", name) if name != "**" else name for name in body.split("/")]
    while names[-2:] == ["**", "**"]:
        names.pop()  # any number of folders, and again: once says the same
    folder, last = plain.endswith("/"), names[-1]
    rooted = plain.startswith("/") or ("/" in body and not gitlab)
    if folder and last == "**":
        raise _Fault("'**/' at the end means folders only, which a scope cannot say")
    if not rooted and names[0] != "**":
        names.insert(0, "**")
    if last == "**" and len(names) > 1 and _wild(names[-2]) and names[-2] != "**":
        names.append("*")  # what is below, and not the folder's own name
    elif folder and _wild(last):
        names += ["**", "*"]
    if names == ["**", "*"]:
        names = ["**"]
    try:
        return (parse_pattern("/".join(names)).text,)
    except MalformedScope as refused:
        raise _Fault(str(refused.values["reason"])) from refused


def _wild(name: str) -> bool:
    return "*" in name or "?" in name


def _unescaped(pattern: str, gitlab: bool) -> str:
    """Take the backslash away from blanks; no other is understood."""
    if pattern.startswith("\\#") and not gitlab:
        raise _Fault("GitHub knows no '#' at the beginning of a pattern, not even behind '\\'")
    plain = re.sub(r"\\([ \t#])", r"\1", pattern)
    if "\\" in plain:
        raise _Fault("it has a backslash before something else than a blank")
    return plain

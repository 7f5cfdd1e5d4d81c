"""From rules of CODEOWNERS to lanes: one role for each owner, and where that says something else.

A lane keeps what a later line takes away: lanes know no negation. So each line of which others
take paths is named, with the first of them and a path. What no line is left of is left out, and
then nothing differs. Sections are looked at one by one, as GitLab does.

Promises: pure; within ``PAIRS_MAX`` comparisons, and said where there were more; a role's name is
one that a configuration takes, and no two owners share one.

    imported = lanes_of(read_codeowners(text).rules)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from handrail.core.codeowners.read import NoRule, Rule
from handrail.core.record import Record
from handrail.core.scope import Pattern, parse_pattern, parse_scope, uncovered, witness
from handrail.errors import MalformedScope

NAME_CHARS_MAX: Final = 64
RESERVED: Final = ("any",)
PAIRS_MAX: Final = 1_000_000
COVERED_BY_MAX: Final = 64


class OwnedLane(Record):
    """A role to be: its name, whom it stands for, the patterns it owns, the lines they are from."""

    role: str
    owner: str
    patterns: tuple[str, ...]
    lines: tuple[int, ...]


class Difference(Record):
    """A line whose owners keep in their lanes what ``lines`` later ones take away there.

    ``by`` is the first of them, ``to`` whose the path ``witness`` is there: nobody's, if empty.
    """

    line: int
    roles: tuple[str, ...]
    by: int
    to: tuple[str, ...]
    lines: int
    witness: str


class Renamed(Record):
    """An owner whose role is called otherwise than its last word."""

    owner: str
    wanted: str
    role: str


class Imported(Record):
    """What became of the rules.

    ``dead`` lines decide nothing in the file; ``compared`` is false where there were too many.
    """

    lanes: tuple[OwnedLane, ...]
    untranslated: tuple[NoRule, ...]
    differences: tuple[Difference, ...]
    dead: tuple[int, ...]
    renamed: tuple[Renamed, ...]
    compared: bool


def lanes_of(rules: Sequence[Rule]) -> Imported:
    """Make lanes of the rules of a file, in the order of the file."""
    roles, renamed = role_names(list(dict.fromkeys(owner for one in rules for owner in one.owners)))
    compared = len(rules) ** 2 // 2 <= PAIRS_MAX
    dead: set[int] = set()
    differences: list[Difference] = []
    if compared:
        sections: dict[str, list[Rule]] = {}
        for rule in rules:
            sections.setdefault(rule.section, []).append(rule)
        for section in sections.values():
            dead |= _overridden(section, roles, differences)
    lanes, untranslated = [], []
    for owner, role in roles.items():
        own = [rule for rule in rules if owner in rule.owners and rule.line not in dead]
        if not own:
            continue
        try:
            scope = parse_scope([pattern for rule in own for pattern in rule.patterns])
        except MalformedScope as refused:
            reason = f"the lane of {role} would be too large: {refused.values['reason']}"
            untranslated += [NoRule(rule.line, rule.text, reason) for rule in own]
            continue
        texts = tuple(pattern.text for pattern in scope)
        lanes.append(OwnedLane(role, owner, texts, tuple(rule.line for rule in own)))
    differences.sort(key=lambda one: one.line)
    return Imported(
        tuple(lanes),
        tuple(sorted(untranslated)),
        tuple(differences),
        tuple(sorted(dead)),
        tuple(renamed),
        compared,
    )


def _overridden(
    section: Sequence[Rule], roles: Mapping[str, str], differences: list[Difference]
) -> set[int]:
    """Find the lines of which later ones leave nothing, and add those of which they take some."""
    parsed = [[parse_pattern(text) for text in rule.patterns] for rule in section]
    meetings: list[list[tuple[Rule, str]]] = []
    dead: set[int] = set()
    for index, rule in enumerate(section):
        met: list[tuple[Rule, str]] = []
        over: list[Pattern] = []
        for later, patterns in zip(section[index + 1 :], parsed[index + 1 :], strict=True):
            path = _meet(parsed[index], patterns)
            if path is not None:
                met.append((later, path))
                over += patterns
        if over and _nothing_left(parsed[index], over):
            dead.add(rule.line)
        meetings.append(met)
    for rule, met in zip(section, meetings, strict=True):
        taken = [
            (later, path)
            for later, path in met
            if later.line not in dead and not set(rule.owners) <= set(later.owners)
        ]
        if taken and rule.line not in dead:
            differences.append(_difference(rule, taken, roles))
    return dead


def _difference(
    rule: Rule, taken: Sequence[tuple[Rule, str]], roles: Mapping[str, str]
) -> Difference:
    lost = [
        roles[owner]
        for owner in rule.owners
        if any(owner not in later.owners for later, _ in taken)
    ]
    first, path = taken[0]
    to = tuple(roles[owner] for owner in first.owners)
    return Difference(rule.line, tuple(lost), first.line, to, len(taken), path)


def _meet(mine: Sequence[Pattern], others: Sequence[Pattern]) -> str | None:
    for one in mine:
        for other in others:
            path = witness(one, other)
            if path is not None:
                return path
    return None


def _nothing_left(patterns: Sequence[Pattern], over: Sequence[Pattern]) -> bool:
    """Tell whether some patterns are known to lie within others."""
    if len(over) > COVERED_BY_MAX:
        over = [one for one in over if one.text == "**"]
    try:
        return all(uncovered(pattern, over) is None for pattern in patterns)
    except MalformedScope:
        return False


def role_names(owners: Sequence[str]) -> tuple[dict[str, str], list[Renamed]]:
    """Give each owner the name of a role: its last word, or more of it where that is taken.

    >>> role_names(["@acme/docs", "docs@example.org"])[0]
    {'@acme/docs': 'docs', 'docs@example.org': 'docs-example.org'}
    """
    names: dict[str, str] = {}
    renamed = []
    taken = set(RESERVED)
    for owner in owners:
        wanted = _word(_last(owner))
        name, number = wanted, 2
        if name in taken:
            name = _word(owner)
        while name in taken:
            tail = f"-{number}"
            name, number = _word(owner)[: NAME_CHARS_MAX - len(tail)] + tail, number + 1
        taken.add(name)
        names[owner] = name
        if name != _last(owner):
            renamed.append(Renamed(owner, _last(owner), name))
    return names, renamed


def _last(owner: str) -> str:
    """Return the team of ``@org/team``, the name of ``@name``, the box of a mail address."""
    if owner.startswith("@"):
        return owner.rpartition("/")[2].lstrip("@")
    return owner.partition("@")[0]


def _word(text: str) -> str:
    """Make a word that can name a role."""
    word = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:NAME_CHARS_MAX]
    return word or "owner"

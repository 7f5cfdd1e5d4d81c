"""The triggers of a configuration beside what rule files say: findings, and which row covers each.

Promises: pure; a place at which one role ends and another begins is one finding, however many
sentences say so, and loses none of them; what covers a finding is said by the trigger's id. What
only an agent can notice counts as covered by any row on ``blocked`` that leads from its role to
that receiver, because ``task block`` delivers it; ``ladder`` says that it is only advice.

    >>> found = compare(statements, Matrix(roles, triggers))
    >>> [(one.title, one.state) for one in found.findings]
    [('Architect to Executor trigger exists', 'open')]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from handrail.core.audit.conditions import Condition
from handrail.core.audit.kinds import (
    BLOCKED,
    CONTRACT,
    DOCUMENT,
    EVENTS,
    GATE,
    POLICY,
    SCOPE,
)
from handrail.core.audit.names import DECIDERS, DOERS
from handrail.core.audit.statements import DEMAND, FORBID, LOCK, ORDINARY, Statement
from handrail.core.record import Record
from handrail.core.role import ANY_ROLE

TRIGGER: Final = "trigger"
PROTOCOL: Final = "protocol"
CONFLICT: Final = "conflict"
COVERED: Final = "covered"
PARTLY: Final = "partly"
OPEN: Final = "open"
_LANE_CODES: Final = frozenset(("outside_lane", "sandbox_read_only", "scope_needs_handoff"))
_NO_WORDS: Final = frozenset(
    {
        *("and", "any", "auto", "by", "detected", "fail", "failed", "for", "from", "in"),
        *("is", "not", "of", "on", "open", "or", "out", "role", "the", "to", "trigger"),
        *("with",),
    }
)
_ANY_GATE: Final = frozenset(["validation", "check", "checks", "gate", "gates", "ci", "suite"])
_ACTS: Final = {
    "matrix-row": "a table of the documents says so",
    "front-matter": "the front matter says so",
    "handoff-to-role": "a handoff to {to} is told of, without a packet",
    "handoff-unaddressed": "a handoff is demanded of nobody by name",
    "switch-to-role": "somebody is asked to go on as {to}",
    "role-needed": "{to} is said to be needed",
    "stop-and-ask": "stop and ask",
    "ask-for-direction": "direction is asked for",
    "ask-role": "{to} is to be asked",
    "one-role": "one role is chosen, and no other",
    "role-lock": "a role is not changed within a thread",
    "forbidden-handoff": "a handoff to {to} is forbidden",
}


class RoleSeen(Record):
    """A role of the configuration."""

    name: str
    family: str
    coordinates: bool = False


class TriggerSeen(Record):
    """A row of the matrix; ``about`` is a rule, gate, checkpoint or phase, or the field's value."""

    id: str
    from_role: str
    to_role: str
    event: str
    about: str = ""
    codes: tuple[str, ...] = ()
    field: str = ""


class Matrix(Record):
    """What of a configuration an audit compares with; no roles where there is none."""

    roles: tuple[RoleSeen, ...] = ()
    triggers: tuple[TriggerSeen, ...] = ()
    gates: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    in_thread: bool = True


class Source(Record):
    """Where a finding is said: lines of a file, and their beginning."""

    path: str
    first: int
    last: int
    quote: str


class Judged(Record):
    """A condition of one kind, and the triggers that it makes fire."""

    condition: Condition
    kind: str
    covered_by: tuple[str, ...]


class Finding(Record):
    """A place at which work goes from one role to another.

    ``to_role`` is None where nobody is named and nobody decides. ``state`` is covered, partly or
    open; ``prior`` is what happens without a trigger, ``gap`` what is missing.
    """

    kind: str
    from_role: str
    to_role: str | None
    implicit: bool
    sources: tuple[Source, ...]
    conditions: tuple[Judged, ...]
    prior: str
    gap: str
    state: str
    unknown: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What the finding is called."""
        if self.kind == PROTOCOL:
            return "Global protocol gap"
        ends = f"{_shown(self.from_role)} to {_shown(self.to_role or 'nobody named')}"
        if self.kind == CONFLICT:
            return f"{ends} trigger does what is forbidden"
        return f"{ends} trigger exists{' implicitly' if self.implicit else ''}"

    @property
    def covered_by(self) -> tuple[str, ...]:
        """The ids of all triggers that lead on from here."""
        return tuple(dict.fromkeys(name for one in self.conditions for name in one.covered_by))


class Compared(Record):
    """All findings; ``ordinary`` are handoffs of finished work, which need no trigger.

    ``to_persons`` are statements by which whoever decides asks a person.
    """

    findings: tuple[Finding, ...]
    ordinary: tuple[Statement, ...]
    to_persons: tuple[Statement, ...]

    @property
    def covered(self) -> int:
        """How many findings a trigger covers."""
        return sum(one.state == COVERED for one in self.findings)

    @property
    def percent(self) -> int:
        """How many of a hundred findings are covered; all where there are none."""
        return 100 * self.covered // len(self.findings) if self.findings else 100


def compare(statements: Sequence[Statement], matrix: Matrix, names: Sequence[str] = ()) -> Compared:
    """Compare statements with a matrix; ``names`` are the roles that were looked for.

    Where there is only one role, there is nobody to hand anything to, and so no finding.
    """
    if len(names) < 2:
        return Compared((), (), ())
    decider = decider_of(matrix, names)
    grouped: dict[tuple[str, str, str | None], list[Statement]] = {}
    ordinary, to_persons = [], []
    locked = any(one.act == LOCK for one in statements)
    for one in statements:
        if one.act == ORDINARY:
            ordinary.append(one)
            continue
        if one.act == FORBID:
            grouped.setdefault((CONFLICT, one.from_role, one.to_role), []).append(one)
            continue
        receiver = one.to_role or _receiver(one, matrix, names, decider)
        if one.act == DEMAND and receiver == one.from_role:
            to_persons.append(one)
            continue
        of_all = one.from_role == ANY_ROLE and receiver == decider
        kind = PROTOCOL if one.act == LOCK or (locked and of_all) else TRIGGER
        key = (kind, one.from_role, decider if kind == PROTOCOL else receiver)
        grouped.setdefault(key, []).append(one)
    found = [_finding(*key, said, matrix) for key, said in grouped.items()]
    kept = [one for one in found if one is not None]
    kept.sort(key=lambda one: (one.kind != TRIGGER, one.sources[0].path, one.sources[0].first))
    return Compared(tuple(kept), tuple(ordinary), tuple(to_persons))


def decider_of(matrix: Matrix, names: Sequence[str]) -> str | None:
    """Return who decides where nobody is named: who coordinates, else by the name."""
    coordinators = [role.name.lower() for role in matrix.roles if role.coordinates]
    known = [role.name.lower() for role in matrix.roles]
    by_name = [name for name in DECIDERS if name in known] or [
        name for name in DECIDERS if name in names
    ]
    return next(iter([*coordinators, *by_name]), None)


def _receiver(
    one: Statement, matrix: Matrix, names: Sequence[str], decider: str | None
) -> str | None:
    """Return whom work goes to that is stopped for nobody by name."""
    for trigger in matrix.triggers:
        if trigger.from_role != ANY_ROLE and _acts_as(matrix, one.from_role, trigger.from_role):
            pairs = [(when, kind) for when in one.conditions for kind in when.kinds]
            if any(_covers(trigger, when, kind, matrix) for when, kind in pairs):
                return trigger.to_role.lower()
    if one.from_role == decider and "handoff-unaddressed" in one.rules:
        return next((name for name in DOERS if name in names and name != decider), decider)
    return decider


def _finding(
    kind: str, from_role: str, to_role: str | None, said: Sequence[Statement], matrix: Matrix
) -> Finding | None:
    rows = [
        row
        for row in matrix.triggers
        if _acts_as(matrix, from_role, row.from_role) and _goes_to(matrix, to_role, row.to_role)
    ]
    sources = _sources(said)
    rules = dict.fromkeys(rule for one in said for rule in one.rules)
    to = _shown(to_role) if to_role else "somebody"
    prior = "; ".join(text.format(to=to) for rule, text in _ACTS.items() if rule in rules)
    known = {one.name.lower() for one in matrix.roles} | {
        one.family.lower() for one in matrix.roles
    }
    unknown = tuple(
        name for name in (from_role, to_role) if name and name != ANY_ROLE and name not in known
    )
    if kind == CONFLICT:
        if not rows or to_role is None:
            return None
        ids = ", ".join(row.id for row in rows)
        gap = f"{ids} leads there all the same: one of the two has to go"
        return Finding(kind, from_role, to_role, False, sources, (), prior, gap, OPEN, unknown)
    if kind == PROTOCOL:
        rows = [row for row in matrix.triggers if row.from_role == ANY_ROLE]
    judged: dict[tuple[str, str], Judged] = {}
    for one in said:
        for when in one.conditions:
            for each in when.kinds:
                leads = tuple(row.id for row in rows if _covers(row, when, each, matrix))
                judged.setdefault((when.text.lower(), each), Judged(when, each, leads))
    conditions = tuple(judged.values())
    covered = [one for one in conditions if one.covered_by]
    state = OPEN if not covered else COVERED if len(covered) == len(conditions) else PARTLY
    implicit = all(one.to_role is None for one in said)
    gap = _gap(kind, from_role, to_role, conditions, state)
    return Finding(
        kind, from_role, to_role, implicit, sources, conditions, prior, gap, state, unknown
    )


def _sources(said: Sequence[Statement]) -> tuple[Source, ...]:
    """Return where it is said; lines that overlap are one place."""
    found: list[Source] = []
    for one in sorted(said, key=lambda one: (one.path.count("/"), one.path, one.first)):
        before = found[-1] if found else None
        if before is not None and before.path == one.path and one.first <= before.last:
            found[-1] = before._replace(last=max(before.last, one.last))
        else:
            found.append(Source(one.path, one.first, one.last, one.quote))
    return tuple(found)


def _gap(
    kind: str, from_role: str, to_role: str | None, conditions: Sequence[Judged], state: str
) -> str:
    if state == COVERED:
        ids = dict.fromkeys(name for one in conditions for name in one.covered_by)
        return f"none: {', '.join(ids)}"
    if kind == PROTOCOL:
        return "no exception by which an automatic handoff goes on in the thread"
    if state == PARTLY:
        missing = dict.fromkeys(one.kind for one in conditions if not one.covered_by)
        return f"no trigger for what is about: {', '.join(missing)}"
    if to_role is None:
        return "nobody is named, nobody coordinates, and no trigger leads on"
    return f"no trigger leads from {_shown(from_role)} to {_shown(to_role)}; somebody has to notice"


def _acts_as(matrix: Matrix, role: str, wanted: str) -> bool:
    """Tell whether a row for ``wanted`` is about a role: by its name, its family, or any."""
    return wanted == ANY_ROLE or (role != ANY_ROLE and wanted.lower() in _called(matrix, role))


def _goes_to(matrix: Matrix, role: str | None, wanted: str) -> bool:
    if role is None:
        return False
    wanted = wanted.lower()
    return wanted in _called(matrix, role) or role in _called(matrix, wanted)


def _called(matrix: Matrix, role: str) -> set[str]:
    families = {one.family.lower() for one in matrix.roles if one.name.lower() == role}
    return {role, *families}


def _covers(row: TriggerSeen, when: Condition, kind: str, matrix: Matrix) -> bool:
    """Tell whether a row of the right roles fires on a condition of a kind."""
    if kind == POLICY:
        return row.from_role == ANY_ROLE
    if kind == DOCUMENT and row.event == DOCUMENT:
        same = row.field.rpartition(".")[2] == (when.field or "").rpartition(".")[2]
        return same and row.about.lower() == when.value
    if kind == SCOPE and row.event == "edit_refused":
        return not row.codes or not _LANE_CODES.isdisjoint(row.codes)
    roles = {word for one in matrix.roles for word in _words(one.name)}
    words = (_words(row.id) | _words(row.about)) - roles - _NO_WORDS
    said = _words(when.text) | {kind, *([when.value] if when.value else [])}
    if kind in (BLOCKED, CONTRACT) and (row.event == "blocked" or words & {"block", "blocked"}):
        return True
    if kind == GATE and row.event == "gate_failed":
        return bool(words & said) or not _ANY_GATE.isdisjoint(said)
    if row.event in EVENTS[kind] and kind not in (GATE, DOCUMENT, BLOCKED, CONTRACT):
        return True
    return bool(words & said)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]{2,}", text.lower()))


def _shown(role: str) -> str:
    """Write a role's name as the beginning of a title."""
    return "Any role" if role == ANY_ROLE else role[:1].upper() + role[1:]


def open_kinds(finding: Finding) -> Iterable[Judged]:
    """Return the conditions of a finding that no trigger covers."""
    return [one for one in finding.conditions if not one.covered_by]

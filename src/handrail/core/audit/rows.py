"""Triggers for the gaps: rows that can be put at the end of a configuration as they are.

Promises: pure; an id that nobody has yet; only roles, gates, checkpoints and phases that are
configured are named, and a gap for which no row can be written is named with the reason.

    >>> proposed = propose(compared.findings, matrix)
    >>> print(toml_of(proposed.rows))
    [[trigger]]
    id = "pair_out_of_scope"
    …
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from handrail.core.audit.kinds import (
    BLOCKED,
    CONTRACT,
    DOCUMENT,
    DONE,
    GATE,
    POLICY,
    REVIEW,
    SCOPE,
)
from handrail.core.audit.matrix import PROTOCOL, TRIGGER, Finding, Judged, Matrix, open_kinds
from handrail.core.record import Record
from handrail.core.scope import parse_pattern
from handrail.errors import MalformedScope

NAME_CHARS_MAX: Final = 64
RULE_CHARS_MAX: Final = 60
_GLOB: Final = re.compile(r"(?<![\w/*.-])[\w*.-]{0,40}(?:/[\w*.-]{1,40}){0,6}\.json\b")
_SMALL_WORDS: Final = frozenset(
    {
        *("a", "an", "and", "any", "are", "be", "been", "by", "for", "from", "has", "have"),
        *("if", "in", "into", "is", "it", "its", "not", "of", "on", "or", "that", "the"),
        *("their", "there", "this", "to", "was", "were", "when", "with"),
    }
)
_ENDINGS: Final = {
    SCOPE: "out_of_scope",
    CONTRACT: "contract_block",
    GATE: "gate_failed",
    REVIEW: "revise_limit",
    DONE: "phase_done",
    BLOCKED: "blocked",
}


class Row(Record):
    """A trigger to be added: ``when`` is its event as the configuration writes it."""

    id: str
    from_role: str
    to_role: str
    when: tuple[tuple[str, object], ...]
    finding: str


class Unwritten(Record):
    """A gap for which no row can be written, and why."""

    finding: str
    reason: str


class Proposed(Record):
    """The rows for all gaps, and the gaps without one."""

    rows: tuple[Row, ...]
    unwritten: tuple[Unwritten, ...]


def propose(findings: Sequence[Finding], matrix: Matrix) -> Proposed:
    """Write a row for each kind of condition that no trigger covers."""
    rows: list[Row] = []
    unwritten: list[Unwritten] = []
    taken = {trigger.id for trigger in matrix.triggers}
    for finding in findings:
        missing = list(open_kinds(finding))
        if finding.kind not in (TRIGGER, PROTOCOL) or not missing:
            continue
        reason = _hindered(finding, matrix)
        if reason:
            unwritten.append(Unwritten(finding.title, reason))
            continue
        kinds = dict.fromkeys(one.kind for one in missing)
        if finding.kind == PROTOCOL and POLICY in kinds:
            # The one row for it also leads on what only an agent can notice.
            kinds = dict.fromkeys(kind for kind in kinds if kind not in (BLOCKED, CONTRACT))
        for kind in kinds:
            same = [one for one in missing if one.kind == kind]
            told = same if kind == DOCUMENT else same[:1]
            for when, each in {_when(each, finding, matrix): each for each in told}.items():
                name = _free(_id(finding, each), taken)
                taken.add(name)
                sender, to = (_spelt(role, matrix) for role in _ends(finding))
                rows.append(Row(name, sender, to, when, finding.title))
    return Proposed(tuple(rows), tuple(unwritten))


def toml_of(rows: Sequence[Row]) -> str:
    """Write rows as they stand in a configuration."""
    told = []
    for row in rows:
        when = ", ".join(f"{key} = {_value(value)}" for key, value in row.when)
        told.append(
            f'[[trigger]]\nid = "{row.id}"\nfrom = "{row.from_role}"\nto = "{row.to_role}"\n'
            f"when = {{ {when} }}\n"
        )
    return "\n".join(told)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + " }"
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _ends(finding: Finding) -> tuple[str, str]:
    assert finding.to_role is not None
    return finding.from_role, finding.to_role


def _hindered(finding: Finding, matrix: Matrix) -> str:
    if finding.to_role is None:
        return "no role is named as the receiver, and none coordinates"
    if matrix.roles and finding.unknown:
        names = " and ".join(finding.unknown)
        return f"{names} {'is' if len(finding.unknown) == 1 else 'are'} not configured as [[role]]"
    return ""


def _spelt(role: str, matrix: Matrix) -> str:
    """Return a role's name as the configuration spells it."""
    names = [name for one in matrix.roles for name in (one.name, one.family)]
    return next((name for name in names if name.lower() == role), role)


def _id(finding: Finding, one: Judged) -> str:
    if one.kind == POLICY:
        return "role_policy_conflict"
    ending = _ENDINGS.get(one.kind) or f"{one.condition.value}_detected"
    return re.sub(r"[^A-Za-z0-9]+", "_", f"{finding.from_role}_{ending}").strip("_")


def _free(name: str, taken: set[str]) -> str:
    name = name[: NAME_CHARS_MAX - 4]
    number = 2
    free = name
    while free in taken:
        free = f"{name}_{number}"
        number += 1
    return free


def _when(one: Judged, finding: Finding, matrix: Matrix) -> tuple[tuple[str, object], ...]:
    """Return the event for a condition; what names nothing configured is told by the agent."""
    condition, kind = one.condition, one.kind
    if kind == DOCUMENT:
        found: list[tuple[str, object]] = [
            ("event", "document"),
            ("glob", _glob(finding, condition.field or "")),
            ("field", condition.field),
            ("equals", condition.value),
        ]
        if condition.unless is not None:
            field, value = condition.unless
            found.append(("unless", _Inline({"field": field, "equals": value})))
        return tuple(found)
    if kind == SCOPE:
        codes = ("outside_lane", "sandbox_read_only", "scope_needs_handoff")
        return (("event", "edit_refused"), ("codes", codes))
    for wanted, event, key, names in (
        (GATE, "gate_failed", "gate", matrix.gates),
        (REVIEW, "revise_limit", "checkpoint", matrix.checkpoints),
        (DONE, "phase_done", "phase", matrix.phases),
    ):
        if kind == wanted and names:
            return (("event", event), (key, _nearest(condition.text, names)))
    rule = "role-policy-conflict" if kind == POLICY else _rule(condition.text, kind)
    return (("event", "blocked"), ("rule", rule))


class _Inline(dict[str, str]):
    """An inline table that can stand among values that are compared."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))


def _nearest(text: str, names: Sequence[str]) -> str:
    words = set(re.findall(r"[a-z0-9]+", text.lower()))
    return max(names, key=lambda name: len(words & set(re.findall(r"[a-z0-9]+", name.lower()))))


def _rule(text: str, kind: str) -> str:
    """Return a rule's name made of a condition's words."""
    if kind == CONTRACT:
        return "contract"
    words = [word for word in re.findall(r"[a-z0-9]+", text.lower()) if word not in _SMALL_WORDS]
    return "-".join(words[:5])[:RULE_CHARS_MAX].strip("-") or kind


def _glob(finding: Finding, field: str) -> str:
    """Return which documents are read: what the sentence names, else by the field."""
    usual = "**/*.meta.json" if field.startswith("meta.") else "**/*.json"
    for source in finding.sources:
        found = _GLOB.search(source.quote)
        named = found[0] if found is not None else ""
        if named:
            try:
                return parse_pattern(named if "/" in named else f"**/{named}").text
            except MalformedScope:
                continue
    return usual

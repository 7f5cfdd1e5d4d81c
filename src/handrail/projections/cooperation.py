"""The words of cooperation's files, and what is odd about a handoff or a task that somebody wrote.

Promises: every value of every type is looked at and nothing raises; what is written otherwise than
the documents say is told with its place and what it stands for, never changed.

    >>> without_prose("src/server/crypto.ts (only if a real bug is found)")
    ('src/server/crypto.ts', '(only if a real bug is found)')
    >>> [told.code for told in handoff_told({"to_role": "test-runner"}, "f.json")][:2]
    ['missing_field', 'missing_field']
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from handrail.projections.aliases import told_of
from handrail.projections.instants import instant_ms
from handrail.projections.loose_json import joined, shown
from handrail.projections.port import Told
from handrail.text import rfc3339

SYSTEM: Final = "system"
HUMAN: Final = "human"
FAMILIES: Final = ("architect", "implementer", "reviewer", "navigator", HUMAN, SYSTEM)
IMPLEMENTERS: Final = ("frontend-ux", "email-integration", "ai-features")
UNDECIDED: Final = "undecided"
DONE_PHASE: Final = "done"
PHASES: Final = ("plan", "claude_review", "plan_refine", "implement", "test", "claude_final")
GATE_OF: Final = {
    "plan": "plan_check",
    "claude_review": "review_check",
    "plan_refine": "refine_check",
    "claude_final": "final_check",
}
GATES: Final = tuple(GATE_OF.values())
FAMILY_OF: Final = {
    "plan": "architect",
    "claude_review": "reviewer",
    "plan_refine": "architect",
    "implement": "implementer",
    "test": "implementer",
    "claude_final": "reviewer",
}
"""Who works in a phase."""
DECISIONS: Final = ("approve", "revise", "stop")
SANDBOXES: Final = ("read-only", "workspace-write", "danger-full-access")
IN_PROGRESS: Final = "in_progress"
COMPLETED: Final = "completed"
HALTED: Final = "halted"
FAILED: Final = "failed"
STATUSES: Final = (IN_PROGRESS, COMPLETED, HALTED, "pending", FAILED)
ARTIFACTS: Final = (
    "plan.md",
    "claude-review.md",
    "refined-plan.md",
    "implementation-result.md",
    "test-report.md",
    "claude-final-critique.md",
)
RECENT_MAX: Final = 5

REQUIRED: Final = ("task_id", "timestamp", "from_role", "to_role")
_FIELDS: Final = (*REQUIRED, "context", "artifacts", "metadata")
_LISTS: Final = ("requirements", "constraints", "files_in_scope")
_CONTEXT: Final = (
    *("task_description", *_LISTS, "sandbox", "implementer_agent", "lead_implementer"),
    *("planned_implementer", "user_choices", "review_verdict", "plan_verdict", "implement_verdict"),
    *("test_verdict", "summary", "conditions", "review_focus", "requirements_for_claude_final"),
    *("files_in_scope_for_reading", "files_likely_in_scope_for_implementer", "note", "trigger"),
    *("open_design_questions_for_plan", "cross_domain_authorized", "spec_edits_landed"),
    *("objective", "blocking_rule", "required_reading"),
)
_METADATA: Final = (
    *("phase", "next_phase", "next_checkpoint", "kind", "tokens_used", "model", "duration_ms"),
    *("model_name", "model_profile", "confidence", "uncertainty", "rvr_task_type"),
)
_ARTIFACTS: Final = (
    *("produced", "consumed"),
    *("design_doc", "interfaces", "code", "review_feedback", "notes"),
)
_PATHS: Final = (
    *("files_in_scope", "files_in_scope_for_reading"),
    "files_likely_in_scope_for_implementer",
)
_PROSE: Final = re.compile(
    r"(?P<path>\S.*?)\s+(?P<prose>[(\[].*[)\]]|[\u2013\u2014-]\s.*|#.*)", re.DOTALL
)
_EXTENSION: Final = re.compile(
    r"(?P<path>\S*\w\.\w{1,8})\s+(?!.*\.\w{1,8}$)(?P<prose>\S.*)", re.DOTALL
)
_CONDITION: Final = re.compile(r"[A-Za-z]+\d+\s+\((?:binding|advisory)\)")
_TASK: Final = re.compile(r"coop-\d{8}-\d{6}-[a-z]{3}|\d{10,20}")


def seconds(at_ms: int) -> str:
    """Write an instant with second precision, as these files do."""
    return f"{rfc3339(at_ms)[:19]}Z"


def without_prose(entry: str) -> tuple[str, str]:
    """Split an entry that should be a path into the path and the words behind it, '' for none."""
    text = entry.strip()
    for rule in (_PROSE, _EXTENSION):
        found = rule.fullmatch(text)
        if found is not None:
            return found["path"], found["prose"]
    return text, ""


# --- handoffs ------------------------------------------------------------------------------------


def handoff_told(value: Mapping[str, Any], place: str) -> list[Told]:
    """Return what is odd about one handoff of either shape."""
    told = [
        Told(joined(place, name), "missing_field", f"{name} is required")
        for name in REQUIRED
        if not value.get(name)
    ]
    told += _unknown(value, _FIELDS, place)
    context, made, metadata = (_part(value, name, place, told) for name in _FIELDS[4:])
    told += _roles(value, metadata, place)
    if instant_ms(value.get("timestamp")) is None and value.get("timestamp"):
        told.append(_wrong(joined(place, "timestamp"), value["timestamp"], "no instant"))
    told += _context_told(context, joined(place, "context"), upstream="sandbox" not in context)
    told += _artifacts_told(made, joined(place, "artifacts"))
    if "phase" in metadata or "next_phase" in metadata or "next_checkpoint" in metadata:
        told += _phases_told(value, metadata, joined(place, "metadata"))
    elif not {"tokens_used", "model", "duration_ms"} & set(metadata):
        sentence = "next_phase is not set, so nobody can tell where it leads"
        told.append(Told(joined(place, "metadata"), "no_next_phase", sentence))
    told += _unknown(metadata, _METADATA, joined(place, "metadata"))
    return told


def _part(value: Mapping[str, Any], name: str, place: str, told: list[Told]) -> Mapping[str, Any]:
    part = value.get(name)
    if isinstance(part, dict):
        return part
    sentence = f"it is no object but {shown(part)}" if part is not None else f"{name} is not there"
    told.append(Told(joined(place, name), "missing_field", sentence))
    return {}


def _roles(value: Mapping[str, Any], metadata: Mapping[str, Any], place: str) -> list[Told]:
    found = []
    for name in ("from_role", "to_role"):
        role = value.get(name)
        if isinstance(role, str) and role:
            found.append(told_of(joined(place, name), "role", role, FAMILIES))
        elif role is not None and not isinstance(role, str):
            found.append(_wrong(joined(place, name), role, "no role"))
    return [one for one in found if one is not None]


def _context_told(context: Mapping[str, Any], place: str, *, upstream: bool) -> list[Told]:
    told = _unknown(context, _CONTEXT, place)
    for name in _LISTS:
        rows = context.get(name)
        if rows is None:
            told.append(Told(joined(place, name), "missing_field", f"{name} is not there"))
        elif not (isinstance(rows, list) and all(isinstance(one, str) for one in rows)):
            told.append(_wrong(joined(place, name), rows, "no list of texts"))
    for name in _PATHS:
        told += _paths_told(context.get(name), joined(place, name))
    sandbox = context.get("sandbox")
    if sandbox is not None:
        told += _word(joined(place, "sandbox"), "sandbox_word", sandbox, SANDBOXES)
    elif not upstream:
        told.append(Told(joined(place, "sandbox"), "missing_field", "sandbox says nothing"))
    conditions = context.get("conditions")
    for at, one in enumerate(conditions if isinstance(conditions, list) else ()):
        if not (isinstance(one, str) and _CONDITION.match(one)):
            sentence = f"{shown(one)} does not say whether it binds: RC1 (binding) or (advisory)"
            told.append(Told(f"{place}.conditions[{at}]", "condition_unmarked", sentence))
    return told


def _artifacts_told(made: Mapping[str, Any], place: str) -> list[Told]:
    told = _unknown(made, _ARTIFACTS, place)
    produced, consumed = made.get("produced"), made.get("consumed")
    for name, rows in (("produced", produced), ("consumed", consumed)):
        told += _paths_told(rows, joined(place, name))
        for at, one in enumerate(rows if isinstance(rows, list) else ()):
            file = one.rpartition("/")[2] if isinstance(one, str) else ""
            if "/evidence/" in str(one):
                row = told_of(f"{place}.{name}[{at}]", "artifact", file, ARTIFACTS)
                told += [row] if row is not None and row.code == "artifact_alias" else []
    if isinstance(produced, list) and isinstance(consumed, list):
        for one in produced:
            if one in consumed:
                sentence = f"{shown(one)} is named as produced and as consumed"
                told.append(Told(joined(place, "produced"), "made_and_used", sentence))
    return told


def _paths_told(rows: object, place: str) -> list[Told]:
    told = []
    for at, one in enumerate(rows if isinstance(rows, list) else ()):
        if not isinstance(one, str):
            told.append(_wrong(f"{place}[{at}]", one, "no path"))
            continue
        path, prose = without_prose(one)
        if prose:
            sentence = f"prose stands behind the path: {shown(prose)}"
            told.append(Told(f"{place}[{at}]", "prose_in_path", sentence, path))
        elif one.startswith(("/", "~")) or ".." in one.split("/") or not one.isprintable():
            told.append(_wrong(f"{place}[{at}]", one, "no path of this repository"))
    return told


def _phases_told(
    value: Mapping[str, Any], metadata: Mapping[str, Any], place: str
) -> Iterable[Told]:
    told: list[Told] = []
    for name in ("phase", "next_phase"):
        word = metadata.get(name)
        if word is not None:
            told += _word(joined(place, name), "phase", word, PHASES)
    checkpoint = metadata.get("next_checkpoint")
    if isinstance(checkpoint, str) and checkpoint.startswith("(none"):
        sentence = f"{shown(checkpoint)} stands for nothing"
        told.append(Told(joined(place, "next_checkpoint"), "checkpoint_alias", sentence))
    elif checkpoint is not None:
        told += _word(joined(place, "next_checkpoint"), "checkpoint", checkpoint, GATES)
    if metadata.get("next_phase") in (None, "", "null", "n/a"):
        sentence = "next_phase is not set, so nobody can tell where it leads"
        told.append(Told(joined(place, "next_phase"), "no_next_phase", sentence))
    phase, sender = metadata.get("phase"), value.get("from_role")
    family = FAMILY_OF.get(phase) if isinstance(phase, str) else None
    if family is not None and sender != family and value.get("to_role") in (family, "test-runner"):
        sentence = f"phase is the receiver's; the sender's is meant, and {shown(phase)} is not"
        told.append(Told(joined(place, "phase"), "phase_of_receiver", sentence))
    return told


# --- tasks ---------------------------------------------------------------------------------------

_TASK_FIELDS: Final = (
    *("id", "description", "created_at", "status", "current_phase", "current_role", "sandbox"),
    *("current_sandbox", "planned_implementer", "recent_handoffs", "checkpoints", "revise_count"),
    *("completed_at", "user_choices", "close_out"),
)


def task_told(task: Mapping[str, Any], place: str) -> list[Told]:
    """Return what is odd about one task of the ledger, of either shape."""
    told = _unknown(task, _TASK_FIELDS, place)
    id_ = task.get("id")
    if not isinstance(id_, str) or not _TASK.fullmatch(id_):
        told.append(_wrong(joined(place, "id"), id_, "no id of a cooperation"))
    for name, field, words in (
        ("status", "task_status", STATUSES),
        ("current_phase", "phase", PHASES),
        ("current_role", "role", FAMILIES),
        ("sandbox", "sandbox_word", SANDBOXES),
        ("current_sandbox", "sandbox_word", SANDBOXES),
    ):
        if task.get(name) is not None:
            told += _word(joined(place, name), field, task[name], words)
    if "current_sandbox" in task:
        row = told_of(joined(place, "current_sandbox"), "sandbox", "current_sandbox", ("sandbox",))
        told += [] if row is None else [row]
    if "status" not in task:
        told.append(Told(joined(place, "status"), "missing_field", "status is not there"))
    return [*told, *_times_told(task, place)]


def _times_told(task: Mapping[str, Any], place: str) -> list[Told]:
    """Return what of a task is stamped before that which brought it about."""
    told = []
    given = _stamped(task.get("recent_handoffs"))
    decided = _stamped(task.get("checkpoints"))
    created = instant_ms(task.get("created_at"))
    last = created if created is not None else 0
    for at, (row, when) in enumerate(given):
        if when < last:
            told.append(_early(f"{place}.recent_handoffs[{at}]", row, "the one before it"))
        last = max(last, when)
    for at, (row, when) in enumerate(decided):
        told += _decision_told(row, f"{place}.checkpoints[{at}]")
        asked = [
            asked_at
            for handoff, asked_at in given
            if handoff.get("to_role") == _family_of_gate(row.get("gate"))
        ]
        cause = max(asked, default=0) if row.get("gate") == "final_check" else min(asked, default=0)
        if when < max(cause, created or 0):
            told.append(_early(f"{place}.checkpoints[{at}]", row, "the handoff that asks for it"))
    return told


def _stamped(rows: object) -> list[tuple[Mapping[str, Any], int]]:
    found = []
    for row in rows if isinstance(rows, list) else ():
        at = instant_ms(row.get("timestamp")) if isinstance(row, dict) else None
        if at is not None:
            found.append((row, at))
    return found


def _decision_told(row: Mapping[str, Any], place: str) -> list[Told]:
    told = _word(joined(place, "gate"), "checkpoint", row.get("gate"), GATES)
    return told + _word(joined(place, "decision"), "decision", row.get("decision"), DECISIONS)


def _family_of_gate(gate: object) -> str | None:
    return next((FAMILY_OF[phase] for phase, name in GATE_OF.items() if name == gate), None)


def _early(place: str, row: Mapping[str, Any], cause: str) -> Told:
    sentence = f"it is stamped {shown(row.get('timestamp'))}, before {cause}"
    return Told(place, "before_its_cause", sentence)


def order_told(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Told]:
    """Return which handoffs of one task are stamped before the one that they follow."""
    told = []
    last = 0
    for place, row in rows:
        at = instant_ms(row.get("timestamp"))
        if at is None:
            continue
        if at < last:
            told.append(_early(joined(place, "timestamp"), row, "the handoff that it follows"))
        last = max(last, at)
    return told


# --- values --------------------------------------------------------------------------------------


def _word(place: str, field: str, value: object, words: tuple[str, ...]) -> list[Told]:
    if not isinstance(value, str):
        return [_wrong(place, value, f"no {field.replace('_', ' ')}")]
    row = told_of(place, field, value, words)
    return [] if row is None else [row]


def _wrong(place: str, value: object, what: str) -> Told:
    return Told(place, "wrong_value", f"{shown(value)} is {what}")


def _unknown(value: Mapping[str, Any], known: tuple[str, ...], place: str) -> list[Told]:
    return [
        Told(joined(place, name), "unknown_field", "the documents do not name it; it is kept")
        for name in value
        if name not in known
    ]

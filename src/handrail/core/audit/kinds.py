r"""What a condition is about: the second table of rules, and the event of a trigger for each kind.

Promises: pure; bounded; a condition that is of no other kind is ``blocked``, what only somebody who
works can notice.

    >>> kinds_of("a file is outside the allowlist, or a step lacks detail")
    ('scope', 'contract')
    >>> field_in("`meta.priority: ultra`")
    ('meta.priority', 'ultra')
"""

from __future__ import annotations

import re
from typing import Final

from handrail.core.audit.rule import Rule

DOCUMENT: Final = "document"
SCOPE: Final = "scope"
CONTRACT: Final = "contract"
GATE: Final = "gate"
REVIEW: Final = "review"
DONE: Final = "done"
BLOCKED: Final = "blocked"
POLICY: Final = "policy"
"""That a session may not leave its role: the condition of the gap in the protocol itself."""

_FIELD: Final = re.compile(
    r"(?<![\w.])[`\"']{0,2}([A-Za-z_]\w{0,40}(?:\.[A-Za-z_]\w{0,40}){0,4})[`\"']{0,2}"
    r"\s{0,2}(?::|==?|\bis set to\b|\bis\b|\bequals\b)\s{0,2}"
    r"[`\"']{0,2}([A-Za-z0-9][\w-]{0,40})[`\"']{0,2}"
)
_PLAIN_VALUES: Final = frozenset(
    {
        *("true", "false", "yes", "no", "none", "null", "open", "done", "todo", "high"),
        *("medium", "low", "set", "not", "empty", "missing"),
    }
)

KINDS: Final = (
    Rule(
        SCOPE,
        "a path lies outside of what may be changed",
        (
            (
                r"\bout[- ]of[- ]scope\b|\bscopes?\b|\ballow-?list\w{0,3}|\ballowed[_ ](?:files?"
                r"|paths?)\b"
            ),
            r"\b(?:outside|beyond|exceed\w{0,3}|boundar\w{1,3}|off[- ]limits|widen\w{0,3})\b",
            r"\bnot (?:listed|allowed|owned|covered|part of)\b",
        ),
        (
            "the request exceeds the clean-up scope",
            "a needed file is not in allowed_files",
            "work is needed outside `apps/web`",
        ),
        ("the step is unclear", "the tests fail"),
    ),
    Rule(
        CONTRACT,
        "the task does not say enough, or contradicts itself",
        (
            (
                r"\b(?:contract|step detail|deterministic|ambigu\w{1,6}|unclear|underspecified"
                r"|incomplete|missing|lacks?|contradict\w{0,6}|conflict\w{0,5}|inconsisten\w{1,4}"
                r"|deviat\w{1,6}|malformed)\b"
            ),
        ),
        (
            "a step lacks deterministic detail",
            "instructions conflict",
            "a deviation from the directive is needed",
        ),
        ("the request goes beyond `apps/web`", "the plan is approved"),
    ),
    Rule(
        GATE,
        "a check fails",
        (
            (
                r"\b(?:tests?|lint\w{0,3}|builds?|validation|type-?checks?|ci|gates?|checks?"
                r"|suite)\b"
                r"[^.;]{0,40}?\b(?:fail\w{0,4}|red|breaks?|broken|errors?|(?:not|n't) pass)\b"
            ),
            r"\bfail\w{0,4}\b[^.;]{0,20}?\b(?:tests?|lint|build|validation|ci|gates?|checks?)\b",
        ),
        ("validation commands fail", "the unit tests do not pass", "there are failing checks"),
        ("the tests are listed below", "fail closed"),
    ),
    Rule(
        REVIEW,
        "it was tried or sent back often enough",
        (
            (
                r"\b(?:reviews?|revis\w{1,5}|rework\w{0,3}|reject\w{0,5}|attempts?|retr(?:y|ies)"
                r"|cycles?|rounds?)\b[^.;]{0,40}?"
                r"\b(?:limit|max\w{0,4}|twice|exhausted|exceed\w{0,3}|reached|used up)\b"
            ),
            (
                r"\b(?:after|more than|limit of|max\w{0,4}|at most) (?:two|three|four|\d{1,3})\b"
                r"[^.;]{0,20}?\b(?:reviews?|revis\w{1,5}|attempts?|retries|cycles?|rounds?)\b"
            ),
        ),
        ("after two revisions", "the review limit is reached", "it was rejected twice"),
        ("the review is open", "two files changed"),
    ),
    Rule(
        DONE,
        "work is done, approved or ready",
        (
            (
                r"(?<!not )(?<!be )(?<!cannot )\b(?:complete[sd]?|done|finish(?:es|ed)?|approved"
                r"|ready"
                r"|pass(?:es|ed)?|green|merged|signed off|accepted|validated|written|authored)\b"
                r"|\bend of (?:the |a )?phase\b|\bcompletion\b"
            ),
        ),
        ("the plan is approved", "the phase is complete", "all tests pass"),
        ("the plan is not approved", "it cannot be completed", "a file is missing"),
    ),
)
"""In the order in which they are told; a condition may be of several."""

EVENTS: Final = {
    DOCUMENT: ("document",),
    SCOPE: ("edit_refused",),
    CONTRACT: ("blocked",),
    GATE: ("gate_failed",),
    REVIEW: ("revise_limit",),
    DONE: ("phase_done",),
    BLOCKED: ("blocked",),
    POLICY: ("blocked",),
}
"""The event that stands for each kind; what else covers it is decided in ``matrix``."""


def kinds_of(text: str) -> tuple[str, ...]:
    """Return what a condition is about, by its words alone; nothing if no rule applies."""
    small = text.lower()
    found = tuple(rule.id for rule in KINDS if rule.find(small) is not None)
    if len(found) > 1 and DONE in found:
        return tuple(kind for kind in found if kind != DONE)
    return found


def field_in(text: str) -> tuple[str, str] | None:
    """Return the field of a document and its value that a text speaks of: ``meta.status: open``."""
    for found in _FIELD.finditer(text):
        field, value = found[1], found[2]
        if ("." in field or "_" in field) and field == field.lower():
            return field, value.lower()
    return None


def is_telling(value: str) -> bool:
    """Tell whether a value is rare enough to stand for its field in other sentences."""
    return len(value) > 3 and value not in _PLAIN_VALUES and not value.isdigit()

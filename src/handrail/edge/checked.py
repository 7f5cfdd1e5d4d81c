"""What the gates of a stage say, for people and in the formats of others.

Promises: every gate is named with its verdict; what only advises is a warning and never an error;
a verdict that rests on an earlier run says which receipt that is.
"""

from __future__ import annotations

from handrail import errors
from handrail.config import CONFIG_FILE
from handrail.edge.cli.output import dump
from handrail.edge.findings import Case, Finding, junit, sarif, workflow_commands
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.gates.gate import ADVISE, CANNOT_TELL, FAIL, PASS, Outcome
from handrail.service.gating import Checked
from handrail.text import scope_word, visible
from handrail.typed import Final

SHOWN_MAX: Final = 50
STATUS: Final = {PASS: 0, FAIL: errors.EXIT_REFUSED, CANNOT_TELL: errors.EXIT_UNAVAILABLE}
UNSURE: Final = "cannot_tell"


def reply(checked: Checked, form: str) -> Reply:
    """Answer in a format: text, json, junit, sarif or github."""
    status = STATUS[checked.verdict]
    data = as_data(checked)
    if form == "json":
        return Reply(data, dump(data), (), status)
    if form == "junit":
        rows = [case for one in checked.outcomes for case in cases(one)]
        return Reply(data, junit(f"handrail check {checked.stage}", rows), (), status)
    if form in ("sarif", "github"):
        found = [finding for one in checked.outcomes for finding in findings(one)]
        if form == "github":
            return Reply(data, workflow_commands(found), (), status)
        rules = {finding.code: finding.code.replace("_", " ") for finding in found}
        return Reply(data, dump(sarif(found, rules, CONFIG_FILE)), (), status)
    return Reply(data, as_text(checked), (), status)


def as_data(checked: Checked) -> Data:
    """Return what the gates say as data."""
    return {
        "stage": checked.stage,
        "verdict": checked.verdict,
        "findings": [
            {
                "gate": one.gate,
                "path": objection.path,
                "code": objection.code,
                "message": objection.message,
                "binding": one.binds and not objection.advice,
                "waiver": one.waiver,
            }
            for one in checked.outcomes
            for objection in one.objections
        ],
        "gates": [gate_data(one) for one in checked.outcomes],
        "next": _next(checked),
    }


def gate_data(outcome: Outcome) -> Data:
    """Return one gate's verdict as data."""
    return {
        "gate": outcome.gate,
        "verdict": outcome.verdict,
        "level": outcome.level,
        "applicable": outcome.applicable,
        "reason": outcome.reason or None,
        "receipt": outcome.receipt,
        "reused": outcome.reused,
        "waiver": outcome.waiver,
    }


def as_text(checked: Checked) -> str:
    """Write every gate, what it minds, and the one next command."""
    lines = [line for one in checked.outcomes for line in _lines(one)]
    binding = [one for one in checked.outcomes if one.binds]
    waived = sum(one.waiver is not None for one in checked.outcomes)
    told = []
    for verdict, phrase in ((FAIL, "fail"), (CANNOT_TELL, "cannot tell"), (PASS, "pass")):
        number = sum(one.verdict == verdict for one in binding)
        if number:
            told.append(f"{count(number, 'gate')} {phrase}{_s(number, phrase)}")
    if waived:
        told.append(f"{count(waived, 'gate')} waived")
    lines.append(f"{checked.stage}: {', '.join(told) or 'no gate is to be passed'}")
    step = _next(checked)
    if step is not None:
        lines.append(f"next: {step}")
    return "\n".join(lines) + "\n"


def _s(number: int, phrase: str) -> str:
    """Return the ending of a verb after one gate."""
    if number != 1 or phrase == "cannot tell":
        return ""
    return "es" if phrase == "pass" else "s"


def _next(checked: Checked) -> str | None:
    """Return the first repair: of what fails, else of what nobody can tell."""
    binding = [one for one in checked.outcomes if one.binds]
    steps = [
        objection.next
        for one in binding
        for objection in one.objections
        if objection.next and not objection.advice
    ]
    steps += [one.next for one in binding if one.next and one.verdict == CANNOT_TELL]
    return next(iter(steps), None)


def _lines(outcome: Outcome) -> list[str]:
    about = ""
    if outcome.receipt is not None:
        about = f" ({'from ' if outcome.reused else ''}receipt {outcome.receipt})"
    elif not outcome.applicable:
        about = " (nothing to judge)"
    if outcome.waiver is not None:
        about += f", waived by {outcome.waiver}"
    mark = "advice: " if outcome.level == ADVISE and outcome.verdict != PASS else ""
    why = f": {visible(outcome.reason)}" if outcome.reason else ""
    lines = [f"{mark}{outcome.verdict}: {outcome.gate}{about}{why}"]
    for objection in outcome.objections[:SHOWN_MAX]:
        path = "" if objection.path is None else f"{scope_word(objection.path)}: "
        advice = "advice: " if objection.advice else ""
        lines.append(f"    {advice}{path}{objection.code}: {visible(objection.message)}")
    more = len(outcome.objections) - SHOWN_MAX
    return lines if more <= 0 else [*lines, f"    and {more} more"]


def waived_by(outcome: Outcome) -> str | None:
    """Say which exception a verdict does not count by; None where there is none."""
    if outcome.waiver is None:
        return None
    return f"waived by {outcome.waiver} (handrail waiver list --all)"


def findings(outcome: Outcome) -> list[Finding]:
    """Return what a gate minds, for annotations and SARIF."""
    return [one._replace(waived=waived_by(outcome)) for one in _found(outcome)]


def _found(outcome: Outcome) -> list[Finding]:
    if outcome.verdict == CANNOT_TELL:
        level = "error" if outcome.binds else "note"
        text = f"{outcome.gate}: {outcome.reason}"
        return [Finding(UNSURE, level, text, None, outcome.gate)]
    return [
        Finding(
            one.code,
            "error" if outcome.binds and not one.advice else "warning",
            f"{outcome.gate}: {one.message}",
            one.path,
            outcome.gate,
        )
        for one in outcome.objections
    ]


def cases(outcome: Outcome) -> list[Case]:
    """Return what a gate says as tests."""
    waived = waived_by(outcome)
    if waived is not None:
        return [Case(outcome.gate, None, waived, skipped=True)]
    if outcome.verdict == CANNOT_TELL and outcome.binds:
        return [Case(outcome.gate, UNSURE, outcome.reason, told=False)]
    if outcome.verdict == PASS or not outcome.binds:
        return [Case(outcome.gate, None, "")]
    return [
        Case(f"{outcome.gate} {one.path or ''}".strip(), one.code, one.message)
        for one in outcome.objections
        if not one.advice
    ]

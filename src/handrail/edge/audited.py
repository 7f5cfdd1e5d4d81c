"""An audit for people and for programs: plain text, Markdown, JSON, SARIF.

Promises: whatever a rule file says is data: control characters are shown, in Markdown it stands in
code and in SARIF it makes no link; what is cut off says how much there is more, and JSON has all.

    reply(report, "markdown", strict=False).text
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from handrail import errors
from handrail.config import CONFIG_FILE
from handrail.core.audit.ladder import NOTHING, Rung
from handrail.core.audit.matrix import CONFLICT, COVERED, PROTOCOL, Finding, Source
from handrail.core.audit.rows import toml_of
from handrail.core.audit.statements import Statement
from handrail.edge.cli.output import dump
from handrail.edge.findings import Finding as Objection
from handrail.edge.findings import sarif
from handrail.edge.render import count
from handrail.edge.reply import Data, Reply
from handrail.service.audit import OBJECTIVE, Report
from handrail.text import rfc3339, visible

FORMATS: Final = ("text", "markdown", "json", "sarif")
SHOWN_MAX: Final = 40
CODES: Final = {
    "role_boundary_open": "Work goes from one role to another here, and no trigger leads it on.",
    "role_boundary_covered": "Work goes from one role to another here, and a trigger leads it on.",
    "protocol_gap": "Roles are fixed here, with no exception for an automatic handoff.",
    "forbidden_trigger": "A trigger does what this rule forbids.",
    "file_unread": "A rule file was not read.",
}
FIX: Final = "handrail audit --fix --dry-run"


def reply(report: Report, form: str, *, strict: bool) -> Reply:
    """Answer in a format; ``strict``: a gap is a refusal, what was not read is cannot-tell."""
    status = 0
    if strict and report.has_gap:
        status = errors.EXIT_REFUSED
    elif strict and (report.unread or report.problems):
        status = errors.EXIT_UNAVAILABLE
    data = as_data(report)
    if form == "json":
        return Reply(data, dump(data), (), status)
    if form == "sarif":
        return Reply(data, dump(as_sarif(report)), (), status)
    markdown = form == "markdown"
    return Reply(data, as_text(report, _MARKDOWN if markdown else _PLAIN), (), status)


# ------------------------------------------------------------------------------------------- data


def as_data(report: Report) -> Data:
    """Return an audit as data."""
    compared = report.compared
    return {
        "date": rfc3339(report.at)[:10],
        "at": rfc3339(report.at),
        "scope": list(report.scope),
        "objective": OBJECTIVE,
        "configuration": report.configured,
        "roles": list(report.roles),
        "findings": [_finding_data(n, one) for n, one in enumerate(compared.findings, 1)],
        "protocol_gaps": [
            n
            for n, one in enumerate(compared.findings, 1)
            if one.kind == PROTOCOL and one.state != COVERED
        ],
        "triggers": [
            {"id": row.id, "from": row.from_role, "to": row.to_role, "finding": row.finding}
            for row in report.proposed.rows
        ],
        "toml": _paste(report),
        "unwritten": [one._asdict() for one in report.proposed.unwritten],
        "coverage": {
            "covered": compared.covered,
            "findings": len(compared.findings),
            "percent": compared.percent,
        },
        "ordinary_handoffs": [_said(one) for one in compared.ordinary],
        "asks_a_person": [_said(one) for one in compared.to_persons],
        "without_finding": list(report.without),
        "unread": [{"path": path, "reason": why} for path, why in report.unread],
        "no_rule_for_language": list(report.foreign),
        "problems": [{"path": path, "reason": why} for path, why in report.problems],
        "residual_risk": [rung._asdict() for rung in report.rungs],
        "open_gap": report.has_gap,
        "next": FIX if report.proposed.rows and report.configured else None,
    }


def _finding_data(number: int, finding: Finding) -> Data:
    return {
        "number": number,
        "title": finding.title,
        "kind": finding.kind,
        "state": finding.state,
        "from": finding.from_role,
        "to": finding.to_role,
        "implicit": finding.implicit,
        "sources": [
            {"path": one.path, "lines": [one.first, one.last], "quote": one.quote}
            for one in finding.sources
        ],
        "conditions": [
            {
                "text": one.condition.text,
                "kind": one.kind,
                "field": one.condition.field,
                "equals": one.condition.value,
                "covered_by": list(one.covered_by),
            }
            for one in finding.conditions
        ],
        "prior_state": finding.prior,
        "gap": finding.gap,
        "covered_by": list(finding.covered_by),
        "not_configured": list(finding.unknown),
    }


def _said(statement: Statement) -> Data:
    return {
        "path": statement.path,
        "lines": [statement.first, statement.last],
        "from": statement.from_role,
        "to": statement.to_role,
        "quote": statement.quote,
    }


def _paste(report: Report) -> str:
    """Return the rows to be pasted; without a configuration, with the roles that they name."""
    rows = report.proposed.rows
    named = dict.fromkeys(role for row in rows for role in (row.from_role, row.to_role))
    roles = [role for role in named if role != "any"] if report.configured is None else []
    told = "".join(f'[[role]]\nname = "{role}"\nlane = []\n\n' for role in roles)
    return told + toml_of(rows)


# ------------------------------------------------------------------------------------------- text


class _Style:
    """How one of the two texts is written."""

    def __init__(
        self, heading: Callable[[str, int], str], code: Callable[[str], str], fence: str
    ) -> None:
        self.heading, self.code, self.fence = heading, code, fence


def _in_code(text: str) -> str:
    """Write hostile text as code of Markdown: nothing in it ends the code or begins anything."""
    return f"`{visible(text).replace('`', chr(39))}`"


_PLAIN: Final = _Style(lambda text, level: text.upper() if level == 1 else text, visible, "")
_MARKDOWN: Final = _Style(lambda text, level: f"{'#' * level} {text}", _in_code, "```")


def as_text(report: Report, style: _Style) -> str:
    """Write an audit in the form of a report."""
    compared, code = report.compared, style.code
    lines = [
        style.heading("Role handoff audit", 1),
        "",
        f"Date: {rfc3339(report.at)[:10]}",
        f"Scope: {', '.join(code(path) for path in report.scope)}",
        f"Configuration: {visible(report.configured or 'none; roles are those of the texts')}",
        *_headed(style, "Objective"),
        OBJECTIVE,
        *_headed(style, "Findings"),
    ]
    if not compared.findings:
        lines.append("None.")
    for number, finding in enumerate(compared.findings[:SHOWN_MAX], 1):
        lines += _finding_lines(number, finding, style)
    lines += _more(len(compared.findings))
    lines += _protocol(report, style)
    lines += _triggers(report, style)
    lines += _headed(style, "Coverage")
    number = len(compared.findings)
    if number:
        covered = f"{compared.covered} of {count(number, 'finding')} covered"
        lines.append(f"{covered}, {compared.percent} %")
    else:
        lines.append("there is nothing to cover")
    lines += _files(report, style)
    lines += _residual(report, style)
    if report.proposed.rows and report.configured:
        lines += ["", f"next: {code(FIX)}"]
    return "\n".join(lines) + "\n"


def _headed(style: _Style, title: str) -> list[str]:
    return ["", style.heading(title, 2), ""]


def _more(number: int) -> list[str]:
    return [f"and {number - SHOWN_MAX} more; --json has them"] if number > SHOWN_MAX else []


def _finding_lines(number: int, finding: Finding, style: _Style) -> Iterator[str]:
    code = style.code
    if number > 1:
        yield ""
    yield f"{number}. {finding.title}"
    for place in _places(finding.sources, code):
        yield f"- Source: {place}"
    for one in finding.conditions[:SHOWN_MAX]:
        ids = ", ".join(one.covered_by)
        yield f"- Condition: {code(one.condition.text)} ({one.kind}{f'; {ids}' if ids else ''})"
    yield from _more(len(finding.conditions))
    yield f"- Prior state: {finding.prior}"
    yield f"- Gap: {finding.gap}"
    if finding.unknown:
        yield f"- Not configured as a role: {', '.join(finding.unknown)}"


def _places(sources: Sequence[Source], code: Callable[[str], str]) -> Iterator[str]:
    """Yield where it is said: files of one folder as its glob, each with its lines."""
    folders: dict[str, list[Source]] = {}
    for source in sources:
        folders.setdefault(source.path.rpartition("/")[0], []).append(source)
    shown = 0
    for folder, found in folders.items():
        files = {one.path for one in found}
        if folder and len(files) > 1:
            lines = ", ".join(
                code(f"{one.path.rpartition('/')[2]}:{_range(one)}") for one in found[:SHOWN_MAX]
            )
            more = "".join(f", {line}" for line in _more(len(found)))
            yield f"{code(f'{folder}/*')} ({lines}{more})"
            continue
        for one in found[:SHOWN_MAX]:
            yield code(f"{one.path}:{_range(one)}")
        yield from _more(len(found))
        shown += 1
        if shown == SHOWN_MAX:
            break


def _range(source: Source) -> str:
    return f"{source.first}" if source.first == source.last else f"{source.first}-{source.last}"


def _protocol(report: Report, style: _Style) -> list[str]:
    gaps = [
        (number, one)
        for number, one in enumerate(report.compared.findings, 1)
        if one.kind in (PROTOCOL, CONFLICT) and one.state != COVERED
    ]
    if not gaps:
        return []
    lines = _headed(style, "Global protocol gaps")
    return lines + [f"- finding {number}: {one.gap}" for number, one in gaps]


def _triggers(report: Report, style: _Style) -> list[str]:
    proposed = report.proposed
    lines: list[str] = []
    if proposed.rows:
        lines += _headed(style, f"Triggers for the gaps, for the end of {CONFIG_FILE}")
        block = _paste(report).rstrip("\n")
        lines += [f"{style.fence}toml", block, style.fence] if style.fence else [block]
    if proposed.unwritten:
        lines += _headed(style, "Gaps without a trigger to paste")
        lines += [f"- {one.finding}: {one.reason}" for one in proposed.unwritten]
    return lines


def _files(report: Report, style: _Style) -> list[str]:
    code = style.code
    lines: list[str] = []
    for title, rows in (
        ("Handoffs of finished work, which need no trigger", report.compared.ordinary),
        ("Questions of who decides, which go to a person", report.compared.to_persons),
    ):
        if rows:
            lines += _headed(style, title)
            lines += [f"- {code(f'{one.path}:{one.first}')}" for one in rows[:SHOWN_MAX]]
            lines += _more(len(rows))
    plain = [path for path in report.without if path not in report.foreign]
    for title, paths in (
        ("Files without a finding", plain),
        ("No rule of detection applies in this language", report.foreign),
    ):
        if paths:
            lines += _headed(style, title)
            lines += [f"- {code(path)}" for path in paths[:SHOWN_MAX]] + _more(len(paths))
    for title, told in (
        ("Files that could not be read", report.unread),
        ("Files of which a part could not be read", report.problems),
    ):
        if told:
            lines += _headed(style, title)
            lines += [f"- {code(path)}: {visible(why)}" for path, why in told[:SHOWN_MAX]]
            lines += _more(len(told))
    return lines


def _residual(report: Report, style: _Style) -> list[str]:
    lines = _headed(style, "Residual risk")
    if report.standing is None:
        return [*lines, "Handrail is not configured here: every rule above only advises."]
    if not report.rungs:
        lines.append("No trigger is configured: every rule above only advises.")
    for rung in report.rungs[: 4 * SHOWN_MAX]:
        lines.append(f"- {rung.trigger}, {rung.harness}: {_rung(rung)}")
    if len(report.rungs) > 4 * SHOWN_MAX:
        lines.append(f"and {len(report.rungs) - 4 * SHOWN_MAX} more; --json has them")
    gaps = len(report.compared.findings) - report.compared.covered
    if gaps:
        lines.append(f"- {count(gaps, 'finding')} without a trigger for all of it: only advice")
    told = sorted({one.kind for each in report.compared.findings for one in each.conditions})
    noticed = [kind for kind in told if kind in ("blocked", "contract", "policy")]
    if noticed:
        lines.append(f"- only whoever works can notice what is about: {', '.join(noticed)}")
    return lines


def _rung(rung: Rung) -> str:
    if rung.enforced == NOTHING:
        said = f"nothing enforces it: {visible(rung.reason)}"
    else:
        said = f"enforced at: {', '.join((rung.enforced, *rung.later))}"
    return f"{said}; advises: {', '.join(rung.advises)}" if rung.advises else said


# ------------------------------------------------------------------------------------------ SARIF


def as_sarif(report: Report) -> Data:
    """Write an audit as SARIF: a warning for each gap, a note for what is covered or not read."""
    found = [_objection(one) for one in report.compared.findings]
    found += [
        Objection("file_unread", "note", _plain(f"{path}: {why}"), path, "audit")
        for path, why in report.unread
    ]
    rules = {code: text for code, text in CODES.items() if code in {one.code for one in found}}
    return sarif(found, rules, CONFIG_FILE)


def _objection(finding: Finding) -> Objection:
    covered = finding.state == COVERED
    code = "role_boundary_covered" if covered else "role_boundary_open"
    if not covered and finding.kind in (PROTOCOL, CONFLICT):
        code = "protocol_gap" if finding.kind == PROTOCOL else "forbidden_trigger"
    when = "; ".join(one.condition.text for one in finding.conditions[:SHOWN_MAX])
    text = f"{finding.title}. Condition: {when or '-'}. Prior state: {finding.prior}."
    place = finding.sources[0]
    level = "note" if covered else "warning"
    subject = f"{finding.kind} {finding.from_role} {finding.to_role}"
    message = _plain(f"{text} Gap: {finding.gap}.")
    return Objection(code, level, message, place.path, subject, line=place.first)


def _plain(text: str) -> str:
    """Write hostile text as a message: in SARIF, brackets would make a link."""
    return visible(text).replace("[", "(").replace("]", ")")

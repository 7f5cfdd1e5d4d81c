"""What a judgment objects to, in the formats of others: SARIF, JUnit's XML, annotations.

Promises: SARIF 2.1.0 with one rule for each code; paths are repo-relative URIs; a fingerprint that
stays the same for the same objection. Annotations are escaped as GitHub's runner reads them, and
there are never more than it shows. The XML is well formed whatever anybody wrote.

    print(workflow_commands([Finding("unseen", "error", "…", "src/a.py", "9f2c…")]))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from handrail import __version__
from handrail.core.digest import sha256
from handrail.core.record import Record
from handrail.edge.reply import Data
from handrail.errors import Usage
from handrail.text import visible
from handrail.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from handrail.edge.cli.invocation import Invocation

ANNOTATIONS_MAX: Final = 10
FORMATS: Final = ("text", "json", "junit", "sarif", "github")
SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {"error": "error", "warning": "warning", "note": "notice"}
_PLAIN: Final = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/@+=,!$&'()*;"
)


class Finding(Record):
    """An objection or a notice: level error, warning or note; ``subject`` is what it is about.

    ``waived`` says by what exception it does not count, if by any; ``line`` is counted from 1.
    """

    code: str
    level: str
    message: str
    path: str | None
    subject: str
    waived: str | None = None
    line: int = 1


def chosen_format(invocation: Invocation, formats: Sequence[str] = FORMATS) -> str:
    """Return the format that was asked for, ``json`` by either option; raises Usage."""
    form, step = invocation.text("format"), f"handrail {invocation.path} --help"
    if form is not None and form not in formats:
        reason = f"{visible(form)!r} is no format; there are {', '.join(formats)}."
        raise Usage(reason=reason, next=step)
    if not invocation.flag("json"):
        return form or "text"
    if form not in (None, "text", "json"):
        raise Usage(reason=f"Give either --json or --format {form}.", next=step)
    return "json"


def sarif(findings: Sequence[Finding], rules: Mapping[str, str], nowhere: str) -> Data:
    """Write findings as SARIF 2.1.0; ``rules`` say what each code means.

    A finding without a path is shown at the file ``nowhere``: scanners want a place for each.
    """
    order = list(rules)
    driver: Data = {
        "name": "handrail",
        "semanticVersion": __version__,
        "rules": [
            {"id": code, "shortDescription": {"text": _in_general(text)}}
            for code, text in rules.items()
        ],
    }
    results = [
        {
            "ruleId": finding.code,
            "ruleIndex": order.index(finding.code),
            "level": finding.level,
            "message": {"text": finding.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {
                            "uri": uri(finding.path or nowhere),
                            "uriBaseId": "%SRCROOT%",
                        },
                        "region": {"startLine": finding.line},
                    }
                }
            ],
            "partialFingerprints": {"handrailFinding/v1": fingerprint(finding)},
            **_suppressions(finding),
        }
        for finding in findings
    ]
    run: Data = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _suppressions(finding: Finding) -> Data:
    """Say that an objection does not count; nothing is said of the others."""
    if finding.waived is None:
        return {}
    return {"suppressions": [{"kind": "external", "justification": finding.waived}]}


def _in_general(text: str) -> str:
    """Write a sentence without the values that it speaks of."""
    from string import Formatter

    parts = Formatter().parse(text)
    return "".join(plain + ("" if name is None else "…") for plain, name, _, _ in parts)


def uri(path: str) -> str:
    """Write a repo-relative path as a URI reference, whatever its bytes are."""
    raw = path.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw)


def fingerprint(finding: Finding) -> str:
    """Return what stays the same where the same thing is objected to."""
    said = "\0".join((finding.subject, finding.code, finding.path or ""))
    return sha256(said.encode("utf-8", "surrogateescape")).hexdigest()


class Case(Record):
    """One thing that was judged, as a test; ``code`` is None where it passed.

    ``told`` is False where nobody could tell: an error, not a failure. ``skipped``: it does not
    count, for the reason in the message.
    """

    name: str
    code: str | None
    message: str
    told: bool = True
    skipped: bool = False


def junit(suite: str, cases: Sequence[Case]) -> str:
    """Write what was judged as a JUnit test suite, one test for each."""
    failures = sum(case.code is not None and case.told for case in cases)
    unsure = sum(case.code is not None and not case.told for case in cases)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{unsure}"'
    skipped = sum(case.skipped for case in cases)
    more = f' skipped="{skipped}"' if skipped else ""
    head = f'<testsuites {counts}><testsuite name="{_attribute(suite)}" {counts}{more}>'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', head]
    for case in cases:
        test = f'<testcase classname="{_attribute(suite)}" name="{_attribute(case.name)}"'
        if case.skipped:
            lines.append(f'{test}><skipped message="{_attribute(case.message)}"/></testcase>')
            continue
        if case.code is None:
            lines.append(f"{test}/>")
            continue
        element = "failure" if case.told else "error"
        about = f'type="{_attribute(case.code)}" message="{_attribute(case.message)}"'
        lines.append(f"{test}><{element} {about}/></testcase>")
    return "\n".join([*lines, "</testsuite></testsuites>"])


def _attribute(text: str) -> str:
    """Escape a value: ``visible`` leaves no character that XML does not know."""
    plain = visible(text)
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        plain = plain.replace(sign, entity)
    return plain


def workflow_commands(findings: Sequence[Finding]) -> str:
    """Write findings as workflow commands of GitHub, at most ANNOTATIONS_MAX lines."""
    shown = findings if len(findings) <= ANNOTATIONS_MAX else findings[: ANNOTATIONS_MAX - 1]
    lines = [_annotation(finding) for finding in shown]
    if len(shown) < len(findings):
        lines.append(f"::error title=handrail::and {len(findings) - len(shown)} more")
    return "\n".join(lines)


def _annotation(finding: Finding) -> str:
    where = "" if finding.path is None else f"file={_property(visible(finding.path))},"
    title = _property(f"handrail: {finding.code}")
    told = finding.message if finding.waived is None else f"{finding.waived}: {finding.message}"
    message = visible(told).replace("%", "%25")
    return f"::{_LEVELS[finding.level]} {where}title={title}::{message}"


def _property(text: str) -> str:
    """Escape a property: no control character is left in it already."""
    return text.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")

"""What the machine formats of others demand, for the parts of them that Handrail writes.

SARIF 2.1.0 and JUnit's XML, written down here from what their specifications say of these objects:
required members, closed sets of members, value ranges. Both are checked closed, so that a member
that the format does not know is found.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any, Final

import jsonschema

SCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_TEXT: Final[dict[str, Any]] = {"type": "string"}
_MESSAGE: Final = _object(("text",), text={"type": "string", "minLength": 1}, markdown=_TEXT)
_LOCATION: Final = _object(
    ("physicalLocation",),
    physicalLocation=_object(
        ("artifactLocation",),
        artifactLocation=_object(
            ("uri",),
            # No scheme, no root, no backslash: relative to the base, and plain ASCII.
            uri={"type": "string", "pattern": r"^(?![a-zA-Z][a-zA-Z0-9+.\-]*:|/)[!#-\[\]_a-z~%]+$"},
            uriBaseId={"const": "%SRCROOT%"},
        ),
        region=_object(("startLine",), startLine={"type": "integer", "minimum": 1}),
    ),
)
_RESULT: Final = _object(
    ("message", "ruleId"),
    ruleId=_TEXT,
    ruleIndex={"type": "integer", "minimum": -1},
    level={"enum": ["none", "note", "warning", "error"]},
    message=_MESSAGE,
    locations=_list(_LOCATION),
    partialFingerprints={"type": "object", "additionalProperties": _TEXT},
)
_DRIVER: Final = _object(
    ("name",),
    name={"type": "string", "minLength": 1},
    semanticVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+"},
    rules={**_list(_object(("id",), id=_TEXT, shortDescription=_MESSAGE)), "uniqueItems": True},
)
SARIF: Final = {
    "$schema": SCHEMA,
    **_object(
        ("version", "runs"),
        **{"$schema": {"type": "string", "format": "uri"}},
        version={"const": "2.1.0"},
        runs=_list(
            _object(
                ("tool",),
                tool=_object(("driver",), driver=_DRIVER),
                columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                results=_list(_RESULT),
            )
        ),
    ),
}
_MAYBE_TEXT: Final = {"type": ["string", "null"]}
_VERDICT: Final = {"enum": ["pass", "fail", "cannot-tell"]}
CHECK: Final = {
    "$schema": SCHEMA,
    **_object(
        ("stage", "verdict", "findings", "gates", "next"),
        stage=_TEXT,
        verdict=_VERDICT,
        findings=_list(
            _object(
                ("gate", "path", "code", "message", "binding", "waiver"),
                gate=_TEXT,
                path=_MAYBE_TEXT,
                code={"type": "string", "pattern": "^[a-z_]+$"},
                message=_TEXT,
                binding={"type": "boolean"},
                waiver={"type": ["integer", "null"]},
            )
        ),
        gates=_list(
            _object(
                ("gate", "verdict", "level", "applicable"),
                gate=_TEXT,
                verdict=_VERDICT,
                level={"enum": ["block", "advise"]},
                applicable={"type": "boolean"},
                reason=_MAYBE_TEXT,
                receipt={"type": ["integer", "null"]},
                reused={"type": "boolean"},
                waiver={"type": ["integer", "null"]},
            )
        ),
        next=_MAYBE_TEXT,
    ),
}
_COUNTS: Final = {"tests", "failures", "errors"}
_ATTRIBUTES: Final = {
    "testsuites": (set[str](), {"name", "time", "disabled", *_COUNTS}),
    "testsuite": ({"name"}, {"name", "time", "timestamp", "skipped", "id", *_COUNTS}),
    "testcase": ({"name"}, {"name", "classname", "time", "status", "file", "line"}),
    "failure": (set[str](), {"type", "message"}),
    "error": (set[str](), {"type", "message"}),
}
_CHILDREN: Final = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error"},
}


def check_json(data: Any) -> None:
    """Hold the answer of ``check --json`` against its shape."""
    jsonschema.Draft202012Validator(CHECK).validate(data)


def check_sarif(data: Any) -> None:
    """Hold a log against SARIF 2.1.0; each result points to its rule."""
    jsonschema.Draft202012Validator(SARIF).validate(data)
    for run in data["runs"]:
        rules = [rule["id"] for rule in run["tool"]["driver"].get("rules", ())]
        assert len(rules) == len(set(rules))
        for result in run.get("results", ()):
            assert rules[result["ruleIndex"]] == result["ruleId"]


def check_junit(text: str) -> None:
    """Hold a report against JUnit's format; the counts are those of what is there."""
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    for element in root.iter():
        required, known = _ATTRIBUTES[element.tag]
        assert required <= set(element.keys()) <= known, element.attrib
        assert {child.tag for child in element} <= _CHILDREN.get(element.tag, set())
        assert len(element) <= 1 or element.tag != "testcase"
        if element.tag in ("testsuites", "testsuite"):
            for count, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
                assert int(element.get(count, "0")) == len(list(element.iter(tag)))

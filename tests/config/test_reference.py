"""The JSON Schema and the page say what the checks do, and the files in `docs` are both of them."""

from __future__ import annotations

import copy
import json
import tomllib
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.config import documentation, json_schema
from handrail.config.reference import PAGE_FILE, SCHEMA_FILE, schema_text
from handrail.config.report import Report
from handrail.config.schema import HANDRAIL_TOML
from handrail.config.tables import Forms, Key, Table, Tables
from tests.config.mistakes import SAID
from tests.config.samples import COMPLETE, DESIGN, FULL, SMALL
from tests.support import ROOT

REGENERATE = "out of date; run `python -m handrail.config.reference` at the root of the project"
VALIDATOR = jsonschema.Draft202012Validator(json_schema())

# What a JSON Schema does not say, or Handrail does not repeat in it.
BEYOND_A_SCHEMA = (
    *("there is no role", "there is no phase", "there is no gate", "there is no checkpoint"),
    *("defined twice", "out of range", "is no scope", "is no path", "Handrail's own", "is no TOML"),
)


def reasons(document: dict[str, Any]) -> list[str]:
    """Give what the checks say of a parsed document."""
    report = Report()
    HANDRAIL_TOML.check(document, (), report)
    report.resolve()
    return [found.reason for found in report._found]


def all_keys(kind: Any) -> list[Key]:
    """Give every row of the table."""
    if isinstance(kind, Tables):
        return all_keys(kind.table)
    if isinstance(kind, Forms):
        return [key for _, form in kind.forms for key in all_keys(form)]
    if isinstance(kind, Table):
        return [inner for key in kind.keys for inner in (key, *all_keys(key.kind))]
    return []


def test_the_schema_is_a_schema_of_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("text", [SMALL, DESIGN, COMPLETE, FULL])
def test_the_schema_accepts_the_examples(text: str) -> None:
    VALIDATOR.validate(tomllib.loads(text))


@pytest.mark.parametrize(("text", "line", "key", "reason"), SAID)
def test_the_schema_refuses_what_the_checks_refuse_but_for_what_it_cannot_say(
    text: str, line: int, key: str, reason: str
) -> None:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    if "1979-05-27" in text:
        return
    beyond = any(words in said for said in reasons(document) for words in BEYOND_A_SCHEMA)
    assert beyond or not VALIDATOR.is_valid(document)


BASE = tomllib.loads(FULL)
VALUES = st.one_of(
    st.sampled_from(
        [
            *(True, 0, 1, -1, 2**60, 1.5, "", "x", "90m", " 1h ", "0s", "99d", "never", "off"),
            *(
                "any",
                "warn",
                "block",
                "land",
                "website",
                "plan",
                "done",
                "halt",
                "read-only",
                "sqlite",
            ),
            *(
                "**",
                "/x",
                "a/../b",
                "..",
                "a..b",
                "a\\b",
                "./a",
                "a/",
                "*",
                "a?",
                "é",
                "a\nb",
                " a",
            ),
            *("ssh-rsa x", "ssh-rsa", "postgresql://h/d", "postgresql://a:b@h/d", "edit_refused"),
        ]
    ),
    st.just([]),
    st.just({}),
    st.sampled_from([["x"], ["land"], ["land", "land"], [["a"]], [1], {"a": "b"}, {"a": 1}, [[]]]),
).map(copy.deepcopy)


@st.composite
def changed(draw: Any) -> dict[str, Any]:
    """Draw the full example with some values replaced, removed or added."""
    document: dict[str, Any] = copy.deepcopy(BASE)
    for _ in range(draw(st.integers(1, 3))):
        node: Any = document
        while True:
            keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(node[key], dict | list) and draw(st.integers(0, 4)):
                node = node[key]
                continue
            action = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
            if action == "replace":
                node[key] = draw(VALUES)
            elif action == "remove":
                del node[key]
            elif isinstance(node, dict):
                node[draw(st.sampled_from(["x", "note", "family", "mode", "may_write"]))] = draw(
                    VALUES
                )
            break
    return document


@given(changed())
def test_schema_and_checks_agree_but_for_what_a_schema_cannot_say(document: dict[str, Any]) -> None:
    said = reasons(document)
    accepted = VALIDATOR.is_valid(document)
    if not said:
        assert accepted, "the schema refuses what is right"
    if accepted:
        beyond = [any(words in reason for words in BEYOND_A_SCHEMA) for reason in said]
        assert all(beyond), f"the schema accepts what is wrong: {said}"


def test_every_key_of_the_schema_has_a_description() -> None:
    def visit(schema: Any) -> None:
        if isinstance(schema, dict):
            for name, inner in schema.get("properties", {}).items():
                assert inner.get("description"), name
            for inner in schema.values():
                visit(inner)
        elif isinstance(schema, list):
            for inner in schema:
                visit(inner)

    visit(json_schema())


def test_every_key_of_the_table_is_on_the_page_with_its_meaning() -> None:
    page = documentation()
    keys = all_keys(HANDRAIL_TOML)
    assert len(keys) > 100
    for key in keys:
        assert key.meaning in page
        if key.kind.words() not in ("table", "array of tables"):
            assert f"| `{key.name}` | " in page


def test_every_default_of_the_table_is_right_by_its_own_kind() -> None:
    for key in all_keys(HANDRAIL_TOML):
        if isinstance(key.default, str | int | list | dict):
            report = Report()
            key.kind.check(key.default, (), report)
            assert report._found == [], key.name


def test_the_files_in_docs_are_what_the_table_gives() -> None:
    page = (ROOT / PAGE_FILE).read_text(encoding="utf-8")
    schema = (ROOT / SCHEMA_FILE).read_text(encoding="utf-8")
    assert page == documentation(), f"{PAGE_FILE} is {REGENERATE}"
    assert schema == schema_text(), f"{SCHEMA_FILE} is {REGENERATE}"
    assert json.loads(schema) == json_schema()

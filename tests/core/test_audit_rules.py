"""The rules of detection, each against its own examples; and text that is no friend."""

from __future__ import annotations

import time
from typing import Final

import pytest

from handrail.core.audit.conditions import clause_of
from handrail.core.audit.cues import CUES, WORTH
from handrail.core.audit.kinds import EVENTS, KINDS, field_in, kinds_of
from handrail.core.audit.names import Names
from handrail.core.audit.page import ITEM, SENTENCE_CHARS_MAX, read_page
from handrail.core.audit.rule import Rule
from handrail.core.audit.statements import About, read_statements

NAMES: Final = Names(("architect", "executor", "auditor", "pair", "reviewer"))
TABLE: Final = (*CUES, *KINDS)


@pytest.mark.parametrize("rule", TABLE, ids=lambda rule: rule.id)
def test_each_rule_finds_its_examples_and_none_of_its_counter_examples(rule: Rule) -> None:
    assert rule.examples
    assert rule.counter_examples
    read = str.lower if rule in KINDS else NAMES.marked
    assert [text for text in rule.examples if rule.find(read(text)) is None] == []
    assert [text for text in rule.counter_examples if rule.find(read(text))] == []


def test_what_a_rule_finds_is_looked_at_at_all() -> None:
    told = [text for rule in CUES for text in rule.examples]
    assert [text for text in told if WORTH.search(NAMES.marked(text)) is None] == []


def test_each_rule_and_each_kind_stands_in_its_table_once() -> None:
    ids = [rule.id for rule in TABLE]
    assert len(ids) == len(set(ids))
    assert {rule.id for rule in KINDS} < EVENTS.keys()


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("ask the Executor", "ask \x01+executor\x02"),
        ("ask the executor", "ask \x01-executor\x02"),
        ("the **pair** role", "\x01+pair\x02"),
        ("a pair of shoes", "a pair of shoes"),
        ("Pair must stop", "\x01+pair\x02 must stop"),
        ("see executor/scope.md and my-executor", "see executor/scope.md and my-executor"),
        ("hand off to execution", "hand off to \x01~executor\x02"),
        ("the execution role", "\x01+executor\x02"),
        ("two architects decide", "two \x01-architect\x02 decide"),
    ],
)
def test_a_role_is_seen_where_it_is_one(text: str, marked: str) -> None:
    assert NAMES.marked(text) == marked


def test_tokens_cannot_be_forged() -> None:
    assert NAMES.marked("hand off to \x01+nobody\x02") == "hand off to  +nobody "


@pytest.mark.parametrize(
    ("sentence", "clause"),
    [
        ("If a, b or c is off limits, stop and report.", "a, b or c is off limits"),
        ("Stop and ask when two rules conflict.", "two rules conflict"),
        ("Stop.", ""),
    ],
)
def test_the_clause_says_when(sentence: str, clause: str) -> None:
    assert clause_of(sentence) == clause


@pytest.mark.parametrize(
    "text",
    ["`meta.priority: ultra`", '`"meta.priority" == "Ultra"`', "`meta.priority` is set to `ultra`"],
)
def test_a_field_of_a_document_is_read_however_it_is_written(text: str) -> None:
    assert field_in(text) == ("meta.priority", "ultra")


def test_a_condition_may_be_of_several_kinds() -> None:
    assert kinds_of("a path is outside the allowlist or a step is ambiguous") == (
        "scope",
        "contract",
    )
    assert kinds_of("the moon is full") == ()


def test_what_nobody_sees_is_taken_out_before_anything_is_read() -> None:
    page = read_page("\x1b[31mSt\u200bop\x1b[0m and\u202e ask\x07 now.\n")
    assert page.units[0].sentences[0].text == "Stop and ask now."


def test_code_and_comments_say_nothing_and_an_open_fence_hides_nothing() -> None:
    text = "a.\n```\nStop and ask.\n```\nb. <!-- c\nd --> e.\n\n````\nStop and report.\n```\n"
    said = [one.text for unit in read_page(text).units for one in unit.sentences]
    assert said == ["a.", "b. e.", "```` Stop and report.", "```"]


def test_items_know_what_introduces_them_and_lines_are_those_of_the_file() -> None:
    text = "# Title\n\nStop when:\n\n- one is\n  too long\n- two:\n  - three\n"
    items = [unit for unit in read_page(text).units if unit.kind == ITEM]
    assert [(unit.first, unit.last, [one.text for one in unit.lead]) for unit in items] == [
        (5, 6, ["Stop when:"]),
        (7, 7, ["Stop when:"]),
        (8, 8, ["Stop when:", "two:"]),
    ]


def test_front_matter_that_cannot_be_read_is_named_and_hides_nothing() -> None:
    page = read_page("---\nrole: executor\n\t{{ what\n---\n# Rules\nStop and ask.\n")
    assert page.problem == "its front matter cannot be read at line 3"
    assert [(one.key, one.value) for one in page.front] == [("role", "executor")]
    assert page.units[-1].sentences[0].first == 6
    assert "no end" in read_page("---\nrole: executor\nStop and ask.\n").problem


@pytest.mark.parametrize(
    "piece",
    [
        "stop and ask the architect to hand off to executor role ",
        "<!-- ",
        "``` \n",
        "| a | b |\n|---|---|\n",
        "- ",
        "if when if when ",
        "> > > ",
        "# ",
        "`\"'*_",
        "\x1b[",
        "x: y\n",
        " \t",
    ],
)
def test_time_grows_with_the_length_of_hostile_text_and_no_faster(piece: str) -> None:
    def seconds(chars: int) -> float:
        text = (piece * (chars // len(piece) + 1))[:chars] + "```"
        began = time.perf_counter()
        page = read_page(text)
        read_statements(About(".claude/executor.md", page, NAMES))
        assert all(
            len(one.text) <= SENTENCE_CHARS_MAX for unit in page.units for one in unit.sentences
        )
        return time.perf_counter() - began

    seconds(1_000)
    small, large = seconds(10_000), seconds(80_000)
    assert large < 40 * max(small, 0.01)

"""The gates around a packet on plain facts: both sides of each bound, and what counts as proof."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from handrail.core.packet import MESSAGE_CHARS_MIN
from handrail.core.receipts import UNKNOWN_DIRT
from handrail.core.task import BLOCK as BLOCKED
from handrail.core.task import RETURN
from handrail.gates import packet, states
from handrail.gates.cases import CASES
from handrail.gates.facts import NO_PACKET, Cited, Facts, Handed, Named, Noted, Standing, States
from handrail.gates.gate import BLOCK, CANNOT_TELL, FAIL, PASS, Outcome, judged
from handrail.gates.packet import receipt_number
from handrail.gates.references import ALLOWED
from handrail.gates.registry import GATES
from handrail.gates.states import problem_of
from handrail.text import add_step

STANDING = Standing("1" * 40, "2" * 40, None, (), "")
NOTHING = Facts(standing=STANDING, states=States(()), resolved=())
"""No packet, and no file that shows the state."""
GOOD: Handed = CASES["packet-intact"].good.handed or NO_PACKET


def judge(id: str, handed: Handed, **facts: Any) -> Outcome:
    gate = next(gate for gate in GATES if gate.id == id)
    return judged(gate, NOTHING._replace(handed=handed, **facts), BLOCK)


@pytest.mark.parametrize("gate", [gate for gate in GATES if "handed" in gate.needs[:1]])
def test_without_a_packet_there_is_nothing_to_judge(gate: Any) -> None:
    told = judged(gate, NOTHING._replace(handed=NO_PACKET), BLOCK)
    assert (told.verdict, told.applicable) == (PASS, False)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("x" * MESSAGE_CHARS_MIN, PASS),
        ("x" * (MESSAGE_CHARS_MIN - 1), FAIL),
        (" " * 40 + "x" * 20 + "\n" * 40, FAIL),
        ("é" * 50, PASS),
        ("", FAIL),
        (None, FAIL),
    ],
)
def test_a_message_has_at_least_fifty_characters(text: str | None, verdict: str) -> None:
    assert judge("message", GOOD._replace(content={"message": text})).verdict == verdict


@pytest.mark.parametrize(
    ("path", "is_declared"),
    [("a/b", True), ("a/b/c", True), ("a/bc", False), ("a", False), ("x a/b", False)],
)
def test_a_path_is_declared_at_or_below_what_is_named(path: str, *, is_declared: bool) -> None:
    handed = GOOD._replace(content={"metadata": {"worktree_allowlist_paths": ["a/b"]}})
    told = judge("committed", handed, standing=STANDING._replace(dirty=(path,)))
    assert told.verdict == (PASS if is_declared else FAIL)


@pytest.mark.parametrize(
    ("entry", "number"),
    [
        ({"receipt": 7}, 7),
        ({"evidence": "3fk2:7"}, 7),
        ("7", 7),
        ("receipt 7", 7),
        (7, 7),
        (True, None),
        (0, None),
        (-1, None),
        (7.0, None),
        ("seven", None),
        ("what passed is 1:7", None),
        ("receipts 7", None),
        ("\u0667", None),
        ("7" * 40, None),
        ({}, None),
        (None, None),
        ([7], None),
    ],
)
def test_a_receipt_is_named_by_its_number(entry: object, number: int | None) -> None:
    assert receipt_number(entry) == number


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ({"blocker": "B1", "status": "resolved", "evidence": 5}, PASS),
        ({"blocker": "B1", "status": " Resolved ", "evidence": 6}, FAIL),
        ({"blocker": "B1", "status": "resolved", "evidence": "5"}, PASS),
        ({"blocker": "B1", "status": "resolved", "evidence": "tests pass"}, FAIL),
        ({"blocker": "B1", "status": "resolved"}, FAIL),
        ({"blocker": "B1", "status": "resolving"}, PASS),
        ({"blocker": {"id": []}, "status": "resolved"}, FAIL),
        ("blocker B1 is resolved", PASS),
    ],
)
def test_a_resolved_blocker_names_what_proves_it(claim: object, verdict: str) -> None:
    assert judge("blockers", GOOD._replace(content={"claims": [claim]})).verdict == verdict


def test_a_run_that_failed_proves_nothing_but_a_return() -> None:
    failed = Cited(("make", "test"), succeeded=False, tree="2" * 40, dirt="")
    handed = GOOD._replace(receipts=((5, failed),))
    assert judge("evidence", handed).verdict == FAIL
    for kind in (RETURN, BLOCKED):
        assert judge("evidence", handed._replace(kind=kind)).verdict == PASS
    told = judge("evidence", handed._replace(kind=RETURN, receipts=()))
    assert told.verdict == FAIL


@pytest.mark.parametrize(
    ("dirt", "now", "verdict"),
    [
        ("", "", PASS),
        ("", "d1", PASS),
        ("d1", "d1", PASS),
        ("d1", "", FAIL),
        ("d2", "d1", FAIL),
        (UNKNOWN_DIRT, UNKNOWN_DIRT, FAIL),
    ],
)
def test_a_run_with_unfinished_work_proves_nothing_of_what_is_handed_over_without_it(
    dirt: str, now: str, verdict: str
) -> None:
    cited = Cited(("make", "test"), succeeded=True, tree=STANDING.tree, dirt=dirt)
    told = judge(
        "evidence",
        GOOD._replace(receipts=((5, cited),)),
        standing=STANDING._replace(fingerprint=now),
    )
    assert told.verdict == verdict
    if verdict == FAIL:
        assert "unfinished work" in told.objections[0].message
        assert told.objections[0].next == "handrail evidence run -- make test"


def test_what_is_not_complete_may_be_unfinished() -> None:
    advisory = {gate.id for gate in GATES if gate.complete_only}
    assert advisory == {"committed", "pushed", "blockers", "deployment"}


def test_what_is_declared_must_be_in_the_commit_or_unfinished() -> None:
    tree = CASES["references"].good.tree
    for path, verdict in (("src", PASS), ("new/a", PASS), ("new", PASS), ("gone", FAIL)):
        handed = GOOD._replace(named=(Named(ALLOWED, path),), content={})
        dirt = STANDING._replace(dirty=("new/a",))
        assert judge("references", handed, tree=tree, standing=dirt).verdict == verdict, path


def test_what_a_message_mentions_is_advice() -> None:
    tree = CASES["references"].good.tree
    handed = GOOD._replace(named=(), content={"message": "see `src/gone.py` and [it](../out)"})
    told = judge("references", handed, tree=tree)
    assert (told.verdict, [(one.path, one.advice) for one in told.objections]) == (
        PASS,
        [("src/gone.py", True)],
    )


def test_a_lane_that_was_not_touched_needs_no_note() -> None:
    rows = (Noted("a", "A.md", None, changed=False), Noted("b", "B.md", "src/x", changed=True))
    assert judge("lane-note", GOOD, notes=rows[:1]).applicable is False
    assert judge("lane-note", GOOD, notes=rows).verdict == PASS
    assert judge("lane-note", GOOD, notes=()).applicable is False


def test_what_is_not_here_is_no_failure_of_the_giver() -> None:
    away = GOOD._replace(present=False, contained=False, named=())
    named = away._replace(named=GOOD.named)
    assert judge("commit-present", away).next == "git fetch --all"
    for gate in ("commit-present", "artifacts", "tree-as-declared", "reading"):
        assert judge(gate, named).verdict == CANNOT_TELL


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        ("a.json", b'{"x": 1}', None),
        ("a.json", b"{", "no JSON: line 1"),
        ("a.JSON", b"\xff", "not UTF-8"),
        ("a.json", b"[" * 100_000, "cannot be read"),
        ("a.json", b" " * (5 << 20), "bytes"),
        ("a.jsonl", b'{"x": 1}\n\n[2]\n', None),
        ("a.jsonl", b'{"x": 1}\n{\n', "line 2"),
        ("a.jsonl", '{"x": "\u2028\u0085"}\r\n[2]'.encode(), None),
        ("a.toml", b"x = 1\n", None),
        ("a.toml", b"x = \n", "no TOML"),
        ("a.toml", b"x = " + b"[" * 100_000, "cannot be read"),
        ("json", b"{", None),
        ("a.py", b"{", None),
    ],
)
def test_a_state_file_is_what_its_name_says(path: str, content: bytes, problem: str | None) -> None:
    told = problem_of(path, content)
    assert (told is None) == (problem is None)
    assert problem is None or problem in (told or "")


def test_a_repair_is_one_line_whatever_the_path_is_called() -> None:
    for path in ("-rf", "a b/c'd", "x\ny", "$(touch owned)"):
        step = add_step(path, there=False)
        assert "\n" not in step
        assert "$(touch owned)" not in step.replace("'./$(touch owned)'", "").replace(
            "'Add $(touch owned)'", ""
        )


@pytest.mark.parametrize("module", [packet, states])
def test_the_examples_in_the_documentation_hold(module: Any) -> None:
    done = doctest.testmod(module)
    assert (done.attempted > 0, done.failed) == (True, 0)

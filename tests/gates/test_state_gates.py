"""The gates about files that show the state, on plain facts: what passes, fails, and leads on."""

from __future__ import annotations

from typing import Any

import pytest

from handrail.gates.cases import CASES, faults
from handrail.gates.facts import NO_PACKET, Cited, Facts, Resolved, StateFile, States
from handrail.gates.gate import BLOCK, CANNOT_TELL, FAIL, PASS, Gate, Outcome, judged
from handrail.gates.registry import GATES

COMMIT = "1" * 40
FILE = StateFile(".mosaic/agent_state.json", changed=True)
RECEIPT = Cited(("make", "test"), True, "2" * 40, "")
SOLVED = Resolved(".mosaic/blockers.json", "B001", "It was the cache.", ((COMMIT, True),))


def gate_of(id: str, stage: str = "pre-handoff") -> Gate:
    return next(gate for gate in GATES if gate.id == id and stage in gate.stages)


def judge(id: str, *files: StateFile, code: str | None = None, **more: Any) -> Outcome:
    facts = Facts(handed=NO_PACKET, states=States(files, code), resolved=())._replace(**more)
    return judged(gate_of(id), facts, BLOCK)


def codes(told: Outcome) -> list[tuple[str, str | None]]:
    return [(one.code, one.path) for one in told.objections]


@pytest.mark.parametrize("id", ["state-readable", "state-fresh", "message", "blockers"])
def test_without_such_files_there_is_nothing_to_judge(id: str) -> None:
    told = judge(id)
    assert (told.verdict, told.applicable) == (PASS, False)


@pytest.mark.parametrize("id", ["state-readable", "state-fresh", "message", "blockers"])
def test_where_nobody_looked_nobody_can_tell(id: str) -> None:
    facts = Facts(handed=NO_PACKET)
    assert judged(gate_of(id), facts, BLOCK).verdict == CANNOT_TELL


def test_a_file_that_is_missing_broken_or_lacks_something_fails() -> None:
    lacks = ("last_commit", "missing_field", "it is not there")
    files = (
        FILE,
        StateFile("a.json", present=False),
        StateFile("b.json", problem="it is no JSON: line 1, column 5"),
        StateFile("c.json", lacks=(lacks,)),
    )
    told = judge("state-readable", *files)
    assert told.verdict == FAIL
    assert codes(told) == [
        ("state_missing", "a.json"),
        ("unreadable_state", "b.json"),
        ("missing_field", "c.json"),
    ]
    assert told.objections[0].next == "handrail export"
    assert "handrail export && git add -- ./c.json" in (told.objections[2].next or "")


def test_a_service_url_that_is_missing_only_warns() -> None:
    lacks = ("implementation_progress.render_service_url", "no_service_url", "nobody can ask")
    told = judge("state-readable", FILE._replace(lacks=(lacks,)))
    assert (told.verdict, [one.advice for one in told.objections]) == (PASS, [True])


def test_a_short_message_of_the_state_is_the_message_gates_business() -> None:
    short = FILE._replace(lacks=(("handoff_message", "short_message", "it has 49 characters"),))
    assert judge("state-readable", short).verdict == PASS
    assert codes(judge("message", short)) == [("short_message", FILE.path)]
    assert judge("message", FILE).verdict == PASS


def test_a_packet_that_says_enough_makes_up_for_an_old_message_of_the_state() -> None:
    short = FILE._replace(lacks=(("handoff_message", "short_message", "it says nothing"),))
    handed = CASES["message"].good.handed
    assert judge("message", short, handed=handed).verdict == PASS


def test_a_file_is_what_export_writes_and_was_updated_with_the_work() -> None:
    assert judge("state-fresh", FILE, code="src/b.py").verdict == PASS
    assert codes(judge("state-fresh", FILE._replace(exported=False))) == [
        ("state_outdated", FILE.path)
    ]
    other = StateFile(".mosaic/blockers.json")
    still = FILE._replace(changed=False)
    assert codes(judge("state-fresh", still, other, code="src/b.py")) == [
        ("state_not_updated", FILE.path)
    ]
    assert (
        judge("state-fresh", still, other._replace(changed=True), code="src/b.py").verdict == PASS
    )
    assert judge("state-fresh", still, other).verdict == PASS, "no code was changed"


def test_what_is_not_there_or_broken_is_not_told_twice() -> None:
    files = (
        StateFile("a", present=False, exported=False),
        StateFile("b", problem="x", exported=False),
    )
    assert judge("state-fresh", *files).verdict == PASS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"commits": (("2" * 40, False), (COMMIT, True))}, None),
        ({"commits": (), "receipt": "5", "cited": RECEIPT}, None),
        ({"resolution": ""}, '"resolution" does not say'),
        ({"resolution": "", "receipt": "5", "cited": RECEIPT}, '"resolution" does not say'),
        ({"commits": ()}, 'neither "commit" nor "receipt"'),
        ({"commits": (("2" * 40, False),)}, "HEAD does not have commit 222222222222"),
        ({"receipt": "5"}, "5 is no receipt of this ledger"),
        ({"receipt": "5", "cited": RECEIPT._replace(succeeded=False)}, "did not succeed"),
    ],
)
def test_a_blocker_that_its_file_calls_resolved_needs_words_and_proof(
    change: dict[str, Any], words: str | None
) -> None:
    told = judge("blockers", resolved=(SOLVED._replace(**change),))
    assert told.verdict == (PASS if words is None else FAIL)
    assert [one.code for one in told.objections] == ([] if words is None else ["unproven_blocker"])
    assert words is None or words in told.objections[0].message


def test_each_thing_that_these_gates_look_at_is_tried_by_their_own_test() -> None:
    for name in ("state-readable", "message", "blockers", "state-fresh"):
        gate = gate_of(name)
        for worse in (CASES[name].bad, *CASES[name].worse):
            assert faults([_blind(gate, worse)]) == [(name, "a case that must be fail is pass")]


def _blind(gate: Gate, case: Facts) -> Gate:
    """Return the gate without an eye for one case."""
    return gate._replace(judge=lambda facts: () if facts == case else gate.judge(facts))

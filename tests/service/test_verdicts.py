"""What is entered of what gates said: one bounded entry, or none, and never another answer."""

from __future__ import annotations

from typing import Any, cast

import pytest

from handrail import errors
from handrail.core.handed import StageJudged
from handrail.core.lease import Session
from handrail.gates.gate import ADVISE, BLOCK, CANNOT_TELL, FAIL, PASS, Objection, Outcome
from handrail.service.context import Caller, Context
from handrail.service.gating import Checked
from handrail.service.verdicts import GATE_CHARS_MAX, GATES_NAMED_MAX, enter, judgement
from tests.core.makers import NOW

ADA = Session("ada", "agent", None, "/w", NOW, None, "h")
MINDED = (Objection("code", "a sentence"),)


def judged(*outcomes: Outcome) -> StageJudged | None:
    events = judgement(ADA, Checked("pre-handoff", outcomes), "fix")
    assert len(events) < 2
    return cast("StageJudged", events[0]) if events else None


def test_gates_that_bound_are_named_and_those_that_did_not_are_counted() -> None:
    found = judged(
        Outcome("passes", PASS, BLOCK),
        Outcome("fails", FAIL, BLOCK, MINDED),
        Outcome("unsure", CANNOT_TELL, BLOCK, reason="a reason"),
        Outcome("advises", FAIL, ADVISE, MINDED),
        Outcome("wonders", CANNOT_TELL, ADVISE),
        Outcome("waived", FAIL, BLOCK, MINDED, waiver=7),
        Outcome("hints", PASS, BLOCK, (Objection("code", "advice", advice=True),)),
        Outcome("absent", PASS, BLOCK, applicable=False),
    )
    assert found == StageJudged(
        "ada", "pre-handoff", FAIL, "fix", ("fails", "unsure"), advised=4, judged=7
    )


def test_where_nothing_was_to_be_judged_nothing_is_entered() -> None:
    assert judged() is None
    assert judged(Outcome("absent", PASS, BLOCK, applicable=False)) is None
    assert judged(Outcome("there", PASS, BLOCK)) is not None


def test_an_entry_is_bounded_whatever_gates_are_called() -> None:
    found = judged(*(Outcome(f"plugin:{n}" + "x" * 999, FAIL, BLOCK, MINDED) for n in range(999)))
    assert found is not None
    assert len(found.gates) == GATES_NAMED_MAX
    assert {len(gate) for gate in found.gates} == {GATE_CHARS_MAX}
    assert found.judged == 999


class Shut:
    """A store that nobody can write to."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def transaction(self) -> object:
        raise self._error


def entered(error: BaseException, session: str | None = "ada") -> str | None:
    caller = Caller("/w", "w", session)
    context = Context(cast("Any", Shut(error)), caller, cast("Any", None), cast("Any", None))
    checked = Checked("pre-handoff", (Outcome("there", PASS, BLOCK),))
    return enter(context, checked, None)


def test_what_cannot_be_entered_is_told_and_changes_no_answer() -> None:
    for error in (errors.StoreReadOnly(path="x", reason="y"), errors.UnknownSession(reason="gone")):
        assert entered(error) == error.message
    with pytest.raises(errors.Interrupted):
        entered(errors.Interrupted())
    assert entered(AssertionError("it was opened"), session=None) is None

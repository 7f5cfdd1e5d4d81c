"""Rule V and tasks: what bound a session where it attested, whatever came after."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.core.chronicle import Chronicle, Law
from handrail.core.decide import Policy
from handrail.core.duty import Step
from handrail.core.events import CommitAttested, Event
from handrail.core.handed import (
    CheckpointDecided,
    PacketAccepted,
    PacketDeclined,
    PacketOffered,
    PacketWithdrawn,
    PhaseEntered,
    TaskClosed,
    TaskOpened,
    TaskResumed,
)
from handrail.core.landing import CANNOT_TELL, REFUSED, Judgment, Standing, judge_attested
from handrail.core.lease import Actor
from handrail.core.ledger import read_header
from tests.core.makers import NOW, a_ledger, a_policy, a_role, patterns
from tests.core.test_landing import FIRST, MINE, a_change, attested, granted

ROLE: Final = a_role("dev", "src/**", may_write=["notes"])
PLAIN: Final = a_policy(ROLE)._replace(commons=patterns(".handrail/evidence/**"))
CAGED: Final = PLAIN._replace(
    phases=(
        Step("plan", "dev", True, patterns("docs/plans")),
        Step("build", "dev", False, ()),
    )
)
REQUIRED: Final = PLAIN._replace(required=True, halt_after=2)
FIX: Final = ".handrail/evidence/fix/plan.md"
Happening = tuple[Actor, Event]


def it(event: Event) -> Happening:
    return MINE, event


def offered(number: int, session: str = "", task: str = "fix") -> Happening:
    return it(
        PacketOffered(
            *(task, number, "complete", session, session, None, None, (), (), 0),
            *(NOW * 2, "00", "{}"),
        )
    )


def taken(number: int, session: str = "mine", task: str = "fix") -> Happening:
    return it(PacketAccepted(task, number, session, "dev", (), 0))


def entered(phase: str, task: str = "fix") -> Happening:
    return it(PhaseEntered(task, phase, 0))


OPENED: Final = it(TaskOpened("fix", "Fix it"))
STARTED: Final = (OPENED, offered(1), taken(1))


def judge(policy: Policy, before: list[Happening], *after: Happening, **given: Any) -> Judgment:
    """Judge a commit of ``path`` that is attested after some history and before another."""
    change = a_change(given.get("path", "src/a.py"))
    lease = granted("**", role="dev")
    history = [FIRST, *before, lease, attested(change, len(before) + 2), *after]
    entries = a_ledger(history)
    for seq in given.get("redacted", ()):
        entries[seq - 1] = entries[seq - 1]._replace(payload=None)
    at = len(before) + 2
    header, event = read_header(entries[at].header), history[at][1]
    assert isinstance(event, CommitAttested)
    law = Law(1, policy, False)
    standing = Standing(entries[at].seq, header.at, header.session, event, law, "dev")
    chronicle = Chronicle()
    chronicle.take(entries)
    chronicle.annals.take(entries)
    judged = judge_attested(change, [standing], chronicle)
    assert judged is not None
    return judged


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("src/a.py", "sandbox_read_only"),
        ("docs/other.md", "sandbox_read_only"),
        (".handrail/evidence/other/plan.md", "sandbox_read_only"),
        (FIX, "attested"),
        ("docs/plans/a.md", "attested"),  # outside the lane, and the phase lets it be written
        ("notes/a.md", "attested"),
    ],
)
def test_in_a_read_only_phase_only_what_it_lets_write_may_land(path: str, code: str) -> None:
    judged = judge(CAGED, [*STARTED, entered("plan")], path=path)
    assert judged.code == code
    if code != "attested":
        assert judged.verdict == REFUSED
        assert "phase plan of task fix" in judged.sentence


@pytest.mark.parametrize(
    "before",
    [
        [],
        [*STARTED],
        [*STARTED, entered("plan"), entered("build")],
        [*STARTED, entered("gone")],
        [*STARTED, entered("plan"), offered(2, "mine"), taken(2, "other")],
        [*STARTED, entered("plan"), it(TaskClosed("fix", "done"))],
        [OPENED, offered(1), taken(1, "other"), entered("plan")],
    ],
)
def test_who_is_in_no_read_only_phase_is_not_bound_by_one(before: list[Happening]) -> None:
    assert judge(CAGED, before).code == "attested"
    assert judge(CAGED, before, path="docs/plans/a.md").code == "outside_lane"
    assert judge(CAGED, before, path=FIX).code == "attested"


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ([], "no_packet"),
        ([OPENED, offered(1)], "no_packet"),
        ([*STARTED], "attested"),
        ([OPENED, offered(1), taken(1, "other")], "no_packet"),
        ([*STARTED, offered(2, "mine")], "no_packet"),
        ([*STARTED, offered(2, "mine"), it(PacketWithdrawn("fix", 2, "mine", ""))], "attested"),
        ([*STARTED, offered(2, "mine"), taken(2, "other")], "no_packet"),
        ([*STARTED, it(TaskClosed("fix", "done"))], "no_packet"),
        (
            [*STARTED]
            + [
                step
                for number in (2, 3)
                for step in (offered(number, "mine"), it(PacketDeclined("fix", number, "x", "")))
            ],
            "no_packet",
        ),
        (
            [
                *STARTED,
                it(CheckpointDecided("fix", "c", "plan", "revise", "plan", 2, "", "terminal")),
            ],
            "no_packet",
        ),
    ],
)
def test_where_a_packet_is_required_only_who_acts_by_one_may_land(
    before: list[Happening], code: str
) -> None:
    assert judge(REQUIRED, before).code == code
    assert judge(PLAIN, before).code == "attested", "where none is required"


def test_what_was_redacted_of_a_task_cannot_be_told() -> None:
    before = [*STARTED, entered("plan"), entered("build")]
    judged = judge(CAGED, before, redacted=[5])
    assert (judged.code, judged.verdict) == ("redacted", CANNOT_TELL)
    assert judge(PLAIN, before, redacted=[5]).code == "attested"
    assert judge(CAGED, before, entered("plan"), redacted=[9]).code == "attested"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ([*STARTED], entered("plan"), "attested"),
        ([*STARTED, entered("plan")], entered("build"), "sandbox_read_only"),
        ([*STARTED], it(TaskClosed("fix", "done")), "attested"),
        ([OPENED, offered(1)], taken(1), "no_packet"),
    ],
)
def test_a_phase_or_a_packet_that_comes_too_late_counts_for_nothing(
    before: list[Happening], after: Happening, code: str
) -> None:
    assert judge(CAGED._replace(required=True), before, after).code == code


TASKS: Final = st.sampled_from(["fix", "more"])
WHO: Final = st.sampled_from(["mine", "other"])
happenings = st.one_of(
    st.just(OPENED),
    st.just(it(TaskOpened("more", "More"))),
    st.builds(offered, st.integers(1, 3), st.sampled_from(["", "mine", "other"]), TASKS),
    st.builds(taken, st.integers(1, 3), WHO, TASKS),
    st.builds(entered, st.sampled_from(["plan", "build"]), TASKS),
    TASKS.map(lambda task: it(TaskClosed(task, "done"))),
    TASKS.map(lambda task: it(TaskResumed(task, "why", "terminal"))),
)


@given(
    st.sampled_from([CAGED, REQUIRED, CAGED._replace(required=True)]),
    st.lists(happenings, max_size=6),
    st.lists(happenings, max_size=6),
    st.sampled_from(["src/a.py", FIX]),
)
def test_what_happens_to_a_task_after_an_attestation_never_changes_the_verdict(
    policy: Policy, before: list[Happening], after: list[Happening], path: str
) -> None:
    before = [*STARTED, *before]
    assert judge(policy, before, *after, path=path) == judge(policy, before, path=path)


@given(st.lists(happenings, max_size=8), st.permutations(range(1, 10)))
def test_the_annals_of_a_ledger_may_be_asked_in_any_order(
    history: list[Happening], asked: list[int]
) -> None:
    entries = a_ledger([FIRST, *history])
    chronicle = Chronicle()
    chronicle.annals.take(entries)
    for seq in asked:
        fresh = Chronicle()
        fresh.annals.take(entries[: seq - 1])
        assert vars(chronicle.annals.before(seq)) == vars(fresh.annals.before(10**6))

"""The matrix: which row fires."""

from __future__ import annotations

import doctest

from hypothesis import given
from hypothesis import strategies as st

from handrail.core import trigger
from handrail.core.role import ANY_ROLE
from handrail.core.trigger import BLOCKED, Happened, Row, circles, counted, firing

WORDS = st.sampled_from(["a", "b", "c"])
EVENTS = st.builds(Happened, st.sampled_from(["edit_refused", BLOCKED]), WORDS)
ABOUT = st.lists(WORDS, max_size=2, unique=True).map(tuple)
ROWS = st.lists(
    st.builds(
        Row,
        WORDS,
        st.sampled_from(["a", "b", ANY_ROLE]),
        WORDS,
        st.sampled_from(["edit_refused", BLOCKED]),
        ABOUT,
        st.integers(1, 3),
    ),
    max_size=6,
)
COUNTS = st.dictionaries(WORDS, st.integers(1, 3), min_size=1)


def test_the_examples_in_the_documentation_hold() -> None:
    done = doctest.testmod(trigger)
    assert (done.attempted > 0, done.failed) == (True, 0)


@given(ROWS, st.frozensets(WORDS), EVENTS, COUNTS)
def test_the_first_row_of_who_works_there_and_of_what_happened_often_enough_fires(
    rows: list[Row], names: frozenset[str], happened: Happened, counts: dict[str, int]
) -> None:
    def fits(row: Row) -> bool:
        if row.from_role not in (*names, ANY_ROLE) or row.to_role in names:
            return False
        if happened == Happened(BLOCKED, row.id):
            return True
        if row.event != happened.event or happened.about not in (row.about or (happened.about,)):
            return False
        return sum(counts[name] for name in counts if name in (row.about or counts)) >= row.times

    fit = [row for row in rows if fits(row)]
    fired = firing(rows, names.__contains__, happened, counts)
    assert fired == (fit[0] if fit else None)
    if fired is not None and happened != Happened(BLOCKED, fired.id):
        assert counted(rows, names.__contains__, happened)


@given(ROWS, st.frozensets(WORDS), EVENTS)
def test_what_no_row_counts_never_fires(
    rows: list[Row], names: frozenset[str], happened: Happened
) -> None:
    often = {happened.about: 1_000}
    named = happened.event == BLOCKED and happened.about in {row.id for row in rows}
    if not counted(rows, names.__contains__, happened) and not named:
        assert firing(rows, names.__contains__, happened, often) is None


def test_two_rows_that_lead_back_are_a_circle_and_one_is_none() -> None:
    there = Row("there", "a", "b", "edit_refused")
    back = Row("back", ANY_ROLE, "a", BLOCKED, ("x",))
    roles = {"a": ("a", "family"), "b": ("b", "family")}
    assert circles((there, back), roles) == [(there, back)]
    assert circles((back,), roles) == []
    assert circles((there, back._replace(to_role="b")), roles) == []

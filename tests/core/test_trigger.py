"""The matrix: which row fires."""

from __future__ import annotations

import doctest

from hypothesis import given
from hypothesis import strategies as st

from handrail.core import trigger
from handrail.core.role import ANY_ROLE
from handrail.core.trigger import Happened, Row, firing

WORDS = st.sampled_from(["a", "b", "c"])
EVENTS = st.builds(Happened, WORDS, WORDS)
ROWS = st.lists(
    st.builds(Row, WORDS, st.sampled_from(["a", "b", ANY_ROLE]), WORDS, EVENTS), max_size=6
)


def test_the_examples_in_the_documentation_hold() -> None:
    done = doctest.testmod(trigger)
    assert (done.attempted > 0, done.failed) == (True, 0)


@given(ROWS, st.frozensets(WORDS), EVENTS)
def test_the_first_row_of_who_works_there_and_of_what_happened_fires(
    rows: list[Row], names: frozenset[str], happened: Happened
) -> None:
    fit = [
        row
        for row in rows
        if row.when == happened and (row.from_role in names or row.from_role == ANY_ROLE)
    ]
    assert firing(rows, names.__contains__, happened) == (fit[0] if fit else None)

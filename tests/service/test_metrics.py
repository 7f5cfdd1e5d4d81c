"""Measuring a ledger: where a window begins, what is read of it, and what cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.core.ledger import GENESIS, Entry, Head
from handrail.core.metrics import Share
from handrail.errors import LedgerBroken, NewerFormat, Usage
from handrail.service.context import Context
from handrail.service.metrics import TOLD_EVERY, WINDOW_MS, Measured, Metrics, since
from tests.core.test_tally import Book, granted, judged

DAY: Final = 86_400_000


class Shelf:
    """A store that holds a ledger and nothing else; it remembers what was read."""

    epoch = "3fk2ap7q"

    def __init__(self, entries: list[Entry], now: int) -> None:
        self._entries, self.now = entries, now
        self.read_seqs: list[int] = []

    @property
    def head(self) -> Head:
        last = self._entries[-1] if self._entries else None
        return GENESIS if last is None else Head(last.seq, last.hash)

    @contextmanager
    def read(self) -> Iterator[Shelf]:
        yield self

    def entries(self, after: int = 0, until: int | None = None) -> Iterator[Entry]:
        for entry in self._entries[after:until]:
            self.read_seqs.append(entry.seq)
            yield entry


def measured(shelf: Shelf, begins: int, **given: Any) -> Measured:
    context = cast("Any", Context)(shelf, None, None, None)
    return Metrics(context).measure(lambda now: begins, **given)


def a_year(days: int = 365) -> Book:
    """Write of a new session a day; every fourth begins with a failure."""
    book = Book()
    for day in range(days):
        session = f"s-{day}"
        book.starts(session)
        book.tx(session, judged(session, "post-handoff", "pass" if day % 4 else "fail"))
        book.tx(session, granted(session), minutes=1440 - 2)
    return book


YEAR: Final = a_year()
WEEK: Final = a_year(7)


def test_a_window_begins_at_its_first_entry_and_those_before_are_not_read() -> None:
    shelf = Shelf(YEAR.entries, YEAR.now)
    found = measured(shelf, YEAR.now - 40 * DAY + 1)
    assert (found.figures.sessions, found.figures.failure) == (40, Share(10, 40))
    assert (found.entries, found.since_at, found.until_at) == (
        120,
        YEAR.now - 40 * DAY + 1,
        YEAR.now,
    )
    assert len(shelf.read_seqs) < 120 + 12
    assert shelf.read_seqs[-120:] == list(range(976, 1096))


@given(st.integers(-1, 21), st.integers(-2, 2))
def test_the_first_entry_of_a_window_is_the_first_that_is_not_older(place: int, by: int) -> None:
    times = [_at(entry) for entry in WEEK.entries]
    begins = times[min(max(place, 0), len(times) - 1)] + by
    found = measured(Shelf(WEEK.entries, WEEK.now), begins)
    assert found.entries == sum(at >= begins for at in times)


def _at(entry: Entry) -> int:
    return int(entry.header.split(b'"at":')[1].split(b",")[0])


def test_an_empty_ledger_and_a_window_that_has_not_begun_have_no_entries() -> None:
    assert measured(Shelf([], 7), 0).entries == 0
    found = measured(Shelf(YEAR.entries, YEAR.now), YEAR.now + 1)
    assert (found.entries, found.figures.sessions, found.figures.suites) == (0, 0, ())
    assert measured(Shelf(YEAR.entries, YEAR.now), -7).since_at == 0


def test_who_waits_hears_how_far_it_is() -> None:
    book = Book()
    book.starts("a")
    entries = [book.entries[0]._replace(seq=seq) for seq in range(1, 2 * TOLD_EVERY + 2)]
    heard: list[tuple[int, int]] = []
    measured(Shelf(entries, book.now), 0, tell=lambda *told: heard.append(told))
    assert heard == [(TOLD_EVERY, 2 * TOLD_EVERY + 1), (2 * TOLD_EVERY, 2 * TOLD_EVERY + 1)]


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        (b"{}", None),
        (b"", None),
        (None, b"{"),
        (None, b'{"session":"s","stage":"land"}'),
        (None, b'{"session":7,"stage":"land","verdict":"pass","for_task":null}'),
    ],
)
def test_an_entry_that_is_none_is_named(header: bytes | None, payload: bytes | None) -> None:
    book = Book()
    book.starts("a")
    book.tx("a", judged("a", "post-handoff", "pass"))
    book.tx("a", granted("a"))
    bad = book.entries[1]
    bad = bad._replace(header=bad.header if header is None else header, payload=payload)
    shelf = Shelf([book.entries[0], bad, book.entries[2]], book.now)
    for begins in (0, book.now):
        shelf.read_seqs.clear()
        if begins and header is None:
            continue  # it lies before the window, and its header can be read
        with pytest.raises(LedgerBroken) as refused:
            measured(shelf, begins)
        assert refused.value.values["seq"] == 2


def test_an_entry_of_a_later_format_is_not_guessed_at() -> None:
    book = Book()
    book.starts("a")
    newer = book.entries[0]._replace(header=book.entries[0].header.replace(b'"v":1', b'"v":2'))
    with pytest.raises(NewerFormat):
        measured(Shelf([newer], book.now), 0)


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        (None, 10 * WINDOW_MS - WINDOW_MS),
        ("90m", 10 * WINDOW_MS - 90 * 60_000),
        ("2026-01-31", 1_769_817_600_000),
        ("2026-01-31T01:00:00+01:00", 1_769_817_600_000),
        ("2026-01-31T00:00:00Z", 1_769_817_600_000),
        ("v1.0", 77),
        ("5f3a2b1", 77),
    ],
)
def test_a_window_begins_with_a_duration_a_date_or_a_commit(text: str | None, begins: int) -> None:
    known = {"v1.0": 77, "5f3a2b1": 77}
    assert since(text, known.get)(10 * WINDOW_MS) == begins


@pytest.mark.parametrize("text", ["", "5 apples", "2026-13-01", "HEAD~9999", "9999999999999d"])
def test_what_is_none_of_them_is_a_malformed_question(text: str) -> None:
    with pytest.raises(Usage):
        since(text, lambda name: None)

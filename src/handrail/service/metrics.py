"""Measuring a ledger: from when on, and entry by entry.

Promises: the entries are read once, from the first one of the window on, which is found without
reading those before it; memory does not grow with the ledger but with what is not over in it. An
entry that is none is LedgerBroken. Nothing is written, and nothing but the ledger is counted.

    Metrics(context).measure(since("30d", committed_at)).figures
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from handrail import errors
from handrail.core.ledger import Entry, read_header
from handrail.core.metrics import Figures
from handrail.core.record import Record
from handrail.core.tally import measure
from handrail.service.context import Context
from handrail.store.port import Reader
from handrail.text import parse_duration_ms, visible

WINDOW_MS: Final = 30 * 86_400_000
TOLD_EVERY: Final = 4_096
Tell = Callable[[int, int], None]
"""Hears how many entries are read, and of how many."""


def _silent(done: int, number: int) -> None:
    """Say nothing."""


class Measured(Record):
    """What was counted, in which ledger, from which entries, between which store times."""

    figures: Figures
    epoch: str
    entries: int
    since_at: int
    until_at: int


class Metrics:
    """The use case of measuring."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def measure(self, since: Callable[[int], int], tell: Tell = _silent) -> Measured:
        """Count what began after ``since(now)``; raises LedgerBroken, NewerFormat."""
        with self._context.store.read() as reader:
            at = max(0, since(reader.now))
            first = _first(reader, at)
            entries = reader.head.seq - first + 1
            through = _Through(reader.entries(first - 1), entries, tell)
            return Measured(through.figures(), reader.epoch, entries, at, reader.now)


class _Through:
    """The entries of a window, counted as they go by."""

    def __init__(self, entries: Iterable[Entry], number: int, tell: Tell) -> None:
        self._entries, self._number, self._tell = entries, number, tell
        self._seq = 0

    def figures(self) -> Figures:
        """Count them all; raises LedgerBroken."""
        try:
            return measure(self._each())
        except (ValueError, KeyError, TypeError) as error:
            reason = f"it cannot be read ({error})"
            raise errors.LedgerBroken(seq=self._seq, reason=reason) from error

    def _each(self) -> Iterator[Entry]:
        for done, entry in enumerate(self._entries, 1):
            self._seq = entry.seq
            if done % TOLD_EVERY == 0:
                self._tell(done, self._number)
            yield entry


def _first(reader: Reader, at: int) -> int:
    """Return the first entry that is not older than ``at``; one past the newest if all are.

    Store time never goes back, so halving finds it.
    """
    low, high = 1, reader.head.seq + 1
    while low < high:
        middle = (low + high) // 2
        entry = next(iter(reader.entries(middle - 1, middle)), None)
        if entry is None:
            raise errors.LedgerBroken(seq=middle, reason="it is missing")
        try:
            when = read_header(entry.header).at
        except ValueError as error:
            reason = f"it cannot be read ({error})"
            raise errors.LedgerBroken(seq=middle, reason=reason) from error
        if when < at:
            low = middle + 1
        else:
            high = middle
    return low


def since(text: str | None, committed_at: Callable[[str], int | None]) -> Callable[[int], int]:
    """Return what makes of now the beginning of a window: a duration, a date, or a commit's time.

    Store times in ms; a date without a zone is UTC. Raises Usage for what is none of them.
    """
    if text is None:
        return lambda now: now - WINDOW_MS
    span = parse_duration_ms(text)
    if span is not None:
        return lambda now: now - span
    at = _instant(text)
    if at is None:
        at = committed_at(text)
    if at is None:
        reason = f"{visible(text)!r} is no duration (30d), no date (2026-01-31) and no commit here."
        raise errors.Usage(reason=reason, next="handrail metrics --since 30d")
    begins_at = at
    return lambda now: begins_at


def _instant(text: str) -> int | None:
    try:
        when = datetime.fromisoformat(text)
        when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
        return round(when.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None

"""The part of a ledger that rule V rests on: grants and how they ended, tasks and their packets.

Promise: a question about entry *s* is answered from what lies before *s*, whatever else was taken.

    chronicle = Chronicle()
    chronicle.take(entries)
    chronicle.rival(token, s, law), chronicle.annals.before(s).tasks
"""

from __future__ import annotations

from collections.abc import Iterable

from handrail.core.decide.view import Policy
from handrail.core.events import Event, LeaseGranted
from handrail.core.lease import Actor, Hold, conflict
from handrail.core.ledger import Entry, read_event, read_header
from handrail.core.projected import ProjectionWritten
from handrail.core.record import Record
from handrail.core.scope import Pattern, stored_pattern
from handrail.core.state import State, apply
from handrail.typed import Final

_HANDING: Final = (b'"kind":"task.', b'"kind":"packet.', b'"kind":"checkpoint.')
"""How the headers of entries begin that move a task; a verified header has this one spelling."""


class Law(Record):
    """The configuration in force from entry ``seq`` on, as the rules want it."""

    seq: int
    policy: Policy
    fold_case: bool


class Grant(Record):
    """A grant in the ledger, and who acted; ``event`` is None where its payload was redacted."""

    seq: int
    session: str | None
    event: LeaseGranted | None


class Chronicle:
    """The part of a ledger that attestations rest on: grants, and how tokens ended.

    Entries may be taken in any order and more than once. A question about entry *s* is answered
    from what lies before *s*, whatever else was taken.
    """

    def __init__(self) -> None:
        self._grants: dict[int, Grant] = {}
        self._ends: dict[int, int] = {}
        self._order: list[int] = []
        self._written: dict[int, ProjectionWritten] = {}
        self._rivals: dict[tuple[int, int], tuple[int, Rival | None]] = {}
        self.annals = Annals()

    def take(self, entries: Iterable[Entry]) -> None:
        """Read entries; raises ValueError, KeyError or TypeError on one that is none."""
        for entry in entries:
            header = read_header(entry.header)
            if header.kind == "lease.granted":
                event = read_event(entry, header)
                grant = event if isinstance(event, LeaseGranted) else None
                self._grants[entry.seq] = Grant(entry.seq, header.session, grant)
            elif header.kind in ENDINGS:
                self._end(entry.seq, read_event(entry, header))
            elif header.kind == "projection.written":
                event = read_event(entry, header)
                if isinstance(event, ProjectionWritten):
                    self._written[entry.seq] = event
        self._order = sorted(self._grants)
        self._rivals.clear()

    def _end(self, seq: int, event: Event | None) -> None:
        token = getattr(event, "token", None)
        if isinstance(token, int):
            self._ends[token] = min(seq, self._ends.get(token, seq))

    def grant(self, token: int) -> Grant | None:
        """Return the grant of a token."""
        return self._grants.get(token)

    def end_of(self, token: int, before: int) -> int | None:
        """Return the entry before ``before`` that ended a token."""
        end = self._ends.get(token)
        return end if end is not None and end < before else None

    def wrote(self, entries: Iterable[int], before: int, path: str, blob: str) -> bool:
        """Tell whether one of these entries before ``before`` says that a file is a projection."""
        wanted = ProjectionWritten(path, blob)
        return any(seq < before and self._written.get(seq) == wanted for seq in entries)

    def rival(self, token: int, before: int, law: Law) -> Rival | None:
        """Return the first conflicting grant to another session after a token, before an entry.

        A foreign grant that cannot be read any more counts as one.
        """
        own = self._grants[token]
        assert own.event is not None, "only a grant that can be read has rivals"
        start, found = self._rivals.get((token, law.seq), (0, None))
        if found is None:
            scope = patterns_of(own.event)
            while start < len(self._order) and self._order[start] < before:
                grant = self._grants[self._order[start]]
                start += 1
                if grant.seq > token and holder_of(grant) != own.event.session:
                    found = _conflict(own.event, scope, grant, law)
                    if found is not None:
                        break
            self._rivals[token, law.seq] = (start, found)
        return found if found is not None and found.seq < before else None


class Rival(Record):
    """A grant that killed a token; without a session where it cannot be read any more."""

    seq: int
    session: str | None
    witness: str


ENDINGS: Final = frozenset({"lease.released", "lease.expired", "lease.orphaned"})


def patterns_of(grant: LeaseGranted) -> tuple[Pattern, ...]:
    """Return what was granted."""
    return tuple(stored_pattern(text) for text in grant.patterns)


def _conflict(
    own: LeaseGranted, scope: tuple[Pattern, ...], grant: Grant, law: Law
) -> Rival | None:
    if grant.event is None:
        return Rival(grant.seq, None, "")
    held = Hold(patterns_of(grant.event), grant.event.kind, grant.event.worktree)
    found = conflict(held, scope, own.kind, own.worktree, law.policy.contended)
    if found is None or found[0] != "refuse":
        return None
    return Rival(grant.seq, grant.event.session, found[1].witness)


def holder_of(grant: Grant) -> str | None:
    """Return whose a grant is; where it cannot be read any more, who asked for it."""
    return grant.session if grant.event is None else grant.event.session


class Annals:
    """Tasks and packets as they stood before any entry.

    Entries may be taken in any order and more than once; all that move a task have to be.
    """

    def __init__(self) -> None:
        self._events: dict[int, tuple[int, Event | None]] = {}
        self._order: list[int] = []
        self._done = 0
        self._state = State()

    def take(self, entries: Iterable[Entry]) -> None:
        """Read those entries that move a task; raises ValueError, KeyError or TypeError."""
        for entry in entries:
            if any(mark in entry.header for mark in _HANDING):
                header = read_header(entry.header)
                self._events[entry.seq] = (header.at, read_event(entry, header))
        self._order = sorted(self._events)
        self._done, self._state = 0, State()

    def before(self, seq: int) -> State:
        """Return the tasks and packets before an entry; the state is not to be kept."""
        if self._done and self._order[self._done - 1] >= seq:
            self._done, self._state = 0, State()
        while self._done < len(self._order) and self._order[self._done] < seq:
            number = self._order[self._done]
            at, event = self._events[number]
            if event is not None:
                apply(self._state, number, at, Actor(), event)
            self._done += 1
        return self._state

    def lost(self, seq: int) -> int | None:
        """Return the first entry before another that moved a task and cannot be read any more."""
        gone = (number for number in self._order if self._events[number][1] is None)
        return next((number for number in gone if number < seq), None)

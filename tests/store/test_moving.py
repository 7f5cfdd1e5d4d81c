"""A workspace moved from one store to another is the same workspace, in one place at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import apsw
import pytest

from handrail import errors
from handrail.core.events import LeaseRenewed
from handrail.core.ledger import Entry
from handrail.core.record import Record
from handrail.core.state import State
from handrail.errors.server import StoreMoved
from handrail.service.moving import copy_store, move_store
from handrail.store.port import Store
from tests.store.grounds import (
    ADA,
    BOB,
    FakeClock,
    Ground,
    PostgresGround,
    SqliteGround,
    commit,
    grant,
    ground_of,
    ledger,
)
from tests.store.test_contract import everything
from tests.store.test_restore import live

WAYS = [("sqlite", "postgres"), ("postgres", "sqlite"), ("memory", "sqlite"), ("sqlite", "sqlite")]
ELSEWHERE = "postgresql://db/acme"


class Move(Record):
    """Where a workspace is, where it goes, the clock there, and the stores made so far."""

    ground: Ground
    source: Store
    target: SqliteGround | PostgresGround
    clock: FakeClock
    made: list[Store]

    def place(self, entries: Sequence[Entry], state: State) -> Store:
        self.made.append(self.target.restore(entries, state, self.clock))
        return self.made[-1]

    def arrived(self) -> Store:
        return self.target.another(self.made[-1], self.clock)


@pytest.fixture
def move(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Move]:
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    before, after = request.param
    with ExitStack() as stack:
        ground, target = ground_of(before, tmp_path / "from"), ground_of(after, tmp_path / "to")
        stack.callback(ground.close)
        stack.callback(target.close)
        assert isinstance(target, SqliteGround | PostgresGround)
        source = ground.create(FakeClock())
        live(source)
        yield Move(ground, source, target, FakeClock(boot="boot-9", since_boot_ms=99), [])


def each(*ways: tuple[str, str]) -> pytest.MarkDecorator:
    ids = ["-to-".join(way) for way in ways]
    return pytest.mark.parametrize("move", ways, indirect=True, ids=ids)


def told(store: Store) -> tuple[object, ...]:
    with store.read() as reader:
        return (reader.epoch, reader.workspace, *everything(reader))


@each(*WAYS)
def test_what_was_moved_goes_on_there_and_nowhere_else(move: Move) -> None:
    token = grant(move.source, ADA, "web")
    with move.source.read() as reader:
        later = next(one.expires_at for one in reader.leases() if one.token == token) + 5_000
    commit(move.source, LeaseRenewed(token, later))
    other, before = move.ground.another(move.source), told(move.source)
    entries = ledger(move.source)
    moved = move_store(move.source, move.place, ELSEWHERE)
    assert (moved.epoch, moved.head.seq) == (before[0], len(entries))
    target = move.arrived()
    assert told(target) == before, "renewals too"
    assert grant(target, ADA, "docs/new") == len(entries) + 1
    assert ledger(target)[:-1] == entries
    for one in (move.source, other):
        with pytest.raises(StoreMoved, match=ELSEWHERE), one.transaction():
            raise AssertionError


@each(*WAYS[:2])
def test_a_copy_leaves_what_it_was_made_of(move: Move) -> None:
    before = told(move.source)
    copied = copy_store(move.source, move.place)
    assert copied.head.seq == len(ledger(move.source))
    assert told(move.arrived()) == before == told(move.source)
    grant(move.source, BOB, "on/it/goes")


@each(*WAYS[:2])
def test_where_it_breaks_off_the_store_goes_on_and_the_next_time_takes_it_up(move: Move) -> None:
    def breaks(entries: Sequence[Entry], state: State) -> Store:
        move.place(entries, state).close()
        raise ConnectionError

    with pytest.raises(ConnectionError):
        move_store(move.source, breaks, ELSEWHERE)
    grant(move.source, ADA, "went/on")
    before = told(move.source)
    move_store(move.source, move.place, ELSEWHERE)
    assert told(move.arrived()) == before


@each(*WAYS[:2])
def test_another_store_is_never_written_over(move: Move) -> None:
    copy_store(move.source, move.place)
    there = move.arrived()
    grant(there, BOB, "their/own")
    before, here = told(there), told(move.source)
    grant(move.source, ADA, "our/own")
    with pytest.raises(errors.Usage, match="Another store"):
        move_store(move.source, move.place, ELSEWHERE)
    assert told(there) == before
    assert told(move.source) != here, "and the one that was to be moved goes on"


def test_a_damaged_ledger_goes_nowhere(tmp_path: Path) -> None:
    ground = SqliteGround(tmp_path)
    source = ground.create(FakeClock())
    live(source)
    raw = apsw.Connection(source.path)
    raw.execute("UPDATE entry SET payload = x'7b7d' WHERE seq = 3")
    raw.close()
    with pytest.raises(errors.LedgerBroken):
        move_store(source, lambda entries, state: source, ELSEWHERE)
    with source.read() as reader:
        assert reader.head.seq > 3, "it is still a store, to be rebuilt"
    ground.close()

"""Tasks and packets in both stores, through the same random histories by the real rules.

Again and again both stores show the same, the ledger adds up to the tables, and a checker says that
the numbers have no gap, that a packet ends once, and that no scope has two sides.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from handrail import errors
from handrail.core.decide import Claim, Policy, View, decide
from handrail.core.decide import handoff as rules
from handrail.core.decide.desk import Accept, Desk, Offer, Settle
from handrail.core.decide.view import Changes
from handrail.core.events import Event, SessionEnded
from handrail.core.handed import (
    CheckpointDecided,
    PhaseEntered,
    ReadingAsked,
    ReadingDone,
    TaskResumed,
    WaiverAdded,
    WaiverRevoked,
    WaiverUsed,
)
from handrail.core.lease import EXCLUSIVE, Actor, Session, conflict
from handrail.core.ledger import read_event, verify
from handrail.core.projected import ProjectionWritten, RowKept
from handrail.core.scope import Pattern, stored_pattern
from handrail.core.state import replay
from handrail.core.task import ACCEPTED, CLOSED, OPEN, reserved_for
from handrail.service.health import compare
from handrail.store.port import Reader, Store, Tx
from handrail.store.sqlite import SqliteStore
from tests.core.makers import a_policy, a_role
from tests.store.grounds import (
    FakeClock,
    MemoryGround,
    SqliteGround,
    ground_of,
    patterns,
    started,
)

TASKS: Final = ("fix", "grow")
SCOPES: Final = ("src/a", "src/b", "src/*.py", "docs", "src")
SESSIONS: Final = {
    "ada": "maker",
    "bob": "maker",
    "eve": "reader",
}
LAPSE_MS: Final = 60_000
TTL_MS: Final = 90_000
POLICY: Final = a_policy(
    a_role("maker", "src", "docs"), a_role("reader", "src", sandbox="read-only")
)
SEEDS: Final = 30
STEPS: Final = 60


class Both:
    """A memory store and one in SQL, to which the same happens."""

    def __init__(self, folder: Path, seed: int, kind: str = "sqlite") -> None:
        self.chance = random.Random(seed)
        self.clock = FakeClock()
        self._grounds = (MemoryGround(), ground_of(kind, folder))
        self.stores: list[Store] = [ground.create(self.clock) for ground in self._grounds]
        for name, role in SESSIONS.items():
            event = started(Actor(name, name, role))
            self.apply(partial(_only, event), name)

    def close(self) -> None:
        for ground in self._grounds:
            ground.close()

    def apply(self, step: Callable[[Tx], Changes], who: str) -> str:
        """Let a step happen in both; returns its refusal's code, '' if it was none."""
        told = set()
        for store in self.stores:
            with store.transaction() as tx:
                try:
                    tx.commit(step(tx), Actor(who, who, SESSIONS[who]))
                    told.add("")
                except errors.HandrailError as refusal:
                    told.add(refusal.code)
        assert len(told) == 1, told
        return told.pop()

    def step(self) -> None:
        """Do something, as chance has it."""
        chance = self.chance
        who, task = chance.choice(list(SESSIONS)), chance.choice(TASKS)
        scope = patterns(*chance.sample(SCOPES[:4], chance.choice((0, 1, 2))))
        kind = chance.choice(("complete", "complete", "return", "block"))
        settle = Settle(None, "reason", TTL_MS, LAPSE_MS)
        acts: list[Callable[[Tx], Changes]] = [
            lambda tx: self._open(tx, task),
            lambda tx: rules.decide_offer(
                desk(tx, task, who, scope),
                Offer(session(tx, who), scope, {"kind": kind, "to_role": "maker"}, LAPSE_MS),
                tx.now,
            ),
            lambda tx: rules.decide_accept(
                desk(tx, task, who), Accept(session(tx, who), TTL_MS, LAPSE_MS), tx.now
            ),
            lambda tx: rules.decide_decline(
                desk(tx, task, who), settle._replace(session=session(tx, who)), tx.now
            ),
            lambda tx: rules.decide_withdraw(
                desk(tx, task, who), settle._replace(session=session(tx, who)), tx.now
            ),
            lambda tx: rules.decide_lapse(desk(tx, task, who), settle, tx.now),
            lambda tx: self._claim(tx, who, chance_scope),
            lambda tx: self._begin_or_end(tx, who),
            lambda tx: self._workflow(tx, task, roll),
            lambda tx: self._waive(tx, task, roll),
            lambda tx: self._project(task, roll),
            lambda tx: self._read(who, roll),
            lambda tx: rules.decide_close(
                desk(tx, task, who), settle._replace(session=session(tx, who)), tx.now
            ),
        ]
        chance_scope, roll = chance.choice(SCOPES), chance.randrange(12)
        weights = (8, 30, 22, 10, 12, 8, 12, 3, 3, 3, 3, 6, 1)
        self.apply(chance.choices(acts, weights)[0], who)
        self.clock.let_pass(chance.choice((1, 500, 500, 20_000)))

    def _open(self, tx: Tx, task: str) -> Changes:
        known = tx.task(task)
        if known is not None:
            raise errors.Usage(reason="It is there.")
        return rules.decide_open(task, task, "maker", tx.now, LAPSE_MS)

    def _workflow(self, tx: Tx, task: str, roll: int) -> Changes:
        known = tx.task(task)
        if known is None:
            raise errors.Usage(reason="It is not there.")
        if known.waits_at is not None:
            return [TaskResumed(task, "why", "test")]  # else nothing is handed over any more
        decided = CheckpointDecided(
            task, "plan_check", "plan", "revise", "plan", roll - 9, "why", "test"
        )
        return [PhaseEntered(task, "plan", 0) if roll < 9 else decided]

    def _waive(self, tx: Tx, task: str, roll: int) -> Changes:
        known = tx.waivers(revoked=True)
        new = WaiverAdded("pushed", (None, task)[roll % 2], "why", "Ada", "t", None, 2)
        if not known:
            return [new]
        number = known[-1].seq
        used = WaiverUsed(number, "pushed", "pre-handoff", task)
        return [(new, used, WaiverRevoked(number, "why", "test"))[roll % 3]]

    def _project(self, task: str, roll: int) -> Changes:
        path = ("ops/a.json", "b.md")[roll % 2]
        gone = "" if roll == 3 else f'"{roll}"'
        kept = RowKept(path, f"notes/{task}", gone, "read", 0)
        return [kept, ProjectionWritten(path, f"{roll:040x}")]

    def _read(self, who: str, roll: int) -> Changes:
        path, digest = ("a.md", "b.md")[roll % 2], str(roll % 3) * 64
        if roll < 6:
            return [
                ReadingAsked(who, f"packet fix-{roll:03d}", roll > 1, ((path, digest, "", ""),))
            ]
        return [ReadingDone(who, ("read", "claimed")[roll % 2], ((path, digest, ""),))]

    def _claim(self, tx: Tx, who: str, scope: str) -> Changes:
        asked = patterns(scope)
        view = View(tx.epoch, tuple(tx.near(asked)), (), Policy({}, {}))
        return decide(view, Claim(session(tx, who), asked, EXCLUSIVE, TTL_MS), tx.now)

    def _begin_or_end(self, tx: Tx, who: str) -> Changes:
        known = tx.session(who)
        if known is not None and known.live:
            return [SessionEnded(who, "test")]
        return [started(Actor(who, who, SESSIONS[who]))]

    def check(self) -> None:
        """Hold everything against what must be."""
        seen = []
        for store in self.stores:
            with store.read() as reader:
                entries = list(reader.entries())
                assert verify(entries).problem is None
                assert compare(reader, replay(entries)) == []
                rows: list[Any] = [reader.tasks(closed=True), reader.packets(), reader.leases()]
                rows += [reader.packets(settled=False), reader.tasks(), reader.packets("fix")]
                rows += [reader.waivers(), reader.waivers(revoked=True)]
                rows += [reader.rows(), reader.rows("b.md"), reader.written_blobs()]
                rows += [reader.readings(), reader.guard_rows(), reader.index_rows()]
                rows += [[reader.unread(who) for who in SESSIONS]]
                written = reader.written_blobs()
                assert {key: reader.wrote(*key) for key in written} == written
                other = {"ops/a.json": "b.md", "b.md": "ops/a.json"}
                assert not any(reader.wrote(other[path], blob) for path, blob in written)
                seen.append((entries, rows))
        assert seen[0] == seen[1]
        entries, (tasks, packets, leases, *_) = seen[0]
        for task in tasks:
            own = [packet for packet in packets if packet.task == task.id]
            assert [packet.number for packet in own] == list(range(1, task.number + 1))
            assert sum(packet.state == OPEN for packet in own) <= (task.state != CLOSED)
        for packet in packets:
            ends = [
                event
                for event in map(read_event, entries)
                if getattr(event, "number", 0) == packet.number
                and getattr(event, "task", "") == packet.task
                and type(event).__name__ != "PacketOffered"
            ]
            assert len(ends) == (packet.state != OPEN), (packet, ends)
            if packet.state == OPEN and packet.token:
                held = [lease for lease in leases if lease.token == packet.token]
                assert [lease.session for lease in held] == [reserved_for(packet.task)]
        now = self.clock_now()
        live = [lease for lease in leases if lease.live(now)]
        for number, one in enumerate(live):
            for other in live[number + 1 :]:
                if one.session != other.session:
                    assert conflict(one, other.patterns, other.kind, other.worktree) is None

    def clock_now(self) -> int:
        with self.stores[0].read() as reader:
            return reader.now


def _only(event: Event, tx: Tx) -> Changes:
    return [event]


def session(tx: Tx, who: str) -> Session:
    found = tx.session(who)
    if found is None or not found.live:
        raise errors.UnknownSession(reason="it has ended")
    return found


def desk(tx: Tx, name: str, who: str, scope: tuple[Pattern, ...] = ()) -> Desk:
    task = tx.task(name)
    if task is None:
        raise errors.Usage(reason="There is none.")
    packet = tx.packet(name, task.number)

    def live(who: str | None) -> Session | None:
        found = tx.session(who or "")
        return found if found is not None and found.live else None

    own = [*tx.leases(who), *tx.leases(reserved_for(name))]
    near = [*scope, *(pattern for lease in own for pattern in lease.patterns)]
    near += [stored_pattern(text) for text in (packet.patterns if packet else ())]
    rows = {lease.token: lease for lease in (*tx.near(near or patterns("src")), *own)}
    view = View(tx.epoch, tuple(rows.values()), (), POLICY, (), (), tx.head.seq)
    return Desk(view, task, packet, live(packet.session if packet else None), live(task.holder), 9)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_stores_agree_and_every_handoff_ends_once_with_one_side(
    seed: int, tmp_path: Path
) -> None:
    go_on(Both(tmp_path, seed))


@pytest.mark.sampled(15)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_postgres_agrees_too(seed: int, tmp_path: Path) -> None:
    go_on(Both(tmp_path, seed, "postgres"))


def go_on(both: Both) -> None:
    try:
        for number in range(STEPS):
            both.step()
            if number % 6 == 5:
                both.check()
        both.check()
    finally:
        both.close()


def test_the_histories_reach_every_end_of_an_offer(tmp_path: Path) -> None:
    states = set()
    for seed in range(16):
        both = Both(tmp_path / str(seed), seed)
        for _ in range(STEPS):
            both.step()
        with both.stores[1].read() as reader:
            states |= {packet.state for packet in reader.packets() if packet.number > 1}
        both.close()
    assert states == {OPEN, ACCEPTED, "declined", "withdrawn", "lapsed"}


def everything(reader: Reader) -> tuple[Any, ...]:
    """Return all rows of tasks, packets, waivers, reading and projections."""
    handed = (reader.tasks(closed=True), reader.packets(), reader.waivers(revoked=True))
    return (*handed, reader.rows(), reader.written_blobs(), reader.readings())


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_tables_that_are_made_anew_hold_tasks_and_packets(kind: str, tmp_path: Path) -> None:
    both = Both(tmp_path, 6, kind)
    for _ in range(STEPS):
        both.step()
    for store in both.stores:
        with store.transaction() as tx:
            before = everything(tx)
            tx.replace(replay(tx.entries()))
            tx.commit([], Actor())
        with store.read() as reader:
            now = everything(reader)
            assert now == before
            assert all(before)
    both.close()


def test_a_file_of_format_3_gets_its_tables_with_the_next_write_and_a_copy_stays(
    tmp_path: Path,
) -> None:
    ground = SqliteGround(tmp_path)
    clock = FakeClock()
    store = ground.create(clock)
    path = Path(store.path)
    store.close()
    import apsw

    raw = apsw.Connection(str(path))
    for table in ("task", "packet", "waiver", "kept_row", "written", "reading"):
        raw.execute(f"DROP TABLE {table}")
    raw.execute("PRAGMA user_version=3")
    raw.close()
    again = SqliteStore(str(path), clock, lambda: "00")
    with again.read() as reader:
        assert reader.tasks() == []
    assert not path.with_name("state.db.v3").exists()
    with again.transaction() as tx:
        tx.commit(rules.decide_open("fix", "Fix", None, tx.now, LAPSE_MS), Actor())
    with again.read() as reader:
        assert [task.id for task in reader.tasks()] == ["fix"]
    assert path.with_name("state.db.v3").exists()
    assert again.integrity() == []
    again.close()

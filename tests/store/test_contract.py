"""The contract of ``store/port.py``: every sentence there is a test here, for every store.

A store is whatever passes this suite. What only SQLite can do wrong is in ``test_sqlite.py``; that
the stores agree on long random histories is in ``test_lockstep.py``.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail import errors
from handrail.core.decide import writable
from handrail.core.events import (
    KIND_OF,
    CommitAttested,
    CommitUnattested,
    CommitUnattributed,
    ConfigApplied,
    Event,
    HistoryImported,
    LeaseExpired,
    LeaseGranted,
    LeaseOrphaned,
    LeaseReleased,
    LeaseRenewed,
    Move,
    NoticeLeft,
    NoticesTaken,
    OrphanSettled,
    PayloadRedacted,
    ProcessRegistered,
    SessionEnded,
    SessionRoleChanged,
    StoreCreated,
    WaitBegan,
    WaitEnded,
    WaitKept,
)
from handrail.core.handed import CheckpointDecided, ReadingAsked, ReadingDone, TaskOpened
from handrail.core.lease import (
    AGE_MAX_MS,
    EXCLUSIVE,
    LOCAL,
    Actor,
    Kind,
    Landing,
    Lease,
    Notice,
    Process,
    Session,
    Waiter,
    renew_at,
)
from handrail.core.ledger import Entry, Head, read_event, read_header, verify
from handrail.core.state import InForce, State, replay
from handrail.errors.server import StoreMoved
from handrail.service.health import compare
from handrail.store.port import RARE, REQUESTS_KEPT_MS, Reader, Request, Store, Tx
from tests.core.scope_bruteforce import find, names
from tests.store.grounds import (
    ADA,
    BOB,
    BOUNCED,
    EPOCH,
    FIRST_WALL_MS,
    TTL_MS,
    WORKSPACE,
    FakeClock,
    Ground,
    commit,
    grant,
    ground_of,
    ledger,
    near,
    now_of,
    patterns,
    started,
)

KINDS: Final = ("memory", "sqlite", "postgres")
EXAMPLES: Final = {"memory": 60, "sqlite": 60, "postgres": 12}
VERSION_US: Final = {"memory": 200, "sqlite": 200, "postgres": 3_000}  # there, a round trip
SOON_S: Final = 10.0


@contextmanager
def opened(kind: str) -> Iterator[Ground]:
    """Make a ground of a kind, for tests that need several of them."""
    with tempfile.TemporaryDirectory(prefix="handrail-") as folder:
        ground = ground_of(kind, Path(folder))
        try:
            yield ground
        finally:
            ground.close()


@pytest.fixture(params=[*KINDS, pytest.param(BOUNCED, marks=pytest.mark.nightly)])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    with opened(request.param) as ground:
        yield ground


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(ground: Ground, clock: FakeClock) -> Store:
    return ground.create(clock)


class Left(Exception):
    """Leaves a transaction by raising."""


def raising(store: Store, act: Callable[[Tx], object]) -> None:
    """Do something in a transaction and leave its block by raising."""

    def block() -> None:
        with store.transaction() as tx:
            act(tx)
            raise Left

    with pytest.raises(Left):
        block()


def everything(reader: Reader) -> tuple[object, ...]:
    """All that a reader tells, but the time and the request ids."""
    return (
        reader.head,
        list(reader.entries()),
        reader.leases(),
        reader.sessions(ended=True),
        reader.waiters(),
        reader.config(),
        reader.attestations(),
        reader.guard_rows(),
        [lease.token for lease in reader.near(patterns("**"))],
        (reader.orphans(), reader.orphans(".", patterns("**"))),
        (reader.landings(), reader.landings(0, None, patterns("**"))),
        (reader.processes(), reader.notices(told=True)),
    )


def snapshot(store: Store) -> tuple[object, ...]:
    with store.read() as reader:
        return everything(reader)


def kinds(entries: list[Entry]) -> list[str]:
    return [read_header(entry.header).kind for entry in entries]


def attested(commit_id: str) -> CommitAttested:
    return CommitAttested(commit_id, "t" * 40, ("p" * 40,), 1, "0" * 64, ((2, 99),))


def fill(store: Store) -> None:
    """Bring at least one row into every table."""
    commit(store, ConfigApplied("b1", "[workspace]\n", "init"), actor=Actor())
    commit(store, started(ADA))
    grant(store, ADA, "src/a", "**/*.md")
    commit(store, WaitBegan("s-bob", EXCLUSIVE, ".", ("src/a",), now_of(store) + 9), actor=BOB)
    commit(store, attested("c" * 40)._replace(cover=((4, 99),)))
    late = grant(store, BOB, "docs")
    commit(store, LeaseOrphaned(late, (("docs/x", "b"),), "released"))
    commit(store, ProcessRegistered("s-ada", "boot", "ns", 7, 99))
    commit(store, NoticeLeft("s-ada", "waiter", "1", "s-bob", ("a",)))


# ------------------------------------------------------------------------------- a new workspace


def test_a_new_store_has_one_entry_that_names_its_workspace(store: Store) -> None:
    with store.read() as reader:
        (entry,) = reader.entries()
        assert read_event(entry) == StoreCreated(WORKSPACE, None)
        assert read_header(entry.header)[5:8] == (None, None, None)
        assert reader.head == Head(1, entry.hash)
        assert (reader.workspace, reader.epoch) == (WORKSPACE, EPOCH)
        assert reader.now == FIRST_WALL_MS


def test_a_store_that_follows_a_lost_one_names_its_last_head(
    ground: Ground, clock: FakeClock
) -> None:
    head = f"old:7:{'a' * 64}"
    store = ground.create(clock, predecessor=head)
    assert read_event(ledger(store)[0]) == StoreCreated(WORKSPACE, head)


def test_a_new_store_holds_nothing_else(store: Store) -> None:
    with store.read() as reader:
        assert (reader.leases(), reader.sessions(ended=True), reader.waiters()) == ([], [], [])
        assert (reader.config(), reader.attestations(), reader.guard_rows()) == (None, {}, [])
        assert list(reader.near(patterns("**"))) == []
        assert (reader.lease(1), reader.session("s-ada"), reader.attestation("c")) == (None,) * 3


# ------------------------------------------------------------- all or nothing, once, exclusively


def test_what_was_not_committed_is_rolled_back(store: Store) -> None:
    fill(store)
    before = snapshot(store)
    with store.transaction() as tx:
        tx.redact(1)
        tx.keep_compiled(b"x")
        tx.replace(State())
    assert snapshot(store) == before


def test_a_block_that_raises_is_rolled_back(store: Store) -> None:
    fill(store)
    before = snapshot(store)
    raising(store, lambda tx: tx.replace(State()))
    assert snapshot(store) == before
    assert grant(store, ADA, "b") == before[0].seq + 1  # type: ignore[attr-defined]


def test_a_commit_that_fails_half_way_is_rolled_back_whole(store: Store) -> None:
    fill(store)
    before = snapshot(store)

    def changes() -> Iterator[Event | Move]:
        yield started(BOB)
        yield LeaseReleased(4, "released")
        raise Left

    with pytest.raises(Left), store.transaction() as tx:
        tx.commit(changes(), ADA, Request("r", "d"))
    assert snapshot(store) == before
    with store.transaction() as tx:
        assert tx.outcome(Request("r", "d")) is None


def test_the_first_commit_of_a_boot_can_fail_too(store: Store, clock: FakeClock) -> None:
    fill(store)
    before = snapshot(store)
    clock.reboot()

    def changes() -> Iterator[Event | Move]:
        yield started(BOB)
        raise Left

    with pytest.raises(Left), store.transaction() as tx:
        tx.commit(changes(), ADA)
    assert snapshot(store) == before


def test_what_commit_acknowledged_stays_though_the_block_raises_afterwards(
    ground: Ground, store: Store
) -> None:
    raising(store, lambda tx: tx.commit([started(ADA)], ADA))
    assert kinds(ledger(ground.another(store))) == ["store.created", "session.started"]


def test_a_transaction_commits_once(store: Store) -> None:
    with store.transaction() as tx:
        tx.commit([started(ADA)], ADA)
        with pytest.raises(AssertionError):
            tx.commit([started(BOB)], BOB)
    assert kinds(ledger(store)) == ["store.created", "session.started"]


def test_a_commit_of_nothing_changes_nothing(store: Store) -> None:
    before = snapshot(store)
    with store.transaction() as tx:
        assert tx.commit([], ADA, Request("r", "d")) == ()
    assert snapshot(store) == before


def test_a_commit_returns_exactly_the_entries_that_it_appended(store: Store) -> None:
    with store.transaction() as tx:
        until = tx.now + 10
        given_back = tx.commit(
            [started(ADA), WaitBegan("s-ada", LOCAL, ".", ("a",), until), started(BOB)], ADA
        )
    assert list(given_back) == ledger(store)[1:]
    assert [entry.seq for entry in given_back] == [2, 3]


def test_the_ledger_verifies_and_adds_up_to_the_tables_beside_it(store: Store) -> None:
    fill(store)
    with store.read() as reader:
        entries = list(reader.entries())
        report = verify(entries, [reader.head])
        assert (report.problem, report.heads_checked, report.epoch) == (None, 1, EPOCH)
        assert compare(reader, replay(entries)) == []


def test_an_entry_says_who_and_when(store: Store, clock: FakeClock) -> None:
    clock.let_pass(1_234)
    (entry,) = commit(store, started(BOB), actor=BOB)
    header = read_header(entry.header)
    assert header[5:8] == BOB
    assert (header.at, header.epoch) == (FIRST_WALL_MS + 1_234, EPOCH)


def test_inside_a_transaction_what_was_committed_can_be_read(store: Store) -> None:
    with store.transaction() as tx:
        event = LeaseGranted("s-ada", None, EXCLUSIVE, ".", ("a",), 1, tx.now + 1, True, ())
        (entry,) = tx.commit([event], ADA)
        assert tx.head == Head(entry.seq, entry.hash)
        assert [lease.token for lease in tx.leases()] == [entry.seq]
        found = tx.lease(entry.seq)
        assert found is not None
        assert found.scope == ("a",)


def test_transactions_exclude_one_another(ground: Ground, store: Store) -> None:
    inside, entered, release = [0], threading.Event(), threading.Event()

    def second() -> None:
        with ground.another(store).transaction() as tx:
            inside.append(tx.head.seq)

    with store.transaction() as tx:
        thread = threading.Thread(target=second)
        thread.start()
        entered.wait(0.15)
        assert inside == [0]
        tx.commit([started(ADA)], ADA)
        release.set()
    thread.join(SOON_S)
    assert inside == [0, 2]


def test_counting_by_many_at_once_loses_nothing(ground: Ground, store: Store) -> None:
    def count() -> None:
        mine = ground.another(store)
        for _ in range(25):
            with mine.transaction() as tx:
                seen = len(tx.sessions(ended=True))
                name = f"s-{seen}"
                tx.commit([started(Actor(name, "ada", None))], Actor(name, "ada", None))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with store.read() as reader:
        assert len(reader.sessions()) == 100
        assert verify(reader.entries(), [reader.head]).problem is None


# ------------------------------------------------------------------------------ waiting for a turn


@pytest.mark.serial
def test_who_waits_longer_than_busy_ms_is_told_that_the_store_is_busy(
    ground: Ground, clock: FakeClock
) -> None:
    store = ground.create(clock, busy_ms=200)
    told: list[errors.StoreBusy] = []
    spans: list[float] = []

    def second() -> None:
        asked = time.monotonic()
        try:
            with ground.another(store, busy_ms=200).transaction():
                pass
        except errors.StoreBusy as busy:
            told.append(busy)
        spans.append(time.monotonic() - asked)

    thread = threading.Thread(target=second)
    with store.transaction() as tx:
        thread.start()
        thread.join(SOON_S)
        tx.commit([started(ADA)], ADA)
    assert [busy.values["waited_ms"] for busy in told] == [200]
    assert 0.19 <= spans[0] < 2
    assert kinds(ledger(store)) == ["store.created", "session.started"]
    commit(store, started(BOB))


@pytest.mark.serial
def test_nobody_is_starved_by_others_that_never_pause(ground: Ground, store: Store) -> None:
    """A machine that stands still for a moment starves nobody: it is looked at again then."""
    tried = []
    for _ in range(3):
        served, worst_s = contended(ground, store)
        if min(served) >= max(served) / 4 > 0 and max(worst_s) < 0.6:
            return
        tried.append((served, worst_s))
    raise AssertionError(tried)


def contended(ground: Ground, store: Store) -> tuple[list[int], list[float]]:
    """Let four threads go on for a second: how often each was served, and its longest wait."""
    served = [0] * 4
    worst_s = [0.0] * 4
    stop_at = time.monotonic() + 1.0

    def work(number: int) -> None:
        mine = ground.another(store)
        while (asked := time.monotonic()) < stop_at:
            with mine.transaction() as tx:
                worst_s[number] = max(worst_s[number], time.monotonic() - asked)
                tx.commit([WaitBegan(f"s-{number}", LOCAL, ".", ("a",), 1)], Actor())
            served[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return served, worst_s


# ----------------------------------------------------------------------------------------- the time


def test_time_goes_with_the_machine_and_not_with_the_wall_clock(
    store: Store, clock: FakeClock
) -> None:
    for jump in (-86_400_000, +86_400_000 * 400, -1):
        clock.wall_ms += jump
        assert now_of(store) == FIRST_WALL_MS
    clock.since_boot_ms += 50
    with store.transaction() as tx:
        assert tx.now == FIRST_WALL_MS + 50
        tx.commit([started(ADA)], ADA)
    assert now_of(store) == FIRST_WALL_MS + 50


def test_time_never_goes_back(store: Store, clock: FakeClock) -> None:
    clock.since_boot_ms += 1_000
    commit(store, started(ADA))
    clock.since_boot_ms -= 700
    assert now_of(store) == FIRST_WALL_MS + 1_000
    (entry,) = commit(store, started(BOB))
    assert read_header(entry.header).at == FIRST_WALL_MS + 1_000


def test_after_a_reboot_time_starts_at_the_wall_clock(store: Store, clock: FakeClock) -> None:
    clock.reboot(wall_ms=FIRST_WALL_MS + 5_000)
    assert now_of(store) == FIRST_WALL_MS + 5_000
    commit(store, started(ADA))
    clock.wall_ms += 1_000_000
    clock.since_boot_ms += 7
    assert now_of(store) == FIRST_WALL_MS + 5_007


def test_after_a_reboot_with_the_wall_clock_set_back_time_goes_on_from_the_last_known(
    store: Store, clock: FakeClock
) -> None:
    clock.let_pass(10_000)
    commit(store, started(ADA))
    clock.reboot(wall_ms=FIRST_WALL_MS - 99_999)
    with store.transaction() as tx:
        assert tx.now == FIRST_WALL_MS + 10_000
        tx.commit([started(BOB)], BOB)
    clock.let_pass(3)
    assert now_of(store) == FIRST_WALL_MS + 10_003


def test_the_wall_clock_is_asked_once_a_boot_though_nothing_is_committed(
    store: Store, clock: FakeClock
) -> None:
    clock.reboot(wall_ms=FIRST_WALL_MS + 60_000)
    with store.transaction() as tx:
        assert tx.now == FIRST_WALL_MS + 60_000
    clock.since_boot_ms += 5
    for wall_ms in (FIRST_WALL_MS, FIRST_WALL_MS + 9_999_999):
        clock.wall_ms = wall_ms
        with store.transaction() as tx:
            assert tx.now == FIRST_WALL_MS + 60_005
        assert now_of(store) == FIRST_WALL_MS + 60_005


def test_two_clocks_of_one_machine_are_one_store_time(ground: Ground, clock: FakeClock) -> None:
    store = ground.create(clock)
    other = ground.another(store)
    clock.let_pass(40)
    commit(store, started(ADA))
    clock.let_pass(2)
    assert now_of(other) == now_of(store) == FIRST_WALL_MS + 42


def test_the_clock_is_read_after_the_turn_was_won(ground: Ground, clock: FakeClock) -> None:
    store = ground.create(clock)
    seen: list[int] = []

    def second() -> None:
        with ground.another(store).transaction() as tx:
            seen.append(tx.now)

    thread = threading.Thread(target=second)
    with store.transaction():
        thread.start()
        thread.join(0.1)
        clock.let_pass(30_000)
    thread.join(SOON_S)
    assert seen == [FIRST_WALL_MS + 30_000]


def test_a_refused_question_does_not_move_time(store: Store, clock: FakeClock) -> None:
    """Time that was read and not committed is not remembered; the next reading decides."""
    before = snapshot(store)
    clock.let_pass(10)
    with store.transaction():
        pass
    assert snapshot(store) == before
    assert now_of(store) == FIRST_WALL_MS + 10


# ----------------------------------------------------------------------------------------- near

POOL: Final = (
    "**",
    "*",
    "*.md",
    "**/x.py",
    "a",
    "a/**",
    "a/*",
    "a/*.py",
    "a/b",
    "a/b/*/c",
    "a/~/x",
    "a/é/*",
    "a-b",
    "a0",
    "a/b-",
    "ab",
    "ab/c*",
    "b/?",
    "b/c/d/e",
    "é/*",
    "\U0001f600/**",
    "￿/x",
)
SCOPES: Final = st.lists(st.sampled_from(POOL), min_size=1, max_size=3, unique=True)


def literal_prefix(pattern: str) -> list[str]:
    """Return the segments before the first with a wildcard; worked out here, not in the core."""
    found = []
    for segment in pattern.split("/"):
        if "*" in segment or "?" in segment:
            break
        found.append(segment)
    return found


def related(one: list[str], other: list[str]) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def expected_near(held: dict[int, list[str]], asked: list[str]) -> list[int]:
    """Say what ``near`` promises: all whose prefix is related, by step, prefix and token."""
    prefixes = [literal_prefix(text) for text in asked]
    minimal = [
        prefix
        for prefix in prefixes
        if not any(
            other != prefix and related(other, prefix) and len(other) < len(prefix)
            for other in prefixes
        )
    ]
    roots = sorted({"/".join(prefix) for prefix in minimal})
    rows = sorted(
        ("/".join(literal_prefix(text)), token) for token, texts in held.items() for text in texts
    )
    order: list[int] = []
    for root in roots:
        segments = root.split("/") if root else []
        for anchor, token in rows:
            if token not in order and related(anchor.split("/") if anchor else [], segments):
                order.append(token)
    return order


@pytest.mark.parametrize("kind", KINDS)
def test_near_gives_what_a_literal_prefix_relates_and_nothing_else_in_the_order_of_the_plan(
    kind: str,
) -> None:
    @given(scopes=st.lists(SCOPES, min_size=1, max_size=8), asked=SCOPES)
    @settings(max_examples=EXAMPLES[kind])
    def holds(scopes: list[list[str]], asked: list[str]) -> None:
        check_near(kind, scopes, asked)

    holds()


def check_near(kind: str, scopes: list[list[str]], asked: list[str]) -> None:
    with opened(kind) as ground:
        store = ground.create(FakeClock())
        held = {grant(store, ADA, *scope): scope for scope in scopes}
        found = near(store, asked)
        assert found == expected_near(held, asked)
        for token, scope in held.items():
            if any(meet(mine, other) for mine in scope for other in asked):
                assert token in found


def meet(one: str, other: str) -> bool:
    """Whether two patterns share a path, by trying names."""
    alphabet = "".join(sorted(set("abcx0-.py") | {c for c in one + other if c not in "*?/"}))
    fitting = tuple(
        name
        for name in (*names(alphabet, 1), "ab", "a-b", "a0", "b-", "x.py", "a.md", "c.py")
        if name
    )
    return find([one, other], [], fitting) is not None


def test_near_gives_dead_leases_too(store: Store, clock: FakeClock) -> None:
    token = grant(store, ADA, "a")
    clock.let_pass(TTL_MS + 1)
    assert near(store, ["a/b"]) == [token]


def test_near_gives_each_lease_once(store: Store) -> None:
    token = grant(store, ADA, "a", "b", "a/*", "c/*", "**/x")
    assert near(store, ["a", "b", "c", "**"]) == [token]
    assert near(store, ["a/q", "b", "c/d"]) == [token]


def test_near_does_not_take_a_longer_name_for_a_folder(store: Store) -> None:
    first = grant(store, ADA, "src/a")
    grant(store, ADA, "src/ab")
    grant(store, ADA, "src/a-b/c")
    assert near(store, ["src/a"]) == [first]
    assert near(store, ["src/a/x"]) == [first]


def test_near_gives_nothing_that_has_ended(store: Store) -> None:
    first, second = grant(store, ADA, "a"), grant(store, ADA, "a")
    commit(store, LeaseReleased(first, "released"), LeaseExpired(second, 1))
    assert near(store, ["a", "**"]) == []


def test_near_is_lazy_a_commit_may_follow_after_the_first(store: Store) -> None:
    for number in range(50):
        grant(store, ADA, f"a/{number}")
    with store.transaction() as tx:
        first = next(iter(tx.near(patterns("a"))))
        tx.commit([LeaseReleased(first.token, "released")], ADA)
    assert len(near(store, ["a"])) == 49


# ---------------------------------------------------------------------------------------- requests


def test_a_request_that_was_committed_gives_its_first_outcome_again(
    ground: Ground, store: Store
) -> None:
    with store.transaction() as tx:
        assert tx.outcome(Request("r-1", "digest")) is None
        entries = tx.commit([started(ADA), started(BOB)], ADA, Request("r-1", "digest"))
    commit(store, started(ADA))
    for opened_store in (store, ground.another(store)):
        with opened_store.transaction() as tx:
            assert tx.outcome(Request("r-1", "digest")) == entries
            assert tx.outcome(Request("r-2", "digest")) is None


def test_a_request_id_used_for_something_else_is_a_mistake_of_usage(store: Store) -> None:
    with store.transaction() as tx:
        tx.commit([started(ADA)], ADA, Request("r-1", "digest"))
    before = snapshot(store)
    with store.transaction() as tx, pytest.raises(errors.Usage, match="r-1"):
        tx.outcome(Request("r-1", "another"))
    assert snapshot(store) == before


def test_a_request_that_was_rolled_back_led_to_nothing(store: Store) -> None:
    def changes() -> Iterator[Event]:
        yield started(ADA)
        raise Left

    with pytest.raises(Left), store.transaction() as tx:
        tx.commit(changes(), ADA, Request("r-1", "digest"))
    with store.transaction() as tx:
        assert tx.outcome(Request("r-1", "digest")) is None


def test_a_request_that_made_no_entry_is_not_remembered(store: Store) -> None:
    token = grant(store, ADA, "a")
    with store.transaction() as tx:
        tx.commit([LeaseRenewed(token, tx.now + 99)], ADA, Request("r-1", "digest"))
    with store.transaction() as tx:
        assert tx.outcome(Request("r-1", "digest")) is None


def test_requests_are_kept_for_seven_days_and_then_forgotten(
    store: Store, clock: FakeClock
) -> None:
    assert REQUESTS_KEPT_MS == 7 * 86_400_000
    grant(store, ADA, "a", request=Request("r-1", "d"))
    clock.let_pass(REQUESTS_KEPT_MS)
    grant(store, ADA, "b", request=Request("r-2", "d"))
    with store.transaction() as tx:
        assert tx.outcome(Request("r-1", "d")) is not None
    clock.let_pass(1)
    grant(store, ADA, "c", request=Request("r-3", "d"))
    with store.transaction() as tx:
        assert tx.outcome(Request("r-1", "d")) is None
        assert tx.outcome(Request("r-2", "d")) is not None


# ------------------------------------------------------------------------------------ what is read


def test_a_lease_is_what_was_granted(store: Store, clock: FakeClock) -> None:
    clock.let_pass(5)
    token = grant(store, ADA, "src/a", "**/*.md", kind=LOCAL, worktree="wt-1")
    now = now_of(store)
    wanted = Lease(
        token=token,
        session="s-ada",
        agent="ada",
        role="website",
        kind=LOCAL,
        worktree="wt-1",
        patterns=patterns("src/a", "**/*.md"),
        granted_at=now,
        ttl_ms=TTL_MS,
        expires_at=now + TTL_MS,
        lasting=True,
    )
    with store.read() as reader:
        assert reader.lease(token) == wanted
        assert reader.leases() == [wanted]
        assert list(reader.near(wanted.patterns)) == [wanted]
        assert type(reader.leases()[0].lasting) is bool


def test_a_lease_of_an_unattributed_actor_has_no_role_and_an_empty_agent(store: Store) -> None:
    token = grant(store, Actor("s-x", None, None), "a")
    with store.read() as reader:
        found = reader.lease(token)
    assert found is not None
    assert (found.agent, found.role) == ("", None)


def test_leases_come_by_token_all_or_of_one_session_expired_ones_too(
    store: Store, clock: FakeClock
) -> None:
    first = grant(store, ADA, "z", ttl_ms=1)
    second = grant(store, BOB, "a")
    third = grant(store, ADA, "m")
    clock.let_pass(10)
    with store.read() as reader:
        assert [lease.token for lease in reader.leases()] == [first, second, third]
        assert [lease.token for lease in reader.leases("s-ada")] == [first, third]
        assert reader.leases("s-nobody") == []
        assert not reader.leases()[0].live(reader.now)


def test_a_lease_that_ended_is_gone_from_everywhere(store: Store) -> None:
    kept = grant(store, BOB, "b")
    for end in (LeaseReleased, LeaseExpired):
        token = grant(store, ADA, "a", "**/*.md")
        commit(store, end(token, "released") if end is LeaseReleased else LeaseExpired(token, 1))
        with store.read() as reader:
            assert reader.lease(token) is None
            assert [lease.token for lease in reader.leases()] == [kept]
            assert [row[3] for row in reader.guard_rows()] == [kept]
            assert [lease.token for lease in reader.near(patterns("**"))] == [kept]


def test_a_renewal_moves_the_expiry_everywhere_and_appends_nothing(store: Store) -> None:
    token, other = grant(store, ADA, "a", "b/*"), grant(store, ADA, "c")
    head = snapshot(store)[0]
    until = now_of(store) + 7 * TTL_MS
    assert commit(store, LeaseRenewed(token, until)) == ()
    with store.read() as reader:
        assert reader.head == head
        found = reader.lease(token)
        assert found is not None
        assert found.expires_at == until
        assert {row[4] for row in reader.guard_rows() if row[3] == token} == {until}
        assert {row[4] for row in reader.guard_rows() if row[3] == other} != {until}
        assert next(iter(reader.near(patterns("a")))).expires_at == until


def test_changes_to_rows_that_are_not_there_are_no_error(store: Store) -> None:
    before = snapshot(store)[1:]
    commit(store, LeaseRenewed(99, 1), WaitKept(99, 1), WaitEnded(99))
    assert snapshot(store)[1:] == before
    commit(store, LeaseReleased(99, "released"), SessionEnded("s-x", "ended"))
    commit(store, SessionRoleChanged("s-x", "r", "why", "terminal"))
    assert snapshot(store)[2:] == before[1:]


def test_a_session_begins_changes_its_role_ends_and_begins_again(
    store: Store, clock: FakeClock
) -> None:
    def session() -> Session | None:
        with store.read() as reader:
            return reader.session("s-ada")

    commit(store, started(ADA, worktree="wt-1"))
    wanted = Session("s-ada", "ada", "website", "wt-1", FIRST_WALL_MS, None, "0" * 64)
    assert session() == wanted
    commit(store, SessionRoleChanged("s-ada", "architect", "why", "terminal"))
    assert session() == wanted._replace(role="architect")
    clock.let_pass(3)
    commit(store, SessionEnded("s-ada", "ended"))
    assert session() == wanted._replace(role="architect", ended_at=FIRST_WALL_MS + 3)
    with store.read() as reader:
        assert reader.sessions() == []
        assert len(reader.sessions(ended=True)) == 1
    clock.let_pass(3)
    commit(store, started(ADA))
    assert session() == wanted._replace(worktree=".", started_at=FIRST_WALL_MS + 6)


def test_sessions_come_by_start_and_id(store: Store, clock: FakeClock) -> None:
    for name in ("b", "a"):
        commit(store, started(Actor(name, "x", None)))
    clock.let_pass(1)
    commit(store, started(Actor("0", "x", None)))
    commit(store, SessionEnded("a", "ended"))
    with store.read() as reader:
        assert [session.id for session in reader.sessions()] == ["b", "0"]
        assert [session.id for session in reader.sessions(ended=True)] == ["a", "b", "0"]


def test_waiters_come_by_ticket_those_that_are_gone_too(store: Store, clock: FakeClock) -> None:
    for name in ("z", "a", "m"):
        until = now_of(store) + 5
        commit(store, WaitBegan(name, LOCAL, "wt", ("src/*", "b"), until))
    commit(store, WaitEnded(2), WaitKept(3, FIRST_WALL_MS + 77))
    clock.let_pass(10)
    with store.read() as reader:
        first, third = reader.waiters()
    assert first == Waiter(
        1, "z", LOCAL, "wt", patterns("src/*", "b"), FIRST_WALL_MS, FIRST_WALL_MS + 5
    )
    assert (third.ticket, third.session, third.until) == (3, "m", FIRST_WALL_MS + 77)


def test_a_ticket_is_never_given_twice(store: Store) -> None:
    for _ in range(3):
        commit(store, WaitBegan("s-ada", EXCLUSIVE, ".", ("a",), 1))
    commit(store, WaitEnded(3), WaitEnded(2), WaitEnded(1))
    commit(store, WaitBegan("s-ada", EXCLUSIVE, ".", ("a",), 1))
    with store.read() as reader:
        assert [waiter.ticket for waiter in reader.waiters()] == [4]


def test_waiting_is_no_history(store: Store) -> None:
    before = ledger(store)
    commit(store, WaitBegan("s-ada", EXCLUSIVE, ".", ("a",), 1))
    commit(store, WaitKept(1, 9))
    commit(store, WaitEnded(1))
    assert ledger(store) == before


def test_the_configuration_in_force_is_the_last_one_applied(store: Store) -> None:
    (entry,) = commit(store, ConfigApplied("b1", "one\n", "init"), actor=Actor())
    with store.transaction() as tx:
        tx.keep_compiled(b"\x00compiled")
        tx.commit([], Actor())
    with store.read() as reader:
        assert reader.config() == InForce("b1", "one\n", entry.seq, b"\x00compiled")
    (entry,) = commit(store, ConfigApplied("b2", "two\n", "terminal"), actor=Actor())
    with store.read() as reader:
        assert reader.config() == InForce("b2", "two\n", entry.seq, None)


def test_a_compiled_form_without_a_configuration_is_kept_nowhere(store: Store) -> None:
    with store.transaction() as tx:
        tx.keep_compiled(b"x")
        tx.commit([], Actor())
    with store.read() as reader:
        assert reader.config() is None


def test_an_attestation_is_found_by_its_commit_the_newest_one(store: Store) -> None:
    commit(store, attested("c1"))
    second = commit(store, attested("c2"), attested("c1"))
    with store.read() as reader:
        assert reader.attestation("c1") == second[1].seq
        assert reader.attestation("c3") is None
        assert reader.attestations() == {"c1": second[1].seq, "c2": second[0].seq}


def test_entries_are_given_between_two_numbers_oldest_first(store: Store) -> None:
    for _ in range(5):
        commit(store, started(ADA))
    with store.read() as reader:
        seqs = [
            [entry.seq for entry in reader.entries(*bounds)]
            for bounds in ((), (0,), (4,), (6,), (9,), (1, 3), (0, 6), (0, 99), (3, 3), (0, 0))
        ]
    assert seqs == [
        [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], [5, 6], [], [],
        [2, 3], [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], [], [],
    ]  # fmt: skip


def test_the_newest_entries_are_given_oldest_first(store: Store) -> None:
    for _ in range(4):
        commit(store, started(ADA))
    with store.read() as reader:
        assert [[e.seq for e in reader.newest(limit)] for limit in (0, 1, 3, 5, 99)] == [
            [], [5], [3, 4, 5], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5],
        ]  # fmt: skip
        assert reader.newest(2) == list(reader.entries(3))


def test_the_latest_entry_of_a_kind_about_a_subject_is_found(store: Store) -> None:
    commit(store, started(ADA), started(BOB))
    first = grant(store, ADA, "a")
    second = grant(store, ADA, "b")
    commit(store, LeaseReleased(first, "released"), HistoryImported("x:1", 5, "{}"))
    with store.read() as reader:
        cases = {
            ("session.started", "s-ada"): 2,
            ("session.started", "s-bob"): 3,
            ("lease.granted", "s-ada"): second,
            ("lease.released", str(first)): second + 1,
            ("history.imported", "x:1"): second + 2,
            ("lease.released", str(second)): None,
            ("lease.expired", str(first)): None,
            ("store.created", "None"): None,
            ("no.such", "s-ada"): None,
        }
        for (kind, subject), seq in cases.items():
            found = reader.latest(kind, subject)
            assert (None if found is None else found.seq) == seq, (kind, subject)
            if seq is not None:
                assert found == next(reader.entries(seq - 1, seq))


def test_every_attestation_of_a_commit_is_found_oldest_first(store: Store) -> None:
    first = commit(store, attested("c1"), attested("c2"))
    second = commit(store, attested("c1")._replace(tree="other"), LeaseReleased(9, "c1"))
    with store.read() as reader:
        assert reader.attestations_of("c1") == [first[0], second[0]]
        assert reader.attestations_of("c2") == [first[1]]
        assert reader.attestations_of("c") == []


def test_every_entry_of_a_kind_about_a_subject_is_found_oldest_first(store: Store) -> None:
    decided = CheckpointDecided("menu", "plan_check", "plan", "revise", "plan", 1, "", "terminal")
    first = commit(store, TaskOpened("menu", "Menu"), decided)[1]
    commit(store, decided._replace(task="other"))
    second = commit(store, decided._replace(decision="approve"))[0]
    with store.read() as reader:
        assert reader.about("checkpoint.decided", "menu") == [first, second]
        assert reader.about("task.closed", "menu") == []


def test_attestations_of_the_same_paths_are_found_the_newest_first(store: Store) -> None:
    made = [
        commit(store, attested(f"c{number}")._replace(paths_hash=paths))[0]
        for number, paths in enumerate("abaab")
    ]
    with store.read() as reader:
        assert reader.attested_alike("a", 9) == [made[3], made[2], made[0]]
        assert reader.attested_alike("a", 2) == [made[3], made[2]]
        assert reader.attested_alike("b", 1) == [made[4]]
        assert reader.attested_alike("c", 9) == []
    with store.transaction() as tx:
        tx.redact(made[3].seq)
        tx.commit([PayloadRedacted(made[3].seq, "a path")], ADA)
    with store.read() as reader:
        assert reader.attested_alike("a", 9) == [made[2], made[0]]


@pytest.mark.parametrize("kind", RARE)
def test_all_entries_of_a_rare_kind_are_found_the_newest_first(store: Store, kind: str) -> None:
    made = []
    for number in range(3):
        grant(store, ADA, f"p{number}")
        for event in (
            ConfigApplied(f"{number}", "", "init"),
            CommitUnattested((), (f"{number}",), ""),
            CommitUnattributed((), (f"{number}",), ""),
        ):
            made += [entry for entry in commit(store, event) if KIND_OF[type(event)] == kind]
    with store.read() as reader:
        assert reader.recorded(kind, 9) == made[::-1]
        assert reader.recorded(kind, 2) == [made[2], made[1]]
        with pytest.raises(AssertionError):
            reader.recorded("lease.granted", 9)


# --------------------------------------------------------- what is left, what landed, who is told


def left_in(reader: Reader, worktree: str | None, *texts: str) -> list[int]:
    found = reader.orphans(worktree, patterns(*texts)) if texts else reader.orphans(worktree)
    return [orphan.token for orphan in found]


def test_what_a_lease_left_is_found_near_its_paths_in_its_working_tree(store: Store) -> None:
    with store.read() as reader:
        assert left_in(reader, None) == left_in(reader, ".", "**") == []
    first = grant(store, ADA, "src/a", "**/*.md")
    second = grant(store, BOB, "docs", worktree="wt-1")
    commit(store, LeaseExpired(second, 1), LeaseExpired(first, 1))
    with store.read() as reader:
        assert left_in(reader, None) == [first, second]
        assert left_in(reader, ".") == left_in(reader, ".", "src/a/b") == [first]
        assert left_in(reader, ".", "zz") == [first]
        assert left_in(reader, "wt-1", "docs/x", "docs/y") == [second]
        assert left_in(reader, "wt-1", "src") == []
        (left,) = reader.orphans(".")
        assert (left.session, left.agent, left.role) == ("s-ada", "ada", "website")
        assert (left.kind, left.ttl_ms, left.blobs) == (EXCLUSIVE, TTL_MS, None)
        assert (left.scope, left.since) == (("src/a", "**/*.md"), second + 2)
        assert reader.leases() == []


def test_what_is_left_is_narrowed_adopted_and_settled(store: Store) -> None:
    tokens = [grant(store, ADA, "src", "**/*.md") for _ in range(3)]
    blobs = (("src/a", "b1"), ("src/\udcff", ""), ("é/x y", "b2"))
    end = commit(store, LeaseOrphaned(tokens[0], blobs, "session_ended"))[0].seq
    with store.read() as reader:
        (left,) = reader.orphans()
        assert (left.blobs, left.since) == (blobs, end)
        assert left.scope == ("src/a", "src/?", "é/x y")
        assert left_in(reader, ".", "zz") == []
        assert left_in(reader, ".", "src/?*") == [tokens[0]]
    commit(store, LeaseOrphaned(tokens[0], blobs[:1], "adopted"), LeaseExpired(tokens[1], 1))
    with store.read() as reader:
        assert [(o.blobs, o.since) for o in reader.orphans()] == [(blobs[:1], end), (None, end + 2)]
        assert left_in(reader, ".", "é") == [tokens[1]]
    assert commit(store, OrphanSettled(tokens[1])) == ()
    commit(store, LeaseReleased(tokens[0], "adopted"))
    with store.read() as reader:
        assert left_in(reader, None) == left_in(reader, ".", "**") == []
        assert [lease.token for lease in reader.leases()] == [tokens[2]]


def landed_in(reader: Reader, *given: object) -> list[int]:
    return [landing.token for landing in reader.landings(*given)]  # type: ignore[arg-type]


def test_the_newest_landing_of_each_token_is_found_by_time_session_and_path(
    store: Store, clock: FakeClock
) -> None:
    mine, theirs = grant(store, ADA, "src"), grant(store, BOB, "**/*.md", worktree="wt-1")
    with store.read() as reader:
        assert landed_in(reader) == []
    commit(store, attested("c1")._replace(cover=((mine, 9), (99, 9))))
    clock.let_pass(100)
    later = now_of(store)
    last = commit(store, attested("c2")._replace(cover=((theirs, 9), (mine, 9))))[0].seq
    clock.let_pass(100)
    commit(store, LeaseReleased(mine, "released"))
    with store.read() as reader:
        assert landed_in(reader) == landed_in(reader, later) == [mine, theirs]
        assert landed_in(reader, later + 1) == []
        assert landed_in(reader, 0, "s-ada") == [theirs]
        assert landed_in(reader, 0, None, patterns("src/x/y")) == [mine, theirs]
        assert landed_in(reader, 0, "s-bob", patterns("docs")) == []
        assert reader.landing(99) is None
        scope = patterns("src")
        wanted = Landing(mine, "s-ada", EXCLUSIVE, ".", scope, "c2", last, later)
        assert reader.landing(mine) == wanted
        assert reader.attestations(last - 1) == {"c2": last}
        assert reader.attestations(last) == {}


def test_a_process_acts_for_its_newest_session_until_that_ends(store: Store) -> None:
    first, second = Process("boot", "ns", 7, 99), Process("boot", "ns", 7, 100)
    commit(store, started(ADA), started(BOB))
    commit(store, ProcessRegistered("s-bob", *first), ProcessRegistered("s-ada", *first))
    commit(store, ProcessRegistered("s-bob", *second))
    with store.read() as reader:
        assert reader.acts_for(first) == "s-ada"
        assert reader.acts_for(second) == "s-bob"
        assert reader.acts_for(first._replace(boot="other")) is None
        assert reader.processes() == [(first, "s-ada"), (second, "s-bob")]
        assert reader.processes("s-bob") == [(second, "s-bob")]
    commit(store, SessionEnded("s-ada", "ended"))
    with store.read() as reader:
        assert reader.processes() == [(second, "s-bob")]


def test_a_notice_is_left_once_an_occasion_and_told_once(store: Store) -> None:
    commit(store, started(ADA), started(BOB))
    left = NoticeLeft("s-ada", "parallel_edit", "k", "s-bob", ("a b", "é"))
    assert commit(store, left, NoticeLeft("s-bob", "waiter", "1", "s-ada", ("a",))) == ()
    wanted = Notice("s-ada", "parallel_edit", "k", "s-bob", ("a b", "é"), now_of(store))
    with store.read() as reader:
        assert reader.notices("s-ada") == [wanted]
        assert [notice.session for notice in reader.notices()] == ["s-ada", "s-bob"]
    commit(store, NoticesTaken("s-ada"))
    commit(store, left)
    with store.read() as reader:
        assert reader.notices("s-ada") == []
        assert reader.notices("s-ada", told=True) == [wanted]
        assert len(reader.notices()) == 1
    commit(store, SessionEnded("s-ada", "ended"))
    with store.read() as reader:
        assert reader.notices("s-ada", told=True) == []


def test_the_guard_is_told_when_to_renew(store: Store) -> None:
    token = grant(store, ADA, "a")
    now = now_of(store)
    with store.read() as reader:
        assert [row[4:] for row in reader.guard_rows()] == [(now + TTL_MS, now + TTL_MS // 2)]
    cap = now + AGE_MAX_MS
    commit(store, LeaseRenewed(token, cap))
    with store.read() as reader:
        assert [row[4:] for row in reader.guard_rows()] == [(cap, cap)]


# ------------------------------------------------------------------------- what the guard looks up

SESSIONS: Final = ("s-ada", "s-bob")
WORKTREES: Final = (".", "wt-1")
PATHS: Final = ("a", "a/b", "a/b/x.py", "x.py", "ab", "README.md", "b/c", "a/q.md", "é/x", "zz")
GUIDE: Final = ("guide.md", "9" * 64, "", "")
STEPS: Final = st.lists(
    st.one_of(
        st.tuples(
            st.just("grant"),
            st.sampled_from(SESSIONS),
            st.sampled_from(WORKTREES),
            SCOPES,
            st.integers(1, 30),
        ),
        st.tuples(st.just("pass"), st.integers(1, 12)),
        st.tuples(st.just("release"), st.integers(0, 9)),
        st.tuples(st.just("expire"), st.integers(0, 9)),
        st.tuples(st.just("renew"), st.integers(0, 9), st.integers(1, 40)),
        st.tuples(st.sampled_from(["ask", "read"]), st.sampled_from(SESSIONS)),
    ),
    min_size=1,
    max_size=10,
)


@pytest.mark.parametrize("kind", KINDS)
def test_may_write_is_the_rule_and_its_rows_are_the_leases_in_every_state(kind: str) -> None:
    @given(steps=STEPS)
    @settings(max_examples=EXAMPLES[kind])
    def holds(steps: list[tuple[object, ...]]) -> None:
        check_may_write(kind, steps)

    holds()


def check_may_write(kind: str, steps: list[tuple[object, ...]]) -> None:
    with opened(kind) as ground:
        clock = FakeClock()
        store = ground.create(clock)
        tokens: list[int] = []
        for step in steps:
            _take(store, clock, tokens, step)
        with store.read() as reader:
            leases = reader.leases()
            for session in SESSIONS:
                for worktree in WORKTREES:
                    for path in PATHS:
                        wanted = writable(leases, session, worktree, path, reader.now)
                        wanted = wanted and not reader.unread(session)
                        assert reader.may_write(worktree, session, path) is wanted
            assert reader.guard_rows() == sorted(
                (
                    *(lease.worktree, lease.session, text, lease.token),
                    *(lease.expires_at, renew_at(lease)),
                )
                for lease in leases
                for text in lease.scope
                if not reader.unread(lease.session)
            )
            assert {token for _, token in reader.index_rows()} == {one.token for one in leases}


def _take(store: Store, clock: FakeClock, tokens: list[int], step: tuple[object, ...]) -> None:
    match step:
        case ("grant", str() as session, str() as worktree, list() as scope, int() as ttl_ms):
            actor = Actor(session, "x", None)
            tokens.append(grant(store, actor, *scope, worktree=worktree, ttl_ms=ttl_ms))
        case ("pass", int() as ms):
            clock.let_pass(ms)
        case ("ask", str() as session):
            commit(store, ReadingAsked(session, "packet fix-002", True, (GUIDE,)))
        case ("read", str() as session):
            commit(store, ReadingDone(session, "read", ((GUIDE[0], GUIDE[1], ""),)))
        case (what, int() as index, *rest) if tokens:
            token = tokens[index % len(tokens)]
            changes: dict[object, Event | Move] = {
                "release": LeaseReleased(token, "released"),
                "expire": LeaseExpired(token, 1),
                "renew": LeaseRenewed(token, now_of(store) + int(str((rest or [0])[0]))),
            }
            commit(store, changes[what])


def test_what_is_held_may_be_written_from_the_transaction_on_that_ends_the_reading(
    store: Store,
) -> None:
    token = grant(store, ADA, "a", "b/*")
    shown = snapshot(store)[7]
    asked = ReadingAsked("s-ada", "role maker", True, (GUIDE, ("gone", "", "", "it is gone")))
    commit(store, asked)
    with store.read() as reader:
        assert [row.path for row in reader.unread("s-ada")] == ["guide.md"]
        assert reader.unread("s-bob") == reader.reading("s-bob") == ()
        assert (reader.guard_rows(), reader.may_write(".", "s-ada", "a/b")) == ([], False)
        assert [lease.token for lease in reader.near(patterns("a"))] == [token], "it is held"
    later = now_of(store) + 3 * TTL_MS
    commit(store, LeaseRenewed(token, later))
    assert snapshot(store)[7] == [], "neither a renewal nor a grant opens it"
    grant(store, ADA, "c")
    grant(store, BOB, "d")
    with store.read() as reader:
        assert [row[1] for row in reader.guard_rows()] == ["s-bob"]
        assert compare(reader, replay(reader.entries())) == []
    with store.transaction() as tx:
        tx.replace(replay(tx.entries()))
        tx.commit([], Actor())
    with store.read() as reader:
        assert [row[1] for row in reader.guard_rows()] == ["s-bob"], "nor are tables made anew"
    commit(store, ReadingDone("s-ada", "read", (("guide.md", "8" * 64, ""),)))
    assert len(snapshot(store)[7]) == 1, "other bytes"  # type: ignore[arg-type]
    commit(store, ReadingDone("s-ada", "claimed", (("guide.md", "9" * 64, ""),)))
    with store.read() as reader:
        rows = reader.guard_rows()
        assert [row[:3] for row in rows if row[1] == "s-ada"] == [
            (".", "s-ada", text) for text in ("a", "b/*", "c")
        ]
        assert len(shown) == 2  # type: ignore[arg-type]
        assert reader.may_write(".", "s-ada", "a/b")
        assert reader.unread("s-ada") == ()
        assert [(row.path, row.how) for row in reader.reading("s-ada")] == [
            ("guide.md", "claimed"),
            ("gone", ""),
        ]
        assert reader.readings() == {"s-ada": reader.reading("s-ada")}


def test_what_was_read_outlives_its_session(store: Store) -> None:
    commit(store, ReadingAsked("s-ada", "role maker", True, (GUIDE,)))
    commit(store, ReadingDone("s-ada", "read", ((GUIDE[0], GUIDE[1], ""),)))
    commit(store, SessionEnded("s-ada", "ended"))
    with store.read() as reader:
        assert [row.how for row in reader.reading("s-ada")] == ["read"]


def test_a_path_may_be_written_until_the_lease_ends_and_not_at_that_moment(
    store: Store, clock: FakeClock
) -> None:
    grant(store, ADA, "a")
    clock.let_pass(TTL_MS - 1)
    with store.read() as reader:
        assert reader.may_write(".", "s-ada", "a/b")
        assert not reader.may_write("wt-1", "s-ada", "a/b")
        assert not reader.may_write(".", "s-bob", "a/b")
    clock.let_pass(1)
    with store.read() as reader:
        assert not reader.may_write(".", "s-ada", "a/b")


# ------------------------------------------------------------------- redacting, keeping, replacing


def test_a_redacted_payload_is_gone_and_the_chain_holds(ground: Ground, store: Store) -> None:
    commit(store, ConfigApplied("b1", "secret\n", "init"), actor=Actor())
    whole = ledger(store)
    with store.transaction() as tx:
        tx.redact(2)
        tx.commit([PayloadRedacted(2, "why")], ADA)
    found = ledger(ground.another(store))
    assert found[1] == whole[1]._replace(payload=None)
    assert found[0] == whole[0]
    report = verify(found)
    assert (report.problem, report.redacted) == (None, 1)


def test_replaced_tables_stand_in_place_of_the_old_ones(ground: Ground, store: Store) -> None:
    fill(store)
    entries = ledger(store)
    state = State()
    lease = Lease(4, "s-b", "b", None, LOCAL, "w", patterns("q", "r/*"), 1, 2, 3, False)
    state.put_lease(lease)
    state.put_session(Session("s-b", "b", None, "w", 1, 2, "f" * 64))
    state.put_attestation("c9", 5)
    state.config = InForce("b9", "nine", 2, b"compiled")
    with store.transaction() as tx:
        tx.replace(state)
        tx.commit([], ADA)
    with ground.another(store).read() as reader:
        assert reader.leases() == [lease]
        assert reader.sessions(ended=True) == list(state.sessions.values())
        assert reader.attestations() == {"c9": 5}
        assert reader.config() == state.config
        assert reader.guard_rows() == [("w", "s-b", "q", 4, 3, 2), ("w", "s-b", "r/*", 4, 3, 2)]
        assert reader.index_rows() == [("q", 4), ("r", 4)]
        assert list(reader.near(patterns("**"))) == [lease]
        assert reader.waiters() == []
        assert list(reader.entries()) == entries


def test_tickets_go_on_after_tables_were_replaced(store: Store) -> None:
    for _ in range(3):
        commit(store, WaitBegan("s-ada", EXCLUSIVE, ".", ("a",), 1))
    with store.transaction() as tx:
        tx.replace(State())
        tx.commit([], ADA)
    commit(store, WaitBegan("s-ada", EXCLUSIVE, ".", ("a",), 1))
    with store.read() as reader:
        assert [waiter.ticket for waiter in reader.waiters()] == [4]


def test_replacing_tables_by_what_the_ledger_adds_up_to_changes_nothing(store: Store) -> None:
    fill(store)
    with store.transaction() as tx:
        tx.replace(replay(tx.entries()))
        tx.commit([], ADA)
    with store.read() as reader:
        assert compare(reader, replay(reader.entries())) == []


def test_the_state_that_was_given_is_not_tied_to_the_store(store: Store) -> None:
    state = State()
    with store.transaction() as tx:
        tx.replace(state)
        tx.commit([], ADA)
    commit(store, started(ADA))
    assert state.sessions == {}


# ------------------------------------------------------------------------- seeing what others do


def test_the_version_changes_when_somebody_else_commits_and_not_when_nobody_does(
    ground: Ground, store: Store
) -> None:
    mine, other = ground.another(store), ground.another(store)
    before = mine.version()
    raising(other, lambda tx: tx.replace(State()))
    with other.read() as reader:
        assert reader.head.seq == 1
    assert mine.version() == before
    seen = {before}
    token = grant(other, ADA, "a")
    seen.add(mine.version())
    commit(other, LeaseRenewed(token, 9))
    seen.add(mine.version())
    commit(other, WaitBegan("s-bob", LOCAL, ".", ("a",), 1))
    seen.add(mine.version())
    assert len(seen) == 4


@pytest.mark.serial
def test_asking_for_the_version_costs_microseconds(ground: Ground, store: Store) -> None:
    started_at = time.perf_counter()
    for _ in range(1_000):
        store.version()
    assert time.perf_counter() - started_at < VERSION_US[ground.name] / 1_000


def test_a_snapshot_is_consistent_while_somebody_commits(ground: Ground, store: Store) -> None:
    fill(store)
    mine = ground.another(store)
    with mine.read() as reader:
        before = everything(reader)
        grant(store, BOB, "late")
        commit(store, LeaseReleased(4, "released"), SessionEnded("s-ada", "ended"))
        assert everything(reader) == before
    assert snapshot(mine) != before


def test_no_snapshot_ever_shows_half_of_a_commit(ground: Ground, store: Store) -> None:
    stop = threading.Event()
    torn: list[object] = []
    seen: set[int] = set()

    def look() -> None:
        mine = ground.another(store)
        while not stop.is_set():
            with mine.read() as reader:
                entries = list(reader.entries())
                differences = compare(reader, replay(entries))
                if differences or reader.head.seq != len(entries):
                    torn.append(differences)
                seen.add(reader.head.seq)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(60):
        with store.transaction() as tx:
            name = f"s-{number}"
            actor = Actor(name, "x", None)
            granted = LeaseGranted(name, None, LOCAL, ".", ("a", "b"), 9, tx.now + 9, True, ())
            tx.commit([started(actor), granted, attested(name)], actor)
    stop.set()
    for thread in threads:
        thread.join(SOON_S)
    assert torn == []
    assert seen <= set(range(1, 200, 3))


@pytest.mark.serial
def test_a_snapshot_waits_for_nobody(ground: Ground, store: Store) -> None:
    mine = ground.another(store)
    with store.transaction() as tx:
        asked = time.monotonic()
        with mine.read() as reader:
            assert reader.head.seq == 1
        assert time.monotonic() - asked < 0.5
        tx.commit([started(ADA)], ADA)
        with mine.read() as reader:
            assert reader.head.seq == 2


def test_a_snapshot_keeps_nobody_waiting(ground: Ground, clock: FakeClock) -> None:
    store = ground.create(clock, busy_ms=300)
    with ground.another(store).read() as reader:
        assert reader.head.seq == 1
        commit(store, started(ADA))


# ------------------------------------------------------------------------------- texts of all sorts


@pytest.mark.parametrize(
    "text", ["a b", "a'b\"c", "a%b_c", "é/ß", "\U0001f600", "[a]{b}", "a;--", "-x", "a.b", "~"]
)
def test_any_text_that_can_be_a_pattern_is_kept_as_it_is(store: Store, text: str) -> None:
    scope = (text, f"{text}/*", f"q/**/{text}")
    token = grant(store, Actor(f"s-{text}", f"a-{text}", f"r-{text}"), *scope, worktree=text)
    with store.read() as reader:
        found = reader.lease(token)
        assert found is not None
        assert (found.scope, found.worktree) == (scope, text)
        assert (found.session, found.agent, found.role) == (f"s-{text}", f"a-{text}", f"r-{text}")
        assert reader.may_write(text, f"s-{text}", f"{text}/x")
        assert [lease.token for lease in reader.near(patterns(text))] == [token]
    assert verify(ledger(store)).problem is None


def test_every_kind_of_lease_and_flag_is_kept(store: Store) -> None:
    wanted: list[tuple[Kind, bool]] = []
    for kind in (EXCLUSIVE, LOCAL):
        for lasting in (True, False):
            with store.transaction() as tx:
                event = LeaseGranted("s", None, kind, ".", ("a",), 1, tx.now + 1, lasting, (1, 2))
                tx.commit([event], ADA)
            wanted.append((kind, lasting))
    with store.read() as reader:
        assert [(lease.kind, lease.lasting) for lease in reader.leases()] == wanted


def test_a_transaction_is_a_reader_too(store: Store) -> None:
    fill(store)
    with store.read() as reader:
        outside = everything(reader)

    def inside(tx: Tx) -> tuple[object, ...]:
        return everything(tx)

    with store.transaction() as tx:
        assert inside(tx) == outside


def test_a_store_that_was_moved_is_none_for_whoever_has_it_open(
    ground: Ground, store: Store
) -> None:
    other = ground.another(store)
    raising(store, lambda tx: tx.retire("nowhere"))
    with store.transaction() as tx:
        tx.retire("postgresql://db/acme")
        tx.commit([], ADA)
    for one in (store, other):
        with pytest.raises(StoreMoved, match="postgresql://db/acme"), one.transaction():
            raise AssertionError
        with pytest.raises(StoreMoved), one.read():
            raise AssertionError
    with pytest.raises(StoreMoved), ground.another(store).read():
        raise AssertionError

"""What is decided without the turn, on a real PostgreSQL: the same as with it, or decided again.

The reference is the memory store, where a claim always has the turn: whatever happened before the
turn was won has happened before the claim.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail import errors
from handrail.config import render_preset
from handrail.core.decide import Claim, Looked, NeedsFacts, Policy, View, decide
from handrail.core.events import (
    CommitAttested,
    ConfigApplied,
    Event,
    LeaseExpired,
    LeaseGranted,
    LeaseOrphaned,
    LeaseReleased,
    LeaseRenewed,
    Move,
    NoticeLeft,
    SessionEnded,
    SessionRoleChanged,
    WaitBegan,
    WaitEnded,
)
from handrail.core.handed import ReadingAsked
from handrail.core.lease import EXCLUSIVE, LOCAL, Actor, Kind, Lease
from handrail.core.ledger import read_event, read_header, verify
from handrail.core.scope import parse_scope
from handrail.core.state import replay
from handrail.errors.server import StoreMoved, StoreUnreachable
from handrail.service.health import compare
from handrail.store.port import Grant, Store, Tx
from handrail.store.postgres import PostgresStore
from handrail.store.postgres.connection import Address
from handrail.store.postgres.slice import PostgresSlice
from tests.postgres import server
from tests.store.grounds import (
    ADA,
    BOB,
    EPOCH,
    FIRST_WALL_MS,
    TTL_MS,
    FakeClock,
    MemoryGround,
    PostgresGround,
    commit,
    counting_salt,
    grant,
    ledger,
    now_of,
    started,
)
from tests.store.test_postgres import admin, hang_up, role

TEXT: Final = render_preset("minimal", "w-test")
ASKED: Final = (("src",), ("src/api",), ("src/api/*.py",), ("docs", "src"), ("**/x.py",), ("lib",))
EVE: Final = Actor("s-eve", "eve", None)
Between = Callable[[Store, FakeClock], None]


@pytest.fixture
def ground() -> Iterator[PostgresGround]:
    ground = PostgresGround()
    yield ground
    ground.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def begun(store: Store) -> Store:
    """Let two sessions begin under a configuration."""
    commit(store, ConfigApplied("0" * 40, TEXT, "terminal"), started(ADA), started(BOB))
    return store


def differences(store: Store) -> list[str]:
    """Name what in the tables is not what the ledger adds up to."""
    with store.read() as reader:
        return compare(reader, replay(reader.entries()))


def decided(tx: Tx, scope: Sequence[str], kind: Kind = EXCLUSIVE) -> int:
    """Decide a claim of Ada's as the service does, and commit it; returns the token."""
    assert tx.config() is not None
    session = tx.session("s-ada")
    if session is None or not session.live:
        raise errors.UnknownSession(session="s-ada", reason="it has ended")
    assert not tx.unread("s-ada"), "nothing is left to read"
    patterns = parse_scope(scope)
    orphans = tx.orphans(session.worktree, patterns)
    landings = tx.landings(0 if orphans else session.started_at, session.id, patterns)
    view = View(
        *(tx.epoch, tx.near(patterns), tx.waiters(), Policy({}, {})),
        *(orphans, landings, tx.head.seq),
    )
    claim = Claim(session, patterns, kind, TTL_MS, looked=Looked())
    changes = decide(view, claim, tx.now)
    tx.commit(changes, Actor(session.id, session.agent, session.role))
    return tx.head.seq


def claims(store: Store, scope: Sequence[str], between: Callable[[], object] = int) -> list[int]:
    """Claim; ``between`` the first look and its writing somebody does something.

    Returns the token, and how often it was decided.
    """
    times = 0

    def decide_once(tx: Tx) -> int:
        nonlocal times
        times += 1
        return decided(tx, scope) if times > 1 else _decided_then(tx, scope, between)

    token = store.attempt(decide_once, ("s-ada", parse_scope(scope)))
    return [token, times]


def _decided_then(
    tx: Tx, scope: Sequence[str], between: Callable[[], object], kind: Kind = EXCLUSIVE
) -> int:
    """Let something happen when all that a decision asks for was read."""
    written = tx.commit

    def late(*given: Any) -> Any:
        between()
        return written(*given)

    cast("Any", tx).commit = late
    return decided(tx, scope, kind)


def test_a_free_scope_is_granted_by_one_look_and_one_statement(
    ground: PostgresGround, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = begun(ground.create(clock))
    assert isinstance(store, PostgresStore)
    now_of(store)
    sent: list[str] = []
    send = store.link.send

    def noted(sql: str, values: tuple[object, ...] = ()) -> Any:
        sent.append(sql.split(maxsplit=1)[0])
        return send(sql, values)

    for scope in ("first", "second"):  # by the second it is clear that plans are used again
        assert claims(store, (scope,))[1] == 1
    monkeypatch.setattr(store.link, "send", noted)
    for scope in ("src", "lib/*.py", "docs"):
        assert claims(store, (scope,))[1] == 1
    assert sent == ["SELECT", "CALL"] * 3
    assert verify(ledger(store)).problem is None
    assert differences(store) == []


def test_what_lies_near_comes_in_the_order_of_the_plan(
    ground: PostgresGround, clock: FakeClock
) -> None:
    store = begun(ground.create(clock))
    for scope in ("src/b", "src", "**/*.lock", "src/a/é", "src/a", "docs/x", "docs-2", "src-2"):
        grant(store, BOB, scope, kind=LOCAL, worktree=f"tree-{scope}")
    asked = parse_scope(("src/a", "docs", "src/b/c"))

    def both(tx: Tx) -> list[list[int]]:
        sliced = [lease.token for lease in tx.near(asked)]
        with ground.another(store).read() as reader:
            return [sliced, [lease.token for lease in reader.near(asked)]]

    sliced, read = store.attempt(both, ("s-ada", asked))
    assert sliced == read
    assert len(read) == 6


BETWEEN: Final[dict[str, tuple[Between, int]]] = {
    # What happens between the look and the turn, and how often the claim is decided.
    "nothing": (lambda store, clock: None, 1),
    "time passes": (lambda store, clock: clock.let_pass(7), 1),
    "a grant elsewhere": (lambda store, clock: tell(store, grant(store, BOB, "lib")), 1),
    "a grant beside": (lambda store, clock: tell(store, grant(store, BOB, "srcs", "sr")), 1),
    "a renewal": (lambda store, clock: tell(store, renewed(store)), 1),
    "a session begins": (lambda store, clock: tell(store, commit(store, started(EVE))), 1),
    "a grant at an ancestor's anchor": (
        lambda store, clock: tell(store, grant(store, BOB, "*.lock")),
        2,
    ),
    "a grant below": (lambda store, clock: tell(store, grant(store, ADA, "src/q")), 2),
    "a wait begins": (
        lambda store, clock: tell(
            store, commit(store, WaitBegan("s-bob", LOCAL, ".", ("q",), FIRST_WALL_MS * 2))
        ),
        3,
    ),
    "something is left elsewhere": (lambda store, clock: tell(store, left(store, BOB, "q")), 1),
    "something is left in another tree": (
        lambda store, clock: tell(store, left(store, BOB, "src/q", worktree="other")),
        1,
    ),
    "something is left at a point": (
        lambda store, clock: tell(store, left(store, ADA, "src")),
        3,
    ),
    "something is left below": (lambda store, clock: tell(store, left(store, ADA, "src/q")), 3),
    "something lands elsewhere": (lambda store, clock: tell(store, landed(store, BOB, "r")), 1),
    "something of one's own lands": (
        lambda store, clock: tell(store, landed(store, ADA, "src/r", release=True)),
        1,
    ),
    "one's own lease runs out": (lambda store, clock: clock.let_pass(TTL_MS), 3),
    "another configuration": (
        lambda store, clock: tell(
            store, commit(store, ConfigApplied("1" * 40, TEXT + "\n", "terminal"))
        ),
        2,
    ),
    "another role": (
        lambda store, clock: tell(
            store, commit(store, SessionRoleChanged("s-ada", "maker", "asked", "terminal"))
        ),
        2,
    ),
    "somebody has to read": (
        lambda store, clock: tell(
            store,
            commit(store, ReadingAsked("s-bob", "role x", True, (("a", "0" * 64, "", ""),))),
        ),
        3,
    ),
}


def tell(store: Store, outcome: object) -> None:
    """Take what came of it for granted."""


def renewed(store: Store) -> object:
    with store.read() as reader:
        token = next(lease.token for lease in reader.leases("s-bob"))
    return commit(store, LeaseRenewed(token, now_of(store) + 2 * TTL_MS))


def landed(store: Store, actor: Actor, scope: str, *, release: bool = False) -> object:
    token = grant(store, actor, scope)
    cover = ((token, now_of(store) + TTL_MS),)
    changes: list[Event] = [CommitAttested("c" * 40, "d" * 40, (), 1, "0" * 64, cover)]
    return commit(store, *changes, *([LeaseReleased(token, "asked")] if release else []))


def left(store: Store, actor: Actor, scope: str, *, worktree: str = ".") -> object:
    token = grant(store, actor, scope, worktree=worktree)
    return commit(store, LeaseOrphaned(token, ((scope, "0" * 40),), "ended"))


@pytest.mark.parametrize("what", BETWEEN)
def test_a_claim_is_decided_again_where_what_it_was_told_has_changed(
    what: str, ground: PostgresGround, clock: FakeClock
) -> None:
    store = begun(ground.create(clock))
    grant(store, BOB, "held-by-bob")
    if "one's own lease" in what:
        grant(store, ADA, "src", kind=LOCAL, worktree="tree")
    other = ground.another(store)
    between, times = BETWEEN[what]
    token, found = claims(store, ("src",), lambda: between(other, clock))
    assert found == times
    with other.read() as reader:
        lease = reader.lease(token)
        assert lease is not None
        assert (lease.granted_at, lease.expires_at) == (reader.now, reader.now + TTL_MS)
        assert reader.may_write(".", "s-ada", "src/x")
    assert verify(ledger(other)).problem is None
    assert differences(other) == []


def test_what_somebody_else_got_meanwhile_is_refused(
    ground: PostgresGround, clock: FakeClock
) -> None:
    store = begun(ground.create(clock))
    other = ground.another(store)
    with pytest.raises(errors.ScopeHeld, match=r"src/api/x\.py"):
        claims(store, ("src/*/x.py",), lambda: grant(other, BOB, "src/api/*.py"))
    with pytest.raises(errors.UnknownSession):
        claims(store, ("lib",), lambda: commit(other, SessionEnded("s-ada", "ended")))
    with other.read() as reader:
        assert [lease.session for lease in reader.leases()] == ["s-bob"]


@pytest.mark.parametrize("scope", ["src", "src/r", "src/*/r"])
def test_what_somebody_else_landed_meanwhile_has_to_be_looked_at(
    scope: str, ground: PostgresGround, clock: FakeClock
) -> None:
    store = begun(ground.create(clock))
    other = ground.another(store)
    clock.let_pass(1)

    def land() -> None:
        landed(other, BOB, scope, release=True)

    with pytest.raises(NeedsFacts):
        claims(store, ("src",), land)
    assert claims(store, ("lib",))[1] == 1, "elsewhere nothing has"


def test_a_lease_whose_rows_were_mended_meanwhile_counts(
    ground: PostgresGround, clock: FakeClock
) -> None:
    made = ground.create(clock)
    store, table = begun(made), f'"{made.schema}".may_write'
    grant(store, BOB, "src/old")
    admin(f"UPDATE {table} SET anchor = 'gone/' || anchor")
    back = f"UPDATE {table} SET anchor = substr(anchor, 6)"
    state = f'UPDATE "{made.schema}".state SET commits = commits + 1'
    with pytest.raises(errors.ScopeHeld, match="src/old"):
        claims(store, ("src",), lambda: admin(f"{back}; {state}"))


def test_a_refusal_waits_for_nobody(ground: PostgresGround, clock: FakeClock) -> None:
    store = begun(ground.create(clock, busy_ms=200))
    other = ground.another(store)
    grant(other, BOB, "src")
    with other.transaction(), pytest.raises(errors.ScopeHeld):
        claims(store, ("src/api",))
    with other.transaction(), pytest.raises(errors.StoreBusy):
        claims(store, ("lib",))
    assert claims(store, ("lib",))[1] == 1, "it goes on"


def test_who_is_always_outrun_takes_the_turn(ground: PostgresGround, clock: FakeClock) -> None:
    store = begun(ground.create(clock))
    other, numbers = ground.another(store), itertools.count(1)
    turns: list[bool] = []

    def decide_late(tx: Tx) -> int:
        turns.append(not isinstance(tx, PostgresSlice))
        if not turns[-1]:
            name = f"src/own-{next(numbers)}"
            return _decided_then(tx, ("src",), lambda: grant(other, ADA, name))
        return decided(tx, ("src",))

    token = store.attempt(decide_late, ("s-ada", parse_scope(("src",))))
    assert turns == [False, False, False, True]
    with other.read() as reader:
        assert reader.lease(token) is not None


@pytest.mark.parametrize(
    "words",
    [
        "ALTER ROLE {role} SET default_transaction_isolation = 'serializable'",
        "REVOKE EXECUTE ON ALL PROCEDURES IN SCHEMA {schema} FROM PUBLIC",
        'DROP PROCEDURE {schema}."grant_lease"',
    ],
)
def test_where_the_database_has_it_otherwise_the_turn_is_taken(
    words: str, clock: FakeClock
) -> None:
    ground = PostgresGround()
    try:
        made = ground.create(clock)
        begun(made)
        name = f"slices_{abs(hash(words)) % 10_000}"
        role(name)
        schema = f'"{made.schema}"'
        admin(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
        admin(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {name}")
        admin(words.format(role=name, schema=schema))
        address = Address(server().url(user=name))
        store = PostgresStore(
            *(address, address.parameters, made.schema, counting_salt()), clock=clock
        )
        assert claims(store, ("src",))[1] == 2
        store.close()
    finally:
        ground._used = []  # the schema is not as it was
        ground.close()


def test_a_store_that_moved_meanwhile_says_where_to(
    ground: PostgresGround, clock: FakeClock
) -> None:
    store = begun(ground.create(clock))
    other = ground.another(store)

    def move() -> None:
        with other.transaction() as tx:
            tx.retire("elsewhere")
            tx.commit([], ADA)

    with pytest.raises(StoreMoved, match="elsewhere"):
        claims(store, ("src",), move)
    with pytest.raises(StoreMoved):
        claims(store, ("lib",))


def test_time_never_goes_back(ground: PostgresGround, clock: FakeClock) -> None:
    store = begun(ground.create(clock))
    newest = now_of(store)
    clock.let_pass(-1_000)
    token = claims(store, ("src",))[0]
    with store.read() as reader:
        lease = reader.lease(token)
        assert lease is not None
        assert (lease.granted_at, reader.now) == (newest, newest)


def test_grants_are_counted_apart_from_what_else_is_committed(
    ground: PostgresGround, clock: FakeClock
) -> None:
    made = ground.create(clock)
    store = begun(made)
    sql = f'SELECT commits - grants, commits FROM "{made.schema}".state'
    before = admin(sql)[0]
    claims(store, ("src",))
    claims(store, ("lib",))
    assert admin(sql) == [(before[0], before[1] + 2)]


def test_a_connection_that_is_lost_at_any_statement_leaves_a_grant_or_none(
    ground: PostgresGround, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ground.create(clock)
    begun(store)
    other, send = ground.another(store), store.link.send
    assert claims(store, ("first",))[1] == 1

    def cut(sql: str, values: tuple[object, ...] = ()) -> Any:
        if sql.startswith(words) and not lost:
            lost.append(sql)
            hang_up(store.link.connected())
        return send(sql, values)

    for words, outcome in (
        ("SELECT workspace", 1),
        ("SELECT set_config", 1),
        ("CALL", StoreUnreachable),
    ):
        before, lost = len(ledger(other)), list[str]()
        with monkeypatch.context() as patch:
            patch.setattr(store.link, "send", cut)
            if outcome == 1:
                assert claims(store, (words,))[1] == 1, "on a new connection"
                assert claims(store, (f"again/{words}",))[1] == 1
            else:
                with pytest.raises(StoreUnreachable):
                    claims(store, (words,))
        assert lost
        assert len(ledger(other)) == before + (2 if outcome == 1 else 0)
    assert claims(store, ("CALL",))[1] == 1
    assert verify(ledger(other)).problem is None
    assert differences(other) == []


def test_who_keeps_a_copy_is_told_of_the_grant_alone(
    ground: PostgresGround, clock: FakeClock
) -> None:
    store = ground.create(clock)
    begun(store)
    told: list[Any] = []

    class Watching:
        def begins(self, changes: Sequence[Event | Move], actor: Actor) -> None:
            told.append([type(change) for change in changes])

        def ended(self, read: object, granted: Grant | None = None) -> None:
            told.append(granted)

    store._watch = Watching()
    token = claims(store, ("src",))[0]
    with store.read() as reader:
        lease = reader.lease(token)
    assert told == [[LeaseGranted], (EPOCH, lease)]


# ------------------------------------------------------------------- the same as one with the turn

scopes: Final = st.sampled_from(ASKED)
steps: Final = st.one_of(
    st.tuples(st.just("grant"), st.sampled_from((ADA, BOB)), scopes, st.sampled_from("el")),
    st.tuples(st.sampled_from(("release", "expire", "orphan", "renew", "land")), st.integers(0, 3)),
    st.tuples(st.just("pass"), st.sampled_from((1, 900, TTL_MS, TTL_MS + 1))),
    st.tuples(st.just("end session"), st.sampled_from(("s-ada", "s-bob"))),
    st.tuples(st.just("start"), st.sampled_from((ADA, BOB, EVE))),
    st.tuples(st.just("role"), st.sampled_from(("s-ada", "s-bob"))),
    st.tuples(st.just("wait"), scopes),
    st.tuples(st.just("served"), st.integers(1, 3)),
    st.tuples(st.just("config"), st.integers(0, 1)),
    st.tuples(st.just("notice"), st.integers(0, 2)),
)


def act(store: Store, clock: FakeClock, step: tuple[Any, ...]) -> None:
    """Do one thing to a store, as raw changes: no rule is asked."""
    what, *how = step
    if what == "pass":
        clock.let_pass(how[0])
        return
    with store.transaction() as tx:
        tx.commit(_changes(tx, what, how), BOB)


def _changes(tx: Tx, what: str, how: list[Any]) -> list[Event | Move]:
    """Say what a step changes; nothing where it is about a lease and there is none."""
    if what in OF_LEASES:
        leases = tx.leases()
        return [OF_LEASES[what](tx, leases[how[0] % len(leases)])] if leases else []
    return [OTHERS[what](tx, *how)]


def granted(tx: Tx, actor: Actor, scope: tuple[str, ...], letter: str) -> LeaseGranted:
    kind: Kind = EXCLUSIVE if letter == "e" else LOCAL
    worktree = "." if letter == "e" else f"tree-{actor.agent}"
    until = tx.now + TTL_MS
    name = str(actor.session)
    return LeaseGranted(name, None, kind, worktree, scope, TTL_MS, until, True, (), "bob")


OF_LEASES: Final[dict[str, Callable[[Tx, Lease], Event | Move]]] = {
    "release": lambda tx, lease: LeaseReleased(lease.token, "asked"),
    "expire": lambda tx, lease: LeaseExpired(lease.token, lease.expires_at),
    "orphan": lambda tx, lease: LeaseOrphaned(lease.token, None, "ended"),
    "renew": lambda tx, lease: LeaseRenewed(lease.token, tx.now + TTL_MS),
    "land": lambda tx, lease: CommitAttested(
        *("c" * 40, "d" * 40, (), 1, "0" * 64, ((lease.token, lease.expires_at),))
    ),
}
OTHERS: Final[dict[str, Callable[..., Event | Move]]] = {
    "grant": granted,
    "end session": lambda tx, name: SessionEnded(name, "ended"),
    "start": lambda tx, actor: started(actor),
    "role": lambda tx, name: SessionRoleChanged(name, "maker", "asked", "terminal"),
    "wait": lambda tx, scope: WaitBegan("s-bob", EXCLUSIVE, ".", scope, tx.now + TTL_MS),
    "served": lambda tx, ticket: WaitEnded(ticket),
    "config": lambda tx, number: ConfigApplied(f"{number}" * 40, TEXT, "terminal"),
    "notice": lambda tx, number: NoticeLeft("s-ada", "landed", f"k-{number}", "s-bob", ("a",)),
}


def outcome_of(attempt: Callable[[], object]) -> object:
    """Return what came of a claim: what was changed, or how it was refused."""
    try:
        return attempt()
    except errors.HandrailError as refusal:
        return refusal.code, refusal.values
    except (NeedsFacts, AssertionError) as lacking:
        return type(lacking).__name__


def history(store: Store) -> list[object]:
    """Return the ledger without what salts make differ."""
    found: list[object] = []
    for entry in ledger(store):
        header = read_header(entry.header)
        found.append((header._replace(payload_hash="", prev=""), read_event(entry)))
    return found


@given(
    before=st.lists(steps, max_size=5),
    between=st.lists(steps, max_size=2),
    scope=scopes,
    kind=st.sampled_from((EXCLUSIVE, LOCAL)),
)
@settings(max_examples=60)
def test_a_claim_without_the_turn_in_postgres_is_the_claim_that_came_after(
    before: list[tuple[Any, ...]],
    between: list[tuple[Any, ...]],
    scope: tuple[str, ...],
    kind: Kind,
) -> None:
    clock, reference_clock, ground = FakeClock(), FakeClock(), PostgresGround()
    try:
        store, reference = (
            begun(ground.create(clock)),
            begun(MemoryGround().create(reference_clock)),
        )
        other = ground.another(store)
        for step in before:
            act(other, clock, step)
            act(reference, reference_clock, step)
        left = list(between)

        def meanwhile() -> None:
            while left:
                act(other, clock, left.pop(0))

        def attempt(tx: Tx) -> int:
            if isinstance(tx, PostgresSlice):
                return _decided_then(tx, scope, meanwhile, kind)
            return decided(tx, scope, kind)

        ahead = ("s-ada", parse_scope(scope))
        with_slice = outcome_of(lambda: store.attempt(attempt, ahead))
        done = len(between) - len(left)
        for step in between[:done]:
            act(reference, reference_clock, step)

        def alone(tx: Tx) -> int:
            return decided(tx, scope, kind)

        assert with_slice == outcome_of(lambda: reference.attempt(alone, None))
        assert history(other) == history(reference)
        assert verify(ledger(other)).problem is None
        assert differences(other) == []
    finally:
        ground.close()

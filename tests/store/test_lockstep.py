"""Memory and a store in SQL through the same histories by the real rules, judged by a checker.

The machine drives both stores with one clock and one row of salts and compares everything that can
be seen of them after every step. The checker judges grants *and* refusals: it works with sets of
paths out of a small universe and its own table of conflicts, and shares no code with the core.
Planted bugs show that it can fail.
"""

from __future__ import annotations

import itertools
import json
import random
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from handrail import errors
from handrail.core.decide import (
    Adopt,
    Attest,
    ChangeRole,
    Claim,
    Command,
    Commit,
    CommitFacts,
    Dirty,
    Edit,
    EndSession,
    Looked,
    NeedsFacts,
    NotCovered,
    Policy,
    Release,
    Renew,
    StartSession,
    View,
    Wait,
    decide,
)
from handrail.core.events import LeaseGranted, LeaseRenewed, PayloadRedacted
from handrail.core.lease import (
    CONFLICTS,
    EXCLUSIVE,
    LOCAL,
    Actor,
    Kind,
    Lease,
    Orphan,
    Session,
    Waiter,
)
from handrail.core.ledger import Entry, read_header, verify
from handrail.core.scope import Overlap, Pattern, overlap, parse_pattern, parse_scope, witness
from handrail.core.state import replay
from handrail.service.health import compare, rebuild
from handrail.store.anchors import Step, plan
from handrail.store.clock import Timeline
from handrail.store.memory import MemoryTx
from handrail.store.port import Reader, Request, Store, Tx
from handrail.store.postgres import PostgresStore
from handrail.store.sql.writer import SqlTables
from handrail.store.sqlite import SqliteStore
from tests.core.scope_bruteforce import means
from tests.store.grounds import FakeClock, MemoryGround, ground_of

SESSIONS: Final = ("s-1", "s-2", "s-3", "s-4")
WORKTREES: Final = (".", "wt-1")
POOL: Final = (
    "**",
    "*.md",
    "**/x.py",
    "src",
    "src/*",
    "src/*.py",
    "src/**/x.py",
    "src/a",
    "src/a/*",
    "src/ab",
    "lib/*/x.py",
    "lib/core/*.py",
    "lib/core",
    "lib/?/y.py",
)
CONTENDED: Final = ("*.md", "lib/core")
NAMES: Final = ("src", "lib", "a", "ab", "core", "b", "x.py", "y.py", "z.py", "q.md", "a.md")
UNIVERSE: Final = tuple(
    "/".join(names) for depth in (1, 2, 3, 4) for names in itertools.product(NAMES, repeat=depth)
)
EDITED: Final = ("src/a/x.py", "src/a", "src/x.py", "lib/core/x.py", "q.md", "b")
TTLS_MS: Final = (1_000, 60_000, 600_000, 600_000)
JUMPS_MS: Final = (-3_600_000, -500, 0, 700, 70_000, 3_600_000)
WAIT_KEPT_MS: Final = 10_000


# ------------------------------------------------------------------------------------- the checker


class Holding(NamedTuple):
    """What the checker knows of a lease, a waiter or a question."""

    session: str
    kind: str
    worktree: str
    paths: frozenset[int]


@cache
def paths_of(pattern: str) -> frozenset[int]:
    """Say which paths of the universe a pattern means."""
    return frozenset(number for number, path in enumerate(UNIVERSE) if means(pattern, path))


def paths_in(scope: Iterable[str]) -> frozenset[int]:
    return frozenset().union(*(paths_of(pattern) for pattern in scope))


def holding(row: Lease | Waiter) -> Holding:
    scope = [pattern.text for pattern in row.patterns]
    return Holding(row.session, row.kind, row.worktree, paths_in(scope))


class Checker:
    """Judges by sets of paths. On contended paths everybody counts as local."""

    def __init__(self, contended: Sequence[str]) -> None:
        self.contended = paths_in(contended) if contended else frozenset[int]()

    def conflict(self, one: Holding, other: Holding) -> bool:
        """Tell whether two sessions may not hold these beside each other."""
        shared = one.paths & other.paths
        if one.session == other.session or not shared:
            return False
        if one.worktree == other.worktree:
            return True
        return "exclusive" in (one.kind, other.kind) and not shared <= self.contended

    def asked(self, claim: Claim) -> Holding:
        paths = paths_in(pattern.text for pattern in claim.patterns)
        kind = "local" if self.contended and paths <= self.contended else claim.kind
        return Holding(claim.session.id, kind, claim.session.worktree, paths)

    def verdict(self, tx: Reader, claim: Claim) -> str:
        """Say what a claim must lead to."""
        asked = self.asked(claim)
        live = [lease for lease in tx.leases() if tx.now < lease.expires_at]
        if any(self.conflict(holding(lease), asked) for lease in live):
            return "scope_held"
        for lease in live:
            strong = lease.kind == "exclusive" or asked.kind == "local"
            # A claim by hand lasts; what an edit claimed by the way ends with its commit.
            enough = strong and (lease.lasting or not claim.lasting)
            if lease.session == asked.session and enough and asked.paths <= holding(lease).paths:
                return "renewed"
        if self.before(tx, asked, claim.ticket):
            return "scope_awaited"
        return "granted"

    def before(self, tx: Reader, asked: Holding, ticket: int | None) -> list[Waiter]:
        """List the live waiters of others whose turn comes first; a lapsed ticket is none."""
        queue = [waiter for waiter in tx.waiters() if tx.now < waiter.until]
        if ticket not in [waiter.ticket for waiter in queue]:
            ticket = None
        return [
            waiter
            for waiter in queue
            if (ticket is None or waiter.ticket < ticket) and self.conflict(holding(waiter), asked)
        ]

    def in_a_circle(self, tx: Reader, claim: Claim) -> bool:
        """Tell whether the claim waits, in the end, for a lease of its own session.

        A claim waits for the holders of its scope and for those who asked before it; a holder, for
        all that its session waits for.
        """
        todo = [(self.asked(claim), claim.ticket)]
        done: set[int | None] = set()
        while todo:
            asked, ticket = todo.pop()
            rivals = self.before(tx, asked, ticket)
            for lease in tx.leases():
                if tx.now < lease.expires_at and self.conflict(holding(lease), asked):
                    if lease.session == claim.session.id:
                        return True
                    rivals += [w for w in tx.waiters() if w.session == lease.session]
            for waiter in rivals:
                if tx.now < waiter.until and waiter.ticket not in done:
                    done.add(waiter.ticket)
                    todo.append((holding(waiter), waiter.ticket))
        return False


def test_the_checkers_universe_is_large_enough_to_judge_every_pair_of_the_pool() -> None:
    for one, other in itertools.product(POOL, repeat=2):
        shared = witness(parse_pattern(one), parse_pattern(other))
        assert (shared is not None) == bool(paths_of(one) & paths_of(other)), (one, other)


# ------------------------------------------------------------------------------------- the machine


class Outcome(NamedTuple):
    """What a step led to in one store."""

    what: str
    detail: Any


Act = Callable[[Tx], Outcome]


class Lockstep(RuleBasedStateMachine):
    """Two stores, one history."""

    KIND = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="handrail-lockstep-")
        self._ground = ground_of(self.KIND, Path(self._folder.name))
        self.clock = FakeClock()
        self.stores: list[Store] = [
            MemoryGround().create(self.clock),
            self._ground.create(self.clock),
        ]
        self.pool: list[str] = []
        self.checker = Checker(())
        self.now: int | None = self.clock.wall_ms
        self.newest_at = self.clock.wall_ms
        self.policy = Policy({}, {})
        self.heads = [self._head()]
        self.requests: list[tuple[str, Claim]] = []

    def teardown(self) -> None:
        self._ground.close()
        self._folder.cleanup()

    def _head(self) -> Any:
        with self.stores[0].read() as reader:
            return reader.head

    def both(self, step: Act) -> Outcome:
        """Take a step in both stores; they must lead to the same."""
        outcomes, written = [], 0
        for store in self.stores:
            with store.transaction() as tx:
                assert tx.now >= self.newest_at
                assert self.now in (None, tx.now)
                self.now = tx.now
                before = tx.head
                outcomes.append(step(tx))
                written = tx.now if tx.head != before else written
        self.newest_at = max(self.newest_at, written)
        assert outcomes[0] == outcomes[1]
        return outcomes[0]

    def apply(self, tx: Tx, command: Command, view: View, actor: Actor) -> Outcome:
        try:
            changes = decide(view, command, tx.now)
        except errors.Refused as refusal:
            return Outcome(refusal.code, refusal.values)
        except NotCovered as refusal:
            return Outcome("not_covered", refusal.missing)
        except NeedsFacts as lack:
            return Outcome("needs facts", lack.patterns)
        entries = tx.commit(changes, actor)
        return Outcome("done", (tuple(changes), entries))

    # ------------------------------------------------------------------------------------- rules

    @initialize(contended=st.sampled_from([(), CONTENDED]))
    def choose_what_is_contended(self, contended: tuple[str, ...]) -> None:
        self.checker = Checker(contended)
        self.policy = Policy({}, {}, contended=tuple(parse_pattern(text) for text in contended))

    @initialize(pool=st.lists(st.sampled_from(POOL), min_size=2, max_size=4, unique=True))
    def begin(self, pool: list[str]) -> None:
        """Few patterns a run, so that they meet often."""
        self.pool = pool
        for name, worktree in zip(SESSIONS, (".", ".", "wt-1"), strict=False):
            self.start(name, worktree)

    @rule(name=st.sampled_from(SESSIONS), worktree=st.sampled_from(WORKTREES))
    def start(self, name: str, worktree: str) -> None:
        def step(tx: Tx) -> Outcome:
            session = Session(name, f"agent-{name}", None, worktree, tx.now, None, "0" * 64)
            command = StartSession(session, tx.session(name))
            return self.apply(tx, command, View(tx.epoch), Actor(name, session.agent, None))

        outcome = self.both(step)
        assert outcome.what in ("done", "session_exists", "role_fixed")

    @rule(
        name=st.sampled_from(SESSIONS),
        picks=st.lists(st.integers(0, 59), min_size=1, max_size=2),
        kind=st.sampled_from((EXCLUSIVE, LOCAL)),
        ttl_ms=st.sampled_from(TTLS_MS),
        request=st.booleans(),
    )
    def claim(self, name: str, picks: list[int], kind: Kind, ttl_ms: int, request: bool) -> None:
        scope = [self.pool[pick % len(self.pool)] for pick in picks]
        request_id = f"r-{len(self.requests)}" if request else None
        self._claim(name, scope, kind, ttl_ms, wait=False, request_id=request_id, queued=False)

    @rule(
        name=st.sampled_from(SESSIONS),
        picks=st.lists(st.integers(0, 59), min_size=1, max_size=2),
        kind=st.sampled_from((EXCLUSIVE, LOCAL)),
    )
    def claim_and_wait(self, name: str, picks: list[int], kind: Kind) -> None:
        scope = [self.pool[pick % len(self.pool)] for pick in picks]
        self._claim(name, scope, kind, 600_000, wait=True, queued=False)

    @precondition(lambda self: self._waiting())
    @rule(which=st.integers(0, 9), after_ms=st.sampled_from((0, 0, 4_999, 5_000, 9_999, 10_000)))
    def claim_again_what_one_waits_for(self, which: int, after_ms: int) -> None:
        self.let_time_pass(after_ms)
        waiting = self._waiting()
        waiter = waiting[which % len(waiting)]
        scope = [pattern.text for pattern in waiter.patterns]
        self._claim(waiter.session, scope, waiter.kind, 5_000, wait=True, queued=True)

    def _waiting(self) -> list[Waiter]:
        with self.stores[0].read() as reader:
            return reader.waiters()

    def _claim(
        self,
        name: str,
        scope: list[str],
        kind: Kind,
        ttl_ms: int,
        *,
        wait: bool,
        queued: bool,
        request_id: str | None = None,
    ) -> None:
        def step(tx: Tx) -> Outcome:
            session = tx.session(name)
            if session is None or not session.live:
                return Outcome("no session", None)
            ticket = None
            if queued:
                ticket = next((w.ticket for w in tx.waiters() if w.session == name), None)
            claim = Claim(session, parse_scope(scope), kind, ttl_ms, None, ticket)
            return self._attempt(tx, claim, wait, request_id)

        self.both(step)

    def _attempt(self, tx: Tx, claim: Claim, wait: bool, request_id: str | None) -> Outcome:
        actor = Actor(claim.session.id, claim.session.agent, None)
        expected = self.checker.verdict(tx, claim)
        view = View(tx.epoch, tx.near(claim.patterns), tx.waiters(), self.policy)
        try:
            changes = decide(view, claim, tx.now)
        except errors.Refused as refusal:
            assert refusal.code == expected, (refusal.code, expected, claim)
            self._check_reason(tx, claim, refusal)
            if not wait:
                return Outcome(refusal.code, refusal.values)
            return self._wait(tx, claim, actor)
        granted = any(isinstance(change, LeaseGranted) for change in changes)
        assert expected == ("granted" if granted else "renewed"), (expected, changes, claim)
        request = None if request_id is None else Request(request_id, repr(claim.patterns))
        entries = tx.commit(changes, actor, request)
        if request is not None and entries:
            assert tx.outcome(request) == entries
            if not self.requests or self.requests[-1][0] != request_id:
                self.requests.append((request.id, claim))
        return Outcome("done", (tuple(changes), entries))

    def _check_reason(self, tx: Tx, claim: Claim, refusal: errors.Refused) -> None:
        """Find what a refusal names: it must be so."""
        shared = str(refusal.values["witness"])
        assert any(means(pattern.text, shared) for pattern in claim.patterns)
        named: Sequence[Lease | Waiter] = tx.leases()
        if refusal.code == "scope_awaited":
            named = self.checker.before(tx, self.checker.asked(claim), claim.ticket)
        assert any(
            row.session == refusal.values["session"]
            and any(means(pattern.text, shared) for pattern in row.patterns)
            and self.checker.conflict(holding(row), self.checker.asked(claim))
            for row in named
        )

    def _wait(self, tx: Tx, claim: Claim, actor: Actor) -> Outcome:
        waiters = tx.waiters()
        scopes = [pattern for waiter in waiters for pattern in waiter.patterns]
        view = View(tx.epoch, tuple(tx.near((*scopes, *claim.patterns))), waiters, self.policy)
        circle = self.checker.in_a_circle(tx, claim)
        outcome = self.apply(tx, Wait(claim), view, actor)
        assert (outcome.what == "would_deadlock") is circle, (outcome, claim)
        if outcome.what == "done":
            mine = [waiter for waiter in tx.waiters() if waiter.session == claim.session.id]
            assert any(tx.now < waiter.until <= tx.now + WAIT_KEPT_MS for waiter in mine)
            assert outcome.detail[1] == (), "waiting is no history"
        return outcome

    @rule(
        name=st.sampled_from(SESSIONS),
        paths=st.lists(st.sampled_from(EDITED), min_size=1, max_size=2, unique=True),
        dirty=st.frozensets(st.sampled_from(EDITED), max_size=3),
        auto=st.sampled_from(("file", "directory")),
        commits=st.booleans(),
    )
    def edit(
        self, name: str, paths: list[str], dirty: frozenset[str], auto: str, commits: bool
    ) -> None:
        """Edit, or commit, with a look at a working tree in which these paths are dirty."""

        def step(tx: Tx) -> Outcome:
            session = tx.session(name)
            if session is None or not session.live:
                return Outcome("no session", None)
            near = parse_scope([*paths, *(path.rpartition("/")[0] or path for path in paths)])
            orphans = tx.orphans(session.worktree, near)
            view = View(
                epoch=tx.epoch,
                leases=tuple(tx.near(near)),
                waiters=tx.waiters(),
                policy=self.policy,
                orphans=orphans,
                landings=tx.landings(0, name, near),
                head=tx.head.seq,
            )
            seen = [pattern for orphan in orphans for pattern in orphan.patterns]
            seen += [pattern for lease in view.leases for pattern in lease.patterns]
            scope = (*near, *parse_scope(paths), *seen)
            rows = tuple(Dirty(path, "b1", "b0", "b0") for path in sorted(dirty))
            edit = Edit(session, tuple(paths), 60_000, auto, Looked(scope, tx.head.seq, rows))
            facts = CommitFacts(f"e{tx.head.seq}", "t", ("p",), tuple(paths), "0" * 64)
            command: Command = edit
            if commits:
                command = Commit(edit, Attest(session, (facts,), left=dirty))
            before = {o.token for o in orphans if o.agent != session.agent}
            own = [p for lease in tx.leases(name) if lease.live(tx.now) for p in lease.patterns]
            outcome = self.apply(tx, command, view, Actor(name, session.agent, None))
            if outcome.what == "done" and not commits:
                held = [lease for lease in tx.leases(name) if tx.now < lease.expires_at]
                for path in paths:
                    assert any(means(p.text, path) for lease in held for p in lease.patterns)
                    # The claims of this machine look nowhere: under what they gave there may lie
                    # what others left. What the edit itself claims has been looked at.
                    if any(means(p.text, path) for p in own):
                        continue
                    left = [o for o in orphans if o.token in before and path in dirty]
                    assert not any(means(p.text, path) for o in left for p in o.patterns)
            return outcome

        self.both(step)

    @rule(name=st.sampled_from(SESSIONS), dirty=st.frozensets(st.sampled_from(EDITED), max_size=3))
    def look_around(self, name: str, dirty: frozenset[str]) -> None:
        """Adopt what one's agent left, and settle the rest."""

        def step(tx: Tx) -> Outcome:
            session = tx.session(name)
            if session is None or not session.live:
                return Outcome("no session", None)
            rows = tuple(Dirty(path, "b1", "b0", "b0") for path in sorted(dirty))
            looked = Looked((), tx.head.seq, rows)
            view = View(
                epoch=tx.epoch,
                leases=tx.leases(),
                policy=self.policy,
                orphans=tx.orphans(session.worktree),
                head=tx.head.seq,
            )
            outcome = self.apply(
                tx, Adopt(session, 60_000, looked), view, Actor(name, session.agent, None)
            )
            for orphan in tx.orphans(session.worktree):
                assert orphan.blobs is not None
                assert {path for path, _ in orphan.blobs} <= dirty
            return outcome

        self.both(step)

    @precondition(lambda self: self._held())
    @rule(
        name=st.sampled_from(SESSIONS),
        whose=st.sampled_from(("own", "own", "any")),
        which=st.integers(0, 9),
        ttl_ms=st.sampled_from(TTLS_MS),
    )
    def renew(self, name: str, whose: str, which: int, ttl_ms: int) -> None:
        def step(tx: Tx) -> Outcome:
            session = tx.session(name)
            leases = tx.leases(name) if whose == "own" else tx.leases()
            if session is None or not leases:
                return Outcome("nothing", None)
            lease = leases[which % len(leases)]
            view = View(tx.epoch, [lease], policy=self.policy)
            actor = Actor(name, session.agent, None)
            outcome = self.apply(tx, Renew(session, lease, ttl_ms), view, actor)
            mine, live = lease.session == name, tx.now < lease.expires_at
            expected = "not_holder" if not mine else "done" if live else "lease_expired"
            assert outcome.what == expected
            after = tx.lease(lease.token)
            assert after is not None
            if outcome.what == "done":
                assert isinstance(outcome.detail[0][0], LeaseRenewed)
                assert after.expires_at == max(lease.expires_at, tx.now + ttl_ms)
            else:
                assert after == lease
            return outcome

        self.both(step)

    @precondition(lambda self: self._held())
    @rule(
        name=st.sampled_from(SESSIONS),
        whose=st.sampled_from(("own", "own", "any")),
        which=st.integers(0, 9),
    )
    def release(self, name: str, whose: str, which: int) -> None:
        def step(tx: Tx) -> Outcome:
            session = tx.session(name)
            leases = tx.leases(name) if whose == "own" else tx.leases()
            if session is None or not leases:
                return Outcome("nothing", None)
            lease = leases[which % len(leases)]
            command = Release(session, (lease,))
            actor = Actor(name, session.agent, None)
            outcome = self.apply(tx, command, View(tx.epoch, [lease]), actor)
            assert outcome.what == ("done" if lease.session == name else "not_holder")
            assert (tx.lease(lease.token) is None) is (lease.session == name)
            return outcome

        self.both(step)

    @rule(
        name=st.sampled_from(SESSIONS),
        dirty=st.none() | st.frozensets(st.sampled_from(EDITED), max_size=3),
    )
    def end(self, name: str, dirty: frozenset[str] | None) -> None:
        def step(tx: Tx) -> Outcome:
            session = tx.session(name)
            if session is None or not session.live:
                return Outcome("no session", None)
            view = View(tx.epoch, tx.leases(name), tx.waiters())
            actor = Actor(name, session.agent, None)
            rows = tuple(Dirty(path, "b1", "b0", "b0") for path in sorted(dirty or ()))
            looked = Looked(dirty=None if dirty is None else rows)
            outcome = self.apply(tx, EndSession(session, "ended", looked), view, actor)
            assert tx.leases(name) == []
            assert [waiter for waiter in tx.waiters() if waiter.session == name] == []
            return outcome

        self.both(step)

    def _change_role(self, name: str, role: str) -> None:
        def step(tx: Tx) -> Outcome:
            session = tx.session(name)
            if session is None:
                return Outcome("no session", None)
            command = ChangeRole(session, role, "why", "terminal")
            return self.apply(tx, command, View(tx.epoch), Actor())

        self.both(step)

    @rule(
        name=st.sampled_from(SESSIONS),
        paths=st.lists(st.sampled_from(UNIVERSE[:150]), min_size=1, max_size=2, unique=True),
        number=st.integers(1, 3),
    )
    def attest(self, name: str, paths: list[str], number: int) -> None:
        def step(tx: Tx) -> Outcome:
            session = tx.session(name)
            if session is None:
                return Outcome("no session", None)
            facts = CommitFacts(f"c{number}", "t", ("p",), tuple(paths), "0" * 64)
            view = View(tx.epoch, tx.leases(name), policy=self.policy)
            actor = Actor(name, session.agent, None)
            outcome = self.apply(tx, Attest(session, (facts,)), view, actor)
            covered = all(
                any(
                    lease.session == name
                    and tx.now < lease.expires_at
                    and any(means(pattern.text, path) for pattern in lease.patterns)
                    for lease in tx.leases()
                )
                for path in paths
            )
            assert outcome.what == ("done" if covered else "not_covered")
            return outcome

        self.both(step)

    @rule(ms=st.sampled_from((1, 400, 1_000, 5_000, 61_000)))
    def let_time_pass(self, ms: int) -> None:
        self.clock.let_pass(ms)
        if self.now is not None:
            self.now += ms

    @precondition(lambda self: self._ends())
    @rule(beyond_ms=st.sampled_from((-1, 0, 0, 1)))
    def let_time_pass_to_the_next_end(self, beyond_ms: int) -> None:
        """Both sides of the boundary, and the boundary."""
        self.let_time_pass(max(min(self._ends()) + beyond_ms, 0))

    def _ends(self) -> list[int]:
        """Say in how many ms leases and places in the queue will end."""
        with self.stores[0].read() as reader:
            ends = [lease.expires_at for lease in reader.leases()]
            ends += [waiter.until for waiter in reader.waiters()]
            return [end - reader.now for end in ends if end > reader.now]

    def _held(self) -> bool:
        with self.stores[0].read() as reader:
            return bool(reader.leases())

    @rule(what=st.integers(0, 5), which=st.integers(0, 99), jump_ms=st.sampled_from(JUMPS_MS))
    def do_what_is_rare(self, what: int, which: int, jump_ms: int) -> None:
        match what:
            case 0:
                self.clock.wall_ms += jump_ms
            case 1:
                self.clock.reboot(wall_ms=self.clock.wall_ms + jump_ms)
                self.now = None  # known again from the next transaction on
            case 2:
                self._open_the_file_again()
            case 3:
                self._redact_a_grant_that_is_history(which)
            case 4:
                self._rebuild_the_tables()
            case 5:
                self._change_role(SESSIONS[which % 4], f"r-{which % 3}")

    def _open_the_file_again(self) -> None:
        """Keep the salts: a new process would have its own, but this is one history."""
        store = self.stores[1]
        again = self._ground.another(store)
        assert isinstance(store, SqliteStore | PostgresStore)
        assert isinstance(again, SqliteStore | PostgresStore)
        again._salt = store._salt
        store.close()
        self.stores[1] = again

    @precondition(lambda self: self.requests)
    @rule(which=st.integers(0, 99))
    def ask_for_an_outcome_again(self, which: int) -> None:
        request_id, claim = self.requests[which % len(self.requests)]

        def step(tx: Tx) -> Outcome:
            entries = tx.outcome(Request(request_id, repr(claim.patterns)))
            assert entries
            kinds = [read_header(entry.header).kind for entry in entries]
            assert kinds.count("lease.granted") == 1
            return Outcome("done", entries)

        self.both(step)

    def _redact_a_grant_that_is_history(self, which: int) -> None:
        def step(tx: Tx) -> Outcome:
            past = [
                entry.seq
                for entry in tx.entries()
                if read_header(entry.header).kind == "lease.granted"
                and entry.payload is not None
                and tx.lease(entry.seq) is None
                and tx.landing(entry.seq) is None
                and all(orphan.token != entry.seq for orphan in tx.orphans())
            ]
            if not past:
                return Outcome("nothing", None)
            seq = past[which % len(past)]
            tx.redact(seq)
            return Outcome("done", tx.commit([PayloadRedacted(seq, "why")], Actor()))

        self.both(step)

    def _rebuild_the_tables(self) -> None:
        memory, other = (rebuild(store) for store in self.stores)
        assert memory == other
        assert memory.mended == ()
        with self.stores[0].read() as reader:
            self.now = reader.now

    # -------------------------------------------------------------------------------- invariants

    @invariant()
    def both_stores_show_the_same(self) -> None:
        with self.stores[0].read() as memory, self.stores[1].read() as other:
            assert memory.now == other.now
            assert self.now in (None, memory.now)
            assert memory.head == other.head
            assert list(memory.entries()) == list(other.entries())
            assert memory.leases() == other.leases()
            assert memory.waiters() == other.waiters()
            assert memory.sessions(ended=True) == other.sessions(ended=True)
            assert memory.attestations() == other.attestations()
            assert memory.guard_rows() == other.guard_rows()
            assert memory.index_rows() == other.index_rows()
            assert memory.orphans() == other.orphans()
            assert memory.landings() == other.landings()
            assert memory.processes() == other.processes()
            assert memory.notices(told=True) == other.notices(told=True)
            assert memory.notices() == other.notices()
            for text in POOL:
                pattern = (parse_pattern(text),)
                assert list(memory.near(pattern)) == list(other.near(pattern))
                for worktree in WORKTREES:
                    left = [reader.orphans(worktree, pattern) for reader in (memory, other)]
                    assert left[0] == left[1]
                landed = [r.landings(0, "s-1", pattern) for r in (memory, other)]
                assert landed[0] == landed[1]
            for path in ("src/a/x.py", "q.md", "lib/core/x.py"):
                for name, worktree in itertools.product(SESSIONS, WORKTREES):
                    answers = [r.may_write(worktree, name, path) for r in (memory, other)]
                    assert answers[0] == answers[1]

    @invariant()
    def no_two_sessions_hold_what_conflicts(self) -> None:
        """P1, by the checker alone."""
        with self.stores[1].read() as reader:
            live = [holding(x) for x in reader.leases() if reader.now < x.expires_at]
        for one, other in itertools.combinations(live, 2):
            assert not self.checker.conflict(one, other), (one[:3], other[:3])

    @invariant()
    def near_misses_nothing(self) -> None:
        with self.stores[1].read() as reader:
            leases = reader.leases()
            for text in POOL:
                found = {lease.token for lease in reader.near((parse_pattern(text),))}
                for lease in leases:
                    if holding(lease).paths & paths_of(text):
                        assert lease.token in found

    @invariant()
    def the_index_holds_the_leases_and_nothing_else(self) -> None:
        with self.stores[1].read() as reader:
            rows = reader.index_rows()
            wanted = {(p.anchor, lease.token) for lease in reader.leases() for p in lease.patterns}
        assert len(rows) == len(wanted)
        assert set(rows) == wanted

    @invariant()
    def the_ledger_verifies_and_adds_up_to_the_tables(self) -> None:
        with self.stores[1].read() as reader:
            entries = list(reader.entries())
            report = verify(entries, [head for head in self.heads if head.seq > 0])
            assert report.problem is None
            assert report.head == reader.head
            assert compare(reader, replay(entries)) == []
            if self.heads[-1] != reader.head:
                self.heads.append(reader.head)


class PostgresLockstep(Lockstep):
    """Memory beside PostgreSQL: fewer steps, for each asks a server a hundred questions."""

    KIND = "postgres"


MACHINES: Final = {"sqlite": Lockstep, "postgres": PostgresLockstep}
EXAMPLES: Final = {
    "sqlite": settings().max_examples * 2 // 5,
    "postgres": max(settings().max_examples // 25, 2),
}
STEPS: Final = {"sqlite": 40, "postgres": 12}


def run(kind: str, **changes: Any) -> None:
    run_state_machine_as_test(
        MACHINES[kind],
        settings=settings(stateful_step_count=STEPS[kind], report_multiple_bugs=False, **changes),
    )


@pytest.mark.parametrize("kind", MACHINES)
def test_memory_and_it_go_in_lockstep_and_the_checker_finds_nothing(kind: str) -> None:
    run(kind, max_examples=EXAMPLES[kind])


# -------------------------------------------------------------------- bugs that it must not let by


def _live_too_long(lease: Lease, now: int) -> bool:
    return now <= lease.expires_at


def _only_the_root_itself(patterns: Sequence[Pattern]) -> list[Step]:
    return [Step((pattern.anchor,), pattern.anchor) for pattern in patterns]


def _no_range_below(patterns: Sequence[Pattern]) -> list[Step]:
    return [step._replace(below=step.below + "/-") for step in plan(patterns)]


def _literal_only(left: Sequence[Pattern], right: Sequence[Pattern]) -> Overlap | None:
    return overlap(
        [pattern for pattern in left if pattern.is_literal or pattern.text == "**"],
        [pattern for pattern in right if pattern.is_literal or pattern.text == "**"],
    )


def _by_prefix(left: Sequence[Pattern], right: Sequence[Pattern]) -> Overlap | None:
    for one, other in itertools.product(left, right):
        if one.anchor == other.anchor:
            return Overlap(one, other, one.anchor or "x.py")
    return overlap(left, right)


def _shortening(lease: Lease, ttl_ms: int, now: int) -> int:
    return now + ttl_ms


def _not_for_the_guard(tables: SqlTables, token: int, expires_at: int) -> None:
    tables._run("UPDATE lease SET expires_at = ? WHERE token = ?", (expires_at, token))


def _left_for_the_guard(tables: SqlTables, token: int) -> bool:
    tables._run("DELETE FROM lease WHERE token = ?", (token,))
    return True


def _without_anchors(tables: SqlTables, orphan: Orphan) -> None:
    blobs = None if orphan.blobs is None else json.dumps(orphan.blobs)
    row = (*orphan[:6], "\n".join(orphan.scope), blobs, *orphan[8:])
    tables._run("INSERT INTO orphan VALUES (?,?,?,?,?,?,?,?,?,?)", row)


def _never_kept(tables: SqlTables, ticket: int, until: int) -> None:
    pass


def _one_too_many(tx: MemoryTx, request: Request) -> tuple[Entry, ...] | None:
    found = tx.data.requests.get(request.id)
    return None if found is None else tuple(tx.entries(found[1] - 2, found[2]))


def _by_the_wall(timeline: Timeline, reading: tuple[str, int, int], last: int) -> int:
    return max(reading[2], last)


def _anything(*args: object) -> None:
    pass


def _patch_both_plans(patch: pytest.MonkeyPatch) -> None:
    for where in ("memory", "sql.reader"):
        patch.setattr(f"handrail.store.{where}.plan", _only_the_root_itself)


CORE: Final = "handrail.core"
BUGS: Final[dict[str, Callable[[pytest.MonkeyPatch], None]]] = {
    "two sessions write one working tree": lambda patch: patch.setitem(
        CONFLICTS, (LOCAL, LOCAL, True), "grant_and_tell"
    ),
    "local claims pass an exclusive lease elsewhere": lambda patch: patch.setitem(
        CONFLICTS, (EXCLUSIVE, LOCAL, False), "grant_and_tell"
    ),
    "a lease binds at the moment it ends": lambda patch: patch.setattr(
        Lease, "live", _live_too_long
    ),
    "nobody waits for his turn": lambda patch: patch.setattr(
        f"{CORE}.decide.claim._check_turn", _anything
    ),
    "circles are not seen": lambda patch: patch.setattr(
        f"{CORE}.decide.wait._check_deadlock", _anything
    ),
    "anybody releases anything": lambda patch: patch.setattr(
        f"{CORE}.decide.holding._check_holder", _anything
    ),
    "globs never meet": lambda patch: patch.setattr(f"{CORE}.lease.overlap", _literal_only),
    "one prefix is one scope": lambda patch: patch.setattr(f"{CORE}.lease.overlap", _by_prefix),
    "a renewal shortens": lambda patch: patch.setattr(
        f"{CORE}.decide.holding.renewed_expiry", _shortening
    ),
    "near forgets what lies above, in both": _patch_both_plans,
    "near forgets what lies below, in SQL": lambda patch: patch.setattr(
        "handrail.store.sql.reader.plan", _no_range_below
    ),
    "a renewal does not reach the guard": lambda patch: patch.setattr(
        SqlTables, "move_expiry", _not_for_the_guard
    ),
    "the guard keeps what was released": lambda patch: patch.setattr(
        SqlTables, "drop_lease", _left_for_the_guard
    ),
    "a place in the queue is not kept": lambda patch: patch.setattr(
        SqlTables, "keep_waiter", _never_kept
    ),
    "an outcome begins one entry early": lambda patch: patch.setattr(
        MemoryTx, "outcome", _one_too_many
    ),
    "what is left is found nowhere": lambda patch: patch.setattr(
        SqlTables, "put_orphan", _without_anchors
    ),
    "unfinished work is written over": lambda patch: patch.setattr(
        f"{CORE}.decide.dirt._check", _anything
    ),
    "what landed is not remembered": lambda patch: patch.setattr(
        SqlTables, "keep_landing", _anything
    ),
    "the guard does not hear when to renew": lambda patch: patch.setattr(
        "handrail.store.sql.writer.renew_at", lambda lease: lease.expires_at
    ),
    "time is the wall clock's": lambda patch: patch.setattr(Timeline, "now", _by_the_wall),
}


def drive(seeds: Iterable[int], steps: int = 100, kind: str = "sqlite") -> None:
    """Take random steps and check every invariant after each: quick, but nothing is shrunk.

    What fails can be had again: the seed is in the message.
    """
    for seed in seeds:
        chance, machine = random.Random(seed), MACHINES[kind]()
        try:
            machine.choose_what_is_contended(chance.choice([(), CONTENDED]))
            machine.begin(chance.sample(POOL, chance.randint(2, 4)))
            for _ in range(steps):
                _step(machine, chance)
                machine.both_stores_show_the_same()
                machine.no_two_sessions_hold_what_conflicts()
                machine.near_misses_nothing()
                machine.the_index_holds_the_leases_and_nothing_else()
                machine.the_ledger_verifies_and_adds_up_to_the_tables()
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
        finally:
            machine.teardown()


def _step(machine: Lockstep, chance: random.Random) -> None:
    name, number = chance.choice(SESSIONS), chance.randrange(60)
    picks = [chance.randrange(60) for _ in range(chance.randint(1, 2))]
    kind: Kind = chance.choice((EXCLUSIVE, LOCAL))
    ttl_ms, whose = chance.choice(TTLS_MS), chance.choice(("own", "own", "any"))
    edited, auto = chance.sample(EDITED, chance.randint(1, 2)), chance.choice(("file", "directory"))
    dirty = frozenset(chance.sample(EDITED, chance.randint(0, 3)))
    steps: list[tuple[int, bool, Callable[[], None]]] = [
        (8, True, lambda: machine.claim(name, picks, kind, ttl_ms, request=number % 2 == 0)),
        (6, True, lambda: machine.claim_and_wait(name, picks, kind)),
        (
            5,
            bool(machine._waiting()),
            lambda: machine.claim_again_what_one_waits_for(
                number, chance.choice((0, 0, 4_999, 5_000, 9_999, 10_000))
            ),
        ),
        (4, machine._held(), lambda: machine.renew(name, whose, number, ttl_ms)),
        (3, machine._held(), lambda: machine.release(name, whose, number)),
        (1, True, lambda: machine.end(name, chance.choice((None, dirty, frozenset())))),
        (5, True, lambda: machine.edit(name, edited, dirty, auto, number % 3 == 0)),
        (1, True, lambda: machine.look_around(name, dirty)),
        (3, True, lambda: machine.start(name, chance.choice(WORKTREES))),
        (2, True, lambda: machine.attest(name, [chance.choice(UNIVERSE[:150])], 1 + number % 3)),
        (3, True, lambda: machine.let_time_pass(chance.choice((1, 400, 1_000, 5_000)))),
        (2, bool(machine._ends()), lambda: machine.let_time_pass_to_the_next_end(number % 3 - 1)),
        (2, True, lambda: machine.do_what_is_rare(number % 6, number, chance.choice(JUMPS_MS))),
        (2, bool(machine.requests), lambda: machine.ask_for_an_outcome_again(number)),
    ]
    can = [(weight, act) for weight, possible, act in steps if possible]
    chance.choices([act for _, act in can], [weight for weight, _ in can])[0]()


@pytest.mark.parametrize(("kind", "seeds", "steps"), [("sqlite", 4, 100), ("postgres", 1, 30)])
def test_where_no_bug_was_planted_none_is_found(kind: str, seeds: int, steps: int) -> None:
    drive(range(seeds), steps, kind)


@pytest.mark.nightly
@pytest.mark.parametrize(("kind", "seeds"), [("sqlite", 1_000), ("postgres", 100)])
def test_where_no_bug_was_planted_none_is_found_in_a_whole_night(kind: str, seeds: int) -> None:
    drive(range(seeds), steps=200, kind=kind)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BUGS[bug](monkeypatch)
    with pytest.raises((AssertionError, KeyError, IndexError)):
        drive(range(30))


@pytest.mark.sampled(6)
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught_in_postgres(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BUGS[bug](monkeypatch)
    with pytest.raises((AssertionError, KeyError, IndexError)):
        drive(range(30), kind="postgres")

"""A workspace full of agents, simulated from a seed: what is granted and refused is judged.

Agents in several working trees claim, wait, renew, release, commit, oversleep, crash and come back,
over the memory store, while its clock jumps and the machine reboots. ``simulation_checker`` judges
every answer and, after every step, every row. Then the judge is judged: each of a table of planted
bugs must be found.

Every run prints its seed; ``SIMULATION_SEED=… make test ARGS=tests/core/test_simulation.py`` takes
that one again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import pytest

from handrail import errors
from handrail.core import decide as rules
from handrail.core import lease as leases
from handrail.core.decide import (
    Attest,
    Changes,
    Claim,
    Command,
    CommitFacts,
    EndSession,
    NotCovered,
    Past,
    Release,
    Renew,
    StartSession,
    View,
    Wait,
    claim,
    dead_token,
    decide,
    holding,
    wait,
)
from handrail.core.events import (
    CommitAttested,
    Event,
    LeaseExpired,
    LeaseGranted,
    LeaseReleased,
    LeaseRenewed,
    SessionEnded,
    WaitEnded,
)
from handrail.core.lease import Actor, Kind, Lease, Session
from handrail.core.ledger import Head, read_event, verify
from handrail.core.role import READ_ONLY
from handrail.core.scope import Overlap, stored_pattern
from handrail.core.state import replay
from handrail.store.clock import Timeline
from handrail.store.memory import MemoryReader, MemoryStore, MemoryTx
from tests.core.makers import a_policy, a_role, patterns
from tests.core.simulation_checker import HOUR, PATHS, SECOND, WAIT_MS, Asked, Checker, Violation

SEED: Final = os.environ.get("SIMULATION_SEED")

SCOPES: Final = (
    *("a/a", "a/b", "a/c.md", "b/ab", "b/c.md", "ab/b", "zz/a", "a/zz", "b/b", "c.md"),
    *("a", "b", "zz", "a/*", "a/a*", "a*/b", "*/b", "*.md", "b/*.md", "a/*.md"),
    *("*", "*/a*", "**/b", "**/*.md", "a/**/b", "b/**", "**"),
)
WEIGHTS: Final = (*[6] * 10, *[2] * 10, *[1] * 7)
LANES: Final = {"any": ("**",), "left": ("a", "*.md"), "reader": ("b/**", "zz")}
CONTENDED: Final = ("c.md", "b/*.md")
EXEMPT: Final = ("ab/**",)
TREES: Final = ("tree-1", "tree-2", "tree-3")
POLICY: Final = a_policy(
    a_role("any", *LANES["any"]),
    a_role("left", *LANES["left"]),
    a_role("reader", "a", sandbox=READ_ONLY, may_write=LANES["reader"]),
    contended=CONTENDED,
    exempt=EXEMPT,
)
AGENTS: Final = 9
START_MS: Final = 1_767_225_600_000
FAULTS: Final = ("crash", "reboot", "wall clock")
TTLS: Final = (SECOND, 20 * SECOND, 60 * SECOND, 90 * SECOND, HOUR, 24 * HOUR)


class SimulatedClock:
    """A machine's clocks, and its reboots."""

    def __init__(self) -> None:
        self.boot, self.since_boot, self.wall = 1, 5 * SECOND, START_MS

    def read(self) -> tuple[str, int, int]:
        return f"boot-{self.boot}", self.since_boot, self.wall

    def pass_ms(self, ms: int) -> None:
        self.since_boot += ms
        self.wall += ms

    def reboot(self, wall: int) -> None:
        self.boot, self.since_boot, self.wall = self.boot + 1, 0, wall


class Agent:
    """One agent: its session, the tokens it remembers, dead ones too, and what it waits for."""

    def __init__(self, number: int) -> None:
        self.id = f"s{number}"
        self.tree = TREES[number % len(TREES)]
        self.role = "left" if number == 7 else "reader" if number == 8 else "any"
        self.live = False
        self.tokens: list[int] = []
        self.waits: Asked | None = None


class World:
    """The store, its clock, the agents, and the judge who sees every answer."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = SimulatedClock()
        self.store = MemoryStore(
            self.clock,
            lambda: f"{self.random.getrandbits(64):016x}",
            workspace="simulated",
            epoch="sim",
        )
        self.checker = Checker(LANES, ["reader"], CONTENDED, EXEMPT)
        self.agents = [Agent(number) for number in range(AGENTS)]
        self.tokens: list[int] = []
        self.commits = 0
        self.steps = 0
        self.anchor: tuple[int, int, int] | None = None  # boot, its clock, store time
        self.remembered = 0  # the last store time that outlives a reboot
        self.faults = {fault for fault in FAULTS if self.random.random() < 0.75}

    # --- time ------------------------------------------------------------------------------------

    def let_time_pass(self) -> None:
        """Let a moment pass, or jump right beside an instant at which something changes."""
        chance = self.random.random()
        if chance < 0.01 and "reboot" in self.faults:
            self.clock.reboot(self.clock.wall + self.random.randint(-2 * HOUR, 2 * HOUR))
            # What was only read, and led to nothing, a store cannot remember over a reboot.
            self.checker.now = self.remembered
        elif chance < 0.02 and "wall clock" in self.faults:
            self.clock.wall += self.random.randint(-HOUR, HOUR)
        elif chance < 0.10:
            instants = [held.expires for held in self.checker.open()]
            instants += [queued.until for queued in self.checker.queue.values()]
            now = self.checker.now
            ahead = sorted(at - now + d for at in instants for d in (-1, 0, 1) if at + d > now)
            if ahead:
                self.clock.pass_ms(ahead[self.random.randrange(min(6, len(ahead)))])
        elif chance < 0.104:
            self.clock.pass_ms(self.random.randint(0, 30 * HOUR))
        else:
            self.clock.pass_ms(self.random.choice([0, 1, 40, 400, 2 * SECOND]))

    def now_is(self, now: int, *, reading: bool = False) -> None:
        """Judge store time; since the first transaction of a boot it follows the boot clock."""
        self.checker.judge_time(now)
        if self.anchor is not None and self.anchor[0] == self.clock.boot:
            _, since_boot, at = self.anchor
            exact = at + self.clock.since_boot - since_boot
            self.checker.demand(now == exact, f"store time is {now}, the boot clock says {exact}")
        elif not reading:
            self.anchor = (self.clock.boot, self.clock.since_boot, now)
            self.remembered = now

    # --- doing -----------------------------------------------------------------------------------

    def session(self, agent: Agent) -> Session:
        return Session(agent.id, f"agent-{agent.id}", agent.role, agent.tree, 0, None, "0" * 64)

    def commit(self, tx: MemoryTx, changes: Changes, agent: Agent) -> list[tuple[int, Event]]:
        """Commit, and give the entries as events; sometimes the process dies just before."""
        if self.random.random() < 0.02 and "crash" in self.faults:
            raise Crash
        session = self.session(agent)
        entries = tx.commit(changes, Actor(session.id, session.agent, session.role))
        if changes:
            self.remembered = tx.now
        return [(entry.seq, event) for entry in entries if (event := read_event(entry))]

    def decided(self, view: View, command: Command, now: int) -> Changes | errors.HandrailError:
        """Decide; give changes or the refusal. Any other failure breaks a promise by itself."""
        try:
            return decide(view, command, now)
        except errors.HandrailError as refusal:
            return refusal

    def claim(self, agent: Agent, asked: Asked, *, patient: bool) -> None:
        """Claim; if that is refused and the agent is patient, wait."""
        command = Claim(
            session=self.session(agent),
            patterns=patterns(*asked.scope),
            kind=KINDS[asked.kind],
            ttl_ms=asked.ttl,
            ticket=asked.ticket,
        )
        with self.store.transaction() as tx:
            self.now_is(tx.now)
            view = View(tx.epoch, tx.near(command.patterns), tx.waiters(), POLICY)
            outcome = self.decided(view, command, tx.now)
            if isinstance(outcome, errors.HandrailError):
                self.checker.judge_claim(asked, self.refusal(outcome))
                agent.waits = None
                if patient and outcome.code in ("scope_held", "scope_awaited"):
                    agent.waits = self.wait(tx, agent, asked, command)
                elif asked.ticket is not None:
                    self.commit(tx, [WaitEnded(asked.ticket)], agent)
                    self.checker.leave_queue(asked.ticket)
                return
            answer = granted(outcome, self.commit(tx, outcome, agent))
            self.checker.judge_claim(asked, answer)
        agent.waits = None
        if answer["code"] == "granted":
            agent.tokens.append(answer["token"])
            self.tokens.append(answer["token"])

    def wait(self, tx: MemoryTx, agent: Agent, asked: Asked, command: Claim) -> Asked | None:
        waiters = tx.waiters()
        scopes = [pattern for waiter in waiters for pattern in waiter.patterns]
        near = tuple(tx.near((*scopes, *command.patterns)))
        moves = self.decided(View(tx.epoch, near, waiters, POLICY), Wait(command), tx.now)
        if isinstance(moves, errors.HandrailError):
            self.checker.judge_wait(asked, self.refusal(moves))
            if asked.ticket is not None:
                self.commit(tx, [WaitEnded(asked.ticket)], agent)
                self.checker.leave_queue(asked.ticket)
            return None
        self.commit(tx, moves, agent)
        self.checker.judge_wait(asked, {"code": "waiting"})
        mine = [waiter.ticket for waiter in tx.waiters() if waiter.session == agent.id]
        return Asked(**{**vars(asked), "ticket": max(mine)})

    def refusal(self, error: errors.HandrailError) -> dict[str, Any]:
        answer: dict[str, Any] = {**error.values, "code": error.code}
        if error.code == "scope_held":
            answer["token"] = int(str(answer["token"]).partition(":")[2])
            answer["expires"] = answer["expires_at"]
        return answer

    def give_up(self, agent: Agent) -> None:
        if agent.waits is None or agent.waits.ticket is None:
            return
        ticket, agent.waits = agent.waits.ticket, None
        with self.store.transaction() as tx:
            self.now_is(tx.now)
            self.commit(tx, [WaitEnded(ticket)], agent)
            self.checker.leave_queue(ticket)

    def use(self, agent: Agent, token: int, make: Callable[[Session, Lease], Command]) -> Any:
        """Renew or release under a token, as the service does; gives changes or the refusal."""
        with self.store.transaction() as tx:
            self.now_is(tx.now)
            lease = tx.lease(token)
            if lease is None:
                past, later = history(tx, token)
                return dead_token(tx.epoch, self.session(agent), past, later, POLICY.contended)
            outcome = self.decided(View(tx.epoch), make(self.session(agent), lease), tx.now)
            if not isinstance(outcome, errors.HandrailError):
                self.commit(tx, outcome, agent)
            return outcome

    def renew(self, agent: Agent, token: int, ttl: int) -> None:
        outcome = self.use(agent, token, lambda session, lease: Renew(session, lease, ttl))
        answer = {"code": getattr(outcome, "code", "renewed")}
        for change in outcome if isinstance(outcome, list) else ():
            if isinstance(change, LeaseRenewed):
                answer["expires"] = change.expires_at
        self.checker.judge_renew(agent.id, token, ttl, answer)

    def release(self, agent: Agent, token: int) -> None:
        outcome = self.use(agent, token, lambda session, lease: Release(session, (lease,)))
        code = getattr(outcome, "code", "")
        for change in outcome if isinstance(outcome, list) else ():
            code = "released" if isinstance(change, LeaseReleased) else "expired"
        self.checker.judge_release(agent.id, token, {"code": code})

    def attest(self, agent: Agent, paths: list[str]) -> None:
        self.commits += 1
        facts = CommitFacts(f"c{self.commits}", "t", ("p",), tuple(paths), "h")
        with self.store.transaction() as tx:
            self.now_is(tx.now)
            # All leases, not just the session's: the rule itself must tell them apart.
            view = View(tx.epoch, tx.leases(), policy=POLICY)
            try:
                changes = decide(view, Attest(self.session(agent), (facts,)), tx.now)
            except NotCovered as gaps:
                missing = [gap.path for gap in gaps.missing]
                answer: dict[str, Any] = {"code": "not_covered", "missing": missing}
            else:
                (done,) = changes
                assert isinstance(done, CommitAttested)
                answer = {"code": "attested", "cover": done.cover}
                self.commit(tx, changes, agent)
            self.checker.judge_attest(agent.id, paths, answer)

    def start(self, agent: Agent) -> None:
        agent.tree = self.random.choice(TREES)
        with self.store.transaction() as tx:
            self.now_is(tx.now)
            command = StartSession(self.session(agent), tx.session(agent.id))
            self.commit(tx, decide(View(tx.epoch), command, tx.now), agent)
        agent.live = True
        self.checker.enter_start(agent.id, agent.tree, agent.role)

    def end(self, agent: Agent) -> None:
        with self.store.transaction() as tx:
            self.now_is(tx.now)
            view = View(tx.epoch, tx.leases(agent.id), tx.waiters())
            changes = decide(view, EndSession(self.session(agent), "ended"), tx.now)
            self.commit(tx, changes, agent)
            ended = {
                change.token: "released" if isinstance(change, LeaseReleased) else "expired"
                for change in changes
                if isinstance(change, LeaseReleased | LeaseExpired)
            }
            self.checker.judge_end(agent.id, ended)
        agent.live, agent.waits = False, None

    # --- one step --------------------------------------------------------------------------------

    def step(self) -> None:
        """Let one agent do one thing."""
        self.steps += 1
        self.let_time_pass()
        agent = self.random.choice(self.agents)
        with suppress(Crash):
            if not agent.live:
                self.start(agent)
            elif agent.waits is not None and self.random.random() < 0.7:
                self.claim(agent, agent.waits, patient=self.random.random() < 0.95)
            else:
                self.act(agent)
        self.look(agent)

    def act(self, agent: Agent) -> None:
        chance = self.random.random()
        # Mostly what is live, then what one remembers, and now and then anybody's.
        live = [held.token for held in self.checker.live(agent.id)]
        remembered = [live or agent.tokens[-3:], agent.tokens[-3:], self.tokens[-20:]]
        (known,) = self.random.choices(remembered, [6, 3, 1])
        if chance < 0.48:
            # An agent that waits can do other things beside, but waits for one thing only.
            patient = agent.waits is None and self.random.random() < 0.6
            waits, agent.waits = agent.waits, None
            try:
                self.claim(agent, self.something(agent), patient=patient)
            finally:
                agent.waits = waits if waits is not None else agent.waits
        elif chance < 0.60 and known:
            self.renew(agent, self.random.choice(known), self.random.choice(TTLS))
        elif chance < 0.76 and known:
            self.release(agent, self.random.choice(known))
        elif chance < 0.92:
            self.attest(agent, self.some_paths(agent))
        elif chance < 0.95:
            self.give_up(agent)
        elif chance < 0.98:
            self.end(agent)
        elif chance < 0.985 and live:
            self.grow_old(agent, self.random.choice(live))

    def grow_old(self, agent: Agent, token: int) -> None:
        """Keep a lease for days."""
        for _ in range(6):
            self.renew(agent, token, 24 * HOUR)
            self.clock.pass_ms(self.random.randint(14 * HOUR, 23 * HOUR))

    def something(self, agent: Agent) -> Asked:
        scope = list(
            dict.fromkeys(self.random.choices(SCOPES, WEIGHTS, k=self.random.choice([1, 1, 2])))
        )
        held = [h.scope for h in self.checker.open() if h.session == agent.id]
        if held and self.random.random() < 0.2:
            scope = list(self.random.choice(held))
        ttl = self.random.choice(TTLS) if self.random.random() < 0.98 else 24 * HOUR + 1
        kind = self.random.choice(["exclusive", "exclusive", "local"])
        return Asked(agent.id, agent.tree, agent.role, tuple(scope), kind, ttl)

    def some_paths(self, agent: Agent) -> list[str]:
        known = self.checker.live(agent.id) if self.random.random() < 0.7 else []
        known = known or [self.checker.held[token] for token in agent.tokens[-4:]]
        inside = [PATHS[bit] for held in known for bit in bits(held.mask, 12)]
        pool = inside if inside and self.random.random() < 0.9 else PATHS[:300]
        return list(dict.fromkeys(self.random.choices(pool, k=self.random.randint(1, 3))))

    def look(self, agent: Agent) -> None:
        """Compare every row with the books, and ask the guard's question."""
        with self.store.read() as reader:
            self.now_is(reader.now, reading=True)
            self.checker.judge_tables(
                {
                    lease.token: (
                        *(lease.session, lease.kind, lease.worktree, lease.scope),
                        *(lease.granted_at, lease.expires_at),
                    )
                    for lease in reader.leases()
                },
                {w.ticket: (w.session, w.kind, w.worktree, w.until) for w in reader.waiters()},
                {s.id: (s.worktree, s.role, s.live) for s in reader.sessions(ended=True)},
            )
            path = self.random.choice(self.some_paths(agent))
            tree = agent.tree if self.random.random() < 0.8 else self.random.choice(TREES)
            answer = reader.may_write(tree, agent.id, path)
            self.checker.judge_may_write(agent.id, tree, path, answer)

    # --- the end ---------------------------------------------------------------------------------

    def settle(self) -> None:
        """See that without faults everybody who waits is served in the end."""
        self.faults = set()
        # The place of a claim whose process died lapses first; then each round serves one at least.
        for _ in range(WAIT_MS // SECOND + AGENTS + 1):
            queue = [agent for agent in self.agents if agent.waits is not None]
            for agent in self.agents:
                if agent.live and agent.waits is None:
                    for held in self.checker.live(agent.id):
                        self.release(agent, held.token)
            for agent in queue:
                assert agent.waits is not None
                self.claim(agent, agent.waits, patient=True)
            self.clock.pass_ms(SECOND)
        stuck = {agent.id: agent.waits for agent in self.agents if agent.waits is not None}
        self.checker.demand(not stuck, f"{stuck} wait for ever")

    def audit(self) -> None:
        """See that the ledger verifies, and adds up to the tables but for renewals."""
        with self.store.read() as reader:
            entries = list(reader.entries())
            report = verify(entries, [Head(*reader.head)])
            self.checker.demand(report.problem is None, f"the ledger is broken: {report.problem}")
            state = replay(entries)
            rows = {lease.token: lease for lease in reader.leases()}
            self.checker.demand(state.leases.keys() == rows.keys(), "leases are not replayed")
            for token, lease in state.leases.items():
                same = rows[token]._replace(expires_at=lease.expires_at) == lease
                self.checker.demand(same, f"{lease} is not replayed")
            sessions = {session.id: session for session in reader.sessions(ended=True)}
            self.checker.demand(state.sessions == sessions, "sessions are not replayed")
            same = state.attestations == reader.attestations()
            self.checker.demand(same, "attestations are not replayed")


KINDS: Final[dict[str, Kind]] = {"exclusive": "exclusive", "local": "local"}


class Crash(Exception):
    """The process died before its transaction was through."""


def granted(changes: Changes, entries: list[tuple[int, Event]]) -> dict[str, Any]:
    """Give what a claim led to in plain values."""
    answer: dict[str, Any] = {"code": "nothing", "expired": []}
    for change in changes:
        if isinstance(change, LeaseRenewed):
            answer.update(code="renewed", token=change.token, expires=change.expires_at)
        if isinstance(change, LeaseExpired):
            answer["expired"].append(change.token)
    for seq, event in entries:
        if isinstance(event, LeaseGranted):
            answer.update(code="granted", token=seq, expires=event.expires_at, kind=event.kind)
            answer.update(role=event.role, beside=event.beside)
    return answer


def history(reader: MemoryReader, token: int) -> tuple[Past, list[tuple[int, LeaseGranted]]]:
    """Find a grant in the ledger, how it ended, and all grants after it."""
    past: Past | None = None
    later: list[tuple[int, LeaseGranted]] = []
    for entry in reader.entries(token - 1):
        event = read_event(entry)
        if isinstance(event, LeaseGranted):
            if past is None:
                past = Past(token, event, None)
            else:
                later.append((entry.seq, event))
        elif isinstance(event, LeaseReleased | LeaseExpired) and event.token == token:
            assert past is not None
            past = past._replace(ended=event)
    assert past is not None
    return past, later


def bits(number: int, most: int) -> Iterator[int]:
    """Yield the places of the lowest bits."""
    while number and most:
        low = number & -number
        yield low.bit_length() - 1
        number, most = number ^ low, most - 1


def simulate(seed: int, steps: int) -> Checker:
    """Run a world, judged all the way; a violation names the seed and the step."""
    print(f"seed {seed}")
    world = World(seed)
    try:
        for _ in range(steps):
            world.step()
        world.settle()
        world.audit()
    except Violation as violation:
        raise Violation(f"seed {seed}, step {world.steps}: {violation}") from violation
    return world.checker


# --- the simulation ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_a_workspace_keeps_its_promises_from_a_known_seed(seed: int) -> None:
    judged = simulate(seed, 1_500).judged
    # A run in which these never happened would prove little.
    for what in (
        *("granted", "renewed", "scope_held", "scope_awaited", "waiting", "outside_lane"),
        *("sandbox_read_only", "malformed_ttl", "attested", "not_covered", "end"),
        *("renew: live", "renew: lease_expired", "renew: stale_token", "renew: not_holder"),
        *("release: live", "release: lease_expired", "release: stale_token"),
        *("may write: True", "may write: False"),
    ):
        assert judged.get(what, 0) >= 3, (what, judged)


def test_a_workspace_keeps_its_promises_from_a_new_seed() -> None:
    simulate(int(SEED) if SEED else random.SystemRandom().getrandbits(32), 2_000)


@pytest.mark.nightly
@pytest.mark.parametrize("run", range(40))
def test_a_workspace_keeps_its_promises_for_long(run: int) -> None:
    simulate(random.SystemRandom().getrandbits(32) + run, 6_000)


def test_the_same_seed_gives_the_same_run() -> None:
    assert simulate(7, 300).held == simulate(7, 300).held


# --- planted bugs: each of them must be found ----------------------------------------------------

Patch = pytest.MonkeyPatch
PLANTED: Final[dict[str, Callable[[Patch], None]]] = {}


def planted(plant: Callable[[Patch], None]) -> Callable[[Patch], None]:
    """Enter a bug into the table under its name."""
    PLANTED[plant.__name__.replace("_", " ")] = plant
    return plant


def wrap(patch: Patch, place: Any, name: str, change: Callable[..., Any]) -> None:
    """Put ``change(original, *arguments)`` in the place of a function."""
    original = getattr(place, name)
    patch.setattr(place, name, lambda *given, **named: change(original, *given, **named))


def wrap_rule(patch: Patch, command: type[Any], change: Callable[..., Any]) -> None:
    original = rules._RULES[command]
    patch.setitem(rules._RULES, command, lambda *given: change(original, *given))


@planted
def a_local_claim_conflicts_with_nothing(patch: Patch) -> None:
    def blind(original: Any, held: Any, patterns: Any, kind: Kind, *rest: Any) -> Any:
        found = original(held, patterns, kind, *rest)
        return ("grant_and_tell", found[1]) if found and kind == "local" else found

    wrap(patch, claim, "conflict", blind)


@planted
def local_leases_exclude_each_other_across_trees(patch: Patch) -> None:
    patch.setitem(leases.CONFLICTS, ("local", "local", False), "refuse")


@planted
def local_leases_stand_beside_each_other_in_one_tree(patch: Patch) -> None:
    patch.setitem(leases.CONFLICTS, ("local", "local", True), "grant_and_tell")


@planted
def the_working_tree_does_not_count(patch: Patch) -> None:
    wrap(
        patch,
        leases,
        "answer",
        lambda original, **named: original(**{**named, "same_worktree": True}),
    )


@planted
def contended_paths_are_like_all_others(patch: Patch) -> None:
    wrap(patch, claim, "conflict", lambda original, *given: original(*given[:4]))


@planted
def contended_paths_conflict_with_nothing(patch: Patch) -> None:
    def blind(original: Any, *given: Any) -> Any:
        found = original(*given)
        contended = found and any(
            held.text in CONTENDED for held in (found[1].left, found[1].right)
        )
        return None if contended else found

    wrap(patch, claim, "conflict", blind)


@planted
def scopes_with_a_common_beginning_conflict(patch: Patch) -> None:
    def wider(original: Any, held: Any, patterns: Any, *rest: Any) -> Any:
        for one in held.patterns:
            for other in patterns:
                if one.is_literal and other.text.startswith(one.text[0]):
                    return "refuse", Overlap(one, other, other.text)
        return original(held, patterns, *rest)

    wrap(patch, claim, "conflict", wider)


@planted
def only_the_first_pattern_is_compared(patch: Patch) -> None:
    def narrower(original: Any, held: Any, patterns: Any, *rest: Any) -> Any:
        return original(held, patterns[:1], *rest)

    wrap(patch, claim, "conflict", narrower)


@planted
def a_witness_lies_in_one_scope_only(patch: Patch) -> None:
    def wrong(original: Any, *given: Any) -> Any:
        found = original(*given)
        return found and (found[0], found[1]._replace(witness=found[1].witness + "x"))

    wrap(patch, claim, "conflict", wrong)


@planted
def a_lease_binds_a_millisecond_too_long(patch: Patch) -> None:
    patch.setattr(Lease, "live", lambda self, now: now <= self.expires_at)


@planted
def a_lease_binds_a_millisecond_too_short(patch: Patch) -> None:
    patch.setattr(Lease, "live", lambda self, now: now + 1 < self.expires_at)


@planted
def a_renewal_revives_an_expired_lease(patch: Patch) -> None:
    def reviving(original: Any, view: View, renew: Renew, now: int) -> Changes:
        try:
            return list(original(view, renew, now))
        except errors.LeaseExpired:
            return [LeaseRenewed(renew.lease.token, now + renew.ttl_ms)]

    wrap_rule(patch, Renew, reviving)


@planted
def a_claim_revives_an_expired_lease(patch: Patch) -> None:
    def reviving(original: Any, view: View, asked: Claim, now: int) -> Changes:
        near = list(view.leases)
        for lease in near:
            own = lease.session == asked.session.id and lease.patterns == asked.patterns
            if own and lease.kind == asked.kind == "exclusive":
                return [LeaseRenewed(lease.token, max(lease.expires_at, now + asked.ttl_ms))]
        return list(original(view._replace(leases=near), asked, now))

    wrap_rule(patch, Claim, reviving)


@planted
def a_renewal_shortens_a_lease(patch: Patch) -> None:
    wrap(patch, holding, "renewed_expiry", lambda _, lease, ttl_ms, now: now + ttl_ms)


@planted
def a_lease_outlives_its_age_cap(patch: Patch) -> None:
    patch.setattr(leases, "AGE_MAX_MS", 720 * HOUR)


@planted
def what_one_holds_is_granted_anew(patch: Patch) -> None:
    patch.setattr(claim, "_holder_of", lambda *given: None)


@planted
def a_local_lease_does_for_an_exclusive_claim(patch: Patch) -> None:
    def lax(original: Any, lease: Lease, asked: Claim, kind: Kind) -> Any:
        return original(lease, asked, "local")

    wrap(patch, claim, "_holder_of", lax)


@planted
def a_lease_over_a_part_does_for_the_whole(patch: Patch) -> None:
    def lax(original: Any, lease: Lease, asked: Claim, kind: Kind) -> Any:
        return original(lease, asked._replace(patterns=asked.patterns[:1]), kind)

    wrap(patch, claim, "_holder_of", lax)


@planted
def an_expired_lease_is_not_recorded_before_the_grant(patch: Patch) -> None:
    def silent(original: Any, *given: Any) -> Changes:
        return [change for change in original(*given) if not isinstance(change, LeaseExpired)]

    wrap_rule(patch, Claim, silent)


@planted
def near_drops_leases_above(patch: Patch) -> None:
    def lossy(original: Any, self: MemoryReader, patterns: Any) -> Iterator[Lease]:
        anchors = {pattern.anchor for pattern in patterns}
        for lease in original(self, patterns):
            if anchors & {pattern.anchor for pattern in lease.patterns}:
                yield lease

    wrap(patch, MemoryReader, "near", lossy)


@planted
def near_drops_leases_that_begin_with_a_wildcard(patch: Patch) -> None:
    def lossy(original: Any, self: MemoryReader, patterns: Any) -> Iterator[Lease]:
        return (lease for lease in original(self, patterns) if lease.patterns[0].anchor)

    wrap(patch, MemoryReader, "near", lossy)


@planted
def those_who_wait_are_overtaken(patch: Patch) -> None:
    patch.setattr(claim, "_check_turn", lambda *given: None)


@planted
def the_queue_is_served_from_its_end(patch: Patch) -> None:
    def turned(original: Any, view: View, *rest: Any) -> None:
        last = max((waiter.ticket for waiter in view.waiters), default=0)
        around = tuple(w._replace(ticket=last + 1 - w.ticket) for w in view.waiters)
        asked = rest[0]
        place = None if asked.ticket is None else last + 1 - asked.ticket
        original(view._replace(waiters=around), asked._replace(ticket=place), *rest[1:])

    wrap(patch, claim, "_check_turn", turned)


@planted
def a_place_in_the_queue_never_lapses(patch: Patch) -> None:
    def kept(original: Any, view: View, *rest: Any) -> None:
        there = tuple(waiter._replace(until=2**60) for waiter in view.waiters)
        original(view._replace(waiters=there), *rest)

    wrap(patch, claim, "_check_turn", kept)


@planted
def circles_of_waiting_are_not_seen(patch: Patch) -> None:
    patch.setattr(wait, "_check_deadlock", lambda *given: None)


@planted
def only_circles_of_two_are_seen(patch: Patch) -> None:
    def short(original: Any, view: View, asked: Claim, now: int) -> None:
        mine = [lease for lease in view.leases if lease.session == asked.session.id]
        for waiter in view.waiters:
            if waiter.until > now and any(
                leases.conflict(lease, waiter.patterns, waiter.kind, waiter.worktree, CONTENDED_NOW)
                for lease in mine
                if lease.live(now)
            ):
                theirs = tuple(lease for lease in view.leases if lease.session == waiter.session)
                original(view._replace(leases=(*mine, *theirs), waiters=(waiter,)), asked, now)

    wrap(patch, wait, "_check_deadlock", short)


@planted
def a_served_claim_stays_in_the_queue(patch: Patch) -> None:
    patch.setattr(claim, "_served", lambda asked: [])


@planted
def anybody_may_use_any_token(patch: Patch) -> None:
    patch.setattr(holding, "_check_holder", lambda *given: None)


@planted
def a_fenced_token_is_only_called_expired(patch: Patch) -> None:
    def mild(original: Any, epoch: str, session: Session, past: Past, *rest: Any) -> Any:
        return original(epoch, session, past, [])

    patch.setitem(globals(), "dead_token", lambda *given: mild(holding.dead_token, *given))


@planted
def releasing_what_ran_out_calls_it_released(patch: Patch) -> None:
    def lax(original: Any, view: View, release: Release, now: int) -> Changes:
        changes = original(view, release, now)
        return [LeaseReleased(change.token, "released") for change in changes]

    wrap_rule(patch, Release, lax)


@planted
def a_commit_is_attested_after_the_expiry(patch: Patch) -> None:
    def late(original: Any, view: View, command: Attest, now: int) -> Changes:
        return list(original(view, command, now - 30 * SECOND))

    wrap_rule(patch, Attest, late)


@planted
def a_commit_is_attested_under_anybodys_lease(patch: Patch) -> None:
    def lax(original: Any, view: View, command: Attest, now: int) -> Changes:
        own = tuple(lease._replace(session=command.session.id) for lease in view.leases)
        return list(original(view._replace(leases=own), command, now))

    wrap_rule(patch, Attest, lax)


@planted
def a_commit_is_attested_if_most_of_it_is_covered(patch: Patch) -> None:
    def lax(original: Any, view: View, command: Attest, now: int) -> Changes:
        (facts,) = command.commits
        try:
            return list(original(view, command, now))
        except NotCovered as gaps:
            if len(gaps.missing) == len(facts.paths):
                raise
            return [CommitAttested(facts.commit, "t", ("p",), 0, "h", ())]

    wrap_rule(patch, Attest, lax)


@planted
def the_guard_lets_a_session_write_what_others_hold(patch: Patch) -> None:
    def lax(original: Any, self: MemoryReader, worktree: str, session: str, path: str) -> bool:
        return any(original(self, worktree, f"s{number}", path) for number in range(AGENTS))

    wrap(patch, MemoryReader, "may_write", lax)


@planted
def nobody_looks_at_the_lane(patch: Patch) -> None:
    patch.setattr(claim, "check_role", lambda *given: None)


@planted
def a_lane_that_is_touched_will_do(patch: Patch) -> None:
    def lax(original: Any, policy: Any, asked: Claim) -> None:
        with suppress(errors.OutsideLane):
            original(policy, asked)

    wrap(patch, claim, "check_role", lax)


@planted
def any_time_to_live_is_taken(patch: Patch) -> None:
    patch.setattr(claim, "check_ttl", lambda ttl_ms: ttl_ms)


@planted
def the_end_of_a_session_leaves_its_leases(patch: Patch) -> None:
    def lax(original: Any, *given: Any) -> Changes:
        return [change for change in original(*given) if isinstance(change, SessionEnded)]

    wrap_rule(patch, EndSession, lax)


@planted
def store_time_follows_the_wall(patch: Patch) -> None:
    patch.setattr(Timeline, "now", lambda self, reading, last: max(reading[2], last))


@planted
def store_time_goes_back_at_a_reboot(patch: Patch) -> None:
    def back(self: Timeline, reading: Any, last: int) -> int:
        boot, since_boot, wall = reading
        return self.offset_ms + int(since_boot) if boot == self.boot else int(wall)

    patch.setattr(Timeline, "now", back)


@planted
def what_was_not_committed_happened_all_the_same(patch: Patch) -> None:
    # The session of a start that crashed is there, as if nothing had rolled it back.
    original = World.commit

    def leaky(self: World, tx: MemoryTx, changes: Changes, agent: Agent) -> Any:
        try:
            return original(self, tx, changes, agent)
        except Crash:
            tx.commit(changes, Actor())
            raise

    patch.setattr(World, "commit", leaky)


@planted
def a_release_is_not_written_into_the_ledger(patch: Patch) -> None:
    original = MemoryTx.commit

    def forgetful(self: MemoryTx, changes: Any, *rest: Any) -> Any:
        kept = [change for change in changes if not isinstance(change, LeaseReleased)]
        for change in changes:
            if isinstance(change, LeaseReleased):
                self.data.state.drop_lease(change.token)
        return original(self, kept or [WaitEnded(0)], *rest)

    patch.setattr(MemoryTx, "commit", forgetful)


CONTENDED_NOW: Final = tuple(stored_pattern(text) for text in CONTENDED)
LOOKS_MAX: Final = 6


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[bug](monkeypatch)
    for seed in range(1, LOOKS_MAX + 1):
        try:
            simulate(seed, 1_200)
        except Violation as violation:
            print(violation)
            return
    raise AssertionError(f"nobody noticed in {LOOKS_MAX} runs that {bug}")

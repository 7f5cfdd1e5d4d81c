"""A workspace full of agents, run from a seed, with a judge who sees every answer and every row."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from handrail import errors
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
    dead_token,
    decide,
)
from handrail.core.events import (
    CommitAttested,
    Event,
    LeaseExpired,
    LeaseGranted,
    LeaseReleased,
    LeaseRenewed,
    WaitEnded,
)
from handrail.core.lease import Actor, Kind, Lease, Session
from handrail.core.ledger import Head, read_event, verify
from handrail.core.role import READ_ONLY
from handrail.core.state import replay
from handrail.store.memory import MemoryReader, MemoryStore, MemoryTx
from tests.core.makers import a_policy, a_role, patterns
from tests.core.simulation_checker import HOUR, PATHS, SECOND, WAIT_MS, Asked, Checker, Violation

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

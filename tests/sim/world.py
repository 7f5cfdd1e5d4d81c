"""A workspace full of agents, run from one integer: what happens when, and what goes wrong.

Everything is an event at a time of the world's own clock: an agent wakes, its call reaches the
store, the answer reaches the agent, something breaks. One event is one step. There are no threads
and no real clock: the same seed gives the same run, bit for bit. What an agent knows is its own
memory; a call is in flight apart from it, may arrive late, twice or never, and its answer, too.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from handrail import errors
from handrail.errors.server import StoreUnreachable
from handrail.service.context import Caller, Context
from tests.sim.agents import FAULTS, Agent, Plan
from tests.sim.books import Charter
from tests.sim.calls import (
    OPS,
    Answer,
    Call,
    Checker,
    digest_of,
    judge_place,
    judge_unsaid,
    refusal,
)
from tests.sim.chain import Violation
from tests.sim.outside import Chance, Clock, Commit, Outside, Secrets
from tests.sim.reading import NAMED, OTHERS
from tests.sim.stores import EPOCH, GROUNDS, Door, apply_config

SECOND: Final = 1_000
HOUR: Final = 3_600 * SECOND
PATIENCE_MS: Final = 4 * SECOND
TRIES_MAX: Final = 4
LOOK_EVERY: Final = 16
LANES: Final = {"maker": ("**",), "left": ("a", "*.md"), "reader": ("b/**", "zz")}
FAMILIES: Final = {"maker": "maker", "left": "maker", "reader": "reviewer"}
CONTENDED: Final = ("c.md", "b/*.md")
EXEMPT: Final = ("ab/**",)
CONFIG: Final = """
[workspace]
id = "simulated"
fold_case = {fold}
exempt = ["ab/**"]
[limits]
ttl = "10m"
lapse_after = "2m"
[handoff]
halt_after = 3
[[role]]
name = "maker"
lane = ["**"]
[[role]]
name = "left"
family = "maker"
lane = ["a", "*.md"]
{reading}
[[role]]
name = "reader"
family = "reviewer"
lane = ["a"]
sandbox = "read-only"
may_write = ["b/**", "zz"]
{reading}
[[contended]]
paths = ["c.md", "b/*.md"]
"""

Event = tuple[int, int, Callable[..., None], tuple[Any, ...]]


class World:
    """The store, the agents, what is in flight between them, and the judge who sees it all."""

    def __init__(
        self,
        seed: int,
        *,
        ground: str = "memory",
        folder: Path | None = None,
        trace: list[str] | None = None,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self.random = chance = Chance(seed)
        self.trace = trace
        self.clock = Clock()
        self.fold = chance.random() < 0.25
        # Of a source of its own: what others do is the same whether there is something to read.
        self.reads = random.Random(seed ^ 0x2EAD).random() < 0.3
        self.faults = {fault for fault in FAULTS if chance.random() < 0.5} - without
        self.plan = Plan(chance)
        charter = Charter(
            *(LANES, FAMILIES, frozenset(["reader"]), CONTENDED, EXEMPT, 600_000, 120_000, 3),
            {role: NAMED for role in ("left", "reader") if self.reads},
        )
        self.checker = Checker(charter, EPOCH)
        self.checker.expiry_of = self.expiry_of
        for path in (*NAMED, *OTHERS):
            self.checker.papers[path] = [sha256(path.encode()).hexdigest()]
        self.is_down = self.broke = self.unsaid = False
        self.nested = self.version = 0
        self.current: Call | None = None
        self.anchor: tuple[int, int, int] | None = None
        self.remembered = 0
        self.steps = self.calls = self.calls_made = self.ordered = 0
        self.heap: list[Event] = []
        self.commits: dict[str, Commit] = {}
        self.flights: set[int] = set()
        salts = random.Random(seed ^ 0x5A17)
        salt = lambda: f"{salts.getrandbits(64):016x}"  # noqa: E731
        self.ground = GROUNDS[ground](self.clock, salt, folder)
        self.door = Door(self)
        self._note_first_entries()
        reading = f"reading = {list(NAMED)}" if self.reads else ""
        apply_config(self.door, CONFIG.format(fold=str(self.fold).lower(), reading=reading))
        self.secrets = Secrets()
        self.agents = [Agent(self, number) for number in range(self.plan.agents)]
        for agent in self.agents:
            self.after(chance.randint(0, 500), agent.wake, agent.life)
        if self.faults:
            self.after(chance.randint(500, 2_000), self.something_breaks)

    # --- events ----------------------------------------------------------------------------------

    def after(self, ms: int, what: Callable[..., None], *given: Any) -> None:
        """Let something happen later."""
        self.ordered += 1
        heapq.heappush(self.heap, (self.clock.true + ms, self.ordered, what, given))

    def step(self) -> None:
        """Let the next thing happen."""
        at, _, what, given = heapq.heappop(self.heap)
        self.steps += 1
        if at > self.clock.true:
            self.clock.true = at
        what(*given)

    def tell(self, what: str) -> None:
        """Write a line of the trace."""
        if self.trace is not None:
            self.trace.append(f"{self.steps:>6} {self.clock.true:>10} {'  ' * self.nested}{what}")

    # --- the store's side ------------------------------------------------------------------------

    def at_the_door(self) -> None:
        """Fail or be slow before a transaction, or let others act first."""
        if self.is_down:
            raise errors.StoreBusy(path="simulated", waited_ms=5_000, pid="unknown")
        if not self.faults or self.current is None:
            return
        chance = self.random.random()
        if chance < 0.01 and "busy" in self.faults:
            self.clock.true += 50
            raise errors.StoreBusy(path="simulated", waited_ms=50, pid="unknown")
        if chance < 0.04 and "late" in self.faults and not self.nested and self.heap:
            self._meanwhile()

    def _meanwhile(self) -> None:
        """Let others act between two transactions of one call."""
        checker, call = self.checker, self.current
        kept = (checker.question, checker.actor, checker.fresh, checker.before, checker.expected)
        self.nested += 1
        self.tell(f"{call} is held up")
        for _ in range(self.random.randint(1, 6)):
            if self.heap:
                self.step()
        self.tell(f"{call} goes on")
        self.nested -= 1
        checker.question, checker.actor, checker.fresh, checker.before, checker.expected = kept
        checker.asked_at, checker.held_up = None, True
        self.current = call
        if self.is_down:
            raise errors.StoreBusy(path="simulated", waited_ms=5_000, pid="unknown")

    def breaks(self) -> str:
        """Say whether the store goes away before or after this transaction's commit."""
        if self.current is None:
            return ""
        self.current.dwell = self.clock.true - self.current.sent
        how = ""
        if "down" in self.faults and self.random.random() < 0.01:
            how = "before"
        elif "unsaid" in self.faults and self.random.random() < 0.02:
            how = "after"
        self.broke = bool(how)
        return how

    def note_unsaid(self) -> None:
        """Show the checker what a transaction left although it said that it had failed."""
        known = self.checker.chain.seq
        if self.broke:
            self.note_entries()
        self.unsaid = self.checker.chain.seq > known
        self.version += self.unsaid

    def now_is(self, now: int, *, reading: bool = False) -> None:
        """Judge store time; since the first transaction of a boot it follows the boot clock."""
        checker = self.checker
        _boot, since_boot, _ = self.clock.read()
        if self.anchor is not None and self.anchor[0] == self.clock.boot:
            exact = self.anchor[2] + since_boot - self.anchor[1]
            if not (now == exact):
                raise Violation(f"store time is {now}, the boot clock says {exact}")
        elif not reading:
            self.anchor = (self.clock.boot, since_boot, now)
            if not (now >= self.remembered):
                raise Violation(f"store time went back from {self.remembered} to {now}")
            self.remembered = now
        checker.now = now

    def store_time(self) -> int:
        """Return what the store's clock shows, by the anchor that was seen."""
        assert self.anchor is not None
        boot, since_boot, at = self.anchor
        if boot != self.clock.boot:
            return self.checker.now
        return at + self.clock.read()[1] - since_boot

    def note_entries(self) -> None:
        """Show the checker what a transaction left in the ledger."""
        checker = self.checker
        with self.ground.store.read() as reader:
            entries = list(reader.entries(checker.chain.seq))
        if entries:
            self.remembered = checker.now
            checker.fresh = checker.entered(entries)
            if self.trace is not None:
                for seen in checker.fresh:
                    self.tell(f"    entry {seen.seq} {seen.kind} {_short(seen.payload)}")

    def _note_first_entries(self) -> None:
        with self.ground.store.read() as reader:
            entries = list(reader.entries())
        self.checker.now = entries[0].seq and reader.now
        self.now_is(reader.now)
        self.checker.entered(entries)

    # --- calls -----------------------------------------------------------------------------------

    def context(self, call: Call, ahead: int) -> Context:
        """Return what the service needs for a call, by a clock that is so much ahead."""
        caller = Caller(call.tree, "folder", call.session)
        papers = self.checker.papers
        outside = Outside(self.clock, self.random, self.commits, papers, call.sent, ahead)
        return Context(self.door, caller, self.secrets, outside)  # type: ignore[arg-type]

    def perform(self, call: Call, ahead: int) -> Answer:
        """Let a call reach the store: the service decides, the checker judges."""
        op, checker = OPS[call.op], self.checker
        self.calls += 1
        self.current = call
        if call.asked is not None:
            call.asked = call.asked._replace(ticket=call.ticket)
        call.placed = partial(judge_place, checker, call)
        checker.question, checker.asked_at = (lambda: op.ask(checker, call)), None
        checker.actor, checker.fresh, checker.expected = call.session, [], ""
        checker.before, checker.held_up = [], False
        version, self.broke, self.unsaid = self.version, False, False
        try:
            answer = op.run(self.context(call, ahead), call)
        except errors.StoreBusy:
            answer = {"code": "store_busy"}
        except StoreUnreachable as error:
            if not self.broke:
                raise Violation(f"{call}: {error}, and the store is there") from error
            answer = {"code": "store_busy"}
        except errors.HandrailError as error:
            answer = refusal(error)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise Violation(f"{call} raised {error!r}") from error
        finally:
            self.current, checker.question = None, None
        if self.trace is not None:
            self.tell(f"{call} -> {_short(answer)}")
        if answer["code"] == "waiting":
            answer["version"] = version
        self._judge(call, answer)
        return answer

    def _judge(self, call: Call, answer: Answer) -> None:
        op, checker = OPS[call.op], self.checker
        code, expected = str(answer["code"]), checker.expected
        if code == "store_busy":
            checker.count("unsaid" if self.unsaid else "store_busy")
            if self.unsaid:
                judge_unsaid(checker, call, checker.fresh)
            return
        if not expected:
            # It was refused before its first transaction.
            with self.ground.store.read() as reader:
                self.now_is(reader.now, reading=True)
            expected = op.ask(checker, call)
        if code == "waiting":
            expected = code  # judged when the place was taken
        elif (
            (code != expected or code == "scope_held")
            and checker.held_up
            and any(code == one or code in op.also.get(one, ()) for one in checker.before if one)
        ):
            # It was refused so in its transaction, and held up before the next one; by then
            # whoever held the scope may hold it no more, though it is held.
            checker.count("raced")
            if call.op == "wait" and call.asked is not None:
                checker.leave_queue(call.asked.ticket)
            return
        checker.count(f"{call.op}: {expected}")
        good = code == expected or code in op.also.get(expected, ())
        if not good:
            raise Violation(f"{call} was answered {answer}; the rules say {expected}")
        op.judge(checker, call, expected, answer, checker.fresh)
        if self.calls % LOOK_EVERY == 0:
            self.look()

    def look(self) -> None:
        """Compare every row of the store with the books."""
        checker = self.checker
        with self.ground.store.read() as reader:
            self.now_is(reader.now, reading=True)
            checker.judge_rows(
                "leases",
                {
                    lease.token: (
                        *(lease.session, lease.kind, lease.worktree, lease.scope),
                        *(lease.granted_at, lease.expires_at),
                    )
                    for lease in reader.leases()
                },
                {
                    held.token: (
                        *(held.session, held.kind, held.tree, held.scope),
                        *(held.granted, held.expires),
                    )
                    for held in checker.open.values()
                },
            )
            checker.judge_rows(
                "waiting claims",
                {w.ticket: (w.session, w.kind, w.worktree, w.until) for w in reader.waiters()},
                {q.ticket: (q.session, q.kind, q.tree, q.until) for q in checker.queue.values()},
            )
            checker.judge_rows(
                "sessions",
                {s.id: (s.worktree, s.role, s.live) for s in reader.sessions(ended=True)},
                checker.sessions,
            )
            checker.judge_rows(
                "packets",
                {
                    (p.task, p.number): (p.state, p.session, p.patterns, p.token, p.lapses_at)
                    for p in reader.packets()
                },
                {
                    (task.name, p.number): (p.state, p.giver, p.scope, p.token, p.lapses)
                    for task in checker.tasks.values()
                    for p in task.packets
                },
            )
            checker.judge_rows(
                "the guard's copy",
                [row[:5] for row in reader.guard_rows()],
                sorted(
                    (held.tree, held.session, text, held.token, held.expires)
                    for held in checker.open.values()
                    for text in held.scope
                    if checker.free_to_write(held.session)
                ),
            )
            checker.judge_rows(
                "reading",
                {
                    name: {row.path: (row.digest, row.how) for row in rows}
                    for name, rows in reader.readings().items()
                },
                {
                    name: {path: (row.digest, row.how) for path, row in rows.items()}
                    for name, rows in checker.reading.items()
                },
            )
            checker.judge_rows(
                "attestations",
                reader.attestations(),
                {name: row[0] for name, row in checker.attested.items()},
            )
        checker.judge_exclusive()

    def expiry_of(self, token: int) -> int:
        """Return when a lease ends, by its row."""
        with self.ground.store.read() as reader:
            lease = reader.lease(token)
        return 0 if lease is None else lease.expires_at

    def may_write(self, session: str, tree: str, path: str) -> bool:
        """Ask what the guard asks before an edit."""
        with self.ground.store.read() as reader:
            self.now_is(reader.now, reading=True)
            answer = reader.may_write(tree, session, path)
        self.checker.judge_may_write(session, tree, path, answer)
        return answer

    def rewrite(self) -> None:
        """Let somebody edit a document."""
        papers = self.checker.papers
        path = self.random.choice(list(papers))
        papers[path].append(sha256(f"{path} {len(papers[path])}".encode()).hexdigest())
        self.tell(f"{path} is edited")

    # --- what goes wrong -------------------------------------------------------------------------

    def something_breaks(self) -> None:
        """Let one of this run's faults happen, and the next one later."""
        if not self.faults:
            return
        self.after(self.random.randint(200, 6_000), self.something_breaks)
        fault = self.random.choice(sorted(self.faults))
        agent = self.random.choice(self.agents)
        if fault == "pause":
            agent.pause(self.random.choice(self.plan.ttls) * self.random.randint(1, 3) // 2)
        elif fault == "crash":
            agent.crash()
        elif fault == "down" and not self.is_down:
            self.is_down = True
            self.tell("the store is down")
            self.after(self.random.randint(100, 8_000), self.comes_back)
        elif fault == "wall":
            step = self.random.randint(-HOUR, HOUR)
            self.clock.wall_is_ahead += step
            self.tell(f"the wall clock steps by {step} ms")
        elif not self.nested and not self.is_down:
            self._something_stops(fault)

    def _something_stops(self, fault: str) -> None:
        if fault == "restart":
            self.tell("the store starts anew")
            if self.ground.restart():
                self._rebuilt()
        elif fault == "guard":
            self.tell("the guard's copy is lost and mended")
            self.ground.lose_guard(self.random)
            self._rebuilt()
        elif fault == "reboot" and self.random.random() < 0.3:
            step = self.random.randint(-2 * HOUR, 2 * HOUR)
            self.tell(f"the machine starts again, its wall clock {step} ms off")
            self.clock.reboot(step)
            self.flights.clear()
            for agent in self.agents:
                agent.crash()

    def _rebuilt(self) -> None:
        """Tables that were built anew hold no waiting claims."""
        with self.ground.store.read() as reader:
            self.now_is(reader.now, reading=True)
        self.checker.queue.clear()
        self.version += 1

    def comes_back(self) -> None:
        """Let the store be there again."""
        self.tell("the store is back")
        self.is_down = False

    # --- the end ---------------------------------------------------------------------------------

    def settle(self) -> None:
        """See that without faults everybody who waits is served, and every scope is free again."""
        self.faults.clear()
        self.plan.calm = True
        if self.is_down:
            self.comes_back()
        for agent in self.agents:
            agent.resume()
        # What lapses goes back to its giver, even to one that never comes back: once for each task.
        for _ in range(2 + len(self.checker.tasks)):
            until = self.clock.true + self.plan.patience_ms(len(self.agents))
            while self._waits() and self.heap[0][0] <= until:
                self.step()
            if not self._waits():
                break
            # They wait for those who never came back: let it run out what these held.
            names = {agent.session for agent in self.agents}
            ends = [h.expires for h in self.checker.live() if h.session not in names]
            self.clock.true += max(max(ends, default=0) - self.checker.now, 0)
        stuck = self._waits()
        if stuck:
            raise Violation(f"liveness: {[str(call) for call in stuck]} wait for ever")
        # Whatever was left behind by those who never came back runs out.
        self.clock.true += 25 * HOUR
        last = Agent(self, len(self.agents))
        last.role = "maker"
        self.perform(last.whole("start"), 0)
        answer = self.perform(last.whole("claim"), 0)
        for _ in self.checker.tasks:
            if answer["code"] == "scope_held":
                # What lapsed went back to its giver, whose session still lives.
                self.clock.true += 25 * HOUR
                answer = self.perform(last.whole("claim"), 0)
        if answer["code"] != "granted":
            raise Violation(f"liveness: everything ran out, and a claim led to {answer}")
        self.look()

    def _waits(self) -> list[Call]:
        return [agent.waits for agent in self.agents if agent.waits is not None]

    def audit(self) -> None:
        """See that the ledger is what it was, and that its tables can be rebuilt from it."""
        with self.ground.store.read() as reader:
            self.checker.chain.audit(reader.entries(), reader.head)

    def digest(self, call: Call) -> str:
        """Return what a call asks."""
        return digest_of(call)


def _short(what: object) -> str:
    text = str(what)
    return text if len(text) <= 300 else f"{text[:300]} …"

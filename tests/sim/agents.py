"""The agents: what they want, what they remember, and what they do when no answer comes.

An agent does one thing after the other. It has a memory of its own, which a crash takes away, and
goes on with it after a pause, however late that is: then it renews, attests and releases what it
believes to hold. Whatever it trusts by its own clock must be its own in the books: that is checked
each time it wakes.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tests.sim.books import SECOND, Asked, Held
from tests.sim.calls import Answer, Call
from tests.sim.chain import Violation
from tests.sim.outside import Commit
from tests.sim.reading import NAMED, OTHERS
from tests.sim.stores import EPOCH
from tests.sim.universe import PATHS, PLACES, SCOPES, WEIGHTS, mask_of, some_of

if TYPE_CHECKING:
    from tests.sim.world import World

FAULTS: Final = (
    *("pause", "crash", "down", "busy", "lost", "twice", "late", "slow", "unsaid"),
    *("restart", "guard", "reboot", "wall", "confused"),
)
TREES: Final = ("tree-1", "tree-2", "tree-3")
ROLES: Final = ("maker", "maker", "maker", "left", "reader", "maker", "maker", "left")
RECEIVERS: Final = (*["maker"] * 4, "left", "left", *["reader"] * 2, "reviewer")
TASKS: Final = ("t-one", "t-two", "t-three")
PATIENCE_MS: Final = 4 * SECOND
TRIES_MAX: Final = 4
MEMORY_MAX: Final = 6
OLD_MAX: Final = 12
POLL_MS: Final = (40, 60)
CALM_MS: Final = (300, 900)
RETRY_MS: Final = 2 * SECOND
WISHES: Final = {
    "write": 45,
    "claim": 18,
    "wait": 8,
    "renew": 7,
    "release": 11,
    "attest": 8,
    "end": 1,
    "open": 2,
    "offer": 5,
    "accept": 6,
    "decline": 1,
    "withdraw": 1.1,
    "close": 0.4,
}


FOCUS: Final = (
    ("open", "offer", "accept", "decline", "withdraw"),
    ("open", "offer", "accept", "close", "claim"),
    ("offer", "decline"),
    ("open", "accept", "offer", "withdraw"),
    ("attest", "claim", "release"),
)


class Plan:
    """What kind of run this is: how many agents, how long leases live, what is done how often."""

    def __init__(self, chance: random.Random) -> None:
        self.agents = chance.randint(3, 8)
        every = (SECOND, 5 * SECOND, 20 * SECOND, 60 * SECOND, 90 * SECOND, 3_600 * SECOND)
        self.ttls = chance.sample(every, 3)
        self.wishes = list(WISHES)
        self.weights = [
            weight * chance.choice((0.5, 1, 1, 2)) if weight > 1 else weight
            for weight in WISHES.values()
        ]
        focus = chance.choice((*[()] * 4, *FOCUS))
        times = chance.choice((4, 12))
        for place, wish in enumerate(WISHES):
            self.weights[place] *= times if wish in focus else 1
        self.summed = list(itertools.accumulate(self.weights))
        self.paths = chance.choice((2, 8))
        self.naps = chance.choice(((20, 400), (20, 400), (200, 3_000)))
        self.scopes = list(SCOPES)
        self.scopes_summed = list(itertools.accumulate(WEIGHTS))
        if chance.random() < 0.5:
            # Few scopes meet often.
            self.scopes = chance.choices(SCOPES, WEIGHTS, k=chance.choice((2, 3, 6)))
            self.scopes_summed = list(range(1, 1 + len(self.scopes)))
        self.calm = False

    def patience_ms(self, agents: int) -> int:
        """Say how long a settled workspace may take to serve everybody who waits."""
        return 60 * SECOND + 20 * SECOND * agents


class Agent:
    """One agent: its session, what it remembers, what it waits for."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.role = ROLES[number % len(ROLES)]
        self.tree = TREES[number % len(TREES)]
        self.runs = 1
        self.life = 0
        self.ahead = world.random.randint(-(10**9), 10**9)
        self.paused_until = 0
        self.begun = False
        self.pending: Call | None = None
        self.tokens: list[int] = []
        self.trusted: dict[int, int] = {}
        self.waits: Call | None = None
        self.version = self.look_at = 0
        self.made: list[Commit] = []
        self.pulled: frozenset[str] = frozenset()
        self.must_read = False

    @property
    def session(self) -> str:
        """The name of its session."""
        return f"s{self.number}.{self.runs}"

    # --- what happens to it ----------------------------------------------------------------------

    def pause(self, ms: int) -> None:
        """Stop it for some time; then it goes on with what it remembers."""
        self.world.tell(f"{self.session} stops for {ms} ms")
        self.paused_until = max(self.paused_until, self.world.clock.true + ms)

    def resume(self) -> None:
        """Let it go on now, whatever stopped it."""
        if self.paused_until > self.world.clock.true:
            self.paused_until = 0
            if self.pending is not None:
                self.world.after(1, self.give_up, self.pending, self.life)
            else:
                self.world.after(1, self.wake, self.life)

    def crash(self) -> None:
        """Let its process die; another begins, in the same session or in a new one."""
        world = self.world
        self.life += 1
        self.pending = self.waits = None
        self.tokens, self.trusted, self.made = [], {}, []
        self.paused_until = 0
        self.begun = False
        if world.random.random() < 0.6:
            self._anew()
        world.tell(f"agent {self.number} crashes and will be {self.session}")
        world.after(world.random.randint(10, 5_000), self.wake, self.life)

    def _anew(self) -> None:
        self.runs += 1
        self.tree = self.world.random.choice(TREES)

    def _stopped(self, what: Callable[..., None], *given: Any) -> bool:
        """Tell whether it is stopped; then it does this as soon as it goes on."""
        world = self.world
        if world.clock.true >= self.paused_until:
            return False
        world.after(self.paused_until - world.clock.true, what, *given)
        return True

    # --- what it does ----------------------------------------------------------------------------

    def wake(self, life: int) -> None:
        """Do the next thing."""
        if life != self.life or self.pending is not None or self._stopped(self.wake, life):
            return
        self._check_trust()
        if not self.begun:
            self._send(self._call("start"))
        elif self.waits is not None and self.world.random.random() < 0.85:
            self._look_again()
        elif self.world.plan.calm:
            self._calm_down()
        else:
            self._wish()

    def _nap(self, least: int, most: int) -> None:
        chance = self.world.random
        ms = self._boundary() if chance.random() < 0.04 else 0
        self.world.after(ms or chance.randint(least, most), self.wake, self.life)

    def _boundary(self) -> int:
        """Say in how many ms something runs out soon, or just before or after; 0: nothing does."""
        world, now = self.world, self.world.store_time()
        ends = [held.expires - now for held in world.checker.open.values()]
        ends += [queued.until - now for queued in world.checker.queue.values()]
        soon = sorted(ms for ms in ends if 1 < ms < 20 * SECOND)[:3]
        return world.random.choice(soon) + world.random.randint(-1, 1) if soon else 0

    def _wish(self) -> None:
        world = self.world
        wish = world.random.pick(world.plan.wishes, world.plan.summed)
        if self.must_read and world.random.random() < 0.6:
            # What it is given it holds before it has read, and may not write.
            wish = world.random.choice(("reading", "accept", "write", "write"))
        if wish == "write":
            self._write()
            self._nap(*world.plan.naps)
            return
        call = getattr(self, f"_wish_{wish}")()
        if call is None:
            self._nap(*world.plan.naps)
        else:
            self._send(call)

    def _check_trust(self) -> None:
        """See that what it trusts by its own clock is its own; what it gave away it knows."""
        if not self.trusted:
            return
        checker, now = self.world.checker, self.world.store_time()
        for token, until in list(self.trusted.items()):
            held = checker.held[token]
            if now >= until or held.ended_by == held.session:
                del self.trusted[token]
            elif held.ended is not None or now >= held.expires:
                raise Violation(f"{self.session} trusts {held} until {until}, and it is {now}")

    def _write(self) -> None:
        """Ask the guard about a path, and make a commit of it if the answer is yes."""
        world = self.world
        if world.reads and world.random.random() < 0.2:
            world.rewrite()
        path = world.random.choice(self._paths(1))
        tree = self.tree if world.random.random() < 0.9 else world.random.choice(TREES)
        if world.may_write(self.session, tree, path) and world.random.random() < 0.5:
            self._commit([path])

    def _commit(self, paths: list[str]) -> Commit:
        world = self.world
        name = f"c{len(world.commits) + 1}"
        if world.random.random() < 0.5:
            self.pulled = frozenset(world.checker.attested)
        commit = Commit(name, tuple(paths), self.pulled)
        world.commits[name] = commit
        self.made.append(commit)
        return commit

    def _paths(self, count: int) -> list[str]:
        """Choose paths: mostly where it holds or held something."""
        world = self.world
        known = [world.checker.held[token] for token in self.tokens[-3:]]
        inside = [path for held in known for path in some_of(held.mask, world.plan.paths)]
        pool = inside if inside and world.random.random() < 0.85 else PATHS[:300]
        return list(dict.fromkeys(world.random.choices(pool, k=count)))

    # --- wishes ----------------------------------------------------------------------------------

    def _call(self, op: str, **given: Any) -> Call:
        world = self.world
        number = world.calls_made = world.calls_made + 1
        return Call(number, op, self.session, self.tree, self.role, world.clock.true, **given)

    def _request(self) -> str | None:
        """Name most attempts; somebody confused takes a name that was used before."""
        world = self.world
        if world.random.random() < 0.25:
            return None
        if "confused" in world.faults and world.random.random() < 0.05 and world.calls_made > 9:
            return f"r{world.random.randint(1, world.calls_made)}"
        return f"r{world.calls_made + 1}"

    def _scope(self) -> tuple[str, ...]:
        world, plan = self.world, self.world.plan
        if self.tokens and world.random.random() < 0.2:
            return world.checker.held[world.random.choice(self.tokens)].scope
        if self.made and world.random.random() < 0.15:
            # It comes back to what it has not landed yet.
            place = PLACES[world.random.choice(self.made[-OLD_MAX:]).paths[0]]
            around = [text for text in plan.scopes if mask_of(text) >> place & 1]
            if around:
                return (world.random.choice(around),)
        count = world.random.choice((1, 1, 1, 2))
        chosen = [world.random.pick(plan.scopes, plan.scopes_summed) for _ in range(count)]
        return tuple(dict.fromkeys(chosen))

    def _said(self, scope: tuple[str, ...]) -> tuple[str, ...]:
        """Spell a scope: where case is folded, in any case."""
        if not self.world.fold:
            return scope
        return tuple(text.upper() if self.world.random.random() < 0.4 else text for text in scope)

    def whole(self, op: str) -> Call:
        """Ask for everything, when all is over."""
        return (
            self._claim(op, ("**",), "exclusive", 60 * SECOND) if op == "claim" else self._call(op)
        )

    def _claim(self, op: str, scope: tuple[str, ...], kind: str, ttl: int) -> Call:
        request = self._request()
        asked = Asked(self.session, self.tree, self.role, scope, kind, ttl)
        return self._call(op, request=request, asked=asked, said=self._said(scope), ttl=ttl)

    def _wish_claim(self, op: str = "claim") -> Call:
        world = self.world
        kind = world.random.choice(("exclusive", "exclusive", "local"))
        odd = world.random.random() < 0.01
        ttl = 24 * 3_600 * SECOND + 1 if odd else world.random.choice(world.plan.ttls)
        return self._claim(op, self._scope(), kind, ttl)

    def _wish_wait(self) -> Call:
        return self._wish_claim("claim" if self.waits is not None else "wait")

    def _look_again(self) -> None:
        """Ask again once the store has changed, and now and then: as ``claim --wait`` does."""
        world = self.world
        if world.version == self.version and world.clock.true < self.look_at:
            self._nap(*(CALM_MS if world.plan.calm else POLL_MS))
        else:
            self._wait_on()

    def _wait_on(self) -> None:
        """Ask again whether it is its turn; sometimes give up."""
        old = self.waits
        assert old is not None
        assert old.asked is not None
        if self.world.random.random() < 0.03 and not self.world.plan.calm:
            self.waits = None
            self._send(self._call("leave", ticket=old.ticket))
            return
        asked = old.asked._replace(ticket=old.ticket)
        again = self._call("wait", asked=asked, said=old.said, ttl=old.ttl, ticket=old.ticket)
        again.request = old.request
        self._send(again)

    def _token(self) -> int | None:
        """Choose a token: its own, now and then somebody else's."""
        world = self.world
        if world.checker.held and world.random.random() < 0.06:
            return world.random.choice(list(world.checker.held)[-20:])
        return world.random.choice(self.tokens) if self.tokens else None

    def _used(self, op: str, ttl: int = 0) -> Call | None:
        token = self._token()
        if token is None:
            return None
        epoch = "other" if self.world.random.random() < 0.02 else EPOCH
        return self._call(op, token=f"{epoch}:{token}", seq=token, ttl=ttl)

    def _wish_renew(self) -> Call | None:
        return self._used("renew", self.world.random.choice(self.world.plan.ttls))

    def _wish_release(self) -> Call | None:
        return self._used("release")

    def _wish_attest(self) -> Call:
        """Attest a commit that was made some time ago, or one that nobody asked about before."""
        chance = self.world.random
        known = self.made[-OLD_MAX:]
        ready = [commit for commit in known if self._could_land(commit)]
        if ready and chance.random() < 0.6:
            commit = chance.choice(ready)
        elif known and chance.random() < 0.6:
            commit = chance.choice(known)
        else:
            commit = self._commit(self._paths(chance.randint(1, 3)))
        return self._call("attest", commit=commit)

    def _could_land(self, commit: Commit) -> bool:
        """Tell whether a commit is not attested yet, and lies where this session holds leases."""
        checker = self.world.checker
        return commit.id not in checker.attested and all(
            checker.covering(self.session, self.tree, path) for path in commit.paths
        )

    def _wish_reading(self) -> Call:
        """Read a document or two, or say so; now and then one that nobody asked for."""
        chance = self.world.random
        paths = chance.sample((*NAMED, *NAMED, *OTHERS), chance.randint(1, 2))
        return self._call(chance.choice(("read", "read", "vow")), paths=tuple(paths))

    def _wish_end(self) -> Call:
        return self._call("end")

    def _wish_open(self) -> Call:
        to_role = self.world.random.choice(("maker", "left", "reviewer"))
        return self._call("open", task=self._task(0.8), to_role=to_role)

    def _task(self, odd: float = 0.1) -> str:
        """Name a task: mostly one that is open."""
        world = self.world
        known = [name for name, task in world.checker.tasks.items() if not task.closed]
        if known and world.random.random() >= odd:
            return world.random.choice(known)
        return f"{world.random.choice(TASKS)}-{len(world.checker.tasks) // 3}"

    def _wish_offer(self) -> Call:
        world = self.world
        scope: tuple[str, ...] = ()
        if world.random.random() < 0.8:
            scope = self._scope()
        own = [world.checker.held[token] for token in self.tokens]
        if own and world.random.random() < 0.6:
            held = world.random.choice(own)
            scope = held.scope[: world.random.randint(1, len(held.scope))]
        tasks = world.checker.tasks.items()
        mine = [n for n, t in tasks if t.holder == self.session and not t.closed]
        task = world.random.choice(mine) if mine and world.random.random() < 0.8 else self._task()
        return self._call(
            "offer",
            request=self._request(),
            task=task,
            scope=_least(scope),
            to_role=world.random.choice(RECEIVERS[: 2 * len(world.agents)]),
            kind=world.random.choice(("complete", "complete", "return", "block")),
        )

    def _mine(self) -> str:
        """Name a task of which a packet waits for this agent's role, if there is one."""
        checker = self.world.checker
        found = [
            name
            for name, task in checker.tasks.items()
            if task.newest.state == "open" and checker.fits(self.session, task.newest.to_role)
        ]
        if found and self.world.random.random() < 0.8:
            return self.world.random.choice(found)
        return self._task()

    def _wish_accept(self) -> Call:
        return self._call("accept", request=self._request(), task=self._mine())

    def _wish_decline(self) -> Call:
        return self._call("decline", request=self._request(), task=self._mine())

    def _wish_withdraw(self) -> Call:
        mine = [
            name
            for name, task in self.world.checker.tasks.items()
            if task.newest.giver == self.session and task.newest.state == "open"
        ]
        task = self.world.random.choice(mine) if mine else self._task()
        return self._call("withdraw", request=self._request(), task=task)

    def _wish_close(self) -> Call:
        return self._call("close", task=self._task())

    # --- calls -----------------------------------------------------------------------------------

    def _send(self, call: Call) -> None:
        """Send a call; it may be lost, late or delivered twice, and its sender may not know."""
        world, chance = self.world, self.world.random
        self.pending = call
        ms = chance.randint(1, 30)
        if chance.random() < 0.06:
            ms = self._boundary() or ms
        if "slow" in world.faults and chance.random() < 0.05:
            ms += chance.randint(500, 8_000)
        if "lost" in world.faults and chance.random() < 0.03:
            world.tell(f"#{call.number} is lost")
        else:
            world.after(ms, self.arrive, call, world.clock.boot)
        if "twice" in world.faults and chance.random() < 0.05:
            late = chance.choice((5, 500, 5_000, *world.plan.ttls))
            world.after(ms + late, self.arrive, call, world.clock.boot)
        world.after(PATIENCE_MS, self.give_up, call, self.life)

    def arrive(self, call: Call, boot: int) -> None:
        """Let a call reach the store; its answer goes back to whoever waits for it."""
        world, chance = self.world, self.world.random
        if boot != world.clock.boot:
            return  # it was on the machine that started again
        if world.nested and world.current is not None and world.current.number == call.number:
            return
        answer = world.perform(call, self.ahead)
        if "lost" in world.faults and chance.random() < 0.04:
            world.tell(f"the answer to #{call.number} is lost")
            return
        ms = chance.randint(1, 30)
        if "slow" in world.faults and chance.random() < 0.05:
            ms += chance.randint(500, 8_000)
        world.after(ms, self.hear, call, answer, self.life)

    def give_up(self, call: Call, life: int) -> None:
        """Stop waiting for an answer: ask again under the same name, or never know."""
        if life != self.life or self.pending is not call:
            return
        if self._stopped(self.give_up, call, life):
            return
        self._again(call)

    def _again(self, call: Call) -> None:
        call.tries += 1
        if call.tries < TRIES_MAX or call.op in ("start", "wait"):
            again = replace(call, sent=self.world.clock.true)
            self._send(again)
            return
        self.pending = None
        if call.op == "end":
            self.begun, self.waits = False, None
            self._anew()
        self._nap(10, 300)

    def hear(self, call: Call, answer: Answer, life: int) -> None:
        """Take an answer in."""
        if life != self.life or self.pending is not call:
            return
        if self._stopped(self.hear, call, answer, life):
            return
        if answer["code"] == "store_busy":
            self.pending = None
            self.world.after(300, self._once_more, call, life)
            self.pending = call
            return
        self.pending = None
        self._learn(call, answer)
        self._nap(*(POLL_MS if self.waits is not None else self.world.plan.naps))

    def _once_more(self, call: Call, life: int) -> None:
        if life == self.life and self.pending is call:
            self._again(call)

    def _learn(self, call: Call, answer: Answer) -> None:
        code = answer["code"]
        if code in ("granted", "renewed"):
            self._hold(answer["token"], answer["trusted"])
        elif code == "accepted" and "token" in answer:
            self._hold(answer["token"], 0)
        elif code in ("started", "resumed"):
            self.begun, self.must_read = True, bool(answer["left"])
        elif code in ("read", "vowed"):
            self.must_read = bool(answer["left"])
        elif code == "reading_required":
            self.must_read = True
        elif code in ("ended", "unknown_session"):
            self.begun, self.tokens, self.trusted, self.waits = False, [], {}, None
            self._anew()
        if call.op == "wait":
            self.waits = call if code == "waiting" else None
            if code == "waiting":
                call.ticket = answer["ticket"]
                self.look_at = call.sent + RETRY_MS
                self.version = answer["version"]
        ended = call.op == "release" and code in ("released", "gone")
        if ended and call.seq in self.tokens and self.world.random.random() < 0.8:
            self.tokens.remove(call.seq)

    def _hold(self, token: int, trusted: int) -> None:
        if token not in self.tokens:
            self.tokens = [*self.tokens[1 - MEMORY_MAX :], token]
        if trusted:
            self.trusted[token] = trusted

    def _calm_down(self) -> None:
        """At the end give back what it holds, and nothing else."""
        if self.waits is not None:
            self._look_again()
            return
        own: list[Held] = self.world.checker.live(self.session)
        if own:
            call = self._call("release", token=f"{EPOCH}:{own[0].token}", seq=own[0].token)
            self._send(call)
        else:
            self._nap(*CALM_MS)


def _least(scope: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out what lies inside another part of a scope, as a scope is written down."""
    kept: list[str] = []
    for text in scope:
        if not any(not mask_of(text) & ~mask_of(other) for other in kept):
            kept = [one for one in kept if mask_of(one) & ~mask_of(text)]
            kept.append(text)
    return tuple(kept)

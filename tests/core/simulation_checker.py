"""An independent judge of what a store grants and refuses; it shares no code with the core.

It keeps its own books of who holds what and who waits, from the answers alone, and it knows the
rules a second time, in another way: a scope is the set of all paths it means in a small universe,
as the bits of one number, so that overlap is ``&`` and containment is ``& ~``. The universe is
complete for patterns of at most two segments beside ``**`` over its names: whatever two of them
share, and whatever one has beyond others, shows in a path of four names.

Each ``judge_…`` is told what was asked, at which store time, and what was answered, all in plain
values; it raises Violation if the answer is not the one that the rules give, and else enters it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.core.scope_bruteforce import means

SECOND: Final = 1_000
HOUR: Final = 3_600 * SECOND
WAIT_MS: Final = 10 * SECOND
UNANCHORED_MAX: Final = 64

NAMES: Final = ("a", "b", "ab", "zz", "c.md", "a.md", "zz.md")
PATHS: Final = tuple(
    "/".join(names) for depth in range(1, 5) for names in itertools.product(NAMES, repeat=depth)
)
PLACES: Final = {path: place for place, path in enumerate(PATHS)}
Answer = Mapping[str, Any]


class Violation(AssertionError):
    """The store did something that the rules do not allow, or did not do what they ask for."""


@functools.cache
def mask_of(text: str) -> int:
    """Give the paths that a pattern means, as bits."""
    return sum(1 << at for at, path in enumerate(PATHS) if means(text, path))


def mask(texts: Iterable[str]) -> int:
    """Give the paths that any of these patterns means."""
    return functools.reduce(lambda one, other: one | other, map(mask_of, texts), 0)


def unanchored(texts: Iterable[str]) -> int:
    return sum(bool(set("*?") & set(text.split("/")[0])) for text in texts)


@dataclass
class Held:
    """A lease as the answers described it."""

    token: int
    session: str
    kind: str
    tree: str
    scope: tuple[str, ...]
    mask: int
    granted: int
    expires: int
    role: str | None
    ended: str | None = None


@dataclass
class Queued:
    """A claim that waits."""

    ticket: int
    session: str
    kind: str
    tree: str
    mask: int
    until: int


@dataclass(frozen=True)
class Asked:
    """A claim as it was asked for."""

    session: str
    tree: str
    role: str | None
    scope: tuple[str, ...]
    kind: str
    ttl: int
    ticket: int | None = None


class Checker:
    """The books, and the judge."""

    def __init__(
        self,
        lanes: Mapping[str, tuple[str, ...]],
        read_only: Iterable[str],
        contended: Iterable[str],
        exempt: Iterable[str],
    ) -> None:
        self.lanes = {role: mask(lane) for role, lane in lanes.items()}
        self.read_only = frozenset(read_only)
        self.contended = mask(contended)
        self.exempt = mask(exempt)
        self.held: dict[int, Held] = {}
        self.queue: dict[int, Queued] = {}
        self.tickets = 0
        self.sessions: dict[str, tuple[str, str | None, bool]] = {}
        self.now = 0
        self.judged: dict[str, int] = {}

    # --- what the books say ----------------------------------------------------------------------

    def open(self) -> list[Held]:
        """List the leases that nothing has ended yet, run out or not."""
        return [held for held in self.held.values() if held.ended is None]

    def live(self, session: str | None = None) -> list[Held]:
        """List the leases that bind now."""
        return [
            held
            for held in self.open()
            if self.now < held.expires and session in (None, held.session)
        ]

    def waiting(self) -> list[Queued]:
        return [queued for queued in self.queue.values() if self.now < queued.until]

    def meet(self, one: Held | Queued, other: Held | Queued | Asked) -> str | None:
        """Say whether two scopes exclude each other, may stand side by side, or do not meet."""
        paths = mask(other.scope) if isinstance(other, Asked) else other.mask
        kind = self.kind_of(other) if isinstance(other, Asked) else other.kind
        shared, same_tree = one.mask & paths, one.tree == other.tree
        if not shared:
            return None
        by_hand = "exclusive" in (one.kind, kind) and shared & ~self.contended
        return "exclude" if by_hand or same_tree else "beside"

    def kind_of(self, asked: Asked) -> str:
        return asked.kind if mask(asked.scope) & ~self.contended else "local"

    # --- judging ---------------------------------------------------------------------------------

    def demand(self, good: object, what: str) -> None:
        if not good:
            raise Violation(what)

    def count(self, what: str) -> None:
        self.judged[what] = self.judged.get(what, 0) + 1

    def judge_time(self, now: int) -> None:
        """Store time never goes back."""
        self.demand(now >= self.now, f"store time went back from {self.now} to {now}")
        self.now = now

    def judge_claim(self, asked: Asked, answer: Answer) -> None:
        """Judge a grant, a renewal or a refusal of a claim."""
        expected = self.expected_of(asked)
        code = answer["code"]
        self.count(code)
        self.demand(code == expected, f"{asked} was answered {answer}; the rules say {expected}")
        if code == "granted":
            self._enter_grant(asked, answer)
        elif code == "renewed":
            self._enter_renewal(asked, answer)
        elif code == "scope_held":
            self._judge_held(asked, answer)
        elif code == "scope_awaited":
            ahead = [queued.session for queued in self.ahead_of(asked)]
            self.demand(answer["session"] in ahead, f"{answer['session']} is not ahead of {asked}")
            theirs = [queued.mask for queued in self.ahead_of(asked)]
            self._judge_witness(asked, answer["witness"], answer["scope"])
            self.demand(mask(answer["scope"]) in theirs, f"nobody waits for {answer['scope']}")
        elif code in ("outside_lane", "sandbox_read_only"):
            inside = any(means(text, answer["witness"]) for text in asked.scope)
            self.demand(inside, f"{answer['witness']} was not asked for")

    def expected_of(self, asked: Asked) -> str:
        """Say what the rules answer."""
        wanted = mask(asked.scope)
        if not SECOND <= asked.ttl <= 24 * HOUR:
            return "malformed_ttl"
        if wanted & ~self.lanes[asked.role or ""]:
            return "sandbox_read_only" if asked.role in self.read_only else "outside_lane"
        if self.holders(asked):
            return "scope_held"
        if self.own_that_do(asked):
            return "renewed"
        if self.ahead_of(asked):
            return "scope_awaited"
        count = unanchored(asked.scope)
        if count and count + sum(unanchored(held.scope) for held in self.live()) > UNANCHORED_MAX:
            return "unanchored_limit"
        return "granted"

    def holders(self, asked: Asked) -> list[Held]:
        """List who stands in the way of a claim with a live lease."""
        return [
            held
            for held in self.live()
            if held.session != asked.session and self.meet(held, asked) == "exclude"
        ]

    def own_that_do(self, asked: Asked) -> list[Held]:
        """List the live leases that already give their session what it asks for."""
        return [
            held
            for held in self.live(asked.session)
            if not mask(asked.scope) & ~held.mask
            and (held.kind == "exclusive" or self.kind_of(asked) == "local")
        ]

    def ahead_of(self, asked: Asked) -> list[Queued]:
        """List the claims that arrived earlier, wait still, and want what excludes this one."""
        waiting = self.waiting()
        kept = asked.ticket in [queued.ticket for queued in waiting]
        return [
            queued
            for queued in waiting
            if queued.session != asked.session
            and (not kept or queued.ticket < (asked.ticket or 0))
            and self.meet(queued, asked) == "exclude"
        ]

    def _judge_held(self, asked: Asked, answer: Answer) -> None:
        held = self.held.get(answer["token"])
        self.demand(held in self.holders(asked), f"{answer} names no holder of {asked}")
        assert held is not None
        told = (answer["session"], answer["scope"], answer["expires"])
        self.demand(told == (held.session, held.scope, held.expires), f"{answer} is not {held}")
        self._judge_witness(asked, answer["witness"], held.scope)

    def _judge_witness(self, asked: Asked, witness: str, scope: Sequence[str]) -> None:
        both = (asked.scope, scope)
        lies = all(any(means(text, witness) for text in texts) for texts in both)
        self.demand(lies, f"witness {witness} does not lie in both of {both}")

    def _enter_grant(self, asked: Asked, answer: Answer) -> None:
        wanted, token = mask(asked.scope), answer["token"]
        self.demand(token > max(self.held, default=0), f"token {token} is not a new one")
        self.demand(answer["expires"] == self.now + asked.ttl, f"{answer} does not end in time")
        self.demand(answer["kind"] == self.kind_of(asked), f"{answer} has the wrong kind")
        self.demand(answer["role"] == asked.role, f"{answer} has the wrong role")
        beside = [
            held.token
            for held in self.live()
            if held.session != asked.session and self.meet(held, asked) == "beside"
        ]
        self.demand(list(answer["beside"]) == sorted(beside), f"{answer} is beside {beside}")
        for dead in answer["expired"]:
            self.enter_expired(dead)
        for held in self.open():
            if held.mask & wanted and held.expires <= self.now:
                raise Violation(f"{held} had run out and was not recorded before {answer}")
        self.held[token] = Held(
            token=token,
            session=asked.session,
            kind=answer["kind"],
            tree=asked.tree,
            scope=asked.scope,
            mask=wanted,
            granted=self.now,
            expires=answer["expires"],
            role=asked.role,
        )
        self._leave(asked)

    def enter_expired(self, token: int) -> None:
        """Enter that a lease was recorded as expired."""
        held = self.held.get(token)
        good = held is not None and held.ended is None and held.expires <= self.now
        self.demand(good, f"{token} was recorded as expired, but is {held} at {self.now}")
        assert held is not None
        held.ended = "expired"

    def _enter_renewal(self, asked: Asked, answer: Answer) -> None:
        held = self.held.get(answer["token"])
        self.demand(held in self.own_that_do(asked), f"{answer} renewed {held} for {asked}")
        assert held is not None
        self._renew(held, asked.ttl, answer["expires"])
        self._leave(asked)

    def _renew(self, held: Held, ttl: int, expires: int) -> None:
        wanted = max(held.expires, min(self.now + ttl, held.granted + 72 * HOUR))
        self.demand(expires == wanted, f"renewed to {expires} instead of {wanted}: {held}")
        held.expires = expires

    def _leave(self, asked: Asked) -> None:
        if asked.ticket is not None:
            self.queue.pop(asked.ticket, None)

    # --- waiting ---------------------------------------------------------------------------------

    def judge_wait(self, asked: Asked, answer: Answer) -> None:
        """Judge a place in the queue, or the refusal to wait in a circle."""
        circle = self.in_a_circle(asked)
        self.count("circle" if circle else "waiting")
        if answer["code"] == "would_deadlock":
            self.demand(circle, f"{asked} could have waited: {self.queue}, {self.live()}")
            return
        self.demand(answer["code"] == "waiting", f"waiting was answered {answer}")
        self.demand(not circle, f"{asked} waits in a circle: {self.queue}, {self.live()}")
        mine = self.queue.get(asked.ticket or 0)
        if mine is not None and self.now < mine.until:
            if mine.until - self.now <= WAIT_MS // 2:
                mine.until = self.now + WAIT_MS
            return
        self.queue = {queued.ticket: queued for queued in self.waiting()}
        self.tickets += 1
        self.queue[self.tickets] = Queued(
            *(self.tickets, asked.session, self.kind_of(asked), asked.tree, mask(asked.scope)),
            self.now + WAIT_MS,
        )

    def leave_queue(self, ticket: int) -> None:
        """Enter that a claim gave up its place."""
        self.queue.pop(ticket, None)

    def in_a_circle(self, asked: Asked) -> bool:
        """Tell whether a claim would wait for somebody who waits, in the end, for its leases.

        Grows the set of all claims that cannot be served before the asker lets go of something,
        until it grows no more; then looks whether the asker itself would wait for one of them.
        """
        waiting = self.waiting()
        place = asked.ticket if asked.ticket in [q.ticket for q in waiting] else 1 + self.tickets
        mine = Queued(
            *(place or 0, asked.session, self.kind_of(asked), asked.tree, mask(asked.scope), 0)
        )
        stuck: list[Queued] = []
        grew = True
        while grew:
            grew = False
            for queued in waiting:
                if queued not in stuck and self._waits_for(queued, asked.session, stuck):
                    stuck.append(queued)
                    grew = True
        return self._waits_for(mine, None, stuck)

    def _waits_for(self, one: Queued, holder: str | None, stuck: list[Queued]) -> bool:
        """Tell whether a claim waits for leases of the holder, or for one of those stuck."""
        for held in self.live():
            bad = held.session == holder or held.session in [queued.session for queued in stuck]
            if bad and held.session != one.session and self.meet(held, one) == "exclude":
                return True
        return any(
            queued.ticket < one.ticket
            and queued.session != one.session
            and self.meet(queued, one) == "exclude"
            for queued in stuck
        )

    # --- tokens ----------------------------------------------------------------------------------

    def fate_of(self, session: str, token: int) -> str:
        """Say what a session is told about a token that it wants to use."""
        held = self.held[token]
        if held.session != session:
            return "not_holder"
        if held.ended is None:
            return "live" if self.now < held.expires else "lease_expired"
        if self.later_conflict(held):
            return "stale_token"
        return "lease_expired" if held.ended == "expired" else "not_holder"

    def later_conflict(self, held: Held) -> bool:
        """Tell whether something that excludes this was granted to another session after it."""
        return any(
            other.token > held.token
            and other.session != held.session
            and self.meet(other, held) == "exclude"
            for other in self.held.values()
        )

    def judge_renew(self, session: str, token: int, ttl: int, answer: Answer) -> None:
        fate = self.fate_of(session, token)
        self.count(f"renew: {fate}")
        expected = "renewed" if fate == "live" else fate
        self.demand(answer["code"] == expected, f"renewing {token}: {answer}, not {expected}")
        if fate == "live":
            self._renew(self.held[token], ttl, answer["expires"])

    def judge_release(self, session: str, token: int, answer: Answer) -> None:
        fate, held = self.fate_of(session, token), self.held[token]
        self.count(f"release: {fate}")
        ran_out = fate == "lease_expired" and held.ended is None
        expected = {"live": "released"}.get(fate, "expired" if ran_out else fate)
        self.demand(answer["code"] == expected, f"releasing {token}: {answer}, not {expected}")
        if answer["code"] in ("released", "expired"):
            held.ended = answer["code"]

    # --- commits ---------------------------------------------------------------------------------

    def judge_attest(self, session: str, paths: Sequence[str], answer: Answer) -> None:
        """Judge the attestation of a commit over these paths, or its refusal."""
        tree = self.sessions[session][0]
        gaps = [
            path
            for path in paths
            if not self.exempt >> PLACES[path] & 1 and not self.covering(session, tree, path)
        ]
        code = "not_covered" if gaps else "attested"
        self.count(code)
        self.demand(answer["code"] == code, f"{paths} of {session}: {answer}, open are {gaps}")
        if gaps:
            self.demand(answer["missing"] == gaps, f"{answer['missing']} instead of {gaps}")
            return
        for token, expires in answer["cover"]:
            held = self.held.get(token)
            covers = held is not None and any(
                held in self.covering(session, tree, path) for path in paths
            )
            self.demand(covers, f"{token} covers nothing of {paths}")
            assert held is not None
            self.demand(expires == held.expires, f"{token} ends at {held.expires}, not {expires}")
            self.demand(not self.later_conflict(held), f"{token} is fenced and attested {paths}")

    def covering(self, session: str, tree: str, path: str) -> list[Held]:
        return [
            held
            for held in self.live(session)
            if held.tree == tree and held.mask >> PLACES[path] & 1
        ]

    def judge_may_write(self, session: str, tree: str, path: str, answer: bool) -> None:
        """Judge what the guard is told about a path."""
        self.count(f"may write: {answer}")
        covered = bool(self.covering(session, tree, path))
        self.demand(answer == covered, f"{session} may write {path} in {tree}: {answer}")

    # --- sessions --------------------------------------------------------------------------------

    def enter_start(self, session: str, tree: str, role: str | None) -> None:
        self.sessions[session] = (tree, role, True)

    def judge_end(self, session: str, ended: Mapping[int, str]) -> None:
        """Judge the end of a session: with it go its leases and its places in the queue."""
        own = {
            held.token: "released" if self.now < held.expires else "expired"
            for held in self.open()
            if held.session == session
        }
        self.count("end")
        self.demand(dict(ended) == own, f"with {session} ended {ended} instead of {own}")
        for token, how in own.items():
            self.held[token].ended = how
        self.queue = {t: queued for t, queued in self.queue.items() if queued.session != session}
        tree, role, _ = self.sessions[session]
        self.sessions[session] = (tree, role, False)

    # --- the tables ------------------------------------------------------------------------------

    def judge_tables(
        self,
        leases: Mapping[int, tuple[object, ...]],
        waiters: Mapping[int, tuple[object, ...]],
        sessions: Mapping[str, tuple[object, ...]],
    ) -> None:
        """Judge that the store's rows are what its answers said, and that none exclude others."""
        books: Mapping[int, tuple[object, ...]] = {
            held.token: (held.session, held.kind, held.tree, held.scope, held.granted, held.expires)
            for held in self.open()
        }
        queue = {q.ticket: (q.session, q.kind, q.tree, q.until) for q in self.queue.values()}
        for rows, told in ((leases, books), (waiters, queue), (sessions, self.sessions)):
            if rows != told:
                raise Violation(f"the store has {rows}, but its answers said {told}")
        for one, other in itertools.combinations(self.live(), 2):
            if one.session != other.session and self.meet(one, other) == "exclude":
                raise Violation(f"both live at {self.now}: {one} and {other}")

"""Who holds what and who waits, from the ledger and the answers alone; and what the rules answer.

The rules stand here a second time, in another way: scopes are sets of paths (``universe``), tables
are written out as conditions. A grant is judged when its entry comes, a refusal when it is given:
one that the rules do not give is as wrong as a grant that they forbid.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tests.sim.chain import Chain, Seen, Violation
from tests.sim.universe import NAMED, PLACES, inside, mask, unanchored

SECOND: Final = 1_000
HOUR: Final = 3_600 * SECOND
WAIT_MS: Final = 10 * SECOND
TTL_MOST: Final = 24 * HOUR
AGE_MOST: Final = 72 * HOUR
UNANCHORED_MAX: Final = 64
TASK: Final = "task:"
Answer = Mapping[str, Any]


@dataclass
class Held:
    """A lease as the ledger described it."""

    token: int
    session: str
    kind: str
    tree: str
    scope: tuple[str, ...]
    mask: int = field(repr=False)
    granted: int
    ttl: int
    expires: int
    role: str | None
    ended: str | None = None
    ended_by: str | None = None
    ended_at: int = 0


@dataclass
class Queued:
    """A claim that waits."""

    ticket: int
    session: str
    kind: str
    tree: str
    mask: int = field(repr=False)
    until: int


class Asked(NamedTuple):
    """A claim as it was asked for; ``scope`` in the spelling in which this workspace compares.

    ``giver`` is whose leases stand in nobody's way, where a task reserves what it is given.
    """

    session: str
    tree: str
    role: str | None
    scope: tuple[str, ...]
    kind: str
    ttl: int
    ticket: int | None = None
    giver: str = ""


@dataclass(frozen=True)
class Charter:
    """What the configuration says, as far as the checker knows the rules."""

    lanes: Mapping[str, tuple[str, ...]]
    families: Mapping[str, str]
    read_only: frozenset[str]
    contended: tuple[str, ...]
    exempt: tuple[str, ...]
    ttl: int
    lapse: int
    halt_after: int
    reading: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Books:
    """The tables of leases, waiting claims and sessions, and the judge of all that is said of them.

    ``now`` is the store time of the transaction that runs, ``actor`` the session that asked for it.
    """

    def __init__(self, charter: Charter, epoch: str) -> None:
        self.charter = charter
        self.chain = Chain(epoch)
        # The folder of evidence lies in everybody's lane.
        self.lanes = {role: mask(lane) | ~NAMED for role, lane in charter.lanes.items()}
        # Whoever claims a contended path means what lies below it, too.
        below = tuple(f"{text}/**" for text in charter.contended)
        self.contended = mask((*charter.contended, *below))
        self.exempt = mask(charter.exempt)
        self.held: dict[int, Held] = {}
        self.open: dict[int, Held] = {}
        self.queue: dict[int, Queued] = {}
        self.tickets = 0
        self.sessions: dict[str, tuple[str, str | None, bool]] = {}
        self.now = 0
        self.actor: str | None = None
        self.judged: dict[str, int] = {}

    # --- what the books say ----------------------------------------------------------------------

    def live(self, session: str | None = None) -> list[Held]:
        """List the leases that bind now."""
        now = self.now
        if session is None:
            return [held for held in self.open.values() if now < held.expires]
        return [h for h in self.open.values() if h.session == session and now < h.expires]

    def is_live(self, session: str | None) -> bool:
        """Tell whether a session has begun and not ended."""
        return session in self.sessions and self.sessions[session][2]

    def waiting(self) -> list[Queued]:
        """List the claims whose place in the queue has not lapsed."""
        return [queued for queued in self.queue.values() if self.now < queued.until]

    def meet(self, one: Held | Queued, paths: int, kind: str, tree: str) -> str | None:
        """Say whether two scopes exclude each other, may stand side by side, or do not meet."""
        shared = one.mask & paths
        if not shared:
            return None
        if one.tree == tree:
            return "exclude"
        by_hand = one.kind == "exclusive" or kind == "exclusive"
        return "exclude" if by_hand and shared & ~self.contended else "beside"

    def kind_of(self, paths: int, kind: str) -> str:
        """Contended paths are always local."""
        return kind if paths & ~self.contended else "local"

    def count(self, what: str) -> None:
        """Remember that something happened: a run in which it never did would prove little."""
        self.judged[what] = self.judged.get(what, 0) + 1

    # --- entries ---------------------------------------------------------------------------------

    def entered(self, entries: Iterable[Any]) -> list[Seen]:
        """Judge and enter what a transaction left in the ledger."""
        found = []
        for entry in entries:
            seen = self.chain.take(*entry)
            if seen.at != self.now:
                raise Violation(f"P5: entry {seen.seq} is of {seen.at}, it is {self.now}")
            self.enter(seen)
            found.append(seen)
        return found

    def enter(self, seen: Seen) -> None:
        """Judge one entry and enter it."""
        payload = seen.payload
        match seen.kind:
            case "lease.granted":
                self._granted(seen)
            case "lease.released":
                self._released(payload["token"], payload["reason"])
            case "lease.expired":
                self._expired(payload["token"], payload["expired_at"])
            case "session.started":
                name = payload["session"]
                if self.is_live(name):
                    raise Violation(f"{name} was started twice")
                self.sessions[name] = (payload["worktree"], payload["role"], True)
            case "session.ended":
                self._ended(payload["session"])
            case "commit.attested":
                self._attested(seen)
            case "store.created" | "config.applied":
                pass
            case kind:
                raise Violation(f"nothing here leads to an entry {kind}: {payload}")

    def _granted(self, seen: Seen) -> None:
        payload = seen.payload
        scope = tuple(payload["patterns"])
        held = Held(
            token=seen.seq,
            session=payload["session"],
            kind=payload["kind"],
            tree=payload["worktree"],
            scope=scope,
            mask=mask(scope),
            granted=seen.at,
            ttl=payload["ttl_ms"],
            expires=payload["expires_at"],
            role=payload["role"],
        )
        known = held.session.startswith(TASK) or self.is_live(held.session)
        if not known:
            raise Violation(f"{held} was granted to nobody")
        for other in self.live():
            if other.session != held.session:
                met = self.meet(other, held.mask, held.kind, held.tree)
                if not (met != "exclude"):
                    raise Violation(f"P1: granted {held} beside {other}")
        self.held[seen.seq] = self.open[seen.seq] = held

    def _released(self, token: int, reason: str) -> None:
        held = self.open.get(token)
        if not held:
            raise Violation(f"{token} was released ({reason}) and is {self.held.get(token)}")
        assert held is not None
        own = reason in ("released", "session_ended")
        if own and not (self.now < held.expires):
            raise Violation(f"{held} had run out and was released ({reason})")
        mine = held.session == self.actor or held.session.startswith(TASK)
        if not mine:
            raise Violation(f"{self.actor} ended {held} of somebody else ({reason})")
        self.end(held, "released")

    def _expired(self, token: int, expired_at: int) -> None:
        held = self.open.get(token)
        good = held is not None and held.expires <= self.now and expired_at == held.expires
        if not good:
            raise Violation(f"{token} was recorded as expired, but is {held} at {self.now}")
        assert held is not None
        self.end(held, "expired")

    def end(self, held: Held, how: str) -> None:
        """Enter that a lease ended."""
        held.ended, held.ended_by, held.ended_at = how, self.actor, self.now
        del self.open[held.token]

    def _ended(self, session: str) -> None:
        tree, role, live = self.sessions.get(session, ("", None, False))
        if not live:
            raise Violation(f"{session} was ended and was not there")
        left = [held for held in self.open.values() if held.session == session]
        if left:
            raise Violation(f"{session} ended and left {left}")
        self.sessions[session] = (tree, role, False)
        self.queue = {t: queued for t, queued in self.queue.items() if queued.session != session}

    def _attested(self, seen: Seen) -> None:
        session = seen.session or ""
        for token, expires in seen.payload["cover"]:
            held = self.open.get(token)
            live = held is not None and self.now < held.expires
            if not live:
                raise Violation(f"P2: {token} attests and is {self.held.get(token)} at {self.now}")
            assert held is not None
            if not (held.session == session):
                raise Violation(f"P2: {session} attests under {held}")
            if not (expires == held.expires):
                raise Violation(f"{token} ends at {held.expires}, not {expires}")
            if self.later_conflict(held):
                raise Violation(f"P2: {held} is fenced and attests")

    # --- claims ----------------------------------------------------------------------------------

    def expected_of(self, asked: Asked) -> str:
        """Say what the rules answer to a claim."""
        if not self.is_live(asked.session):
            return "unknown_session"
        if not SECOND <= asked.ttl <= TTL_MOST:
            return "malformed_ttl"
        wanted = mask(asked.scope)
        if wanted & ~self.lanes[asked.role or ""]:
            return "sandbox_read_only" if asked.role in self.charter.read_only else "outside_lane"
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
        """List who stands in the way of a claim: live leases, and what tasks hold past its end.

        Where that goes has to be recorded before somebody else gets it.
        """
        paths = mask(asked.scope)
        kind, found = self.kind_of(paths, asked.kind), []
        for held in self.open.values():
            if held.session == asked.session or not held.mask & paths:
                continue
            if self.now >= held.expires:
                if held.session.startswith(TASK):
                    found.append(held)
            elif self.meet(held, paths, kind, asked.tree) == "exclude":
                found.append(held)
        return found

    def own_that_do(self, asked: Asked) -> list[Held]:
        """List the live leases that already give their session what it asks for."""
        paths = mask(asked.scope)
        kind = self.kind_of(paths, asked.kind)
        return [
            held
            for held in self.live(asked.session)
            if not paths & ~held.mask and (held.kind == "exclusive" or kind == "local")
        ]

    def ahead_of(self, asked: Asked) -> list[Queued]:
        """List the claims that arrived earlier, wait still, and want what excludes this one."""
        waiting = self.waiting()
        if not waiting:
            return []
        kept = asked.ticket in [queued.ticket for queued in waiting]
        paths = mask(asked.scope)
        kind = self.kind_of(paths, asked.kind)
        return [
            queued
            for queued in waiting
            if queued.session != asked.session
            and (not kept or queued.ticket < (asked.ticket or 0))
            and self.meet(queued, paths, kind, asked.tree) == "exclude"
        ]

    def judge_claim(self, asked: Asked, answer: Answer, fresh: Sequence[Seen]) -> None:
        """Judge what a claim led to; its grant was entered with its entry."""
        code = answer["code"]
        if code == "granted":
            self._judge_grant(asked, answer, fresh)
        elif code == "renewed":
            held = self.open.get(answer["token"])
            if held not in self.own_that_do(asked):
                raise Violation(f"{answer} renewed {held} for {asked}")
            assert held is not None
            self.renewed(held, asked.ttl, answer["expires"])
            self.leave_queue(asked.ticket)
        elif code == "scope_held":
            self._judge_held(asked, answer)
        elif code == "scope_awaited":
            ahead = [q for q in self.ahead_of(asked) if q.session == answer["session"]]
            if not ahead:
                raise Violation(f"{answer['session']} is not ahead of {asked}")
            self._judge_witness(asked, answer["witness"], answer["scope"])
            theirs = [queued.mask for queued in ahead]
            said = mask(tuple(answer["scope"]))
            if said not in theirs:
                raise Violation(f"nobody waits for {answer['scope']}")
        elif code in ("outside_lane", "sandbox_read_only"):
            good = inside(asked.scope, answer["witness"])
            if not good:
                raise Violation(f"{answer['witness']} was not asked for")

    def _judge_held(self, asked: Asked, answer: Answer) -> None:
        held = self.open.get(answer["token"])
        if held not in self.holders(asked):
            raise Violation(f"{answer} names no holder of {asked}")
        assert held is not None
        told = (answer["session"], tuple(answer["scope"]), answer["expires"])
        if not (told == (held.session, held.scope, held.expires)):
            raise Violation(f"a refusal tells of {told}, and it is {held}")
        self._judge_witness(asked, answer["witness"], held.scope)

    def _judge_witness(self, asked: Asked, witness: str, scope: Sequence[str]) -> None:
        lies = inside(asked.scope, witness) and inside(scope, witness)
        if not lies:
            raise Violation(f"witness {witness} does not lie in both of {asked.scope} and {scope}")

    def _judge_grant(self, asked: Asked, answer: Answer, fresh: Sequence[Seen]) -> None:
        held = self.held.get(answer["token"])
        tokens = [seen.seq for seen in fresh if seen.kind == "lease.granted"]
        if not (tokens == [answer["token"]]):
            raise Violation(f"{answer} instead of grants {tokens}")
        assert held is not None
        paths = mask(asked.scope)
        kind = self.kind_of(paths, asked.kind)
        found = (held.session, held.tree, held.mask, held.kind, held.role, held.expires)
        wanted = (asked.session, asked.tree, paths, kind, asked.role, self.now + asked.ttl)
        if not (found == wanted):
            raise Violation(f"{asked} was granted as {held}")
        if not (answer["expires"] == held.expires):
            raise Violation(f"{answer} is not {held}")
        beside = sorted(
            other.token
            for other in self.live()
            if other.session != asked.session
            and self.meet(other, paths, kind, asked.tree) == "beside"
        )
        if not (list(answer["beside"]) == beside):
            raise Violation(f"{answer} is beside {beside}")
        for other in self.open.values():
            late = other.mask & paths and other.expires <= self.now
            if late:
                raise Violation(f"{other} had run out and was not recorded before {answer}")
        self.leave_queue(asked.ticket)

    def renewed(self, held: Held, ttl: int, expires: int) -> None:
        """Judge and enter a renewal."""
        wanted = max(held.expires, min(self.now + ttl, held.granted + AGE_MOST))
        if not (self.now < held.expires):
            raise Violation(f"{held} had run out at {self.now} and was renewed")
        if not (expires == wanted):
            raise Violation(f"renewed to {expires} instead of {wanted}: {held}")
        held.expires = expires

    def leave_queue(self, ticket: int | None) -> None:
        """Enter that a claim was served or gave up its place."""
        if ticket is not None:
            self.queue.pop(ticket, None)

    # --- waiting ---------------------------------------------------------------------------------

    def judge_wait(self, asked: Asked, answer: Answer) -> None:
        """Judge a place in the queue, or the refusal to wait in a circle."""
        circle = self.in_a_circle(asked)
        self.count("circle" if circle else "waiting")
        if answer["code"] == "would_deadlock":
            if not circle:
                raise Violation(f"{asked} could have waited: {self.queue}, {self.live()}")
            return
        if not (answer["code"] == "waiting"):
            raise Violation(f"waiting was answered {answer}")
        if circle:
            raise Violation(f"{asked} waits in a circle: {self.queue}, {self.live()}")
        mine = self.queue.get(asked.ticket or 0)
        if mine is not None and self.now < mine.until:
            if mine.until - self.now <= WAIT_MS // 2:
                mine.until = self.now + WAIT_MS
        else:
            self.queue = {queued.ticket: queued for queued in self.waiting()}
            self.tickets += 1
            self.queue[self.tickets] = self._as_queued(asked, self.tickets)
            mine = self.queue[self.tickets]
        if not (answer["ticket"] == mine.ticket):
            raise Violation(f"{answer} is not the place {mine}")
        place = sum(queued.ticket <= mine.ticket for queued in self.waiting())
        if not (answer["place"] == place):
            raise Violation(f"{answer} instead of place {place}")

    def _as_queued(self, asked: Asked, ticket: int) -> Queued:
        paths = mask(asked.scope)
        kind = self.kind_of(paths, asked.kind)
        return Queued(ticket, asked.session, kind, asked.tree, paths, self.now + WAIT_MS)

    def in_a_circle(self, asked: Asked) -> bool:
        """Tell whether a claim would wait for somebody who waits, in the end, for its leases.

        Grows the set of all claims that cannot be served before the asker lets go of something,
        until it grows no more; then looks whether the asker itself would wait for one of them.
        """
        waiting = self.waiting()
        if not self.live(asked.session):
            return False
        place = asked.ticket if asked.ticket in [q.ticket for q in waiting] else 1 + self.tickets
        mine = self._as_queued(asked, place or 0)
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
        bad = {holder, *(queued.session for queued in stuck)} - {one.session}
        for held in self.live():
            if held.session in bad and self.meet(held, one.mask, one.kind, one.tree) == "exclude":
                return True
        return any(
            queued.ticket < one.ticket
            and queued.session != one.session
            and self.meet(queued, one.mask, one.kind, one.tree) == "exclude"
            for queued in stuck
        )

    # --- tokens ----------------------------------------------------------------------------------

    def fate_of(self, session: str, token: int) -> str:
        """Say what a session is told about a token that it wants to use."""
        held = self.held.get(token)
        if held is None:
            return "unknown_token"
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
            and self.meet(other, held.mask, held.kind, held.tree) == "exclude"
            for other in self.held.values()
        )

    def covering(self, session: str, tree: str, path: str) -> list[Held]:
        """List the live leases under which a session may write a path in a working tree."""
        place = PLACES[path]
        return [h for h in self.live(session) if h.tree == tree and h.mask >> place & 1]

    def free_to_write(self, session: str) -> bool:
        """Tell whether nothing but leases stands between a session and its edits."""
        return True

    def judge_may_write(self, session: str, tree: str, path: str, answer: bool) -> None:
        """Judge what the guard is told about a path."""
        covered = bool(self.covering(session, tree, path)) and self.free_to_write(session)
        self.count("may write: True" if covered else "may write: False")
        if not (answer == covered):
            raise Violation(f"{session} may write {path} in {tree}: {answer}")

    # --- the tables ------------------------------------------------------------------------------

    def judge_rows(self, name: str, rows: object, told: object) -> None:
        """Judge that the store's rows are what its answers and entries said."""
        if rows != told:
            raise Violation(f"{name}: the store has {rows}, but its answers said {told}")

    def judge_exclusive(self) -> None:
        """P1, over all that is live now."""
        for one, other in itertools.combinations(self.live(), 2):
            if one.session != other.session:
                met = self.meet(one, other.mask, other.kind, other.tree)
                if not (met != "exclude"):
                    raise Violation(f"P1: both live at {self.now}: {one} and {other}")

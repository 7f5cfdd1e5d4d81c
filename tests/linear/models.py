"""What stores are held against, one thing at a time: registers, and leases with their handoffs.

``Board`` is written from the documents alone (who may hold what, tokens that grow, packets that are
answered once) and shares nothing with ``handrail``: scopes here are plain paths, each of which
means itself and all below. It knows no time: histories for it are shorter than any lease.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, NamedTuple

from tests.linear.checker import Operation

TASK: Final = "task:"
CHANGES: Final = ("granted", "renewed", "released", "offered", "accepted", "withdrawn")


class Register:
    """Registers by name: ``("write", name, value)``, ``("read", name)``, ``("cas", name, a, b)``.

    A read is answered with the value, at first ``""``, a ``cas`` with whether it was done.
    """

    initial: Hashable = ""

    def part(self, operation: Operation) -> Hashable:
        return operation.asked[1]

    def only_looks(self, operation: Operation) -> bool:
        return operation.asked[0] == "read" or operation.answered == (False,)

    def step(self, state: Hashable, operation: Operation) -> Hashable | None:
        what, _, *values = operation.asked
        answered = operation.answered
        if what == "write":
            return values[0]
        if what == "read":
            return state if answered in (None, (state,)) else None
        done = state == values[0]
        if answered not in (None, (done,)):
            return None
        return values[1] if done else state


class Held(NamedTuple):
    """A lease; ``token`` and ``until`` are None until somebody saw them.

    Then all that is known of the token is that it is greater than ``above``.
    """

    session: str
    scope: str
    token: int | None
    until: int | None
    above: int


class Work(NamedTuple):
    """A task: how many packets it had, the giver and the scope of the one that is open, if any."""

    name: str
    number: int
    holder: str | None
    giver: str | None
    offered: str | None

    @property
    def waits(self) -> bool:
        return self.giver is not None


class State(NamedTuple):
    """All leases and tasks, and the greatest token that was seen."""

    leases: frozenset[Held] = frozenset()
    works: tuple[Work, ...] = ()
    top: int = 0

    def lease(self, session: str, scope: str) -> Held | None:
        return next((x for x in self.leases if (x.session, x.scope) == (session, scope)), None)

    def work(self, name: str) -> Work:
        return next(work for work in self.works if work.name == name)

    def put(self, work: Work) -> State:
        return self._replace(works=tuple(work if x.name == work.name else x for x in self.works))

    def without(self, lease: Held) -> State:
        return self._replace(leases=self.leases - {lease})

    def granted(
        self, session: str, scope: str, token: int | None = None, until: int | None = None
    ) -> State | None:
        """Grant a lease under a token that is greater than all before it."""
        if token is not None and token <= self.top:
            return None
        lease = Held(session, scope, token, until, self.top)
        return self._replace(leases=self.leases | {lease}, top=max(self.top, token or 0))

    def seen(self, lease: Held, token: int | None, until: int | None) -> State | None:
        """Learn what is known of a lease, or find that it is something else."""
        if token is not None:
            if lease.token not in (None, token) or token <= lease.above:
                return None
            lease, before = lease._replace(token=token), lease
        else:
            before = lease
        if until is not None:
            if lease.until not in (None, until):
                return None
            lease = lease._replace(until=until)
        top = max(self.top, lease.token or 0)
        return self._replace(leases=(self.leases - {before}) | {lease}, top=top)


def meet(one: str, other: str) -> bool:
    """Tell whether two paths share a path: one is the other, or lies below it."""
    return within(one, other) or within(other, one)


def within(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/")


class Board:
    """Leases and handoffs of sessions that do not end, in a workspace without roles and phases.

    ======================================  ====================================================
    asked                                   answered
    ======================================  ====================================================
    ``claim, session, scope``               ``granted|renewed, token, until``, or ``scope_held,
                                            session, token`` of one that is in the way
    ``renew, session, scope``               ``renewed, token, until``, or ``not_held``
    ``release, session, scope``             ``released, token``, or ``not_held``
    ``offer, session, task, scope``         ``offered, number, token``, or why not
    ``accept, session, task``               ``accepted, number, token`` (None: no scope), or why not
    ``withdraw, session, task``             ``withdrawn, number``, or why not
    ``read, session``                       ``read``, all leases, all tasks
    ======================================  ====================================================
    """

    def __init__(self, tasks: tuple[str, ...] = ()) -> None:
        # A task begins with packet 1, from the system: no scope, for anybody.
        self.initial = State(works=tuple(Work(name, 1, None, "", None) for name in tasks))
        self._steps: dict[Hashable, Callable[[State, Operation], State | None]] = {
            "claim": self._claim,
            "renew": self._renew,
            "release": self._release,
            "offer": self._offer,
            "accept": self._accept,
            "withdraw": self._withdraw,
            "read": self._read,
        }

    def part(self, operation: Operation) -> Hashable | None:
        """Tokens are counted for all scopes together."""
        return None

    def only_looks(self, operation: Operation) -> bool:
        """Refusals and reads change nothing, except what is known."""
        answered = operation.answered
        return answered is not None and answered[0] not in CHANGES

    def step(self, state: State, operation: Operation) -> State | None:
        return self._steps[operation.asked[0]](state, operation)

    def _claim(self, state: State, operation: Operation) -> State | None:
        _, session, scope = map(str, operation.asked)
        held = [x for x in state.leases if x.session != session and meet(x.scope, scope)]
        # Of several that do, the one is renewed whose scope begins first.
        own = sorted(
            (x for x in state.leases if x.session == session and within(scope, x.scope)),
            key=lambda lease: lease.scope,
        )
        match operation.answered:
            case ("granted", int() as token, int() as until):
                return None if held or own else state.granted(session, scope, token, until)
            case ("renewed", int() as token, int() as until):
                known = [y for x in own if (y := state.seen(x, token, None)) is not None]
                return None if held or not known else _moved(known[0], session, token, until)
            case ("scope_held", str() as holder, int() as token):
                found = [state.seen(x, token, None) for x in held if x.session == holder]
                return next((after for after in found if after is not None), None)
            case None if held:
                return None
            case None if own:
                return state.without(own[0])._replace(
                    leases=(state.leases - {own[0]}) | {own[0]._replace(until=None)}
                )
            case None:
                return state.granted(session, scope)
        return None

    def _renew(self, state: State, operation: Operation) -> State | None:
        _, session, scope = map(str, operation.asked)
        lease = state.lease(session, scope)
        match operation.answered:
            case ("renewed", int() as token, int() as until):
                known = None if lease is None else state.seen(lease, token, None)
                return None if known is None else _moved(known, session, token, until)
            case ("not_held",):
                return state if lease is None else None
            case None if lease is not None:
                return state._replace(
                    leases=(state.leases - {lease}) | {lease._replace(until=None)}
                )
        return None

    def _release(self, state: State, operation: Operation) -> State | None:
        _, session, scope = map(str, operation.asked)
        lease = state.lease(session, scope)
        match operation.answered:
            case ("released", int() as token):
                known = None if lease is None else state.seen(lease, token, None)
                return None if known is None else _ended(known, session, scope)
            case ("not_held",):
                return state if lease is None else None
            case None if lease is not None:
                return state.without(lease)
        return None

    def _offer(self, state: State, operation: Operation) -> State | None:
        _, session, name, scope = map(str, operation.asked)
        work, task = state.work(name), TASK + name
        near = [x for x in state.leases if meet(x.scope, scope)]
        others = [x for x in near if x.session not in (session, task)]
        why = None
        if work.waits:
            why = "packet_open"
        elif work.holder not in (None, session):
            why = "handed_off"
        elif any(x not in others and not within(x.scope, scope) for x in near):
            why = "scope_cut"
        elif others:
            why = "scope_held"
        if operation.answered is not None and operation.answered[0] != "offered":
            return state if operation.answered == (why,) else None
        if why is not None:
            return None
        for lease in near:
            state = state.without(lease)
        state = state.put(work._replace(number=work.number + 1, giver=session, offered=scope))
        match operation.answered:
            case ("offered", int() as number, int() as token) if number == work.number + 1:
                return state.granted(task, scope, token)
            case None:
                return state.granted(task, scope)
        return None

    def _accept(self, state: State, operation: Operation) -> State | None:
        _, session, name = map(str, operation.asked)
        work = state.work(name)
        if not work.waits:
            return state if operation.answered == ("no_handoff",) else None
        token: Hashable = None
        if operation.answered is not None:
            what, *told = operation.answered
            if what != "accepted" or told[0] != work.number:
                return None
            token = told[1]
            if (token is None) != (work.offered is None):
                return None
        state = state.put(work._replace(holder=session, giver=None, offered=None))
        if work.offered is None:
            return state
        kept = state.lease(TASK + name, work.offered)
        assert kept is not None, "from the offer on its scope is reserved"
        given = state.without(kept)
        return given.granted(session, work.offered, token if isinstance(token, int) else None)

    def _withdraw(self, state: State, operation: Operation) -> State | None:
        _, session, name = map(str, operation.asked)
        work = state.work(name)
        why = None
        if not work.waits:
            why = "no_handoff"
        elif work.giver != session:
            why = "not_your_handoff"
        if why is not None:
            return state if operation.answered == (why,) else None
        if operation.answered not in (None, ("withdrawn", work.number)):
            return None
        state = state.put(work._replace(giver=None, offered=None))
        kept = state.lease(TASK + name, work.offered or "")
        assert kept is not None, "from the offer on its scope is reserved"
        return state.without(kept).granted(session, kept.scope)

    def _read(self, state: State, operation: Operation) -> State | None:
        if operation.answered is None:
            return state
        _, leases, works = operation.answered
        assert isinstance(leases, tuple)
        assert isinstance(works, tuple)
        if works != tuple((work.name, work.number, work.holder) for work in state.works):
            return None
        if len(leases) != len(state.leases):
            return None
        after: State | None = state
        for session, scope, token, until in leases:
            lease = None if after is None else after.lease(session, scope)
            if after is None or lease is None:
                return None
            after = after.seen(lease, token, None if session.startswith(TASK) else until)
        return after


def _moved(state: State, session: str, token: int, until: int) -> State:
    """Let a lease end at another time."""
    lease = next(x for x in state.leases if (x.session, x.token) == (session, token))
    return state._replace(leases=(state.leases - {lease}) | {lease._replace(until=until)})


def _ended(state: State, session: str, scope: str) -> State:
    lease = state.lease(session, scope)
    assert lease is not None
    return state.without(lease)

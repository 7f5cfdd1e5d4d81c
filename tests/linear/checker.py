"""Is a history linearizable? Wing and Gong's search, with Lowe's two improvements.

A history is a set of operations: who asked what, between which two moments, and what came of it. It
is linearizable if each operation can be given one moment between its call and its return, such
that a model which does one thing at a time gives the same answers. An operation that never
returned, because its client was killed, may have taken effect at any moment after its call, or
never.

Wing and Gong try the orders one by one. Lowe adds that an operation is put in its place only when
somebody has to know (*just in time*: when one returns that has none yet), and that what was done
and where it led to is looked at once. So what is kept between two returns is a set of places: which
of the operations in flight have happened, and the model's state. Of two places that differ only in
what was spent of operations that never return, the one that spent less can go on as the other can,
and is enough, and of several such operations that asked the same any will do: otherwise every
killed client would double the work.

The search takes no recursion and ends: after ``tries_max`` steps of the model it raises
``TooHardError``, which says neither yes nor no.

    verdict = check(history, Register())
    assert verdict.linearizable, verdict.explained
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

TRIES_MAX: Final = 2_000_000
SHOWN_MAX: Final = 12

State = TypeVar("State", bound=Hashable)


class Operation(NamedTuple):
    """One call; moments in any one unit, ``returned`` None where no answer came.

    ``asked`` and ``answered`` mean what the model takes them to mean.
    """

    client: str
    asked: tuple[Hashable, ...]
    answered: tuple[Hashable, ...] | None
    called: int
    returned: int | None


class Model(Protocol[State]):
    """What a thing that does one thing at a time would do."""

    @property
    def initial(self) -> State:
        """The state before anything happened."""

    def step(self, state: State, operation: Operation) -> State | None:
        """Return the state after an operation, None where it could not have been answered so.

        Without an answer any that the model would give will do.
        """

    def only_looks(self, operation: Operation) -> bool:
        """Tell whether an operation that was answered so changes nothing in any state."""

    def part(self, operation: Operation) -> Hashable | None:
        """Name the part of the state that an operation looks at, None: perhaps all of it.

        Operations on different parts must not be able to tell of one another.
        """


class Verdict(NamedTuple):
    """What was found: an order that explains all answers, or where there is none any more."""

    linearizable: bool
    order: tuple[Operation, ...]
    stuck: Operation | None
    beside: tuple[Operation, ...]
    tries: int

    @property
    def explained(self) -> str:
        """Say which answer nothing explains, and what was going on at that time."""
        if self.stuck is None:
            return "linearizable"
        rows = [f"no order explains {self.stuck}; in flight with it:"]
        rows += [f"  {operation}" for operation in self.beside[:SHOWN_MAX]]
        rows.append("the last that was explained before:")
        rows += [f"  {operation}" for operation in self.order[-SHOWN_MAX:]]
        return "\n".join(rows)


class TooHardError(Exception):
    """The search was given up: that is no verdict."""


class Chain(NamedTuple):
    """An order of operations, newest first."""

    newest: Operation
    before: Chain | None


Place = tuple[int, State]
"""Which operations in flight have happened, one bit each, and the state that this led to."""


def check(
    history: Iterable[Operation], model: Model[State], *, tries_max: int = TRIES_MAX
) -> Verdict:
    """Judge a history, part by part where the model allows; raises TooHardError."""
    whole = list(history)
    parts: defaultdict[Hashable, list[Operation]] = defaultdict(list)
    for operation in whole:
        parts[model.part(operation)].append(operation)
    if None in parts:
        return _Search(model, tries_max).run(whole)
    tries, order = 0, list[Operation]()
    for part in parts.values():
        verdict = _Search(model, tries_max - tries).run(part)
        tries += verdict.tries
        if not verdict.linearizable:
            return verdict._replace(tries=tries)
        order += verdict.order
    return Verdict(linearizable=True, order=tuple(order), stuck=None, beside=(), tries=tries)


class _Search(Generic[State]):
    """One search, from the first call to the last return."""

    def __init__(self, model: Model[State], tries_max: int) -> None:
        self._model = model
        self._tries, self._tries_max = 0, tries_max
        self._flying: dict[int, Operation] = {}
        self._places: dict[Place[State], Chain | None] = {(0, model.initial): None}

    def run(self, history: Sequence[Operation]) -> Verdict:
        """Follow calls and returns in the order of their moments."""
        bits: dict[int, int] = {}
        for _, returns, number in _moments(history):
            if not returns:
                bit = next(1 << at for at in range(len(history)) if 1 << at not in self._flying)
                self._flying[bit] = history[number]
                bits[number] = bit
                continue
            last = next(iter(self._places.values()))
            self._places = self._done(bits[number])
            if not self._places:
                stuck = self._flying.pop(bits[number])
                return Verdict(
                    linearizable=False,
                    order=_in_order(last),
                    stuck=stuck,
                    beside=tuple(self._flying.values()),
                    tries=self._tries,
                )
            del self._flying[bits[number]]
        order = _in_order(next(iter(self._places.values())))
        return Verdict(linearizable=True, order=order, stuck=None, beside=(), tries=self._tries)

    def _done(self, bit: int) -> dict[Place[State], Chain | None]:
        """Return where one can be once the operation of this bit has happened."""
        found: dict[Place[State], Chain | None] = {}
        seen = set(self._places)
        left = deque(self._places.items())
        spent: defaultdict[Place[State], list[int]] = defaultdict(list)
        unheard = sum(bit for bit, operation in self._flying.items() if operation.returned is None)
        while left:
            (happened, state), chain = left.popleft()
            # Those that spent little come first, so whoever spent more finds them here.
            before = spent[happened & ~unheard, state]
            if any(less & happened == less for less in before):
                continue
            before.append(happened & unheard)
            if happened & bit:
                found[happened & ~bit, state] = chain
                continue
            for place, operation in self._next(happened, state):
                if place not in seen:
                    seen.add(place)
                    left.append((place, Chain(operation, chain)))
        return found

    def _next(self, happened: int, state: State) -> list[tuple[Place[State], Operation]]:
        """Return where what is in flight can lead to."""
        places: list[tuple[Place[State], Operation]] = []
        for bit, operation in self._possible(happened):
            after = self._step(state, operation)
            if after is None:
                continue
            if after != state:
                places.append(((happened | bit, after), operation))
            elif operation.returned is None:
                continue  # whoever is not told, and changes nothing here, need not happen
            elif self._model.only_looks(operation):
                return [((happened | bit, after), operation)]  # now is as good as later
            else:
                places.append(((happened | bit, after), operation))
        return places

    def _possible(self, happened: int) -> Iterator[tuple[int, Operation]]:
        """Yield what could happen next; of what asked the same and is never answered, one."""
        asked = set()
        for bit, operation in self._flying.items():
            if happened & bit:
                continue
            if operation.returned is None:
                if operation.asked in asked:
                    continue
                asked.add(operation.asked)
            yield bit, operation

    def _step(self, state: State, operation: Operation) -> State | None:
        self._tries += 1
        if self._tries > self._tries_max:
            raise TooHardError(f"more than {self._tries_max} tries, near {operation}")
        return self._model.step(state, operation)


def _moments(history: Sequence[Operation]) -> list[tuple[int, bool, int]]:
    """Return all calls and returns in order; at one moment calls come first, which allows more."""
    moments = []
    for number, operation in enumerate(history):
        moments.append((operation.called, False, number))
        if operation.returned is not None:
            assert operation.called <= operation.returned, operation
            moments.append((operation.returned, True, number))
    return sorted(moments)


def _in_order(chain: Chain | None) -> tuple[Operation, ...]:
    order = []
    while chain is not None:
        order.append(chain.newest)
        chain = chain.before
    return tuple(reversed(order))

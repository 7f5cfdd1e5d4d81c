"""The checker itself: histories whose verdict is known, and all orders tried as the judge of it."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Hashable, Sequence
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.linear.checker import Model, Operation, TooHardError, check
from tests.linear.models import Board, Register

LONG: Final = 5_000
LONG_S: Final = 20.0
TASKS: Final = ("t",)


def op(
    called: int, returned: int | None, asked: str, *answered: Hashable, client: str = "c"
) -> Operation:
    """Write an operation: moments, what was asked in words (``none`` is None), the answer."""
    return Operation(
        client, tuple(asked.split()), None if returned is None else answered, called, returned
    )


def register(*rows: tuple[Any, ...]) -> list[Operation]:
    return [op(*row) for row in rows]


LINEARIZABLE: Final[dict[str, list[Operation]]] = {
    "nothing": [],
    "one after the other": register((0, 1, "write x 1"), (2, 3, "read x", "1")),
    "two reads beside a write see the old and then the new": register(
        (0, 9, "write x 1"), (1, 2, "read x", ""), (3, 4, "read x", "1")
    ),
    "overlapping writes in either order": register(
        (0, 9, "write x 1"), (1, 8, "write x 2"), (10, 11, "read x", "1")
    ),
    "a write that never returned was done": register((0, None, "write x 1"), (5, 6, "read x", "1")),
    "a write that never returned was not done": register(
        (0, None, "write x 1"), (5, 6, "read x", "")
    ),
    "and it may be done late": register(
        (0, None, "write x 1"), (5, 6, "read x", ""), (7, 8, "read x", "1")
    ),
    "at one moment a call comes before a return": register(
        (0, 5, "read x", "1"), (5, 6, "write x 1")
    ),
    "only one of two exchanges is done": register(
        (0, 1, "write x a"), (2, 9, "cas x a b", True), (2, 9, "cas x a c", False)
    ),
}
NOT_LINEARIZABLE: Final[dict[str, list[Operation]]] = {
    "a stale read": register((0, 1, "write x 1"), (2, 3, "read x", "")),
    "a value from nowhere": register((0, 1, "read x", "7")),
    "time goes back between two reads": register(
        (0, 9, "write x 1"), (1, 2, "read x", "1"), (3, 4, "read x", "")
    ),
    "a lost update": register(
        (0, 1, "write x a"), (2, 5, "cas x a b", True), (3, 6, "cas x a c", True)
    ),
    "a write that never returned is undone": register(
        (0, None, "write x 1"), (5, 6, "read x", "1"), (7, 8, "read x", "")
    ),
    "a write that was called after the read": register(
        (5, None, "write x 1"), (0, 4, "read x", "1")
    ),
    "a fault in one part among many": register(
        (0, 1, "write x 1"), (2, 3, "write y 1"), (4, 5, "read x", "1"), (6, 7, "read y", "")
    ),
}


@pytest.mark.parametrize("name", LINEARIZABLE)
def test_a_history_of_registers_that_has_an_order_is_given_it(name: str) -> None:
    history = LINEARIZABLE[name]
    verdict = check(history, Register())
    assert verdict.linearizable, verdict.explained
    assert set(verdict.order) >= {row for row in history if row.returned is not None}
    for part in {row.asked[1] for row in history}:
        explains([row for row in verdict.order if row.asked[1] == part], Register())


@pytest.mark.parametrize("name", NOT_LINEARIZABLE)
def test_a_history_of_registers_that_has_no_order_is_refused(name: str) -> None:
    verdict = check(NOT_LINEARIZABLE[name], Register())
    assert not verdict.linearizable
    assert verdict.stuck in NOT_LINEARIZABLE[name]
    assert "no order explains" in verdict.explained


def explains(order: Sequence[Operation], model: Model[Any]) -> None:
    """Hold an order against time and the model."""
    state = model.initial
    for number, operation in enumerate(order):
        for later in order[number + 1 :]:
            assert later.returned is None or operation.called <= later.returned
        state = model.step(state, operation)
        assert state is not None


# ------------------------------------------------------------------------------ leases with tokens

BOARD_GOOD: Final[dict[str, list[Operation]]] = {
    "granted, refused, released, granted": register(
        (0, 1, "claim ada src", "granted", 5, 100),
        (2, 3, "claim bob src/a", "scope_held", "ada", 5),
        (4, 5, "release ada src", "released", 5),
        (6, 7, "claim bob src/a", "granted", 8, 200),
    ),
    "disjoint scopes": register(
        (0, 5, "claim ada a", "granted", 2, 100), (0, 5, "claim bob b", "granted", 3, 100)
    ),
    "a killed claim was granted, and its token is learnt later": register(
        (0, None, "claim ada src"),
        (1, 2, "claim bob src", "scope_held", "ada", 4),
        (3, 4, "read bob", "read", (("ada", "src", 4, 77),), (("t", 1, None),)),
    ),
    "a killed claim was never granted": register(
        (0, None, "claim ada src"), (1, 2, "claim bob src", "granted", 4, 1)
    ),
    "what is offered is held by the task, then by the receiver": register(
        (0, 1, "accept ada t", "accepted", 1, None),
        (2, 3, "claim ada src", "granted", 5, 9),
        (4, 5, "offer ada t src", "offered", 2, 7),
        (6, 7, "claim ada src", "scope_held", "task:t", 7),
        (8, 9, "accept bob t", "accepted", 2, 10),
        (10, 11, "read x", "read", (("bob", "src", 10, 3),), (("t", 2, "bob"),)),
    ),
    "what is withdrawn is the giver's under a new token": register(
        (0, 1, "accept ada t", "accepted", 1, None),
        (2, 3, "offer ada t src", "offered", 2, 7),
        (4, 5, "withdraw ada t", "withdrawn", 2),
        (6, 7, "release ada src", "released", 9),
    ),
}
BOARD_BAD: Final[dict[str, list[Operation]]] = {
    "two grants of one scope": register(
        (0, 5, "claim ada src", "granted", 5, 100), (0, 5, "claim bob src/a", "granted", 6, 100)
    ),
    "a token that goes back": register(
        (0, 1, "claim ada a", "granted", 5, 100), (2, 3, "claim bob b", "granted", 4, 100)
    ),
    "a token that was given twice": register(
        (0, 1, "claim ada a", "granted", 5, 100), (2, 3, "claim bob b", "granted", 5, 100)
    ),
    "a read that misses a grant": register(
        (0, 1, "claim ada a", "granted", 5, 100), (2, 3, "read bob", "read", (), (("t", 1, None),))
    ),
    "a read that misses a renewal": register(
        (0, 1, "claim ada a", "granted", 5, 100),
        (2, 3, "renew ada a", "renewed", 5, 200),
        (4, 5, "read bob", "read", (("ada", "a", 5, 100),), (("t", 1, None),)),
    ),
    "refused by somebody who has released": register(
        (0, 1, "claim ada a", "granted", 5, 100),
        (2, 3, "release ada a", "released", 5),
        (4, 5, "claim bob a", "scope_held", "ada", 5),
    ),
    "a packet that is accepted twice": register(
        (0, 5, "accept ada t", "accepted", 1, None), (0, 5, "accept bob t", "accepted", 1, None)
    ),
    "a packet's number that is left out": register(
        (0, 1, "accept ada t", "accepted", 1, None), (2, 3, "offer ada t src", "offered", 3, 7)
    ),
    "a giver that keeps what it offered": register(
        (0, 1, "accept ada t", "accepted", 1, None),
        (2, 3, "offer ada t src", "offered", 2, 7),
        (4, 5, "claim ada src", "granted", 9, 1),
    ),
}


@pytest.mark.parametrize("name", BOARD_GOOD)
def test_a_history_of_leases_that_has_an_order_is_given_it(name: str) -> None:
    verdict = check(BOARD_GOOD[name], Board(TASKS))
    assert verdict.linearizable, verdict.explained
    explains(verdict.order, Board(TASKS))


@pytest.mark.parametrize("name", BOARD_BAD)
def test_a_history_of_leases_that_breaks_a_promise_is_refused(name: str) -> None:
    assert not check(BOARD_BAD[name], Board(TASKS)).linearizable


# ------------------------------------------------------------------------------- all orders, tried


def by_all_orders(left: Sequence[Operation], model: Model[Any], state: Any = ...) -> bool:
    """Try every order that time allows, remembering nothing: slow, and plainly right."""
    state = model.initial if state is ... else state
    if all(row.returned is None for row in left):
        return True
    first = min(row.returned for row in left if row.returned is not None)
    for number, row in enumerate(left):
        after = model.step(state, row) if row.called <= first else None
        if after is not None and by_all_orders((*left[:number], *left[number + 1 :]), model, after):
            return True
    return False


def spans() -> st.SearchStrategy[tuple[int, int | None]]:
    lengths = st.one_of(st.integers(0, 6), st.none())
    return st.tuples(st.integers(0, 8), lengths).map(
        lambda row: (row[0], None if row[1] is None else row[0] + row[1])
    )


VALUES: Final = st.sampled_from(["1", "2"])
REGISTERS: Final = st.one_of(
    st.tuples(st.just("write"), st.sampled_from("xy"), VALUES).map(lambda row: (row, ())),
    st.tuples(
        st.tuples(st.just("read"), st.sampled_from("xy")),
        st.tuples(st.one_of(st.just(""), VALUES)),
    ),
    st.tuples(
        st.tuples(st.just("cas"), st.sampled_from("xy"), VALUES, VALUES),
        st.tuples(st.booleans()),
    ),
)
WHO: Final = st.sampled_from(["ada", "bob"])
WHAT: Final = st.sampled_from(["src", "src/a"])
TOKENS: Final = st.integers(1, 3)
LEASES: Final = st.one_of(
    st.tuples(
        st.tuples(st.just("claim"), WHO, WHAT),
        st.one_of(
            st.tuples(st.just("granted"), TOKENS, st.just(9)),
            st.tuples(st.just("scope_held"), WHO, TOKENS),
        ),
    ),
    st.tuples(
        st.tuples(st.just("release"), WHO, WHAT),
        st.one_of(st.tuples(st.just("released"), TOKENS), st.just(("not_held",))),
    ),
    st.tuples(
        st.tuples(st.just("read"), WHO),
        st.tuples(
            st.just("read"),
            st.lists(st.tuples(WHO, WHAT, TOKENS, st.just(9)), max_size=1).map(tuple),
            st.just(()),
        ),
    ),
)


def histories(rows: st.SearchStrategy[Any], size: int) -> st.SearchStrategy[list[Operation]]:
    def one(row: Any) -> Operation:
        (called, returned), (asked, answered) = row
        return Operation("c", asked, None if returned is None else answered, called, returned)

    return st.lists(st.tuples(spans(), rows).map(one), max_size=size)


@given(histories(REGISTERS, 6))
def test_the_checker_agrees_with_all_orders_on_registers(history: list[Operation]) -> None:
    one = [row._replace(asked=(row.asked[0], "x", *row.asked[2:])) for row in history]
    for rows in (history, one):
        apart = [[row for row in rows if row.asked[1] == name] for name in "xy"]
        expected = all(by_all_orders(part, Register()) for part in apart)
        assert check(rows, Register()).linearizable == expected


@given(histories(LEASES, 5))
def test_the_checker_agrees_with_all_orders_on_leases(history: list[Operation]) -> None:
    verdict = check(history, Board())
    assert verdict.linearizable == by_all_orders(history, Board())
    if verdict.linearizable:
        explains(verdict.order, Board())


def test_what_really_happened_one_at_a_time_is_always_linearizable() -> None:
    for seed in range(100):
        history = lived(random.Random(seed), 60, clients=4, deaths=0.05)
        verdict = check(history, Register())
        assert verdict.linearizable, verdict.explained


# ------------------------------------------------------------------------------------------- bounds


def lived(
    chance: random.Random, count: int, clients: int, names: str = "x", deaths: float = 0.001
) -> list[Operation]:
    """Make the history of a register that was asked by many at once and is what it should be.

    Each client calls, its wish takes effect at one moment, it returns; some never return.
    """
    values: dict[str, Hashable] = dict.fromkeys(names, "")
    moment = itertools.count()
    history: list[Operation] = []
    flying: dict[int, list[Any]] = {}
    while len(history) < count:
        client = chance.randrange(clients)
        call = flying.get(client)
        if call is None:
            name = chance.choice(names)
            asked: tuple[Hashable, ...] = ("read", name)
            if chance.random() < 0.5:
                asked = ("write", name, str(chance.randrange(5)))
            flying[client] = [asked, next(moment), None]
        elif call[2] is None:
            asked = call[0]
            name = str(asked[1])
            if asked[0] == "write":
                values[name] = asked[2]
            call[2] = () if asked[0] == "write" else (values[name],)
        else:
            asked, called, answered = flying.pop(client)
            returned = None if chance.random() < deaths else next(moment)
            history.append(
                Operation(
                    str(client), asked, None if returned is None else answered, called, returned
                )
            )
    history += [
        Operation(str(client), asked, None, called, None)
        for client, (asked, called, _) in flying.items()
    ]
    return history


@pytest.mark.parametrize("names", ["x", "abcdefgh"], ids=["one register", "eight registers"])
def test_a_history_of_five_thousand_operations_is_judged_in_bounded_time(names: str) -> None:
    history = lived(random.Random(7), LONG, clients=8, names=names)
    began = time.process_time()
    verdict = check(history, Register())
    assert verdict.linearizable, verdict.explained
    assert time.process_time() - began < LONG_S


def test_a_fault_at_the_end_of_a_long_history_is_found() -> None:
    history = lived(random.Random(8), LONG, clients=8)
    last = max(row.returned or 0 for row in history)
    history.append(Operation("late", ("write", "x", "9"), (), last + 1, last + 2))
    history.append(Operation("late", ("read", "x"), ("0",), last + 3, last + 4))
    verdict = check(history, Register())
    assert not verdict.linearizable
    assert verdict.stuck == history[-1]


def test_a_search_that_grows_too_large_is_no_verdict() -> None:
    """Twenty writes at once, and a read of what nobody wrote: there are too many orders to try."""
    history = [Operation(str(n), ("write", "x", str(n)), (), 0, 9) for n in range(20)]
    history.append(Operation("r", ("read", "x"), ("none of them",), 0, 9))
    with pytest.raises(TooHardError):
        check(history, Register(), tries_max=10_000)

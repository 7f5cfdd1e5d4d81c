"""What a measurement is, and how measurements take turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

Bound = Literal["<=", ">="]


class Target(NamedTuple):
    """What a ratio must not exceed, or must reach.

    Where it is ``absolute``, a value; where it is ``over``, what a value is above its floor.
    """

    bound: Bound
    limit: float
    absolute: bool = False
    over: bool = False

    def met(self, value: float, ratio: float) -> bool:
        """Tell whether a measurement reaches it; the bound itself does."""
        judged = value if self.absolute else ratio
        if self.over:
            judged = value - value / ratio if ratio else value
        return judged <= self.limit if self.bound == "<=" else judged >= self.limit


class Result(NamedTuple):
    """One line of the table.

    ``value`` and ``floor`` are in ``unit``; ``ratio`` is one to the other. Without a target the row
    is for information. ``detail`` holds what explains it: samples, spreads, where the time goes.
    """

    row: str
    what: str
    value: float
    unit: str
    floor: float
    floor_is: str
    target: Target | None
    detail: dict[str, object] = {}  # noqa: RUF012 - never changed, only replaced

    @property
    def ratio(self) -> float:
        """How many times the floor the value is."""
        return self.value / self.floor if self.floor else float("nan")

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        return None if self.target is None else self.target.met(self.value, self.ratio)


class Profile(NamedTuple):
    """Where the time of one line of the table goes: figures, and beside them what they are held to.

    The ``parts`` add up to ``total``, each with what it is; ``beside`` are figures that belong to
    something else, as to the floor. ``how`` says in a sentence how they were found.
    """

    row: str
    what: str
    unit: str
    total: float
    parts: tuple[tuple[str, float], ...]
    beside: tuple[tuple[str, float], ...]
    how: str


def in_turn(rounds: int, *subjects: Callable[[], float]) -> list[list[float]]:
    """Let subjects measure themselves in turn, in every other round backwards; their samples."""
    samples: list[list[float]] = [[] for _ in subjects]
    order = list(range(len(subjects)))
    for _ in range(rounds):
        for index in order:
            samples[index].append(subjects[index]())
        order.reverse()
    return samples


def each(calls: Iterable[Callable[[], object]]) -> Callable[[], float]:
    """Return a subject that measures the next of these calls whenever it is its turn.

    For what takes microseconds: of single calls the median is still true where a neighbour takes
    the processor away in the middle of every tenth.
    """
    waiting = iter(calls)
    return lambda: seconds(next(waiting))


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def median(samples: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(samples)


def spread(samples: Sequence[float], scale: float = 1) -> dict[str, float]:
    """Return what the median does not say: how many samples, the least, quartiles, the most."""
    samples = [sample * scale for sample in samples]
    low, _, high = statistics.quantiles(samples, n=4) if len(samples) > 1 else (samples[0],) * 3
    return {
        "samples": len(samples),
        "least": min(samples),
        "lower_quartile": low,
        "median": median(samples),
        "upper_quartile": high,
        "most": max(samples),
    }

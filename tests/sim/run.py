"""One run from one seed; how fast runs are; which faults one needs that went wrong.

simulate(7)                      # raises Violation, with the seed and the step
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from handrail.errors import HandrailError
from tests.sim.agents import FAULTS
from tests.sim.chain import Violation
from tests.sim.universe import SCOPES, mask_of
from tests.sim.world import World

STEPS: Final = 1_000
MISTAKES: Final = (LookupError, TypeError, ValueError, AttributeError)
SQLITE_EVERY: Final = 20
STEPS_ON: Final = {"sqlite": 300, "postgres": 150}


def ground_of(seed: int) -> str:
    """Say which store a seed runs over, where nobody asks for another."""
    return "sqlite" if seed % SQLITE_EVERY == 0 else "memory"


def simulate(
    seed: int,
    *,
    steps: int | None = None,
    ground: str | None = None,
    trace: list[str] | None = None,
    without: Iterable[str] = (),
) -> World:
    """Run a world, judged all the way: first with faults, then without, until all is settled."""
    ground = ground or ground_of(seed)
    steps = steps or STEPS_ON.get(ground, STEPS)
    folder = None if ground == "memory" else tempfile.TemporaryDirectory(prefix="handrail-sim-")
    world: World | None = None
    # Nothing here is garbage before the end of a run, and looking for it takes its time.
    collects = gc.isenabled()
    gc.disable()
    try:
        place = None if folder is None else Path(folder.name)
        world = World(seed, ground=ground, folder=place, trace=trace, without=frozenset(without))
        while world.steps < steps:
            world.step()
        world.look()
        world.settle()
        world.audit()
    except (Violation, HandrailError, *MISTAKES) as violation:
        # Whatever is no refusal breaks a promise by itself, also where it trips up the checker.
        at = 0 if world is None else world.steps
        again = f"python -m tests.sim --seed {seed} --ground {ground} --steps {steps} --trace"
        again += "".join(f" --without {fault}" for fault in sorted(without))
        told = str(violation) if isinstance(violation, Violation) else f"raised {violation!r}"
        raise Violation(f"seed {seed}, step {at}: {told}\n  again: {again}") from violation
    finally:
        if world is not None:
            world.ground.close()
        if folder is not None:
            folder.cleanup()
        if collects:
            gc.enable()
    return world


def shrink(seed: int, *, steps: int | None = None, ground: str | None = None) -> frozenset[str]:
    """Find faults without which a seed is wrong still; none where it is not wrong at all."""
    without: frozenset[str] = frozenset()
    for fault in FAULTS:
        try:
            simulate(seed, steps=steps, ground=ground, without=without | {fault})
        except Violation:
            without |= {fault}
    return without


class Rate(NamedTuple):
    """How much was simulated in how much of one core's time."""

    steps: int
    calls: int
    seconds: float
    judged: Counter[str]

    @property
    def steps_per_second(self) -> int:
        """Steps in a second of one core."""
        return round(self.steps / self.seconds)

    @property
    def told(self) -> str:
        """Say it in a line."""
        calls = round(self.calls / self.seconds)
        return (
            f"{self.steps_per_second} simulated steps a second of one core, with chain and checker"
            f" ({self.steps} steps; {calls} calls of the service a second)"
        )


def _timed(seed: int, ground: str, steps: int) -> tuple[World, float]:
    began = time.process_time()
    world = simulate(seed, ground=ground, steps=steps)
    return world, time.process_time() - began


def measure(
    seeds: Iterable[int], *, ground: str = "memory", steps: int = STEPS, runs: int = 1
) -> Rate:
    """Run seeds and take their time, that of the quickest of so many runs of each.

    A core that others use as well makes the same run up to twice as slow. What is made once, the
    sets of paths, is made before.
    """
    for text in SCOPES:
        mask_of(text)
    simulate(1, ground=ground, steps=steps)
    done, calls, seconds, judged = 0, 0, 0.0, Counter[str]()
    for seed in seeds:
        world, quickest = _timed(seed, ground, steps)
        for _ in range(runs - 1):
            quickest = min(quickest, _timed(seed, ground, steps)[1])
        seconds += quickest
        done, calls = done + world.steps, calls + world.calls
        judged.update(world.checker.judged)
    return Rate(done, calls, seconds, judged)

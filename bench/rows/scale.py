"""A claim beside ten, a thousand and a hundred thousand live leases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from bench.ground import found, scratch, session
from bench.measure import Result, Target, in_turn, median, seconds, spread
from bench.seed import seed_leases
from handrail.service.leases import Asked
from handrail.wiring import Application

SIZES = (10, 1_000, 100_000)
SIZES_QUICK = (10, 100, 1_000)


def live_leases(quick: bool) -> Sequence[Result]:
    """Claim in turn in three repositories that differ in nothing but how much is held."""
    rounds = 30 if quick else 1_500
    sizes = SIZES_QUICK if quick else SIZES
    with ExitStack() as open_things:
        subjects = []
        for size in sizes:
            folder = open_things.enter_context(scratch())
            found(folder)
            application = session(folder, "bench")
            open_things.callback(application.close)
            seed_leases(application, size)
            subjects.append(_claiming(application, size))
        in_turn(5, *subjects)
        samples = in_turn(rounds, *subjects)
    medians = [median(each) * 1e6 for each in samples]
    return [
        Result(
            "live-leases",
            f"claim beside {sizes[0]:,} / {sizes[1]:,} / {sizes[2]:,} leases".replace(",", " "),
            max(medians),
            "µs",
            min(medians),
            "the fastest of the three",
            Target("<=", 1.5),
            {f"{size}_us": spread(each, 1e6) for size, each in zip(sizes, samples, strict=True)},
        )
    ]


def _claiming(application: Application, size: int) -> Callable[[], float]:
    leases, turn = application.leases, 0

    def claim() -> float:
        nonlocal turn
        turn += 1
        # Beside what others hold in the same folder, so that there is something to look at.
        asked = Asked((f"src/area-{turn % max(size // 10, 1)}/new-{turn}",))
        return seconds(lambda: leases.claim(asked))

    return claim

"""What the guard will look up before every edit; for information until there is a guard."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.ground import found, scratch, session
from bench.measure import Result, in_turn, median, seconds, spread
from bench.seed import seed_leases
from handrail.store.port import Reader

SIZES = (1_000, 100_000)
SIZES_QUICK = (100, 1_000)
LOOK_UPS = 50


def may_write(quick: bool) -> Sequence[Result]:
    """Ask for paths that are held, in one snapshot, beside few and beside many leases."""
    results = []
    for size in SIZES_QUICK if quick else SIZES:
        with scratch() as folder:
            found(folder)
            application = session(folder, "bench")
            seed_leases(application, size)
            with application.store.read() as reader:
                samples, floors = in_turn(
                    5 if quick else 200, _asking(reader, size), _reading(reader)
                )
            application.close()
        results.append(
            Result(
                "may-write",
                f"may_write beside {size:,} leases".replace(",", " "),
                median(samples) * 1e6,
                "µs",
                median(floors) * 1e6,
                "one row by its number",
                None,
                {"may_write": spread(samples)},
            )
        )
    return results


def _asking(reader: Reader, size: int) -> Callable[[], float]:
    turn = 0

    def ask() -> None:
        nonlocal turn
        for _ in range(LOOK_UPS):
            turn += 1
            number = turn * 7919 % size
            path = f"src/area-{number // 10}/part-{number}/deep/file.py"
            assert reader.may_write(".", f"holder-{number % 50}", path)

    return lambda: seconds(ask) / LOOK_UPS


def _reading(reader: Reader) -> Callable[[], float]:
    def read() -> None:
        for _ in range(LOOK_UPS):
            reader.lease(1_000_001)

    return lambda: seconds(read) / LOOK_UPS

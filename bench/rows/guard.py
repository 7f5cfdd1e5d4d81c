"""What the guard will look up before every edit; for information until there is a guard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from bench.ground import found, scratch, session
from bench.measure import Result, each, in_turn, median, spread
from bench.seed import FIRST_TOKEN, HOLDERS, seed_leases
from handrail.store.port import Reader

SIZES = (1_000, 100_000)
SIZES_QUICK = (100, 1_000)


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
                    50 if quick else 5_000,
                    each(_asking(reader, size)),
                    each(_reading(reader, size)),
                )
            application.close()
        results.append(
            Result(
                "may-write",
                f"may_write beside {size:,} leases".replace(",", " "),
                median(samples) * 1e6,
                "µs",
                median(floors) * 1e6,
                "one lease by its token",
                None,
                {"may_write_us": spread(samples, 1e6)},
            )
        )
    return results


def _asking(reader: Reader, size: int) -> Iterator[Callable[[], object]]:
    number = 0
    while True:
        number = (number + 7919) % size
        path = f"src/area-{number // 10}/part-{number}/deep/file.py"
        yield partial(_held, reader, f"holder-{number % HOLDERS}", path)


def _held(reader: Reader, session: str, path: str) -> None:
    assert reader.may_write(".", session, path)


def _reading(reader: Reader, size: int) -> Iterator[Callable[[], object]]:
    number = 0
    while True:
        number = (number + 7919) % size
        yield partial(reader.lease, FIRST_TOKEN + number)

"""Where the time of a claim goes, by itself and beside seven others that claim without pause."""

from __future__ import annotations

import cProfile
import os
import time
from collections import defaultdict
from collections.abc import Callable
from types import CodeType
from typing import Any, Final, NamedTuple

from bench.ground import found, scratch, session, shaped_floor
from bench.measure import Profile, Result
from handrail.service.leases import Asked

CLAIMS, CLAIMS_QUICK = 2_000, 200
SYSTEM: Final = "fdatasync", "lockf", "flock"
LAYERS: Final = ("service", "core", "store", "facts", "config")
SQLITE: Final = "SQLite, by its driver"
WAITING: Final = "waiting: for the disk, and for a processor"


class Cost(NamedTuple):
    """What one of many equal things takes: seconds by the clock, and of a processor."""

    wall_s: float
    cpu_s: float


def one_claim(result: Result, quick: bool) -> Profile:
    """Claim many scopes in one process, beside the insert that is the floor."""
    claim, insert, layers = measured(quick)
    whole = sum(layers.values())
    shares = sorted(layers.items(), key=lambda pair: -pair[1])
    return Profile(
        result.row,
        "one claim",
        "µs",
        claim.wall_s * 1e6,
        (
            (WAITING, (claim.wall_s - claim.cpu_s) * 1e6),
            *((name, claim.cpu_s * 1e6 * spent / whole) for name, spent in shares),
        ),
        (
            ("one insert of the floor", insert.wall_s * 1e6),
            ("of that, waiting", (insert.wall_s - insert.cpu_s) * 1e6),
            ("of that, processor", insert.cpu_s * 1e6),
        ),
        "Processor time by the process's own clock; its shares by cProfile over that clock.",
    )


def measured(quick: bool) -> tuple[Cost, Cost, dict[str, float]]:
    """Return what a claim takes, what an insert takes, and the claim's processor time by layer."""
    times = CLAIMS_QUICK if quick else CLAIMS
    with scratch() as folder:
        found(folder)
        application = session(folder, "bench")
        leases, turn = application.leases, 0

        def claim() -> None:
            nonlocal turn
            turn += 1
            leases.claim(Asked((f"area-{turn % 89}/part-{turn}",)))

        claim()
        floor = shaped_floor(application, folder)
        _cost(claim, times // 10)
        claimed = _cost(claim, times)
        inserted = _cost(lambda: floor.insert(1), times)
        profiler = cProfile.Profile(time.process_time)
        profiler.enable()
        for _ in range(times):
            claim()
        profiler.disable()
        floor.close()
        application.close()
    return claimed, inserted, _by_layer(profiler)


def _cost(work: Callable[[], object], times: int) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        work()
    return Cost((time.perf_counter() - wall) / times, (time.process_time() - cpu) / times)


def _by_layer(profiler: cProfile.Profile) -> dict[str, float]:
    """Add up what functions took by themselves; what is built in counts for who called it."""
    layers: dict[str, float] = defaultdict(float)
    stats: list[Any] = profiler.getstats()
    for entry in stats:
        if not isinstance(entry.code, CodeType):
            continue
        layer = _layer(entry.code.co_filename)
        layers[layer] += entry.inlinetime
        for called in entry.calls or ():
            if isinstance(called.code, str):
                layers[_built_in(called.code) or layer] += called.inlinetime
    return dict(layers)


def _layer(path: str) -> str:
    _, ours, inside = path.rpartition("/handrail/")
    first = inside.partition("/")[0]
    return f"Python: {first}" if ours and first in LAYERS else "Python: the rest"


def _built_in(name: str) -> str | None:
    if "apsw" in name:
        return SQLITE
    return "the system: locks, sync" if any(word in name for word in SYSTEM) else None


def eight_claimers(result: Result, quick: bool) -> Profile:
    """Set the processors' time of the eight against what a claim takes of one by itself."""
    detail: dict[str, Any] = result.detail
    alone, _, _ = measured(quick)
    processors = os.cpu_count() or 1
    available = processors * detail["seconds_per_claim"]
    used = detail["cpu_seconds_per_claim"]
    return Profile(
        result.row,
        f"one claim of eight processes: the time of {processors} processors for it",
        "µs",
        available * 1e6,
        (
            ("a claim's own work, as in one process alone", alone.cpu_s * 1e6),
            ("more of it with eight: waking one another, cold caches", (used - alone.cpu_s) * 1e6),
            ("no claim at work: all wait for the turn or for the disk", (available - used) * 1e6),
        ),
        (("by the clock, from one claim to the next", detail["seconds_per_claim"] * 1e6),),
        "Processor time as each process counts it while it claims, over the claims of all.",
    )

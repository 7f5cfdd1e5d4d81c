"""Eight processes that claim without pause: how much together, how long one waits, how fair."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.ground import InsertOnly, found, scratch, session, shaped_floor
from bench.measure import Result, Target, median
from handrail.service.leases import Asked

PROCESSES = 8
START_S = 2.0
BLOCK = 50


def eight_processes(quick: bool) -> Sequence[Result]:
    """Let eight processes claim distinct scopes; the floor is taken before and after."""
    rounds, length_s = (1, 0.5) if quick else (3, 5.0)
    with scratch() as folder:
        found(folder)
        names = [f"bench-{number}" for number in range(PROCESSES)]
        applications = [session(folder, name) for name in names]
        applications[0].leases.claim(Asked(("shape",)))
        floor = shaped_floor(applications[0], folder)
        for application in applications:
            application.close()
        floors = [_rate(floor, length_s / 4)]
        runs = []
        for _ in range(rounds):
            runs.append(_saturate(folder, names, length_s))
            floors.append(_rate(floor, length_s / 4))
        floor.close()
    sums = [sum(one["claims"] for one in run) / length_s for run in runs]
    waits = [max(one["worst_wait_ms"] for one in run) for run in runs]
    counts = [[one["claims"] for one in run] for run in runs]
    fairness = [min(each) / max(each) for each in counts]
    rate, every = median(floors), sum(sum(each) for each in counts) or 1
    cpu_s = sum(one["cpu_s"] for run in runs for one in run)
    detail: dict[str, object] = {
        "claims_by_process": counts,
        "worst_wait_ms": waits,
        "inserts_per_second": floors,
        "seconds_per_claim": rounds * length_s / every,
        "cpu_seconds_per_claim": cpu_s / every,
    }
    row = "eight-processes"
    return [
        Result(
            row,
            "8 processes: claims per second, sum",
            median(sums),
            "/s",
            rate,
            "insert-only, FULL, 1 process",
            Target(">=", 0.5),
            detail,
        ),
        Result(
            row,
            "8 processes: worst wait of any claim",
            max(waits),
            "ms",
            1000 / rate,
            "one insert-only row",
            Target("<=", 250, absolute=True),
        ),
        Result(
            row,
            "8 processes: slowest against fastest",
            median([min(each) for each in counts]),
            "claims",
            median([max(each) for each in counts]),
            "the fastest",
            Target(">=", 0.25),
            {"fairness": fairness},
        ),
    ]


def _rate(floor: InsertOnly, length_s: float) -> float:
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < length_s:
        floor.insert(BLOCK)
        done += BLOCK
    return done / (time.perf_counter() - began)


def _saturate(folder: Path, names: Sequence[str], length_s: float) -> list[dict[str, float]]:
    start = time.monotonic() + START_S
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.claimer", str(folder), name, str(start), str(length_s)],
            cwd=Path(__file__).resolve().parents[2],
            stdout=subprocess.PIPE,
        )
        for name in names
    ]
    told = []
    for child in children:
        out, _ = child.communicate()
        if child.returncode != 0:
            raise SystemExit("bench: a claiming process failed")
        told.append(json.loads(out))
    return told

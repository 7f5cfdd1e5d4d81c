"""``handrail claim`` as a user starts it, beside an interpreter that does nothing."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench.ground import PROGRAM, environment, found, scratch, session
from bench.measure import Result, Target, in_turn, median, seconds, spread
from bench.process import NOTHING, run

MODULES_SHOWN = 12


def claim_command(quick: bool) -> Sequence[Result]:
    """Claim a fresh scope each time, in a repository with a live session."""
    with scratch() as folder:
        found(folder)
        session(folder, "bench").close()
        surroundings = environment("bench")
        turn = 0

        def claim() -> float:
            nonlocal turn
            turn += 1
            words = [str(PROGRAM), "claim", f"area-{turn % 7}/part-{turn}"]
            return seconds(lambda: run(words, folder, surroundings))

        def nothing() -> float:
            return seconds(lambda: run(NOTHING, folder, surroundings))

        claim(), nothing()
        claims, floors = in_turn(5 if quick else 80, claim, nothing)
        detail: dict[str, object] = {
            "claim_ms": spread(claims, 1000),
            "floor_ms": spread(floors, 1000),
            "ratio_of_the_least": min(claims) / min(floors),
            "imports_ms": _imports(folder, surroundings, 1 if quick else 5),
        }
    return [
        Result(
            "claim-command",
            "handrail claim, whole process",
            median(claims) * 1000,
            "ms",
            median(floors) * 1000,
            "python3 -I -S -c pass",
            Target("<=", 8),
            detail,
        )
    ]


def _imports(folder: Path, surroundings: dict[str, str], times: int) -> dict[str, object]:
    """Say where a claim's time goes before it does anything: what each import costs by itself."""
    least: dict[str, float] = defaultdict(lambda: float("inf"))
    for turn in range(times):
        words = [sys.executable, "-X", "importtime", str(PROGRAM), "claim", f"import-time/{turn}"]
        told = subprocess.run(
            words, cwd=folder, env=surroundings, capture_output=True, text=True, check=True
        )
        for line in told.stderr.splitlines():
            fields = line.removeprefix("import time:").split("|")
            if len(fields) == 3 and fields[0].strip().isdigit():
                name = fields[2].strip()
                least[name] = min(least[name], int(fields[0]) / 1000)
    groups: dict[str, float] = defaultdict(float)
    for name, cost in least.items():
        top = name.partition(".")[0]
        groups[top if top in ("handrail", "apsw") else "python"] += cost
    dearest = sorted(least.items(), key=lambda row: -row[1])[:MODULES_SHOWN]
    return {
        "by_origin": {name: round(cost, 2) for name, cost in groups.items()},
        "dearest": {name: round(cost, 2) for name, cost in dearest},
        "modules": len(least),
    }

"""PostgreSQL under 32 clients that claim without pause, beside 32 that insert a row each time.

The server is the one of the tests, with everything synced; its data lies beside the results.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg

from bench.ground import RESULTS, environment, found, like_the_program, scratch, session
from bench.measure import Result, Target, median
from handrail.config import render_preset
from handrail.service.leases import Asked
from handrail.wiring import Application
from tests.postgres import Server, make_cluster, remove_cluster, start

CLIENTS = 32
START_S = 6.0
WARM = 4
TABLE = "CREATE TABLE row (seq bigint GENERATED ALWAYS AS IDENTITY, header bytea, payload bytea)"
Work = Callable[[int], Callable[[int], object]]


def shared_store(quick: bool) -> Sequence[Result]:
    """Let 32 processes claim distinct scopes of one workspace, in turn with the floor."""
    rounds, length_s = (1, 0.5) if quick else (3, 4.0)
    cluster = make_cluster(RESULTS)
    running = start(cluster)
    try:
        with scratch() as folder:
            names = workspace(folder, running)
            with psycopg.connect(running.url(), autocommit=True) as line:
                line.execute(TABLE)
            inserts, claims, waits = [], [], []
            for _ in range(rounds):
                inserts.append(_together(lambda _: insert(running), length_s))
                claims.append(_together(lambda which: claim(folder, names[which]), length_s))
                waits.append(max(one["worst_wait_ms"] for one in claims[-1]))
    finally:
        running.end()
        remove_cluster(cluster)
    rate, floor = (_rates(runs, length_s) for runs in (claims, inserts))
    detail: dict[str, object] = {
        "claims_by_client": [[one["done"] for one in run] for run in claims],
        "worst_wait_ms": waits,
        "inserts_per_second": floor,
    }
    what = f"PostgreSQL, {CLIENTS} clients: claims per second, sum"
    floor_is = f"one insert a transaction, {CLIENTS} clients"
    target = Target(">=", 0.6)
    return [
        Result(*("shared-store", what, median(rate), "/s", median(floor), floor_is, target), detail)
    ]


def _rates(runs: Sequence[Sequence[dict[str, float]]], length_s: float) -> list[float]:
    return [sum(one["done"] for one in run) / length_s for run in runs]


def workspace(folder: Path, running: Server, clients: int = CLIENTS) -> list[str]:
    """Set a workspace up on the server, with a session for each client; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    text = render_preset("minimal", "bench")
    (folder / "handrail.toml").write_text(f'{text}\n[store]\nurl = "{running.url()}"\n')
    found(folder)
    names = [f"bench-{number}" for number in range(clients)]
    for name in names:
        session(folder, name).close()
    return names


def insert(running: Server) -> Callable[[int], object]:
    """Return what inserts a row of an entry's size, in a transaction of its own."""
    line = psycopg.connect(running.url(), autocommit=True)
    sql = "INSERT INTO row (header, payload) VALUES (%s, %s)"
    return lambda _: line.execute(sql, (b"h" * 320, b"p" * 240))


def claim(folder: Path, name: str) -> Callable[[int], object]:
    """Return what claims a scope that nobody else wants."""
    like_the_program()
    leases = Application.open(str(folder), environment(name), terminal=False).leases
    run = time.monotonic_ns()
    # The floor is connected, too: imports, plans and caches are had once, as by whoever goes on.
    for number in range(WARM):
        leases.claim(Asked((f"{name}/run-{run}/warm-{number}",)))
    return lambda number: leases.claim(Asked((f"{name}/run-{run}/part-{number}",)))


def _together(work: Work, length_s: float) -> list[dict[str, float]]:
    """Let as many processes work at once; returns what each got done."""
    begin = time.monotonic() + START_S
    reading, writing = os.pipe()
    children = []
    for which in range(CLIENTS):
        child = os.fork()
        if not child:
            _work_and_leave(work, which, begin, length_s, writing)
        children.append(child)
    os.close(writing)
    with os.fdopen(reading) as lines:
        told: list[Any] = [json.loads(line) for line in lines]
    failed = [status for child in children if (status := os.waitpid(child, 0)[1])]
    if failed or len(told) != CLIENTS:
        raise SystemExit("bench: a client failed")
    return told


def _work_and_leave(work: Work, which: int, begin: float, length_s: float, writing: int) -> None:
    """Be one of the processes; never returns."""
    status = 1
    try:
        act, done, worst_s = work(which), 0, 0.0
        time.sleep(max(begin - time.monotonic(), 0))
        while time.monotonic() < begin + length_s:
            began = time.perf_counter()
            act(done)
            worst_s = max(worst_s, time.perf_counter() - began)
            done += 1
        line = json.dumps({"done": done, "worst_wait_ms": worst_s * 1000})
        os.write(writing, f"{line}\n".encode())
        status = 0
    finally:
        os._exit(status)

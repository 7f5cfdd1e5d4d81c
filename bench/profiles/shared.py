"""What a claim costs the processors of client and server, where the store is PostgreSQL."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import psycopg

from bench.ground import RESULTS, scratch
from bench.measure import Profile, Result
from bench.rows.shared import TABLE, claim, insert, workspace
from tests.postgres import Server, make_cluster, remove_cluster, start

TIMES, TIMES_QUICK = 2_000, 200
_TICKS = os.sysconf("SC_CLK_TCK")


def one_of_them(result: Result, quick: bool) -> Profile:
    """Claim from one client alone, beside the insert that is the floor."""
    times = TIMES_QUICK if quick else TIMES
    cluster = make_cluster(RESULTS)
    running = start(cluster)
    try:
        with scratch() as folder:
            (name,) = workspace(folder, running, 1)
            with psycopg.connect(running.url(), autocommit=True) as line:
                line.execute(TABLE)
            inserted = _cost(insert(running), running, times)
            claimed = _cost(claim(folder, name), running, times)
    finally:
        running.end()
        remove_cluster(cluster)
    return Profile(
        result.row,
        "one claim of one client",
        "µs of a processor",
        sum(claimed),
        (
            ("the client's: rules, driver, the guard's copy", claimed[0]),
            ("the server's: one look, one call that writes", claimed[1]),
        ),
        (
            ("an insert, the client's", inserted[0]),
            ("an insert, the server's", inserted[1]),
        ),
        "Each by the processes' own clocks, the server's as the kernel counts them for all of its"
        " processes. With more clients than processors the sum is what bounds the rate.",
    )


def _cost(act: Callable[[int], object], running: Server, times: int) -> tuple[float, float]:
    """Return the microseconds of client and server for one of many."""
    for number in range(-50, 0):
        act(number)
    client, server = time.process_time(), _spent_s(running)
    for number in range(times):
        act(number)
    client, server = time.process_time() - client, _spent_s(running) - server
    return client * 1e6 / times, server * 1e6 / times


def _spent_s(running: Server) -> float:
    """Return the processor time of a server's processes: of itself and of its children."""
    spent = 0
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                words = file.read().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(name) == running.pid or int(words[1]) == running.pid:
            spent += int(words[11]) + int(words[12])
    return spent / _TICKS

"""What real processes did with one store, some of them killed, held against the model of a board.

Every answer that anybody got must be explained by one order of all that was done: a grant only of
what is free, tokens that grow, each packet once, a read of the newest. Three stores with a fault
of their own must be found out by the same histories, or finding nothing would mean nothing.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

import pytest

from tests.linear.checker import Operation, Verdict, check
from tests.linear.histories import PLANTED, TASKS, merged, take_part
from tests.linear.models import Board
from tests.linear.sites import Site, found_site, sound
from tests.postgres import server
from tests.races.processes import JOIN_S, begin
from tests.support import Repo

PROCESSES: Final = 4
STEPS: Final = 50
STORES: Final = ("sqlite", "postgres")
KILLED: Final = 4
SEEDS: Final = {"sqlite": 2, "postgres": 1}
NIGHTLY: Final = pytest.mark.nightly
SEEDS_BY_NIGHT: Final = 40
PLANTED_STEPS: Final = 80


@pytest.fixture(params=STORES)
def site(repo: Repo, request: pytest.FixtureRequest) -> Site:
    return found_site(repo.path, url_of(request.param), TASKS)


def url_of(kind: str) -> str:
    """Return where a store of a kind is kept, '' for the repository itself."""
    return server().url() if kind == "postgres" else ""


def live(site: Site, folder: Path, seed: int, steps: int, planted: str | None = None) -> list[Path]:
    """Let processes do what chance says; kill some in the middle of it and let others go on."""
    chance = random.Random(seed)
    names = [f"agent-{number}" for number in range(PROCESSES)]
    site.start(names)
    folder.mkdir()
    files: list[Path] = []
    running: list[tuple[str, Path, BaseProcess]] = []

    def start(name: str) -> None:
        file = folder / f"{len(files)}.jsonl"
        files.append(file)
        words = (site, name, file, f"{seed}-{len(files)}", steps, planted)
        running.append((name, file, begin(take_part, *words)))

    try:
        for name in names:
            start(name)
        for _ in range(KILLED):
            victim = running.pop(chance.randrange(len(running)))
            await_lines(*victim[1:], chance.randrange(steps // 2, 2 * steps))
            victim[2].kill()
            victim[2].join(JOIN_S)
            start(victim[0])
        for _, _, process in running:
            process.join(JOIN_S)
            assert process.exitcode == 0, f"{process.name} ended with {process.exitcode}"
    finally:
        for _, _, process in running:
            process.kill()
            process.join(JOIN_S)
    return files


def await_lines(file: Path, process: BaseProcess, count: int) -> None:
    """Wait until a process has written so much of its history, or ended."""
    deadline = time.monotonic() + JOIN_S
    while process.is_alive() and (not file.exists() or file.read_bytes().count(b"\n") < count):
        assert time.monotonic() < deadline, f"{process.name} stands still"
        time.sleep(0.001)


def judge(files: list[Path]) -> tuple[list[Operation], Verdict]:
    history = merged(files)
    return history, check(history, Board(TASKS))


@pytest.mark.parametrize(
    ("site", "seed"),
    [
        pytest.param(store, seed, marks=NIGHTLY if seed >= SEEDS[store] else [])
        for store in STORES
        for seed in range(SEEDS_BY_NIGHT)
    ],
    indirect=["site"],
)
def test_what_processes_did_that_were_killed_is_linearizable(
    site: Site, tmp_path: Path, seed: int
) -> None:
    """By day some histories, at night many and longer ones."""
    steps = STEPS if seed < SEEDS[site.kind] else 4 * STEPS
    history, verdict = judge(live(site, tmp_path / "history", seed, steps))
    assert verdict.linearizable, verdict.explained
    told = Counter(row.answered[0] for row in history if row.answered is not None)
    assert told.keys() >= {"granted", "scope_held", "released", "renewed", "read", "accepted"}
    assert len(history) > PROCESSES * steps
    app = site.open()
    assert sound(app.store)
    app.close()


@pytest.mark.parametrize(
    ("site", "fault"),
    [
        pytest.param(store, fault, marks=NIGHTLY if store == "postgres" and n else [])
        for store in STORES
        for n, fault in enumerate(PLANTED)
    ],
    indirect=["site"],
)
def test_a_store_with_a_planted_fault_is_caught(site: Site, tmp_path: Path, fault: str) -> None:
    _, verdict = judge(live(site, tmp_path / "history", 1, PLANTED_STEPS, fault))
    assert not verdict.linearizable, f"nothing was seen of {fault}"

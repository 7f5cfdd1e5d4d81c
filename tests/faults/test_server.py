"""PostgreSQL is killed again and again while processes claim, offer and accept.

Nothing that anybody was told is lost, nothing is there twice, the ledger verifies, and whoever
waits learns within bounded time that there is no telling, with exit status 3.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.core.events import LeaseGranted
from handrail.core.handed import PacketAccepted, PacketOffered
from handrail.core.ledger import read_event, verify
from handrail.service.leases import Asked
from tests import postgres
from tests.cli.world import eventually
from tests.faults.load import wait, work
from tests.linear.sites import Site, found_site, sound
from tests.races.processes import JOIN_S, begin
from tests.support import Repo

KILLS: Final = 20
KILLS_BY_NIGHT: Final = 200
WORKERS: Final = 3
BOUND_S: Final = 15.0
HOW: Final = (signal.SIGKILL, signal.SIGKILL, signal.SIGQUIT, signal.SIGINT)
"Killed with all of its processes, twice; told to drop everything; told to end."


class Restartable:
    """A server of one's own, whose processes all die together, and that comes back."""

    def __init__(self) -> None:
        self.folder = postgres.make_cluster()
        self.server = postgres.start(self.folder, postgres.UNSYNCED)

    def again(self, number: int) -> float:
        """End it, by a signal to all of its processes, and start it; returns when it ended."""
        if number == signal.SIGKILL:
            os.killpg(self.server.pid, number)
        else:
            os.kill(self.server.pid, number)
        at = time.monotonic()
        with suppress(ChildProcessError):
            os.waitpid(self.server.pid, 0)
        self.server = postgres.start(self.folder, postgres.UNSYNCED, self.server.port)
        return at

    def close(self) -> None:
        self.server.end()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def restartable() -> Iterator[Restartable]:
    own = Restartable()
    yield own
    own.close()


def lines(file: Path) -> list[list[Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def count(files: list[Path], word: str) -> int:
    return sum(row[0] == word for file in files for row in lines(file))


def more(files: list[Path], word: str, than: int) -> bool:
    return count(files, word) > than


@pytest.mark.parametrize("kills", [KILLS, pytest.param(KILLS_BY_NIGHT, marks=pytest.mark.nightly)])
def test_a_postgres_that_is_killed_under_load_loses_nothing_that_anybody_was_told(
    repo: Repo, tmp_path: Path, restartable: Restartable, kills: int
) -> None:
    site = found_site(repo.path, restartable.server.url())
    names = [f"w{number}" for number in range(WORKERS)]
    site.start((*names, "waiter", "holder"))
    holder = site.open("holder")
    holder.leases.claim(Asked(("held",)))
    holder.close()
    stop, diaries = tmp_path / "stop", [tmp_path / f"{name}.jsonl" for name in names]
    waiting = tmp_path / "waiter.jsonl"
    running = [
        begin(work, site, name, diary, stop) for name, diary in zip(names, diaries, strict=True)
    ]
    running.append(begin(wait, site, "waiter", waiting, stop))
    killed: list[float] = []
    try:
        for number in range(kills):
            told, waits = count(diaries, "claim"), count([waiting], "waiting")
            # Every server does some work, and has somebody who waits, before it is killed.
            assert eventually(partial(more, diaries, "claim", told + WORKERS))
            assert eventually(partial(more, [waiting], "waiting", max(waits - 1, 0)))
            killed.append(restartable.again(HOW[number % len(HOW)]))
        told = count(diaries, "claim")
        assert eventually(lambda: count(diaries, "claim") > told + WORKERS)
        stop.touch()
        freed = site.open("holder")
        freed.leases.release([], everything=True)
        freed.close()
        for process in running:
            process.join(JOIN_S)
            assert process.exitcode == 0, f"{process.name} ended with {process.exitcode}"
    finally:
        for process in running:
            process.kill()
            process.join(JOIN_S)
    check(site, diaries)
    refusals = [row for file in diaries for row in lines(file) if row[0] == "unavailable"]
    assert len(refusals) >= kills, "the load felt the kills"
    assert {row[2] for row in refusals} == {3}
    assert max(row[3] for row in refusals) < BOUND_S
    let_down = [row[2] for row in lines(waiting) if row[0] == "let down"]
    assert {row[1] for row in lines(waiting) if row[0] == "let down"} == {3}
    for at in killed:
        assert any(at - 0.5 < when < at + BOUND_S for when in let_down), "who waits is told"


def check(site: Site, diaries: list[Path]) -> None:
    """Hold what the processes were told against the ledger."""
    app = site.open()
    with app.store.read() as reader:
        entries = list(reader.entries())
    assert verify(entries).problem is None
    assert sound(app.store)
    granted: dict[str, list[int]] = {}
    offered: Counter[tuple[str, int]] = Counter()
    accepted: Counter[tuple[str, int]] = Counter()
    for entry in entries:
        event = read_event(entry)
        if isinstance(event, LeaseGranted) and event.session.startswith("w"):
            granted.setdefault(event.patterns[0], []).append(entry.seq)
        elif isinstance(event, PacketOffered):
            offered[event.task, event.number] += 1
        elif isinstance(event, PacketAccepted):
            accepted[event.task, event.number] += 1
    told: Counter[str] = Counter()
    for row in (row for diary in diaries for row in lines(diary)):
        told[row[0]] += 1
        if row[0] == "claim":
            assert granted[row[1]] == [row[2]], "the token that was told, and no other"
        elif row[0] == "offer":
            assert offered[row[1], row[2]] == 1
        elif row[0] == "accept":
            assert accepted[row[1], row[2]] == 1
    assert set(offered.values()) | set(accepted.values()) <= {1}
    assert min(told[word] for word in ("claim", "offer", "accept")) > 0, told
    app.close()

"""The fair lock by itself: exclusion, bounded waiting, and nothing left behind by the dead."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import pytest

from handrail import errors
from handrail.store import fairlock
from handrail.store.fairlock import FairLock
from tests.races import workers
from tests.races.processes import CONTEXT, begin, finish, start_server

SOON_S: Final = 20.0

Start = Callable[..., tuple[BaseProcess, Connection]]


@pytest.fixture
def stem(tmp_path: Path) -> str:
    return str(tmp_path / "state")


@pytest.fixture
def start(stem: str) -> Iterator[Start]:
    """Start a worker that tells through a pipe what happens to it; ended with the test."""
    processes: list[BaseProcess] = []

    def start(work: Callable[..., object], *values: object) -> tuple[BaseProcess, Connection]:
        mine, theirs = CONTEXT.Pipe(duplex=False)
        processes.append(begin(work, stem, theirs, *values))
        theirs.close()
        return processes[-1], mine

    yield start
    for process in processes:
        process.kill()
        process.join()


def heard(told: Connection, within_s: float = SOON_S) -> Any:
    assert told.poll(within_s), "nothing was heard"
    return told.recv()


def silent(told: Connection, for_s: float) -> bool:
    return not told.poll(for_s)


def try_lock(stem: str, timeout_ms: int = 2_000) -> None:
    lock = FairLock(stem)
    with lock.held(timeout_ms):
        pass
    lock.close()


def test_threads_exclude_one_another(stem: str) -> None:
    inside, worst, done = [0], [0], [0]

    def work() -> None:
        lock = FairLock(stem)
        for _ in range(30):
            with lock.held(30_000):
                inside[0] += 1
                worst[0] = max(worst[0], inside[0])
                time.sleep(0)
                seen = done[0]
                time.sleep(0)
                done[0] = seen + 1
                inside[0] -= 1
        lock.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (worst[0], done[0]) == (1, 180)


def test_processes_exclude_one_another(stem: str, tmp_path: Path) -> None:
    number = tmp_path / "number"
    number.write_text("0")
    start_server()
    finish(*[begin(workers.count_in_file, stem, number, 100) for _ in range(6)])
    assert number.read_text() == "600"


def test_threads_and_processes_exclude_one_another(stem: str, tmp_path: Path) -> None:
    number = tmp_path / "number"
    number.write_text("0")
    process = begin(workers.count_in_file, stem, number, 60)
    threads = [
        threading.Thread(target=workers.count_in_file, args=(stem, number, 60)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    finish(process)
    assert number.read_text() == "180"


def test_what_a_killed_process_held_is_free_at_once(stem: str, start: Start) -> None:
    holder, told = start(workers.hold)
    assert heard(told) == "held"
    _, waiting = start(workers.queue_up, 20_000)
    assert heard(waiting) == "waiting"
    assert silent(waiting, 0.2)
    holder.kill()
    outcome, _ = heard(waiting, 2)
    assert outcome == "held"


def test_many_that_die_in_their_turn_block_nobody(stem: str, start: Start) -> None:
    for _ in range(5):
        assert heard(start(workers.die_in_turn)[1]) == "held"
    try_lock(stem)


def test_who_is_killed_while_waiting_keeps_nobody_behind_him(stem: str, start: Start) -> None:
    holder, told = start(workers.hold)
    assert heard(told) == "held"
    first, waiting = start(workers.queue_up, 20_000)
    assert heard(waiting) == "waiting"
    time.sleep(0.1)
    _, behind = start(workers.queue_up, 20_000)
    assert heard(behind) == "waiting"
    time.sleep(0.1)
    first.kill()
    holder.kill()
    assert heard(behind, 2)[0] == "held"


def test_who_is_interrupted_while_waiting_leaves_nothing_locked(stem: str, start: Start) -> None:
    holder, told = start(workers.hold)
    assert heard(told) == "held"
    waiter, waiting = start(workers.queue_up, 20_000)
    assert heard(waiting) == "waiting"
    time.sleep(0.2)
    assert waiter.pid is not None
    os.kill(waiter.pid, signal.SIGINT)
    assert heard(waiting)[0] == "interrupted"
    holder.kill()
    holder.join()
    try_lock(stem)  # although the interrupted one still lives


@pytest.mark.parametrize("lost", ["queue", "turn"])
def test_an_interrupt_between_winning_a_lock_and_knowing_it_leaves_nothing_locked(
    stem: str, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = FairLock(stem)
    original = fairlock._lock

    def interrupted(descriptor: int, deadline: float) -> None:
        original(descriptor, deadline)
        if descriptor == (lock._queue if lost == "queue" else lock._turn):
            raise KeyboardInterrupt

    monkeypatch.setattr(fairlock, "_lock", interrupted)
    with pytest.raises(KeyboardInterrupt), lock.held(1_000):
        pass
    monkeypatch.undo()
    try_lock(stem, 200)
    lock.close()


def test_a_block_that_raises_gives_the_lock_back(stem: str) -> None:
    lock = FairLock(stem)
    with pytest.raises(ZeroDivisionError), lock.held(1_000):
        print(1 // 0)
    try_lock(stem, 200)
    lock.close()


@pytest.mark.serial
@pytest.mark.parametrize("work", [workers.queue_up, workers.queue_up_elsewhere])
def test_who_waits_too_long_is_told_who_holds_it(
    stem: str, start: Start, work: Callable[..., object]
) -> None:
    holder, told = start(workers.hold)
    assert heard(told) == "held"
    _, waiting = start(work, 300)
    assert heard(waiting) == "waiting"
    outcome, waited_s = heard(waiting)
    assert outcome == {"path": f"{stem}.db", "waited_ms": 300, "pid": str(holder.pid)}
    assert 0.28 <= waited_s < 2


@pytest.mark.serial
def test_who_waits_too_long_for_a_place_is_told_so_too(stem: str, start: Start) -> None:
    assert heard(start(workers.hold)[1]) == "held"
    _, first = start(workers.queue_up, 20_000)
    assert heard(first) == "waiting"
    time.sleep(0.1)
    _, second = start(workers.queue_up, 300)
    assert heard(second) == "waiting"
    outcome, waited_s = heard(second)
    assert outcome["waited_ms"] == 300
    assert 0.28 <= waited_s < 2
    assert silent(first, 0.05)


@pytest.mark.serial
def test_an_alarm_of_somebody_else_is_not_touched(stem: str, start: Start) -> None:
    assert heard(start(workers.hold)[1]) == "held"
    _, waiting = start(workers.queue_up_under_an_alarm, 400)
    assert heard(waiting) == "waiting"
    outcome, waited_s = heard(waiting)
    assert outcome["waited_ms"] == 400
    assert 0.38 <= waited_s < 2
    assert heard(waiting) == 1, "it rang, once"


def test_after_waiting_the_alarm_is_as_it_was(stem: str, start: Start) -> None:
    holder, told = start(workers.hold)
    assert heard(told) == "held"
    for timeout_ms in (100, 20_000):
        _, waiting = start(workers.leave_the_alarm_alone, timeout_ms)
        assert heard(waiting) == "waiting"
        if timeout_ms > 1_000:
            time.sleep(0.1)
            holder.kill()
        assert heard(waiting)[0] != "waiting"
        assert heard(waiting) == (True, 0.0)


def test_who_comes_back_within_his_turn_goes_on_but_not_past_its_end(stem: str) -> None:
    """A stream of short transactions must not keep the one who waits for longer than a turn."""
    lock, entered = FairLock(stem), threading.Event()

    def wait() -> None:
        other = FairLock(stem)
        with other.held(20_000):
            entered.set()
        other.close()

    thread = threading.Thread(target=wait)
    with lock.held(1_000):
        thread.start()
        time.sleep(0.05)
    began, rounds = time.monotonic(), 0
    while not entered.is_set():
        with lock.held(20_000):
            rounds += 1
        assert time.monotonic() - began < 2, rounds
    thread.join(SOON_S)
    lock.close()


def test_closing_gives_the_files_back_and_the_lock_opens_them_again(stem: str) -> None:
    lock = FairLock(stem)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with lock.held(1_000):
            assert len(os.listdir("/proc/self/fd")) == before + 2
        lock.close()
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_folder_that_is_not_there_cannot_be_locked_in(tmp_path: Path) -> None:
    lock = FairLock(str(tmp_path / "none" / "state"))
    with pytest.raises(errors.StoreReadOnly), lock.held(100):
        pass

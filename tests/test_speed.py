"""What would make Handrail slow is seen before it lands, whatever else the machine does meanwhile.

Ratios are those of processor time, which neighbours take none of: the least of some samples to the
least of its floor's, taken in turn; a ratio that is too much is measured up to three times before
it counts. The committed ones below were measured that way, and 1.5 times as much is let through, so
that another interpreter or machine passes; a module too many in the guard does not. What a ratio
cannot see is counted: functions and statements of a claim, steps of SQLite. What the guard and a
claim may import is held by ``tests/guard/test_quick.py`` and ``tests/test_bench.py``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from json import dumps, loads
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Final

import apsw
import pytest

from bench.ground import PROGRAM, environment, found, session
from bench.measure import in_turn
from bench.process import NOTHING, Start
from bench.rows.hooks import HELD, Hook, first_edits, hooked
from bench.seed import seed_leases, seed_ledger, task
from handrail.core import decide as rules
from handrail.service import claims
from handrail.service.leases import Asked
from handrail.store.sqlite import SqliteStore
from handrail.wiring import Application
from tests.support import SOURCE

MEMORY: Final = Path("/dev/shm")
SLACK: Final = 1.5
ROUNDS: Final = 3
ATTEMPTS: Final = 3
BLOCK: Final = 40
LEASES: Final = 300
FEW, MANY = 200, 2_000

COMMITTED: Final = {
    "guard, a held path": 1.6,
    "guard, a first edit": 5.8,
    "handrail claim": 5.6,
}
"""Processor time to that of an interpreter that does nothing."""
CLAIM_TO_PLAIN_WORK: Final = 3.6
CALLS_OF_A_CLAIM: Final = 168
STATEMENTS_OF_A_CLAIM: Final = 10

Measured = Callable[[], float]


def ratios_of_the_least(
    works: Mapping[str, Measured], floor: Measured, enough: Mapping[str, float], attempts: int
) -> dict[str, float]:
    """Measure in turn until no ratio is more than enough, or often enough; of all samples."""
    samples: list[list[float]] = [[] for _ in range(len(works) + 1)]
    ratios: dict[str, float] = {}
    for _ in range(attempts):
        for all_of_it, more in zip(samples, in_turn(ROUNDS, *works.values(), floor), strict=True):
            all_of_it.extend(more)
        *least, of_floor = map(min, samples)
        ratios = {what: one / of_floor for what, one in zip(works, least, strict=True)}
        if all(ratio <= enough[what] for what, ratio in ratios.items()):
            break
    print({what: round(ratio, 2) for what, ratio in ratios.items()})
    return ratios


@pytest.fixture(scope="module")
def hook(tmp_path_factory: pytest.TempPathFactory) -> Hook:
    return hooked(tmp_path_factory.mktemp("speed") / "repo", LEASES)


def starts(hook: Hook) -> dict[str, Measured]:
    """Return what is started whole; each call gives its processor time."""
    session(hook.folder, "worker").close()
    around, number, first = environment("worker"), count(), first_edits()

    def claim() -> float:
        words = (str(PROGRAM), "claim", f"area/part-{next(number)}")
        return Start(words, hook.folder, around).run()

    return {
        "guard, a held path": hook.editing(HELD).run,
        "guard, a first edit": lambda: hook.editing(next(first)).run(),
        "handrail claim": claim,
    }


def test_what_hooks_and_commands_take_of_a_processor_stays_what_it_was(hook: Hook) -> None:
    enough = {what: SLACK * ratio for what, ratio in COMMITTED.items()}
    nothing = Start(NOTHING, hook.folder, environment()).run
    ratios = ratios_of_the_least(starts(hook), nothing, enough, ATTEMPTS)
    assert ratios.keys() == COMMITTED.keys()
    assert {what: ratio for what, ratio in ratios.items() if ratio > enough[what]} == {}


def test_three_modules_too_many_in_the_guard_would_be_seen(hook: Hook) -> None:
    launch = hook.folder / ".git" / "handrail" / "launch"
    line = launch.read_text(encoding="utf-8")
    main = f"'{SOURCE / 'edge' / 'guard' / '__main__.py'}'"
    planted = (
        "-c 'import dataclasses, json, re, sys; "
        f'sys.path[:0] = ["{SOURCE.parent}", sys.argv[1]]; '
        "from handrail.edge.guard.entry import main; main(sys.argv[2:])'"
    )
    before, options, start = line.rpartition(" -I -S ")
    assert main in start, "the launch line starts the guard"
    launch.write_text(f"{before}{options}{start.replace(main, planted)}", encoding="utf-8")
    name = "guard, a held path"
    enough = {name: SLACK * COMMITTED[name]}
    nothing = Start(NOTHING, hook.folder, environment()).run
    try:
        works = {name: hook.editing(HELD).run}
        assert ratios_of_the_least(works, nothing, enough, attempts=1)[name] > enough[name]
    finally:
        launch.write_text(line, encoding="utf-8")


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    """Give a store in memory, if that can be had: a disk takes processor time of its own."""
    place = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else tmp_path
    with TemporaryDirectory(dir=place) as folder:
        found(Path(folder))
        opened = session(Path(folder), "bench")
        yield opened
        opened.close()


def of_a_processor(work: Callable[[], object]) -> Measured:
    """Return what measures the processor time of many times the same."""

    def measure() -> float:
        began = time.thread_time()
        for _ in range(BLOCK):
            work()
        return time.thread_time() - began

    return measure


def claiming(application: Application) -> Callable[[], object]:
    number = count()
    return lambda: application.leases.claim(Asked((f"area-{next(number) % 7}/new-{next(number)}",)))


def plain_work() -> None:
    """Do what needs nothing but the interpreter: a row's insert costs the kernel's time, too."""
    for number in range(20):
        loads(dumps({"a": [number, "x" * 20], "b": {"c": str(number)}}))


def test_what_a_claim_takes_of_a_processor_stays_what_it_was(application: Application) -> None:
    claim = of_a_processor(claiming(application))
    plain = of_a_processor(plain_work)
    in_turn(1, claim, plain)
    enough = {"a claim": SLACK * CLAIM_TO_PLAIN_WORK}
    ratios = ratios_of_the_least({"a claim": claim}, plain, enough, ATTEMPTS)
    assert ratios["a claim"] <= enough["a claim"]


def steps_of(application: Application, work: Callable[[], object]) -> int:
    """Count the steps that SQLite's machine takes: the same on every machine, at any load."""
    steps = 0

    def seen() -> bool:
        nonlocal steps
        steps += 1
        return False

    file_of(application).set_progress_handler(seen, 1)
    try:
        work()
    finally:
        file_of(application).set_progress_handler(None)
    return steps


def test_the_latest_of_a_task_is_found_without_searching_the_ledger(
    application: Application,
) -> None:
    def look() -> None:
        with application.store.read() as reader:
            assert reader.latest("history.imported", task(7)) is not None

    seed_ledger(application, FEW)
    few = steps_of(application, look)
    seed_ledger(application, MANY)
    assert few / SLACK < steps_of(application, look) <= SLACK * few
    file_of(application).execute("DROP INDEX entry_subject")
    assert steps_of(application, look) > SLACK * few, "a search would be seen"


def test_a_claim_searches_no_further_where_more_is_held(application: Application) -> None:
    claim = claiming(application)
    seed_leases(application, FEW)
    few = min(steps_of(application, claim) for _ in range(BLOCK))
    seed_leases(application, MANY)
    many = min(steps_of(application, claim) for _ in range(BLOCK))
    assert few / SLACK < many <= SLACK * few


def file_of(application: Application) -> apsw.Connection:
    """Return the connection to the store's file."""
    assert isinstance(application.store, SqliteStore)
    return application.store._connection


def fewest_calls_of(work: Callable[[], object]) -> int:
    """Count the functions of Python that it calls where it need not queue for its turn."""
    return min(_calls_of(work) for _ in range(BLOCK))


def _calls_of(work: Callable[[], object]) -> int:
    calls = 0

    def seen(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def statements_of(application: Application, work: Callable[[], object]) -> list[str]:
    """Return the statements that a store is asked to run."""
    told: list[str] = []

    def seen(cursor: object, statement: str, bindings: object) -> bool:
        told.append(statement)
        return True

    file_of(application).exec_trace = seen
    try:
        work()
    finally:
        file_of(application).exec_trace = None
    return told


def test_a_claim_calls_no_more_functions_and_runs_no_more_statements_than_it_did(
    application: Application,
) -> None:
    claim = claiming(application)
    calls = fewest_calls_of(claim)
    print(calls)
    assert calls <= CALLS_OF_A_CLAIM
    assert len(statements_of(application, claim)) == STATEMENTS_OF_A_CLAIM


def test_a_claim_that_decides_twice_would_be_seen(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claiming(application)

    def twice(*asked: object) -> object:
        rules.decide(*asked)  # type: ignore[arg-type]
        return rules.decide(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(claims, "decide", twice)
    assert fewest_calls_of(claim) > CALLS_OF_A_CLAIM

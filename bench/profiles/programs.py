"""Where the time of a whole process goes: the interpreter, imports, git, and what is left.

Parts are found in runs of their own: what is told to the interpreter or to git so that they count
costs time itself. Imports are those beyond what an interpreter does that does nothing.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from bench.ground import PROGRAM, environment, filled, found, guarded, scratch, session
from bench.measure import Profile, Result, median
from bench.process import NOTHING, Start
from bench.rows.check import FILES, FILES_QUICK, STAGED
from bench.rows.handing import handing
from bench.rows.hooks import SIZES, SIZES_QUICK, first_edits, held_in

ROUNDS, ROUNDS_QUICK = 15, 2
WAYS: Final = 3
"""In so many ways each round is run: as it is, counting imports, counting git."""
IMPORTS_TOLD: Final = ("-X", "importtime")
HOW: Final = (
    "The least of some runs; the shares of imports and of git are those of other runs, with"
    " `-X importtime` and with git's own trace of when its processes ran."
)


class Spent(NamedTuple):
    """Seconds: by the clock, of processors, of a bare start, for imports, for git."""

    wall: float
    cpu: float
    start: float
    imports: float
    git: float


def first_edit(result: Result, quick: bool) -> Profile:
    """Take the guard apart that claims the file of an edit by the way."""
    with held_in((SIZES_QUICK if quick else SIZES)[0]) as hook:
        paths = first_edits()
        starts = (hook.editing(next(paths)) for _ in itertools.count())
        launch = hook.folder / ".git" / "handrail" / "launch"
        spent = _spent(starts, quick, launch)
        with _replaced(launch, "cat >/dev/null; trap - EXIT; exit 0\n"):
            shell = min(_timed(next(starts))[0] for _ in range(_rounds(quick)))
    idle = ("the shells of the hook line and of .handrail/hook", shell)
    return _profile(result, spent, idle)


def claiming(result: Result, quick: bool) -> Profile:
    """Take ``handrail claim`` apart."""
    with scratch() as folder:
        found(folder)
        session(folder, "bench").close()
        around = environment("bench")
        starts = (
            Start((str(PROGRAM), "claim", f"area-{turn % 7}/part-{turn}"), folder, around)
            for turn in itertools.count()
        )
        return _profile(result, _spent(starts, quick))


def checking(result: Result, quick: bool) -> Profile:
    """Take ``handrail check commit`` apart."""
    with scratch() as folder:
        guarded(folder)
        filled(folder, FILES_QUICK if quick else FILES, STAGED)
        session(folder, "bench").close()
        start = Start((str(PROGRAM), "check", "commit"), folder, environment("bench"))
        return _profile(result, _spent(itertools.repeat(start), quick))


def offering(result: Result, quick: bool) -> Profile:
    """Take ``handrail handoff offer`` apart."""
    return _handing(result, quick, offers=True)


def accepting(result: Result, quick: bool) -> Profile:
    """Take ``handrail handoff accept`` apart."""
    return _handing(result, quick, offers=False)


def _handing(result: Result, quick: bool, *, offers: bool) -> Profile:
    files = FILES_QUICK if quick else FILES
    with handing(files, WAYS * _rounds(quick) + 1) as (folder, offering, accepting):
        giver, receiver = environment("giver"), environment("receiver")

        def starts() -> Iterator[Start]:
            while True:
                offer = Start(next(offering), folder, giver)
                if offers:
                    yield offer
                else:
                    offer.run()
                    yield Start(next(accepting), folder, receiver)

        return _profile(result, _spent(starts(), quick))


def _profile(result: Result, spent: Spent, *more: tuple[str, float]) -> Profile:
    """Put together what was found; what nothing else explains is Handrail's own."""
    known = [
        ("starting an interpreter that does nothing", spent.start),
        *more,
        ("importing what it needs", spent.imports),
    ]
    if spent.git:
        known.append(("while git runs", spent.git))
    rest = spent.wall - sum(part for _, part in known)
    parts = (*known, ("Handrail's own: to ask and decide, to write and wait for the disk", rest))
    return Profile(
        result.row,
        result.what,
        "ms",
        spent.wall * 1000,
        tuple((name, value * 1000) for name, value in parts),
        (("processor time of all its processes", spent.cpu * 1000),),
        HOW,
    )


def _spent(starts: Iterator[Start], quick: bool, launch: Path | None = None) -> Spent:
    """Start things that are alike in three ways by turns; ``launch`` is the line of a hook.

    What telling costs falls on all of a run alike, so of a run that tells the share is taken.
    """
    plain, bare, importing, in_git = [], [], [], []
    _timed(next(starts))
    for _ in range(_rounds(quick)):
        one = next(starts)
        plain.append(_timed(one))
        bare.append(_timed(_nothing(one.folder))[0])
        always, _ = _imported(_nothing(one.folder), None)
        imports, lasted = _imported(next(starts), launch)
        importing.append((imports - always) / lasted)
        spent, lasted = _while_git(next(starts))
        in_git.append(spent / lasted)
    wall, cpu = map(min, zip(*plain, strict=True))
    return Spent(wall, cpu, min(bare), median(importing) * wall, median(in_git) * wall)


def _rounds(quick: bool) -> int:
    return ROUNDS_QUICK if quick else ROUNDS


def _nothing(folder: Path) -> Start:
    return Start(NOTHING, folder, environment())


def _timed(start: Start) -> tuple[float, float]:
    """Run to the end; returns the seconds by the clock, and of processors."""
    began = time.perf_counter()
    cpu = start.run()
    return time.perf_counter() - began, cpu


def _imported(start: Start, launch: Path | None) -> tuple[float, float]:
    """Return the seconds that all imports take by themselves, and those of the whole run."""
    words = tuple(start.words)
    if words[0] == sys.executable:
        words = (words[0], *IMPORTS_TOLD, *words[1:])
    elif launch is None:
        words = (sys.executable, *IMPORTS_TOLD, *words)
    with _telling(launch) if launch else nullcontext():
        began = time.perf_counter()
        told = subprocess.run(
            words,
            cwd=start.folder,
            env=start.environment,
            input=start.stdin,
            capture_output=True,
            check=True,
        )
        lasted = time.perf_counter() - began
    lines = told.stderr.decode().splitlines()
    fields = [line.removeprefix("import time:").split("|")[0].strip() for line in lines]
    return sum(int(field) for field in fields if field.isdigit()) / 1e6, lasted


@contextmanager
def _telling(launch: Path) -> Iterator[None]:
    """Let the launch line of a hook start an interpreter that counts what imports take."""
    line = launch.read_text(encoding="utf-8")
    assert " -I -S " in line
    with _replaced(launch, line.replace(" -I -S ", f" {' '.join(IMPORTS_TOLD)} -I -S ")):
        yield


@contextmanager
def _replaced(file: Path, text: str) -> Iterator[None]:
    before = file.read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(before, encoding="utf-8")


def _while_git(start: Start) -> tuple[float, float]:
    """Return the seconds during which a git that it started runs, and those of the whole run."""
    with scratch() as folder:
        trace = folder / "trace"
        traced = {**start.environment, "GIT_TRACE2_EVENT": str(trace)}
        lasted, _ = _timed(start._replace(environment=traced))
        told = trace.read_text(encoding="utf-8").splitlines() if trace.exists() else []
    began, spans = {}, []
    for event in map(json.loads, told):
        at = datetime.fromisoformat(event["time"]).timestamp()
        if "/" in event["sid"]:
            continue
        if event["event"] == "version":
            began[event["sid"]] = at
        elif event["event"] == "atexit":
            spans.append((began[event["sid"]], at))
    return joined(spans), lasted


def joined(spans: Iterable[tuple[float, float]]) -> float:
    """Return how long at least one of these spans of time lasts."""
    total, until = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(end - max(begin, until), 0)
        until = max(until, end)
    return total

"""Run seeds by hand: the trace of one, a range of them, the rate, a planted bug.

python -m tests.sim --seed 7 --trace          what happens, up to the first violation
python -m tests.sim --seed 7 --shrink         the fewest faults that still show it
python -m tests.sim --seeds 1-500             only what is wrong
python -m tests.sim --rate                    steps a second, on one core
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests import postgres
from tests.sim.chain import Violation
from tests.sim.planted import PLANTED, Planted
from tests.sim.run import measure, shrink, simulate
from tests.sim.stores import GROUNDS

TAIL: Final = 40
FIND_MAX: Final = 200


def main(argv: Sequence[str]) -> int:
    """Do what the words say; returns 1 where something was wrong, else 0."""
    asked = _parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="handrail-sim-") as folder:
        postgres.share_in(Path(folder))  # it is started by whoever needs it first
        try:
            return _done(asked)
        finally:
            postgres.end_shared(Path(folder))


def _done(asked: argparse.Namespace) -> int:
    if asked.rate:
        print(measure(range(1, 1 + asked.rate), runs=5).told)
        return 0
    if asked.find:
        return find()
    patch = pytest.MonkeyPatch()
    if asked.bug is not None:
        PLANTED[asked.bug].plant(patch)
    first, _, last = (asked.seeds or f"{asked.seed}-{asked.seed}").partition("-")
    wrong = 0
    try:
        for seed in range(int(first), int(last) + 1):
            wrong += _run(seed, asked)
    finally:
        patch.undo()
    return 1 if wrong else 0


def find() -> int:
    """Print the table of ``planted`` anew: of each bug the first seed that shows it in its words.

    Where none does, the first that shows it in others.
    """
    missing = 0
    for name, bug in PLANTED.items():
        found: tuple[int, str] | None = None
        for seed in range(1, FIND_MAX):
            shown = _shown(bug, seed)
            if shown is not None and (found is None or bug.told in shown[1]):
                found = shown
                if bug.told in shown[1]:
                    break
        if found is None:
            missing += 1
            print(f"    # nobody notices in {FIND_MAX} runs that {name}")
        else:
            seed, told = found
            words = bug.told if bug.told in told else told.partition(": ")[2][:60]
            print(f'    "{name}": ({seed}, "{bug.ground}", {words!r}),', flush=True)
    return 1 if missing else 0


def _shown(bug: Planted, seed: int) -> tuple[int, str] | None:
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        try:
            simulate(seed, ground=bug.ground)
        except Violation as violation:
            return seed, str(violation)
    return None


def _run(seed: int, asked: argparse.Namespace) -> int:
    trace: list[str] | None = [] if asked.trace or asked.shrink else None
    without = frozenset(asked.without)
    try:
        if asked.shrink:
            without |= shrink(seed, ground=asked.ground, steps=asked.steps)
        simulate(seed, ground=asked.ground, steps=asked.steps, trace=trace, without=without)
    except Violation as violation:
        print("\n".join((trace or []) if asked.trace else (trace or [])[-TAIL:]))
        print(violation)
        print(f"not needed for it: {', '.join(sorted(without)) or '-'}")
        return 1
    if asked.trace:
        print("\n".join(trace or []))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", metavar="A-B")
    parser.add_argument("--ground", choices=sorted(GROUNDS))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--trace", action="store_true", help="print all that happens")
    parser.add_argument("--shrink", action="store_true", help="leave out faults not needed")
    parser.add_argument("--without", action="append", default=[], metavar="FAULT")
    parser.add_argument("--bug", choices=sorted(PLANTED), metavar="BUG", help="plant a bug")
    parser.add_argument("--find", action="store_true", help="find the seeds of planted bugs anew")
    parser.add_argument("--rate", type=int, nargs="?", const=40, metavar="SEEDS")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

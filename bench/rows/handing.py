"""``handoff offer`` and ``handoff accept`` in a large repository, beside ``git status`` there.

Whole processes, no command gates. Each round offers and accepts one packet of a task of its own, so
both find a task as young as any; the sessions and tasks are made beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.ground import PROGRAM, environment, filled, guarded, scratch, session
from bench.measure import Result, Target, median, seconds, spread
from bench.process import NOTHING, run
from handrail.service.handoffs import Handoffs
from handrail.service.tasks import Tasks

FILES, FILES_QUICK = 50_000, 500
ROUNDS, ROUNDS_QUICK = 40, 3
OVER_MS = 120.0
CHANGED = 5


def hand_over(quick: bool) -> Sequence[Result]:
    """Offer a packet and accept it, in turn with asking git what is changed."""
    files, rounds = (FILES_QUICK, ROUNDS_QUICK) if quick else (FILES, ROUNDS)
    with handing(files, rounds + 1) as (folder, offers, accepts):
        offering, accepting = environment("giver"), environment("receiver")

        def offer() -> float:
            words = next(offers)
            return seconds(lambda: run(words, folder, offering))

        def accept() -> float:
            words = next(accepts)
            return seconds(lambda: run(words, folder, accepting))

        def status() -> float:
            return seconds(lambda: run(["git", "status"], folder, offering))

        def nothing() -> float:
            return seconds(lambda: run(NOTHING, folder, offering))

        # No order is turned: what was not offered yet cannot be accepted.
        subjects = (status, offer, accept, nothing)
        rows = [[subject() for subject in subjects] for _ in range(rounds + 1)][1:]
        floors, offered, accepted, starts = (list(column) for column in zip(*rows, strict=True))
    named = f"{files:,} files".replace(",", " ")
    detail: dict[str, object] = {
        "git_status_ms": spread(floors, 1000),
        "python_start_ms": spread(starts, 1000),
    }
    return [
        Result(
            "handoff",
            f"{what}, {named}",
            median(taken) * 1000,
            "ms",
            median(floors) * 1000,
            "git status",
            Target("<=", OVER_MS, over=True),
            {**detail, f"{what}_ms": spread(taken, 1000)},
        )
        for what, taken in (("offer", offered), ("accept", accepted))
    ]


@contextmanager
def handing(
    files: int, rounds: int
) -> Iterator[tuple[Path, Iterator[list[str]], Iterator[list[str]]]]:
    """Give a repository, and the command lines that offer and that accept, a pair for each task."""
    with scratch() as folder:
        guarded(folder)
        filled(folder, files, CHANGED)
        tasks = _tasks(folder, rounds)
        yield folder, _offers(tasks), _accepts(tasks)


def _tasks(folder: Path, number: int) -> list[str]:
    """Open tasks that one session acts for, and start the session that will receive them."""
    names = [f"work-{each}" for each in range(number)]
    giver = session(folder, "giver")
    session(folder, "receiver").close()
    for name in names:
        Tasks(giver.context).open(name)
        Handoffs(giver.context, _Nowhere()).accept(name)
    giver.close()
    return names


class _Nowhere:
    """Keeps no packet's file: what is measured writes its own."""

    def write(self, name: str, content: bytes) -> str | None:
        """Write nothing."""
        return None


def _offers(tasks: Sequence[str]) -> Iterator[list[str]]:
    begin = [str(PROGRAM), "-q", "handoff", "offer", "--kind", "return"]
    for number, task in enumerate(tasks):
        message = "what was done, what is left, and where to begin reading, in a sentence or two"
        yield [*begin, "--task", task, "--scope", f"src/area-{number}", "-m", message]


def _accepts(tasks: Sequence[str]) -> Iterator[list[str]]:
    for task in tasks:
        yield [str(PROGRAM), "-q", "handoff", "accept", task]

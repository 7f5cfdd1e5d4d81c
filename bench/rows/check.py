"""``handrail check commit`` in a large repository, beside ``git status`` there: whole processes."""

from __future__ import annotations

from collections.abc import Sequence

from bench.ground import PROGRAM, environment, filled, guarded, scratch, session
from bench.measure import Result, Target, in_turn, median, seconds, spread
from bench.process import NOTHING, run

FILES, FILES_QUICK = 50_000, 500
STAGED = 5


def check_commit(quick: bool) -> Sequence[Result]:
    """Ask whether what is staged may be committed, in turn with asking git what is changed."""
    files = FILES_QUICK if quick else FILES
    with scratch() as folder:
        guarded(folder)
        filled(folder, files, STAGED)
        session(folder, "bench").close()
        around = environment("bench")

        def check() -> float:
            words = [str(PROGRAM), "check", "commit"]
            return seconds(lambda: run(words, folder, around))

        def status() -> float:
            return seconds(lambda: run(["git", "status"], folder, around))

        def nothing() -> float:
            return seconds(lambda: run(NOTHING, folder, around))

        in_turn(1, check, status, nothing)
        checks, floors, starts = in_turn(3 if quick else 40, check, status, nothing)
    return [
        Result(
            "check-commit",
            f"check commit, {f'{files:,}'.replace(',', ' ')} files",
            median(checks) * 1000,
            "ms",
            median(floors) * 1000,
            "git status",
            Target("<=", 1),
            {
                "check_ms": spread(checks, 1000),
                "git_status_ms": spread(floors, 1000),
                "python_start_ms": spread(starts, 1000),
            },
        )
    ]

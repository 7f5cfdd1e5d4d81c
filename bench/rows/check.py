"""``handrail check commit`` in a large repository, beside ``git status`` there: whole processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.ground import PROGRAM, environment, git, guarded, scratch, session
from bench.measure import Result, Target, in_turn, median, seconds, spread
from bench.process import NOTHING, run

FILES, FILES_QUICK = 50_000, 500
IN_A_FOLDER = 100
STAGED = 5


def check_commit(quick: bool) -> Sequence[Result]:
    """Ask whether what is staged may be committed, in turn with asking git what is changed."""
    files = FILES_QUICK if quick else FILES
    with scratch() as folder:
        guarded(folder)
        _fill(folder, files)
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
            f"check commit, {files:,} files".replace(",", " "),
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


def _fill(folder: Path, files: int) -> None:
    """Commit many files, change a few, stage these."""
    head = (
        "commit refs/heads/main\ncommitter bench <bench@example.org> 1767225600 +0000\n"
        "data <<END\nmany files\nEND\nfrom refs/heads/main^0\n"
    )
    rows = [
        f"M 100644 inline {_path(number)}\ndata <<END\nline {number}\nEND\n"
        for number in range(files)
    ]
    git(folder, "fast-import", "--quiet", "--force", stdin=head + "".join(rows) + "\n")
    git(folder, "reset", "--quiet", "--hard")
    for number in range(0, files, files // STAGED):
        (folder / _path(number)).write_text("changed\n")
    git(folder, "add", "--all")


def _path(number: int) -> str:
    return f"src/area-{number // IN_A_FOLDER}/part-{number % IN_A_FOLDER}.py"

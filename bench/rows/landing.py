"""Judging a push of 20 and of 1 000 commits, beside git's own time for the same diffs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.ground import PROGRAM, environment, git, guarded, scratch, session
from bench.measure import Result, Target, in_turn, median, seconds, spread
from bench.process import run

COMMITS = (20, 1_000)
FILES = 2_000
IN_A_FOLDER = 40
FILES_A_COMMIT = 3
BEYOND_GIT_MS = 250
LONG_PUSH_S = 10


def pushes(quick: bool) -> Sequence[Result]:
    """Judge pushes as ``pre-receive`` does, in turn with asking git for their diffs."""
    results = []
    for commits in COMMITS[:1] if quick else COMMITS:
        with scratch() as folder:
            line = _history(folder, commits)
            results.append(_judge(folder, commits, line, quick=quick))
    return results


def _judge(folder: Path, commits: int, line: bytes, *, quick: bool) -> Result:
    around = environment()
    old, new, _ = line.decode().split()
    asked = git(folder, "rev-list", f"{old}..{new}").encode()
    diffs = ["git", "diff-tree", "--stdin", "-r", "--raw", "-z", "--no-renames"]

    def judge() -> float:
        words = [str(PROGRAM), "verify", "--stdin", "--quiet"]
        return seconds(lambda: run(words, folder, around, stdin=line))

    listed = folder / "asked"
    listed.write_bytes(asked)

    def diff() -> float:
        words = ["sh", "-c", '"$@" <asked', "sh", *diffs]
        return seconds(lambda: run(words, folder, around))

    in_turn(1, judge, diff)
    judged, floors = in_turn(3 if quick else 12, judge, diff)
    beyond_ms = (median(judged) - median(floors)) * 1000
    short = commits == COMMITS[0]
    return Result(
        "push",
        f"a push of {commits:,} commits judged".replace(",", " ") + (", beyond git" * short),
        beyond_ms if short else median(judged),
        "ms" if short else "s",
        median(floors) * (1000 if short else 1),
        "git diff-tree",
        Target("<=", BEYOND_GIT_MS if short else LONG_PUSH_S, absolute=True),
        {"judged_ms": spread(judged, 1000), "git_ms": spread(floors, 1000)},
    )


def _history(folder: Path, commits: int) -> bytes:
    """Commit many files, then attested changes of some; returns the line of their push."""
    guarded(folder)
    _import(folder, [[_file(number, "first") for number in range(FILES)]])
    old = git(folder, "rev-parse", "main").strip()
    session(folder, "bench").close()
    run([str(PROGRAM), "claim", "src", "--quiet"], folder, environment("bench"))
    changed = [
        [_file((one * FILES_A_COMMIT + n) % FILES, f"change {one}") for n in range(FILES_A_COMMIT)]
        for one in range(commits)
    ]
    _import(folder, changed)
    new = git(folder, "rev-parse", "main").strip()
    git(folder, "reset", "--quiet", "--hard")
    run([str(PROGRAM), "attest", f"{old}..{new}", "--quiet"], folder, environment("bench"))
    return f"{old} {new} refs/heads/main\n".encode()


def _import(folder: Path, commits: Sequence[Sequence[str]]) -> None:
    """Put commits on top of main without any hook."""
    parts = []
    for number, files in enumerate(commits):
        above = "from refs/heads/main^0\n" if number == 0 else ""
        parts.append(
            f"commit refs/heads/main\ncommitter bench <bench@example.org> {1767225600 + number}"
            f" +0000\ndata <<END\nchange {number}\nEND\n{above}{''.join(files)}\n"
        )
    git(folder, "fast-import", "--quiet", "--force", stdin="".join(parts))


def _file(number: int, text: str) -> str:
    path = f"src/area-{number // IN_A_FOLDER}/part-{number % IN_A_FOLDER}.py"
    return f"M 100644 inline {path}\ndata <<END\n{text} of {number}\nEND\n"

"""Judging a push of 20 and of 1 000 commits: by the store here, and by a server's ``pre-receive``.

The floor is git's own time: for the same diffs, and for the same push to a server that judges
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.ground import PROGRAM, environment, git, guarded, scratch, session
from bench.measure import Result, Target, in_turn, median, seconds, spread
from bench.process import run
from handrail.service.setup import apply_config
from handrail.wiring import Application
from handrail.wiring.sharing import enrolment

COMMITS = (20, 1_000)
FILES = 2_000
IN_A_FOLDER = 40
FILES_A_COMMIT = 3
BEYOND_GIT_MS = 250
LONG_PUSH_S = 10
JUDGING, PLAIN = "judging.git", "plain.git"


def pushes(quick: bool) -> Sequence[Result]:
    """Judge pushes, in turn with git doing the same without judging."""
    results = []
    for commits in COMMITS[:1] if quick else COMMITS:
        with scratch() as folder:
            work = folder / "work"
            line = _history(work, commits)
            rounds = 3 if quick else 12
            results.append(_judge(work, commits, line, rounds))
            results.append(_push(folder, commits, line, rounds))
    return results


def _judge(folder: Path, commits: int, line: bytes, rounds: int) -> Result:
    around = environment()
    old, new, _ = line.decode().split()
    (folder / "asked").write_text(git(folder, "rev-list", f"{old}..{new}"))
    diffs = ["git", "diff-tree", "--stdin", "-r", "--raw", "-z", "--no-renames"]
    reading = ["sh", "-c", '"$@" <asked', "sh", *diffs]
    words = [str(PROGRAM), "verify", "--stdin", "--quiet"]
    return _result(
        f"{_number(commits)} commits, `verify --stdin` by the store",
        commits,
        lambda: run(words, folder, around, stdin=line),
        lambda: run(reading, folder, around),
        "git diff-tree",
        rounds,
    )


def _push(folder: Path, commits: int, line: bytes, rounds: int) -> Result:
    """Push for real, to a server with nothing but the enrolled ledger to go by."""
    work, around = folder / "work", environment()
    old, new, _ = line.decode().split()
    for name in (JUDGING, PLAIN):
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", name)
        git(work, "push", "--quiet", f"../{name}", f"{old}:refs/heads/main")
    run([str(PROGRAM), "init", "--bare", "--quiet"], folder / JUDGING, around)
    run([str(PROGRAM), "ledger", "sync", f"../{JUDGING}", "--quiet"], work, around)

    def to(name: str) -> Callable[[], None]:
        words = ["git", "push", "--quiet", "--no-verify", f"../{name}", f"{new}:refs/heads/main"]

        def push() -> None:
            git(folder / name, "update-ref", "refs/heads/main", old)
            run(words, work, around)

        return push

    return _result(
        f"{_number(commits)} commits, a push to a server that judges",
        commits,
        to(JUDGING),
        to(PLAIN),
        "a push to one that does not",
        rounds,
    )


def _result(
    what: str,
    commits: int,
    work: Callable[[], object],
    without: Callable[[], object],
    floor_is: str,
    rounds: int,
) -> Result:
    """Measure both in turn; of a short push what it takes beyond git, of a long one all of it."""
    subjects = (lambda: seconds(work), lambda: seconds(without))
    in_turn(1, *subjects)
    judged, floors = in_turn(rounds, *subjects)
    short = commits == COMMITS[0]
    beyond = median(judged) - median(floors)
    return Result(
        "push",
        what + (", beyond git" if short else ""),
        beyond * 1000 if short else median(judged),
        "ms" if short else "s",
        median(floors) * (1000 if short else 1),
        floor_is,
        Target("<=", BEYOND_GIT_MS if short else LONG_PUSH_S, absolute=True),
        {"judged_ms": spread(judged, 1000), "without_ms": spread(floors, 1000)},
    )


def _number(commits: int) -> str:
    return f"{commits:,}".replace(",", " ")


def _history(folder: Path, commits: int) -> bytes:
    """Commit many files, then attested changes of some; returns the line of their push."""
    guarded(folder)
    _enrol(folder)
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


def _enrol(folder: Path) -> None:
    """Enrol the store as a person does, and commit that."""
    application = Application.open(str(folder), environment(), terminal=True)
    enrolment(application).enroll(holder="bench")
    apply_config(application.context)
    application.close()
    git(folder, "commit", "--quiet", "--all", "--message", "enrol")


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

"""What git does many times in a row, in a guarded repository: rebase 200 commits, fetch 300 refs.

A launch line that leaves a mark counts the interpreters that hooks start: none while git is at it,
and at most one at the very end of a rebase, when the branch moves. The floor is the same git
without hooks; beside it stands, for information, the same with hooks of one line, ``exit 0``: what
git takes to start a shell some ten times for each commit, and no hook can go below. What that is
in seconds is the machine's matter, so the detail says what a bare interpreter takes in the same
run, and what would have been measured where that takes the six milliseconds of the design.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.ground import environment, git, guarded, scratch
from bench.measure import Result, Target, in_turn, median, seconds, spread
from bench.process import NOTHING, run

COMMITS, REFS = 200, 300
COMMITS_QUICK, REFS_QUICK = 10, 15
SECONDS_MAX: Final = Target("<=", 3, absolute=True)
UNHOOKED: Final = ("-c", "core.hooksPath=/dev/null")
HOOKS: Final = ("pre-commit", "prepare-commit-msg", "reference-transaction", "post-rewrite")
DESIGN_START_S: Final = 0.006
STARTS: Final = 10
ALLOWED: Final = {"rebase": 1, "fetch": 0}
"""How many interpreters may start, however much there is to do."""


def git_in_bulk(quick: bool) -> Sequence[Result]:
    """Rebase and fetch with hooks and without, in turn, each from the same beginning."""
    commits, refs = (COMMITS_QUICK, REFS_QUICK) if quick else (COMMITS, REFS)
    with scratch() as folder:
        here, far = folder / "here", folder / "far"
        guarded(here)
        marks = _marked(here)
        _branch(here, commits)
        _remote(here, far, refs)
        return [
            _measured(here, marks, "rebase", f"rebase of {commits} commits", ["main", "topic"]),
            _measured(here, marks, "fetch", f"fetch of {refs} refs", ["far"]),
        ]


def _measured(here: Path, marks: Path, verb: str, what: str, words: list[str]) -> Result:
    started: list[int] = []

    def hooked() -> float:
        marks.write_bytes(b"")
        spent = _spent(here, [verb, "--quiet", *words])
        started.append(len(marks.read_bytes().splitlines()))
        return spent

    def unhooked() -> float:
        return _spent(here, [*UNHOOKED, verb, "--quiet", *words])

    def idle() -> float:
        return _spent(here, ["-c", f"core.hooksPath={bare}", verb, "--quiet", *words])

    def started_bare() -> float:
        return median([seconds(lambda: run(NOTHING, here, environment())) for _ in range(STARTS)])

    bare = _bare_hooks(here)
    _prove_the_mark(here, marks)
    samples, floors, idling, starts = in_turn(3, hooked, unhooked, idle, started_bare)
    if max(started) > ALLOWED[verb]:
        raise SystemExit(f"bench: a {what} started {max(started)} interpreters")
    return Result(
        "git-in-bulk",
        what,
        median(samples),
        "s",
        median(floors),
        "the same without hooks",
        SECONDS_MAX,
        {
            "interpreters_started": started,
            "hooks_started": _counted(here, [verb, "--quiet", *words]),
            "with_hooks_s": spread(samples),
            "with_hooks_of_one_line_s": spread(idling),
            "without_hooks_s": spread(floors),
            "bare_interpreter_s": spread(starts),
            "where_that_takes_6_ms_s": median(samples) * DESIGN_START_S / median(starts),
        },
    )


def _spent(here: Path, words: Sequence[str]) -> float:
    """Bring everything back to the beginning, then measure."""
    git(here, "checkout", "--quiet", "--detach", "main")
    git(here, "update-ref", "refs/heads/topic", "refs/bench/topic")
    known = git(here, "for-each-ref", "--format=delete %(refname)", "refs/remotes")
    git(here, "update-ref", "--stdin", stdin=known)
    return seconds(lambda: run(["git", *words], here, environment()))


def _marked(here: Path) -> Path:
    """Let the launch line leave a mark each time that it is about to start an interpreter."""
    marks = here.parent / "marks"
    launch = here / ".git" / "handrail" / "launch"
    launch.write_bytes(f"echo started >>'{marks}'\n".encode() + launch.read_bytes())
    return marks


def _bare_hooks(here: Path, line: str = "exit 0", named: str = "bare") -> Path:
    """Write hooks that end at once, under the names of those that are there."""
    folder = here.parent / named
    folder.mkdir(exist_ok=True)
    for name in HOOKS:
        if (here / ".git" / "hooks" / name).exists():
            (folder / name).write_text(f"#!/bin/sh\n{line}\n")
            (folder / name).chmod(0o755)
    return folder


def _counted(here: Path, words: Sequence[str]) -> int:
    """Count the hooks that git starts."""
    marks = here.parent / "started"
    marks.write_bytes(b"")
    counting = _bare_hooks(here, f"echo started >>'{marks}'", "counting")
    _spent(here, ["-c", f"core.hooksPath={counting}", *words])
    return len(marks.read_bytes().splitlines())


def _prove_the_mark(here: Path, marks: Path) -> None:
    """See that an interpreter that starts is counted: a new branch is looked at."""
    marks.write_bytes(b"")
    run(["git", "branch", "--force", "looked-at", "refs/bench/topic"], here, environment())
    git(here, "branch", "--quiet", "--delete", "--force", "looked-at")
    assert marks.read_bytes(), "the launch line left no mark"


def _branch(here: Path, commits: int) -> None:
    """Make a branch of many commits, and let main go on by one."""
    git(here, "checkout", "--quiet", "--detach")
    git(here, "fast-import", "--quiet", stdin=_stream("bench/topic", commits, one_line=True))
    git(here, "fast-import", "--quiet", "--force", stdin=_stream("heads/main", 1, one_line=True))
    git(here, "update-ref", "refs/heads/topic", "refs/bench/topic")


def _remote(here: Path, far: Path, refs: int) -> None:
    """Make another repository with many branches, each with a commit of its own."""
    git(here, "init", "--quiet", "--bare", str(far))
    git(far, "fast-import", "--quiet", stdin=_stream("heads/topic-{}", refs, one_line=False))
    git(here, "remote", "add", "far", str(far))


def _stream(ref: str, commits: int, *, one_line: bool) -> str:
    """Write what ``git fast-import`` reads: commits on main, one after another or side by side."""
    rows = []
    for number in range(commits):
        name, path = ref.format(number), f"{ref.format('x')}/file-{number}.txt"
        first = "from refs/heads/main^0\n" if one_line and not number else ""
        rows.append(
            f"commit refs/{name}\n"
            f"committer bench <bench@example.org> {1_767_225_600 + number} +0000\n"
            f"data <<END\nwork {number}\nEND\n{first}"
            f"M 100644 inline {path}\ndata <<END\nline {number}\nEND\n"
        )
    return "\n".join(rows) + "\n"

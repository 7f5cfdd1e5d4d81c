"""Refs that are about to move, what is staged, and the message of a commit that is being made.

Promises: as in ``facts.git``: argument vectors only, replace refs off, every failure of git is
FactsUnavailable. Nothing is written but the message file that git itself asked to have prepared.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from handrail import errors
from handrail.facts.git import HEX, ask
from handrail.facts.process import command_of, parent
from handrail.typed import Final

FRESH_MAX: Final = 1_001
_FETCHED_BYTES_MAX: Final = 1 << 20
_GIT_NAMES: Final = ("git", "git-commit", "git-update-ref")
_WITH_VALUE: Final = ("-c", "-C", "--git-dir", "--work-tree", "--namespace", "--exec-path")
_PROCESSES_UP: Final = 4


def head_of(toplevel: str) -> tuple[str, str]:
    """Return HEAD's commit and its tree; '' for both on an unborn branch."""
    said = ask(toplevel, ["rev-parse", "HEAD^{commit}", "HEAD^{tree}"], fine=(0, 128))
    both = said.decode("ascii", "replace").split()
    if len(both) == 2 and HEX.issuperset("".join(both)):
        return both[0], both[1]
    commit = ref_value(toplevel, "HEAD")  # none yet, or a git that is out of order
    if not commit:
        return "", ""
    said = ask(toplevel, ["rev-parse", "--verify", f"{commit}^{{tree}}"])
    return commit, said.decode("ascii", "replace").strip()


def ref_value(folder: str, ref: str) -> str:
    """Return the commit that a ref holds; '' if there is none of that name."""
    said = ask(folder, ["rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"], fine=(0, 1))
    return said.decode("ascii", "replace").strip()


def fresh_commits(folder: str, git_dir: str, tips: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the commits below these tips that no ref has, and those that nothing else has either.

    The second leaves out what a reflog or FETCH_HEAD knows. Newest first, at most FRESH_MAX.
    """
    if not tips or not all(HEX.issuperset(tip) for tip in tips):
        return [], []
    words = ["rev-list", f"--max-count={FRESH_MAX}", *tips, "--not", "--all"]
    in_no_ref = ask(folder, words).decode("ascii", "replace").split()
    if not in_no_ref:
        return [], []
    words += ["--reflog", *_fetched(git_dir, folder)]
    return in_no_ref, ask(folder, words).decode("ascii", "replace").split()


def _fetched(git_dir: str, folder: str) -> list[str]:
    try:
        with open(os.path.join(git_dir, "FETCH_HEAD"), encoding="ascii", errors="replace") as file:
            rows = file.read(_FETCHED_BYTES_MAX).splitlines()
    except OSError:
        return []
    ids = [row[:64].split("\t")[0] for row in rows]
    ids = [one for one in ids if len(one) in (40, 64) and HEX.issuperset(one)]
    if not ids:
        return []
    said = ask(folder, ["cat-file", "--batch-check=%(objecttype) %(objectname)"], _lines(ids))
    rows = said.decode("ascii", "replace").splitlines()
    return [row.split()[1] for row in rows if row.startswith("commit ")]


def _lines(ids: Sequence[str]) -> bytes:
    return "".join(f"{one}\n" for one in ids).encode("ascii")


def parents(folder: str, commit: str) -> list[str]:
    """Return the parents of a commit."""
    said = ask(folder, ["rev-list", "--parents", "--max-count=1", commit])
    return said.decode("ascii", "replace").split()[1:]


def staged(folder: str) -> list[str]:
    """Return the paths that the index changes against HEAD, or holds where there is no HEAD."""
    words = ["--raw", "-z", "--no-renames", "--cached", "--ignore-submodules=none"]
    if ref_value(folder, "HEAD"):
        said = ask(folder, ["diff-index", *words, "HEAD", "--"])
        return [os.fsdecode(path) for path in said.split(b"\0")[1::2]]
    said = ask(folder, ["ls-files", "--cached", "-z"])
    return [os.fsdecode(path) for path in said.split(b"\0") if path]


def add_trailers(folder: str, file: str, trailers: Sequence[str]) -> None:
    """Write trailers into the message that is being prepared; one that is there stays as it is."""
    words = ["interpret-trailers", "--in-place", "--if-exists", "doNothing"]
    for trailer in trailers:
        words += ["--trailer", trailer]
    path = os.path.join(folder, file)
    _end_the_line(path)
    ask(folder, [*words, "--", path])


def _end_the_line(path: str) -> None:
    """End the last line: git writes the message of a merge without, and trailers stuck to it."""
    try:
        with open(path, "r+b") as message:
            size = message.seek(0, os.SEEK_END)
            message.seek(max(size - 1, 0))
            if message.read(1) not in (b"", b"\n"):
                message.write(b"\n")
    except OSError as error:
        raise errors.FactsUnavailable(what=path, reason=error.strerror or "it failed") from error


def calling_git(pid: int) -> str:
    """Return the git command that is at work above a process; '' if none is found."""
    above = parent(pid)
    for _ in range(_PROCESSES_UP):
        if not above:
            return ""
        words = command_of(above)
        name = os.path.basename(words[0]) if words else ""
        if name in _GIT_NAMES:
            return name.removeprefix("git-") if name != "git" else _subcommand(words[1:])
        above = parent(above)
    return ""


def _subcommand(words: Sequence[str]) -> str:
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in _WITH_VALUE:
            skip = True
        elif not word.startswith("-"):
            return word
    return ""


def branch(folder: str) -> str | None:
    """Return the branch that is checked out; None where HEAD is detached."""
    said = ask(folder, ["symbolic-ref", "--quiet", "--short", "HEAD"], fine=(0, 1))
    return said.decode("utf-8", "surrogateescape").strip() or None

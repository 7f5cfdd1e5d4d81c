"""What git knows: the commits of a range, their trees, parents and changed paths.

Promises: git is run with an argument vector, never through a shell; replace refs, text conversion
and external diffs are off, so the answer is about the commits themselves; a failing git is
FactsUnavailable, never "no changes"; output and time are bounded.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from handrail.core.digest import sha256
from handrail.core.record import Record
from handrail.errors import FactsUnavailable, MalformedRange
from handrail.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import IO

TIMEOUT_S: Final = 120
COMMITS_MAX: Final = 10_000
HEX: Final = frozenset("0123456789abcdef")


class RawCommit(Record):
    """A commit as git tells it; paths are git's bytes, undecodable ones as surrogates.

    ``change`` is a digest of what it does to them (``core.landing.digest_of``), where it was told.
    """

    commit: str
    tree: str
    parents: tuple[str, ...]
    paths: tuple[str, ...]
    paths_hash: str
    change: str | None = None


@contextmanager
def git_at_work(what: str) -> Iterator[None]:
    """Turn what goes wrong around a process of git into FactsUnavailable."""
    try:
        yield
    except FileNotFoundError as error:
        raise FactsUnavailable(what=what, reason="git is not installed") from error
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise FactsUnavailable(what=what, reason=str(error)) from error


@contextmanager
def git_beside(
    what: str,
    words: Sequence[str],
    folder: str,
    environment: Mapping[str, str],
    stdin: bytes,
    *,
    alone: bool = False,
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Start git; what it is given and what it complains of are files, so only stdout is a pipe.

    Whoever starts it sees to its end. ``alone``: in a session of its own. Raises FactsUnavailable,
    about ``what``.
    """
    import tempfile

    with (
        git_at_work(what),
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as complaints,
    ):
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(
            ["git", *words],
            cwd=folder,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=environment,
            start_new_session=alone,
        )
        yield process, complaints


def ask(
    folder: str, words: Sequence[str], stdin: bytes = b"", *, fine: Sequence[int] = (0,)
) -> bytes:
    """Run git in ``folder`` and return its output; raises FactsUnavailable.

    ``fine`` are the exit statuses that are no failure.
    """
    what = f"git {words[0]}"
    with git_at_work(what):
        told = subprocess.run(
            ["git", *words],
            cwd=folder,
            input=stdin,
            capture_output=True,
            timeout=TIMEOUT_S,
            env=_environment(),
            check=False,
        )
    if told.returncode not in fine:
        raise _failed(what, told.stderr)
    return told.stdout


class Asking:
    """A git that answers while this process does something else.

    Whoever began it takes its answer, once, or ends it.
    """

    def __init__(self, folder: str, words: Sequence[str]) -> None:
        """Begin; raises FactsUnavailable."""
        self._what = f"git {words[0]}"
        # A pipe holds little: where memory can be a file, git need not wait to be read.
        self._said = os.memfd_create("git") if hasattr(os, "memfd_create") else None
        try:
            with git_at_work(self._what):
                self._process = subprocess.Popen(
                    ["git", *words],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE if self._said is None else self._said,
                    stderr=subprocess.PIPE,
                    env=_environment(),
                )
        except BaseException:
            self._forget()
            raise

    def answer(self) -> bytes:
        """Return the output; raises FactsUnavailable."""
        with git_at_work(self._what):
            try:
                said, complaints = self._process.communicate(timeout=TIMEOUT_S)
                if self._said is not None:
                    said = os.pread(self._said, os.fstat(self._said).st_size, 0)
            finally:
                self.end()
        if self._process.returncode:
            raise _failed(self._what, complaints)
        return said

    def end(self) -> None:
        """Let go of a git that nobody waits for any more, and of one that is done."""
        if self._process.poll() is None:
            self._process.kill()
        with self._process:
            self._forget()

    def _forget(self) -> None:
        if self._said is not None:
            os.close(self._said)
            self._said = None


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def _failed(what: str, stderr: bytes) -> FactsUnavailable:
    complaint = stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason"]
    return FactsUnavailable(what=what, reason=complaint[0].removeprefix("fatal: "))


def read_range(folder: str, text: str) -> list[RawCommit]:
    """Return the commits of ``A..B``, or the one commit that ``text`` names, oldest first.

    Merges come without paths: ``facts.commits.as_judged`` finds those of merges of two.

    Raises MalformedRange where git knows no such commits, and above COMMITS_MAX of them.
    """
    words = ["rev-list", "--reverse", "--topo-order", "--no-commit-header", "--format=%H %T %P"]
    # In this order: to git, a limit after --no-walk means to walk after all.
    bounds = [f"--max-count={COMMITS_MAX + 1}", *([] if ".." in text else ["--no-walk"])]
    try:
        listed = ask(folder, [*words, *bounds, "--end-of-options", text, "--"])
    except FactsUnavailable as error:
        reason = str(error.values.get("reason"))
        raise MalformedRange(range=text, reason=reason) from error
    rows = [line.split() for line in listed.decode("ascii", "replace").splitlines()]
    if not all(len(row) >= 2 and HEX.issuperset("".join(row)) for row in rows):
        raise FactsUnavailable(what="git rev-list", reason="its answer makes no sense")
    if len(rows) > COMMITS_MAX:
        raise MalformedRange(range=text, reason=f"it holds more than {COMMITS_MAX} commits")
    if not rows:
        raise MalformedRange(range=text, reason="it is empty")
    changed = changed_paths(folder, [row[0] for row in rows])
    commits = []
    for commit, tree, *parents in rows:
        raw = sorted(changed.get(commit, ()))
        digest = sha256(b"\0".join(raw)).hexdigest()
        paths = tuple(path.decode("utf-8", "surrogateescape") for path in raw)
        commits.append(RawCommit(commit, tree, tuple(parents), paths, digest))
    return commits


def changed_paths(folder: str, commits: Sequence[str]) -> dict[str, list[bytes]]:
    """Ask one git for the raw changes of all commits against their parent (or the empty tree)."""
    words = ["diff-tree", "--stdin", "--root", "-r", "-z", "--raw", "--no-renames", "--no-ext-diff"]
    output = ask(folder, [*words, "--no-textconv"], "".join(f"{c}\n" for c in commits).encode())
    changed: dict[str, list[bytes]] = {}
    current: list[bytes] = []
    fields = iter(output.split(b"\0"))
    for field in fields:
        if field.startswith(b":"):
            current.append(next(fields, b""))
        elif field:
            current = changed.setdefault(field.strip().decode("ascii", "replace"), [])
    return changed

"""A git that nobody has configured: the same objects, and nothing else of the repository.

Promises: commits, trees and blobs are those of the repository; its configuration, attributes,
hooks, replace refs, grafts, shallow marks, commit graphs and merge drivers are not read, nor are
the user's, so an answer is a function of the objects alone; what git writes on the way (the trees
of a merge) goes into a folder that is removed at the end, never into the repository. No shell;
output and time are bounded; a git that fails or lacks an object is FactsUnavailable.

    with neutral(place.toplevel) as git:
        git.ask(["cat-file", "-t", commit])
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from handrail.errors import FactsUnavailable
from handrail.facts.git import ask, git_beside
from handrail.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import IO

TIMEOUT_S: Final = 120
OUTPUT_BYTES_MAX: Final = 1 << 28
PIECE_BYTES: Final = 1 << 20


class Neutral:
    """Runs git in a bare repository of nothing but borrowed objects."""

    def __init__(self, folder: str, objects: bytes) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self._environment: dict[str, str] = {
            **kept,
            "GIT_DIR": folder,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": os.fsdecode(objects),
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }

    def ask(self, words: Sequence[str], stdin: bytes = b"", config: Sequence[str] = ()) -> bytes:
        """Run git and return its output; raises FactsUnavailable."""
        return b"".join(self.stream(words, stdin, config))

    def stream(
        self, words: Sequence[str], stdin: bytes = b"", config: Sequence[str] = ()
    ) -> Iterator[bytes]:
        """Run git and yield its output by lines, very long ones in pieces."""
        settings = [word for setting in config for word in ("-c", setting)]
        what = f"git {words[0]}"
        started = git_beside(what, [*settings, *words], self.folder, self._environment, stdin)
        with started as (process, complaints):
            yield from _bounded(process, what)
            if process.returncode != 0:
                complaints.seek(0)
                raise FactsUnavailable(what=what, reason=_first_line(complaints))


def _bounded(process: subprocess.Popen[bytes], what: str) -> Iterator[bytes]:
    """Yield what a process says, and see to its end, whoever stops reading."""
    assert process.stdout is not None, "its output is a pipe"
    late = threading.Event()

    def give_up() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(TIMEOUT_S, give_up)
    timer.start()
    try:
        said = 0
        while piece := process.stdout.readline(PIECE_BYTES):
            said += len(piece)
            if said > OUTPUT_BYTES_MAX:
                reason = f"it says more than {OUTPUT_BYTES_MAX} bytes"
                raise FactsUnavailable(what=what, reason=reason)
            yield piece
        process.wait()
    finally:
        timer.cancel()
        process.kill()
        process.stdout.close()
        process.wait()
    if late.is_set():
        raise FactsUnavailable(what=what, reason=f"it took more than {TIMEOUT_S} s")


def _first_line(complaints: IO[bytes]) -> str:
    lines = complaints.read(4_096).decode("utf-8", "replace").strip().splitlines() or ["no reason"]
    return lines[0].removeprefix("fatal: ").removeprefix("error: ")


@contextmanager
def neutral(folder: str) -> Iterator[Neutral]:
    """Set a neutral git up over the objects of the repository around ``folder``."""
    words = ["rev-parse", "--show-object-format", "--git-path", "objects"]
    kind, _, objects = ask(folder, words).rstrip(b"\n").partition(b"\n")
    places = [os.path.join(os.fsencode(folder), objects)]
    beside = os.environb.get(b"GIT_ALTERNATE_OBJECT_DIRECTORIES", b"")
    borrowed = b":".join([*map(_quoted, places), *([beside] if beside else [])])
    try:
        with tempfile.TemporaryDirectory(prefix="handrail-", ignore_cleanup_errors=True) as made:
            _lay_out(made, kind.decode("ascii", "replace"))
            yield Neutral(made, borrowed)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FactsUnavailable(what="a temporary folder", reason=reason) from error


def _lay_out(made: str, kind: str) -> None:
    """Write what makes a folder a bare repository."""
    for name in ("objects", "refs"):
        os.mkdir(os.path.join(made, name))
    config = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n\tcommitGraph = false\n"
    config += f"\tattributesFile = {os.devnull}\n\thooksPath = {os.devnull}\n"
    if kind != "sha1":
        config += f"[extensions]\n\tobjectFormat = {kind}\n"
    for name, text in (("HEAD", "ref: refs/heads/none\n"), ("config", config)):
        with open(os.path.join(made, name), "w", encoding="ascii") as file:
            file.write(text)


def _quoted(path: bytes) -> bytes:
    """Write a path as git reads it in a list of object folders, whatever its bytes are."""
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'

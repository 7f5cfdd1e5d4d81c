"""Processes that are measured: started the cheapest way there is, and seen to do well."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

NOTHING: Final = (sys.executable, "-I", "-S", "-c", "pass")
"""The floor of every process: the same interpreter, doing nothing."""
PAYLOAD_BYTES_MAX: Final = 4_096
"""What any pipe holds without a reader."""


class Start(NamedTuple):
    """How a process is started: what ``run`` is told."""

    words: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    stdin: bytes = b""

    def run(self, status: int = 0) -> float:
        """Run it to its end; see ``run``."""
        return run(self.words, self.folder, self.environment, stdin=self.stdin, status=status)


def run(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    stdin: bytes = b"",
    status: int = 0,
) -> float:
    """Run a program to its end, with ``stdin`` in a pipe; ends the benchmark on another status.

    Returns the seconds of a processor that it took, with all processes that it waited for.
    """
    assert len(stdin) <= PAYLOAD_BYTES_MAX
    reading, writing = os.pipe()
    os.write(writing, stdin)
    os.close(writing)
    files = [
        (os.POSIX_SPAWN_DUP2, reading, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    if status:  # what it says of a refusal that is meant is not for the reader of the table
        files.append((os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0))
    before = os.getcwd()
    os.chdir(folder)
    try:
        child = os.posix_spawnp(words[0], list(words), dict(environment), file_actions=files)
    finally:
        os.chdir(before)
        os.close(reading)
    _, ended, used = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(ended) != status:
        raise SystemExit(f"bench: {' '.join(words)} did not end with {status}")
    return used.ru_utime + used.ru_stime

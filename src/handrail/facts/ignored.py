"""Which paths git ignores, asked in the guard's own time: one process, and no import for it.

``subprocess`` takes longer to import than this git to run, so it is started by hand.

    ignored("/repo", ["build/out.txt", "src/a.py"])   # frozenset({"build/out.txt"})
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from handrail.errors import FactsUnavailable
from handrail.typed import Final

PATHS_BYTES_MAX: Final = 32_768
"""What surely fits into a pipe, so that writing it all before reading anything cannot hang."""
_CHUNK: Final = 65_536


def ignored(folder: str, paths: Sequence[str]) -> frozenset[str]:
    """Return those of these repo-relative paths that git ignores; tracked ones never are."""
    found: set[str] = set()
    part: list[bytes] = []
    for path in paths:
        name = os.fsencode(path) + b"\0"
        if sum(map(len, part)) + len(name) > PATHS_BYTES_MAX:
            found |= _ask(folder, part)
            part = []
        part.append(name)
    return frozenset(found | _ask(folder, part)) if part else frozenset()


def _ask(folder: str, names: Sequence[bytes]) -> set[str]:
    theirs_in, mine_in = os.pipe()
    mine_out, theirs_out = os.pipe()
    try:
        environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        moves = [
            (os.POSIX_SPAWN_DUP2, theirs_in, 0),
            (os.POSIX_SPAWN_DUP2, theirs_out, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        words = ["git", "-C", folder, "check-ignore", "-z", "--stdin"]
        child = os.posix_spawnp("git", words, environment, file_actions=moves)
    except OSError as error:
        os.close(mine_in)
        os.close(mine_out)
        raise FactsUnavailable(what="git check-ignore", reason=str(error)) from error
    finally:
        os.close(theirs_in)
        os.close(theirs_out)
    return _answer(child, mine_in, mine_out, b"".join(names))


def _answer(child: int, to: int, back: int, names: bytes) -> set[str]:
    said = b""
    try:
        try:
            os.write(to, names)
        except BrokenPipeError:
            pass
        finally:
            os.close(to)
        while part := os.read(back, _CHUNK):
            said += part
    finally:
        os.close(back)
        _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise FactsUnavailable(what="git check-ignore", reason="it failed")
    return {os.fsdecode(path) for path in said.split(b"\0") if path}

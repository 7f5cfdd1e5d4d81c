"""One hook, from its words and stdin to its exit status; or a documented script's command.

Promise: ends in the terms of whoever asked: 0 lets it happen, 2 stops a tool of a harness, 1 stops
git. The usual case is answered by ``quick`` and leaves at once, without the interpreter's own
tidying up, which takes longer than the look-up.

Annotations are quoted by hand: even ``__future__`` is an import, and takes its time.
"""

import gc
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

PAYLOAD_BYTES_MAX = 64 << 20
GARBAGE_THRESHOLD = 50_000
_CHUNK = 1 << 20


def main(words: "Sequence[str]") -> None:
    """Answer the hook that these words name, and end the process."""
    # A hook is over before the search for cycles finds any; whatever runs longer still has it.
    gc.set_threshold(GARBAGE_THRESHOLD)
    if list(words[:1]) == ["compat"]:
        from handrail.edge.compat import run as compat

        _end(compat(words[1:]))
    if list(words[1:2]) == ["git"]:
        _end(_git(words[2] if len(words) > 2 else "", words[3:]))
    payload = read_all()
    from handrail.edge.guard.quick import nothing_to_say

    if nothing_to_say(payload):
        _end(0)
    try:
        from handrail.edge.guard.tools import run as answer

        status = answer(payload)
    except Exception as error:  # noqa: BLE001 - an installation in pieces
        _complain(error)
        # Only what is about to happen can be refused; what it is, nobody could read.
        status = 2 if b'"PreToolUse"' in payload else 0
    _end(status)


def _git(name: str, words: "Sequence[str]") -> int:
    """Answer a hook of git; what is wrong with Handrail stops no commit."""
    try:
        if name == "pre-receive":  # whose script takes any answer but its own two for a crash
            from handrail.edge.guard.receiving import run as receive

            return receive(read_all())
        if name == "merge":  # git's stdin is not for it
            from handrail.edge.guard.merging import run as merge

            return merge(words)
        from handrail.edge.guard.commits import run

        return run(name, words, read_all())
    except Exception as error:  # noqa: BLE001 - an installation in pieces
        _complain(error)
        return 0


def _complain(error: Exception) -> None:
    sys.stderr.write(f"handrail: bug: {type(error).__name__}: {error}\n  next: handrail doctor\n")


def _end(status: int) -> "NoReturn":
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    posix._exit(status)  # noqa: SLF001 - what ``os`` has under the same name


def read_all() -> bytes:
    """Read stdin to its end; what is longer than any payload is cut, so it cannot be parsed."""
    parts = []
    left = PAYLOAD_BYTES_MAX
    while left > 0:
        try:
            part = posix.read(0, min(_CHUNK, left))
        except OSError:
            break
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)

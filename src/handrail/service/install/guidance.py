r"""The block of `AGENTS.md` that tells an agent what holds here.

Promise: whatever stands around the block keeps its bytes. It is appended after one line end, which
goes with it again: a file that had the block and loses it is as it was.

    >>> without(with_block(b"# Rules\n")) == b"# Rules\n"
    True
"""

from __future__ import annotations

from typing import Final

FILE: Final = "AGENTS.md"
BEGIN: Final = b"<!-- handrail:begin -->"
END: Final = b"<!-- handrail:end -->"

_TEXT: Final = """\
<!-- handrail:begin -->
## Handrail: who may write what

Several agents may work in this repository at once. Handrail keeps them out of each other's way:
you may change only what you hold. The first edit of a free path in your lane takes it for you.

- `handrail status` shows who holds what, who waits, and until when.
- `handrail why PATH` says whether you may write PATH, and who or what stands in the way.
- `handrail claim SCOPE... --wait 10m` holds paths for you alone, and waits for them if it must.
- `handrail release --all` gives back what you hold; do it when you are done.

A refused edit names the holder and the one next command: run that, and do not work around it with
a shell or another tool. Never touch `.handrail/`, `handrail.toml` or the hooks. Commit early: what
you hold when you commit is recorded, and a commit over a path that you did not hold cannot land.
<!-- handrail:end -->
"""


class Unpaired(Exception):
    """A mark of the block stands there without the other one, or twice."""


def with_block(text: bytes) -> bytes:
    """Return the file with the block: appended, or put in place of another release's."""
    eol = b"\r\n" if b"\r\n" in text else b"\n"
    block = _TEXT.encode("ascii").replace(b"\n", eol)
    found = _find(text)
    if found is None:
        return text + (eol if text else b"") + block
    return text[: found[0]] + block.removesuffix(eol) + text[found[1] :]


def without(text: bytes) -> bytes:
    """Return the file without the block and the line ends that came with it."""
    found = _find(text)
    if found is None:
        return text
    before, after = text[: found[0]], text[found[1] :]
    for eol in (b"\r\n", b"\n"):
        if after.startswith(eol):
            after = after.removeprefix(eol)
            break
    for eol in (b"\r\n", b"\n"):
        if before.endswith(eol):
            before = before.removesuffix(eol)
            break
    return before + after


def _find(text: bytes) -> tuple[int, int] | None:
    """Return where the block begins and ends; raises Unpaired."""
    if text.count(BEGIN) == text.count(END) == 0:
        return None
    start, end = text.find(BEGIN), text.find(END)
    if text.count(BEGIN) != 1 or text.count(END) != 1 or end < start:
        raise Unpaired
    return start, end + len(END)

r"""A block of Handrail's own in somebody's file, between two marks.

Promise: whatever stands around the block keeps its bytes. It is appended after one line end, which
goes with it again: a file that had the block and loses it is as it was.

    >>> block = Marked(b"# begin", b"# end", b"# begin\n*.json merge=handrail\n# end\n")
    >>> without(with_block(b"*.png binary\n", block), block)
    b'*.png binary\n'
"""

from __future__ import annotations

from handrail.core.record import Record


class Unpaired(Exception):
    """A mark of the block stands there without the other one, or twice."""


class Marked(Record):
    """A block: the marks that it begins and ends with, and all of its text with line feeds."""

    begin: bytes
    end: bytes
    text: bytes


def with_block(text: bytes, block: Marked) -> bytes:
    """Return the file with the block: appended, or put in place of an older one.

    Raises Unpaired.
    """
    eol = b"\r\n" if b"\r\n" in text else b"\n"
    lines = block.text.replace(b"\n", eol)
    found = _find(text, block)
    if found is None:
        return text + (eol if text else b"") + lines
    return text[: found[0]] + lines.removesuffix(eol) + text[found[1] :]


def without(text: bytes, block: Marked) -> bytes:
    """Return the file without the block and the line ends that came with it; raises Unpaired."""
    found = _find(text, block)
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


def _find(text: bytes, block: Marked) -> tuple[int, int] | None:
    """Return where the block begins and ends; raises Unpaired."""
    if text.count(block.begin) == text.count(block.end) == 0:
        return None
    start, end = text.find(block.begin), text.find(block.end)
    if text.count(block.begin) != 1 or text.count(block.end) != 1 or end < start:
        raise Unpaired
    return start, end + len(block.end)

r"""Conflicts in a merged text that are none, because both sides did nothing but add rows.

Promise: pure; of rows that both sides added at one place all are kept, first ours; one that both
added is there once. Anything else that is in conflict stays so.

    >>> sides = b"<<<<<<< ours\n| b |\n||||||| base\n=======\n| c |\n>>>>>>> theirs\n"
    >>> additions_kept(b"| a |\n" + sides, 7)
    b'| a |\n| b |\n| c |\n'
"""

from __future__ import annotations

from typing import Final

_ROWS: Final = (b"|", b"{")
"""How a row of a table begins, and an object that has a line of its own."""


def additions_kept(text: bytes, size: int) -> bytes | None:
    """Return the text without conflicts; None if one is left that people must decide.

    ``text`` is what `git merge-file --diff3` writes with signs of this ``size``.
    """
    begin, base, middle, end = (sign * size for sign in (b"<", b"|", b"=", b">"))
    kept: list[bytes] = []
    sides: list[list[bytes]] = []
    for line in text.splitlines(keepends=True):
        if not sides:
            if line.startswith(begin + b" "):
                sides = [[]]
            else:
                kept.append(line)
        elif line.startswith(base + b" ") or line.rstrip(b"\r\n") in (base, middle):
            sides.append([])
        elif line.startswith(end + b" "):
            rows = _both(sides)
            if rows is None:
                return None
            kept += rows
            sides = []
        else:
            sides[-1].append(line)
    return None if sides else b"".join(kept)


def _both(sides: list[list[bytes]]) -> list[bytes] | None:
    """Return the rows of both sides; None unless they did nothing but add rows."""
    if len(sides) != 3:
        return None
    ours, before, theirs = sides
    if before or not all(line.lstrip().startswith(_ROWS) for line in (*ours, *theirs)):
        return None
    there = {row.rstrip() for row in ours}
    return ours + [line for line in theirs if line.rstrip() not in there]

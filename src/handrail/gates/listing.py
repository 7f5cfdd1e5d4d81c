r"""The paths of a commit, as ``git ls-tree -r -z --full-tree`` lists them: in the order of bytes.

Promise: pure. Of tens of thousands of rows few are asked for, so none is taken apart beforehand: a
path is found by halving.

    >>> listing = Listing(b"100644 blob 11\ta.md\x00100644 blob 22\tsrc/b.py\0")
    >>> "a.md" in listing, "src" in listing, listing.has_folder("src"), listing.blob("src/b.py")
    (True, False, True, '22')
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from handrail.typed import Final

_LINK: Final = b"120000 "
_PLAIN: Final = b"100"


class Listing:
    """Rows ``MODE TYPE ID<tab>PATH``, each ended by NUL; ``more`` are paths besides."""

    def __init__(self, rows: bytes = b"", more: frozenset[str] = frozenset()) -> None:
        self._rows = rows
        self._more = more

    def with_paths(self, more: Iterable[str]) -> Listing:
        """Return the listing with some more files in it, of which nothing but the path is known."""
        return Listing(self._rows, self._more.union(more))

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and (path in self._more or self._row(path) is not None)

    def __iter__(self) -> Iterator[str]:
        yield from self._more
        place = 0
        while place < len(self._rows):
            end = self._rows.index(b"\0", place)
            path = os.fsdecode(self._path(place, end))
            if path not in self._more:
                yield path
            place = end + 1

    def has_folder(self, path: str) -> bool:
        """Tell whether any file lies below a path."""
        below = f"{path}/"
        wanted = os.fsencode(below)
        place = self._rows.find(b"\t", self._first(wanted)) + 1
        listed = place > 0 and self._rows.startswith(wanted, place)
        return listed or any(one.startswith(below) for one in self._more)

    def blob(self, path: str) -> str | None:
        """Return the id of an ordinary file; None for a link, a submodule, or nothing."""
        row = self._row(path)
        return row.split()[2].decode("ascii") if row is not None and row[:3] == _PLAIN else None

    def links(self) -> Iterator[tuple[str, str]]:
        """Yield the symbolic links, each with the id of what says where it leads."""
        rows = b"\0" + self._rows
        place = rows.find(b"\0" + _LINK)
        while place >= 0:
            end = rows.index(b"\0", place + 1)
            head, _, path = rows[place + 1 : end].partition(b"\t")
            yield os.fsdecode(path), head.split()[2].decode("ascii")
            place = rows.find(b"\0" + _LINK, end)

    def _row(self, path: str) -> bytes | None:
        """Return what is said before a path; None if it is not listed."""
        wanted = os.fsencode(path)
        place = self._first(wanted)
        if place == len(self._rows):
            return None
        end = self._rows.index(b"\0", place)
        head, _, found = self._rows[place:end].partition(b"\t")
        return head if found == wanted else None

    def _first(self, wanted: bytes) -> int:
        """Return where the first row begins whose path is not before ``wanted``."""
        rows, low, high = self._rows, 0, len(self._rows)
        while low < high:
            start = max(low, rows.rfind(b"\0", low, (low + high) // 2) + 1)
            end = rows.index(b"\0", start)
            if self._path(start, end) < wanted:
                low = end + 1
            else:
                high = start
        return low

    def _path(self, start: int, end: int) -> bytes:
        return self._rows[self._rows.index(b"\t", start) + 1 : end]

"""Real histories as data: who changed which paths when, and a repository of the same shape.

A file holds one line, which names the commit that changed it last; a merge takes of each path the
version of the newest commit that is in it. So two versions of a file never merge by lines: the
worst case. ``rebuild`` writes the same thing with git, and ``Model`` answers what git would.

    history = read_history("one", first=500)
    ids = rebuild(history, folder)            # the commit of each number
    Model(history).version(17, "setup.py")    # the commit that made it what it is at 17, or None
"""

from __future__ import annotations

import gzip
import json
import subprocess
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Final

from handrail.core.record import Record

DATA: Final = Path(__file__).parent / "data" / "histories"
NAMES: Final = ("one", "two", "three")
GONE: Final = "000000"


class Made(Record):
    """A commit of a history; ``modes`` are the new ones of the paths it changes, GONE if deleted.

    Times are milliseconds; ``made_at`` is never before that of a parent.
    """

    number: int
    parents: tuple[int, ...]
    author: int
    written_at: int
    made_at: int
    modes: dict[str, str]


def read_history(name: str, first: int | None = None) -> list[Made]:
    """Read a history, or its first commits, oldest first."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    found: list[Made] = []
    for row in rows[:first]:
        made_at = max([row["ct"] * 1_000, *(found[number].made_at for number in row["p"])])
        written_at = min(row["at"] * 1_000, made_at)
        modes = {path: mode for _, mode, path in row["c"]}
        found.append(Made(row["n"], tuple(row["p"]), row["a"], written_at, made_at, modes))
    return found


@cache
def text_of(number: int) -> bytes:
    """Return what a file holds that a commit changed last."""
    return b"commit %d\n" % number


@cache
def blob_of(number: int | None) -> str:
    """Return the id of that file's blob; '' for no file."""
    if number is None:
        return ""
    text = text_of(number)
    return sha1(b"blob %d\0" % len(text) + text, usedforsecurity=False).hexdigest()


class Model:
    """What git would say of a rebuilt history."""

    def __init__(self, history: Sequence[Made]) -> None:
        self.history = history
        self._within: list[int] = []
        """For each commit a set of bits: itself and its ancestors."""
        self._touching: dict[str, list[int]] = {}
        for made in history:
            bits = 1 << made.number
            for parent in made.parents:
                bits |= self._within[parent]
            self._within.append(bits)
            for path in made.modes:
                self._touching.setdefault(path, []).append(made.number)

    def contains(self, tip: int, number: int) -> bool:
        """Tell whether a commit is another one or among its ancestors."""
        return bool(self._within[tip] >> number & 1)

    def changed(self, number: int) -> frozenset[str]:
        """Return the paths that a commit changes; what is not there cannot be deleted."""
        made = self.history[number]
        return frozenset(
            path
            for path, mode in made.modes.items()
            if mode != GONE or self._before(made, path) is not None
        )

    def _before(self, made: Made, path: str) -> int | None:
        return self.version(made.parents[0], path) if made.parents else None

    def newest(self, tip: int | None, path: str) -> int | None:
        """Return the newest commit within ``tip`` that changed or deleted a path."""
        if tip is None:
            return None
        numbers, within = self._touching.get(path, []), self._within[tip]
        for number in reversed(numbers[: bisect_right(numbers, tip)]):
            if within >> number & 1:
                return number
        return None

    def version(self, tip: int | None, path: str) -> int | None:
        """Return the commit that made a path what it is at ``tip``; None if it is not there."""
        number = self.newest(tip, path)
        if number is None or self.history[number].modes[path] == GONE:
            return None
        return number

    def chain(self, tip: int, path: str) -> Iterator[int]:
        """Yield the commits that made a path what it is at ``tip``, newest first.

        As git simplifies it: of a merge only the side is followed that has the merge's version.
        """
        number = self.newest(tip, path)
        while number is not None:
            if path in self.changed(number):
                yield number
            parents = self.history[number].parents
            number = self.newest(parents[0], path) if parents else None

    def brought(self, made: Made) -> Mapping[str, str]:
        """Return the modes of the paths in which a commit differs from its first parent."""
        if len(made.parents) < 2:
            return {path: made.modes[path] for path in sorted(self.changed(made.number))}
        first = made.parents[0]
        fresh = self._within[made.number] & ~self._within[first] & ~(1 << made.number)
        paths = {path for number in _bits(fresh) for path in self.history[number].modes}
        found = {}
        for path in sorted(paths):
            newest = self.newest(made.number, path)
            if newest is not None and newest != self.newest(first, path):
                found[path] = self.history[newest].modes[path]
        return found


def _bits(bits: int) -> Iterator[int]:
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


def rebuild(model: Model, folder: Path) -> list[str]:
    """Write the history into the repository at ``folder``; returns the commit of each number.

    The branch ``all`` has them all within.
    """
    marks = folder / ".git" / "marks"
    words = ("git", "fast-import", "--quiet", f"--export-marks={marks}")
    subprocess.run(words, cwd=folder, input=b"".join(_stream(model)), check=True, timeout=120)
    rows = [line.split() for line in marks.read_text().splitlines()]
    known = {int(mark[1:]): commit for mark, commit in rows}
    return [known[made.number + 1] for made in model.history]


def _stream(model: Model) -> Iterator[bytes]:
    within = {parent for made in model.history for parent in made.parents}
    for made in model.history:
        yield b"commit refs/heads/all\nmark :%d\n" % (made.number + 1)
        for word, at in ((b"author", made.written_at), (b"committer", made.made_at)):
            yield b"%s a%d <a%d@example.org> %d +0000\n" % (
                word,
                made.author,
                made.author,
                at // 1_000,
            )
        yield b"data 0\n"
        # Else it would follow the commit before it.
        yield b"" if made.parents else b"from %s\n" % (b"0" * 40)
        for word, parent in zip((b"from", *[b"merge"] * 15), made.parents, strict=False):
            yield b"%s :%d\n" % (word, parent + 1)
        changes = model.brought(made)
        yield from (b"D %s\n" % path.encode() for path, mode in changes.items() if mode == GONE)
        for path, mode in changes.items():
            if mode != GONE:
                text = text_of(model.newest(made.number, path) or 0)
                yield b"M %s inline %s\ndata %d\n%s\n" % (
                    *(mode.encode(), path.encode()),
                    *(len(text), text),
                )
    tips = [made.number for made in model.history if made.number not in within]
    last = model.history[-1]
    yield b"commit refs/heads/all\ncommitter all <all@example.org> %d +0000\ndata 0\n" % (
        last.made_at // 1_000
    )
    for number, tip in enumerate(tips):
        yield b"%s :%d\n" % (b"merge" if number else b"from", tip + 1)

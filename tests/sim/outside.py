"""What stands around the agents of a simulated workspace: clocks, names, commits, secrets.

Everything comes from the world's one source of chance and its one clock; nothing here knows the
machine that runs it.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

START_MS: Final = 1_767_225_600_000
LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"


class Chance(random.Random):
    """A source of chance whose whole numbers are those of the library, without its questions."""

    def randint(self, least: int, most: int) -> int:
        """Return one of the numbers from the least to the most."""
        count = most - least + 1
        bits = count.bit_length()
        found = self.getrandbits(bits)
        while found >= count:
            found = self.getrandbits(bits)
        return least + found

    def pick(self, those: Sequence[Any], summed: Sequence[float]) -> Any:
        """Return one of those, by the sums of their weights, as ``choices`` does."""
        return those[bisect(summed, self.random() * (summed[-1] + 0.0), 0, len(those) - 1)]


class Clock:
    """The clocks of the machine that has the store, and its reboots.

    ``true`` is the world's own time, which nobody can read; the wall clock can be set, and the boot
    clock begins anew.
    """

    def __init__(self) -> None:
        self.true = 0
        self.boot, self.booted_at, self.wall_is_ahead = 1, -5_000, START_MS

    def read(self) -> tuple[str, int, int]:
        """Return (boot id, ms since that boot, wall clock)."""
        return f"boot-{self.boot}", self.true - self.booted_at, self.true + self.wall_is_ahead

    def reboot(self, wall_step: int) -> None:
        """Start the machine again, with its wall clock somewhere else."""
        self.boot, self.booted_at = self.boot + 1, self.true
        self.wall_is_ahead += wall_step


class Commit(NamedTuple):
    """A commit, and the attested ones that it contains."""

    id: str
    paths: tuple[str, ...]
    knows: frozenset[str]

    def __repr__(self) -> str:
        # Not what it knows: a set is spelled in another order by each process.
        return f"{self.id} of {', '.join(self.paths)}"


class Row(NamedTuple):
    """A commit as the service is told of it."""

    commit: str
    tree: str
    parents: tuple[str, ...]
    paths: tuple[str, ...]
    paths_hash: str
    change: str | None


class Paper(NamedTuple):
    """A document as the service is told of it."""

    path: str
    digest: str
    commit: str = ""
    fault: str = ""
    text: str = ""


class Secrets:
    """The secrets of one machine, in memory."""

    def __init__(self) -> None:
        self.shown: dict[str, str] = {}
        self._kept: dict[str, str] = {}

    def keep(self, session: str, secret: str) -> None:
        """Keep a session's secret."""
        self._kept[session] = secret

    def read(self, session: str) -> str | None:
        """Return a session's secret."""
        return self._kept.get(session)

    def forget(self, session: str) -> None:
        """Forget a session's secret."""
        self._kept.pop(session, None)


class Outside:
    """The world outside the store, as one call sees it; working trees are clean.

    A call that was on its way for long began when it was sent: its first look at the clock gives
    that moment. ``ahead`` is how wrong the clock of the asking machine is.
    """

    def __init__(
        self,
        clock: Clock,
        chance: random.Random,
        commits: dict[str, Commit],
        papers: dict[str, list[str]],
        sent: int,
        ahead: int,
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._commits = commits
        self._papers = papers
        self._sent: int | None = sent
        self._ahead = ahead

    def monotonic_ms(self) -> int:
        """Read the clock of the asking machine."""
        now, self._sent = self._clock.true if self._sent is None else self._sent, None
        return now + self._ahead

    def random_name(self, chars: int) -> str:
        """Return a name from the world's source of chance."""
        return "".join(self._chance.choices(LETTERS, k=chars))

    def resolved(self, anchor: str) -> list[str]:
        """Follow links, of which there are none."""
        return [anchor]

    def is_folder(self, path: str) -> bool:
        """Tell whether a path is a folder: each might be one, so that a scope means all below."""
        return True

    def dirty(self, roots: Sequence[str]) -> list[object]:
        """Return what is not committed: nothing."""
        return []

    def at_head(self) -> tuple[str, str]:
        """Return HEAD's commit and tree."""
        return "", ""

    def documents(self, paths: Sequence[str]) -> list[Paper]:
        """Return documents as they lie there now."""
        return [Paper(path, self._papers[path][-1]) for path in paths]

    def commits(self, text: str) -> list[Row]:
        """Return the commit of a name."""
        one = self._commits[text]
        return [Row(one.id, "tree", ("parent",), one.paths, "0" * 64, None)]

    def not_in(self, tip: str, commits: Sequence[str]) -> frozenset[str]:
        """Return the commits that a commit does not contain."""
        return frozenset(commits) - self._commits[tip].knows

    def changed_by(self, commits: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return the paths that commits changed."""
        return {name: frozenset(self._commits[name].paths) for name in commits}

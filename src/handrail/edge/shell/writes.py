"""What is found in a shell line: the paths that it writes, and how much could not be told.

A path is absolute and made plain by its letters alone: ``.`` and ``..`` are resolved, links are
not, that is for whoever compares it with a scope. What stands under ``/dev`` and ``/proc`` is no
file of anybody. Work is bounded: a line that has used up its steps or its time (of
the processor, so that a busy machine changes no answer) is told as far as it was read, and what is
left counts as one write that could not be decided.

    >>> found = Found()
    >>> found.write("/repository/src/../a.py")
    >>> found.writes()
    Writes(targets=(Target(path='/repository/a.py', below=False),), undecided=0)
"""

from __future__ import annotations

from time import process_time

from handrail.core.record import Record

__all__ = ["Found", "Target", "Writes", "plain"]

STEPS_MAX = 20_000
SECONDS_MAX = 0.5
TARGETS_MAX = 10_000
NOBODYS = ("/dev/", "/proc/")
SHARED_MEMORY = "/dev/shm/"


class Target(Record):
    """A path that is written; with ``below``, so is everything under it."""

    path: str
    below: bool


class Writes(Record):
    """What a line writes; ``undecided`` counts the writes whose path could not be told."""

    targets: tuple[Target, ...]
    undecided: int


def plain(path: str) -> str:
    """Resolve ``.``, ``..`` and doubled slashes of an absolute path by its letters."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


class Found:
    """Collects what is found, and how much work may still be spent on finding more."""

    __slots__ = ("_deadline", "_steps", "_targets", "spent", "undecided")

    def __init__(self) -> None:
        self.undecided = 0
        self.spent = False
        self._targets: dict[str, bool] = {}
        self._steps = STEPS_MAX
        self._deadline = process_time() + SECONDS_MAX

    def step(self) -> bool:
        """Take one step; say whether there was one left."""
        if self.spent:
            return False
        self._steps -= 1
        if self._steps < 0 or process_time() > self._deadline:
            self.spent = True
            self.undecided += 1
        return not self.spent

    def seconds_left(self) -> float:
        """Say how long the work may still take."""
        return max(0.0, self._deadline - process_time())

    def write(self, path: str, below: bool = False) -> None:
        """Note that the absolute ``path`` is written."""
        path = plain(path)
        if f"{path}/".startswith(NOBODYS) and not path.startswith(SHARED_MEMORY):
            return
        if len(self._targets) >= TARGETS_MAX and path not in self._targets:
            self.undecided += 1
            return
        self._targets[path] = below or self._targets.get(path, False)

    def writes(self) -> Writes:
        """Give what was found so far."""
        targets = tuple(Target(path, below) for path, below in self._targets.items())
        return Writes(targets, self.undecided)

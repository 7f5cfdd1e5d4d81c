"""The semantics of scopes a second time, as plainly as possible; shares no code with the core.

A name is matched by a regular expression, a path by trying every length for ``**``. Questions
about several patterns are answered by trying all names over a small alphabet up to a length:
names which the same segments match are alike, so one of each kind is kept, and sequences of
kinds are followed until nothing new is reached.

    >>> find(["a*"], ["a", "a?"], names("ab", 4))
    'aaa'
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Sequence


def means(pattern: str, path: str) -> bool:
    """Tell whether a canonical pattern means a path, by the definition."""
    return _reads(_wanted(pattern), path.split("/"))


def _wanted(pattern: str) -> list[str]:
    segments = pattern.split("/")
    return segments if set("*?") & set(segments[-1]) else [*segments, "**"]


def _reads(wanted: Sequence[str], names: Sequence[str]) -> bool:
    if not wanted:
        return not names
    if wanted[0] == "**":
        return any(_reads(wanted[1:], names[count:]) for count in range(len(names) + 1))
    return bool(names) and fits(wanted[0], names[0]) and _reads(wanted[1:], names[1:])


@functools.cache
def _expression(segment: str) -> re.Pattern[str]:
    signs = {"*": ".*", "?": "."}
    return re.compile("".join(signs.get(char) or re.escape(char) for char in segment), re.DOTALL)


def fits(segment: str, name: str) -> bool:
    """Tell whether one segment of a pattern, not ``**``, means a name."""
    return _expression(segment).fullmatch(name) is not None


def is_valid(path: str) -> bool:
    """Tell whether git would take a path."""
    refused = {"", ".", "..", ".git"}
    return "\0" not in path and not any(name.lower() in refused for name in path.split("/"))


@functools.cache
def names(alphabet: str, length: int) -> tuple[str, ...]:
    """List all valid names over an alphabet, short ones first."""
    found = ("".join(chars) for size in range(1, length + 1) for chars in _product(alphabet, size))
    return tuple(name for name in found if is_valid(name))


def _product(alphabet: str, size: int) -> Iterable[tuple[str, ...]]:
    return itertools.product(alphabet, repeat=size)


@functools.cache
def _fitting(segment: str, universe: tuple[str, ...]) -> frozenset[int]:
    return frozenset(at for at, name in enumerate(universe) if fits(segment, name))


def find(inside: Sequence[str], outside: Sequence[str], universe: tuple[str, ...]) -> str | None:
    """Return a path of names from a universe which all of one list mean and none of another."""
    patterns = [_wanted(pattern) for pattern in (*inside, *outside)]
    kinds = _kinds({segment for wanted in patterns for segment in wanted} - {"**"}, universe)
    start = tuple(_skip(wanted, {0}) for wanted in patterns)
    seen = {start}
    todo = [(start, "")]
    for places, path in todo:
        for name in kinds:
            after = tuple(
                _skip(wanted, _read(wanted, place, name))
                for wanted, place in zip(patterns, places, strict=True)
            )
            longer = f"{path}/{name}".removeprefix("/")
            meant = [len(wanted) in at for wanted, at in zip(patterns, after, strict=True)]
            if all(meant[: len(inside)]) and not any(meant[len(inside) :]):
                return longer
            if all(after[: len(inside)]) and after not in seen:
                seen.add(after)
                todo.append((after, longer))
    return None


def _kinds(segments: set[str], universe: tuple[str, ...]) -> list[str]:
    parts: list[frozenset[int]] = [frozenset(range(len(universe)))]
    for segment in segments:
        fitting = _fitting(segment, universe)
        parts = [part for whole in parts for part in (whole & fitting, whole - fitting) if part]
    return [universe[min(part)] for part in parts]


def _skip(wanted: Sequence[str], places: set[int]) -> frozenset[int]:
    reached = set(places)
    for place in range(len(wanted)):
        if place in reached and wanted[place] == "**":
            reached.add(place + 1)
    return frozenset(reached)


def _read(wanted: Sequence[str], places: frozenset[int], name: str) -> set[int]:
    after = set()
    for place in places:
        if place < len(wanted):
            if wanted[place] == "**":
                after.add(place)
            elif fits(wanted[place], name):
                after.add(place + 1)
    return after

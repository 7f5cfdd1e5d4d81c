"""A small universe of paths, in which a scope is a set: the bits of one number.

Overlap is ``&`` and containment ``& ~``: nothing here is shared with the core. The universe is
complete for patterns of at most two segments beside ``**`` over its names: whatever two of them
share, and whatever one has beyond others, shows in a path of at most four names.

    >>> bool(mask_of("a/*") & mask_of("*/b")), bool(mask_of("a/b") & mask_of("b"))
    (True, False)
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from tests.core.scope_bruteforce import means

NAMES: Final = ("a", "b", "ab", "zz", "c.md", "a.md", "zz.md")
EVIDENCE: Final = (".handrail/evidence", ".handrail/evidence/a")
"""What ``.handrail/evidence/**`` means: everybody's, so a claim of all meets it there."""
PATHS: Final = (
    *("/".join(names) for depth in range(1, 5) for names in itertools.product(NAMES, repeat=depth)),
    *EVIDENCE,
)
NAMED: Final = (1 << len(PATHS) - len(EVIDENCE)) - 1
"""All paths of names, as bits."""
PLACES: Final = {path: place for place, path in enumerate(PATHS)}

SCOPES: Final = (
    *("a/a", "a/b", "a/c.md", "b/ab", "b/c.md", "ab/b", "zz/a", "a/zz", "b/b", "c.md"),
    *("a", "b", "zz", "a/*", "a/a*", "a*/b", "*/b", "*.md", "b/*.md", "a/*.md"),
    *("*", "*/a*", "**/b", "**/*.md", "a/**/b", "b/**", "**"),
)
WEIGHTS: Final = (*[6] * 10, *[2] * 10, *[1] * 7)


@functools.cache
def mask_of(text: str) -> int:
    """Give the paths that a pattern means, as bits."""
    return sum(1 << at for at, path in enumerate(PATHS) if means(text, path))


@functools.cache
def mask(texts: tuple[str, ...]) -> int:
    """Give the paths that any of these patterns means."""
    return functools.reduce(lambda one, other: one | other, map(mask_of, texts), 0)


@functools.lru_cache(100_000)
def _means(text: str, path: str) -> bool:
    return means(text, path)


def inside(texts: Iterable[str], path: str) -> bool:
    """Tell whether one of these patterns means a path, of the universe or not."""
    return any(_means(text, path) for text in texts)


@functools.cache
def unanchored(texts: tuple[str, ...]) -> int:
    """Count the patterns that begin with a wildcard."""
    return sum(bool(set("*?") & set(text.split("/")[0])) for text in texts)


def some_of(number: int, most: int) -> Iterator[str]:
    """Yield the first paths of a set."""
    while number and most:
        low = number & -number
        yield PATHS[low.bit_length() - 1]
        number, most = number ^ low, most - 1

"""Matching: whether a pattern means a path.

Promise: linear in the path for any pattern within the bounds; no pattern and no path, however
hostile, makes it backtrack. Not promised: an answer that means something for an invalid path.

    >>> from handrail.core.scope.pattern import stored_pattern
    >>> matches(stored_pattern("src/**/test_*.py"), "src/api/test_lease.py")
    True
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from handrail.core.scope.pattern import Pattern

FILLER = "x"
"""What stands for a wildcard in an example path: no pattern gives it a meaning of its own."""


def matches(pattern: Pattern, path: str) -> bool:
    """Tell whether a pattern means a path; the path is in the form of ``normalise_path``."""
    root = tree_root(pattern)
    if root is not None:
        return lies_in(root, path)
    anchor = pattern.anchor
    if not anchor:
        segments, rest = pattern.segments, path
    elif path.startswith(anchor + "/"):
        segments = pattern.segments[anchor.count("/") + 1 :]
        rest = path[len(anchor) + 1 :]
    else:
        return False
    names = rest.split("/")
    if "**" not in segments:
        excess = len(names) - len(segments)
        if excess < 0 or (excess and is_wild(segments[-1])):
            return False
        return all(map(segment_matches, segments, names))
    wanted = elements(segments)
    return bool(advance(wanted, names) >> len(wanted))


def tree_root(pattern: Pattern) -> str | None:
    """Return the root if a pattern means a path and all below it (``''``: everything), or None."""
    if pattern.is_literal:
        return pattern.text
    text, anchor = pattern.text, pattern.anchor
    if text.endswith("**") and len(text) == (len(anchor) + 3 if anchor else 2):
        return anchor
    return None


def lies_in(root: str, path: str) -> bool:
    """Tell whether a path or anchor is the root of a tree or lies below it."""
    if not root or path == root:
        return True
    return path.startswith(root) and path[len(root)] == "/"


def is_wild(segment: str) -> bool:
    """Tell whether a segment, or ``**``, has a wildcard."""
    return "*" in segment or "?" in segment


def elements(segments: Sequence[str]) -> Sequence[str]:
    """Write out what a literal last segment means: itself and ``**``."""
    return segments if is_wild(segments[-1]) else (*segments, "**")


def advance(wanted: Sequence[str], names: Sequence[str]) -> int:
    """Read names with the elements of a pattern; bit i of the result: the first i can be done.

    All ways to read are followed at once, as bits of one number; that is why nothing backtracks.
    """
    literal: dict[str, int] = {}
    wild: list[tuple[int, str]] = []
    globs = 0
    for index, element in enumerate(wanted):
        if element == "**":
            globs |= 1 << index
        elif is_wild(element):
            wild.append((1 << index, element))
        else:
            literal[element] = literal.get(element, 0) | 1 << index
    reached = 1 | (globs & 1) << 1
    for name in names:
        done = reached & literal.get(name, 0)
        for bit, element in wild:
            if reached & bit and segment_matches(element, name):
                done |= bit
        reached = done << 1 | reached & globs
        reached |= (reached & globs) << 1
        if not reached:
            break
    return reached


def segment_matches(segment: str, name: str) -> bool:
    """Tell whether one segment of a pattern, not ``**``, means one name."""
    if "?" not in segment:
        head, *middle = segment.split("*")
        if not middle:
            return segment == name
        tail = middle.pop()
        at, end = len(head), len(name) - len(tail)
        if at > end or not name.startswith(head) or not name.endswith(tail):
            return False
        for piece in middle:
            found = name.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True
    if "*" not in segment:
        return len(segment) == len(name) and all(
            want in ("?", char) for want, char in zip(segment, name, strict=True)
        )
    literal, anyone, stars = char_bits(segment)
    reached = 1 | (stars & 1) << 1
    for char in name:
        reached = (reached & (literal.get(char, 0) | anyone)) << 1 | reached & stars
        reached |= (reached & stars) << 1
        if not reached:
            return False
    return bool(reached >> len(segment))


def char_bits(segment: str) -> tuple[dict[str, int], int, int]:
    """Return the positions of each literal character, of ``?`` and of ``*``, as bits."""
    literal: dict[str, int] = {}
    bit = 1
    for char in segment:
        literal[char] = literal.get(char, 0) | bit
        bit <<= 1
    return literal, literal.pop("?", 0), literal.pop("*", 0)


def sample(segments: Sequence[str]) -> str:
    """Return an example path for a pattern's segments; ``''`` if they need no segment at all.

    It is valid: a segment with a wildcard gets the filler, which no refused name contains.
    """
    return "/".join([sample_segment(segment) for segment in segments if segment != "**"])


def sample_segment(segment: str) -> str:
    """Return an example name for one segment, not ``**``."""
    return segment.replace("*", FILLER).replace("?", FILLER)

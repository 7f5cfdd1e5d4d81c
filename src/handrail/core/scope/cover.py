"""Containment: a path that a pattern means and no lane does; and scopes without repetition.

A path is read character by character, each segment followed by a slash. All lanes are followed at
once, as bits of one number; of the pattern every way to read it is followed by itself. Where the
pattern leaves a character open, one that no lane names is the best choice: whatever a lane can
read then, it could read with any other character. So a path outside the lanes consists of literal
characters of the pattern and of that one. Of two ways at the same place in the pattern the one
with fewer open positions in the lanes is as good as both.

Promise: exact, or a refusal after ``COVER_WORK_MAX`` steps; never "contained" unproved.

    >>> from handrail.core.scope.pattern import stored_pattern
    >>> uncovered(stored_pattern("src/api"), [stored_pattern("src/**")]) is None
    True
"""

from __future__ import annotations

from handrail.core.scope.match import (
    FILLER,
    char_bits,
    elements,
    lies_in,
    matches,
    sample,
    tree_root,
)
from handrail.core.scope.meet import Overlap, witness
from handrail.core.scope.pattern import SCOPE_PATTERNS_MAX, SCOPE_WILD_MAX, parse_pattern, refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from handrail.core.scope.pattern import Pattern

    _Way = tuple[tuple[int, ...], str, int, int, str]

COVER_WORK_MAX = 200_000
"""Steps one comparison may take, each a few operations on numbers of up to 1 024 bits."""

_STEP_BITS = 1_024
_GLOB = "**"
_INSIDE = "*/"
_REFUSED_NAMES = frozenset(("", ".", "..", ".git"))
_REFUSED_BEGINNINGS = frozenset((".", "..", ".g", ".gi", ".git"))
_OPEN = "?"
"""What a pattern reads where it leaves the character open; no literal character is that."""
_SAFE = "x"
"""Stands for every beginning of a name that can no longer become a refused one."""


class _TooMuchWork(Exception):
    """The comparison was given up."""


def parse_scope(texts: Sequence[str], *, fold_case: bool = False) -> tuple[Pattern, ...]:
    """Read a scope: its patterns in the order given, without those that lie inside another.

    Raises ``MalformedScope`` for a pattern that is none, for no pattern at all and for more than
    ``SCOPE_PATTERNS_MAX``, or more than ``SCOPE_WILD_MAX`` with wildcards.
    """
    assert not isinstance(texts, str), "a scope is several patterns, not one text"
    if not texts:
        refuse(None, "it names no path")
    if len(texts) > SCOPE_PATTERNS_MAX:
        refuse(f"{len(texts)} patterns", f"at most {SCOPE_PATTERNS_MAX} make one scope")
    if len(texts) == 1:
        return (parse_pattern(texts[0], fold_case=fold_case),)
    work = [COVER_WORK_MAX]
    kept: list[Pattern] = []
    for pattern in dict.fromkeys([parse_pattern(text, fold_case=fold_case) for text in texts]):
        if not any(_holds(other, pattern, work) for other in kept):
            kept = [other for other in kept if not _holds(pattern, other, work)]
            kept.append(pattern)
    if sum(not pattern.is_literal for pattern in kept) > SCOPE_WILD_MAX:
        # Two such scopes are compared pair by pair while everybody else waits for the store.
        refuse(f"{len(texts)} patterns", f"at most {SCOPE_WILD_MAX} of a scope may have wildcards")
    return tuple(kept)


def uncovered(pattern: Pattern, lanes: Sequence[Pattern]) -> str | None:
    """Return a valid path that a pattern means and no lane does; None if the lanes contain it.

    Raises ``MalformedScope`` where deciding would take more than ``COVER_WORK_MAX`` steps.
    """
    anchor = pattern.anchor
    near = []
    for lane in lanes:
        if lane.text == pattern.text:
            return None
        root = tree_root(lane)
        if root is not None and lies_in(root, anchor):
            return None
        if lies_in(anchor, lane.anchor) or lies_in(lane.anchor, anchor):
            near.append(lane)
    path = sample(pattern.segments) or FILLER
    if not any(matches(lane, path) for lane in near):
        return path
    if _is_tree_in(pattern, near):
        return None
    try:
        # A second guess finds most of what is outside, and looks better than the shortest.
        fresh = _fresh(near)
        path = pattern.text.replace("**", "*").replace("*", fresh).replace("?", fresh)
        if not any(matches(lane, path) for lane in near):
            return path
        return _search((pattern,), near, [COVER_WORK_MAX])
    except _TooMuchWork:
        refuse(pattern.text, "too intricate to compare with its lane")


def overlap_outside(
    left: Sequence[Pattern], right: Sequence[Pattern], lanes: Sequence[Pattern]
) -> Overlap | None:
    """Return the first pair of which both patterns mean a path that no lane does, and that path.

    Exact like ``uncovered``; raises ``MalformedScope`` where deciding would take more than
    ``COVER_WORK_MAX`` steps.
    """
    work = [COVER_WORK_MAX]
    for mine in left:
        for other in right:
            path = witness(mine, other)
            if path is None:
                continue
            if any(matches(lane, path) for lane in lanes):
                if _is_tree_in(mine, lanes) or _is_tree_in(other, lanes):
                    continue
                # This path lies in a lane; the two may share another that does not.
                try:
                    path = _search((mine, other), lanes, work)
                except _TooMuchWork:
                    refuse(mine.text, "too intricate to compare with the contended paths")
            if path is not None:
                return Overlap(mine, other, path)
    return None


def _is_tree_in(pattern: Pattern, lanes: Sequence[Pattern]) -> bool:
    """Tell whether a pattern is a path of which one lane means all that lies below it, too.

    Then there is nothing to search for: what ends in ``**`` reads on from wherever it got to.
    """
    return pattern.is_literal and any(
        (lane.is_literal or lane.segments[-1] == _GLOB) and matches(lane, pattern.text)
        for lane in lanes
    )


def _holds(outer: Pattern, inner: Pattern, work: list[int]) -> bool:
    """Tell whether one pattern contains another; False also where the work left is too little."""
    if not lies_in(outer.anchor, inner.anchor):
        return False
    if tree_root(outer) is not None:
        return True
    if outer.is_literal or not matches(outer, sample(inner.segments) or FILLER):
        return False
    try:
        return _search((inner,), (outer,), work) is None
    except _TooMuchWork:
        return False


def _search(patterns: Sequence[Pattern], lanes: Sequence[Pattern], work: list[int]) -> str | None:
    """Search what one or two patterns mean times all subsets of the lanes' positions.

    Breadth first, so that a path found is a shortest one.
    """
    bits = sum([len(lane.text) for lane in lanes])
    cost = 1 + bits // _STEP_BITS
    # Laying out the lanes takes a few operations on the whole for each bit of it.
    _spend(work, cost * bits // 16)
    rows = [list(_items(pattern)) for pattern in patterns]
    follow = _Lanes(lanes)
    fresh = _fresh(lanes)
    # A way: places in the patterns, beginning of the name, lanes' positions, way before, character.
    ways: list[_Way] = [((0,) * len(rows), "", follow.start, -1, "")]
    best: dict[tuple[tuple[int, ...], str], list[int]] = {}
    at = 0
    while at < len(ways):
        places, name, reached, _, _ = ways[at]
        rivals = best.setdefault((places, name), [])
        _spend(work, cost * (4 + len(rivals)) // 4)
        if not any(rival & reached == rival for rival in rivals):
            rivals[:] = [rival for rival in rivals if rival & reached != reached]
            rivals.append(reached)
            for read, targets in _joint_moves(rows, places, name):
                if not read:
                    ways.append((targets, name, reached, at, ""))
                    continue
                char = fresh if read == _OPEN else read
                after = follow.step(reached, char)
                if after & follow.total:
                    continue
                ways.append((targets, _begun(name, char), after, at, char))
                ended = char == "/" and not after & follow.accept
                if ended and all(map(_at_end, rows, targets)):
                    return _spelled(ways)
        at += 1
    return None


def _spend(work: list[int], steps: int) -> None:
    work[0] -= steps
    if work[0] < 0:
        raise _TooMuchWork


def _fresh(lanes: Sequence[Pattern]) -> str:
    """Return a character that no lane names; it looks like part of a name where possible."""
    named = set("".join([lane.text for lane in lanes]))
    for char in FILLER + "abcdefghijklmnopqrstuvwyz0123456789_-":
        if char not in named:
            return char
    # Ideographs: thousands that no normal form changes and no case folding.
    for code in range(0x4E00, 0xA000):
        if chr(code) not in named:
            return chr(code)
    raise _TooMuchWork


def _items(pattern: Pattern) -> Iterator[str]:
    """Spell a pattern as items: characters, wildcards, slashes after segments, ``**`` as two."""
    for element in elements(pattern.segments):
        if element == "**":
            yield _GLOB
            yield _INSIDE
        else:
            yield from element
            yield "/"


def _at_end(items: list[str], place: int) -> bool:
    return place == len(items) or (place == len(items) - 2 and items[place] == _GLOB)


def _joint_moves(
    rows: Sequence[list[str]], places: tuple[int, ...], name: str
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Give the ways on that all patterns allow: one moves without a character, or all read one.

    Where one leaves the character open, it is what the other says.
    """
    if len(rows) == 1:
        for char, target in _moves(rows[0], places[0], name):
            yield char, (target,)
        return
    mine, other = (list(_moves(rows[side], places[side], name)) for side in (0, 1))
    for char, target in mine:
        if not char:
            yield "", (target, places[1])
            continue
        for echo, target_too in other:
            if char == echo or (echo == _OPEN and char != "/"):
                yield char, (target, target_too)
            elif char == _OPEN and echo not in ("", "/"):
                yield echo, (target, target_too)
    for echo, target_too in other:
        if not echo:
            yield "", (places[0], target_too)


def _moves(items: list[str], place: int, name: str) -> Iterator[tuple[str, int]]:
    """Give the ways on from a place in a pattern: a character, open or none, and the next place."""
    item = items[place] if place < len(items) else ""
    if item == "/":
        if name not in _REFUSED_NAMES:
            yield "/", place + 1
    elif item == "*":
        yield "", place + 1
        yield _OPEN, place
    elif item == _GLOB:
        yield "", place + 2
        yield _OPEN, place + 1
    elif item == _INSIDE:
        yield "/", place - 1
        yield _OPEN, place
    elif item:
        yield item, place + 1


def _begun(name: str, char: str) -> str:
    """Continue the beginning of a name, as far as it may still become a refused one."""
    if char == "/":
        return ""
    name = name + char.lower() if name != _SAFE else _SAFE
    return name if name in _REFUSED_BEGINNINGS else _SAFE


def _spelled(ways: list[_Way]) -> str:
    chars = []
    at = len(ways) - 1
    while at > 0:
        chars.append(ways[at][4])
        at = ways[at][3]
    return "".join(reversed(chars)).removesuffix("/")


class _Lanes:
    """All positions of all lanes side by side in one number, and the step from set to set."""

    def __init__(self, lanes: Sequence[Pattern]) -> None:
        self.start = 0
        self.accept = 0
        """Positions at which a lane has read a path it means."""
        self.total = 0
        """Positions from which a lane means whatever follows."""
        items: list[str] = []
        for lane in lanes:
            self.start |= 1 << len(items)
            items.extend(_items(lane))
            if items[-1] == _INSIDE:
                self.total |= 3 << len(items) - 2
            self.accept |= 1 << len(items)
            # The end of a lane gets an item of its own, which nothing reads.
            items.append("")
        self._globs = self._insides = self._slashes = 0
        chars = []
        for index, item in enumerate(items):
            self._globs |= (item == _GLOB) << index
            self._insides |= (item == _INSIDE) << index
            self._slashes |= (item == "/") << index
            chars.append(item if len(item) == 1 else "/")
        self._literal, self._anyone, self._stars = char_bits("".join(chars))
        self._literal.pop("/", None)
        self.start = self._opened(self.start)

    def step(self, reached: int, char: str) -> int:
        """Read one character with all lanes."""
        if char == "/":
            moved = (reached & self._slashes) << 1 | (reached & self._insides) >> 1
        else:
            ready = self._literal.get(char, 0) | self._anyone | self._globs
            moved = (reached & ready) << 1 | reached & (self._stars | self._insides)
        return self._opened(moved)

    def _opened(self, reached: int) -> int:
        """Add the positions behind what may stand for nothing."""
        reached |= (reached & self._globs) << 2
        return reached | (reached & self._stars) << 1

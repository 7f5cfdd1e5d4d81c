"""Overlap: whether two patterns mean a path in common, and which.

A pattern is a row of elements, a segment a row of characters; in both rows some items stand for
any run of the other side's items (``**`` and ``*``) and all others for exactly one. One table
answers both levels: cell (i, j) says whether the first i items of the left and the first j items
of the right have a common text. A row of the table is one number, so a row costs a few operations
whatever its length, and the whole is polynomial for any pair.

Promise: a witness is found exactly if there is one; it is valid, both patterns match it, and it is
short rather than shortest. Which one is found may change between versions.
"""

from __future__ import annotations

from handrail.core.record import Record
from handrail.core.scope.match import (
    FILLER,
    advance,
    char_bits,
    elements,
    is_wild,
    lies_in,
    sample,
    sample_segment,
    segment_matches,
    tree_root,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handrail.core.scope.pattern import Pattern


class Overlap(Record):
    """Two patterns that meet, and a path at which they do."""

    left: Pattern
    right: Pattern
    witness: str


_REFUSED_NAMES = frozenset(("", ".", "..", ".git"))
_REFUSED_BEGINNINGS = frozenset(("", ".", "..", ".g", ".gi", ".git"))


def overlap(left: Sequence[Pattern], right: Sequence[Pattern]) -> Overlap | None:
    """Return the first pair, in order, of which both patterns mean one path; None if none does."""
    for mine in left:
        for other in right:
            path = witness(mine, other)
            if path is not None:
                return Overlap(mine, other, path)
    return None


def witness(a: Pattern, b: Pattern) -> str | None:
    """Return a valid path that both patterns mean, or None if there is none."""
    if a.is_literal and b.is_literal:
        upper, lower = (a.text, b.text) if len(a.text) <= len(b.text) else (b.text, a.text)
        if lower.startswith(upper) and (lower == upper or lower[len(upper)] == "/"):
            return lower
        return None
    if not (lies_in(a.anchor, b.anchor) or lies_in(b.anchor, a.anchor)):
        return None
    for one, other in ((a, b), (b, a)):
        root = tree_root(one)
        if root is not None:
            if lies_in(root, other.anchor):
                return sample(other.segments) or FILLER
            if tree_root(other) is None:
                return _witness_below(root, other)
    return _Meeting(elements(a.segments), elements(b.segments)).path()


def _witness_below(root: str, other: Pattern) -> str | None:
    """Return a path at or below ``root`` that a pattern means, the shortest there is."""
    wanted = elements(other.segments)
    reached = advance(wanted, root.split("/"))
    if not reached:
        return None
    rest = sample(wanted[reached.bit_length() - 1 :])
    return f"{root}/{rest}" if rest else root


class _Meeting:
    """The comparison of two rows of elements; it remembers which segments met and where."""

    def __init__(self, left: Sequence[str], right: Sequence[str]) -> None:
        self._left = left
        self._right = right
        self._met: dict[tuple[str, str], str] = {}
        self._literal: dict[str, int] = {}
        self._wild: dict[str, int] = {}
        self._fits: dict[str, int] = {}
        for index, element in enumerate(right):
            if element != "**":
                known = self._wild if is_wild(element) else self._literal
                known[element] = known.get(element, 0) | 1 << index

    def path(self) -> str | None:
        pairs = common(self._left, self._right, "**", self._fitting)
        if pairs is None:
            return None
        names = []
        for mine, other in pairs:
            if mine == "**":
                if other != "**":
                    names.append(sample_segment(other))
            elif other == "**":
                names.append(sample_segment(mine))
            else:
                names.append(self._met[mine, other])
        return "/".join(names)

    def _fitting(self, mine: str) -> int:
        """Return the elements on the right, as bits, that have a name in common with one."""
        fits = self._fits.get(mine)
        if fits is not None:
            return fits
        if is_wild(mine):
            fits = 0
            for element, bits in self._literal.items():
                if segment_matches(mine, element):
                    self._met[mine, element] = element
                    fits |= bits
        else:
            fits = self._literal.get(mine, 0)
            self._met[mine, mine] = mine
        for element, bits in self._wild.items():
            name = common_name(mine, element)
            if name is not None:
                self._met[mine, element] = name
                fits |= bits
        self._fits[mine] = fits
        return fits


def common_name(left: str, right: str) -> str | None:
    """Return a name that may stand in a path and that two segments both mean, or None.

    Neither is ``**``, and the right one has a wildcard.
    """
    if not is_wild(left):
        return left if segment_matches(right, left) else None
    name = _common_text(left, right)
    if name is not None and name.lower() in _REFUSED_NAMES:
        return _other_name(left, right)
    return name


def _common_text(left: str, right: str) -> str | None:
    """Return a text that two segments both mean; it may be empty or no valid name."""
    literal, anyone, stars = char_bits(right)
    everyone = (1 << len(right)) - 1 & ~stars

    def fitting(char: str) -> int:
        return everyone if char == "?" else literal.get(char, 0) | anyone

    pairs = common(left, right, "*", fitting)
    if pairs is None:
        return None
    chars: list[str] = []
    for at, (mine, other) in enumerate(pairs):
        if mine == other == "*":
            # Both would take any text here. One filler makes 'x.md' of '.md', but where a word
            # stands already it would only be noise.
            after = pairs[at + 1] if at + 1 < len(pairs) else ("", "")
            if not (chars and chars[-1].isalnum()) and not _settled(*after).isalnum():
                chars.append(FILLER)
        else:
            chars.append(_settled(mine, other))
    return "".join(chars)


def _settled(mine: str, other: str) -> str:
    """Return the one character that two items mean; a filler where both leave it open."""
    if mine in ("*", "?"):
        return FILLER if other in ("*", "?") else other
    return mine


def _other_name(left: str, right: str) -> str | None:
    """Return a common name when the first text found is one that git refuses.

    Walk over all beginnings of refused names, which are few and short, and leave them as soon as
    something else is possible. Where both sides leave a character open the filler is as good as
    any: it leads out at once.
    """
    seen = set()
    todo = [(0, 0, "")]
    while todo:
        state = todo.pop()
        if state in seen:
            continue
        seen.add(state)
        i, j, begun = state
        mine, other = left[i : i + 1], right[j : j + 1]
        if mine == "*":
            todo.append((i + 1, j, begun))
        if other == "*":
            todo.append((i, j + 1, begun))
        if not mine or not other:
            if mine == other and begun.lower() not in _REFUSED_NAMES:
                return begun
            continue
        if mine != other and mine not in ("*", "?") and other not in ("*", "?"):
            continue
        begun += _settled(mine, other)
        i, j = i + (mine != "*"), j + (other != "*")
        if begun.lower() in _REFUSED_BEGINNINGS:
            todo.append((i, j, begun))
        else:
            rest = _common_text(left[i:], right[j:])
            if rest is not None:
                return begun + rest
    return None


def common(
    left: Sequence[str], right: Sequence[str], star: str, fitting: Callable[[str], int]
) -> list[tuple[str, str]] | None:
    """Return how two rows of items can be read side by side, or None if they cannot.

    ``fitting(item)`` gives the items on the right, as bits, that go with one on the left; it is
    not asked about stars. Each pair is two items that go together; (star, item) is an item read
    by a star; (star, star) marks a place where anything might be put in.
    """
    stars = 0
    for index, item in enumerate(right):
        if item == star:
            stars |= 1 << index
    everywhere = (2 << len(right)) - 1
    row = 1
    rows: list[int] = []
    fits: list[int] = []
    for item in left:
        # Two stars never stand side by side, so skipping one is enough.
        row |= (row & stars) << 1
        if item == star:
            row = everywhere & -(row & -row)
            rows.append(row)
            fits.append(0)
        else:
            rows.append(row)
            fits.append(fitting(item))
            row = (row & fits[-1]) << 1 | row & stars
            if not row:
                return None
    row |= (row & stars) << 1
    rows.append(row)
    if not row >> len(right) & 1:
        return None
    return _trace(rows, fits, left, right, star)


def _trace(
    rows: list[int], fits: list[int], left: Sequence[str], right: Sequence[str], star: str
) -> list[tuple[str, str]]:
    """Walk the table back from its end, by pairs rather than stars, as that gives short paths."""
    pairs = []
    i, j = len(left), len(right)
    while True:
        mine = left[i - 1] if i else ""
        other = right[j - 1] if j else ""
        if left[i : i + 1] and left[i] == star and right[j : j + 1] and right[j] == star:
            pairs.append((star, star))
        if not i and not j:
            break
        if mine == star and rows[i - 1] >> j & 1:
            i -= 1
        elif other == star and rows[i] >> j - 1 & 1:
            j -= 1
        elif i and j and (rows[i - 1] & fits[i - 1]) >> j - 1 & 1:
            pairs.append((mine, other))
            i, j = i - 1, j - 1
        elif j and i < len(left) and left[i] == star and rows[i] >> j - 1 & 1:
            pairs.append((star, other))
            j -= 1
        else:
            # The cell is reached and by none of the other ways: a star on the right reads on.
            pairs.append((mine, star))
            i -= 1
    pairs.reverse()
    return pairs

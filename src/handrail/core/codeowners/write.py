"""From lanes to CODEOWNERS: lines of which the last that means a path names all whose lane it is.

Each pattern of a lane becomes a line that starts at the root, owned by every role whose lane holds
all of it; what holds another comes before it. Where a folder and a name that is meant at any depth
meet (``docs`` and ``**/*.md``), that gets a line of its own. So the last line decides rightly but
where patterns meet otherwise and neither holds the other: there the later one's roles are named
alone. Each such place is named with a path.

Promises: pure; a pattern that CODEOWNERS cannot spell is named, never approximated; the same lanes
give the same lines. Not promised: what a host makes of a folder whose name a final wildcard
matches: GitHub documents ``docs/*`` alone.

    >>> write_lines([("docs", ("docs", "*.md"))], {}, lambda path: path == "docs").lines
    ('/docs/ @docs', '/*.md @docs')
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from handrail.core.record import Record
from handrail.core.scope import Pattern, overlap_outside, parse_pattern, uncovered, witness
from handrail.core.scope.match import lies_in, tree_root
from handrail.errors import MalformedScope

PATTERNS_MAX: Final = 1_000


class Unwritten(Record):
    """A pattern of a lane that stands in no line, and why."""

    role: str
    pattern: str
    reason: str


class Shared(Record):
    """Two patterns that meet at ``witness``, where ``named`` are named and ``missing`` are not."""

    pattern: str
    other: str
    named: tuple[str, ...]
    missing: tuple[str, ...]
    witness: str


class Written(Record):
    """The lines of a file, and what they do not say."""

    lines: tuple[str, ...]
    unwritten: tuple[Unwritten, ...]
    shared: tuple[Shared, ...]


def write_lines(
    lanes: Sequence[tuple[str, Sequence[str]]],
    owners: Mapping[str, str],
    is_folder: Callable[[str], bool],
) -> Written:
    """Write lanes, (role, patterns), as lines; a role without an owner is ``@role``."""
    unwritten: list[Unwritten] = []
    parsed: dict[str, list[Pattern]] = {role: [] for role, _ in lanes}
    spelled: dict[str, tuple[str, ...]] = {}
    patterns: dict[str, Pattern] = {}
    for role, texts in lanes:
        for text in texts:
            pattern = parse_pattern(text)
            lines = _spelled(pattern, is_folder)
            reason = None if lines is not None else "CODEOWNERS has no way to write it"
            if reason is None and pattern.text not in patterns and len(patterns) >= PATTERNS_MAX:
                reason = f"a file of more than {PATTERNS_MAX} patterns is not written"
            if reason is not None or lines is None:
                unwritten.append(Unwritten(role, text, reason or ""))
                continue
            parsed[role].append(pattern)
            spelled[pattern.text], patterns[pattern.text] = lines, pattern
    whose = {text: _holders(one, parsed) for text, one in patterns.items()}
    for crossing in _crossings(list(patterns.values()), whose):
        if crossing.text not in patterns and len(patterns) < PATTERNS_MAX:
            patterns[crossing.text] = crossing
            spelled[crossing.text] = (_escaped(f"/{crossing.text}"),)
            whose[crossing.text] = _holders(crossing, parsed)
    order = _ordered(list(patterns.values()))
    written = [
        f"{line} {' '.join(owners.get(role, '@' + role) for role in whose[pattern.text])}"
        for pattern in order
        for line in spelled[pattern.text]
    ]
    return Written(tuple(written), tuple(unwritten), tuple(_shared(order, whose)))


def _holders(pattern: Pattern, lanes: Mapping[str, Sequence[Pattern]]) -> tuple[str, ...]:
    return tuple(role for role, lane in lanes.items() if lane and _inside(pattern, lane))


def _inside(pattern: Pattern, lane: Sequence[Pattern]) -> bool:
    """Tell whether a pattern is known to lie within a lane."""
    try:
        return uncovered(pattern, lane) is None
    except MalformedScope:
        return any(one.text == pattern.text for one in lane)


def _crossings(
    patterns: Sequence[Pattern], whose: Mapping[str, tuple[str, ...]]
) -> Iterator[Pattern]:
    """Yield what a folder and a name at any depth have in common, where their roles differ."""
    folders = [one for one in patterns if tree_root(one)]
    names = [one for one in patterns if len(one.segments) == 2 and one.segments[0] == "**"]
    for folder in folders:
        for name in names:
            if set(whose[folder.text]) != set(whose[name.text]):
                try:
                    yield parse_pattern(f"{tree_root(folder)}/{name.text}")
                except MalformedScope:
                    continue  # too long; it is told as a place where they meet


def _ordered(patterns: Sequence[Pattern]) -> list[Pattern]:
    """Put what holds another before it; what no order is asked of stays as it came."""
    depth = [sum(_holds(other, one) for other in patterns if other is not one) for one in patterns]
    return [one for _, one in sorted(zip(depth, patterns, strict=True), key=lambda pair: pair[0])]


def _holds(outer: Pattern, inner: Pattern) -> bool:
    """Tell whether a pattern is known to hold another; most cannot, by where they begin."""
    return lies_in(outer.anchor, inner.anchor) and _inside(inner, (outer,))


def _shared(order: Sequence[Pattern], whose: Mapping[str, tuple[str, ...]]) -> list[Shared]:
    """Find where the last line leaves somebody out."""
    found = []
    for index, one in enumerate(order):
        for later, other in enumerate(order[index + 1 :], index + 1):
            named = whose[other.text]
            missing = tuple(role for role in whose[one.text] if role not in named)
            if not missing or witness(one, other) is None:
                continue
            after = [last for last in order[later + 1 :] if set(missing) <= set(whose[last.text])]
            try:
                both = overlap_outside((one,), (other,), after)
            except MalformedScope:
                both = overlap_outside((one,), (other,), ())
            if both is not None:
                found.append(Shared(one.text, other.text, named, missing, both.witness))
    return found


def _spelled(pattern: Pattern, is_folder: Callable[[str], bool]) -> tuple[str, ...] | None:
    """Write a pattern as lines that mean the same together; None where there is no way."""
    text = pattern.text
    if "[" in text or "]" in text or " #" in text:
        return None
    root = tree_root(pattern)
    if root == "":
        return ("*",)
    if root is not None:
        line = f"/{root}/" if is_folder(root) else f"/{root}"
        lines: tuple[str, ...] = (line,)
    elif pattern.segments[-1] == "**":
        # It means what stands before the stars too, which the file says only with that alone.
        above = "/".join(pattern.segments[:-1])
        lines = (f"/{above}", f"/{above}/")
    else:
        lines = (f"/{text}",)
    return tuple(map(_escaped, lines))


def _escaped(line: str) -> str:
    return line.replace(" ", "\\ ")

"""What a check finds: problems by path, the names a document defines and those it refers to.

Promise: finding is cheap and never fails, however much is wrong; lines and nearest names are
looked up once, at the end, for the first ``PROBLEMS_MAX`` problems in line order.

    report.add(("role", 0, "lane"), "must be an array, not text")
    report.problems(locate(text))
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import chain

from handrail.config.lines import Lines, Path
from handrail.core.nearest import nearest
from handrail.core.record import Record
from handrail.text import visible
from handrail.typed import Final

PROBLEMS_MAX: Final = 100
QUOTED_MAX: Final = 60


class Problem(Record):
    """One thing that is wrong: its line, the key, a sentence, and the nearest known word if any."""

    line: int
    key: str
    reason: str
    suggestion: str | None


class _Found(Record):
    """A problem before its line is known; `known` are the words that one was meant of."""

    at: Path
    reason: str
    word: str
    known: Iterable[str]
    first_at: Path | None


class _Reference(Record):
    """A name used at a place, and the kinds of names among which it must be defined."""

    at: Path
    name: str
    spaces: tuple[str, ...]
    words: tuple[str, ...]


class Report:
    """Problems, definitions and references of one document."""

    def __init__(self, *, fold_case: bool = False) -> None:
        self.fold_case = fold_case
        self._found: list[_Found] = []
        self._defined: dict[str, dict[str, Path]] = {}
        self._references: list[_Reference] = []

    def add(
        self,
        at: Path,
        reason: str,
        *,
        word: str = "",
        known: Iterable[str] = (),
        first_at: Path | None = None,
    ) -> None:
        """Note a problem; `known` and `first_at` complete its sentence."""
        self._found.append(_Found(at, reason, word, known, first_at))

    def define(self, space: str, name: str, at: Path, *, once: bool) -> None:
        """Note that a name is defined; where it may be only `once`, a second time is a problem."""
        names = self._defined.setdefault(space, {})
        if once and name in names:
            self.add(at, f"{space} {quoted(name)} is defined twice", first_at=names[name])
        names.setdefault(name, at)

    def refer(self, at: Path, name: str, spaces: tuple[str, ...], words: tuple[str, ...]) -> None:
        """Note that a name must be defined in one of the spaces, or be one of the words."""
        self._references.append(_Reference(at, name, spaces, words))

    def resolve(self) -> None:
        """Look every reference up; call it when the whole document was seen."""
        for at, name, spaces, words in self._references:
            places: list[Collection[str]] = [words]
            places += [self._defined.get(space, {}) for space in spaces]
            if not any(name in place for place in places):
                reason = f"there is no {' or '.join(spaces)} {quoted(name)}"
                self.add(at, reason, word=name, known=chain.from_iterable(places))

    def problems(self, lines: Lines) -> list[Problem]:
        """Give the first problems in line order; within a line, in the order of finding."""
        placed = [(lines.line(found.at), found) for found in self._found]
        placed.sort(key=lambda pair: pair[0])
        return [_problem(line, found, lines) for line, found in placed[:PROBLEMS_MAX]]


def _problem(line: int, found: _Found, lines: Lines) -> Problem:
    """Complete a problem with the nearest known word or the place of the first definition."""
    reason = found.reason
    suggestion = nearest(found.word, found.known) if found.word else None
    if suggestion is not None:
        reason += f"; the nearest is {quoted(suggestion)}"
    if found.first_at is not None:
        reason += f", first in line {lines.line(found.first_at)}"
    return Problem(line, key_text(found.at), reason, suggestion)


def key_text(path: Path) -> str:
    """Write a path as ``role[1].lane[0]``, elements counted from 0."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            is_bare = part.isascii() and part.replace("-", "").replace("_", "").isalnum()
            name = part if is_bare and len(part) <= QUOTED_MAX else quoted(part)
            text += f".{name}" if text else name
    return text


def quoted(text: str) -> str:
    """Quote text of a file for a sentence: visible and short."""
    if len(text) > QUOTED_MAX:
        text = text[:QUOTED_MAX] + "…"
    return f'"{visible(text)}"'

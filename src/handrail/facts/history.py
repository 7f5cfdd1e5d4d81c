"""The history that a landing is judged by: names and refs of the repository, objects of nobody's.

Promise: names and refs are asked of the repository itself, all else of ``facts.neutral``. Ids are
full and in lower-case hex; whatever cannot be read is FactsUnavailable.

    with open_history(place.toplevel) as history:
        history.changes(history.walk([tip], [base], 1_000))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from handrail.core.landing import Change
from handrail.errors import FactsUnavailable
from handrail.facts import commits, merges, signatures
from handrail.facts.git import HEX, ask
from handrail.facts.neutral import Neutral, neutral
from handrail.typed import Final

REFS_MAX: Final = 10_000
_REF: Final = "%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)"


class History:
    """What git says; one of these for one verification."""

    def __init__(self, folder: str, git: Neutral) -> None:
        self._folder = folder
        self._git = git

    def resolve(self, names: Sequence[str]) -> list[str | None]:
        """Return the commit that each name means in this repository; None if it means none."""
        found: dict[str, str] = {}
        for name in names:
            if not name or set("\n\0") & set(name):
                continue
            asked = f"{name}^{{commit}}\n".encode("utf-8", "surrogateescape")
            try:
                said = ask(self._folder, ["cat-file", "--batch-check=%(objectname)"], asked)
            except FactsUnavailable:
                continue  # for some of what it does not know, git fails as a whole
            words = said.decode("utf-8", "replace").rstrip("\n")
            if HEX.issuperset(words):
                found[name] = words
        return [found.get(name) for name in names]

    def refs(self, *patterns: str) -> list[tuple[str, str]]:
        """Return (ref, commit) of the refs under these patterns, newest first, at most REFS_MAX."""
        words = ["for-each-ref", f"--count={REFS_MAX}", "--sort=-committerdate"]
        words += [f"--format={_REF}", *patterns]
        rows = []
        for line in ask(self._folder, words).decode("utf-8", "surrogateescape").split("\n"):
            name, *ends = line.split("\0")
            for kind, found in zip(ends[::2], ends[1::2], strict=True):
                if kind == "commit":
                    rows.append((name, found))
        return rows

    def present(self, ids: Sequence[str]) -> list[str]:
        """Return the commits among these ids that are still there."""
        return commits.present(self._git, ids)

    def walk(self, include: Sequence[str], exclude: Sequence[str], limit: int) -> list[str]:
        """Return the commits of ``include`` and not of ``exclude``, children first."""
        return commits.walk(self._git, include, exclude, limit)

    def merge_bases(self, one: str, two: str) -> list[str]:
        """Return the best common ancestors of two commits."""
        return merges.merge_bases(self._git, one, two)

    def changes(self, ids: Sequence[str]) -> dict[str, Change]:
        """Return what each commit changes."""
        return commits.changes(self._git, ids)

    def patches(self, ids: Sequence[str]) -> dict[str, str]:
        """Return a digest of each commit's diff."""
        return commits.patches(self._git, ids)

    def held(self, commit: str, path: str, content: bytes) -> bool:
        """Tell whether a file had this content at a commit or in its history."""
        return commits.held(self._git, commit, path, content)

    def repeated(self, ids: Sequence[str], base: str, path: str) -> list[str]:
        """Return those that change a file as a commit in the history of ``base`` did before."""
        return commits.repeated(self._git, ids, base, path)

    def file_at(self, commit: str, path: str) -> bytes | None:
        """Return a file of a commit."""
        return commits.file_at(self._git, commit, path)

    def last_change(self, commit: str, path: str) -> str | None:
        """Return the commit that gave a file the bytes it has at ``commit``."""
        return commits.last_change(self._git, commit, path)

    def merged_trees(self, pairs: Sequence[tuple[str, str]]) -> list[str | None]:
        """Return the tree of merging the second of each pair into the first."""
        return merges.merged_trees(self._git, pairs)

    def tips(self, ids: Sequence[str]) -> list[str]:
        """Return the commits that no other of them has in its history."""
        return merges.tips(self._git, ids)

    def signers(self, ids: Sequence[str], keys: Mapping[str, str]) -> dict[str, str]:
        """Return the name behind the key that signed each commit."""
        return signatures.signers(self._git, ids, keys)


@contextmanager
def open_history(folder: str) -> Iterator[History]:
    """Open the history of the repository around ``folder``."""
    with neutral(folder) as git:
        yield History(folder, git)

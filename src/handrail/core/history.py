"""The shape of a past: which branches were merged when, and which of them were open together.

A branch is what a merge on the main line brought: the commits of its further parents that had not
landed before. The main line is what first parents lead to. A branch is open from the place at
which it left the main line, the earliest if it left more than once, to its merge. Places count the
commits of the main line from 1; what lies before the past that is looked at has place 0.

Promises: pure; linear in the commits and their parents; every commit that the tip reaches is in
exactly one branch, or landed directly. Not promised: names. A branch is called what the subject of
its merge calls it, which anybody may type.

    branches, direct = lines_of(past, tip)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from handrail.core.record import Record

NAME_CHARS_MAX: Final = 200


class PastCommit(Record):
    """A commit as git tells it; ``at`` is its author's time in seconds, a merge has no paths."""

    commit: str
    parents: tuple[str, ...]
    author: str
    mail: str
    at: int
    subject: str
    paths: tuple[str, ...]


class Branch(Record):
    """A branch that was merged: ``commits`` oldest first, open from one place to another."""

    name: str | None
    merge: str
    commits: tuple[PastCommit, ...]
    opened: int
    landed: int

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the paths that it changed, each once, in the order of their first change."""
        return tuple(dict.fromkeys(path for commit in self.commits for path in commit.paths))


def lines_of(past: Sequence[PastCommit], tip: str) -> tuple[list[Branch], list[PastCommit]]:
    """Return the merged branches, in the order of their merges, and what landed without one.

    ``past`` has parents before children.
    """
    known = {one.commit: one for one in past}
    order = {one.commit: number for number, one in enumerate(past)}
    main: list[PastCommit] = []
    at: str | None = tip
    while at is not None and at in known:
        main.append(known[at])
        at = known[at].parents[0] if known[at].parents else None
    main.reverse()
    places: dict[str, int] = {}
    branches: list[Branch] = []
    direct: list[PastCommit] = []
    for place, landing in enumerate(main, 1):
        places[landing.commit] = place
        if len(landing.parents) < 2:
            direct.append(landing)
        for parent in landing.parents[1:]:
            found = _fresh(known, places, parent)
            if not found:
                continue
            opened = min(places.get(above, 0) for above in _left_from(found))
            places.update(dict.fromkeys(found, place))
            commits = sorted(found.values(), key=lambda one: order[one.commit])
            name = branch_name(landing.subject)
            branches.append(Branch(name, landing.commit, tuple(commits), opened, place))
    return branches, direct


def _fresh(
    known: Mapping[str, PastCommit], places: Mapping[str, int], start: str
) -> dict[str, PastCommit]:
    """Return what is reached from a commit and has not landed."""
    found: dict[str, PastCommit] = {}
    ahead = [start]
    while ahead:
        one = ahead.pop()
        if one in known and one not in places and one not in found:
            found[one] = known[one]
            ahead.extend(known[one].parents)
    return found


def _left_from(found: Mapping[str, PastCommit]) -> list[str]:
    """Return the commits that a branch left from; one that began with nothing left from nowhere."""
    outside = [parent for one in found.values() for parent in one.parents if parent not in found]
    return outside or [""]


_QUOTED: Final = ("Merge branch '", "Merge remote-tracking branch '", "Merge branches '")
_PULLED: Final = "Merge pull request #"


def branch_name(subject: str) -> str | None:
    """Return the branch that the subject of a merge names, without its organisation or remote.

    >>> branch_name("Merge pull request #7 from acme/fix/login")
    'fix/login'
    """
    for beginning in _QUOTED:
        if subject.startswith(beginning):
            name = subject[len(beginning) :].partition("'")[0]
            if "remote-tracking" in beginning:
                name = name.partition("/")[2] or name
            return name[:NAME_CHARS_MAX] or None
    if subject.startswith(_PULLED):
        words = subject[len(_PULLED) :].split(" ")
        if len(words) > 2 and words[0].isdigit() and words[1] == "from":
            return (words[2].partition("/")[2] or words[2])[:NAME_CHARS_MAX] or None
    return None

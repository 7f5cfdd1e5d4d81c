"""Merging without a working tree: which tree git makes of two commits, and which heads are tips.

Promises: as ``facts.neutral``; the trees made on the way are nobody's. A merge with conflicts has
no tree here; two that share no history are merged as if they began with nothing.

    merged_trees(git, [("9f2c…", "41ab…")])
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail.errors import FactsUnavailable
from handrail.facts.neutral import Neutral


def merged_trees(git: Neutral, pairs: Sequence[tuple[str, str]]) -> list[str | None]:
    """Return the tree of merging the second of each pair into the first; None if they conflict."""
    if not pairs:
        return []
    words = ["merge-tree", "-z", "--no-messages", "--allow-unrelated-histories", "--stdin"]
    said = git.ask(words, "".join(f"{one} {two}\n" for one, two in pairs).encode("ascii"))
    fields = iter(said.split(b"\0"))
    trees: list[str | None] = []
    for _ in pairs:
        clean, tree = next(fields, b""), next(fields, b"").decode("ascii", "replace")
        while next(fields, b""):
            pass  # what is in conflict
        if clean not in (b"0", b"1"):
            raise FactsUnavailable(what="git merge-tree", reason="its answer makes no sense")
        trees.append(tree if clean == b"1" else None)
    return trees


def merge_bases(git: Neutral, one: str, two: str) -> list[str]:
    """Return the best common ancestors of two commits; none if they share no history."""
    try:
        said = git.ask(["merge-base", "--all", one, two])
    except FactsUnavailable as error:
        if error.values.get("reason") == "no reason":
            return []
        raise
    return said.decode("ascii", "replace").split()


def tips(git: Neutral, commits: Sequence[str]) -> list[str]:
    """Return the commits that no other of them has in its history, in the same order."""
    if len(commits) < 2:
        return list(commits)
    said = git.ask(["merge-base", "--independent", *commits]).decode("ascii", "replace").split()
    return [one for one in commits if one in said]

"""What built-in gates look at: plain values, collected once for all gates of a run.

Promise: a fact that was not collected is None, and a gate that looks at it all the same raises,
which is cannot-tell.
"""

from __future__ import annotations

from handrail.core.record import Record


class Standing(Record):
    """How a working tree stands; '' for what an unborn branch does not have.

    ``operation`` is the rebase, merge, cherry-pick or revert that is not over. ``fingerprint`` is
    '' for a clean tree, ``core.receipts.UNKNOWN_DIRT`` where nobody can compare.
    """

    commit: str
    tree: str
    operation: str | None
    dirty: tuple[str, ...]
    fingerprint: str


class Pushed(Record):
    """Whether a remote-tracking ref contains HEAD, as far as this clone knows."""

    commit: str
    branch: str | None
    remotes: tuple[str, ...]
    contained: bool
    shallow: bool


class Tree(Record):
    """What a commit holds: paths, symbolic links (path, target), documents (path, text or None)."""

    commit: str
    files: frozenset[str]
    links: tuple[tuple[str, str], ...]
    documents: tuple[tuple[str, str | None], ...]


class Covered(Record):
    """What stands in the way of committing what is staged: (path, code, sentence)."""

    reasons: tuple[tuple[str, str, str], ...]
    next: str | None


class Judged(Record):
    """What rule V says of the commits that are to land: (commit, code, sentence) of what it minds.

    ``unsure`` are those of which nobody can tell.
    """

    commits: int
    refused: tuple[tuple[str, str, str], ...]
    unsure: tuple[tuple[str, str, str], ...]


class PolicyChange(Record):
    """The staged paths that hold a policy, each with what says so, and whether the asker may."""

    paths: tuple[tuple[str, str], ...]
    may_change: bool


class Facts(Record):
    """All that was collected."""

    standing: Standing | None = None
    pushed: Pushed | None = None
    tree: Tree | None = None
    reading: tuple[tuple[str, str], ...] = ()
    covered: Covered | None = None
    judged: Judged | None = None
    policy: PolicyChange | None = None

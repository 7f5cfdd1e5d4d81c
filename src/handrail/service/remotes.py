"""What sharing a ledger needs of git: refs and objects here, and other repositories.

Promise of whatever stands behind it: nothing is ever forced, here or there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from handrail.typed import Final, Protocol

DONE: Final = "done"
FORBIDDEN: Final = "forbidden"


class Objects(Protocol):
    """Where commits are written."""

    def write_file(self, content: bytes) -> str:
        """Write a blob; returns its id."""

    def write_tree(self, files: Mapping[str, str], folders: Mapping[str, str]) -> str:
        """Write a tree of plain files and folders, each a name and an id; returns its id."""

    def write_commit(self, tree: str, parent: str | None, message: str, at_s: int) -> str:
        """Write a commit; returns its id."""


class Pushed(Protocol):
    """How a push ended."""

    @property
    def outcome(self) -> str:
        """``done``, ``raced`` (somebody else was quicker) or ``forbidden``."""

    @property
    def reason(self) -> str:
        """Why it was not done, in the remote's words."""


class Remotes(Objects, Protocol):
    """This repository's refs and objects, and its remotes. Nothing is ever forced."""

    def chosen(self, asked: str | None) -> str:
        """Return the remote to talk to; raises UnknownRemote."""

    def listed(self, remote: str, prefixes: Sequence[str]) -> dict[str, str]:
        """Return what the remote's refs under these prefixes hold; raises RemoteUnavailable."""

    def fetch(self, remote: str, refs: Sequence[str]) -> bool:
        """Fetch what these refs hold, and move no ref; False if one of them is gone meanwhile."""

    def push(self, remote: str, commit: str, ref: str) -> Pushed:
        """Let a ref of the remote move on to a commit; raises RemoteUnavailable."""

    def refs(self, prefix: str) -> dict[str, str]:
        """Return what the refs of this repository under a prefix hold."""

    def move(self, ref: str, new: str, old: str | None) -> bool:
        """Let a local ref move from ``old`` (None: from not being there); False if it was moved."""

    def commits_among(self, ids: Sequence[str]) -> set[str]:
        """Return those of these ids that are commits and here."""

    def contains(self, newer: str, older: str) -> bool:
        """Tell whether a commit is, or has in its history, another one."""

"""What every use case needs: the store, who asks, and the doors to the world outside.

The doors are protocols; ``wiring`` chooses what stands behind them.
"""

from __future__ import annotations

from typing import Protocol

from handrail.core.record import Record
from handrail.store.port import Store


class Caller(Record):
    """Who asks, as far as the environment tells; nothing of it is proven yet.

    ``harness`` names the marker of a coding harness found in the environment; ``terminal`` says
    whether a person could be at the keyboard.
    """

    worktree: str
    folder: str
    session: str | None = None
    secret: str | None = None
    agent: str | None = None
    role: str | None = None
    harness: str | None = None
    terminal: bool = False


class SecretFiles(Protocol):
    """Where session secrets lie on this machine.

    ``shown`` holds what the store keeps of the secrets that this process has read, by session: who
    could read one a moment ago need not read it again.
    """

    @property
    def shown(self) -> dict[str, str]:
        """The hash of each secret that was read."""

    def keep(self, session: str, secret: str) -> None:
        """Write the secret of a session."""

    def read(self, session: str) -> str | None:
        """Return the secret of a session, None if there is none."""

    def forget(self, session: str) -> None:
        """Remove the secret of a session."""


class CommitRow(Protocol):
    """A commit as git tells it."""

    @property
    def commit(self) -> str:
        """Its id."""

    @property
    def tree(self) -> str:
        """The id of its tree."""

    @property
    def parents(self) -> tuple[str, ...]:
        """The ids of its parents."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths it changes against its parent."""

    @property
    def paths_hash(self) -> str:
        """SHA-256 over the sorted raw paths, separated by NUL."""


class Outside(Protocol):
    """The world outside the store, for the use cases that need it."""

    def monotonic_ms(self) -> int:
        """Read a clock for measuring spans, in milliseconds."""

    def pause(self, seconds: float) -> None:
        """Let time pass."""

    def random_name(self, chars: int) -> str:
        """Return lower-case letters and digits that nobody can guess."""

    def resolved(self, anchor: str) -> list[str]:
        """Follow symbolic links in a repo-relative path; raises MalformedScope if they lead out."""

    def is_folder(self, path: str) -> bool:
        """Tell whether a repo-relative path is a folder of the working tree now."""

    def commits(self, text: str) -> list[CommitRow]:
        """Return the commits of a range, oldest first; raises MalformedRange."""

    def config_file(self) -> bytes | None:
        """Return the working tree's ``handrail.toml``, None if there is none."""


class Context(Record):
    """One command's surroundings."""

    store: Store
    caller: Caller
    secrets: SecretFiles
    outside: Outside

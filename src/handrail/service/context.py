"""What every use case needs: the store, who asks, and the doors to the world outside.

The doors are protocols; ``wiring`` chooses what stands behind them.
"""

from __future__ import annotations

from handrail.core.record import Record
from handrail.typed import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from handrail.core.landing import Change
    from handrail.core.lease import Process
    from handrail.core.reading import Document
    from handrail.service.verification import SharedLedgers
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
        """The paths it changes: those that rule V judges it by; none where parents are many."""

    @property
    def paths_hash(self) -> str:
        """SHA-256 over the sorted raw paths, separated by NUL."""

    @property
    def change(self) -> str | None:
        """A digest of what it does to its paths (``core.landing.digest_of``), where told."""


class History(Protocol):
    """What git says of commits, for judging them: full ids, and objects that nobody can replace.

    Whatever cannot be read is FactsUnavailable.
    """

    def resolve(self, names: Sequence[str]) -> list[str | None]:
        """Return the commit that each name means; None if it means none."""

    def refs(self, *patterns: str) -> list[tuple[str, str]]:
        """Return (ref, commit) of the refs under these patterns, newest first."""

    def present(self, ids: Sequence[str]) -> list[str]:
        """Return the commits among these ids that are still there, in the same order."""

    def walk(self, include: Sequence[str], exclude: Sequence[str], limit: int) -> list[str]:
        """Return the commits of ``include`` and not of ``exclude``, children first.

        At most ``limit`` and one more, which says that there are more.
        """

    def merge_bases(self, one: str, two: str) -> list[str]:
        """Return the best common ancestors of two commits."""

    def changes(self, ids: Sequence[str]) -> dict[str, Change]:
        """Return what each commit changes."""

    def patches(self, ids: Sequence[str]) -> dict[str, str]:
        """Return a digest of each commit's diff; equal means the same diff, wherever it applies."""

    def held(self, commit: str, path: str, content: bytes) -> bool:
        """Tell whether a file had this content at a commit or in its history."""

    def repeated(self, ids: Sequence[str], base: str, path: str) -> list[str]:
        """Return those that change a file as a commit in the history of ``base`` did before."""

    def file_at(self, commit: str, path: str) -> bytes | None:
        """Return a file of a commit; None if there is none of that name."""

    def last_change(self, commit: str, path: str) -> str | None:
        """Return the commit that gave a file the bytes it has at ``commit``; None: no such file."""

    def merged_trees(self, pairs: Sequence[tuple[str, str]]) -> list[str | None]:
        """Return the tree of merging the second of each pair into the first; None: conflicts."""

    def tips(self, ids: Sequence[str]) -> list[str]:
        """Return the commits that no other of them has in its history."""

    def signers(self, ids: Sequence[str], keys: Mapping[str, str]) -> dict[str, str]:
        """Return the name, of ``keys`` to names, behind the key that signed each commit."""


class DirtyRow(Protocol):
    """A path that differs from HEAD, as git tells it; blob ids, '' for what is not there."""

    @property
    def path(self) -> str:
        """The path, in git's own spelling."""

    @property
    def blob(self) -> str:
        """The file's bytes."""

    @property
    def staged(self) -> str:
        """What the index holds."""

    @property
    def head(self) -> str:
        """What HEAD holds."""


class Outside(Protocol):
    """The world outside the store, for the use cases that need it."""

    def store_url(self) -> str:
        """Return the store's address as a configuration names it: ``sqlite`` or a server's."""

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

    def at_head(self) -> tuple[str, str]:
        """Return HEAD's commit and its tree; '' for both on an unborn branch."""

    def history(self) -> AbstractContextManager[History]:
        """Open what git says of commits, for one verification."""

    def config_file(self) -> bytes | None:
        """Return the working tree's ``handrail.toml``, None if there is none."""

    def dirty(self, roots: Sequence[str]) -> Sequence[DirtyRow]:
        """Return what differs from HEAD at or below these paths; raises FactsUnavailable."""

    def touching(self, paths: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
        """Return the commits below HEAD that changed any of these paths, newest first."""

    def changed_by(self, commits: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return which paths each of these commits changed, as far as they are here."""

    def not_in(self, tip: str, commits: Sequence[str]) -> frozenset[str]:
        """Return those of these commits that ``tip`` does not contain."""

    def merged(self, path: str, base: str, head: str) -> str | None:
        """Return the blob of a clean merge of the file with its versions at two commits."""

    def unlike(self, commit: str, blobs: Mapping[str, str | None]) -> list[str]:
        """Return those of these paths, of which some blobs are known, that the commit lacks so."""

    def staged(self) -> list[str]:
        """Return the paths that the index changes against HEAD."""

    def ignored(self, paths: Sequence[str]) -> frozenset[str]:
        """Return those of these repo-relative paths that git ignores; tracked ones never are."""

    def digest(self, path: str) -> str | None:
        """Return the SHA-256 of an ordinary file of the working tree, reached through no link.

        None where there is none; raises FactsUnavailable.
        """

    def entries(self, folder: str) -> tuple[str, ...]:
        """Return the names in a folder of the working tree, folders with a slash behind.

        Links are not among them; nothing is followed. Raises FactsUnavailable.
        """

    def document(self, path: str) -> bytes | None:
        """Return an ordinary file of the working tree, reached through no link; None: no file.

        Raises FactsUnavailable for what is too long, a link, or no file.
        """

    def documents(self, paths: Sequence[str]) -> list[Document]:
        """Return documents as they lie in the working tree, else as HEAD holds them; never fails.

        Nobody is waited for, and no link out of the working tree is followed.
        """

    def branch(self) -> str | None:
        """Return the branch that is checked out; None where HEAD is detached."""

    def alive(self, process: Process) -> bool | None:
        """Tell whether a process still runs; None where nobody can tell from here."""

    def ancestors(self) -> list[Process]:
        """Return the processes above this one, nearest first."""


class Context(Record):
    """One command's surroundings."""

    store: Store
    caller: Caller
    secrets: SecretFiles
    outside: Outside
    shared: SharedLedgers | None = None

"""What stands around a store: this machine, this repository, and where a workspace is set up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from handrail.facts.clock import BootClock
from handrail.facts.files import create_file, read_bounded
from handrail.facts.repository import Place
from handrail.service.context import CommitRow, DirtyRow
from handrail.store.sqlite import SqliteStore
from handrail.typed import TYPE_CHECKING, Final
from handrail.wiring import STORE_NAME

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from handrail.core.history import PastCommit
    from handrail.core.lease import Process
    from handrail.core.ledger import Entry
    from handrail.core.reading import Document
    from handrail.core.state import State
    from handrail.service.context import History

CONFIG_NAME: Final = "handrail.toml"
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"


class Surroundings:
    """The world outside the store: this machine, this repository."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def store_url(self) -> str:
        """Return the store's address as a configuration names it."""
        return "sqlite"

    def monotonic_ms(self) -> int:
        """Read a clock for measuring spans."""
        return time.monotonic_ns() // 1_000_000

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    def random_name(self, chars: int) -> str:
        """Return lower-case letters and digits that nobody can guess; 5 bits each."""
        return "".join(_ALPHABET[byte & 31] for byte in os.urandom(chars))

    def resolved(self, anchor: str) -> list[str]:
        """Follow symbolic links in a repo-relative path; raises MalformedScope."""
        from handrail.facts.paths import resolve

        return resolve(self._place.toplevel, anchor)

    def is_folder(self, path: str) -> bool:
        """Tell whether a repo-relative path is a folder of the working tree now."""
        return os.path.isdir(f"{self._place.toplevel}/{path}")

    def commits(self, text: str) -> list[CommitRow]:
        """Return the commits of a range, oldest first."""
        from handrail.facts.commits import as_judged
        from handrail.facts.git import read_range

        return list(as_judged(self._place.toplevel, read_range(self._place.toplevel, text)))

    def at_head(self) -> tuple[str, str]:
        """Return HEAD's commit and its tree; '' for both on an unborn branch."""
        from handrail.facts.refs import head_of

        return head_of(self._place.toplevel)

    def history(self) -> AbstractContextManager[History]:
        """Open what git says of commits, for one verification."""
        from handrail.facts.history import open_history

        return open_history(self._place.toplevel)

    def past(
        self, since: str, until: str, tell: Callable[[int], None]
    ) -> tuple[str, list[PastCommit]]:
        """Return what a name means, and the commits up to it, parents before children."""
        from handrail.facts.past import read_past

        return read_past(self._place.toplevel, since, until, tell)

    def digest(self, path: str) -> str | None:
        """Return the SHA-256 of an ordinary file of the working tree."""
        from handrail.facts.artifacts import digest_of

        return digest_of(self._place.toplevel, path)

    def entries(self, folder: str) -> tuple[str, ...]:
        """Return the names in a folder of the working tree."""
        from handrail.facts.folders import entries

        return entries(self._place.toplevel, folder)

    def document(self, path: str) -> bytes | None:
        """Return an ordinary file of the working tree."""
        from handrail.facts.folders import document

        return document(self._place.toplevel, path)

    def documents(self, paths: Sequence[str]) -> list[Document]:
        """Return documents as they lie in the working tree, else as HEAD holds them."""
        from handrail.facts.required import documents

        return documents(self._place.toplevel, paths)

    def branch(self) -> str | None:
        """Return the branch that is checked out."""
        from handrail.facts.refs import branch

        return branch(self._place.toplevel)

    def config_file(self) -> bytes | None:
        """Return the working tree's ``handrail.toml``."""
        return read_bounded(os.path.join(self._place.toplevel, CONFIG_NAME))

    def dirty(self, roots: Sequence[str]) -> Sequence[DirtyRow]:
        """Return what differs from HEAD at or below these paths."""
        from handrail.facts.dirt import dirty

        return dirty(self._place.toplevel, roots)

    def touching(self, paths: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
        """Return the commits below HEAD that changed any of these paths, newest first."""
        from handrail.facts.dirt import touching

        return touching(self._place.toplevel, paths)

    def changed_by(self, commits: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return which paths each of these commits changed."""
        from handrail.facts.dirt import changed_by

        return changed_by(self._place.toplevel, commits)

    def not_in(self, tip: str, commits: Sequence[str]) -> frozenset[str]:
        """Return those of these commits that ``tip`` does not contain."""
        from handrail.facts.dirt import not_in

        return not_in(self._place.toplevel, tip, commits)

    def merged(self, path: str, base: str, head: str) -> str | None:
        """Return the blob of a clean merge of the file with its versions at two commits."""
        from handrail.facts.dirt import merged

        return merged(self._place.toplevel, path, base, head)

    def unlike(self, commit: str, blobs: Mapping[str, str | None]) -> list[str]:
        """Return those of these paths that the commit does not hold as they are."""
        from handrail.facts.dirt import unlike

        return unlike(self._place.toplevel, commit, blobs)

    def staged(self) -> list[str]:
        """Return the paths that are staged."""
        from handrail.facts.refs import staged

        return staged(self._place.toplevel)

    def ref(self, name: str) -> str:
        """Return the commit that a ref holds; '' if there is none of that name."""
        from handrail.facts.refs import ref_value

        return ref_value(self._place.toplevel, name)

    def parents(self, commit: str) -> list[str]:
        """Return the parents of a commit."""
        from handrail.facts.refs import parents

        return parents(self._place.toplevel, commit)

    def fresh_commits(self, tips: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the commits that no ref has, and those that no reflog has either."""
        from handrail.facts.refs import fresh_commits

        return fresh_commits(self._place.toplevel, self._place.git_dir, tips)

    def add_trailers(self, file: str, trailers: Sequence[str]) -> None:
        """Write trailers into a commit's message."""
        from handrail.facts.refs import add_trailers

        add_trailers(self._place.toplevel, file, trailers)

    def calling_git(self) -> str:
        """Return the git command that started us."""
        from handrail.facts.refs import calling_git

        return calling_git(os.getpid())

    def ignored(self, paths: Sequence[str]) -> frozenset[str]:
        """Return those of these paths that git ignores."""
        from handrail.facts.ignored import ignored

        return ignored(self._place.toplevel, paths)

    def alive(self, process: Process) -> bool | None:
        """Tell whether a process still runs."""
        from handrail.facts.process import alive

        return alive(process)

    def ancestors(self) -> list[Process]:
        """Return the processes above this one, nearest first."""
        from handrail.facts.process import ancestors

        return ancestors(os.getpid())


def new_salt() -> str:
    """Return what nobody can guess, for an entry."""
    return os.urandom(16).hex()


def free_name(path: str, why: str) -> str:
    """Return the first name that is free for something that is kept and no longer used."""
    number = 1
    while os.path.exists(f"{path}.{why}-{number}"):
        number += 1
    return f"{path}.{why}-{number}"


class Ground(Surroundings):
    """Where a workspace is set up, whatever its store."""

    def __init__(self, place: Place, state_dir: str) -> None:
        super().__init__(place)
        self.folder = place.folder
        self.state_dir = state_dir

    def file(self, path: str) -> bytes | None:
        """Return a file of the working tree by its path from the top, None if there is none."""
        return read_bounded(os.path.join(self._place.toplevel, path))

    def write_config(self, text: str) -> None:
        """Write ``handrail.toml`` if it is still not there."""
        path = os.path.join(self._place.toplevel, CONFIG_NAME)
        create_file(path, text.encode("utf-8"), self._place.git_dir)

    def retire(self) -> str:
        """Rename the whole state folder, so that nothing is in force; returns the new name."""
        aside = free_name(self.state_dir, "retired")
        os.rename(self.state_dir, aside)
        return aside

    def remove_config(self) -> None:
        """Take ``handrail.toml`` out of the working tree."""
        os.unlink(os.path.join(self._place.toplevel, CONFIG_NAME))


class SqliteGround(Ground):
    """Where a workspace with a SQLite store is set up."""

    def store_path(self) -> str:
        """Where the store is or would be."""
        return os.path.join(self.state_dir, STORE_NAME)

    def store_exists(self) -> bool:
        """Tell whether there is a store."""
        return os.path.exists(self.store_path()) and os.path.getsize(self.store_path()) > 0

    def open_store(self) -> SqliteStore:
        """Open the store that is there."""
        return SqliteStore(self.store_path(), BootClock(), new_salt)

    def create_store(
        self, workspace: str, epoch: str, predecessor: str | None = None
    ) -> SqliteStore:
        """Make the store with its first entry."""
        return SqliteStore.create(
            self.store_path(),
            BootClock(),
            new_salt,
            workspace=workspace,
            epoch=epoch,
            predecessor=predecessor,
        )

    def restore(self, entries: Sequence[Entry], state: State) -> SqliteStore:
        """Make the store from a whole ledger; one that is none any more is set aside."""
        from handrail.errors.server import StoreMoved

        try:
            if self.store_exists():
                self.open_store().close()
        except StoreMoved:
            self.set_aside("moved")
        return SqliteStore.restore(self.store_path(), BootClock(), new_salt, entries, state)

    def set_aside(self, why: str = "damaged") -> str:
        """Rename a store and what belongs to it; returns the new name. Deletes nothing."""
        aside = free_name(self.store_path(), why)
        for suffix in ("-wal", "-shm", ""):
            if os.path.exists(self.store_path() + suffix):
                os.rename(self.store_path() + suffix, aside + suffix)
        return aside

    def salvage(self) -> list[Entry]:
        """Return the entries that a damaged store still gives, oldest first."""
        from handrail.store.sqlite.store import salvage

        return salvage(self.store_path())

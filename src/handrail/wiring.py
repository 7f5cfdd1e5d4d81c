"""The only place that chooses: which store, which clock, which files, which randomness.

app = Application.open(os.getcwd(), os.environ, terminal=True)
app.leases.claim(Asked(("src/api",)))
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from handrail import errors
from handrail.core.names import check_name
from handrail.facts.clock import BootClock
from handrail.facts.files import Secrets, create_file, read_bounded
from handrail.facts.repository import Place, locate
from handrail.service.context import Caller, CommitRow, Context
from handrail.store.sqlite import SqliteStore
from handrail.text import visible

if TYPE_CHECKING:
    from handrail.core.ledger import Entry
    from handrail.service.leases import Leases

CONFIG_NAME: Final = "handrail.toml"
STORE_NAME: Final = "state.db"
HARNESS_MARKERS: Final = (
    "CLAUDECODE",
    "CLAUDE_CODE_SESSION_ID",
    "CODEX_THREAD_ID",
    "CURSOR_AGENT",
    "DEVIN_PROJECT_DIR",
    "GEMINI_CLI",
    "GEMINI_SESSION_ID",
)
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
GIT_VERSION_CHARS_MAX: Final = 80
STATE_DIR_BYTES_MAX: Final = 400  # SQLite takes no path of more than 512


class Surroundings:
    """The world outside the store: this machine, this repository."""

    def __init__(self, place: Place) -> None:
        self._place = place

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
        from handrail.facts.git import read_range

        return list(read_range(self._place.toplevel, text))

    def config_file(self) -> bytes | None:
        """Return the working tree's ``handrail.toml``."""
        return read_bounded(os.path.join(self._place.toplevel, CONFIG_NAME))


def _salt() -> str:
    return os.urandom(16).hex()


class SqliteGround(Surroundings):
    """Where a workspace with a SQLite store is set up."""

    def __init__(self, place: Place, state_dir: str) -> None:
        super().__init__(place)
        self.folder = place.folder
        self._state_dir = state_dir

    def write_config(self, text: str) -> None:
        """Write ``handrail.toml`` if it is still not there."""
        path = os.path.join(self._place.toplevel, CONFIG_NAME)
        create_file(path, text.encode("utf-8"), self._place.git_dir)

    def store_path(self) -> str:
        """Where the store is or would be."""
        return os.path.join(self._state_dir, STORE_NAME)

    def store_exists(self) -> bool:
        """Tell whether there is a store."""
        return os.path.exists(self.store_path()) and os.path.getsize(self.store_path()) > 0

    def open_store(self) -> SqliteStore:
        """Open the store that is there."""
        return SqliteStore(self.store_path(), BootClock(), _salt)

    def create_store(
        self, workspace: str, epoch: str, predecessor: str | None = None
    ) -> SqliteStore:
        """Make the store with its first entry."""
        return SqliteStore.create(
            self.store_path(),
            BootClock(),
            _salt,
            workspace=workspace,
            epoch=epoch,
            predecessor=predecessor,
        )

    def set_aside(self) -> str:
        """Rename a damaged store and what belongs to it; returns the new name. Deletes nothing."""
        number = 1
        while os.path.exists(f"{self.store_path()}.damaged-{number}"):
            number += 1
        aside = f"{self.store_path()}.damaged-{number}"
        for suffix in ("-wal", "-shm", ""):
            if os.path.exists(self.store_path() + suffix):
                os.rename(self.store_path() + suffix, aside + suffix)
        return aside

    def salvage(self) -> list[Entry]:
        """Return the entries that a damaged store still gives, oldest first."""
        from handrail.store.sqlite.store import salvage

        return salvage(self.store_path())

    def retire(self) -> str:
        """Rename the whole state folder, so that nothing is in force; returns the new name."""
        number = 1
        while os.path.exists(f"{self._state_dir}.retired-{number}"):
            number += 1
        os.rename(self._state_dir, f"{self._state_dir}.retired-{number}")
        return f"{self._state_dir}.retired-{number}"

    def remove_config(self) -> None:
        """Take ``handrail.toml`` out of the working tree."""
        os.unlink(os.path.join(self._place.toplevel, CONFIG_NAME))


class Application:
    """Everything a command needs, opened when it is first asked for."""

    def __init__(self, place: Place, environment: Mapping[str, str], *, terminal: bool) -> None:
        self.place = place
        self._environment = environment
        self.caller = caller_from(environment, place, terminal=terminal)
        self.state_dir = state_dir(environment, place)
        self.ground = SqliteGround(place, self.state_dir)
        self._store: SqliteStore | None = None

    @classmethod
    def open(cls, folder: str, environment: Mapping[str, str], *, terminal: bool) -> Application:
        """Find the repository around ``folder``; raises NoRepository, BareRepository."""
        if sys.platform not in ("linux", "darwin"):
            raise errors.UnsupportedPlatform(platform=sys.platform)
        return cls(locate(folder, environment), environment, terminal=terminal)

    @property
    def store(self) -> SqliteStore:
        """The store of this workspace; raises NotInitialised."""
        if self._store is None:
            self._store = self.ground.open_store()
        return self._store

    @property
    def context(self) -> Context:
        """What the use cases need."""
        secrets = Secrets(os.path.join(self.state_dir, "secrets"))
        return Context(self.store, self.caller, secrets, self.ground)

    def sqlite_version(self) -> str:
        """Say which SQLite keeps the store."""
        from handrail.store.sqlite.connection import sqlite_version

        return sqlite_version()

    def git_version(self) -> str:
        """Say which git is asked; raises FactsUnavailable."""
        from handrail.facts.git import ask

        said = ask(self.place.toplevel, ["--version"]).decode("utf-8", "replace").strip()
        return visible(said)[:GIT_VERSION_CHARS_MAX]

    @property
    def leases(self) -> Leases:
        """The use cases around leases."""
        from handrail.service.leases import Leases

        return Leases(self.context)

    def act_as(self, session: str) -> None:
        """Act in the name of a session that was just started here."""
        self.caller = self.caller._replace(session=session, secret=None)

    def twin(self) -> Application:
        """Return the same application with a store of its own, for another thread."""
        other = Application(self.place, self._environment, terminal=self.caller.terminal)
        other.caller = self.caller
        return other

    def now(self) -> int:
        """Return store time in milliseconds."""
        with self.store.read() as reader:
            return reader.now

    def close(self) -> None:
        """Give everything back."""
        if self._store is not None:
            self._store.close()
            self._store = None


def read_file(path: str, *, pipe: bool = False) -> bytes | None:
    """Return a file's bytes up to the bound of a configuration, None if it is not there."""
    return read_bounded(path, pipe=pipe)


def state_dir(environment: Mapping[str, str], place: Place) -> str:
    """Return the folder of the SQLite store: ``HANDRAIL_STATE_DIR`` or the common dir's own."""
    chosen = environment.get("HANDRAIL_STATE_DIR")
    if not chosen:
        return os.path.join(place.common_dir, "handrail")
    if not os.path.isabs(chosen) or len(os.fsencode(chosen)) > STATE_DIR_BYTES_MAX:
        reason = f"it must be an absolute path of at most {STATE_DIR_BYTES_MAX} bytes"
        raise errors.MalformedEnvironment(
            variable="HANDRAIL_STATE_DIR", value=chosen, reason=reason
        )
    return chosen


def caller_from(environment: Mapping[str, str], place: Place, *, terminal: bool) -> Caller:
    """Read who asks out of the environment; raises MalformedEnvironment."""
    url = environment.get("HANDRAIL_STORE_URL")
    if url and url != "sqlite":
        raise errors.MalformedEnvironment(
            variable="HANDRAIL_STORE_URL", value="(not shown)", reason="this release knows sqlite"
        )
    return Caller(
        worktree=place.worktree,
        folder=place.folder,
        session=_name(environment, "HANDRAIL_SESSION", "AGENT_SESSION_ID"),
        secret=environment.get("HANDRAIL_SECRET") or None,
        agent=_name(environment, "HANDRAIL_AGENT", "AGENT_ID"),
        role=_name(environment, "HANDRAIL_ROLE"),
        harness=next((name for name in HARNESS_MARKERS if environment.get(name)), None),
        terminal=terminal,
    )


def _name(environment: Mapping[str, str], *variables: str) -> str | None:
    for variable in variables:
        value = environment.get(variable)
        if value:
            try:
                return check_name(variable, value)
            except errors.MalformedName as error:
                raise errors.MalformedEnvironment(
                    variable=variable, value=value[:200], reason=error.values["reason"]
                ) from error
    return None

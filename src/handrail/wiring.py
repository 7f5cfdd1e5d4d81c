"""The only place that chooses: which store, which clock, which files, which randomness.

app = Application.open(os.getcwd(), os.environ, terminal=True)
app.leases.claim(Asked(("src/api",)))
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from handrail import errors
from handrail.core.names import check_name
from handrail.facts.clock import BootClock
from handrail.facts.files import Secrets, create_file, read_bounded
from handrail.facts.repository import Place, locate
from handrail.service.context import Caller, CommitRow, Context, DirtyRow
from handrail.service.identity import session_here
from handrail.store.sqlite import SqliteStore
from handrail.text import visible

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from handrail.core.lease import Process
    from handrail.core.ledger import Entry
    from handrail.facts.hooklog import HookLog
    from handrail.facts.installation import Installation
    from handrail.facts.traces import Traces
    from handrail.service.context import History
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

    def history(self) -> AbstractContextManager[History]:
        """Open what git says of commits, for one verification."""
        from handrail.facts.history import open_history

        return open_history(self._place.toplevel)

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
        self._recognised = self.caller.session is not None

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
        self._recognise()
        secrets = Secrets(os.path.join(self.state_dir, "secrets"))
        return Context(self.store, self.caller, secrets, self.ground)

    @property
    def site(self) -> Installation:
        """The files around the repository."""
        from handrail.facts.installation import Installation

        return Installation(self.place, launch_words())

    def _recognise(self) -> None:
        """Act for the session whose harness started us, where the environment names none."""
        if self._recognised:
            return
        self._recognised = True
        with self.store.read() as reader:
            anybody = reader.processes()
        if not anybody:
            return
        from handrail.facts.process import ancestors

        by_process = dict(anybody)
        with self.store.read() as reader:
            for above in ancestors(os.getpid()):
                name = by_process.get(above)
                session = None if name is None else reader.session(name)
                if session is not None and session.live:
                    self.act_as(session_here(reader, session.id, self.place.worktree))
                    return

    def settings_text(self) -> str | None:
        """Return Claude Code's settings of this working tree; None if there are none to read."""
        raw = read_bounded(os.path.join(self.place.toplevel, ".claude", "settings.json"))
        return None if raw is None else raw.decode("utf-8", "replace")

    @property
    def traces(self) -> Traces:
        """What hooks remember of this working tree."""
        from handrail.facts.traces import Traces

        return Traces(self.state_dir, self.place.worktree)

    @property
    def hook_log(self) -> HookLog:
        """Where hooks write down what failed."""
        from handrail.facts.hooklog import HookLog

        return HookLog(self.state_dir)

    def harness_process(self) -> Process | None:
        """Return the process of the harness that started this hook."""
        from handrail.facts.process import harness_above

        return harness_above(os.getpid())

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

    def act_as_nobody(self) -> None:
        """Act in the name of no session: the one that was named is none of this place."""
        self._recognised = True
        self.caller = self.caller._replace(session=None, secret=None)

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


def launch_words() -> tuple[str, str, str]:
    """Say how this machine starts the guard: interpreter, script, where its driver lies.

    The guard runs without ``site``, so the folder of ``apsw`` is handed to it; Handrail's own it
    finds beside itself. In an editable install the two are not the same.
    """
    from importlib.util import find_spec

    driver = find_spec("apsw")
    folder = os.path.dirname((driver and driver.origin) or "")
    package = os.path.dirname(os.path.abspath(__file__))
    guard = os.path.join(package, "edge", "guard", "__main__.py")
    return sys.executable, guard, os.path.dirname(folder)


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

"""The only place that chooses: which store, which clock, which files, which randomness.

app = Application.open(os.getcwd(), os.environ, terminal=True)
app.leases.claim(Asked(("src/api",)))
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping

from handrail import errors
from handrail.core.names import check_name
from handrail.facts.files import CONFIG_BYTES_MAX, Secrets, read_bounded
from handrail.facts.repository import Place, locate
from handrail.service.context import Caller, Context
from handrail.text import visible
from handrail.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from handrail.core.allowed import Seen
    from handrail.core.lease import Process
    from handrail.facts.audited import AuditedTree
    from handrail.facts.begun import Begun
    from handrail.facts.counters import Counters
    from handrail.facts.exports import PacketFiles
    from handrail.facts.hooklog import HookLog
    from handrail.facts.installation import Installation
    from handrail.facts.keys import KeyFiles
    from handrail.facts.projected import ProjectionFiles
    from handrail.facts.traces import Traces
    from handrail.service.leases import Leases
    from handrail.service.reruns import Reruns
    from handrail.service.verification import Sources
    from handrail.store.postgres import PostgresStore
    from handrail.store.sqlite import SqliteStore
    from handrail.wiring.bench import RepositoryBench
    from handrail.wiring.moving import Way
    from handrail.wiring.receiving import Arrivals
    from handrail.wiring.remote import PostgresGround, Remote
    from handrail.wiring.surroundings import SqliteGround

HARNESS_MARKERS: Final = (
    "CLAUDECODE",
    "CLAUDE_CODE_SESSION_ID",
    "CODEX_THREAD_ID",
    "CURSOR_AGENT",
    "DEVIN_PROJECT_DIR",
    "GEMINI_CLI",
    "GEMINI_SESSION_ID",
)
STORE_NAME: Final = "state.db"
NOTE_NAME: Final = "store.json"
GIT_VERSION_CHARS_MAX: Final = 80
STATE_DIR_BYTES_MAX: Final = 400  # SQLite takes no path of more than 512


class Application:
    """Everything a command needs, opened when it is first asked for."""

    def __init__(self, place: Place, environment: Mapping[str, str], *, terminal: bool) -> None:
        self.place = place
        self._environment = environment
        self.caller = caller_from(environment, place, terminal=terminal)
        self.state_dir = state_dir(environment, place)
        self._remote = self._joined()
        self._ground: SqliteGround | PostgresGround | None = None
        self._store: SqliteStore | PostgresStore | None = None
        self._recognised = self.caller.session is not None
        self._begun: Begun | None = None
        self._at_close: list[Callable[[], None]] = []

    @classmethod
    def open(cls, folder: str, environment: Mapping[str, str], *, terminal: bool) -> Application:
        """Find the repository around ``folder``; raises NoRepository, BareRepository."""
        if sys.platform not in ("linux", "darwin"):
            raise errors.UnsupportedPlatform(platform=sys.platform)
        return cls(locate(folder, environment), environment, terminal=terminal)

    @classmethod
    def open_bare(cls, folder: str, environment: Mapping[str, str]) -> Application:
        """Find the bare repository around ``folder``; raises NoRepository, NotBare.

        Which one it is may be said by the environment, and nothing else.
        """
        from handrail.facts.repository import locate_bare

        return cls(locate_bare(folder, environment), {}, terminal=False)

    def _joined(self) -> Remote | None:
        """Return the store on a server that this clone has joined; most have none to ask about."""
        url = self._environment.get("HANDRAIL_STORE_URL")
        if not url and not os.path.exists(os.path.join(self.state_dir, NOTE_NAME)):
            return None
        from handrail.wiring.remote import VARIABLE, noted

        remote = noted(self.state_dir)
        if remote is not None:
            from handrail.wiring.copying import clone_of

            clone = clone_of(self.state_dir, self.place)
            self.caller = self.caller._replace(
                worktree=f"{clone}{self.place.worktree}", clone=clone
            )
        elif url and url != "sqlite":
            remote = self._named()
            if remote is None:
                raise errors.MalformedEnvironment(
                    variable=VARIABLE, value="(not shown)", reason="the store here is sqlite"
                )
        return remote

    def _named(self) -> Remote | None:
        """Return the store that the configuration names, where this clone has none yet."""
        if os.path.exists(os.path.join(self.state_dir, STORE_NAME)):
            return None
        from handrail.wiring.remote import named

        return named(self.place)

    @property
    def ground(self) -> SqliteGround | PostgresGround:
        """The world outside the store, and where a store may be."""
        if self._ground is None:
            remote = self._remote or self._named()
            if remote is None:
                from handrail.wiring.surroundings import SqliteGround

                self._ground = SqliteGround(self.place, self.state_dir)
            else:
                from handrail.wiring.remote import PostgresGround

                self._ground = PostgresGround(self.place, self.state_dir, remote, self._environment)
        return self._ground

    @property
    def way(self) -> Way:
        """The way of this workspace to the store that ``handrail.toml`` names."""
        from handrail.wiring.moving import Way

        return Way(self.place, self.state_dir, self._environment)

    @property
    def copied(self) -> Seen | None:
        """What is known without a store that is elsewhere; None where it is here, or nothing is."""
        if self._remote is None:
            return None
        from handrail.wiring.copying import copied

        return copied(self.state_dir)

    @property
    def store(self) -> SqliteStore | PostgresStore:
        """The store of this workspace; raises NotInitialised."""
        if self._store is None:
            self._store = self.ground.open_store()
        return self._store

    @property
    def context(self) -> Context:
        """What the use cases need."""
        self._recognise()
        return self._as_is()

    def _as_is(self) -> Context:
        secrets = Secrets(os.path.join(self.state_dir, "secrets"))
        return Context(self.store, self.caller, secrets, self.ground)

    @property
    def sources(self) -> Sources:
        """What commits are judged by: the store, where there is one, and shared ledgers."""
        from handrail.service.verification import Found
        from handrail.wiring.published import SharedRefs

        store = self.store if self.ground.store_exists() else None
        return Found(store, self.ground, SharedRefs(self.place.toplevel))

    @property
    def arrivals(self) -> Arrivals:
        """What a push to this repository finds."""
        from handrail.wiring.receiving import Arrivals

        return Arrivals(self.place.common_dir)

    def bench(self, start: str) -> RepositoryBench:
        """Return where commands run for evidence, for a caller in the folder ``start``."""
        from handrail.wiring.bench import RepositoryBench

        begun, self._begun = self._begun, None
        return RepositoryBench(self.place, start, begun)

    def begin_look(self, *, listing: bool = False) -> None:
        """Let git look at the working tree already, for the first look of the next bench.

        With ``listing``, at what HEAD's commit holds, too.
        """
        from handrail.facts.begun import Begun

        try:
            self._begun = Begun(self.place.toplevel, listing=listing)
        except errors.FactsUnavailable:
            return  # whoever looks will be told
        self._at_close.append(self._begun.end)

    @property
    def reruns(self) -> Reruns:
        """The use cases of running the evidence of others again."""
        from handrail.service.reruns import Reruns
        from handrail.wiring.bench import TemporaryTrees

        return Reruns(self.context, TemporaryTrees(self.place))

    @property
    def keys(self) -> KeyFiles:
        """The key that signs this store's ledger."""
        from handrail.facts.keys import VARIABLE, KeyFiles

        return KeyFiles(self.state_dir, self._environment.get(VARIABLE))

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
            if not reader.processes():
                return
        from handrail.facts.process import ancestors
        from handrail.service.harness_sessions import HarnessSessions

        sessions = HarnessSessions(self._as_is())
        session = sessions.registered(ancestors(os.getpid()))
        if session is not None:
            self.act_as(sessions.name_here(session))

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
    def audited(self) -> AuditedTree:
        """What an audit looks at in this working tree."""
        from handrail.facts.audited import AuditedTree

        return AuditedTree(self.place.toplevel)

    @property
    def packet_files(self) -> PacketFiles:
        """Where packets are exported to."""
        from handrail.facts.exports import PacketFiles

        return PacketFiles(self.place.toplevel)

    @property
    def projection_files(self) -> ProjectionFiles:
        """Where projections lie."""
        from handrail.facts.projected import ProjectionFiles

        return ProjectionFiles(self.place.toplevel)

    @property
    def counters(self) -> Counters:
        """What hooks count."""
        from handrail.facts.counters import Counters

        return Counters(self.state_dir)

    @property
    def hook_log(self) -> HookLog:
        """Where hooks write down what failed."""
        from handrail.facts.hooklog import HookLog

        return HookLog(self.state_dir)

    def harness_process(self) -> Process | None:
        """Return the process of the harness that started this hook."""
        from handrail.facts.process import harness_above

        return harness_above(os.getpid())

    def registered_process(self) -> Process | None:
        """Return the nearest process above this one that a harness registered here."""
        with self.store.read() as reader:
            known = {process for process, _ in reader.processes()}
        if not known:
            return None
        from handrail.facts.process import ancestors

        return next((one for one in ancestors(os.getpid()) if one in known), None)

    def database_version(self) -> str:
        """Say which database keeps the store."""
        return self.store.software()

    def git_version(self) -> str:
        """Say which git is asked; raises FactsUnavailable."""
        from handrail.facts.git import ask

        said = ask(self.place.toplevel, ["--version"]).decode("utf-8", "replace").strip()
        return visible(said)[:GIT_VERSION_CHARS_MAX]

    def committed_at(self, name: str) -> int | None:
        """Return when a commit was made, in ms; None where git knows none of that name."""
        from handrail.facts.past import committed_at

        return committed_at(self.place.toplevel, name)

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
        while self._at_close:
            self._at_close.pop()()
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
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    guard = os.path.join(package, "edge", "guard", "__main__.py")
    return sys.executable, guard, os.path.dirname(folder)


def keep_what_counts(environment: MutableMapping[str, str]) -> None:
    """Forget what a pusher may have set: in a hook of the repository around us it has no say."""
    from handrail.facts.receiving import counting

    kept = counting(environment, os.path.realpath(environment.get("GIT_DIR") or "."))
    environment.clear()
    environment.update(kept)


def read_file(path: str, limit: int = CONFIG_BYTES_MAX, *, pipe: bool = False) -> bytes | None:
    """Return a file's bytes up to a bound, a configuration's at first, None if it is not there."""
    return read_bounded(path, limit, pipe=pipe)


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
    if url and url != "sqlite" and not url.startswith("postgresql://"):
        raise errors.MalformedEnvironment(
            variable="HANDRAIL_STORE_URL",
            value="(not shown)",
            reason="it must be sqlite or begin with postgresql://",
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

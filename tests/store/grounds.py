"""What the tests of stores stand on: a clock that is told the time, a factory a kind of store.

Example:
    ground = SqliteGround(tmp_path)
    store = ground.create(FakeClock())
    other = ground.another(store)   # as a second process would open it
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

from handrail.core.events import Event, LeaseGranted, Move, SessionStarted
from handrail.core.lease import EXCLUSIVE, Actor, Kind, Session
from handrail.core.ledger import Entry
from handrail.core.scope import Pattern, parse_pattern
from handrail.core.state import State
from handrail.store.memory import MemoryStore
from handrail.store.port import Request, Store
from handrail.store.postgres import PostgresStore
from handrail.store.postgres.connection import Address
from handrail.store.postgres.schema import FORMAT
from handrail.store.sql.writer import REPLACED
from handrail.store.sqlite import SqliteStore
from tests.postgres import server

WORKSPACE: Final = "w-test"
EPOCH: Final = "3fk2ap7q"
FIRST_WALL_MS: Final = 1_767_225_600_000
TTL_MS: Final = 60_000
ADA: Final = Actor("s-ada", "ada", "website")
BOB: Final = Actor("s-bob", "bob", None)


class FakeClock:
    """A machine's clocks, moved by hand: boot time and wall clock each for itself."""

    def __init__(self, *, boot: str = "boot-1", since_boot_ms: int = 5_000) -> None:
        self.boot = boot
        self.since_boot_ms = since_boot_ms
        self.wall_ms = FIRST_WALL_MS

    def read(self) -> tuple[str, int, int]:
        return self.boot, self.since_boot_ms, self.wall_ms

    def let_pass(self, ms: int) -> None:
        """Let time pass as it does: on both clocks."""
        self.since_boot_ms += ms
        self.wall_ms += ms

    def reboot(self, *, wall_ms: int | None = None) -> None:
        """Start the machine again: another boot id, boot time from nought."""
        self.boot = f"boot-{int(self.boot.removeprefix('boot-')) + 1}"
        self.since_boot_ms = 100
        self.wall_ms = self.wall_ms if wall_ms is None else wall_ms


def counting_salt() -> Callable[[], str]:
    """Return a source of salts that gives the same ones in every store."""
    numbers = itertools.count(1)
    return lambda: f"{next(numbers):032x}"


class Ground(Protocol):
    """Where stores of one kind are made."""

    name: str

    def create(
        self, clock: FakeClock, *, busy_ms: int = 5_000, predecessor: str | None = None
    ) -> Store:
        """Make a new workspace."""

    def another(
        self, store: Store, clock: FakeClock | None = None, *, busy_ms: int = 5_000
    ) -> Store:
        """Open the same workspace once more, as somebody else would."""

    def close(self) -> None:
        """Close all that was opened."""


class MemoryGround:
    name = "memory"

    def create(
        self, clock: FakeClock, *, busy_ms: int = 5_000, predecessor: str | None = None
    ) -> Store:
        return MemoryStore(
            clock,
            counting_salt(),
            workspace=WORKSPACE,
            epoch=EPOCH,
            predecessor=predecessor,
            busy_ms=busy_ms,
        )

    def another(
        self, store: Store, clock: FakeClock | None = None, *, busy_ms: int = 5_000
    ) -> Store:
        """All threads of a process share the one object: that is what a memory store is."""
        return store

    def close(self) -> None:
        pass


class SqliteGround:
    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._numbers = itertools.count(1)
        self._folder = folder
        self._opened: list[SqliteStore] = []
        self._clocks: dict[str, FakeClock] = {}

    def create(
        self, clock: FakeClock, *, busy_ms: int = 5_000, predecessor: str | None = None
    ) -> SqliteStore:
        path = str(self._folder / f"store-{next(self._numbers)}" / "state.db")
        salt = counting_salt()
        made = SqliteStore.create(
            path, clock, salt, workspace=WORKSPACE, epoch=EPOCH, predecessor=predecessor
        )
        made.close()
        self._clocks[path] = clock
        return self._open(path, clock, salt, busy_ms)

    def another(
        self, store: Store, clock: FakeClock | None = None, *, busy_ms: int = 5_000
    ) -> SqliteStore:
        assert isinstance(store, SqliteStore)
        return self._open(store.path, clock or self._clocks[store.path], counting_salt(), busy_ms)

    def _open(
        self, path: str, clock: FakeClock, salt: Callable[[], str], busy_ms: int
    ) -> SqliteStore:
        store = SqliteStore(path, clock, salt, busy_ms=busy_ms)
        self._opened.append(store)
        return store

    def restore(self, entries: Sequence[Entry], state: State, clock: FakeClock) -> SqliteStore:
        """Make a workspace from a ledger; the second time where the first time made it."""
        path = str(self._folder / "restored.db")
        store = SqliteStore.restore(path, clock, counting_salt(), entries, state)
        self._clocks[path] = clock
        self._opened.append(store)
        return store

    def close(self) -> None:
        for store in self._opened:
            store.close()


BOUNCED: Final = "postgres behind pgbouncer"
TABLES: Final = (*REPLACED, "entry", "request", "process", "notice", "moved", "state")
_free: Final[list[str]] = []
_made: Final = itertools.count(1)


class PostgresGround:
    """Schemas of one database; one that was used is emptied and used again: that is quicker."""

    name = "postgres"

    def __init__(self, url: str | None = None) -> None:
        self._address = Address(url or server().url())
        self._opened: list[PostgresStore] = []
        self._used: list[str] = []
        self._clocks: dict[str, FakeClock] = {}
        self._restored: str | None = None

    def create(
        self, clock: FakeClock, *, busy_ms: int = 5_000, predecessor: str | None = None
    ) -> PostgresStore:
        schema = _free.pop() if _free else f"handrail_{os.getpid()}_{next(_made)}"
        self._used.append(schema)
        self._clocks[schema] = clock
        store = PostgresStore.create(
            *(self._address, self._address.parameters, schema, counting_salt()),
            workspace=WORKSPACE,
            epoch=EPOCH,
            predecessor=predecessor,
            clock=clock,
            busy_ms=busy_ms,
        )
        self._opened.append(store)
        return store

    def another(
        self, store: Store, clock: FakeClock | None = None, *, busy_ms: int = 5_000
    ) -> PostgresStore:
        assert isinstance(store, PostgresStore)
        opened = PostgresStore(
            *(self._address, self._address.parameters, store.schema, counting_salt()),
            clock=clock or self._clocks[store.schema],
            busy_ms=busy_ms,
        )
        self._opened.append(opened)
        return opened

    def restore(self, entries: Sequence[Entry], state: State, clock: FakeClock) -> PostgresStore:
        if self._restored is None:
            self._restored = _free.pop() if _free else f"handrail_{os.getpid()}_{next(_made)}"
            self._used.append(self._restored)
        store = PostgresStore.restore(
            *(self._address, self._address.parameters, self._restored, counting_salt()),
            *(entries, state),
            clock=clock,
        )
        self._clocks[store.schema] = clock
        self._opened.append(store)
        return store

    def close(self) -> None:
        if self._used:
            line = self._opened[0].link.connected()
            for schema in self._used:
                line.execute(";".join(f'DELETE FROM "{schema}".{name}' for name in TABLES))
                line.execute(f'UPDATE "{schema}".format SET number = {FORMAT}')
            _free.extend(self._used)
            self._used = []
        for store in self._opened:
            store.close()


class BouncedGround(PostgresGround):
    """The same behind a proxy that gives every transaction another session of the server's."""

    def __init__(self) -> None:
        from tests.faults.bouncer import Bouncer

        self._bouncer = Bouncer(server())
        super().__init__(self._bouncer.url)

    def close(self) -> None:
        super().close()
        self._bouncer.close()


def ground_of(kind: str, folder: Path) -> Ground:
    """Return where stores of a kind are made."""
    if kind == "memory":
        return MemoryGround()
    if kind == BOUNCED:
        return BouncedGround()
    return SqliteGround(folder) if kind == "sqlite" else PostgresGround()


def patterns(*texts: str) -> tuple[Pattern, ...]:
    return tuple(parse_pattern(text) for text in texts)


def session_of(actor: Actor, *, worktree: str = ".", at: int = 0) -> Session:
    return Session(actor.session or "", actor.agent or "", actor.role, worktree, at, None, "0" * 64)


def started(actor: Actor, *, worktree: str = ".") -> SessionStarted:
    return SessionStarted(actor.session or "", actor.agent or "", actor.role, worktree, "0" * 64)


def grant(
    store: Store,
    actor: Actor,
    *scope: str,
    kind: Kind = EXCLUSIVE,
    worktree: str = ".",
    ttl_ms: int = TTL_MS,
    request: Request | None = None,
) -> int:
    """Grant a scope without asking any rule; returns the token."""
    with store.transaction() as tx:
        event = LeaseGranted(
            session=actor.session or "",
            role=actor.role,
            kind=kind,
            worktree=worktree,
            patterns=scope,
            ttl_ms=ttl_ms,
            expires_at=tx.now + ttl_ms,
            lasting=True,
            beside=(),
        )
        return tx.commit([event], actor, request)[-1].seq


def commit(store: Store, *changes: Event | Move, actor: Actor = ADA) -> tuple[Entry, ...]:
    with store.transaction() as tx:
        return tx.commit(changes, actor)


def ledger(store: Store) -> list[Entry]:
    with store.read() as reader:
        return list(reader.entries())


def now_of(store: Store) -> int:
    with store.read() as reader:
        return reader.now


def near(store: Store, texts: Iterable[str]) -> list[int]:
    """Return the tokens that ``near`` gives, in its order."""
    with store.read() as reader:
        return [lease.token for lease in reader.near(patterns(*texts))]

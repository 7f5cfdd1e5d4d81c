"""The stores under the simulation: how each is made and started again, and the door in front.

A ground is anything that makes a store of the port, opens it once more and says how to lose and
mend the guard's copy; another store comes in as one more of them. ``Door`` is the store as
the service sees it: it fails where the world says so, shows the checker each transaction, and
lets others act between two transactions of one call.

    ground = GROUNDS["memory"](clock, salts, folder)
"""

from __future__ import annotations

import itertools
import os
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, cast

import psycopg

from handrail import errors
from handrail.core.events import ConfigApplied, Event, Move
from handrail.core.lease import Actor
from handrail.service.health import rebuild
from handrail.store.memory import MemoryStore
from handrail.store.port import Ahead, Outcome, Reader, Store, Tx
from handrail.store.postgres import PostgresStore
from handrail.store.postgres.connection import Address
from handrail.store.postgres.slice import PostgresSlice
from handrail.store.sqlite import SqliteStore
from tests.postgres import server
from tests.sim.outside import Clock
from tests.store.grounds import TABLES

if TYPE_CHECKING:
    from tests.sim.world import World

EPOCH: Final = "sim"
WORKSPACE: Final = "simulated"


class Ground(Protocol):
    """Where the store of one world is."""

    store: Store

    def restart(self) -> bool:
        """Start the store anew, as after a crash of what runs it; True: with tables built anew."""

    def lose_guard(self, chance: random.Random) -> None:
        """Damage the guard's copy of what may be written, and mend it."""

    def fail(self, tx: Tx) -> None:
        """Let the store go away just before a transaction's commit."""

    def unsay(self, tx: Tx) -> None:
        """Let the answer to a transaction's commit be lost, if it only adds to the ledger."""

    def close(self) -> None:
        """Give everything back."""


class MemoryGround:
    """A store in memory; starting it anew builds its tables from the ledger."""

    def __init__(self, clock: Clock, salt: Callable[[], str], folder: Path | None) -> None:
        self.store = MemoryStore(clock, salt, workspace=WORKSPACE, epoch=EPOCH)

    def restart(self) -> bool:
        """Build the tables anew from the ledger."""
        rebuild(self.store)
        return True

    def lose_guard(self, chance: random.Random) -> None:
        """Its guard asks the leases themselves: all that can be lost is what tables say."""
        self.restart()

    def fail(self, tx: Tx) -> None:
        """Be busy instead."""
        _break(tx)

    def unsay(self, tx: Tx) -> None:
        """Commit, and say that the store was busy."""
        _after(tx, _say_busy)

    def close(self) -> None:
        """Nothing to give back."""


class SqliteGround:
    """A store in a file."""

    def __init__(self, clock: Clock, salt: Callable[[], str], folder: Path | None) -> None:
        assert folder is not None
        self._path, self._clock, self._salt = str(folder / "state.db"), clock, salt
        self.store = SqliteStore.create(self._path, clock, salt, workspace=WORKSPACE, epoch=EPOCH)

    def restart(self) -> bool:
        """Open the file once more, as another process would."""
        self.store.close()
        self.store = SqliteStore(self._path, self._clock, self._salt)
        return False

    def lose_guard(self, chance: random.Random) -> None:
        """Lose some rows of the guard's table, falsify others, and let ``doctor`` mend them."""
        run = self.store._connection.execute
        key = "anchor = ? AND token = ? AND pattern = ?"
        for row in run("SELECT anchor, token, pattern FROM may_write ORDER BY 1, 2, 3").fetchall():
            if chance.random() < 0.3:
                run(f"DELETE FROM may_write WHERE {key}", row)
            elif chance.random() < 0.3:
                run(f"UPDATE may_write SET until = until + 1000000 WHERE {key}", row)
        rebuild(self.store)

    def fail(self, tx: Tx) -> None:
        """Be busy instead."""
        _break(tx)

    def unsay(self, tx: Tx) -> None:
        """Commit, and say that the store was busy."""
        _after(tx, _say_busy)

    def close(self) -> None:
        """Close the file."""
        self.store.close()


class PostgresGround:
    """A schema of the tests' server; one that was used is emptied and used again."""

    _free: ClassVar[list[str]] = []
    _made: ClassVar[Iterator[int]] = itertools.count(1)

    def __init__(self, clock: Clock, salt: Callable[[], str], folder: Path | None) -> None:
        self._address = Address(server().url())
        schema = self._free.pop() if self._free else f"sim_{os.getpid()}_{next(self._made)}"
        self._schema, self._clock, self._salt, self._restarts = schema, clock, salt, 0
        self._beside = psycopg.connect(server().url(), autocommit=True)
        self.store = PostgresStore.create(
            *(self._address, self._address.parameters, schema, salt),
            workspace=WORKSPACE,
            epoch=EPOCH,
            clock=clock,
        )

    def restart(self) -> bool:
        """Hang up on the store while nobody looks; or connect anew, as another process would."""
        self._restarts += 1
        if self._restarts % 2:
            self._hang_up()
        else:
            self.store.close()
            self.store = PostgresStore(
                *(self._address, self._address.parameters, self._schema, self._salt),
                clock=self._clock,
            )
        return False

    def _hang_up(self) -> None:
        line = self.store.link.line
        if line is not None and not line.closed:
            pid = line.info.backend_pid
            self._beside.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))

    def lose_guard(self, chance: random.Random) -> None:
        """Lose some rows of the guard's table, falsify others, and let ``doctor`` mend them."""
        run, table = self._beside.execute, f'"{self._schema}".may_write'
        key = "anchor = %s AND token = %s AND pattern = %s"
        rows = run(f"SELECT anchor, token, pattern FROM {table} ORDER BY 1, 2, 3").fetchall()
        for row in rows:
            if chance.random() < 0.3:
                run(f"DELETE FROM {table} WHERE {key}", row)
            elif chance.random() < 0.3:
                run(f"UPDATE {table} SET until = until + 1000000 WHERE {key}", row)
        rebuild(self.store)

    def fail(self, tx: Tx) -> None:
        """Let the server hang up before the commit reaches it; the store says what that is."""
        commit: Callable[..., Any] = tx.commit

        def cut(*given: Any) -> Any:
            self._hang_up()
            return commit(*given)

        cast("Any", tx).commit = cut

    def unsay(self, tx: Tx) -> None:
        """Let the server hang up once it has committed, as far as that is seen from here."""
        name = "_granted" if isinstance(tx, PostgresSlice) else "_commit_durably"
        finish = getattr(tx, name)

        def cut(*given: Any) -> None:
            finish(*given)
            self._hang_up()
            raise psycopg.OperationalError("the server closed the connection unexpectedly")

        def prepare() -> None:
            setattr(tx, name, cut)

        _after(tx, lambda: None, prepare)

    def close(self) -> None:
        """Empty the schema for the next one, and hang up."""
        self.store.close()
        for name in TABLES:
            self._beside.execute(f'DELETE FROM "{self._schema}".{name}')
        self._beside.close()
        self._free.append(self._schema)


MakeGround = Callable[[Clock, Callable[[], str], Path | None], Ground]
GROUNDS: Final[dict[str, MakeGround]] = {
    "memory": cast("MakeGround", MemoryGround),
    "sqlite": cast("MakeGround", SqliteGround),
    "postgres": cast("MakeGround", PostgresGround),
}


def apply_config(store: Store, text: str) -> None:
    """Put a configuration in force."""
    with store.transaction() as tx:
        tx.commit([ConfigApplied("0" * 40, text, "terminal")], Actor())


class Door:
    """The store as the service sees it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def transaction(self) -> AbstractContextManager[Tx]:
        """Open a transaction, unless the store is down or slow."""
        return _Turn(self._world)

    def attempt(self, decide: Callable[[Tx], Outcome], ahead: Ahead | None) -> Outcome:
        """Let something be decided, perhaps several times, unless the store is down or slow."""
        passage = _Passage(self._world)

        def decided(tx: Tx) -> Outcome:
            passage.begins(tx)
            return decide(tx)

        try:
            outcome = self._world.ground.store.attempt(decided, ahead)
        except BaseException:
            self._world.note_unsaid()
            raise
        passage.ended()
        return outcome

    def listen(self) -> int | None:
        """Nobody tells."""
        return None

    def wait(self, seconds: float) -> None:
        """Nobody waits in a simulated call: time passes between events."""
        raise AssertionError(f"a call waited for {seconds} s")

    def read(self) -> AbstractContextManager[Reader]:
        """Open a snapshot."""
        if self._world.is_down:
            raise errors.StoreBusy(path="simulated", waited_ms=5_000, pid="unknown")
        return self._world.ground.store.read()

    def version(self) -> int:
        """Return the store's number."""
        return self._world.version

    def close(self) -> None:
        """Others use the store still."""


class _Passage:
    """What a call does to the store at once: what it begins with and leaves is judged."""

    def __init__(self, world: World) -> None:
        self._world = world
        world.at_the_door()
        self._actor = world.checker.actor
        self.store = world.ground.store
        self._version = self.store.version()
        self._how: str | None = None
        self._tx: Tx | None = None

    def begins(self, tx: Tx) -> None:
        """Judge what a decision begins with; decided again, the store fails in the same way."""
        world, self._tx = self._world, tx
        world.now_is(tx.now)
        world.checker.begin(tx.now)
        if self._how is None:
            self._how = world.breaks()
        if self._how == "before":
            world.ground.fail(tx)
        elif self._how == "after":
            world.ground.unsay(tx)

    def ended(self) -> None:
        """Judge what was left."""
        world, written = self._world, bool(getattr(self._tx, "written", False))
        # A version tells of the commits of others: those of one's own connection say so themselves.
        world.version += self.store.version() != self._version or written
        world.note_entries()
        world.checker.actor = self._actor


class _Turn:
    """One transaction of a call."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __enter__(self) -> Tx:
        self._passage = _Passage(self._world)
        self._turn = self._passage.store.transaction()
        tx = self._turn.__enter__()
        try:
            self._passage.begins(tx)
        except BaseException:
            self._turn.__exit__(*sys.exc_info())
            raise
        return tx

    def __exit__(self, *failed: Any) -> None:
        if failed[0] is not None:
            try:
                self._turn.__exit__(*failed)
            finally:
                self._world.note_unsaid()
            return
        self._turn.__exit__(None, None, None)
        self._passage.ended()


def _break(tx: Tx) -> None:
    """Let the store go away just before the commit."""

    def fail(*given: Any) -> Any:
        _say_busy()

    cast("Any", tx).commit = fail


def _after(tx: Tx, say: Callable[[], None], prepare: Callable[[], None] = lambda: None) -> None:
    """Prepare a commit, and say something in place of its answer; but not where it moves anything.

    What is no entry shows in answers alone: of a renewal or a place in the queue that nobody was
    told of, nobody could say what it should be.
    """
    commit: Callable[..., Any] = tx.commit

    def unsaid(changes: Iterable[Event | Move], *rest: Any) -> Any:
        changes = list(changes)
        history = bool(changes) and not any(isinstance(change, Move) for change in changes)
        if history:
            prepare()
        entries = commit(changes, *rest)
        if history:
            say()
        return entries

    cast("Any", tx).commit = unsaid


def _say_busy() -> None:
    raise errors.StoreBusy(path="simulated", waited_ms=5_000, pid="unknown")

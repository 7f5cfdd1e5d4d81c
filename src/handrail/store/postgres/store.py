"""The store itself: one connection, one transaction at a time, snapshots beside it.

See ``handrail.store.port`` for what is promised. The turn is the workspace's row, locked until the
end of the transaction; the server's clock is read after that. Durable means: the server has said
that the commit is, under the ``synchronous_commit`` that it is set to, and never under ``off``.
One object belongs to one thread.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg

from handrail import errors
from handrail.core.events import StoreCreated
from handrail.core.lease import Actor
from handrail.core.ledger import GENESIS, Entry, read_header
from handrail.core.state import State
from handrail.errors.server import StoreMoved
from handrail.store.clock import Reading, Timeline
from handrail.store.port import LISTEN_S, POLL_S, Ahead, Clock, Outcome, Tx, Watch
from handrail.store.postgres.connection import (
    Address,
    connect,
    runner,
    translated,
)
from handrail.store.postgres.link import Link
from handrail.store.postgres.reader import NOW, PostgresReader, reading_of
from handrail.store.postgres.schema import (
    FORMAT,
    MOVED,
    bring_up,
    check_format,
    exists,
    lay,
    path_of,
    quoted,
)
from handrail.store.postgres.slice import Near, NeedsTurn, PostgresSlice, Stale, look
from handrail.store.postgres.writer import PostgresTx
from handrail.store.sql.handoffs import Cursor
from handrail.store.sql.reader import STATE, Kept, StateRow
from handrail.store.sql.restoring import checked, restored
from handrail.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from handrail.store.postgres.connection import Line

BUSY_MS: Final = 5_000
# Whoever stops in the middle of a transaction loses its turn, and learns so.
IDLE_MS: Final = 10_000
# What the server tells may be lost on the way, as behind a proxy: then it takes so long.
HEARD_S: Final = 0.5
RETRIES_MAX: Final = 5
SLICES_MAX: Final = 3
RETRY_MS_MAX: Final = 50
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_LOOK: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_PATH: Final = "SELECT set_config('search_path', ?, true)"
_SETTINGS: Final = (
    "SELECT set_config('search_path', ?, true), set_config('lock_timeout', ?, true),"
    " set_config('idle_in_transaction_session_timeout', ?, true),"
    " set_config('synchronous_commit', 'off', true)"
)
# A commit of something that is written to the log and to no table: who waits for it, waits for all
# that was committed before, and holds nothing meanwhile.
_DURABLE: Final = (
    "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
    " WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true),"
    " pg_logical_emit_message(true, 'handrail', '')"
)
_NOW: Final = f"SELECT {NOW}"
_STATE: Final = f"{STATE.format(at='')}, watched, pg_backend_pid(), {NOW} FROM state"
_WATCHED: Final = (
    f"UPDATE {{}}.state SET watched = {NOW} + {int(LISTEN_S * 2_000)}"
    f" WHERE watched < {NOW} + {int(LISTEN_S * 1_000)}"
)
_NOT_THERE: Final = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
)
_AGAIN: Final = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)


class PostgresStore:
    """A workspace in a schema of a PostgreSQL database."""

    def __init__(
        self,
        address: Address,
        parameters: dict[str, str],
        schema: str,
        salt: Callable[[], str],
        *,
        clock: Clock | None = None,
        busy_ms: int = BUSY_MS,
        watch: Watch | None = None,
    ) -> None:
        """Connect; without a ``clock`` time is the server's. Raises NotInitialised and more."""
        self._watch = watch
        self.path = address.shown
        self.address = address
        self.schema = schema
        self._salt = salt
        self._clock = clock
        self._busy_ms = busy_ms
        self._kept = Kept()
        self._over = False
        self._listens: Line | None = None
        self._watched = False
        self.link = Link(address, parameters)
        try:
            with translated(address):
                if not exists(self.link.connected(), schema, address):
                    raise errors.NotInitialised(path=self.path)
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(
        cls,
        address: Address,
        parameters: dict[str, str],
        schema: str,
        salt: Callable[[], str],
        *,
        workspace: str,
        epoch: str,
        predecessor: str | None = None,
        clock: Clock | None = None,
        busy_ms: int = BUSY_MS,
    ) -> PostgresStore:
        """Make the schema with a first entry, in one transaction; one that exists stays as it is.

        Raises StoreDenied where one may not.
        """
        line = connect(address, parameters)
        try:
            with translated(address), line.transaction():
                if lay(line, schema):
                    _found(line, clock, salt, workspace, epoch, predecessor, address)
        finally:
            line.close()
        return cls(address, parameters, schema, salt, clock=clock, busy_ms=busy_ms)

    @classmethod
    def restore(
        cls,
        address: Address,
        parameters: dict[str, str],
        schema: str,
        salt: Callable[[], str],
        entries: Sequence[Entry],
        state: State | None = None,
        *,
        clock: Clock | None = None,
    ) -> PostgresStore:
        """Make the schema anew from a whole ledger, as ``SqliteStore.restore`` makes a file."""
        created = checked(entries)
        store = cls.create(
            *(address, parameters, schema, salt),
            workspace=created.workspace,
            epoch=read_header(entries[0].header).epoch,
            clock=clock,
        )
        return restored(store, entries, state)

    @contextmanager
    def transaction(self) -> Iterator[PostgresTx]:
        """Open the exclusive transaction."""
        tx: PostgresTx | None = None
        try:
            with translated(self.address):
                try:
                    tx = self.link.opened(self._won)
                    tx.watch = self._watch
                    try:
                        yield tx
                    finally:
                        self.link.end()
                finally:
                    self.link.settle()
        finally:
            if self._watch is not None and tx is not None and tx.written:
                self._watch.ended(self.read)

    def attempt(self, decide: Callable[[Tx], Outcome], ahead: Ahead | None) -> Outcome:
        """Let something be decided on a snapshot, and with the turn where that does not do."""
        if ahead is not None:
            with suppress(NeedsTurn):
                session, patterns = ahead
                near = Near(patterns)
                for _ in range(SLICES_MAX):
                    with suppress(Stale):
                        return self._on_slice(decide, session, near)
        with self.transaction() as tx:
            return decide(tx)

    def _on_slice(self, decide: Callable[[Tx], Outcome], session: str, near: Near) -> Outcome:
        tx: PostgresSlice | None = None
        try:
            with translated(self.address):
                try:
                    tx = self.link.opened(lambda _: self._slice(session, near))
                    return decide(tx)
                except psycopg.errors.LockNotAvailable as error:
                    raise self._busy() from error
                finally:
                    self.link.settle()
        finally:
            if self._watch is not None and tx is not None and tx.written:
                self._watch.ended(self.read, tx.granted)

    def _slice(self, session: str, near: Near) -> PostgresSlice:
        self.link.plan_once()
        try:
            looked = look(self.link, self.schema, session, near, self._kept)
        except _NOT_THERE as error:
            raise NeedsTurn from error
        self.link.own_session(looked.pid)
        return PostgresSlice(
            *(self.link, self.schema, looked, near, self._reading(looked.server_ms), self._kept),
            *(self.path, self._salt, self._busy_ms),
            clock=self._clock,
            watch=self._watch,
        )

    def _won(self, line: Line) -> PostgresTx:
        """Wait for the turn; what the server undoes here was nobody's, and is tried again."""
        for left in reversed(range(RETRIES_MAX)):
            try:
                return self._begin(line)
            except _AGAIN:
                self.link.settle()
                if not left:
                    raise
                time.sleep(random.uniform(0, RETRY_MS_MAX) / 1000)
            except psycopg.errors.LockNotAvailable as error:
                raise self._busy() from error
        raise AssertionError("the last attempt returns or raises")

    def _busy(self) -> errors.StoreBusy:
        return errors.StoreBusy(path=self.path, waited_ms=self._busy_ms, pid="unknown")

    def _begin(self, line: Line) -> PostgresTx:
        """Lock the workspace's row, then read the clock and what else every transaction asks."""
        self._over = False
        self.link.begin()
        self._run(_BEGIN)
        self._run(_SETTINGS, (path_of(self.schema), f"{self._busy_ms}ms", f"{IDLE_MS}ms"))
        number = self._run("SELECT number FROM format")
        self._run("SELECT 1 FROM state FOR UPDATE")
        found, row, now_ms = self._state(number, self._run(_STATE))
        if found < FORMAT:
            self._bring_up(line)
            return self._begin(line)
        reading, finish = self._reading(now_ms), self._commit
        tx = PostgresTx(
            *(self._run, row, reading, self._kept, self.path, self._salt, finish),
        )
        if not tx.begins_boot:
            return tx
        # The first transaction of a boot keeps its anchor, whatever becomes of it.
        tx.keep_time()
        self._commit(tell=False)
        self.link.settle()
        return self._begin(line)

    def _state(self, number: Cursor, state: Cursor) -> tuple[int, StateRow | None, int]:
        """Return format, row and time; raises NotInitialised, NewerFormat."""
        try:
            row = state.fetchone()
        except _NOT_THERE as error:
            found = 0
            with suppress(psycopg.Error, errors.StoreCorrupt):
                found = self._format(number)
            if 0 < found < FORMAT:
                return found, None, 0  # an earlier format may lack what is asked for
            raise errors.NotInitialised(path=self.path) from error
        found = self._format(number)
        if row is None:
            return found, None, 0
        *state, watched, pid, now_ms = row
        self.link.own_session(pid)
        self._watched = watched > now_ms
        return found, tuple(state), now_ms

    def _format(self, number: Cursor) -> int:
        row = number.fetchone()
        found = 0 if row is None else int(row[0])
        if found == MOVED:
            self.link.settle()  # whatever else was asked may have failed
            place = self.link.send(f"SELECT place FROM {quoted(self.schema)}.moved").fetchone()
            raise StoreMoved(path=self.path, place=place[0])
        check_format(found, self.address)
        return found

    def _reading(self, server_ms: int) -> Reading:
        return reading_of(server_ms) if self._clock is None else self._clock.read()

    def _run(self, sql: str, values: tuple[object, ...] = ()) -> Any:
        """Send a statement; in a pipeline its answer is waited for when it is looked at."""
        if self._over:
            self._over = False
            self.link.send(_LOOK)
            self.link.send(_PATH, (path_of(self.schema),))
        return self.link.send(sql, values)

    def _commit(self, tell: bool) -> None:
        """Commit all that was sent, and wait until the server says that it is durable.

        Telling takes a turn of the whole server, so it is done only where somebody listens.
        """
        if tell or self._watched:
            self._run("SELECT pg_notify(?, '')", (self.schema,))
        ends = [self._run("COMMIT")]
        self._run("BEGIN")
        self._run(_DURABLE)
        ends.append(self._run("COMMIT"))
        if {end.status for end in ends} != {"COMMIT"}:
            raise errors.Bug(detail=f"the commit ended as {[end.status for end in ends]}")
        # What is asked from now on is a question about what is committed.
        self._over = True

    @contextmanager
    def read(self) -> Iterator[PostgresReader]:
        """Open a snapshot."""
        with translated(self.address):
            try:
                yield self.link.opened(self._look)
            finally:
                self.link.settle()

    def _look(self, line: Line) -> PostgresReader:
        self._over = False
        self.link.begin()
        self._run(_LOOK)
        self._run(_PATH, (path_of(self.schema),))
        number = self._run("SELECT number FROM format")
        found, row, now_ms = self._state(number, self._run(_STATE))
        if found < FORMAT:
            self._bring_up(line)
            return self._look(line)
        self.link.end()
        reading = self._reading(now_ms)
        return PostgresReader(self._run, row, reading, self._kept, self.path)

    def _bring_up(self, line: Line) -> None:
        """Lead an older schema on, in a transaction of its own; StoreDenied to whom may not."""
        self.link.settle()
        with line.transaction():
            self.link.send(_PATH, (path_of(self.schema),))
            line.execute("SELECT 1 FROM state FOR UPDATE")
            found = line.execute("SELECT number FROM format").fetchone()
            if found is not None and found[0] < FORMAT:
                bring_up(line, found[0])

    def version(self) -> int:
        """Return a number that changes whenever another connection commits; one round trip."""
        sql = f"SELECT commits FROM {quoted(self.schema)}.state"
        with translated(self.address):
            row = self.link.opened(lambda line: self.link.send(sql).fetchone())
        return -1 if row is None else int(row[0])

    def wait(self, seconds: float) -> None:
        """Let some time pass, less where the server tells that somebody committed."""
        seconds = min(seconds, HEARD_S)
        try:
            line = self._listening()
            for _ in line.notifies(timeout=seconds, stop_after=1):
                pass
        except (psycopg.Error, errors.HandrailError):
            time.sleep(min(seconds, POLL_S))  # whoever asks for the version is told

    def listen(self) -> int | None:
        """Let the server tell of every commit for a while."""
        with suppress(psycopg.Error, errors.HandrailError):
            line = self._listening()
            self.link.send(_WATCHED.format(quoted(self.schema)))
            return line.fileno()
        return None

    def _listening(self) -> Line:
        """Return the connection once the server tells it what happens; as long as it is the same.

        A proxy may give it to somebody else: then nothing is heard.
        """
        line = self.link.connected()
        if self._listens is not line:
            line.execute(f"LISTEN {quoted(self.schema)}")
            self._listens = line
        return line

    def software(self) -> str:
        """Say which server keeps the store."""
        number = self.link.connected().info.server_version
        return f"PostgreSQL {number // 10_000}.{number % 10_000}"

    def integrity(self) -> list[str]:
        """Say what of the schema is gone or altered; the rest PostgreSQL has means of its own for.

        A schema of an earlier format is brought up first.
        """
        from handrail.store.postgres.soundness import unsound

        with suppress(errors.StoreCorrupt), self.read():
            pass
        with translated(self.address):
            return unsound(self.link.connected(), self.schema)

    def check_writable(self) -> None:
        """Nothing to find out: locking the workspace's row needs a server that can be written."""

    def scrub(self) -> None:
        """Let the server forget what was redacted, as far as it does: see the guide."""
        with translated(self.address):
            self.link.connected().execute(f"VACUUM {quoted(self.schema)}.entry")

    def close(self) -> None:
        """Give the connection back."""
        self.link.close()


def _found(
    line: Line,
    clock: Clock | None,
    salt: Callable[[], str],
    workspace: str,
    epoch: str,
    predecessor: str | None,
    address: Address,
) -> None:
    """Write the first entry, in the caller's transaction."""
    run = runner(line)
    reading = reading_of(int(run(_NOW).fetchone()[0])) if clock is None else clock.read()
    timeline = Timeline("", 0).anchored(reading, 0)
    row = (1, workspace, epoch, *GENESIS, timeline.boot, timeline.offset_ms, 0, 0, 0)
    run("INSERT INTO state VALUES (?,?,?,?,?,?,?,?,?,?)", row)
    state = run(_STATE).fetchone()[:-3]
    tx = PostgresTx(run, state, reading, Kept(), address.shown, salt, lambda tell: None)
    tx.commit([StoreCreated(workspace, predecessor)], Actor())

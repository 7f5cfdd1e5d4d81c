"""The store itself: one connection, one transaction at a time, snapshots beside it.

See ``handrail.store.port`` for what is promised. The turn is the workspace's row, locked until the
end of the transaction; the server's clock is read after that. Durable means: the server has said
that the commit is, under the ``synchronous_commit`` that it is set to, and never under ``off``.
One object belongs to one thread.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg

from handrail import errors
from handrail.core.events import StoreCreated
from handrail.core.lease import Actor
from handrail.core.ledger import GENESIS
from handrail.store.clock import Reading, Timeline
from handrail.store.port import POLL_S, Clock
from handrail.store.postgres.connection import (
    Address,
    Answer,
    connect,
    spoken,
    translated,
)
from handrail.store.postgres.reader import PostgresReader, reading_of
from handrail.store.postgres.schema import (
    FORMAT,
    bring_up,
    check_format,
    exists,
    lay,
    path_of,
    quoted,
)
from handrail.store.postgres.writer import PostgresTx
from handrail.store.sql.handoffs import Cursor
from handrail.store.sql.reader import STATE, Kept, StateRow
from handrail.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from handrail.store.postgres.connection import Line

BUSY_MS: Final = 5_000
# Whoever stops in the middle of a transaction loses its turn, and learns so.
IDLE_MS: Final = 10_000
# What the server tells may be lost on the way, as behind a proxy: then it takes so long.
HEARD_S: Final = 0.5
RETRIES_MAX: Final = 5
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
_NOW: Final = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_STATE: Final = (
    f"{STATE}, pg_backend_pid(),"
    " floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM state"
)
# A statement that was sent so often is planned no more, where the session is ours alone.
PREPARE_AFTER: Final = 2
_NOT_THERE: Final = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
)
_AGAIN: Final = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)


_View = TypeVar("_View")


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
    ) -> None:
        """Connect; without a ``clock`` time is the server's. Raises NotInitialised and more."""
        self.path = address.shown
        self.address = address
        self.schema = schema
        self._parameters = parameters
        self._salt = salt
        self._clock = clock
        self._busy_ms = busy_ms
        self._kept = Kept()
        self._over = False
        self._listens: Line | None = None
        self._line: Line | None = connect(address, parameters)
        try:
            with translated(address):
                if not exists(self._line, schema, address):
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

    @contextmanager
    def transaction(self) -> Iterator[PostgresTx]:
        """Open the exclusive transaction."""
        with translated(self.address):
            try:
                tx = self._opened(self._won)
                try:
                    yield tx
                finally:
                    self._end_pipeline()
            finally:
                self._settle()

    def _opened(self, begin: Callable[[Line], _View]) -> _View:
        """Begin; on a connection that was lost while nobody looked, once more on a new one."""
        line = self._line
        try:
            return begin(self._connected())
        except psycopg.OperationalError:
            if line is None or not line.closed:
                raise
            self._settle()
            return begin(self._connected())

    def _won(self, line: Line) -> PostgresTx:
        """Wait for the turn; what the server undoes here was nobody's, and is tried again."""
        for left in reversed(range(RETRIES_MAX)):
            try:
                return self._begin(line)
            except _AGAIN:
                self._settle()
                if not left:
                    raise
                time.sleep(random.uniform(0, RETRY_MS_MAX) / 1000)
            except psycopg.errors.LockNotAvailable as error:
                raise errors.StoreBusy(
                    path=self.path, waited_ms=self._busy_ms, pid="unknown"
                ) from error
        raise AssertionError("the last attempt returns or raises")

    def _begin(self, line: Line) -> PostgresTx:
        """Lock the workspace's row, then read the clock and what else every transaction asks."""
        self._begin_pipeline(line)
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
        self._settle()
        return self._begin(line)

    def _state(self, number: Cursor, state: Cursor) -> tuple[int, StateRow | None, int]:
        """Return format, row and time; raises NotInitialised, NewerFormat."""
        try:
            row = state.fetchone()
        except _NOT_THERE as error:
            with suppress(psycopg.Error, errors.StoreCorrupt):
                self._format(number)
            raise errors.NotInitialised(path=self.path) from error
        found = self._format(number)
        if row is None:
            return found, None, 0
        self._own_session(row[-2])
        return found, row[:-2], row[-1]

    def _own_session(self, pid: int) -> None:
        """Let statements be prepared where nobody stands between us and the server.

        A proxy that gives every transaction another session cannot name the process that serves
        us when we connect; where that process answers, the session is ours.
        """
        line = self._line
        if line is not None and line.prepare_threshold is None and pid == line.info.backend_pid:
            line.prepare_threshold = PREPARE_AFTER

    def _format(self, number: Cursor) -> int:
        row = number.fetchone()
        found = 0 if row is None else int(row[0])
        check_format(found, self.address)
        return found

    def _reading(self, server_ms: int) -> Reading:
        return reading_of(server_ms) if self._clock is None else self._clock.read()

    def _run(self, sql: str, values: tuple[object, ...] = ()) -> Any:
        """Send a statement; in a pipeline its answer is waited for when it is looked at."""
        line = self._line
        assert line is not None, "a transaction has a connection"
        if self._over:
            self._over = False
            self._send(line, _LOOK)
            self._send(line, _PATH, (path_of(self.schema),))
        return self._send(line, sql, values)

    def _send(self, line: Line, sql: str, values: tuple[object, ...] = ()) -> Any:
        return Answer(line.cursor(binary=True).execute(spoken(sql), values), self._pipeline)

    def _commit(self, tell: bool) -> None:
        """Commit all that was sent, and wait until the server says that it is durable.

        Telling takes a turn of the whole server, so it is done only where somebody waits.
        """
        if tell:
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
                yield self._opened(self._look)
            finally:
                self._settle()

    def _look(self, line: Line) -> PostgresReader:
        self._begin_pipeline(line)
        self._run(_LOOK)
        self._run(_PATH, (path_of(self.schema),))
        number = self._run("SELECT number FROM format")
        found, row, now_ms = self._state(number, self._run(_STATE))
        self._end_pipeline()
        if found < FORMAT:
            self._bring_up(line)
            return self._look(line)
        reading = self._reading(now_ms)
        return PostgresReader(self._run, row, reading, self._kept, self.path)

    def _bring_up(self, line: Line) -> None:
        """Lead an older schema on, in a transaction of its own; StoreDenied to whom may not."""
        self._settle()
        with line.transaction():
            self._send(line, _PATH, (path_of(self.schema),))
            line.execute("SELECT 1 FROM state FOR UPDATE")
            found = line.execute("SELECT number FROM format").fetchone()
            if found is not None and found[0] < FORMAT:
                bring_up(line, found[0])

    def version(self) -> int:
        """Return a number that changes whenever another connection commits; one round trip."""
        sql = f"SELECT commits FROM {quoted(self.schema)}.state"
        with translated(self.address):
            row = self._opened(lambda line: self._send(line, sql).fetchone())
        return -1 if row is None else int(row[0])

    def wait(self, seconds: float) -> None:
        """Let some time pass, less where the server tells that somebody committed."""
        seconds = min(seconds, HEARD_S)
        try:
            line = self._connected()
            if self._listens is not line:
                line.execute(f"LISTEN {quoted(self.schema)}")
                self._listens = line
            for _ in line.notifies(timeout=seconds, stop_after=1):
                pass
        except (psycopg.Error, errors.HandrailError):
            time.sleep(min(seconds, POLL_S))  # whoever asks for the version is told

    def software(self) -> str:
        """Say which server keeps the store."""
        number = self._connected().info.server_version
        return f"PostgreSQL {number // 10_000}.{number % 10_000}"

    def integrity(self) -> list[str]:
        """Say which tables and indexes are gone; the rest PostgreSQL has means of its own for."""
        return []

    def check_writable(self) -> None:
        """Nothing to find out: locking the workspace's row needs a server that can be written."""

    def scrub(self) -> None:
        """Let the server forget what was redacted, as far as it does: see the guide."""
        with translated(self.address):
            self._connected().execute(f"VACUUM {quoted(self.schema)}.entry")

    def close(self) -> None:
        """Give the connection back."""
        if self._line is not None:
            self._line.close()
            self._line = None

    # ------------------------------------------------------------------------------ the connection

    _pipeline: psycopg.Pipeline | None = None
    _entered: Any = None

    def _connected(self) -> Line:
        """Return the connection, a new one where the last one was lost."""
        if self._line is None or self._line.closed:
            self._line = connect(self.address, self._parameters)
        return self._line

    def _begin_pipeline(self, line: Line) -> None:
        self._over = False
        self._entered = line.pipeline()
        self._pipeline = self._entered.__enter__()

    def _end_pipeline(self) -> None:
        entered, self._entered, self._pipeline = self._entered, None, None
        if entered is not None:
            entered.__exit__(None, None, None)

    def _settle(self) -> None:
        """Leave nothing open; what cannot be undone by word is undone by hanging up."""
        with suppress(psycopg.Error):
            self._end_pipeline()
        if self._line is not None:
            try:
                self._line.rollback()
            except psycopg.Error:
                self._line.close()


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

    def run(sql: str, values: tuple[object, ...] = ()) -> Any:
        return line.cursor(binary=True).execute(spoken(sql), values)

    reading = reading_of(int(run(_NOW).fetchone()[0])) if clock is None else clock.read()
    timeline = Timeline("", 0).anchored(reading, 0)
    row = (1, workspace, epoch, *GENESIS, timeline.boot, timeline.offset_ms, 0, 0, 0)
    run("INSERT INTO state VALUES (?,?,?,?,?,?,?,?,?,?)", row)
    state = run(_STATE).fetchone()[:-2]
    tx = PostgresTx(run, state, reading, Kept(), address.shown, salt, lambda tell: None)
    tx.commit([StoreCreated(workspace, predecessor)], Actor())

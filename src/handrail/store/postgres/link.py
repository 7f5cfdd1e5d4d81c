"""The one connection that a store has: made when it is needed, made anew once it was lost.

Promise: what is sent between ``begin`` and ``end`` travels together and is waited for when it is
looked at; after ``settle`` nothing is open, on the server neither.

    link.opened(lambda line: link.send(sql).fetchone())
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import psycopg

from handrail.store.postgres.connection import Address, Answer, connect, execute
from handrail.typed import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from handrail.store.postgres.connection import Line

PREPARE_AFTER: Final = 2
"""A statement that was sent so often is planned no more, where the session is ours alone."""
# What was planned once is not planned anew for each value, and holds for tables that grow.
_PLANS: Final = (
    "SELECT set_config('plan_cache_mode', 'force_generic_plan', false),"
    " set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),"
    " set_config('enable_mergejoin', 'off', false), set_config('jit', 'off', false)"
)
_Opened = TypeVar("_Opened")


class Link:
    """A connection of one thread."""

    def __init__(self, address: Address, parameters: Mapping[str, str]) -> None:
        """Connect; raises as ``connection.connect`` does."""
        self._address = address
        self._parameters = parameters
        self._pipeline: psycopg.Pipeline | None = None
        self._entered: Any = None
        self._used: Line | None = None
        self._plans = False
        self.line: Line | None = connect(address, parameters)

    def connected(self) -> Line:
        """Return the connection, a new one where the last one was lost."""
        if self.line is None or self.line.closed:
            self.line = connect(self._address, self._parameters)
        return self.line

    def opened(self, begin: Callable[[Line], _Opened]) -> _Opened:
        """Begin; on a connection that was lost while nobody looked, once more on a new one."""
        line = self.line
        try:
            return begin(self.connected())
        except psycopg.OperationalError:
            if line is None or not line.closed:
                raise
            self.settle()
            return begin(self.connected())

    def own_session(self, pid: int) -> None:
        """Let statements be prepared where nobody stands between us and the server.

        A proxy that gives every transaction another session cannot name the process that serves
        us when we connect; where that process answers, the session is ours.
        """
        line = self.line
        if line is not None and line.prepare_threshold is None and pid == line.info.backend_pid:
            line.prepare_threshold = PREPARE_AFTER

    def plan_once(self) -> None:
        """Let plans be kept where the session is ours and used again; outside all transactions."""
        line = self.line
        if line is None or line.prepare_threshold is None:
            return
        if self._used is line and not self._plans:
            self.send(_PLANS)
            self._plans = True
        elif self._used is not line:
            self._used, self._plans = line, False

    def send(self, sql: str, values: tuple[object, ...] = ()) -> Any:
        """Send a statement; between ``begin`` and ``end`` its answer is waited for when needed."""
        line = self.line
        assert line is not None, "whoever sends has a connection"
        return Answer(execute(line, sql, values), self._pipeline)

    def begin(self) -> None:
        """Let what is sent from now on travel together."""
        assert self.line is not None, "whoever sends has a connection"
        self._entered = self.line.pipeline()
        self._pipeline = self._entered.__enter__()

    def end(self) -> None:
        """Wait for all that was sent."""
        entered, self._entered, self._pipeline = self._entered, None, None
        if entered is not None:
            entered.__exit__(None, None, None)

    def settle(self) -> None:
        """Leave nothing open; what cannot be undone by word is undone by hanging up."""
        with suppress(psycopg.Error):
            self.end()
        if self.line is not None:
            try:
                self.line.rollback()
            except psycopg.Error:
                self.line.close()

    def close(self) -> None:
        """Give the connection back."""
        if self.line is not None:
            self.line.close()
            self.line = None

"""Tasks, packets, reading, projections as rows: asked by readers, changed by transactions."""

from __future__ import annotations

from collections.abc import Callable

from handrail.core.projected import KeptRow
from handrail.core.state import State
from handrail.core.task import OPEN, Packet, Task, Waiver
from handrail.jsontext import read as read_json
from handrail.jsontext import write_spaced as write_json
from handrail.store.sql.dialect import Dialect
from handrail.typed import Any, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.core.reading import ToRead

_TASK = (
    "SELECT id, title, state, opened_at, number, holder, role, failed, taken,"
    " phase, next_phase, revises, waits_at FROM task"
)
_PACKET = (
    "SELECT task, number, kind, state, session, agent, from_role, to_role, patterns,"
    ' "returns", token, offered_at, lapses_at, seq, hash, "by", settled_at, note FROM packet'
)
_WAIVER = (
    'SELECT seq, gate, for_task, reason, "by", added_at, ends_at, uses, used, revoked FROM waiver'
)


MAY = "NOT EXISTS (SELECT 1 FROM reading r WHERE r.session = {} AND r.unread)"
"""Whether a session may write what it holds: nothing is left that it has to read first."""


class Cursor(Protocol):
    """What comes back from a statement, in each driver."""

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""

    def __iter__(self) -> Any:
        """Yield the rows."""

    def close(self) -> None:
        """Read no further."""


class Handoffs:
    """What a connection knows of tasks, packets and projections."""

    _run: Callable[..., Cursor]

    def task(self, task: str) -> Task | None:
        """Return a task, closed or not."""
        row = self._run(f"{_TASK} WHERE id = ?", (task,)).fetchone()
        return None if row is None else _read_task(row)

    def tasks(self, *, closed: bool = False) -> list[Task]:
        """Return the tasks that are open (or all), by start and id."""
        rows = self._run(
            f"{_TASK} WHERE ?1 OR state = ?2 ORDER BY opened_at, id", (closed, OPEN)
        ).fetchall()
        return [_read_task(row) for row in rows]

    def packet(self, task: str, number: int) -> Packet | None:
        """Return a packet of a task."""
        row = self._run(f"{_PACKET} WHERE task = ? AND number = ?", (task, number)).fetchone()
        return None if row is None else _read_packet(row)

    def packets(self, task: str | None = None, *, settled: bool = True) -> list[Packet]:
        """Return the packets (of a task), or only the open ones, by task and number."""
        # Written out so that the planner sees that the index of the open ones has the answer.
        which = "TRUE" if settled else f"state = '{OPEN}'"
        rows = self._run(
            f"{_PACKET} WHERE {which} AND (CAST(?1 AS TEXT) IS NULL OR task = ?1)"
            " ORDER BY task, number",
            (task,),
        ).fetchall()
        return [_read_packet(row) for row in rows]

    def waiver(self, seq: int) -> Waiver | None:
        """Return a waiver."""
        row = self._run(f"{_WAIVER} WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else _read_waiver(row)

    def waivers(self, *, revoked: bool = False) -> list[Waiver]:
        """Return the waivers that were not taken back (or all), in order; used up or not."""
        rows = self._run(f"{_WAIVER} WHERE ? OR NOT revoked ORDER BY seq", (revoked,)).fetchall()
        return [_read_waiver(row) for row in rows]

    def rows(self, projection: str | None = None) -> list[KeptRow]:
        """Return the rows that are kept of a projection (or of all), by projection and key."""
        sql = "SELECT projection, key, seq FROM kept_row"
        if projection is None:
            rows: list[Any] = self._run(f"{sql} ORDER BY projection, key").fetchall()
        else:
            rows = self._run(f"{sql} WHERE projection = ? ORDER BY key", (projection,)).fetchall()
        return [KeptRow(*row) for row in rows]

    def wrote(self, projection: str, blob: str) -> int | None:
        """Return the newest entry that says Handrail wrote these bytes there; None: it did not."""
        sql = "SELECT seq FROM written WHERE projection = ? AND blob = ?"
        row = self._run(sql, (projection, blob)).fetchone()
        return None if row is None else int(row[0])

    def written_blobs(self) -> dict[tuple[str, str], int]:
        """Return all that Handrail wrote: (projection, blob id) and the newest entry of it."""
        rows: list[Any] = self._run("SELECT projection, blob, seq FROM written").fetchall()
        return {(path, blob): seq for path, blob, seq in rows}

    def reading(self, session: str) -> tuple[ToRead, ...]:
        """Return what a session has to read or has read."""
        row = self._run("SELECT rows FROM reading WHERE session = ?", (session,)).fetchone()
        return () if row is None else _read_reading(str(row[0]))

    def readings(self) -> dict[str, tuple[ToRead, ...]]:
        """Return what all sessions have to read or have read, by session."""
        found: list[Any] = self._run("SELECT session, rows FROM reading ORDER BY 1").fetchall()
        return {session: _read_reading(rows) for session, rows in found}


class HandoffTables(Handoffs):
    """The part of ``core.state.Tables`` about tasks, packets, reading and projections."""

    _dialect: Dialect

    def put_handed(self, state: State) -> None:
        """Add all rows of a state."""
        for task in state.tasks.values():
            self.put_task(task)
        for packet in state.packets.values():
            self.put_packet(packet)
        for waiver in state.waivers.values():
            self.put_waiver(waiver)
        for row in state.rows.values():
            self.put_row(row)
        for (projection, blob), seq in state.written.items():
            self.put_written(projection, blob, seq)

    def put_task(self, task: Task) -> None:
        """Add a task, or replace the one of the same id."""
        row = {**task._asdict(), "revises": write_json(task.revises)}
        self._put("task", tuple(row.values()))

    def put_packet(self, packet: Packet) -> None:
        """Add a packet, or replace the one of the same task and number."""
        row = packet._asdict()
        row["patterns"], row["returns"] = write_json(packet.patterns), write_json(packet.returns)
        self._put("packet", tuple(row.values()))

    def put_waiver(self, waiver: Waiver) -> None:
        """Add a waiver, or replace the one of the same number."""
        self._put("waiver", tuple(waiver))

    def put_row(self, row: KeptRow) -> None:
        """Add a row of a projection, or replace the one of the same name."""
        self._put("kept_row", tuple(row))

    def drop_row(self, projection: str, key: str) -> None:
        """Forget a row of a projection."""
        self._run("DELETE FROM kept_row WHERE projection = ? AND key = ?", (projection, key))

    def put_written(self, projection: str, blob: str, seq: int) -> None:
        """Remember where Handrail last wrote these bytes of a projection."""
        self._put("written", (projection, blob, seq))

    def _put(self, table: str, row: tuple[object, ...]) -> None:
        """Add a row, or put it in place of the one with the same key."""
        self._run(self._dialect.putting(table, row), row)


def _read_reading(text: str) -> tuple[ToRead, ...]:
    from handrail.core.reading import ToRead

    make: Callable[..., ToRead] = ToRead
    return tuple(make(*row) for row in read_json(text))


def _read_task(row: tuple[Any, ...]) -> Task:
    make: Callable[..., Task] = Task
    revises = tuple((name, times) for name, times in read_json(row[11]))
    return make(*row[:11], revises, *row[12:])


def _read_waiver(row: tuple[Any, ...]) -> Waiver:
    make: Callable[..., Waiver] = Waiver
    return make(*row[:9], bool(row[9]))


def _read_packet(row: tuple[Any, ...]) -> Packet:
    make: Callable[..., Packet] = Packet
    scope, returns = (tuple(read_json(text)) for text in row[8:10])
    return make(*row[:8], scope, returns, *row[10:])

"""Tasks and packets in the file: asked by readers, changed by the tables of a transaction."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import apsw

from handrail.core.task import OPEN, Packet, Task, Waiver

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


class Handoffs:
    """What a connection knows of tasks and packets."""

    _run: Callable[..., apsw.Cursor]

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
        # Written out so that SQLite sees that the index of the open ones has the answer.
        which = "1" if settled else f"state = '{OPEN}'"
        rows = self._run(
            f"{_PACKET} WHERE {which} AND (?1 IS NULL OR task = ?1) ORDER BY task, number", (task,)
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


class HandoffTables(Handoffs):
    """The part of ``core.state.Tables`` about tasks and packets."""

    def put_task(self, task: Task) -> None:
        """Add a task, or replace the one of the same id."""
        row = {**task._asdict(), "revises": json.dumps(task.revises)}
        self._put("task", tuple(row.values()))

    def put_packet(self, packet: Packet) -> None:
        """Add a packet, or replace the one of the same task and number."""
        row = packet._asdict()
        row["patterns"], row["returns"] = json.dumps(packet.patterns), json.dumps(packet.returns)
        self._put("packet", tuple(row.values()))

    def put_waiver(self, waiver: Waiver) -> None:
        """Add a waiver, or replace the one of the same number."""
        self._put("waiver", tuple(waiver))

    def _put(self, table: str, row: tuple[object, ...]) -> None:
        marks = ",".join("?" * len(row))
        self._run(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)


def _read_task(row: tuple[Any, ...]) -> Task:
    make: Callable[..., Task] = Task
    revises = tuple((name, times) for name, times in json.loads(row[11]))
    return make(*row[:11], revises, *row[12:])


def _read_waiver(row: tuple[Any, ...]) -> Waiver:
    make: Callable[..., Waiver] = Waiver
    return make(*row[:9], bool(row[9]))


def _read_packet(row: tuple[Any, ...]) -> Packet:
    make: Callable[..., Packet] = Packet
    scope, returns = (tuple(json.loads(text)) for text in row[8:10])
    return make(*row[:8], scope, returns, *row[10:])

"""Tasks and packets in the file: asked by readers, changed by the tables of a transaction."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import apsw

from handrail.core.task import OPEN, Packet, Task

_TASK = "SELECT id, title, state, opened_at, number, holder, role, failed, taken FROM task"
_PACKET = (
    "SELECT task, number, kind, state, session, agent, from_role, to_role, patterns,"
    ' "returns", token, offered_at, lapses_at, seq, hash, "by", settled_at, note FROM packet'
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


class HandoffTables(Handoffs):
    """The part of ``core.state.Tables`` about tasks and packets."""

    def put_task(self, task: Task) -> None:
        """Add a task, or replace the one of the same id."""
        self._run("INSERT OR REPLACE INTO task VALUES (?,?,?,?,?,?,?,?,?)", tuple(task))

    def put_packet(self, packet: Packet) -> None:
        """Add a packet, or replace the one of the same task and number."""
        row = packet._asdict()
        row["patterns"], row["returns"] = json.dumps(packet.patterns), json.dumps(packet.returns)
        self._run(
            "INSERT OR REPLACE INTO packet VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            tuple(row.values()),
        )


def _read_task(row: tuple[Any, ...]) -> Task:
    return Task(*row)


def _read_packet(row: tuple[Any, ...]) -> Packet:
    make: Callable[..., Packet] = Packet
    scope, returns = (tuple(json.loads(text)) for text in row[8:10])
    return make(*row[:8], scope, returns, *row[10:])

"""What the memory store remembers, and what it knows of tasks, packets, projections and reading.

Promise: as ``store.port``.
"""

from __future__ import annotations

from handrail.core.ledger import GENESIS, Entry, Head
from handrail.core.projected import KeptRow
from handrail.core.reading import ToRead, unread
from handrail.core.state import State
from handrail.core.task import OPEN, Packet, Task, Waiver
from handrail.store.clock import Timeline


class Data:
    """Everything the store remembers; a transaction changes a copy."""

    def __init__(self, workspace: str, epoch: str) -> None:
        self.workspace = workspace
        self.epoch = epoch
        self.state = State()
        self.ledger: list[Entry] = []
        self.subjects: list[tuple[str, str | None]] = []
        self.requests: dict[str, tuple[str, int, int, int]] = {}
        self.timeline = Timeline("", 0)
        self.last_now = 0
        self.moved = ""

        self._headed: tuple[Entry | None, Head] = (None, GENESIS)

    @property
    def head(self) -> Head:
        """The newest (sequence, hash); hashed once an entry."""
        last = self.ledger[-1] if self.ledger else None
        if self._headed[0] is not last:
            self._headed = (last, GENESIS if last is None else Head(last.seq, last.hash))
        return self._headed[1]

    def copy(self) -> Data:
        """Return what a transaction may change."""
        other = Data.__new__(Data)
        vars(other).update(vars(self))
        other.state = self.state.copy()
        other.ledger = list(self.ledger)
        other.subjects = list(self.subjects)
        other.requests = dict(self.requests)
        return other


class HandoffRows:
    """The part of a reader that looks these up."""

    data: Data

    def task(self, task: str) -> Task | None:
        """Return a task, closed or not."""
        return self.data.state.tasks.get(task)

    def tasks(self, *, closed: bool = False) -> list[Task]:
        """Return the tasks that are open (or all), by start and id."""
        known = self.data.state.tasks.values()
        found = [task for task in known if closed or task.state == OPEN]
        return sorted(found, key=lambda task: (task.opened_at, task.id))

    def packet(self, task: str, number: int) -> Packet | None:
        """Return a packet of a task."""
        return self.data.state.packets.get((task, number))

    def packets(self, task: str | None = None, *, settled: bool = True) -> list[Packet]:
        """Return the packets (of a task), or only the open ones, by task and number."""
        return [
            packet
            for _, packet in sorted(self.data.state.packets.items())
            if task in (None, packet.task) and (settled or packet.state == OPEN)
        ]

    def waivers(self, *, revoked: bool = False) -> list[Waiver]:
        """Return the waivers that were not taken back (or all), in order; used up or not."""
        known = sorted(self.data.state.waivers.items())
        return [waiver for _, waiver in known if revoked or not waiver.revoked]

    def rows(self, projection: str | None = None) -> list[KeptRow]:
        """Return the rows that are kept of a projection (or of all), by projection and key."""
        known = sorted(self.data.state.rows.values())
        return [row for row in known if projection in (None, row.projection)]

    def wrote(self, projection: str, blob: str) -> int | None:
        """Return the newest entry that says Handrail wrote these bytes there; None: it did not."""
        return self.data.state.written.get((projection, blob))

    def written_blobs(self) -> dict[tuple[str, str], int]:
        """Return all that Handrail wrote: (projection, blob id) and the newest entry of it."""
        return dict(self.data.state.written)

    def reading(self, session: str) -> tuple[ToRead, ...]:
        """Return what a session has to read or has read."""
        return self.data.state.reading(session)

    def unread(self, session: str) -> tuple[ToRead, ...]:
        """Return what a session has to read before it writes."""
        return unread(self.reading(session))

    def readings(self) -> dict[str, tuple[ToRead, ...]]:
        """Return what all sessions have to read or have read, by session."""
        return dict(self.data.state.readings)

"""Looking at packets: what waits for whom, what one says, and their files made anew.

Promise: what is shown is what the ledger holds; a file on disk is never read for it.
"""

from __future__ import annotations

import json

from handrail import errors
from handrail.core.decide.handoff import fits
from handrail.core.lease import Lease, Session
from handrail.core.packet import pretty
from handrail.core.record import Record
from handrail.core.task import OPEN, Packet, Task, file_name
from handrail.errors.handoff import NoHandoff
from handrail.service.came_back import CAME_BACK, Back, back_of, came_back
from handrail.service.context import Context
from handrail.service.handoffs import Files
from handrail.service.identity import require_session
from handrail.service.lapses import task_named
from handrail.service.packet_text import packet_text
from handrail.service.phases import artifact_of, pending, workflow_of
from handrail.service.policy import Rules, rules_in_force
from handrail.service.tasks import own_task, the_one
from handrail.store.port import Reader
from handrail.typed import Any


class Waiting(Record):
    """A packet in the inbox: whether it has lapsed, and whether it is for the asking session."""

    packet: Packet
    title: str
    lapsed: bool
    mine: bool


class Briefing(Record):
    """What a receiver goes on by: the packet, what it says, and what its session holds now."""

    packet: Packet
    task: Task
    content: dict[str, Any]
    leases: tuple[Lease, ...]
    lapsed: bool
    epoch: str
    pending: str | None
    artifact: str | None
    back: Back | None


class Packets:
    """The use cases that only look, and the export."""

    def __init__(self, context: Context, files: Files) -> None:
        self._context = context
        self._store = context.store
        self._files = files

    def inbox(self) -> list[Waiting]:
        """Return every packet that waits for an answer; those for the asking session first."""
        with self._store.read() as reader:
            rules, session = rules_in_force(reader), self._session(reader)
            rows = [
                Waiting(
                    packet=packet,
                    title=task_named(reader, packet.task).title,
                    lapsed=packet.lapses_at <= reader.now,
                    mine=session is not None and fits(rules.policy, session, packet),
                )
                for packet in reader.packets(settled=False)
            ]
            return sorted(rows, key=lambda row: (not row.mine, row.packet.offered_at))

    def came_back(self) -> list[Back]:
        """Return what came back to the asking session, or to its role; nobody is told nothing."""
        with self._store.read() as reader:
            session = self._session(reader)
            return [] if session is None else came_back(reader, rules_in_force(reader), session)

    def _session(self, reader: Reader) -> Session | None:
        if self._context.caller.session is None:
            return None
        return require_session(reader, self._context)

    def show(self, target: str | None = None) -> Briefing:
        """Return a packet: a task's newest, TASK-NNN, or the one that is meant without a word.

        Raises NoHandoff, UnknownTask.
        """
        with self._store.read() as reader:
            rules, session = rules_in_force(reader), self._session(reader)
            packet = self._meant(reader, rules, session, target)
            task = task_named(reader, packet.task)
            return Briefing(
                packet=packet,
                task=task,
                content=json.loads(packet_text(reader, packet)),
                leases=tuple(
                    lease
                    for lease in (() if session is None else reader.leases(session.id))
                    if lease.live(reader.now)
                ),
                lapsed=packet.state == OPEN and packet.lapses_at <= reader.now,
                epoch=reader.epoch,
                pending=pending(workflow_of(rules), task),
                artifact=artifact_of(workflow_of(rules), task),
                back=_back(rules, task, packet, session),
            )

    def _meant(
        self, reader: Reader, rules: Rules, session: Session | None, target: str | None
    ) -> Packet:
        number = 0
        if target is None or target.isdigit():
            task = self._task_meant(reader, rules, session)
            number = int(target[:9]) if target is not None else 0
        else:
            name, dash, digits = target.rpartition("-")
            named = reader.task(target) if target.isascii() else None
            if (
                named is None
                and dash
                and digits.isdigit()
                and name.isascii()
                and reader.task(name) is not None
            ):
                named, number = reader.task(name), int(digits[:9])
            task = named if named is not None else task_named(reader, target)
        packet = reader.packet(task.id, number or task.number)
        if packet is None:
            raise NoHandoff(reason=f"task {task.id} has no packet {number}", task=task.id)
        return packet

    def _task_meant(self, reader: Reader, rules: Rules, session: Session | None) -> Task:
        if session is None:
            raise errors.Usage(reason="Which packet?", next="handrail handoff list")
        if any(task.holder == session.id for task in reader.tasks()):
            return own_task(reader, session, "handoff show")
        waiting = [p for p in reader.packets(settled=False) if fits(rules.policy, session, p)]
        if not waiting:
            raise NoHandoff(reason=f"no packet waits for role {session.role or '-'}")
        tasks = [task_named(reader, packet.task) for packet in waiting]
        return the_one(tasks, f"For session {session.id} wait", "handoff show")

    def export(self, *, dry_run: bool = False) -> tuple[int, tuple[str, ...]]:
        """Write every packet's file that is not there as it should be; returns all, and which."""
        with self._store.read() as reader:
            rows = [(packet, packet_text(reader, packet)) for packet in reader.packets()]
        written = []
        for packet, text in rows if not dry_run else ():
            path = self._files.write(file_name(packet.task, packet.number), pretty(text))
            if path is not None:
                written.append(path)
        return len(rows), tuple(written)


def _back(rules: Rules, task: Task, packet: Packet, session: Session | None) -> Back | None:
    """Return what is to be said of a packet that came back; None if it is no such one."""
    if packet.state not in CAME_BACK or packet.number != task.number or task.state != OPEN:
        return None
    mine = session is not None and packet.session == session.id
    return back_of(rules.settings, task, packet, mine=mine)

"""What a session is told at its next hook event: who edits beside it, who waits, what came back.

Promise: each occasion is told once. Asking costs one read where there is nothing to tell.

    for told in Notices(context).take():
        told.kind, told.session, told.agent, told.paths   # "parallel_edit" | "waiter" | "returned"
"""

from __future__ import annotations

from handrail.core.events import Move, NoticeLeft, NoticesTaken
from handrail.core.lease import Notice, Session, conflict
from handrail.core.record import Record
from handrail.core.task import OPEN, Packet
from handrail.service.came_back import CAME_BACK
from handrail.service.context import Context
from handrail.service.identity import actor_of, require_session
from handrail.service.policy import Rules, rules_in_force
from handrail.store.port import Reader
from handrail.typed import Final

WAITER: Final = "waiter"
WAITS: Final = "waits"
"""A packet that a trigger offered waits for the session, which works already."""


class Told(Record):
    """What there is to tell: ``parallel_edit``, ``waiter`` or how a packet ended; who, which paths.

    ``packet`` is one that the session offered, and that came back to it.
    """

    kind: str
    session: str
    agent: str
    paths: tuple[str, ...]
    packet: Packet | None = None


class Notices:
    """The use case of being told."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def take(self) -> tuple[Told, ...]:
        """Return what the asking session was not told yet, and remember that it was told."""
        with self._store.read() as reader:
            session = require_session(reader, self._context)
            rules = rules_in_force(reader)
            if not reader.notices(session.id) and not _waiting(reader, rules, session):
                return ()
        with self._store.transaction() as tx:
            session = require_session(tx, self._context)
            fresh = _waiting(tx, rules, session)
            left: list[Notice | NoticeLeft] = [*tx.notices(session.id), *fresh]
            told = [_told(tx, notice) for notice in left]
            moves: list[Move] = [*fresh, NoticesTaken(session.id)]
            tx.commit(moves, actor_of(session))
        return tuple(one for one in told if one is not None)


def _told(reader: Reader, notice: Notice | NoticeLeft) -> Told | None:
    """Return what a notice says; None where it is over: its task has gone on since."""
    told = Told(notice.kind, notice.other, _agent(reader, notice.other), notice.paths)
    if notice.kind not in (*CAME_BACK, WAITS):
        return told
    name, _, number = notice.key.rpartition(" ")
    task = reader.task(name)
    if task is None or task.state != OPEN or str(task.number) != number:
        return None
    packet = reader.packet(name, task.number)
    if notice.kind == WAITS and (packet is None or packet.state != OPEN):
        return None
    return told._replace(packet=packet)


def _agent(reader: Reader, session: str) -> str:
    known = reader.session(session)
    return "" if known is None else known.agent


def _waiting(reader: Reader, rules: Rules, session: Session) -> list[NoticeLeft]:
    """Find who waits for what the session holds and was not told of yet; once a ticket."""
    waiters = [
        waiter
        for waiter in reader.waiters()
        if waiter.until > reader.now and waiter.session != session.id
    ]
    if not waiters:
        return []
    told = {n.key for n in reader.notices(session.id, told=True) if n.kind == WAITER}
    mine = [lease for lease in reader.leases(session.id) if lease.live(reader.now)]
    found = []
    for waiter in waiters:
        for lease in mine:
            met = conflict(
                lease, waiter.patterns, waiter.kind, waiter.worktree, rules.policy.contended
            )
            if met is not None and met[0] == "refuse" and str(waiter.ticket) not in told:
                paths = tuple(pattern.text for pattern in waiter.patterns)
                key = str(waiter.ticket)
                found.append(NoticeLeft(session.id, WAITER, key, waiter.session, paths))
                break
    return found

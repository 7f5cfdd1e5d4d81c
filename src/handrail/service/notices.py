"""What a session is told at its next hook event: who edits beside it, who waits for what it holds.

Promise: each occasion is told once. Asking costs one read where there is nothing to tell.

    for told in Notices(context).take():
        told.kind, told.session, told.agent, told.paths   # "parallel_edit" | "waiter"
"""

from __future__ import annotations

from typing import Final

from handrail.core.events import Move, NoticeLeft, NoticesTaken
from handrail.core.lease import Session, conflict
from handrail.core.record import Record
from handrail.service.context import Context
from handrail.service.identity import actor_of, require_session
from handrail.service.policy import Rules, rules_in_force
from handrail.store.port import Reader

WAITER: Final = "waiter"


class Told(Record):
    """What there is to tell: ``parallel_edit`` or ``waiter``, who is meant, which paths."""

    kind: str
    session: str
    agent: str
    paths: tuple[str, ...]


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
            left = [(notice.kind, notice.other, notice.paths) for notice in tx.notices(session.id)]
            left += [(notice.kind, notice.other, notice.paths) for notice in fresh]
            told = [Told(kind, other, _agent(tx, other), paths) for kind, other, paths in left]
            moves: list[Move] = [*fresh, NoticesTaken(session.id)]
            tx.commit(moves, actor_of(session))
        return tuple(told)


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

"""Sessions that a harness's own events begin and end.

Promises: a harness session is the Handrail session of the same id; whatever its agent left
unfinished in this working tree is its own again from the first event on (also after ``/clear``,
which gives the same process a new id, and after a crash, whose session is ended here); only what is
clean is freed when it ends. A resumed session is the same one, begun again.

    begun = HarnessSessions(context).started("0f3c…", harness="claude", process=process(pid))
    begun.held, begun.adopted, begun.left   # leases now held, tokens adopted, what others left here
    HarnessSessions(context).ended("0f3c…", "logout")
    HarnessSessions(context).registered(ancestors(os.getpid()))   # the session of the nearest one
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail.core.decide import Adopt, View, decide
from handrail.core.events import LeaseGranted, ProcessRegistered
from handrail.core.lease import Lease, Orphan, Process, Session
from handrail.core.ledger import format_token, read_event
from handrail.core.names import plain_name
from handrail.core.record import Record
from handrail.core.scope import Pattern
from handrail.service.context import Context
from handrail.service.identity import actor_of, require_session, session_here
from handrail.service.looking import look
from handrail.service.policy import duty_in, rules_in_force
from handrail.service.reclaim import reclaim_from
from handrail.service.sessions import Ended, Sessions, Started
from handrail.store.port import Reader

CLEARED = "cleared"


class Begun(Record):
    """A session that a harness began: what it holds, what it adopted, what others left here."""

    started: Started
    held: tuple[Lease, ...]
    adopted: tuple[str, ...]
    left: tuple[Orphan, ...]
    others: tuple[Lease, ...]
    epoch: str


class HarnessSessions:
    """The use cases around harness sessions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def started(self, id: str, *, harness: str, process: Process | None = None) -> Begun:
        """Begin the session of a harness's first event, resume it, or find it as it is."""
        self._end_predecessors(id, process)
        caller = self._context.caller
        agent = caller.agent or f"{plain_name(harness)}@{plain_name(caller.folder)}"
        with self._store.read() as reader:
            known = reader.session(id)
        if known is not None and known.live:
            agent = known.agent
        started = Sessions(self._context).start(id=id, agent=agent)
        context = self.acting(id)
        adopted = self._settle(context, started.session, process)
        with self._store.read() as reader:
            held = tuple(one for one in reader.leases(id) if one.live(reader.now))
            tree = started.session.worktree
            others = tuple(
                one
                for one in reader.leases()
                if one.live(reader.now) and one.session != id and one.worktree == tree
            )
            return Begun(started, held, adopted, tuple(reader.orphans(tree)), others, reader.epoch)

    def taken_over(self, id: str, process: Process) -> None:
        """Let a live session act for a harness's process from here on, in the place of its own.

        What the harness's own session left unfinished is not adopted: its agent is another one.
        """
        with self._store.read() as reader:
            before = reader.acts_for(process)
        if before != id:
            self._end_predecessors(id, process)
            self._settle(self.acting(id), Sessions(self.acting(id)).show().session, process)

    def stands_in(self, id: str, process: Process | None) -> str | None:
        """Return the session that took over the process of one that has ended; None if none did."""
        with self._store.read() as reader:
            own = reader.session(id)
            name = None if process is None or own is None or own.live else reader.acts_for(process)
            other = None if name is None else reader.session(name)
        here = other is not None and other.worktree == self._context.caller.worktree
        return other.id if other is not None and other.live and here else None

    def ended(self, id: str, reason: str) -> Ended | None:
        """End the session of a harness; None if it was never begun here or has ended."""
        with self._store.read() as reader:
            known = reader.session(id)
        if known is None or not known.live:
            return None
        return Sessions(self.acting(id)).end(reason=reason)

    def name_here(self, id: str) -> str:
        """Return the name under which a harness's session acts in this working tree."""
        with self._store.read() as reader:
            return session_here(reader, id, self._context.caller.worktree)

    def registered(self, ancestors: Sequence[Process]) -> str | None:
        """Return the live session of the nearest process that a harness registered."""
        with self._store.read() as reader:
            for process in ancestors:
                name = reader.acts_for(process)
                session = None if name is None else reader.session(name)
                if session is not None and session.live:
                    return session.id
        return None

    def acting(self, id: str) -> Context:
        """Return the surroundings of a command that acts in the name of a session of this place."""
        return self._context._replace(caller=self._context.caller._replace(session=id, secret=None))

    def _end_predecessors(self, id: str, process: Process | None) -> None:
        """End the session that this process acted for before, and those whose process is gone."""
        with self._store.read() as reader:
            before = None if process is None else reader.acts_for(process)
            tree = self._context.caller.worktree
            registered = {name for _, name in reader.processes()}
            here = [
                session.id
                for session in reader.sessions()
                if session.worktree == tree and session.id in registered
            ]
        if before is not None and before != id and before in here:
            self.ended(before, CLEARED)
        for other in here:
            if other not in (id, before):
                reclaim_from(self._context, other)

    def _settle(
        self, context: Context, session: Session, process: Process | None
    ) -> tuple[str, ...]:
        """Look once at what lies unfinished here, adopt what is the agent's own, register."""
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            patterns = _unsettled(reader, session.worktree)
            settled = process is None or reader.acts_for(process) == session.id
        if not patterns and settled:
            return ()
        looked = look(context, rules, session, patterns)
        with self._store.transaction() as tx:
            session = require_session(tx, context)
            seen = {pattern.text for pattern in looked.patterns}
            if not seen.issuperset(p.text for p in _unsettled(tx, session.worktree)):
                looked = looked._replace(dirty=None)
            view = View(
                epoch=tx.epoch,
                leases=tuple(tx.leases()),
                waiters=tx.waiters(),
                policy=rules.policy,
                orphans=tx.orphans(session.worktree),
                landings=tx.landings(0, session.id),
                head=tx.head.seq,
                # What is its own may be its again before it has read: it may not be written yet.
                duty=duty_in(tx, rules, session, reading=False),
            )
            changes = decide(view, Adopt(session, rules.settings.limits.ttl_ms, looked), tx.now)
            if process is not None:
                changes.append(ProcessRegistered(session.id, *process))
            entries = tx.commit(changes, actor_of(session))
            granted = [e.seq for e in entries if isinstance(read_event(e), LeaseGranted)]
            return tuple(format_token(tx.epoch, seq) for seq in granted)


def _unsettled(reader: Reader, worktree: str) -> tuple[Pattern, ...]:
    """Return where unfinished work may lie in a working tree."""
    dead = [
        lease
        for lease in reader.leases()
        if lease.worktree == worktree and not lease.live(reader.now)
    ]
    found: list[Lease | Orphan] = [*reader.orphans(worktree), *dead]
    return tuple({p.text: p for one in found for p in one.patterns}.values())

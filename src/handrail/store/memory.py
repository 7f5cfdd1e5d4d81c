"""The memory store: the port without a disk, for tests, simulations and as the second opinion.

It keeps everything the port promises but durability. Exclusion is by a lock between threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

from handrail.core.decide import writable
from handrail.core.events import KIND_OF, Event, Move, StoreCreated, subject_of
from handrail.core.lease import (
    Actor,
    Landing,
    Lease,
    Notice,
    Orphan,
    Process,
    Session,
    Waiter,
    renew_at,
)
from handrail.core.ledger import Entry, Head, read_event, seal
from handrail.core.scope import Pattern
from handrail.core.state import InForce, State, apply
from handrail.errors import StoreBusy, Usage
from handrail.errors.server import StoreMoved
from handrail.store.anchors import plan
from handrail.store.memory_handoffs import Data, HandoffRows
from handrail.store.port import POLL_S, RARE, REQUESTS_KEPT_MS, Ahead, Clock, Outcome, Request, Tx
from handrail.typed import TypeVar

SomeReader = TypeVar("SomeReader", bound="MemoryReader")


class MemoryReader(HandoffRows):
    """One consistent view."""

    def __init__(self, data: Data, reading: tuple[str, int, int]) -> None:
        self.data = data
        self._reading = reading
        self.workspace = data.workspace
        self.epoch = data.epoch
        self.now = data.timeline.now(reading, data.last_now)

    def __enter__(self: SomeReader) -> SomeReader:
        """Be the snapshot that was opened."""
        return self

    def __exit__(self, *failed: object) -> None:
        """Nothing to give back."""

    @property
    def head(self) -> Head:
        """The newest (sequence, hash)."""
        return self.data.head

    def near(self, patterns: Sequence[Pattern]) -> Iterator[Lease]:
        """Yield what may share a path with the patterns, in the order of the plan."""
        leases = self.data.state.leases
        seen: set[int] = set()
        for step in plan(patterns):
            rows = [
                (pattern.anchor, lease.token)
                for lease in leases.values()
                for pattern in lease.patterns
                if step.takes(pattern.anchor)
            ]
            for _, token in sorted(rows):
                if token not in seen:
                    seen.add(token)
                    yield leases[token]

    def lease(self, token: int) -> Lease | None:
        """Return the lease under ``token`` if it has not ended."""
        return self.data.state.leases.get(token)

    def leases(self, session: str | None = None) -> list[Lease]:
        """Return all leases, or those of one session, by token."""
        leases = self.data.state.leases.values()
        return sorted(lease for lease in leases if session is None or lease.session == session)

    def session(self, session: str) -> Session | None:
        """Return a session, ended or not."""
        return self.data.state.sessions.get(session)

    def sessions(self, *, ended: bool = False, clone: str = "") -> list[Session]:
        """Return the sessions that have not ended (or all), by start."""
        known = self.data.state.sessions.values()
        return sorted(
            (
                session
                for session in known
                if (ended or session.live) and session.worktree.startswith(clone)
            ),
            key=lambda session: (session.started_at, session.id),
        )

    def waiters(self) -> list[Waiter]:
        """Return the queue of waiting claims, by ticket."""
        return [self.data.state.waiters[ticket] for ticket in sorted(self.data.state.waiters)]

    def config(self) -> InForce | None:
        """Return the configuration in force."""
        return self.data.state.config

    def attestation(self, commit: str) -> int | None:
        """Return the newest entry that attests ``commit``."""
        return self.data.state.attestations.get(commit)

    def attestations(self, after: int = 0) -> dict[str, int]:
        """Return the commits whose newest attestation is an entry after ``after``."""
        known = self.data.state.attestations
        return {commit: seq for commit, seq in known.items() if seq > after}

    def orphans(
        self, worktree: str | None = None, patterns: Sequence[Pattern] | None = None
    ) -> list[Orphan]:
        """Return what ended leases left: everywhere, in a worktree, or there near patterns."""
        if not self.data.state.orphans:
            return []
        steps = None if patterns is None else plan(patterns)
        return [
            orphan
            for _, orphan in sorted(self.data.state.orphans.items())
            if worktree in (None, orphan.worktree)
            and (
                steps is None
                or any(step.takes(p.anchor) for step in steps for p in orphan.patterns)
            )
        ]

    def landing(self, token: int) -> Landing | None:
        """Return the newest commit attested under a token."""
        return self.data.state.landings.get(token)

    def landings(
        self,
        since: int = 0,
        without: str | None = None,
        patterns: Sequence[Pattern] | None = None,
    ) -> list[Landing]:
        """Return what landed at or after store time ``since``, by token; perhaps near patterns.

        What one session landed is left out.
        """
        landings = self.data.state.landings.values()
        found = sorted(one for one in landings if one.at >= since and one.session != without)
        if not found or patterns is None:
            return found
        steps = plan(patterns)
        return [one for one in found if any(s.takes(p.anchor) for s in steps for p in one.patterns)]

    def acts_for(self, process: Process) -> str | None:
        """Return the session that a process acts for."""
        return self.data.state.processes.get(process)

    def processes(self, session: str | None = None) -> list[tuple[Process, str]]:
        """Return the processes that act for sessions, or for one of them, in order."""
        known = sorted(self.data.state.processes.items())
        return [(key, name) for key, name in known if session in (None, name)]

    def notices(self, session: str | None = None, *, told: bool = False) -> list[Notice]:
        """Return what is left to tell a session (or all), or what it was told, too."""
        known = sorted(self.data.state.notices.values())
        return [
            notice
            for notice, taken in known
            if session in (None, notice.session) and (told or not taken)
        ]

    def entries(self, after: int = 0, until: int | None = None) -> Iterator[Entry]:
        """Yield ledger entries with ``after < seq <= until``, oldest first."""
        return iter(self.data.ledger[after:until])

    def newest(self, limit: int) -> list[Entry]:
        """Return the last ``limit`` entries, oldest first."""
        return self.data.ledger[-limit:] if limit else []

    def latest(self, kind: str, subject: str) -> Entry | None:
        """Return the newest entry of a kind about a subject."""
        for position in range(len(self.data.subjects) - 1, -1, -1):
            if self.data.subjects[position] == (kind, subject):
                return self.data.ledger[position]
        return None

    def about(self, kind: str, subject: str) -> list[Entry]:
        """Return every entry of a kind about a subject, oldest first."""
        found = zip(self.data.ledger, self.data.subjects, strict=True)
        return [entry for entry, about in found if about == (kind, subject)]

    def recorded(self, kind: str, limit: int) -> list[Entry]:
        """Return the newest entries of a rare kind, newest first."""
        assert kind in RARE, "only rare kinds can be asked for as a whole"
        return self._of_kind(kind)[: -1 - limit : -1]

    def attestations_of(self, commit: str) -> list[Entry]:
        """Return every entry that attests a commit, oldest first."""
        return self.about("commit.attested", commit)

    def attested_alike(self, paths_hash: str, limit: int) -> list[Entry]:
        """Return attestations of just these paths, the newest, newest first."""
        entries = self._of_kind("commit.attested")
        alike = [
            entry for entry in entries if getattr(read_event(entry), "paths_hash", "") == paths_hash
        ]
        return alike[: -1 - limit : -1]

    def _of_kind(self, kind: str) -> list[Entry]:
        found = zip(self.data.ledger, self.data.subjects, strict=True)
        return [entry for entry, about in found if about[0] == kind]

    def may_write(self, worktree: str, session: str, path: str) -> bool:
        """Answer what the guard asks by the rule itself."""
        return not self.unread(session) and writable(
            self.data.state.leases.values(), session, worktree, path, self.now
        )

    def guard_rows(self) -> list[tuple[str, str, str, int, int, int]]:
        """Return (worktree, session, pattern, token, until, renew_at) of what may be written."""
        return sorted(
            (
                *(lease.worktree, lease.session, pattern.text, lease.token),
                *(lease.expires_at, renew_at(lease)),
            )
            for lease in self.data.state.leases.values()
            for pattern in lease.patterns
            if not self.unread(lease.session)
        )

    def index_rows(self) -> list[tuple[str, int]]:
        """Return (anchor, token) of all that is found by an anchor."""
        return sorted(
            {
                (pattern.anchor, lease.token)
                for lease in self.data.state.leases.values()
                for pattern in lease.patterns
            }
        )


class MemoryTx(MemoryReader):
    """The exclusive transaction."""

    def __init__(
        self,
        data: Data,
        reading: tuple[str, int, int],
        salt: Callable[[], str],
        publish: Callable[[Data], None],
    ) -> None:
        super().__init__(data, reading)
        self._salt = salt
        self._publish = publish
        self._touched = self._own = False
        self.committed = False

    def _make_own(self) -> None:
        """Take a copy before the first change: what only asks, or is refused, needs none."""
        if not self._own:
            self.data, self._own = self.data.copy(), True

    def outcome(self, request: Request) -> tuple[Entry, ...] | None:
        """Return what a request of this id led to; raises Usage if it asked something else."""
        if request.id not in self.data.requests:
            return None
        digest, first, last, _ = self.data.requests[request.id]
        if digest != request.digest:
            raise Usage(reason=f"Request {request.id} asked something else the first time.")
        return tuple(self.entries(first - 1, last))

    def commit(
        self,
        changes: Iterable[Event | Move],
        actor: Actor,
        request: Request | None = None,
    ) -> tuple[Entry, ...]:
        """Append the events and apply all changes; returns the new entries."""
        assert not self.committed, "one transaction, one commit"
        self._make_own()
        data, entries, moved = self.data, [], self._touched
        first = self.head.seq + 1
        for change in changes:
            if isinstance(change, Move):
                moved = True
                apply(data.state, 0, self.now, actor, change)
            else:
                entries.append(self._append(actor, change))
        if entries and request is not None:
            self._remember(request, first)
        if entries or moved:
            data.timeline = data.timeline.anchored(self._reading, data.last_now)
            data.last_now = self.now
            self._publish(data)
        self.committed = True
        return tuple(entries)

    def _remember(self, request: Request, first: int) -> None:
        requests, oldest = self.data.requests, self.now - REQUESTS_KEPT_MS
        for name in list(requests):
            if requests[name][3] >= oldest:
                break  # they stand in the order of their time
            del requests[name]
        requests.pop(request.id, None)
        requests[request.id] = (request.digest, first, self.head.seq, self.now)

    def _append(self, actor: Actor, event: Event) -> Entry:
        entry = seal(self.head, self.epoch, self.now, actor, event, self._salt())
        self.data.ledger.append(entry)
        self.data.subjects.append((KIND_OF[type(event)], subject_of(event)))
        apply(self.data.state, entry.seq, self.now, actor, event)
        return entry

    def redact(self, seq: int) -> None:
        """Drop the payload of an entry."""
        self._touched = True
        self._make_own()
        entry = self.data.ledger[seq - 1]
        self.data.ledger[seq - 1] = entry._replace(payload=None)

    def keep_compiled(self, compiled: bytes) -> None:
        """Keep a compiled form beside the configuration in force."""
        self._touched = True
        self._make_own()
        if self.data.state.config is not None:
            self.data.state.config = self.data.state.config._replace(compiled=compiled)

    def retire(self, place: str) -> None:
        """Be no store any more, with the next commit."""
        self._touched = True
        self._make_own()
        self.data.moved = place

    def replace(self, state: State) -> None:
        """Put these tables in place of the ones that are there."""
        self._touched = True
        self._make_own()
        before = self.data.state
        tickets = before.tickets
        self.data.state = state.copy()
        self.data.state.processes = before.processes
        self.data.state.notices = before.notices
        self.data.state.tickets = max(tickets, state.tickets)
        self.data.state.waiters.clear()


class _Turn:
    """The time in which one has the store to oneself."""

    def __init__(self, begin: Callable[[], MemoryTx], turn: threading.Lock) -> None:
        self._begin, self._turn = begin, turn

    def __enter__(self) -> MemoryTx:
        return self._begin()

    def __exit__(self, *failed: object) -> None:
        self._turn.release()


class MemoryStore:
    """A workspace in this process."""

    def __init__(
        self,
        clock: Clock,
        salt: Callable[[], str],
        *,
        workspace: str,
        epoch: str,
        predecessor: str | None = None,
        busy_ms: int = 5_000,
    ) -> None:
        self._clock = clock
        self._salt = salt
        self._busy_ms = busy_ms
        # As in the fair lock: who had the turn queues again behind the one who waits for it.
        self._queue, self._turn = threading.Lock(), threading.Lock()
        self._version = 0
        self._data = Data(workspace, epoch)
        with self.transaction() as tx:
            tx.commit([StoreCreated(workspace, predecessor)], Actor())

    def transaction(self) -> AbstractContextManager[MemoryTx]:
        """Open the exclusive transaction; raises StoreBusy."""
        return _Turn(self._begin, self._turn)

    def _begin(self) -> MemoryTx:
        self._take_turn()
        try:
            self._check_there()
            reading = self._clock.read()
            if self._data.timeline.boot != reading[0]:
                # The first transaction of a boot keeps its anchor, whatever becomes of it.
                data = self._data.copy()
                data.timeline = data.timeline.anchored(reading, data.last_now)
                data.last_now = data.timeline.now(reading, data.last_now)
                self._publish(data)
            return MemoryTx(self._data, reading, self._salt, self._publish)
        except BaseException:
            self._turn.release()
            raise

    def _take_turn(self) -> None:
        deadline = time.monotonic() + self._busy_ms / 1000
        if self._queue.acquire(timeout=self._busy_ms / 1000):
            try:
                if self._turn.acquire(timeout=max(deadline - time.monotonic(), 0)):
                    return
            finally:
                self._queue.release()
        raise StoreBusy(path="memory", waited_ms=self._busy_ms, pid="unknown")

    def _check_there(self) -> None:
        if self._data.moved:
            raise StoreMoved(path="memory", place=self._data.moved)

    def _publish(self, data: Data) -> None:
        self._data = data
        self._version += 1

    def attempt(self, decide: Callable[[Tx], Outcome], ahead: Ahead | None) -> Outcome:
        """Let something be decided in the exclusive transaction: here that waits for nobody far."""
        with self.transaction() as tx:
            return decide(tx)

    def read(self) -> AbstractContextManager[MemoryReader]:
        """Open a snapshot."""
        self._check_there()
        return MemoryReader(self._data, self._clock.read())

    def version(self) -> int:
        """Return a number that changes whenever somebody commits."""
        return self._version

    def wait(self, seconds: float) -> None:
        """Let some time pass."""
        time.sleep(min(seconds, POLL_S))

    def listen(self) -> int | None:
        """Return None: the version is at hand."""
        return None

    def close(self) -> None:
        """Nothing to give back."""

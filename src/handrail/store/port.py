"""What a store promises. A store is whatever passes ``tests/store/test_contract.py``.

Promises of every store:

- ``transaction()`` is exclusive over the workspace and all or nothing: the block rolls back unless
  ``commit`` was called, and nothing that ``commit`` acknowledged is lost by kill -9 or by the loss
  of unsynced writes (the memory store: by nothing but the end of its process);
- waiting transactions are served fairly, and at most ``busy_ms`` long, else StoreBusy;
- ``Tx.now`` is the store's own clock, read after the exclusion is held; it is never before anything
  that was committed, never goes back while the machine runs, and no change of the wall clock moves
  it between the first transaction after a start and the last (PostgreSQL has no such clock to ask:
  its time is the server's wall clock, and where that is set back, time stands until it is reached);
- ``Tx.near`` gives every lease that can share a path with the patterns, perhaps more, by an index
  on literal prefixes: a claim with a literal prefix costs the same beside ten leases or 100 000;
- a request id under which entries were committed gives those entries again, for at least
  ``REQUESTS_KEPT_MS`` of store time.

Not promised: exclusivity between two stores, and anything on a network file system.

    with store.transaction() as tx:
        events = decide(View(tx.epoch, tx.near(patterns)), command, tx.now)
        entries = tx.commit(events, actor)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

from handrail.core.events import Event, Move
from handrail.core.lease import (
    Actor,
    Landing,
    Lease,
    Notice,
    Orphan,
    Process,
    Session,
    Waiter,
)
from handrail.core.ledger import Entry, Head
from handrail.core.projected import KeptRow
from handrail.core.record import Record
from handrail.core.scope import Pattern
from handrail.core.state import InForce, State
from handrail.core.task import Packet, Task, Waiver
from handrail.typed import Final, Protocol, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.core.reading import ToRead

Outcome = TypeVar("Outcome")
REQUESTS_KEPT_MS: Final = 7 * 86_400_000
LISTEN_S: Final = 20.0
"""So long after it was asked to, a store still tells of commits."""
POLL_S: Final = 0.05
"""How long a store waits that hears of nobody."""
RARE: Final = ("config.applied", "commit.unattested", "commit.unattributed")
"""Kinds of which there are few, and of which all can be asked for."""


class Request(Record):
    """A caller's name for one attempt, and a digest of what it asks, to tell reuse from repeat."""

    id: str
    digest: str


Ahead = tuple[str, tuple[Pattern, ...]]
"""What a decision is going to ask for: a session, and what is near patterns.

A store that is elsewhere is asked for all of it at once.
"""
Grant = tuple[str, Lease]
"""A store's epoch, and a lease that was granted in it."""


class Clock(Protocol):
    """Where store time comes from; injected, so that rules never read a clock."""

    def read(self) -> tuple[str, int, int]:
        """Return (boot id, ms since that boot, wall clock in ms since 1970)."""


class Reader(Protocol):
    """One consistent view of a store."""

    @property
    def now(self) -> int:
        """Store time in milliseconds since 1970."""

    @property
    def epoch(self) -> str:
        """The store's random epoch: tokens of another epoch mean nothing here."""

    @property
    def workspace(self) -> str:
        """The workspace this store coordinates."""

    @property
    def head(self) -> Head:
        """The newest (sequence, hash) of the ledger."""

    def near(self, patterns: Sequence[Pattern]) -> Iterable[Lease]:
        """Yield each lease, dead ones too, that can share a path with the patterns, once each.

        In the order of ``store.anchors.plan`` and within a step by (anchor, token), lazily: a
        refusal need not read what comes after it.
        """

    def lease(self, token: int) -> Lease | None:
        """Return the lease under ``token`` if it has not ended."""

    def leases(self, session: str | None = None) -> list[Lease]:
        """Return all leases, or those of one session, by token; expired ones not yet ended too."""

    def session(self, session: str) -> Session | None:
        """Return a session, ended or not."""

    def sessions(self, *, ended: bool = False, clone: str = "") -> list[Session]:
        """Return the sessions that have not ended (or all), by start and id.

        Or only those in the working trees of a clone, whose names begin with its own and a colon.
        """

    def waiters(self) -> list[Waiter]:
        """Return the queue of waiting claims, by ticket; those that are gone too."""

    def config(self) -> InForce | None:
        """Return the configuration in force."""

    def attestation(self, commit: str) -> int | None:
        """Return the newest entry that attests ``commit``."""

    def attestations(self, after: int = 0) -> dict[str, int]:
        """Return the commits whose newest attestation is an entry after ``after``."""

    def orphans(
        self, worktree: str | None = None, patterns: Sequence[Pattern] | None = None
    ) -> list[Orphan]:
        """Return what ended leases left: everywhere, in a worktree, or there near patterns.

        By token; near as in ``near``, and perhaps more.
        """

    def landing(self, token: int) -> Landing | None:
        """Return the newest commit attested under a token."""

    def landings(
        self,
        since: int = 0,
        without: str | None = None,
        patterns: Sequence[Pattern] | None = None,
    ) -> list[Landing]:
        """Return what landed at or after store time ``since``, by token; perhaps near patterns.

        What one session landed is left out.
        """

    def acts_for(self, process: Process) -> str | None:
        """Return the session that a process acts for."""

    def processes(self, session: str | None = None) -> list[tuple[Process, str]]:
        """Return the processes that act for sessions, or for one of them, in order."""

    def notices(self, session: str | None = None, *, told: bool = False) -> list[Notice]:
        """Return what is left to tell a session (or all), or what it was told, too; in order."""

    def task(self, task: str) -> Task | None:
        """Return a task, closed or not."""

    def tasks(self, *, closed: bool = False) -> list[Task]:
        """Return the tasks that are open (or all), by start and id."""

    def packet(self, task: str, number: int) -> Packet | None:
        """Return a packet of a task."""

    def packets(self, task: str | None = None, *, settled: bool = True) -> list[Packet]:
        """Return the packets (of a task), or only the open ones, by task and number."""

    def waivers(self, *, revoked: bool = False) -> list[Waiver]:
        """Return the waivers that were not taken back (or all), in order; used up or not."""

    def rows(self, projection: str | None = None) -> list[KeptRow]:
        """Return the rows that are kept of a projection (or of all), by projection and key."""

    def wrote(self, projection: str, blob: str) -> int | None:
        """Return the newest entry that says Handrail wrote these bytes there; None: it did not."""

    def written_blobs(self) -> dict[tuple[str, str], int]:
        """Return all that Handrail wrote: (projection, blob id) and the newest entry of it."""

    def reading(self, session: str) -> tuple[ToRead, ...]:
        """Return what a session has to read or has read, in the order in which it was asked for."""

    def unread(self, session: str) -> tuple[ToRead, ...]:
        """Return what a session has to read before it writes; costs nothing where nobody has to."""

    def readings(self) -> dict[str, tuple[ToRead, ...]]:
        """Return what all sessions have to read or have read, by session."""

    def entries(self, after: int = 0, until: int | None = None) -> Iterator[Entry]:
        """Yield ledger entries with ``after < seq <= until``, oldest first."""

    def newest(self, limit: int) -> list[Entry]:
        """Return the last ``limit`` entries, oldest first."""

    def latest(self, kind: str, subject: str) -> Entry | None:
        """Return the newest entry of a kind about a subject, by index; grants by a search."""

    def about(self, kind: str, subject: str) -> list[Entry]:
        """Return every entry of a kind about a subject, oldest first, by index; never grants."""

    def recorded(self, kind: str, limit: int) -> list[Entry]:
        """Return the newest ``limit`` entries of one of the ``RARE`` kinds, newest first."""

    def attestations_of(self, commit: str) -> list[Entry]:
        """Return every entry that attests a commit, oldest first."""

    def attested_alike(self, paths_hash: str, limit: int) -> list[Entry]:
        """Return attestations of just these paths by index, the newest ``limit``, newest first."""

    def may_write(self, worktree: str, session: str, path: str) -> bool:
        """Look up what the guard asks; ``path`` is normalised."""

    def guard_rows(self) -> list[tuple[str, str, str, int, int, int]]:
        """Return (worktree, session, pattern, token, until, renew_at) of what may be written.

        Sorted. Before ``renew_at`` the guard need not ask any further. What a session holds that
        has something to read is not there.
        """

    def index_rows(self) -> list[tuple[str, int]]:
        """Return (anchor, token) of all that is found by an anchor, sorted."""


class Tx(Reader, Protocol):
    """An exclusive transaction."""

    def outcome(self, request: Request) -> tuple[Entry, ...] | None:
        """Return what a request of this id led to; raises Usage if it asked something else."""

    def commit(
        self,
        changes: Iterable[Event | Move],
        actor: Actor,
        request: Request | None = None,
    ) -> tuple[Entry, ...]:
        """Append the events and apply all changes; returns the new entries.

        Nobody who comes later sees less, and when the transaction's block ends it is durable.
        """

    def redact(self, seq: int) -> None:
        """Drop the payload of an entry with the next commit, which carries the event."""

    def keep_compiled(self, compiled: bytes) -> None:
        """Keep a compiled form beside the configuration in force, with the next commit."""

    def replace(self, state: State) -> None:
        """Put these tables in place of the ones that are there, with the next commit."""

    def retire(self, place: str) -> None:
        """Be no store any more, with the next commit: whoever asks is told where it is now.

        Every transaction and every read raises StoreMoved from then on, whoever has it open.
        """


class Watch(Protocol):
    """Who is told of each change of a store that is elsewhere, to keep a copy of some of it."""

    def begins(self, changes: Sequence[Event | Move], actor: Actor) -> None:
        """Hear what is about to be committed; what it raises stops that."""

    def ended(
        self, read: Callable[[], AbstractContextManager[Reader]], granted: Grant | None = None
    ) -> None:
        """Hear that it was committed, and look; never raises.

        ``granted`` is told where a lease was granted to a session and nothing else was changed.
        """


class Store(Protocol):
    """One workspace's state and ledger."""

    def transaction(self) -> AbstractContextManager[Tx]:
        """Open an exclusive transaction; raises StoreBusy, StoreReadOnly, StoreCorrupt."""

    def attempt(self, decide: Callable[[Tx], Outcome], ahead: Ahead | None) -> Outcome:
        """Let something be decided and committed, as in an exclusive transaction of its own.

        It may be decided several times, and only the last time counts. A store that is elsewhere
        lets that happen on a snapshot, and takes the turn to write: where anything that the
        snapshot told has changed by then, it is decided again.
        """

    def read(self) -> AbstractContextManager[Reader]:
        """Open a consistent snapshot; waits for nobody."""

    def version(self) -> int:
        """Return a number that changes whenever another connection commits.

        Costs microseconds, or one round trip to a server.
        """

    def wait(self, seconds: float) -> None:
        """Let some time pass, less where the store hears that somebody committed.

        A hint alone: whether something changed is what ``version`` says.
        """

    def listen(self) -> int | None:
        """Let the store tell of every commit for ``LISTEN_S``; costs little to say again.

        Returns a file descriptor that has something to read then, which ``wait`` takes in; another
        one the next time, perhaps. None where nobody tells: then the version has to be asked for.
        """

    def close(self) -> None:
        """Give everything back."""

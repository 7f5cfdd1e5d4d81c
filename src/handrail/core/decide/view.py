"""What a rule looks at, and what it can be asked.

A view must hold at least the leases that may conflict: what ``near`` of the store's port gives.
More is allowed, less is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from handrail.core.events import Event, Move
from handrail.core.lease import Kind, Landing, Lease, Orphan, Session, Waiter
from handrail.core.record import Record
from handrail.core.role import Role
from handrail.core.scope import Pattern
from handrail.core.task import EVIDENCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.core.duty import Duty, Step

Changes = list[Event | Move]


class Policy(Record):
    """What the configuration in force says about leases; lanes and contended paths parsed.

    ``commons`` lie in every lane. ``required``: nothing is written without a packet; ``narrow``:
    nothing is claimed beyond its scope; after ``halt_after`` failures a task waits for a person.
    What gates protect is ``protected``: only who coordinates changes it. ``fires``: there are
    triggers, which may have stopped a session. ``evidence`` is the folder of what phases leave.
    """

    roles: Mapping[str, Role]
    lanes: Mapping[str, tuple[Pattern, ...]]
    contended: tuple[Pattern, ...] = ()
    exempt: tuple[Pattern, ...] = ()
    many_roles: bool = False
    commons: tuple[Pattern, ...] = ()
    phases: tuple[Step, ...] = ()
    required: bool = False
    narrow: bool = False
    halt_after: int = 0
    protected: tuple[Pattern, ...] = ()
    fires: bool = False
    evidence: str = EVIDENCE

    @property
    def binds(self) -> bool:
        """Tell whether it matters to writing which task a session acts for."""
        return bool(self.phases) or self.required or self.narrow


class View(Record):
    """The slice of the state that a decision looks at.

    ``orphans`` are those near what is asked, in the asker's working tree; ``landings`` what other
    sessions landed since the asker's session began, or since one of the orphans was left; ``head``
    is the ``seq`` of the newest entry; ``duty`` is what the asker's task lets it do, None where
    nothing binds it.
    """

    epoch: str
    leases: Sequence[Lease] | Iterable[Lease] = ()
    waiters: Sequence[Waiter] = ()
    policy: Policy = Policy({}, {})
    orphans: Sequence[Orphan] = ()
    landings: Sequence[Landing] = ()
    head: int = 0
    duty: Duty | None = None


class Landed(Record):
    """An attested commit of another session that changed a path after somebody last knew it."""

    commit: str
    session: str
    seq: int


class Dirty(Record):
    """A path that differs from HEAD: blob ids of the file, the index and HEAD ('': not there).

    ``landed`` brought HEAD's version, or one that HEAD has not got yet, where the path's holder did
    not know it; ``merged`` is the blob of a clean three-way merge of what the holder knew, the file
    and HEAD's version, None where they conflict.
    """

    path: str
    blob: str
    staged: str
    head: str
    landed: Landed | None = None
    merged: str | None = None

    @property
    def stale(self) -> bool:
        """Tell whether these bytes would undo what another session landed."""
        return self.landed is not None and not {self.blob, self.staged} <= {self.head, self.merged}


class Looked(Record):
    """What a look at the working tree found under ``patterns`` when ``as_of`` was the head.

    ``dirty`` is None where nobody could look.
    """

    patterns: tuple[Pattern, ...] = ()
    as_of: int = 0
    dirty: tuple[Dirty, ...] | None = ()


class NeedsFacts(Exception):
    """A decision cannot be made without a look at these patterns in the working tree."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self.patterns = tuple({pattern.text: pattern for pattern in patterns}.values())
        super().__init__([pattern.text for pattern in self.patterns])


class Claim(Record):
    """Ask for a scope; ``ticket`` is the asker's place in the queue, if it waits already.

    ``single`` are the literal patterns that are no folder now: what they mean below themselves is
    empty, so a lane need not cover it. ``looked`` is what is known of the working tree; None leaves
    unfinished work out of the question. ``adopt`` takes over what anybody left there.
    """

    session: Session
    patterns: tuple[Pattern, ...]
    kind: Kind
    ttl_ms: int
    role: str | None = None
    ticket: int | None = None
    lasting: bool = True
    single: frozenset[str] = frozenset()
    looked: Looked | None = None
    adopt: bool = False


class Edit(Record):
    """Ask to write paths, normalised; what is free of them is claimed by itself.

    ``auto_claim`` is ``file``, ``directory`` or ``off``; ``own_settings`` says that the harness
    settings among the paths keep Handrail's entries.
    """

    session: Session
    paths: tuple[str, ...]
    ttl_ms: int
    auto_claim: str = "file"
    looked: Looked | None = None
    own_settings: bool = False


class Keep(Record):
    """Renew those leases of the asking session that are past half of their life."""

    session: Session
    leases: tuple[Lease, ...]


class Wait(Record):
    """Take a place in the queue for a claim that was refused, or keep it."""

    claim: Claim


class Renew(Record):
    """Let the lease under ``token`` live ``ttl_ms`` from now."""

    session: Session
    lease: Lease
    ttl_ms: int


class Release(Record):
    """End leases of the asking session."""

    session: Session
    leases: tuple[Lease, ...]
    reason: str = "released"
    looked: Looked | None = None


class StartSession(Record):
    """Begin a session; ``known`` is the one that already has this id."""

    session: Session
    known: Session | None


class EndSession(Record):
    """End a session; the view holds its leases."""

    session: Session
    reason: str
    looked: Looked | None = None


class Adopt(Record):
    """Take over all that the asking session's agent left in its working tree."""

    session: Session
    ttl_ms: int
    looked: Looked


class ChangeRole(Record):
    """Let a session act as another role; ``proof`` says who may decide that."""

    session: Session
    role: str
    reason: str
    proof: str


class CommitFacts(Record):
    """A commit as git tells it: ids, parents, and its changed paths, normalised.

    ``change`` is a digest of what it does to them, None where nobody can tell. ``written`` are
    those paths that are clean projections, each with the entry that says so.
    """

    commit: str
    tree: str
    parents: tuple[str, ...]
    paths: tuple[str, ...]
    paths_hash: str
    change: str | None = None
    written: tuple[tuple[str, int], ...] = ()


class Attest(Record):
    """Record that commits were made under live leases; the view holds the session's leases.

    ``overtaken`` are paths of these commits that another session landed, in a commit that they do
    not contain, while it could not stand beside the lease that covers them now; ``left`` are the
    dirty paths that remain under the session's local leases, None where nobody looked.
    """

    session: Session
    commits: tuple[CommitFacts, ...]
    overtaken: tuple[Overtaken, ...] = ()
    left: frozenset[str] | None = None


class Commit(Record):
    """Attest a commit that is being made, and claim what is free of its paths by the way."""

    edit: Edit
    attest: Attest


class Overtaken(Record):
    """A path of a commit, and the commit of another session that it does not contain."""

    commit: str
    path: str
    landed: Landed


class Uncovered(Record):
    """A path of a commit over which the session holds nothing."""

    commit: str
    path: str


class NotCovered(Exception):
    """Paths of a commit are not covered; the service finds out what became of their leases."""

    def __init__(self, missing: tuple[Uncovered, ...]) -> None:
        super().__init__(missing)
        self.missing = missing


Command = (
    Claim
    | Wait
    | Edit
    | Keep
    | Renew
    | Release
    | StartSession
    | EndSession
    | ChangeRole
    | Adopt
    | Attest
    | Commit
)

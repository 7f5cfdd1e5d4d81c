"""What built-in gates look at: plain values, collected once for all gates of a run.

Promise: a fact that was not collected is None, and a gate that looks at it all the same raises,
which is cannot-tell.
"""

from __future__ import annotations

from handrail.core.packet import KNOWN_DIRTY, WORKTREE_MODES
from handrail.core.record import Record
from handrail.core.task import COMPLETE, Packet
from handrail.gates.listing import Listing
from handrail.typed import Any, Final


class Standing(Record):
    """How a working tree stands; '' for what an unborn branch does not have.

    ``operation`` is the rebase, merge, cherry-pick or revert that is not over. ``fingerprint`` is
    '' for a clean tree, ``core.receipts.UNKNOWN_DIRT`` where nobody can compare.
    """

    commit: str
    tree: str
    operation: str | None
    dirty: tuple[str, ...]
    fingerprint: str


class Pushed(Record):
    """Whether a remote-tracking ref contains HEAD, as far as this clone knows.

    ``narrow``: of the branch no such ref would be kept, as in a clone of another single branch.
    """

    commit: str
    branch: str | None
    remotes: tuple[str, ...]
    contained: bool
    shallow: bool
    narrow: bool = False

    @property
    def remote(self) -> str:
        """The remote that is meant where none is named: origin, if there is one."""
        return "origin" if "origin" in self.remotes else self.remotes[0]


class Tree(Record):
    """What a commit holds: paths, symbolic links (path, target), documents (path, text or None)."""

    commit: str
    files: Listing
    links: tuple[tuple[str, str], ...]
    documents: tuple[tuple[str, str | None], ...]


class Covered(Record):
    """What stands in the way of committing what is staged: (path, code, sentence)."""

    reasons: tuple[tuple[str, str, str], ...]
    next: str | None


class Judged(Record):
    """What rule V says of the commits that are to land: (commit, code, sentence) of what it minds.

    ``unsure`` are those of which nobody can tell.
    """

    commits: int
    refused: tuple[tuple[str, str, str], ...]
    unsure: tuple[tuple[str, str, str], ...]


class PolicyChange(Record):
    """The staged paths that hold a policy, each with what says so, and whether the asker may."""

    paths: tuple[tuple[str, str], ...]
    may_change: bool


class Named(Record):
    """A path that a packet names, and where in it; digests are SHA-256 of the file's bytes.

    ``digest`` is what the packet says, ``held`` what the packet's commit holds ('' for a folder),
    ``here`` what lies in the working tree, looked at below the evidence folder alone; None: it is
    not said, or not there. ``problem`` says why a state file is none.
    """

    field: str
    path: str
    digest: str | None = None
    held: str | None = None
    here: str | None = None
    problem: str | None = None


class Cited(Record):
    """A receipt that a packet names: whether its command succeeded, and on which tree.

    ``otherwise`` is the receipt of a re-run that contradicted it since, 0 if none did.
    """

    argv: tuple[str, ...]
    succeeded: bool
    tree: str
    dirt: str
    otherwise: int = 0


class Handed(Record):
    """A packet and what is the case around it.

    ``packet`` is its row, None before it is offered. ``written`` tells whether somebody wrote one:
    ``check`` may ask before. ``stored`` is its canonical text, ``again`` the command that offered
    it, ``base`` the commit that the task began from. ``copies`` are the exported files of
    the task, each with ``edited`` or ``missing``. ``receipts`` are those of this ledger that it
    names. ``present`` tells whether its commit is here, ``contained`` whether HEAD has it. ``own``
    are the unfinished paths that the asking session holds, ``unread`` what it has to read before it
    writes; where the packet is not ``accepted`` yet, what it will have to read.
    """

    task: str
    kind: str = COMPLETE
    packet: Packet | None = None
    written: bool = True
    content: dict[str, Any] = {}  # noqa: RUF012 - nobody writes to it
    stored: str = ""
    again: str = ""
    base: str | None = None
    phases: tuple[str, ...] = ()
    named: tuple[Named, ...] = ()
    copies: tuple[tuple[str, str], ...] = ()
    receipts: tuple[tuple[int, Cited], ...] = ()
    present: bool = True
    contained: bool = True
    behind: bool = False
    own: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
    accepted: bool = False

    def part(self, *names: str) -> Any:
        """Return what the packet says at a place; None if it says nothing there."""
        found: Any = self.content
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    @property
    def allowed(self) -> tuple[str, ...]:
        """The paths that the packet declares as unfinished."""
        return tuple(self.part("metadata", "worktree_allowlist_paths") or ())

    @property
    def exact(self) -> bool:
        """Tell whether it names its unfinished paths exactly, or has none."""
        return self.part("metadata", "worktree_mode") in WORKTREE_MODES

    def declares(self, path: str) -> bool:
        """Tell whether a path lies at or below one that is declared as unfinished.

        Where the packet says how the working tree stands, it is just the paths that it names.
        """
        if self.exact:
            mode = self.part("metadata", "worktree_mode")
            return mode == KNOWN_DIRTY and path in self.allowed
        return any(path == one or path.startswith(f"{one}/") for one in self.allowed)


NO_PACKET: Final = Handed("", written=False)
"""What there is to hand over where nobody hands over anything."""


class Noted(Record):
    """A role's note, whether the task changed it, and a path of the role's lane that it changed."""

    role: str
    note: str
    path: str | None
    changed: bool


class StateFile(Record):
    """A file that shows the state, as it lies in the working tree.

    ``problem`` says why it cannot be read; ``lacks`` what a receiver needs and does not find there:
    (place, code, sentence). ``exported`` tells whether its bytes are what ``export`` writes,
    ``changed`` whether the task's commits changed it.
    """

    path: str
    present: bool = True
    problem: str | None = None
    lacks: tuple[tuple[str, str, str], ...] = ()
    exported: bool = True
    changed: bool = False


class States(Record):
    """The files that show the state; ``code``: what else the task's commits changed, if any."""

    files: tuple[StateFile, ...]
    code: str | None = None


class Resolved(Record):
    """A blocker that its file calls resolved, with what words and by what.

    ``commits`` are those that it names, each with whether HEAD has it; ``receipt`` is the receipt
    that it names, ``cited`` that one, where this ledger has it.
    """

    path: str
    blocker: str
    resolution: str
    commits: tuple[tuple[str, bool], ...] = ()
    receipt: str = ""
    cited: Cited | None = None


class ActivityRow(Record):
    """A row of the tracker's table of activity: whose session, as which role."""

    session: str
    role: str
    agent: str


class Tracked(Record):
    """What a change did to lanes, and to the tracker that tells of it.

    ``tracker`` is its path. ``touched`` are the roles, other than the coordinators, whose lanes the
    change touches, each with a path. ``activity`` are the rows that it adds or changes in the table
    of activity, ``coordination`` the sessions of those in the coordinator's log.
    """

    tracker: str
    touched: tuple[tuple[str, str], ...] = ()
    coordinators: tuple[str, ...] = ()
    activity: tuple[ActivityRow, ...] = ()
    coordination: tuple[str, ...] = ()


class Publisher(Record):
    """Who publishes: the roles it acts as, those that coordinate; a person at a terminal or not."""

    roles: tuple[str, ...]
    coordinators: tuple[str, ...]
    person: bool = False


class Deployment(Record):
    """What a state file claims to be live, and the HTTP status with which it answers.

    ``problem`` says why nobody can tell.
    """

    path: str
    claimed: bool
    status: int = 0
    problem: str = ""


class DirectiveSeen(Record):
    """The directive that a packet belongs to, as it lies in the working tree.

    ``problem`` says why it is none; ``meta`` is its file of metadata, ``id`` and ``branch`` what
    that says. ``head`` is the branch that is checked out, ``giver`` the role of whoever offers.
    """

    folder: str
    problem: str = ""
    meta: str = ""
    id: str = ""
    branch: str = ""
    has_task: bool = False
    head: str | None = None
    giver: str | None = None


class Facts(Record):
    """All that was collected."""

    standing: Standing | None = None
    pushed: Pushed | None = None
    tree: Tree | None = None
    reading: tuple[tuple[str, str], ...] = ()
    covered: Covered | None = None
    judged: Judged | None = None
    policy: PolicyChange | None = None
    handed: Handed | None = None
    notes: tuple[Noted, ...] | None = None
    states: States | None = None
    resolved: tuple[Resolved, ...] | None = None
    tracked: Tracked | None = None
    publisher: Publisher | None = None
    deployment: Deployment | None = None
    directive: DirectiveSeen | None = None

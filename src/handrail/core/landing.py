"""Rule V: may this commit land, by what git says of it and by the ledger up to its attestation.

Promises: a verdict is a function of the commit, of the attestation at entry *s* and of the ledger
before *s*; entries after *s* never change it. What cannot be told (a payload that was redacted) is
``cannot-tell``, never a pass. A commit passes by its own attestation only if that names the same
tree, parents and paths, and if each path that is not exempt was covered by a live lease of the same
session, inside the lane of its role, with no conflicting grant to another session since.

Not promised: that the ledger is whole; verify it first. That two diffs are the same is told by
whoever asks git (``handrail.facts.patches``).

    >>> verdict_of("unseen")
    'refused'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from handrail.core.chronicle import Chronicle, Law, holder_of, patterns_of
from handrail.core.decide.view import Policy
from handrail.core.digest import sha256
from handrail.core.duty import Cage, cage_of, entitled
from handrail.core.events import CommitAttested, CommitUnattributed, Event, LeaseGranted
from handrail.core.record import Record
from handrail.core.scope import Pattern, matches, normalise_path
from handrail.core.task import OPEN
from handrail.text import visible
from handrail.typed import Final

PASS: Final = "pass"
REFUSED: Final = "refused"
CANNOT_TELL: Final = "cannot-tell"

# Every answer there is: what it comes to, and what it says. A missing key is a bug, not a pass.
CODES: Final[dict[str, tuple[str, str]]] = {
    "attested": (PASS, "attested by session {session} in entry {seq}"),
    "inherited": (PASS, "the same change as {basis}, which session {session} attested"),
    "clean_merge": (PASS, "a merge that changes nothing its parents do not bring"),
    "empty": (PASS, "it changes no path"),
    "forge_merge": (PASS, "exactly what merging {basis}, which passes, into its parent gives"),
    "signed": (PASS, "signed by {person}"),
    "adoption": (PASS, "the base has no handrail.toml: this comes before or with its adoption"),
    "unattributed": (PASS, "made by nobody known: {reason}"),
    "unattributed_refused": (REFUSED, "made by nobody known: {reason}"),
    "unattested": (REFUSED, "let through without an attestation: {reason}"),
    "unseen": (REFUSED, "the ledger knows nothing of it"),
    "no_ledger": (CANNOT_TELL, "no ledger that knows it can be believed here: {reason}"),
    "octopus": (REFUSED, "it has {parents} parents, and two is the most that can be judged"),
    "replace_ref": (REFUSED, "{ref} would replace objects for whoever fetches it"),
    "not_as_attested": (REFUSED, "entry {seq} attests another tree, other parents or paths"),
    "not_covered": (REFUSED, "no lease of entry {seq} covers {path}"),
    "lease_ended": (REFUSED, "token {token} over {path} had ended in entry {end}"),
    "lease_expired": (REFUSED, "token {token} over {path} had run out when it was attested"),
    "superseded": (
        REFUSED,
        "token {token} over {path} was dead: entry {end} granted {witness} to session {other}",
    ),
    "outside_lane": (REFUSED, "{path} is outside the lane of role {role}"),
    "sandbox_read_only": (
        REFUSED,
        "{path} may not be written in phase {phase} of task {task}, in which session {session} was",
    ),
    "no_packet": (
        REFUSED,
        "session {session} acted for no task by an accepted packet in entry {seq}",
    ),
    "policy_change": (
        REFUSED,
        "{path} is policy, which a coordinator or a person changes, and {who} is neither",
    ),
    "redacted": (CANNOT_TELL, "the payload of entry {end}, which it rests on, was redacted"),
    "head_differs": (
        CANNOT_TELL,
        "its trailer names entry {seq} by a hash which that entry has not in this ledger",
    ),
    "signer_unknown": (CANNOT_TELL, "its signature cannot be checked: {reason}"),
}
BY_THE_LEDGER: Final = frozenset({"attested", "inherited", "forge_merge", "unattributed"})
"""Codes that believe this ledger, and so need it to be the one that the commit knew."""
BASIS_CHARS: Final = 12
REGULAR: Final = frozenset({"000000", "100644", "100755"})
"""Modes of what ``exempt`` may free of a lease: regular files, and their coming and going."""


class ChangedPath(Record):
    """One row of what a commit changes; modes and object ids as git writes them."""

    path: str
    old_mode: str
    new_mode: str
    old_id: str
    new_id: str


class Change(Record):
    """A commit as git tells it.

    ``paths`` are against the one parent, or against what merging two of them gives; None where
    there are more. ``paths_hash`` is the SHA-256 over the sorted raw paths, separated by NUL;
    ``ledger`` what its trailer says of the ledger, ``epoch:seq:hash``, unchecked.
    """

    commit: str
    tree: str
    parents: tuple[str, ...]
    subject: str
    paths: tuple[ChangedPath, ...] | None
    paths_hash: str
    ssh_signed: bool
    ledger: str | None = None

    @property
    def outline(self) -> tuple[tuple[str, str, str], ...]:
        """The raw path and mode list, which an heir must share."""
        return tuple((row.path, row.old_mode, row.new_mode) for row in self.paths or ())


class Judgment(Record):
    """What rule V says of a commit; ``values`` fill the sentence of its code."""

    commit: str
    subject: str
    code: str
    path: str | None
    values: tuple[tuple[str, str], ...]

    @property
    def verdict(self) -> str:
        """Pass, refused or cannot-tell."""
        return verdict_of(self.code)

    @property
    def sentence(self) -> str:
        """Why, in one sentence; hostile text made visible."""
        shown = {name: visible(value) for name, value in (*self.values, ("path", self.path or ""))}
        return CODES[self.code][1].format_map(shown)


class Standing(Record):
    """An attestation where it stands; ``attested`` is None where its payload was redacted.

    ``law`` is the configuration in force there, None where that cannot be read any more; ``role``
    is what the session acted as.
    """

    seq: int
    at: int
    session: str | None
    attested: CommitAttested | None
    law: Law | None
    role: str | None = None


def verdict_of(code: str) -> str:
    """Return what a code comes to."""
    return CODES[code][0]


def say(change: Change, code: str, path: str | None = None, **values: object) -> Judgment:
    """Make a judgment."""
    told = tuple((name, str(value)) for name, value in values.items())
    return Judgment(change.commit, change.subject, code, path, told)


# --- one attestation -----------------------------------------------------------------------------


class Charter(Record):
    """What only a coordinator or a person may change, by the base.

    ``signed`` tells whether the base knows persons by their keys: then a person can sign such a
    change, and one by nobody known does not count as a person's.
    """

    patterns: tuple[Pattern, ...] = ()
    coordinators: frozenset[str] = frozenset()
    signed: bool = False
    fold_case: bool = False

    def breach(self, change: Change, roles: Iterable[str | None], who: str) -> Judgment | None:
        """Return why a change may not be made by whoever acts as ``roles``; None if it may."""
        if not self.coordinators.isdisjoint(roles):
            return None
        for row in change.paths or ():
            path = normalise_path(row.path, fold_case=self.fold_case)
            if any(matches(pattern, path) for pattern in self.patterns):
                return say(change, "policy_change", row.path, who=who)
        return None


def judge_attested(
    change: Change,
    standings: Sequence[Standing],
    chronicle: Chronicle,
    charter: Charter = Charter(),  # noqa: B008 - a constant
) -> Judgment | None:
    """Judge a commit by its attestations, oldest first; None if it has none.

    One that passes is enough: a later one takes nothing away. Else the first says why not.
    """
    first: Judgment | None = None
    for standing in standings:
        judgment = _judge_standing(change, standing, chronicle, charter)
        if judgment.verdict == PASS:
            return judgment
        first = first or judgment
    return first


def _judge_standing(
    change: Change, standing: Standing, chronicle: Chronicle, charter: Charter
) -> Judgment:
    attested, law, seq = standing.attested, standing.law, standing.seq
    if attested is None or law is None:
        return say(change, "redacted", end=seq)
    named = (attested.commit, attested.tree, attested.parents, attested.paths_hash)
    if named != (change.commit, change.tree, change.parents, change.paths_hash):
        return say(change, "not_as_attested", seq=seq)
    return _judge_cover(change, standing, chronicle, charter)


def _judge_cover(
    change: Change, standing: Standing, chronicle: Chronicle, charter: Charter
) -> Judgment:
    """Judge whether the leases of an attestation cover these paths."""
    attested, law, seq = standing.attested, standing.law, standing.seq
    if attested is None or law is None:
        return say(change, "redacted", end=seq)
    if standing.session is None and change.paths:
        return say(change, "not_covered", change.outline[0][0], seq=seq)
    bond = _bond(standing, chronicle, law)
    covers = [_cover(standing, token, until, chronicle, law) for token, until in attested.cover]
    for row in change.paths or ():
        if chronicle.wrote(attested.written, seq, row.path, row.new_id):
            continue
        refusal = _judge_path(change, row, standing, law, bond, covers)
        if refusal is not None:
            return refusal
    roles = {standing.role, *(one.grant.role for one in covers if one.grant is not None)}
    breach = charter.breach(change, roles, f"session {standing.session or '-'}")
    return breach or say(change, "attested", session=standing.session or "nobody", seq=seq)


class _Bond(Record):
    """What a session's task let it write at an entry; ``fault`` and ``values`` as in a cover."""

    cage: Cage | None = None
    fault: str | None = None
    values: Mapping[str, object] = {}


def _bond(standing: Standing, chronicle: Chronicle, law: Law) -> _Bond:
    """Find out what bound the session at the entry of its attestation."""
    policy, session, annals = law.policy, standing.session or "", chronicle.annals
    if not (policy.phases or policy.required):
        return _Bond()
    lost = annals.lost(standing.seq)
    if lost is not None:
        return _Bond(None, "redacted", {"end": lost})
    state = annals.before(standing.seq)
    tasks = tuple(state.tasks.values())
    newest = (state.packet(task.id, task.number) for task in tasks)
    offered = {packet.task for packet in newest if packet is not None and packet.state == OPEN}
    if policy.required and not entitled(policy, session, tasks, offered):
        return _Bond(None, "no_packet", {"session": session, "seq": standing.seq})
    return _Bond(cage_of(policy, session, standing.role, tasks))


def _loosed(change: Change, row: ChangedPath, path: str, bond: _Bond) -> Judgment | None:
    """Return why a session's task did not let it write a path; None if it did."""
    if bond.fault is not None:
        return say(change, bond.fault, row.path, **bond.values)
    cage = bond.cage
    if cage is None or any(matches(pattern, path) for pattern in cage.allowed):
        return None
    held = {"phase": cage.step.name, "task": cage.task.id, "session": cage.task.holder}
    return say(change, "sandbox_read_only", row.path, **held)


class _Cover(Record):
    """A token that an attestation rests on; ``fault`` is why it cannot, a code with its values."""

    grant: LeaseGranted | None
    patterns: tuple[Pattern, ...]
    fault: str | None
    values: Mapping[str, object]


def _cover(standing: Standing, token: int, until: int, chronicle: Chronicle, law: Law) -> _Cover:
    """Find out whether a token was live and the session's own, at the entry of the attestation."""
    grant = chronicle.grant(token)
    if grant is None or token >= standing.seq or holder_of(grant) != standing.session:
        return _Cover(None, (), "not_covered", {"seq": standing.seq})
    if grant.event is None:
        return _Cover(None, (), "redacted", {"end": token})
    event, patterns = grant.event, patterns_of(grant.event)
    end = chronicle.end_of(token, standing.seq)
    if end is not None:
        return _Cover(event, patterns, "lease_ended", {"token": token, "end": end})
    if until <= standing.at:
        return _Cover(event, patterns, "lease_expired", {"token": token})
    rival = chronicle.rival(token, standing.seq, law)
    if rival is None:
        return _Cover(event, patterns, None, {})
    if rival.session is None:
        return _Cover(event, patterns, "redacted", {"end": rival.seq})
    values = {"token": token, "end": rival.seq, "witness": rival.witness, "other": rival.session}
    return _Cover(event, patterns, "superseded", values)


def _judge_path(
    change: Change,
    row: ChangedPath,
    standing: Standing,
    law: Law,
    bond: _Bond,
    covers: Sequence[_Cover],
) -> Judgment | None:
    """Return why a path is not covered; None if it is, or needs no lease."""
    path = normalise_path(row.path, fold_case=law.fold_case)
    regular = REGULAR.issuperset((row.old_mode, row.new_mode))
    if regular and any(matches(pattern, path) for pattern in law.policy.exempt):
        return None
    refusal = _loosed(change, row, path, bond)
    if refusal is not None:
        return refusal
    for cover in covers:
        if cover.grant is None and cover.fault == "redacted":
            refusal = refusal or say(change, "redacted", row.path, **cover.values)
        if not any(matches(pattern, path) for pattern in cover.patterns):
            continue
        if cover.fault is not None:
            refusal = say(change, cover.fault, row.path, **cover.values)
        elif cover.grant is not None and not (
            bond.cage is not None or _in_lane(law.policy, cover.grant.role, path)
        ):
            role = cover.grant.role or "none"
            refusal = say(change, "outside_lane", row.path, role=role)
        else:
            return None
    return refusal or say(change, "not_covered", row.path, seq=standing.seq)


def _in_lane(policy: Policy, role: str | None, path: str) -> bool:
    """Tell whether a role may hold a path; where there are no roles, any may."""
    lane = (*policy.lanes.get(role or "", ()), *policy.commons)
    return not policy.lanes or any(matches(pattern, path) for pattern in lane)


# --- without an attestation of its own -----------------------------------------------------------


def judge_bare(change: Change) -> Judgment | None:
    """Judge what needs no lease because nothing was written; octopuses cannot be judged at all."""
    if change.paths is None:
        return say(change, "octopus", parents=len(change.parents))
    if change.paths:
        return None
    return say(change, "clean_merge" if len(change.parents) == 2 else "empty")


def may_inherit(change: Change, other: Change) -> bool:
    """Tell whether two commits change the same raw paths between the same modes.

    Only then are their diffs compared. Merges and commits without paths inherit nothing.
    """
    alike = change.outline == other.outline and change.commit != other.commit
    return alike and bool(change.paths) and len(change.parents) < 2 > len(other.parents)


def digest_of(change: Change, patch: str) -> str:
    """Return a digest of what a commit does: the same for two, and each may inherit from the other.

    ``patch`` is a digest of its diff without line numbers. Modes stand in it besides: a diff shows
    none for what it only creates empty.
    """
    rows = [f"{path}\0{old}\0{new}" for path, old, new in change.outline]
    said = "\0".join([*rows, patch])
    return sha256(said.encode("utf-8", "surrogateescape")).hexdigest()


def judge_heir(
    change: Change,
    standings: Sequence[Standing],
    chronicle: Chronicle,
    charter: Charter = Charter(),  # noqa: B008 - a constant
) -> Judgment | None:
    """Judge a commit by attestations of commits that do the same; None if none of them passes.

    That they do is for the caller to know: their ``change`` equals what ``digest_of`` gives.
    """
    for standing in standings:
        if standing.attested is None or standing.attested.commit == change.commit:
            continue
        judgment = _judge_cover(change, standing, chronicle, charter)
        if judgment.verdict == PASS:
            basis = standing.attested.commit[:BASIS_CHARS]
            return say(change, "inherited", session=standing.session, basis=basis)
    return None


def judge_recorded(
    change: Change,
    event: Event,
    *,
    unattributed: str,
    charter: Charter = Charter(),  # noqa: B008 - a constant
) -> Judgment:
    """Judge a commit that nothing attests by what was recorded when it came.

    ``unattributed`` is the setting of the base: ``report`` or ``refuse``.
    """
    path = change.paths[0].path if change.paths else None
    reason = getattr(event, "reason", "")
    if not isinstance(event, CommitUnattributed):
        return say(change, "unattested", path, reason=reason)
    code = "unattributed" if unattributed == "report" else "unattributed_refused"
    breach = charter.breach(change, (), "nobody known") if charter.signed else None
    if breach is not None and code == "unattributed":
        return breach
    return say(change, code, path, reason=reason)

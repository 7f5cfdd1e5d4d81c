"""What speaks against a pull request: one check after the other, the first that objects decides.

Promise: each check sees all that the pull request touches and names every objection it has, at most
``OBJECTIONS_MAX``; none of them changes anything. What passes them all can be granted.

    found = objections(case)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from handrail import errors
from handrail.core.decide import Claim, Edit, Policy, View, check_role, decide
from handrail.core.decide.edit import check_guarded, guarded_by, is_exempt
from handrail.core.landing import CANNOT_TELL, REFUSED, REGULAR, Change, ChangedPath
from handrail.core.lease import EXCLUSIVE, TTL_MAX_MS, Lease, Session
from handrail.core.record import Record
from handrail.core.scope import Pattern, matches, normalise_path

OBJECTIONS_MAX: Final = 50
SESSION_PREFIX: Final = "pr-"


class Objection(Record):
    """Why a pull request may not land, with the code and the values of the refusal."""

    code: str
    path: str | None
    sentence: str
    values: tuple[tuple[str, object], ...] = ()
    verdict: str = REFUSED


class Case(Record):
    """A pull request as its checks look at it.

    ``patterns`` are a scope for each path that is written, by path; ``merges`` its merges, which
    write nothing of their own; ``near`` gives the leases of others that may conflict.
    """

    session: Session
    policy: Policy
    fold_case: bool
    epoch: str
    now: int
    patterns: dict[str, Pattern | None]
    merges: tuple[Change, ...]
    near: Callable[[Sequence[Pattern]], Iterable[Lease]]


Check = Callable[[Case], Iterator[Objection]]


def objections(case: Case) -> tuple[Objection, ...]:
    """Run the checks in their order; returns what the first one objects to, if any does."""
    for check in CHECKS:
        found = tuple(islice(check(case), OBJECTIONS_MAX))
        if found:
            return found
    return ()


def claim_of(case: Case, patterns: Sequence[Pattern]) -> Claim:
    """Return what a pull request asks for; the rule is asked with the longest life it knows."""
    single = frozenset(pattern.text for pattern in patterns if pattern.is_literal)
    return Claim(case.session, tuple(patterns), EXCLUSIVE, TTL_MAX_MS, single=single)


def view_of(case: Case, patterns: Sequence[Pattern]) -> View:
    """Return what the rule looks at: the leases of others; one's own are given back anyway."""
    return View(case.epoch, tuple(case.near(patterns)), policy=case.policy)


def needs_lease(case_policy: Policy, row: ChangedPath, *, fold_case: bool) -> bool:
    """Tell whether a changed path needs a lease, as rule V does: exempt are regular files only."""
    regular = REGULAR.issuperset((row.old_mode, row.new_mode))
    path = normalise_path(row.path, fold_case=fold_case)
    return not (regular and is_exempt(case_policy, path))


def _guards(case: Case) -> Iterator[Objection]:
    """Object to what is guarded; what is not git's own, a coordinator may change."""
    role = case.policy.roles.get(case.session.role or "")
    coordinates = role is not None and role.coordinates
    for path, pattern in case.patterns.items():
        kind = guarded_by(case.policy, path)
        if kind is None and pattern is not None:
            continue
        if coordinates and kind not in (None, "git"):
            continue
        try:
            check_guarded(case.policy, Edit(case.session, (path,), TTL_MAX_MS), path)
        except errors.GuardedPath as refusal:
            yield _refused(refusal, path)


def _lanes(case: Case) -> Iterator[Objection]:
    """Object to what the role may not hold: its lane, its sandbox."""
    for path, pattern in case.patterns.items():
        try:
            if pattern is not None:
                check_role(case.policy, claim_of(case, (pattern,)))
        except (errors.Refused, errors.UnknownRole, errors.MalformedScope) as refusal:
            yield _refused(refusal, path)


def _merges(case: Case) -> Iterator[Objection]:
    """Object to merges of many, and to merges that settle what the pull request does not write.

    What a merge drops of another's landed work is free, and nobody wrote there.
    """
    for change in case.merges:
        if change.paths is None:
            values = (("parents", len(change.parents)),)
            sentence = f"{change.commit[:12]} has {len(change.parents)} parents"
            yield Objection("octopus", None, f"{sentence}, and two is the most", values)
        for row in change.paths or ():
            path = normalise_path(row.path, fold_case=case.fold_case)
            held = (one for one in case.patterns.values() if one is not None)
            if needs_lease(case.policy, row, fold_case=case.fold_case) and not any(
                matches(pattern, path) for pattern in held
            ):
                sentence = (
                    f"merge {change.commit[:12]} changes {row.path}, which no other commit of the"
                    " pull request touches: it drops or adds something"
                )
                yield Objection("not_covered", row.path, sentence, (("commit", change.commit),))


def _overlaps(case: Case) -> Iterator[Objection]:
    """Object to what another open pull request holds; name it, and a path in both."""
    for path, pattern in case.patterns.items():
        if pattern is None:
            continue
        try:
            decide(view_of(case, (pattern,)), claim_of(case, (pattern,)), case.now)
        except errors.ScopeHeld as refusal:
            values = tuple(refusal.values.items())
            yield Objection(refusal.code, path, _held(refusal), values)
        except errors.Refused as refusal:
            yield _refused(refusal, path)


CHECKS: Final[tuple[Check, ...]] = (_guards, _lanes, _merges, _overlaps)
"""In this order: what may never be, what this role may not, what others hold."""


def _refused(refusal: errors.HandrailError, path: str) -> Objection:
    return Objection(refusal.code, path, refusal.message, tuple(refusal.values.items()))


def _held(refusal: errors.ScopeHeld) -> str:
    session, holder = str(refusal.values["session"]), refusal.values["holder"]
    witness = refusal.values["witness"]
    number = session.removeprefix(SESSION_PREFIX)
    if number != session and number.isdigit():
        return f"pull request #{number} (agent {holder}) is open and changes {witness} too"
    return f"session {session} (agent {holder}) holds {witness}"


def undecided(code: str, sentence: str) -> Objection:
    """Say what cannot be told."""
    return Objection(code, None, sentence, (), CANNOT_TELL)

"""What a pull request holds: its session, its leases, its attestations, as changes to commit.

Promise: every grant, every attestation and every end is decided by the rules of the core; here they
are put together so that one commit makes all of it true, or none.

    held, changes = leases(tx, case, before)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from handrail import errors
from handrail.config import Settings
from handrail.core.decide import (
    Attest,
    Changes,
    CommitFacts,
    EndSession,
    Policy,
    Release,
    View,
    decide,
)
from handrail.core.events import Event, LeaseGranted, Move, SessionEnded
from handrail.core.forge import PullRequest
from handrail.core.landing import Change, digest_of
from handrail.core.lease import Lease, Session
from handrail.core.ledger import read_event
from handrail.core.record import Record
from handrail.core.scope import (
    SCOPE_PATTERNS_MAX,
    SCOPE_WILD_MAX,
    Pattern,
    matches,
    normalise_path,
    parse_pattern,
    uncovered,
)
from handrail.core.scope.naming import scope_for
from handrail.core.state import lease_of
from handrail.service.context import History
from handrail.service.identity import actor_of
from handrail.service.pull_request_checks import (
    SESSION_PREFIX,
    Case,
    claim_of,
    needs_lease,
    view_of,
)
from handrail.service.verification import Verified
from handrail.store.port import Reader, Tx

TTL_MS: Final = 30 * 86_400_000
"""How long a grant of a pull request lives: it is open for weeks, and only its own events renew it.

One that nobody touched for a month is abandoned, and what it holds is free again.
"""
RENEW_AFTER_MS: Final = 86_400_000
"""A grant that is younger is not made anew: a day more or less, and far fewer entries."""
PATHS_MAX: Final = 10_000


class Brought(Record):
    """What a pull request brings, and who judges: commits parents first, ``held`` to be held.

    The others pass by themselves: a person signed them, or another session attested them.
    """

    pull: PullRequest
    base: str
    settings: Settings
    policy: Policy
    commits: tuple[str, ...]
    held: tuple[Change, ...]
    patches: Mapping[str, str]
    before: Verified
    agent: str
    role: str | None


def session_id(pull: PullRequest) -> str:
    """Return the session of a pull request; its working tree has the same name."""
    return f"{SESSION_PREFIX}{pull.number}"


def ended_because(reader: Reader, session: str) -> str | None:
    """Return why a session has ended; None if it is live or was never there."""
    known = reader.session(session)
    if known is None or known.live:
        return None
    entry = reader.latest("session.ended", session)
    event = None if entry is None else read_event(entry)
    return event.reason if isinstance(event, SessionEnded) else "closed"


def ending(tx: Tx, session: Session, reason: str) -> Changes:
    """Return what ends a session and all that it holds."""
    view = View(tx.epoch, tx.leases(session.id), tx.waiters())
    return decide(view, EndSession(session, reason), tx.now)


def patches_of(history: History, changes: Sequence[Change]) -> dict[str, str]:
    """Return digests of the diffs that others may inherit by; none where they are too long."""
    single = [one.commit for one in changes if one.paths and len(one.parents) < 2]
    try:
        return history.patches(single)
    except errors.FactsUnavailable:
        return {}


def facts_of(change: Change, patches: Mapping[str, str], *, fold_case: bool) -> CommitFacts:
    """Return a commit as the rule for attesting compares it."""
    paths = tuple(normalise_path(row.path, fold_case=fold_case) for row in change.paths or ())
    patch = patches.get(change.commit)
    digest = None if patch is None else digest_of(change, patch)
    about = (change.commit, change.tree, change.parents, paths, change.paths_hash)
    return CommitFacts(*about, digest)


def _numbered(seq: int, now: int, session: Session, changes: Changes) -> list[Lease]:
    """Return the leases that changes will give if they are committed after entry ``seq``."""
    found = []
    for change in changes:
        seq += not isinstance(change, Move)
        if isinstance(change, LeaseGranted):
            found.append(lease_of(seq, now, actor_of(session), change))
    return found


def case_of(tx: Tx, brought: Brought, session: Session) -> Case:
    """Set out what the checks look at."""
    fold = brought.settings.workspace.fold_case
    paths: dict[str, Pattern | None] = {}
    for change in brought.held:
        for row in change.paths or () if len(change.parents) < 2 else ():
            if needs_lease(brought.policy, row, fold_case=fold):
                plain = normalise_path(row.path, fold_case=fold)
                if plain not in paths:
                    text = scope_for(plain)
                    paths[plain] = None if text is None else parse_pattern(text, fold_case=fold)
    if len(paths) > PATHS_MAX:
        reason = f"it changes more than {PATHS_MAX} paths"
        raise errors.FactsUnavailable(what=f"pull request #{brought.pull.number}", reason=reason)
    merges = tuple(change for change in brought.held if len(change.parents) > 1)

    def near(patterns: Sequence[Pattern]) -> list[Lease]:
        return [lease for lease in tx.near(patterns) if lease.session != session.id]

    about = (session, brought.policy, fold, tx.epoch, tx.now)
    return Case(*about, paths, merges, near)


def leases(tx: Tx, case: Case, before: Changes) -> tuple[list[Lease], Changes]:
    """Return the leases that hold all that is written, and what it takes to have them."""
    own = tx.leases(case.session.id)
    ended = {getattr(change, "token", None) for change in before}
    own = [lease for lease in own if lease.token not in ended]
    wanted = {one.text: one for one in case.patterns.values() if one is not None}
    young = all(tx.now - lease.granted_at < RENEW_AFTER_MS for lease in own)
    if own and young and {p.text for lease in own for p in lease.patterns} == set(wanted):
        return own, []
    release = Release(case.session, tuple(own), "renewed")
    changes = decide(View(tx.epoch, tuple(own)), release, tx.now) if own else []
    for group in _groups(case, list(wanted.values())):
        found = decide(view_of(case, group), claim_of(case, group), tx.now)
        changes += [_for_long(one, tx.now) for one in found if one not in changes]
    seq = tx.head.seq + sum(not isinstance(change, Move) for change in before)
    return _numbered(seq, tx.now, case.session, changes), changes


def _for_long(change: Event | Move, now: int) -> Event | Move:
    """Let a grant live as long as a pull request may take; the rule itself knows a day at most."""
    if not isinstance(change, LeaseGranted):
        return change
    return change._replace(ttl_ms=TTL_MS, expires_at=now + TTL_MS)


def _groups(case: Case, wanted: Sequence[Pattern]) -> list[list[Pattern]]:
    """Put patterns together as they can be granted: contended paths apart, no group too large."""
    contended = [p for p in wanted if _within(p, case.policy.contended)]
    rest = [p for p in wanted if p not in contended]
    groups = []
    for part in (rest, contended):
        literal = [pattern for pattern in part if pattern.is_literal]
        wild = [pattern for pattern in part if not pattern.is_literal]
        for found, most in ((literal, SCOPE_PATTERNS_MAX), (wild, SCOPE_WILD_MAX)):
            groups += [found[start : start + most] for start in range(0, len(found), most)]
    return groups


def _within(pattern: Pattern, contended: Sequence[Pattern]) -> bool:
    if pattern.is_literal:
        return any(matches(one, pattern.text) for one in contended)
    return bool(contended) and uncovered(pattern, contended) is None


def attested(tx: Tx, brought: Brought, case: Case, held: Sequence[Lease]) -> Changes:
    """Attest what is held and not attested yet."""
    codes = {judgment.commit: judgment.code for judgment in brought.before.judgments}
    fresh = [change for change in brought.held if codes[change.commit] != "attested"]
    facts = tuple(facts_of(change, brought.patches, fold_case=case.fold_case) for change in fresh)
    view = View(tx.epoch, tuple(held), policy=case.policy)
    return decide(view, Attest(case.session, facts, (), None), tx.now)

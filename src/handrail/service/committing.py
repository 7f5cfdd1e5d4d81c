"""A commit while it is being made: what the ``reference-transaction`` hook asks.

Promises: a commit is attested in the one transaction that checks the leases over all its paths, and
claims what is free of them; or it is refused with every path that stands in its way, and nothing
has changed. Local leases that it leaves clean end with it. A commit that is attested and whose ref
git then fails to move is in no ref: it binds nobody, and its paths can be claimed anew.

    Committing(context).commit("4b825d…")       # raises NotCovered, StaleBytes, UnsupportedCommit
    Committing(context).unattested(((ref, old, new),), (new,), "no session")
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from handrail import errors
from handrail.core.decide import (
    PARENTS_MAX,
    Attest,
    Changes,
    Commit,
    CommitFacts,
    Edit,
    Looked,
    decide,
)
from handrail.core.events import CommitAttested, CommitUnattested, CommitUnattributed
from handrail.core.lease import LOCAL, Session
from handrail.core.scope import Pattern, parse_pattern
from handrail.core.scope.naming import scope_for
from handrail.service.attempts import with_facts
from handrail.service.attestation import Attested, facts_of
from handrail.service.clean import written_in
from handrail.service.context import CommitRow, Context
from handrail.service.edits import around, view_for
from handrail.service.identity import UNATTRIBUTED, acting, actor_of, require_session
from handrail.service.looking import plain, under
from handrail.service.policy import Rules, rules_in_force
from handrail.store.port import Reader
from handrail.typed import Final

COMMITS_RECORDED_MAX: Final = 1_000
Updates = Sequence[tuple[str, str, str]]


class Committing:
    """The use cases of a commit that is being made."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def commit(self, commit: str, *, seen: Container[str] | None = None) -> Attested:
        """Attest one commit that exists and is in no ref yet; claims what is free of its paths.

        Of a merge it claims nothing. ``seen``: see ``attempts.with_facts``.
        """
        (row,) = self._context.outside.commits(commit)
        if len(row.parents) > PARENTS_MAX:
            raise errors.UnsupportedCommit(commit=row.commit, parents=len(row.parents))
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            session = require_session(reader, self._context)
            local = _local_scopes(reader, session)
        facts = facts_of(row, rules, written_in(self._context, rules, commit, row.paths))
        left = self._left(rules, row, facts, local)
        return with_facts(self._context, lambda looked: self._attempt(facts, left, looked), seen)

    def _attempt(self, facts: CommitFacts, left: frozenset[str] | None, looked: Looked) -> Attested:
        with self._store.transaction() as tx:
            session = require_session(tx, self._context)
            rules = rules_in_force(tx)
            if tx.attestation(facts.commit) is not None:
                return Attested((), (facts.commit,), tx.epoch, tx.head)
            edit = Edit(
                session=session,
                paths=facts.paths,
                ttl_ms=rules.settings.limits.ttl_ms,
                auto_claim=rules.settings.workspace.auto_claim,
                looked=looked,
            )
            view = view_for(tx, rules, session, around(edit))
            changes = decide(view, Commit(edit, Attest(session, (facts,), left=left)), tx.now)
            tx.commit(changes, actor_of(session))
            return Attested(_attested(changes), (), tx.epoch, tx.head)

    def _left(
        self, rules: Rules, row: CommitRow, facts: CommitFacts, local: Sequence[Pattern]
    ) -> frozenset[str] | None:
        """Return what stays dirty beside the commit, where local leases are and will be.

        Its own paths look dirty still, for HEAD has not moved: they count where the file is not
        what the commit holds. None where git does not tell.
        """
        own = [scope_for(path) for path in facts.paths]
        scopes = [*local, *(parse_pattern(text) for text in own if text is not None)]
        try:
            blobs: dict[str, str | None] = dict.fromkeys(row.paths)
            for one in under(self._context, rules, scopes):
                blobs[one.path] = one.blob
            unlike = self._context.outside.unlike(row.commit, blobs)
        except errors.FactsUnavailable:
            return None
        return frozenset(plain(rules, path) for path in unlike)

    def unattested(self, updates: Updates, commits: Sequence[str], reason: str) -> None:
        """Record that refs moved over commits that nothing attests, by an agent, known or not."""
        with self._store.transaction() as tx:
            event = CommitUnattested(tuple(updates), tuple(commits[:COMMITS_RECORDED_MAX]), reason)
            tx.commit([event], acting(tx, self._context))

    def unattributed(self, updates: Updates, commits: Sequence[str], reason: str) -> None:
        """Record that refs moved by nobody that is known here."""
        kept = tuple(commits[:COMMITS_RECORDED_MAX])
        with self._store.transaction() as tx:
            tx.commit([CommitUnattributed(tuple(updates), kept, reason)], UNATTRIBUTED)


def _local_scopes(reader: Reader, session: Session) -> list[Pattern]:
    """Return the scopes of the session's leases that end by themselves."""
    return [
        pattern
        for lease in reader.leases(session.id)
        if lease.kind == LOCAL and not lease.lasting
        for pattern in lease.patterns
    ]


def _attested(changes: Changes) -> tuple[str, ...]:
    return tuple(change.commit for change in changes if isinstance(change, CommitAttested))

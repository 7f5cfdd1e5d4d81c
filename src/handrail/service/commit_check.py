"""What may be committed: the staged paths against the leases, before git makes the commit.

Promises: the same rule as when the commit is attested, and nothing changes; all that stands in the
way is named at once.

    CommitCheck(context).staged()       # None, or NotCovered with a reason for each path
    CommitCheck(context).trailers()     # ("Handrail-Session: 0f3c…", "Handrail-Ledger: 3fk2:…")
"""

from __future__ import annotations

from collections.abc import Container

from handrail import errors
from handrail.core.decide import Attest, Commit, CommitFacts, Edit, Looked, decide
from handrail.core.lease import Session
from handrail.service.attempts import with_facts
from handrail.service.clean import written_of
from handrail.service.context import Context
from handrail.service.edits import around, view_for
from handrail.service.identity import require_session
from handrail.service.looking import plain
from handrail.service.policy import rules_in_force

SESSION_TRAILER = "Handrail-Session"
LEDGER_TRAILER = "Handrail-Ledger"


class CommitCheck:
    """The use cases before a commit."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def session(self) -> Session:
        """Return the asking session; raises UnknownSession, WrongWorktree, WrongSecret."""
        with self._store.read() as reader:
            return require_session(reader, self._context)

    def is_known(self) -> bool:
        """Tell whether a session that is proven and belongs here asks."""
        if self._context.caller.session is None:
            return False
        try:
            self.session()
        except errors.HandrailError:
            return False
        return True

    def staged(self, *, seen: Container[str] | None = None) -> errors.NotCovered | None:
        """Return what stands in the way of committing what is staged; None if nothing does.

        ``seen``: see ``attempts.with_facts``.
        """
        raw = self._context.outside.staged()
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            session = require_session(reader, self._context)
        paths = tuple(dict.fromkeys(plain(rules, path) for path in raw))
        edit = Edit(
            session=session,
            paths=paths,
            ttl_ms=rules.settings.limits.ttl_ms,
            auto_claim=rules.settings.workspace.auto_claim,
        )
        written = written_of(self._context, rules, raw)
        facts = CommitFacts("staged", "", (), paths, "", written=written)
        try:
            with_facts(self._context, lambda looked: self._judge(edit, facts, looked), seen)
        except errors.NotCovered as refusal:
            return refusal
        return None

    def _judge(self, edit: Edit, facts: CommitFacts, looked: Looked) -> None:
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            view = view_for(tx, rules, edit.session, around(edit))
            attest = Attest(edit.session, (facts,))
            decide(view, Commit(edit._replace(looked=looked), attest), tx.now)

    def trailers(self) -> tuple[str, ...]:
        """Return the lines that a commit's message carries: who, and the newest entry before."""
        with self._store.read() as reader:
            session = require_session(reader, self._context)
            head = reader.head
            return (
                f"{SESSION_TRAILER}: {session.id}",
                f"{LEDGER_TRAILER}: {reader.epoch}:{head.seq}:{head.hash}",
            )

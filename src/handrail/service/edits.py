"""Edits: what the guard asks when its look-up does not answer.

Promises: one transaction an edit, all of its paths or none; a free path of one's lane is claimed by
the way (a local lease, which ends by itself once the path is committed and clean); what one holds
is renewed past half of its life; git is asked only where others left work or landed commits.

    edited = Edits(context).edit(("src/api/users.py",))   # raises ScopeHeld, OutsideLane, Orphaned,
    edited.granted                                        # StaleBytes, GuardedPath, NotHolder, …
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from handrail.core.decide import Changes, Edit, Keep, View, decide
from handrail.core.events import LeaseGranted, LeaseRenewed
from handrail.core.lease import Session
from handrail.core.ledger import format_token, read_event
from handrail.core.record import Record
from handrail.core.scope import Pattern, parse_pattern
from handrail.core.scope.naming import scope_for
from handrail.service.attempts import with_facts
from handrail.service.context import Context
from handrail.service.identity import actor_of, require_session
from handrail.service.looking import plain
from handrail.service.policy import Rules, duty_in, rules_in_force
from handrail.store.port import Tx


class Grant(Record):
    """A lease that an edit claimed by the way, as ``epoch:seq`` and patterns."""

    token: str
    scope: tuple[str, ...]


class Edited(Record):
    """What an edit led to: new leases, tokens that were renewed."""

    granted: tuple[Grant, ...]
    renewed: tuple[str, ...]


class Edits:
    """The use case of an edit."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def edit(
        self,
        paths: Sequence[str],
        *,
        own_settings: bool = False,
        seen: Container[str] | None = None,
    ) -> Edited:
        """Let the asking session write these paths, relative to the root and free of links.

        ``own_settings``: the harness settings among them keep Handrail's entries. Raises the first
        refusal; then nothing was changed. ``seen``: see ``attempts.with_facts``.
        """
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            session = require_session(reader, self._context)
        asked = Edit(
            session=session,
            paths=tuple(dict.fromkeys(plain(rules, path) for path in paths)),
            ttl_ms=rules.settings.limits.ttl_ms,
            auto_claim=rules.settings.workspace.auto_claim,
            own_settings=own_settings,
        )
        return with_facts(
            self._context, lambda looked: self._attempt(asked._replace(looked=looked)), seen
        )

    def _attempt(self, asked: Edit) -> Edited:
        with self._store.transaction() as tx:
            session = require_session(tx, self._context)
            rules = rules_in_force(tx)
            view = view_for(tx, rules, session, around(asked))
            changes = decide(view, asked._replace(session=session), tx.now)
            kept = Keep(session, tuple(tx.leases(session.id)))
            changes += [c for c in decide(view, kept, tx.now) if c not in changes]
            entries = tx.commit(changes, actor_of(session))
            granted = [
                Grant(format_token(tx.epoch, entry.seq), event.patterns)
                for entry in entries
                if isinstance(event := read_event(entry), LeaseGranted)
            ]
            return Edited(tuple(granted), _renewed(tx.epoch, changes))


def _renewed(epoch: str, changes: Changes) -> tuple[str, ...]:
    return tuple(format_token(epoch, c.token) for c in changes if isinstance(c, LeaseRenewed))


def around(asked: Edit) -> tuple[Pattern, ...]:
    """Return patterns whose near leases an edit has to see: the paths, or their folders."""
    texts = [scope_for(path) for path in asked.paths]
    if asked.auto_claim == "directory":
        texts += [scope_for(path.rpartition("/")[0]) for path in asked.paths if "/" in path]
    return tuple(parse_pattern(text) for text in dict.fromkeys(texts) if text is not None)


def view_for(tx: Tx, rules: Rules, session: Session, patterns: Sequence[Pattern]) -> View:
    """Return what a decision about a session's own writing sees: its duty besides."""
    view = view_of(tx, rules, session, patterns)
    return view._replace(duty=duty_in(tx, rules, session))


def view_of(tx: Tx, rules: Rules, session: Session, patterns: Sequence[Pattern]) -> View:
    """Return what a decision about these patterns has to see, unfinished work too."""
    orphans = tx.orphans(session.worktree, patterns)
    landings = tx.landings(0 if orphans else session.started_at, session.id, patterns)
    return View(
        epoch=tx.epoch,
        leases=tuple(tx.near(patterns)),
        waiters=tx.waiters(),
        policy=rules.policy,
        orphans=orphans,
        landings=landings,
        head=tx.head.seq,
    )

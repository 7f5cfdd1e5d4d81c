"""Attesting commits: that they were made under live leases over all their paths."""

from __future__ import annotations

from collections.abc import Sequence

from handrail import errors
from handrail.core.decide import (
    PARENTS_MAX,
    Attest,
    CommitFacts,
    Landed,
    Looked,
    NeedsFacts,
    NotCovered,
    Overtaken,
    Past,
    Uncovered,
    View,
    dead_token,
    decide,
)
from handrail.core.decide.edit import check_judged_by
from handrail.core.events import CommitAttested, LeaseExpired, LeaseGranted
from handrail.core.lease import Landing, Lease, Session
from handrail.core.ledger import Head, format_token, read_if
from handrail.core.record import Record
from handrail.core.scope import matches, normalise_path, stored_pattern
from handrail.core.scope.naming import scope_for
from handrail.core.task import task_of
from handrail.jsontext import quoted
from handrail.service.clean import Written, written_in
from handrail.service.context import CommitRow, Context
from handrail.service.identity import actor_of, require_session
from handrail.service.leases import grants_after, past_lease
from handrail.service.looking import (
    changed_paths,
    excludes,
    landed_since,
    plain,
    under,
    with_looks,
)
from handrail.service.policy import Rules, duty_in, rules_in_force
from handrail.store.port import Tx
from handrail.text import shell_quote
from handrail.typed import Any

PATHS_TOLD_MAX = 20


class Attested(Record):
    """Commits that are attested now, those that were before, and the ledger's head after it."""

    commits: tuple[str, ...]
    before: tuple[str, ...]
    epoch: str
    head: Head


class Attestation:
    """The use case of attesting a range."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def attest(self, text: str, *, dry_run: bool = False) -> Attested:
        """Attest every commit of a range, or none; names all paths that are not covered."""
        rows = self._context.outside.commits(text)
        _check_parents(rows, text)
        return with_looks(lambda _: self._attempt(rows, dry_run=dry_run), lambda _: Looked())

    def _attempt(self, rows: Sequence[CommitRow], *, dry_run: bool) -> Attested:
        overtaken, left, seen = self._around(rows)
        written = self._written(rows)
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            session = require_session(tx, self._context)
            fresh = [row for row in rows if tx.attestation(row.commit) is None]
            facts = tuple(facts_of(row, rules, written.get(row.commit, ())) for row in fresh)
            if any(one.seq > seen for one in tx.landings(0, session.id)):
                raise NeedsFacts(())
            for path in (path for one in facts for path in one.paths):
                check_judged_by(rules.policy, session, path)
            ids = {one.commit for one in facts}
            # What is attested stays so, whatever was landed after it.
            late = tuple(one for one in overtaken if one.commit in ids)
            command = Attest(session, facts, late, left)
            duty = duty_in(tx, rules, session)
            view = View(tx.epoch, tx.leases(session.id), policy=rules.policy, duty=duty)
            try:
                changes = decide(view, command, tx.now)
            except NotCovered as refusal:
                raise self._explain(tx, rules, session, refusal.missing) from refusal
            if not dry_run:
                tx.commit(changes, actor_of(session))
            head, epoch = tx.head, tx.epoch
        done = tuple(change.commit for change in changes if isinstance(change, CommitAttested))
        before = tuple(row.commit for row in rows if row.commit not in done)
        return Attested(done, before, epoch, head)

    def _written(self, rows: Sequence[CommitRow]) -> dict[str, Written]:
        """Return the clean projections of each commit."""
        with self._store.read() as reader:
            rules = rules_in_force(reader)
        context = self._context
        return {row.commit: written_in(context, rules, row.commit, row.paths) for row in rows}

    def _around(
        self, rows: Sequence[CommitRow]
    ) -> tuple[tuple[Overtaken, ...], frozenset[str] | None, int]:
        """Find what others landed that these commits do not know, and what is dirty now.

        A commit that exists may be old, and nothing shows under which lease its bytes were written.
        So it must contain whatever landed on its paths since its session began, as far as that
        could not have been held beside the lease which covers them now. Returns those paths, what
        is dirty under leases that end by themselves, and the entry up to which all this was seen.
        """
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            session = require_session(reader, self._context)
            seen = reader.head.seq
            own = [lease for lease in reader.leases(session.id) if lease.live(reader.now)]
            start = reader.latest("session.started", session.id)
            others = reader.landings(session.started_at, session.id)
            begun = start.seq if start is not None else 0
            since = landed_since(reader, begun, session.id) if others else []
        local = [p for lease in own if not lease.lasting for p in lease.patterns]
        try:
            rows_left = under(self._context, rules, local)
            left = frozenset(plain(rules, row.path) for row in rows_left)
        except errors.FactsUnavailable:
            return self._overtaken(rules, rows, own, since), None, seen
        return self._overtaken(rules, rows, own, since), left, seen

    def _overtaken(
        self,
        rules: Rules,
        rows: Sequence[CommitRow],
        own: Sequence[Lease],
        since: Sequence[tuple[Landed, tuple[Landing, ...]]],
    ) -> tuple[Overtaken, ...]:
        if not since:
            return ()
        landed = [one.commit for one, _ in since]
        changed = changed_paths(self._context, rules, landed)
        found = []
        for row in rows:
            behind = self._context.outside.not_in(row.commit, landed)
            for path in facts_of(row, rules).paths:
                cover = [lease for lease in own if _covers(lease, path)]
                found += [
                    Overtaken(row.commit, path, one)
                    for one, scopes in since
                    if one.commit in behind
                    and path in changed.get(one.commit, frozenset())
                    and any(excludes(rules, lease, scope) for lease in cover for scope in scopes)
                ]
        return tuple(found)

    def _explain(
        self, tx: Tx, rules: Rules, session: Session, missing: tuple[Uncovered, ...]
    ) -> errors.Refused:
        """Find the best reason for the first uncovered path, and list them all."""
        first = missing[0].path
        paths = tuple(dict.fromkeys(gap.path for gap in missing))
        told = paths[:PATHS_TOLD_MAX]
        values: dict[str, Any] = {
            "path": first,
            "paths": told,
            "paths_count": len(paths),
            "asked": tuple(dict.fromkeys(scope_for(path) or path for path in told)),
        }
        past = _last_grant_over(tx, session, first)
        if past is not None:
            later, contended = grants_after(tx, past.token), rules.policy.contended
            dead = dead_token(tx.epoch, session, past, later, contended)
            dead.values.update(values)
            if not isinstance(dead, errors.NotHolder):
                return dead
        for lease in tx.leases():
            if lease.live(tx.now) and _covers(lease, first) and lease.session != session.id:
                task = task_of(lease.session)
                return errors.ScopeHeld(
                    next=None if task is None else f"handrail task show {task}",
                    holder=lease.agent,
                    role=lease.role,
                    session=lease.session,
                    scope=lease.scope,
                    token=format_token(tx.epoch, lease.token),
                    expires_at=lease.expires_at,
                    witness=first,
                    kind=lease.kind,
                    **values,
                )
        return errors.NotHolder(session=session.id, scope=told, **values)


def _check_parents(rows: Sequence[CommitRow], text: str) -> None:
    """Refuse merges of many; what else is in the same range can be attested one by one."""
    for row in rows:
        if len(row.parents) > PARENTS_MAX:
            step = None
            if ".." in text:
                only = f"git rev-list --max-parents={PARENTS_MAX} {shell_quote(text)} --"
                step = f"{only} | xargs -r -n 1 handrail attest"
            raise errors.UnsupportedCommit(
                commit=row.commit, parents=len(row.parents), range=text, next=step
            )


def facts_of(row: CommitRow, rules: Rules, written: Written = ()) -> CommitFacts:
    """Return a commit as the rules compare it; ``written`` are its clean projections."""
    fold = rules.settings.workspace.fold_case
    paths = tuple(normalise_path(path, fold_case=fold) for path in row.paths)
    return CommitFacts(
        row.commit, row.tree, row.parents, paths, row.paths_hash, row.change, written
    )


def _covers(lease: Lease, path: str) -> bool:
    return any(matches(pattern, path) for pattern in lease.patterns)


def _last_grant_over(tx: Tx, session: Session, path: str) -> Past | None:
    """Find the session's newest grant over a path; reads the ledger, for refusals only."""
    newest: int | None = None
    named = quoted(session.id).encode("ascii")
    for entry in tx.entries():
        if named not in (entry.payload or b""):
            continue
        event = read_if(entry, "lease.granted")
        if (
            isinstance(event, LeaseGranted)
            and event.session == session.id
            and any(matches(stored_pattern(text), path) for text in event.patterns)
        ):
            newest = entry.seq
    if newest is None:
        return None
    past = past_lease(tx, newest)
    lease = tx.lease(newest)
    if past is not None and past.ended is None and lease is not None and not lease.live(tx.now):
        return past._replace(ended=LeaseExpired(newest, lease.expires_at))
    return past

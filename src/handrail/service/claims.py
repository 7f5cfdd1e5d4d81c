"""Claiming a scope, and waiting for one in the order of arrival."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from handrail import errors
from handrail.core.decide import (
    Changes,
    Claim,
    Looked,
    NeedsFacts,
    View,
    Wait,
    decide,
    notices,
)
from handrail.core.digest import sha256
from handrail.core.events import LeaseGranted, LeaseRenewed, WaitEnded
from handrail.core.lease import EXCLUSIVE, LOCAL, Kind, Lease, Session, trusted_until
from handrail.core.ledger import Entry, format_token, read_event
from handrail.core.names import check_name
from handrail.core.record import Record
from handrail.core.scope import Pattern, parse_scope
from handrail.service.context import Context
from handrail.service.identity import actor_of, require_session
from handrail.service.policy import Rules, duty_in, rules_in_force, rules_read_last
from handrail.store.port import Ahead, Reader, Request, Tx
from handrail.typed import Final, TypeVar

RETRY_MS: Final = 2_000
Outcome = TypeVar("Outcome")


class Asked(Record):
    """A claim as it was asked for."""

    scope: tuple[str, ...]
    ttl_ms: int | None = None
    role: str | None = None
    shared: bool = False
    request_id: str | None = None
    adopt: bool = False


class Granted(Record):
    """A lease as its holder needs to know it; times in ms since 1970 on the store's clock."""

    token: str
    scope: tuple[str, ...]
    kind: Kind
    role: str | None
    session: str
    expires_at: int
    trusted_until: int
    renewed: bool
    beside: tuple[str, ...]


class _Question(Record):
    """A scope as it was understood before the transaction, and by which reading of case.

    ``ahead`` is what the store is going to be asked for, as far as that is known.
    """

    patterns: tuple[Pattern, ...]
    fold_case: bool
    ahead: Ahead | None


class _Prepared(Record):
    rules: Rules
    session: Session
    claim: Claim


class _Waiting(Record):
    """A place in the queue, counted from 1, the refusal behind it, and when to look again."""

    ticket: int
    place: int
    refusal: errors.Refused
    retry_ms: int


class Claims:
    """The use cases of claiming."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def claim(self, asked: Asked, *, dry_run: bool = False) -> Granted:
        """Claim a scope, or renew what is held already; raises the refusals of a claim."""
        started = self._context.outside.monotonic_ms()
        return self._with_facts(lambda looked: self._claim(asked, looked, started, dry_run=dry_run))

    def _claim(self, asked: Asked, looked: Looked, started: int, *, dry_run: bool) -> Granted:
        question = self._understood(asked)

        def decided(tx: Tx) -> Granted:
            prepared = self._prepare(tx, asked, question, looked)
            request = _request(asked, prepared.session)
            known = tx.outcome(request) if request is not None else None
            if known is not None:
                return self._repeated(tx, known)
            changes = _decide_claim(tx, prepared)
            if dry_run:
                return _granted(tx, prepared, changes, self.asked_at(tx, started), seq=0)
            return self._commit(tx, prepared, changes, started, request)

        return self._store.attempt(decided, question.ahead if question else None)

    def _with_facts(self, attempt: Callable[[Looked], Outcome]) -> Outcome:
        """Let an attempt decide without facts, as nearly all can; only then look and ask around."""
        try:
            return attempt(Looked())
        except (NeedsFacts, errors.ScopeHeld) as lacking:
            from handrail.service.attempts import with_facts

            held = lacking if isinstance(lacking, errors.ScopeHeld) else None
            return with_facts(self._context, attempt, held=held)

    def claim_waiting(
        self,
        asked: Asked,
        *,
        wait_ms: int | None,
        on_wait: Callable[[errors.Refused, int], None] = lambda refusal, place: None,
    ) -> Granted:
        """Claim, and if somebody holds it, wait in the order of arrival.

        ``wait_ms`` bounds the wait (None: as long as it takes); ``on_wait`` is told the refusal
        and the place in the queue whenever either may have changed. Raises the last refusal when
        the time is up, and WouldDeadlock for a wait that could not end.
        """
        outside = self._context.outside
        started = outside.monotonic_ms()
        ticket: int | None = None
        places = self._places()
        try:
            while True:
                # Read before the attempt: whoever commits in between is noticed at once.
                version = self._store.version()
                asked_now = (asked, ticket, outside.monotonic_ms())
                outcome = self._with_facts(partial(self._attempt, *asked_now))
                if isinstance(outcome, Granted):
                    ticket = None
                    return outcome
                ticket = outcome.ticket
                if self._reclaimed(outcome.refusal):
                    continue
                on_wait(outcome.refusal, outcome.place)
                left = outcome.retry_ms
                if wait_ms is not None:
                    left = min(left, wait_ms - (outside.monotonic_ms() - started))
                    if left <= 0:
                        raise outcome.refusal
                self._pause_until_changed(version, left)
        except KeyboardInterrupt:
            # It may have come between the place that was taken and its number being known here.
            new = self._places() - places if ticket is None else set()
            ticket = min(new, default=ticket)
            raise
        finally:
            if ticket is not None:
                self._leave_queue(ticket)

    def _places(self) -> set[int]:
        """Return the places in the queue that the asking session has."""
        with self._store.read() as reader:
            waiters = reader.waiters()
        return {one.ticket for one in waiters if one.session == self._context.caller.session}

    def _attempt(
        self, asked: Asked, ticket: int | None, started: int, looked: Looked
    ) -> Granted | _Waiting:
        question = self._understood(asked)

        def decided(tx: Tx) -> Granted | _Waiting:
            prepared = self._prepare(tx, asked, question, looked, ticket)
            request = _request(asked, prepared.session)
            known = tx.outcome(request) if request is not None else None
            if known is not None:
                return self._repeated(tx, known)
            try:
                changes = _decide_claim(tx, prepared)
            except (errors.ScopeHeld, errors.ScopeAwaited, errors.UnanchoredLimit) as refusal:
                return _queue(tx, prepared, refusal)
            return self._commit(tx, prepared, changes, started, request)

        return self._store.attempt(decided, question.ahead if question else None)

    def _reclaimed(self, refusal: errors.Refused) -> bool:
        """End the session that stands in the way, if its process is gone."""
        if not isinstance(refusal, errors.ScopeHeld):
            return False
        from handrail.service.reclaim import reclaim_from

        return reclaim_from(self._context, str(refusal.values.get("session")))

    def _pause_until_changed(self, version: int, left_ms: int) -> None:
        outside = self._context.outside
        until = outside.monotonic_ms() + left_ms
        while self._store.version() == version:
            left_ms = until - outside.monotonic_ms()
            if left_ms <= 0:
                return
            self._store.wait(left_ms / 1000)

    def _leave_queue(self, ticket: int) -> None:
        """Give the place up; a session that has ended gave up all of its places."""
        with suppress(errors.Refused), self._store.transaction() as tx:
            session = require_session(tx, self._context)
            tx.commit([WaitEnded(ticket)], actor_of(session))

    def _understood(self, asked: Asked) -> _Question | None:
        """Parse the scope and follow links before the transaction: everybody else waits for that.

        Where nothing is known of the configuration yet, as it is by default. None where the scope
        is malformed: then it is done inside, where who asks is known first.
        """
        rules = rules_read_last()
        fold_case = rules is not None and rules.settings.workspace.fold_case
        session = self._context.caller.session
        with suppress(errors.MalformedScope):
            patterns = self._scope(asked.scope, fold_case=fold_case)
            return _Question(patterns, fold_case, (session, patterns) if session else None)
        return None

    def _prepare(
        self,
        tx: Tx,
        asked: Asked,
        question: _Question | None,
        looked: Looked,
        ticket: int | None = None,
    ) -> _Prepared:
        rules = rules_in_force(tx)
        session = require_session(tx, self._context)
        if asked.role is not None:
            rules.settings.role(asked.role)
        kind: Kind = LOCAL if asked.shared else EXCLUSIVE
        ttl_ms = rules.settings.limits.ttl_ms if asked.ttl_ms is None else asked.ttl_ms
        if question is not None and question.fold_case == rules.settings.workspace.fold_case:
            patterns = question.patterns
        else:
            patterns = self.scope(rules, asked.scope)
        single = frozenset[str]() if rules.in_trees else self._single(patterns)
        claim = Claim(
            *(session, patterns, kind, ttl_ms, asked.role, ticket),
            single=single,
            looked=looked,
            adopt=asked.adopt,
        )
        return _Prepared(rules, session, claim)

    def _single(self, patterns: Sequence[Pattern]) -> frozenset[str]:
        """Return the literal patterns that are no folder now."""
        outside = self._context.outside
        literal = [pattern.text for pattern in patterns if pattern.is_literal]
        return frozenset(text for text in literal if not outside.is_folder(text))

    def scope(self, rules: Rules, texts: Sequence[str]) -> tuple[Pattern, ...]:
        """Parse what was asked for and follow symbolic links; raises MalformedScope."""
        return self._scope(texts, fold_case=rules.settings.workspace.fold_case)

    def _scope(self, texts: Sequence[str], *, fold_case: bool) -> tuple[Pattern, ...]:
        patterns = parse_scope(texts, fold_case=fold_case)
        texts_now = [text for pattern in patterns for text in self._resolved(pattern)]
        if texts_now == [pattern.text for pattern in patterns]:
            return patterns
        return parse_scope(texts_now, fold_case=fold_case)

    def _resolved(self, pattern: Pattern) -> list[str]:
        if not pattern.anchor:
            return [pattern.text]
        rest = pattern.text[len(pattern.anchor) :]
        return [anchor + rest for anchor in self._context.outside.resolved(pattern.anchor)]

    def _commit(
        self,
        tx: Tx,
        prepared: _Prepared,
        changes: Changes,
        started: int,
        request: Request | None,
    ) -> Granted:
        asked_at = self.asked_at(tx, started)
        tx.commit(changes, actor_of(prepared.session), request)
        # A grant is the last event of its claim, so the head names its token.
        return _granted(tx, prepared, changes, asked_at, tx.head.seq)

    def asked_at(self, tx: Reader, started: int) -> int:
        """Return the store time at which a caller, who started at a clock reading, asked."""
        return tx.now - (self._context.outside.monotonic_ms() - started)

    def _repeated(self, tx: Tx, entries: Sequence[Entry]) -> Granted:
        for entry in entries:
            event = read_event(entry)
            if isinstance(event, LeaseGranted):
                lease = tx.lease(entry.seq)
                # One that has ended since is told as it was, and nothing of it is to be trusted.
                ended_at = min(event.expires_at, tx.now)
                expires_at = ended_at if lease is None else lease.expires_at
                return Granted(
                    token=format_token(tx.epoch, entry.seq),
                    scope=event.patterns,
                    kind=event.kind,
                    role=event.role,
                    session=event.session,
                    expires_at=expires_at,
                    trusted_until=trusted_until(
                        expires_at - event.ttl_ms, event.ttl_ms, expires_at
                    ),
                    renewed=False,
                    beside=tuple(format_token(tx.epoch, token) for token in event.beside),
                )
        raise errors.Bug(detail="a claim's request led to no grant")


def _decide_claim(tx: Tx, prepared: _Prepared) -> Changes:
    claim = prepared.claim
    session = claim.session
    orphans = tx.orphans(session.worktree, claim.patterns)
    landings = tx.landings(0 if orphans else session.started_at, session.id, claim.patterns)
    view = View(
        *(tx.epoch, tx.near(claim.patterns), tx.waiters(), prepared.rules.policy),
        *(orphans, landings, tx.head.seq),
        duty=duty_in(tx, prepared.rules, session),
    )
    changes = decide(view, claim, tx.now)
    beside = [token for c in changes if isinstance(c, LeaseGranted) for token in c.beside]
    if beside:
        others = [lease for token in beside if (lease := tx.lease(token)) is not None]
        changes += notices(View(tx.epoch, others), session.id, changes)
    return changes


def _queue(tx: Tx, prepared: _Prepared, refusal: errors.Refused) -> _Waiting:
    """Take or keep a place in the queue for a claim that was refused."""
    waiters = tx.waiters()
    scopes = [pattern for waiter in waiters for pattern in waiter.patterns]
    near = tuple(tx.near((*scopes, *prepared.claim.patterns)))
    view = View(tx.epoch, near, waiters, prepared.rules.policy)
    moves = decide(view, Wait(prepared.claim), tx.now)
    tx.commit(moves, actor_of(prepared.session))
    queue = [waiter for waiter in tx.waiters() if waiter.until > tx.now]
    ticket = prepared.claim.ticket
    if ticket is None or all(waiter.ticket != ticket for waiter in queue):
        # Still alone with the store, so the newest of the session's places is this one.
        ticket = max(w.ticket for w in queue if w.session == prepared.session.id)
    place = 1 + sum(waiter.ticket < ticket for waiter in queue)
    # A lease that runs out changes nothing in the store: nobody else would tell.
    ends_at = refusal.values.get("expires_at")
    left_ms = ends_at - tx.now if isinstance(ends_at, int) else RETRY_MS
    return _Waiting(ticket, place, refusal, min(max(left_ms, 1), RETRY_MS))


def _granted(tx: Reader, prepared: _Prepared, changes: Changes, asked_at: int, seq: int) -> Granted:
    claim = prepared.claim
    for change in changes:
        if isinstance(change, LeaseRenewed):
            lease = tx.lease(change.token)
            if lease is not None:
                moved = lease._replace(expires_at=change.expires_at)
                return as_granted(tx.epoch, moved, asked_at, claim.ttl_ms)
        if isinstance(change, LeaseGranted):
            # Of the time at which it was written: it may have been decided before.
            expires_at = tx.now + change.ttl_ms
            return Granted(
                token=format_token(tx.epoch, seq),
                scope=change.patterns,
                kind=change.kind,
                role=change.role,
                session=change.session,
                expires_at=expires_at,
                trusted_until=trusted_until(asked_at, change.ttl_ms, expires_at),
                renewed=False,
                beside=tuple(format_token(tx.epoch, token) for token in change.beside),
            )
    raise errors.Bug(detail="a claim was neither granted nor renewed")


def as_granted(epoch: str, lease: Lease, asked_at: int, ttl_ms: int) -> Granted:
    """Return a lease that was renewed at ``asked_at`` as its holder needs to know it."""
    return Granted(
        token=format_token(epoch, lease.token),
        scope=lease.scope,
        kind=lease.kind,
        role=lease.role,
        session=lease.session,
        expires_at=lease.expires_at,
        trusted_until=trusted_until(asked_at, ttl_ms, lease.expires_at),
        renewed=True,
        beside=(),
    )


def _request(asked: Asked, session: Session) -> Request | None:
    if asked.request_id is None:
        return None
    question = repr((asked._replace(request_id=None), session.id))
    digest = sha256(question.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return Request(check_name("request", asked.request_id), digest)

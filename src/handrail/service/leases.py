"""Leases one holds: claiming, waiting, renewing, releasing; one transaction a method."""

from __future__ import annotations

from collections.abc import Sequence

from handrail import errors
from handrail.core.decide import Changes, Past, Release, Renew, View, dead_token, decide
from handrail.core.events import LeaseExpired, LeaseGranted, LeaseOrphaned, LeaseReleased
from handrail.core.lease import Lease, Session, check_ttl
from handrail.core.ledger import format_token, parse_token, read_if
from handrail.core.record import Record
from handrail.core.scope import matches, normalise_path
from handrail.service.claims import Asked, Claims, Granted, as_granted
from handrail.service.identity import actor_of, require_session
from handrail.service.policy import Rules, rules_in_force
from handrail.store.port import Reader, Tx

__all__ = ["Asked", "Granted", "Leases", "Released", "grants_after", "past_lease"]


class Released(Record):
    """What a release ended, what had ended before, and paths whose work is left unfinished."""

    released: tuple[Lease, ...]
    gone: tuple[str, ...]
    epoch: str
    left: tuple[str, ...] = ()


class Leases(Claims):
    """The use cases around leases."""

    def renew(self, tokens: Sequence[str], ttl_ms: int | None = None) -> tuple[Granted, ...]:
        """Renew the leases under these tokens (all of one's own if none is named)."""
        started = self._context.outside.monotonic_ms()
        with self._store.transaction() as tx:
            session = require_session(tx, self._context, anywhere=True)
            rules = rules_in_force(tx)
            ttl_ms = rules.settings.limits.ttl_ms if ttl_ms is None else check_ttl(ttl_ms)
            own = tx.leases(session.id)
            live = [lease for lease in own if lease.live(tx.now)]
            # With nothing live left, the rule says of the first one that it has expired.
            leases = [self._held(tx, session, token) for token in tokens] or live or own
            if not leases:
                reason = f"Session {session.id} holds nothing that could be renewed."
                raise errors.Usage(reason=reason, next="handrail status")
            view = View(tx.epoch, leases, policy=rules.policy)
            changes: Changes = []
            for lease in leases:
                changes += decide(view, Renew(session, lease, ttl_ms), tx.now)
            asked_at = self.asked_at(tx, started)
            tx.commit(changes, actor_of(session))
            renewed = [tx.lease(lease.token) or lease for lease in leases]
        return tuple(as_granted(tx.epoch, lease, asked_at, ttl_ms) for lease in renewed)

    def release(
        self, names: Sequence[str], *, everything: bool = False, dry_run: bool = False
    ) -> Released:
        """Release leases by token or path, all of them, or the only one.

        Releasing what has ended already is no error: it is named in ``gone``. Over unfinished work
        a lease is left orphaned: it is still its agent's own.
        """
        from handrail.service.looking import look_at_own

        looked = look_at_own(self._context)
        with self._store.transaction() as tx:
            session = require_session(tx, self._context, anywhere=True)
            own = tx.leases(session.id)
            gone: list[str] = []
            if everything:
                chosen = own
            elif names:
                rules = rules_in_force(tx)
                chosen = [
                    lease for name in names for lease in self._named(tx, rules, session, name, gone)
                ]
            else:
                chosen = _the_only(tx, own)
            leases = tuple({lease.token: lease for lease in chosen}.values())
            view = View(tx.epoch, tuple(own))
            changes = decide(view, Release(session, leases, looked=looked), tx.now)
            if not dry_run:
                tx.commit(changes, actor_of(session))
        left = [c for c in changes if isinstance(c, LeaseOrphaned)]
        ended = {c.token for c in changes if isinstance(c, LeaseReleased | LeaseOrphaned)}
        gone += [
            format_token(tx.epoch, change.token)
            for change in changes
            if isinstance(change, LeaseExpired)
        ]
        ended -= {change.token for change in changes if isinstance(change, LeaseExpired)}
        released = tuple(lease for lease in leases if lease.token in ended)
        paths = tuple(path for change in left for path, _ in change.blobs or ())
        return Released(released, tuple(gone), tx.epoch, paths)

    def _named(
        self, tx: Tx, rules: Rules, session: Session, name: str, gone: list[str]
    ) -> list[Lease]:
        if _looks_like_token(name):
            try:
                return [self._held(tx, session, name)]
            except (errors.LeaseExpired, errors.StaleToken):
                gone.append(name)
                return []
        path = normalise_path(name.removesuffix("/"), fold_case=rules.settings.workspace.fold_case)
        found = [
            lease
            for lease in tx.leases(session.id)
            if path in lease.scope or any(matches(pattern, path) for pattern in lease.patterns)
        ]
        if not found:
            from handrail.core.scope.naming import scope_for

            asked = (scope_for(path) or name,)
            raise errors.NotHolder(session=session.id, scope=(name,), asked=asked)
        return found

    def _held(self, tx: Tx, session: Session, text: str) -> Lease:
        """Return the lease under a token, of whomever, or say why there is none any more."""
        epoch, seq = parse_token(text)
        if epoch != tx.epoch:
            raise errors.ForeignEpoch(token=text, epoch=tx.epoch)
        lease = tx.lease(seq)
        if lease is not None:
            return lease
        past = past_lease(tx, seq)
        if past is None:
            raise errors.UnknownToken(token=text, session=session.id)
        contended = rules_in_force(tx).policy.contended
        raise dead_token(tx.epoch, session, past, grants_after(tx, seq), contended)


def past_lease(reader: Reader, seq: int) -> Past | None:
    """Find the grant of a token in the ledger and how it ended; None if it never was one."""
    entry = next(reader.entries(seq - 1, seq), None)
    grant = None if entry is None else read_if(entry, "lease.granted")
    if not isinstance(grant, LeaseGranted):
        return None
    for kind in ("lease.expired", "lease.orphaned", "lease.released"):
        end = reader.latest(kind, str(seq))
        event = None if end is None else read_if(end, kind)
        if isinstance(event, LeaseExpired | LeaseOrphaned | LeaseReleased):
            return Past(seq, grant, event)
    return Past(seq, grant, None)


def grants_after(reader: Reader, seq: int) -> list[tuple[int, LeaseGranted]]:
    """Return every grant after an entry. Reads the ledger from there: for refusals only."""
    grants = []
    for entry in reader.entries(seq):
        event = read_if(entry, "lease.granted")
        if isinstance(event, LeaseGranted):
            grants.append((entry.seq, event))
    return grants


def _the_only(reader: Reader, own: Sequence[Lease]) -> list[Lease]:
    live = [lease for lease in own if lease.live(reader.now)]
    if len(live) == 1:
        return live
    tokens = ", ".join(format_token(reader.epoch, lease.token) for lease in live)
    what = f"You hold {len(live)} leases ({tokens}): name one" if live else "You hold no lease"
    raise errors.Usage(reason=f"{what}.", next="handrail release --all" if live else None)


def _looks_like_token(name: str) -> bool:
    epoch, colon, seq = name.rpartition(":")
    return bool(colon) and "/" not in epoch and seq.isascii() and seq.isdigit()

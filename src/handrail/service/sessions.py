"""Beginning, ending and looking at sessions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from handrail import errors
from handrail.core.decide import ChangeRole, Changes, EndSession, StartSession, View, decide
from handrail.core.events import LeaseOrphaned, LeaseReleased
from handrail.core.lease import Actor, Lease, Session
from handrail.core.names import check_name, plain_name
from handrail.core.record import Record
from handrail.service.context import Caller, Context
from handrail.service.identity import (
    UNATTRIBUTED,
    actor_of,
    hash_secret,
    require_session,
)
from handrail.service.looking import look_at_own
from handrail.service.lookups import reading_of, with_reading
from handrail.service.policy import Rules, rules_in_force
from handrail.store.port import Reader, Tx
from handrail.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from handrail.service.readings import Looked

_ID_CHARS: Final = 12
_SECRET_CHARS: Final = 40
OR_COORDINATOR: Final = ", or a session of a coordinator"


class Started(Record):
    """A session and the secret that proves it; ``resumed`` if it was live already.

    ``unread`` is what a fresh one has to read before it writes.
    """

    session: Session
    secret: str
    resumed: bool
    unread: tuple[str, ...] = ()


class Ended(Record):
    """A session that ended, the leases that ended with it, and those over unfinished work."""

    session: Session
    released: tuple[int, ...]
    epoch: str
    orphaned: tuple[int, ...] = ()
    left: tuple[str, ...] = ()


class Shown(Record):
    """A session with what it holds, and what it has to read before it writes."""

    session: Session
    leases: tuple[Lease, ...]
    epoch: str
    now: int
    unread: tuple[str, ...] = ()


class Sessions:
    """The use cases around sessions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def start(
        self, *, id: str | None = None, agent: str | None = None, role: str | None = None
    ) -> Started:
        """Start a session, or return the live one of this id in this working tree."""
        outside, caller = self._context.outside, self._context.caller
        name = check_name("session", id or f"s-{outside.random_name(_ID_CHARS)}")
        who = check_name("agent", agent or caller.agent or f"agent@{plain_name(caller.folder)}")
        fresh = outside.random_name(_SECRET_CHARS)
        attempt = partial(self._start, (name, who, role, fresh))
        return with_reading(self._context, attempt)

    def _start(self, asked: tuple[str, str, str | None, str], looked: Looked | None) -> Started:
        (name, who, role, fresh), caller = asked, self._context.caller
        with self._store.transaction() as tx:
            rules = rules_in_force(tx)
            known = tx.session(name)
            acting_as = self._role(rules, role or caller.role, known)
            session = Session(
                name, who, acting_as, caller.worktree, tx.now, None, hash_secret(fresh)
            )
            changes = decide(View(tx.epoch), StartSession(session, known), tx.now)
            if not changes and known is not None:
                return Started(known, self._proof(known), resumed=True)
            reading = reading_of(tx, rules, session, looked)
            # The secret is there before anybody can learn of the session.
            self._context.secrets.keep(name, fresh)
            tx.commit([*changes, *reading], Actor(name, who, acting_as))
            unread = tuple(row.path for row in tx.unread(name)) if reading else ()
        return Started(session, fresh, resumed=False, unread=unread)

    def _role(self, rules: Rules, wanted: str | None, known: Session | None) -> str | None:
        if wanted is not None:
            return rules.settings.role(wanted).name
        if known is not None and known.live:
            return known.role
        return rules.settings.workspace.default_role

    def _proof(self, known: Session) -> str:
        given = self._context.caller.secret
        secret = given if given is not None else self._context.secrets.read(known.id)
        if secret is None or hash_secret(secret) != known.secret_hash:
            raise errors.WrongSecret(session=known.id)
        return secret

    def end(self, id: str | None = None, *, reason: str = "ended") -> Ended:
        """End the asking session (or another of this machine, by its secret) and free its scope."""
        context = self._context
        if id is not None and id != context.caller.session:
            caller = context.caller._replace(session=check_name("session", id), secret=None)
            context = context._replace(caller=caller)
        looked = look_at_own(context)
        with self._store.transaction() as tx:
            session = require_session(tx, context, anywhere=True)
            view = View(tx.epoch, tx.leases(session.id), tx.waiters())
            changes = decide(view, EndSession(session, reason, looked), tx.now)
            tx.commit(changes, actor_of(session))
        context.secrets.forget(session.id)
        released = tuple(change.token for change in changes if isinstance(change, LeaseReleased))
        left = [c for c in changes if isinstance(c, LeaseOrphaned)]
        paths = tuple(path for change in left for path, _ in change.blobs or ())
        tokens = tuple(change.token for change in left)
        return Ended(session, released, tx.epoch, tokens, paths)

    def show(self, id: str | None = None) -> Shown:
        """Return a session with its live leases; the asking one if none is named."""
        with self._store.read() as reader:
            if id is None:
                session = require_session(reader, self._context, anywhere=True)
            else:
                found = reader.session(check_name("session", id))
                if found is None:
                    raise errors.UnknownSession(session=id, reason=f"{id} was never started here")
                session = found
            return _shown(reader, session)

    def all(self) -> list[Shown]:
        """Return every live session with its live leases."""
        with self._store.read() as reader:
            return [_shown(reader, session) for session in reader.sessions()]

    def change_role(self, role: str, reason: str) -> Session:
        """Let the asking session act as another role.

        A session may do so itself only where ``roles_per_session = "many"``; else a person must,
        which an environment that names a session is not.
        """

        def attempt(looked: Looked | None) -> Session:
            with self._store.transaction() as tx:
                rules = rules_in_force(tx)
                session = require_session(tx, self._context)
                wanted = rules.settings.role(role).name
                if session.role == wanted:
                    return session
                if not rules.policy.many_roles:
                    raise errors.RoleFixed(session=session.id, role=session.role, wanted=wanted)
                change = ChangeRole(session, wanted, reason, "roles_per_session")
                tx.commit(_as_another(tx, rules, change, looked), actor_of(session))
            return session._replace(role=wanted)

        return with_reading(self._context, attempt)

    def reset_role(self, id: str, role: str, reason: str) -> Session:
        """Let another session act as ``role``, decided by a person at a terminal."""
        command = ("session", "role", role, "--session", id, "--reason", reason)
        proof = person_proof(self._context.caller, "changing a session's role", command)

        def attempt(looked: Looked | None) -> Session:
            with self._store.transaction() as tx:
                rules = rules_in_force(tx)
                session = tx.session(check_name("session", id))
                if session is None or not session.live:
                    raise errors.UnknownSession(session=id, reason=f"{id} is not live")
                wanted = rules.settings.role(role).name
                change = ChangeRole(session, wanted, reason, proof)
                tx.commit(_as_another(tx, rules, change, looked), UNATTRIBUTED)
            return session._replace(role=wanted)

        return with_reading(self._context, attempt)


def _as_another(tx: Tx, rules: Rules, change: ChangeRole, looked: Looked | None) -> Changes:
    """Change a role, with what it asks to read, and end what the session may not hold in it."""
    changes = decide(View(tx.epoch), change, tx.now)
    session = change.session._replace(role=change.role)
    if changes:
        changes += reading_of(tx, rules, session, looked)
    if rules.policy.binds:
        from handrail.service.duties import not_held_as

        changes += not_held_as(tx, rules.policy, session)
    return changes


def person_proof(caller: Caller, what: str, command: Sequence[str], or_else: str = "") -> str:
    """Return what shows that a person decides; raises NeedsPerson, which says how one would.

    A person is at a terminal, in an environment without a session and without a harness.
    """
    if caller.session is None and caller.harness is None and caller.terminal:
        return "terminal"
    what = what[0].upper() + what[1:]
    raise errors.NeedsPerson(what=what, command=tuple(command), or_else=or_else)


def _shown(reader: Reader, session: Session) -> Shown:
    leases = [lease for lease in reader.leases(session.id) if lease.live(reader.now)]
    unread = tuple(row.path for row in reader.unread(session.id))
    return Shown(session, tuple(leases), reader.epoch, reader.now, unread)

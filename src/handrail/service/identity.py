"""Who asks: a session that is known here, belongs to this working tree and has its secret.

Promise: nothing is done in the name of a session whose secret was not shown (or readable on this
machine). What has no session is *unattributed*, never "a person".
"""

from __future__ import annotations

from handrail import errors
from handrail.core.digest import sha256
from handrail.core.lease import Actor, Session
from handrail.core.names import NAME_CHARS_MAX, plain_name
from handrail.service.context import Caller, Context
from handrail.store.port import Reader
from handrail.text import shell_quote

UNATTRIBUTED = Actor()


def hash_secret(secret: str) -> str:
    """Return what the store keeps of a secret."""
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def require_session(reader: Reader, context: Context, *, anywhere: bool = False) -> Session:
    """Return the asking session; raises UnknownSession, WrongWorktree, WrongSecret.

    What writes needs a session of this working tree. What only keeps or gives back what it holds
    may be asked ``anywhere``: off the machine where the session began, by showing its secret.
    """
    caller = context.caller
    if caller.session is None:
        marker = f", although {caller.harness} says that an agent runs here"
        reason = f"HANDRAIL_SESSION is not set{marker if caller.harness else ''}"
        raise errors.UnknownSession(reason=reason)
    session = reader.session(caller.session)
    if session is None:
        raise _unknown(caller.session, "was never started here")
    if session.worktree != caller.worktree and not (anywhere and _came_with(session, caller)):
        raise errors.WrongWorktree(session=session.id, worktree=session.worktree)
    if not session.live:
        raise _unknown(session.id, "has ended")
    if caller.secret is not None:
        shown = hash_secret(caller.secret)
    else:
        shown = context.secrets.shown.get(session.id, "")
        if shown != session.secret_hash:
            shown = _read_hash(context, session.id)
    if shown != session.secret_hash:
        raise errors.WrongSecret(session=session.id)
    return session


def _unknown(session: str, why: str) -> errors.UnknownSession:
    again = f'eval "$(handrail session start --id {shell_quote(session)})"'
    return errors.UnknownSession(session=session, reason=f"{session} {why}", next=again)


def _came_with(session: Session, caller: Caller) -> bool:
    """Tell whether a session is of another clone, and its secret was brought here."""
    return caller.secret is not None and not session.worktree.startswith(caller.clone)


def _read_hash(context: Context, session: str) -> str:
    """Return the hash of the secret on this machine, '' if there is none to read."""
    secret = context.secrets.read(session)
    if secret is None:
        return ""
    context.secrets.shown[session] = hash_secret(secret)
    return context.secrets.shown[session]


def session_here(reader: Reader, session: str, worktree: str) -> str:
    """Return the name under which a harness session acts in a working tree.

    It is its own where it began. In another working tree it is a session beside that, because a
    session belongs to one.
    """
    known = reader.session(session)
    if known is None or known.worktree == worktree:
        return session
    return names_anywhere(session, worktree)[1]


def names_anywhere(session: str, worktree: str) -> tuple[str, str]:
    """Return the names under which a harness session can act in a working tree.

    The first is its own, where it began there; the second where it did not.
    """
    return session, f"{session[: NAME_CHARS_MAX // 2 - 1]}+{plain_name(worktree)}"


def thread_of(session: str) -> str:
    """Return what is the same in all names that ``session_here`` gives a harness session."""
    return session.partition("+")[0][: NAME_CHARS_MAX // 2 - 1]


def actor_of(session: Session) -> Actor:
    """Return how the ledger names a session."""
    return Actor(session.id, session.agent, session.role)


def acting(reader: Reader, context: Context) -> Actor:
    """Return who acts where a session is not needed; raises if one is named but not proven."""
    if context.caller.session is None:
        return UNATTRIBUTED
    return actor_of(require_session(reader, context))

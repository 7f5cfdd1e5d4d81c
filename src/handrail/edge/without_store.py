"""What is said and let through while the server that has the store does not answer.

Promise: nothing new is granted. What a session holds is what the copy of this clone still trusts,
and the answer says until when.

    tell_trusted(error, application)      # the refusal of a command says it too
"""

from __future__ import annotations

from handrail import errors
from handrail.core.allowed import Allowed, Seen
from handrail.core.record import Record
from handrail.errors.server import StoreDenied, StoreUnreachable
from handrail.service.identity import names_anywhere
from handrail.text import rfc3339
from handrail.typed import Final
from handrail.wiring import Application

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handrail.edge.guard.places import Target

LOST: Final = (StoreUnreachable, StoreDenied, errors.StoreBusy, errors.StoreReadOnly)
"""What a server that cannot be asked looks like."""
NAMED_MAX: Final = 5


class Verdict(Record):
    """How edits are enforced there, and the first path that nothing known here allows, if any."""

    mode: str
    path: str | None
    held: tuple[Allowed, ...]


def tell_trusted(error: errors.HandrailError, application: Application) -> None:
    """Let an error say until when the asking session may rely on what it holds."""
    if not isinstance(error, LOST):
        return
    session, seen = application.caller.session, application.copied
    if session is None or seen is None:
        return
    held = seen.of(application.place.worktree, session)
    if held:
        error.values["trusted"] = f"; {_relied_on(held)}"
        error.values["trusted_until"] = rfc3339(min(row.until for row in held))


def judged(
    error: errors.HandrailError,
    session: str,
    targets: Iterable[tuple[Application, Sequence[Target]]],
) -> Verdict | None:
    """Judge an edit by the copy; None where there is none, or the store is not what is missing."""
    if not isinstance(error, LOST):
        return None
    mode, held = "", []
    for application, written in targets:
        seen = application.copied
        if seen is None:
            return None
        mode = seen.mode
        held += _own(seen, application, session)
        paths = [path for target in written for path in target.paths]
        ignored = application.ground.ignored(paths)
        for target in written:
            for path in target.paths:
                if path in ignored and not target.below:
                    continue
                if target.below or not _trusted(seen, application, session, path):
                    return Verdict(mode, path or ".", tuple(held))
    return Verdict(mode, None, tuple(held)) if mode else None


def sentence(verdict: Verdict) -> str:
    """Say what the session may rely on, for a refusal that names the path."""
    known = _relied_on(verdict.held) if verdict.held else "this session is known to hold nothing"
    return f"{verdict.path} is not known to be held; {known}"


def _own(seen: Seen, application: Application, session: str) -> list[Allowed]:
    tree = application.place.worktree
    names = names_anywhere(session, application.caller.worktree)
    return [row for name in names for row in seen.of(tree, name)]


def _trusted(seen: Seen, application: Application, session: str, path: str) -> bool:
    tree = application.place.worktree
    names = names_anywhere(session, application.caller.worktree)
    return any(seen.trusted(tree, name, path) for name in names)


def _relied_on(held: Sequence[Allowed]) -> str:
    named = [f"{row.pattern} until {rfc3339(row.until)}" for row in held[:NAMED_MAX]]
    more = len(held) - len(named)
    words = ", ".join([*named, f"and {more} more"] if more > 0 else named)
    return f"what session {held[0].session} may rely on: {words}"

"""What a command says while the server that has the store does not answer.

Promise: nothing new is granted. What a session holds is what the copy of this clone still trusts,
and the answer says until when.

    tell_trusted(error, application)
"""

from __future__ import annotations

from handrail import errors
from handrail.core.allowed import Allowed
from handrail.errors.server import StoreDenied, StoreUnreachable
from handrail.text import rfc3339
from handrail.typed import Final
from handrail.wiring import Application

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

LOST: Final = (StoreUnreachable, StoreDenied, errors.StoreBusy, errors.StoreReadOnly)
"""What a server that cannot be asked looks like."""
NAMED_MAX: Final = 5


def tell_trusted(error: errors.HandrailError, application: Application) -> None:
    """Let an error say until when the asking session may rely on what it holds."""
    session, seen = application.caller.session, application.copied
    if session is None or seen is None:
        return
    held = seen.of(application.place.worktree, session)
    if held:
        error.values["trusted"] = f"; {relied_on(held)}"
        error.values["trusted_until"] = rfc3339(min(row.until for row in held))


def relied_on(held: Sequence[Allowed]) -> str:
    """Say what may be relied on, and until when."""
    named = [f"{row.pattern} until {rfc3339(row.until)}" for row in held[:NAMED_MAX]]
    more = len(held) - len(named)
    words = ", ".join([*named, f"and {more} more"] if more > 0 else named)
    return f"what session {held[0].session} may rely on: {words}"

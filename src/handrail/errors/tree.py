"""What every error has: a code, an exit status, one sentence, one next command.

Promise: as the package says.
"""

from __future__ import annotations

from handrail.text import Command, Sentence
from handrail.typed import ClassVar

EXIT_DONE = 0
EXIT_REFUSED = 1
EXIT_MALFORMED = 2
EXIT_UNAVAILABLE = 3
EXIT_BUG = 70
EXIT_LEASE_LOST = 75
EXIT_INTERRUPTED = 130

TASK_PREFIX = "task:"
"""How the names begin under which tasks hold scopes; no session and no agent is called so."""

AS_PERSON = "env -u HANDRAIL_SESSION -u AGENT_SESSION_ID "
"""How a person at a terminal speaks for themselves in a shell that has a session."""


class HandrailError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = EXIT_BUG
    NEXT: ClassVar[str] = ""

    def __init__(self, *, next: str | None = None, **values: object) -> None:
        super().__init__(values)
        self.values = values
        self._next = next

    @property
    def message(self) -> str:
        """One sentence: the class's docstring with the values filled in."""
        return (self.__doc__ or "").strip().format_map(Sentence(self.values))

    @property
    def next(self) -> str | None:
        """The one next command, ready for a shell; None where there is none."""
        if self._next is not None or not self.NEXT:
            return self._next
        return self.NEXT.format_map(Command(self.values))

    def lead_on(self, next: str) -> None:
        """Let another command lead on."""
        self._next = next

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Refused(HandrailError):
    """The rules say no."""

    code = "refused"
    exit_status = EXIT_REFUSED


class Malformed(HandrailError):
    """The question makes no sense."""

    code = "malformed"
    exit_status = EXIT_MALFORMED


class Unavailable(HandrailError):
    """Handrail cannot tell."""

    code = "unavailable"
    exit_status = EXIT_UNAVAILABLE


class Bug(HandrailError):
    """Handrail itself failed: {detail}."""

    code = "bug"
    NEXT = "handrail doctor"


class Usage(Malformed):
    """{reason}"""

    code = "usage"
    NEXT = "handrail --help"

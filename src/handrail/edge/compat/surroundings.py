"""What the documented scripts share: whose session acts, what they say, how they refuse.

with opened("/repo", "2026-03-01-nav", "bot-2") as lanes:
    lanes.routine.claim("website", "site/src", 5_400_000)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from handrail import errors
from handrail.core.names import check_name
from handrail.service.lane_routine import Routine
from handrail.text import visible
from handrail.wiring import Application

if TYPE_CHECKING:
    from handrail.service.handoffs import Offering
    from handrail.service.judged import JudgedHandoffs

SPOKEN_FOR: Final = (
    *("HANDRAIL_SESSION", "HANDRAIL_AGENT", "HANDRAIL_ROLE"),
    *("AGENT_SESSION_ID", "AGENT_ID"),
)
"""Who acts is said by the options; these say it to Handrail's own commands."""


class Lanes:
    """A repository whose work goes by lanes, for one command in the name of one session."""

    def __init__(self, application: Application, folder: str, session: str, agent: str) -> None:
        self.application = application
        self.session = session
        self.agent = agent
        self._folder = folder

    @property
    def routine(self) -> Routine:
        """The use cases of the documented routine."""
        return Routine(self.application.context)

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of the roles in force."""
        return self.routine.roles()

    def begin(self, role: str) -> None:
        """Begin the session, or go on with it; under a harness it takes the harness's place."""
        self.routine.begin(self.session, self.agent, role)
        process = self.application.registered_process()
        if process is not None:
            from handrail.service.harness_sessions import HarnessSessions

            HarnessSessions(self.application.context).taken_over(self.session, process)

    def judged(self) -> JudgedHandoffs:
        """Return the use cases of handing over, with their gates."""
        from handrail.service.judged import JudgedHandoffs
        from handrail.wiring.gates import Gates

        application = self.application
        gates = Gates(application, self._folder, reruns=True).around()
        return JudgedHandoffs(application.context, application.packet_files, gates)

    def offering(self, scope: str, to_role: str, note: str) -> Offering:
        """Return the offer of a scope; unfinished work goes with it, and the packet says so."""
        from json import dumps

        from handrail.service.handoff_gates import declared
        from handrail.service.handoffs import Offering

        standing = self.application.bench(self._folder).standing(())
        packet = declared({}, "return", standing)
        return Offering(
            packet=dumps(packet).encode(),
            message=note or f"Scope {visible(scope)} moves to {to_role}.",
            task=self.routine.task_to_go_on_with(),
            to_role=to_role,
            scope=(scope,),
            fresh=True,
        )

    def export(self) -> None:
        """Write the projections anew; where that fails, `handrail export` says why."""
        from contextlib import suppress

        from handrail.service.projecting import Projecting

        application = self.application
        with suppress(errors.HandrailError):
            Projecting(application.context, application.projection_files).export()


@contextmanager
def opened(
    folder: str, session: str | None = None, agent: str = "", *, terminal: bool = False
) -> Iterator[Lanes]:
    """Open the repository around a folder in the name of a session, or of none.

    Raises MalformedName, NoRepository and what else opening raises.
    """
    told = {name: value for name, value in os.environ.items() if name not in SPOKEN_FOR}
    if os.environ.get("HANDRAIL_SESSION") != session:
        told.pop("HANDRAIL_SECRET", None)
    if session:
        told["HANDRAIL_SESSION"] = check_name("session", session)
    if agent:
        told["HANDRAIL_AGENT"] = check_name("agent", agent)
    application = Application.open(folder, told, terminal=terminal)
    try:
        yield Lanes(application, folder, session or "", agent)
    finally:
        application.close()


def tell(line: str) -> None:
    """Write a line to stdout."""
    sys.stdout.write(f"{visible(line)}\n")
    sys.stdout.flush()


def fail(name: str, told: str) -> int:
    """Say on stderr why not; returns the exit status."""
    sys.stderr.write(f"[{name}][fail] {visible(told)}\n")
    return 1


def refused(name: str, error: errors.HandrailError) -> int:
    """Say a refusal of Handrail's in the scripts' own terms; returns the exit status."""
    fail(name, f"{error.code}: {error.message}")
    if error.next:
        sys.stderr.write(f"[{name}][hint] next: {error.next}\n")
    return 1

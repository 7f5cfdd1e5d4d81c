"""A documented test as it is shown, and how it comes about: failures, warnings, what is unsure.

Promise: what cannot be read is cannot-tell, and only a test with neither failures nor that passes.

    found = Found("message", "Handoff message exists", "Handoff message exists")
    found.look(lambda: found.failures.append("handoff_message is empty or too short"))
    found.row().verdict        # fail
"""

from __future__ import annotations

from collections.abc import Callable

from handrail import errors
from handrail.core.record import Record
from handrail.gates.gate import CANNOT_TELL, FAIL, PASS, Objection
from handrail.service.packet_facts import Grounds
from handrail.text import visible
from handrail.typed import Final, Protocol

SHOWN_MAX: Final = 50


class Ground(Grounds, Protocol):
    """Where the suite looks. What cannot be read is FactsUnavailable."""

    def behind_links(self, path: str) -> tuple[str, bytes] | None:
        """Return where a path leads in the working tree, and the bytes there; None for no file."""

    def short_states(self) -> dict[str, str]:
        """Return the paths that differ from HEAD, each with the letters that git gives it."""

    def upstream(self, branch: str) -> tuple[str, str]:
        """Return the name of what a branch is pushed to, and its commit as last seen."""

    def changed_lately(self, path: str, days: int) -> bool:
        """Tell whether a path was changed within some days."""

    def operation(self) -> str | None:
        """Return what git has not finished: a rebase, merge, cherry-pick or revert."""


class Row(Record):
    """A test as it is shown; ``line`` stands behind its sign."""

    test: str
    name: str
    verdict: str
    line: str
    failures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Told(Record):
    """The tests of a stage."""

    stage: str
    rows: tuple[Row, ...]

    @property
    def passed(self) -> bool:
        """Tell whether all of them passed."""
        return all(row.verdict == PASS for row in self.rows)


class Found:
    """What is found for one test, in the order in which it is found."""

    def __init__(self, test: str, name: str, fine: str) -> None:
        self.test = test
        self.name = name
        self.fine = fine
        self.line = ""
        self.failures: list[str] = []
        self.warnings: list[str] = []
        self.unsure: list[str] = []

    def look(self, looks: Callable[[], None]) -> None:
        """Let something look; what cannot be read is cannot-tell."""
        try:
            looks()
        except errors.Unavailable as error:
            self.unsure.append(error.message.rstrip("."))

    def row(self) -> Row:
        """Return the test as it is shown: a failure counts before what nobody can tell."""
        warnings = tuple(self.warnings[:SHOWN_MAX])
        if self.failures:
            unsure = [f"Cannot tell: {one}" for one in self.unsure]
            line = self.line or self.failures[0].splitlines()[0]
            failures = (*self.failures[:SHOWN_MAX], *unsure)
            return Row(self.test, self.name, FAIL, line, failures, warnings)
        verdict, line = (CANNOT_TELL, self.unsure[0]) if self.unsure else (PASS, self.fine)
        return Row(self.test, self.name, verdict, line, (), warnings)


def advised(row: Row) -> Row:
    """Return a test that binds nobody: what it minds are warnings."""
    minds = row.failures or ((row.line,) if row.verdict != PASS else ())
    return row._replace(verdict=PASS, failures=(), warnings=(*row.warnings, *minds))


def plain(objection: Objection) -> str:
    """Write what a gate minds as one line."""
    path = "" if objection.path is None else f"{visible(objection.path)}: "
    return f"{path}{visible(objection.message)}"

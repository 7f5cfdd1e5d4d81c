"""Required reading a second time: who has what to read, of which bytes, and what counts as read.

Files are a list of digests each, the newest last: whoever edits one adds to it. A document is bound
to the bytes that lay there when it was asked for, and until all of them are read its session may
claim, write and attest nothing, whatever it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tests.sim.books import Asked
from tests.sim.chain import Seen, Violation
from tests.sim.packets import Handoffs

NAMED: Final = ("AGENTS.md", "zz.md")
OTHERS: Final = ("c.md",)
FIRST: Final = ("unknown_session", "malformed_ttl")
READ: Final = "read"
CLAIMED: Final = "claimed"


@dataclass
class Paper:
    """A document that a session has to read or has read: its bytes then, and who says it was."""

    digest: str
    how: str = ""


class Readers(Handoffs):
    """The books with required reading in them."""

    papers: dict[str, list[str]]
    reading: dict[str, dict[str, Paper]]
    held_up: bool
    receipts: list[str]

    # --- entries ---------------------------------------------------------------------------------

    def enter(self, seen: Seen) -> None:
        """Judge one entry and enter it."""
        if seen.kind == "reading.asked":
            self._asked(seen.payload)
        elif seen.kind == "reading.done":
            self._done(seen.payload)
        else:
            super().enter(seen)

    def _asked(self, payload: dict[str, Any]) -> None:
        session = payload["session"]
        role = self.role_of(session)
        wanted = (f"role {role}", True, list(self.charter.reading.get(role or "", ())))
        told = [row[0] for row in payload["documents"]]
        if (payload["source"], payload["binds"], told) != wanted:
            raise Violation(f"reading: {payload} instead of {wanted}")
        rows = self.reading.setdefault(session, {})
        for path, digest, commit, fault in payload["documents"]:
            self._lies_there(path, digest)
            if commit or fault:
                raise Violation(f"reading: {path} lies there and is asked for as {payload}")
            if path not in rows or not rows[path].how:
                rows[path] = Paper(digest)

    def _done(self, payload: dict[str, Any]) -> None:
        session, how = payload["session"], payload["how"]
        for path, digest, other in payload["receipts"]:
            row = self.reading.get(session, {}).get(path)
            if row is None or row.how or row.digest != digest:
                raise Violation(f"reading: {payload} is no receipt for {row}")
            if how == READ:
                self._lies_there(path, digest)
            elif other:
                self._lies_there(path, other)
            row.how = how

    def _lies_there(self, path: str, digest: str) -> None:
        known = self.papers[path] if self.held_up else self.papers[path][-1:]
        if digest not in known:
            raise Violation(f"reading: {path} is {known[-1]}, not {digest}")

    # --- what the rules answer -------------------------------------------------------------------

    def left(self, session: str) -> list[str]:
        """List what stands between a session and its first edit."""
        return [path for path, row in self.reading.get(session, {}).items() if not row.how]

    def free_to_write(self, session: str) -> bool:
        """Tell whether a session has read what it must."""
        return not self.left(session)

    def expected_of(self, asked: Asked) -> str:
        """Say what the rules answer to a claim: who has not read is told that first."""
        found = super().expected_of(asked)
        return found if found in FIRST or self.free_to_write(asked.session) else "reading_required"

    def expected_read(self, session: str, paths: tuple[str, ...]) -> str:
        """Say what being shown files leads to; ``receipts`` are those that count."""
        if not self.is_live(session):
            return "unknown_session"
        rows = self.reading.get(session, {})
        self.receipts = [
            path
            for path in self.left(session)
            if path in paths and rows[path].digest == self.papers[path][-1]
        ]
        return "read"

    def expected_vow(self, session: str, paths: tuple[str, ...]) -> str:
        """Say what saying that one has read something leads to."""
        if not self.is_live(session):
            return "unknown_session"
        known = self.reading.get(session, {})
        return "vowed" if all(path in known for path in paths) else "reading_not_asked"

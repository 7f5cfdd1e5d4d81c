"""What the sessions of one clone may write, as their store said it last.

seen = Seen(now=1_000, mode="enforce", allowed=(Allowed(".", "s-ada", "src", 7, 9_000, 5_000),))
seen.trusted(".", "s-ada", "src/a.py")      # 9_000
"""

from __future__ import annotations

from handrail.core.lease import MARGIN_MAX_MS
from handrail.core.record import Record
from handrail.core.scope import matches, stored_pattern


class Allowed(Record):
    """A pattern that a session may write under a token; store times in milliseconds."""

    worktree: str
    session: str
    pattern: str
    token: int
    until: int
    renew_at: int

    def trusted(self) -> Allowed:
        """Return the same, ending as early as its holder has to doubt it.

        The margin is that of the lease, whose life is twice the span of its last renewal; at its
        age cap, where there is no such span, the longest.
        """
        span = self.until - self.renew_at
        margin = min(MARGIN_MAX_MS, span * 2 // 3) if span > 0 else MARGIN_MAX_MS
        until = self.until - margin
        return self._replace(until=until, renew_at=min(self.renew_at, until))


class Snapshot(Record):
    """What a store said at ``now``: its names, how edits are enforced, and what may be written.

    Of all sessions of a clone that live, or of the one that is ``only`` spoken of; ``awaiting``
    are those that have something to read.
    """

    epoch: str
    seq: int
    now: int
    mode: str
    allowed: tuple[Allowed, ...]
    sessions: tuple[str, ...]
    awaiting: tuple[str, ...]
    only: str | None = None


class Seen(Record):
    """What is known without the store, by one's own count of its time; ``until`` is trusted."""

    now: int
    mode: str
    allowed: tuple[Allowed, ...]

    def trusted(self, worktree: str, session: str, path: str) -> int | None:
        """Return until when a session may be trusted to hold a path; None where it may not."""
        found = [
            row.until
            for row in self.of(worktree, session)
            if matches(stored_pattern(row.pattern), path)
        ]
        return max(found, default=None)

    def of(self, worktree: str, session: str) -> list[Allowed]:
        """Return what a session is still trusted with in a working tree."""
        wanted = (worktree, session)
        return [
            row
            for row in self.allowed
            if (row.worktree, row.session) == wanted and row.until > self.now
        ]

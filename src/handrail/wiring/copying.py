"""The guard's copy of a store that is elsewhere: who keeps it, and who reads it.

``Copying`` hears of each change that this clone makes, before it is sent and when it is committed.
What it cannot copy it leaves: then the copy says nothing, and the guard asks the store.

    PostgresStore(..., watch=Copying("/repo/.git/handrail", "ada-laptop-x3k9qa:"))
    copied("/repo/.git/handrail")     # Seen(...): what is known without the store
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress

from handrail import errors
from handrail.core.allowed import Seen, Snapshot
from handrail.core.events import Event, Move
from handrail.core.lease import Actor
from handrail.facts.clock import BootClock
from handrail.facts.clone import clone_name
from handrail.facts.repository import Place
from handrail.service.copying import allowed_by, snapshot_of, takes_away
from handrail.store.port import Grant, Reader
from handrail.store.sqlite.guard_copy import NAME, GuardCopy
from handrail.typed import Final

BOUND_MS: Final = 60_000
"""After that the server has ended what was under way: it gives up an idle transaction in ten
seconds, and one that is cut off in thirty."""


class Copying:
    """Keeps the copy of one clone; the file is opened with the first change."""

    def __init__(self, state_dir: str, clone: str) -> None:
        self._path = os.path.join(state_dir, NAME)
        self._clone = clone
        self._copy: GuardCopy | None = None
        self._announced: int | None = None
        self._only: str | None = None

    def begins(self, changes: Sequence[Event | Move], actor: Actor) -> None:
        """Silence the copy where a change may take something away; raises if that fails."""
        takes = takes_away(changes)
        self._only = None if takes else actor.session
        self._announced = self._opened().announce(BOUND_MS) if takes else None

    def ended(
        self, read: Callable[[], AbstractContextManager[Reader]], granted: Grant | None = None
    ) -> None:
        """Copy what may be written now; of a grant alone no more than that is copied."""

        def look() -> Snapshot:
            with read() as reader:
                return snapshot_of(reader, self._clone, self._only)

        with suppress(errors.HandrailError):
            if granted is None or not self._added(granted):
                self._opened().take(look, self._announced)

    def _added(self, granted: Grant) -> bool:
        epoch, lease = granted
        if self._announced is not None or not lease.worktree.startswith(self._clone):
            return False
        return self._opened().add(allowed_by(lease, self._clone), epoch, lease.token)

    def _opened(self) -> GuardCopy:
        if self._copy is None:
            self._copy = GuardCopy(self._path, BootClock())
        return self._copy


def copied(state_dir: str) -> Seen | None:
    """Return what is known here without the store; None where nothing can be trusted."""
    path = os.path.join(state_dir, NAME)
    if not os.path.exists(path):
        return None
    copy = GuardCopy(path, BootClock())
    try:
        return copy.seen()
    finally:
        copy.close()


def clone_of(state_dir: str, place: Place) -> str:
    """Return what the names of all working trees of this clone begin with, on a shared store."""
    return f"{clone_name(state_dir, place.common_dir, socket.gethostname())}:"

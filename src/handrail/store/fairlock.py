"""A fair queue in front of a store that has none.

SQLite's own busy handler sleeps and retries, so eight busy writers starve one another for seconds.
Here a writer first takes its place (``queue``), then its turn (``turn``), then gives the place up:
whoever had the turn must queue again behind the one who waits for it. A turn lasts a few
milliseconds: a writer that comes back within them goes on without queueing, because handing the
turn to another process costs more than a whole transaction.

Promises: held by at most one open lock at a time; freed by the kernel when its process dies; waits
at most ``timeout_ms``. Not promised: strict order of arrival among those who wait for a place.

    with FairLock("state").held(timeout_ms=5_000): ...
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from handrail.errors import StoreBusy
from handrail.store.filesystem import unwritable
from handrail.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

TURN_S = 0.004
_POLL_FIRST_S = 0.0005
_POLL_LAST_S = 0.01


class _TimedOutError(Exception):
    """The alarm rang while we waited."""


class FairLock:
    """A lock on two files beside the store, ``<stem>.queue`` and ``<stem>.turn``."""

    def __init__(self, stem: str) -> None:
        self._stem = stem
        self._queue = -1
        self._turn = -1
        self._turn_began = -TURN_S

    @contextmanager
    def held(self, timeout_ms: int) -> Iterator[None]:
        """Hold the turn for a block; raises StoreBusy, StoreReadOnly."""
        self.take(timeout_ms)
        try:
            yield
        finally:
            self.give_back()

    def take(self, timeout_ms: int) -> None:
        """Wait for the turn, which then has to be given back; raises StoreBusy, StoreReadOnly."""
        now = time.monotonic()
        if now - self._turn_began >= TURN_S or not _lock_at_once(self._turn):
            self._acquire(now + timeout_ms / 1000, timeout_ms)

    def give_back(self) -> None:
        """Let the next one have the turn."""
        fcntl.flock(self._turn, fcntl.LOCK_UN)

    def _acquire(self, deadline: float, timeout_ms: int) -> None:
        if self._turn < 0:
            self._open()
        try:
            _lock(self._queue, deadline)
            try:
                _lock(self._turn, deadline)
            finally:
                fcntl.flock(self._queue, fcntl.LOCK_UN)
        except BaseException as error:
            # Interrupted between winning either lock and knowing it: nothing may stay locked.
            fcntl.flock(self._turn, fcntl.LOCK_UN)
            fcntl.flock(self._queue, fcntl.LOCK_UN)
            if isinstance(error, _TimedOutError):
                raise StoreBusy(
                    path=f"{self._stem}.db", waited_ms=timeout_ms, pid=self._holder()
                ) from error
            raise
        self._turn_began = time.monotonic()
        mine = b"%-10d" % os.getpid()
        with suppress(OSError):  # on a full disk nobody learns our number, and that is all
            if os.pread(self._turn, len(mine), 0) != mine:  # a write would burden the next sync
                os.pwrite(self._turn, mine, 0)

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            self._queue = os.open(self._stem + ".queue", flags, 0o600)
            self._turn = os.open(self._stem + ".turn", flags, 0o600)
        except OSError as error:
            self.close()
            raise unwritable(f"{self._stem}.db", error) from error

    def _holder(self) -> str:
        try:
            return os.pread(self._turn, 10, 0).decode("ascii", "replace").strip() or "unknown"
        except OSError:
            return "unknown"

    def close(self) -> None:
        """Close both files, which frees what was held through them."""
        for descriptor in (self._queue, self._turn):
            if descriptor >= 0:
                os.close(descriptor)
        self._queue = self._turn = -1
        self._turn_began = -TURN_S


def _lock_at_once(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock(descriptor: int, deadline: float) -> None:
    if not _lock_at_once(descriptor):
        # Imported here because only who must wait should pay for it.
        import signal
        import threading

        on_main = threading.current_thread() is threading.main_thread()
        if on_main and signal.getitimer(signal.ITIMER_REAL)[0] == 0:
            _lock_with_alarm(descriptor, deadline)
        else:
            _lock_by_polling(descriptor, deadline)


def _lock_with_alarm(descriptor: int, deadline: float) -> None:
    """Sleep in the kernel's queue: woken at once, which polling is not."""
    import signal

    def ring(number: int, frame: FrameType | None) -> None:
        raise _TimedOutError

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, max(deadline - time.monotonic(), 0.001))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)


def _lock_by_polling(descriptor: int, deadline: float) -> None:
    """For threads that no signal reaches."""
    pause = _POLL_FIRST_S
    while not _lock_at_once(descriptor):
        if time.monotonic() >= deadline:
            raise _TimedOutError
        time.sleep(pause)
        pause = min(pause * 2, _POLL_LAST_S)

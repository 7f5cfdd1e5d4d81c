"""A fair queue in front of a store that has none.

SQLite's own busy handler sleeps and retries, so eight busy writers starve one another for seconds.
Here a writer first takes its place (``queue``), then its turn (``turn``), then gives the place up:
whoever just had the turn must queue again behind the one who waits for it, so nobody can take
two turns while another waits at the head.

Promises: held by at most one open lock at a time; freed by the kernel when its process dies; waits
at most ``timeout_ms``. Not promised: strict order of arrival among those who wait for a place.

    with FairLock("state").held(timeout_ms=5_000): ...
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from handrail.errors import StoreBusy, StoreReadOnly

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

    @contextmanager
    def held(self, timeout_ms: int) -> Iterator[None]:
        """Hold the turn for a block; raises StoreBusy, StoreReadOnly."""
        self._acquire(time.monotonic() + timeout_ms / 1000, timeout_ms)
        try:
            yield
        finally:
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
            fcntl.flock(self._turn, fcntl.LOCK_UN)
            if isinstance(error, _TimedOutError):
                raise StoreBusy(
                    path=self._stem, waited_ms=timeout_ms, pid=self._holder()
                ) from error
            raise
        os.pwrite(self._turn, b"%-10d" % os.getpid(), 0)

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            self._queue = os.open(self._stem + ".queue", flags, 0o600)
            self._turn = os.open(self._stem + ".turn", flags, 0o600)
        except OSError as error:
            self.close()
            raise StoreReadOnly(path=self._stem, reason=error.strerror) from error

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


def _lock(descriptor: int, deadline: float) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        on_main = threading.current_thread() is threading.main_thread()
        if on_main and signal.getitimer(signal.ITIMER_REAL)[0] == 0:
            _lock_with_alarm(descriptor, deadline)
        else:
            _lock_by_polling(descriptor, deadline)


def _lock_with_alarm(descriptor: int, deadline: float) -> None:
    """Sleep in the kernel's queue: woken at once, which polling is not."""

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
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise _TimedOutError from None
            time.sleep(pause)
            pause = min(pause * 2, _POLL_LAST_S)

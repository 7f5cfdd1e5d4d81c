"""Ctrl-C, SIGTERM and a closed terminal: they stop the demo, and never half way through a step.

A signal counts only while it is *allowed*. One that comes at another time, while a process is being
started or things are put away, waits until that is done; so there is no process and no folder that
nobody knows of.

    with Interrupts() as interrupts:
        try:
            with interrupts.allowed():
                ...
        finally:
            put_away()
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Final

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Turns the stopping signals into KeyboardInterrupt; what was ignored before stays ignored."""

    def __init__(self) -> None:
        self._allowed = False
        self._pending = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._pending and kind is None:
            raise KeyboardInterrupt

    def _caught(self, number: int, frame: FrameType | None) -> None:
        self._pending = True
        self._check()

    def _check(self) -> None:
        # Raised once: whoever presses Ctrl-C again must not stop the putting away.
        if self._pending and self._allowed:
            self._allowed = False
            raise KeyboardInterrupt

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let signals interrupt the block."""
        self._allowed = True
        try:
            self._check()
            yield
        finally:
            self._allowed = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let signals wait for the end of the block; there a waiting one interrupts."""
        before, self._allowed = self._allowed, False
        try:
            yield
        finally:
            self._allowed = before
        self._check()

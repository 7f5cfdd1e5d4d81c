"""Commands that are run for evidence: bounded in time and output, and nothing is left of them.

Promises: a command is an argument vector, never a shell's line; it has a session of its own, so at
its end or at its time's end everything that it started there is told to stop (SIGTERM) and then
stopped (SIGKILL); stdin is closed; what it prints is hashed whole after redaction, and of it the
last ``TAIL_BYTES_MAX`` are kept, however much it was; secrets of Handrail are not in its
environment, and what variables hold that are named like a secret is redacted. Not promised: a
process that left the session on purpose lives on.

    Runner().run(Order(("make", "test"), "/repo", 600_000)).status
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from handrail.core.record import Record
from handrail.typed import Final

TAIL_BYTES_MAX: Final = 2_048
PIECE_BYTES: Final = 1 << 16
KEPT_BACK: Final = ("HANDRAIL_SECRET", "HANDRAIL_LEDGER_KEY")
GRACE_S: Final = 2.0
TICK_S: Final = 0.02

EXITED: Final = "exited"
SIGNALLED: Final = "signalled"
TIMED_OUT: Final = "timed-out"
STOPPED: Final = "stopped"
NOT_STARTED: Final = "not-started"


class Order(Record):
    """A command, the folder it runs in, its time in ms (None: as long as it takes), more to set.

    ``hidden`` are variables that it does not see.
    """

    argv: tuple[str, ...]
    folder: str
    timeout_ms: int | None
    env: tuple[tuple[str, str], ...] = ()
    hidden: tuple[str, ...] = ()


class Ran(Record):
    """How a command ended; ``status`` is its own exit status, a signal's number where it was one.

    ``output_hash`` and ``tail`` are of what it printed, redacted; ``output_bytes`` of it as it was.
    ``argv`` is redacted, too.
    """

    argv: tuple[str, ...]
    ended: str
    status: int | None
    reason: str
    output_hash: str
    output_bytes: int
    tail: str
    duration_ms: int


class Runner:
    """Runs commands, each in the thread that asks, and can stop all of them at once."""

    def __init__(self) -> None:
        self._over = threading.Event()

    def stop(self) -> None:
        """End whatever runs, and start nothing any more."""
        self._over.set()

    def run(self, order: Order, show: Callable[[bytes], None] | None = None) -> Ran:
        """Run one command to its end; ``show`` gets what it prints, as it is printed."""
        began = time.monotonic()
        ends = None if order.timeout_ms is None else began + order.timeout_ms / 1000
        hidden = (*KEPT_BACK, *order.hidden)
        environment = {k: v for k, v in os.environ.items() if k not in hidden}
        kept = _Kept(order, show)
        try:
            child = subprocess.Popen(
                list(order.argv),
                cwd=order.folder,
                env={**environment, **dict(order.env)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return kept.as_ran(NOT_STARTED, None, reason, 0)
        assert child.stdout is not None
        ended = EXITED
        try:
            ended = self._follow(child, child.stdout.fileno(), ends, kept)
        finally:
            _end_group(child, child.stdout.fileno(), kept)
            child.stdout.close()
            status = child.wait()
        spent_ms = round((time.monotonic() - began) * 1000)
        if ended == EXITED and status < 0:
            ended = SIGNALLED
        if ended in (EXITED, SIGNALLED):
            return kept.as_ran(ended, abs(status), "", spent_ms)
        return kept.as_ran(ended, None, ended.replace("-", " "), spent_ms)

    def _follow(
        self, child: subprocess.Popen[bytes], pipe: int, ends: float | None, kept: _Kept
    ) -> str:
        """Read until the command has ended, its time is over, or all is to stop."""
        is_open = True
        while True:
            if self._over.is_set():
                return STOPPED
            if ends is not None and time.monotonic() >= ends:
                return TIMED_OUT
            if is_open:
                is_open = _read(pipe, kept, TICK_S) is not False
            else:
                time.sleep(TICK_S)
            if _has_ended(child.pid):
                return EXITED


def _read(pipe: int, kept: _Kept, wait_s: float) -> bool | None:
    """Read what is there; False at the end of it, None where nothing came in time."""
    if not select.select([pipe], [], [], wait_s)[0]:
        return None
    piece = os.read(pipe, PIECE_BYTES)
    kept.take(piece)
    return bool(piece)


def _has_ended(pid: int) -> bool:
    """Tell whether a child has ended, and leave it to be waited for: its number stays its own."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end_group(child: subprocess.Popen[bytes], pipe: int, kept: _Kept) -> None:
    """Stop whatever is left in the command's session, and read what it still printed."""
    _signal_group(child.pid, signal.SIGTERM)
    until = time.monotonic() + GRACE_S
    is_open = True
    while time.monotonic() < until and (is_open or not _has_ended(child.pid)):
        if is_open:
            is_open = _read(pipe, kept, TICK_S) is not False
        else:
            time.sleep(TICK_S)
    _signal_group(child.pid, signal.SIGKILL)
    until = time.monotonic() + GRACE_S
    while is_open and time.monotonic() < until and _read(pipe, kept, TICK_S):
        pass


def _signal_group(pid: int, number: int) -> None:
    """Signal a session's first group; whoever leads it is not waited for yet, so it is no other."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


class _Kept:
    """What is kept of the output: a hash, a number, an end."""

    def __init__(self, order: Order, show: Callable[[bytes], None] | None) -> None:
        # Their expressions cost more than all the rest of this module, and most asks run nothing.
        from hashlib import sha256

        from handrail.core.redaction import Redactor, redacted_words, secret_values

        values = secret_values((*os.environ.items(), *order.env))
        self._argv = redacted_words(order.argv, values)
        self._show = show
        self._redactor = Redactor(values)
        self._digest = sha256()
        self._tail = b""
        self._bytes = 0

    def take(self, piece: bytes) -> None:
        """Count one piece of output, and show it."""
        self._bytes += len(piece)
        self._keep(self._redactor.feed(piece))
        if self._show is not None and piece:
            self._show(piece)

    def _keep(self, text: bytes) -> None:
        self._digest.update(text)
        self._tail = (self._tail + text[-TAIL_BYTES_MAX:])[-TAIL_BYTES_MAX:]

    def as_ran(self, ended: str, status: int | None, reason: str, duration_ms: int) -> Ran:
        """Say how it ended and what it printed."""
        self._keep(self._redactor.end())
        tail = self._tail.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        digest = self._digest.hexdigest()
        return Ran(self._argv, ended, status, reason, digest, self._bytes, tail, duration_ms)

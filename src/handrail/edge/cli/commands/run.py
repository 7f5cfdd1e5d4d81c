"""``run``: hold a scope while a command runs, keep it alive, tell when it is lost.

Promises: the command starts only once the lease is granted; its signals and its exit status are
its own; the lease is renewed well before anybody may doubt it; if it is lost all the same, the
command is told to stop (SIGTERM) and the exit status is 75, whatever the command then answers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, Final

from handrail import errors
from handrail.edge.cli.commands.leases import asked_from, wait_for
from handrail.edge.cli.invocation import Invocation
from handrail.edge.cli.output import say
from handrail.edge.reply import Reply
from handrail.service.leases import Granted
from handrail.service.sessions import Sessions
from handrail.text import visible
from handrail.wiring import Application

PASSED_ON: Final[tuple[int, ...]] = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
    signal.SIGCONT,
)
FROM_TERMINAL: Final[tuple[int, ...]] = (signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH)
GRACE_S: Final = 10.0


def run(invocation: Invocation) -> Reply:
    """Claim, run, release."""
    scope, words = invocation.words("claim"), invocation.words("command")
    if not scope:
        reason = "Name the scope to hold with --claim."
        raise errors.Usage(reason=reason, next="handrail run --help")
    application = invocation.application
    asked = asked_from(invocation, scope)
    own_session = application.caller.session is None
    if own_session:
        sessions = Sessions(application.context)
        started = sessions.start(role=asked.role)
        application.act_as(started.session.id)
    granted: Granted | None = None
    relay = Relay()
    try:
        if invocation.text("wait") is not None:
            granted = wait_for(invocation, asked)
        else:
            granted = application.leases.claim(asked)
        if not invocation.flag("quiet"):
            say(f"handrail: holding {' '.join(map(visible, granted.scope))} ({granted.token})")
        relay.begin()
        environment = {**os.environ, "HANDRAIL_SESSION": granted.session}
        if own_session:
            environment.pop("HANDRAIL_SECRET", None)
        child = start(words, environment, invocation.text("directory"), "handrail run --help")
        relay.pass_on_to(child)
        return Reply({}, status=supervise(application, [granted], child, asked.ttl_ms))
    finally:
        relay.hold_back()
        _give_back(application, granted, own_session=own_session)
        relay.end()


def _give_back(application: Application, granted: Granted | None, *, own_session: bool) -> None:
    """Free what this run took; a lease that was held before stays."""
    try:
        if own_session:
            Sessions(application.context).end(reason="run")
        elif granted is not None and not granted.renewed:
            application.leases.release([granted.token])
    except errors.HandrailError as error:
        say(f"handrail: {error.code}: {error.message}")


def start(
    words: Sequence[str], environment: Mapping[str, str], folder: str | None, help: str
) -> subprocess.Popen[bytes]:
    """Start a command in a folder; raises Usage, which names ``help`` as the next command."""
    try:
        return subprocess.Popen(list(words), env=environment, cwd=folder)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise errors.Usage(
            reason=f"{visible(words[0]).strip() or repr(words[0])} could not be started: {reason}.",
            next=help,
        ) from error


def supervise(
    application: Application,
    granted: Sequence[Granted],
    child: subprocess.Popen[bytes],
    ttl_ms: int | None,
) -> int:
    """Keep leases while the command runs; returns the exit status."""
    keepers = [Keeper(application, lease, child, ttl_ms) for lease in granted]
    for keeper in keepers:
        keeper.start()
    status = child.wait()
    for keeper in keepers:
        keeper.stop()
    ends = [k.lost or _lost(application, g, ttl_ms) for k, g in zip(keepers, granted, strict=True)]
    lost = next((end for end in ends if end is not None), None)
    if lost is not None:
        say(f"handrail: {lost.code}: {lost.message}")
        return errors.EXIT_LEASE_LOST
    return status if status >= 0 else 128 - status


def _lost(application: Application, granted: Granted, ttl_ms: int | None) -> errors.Refused | None:
    """Ask the store whether the lease lived to the end: our own process may have been stopped."""
    try:
        application.leases.renew([granted.token], ttl_ms)
    except errors.Refused as refusal:
        return refusal
    except errors.Unavailable:
        pass
    return None


class Relay:
    """What happens to a signal: handed to the command, or held back where it would do harm."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._early: list[int] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._held = False

    def begin(self) -> None:
        """Catch signals from here on; those that come before the command starts wait for it."""
        for number in PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._caught)

    def pass_on_to(self, child: subprocess.Popen[bytes]) -> None:
        """Hand signals to the command, first those that came early."""
        self._child = child
        for number in self._early:
            _signal(child, number)

    def hold_back(self) -> None:
        """Swallow signals: what was taken is being given back, which ends in bounded time."""
        self._held = True
        if not self._before:
            self.begin()

    def end(self) -> None:
        """Put back what was before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if self._held:
            return
        if self._child is None:
            self._early.append(number)
        elif number not in FROM_TERMINAL or not _terminal_told_everybody():
            _signal(self._child, number)


def _terminal_told_everybody() -> bool:
    """Tell whether a key at the terminal reached the child too: it would get it twice."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        child.send_signal(number)


def _trusted_ms(lease: Granted, application: Application) -> int:
    return max(0, lease.trusted_until - application.now())


class Keeper(threading.Thread):
    """Renews the lease from a thread with a store of its own, at half of what it trusts."""

    def __init__(
        self,
        application: Application,
        granted: Granted,
        child: subprocess.Popen[bytes],
        ttl_ms: int | None,
    ) -> None:
        super().__init__(name="keep-alive", daemon=True)
        self._application = application
        self._granted = granted
        self._child = child
        self._ttl_ms = ttl_ms
        self._over = threading.Event()
        self.lost: errors.HandrailError | None = None

    def run(self) -> None:
        """Renew until the command ends or the lease is lost."""
        twin = self._application.twin()
        trusted_ms = _trusted_ms(self._granted, twin)
        doubted_at = time.monotonic() + trusted_ms / 1000
        try:
            while not self._over.wait(trusted_ms / 2000):
                try:
                    renewed = twin.leases.renew([self._granted.token], self._ttl_ms)[0]
                except errors.Unavailable as error:
                    if time.monotonic() >= doubted_at:
                        self._give_up(error)
                        return
                    trusted_ms = 500
                except errors.HandrailError as error:
                    self._give_up(error)
                    return
                else:
                    trusted_ms = _trusted_ms(renewed, twin)
                    doubted_at = time.monotonic() + trusted_ms / 1000
                    if trusted_ms <= 0:
                        self._give_up(
                            errors.LeaseExpired(
                                token=renewed.token,
                                scope=renewed.scope,
                                expires_at=renewed.expires_at,
                                asked=renewed.scope,
                            )
                        )
                        return
        finally:
            twin.close()

    def _give_up(self, error: errors.HandrailError) -> None:
        self.lost = error
        _signal(self._child, signal.SIGTERM)
        if not self._over.wait(GRACE_S):
            _signal(self._child, signal.SIGKILL)

    def stop(self) -> None:
        """Stop renewing: the command has ended."""
        self._over.set()
        self.join(timeout=5)

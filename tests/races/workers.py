"""What the processes of the races do. Imported by their server, so: nothing of pytest here."""

from __future__ import annotations

import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# All that an operation would otherwise import in every single process.
import handrail.core.decide
import handrail.core.scope.cover
import handrail.core.scope.meet
import handrail.service.leases
import handrail.service.sessions
from handrail.errors import ScopeHeld, StoreBusy
from handrail.service.leases import Asked
from handrail.store.fairlock import FairLock
from handrail.wiring import Application

__all__ = ["handrail"]


def opened(root: Path, session: str | None = None) -> Application:
    environment = {} if session is None else {"HANDRAIL_SESSION": session}
    return Application.open(str(root), environment, terminal=False)


# ----------------------------------------------------------------------------------------- claims


def race(root: Path, session: str, scopes: list[str], start: Any, results: Any) -> None:
    """Claim one scope a round, all racers at the same moment; tell who won and who refused whom."""
    app = opened(root, session)
    told: list[str | None] = []
    for scope in scopes:
        start.wait()
        try:
            told.append(app.leases.claim(Asked((scope,))).token)
        except ScopeHeld as refusal:
            assert refusal.values["witness"]
            told.append(None)
    app.close()
    results.put((session, told))


def wait_in_line(root: Path, session: str, order: Any) -> None:
    """Wait for one scope, tell the token, give it back."""
    app = opened(root, session)
    granted = app.leases.claim_waiting(Asked(("one",)), wait_ms=60_000)
    order.put((session, granted.token))
    app.leases.release([granted.token])
    app.close()


def wait_for(root: Path, session: str, scope: str, served: Any) -> None:
    """Wait for a scope and tell when it was granted."""
    app = opened(root, session)
    app.leases.claim_waiting(Asked((scope,)), wait_ms=60_000)
    served.put(scope)
    app.close()


def claim_without_pause(root: Path, session: str, seconds: float, results: Any) -> None:
    """Claim one new scope after the other; tell how many, and the longest time one took."""
    app = opened(root, session)
    count, worst = 0, 0.0
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        app.leases.claim(Asked((f"{session}/{count}",)))
        count, worst = count + 1, max(worst, time.monotonic() - began)
    results.put((count, worst))
    app.close()


# -------------------------------------------------------------------------------------- fair lock


def count_in_file(stem: str, number: Path, times: int) -> None:
    """Read a number, let others run, write the next one: only exclusion makes that add up."""
    lock = FairLock(stem)
    for _ in range(times):
        with lock.held(30_000):
            seen = int(number.read_text())
            time.sleep(0)
            number.write_text(str(seen + 1))
    lock.close()


def hold(stem: str, told: Connection) -> None:
    """Hold the lock until killed."""
    with FairLock(stem).held(30_000):
        told.send("held")
        time.sleep(600)


def queue_up(stem: str, told: Connection, timeout_ms: int) -> None:
    """Wait for the lock; tell what came of it, and how long it took."""
    lock = FairLock(stem)
    told.send("waiting")
    began = time.monotonic()
    try:
        with lock.held(timeout_ms):
            told.send(("held", time.monotonic() - began))
    except StoreBusy as busy:
        told.send((busy.values, time.monotonic() - began))
    except KeyboardInterrupt:
        told.send(("interrupted", time.monotonic() - began))
        time.sleep(600)


def queue_up_elsewhere(stem: str, told: Connection, timeout_ms: int) -> None:
    """Do the same in a thread, which no signal reaches."""
    thread = threading.Thread(target=queue_up, args=(stem, told, timeout_ms))
    thread.start()
    thread.join()


def queue_up_under_an_alarm(stem: str, told: Connection, timeout_ms: int) -> None:
    """Do the same while somebody else in this process uses the alarm; tell whether it rang."""
    rang = []
    signal.signal(signal.SIGALRM, lambda number, frame: rang.append(number))
    signal.setitimer(signal.ITIMER_REAL, timeout_ms / 2_000)
    queue_up(stem, told, timeout_ms)
    told.send(len(rang))


def leave_the_alarm_alone(stem: str, told: Connection, timeout_ms: int) -> None:
    """Wait once; tell whose the alarm is afterwards."""
    queue_up(stem, told, timeout_ms)
    handler = signal.getsignal(signal.SIGALRM)
    told.send((handler == signal.SIG_DFL, signal.getitimer(signal.ITIMER_REAL)[0]))


def die_in_turn(stem: str, told: Connection) -> None:
    """Win the lock and die on the spot."""
    with FairLock(stem).held(30_000):
        told.send("held")
        os.kill(os.getpid(), signal.SIGKILL)

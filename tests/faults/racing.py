"""Several processes of one host that claim the same scopes in the same order as those of others."""

from __future__ import annotations

import os
import time
import traceback
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from handrail.errors import ScopeHeld
from handrail.service.leases import Asked
from tests.linear.sites import Site

PATIENCE_S: Final = 60.0
POLL_S: Final = 0.002


def all_rounds(
    site: Site, sessions: list[str], rounds: int, meeting: Path, racers: int
) -> list[list[Any]]:
    """Fork a process for each session; returns (round, session, token) of every win."""
    lines: list[tuple[int, Any]] = []
    for session in sessions:
        mine, theirs = Pipe(duplex=False)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                mine.close()
                _race(site, session, rounds, meeting, racers, theirs)
                status = 0
            except BaseException:
                traceback.print_exc()
                raise
            finally:
                os._exit(status)
        theirs.close()
        lines.append((pid, mine))
    won: list[list[Any]] = []
    for pid, line in lines:
        won += line.recv()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return won


def _meet(place: Path, racers: int) -> None:
    """Wait for all others, on whatever host: a file is all they share besides the server."""
    file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(file, b".")
    deadline = time.monotonic() + PATIENCE_S
    while os.fstat(file).st_size < racers:
        assert time.monotonic() < deadline, "somebody does not come"
        time.sleep(POLL_S)
    os.close(file)


def _race(
    site: Site, session: str, rounds: int, meeting: Path, racers: int, told: Connection
) -> None:
    app = site.open(session)
    app.store.version()
    won = []
    for number in range(rounds):
        _meet(meeting / str(number), racers)
        try:
            won.append((number, session, app.leases.claim(Asked((f"round/{number}",))).token))
        except ScopeHeld as held:
            assert held.values["witness"]
    app.close()
    told.send(won)

"""kill -9 at every statement and every write of claim, renew and release.

Each round forks a child that runs one operation and kills itself in the middle: before the n-th
statement that SQLite is given, or at the n-th write or sync of a file. What the child had
acknowledged (through a pipe) must be there afterwards, nothing may be there by half, the ledger
may only have grown, and repeating the request must give the first outcome.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import apsw
import pytest

from handrail.core.ledger import Entry, verify
from handrail.errors import NotHolder
from handrail.service.health import verify_store
from handrail.service.leases import Asked
from handrail.service.sessions import Sessions
from handrail.service.setup import initialise
from handrail.wiring import Application
from tests.support import Repo

ROUNDS: Final = 500
STATEMENT, WRITE = "statement", "write"

Operation = Callable[[Application, "Ground"], str]


class Ground(NamedTuple):
    """What an operation works on: the number of the round and the token that it renews."""

    number: int
    token: str


def claim(app: Application, ground: Ground) -> str:
    """Claim two patterns at once, under a request id; an expired lease beside them is recorded."""
    scope = (f"area/{ground.number}/api", f"area/{ground.number}/*.md")
    return app.leases.claim(Asked(scope, request_id=f"claim-{ground.number}")).token


def renew(app: Application, ground: Ground) -> str:
    return app.leases.renew([ground.token], 7_200_000)[0].token


def release(app: Application, ground: Ground) -> str:
    app.leases.release([ground.token])
    return ground.token


OPERATIONS: Final[dict[str, Operation]] = {"claim": claim, "renew": renew, "release": release}


class Fuse:
    """Kills this very process at the n-th count."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, *seen: object) -> bool:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return True


class _File(apsw.VFSFile):
    fuse: Fuse

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self.fuse()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self.fuse()
        super().xSync(flags)


def install_write_fuse(fuse: Fuse) -> object:
    """Make every file that SQLite opens from here on count its writes and syncs."""
    _File.fuse = fuse

    class Files(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("killing", "unix", makedefault=True)

        def xOpen(  # noqa: N802 - SQLite's name
            self, name: str | apsw.URIFilename | None, flags: list[int]
        ) -> apsw.VFSFile:
            return _File("unix", name, flags)

    return Files()


class Outcome(NamedTuple):
    """How a child ended: killed or not, and what it had acknowledged."""

    killed: bool
    acknowledged: str


def run_and_kill(
    root: Path, session: str, name: str, place: str, number: int, on: Ground
) -> Outcome:
    """Fork a child that runs an operation with a fuse; returns how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            fuse = Fuse(number)
            kept = install_write_fuse(fuse) if place == WRITE else None
            app = opened(root, session)
            if place == STATEMENT:
                app.store._connection.exec_trace = fuse
            os.write(writing, OPERATIONS[name](app, on).encode())
            status = 0 if kept is not None or place == STATEMENT else 1
        finally:
            os._exit(status)
    os.close(writing)
    with open(reading, "rb") as told:
        acknowledged = told.read().decode()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status)
    assert killed or os.WEXITSTATUS(status) == 0, "the operation itself failed"
    assert not killed or os.WTERMSIG(status) == signal.SIGKILL
    return Outcome(killed, acknowledged)


def opened(root: Path, session: str) -> Application:
    return Application.open(str(root), {"HANDRAIL_SESSION": session}, terminal=False)


@pytest.fixture
def session(repo: Repo) -> str:
    app = Application.open(str(repo.path), {}, terminal=False)
    initialise(app.ground, "minimal")
    started = Sessions(app.context).start(agent="victim").session.id
    app.close()
    return started


def plan() -> Iterator[tuple[str, str]]:
    while True:
        for name in OPERATIONS:
            for place in (STATEMENT, WRITE):
                yield name, place


def test_kill_9_anywhere_loses_nothing_acknowledged_and_leaves_nothing_by_half(
    repo: Repo, session: str
) -> None:
    before: list[Entry] = []
    done = 0
    killed = dict.fromkeys(((n, p) for n in OPERATIONS for p in (STATEMENT, WRITE)), 0)
    for name, place in plan():
        if done >= ROUNDS:
            break
        at = 0
        survived = False
        while not survived and done < ROUNDS + 100:
            at += 1
            done += 1
            on = Ground(done, "" if name == "claim" else prepare(repo.path, session, done))
            before = ledger_of(repo.path, session, before)
            outcome = run_and_kill(repo.path, session, name, place, at, on)
            survived = not outcome.killed
            killed[name, place] += outcome.killed
            before = check(repo.path, session, name, on, outcome, before)
    assert done >= ROUNDS
    # Each operation was really interrupted at many places, of both kinds.
    assert min(killed.values()) >= 4, killed


def prepare(root: Path, session: str, number: int) -> str:
    """Claim what a round is going to renew or release."""
    app = opened(root, session)
    try:
        return app.leases.claim(Asked((f"held/{number}",))).token
    finally:
        app.close()


def ledger_of(root: Path, session: str, before: list[Entry]) -> list[Entry]:
    app = opened(root, session)
    try:
        with app.store.read() as reader:
            return [*before, *reader.entries(len(before))]
    finally:
        app.close()


def check(
    root: Path, session: str, name: str, on: Ground, outcome: Outcome, before: list[Entry]
) -> list[Entry]:
    """Look at what the kill left; returns the ledger as it is now."""
    app = opened(root, session)
    try:
        with app.store.read() as reader:
            after = list(reader.entries())
            assert after[: len(before)] == before, "the ledger only grows"
            report = verify(after)
            assert report.problem is None
            assert report.head == reader.head
        if on.number % 10 == 0 or len(after) > len(before):
            assert verify_store(app.store, app.store.integrity()).good
        grown = len(after) - len(before)
        if name == "claim":
            assert grown in (0, 1)
            again = claim(app, on)
            with app.store.read() as reader:
                now = list(reader.entries())
            assert len(now) == len(before) + 1, "one grant, however often it is asked for"
            if outcome.acknowledged or grown:
                assert again == f"{reader.epoch}:{len(before) + 1}"
                assert not outcome.acknowledged or again == outcome.acknowledged
            return now
        with app.store.read() as reader:
            lease = reader.lease(int(on.token.partition(":")[2]))
        if name == "renew":
            assert grown == 0
            assert lease is not None, "an acknowledged lease is never lost"
            renewed = lease.expires_at - lease.granted_at > lease.ttl_ms
            assert renewed or not outcome.acknowledged
        else:
            assert (lease is None) == (grown == 1), "released in the table and the ledger, or not"
            assert lease is None or not outcome.acknowledged
            if lease is not None:
                app.leases.release([on.token])
                with app.store.read() as reader:
                    return list(reader.entries())
            with pytest.raises(NotHolder):
                app.leases.renew([on.token])
        return after
    finally:
        app.close()

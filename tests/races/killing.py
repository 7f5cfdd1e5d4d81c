"""Processes that kill or stop themselves in the middle: at a statement, a write or a sync.

Imported by the server of the races, so: nothing of pytest here. ``operate`` runs one operation with
a fuse; what it acknowledges goes through a pipe, as an answer goes to whoever asked.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from handrail.service.handoffs import Offering
from handrail.service.leases import Asked
from handrail.service.setup import initialise
from handrail.store.sqlite import connection
from handrail.store.sqlite import store as store_module
from handrail.wiring import Application
from tests.races.handing import Quick

STATEMENT: Final = "before a statement"
WRITE: Final = "before a write or sync"
WRITTEN: Final = "after a write or sync"
PLACES: Final = (STATEMENT, WRITE, WRITTEN)

NEXT_FORMAT: Final = """
CREATE TABLE extra (x INTEGER NOT NULL) STRICT;
INSERT INTO extra SELECT token FROM lease;
ALTER TABLE session ADD COLUMN more TEXT;
"""


class Ground(NamedTuple):
    """What an operation works on: the number of the round and the token that it renews."""

    number: int
    token: str = ""


Operation = Callable[[Application, Ground], str]


def claim(app: Application, ground: Ground) -> str:
    """Claim two patterns at once, under a request id."""
    scope = (f"area/{ground.number}/api", f"area/{ground.number}/*.md")
    return app.leases.claim(Asked(scope, request_id=f"claim-{ground.number}")).token


def renew(app: Application, ground: Ground) -> str:
    return app.leases.renew([ground.token], 7_200_000)[0].token


def release(app: Application, ground: Ground) -> str:
    app.leases.release([ground.token])
    return ground.token


def offer(app: Application, ground: Ground) -> str:
    """Offer what is held for the round's task, under a request id; returns the reservation."""
    asked = Offering(task=f"task-{ground.number}", scope=(f"area/{ground.number}/api",))
    asked = asked._replace(request_id=f"offer-{ground.number}")
    return str(Quick(app.context, app.packet_files).offer(asked).packet.token)


def accept(app: Application, ground: Ground) -> str:
    """Accept the round's task; returns the token under which its scope is held now."""
    handoffs = Quick(app.context, app.packet_files)
    done = handoffs.accept(f"task-{ground.number}", request_id=f"accept-{ground.number}")
    return "" if done.lease is None else str(done.lease.token)


def found(app: Application, ground: Ground) -> str:
    """Found the store and put a configuration in force, as ``init`` does."""
    return initialise(app.ground, "minimal").epoch or ""


def migrate(app: Application, ground: Ground) -> str:
    """Write with a program that knows one format more."""
    know_the_next_format()
    with app.store.transaction() as tx:
        return tx.epoch


OPERATIONS: Final[dict[str, Operation]] = {
    operation.__name__: operation
    for operation in (claim, renew, release, offer, accept, found, migrate)
}


def know_the_next_format() -> None:
    """Make this very process a program of the next format; only for one that is about to end."""
    number = connection.FORMAT + 1
    scripts = {**connection.migrations(), number: NEXT_FORMAT}
    connection.FORMAT = store_module.FORMAT = number  # type: ignore[attr-defined]
    store_module.migrations = lambda: scripts  # type: ignore[attr-defined]


class Fuse:
    """Kills this very process at the n-th count."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, *seen: object) -> bool:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return True


def nothing(*seen: object) -> bool:
    return True


class _File(apsw.VFSFile):
    before: Callable[..., bool] = nothing
    after: Callable[..., bool] = nothing

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        type(self).before()
        super().xWrite(data, offset)
        type(self).after()

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        type(self).before()
        super().xSync(flags)
        type(self).after()

    def xTruncate(self, size: int) -> None:  # noqa: N802 - SQLite's name
        type(self).before()
        super().xTruncate(size)
        type(self).after()


class _Files(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("killing", "unix", makedefault=True)

    def xOpen(  # noqa: N802 - SQLite's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        return _File("unix", name, flags)


def _sync_with_fuse(fuse: Fuse, *, first: bool) -> None:
    """Let the store's own sync of the log burn the fuse too."""
    sync = os.fdatasync

    def burning(descriptor: int) -> None:
        if first:
            fuse()
        sync(descriptor)
        if not first:
            fuse()

    os.fdatasync = burning  # type: ignore[assignment]


def operate(
    root: Path,
    environment: dict[str, str],
    name: str,
    place: str,
    at: int,
    ground: Ground,
    told: Connection,
) -> None:
    """Run an operation with a fuse, acknowledge it, close everything: killed where the fuse says.

    ``at`` 0 is no fuse.
    """
    fuse = Fuse(at)
    files = None
    if place == STATEMENT:
        apsw.connection_hooks.append(lambda made: made.set_exec_trace(fuse))
    else:
        files = _Files()
        setattr(_File, "before" if place == WRITE else "after", staticmethod(fuse))
        _sync_with_fuse(fuse, first=place == WRITE)
    app = Application.open(str(root), environment, terminal=False)
    told.send_bytes(OPERATIONS[name](app, ground).encode())
    app.close()
    told.close()
    del files
    os._exit(0)  # what was loaded here is nobody's to tidy

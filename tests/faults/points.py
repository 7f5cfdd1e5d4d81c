"""Processes that stop (SIGSTOP) or die (SIGKILL) at a named point of what they do to a store.

The points lie around a transaction of any store, so they mean the same everywhere; what lies
between the statements of SQLite is the business of ``tests.races.killing``. Imported by the server
of the races: nothing of pytest here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final

from handrail import errors
from handrail.service.attestation import Attestation
from handrail.service.handoffs import Offering
from handrail.service.leases import Asked
from handrail.wiring import Application
from tests.linear.histories import WrappedTx
from tests.linear.sites import Site
from tests.races.handing import Quick

BEFORE: Final = "before the transaction"
INSIDE: Final = "in the transaction"
DECIDED: Final = "before the commit"
COMMITTED: Final = "after the commit"
DONE: Final = "after the transaction"
POINTS: Final = (BEFORE, INSIDE, DECIDED, COMMITTED, DONE)
HOLDING: Final = (INSIDE, DECIDED)
"""Where a store's exclusion is held, and nothing is committed yet."""


class Pointed:
    """A store that sends this very process a signal at one point of its first transaction."""

    def __init__(self, store: Any, point: str, number: int) -> None:
        self._store, self._point, self._number = store, point, number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def reach(self, point: str) -> None:
        if point == self._point:
            self._point = ""
            os.kill(os.getpid(), self._number)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        self.reach(BEFORE)
        with self._store.transaction() as tx:
            self.reach(INSIDE)

            def commit(*values: Any) -> Any:
                self.reach(DECIDED)
                entries = tx.commit(*values)
                self.reach(COMMITTED)
                return entries

            yield WrappedTx(tx, {"commit": commit})
        self.reach(DONE)

    def attempt(self, decide: Callable[[Any], Any], ahead: object) -> Any:
        """Hold the exclusion: what lies in it is what is looked at here."""
        with self.transaction() as tx:
            return decide(tx)


def claim(app: Application, request: str) -> str:
    return app.leases.claim(Asked(("src",), request_id=request)).token


def offer(app: Application, request: str) -> str:
    handoffs = Quick(app.context, app.packet_files)
    asked = Offering(task="fix", scope=("gift",), request_id=request)
    return str(handoffs.offer(asked).packet.token)


def accept(app: Application, request: str) -> str:
    done = Quick(app.context, app.packet_files).accept("port", request_id=request)
    return "accepted" if done.lease is None else str(done.lease.token)


def attest(app: Application, request: str) -> str:
    return ",".join(Attestation(app.context).attest("HEAD").commits)


ACTS: Final[dict[str, Callable[[Application, str], str]]] = {
    act.__name__: act for act in (claim, offer, accept, attest)
}


def act_at(site: Site, what: str, point: str, number: int, told: Connection) -> None:
    """Do something and get a signal at a point; tell how it ended, if it does."""
    app = site.open("ada")
    app.context  # noqa: B018 - opened before the point
    app._store = Pointed(app.store, point, number)  # type: ignore[assignment]
    try:
        outcome = ACTS[what](app, f"{what}-1")
    except errors.HandrailError as error:
        outcome = f"refused {error.code}"
    app.close()
    told.send(outcome)
    told.close()

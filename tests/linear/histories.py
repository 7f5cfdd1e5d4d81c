"""Processes that use one store and write down what they asked and what came of it, and when.

Imported by the server of the races, so: nothing of pytest here. Each process has a file of its own
and writes a line before each call and one after it, straight to the kernel: whoever is killed has
said what it was about to do. All moments are CLOCK_MONOTONIC, which is one for the machine.

``PLANTED`` has stores with a fault, for the test of the test.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

from handrail import errors
from handrail.core.events import LeaseRenewed
from handrail.service.board import Board
from handrail.service.handoffs import Handoffs, Offering
from handrail.service.leases import Asked
from handrail.wiring import Application
from tests.linear.checker import Operation
from tests.linear.sites import Site

SCOPES: Final = ("area/0", "area/1", "area/2")
WIDE: Final = "area"
TASKS: Final = ("fix", "port")
STALE_SHARE: Final = 0.2
REFRESHED_EVERY: Final = 12


class Quick(Handoffs):
    """Handoffs that do not ask git where HEAD is."""

    def _head(self) -> dict[str, Any]:
        return {}


def take_part(
    site: Site,
    session: str,
    file: Path,
    seed: str,
    steps: int,
    planted: str | None = None,
) -> None:
    """Do ``steps`` things as chance has it, as ``session``, and write a history of them."""
    app = site.open(session)
    chance = random.Random(seed)
    if planted is not None:
        app._store = PLANTED[planted](app.store, site.open().store, chance)
    actor = Actor(app, session)
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for _ in range(steps):
        asked = _something(chance, session)
        _write(log, [time.monotonic_ns(), *asked])
        try:
            answered = actor.do(*asked)
        except (AssertionError, errors.Bug):
            if planted is None:
                raise
            break  # it noticed itself that something is wrong: nothing came of the call
        _write(log, [time.monotonic_ns(), *answered])
    os.close(log)
    app.close()


def _write(log: int, row: list[object]) -> None:
    os.write(log, (json.dumps(row) + "\n").encode())


def _something(chance: random.Random, session: str) -> tuple[str, ...]:
    what = chance.choices(
        ("claim", "renew", "release", "offer", "accept", "withdraw", "read"),
        (5, 3, 4, 2, 2, 1, 6),
    )[0]
    if what == "read":
        return what, session
    if what in ("claim", "renew", "release"):
        return what, session, chance.choices((*SCOPES, WIDE), (4, 4, 4, 1))[0]
    task = chance.choice(TASKS)
    return (
        (what, session, task, chance.choice(SCOPES)) if what == "offer" else (what, session, task)
    )


class Actor:
    """Does what was asked through the use cases, and says what came of it as a model does."""

    def __init__(self, app: Application, session: str) -> None:
        self._app, self._session = app, session
        self._handoffs = Quick(app.context, app.packet_files)

    def do(self, what: str, session: str, *words: str) -> tuple[Hashable, ...]:
        act: Callable[..., tuple[Hashable, ...]] = getattr(self, f"_{what}")
        try:
            return act(*words)
        except errors.ScopeHeld as held:
            if what == "claim":
                return held.code, str(held.values["session"]), _number(str(held.values["token"]))
            return (held.code,)
        except (errors.NotHolder, errors.StaleToken, errors.UnknownToken):
            return ("not_held",)
        except errors.Refused as refused:
            return (refused.code,)

    def _claim(self, scope: str) -> tuple[Hashable, ...]:
        got = self._app.leases.claim(Asked((scope,)))
        return "renewed" if got.renewed else "granted", _number(got.token), got.expires_at

    def _own(self, scope: str) -> str | None:
        """Return the token of one's own lease of a scope, as the store tells it now."""
        with self._app.store.read() as reader:
            own = [x for x in reader.leases(self._session) if x.scope == (scope,)]
            return f"{reader.epoch}:{own[0].token}" if own else None

    def _renew(self, scope: str) -> tuple[Hashable, ...]:
        token = self._own(scope)
        if token is None:
            return ("not_held",)
        got = self._app.leases.renew([token])[0]
        return "renewed", _number(got.token), got.expires_at

    def _release(self, scope: str) -> tuple[Hashable, ...]:
        token = self._own(scope)
        done = None if token is None else self._app.leases.release([token])
        return ("released", done.released[0].token) if done and done.released else ("not_held",)

    def _offer(self, task: str, scope: str) -> tuple[Hashable, ...]:
        packet = self._handoffs.offer(Offering(task=task, scope=(scope,))).packet
        return "offered", packet.number, packet.token

    def _accept(self, task: str) -> tuple[Hashable, ...]:
        done = self._handoffs.accept(task)
        assert done.packet is not None
        return "accepted", done.packet.number, None if done.lease is None else done.lease.token

    def _withdraw(self, task: str) -> tuple[Hashable, ...]:
        return "withdrawn", self._handoffs.withdraw(task).number

    def _read(self) -> tuple[Hashable, ...]:
        status = Board(self._app.context).status()
        leases = tuple((x.session, x.scope[0], x.token, x.expires_at) for x in status.leases)
        return "read", leases, tuple((x.id, x.number, x.holder) for x, _ in status.tasks)


def _number(token: str) -> int:
    return int(token.partition(":")[2])


# ------------------------------------------------------------------------------- reading them back


def merged(files: list[Path]) -> list[Operation]:
    """Read what all processes wrote; a call without a return may or may not have happened."""
    history = []
    for file in files:
        rows = [_frozen(json.loads(line)) for line in file.read_text().splitlines()]
        for at in range(0, len(rows), 2):
            called, *asked = rows[at]
            returned, *answered = rows[at + 1] if at + 1 < len(rows) else (None,)
            history.append(
                Operation(
                    client=file.stem,
                    asked=tuple(asked),
                    answered=None if returned is None else tuple(answered),
                    called=called,
                    returned=returned,
                )
            )
    return history


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


# ------------------------------------------------------------------------------- stores with faults


class Faulty:
    """A store that passes everything on; what it does wrong is said by those who inherit."""

    def __init__(self, store: Any, other: Any, chance: random.Random) -> None:
        self._store, self._other, self._chance = store, other, chance
        self._old: Any = None
        self._opened: AbstractContextManager[Any] | None = None
        self._uses = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def snapshot(self) -> Any:
        """Return a snapshot that is not always the newest."""
        self._uses += 1
        if self._opened is None or self._uses % REFRESHED_EVERY == 0:
            if self._opened is not None:
                self._opened.__exit__(None, None, None)
            self._opened = self._other.read()
            self._old = self._opened.__enter__()
        return self._old

    def close(self) -> None:
        if self._opened is not None:
            self._opened.__exit__(None, None, None)
        self._other.close()
        self._store.close()


class StaleReads(Faulty):
    """Serves a share of all reads from a snapshot that was taken some time ago."""

    @contextmanager
    def read(self) -> Iterator[Any]:
        old = self.snapshot()
        if self._chance.random() < STALE_SHARE:
            yield old
        else:
            with self._store.read() as reader:
                yield reader


class WrappedTx:
    def __init__(self, tx: Any, over: dict[str, Callable[..., Any]]) -> None:
        self._tx, self._over = tx, over

    def __getattr__(self, name: str) -> Any:
        return self._over.get(name) or getattr(self._tx, name)


class LostUpdates(Faulty):
    """Acknowledges a share of the renewals and does not keep them."""

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self._store.transaction() as tx:

            def lease(token: int) -> Any:
                found = tx.lease(token)
                return None if found is None else found._replace(**moved.get(token, {}))

            def commit(changes: Any, *rest: Any) -> Any:
                changes = list(changes)
                if self._chance.random() < STALE_SHARE:
                    for change in changes:
                        if isinstance(change, LeaseRenewed):
                            moved[change.token] = {"expires_at": change.expires_at}
                    changes = [x for x in changes if not isinstance(x, LeaseRenewed)]
                return tx.commit(changes, *rest)

            moved: dict[int, dict[str, int]] = {}
            yield WrappedTx(tx, {"commit": commit, "lease": lease})

    def attempt(self, decide: Callable[[Any], Any], ahead: Any) -> Any:
        with self.transaction() as tx:
            return decide(tx)


class StaleDecisions(Faulty):
    """Lets a share of the claims be decided on what was held some time ago."""

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        old = self.snapshot()
        with self._store.transaction() as tx:
            yield self._stale(tx, old)

    def attempt(self, decide: Callable[[Any], Any], ahead: Any) -> Any:
        old = self.snapshot()
        return self._store.attempt(lambda tx: decide(self._stale(tx, old)), ahead)

    def _stale(self, tx: Any, old: Any) -> WrappedTx:
        stale = self._chance.random() < STALE_SHARE
        return WrappedTx(tx, {"near": old.near} if stale else {})


PLANTED: Final[dict[str, Callable[[Any, Any, random.Random], Any]]] = {
    "stale reads": StaleReads,
    "lost updates": LostUpdates,
    "stale decisions": StaleDecisions,
}

"""Sessions of several clones on one store: whose tree is whose, who may act where, who is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from handrail import errors
from handrail.core.events import ProcessRegistered
from handrail.core.lease import LOCAL
from handrail.service.attestation import Attestation
from handrail.service.context import Context
from handrail.service.identity import UNATTRIBUTED
from handrail.service.leases import Asked, Leases
from handrail.service.reclaim import reclaim_from
from handrail.service.sessions import Sessions, Started
from tests.cli.world import World

HERE, THERE = "host-a:", "host-b:"
KEEPS: Final[dict[str, Callable[[Context], object]]] = {
    "renew": lambda context: Leases(context).renew(()),
    "release": lambda context: Leases(context).release((), everything=True),
    "end": lambda context: Sessions(context).end(),
    "show": lambda context: Sessions(context).show(),
}
WRITES: Final[dict[str, Callable[[Context], object]]] = {
    "claim": lambda context: Leases(context).claim(Asked(("docs",))),
    "claim and wait": lambda context: Leases(context).claim_waiting(Asked(("docs",)), wait_ms=0),
    "attest": lambda context: Attestation(context).attest("HEAD"),
}


class NoSecretsHere:
    """Another host: what lies in files at the first is not there."""

    shown: dict[str, str]

    def __init__(self) -> None:
        self.shown = {}

    def keep(self, session: str, secret: str) -> None:
        """Nothing is kept."""

    def read(self, session: str) -> str | None:
        """Nothing is there."""

    def forget(self, session: str) -> None:
        """Nothing is there."""


@contextmanager
def standing(
    world: World, clone: str, *, session: str | None = None, secret: str | None = None
) -> Iterator[Context]:
    """Act in the clone of that name."""
    with world.open() as application:
        context = application.context
        caller = context.caller._replace(
            worktree=f"{clone}.", clone=clone, session=session, secret=secret
        )
        context = context._replace(caller=caller)
        yield context if clone == HERE else context._replace(secrets=NoSecretsHere())


def begun(world: World, clone: str = HERE) -> Started:
    with standing(world, clone) as context:
        return Sessions(context).start()


def claimed(world: World, started: Started, scope: str, *, shared: bool = False) -> None:
    asked = Asked((scope,), shared=shared)
    with standing(world, HERE, session=started.session.id) as context:
        Leases(context).claim(asked)


@pytest.mark.parametrize("act", KEEPS)
def test_off_its_machine_a_session_keeps_and_gives_back_by_its_secret(
    world: World, act: str
) -> None:
    started = begun(world)
    claimed(world, started, "src")
    who = {"session": started.session.id, "secret": started.secret}
    with standing(world, THERE, **who) as context:
        KEEPS[act](context)
    with (
        standing(world, THERE, **{**who, "secret": "wrong"}) as context,
        pytest.raises((errors.WrongSecret, errors.UnknownSession)),
    ):
        KEEPS[act](context)


@pytest.mark.parametrize("act", [*KEEPS, *WRITES])
def test_without_the_secret_nobody_acts_for_it_elsewhere(world: World, act: str) -> None:
    started = begun(world)
    claimed(world, started, "src")
    with (
        standing(world, THERE, session=started.session.id) as context,
        pytest.raises(errors.WrongWorktree),
    ):
        {**KEEPS, **WRITES}[act](context)


@pytest.mark.parametrize("act", WRITES)
def test_what_writes_needs_a_session_of_this_clone(world: World, act: str) -> None:
    started = begun(world)
    with (
        standing(world, THERE, session=started.session.id, secret=started.secret) as context,
        pytest.raises(errors.WrongWorktree),
    ):
        WRITES[act](context)


def test_the_secret_opens_no_other_tree_of_the_same_clone(world: World) -> None:
    started = begun(world)
    with standing(world, HERE, session=started.session.id, secret=started.secret) as context:
        beside = context._replace(caller=context.caller._replace(worktree=f"{HERE}beside"))
        with pytest.raises(errors.WrongWorktree):
            Leases(beside).renew(())


def test_two_clones_are_two_working_trees(world: World) -> None:
    """Held for a while in one, a path is free in the other; claimed by hand, it is not."""
    ada, bob = begun(world), begun(world, THERE)
    claimed(world, ada, "src/a.py", shared=True)
    who = {"session": bob.session.id, "secret": bob.secret}
    with standing(world, THERE, **who) as context:
        granted = Leases(context).claim(Asked(("src/a.py",), shared=True))
        assert granted.kind == LOCAL
        assert granted.beside
        claimed(world, ada, "lib")
        with pytest.raises(errors.ScopeHeld):
            Leases(context).claim(Asked(("lib/x",), shared=True))


def test_of_another_host_only_the_heartbeat_is_known(world: World) -> None:
    """Its process is of another boot, as a process that ended here before a restart would be."""
    ada = begun(world)
    claimed(world, ada, "src")
    with standing(world, HERE) as context, context.store.transaction() as tx:
        tx.commit([ProcessRegistered(ada.session.id, "other-boot", "1", 4, 5)], UNATTRIBUTED)
    with standing(world, THERE) as context:
        assert not reclaim_from(context, ada.session.id)
    with standing(world, HERE) as context:
        assert reclaim_from(context, ada.session.id)

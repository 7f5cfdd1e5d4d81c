"""Who listens to a store on a server is told of what others commit."""

from __future__ import annotations

import select
from collections.abc import Iterator

import pytest

from handrail.core.events import ConfigApplied
from handrail.store.postgres import PostgresStore
from tests.postgres import server
from tests.store.grounds import ADA, BOB, FakeClock, PostgresGround, commit, now_of, started
from tests.store.test_postgres import admin, hang_up, opened, role
from tests.store.test_slices import TEXT, claims


@pytest.fixture
def ground() -> Iterator[PostgresGround]:
    ground = PostgresGround()
    yield ground
    ground.close()


@pytest.fixture
def store(ground: PostgresGround) -> PostgresStore:
    return ground.create(FakeClock())


def heard(store: PostgresStore, descriptor: int | None, within_s: float = 5.0) -> bool:
    assert descriptor is not None
    if not select.select([descriptor], [], [], within_s)[0]:
        return False
    store.wait(0)
    return True


def test_who_listens_is_told_of_every_commit_for_a_while(
    store: PostgresStore, ground: PostgresGround
) -> None:
    other = ground.another(store)
    told = store.listen()
    commit(other, started(ADA))
    assert heard(store, told)
    assert not heard(store, told, 0.05)
    commit(other, ConfigApplied("0" * 40, TEXT, "terminal"))
    assert heard(store, told)
    assert claims(other, ("src",))[1] == 1
    assert heard(store, told), "a grant without the turn tells, too"
    admin(f'UPDATE "{store.schema}".state SET watched = 0')
    commit(other, started(BOB))
    assert not heard(store, told, 0.05), "it costs a turn of the whole server"
    hang_up(store.link.connected())
    now_of(store)
    told = store.listen()
    commit(other, started(BOB))
    assert heard(store, told), "on a new connection, too"


def test_who_may_not_write_listens_to_nothing(store: PostgresStore) -> None:
    role("only_looks")
    admin(f'GRANT USAGE ON SCHEMA "{store.schema}" TO only_looks')
    admin(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{store.schema}" TO only_looks')
    looking = opened(server().url(user="only_looks"), store.schema)
    assert looking.listen() is None
    assert now_of(looking)
    looking.close()

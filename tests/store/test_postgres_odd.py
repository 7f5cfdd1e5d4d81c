"""A server that was set up for something else: what it is set to changes nothing, or is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from handrail import errors
from handrail.core.events import LeaseReleased, WaitBegan
from handrail.core.lease import LOCAL
from handrail.service.health import verify_store
from handrail.store.port import Request
from handrail.store.postgres import PostgresStore
from handrail.store.postgres.connection import Address
from tests.postgres import DATABASE, connected, server
from tests.store.grounds import (
    ADA,
    BOB,
    EPOCH,
    WORKSPACE,
    commit,
    counting_salt,
    grant,
    ledger,
    near,
    now_of,
    started,
)

ODD: Final = {
    "TimeZone": "'Asia/Kolkata'",
    "DateStyle": "'German, DMY'",
    "IntervalStyle": "sql_standard",
    "standard_conforming_strings": "off",
    "backslash_quote": "off",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "search_path": "nowhere, pg_catalog",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "client_min_messages": "debug5",
    "row_security": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "check_function_bodies": "off",
    "extra_float_digits": "-10",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_indexscan": "off",
    "work_mem": "'64kB'",
    "synchronous_commit": "off",
}


@contextmanager
def a_role(settings: dict[str, str]) -> Iterator[PostgresStore]:
    """Let a store be founded and used by a role for which everything is set otherwise."""
    name, schema = f"odd_{os.getpid()}", f"handrail_odd_{os.getpid()}"
    with connected(server()) as line:
        line.execute(f"CREATE ROLE {name} LOGIN; GRANT CREATE ON DATABASE {DATABASE} TO {name}")
        address = Address(server().url(user=name))
        store = None
        try:
            store = PostgresStore.create(
                *(address, address.parameters, schema, counting_salt()),
                workspace=WORKSPACE,
                epoch=EPOCH,
            )
            store.close()
            for setting, value in settings.items():
                line.execute(f"ALTER ROLE {name} SET {setting} = {value}")
            yield store
        finally:
            if store is not None:
                store.close()
            line.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_whatever_a_role_is_set_to_changes_nothing() -> None:
    with a_role(ODD) as store:
        with store.read() as reader:
            assert reader.epoch == EPOCH
        with connected(server(), f"odd_{os.getpid()}") as line:
            shown = {name: line.execute(f"SHOW {name}").fetchone() for name in ODD}
        assert shown["transform_null_equals"] == ("on",)
        assert shown["default_transaction_isolation"] == ("serializable",)
        commit(store, started(ADA), started(BOB, worktree="b\\'c"))
        token = grant(store, ADA, "src/o'x", request=Request("r", "d"))
        with store.transaction() as tx:
            known = tx.outcome(Request("r", "d"))
            assert known is not None
            assert [entry.seq for entry in known] == [token]
        assert near(store, ["docs"]) == []
        assert near(store, ["src/o'x/deep"]) == [token]
        commit(store, WaitBegan("s-bob", LOCAL, ".", ("a",), now_of(store) + 9))
        commit(store, LeaseReleased(token, "released"))
        assert verify_store(store, store.integrity()).good
        plain = Address(server().url(user="postgres"))
        other = PostgresStore(plain, plain.parameters, store.schema, counting_salt())
        assert ledger(other) == ledger(store)
        assert abs(now_of(other) - now_of(store)) < 60_000
        other.close()


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("statement_timeout", "'100ms'", "store_unreachable"),
        ("lock_timeout", "'1ms'", "store_busy"),
        ("default_transaction_read_only", "on", "store_read_only"),
    ],
)
def test_a_setting_that_lets_nobody_wait_or_write_is_told(
    setting: str, value: str, code: str
) -> None:
    with a_role({setting: value}) as store:
        holds = PostgresStore(
            Address(server().url(user="postgres")),
            Address(server().url(user="postgres")).parameters,
            store.schema,
            counting_salt(),
        )
        before = ledger(holds)
        store._busy_ms = 300
        with holds.transaction() as tx:
            tx.leases()
            with pytest.raises(errors.Unavailable) as refused:
                commit(store, started(BOB))
        assert (refused.value.code, refused.value.exit_status) == (code, 3)
        assert ledger(holds) == before
        holds.close()

"""A store made anew from its ledger is the same store, and goes on in its own epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest

from handrail import errors
from handrail.core.events import (
    CommitAttested,
    CommitUnattested,
    ConfigApplied,
    LeaseExpired,
    LeaseOrphaned,
    LeaseReleased,
    LeaseRenewed,
    PayloadRedacted,
    SessionEnded,
    SessionRoleChanged,
)
from handrail.core.ledger import Entry
from handrail.service.health import verify_store
from handrail.store.port import Store
from handrail.store.sqlite import SqliteStore
from tests.store.grounds import (
    ADA,
    BOB,
    EPOCH,
    WORKSPACE,
    FakeClock,
    commit,
    counting_salt,
    grant,
    ledger,
    now_of,
    started,
)

HISTORY = ("entry", "session", "lease", "may_write", "attestation", "config", "orphan", "landing")
MORE = ("orphan_anchor", "landing_anchor")


def tables(path: Path) -> dict[str, list[Any]]:
    raw = apsw.Connection(str(path))
    found = {
        table: sorted(raw.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
        for table in (*HISTORY, *MORE)
    }
    raw.close()
    return found


def create(path: Path, clock: FakeClock) -> SqliteStore:
    return SqliteStore.create(str(path), clock, counting_salt(), workspace=WORKSPACE, epoch=EPOCH)


def restore(path: Path, entries: list[Entry], clock: FakeClock | None = None) -> SqliteStore:
    return SqliteStore.restore(str(path), clock or FakeClock(), counting_salt(), entries)


def live(store: Store) -> None:
    """Let one of everything happen that is history."""
    commit(store, ConfigApplied("b" * 40, "[workspace]", "init"))
    commit(store, started(ADA), started(BOB, worktree="w"))
    one = grant(store, ADA, "src/a", "docs/**")
    two = grant(store, BOB, "src/b", worktree="w", kind="local")
    gone = grant(store, ADA, "lib")
    run_out = grant(store, ADA, "old")
    commit(store, LeaseReleased(gone, "released"), LeaseExpired(run_out, 1))
    commit(store, CommitAttested("c" * 40, "t", ("p",), 1, "h" * 64, ((one, 9), (two, 9))))
    commit(store, LeaseOrphaned(two, (("src/b", "d" * 40),), "session_ended"), actor=BOB)
    commit(store, SessionRoleChanged("s-ada", "docs", "why", "terminal"))
    commit(store, CommitUnattested((("r", "a", "b"),), ("e" * 40,), "why"))
    commit(store, SessionEnded("s-bob", "ended"), actor=BOB)


def test_all_tables_of_the_history_are_the_same(tmp_path: Path) -> None:
    clock = FakeClock()
    first = create(tmp_path / "one.db", clock)
    live(first)
    again = restore(tmp_path / "two.db", ledger(first), clock)
    assert tables(tmp_path / "two.db") == tables(tmp_path / "one.db")
    assert ledger(again) == ledger(first)
    with first.read() as before, again.read() as after:
        assert (after.epoch, after.workspace, after.head) == (EPOCH, WORKSPACE, before.head)
        assert (after.guard_rows(), after.now) == (before.guard_rows(), before.now)
    assert verify_store(again, again.integrity()).differences == ()
    again.close()
    first.close()


def test_it_goes_on_from_the_head_and_from_the_time_of_the_newest_entry(tmp_path: Path) -> None:
    clock = FakeClock()
    first = create(tmp_path / "one.db", clock)
    clock.let_pass(3_600_000)
    live(first)
    behind = FakeClock(boot="boot-9")
    again = restore(tmp_path / "two.db", ledger(first), behind)
    at = now_of(again)
    assert at == now_of(first)
    behind.let_pass(1_000)
    assert now_of(again) == at + 1_000, "time goes on, though the wall clock is behind"
    token = grant(again, ADA, "new")
    assert token == len(ledger(first)) + 1
    assert ledger(again)[:-1] == ledger(first)
    reopened = SqliteStore(str(tmp_path / "two.db"), behind, counting_salt())
    assert ledger(reopened) == ledger(again)
    for store in (first, again, reopened):
        store.close()


def test_what_is_no_history_is_not_there(tmp_path: Path) -> None:
    first = create(tmp_path / "one.db", FakeClock())
    commit(first, started(ADA))
    token = grant(first, ADA, "a")
    with first.read() as reader:
        granted = reader.leases()[0].expires_at
    commit(first, LeaseRenewed(token, granted + 5_000))
    again = restore(tmp_path / "two.db", ledger(first))
    with again.read() as reader:
        assert [lease.expires_at for lease in reader.leases()] == [granted]
    again.close()
    first.close()


def test_a_redacted_entry_stays_redacted(tmp_path: Path) -> None:
    first = create(tmp_path / "one.db", FakeClock())
    commit(first, started(ADA))
    token = grant(first, ADA, "secret")
    commit(first, LeaseReleased(token, "released"))
    with first.transaction() as tx:
        tx.redact(token)
        tx.commit([PayloadRedacted(token, "why")], ADA)
    again = restore(tmp_path / "two.db", ledger(first))
    assert ledger(again) == ledger(first)
    assert ledger(again)[token - 1].payload is None
    again.close()
    first.close()


def test_a_ledger_that_does_not_verify_makes_no_store(tmp_path: Path) -> None:
    first = create(tmp_path / "one.db", FakeClock())
    live(first)
    entries = ledger(first)
    first.close()
    for number, bad in enumerate(
        (
            [],
            entries[1:],
            entries[:3] + entries[4:],
            [entries[0]._replace(payload=None), *entries[1:]],
            [*entries[:5], entries[5]._replace(payload=b"{}"), *entries[6:]],
        )
    ):
        with pytest.raises(errors.LedgerBroken):
            restore(tmp_path / f"bad-{number}.db", bad)
        assert not (tmp_path / f"bad-{number}.db").exists()


def test_a_store_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    first = create(tmp_path / "one.db", FakeClock())
    live(first)
    before = tables(tmp_path / "one.db")
    with pytest.raises(errors.Usage):
        restore(tmp_path / "one.db", ledger(first)[:4])
    assert tables(tmp_path / "one.db") == before
    first.close()

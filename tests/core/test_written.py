"""A ledger in memory says of itself what a store with the same entries says of its own."""

from __future__ import annotations

import doctest
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import handrail.core.written
from handrail.core.events import (
    CommitAttested,
    CommitUnattested,
    CommitUnattributed,
    ConfigApplied,
    Event,
    LeaseGranted,
    PayloadRedacted,
    StoreCreated,
)
from handrail.core.lease import Actor
from handrail.core.ledger import GENESIS, Entry, Head, seal
from handrail.core.state import InForce
from handrail.core.written import Written
from handrail.errors import LedgerBroken
from handrail.store.port import RARE, Reader, Store
from tests.core import makers
from tests.core.makers import EPOCH, NOW, a_ledger
from tests.store.grounds import ADA, FakeClock, MemoryGround, SqliteGround, commit, ledger

COMMITS: Final = ("c1", "c2", "c3")
DIGESTS: Final = ("h1", "h2")
LIMITS: Final = (0, 1, 2, 100)

# Histories that hit each other: few commits, few digests, and some of all else.
attested = st.builds(
    CommitAttested,
    commit=st.sampled_from(COMMITS),
    tree=st.just("t"),
    parents=st.just(("p",)),
    paths=st.just(1),
    paths_hash=st.sampled_from(DIGESTS),
    cover=st.just(((1, NOW),)),
)
events = st.one_of(
    attested,
    attested,
    makers.events_of(ConfigApplied),
    makers.events_of(CommitUnattested),
    makers.events_of(CommitUnattributed),
    makers.events_of(LeaseGranted),
)
histories = st.lists(events, max_size=15)


def a_written(*history: Event) -> Written:
    return Written(EPOCH, a_ledger([(Actor(), event) for event in history]))


def an_attestation(commit: str = "c1", paths_hash: str = "h1") -> CommitAttested:
    return CommitAttested(commit, "t", ("p",), 1, paths_hash, ((1, NOW),))


def answers(asked: Reader | Written, last: int) -> dict[str, Any]:
    """Ask everything that a verification asks."""
    bounds = [(0, None), (0, 1), (1, last), (last // 2, last), (last, None), (last + 5, last + 6)]
    return {
        "epoch": asked.epoch,
        "head": asked.head,
        "entries": [list(asked.entries(after, until)) for after, until in bounds],
        "of": [asked.attestations_of(commit) for commit in (*COMMITS, "none")],
        "alike": [asked.attested_alike(d, limit) for d in (*DIGESTS, "none") for limit in LIMITS],
        "recorded": [asked.recorded(kind, limit) for kind in RARE for limit in LIMITS],
        "attestations": [asked.attestations(after) for after in (0, last // 2, last)],
        "config": asked.config(),
    }


def assert_alike(store: Store) -> None:
    written = Written(EPOCH, ledger(store))
    with store.read() as reader:
        assert answers(written, reader.head.seq) == answers(reader, reader.head.seq)


@given(histories)
def test_it_answers_as_the_memory_store_does(history: list[Event]) -> None:
    store = MemoryGround().create(FakeClock())
    commit(store, *history, actor=ADA)
    assert_alike(store)


@settings(max_examples=20)
@given(histories)
def test_it_answers_as_the_sqlite_store_does(history: list[Event]) -> None:
    with tempfile.TemporaryDirectory(prefix="handrail-") as folder:
        ground = SqliteGround(Path(folder))
        try:
            store = ground.create(FakeClock())
            commit(store, *history, actor=ADA)
            assert_alike(store)
        finally:
            ground.close()


def test_a_ledger_of_nothing_says_nothing() -> None:
    written = Written(EPOCH, [])
    assert (written.head, written.config(), written.attestations()) == (GENESIS, None, {})
    assert list(written.entries()) == written.attestations_of("c1") == []


def test_the_configuration_applied_last_is_in_force() -> None:
    written = a_written(ConfigApplied("b1", "one", ""), ConfigApplied("b2", "two", ""))
    assert written.config() == InForce("b2", "two", 2, None)


def test_what_a_payload_that_is_gone_was_about_cannot_be_told() -> None:
    configs = (ConfigApplied("b1", "1", ""), ConfigApplied("b2", "2", ""))
    whole = list(a_written(*configs, an_attestation(), PayloadRedacted(2, "s")).entries())
    bare = [entry._replace(payload=None) if entry.seq in (2, 3) else entry for entry in whole]
    written = Written(EPOCH, bare)
    assert written.config() is None  # not the one before: that was not in force any more
    assert [entry.seq for entry in written.recorded("config.applied", 9)] == [2, 1]
    assert (written.attestations_of("c1"), written.attested_alike("h1", 9)) == ([], [])
    assert written.attestations() == {}


def test_a_name_that_looks_like_a_field_is_a_name() -> None:
    hostile = Actor('x","kind":"commit.attested', ',"kind":"', '\\","kind":"config.applied"')
    written = Written(EPOCH, a_ledger([(hostile, StoreCreated("w", None))]))
    assert written.recorded("store.created", 9) == list(written.entries())
    assert (written.attestations(), written.config()) == ({}, None)


@pytest.mark.parametrize(
    "payload",
    [b"[]", b"{}", b"nonsense", b'{"commit":1}', b'"c1"', b"[" * 100_000, b"1" * 5_000],
)
def test_what_is_none_of_its_kind_is_named_by_its_entry(payload: bytes) -> None:
    entries = a_ledger([(Actor(), StoreCreated("w", None)), (Actor(), an_attestation())])
    broken = [entries[0], Entry(2, entries[1].header, payload)]
    for ask in (Written.attestations, lambda one: one.attestations_of("c1")):
        with pytest.raises(LedgerBroken) as refused:
            ask(Written(EPOCH, broken))
        assert refused.value.values["seq"] == 2


def test_payloads_of_kinds_that_nobody_asks_about_are_never_decoded() -> None:
    first = seal(GENESIS, EPOCH, NOW, Actor(), StoreCreated("w", None), "00")._replace(payload=b"!")
    then = seal(Head(1, first.hash), EPOCH, NOW, Actor(), an_attestation(), "01")
    written = Written(EPOCH, [first, then])
    assert written.attestations_of("c1") == [then]


def test_the_answers_can_be_changed_without_changing_the_ledger() -> None:
    written = a_written(an_attestation(), an_attestation())
    written.attestations_of("c1").clear()
    written.attested_alike("h1", 9).clear()
    assert len(written.attestations_of("c1")) == len(written.attested_alike("h1", 9)) == 2


def test_the_examples_in_its_documentation_hold() -> None:
    assert doctest.testmod(handrail.core.written).failed == 0

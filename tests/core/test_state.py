"""What the ledger adds up to: the meaning of every event and move, evolving, replaying."""

from __future__ import annotations

import doctest
import json
from hashlib import sha256
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handrail.core.state
from handrail.core.events import (
    CommitAttested,
    CommitUnattested,
    CommitUnattributed,
    ConfigApplied,
    EnforcementPaused,
    Event,
    HistoryImported,
    LeaseExpired,
    LeaseGranted,
    LeaseOrphaned,
    LeaseReleased,
    LeaseRenewed,
    Move,
    NoticeLeft,
    NoticesTaken,
    OrphanSettled,
    PayloadRedacted,
    ProcessRegistered,
    SessionEnded,
    SessionRoleChanged,
    SessionStarted,
    StoreCreated,
    WaitBegan,
    WaitEnded,
    WaitKept,
    WriteUnheld,
)
from handrail.core.handed import (
    EditRefused,
    PacketStuck,
    PacketTraced,
    ReadingAsked,
    ReadingDone,
    SessionCompacted,
    StageJudged,
    TaskOpened,
    TaskResumed,
    TriggerFired,
    TriggerLooped,
)
from handrail.core.lease import (
    EXCLUSIVE,
    LOCAL,
    Actor,
    Landing,
    Notice,
    Orphan,
    Process,
    Session,
    Waiter,
)
from handrail.core.ledger import Entry
from handrail.core.projected import KeptRow, ProjectionWritten, RowKept
from handrail.core.receipts import EvidenceContradicted, EvidenceRecorded
from handrail.core.state import InForce, State, apply, evolve, replay
from tests.core import makers, test_handing
from tests.core.makers import EPOCH, HOUR, NOW, SECOND, a_lease, patterns

HERS = Actor("s-1", "claude@web", "website")
GRANT = LeaseGranted(
    "s-1", "website", LOCAL, "tree-1", ("src/api", "*.md"), HOUR, NOW + HOUR, False, (3,)
)
STARTED = SessionStarted("s-1", "claude@web", "website", "tree-1", "5" * 64)
WAIT = WaitBegan("s-1", EXCLUSIVE, "tree-1", ("src/**",), NOW + SECOND)


def tables(state: State) -> dict[str, Any]:
    """Give all that a state holds, as a value that later changes do not reach."""
    return {
        name: dict(held) if isinstance(held, dict) else held for name, held in vars(state).items()
    }


def after(*changes: Event | Move, start: State | None = None) -> State:
    """Apply changes as entries 1, 2, 3, … a second apart, by one actor."""
    state = State() if start is None else start
    for number, change in enumerate(changes, 1):
        state = evolve(state, number, NOW + number * SECOND, HERS, change)
    return state


# --- what each change means ----------------------------------------------------------------------


def test_a_grant_adds_a_lease_whose_token_is_its_entry() -> None:
    lease = after(StoreCreated("w", None), GRANT).leases[2]
    assert lease == a_lease(
        2,
        "s-1",
        *("src/api", "*.md"),
        kind=LOCAL,
        role="website",
        granted_at=NOW + 2 * SECOND,
        ttl_ms=HOUR,
        expires_at=NOW + HOUR,
        lasting=False,
    )._replace(agent="claude@web")


def test_a_grant_by_nobody_known_has_an_agent_without_a_name() -> None:
    assert evolve(State(), 1, NOW, Actor(), GRANT).leases[1].agent == ""


@pytest.mark.parametrize("end", [LeaseReleased(1, "released"), LeaseExpired(1, NOW)])
def test_a_release_and_an_expiry_take_that_lease_away_and_no_other(end: Event) -> None:
    state = after(GRANT, GRANT)
    assert set(evolve(state, 3, NOW, HERS, end).leases) == {2}


def an_orphan(token: int, *scope: str, blobs: Any, since: int) -> Orphan:
    return Orphan(
        token=token,
        session="s-1",
        agent="claude@web",
        role="website",
        kind=LOCAL,
        worktree="tree-1",
        patterns=patterns(*scope),
        blobs=blobs,
        ttl_ms=HOUR,
        since=since,
    )


def test_what_ran_out_leaves_its_whole_scope_until_somebody_looks() -> None:
    state = after(GRANT, LeaseExpired(1, NOW))
    left = an_orphan(1, "src/api", "*.md", blobs=None, since=2)
    assert (state.leases, state.orphans) == ({}, {1: left})
    seen = evolve(state, 3, NOW, HERS, LeaseOrphaned(1, (("src/api/x", "b"),), "looked_at"))
    blobs = (("src/api/x", "b"),)
    assert seen.orphans == {1: an_orphan(1, "src/api/x", blobs=blobs, since=2)}


def test_what_was_left_unfinished_is_kept_with_its_paths() -> None:
    blobs = (("src/api/x", "b1"), ("a.md", ""))
    state = after(GRANT, LeaseOrphaned(1, blobs, "session_ended"))
    assert state.leases == {}
    assert state.orphans == {1: an_orphan(1, "src/api/x", "a.md", blobs=blobs, since=2)}
    unseen = after(GRANT, LeaseOrphaned(1, None, "process_gone"))
    assert unseen.orphans == {1: an_orphan(1, "src/api", "*.md", blobs=None, since=2)}


@pytest.mark.parametrize("end", [LeaseReleased(1, "adopted"), OrphanSettled(1)])
def test_adopting_and_settling_forget_what_was_left(end: Event | Move) -> None:
    state = after(GRANT, GRANT, LeaseExpired(1, NOW), LeaseExpired(2, NOW))
    assert set(evolve(state, 5, NOW, HERS, end).orphans) == {2}


def test_the_newest_landing_under_a_lease_is_kept_with_its_scope() -> None:
    state = after(
        GRANT,
        CommitAttested("c1", "t", ("p",), 1, "h", ((1, NOW), (9, NOW))),
        CommitAttested("c2", "t", ("p",), 1, "h", ((1, NOW),)),
        LeaseReleased(1, "clean"),
    )
    scope = patterns("src/api", "*.md")
    at = NOW + 3 * SECOND
    assert state.landings == {1: Landing(1, "s-1", LOCAL, "tree-1", scope, "c2", 3, at)}


def test_a_process_acts_for_one_session_until_that_ends() -> None:
    key = Process("boot", "ns", 7, 99)
    state = after(STARTED, ProcessRegistered("s-0", *key), ProcessRegistered("s-1", *key))
    assert state.processes == {key: "s-1"}
    assert evolve(state, 4, NOW, HERS, SessionEnded("s-1", "ended")).processes == {}
    assert evolve(state, 4, NOW, HERS, SessionEnded("s-0", "ended")).processes == {key: "s-1"}


def test_a_notice_is_left_once_an_occasion_and_goes_with_its_session() -> None:
    left = NoticeLeft("s-1", "parallel_edit", "k", "s-2", ("a",))
    told = Notice("s-1", "parallel_edit", "k", "s-2", ("a",), NOW + SECOND)
    key = told[:3]
    assert after(left).notices == {key: (told, False)}
    state = after(left, NoticesTaken("s-1"), left, NoticesTaken("s-2"))
    assert state.notices == {key: (told, True)}
    assert evolve(state, 5, NOW, HERS, SessionEnded("s-1", "ended")).notices == {}


def test_refs_that_moved_unattested_change_no_table() -> None:
    moved = ((("refs/heads/x", "a", "b"),), ("b",), "why")
    state = after(CommitUnattested(*moved), CommitUnattributed(*moved))
    assert tables(state) == tables(State())


def test_a_write_that_was_found_unheld_changes_no_table() -> None:
    assert tables(after(WriteUnheld("s-1", ".", (("a", "scope_held"),)))) == tables(State())


def test_a_renewal_moves_the_expiry_and_nothing_else() -> None:
    before = after(GRANT).leases[1]
    renewed = after(GRANT, LeaseRenewed(1, NOW + 2 * HOUR)).leases[1]
    assert renewed == before._replace(expires_at=NOW + 2 * HOUR)


def test_a_session_starts_ends_and_starts_again_under_its_id() -> None:
    session = Session("s-1", "claude@web", "website", "tree-1", NOW + SECOND, None, "5" * 64)
    assert after(STARTED).sessions == {"s-1": session}
    ended = after(STARTED, SessionEnded("s-1", "ended"))
    assert ended.sessions == {"s-1": session._replace(ended_at=NOW + 2 * SECOND)}
    again = STARTED._replace(worktree="tree-2")
    restarted = evolve(ended, 3, NOW + HOUR, HERS, again)
    assert restarted.sessions == {
        "s-1": session._replace(worktree="tree-2", started_at=NOW + HOUR, ended_at=None)
    }


def test_the_end_of_a_session_leaves_its_leases_to_their_own_entries() -> None:
    assert set(after(STARTED, GRANT, SessionEnded("s-1", "ended")).leases) == {2}


def test_a_session_acts_as_another_role_from_then_on() -> None:
    state = after(STARTED, SessionRoleChanged("s-1", "ops", "asked", "terminal"))
    assert state.sessions["s-1"].role == "ops"


def test_the_configuration_that_was_applied_last_is_in_force() -> None:
    state = after(ConfigApplied("b1", "one", "terminal"), ConfigApplied("b2", "two", "terminal"))
    assert state.config == InForce("b2", "two", 2)


def test_the_newest_attestation_of_a_commit_is_remembered() -> None:
    attested = CommitAttested("c1", "t", ("p",), 1, "h", ((1, NOW),))
    state = after(attested, attested._replace(commit="c2"), attested)
    assert state.attestations == {"c1": 3, "c2": 2}


def test_evidence_changes_no_table() -> None:
    told = ("command:0", None, ("true",), "", "exited", 0, "h", 0, "", "c", "t", "", False, 1)
    assert tables(after(SessionCompacted("s", "auto", "note"))) == tables(State())
    judged = StageJudged("s", "pre-handoff", "fail", "t", ("committed",), 1, 9)
    assert tables(after(judged)) == tables(State())
    assert tables(after(EvidenceRecorded(*told, None, None))) == tables(State())
    assert tables(after(EvidenceContradicted("gate:0", "tests", 1, 2))) == tables(State())
    assert tables(after(PacketTraced("fix", 2, "s", "process:0"))) == tables(State())
    assert tables(after(EditRefused("s", "outside_lane", "a", ()))) == tables(State())
    fired = TriggerFired("s", "out", "edit_refused", "outside_lane", "fix", 2, "lead")
    assert tables(after(fired, PacketStuck("fix", 2))) == tables(State())


def test_a_trigger_that_went_round_too_often_lets_its_task_wait_for_a_person() -> None:
    opened, looped = TaskOpened("fix", "Fix it"), TriggerLooped("s", "out", "fix", 3)
    task = after(opened, looped).tasks["fix"]
    assert (task.waits_at, task.loops, task.stopped(0)) == ("trigger:out", "out", True)
    resumed = after(opened, looped, TaskResumed("fix", "seen", "terminal")).tasks["fix"]
    assert (resumed.waits_at, resumed.loops) == (None, None)


def test_what_a_session_has_to_read_is_kept_until_it_was_read() -> None:
    asked = ReadingAsked("s", "role maker", True, (("AGENTS.md", "0", "", ""),))
    assert [row.how for row in after(asked).readings["s"]] == [""]
    done = ReadingDone("s", "read", (("AGENTS.md", "0", ""),))
    assert [row.how for row in after(asked, done).readings["s"]] == ["read"]


def test_waiting_claims_get_tickets_in_order_and_never_one_again() -> None:
    state = after(WAIT, WAIT._replace(session="s-2"), WaitEnded(2), WAIT._replace(session="s-3"))
    assert {ticket: waiter.session for ticket, waiter in state.waiters.items()} == {
        1: "s-1",
        3: "s-3",
    }
    assert state.waiters[1] == Waiter(
        1, "s-1", EXCLUSIVE, "tree-1", patterns("src/**"), NOW + SECOND, NOW + SECOND
    )


def test_a_waiting_claim_that_shows_itself_counts_as_there_for_longer() -> None:
    state = after(WAIT, WaitKept(1, NOW + HOUR))
    assert state.waiters[1] == after(WAIT).waiters[1]._replace(until=NOW + HOUR)


@pytest.mark.parametrize(
    "change",
    [
        *(StoreCreated("w", None), PayloadRedacted(1, "a secret")),
        *(HistoryImported("e:1", NOW, "{}"), EnforcementPaused("w", NOW, "terminal")),
    ],
)
def test_what_is_only_told_changes_no_table(change: Event) -> None:
    before = after(STARTED, GRANT, WAIT)
    assert tables(evolve(before, 4, NOW, HERS, change)) == tables(before)


@pytest.mark.parametrize(
    "change",
    [
        LeaseReleased(99, "released"),
        LeaseExpired(99, NOW),
        LeaseRenewed(99, NOW + HOUR),
        SessionEnded("nobody", "ended"),
        SessionRoleChanged("nobody", "ops", "", ""),
        WaitKept(99, NOW),
        WaitEnded(99),
    ],
)
def test_a_row_that_is_not_there_is_no_error(change: Event | Move) -> None:
    before = after(STARTED, GRANT, WAIT)
    assert tables(evolve(before, 4, NOW, HERS, change)) == tables(before)


# --- evolving ------------------------------------------------------------------------------------

# Histories that hit each other: few tokens, few sessions.
tokens = st.integers(min_value=1, max_value=12)
names = st.sampled_from(["s-1", "s-2"])
changes: st.SearchStrategy[Event | Move] = st.one_of(
    makers.events,
    makers.events_of(LeaseGranted),
    st.builds(LeaseReleased, tokens, st.just("released")),
    st.builds(LeaseExpired, tokens, makers.numbers),
    st.builds(LeaseRenewed, tokens, makers.numbers),
    st.builds(SessionStarted, names, names, st.none() | names, names, st.just("0" * 64)),
    st.builds(SessionEnded, names, st.just("ended")),
    st.builds(SessionRoleChanged, names, names, st.just(""), st.just("")),
    st.builds(WaitBegan, names, st.just(EXCLUSIVE), names, makers.scope_texts, makers.numbers),
    st.builds(WaitKept, tokens, makers.numbers),
    st.builds(WaitEnded, tokens),
)
histories = st.lists(st.tuples(makers.actors, changes), max_size=20)


def fold(history: list[tuple[Actor, Event | Move]]) -> State:
    state = State()
    for number, (actor, change) in enumerate(history, 1):
        state = evolve(state, number, NOW + (number - 1) * SECOND, actor, change)
    return state


@given(histories, makers.actors, changes)
def test_evolving_leaves_the_state_before_as_it_was(
    history: list[tuple[Actor, Event | Move]], actor: Actor, change: Event | Move
) -> None:
    state = fold(history)
    before = tables(state)
    evolved = evolve(state, len(history) + 1, NOW, actor, change)
    assert tables(state) == before
    apply(state, len(history) + 1, NOW, actor, change)
    assert tables(state) == tables(evolved)


@given(histories)
def test_a_copy_goes_its_own_way(history: list[tuple[Actor, Event | Move]]) -> None:
    state = fold(history)
    before, copy = tables(state), state.copy()
    assert tables(copy) == before
    for change in (GRANT, STARTED, WAIT, ConfigApplied("b", "t", ""), SessionEnded("s-1", "")):
        apply(copy, 99, NOW, HERS, change)
    apply(copy, 100, NOW, HERS, CommitAttested("c", "t", (), 0, "h", ()))
    assert tables(state) == before


# --- replaying -----------------------------------------------------------------------------------

eventful = st.lists(
    st.tuples(makers.actors, changes.filter(lambda change: not isinstance(change, Move))),
    max_size=20,
)


@given(eventful)
def test_replaying_a_ledger_is_evolving_by_its_events(history: list[tuple[Actor, Event]]) -> None:
    assert tables(replay(makers.a_ledger(history))) == tables(fold([*history]))


@given(eventful, st.data())
def test_a_redacted_payload_is_passed_over(
    history: list[tuple[Actor, Event]], data: st.DataObject
) -> None:
    gone = data.draw(st.sets(st.integers(1, max(1, len(history)))))
    entries = [
        entry._replace(payload=None) if entry.seq in gone else entry
        for entry in makers.a_ledger(history)
    ]
    told: list[tuple[Actor, Event]] = [
        (actor, StoreCreated("", None) if number in gone else event)
        for number, (actor, event) in enumerate(history, 1)
    ]
    assert tables(replay(entries)) == tables(fold([*told]))


def an_entry(seq: int, kind: str, fields: dict[str, Any]) -> Entry:
    payload = json.dumps(fields, separators=(",", ":")).encode()
    header = {
        "v": 1,
        "epoch": EPOCH,
        "seq": seq,
        "at": NOW,
        "kind": kind,
        "session": None,
        "agent": None,
        "role": None,
        "payload_hash": sha256(payload).hexdigest(),
        "prev": "0" * 64,
    }
    return Entry(seq, json.dumps(header, separators=(",", ":")).encode(), payload)


@given(eventful)
def test_a_kind_of_a_later_version_is_passed_over(history: list[tuple[Actor, Event]]) -> None:
    later = an_entry(len(history) + 1, "lease.reserved", {"token": 1, "salt": "00"})
    known = makers.a_ledger(history)
    assert tables(replay([*known, later])) == tables(replay(known))


@pytest.mark.parametrize(
    "fields",
    [{}, {"token": "1", "reason": ""}, {"token": 1, "reason": None}, {"token": [1], "reason": ""}],
)
def test_an_entry_that_cannot_be_decoded_is_an_error_of_a_known_sort(fields: Any) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        replay([an_entry(1, "lease.released", fields)])


@pytest.mark.parametrize("payload", [b"", b"null", b"[1]", b"{", b"\xff", b"[" * 100_000])
def test_a_payload_that_is_no_object_is_an_error_of_a_known_sort(payload: bytes) -> None:
    entry = an_entry(1, "lease.released", {})._replace(payload=payload)
    with pytest.raises((ValueError, KeyError, TypeError)):
        replay([entry])


def test_nothing_adds_up_to_nothing() -> None:
    assert tables(replay([])) == tables(State())


def test_the_newest_record_of_a_row_counts_and_one_without_is_gone() -> None:
    path = "ops/tracker.json"
    kept = RowKept(path, "notes/1", '"a"', "read", 0)
    assert after(kept, kept).rows == {(path, "notes/1"): KeptRow(path, "notes/1", 2)}
    assert after(kept, kept._replace(record="")).rows == {}
    assert after(kept._replace(record="")).rows == {}


def test_bytes_of_a_projection_are_known_by_the_newest_entry() -> None:
    wrote = ProjectionWritten("ops/tracker.json", "0" * 40)
    assert after(wrote, wrote).written == {("ops/tracker.json", "0" * 40): 2}


def test_every_change_has_a_meaning_that_is_tested_here() -> None:
    tested = {
        *(LeaseGranted, LeaseReleased, LeaseExpired, LeaseRenewed),
        *(SessionStarted, SessionEnded, SessionRoleChanged, ConfigApplied, CommitAttested),
        *(WaitBegan, WaitKept, WaitEnded, StoreCreated, PayloadRedacted, HistoryImported),
        *(LeaseOrphaned, OrphanSettled, ProcessRegistered, NoticeLeft, NoticesTaken),
        *(CommitUnattested, CommitUnattributed, EnforcementPaused, WriteUnheld),
        *(EvidenceRecorded, SessionCompacted, PacketTraced, EvidenceContradicted),
        *(*test_handing.TESTED, RowKept, ProjectionWritten, StageJudged, ReadingAsked, ReadingDone),
        *(EditRefused, TriggerFired, TriggerLooped, PacketStuck),
    }
    assert {*get_args(Event), *get_args(Move)} == tested


def test_the_example_in_the_documentation_holds() -> None:
    done = doctest.testmod(handrail.core.state, extraglobs={"StoreCreated": StoreCreated})
    assert (done.attempted > 0, done.failed) == (True, 0)

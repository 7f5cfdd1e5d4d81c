"""What is counted in a ledger: histories whose numbers were worked out by hand, and properties."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.core.decide.dirt import ADOPTED as ADOPTED_BY_DECIDE
from handrail.core.events import (
    CommitAttested,
    Event,
    HistoryImported,
    LeaseGranted,
    LeaseReleased,
    SessionEnded,
    SessionRoleChanged,
    SessionStarted,
    WriteUnheld,
)
from handrail.core.handed import (
    PacketAccepted,
    PacketDeclined,
    PacketOffered,
    PacketReturned,
    SessionCompacted,
    StageJudged,
    TaskClosed,
    TaskOpened,
    TaskTaken,
    WaiverRevoked,
)
from handrail.core.lease import Actor
from handrail.core.ledger import GENESIS, Entry, Head, seal
from handrail.core.metrics import ENOUGH, Figures, Share, Spans, Suite, goals, spans
from handrail.core.receipts import EvidenceRecorded
from handrail.core.tally import ADOPTED, GONE, OF_THE_OFFER, measure
from handrail.errors import NewerFormat
from handrail.gates.registry import GATES
from handrail.service import reclaim

MINUTE: Final = 60_000
PRE, POST = "pre-handoff", "post-handoff"
NOTHING: Final = Figures(
    sessions=0,
    failure=Share(0, 0),
    unsure=0,
    compliance=Share(0, 0),
    resumed=Spans(0, None, None),
    accepted=Spans(0, None, None),
    rediscovered=0,
    packets=0,
    suites=(),
)


class Book:
    """A ledger that is written by hand; each call of ``tx`` is a transaction, a minute later."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.now = 1_767_225_600_000

    def tx(self, session: str | None, *events: Event, minutes: float = 1) -> None:
        self.now += int(minutes * MINUTE)
        for event in events:
            before = self.entries[-1] if self.entries else None
            head = GENESIS if before is None else Head(before.seq, before.hash)
            actor = Actor(session, session and f"agent-{session}", None)
            self.entries.append(seal(head, "3fk2ap7q", self.now, actor, event, "00"))

    def starts(self, session: str) -> None:
        self.tx(session, SessionStarted(session, "agent", None, "/w", "h"))

    def ends(self, session: str, reason: str = "ended") -> None:
        self.tx(session, SessionEnded(session, reason), LeaseReleased(1, "ended"))

    def works(self, session: str) -> None:
        self.tx(session, granted(session))

    def figures(self) -> Figures:
        return measure(self.entries)


def granted(session: str) -> LeaseGranted:
    return LeaseGranted(session, None, "exclusive", "/w", ("src",), 1, 2, lasting=True, beside=())


def attested(commit: str = "c") -> Event:
    return CommitAttested(commit, "t", (), 1, "h", ())


def judged(
    session: str, stage: str, verdict: str, task: str | None = None, *gates: str, advised: int = 0
) -> StageJudged:
    return StageJudged(session, stage, verdict, task, gates, advised, 9)


def offered(
    session: str,
    number: int,
    *findings: tuple[str, str, str],
    kind: str = "complete",
    head: str = "c1",
    packet: str | None = None,
) -> PacketOffered:
    rows = [{"gate": gate, "code": code, "path": path} for gate, code, path in findings]
    text = json.dumps({"metadata": {"head": head, **({"findings": rows} if rows else {})}})
    words = ("fix", number, kind, session, "agent", None, None, (), (), 0, 0, "h")
    return PacketOffered(*words, text if packet is None else packet)


def taken(session: str, number: int) -> PacketAccepted:
    return PacketAccepted("fix", number, session, None, (), 0)


def test_of_nothing_there_is_no_number() -> None:
    assert measure([]) == NOTHING
    assert [(goal.value, goal.n, goal.met) for goal in goals(NOTHING)] == [(None, 0, None)] * 4


# --- handoff failure rate -------------------------------------------------------------------------


def test_the_first_verdict_that_could_be_told_is_what_a_new_session_began_with() -> None:
    book = Book()
    for session, said in (
        ("a", ["fail", "pass"]),  # began with a failure, whatever was repaired then
        ("f", ["fail", "cannot-tell", "pass"]),
        ("b", ["pass", "fail"]),
        ("c", ["cannot-tell", "pass"]),  # nobody could tell at first
        ("d", ["cannot-tell"]),
        ("e", []),  # nothing was handed to it
    ):
        book.starts(session)
        for verdict in said:
            book.tx(session, judged(session, POST, verdict))
    book.tx("old", judged("old", POST, "fail"))  # it began before
    found = book.figures()
    assert (found.sessions, found.failure, found.unsure) == (6, Share(2, 4), 1)


def test_a_session_that_begins_again_under_its_id_is_a_new_one() -> None:
    book = Book()
    for verdict in ("fail", "pass", "pass"):
        book.starts("a")
        book.tx("a", judged("a", POST, verdict))
        book.ends("a")
    book.starts("a")  # and twice more, without an end between
    book.tx("a", judged("a", POST, "fail"))
    book.starts("a")
    assert (book.figures().sessions, book.figures().failure) == (5, Share(2, 4))


# --- pre-handoff compliance -----------------------------------------------------------------------


def test_a_complete_packet_that_was_accepted_is_a_completion_that_its_giver_had_judged() -> None:
    book = Book()
    book.starts("a")
    book.tx("a", offered("a", 2), judged("a", PRE, "pass", "fix"))
    assert book.figures().compliance == Share(0, 0)  # nobody took it yet
    book.tx("b", taken("b", 2))
    assert book.figures().compliance == Share(1, 1)
    book.tx("b", offered("b", 3), judged("a", PRE, "pass", "fix"))  # judged by somebody else
    book.tx("c", taken("c", 3))
    assert book.figures().compliance == Share(1, 2)
    book.tx("c", judged("c", PRE, "fail", "fix"))  # judged before, and handed over all the same
    book.tx("c", offered("c", 4))
    book.tx("d", taken("d", 4))
    assert book.figures().compliance == Share(2, 3)
    book.tx("d", offered("d", 5, kind="return"), judged("d", PRE, "pass", "fix"))
    book.tx("c", taken("c", 5))
    assert book.figures().compliance == Share(2, 3)  # sent back is not complete


@pytest.mark.parametrize("where", ["before", "with it", "never"])
def test_a_task_that_its_holder_closes_is_a_completion(where: str) -> None:
    book = Book()
    book.tx("a", PacketAccepted("fix", 1, "a", None, (), 0))
    verdict = judged("a", PRE, "pass", "fix")
    if where == "before":
        book.tx("a", verdict)
    book.tx("a", TaskClosed("fix", "done"), *([verdict] if where == "with it" else []))
    book.tx("a", TaskOpened("other", "Other"))
    assert book.figures().compliance == Share(0 if where == "never" else 1, 1)


def test_what_a_person_or_a_coordinator_closes_is_no_completion_of_an_agent() -> None:
    book = Book()
    book.tx("a", TaskTaken("fix", "a", None))
    book.tx(None, TaskClosed("fix", "done"))
    book.tx("a", TaskTaken("more", "a", None))
    book.tx("lead", TaskClosed("more", "done"))
    assert book.figures().compliance == Share(0, 0)


@pytest.mark.parametrize(
    ("did", "expected"),
    [
        ("commit", Share(0, 1)),
        ("commit check", Share(1, 1)),
        ("check commit", Share(0, 1)),  # what was judged is not what it left
        ("commit offer", Share(0, 0)),  # its packet is the completion, once it is accepted
        ("commit offer commit", Share(0, 1)),
        ("", Share(0, 0)),
    ],
)
def test_a_session_that_ends_with_commits_that_it_handed_to_nobody_completed_something(
    did: str, expected: Share
) -> None:
    events = {
        "commit": attested(),
        "check": judged("a", PRE, "pass"),
        "offer": offered("a", 2),
    }
    book = Book()
    book.starts("a")
    for word in did.split():
        book.tx("a", events[word])
    book.ends("a")
    assert book.figures().compliance == expected


def test_a_session_whose_process_vanished_called_nothing_complete() -> None:
    book = Book()
    book.starts("a")
    book.tx("a", attested())
    book.ends("a", reclaim.GONE)
    assert book.figures().compliance == Share(0, 0)


# --- time to resume -------------------------------------------------------------------------------


def test_a_session_is_at_work_with_its_first_grant_commit_command_or_offer() -> None:
    book = Book()
    for session in "abcd":
        book.starts(session)
    ran = EvidenceRecorded(
        *("run:1", None, ("true",), "", "exited", 0, "h", 0, "", "c", "t", "", False, 1),
        *(None, None),
    )
    for session, event in zip(
        "abcd", (granted("a"), attested(), ran, offered("d", 2)), strict=True
    ):
        book.tx(session, event)
    book.works("a")  # what comes later changes nothing
    assert book.figures().resumed == Spans(4, 4 * MINUTE, 4 * MINUTE)


def test_what_a_session_is_given_is_no_work_of_its_own() -> None:
    book = Book()
    book.starts("b")
    book.starts("a")
    book.tx("b", granted("a"))  # somebody declined what it had offered
    book.tx("a", LeaseReleased(7, "adopted"), granted("a"))  # what its agent left here
    book.tx("a", granted("a"), taken("a", 2))  # with the packet
    again = EvidenceRecorded(
        *("again:1", "g", ("true",), "", "exited", 0, "h", 0, "", "c", "t", "", False, 1),
        *(None, None),
    )
    book.tx("a", again)
    assert book.figures().resumed == Spans(0, None, None)
    book.tx("a", attested())
    found = book.figures()
    assert found.resumed == Spans(1, 5 * MINUTE, 5 * MINUTE)
    assert found.accepted == Spans(1, 2 * MINUTE, 2 * MINUTE)


def test_a_session_that_worked_before_it_accepted_has_no_part_from_there() -> None:
    book = Book()
    book.starts("a")
    book.works("a")
    book.tx("a", taken("a", 2))
    book.tx("a", attested())
    assert (book.figures().resumed.n, book.figures().accepted.n) == (1, 0)


def test_half_and_nine_of_ten_are_ranks_that_were_really_measured() -> None:
    assert spans([]) == Spans(0, None, None)
    assert spans([7]) == Spans(1, 7, 7)
    assert spans([4, 1, 3, 2]) == Spans(4, 2, 4)
    assert spans(range(100, 0, -1)) == Spans(100, 50, 90)
    assert spans(range(11)) == Spans(11, 5, 9)


# --- rediscovery ----------------------------------------------------------------------------------


def test_what_the_receivers_gates_find_untrue_is_rediscovered_once_for_each_gate() -> None:
    book = Book()
    book.tx("a", offered("a", 2, ("artifacts", "artifact_missing", "x")))
    book.tx("b", judged("b", POST, "fail", "fix", "artifacts", "commit-present", "reading"))
    assert (book.figures().rediscovered, book.figures().packets) == (1, 1)  # artifacts it had told
    verdict = judged("b", POST, "fail", "fix", "evidence:tests", "commit-present")
    book.tx("b", PacketReturned("fix", 2, "b", "it fails", ("evidence:tests",)), verdict)
    assert (book.figures().rediscovered, book.figures().packets) == (2, 1)
    book.tx("b", judged("b", POST, "fail", "fix", "artifacts", "evidence:lint"))  # after its end
    assert book.figures().rediscovered == 2


def test_what_the_giver_sees_itself_or_nobody_can_tell_is_not_rediscovered() -> None:
    book = Book()
    book.tx("a", offered("a", 2))
    book.tx("a", judged("a", POST, "fail", "fix", "artifacts"))
    book.tx("b", judged("b", POST, "cannot-tell", "fix", "artifacts"))
    book.tx("b", PacketDeclined("fix", 1, "b", "no"))  # another one, offered before
    assert (book.figures().rediscovered, book.figures().packets) == (0, 0)
    book.tx("b", PacketDeclined("fix", 2, "b", "no"))
    assert (book.figures().rediscovered, book.figures().packets) == (0, 1)


def test_work_that_is_sent_back_tells_what_was_so_only_if_nobody_committed_since() -> None:
    def sent_back(head: str, kind: str = "return") -> int:
        book = Book()
        book.tx("a", offered("a", 2, ("references", "missing", "docs/a")))
        book.tx("b", taken("b", 2))
        book.tx(
            "b",
            offered(
                "b",
                3,
                ("references", "missing", "docs/a"),  # it was told
                ("references", "missing", "docs/b"),
                ("tests", "gate_failed", ""),
                ("committed", "dirty", "src/a"),  # the receiver's own
                kind=kind,
                head=head,
            ),
        )
        return book.figures().rediscovered

    assert sent_back("c1") == 2
    assert sent_back("c2") == 0
    assert sent_back("c1", "complete") == 0


@pytest.mark.parametrize(
    "packet",
    [
        *("", "[]", "{", "[" * 5_000, '{"metadata": 7}', '{"metadata": {"findings": 7}}'),
        *('{"metadata": {"findings": [7]}}', '{"metadata": {"findings": [{"gate": {}}]}}'),
    ],
)
def test_a_packet_that_says_nothing_readable_is_counted_all_the_same(packet: str) -> None:
    book = Book()
    book.tx("a", offered("a", 2, packet=packet))
    book.tx("b", taken("b", 2))
    book.tx("b", offered("b", 3, kind="return", packet=packet))
    assert (book.figures().packets, book.figures().rediscovered) == (1, 0)


# --- suites, targets ------------------------------------------------------------------------------


def test_suites_are_counted_by_stage() -> None:
    book = Book()
    for verdict, gates, advised in (
        ("pass", (), 1),
        ("fail", ("committed", "pushed"), 2),
        ("cannot-tell", ("pushed",), 0),
        ("pass", (), 0),
    ):
        book.tx("a", judged("a", PRE, verdict, None, *gates, advised=advised))
    book.tx("a", judged("a", POST, "pass"))
    found = book.figures().suites
    assert found == (Suite(POST, 1, 0, 0, 0, 0), Suite(PRE, 2, 1, 1, 3, 3))
    assert [suite.rate.value for suite in found] == [1.0, 0.5]


def figures(n: int, failed: int, lacking: int, median_ms: int, rediscovered: int) -> Figures:
    resumed = Spans(n, median_ms, median_ms)
    return NOTHING._replace(
        failure=Share(failed, n),
        compliance=Share(n - lacking, n),
        resumed=resumed,
        rediscovered=rediscovered,
        packets=n,
    )


def test_of_too_few_it_is_not_said_whether_a_target_is_met() -> None:
    told = goals(figures(ENOUGH - 1, 0, 0, 1, 0))
    assert [goal.met for goal in told] == [None] * 4
    assert all(goal.value is not None for goal in told)
    assert [goal.met for goal in goals(figures(ENOUGH, 0, 0, 1, 0))] == [True] * 4


def test_a_target_is_met_on_one_side_of_its_bound() -> None:
    assert [goal.met for goal in goals(figures(100, 4, 0, 299_999, 0))] == [True] * 4
    assert [goal.met for goal in goals(figures(100, 5, 1, 300_000, 1))] == [False] * 4


# --- what is not counted --------------------------------------------------------------------------


def test_an_entry_that_was_redacted_changes_nothing_and_hurts_nobody() -> None:
    book = Book()
    book.starts("a")
    book.tx("a", offered("a", 2), judged("a", PRE, "pass", "fix"))
    book.tx("b", judged("b", POST, "fail", "fix", "artifacts"))
    book.tx("b", taken("b", 2))
    book.tx("b", TaskClosed("fix", "done"))
    book.ends("a")
    whole = book.figures()
    for number, entry in enumerate(book.entries):
        left = [*book.entries]
        left[number] = entry._replace(payload=None)
        found = measure(left)
        assert found.sessions == whole.sessions
        assert found.packets <= whole.packets
    assert measure([one._replace(payload=None) for one in book.entries]).suites == ()


def test_a_header_with_a_strange_name_is_read_like_any_other() -> None:
    book = Book()
    for session in ('s-"1"', "s\\n", "é"):
        book.starts(session)
        book.tx(session, judged(session, POST, "pass"))
    assert book.figures().failure == Share(0, 3)


def test_an_entry_of_a_later_format_is_called_that() -> None:
    book = Book()
    book.starts("a")
    newer = book.entries[0].header.replace(b'{"v":1', b'{"v":2')
    with pytest.raises(NewerFormat):
        measure([book.entries[0]._replace(header=newer)])


UNRELATED: Final[list[Event]] = [
    granted("elsewhere"),
    LeaseReleased(3, "released"),
    HistoryImported("e:1", 7, '{"header":"{}","payload":null}'),
    SessionRoleChanged("a", "worker", "many", "config"),
    SessionCompacted("a", "auto", "note"),
    WriteUnheld("a", "/w", (("src/a", "not_held"),)),
    WaiverRevoked(7, "over", "terminal"),
    TaskOpened("other", "Other"),
    judged("ghost", "commit", "pass"),
]


def histories() -> st.SearchStrategy[list[tuple[str, Any]]]:
    names = st.sampled_from("abc")
    numbers = st.integers(2, 4)
    verdicts = st.sampled_from(["pass", "fail", "cannot-tell"])
    return st.lists(
        st.one_of(
            names.map(lambda who: (who, (SessionStarted(who, "agent", None, "/w", "h"),))),
            names.map(lambda who: (who, (SessionEnded(who, "ended"),))),
            names.map(lambda who: (who, (granted(who),))),
            names.map(lambda who: (who, (attested(),))),
            st.tuples(names, verdicts, st.sampled_from([PRE, POST])).map(
                lambda row: (row[0], (judged(row[0], row[2], row[1], "fix", "artifacts"),))
            ),
            st.tuples(names, numbers).map(
                lambda row: (row[0], (offered(*row), judged(row[0], PRE, "pass", "fix")))
            ),
            st.tuples(names, numbers).map(lambda row: (row[0], (granted(row[0]), taken(*row)))),
            names.map(lambda who: (who, (TaskClosed("fix", "x"), judged(who, PRE, "pass", "fix")))),
        ),
        max_size=25,
    )


@given(
    histories(),
    st.lists(st.tuples(st.integers(0, 25), st.sampled_from(UNRELATED[:-1])), max_size=8),
)
def test_no_number_depends_on_entries_that_are_about_something_else(
    history: list[tuple[str, Any]], others: list[tuple[int, Event]]
) -> None:
    plain, mixed = Book(), Book()
    for place, (who, events) in enumerate([*history, ("", ())]):
        for event in [one for at, one in others if at == place]:
            mixed.tx("elsewhere", event, minutes=0)
        if events:
            plain.tx(who, *events)
            mixed.tx(who, *events)
    assert measure(mixed.entries) == measure(plain.entries)
    unknown = [
        entry
        if b'"kind":"history.imported"' not in entry.header
        else entry._replace(header=entry.header.replace(b"history.imported", b"history.dreamt_up"))
        for entry in mixed.entries
    ]
    assert measure(unknown) == measure(plain.entries)


@given(histories())
def test_numbers_are_shares_of_what_there_is(history: list[tuple[str, Any]]) -> None:
    book = Book()
    for who, events in history:
        book.tx(who, *events)
    found = book.figures()
    for share in (found.failure, found.compliance):
        assert 0 <= share.hits <= share.n
    assert found.failure.n + found.unsure <= found.sessions
    assert found.accepted.n <= found.resumed.n <= found.sessions
    starts = sum(isinstance(one, SessionStarted) for _, events in history for one in events)
    assert found.sessions == starts


# --- words that others give -----------------------------------------------------------------------


def test_the_words_that_are_looked_for_are_the_ones_that_are_written() -> None:
    assert (ADOPTED, GONE) == (ADOPTED_BY_DECIDE, reclaim.GONE)
    after = {gate.id for gate in GATES if POST in gate.stages}
    assert set(OF_THE_OFFER) - {"evidence"} <= after

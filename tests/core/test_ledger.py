"""The ledger: its frozen bytes, what is read back, what a verification finds and whom it names."""

from __future__ import annotations

import doctest
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import handrail.core.ledger
from handrail.core.events import (
    KIND_OF,
    KINDS,
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
    PayloadRedacted,
    SessionEnded,
    SessionRoleChanged,
    SessionStarted,
    StoreCreated,
    WriteUnheld,
)
from handrail.core.handed import (
    CheckpointDecided,
    EditRefused,
    PacketAccepted,
    PacketDeclined,
    PacketLapsed,
    PacketOffered,
    PacketReturned,
    PacketStuck,
    PacketTraced,
    PacketWithdrawn,
    PhaseEntered,
    ReadingAsked,
    ReadingDone,
    SessionCompacted,
    StageJudged,
    TaskClosed,
    TaskOpened,
    TaskResumed,
    TaskTaken,
    TriggerFired,
    TriggerLooped,
    WaiverAdded,
    WaiverRevoked,
    WaiverUsed,
)
from handrail.core.lease import EXCLUSIVE, LOCAL, Actor
from handrail.core.ledger import (
    GENESIS,
    Entry,
    Head,
    Header,
    Problem,
    Report,
    _strict_parser,
    export_lines,
    format_head,
    format_token,
    import_lines,
    is_epoch,
    is_hash,
    parse_head,
    parse_token,
    read_event,
    read_header,
    read_if,
    seal,
    verify,
)
from handrail.core.projected import ProjectionWritten, RowKept
from handrail.core.receipts import EvidenceContradicted, EvidenceRecorded
from handrail.errors import MalformedLedger, MalformedToken, NewerFormat
from tests.core import makers
from tests.core.makers import EPOCH, NOW

ZEROS: Final = "0" * 64
HERS: Final = Actor('s-"1"', "cl\\aude@wéb\n", None)
BYTES: Final = Actor("s-2", "\udcff\U0001f6a7", "ops")

PLAIN: Final = Actor("s-1", "claude@web", "website")
FIELDS: Final = [
    *("v", "epoch", "seq", "at", "kind", "session", "agent", "role", "payload_hash", "prev"),
]

# --- the frozen format ---------------------------------------------------------------------------
#
# These bytes are in ledgers out there. If this test is red, the code is wrong, not the test.

HISTORY: Final[list[tuple[Actor, Event]]] = [
    (Actor(), StoreCreated("acme-web-3fk2ap", None)),
    (
        HERS,
        LeaseGranted(
            *('s-"1"', None, EXCLUSIVE, "/w/t", ("src/api", "é/*.md"), 5_400_000),
            *(1_767_231_000_001, True, ()),
        ),
    ),
    (BYTES, LeaseReleased(2, "a\tb\x7f/")),
    (PLAIN, ConfigApplied("b" * 40, '[workspace]\nid = "w"\n', "terminal")),
    (PLAIN, SessionStarted("s-1", "claude@web", "website", "/w/t", "5" * 64)),
    (PLAIN, SessionRoleChanged("s-1", "ops", "asked", "terminal")),
    (
        PLAIN,
        LeaseGranted(
            *("s-1", "ops", LOCAL, "/w/t", ("**/*.lock",), 1_000, NOW + 2_000, False, (2, 5)),
        ),
    ),
    (PLAIN, LeaseExpired(7, NOW + 2_000)),
    (
        PLAIN,
        CommitAttested(
            *("c" * 40, "d" * 40, ("e" * 40,), 2, "f" * 64, ((2, NOW), (7, NOW + 1))),
        ),
    ),
    (PLAIN, SessionEnded("s-1", "ended")),
    (PLAIN, PayloadRedacted(4, "a secret")),
    (PLAIN, HistoryImported("abc:1", NOW - 1, '{"header":"{}","payload":null}')),
]
# Kinds that came with the hooks; they follow, so that the first twelve stay what they were.
LATER: Final[list[tuple[Actor, Event]]] = [
    (PLAIN, LeaseOrphaned(9, (("src/a.py", "a" * 40), ("\udcff", "")), "expired")),
    (PLAIN, LeaseOrphaned(11, None, "session_ended")),
    (
        PLAIN,
        CommitUnattested((("refs/heads/x", "0" * 40, "b" * 40),), ("b" * 40,), "scope_held"),
    ),
    (Actor(), CommitUnattributed((), ("c" * 40, "d" * 40), "no session")),
    (PLAIN, WriteUnheld("s-1", ".", (("src/a.py", "scope_held"),))),
    (Actor(), EnforcementPaused("acme-web-3fk2ap", NOW + 60_000, "terminal")),
]
EVIDENCE: Final[list[tuple[Actor, Event]]] = [
    (
        Actor("s-1", "bot", "dev"),
        EvidenceRecorded(
            *("command:0", None, ("make", "test"), "sub", "exited", 1, "0" * 64, 12, "1 failed\n"),
            *("c" * 40, "t" * 40, "d" * 64, False, 1_500, 3, "1" * 64),
        ),
    )
]
HANDED: Final[list[tuple[Actor, Event]]] = [
    (Actor(), TaskOpened("fix-login", "Repair the login")),
    (
        PLAIN,
        PacketOffered(
            *("fix-login", 2, "complete", "s-1", "ada", "maker", None, ("src/a",), ("src/a",)),
            *(17, NOW + 60_000, "a" * 64, '{"message":"\\u00e9"}'),
        ),
    ),
    (PLAIN, PacketAccepted("fix-login", 2, "s-2", None, ("src/a",), 19)),
    (PLAIN, PacketDeclined("fix-login", 3, "s-2", "red")),
    (PLAIN, PacketWithdrawn("fix-login", 4, "s-1", "mistake")),
    (Actor(), PacketLapsed("fix-login", 5, NOW + 60_000)),
    (PLAIN, TaskTaken("fix-login", "s-3", "maker")),
    (
        PLAIN,
        LeaseGranted(
            *("task:fix-login", None, "exclusive", "", ("src/a",), 60_000, NOW + 60_000, True, ()),
            "ada",
        ),
    ),
    (Actor(), TaskClosed("fix-login", "merged")),
]
WORKFLOW: Final[list[tuple[Actor, Event]]] = [
    (Actor(), TaskOpened("fix-login", "Repair the login")),
    (PLAIN, PhaseEntered("fix-login", "plan", 1)),
    (
        Actor(),
        CheckpointDecided(
            *("fix-login", "plan_check", "plan", "revise", "plan", 1, "too wide", "terminal"),
        ),
    ),
    (PLAIN, PacketReturned("fix-login", 2, "s-2", "other tests passed", ("evidence",))),
    (Actor(), TaskResumed("fix-login", "seen", "terminal")),
    (Actor(), WaiverAdded("pushed", None, "no remote", "Ada", "terminal", NOW + 60_000, None)),
    (PLAIN, WaiverUsed(18, "pushed", "pre-handoff", "fix-login")),
    (Actor(), WaiverRevoked(18, "there is one", "terminal")),
    (PLAIN, SessionCompacted("s-1", "auto", "on fix-login, phase plan")),
]
PROJECTED: Final[list[tuple[Actor, Event]]] = [
    (PLAIN, RowKept("ops/tracker.json", "handoffs/000001", '{"note":"é"}', "import", NOW - 9)),
    (Actor(), ProjectionWritten("ops/tracker.json", "0" * 40)),
    (PLAIN, CommitAttested("1" * 40, "2" * 40, (), 1, "3" * 64, (), None, (14,))),
]
AGAIN: Final[list[tuple[Actor, Event]]] = [
    (PLAIN, PacketTraced("fix-login", 2, "s-1", "process:00")),
    (PLAIN, EvidenceContradicted("gate:00", "tests", 17, 23)),
]
JUDGED: Final[list[tuple[Actor, Event]]] = [
    (PLAIN, StageJudged("s-1", "pre-handoff", "fail", "fix-login", ("committed",), 1, 9)),
    (PLAIN, StageJudged("s-2", "post-handoff", "cannot-tell", None, (), 0, 1)),
]
FIRED: Final[list[tuple[Actor, Event]]] = [
    (PLAIN, EditRefused("s-1", "outside_lane", "docs/é.md", (("outside_lane", 2),))),
    (
        PLAIN,
        TriggerFired("s-1", "out", "edit_refused", "outside_lane", "fix-login", 3, "architect"),
    ),
    (PLAIN, TriggerLooped("s-1", "out", "fix-login", 3)),
    (Actor(), PacketStuck("fix-login", 3)),
    (PLAIN, ReadingAsked("s-1", "role maker", True, (("AGENTS.md", "0" * 64, "", ""),))),
    (PLAIN, ReadingDone("s-1", "read", (("AGENTS.md", "0" * 64, ""),))),
]
GOLDEN: Final = [
    (
        (
            b'{"v":1,"epoch":"3fk2ap7q","seq":1,"at":1767225600000,"kind":"store.created",'
            b'"session":null,"agent":null,"role":null,'
            b'"payload_hash":"2b496312f1ccc2802cc8617c72fa75aa7131ec83349315bc506ac6382555a5b3",'
            b'"prev":"0000000000000000000000000000000000000000000000000000000000000000"}'
        ),
        b'{"workspace":"acme-web-3fk2ap","predecessor":null,"salt":"0000000000000000"}',
        "ab7dd16dc21b6c29a346a9619acbffb19634a1f4c612dcca9c7184964bf1a50c",
    ),
    (
        (
            b'{"v":1,"epoch":"3fk2ap7q","seq":2,"at":1767225600001,"kind":"lease.granted",'
            b'"session":"s-\\"1\\"","agent":"cl\\\\aude@w\\u00e9b\\n","role":null,'
            b'"payload_hash":"f8645a08e5409bb9c99d24bb78500696cc4120e6d55d2bb36df459165de6af3d",'
            b'"prev":"ab7dd16dc21b6c29a346a9619acbffb19634a1f4c612dcca9c7184964bf1a50c"}'
        ),
        (
            b'{"session":"s-\\"1\\"","role":null,"kind":"exclusive","worktree":"/w/t",'
            b'"patterns":["src/api","\\u00e9/*.md"],"ttl_ms":5400000,"expires_at":1767231000001,'
            b'"lasting":true,"beside":[],"salt":"0000000000000001"}'
        ),
        "f55b660c447d79365c8c7348a2a651367c4aa2e229229a505cadcbaf90cbda40",
    ),
    (
        (
            b'{"v":1,"epoch":"3fk2ap7q","seq":3,"at":1767225600002,"kind":"lease.released",'
            b'"session":"s-2","agent":"\\udcff\\ud83d\\udea7","role":"ops",'
            b'"payload_hash":"d65b43b6fe07e743a039b1819d6c78699eccd98e2940dcc718758b3f14039f58",'
            b'"prev":"f55b660c447d79365c8c7348a2a651367c4aa2e229229a505cadcbaf90cbda40"}'
        ),
        b'{"token":2,"reason":"a\\tb\\u007f/","salt":"0000000000000002"}',
        "320dbd3d8200bf44084d39d15020d96c4010395424fb7eba92889e033c4c468e",
    ),
]
GOLDEN_LATER: Final = Head(18, "4bfea6b117205931df52a871657646892d0bf509af269e771a3ee8e00ddac26e")
GOLDEN_EVIDENCE: Final = Head(
    13, "ad76b775828cb85516a054b557a1609e149f4a2bbbb3d9567e14e40daaf88da4"
)
GOLDEN_HANDED: Final = Head(21, "23da346a84e7bce25badcc8efc787d50983503420c81506f30198c99e572c183")
GOLDEN_WORKFLOW: Final = Head(
    21, "b5ee4960ade2a231e50a9e1280343d99ec6ecdf2e0c6e4959307e7a4f5098045"
)
GOLDEN_PROJECTED: Final = Head(
    15, "f2f16e3078bc9324bad74015457f873b6df14eb6f09f321dedb262988ea8ca6c"
)
GOLDEN_AGAIN: Final = Head(14, "5588681e897547675d1189e1beaff76f82ff63aeb81e88bf8235b4ab2fe802b2")
GOLDEN_FIRED: Final = Head(18, "72cd53661ffb7309699bc08c75ee5f7e17907aa478cd266f43eac20df9ac630d")
GOLDEN_JUDGED: Final = Head(14, "8d9a6b5eb5909857efc7e99a415de979ce341ace8a230adf23016d16389c6536")
GOLDEN_HEAD: Final = Head(12, "08ce61118a229f38bec639a6efb536fccd79223822dee8f412dba00767b0e9f4")


@cache
def ledger() -> tuple[Entry, ...]:
    """Give the twelve entries of HISTORY, a millisecond apart; one of each kind is among them."""
    head, entries = GENESIS, []
    for number, (actor, event) in enumerate(HISTORY):
        entry = seal(head, EPOCH, NOW + number, actor, event, f"{number:016x}")
        entries.append(entry)
        head = Head(entry.seq, entry.hash)
    return tuple(entries)


@pytest.mark.parametrize("number", range(len(GOLDEN)))
def test_the_bytes_of_an_entry_never_change(number: int) -> None:
    header, payload, digest = GOLDEN[number]
    assert ledger()[number] == Entry(number + 1, header, payload)
    assert ledger()[number].hash == digest


@pytest.mark.parametrize(
    ("later", "golden"),
    [
        (LATER, GOLDEN_LATER),
        (EVIDENCE, GOLDEN_EVIDENCE),
        (HANDED, GOLDEN_HANDED),
        (WORKFLOW, GOLDEN_WORKFLOW),
        (PROJECTED, GOLDEN_PROJECTED),
        (AGAIN, GOLDEN_AGAIN),
        (JUDGED, GOLDEN_JUDGED),
        (FIRED, GOLDEN_FIRED),
    ],
    ids=["later", "evidence", "handed", "workflow", "projected", "again", "judged", "fired"],
)
def test_the_bytes_of_later_kinds_of_entries_never_change(
    later: list[tuple[Actor, Event]], golden: Head
) -> None:
    head, entries = Head(ledger()[-1].seq, ledger()[-1].hash), list(ledger())
    assert head == GOLDEN_HEAD
    for number, (actor, event) in enumerate(later, len(entries)):
        entries.append(seal(head, EPOCH, NOW + number, actor, event, f"{number:016x}"))
        head = Head(entries[-1].seq, entries[-1].hash)
        assert read_event(entries[-1]) == event
    assert head == golden


def test_an_entry_of_every_kind_is_among_those_that_never_change() -> None:
    every = (*HISTORY, *LATER, *EVIDENCE, *HANDED, *WORKFLOW, *PROJECTED, *AGAIN, *JUDGED, *FIRED)
    told = [event for _, event in every]
    assert {KIND_OF[type(event)] for event in told} == set(KINDS)


def test_a_golden_ledger_is_read_and_verifies() -> None:
    entries = [
        Entry(number, header, payload) for number, (header, payload, _) in enumerate(GOLDEN, 1)
    ]
    assert [read_event(entry) for entry in entries] == [event for _, event in HISTORY[:3]]
    assert [entry.hash for entry in entries] == [digest for _, _, digest in GOLDEN]
    assert verify(entries, [Head(3, GOLDEN[2][2])]).problem is None


@given(st.lists(st.tuples(makers.actors, makers.events), max_size=6))
def test_each_entry_holds_the_hashes_that_the_format_says(
    history: list[tuple[Actor, Event]],
) -> None:
    prev = ZEROS
    for number, entry in enumerate(makers.a_ledger(history), 1):
        header = json.loads(entry.header)
        assert entry.payload is not None
        assert list(header) == FIELDS
        assert (header["v"], header["seq"], header["prev"]) == (1, number, prev)
        assert header["payload_hash"] == sha256(entry.payload).hexdigest()
        prev = sha256(entry.header).hexdigest()
        assert entry.hash == prev


# --- what was sealed is read back ----------------------------------------------------------------

hostile = st.text(
    st.sampled_from("\"\\/\b\f\n\r\t\0\x1f\x7f\x80\u2028\u202e\ufeff'{}:, é\U0001f6a7\ud800\udfff")
    | st.characters(),
    max_size=12,
)
names = st.none() | hostile
epochs = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=32)
hostile_events: st.SearchStrategy[Event] = st.one_of(
    makers.events,
    st.builds(LeaseReleased, makers.numbers, hostile),
    st.builds(ConfigApplied, hostile, hostile, hostile),
    st.builds(SessionStarted, hostile, hostile, names, hostile, hostile),
)
heads = st.builds(
    Head, st.integers(0, 10**18 - 2), st.text("0123456789abcdef", min_size=64, max_size=64)
)


@given(heads, epochs, st.integers(0, 10**18 - 1), names, names, names, hostile_events)
def test_an_entry_is_read_back_as_it_was_sealed(
    before: Head,
    epoch: str,
    at: int,
    session: str | None,
    agent: str | None,
    role: str | None,
    event: Event,
) -> None:
    entry = seal(before, epoch, at, Actor(session, agent, role), event, "5a17")
    assert entry.payload is not None
    assert entry.header.isascii()
    assert entry.payload.isascii()
    assert b"\n" not in entry.header + entry.payload
    assert b"\t" not in entry.header + entry.payload
    header = read_header(entry.header)
    assert header == Header(
        *(1, epoch, before.seq + 1, at, KIND_OF[type(event)], session, agent, role),
        *(sha256(entry.payload).hexdigest(), before.hash),
    )
    assert read_event(entry) == read_event(entry, header) == event
    assert json.loads(entry.payload)["salt"] == "5a17"
    # The fast reader takes whatever can be sealed, so a verification is fast for every ledger.
    fast = _strict_parser()(entry.header)
    assert fast == (header.epoch, header.seq, header.kind, header.payload_hash, header.prev)


def test_a_redacted_payload_reads_as_no_event() -> None:
    assert read_event(ledger()[1]._replace(payload=None)) is None


def test_two_salts_give_the_same_event_two_hashes() -> None:
    one, two = (seal(GENESIS, EPOCH, NOW, PLAIN, HISTORY[0][1], salt) for salt in ("0", "1"))
    assert read_header(one.header).payload_hash != read_header(two.header).payload_hash


# --- reading headers: two parsers, one answer ----------------------------------------------------


def fast_answer(header: bytes) -> tuple[str, int, str, str, str] | None:
    return _strict_parser()(header)


def slow_answer(header: bytes) -> tuple[str, int, str, str, str] | None:
    """Read a header with the full reader; None for whatever it refuses."""
    try:
        found = read_header(header)
    except (ValueError, NewerFormat):
        return None
    return found.epoch, found.seq, found.kind, found.payload_hash, found.prev


def spliced(old: bytes, new: bytes) -> bytes:
    header = ledger()[6].header
    assert header.count(old) == 1
    return header.replace(old, new)


REFUSED: Final[dict[str, bytes]] = {
    "a second field of a name": spliced(b'"at":', b'"seq":7,"at":'),
    "a second field of a name that says otherwise": spliced(b'"at":', b'"seq":8,"at":'),
    "a second field at the end": spliced(b'"}', b'","prev":"' + b"0" * 64 + b'"}'),
    "fields in another order": spliced(
        b'"session":"s-1","agent":"claude@web"', b'"agent":"claude@web","session":"s-1"'
    ),
    "a field more": spliced(b',"prev"', b',"more":1,"prev"'),
    "a field more at the end": ledger()[6].header[:-1] + b',"more":1}',
    "a field less": spliced(b'"role":"website",', b""),
    "a blank before": b" " + ledger()[6].header,
    "a blank after": ledger()[6].header + b" ",
    "a newline after": ledger()[6].header + b"\n",
    "a blank after a colon": spliced(b'"seq":7', b'"seq": 7'),
    "a blank after a comma": spliced(b',"at"', b', "at"'),
    "a leading zero": spliced(b'"seq":7', b'"seq":07'),
    "a leading zero of the time": spliced(b'"at":', b'"at":0'),
    "a sign": spliced(b'"seq":7', b'"seq":-7'),
    "a plus": spliced(b'"seq":7', b'"seq":+7'),
    "minus zero": spliced(b'"seq":7', b'"seq":-0'),
    "entry zero": spliced(b'"seq":7', b'"seq":0'),
    "a fraction": spliced(b'"seq":7', b'"seq":7.0'),
    "an exponent": spliced(b'"seq":7', b'"seq":7e0'),
    "a sequence as text": spliced(b'"seq":7', b'"seq":"7"'),
    "a sequence that is true": spliced(b'"seq":7', b'"seq":true'),
    "a sequence of 5000 digits": spliced(b'"seq":7', b'"seq":' + b"7" * 5_000),
    "not a number": spliced(b'"at":1767225600006', b'"at":NaN'),
    "infinity": spliced(b'"at":1767225600006', b'"at":Infinity'),
    "format true": spliced(b'"v":1', b'"v":true'),
    "format 1.0": spliced(b'"v":1', b'"v":1.0'),
    "format 0": spliced(b'"v":1', b'"v":0'),
    "format -1": spliced(b'"v":1', b'"v":-1'),
    "a format as text": spliced(b'"v":1', b'"v":"1"'),
    "no format": spliced(b'"v":1,', b""),
    "the format later": spliced(b'"v":1,"epoch":"3fk2ap7q"', b'"epoch":"3fk2ap7q","v":1'),
    "an epoch that is none": spliced(b'"epoch":"3fk2ap7q"', b'"epoch":null'),
    "a kind that is none": spliced(b'"kind":"lease.granted"', b'"kind":null'),
    "a session that is a number": spliced(b'"session":"s-1"', b'"session":1'),
    "a session that is a list": spliced(b'"session":"s-1"', b'"session":["s-1"]'),
    "a letter that needs no escape": spliced(b'"s-1"', b'"\\u0073-1"'),
    "a slash that needs no escape": spliced(b'"s-1"', b'"s\\/1"'),
    "a long escape where there is a short one": spliced(b'"s-1"', b'"\\u000a"'),
    "an escape in capitals": spliced(b'"s-1"', b'"\\u00E9"'),
    "an escape that is none": spliced(b'"s-1"', b'"\\x41"'),
    "half an escape": spliced(b'"s-1"', b'"\\u00e"'),
    "a raw control character": spliced(b'"s-1"', b'"s\x01"'),
    "a raw delete": spliced(b'"s-1"', b'"s\x7f"'),
    "raw UTF-8": spliced(b'"s-1"', '"é"'.encode()),
    "raw bytes": spliced(b'"s-1"', b'"\xff"'),
    "UTF-16": ledger()[6].header.decode().encode("utf-16"),
    "UTF-32": ledger()[6].header.decode().encode("utf-32-le"),
    "a byte order mark": b"\xef\xbb\xbf" + ledger()[6].header,
    "a hash in capitals": spliced(b'"prev":"', b'"prev":"A')[:-3] + b'"}',
    "a hash too short": ledger()[6].header[:-3] + b'"}',
    "a hash too long": ledger()[6].header[:-2] + b'0"}',
    "a hash that is none": ledger()[6].header[:-67] + b"null}",
    "pairs instead of an object": json.dumps(
        [[name, value] for name, value in json.loads(ledger()[6].header).items()],
        separators=(",", ":"),
    ).encode(),
    "a list of one": b"[1]",
    "a list of one text": b'["v"]',
    "a list": b"[]",
    "an empty object": b"{}",
    "nothing": b"",
    "null": b"null",
    "a number": b"1",
    "the middle missing": ledger()[6].header[:100],
    "the end twice": ledger()[6].header + b"}",
    "two headers": ledger()[6].header * 2,
    "lists without end": b"[" * 100_000,
    "objects without end": b'{"v":' * 100_000,
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_header_is_read_only_as_it_is_sealed(what: str) -> None:
    header = REFUSED[what]
    assert header != ledger()[6].header
    assert fast_answer(header) is None
    with pytest.raises((ValueError, NewerFormat)) as caught:
        read_header(header)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "header",
    [
        b'{"v":2}',
        b'{"v":2,"epoch":"e","anything":{"else":[]}}',
        spliced(b'"v":1', b'"v":2'),
        spliced(b'"v":1', b'"v":10'),
        spliced(b'"v":1', b'"v": 2 '),
    ],
)
def test_a_header_of_a_later_format_says_so(header: bytes) -> None:
    assert fast_answer(header) is None
    with pytest.raises(NewerFormat) as caught:
        read_header(header)
    assert caught.value.values["known"] == 1
    assert caught.value.values["found"] == json.loads(header)["v"]
    with pytest.raises(NewerFormat):
        verify([*ledger()[:6], Entry(7, header, b"")])


PIECES: Final = [
    *(b'"', b"\\", b",", b":", b"{", b"}", b"[", b"]", b" ", b"\n", b"\t", b"0", b"1", b"-"),
    *(b"\\u00e9", b"\\n", b"\\/", b"\\u0041", b"\\u000a", b"\\ud800", b"\\udc00", b"null"),
    *(b"\xc3\xa9", b"\xff", b"\x00", b"\x7f", b"true", b"1.0", b'"seq":7,', b'"v":1,', b"e5"),
]
edits = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 4), st.sampled_from(PIECES) | st.binary()),
    min_size=1,
    max_size=3,
)


@given(st.integers(0, 11), edits)
@example(6, [(60, 0, b"0")])
def test_both_parsers_agree_on_whatever_they_are_given(
    number: int, changes: list[tuple[int, int, bytes]]
) -> None:
    header = ledger()[number].header
    for at, length, piece in changes:
        header = header[:at] + piece + header[at + length :]
    fast, slow = fast_answer(header), slow_answer(header)
    assert fast is None or fast == slow
    if slow is not None:  # what is read is exactly what seal would have written
        values = json.loads(header)
        again = json.dumps(values, separators=(",", ":"), ensure_ascii=True)
        assert again.encode() == header
        assert list(values) == FIELDS


@given(
    st.lists(
        st.sampled_from(["a", '"', "\\", "\\\\", '\\"', "\\n", "\\/", "\\u00e9", "\\u0041", "/"])
        | st.sampled_from(["\\u0000", "\\u0008", "\\u0009", "\\u000b", "\\u001f", "\\u0020"])
        | st.sampled_from(["\\u007e", "\\u007f", "\\u0080", "\\u00ff", "\\u0100", "\\u1000"])
        | st.sampled_from(["\\ud83d\\udea7", "\\udea7\\ud83d", "\\b", "\\f", "\\v", "\\0", " "]),
        max_size=5,
    ).map("".join)
)
def test_both_parsers_agree_on_every_spelling_of_a_name(spelling: str) -> None:
    header = spliced(b'"session":"s-1"', f'"session":"{spelling}"'.encode())
    assert fast_answer(header) == slow_answer(header)


# --- verification --------------------------------------------------------------------------------
#
# Who is named as the first bad entry, given the head of the last one (N is 12 here, k the entry
# that was tampered with):
#
#   a field of the header, or the payload, or both     k, whichever field it is
#     and the next ones linked again, up to entry m    m: entry m + 1 still holds the hash of the
#                                                      entry that stood there; m = k if none was
#     and all that follow linked again                 N, "it, or one after entry h": h is the last
#                                                      given head before; with heads at h and j,
#                                                      h < k <= j, it is j that is named
#   removed                                            k: the one that is missing
#   two swapped                                        the first place that holds the wrong one
#   one doubled, one put in between                    the first place that holds the wrong one
#   cut off after m                                    m + 1: the first one that is missing
#   payload removed, and no later entry says so        k


def heads_of(entries: Sequence[Entry], *seqs: int) -> list[Head]:
    return [Head(entries[seq - 1].seq, entries[seq - 1].hash) for seq in seqs]


def checked(entries: Sequence[Entry], *seqs: int) -> Report:
    """Verify against heads of the true ledger: those given, or its last one."""
    return verify(entries, heads_of(ledger(), *(seqs or (12,))))


def named(entries: Sequence[Entry], *seqs: int) -> int:
    problem = checked(entries, *seqs).problem
    assert problem is not None
    return problem.seq


def resealed(entry: Entry, **fields: Any) -> Entry:
    """Change fields of a header and hash it again."""
    values = {**json.loads(entry.header), **fields}
    header = json.dumps(values, separators=(",", ":"), ensure_ascii=True).encode()
    return Entry(values["seq"], header, entry.payload)


def with_payload(entry: Entry, payload: bytes) -> Entry:
    """Change the payload and let the header name the new one."""
    changed = resealed(entry, payload_hash=sha256(payload).hexdigest())
    return changed._replace(payload=payload)


def replaced(number: int, entry: Entry) -> list[Entry]:
    return [*ledger()[: number - 1], entry, *ledger()[number:]]


def linked_again(entries: Sequence[Entry], first: int, last: int) -> list[Entry]:
    """Link the entries at places ``first`` to ``last`` anew, each to the one before it."""
    done = list(entries)
    for place in range(first, last + 1):
        prev = done[place - 2].hash if place > 1 else ZEROS
        done[place - 1] = resealed(done[place - 1], prev=prev)
    return done


OTHER: Final[dict[str, Any]] = {
    "epoch": "another",
    "seq": 99,
    "at": NOW + 77,
    "kind": "lease.renewed",
    "session": "s-9",
    "agent": "somebody@else",
    "role": "root",
    "payload_hash": "a" * 64,
    "prev": "b" * 64,
}
UNLINKED: Final = ("at", "kind", "session", "agent", "role")
every_entry = pytest.mark.parametrize("number", range(1, 13))


def test_a_whole_ledger_verifies_and_says_how_far_that_goes() -> None:
    assert checked(ledger()) == Report(
        entries=12, epoch=EPOCH, head=GOLDEN_HEAD, redacted=0, heads_checked=1, problem=None
    )
    assert checked(ledger(), *range(1, 13)).heads_checked == 12
    assert verify(iter(ledger()), [GOLDEN_HEAD, GOLDEN_HEAD]).heads_checked == 1


def test_an_empty_ledger_verifies_and_has_no_epoch() -> None:
    assert verify([]) == Report(0, None, GENESIS, 0, 0, None)


@every_entry
@pytest.mark.parametrize("field", OTHER)
def test_a_header_that_was_edited_is_named_whichever_field_it_is(number: int, field: str) -> None:
    assert (
        named(replaced(number, resealed(ledger()[number - 1], **{field: OTHER[field]}))) == number
    )


@every_entry
def test_a_payload_that_was_edited_is_named(number: int) -> None:
    entry = ledger()[number - 1]
    assert entry.payload is not None
    changed = entry.payload.replace(b'"salt":"', b'"salt":"f')
    assert named(replaced(number, entry._replace(payload=changed))) == number
    assert named(replaced(number, entry._replace(payload=b""))) == number
    assert named(replaced(number, with_payload(entry, changed))) == number


@every_entry
def test_a_payload_that_is_gone_is_named_unless_a_later_entry_says_so(number: int) -> None:
    bare = replaced(number, ledger()[number - 1]._replace(payload=None))
    report = checked(bare)
    if number == 4:  # entry 11 says that it was redacted
        assert report.problem is None
        assert report.redacted == 1
    else:
        reason = "its payload is gone and no entry says it was redacted"
        assert report.problem == Problem(number, reason)


@every_entry
@pytest.mark.parametrize("field", UNLINKED)
def test_an_edit_with_all_that_follows_linked_again_is_found_at_the_head(
    number: int, field: str
) -> None:
    edited = replaced(number, resealed(ledger()[number - 1], **{field: OTHER[field]}))
    forged = linked_again(edited, number + 1, 12)
    assert verify(forged).problem is None  # consistent in itself: only a head tells
    report = checked(forged)
    reason = "it, or one after entry 0, was changed: its hash is not that of the given head"
    assert report.problem == Problem(12, reason)
    assert report.heads_checked == 0


@pytest.mark.parametrize("known", range(1, 12))
@every_entry
def test_a_head_in_the_middle_narrows_the_span_that_was_rewritten(number: int, known: int) -> None:
    edited = replaced(number, resealed(ledger()[number - 1], at=NOW + 77))
    forged = linked_again(edited, number + 1, 12)
    report = checked(forged, known, 12)
    first_bad, before = (known, 0) if number <= known else (12, known)
    span = "it" if first_bad == before + 1 else f"it, or one after entry {before},"
    reason = f"{span} was changed: its hash is not that of the given head"
    assert report.problem == Problem(first_bad, reason)
    assert report.heads_checked == (number > known)


@every_entry
def test_an_edit_linked_again_in_part_is_found_where_the_links_end(number: int) -> None:
    edited = replaced(number, resealed(ledger()[number - 1], agent="x"))
    for last in range(number, 12):
        forged = linked_again(edited, number + 1, last)
        assert named(forged) == last
        problem = checked(forged).problem
        assert problem is not None
        assert problem.reason == f"it is not the entry that entry {last + 1} was linked to"


@every_entry
def test_an_entry_that_was_removed_is_named(number: int) -> None:
    rest = [*ledger()[: number - 1], *ledger()[number:]]
    assert named(rest) == number
    # Numbered and linked again, a ledger that is too short is found at its end.
    closed = [resealed(entry, seq=place) for place, entry in enumerate(rest, 1)]
    closed = linked_again(closed, number, 11)
    assert verify(closed).problem is None
    problem = checked(closed).problem
    assert problem is not None
    assert problem.seq == 12
    assert "it is missing: a given head names it, the ledger ends at 11" in problem.reason


@pytest.mark.parametrize(("one", "other"), [(a, b) for a in range(1, 13) for b in range(a + 1, 13)])
def test_two_entries_that_were_swapped_are_found_at_the_first_place(one: int, other: int) -> None:
    swapped = list(ledger())
    swapped[one - 1], swapped[other - 1] = swapped[other - 1], swapped[one - 1]
    assert named(swapped) == one
    # Numbered anew, the first of them is linked to the wrong entry.
    numbered = [resealed(entry, seq=place) for place, entry in enumerate(swapped, 1)]
    assert named(numbered) == one
    forged = linked_again(numbered, one, 12)
    assert verify(forged).problem is None
    assert named(forged) == 12


@every_entry
def test_an_entry_that_stands_there_twice_is_found_at_its_second_place(number: int) -> None:
    doubled = [*ledger()[:number], *ledger()[number - 1 :]]
    problem = checked(doubled).problem
    assert problem is not None
    assert problem == Problem(number + 1, f"it is missing or out of its place (found {number})")


@pytest.mark.parametrize("place", range(1, 13))
def test_an_entry_put_in_between_is_found_where_it_was_put(place: int) -> None:
    before = ledger()[place - 2] if place > 1 else None
    head = GENESIS if before is None else Head(before.seq, before.hash)
    forged = seal(head, EPOCH, NOW, PLAIN, LeaseReleased(2, "released"), "00")
    # It is linked rightly, so the first one that is wrong is the one behind it; unless the given
    # head speaks of its place.
    assert named([*ledger()[: place - 1], forged, *ledger()[place - 1 :]]) == min(place + 1, 12)
    # In the place of the one that stood there it is the one behind, or the head, that tells.
    assert named([*ledger()[: place - 1], forged, *ledger()[place:]]) == place


@pytest.mark.parametrize("left", range(12))
def test_a_tail_that_was_cut_off_is_found_with_its_first_entry(left: int) -> None:
    report = checked(ledger()[:left])
    reason = f"it is missing: a given head names it, the ledger ends at {left}"
    assert report.problem == Problem(left + 1, reason)
    assert report.entries == left


@pytest.mark.parametrize("left", range(12))
def test_without_a_head_a_cut_tail_is_not_found_and_the_report_says_so(left: int) -> None:
    report = verify(ledger()[:left])
    assert report.problem is None
    assert report.heads_checked == 0
    assert report.entries == left


@pytest.mark.parametrize("number", range(1, 12))
@pytest.mark.parametrize("field", OTHER)
def test_without_a_head_an_edit_before_the_last_entry_is_found_and_named(
    number: int, field: str
) -> None:
    edited = replaced(number, resealed(ledger()[number - 1], **{field: OTHER[field]}))
    report = verify(edited)
    assert report.problem is not None
    # The last but one and the last hold each other only: either may be the bad one.
    assert report.problem.seq in ((10, 11) if (number, field) == (11, "prev") else (number,))
    assert report.heads_checked == 0


@pytest.mark.parametrize("field", UNLINKED)
def test_without_a_head_an_edit_of_the_last_entry_is_not_found(field: str) -> None:
    edited = replaced(12, resealed(ledger()[-1], **{field: OTHER[field]}))
    assert verify(edited).problem is None


def test_what_was_appended_after_a_head_is_not_judged_by_it() -> None:
    longer = [*ledger(), seal(GOLDEN_HEAD, EPOCH, NOW, PLAIN, LeaseReleased(7, ""), "00")]
    report = checked(longer)
    assert (report.problem, report.entries, report.heads_checked) == (None, 13, 1)


@pytest.mark.parametrize(
    ("given", "named_entry"),
    [
        ([Head(12, "0" * 64)], 12),
        ([Head(1, "0" * 64)], 1),
        ([GOLDEN_HEAD, Head(12, "0" * 64)], 12),
        ([Head(13, "0" * 64)], 13),
        ([Head(40, "0" * 64)], 13),
        ([GOLDEN_HEAD, Head(13, "0" * 64)], 13),
        ([Head(13, "0" * 64), Head(3, "0" * 64)], 3),
        ([GENESIS], 0),
        ([Head(-1, "0" * 64)], -1),
    ],
)
def test_a_head_that_the_ledger_does_not_have_is_a_problem(
    given: list[Head], named_entry: int
) -> None:
    problem = verify(ledger(), given).problem
    assert problem is not None
    assert problem.seq == named_entry


@pytest.mark.parametrize("number", range(2, 12))
def test_a_tail_of_another_ledger_is_found_where_a_known_head_ends(number: int) -> None:
    # All from entry k on was replaced by what is linked in itself, and not to what stands before.
    foreign = replaced(number, resealed(ledger()[number - 1], prev="b" * 64))
    foreign = linked_again(foreign, number + 1, 12)
    assert checked(foreign, number - 1).problem == Problem(
        number, f"it is not linked to entry {number - 1}"
    )
    # Without a head before it, it is as likely that the entry before was changed.
    assert verify(foreign).problem == Problem(
        number - 1, f"it is not the entry that entry {number} was linked to"
    )


@pytest.mark.parametrize("number", range(1, 11))
def test_where_nothing_vouches_for_either_end_of_a_broken_link_the_later_one_is_named(
    number: int,
) -> None:
    # Two entries were tampered with: the second one is garbage and vouches for nobody.
    forged = replaced(number, resealed(ledger()[number - 1], at=NOW + 77))
    forged[number + 1] = Entry(number + 2, b"garbage", b"{}")
    assert named(forged) == number + 1


def test_the_whole_ledger_of_another_store_is_found_by_the_head() -> None:
    other = [resealed(entry, epoch="other") for entry in ledger()]
    forged = linked_again(other, 1, 12)
    assert verify(forged).epoch == "other"
    assert named(forged) == 12


def test_an_entry_of_another_epoch_is_named_although_the_links_hold() -> None:
    forged = linked_again(replaced(5, resealed(ledger()[4], epoch="other")), 6, 12)
    assert verify(forged).problem == Problem(5, "it belongs to another epoch (other)")


def test_the_numbers_beside_the_bytes_are_not_believed() -> None:
    lying = [entry._replace(seq=7) for entry in ledger()]
    assert checked(lying) == checked(ledger())


@given(st.integers(1, 12), st.booleans(), st.integers(0, 10_000), st.integers(1, 255))
def test_a_flip_of_any_bits_of_any_byte_is_found_and_named(
    number: int, in_header: bool, place: int, bits: int
) -> None:
    entry = ledger()[number - 1]
    assert entry.payload is not None
    text = bytearray(entry.header if in_header else entry.payload)
    text[place % len(text)] ^= bits
    header, payload = (bytes(text), entry.payload) if in_header else (entry.header, bytes(text))
    try:
        assert named(replaced(number, Entry(number, header, payload))) == number
    except NewerFormat:
        assert json.loads(header)["v"] > 1


@every_entry
def test_a_flip_of_one_bit_is_found_at_every_place(number: int) -> None:
    entry = ledger()[number - 1]
    assert entry.payload is not None
    for place in range(len(entry.header)):
        header = bytearray(entry.header)
        header[place] ^= 1 << (place % 7)
        try:
            assert named(replaced(number, entry._replace(header=bytes(header)))) == number
        except NewerFormat:
            assert place == len(b'{"v":')
    for place in range(len(entry.payload)):
        payload = bytearray(entry.payload)
        payload[place] ^= 1 << (place % 7)
        assert named(replaced(number, entry._replace(payload=bytes(payload)))) == number


@given(st.integers(1, 12), st.binary(max_size=40) | st.sampled_from(sorted(REFUSED)), st.binary())
def test_garbage_in_place_of_an_entry_is_reported_and_never_raised(
    number: int, garbage: bytes | str, payload: bytes
) -> None:
    header = REFUSED[garbage] if isinstance(garbage, str) else garbage
    assert named(replaced(number, Entry(number, header, payload))) == number


# --- redaction -----------------------------------------------------------------------------------


def redacted(*gone: int, told: Sequence[tuple[int, int]]) -> list[Entry]:
    """Give a ledger whose entries ``gone`` are bare; ``told`` is (at entry, names entry)."""
    history: list[tuple[Actor, Event]] = [(PLAIN, LeaseReleased(2, "x"))] * 8
    for at, about in told:
        history[at - 1] = (PLAIN, PayloadRedacted(about, "a secret"))
    entries = makers.a_ledger(history)
    return [entry._replace(payload=None) if entry.seq in gone else entry for entry in entries]


@pytest.mark.parametrize(
    ("gone", "told", "problem"),
    [
        ((), [], None),
        ((3,), [(5, 3)], None),
        ((3,), [(8, 3)], None),
        ((1, 2, 3), [(4, 2), (5, 1), (8, 3)], None),
        ((3,), [(5, 3), (6, 3)], None),
        ((), [(5, 3)], None),
        ((), [(5, 3), (6, 99), (7, 0)], None),
        ((3,), [], 3),
        ((3,), [(5, 4)], 3),
        ((3,), [(2, 3)], 3),
        ((3,), [(3, 3)], 3),
        ((3, 6), [(5, 3)], 6),
        ((3, 6), [(8, 6)], 3),
        ((3, 5), [(5, 3), (6, 5)], 3),
        ((3, 5), [(5, 3), (6, 5), (7, 3)], None),
        ((8,), [], 8),
    ],
)
def test_a_payload_may_be_gone_if_a_later_entry_that_is_there_says_so(
    gone: tuple[int, ...], told: list[tuple[int, int]], problem: int | None
) -> None:
    entries = redacted(*gone, told=told)
    report = verify(entries, heads_of(entries, 8))
    assert (report.problem and report.problem.seq) == problem
    assert report.redacted == len(gone)


def test_a_redaction_changes_no_hash() -> None:
    bare = replaced(4, ledger()[3]._replace(payload=None))
    assert checked(bare)._replace(redacted=0) == checked(ledger())


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"null", b"[]", b"[4]", b"{", b"4", b'"seq"', b"{}", b"\xff\xfe", b"[" * 100_000),
        *(b'{"seq":null}', b'{"seq":"4"}', b'{"seq":[4]}', b'{"seq":{}}', b'{"seq":4.0}'),
        *(b'{"seq":true}', '{"seq":4,"é":1}'.encode(), b'\xef\xbb\xbf{"seq":4}'),
    ],
)
def test_a_redaction_that_cannot_be_read_redacts_nothing_and_raises_nothing(payload: bytes) -> None:
    entries = replaced(4, ledger()[3]._replace(payload=None))
    entries[10] = with_payload(entries[10], payload)
    forged = linked_again(entries, 12, 12)
    problem = verify(forged).problem
    assert problem is not None
    assert problem.seq in (4, 11)


def test_a_payload_that_is_not_ascii_is_a_problem_although_its_hash_holds() -> None:
    entries = replaced(5, with_payload(ledger()[4], '{"é":1}'.encode()))
    assert verify(linked_again(entries, 6, 12)).problem == Problem(5, "its payload is not ASCII")


# --- exports -------------------------------------------------------------------------------------


def exported(entries: Sequence[Entry] = ()) -> bytes:
    return b"".join(export_lines(entries or ledger(), EPOCH))


def imported(export: bytes) -> list[Entry]:
    return list(import_lines(io.BytesIO(export), "ledger.txt"))


def test_the_bytes_of_an_export_never_change() -> None:
    first_two = b"".join(b"%b\t%b\n" % (header, payload) for header, payload, _ in GOLDEN[:2])
    assert exported(ledger()[:2]) == b"handrail-ledger 1 3fk2ap7q\n" + first_two
    bare = exported([ledger()[0]._replace(payload=None)])
    assert bare == b"handrail-ledger 1 3fk2ap7q\n" + GOLDEN[0][0] + b"\t\n"


@given(
    st.lists(st.tuples(st.builds(Actor, names, names, names), hostile_events), max_size=6),
    st.sets(st.integers(1, 6)),
    st.booleans(),
)
def test_an_export_is_imported_byte_for_byte(
    history: list[tuple[Actor, Event]], gone: set[int], last_newline: bool
) -> None:
    entries = [
        entry._replace(payload=None) if entry.seq in gone else entry
        for entry in makers.a_ledger(history)
    ]
    export = b"".join(export_lines(entries, EPOCH))
    lines = export if last_newline or not entries else export.removesuffix(b"\n")
    assert imported(lines) == entries
    assert b"".join(export_lines(imported(lines), EPOCH)) == export


def test_an_import_is_lazy_and_reads_a_line_at_a_time() -> None:
    def lines() -> Iterator[bytes]:
        yield from exported().splitlines(keepends=True)[:3]
        raise AssertionError("read too far")

    entries = import_lines(lines(), "ledger.txt")
    assert [next(entries), next(entries)] == list(ledger()[:2])


FIRST: Final = b"handrail-ledger 1 3fk2ap7q\n"
NO_EXPORTS: Final[dict[str, bytes]] = {
    "nothing": b"",
    "a blank line": b"\n",
    "binary": bytes(range(256)) * 4,
    "a picture": b"\x89PNG\r\n\x1a\n" + b"\0" * 64,
    "JSON": b'{"v":1}\n',
    "another magic": b"handrail-packet 1 3fk2ap7q\n",
    "no format": b"handrail-ledger 3fk2ap7q\n",
    "format 0": b"handrail-ledger 0 3fk2ap7q\n",
    "a format that is no number": b"handrail-ledger one 3fk2ap7q\n",
    "a negative format": b"handrail-ledger -1 3fk2ap7q\n",
    "a format in other digits": "handrail-ledger ¹ 3fk2ap7q\n".encode(),
    "no epoch": b"handrail-ledger 1 \n",
    "an epoch in capitals": b"handrail-ledger 1 ABC\n",
    "an epoch too long": b"handrail-ledger 1 " + b"a" * 33 + b"\n",
    "four words": b"handrail-ledger 1 3fk2ap7q x\n",
    "two blanks": b"handrail-ledger  1 3fk2ap7q\n",
    "a byte order mark": b"\xef\xbb\xbf" + FIRST,
    "UTF-16": exported().decode().encode("utf-16"),
    "carriage returns": exported().replace(b"\n", b"\r\n"),
    "a carriage return in the first line": FIRST.replace(b"\n", b"\r\n"),
    "carriage returns after the first line": FIRST
    + exported()[len(FIRST) :].replace(b"\n", b"\r\n"),
    "carriage returns after bare payloads": FIRST + b"{}\t\r\n",
    "a missing tab": exported().replace(b"}\t{", b"}{", 1),
    "a second tab": exported().replace(b"}\t{", b"}\t{\t", 1),
    "a blank line between": exported().replace(b"\n", b"\n\n", 2),
    "a line of text": FIRST + b"hello\n",
    "a line of bytes": FIRST + bytes(range(128, 256)) + b"\n",
    "bytes in a payload": FIRST + b"{}\t\xff\n",
    "a huge line": FIRST + b"x" * 5_000_000,
}


@pytest.mark.parametrize("what", NO_EXPORTS)
def test_what_is_no_export_is_malformed(what: str) -> None:
    with pytest.raises(MalformedLedger) as caught:
        imported(NO_EXPORTS[what])
    assert caught.value.values["file"] == "ledger.txt"
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("rest", [b" 3fk2ap7q", b"", b" any thing \xff else"])
@pytest.mark.parametrize("version", [2, 10, 999_999_999])
def test_an_export_of_a_later_format_says_so(version: int, rest: bytes) -> None:
    with pytest.raises(NewerFormat) as caught:
        imported(b"handrail-ledger %d%b\n{}\t{}\n" % (version, rest))
    assert caught.value.values["found"] == version


@pytest.mark.parametrize("line", [b"\t", b"x\ty", b"{}\t{}", b"[" * 100_000 + b"\t", b"\0\t\0"])
def test_a_line_that_only_looks_like_an_entry_is_found_by_the_verification(line: bytes) -> None:
    problem = verify(imported(FIRST + line + b"\n")).problem
    assert problem is not None
    assert problem.seq == 1
    assert problem.reason.startswith("its header cannot be read")
    assert len(problem.reason) < 200


def survives(export: bytes) -> None:
    """Import and verify whatever this is; only the two errors of an import may come."""
    try:
        entries = imported(export)
    except (MalformedLedger, NewerFormat):
        return
    try:
        report = verify(entries, [GOLDEN_HEAD])
    except NewerFormat:
        return
    assert report.problem is not None or exported()[len(FIRST) :] in export


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_malformed_or_do_not_verify(garbage: bytes, with_first_line: bool) -> None:
    survives(FIRST + garbage if with_first_line else garbage)


@given(
    st.lists(
        st.tuples(st.integers(0, 6_000), st.integers(0, 900), st.sampled_from(PIECES)),
        min_size=1,
        max_size=4,
    )
)
@example([(len(FIRST), 0, b"\t\n")])
def test_a_damaged_export_is_malformed_or_does_not_verify(
    changes: list[tuple[int, int, bytes]],
) -> None:
    export = exported()
    for place, length, piece in changes:
        at = place % (len(export) + 1)
        export = export[:at] + piece + export[at + length :]
    survives(export)


# --- tokens and heads as text --------------------------------------------------------------------


@given(epochs, st.integers(1, 10**18 - 1))
def test_a_token_is_read_as_it_was_written(epoch: str, seq: int) -> None:
    assert parse_token(format_token(epoch, seq)) == (epoch, seq)


@given(epochs, heads)
def test_a_head_is_read_as_it_was_written(epoch: str, head: Head) -> None:
    head = head._replace(seq=head.seq + 1)
    assert parse_head(format_head(epoch, head)) == (epoch, head)


def test_a_token_and_a_head_look_like_this() -> None:
    assert format_token(EPOCH, 41) == "3fk2ap7q:41"
    assert format_head(EPOCH, GOLDEN_HEAD) == f"3fk2ap7q:12:{GOLDEN_HEAD.hash}"


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "3fk2ap7q", "3fk2ap7q:", ":41", "3fk2ap7q:0", "3fk2ap7q:-1", "3fk2ap7q:+1"),
        *("3fk2ap7q:41 ", " 3fk2ap7q:41", "3fk2ap7q:4_1", "3fk2ap7q:٤", "3fk2ap7q:1.0"),
        *("3FK2:41", "3fk-2:41", "é:41", "3fk2ap7q:41:1", "3fk2ap7q::41", "41", "a" * 33 + ":1"),
        *("3fk2ap7q:" + "1" * 19, "3fk2ap7q:0x1", "3fk2ap7q:1\n", "\0:1", "ß:1", "3fk2ap7q:²"),
    ],
)
def test_what_is_no_token_is_malformed(text: str) -> None:
    with pytest.raises(MalformedToken) as caught:
        parse_token(text)
    assert caught.value.values["token"] == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "3fk2ap7q:41", "3fk2ap7q:41:", f"3fk2ap7q:41:{ZEROS[1:]}", f"3fk2ap7q:41:{ZEROS}0"),
        *(f"3fk2ap7q:41:{'A' * 64}", f"3fk2ap7q:0:{ZEROS}", f":41:{ZEROS}", f"41:{ZEROS}"),
        *(ZEROS, f"3fk2ap7q:x:{ZEROS}", f"3fk2ap7q:41:{ZEROS} ", f"3fk2ap7q:41:{'٤' * 64}"),
    ],
)
def test_what_is_no_head_is_malformed(text: str) -> None:
    with pytest.raises(MalformedToken):
        parse_head(text)


@given(st.text(st.characters(), max_size=20))
def test_reading_a_token_or_a_head_never_fails_otherwise(text: str) -> None:
    for read in (parse_token, parse_head):
        with suppress(MalformedToken):
            read(text)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        *(("a", True), ("0", True), ("a" * 32, True), ("a" * 33, False), ("", False)),
        *(("A", False), ("é", False), ("²", False), ("a b", False), ("a-b", False), ("ａ", False)),
    ],
)
def test_an_epoch_is_1_to_32_lower_case_letters_and_digits(text: str, good: bool) -> None:
    assert is_epoch(text) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        *((ZEROS, True), ("0123456789abcdef" * 4, True), (ZEROS[1:], False), (ZEROS + "0", False)),
        *(("A" * 64, False), ("g" * 64, False), ("", False), (None, False), (0, False)),
        (ZEROS.encode(), False),
    ],
)
def test_a_hash_is_64_hex_digits_in_lower_case(text: object, good: bool) -> None:
    assert is_hash(text) is good


def test_the_example_in_the_documentation_holds() -> None:
    done = doctest.testmod(handrail.core.ledger, extraglobs={"StoreCreated": StoreCreated})
    assert (done.attempted > 0, done.failed) == (True, 0)


def test_an_entry_is_decoded_by_its_kind_alone_whatever_names_are_in_it() -> None:
    grant = LeaseGranted("s", None, "local", ".", ("src",), 1, 2, True, ())
    named = Actor('x","kind":"lease.granted",', '"kind":"lease.granted",', None)
    first = seal(GENESIS, "e", 0, named, StoreCreated("w", None), "00")
    second = seal(Head(1, first.hash), "e", 0, Actor(), grant, "00")
    assert read_if(first, "lease.granted") is None
    assert read_if(first, "store.created") == StoreCreated("w", None)
    assert read_if(second, "lease.granted") == grant
    assert read_if(second._replace(payload=None), "lease.granted") is None

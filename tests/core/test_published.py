"""The files of a published ledger: one spelling each way, and nothing else is taken."""

from __future__ import annotations

import doctest
import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handrail.core.published
from handrail.core import published
from handrail.core.events import (
    ConfigApplied,
    Event,
    LeaseGranted,
    LeaseReleased,
    SessionEnded,
    SessionStarted,
    StoreCreated,
)
from handrail.core.lease import LOCAL, Actor
from handrail.core.ledger import GENESIS, Entry, Head
from handrail.core.published import (
    SEGMENT_ENTRIES,
    SMALL_BYTES_MAX,
    CutShort,
    Garbled,
    HeadFile,
    check_format,
    check_link,
    check_state,
    epoch_of,
    format_text,
    head_text,
    parse_checkpoint,
    parse_head,
    parse_segment,
    render_checkpoint,
    render_head,
    segment_name,
    segment_of,
    signed_bytes,
    split,
)
from handrail.core.state import State, evolve, left_of
from tests.core import makers
from tests.core.makers import EPOCH, HOUR, NOW, SECOND, a_lease, a_ledger, a_session

A: Final = "a" * 64
B: Final = "b" * 64
AT: Final = Head(SEGMENT_ENTRIES, A)
KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=="
HEAD: Final = f"handrail-head 1 {EPOCH}:5:{A}\ncheckpoint 0 {B}\n"


# ---------------------------------------------------------------------------------- where and what


@pytest.mark.parametrize(
    ("ref", "epoch"),
    [
        ("refs/handrail/ledger/3fk2", "3fk2"),
        ("refs/heads/handrail/ledger/3fk2", "3fk2"),
        ("refs/remotes/origin/handrail/ledger/3fk2", "3fk2"),
        ("refs/remotes/handrail/ledger/3fk2", None),
        ("refs/remotes/a/b/handrail/ledger/3fk2", None),
        ("refs/tags/handrail/ledger/3fk2", None),
        ("refs/heads/main", None),
        ("refs/handrail/ledgers", None),
    ],
)
def test_a_ref_that_may_hold_a_ledger_names_its_epoch(ref: str, epoch: str | None) -> None:
    assert epoch_of(ref) == epoch


def test_the_format_names_the_epoch_and_nothing_else_will_do() -> None:
    assert format_text("3fk2") == b"handrail-ledger-ref 1 3fk2\n"
    check_format(b"handrail-ledger-ref 1 3fk2\n", "3fk2")
    bad = {
        b"handrail-ledger-ref 1 3fk3\n": "it is the ledger of epoch 3fk3",
        b"handrail-ledger-ref 2 3fk2\n": "format 2, and this Handrail reads 1",
        b"handrail-ledger-ref 1 3fk2": "is none",
        b"handrail-ledger-ref 01 3fk2\n": "is none",
        b"handrail-ledger-ref 1 3fk2 more\n": "is none",
        b"handrail-ledger-ref 1 NONE\n": "no epoch",
        b"handrail-ledger 1 3fk2\n": "is none",
        b"handrail-ledger-ref 1 3fk2\n\n": "is none",
        b"": "is none",
        b"\n": "is none",
        b"x" * SMALL_BYTES_MAX + b"\n": "has more than",
    }
    for data, reason in bad.items():
        with pytest.raises(Garbled, match=reason):
            check_format(data, "3fk2")


# -------------------------------------------------------------------------------------------- heads


def test_a_head_is_two_lines_and_a_signature_is_over_these_behind_their_purpose() -> None:
    text = head_text(EPOCH, Head(5, A), 0, B)
    assert text == HEAD.encode()
    assert signed_bytes(text) == b"handrail ledger head\n" + text
    file = HeadFile(EPOCH, Head(5, A), 0, B, KEY, b"s" * 64)
    assert file.signed == signed_bytes(text)
    assert render_head(file)[: len(text)] == text
    assert render_head(file)[len(text) :].startswith(f"key {KEY}\nsignature c3Nz".encode())


hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
keys = st.from_regex(r"[a-z0-9@.-]{1,40} [A-Za-z0-9+/=]{1,400}", fullmatch=True)
signatures = st.none() | st.tuples(keys, st.binary(min_size=1, max_size=100))


@given(st.integers(1, 10**15), hashes, hashes, signatures)
def test_a_head_is_read_as_it_was_written(
    seq: int, digest: str, checkpoint: str, signed: tuple[str, bytes] | None
) -> None:
    full = seq - seq % SEGMENT_ENTRIES
    file = HeadFile(EPOCH, Head(seq, digest), full, checkpoint, *(signed or ()))
    assert parse_head(render_head(file)) == file


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is none"),
        (HEAD + "\n", "is none"),
        (HEAD + "key x y\n", "is none"),
        (HEAD.replace(" 1 ", " 2 "), "format 2, and this Handrail reads 1"),
        (HEAD.replace("handrail-head", "head"), "is none"),
        (HEAD.replace(":5:", ":05:"), "not written as"),
        (HEAD.replace(":5:", ":0:"), "names no entry"),
        (HEAD.replace(":5:", ":4097:"), "names no checkpoint after entry 4096"),
        (HEAD.replace(f"{EPOCH}:", ""), "names no entry"),
        (HEAD.replace("checkpoint 0", "checkpoint 1"), "names no checkpoint after entry 0"),
        (HEAD.replace("checkpoint 0", "checkpoint 00"), "names no checkpoint after entry 0"),
        (HEAD.replace("checkpoint 0", "checkpoint"), "names no checkpoint"),
        (HEAD.replace("checkpoint 0", "other 0"), "names no checkpoint"),
        (HEAD.replace(B, B.upper()), "names no checkpoint"),
        (HEAD.replace(B, f"{B} x"), "not written as"),
        (HEAD + f"key {KEY}\nsignature !!!!\n", "no Base64"),
        (HEAD + f"key {KEY}\nsignature QQ\n", "no Base64"),
        (HEAD + f"key {KEY}\nsignature QR==\n", "not written as"),
        (HEAD + f"key {KEY} comment\nsignature QQ==\n", "not written as"),
        (HEAD + "key AAAA\nsignature QQ==\n", "not written as"),
        (HEAD + f"other {KEY}\nsignature QQ==\n", "not written as"),
        (HEAD + f"key {KEY}\nother QQ==\n", "not written as"),
        (HEAD + f"signature QQ==\nkey {KEY}\n", "no Base64|not written as"),
        (HEAD.replace("\n", "\r\n"), "names no|none"),
        (HEAD + f"key ssh-ed25519 {'A' * SMALL_BYTES_MAX}\nsignature QQ==\n", "has more than"),
    ],
)
def test_what_is_no_head_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(Garbled, match=reason):
        parse_head(text.encode())


def spellings(data: bytes) -> st.SearchStrategy[bytes]:
    """Give what comes of some bytes by one change."""
    places = st.integers(0, len(data))
    cut = st.tuples(places, places, st.binary(max_size=2))
    return cut.map(lambda c: data[: min(c[:2])] + c[2] + data[max(c[:2]) :])


SIGNED: Final = render_head(HeadFile(EPOCH, Head(5, A), 0, B, KEY, b"s" * 64))


@given(spellings(SIGNED) | st.binary(max_size=300))
def test_a_head_has_one_spelling(data: bytes) -> None:
    try:
        file = parse_head(data)
    except Garbled:
        return
    assert render_head(file) == data


# ----------------------------------------------------------------------------------------- segments


def a_long_ledger(entries: int) -> list[Entry]:
    """Give entries that a segment takes for entries."""
    return [Entry(seq, b'{"v":1}', b"{}" if seq % 3 else None) for seq in range(1, entries + 1)]


@pytest.mark.parametrize("count", [1, 4095, 4096, 4097, 8192, 8193])
def test_a_ledger_is_split_into_full_segments_and_a_rest(count: int) -> None:
    entries = a_long_ledger(count)
    files = list(split(entries))
    assert [name for name, _ in files] == [f"{n:08d}" for n in range(1, segment_of(count) + 1)]
    sizes = [data.count(b"\n") for _, data in files]
    assert sizes[:-1] == [SEGMENT_ENTRIES] * (len(files) - 1)
    assert sum(sizes) == count
    read = [parse_segment(data, number, count) for number, (_, data) in enumerate(files, 1)]
    assert [entry for part in read for entry in part] == entries


def test_the_rows_of_a_segment_are_those_of_an_export() -> None:
    entries = [Entry(1, b'{"v":1}', b'{"a":2}'), Entry(2, b'{"v":1}', None)]
    assert list(split(entries)) == [("00000001", b'{"v":1}\t{"a":2}\n{"v":1}\t\n')]


def test_segments_that_are_full_need_not_be_written_again() -> None:
    entries = a_long_ledger(SEGMENT_ENTRIES + 2)
    assert list(split(entries[SEGMENT_ENTRIES:])) == list(split(entries))[1:]
    with pytest.raises(AssertionError, match="begins where"):
        list(split(entries[1:]))


def test_entries_are_counted_into_segments() -> None:
    assert [segment_of(seq) for seq in (0, 1, 4096, 4097)] == [0, 1, 1, 2]
    assert segment_name(20_000) == "00020000"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a\tb\nc\td", "something else"),
        (b"a\tb\nc d\n", "something else"),
        (b"a\tb\nc\td\te\n", "something else"),
        (b"a\tb\tc\nd\n", "something else"),
        (b"a\tb\r\nc\td\n", "something else"),
        ("a\tb\nc\té\n".encode(), "something else"),
        (b"a\tb\n\n", "something else"),
        (b"\0" * 100, "something else"),
        (b"", "something else"),
        (b"a\tb\nc\td\ne\tf\n", "holds more than its head says"),
    ],
)
def test_what_is_no_segment_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Garbled, match=reason) as refused:
        parse_segment(data, 1, 2)
    assert not isinstance(refused.value, CutShort)


def test_a_segment_that_ends_too_early_is_told_apart() -> None:
    with pytest.raises(CutShort, match="00000001 ends at entry 1, its head is 2"):
        parse_segment(b"a\tb\n", 1, 2)
    with pytest.raises(CutShort, match="ends at entry 1, its head is 9000"):
        parse_segment(b"a\tb\n", 1, 9_000)


# ------------------------------------------------------------------------------------------ links


CHAIN: Final = a_ledger([(Actor(), StoreCreated(f"w{number}", None)) for number in range(6)])


def head_of(seq: int) -> Head:
    return GENESIS if seq == 0 else Head(seq, CHAIN[seq - 1].hash)


def test_a_part_of_a_chain_leads_from_head_to_head() -> None:
    for first in range(7):
        for last in range(first, 7):
            check_link(CHAIN[first:last], EPOCH, head_of(first), head_of(last))
    bare = [CHAIN[3]._replace(payload=None)]
    check_link(bare, EPOCH, head_of(3), head_of(4))


@pytest.mark.parametrize(
    ("entries", "epoch", "reason"),
    [
        (CHAIN[2:4], EPOCH, "do not lead to its head, entry 5"),
        (CHAIN[2:6], EPOCH, "do not lead to its head, entry 5"),
        ([], EPOCH, "do not lead"),
        (CHAIN[3:5], EPOCH, "entry 4 is not linked"),
        ([CHAIN[2], CHAIN[4]], EPOCH, "entry 5 is not linked"),
        (CHAIN[2:5], "other", "entry 3 is not linked"),
        ([CHAIN[2]._replace(payload=b"{}"), *CHAIN[3:5]], EPOCH, "entry 3 is not linked"),
        ([CHAIN[2]._replace(header=b"{}"), *CHAIN[3:5]], EPOCH, "entry 3 cannot be read"),
        (
            [CHAIN[2]._replace(header=CHAIN[2].header.replace(b'"v":1', b'"v":9'))],
            EPOCH,
            "entry 3 cannot be read",
        ),
    ],
)
def test_a_part_of_a_chain_that_is_broken_is_refused(
    entries: list[Entry], epoch: str, reason: str
) -> None:
    with pytest.raises(Garbled, match=reason):
        check_link(entries, epoch, head_of(2), head_of(5))


# -------------------------------------------------------------------------------------- checkpoints


tokens = st.integers(min_value=1, max_value=12)
names = st.sampled_from(["s-1", "s-2", "s-\udcff"])
changes: st.SearchStrategy[Event] = st.one_of(
    makers.events,
    makers.events_of(LeaseGranted),
    makers.events_of(LeaseGranted),
    makers.events_of(ConfigApplied),
    st.builds(LeaseReleased, tokens, st.just("released")),
    st.builds(SessionStarted, names, names, st.none() | names, names, st.just("0" * 64)),
    st.builds(SessionEnded, names, st.just("ended")),
)
histories = st.lists(st.tuples(makers.actors, changes), max_size=20)


def fold(history: list[tuple[Actor, Event]]) -> State:
    state = State()
    for number, (actor, change) in enumerate(history, 1):
        state = evolve(state, number, NOW + number * SECOND, actor, change)
    return state


def a_state() -> State:
    state = State()
    state.put_config("blob", "text = 'é'\n", 2)
    state.put_session(a_session("s-2"))
    state.put_session(a_session("s-1", role="website"))
    state.put_session(a_session("gone")._replace(ended_at=NOW))
    state.put_lease(a_lease(7, "s-1", "src/api", "*.md", role="website", kind=LOCAL, lasting=False))
    state.put_lease(a_lease(3, "s-2", "docs/**", expires_at=NOW + HOUR))
    return state


def held(state: State) -> tuple[Any, ...]:
    live = {name: session for name, session in state.sessions.items() if session.live}
    return state.leases, live, state.config


@given(histories)
def test_a_checkpoint_is_read_as_it_was_written(history: list[tuple[Actor, Event]]) -> None:
    state = fold(history)
    at, found = parse_checkpoint(render_checkpoint(EPOCH, AT, state), EPOCH)
    assert at == AT
    assert held(found) == held(state)
    nothing = vars(State())
    others = vars(found).keys() - {"leases", "sessions", "config"}
    assert {name: vars(found)[name] for name in others} == {name: nothing[name] for name in others}


def test_a_checkpoint_tells_who_holds_what_a_row_a_line() -> None:
    data = render_checkpoint(EPOCH, AT, a_state())
    first, *rows = data.decode("ascii").splitlines()
    assert first == f"handrail-checkpoint 1 {EPOCH}:4096:{A}"
    begun = NOW - HOUR
    assert [json.loads(row) for row in rows] == [
        ["config", "blob", "text = 'é'\n", 2],
        ["session", "s-1", "agent-s-1", "website", "tree-1", begun, "0" * 64],
        ["session", "s-2", "agent-s-2", None, "tree-1", begun, "0" * 64],
        [
            *("lease", 3, "s-2", "agent-s-2", None, "exclusive", "tree-1", ["docs/**"]),
            *(NOW - 60_000, HOUR, NOW + HOUR, True),
        ],
        [
            *("lease", 7, "s-1", "agent-s-1", "website", "local", "tree-1", ["src/api", "*.md"]),
            *(NOW - 60_000, HOUR, NOW - 60_000 + HOUR, False),
        ],
    ]


def test_equal_states_give_equal_bytes() -> None:
    one, other = a_state(), a_state()
    other.leases = dict(reversed(other.leases.items()))
    other.sessions = dict(reversed(other.sessions.items()))
    other.put_session(a_session("gone too")._replace(ended_at=NOW))
    other.put_attestation("c", 5)
    assert other.config is not None
    other.config = other.config._replace(compiled=b"x")
    assert render_checkpoint(EPOCH, AT, one) == render_checkpoint(EPOCH, AT, other)


def test_before_the_first_segment_is_full_the_checkpoint_is_empty() -> None:
    assert render_checkpoint(EPOCH, GENESIS, State()) == b""
    at, state = parse_checkpoint(b"", EPOCH)
    assert (at, held(state)) == (GENESIS, ({}, {}, None))


WHOLE: Final = render_checkpoint(EPOCH, AT, a_state())


def rows(change: Callable[[list[Any]], object]) -> bytes:
    """Change the parsed rows of a checkpoint and write them again."""
    first, *lines = WHOLE.decode().splitlines()
    parsed = [json.loads(line) for line in lines]
    change(parsed)
    told = [json.dumps(row, separators=(",", ":")) for row in parsed]
    return ("\n".join([first, *told]) + "\n").encode()


def putting(row: int, column: int, value: object) -> bytes:
    return rows(lambda parsed: parsed[row].__setitem__(column, value))


def test_the_rows_of_these_tests_are_written_as_the_core_writes_them() -> None:
    assert rows(lambda parsed: None) == WHOLE


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\n", "is none"),
        (b"x", "is none"),
        (WHOLE[:-1], "not written as"),
        (WHOLE + b"\n", "no JSON"),
        (WHOLE.replace(b" 1 ", b" 2 "), "format 2, and this Handrail reads 1"),
        (WHOLE.replace(A.encode(), b"a"), "names no entry"),
        (WHOLE.replace(EPOCH.encode(), b"other"), "not written as"),
        (WHOLE.replace(b"text", "é".encode()), "none, or too large"),
        (WHOLE.replace(b'["config', b'["conf'), "belongs to no table"),
        (WHOLE.replace(b'["config', b'[["config"]'), "no JSON|no table"),
        (WHOLE + b"[]\n", "belongs to no table"),
        (WHOLE + b"{}\n", "belongs to no table"),
        (WHOLE + b'"lease"\n', "belongs to no table"),
        (WHOLE + b"[" * 100_000 + b"\n", "no JSON"),
        (WHOLE + b"[" + b"1" * 5_000 + b"]\n", "no JSON|no table"),
        (WHOLE + b'["orphan",1]\n', "belongs to no table"),
        (rows(lambda parsed: parsed.reverse()), "not written as"),
        (rows(lambda parsed: parsed.append(parsed[-1])), "not written as"),
        (rows(lambda parsed: parsed.append(parsed[0])), "not written as"),
        (rows(lambda parsed: parsed[0].append(1)), "belongs to no table"),
        (rows(lambda parsed: parsed[0].pop()), "belongs to no table"),
        (putting(0, 3, -1), "out of all bounds"),
        (putting(0, 3, True), "belongs to no table"),
        (putting(0, 2, None), "belongs to no table"),
        (putting(1, 5, 1.5), "belongs to no table"),
        (putting(1, 5, float("nan")), "belongs to no table"),
        (putting(1, 5, 1 << 62), "out of all bounds"),
        (putting(1, 3, ["website"]), "belongs to no table"),
        (putting(3, 1, 1 << 62), "out of all bounds"),
        (putting(3, 8, -1), "out of all bounds"),
        (putting(3, 9, 1 << 62), "out of all bounds"),
        (putting(3, 10, 1 << 62), "out of all bounds"),
        (putting(3, 5, "shared"), "is of no kind"),
        (putting(3, 7, [1]), "belongs to no table"),
        (putting(3, 7, ["/etc"]), "a scope that is none"),
        (putting(3, 7, ["../x"]), "a scope that is none"),
        (putting(3, 7, ["*" * 1_000]), "a scope that is none"),
        (WHOLE.replace(b'"blob"', b'"\\u0062lob"'), "not written as"),
        (WHOLE.replace(b'"blob"', b' "blob"'), "not written as"),
    ],
)
def test_what_is_no_checkpoint_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Garbled, match=reason):
        parse_checkpoint(data, EPOCH)


@given(spellings(WHOLE) | st.binary(max_size=300))
def test_a_checkpoint_has_one_spelling(data: bytes) -> None:
    try:
        at, state = parse_checkpoint(data, EPOCH)
    except Garbled:
        return
    assert render_checkpoint(EPOCH, at, state) == data


def test_a_checkpoint_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "CHECKPOINT_BYTES_MAX", len(WHOLE))
    parse_checkpoint(WHOLE, EPOCH)
    monkeypatch.setattr(published, "CHECKPOINT_BYTES_MAX", len(WHOLE) - 1)
    with pytest.raises(Garbled, match="too large"):
        parse_checkpoint(WHOLE, EPOCH)


FILE_NAMES: Final = st.text(
    st.characters(categories=["L", "M", "N", "P", "S", "Z", "C"], exclude_characters="/\0"),
    min_size=1,
    max_size=12,
).filter(lambda name: name not in (".", ".."))


@given(st.lists(FILE_NAMES, min_size=1, max_size=4).map("/".join))
def test_a_lease_over_any_file_that_was_adopted_is_in_order(path: str) -> None:
    left = left_of(a_lease(1, "s-1", "**"), ((path, "blob"),), 2)
    state = a_state()
    state.put_lease(a_lease(9, "s-1", "**")._replace(patterns=left.patterns))
    check_state(state)
    assert held(parse_checkpoint(render_checkpoint(EPOCH, AT, state), EPOCH)[1]) == held(state)


def test_a_name_that_is_no_normal_form_is_kept_as_it_is() -> None:
    decomposed = "e\u0301/x"
    left = left_of(a_lease(1, "s-1", "**"), ((decomposed, "blob"),), 2)
    assert [pattern.text for pattern in left.patterns] == [decomposed]
    state = State()
    state.put_lease(a_lease(9, "s-1", "**")._replace(patterns=left.patterns))
    assert held(parse_checkpoint(render_checkpoint(EPOCH, AT, state), EPOCH)[1]) == held(state)


def test_the_examples_in_its_documentation_hold() -> None:
    assert doctest.testmod(handrail.core.published).failed == 0

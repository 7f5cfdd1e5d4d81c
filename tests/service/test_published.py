"""Which ledgers that came through git refs are believed, and by which name others are refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.config.records import Epoch
from handrail.core.events import (
    CommitAttested,
    ConfigApplied,
    Event,
    LeaseGranted,
    LeaseReleased,
    PayloadRedacted,
    SessionEnded,
    SessionStarted,
    StoreCreated,
)
from handrail.core.lease import LOCAL, Actor
from handrail.core.ledger import GENESIS, Entry, Head, seal
from handrail.core.published import Garbled, check_link, parse_checkpoint, render_checkpoint
from handrail.core.state import State, replay
from handrail.core.written import Written
from handrail.facts.published import open_published
from handrail.service import published
from handrail.service.published import (
    FORKED,
    MALFORMED,
    REWRITTEN,
    TRUNCATED,
    UNENROLLED,
    UNSIGNED,
    Published,
    live_state,
    read_live,
    read_published,
)
from tests.core import makers
from tests.core.makers import EPOCH, HOUR, NOW, SECOND, a_ledger
from tests.published_support import (
    BRANCH,
    EMPTY,
    FULL,
    REF,
    TRACKING,
    Key,
    Shelf,
    check,
    files,
    head_lines,
    head_name,
    segments,
    signed,
)
from tests.support import Repo

ADA: Final = Key("ada")
BOB: Final = Key("bob")
HERS: Final = Actor("s-1", "claude@web", "website")
ENROLLED: Final = (Epoch(EPOCH, f"{ADA.public} ada@laptop", "ada-laptop"),)
OTHER: Final = "other1"


def history_of(count: int, salt: str = "") -> list[tuple[Actor, Event]]:
    """Give a history in which leases come and go."""
    made: list[tuple[Actor, Event]] = [
        (Actor(), StoreCreated(f"w{salt}", None)),
        (Actor(), ConfigApplied("blob", "text", "terminal")),
        (HERS, SessionStarted("s-1", "claude@web", "website", "tree-1", "0" * 64)),
    ]
    for number in range(len(made) + 1, count + 1):
        grant = LeaseGranted(
            *("s-1", "website", LOCAL, "tree-1", (f"src/f{number}",), HOUR, NOW + HOUR, True, ())
        )
        attested = CommitAttested(f"c{number}", "t", ("p",), 1, "h", ((number - 1, NOW),))
        made.append((HERS, (grant, attested, LeaseReleased(number - 2, "released"))[number % 3]))
    return made[:count]


@cache
def a_chain(count: int, salt: str = "", epoch: str = EPOCH) -> tuple[Entry, ...]:
    """Give a ledger; those of one salt are beginnings of each other."""
    return tuple(a_ledger(history_of(count, salt), epoch=epoch))


ENTRIES: Final = a_chain(12)
"""Nobody needs a full segment for most questions."""


def continued(entries: Sequence[Entry], count: int, salt: str) -> list[Entry]:
    """Let a ledger go on in a way of its own."""
    longer = list(entries)
    for number in range(count):
        before = Head(longer[-1].seq, longer[-1].hash)
        event = StoreCreated(f"{salt}{number}", None)
        longer.append(seal(before, EPOCH, NOW + HOUR, Actor(), event, "00"))
    return longer


@pytest.fixture
def shelf(repo: Repo) -> Shelf:
    return Shelf(repo, ADA)


def read(shelf: Shelf, **asked: Any) -> list[Published]:
    with open_published(str(shelf.repo.path)) as source:
        return read_published(source, ENROLLED, check, **asked)


def the_row(shelf: Shelf, **asked: Any) -> Published:
    (row,) = read(shelf, **asked)
    assert (row.ledger is None) == (row.fault is not None) == bool(row.reason)
    return row


def entries_of(row: Published) -> list[Entry]:
    assert row.ledger is not None, (row.fault, row.reason)
    return list(row.ledger.entries())


# ------------------------------------------------------------------------------ what is believed


def test_a_ledger_whose_head_is_signed_and_whose_chain_holds_is_believed(shelf: Shelf) -> None:
    tip = shelf.put(REF, ENTRIES)
    row = the_row(shelf)
    assert (row.epoch, row.ref, row.tip, row.passed_over) == (EPOCH, REF, tip, ())
    assert entries_of(row) == list(ENTRIES)
    assert row.ledger is not None
    assert row.ledger.epoch == EPOCH
    assert row.ledger.head == Head(12, ENTRIES[-1].hash)
    assert [entry.seq for entry in row.ledger.attestations_of("c10")] == [10]


def test_where_there_are_no_refs_there_are_no_rows(shelf: Shelf) -> None:
    assert read(shelf) == []


@pytest.mark.parametrize("count", [FULL - 1, FULL, FULL + 1, 2 * FULL + 5])
def test_a_ledger_of_several_segments_is_believed_as_a_whole(shelf: Shelf, count: int) -> None:
    chain = a_chain(2 * FULL + 5)
    shelf.put(REF, chain[:10])
    shelf.put(REF, chain[: count - 1])
    shelf.put(REF, chain[:count])
    assert entries_of(the_row(shelf)) == list(chain[:count])


def test_a_history_of_many_syncs_is_believed(shelf: Shelf) -> None:
    for count in range(1, 13):
        shelf.put(REF, ENTRIES[:count])
    shelf.put(REF, ENTRIES)  # a sync that had nothing new
    assert entries_of(the_row(shelf)) == list(ENTRIES)


def test_redacted_payloads_are_believed_where_the_ledger_says_so(shelf: Shelf) -> None:
    whole = a_ledger([*history_of(4), (Actor(), PayloadRedacted(2, "a secret"))])
    whole[1] = whole[1]._replace(payload=None)
    shelf.put(REF, whole)
    assert entries_of(the_row(shelf)) == whole


def test_the_longest_of_several_refs_counts_if_the_others_are_its_beginnings(
    shelf: Shelf,
) -> None:
    for ref in (REF, BRANCH, TRACKING):
        for longest in (REF, BRANCH, TRACKING):
            shelf.put(longest, ENTRIES[: 12 if longest == ref else 5], parents=[])
        row = the_row(shelf)
        assert (row.ref, len(entries_of(row))) == (ref, 12)


def test_of_refs_that_hold_the_same_the_ledger_ref_is_named(shelf: Shelf) -> None:
    tip = shelf.put(BRANCH, ENTRIES)
    shelf.repo.git("update-ref", TRACKING, tip)
    assert the_row(shelf).ref == BRANCH
    assert the_row(shelf, proposed={REF: tip}).ref == REF
    shelf.repo.git("update-ref", REF, tip)
    assert the_row(shelf).ref == REF


def test_what_is_about_to_be_pushed_is_read_in_place_of_what_is_there(shelf: Shelf) -> None:
    old = shelf.put(REF, ENTRIES[:5])
    new = shelf.put(REF, ENTRIES)
    shelf.repo.git("update-ref", REF, old)
    row = the_row(shelf, proposed={REF: new, "refs/heads/main": new})
    assert (row.tip, len(entries_of(row))) == (new, 12)
    assert read(shelf, proposed={REF: None}) == []
    assert the_row(shelf, proposed={BRANCH: new}).ref == BRANCH
    assert the_row(shelf, proposed={BRANCH: "1" * 40}).fault == MALFORMED
    assert len(entries_of(the_row(shelf))) == 5


def test_the_ledger_of_the_store_here_may_be_ahead_or_behind(shelf: Shelf) -> None:
    shelf.put(REF, ENTRIES[:8])
    for count in (5, 8, 12):
        row = the_row(shelf, own=Written(EPOCH, ENTRIES[:count]))
        assert len(entries_of(row)) == 8
    assert len(entries_of(the_row(shelf, own=Written(OTHER, a_chain(9, "x", OTHER))))) == 8


# --------------------------------------------------------------------------------- what is wrong

Put = Callable[[Shelf], object]


def changing(change: Callable[[dict[str, bytes]], object], count: int = 12) -> Put:
    """Put a ledger whose files were changed after its head was signed."""
    return lambda shelf: shelf.put(REF, a_chain(count), change=change)


def replacing(name: str, old: bytes, new: bytes) -> Put:
    def change(content: dict[str, bytes]) -> None:
        assert old in content[name]
        content[name] = content[name].replace(old, new, 1)

    return changing(change)


def head_as(text: bytes, key: Key | None = ADA) -> Put:
    return changing(lambda c: c.update(head=text if key is None else signed(text, key)))


def named_by(subject: str) -> Put:
    return lambda shelf: shelf.put(REF, ENTRIES, subject=subject)


def after(*before: Sequence[Entry]) -> Put:
    """Put a ledger on top of others that its ref held before."""

    def put(shelf: Shelf) -> None:
        for entries in (*before, ENTRIES):
            shelf.put(REF, entries)

    return put


def with_entries(entries: Sequence[Entry], named: Sequence[Entry] = ENTRIES) -> Put:
    """Put other entries behind the signed head of a ledger."""

    def change(content: dict[str, bytes]) -> None:
        content.update(segments(entries))

    return lambda shelf: shelf.put(REF, named, change=change)


def changed_entry(header: bytes, payload: bytes | None) -> list[Entry]:
    """Give the ledger with another entry 6."""
    return [*ENTRIES[:5], Entry(6, header, payload), *ENTRIES[6:]]


def merged(shelf: Shelf) -> None:
    shelf.put(BRANCH, ENTRIES[:3])
    shelf.put(REF, ENTRIES[:4])
    parents = [shelf.repo.git("rev-parse", ref) for ref in (REF, BRANCH)]
    shelf.repo.git("update-ref", "-d", BRANCH)
    shelf.put(REF, ENTRIES, parents=parents)


def a_newer_entry() -> list[Entry]:
    header = ENTRIES[11].header.replace(b'{"v":1,', b'{"v":2,')
    return [*ENTRIES[:11], Entry(12, header, ENTRIES[11].payload)]


def not_to_a_commit(kind: str) -> Put:
    def put(shelf: Shelf) -> None:
        tip = shelf.put(REF, ENTRIES)
        tree = shelf.repo.git("rev-parse", f"{tip}^{{tree}}")
        shelf.repo.git("tag", "-a", "-m", "x", "t", tip)
        tag = shelf.repo.git("rev-parse", "t")
        found = {"blob": shelf.blob(b"x"), "tree": tree, "tag": tag}[kind]
        shelf.repo.git("update-ref", REF, found)

    return put


def unreadable_history(shelf: Shelf) -> None:
    first = shelf.put(REF, ENTRIES[:3])
    shelf.put(REF, ENTRIES)
    (shelf.repo.path / ".git" / "objects" / first[:2] / first[2:]).unlink()


def unreadable_segment(shelf: Shelf) -> None:
    shelf.put(REF, ENTRIES)
    blob = shelf.repo.git("rev-parse", f"{REF}:segments/00000001")
    (shelf.repo.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()


def two(one: Sequence[Entry], other: Sequence[Entry], second: str = BRANCH) -> Put:
    def put(shelf: Shelf) -> None:
        shelf.put(REF, one)
        shelf.put(second, other)

    return put


LINES: Final = head_lines(ENTRIES)
SIXTH: Final = ENTRIES[5]
OTHERS: Final = a_chain(12, "other")
REWRITTEN_FROM_6: Final = continued(ENTRIES[:5], 7, "rewritten")

FAULTS: Final[dict[str, tuple[Put, str, str]]] = {
    # --- malformed: garbage, too big, of another kind
    "a branch of work": (
        lambda shelf: shelf.repo.git("update-ref", REF, "HEAD"),
        *(MALFORMED, "its files are not those of a ledger"),
    ),
    "a ref to a blob": (not_to_a_commit("blob"), MALFORMED, "it holds no commit"),
    "a ref to a tree": (not_to_a_commit("tree"), MALFORMED, "it holds no commit"),
    "a ref to a tag": (not_to_a_commit("tag"), MALFORMED, "it holds no commit"),
    "the ledger of another epoch": (
        lambda shelf: Shelf(shelf.repo, ADA, OTHER).put(REF, a_chain(9, "", OTHER)),
        *(MALFORMED, "it is the ledger of epoch other1"),
    ),
    "the head of another epoch": (
        head_as(head_lines(a_chain(9, "", OTHER), epoch=OTHER)),
        *(MALFORMED, "its head is of epoch other1"),
    ),
    "entries of another epoch": (
        lambda shelf: shelf.put(REF, a_chain(9, "", OTHER)),
        *(MALFORMED, "its entries are of epoch other1"),
    ),
    "a format of nobody's": (replacing("format", b"ref", b"fer"), MALFORMED, "format is none"),
    "a newer format": (
        replacing("format", b" 1 ", b" 2 "),
        *(MALFORMED, "has format 2, and this Handrail reads 1"),
    ),
    "a head of nobody's": (head_as(b"rubbish\n", None), MALFORMED, "its file head is none"),
    "a head of bytes": (head_as(b"\0\xff" * 50, None), MALFORMED, "its file head is none"),
    "an empty head": (head_as(b"", None), MALFORMED, "its file head is none"),
    "a head that is too large": (
        head_as(b"x" * 20_000, None),
        *(MALFORMED, "its head has more than 16384 bytes"),
    ),
    "another checkpoint": (
        changing(lambda content: content.update(checkpoint=b"[]\n")),
        *(MALFORMED, "its checkpoint is not the one that its head names"),
    ),
    "segments of rubbish": (
        changing(lambda content: content.update({"segments/00000001": b"rubbish\n" * 12})),
        *(MALFORMED, "holds something else than entries"),
    ),
    "an empty segment": (
        changing(lambda content: content.update({"segments/00000001": b""})),
        *(MALFORMED, "holds something else than entries"),
    ),
    "more entries than its head says": (
        with_entries(a_chain(13)),
        *(MALFORMED, "holds more than its head says"),
    ),
    "more segments than its head says": (
        changing(lambda content: content.update({"segments/00000002": b"{}\t{}\n"})),
        *(MALFORMED, "it has more segments than its head says"),
    ),
    "an entry of a later format": (
        lambda shelf: shelf.put(REF, a_newer_entry()),
        *(MALFORMED, "newer|format 2"),
    ),
    "a segment that is missing": (unreadable_segment, MALFORMED, "00000001 is missing"),
    "a commit that names no head": (
        named_by("sync"),
        *(MALFORMED, "a commit of its history names no head"),
    ),
    "a commit that names it otherwise": (
        named_by(f"head {head_name(ENTRIES)}"),
        *(MALFORMED, "is not one of this ledger"),
    ),
    "a commit that names another epoch": (
        named_by(f"ledger {head_name(ENTRIES, OTHER)}"),
        *(MALFORMED, "is not one of this ledger"),
    ),
    "a commit that names an older head": (
        named_by(f"ledger {head_name(ENTRIES[:5])}"),
        *(MALFORMED, "names another head than the file in it"),
    ),
    "a commit that names a newer head": (
        named_by(f"ledger {head_name(a_chain(20))}"),
        *(MALFORMED, "names another head than the file in it"),
    ),
    "a history of two lines": (merged, MALFORMED, "has two parents"),
    "a history that is not all here": (unreadable_history, MALFORMED, "not all here"),
    "a history on top of work": (
        lambda shelf: shelf.put(
            REF, ENTRIES, parents=[shelf.repo.git("rev-parse", "refs/heads/main")]
        ),
        *(MALFORMED, "names no head"),
    ),
    # --- unsigned: none, bad, or by another key
    "no signature": (head_as(LINES, None), UNSIGNED, "its head has no signature"),
    "a signature by another key": (
        lambda shelf: Shelf(shelf.repo, BOB).put(REF, ENTRIES),
        *(UNSIGNED, "by another key than the enrolled one"),
    ),
    "a signature by another key under the enrolled name": (
        head_as(signed(LINES, BOB).replace(BOB.public.encode(), ADA.public.encode()), None),
        *(UNSIGNED, "not one by the enrolled key"),
    ),
    "a signature over an older head": (
        head_as(signed(head_lines(ENTRIES[:5]), ADA).replace(head_lines(ENTRIES[:5]), LINES), None),
        *(UNSIGNED, "not one by the enrolled key"),
    ),
    "a signature over the first line alone": (
        head_as(LINES + signed(LINES.splitlines(True)[0], ADA).split(b"\n", 1)[1], None),
        *(UNSIGNED, "not one by the enrolled key"),
    ),
    "a checkpoint that was changed with its digest": (
        replacing("head", EMPTY.encode(), b"5" * 64),
        *(UNSIGNED, "not one by the enrolled key"),
    ),
    # --- rewritten: the chain is broken, or an older head is not on it
    "an entry changed": (
        with_entries(changed_entry(SIXTH.header.replace(b'"at":17', b'"at":18'), SIXTH.payload)),
        *(REWRITTEN, "entry 6|entry 7"),
    ),
    "an entry garbled": (
        with_entries(changed_entry(b"{}", SIXTH.payload)),
        *(REWRITTEN, "entry 6: its header cannot be read"),
    ),
    "a payload changed": (
        with_entries(changed_entry(SIXTH.header, b"{}")),
        *(REWRITTEN, "entry 6: its payload is not the one"),
    ),
    "a payload taken away": (
        with_entries(changed_entry(SIXTH.header, None)),
        *(REWRITTEN, "entry 6: its payload is gone"),
    ),
    "entries out of their order": (
        with_entries([*ENTRIES[:4], ENTRIES[5], ENTRIES[4], *ENTRIES[6:]]),
        *(REWRITTEN, "entry 5: it is missing or out of its place"),
    ),
    "an entry cut out of the middle": (
        with_entries([*ENTRIES[:4], *ENTRIES[5:], ENTRIES[0]]),
        *(REWRITTEN, "entry 5: it is missing or out of its place"),
    ),
    "the last entries made anew behind a signed head": (
        with_entries(REWRITTEN_FROM_6),
        *(REWRITTEN, "was changed: its hash is not that of the given head"),
    ),
    "made anew and signed, after its own older head": (
        after(REWRITTEN_FROM_6[:8]),
        *(REWRITTEN, "entry 8: .* its hash is not that of the given head"),
    ),
    "another ledger of the key, on top of the one before": (
        after(OTHERS[:2], ENTRIES[:8]),
        *(REWRITTEN, "entry 2: .* its hash is not that of the given head"),
    ),
    # --- truncated: it ends before an older head
    "put back to an older head by a commit on top": (
        after(a_chain(20)),
        *(TRUNCATED, "it ends at entry 12, and its history names entry 20"),
    ),
    "entries cut off behind a signed head": (
        with_entries(ENTRIES[:7]),
        *(TRUNCATED, "00000001 ends at entry 7, its head is 12"),
    ),
    "a segment cut off behind a signed head": (
        changing(lambda content: content.pop("segments/00000002"), FULL + 3),
        *(TRUNCATED, "its entries end at 4096, its head is 4099"),
    ),
    # --- forked: two refs of one epoch of which neither is a beginning of the other
    "two refs that part": (
        two(ENTRIES, REWRITTEN_FROM_6),
        *(FORKED, "have different entries 12"),
    ),
    "two refs that part, one of them longer": (
        two(ENTRIES, REWRITTEN_FROM_6[:9]),
        *(FORKED, "have different entries 9"),
    ),
    "a remote's ref that parts": (
        two(ENTRIES, REWRITTEN_FROM_6, TRACKING),
        *(FORKED, "have different entries 12"),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_with_a_ledger_has_a_name_and_a_reason(shelf: Shelf, name: str) -> None:
    put, fault, reason = FAULTS[name]
    put(shelf)
    row = the_row(shelf)
    assert (row.fault, row.ledger) == (fault, None), row.reason
    assert re.search(reason, row.reason), row.reason
    assert row.epoch == EPOCH
    assert "\n" not in row.reason


def test_a_reason_is_fit_to_be_shown_whatever_it_quotes(shelf: Shelf) -> None:
    hostile = "x\n\x1b[2J\u202e" + "y" * 5_000
    shelf.put(REF, a_ledger([(Actor(), StoreCreated("w", None))], epoch=hostile))
    row = the_row(shelf)
    assert (row.fault, row.reason[:30]) == (MALFORMED, "its entries are of epoch x\\n\\x")
    assert row.reason.isprintable()
    assert len(row.reason) < 500


def test_each_fault_is_shown_here() -> None:
    shown = {fault for _, fault, _ in FAULTS.values()}
    assert shown == {MALFORMED, UNSIGNED, REWRITTEN, TRUNCATED, FORKED}  # and unenrolled, below


def test_a_ledger_of_an_epoch_that_nobody_enrolled_is_named_and_not_read(shelf: Shelf) -> None:
    tip = Shelf(shelf.repo, ADA, OTHER).put(f"refs/handrail/ledger/{OTHER}", a_chain(5, "", OTHER))
    blob = shelf.blob(b"rubbish")
    shelf.repo.git("update-ref", "refs/handrail/ledger/ODD-name", blob)

    class Unread:
        def refs(self) -> list[tuple[str, str]]:
            return source.refs()

        def __getattr__(self, name: str) -> object:
            return pytest.fail(f"{name} was asked")

    with open_published(str(shelf.repo.path)) as source:
        unread: Any = Unread()
        odd, other = read_published(unread, ENROLLED, check)
    assert (other.epoch, other.tip, other.fault) == (OTHER, tip, UNENROLLED)
    assert (odd.epoch, odd.tip, odd.fault) == ("ODD-name", blob, UNENROLLED)
    assert other.reason == "the base enrols no such epoch"


def test_a_bad_ledger_takes_nothing_from_those_of_other_epochs(shelf: Shelf) -> None:
    shelf.put(REF, ENTRIES)
    for number, content in enumerate([b"rubbish", b""]):
        ref = f"refs/handrail/ledger/bad{number}"
        shelf.repo.git("update-ref", ref, shelf.blob(content))
    cycle = shelf.repo.path / ".git" / "refs" / "handrail" / "ledger" / "cycle"
    cycle.write_text("ref: refs/handrail/ledger/cycle\n")
    enrolled = [*ENROLLED, *(Epoch(name, BOB.public, "bob") for name in ("bad0", "bad1", "cycle"))]
    with open_published(str(shelf.repo.path)) as source:
        rows = read_published(source, enrolled, check)
    assert [(row.epoch, row.fault) for row in rows] == [
        *((EPOCH, None), ("bad0", MALFORMED), ("bad1", MALFORMED)),
    ]


def test_each_epoch_is_checked_by_its_own_key(shelf: Shelf) -> None:
    shelf.put(REF, ENTRIES)
    Shelf(shelf.repo, BOB, OTHER).put(f"refs/handrail/ledger/{OTHER}", a_chain(5, "", OTHER))
    for key, faults in ((BOB, [None, None]), (ADA, [None, UNSIGNED])):
        enrolled = [*ENROLLED, Epoch(OTHER, key.public, "bob")]
        with open_published(str(shelf.repo.path)) as source:
            rows = read_published(source, enrolled, check)
        assert [row.fault for row in rows] == faults


@pytest.mark.parametrize(
    ("shared", "fault"),
    [(ENTRIES, FORKED), (REWRITTEN_FROM_6[:7], None), (REWRITTEN_FROM_6[:9], None)],
)
def test_a_ledger_that_parts_from_the_store_here_is_forked(
    shelf: Shelf, shared: Sequence[Entry], fault: str | None
) -> None:
    shelf.put(REF, shared)
    row = the_row(shelf, own=Written(EPOCH, REWRITTEN_FROM_6[:8]))
    assert row.fault == fault
    assert fault is None or row.reason == "it and this store have different entries 8"


# ------------------------------------------------------------------------ the refs of remotes


@pytest.mark.parametrize(
    "name",
    [
        *("a branch of work", "segments of rubbish", "a history that is not all here"),
        *("no signature", "a signature by another key"),
        *("an entry changed", "made anew and signed, after its own older head"),
        *("put back to an older head by a commit on top", "entries cut off behind a signed head"),
    ],
)
def test_what_is_wrong_with_a_remotes_ref_takes_no_ledger_away(shelf: Shelf, name: str) -> None:
    FAULTS[name][0](shelf)
    bad = shelf.repo.git("rev-parse", REF)
    shelf.repo.git("update-ref", TRACKING, bad)
    shelf.repo.git("update-ref", "-d", REF)
    alone = the_row(shelf)
    assert (alone.ref, alone.fault) == (TRACKING, FAULTS[name][1])
    shelf.put(REF, ENTRIES[:4])
    row = the_row(shelf)
    assert (row.ref, row.passed_over) == (REF, (TRACKING,))
    assert entries_of(row) == list(ENTRIES[:4])


def test_a_remotes_ref_that_is_longer_counts(shelf: Shelf) -> None:
    shelf.put(TRACKING, ENTRIES)
    shelf.put(REF, ENTRIES[:4])
    assert (the_row(shelf).ref, len(entries_of(the_row(shelf)))) == (TRACKING, 12)


def test_a_remotes_ref_with_another_history_is_passed_over(shelf: Shelf) -> None:
    shelf.put(REF, ENTRIES)
    shelf.put(TRACKING, REWRITTEN_FROM_6[:7])
    shelf.put(TRACKING, ENTRIES[:9])
    row = the_row(shelf)
    assert (row.fault, row.passed_over) == (None, (TRACKING,))
    shelf.repo.git("update-ref", BRANCH, TRACKING)
    assert the_row(shelf).fault == REWRITTEN
    assert the_row(shelf).ref == BRANCH


def test_very_many_refs_of_one_epoch_are_not_all_looked_at(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "REFS_MAX", 2)
    shelf.put(REF, ENTRIES)
    for number in range(1, 4):
        ref = TRACKING.replace("origin", f"remote{number}")
        shelf.put(ref, ENTRIES[:number])
    row = the_row(shelf)
    assert len(entries_of(row)) == 12
    assert [ref.split("/")[2] for ref in row.passed_over] == ["remote2", "remote3"]


# -------------------------------------------------------------------------------- who holds what


def held(state: State) -> tuple[Any, ...]:
    """Give what a checkpoint keeps of a state."""
    live = {name: session for name, session in state.sessions.items() if session.live}
    return state.leases, live, state.config


def checkpoint_rows(chain: Sequence[Entry]) -> list[str]:
    """Write the rows of the checkpoint of a ledger by hand."""
    state = replay(chain[: len(chain) // FULL * FULL])
    rows: list[list[object]] = []
    if state.config is not None:
        rows.append(["config", *state.config[:3]])
    for name in sorted(state.sessions):
        session = state.sessions[name]
        rows.append(["session", *session[:5], session.secret_hash])
    for token in sorted(state.leases):
        lease = state.leases[token]
        scope = [pattern.text for pattern in lease.patterns]
        rows.append(["lease", *lease[:6], scope, *lease[7:]])
    return [json.dumps(row, separators=(",", ":")) for row in rows]


def live(shelf: Shelf) -> Published:
    with open_published(str(shelf.repo.path)) as source:
        (row,) = read_live(source, ENROLLED, check)
    assert (row.live is None) == (row.fault is not None) == bool(row.reason)
    return row


@pytest.mark.parametrize("count", [3, 12, FULL - 1, FULL, FULL + 1, FULL + 12, 2 * FULL + 5])
def test_who_holds_what_is_told_by_the_checkpoint_and_what_comes_after(
    shelf: Shelf, count: int
) -> None:
    chain = a_chain(2 * FULL + 5)[:count]
    tip = shelf.put(REF, chain, *checkpoint_rows(chain))
    row = live(shelf)
    assert row.live is not None, row.reason
    assert (row.epoch, row.ref, row.tip, row.ledger) == (EPOCH, REF, tip, None)
    assert row.live.head == Head(count, chain[-1].hash)
    assert held(row.live.state) == held(replay(chain))


def test_only_the_checkpoint_and_what_comes_after_it_are_read(shelf: Shelf) -> None:
    chain = a_chain(2 * FULL + 5)
    rubbish = {"segments/00000001": b"rubbish", "segments/00000002": b"rubbish"}
    rows = checkpoint_rows(chain)
    shelf.put(REF, chain, *rows, change=lambda content: content.update(rubbish))
    row = live(shelf)
    assert row.live is not None
    assert held(row.live.state) == held(replay(chain))
    assert the_row(shelf).fault == MALFORMED


def test_the_longest_of_several_refs_tells_who_holds_what(shelf: Shelf) -> None:
    shelf.put(BRANCH, ENTRIES)
    shelf.put(REF, ENTRIES[:4])
    assert live(shelf).ref == BRANCH
    shelf.put(REF, REWRITTEN_FROM_6, parents=[])
    row = live(shelf)
    assert (row.fault, row.reason) == (*(FORKED, f"it and {REF} have different entries 12"),)


def no_rows(content: dict[str, bytes]) -> None:
    """Let the checkpoint be rubbish, and the head name it for what it is."""
    resigned(content, b"rubbish\n")


def resigned(content: dict[str, bytes], point: bytes) -> None:
    content["checkpoint"] = point
    content["head"] = signed(head_lines(a_chain(FULL + 3), point), ADA)


def other_place(content: dict[str, bytes]) -> None:
    chain = a_chain(FULL + 3)
    at = Head(FULL - 1, chain[FULL - 2].hash)
    resigned(content, render_checkpoint(EPOCH, at, State()))


def other_chain(content: dict[str, bytes]) -> None:
    resigned(content, render_checkpoint(EPOCH, Head(FULL, "a" * 64), State()))


def other_epoch(content: dict[str, bytes]) -> None:
    chain = a_chain(FULL + 3)
    resigned(content, render_checkpoint(OTHER, Head(FULL, chain[FULL - 1].hash), State()))


def cut(content: dict[str, bytes]) -> None:
    content["segments/00000002"] = content["segments/00000002"].split(b"\n")[0] + b"\n"


def garbled(content: dict[str, bytes]) -> None:
    content["segments/00000002"] = content["segments/00000002"].replace(b'"at":17', b'"at":18', 1)


LIVE_FAULTS: Final[dict[str, tuple[Callable[[dict[str, bytes]], object], str, str]]] = {
    "rubbish": (no_rows, MALFORMED, "its file checkpoint is none"),
    "nothing": (lambda c: resigned(c, b""), MALFORMED, "after another entry than its head says"),
    "another place": (other_place, MALFORMED, "after another entry than its head says"),
    "another chain": (other_chain, MALFORMED, "entry 4097 is not linked to the one before it"),
    "another epoch": (other_epoch, MALFORMED, "is not written as"),
    "another checkpoint": (
        lambda c: c.update(checkpoint=b"x"),
        *(MALFORMED, "its checkpoint is not the one that its head names"),
    ),
    "entries cut off": (cut, TRUNCATED, "ends at entry 4097, its head is 4099"),
    "entries changed": (garbled, MALFORMED, "not linked|do not lead"),
    "no signature": (
        lambda c: c.update(head=head_lines(a_chain(FULL + 3), c["checkpoint"])),
        *(UNSIGNED, "its head has no signature"),
    ),
}


@pytest.mark.parametrize("name", LIVE_FAULTS)
def test_who_holds_what_is_not_told_by_what_does_not_fit(shelf: Shelf, name: str) -> None:
    change, fault, reason = LIVE_FAULTS[name]
    chain = a_chain(FULL + 3)
    shelf.put(REF, chain, *checkpoint_rows(chain), change=change)
    row = live(shelf)
    assert row.fault == fault, row.reason
    assert re.search(reason, row.reason), row.reason


def test_who_holds_what_in_an_epoch_that_nobody_enrolled_is_not_told(shelf: Shelf) -> None:
    shelf.put(REF, ENTRIES)
    with open_published(str(shelf.repo.path)) as source:
        (row,) = read_live(source, [], check)
    assert (row.fault, row.live) == (UNENROLLED, None)


tokens = st.integers(min_value=1, max_value=12)
names = st.sampled_from(["s-1", "s-2"])
changes: st.SearchStrategy[Event] = st.one_of(
    makers.events,
    makers.events_of(LeaseGranted),
    makers.events_of(ConfigApplied),
    st.builds(LeaseReleased, tokens, st.just("released")),
    st.builds(SessionStarted, names, names, st.none() | names, names, st.just("0" * 64)),
    st.builds(SessionEnded, names, st.just("ended")),
)
histories = st.lists(st.tuples(makers.actors, changes), max_size=20)


@given(histories, st.integers(0, 20))
def test_wherever_a_checkpoint_stands_what_comes_after_gives_the_same(
    history: list[tuple[Actor, Event]], place: int
) -> None:
    chain = a_ledger(history)
    before, tail = chain[:place], chain[place:]
    at = Head(before[-1].seq, before[-1].hash) if before else GENESIS
    found, state = parse_checkpoint(render_checkpoint(EPOCH, at, replay(before)), EPOCH)
    assert found == at
    assert held(live_state(state, tail)) == held(replay(chain))
    if tail:
        check_link(tail, EPOCH, at, Head(tail[-1].seq, tail[-1].hash))


def test_a_state_is_left_as_it_was_and_what_is_no_event_is_refused() -> None:
    before = replay(ENTRIES[:4])
    kept = held(before.copy())
    assert held(live_state(before, ENTRIES[4:])) != kept
    assert held(before) == kept
    for header, payload in ((b"{}", b"{}"), (ENTRIES[3].header, b"{}"), (b"x", None)):
        with pytest.raises(Garbled, match="entry 9 cannot be read"):
            live_state(State(), [Entry(9, header, payload)])
    hostile = LeaseGranted(*("s", None, LOCAL, "t", ("*" * 500,), HOUR, NOW + SECOND, True, ()))
    with pytest.raises(Garbled, match="a scope that is none"):
        live_state(State(), a_ledger([(HERS, hostile)]))


# ------------------------------------------------------------------------------------ a fresh clone


@contextmanager
def cloned(shelf: Shelf, folder: Path, *refspecs: str) -> Iterator[Shelf]:
    """Give a clone that fetched these refs and nothing else."""
    clone = Repo(folder)
    folder.mkdir()
    clone.git("init", "--quiet")
    clone.git("fetch", "--quiet", str(shelf.repo.path), *refspecs)
    yield Shelf(clone, ADA)
    shutil.rmtree(folder)


def test_a_fresh_clone_reads_what_was_pushed(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(REF, ENTRIES[:4])
    tip = shelf.put(REF, ENTRIES)
    for specs in (
        ["refs/handrail/ledger/*:refs/handrail/ledger/*"],
        [f"{REF}:{BRANCH}"],
        ["refs/handrail/ledger/*:refs/remotes/origin/handrail/ledger/*"],
    ):
        with cloned(shelf, tmp_path / "clone", *specs) as clone:
            row = the_row(clone)
            assert (row.tip, entries_of(row)) == (tip, list(ENTRIES))
    with cloned(shelf, tmp_path / "clone", "--depth=1", f"{REF}:{REF}") as clone:
        row = the_row(clone)
        assert (row.fault, "not all here" in row.reason) == (MALFORMED, True)
        assert live(clone).fault is None


def test_the_files_that_these_tests_write_are_those_of_the_format() -> None:
    content = files(a_chain(FULL + 1), ADA)
    assert sorted(content) == [
        *("checkpoint", "format", "head", "segments/00000001", "segments/00000002"),
    ]

"""The rows of required reading: what asks, what counts, what a receipt for other bytes does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handrail.core.handed import ReadingAsked, ReadingDone
from handrail.core.reading import (
    CLAIMED,
    READ,
    ToRead,
    asked,
    awaited,
    done,
    must_read,
    source_of_packet,
    source_of_role,
    unread,
)

ROLE = source_of_role("maker")
PACKET = source_of_packet("fix", 2)
NAMES = st.sampled_from(["a.md", "b.md", "docs/c.md"])
BYTES = st.sampled_from(["1" * 64, "2" * 64, "3" * 64])
SOURCES = st.sampled_from([ROLE, source_of_role("tester"), PACKET, source_of_packet("fix", 3)])
ASKED = st.builds(
    ReadingAsked,
    session=st.just("s-1"),
    source=SOURCES,
    binds=st.booleans(),
    documents=st.dictionaries(NAMES, BYTES | st.just(""), max_size=3).map(
        lambda named: tuple(
            (path, digest, "", "" if digest else "it is not there")
            for path, digest in named.items()
        )
    ),
)
DONE = st.builds(
    ReadingDone,
    session=st.just("s-1"),
    how=st.sampled_from([READ, CLAIMED]),
    receipts=st.lists(st.tuples(NAMES, BYTES, st.just("")), max_size=3).map(tuple),
)


def ask(source: str, *documents: tuple[str, str], binds: bool = True) -> ReadingAsked:
    rows = tuple((path, digest, "", "" if digest else "it is gone") for path, digest in documents)
    return ReadingAsked("s-1", source, binds, rows)


def read(*documents: tuple[str, str], how: str = READ) -> ReadingDone:
    return ReadingDone("s-1", how, tuple((path, digest, "") for path, digest in documents))


def names(rows: tuple[ToRead, ...]) -> list[str]:
    return [row.path for row in rows]


def test_a_receipt_for_other_bytes_does_not_count() -> None:
    rows = asked((), ask(ROLE, ("a.md", "1"), ("b.md", "2")))
    assert names(unread(rows)) == ["a.md", "b.md"]
    assert done(rows, read(("a.md", "2"), ("c.md", "1"))) == rows
    rows = done(rows, read(("a.md", "1")))
    assert names(unread(rows)) == ["b.md"]
    assert done(rows, read(("a.md", "1"), how=CLAIMED)) == rows, "the first receipt stays"


def test_what_was_read_stays_read_while_the_same_asks_and_else_only_for_the_same_bytes() -> None:
    rows = done(asked((), ask(ROLE, ("a.md", "1"))), read(("a.md", "1")))
    again = asked(rows, ask(ROLE, ("a.md", "9")))
    assert again == rows, "a file that changed since re-opens nothing"
    assert unread(asked(rows, ask(PACKET, ("a.md", "1")))) == ()
    assert names(unread(asked(rows, ask(PACKET, ("a.md", "9"))))) == ["a.md"]


def test_what_was_not_read_is_bound_to_what_it_is_when_it_is_asked_for_again() -> None:
    rows = asked(asked((), ask(ROLE, ("a.md", "1"))), ask(ROLE, ("a.md", "2")))
    assert names(unread(done(rows, read(("a.md", "1"))))) == ["a.md"]
    assert unread(done(rows, read(("a.md", "2")))) == ()


def test_another_role_asks_in_the_place_of_the_former_and_beside_a_packet() -> None:
    rows = asked((), ask(ROLE, ("a.md", "1"), ("b.md", "1")))
    rows = asked(done(rows, read(("b.md", "1"))), ask(PACKET, ("docs/c.md", "1")))
    rows = asked(rows, ask(source_of_role("tester")))
    assert names(unread(rows)) == ["docs/c.md"]
    assert names(rows) == ["b.md", "docs/c.md"], "what was read is remembered"
    rows = asked(rows, ask(source_of_packet("fix", 4), ("d.md", "1")))
    assert names(unread(rows)) == ["d.md"], "a task goes on by its newest packet"
    rows = asked(rows, ask(source_of_packet("more", 2), ("e.md", "1")))
    assert names(unread(rows)) == ["d.md", "e.md"], "another task is no way around it"


def test_a_packet_that_waits_binds_nobody_and_what_is_read_for_it_counts() -> None:
    rows = asked((), ask(PACKET, ("a.md", "1"), binds=False))
    assert unread(rows) == ()
    assert names(awaited(rows)) == ["a.md"]
    assert names(unread(asked(rows, ask(PACKET, ("a.md", "1"))))) == ["a.md"]
    rows = done(rows, read(("a.md", "1")))
    assert unread(asked(rows, ask(PACKET, ("a.md", "1")))) == ()
    assert names(unread(asked(rows, ask(PACKET, ("a.md", "2"))))) == ["a.md"]


def test_a_document_that_is_not_there_binds_nobody() -> None:
    rows = asked((), ask(ROLE, ("gone.md", ""), ("a.md", "1")))
    assert names(unread(rows)) == ["a.md"]
    assert done(rows, read(("gone.md", "")))[0].how == "", "and nobody can have read it"


@given(st.lists(ASKED | DONE, max_size=12))
def test_reading_ends_by_receipts_for_just_the_bytes_that_are_asked_for(
    events: list[ReadingAsked | ReadingDone],
) -> None:
    rows: tuple[ToRead, ...] = ()
    for event in events:
        before = unread(rows)
        rows = asked(rows, event) if isinstance(event, ReadingAsked) else done(rows, event)
        assert len(names(rows)) == len(set(names(rows))), "a document has one row"
        if isinstance(event, ReadingDone):
            gone = {row[:2] for row in before} - {row[:2] for row in unread(rows)}
            assert gone <= {(path, digest) for path, digest, _ in event.receipts}
        elif event.binds:
            wanted = {(path, digest) for path, digest, _, fault in event.documents if not fault}
            read_before = {row.path for row in rows if row.how}
            left = {row[:2] for row in unread(rows)}
            assert {row for row in wanted if row[0] not in read_before} <= left
        else:
            assert unread(rows) == before
    receipts = tuple((row.path, row.digest, "") for row in unread(rows))
    assert unread(done(rows, ReadingDone("s-1", READ, receipts))) == ()


def test_the_refusal_names_every_document_and_shows_it() -> None:
    paths = [f"docs/{number}.md" for number in range(40)]
    rows = asked((), ask(ROLE, *((path, "1") for path in paths), ("-x y.md", "1")))
    rows = (*rows, ToRead("old.md", "1", "c" * 40, "", PACKET))
    refusal = must_read("s-1", rows)
    assert refusal.code == "reading_required"
    assert all(path in refusal.message for path in (*paths, "-x y.md", "old.md"))
    assert refusal.next is not None
    look, _, claim = refusal.next.partition("; handrail reading done ")
    assert all(path in claim for path in paths)
    assert f"git show {'c' * 40}:old.md" in look
    assert "'./-x y.md'" in claim

"""Required reading as rows: what a session has to have read before it writes, and what it has.

Promises: a document is bound to the digest of its bytes when it was asked for, and a receipt for
other bytes changes nothing; what was read stays read while the same source asks for it, whatever
becomes of the file; a document that could not be bound to bytes (``fault`` says why) binds nobody.
While any document that binds is unread, no path may be written, whatever is held.

Not promised: that who read it understood it.

    rows = asked((), ReadingAsked("s-1", "role maker", True, (("AGENTS.md", "9f2c…", "", ""),)))
    unread(done(rows, ReadingDone("s-1", "read", (("AGENTS.md", "9f2c…", ""),))))   # ()
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from handrail import errors
from handrail.core.handed import ReadingAsked, ReadingDone
from handrail.core.record import Record
from handrail.text import shell_quote
from handrail.typed import Final, Protocol

READ: Final = "read"
LOADED: Final = "loaded"
GIVEN: Final = "given"
CLAIMED: Final = "claimed"
HOW: Final[dict[str, str]] = {
    READ: "read with the harness's tool",
    LOADED: "loaded by the harness as instructions",
    GIVEN: "given when the session began",
    CLAIMED: "claimed",
}
"""How a document came to be read: the first three a hook saw, the last somebody typed."""

DOCUMENTS_MAX: Final = 64
"""Documents of one source that bind."""


class ToRead(Record):
    """A document that ``source`` asks for, and the ``digest`` of its bytes when it was asked for.

    ``commit`` holds the bytes where the working tree did not; '' for both where ``fault`` says why
    it could not be bound. ``binds``: nothing is written before it was read; else it belongs to a
    packet that only waits. ``how`` is a key of HOW, '' while it is unread.
    """

    path: str
    digest: str
    commit: str
    fault: str
    source: str
    binds: bool = True
    how: str = ""


class Document(Record):
    """A document as somebody found it: the ``digest`` of its bytes, or the ``fault`` in the way.

    ``commit`` holds the bytes where the working tree does not; ``text`` is there if it is short.
    """

    path: str
    digest: str = ""
    commit: str = ""
    fault: str = ""
    text: str = ""


class Tables(Protocol):
    """The part of ``core.state.Tables`` that reading needs."""

    def reading(self, session: str) -> tuple[ToRead, ...]:
        """Return what a session has to read, in the order in which it was asked for."""

    def put_reading(self, session: str, rows: tuple[ToRead, ...]) -> None:
        """Put this in its place, and let the guard know what may be written then."""


def source_of_role(role: str) -> str:
    """Return the name of what asks where a role does."""
    return f"role {role}"


def source_of_packet(task: str, number: int) -> str:
    """Return the name of what asks where a packet does."""
    return f"packet {task}-{number:03d}"


def awaited(rows: Iterable[ToRead]) -> tuple[ToRead, ...]:
    """Return the documents whose reading would count, whether they bind yet or not."""
    return tuple(row for row in rows if not (row.how or row.fault))


def unread(rows: Iterable[ToRead]) -> tuple[ToRead, ...]:
    """Return the documents that stand between a session and its first edit."""
    return tuple(row for row in awaited(rows) if row.binds)


def asked(rows: Sequence[ToRead], event: ReadingAsked) -> tuple[ToRead, ...]:
    """Return the rows after something asked for documents.

    A packet that only waits takes nobody's place. Else what the same role or task asked for before
    and was not read is asked for no longer.
    """
    known = {row.path: row for row in rows}
    fresh = [
        ToRead(*document, source=event.source, binds=event.binds) for document in event.documents
    ]
    if not event.binds:
        return (*rows, *(row for row in fresh if row.path not in known))
    named = {row.path for row in fresh}
    place = _place(event.source)
    kept = [
        row
        for row in rows
        if row.path not in named and (_place(row.source) != place or (row.how and row.binds))
    ]
    return (*kept, *(_again(known.get(row.path), row) for row in fresh))


def _again(before: ToRead | None, row: ToRead) -> ToRead:
    """Return a document that is asked for again: what was read of the same bytes is read."""
    if before is None or not before.how:
        return row
    if before.source == row.source and before.binds:
        return before
    return row._replace(how=before.how) if before.digest == row.digest else row


def _place(source: str) -> str:
    """Return what only one source at a time fills: the role, or the packet of a task."""
    kind = source.partition(" ")[0]
    return kind if kind == "role" else source.rpartition("-")[0]


def done(rows: Sequence[ToRead], event: ReadingDone) -> tuple[ToRead, ...]:
    """Return the rows after a receipt; one for other bytes changes nothing."""
    read = {(path, digest) for path, digest, _ in event.receipts}
    return tuple(
        row._replace(how=event.how)
        if not (row.how or row.fault) and (row.path, row.digest) in read
        else row
        for row in rows
    )


def followed(tables: Tables, change: ReadingAsked | ReadingDone) -> None:
    """Let an event about reading act on the tables."""
    before = tables.reading(change.session)
    if isinstance(change, ReadingAsked):
        after = asked(before, change)
    else:
        after = done(before, change)
    if after != before:
        tables.put_reading(change.session, after)


def must_read(session: str, rows: Sequence[ToRead]) -> errors.Refused:
    """Return the refusal of whoever has these documents still to read."""
    from handrail.errors.handoff import ReadingRequired

    return ReadingRequired(
        session=session,
        paths=tuple(row.path for row in rows),
        sources=tuple(dict.fromkeys(row.source for row in rows)),
        next=next_step(rows),
    )


def next_step(rows: Sequence[ToRead]) -> str:
    """Return the command that shows these documents, wherever it is run, and then claims them."""
    here = _words([row.path for row in rows if not row.commit])
    shown = [f"cat {here}"] if here else []
    shown += [f"git show {shell_quote(f'{r.commit}:{r.path}')}" for r in rows if r.commit]
    look = f'(cd "$(git rev-parse --show-toplevel)" && {"; ".join(shown)})'
    return f"{look}; handrail reading done {_words([row.path for row in rows])}"


def _words(paths: Sequence[str]) -> str:
    return " ".join(shell_quote(f"./{path}" if path[0] in "-~" else path) for path in paths)

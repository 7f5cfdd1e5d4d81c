"""A store's ledger written as a commit: what comes after the one before, and its signed head.

Promises: what is written was read from the store in one view and leads without a gap from the head
below it; full segments that stand in the commit below are used again, unless an entry of them was
redacted since: then all is written anew, so that nothing that was taken out comes back. Equal
ledgers on equal commits by equal keys give equal commits, so processes that come together agree.

    Publishing(reader, source, objects).commit(None, signer)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from handrail.core.digest import sha256
from handrail.core.ledger import GENESIS, Entry, Head, format_head, read_header
from handrail.core.published import (
    SEGMENT_ENTRIES,
    Garbled,
    HeadFile,
    Shape,
    check_format,
    check_link,
    format_text,
    parse_checkpoint,
    parse_head,
    render_checkpoint,
    render_head,
    segment_name,
    split,
)
from handrail.core.record import Record
from handrail.core.state import State
from handrail.errors import LedgerBroken
from handrail.service.published import Source, live_state
from handrail.service.remotes import Objects
from handrail.store.port import Reader
from handrail.typed import Final, Protocol

_REDACTED: Final = b'"kind":"payload.redacted"'


class Signer(Protocol):
    """Signs with the key of a store."""

    @property
    def public_key(self) -> str:
        """The public half, as a line of an SSH public key file without a comment."""

    def sign(self, text: bytes) -> bytes:
        """Return the signature over a text."""


class Tip(Record):
    """A commit of a ledger; ``ours`` if it stood in our own ref, so that its files are ours."""

    commit: str
    file: HeadFile
    shape: Shape
    ours: bool


def opened(source: Source, commit: str, epoch: str, *, ours: bool = False) -> Tip:
    """Read the small files of a commit; raises Garbled."""
    shape = source.shape(commit)
    check_format(shape.format, epoch)
    file = parse_head(shape.head)
    if file.epoch != epoch:
        raise Garbled(f"its head is of epoch {file.epoch}")
    return Tip(commit, file, shape, ours)


def lies_on(reader: Reader, head: Head) -> bool:
    """Tell whether a head is one of this store's entries."""
    entry = next(reader.entries(head.seq - 1, head.seq), None) if head.seq > 0 else None
    return entry is not None and entry.hash == head.hash


class Publishing:
    """The writing of one commit, from one view of a store."""

    def __init__(
        self,
        reader: Reader,
        source: Source,
        objects: Objects,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._reader = reader
        self._source = source
        self._objects = objects
        self._tell = tell

    def commit(self, below: Tip | None, signer: Signer | None) -> str:
        """Write the store's ledger on top of a commit; returns the id. Raises LedgerBroken.

        ``below`` names an older or the same entry of this ledger.
        """
        epoch, head = self._reader.epoch, self._reader.head
        try:
            segments, checkpoint, digest = self._files(self._usable(below))
        except Garbled:
            segments, checkpoint, digest = self._files(None)  # somebody meddled with our own ref
        file = HeadFile(epoch, head, head.seq - head.seq % SEGMENT_ENTRIES, digest)
        if signer is not None:
            file = file._replace(key=signer.public_key, signature=signer.sign(file.signed))
        folder = self._objects.write_tree(segments, {})
        files = {
            "format": self._objects.write_file(format_text(epoch)),
            "head": self._objects.write_file(render_head(file)),
            "checkpoint": checkpoint,
        }
        tree = self._objects.write_tree(files, {"segments": folder})
        (last,) = self._reader.entries(head.seq - 1, head.seq)
        at_s = max(0, read_header(last.header).at // 1000)
        parent = None if below is None else below.commit
        message = f"ledger {format_head(epoch, head)}\n"
        return self._objects.write_commit(tree, parent, message, at_s)

    def _usable(self, below: Tip | None) -> Tip | None:
        """Return the commit whose full segments may be used again."""
        if below is None or not below.ours:
            return None
        new = self._reader.entries(below.file.head.seq)
        return None if any(_REDACTED in entry.header for entry in new) else below

    def _files(self, kept: Tip | None) -> tuple[dict[str, str], str, str]:
        """Write segments and checkpoint: names and ids, the checkpoint's id, its digest."""
        head = self._reader.head
        full = head.seq // SEGMENT_ENTRIES
        start = kept.file.head.seq // SEGMENT_ENTRIES if kept else 0
        blobs = kept.shape.segments[:start] if kept else ()
        segments = {segment_name(number): blob.id for number, blob in enumerate(blobs, 1)}
        before, state = self._state_at(kept, start, full)
        for part in self._parts(start):
            number = len(segments) + 1
            if number % 16 == 0:
                self._tell(f"writing segment {number} of {full + 1}")
            before = self._checked(part, before)
            ((name, content),) = split(part)
            segments[name] = self._objects.write_file(content)
            if number <= full:
                state = self._carried(state, part)
        if before != head:
            raise LedgerBroken(seq=head.seq, reason="the store's head differs")
        if kept is not None and start == full:
            return segments, kept.shape.checkpoint.id, kept.file.checkpoint_digest
        at = self._head_at(full * SEGMENT_ENTRIES)
        checkpoint = render_checkpoint(self._reader.epoch, at, state)
        digest = sha256(checkpoint).hexdigest()
        return segments, self._objects.write_file(checkpoint), digest

    def _state_at(self, kept: Tip | None, start: int, full: int) -> tuple[Head, State]:
        """Return where to go on from, and who held what there."""
        if kept is None or start == 0:
            return GENESIS, State()
        if start == full:
            return self._head_at(start * SEGMENT_ENTRIES), State()
        (content,) = self._source.contents([kept.shape.checkpoint])
        at, state = parse_checkpoint(content, self._reader.epoch)
        if at != self._head_at(start * SEGMENT_ENTRIES):
            raise Garbled("its checkpoint is after another entry")
        return at, state

    def _head_at(self, seq: int) -> Head:
        entry = next(self._reader.entries(seq - 1, seq), None) if seq else None
        return GENESIS if entry is None else Head(entry.seq, entry.hash)

    def _parts(self, start: int) -> Iterator[Sequence[Entry]]:
        """Yield the entries after some full segments, by segments."""
        remaining = self._reader.entries(start * SEGMENT_ENTRIES)
        while part := list(islice(remaining, SEGMENT_ENTRIES)):
            yield part

    def _checked(self, part: Sequence[Entry], before: Head) -> Head:
        """Return the head after some entries that lead on from another; raises LedgerBroken."""
        after = Head(part[-1].seq, part[-1].hash)
        try:
            check_link(part, self._reader.epoch, before, after)
        except Garbled as error:
            raise LedgerBroken(seq=part[0].seq, reason=str(error)) from error
        return after

    def _carried(self, state: State, part: Sequence[Entry]) -> State:
        """Return who holds what after some entries, without what no checkpoint keeps."""
        try:
            after = live_state(state, part)
        except Garbled as error:
            raise LedgerBroken(seq=part[0].seq, reason=str(error)) from error
        after.attestations.clear()
        after.landings.clear()
        after.orphans.clear()
        return after

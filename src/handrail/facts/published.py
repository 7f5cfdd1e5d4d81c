"""Ledgers that lie in git refs, as git gives them: which there are, their files, their history.

Promises: names of refs are asked of the repository, all else of ``facts.neutral``, so that no
configuration of it has a say; also inside the quarantine of a push. Sizes and counts are looked at
before anything large is read; only plain files at the places of the format are taken. A ref that
holds anything else, or that git cannot read, is Garbled; refs that git itself calls broken (a
symbolic ref to itself, a file of rubbish) are none. What is read is not believed here: see
``handrail.service.published``.

    with open_published(place.toplevel) as published:
        published.shape(published.refs()[0][1]).head
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from handrail.core.published import (
    BRANCHES,
    CHECKPOINT_BYTES_MAX,
    COMMITS_MAX,
    LEDGER_BYTES_MAX,
    LEDGERS,
    SEGMENT_BYTES_MAX,
    SEGMENTS_MAX,
    SMALL_BYTES_MAX,
    TRACKED,
    Blob,
    Garbled,
    Shape,
    segment_name,
)
from handrail.core.record import Record
from handrail.errors import FactsUnavailable
from handrail.facts.git import HEX, ask
from handrail.facts.neutral import Neutral, neutral
from handrail.typed import Final

REFS_MAX: Final = 10_000
BATCH_BYTES_MAX: Final = 128 << 20
"""Of what one git process is asked for: less than what ``facts.neutral`` lets one say."""
LINES_MAX: Final = 1 << 20
"""Of one file: git's answers come by lines, and no file of a ledger has that many."""
ROW_BYTES_MAX: Final = 4_096
ID_CHARS: Final = (40, 64)

_PATTERNS: Final = (f"{LEDGERS}*", f"{BRANCHES}*", f"{TRACKED}*/handrail/ledger/*")
_FILE: Final = (b"100644", b"blob")
_FOLDER: Final = (b"040000", b"tree")
_NAMES: Final = frozenset({b"format", b"head", b"checkpoint", b"segments"})


class _Row(Record):
    """One entry of a tree."""

    form: tuple[bytes, bytes]
    id: str
    size: bytes
    name: bytes


class PublishedRefs:
    """The ledgers of one repository; one of these for one reading."""

    def __init__(self, folder: str, git: Neutral) -> None:
        self._folder = folder
        self._git = git

    def refs(self) -> list[tuple[str, str]]:
        """Return (ref, object id) wherever a ledger may lie; raises FactsUnavailable."""
        words = ["for-each-ref", f"--count={REFS_MAX + 1}", "--format=%(refname)%00%(objectname)"]
        lines = ask(self._folder, [*words, *_PATTERNS]).decode("utf-8", "surrogateescape")
        rows = [line.partition("\0")[::2] for line in lines.split("\n") if line]
        if len(rows) > REFS_MAX:
            raise FactsUnavailable(what="the ledger refs", reason=f"there are more than {REFS_MAX}")
        return rows

    def shape(self, tip: str) -> Shape:
        """Return what lies in a commit, without its large files; raises Garbled."""
        self._check_commit(tip)
        top = {row.name: row for row in self._tree(tip, len(_NAMES))}
        if top.keys() != _NAMES:
            raise Garbled("its files are not those of a ledger")
        small = [_blob(top[name], SMALL_BYTES_MAX) for name in (b"format", b"head")]
        checkpoint = _blob(top[b"checkpoint"], CHECKPOINT_BYTES_MAX)
        if top[b"segments"].form != _FOLDER:
            raise Garbled("its segments are no folder")
        segments = self._segments(top[b"segments"].id)
        if checkpoint.bytes + sum(segment.bytes for segment in segments) > LEDGER_BYTES_MAX:
            raise Garbled(f"its files have more than {LEDGER_BYTES_MAX} bytes")
        format_file, head = self.contents(small)
        return Shape(format_file, head, checkpoint, segments)

    def _check_commit(self, tip: str) -> None:
        if len(tip) not in ID_CHARS or not HEX.issuperset(tip):
            raise Garbled("it names no object")
        try:
            said = self._git.ask(["cat-file", "--batch-check"], f"{tip}\n".encode("ascii"))
        except FactsUnavailable as error:
            raise _unreadable(error) from error
        kind = said.split(b" ")[1:2]
        if kind != [b"commit"]:
            gone = b"missing" in said
            raise Garbled("the commit that it names is missing" if gone else "it holds no commit")

    def _segments(self, tree: str) -> tuple[Blob, ...]:
        segments = []
        for number, row in enumerate(self._tree(tree, SEGMENTS_MAX), 1):
            if row.name != segment_name(number).encode("ascii"):
                raise Garbled("a file among its segments is none, or one before it is missing")
            segments.append(_blob(row, SEGMENT_BYTES_MAX))
        return tuple(segments)

    def _tree(self, tree: str, most: int) -> list[_Row]:
        """List a tree, not what lies in folders below; stops reading where it is too large."""
        rows: list[bytes] = []
        rest = b""
        try:
            for piece in self._git.stream(["ls-tree", "-z", "-l", "--full-tree", tree]):
                *whole, rest = (rest + piece).split(b"\0")
                rows += whole
                if len(rows) > most or len(rest) > ROW_BYTES_MAX:
                    raise Garbled("it holds more than a ledger does")
        except FactsUnavailable as error:
            raise _unreadable(error) from error
        return [_row(row) for row in rows]

    def contents(self, blobs: Sequence[Blob]) -> Iterator[bytes]:
        """Yield the contents of files in their order; raises Garbled."""
        batch: list[Blob] = []
        size = 0
        for blob in blobs:
            if size + blob.bytes > BATCH_BYTES_MAX:
                yield from self._read(batch)
                batch, size = [], 0
            batch.append(blob)
            size += blob.bytes
        yield from self._read(batch)

    def _read(self, blobs: Sequence[Blob]) -> Iterator[bytes]:
        if not blobs:
            return
        asked = "".join(f"{blob.id}\n" for blob in blobs).encode("ascii")
        pieces = self._git.stream(["cat-file", "--batch"], asked)
        try:
            for blob in blobs:
                if next(pieces, b"") != f"{blob.id} blob {blob.bytes}\n".encode("ascii"):
                    raise Garbled(f"its file {blob.id} cannot be read")
                parts: list[bytes] = []
                left = blob.bytes + 1
                while left > 0 and len(parts) <= LINES_MAX and (piece := next(pieces, b"")):
                    parts.append(piece)
                    left -= len(piece)
                content = b"".join(parts)
                if left != 0 or not content.endswith(b"\n"):
                    raise Garbled(f"its file {blob.id} cannot be read")
                yield content[:-1]
        except FactsUnavailable as error:
            raise _unreadable(error) from error

    def history(self, tip: str) -> list[str]:
        """Return the subjects of all commits of a ref, newest first; raises Garbled.

        One line of commits is a history of a ledger; where two meet, it is none.
        """
        words = ["log", f"--max-count={COMMITS_MAX + 1}", "--format=%P%x00%s", tip, "--"]
        subjects = []
        try:
            for line in self._git.stream(words):
                parents, found, subject = line.removesuffix(b"\n").partition(b"\0")
                if not found or not line.endswith(b"\n") or len(subject) > ROW_BYTES_MAX:
                    raise Garbled("a commit of its history is not one of a ledger")
                if b" " in parents:
                    raise Garbled("a commit of its history has two parents")
                subjects.append(subject.decode("utf-8", "replace"))
                if len(subjects) > COMMITS_MAX:
                    raise Garbled(f"its history has more than {COMMITS_MAX} commits")
        except FactsUnavailable as error:
            reason = error.values.get("reason")
            raise Garbled(f"its history is not all here ({reason})") from error
        return subjects


def _row(text: bytes) -> _Row:
    """Read ``mode kind id size TAB name``; the size of what git cannot find is no number."""
    about, _, name = text.partition(b"\t")
    words = about.split()
    if len(words) != 4:
        raise Garbled("its tree cannot be read")
    mode, kind, found, size = words
    return _Row((mode, kind), found.decode("ascii", "replace"), size, name)


def _blob(row: _Row, most: int) -> Blob:
    name = row.name.decode("ascii", "replace")
    if row.form != _FILE:
        raise Garbled(f"its {name} is no plain file")
    if not row.size.isdigit():
        raise Garbled(f"its {name} is missing")
    if len(row.size) > len(str(most)) or int(row.size) > most:
        raise Garbled(f"its {name} has more than {most} bytes")
    return Blob(row.id, int(row.size))


def _unreadable(error: FactsUnavailable) -> Garbled:
    return Garbled(f"it cannot be read ({error.values.get('reason')})")


@contextmanager
def open_published(folder: str) -> Iterator[PublishedRefs]:
    """Open what the repository around ``folder`` has of ledgers; raises FactsUnavailable."""
    with neutral(folder) as git:
        yield PublishedRefs(folder, git)

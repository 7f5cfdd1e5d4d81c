"""Merging a projection: what git asks when two branches changed the same file of the kind.

Promises: what somebody wrote on either side is kept, or left in conflict for people to decide; it
becomes an entry before the file is written, as a claim. What Handrail itself wrote on a side says
nothing new. Fields of the tool are as they are now, on neither side. What cannot be read is left to
git, which merges it as text.

    ProjectionMerging(context, merge_text).merge(path, base, ours, theirs)
"""

from __future__ import annotations

from collections.abc import Sequence

from handrail.config import blob_id
from handrail.config.records import ProjectionFile
from handrail.core.events import Event
from handrail.core.projected import READ, ProjectionWritten, RowKept
from handrail.core.record import Record
from handrail.projections.json_merge import BASE, OURS, THEIRS, merged
from handrail.projections.port import Known, Projection, Row
from handrail.projections.registry import PROJECTIONS
from handrail.projections.text_merge import additions_kept
from handrail.service.context import Context
from handrail.service.identity import acting
from handrail.service.known import Here, at_path, has_written, here, is_one_of, known_of
from handrail.service.policy import projections_in_force, rules_in_force
from handrail.service.projecting import edits, with_rows
from handrail.store.port import Reader, Tx
from handrail.typed import Final, Protocol

SIGN_CHARS: Final = 61
"""So long are the signs of a conflict while it is looked at: no text has such."""
SIGN_CHARS_OF_GIT: Final = 7


class MergeText(Protocol):
    """Merges three versions of a text."""

    def __call__(self, ours: bytes, base: bytes, theirs: bytes, *, size: int) -> bytes:
        """Return the text, with signs of this size around conflicts; raises FactsUnavailable."""


class Merged(Record):
    """What is to be in the file, and whether nothing in it is left for people to decide."""

    content: bytes
    clean: bool


class Versions(Record):
    """The three versions of a file."""

    base: bytes
    ours: bytes
    theirs: bytes


class _Undecided(Exception):
    """Both sides changed the same row."""


class ProjectionMerging:
    """The use case of merging a projection."""

    def __init__(self, context: Context, merge_text: MergeText, *, looking: bool = False) -> None:
        """Merge for good, or for somebody who is only ``looking`` at merges of the past."""
        self._context = context
        self._merge_text = merge_text
        self._looking = looking

    def merge(self, path: str, base: bytes, ours: bytes, theirs: bytes) -> Merged | None:
        """Merge the versions of a file; None where it is no projection, or cannot be read.

        Raises UnknownSession and the like where a session is named that is none.
        """
        one = self._configured(path)
        if one is None:
            return None
        projection, versions = PROJECTIONS[one.format], Versions(base, ours, theirs)
        at = here(self._context.outside)
        try:
            if projection.whole:
                return self._by_values(projection, path, at, versions)
            if not projection.by_lines:
                try:
                    return self._by_rows(projection, path, at, versions)
                except _Undecided:
                    pass
            return self._by_lines(projection, path, at, versions)
        except ValueError:
            return None

    def _configured(self, path: str) -> ProjectionFile | None:
        rows = projections_in_force(self._context.store)
        return next((one for one in rows if is_one_of(one, path)), None)

    def _known(self, reader: Reader, path: str, at: Here) -> Known:
        return at_path(reader, known_of(reader, rules_in_force(reader), at), path)

    def _by_rows(self, projection: Projection, path: str, at: Here, versions: Versions) -> Merged:
        """Keep the rows of both sides and write the file anew; raises _Undecided, ValueError."""
        with self._context.store.transaction() as tx:
            known = self._known(tx, path, at)
            rows = _of_both(projection, known, tx, versions)
            return self._entered(tx, projection, known, rows, versions.ours, versions)

    def _by_values(self, projection: Projection, path: str, at: Here, versions: Versions) -> Merged:
        """Merge field by field; fields of the tool are as they are now. Raises ValueError."""
        base, ours, theirs = (text.decode("utf-8") for text in versions)
        with self._context.store.transaction() as tx:
            known = self._known(tx, path, at)
            found = {}
            for side in (OURS, BASE, THEIRS):
                text = merged(base, ours, theirs, side).encode("utf-8", "surrogatepass")
                rows = _changed(projection, known, text, versions.base)
                found[side] = rows, projection.render(with_rows(known, rows), text) or text
            if found[OURS][1] == found[THEIRS][1]:
                return self._entered(tx, projection, known, *found[OURS], versions)
        sides = (found[side][1] for side in (OURS, BASE, THEIRS))
        return Merged(self._merge_text(*sides, size=SIGN_CHARS_OF_GIT), clean=False)

    def _by_lines(self, projection: Projection, path: str, at: Here, versions: Versions) -> Merged:
        """Merge the lines between those of the tool, which are the same in all three versions."""
        with self._context.store.read() as reader:
            known = self._known(reader, path, at)
            same = Versions(*(_as_now(projection, known, reader, text) for text in versions))
        level, sides = projection.level, (same.ours, same.theirs)
        if level is not None:
            same = Versions(*(level(text, sides) if text else text for text in same))
        text = self._merge_text(same.ours, same.base, same.theirs, size=SIGN_CHARS)
        whole = additions_kept(text, SIGN_CHARS)
        if whole is None:
            text = self._merge_text(same.ours, same.base, same.theirs, size=SIGN_CHARS_OF_GIT)
            return Merged(text, clean=False)
        with self._context.store.transaction() as tx:
            known = self._known(tx, path, at)
            rows = _changed(projection, known, whole, versions.base)
            return self._entered(tx, projection, known, rows, whole, versions)

    def _entered(
        self,
        tx: Tx,
        projection: Projection,
        known: Known,
        rows: Sequence[Row],
        before: bytes,
        versions: Versions,
    ) -> Merged:
        """Enter the rows, and write the file from them and from what is known now.

        The bytes are Handrail's own where they follow from the state, or where both sides' were:
        whoever calls this could have put any words between the rows.
        """
        content = projection.render(with_rows(known, rows), before)
        if content is None:
            raise ValueError("there is nothing to show")
        if not self._looking:
            events: list[Event] = [
                RowKept(known.path, row.key, row.record, READ, row.claimed_at) for row in rows
            ]
            ours = all(
                has_written(tx, known.path, side) for side in (versions.ours, versions.theirs)
            )
            ours = ours or projection.render(with_rows(known, rows), None) == content
            if ours and not has_written(tx, known.path, content):
                events.append(ProjectionWritten(known.path, blob_id(content)))
            tx.commit(events, acting(tx, self._context))
        return Merged(content, clean=True)


def _of_both(
    projection: Projection, known: Known, reader: Reader, versions: Versions
) -> tuple[Row, ...]:
    """Return what people wrote in any version and nobody knows; raises _Undecided, ValueError."""
    foreign = (
        []
        if has_written(reader, known.path, versions.base)
        else _read(projection, known, versions.base)
    )
    before = tuple(row for row in foreign if row.key not in known.rows)
    known = with_rows(known, before)
    ours: tuple[Row, ...] = ()
    if not has_written(reader, known.path, versions.ours):
        ours = _changed(projection, known, versions.ours, versions.base)
    known = with_rows(known, ours)
    theirs: tuple[Row, ...] = ()
    if not has_written(reader, known.path, versions.theirs):
        theirs = _changed(projection, known, versions.theirs, versions.base)
    if {row.key for row in theirs} & {row.key for row in ours}:
        raise _Undecided
    return (*before, *ours, *theirs)


def _changed(projection: Projection, known: Known, content: bytes, base: bytes) -> tuple[Row, ...]:
    """Return the rows that a version has and neither the base nor who is known has so."""
    was = {row.key: row.record for row in _read(projection, known, base)}
    read = projection.read(known, content, importing=False)
    return tuple(edits(projection, known, read, was))


def _read(projection: Projection, known: Known, base: bytes) -> tuple[Row, ...]:
    """Read the base; there may be none, or one that was no such file yet."""
    try:
        return projection.read(known, base, importing=False).rows if base else ()
    except ValueError:
        return ()


def _as_now(projection: Projection, known: Known, reader: Reader, text: bytes) -> bytes:
    """Return a version with the fields of the tool as they are now."""
    if not text:
        return text
    rows: tuple[Row, ...] = ()
    if not has_written(reader, known.path, text):
        rows = _read(projection, known, text)
    try:
        return projection.render(with_rows(known, rows), text) or text
    except ValueError:
        return text

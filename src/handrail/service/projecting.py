"""Projections in a working tree: what people wrote is read back, and the files are written anew.

Promises: what only people know becomes an entry, as a claim, before the file is written over; what
they did not touch is nobody's edit, however old the file is; fields of the tool are written over,
and the difference is told. Bytes that Handrail wrote are entered by git's id of them: exactly while
a file has such bytes it is *clean*, and needs no lease. A file that cannot be read as what it
should be stays as it is. Where no projection is configured nothing is asked or read.

    Projecting(context, files).export().written
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from handrail import errors
from handrail.core.events import Event
from handrail.core.projected import IMPORTED, READ
from handrail.core.record import Record
from handrail.projections.port import Known, Projection, Read, Row, Told, told_of_link
from handrail.projections.registry import PROJECTIONS
from handrail.service.context import Context
from handrail.service.identity import acting
from handrail.service.known import Here, at_path, files_of, has_written, here, known_of
from handrail.service.policy import projections_in_force, rules_in_force
from handrail.service.projected_folders import FolderFiles, ProjectedFolders
from handrail.service.projected_rows import (
    ABSENT,
    SAME,
    TOLD_MAX,
    WRITTEN,
    Shown,
    bounded,
    kept_as,
    left,
    unknown,
)
from handrail.store.port import Reader, Tx
from handrail.typed import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from handrail.config.records import ProjectionFile


class ProjectionFiles(FolderFiles, Protocol):
    """The files of a working tree."""

    def below(self, folder: str) -> tuple[str, ...]:
        """Return the files that lie in the folders of a folder, by their paths from it on."""

    def target(self, path: str) -> str | None:
        """Return what a link says; None for what is no link."""

    def link(self, path: str, name: str) -> None:
        """Let a path be a link to the file ``name`` beside it."""


class _Lying(Record):
    """A file as it lies there and, where somebody may have edited it, as HEAD has it."""

    now: bytes | None
    at_head: bytes | None
    error: errors.Unavailable | None = None


class _Draft(Record):
    """What is to be told, entered and written of one projection."""

    shown: Shown
    events: tuple[Event, ...] = ()
    content: bytes | None = None


Judge = Callable[[str | None], str]
"""Says why the work of a task, or of nobody's in particular, is not complete; '' where it is."""


class Projecting:
    """The use cases around projections."""

    def __init__(
        self, context: Context, files: ProjectionFiles, judge: Judge | None = None
    ) -> None:
        """Take who says whether work is complete; without, no file can call it so."""
        self._context = context
        self._store = context.store
        self._files = files
        self._folders = ProjectedFolders(context, files)
        self._judge = judge

    def export(self, *, dry_run: bool = False, only: Sequence[str] = ()) -> tuple[Shown, ...]:
        """Read back what people wrote and write each projection anew; ``only`` some paths.

        Raises UnknownSession and the like where a session is named that is none.
        """
        wanted = self._configured(only)
        shown = self._export(wanted, dry_run=dry_run)
        if not dry_run and self._judge is not None:
            shown = [self._judged(*pair) for pair in zip(wanted, shown, strict=True)]
        return (*shown, *(() if only else self._folders.export(dry_run=dry_run)))

    def _judged(self, one: ProjectionFile, shown: Shown) -> Shown:
        """Ask whether work is complete that a file calls so, now that all files are current."""
        completing = PROJECTIONS[one.format].completing
        if shown.asked is None or self._judge is None or completing is None:
            return shown
        why = self._judge(shown.asked.task)
        if why:
            return shown._replace(told=(*shown.told, completing.told(why)))
        if shown.asked.task is None:
            with self._store.transaction() as tx:
                row = kept_as(one.path, completing.granted(tx.now), READ)
                tx.commit([row], acting(tx, self._context))
        return self._export([one], dry_run=False)[0]._replace(kept=shown.kept)

    def lead_on(self, packets: Sequence[str] = ()) -> tuple[Shown, ...]:
        """Write those projections anew that lead to the newest packet, after an offer.

        ``packets`` are the names of the files of packets that are new.
        """
        formats = [(one.path, PROJECTIONS[one.format]) for one in self._configured(())]
        paths = [path for path, one in formats if one.behind or one.leads or one.spread]
        shown = self.export(only=paths) if paths else ()
        return (*shown, *self._folders.export(packets))

    def into_index(self) -> tuple[Shown, ...]:
        """Write what git tracks anew, and let the commit that is being made have it.

        What somebody changed and did not stage is left to them. Raises FactsUnavailable.
        """
        paths = [one.path for one in self._configured(())]
        settled = self._files.settled(paths) if paths else frozenset()
        folders = self._folders.into_index()
        if not settled:
            return folders
        shown = tuple(self._export(self._configured(sorted(settled)), dry_run=False))
        written = [one for one in shown if one.outcome == WRITTEN]
        behind = [one.behind for one in written if one.behind is not None]
        if written:
            self._files.stage([*(one.path for one in written), *behind])
        return (*shown, *folders)

    def import_all(self, *, dry_run: bool = False) -> tuple[Shown, ...]:
        """Enter the history in the files of another system, once for each file.

        A file of which rows are kept already was imported before.
        """
        rows = projections_in_force(self._store)
        found = [file for one in rows for file in lying(self._files, one)]
        shown = (self._import(one, dry_run=dry_run) for one in found)
        return (*shown, *self._folders.import_all(dry_run=dry_run))

    def _configured(self, only: Sequence[str]) -> list[ProjectionFile]:
        """Return the files of projections; ``only`` those at, or in folders at, some paths."""
        rows = projections_in_force(self._store)
        if any(PROJECTIONS[one.format].spread is not None for one in rows):
            with self._store.read() as reader:
                known = known_of(reader, rules_in_force(reader), Here("", None))
            rows = tuple(files_of(known, rows, self._context.outside.is_folder))
        return [one for one in rows if not only or one.path in only]

    # --- writing ----------------------------------------------------------------------------------

    def _export(self, wanted: Sequence[ProjectionFile], *, dry_run: bool) -> list[Shown]:
        """Write projections anew, all from what is known at one moment."""
        if not wanted:
            return []
        try:
            here_now = here(self._context.outside)
        except errors.Unavailable as error:
            return [left(one, error.code, error.message) for one in wanted]
        with self._store.read() as reader:
            # What a link leads to is looked at when that is known.
            plain = {one.path: PROJECTIONS[one.format].behind is None for one in wanted}
            lying = {
                path: self._looked(reader, path, here_now.commit if is_plain else "")
                for path, is_plain in plain.items()
            }
        with self._store.transaction() as tx:
            known = known_of(tx, rules_in_force(tx), here_now)
            drafts = [
                self._draft(tx, one, at_path(tx, known, one.path), lying[one.path], dry_run=dry_run)
                for one in wanted
            ]
            if not dry_run:
                events = [event for draft in drafts for event in draft.events]
                tx.commit(events, acting(tx, self._context))
        if dry_run:
            return [draft.shown for draft in drafts]
        return [self._written(*pair) for pair in zip(wanted, drafts, strict=True)]

    def _looked(self, reader: Reader, path: str, commit: str) -> _Lying:
        """Look at a file, and at HEAD's where somebody may have edited it."""
        try:
            now = self._files.read(path)
            settled = now is None or has_written(reader, path, now)
            return _Lying(now, None if settled else self._at_head(path, commit))
        except errors.Unavailable as error:
            return _Lying(None, None, error)

    def _draft(
        self, tx: Tx, one: ProjectionFile, known: Known, lying: _Lying, *, dry_run: bool
    ) -> _Draft:
        """Return what is to become of a projection; nothing is written yet."""
        projection, path, behind = PROJECTIONS[one.format], one.path, None
        if projection.behind is not None and lying.error is None:
            behind = beside(one.path, projection.behind(known))
            path = behind  # whatever the link leads to now
            lying = self._looked(tx, path, known.commit)
        if lying.error is not None:
            return _Draft(left(one, lying.error.code, lying.error.message))
        before = lying.now
        try:
            read = _edited(tx, projection, known, path, lying)
        except ValueError as error:
            return _Draft(left(one, "unreadable", str(error)))
        asked, completing = None, projection.completing
        if completing is not None and before is not None:
            asked = completing.asked(known, before, read)
        if completing is not None and asked is not None:
            read = completing.refused(known, read)
            if dry_run or self._judge is None:
                read = read._replace(told=(*read.told, completing.told("no gate was asked")))
        events: list[Event] = [kept_as(one.path, row, READ) for row in read.rows]
        known = with_rows(known, read.rows)
        content = projection.render(known, before)
        outcome = ABSENT
        if content is not None:
            linked = behind is None or self._leads_to(one.path, behind)
            outcome = SAME if content == before and linked else WRITTEN
            if _is_ours(tx, projection, known, path, lying, content):
                events += unknown(tx, path, content)
            if behind is not None:  # what git keeps of a link
                events += unknown(tx, one.path, _name(behind).encode())
        told = read.told[-TOLD_MAX:]
        shown = Shown(one.path, one.format, outcome, len(read.rows), told, behind, asked)
        return _Draft(shown, tuple(events), content)

    def _written(self, one: ProjectionFile, draft: _Draft) -> Shown:
        """Write a draft into the working tree, where it is to be written."""
        shown = draft.shown
        if shown.outcome != WRITTEN or draft.content is None:
            return shown
        try:
            self._files.write(shown.behind or one.path, draft.content)
            if shown.behind is not None and not self._leads_to(one.path, shown.behind):
                self._files.link(one.path, _name(shown.behind))
        except errors.Unavailable as error:
            return left(one, error.code, error.message)
        return shown

    def _leads_to(self, path: str, behind: str) -> bool:
        return self._files.target(path) == _name(behind)

    def _at_head(self, path: str, commit: str) -> bytes | None:
        """Return the file that HEAD holds, None where it holds none."""
        if not commit:
            return None
        with self._context.outside.history() as history:
            return history.file_at(commit, path)

    # --- history ----------------------------------------------------------------------------------

    def _dangling(self, path: str) -> tuple[Told, ...]:
        """Tell of a link to nothing."""
        target = self._files.target(path)
        return () if target is None else told_of_link(target, is_there=False)

    def _import(self, one: ProjectionFile, *, dry_run: bool) -> Shown:
        projection = PROJECTIONS[one.format]
        try:
            content = self._files.read(one.path)
            here_now = here(self._context.outside)
        except errors.Unavailable as error:
            return left(one, error.code, error.message)
        if content is None:
            return Shown(one.path, one.format, ABSENT, 0, self._dangling(one.path))
        with self._store.transaction() as tx:
            known = at_path(tx, known_of(tx, rules_in_force(tx), here_now), one.path)
            if known.rows or has_written(tx, one.path, content):
                return Shown(one.path, one.format, SAME, 0, ())
            try:
                read = projection.read(known, content, importing=True)
            except ValueError as error:
                return left(one, "unreadable", str(error))
            if not dry_run:
                rows = [kept_as(one.path, row, IMPORTED) for row in bounded(read.rows)]
                tx.commit(rows, acting(tx, self._context))
        return Shown(one.path, one.format, SAME, len(read.rows), read.told[:TOLD_MAX])


def lying(files: ProjectionFiles, one: ProjectionFile) -> list[ProjectionFile]:
    """Return the files of a projection in which history may stand; for a folder, those there are.

    What cannot be listed is as it is not there.
    """
    spread = PROJECTIONS[one.format].spread
    if spread is None:
        return [one]
    try:
        names = files.below(one.path)
    except errors.Unavailable:
        return []
    return [one._replace(path=f"{one.path}/{name}") for name in names if spread.reads(name)]


def _edited(
    reader: Reader,
    projection: Projection,
    known: Known,
    path: str,
    lying: _Lying,
) -> Read:
    """Return what people changed in the file at a path: not what they left as HEAD has it.

    A file that Handrail wrote, now or at any time, holds no edit. Raises ValueError.
    """
    before, was = lying.now, lying.at_head
    if before is None or has_written(reader, path, before):
        return Read(())
    read = projection.read(known, before, importing=False)
    old: dict[str, str] = {}
    if was is not None and was != before and has_written(reader, path, was):
        try:
            old = {row.key: row.record for row in projection.read(known, was, importing=False).rows}
        except ValueError:
            old = {}
    return read._replace(rows=tuple(edits(projection, known, read, old)))


def edits(projection: Projection, known: Known, read: Read, old: Mapping[str, str]) -> list[Row]:
    """Return the rows that are neither known nor those of an ``old`` version; raises ValueError.

    Where the rows are the whole file, one edit brings along what nobody knows of the rest: it would
    be missing otherwise.
    """
    rows = bounded(read.rows)
    changed = {
        row.key for row in rows if row.record not in (known.rows.get(row.key, ""), old.get(row.key))
    }
    if changed and projection.whole:
        changed |= {row.key for row in rows if row.record and row.key not in known.rows}
    return [row for row in rows if row.key in changed]


def _is_ours(
    reader: Reader,
    projection: Projection,
    known: Known,
    path: str,
    lying: _Lying,
    content: bytes,
) -> bool:
    """Tell whether bytes are Handrail's own to write, so that whoever commits them needs no lease.

    A format may keep what people wrote around its rows. Such words are nobody's edit only where
    they were written before by Handrail, or are HEAD's: else to export would be to get around it.
    """
    before = lying.now
    if before is None or before == lying.at_head or has_written(reader, path, before):
        return True
    return projection.render(known, None) == content


def with_rows(known: Known, rows: Iterable[Row]) -> Known:
    """Return what is known with these rows kept too; one without a record was taken away."""
    kept = {**known.rows, **{row.key: row.record for row in rows}}
    return known._replace(rows={key: text for key, text in kept.items() if text})


def beside(path: str, name: str) -> str:
    """Return the path of the file ``name`` in the folder of another."""
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{name}"


def _name(path: str) -> str:
    return path.rpartition("/")[2]

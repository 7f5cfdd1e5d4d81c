"""Folders with a file for each packet: written anew from the ledger, read as history.

Promises: as ``service.projecting``. A file of a packet is nobody's to change: what somebody changed
in it is told, and it is written anew. A file of the other system is history: entered once, and
never written by Handrail. Where no such folder is configured nothing is asked or read.

    ProjectedFolders(context, files).export().written
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from handrail import errors
from handrail.core.events import Event
from handrail.core.projected import IMPORTED
from handrail.core.record import Record
from handrail.projections.port import Folder, Known, Row, Told
from handrail.projections.registry import FOLDERS
from handrail.service.context import Context
from handrail.service.identity import acting
from handrail.service.known import at_path, has_written, here, known_of
from handrail.service.policy import rules_in_force
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
from handrail.store.port import Reader
from handrail.typed import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from handrail.config.records import ProjectionFile


class FolderFiles(Protocol):
    """The files of a working tree."""

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes; None if there is none."""

    def write(self, path: str, content: bytes) -> None:
        """Write a file whole."""

    def listed(self, folder: str) -> list[str]:
        """Return the names of the files of JSON in a folder; none where there is no folder."""

    def settled(self, paths: Sequence[str]) -> frozenset[str]:
        """Return which of these git tracks and has in its index just as they lie here."""

    def stage(self, paths: Sequence[str]) -> None:
        """Put files into the index as they lie here."""


class _File(Record):
    """A file as it is to be, and what is to be told of what it was."""

    path: str
    content: bytes
    differs: bool
    told: tuple[Told, ...]


class ProjectedFolders:
    """The use cases around folders of packets."""

    def __init__(self, context: Context, files: FolderFiles) -> None:
        self._context = context
        self._store = context.store
        self._files = files

    def export(
        self, only: Collection[str] | None = None, *, dry_run: bool = False
    ) -> tuple[Shown, ...]:
        """Write the files of packets anew, or ``only`` those of these names."""
        return tuple(self._export(one, only, dry_run=dry_run) for one in self._configured())

    def into_index(self) -> tuple[Shown, ...]:
        """Write what git tracks anew, and let the commit that is being made have it."""
        shown = []
        for one in self._configured():
            paths = [f"{one.path}/{name}" for name in self._files.listed(one.path)]
            settled = self._files.settled(paths) if paths else frozenset()
            if settled:
                names = [path.rpartition("/")[2] for path in settled]
                shown.append(self._export(one, names, dry_run=False))
                if shown[-1].outcome == WRITTEN:
                    self._files.stage(sorted(settled))
        return tuple(shown)

    def import_all(self, *, dry_run: bool = False) -> tuple[Shown, ...]:
        """Enter the other system's files as history, each once."""
        return tuple(self._import(one, dry_run=dry_run) for one in self._configured())

    def left_behind(self) -> list[str]:
        """Return the files that lie here as Handrail wrote them."""
        found = []
        folders = self._configured()
        with self._store.read() as reader:
            for one in folders:
                for name in self._files.listed(one.path):
                    path = f"{one.path}/{name}"
                    content = self._files.read(path)
                    if content is not None and has_written(reader, path, content):
                        found.append(path)
        return found

    def _configured(self) -> tuple[ProjectionFile, ...]:
        with self._store.read() as reader:
            return rules_in_force(reader).settings.folders

    def _known(self, reader: Reader, one: ProjectionFile) -> Known:
        now = here(self._context.outside)
        return at_path(reader, known_of(reader, rules_in_force(reader), now), one.path)

    def _export(self, one: ProjectionFile, only: Collection[str] | None, *, dry_run: bool) -> Shown:
        folder = FOLDERS[one.format]
        try:
            with self._store.read() as reader:
                files = self._drafts(reader, one, folder, only)
            if not dry_run:
                self._enter(files)
                for file in files:
                    if file.differs:
                        self._files.write(file.path, file.content)
        except errors.Unavailable as error:
            return left(one, error.code, error.message)
        told = tuple(told for file in files for told in file.told)[:TOLD_MAX]
        outcome = WRITTEN if any(file.differs for file in files) else SAME
        return Shown(one.path, one.format, outcome if files else ABSENT, 0, told)

    def _drafts(
        self, reader: Reader, one: ProjectionFile, folder: Folder, only: Collection[str] | None
    ) -> list[_File]:
        known = self._known(reader, one)
        drafts = []
        for name in folder.names(known):
            if not folder.ours(known, name) or (only is not None and name not in only):
                continue
            content = folder.render(known, name)
            assert content is not None, "a packet of Handrail's can be shown"
            path = f"{one.path}/{name}"
            before = self._files.read(path)
            edited = before not in (None, content) and not has_written(reader, path, before or b"")
            told = folder.changed(known, name, before) if edited and before is not None else ()
            drafts.append(_File(path, content, before != content, told))
        return drafts

    def _enter(self, files: Sequence[_File]) -> None:
        """Enter which bytes are Handrail's: they follow from the ledger alone."""
        with self._store.read() as reader:
            fresh = [file for file in files if not has_written(reader, file.path, file.content)]
        if fresh:
            with self._store.transaction() as tx:
                events = [event for file in fresh for event in unknown(tx, file.path, file.content)]
                tx.commit(events, acting(tx, self._context))

    def _import(self, one: ProjectionFile, *, dry_run: bool) -> Shown:
        folder = FOLDERS[one.format]
        try:
            named = self._files.listed(one.path)
            with self._store.read() as reader:
                known = self._known(reader, one)
                seen = set(folder.names(known))
                files = self._to_read(reader, one, [name for name in named if name not in seen])
        except errors.Unavailable as error:
            return left(one, error.code, error.message)
        if not files:
            return Shown(one.path, one.format, SAME if named else ABSENT, 0, ())
        read = folder.read(known, {name: raw for name, raw in files.items() if name.isprintable()})
        odd = [Told(name, "odd_name", "it is not read: a name is printable") for name in files]
        told = (*(one for one in odd if not one.place.isprintable()), *read.told)
        try:
            rows: list[Row] = bounded(read.rows)
        except ValueError as error:
            return left(one, "unreadable", str(error))
        if not dry_run:
            with self._store.transaction() as tx:
                events: list[Event] = [kept_as(one.path, row, IMPORTED) for row in rows]
                tx.commit(events, acting(tx, self._context))
        return Shown(one.path, one.format, SAME, len(rows), told[:TOLD_MAX])

    def _to_read(
        self, reader: Reader, one: ProjectionFile, names: Sequence[str]
    ) -> dict[str, bytes]:
        """Return the files that Handrail did not write."""
        found = {}
        for name in names:
            path = f"{one.path}/{name}"
            content = self._files.read(path)
            if content is not None and not has_written(reader, path, content):
                found[name] = content
        return found

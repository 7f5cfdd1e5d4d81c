"""The files of projections: read and written in the working tree, reached through no link.

Promise: a file is replaced whole or not at all, and keeps its mode; a link is made only to a file
beside it, and only where nothing or a link was before.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from handrail.errors import FactsUnavailable, StoreReadOnly
from handrail.facts.files import grown, read_bounded
from handrail.facts.folders import entries
from handrail.facts.git import ask

PROJECTION_BYTES_MAX: Final = 16 << 20
LISTED_MAX: Final = 10_000


class ProjectionFiles:
    """The projections of one working tree, by their paths from its top."""

    def __init__(self, toplevel: str) -> None:
        self._toplevel = toplevel

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes; None if there is none, a link to nothing included.

        A link leads to the file beside it that it names, and no further. Raises FactsUnavailable.
        """
        place = self._place(path)
        target = self.target(path)
        if target is not None:
            if "/" in target or target in ("", ".", ".."):
                raise FactsUnavailable(what=path, reason="it is a link to elsewhere")
            place = os.path.join(os.path.dirname(place), target)
            if os.path.islink(place):
                raise FactsUnavailable(what=path, reason="it is a link to a link")
        content = read_bounded(place, PROJECTION_BYTES_MAX)
        if content is not None and len(content) > PROJECTION_BYTES_MAX:
            reason = f"it has more than {PROJECTION_BYTES_MAX} bytes"
            raise FactsUnavailable(what=path, reason=reason)
        return content

    def below(self, folder: str) -> tuple[str, ...]:
        """Return the files that lie in the folders of a folder, sorted, by their paths from it on.

        Raises FactsUnavailable where there are too many.
        """
        found = []
        for name in entries(self._toplevel, folder):
            if name.endswith("/"):
                inside = entries(self._toplevel, f"{folder}/{name[:-1]}")
                found += [f"{name}{file}" for file in inside if not file.endswith("/")]
        return tuple(found)

    def target(self, path: str) -> str | None:
        """Return what a link says; None for what is no link."""
        place = self._place(path)
        try:
            return os.readlink(place) if os.path.islink(place) else None
        except OSError as error:
            raise FactsUnavailable(what=path, reason=error.strerror) from error

    def listed(self, folder: str) -> list[str]:
        """Return the names of the files of JSON in a folder, sorted; none where there is no folder.

        Raises FactsUnavailable for a folder that is a link, or has more than ``LISTED_MAX`` files.
        """
        place = self._place(f"{folder}/.")
        try:
            names = sorted(name for name in os.listdir(place) if name.endswith(".json"))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise FactsUnavailable(what=folder, reason=error.strerror) from error
        if len(names) > LISTED_MAX:
            raise FactsUnavailable(what=folder, reason=f"it has more than {LISTED_MAX} files")
        return [name for name in names if os.path.isfile(os.path.join(place, name))]

    def write(self, path: str, content: bytes) -> None:
        """Write a file; raises StoreReadOnly, DiskFull, FactsUnavailable."""
        place = self._place(path, make=True)
        mode = 0o666
        try:
            found = os.lstat(place)
        except OSError:
            pass
        else:
            if not stat.S_ISREG(found.st_mode):
                raise StoreReadOnly(path=path, reason="it is no ordinary file")
            mode = stat.S_IMODE(found.st_mode)
        half = f"{place}.{os.getpid()}.part"
        with grown(half, content, place, mode=mode, lasting=False):
            os.replace(half, place)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it; raises StoreReadOnly, FactsUnavailable."""
        self._place(f"{path}/.", make=True)

    def link(self, path: str, name: str) -> None:
        """Let a path be a link to the file ``name`` beside it."""
        place = self._place(path, make=True)
        half = f"{place}.{os.getpid()}.part"
        try:
            if os.path.lexists(place) and not os.path.islink(place):
                raise StoreReadOnly(path=path, reason="it is no link")
            with suppress(FileNotFoundError):
                os.unlink(half)
            os.symlink(name, half)
            os.replace(half, place)
        except OSError as error:
            raise StoreReadOnly(path=path, reason=error.strerror) from error

    def settled(self, paths: Sequence[str]) -> frozenset[str]:
        """Return which of these git tracks and has in its index just as they lie here.

        Raises FactsUnavailable.
        """
        words = ["--literal-pathspecs", "ls-files", "-z", "--", *paths]
        tracked = ask(self._toplevel, words).split(b"\0")
        words = ["--literal-pathspecs", "diff-files", "--name-only", "-z", "--", *paths]
        changed = ask(self._toplevel, words).split(b"\0")
        return frozenset(os.fsdecode(path) for path in tracked if path and path not in changed)

    def stage(self, paths: Sequence[str]) -> None:
        """Put files into the index as they lie here; raises FactsUnavailable."""
        stdin = b"".join(os.fsencode(path) + b"\0" for path in paths)
        ask(self._toplevel, ["update-index", "-z", "--stdin"], stdin)

    def _place(self, path: str, *, make: bool = False) -> str:
        """Return where a path lies; a folder on the way that is a link or none is refused."""
        place = self._toplevel
        *folders, name = path.split("/")
        for folder in folders:
            place = os.path.join(place, folder)
            try:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(place)
                real = stat.S_ISDIR(os.lstat(place).st_mode)
            except FileNotFoundError:
                real = True
            except OSError as error:
                raise StoreReadOnly(path=path, reason=error.strerror) from error
            if not real:
                raise FactsUnavailable(what=path, reason=f"{folder} is no folder")
        return os.path.join(place, name)

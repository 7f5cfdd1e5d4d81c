"""The files into which packets are exported: written whole, through no link, and never needed.

Promise: a file is replaced whole or not at all; a folder on the way that is a link, or none, is
StoreReadOnly. What lies there is a copy: the store never reads it. Git ignores the folder, because
a copy that was committed would need a lease.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from handrail.errors import StoreReadOnly
from handrail.facts.files import grown, read_bounded
from handrail.typed import Final

FOLDER: Final = (".handrail", "handoffs")
FILE_BYTES_MAX: Final = 4 << 20
_IGNORED: Final = (".gitignore", b"*\n")


class PacketFiles:
    """The exported packets of one working tree."""

    def __init__(self, toplevel: str) -> None:
        self._toplevel = toplevel

    def write(self, name: str, content: bytes) -> str | None:
        """Write a packet's file; returns its path from the root, None if it was there like that."""
        folder = self._folder()
        ignore, line = _IGNORED
        if not os.path.lexists(os.path.join(folder, ignore)):
            _replace(os.path.join(folder, ignore), line)
        path = os.path.join(folder, name)
        same = not os.path.islink(path) and os.path.isfile(path)
        if same and read_bounded(path, FILE_BYTES_MAX) == content:
            return None
        _replace(path, content)
        return "/".join((*FOLDER, name))

    def read(self, name: str) -> bytes | None:
        """Return what lies there; None if nothing does, b'' for what is no file of ours."""
        path = os.path.join(self._toplevel, *FOLDER, name)
        if not os.path.lexists(path):
            return None
        if os.path.islink(path) or not os.path.isfile(path):
            return b""
        return read_bounded(path, FILE_BYTES_MAX)

    def _folder(self) -> str:
        path = self._toplevel
        for name in FOLDER:
            path = os.path.join(path, name)
            try:
                with suppress(FileExistsError):
                    os.mkdir(path)
                real = stat.S_ISDIR(os.lstat(path).st_mode)
            except OSError as error:
                raise StoreReadOnly(path=path, reason=error.strerror) from error
            if not real:
                raise StoreReadOnly(path=path, reason="it is no folder")
        return path


def _replace(path: str, content: bytes) -> None:
    half = f"{path}.{os.getpid()}.part"
    with grown(half, content, path, lasting=False):
        os.replace(half, path)

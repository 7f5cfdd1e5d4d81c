"""The files that work leaves behind: what their bytes are, if they are ordinary files.

Promises: nothing is reached through a symbolic link, neither the file nor a folder on the way, and
nobody is waited for; a file of any size is read piece by piece, up to a bound.

    digest_of("/repo", ".handrail/evidence/fix/plan.md")   # "9f2c…", or None
"""

from __future__ import annotations

import errno
import os
import stat
from hashlib import sha256
from typing import Final

from handrail.errors import FactsUnavailable

ARTIFACT_BYTES_MAX: Final = 64 << 20
_PIECE_BYTES: Final = 1 << 20
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
# What there is instead of a file: nothing, a link, or no folder on the way.
_NOT_THERE: Final = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR)


def digest_of(toplevel: str, path: str) -> str | None:
    """Return the SHA-256 of an ordinary file below ``toplevel``; None where there is none.

    Raises FactsUnavailable where it cannot be read or has more than ARTIFACT_BYTES_MAX bytes.
    """
    *folders, name = path.split("/")
    opened: list[int] = []
    try:
        opened.append(os.open(toplevel, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for folder in folders:
            opened.append(os.open(folder, _FOLDER, dir_fd=opened[-1]))
        opened.append(os.open(name, _FILE, dir_fd=opened[-1]))
        if not stat.S_ISREG(os.fstat(opened[-1]).st_mode):
            return None
        return _digest(opened[-1], path)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise FactsUnavailable(what=path, reason=error.strerror) from error
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _digest(descriptor: int, path: str) -> str:
    found, read = sha256(), 0
    while piece := os.read(descriptor, _PIECE_BYTES):
        read += len(piece)
        if read > ARTIFACT_BYTES_MAX:
            reason = f"it has more than {ARTIFACT_BYTES_MAX} bytes"
            raise FactsUnavailable(what=path, reason=reason)
        found.update(piece)
    return found.hexdigest()

"""Folders of the working tree and the documents in them, reached through no link.

Promises: nothing is followed out of the working tree, neither by a link on the way nor at its end;
nobody is waited for; what is listed or read is bounded.

    entries("/repo", "docs")                  # ("guides/", "README.md")
    document("/repo", "docs/README.md")       # b"..."
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from handrail.errors import FactsUnavailable

ENTRIES_MAX: Final = 10_000
DOCUMENT_BYTES_MAX: Final = 2 << 20
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_LINK: Final = (errno.ELOOP, errno.EMLINK, errno.ENOTDIR)


def entries(toplevel: str, folder: str) -> tuple[str, ...]:
    """Return the names in a folder, sorted, folders with a slash behind; links are not among them.

    Empty where there is no such folder. Raises FactsUnavailable.
    """
    with _opened(toplevel, folder.split("/")) as descriptor:
        if descriptor is None:
            return ()
        found: list[str] = []
        with os.scandir(descriptor) as rows:
            for row in rows:
                if len(found) == ENTRIES_MAX:
                    reason = f"it has more than {ENTRIES_MAX} entries"
                    raise FactsUnavailable(what=folder, reason=reason)
                if row.is_dir(follow_symlinks=False):
                    found.append(f"{row.name}/")
                elif row.is_file(follow_symlinks=False):
                    found.append(row.name)
        return tuple(sorted(found))


def document(toplevel: str, path: str, bytes_max: int | None = None) -> bytes | None:
    """Return the bytes of an ordinary file, at most DOCUMENT_BYTES_MAX; None where there is none.

    Raises FactsUnavailable for a link, for what is no file, or is too long.
    """
    *folders, name = path.split("/")
    bytes_max = DOCUMENT_BYTES_MAX if bytes_max is None else bytes_max
    with _opened(toplevel, folders) as folder:
        if folder is None:
            return None
        try:
            descriptor = os.open(name, _FILE, dir_fd=folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = "it is a symbolic link" if error.errno in _LINK else error.strerror
            raise FactsUnavailable(what=path, reason=reason) from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FactsUnavailable(what=path, reason="it is no ordinary file")
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(bytes_max + 1)
        finally:
            os.close(descriptor)
    if len(content) > bytes_max:
        reason = f"it has more than {bytes_max} bytes"
        raise FactsUnavailable(what=path, reason=reason)
    return content


@contextmanager
def _opened(toplevel: str, folders: list[str]) -> Iterator[int | None]:
    """Open a folder of the working tree; None where it is not there. Raises FactsUnavailable."""
    opened: list[int] = []
    try:
        yield _open(toplevel, folders, opened)
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _open(toplevel: str, folders: list[str], opened: list[int]) -> int | None:
    try:
        opened.append(os.open(toplevel, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for folder in folders:
            opened.append(os.open(folder, _FOLDER, dir_fd=opened[-1]))
    except FileNotFoundError:
        return None
    except OSError as error:
        link = error.errno in _LINK
        reason = "a folder on the way is a link, or none" if link else error.strerror
        raise FactsUnavailable(what="/".join(folders), reason=reason) from error
    return opened[-1]

"""The few files Handrail itself writes: the configuration, secrets, exports.

Promises: nothing is written through a symbolic link; a file that others read is replaced whole or
not at all; secrets are created with mode 0600.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from handrail.errors import DiskFull, FactsUnavailable, StoreReadOnly
from handrail.typed import Final

CONFIG_BYTES_MAX: Final = 1 << 20
SECRET_BYTES_MAX: Final = 256


def read_bounded(path: str, limit: int = CONFIG_BYTES_MAX, *, pipe: bool = False) -> bytes | None:
    """Return a file's bytes, None if it is not there; one byte past ``limit`` at the most.

    Never waits for a writer, unless the path may be a ``pipe``; raises FactsUnavailable.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | (0 if pipe else os.O_NONBLOCK)
    try:
        with open(os.open(path, flags), "rb") as file:
            if not pipe and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FactsUnavailable(what=path, reason="it is no ordinary file")
            return file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FactsUnavailable(what=path, reason=error.strerror) from error


def create_file(path: str, content: bytes, scratch: str) -> None:
    """Write a file whole or not at all; raises StoreReadOnly, DiskFull where that cannot be.

    One that somebody else put there meanwhile stays: of several who come at once, one is first.
    It grows in ``scratch``, where nobody minds what a killed process leaves behind, or beside its
    place if that folder is on another file system.
    """
    beside = os.path.dirname(path) or "."
    same = os.stat(scratch).st_dev == os.stat(beside).st_dev
    name = f"{os.path.basename(path)}.{os.getpid()}.part"
    half = os.path.join(scratch if same else beside, name)
    with grown(half, content, path):
        _put_in_place(half, path)


@contextmanager
def grown(
    half: str, content: bytes, path: str, *, mode: int = 0o666, lasting: bool = True
) -> Iterator[None]:
    """Write a file under a name of its own, for the caller to give it its ``path`` meanwhile.

    Through no link, and gone in the end unless it was renamed. ``lasting`` waits for the disk.
    Raises StoreReadOnly, DiskFull, also for what goes wrong in the caller's part.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with suppress(FileNotFoundError):
            os.unlink(half)  # of a process that had this number and was killed half way
        try:
            with open(os.open(half, flags, mode), "wb") as file:
                file.write(content)
                file.flush()
                if lasting:
                    os.fsync(file.fileno())
            yield
        finally:
            with suppress(FileNotFoundError):
                os.unlink(half)
    except OSError as error:
        raise unwritten(path, error) from error


def _put_in_place(half: str, path: str) -> None:
    """Give a file its name unless another has it; a link to nothing is replaced."""
    try:
        os.link(half, path)
    except OSError as error:
        if not (error.errno == errno.EEXIST and os.path.exists(path)):
            os.replace(half, path)  # also where a file system knows no second names


def unwritten(path: str, error: OSError) -> DiskFull | StoreReadOnly:
    """Say why a file could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(path=path)
    return StoreReadOnly(path=path, reason=error.strerror)


class Secrets:
    """Session secrets beside the store: one file a session, mode 0600.

    They keep a session's name from being borrowed by mistake; a hostile process of the same user
    can read them, which DESIGN says is outside what a local store can promise.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.shown: dict[str, str] = {}

    def keep(self, session: str, secret: str) -> None:
        """Write the secret of a session; a former one of the same id is replaced."""
        path = self._path(session)
        half = f"{path}.{os.getpid()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            with suppress(FileNotFoundError):
                os.unlink(half)  # of a process that had this number and was killed half way
            descriptor = os.open(half, flags, 0o600)
            try:
                with open(descriptor, "w", encoding="ascii") as file:
                    file.write(secret)
                os.replace(half, path)
            except BaseException:
                os.unlink(half)
                raise
        except OSError as error:
            raise unwritten(self._folder, error) from error

    def read(self, session: str) -> str | None:
        """Return the secret of a session; None if it is not there or not readable."""
        try:
            descriptor = os.open(self._path(session), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return os.read(descriptor, SECRET_BYTES_MAX).decode("ascii")
            finally:
                os.close(descriptor)
        except (OSError, UnicodeDecodeError):
            return None

    def forget(self, session: str) -> None:
        """Remove the secret of a session that ended."""
        try:
            os.unlink(self._path(session))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StoreReadOnly(path=self._path(session), reason=error.strerror) from error

    def _path(self, session: str) -> str:
        return os.path.join(self._folder, session)

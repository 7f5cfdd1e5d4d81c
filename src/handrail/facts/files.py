"""The few files Handrail itself writes: the configuration, secrets, exports.

Promises: nothing is written through a symbolic link; a file that others read is replaced whole or
not at all; secrets are created with mode 0600.
"""

from __future__ import annotations

import os
from typing import Final

from handrail.errors import FactsUnavailable, StoreReadOnly

CONFIG_BYTES_MAX: Final = 1 << 20
SECRET_BYTES_MAX: Final = 256


def read_bounded(path: str, limit: int = CONFIG_BYTES_MAX) -> bytes | None:
    """Return a file's bytes, None if it is not there; one byte past ``limit`` at the most."""
    try:
        with open(path, "rb") as file:
            return file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FactsUnavailable(what=path, reason=error.strerror) from error


def replace_file(path: str, content: bytes) -> None:
    """Write a file whole or not at all; raises StoreReadOnly where that cannot be."""
    half = f"{path}.{os.getpid()}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(half, flags, 0o666)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(half, path)
        except BaseException:
            os.unlink(half)
            raise
    except OSError as error:
        raise StoreReadOnly(path=path, reason=error.strerror) from error


class Secrets:
    """Session secrets beside the store: one file a session, mode 0600.

    They keep a session's name from being borrowed by mistake; a hostile process of the same user
    can read them, which DESIGN says is outside what a local store can promise.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def keep(self, session: str, secret: str) -> None:
        """Write the secret of a session; a former one of the same id is replaced."""
        path = self._path(session)
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            half = f"{path}.{os.getpid()}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(half, flags, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(secret)
            os.replace(half, path)
        except OSError as error:
            raise StoreReadOnly(path=path, reason=error.strerror) from error

    def read(self, session: str) -> str | None:
        """Return the secret of a session; None if it is not there or not readable."""
        try:
            with open(self._path(session), encoding="ascii") as file:
                return file.read(SECRET_BYTES_MAX)
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

"""Opening the file: pragmas, format number, migrations, and what SQLite's errors mean here.

Promises: a file of a later format is refused with NewerFormat before anything is read from it; one
of an earlier format is brought up in one transaction, at the next write, and a copy is kept beside
it as ``state.db.v<N>``; until then it is read from a copy in memory that was brought up. Every
error of the driver leaves as one of ours, with its cause.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import apsw

from handrail import errors
from handrail.errors.server import StoreMoved
from handrail.store.filesystem import unwritable

APPLICATION_ID = 0x48524C31
BUSY_MS = 5_000
# What comes out of a damaged file as text that is none is the driver's complaint too.
DRIVER_ERRORS = (apsw.Error, UnicodeDecodeError)
_MIGRATIONS = os.path.join(os.path.dirname(__file__), "migrations")


def migrations() -> dict[int, str]:
    """Return the SQL scripts that lead from one format to the next, by the number they lead to."""
    from handrail.store.sql.scripts import scripts_in

    return scripts_in(_MIGRATIONS)


FORMAT = 7
MOVED = 0x7FFF_FFFF
"""In place of the format of a store that is elsewhere now: no program takes it for its own."""


def sqlite_version() -> str:
    """Return the version of the SQLite that apsw brings."""
    return f"SQLite {apsw.sqlite_lib_version()}"


def connect(path: str, *, create: bool) -> apsw.Connection:
    """Open the file for reading and writing; raises NotInitialised, StoreReadOnly, StoreCorrupt."""
    if not create:
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise errors.NotInitialised(path=path) from error
        except OSError as error:
            raise unwritable(path, error) from error
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    with translated(path), reachable(path) as name:
        connection = apsw.Connection(name, flags=flags)
        connection.set_busy_timeout(BUSY_MS)
        # The store itself syncs the log after each commit, when it has given the turn back.
        connection.execute("PRAGMA synchronous=NORMAL")
        # Checkpointing when the last process closes would cost every short command two syncs.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    return connection


@contextmanager
def reachable(path: str) -> Iterator[str]:
    """Yield a name by which the driver, which takes UTF-8 only, can open any file."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
        finally:
            os.close(folder)
    else:
        yield path


def format_of(connection: apsw.Connection, path: str) -> int:
    """Return the file's format number, 0 for an empty file; raises StoreCorrupt, NewerFormat."""
    with translated(path):
        found = int(connection.pragma("user_version"))
        owner = int(connection.pragma("application_id"))
        tables = 0 if found else connection.execute("SELECT count(*) FROM sqlite_schema").get
    if (found and owner != APPLICATION_ID) or tables:
        raise errors.StoreCorrupt(path=path, reason="it is a database of another program")
    if found == MOVED:
        with translated(path):
            place = connection.execute("SELECT place FROM moved").get
        raise StoreMoved(path=path, place=place)
    if found > FORMAT:
        raise errors.NewerFormat(what=f"the store {path}", found=found, known=FORMAT)
    if found < 0:
        raise errors.StoreCorrupt(path=path, reason=f"it has no format {found}")
    return found


def migrate(
    connection: apsw.Connection, path: str, found: int, scripts: Mapping[int, str], to: int
) -> None:
    """Bring the file from format ``found`` up to ``to``, inside the caller's transaction."""
    for number in range(found + 1, to + 1):
        connection.execute(scripts[number]).fetchall()  # to the end, rows or none
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={to}")


def brought_up(
    connection: apsw.Connection, path: str, found: int, scripts: Mapping[int, str], to: int
) -> apsw.Connection:
    """Return a copy in memory of a file of an earlier format, as the next write will leave it."""
    copy = apsw.Connection(":memory:")
    with copy.backup("main", connection, "main") as backup:
        while not backup.done:
            backup.step()
    copy.execute("BEGIN")
    migrate(copy, path, found, scripts, to)
    copy.execute("COMMIT")
    return copy


def keep_copy(connection: apsw.Connection, path: str, found: int) -> str:
    """Copy the file as it is, before a migration; returns the copy's path.

    Written beside its final name first: a copy that is there is whole.
    """
    copy, half = f"{path}.v{found}", f"{path}.v{found}.part"
    try:
        for leftover in (half, half + "-wal", half + "-shm", half + "-journal"):
            if os.path.exists(leftover):
                os.unlink(leftover)
        # Made here, because SQLite would give it the rights of the umask, not those of the store.
        os.close(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        with translated(path), reachable(half) as name:
            connection.execute("VACUUM INTO ?", (name,))
        os.replace(half, copy)
    except OSError as error:
        raise unwritable(path, error) from error
    return copy


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise translate(error, path) from error


def translate(error: apsw.Error | UnicodeDecodeError, path: str) -> errors.HandrailError:
    """Say in Handrail's terms what the driver complains of."""
    reason = str(error).strip() or type(error).__name__
    match error:
        case UnicodeDecodeError():
            return errors.StoreCorrupt(path=path, reason="a text in it is not UTF-8")
        case apsw.FullError():
            return errors.DiskFull(path=path)
        case apsw.BusyError() | apsw.LockedError():
            return errors.StoreBusy(path=path, waited_ms=BUSY_MS, pid="unknown")
        case apsw.ReadOnlyError() | apsw.CantOpenError() | apsw.PermissionsError():
            return errors.StoreReadOnly(path=path, reason=reason)
        case (
            apsw.CorruptError() | apsw.NotADBError() | apsw.FormatError() | apsw.SchemaChangeError()
        ):
            return errors.StoreCorrupt(path=path, reason=reason)
        case apsw.SQLError() | apsw.ConstraintError() | apsw.MismatchError():
            # Our statements fit our tables, so these are not our tables, or not our rows.
            return errors.StoreCorrupt(path=path, reason=reason)
        case apsw.IOError() if _extended(error) == apsw.SQLITE_IOERR_SHMSIZE:
            return errors.DiskFull(path=path)
        case apsw.IOError():
            return errors.FactsUnavailable(what=f"the store {path}", reason=reason)
        case _:
            return errors.Bug(detail=f"{type(error).__name__}: {reason}")


def _extended(error: BaseException) -> int:
    """Return SQLite's extended result code, 0 if there is none."""
    return int(getattr(error, "extendedresult", 0))

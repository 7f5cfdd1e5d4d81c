"""The connection: where it leads, what is set on it, and what PostgreSQL's errors mean here.

Promises: host, port and database are those of the configuration, whatever stands in the environment
and in libpq's files, from which come the rest: user, password, TLS. No text that leaves here holds
a password. Nothing is kept in the database's session: each transaction says anew what it relies on,
so that a proxy may give every transaction another session. Every error of the driver leaves as one
of ours, with its cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial

import psycopg
from psycopg import RawCursor
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import PGconn, Ping

from handrail import errors
from handrail.errors.server import (
    MalformedStoreUrl,
    ServerUnsuitable,
    StoreDenied,
    StoresDiffer,
    StoreUnreachable,
)
from handrail.store.postgres.odd import marked, register
from handrail.text import shell_quote
from handrail.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    Line = psycopg.Connection[tuple[Any, ...]]

DRIVER_ERRORS: Final = (psycopg.Error, UnicodeDecodeError)
SERVER_VERSION_MIN: Final = 140_000
ANSWER_S: Final = 60.0
"""How long an answer may take: far beyond the longest wait for one's turn."""
POLL_S: Final = 0.1
_PORT: Final = "5432"
_SECRETS: Final = ("password", "sslpassword", "oauth_client_secret")
_NAMING: Final = ("host", "port", "dbname")
# Whoever is cut off learns so within a minute; what the URL says goes before.
_CAREFUL: Final = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
    "application_name": "handrail",
}
# What no URL changes: a replica shows what was, and who looks there would go by a lease that ended.
_ALWAYS: Final = {"target_session_attrs": "read-write"}
# What a server says in English when it does not want us, ever or just now. Of what it says in any
# other language only a second look can tell which of the two it is.
_DENIED: Final = (
    *("authentication failed", "no pg_hba.conf entry", "permission denied"),
    *("does not exist", "is not permitted to log in", "pg_hba.conf rejects"),
)
_LATER: Final = (
    *("the database system is", "too many", "remaining connection slots", "timeout"),
    *("server login", "server conn", "cannot connect", "terminat"),  # what a proxy says
)
_SERVER_SAYS: Final = ":  "
"""Stands between how bad it is and what it is, in each language; libpq itself never says so."""
# How the server says that it hangs up, whatever else it says: what was under way nobody knows.
_ENDING: Final = ("FATAL", "PANIC")
_READ_ONLY: Final = ("session is read-only", "server is in hot standby mode", "is not writable")


class PatientLine(psycopg.Connection[tuple[Any, ...]]):
    """A connection that waits so long for an answer and no longer.

    A server that is gone is noticed by the kernel, but one that went silent behind a proxy is not:
    somebody still acknowledges every packet. After this the connection is of no use.
    """

    def wait(self, gen: Any, interval: float = POLL_S, timeout: float | None = None) -> Any:
        """Wait for an answer; raises OperationalError once patience is at its end."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)  # whoever says how long expects the end
        try:
            return super().wait(gen, interval, ANSWER_S)
        except psycopg.OperationalError as error:
            if error.sqlstate is None:  # no word of the server's: nobody knows what is under way
                self.close()
            raise


class Address:
    """Which database, without a word about who asks; ``shown`` holds no secret."""

    def __init__(self, url: str) -> None:
        """Read an address of the configuration; raises MalformedStoreUrl."""
        self.parameters = read_url(url)
        missing = [name for name in ("host", "dbname") if not self.parameters.get(name)]
        if missing:
            raise MalformedStoreUrl(reason=f"it names no {_WORDS[missing[0]]}")
        if any(self.parameters.get(name) for name in _SECRETS):
            raise MalformedStoreUrl(reason="it has a password in it")
        self.parameters.setdefault("port", _PORT)
        host, port, database = (self.parameters[name] for name in _NAMING)
        self.host, self.port, self.database = host, port, database
        named = "localhost" if host.startswith("/") else host
        self.shown = f"postgresql://{named}:{port}/{database}"
        self.place: Final = {"host": host, "port": port, "database": database}

    def there(self) -> str:
        """Return the options that lead one of PostgreSQL's programs to the server."""
        return f"-h {shell_quote(self.host)} -p {shell_quote(self.port)}"

    def with_credentials(self, url: str) -> dict[str, str]:
        """Return what to connect with where ``url`` adds to it; raises StoresDiffer."""
        added = read_url(url)
        added.setdefault("port", _PORT)
        for name in _NAMING:
            if added.get(name) != self.parameters[name]:
                raise StoresDiffer(
                    store=self.shown, what=_WORDS[name], other=added.get(name) or "none"
                )
        return {**self.parameters, **added}


_WORDS: Final = {"host": "host", "port": "port", "dbname": "database"}


def read_url(url: str) -> dict[str, str]:
    """Take an address apart; raises MalformedStoreUrl, which repeats nothing of it."""
    if not url.startswith("postgresql://"):
        raise MalformedStoreUrl(reason="it does not begin with postgresql://")
    try:
        found = conninfo_to_dict(url)
    except (psycopg.Error, UnicodeError) as error:
        # The driver quotes what it cannot read, and that may be a password.
        raise MalformedStoreUrl(reason="it cannot be taken apart") from error
    return {name: str(value) for name, value in found.items() if value is not None}


def connect(address: Address, parameters: Mapping[str, str]) -> Line:
    """Connect; raises StoreUnreachable, StoreDenied, StoreReadOnly, ServerUnsuitable."""
    wanted: dict[str, Any] = {**_CAREFUL, "hostaddr": "", **parameters, **_ALWAYS}
    try:
        line = PatientLine.connect(
            **wanted,
            client_encoding="utf-8",
            autocommit=True,
            prepare_threshold=None,
            cursor_factory=RawCursor,
        )
    except (psycopg.Error, UnicodeError) as error:
        raise refusal(error, address, wanted) from error
    unsuitable = _unsuitable(line.info, address)
    if unsuitable is not None:
        line.close()
        raise unsuitable
    register(line.adapters)
    return line


def _unsuitable(info: psycopg.ConnectionInfo, address: Address) -> ServerUnsuitable | None:
    """Return why a server that answers cannot keep a store, and what shows or makes another."""
    version, encoding = info.server_version, info.parameter_status("server_encoding")
    oldest = SERVER_VERSION_MIN // 10_000
    if version < SERVER_VERSION_MIN:
        reason = (
            f"it is version {version // 10_000}, older than {oldest};"
            " upgrade it, or name another one in handrail.toml"
        )
        return ServerUnsuitable(store=address.shown, reason=reason, **address.place)
    if encoding != "UTF8":
        reason = (
            f"the database is encoded in {encoding}, not in UTF8;"
            " make one that is, and name it in handrail.toml"
        )
        making = f"createdb {address.there()} -E UTF8 -T template0 handrail_utf8"
        return ServerUnsuitable(store=address.shown, reason=reason, next=making, **address.place)
    return None


class Answer:
    """What comes back from a statement of a pipeline, waited for when it is looked at.

    Always with a sync: after that the server counts us as idle, and hangs up on who stays so.
    """

    __slots__ = ("_cursor", "_pipeline")

    def __init__(self, cursor: psycopg.Cursor[Any], pipeline: psycopg.Pipeline | None) -> None:
        self._cursor = cursor
        self._pipeline = pipeline

    def _arrived(self) -> psycopg.Cursor[Any]:
        if self._pipeline is not None and self._cursor.pgresult is None:
            self._pipeline.sync()
        return self._cursor

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        return self._arrived().fetchone()

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        return self._arrived().fetchall()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._arrived())

    def close(self) -> None:
        """Read no further."""
        self._cursor.close()

    @property
    def status(self) -> str | None:
        """What the server says it did."""
        return self._arrived().statusmessage


def execute(line: Line, sql: str, values: tuple[object, ...] = ()) -> psycopg.Cursor[Any]:
    """Run a statement written with ``?`` or ``?1`` for values, which may be any text."""
    return line.cursor(binary=True).execute(spoken(sql), marked(values))


def runner(line: Line) -> Callable[..., Any]:
    """Return what runs statements on a line, and gives a cursor."""
    return partial(execute, line)


@cache
def spoken(sql: str) -> bytes:
    """Return a statement with its marks numbered, as PostgreSQL wants them."""
    first, *rest = sql.split("?")
    parts, number = [first], 0
    for part in rest:
        if part[:1].isdigit():
            parts.append(f"${part}")
        else:
            number += 1
            parts.append(f"${number}{part}")
    return "".join(parts).encode("ascii")


def refusal(
    error: BaseException, address: Address, wanted: Mapping[str, Any]
) -> errors.HandrailError:
    """Say in Handrail's terms why there is no connection."""
    said = " ".join(str(error).split()) or type(error).__name__
    place = address.place
    if any(words in said for words in _READ_ONLY):
        return _not_writable(address, "the server only reads", _READS)
    pgconn = getattr(error, "pgconn", None)
    asked = pgconn is not None and (pgconn.needs_password or pgconn.used_password)
    denied = asked
    if not asked and _SERVER_SAYS in str(error) and not any(words in said for words in _LATER):
        denied = any(words in said for words in _DENIED) or _is_served(wanted)
    refused = StoreDenied if denied else StoreUnreachable
    return refused(store=address.shown, reason=said, **place)


def _is_served(wanted: Mapping[str, Any]) -> bool:
    """Tell whether the server serves others: libpq looks at the code of what it says, not we."""
    quickly = {**wanted, "connect_timeout": "2"}
    return PGconn.ping(make_conninfo(**quickly).encode()) == Ping.OK


_READS: Final = "SHOW transaction_read_only"
_WHERE: Final = "SHOW data_directory"


def _not_writable(address: Address, reason: str, asked: str) -> errors.StoreReadOnly:
    """Say that nothing can be written there, and what shows whether and where that is so still."""
    looking = f"psql {address.there()} -d {shell_quote(address.database)} -c '{asked}'"
    return errors.StoreReadOnly(path=address.shown, reason=reason, next=looking)


@contextmanager
def translated(address: Address) -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise translate(error, address) from error


def translate(error: BaseException, address: Address) -> errors.HandrailError:
    """Say in Handrail's terms what the server or the driver complains of."""
    # What was sent after a statement that failed says only that it was not done.
    while isinstance(error, psycopg.errors.PipelineAborted) and isinstance(
        error.__context__, DRIVER_ERRORS
    ):
        error = error.__context__
    said = " ".join(str(error).split()) or type(error).__name__
    place = address.place
    state = getattr(error, "sqlstate", None) or ""
    match error:
        case psycopg.Error() if error.diag.severity_nonlocalized in _ENDING:
            return StoreUnreachable(store=address.shown, reason=said, **place)
        case psycopg.errors.ReadOnlySqlTransaction():
            return _not_writable(address, said, _READS)
        case psycopg.errors.InsufficientPrivilege():
            return StoreDenied(store=address.shown, reason=said, **place)
        case psycopg.errors.DiskFull():
            return _not_writable(address, said, _WHERE)
        case psycopg.NotSupportedError():
            return ServerUnsuitable(store=address.shown, reason=said, **place)
        case (
            psycopg.errors.DataCorrupted() | psycopg.errors.IndexCorrupted() | UnicodeDecodeError()
        ):
            return errors.StoreCorrupt(path=address.shown, reason=said)
        case psycopg.OperationalError() | psycopg.InterfaceError():
            return StoreUnreachable(store=address.shown, reason=said, **place)
        case psycopg.Error() if state[:2] in ("22", "23", "42"):
            # Our statements fit our tables, so these are not our tables, or not our rows.
            return errors.StoreCorrupt(path=address.shown, reason=said)
        case _:
            return errors.Bug(detail=f"{type(error).__name__}: {said}")

"""A workspace's schema: its name, its format, how it is laid and brought up.

Promises: a workspace has a schema to itself, so that rights are given for it alone; a schema of a
later format is refused with NewerFormat before anything is read from it; one of an earlier format
is brought up in one transaction by the first who may, and by nobody half way.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache

from handrail import errors
from handrail.errors.server import StoreDenied
from handrail.store.postgres.connection import (
    DRIVER_ERRORS,
    Address,
    connect,
    runner,
    translated,
)
from handrail.store.sql.reader import read_entry
from handrail.store.sql.scripts import scripts_in
from handrail.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from handrail.core.ledger import Entry
    from handrail.store.postgres.connection import Line

FORMAT: Final = 2
MOVED: Final = 0x7FFF_FFFF
"""In place of the format of a store that is elsewhere now: no program takes it for its own."""
_NAME_BYTES_MAX: Final = 63
_PREFIX: Final = "handrail_"
_MIGRATIONS: Final = os.path.join(os.path.dirname(__file__), "migrations")


@cache
def migrations() -> dict[int, str]:
    """Return the SQL scripts that lead from one format to the next, by the number they lead to."""
    return scripts_in(_MIGRATIONS)


def schema_of(workspace: str) -> str:
    """Return the name of a workspace's schema; PostgreSQL cuts longer ones off without a word.

    >>> schema_of("acme-web-3fk2ap")
    'handrail_acme-web-3fk2ap'
    """
    name = _PREFIX + workspace
    if len(name) <= _NAME_BYTES_MAX:
        return name
    digest = hashlib.sha256(workspace.encode()).hexdigest()[:16]
    return f"{name[: _NAME_BYTES_MAX - 17]}~{digest}"


def quoted(name: str) -> str:
    """Write a name as SQL does."""
    return '"' + name.replace('"', '""') + '"'


def path_of(schema: str) -> str:
    """Return the search path that finds this schema's tables before anybody's temporary ones."""
    return f"{quoted(schema)}, pg_temp"


def exists(line: Line, schema: str, address: Address) -> bool:
    """Tell whether there is a schema with tables; raises StoreDenied where one may not look."""
    row = runner(line)(
        "SELECT has_schema_privilege(n.oid, 'USAGE'), EXISTS"
        " (SELECT 1 FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'format')"
        " FROM pg_namespace n WHERE n.nspname = ?",
        (schema,),
    ).fetchone()
    if row is None:
        return False
    if not row[0]:
        reason = f"permission denied for schema {schema}"
        raise StoreDenied(store=address.shown, reason=reason, **address.place)
    return bool(row[1])


def lay(line: Line, schema: str) -> bool:
    """Make the schema and its tables where they are not, in the caller's transaction.

    Tells whether they were not. Whoever else does the same waits.
    """
    run = runner(line)
    run("SELECT pg_advisory_xact_lock(hashtext(?))", (schema,))
    if run("SELECT 1 FROM pg_namespace WHERE nspname = ?", (schema,)).fetchone() is None:
        line.execute(f"CREATE SCHEMA {quoted(schema)}")
    run("SELECT set_config('search_path', ?, true)", (path_of(schema),))
    if run("SELECT to_regclass(?)", (f"{quoted(schema)}.format",)).fetchone()[0] is None:
        bring_up(line, 0)
        return True
    return run("SELECT 1 FROM state").fetchone() is None


def bring_up(line: Line, found: int) -> None:
    """Lead the tables on the search path from one format to the newest."""
    for number in range(found + 1, FORMAT + 1):
        line.execute(migrations()[number])
    if found:
        line.execute(f"UPDATE format SET number = {FORMAT}")
    else:
        line.execute(f"INSERT INTO format VALUES (1, {FORMAT})")


def check_format(found: int, address: Address) -> None:
    """Raise NewerFormat for a schema that a later Handrail made."""
    if found > FORMAT:
        raise errors.NewerFormat(what=f"the store {address.shown}", found=found, known=FORMAT)
    if found < 1:
        raise errors.StoreCorrupt(path=address.shown, reason=f"it has no format {found}")


def salvage(address: Address, parameters: Mapping[str, str], schema: str) -> list[Entry]:
    """Return the entries that a damaged schema still gives, oldest first."""
    entries: list[Entry] = []
    line = connect(address, parameters)
    try:
        with suppress(*DRIVER_ERRORS, errors.Unavailable):
            sql = f"SELECT seq, header, payload FROM {quoted(schema)}.entry ORDER BY seq"
            entries.extend(read_entry(row) for row in runner(line)(sql))
    finally:
        line.close()
    return entries


def set_aside(address: Address, parameters: Mapping[str, str], schema: str) -> str:
    """Rename a schema to the first name that is free; returns it. Raises StoreDenied."""
    line = connect(address, parameters)
    try:
        with translated(address):
            run = runner(line)
            taken = {row[0] for row in run("SELECT nspname FROM pg_namespace").fetchall()}
            number = 1
            while (aside := f"{schema[: _NAME_BYTES_MAX - 14]}.damaged-{number}") in taken:
                number += 1
            line.execute(f"ALTER SCHEMA {quoted(schema)} RENAME TO {quoted(aside)}")
            return aside
    finally:
        line.close()

"""Whether a workspace's schema is what the migrations make: tables, columns, indexes, routines.

Promises: what it ought to be is said by the migrations alone, which lay it anew among the
temporary tables of a transaction that is rolled back. What somebody added is their own affair.
PostgreSQL has means of its own to look at pages and checksums.

    for sentence in unsound(line, "handrail_w"):
        ...
"""

from __future__ import annotations

import psycopg

from handrail.store.postgres.connection import runner
from handrail.store.postgres.schema import bring_up, quoted
from handrail.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from handrail.store.postgres.connection import Line

_TABLES: Final = (
    "SELECT c.oid, c.relname AS name, quote_ident(n.nspname) || '.' AS place"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'r' AND n.oid = ?1::oid"
)
# How a definition reads when the name of the schema, or of the temporary one, is left out.
_BARE: Final = "replace(replace({}, t.place, ''), 'pg_temp.', '')"
_PARTS: Final = (
    f"WITH t AS ({_TABLES})"
    " SELECT 'table', name, name, '' FROM t"
    " UNION ALL SELECT 'column', name, name || '.' || a.attname,"
    "   format_type(a.atttypid, a.atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END"
    """   || CASE WHEN k.collname <> 'default' THEN ' COLLATE "' || k.collname || '"' ELSE '' END"""
    "   FROM t JOIN pg_attribute a ON a.attrelid = t.oid"
    "   LEFT JOIN pg_collation k ON k.oid = a.attcollation AND k.collname IS NOT NULL"
    "   WHERE attnum > 0 AND NOT attisdropped"
    f" UNION ALL SELECT 'index', name, i.relname, {_BARE.format('pg_get_indexdef(i.oid)')}"
    "   || CASE WHEN indisvalid AND indisready THEN '' ELSE ' (not valid)' END"
    "   FROM t JOIN pg_index x ON x.indrelid = t.oid JOIN pg_class i ON i.oid = x.indexrelid"
    "   WHERE NOT indisprimary"
    " UNION ALL SELECT 'constraint', name, conname, pg_get_constraintdef(o.oid)"
    "   FROM t JOIN pg_constraint o ON o.conrelid = t.oid WHERE contype IN ('p', 'u', 'c')"
    " UNION ALL SELECT 'routine', '', proname, md5(prosrc) FROM pg_proc p"
    "   WHERE p.pronamespace = ?1::oid"
)
_CARELESS: Final = (
    "SELECT relname, relpersistence <> 'p', relrowsecurity FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = ?::oid ORDER BY relname"
)
_HEAD: Final = "SELECT head_seq, (SELECT max(seq) FROM {0}.entry) FROM {0}.state"


_NO_SCRATCH: Final = (psycopg.errors.InsufficientPrivilege, psycopg.errors.DiskFull)
# Something that a schema is made of: kind, table ('' for what belongs to none) and name.
Part = tuple[str, str, str]


def unsound(line: Line, schema: str) -> list[str]:
    """Say what of a schema is gone or other than it was made; leaves nothing behind.

    Where no temporary tables can be made, because they were forbidden or there is no room, only
    what is seen without them is told.
    """
    found: list[str] = []
    run = runner(line)
    try:
        with line.transaction(force_rollback=True):
            line.execute("SET TRANSACTION READ WRITE")
            line.execute("SET LOCAL quote_all_identifiers = off")
            number = run("SELECT oid FROM pg_namespace WHERE nspname = ?", (schema,)).fetchone()[0]
            for name, fleeting, hidden in run(_CARELESS, (number,)).fetchall():
                if fleeting:
                    found.append(f"the table {name} is UNLOGGED: a crash of the server empties it")
                if hidden:
                    found.append(f"row security hides rows of the table {name}")
            real = _parts(line, number)
            line.execute("SET LOCAL search_path = pg_temp")
            bring_up(line, 0)
            (scratch,) = run("SELECT pg_my_temp_schema()").fetchone()
            gone = _gone(_parts(line, scratch), real, schema)
            found += gone or _behind(line, schema)
    except _NO_SCRATCH:
        pass
    return found


def _parts(line: Line, number: int) -> dict[Part, str]:
    rows = runner(line)(_PARTS, (number,))
    return {(kind, table, name): definition or "" for kind, table, name, definition in rows}


def _gone(expected: dict[Part, str], real: dict[Part, str], schema: str) -> list[str]:
    """Compare; what belongs to a table that is gone is not gone once more."""
    told = []
    for part, definition in sorted(expected.items()):
        (kind, table, name), found = part, real.get(part)
        if found == definition:
            continue
        if found is None and (not table or kind == "table" or ("table", table, table) in real):
            told.append(f"there is no {kind} {name}{_again(part, definition, schema)}")
        elif found is not None and kind == "routine":
            told.append(f"the routine {name} is another one")
        elif found is not None:
            told.append(f"the {kind} {name} is {found}, and was made as {definition}")
    return told


def _again(part: Part, definition: str, schema: str) -> str:
    """Say how to make again what can be made again."""
    kind, table, _ = part
    if kind == "index":
        return ": " + definition.replace(" ON ", f" ON {quoted(schema)}.", 1)
    if kind == "constraint":
        return f": ALTER TABLE {quoted(schema)}.{table} ADD {definition}"
    return ""


def _behind(line: Line, schema: str) -> list[str]:
    head, newest = runner(line)(_HEAD.format(quoted(schema))).fetchone() or (None, None)
    if head == newest:
        return []
    return [f"the head is entry {head}, and the newest entry is {newest}"]

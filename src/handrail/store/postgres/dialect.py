"""What PostgreSQL wants said in its own words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from handrail.store.sql.dialect import Bounds
from handrail.store.sql.reader import LEASE, marks
from handrail.typed import Final

_NEAR: Final = (
    f"SELECT {{}} AS part, a.anchor AS anchor, {LEASE} FROM may_write a"
    " JOIN lease l ON l.token = a.token WHERE {}"
)
# Of each table whose rows are replaced: its columns in order, and how many of them are the key.
_COLUMNS: Final = {
    "session": (1, "id agent role worktree started_at ended_at secret_hash"),
    "config": (1, "id blob text seq compiled"),
    "attestation": (1, "commit seq"),
    "landing": (1, "token session kind worktree patterns commit seq at"),
    "process": (4, "boot pid_ns pid started session"),
    "task": (
        1,
        (
            "id title state opened_at number holder role failed taken phase next_phase revises"
            " waits_at"
        ),
    ),
    "packet": (
        2,
        (
            "task number kind state session agent from_role to_role patterns returns token"
            " offered_at lapses_at seq hash by settled_at note"
        ),
    ),
    "waiver": (1, "seq gate for_task reason by added_at ends_at uses used revoked"),
    "kept_row": (2, "projection key seq"),
    "written": (2, "projection blob seq"),
    "reading": (1, "session unread awaits rows"),
}


class PostgresDialect:
    """As ``store.sql.dialect``."""

    paths_hash = "paths_hash"

    def near(self, points: int, below: str) -> tuple[str, Bounds]:
        """Ask for the leases at anchors, then for all below one."""
        return _near(points, bool(below)), _between(below)

    def below(self, below: str) -> tuple[str, Bounds]:
        """Say what lies below one."""
        return _inside(bool(below), "anchor"), _between(below)

    def putting(self, table: str, row: Sequence[object]) -> str:
        """Add a row, or give the one with the same key these values."""
        return _replacing(table)


def _between(below: str) -> Bounds:
    return (below + "/", below + "0") if below else ()


def _inside(bounded: bool, anchor: str) -> str:
    return f"{anchor} > ? AND {anchor} < ?" if bounded else f"{anchor} > ''"


@cache
def _near(points: int, bounded: bool) -> str:
    """Return the statement that looks at so many anchors, then at everything below one."""
    first = _NEAR.format(0, f"a.anchor IN ({marks('?' * points)})")
    then = _NEAR.format(1, _inside(bounded, "a.anchor"))
    columns = LEASE.replace("l.", "")
    both = f"SELECT {columns}, part, anchor FROM ({first} UNION ALL {then}) found"
    return f"{both} ORDER BY part, anchor, token"


@cache
def _replacing(table: str) -> str:
    """Return the statement that adds a row or puts it in place of the one with the same key."""
    keys, names = _COLUMNS[table]
    columns = [f'"{name}"' for name in names.split()]
    rest = ", ".join(f"{name} = excluded.{name}" for name in columns[keys:])
    return (
        f"INSERT INTO {table} VALUES ({marks(columns)})"
        f" ON CONFLICT ({', '.join(columns[:keys])}) DO UPDATE SET {rest}"
    )

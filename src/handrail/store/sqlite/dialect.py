"""What SQLite wants said in its own words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from handrail.store.sql.dialect import Bounds
from handrail.store.sql.reader import LEASE, marks

_NEAR = (
    f"SELECT {LEASE} FROM may_write a"
    " CROSS JOIN lease l ON l.session = a.session AND l.token = a.token WHERE {}"
    " ORDER BY a.anchor, a.token"
)


class SqliteDialect:
    """As ``store.sql.dialect``."""

    # As in the index of the migration, to the letter; a payload that is no JSON has none.
    paths_hash = (
        "json_extract(iif(json_valid(CAST(payload AS TEXT)), CAST(payload AS TEXT), '{}'),"
        " '$.paths_hash')"
    )

    def near(self, points: int, below: str) -> tuple[str, Bounds]:
        """Ask for the leases at anchors, then between two bounds."""
        return _near(points), _between(below)

    def below(self, below: str) -> tuple[str, Bounds]:
        """Say what lies between two bounds."""
        return "anchor > ? AND anchor < ?", _between(below)

    def putting(self, table: str, row: Sequence[object]) -> str:
        """Add or replace a row."""
        return f"INSERT OR REPLACE INTO {table} VALUES ({marks(row)})"


def _between(below: str) -> Bounds:
    # To SQLite no text is greater than a blob.
    return (below + "/", below + "0") if below else ("", b"")


@cache
def _near(points: int) -> str:
    """Return the statement that looks at so many anchors, then at everything between two bounds."""
    first = _NEAR.format(f"a.anchor IN ({marks('?' * points)})")
    then = _NEAR.format("a.anchor > ? AND a.anchor < ?")
    return f"SELECT * FROM ({first}) UNION ALL SELECT * FROM ({then})"

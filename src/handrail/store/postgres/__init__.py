"""The PostgreSQL store: a workspace for many hosts, in a schema of its own."""

from handrail.errors.server import DriverMissing

try:
    from handrail.store.postgres.store import PostgresStore
except ImportError as missing:
    # It is an extra: who keeps the store in a file needs no driver.
    if (missing.name or "").partition(".")[0] != "psycopg":
        raise
    raise DriverMissing from missing

__all__ = ["PostgresStore"]

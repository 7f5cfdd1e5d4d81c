"""The PostgreSQL store: a workspace for many hosts, in a schema of its own."""

from handrail.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]

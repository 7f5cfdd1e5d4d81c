"""The SQLite store: one file a workspace, shared by all worktrees of a clone."""

from handrail.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]

"""What several files of races stand on."""

from __future__ import annotations

from tests.races.test_postgres import clones

__all__ = ["clones"]

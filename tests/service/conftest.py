"""Worlds for the tests of the use cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.world import World, make_world


@pytest.fixture
def world(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A repository under Handrail with the preset ``minimal`` in force and nobody at work."""
    return make_world(tmp_path, tmp_path_factory.getbasetemp())

"""Worlds for the tests of the command line, and the option that rewrites golden files.

``pytest tests/cli --update-golden`` (or ``make test ARGS="tests/cli --update-golden"``) writes what
the commands say today into ``tests/cli/golden``; read the difference before you commit it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.world import World, make_world


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite tests/cli/golden from what is said now",
    )


@pytest.fixture
def world(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A repository under Handrail with the preset ``minimal`` in force and nobody at work."""
    return make_world(tmp_path, tmp_path_factory.getbasetemp())

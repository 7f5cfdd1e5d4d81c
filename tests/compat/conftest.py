"""What the tests of other systems' documents stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.mosaic_ground import Ground, make_ground


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A repository whose people follow the handoff documents, with a remote."""
    return make_ground(tmp_path, tmp_path_factory.mktemp("mosaic-template"))

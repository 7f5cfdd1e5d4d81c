"""What the tests of other systems' documents stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.cooperation_ground import Ground as Cooperation
from tests.compat.cooperation_ground import make_ground as make_cooperation
from tests.compat.mosaic_ground import Ground, make_ground


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A repository whose people follow the handoff documents, with a remote."""
    return make_ground(tmp_path, tmp_path_factory.mktemp("mosaic-template"))


@pytest.fixture
def mob(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Cooperation:
    """A repository whose people work by the cooperation documents, and one session."""
    return make_cooperation(tmp_path, tmp_path_factory.mktemp("cooperation-template"))

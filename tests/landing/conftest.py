"""A remote that judges and a clone whose store it has enrolled, copied for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import surround
from tests.landing.ground import Ground


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ground that is set up, to be copied."""
    folder = tmp_path_factory.mktemp("landing") / "ground"
    with pytest.MonkeyPatch.context() as environment:
        # What surrounds a test is not there yet when the first of them asks for this.
        surround(environment, folder.parent, "landing")
        Ground.make(folder)
    return folder


@pytest.fixture
def ground(template: Path, tmp_path: Path) -> Ground:
    """A ground of the test's own."""
    return Ground.copied(template, tmp_path / "ground")

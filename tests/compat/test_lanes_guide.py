"""The guide for lanes: its transcript is what happens, and every deviation has its test."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from tests.compat.lanes_ground import Ground, make_ground
from tests.support import ROOT

GUIDE: Final = (ROOT / "docs" / "guides" / "lanes.md").read_text(encoding="utf-8")
TESTS: Final = Path(__file__).parent
INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def part(name: str) -> str:
    """Return what stands between the marks of a name."""
    found = re.search(rf"<!-- begin: {name} -->\n(.*?)<!-- end: {name} -->", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A repository whose people follow the lanes' document."""
    return make_ground(tmp_path, tmp_path_factory.mktemp("lanes-template"))


def test_the_transcript_is_what_happens_each_line_in_a_process_of_its_own(ground: Ground) -> None:
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ |```).*\n)*)", part("transcript"), re.MULTILINE)
    assert len(steps) > 10
    environment: dict[str, str] = {}
    for line, wanted in steps:
        if line.startswith("export "):
            name, _, value = shlex.split(line)[1].partition("=")
            environment[name] = value
            continue
        done = ground.types(line, environment)
        told = done.out + (f"[exit {done.code}]\n" if done.code else "")
        assert INSTANT.sub("INSTANT", told) == INSTANT.sub("INSTANT", wanted), done


def test_every_deviation_has_its_test() -> None:
    names = set()
    for module in TESTS.glob("test_lanes_*.py"):
        names |= set(re.findall(r"^def (test_\w+)\(", module.read_text(), re.MULTILINE))
    rows = [row.split(" | ") for row in part("deviations").splitlines()[2:]]
    assert len(rows) >= 15
    for row in rows:
        assert len(row) == 3, row
        assert row[2].strip(" |`") in names, row

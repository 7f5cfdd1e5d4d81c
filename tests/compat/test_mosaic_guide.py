"""The guide for mosaic: its transcript is what happens, and every deviation has its test."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.compat.mosaic_ground import Ground
from tests.support import ROOT

GUIDE: Final = (ROOT / "docs" / "guides" / "mosaic.md").read_text(encoding="utf-8")
TESTS: Final = ROOT / "tests"


def part(name: str) -> str:
    """Return what stands between the marks of a name."""
    found = re.search(rf"<!-- begin: {name} -->\n(.*?)<!-- end: {name} -->", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_transcript_is_what_happens_each_line_in_a_process_of_its_own(ground: Ground) -> None:
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ |```).*\n)*)", part("transcript"), re.MULTILINE)
    assert len(steps) > 10
    for line, wanted in steps:
        assert ground.types(line).out == wanted, line


def test_every_deviation_has_its_test() -> None:
    names = set()
    for module in (*TESTS.glob("compat/test_mosaic_*.py"), TESTS / "facts/test_services.py"):
        names |= set(re.findall(r"^def (test_\w+)\(", module.read_text("utf-8"), re.MULTILINE))
    rows = [row.split(" | ") for row in part("deviations").splitlines()[2:]]
    assert len(rows) >= 15
    for row in rows:
        assert len(row) == 3, row
        assert row[2].strip(" |`") in names, row


@pytest.mark.nightly
def test_the_example_of_the_guide_runs(ground: Ground) -> None:
    found = re.search(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert found is not None
    ground.repo.write(".mosaic/enforcement/ours.py", found[1])
    ground.repo.write("CHANGELOG.md", "- search\n")
    ground.saves()
    done = ground.types("python3 .mosaic/enforcement/ours.py --pre-handoff")
    assert (done.code, "  ✅ PASS: It has one\n" in done.out) == (0, True), done.out
    assert "RESULTS: 7/7 tests passed\n" in done.out

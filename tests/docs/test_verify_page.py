"""The page about landing knows every answer of rule V, and puts it where it belongs."""

from __future__ import annotations

import re

import pytest

from handrail.core.landing import CODES, PASS
from handrail.service import court, evidence
from tests.support import ROOT

PAGE = (ROOT / "docs" / "verify.md").read_text(encoding="utf-8")
PASSES, FAILS = PAGE.split("## When it does not")


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_on_the_page_under_what_it_comes_to(code: str) -> None:
    passes = CODES[code][0] == PASS
    assert (f"\n| `{code}` |" in PASSES, f"\n| `{code}` |" in FAILS) == (passes, not passes)


def test_the_page_has_no_code_that_is_not_there() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(CODES)


def test_the_bounds_are_those_of_the_program() -> None:
    assert f"last {evidence.ALIKE_MAX} attestations" in PAGE
    bounds = rf"last {court.SQUASHES_MAX} commits.*\s.*to\s+{court.HEADS_MAX} branches"
    assert re.search(bounds, PAGE)

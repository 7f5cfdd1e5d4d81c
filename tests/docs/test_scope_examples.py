"""The examples of scopes in docs/concepts.md are what the program decides."""

from __future__ import annotations

import re
from typing import Final

import pytest

from handrail.core.scope import matches, parse_pattern, witness
from tests.support import ROOT

PAGE: Final = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")


def rows(head: str) -> list[list[list[str]]]:
    """Return the rows of the table with this head, each cell as the code in it."""
    lines = PAGE.splitlines()
    start = lines.index(head) + 2
    found = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        found.append([re.findall(r"`([^`]*)`", cell) for cell in line.strip("| ").split(" | ")])
    return found


@pytest.mark.parametrize("row", rows("| pattern | means | but not |"), ids=lambda row: row[0][0])
def test_a_pattern_means_what_the_page_says(row: list[list[str]]) -> None:
    (text,), means, but_not = row
    pattern = parse_pattern(text)
    assert [path for path in means if not matches(pattern, path)] == []
    assert [path for path in but_not if matches(pattern, path)] == []
    assert means
    assert but_not


@pytest.mark.parametrize("row", rows("| one | the other | witness |"), ids=lambda row: row[0][0])
def test_two_patterns_meet_where_the_page_says(row: list[list[str]]) -> None:
    (one,), (other,), shown = row
    assert witness(parse_pattern(one), parse_pattern(other)) == (shown[0] if shown else None)

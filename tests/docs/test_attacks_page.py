"""The page about attacks has what the table of attacks has.

The table grows; ``python -m tests.docs.test_attacks_page`` writes the page anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from tests.landing.attacks import ATTACKS, OUTSIDE
from tests.support import ROOT

PAGE: Final = ROOT / "docs" / "attacks.md"
COMMAND: Final = "python -m tests.docs.test_attacks_page"


def written(text: str) -> str:
    """Return the page with the tables as they are today."""
    stopped = ((one.name, f"`{one.stopped_by}`") for one in ATTACKS)
    text = _with_table(text, "attacks", ("attack", "stopped by"), stopped)
    return _with_table(text, "outside", ("what", "why it is not stopped"), OUTSIDE)


def _with_table(text: str, name: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Put a table between its marks."""
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    block = "\n".join([begin, "", *lines, "", end])
    found, count = re.subn(f"{begin}.*?{end}", lambda _: block, text, flags=re.DOTALL)
    assert count == 1, f"{PAGE.name} has not one block {name}"
    return found


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def test_the_page_lists_every_attack_and_what_is_outside() -> None:
    found = PAGE.read_text(encoding="utf-8")
    assert found == written(found), f"docs/{PAGE.name} is out of date; run: {COMMAND}"


def test_every_code_that_stops_an_attack_is_explained() -> None:
    pages = [ROOT / "docs" / name for name in ("verify.md", "receiving.md", "errors.md")]
    told = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert {one.stopped_by for one in ATTACKS if f"| `{one.stopped_by}` |" not in told} == set()


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

"""Decisions are recorded in one form, one number each, and the index knows them all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.support import ROOT

FOLDER: Final = ROOT / "docs" / "adr"
RECORDS: Final = sorted(FOLDER.glob("*.md"))
SECTIONS: Final = ["Context", "Decision", "Consequences", "Alternatives considered"]
STATUSES: Final = r"proposed|accepted|rejected|deprecated|superseded by \[\d{4}\]\(.*\)"


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem[:4])
def test_a_record_has_its_title_status_date_and_sections(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    assert re.match(rf"# {record.stem[:4]} \S", text)
    assert re.search(rf"^- Status: (?:{STATUSES})$", text, re.MULTILINE)
    assert re.search(r"^- Date: \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS


def test_records_are_numbered_without_a_gap_and_named_after_their_number() -> None:
    assert [record.name[:5] for record in RECORDS] == [
        f"{number:04}-" for number in range(1, len(RECORDS) + 1)
    ]
    assert len(RECORDS) >= 8


def test_the_index_links_every_record() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert [record.name for record in RECORDS if f"(adr/{record.name})" not in index] == []

"""What the documents take from the code is what the code says today."""

from __future__ import annotations

import pytest

from tests.support import ROOT
from tools import docs


@pytest.mark.parametrize("page", sorted(docs.rendered()))
def test_what_is_drawn_from_the_code_is_up_to_date(page: str) -> None:
    found = (ROOT / page).read_text(encoding="utf-8")
    assert found == docs.rendered()[page], f"{page} is out of date; run: {docs.COMMAND}"


def test_a_page_without_its_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="no block limits"):
        docs._with_block("nothing here\n", "limits", "")

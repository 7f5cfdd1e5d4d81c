"""Every link in the documents leads somewhere, and every page can be reached from the index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support import ROOT

LINK: Final = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING: Final = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
CODE: Final = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def documents() -> list[Path]:
    """List what people read: the pages at the root, in docs and in changelog.d."""
    return sorted(
        [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "changelog.d").glob("*.md")]
    )


def links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """Yield each link within the project: as written, the file it means, its anchor or ""."""
    for written in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in written or written.startswith("mailto:"):
            continue
        path, _, anchor = written.partition("#")
        yield written, (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> set[str]:
    """List the anchors that a page's headings make."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def test_every_link_leads_to_a_file_and_a_heading_that_exist() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {written}"
        for page in documents()
        for written, target, anchor in links(page)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert broken == []


def test_every_page_of_the_docs_can_be_reached_from_the_index() -> None:
    reached: set[Path] = set()
    queue = [ROOT / "docs" / "README.md"]
    while queue:
        page = queue.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        queue.extend(target for _, target, _ in links(page))
    assert [
        str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md") if p not in reached
    ] == []

"""A verdict as Markdown, for the page that a forge shows of a run.

Promises: whatever comes from outside (titles, paths, branches) stands in it as text that renders as
itself: no HTML, no link, no mention, no image, no table of its own; the whole has a bound in bytes.

    summary("refused", [Row("error", "scope_held", "src/a.py", "pull request #7 …")], [])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from handrail.core.record import Record
from handrail.text import visible

SUMMARY_BYTES_MAX: Final = 1 << 20
ROWS_MAX: Final = 100
NOTES_MAX: Final = 20
CELL_CHARS_MAX: Final = 300
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ")
_SIGNS: Final = {"pass": "may land", "refused": "may not land", "cannot-tell": "cannot be judged"}


class Row(Record):
    """One objection or notice: how grave, its code, where, and why."""

    level: str
    code: str
    path: str | None
    sentence: str


def summary(verdict: str, what: str, rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Write a verdict about something as Markdown of at most SUMMARY_BYTES_MAX bytes."""
    top = f"### Handrail: {text(what)} {_SIGNS[verdict]}\n\n"
    lines = ["| | code | where | why |\n", "|---|---|---|---|\n"] if rows else []
    for row in rows[:ROWS_MAX]:
        where = "" if row.path is None else code(row.path)
        lines.append(f"| {text(row.level)} | {code(row.code)} | {where} | {text(row.sentence)} |\n")
    if len(rows) > ROWS_MAX:
        lines.append(f"\nand {len(rows) - ROWS_MAX} more\n")
    lines += [f"\n{text(note)}\n" for note in notes[:NOTES_MAX]]
    written = top + "".join(lines)
    assert len(written.encode("utf-8")) <= SUMMARY_BYTES_MAX, "rows and cells have bounds"
    return written


def text(raw: str) -> str:
    """Write text so that Markdown has nothing to read into it."""
    shown = visible(raw)
    shown = shown if len(shown) <= CELL_CHARS_MAX else f"{shown[:CELL_CHARS_MAX]} …"
    return "".join(char if char in _PLAIN else f"&#{ord(char)};" for char in shown)


def code(raw: str) -> str:
    """Write text as code, where no forge looks for mentions and numbers."""
    return f"<code>{text(raw)}</code>"

r"""Front matter: the few lines of YAML at the top of a rule file, as far as such files use it.

Promise: pure; linear; what is not understood is named, and hides nothing of the rest.

    >>> read_front(["---", "role: executor", "handoffs: [architect, auditor]", "---", "# Rules"])
    ((Entry(key='role', value='executor', line=2),
      Entry(key='handoffs', value='architect', line=3),
      Entry(key='handoffs', value='auditor', line=3)), 4, '')
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from handrail.core.record import Record

LINES_MAX: Final = 200
_KEY: Final = re.compile(r"([ ]{0,8})([A-Za-z_][\w.-]{0,63})[ ]*:(?:[ ]+(.*))?$")
_LISTED: Final = re.compile(r"[ ]{0,8}-[ ]+(.*)$")


class Entry(Record):
    """A key with dots into what it stands below, one of its values, and its line."""

    key: str
    value: str
    line: int


def read_front(lines: Sequence[str]) -> tuple[tuple[Entry, ...], int, str]:
    """Return the entries, how many lines they take, and what could not be read of them."""
    if not lines or lines[0].removeprefix("\ufeff").rstrip() != "---":
        return (), 0, ""
    ends = (n for n, line in enumerate(lines[1:LINES_MAX], 1) if line.rstrip() in ("---", "..."))
    end = next(ends, 0)
    if not end:
        return (), 0, "its front matter has no end, and was read as text"
    entries: list[Entry] = []
    wrong: list[int] = []
    parents: list[tuple[int, str]] = []
    for number in range(1, end):
        found = _read_line(lines[number].rstrip(), number + 1, parents)
        if found is None:
            wrong.append(number + 1)
            continue
        entries += found
    problem = f"its front matter cannot be read at line {wrong[0]}" if wrong else ""
    return tuple(entries), end + 1, problem


def _read_line(line: str, number: int, parents: list[tuple[int, str]]) -> list[Entry] | None:
    """Return what a line says, None for what makes no sense there."""
    if not line.strip() or line.lstrip().startswith("#"):
        return []
    listed = _LISTED.match(line)
    if listed is not None and parents:
        return [Entry(parents[-1][1], _bare(listed[1]), number)]
    pair = _KEY.match(line)
    if pair is None:
        # What goes on over several lines: a folded or a quoted text.
        return [Entry(parents[-1][1], line.strip(), number)] if line[0] == " " and parents else None
    depth = len(pair[1])
    while parents and parents[-1][0] >= depth:
        parents.pop()
    key = f"{parents[-1][1]}.{pair[2]}" if parents else pair[2]
    parents.append((depth, key.lower()))
    value = (pair[3] or "").strip()
    if value in ("", "|", ">", "|-", ">-", "[]", "{}"):
        return []
    if value.startswith("[") and value.endswith("]"):
        return [Entry(key.lower(), _bare(one), number) for one in value[1:-1].split(",")]
    return [Entry(key.lower(), _bare(value), number)]


def _bare(value: str) -> str:
    return value.strip().strip("\"'").strip()

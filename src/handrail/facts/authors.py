"""Who commits say made them: a claim of whoever made the commit, and no more than that.

Promise: names and addresses come from the commit objects themselves, past every mailmap and
replacement; a commit that cannot be read is FactsUnavailable.

    authors(place.toplevel, ["9f2c…"])   # {"9f2c…": "Ada <ada@example.org>"}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from handrail.errors import FactsUnavailable
from handrail.facts.neutral import neutral

AUTHOR_CHARS_MAX: Final = 1_000


def authors(folder: str, commits: Sequence[str]) -> dict[str, str]:
    """Return ``name <mail>`` of the author of each commit, by full id."""
    if not commits:
        return {}
    asked = "".join(f"{one}\n" for one in commits).encode("ascii")
    with neutral(folder) as git:
        said = git.ask(["cat-file", "--batch"], asked)
    found, start = {}, 0
    for commit in commits:
        end = said.find(b"\n", start)
        words = said[start:end].split(b" ")
        if end < 0 or len(words) != 3 or words[1] != b"commit":
            raise FactsUnavailable(what=f"commit {commit}", reason="it is missing or no commit")
        size = int(words[2])
        found[commit] = _author(said[end + 1 : end + 1 + size])
        start = end + 2 + size
    return found


def _author(content: bytes) -> str:
    top = content.partition(b"\n\n")[0].split(b"\n")
    lines = [line[7:] for line in top if line.startswith(b"author ")]
    who = lines[0].rpartition(b">")[0] + b">" if lines else b""
    return who.decode("utf-8", "replace")[:AUTHOR_CHARS_MAX]

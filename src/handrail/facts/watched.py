"""The documents that triggers watch, found by their globs and read within bounds.

Promises: no link is followed, nothing outside the working tree and nothing of git's own is read;
after ``ENTRIES_MAX`` names a search ends and says so; a file that cannot be read is told of.

    found, whole = watched("/repo", parse_pattern("plans/*.json"))   # [("plans/a.json", b"{…")]
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from handrail import errors
from handrail.core.scope import Pattern, matches
from handrail.facts.folders import document

ENTRIES_MAX: Final = 20_000
DOCUMENTS_MAX: Final = 200
DOCUMENT_BYTES_MAX: Final = 1 << 20


def watched(toplevel: str, pattern: Pattern) -> tuple[list[tuple[str, bytes | str]], bool]:
    """Return the documents under a glob, by path, and whether these are all of them.

    Of one that cannot be read there is the reason in the place of its bytes.
    """
    found: list[tuple[str, bytes | str]] = []
    whole = False
    for entries, path in enumerate(_below(toplevel, pattern.anchor)):
        if entries == ENTRIES_MAX or len(found) == DOCUMENTS_MAX:
            break
        if matches(pattern, path):
            found.append((path, _content(toplevel, path)))
    else:
        whole = True
    return sorted(found, key=lambda one: one[0]), whole


def _content(toplevel: str, path: str) -> bytes | str:
    """Return the bytes of a document, or why there are none."""
    try:
        content = document(toplevel, path, DOCUMENT_BYTES_MAX)
    except errors.FactsUnavailable as error:
        return str(error.values["reason"])
    return "it is not there" if content is None else content


def _below(toplevel: str, anchor: str) -> Iterator[str]:
    """Yield the paths of files at or below a repo-relative path, by name."""
    top = os.path.join(toplevel, anchor) if anchor else toplevel
    if os.path.realpath(top) != os.path.join(os.path.realpath(toplevel), anchor).rstrip("/"):
        return  # a link on the way leads elsewhere
    if os.path.isfile(top):
        yield anchor
        return
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if name != ".git")
        inside = os.path.relpath(folder, toplevel)
        for name in sorted(files):
            yield name if inside == "." else f"{inside}/{name}"

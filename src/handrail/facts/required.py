"""Documents that somebody has to read: what their bytes are, or why nobody can tell.

Promises: nothing is waited for (a pipe, a device), no link out of the working tree is followed, and
no more than a bound is read; what the working tree does not have is looked up in HEAD's commit, by
one git for all of it. Nothing is raised: what cannot be read has a ``fault`` in words.

    documents("/repo", ["AGENTS.md"])[0].digest   # "9f2c…"
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256

from handrail.core.reading import Document
from handrail.errors import FactsUnavailable, HandrailError, MalformedScope
from handrail.facts.files import read_bounded
from handrail.facts.paths import resolve
from handrail.text import visible
from handrail.typed import Final

DOCUMENT_BYTES_MAX: Final = 4 << 20
TEXT_BYTES_MAX: Final = 8_000
"""Of a document up to this size the text is told besides, if it is plain."""
NOT_THERE: Final = "it is not there"


def documents(toplevel: str, paths: Sequence[str]) -> list[Document]:
    """Return each document as it lies in the working tree, else as HEAD's commit holds it."""
    found = {path: _here(toplevel, path) for path in paths}
    lost = [path for path, one in found.items() if one.fault]
    found.update(_at_head(toplevel, lost) if lost else {})
    return [found[path] for path in paths]


def _here(toplevel: str, path: str) -> Document:
    try:
        place = f"{toplevel}/{resolve(toplevel, path)[-1]}"
        if os.path.isdir(place):
            return Document(path, fault="it is a folder: name its files")
        content = read_bounded(place, DOCUMENT_BYTES_MAX)
    except MalformedScope:
        return Document(path, fault="it leads out of the working tree by a link")
    except FactsUnavailable as error:
        return Document(path, fault=f"it cannot be read: {error.values['reason']}")
    except (OSError, ValueError) as error:
        return Document(path, fault=f"it cannot be read: {type(error).__name__}")
    if content is None:
        return Document(path, fault=NOT_THERE)
    return _of(path, content, "")


def _of(path: str, content: bytes, commit: str) -> Document:
    if len(content) > DOCUMENT_BYTES_MAX:
        return Document(path, fault=f"it is longer than {DOCUMENT_BYTES_MAX} bytes")
    return Document(path, sha256(content).hexdigest(), commit, "", _text(content))


def _text(content: bytes) -> str:
    """Return a short text of which every character can be shown; else ''."""
    if len(content) > TEXT_BYTES_MAX:
        return ""
    try:
        text = content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return ""
    plain = text.replace("\t", " ").split("\n")
    return text if all(visible(line) == line for line in plain) else ""


def _at_head(toplevel: str, paths: Sequence[str]) -> dict[str, Document]:
    """Return those of these documents that HEAD's commit holds as files."""
    from handrail.facts.named import held
    from handrail.facts.refs import head_of

    try:
        commit = head_of(toplevel)[0]
        there = held(toplevel, commit, paths)
    except HandrailError:
        return {}
    known = {path: _of(path, content, commit) for path, content in there.items() if content}
    return {path: one for path, one in known.items() if not one.fault}

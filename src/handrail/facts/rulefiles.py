"""Rule files of a working tree: which there are, and their texts.

Promises: nothing outside of the working tree is read, whatever links say; what is not read is named
with the reason; so many files and bytes and no more, and that is said, too. Files come in the order
of their names.

    found = read_rules("/repo", ())
    found.texts["AGENTS.md"], found.unread
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from typing import Final

from handrail.core.record import Record
from handrail.errors import FactsUnavailable
from handrail.facts.files import read_bounded
from handrail.text import visible

FILE_BYTES_MAX: Final = 4 << 20
TOTAL_BYTES_MAX: Final = 16 << 20
FILES_MAX: Final = 2_000
ENTRIES_MAX: Final = 50_000
DEPTH_MAX: Final = 30
USUAL: Final = ("AGENTS.md", "CLAUDE.md", ".directive-cli/docs/agent-rules", ".claude")
SUFFIXES: Final = (".md", ".mdc", ".markdown", ".json", ".txt")
_NEVER: Final = frozenset((".git", "node_modules", ".venv"))
_LOCAL: Final = frozenset(("worktrees", "projects", "todos", "shell-snapshots", "statsig"))
"""Below ``.claude``: what Claude Code keeps there for itself."""


class Unread(Record):
    """A path that was not read, and why."""

    path: str
    reason: str


class Rules(Record):
    """Texts by their paths from the top of the working tree, and what was not read."""

    texts: dict[str, str]
    unread: tuple[Unread, ...]


def read_rules(toplevel: str, paths: Sequence[str]) -> Rules:
    """Read the files at these paths from the top and below them; at the usual places for none."""
    root = os.path.realpath(toplevel)
    texts: dict[str, str] = {}
    unread: list[Unread] = []
    seen: set[str] = set()
    total = 0
    for number, path in enumerate(_found(root, paths or USUAL, bool(paths), unread)):
        if number == FILES_MAX:
            unread.append(Unread(path, f"more than {FILES_MAX} files: this and what follows it"))
            break
        real = os.path.realpath(os.path.join(root, path))
        if not _within(root, real):
            unread.append(Unread(path, "it leads out of the working tree"))
            continue
        if real in seen:
            continue
        seen.add(real)
        text = _text(real)
        if isinstance(text, Unread):
            unread.append(text._replace(path=path))
            continue
        total += len(text)
        if total > TOTAL_BYTES_MAX:
            unread.append(Unread(path, f"more than {TOTAL_BYTES_MAX} bytes: this and what follows"))
            break
        texts[path] = text
    return Rules(texts, tuple(unread))


def _found(root: str, paths: Sequence[str], asked: bool, unread: list[Unread]) -> Iterator[str]:
    budget = [ENTRIES_MAX]
    for path in paths:
        full = os.path.join(root, path)
        try:
            mode = os.stat(full).st_mode
        except OSError as error:
            if asked or os.path.lexists(full):
                unread.append(Unread(path, error.strerror or "it cannot be read"))
            continue
        if not stat.S_ISDIR(mode):
            yield path
        elif not _within(root, os.path.realpath(full)):
            unread.append(Unread(path, "it leads out of the working tree"))
        else:
            yield from _below(root, path, 0, budget, unread)


def _below(
    root: str, folder: str, depth: int, budget: list[int], unread: list[Unread]
) -> Iterator[str]:
    """Yield what may be a rule file below a folder; links to folders are not followed."""
    try:
        with os.scandir(os.path.join(root, folder)) as entries:
            rows = sorted(_some(entries, budget), key=lambda entry: entry.name)
    except OSError as error:
        unread.append(Unread(folder, error.strerror or "it cannot be read"))
        return
    for entry in rows:
        path = entry.name if folder in ("", ".") else f"{folder}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            own = folder.rpartition("/")[2] == ".claude" and entry.name in _LOCAL
            if entry.name in _NEVER or own:
                continue
            if depth == DEPTH_MAX:
                unread.append(Unread(path, f"folders deeper than {DEPTH_MAX} are not looked into"))
                continue
            yield from _below(root, path, depth + 1, budget, unread)
        elif entry.is_symlink() and os.path.isdir(entry.path):
            unread.append(Unread(path, "a link to a folder is not followed"))
        elif entry.name.lower().endswith(SUFFIXES) or entry.name == "AGENTS.md":
            yield path
    if budget[0] <= 0:
        budget[0] = 0
        if not any(one.reason.startswith("more than") for one in unread):
            unread.append(
                Unread(folder, f"more than {ENTRIES_MAX} entries: not all were looked at")
            )


def _some(entries: Iterator[os.DirEntry[str]], budget: list[int]) -> Iterator[os.DirEntry[str]]:
    for entry in entries:
        budget[0] -= 1
        if budget[0] < 0:
            return
        yield entry


def _within(root: str, real: str) -> bool:
    return real.startswith(root + "/") and not f"{real}/".startswith(f"{root}/.git/")


def _text(real: str) -> str | Unread:
    """Return what a file says, or why nobody can tell."""
    try:
        content = read_bounded(real, FILE_BYTES_MAX)
    except FactsUnavailable as error:
        return Unread("", visible(str(error.values["reason"])))
    if content is None:
        return Unread("", "it is not there")
    if len(content) > FILE_BYTES_MAX:
        return Unread("", f"it has more than {FILE_BYTES_MAX} bytes")
    if b"\0" in content:
        return Unread("", "it is binary: it holds a NUL byte")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Unread("", f"it is not UTF-8 (line {line})")

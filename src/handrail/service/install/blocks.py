"""Blocks of Handrail's own in files of the working tree, and which files can be changed at all.

Promise: as in ``marked``; what stands there is never replaced by another kind of thing, and a file
in which nothing else was goes with its block.
"""

from __future__ import annotations

from typing import Final

from handrail.service.install import marked
from handrail.service.install.marked import Marked
from handrail.service.install.site import (
    CREATED,
    FILE,
    KEPT,
    LEFT,
    LINK,
    MERGED,
    NOTHING,
    REMOVED,
    RESTORED,
    Seen,
    Site,
    Step,
)

_PLAIN: Final = 0o666
_ANY_WRITE: Final = 0o222


class Unfit(Exception):
    """What stands there cannot be changed without harm; the words say why."""


def fit(site: Site, file: str) -> Seen:
    """Look at a file of this working tree's own; raises Unfit where it can be none."""
    parts = file.split("/")
    for count in range(1, len(parts)):
        folder = "/".join(parts[:count])
        above = site.look(f"{site.toplevel}/{folder}")
        if above.kind == LINK:
            raise Unfit(f"{folder} is a symbolic link")
        if above.kind not in ("folder", NOTHING):
            raise Unfit(f"{folder} is no folder")
    seen = site.look(f"{site.toplevel}/{file}")
    if seen.kind == LINK:
        raise Unfit("it is a symbolic link")
    if seen.kind not in (FILE, NOTHING):
        raise Unfit("it is no ordinary file")
    return seen


def install_block(site: Site, path: str, seen: Seen, block: Marked, *, dry_run: bool) -> Step:
    """Put the block into a file, which may not be there yet; raises Unfit."""
    if not seen.whole:
        raise Unfit("it is larger than 1 MiB")
    try:
        wanted = marked.with_block(seen.content, block)
    except marked.Unpaired as error:
        raise Unfit("the marks of Handrail's block are not a pair") from error
    if wanted == seen.content:
        return Step(path, KEPT)
    if seen.kind == FILE and not seen.mode & _ANY_WRITE:
        raise Unfit("it is read-only")
    if not dry_run:
        site.write(path, wanted, seen, _PLAIN)
    return Step(path, CREATED if seen.kind == NOTHING else MERGED)


def uninstall_block(
    site: Site, path: str, seen: Seen, block: Marked, *, dry_run: bool
) -> list[Step]:
    """Take the block out of a file, and the file away if nothing else is in it."""
    try:
        text = marked.without(seen.content, block)
    except marked.Unpaired:
        note = "the marks of Handrail's block are not a pair; take it out by hand"
        return [Step(path, LEFT, note)]
    if seen.kind != FILE or text == seen.content:
        return []
    if not seen.mode & _ANY_WRITE:
        return [Step(path, LEFT, "it is read-only; take Handrail's block out by hand")]
    if not text:
        if not dry_run:
            site.remove(path)
        return [Step(path, REMOVED)]
    if not dry_run:
        site.write(path, text, seen, _PLAIN)
    return [Step(path, RESTORED)]

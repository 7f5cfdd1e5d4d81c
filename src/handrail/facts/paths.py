"""Symbolic links in the working tree: which paths a scope really means."""

from __future__ import annotations

import os
import stat

from handrail.errors import MalformedScope


def resolve(toplevel: str, anchor: str) -> list[str]:
    """Follow links in a repo-relative path without wildcards.

    Folders on the way are replaced by what they point to. If the path itself is a link, both it
    and its target are returned: git tracks the one, an editor writes the other. Parts that do not
    exist are kept. Raises MalformedScope where a link leads out of the working tree.
    """
    if not _has_link(toplevel, anchor):
        return [anchor]
    root = os.path.realpath(toplevel)
    folder, name = os.path.split(anchor)
    inside = _relative(root, os.path.realpath(os.path.join(root, folder)), anchor)
    itself = f"{inside}/{name}" if inside else name
    target = _relative(root, os.path.realpath(os.path.join(root, itself)), anchor)
    return [itself] if target == itself else [path for path in (itself, target) if path]


def _has_link(toplevel: str, anchor: str) -> bool:
    path = toplevel
    for part in anchor.split("/"):
        path = f"{path}/{part}"
        try:
            mode = os.lstat(path).st_mode
        except (OSError, ValueError):
            return False
        if stat.S_ISLNK(mode):
            return True
    return False


def _relative(root: str, path: str, anchor: str) -> str:
    if path == root:
        return ""
    if not path.startswith(root + "/"):
        raise MalformedScope(scope=anchor, reason="it leads out of the working tree by a link")
    return path[len(root) + 1 :]

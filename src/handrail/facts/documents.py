"""What documents and reports about a handoff name: a file behind links, short states, the upstream.

Promises: as in ``facts.git``; nothing is written, no file outside the working tree is read, and a
link is followed within it.

    short_states("/repo")             # {"src/a.py": "M", "new.py": "??"}
    upstream("/repo", "topic")        # ("origin/topic", "b036871…")
"""

from __future__ import annotations

import os

from handrail.errors import FactsUnavailable
from handrail.facts.files import read_bounded
from handrail.facts.git import ask
from handrail.facts.refs import ref_value
from handrail.typed import Final

TEXT_BYTES_MAX: Final = 4 << 20
_STATUS: Final = ("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")


def behind_links(toplevel: str, path: str) -> tuple[str, bytes] | None:
    """Return where a path leads in the working tree, and the bytes there; None for no file."""
    root = os.path.realpath(toplevel)
    full = os.path.realpath(os.path.join(root, path))
    place = os.path.relpath(full, root)
    if place.split(os.sep)[0] in (os.pardir, ".git"):
        raise FactsUnavailable(what=path, reason="it leads out of the working tree")
    try:
        content = read_bounded(full, TEXT_BYTES_MAX) if os.path.lexists(full) else None
    except FactsUnavailable as error:
        raise FactsUnavailable(what=path, reason=str(error.values["reason"])) from error
    if content is not None and len(content) > TEXT_BYTES_MAX:
        raise FactsUnavailable(what=path, reason=f"it has more than {TEXT_BYTES_MAX} bytes")
    return None if content is None else (place, content)


def short_states(toplevel: str) -> dict[str, str]:
    """Return the paths that differ from HEAD, each with the letters that git gives it."""
    said = ask(toplevel, list(_STATUS)).split(b"\0")
    rows = [os.fsdecode(line) for line in said if len(line) > 3]
    return {row[3:]: row[:2].strip() for row in rows}


def upstream(toplevel: str, branch: str) -> tuple[str, str]:
    """Return the name of what a branch is pushed to, and its commit as last seen; '' for none.

    Where the branch has no upstream, it is the branch of its name at ``origin``, or the first.
    """
    words = ["for-each-ref", "--format=%(upstream)", f"refs/heads/{branch}"]
    ref = os.fsdecode(ask(toplevel, words)).strip()
    if not ref.startswith("refs/remotes/"):
        remotes = os.fsdecode(ask(toplevel, ["remote"])).splitlines()
        remote = "origin" if "origin" in remotes or not remotes else remotes[0]
        ref = f"refs/remotes/{remote}/{branch}"
    return ref.removeprefix("refs/remotes/"), ref_value(toplevel, ref)


def changed_lately(toplevel: str, path: str, days: int) -> bool:
    """Tell whether a path differs from HEAD, or a commit of the last ``days`` changed it."""
    if ask(toplevel, ["--literal-pathspecs", *_STATUS, "--", path]):
        return True
    if not ref_value(toplevel, "HEAD"):
        return False
    words = ["log", "-1", "--format=%H", f"--since={days}.days.ago", "HEAD", "--", path]
    return bool(ask(toplevel, ["--literal-pathspecs", *words]).strip())

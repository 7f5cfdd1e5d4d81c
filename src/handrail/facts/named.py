"""What a commit holds at some paths, what lies there now, and what a task's commits changed.

Promises: as in ``facts.git``; one git for all paths of a question; what is too large to be read is
FactsUnavailable. In the working tree no link is followed.

    held("/repo", "HEAD", ["src/a.py", "src"])   # {"src/a.py": b"…", "src": None}
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from handrail.errors import FactsUnavailable
from handrail.facts.files import read_bounded
from handrail.facts.git import COMMITS_MAX, HEX, ask, changed_paths
from handrail.typed import Final

FILE_BYTES_MAX: Final = 16 << 20
ALL_BYTES_MAX: Final = 64 << 20
ID_CHARS_MIN: Final = 7


def held(toplevel: str, commit: str, paths: Sequence[str]) -> dict[str, bytes | None]:
    """Return the files that a commit holds at these paths; None for a folder, or a submodule."""
    if not paths or not commit:
        return {}
    lines = "".join(f"{commit}:{path}\n" for path in paths)
    said = ask(toplevel, ["cat-file", "--batch-check"], os.fsencode(lines)).split(b"\n")
    found: dict[str, bytes | None] = {}
    wanted: list[tuple[str, str]] = []
    total = 0
    for path, line in zip(paths, said, strict=False):
        words = line.split()
        if len(words) != 3 or not HEX.issuperset(words[0].decode("ascii", "replace")):
            continue  # "missing", also where the path itself has blanks
        found[path] = None
        if words[1] == b"blob":
            total += int(words[2])
            wanted.append((path, words[0].decode("ascii")))
            if int(words[2]) > FILE_BYTES_MAX or total > ALL_BYTES_MAX:
                raise FactsUnavailable(what=path, reason="the files that are named are too large")
    return found | dict(zip([path for path, _ in wanted], _blobs(toplevel, wanted), strict=True))


def _blobs(toplevel: str, wanted: Sequence[tuple[str, str]]) -> list[bytes]:
    if not wanted:
        return []
    lines = "".join(f"{blob}\n" for _, blob in wanted).encode("ascii")
    said = ask(toplevel, ["cat-file", "--batch"], lines)
    found, place = [], 0
    for _ in wanted:
        end = said.index(b"\n", place)
        size = int(said[place:end].split()[2])
        found.append(said[end + 1 : end + 1 + size])
        place = end + size + 2
    return found


def here(toplevel: str, path: str) -> bytes | None:
    """Return the bytes of a file of the working tree; None if there is none, or behind a link."""
    root = os.path.realpath(toplevel)
    full = os.path.join(root, path)
    if os.path.realpath(full) != os.path.normpath(full) or not os.path.isfile(full):
        return None
    content = read_bounded(full, FILE_BYTES_MAX)
    if content is not None and len(content) > FILE_BYTES_MAX:
        raise FactsUnavailable(what=path, reason=f"it is longer than {FILE_BYTES_MAX} bytes")
    return content


def relation(toplevel: str, commit: str) -> tuple[bool, bool, bool]:
    """Tell whether a commit is here, whether HEAD has it, and whether HEAD is behind it."""
    if not HEX.issuperset(commit) or len(commit) not in (40, 64):
        return False, False, False
    line = f"{commit}\n".encode()
    said = ask(toplevel, ["cat-file", "--batch-check=%(objecttype)"], line).strip()
    if said != b"commit":
        return False, False, False
    words = ["rev-list", "--count", "--left-right", f"{commit}...HEAD", "--"]
    said = ask(toplevel, words)
    theirs, ours = (int(word) for word in said.split()[:2])
    return True, theirs == 0, ours == 0


def has_commit(toplevel: str, name: str) -> bool:
    """Tell whether HEAD has the commit of this id, or of the one id here that begins so."""
    if not HEX.issuperset(name) or not ID_CHARS_MIN <= len(name) <= 64:
        return False
    said = ask(toplevel, ["cat-file", "--batch-check=%(objectname)"], f"{name}\n".encode()).split()
    return len(said) == 1 and relation(toplevel, said[0].decode("ascii"))[1]


def compared(toplevel: str, ref: str) -> tuple[str, dict[str, str]]:
    """Return where HEAD left a ref, and what HEAD changed since: path to blob, '' for a removal.

    Raises FactsUnavailable, also where the ref is no commit or has no ancestor with HEAD.
    """
    words = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"]
    tip = ask(toplevel, words, fine=(0, 1)).decode("ascii", "replace").strip()
    if not tip or not HEX.issuperset(tip):
        raise FactsUnavailable(what=ref[:80] or "''", reason="it is no commit here")
    base = ask(toplevel, ["merge-base", tip, "HEAD"], fine=(0, 1)).decode("ascii").strip()
    if not base:
        raise FactsUnavailable(what=ref[:80], reason="HEAD and it have no common ancestor here")
    words = ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-ext-diff"]
    fields = ask(toplevel, [*words, base, "HEAD", "--"]).split(b"\0")
    found = {}
    for row, path in zip(fields[::2], fields[1::2], strict=False):
        blob = row.split()[3].decode("ascii")
        found[os.fsdecode(path)] = blob if blob.strip("0") else ""
    return base, found


def changed_since(toplevel: str, base: str) -> frozenset[str]:
    """Return the paths that the own commits since ``base`` changed: merges bring others' work."""
    words = ["rev-list", "--first-parent", "--no-merges", f"--max-count={COMMITS_MAX + 1}"]
    if not HEX.issuperset(base) or len(base) not in (40, 64):
        raise FactsUnavailable(what=base[:80], reason="it is no commit")
    commits = ask(toplevel, [*words, f"{base}..HEAD", "--"]).decode("ascii").split()
    if len(commits) > COMMITS_MAX:
        raise FactsUnavailable(what=base[:12], reason=f"more than {COMMITS_MAX} commits since")
    changed = changed_paths(toplevel, commits) if commits else {}
    return frozenset(os.fsdecode(path) for paths in changed.values() for path in paths)

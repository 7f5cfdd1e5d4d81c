"""What is unfinished in a working tree: dirty paths, who changed them last, clean merges.

Promises: nothing is written, neither into the index nor into the object store; one ``git status``
looks at the asked paths only; a file is read once and at most ``FILE_BYTES_MAX`` of it are merged.
Blob ids are those of the bytes as they lie in the file: where a filter changes what git stores,
they name the file's own bytes.

    dirty("/repo", ["src/a.py"])   # [RawDirty("src/a.py", blob, staged, head)]
"""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping, Sequence

from handrail.core.record import Record
from handrail.errors import FactsUnavailable
from handrail.facts.git import HEX, TIMEOUT_S, Asking, ask, changed_paths
from handrail.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

PATHSPECS_MAX: Final = 200
COMMITS_LOOKED_AT_MAX: Final = 1_000
FILE_BYTES_MAX: Final = 16 << 20
_CHUNK: Final = 1 << 20
_STATUS: Final = ("status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames")


class RawDirty(Record):
    """A path that differs from HEAD; blob ids, '' for what is not there."""

    path: str
    blob: str
    staged: str
    head: str


def begin_dirty(toplevel: str) -> Asking:
    """Let git look for what differs from HEAD anywhere; its answer is for ``dirty_of``."""
    return Asking(toplevel, [*_STATUS, "--", "."])


def dirty_of(toplevel: str, said: bytes) -> list[RawDirty]:
    """Return the rows of git's answer."""
    return [_row(toplevel, os.fsdecode(line)) for line in said.split(b"\0") if line]


def dirty(toplevel: str, roots: Sequence[str]) -> list[RawDirty]:
    """Return what differs from HEAD at or below these paths, untracked files too."""
    specs = list(roots)
    if (
        not specs
        or len(specs) > PATHSPECS_MAX
        or not all(specs)
        or not all(map(str.isascii, specs))
    ):
        specs = ["."]
    return dirty_of(toplevel, ask(toplevel, ["--literal-pathspecs", *_STATUS, "--", *specs]))


def _row(toplevel: str, line: str) -> RawDirty:
    if line[0] in "?!":
        return RawDirty(line[2:], _blob_id(toplevel, line[2:], 40), "", "")
    if line[0] == "u":
        path, (ours, theirs) = line.split(" ", 10)[10], line.split(" ", 10)[8:10]
        return RawDirty(path, _blob_id(toplevel, path, len(ours)), _known(theirs), _known(ours))
    _, states, sub, _, _, _, head, index, path = line.split(" ", 8)
    if sub[0] == "S":
        return RawDirty(path, "", _known(index), _known(head))
    same = states[1] == "."
    blob = _known(index) if same else _blob_id(toplevel, path, len(head))
    return RawDirty(path, blob, _known(index), _known(head))


def _known(blob: str) -> str:
    return "" if not blob.strip("0") else blob


def _blob_id(toplevel: str, path: str, length: int) -> str:
    """Hash a file or a link as git would without filters; '' for what is neither."""
    full = os.path.join(toplevel, path)
    digest = _digest(length)
    try:
        about = os.lstat(full)
        if stat.S_ISLNK(about.st_mode):
            target = os.fsencode(os.readlink(full))
            digest.update(b"blob %d\0" % len(target) + target)
        elif stat.S_ISREG(about.st_mode):
            digest.update(b"blob %d\0" % about.st_size)
            with open(full, "rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        else:
            return ""
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise FactsUnavailable(what=path, reason=error.strerror) from error
    return digest.hexdigest()


def _digest(length: int) -> Hash:
    """Begin the id of an object, of as many digits; most often nothing has to be hashed."""
    from hashlib import sha1, sha256

    return sha1(usedforsecurity=False) if length == 40 else sha256()


def unlike(toplevel: str, commit: str, blobs: Mapping[str, str | None]) -> list[str]:
    """Return those of these paths that ``commit`` does not hold as they are.

    ``blobs`` names what lies there now, None where the file itself has to be read.
    """
    if not blobs:
        return []
    words = ["ls-tree", "-r", "-z", "--full-tree", commit]
    rows = [line.partition(b"\t") for line in ask(toplevel, words).split(b"\0") if line]
    held = {os.fsdecode(path): about.split()[2].decode("ascii") for about, _, path in rows}
    return [
        path
        for path, blob in blobs.items()
        if held.get(path, "") != (_blob_id(toplevel, path, len(commit)) if blob is None else blob)
    ]


def touching(toplevel: str, paths: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the commits below HEAD that changed any of these paths, newest first, with which.

    A merge that may have is there without any: ``changed_by`` tells, at the cost of merging anew.
    """
    words = ["rev-list", f"--max-count={COMMITS_LOOKED_AT_MAX}", "HEAD", "--", *paths]
    said = ask(toplevel, ["--literal-pathspecs", *words]).decode("ascii", "replace").split()
    if not all(map(HEX.issuperset, said)):
        raise FactsUnavailable(what="git rev-list", reason="its answer makes no sense")
    changed = changed_paths(toplevel, said) if said else {}
    wanted = frozenset(paths)
    rows = [(commit, map(os.fsdecode, changed.get(commit, ()))) for commit in said]
    return [(commit, tuple(path for path in found if path in wanted)) for commit, found in rows]


def changed_by(toplevel: str, commits: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return which paths each commit changed; commits that are not here are left out.

    Those of a merge of two are where it differs from what git makes of the two by itself.
    """
    lines = "".join(f"{commit}\n" for commit in commits).encode()
    said = ask(toplevel, ["cat-file", "--batch-check"], lines).decode("ascii", "replace")
    here = [line.split()[0] for line in said.splitlines() if line.split()[1:2] == ["commit"]]
    found = changed_paths(toplevel, here) if here else {}
    known = {commit: frozenset(map(os.fsdecode, paths)) for commit, paths in found.items()}
    rest = [commit for commit in here if commit not in known]
    if rest:
        from handrail.facts.commits import changes_here

        for commit, change in changes_here(toplevel, rest).items():
            known[commit] = frozenset(row.path for row in change.paths or ())
    return known


def not_in(toplevel: str, tip: str, commits: Sequence[str]) -> frozenset[str]:
    """Return those of these commits that ``tip`` does not contain."""
    lines = "".join(f"{commit}\n" for commit in (*commits, f"^{tip}")).encode()
    said = ask(toplevel, ["rev-list", "--ignore-missing", "--stdin"], lines)
    return frozenset(said.decode("ascii", "replace").split()) & frozenset(commits)


def merged(toplevel: str, path: str, base: str, head: str) -> str | None:
    """Merge the file with what it was at ``base`` and is at ``head``; None if that conflicts.

    Returns the blob id of the result: the file's own where the merge gives the file's bytes.
    """
    mine = _bytes_of(os.path.join(toplevel, path))
    if mine is None or "\n" in path:
        return None
    versions = _versions(toplevel, [f"{base}:{path}", f"{head}:{path}"])
    known, theirs = versions[1]
    if theirs is None:
        return None
    plain = mine.replace(b"\r\n", b"\n") if b"\r\n" not in theirs else mine
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="handrail-merge-") as folder:
        for name, content in (("mine", plain), ("base", versions[0][1] or b""), ("theirs", theirs)):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)
        result = _merge_file(folder)
    if result is None:
        return None
    if result == plain:
        return _blob_id(toplevel, path, len(known))
    digest = _digest(len(known))
    digest.update(b"blob %d\0" % len(result) + result)
    return digest.hexdigest()


def _merge_file(folder: str) -> bytes | None:
    try:
        told = subprocess.run(
            ["git", "merge-file", "-p", "-q", "mine", "base", "theirs"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FactsUnavailable(what="git merge-file", reason=str(error)) from error
    return told.stdout if told.returncode == 0 else None


def _bytes_of(full: str) -> bytes | None:
    try:
        about = os.lstat(full)
        if not stat.S_ISREG(about.st_mode) or about.st_size > FILE_BYTES_MAX:
            return None
        with open(full, "rb") as file:
            return file.read(FILE_BYTES_MAX)
    except OSError:
        return None


def _versions(toplevel: str, names: Sequence[str]) -> list[tuple[str, bytes | None]]:
    """Read objects by name with one git: id and bytes, None for what is not there or no file."""
    said = ask(toplevel, ["cat-file", "--batch"], b"".join(os.fsencode(f"{n}\n") for n in names))
    found: list[tuple[str, bytes | None]] = []
    for name in map(os.fsencode, names):
        if said.startswith(name + b" "):
            found.append(("", None))
            said = said.partition(b"\n")[2]
            continue
        about, _, rest = said.partition(b"\n")
        words = about.split()
        size = int(words[2])
        fits = words[1] == b"blob" and size <= FILE_BYTES_MAX
        found.append((words[0].decode("ascii"), rest[:size] if fits else None))
        said = rest[size + 1 :]
    return found

"""A bare repository that a push waits before: what its refs hold, which environment counts.

Promises: a ref is looked up by its full name and by no other; one that leads to another ref is
followed; nothing is written. Of the environment that a pusher may have set, only PATH and the
folder for temporary files are left, and git's own word on where the pushed objects wait, if they
wait inside this repository.

    counting(os.environ, os.getcwd())["GIT_DIR"]     # this repository and no other
    Arrival("/srv/project.git").target("refs/heads/master")      # 'refs/heads/main'
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final

from handrail.errors import FactsUnavailable
from handrail.facts.files import CONFIG_BYTES_MAX, read_bounded
from handrail.facts.git import ask

HEADS_MAX: Final = 10_000
CONFIGURATIONS_MAX: Final = 64
CONFIG: Final = "handrail.toml"
KEPT: Final = ("PATH", "TMPDIR")
EMPTY_TREES: Final = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
"""By the length of ids; git knows them, in whatever repository."""
_FILES: Final = ("100644", "100755")
_LINKS_MAX: Final = 5
_ASKED_AT_ONCE: Final = 500
_REF_BYTES_MAX: Final = 4_096
_FORMAT: Final = "--format=%(refname)%00%(objectname)"


def counting(environment: Mapping[str, str], folder: str) -> dict[str, str]:
    """Return what counts of an environment in the hook of the repository ``folder``."""
    kept = {name: environment[name] for name in KEPT if name in environment}
    kept |= {"GIT_DIR": folder, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    objects = os.path.realpath(os.path.join(folder, "objects"))
    waiting = environment.get("GIT_QUARANTINE_PATH")
    if waiting and os.path.realpath(waiting).startswith(f"{objects}/"):
        kept["GIT_QUARANTINE_PATH"] = kept["GIT_OBJECT_DIRECTORY"] = waiting
        kept["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = _quoted(objects)
    return kept


def _quoted(path: str) -> str:
    """Write a path as git reads it in a list of object folders."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


class Arrival:
    """What stands in a bare repository, before a push changes it. Ref names are well formed."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def target(self, ref: str) -> str:
        """Return the ref that really changes when this one is pushed; raises FactsUnavailable."""
        name = ref
        for _ in range(_LINKS_MAX):
            led = self._leads_to(name)
            if led is None:
                return name
            name = led
        raise FactsUnavailable(what=ref, reason="it leads from ref to ref without an end")

    def _leads_to(self, ref: str) -> str | None:
        if os.path.isdir(os.path.join(self.folder, "reftable")):
            said = ask(self.folder, ["symbolic-ref", "--quiet", ref], fine=(0, 1))
            return said.decode("utf-8", "surrogateescape").rstrip("\n") or None
        path = os.path.join(self.folder, ref)
        if os.path.islink(path) and (led := os.readlink(path)).startswith("refs/"):
            return led
        if not os.path.isfile(path):
            return None
        text = (read_bounded(path, _REF_BYTES_MAX) or b"").decode("utf-8", "surrogateescape")
        return text.removeprefix("ref:").strip() if text.startswith("ref:") else None

    def values(self, refs: Sequence[str]) -> dict[str, str]:
        """Return the object that each of these refs holds; none for those that are not there."""
        found: dict[str, str] = {}
        for start in range(0, len(refs), _ASKED_AT_ONCE):
            asked = refs[start : start + _ASKED_AT_ONCE]
            known = set(asked)
            found.update((ref, held) for ref, held in self._listed(asked) if ref in known)
        return found

    def heads(self) -> dict[str, str]:
        """Return the branches, at most HEADS_MAX of them."""
        return dict(self._listed([f"--count={HEADS_MAX}", "refs/heads"]))

    def _listed(self, words: Sequence[str]) -> list[tuple[str, str]]:
        said = ask(self.folder, ["for-each-ref", _FORMAT, *words])
        rows = said.decode("utf-8", "surrogateescape").split("\n")
        pairs = [row.partition("\0") for row in rows if row]
        return [(ref, held) for ref, _, held in pairs]

    def configurations(self, needed: Sequence[str], others: Sequence[str]) -> dict[str, bytes]:
        """Return the ``handrail.toml`` of each commit that has one; raises FactsUnavailable.

        Of different texts at most CONFIGURATIONS_MAX, those of ``needed`` all or none. What is no
        file, or too large for a configuration, is one that cannot be read.
        """
        blobs = self._blobs(list(dict.fromkeys((*needed, *others))))
        first = dict.fromkeys(blobs[commit] for commit in needed if commit in blobs)
        if len(first) > CONFIGURATIONS_MAX:
            reason = f"there are more than {CONFIGURATIONS_MAX} different ones"
            raise FactsUnavailable(what=f"each {CONFIG} of this push", reason=reason)
        wanted = [blob for blob in dict.fromkeys((*first, *blobs.values())) if blob]
        texts = {"": b"\0", **self._texts(wanted[:CONFIGURATIONS_MAX])}
        return {commit: texts[blob] for commit, blob in blobs.items() if blob in texts}

    def _blobs(self, commits: Sequence[str]) -> dict[str, str]:
        """Return the blob of each commit's configuration; '' for one that cannot be read.

        The trees are asked and not the files: of a file that is lost, git says what it says of one
        that never was.
        """
        trees = [row[0] for row in self._looked_up([f"{one}^{{tree}}" for one in commits])]
        pairs = "".join(f"{EMPTY_TREES[len(tree)]} {tree}\n" for tree in dict.fromkeys(trees))
        words = ["diff-tree", "--stdin", "-r", "--raw", "--no-abbrev", "--no-renames", "--", CONFIG]
        found: dict[str, str] = {}
        tree = ""
        for line in ask(self.folder, words, pairs.encode("ascii")).decode("ascii").splitlines():
            rows = line.split()
            if not line.startswith(":"):
                tree = rows[1]
            elif line.endswith(f"\t{CONFIG}"):  # and not a folder of that name
                found[tree] = rows[3] if rows[1] in _FILES else ""
        blobs = dict.fromkeys(blob for blob in found.values() if blob)
        sizes = dict(zip(blobs, self._looked_up(list(blobs)), strict=True))
        small = {"", *(blob for blob, row in sizes.items() if int(row[2]) <= CONFIG_BYTES_MAX)}
        held = {one: found[tree] for one, tree in zip(commits, trees, strict=True) if tree in found}
        return {commit: blob if blob in small else "" for commit, blob in held.items()}

    def _looked_up(self, names: Sequence[str]) -> list[list[str]]:
        """Return id, kind and size of each of these objects; raises FactsUnavailable."""
        asked = "".join(f"{name}\n" for name in names).encode("ascii")
        said = ask(self.folder, ["cat-file", "--batch-check"], asked) if names else b""
        rows = [line.split(" ") for line in said.decode("utf-8", "replace").splitlines()]
        for name, row in zip(names, rows, strict=True):
            if len(row) != 3:
                raise FactsUnavailable(what=name, reason="it is missing")
        return rows

    def _texts(self, blobs: Sequence[str]) -> dict[str, bytes]:
        asked = "".join(f"{one}\n" for one in blobs).encode("ascii")
        said = ask(self.folder, ["cat-file", "--batch"], asked) if blobs else b""
        texts: dict[str, bytes] = {}
        start = 0
        for blob in blobs:
            end = said.index(b"\n", start)
            words = said[start:end].split(b" ")
            size = int(words[2])
            texts[blob] = said[end + 1 : end + 1 + size]
            start = end + 2 + size
        return texts

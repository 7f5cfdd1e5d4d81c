"""Ledger refs written by hand: git's plumbing, the format's bytes spelled out, a real Ed25519 key.

Nothing here uses what ``handrail`` writes refs with, so a reader is tested against the format.

Example:
    shelf = Shelf(repo, a_key("ada"))
    shelf.put("refs/handrail/ledger/3fk2ap7q", entries[:10])
    shelf.put("refs/handrail/ledger/3fk2ap7q", entries)   # a second commit on top
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from handrail.core.ledger import Entry
from tests.core.makers import EPOCH
from tests.support import Repo

FULL: Final = 4_096
COMMITTER: Final = "Handrail <handrail@invalid> 1767225600 +0000"
REF: Final = f"refs/handrail/ledger/{EPOCH}"
BRANCH: Final = f"refs/heads/handrail/ledger/{EPOCH}"
TRACKING: Final = f"refs/remotes/origin/handrail/ledger/{EPOCH}"
EMPTY: Final = sha256(b"").hexdigest()


class Key:
    """A private key that is the same in every run."""

    def __init__(self, name: str) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())
        form = (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        self.public = self._private.public_key().public_bytes(*form).decode()

    def sign(self, text: bytes) -> bytes:
        return self._private.sign(b"handrail ledger head\n" + text)


def check(public_key: str, text: bytes, signature: bytes) -> bool:
    """Check a signature for real."""
    key = serialization.load_ssh_public_key(public_key.encode())
    assert isinstance(key, Ed25519PublicKey)
    try:
        key.verify(signature, text)
    except InvalidSignature:
        return False
    return True


def plumb(repo: Repo, *words: str, input: bytes = b"", env: Mapping[str, str] | None = None) -> str:
    """Run git with any bytes; returns what it says."""
    told = subprocess.run(
        ("git", *words),
        cwd=repo.path,
        input=input,
        capture_output=True,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert told.returncode == 0, told.stderr.decode()
    return told.stdout.decode().strip()


def head_name(entries: Sequence[Entry], epoch: str = EPOCH) -> str:
    """Write the head of a ledger, ``epoch:seq:hash``."""
    return f"{epoch}:{entries[-1].seq}:{entries[-1].hash}"


def head_lines(entries: Sequence[Entry], checkpoint: bytes = b"", epoch: str = EPOCH) -> bytes:
    """Write the two lines that are signed."""
    full = len(entries) // FULL * FULL
    digest = sha256(checkpoint).hexdigest()
    return f"handrail-head 1 {head_name(entries, epoch)}\ncheckpoint {full} {digest}\n".encode()


def signed(text: bytes, key: Key) -> bytes:
    """Add the two lines of a key to those that it signs."""
    signature = base64.b64encode(key.sign(text)).decode()
    return text + f"key {key.public}\nsignature {signature}\n".encode()


def segments(entries: Sequence[Entry]) -> dict[str, bytes]:
    """Write a ledger as segments."""
    parts = [entries[first : first + FULL] for first in range(0, len(entries), FULL)]
    return {
        f"segments/{number:08d}": b"".join(e.header + b"\t" + (e.payload or b"") + b"\n" for e in p)
        for number, p in enumerate(parts, 1)
    }


def checkpoint(entries: Sequence[Entry], *rows: str, epoch: str = EPOCH) -> bytes:
    """Write a checkpoint after the last full segment with these rows."""
    full = len(entries) // FULL * FULL
    if not full:
        return b""
    first = f"handrail-checkpoint 1 {head_name(entries[:full], epoch)}"
    return ("\n".join([first, *rows]) + "\n").encode()


def files(
    entries: Sequence[Entry], key: Key | None, *rows: str, epoch: str = EPOCH
) -> dict[str, bytes]:
    """Write all files of a ledger."""
    point = checkpoint(entries, *rows, epoch=epoch)
    head = head_lines(entries, point, epoch)
    return {
        "format": f"handrail-ledger-ref 1 {epoch}\n".encode(),
        "head": head if key is None else signed(head, key),
        "checkpoint": point,
        **segments(entries),
    }


Change = Callable[[dict[str, bytes]], Any]


class Shelf:
    """Puts ledgers into the refs of a repository."""

    def __init__(self, repo: Repo, key: Key | None, epoch: str = EPOCH) -> None:
        self.repo = repo
        self.key = key
        self.epoch = epoch

    def blob(self, content: bytes) -> str:
        return plumb(self.repo, "hash-object", "-w", "--stdin", input=content)

    def tree(self, rows: Sequence[tuple[str, str, bytes]], *, any_form: bool = False) -> str:
        """Write a tree of (mode, id, name); where git would refuse its form, byte by byte."""
        if any_form:
            raw = b"".join(
                mode.lstrip("0").encode() + b" " + name + b"\0" + bytes.fromhex(found)
                for mode, found, name in rows
            )
            words = ("hash-object", "-t", "tree", "-w", "--literally", "--stdin")
            return plumb(self.repo, *words, input=raw)
        kinds = {"040000": "tree", "160000": "commit"}
        lines = [
            f"{mode} {kinds.get(mode, 'blob')} {found}\t".encode() + name
            for mode, found, name in rows
        ]
        return plumb(self.repo, "mktree", "-z", "--missing", input=b"\0".join(lines))

    def tree_of(self, content: Mapping[str, bytes]) -> str:
        """Write files as a tree, those in ``segments/`` as one of its own."""
        inner = [
            ("100644", self.blob(data), name.removeprefix("segments/").encode())
            for name, data in content.items()
            if name.startswith("segments/")
        ]
        outer = [
            ("100644", self.blob(data), name.encode())
            for name, data in content.items()
            if not name.startswith("segments/")
        ]
        return self.tree([*outer, ("040000", self.tree(inner), b"segments")])

    def commit(self, tree: str, subject: str, *parents: str) -> str:
        above = [word for parent in parents for word in ("-p", parent)]
        return plumb(self.repo, "commit-tree", tree, *above, input=f"{subject}\n".encode())

    def put(
        self,
        ref: str,
        entries: Sequence[Entry],
        *rows: str,
        change: Change | None = None,
        subject: str | None = None,
        parents: Sequence[str] | None = None,
    ) -> str:
        """Put a ledger on top of what a ref holds; returns the commit.

        ``change`` may do anything to the files, ``subject`` and ``parents`` stand in for the right
        ones.
        """
        content = files(entries, self.key, *rows, epoch=self.epoch)
        if change is not None:
            change(content)
        told = (subject or f"ledger {head_name(entries, self.epoch)}").encode() + b"\n"
        if parents is None:
            before = self.repo.git("rev-parse", "--quiet", "--verify", ref, check=False)
            parents = [before] if before else []
        # One process for what plumbing takes a dozen for.
        words = ["from", *["merge"] * len(parents)]
        lines = [f"commit {ref}", f"committer {COMMITTER}", f"data {len(told)}"]
        above = "".join(f"{word} {parent}\n" for word, parent in zip(words, parents, strict=False))
        parts = ["\n".join(lines).encode(), b"\n", told, above.encode(), b"deleteall\n"]
        for name, data in content.items():
            parts += [f"M 100644 inline {name}\ndata {len(data)}\n".encode(), data, b"\n"]
        plumb(self.repo, "fast-import", "--quiet", "--force", input=b"".join(parts))
        return self.repo.git("rev-parse", ref)

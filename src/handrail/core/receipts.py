"""What a run command leaves in the ledger, and what makes two runs the same question.

Promise: a receipt is made by Handrail alone, which ran the command; it says on which commit, tree
and unfinished work. ``about`` is a digest of the question, so the newest answer is one look-up.

    >>> question("gate", "tests", "tree", "9f2c")[:7]
    'gate:6d'
"""

from __future__ import annotations

from handrail.core.digest import sha256
from handrail.core.record import Record

UNKNOWN_DIRT = "unknown"
"""The fingerprint of work that nobody can compare: a nested repository, a submodule's own dirt."""
EXITED = "exited"


class EvidenceRecorded(Record):
    """A command was run: how it ended, what it printed (redacted), on which tree and dirt."""

    about: str
    gate: str | None
    argv: tuple[str, ...]
    folder: str
    ended: str
    exit_status: int | None
    output_hash: str
    output_bytes: int
    output_tail: str
    commit: str
    tree: str
    dirt: str
    disturbed: bool
    duration_ms: int
    tests_passed: int | None
    tests_hash: str | None

    @property
    def succeeded(self) -> bool:
        """Tell whether it ended by itself, with status 0, and left the tree as it was."""
        return self.ended == EXITED and self.exit_status == 0 and not self.disturbed


class EvidenceContradicted(Record):
    """A re-run, entry ``rerun``, came out otherwise than ``receipt``, which answers no more."""

    about: str
    gate: str | None
    receipt: int
    rerun: int


def question(kind: str, *parts: str) -> str:
    """Name what is asked: a kind, and a digest of all that the answer depends on."""
    said = "".join(f"{len(part)}:{part}" for part in parts)
    return f"{kind}:{sha256(said.encode('utf-8', 'surrogateescape')).hexdigest()}"

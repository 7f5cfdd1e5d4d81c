"""The ledger read a second time: bytes, hashes, numbers; shares no code with the core.

Whatever a transaction leaves in the ledger is checked here as it comes: each entry follows the one
before in number, epoch and hash, holds the hash of its payload, and says the time at which its
transaction had the store. At the end everything is read again and compared with what was seen.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

GENESIS: Final = "0" * 64
FIELDS: Final = [
    *("v", "epoch", "seq", "at", "kind", "session", "agent", "role", "payload_hash", "prev")
]


class Violation(AssertionError):
    """The store did something that the rules do not allow, or did not do what they ask for."""


class Seen(NamedTuple):
    """An entry as the checker read it."""

    seq: int
    at: int
    kind: str
    session: str | None
    payload: dict[str, Any]


class Chain:
    """The entries so far; judges each new one."""

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.seq, self.hash, self.at = 0, GENESIS, 0
        self.hashes: list[str] = []

    def take(self, seq: int, header: bytes, payload: bytes | None) -> Seen:
        """Judge an entry against the one before it."""
        told = json.loads(header.decode("ascii"))
        if list(told) != FIELDS:
            raise Violation(f"P5: the header of entry {seq} has the fields {list(told)}")
        wanted = (1, self.epoch, self.seq + 1, self.hash)
        found = (told["v"], told["epoch"], told["seq"], told["prev"])
        if found != wanted or seq != told["seq"]:
            raise Violation(f"P5: entry {seq} says {found} instead of {wanted}")
        if payload is None or told["payload_hash"] != hashlib.sha256(payload).hexdigest():
            raise Violation(f"P5: entry {seq} does not hold the hash of its payload")
        if told["at"] < self.at:
            raise Violation(f"P5: entry {seq} is older than the one before it")
        self.seq, self.at = seq, told["at"]
        self.hash = hashlib.sha256(header).hexdigest()
        self.hashes.append(self.hash)
        return Seen(
            seq, told["at"], told["kind"], told["session"], json.loads(payload.decode("ascii"))
        )

    def audit(self, entries: Iterable[Any], head: Sequence[Any]) -> None:
        """See that a whole ledger is what was seen when it came, and ends in its head."""
        again = Chain(self.epoch)
        for entry in entries:
            again.take(entry.seq, entry.header, entry.payload)
        if again.hashes != self.hashes:
            pairs = zip(again.hashes, self.hashes, strict=False)
            same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
            raise Violation(f"P5: the ledger is another one than it was, from entry {same + 1} on")
        if tuple(head) != (self.seq, self.hash):
            raise Violation(f"P5: the head is {tuple(head)}, not {(self.seq, self.hash)}")

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
from typing import Any, Final, NamedTuple, cast

GENESIS: Final = "0" * 64
FIELDS: Final = [
    *("v", "epoch", "seq", "at", "kind", "session", "agent", "role", "payload_hash", "prev")
]


_decode: Final = json.JSONDecoder().raw_decode


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
        self.seen: list[tuple[int, bytes, bytes | None]] = []

    def take(self, seq: int, header: bytes, payload: bytes | None) -> Seen:
        """Judge an entry against the one before it."""
        told = _read(header)
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
        self.seen.append((seq, header, payload))
        return Seen(seq, told["at"], told["kind"], told["session"], _read(payload))

    def audit(self, entries: Iterable[Any], head: Sequence[Any]) -> None:
        """See that a whole ledger is, to the byte, what was seen when it came; and its head."""
        found = [(entry.seq, entry.header, entry.payload) for entry in entries]
        if found != self.seen:
            pairs = zip(found, self.seen, strict=False)
            same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
            raise Violation(f"P5: the ledger is another one than it was, from entry {same + 1} on")
        if tuple(head) != (self.seq, self.hash):
            raise Violation(f"P5: the head is {tuple(head)}, not {(self.seq, self.hash)}")


def _read(text: bytes) -> dict[str, Any]:
    """Read a JSON object that is all of a text."""
    value, end = _decode(text.decode("ascii"))
    if end != len(text):
        raise Violation(f"P5: behind an entry stands {text[end:]!r}")
    return cast("dict[str, Any]", value)

"""A ledger in memory, indexed: what a store's reader says of its ledger, without a store.

Promises: each method means what it means in ``handrail.store.port.Reader``, in the same order; an
index is made when it is first asked for, and payloads of kinds that nobody asks about are never
decoded. What of its kind cannot be decoded is LedgerBroken.

It knows no more than the entries say. Of an attestation whose payload was redacted it cannot be
told any more which commit it was about, where a store still knows; so it is about none.

    >>> from handrail.core.events import StoreCreated
    >>> from handrail.core.ledger import GENESIS, seal
    >>> from handrail.core.lease import Actor
    >>> entry = seal(GENESIS, "3fk2", 0, Actor(), StoreCreated("w", None), salt="00")
    >>> Written("3fk2", [entry]).head.seq
    1
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from handrail.core.events import CommitAttested, ConfigApplied, Event, decode, subject_of
from handrail.core.ledger import GENESIS, Entry, Head
from handrail.core.state import InForce
from handrail.errors import LedgerBroken
from handrail.typed import Final

ATTESTED: Final = "commit.attested"
APPLIED: Final = "config.applied"
_BEFORE_KIND: Final = b',"kind":"'


class Written:
    """One ledger, from entries that were verified: entry 1 first, without a gap."""

    def __init__(self, epoch: str, entries: Sequence[Entry]) -> None:
        self.epoch = epoch
        self._entries = entries
        self._kinds: dict[str, list[Entry]] | None = None
        self._commits: dict[str, list[Entry]] | None = None
        self._alike: dict[str, list[Entry]] = {}

    @property
    def head(self) -> Head:
        """The newest (sequence, hash)."""
        last = self._entries[-1] if self._entries else None
        return GENESIS if last is None else Head(last.seq, last.hash)

    def entries(self, after: int = 0, until: int | None = None) -> Iterator[Entry]:
        """Yield entries with ``after < seq <= until``, oldest first."""
        return iter(self._entries[after:until])

    def recorded(self, kind: str, limit: int) -> list[Entry]:
        """Return the newest ``limit`` entries of a kind, newest first."""
        return self._of_kind(kind)[: -1 - limit : -1]

    def latest(self, kind: str, subject: str) -> Entry | None:
        """Return the newest entry of a kind about a subject; raises LedgerBroken."""
        for entry in reversed(self._of_kind(kind)):
            event = _event(kind, entry)
            if event is not None and subject_of(event) == subject:
                return entry
        return None

    def attestations_of(self, commit: str) -> list[Entry]:
        """Return every entry that attests a commit, oldest first; raises LedgerBroken."""
        return list(self._attested().get(commit, ()))

    def attested_alike(self, paths_hash: str, limit: int) -> list[Entry]:
        """Return attestations of just these paths, the newest, newest first; or LedgerBroken."""
        self._attested()
        return self._alike.get(paths_hash, [])[: -1 - limit : -1]

    def attestations(self, after: int = 0) -> dict[str, int]:
        """Return the commits whose newest attestation is an entry after ``after``."""
        newest = {commit: entries[-1].seq for commit, entries in self._attested().items()}
        return {commit: seq for commit, seq in newest.items() if seq > after}

    def config(self) -> InForce | None:
        """Return the configuration in force; None if none is, or its text was redacted."""
        for entry in self.recorded(APPLIED, 1):
            event = _event(APPLIED, entry)
            if isinstance(event, ConfigApplied):
                return InForce(event.blob, event.text, entry.seq)
        return None

    def _attested(self) -> dict[str, list[Entry]]:
        """Index attestations by what they are about, once."""
        if self._commits is None:
            commits: dict[str, list[Entry]] = {}
            for entry in self._of_kind(ATTESTED):
                event = _event(ATTESTED, entry)
                if isinstance(event, CommitAttested):
                    commits.setdefault(event.commit, []).append(entry)
                    self._alike.setdefault(event.paths_hash, []).append(entry)
            self._commits = commits
        return self._commits

    def _of_kind(self, kind: str) -> list[Entry]:
        """Return the entries of a kind, oldest first."""
        if self._kinds is None:
            kinds: dict[str, list[Entry]] = {}
            for entry in self._entries:
                # A verified header has one spelling: no value can hold a quote that is not escaped.
                start = entry.header.index(_BEFORE_KIND) + len(_BEFORE_KIND)
                name = entry.header[start : entry.header.index(b'"', start)]
                kinds.setdefault(name.decode("ascii"), []).append(entry)
            self._kinds = kinds
        return self._kinds.get(kind, [])


def _event(kind: str, entry: Entry) -> Event | None:
    """Decode an entry of a kind that is known already; None where its payload was redacted."""
    if entry.payload is None:
        return None
    try:
        return decode(kind, json.loads(entry.payload))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"it is none of its kind ({error})"
        raise LedgerBroken(seq=entry.seq, reason=reason) from error

"""What a ledger says of commits: their attestations, what those rest on, and what was recorded.

Promise: the ledger was verified before anything of it is believed; a question about an attestation
is answered from what lies before it. What cannot be decoded in a ledger that verifies is
LedgerBroken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from handrail import errors
from handrail.config import Settings, parse_config
from handrail.core.events import CommitAttested, ConfigApplied, Event
from handrail.core.landing import Chronicle, Law, Standing
from handrail.core.ledger import Entry, parse_head, read_event, read_header, verify
from handrail.service.policy import policy_of, rules_in_force
from handrail.store.port import Reader

ALIKE_MAX: Final = 2_000
RECORDED_MAX: Final = 10_000
NAMING: Final = ("commit.unattested", "commit.unattributed")


class Evidence:
    """One ledger, verified, as rule V reads it."""

    def __init__(self, reader: Reader) -> None:
        """Verify the ledger; raises LedgerBroken."""
        self._reader = reader
        self.chronicle = Chronicle()
        self._laws: dict[int, Law | None] = {}
        self._configs: list[Entry] | None = None
        self._named: dict[str, tuple[Event, int]] | None = None
        self._first: dict[str, int] = {}
        self._alike: dict[str, list[str]] = {}
        report = verify(reader.entries())
        if report.problem is not None:
            raise errors.LedgerBroken(seq=report.problem.seq, reason=report.problem.reason)
        if report.head != reader.head:
            raise errors.LedgerBroken(seq=reader.head.seq, reason="the store's head differs")

    def standings(self, commits: Sequence[str]) -> dict[str, list[Standing]]:
        """Return the attestations of each commit, oldest first, and learn what they rest on."""
        found: dict[str, list[Standing]] = {}
        spans: list[tuple[int, int]] = []
        with _decoding() as through:
            for commit in commits:
                for entry in through(self._reader.attestations_of(commit)):
                    standing = self._standing(entry)
                    found.setdefault(commit, []).append(standing)
                    self._first.setdefault(commit, entry.seq)
                    tokens = standing.attested.cover if standing.attested is not None else ()
                    first = min((token for token, _ in tokens if token > 0), default=entry.seq)
                    spans.append((min(first, entry.seq) - 1, entry.seq))
            for after, until in _joined(spans):
                self.chronicle.take(through(self._reader.entries(after, until)))
        return found

    def first_standing(self, commit: str) -> int | None:
        """Return the first attestation of a commit whose standings were asked for."""
        return self._first.get(commit)

    def _standing(self, entry: Entry) -> Standing:
        header, event = read_header(entry.header), read_event(entry)
        attested = event if isinstance(event, CommitAttested) else None
        law = self._law(entry.seq) if attested is not None else None
        return Standing(entry.seq, header.at, header.session, attested, law)

    def _law(self, before: int) -> Law | None:
        """Return the configuration in force at an entry; None where it cannot be read any more."""
        rules = rules_in_force(self._reader)
        seq = rules.in_force.seq
        if seq < before:
            fold = rules.settings.workspace.fold_case
            return self._laws.setdefault(seq, Law(seq, rules.policy, fold))
        if self._configs is None:
            self._configs = self._reader.recorded("config.applied", RECORDED_MAX)
        for entry in self._configs:
            if entry.seq < before:
                if entry.seq not in self._laws:
                    self._laws[entry.seq] = _law_of(entry)
                return self._laws[entry.seq]
        return None

    def alike(self, paths_hash: str) -> list[str]:
        """Return attested commits that change the same paths, those attested last first."""
        if paths_hash not in self._alike:
            entries = self._reader.attested_alike(paths_hash, ALIKE_MAX)
            with _decoding() as through:
                events = [read_event(entry) for entry in through(entries)]
            commits = [event.commit for event in events if isinstance(event, CommitAttested)]
            self._alike[paths_hash] = list(dict.fromkeys(commits))
        return self._alike[paths_hash]

    def denies(self, head: str) -> int | None:
        """Return the entry that a head of this epoch names by another hash; None if all is well."""
        try:
            epoch, named = parse_head(head)
        except errors.MalformedToken:
            return None
        if epoch != self._reader.epoch:
            return None
        entry = next(self._reader.entries(named.seq - 1, named.seq), None)
        return None if entry is not None and entry.hash == named.hash else named.seq

    def attested_last(self, limit: int) -> list[str]:
        """Return the commits that were attested last."""
        rows = sorted(self._reader.attestations().items(), key=lambda row: -row[1])
        return [commit for commit, _ in rows[:limit]]

    def named(self) -> Mapping[str, tuple[Event, int]]:
        """Return what was recorded when each unattested commit came; the first word counts."""
        if self._named is None:
            self._named = {}
            entries = [e for kind in NAMING for e in self._reader.recorded(kind, RECORDED_MAX)]
            with _decoding() as through:
                for entry in through(sorted(entries)):
                    event = read_event(entry)
                    for commit in getattr(event, "commits", ()):
                        if event is not None:
                            self._named.setdefault(commit, (event, entry.seq))
        return self._named

    def in_force(self) -> Settings:
        """Return the configuration in force; raises NotInitialised."""
        return rules_in_force(self._reader).settings


def _law_of(entry: Entry) -> Law | None:
    event = read_event(entry)
    if not isinstance(event, ConfigApplied):
        return None
    try:
        settings = parse_config(event.text.encode("utf-8", "surrogateescape"))
    except errors.MalformedConfig:
        return None
    return Law(entry.seq, policy_of(settings), settings.workspace.fold_case)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that meet, so that no entry is read twice."""
    joined: list[tuple[int, int]] = []
    for after, until in sorted(spans):
        if joined and after <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], until))
        else:
            joined.append((after, until))
    return joined


@contextmanager
def _decoding() -> Iterator[Callable[[Iterable[Entry]], Iterator[Entry]]]:
    """Give what entries are read through, so that the one that is not of its kind can be named."""
    at = 0

    def through(entries: Iterable[Entry]) -> Iterator[Entry]:
        nonlocal at
        for entry in entries:
            at = entry.seq
            yield entry

    try:
        yield through
    except (ValueError, KeyError, TypeError) as error:
        raise errors.LedgerBroken(seq=at, reason=f"it is none of its kind ({error})") from error

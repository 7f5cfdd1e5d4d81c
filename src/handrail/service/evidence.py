"""What ledgers say of commits: their attestations, what those rest on, and what was recorded.

Promise: a ledger was verified before anything of it is believed; a question about an attestation
is answered from what lies before it in the same ledger. What cannot be decoded in a ledger that
verifies is LedgerBroken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from handrail import errors
from handrail.core.chronicle import Chronicle, Law
from handrail.core.events import CommitAttested, ConfigApplied, Event
from handrail.core.landing import (
    PASS,
    REFUSED,
    Change,
    Charter,
    Judgment,
    Standing,
    judge_attested,
    judge_heir,
    judge_recorded,
)
from handrail.core.ledger import Entry, Head, parse_head, read_event, read_header, verify
from handrail.core.record import Record
from handrail.core.state import InForce
from handrail.service.policy import policy_of, rules_in_force
from handrail.typed import Final, Protocol

ALIKE_MAX: Final = 2_000
RECORDED_MAX: Final = 10_000
NAMING: Final = ("commit.unattested", "commit.unattributed")


class Ledger(Protocol):
    """A ledger that can be asked: a store's, or one that was read from elsewhere.

    Each method as in ``handrail.store.port.Reader``.
    """

    @property
    def epoch(self) -> str:
        """Its epoch."""

    @property
    def head(self) -> Head:
        """Its newest (sequence, hash)."""

    def config(self) -> InForce | None:
        """Return the configuration in force at its end."""

    def entries(self, after: int = 0, until: int | None = None) -> Iterator[Entry]:
        """Yield entries with ``after < seq <= until``, oldest first."""

    def attestations(self, after: int = 0) -> dict[str, int]:
        """Return the commits whose newest attestation is an entry after ``after``."""

    def attestations_of(self, commit: str) -> list[Entry]:
        """Return every entry that attests a commit, oldest first."""

    def attested_alike(self, paths_hash: str, limit: int) -> list[Entry]:
        """Return attestations of just these paths, the newest first."""

    def recorded(self, kind: str, limit: int) -> list[Entry]:
        """Return the newest entries of one of the rare kinds, newest first."""

    def latest(self, kind: str, subject: str) -> Entry | None:
        """Return the newest entry of a kind about a subject."""


class SharedLedger(Protocol):
    """A ledger of another place, checked: it vouches, or there is a fault and its reason."""

    @property
    def epoch(self) -> str:
        """Its epoch."""

    @property
    def ledger(self) -> Ledger | None:
        """What it says; None where it cannot be believed."""

    @property
    def fault(self) -> str | None:
        """What is wrong, in one word."""

    @property
    def reason(self) -> str:
        """What is wrong, as the end of a sentence."""


class Evidence:
    """One ledger as rule V reads it."""

    def __init__(self, ledger: Ledger, *, verified: bool = False) -> None:
        """Verify the ledger, unless somebody did; raises LedgerBroken."""
        self.ledger = ledger
        self.chronicle = Chronicle()
        self._laws: dict[int, Law | None] = {}
        self._configs: list[Entry] | None = None
        self._named: dict[str, tuple[Event, int]] | None = None
        self._alike: dict[str, list[str]] = {}
        self._standings: dict[str, list[Standing]] = {}
        self._tasks_matter = self._told = False
        if not verified:
            self._verify()

    def _verify(self) -> None:
        report = verify(self.ledger.entries())
        if report.problem is not None:
            raise errors.LedgerBroken(seq=report.problem.seq, reason=report.problem.reason)
        if report.head != self.ledger.head:
            raise errors.LedgerBroken(seq=self.ledger.head.seq, reason="the store's head differs")

    def learn(self, commits: Sequence[str]) -> None:
        """Read the attestations of these commits, oldest first, and what they rest on."""
        spans: list[tuple[int, int]] = []
        with _decoding() as through:
            for commit in commits:
                if commit in self._standings:
                    continue
                standings = self._standings.setdefault(commit, [])
                for entry in through(self.ledger.attestations_of(commit)):
                    standing = self._standing(entry)
                    standings.append(standing)
                    spans += _spans(standing)
            self._take(through, spans)

    def _take(
        self, through: Callable[[Iterable[Entry]], Iterator[Entry]], spans: list[tuple[int, int]]
    ) -> None:
        for after, until in _joined(spans):
            self.chronicle.take(through(self.ledger.entries(after, until)))
        if self._tasks_matter and not self._told:
            # Whose task is where may have been settled long before any lease of today.
            self.chronicle.annals.take(through(self.ledger.entries()))
            self._told = True

    def judge(self, change: Change, charter: Charter) -> Judgment | None:
        """Judge a commit that was learned about by its attestations; None if it has none."""
        return judge_attested(change, self._standings[change.commit], self.chronicle, charter)

    def judge_heir(self, change: Change, digest: str, charter: Charter) -> Judgment | None:
        """Judge by attestations of commits that do the same; None if none of them passes."""
        standings: list[Standing] = []
        spans: list[tuple[int, int]] = []
        with _decoding() as through:
            for entry in through(self.ledger.attested_alike(change.paths_hash, ALIKE_MAX)):
                event = read_event(entry)
                if isinstance(event, CommitAttested) and event.change == digest:
                    standings.append(self._standing(entry))
                    spans += _spans(standings[-1])
            self._take(through, spans)
        return judge_heir(change, standings, self.chronicle, charter)

    def judge_by_record(
        self, change: Change, charter: Charter, *, unattributed: str
    ) -> Judgment | None:
        """Judge by what was recorded when a commit came, if nothing attested it before that."""
        named = self.named().get(change.commit)
        first = next(iter(self._standings.get(change.commit, ())), None)
        if named is None or (first is not None and first.seq < named[1]):
            return None
        return judge_recorded(change, named[0], unattributed=unattributed, charter=charter)

    def _standing(self, entry: Entry) -> Standing:
        header, event = read_header(entry.header), read_event(entry)
        attested = event if isinstance(event, CommitAttested) else None
        law = self._law(entry.seq) if attested is not None else None
        self._tasks_matter = self._tasks_matter or (law is not None and law.policy.binds)
        return Standing(entry.seq, header.at, header.session, attested, law, header.role)

    def _law(self, before: int) -> Law | None:
        """Return the configuration in force at an entry; None where it cannot be read any more."""
        latest = self._latest_law()
        if latest is not None and latest.seq < before:
            return self._laws.setdefault(latest.seq, latest)
        if self._configs is None:
            self._configs = self.ledger.recorded("config.applied", RECORDED_MAX)
        for entry in self._configs:
            if entry.seq < before:
                if entry.seq not in self._laws:
                    self._laws[entry.seq] = _law_of(entry)
                return self._laws[entry.seq]
        return None

    def alike(self, paths_hash: str) -> list[str]:
        """Return attested commits that change the same paths, those attested last first."""
        if paths_hash not in self._alike:
            entries = self.ledger.attested_alike(paths_hash, ALIKE_MAX)
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
        if epoch != self.ledger.epoch:
            return None
        entry = next(self.ledger.entries(named.seq - 1, named.seq), None)
        return None if entry is not None and entry.hash == named.hash else named.seq

    def attested_last(self, limit: int) -> list[str]:
        """Return the commits that were attested last."""
        rows = sorted(self.ledger.attestations().items(), key=lambda row: -row[1])
        return [commit for commit, _ in rows[:limit]]

    def named(self) -> Mapping[str, tuple[Event, int]]:
        """Return what was recorded when each unattested commit came; the first word counts."""
        if self._named is None:
            self._named = {}
            entries = [e for kind in NAMING for e in self.ledger.recorded(kind, RECORDED_MAX)]
            with _decoding() as through:
                for entry in through(sorted(entries)):
                    event = read_event(entry)
                    for commit in getattr(event, "commits", ()):
                        if event is not None:
                            self._named.setdefault(commit, (event, entry.seq))
        return self._named

    def _latest_law(self) -> Law | None:
        try:
            rules = rules_in_force(self.ledger)
        except (errors.NotInitialised, errors.StoreCorrupt):
            return None
        return Law(rules.in_force.seq, rules.policy, rules.settings.workspace.fold_case)


UNENROLLED: Final = "unenrolled"
ABSENT: Final = "absent"


class Doubt(Record):
    """A ledger that vouches for nothing: its fault in a word, and the end of a sentence."""

    epoch: str
    fault: str
    reason: str

    @property
    def sentence(self) -> str:
        """All of it."""
        return f"the ledger of epoch {self.epoch} is {self.fault}: {self.reason}"


class Testimony:
    """What several ledgers say, asked as one: that of the store here, and shared ones."""

    def __init__(
        self,
        own: Evidence | None,
        shared: Sequence[SharedLedger],
        enrolled: Sequence[str],
        charter: Charter = Charter(),  # noqa: B008 - a constant
    ) -> None:
        """``enrolled`` are the epochs that the base enrols, ``charter`` is what it keeps."""
        self._charter = charter
        others = [row for row in shared if own is None or row.epoch != own.ledger.epoch]
        vouching = [row.ledger for row in others if row.ledger is not None]
        foreign = [Evidence(ledger, verified=True) for ledger in vouching]
        self._all = [*([] if own is None else [own]), *foreign]
        here = {row.epoch for row in shared} | ({own.ledger.epoch} if own is not None else set())
        faulty = [Doubt(row.epoch, row.fault, row.reason) for row in others if row.fault]
        absent = [
            Doubt(epoch, ABSENT, "no ref here holds it") for epoch in enrolled if epoch not in here
        ]
        self.doubts = (*faulty, *absent)
        missing = [doubt for doubt in self.doubts if doubt.fault != UNENROLLED]
        self.complete = bool(self._all or enrolled) and not missing

    def learn(self, commits: Sequence[str]) -> None:
        """Read what each ledger says of these commits."""
        for evidence in self._all:
            evidence.learn(commits)

    def judge(self, change: Change) -> Judgment | None:
        """Judge by attestations; one ledger that vouches is enough."""
        return _best([one.judge(change, self._charter) for one in self._all])

    def judge_heir(self, change: Change, digest: str) -> Judgment | None:
        """Judge by attestations of commits that do the same, whether those are here or not."""
        return _best([one.judge_heir(change, digest, self._charter) for one in self._all])

    def recorded(self, change: Change, *, unattributed: str) -> Judgment | None:
        """Judge by what was recorded; a refusal in one ledger outweighs a pass in another."""
        said = [
            one.judge_by_record(change, self._charter, unattributed=unattributed)
            for one in self._all
        ]
        found = [one for one in said if one is not None]
        return next((one for one in found if one.verdict == REFUSED), next(iter(found), None))

    def alike(self, paths_hash: str) -> list[str]:
        """Return attested commits that change the same paths."""
        return list(dict.fromkeys(c for one in self._all for c in one.alike(paths_hash)))

    def attested_last(self, limit: int) -> list[str]:
        """Return the commits that were attested last, as many of each ledger."""
        return list(dict.fromkeys(c for one in self._all for c in one.attested_last(limit)))

    def denies(self, head: str) -> int | None:
        """Return the entry that a head names by another hash than the ledger of its epoch."""
        said = (one.denies(head) for one in self._all)
        return next((seq for seq in said if seq is not None), None)


def _best(said: Sequence[Judgment | None]) -> Judgment | None:
    """Return the first that passes, else the first there is."""
    found = [one for one in said if one is not None]
    return next((one for one in found if one.verdict == PASS), next(iter(found), None))


def _spans(standing: Standing) -> list[tuple[int, int]]:
    """Return the parts of the ledger that an attestation rests on."""
    attested = standing.attested
    if attested is None:
        return [(standing.seq - 1, standing.seq)]
    first = min((token for token, _ in attested.cover if token > 0), default=standing.seq)
    written = [(seq - 1, seq) for seq in attested.written if 0 < seq < standing.seq]
    return [*written, (min(first, standing.seq) - 1, standing.seq)]


def _law_of(entry: Entry) -> Law | None:
    event = read_event(entry)
    if not isinstance(event, ConfigApplied):
        return None
    from handrail.config import parse_config

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

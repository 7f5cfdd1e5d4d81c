"""Ledgers that came through git refs: which can be believed, and what is wrong with the others.

Promises: a ledger is given only if its epoch is enrolled, its head is signed by that epoch's key,
its chain leads from the first entry to that head, and every head that a commit of its own history
names lies on the chain. Where refs of one epoch differ, the longest counts if the others are
beginnings of it. What is wrong has one of six names, and is a value: one bad ref takes nothing from
the ledgers of other epochs.

What a remote-tracking ref holds may come from anybody's fork: with a fault of its own it is passed
over where the epoch has another ref, and counts against the epoch where it is all there is. A
signed head on another chain is a fork wherever it lies.

Not promised: that a ref is the newest there is. Who shows an older one, of the same key, shows less
and nothing false; what is missing then is unseen.

    with open_published(folder) as source:
        [row.fault for row in read_published(source, settings.epochs, check)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from handrail.config.records import Epoch
from handrail.core.digest import sha256
from handrail.core.lease import Actor
from handrail.core.ledger import Entry, Head, parse_head, read_event, read_header, verify
from handrail.core.published import (
    TRACKED,
    Blob,
    CutShort,
    Garbled,
    HeadFile,
    Shape,
    check_format,
    check_link,
    check_state,
    epoch_of,
    parse_checkpoint,
    parse_segment,
    segment_of,
)
from handrail.core.published import parse_head as parse_head_file
from handrail.core.record import Record
from handrail.core.state import State, apply
from handrail.core.written import Written
from handrail.errors import MalformedToken, NewerFormat
from handrail.text import visible
from handrail.typed import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from handrail.service.evidence import Ledger

MALFORMED: Final = "malformed"
UNENROLLED: Final = "unenrolled"
UNSIGNED: Final = "unsigned"
REWRITTEN: Final = "rewritten"
TRUNCATED: Final = "truncated"
FORKED: Final = "forked"
REFS_MAX: Final = 64
"""Of one epoch: what is to be looked at, one's own before remote-tracking ones."""
REASON_CHARS_MAX: Final = 300
_T = TypeVar("_T")


class Source(Protocol):
    """Where published ledgers lie."""

    def refs(self) -> Sequence[tuple[str, str]]:
        """Return (ref, object id) wherever a ledger may lie; raises FactsUnavailable."""

    def shape(self, tip: str) -> Shape:
        """Return what lies in a commit, without its large files; raises Garbled."""

    def contents(self, blobs: Sequence[Blob]) -> Iterator[bytes]:
        """Yield the contents of files in their order; raises Garbled."""

    def history(self, tip: str) -> Sequence[str]:
        """Return the subjects of all commits of a ref, newest first; raises Garbled."""


class Check(Protocol):
    """Tells whether a signature over a text is one by a key, given as an SSH public key line."""

    def __call__(self, public_key: str, text: bytes, signature: bytes, /) -> bool:
        """Return False also where the key or the signature is none."""


class Live(Record):
    """Who holds what by a ledger, up to its head."""

    head: Head
    state: State


class Published(Record):
    """What was read of one epoch, or what is wrong with it; ``ref`` is then the one to blame.

    ``reason`` is the end of a sentence, fit to be shown; ``passed_over`` are refs that say nothing
    of the epoch.
    """

    epoch: str
    ref: str
    tip: str
    ledger: Written | None = None
    live: Live | None = None
    fault: str | None = None
    reason: str = ""
    passed_over: tuple[str, ...] = ()


class _Ref(Record):
    """A ref and the object it names."""

    name: str
    tip: str


class _Tip(Record):
    """A ref whose head is signed; ``named`` are the heads that its history names, its own first."""

    ref: _Ref
    shape: Shape
    file: HeadFile
    named: tuple[Head, ...]

    @property
    def head(self) -> Head:
        """Its newest entry."""
        return self.file.head


class _Faulty(Exception):
    """One of the six faults, of one ref."""

    def __init__(self, fault: str, ref: _Ref, reason: str) -> None:
        super().__init__(fault)
        self.fault = fault
        self.ref = ref
        self.reason = reason


def read_published(
    source: Source,
    enrolled: Sequence[Epoch],
    check: Check,
    *,
    proposed: Mapping[str, str | None] | None = None,
    own: Ledger | None = None,
) -> list[Published]:
    """Read and check all ledgers, one row for each epoch that has a ref, by epoch.

    ``proposed`` are refs as a push would leave them, None where it deletes one. ``own`` is
    the ledger of the store here, which that of its epoch must agree with. Raises FactsUnavailable
    where not even the refs can be listed.
    """

    def read(reading: _Reading, refs: Sequence[_Ref]) -> Published:
        return reading.whole(refs, own if own is not None and own.epoch == reading.epoch else None)

    return _each(source, enrolled, check, proposed or {}, read)


def read_live(
    source: Source,
    enrolled: Sequence[Epoch],
    check: Check,
) -> list[Published]:
    """Read who holds what by each ledger: signed heads, checkpoints and what comes after them.

    Older segments and the history of the refs are not looked at, so rewriting goes unnoticed here:
    good for showing what others hold, and for no judgment.
    """
    return _each(source, enrolled, check, {}, _Reading.tail)


def live_state(before: State, entries: Sequence[Entry]) -> State:
    """Return who holds what after these entries, given who did before; raises Garbled.

    Of what a checkpoint leaves out (attestations, what was left unfinished) it holds a part.
    """
    state = before.copy()
    for entry in entries:
        try:
            header = read_header(entry.header)
            event = read_event(entry, header)
            if event is not None:
                actor = Actor(header.session, header.agent, header.role)
                apply(state, entry.seq, header.at, actor, event)
        except (ValueError, KeyError, TypeError, NewerFormat) as error:
            raise Garbled(f"entry {entry.seq} cannot be read ({error})") from error
    check_state(state)
    return state


def _each(
    source: Source,
    enrolled: Sequence[Epoch],
    check: Check,
    proposed: Mapping[str, str | None],
    read: Callable[[_Reading, Sequence[_Ref]], Published],
) -> list[Published]:
    """Make a row for each epoch that has a ref."""
    keys = {epoch.id: epoch.key for epoch in enrolled}
    rows = []
    for epoch, refs in sorted(_by_epoch(source, proposed).items()):
        try:
            if epoch not in keys:
                raise _Faulty(UNENROLLED, refs[0], "the base enrols no such epoch")
            rows.append(read(_Reading(source, check, epoch, keys[epoch]), refs))
        except _Faulty as faulty:
            reason = visible(faulty.reason[:REASON_CHARS_MAX])
            rows.append(Published(epoch, *faulty.ref, fault=faulty.fault, reason=reason))
    return rows


def _by_epoch(source: Source, proposed: Mapping[str, str | None]) -> dict[str, list[_Ref]]:
    """Return the refs of each epoch as they would be, one's own before those of remotes."""
    tips: dict[str, str | None] = {**dict(source.refs()), **proposed}
    found: dict[str, list[_Ref]] = {}
    for name in sorted(tips):  # refs/handrail/, refs/heads/, refs/remotes/
        epoch, tip = epoch_of(name), tips[name]
        if epoch is not None and tip is not None:
            found.setdefault(epoch, []).append(_Ref(name, tip))
    return found


class _Reading:
    """The reading of one epoch's refs; whatever it cannot use is _Faulty."""

    def __init__(self, source: Source, check: Check, epoch: str, key: str) -> None:
        self.epoch = epoch
        self._source = source
        self._check = check
        self._key = key
        self._passed_over: list[_Faulty] = []

    def whole(self, refs: Sequence[_Ref], own: Ledger | None) -> Published:
        """Read everything there is and check it."""
        tips = self._tips(refs, with_history=True)
        longest, ledger = self._longest(tips, self._ledger)
        for tip in tips:
            if tip is longest:
                continue
            if not _lies_on(ledger, tip.head):
                raise _forked(tip.ref, longest.ref.name, tip.head)
            gone = next((head for head in tip.named if not _lies_on(ledger, head)), None)
            if gone is not None:
                reason = f"its history names entry {gone.seq} by another hash"
                self._pass_over(_Faulty(REWRITTEN, tip.ref, reason))
        if own is not None:
            shorter, longer = sorted((own, ledger), key=lambda one: one.head.seq)
            if not _lies_on(longer, shorter.head):
                raise _forked(longest.ref, "this store", shorter.head)
        return Published(self.epoch, *longest.ref, ledger, passed_over=self._others())

    def tail(self, refs: Sequence[_Ref]) -> Published:
        """Read the checkpoint and what comes after it."""
        tips = self._tips(refs, with_history=False)
        longest, live = self._longest(tips, self._live)
        for tip in tips:
            if tip.head.seq == longest.head.seq and tip.head != longest.head:
                raise _forked(tip.ref, longest.ref.name, tip.head)
        return Published(self.epoch, *longest.ref, live=live, passed_over=self._others())

    def _others(self) -> tuple[str, ...]:
        return tuple(faulty.ref.name for faulty in self._passed_over)

    def _pass_over(self, faulty: _Faulty) -> None:
        """Let a fault of a remote-tracking ref be; raise any other."""
        if not faulty.ref.name.startswith(TRACKED):
            raise faulty
        self._passed_over.append(faulty)

    def _tips(self, refs: Sequence[_Ref], *, with_history: bool) -> list[_Tip]:
        """Open each ref, those of one tip once; returns those that are signed."""
        tips: list[_Tip] = []
        seen: set[str] = set()
        for ref in refs:
            if ref.tip in seen:
                continue
            seen.add(ref.tip)
            try:
                if len(seen) > REFS_MAX:
                    raise _Faulty(MALFORMED, ref, f"its epoch has more than {REFS_MAX} refs")
                tips.append(self._opened(ref, with_history=with_history))
            except _Faulty as faulty:
                self._pass_over(faulty)
        if not tips:
            raise self._passed_over[0]
        return tips

    def _longest(self, tips: list[_Tip], read: Callable[[_Tip], _T]) -> tuple[_Tip, _T]:
        """Read the longest that can be read; takes those that are passed over from the list."""
        while True:
            longest = max(tips, key=lambda tip: tip.head.seq)
            try:
                return longest, read(longest)
            except _Faulty as faulty:
                tips.remove(longest)
                if not tips:
                    raise
                self._pass_over(faulty)

    def _ledger(self, tip: _Tip) -> Written:
        """Read a whole ledger and verify it against its own heads."""
        self._checkpoint(tip)
        entries = self._entries(tip)
        try:
            report = verify(entries, tip.named)
        except NewerFormat as error:
            raise _Faulty(MALFORMED, tip.ref, str(error)) from error
        if report.problem is not None:
            reason = f"entry {report.problem.seq}: {report.problem.reason}"
            raise _Faulty(REWRITTEN, tip.ref, reason)
        if report.epoch != self.epoch:
            raise _Faulty(MALFORMED, tip.ref, f"its entries are of epoch {report.epoch}")
        return Written(self.epoch, entries)

    def _live(self, tip: _Tip) -> Live:
        """Read who holds what at the head of a ledger."""
        try:
            at, before = parse_checkpoint(self._checkpoint(tip), self.epoch)
            if at.seq != tip.file.checkpoint_seq:
                raise Garbled("its checkpoint is after another entry than its head says")
            entries = self._entries(tip, after=at.seq)
            check_link(entries, self.epoch, at, tip.head)
            return Live(tip.head, live_state(before, entries))
        except Garbled as error:
            raise _Faulty(MALFORMED, tip.ref, str(error)) from error

    def _opened(self, ref: _Ref, *, with_history: bool) -> _Tip:
        """Look at a ref's small files and its signature, then at its history."""
        try:
            shape = self._source.shape(ref.tip)
            check_format(shape.format, self.epoch)
            file = parse_head_file(shape.head)
            if file.epoch != self.epoch:
                raise Garbled(f"its head is of epoch {file.epoch}")
        except Garbled as error:
            raise _Faulty(MALFORMED, ref, str(error)) from error
        if file.key is None or file.signature is None:
            raise _Faulty(UNSIGNED, ref, "its head has no signature")
        if file.key.split() != self._key.split()[:2]:
            raise _Faulty(UNSIGNED, ref, "its head is signed by another key than the enrolled one")
        if not self._check(self._key, file.signed, file.signature):
            raise _Faulty(UNSIGNED, ref, "the signature of its head is not one by the enrolled key")
        return _Tip(ref, shape, file, self._history(ref, file.head) if with_history else ())

    def _history(self, ref: _Ref, tip: Head) -> tuple[Head, ...]:
        """Return the heads that a ref's own history names, newest first."""
        heads = []
        try:
            for subject in self._source.history(ref.tip):
                word, _, named = subject.partition(" ")
                epoch, head = parse_head(named)
                if word != "ledger" or epoch != self.epoch:
                    raise Garbled("a commit of its history is not one of this ledger")
                heads.append(head)
            if heads[:1] != [tip]:
                raise Garbled("its commit names another head than the file in it")
        except MalformedToken as error:
            raise _Faulty(MALFORMED, ref, "a commit of its history names no head") from error
        except Garbled as error:
            raise _Faulty(MALFORMED, ref, str(error)) from error
        newest = max(heads)
        if newest.seq > tip.seq:
            reason = f"it ends at entry {tip.seq}, and its history names entry {newest.seq}"
            raise _Faulty(TRUNCATED, ref, reason)
        return tuple(heads)

    def _checkpoint(self, tip: _Tip) -> bytes:
        """Return the checkpoint that the signed head names."""
        try:
            data = next(self._source.contents([tip.shape.checkpoint]))
        except Garbled as error:
            raise _Faulty(MALFORMED, tip.ref, str(error)) from error
        if sha256(data).hexdigest() != tip.file.checkpoint_digest:
            raise _Faulty(MALFORMED, tip.ref, "its checkpoint is not the one that its head names")
        return data

    def _entries(self, tip: _Tip, after: int = 0) -> list[Entry]:
        """Take the segments apart that come after an entry."""
        head, full = tip.head.seq, segment_of(after)
        entries: list[Entry] = []
        try:
            if len(tip.shape.segments) > segment_of(head):
                raise Garbled("it has more segments than its head says")
            contents = self._source.contents(tip.shape.segments[full:])
            for number, data in enumerate(contents, full + 1):
                entries += parse_segment(data, number, head)
            if len(tip.shape.segments) < segment_of(head):
                raise CutShort(f"its entries end at {after + len(entries)}, its head is {head}")
        except CutShort as error:
            raise _Faulty(TRUNCATED, tip.ref, str(error)) from error
        except Garbled as error:
            raise _Faulty(MALFORMED, tip.ref, str(error)) from error
        return entries


def _lies_on(ledger: Ledger, head: Head) -> bool:
    entry = next(ledger.entries(head.seq - 1, head.seq), None)
    return entry is not None and entry.hash == head.hash


def _forked(ref: _Ref, other: str, head: Head) -> _Faulty:
    return _Faulty(FORKED, ref, f"it and {other} have different entries {head.seq}")

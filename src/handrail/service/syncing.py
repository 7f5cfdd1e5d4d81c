"""Sharing ledgers with a remote: our own goes there, those of others come here.

Promises: a ref only ever moves forward, here and there, by compare-and-swap; where somebody else
moved it meanwhile, the attempt begins anew. What the remote has of our own epoch must be this
store's past, else LedgerForked and nothing is pushed. Of another epoch only what leads on from what
is here already is taken, and what is signed by the key that is enrolled for it. An enrolled store's
head is never shared without its signature. Whatever is interrupted leaves refs as they were or as
they should be, and the next sync goes on from there.

Where the host takes no refs under ``refs/handrail/``, the ledger goes to a branch. Not promised:
exclusivity between stores. What others hold is read from their ledgers as of their last sync, and
overlaps with what is held here are told, as advice.

    Syncing(store, outside, remotes, published, check, keys).sync(None).outcome
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from handrail import errors
from handrail.config import Settings, parse_config
from handrail.config.records import Epoch
from handrail.core.ledger import GENESIS, Head, format_head, is_epoch, parse_head
from handrail.core.published import BRANCHES, LEDGERS, Garbled, epoch_of
from handrail.core.record import Record
from handrail.errors.landing import (
    LedgerForked,
    LedgerNotTaken,
    MalformedKey,
    SyncContended,
)
from handrail.service.context import Outside
from handrail.service.parallel import Parallel, parallel_edits
from handrail.service.policy import rules_in_force
from handrail.service.published import Check, Source
from handrail.service.publishing import Publishing, Signer, Tip, lies_on, opened
from handrail.service.remotes import DONE, FORBIDDEN, Remotes
from handrail.service.taking import Left, Taking, key_of
from handrail.store.port import Reader, Store
from handrail.text import shell_quote
from handrail.typed import Final, Protocol

ATTEMPTS: Final = 20
PAUSE_S: Final = 0.05
PAUSE_MAX_S: Final = 1.0
EPOCHS_MAX: Final = 256
"""Ledgers of others that are taken from one remote; enrolled ones come first."""
PUSHED: Final = "pushed"
SAME: Final = "same"
NO_STORE: Final = "no_store"


class Keys(Protocol):
    """The key that signs this store's heads."""

    @property
    def place(self) -> str:
        """Where it is, or would be."""

    def signer(self) -> Signer | None:
        """Return what signs; None if there is no key. Raises MalformedKey."""


class Synced(Record):
    """What a sync did: ``pushed``, ``same`` (nothing to do), or ``no_store`` (only taken).

    ``entries`` are those that the remote had not; ``ref`` is where the ledger lies there, a branch
    where ``branch`` says so. ``enrolled``: whether the configuration in force names this store.
    """

    remote: str
    outcome: str
    epoch: str | None = None
    head: str | None = None
    ref: str | None = None
    entries: int = 0
    branch: bool = False
    signed: bool = False
    enrolled: bool = False
    taken: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()
    parallel: tuple[Parallel, ...] = ()


class _Raced(Exception):
    """Somebody else moved a ref meanwhile."""


class Syncing:
    """The use case of sharing ledgers."""

    def __init__(
        self,
        store: Store | None,
        outside: Outside,
        remotes: Remotes,
        published: Callable[[], AbstractContextManager[Source]],
        check: Check,
        keys: Keys,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._outside = outside
        self._remotes = remotes
        self._published = published
        self._check = check
        self._keys = keys
        self._tell = tell

    def sync(self, asked: str | None, *, dry_run: bool = False) -> Synced:
        """Share ledgers with a remote: the one that is asked for, else the branch's.

        Raises UnknownRemote, RemoteUnavailable, LedgerForked, LedgerNotTaken, SyncContended,
        MalformedKey, LedgerBroken, FactsUnavailable.
        """
        remote = self._remotes.chosen(asked)
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._tell(f"attempt {attempt + 1}: {reason}")
                self._outside.pause(self._span(attempt))
            try:
                with self._published() as source:
                    return _Attempt(self._world(source), remote, dry_run=dry_run).run()
            except _Raced as raced:
                reason = str(raced)
        raise SyncContended(remote=remote, attempts=ATTEMPTS, reason=reason)

    def _span(self, attempt: int) -> float:
        """Return how long to wait, so that several that came together do not meet again."""
        share = ord(self._outside.random_name(1)) % 16 / 16
        return min(PAUSE_S * attempt, PAUSE_MAX_S) * (0.5 + share)

    def _world(self, source: Source) -> _World:
        settings = self._settings()
        epochs = () if settings is None else settings.epochs
        own = (self._store, self._outside, self._remotes, self._check, self._keys, self._tell)
        return _World(source, epochs, *own)

    def _settings(self) -> Settings | None:
        """Return what says whose ledgers count: what is in force, without a store the file here."""
        if self._store is not None:
            with self._store.read() as reader:
                return rules_in_force(reader).settings
        text = self._outside.config_file()
        try:
            return None if text is None else parse_config(text)
        except errors.MalformedConfig:
            return None


class _World(Record):
    """What an attempt works with."""

    source: Source
    epochs: tuple[Epoch, ...]
    store: Store | None
    outside: Outside
    remotes: Remotes
    check: Check
    keys: Keys
    tell: Callable[[str], None]


class _Attempt:
    """One go at it, from what the remote says now."""

    def __init__(self, world: _World, remote: str, *, dry_run: bool) -> None:
        self._world = world
        self._remotes = world.remotes
        self._remote = remote
        self._dry_run = dry_run

    def run(self) -> Synced:
        """Fetch, take, write, push; raises _Raced."""
        self._world.tell(f"asking {self._remote}")
        there = self._there()
        here = {ref.removeprefix(LEDGERS): tip for ref, tip in self._remotes.refs(LEDGERS).items()}
        self._fetch(there, here)
        own = None
        if self._world.store is not None:
            with self._world.store.read() as reader:
                own = reader.epoch
        others = {epoch: refs for epoch, refs in there.items() if epoch != own}
        world = self._world
        taking = Taking(world.source, self._remotes, world.epochs, world.check)
        taken, left = taking.take(others, here, dry_run=self._dry_run)
        if self._world.store is None or own is None:
            return Synced(self._remote, NO_STORE, taken=taken, left=left)
        done = self._share(there.get(own, {}), here.get(own), own)
        done = done._replace(taken=taken, left=left)
        return done if self._dry_run else done._replace(parallel=self._parallel(own))

    # --- what is there ---------------------------------------------------------------------------

    def _there(self) -> dict[str, dict[str, str]]:
        """Return the remote's ledger refs by epoch; of many, those of enrolled epochs first."""
        found: dict[str, dict[str, str]] = {}
        for ref, tip in self._remotes.listed(self._remote, (LEDGERS, BRANCHES)).items():
            epoch = epoch_of(ref)
            if epoch is not None and is_epoch(epoch):
                found.setdefault(epoch, {})[ref] = tip
        known = {row.id for row in self._world.epochs}
        order = sorted(found, key=lambda epoch: (epoch not in known, epoch))
        if self._world.store is not None:
            with self._world.store.read() as reader:
                order.sort(key=lambda epoch: epoch != reader.epoch)
        return {epoch: found[epoch] for epoch in order[:EPOCHS_MAX]}

    def _fetch(self, there: Mapping[str, Mapping[str, str]], here: Mapping[str, str]) -> None:
        """Fetch the commits that are not here yet."""
        new = {
            ref: tip
            for epoch, refs in there.items()
            for ref, tip in refs.items()
            if here.get(epoch) != tip
        }
        missing = set(new.values()) - self._remotes.commits_among(sorted(set(new.values())))
        wanted = [ref for ref, tip in new.items() if tip in missing]
        if not wanted:
            return
        self._world.tell(f"fetching from {self._remote}")
        if not self._remotes.fetch(self._remote, wanted):
            raise _Raced("a ledger went away while it was fetched")

    # --- one's own -------------------------------------------------------------------------------

    def _share(self, there: Mapping[str, str], here: str | None, epoch: str) -> Synced:
        """Write what the ledger has become, and push it."""
        store = self._world.store
        assert store is not None, "there is a store, for it has an epoch"
        ref, branch = LEDGERS + epoch, BRANCHES + epoch
        target = branch if branch in there and ref not in there else ref
        at = there.get(target)
        signer, enrolled = self._signer(epoch)
        # The view is opened after all refs were read: whoever moved them saw less than it shows.
        with store.read() as reader:
            below, had = self._below(reader, here, at, target)
            head = reader.head
            new = below is None or below.file.head != head
            if signer is not None and below is not None and below.file.key != signer.public_key:
                new = True
            result = Synced(
                self._remote,
                SAME,
                epoch=epoch,
                head=format_head(epoch, head),
                ref=target,
                entries=head.seq - had.seq,
                branch=target == branch,
                signed=signer is not None or (below is not None and below.file.key is not None),
                enrolled=enrolled,
            )
            tip = "" if below is None else below.commit
            if self._dry_run:
                return result._replace(outcome=PUSHED if new or tip != at else SAME)
            if new:
                publishing = Publishing(reader, self._world.source, self._remotes, self._world.tell)
                tip = publishing.commit(below, signer)
        if tip != here and not self._remotes.move(ref, tip, here):
            raise _Raced(f"{ref} moved here")
        if tip == at:
            return result
        return self._push(result._replace(outcome=PUSHED), tip, ref, branch)

    def _push(self, result: Synced, tip: str, ref: str, branch: str) -> Synced:
        """Push; where the host takes no such ref, as a branch."""
        target = result.ref or ref
        self._world.tell(f"pushing to {self._remote}")
        pushed = self._remotes.push(self._remote, tip, target)
        if pushed.outcome == FORBIDDEN and target == ref:
            first = pushed.reason
            pushed = self._remotes.push(self._remote, tip, branch)
            result = result._replace(ref=branch, branch=True)
            if pushed.outcome == FORBIDDEN:
                pair = {"ref": ref, "branch": branch}
                raise LedgerNotTaken(remote=self._remote, reason=first, **pair)
        elif pushed.outcome == FORBIDDEN:
            pair = {"ref": ref, "branch": branch}
            raise LedgerNotTaken(remote=self._remote, reason=pushed.reason, **pair)
        if pushed.outcome != DONE:
            raise _Raced(pushed.reason)
        return result

    def _signer(self, epoch: str) -> tuple[Signer | None, bool]:
        """Return what signs, and whether the store is enrolled; raises MalformedKey.

        What an enrolled store shares without the right signature would be believed by nobody, and
        its whole ledger with it.
        """
        signer, key = self._world.keys.signer(), key_of(self._world.epochs, epoch)
        if key is None:
            return signer, False
        place = self._world.keys.place
        if signer is None:
            reason = "this store is enrolled with a key that is not here"
            raise MalformedKey(file=place, reason=reason)
        if signer.public_key.split() != key.split()[:2]:
            reason = "the configuration in force enrols another key for this store"
            step = f"{errors.AS_PERSON}handrail enroll && {errors.AS_PERSON}handrail config apply"
            raise MalformedKey(file=place, reason=reason, next=step)
        return signer, True

    def _below(
        self, reader: Reader, here: str | None, there: str | None, target: str
    ) -> tuple[Tip | None, Head]:
        """Return what to write on top of, and up to where the remote has us; raises LedgerForked.

        What the remote has goes before what is here where neither leads on from the other: both
        are our past, and the remote moves forward only.
        """
        ours = self._ours(reader, here)
        if there is None:
            return ours, GENESIS
        if ours is not None and there == here:
            return ours, ours.file.head
        theirs = self._theirs(reader, there, target)
        if ours is not None and self._remotes.contains(ours.commit, there):
            return ours, theirs.file.head
        return theirs, theirs.file.head

    def _ours(self, reader: Reader, commit: str | None) -> Tip | None:
        """Open what our own local ref holds; nothing of it counts if it is garbled."""
        if commit is None:
            return None
        try:
            tip = opened(self._world.source, commit, reader.epoch, ours=True)
        except Garbled:
            return None
        if not lies_on(reader, tip.file.head):
            raise self._forked("this clone", reader.epoch, tip.file.head)
        return tip

    def _theirs(self, reader: Reader, commit: str, ref: str) -> Tip:
        """Open what the remote has of our ledger: all of its heads must be our past."""
        try:
            tip = opened(self._world.source, commit, reader.epoch)
            subjects = self._world.source.history(commit)
        except Garbled as error:
            # Nothing of ours is in it, so nothing is lost with it; but only a person may say so.
            remote = shell_quote(self._remote)
            step = f"git push --no-verify {remote} :{ref} && handrail ledger sync {remote}"
            raise LedgerForked(
                where=self._remote, epoch=reader.epoch, reason=str(error), next=step
            ) from error
        if not lies_on(reader, tip.file.head):
            raise self._forked(self._remote, reader.epoch, tip.file.head)
        for subject in subjects:
            head = self._head_of(subject, reader.epoch)
            if head is None or not lies_on(reader, head):
                raise self._forked(self._remote, reader.epoch, head or GENESIS)
        return tip

    def _head_of(self, subject: str, epoch: str) -> Head | None:
        try:
            named, head = parse_head(subject.removeprefix("ledger "))
        except errors.MalformedToken:
            return None
        return head if named == epoch else None

    def _forked(self, where: str, epoch: str, head: Head) -> LedgerForked:
        reason = f"it names entry {head.seq} as {head.hash[:12]}, which this store has not"
        return LedgerForked(where=where, epoch=epoch, seq=head.seq, reason=reason)

    def _parallel(self, own: str) -> tuple[Parallel, ...]:
        """Return where others hold what is held here."""
        others = [row for row in self._world.epochs if row.id != own]
        store = self._world.store
        if store is None or not others:
            return ()
        with store.read() as reader:
            return parallel_edits(reader, self._world.source, others, self._world.check)

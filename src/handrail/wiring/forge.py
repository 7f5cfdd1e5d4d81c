"""A run of CI: the ledger ref is the store, for as long as one event takes.

Promises: what a run knows of others it read from the remote's ledger refs, signed and verified; it
works on a copy that nobody else sees and that is gone afterwards; what it decided counts only once
the remote's ref has moved from just what was read. Where somebody else came first, the copy is
thrown away and the event is answered anew from what they left. No ref of this clone moves.

    ForgeRun(place, "origin", signer, tell).answer(event, record=True).verdict
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from handrail import errors
from handrail.config import Settings
from handrail.config.records import Epoch
from handrail.core.forge import Event, PullRequest
from handrail.core.ledger import is_epoch
from handrail.core.published import BRANCHES, LEDGERS, epoch_of
from handrail.core.record import Record
from handrail.errors.landing import LedgerNotTaken, MalformedKey, SyncContended
from handrail.facts.authors import authors
from handrail.facts.clock import BootClock
from handrail.facts.keys import check, signer_from_file, signer_from_text
from handrail.facts.published import open_published
from handrail.facts.remotes import DONE, FORBIDDEN, Remotes
from handrail.facts.repository import Place
from handrail.service.context import Caller, Context
from handrail.service.forge_events import ForgeEvents
from handrail.service.published import Published, read_published
from handrail.service.publishing import Publishing, Signer, opened
from handrail.service.pull_request_base import base_of
from handrail.service.pull_request_checks import undecided
from handrail.service.pull_requests import Answer
from handrail.service.ranges import FIRST_GUESSES, base_at
from handrail.store.memory import MemoryStore
from handrail.store.port import Store
from handrail.store.sqlite import SqliteStore
from handrail.wiring.surroundings import Surroundings

ATTEMPTS: Final = 20
PAUSE_S: Final = 0.1
PAUSE_MAX_S: Final = 2.0
KEY: Final = "HANDRAIL_LEDGER_KEY"
HOLDER: Final = "ci"
"""Who holds the epoch of CI, where there is no key to tell it by."""
HEADS: Final = ("refs/pull/", "refs/merge-requests/")
NOWHERE: Final = "nowhere"


class _There(Record):
    """What the remote has: ledger refs, and where the pull request's head is."""

    ledgers: dict[str, str]
    tip: str | None


class NoSecrets:
    """A run of CI proves nothing by a secret: what it may do, its key says."""

    shown: Final[dict[str, str]] = {}

    def keep(self, session: str, secret: str) -> None:
        """Keep nothing."""

    def read(self, session: str) -> str | None:
        """Return nothing."""

    def forget(self, session: str) -> None:
        """Forget nothing."""


class Fetched:
    """The ledgers that the base enrols, as the remote has them now."""

    def __init__(self, place: Place, refs: Mapping[str, str]) -> None:
        self._place = place
        self._refs = refs

    def read(
        self, settings: Settings, proposed: Mapping[str, str | None], own: str | None
    ) -> Sequence[Published]:
        """Read and check them all but that of the store here."""
        refs = {**self._refs, **proposed}
        enrolled = [epoch for epoch in settings.epochs if epoch.id != own]
        with open_published(self._place.toplevel) as source:
            rows = read_published(source, enrolled, check, proposed=refs)
        return [row for row in rows if row.epoch != own]


class ForgeRun:
    """One event, answered and recorded."""

    def __init__(
        self,
        place: Place,
        remote: str | None,
        signer: Signer | None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._place = place
        self._remotes = Remotes(place.toplevel)
        self._remote = self._remotes.chosen(remote)
        self._signer = signer
        self._tell = tell
        self._outside = Surroundings(place)

    def answer(self, event: Event, *, record: bool) -> Answer:
        """Answer an event, and record what it changes where this run may; raises FactsUnavailable.

        Raises besides: RemoteUnavailable, LedgerNotTaken, SyncContended, MalformedKey.
        """
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._tell(f"attempt {attempt + 1}: {reason}")
                share = 0.5 + os.urandom(1)[0] / 256
                self._outside.pause(min(PAUSE_S * attempt, PAUSE_MAX_S) * share)
            there = self._fetched(event)
            settings = self._settings(event)
            epoch = None if settings is None else self._epoch(settings.epochs)
            shared = Fetched(self._place, there.ledgers)
            with self._store(event, settings, epoch, there) as store:
                context = Context(store, self._caller(), NoSecrets(), self._outside, shared)
                before = _head(store)
                answer = self._answer(context, event, there.tip, epoch, record=record)
                if settings is None:
                    return answer
                answer = self._as_recorded(answer, event, epoch, record=record)
                if _head(store) == before or not answer.recorded or epoch is None:
                    return answer
                reason = self._pushed(store, epoch, there)
                if not reason:
                    return answer
        raise SyncContended(remote=self._remote, attempts=ATTEMPTS, reason=reason)

    def _answer(
        self,
        context: Context,
        event: Event,
        tip: str | None,
        epoch: Epoch | None,
        *,
        record: bool,
    ) -> Answer:
        folder = self._place.toplevel
        events = ForgeEvents(context, lambda ids: authors(folder, ids), tip)
        may = record and self._signer is not None and epoch is not None
        return events.answer(event, record=may)

    def _as_recorded(
        self, answer: Answer, event: Event, epoch: Epoch | None, *, record: bool
    ) -> Answer:
        """Turn what should have been recorded and could not be into what cannot be told.

        The run of a fork has no key and records nothing: for it the ledger of CI has to be found.
        """
        if not isinstance(event, PullRequest) or not record or self._signer is not None:
            return answer
        if not event.is_fork or event.merged:
            sentence = f"{KEY} is not set, so nothing can be held or attested"
            return answer._replace(objections=(*answer.objections, undecided("no_key", sentence)))
        if epoch is None and event.is_open:
            sentence = f"the base enrols no epoch that {HOLDER} holds: who holds what is not known"
            lacking = undecided("no_ledger", sentence)
            return answer._replace(objections=(*answer.objections, lacking))
        return answer

    # --- what is there ---------------------------------------------------------------------------

    def _fetched(self, event: Event) -> _There:
        """Fetch the ledgers, and the head of the pull request if the forge has a ref for it."""
        number = event.number if isinstance(event, PullRequest) else 0
        heads = [f"{folder}{number}/head" for folder in HEADS] if number else []
        listed = self._remotes.listed(self._remote, (LEDGERS, BRANCHES, *heads))
        ledgers = {ref: tip for ref, tip in listed.items() if is_epoch(epoch_of(ref) or "")}
        tip = next((listed[head] for head in heads if head in listed), None)
        wanted = [*ledgers, *(head for head in heads if head in listed)]
        missing = {listed[ref] for ref in wanted} - self._remotes.commits_among(
            sorted({listed[ref] for ref in wanted})
        )
        fetched = [ref for ref in wanted if listed[ref] in missing]
        if fetched and not self._remotes.fetch(self._remote, fetched):
            raise errors.FactsUnavailable(what=fetched[0], reason="it went away meanwhile")
        return _There(ledgers, tip)

    def _settings(self, event: Event) -> Settings | None:
        """Return the configuration that says whose ledgers count."""
        with self._outside.history() as history:
            if isinstance(event, PullRequest):
                return base_at(history, base_of(history, event)).settings
            for commit in history.resolve(FIRST_GUESSES):
                settings = base_at(history, commit).settings
                if settings is not None:
                    return settings
        return None

    def _epoch(self, epochs: Sequence[Epoch]) -> Epoch | None:
        """Return the epoch that this run writes; without a key, the one that CI is known to hold.

        Raises MalformedKey where the base enrols no epoch with this key.
        """
        if self._signer is None:
            held = [epoch for epoch in epochs if epoch.holder == HOLDER]
            return held[0] if len(held) == 1 else None
        own = self._signer.public_key.split()[:2]
        found = next((epoch for epoch in epochs if epoch.key.split()[:2] == own), None)
        if found is None:
            reason = "the base enrols no epoch with its public key"
            step = "git show origin/HEAD:handrail.toml"
            raise MalformedKey(file="the key of CI", reason=reason, next=step)
        return found

    @contextmanager
    def _store(
        self, event: Event, settings: Settings | None, epoch: Epoch | None, there: _There
    ) -> Iterator[Store]:
        """Open a copy of the ledger; one that is empty where nothing can be claimed anyway."""
        if settings is None or epoch is None or not isinstance(event, PullRequest):
            yield MemoryStore(BootClock(), salt, workspace=NOWHERE, epoch=NOWHERE)
            return
        with tempfile.TemporaryDirectory(prefix="handrail-ci-") as folder:
            path = os.path.join(folder, "state.db")
            store = self._copied(path, settings, epoch, there)
            try:
                yield store
            finally:
                store.close()

    def _copied(self, path: str, settings: Settings, epoch: Epoch, there: _There) -> SqliteStore:
        """Make a store out of the published ledger; a first one where there is none yet."""
        refs = {ref: tip for ref, tip in there.ledgers.items() if epoch_of(ref) == epoch.id}
        clock, workspace = BootClock(), settings.workspace.id
        if not refs:
            return SqliteStore.create(path, clock, salt, workspace=workspace, epoch=epoch.id)
        with open_published(self._place.toplevel) as source:
            rows = read_published(source, settings.epochs, check, proposed=there.ledgers)
            row = next((row for row in rows if row.epoch == epoch.id), None)
            if row is None or row.ledger is None:
                fault = "gone" if row is None else f"{row.fault}: {row.reason}"
                what = f"the ledger of CI (epoch {epoch.id})"
                raise errors.FactsUnavailable(what=what, reason=fault)
            return SqliteStore.restore(path, clock, salt, list(row.ledger.entries()))

    # --- writing it back -------------------------------------------------------------------------

    def _pushed(self, store: Store, epoch: Epoch, there: _There) -> str:
        """Let the remote's ref move on to what the copy has; returns why somebody came first."""
        ref, branch = LEDGERS + epoch.id, BRANCHES + epoch.id
        target = branch if branch in there.ledgers and ref not in there.ledgers else ref
        at = there.ledgers.get(target)
        with open_published(self._place.toplevel) as source, store.read() as reader:
            # Verified a moment ago, and so as good as written here.
            below = None if at is None else opened(source, at, epoch.id, ours=True)
            commit = Publishing(reader, source, self._remotes).commit(below, self._signer)
        pushed = self._remotes.push(self._remote, commit, target)
        if pushed.outcome == FORBIDDEN and target == ref and at is None:
            pushed = self._remotes.push(self._remote, commit, branch)
        if pushed.outcome == FORBIDDEN:
            pair = {"ref": ref, "branch": branch}
            raise LedgerNotTaken(remote=self._remote, reason=pushed.reason, **pair)
        return "" if pushed.outcome == DONE else pushed.reason or "somebody came first"

    def _caller(self) -> Caller:
        return Caller(self._place.worktree, self._place.folder)


def _head(store: Store) -> int:
    with store.read() as reader:
        return reader.head.seq


def salt() -> str:
    """Return what nobody can guess, for one entry."""
    return os.urandom(16).hex()


def signer_of(environment: Mapping[str, str], file: str | None) -> Signer | None:
    """Return what signs in the name of CI: a key file, else the environment; None without a key.

    Raises MalformedKey.
    """
    if file is not None:
        return signer_from_file(file)
    text = environment.get(KEY)
    return signer_from_text(text, KEY) if text else None

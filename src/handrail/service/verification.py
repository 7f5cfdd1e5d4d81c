"""May these commits land? Rule V over a range, a push, or the commits that are named.

Promise: every commit that is asked about gets a judgment, from git's objects and from ledgers
alone: that of the store here, if there is one, and those that the base enrols. What protects, who
may sign, whose ledgers count and what becomes of unattributed commits is taken from the base, never
from what is judged. A store's ledger that does not verify and a git that fails are refused to be
judged by: LedgerBroken, FactsUnavailable. A shared ledger that cannot be believed vouches for
nothing, and is named.

    Verification(context).verify(["main..HEAD"]).verdict
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from handrail import errors
from handrail.config import Settings
from handrail.core.landing import CANNOT_TELL, PASS, REFUSED, Change, Judgment
from handrail.core.record import Record
from handrail.service.context import History, Outside
from handrail.service.court import ENFORCE, Court
from handrail.service.evidence import Doubt, Evidence, SharedLedger, Testimony
from handrail.service.policy import charter_of, rules_in_force
from handrail.service.ranges import (
    Base,
    Batch,
    Update,
    base_at,
    batches,
    commits_of,
    is_protected,
    protected_by,
    protected_tip,
    read_update,
    standing_refs,
    walk,
)
from handrail.store.port import Store
from handrail.typed import Final, Protocol

REPLACE: Final = "refs/replace/"


class SharedLedgers(Protocol):
    """Ledgers that lie in git refs."""

    def read(
        self, settings: Settings, proposed: Mapping[str, str | None], own: str | None
    ) -> Sequence[SharedLedger]:
        """Read and check the ledgers here against what these settings enrol.

        ``proposed`` are refs as they would be after a push; the epoch ``own`` is not read.
        """


class ReadOnce:
    """Shared ledgers that are read once for all who ask the same of them."""

    def __init__(self, shared: SharedLedgers) -> None:
        self._shared = shared
        self._read: dict[object, Sequence[SharedLedger]] = {}

    def read(
        self, settings: Settings, proposed: Mapping[str, str | None], own: str | None
    ) -> Sequence[SharedLedger]:
        """As ``SharedLedgers``."""
        asked = (settings.epochs, tuple(sorted(proposed.items())), own)
        if asked not in self._read:
            self._read[asked] = self._shared.read(settings, proposed, own)
        return self._read[asked]


class Sources(Protocol):
    """Where a verification looks: any ``Context``, or a repository without a store."""

    @property
    def store(self) -> Store | None:
        """The store here."""

    @property
    def outside(self) -> Outside:
        """The repository."""

    @property
    def shared(self) -> SharedLedgers | None:
        """The ledgers that lie in git refs."""


class Found(Record):
    """A repository to judge in, with a store or without one."""

    store: Store | None
    outside: Outside
    shared: SharedLedgers | None


class Verified(Record):
    """What was judged, oldest commit first, and from where; ``mode`` is the base's for landing.

    ``to_redo`` are merges that do not pass and had no conflict to resolve: made anew, they do.
    ``doubts`` name the shared ledgers that vouch for nothing, and why.
    """

    judgments: tuple[Judgment, ...]
    base: str | None
    skipped: tuple[str, ...]
    to_redo: frozenset[str]
    mode: str = ENFORCE
    doubts: tuple[Doubt, ...] = ()

    @property
    def verdict(self) -> str:
        """Refused if one is, else cannot-tell if one is, else pass."""
        found = {judgment.verdict for judgment in self.judgments}
        return next((one for one in (REFUSED, CANNOT_TELL) if one in found), PASS)


class Verification:
    """The use case of judging commits."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def verify(self, ranges: Sequence[str], base: str | None = None) -> Verified:
        """Judge the commits of these ranges; without one, what HEAD has and the protected ref not.

        A range is ``A..B``, ``A...B`` or one commit; ``base`` names the commit that judges, where
        the caller knows it. What landed already is judged step by step, as it landed: a
        configuration judges what came after it, if all before passes. Raises NotInitialised,
        MalformedRange, LedgerBroken, FactsUnavailable.
        """
        with self._opened() as (history, own):
            known = self._known(own, history)
            if own is None and not known and base is None:
                raise errors.NotInitialised
            protected = protected_tip(history, known)
            if base is not None:
                protected = commits_of(history, [base])[0][0]
            if ranges:
                commits, left = commits_of(history, ranges)
            else:
                if protected is None:
                    named = f" ({', '.join(known)})" if known else ""
                    reason = f"No protected ref{named} is here: name the range."
                    raise errors.Usage(reason=reason, next="handrail verify HEAD")
                commits, left = commits_of(history, [f"{protected}..HEAD"])
            changes = history.changes(commits)
            landed = base is None and protected is not None and protected in changes
            judge = left if landed or protected is None else protected
            if judge is None and commits:
                judge = next(iter(changes[commits[0]].parents), None)
            if landed and protected is not None:
                steps = batches(commits, changes, protected, judge)
                return self._in_steps(own, history, steps, changes)
            court = Court(self._hearing(own, {}), history, base_at(history, judge))
            return self._verified(court, court.judge(commits, changes))

    def _in_steps(
        self,
        own: Evidence | None,
        history: History,
        steps: Sequence[Batch],
        changes: dict[str, Change],
    ) -> Verified:
        """Judge what landed, the base moving forward as long as everything passes."""
        judgments: dict[str, Judgment] = {}
        base, whole = steps[0].base, Verified((), steps[0].base, (), frozenset())
        hearing = self._hearing(own, {})
        for batch in steps:
            if all(one.verdict == PASS for one in judgments.values()):
                base = batch.base
            court = Court(hearing, history, base_at(history, base))
            found = court.judge(batch.commits, {one: changes[one] for one in batch.commits})
            judgments.update((one.commit, one) for one in found)
            whole = self._verified(court, ())._replace(
                base=whole.base, to_redo=whole.to_redo | court.to_redo
            )
        return whole._replace(judgments=tuple(judgments[one] for one in changes))

    def verify_updates(self, lines: Sequence[str], base_commit: str | None = None) -> Verified:
        """Judge what a push brings to protected refs, from lines as git gives to its hooks.

        ``base_commit`` judges, where the caller knows which one does.
        """
        updates = [read_update(line) for line in lines if line.strip()]
        pushed = any(len(line.split()) == 4 for line in lines)
        with self._opened() as (history, own):
            known = self._known(own, history)
            standing, base = _standing(history, known, updates, base_commit, pushed=pushed)
            named = known if base.settings is None else base.settings.workspace.protected_refs
            if named != known:
                known = named
                standing, _ = _standing(history, known, updates, base_commit, pushed=pushed)
            judged = [update for update in updates if is_protected(update.ref, known)]
            news = [update.new for update in judged if update.new is not None]
            tips = history.present(list(dict.fromkeys(news)))
            gone = [new for new in news if new not in tips]
            if gone:
                raise errors.FactsUnavailable(what=f"commit {gone[0]}", reason="it is missing")
            commits = walk(history, tips, standing) if tips else []
            proposed = {} if pushed else {update.ref: update.new for update in updates}
            court = Court(self._hearing(own, proposed), history, base)
            judgments = court.judge(commits, history.changes(commits))
            replaced = [_replaced(one) for one in updates if one.ref.startswith(REPLACE)]
            verified = self._verified(court, (*replaced, *judgments))
            skipped = [u.ref for u in updates if u not in judged and not u.ref.startswith(REPLACE)]
            return verified._replace(skipped=tuple(skipped))

    @contextmanager
    def _opened(self) -> Iterator[tuple[History, Evidence | None]]:
        """Open the history, and the store's ledger where there is one."""
        store = self._sources.store
        with self._sources.outside.history() as history:
            if store is None:
                yield history, None
                return
            with store.read() as reader:
                yield history, Evidence(reader)

    def _known(self, own: Evidence | None, history: History) -> tuple[str, ...]:
        """Return which refs are protected, as far as is known before there is a base."""
        if own is None:
            return protected_by(history)
        return rules_in_force(own.ledger).settings.workspace.protected_refs

    def _hearing(
        self, own: Evidence | None, proposed: Mapping[str, str | None]
    ) -> Callable[[Settings], Testimony]:
        """Return what asks the ledgers that settings enrol; the same ones are read once."""
        shared = None if self._sources.shared is None else ReadOnce(self._sources.shared)
        epoch = None if own is None else own.ledger.epoch

        def testimony(settings: Settings) -> Testimony:
            heard = () if shared is None else shared.read(settings, proposed, epoch)
            enrolled = [each.id for each in settings.epochs]
            return Testimony(own, heard, enrolled, charter_of(settings))

        return testimony

    def _verified(self, court: Court, judgments: Sequence[Judgment]) -> Verified:
        to_redo, doubts = court.to_redo, court.doubts
        return Verified(tuple(judgments), court.base, (), to_redo, court.mode, doubts)


def _standing(
    history: History,
    known: Sequence[str],
    updates: Sequence[Update],
    judge: str | None,
    *,
    pushed: bool,
) -> tuple[list[str], Base]:
    """Return what protected refs hold before a push, and what judges: by itself the first of it."""
    olds = [u.old for u in updates if u.old and is_protected(u.ref, known)]
    there = history.present(olds)
    others = standing_refs(history, known, pushed=pushed, updated={u.ref for u in updates})
    standing = [*there, *others]
    return standing, base_at(history, judge or next(iter(standing), None))


def _replaced(update: Update) -> Judgment:
    values = (("ref", update.ref),)
    return Judgment(update.new or update.old or "", update.ref, "replace_ref", None, values)

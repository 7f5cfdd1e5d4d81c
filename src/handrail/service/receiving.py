"""May this push be taken? What a bare repository asks before any of its refs moves.

Promises: all of a push is taken or nothing; what changes is looked up in the repository and not
believed from the pusher; which branches are protected is said by what they hold before the push.
Refs that would lie about other objects, that only git or Handrail writes, and ledgers that do not
grow are refused in every mode, and so are deleting or moving back a protected branch. What goes to
protected branches is judged by rule V. What cannot be told is not taken: FactsUnavailable and its
kin. Other branches and tags are taken as they are, and named.

    Receiving(sources, arrival).judge(["OLD NEW refs/heads/main"]).taken
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Final

from handrail import errors
from handrail.config import Settings
from handrail.config.records import Epoch
from handrail.core.landing import CANNOT_TELL, REFUSED
from handrail.core.ledger import is_epoch
from handrail.core.published import BRANCHES, TRACKED, Garbled, epoch_of, parse_head
from handrail.core.record import Record
from handrail.service.context import History
from handrail.service.court import ENFORCE
from handrail.service.evidence import Ledger
from handrail.service.protection import (
    HEADS,
    NOTHING,
    Arriving,
    Broken,
    Standing,
    is_branch,
    read_standing,
)
from handrail.service.published import (
    MALFORMED,
    UNSIGNED,
    Check,
    Published,
    Source,
    read_published,
)
from handrail.service.ranges import Update, is_protected, read_update
from handrail.service.verification import Found, ReadOnce, Sources, Verification, Verified
from handrail.text import visible

UPDATES_MAX: Final = 10_000
SHORT: Final = 12
LAND: Final = "land"
_NO_LETTERS: Final = frozenset("~^:?*[\\\x7f") | {chr(code) for code in range(33)}

# Every objection to a ref there is: what it says, and the command that leads on.
OBJECTIONS: Final[dict[str, tuple[str, str]]] = {
    "replace_ref": ("it would show other objects to whoever fetches it", "git push origin HEAD"),
    "reserved_ref": ("nothing is pushed there: {reason}", "git push origin HEAD"),
    "moved_ref": ("it holds {now} now, and not what this push began with", "git fetch"),
    "protected_deleted": ("it is protected, so it is not deleted", "git show {now}:handrail.toml"),
    "protected_forced": (
        "it is protected and only goes forward, and {new} does not contain {now}",
        "git fetch && git rebase {now}",
    ),
    "config_broken": (
        "nothing could land after this: handrail.toml, line {line}: {reason}",
        "handrail config validate",
    ),
    "ledger_deleted": ("a ledger is never deleted", "handrail ledger sync"),
    "ledger_moved_back": (
        "a ledger only grows, and {new} does not contain {now}",
        "handrail ledger sync",
    ),
    "ledger_unsound": ("this ledger is not taken: {fault}: {reason}", "handrail ledger sync"),
    "no_receipt": (
        "gate {gate} of the base has not passed here: {reason}",
        "handrail check land && git push",
    ),
}


class Objection(Record):
    """Why a ref may not be pushed as it is; ``values`` fill the sentence of its code."""

    ref: str
    code: str
    values: tuple[tuple[str, str], ...] = ()

    @property
    def sentence(self) -> str:
        """Why, in one sentence; hostile text made visible."""
        return OBJECTIONS[self.code][0].format_map(self._shown())

    @property
    def next(self) -> str:
        """The command that leads on."""
        return OBJECTIONS[self.code][1].format_map(self._shown())

    def _shown(self) -> dict[str, str]:
        return {name: visible(value) for name, value in self.values}


class Received(Record):
    """What is to be said of a push. ``unjudged`` are refs that go in as they are.

    ``lacking`` are gates without a receipt: the base's mode says how much they bind.
    """

    objections: tuple[Objection, ...]
    verified: Verified | None = None
    unjudged: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    lacking: tuple[Objection, ...] = ()

    @property
    def taken(self) -> bool:
        """Tell whether the push may go in: no mode lets pass what cannot be told."""
        if self.objections or self.verified is None:
            return not self.objections
        verdicts = {judgment.verdict for judgment in self.verified.judgments}
        bad = REFUSED in verdicts or bool(self.lacking)
        refused = bad and self.verified.mode == ENFORCE
        return not refused and CANNOT_TELL not in verdicts


class Receiving:
    """The use case of taking a push."""

    def __init__(self, sources: Sources, arriving: Arriving) -> None:
        shared = None if sources.shared is None else ReadOnce(sources.shared)
        self._sources: Sources = Found(sources.store, sources.outside, shared)
        self._arriving = arriving

    def judge(self, lines: Sequence[str]) -> Received:
        """Judge a push by its lines ``OLD NEW REF``.

        Raises MalformedRange, FactsUnavailable, LedgerBroken and what opening a store raises.
        """
        updates = [self._update(line) for line in lines]
        if len(updates) > UPDATES_MAX:
            reason = f"it changes more than {UPDATES_MAX} refs at once"
            raise errors.MalformedRange(
                range="the push", reason=reason, next="git push origin HEAD"
            )
        objections = [one for one in map(_named, updates) if one is not None]
        if objections:
            return Received(tuple(objections))
        updates = [one._replace(ref=self._arriving.target(one.ref)) for one in updates]
        objections = [one for one in map(_named, updates) if one is not None]
        objections += _twice(updates)
        now = self._arriving.values([one.ref for one in updates if _is_looked_at(one.ref)])
        objections += [_moved(one, now) for one in updates if _has_moved(one, now)]
        if objections:
            return Received(tuple(objections))
        heads = [one for one in updates if is_branch(one.ref)]
        ledgers = [one for one in updates if _epoch(one.ref) is not None]
        standing = read_standing(self._arriving, now, heads) if heads or ledgers else NOTHING
        protected = [one for one in heads if standing.protects(one.ref)]
        with self._sources.outside.history() as history:
            objections += _objections(history, protected, standing)
            objections += _shrunken(history, ledgers, now)
        objections += _broken(heads, protected, standing)
        objections += [
            _reserved(one.ref, "it differs from a protected branch in upper and lower case alone")
            for one in heads
            if one.ref not in standing.now and standing.resembles(one.ref)
        ]
        unsound, notes = self._checked({} if objections else _tips(ledgers), standing)
        objections += unsound
        if objections:
            return Received(tuple(objections))
        received = self._judged(updates, heads, protected, standing)
        if standing.is_unclaimed:
            notes += _adopted(heads, standing, store=self._sources.store is not None)
        return received._replace(notes=tuple(notes))

    def _update(self, line: str) -> Update:
        if line.count(" ") != 2:
            raise errors.MalformedRange(range=line, reason="a line is OLD NEW REF")
        return read_update(line)

    def _checked(
        self, tips: Mapping[str, str], standing: Standing
    ) -> tuple[list[Objection], list[str]]:
        """Object to ledgers that are none; note those that nobody enrolled."""
        objections, notes = [], []
        enrolled = {epoch.id for epoch in standing.epochs}
        for row in self._arriving.ledgers(standing.epochs, tips) if tips else ():
            if row.fault is not None and (row.epoch in enrolled or row.fault != UNSIGNED):
                values = (("fault", row.fault), ("reason", row.reason))
                objections.append(Objection(row.ref, "ledger_unsound", values))
            elif row.epoch not in enrolled:
                notes.append(
                    f"no branch here enrols epoch {row.epoch}, so its ledger counts for nothing"
                )
        return objections, notes

    def _judged(
        self,
        updates: Sequence[Update],
        heads: Sequence[Update],
        protected: Sequence[Update],
        standing: Standing,
    ) -> Received:
        """Judge the commits that come to protected branches, and name what is not judged."""
        verified: Verified | None = None
        judged: set[str] = set()
        if protected or (heads and standing.is_unclaimed):
            base = standing.judge_of([one.ref for one in protected])
            verification, lines = Verification(self._sources), [_line(one) for one in updates]
            verified = verification.verify_updates(lines, base)
            judged = {one.ref for one in heads} - set(verified.skipped)
        for one in protected:
            if one.ref not in judged:
                raise errors.FactsUnavailable(
                    what="what is protected here",
                    reason=f"{one.ref} says that it is, and the base does not",
                    next="git symbolic-ref HEAD",
                )
        left = [one.ref for one in updates if one.ref not in judged and _epoch(one.ref) is None]
        received = Received((), verified, tuple(left))
        if verified is None or verified.base is None or not (protected and received.taken):
            return received
        settings = standing.configured.get(verified.base)
        if not (isinstance(settings, Settings) and any(LAND in g.stages for g in settings.gates)):
            return received
        return received._replace(lacking=tuple(self._lacking(updates, protected, settings)))

    def _lacking(
        self, updates: Sequence[Update], protected: Sequence[Update], settings: Settings
    ) -> Iterator[Objection]:
        """Yield the gates of the base that no receipt answers for, of each branch that moves."""
        from handrail.service.land_gates import lacking

        moved = [(one.ref, one.new) for one in protected if one.new not in (None, one.old)]
        store, shared = self._sources.store, self._sources.shared
        proposed = {one.ref: one.new for one in updates}
        with ExitStack() as opened:
            history = opened.enter_context(self._sources.outside.history())
            reader = None if store is None else opened.enter_context(store.read())
            own = [] if reader is None else [reader]  # it was verified as the commits were judged
            epoch = None if reader is None else reader.epoch
            rows = () if shared is None else shared.read(settings, proposed, epoch)
            ledgers: list[Ledger] = [*own]
            ledgers += [row.ledger for row in rows if row.ledger is not None]
            for ref, tip in moved:
                tree = history.changes([tip])[tip].tree
                for gate, reason in lacking(settings, ledgers, tip, tree):
                    yield Objection(ref, "no_receipt", (("gate", gate), ("reason", reason)))


def check_ledger_refs(
    source: Source, enrolled: Sequence[Epoch], check: Check, tips: Mapping[str, str]
) -> list[Published]:
    """Check ledgers as a push would leave them; one that nobody enrolled by the key it brings."""
    pushed = {epoch_of(ref): tip for ref, tip in tips.items()}
    known = {epoch.id: epoch for epoch in enrolled if epoch.id in pushed}
    for epoch, tip in pushed.items():
        if epoch is not None and epoch not in known:
            try:
                key = parse_head(source.shape(tip).head).key
            except Garbled:
                key = None  # what is wrong with it is found again, and said, when it is read
            known[epoch] = Epoch(epoch, key or "", "")
    rows = read_published(source, list(known.values()), check, proposed=tips)
    return [row for row in rows if row.epoch in pushed]


# --- refs by their names -------------------------------------------------------------------------


def _epoch(ref: str) -> str | None:
    """Return the epoch whose ledger a ref is here; None if it is none."""
    epoch = None if ref.startswith(TRACKED) else epoch_of(ref)
    return epoch if epoch is not None and is_epoch(epoch) else None


def _is_looked_at(ref: str) -> bool:
    return ref.startswith(HEADS) or _epoch(ref) is not None


def _named(update: Update) -> Objection | None:
    """Object to a ref by its name alone; file systems may not tell upper case from lower."""
    ref, plain = update.ref, update.ref.lower()
    parts = plain.split("/")
    if plain.startswith("refs/replace/"):
        return Objection(ref, "replace_ref")
    if not ref.startswith("refs/") or _is_odd(ref):
        return _reserved(ref, "it is no name of a ref")
    if plain.startswith(("refs/handrail/", BRANCHES)) or plain == BRANCHES.rstrip("/"):
        return None if _epoch(ref) else _reserved(ref, "it is kept for ledgers, by their epoch")
    if plain.startswith("refs/remotes/"):
        return _reserved(ref, "it tells what other repositories have")
    if "refs" in parts[1:3] or (len(parts) < 4 and ref.endswith("/HEAD")):
        return _reserved(ref, "it could be taken for another ref")
    return None


def _is_odd(ref: str) -> bool:
    """Tell whether git itself takes no such name; a path made of one that it takes stays inside."""
    parts = ref.split("/")
    odd = any(part in ("", ".", "..") or part[0] == "." or part[-5:] == ".lock" for part in parts)
    return odd or ".." in ref or "@{" in ref or ref.endswith(".") or bool(_NO_LETTERS & set(ref))


def _reserved(ref: str, reason: str) -> Objection:
    return Objection(ref, "reserved_ref", (("reason", reason),))


def _twice(updates: Iterable[Update]) -> list[Objection]:
    """Object to a ref that one push changes twice, perhaps under two names."""
    seen: set[str] = set()
    found = []
    for one in updates:
        if one.ref in seen:
            found.append(_reserved(one.ref, "this push changes it twice"))
        seen.add(one.ref)
    return found


def _has_moved(update: Update, now: Mapping[str, str]) -> bool:
    """Tell whether a ref holds something else than was said; who deletes may say anything."""
    looked_at = update.new is not None and _is_looked_at(update.ref)
    return looked_at and now.get(update.ref) != update.old


def _moved(update: Update, now: Mapping[str, str]) -> Objection:
    held = now.get(update.ref, "nothing")[:SHORT]
    return Objection(update.ref, "moved_ref", (("now", held),))


# --- protected branches --------------------------------------------------------------------------


def _objections(
    history: History, protected: Sequence[Update], standing: Standing
) -> list[Objection]:
    """Object to protected branches that are deleted, or do not go forward."""
    found = []
    for one in protected:
        held = standing.now.get(one.ref)
        if one.new is None and held is not None:
            found.append(Objection(one.ref, "protected_deleted", (("now", held[:SHORT]),)))
        elif one.new is not None and not _goes_forward(history, held, one.new):
            found.append(Objection(one.ref, "protected_forced", _from_to(held, one.new)))
    return found


def _from_to(held: str | None, new: str) -> tuple[tuple[str, str], ...]:
    return ("now", (held or "")[:SHORT]), ("new", new[:SHORT])


def _broken(
    heads: Sequence[Update], protected: Sequence[Update], standing: Standing
) -> list[Objection]:
    """Object to a configuration that nobody could be judged by any more."""
    found = []
    for one in heads:
        after = standing.configured.get(one.new or "")
        if isinstance(after, Broken) and (one in protected or one.ref in standing.guesses):
            found.append(Objection(one.ref, "config_broken", tuple(after._asdict().items())))
    return found


def _shrunken(
    history: History, ledgers: Sequence[Update], now: Mapping[str, str]
) -> list[Objection]:
    """Object to ledgers that are deleted or do not grow."""
    found = []
    for one in ledgers:
        held = now.get(one.ref)
        if one.new is None:
            found.append(Objection(one.ref, "ledger_deleted"))
        elif history.present([one.new]) != [one.new]:
            values = (("fault", MALFORMED), ("reason", "it holds no commit"))
            found.append(Objection(one.ref, "ledger_unsound", values))
        elif not _goes_forward(history, held, one.new):
            found.append(Objection(one.ref, "ledger_moved_back", _from_to(held, one.new)))
    return found


def _tips(ledgers: Sequence[Update]) -> dict[str, str]:
    return {one.ref: one.new for one in ledgers if one.new is not None}


def _adopted(heads: Sequence[Update], standing: Standing, *, store: bool) -> list[str]:
    """Note the branches that bring the first configuration, and protect themselves by it."""
    notes = []
    for one in heads:
        brought = standing.configured.get(one.new or "")
        if isinstance(brought, Settings) and is_protected(
            one.ref, brought.workspace.protected_refs
        ):
            notes.append(f"{one.ref} brings the first handrail.toml, and is protected from now on")
            keys = [key for person in brought.persons for key in person.signing_keys]
            if not (store or brought.epochs or keys):
                notes.append(
                    f"{one.ref} enrols no store and names no key of a person: nothing lands there"
                    " until whoever keeps this repository changes that; next: handrail enroll"
                )
    return notes


def _line(update: Update) -> str:
    """Write an update as git does."""
    zeros = "0" * len(update.new or update.old or "0" * 40)
    return f"{update.old or zeros} {update.new or zeros} {update.ref}"


def _goes_forward(history: History, old: str | None, new: str) -> bool:
    """Tell whether a commit contains what a ref held; raises FactsUnavailable if it is none."""
    if history.present([new]) != [new]:
        raise errors.FactsUnavailable(what=f"commit {new}", reason="it is missing, or no commit")
    return old is None or history.merge_bases(old, new) == [old]

"""Who judges: each commit in each way that rule V knows, the cheap ones first.

Promise: a commit passes only by what an attestation in one ledger says of it, by what it is, or by
a person's signature; no ledger takes away what another gives, and what nobody can tell is never a
pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from handrail import errors
from handrail.config import CONFIG_FILE, Settings
from handrail.core.landing import (
    BASIS_CHARS,
    BY_THE_LEDGER,
    PASS,
    Change,
    Judgment,
    digest_of,
    judge_bare,
    may_inherit,
    say,
)
from handrail.service.context import History
from handrail.service.evidence import UNENROLLED, Doubt, Testimony
from handrail.service.ranges import COMMITS_MAX, Base, base_at
from handrail.typed import Final

SQUASHES_MAX: Final = 20
HEADS_MAX: Final = 32
RANGE_OF_A_HEAD_MAX: Final = 1_000
HEADS: Final = ("refs/pull", "refs/heads", "refs/remotes")
ENFORCE: Final = "enforce"


class Court:
    """Judges commits, each way in turn, so that what is costly is asked of few."""

    def __init__(
        self, testimony: Callable[[Settings], Testimony], history: History, base: Base
    ) -> None:
        self._ask = testimony
        self._testimony = Testimony(None, (), ())
        self._history = history
        self._base = base
        self.base = base.commit
        self.mode = ENFORCE
        self.to_redo: frozenset[str] = frozenset()

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """The ledgers that vouch for nothing, and why."""
        return self._testimony.doubts

    def judge(self, commits: Sequence[str], changes: dict[str, Change]) -> tuple[Judgment, ...]:
        """Judge every commit."""
        found: dict[str, Judgment] = {}
        settings = self._base.settings
        if settings is None and commits:
            settings = self._adopted(commits, changes, found)
        if settings is not None:
            self.mode = settings.mode("land")
            self._testimony = self._ask(settings)
            rest = [changes[one] for one in commits if one not in found]
            found.update(self._by_themselves(rest, settings))
            found.update(self._squashed(_failing(rest, found), settings))
            for change in _failing(rest, found):
                said = self._recorded(change, settings)
                if said is not None or change.commit not in found:
                    found[change.commit] = said or self._unknown(change)
        self.to_redo = self._to_redo(_failing([changes[one] for one in commits], found))
        return tuple(found[one] for one in commits)

    def _unknown(self, change: Change) -> Judgment:
        """Say that no ledger knows a commit, or that those are missing which might."""
        path = _first_path(change)
        if self._testimony.complete:
            return say(change, "unseen", path)
        missing = (one.sentence for one in self.doubts if one.fault != UNENROLLED)
        reason = next(missing, "the base enrols no store, and none is here")
        return say(change, "no_ledger", path, reason=reason)

    def _to_redo(self, failing: Sequence[Change]) -> frozenset[str]:
        """Return the merges of many, and those of two that git makes without a conflict."""
        two = [change for change in failing if len(change.parents) == 2]
        trees = self._history.merged_trees([(c.parents[0], c.parents[1]) for c in two])
        clean = {one.commit for one, tree in zip(two, trees, strict=True) if tree is not None}
        return frozenset(clean | {one.commit for one in failing if one.paths is None})

    def _adopted(
        self, commits: Sequence[str], changes: dict[str, Change], found: dict[str, Judgment]
    ) -> Settings | None:
        """Let pass what comes before a configuration, and with it; returns what it says."""
        adds = (one for one in commits if _adds_configuration(changes[one]))
        first = next(adds, None)
        before = set(commits)
        if first is not None:
            base = self._base.commit
            before &= set(self._history.walk([first], [base] if base else [], COMMITS_MAX))
        found.update({one: say(changes[one], "adoption") for one in commits if one in before})
        return None if first is None else base_at(self._history, first).settings

    def _believed(self, change: Change, judgment: Judgment) -> Judgment:
        """Believe a ledger only as far as the commit's own trailer does not deny it."""
        if judgment.code in BY_THE_LEDGER and change.ledger is not None:
            denied = self._testimony.denies(change.ledger)
            if denied is not None:
                return say(change, "head_differs", seq=denied)
        return judgment

    def _recorded(self, change: Change, settings: Settings) -> Judgment | None:
        """Judge by what was recorded when the commit came, if nothing attested it before that."""
        said = self._testimony.recorded(change, unattributed=settings.workspace.unattributed)
        return None if said is None else self._believed(change, said)

    def _by_themselves(self, changes: Sequence[Change], settings: Settings) -> dict[str, Judgment]:
        """Judge by attestation, by what a commit is, by inheritance, by signature."""
        found: dict[str, Judgment] = {}
        self._testimony.learn([change.commit for change in changes])
        for change in changes:
            judgment = judge_bare(change) or self._testimony.judge(change)
            if judgment is not None:
                found[change.commit] = self._believed(change, judgment)
        for judge in (self._inherited, self._signed):
            found.update(judge(_failing(changes, found), settings))
        return found

    def _inherited(self, changes: Sequence[Change], settings: Settings) -> dict[str, Judgment]:
        """Judge by attested commits that make the same change, whether those are here or not."""
        heirs = [change for change in changes if change.paths and len(change.parents) < 2]
        asked = {heir.commit: self._testimony.alike(heir.paths_hash) for heir in heirs}
        heirs = self._new([heir for heir in heirs if asked[heir.commit]])
        patches = self._history.patches([heir.commit for heir in heirs])
        found: dict[str, Judgment] = {}
        for heir in heirs:
            judgment = self._testimony.judge_heir(heir, digest_of(heir, patches[heir.commit]))
            if judgment is not None:
                found[heir.commit] = self._believed(heir, judgment)
        rest = [heir for heir in heirs if heir.commit not in found]
        return {**self._compared(rest, asked, patches), **found}

    def _new(self, heirs: Sequence[Change]) -> list[Change]:
        """Leave out what makes a configuration as it was made before, and has been unmade since.

        Else whoever picks the old commit out of the history could bring that law back.
        """
        laws = [
            one.commit for one in heirs if any(row.path == CONFIG_FILE for row in one.paths or ())
        ]
        if not laws or self._base.commit is None:
            return list(heirs)
        again = self._history.repeated(laws, self._base.commit, CONFIG_FILE)
        return [heir for heir in heirs if heir.commit not in again]

    def _compared(
        self,
        heirs: Sequence[Change],
        asked: Mapping[str, Sequence[str]],
        patches: Mapping[str, str],
    ) -> dict[str, Judgment]:
        """Judge by attested commits that are here: their entries do not say what they change."""
        candidates = {one: None for heir in heirs for one in asked[heir.commit]}
        known = self._history.changes(self._history.present(list(candidates)))
        outlines = {heir.outline for heir in heirs}
        fitting = [one for one, change in known.items() if change.outline in outlines]
        theirs = self._history.patches(fitting)
        same = [
            (heir, known[one])
            for heir in heirs
            for one in asked[heir.commit]
            if one in known and theirs.get(one, "") == patches.get(heir.commit)
            if may_inherit(heir, known[one])
        ]
        self._testimony.learn([other.commit for _, other in same])
        found: dict[str, Judgment] = {}
        for heir, other in same:
            judgment = self._testimony.judge(other)
            if judgment is None or self._believed(other, judgment).verdict != PASS:
                continue
            basis = other.commit[:BASIS_CHARS]
            values = {"session": dict(judgment.values)["session"], "basis": basis}
            inherited = self._believed(heir, say(heir, "inherited", **values))
            found.setdefault(heir.commit, inherited)
        return found

    def _signed(self, changes: Sequence[Change], settings: Settings) -> dict[str, Judgment]:
        """Judge by the signature of a person whom the base names."""
        keys = {key: person.name for person in settings.persons for key in person.signing_keys}
        signed = {change.commit: change for change in changes if change.ssh_signed}
        try:
            signers = self._history.signers(list(signed), keys)
        except errors.FactsUnavailable as error:
            reason = error.values["reason"]
            return {c.commit: say(c, "signer_unknown", reason=reason) for c in signed.values()}
        return {one: say(signed[one], "signed", person=signers[one]) for one in signers}

    def _squashed(self, changes: Sequence[Change], settings: Settings) -> dict[str, Judgment]:
        """Judge by the heads whose merge a forge may have written as one commit."""
        found: dict[str, Judgment] = {}
        single = [change for change in changes if len(change.parents) == 1 and change.paths]
        if not single:
            return found
        heads = list(dict.fromkeys(head for _, head in self._history.refs(*HEADS)))[:HEADS_MAX]
        attested = self._history.present(self._testimony.attested_last(HEADS_MAX))
        heads = list(dict.fromkeys([*heads, *self._history.tips(attested)]))
        for change in single[-SQUASHES_MAX:]:
            tried = [head for head in heads if head != change.commit]
            trees = self._history.merged_trees([(change.parents[0], head) for head in tried])
            for head, tree in zip(tried, trees, strict=True):
                if tree == change.tree and self._passes(head, change, settings):
                    judgment = say(change, "forge_merge", basis=head[:12])
                    found[change.commit] = self._believed(change, judgment)
                    break
        return found

    def _passes(self, head: str, change: Change, settings: Settings) -> bool:
        """Tell whether all that a head brings passes, without what is asked about."""
        brought = self._history.walk([head], change.parents, RANGE_OF_A_HEAD_MAX)
        if not brought or len(brought) > RANGE_OF_A_HEAD_MAX or change.commit in brought:
            return False
        found = self._by_themselves(list(self._history.changes(brought).values()), settings)
        return all(one in found and found[one].verdict == PASS for one in brought)


def _failing(changes: Sequence[Change], found: Mapping[str, Judgment]) -> list[Change]:
    return [c for c in changes if c.commit not in found or found[c.commit].verdict != PASS]


def _first_path(change: Change) -> str | None:
    return change.paths[0].path if change.paths else None


def _adds_configuration(change: Change) -> bool:
    rows = change.paths or ()
    return any(row.path == CONFIG_FILE and row.old_mode == "000000" for row in rows)

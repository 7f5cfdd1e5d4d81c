"""May these commits land? Rule V over a range, a push, or the commits that are named.

Promise: every commit that is asked about gets a judgment, from git's objects and from this store's
ledger alone; what protects, who may sign and what becomes of unattributed commits is taken from the
base, never from what is judged. A ledger that does not verify and a git that fails are refused to
be judged by: LedgerBroken, FactsUnavailable.

    Verification(context).verify(["main..HEAD"]).verdict
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from handrail import errors
from handrail.config import CONFIG_FILE, Settings, parse_config
from handrail.core.landing import (
    BY_THE_LEDGER,
    CANNOT_TELL,
    PASS,
    REFUSED,
    Change,
    Judgment,
    judge_attested,
    judge_bare,
    judge_recorded,
    may_inherit,
    say,
)
from handrail.core.record import Record
from handrail.service.context import Context, History
from handrail.service.evidence import Evidence

COMMITS_MAX: Final = 10_000
SQUASHES_MAX: Final = 20
HEADS_MAX: Final = 32
RANGE_OF_A_HEAD_MAX: Final = 1_000
HEADS: Final = ("refs/pull", "refs/heads", "refs/remotes")
REPLACE: Final = "refs/replace/"
ENFORCE: Final = "enforce"


class Verified(Record):
    """What was judged, oldest commit first, and from where; ``mode`` is the base's for landing.

    ``to_redo`` are merges that do not pass and had no conflict to resolve: made anew, they do.
    """

    judgments: tuple[Judgment, ...]
    base: str | None
    skipped: tuple[str, ...]
    to_redo: frozenset[str]
    mode: str = ENFORCE

    @property
    def verdict(self) -> str:
        """Refused if one is, else cannot-tell if one is, else pass."""
        found = {judgment.verdict for judgment in self.judgments}
        return next((one for one in (REFUSED, CANNOT_TELL) if one in found), PASS)


class Update(Record):
    """A ref that is pushed: what it was, what it shall be; None where it is not there."""

    ref: str
    old: str | None
    new: str | None


class _Ground(Record):
    """What judges: the base commit and its settings, None where it has no configuration."""

    commit: str | None
    settings: Settings | None


class Verification:
    """The use case of judging commits."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def verify(self, ranges: Sequence[str]) -> Verified:
        """Judge the commits of these ranges; without one, what HEAD has and the protected ref not.

        A range is ``A..B``, ``A...B`` or one commit. Raises MalformedRange, LedgerBroken,
        FactsUnavailable.
        """
        with self._context.store.read() as reader, self._context.outside.history() as history:
            evidence = Evidence(reader)
            protected = _protected_tip(history, evidence.in_force())
            if ranges:
                commits, left = _commits_of(history, ranges)
            else:
                if protected is None:
                    known = ", ".join(evidence.in_force().workspace.protected_refs)
                    reason = f"No protected ref ({known}) is here: name the range."
                    raise errors.Usage(reason=reason, next="handrail verify HEAD")
                commits, left = _walk(history, [_named(history, "HEAD")], [protected]), protected
            changes = history.changes(commits)
            base = protected if protected is not None and protected not in changes else left
            if base is None and commits:
                base = next(iter(changes[commits[0]].parents), None)
            return _Court(evidence, history, _ground(history, base)).judge(commits, changes)

    def verify_updates(self, lines: Sequence[str]) -> Verified:
        """Judge what a push brings to protected refs, from lines as git gives to its hooks."""
        updates = [_update(line) for line in lines if line.strip()]
        pushed = any(len(line.split()) == 4 for line in lines)
        with self._context.store.read() as reader, self._context.outside.history() as history:
            evidence = Evidence(reader)
            known = evidence.in_force().workspace.protected_refs
            olds = history.present([u.old for u in updates if u.old and _matches(u.ref, known)])
            standing = _standing_refs(history, known, pushed, {update.ref for update in updates})
            base = next(iter((*olds, *standing)), None)
            ground = _ground(history, base)
            if ground.settings is not None:
                known = ground.settings.workspace.protected_refs
                standing = _standing_refs(history, known, pushed, {u.ref for u in updates})
                olds = history.present([u.old for u in updates if u.old and _matches(u.ref, known)])
            judged = [update for update in updates if _matches(update.ref, known)]
            news = [update.new for update in judged if update.new is not None]
            tips = history.present(list(dict.fromkeys(news)))
            gone = [new for new in news if new not in tips]
            if gone:
                raise errors.FactsUnavailable(what=f"commit {gone[0]}", reason="it is missing")
            commits = _walk(history, tips, [*olds, *standing]) if tips else []
            court = _Court(evidence, history, ground)
            verified = court.judge(commits, history.changes(commits))
            replaced = tuple(
                _replaced(update) for update in updates if update.ref.startswith(REPLACE)
            )
            skipped = [u.ref for u in updates if u not in judged and not u.ref.startswith(REPLACE)]
            return verified._replace(
                judgments=(*replaced, *verified.judgments), skipped=tuple(skipped)
            )


# --- what is judged, and by what -----------------------------------------------------------------


def _commits_of(history: History, ranges: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the commits of some ranges, parents first, and where the first of them begins."""
    commits: dict[str, None] = {}
    first: str | None = None
    for text in ranges:
        left, dots, right = text.partition("..")
        if not dots:
            commits[_named(history, text)] = None
            continue
        symmetric, right = right.startswith("."), right.removeprefix(".")
        one, two = _named(history, left or "HEAD", text), _named(history, right or "HEAD", text)
        first = first or one
        if symmetric:
            found = _walk(history, [one, two], history.merge_bases(one, two))
        else:
            found = _walk(history, [two], [one])
        commits.update(dict.fromkeys(found))
    return list(commits), first


def _named(history: History, name: str, text: str | None = None) -> str:
    commit = history.resolve([name])[0]
    if commit is None:
        raise errors.MalformedRange(range=text or name, reason=f"{name or repr(name)} is no commit")
    return commit


def _walk(history: History, include: Sequence[str], exclude: Sequence[str]) -> list[str]:
    found = history.walk(include, exclude, COMMITS_MAX)
    if len(found) > COMMITS_MAX:
        reason = f"it holds more than {COMMITS_MAX} commits"
        raise errors.MalformedRange(range=f"{include[0]} and others", reason=reason)
    return found[::-1]


def _protected_tip(history: History, settings: Settings) -> str | None:
    """Return the first protected ref that is here, as the remote has it before one's own."""
    for name in settings.workspace.protected_refs:
        for folder in ("refs/remotes/origin/", "refs/heads/"):
            rows = [row for row in history.refs(folder + name) if _fits(row[0], folder + name)]
            if rows:
                return rows[0][1]
    return None


def _standing_refs(
    history: History, protected: Sequence[str], pushed: bool, updated: set[str]
) -> list[str]:
    """Return what the protected refs are now, without those that are about to change.

    Before a push, one's own branch may hold what is pushed: what the remote has is asked instead.
    """
    folder = "refs/remotes/*/" if pushed else "refs/heads/"
    rows = [row for name in protected for row in history.refs(folder + name)]
    fitting = [row for row in rows if any(_fits(row[0], folder + name) for name in protected)]
    return list(dict.fromkeys(commit for ref, commit in fitting if ref not in updated))


def _matches(ref: str, protected: Sequence[str]) -> bool:
    return any(_fits(ref, "refs/heads/" + name) for name in protected)


def _fits(ref: str, pattern: str) -> bool:
    """Match a ref segment by segment: ``*`` crosses no slash."""
    parts, wanted = ref.split("/"), pattern.split("/")
    same = len(parts) == len(wanted)
    return same and all(map(fnmatchcase, parts, wanted))


def _update(line: str) -> Update:
    """Read ``OLD NEW REF`` (pre-receive) or ``REF NEW REMOTE-REF OLD`` (pre-push)."""
    words = line.rstrip("\n").split(" ")
    if len(words) == 4:
        words = [words[3], words[1], words[2]]
    hexadecimal = frozenset("0123456789abcdef")
    ids = [word for word in words[:2] if len(word) in (40, 64) and hexadecimal.issuperset(word)]
    if len(words) != 3 or len(ids) != 2 or not words[2]:
        reason = "a line is OLD NEW REF, as git gives it to pre-receive, or what it gives pre-push"
        raise errors.MalformedRange(range=line, reason=reason, next="handrail verify --help")
    old, new = (None if set(one) == {"0"} else one for one in ids)
    return Update(words[2], old, new)


def _replaced(update: Update) -> Judgment:
    values = (("ref", update.ref),)
    return Judgment(update.new or update.old or "", update.ref, "replace_ref", None, values)


def _ground(history: History, base: str | None) -> _Ground:
    text = None if base is None else history.file_at(base, CONFIG_FILE)
    if text is None:
        return _Ground(base, None)
    try:
        return _Ground(base, parse_config(text))
    except errors.MalformedConfig as error:
        reason = f"line {error.values['line']} {error.values['reason']}"
        raise errors.FactsUnavailable(what=f"{CONFIG_FILE} of {base}", reason=reason) from error


# --- judging -------------------------------------------------------------------------------------


class _Court:
    """Judges commits, each way in turn, so that what is costly is asked of few."""

    def __init__(self, evidence: Evidence, history: History, ground: _Ground) -> None:
        self._evidence = evidence
        self._history = history
        self._ground = ground

    def judge(self, commits: Sequence[str], changes: dict[str, Change]) -> Verified:
        """Judge every commit."""
        found: dict[str, Judgment] = {}
        settings = self._ground.settings
        if settings is None and commits:
            settings = self._adopted(commits, changes, found)
        if settings is not None:
            rest = [changes[one] for one in commits if one not in found]
            found.update(self._by_themselves(rest, settings))
            found.update(self._squashed(_failing(rest, found), settings))
            for change in _failing(rest, found):
                said = self._recorded(change, settings)
                if said is not None or change.commit not in found:
                    found[change.commit] = said or say(change, "unseen", _first_path(change))
        judgments = tuple(found[one] for one in commits)
        to_redo = self._to_redo(_failing([changes[one] for one in commits], found))
        mode = ENFORCE if settings is None else settings.mode("land")
        return Verified(judgments, self._ground.commit, (), to_redo, mode)

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
            base = self._ground.commit
            before &= set(self._history.walk([first], [base] if base else [], COMMITS_MAX))
        found.update({one: say(changes[one], "adoption") for one in commits if one in before})
        return None if first is None else _ground(self._history, first).settings

    def _believed(self, change: Change, judgment: Judgment) -> Judgment:
        """Believe the ledger only as far as the commit's own trailer does not deny it."""
        if judgment.code in BY_THE_LEDGER and change.ledger is not None:
            denied = self._evidence.denies(change.ledger)
            if denied is not None:
                return say(change, "head_differs", seq=denied)
        return judgment

    def _recorded(self, change: Change, settings: Settings) -> Judgment | None:
        """Judge by what was recorded when the commit came, if nothing attested it before that."""
        named = self._evidence.named().get(change.commit)
        first = self._evidence.first_standing(change.commit)
        if named is None or (first is not None and first < named[1]):
            return None
        setting = settings.workspace.unattributed
        return self._believed(change, judge_recorded(change, named[0], unattributed=setting))

    def _by_themselves(self, changes: Sequence[Change], settings: Settings) -> dict[str, Judgment]:
        """Judge by attestation, by what a commit is, by inheritance, by signature."""
        found: dict[str, Judgment] = {}
        standings = self._evidence.standings([change.commit for change in changes])
        for change in changes:
            own = standings.get(change.commit, [])
            judgment = judge_bare(change) or judge_attested(change, own, self._evidence.chronicle)
            if judgment is not None:
                found[change.commit] = self._believed(change, judgment)
        for judge in (self._inherited, self._signed):
            found.update(judge(_failing(changes, found), settings))
        return found

    def _inherited(self, changes: Sequence[Change], settings: Settings) -> dict[str, Judgment]:
        """Judge by attested commits that make the same change."""
        heirs = [change for change in changes if change.paths and len(change.parents) < 2]
        asked = {heir.commit: self._evidence.alike(heir.paths_hash) for heir in heirs}
        candidates = {one: None for alike in asked.values() for one in alike}
        known = self._history.changes(self._history.present(list(candidates)))
        outlines = {heir.outline for heir in heirs}
        fitting = [one for one, change in known.items() if change.outline in outlines]
        patches = self._history.patches(list(dict.fromkeys([*asked, *fitting])))
        same = [
            (heir, known[one])
            for heir in heirs
            for one in asked[heir.commit]
            if one in known and patches.get(one, "") == patches.get(heir.commit)
            if may_inherit(heir, known[one])
        ]
        standings = self._evidence.standings([other.commit for _, other in same])
        found: dict[str, Judgment] = {}
        for heir, other in same:
            own = standings.get(other.commit, [])
            judgment = judge_attested(other, own, self._evidence.chronicle)
            if judgment is None or self._believed(other, judgment).verdict != PASS:
                continue
            values = {"session": dict(judgment.values)["session"], "basis": other.commit[:12]}
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
        attested = self._history.present(self._evidence.attested_last(HEADS_MAX))
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

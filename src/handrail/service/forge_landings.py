"""What a forge made of a pull request: a merge, one squashed commit, or the same commits anew.

Promise: a commit that the forge wrote is attested only if it is exactly what merging the head into
its parent gives, or makes the same changes as the head's commits in the same order, and only if the
head passes; so the verdict stands in a fresh clone too, where nobody has that head any more.
Whatever else landed is left to rule V, which knows nothing of it.

    ForgeLandings(context, pull_requests).judge(pull, record=True).verdict
"""

from __future__ import annotations

from handrail import errors
from handrail.core.decide import Attest, CommitFacts, NotCovered, View, decide
from handrail.core.forge import PullRequest
from handrail.core.landing import PASS, Change, may_inherit
from handrail.core.record import Record
from handrail.service.context import Context, History
from handrail.service.identity import actor_of
from handrail.service.pull_request_base import base_of, lands, require
from handrail.service.pull_request_grants import (
    ended_because,
    ending,
    facts_of,
    patches_of,
    session_id,
)
from handrail.service.pull_requests import MERGED, Answer, PullRequests, answered
from handrail.service.ranges import COMMITS_MAX, base_at, walk


class Made(Record):
    """What landed: the commit that it stands on, the forge's own commits, and those that fit."""

    left: str
    commits: tuple[Change, ...]
    fitting: tuple[Change, ...]


class ForgeLandings:
    """The use case of judging what became of a pull request that was merged."""

    def __init__(self, context: Context, pull_requests: PullRequests) -> None:
        self._context = context
        self._store = context.store
        self._pull_requests = pull_requests

    def judge(self, pull: PullRequest, *, record: bool) -> Answer:
        """Judge what landed, attest what the forge wrote, and end the session.

        A fork's is recorded too: whoever merged it may write here. What went into a branch that is
        not protected has not landed: anybody may have written there by what it would be judged, so
        nothing is attested and no configuration of it counts. Raises FactsUnavailable.
        """
        with self._context.outside.history() as history:
            made = made_of(history, pull)
            if not lands(history, pull):
                base = base_of(history, pull)
                verified = self._pull_requests.verify([f"{base}..{pull.head}"], base)
                closed = self._pull_requests.close(pull, MERGED, record=record)
                return answered(verified, closed.notes, recorded=closed.recorded)
            ranges = [change.commit for change in made.commits] or [f"{made.left}..{pull.head}"]
            with self._store.read() as reader:
                done = ended_because(reader, session_id(pull)) == MERGED
            settings = base_at(history, made.left).settings
            if done or not record or settings is None:
                return answered(self._pull_requests.verify(ranges, made.left))
            answer = self._pull_requests.judge_on(history, pull, made.left, record=True)
            passes = answer.verdict == PASS
            fold = settings.workspace.fold_case
            fitting = made.fitting if passes else ()
            patches = patches_of(history, fitting)
            facts = tuple(facts_of(one, patches, fold_case=fold) for one in fitting)
            note = self._attest_and_end(pull, facts)
            if not passes:
                return answer._replace(notes=(*answer.notes, *note), recorded=True)
            verified = self._pull_requests.verify(ranges, made.left)
            return answered(verified, note, recorded=True)

    def _attest_and_end(self, pull: PullRequest, facts: tuple[CommitFacts, ...]) -> tuple[str, ...]:
        """Attest under what the pull request holds, and free it, in one transaction."""
        with self._store.transaction() as tx:
            session = tx.session(session_id(pull))
            if session is None or not session.live:
                return ()
            note = f"pull request #{pull.number} is merged: what it held is free"
            view = View(tx.epoch, tuple(tx.leases(session.id)))
            try:
                changes = decide(view, Attest(session, facts, (), None), tx.now)
            except (NotCovered, errors.UnsupportedCommit):
                changes = []
            tx.commit([*changes, *ending(tx, session, MERGED)], actor_of(session))
        return (note,)


def made_of(history: History, pull: PullRequest) -> Made:
    """Find the commits that a forge wrote when it merged, and those that are what they must be."""
    landed = pull.merge_commit or pull.head
    require(history, pull.head, "the head of the pull request")
    require(history, landed, "what the pull request became")
    if landed == pull.head:
        require(history, pull.base, "the base of the pull request")
        return Made(pull.base, (), ())
    change = history.changes([landed])[landed]
    if not change.parents:
        reason = "it stands on nothing"
        raise errors.FactsUnavailable(what=f"commit {landed[:12]}", reason=reason)
    left = change.parents[0]
    if len(change.parents) > 1:
        return Made(left, (change,), (change,) if change.parents[1:] == (pull.head,) else ())
    anew = _rebased(history, pull, change)
    if anew:
        return Made(anew[0].parents[0], anew, anew)
    (tree,) = history.merged_trees([(left, pull.head)])
    return Made(left, (change,), (change,) if tree == change.tree else ())


def _rebased(history: History, pull: PullRequest, last: Change) -> tuple[Change, ...]:
    """Return the forge's copies of the head's commits, oldest first; none if they are not that."""
    own = walk(history, [pull.head], [last.parents[0]])
    changes = history.changes(own)
    originals = [changes[one] for one in own if len(changes[one].parents) < 2]
    above = history.walk([last.commit], [pull.base], COMMITS_MAX)[: len(originals)]
    known = history.changes(above)
    copies: list[Change] = []
    commit = last.commit
    while commit in known and len(known[commit].parents) == 1 and len(copies) < len(originals):
        copies.insert(0, known[commit])
        commit = known[commit].parents[0]
    if not originals or len(copies) != len(originals):
        return ()
    patches = history.patches([one.commit for one in (*originals, *copies)])
    same = all(
        may_inherit(copy, original) and patches[copy.commit] == patches[original.commit]
        for copy, original in zip(copies, originals, strict=True)
    )
    return tuple(copies) if same else ()

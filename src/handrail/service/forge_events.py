"""An event of a forge, answered: what it brings is judged, and what it changes is recorded.

Promise: the answer is a pass only where what the event brings passes, whatever kind of event it is:
a forge shows a status at a commit, and one of an event that nobody judged would open the way for
the same commit in another. What cannot be told is never a pass.

    ForgeEvents(context, authors).answer(event, record=True).verdict
"""

from __future__ import annotations

from typing import Final

from handrail import errors
from handrail.core.forge import CLOSED, Event, MergeGroup, Other, PullRequest, Push
from handrail.service.context import Context, History
from handrail.service.forge_landings import ForgeLandings
from handrail.service.policy import rules_in_force
from handrail.service.pull_request_base import BRANCHES, require, tip_of
from handrail.service.pull_request_checks import Objection, undecided
from handrail.service.pull_requests import Answer, Authors, PullRequests, answered
from handrail.service.ranges import (
    base_at,
    is_protected,
    protected_by,
    protected_tip,
    standing_refs,
    walk,
)

CREATED_MAX: Final = 500


class ForgeEvents:
    """The use case of answering a forge; ``tip`` is where the pull request's head is by now."""

    def __init__(self, context: Context, authors: Authors, tip: str | None = None) -> None:
        self._context = context
        self._pull_requests = PullRequests(context, authors, tip)

    def answer(self, event: Event, *, record: bool) -> Answer:
        """Answer an event; without ``record`` nothing is kept. Raises FactsUnavailable."""
        if isinstance(event, PullRequest):
            return self._pull_request(event, record=record)
        if isinstance(event, Push):
            return self._push(event)
        if isinstance(event, MergeGroup):
            with self._context.outside.history() as history:
                require(history, event.head, "the head of the merge group")
                require(history, event.base, "the base of the merge group")
                into = event.base_ref
                tip = None if into is None else tip_of(history, into)
                tip = tip or protected_tip(history, self._known(history)) or event.base
            verified = self._pull_requests.verify([f"{event.base}..{event.head}"], tip)
            return answered(verified)
        return self._other(event)

    def _pull_request(self, pull: PullRequest, *, record: bool) -> Answer:
        if pull.merged:
            return ForgeLandings(self._context, self._pull_requests).judge(pull, record=record)
        if pull.action == CLOSED:
            keep = record and not pull.is_fork
            return self._pull_requests.close(pull, CLOSED, record=keep)
        if not pull.is_open:
            note = f"pull request #{pull.number} is closed: what stands at its head was judged"
            return self._bare(pull.head, note, pull.default_branch)
        return self._pull_requests.judge(pull, record=record)

    def _push(self, push: Push) -> Answer:
        """Judge what a push brought; it is there already, and this says whether it should be."""
        with self._context.outside.history() as history:
            known = self._known_before(history, push)
            protected = is_protected(push.ref, known)
            if not protected and push.after is not None:
                note = f"{push.ref} is not protected"
                return self._bare(push.after, note, push.default_branch)
            if push.after is None:
                gone = Objection("ref_deleted", None, f"{push.ref} is protected and was deleted")
                note = f"{push.ref} is gone, and was not protected"
                return Answer((gone,) if protected else (), (), None, (note,) * (not protected))
            require(history, push.after, "what was pushed")
            if push.before is None:
                return self._created(history, push.ref, push.after, known)
            require(history, push.before, f"what {push.ref} was before")
            forced = bool(history.walk([push.before], [push.after], 1))
        verified = self._pull_requests.verify([f"{push.before}..{push.after}"], push.before)
        if not (forced or push.forced):
            return answered(verified)
        sentence = f"{push.ref} is protected and was moved by force: commits were taken away"
        rewound = Objection("not_fast_forward", None, sentence)
        return answered(verified)._replace(objections=(rewound,))

    def _known_before(self, history: History, push: Push) -> tuple[str, ...]:
        """Return which branches were protected before a push, as the default branch had it.

        What another branch held says nothing: whoever pushes to it may have written that.
        """
        default, before = push.default_branch, push.before
        if default is not None and before is not None and push.ref == BRANCHES + default:
            settings = base_at(history, next(iter(history.present([before])), None)).settings
            if settings is not None:
                return settings.workspace.protected_refs
        return self._known(history, default)

    def _created(self, history: History, ref: str, after: str, known: tuple[str, ...]) -> Answer:
        """Judge a new protected branch: what no other protected branch of the remote has."""
        own = f"refs/remotes/origin/{ref.removeprefix(BRANCHES)}"
        others = standing_refs(history, known, pushed=True, updated={own})
        commits = walk(history, [after], others)
        if not commits:
            return Answer((), (), None, (f"{ref} is new and brings nothing",))
        if len(commits) > CREATED_MAX:
            reason = f"it brings more than {CREATED_MAX} commits that no protected branch has"
            raise errors.FactsUnavailable(what=ref, reason=reason)
        base = others[0] if others else None
        return answered(self._pull_requests.verify(commits, base))

    def _other(self, event: Other) -> Answer:
        note = f"the event {event.name}: its commit is judged, and nothing is claimed"
        if event.commit is None:
            sentence = f"the event {event.name} names no commit that could be judged"
            return Answer((undecided("no_commit", sentence),), (), None, (note,))
        return self._bare(event.commit, note, event.default_branch)

    def _bare(self, commit: str, note: str, default: str | None) -> Answer:
        """Judge what a commit would bring to the first protected branch, and claim nothing."""
        with self._context.outside.history() as history:
            require(history, commit, "what the event is about")
            known = self._known(history, default)
            if default is not None and is_protected(BRANCHES + default, known):
                tip = tip_of(history, default)
            else:
                tip = protected_tip(history, known)
        if tip is None:
            sentence = "no protected branch is here, so nobody can tell what this would bring"
            return Answer((undecided("no_base", sentence),), (), None, (note,))
        return answered(self._pull_requests.verify([f"{tip}..{commit}"], tip), (note,))

    def _known(self, history: History, default: str | None = None) -> tuple[str, ...]:
        """Return which branches are protected: as the default branch says, or the ledger."""
        tip = None if default is None else tip_of(history, default)
        settings = base_at(history, tip).settings
        if settings is not None:
            return settings.workspace.protected_refs
        with self._context.store.read() as reader:
            if reader.config() is not None:
                return rules_in_force(reader).settings.workspace.protected_refs
        return protected_by(history)

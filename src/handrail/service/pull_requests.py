"""A pull request as a session: for agents that have nothing installed.

Promises: what a pull request writes is held by its session, exclusively, from the event that
brought it until it is closed, or all of it is refused and nothing changes; each of its commits is
attested under those leases, so that rule V passes them here and anywhere. What is judged by comes
from the base, never from the pull request. A pull request from a fork is judged in the same way
and holds nothing: a stranger could block the work of all others by opening one.

Not promised: that two pull requests of one author are by the same agent. Who calls decides how
often an answer is asked for anew: everything here may be repeated.

    PullRequests(context, authors).judge(pull, record=True).verdict
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from handrail import errors
from handrail.config import CONFIG_FILE, Settings, blob_id
from handrail.core.decide import Changes, StartSession, View, decide
from handrail.core.events import CommitUnattested, ConfigApplied
from handrail.core.forge import REOPENED, PullRequest
from handrail.core.landing import CANNOT_TELL, PASS, REFUSED, Judgment
from handrail.core.lease import Session
from handrail.core.ledger import read_event
from handrail.core.record import Record
from handrail.service.context import Context, History
from handrail.service.court import ENFORCE
from handrail.service.evidence import ABSENT, UNENROLLED
from handrail.service.identity import UNATTRIBUTED, actor_of, hash_secret
from handrail.service.policy import policy_of
from handrail.service.pull_request_agents import agent_of
from handrail.service.pull_request_base import base_of, head_configuration, require
from handrail.service.pull_request_checks import SESSION_PREFIX, Objection, objections, undecided
from handrail.service.pull_request_grants import (
    Brought,
    attested,
    case_of,
    ended_because,
    ending,
    leases,
    patches_of,
    session_id,
)
from handrail.service.ranges import base_at, walk
from handrail.service.verification import Found, Verification, Verified
from handrail.store.port import Tx

RECORDED_MAX: Final = 1_000
SECRET_CHARS: Final = 40
MERGED: Final = "merged"
BY_ITSELF: Final = ("signed", "attested", "inherited")
FORK: Final = (
    "this comes from a fork: lane, sandbox and overlap were judged as the ledger is now; nothing is"
    " held for it, so another pull request may come first"
)
Authors = Callable[[Sequence[str]], Mapping[str, str]]


class Answer(Record):
    """What was found: objections first, then rule V; ``recorded`` tells whether it is kept.

    ``mode`` is the base's for landing.
    """

    objections: tuple[Objection, ...]
    judgments: tuple[Judgment, ...]
    base: str | None
    notes: tuple[str, ...] = ()
    recorded: bool = False
    mode: str = ENFORCE

    @property
    def verdict(self) -> str:
        """Refused if anything is, else cannot-tell if anything is, else pass."""
        found = {one.verdict for one in self.objections}
        found |= {one.verdict for one in self.judgments}
        return next((one for one in (REFUSED, CANNOT_TELL) if one in found), PASS)


class PullRequests:
    """The use case of judging pull requests.

    ``authors`` says who made commits; ``tip`` is where the forge has the pull request's head now,
    None where nobody asked.
    """

    def __init__(self, context: Context, authors: Authors, tip: str | None = None) -> None:
        self._context = context
        self._store = context.store
        self._authors = authors
        self._tip = tip

    def judge(self, pull: PullRequest, *, record: bool) -> Answer:
        """Judge an open pull request; with ``record`` it holds what it writes if it passes.

        Raises FactsUnavailable where the base's configuration or git cannot be read.
        """
        with self._context.outside.history() as history:
            base = base_of(history, pull)
            late = self._late(pull)
            if late is not None:
                return Answer((late,), (), base)
            return self.judge_on(history, pull, base, record=record and not pull.is_fork)

    def judge_on(self, history: History, pull: PullRequest, base: str, *, record: bool) -> Answer:
        """Judge a pull request by the configuration of a commit that it is to stand on."""
        require(history, pull.head, "the head of the pull request")
        settings = base_at(history, base).settings
        if settings is None:
            verified = self.verify([f"{base}..{pull.head}"], base)
            note = f"the base has no {CONFIG_FILE}: nothing is enforced before it is there"
            return answered(verified, notes=(note,))
        text = history.file_at(base, CONFIG_FILE) or b""
        objection = head_configuration(history, pull, settings)
        if objection is not None:
            return Answer((objection,), (), base, mode=settings.mode("land"))
        if record:
            self._put_in_force(text, settings)
        brought = self._brought(history, pull, base, settings)
        found = self._hold(brought, record=record)
        if found:
            return self._refused(brought, found, record=record)
        if not record:
            held = {change.commit for change in brought.held}
            rest = tuple(one for one in brought.before.judgments if one.commit not in held)
            notes = self._not_recorded(pull)
            return Answer((), rest, base, notes, mode=brought.before.mode)
        after = self.verify([f"{base}..{pull.head}"], base)
        return answered(after, recorded=True)

    def close(self, pull: PullRequest, reason: str, *, record: bool) -> Answer:
        """End the session of a pull request: what it held is free."""
        with self._store.transaction() as tx:
            session = tx.session(session_id(pull))
            if session is None or not session.live:
                note = f"pull request #{pull.number} holds nothing"
                return Answer((), (), None, (note,))
            changes = ending(tx, session, reason)
            if record:
                tx.commit(changes, actor_of(session))
        note = f"pull request #{pull.number} is {reason}: what it held is free"
        return Answer((), (), None, (note,), recorded=record)

    def verify(self, ranges: Sequence[str], base: str | None) -> Verified:
        """Let rule V judge, by this store if anything is in force in it, and by shared ledgers."""
        with self._store.read() as reader:
            store = self._store if reader.config() is not None else None
        sources = Found(store, self._context.outside, self._context.shared)
        return Verification(sources).verify(ranges, base)

    # --- before anything is decided --------------------------------------------------------------

    def _late(self, pull: PullRequest) -> Objection | None:
        """Say that an event comes too late: it was overtaken, or its pull request has ended."""
        if self._tip is not None and self._tip != pull.head:
            sentence = f"the head is {self._tip[:12]} by now, and this event speaks of an older one"
            return undecided("outdated_event", sentence)
        with self._store.read() as reader:
            reason = ended_because(reader, session_id(pull))
        if reason is None or (pull.action == REOPENED and reason != MERGED):
            return None
        sentence = f"pull request #{pull.number} was {reason} before: reopen it, or open another"
        return undecided("outdated_event", sentence)

    def _put_in_force(self, text: bytes, settings: Settings) -> None:
        """Put the base's configuration into force: it has landed where only what may land does."""
        with self._store.transaction() as tx:
            if settings.workspace.id != tx.workspace:
                reason = f"its workspace is {settings.workspace.id}, the ledger's {tx.workspace}"
                raise errors.FactsUnavailable(what=f"{CONFIG_FILE} of the base", reason=reason)
            in_force = tx.config()
            if in_force is None or in_force.blob != blob_id(text):
                applied = ConfigApplied(blob_id(text), text.decode("utf-8"), "base")
                tx.commit([applied], UNATTRIBUTED)

    def _brought(
        self, history: History, pull: PullRequest, base: str, settings: Settings
    ) -> Brought:
        """Find out what a pull request brings, and which of it has to be held."""
        commits = tuple(walk(history, [pull.head], [base]))
        changes = history.changes(commits)
        before = self.verify([f"{base}..{pull.head}"], base)
        passing = {one.commit for one in before.judgments if _stands(one)}
        held = tuple(changes[one] for one in commits if one not in passing)
        authors = tuple(dict.fromkeys(self._authors([one.commit for one in held]).values()))
        agent, role = agent_of(settings, pull, authors)
        policy = policy_of(settings)
        patches = patches_of(history, held)
        return Brought(pull, base, settings, policy, commits, held, patches, before, agent, role)

    # --- deciding --------------------------------------------------------------------------------

    def _hold(self, brought: Brought, *, record: bool) -> tuple[Objection, ...]:
        """Claim all and attest all in one transaction, or say what speaks against it."""
        with self._store.transaction() as tx:
            changes, session = self._started(tx, brought)
            case = case_of(tx, brought, session)
            found = objections(case)
            if found:
                return found
            held, more = leases(tx, case, changes)
            changes += more
            changes += attested(tx, brought, case, held)
            if record:
                tx.commit(changes, actor_of(session))
        return ()

    def _started(self, tx: Tx, brought: Brought) -> tuple[Changes, Session]:
        """Start the session; if it is live as somebody else's or in another role, anew."""
        name = session_id(brought.pull)
        known = tx.session(name)
        same = (brought.agent, brought.role, name)
        if known is not None and known.live and (known.agent, known.role, known.worktree) == same:
            return [], known
        changes: Changes = []
        if known is not None and known.live:
            changes += ending(tx, known, "another agent or role")
            known = known._replace(ended_at=tx.now)
        secret = hash_secret(self._context.outside.random_name(SECRET_CHARS))
        session = Session(name, brought.agent, brought.role, name, tx.now, None, secret)
        changes += decide(View(tx.epoch), StartSession(session, known), tx.now)
        return changes, session

    def _refused(self, brought: Brought, found: tuple[Objection, ...], *, record: bool) -> Answer:
        """Write down why the commits stand unattested, once for each head and reason."""
        mode, before = brought.before.mode, brought.before
        failing = tuple(one for one in before.judgments if one.verdict != PASS)
        if record and all(one.verdict == REFUSED for one in found):
            pull = brought.pull
            reason = f"pull request #{pull.number}: {found[0].code}: {found[0].sentence}"
            update = (f"refs/pull/{pull.number}/head", brought.base, pull.head)
            commits = tuple(change.commit for change in brought.held[::-1])[:RECORDED_MAX]
            event = CommitUnattested((update,), commits, reason)
            with self._store.transaction() as tx:
                recorded = tx.recorded("commit.unattested", RECORDED_MAX)
                if commits and all(read_event(entry) != event for entry in recorded):
                    tx.commit([event], UNATTRIBUTED)
        return Answer(found, failing, brought.base, (), record, mode)

    def _not_recorded(self, pull: PullRequest) -> tuple[str, ...]:
        if not pull.is_fork:
            return ("nothing was recorded",)
        return (FORK,)


# --- what several need ---------------------------------------------------------------------------


def answered(verified: Verified, notes: tuple[str, ...] = (), *, recorded: bool = False) -> Answer:
    """Give what rule V said as the answer."""
    usual = (UNENROLLED, ABSENT) if verified.verdict == PASS else ()
    doubts = (*notes, *[one.sentence for one in verified.doubts if one.fault not in usual])
    judgments, base, mode = verified.judgments, verified.base, verified.mode
    return Answer((), judgments, base, doubts, recorded, mode)


def _stands(judgment: Judgment) -> bool:
    """Tell whether a commit passes without this: by a signature, or by a session of its own.

    What a pull request attests is not: it has to be held as long as that one is open.
    """
    if judgment.verdict != PASS or judgment.code not in BY_ITSELF:
        return False
    session = dict(judgment.values).get("session", "")
    return judgment.code == "signed" or not session.startswith(SESSION_PREFIX)

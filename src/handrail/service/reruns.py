"""Evidence of others, run again: what the giver of a packet has receipts of, its receiver tries.

Promises: what is compared are receipts that lay in the ledger when the packet was offered, and what
came of the same command at the same commit in a working tree made for it. Equal means the same exit
status and, where a report is named, the same set of passed tests; hashes of output are kept, not
compared. What cannot be told (a missing input, a failing preparation, a time that is over) is never
a difference. Every run is recorded; a receipt that one contradicts answers for no gate any more.

    Reruns(context, sites).compare(packet, content, tell)[0].verdict
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager

from handrail import errors
from handrail.config.records import CommandGate
from handrail.core.events import KIND_OF
from handrail.core.ledger import read_event
from handrail.core.receipts import EXITED, EvidenceContradicted, EvidenceRecorded, question
from handrail.core.record import Record
from handrail.core.task import COMPLETE, Packet
from handrail.gates.facts import Standing
from handrail.gates.gate import BLOCK, CANNOT_TELL, FAIL, PASS, Objection, Outcome
from handrail.service.context import Context
from handrail.service.evidence_runs import (
    AGE,
    COMMIT,
    TREE,
    PassedRow,
    RanRow,
    Receipt,
    definition,
    receipt_of,
    reports_of,
    written,
)
from handrail.service.identity import acting
from handrail.service.policy import rules_in_force
from handrail.service.shown_evidence import RERUN, Claim, is_told, shown
from handrail.store.port import Reader
from handrail.text import shell_quote
from handrail.typed import Any, Final, Protocol

EVIDENCE: Final = "evidence"
UNSURE: Final = ":unsure"
"""Follows the question of a re-run by which nobody could tell."""
NOT_FOUND: Final = (126, 127)
"""How shells end whose command is not there or cannot be run."""
TOLD_CHARS_MAX: Final = 400
REASON_CHARS_MAX: Final = 2_000
_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MISSES: Final = ("no such file", "not found", "cannot find", "does not exist", "enoent")
Tell = Callable[[str], None]


class MissedRow(PassedRow, Protocol):
    """The tests of a report, with some that did not pass."""

    @property
    def missed(self) -> tuple[str, ...]:
        """The names of some tests that did not pass."""


class Site(Protocol):
    """The working tree of one commit, made for a re-run. What cannot be is FactsUnavailable."""

    def link(self, paths: Sequence[str]) -> None:
        """Share untracked paths of the receiver's working tree."""

    def run(
        self, argv: tuple[str, ...], timeout_ms: int, env: tuple[tuple[str, str], ...] = ()
    ) -> RanRow:
        """Run a command in its root."""

    def standing(self, reports: Collection[str]) -> Standing:
        """Return how it stands, reports and shared paths left out."""

    def report_mark(self, path: str) -> object:
        """Return what changes when a report is written anew; None if there is none."""

    def report(self, path: str) -> MissedRow:
        """Read a report."""

    def unfetched(self) -> tuple[str, ...]:
        """Name what the commit only refers to."""

    def unshared(self) -> tuple[str, ...]:
        """Name what lies untracked in the receiver's working tree and not here."""

    def borrowed(self, reports: Collection[str]) -> str | None:
        """Return a folder of the receiver's other state that shared inputs take code from."""


class Sites(Protocol):
    """Where re-runs happen."""

    def at(self, commit: str) -> AbstractContextManager[Site]:
        """Make a working tree of a commit, and take it away in the end."""


class Again(Record):
    """What came of a re-run; ``receipt`` is None where nothing could be run.

    ``unsure`` says why nobody can tell; ``missed`` names tests that did not pass.
    """

    receipt: Receipt | None
    unsure: str = ""
    missed: tuple[str, ...] = ()
    reused: bool = False


class Reruns:
    """The use case of running evidence again."""

    def __init__(self, context: Context, sites: Sites) -> None:
        self._context = context
        self._sites = sites

    def compare(
        self, packet: Packet, content: Mapping[str, Any], tell: Tell = lambda line: None
    ) -> tuple[Outcome, ...]:
        """Run again what the giver of a packet has receipts of, and compare.

        One outcome, of the gate ``evidence``; it is not applicable where there is nothing to run.
        """
        metadata = content.get("metadata", {})
        commit, tree = str(metadata.get("head", "")), str(metadata.get("tree", ""))
        told = _ID.fullmatch(commit) is not None and _ID.fullmatch(tree) is not None
        if packet.kind != COMPLETE or not packet.session or not told:
            return (Outcome(EVIDENCE, PASS, BLOCK, applicable=False),)
        with self._context.store.read() as reader:
            acting(reader, self._context)
            settings = rules_in_force(reader).settings
            claims, wrong, unsure = shown(reader, settings, packet, content, (commit, tree))
        if not (claims or wrong or unsure):
            return (Outcome(EVIDENCE, PASS, BLOCK, applicable=False),)
        reports = reports_of(settings.gates)
        runs: list[Again] = []
        for claim in claims:
            again = self._again(claim, commit, tree, reports, tell)
            runs.append(again)
            differs = () if again.receipt is None else differences(claim, again)
            if again.unsure:
                unsure.append(f"{claim.gate.id}: {again.unsure}")
            elif differs:
                wrong += differs
                self._contradict(claim, again)
            verdict = CANNOT_TELL if again.unsure else FAIL if differs else PASS
            how = " (run before)" if again.reused else ""
            tell(f"{EVIDENCE}: {claim.gate.id}: {verdict}{how}")
        receipts = [again.receipt.seq for again in runs if again.receipt is not None]
        found = Outcome(
            EVIDENCE,
            PASS,
            BLOCK,
            tuple(wrong),
            reason="; ".join(unsure),
            receipt=receipts[-1] if receipts else None,
            reused=bool(runs) and all(again.reused for again in runs),
        )
        verdict = FAIL if wrong else CANNOT_TELL if unsure else PASS
        return (found._replace(verdict=verdict),)

    # --- running again ---------------------------------------------------------------------------

    def _again(
        self, claim: Claim, commit: str, tree: str, reports: Collection[str], tell: Tell
    ) -> Again:
        gate = claim.gate
        about = _about(gate, commit, tree, self._context.caller.worktree)
        with self._context.store.read() as reader:
            known = _known(reader, claim, about)
        if known is not None:
            return Again(known, reused=True)
        tell(f"{EVIDENCE}: {gate.id} again at {commit[:12]}: {_line(gate.run)}")
        try:
            with self._sites.at(commit) as site:
                return self._run(site, claim, about, reports, tell)
        except errors.FactsUnavailable as error:
            return Again(None, error.message.rstrip("."))

    def _run(
        self, site: Site, claim: Claim, about: str, reports: Collection[str], tell: Tell
    ) -> Again:
        gate = claim.gate
        absent = site.unfetched()
        if absent:
            tell(f"{EVIDENCE}: not fetched: {', '.join(absent)}")
        site.link(gate.link)
        for words in gate.prepare:
            tell(f"{EVIDENCE}: {gate.id}: {_line(words)}")
            ran = site.run(words, gate.timeout_ms, gate.env)
            if (ran.ended, ran.status) != (EXITED, 0):
                return Again(None, f"{_line(words)} {_how(ran)}{_end_of(ran.tail)}")
        free = any(name == "PYTHONPATH" for name, _ in gate.env)
        elsewhere = None if free else site.borrowed(reports)
        mark = None if gate.report is None else site.report_mark(gate.report)
        before = site.standing(reports)
        ran = site.run(gate.run, gate.timeout_ms, gate.env)
        if ran.ended == "not-started":
            lacks = (one for one in site.unshared() if gate.run[0].startswith(f"{one}/"))
            hint = "".join(f"; {_not_shared(one)}" for one in lacks)
            return Again(None, f"{gate.run[0]} could not be started: {ran.reason}{hint}")
        passed, unread = _report(site, gate, mark)
        after = site.standing(reports)
        disturbed = (after.commit, after.fingerprint) != (before.commit, before.fingerprint)
        event = written(ran, before, (about, gate.id, ""), passed, disturbed=disturbed)
        try:
            if elsewhere is None and not free:
                elsewhere = site.borrowed(reports)
            unsure = _unsure(site, claim, event, (unread, elsewhere, absent), _how(ran))
        except errors.FactsUnavailable as error:
            unsure = error.message.rstrip(".")
        if unsure:
            # It is kept, and answers nothing: what nobody could tell is asked again.
            event = event._replace(about=f"{about}{UNSURE}")
        receipt = self._record(event)
        missed = getattr(passed, "missed", ())
        return Again(receipt, unsure, missed)

    def _contradict(self, claim: Claim, again: Again) -> None:
        """Let the giver's receipt answer no more, until its command is run anew."""
        assert again.receipt is not None
        said = claim.receipt
        event = EvidenceContradicted(said.event.about, claim.gate.id, said.seq, again.receipt.seq)
        with self._context.store.transaction() as tx:
            tx.commit([event], acting(tx, self._context))

    def _record(self, event: EvidenceRecorded) -> Receipt:
        with self._context.store.transaction() as tx:
            entries = tx.commit([event], acting(tx, self._context))
        return receipt_of(entries[0], event)


def differences(claim: Claim, again: Again) -> tuple[Objection, ...]:
    """Return how a re-run differs from the receipt, with what it says itself."""
    assert again.receipt is not None
    was, now = claim.receipt.event, again.receipt.event
    gate, step = claim.gate.id, f"handrail evidence run --gate {shell_quote(claim.gate.id)}"
    told = f"receipt {claim.receipt.seq} of {gate} says"
    rerun = f"the re-run (receipt {again.receipt.seq})"
    names = f"; not passed: {', '.join(again.missed)}"[:TOLD_CHARS_MAX] if again.missed else ""
    tests = ""
    if claim.gate.report is not None and now.tests_passed is not None:
        tests = f", with {was.tests_passed} and {now.tests_passed} tests passed{names}"
    found: list[Objection] = []
    if was.exit_status != now.exit_status:
        sentence = f"{told} exit {was.exit_status}, {rerun} says exit {now.exit_status}{tests}"
        found.append(Objection("status_differs", sentence + _end_of(now.output_tail), None, step))
    elif claim.gate.report is not None and was.tests_hash != now.tests_hash:
        sentence = f"{told} {was.tests_passed} tests passed, {rerun} says {now.tests_passed}"
        if was.tests_passed == now.tests_passed:
            sentence += ", and they are not the same ones"
        found.append(Objection("tests_differ", sentence + names, None, step))
    return tuple(found)


# --- asking again, and what came of it ------------------------------------------------------------


def _about(gate: CommandGate, commit: str, tree: str, worktree: str) -> str:
    """Name what a re-run answers: the gate with its preparations, at a commit, from here."""
    prepare = [word for words in gate.prepare for word in (str(len(words)), *words)]
    seen = tree if gate.fresh_for == TREE else commit
    return question(
        RERUN, *definition(gate), *prepare, str(len(gate.link)), *gate.link, seen, worktree
    )


def _known(reader: Reader, claim: Claim, about: str) -> Receipt | None:
    """Return the re-run that still answers: one from here, fresh, in which nothing differed."""
    gate = claim.gate
    if gate.fresh_for not in (TREE, COMMIT, AGE):
        return None
    entry = reader.latest(KIND_OF[EvidenceRecorded], about)
    event = None if entry is None else read_event(entry)
    if entry is None or not isinstance(event, EvidenceRecorded):
        return None
    receipt = receipt_of(entry, event)
    stale = gate.fresh_for == AGE and receipt.at < reader.now - (gate.fresh_for_ms or 0)
    if stale or not is_told(gate, event) or differences(claim, Again(receipt)):
        return None
    return receipt


def _report(site: Site, gate: CommandGate, mark: object) -> tuple[MissedRow | None, str]:
    """Read the report of a re-run; returns why it cannot be, too."""
    if gate.report is None:
        return None, ""
    if site.report_mark(gate.report) in (None, mark):
        return None, f"the report {gate.report} was not written"
    try:
        return site.report(gate.report), ""
    except errors.FactsUnavailable as error:
        return None, error.message.rstrip(".")


def _unsure(
    site: Site,
    claim: Claim,
    event: EvidenceRecorded,
    lacks: tuple[str, str | None, Sequence[str]],
    how: str,
) -> str:
    """Say why nobody can tell by a re-run; '' where it says something.

    ``lacks`` are why its report could not be read, where its code came from if not from the commit,
    and what was not fetched; ``how`` it ended.
    """
    unread, elsewhere, absent = lacks
    if event.ended != EXITED:
        return f"{_line(claim.gate.run)} {how}"
    if elsewhere is not None:
        told = f"a shared input takes code from {elsewhere}, where other work lies: let env set"
        return f"{told} PYTHONPATH to folders of the commit"
    if event.disturbed:
        return "the command changed the working tree"
    if event.exit_status != claim.receipt.event.exit_status:
        return _missing(site, event, absent)
    return unread


def _missing(site: Site, event: EvidenceRecorded, absent: Sequence[str]) -> str:
    """Say what the command lacked here, where that and no test made it end otherwise."""
    if absent:
        return f"not fetched: {', '.join(absent)}"
    if event.exit_status in NOT_FOUND:
        return f"a command was not found (exit {event.exit_status}){_end_of(event.output_tail)}"
    lines = [line for line in event.output_tail.splitlines() if _speaks_of_a_miss(line)]
    for name in site.unshared() if lines else ():
        word = re.compile(rf"(?<![\w./-]){re.escape(name)}(?![\w.-])")
        if any(word.search(line) for line in lines):
            return _not_shared(name) + _end_of(event.output_tail)
    return ""


def _not_shared(name: str) -> str:
    return f"{name} is not in the commit and not shared (link)"


def _speaks_of_a_miss(line: str) -> bool:
    return any(words in line.lower() for words in _MISSES)


def _how(ran: RanRow) -> str:
    if ran.ended == EXITED:
        return f"ended with status {ran.status}"
    if ran.ended == "signalled":
        return f"was ended by signal {ran.status}"
    return ran.reason or ran.ended


def _end_of(tail: str) -> str:
    """Return the last words of an output as the end of a sentence."""
    said = " / ".join(line.strip() for line in tail.splitlines() if line.strip())
    return f"; it printed: {said[-TOLD_CHARS_MAX:]}" if said else ""


def _line(words: Sequence[str]) -> str:
    return " ".join(map(shell_quote, words))

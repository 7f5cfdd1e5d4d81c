"""Evidence: commands that Handrail runs itself, and the receipts it keeps of them in the ledger.

Promises: a receipt says what was run, how it ended and on which commit, tree and unfinished work;
its time is the store's; argument vector and output are redacted before anything is hashed or kept.
Who has no session records too, unattributed; who names one proves it first, before anything runs.
What an agent types never becomes a receipt.

    EvidenceRuns(context, bench).run(("make", "test")).event.exit_status
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from handrail import errors
from handrail.config.records import CommandGate
from handrail.core.events import KIND_OF
from handrail.core.ledger import Entry, read_event, read_header
from handrail.core.receipts import (
    UNKNOWN_DIRT,
    EvidenceContradicted,
    EvidenceRecorded,
    question,
)
from handrail.core.record import Record
from handrail.gates.facts import Pushed, Standing, Tree
from handrail.service.context import Context
from handrail.service.identity import acting
from handrail.service.policy import rules_in_force
from handrail.store.port import Reader
from handrail.text import visible
from handrail.typed import Final, Protocol

LISTED_MAX: Final = 10_000
TREE: Final = "tree"
COMMIT: Final = "commit"
AGE: Final = "age"
Show = Callable[[bytes], None]


class RanRow(Protocol):
    """How a command ended, and what it printed: redacted, then hashed; its end in clear."""

    @property
    def argv(self) -> tuple[str, ...]:
        """The words, redacted."""

    @property
    def ended(self) -> str:
        """The way: exited, signalled, timed-out, stopped, not-started."""

    @property
    def status(self) -> int | None:
        """The exit status, or the signal's number."""

    @property
    def reason(self) -> str:
        """Why it did not end by itself."""

    @property
    def output_hash(self) -> str:
        """SHA-256 of the redacted output."""

    @property
    def output_bytes(self) -> int:
        """How much was printed."""

    @property
    def tail(self) -> str:
        """The end of the redacted output."""

    @property
    def duration_ms(self) -> int:
        """How long it took."""


class PassedRow(Protocol):
    """The set of tests that passed by a report."""

    @property
    def tests(self) -> int:
        """How many."""

    @property
    def digest(self) -> str:
        """A digest of their names."""


class Bench(Protocol):
    """Where commands run, and what they leave. What cannot be read is FactsUnavailable."""

    @property
    def folder(self) -> str:
        """The caller's folder, seen from the root of the working tree; '' is the root."""

    def standing(self, reports: Collection[str]) -> Standing:
        """Return how the working tree stands, untracked reports left out."""

    def pushed(self) -> Pushed:
        """Return whether HEAD was pushed."""

    def tree(self, documents: Collection[str]) -> Tree:
        """Return what the commit holds, and the texts of some documents."""

    def run(
        self,
        argv: tuple[str, ...],
        *,
        timeout_ms: int | None,
        env: tuple[tuple[str, str], ...] = (),
        at_root: bool = True,
        show: Show | None = None,
    ) -> RanRow:
        """Run a command to its end, in the working tree's root or the caller's folder."""

    def stop(self) -> None:
        """End every command that runs."""

    def report_mark(self, path: str) -> object:
        """Return what changes when a report is written anew; None if there is none."""

    def report(self, path: str) -> PassedRow:
        """Read a report."""


class Receipt(Record):
    """A receipt: the ledger's entry, when and by whom it was recorded, what it says."""

    seq: int
    at: int
    session: str | None
    event: EvidenceRecorded


class Trial(Record):
    """What was run for a gate: the event to record, or why there is none; and why it is unsure."""

    event: EvidenceRecorded | None
    reason: str


class EvidenceRuns:
    """The use cases of running and reading evidence."""

    def __init__(self, context: Context, bench: Bench) -> None:
        self._context = context
        self._bench = bench

    def run(
        self,
        argv: tuple[str, ...],
        gate_id: str | None = None,
        timeout_ms: int | None = None,
        show: Show | None = None,
    ) -> Receipt:
        """Run a command, or that of a gate, and record how it ended.

        Raises Usage where there is no such gate, its command is another, or the program cannot be
        started: then nothing is recorded.
        """
        with self._context.store.read() as reader:
            acting(reader, self._context)
            settings = rules_in_force(reader).settings
        reports = reports_of(settings.gates)
        before = self._bench.standing(reports)
        if gate_id is None:
            trial = self._try_command(argv, before, reports, timeout_ms, show)
        else:
            gate = next((one for one in settings.gates if one.id == gate_id), None)
            if gate is None:
                raise _no_gate(gate_id, [one.id for one in settings.gates])
            if argv not in ((), gate.run):
                reason = f"Gate {gate_id} runs a command of its own; leave yours out."
                raise errors.Usage(reason=reason, next=f"handrail evidence run --gate {gate_id}")
            if timeout_ms is not None:
                gate = gate._replace(timeout_ms=min(timeout_ms, gate.timeout_ms))
            trial = self.attempt(gate, before, reports, show)
        if trial.event is None:
            named = visible(argv[0] if argv else gate_id or "").strip() or "''"
            reason = f"{named} could not be started: {trial.reason}."
            raise errors.Usage(reason=reason, next="handrail evidence run --help")
        return self.record(trial.event)

    def _try_command(
        self,
        argv: tuple[str, ...],
        before: Standing,
        reports: Collection[str],
        timeout_ms: int | None,
        show: Show | None,
    ) -> Trial:
        ran = self._bench.run(argv, timeout_ms=timeout_ms, at_root=False, show=show)
        folder = self._bench.folder
        about = question("run", folder, *ran.argv, before.tree, before.fingerprint)
        return self._trial(ran, before, reports, (about, None, folder), None)

    def attempt(
        self,
        gate: CommandGate,
        before: Standing,
        reports: Collection[str],
        show: Show | None = None,
    ) -> Trial:
        """Run a gate's command; records nothing, so that it may run beside others."""
        mark = None if gate.report is None else self._bench.report_mark(gate.report)
        ran = self._bench.run(gate.run, timeout_ms=gate.timeout_ms, env=gate.env, show=show)
        passed, unread = None, ""
        if gate.report is not None:
            if self._bench.report_mark(gate.report) in (None, mark):
                unread = f"the report {gate.report} was not written"
            else:
                try:
                    passed = self._bench.report(gate.report)
                except errors.FactsUnavailable as error:
                    unread = error.message.rstrip(".")
        about = about_of(gate, before)
        trial = self._trial(ran, before, reports, (about, gate.id, ""), passed)
        return trial if trial.reason else trial._replace(reason=unread)

    def _trial(
        self,
        ran: RanRow,
        before: Standing,
        reports: Collection[str],
        names: tuple[str, str | None, str],
        passed: PassedRow | None,
    ) -> Trial:
        if ran.ended == "not-started":
            return Trial(None, ran.reason)
        after = self._bench.standing(reports)
        disturbed = (after.commit, after.fingerprint) != (before.commit, before.fingerprint)
        event = written(ran, before, names, passed, disturbed=disturbed)
        reason = ran.reason or ("the working tree changed meanwhile" if disturbed else "")
        if ran.ended == "signalled":
            reason = f"signal {ran.status} ended it"
        return Trial(event, reason)

    def record(self, event: EvidenceRecorded) -> Receipt:
        """Enter a receipt into the ledger."""
        with self._context.store.transaction() as tx:
            entries = tx.commit([event], acting(tx, self._context))
        return receipt_of(entries[0], event)

    def reusable(self, reader: Reader, gate: CommandGate, standing: Standing) -> Receipt | None:
        """Return the newest receipt that still answers for a gate: a success, fresh, undisputed."""
        if standing.fingerprint == UNKNOWN_DIRT or gate.fresh_for not in (TREE, COMMIT, AGE):
            return None
        entry = reader.latest(KIND_OF[EvidenceRecorded], about_of(gate, standing))
        event = None if entry is None else read_event(entry)
        if entry is None or not isinstance(event, EvidenceRecorded) or not event.succeeded:
            return None
        if gate.report is not None and event.tests_passed is None:
            return None
        receipt = receipt_of(entry, event)
        if contradicted(reader, receipt) is not None:
            return None
        if gate.fresh_for == AGE and receipt.at < reader.now - (gate.fresh_for_ms or 0):
            return None
        return receipt

    def listed(self, limit: int, gate: str | None = None) -> list[Receipt]:
        """Return the newest receipts among the newest LISTED_MAX entries, oldest first."""
        found: list[Receipt] = []
        with self._context.store.read() as reader:
            for entry in reversed(reader.newest(LISTED_MAX)):
                if len(found) == limit:
                    break
                if read_header(entry.header).kind != KIND_OF[EvidenceRecorded]:
                    continue
                event = read_event(entry)
                if isinstance(event, EvidenceRecorded) and gate in (None, event.gate):
                    found.append(receipt_of(entry, event))
        return found[::-1]


def written(
    ran: RanRow,
    before: Standing,
    names: tuple[str, str | None, str],
    passed: PassedRow | None,
    *,
    disturbed: bool,
) -> EvidenceRecorded:
    """Return a run as an event; ``names`` are its question, its gate and its folder."""
    about, gate, folder = names
    return EvidenceRecorded(
        about=about,
        gate=gate,
        argv=ran.argv,
        folder=folder,
        ended=ran.ended,
        exit_status=ran.status,
        output_hash=ran.output_hash,
        output_bytes=ran.output_bytes,
        output_tail=ran.tail,
        commit=before.commit,
        tree=before.tree,
        dirt=before.fingerprint,
        disturbed=disturbed,
        duration_ms=ran.duration_ms,
        tests_passed=None if passed is None else passed.tests,
        tests_hash=None if passed is None else passed.digest,
    )


def receipt_of(entry: Entry, event: EvidenceRecorded) -> Receipt:
    """Return what an entry recorded."""
    header = read_header(entry.header)
    return Receipt(header.seq, header.at, header.session, event)


class Answers(Protocol):
    """Where the newest entry of a kind about a subject is found: a store, or a ledger."""

    def latest(self, kind: str, subject: str) -> Entry | None:
        """Return it."""


def contradicted(ledger: Answers, receipt: Receipt) -> int | None:
    """Return the entry of the re-run that came out otherwise than a receipt, if one did since."""
    entry = ledger.latest(KIND_OF[EvidenceContradicted], receipt.event.about)
    event = None if entry is None or entry.seq < receipt.seq else read_event(entry)
    return event.rerun if isinstance(event, EvidenceContradicted) else None


def reports_of(gates: Collection[CommandGate]) -> frozenset[str]:
    """Return the reports that gates write: they are made by running, and are no dirt."""
    return frozenset(gate.report for gate in gates if gate.report is not None)


def about_of(gate: CommandGate, standing: Standing) -> str:
    """Name what a gate's receipt answers: its definition, and what it stays fresh for."""
    seen = {
        TREE: (standing.tree, standing.fingerprint),
        COMMIT: (standing.commit, standing.fingerprint),
    }
    return question("gate", *definition(gate), *seen.get(gate.fresh_for, ()))


def definition(gate: CommandGate) -> tuple[str, ...]:
    """Return what a gate asks, as parts of a question: another one is another question."""
    env = [f"{name}={value}" for name, value in gate.env]
    run = (gate.id, str(len(gate.run)), *gate.run)
    return (*run, str(len(env)), *env, gate.report or "", gate.fresh_for)


def _no_gate(gate: str, known: list[str]) -> errors.Usage:
    if not known:
        reason = f"There is no gate {gate}: handrail.toml names none that runs a command."
        return errors.Usage(reason=reason, next="handrail config validate")
    reason = f"No gate {gate} runs a command; there are {', '.join(known)}."
    return errors.Usage(reason=reason, next=f"handrail evidence run --gate {known[0]}")

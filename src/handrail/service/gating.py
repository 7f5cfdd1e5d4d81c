"""May this go on? All gates of a stage: the built-in ones, and the commands of ``[[gate]]``.

Promises: every gate of the stage that is not switched off gets a verdict; one that raises, hangs,
crashes, cannot be started or changes the working tree is cannot-tell; a command whose receipt still
answers is not run again, and the answer names the receipt. Commands run beside each other unless a
gate is ``exclusive``. Nothing in the working tree is changed but by the commands themselves.

    Gating(context, bench, sources).check("pre-handoff").verdict
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handrail import errors
from handrail.config import Settings
from handrail.config.records import CommandGate
from handrail.config.vocabulary import plugin_of
from handrail.core.handed import WaiverUsed
from handrail.core.record import Record
from handrail.core.scope import matches, normalise_path
from handrail.core.task import COMPLETE, Packet
from handrail.gates.facts import (
    NO_PACKET,
    Covered,
    Facts,
    Handed,
    Standing,
)
from handrail.gates.gate import (
    ADVISE,
    BLOCK,
    CANNOT_TELL,
    FAIL,
    OFF,
    PASS,
    Gate,
    Objection,
    Outcome,
    judged,
    verdict_of,
)
from handrail.gates.listing import Listing
from handrail.gates.registry import GATES
from handrail.service.collecting import NEEDS, Collector
from handrail.service.context import Context
from handrail.service.evidence_runs import EvidenceRuns, Receipt, Trial, reports_of
from handrail.service.identity import acting
from handrail.service.packet_facts import Grounds
from handrail.service.policy import Rules, rules_in_force
from handrail.service.waivers import seen
from handrail.text import shell_quote
from handrail.typed import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from handrail.service.verification import Sources

POST_HANDOFF: Final = "post-handoff"
EVIDENCE: Final = "evidence"
INSTALL: Final = "python -m pip install DISTRIBUTION"
OF_WORKFLOWS: Final = ("message",)
"""Gates that bind where the work has phases, or where the configuration names them."""
SELF_TEST: Final = "self-test"
WATCHED: Final = "watched-paths"
BESIDE_MAX: Final = 4
Tell = Callable[[str], None]


class Rerun(Protocol):
    """Whoever runs the commands of a packet's evidence again, and compares."""

    def compare(self, packet: Packet, content: dict[str, Any], tell: Tell) -> Sequence[Outcome]:
        """Return a verdict for each command: a difference fails, what cannot run cannot tell."""


class Checked(Record):
    """What the gates of a stage say, in the order of the registry and of the configuration.

    ``used`` are the waivers that the verdict rests on, to be counted with what it is for.
    """

    stage: str
    outcomes: tuple[Outcome, ...]
    used: tuple[WaiverUsed, ...] = ()

    @property
    def verdict(self) -> str:
        """Fail if a binding gate fails, else cannot-tell if one cannot tell, else pass."""
        return verdict_of(self.outcomes)


class Gating:
    """The use case of judging a stage."""

    def __init__(
        self,
        context: Context,
        bench: Grounds,
        sources: Callable[[], Sources],
        rerun: Rerun | None = None,
    ) -> None:
        self._context = context
        self._bench = bench
        self._rerun = rerun
        self._collector = Collector(context, bench, sources)
        self._runs = EvidenceRuns(context, bench)

    def check(
        self,
        stage: str,
        *,
        only: Sequence[str] = (),
        commands: bool = True,
        plugins: bool = True,
        tell: Tell = lambda line: None,
        covered: Covered | None = None,
        handed: Handed = NO_PACKET,
        standing: Standing | None = None,
    ) -> Checked:
        """Judge a stage; ``covered`` is what ``CommitCheck`` said, where it was asked already.

        ``handed`` is the packet in question, ``standing`` how the working tree stood when that was
        looked at. ``only`` names gates of the stage, ``tell`` hears what runs. Without ``plugins``
        nothing but Handrail's own code judges. Raises Usage for a gate that is none of the stage's.
        """
        with self._context.store.read() as reader:
            acting(reader, self._context)
            rules = rules_in_force(reader)
        settings = rules.settings
        wanted = [gate for gate in GATES if stage in gate.stages and _level(settings, gate) != OFF]
        asked = [gate for gate in settings.gates if stage in gate.stages]
        others, missing = self._plugins(settings, stage) if plugins else ([], [])
        wanted += others
        again = stage == POST_HANDOFF and settings.gate_level(EVIDENCE) != OFF
        known = [gate.id for gate in wanted] + [gate.id for gate in asked]
        known += [one.gate for one in missing] + ([EVIDENCE] if again else [])
        for name in only:
            if name not in known:
                there = f"there are {', '.join(known)}" if known else "there is none"
                reason = f"{name} is no gate of stage {stage}; {there}."
                raise errors.Usage(reason=reason, next=f"handrail check {stage}")
        if only:
            wanted = [gate for gate in wanted if gate.id in only]
            asked = [gate for gate in asked if gate.id in only]
            missing = [one for one in missing if one.gate in only]
        facts = Facts(standing=standing, covered=covered, handed=handed)
        outcomes = self._judge(rules, wanted, facts) + missing
        if commands:
            outcomes += self._run(settings, asked, tell, standing, handed.kind)
        if again and (not only or EVIDENCE in only):
            outcomes += self._again(settings.gate_level(EVIDENCE), handed, tell, commands=commands)
        return Checked(stage, *seen(self._context, stage, outcomes, handed.task or None))

    def _again(
        self, level: str, handed: Handed, tell: Tell, *, commands: bool
    ) -> Sequence[Outcome]:
        """Have the evidence of an offered packet compared with what its commands do now."""
        if handed.packet is None or self._rerun is None or not commands:
            why = "its commands are not run again" if handed.packet is not None else ""
            return [Outcome(EVIDENCE, PASS, level, applicable=False, reason=why)]
        found = self._rerun.compare(handed.packet, handed.content, tell)
        return [one._replace(level=level) for one in found]

    def _plugins(self, settings: Settings, stage: str | None) -> tuple[list[Gate], list[Outcome]]:
        """Load the plugins that are switched on; of one that is not to be had nobody can tell."""
        found: list[Gate] = []
        missing: list[Outcome] = []
        for row in settings.builtin_gates:
            name = plugin_of(row.id)
            if name is None or row.level == OFF:
                continue
            try:
                gate = self._bench.plugin(name)._replace(id=row.id, switchable=True)
                unknown = [need for need in gate.needs if need not in NEEDS]
                if unknown:
                    raise errors.FactsUnavailable(
                        what=f"gate plugin {name}", reason=f"there is no fact {unknown[0]}"
                    )
            except errors.FactsUnavailable as error:
                reason = error.message.rstrip(".")
                missing.append(Outcome(row.id, CANNOT_TELL, row.level, reason=reason, next=INSTALL))
                continue
            if stage is None or stage in gate.stages:
                found.append(gate)
        return found, missing

    def self_test(self) -> Checked:
        """Try gates on their own cases, and scripts; look for what gates and roles watch."""
        from handrail.gates.cases import faults
        from handrail.service.rehearsal import rehearsed

        with self._context.store.read() as reader:
            acting(reader, self._context)
            rules = rules_in_force(reader)
        plugins, missing = self._plugins(rules.settings, None)
        tried = [*GATES, *(gate for gate in plugins if gate.cases is not None)]
        wrong = faults(tried)
        found = [
            Outcome(
                gate.id,
                FAIL if any(gate.id == one for one, _ in wrong) else PASS,
                BLOCK,
                tuple(Objection("broken_gate", why) for one, why in wrong if one == gate.id),
            )
            for gate in tried
        ]
        found += missing
        for gate in plugins:
            if gate.cases is None:
                why = "the plugin brings no cases"
                found.append(Outcome(gate.id, PASS, ADVISE, applicable=False, reason=why))
        try:
            # With what Handrail writes as soon as there is something to show in it.
            tree = self._collector.collect(Facts(), "tree", rules).tree
        except errors.FactsUnavailable as error:
            reason = error.message.rstrip(".")
            return Checked(SELF_TEST, (*found, Outcome(WATCHED, CANNOT_TELL, BLOCK, reason=reason)))
        files = Listing() if tree is None else tree.files
        found += [watched(rules, files), *rehearsed(self._bench, rules.settings, files)]
        return Checked(SELF_TEST, tuple(found))

    # --- built-in gates ---------------------------------------------------------------------------

    def _judge(self, rules: Rules, gates: Sequence[Gate], facts: Facts) -> list[Outcome]:
        missing: dict[str, str] = {}
        kind = facts.handed.kind if facts.handed is not None else COMPLETE
        for need in dict.fromkeys(need for gate in gates for need in gate.needs):
            try:
                facts = self._collector.collect(facts, need, rules)
            except (errors.Unavailable, errors.MalformedRange, errors.Usage) as error:
                missing[need] = error.message.rstrip(".")
        found = []
        for gate in gates:
            level = _level(rules.settings, gate, kind)
            unknown = [missing[need] for need in gate.needs if need in missing]
            if not _asked_for(rules.settings, gate):
                found.append(Outcome(gate.id, PASS, level, applicable=False))
            elif unknown:
                found.append(Outcome(gate.id, CANNOT_TELL, level, reason=unknown[0]))
            else:
                found.append(judged(gate, facts, level))
        return found

    # --- commands ---------------------------------------------------------------------------------

    def _run(
        self,
        settings: Settings,
        gates: Sequence[CommandGate],
        tell: Tell,
        standing: Standing | None,
        kind: str,
    ) -> list[Outcome]:
        found = self._ran(settings, gates, tell, standing)
        return found if kind == COMPLETE else [one._replace(level=ADVISE) for one in found]

    def _ran(
        self,
        settings: Settings,
        gates: Sequence[CommandGate],
        tell: Tell,
        standing: Standing | None,
    ) -> list[Outcome]:
        if not gates:
            return []
        reports = reports_of(settings.gates)
        found: dict[str, Outcome] = {}
        try:
            standing = standing or self._bench.standing(reports)
        except errors.FactsUnavailable as error:
            reason = error.message.rstrip(".")
            return [Outcome(gate.id, CANNOT_TELL, BLOCK, reason=reason) for gate in gates]
        with self._context.store.read() as reader:
            for gate in gates:
                receipt = self._runs.reusable(reader, gate, standing)
                if receipt is not None:
                    found[gate.id] = _reused(gate, receipt)
        due = [gate for gate in gates if gate.id not in found]
        beside = [gate for gate in due if not gate.exclusive]
        found.update(self._beside(beside, standing, reports, tell))
        for gate in due:
            if gate.exclusive:
                found.update(self._beside([gate], None, reports, tell))
        return [found[gate.id] for gate in gates]

    def _beside(
        self,
        gates: Sequence[CommandGate],
        standing: Standing | None,
        reports: frozenset[str],
        tell: Tell,
    ) -> dict[str, Outcome]:
        """Run gates beside each other; what stops us stops them."""
        from concurrent.futures import ThreadPoolExecutor, as_completed

        found: dict[str, Outcome] = {}
        if not gates:
            return found

        def attempt(gate: CommandGate) -> Trial:
            try:
                before = self._bench.standing(reports) if standing is None else standing
                return self._runs.attempt(gate, before, reports)
            except errors.HandrailError as error:
                return Trial(None, error.message.rstrip("."))

        with ThreadPoolExecutor(BESIDE_MAX) as pool:
            try:
                running = {}
                for gate in gates:
                    tell(f"{gate.id}: {' '.join(map(shell_quote, gate.run))}")
                    running[pool.submit(attempt, gate)] = gate
                for future in as_completed(running):
                    gate = running[future]
                    found[gate.id] = self._outcome(gate, future.result())
                    tell(f"{gate.id}: {found[gate.id].verdict}")
            except BaseException:
                self._bench.stop()
                raise
        return found

    def _outcome(self, gate: CommandGate, trial: Trial) -> Outcome:
        if trial.event is None:
            return Outcome(gate.id, CANNOT_TELL, BLOCK, reason=trial.reason)
        try:
            receipt = self._runs.record(trial.event).seq
        except errors.Unavailable as error:
            reason = error.message.rstrip(".")
            return Outcome(gate.id, CANNOT_TELL, BLOCK, reason=reason)
        if trial.reason:
            return Outcome(gate.id, CANNOT_TELL, BLOCK, reason=trial.reason, receipt=receipt)
        if trial.event.succeeded:
            return Outcome(gate.id, PASS, BLOCK, receipt=receipt)
        sentence = f"{gate.run[0]} ended with status {trial.event.exit_status}"
        step = f"handrail evidence run --gate {shell_quote(gate.id)}"
        objection = Objection("gate_failed", sentence, None, step)
        return Outcome(gate.id, FAIL, BLOCK, (objection,), receipt=receipt)


def _asked_for(settings: Settings, gate: Gate) -> bool:
    """Tell whether the configuration has a gate at all, before it asks how much that binds."""
    named = any(row.id == gate.id for row in settings.builtin_gates)
    return gate.id not in OF_WORKFLOWS or named or bool(settings.phases)


def _level(settings: Settings, gate: Gate, kind: str = COMPLETE) -> str:
    level = settings.gate_level(gate.id, gate.unasked) if gate.switchable else BLOCK
    return ADVISE if gate.complete_only and kind != COMPLETE and level == BLOCK else level


def _reused(gate: CommandGate, receipt: Receipt) -> Outcome:
    return Outcome(gate.id, PASS, BLOCK, receipt=receipt.seq, reused=True)


def watched(rules: Rules, files: Listing) -> Outcome:
    """Object to each path that is watched and is not in the commit: it can never be met."""
    settings = rules.settings
    fold = settings.workspace.fold_case
    there = [normalise_path(path, fold_case=fold) for path in files]
    named = [(gate.id, text) for gate in settings.gates for text in gate.protects]
    named += [("[references] docs", path) for path in settings.references.docs]
    named += [(f"role {role.name}", role.note) for role in settings.roles if role.note is not None]
    found = []
    for who, text in named:
        pattern = rules.pattern(text)
        if not any(matches(pattern, path) for path in there):
            sentence = f"{who} watches it, and nothing of that name is in the commit"
            found.append(Objection("watches_nothing", sentence, text))
    verdict = FAIL if found else PASS
    return Outcome(WATCHED, verdict, BLOCK, tuple(found), applicable=bool(named))

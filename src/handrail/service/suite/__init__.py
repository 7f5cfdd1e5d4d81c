"""The documented tests around a handoff, answered by the gates: what ``mosaic``'s suite prints.

Promises: the gates decide, and each that binds and does not pass shows in a test, by its own
sentence where the documents have none; what only advises, or is waived, is a warning; a gate that
no documented test stands for is a test of its own where it has something to judge. Nothing is
written but receipts of command gates and what the gates said, into the ledger.

    Suite(context, ground, gating, gates).before().rows[0].verdict
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from handrail.gates.facts import NO_PACKET
from handrail.gates.gate import CANNOT_TELL, FAIL, OFF, Outcome
from handrail.service.collecting import covered_by
from handrail.service.commit_check import CommitCheck
from handrail.service.context import Context
from handrail.service.gating import POST_HANDOFF, Gating
from handrail.service.handoff_gates import ENFORCE, PRE_HANDOFF, HandoffGates
from handrail.service.policy import Rules, rules_in_force
from handrail.service.state_facts import nothing_yet
from handrail.service.suite.documented import (
    look_at_briefing,
    look_at_message,
    look_at_production,
    look_at_resolved,
    look_at_routine,
    look_at_state_files,
    look_whether_readable,
    session_gate,
)
from handrail.service.suite.rows import Found, Ground, Row, Told, advised
from handrail.service.suite.wording import WORDS, advice, as_it_is
from handrail.service.verdicts import enter
from handrail.text import visible

__all__ = ["COMMIT", "POST_HANDOFF", "PRE_HANDOFF", "Ground", "Row", "Suite", "Told"]

COMMIT: Final = "commit"
REFERENCES: Final = "references"

# Which test shows what a gate minds; a gate that is not here is a test of its own.
OF_PRE: Final = {
    "state-readable": "state-files",
    "message": "state-files",
    "state-fresh": "production",
    "pushed": "production",
    REFERENCES: REFERENCES,
    "committed": "git-status",
    "blockers": "blockers",
}
OF_POST: Final = {
    "state-readable": "state-readable",
    "message": "message",
    "packet-intact": "state-readable",
    "commit-present": "production",
    "tree-as-declared": "production",
    "evidence": "production",
    "artifacts": REFERENCES,
    "reading": REFERENCES,
    REFERENCES: REFERENCES,
}
TITLES: Final = {"deployment": ("Deployment actually live", "Service is live")}


class Suite:
    """The use cases of validating a handoff as the documents of ``mosaic`` say."""

    def __init__(
        self, context: Context, ground: Ground, gating: Gating, gates: HandoffGates
    ) -> None:
        self._context = context
        self._ground = ground
        self._gating = gating
        self._gates = gates

    def before(self, tell: Callable[[str], None] = lambda line: None) -> Told:
        """Judge whether work may be marked complete."""
        rules = self._rules()
        handed = self._gates.to_check(PRE_HANDOFF, None)
        checked = self._gating.check(PRE_HANDOFF, handed=handed, tell=tell)
        enter(self._context, checked, handed.task or None)
        reading = [path for role in rules.settings.roles for path in role.reading]
        tests = _tests(
            ("state-files", "State files exist", "All state files exist"),
            ("production", "Production state matches claims", "Production state matches git"),
            (REFERENCES, "Referenced files exist", "All referenced files exist"),
            ("git-status", "Git status clean or documented", "Git status is clean"),
            ("briefing", "Mandatory briefing updated", "Mandatory briefing exists"),
            ("blockers", "Blocker status matches reality", "Blocker status matches reality"),
        )
        ground, briefing = self._ground, tests["briefing"]
        tests["state-files"].look(lambda: look_at_state_files(ground, tests["state-files"]))
        tests[REFERENCES].look(lambda: look_at_routine(ground, tests[REFERENCES]))
        briefing.look(lambda: look_at_briefing(ground, briefing, reading))
        tests["blockers"].look(lambda: look_at_resolved(ground, tests["blockers"]))
        rows = self._shown(rules, tests, OF_PRE, checked.outcomes)
        return Told(PRE_HANDOFF, _rows(tests, rows))

    def after(self) -> Told:
        """Judge whether a session can go on from what was left; no command is run again."""
        rules = self._rules()
        handed = self._gates.to_check(POST_HANDOFF, None)
        checked = self._gating.check(POST_HANDOFF, handed=handed, commands=False)
        enter(self._context, checked, handed.task or None)
        outcomes = list(checked.outcomes)
        if rules.settings.gate_level(REFERENCES) != OFF:
            only = (REFERENCES,)
            more = self._gating.check(PRE_HANDOFF, only=only, commands=False, handed=NO_PACKET)
            outcomes += more.outcomes
        tests = _tests(
            ("state-readable", "Can read all state files", "All state files are readable"),
            ("message", "Handoff message exists", "Handoff message exists"),
            (REFERENCES, "No missing files referenced", "All referenced files exist"),
            ("production", "Can determine production state", "Production state is known"),
        )
        ground, readable = self._ground, tests["state-readable"]
        readable.look(lambda: look_whether_readable(ground, readable))
        tests["message"].look(lambda: look_at_message(ground, tests["message"]))
        tests[REFERENCES].look(lambda: look_at_routine(ground, tests[REFERENCES]))
        tests["production"].look(lambda: look_at_production(ground, tests["production"]))
        rows = self._shown(rules, tests, OF_POST, outcomes)
        return Told(POST_HANDOFF, _rows(tests, rows))

    def commit(self) -> Told:
        """Judge whether the commit that is being made may be made; nothing of it is pushed yet.

        Who has no session is let through, and so is what git has not finished, as by the hooks.
        """
        rules = self._rules()
        binds = rules.settings.mode(COMMIT) == ENFORCE
        tests = _tests(("state-files", "State files exist", "All state files exist"))
        files = tests["state-files"]
        files.look(lambda: look_at_state_files(self._ground, files))
        outcomes: Sequence[Outcome] = ()
        if self._context.caller.session is None:
            files.warnings.append("no session commits here; the landing judges whose work it is")
        elif self._ground.operation() is None:
            covered = covered_by(CommitCheck(self._context).staged())
            outcomes = self._gating.check(COMMIT, covered=covered, commands=binds).outcomes
        rows = _rows(tests, self._shown(rules, tests, {}, outcomes))
        return Told(COMMIT, rows if binds else tuple(map(advised, rows)))

    def session_gate(self) -> tuple[bool, tuple[str, ...]]:
        """Tell whether a session can start from what is here, and the lines that say so."""
        return session_gate(self._ground, nothing_yet(self._context, self._ground, self._rules()))

    def _rules(self) -> Rules:
        with self._context.store.read() as reader:
            return rules_in_force(reader)

    # --- from gates to tests ----------------------------------------------------------------------

    def _shown(
        self,
        rules: Rules,
        tests: dict[str, Found],
        of: dict[str, str],
        outcomes: Sequence[Outcome],
    ) -> list[Row]:
        """Add what gates say to the tests that show it; returns the tests of the other gates."""
        others = []
        for outcome in outcomes:
            test = of.get(outcome.gate)
            if test is not None:
                self._take(tests[test], outcome)
            elif outcome.applicable:
                name, fine = TITLES.get(outcome.gate, (f"Gate {outcome.gate}", "Passed"))
                found = Found(f"gate:{outcome.gate}", visible(name), fine)
                self._take(found, outcome)
                others.append(found.row())
        for gate, test in of.items():
            if rules.settings.gate_level(gate) == OFF:
                tests[test].warnings.append(f"gate {gate} is switched off in handrail.toml")
        return others

    def _take(self, found: Found, outcome: Outcome) -> None:
        """Add what a gate says: what binds as failures, all else as warnings."""
        binding = [one for one in outcome.objections if not one.advice]
        if outcome.verdict == CANNOT_TELL:
            reason = f"{outcome.gate}: {visible(outcome.reason)}"
            (found.unsure if outcome.binds else found.warnings).append(reason)
        elif outcome.verdict == FAIL:
            words = WORDS.get(outcome.gate, as_it_is)
            to = found.failures if outcome.binds else found.warnings
            found.look(lambda: to.extend(_new(found, words(self._ground, found, binding))))
            if outcome.waiver is not None:
                found.warnings.append(f"gate {outcome.gate}: waived by {outcome.waiver}")
        found.warnings += [advice(one) for one in outcome.objections if one.advice]


def _tests(*rows: tuple[str, str, str]) -> dict[str, Found]:
    return {test: Found(test, name, fine) for test, name, fine in rows}


def _new(found: Found, told: Sequence[str]) -> list[str]:
    """Leave out what a test says already."""
    return [one for one in dict.fromkeys(told) if one not in found.failures]


def _rows(tests: dict[str, Found], others: Sequence[Row]) -> tuple[Row, ...]:
    for test, found in tests.items():
        if test == REFERENCES and found.failures:
            found.line = f"{len(found.failures)} referenced files missing"
    return (*(found.row() for found in tests.values()), *others)

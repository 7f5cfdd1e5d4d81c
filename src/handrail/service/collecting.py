"""The facts that built-in gates look at, each collected by its name when a gate needs it.

Promise: a fact is collected once for all gates of a run; what was given beforehand is not looked at
again. What cannot be had is Unavailable, and the gates that need it cannot tell.

    Collector(context, bench, sources).collect(Facts(), "standing", rules).standing
"""

from __future__ import annotations

from collections.abc import Callable

from handrail import errors
from handrail.core.landing import CANNOT_TELL as UNSURE
from handrail.core.landing import REFUSED, Judgment
from handrail.core.scope import matches, normalise_path
from handrail.gates.facts import Covered, Facts, Judged, PolicyChange, States, Tracked
from handrail.service.clean import standing_here
from handrail.service.commit_check import CommitCheck
from handrail.service.context import Context
from handrail.service.deployments import look_at_deployment
from handrail.service.evidence_runs import reports_of
from handrail.service.identity import require_session
from handrail.service.packet_facts import Grounds, notes_of
from handrail.service.policy import Rules
from handrail.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from handrail.service.verification import Sources

NEEDS: Final = (
    *("standing", "pushed", "tree", "covered", "judged", "policy", "handed", "notes"),
    *("states", "resolved", "tracked", "publisher", "deployment", "directive"),
)
"""The facts that a gate may need."""


class Collector:
    """Where the facts of one workspace come from."""

    def __init__(self, context: Context, bench: Grounds, sources: Callable[[], Sources]) -> None:
        self._context = context
        self._bench = bench
        self._sources = sources
        self._by_name: Final[dict[str, Callable[[Facts, Rules], Facts]]] = {
            need: getattr(self, f"_{need}") for need in NEEDS
        }

    def collect(self, facts: Facts, need: str, rules: Rules) -> Facts:
        """Return the facts with one more of ``NEEDS``; raises Unavailable, Usage and the like."""
        return self._by_name[need](facts, rules)

    def _handed(self, facts: Facts, rules: Rules) -> Facts:
        return facts

    def _standing(self, facts: Facts, rules: Rules) -> Facts:
        if facts.standing is not None:
            return facts
        standing = self._bench.standing(reports_of(rules.settings.gates))
        return facts._replace(standing=standing_here(self._context, standing))

    def _pushed(self, facts: Facts, rules: Rules) -> Facts:
        return facts._replace(pushed=self._bench.pushed())

    def _tree(self, facts: Facts, rules: Rules) -> Facts:
        roles = rules.settings.roles
        reading = tuple((role.name, path) for role in roles for path in role.reading)
        tree = self._bench.tree(rules.settings.references.docs)
        if any(one.path not in tree.files for one in rules.settings.projections):
            from handrail.service.state_facts import nothing_yet

            coming = nothing_yet(self._context, self._bench, rules)
            coming = frozenset(path for path in coming if path not in tree.files)
            told = tuple((path, "" if path in coming else text) for path, text in tree.documents)
            tree = tree._replace(files=tree.files.with_paths(coming), documents=told)
        return facts._replace(tree=tree, reading=reading)

    def _notes(self, facts: Facts, rules: Rules) -> Facts:
        return facts._replace(notes=notes_of(self._bench, rules, _base(facts)))

    def _tracked(self, facts: Facts, rules: Rules) -> Facts:
        if not rules.settings.projections:
            return facts._replace(tracked=Tracked(""))
        from handrail.service.lane_map import tracked_of

        return facts._replace(tracked=tracked_of(self._bench, rules, _base(facts)))

    def _publisher(self, facts: Facts, rules: Rules) -> Facts:
        from handrail.service.lane_map import publisher_of

        return facts._replace(publisher=publisher_of(self._context, rules))

    def _deployment(self, facts: Facts, rules: Rules) -> Facts:
        return facts._replace(deployment=look_at_deployment(self._bench, rules.settings))

    def _directive(self, facts: Facts, rules: Rules) -> Facts:
        if facts.handed is None or not facts.handed.part("directive"):
            return facts  # of no directive: nothing to look at, and nothing to import for it
        from handrail.service.directives import seen

        return facts._replace(directive=seen(self._context, rules, facts.handed))

    def _states(self, facts: Facts, rules: Rules) -> Facts:
        return self._shown(facts, rules, "states")

    def _resolved(self, facts: Facts, rules: Rules) -> Facts:
        return self._shown(facts, rules, "resolved")

    def _shown(self, facts: Facts, rules: Rules, need: str) -> Facts:
        if not rules.settings.projections:
            return facts._replace(states=States(()), resolved=())
        from handrail.service.state_facts import collected

        return collected(self._context, self._bench, rules, facts, need)

    def _covered(self, facts: Facts, rules: Rules) -> Facts:
        if facts.covered is not None:
            return facts
        return facts._replace(covered=covered_by(CommitCheck(self._context).staged()))

    def _judged(self, facts: Facts, rules: Rules) -> Facts:
        from handrail.service.verification import Verification

        found = Verification(self._sources()).verify([]).judgments
        refused = [_said(one) for one in found if one.verdict == REFUSED]
        unsure = [_said(one) for one in found if one.verdict == UNSURE]
        return facts._replace(judged=Judged(len(found), tuple(refused), tuple(unsure)))

    def _policy(self, facts: Facts, rules: Rules) -> Facts:
        """Say what is staged of what gates protect; the configuration is no path to hold."""
        fold = rules.settings.workspace.fold_case
        holds = [
            (rules.pattern(text), f"gate {gate.id} protects it")
            for gate in rules.settings.gates
            for text in gate.protects
        ]
        found = []
        for raw in self._context.outside.staged() if holds else ():
            path = normalise_path(raw, fold_case=fold)
            why = next((why for pattern, why in holds if matches(pattern, path)), None)
            if why is not None:
                found.append((raw, why))
        if not found:
            return facts._replace(policy=PolicyChange((), may_change=True))
        with self._context.store.read() as reader:
            role = require_session(reader, self._context).role
        known = None if role is None else rules.policy.roles.get(role)
        may_change = known is not None and known.coordinates
        return facts._replace(policy=PolicyChange(tuple(found), may_change=may_change))


def _base(facts: Facts) -> str | None:
    """Return the commit that the work began from, as far as a packet says so."""
    return facts.handed.base if facts.handed is not None else None


def _said(judgment: Judgment) -> tuple[str, str, str]:
    return judgment.commit, judgment.code, judgment.sentence


def covered_by(refusal: errors.NotCovered | None) -> Covered:
    """Return what ``CommitCheck.staged`` said as a fact."""
    if refusal is None:
        return Covered((), None)
    reasons = refusal.values.get("reasons", ())
    assert isinstance(reasons, tuple)
    return Covered(reasons, refusal.next)

"""Gates that other distributions bring: entry points of the group ``handrail.gates``.

Promises: nothing is imported but the entry point of the name that the configuration in force
switches on; whatever is wrong with it is FactsUnavailable, so that its gate cannot tell. What it
prints is thrown away: an answer of Handrail's stays one.

    load("licence").judge(facts)
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.metadata import entry_points
from io import StringIO
from typing import Final

from handrail.config.vocabulary import STAGES
from handrail.errors import FactsUnavailable
from handrail.gates.facts import Facts
from handrail.gates.gate import CannotTell, Gate, Objection

GROUP: Final = "handrail.gates"
FINDINGS_MAX: Final = 1_000


def load(name: str) -> Gate:
    """Return the gate of this name; raises FactsUnavailable."""
    what = f"gate plugin {name}"
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        reason = f"no installed distribution offers it in the entry-point group {GROUP}"
        raise FactsUnavailable(what=what, reason=reason)
    if len({point.value for point in found}) > 1:
        values = ", ".join(sorted({point.value for point in found}))
        raise FactsUnavailable(what=what, reason=f"several distributions offer it: {values}")
    try:
        with redirect_stdout(StringIO()):
            gate = found[0].load()
    except (Exception, SystemExit) as error:
        reason = f"{found[0].value} cannot be loaded ({type(error).__name__}: {error})"
        raise FactsUnavailable(what=what, reason=reason) from error
    if not isinstance(gate, Gate):
        reason = f"{found[0].value} is no handrail.gates.gate.Gate"
        raise FactsUnavailable(what=what, reason=reason)
    return _fenced(gate, what)


def _fenced(gate: Gate, what: str) -> Gate:
    """Check what the plugin says of itself, and let no exit or odd answer of it pass."""
    if not gate.stages or not set(gate.stages) <= set(STAGES):
        raise FactsUnavailable(what=what, reason=f"it names a stage that is none: {gate.stages}")

    def judge(facts: Facts) -> Sequence[Objection] | None:
        try:
            with redirect_stdout(StringIO()):
                found = gate.judge(facts)
        except SystemExit as error:
            raise CannotTell("the plugin wanted to end the program") from error
        if found is None:
            return None
        rows = tuple(found)
        if len(rows) > FINDINGS_MAX or not all(isinstance(row, Objection) for row in rows):
            raise CannotTell(f"its answer is no list of at most {FINDINGS_MAX} objections")
        return rows

    return gate._replace(judge=judge)

"""A gate, what it objects to, and how its verdict comes about.

judged(gate, facts, "block").verdict      # pass | fail | cannot-tell
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handrail.core.record import Record
from handrail.errors import HandrailError
from handrail.gates.facts import Facts
from handrail.typed import Final

PASS: Final = "pass"
FAIL: Final = "fail"
CANNOT_TELL: Final = "cannot-tell"
BLOCK: Final = "block"
ADVISE: Final = "advise"
OFF: Final = "off"


class CannotTell(Exception):
    """Why a gate has no answer, and the command that may bring one."""

    def __init__(self, reason: str, next: str | None = None) -> None:
        super().__init__(reason)
        self.next = next


class Objection(Record):
    """What a gate minds: a code, a sentence, the path it is about, the command that leads on.

    What is only ``advice`` is told and binds nobody. ``missing`` is a path that is named and is not
    there, where that is what it minds.
    """

    code: str
    message: str
    path: str | None = None
    next: str | None = None
    advice: bool = False
    missing: str | None = None


class Gate(Record):
    """A gate: when it runs, the facts it needs, what judges them.

    ``judge`` gives None where there is nothing to judge. One that is not ``switchable`` is also
    judged by hooks and at the landing, so no setting makes it bind less here. One that is
    ``complete_only`` advises where a packet says that the work is not complete. ``unasked`` is how
    much it binds where ``[gates]`` does not name it. ``cases`` are facts that it must pass and
    facts that it must fail; those of the built-in gates stand in ``gates.cases``.
    """

    id: str
    stages: tuple[str, ...]
    needs: tuple[str, ...]
    judge: Callable[[Facts], Sequence[Objection] | None]
    promise: str
    switchable: bool = True
    complete_only: bool = False
    unasked: str = BLOCK
    cases: tuple[Facts, Facts] | None = None


class Outcome(Record):
    """What came of one gate; ``receipt`` is the ledger entry of the run that it rests on.

    ``reason`` says why nobody can tell, or why there is nothing to judge; ``next`` is the command
    that may bring an answer; ``reused``: the receipt was there before. ``waiver`` is the entry of
    the exception by which it does not count, whatever its verdict.
    """

    gate: str
    verdict: str
    level: str
    objections: tuple[Objection, ...] = ()
    reason: str = ""
    receipt: int | None = None
    reused: bool = False
    applicable: bool = True
    next: str | None = None
    waiver: int | None = None

    @property
    def binds(self) -> bool:
        """Tell whether its verdict counts: what only advises does not, nor what is waived."""
        return self.level == BLOCK and self.waiver is None


def judged(gate: Gate, facts: Facts, level: str) -> Outcome:
    """Let a gate judge; whatever it raises is cannot-tell."""
    try:
        found = gate.judge(facts)
    except CannotTell as error:
        return Outcome(gate.id, CANNOT_TELL, level, reason=str(error), next=error.next)
    except HandrailError as error:
        return Outcome(gate.id, CANNOT_TELL, level, reason=error.message)
    except Exception as error:  # noqa: BLE001 - a gate that raises never passes
        reason = f"the gate itself failed ({type(error).__name__}: {error})"
        return Outcome(gate.id, CANNOT_TELL, level, reason=reason)
    if found is None:
        return Outcome(gate.id, PASS, level, applicable=False)
    binding = any(not one.advice for one in found)
    return Outcome(gate.id, FAIL if binding else PASS, level, tuple(found))


def verdict_of(outcomes: Sequence[Outcome]) -> str:
    """Return the verdict of several gates, by those that bind."""
    found = {one.verdict for one in outcomes if one.binds}
    return next((one for one in (FAIL, CANNOT_TELL) if one in found), PASS)

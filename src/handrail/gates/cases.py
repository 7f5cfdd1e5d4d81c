"""For each built-in gate facts that must pass and facts that must fail: the gates' own test.

Promise: a gate that lets its bad case pass, or refuses its good one, is named by ``faults``.

    >>> faults(GATES)
    []
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from handrail.core.record import Record
from handrail.gates.facts import (
    Covered,
    Facts,
    Judged,
    PolicyChange,
    Pushed,
    Standing,
    Tree,
)
from handrail.gates.gate import BLOCK, FAIL, PASS, Gate, judged
from handrail.gates.registry import GATES

_COMMIT: Final = "1" * 40
_STANDING: Final = Standing(_COMMIT, "2" * 40, None, (), "")
_PUSHED: Final = Pushed(_COMMIT, "topic", ("origin",), contained=True, shallow=False)
_TREE: Final = Tree(_COMMIT, frozenset(("a.md", "src/b.py")), (), (("a.md", "see `src/b.py`"),))
_COVERED: Final = Covered((("src/b.py", "not_holder", "nobody holds it"),), None)
_JUDGED: Final = Judged(1, ((_COMMIT, "unseen", "the ledger knows nothing of it"),), ())

_CAGED: Final = Covered((("src/b.py", "sandbox_read_only", "the phase only reads"),), None)
_LATE: Final = Covered((("src/b.py", "handed_off", "the task has gone on"),), None)
_CAGED_LANDS: Final = Judged(1, ((_COMMIT, "sandbox_read_only", "the phase only reads"),), ())
_LATE_LANDS: Final = Judged(1, ((_COMMIT, "no_packet", "no packet was accepted"),), ())


class Cases(Record):
    """Facts that a gate passes, and facts that it fails."""

    good: Facts
    bad: Facts


CASES: Final[dict[str, Cases]] = {
    "lease-live": Cases(Facts(covered=Covered((), None)), Facts(covered=_COVERED)),
    "sandbox": Cases(
        Facts(covered=_COVERED, judged=_JUDGED), Facts(covered=_CAGED, judged=_CAGED_LANDS)
    ),
    "packet-current": Cases(
        Facts(covered=_COVERED, judged=_JUDGED), Facts(covered=_LATE, judged=_LATE_LANDS)
    ),
    "policy-change": Cases(
        Facts(policy=PolicyChange((("ci/run", "gate tests"),), may_change=True)),
        Facts(policy=PolicyChange((("ci/run", "gate tests"),), may_change=False)),
    ),
    "attested": Cases(Facts(judged=Judged(1, (), ())), Facts(judged=_JUDGED)),
    "committed": Cases(
        Facts(standing=_STANDING),
        Facts(standing=_STANDING._replace(dirty=("src/b.py",), fingerprint="3" * 64)),
    ),
    "pushed": Cases(Facts(pushed=_PUSHED), Facts(pushed=_PUSHED._replace(contained=False))),
    "references": Cases(
        Facts(tree=_TREE),
        Facts(tree=_TREE._replace(files=frozenset(("a.md",)))),
    ),
}


def faults(gates: Sequence[Gate] = GATES) -> list[tuple[str, str]]:
    """Return the gates that do not judge their own cases as they must, and how."""
    found = []
    for gate in gates:
        cases = CASES.get(gate.id)
        if cases is None:
            found.append((gate.id, "it has no cases"))
            continue
        for facts, wanted in ((cases.good, PASS), (cases.bad, FAIL)):
            told = judged(gate, facts, BLOCK)
            if told.verdict != wanted:
                found.append((gate.id, f"a case that must {wanted} gives {told.verdict}"))
    return found

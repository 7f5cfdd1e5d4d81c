"""For each built-in gate facts that must pass and facts that must fail: the gates' own test.

Promise: a gate that lets its bad case pass, or refuses its good one, is named by ``faults``.

    >>> faults(GATES)
    []
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from handrail.core.packet import CLEAN_REQUIRED, KNOWN_DIRTY, packet_hash
from handrail.core.record import Record
from handrail.core.task import COMPLETE, OPEN, Packet
from handrail.gates.facts import (
    NO_PACKET,
    ActivityRow,
    Cited,
    Covered,
    Deployment,
    DirectiveSeen,
    Facts,
    Handed,
    Judged,
    Named,
    Noted,
    PolicyChange,
    Publisher,
    Pushed,
    Resolved,
    Standing,
    StateFile,
    States,
    Tracked,
    Tree,
)
from handrail.gates.gate import BLOCK, CANNOT_TELL, FAIL, PASS, Gate, judged
from handrail.gates.listing import Listing
from handrail.gates.registry import GATES

_COMMIT: Final = "1" * 40
_STANDING: Final = Standing(_COMMIT, "2" * 40, None, (), "")
_PUSHED: Final = Pushed(_COMMIT, "topic", ("origin",), contained=True, shallow=False)
_TREE: Final = Tree(
    _COMMIT, Listing(more=frozenset(("a.md", "src/b.py"))), (), (("a.md", "see `src/b.py`"),)
)
_COVERED: Final = Covered((("src/b.py", "not_holder", "nobody holds it"),), None)
_STORED: Final = '{"message":"done"}'
_ROW: Final = Packet(
    *("fix", 2, COMPLETE, OPEN, "s-1", "agent", "maker", "tester", (), (), 0, 0, 1, 7),
    *(packet_hash(_STORED), None, None, None),
)
_SAYS: Final = {
    "message": "All that was asked for is there and tested; nothing is left to do.",
    "metadata": {"head": _COMMIT, "next_phase": "test"},
    "claims": [{"blocker": "B001", "status": "resolved", "evidence": 5}],
    "evidence": [{"receipt": 5}],
}
_HANDED: Final = Handed(
    "fix",
    packet=_ROW,
    content=_SAYS,
    stored=_STORED,
    phases=("build", "test"),
    receipts=((5, Cited(("make", "test"), True, "2" * 40, "")),),
    named=(
        Named("artifacts.produced", "state.json", "0" * 64, "0" * 64),
        Named("context.required_reading", "a.md", None, "1" * 64),
    ),
)
_NOTED: Final = Noted("maker", "NOTES.md", "src/a.py", changed=True)
_TRACKED: Final = Tracked(
    "TRACKER.md",
    (("maker", "src/a.py"), ("tester", "tests/a.py")),
    ("boss",),
    (ActivityRow("s-1", "maker", "agent"), ActivityRow("s-2", "tester", "agent")),
    ("s-3",),
)
_JUDGED: Final = Judged(1, ((_COMMIT, "unseen", "the ledger knows nothing of it"),), ())

_CAGED: Final = Covered((("src/b.py", "sandbox_read_only", "the phase only reads"),), None)
_LATE: Final = Covered((("src/b.py", "handed_off", "the task has gone on"),), None)
_CAGED_LANDS: Final = Judged(1, ((_COMMIT, "sandbox_read_only", "the phase only reads"),), ())
_LATE_LANDS: Final = Judged(1, ((_COMMIT, "no_packet", "no packet was accepted"),), ())


_DIRECTED: Final[dict[str, Any]] = {
    "from_role": "architect",
    "to_role": "executor",
    "directive": {"folder": "d/nav", "slug": "nav", "id": "7", "task_file": "d/nav/1.task.json"},
    "metadata": {"branch": "feat/nav"},
}
_SEEN: Final = DirectiveSeen(
    "d/nav", meta="d/nav/nav.meta.json", id="7", branch="feat/nav", has_task=True, head="feat/nav"
)


class Cases(Record):
    """Facts that a gate passes, and facts that it fails; one that never fails cannot tell.

    ``worse`` are more that it must fail, one for each other thing that it looks at.
    """

    good: Facts
    bad: Facts
    verdict: str = FAIL
    worse: tuple[Facts, ...] = ()


_STATE: Final = StateFile("state.json", changed=True)
_SHORT: Final = ("handoff_message", "short_message", "it has 4 characters")
_LACKS: Final = ("last_commit", "missing_field", "it is not there")
_SOLVED: Final = Resolved("blockers.json", "B002", "It was the cache.", ((_COMMIT, True),))
_GOOD: Final = Facts(
    handed=_HANDED,
    standing=_STANDING,
    states=States((_STATE,), "src/b.py"),
    resolved=(_SOLVED,),
)


def _around(**changes: Any) -> Cases:
    """Give a packet that is as it must be, and the same one with something wrong."""
    return Cases(_GOOD, _GOOD._replace(handed=_HANDED._replace(**changes)))


def _states(*files: StateFile) -> tuple[Facts, ...]:
    """Give what is as it must be, but for one file that shows the state."""
    return tuple(_GOOD._replace(states=States((one,), "src/b.py")) for one in files)


def _unfinished(path: str, mode: str | None, *allowed: str) -> Facts:
    """Give a packet whose receiver finds unfinished work, and what it says of that.

    With a mode the receiver holds the path, which excuses nothing then.
    """
    metadata = {"head": _COMMIT, "worktree_mode": mode, "worktree_allowlist_paths": list(allowed)}
    own = frozenset((path,)) if mode else frozenset()
    handed = _HANDED._replace(content={**_SAYS, "metadata": metadata}, own=own)
    return _GOOD._replace(handed=handed, standing=_STANDING._replace(dirty=(path,)))


def _directed(bad: DirectiveSeen, *worse: DirectiveSeen, **changes: Any) -> Cases:
    """Give a packet of a directive that is as it must be, and directives that it does not fit."""
    good = Facts(handed=_HANDED._replace(content=_DIRECTED), directive=_SEEN)
    other = _HANDED._replace(content={**_DIRECTED, **changes})
    seen = tuple(good._replace(directive=one) for one in worse)
    return Cases(good, good._replace(directive=bad), worse=(*seen, good._replace(handed=other)))


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
    "deployment": Cases(
        Facts(deployment=Deployment("state.json", claimed=True, status=200)),
        Facts(deployment=Deployment("state.json", claimed=True, status=503)),
    ),
    "references": Cases(
        Facts(tree=_TREE),
        Facts(tree=_TREE._replace(files=Listing(more=frozenset(("a.md",))))),
    ),
    "state-readable": _around(
        named=(Named("artifacts.produced", "a.json", problem="line 1"),)
    )._replace(
        worse=_states(
            _STATE._replace(present=False),
            _STATE._replace(problem="it is no JSON"),
            _STATE._replace(lacks=(_LACKS,)),
        )
    ),
    "message": _around(content={"message": "done"})._replace(
        worse=(_states(_STATE._replace(lacks=(_SHORT,)))[0]._replace(handed=NO_PACKET),)
    ),
    "next-phase": _around(content={**_SAYS, "metadata": {"next_phase": "deploy"}}),
    "blockers": _around(receipts=())._replace(
        worse=tuple(
            _GOOD._replace(resolved=(one,))
            for one in (
                _SOLVED._replace(resolution=""),
                _SOLVED._replace(commits=()),
                _SOLVED._replace(commits=((_COMMIT, False),)),
                _SOLVED._replace(receipt="9"),
                _SOLVED._replace(receipt="9", cited=Cited(("make", "test"), False, "2" * 40, "")),
            )
        )
    ),
    "state-fresh": Cases(
        _GOOD,
        _states(_STATE._replace(exported=False))[0],
        worse=_states(_STATE._replace(changed=False)),
    ),
    "lane-note": Cases(Facts(notes=(_NOTED,)), Facts(notes=(_NOTED._replace(changed=False),))),
    "activity-row": Cases(
        Facts(tracked=_TRACKED), Facts(tracked=_TRACKED._replace(activity=_TRACKED.activity[1:]))
    ),
    "coordinator-row": Cases(
        Facts(tracked=_TRACKED), Facts(tracked=_TRACKED._replace(coordination=()))
    ),
    "publisher": Cases(
        Facts(publisher=Publisher(("boss",), ("boss",))),
        Facts(publisher=Publisher(("maker",), ("boss",))),
    ),
    "evidence": _around(receipts=()),
    "directive": _directed(
        _SEEN._replace(id="8"),
        _SEEN._replace(problem="it is gone"),
        _SEEN._replace(branch="dev"),
        _SEEN._replace(has_task=False),
        to_role="architect",
    ),
    "directive at post-handoff": _directed(_SEEN._replace(head="main"), metadata={}),
    "packet-intact": _around(stored='{"message":"done!"}'),
    "commit-present": _around(present=False)._replace(verdict=CANNOT_TELL),
    "artifacts": _around(named=(_HANDED.named[0]._replace(held="1" * 64),)),
    "tree-as-declared": _around(contained=False)._replace(
        worse=(
            _unfinished("src/b.py", None),
            _unfinished("src/b.py", CLEAN_REQUIRED, "src/b.py"),
            _unfinished("src/b.py", KNOWN_DIRTY, "src"),
        )
    ),
    "state-readable at post-handoff": Cases(
        _GOOD,
        _states(_STATE._replace(present=False))[0],
        worse=_states(_STATE._replace(problem="no JSON"), _STATE._replace(lacks=(_LACKS,))),
    ),
    "message at post-handoff": Cases(_GOOD, _states(_STATE._replace(lacks=(_SHORT,)))[0]),
    "reading": _around(named=(_HANDED.named[1]._replace(held=None),))._replace(
        worse=(_GOOD._replace(handed=_HANDED._replace(unread=("a.md",), accepted=True)),)
    ),
}


def _cases_of(gate: Gate) -> Cases | None:
    """Return the cases of a gate: those of its stage, where it looks at less than at others."""
    return CASES.get(f"{gate.id} at {gate.stages[0]}", CASES.get(gate.id))


def faults(gates: Sequence[Gate] = GATES) -> list[tuple[str, str]]:
    """Return the gates that do not judge their own cases as they must, and how."""
    found = []
    for gate in gates:
        cases = Cases(*gate.cases) if gate.cases is not None else _cases_of(gate)
        if cases is None:
            found.append((gate.id, "it has no cases"))
            continue
        bad = (cases.bad, *cases.worse)
        for facts, wanted in ((cases.good, PASS), *((one, cases.verdict) for one in bad)):
            told = judged(gate, facts, BLOCK)
            if told.verdict != wanted:
                found.append((gate.id, f"a case that must be {wanted} is {told.verdict}"))
    return found

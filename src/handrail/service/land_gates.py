"""The command gates of stage ``land``: run on the tip in CI, asked for by their receipts elsewhere.

Promises: which gates there are, and what each of them runs, is said by the base, so what is to land
weakens none. In CI a command runs once, in a working tree that is the tip (or what the forge made
of the tip and the base, to try it) and holds nothing else; where it is not, nobody can tell. Where
nothing may be run, a receipt counts if a ledger that counts has it, it is the newest answer to the
gate's own question, and it was made on the tip's own tree with nothing unfinished in it.

    LandGates(outside, bench, gating).judge(base, tip)      # one Outcome for each gate
    lacking(settings, ledgers, tip, tree)                   # [("tests", "no ledger … has …")]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from handrail.config import CONFIG_FILE, Settings
from handrail.config.records import CommandGate
from handrail.core.events import KIND_OF
from handrail.core.forge import CLOSED, Event, MergeGroup, PullRequest, Push
from handrail.core.ledger import Entry, read_event, read_header
from handrail.core.receipts import EvidenceRecorded
from handrail.gates.facts import Standing
from handrail.gates.gate import BLOCK, CANNOT_TELL, Outcome
from handrail.service.context import History, Outside
from handrail.service.evidence import Ledger
from handrail.service.evidence_runs import (
    AGE,
    Bench,
    about_of,
    contradicted,
    receipt_of,
    reports_of,
)
from handrail.service.gating import Gating, Tell
from handrail.service.ranges import base_at

STAGE: Final = "land"
SHORT: Final = 12
NAMED_MAX: Final = 3
BESIDE_KEY: Final = (
    "the key of CI is in this run, and what the gate runs could read it: let a run without it"
    " judge the gates, and give this one `--gates elsewhere`"
)


def land_gates(settings: Settings | None) -> tuple[CommandGate, ...]:
    """Return the command gates that what lands has to pass."""
    gates = () if settings is None else settings.gates
    return tuple(gate for gate in gates if STAGE in gate.stages)


def tip_of_event(event: Event) -> str | None:
    """Return the commit that an event wants to land, or has landed; None where it is none."""
    if isinstance(event, PullRequest):
        return None if event.merged or event.action == CLOSED else event.head
    if isinstance(event, Push):
        return event.after
    if isinstance(event, MergeGroup):
        return event.head
    return event.commit


def unsure(gates: Sequence[CommandGate], reason: str) -> tuple[Outcome, ...]:
    """Say of gates that nobody can tell, and why."""
    return tuple(Outcome(gate.id, CANNOT_TELL, BLOCK, reason=reason) for gate in gates)


class LandGates:
    """The use case of running them; ``gating`` gives what runs gates under a configuration."""

    def __init__(self, outside: Outside, bench: Bench, gating: Callable[[bytes], Gating]) -> None:
        self._outside = outside
        self._bench = bench
        self._gating = gating

    def due(self, base: str | None) -> tuple[CommandGate, ...]:
        """Return the gates that a base asks for; raises FactsUnavailable."""
        with self._outside.history() as history:
            return land_gates(base_at(history, base).settings)

    def judge(self, base: str, tip: str, tell: Tell = lambda line: None) -> tuple[Outcome, ...]:
        """Run the gates of a base on a tip that is checked out here; raises FactsUnavailable."""
        with self._outside.history() as history:
            settings = base_at(history, base).settings
            gates = land_gates(settings)
            if settings is None or not gates:
                return ()
            standing = self._bench.standing(reports_of(settings.gates))
            reason = _not_the_tip(history, standing, base, tip)
            text = history.file_at(base, CONFIG_FILE) or b""
        if reason is not None:
            return unsure(gates, reason)
        only = [gate.id for gate in gates]
        checked = self._gating(text).check(STAGE, only=only, tell=tell)
        # Whatever was recorded is gone with this run: its receipts have no number to go by.
        return tuple(one._replace(receipt=None) for one in checked.outcomes)


def _not_the_tip(history: History, standing: Standing, base: str, tip: str) -> str | None:
    """Say why what is checked out here is not just what would land; None if it is."""
    if standing.operation is not None:
        return f"a {standing.operation} is not over in this working tree"
    if standing.dirty:
        named = ", ".join(standing.dirty[:NAMED_MAX])
        return f"the working tree holds what the tip does not ({named})"
    if standing.commit == tip or _tries(history, standing.commit, base, tip):
        return None
    here = standing.commit[:SHORT] or "nothing"
    return f"the working tree holds {here}, and what is to land is {tip[:SHORT]}: check that out"


def _tries(history: History, commit: str, base: str, tip: str) -> bool:
    """Tell whether a commit is the plain merge of a tip into what the base has."""
    found = history.present([commit]) if commit else []
    change = history.changes(found).get(commit) if found else None
    if change is None or len(change.parents) != 2 or change.parents[1] != tip:
        return False
    onto = change.parents[0]
    if history.merge_bases(onto, base) != [onto]:
        return False
    return history.merged_trees([(onto, tip)]) == [change.tree]


# --- receipts ------------------------------------------------------------------------------------


def lacking(
    settings: Settings, ledgers: Sequence[Ledger], tip: str, tree: str
) -> list[tuple[str, str]]:
    """Return the gates (id, why) that no receipt of these ledgers answers for on a tip."""
    standing = Standing(tip, tree, None, (), "")
    found = []
    for gate in land_gates(settings):
        said = [_unanswered(ledger, gate, standing) for ledger in ledgers]
        if None not in said:
            whole = [one for one in said if one]
            reason = whole[0] if whole else f"no ledger that counts has it for tree {tree[:SHORT]}"
            found.append((gate.id, reason))
    return found


def _unanswered(ledger: Ledger, gate: CommandGate, standing: Standing) -> str | None:
    """Say why a ledger does not answer for a gate, '' where it knows nothing; None if it does."""
    entry = ledger.latest(KIND_OF[EvidenceRecorded], about_of(gate, standing))
    event = None if entry is None else read_event(entry)
    if entry is None or not isinstance(event, EvidenceRecorded):
        return ""
    named = f"receipt {entry.seq} of epoch {ledger.epoch}"
    if (event.gate, event.tree, event.dirt) != (gate.id, standing.tree, ""):
        return f"{named} was not made on tree {standing.tree[:SHORT]} alone"
    if not event.succeeded:
        return f"{named} is no success"
    rerun = contradicted(ledger, receipt_of(entry, event))
    if rerun is not None:
        return f"{named} came out otherwise when it was run again (receipt {rerun})"
    if gate.report is not None and event.tests_passed is None:
        return f"{named} has no report"
    if gate.fresh_for == AGE and not _is_fresh(ledger, entry, gate):
        return f"{named} is too old"
    return None


def _is_fresh(ledger: Ledger, entry: Entry, gate: CommandGate) -> bool:
    """Tell whether a receipt is young enough, by the clock of the store that wrote its ledger."""
    newest = next(ledger.entries(ledger.head.seq - 1), entry)
    age_ms = read_header(newest.header).at - read_header(entry.header).at
    return age_ms <= (gate.fresh_for_ms or 0)


def ids_of(gates: Sequence[CommandGate]) -> str:
    """Name gates in a sentence."""
    return ", ".join(gate.id for gate in gates)

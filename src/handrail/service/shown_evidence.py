"""What the giver of a packet has shown: the receipts that a re-run is compared with.

Promises: a receipt counts if it lay in the ledger before the packet did, is of a gate that is
configured now as it was then, and says how its command ended; a re-run never counts as one. A
receipt that is named and is of another tree is a fault, not a receipt.

    claims, wrong, unsure = shown(reader, settings, packet, content, (commit, tree))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from handrail.config import Settings
from handrail.config.records import CommandGate
from handrail.core.events import KIND_OF
from handrail.core.ledger import Entry, read_event, read_header
from handrail.core.receipts import EXITED, EvidenceRecorded
from handrail.core.record import Record
from handrail.core.task import Packet
from handrail.gates.facts import Standing
from handrail.gates.gate import Objection
from handrail.gates.packet import receipt_number
from handrail.service.evidence_runs import (
    AGE,
    LISTED_MAX,
    TREE,
    Receipt,
    about_of,
    receipt_of,
)
from handrail.store.port import Reader
from handrail.typed import Any, Final

STAGES: Final = ("pre-handoff", "post-handoff")
RERUN: Final = "rerun"


class Claim(Record):
    """What a giver has shown of a gate: the receipt that a re-run is compared with."""

    gate: CommandGate
    receipt: Receipt


def shown(
    reader: Reader,
    settings: Settings,
    packet: Packet,
    content: Mapping[str, Any],
    place: tuple[str, str],
) -> tuple[list[Claim], list[Objection], list[str]]:
    """Return the receipts to compare with, by gate: those that are named come first."""
    claims: dict[str, Claim] = {}
    wrong: list[Objection] = []
    unsure: list[str] = []
    gates = {gate.id: gate for gate in settings.gates}
    for named in content.get("evidence", ()):
        seq = receipt_number(named, reader.epoch)
        receipt = None if seq is None else _receipt_at(reader, seq, packet.seq)
        if receipt is None or receipt.event.gate is None:
            continue
        gate, event = gates.get(receipt.event.gate), receipt.event
        if gate is None:
            unsure.append(
                f"receipt {seq} is of gate {event.gate}, which is not configured any more"
            )
        elif gate.fresh_for != AGE and (event.tree != place[1] or event.dirt):
            of = f"commit {event.commit[:12]}{' with unfinished work' if event.dirt else ''}"
            sentence = f"receipt {seq} of {gate.id} is of {of}, not of the packet's {place[0][:12]}"
            wrong.append(Objection("evidence_elsewhere", sentence))
        elif event.about != about_of(gate, _clean(event.commit, event.tree)):
            unsure.append(f"gate {gate.id} was changed after receipt {seq}")
        elif is_told(gate, event):
            claims[gate.id] = Claim(gate, receipt)
    for gate in settings.gates:
        if gate.id not in claims and not set(STAGES).isdisjoint(gate.stages):
            receipt = _newest(reader, gate, place, packet.seq)
            if receipt is not None:
                claims[gate.id] = Claim(gate, receipt)
    return list(claims.values()), wrong, unsure


def _clean(commit: str, tree: str) -> Standing:
    return Standing(commit, tree, None, (), "")


def _receipt_at(reader: Reader, seq: int, before: int) -> Receipt | None:
    entry = next(reader.entries(seq - 1, seq), None) if 0 < seq < before else None
    event = None if entry is None else read_event(entry)
    if entry is None or not isinstance(event, EvidenceRecorded) or is_rerun(event):
        return None
    return receipt_of(entry, event)


def is_rerun(event: EvidenceRecorded) -> bool:
    """Tell whether a receipt is of a re-run."""
    return event.about.startswith(f"{RERUN}:")


def is_told(gate: CommandGate, event: EvidenceRecorded) -> bool:
    """Tell whether a receipt says something that can be compared."""
    read = gate.report is None or event.tests_hash is not None
    return event.ended == EXITED and not event.disturbed and (read or event.exit_status != 0)


def _newest(
    reader: Reader, gate: CommandGate, place: tuple[str, str], before: int
) -> Receipt | None:
    """Return the newest receipt of a gate at a clean commit, older than an entry."""
    commit, tree = place
    about = about_of(gate, _clean(commit, tree))
    newest = reader.latest(KIND_OF[EvidenceRecorded], about)
    if newest is None:
        return None
    for entry in _backwards(reader, newest, before):
        event = read_event(entry)
        if not isinstance(event, EvidenceRecorded) or event.about != about:
            continue
        same = gate.fresh_for == TREE or event.commit == commit
        if same and not event.dirt and is_told(gate, event):
            return receipt_of(entry, event)
    return None


def _backwards(reader: Reader, newest: Entry, before: int) -> Iterator[Entry]:
    """Yield the newest receipt, which the index found, and then all older ones, newest first."""
    if newest.seq < before:
        yield newest
    until = min(newest.seq, before) - 1
    for entry in reversed(list(reader.entries(max(0, until - LISTED_MAX), until))):
        if read_header(entry.header).kind == KIND_OF[EvidenceRecorded]:
            yield entry

"""The board: what everybody can look up at any time."""

from __future__ import annotations

from handrail.edge.demo.process import Broken, expect
from handrail.edge.demo.stage import Stage

LINES_SHOWN = 4
Held = set[tuple[int, object, tuple[object, ...]]]


def board(stage: Stage) -> str:
    """Compare the board with what the ledger adds up to."""
    stage.tell.act("you", f"$ handrail status | grep . | head -{LINES_SHOWN}")
    lines = [line for line in stage.shown("status").splitlines() if line]
    stage.tell.output("\n".join(lines[:LINES_SHOWN]))
    shown, recorded = _shown(stage), _recorded(stage)
    expect(shown == recorded, f"the board shows {len(shown)} leases, not the {len(recorded)} held")
    return "on the board is what the ledger says was granted and has not ended"


def _shown(stage: Stage) -> Held:
    rows = stage.handrail("status").data.get("leases")
    if not isinstance(rows, list):
        raise Broken("handrail status gave no leases")
    return {
        (int(row["token"].rpartition(":")[2]), row["session"], tuple(row["scope"])) for row in rows
    }


def _recorded(stage: Stage) -> Held:
    held: dict[int, tuple[object, tuple[object, ...]]] = {}
    for entry in stage.ledger():
        fields = entry.fields
        if entry.kind == "lease.granted" and isinstance(fields["patterns"], list):
            held[entry.seq] = (fields["session"], tuple(fields["patterns"]))
        elif entry.kind in ("lease.released", "lease.expired"):
            held.pop(int(str(fields["token"])), None)
    return {(token, session, scope) for token, (session, scope) in held.items()}

"""A crash: an agent dies with a lease in its hands."""

from __future__ import annotations

import time

from handrail.edge.demo.process import expect
from handrail.edge.demo.stage import Stage
from handrail.text import rfc3339

SCOPE = "docs"
TTL = "1s"
LATE_S = 10.0


def crash(stage: Stage) -> str:
    """Kill an agent that holds a scope; another has been waiting for it."""
    job = stage.agent("cleo").start("run", "--claim", SCOPE, "--ttl", TTL, "--", "sleep", "60")
    holding = job.heard("handrail: holding")
    expect(holding is not None, f"cleo did not get {SCOPE}, which was free")
    token = (holding or "").rpartition("(")[2].rstrip(")")
    command = f"$ handrail run --claim {SCOPE} --ttl {TTL} -- sleep 60"
    stage.tell.act("cleo", command, "holds it, renewing")
    waiting = stage.agent("dora").start("claim", SCOPE, "--wait", "20s")
    in_line = waiting.heard("waiting, number 1")
    expect(in_line is not None, f"dora did not have to wait for {SCOPE}, which cleo held")
    stage.tell.act("dora", f"$ handrail claim {SCOPE} --wait", "waits, first in line")
    job.kill()
    killed_at = time.monotonic()
    answer = waiting.answer()
    waited_s = time.monotonic() - killed_at
    expect(bool(answer.token), f"{SCOPE} was lost with cleo: dora was {answer.outcome()}")
    outcome = f"dora is granted it {waited_s:.1f} s later"
    stage.tell.act("cleo", "is killed with kill -9", outcome)
    _check_ledger(stage, int(token.rpartition(":")[2]), int(answer.token.rpartition(":")[2]))
    expect(waited_s < LATE_S, f"dora got {SCOPE} only {waited_s:.0f} s after the crash")
    return "dora got it once the dead lease had run out: not before, not much later"


def _check_ledger(stage: Stage, dead: int, granted: int) -> None:
    """See that the dead lease ended by its time, and before the next was granted."""
    entries = stage.ledger()
    ends = [
        entry
        for entry in entries
        if entry.kind in ("lease.expired", "lease.released") and entry.fields["token"] == dead
    ]
    grants = [entry for entry in entries if entry.seq == granted]
    expect(
        [entry.kind for entry in ends] == ["lease.expired"] and len(grants) == 1,
        f"the ledger does not say that lease {dead} expired and {granted} was granted",
    )
    expired_at = ends[0].fields["expired_at"]
    in_order = isinstance(expired_at, int) and rfc3339(expired_at) <= grants[0].at
    expect(in_order and ends[0].seq < granted, "dora was granted what cleo's lease still covered")

"""What the processes of the race for waivers do: nothing of pytest here."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from handrail.core.lease import Actor
from handrail.errors.handoff import WaiverSpent
from handrail.gates.gate import BLOCK, FAIL, Outcome
from handrail.service.waivers import counted, waived
from tests.races.workers import opened

OUTCOMES = (Outcome("tests", FAIL, BLOCK),)


def use_once(root: Path, start: Any) -> None:
    """Look first, as a verdict does, and count the use later, when others may have come before."""
    app = opened(root)
    with app.store.read() as reader:
        _, used = waived(reader, "pre-handoff", None, OUTCOMES)
    start.wait()
    with suppress(WaiverSpent), app.store.transaction() as tx:
        tx.commit(counted(tx, used), Actor())
    app.close()

"""What the processes of the handoff race do. Imported by their server: nothing of pytest here."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from handrail import errors
from handrail.core.events import LeaseRenewed
from handrail.core.lease import Actor
from handrail.service.handoffs import Handoffs, Offering
from handrail.service.lapses import record_lapse
from handrail.service.leases import Asked
from tests.races.workers import opened

PARTS = ("a", "b", "c")


class Quick(Handoffs):
    """Handoffs that do not ask git where HEAD is."""

    def _head(self) -> dict[str, Any]:
        return {}


def hand_over(root: Path, session: str, tasks: list[str], seed: int, steps: int) -> None:
    """Offer, accept, decline, withdraw, lapse and claim as chance has it, many a thing twice.

    Some of these processes kill themselves on the way.
    """
    chance = random.Random(f"{seed}-{session}")
    app = opened(root, session)
    handoffs = Quick(app.context, app.packet_files)
    for number in range(steps):
        act = chance.choice("ooooaaaaaaddwwlc")
        with app.store.read() as reader:
            mine = [task.id for task in reader.tasks() if task.holder == session]
            open_now = [packet.task for packet in reader.packets(settled=False)]
        likely = (mine if act in "o" else [task for task in tasks if task in open_now]) or tasks
        task = chance.choice(likely)
        request = f"{session}-{seed}-{number}"
        parts = chance.sample(PARTS, chance.choice((0, 1, 1, 2)))
        scope = tuple(f"src/{task}/{part}" for part in parts)
        for _ in range(chance.choice((1, 1, 2))):
            with suppress(errors.HandrailError):
                _act(app, handoffs, act, task, scope, request)
        if chance.random() < 0.01:
            os.kill(os.getpid(), signal.SIGKILL)
    app.close()


def _act(
    app: Any, handoffs: Handoffs, act: str, task: str, scope: tuple[str, ...], request: str
) -> None:
    if act == "o":
        handoffs.offer(Offering(task=task, scope=scope, request_id=request))
    elif act == "a":
        handoffs.accept(task, request_id=request)
    elif act == "d":
        handoffs.decline(task, request_id=request)
    elif act == "w":
        handoffs.withdraw(request_id=request)
    elif act == "c":
        app.leases.claim(Asked(scope or ("src",)))
    else:
        _run_out(app, task)
        record_lapse(app.context, task)


def _run_out(app: Any, task: str) -> None:
    """Let what a task holds reserved without a packet reach its end."""
    with app.store.transaction() as tx:
        if tx.packets(task, settled=False):
            return
        moves = [LeaseRenewed(lease.token, tx.now) for lease in tx.leases(f"task:{task}")]
        tx.commit(moves, Actor())

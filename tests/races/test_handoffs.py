"""Handoffs between processes that know nothing of one another, some of which die on the way."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Final

import pytest

from handrail.core.handed import (
    PacketAccepted,
    PacketDeclined,
    PacketLapsed,
    PacketOffered,
    PacketWithdrawn,
)
from handrail.core.ledger import read_event
from handrail.core.scope import overlap
from handrail.core.task import OPEN, reserved_for
from handrail.service.health import verify_store
from handrail.service.sessions import Sessions
from handrail.service.setup import initialise
from handrail.service.tasks import Tasks
from tests.races.handing import hand_over
from tests.races.processes import JOIN_S, begin
from tests.races.workers import opened
from tests.support import Repo

HISTORIES: Final = 100
AT_ONCE: Final = 25
PROCESSES: Final = 8
STEPS: Final = 50
OFFERS: Final = 2
"A task, on average: fewer would show little of what numbers and ends are."
ROUNDS: Final = 8
"At most, for one batch: where chance kills most processes early, others go on."


@pytest.fixture
def root(repo: Repo) -> Path:
    app = opened(repo.path)
    initialise(app.ground, "minimal")
    app.close()
    return repo.path


@pytest.mark.serial
def test_a_hundred_tasks_handed_about_by_processes_that_die_stay_whole(root: Path) -> None:
    app = opened(root)
    tasks = [f"task-{number:03d}" for number in range(HISTORIES)]
    for task in tasks:
        Tasks(app.context).open(task)
    for batch in range(HISTORIES // AT_ONCE):
        some = tasks[batch * AT_ONCE : (batch + 1) * AT_ONCE]
        for _ in range(ROUNDS):
            hand_about(root, some, batch)
            with app.store.read() as reader:
                if sum(packet.task in some for packet in reader.packets()) > OFFERS * len(some):
                    break
    check(root, tasks)


def hand_about(root: Path, tasks: list[str], seed: int) -> None:
    """Let eight processes hand tasks about until they are done or dead."""
    context = opened(root).context
    names = [Sessions(context).start().session.id for _ in range(PROCESSES)]
    running = [begin(hand_over, root, name, tasks, seed, STEPS) for name in names]
    for process in running:
        process.join(JOIN_S)
        assert process.exitcode in (0, -9), process.exitcode
    for name in names[::2]:
        Sessions(opened(root, name).context).end()


def check(root: Path, tasks: list[str]) -> None:
    """Hold the ledger and the tables against what was promised."""
    app = opened(root)
    assert verify_store(app.store, app.store.integrity()).good
    with app.store.read() as reader:
        events = [read_event(entry) for entry in reader.entries()]
        packets, now = reader.packets(), reader.now
        live = [lease for lease in reader.leases() if lease.live(now)]
    offers: dict[str, list[int]] = {task: [] for task in tasks}
    ends: dict[tuple[str, int], list[str]] = {}
    for event in events:
        if isinstance(event, PacketOffered):
            offers[event.task].append(event.number)
        elif isinstance(event, PacketAccepted | PacketDeclined | PacketWithdrawn | PacketLapsed):
            ends.setdefault((event.task, event.number), []).append(type(event).__name__)
    for numbers in offers.values():
        assert numbers == list(range(1, len(numbers) + 1))
    assert all(len(told) == 1 for told in ends.values())
    for packet in packets:
        assert ((packet.task, packet.number) in ends) == (packet.state != OPEN)
        if packet.state == OPEN and packet.token:
            assert reserved_for(packet.task) in [lease.session for lease in live]
    for one, other in combinations(live, 2):
        assert one.session == other.session or overlap(one.patterns, other.patterns) is None
    seen = {kind for told in ends.values() for kind in told}
    assert seen >= {"PacketAccepted", "PacketDeclined", "PacketWithdrawn"}
    assert sum(map(len, offers.values())) > OFFERS * len(tasks)

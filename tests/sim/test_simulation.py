"""A workspace full of agents, simulated from a seed: what is granted and refused is judged.

Agents in several working trees read, claim, wait, renew, release, attest commits and hand over,
through the use cases of the service, while calls are lost, doubled and late, agents stop and crash,
and the store goes away, starts anew and loses what its guard knows (``world``, ``agents``).
A checker that shares no code with the core judges every answer, every entry and the rows
(``books``, ``packets``, ``chain``). Then the judge is judged: each bug of ``planted`` must be
found.

A violation names its seed; ``python -m tests.sim --seed N --trace`` shows that run again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

import pytest

from tests.sim.chain import Violation
from tests.sim.planted import PLANTED, Planted
from tests.sim.run import STEPS, ground_of, measure, simulate
from tests.support import ROOT

FIXED: Final = 200
FRESH: Final = 50
ON_A_SERVER: Final = (3, 6, 7, 11)
PART: Final = 25
STEPS_BY_DAY: Final = 300
NIGHTLY_S: Final = 60
IN_FULL: Final = {bug.seed for bug in PLANTED.values()}


@pytest.mark.parametrize("first", range(1, FIXED + 1, PART))
def test_a_workspace_keeps_its_promises_from_known_seeds(first: int) -> None:
    for seed in range(first, first + PART):
        simulate(seed, steps=STEPS_BY_DAY if ground_of(seed) == "memory" else None)


@pytest.mark.parametrize("part", range(FRESH // PART))
def test_a_workspace_keeps_its_promises_from_fresh_seeds(part: int) -> None:
    base = random.SystemRandom().getrandbits(40) + part
    print(f"fresh seeds {base}-{base + PART - 1}")
    for seed in range(base, base + PART):
        simulate(seed, steps=STEPS_BY_DAY if ground_of(seed) == "memory" else None)


@pytest.mark.parametrize("ground", ["postgres"])
def test_a_workspace_keeps_its_promises_on_a_server(ground: str) -> None:
    fresh = random.SystemRandom().getrandbits(40)
    print(f"fresh seed {fresh}")
    for seed in (*ON_A_SERVER, fresh):
        simulate(seed, ground=ground)


@pytest.mark.nightly
@pytest.mark.parametrize("ground", [None, "postgres"])
@pytest.mark.parametrize("part", range(10))
def test_a_workspace_keeps_its_promises_all_night(part: int, ground: str | None) -> None:
    seed = random.SystemRandom().getrandbits(48)
    print(f"fresh seeds from {seed}")
    until = time.monotonic() + (NIGHTLY_S if ground is None else NIGHTLY_S / 5)
    while time.monotonic() < until:
        simulate(seed, ground=ground, steps=None if ground is None else STEPS_BY_DAY)
        seed += 1


@pytest.mark.parametrize("ground", ["memory", "sqlite", "postgres"])
def test_the_same_seed_gives_the_same_run_bit_for_bit(ground: str) -> None:
    traces: list[list[str]] = [[], []]
    heads = [
        simulate(8, steps=250, ground=ground, trace=trace).checker.chain.hash for trace in traces
    ]
    assert traces[0] == traces[1]
    assert heads[0] == heads[1]


@pytest.mark.parametrize("ground", ["sqlite", "postgres"])
def test_all_stores_go_the_same_way_where_nothing_starts_anew(ground: str) -> None:
    """Of the faults only those differ by the store that build its tables anew."""
    without = ("restart", "guard")
    worlds = [simulate(3, steps=400, ground=one, without=without) for one in ("memory", ground)]
    assert worlds[0].checker.chain.hash == worlds[1].checker.chain.hash


def test_what_the_checker_judges_happens_and_the_rate_is_told(
    record_property: Callable[[str, object], None],
) -> None:
    rate = measure(range(1, 41))
    # A run in which these never happened would prove little.
    for what in (
        *("claim: granted", "claim: renewed", "claim: scope_held", "claim: scope_awaited"),
        *("claim: repeated", "claim: outside_lane", "claim: sandbox_read_only", "circle"),
        *("wait: granted", "wait: waiting", "renew: renewed", "renew: lease_expired"),
        *("renew: stale_token", "renew: not_holder", "renew: foreign_epoch", "release: released"),
        *("release: gone", "release: not_holder", "attest: attested", "attest: before"),
        *("attest: not_covered", "end: ended", "start: resumed", "open: opened"),
        *("offer: offered", "offer: packet_open", "offer: handed_off", "offer: scope_held"),
        *("accept: accepted", "accept: no_handoff", "accept: not_your_handoff"),
        *("decline: declined", "withdraw: withdrawn", "close: closed", "store_busy"),
        *("may write: True", "may write: False", "unsaid"),
        *("claim: reading_required", "read: read", "vow: vowed", "vow: reading_not_asked"),
    ):
        assert rate.judged[what] >= 3, (what, rate.judged)
    assert rate.steps > 40 * STEPS
    record_property("simulation", rate.told)


def test_what_was_found_lists_every_planted_bug_with_its_seed() -> None:
    told = (ROOT / "tests" / "sim" / "FOUND.md").read_text(encoding="utf-8")
    rows = [f"| {name} | {bug.seed} | {bug.ground} | {bug.told} |" for name, bug in PLANTED.items()]
    _, _, table = told.partition("| bug | seed | store | told as |\n|---|---|---|---|\n")
    assert table.splitlines() == rows
    assert len(rows) >= 25


@pytest.mark.parametrize("seed", sorted(IN_FULL))
def test_without_a_planted_bug_its_seed_is_clean(seed: int) -> None:
    for ground in sorted({bug.ground for bug in PLANTED.values() if bug.seed == seed}):
        simulate(seed, ground=ground)


@pytest.mark.parametrize("bug", PLANTED.values(), ids=list(PLANTED))
def test_a_planted_bug_is_found(bug: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.plant(monkeypatch)
    with pytest.raises(Violation) as found:
        simulate(bug.seed, ground=bug.ground)
    assert bug.told in str(found.value)

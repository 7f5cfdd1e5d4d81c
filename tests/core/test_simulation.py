"""A workspace full of agents, simulated from a seed: what is granted and refused is judged.

Agents in several working trees claim, wait, renew, release, commit, oversleep, crash and come back,
over the memory store, while its clock jumps and the machine reboots (``simulation_world``).
``simulation_checker`` judges every answer and, after every step, every row. Then the judge is
judged: each bug of the table in ``simulation_bugs`` must be found.

Every run prints its seed; ``SIMULATION_SEED=… make test ARGS=tests/core/test_simulation.py`` takes
that one again.
"""

from __future__ import annotations

import os
import random
from typing import Final

import pytest

from tests.core.simulation_bugs import PLANTED
from tests.core.simulation_checker import Violation
from tests.core.simulation_world import simulate

SEED: Final = os.environ.get("SIMULATION_SEED")
LOOKS_MAX: Final = 6


@pytest.mark.parametrize("seed", [1, 2])
def test_a_workspace_keeps_its_promises_from_a_known_seed(seed: int) -> None:
    judged = simulate(seed, 1_500).judged
    # A run in which these never happened would prove little.
    for what in (
        *("granted", "renewed", "scope_held", "scope_awaited", "waiting", "outside_lane"),
        *("sandbox_read_only", "malformed_ttl", "attested", "not_covered", "end"),
        *("renew: live", "renew: lease_expired", "renew: stale_token", "renew: not_holder"),
        *("release: live", "release: lease_expired", "release: stale_token"),
        *("may write: True", "may write: False"),
    ):
        assert judged.get(what, 0) >= 3, (what, judged)


def test_a_workspace_keeps_its_promises_from_a_new_seed() -> None:
    simulate(int(SEED) if SEED else random.SystemRandom().getrandbits(32), 2_000)


@pytest.mark.nightly
@pytest.mark.parametrize("run", range(40))
def test_a_workspace_keeps_its_promises_for_long(run: int) -> None:
    simulate(random.SystemRandom().getrandbits(32) + run, 6_000)


def test_the_same_seed_gives_the_same_run() -> None:
    assert simulate(7, 300).held == simulate(7, 300).held


@pytest.mark.sampled(2)
@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[bug](monkeypatch)
    for seed in range(1, LOOKS_MAX + 1):
        try:
            simulate(seed, 1_200)
        except Violation as violation:
            print(violation)
            return
    raise AssertionError(f"nobody noticed in {LOOKS_MAX} runs that {bug}")

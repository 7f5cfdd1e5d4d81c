"""The wall clock of one machine, or of one process, is hours wrong: no lease lives longer or less.

SQLite counts on boot time and PostgreSQL on the server's clock, so a client's wall clock may be set
to anything between two commands.
"""

from __future__ import annotations

import time
from typing import Final

import pytest

from handrail.service.leases import Asked
from tests.cli.world import eventually
from tests.faults.stepped import claim_at
from tests.linear.sites import Site, found_site, sound
from tests.linear.test_histories import STORES, url_of
from tests.support import Repo

HOURS_S: Final = 2 * 3_600
TTL_MS: Final = 60_000
SHORT_TTL_MS: Final = 1_000
SLACK_MS: Final = 30_000
SHIFTS: Final = {"+2h": HOURS_S, "-2h": -HOURS_S}


@pytest.fixture(params=STORES)
def site(repo: Repo, request: pytest.FixtureRequest) -> Site:
    site = found_site(repo.path, url_of(request.param))
    site.start(("ada", "bob", "eve"))
    return site


@pytest.mark.nightly
@pytest.mark.parametrize("shift", SHIFTS)
def test_a_wall_clock_that_was_set_neither_ends_nor_prolongs_a_lease(
    site: Site, shift: str
) -> None:
    ada = site.open("ada")
    ada.leases.claim(Asked(("src",), ttl_ms=TTL_MS))
    bob = site.open("bob")
    brief = bob.leases.claim(Asked(("brief",), ttl_ms=SHORT_TTL_MS))
    bob.close()
    held = claim_at(site, shift, "bob", "src", TTL_MS)
    assert held.get("code") == "scope_held", held
    assert abs(held["wall_s"] - time.time() - SHIFTS[shift]) < SLACK_MS / 1000, "it was shifted"
    assert abs(held["boot_s"] - time.clock_gettime(time.CLOCK_BOOTTIME)) < SLACK_MS / 1000
    assert abs(held["now"] - ada.now()) < SLACK_MS, "store time is the same for both"
    assert eventually(lambda: ada.now() > brief.expires_at)
    granted = claim_at(site, shift, "bob", "brief", TTL_MS)
    assert "token" in granted, granted.get("said")
    assert granted["token"] != brief.token, "what has ended is not revived"
    assert abs(granted["until"] - ada.now() - TTL_MS) < SLACK_MS
    with ada.store.read() as reader:
        assert [lease.session for lease in reader.leases() if lease.live(reader.now)] == [
            "ada",
            "bob",
        ]
    assert sound(ada.store)
    ada.close()

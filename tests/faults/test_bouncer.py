"""PgBouncer in transaction mode stands before the server, and the server falls behind it.

The contract suite goes through it too: ``tests/store/test_contract.py``, by night.
"""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest

from handrail import errors
from handrail.core.ledger import format_token
from handrail.service.claims import Asked
from handrail.store.postgres import connection
from tests import postgres
from tests.cli.world import eventually
from tests.faults.bouncer import Bouncer
from tests.linear.sites import found_site, sound
from tests.store.confined import attempt
from tests.support import Repo


@pytest.mark.nightly
def test_whoever_asks_a_bouncer_whose_postgres_fell_is_told_and_goes_on_once_it_is_back(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ANSWER_S", 2.0)
    folder = postgres.make_cluster()
    server = postgres.start(folder, postgres.UNSYNCED)
    bouncer = Bouncer(server)
    try:
        site = found_site(repo.path, bouncer.url)
        site.start(("ada",))
        app = site.open("ada")
        tokens = {app.leases.claim(Asked((f"p{number}",))).token for number in range(3)}
        os.killpg(server.pid, signal.SIGKILL)
        server.end()
        for _ in range(3):
            with pytest.raises(errors.Unavailable) as refused:
                app.leases.claim(Asked(("q",)))
            assert (refused.value.code, refused.value.exit_status) == ("store_unreachable", 3)
        server = postgres.start(folder, postgres.UNSYNCED, server.port)
        claim = partial(attempt, lambda: app.leases.claim(Asked(("q",))))
        assert eventually(lambda: claim() == "done"), "the bouncer looks for it once a second"
        with app.store.read() as reader:
            held = {format_token(reader.epoch, lease.token) for lease in reader.leases()}
        assert held > tokens
        assert len(held) == len(tokens) + 1
        assert sound(app.store)
        app.close()
    finally:
        bouncer.close()
        server.end()
        postgres.remove_cluster(folder)

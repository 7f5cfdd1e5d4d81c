"""A process is killed or stopped at a named point: others go on, and nothing wrong is committed.

Killed: what it had told stands, what it had not is whole or not there, and asking again under the
same request gives the first outcome. Stopped while it has the store to itself: whoever wants to
write waits no longer than it said and is told so (exit 3), whoever reads does not wait; once it
goes on, everything does. Stopped past the end of its lease: it attests nothing more.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import pytest

from handrail import errors
from handrail.core.ledger import read_header
from handrail.service.leases import Asked
from handrail.wiring import Application
from tests.cli.world import eventually
from tests.faults.points import ACTS, BEFORE, COMMITTED, DECIDED, DONE, HOLDING, POINTS, act_at
from tests.linear.sites import Site, found_site, sound
from tests.linear.test_histories import url_of
from tests.races.handing import Quick
from tests.races.processes import CONTEXT, JOIN_S, begin
from tests.support import Handrail, Repo

BUSY_MS: Final = 300
SLACK_S: Final = 5.0
SHORT_TTL_MS: Final = 1_000
ENTERED: Final = {"claim": "lease.granted", "offer": "packet.offered", "accept": "packet.accepted"}


@pytest.fixture(params=["sqlite", "postgres"])
def site(repo: Repo, request: pytest.FixtureRequest) -> Site:
    return scene(repo, request.param)


def scene(repo: Repo, kind: str) -> Site:
    """Let Ada work on ``fix`` and hold ``gift``; a packet of ``port`` waits for anybody."""
    site = found_site(repo.path, url_of(kind), ("fix", "port"))
    site.start(("ada", "bob"))
    ada = site.open("ada")
    Quick(ada.context, ada.packet_files).accept("fix")
    ada.leases.claim(Asked(("gift",)))
    ada.close()
    return site


@contextmanager
def acting(site: Site, what: str, point: str, number: int) -> Iterator[tuple[BaseProcess, Any]]:
    """Let Ada do something in a process of its own that gets a signal at a point."""
    mine, theirs = CONTEXT.Pipe(duplex=False)
    process = begin(act_at, site, what, point, number, theirs)
    theirs.close()
    try:
        yield process, mine
    finally:
        mine.close()
        process.kill()
        process.join(JOIN_S)


def stopped(process: BaseProcess) -> bool:
    text = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii", errors="replace")
    return text.rpartition(")")[2].split()[0] == "T"


def outcome_of(told: Any) -> str:
    """Return what a process told before it ended; '' for nothing."""
    try:
        return str(told.recv()) if told.poll(JOIN_S) else ""
    except EOFError:
        return ""


def kinds(app: Application, after: int) -> list[str]:
    with app.store.read() as reader:
        return [read_header(entry.header).kind for entry in reader.entries(after)]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("what", ENTERED)
def test_who_is_killed_at_a_point_has_done_all_of_it_or_nothing(
    site: Site, what: str, point: str
) -> None:
    app = site.open("ada")
    before = len(kinds(app, 0))
    with acting(site, what, point, signal.SIGKILL) as (process, told):
        assert outcome_of(told) == ""
        process.join(JOIN_S)
        assert process.exitcode == -signal.SIGKILL
    done = kinds(app, before)
    assert (ENTERED[what] in done) == (point in (COMMITTED, DONE))
    assert sound(app.store)
    first = ACTS[what](app, f"{what}-1")
    again = kinds(app, before)
    assert ENTERED[what] in again
    assert again == (done or again), "asked again, it was done before"
    assert ACTS[what](app, f"{what}-1") == first
    assert sound(app.store)
    app.close()


@contextmanager
def impatient(site: Site) -> Iterator[Application]:
    """Open the store as somebody who waits a short while."""
    app = site.open("bob")
    app.store._busy_ms = BUSY_MS
    yield app
    app.close()


@pytest.mark.parametrize("point", HOLDING)
@pytest.mark.parametrize("what", ENTERED)
def test_nobody_waits_longer_than_agreed_for_who_is_stopped_with_the_store(
    site: Site, what: str, point: str
) -> None:
    with impatient(site) as app, acting(site, what, point, signal.SIGSTOP) as (process, told):
        assert eventually(lambda: stopped(process))
        before = len(kinds(app, 0))
        began = time.monotonic()
        with pytest.raises(errors.StoreBusy):
            app.leases.claim(Asked(("lib",)))
        assert BUSY_MS / 1000 * 0.9 < time.monotonic() - began < BUSY_MS / 1000 + SLACK_S
        assert kinds(app, before) == [], "who reads does not wait, and sees nothing half done"
        os.kill(process.pid or 0, signal.SIGCONT)
        assert outcome_of(told)
        assert ENTERED[what] in kinds(app, before)
        app.leases.claim(Asked(("lib",)))
        assert sound(app.store)


def test_a_command_that_meets_a_stopped_writer_ends_with_3_and_names_the_next_command(
    repo: Repo, handrail: Handrail
) -> None:
    site = found_site(repo.path)
    site.start(("ada", "bob"))
    with acting(site, "claim", DECIDED, signal.SIGSTOP) as (process, _):
        assert eventually(lambda: stopped(process))
        began = time.monotonic()
        done = handrail("claim", "lib", "--json", env={"HANDRAIL_SESSION": "bob"})
        assert done.code == 3
        assert done.json()["error"]["code"] == "store_busy"
        assert done.json()["error"]["next"]
        assert time.monotonic() - began < 5 + 2 * SLACK_S
        seen = handrail("status", "--json")
        assert seen.code == 0


@pytest.mark.parametrize("point", [BEFORE, *HOLDING])
def test_a_holder_that_was_stopped_past_the_end_of_its_lease_attests_nothing_more(
    site: Site, repo: Repo, point: str
) -> None:
    """Before its transaction others come first; within it nobody could, and nobody did."""
    ada = site.open("ada")
    ada.leases.claim(Asked(("src",), ttl_ms=SHORT_TTL_MS))
    repo.write("src/a.py", "a")
    commit = repo.commit("work", "src")
    with impatient(site) as bob, acting(site, "attest", point, signal.SIGSTOP) as (process, told):
        assert eventually(lambda: stopped(process))
        ended = ends_of(ada, "src")
        assert eventually(lambda: now_of(bob) > ended)
        took: Callable[[], object] = lambda: bob.leases.claim(Asked(("src/a.py",)))  # noqa: E731
        if point == BEFORE:
            took()
        else:
            with pytest.raises(errors.StoreBusy):
                took()
        os.kill(process.pid or 0, signal.SIGCONT)
        outcome = outcome_of(told)
        if point == BEFORE:
            assert outcome.startswith("refused"), outcome
            assert outcome.split()[1] in ("lease_expired", "stale_token", "not_holder")
        else:
            assert outcome == commit, "decided before the end, and nobody came between"
        with bob.store.read() as reader:
            attested = reader.attestation(commit)
            granted = [entry.seq for entry in reader.entries() if _is_grant_to(entry, "bob")]
        assert (attested is None) == (point == BEFORE)
        assert all(attested is None or seq > attested for seq in granted)
        assert sound(bob.store)
    ada.close()


def ends_of(app: Application, scope: str) -> int:
    with app.store.read() as reader:
        return next(lease.expires_at for lease in reader.leases("ada") if lease.scope == (scope,))


def now_of(app: Application) -> int:
    with app.store.read() as reader:
        return reader.now


def _is_grant_to(entry: Any, session: str) -> bool:
    header = read_header(entry.header)
    return header.kind == "lease.granted" and header.session == session

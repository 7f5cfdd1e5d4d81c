"""The way to the server is late, cut, half closed or swallows what comes back.

Whatever the network does, a client ends in bounded time, with exit status 3, and what it asked for
was done once or not at all: asked again under the same request, it gets the first outcome.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import pytest

from handrail import errors
from handrail.core.ledger import read_header
from handrail.errors.server import StoreUnreachable
from handrail.service.leases import Asked
from handrail.store.postgres import connection
from handrail.wiring import Application
from tests.faults.points import ACTS
from tests.faults.proxy import CUT, FAULTS, HALF_CLOSE, LOSE_REPLY, SWALLOW, Proxy, Weather
from tests.faults.test_points import ENTERED, kinds, scene
from tests.linear.sites import Site, sound
from tests.postgres import DATABASE, OWNER, server
from tests.support import Repo

BOUND_S: Final = 5.0
COMMIT: Final = b"COMMIT\0"
"As a statement of its own: READ COMMITTED is none."


@pytest.fixture
def site(repo: Repo) -> Site:
    return scene(repo, "postgres")


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    at = server()
    with Proxy(unix=str(at.folder / f".s.PGSQL.{at.port}")) as proxy:
        yield proxy


@pytest.fixture
def through(site: Site, proxy: Proxy) -> Iterator[Application]:
    """Open the store through the proxy, as Ada."""
    app = site.open("ada", url=f"postgresql://{OWNER}@127.0.0.1:{proxy.port}/{DATABASE}")
    yield app
    app.close()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("what", ENTERED)
def test_a_line_that_breaks_at_the_commit_costs_nothing_but_the_answer(
    site: Site, proxy: Proxy, through: Application, what: str, fault: str
) -> None:
    direct = site.open("ada")
    before = len(kinds(direct, 0))
    through.store.version()
    proxy.weather = Weather(at=COMMIT, then=fault)
    began = time.monotonic()
    with pytest.raises(StoreUnreachable) as refusal:
        ACTS[what](through, f"{what}-1")
    assert time.monotonic() - began < BOUND_S
    assert (refusal.value.exit_status, refusal.value.code) == (3, "store_unreachable")
    assert refusal.value.next
    assert proxy.hits >= 1
    done = kinds(direct, before)
    assert (ENTERED[what] in done) == (fault != CUT)
    proxy.weather = Weather()
    first = ACTS[what](through, f"{what}-1")
    assert kinds(direct, before)[: len(done)] == done
    assert kinds(direct, before).count(ENTERED[what]) == 1, "once, however often it is asked for"
    assert ACTS[what](direct, f"{what}-1") == first
    assert sound(direct.store)
    direct.close()


def test_a_line_that_is_late_is_only_late(proxy: Proxy, through: Application) -> None:
    proxy.weather = Weather(delay_s=0.03)
    began = time.monotonic()
    assert through.leases.claim(Asked(("src",))).token
    assert time.monotonic() - began > 0.06


def test_a_server_that_goes_silent_is_given_up_in_bounded_time(
    site: Site, proxy: Proxy, through: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No packet says that anything is wrong: only the client's own patience ends the wait."""
    monkeypatch.setattr(connection, "ANSWER_S", 1.0)
    direct = site.open("ada")
    before = len(kinds(direct, 0))
    through.store.version()
    proxy.weather = Weather(at=COMMIT, then=SWALLOW)
    began = time.monotonic()
    with pytest.raises(StoreUnreachable):
        ACTS["claim"](through, "claim-1")
    assert 0.9 < time.monotonic() - began < BOUND_S
    proxy.weather = Weather()
    first = ACTS["claim"](through, "claim-1")
    assert kinds(direct, before) == ["lease.granted"]
    assert ACTS["claim"](direct, "claim-1") == first
    direct.close()


def test_nobody_waits_for_a_server_that_lets_nobody_in(
    site: Site, proxy: Proxy, through: Application
) -> None:
    proxy.weather = Weather(shut=True)
    proxy.cut()
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(errors.Unavailable) as refusal:
            through.leases.claim(Asked(("src",)))
        assert refusal.value.exit_status == 3
    assert time.monotonic() - began < BOUND_S
    proxy.weather = Weather()
    assert through.leases.claim(Asked(("src",))).token


def test_a_line_that_is_cut_while_a_transaction_is_open_leaves_nothing(
    site: Site, proxy: Proxy, through: Application
) -> None:
    direct = site.open("bob")
    before = len(kinds(direct, 0))

    def cut_off() -> None:
        with through.store.transaction() as tx:
            assert tx.now
            proxy.cut()
            tx.lease(1)

    with pytest.raises(StoreUnreachable):
        cut_off()
    assert kinds(direct, before) == []
    direct.leases.claim(Asked(("src",)))
    with direct.store.read() as reader:
        newest = read_header(reader.newest(1)[0].header)
    assert newest.kind == "lease.granted", "the turn was given back with the line"
    direct.close()


# ------------------------------------------------------------------------------- the proxy itself


def echoing() -> socket.socket:
    """Start a server that says back what it hears, to one client after the other."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                line, _ = listener.accept()
                with line, suppress(OSError):
                    while heard := line.recv(1_000):
                        line.sendall(heard)

    threading.Thread(target=serve, daemon=True).start()
    return listener


def test_the_proxy_carries_delays_cuts_and_swallows() -> None:
    with echoing() as echo, Proxy(to=echo.getsockname()) as proxy:

        def ask(words: bytes) -> bytes:
            try:
                with socket.create_connection(("127.0.0.1", proxy.port), timeout=1) as line:
                    line.sendall(words)
                    return line.recv(1_000)
            except (ConnectionResetError, BrokenPipeError):
                return b"reset"
            except TimeoutError:
                return b"silence"

        assert ask(b"hello") == b"hello"
        proxy.weather = Weather(delay_s=0.05)
        began = time.monotonic()
        assert ask(b"hello") == b"hello"
        assert time.monotonic() - began >= 0.1
        proxy.weather = Weather(at=b"stop", then=CUT)
        assert ask(b"hello") == b"hello"
        assert ask(b"stop") in (b"reset", b"")
        proxy.weather = Weather(at=b"stop", then=LOSE_REPLY)
        assert ask(b"stop") in (b"reset", b"")
        proxy.weather = Weather(at=b"stop", then=SWALLOW)
        assert ask(b"stop") == b"silence"
        proxy.weather = Weather(at=b"stop", then=HALF_CLOSE)
        assert ask(b"stop") == b""
        proxy.weather = Weather(shut=True)
        assert ask(b"hello") in (b"reset", b"")

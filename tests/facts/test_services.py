"""Whether a service answers, asked of real ones on this machine, and of what is none."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from handrail.errors import FactsUnavailable
from handrail.facts import services
from handrail.facts.services import health_of


class Service(BaseHTTPRequestHandler):
    """Answers by the path: a status, a redirect to a status, a redirect to itself, a large body."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        word = self.path.rpartition("/")[2]
        elsewhere = f"http://localhost:{self.connection.getsockname()[1]}/200"
        to = {"moved": "/200", "round": "/round", "elsewhere": elsewhere, "file": "file:///"}
        self.send_response(302 if word in to else int(word) if word.isdigit() else 200)
        if word in to:
            self.send_header("Location", to[word])
        self.end_headers()
        if word == "large":
            self._write_on()

    def _write_on(self) -> None:
        try:
            for _ in range(1_000):
                self.wfile.write(bytes(1 << 20))
        except OSError:
            pass

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def running() -> Iterator[tuple[str, list[str]]]:
    """Run a service; its address, and what it was asked for."""
    asked: list[str] = []
    handler: Any = type("Handler", (Service,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def reason_of(address: str, timeout_s: float = 5.0) -> str:
    with pytest.raises(FactsUnavailable) as caught:
        health_of(address, timeout_s)
    return caught.value.message


def test_the_status_of_the_answer_is_told_whatever_it_is() -> None:
    with running() as (address, asked):
        told = [health_of(f"{address}/health/{status}") for status in (200, 204, 404, 500, 503)]
        assert told == [200, 204, 404, 500, 503]
        assert asked[0] == "/health/200"


def test_a_few_redirects_on_the_same_host_are_followed_and_no_other() -> None:
    with running() as (address, asked):
        assert health_of(f"{address}/moved") == 200
        asked.clear()
        assert health_of(f"{address}/round") == 302
        assert len(asked) <= services.REDIRECTS_MAX + 1
        asked.clear()
        assert [health_of(f"{address}/{word}") for word in ("elsewhere", "file")] == [302, 302]
        assert asked == ["/elsewhere", "/file"]


def test_of_a_large_answer_nothing_is_read_but_the_status() -> None:
    with running() as (address, _):
        began = time.monotonic()
        assert health_of(f"{address}/large") == 200
        assert time.monotonic() - began < services.TIMEOUT_S


def test_a_service_that_does_not_answer_in_time_cannot_be_told() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        address = f"http://127.0.0.1:{mute.getsockname()[1]}"
        told = reason_of(f"{address}/health", 0.2)
    assert told.startswith(f"the service at {address}/health could not be read: ")


def test_an_answer_that_drips_ends_with_the_time_of_all_of_it() -> None:
    over = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def drip() -> None:
            with listening.accept()[0] as connection:
                connection.send(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.02):
                    connection.send(b"X-More: 1\r\n")

        thread = threading.Thread(target=drip)
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        began = time.monotonic()
        assert "there was no answer within 0.3 s" in reason_of(address, 0.3)
        assert time.monotonic() - began < 3
        over.set()
        thread.join()


def test_a_service_that_is_not_there_cannot_be_told() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        port = found.getsockname()[1]
    assert "it is unreachable (Connection refused)" in reason_of(f"http://127.0.0.1:{port}/health")


@pytest.mark.parametrize(
    "address",
    [
        *("", "health", "file:///etc/passwd", "ftp://127.0.0.1/x", "http://", "http:///health"),
        *("http://127.0.0.1:99999/", "http://[::1/", "http://127.0.0.1/a b\n", "http://ä.example"),
        *("javascript:x", "http://" + "a" * services.ADDRESS_CHARS_MAX),
    ],
)
def test_what_is_no_web_address_is_not_asked(address: str) -> None:
    assert reason_of(address).startswith("the address of the service could not be read: ")


def test_no_password_is_sent_or_said() -> None:
    with running() as (address, asked):
        told = reason_of(address.replace("//", "//ada:hunter2@"))
        assert (asked, "hunter2" in told) == ([], False)

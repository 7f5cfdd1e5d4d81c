"""A relay between a client and a server that does to their bytes what a network does.

It listens on TCP and speaks with a server on TCP or a unix socket. ``weather`` may be changed at
any time; what it says holds for all that passes from then on. Threads, because tests are not
asynchronous; all of them end with ``close``.

    with Proxy(unix="/run/x/.s.PGSQL.5432") as proxy:
        proxy.weather = Weather(at=b"COMMIT", then=LOSE_REPLY)
        connect(proxy.port)
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, NamedTuple

CUT: Final = "cut before it arrives"
LOSE_REPLY: Final = "let it be done, drop the reply, cut"
HALF_CLOSE: Final = "let it be done, close the way back"
SWALLOW: Final = "let it be done, drop all replies and say nothing"
FAULTS: Final = (CUT, LOSE_REPLY, HALF_CLOSE)
CHUNK_BYTES: Final = 65_536


class Weather(NamedTuple):
    """What happens to bytes: each chunk is late by ``delay_s``; ``at`` words of the client's, more.

    ``shut``: nobody new is let in.
    """

    delay_s: float = 0.0
    at: bytes = b""
    then: str = ""
    shut: bool = False


class Proxy:
    """The relay; ``hits`` counts how often the words of the weather were seen."""

    def __init__(
        self, *, unix: str = "", to: tuple[str, int] = ("", 0), host: str = "127.0.0.1"
    ) -> None:
        self._unix, self._to = unix, to
        self.weather = Weather()
        self.hits = 0
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((host, 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything that passes, and the listening."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Cut every connection, as a cable is cut that tells nobody in peace."""
        for line in list(self._open):
            _reset(line)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.weather.shut:
                _reset(client)
                continue
            try:
                server = self._connect()
            except OSError:
                _reset(client)
                continue
            self._open |= {client, server}
            _Pair(self, client, server).start()

    def _connect(self) -> socket.socket:
        if not self._unix:
            return socket.create_connection(self._to)
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self._unix)
        except OSError:
            server.close()
            raise
        return server

    def forget(self, *lines: socket.socket) -> None:
        self._open -= set(lines)


class _Pair:
    """One connection through the relay: two ways, a thread for each."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._lost: Weather | None = None

    def start(self) -> None:
        for way in (self._there, self._back):
            threading.Thread(target=way, daemon=True).start()

    def _there(self) -> None:
        """Carry what the client says, until somebody hangs up or the weather breaks."""
        with suppress(OSError):
            while chunk := self._client.recv(CHUNK_BYTES):
                weather = self._proxy.weather
                time.sleep(weather.delay_s)
                if weather.at and weather.at in chunk:
                    self._proxy.hits += 1
                    self._lost = weather
                    if weather.then == CUT:
                        break
                self._server.sendall(chunk)
        self._end()

    def _back(self) -> None:
        """Carry what the server says; once its answers are lost, none of them."""
        with suppress(OSError):
            while chunk := self._server.recv(CHUNK_BYTES):
                time.sleep(self._proxy.weather.delay_s)
                lost = self._lost
                if lost is None:
                    self._client.sendall(chunk)
                # The server says what it has done in the words in which it was asked.
                elif lost.at in chunk and lost.then == LOSE_REPLY:
                    break
                elif lost.at in chunk and lost.then == HALF_CLOSE:
                    self._client.shutdown(socket.SHUT_WR)
        self._end()

    def _end(self) -> None:
        self._proxy.forget(self._client, self._server)
        _reset(self._client)
        _reset(self._server)


def _reset(line: socket.socket) -> None:
    """Hang up without a word: what was not read yet is gone."""
    with suppress(OSError):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()

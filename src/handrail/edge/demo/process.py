"""Processes that cannot outlive the demo, and what they answer.

Each is the leader of a group of its own, so a Ctrl-C in the terminal does not reach it and ``kill``
takes its children along.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from handrail.core.record import Record
from handrail.errors import FactsUnavailable

TIMEOUT_S: Final = 30.0


class Broken(Exception):
    """A promise did not hold; its text says what happened instead."""


def expect(condition: bool, otherwise: str) -> None:
    """Raise Broken unless the condition holds."""
    if not condition:
        raise Broken(otherwise)


class Answer(Record):
    """How a command ended: exit status, the JSON object on stdout, and what it said on stderr."""

    status: int
    data: dict[str, object]
    talk: str

    @property
    def code(self) -> str | None:
        """The code of a refusal, None if it was none."""
        return self.of_error("code")

    @property
    def token(self) -> str:
        """The token of a grant, '' if nothing was granted."""
        return str(self.data.get("token") or "") if self.status == 0 else ""

    def of_error(self, name: str) -> str | None:
        """Return one value of a refusal as text, None where it has none."""
        error = self.data.get("error")
        value = error.get(name) if isinstance(error, dict) else None
        return None if value is None else str(value)

    def outcome(self) -> str:
        """Say in a few words how it ended."""
        if self.code is not None:
            return f"refused ({self.code})"
        return "granted" if self.token else f"exit status {self.status}"


class Printed(Record):
    """How a command ended that prints for people."""

    status: int
    out: str
    talk: str


class Running:
    """A process that was started."""

    def __init__(
        self,
        words: Sequence[str],
        folder: str,
        environment: Mapping[str, str],
        *,
        listens: bool = False,
        terminal: bool = False,
    ) -> None:
        """Start it; raises FactsUnavailable if there is no such program.

        What ``listens`` reads lines from its stdin until that ends; what is at a ``terminal`` has
        one for stdin and stderr, which nobody reads.
        """
        self._name = os.path.basename(words[0])
        ends = os.openpty() if terminal else ()
        plain = subprocess.PIPE if listens else subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(
                list(words),
                cwd=folder,
                env=environment,
                stdin=ends[1] if ends else plain,
                stdout=subprocess.PIPE,
                stderr=ends[1] if ends else subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise FactsUnavailable(what=words[0], reason=error.strerror or str(error)) from error
        finally:
            for end in ends[1:]:
                os.close(end)
        self._screen = ends[:1]
        self._said = self._told = b""

    def send(self, line: bytes) -> None:
        """Hand it a line; raises Broken if it has ended."""
        stream = self._process.stdin
        assert stream is not None
        try:
            stream.write(line + b"\n")
            stream.flush()
        except OSError as error:
            raise Broken(f"{self._name} ended too early") from error

    def line(self) -> bytes:
        """Wait for a line on stdout; raises Broken if none comes."""
        stream, deadline = self._process.stdout, time.monotonic() + TIMEOUT_S
        assert stream is not None
        while b"\n" not in self._told:
            if not select.select([stream], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise Broken(f"{self._name} said nothing for {TIMEOUT_S:.0f} s")
            chunk = os.read(stream.fileno(), 65_536)
            if not chunk:
                raise Broken(f"{self._name} ended too early")
            self._told += chunk
        line, _, self._told = self._told.partition(b"\n")
        return line

    def heard(self, beginning: str) -> str | None:
        """Wait for a line on stderr that begins so; None if the process ends without one."""
        stream, deadline = self._process.stderr, time.monotonic() + TIMEOUT_S
        assert stream is not None
        while True:
            for line in _text(self._said).splitlines(keepends=True):
                if line.startswith(beginning) and line.endswith("\n"):
                    return line.rstrip("\n")
            left_s = deadline - time.monotonic()
            if not select.select([stream], [], [], max(left_s, 0))[0]:
                raise Broken(f"{self._name} said nothing for {TIMEOUT_S:.0f} s")
            chunk = os.read(stream.fileno(), 65_536)
            if not chunk:
                return None
            self._said += chunk

    def printed(self) -> Printed:
        """Wait for the end; raises Broken if it does not come."""
        try:
            out, talk = self._process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise Broken(f"{self._name} did not end within {TIMEOUT_S:.0f} s") from error
        self._put_away()
        return Printed(self._process.returncode, _text(out), _text(self._said + (talk or b"")))

    def answer(self) -> Answer:
        """Wait for the end and read the answer; raises Broken if it is no JSON object."""
        status, out, talk = self.printed()
        try:
            data = json.loads(out) if out.strip() else {}
        except ValueError as error:
            raise Broken(f"{self._name} answered no JSON but {out[:60]!r}") from error
        expect(isinstance(data, dict), f"{self._name} answered no JSON object")
        return Answer(status, data, talk)

    def kill(self) -> None:
        """Do what kill -9 does, to the process and all it started; no harm if it has ended."""
        if self._process.returncode is not None:
            return
        # Nobody has reaped it yet, so its number cannot be another process's by now.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._put_away()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with suppress(OSError):  # a line that nobody will read any more
                    stream.close()

    def _put_away(self) -> None:
        """Switch the terminal off, if there is one."""
        for end in self._screen:
            os.close(end)
        self._screen = ()


def _text(said: bytes) -> str:
    return said.decode("utf-8", "replace")

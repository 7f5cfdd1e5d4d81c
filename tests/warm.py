"""The command line, forked from a process that has imported it: a quarter of what a start costs.

Most of what a start of ``handrail`` costs is the interpreter and what it imports. A *warm process*
(``tests/warm_process.py``) has done both and nothing else: it opened no store, read no settings and
ran no test. Each run is a child of it that runs the installed script and ends as that ends: a
process of its own, with its own words, environment, time zone, folder, umask, standard streams,
identity and exit status.

What differs from a start: all modules are there already, runs share the seed of ``hash``, and
between the tests' process and a run stands the warm one. So these stay real starts:

- ``Handrail.start``, and whatever a shell, a hook, an agent or a terminal starts. Each command has
  one of them at least: it stands in a golden transcript, and its first line there is typed into a
  bash that starts it.
- what ``starts_cold`` names: commands that look at who started them or start themselves, and an
  environment that speaks to the interpreter or the loader.

    ended = run((script, "status"), cwd=folder, env=os.environ, input=None, timeout_s=60)
    assert ended.code == 0
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

PROGRAM: Final = Path(__file__).with_name("warm_process.py")
# The hook looks at who started it, and the demo starts Handrail itself.
COLD_COMMANDS: Final = frozenset({"demo", "hook"})
# What the interpreter and the loader read once, before the first line of Python.
COLD_VARIABLES: Final = ("PYTHON", "LC_", "LD_", "GLIBC_", "MALLOC_")
# It chooses how streams are encoded, before the first line too: each has a warm process.
LANGUAGE: Final = "LANG"
INPUT_BYTES_MAX: Final = 4_096  # so much a pipe holds before anybody reads
WORD_BYTES_MAX: Final = 100_000  # more in one word, and a start is what the kernel refuses

_warm: Final[dict[str | None, WarmProcess]] = {}
_warming: Final = threading.Lock()


class Ended(NamedTuple):
    """How a run ended: its exit status, or minus the signal; what it wrote."""

    code: int
    out: bytes
    err: bytes


def starts_cold(argv: tuple[str, ...], env: Mapping[str, str], input: str | None) -> bool:
    """Tell whether a run needs a real start; what can be forked is the installed script."""
    return (
        not hasattr(os, "pidfd_open")
        or len(argv) == 0
        or Path(argv[0]).name != "handrail"
        or not COLD_COMMANDS.isdisjoint(argv)
        or any(name.startswith(COLD_VARIABLES) for name in env)
        or len(_bytes(input or "")) > INPUT_BYTES_MAX
        or any("\0" in word or len(_bytes(word)) > WORD_BYTES_MAX for word in argv)
    )


def run(
    argv: tuple[str, ...], *, cwd: Path, env: Mapping[str, str], input: str | None, timeout_s: float
) -> Ended:
    """Run a script to its end; raises TimeoutExpired, once the run is killed."""
    with _warming:
        warm = _warm.get(env.get(LANGUAGE))
        if warm is None:
            warm = _warm[env.get(LANGUAGE)] = WarmProcess(env)
    return warm.run(argv, cwd, env, input, timeout_s)


class WarmProcess:
    """A process to fork runs from, as the tests see it; it ends with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                (sys.executable, "-P", str(PROGRAM), str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                cwd="/",
                env={name: env[name] for name in (LANGUAGE,) if name in env},
            )
        atexit.register(self.close)

    def close(self) -> None:
        """End it, and what it runs."""
        self._control.close()
        self._process.wait()

    def run(
        self,
        argv: tuple[str, ...],
        cwd: Path,
        env: Mapping[str, str],
        input: str | None,
        timeout_s: float,
    ) -> Ended:
        """Run a script to its end; raises TimeoutExpired, once the run is killed."""
        until = time.monotonic() + timeout_s
        with ExitStack() as ours:
            with ExitStack() as theirs:
                streams: list[int] = [_stdin(input, theirs)]
                reading: list[int] = []
                for _ in ("stdout", "stderr"):
                    end, start = os.pipe()
                    ours.callback(os.close, end)
                    theirs.callback(os.close, start)
                    reading.append(end)
                    streams.append(start)
                answer, told = socket.socketpair()
                ours.enter_context(answer)
                theirs.enter_context(told)
                folder = os.open(cwd, os.O_PATH | os.O_DIRECTORY)
                theirs.callback(os.close, folder)
                request = theirs.enter_context(os.fdopen(os.memfd_create("run"), "w"))
                request.write(_request(argv, env))
                request.flush()
                handed = [request.fileno(), told.fileno(), folder, *streams]
                socket.send_fds(self._control, [b"run"], handed)
            written = _read([*reading, answer.fileno()], until)
        if written is None:
            raise subprocess.TimeoutExpired(argv, timeout_s)
        out, err, code = written
        assert code, "the warm process has ended"
        return Ended(int(code), out, err)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _request(argv: tuple[str, ...], env: Mapping[str, str]) -> str:
    """Write down what a run is started with, each byte a character: no encoding is agreed on."""
    words = [os.fsencode(word).decode("latin-1") for word in argv]
    variables = {
        os.fsencode(name).decode("latin-1"): os.fsencode(value).decode("latin-1")
        for name, value in env.items()
    }
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    umask = int(status.partition("\nUmask:")[2].split()[0], 8)
    return json.dumps({"argv": words, "env": variables, "umask": umask})


def _stdin(input: str | None, theirs: ExitStack) -> int:
    """Open what a run reads: nothing, or a pipe with all of it inside."""
    if input is None:
        stdin = os.open(os.devnull, os.O_RDONLY)
    else:
        stdin, start = os.pipe()
        os.write(start, _bytes(input))
        os.close(start)
    theirs.callback(os.close, stdin)
    return stdin


def _read(files: list[int], until: float) -> list[bytes] | None:
    """Read all files to their ends; None if that takes too long."""
    chunks: dict[int, list[bytes]] = {file: [] for file in files}
    with selectors.DefaultSelector() as selector:
        for file in files:
            selector.register(file, selectors.EVENT_READ)
        while selector.get_map():
            left_s = until - time.monotonic()
            if left_s <= 0:
                return None
            for key, _ in selector.select(left_s):
                chunk = os.read(key.fd, 65_536)
                if chunk:
                    chunks[key.fd].append(chunk)
                else:
                    selector.unregister(key.fd)
    return [b"".join(chunks[file]) for file in files]

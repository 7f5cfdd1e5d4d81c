"""A process that has imported Handrail and forks runs of it; ``tests/warm.py`` says what for.

It reads from a socket, whose number is its one argument. A request is a message with six files: the
words as JSON, where the end is told, the folder, stdin, stdout and stderr. It ends when the socket
does, and what still runs ends with it; so does a run that nobody waits for any more.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import handrail

FILES: Final = 6
DESCRIPTORS_MAX: Final = 65_536
UNEXPECTED: Final = 99  # Handrail ends itself; what comes back has failed
PACKAGE: Final = Path(handrail.__file__).parent
# The guard is no part of the command line; presets are for other people's interpreters.
NOT_IMPORTED: Final = ("handrail.edge.guard", "handrail.presets")
# What others import late: to write a line, to draw a page of help or a table, to begin a session.
LATE: Final = (
    *("encodings.ascii", "encodings.idna", "difflib", "platform", "shlex", "uuid"),
    *("click._textwrap", "rich.console", "rich.markup", "rich.table", "rich.text"),
)


class Run:
    """A run that has begun."""

    def __init__(self, pid: int, told: socket.socket) -> None:
        self.pid = pid
        self.told = told
        self.over = os.pidfd_open(pid)


class Server:
    """Forks a run for each request and tells how it ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._runs: set[Run] = set()

    def serve(self) -> None:
        """Go on until the socket is closed at the other end."""
        self._selector.register(self._control, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    if not self._begin():
                        return
                elif key.fileobj == key.data.over:
                    self._finish(key.data)
                elif key.data in self._runs:  # nobody waits any more
                    os.kill(key.data.pid, signal.SIGKILL)
                    self._selector.unregister(key.data.told)

    def end(self) -> None:
        """End all that still runs."""
        for run in self._runs:
            os.kill(run.pid, signal.SIGKILL)
            os.waitpid(run.pid, 0)

    def _begin(self) -> bool:
        """Take a request; False where no more will come."""
        flags = socket.MSG_CMSG_CLOEXEC
        message, files, _, _ = socket.recv_fds(self._control, 16, FILES, flags)
        if not message:
            return False
        request, told, *surroundings = files
        with open(request, "rb") as file:
            file.seek(0)
            asked = json.load(file)
        pid = os.fork()
        if pid == 0:
            self._become(asked, *surroundings)
        for number in surroundings:
            os.close(number)
        run = Run(pid, socket.socket(fileno=told))
        self._runs.add(run)
        self._selector.register(run.over, selectors.EVENT_READ, run)
        self._selector.register(run.told, selectors.EVENT_READ, run)
        return True

    def _finish(self, run: Run) -> None:
        """Tell how a run ended."""
        self._runs.remove(run)
        code = os.waitstatus_to_exitcode(os.waitpid(run.pid, 0)[1])
        self._selector.unregister(run.over)
        os.close(run.over)
        with suppress(KeyError):  # it was killed, because nobody waited
            self._selector.unregister(run.told)
        with suppress(OSError), run.told:
            run.told.send(str(code).encode())

    def _become(self, asked: Any, folder: int, *streams: int) -> NoReturn:
        """Be what a start of the script would be."""
        try:
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            os.fchdir(folder)
            os.closerange(3, DESCRIPTORS_MAX)
            os.umask(asked["umask"])
            # What is here already is the language, and what the interpreter makes of it at a start.
            for name, text in asked["env"].items():
                os.environb[name.encode("latin-1")] = text.encode("latin-1")
            time.tzset()
            _open_streams()
            sys.argv = [os.fsdecode(word.encode("latin-1")) for word in asked["argv"]]
            sys.path.insert(0, os.path.dirname(sys.argv[0]))
            Path("/proc/self/comm").write_bytes(b"handrail")
            runpy.run_path(sys.argv[0], run_name="__main__")
        except BaseException:  # noqa: BLE001 - the run failed before its own last door
            traceback.print_exc()
        finally:
            os._exit(UNEXPECTED)


def _open_streams() -> None:
    """Open the standard streams as the interpreter does at its start."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        stream = open(  # noqa: SIM115 - it stays open
            number,
            "r" if number == 0 else "w",
            buffering=1 if number == 2 or os.isatty(number) else -1,
            encoding=old.encoding,
            errors=old.errors,
            newline="\n",
            closefd=False,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def import_everything() -> None:
    """Import what commands import, and put it out of the sight of the garbage collector."""
    for file in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
        if not name.startswith(NOT_IMPORTED) and not name.endswith("__main__"):
            importlib.import_module(name.removesuffix(".__init__"))
    for name in LATE:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    import_everything()
    server = Server(socket.socket(fileno=int(sys.argv[1])))
    try:
        server.serve()
    finally:
        server.end()

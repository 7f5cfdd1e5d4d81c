"""Processes of this machine, told apart for good: boot, pid namespace, number, start time.

A number alone is given out again; with the time at which its process started it is not. Of a
process in another pid namespace nothing can be told from here.

    alive(Process("3f…", "pid:[4026531836]", 4711, 188_203))
"""

from __future__ import annotations

import os

from handrail.core.lease import Process
from handrail.facts.clock import BootClock

_CLOCK = BootClock()
"""Which boot this is does not change while we run: it is read once."""
_PID_NS = "/proc/self/ns/pid"
_SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "busybox", "env"))
_SHELLS_MAX = 16
_WORDS_BYTES_MAX = 65_536


def process(pid: int) -> Process | None:
    """Return a running process; None if there is none of this number or nothing can be told."""
    started = _started(pid)
    namespace = _namespace()
    if started is None or namespace is None:
        return None
    return Process(_CLOCK.read()[0], namespace, pid, started)


def alive(known: Process) -> bool | None:
    """Tell whether a process still runs; None where that cannot be told from here."""
    if known.boot != _CLOCK.read()[0]:
        return False
    if known.pid_ns != _namespace():
        return None
    return _started(known.pid) == known.started


def parent(pid: int) -> int | None:
    """Return the number of a process's parent."""
    fields = _fields(pid)
    return None if fields is None else int(fields[1])


def ancestors(pid: int, most: int = 64) -> list[Process]:
    """Return the processes above ``pid``, nearest first; of each it is read once what it is."""
    found: list[Process] = []
    above, namespace = parent(pid), _namespace()
    while above and namespace and len(found) < most:
        fields = _fields(above)
        started = _started_by(fields)
        if fields is None or started is None:
            break
        found.append(Process(_CLOCK.read()[0], namespace, above, started))
        above = int(fields[1])
    return found


def harness_above(pid: int) -> Process | None:
    """Return the nearest process above ``pid`` that is no shell which only runs a hook."""
    above = parent(pid)
    for _ in range(_SHELLS_MAX):
        if not above or above == 1:
            return None
        if _name(above) not in _SHELLS:
            return process(above)
        above = parent(above)
    return None


def _name(pid: int) -> str:
    """Return the name of a process's program, as the kernel keeps it."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read(64).strip()
    except OSError:
        return ""


def command_of(pid: int) -> list[str]:
    """Return the words that a process was started with; none if they cannot be read."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return [os.fsdecode(word) for word in file.read(_WORDS_BYTES_MAX).split(b"\0")[:-1]]
    except OSError:
        return []


def _namespace() -> str | None:
    try:
        return os.readlink(_PID_NS)
    except OSError:
        return None


def _started(pid: int) -> int | None:
    """Return the start time in clock ticks since boot; None for what is gone, or a zombie."""
    return _started_by(_fields(pid))


def _started_by(fields: list[str] | None) -> int | None:
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def _fields(pid: int) -> list[str] | None:
    """Return the fields of ``/proc/PID/stat`` after the name, which may hold anything."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read(4096).decode("utf-8", "replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()

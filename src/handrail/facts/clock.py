"""The machine's clocks, as a store wants them.

``read()`` gives the boot id, milliseconds since boot (sleep included) and the wall clock. On Linux
the boot clock is read outside any time namespace, so a process that shifted its own view of the
clock still shares the store's.
"""

from __future__ import annotations

import time

from handrail.errors import FactsUnavailable

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_OFFSETS = "/proc/self/timens_offsets"


class BootClock:
    """The clock of this machine."""

    def __init__(self) -> None:
        self._boot: str | None = None
        self._shift_ms = 0

    def read(self) -> tuple[str, int, int]:
        """Return (boot id, ms since boot, wall clock in ms since 1970)."""
        if self._boot is None:
            self._boot = _boot_id()
            self._shift_ms = _namespace_shift_ms()
        clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        since_boot = time.clock_gettime_ns(clock) // 1_000_000 - self._shift_ms
        return self._boot, since_boot, time.time_ns() // 1_000_000


def _boot_id() -> str:
    try:
        with open(_BOOT_ID, "rb") as file:  # as bytes: a codec of its own is a module to import
            return file.read().decode("ascii").strip()
    except OSError:
        return _boot_id_elsewhere()


def _boot_id_elsewhere() -> str:
    """Ask the BSD way, which macOS understands."""
    import subprocess

    try:
        told = subprocess.run(
            ["sysctl", "-n", "kern.bootsessionuuid"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise FactsUnavailable(what="the boot id", reason=str(error)) from error
    return told.stdout.strip()


def _namespace_shift_ms() -> int:
    try:
        with open(_OFFSETS, "rb") as file:
            for line in file:
                name, seconds, nanoseconds = line.split()
                if name == b"boottime":
                    return int(seconds) * 1000 + int(nanoseconds) // 1_000_000
    except (OSError, ValueError):
        pass
    return 0

"""Store time: one line of milliseconds that follows the boot clock and never goes back.

Within one boot, time is an anchor plus the boot clock, which counts sleep and ignores every change
of the wall clock. The first transaction after a boot takes a new anchor: the wall clock, or the
last time the store knew if that is later. So a wall clock set back can stretch a lease over a
reboot, when its holder is gone anyway, and never shorten or revive one.

    >>> Timeline("a", 1_000).now(("a", 7, 99), last=0)
    1007
"""

from __future__ import annotations

from handrail.core.record import Record

Reading = tuple[str, int, int]


class Timeline(Record):
    """The anchor in force: ``now = offset_ms + boot clock`` while the boot id is ``boot``."""

    boot: str
    offset_ms: int

    def now(self, reading: Reading, last: int) -> int:
        """Return store time in ms for a clock reading, never before ``last``."""
        boot, since_boot_ms, wall_ms = reading
        if boot == self.boot:
            return max(self.offset_ms + since_boot_ms, last)
        return max(wall_ms, last)

    def anchored(self, reading: Reading, last: int) -> Timeline:
        """Return the timeline that holds for this reading: the same one, or anew after a boot."""
        boot, since_boot_ms, _ = reading
        if boot == self.boot:
            return self
        return Timeline(boot, self.now(reading, last) - since_boot_ms)

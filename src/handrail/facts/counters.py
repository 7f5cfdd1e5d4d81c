"""What hooks count: one file a counter, its length the count.

Promise: counting is one append, so nobody waits and no count is lost to a race; at a million it
stays where it is. A counter that cannot be written stops nobody.

    Counters("/repo/.git/handrail").add("shell_undecided_total", 2)
    Counters("/repo/.git/handrail").all()   # {"shell_undecided_total": 2}
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

COUNT_MAX: Final = 1_000_000
_PREFIX: Final = "count."


class Counters:
    """The counters of one clone."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def add(self, name: str, number: int = 1) -> None:
        """Count so many more."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        with suppress(OSError):
            descriptor = os.open(os.path.join(self._folder, _PREFIX + name), flags, 0o600)
            try:
                room = COUNT_MAX - os.fstat(descriptor).st_size
                os.write(descriptor, b"." * max(min(number, room), 0))
            finally:
                os.close(descriptor)

    def all(self) -> dict[str, int]:
        """Return every counter that was ever counted."""
        found = {}
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.startswith(_PREFIX) and entry.is_file(follow_symlinks=False):
                    found[entry.name.removeprefix(_PREFIX)] = entry.stat().st_size
        return dict(sorted(found.items()))

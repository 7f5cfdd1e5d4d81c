"""What hooks write down for ``doctor``: failures and what was not refused; never a payload.

Promise: one line an event, ``hook.log`` of at most 1 MiB and one older one beside it; a log that
cannot be written stops nobody.

    HookLog("/repo/.git/handrail").write("edit", "scope_held", "shadow: src/api is held by ada")
"""

from __future__ import annotations

import os
import time
from typing import Final

from handrail.text import visible

NAME: Final = "hook.log"
BYTES_MAX: Final = 1 << 20
LINE_CHARS_MAX: Final = 1_000


class HookLog:
    """The log of one clone's hooks."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, NAME)

    def write(self, stage: str, code: str, text: str) -> None:
        """Append a line; the wall clock stamps it, because the store may be what failed."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = f"{at} {stage} {code} {visible(text)}"[:LINE_CHARS_MAX] + "\n"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path, flags, 0o600)
            try:
                os.write(descriptor, line.encode("utf-8", "backslashreplace"))
                full = os.fstat(descriptor).st_size > BYTES_MAX
            finally:
                os.close(descriptor)
            if full:
                os.replace(self._path, self._path + ".1")
        except OSError:
            return

    def newest(self) -> str:
        """Return the newest line; '' if nothing was written, or it cannot be read."""
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                return visible((file.read(BYTES_MAX * 2).splitlines() or [""])[-1])
        except OSError:
            return ""

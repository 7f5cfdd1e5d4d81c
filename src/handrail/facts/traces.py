r"""What hooks remember of a working tree: dirty paths, open edits, when a turn was judged.

Promises: kept beside the store, one small file a working tree, replaced whole; lost or damaged, it
is as if nothing had been seen. It says what a shell line may have written, never who may write.

    traces = Traces("/repo/.git/handrail", ".")
    before = traces.seen()          # {"src/a.py": "<blob> <staged>"}, None if nothing was kept
    traces.keep(now)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

from handrail.typed import Final

BYTES_MAX: Final = 16 << 20
SESSIONS_MAX: Final = 64


class Traces:
    """The traces of one working tree."""

    def __init__(self, folder: str, worktree: str) -> None:
        self._seen = os.path.join(folder, f"seen.{worktree}")
        self._edited = os.path.join(folder, f"edited.{worktree}")
        self._judged = os.path.join(folder, f"judged.{worktree}")

    def seen(self) -> dict[str, str] | None:
        """Return what was dirty when it was kept last, and in which version."""
        text = _read(self._seen)
        if text is None:
            return None
        rows = [row.partition("\t") for row in text.split("\0") if row]
        return {path: version for version, tab, path in rows if tab}

    def keep(self, dirty: Mapping[str, str]) -> None:
        """Remember what is dirty now."""
        _replace(self._seen, "\0".join(f"{version}\t{path}" for path, version in dirty.items()))

    def keep_one(self, path: str, version: str | None) -> None:
        """Remember one path as it is now, if anything was remembered; None: it is clean."""
        seen = self.seen()
        if seen is None:
            return
        seen.pop(path, None)
        if version is not None:
            seen[path] = version
        self.keep(seen)

    def edit_begins(self, session: str, path: str) -> None:
        """Leave word that an edit tool may write a path now."""
        self._append(f"+\0{session}\0{path}")

    def edit_ends(self, session: str, path: str = "") -> None:
        """Leave word that an edit tool is done with a path, or the session with all of them."""
        self._append(f"-\0{session}\0{path}")

    def open_edits(self, but: str) -> frozenset[str]:
        """Return which paths edit tools of other sessions are at."""
        at_work: set[tuple[str, str]] = set()
        for line in (_read(self._edited) or "").split("\n"):
            sign, _, rest = line.partition("\0")
            session, _, path = rest.partition("\0")
            if sign == "+":
                at_work.add((session, path))
            elif path:
                at_work.discard((session, path))
            else:
                at_work = {one for one in at_work if one[0] != session}
        if not at_work:
            with suppress(OSError):
                os.unlink(self._edited)
        return frozenset(path for session, path in at_work if session != but)

    def judged(self, session: str) -> tuple[str, int]:
        """Return how the tree stood when the end of a turn was judged last; how often in a row."""
        for line in (_read(self._judged) or "").split("\n"):
            name, _, rest = line.partition("\0")
            seen, _, times = rest.partition("\0")
            if name == session and times.isdecimal():
                return seen, int(times[:6])
        return "", 0

    def keep_judged(self, session: str, seen: str, times: int) -> None:
        """Remember how the tree stands now that the end of a turn was judged."""
        line = f"{session}\0{seen}\0{times}"
        if "\n" in line:
            return
        known = (_read(self._judged) or "").split("\n")
        others = [one for one in known if one and one.partition("\0")[0] != session]
        _replace(self._judged, "\n".join([line, *others[: SESSIONS_MAX - 1]]))

    def _append(self, line: str) -> None:
        if "\n" in line:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        with suppress(OSError):
            descriptor = os.open(self._edited, flags, 0o600)
            try:
                os.write(descriptor, f"{line}\n".encode("utf-8", "surrogateescape"))
            finally:
                os.close(descriptor)


def _replace(path: str, text: str) -> None:
    half = f"{path}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(OSError):
        descriptor = os.open(half, flags, 0o600)
        with open(descriptor, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
        os.replace(half, path)


def _read(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return file.read(BYTES_MAX).decode("utf-8", "surrogateescape")
    except OSError:
        return None

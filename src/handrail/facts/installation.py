"""The files that Handrail puts around a repository, and where git looks for its hooks.

Promises: a file is replaced whole or not at all, and only if nobody changed it since it was looked
at; links are seen as links; nothing loses its name before another has taken its place; of several
who set up at once, one is at it. What cannot be done is Unavailable with its reason.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from handrail.core.record import Record
from handrail.errors import DiskFull, FactsUnavailable, StoreReadOnly
from handrail.facts.files import CONFIG_BYTES_MAX, read_bounded
from handrail.facts.git import ask
from handrail.facts.repository import Place
from handrail.typed import Final, Protocol

_PERMISSIONS: Final = 0o777


class Found(Record):
    """What stands at a path."""

    kind: str
    content: bytes = b""
    mode: int = 0
    whole: bool = True


class Before(Protocol):
    """What somebody saw at a path, before they decided to change it."""

    @property
    def kind(self) -> str:
        """A file or something else."""

    @property
    def mode(self) -> int:
        """The permission bits."""


class Installation:
    """The files around one working tree."""

    def __init__(self, place: Place, launch: tuple[str, str, str]) -> None:
        self._place = place
        self.toplevel = place.toplevel
        self.common_dir = place.common_dir
        self.launch = launch

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the git folder locked; the lock goes with the process."""
        try:
            folder = os.open(self.common_dir, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise FactsUnavailable(what=self.common_dir, reason=error.strerror) from error
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def look(self, path: str) -> Found:
        """Tell what stands at a path; raises FactsUnavailable where that cannot be seen."""
        try:
            told = os.lstat(path)
            if stat.S_ISLNK(told.st_mode):
                return Found("link", os.fsencode(os.readlink(path)))
        except (FileNotFoundError, NotADirectoryError):
            return Found("nothing")
        except OSError as error:
            raise FactsUnavailable(what=path, reason=error.strerror) from error
        mode = told.st_mode & _PERMISSIONS
        if not stat.S_ISREG(told.st_mode):
            return Found("folder" if stat.S_ISDIR(told.st_mode) else "other", mode=mode)
        content = read_bounded(path)
        if content is None:
            return Found("nothing")
        return Found("file", content, mode, len(content) <= CONFIG_BYTES_MAX)

    def exists(self, path: str) -> bool:
        """Tell whether there is anything at a path, at the end of a link too."""
        return os.path.exists(path)

    def write(self, path: str, content: bytes, before: Before, mode: int) -> None:
        """Put a file there whole or not at all; raises FactsUnavailable if another was quicker."""
        folder = os.path.dirname(path)
        with _told(path):
            os.makedirs(folder, mode=0o700 if mode == 0o600 else 0o777, exist_ok=True)
            half = self._half(path)
            with suppress(FileNotFoundError):
                os.unlink(half)  # of a process that had this number and was killed half way
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(half, flags, mode)
            try:
                with open(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    _like_before(file.fileno(), path, before)
                    os.fsync(file.fileno())
                if self.look(path) != before:
                    raise FactsUnavailable(what=path, reason="somebody is changing it just now")
                os.replace(half, path)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(half)

    def _half(self, path: str) -> str:
        """Say where a file grows: out of the working tree, unless that is another file system."""
        beside = os.path.dirname(path)
        scratch = self._place.git_dir
        same = os.stat(scratch).st_dev == os.stat(beside).st_dev
        return os.path.join(scratch if same else beside, f"handrail.{os.getpid()}.part")

    def permit(self, path: str, mode: int) -> None:
        """Set the permission bits of a file."""
        with _told(path):
            os.chmod(path, mode)

    def keep(self, path: str, aside: str) -> None:
        """Give what stands at a path a second name; what has that name already gets a number."""
        with _told(aside):
            if os.path.lexists(aside):
                seen = self.look(path)
                if seen.whole and self.look(aside) == seen:
                    return
                number = 1
                while os.path.lexists(f"{aside}.{number}"):
                    number += 1
                os.rename(aside, f"{aside}.{number}")
            try:
                os.link(path, aside, follow_symlinks=False)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EEXIST):
                    raise
                os.rename(path, aside)  # a file system that knows no second names

    def rename(self, old: str, new: str) -> None:
        """Rename, replacing what is there."""
        with _told(new):
            os.replace(old, new)

    def remove(self, path: str) -> None:
        """Remove a file."""
        with _told(path), suppress(FileNotFoundError):
            os.unlink(path)

    def remove_folder(self, path: str) -> None:
        """Remove a folder if it is there and empty."""
        with suppress(OSError):
            os.rmdir(path)

    def hooks_folder(self) -> str:
        """Say where git looks for hooks; raises FactsUnavailable."""
        told = ask(self.toplevel, ["rev-parse", "--git-path", "hooks"]).removesuffix(b"\n")
        if not told or b"\0" in told:
            raise FactsUnavailable(what="git rev-parse", reason="its answer makes no sense")
        return os.path.join(self.toplevel, os.fsdecode(told))

    def real(self, path: str) -> str:
        """Return a path with its links followed."""
        return os.path.realpath(path)

    def ignored(self, path: str) -> bool:
        """Tell whether git ignores a path; what git cannot tell is not ignored."""
        try:
            ask(self.toplevel, ["check-ignore", "--quiet", "--", path])
        except FactsUnavailable:
            return False
        return True

    def setting(self, name: str) -> str | None:
        """Return a setting of this clone's git, None if it has none; raises FactsUnavailable."""
        words = ["config", "--local", "--null", "--get", name]
        told = ask(self.toplevel, words, fine=(0, 1))  # 1: there is none
        return os.fsdecode(told).removesuffix("\0") if told else None

    def set_setting(self, name: str, value: str) -> None:
        """Give a setting of this clone's git this one value; raises FactsUnavailable."""
        ask(self.toplevel, ["config", "--local", "--replace-all", name, value])

    def forget_settings(self, section: str) -> None:
        """Take a section out of the settings of this clone's git; raises FactsUnavailable."""
        ask(self.toplevel, ["config", "--local", "--remove-section", section])


def _like_before(descriptor: int, path: str, before: Before) -> None:
    """Give a file the permissions of the one that it replaces, and to whom that belongs."""
    if before.kind != "file":
        return
    os.fchmod(descriptor, before.mode)
    told = os.stat(path)
    if told.st_uid != os.geteuid():
        with suppress(OSError):
            os.fchown(descriptor, told.st_uid, told.st_gid)


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Say why a file cannot be changed."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(path=path) from error
        raise StoreReadOnly(path=path, reason=error.strerror) from error

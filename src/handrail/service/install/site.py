"""What `init` needs of the world: the files around a repository, and where git looks for hooks."""

from __future__ import annotations

from contextlib import AbstractContextManager

from handrail.core.record import Record
from handrail.errors import Unavailable
from handrail.typed import Final, Protocol

NOTHING: Final = "nothing"
FILE: Final = "file"
LINK: Final = "link"

CREATED: Final = "created"
MERGED: Final = "merged"
UPDATED: Final = "updated"
CHAINED: Final = "chained"
REPLACED: Final = "replaced"
KEPT: Final = "kept"
REMOVED: Final = "removed"
RESTORED: Final = "restored"
LEFT: Final = "left"
"""Not done, because it cannot be done without harm; the note says what is to be done by hand."""


class Step(Record):
    """One thing that was done, or would be: a file or the store, and what became of it."""

    what: str
    outcome: str
    note: str = ""


class Seen(Protocol):
    """What stands at a path; a link is not followed."""

    @property
    def kind(self) -> str:
        """``nothing``, ``file``, ``link``, ``folder`` or ``other``."""

    @property
    def content(self) -> bytes:
        """A file's bytes, up to the bound of a configuration; what a link says."""

    @property
    def mode(self) -> int:
        """The permission bits."""

    @property
    def whole(self) -> bool:
        """Tell whether ``content`` is all of it."""


class Site(Protocol):
    """The files around a repository. Paths are absolute; what cannot be written is Unavailable."""

    @property
    def toplevel(self) -> str:
        """The top of the working tree."""

    @property
    def common_dir(self) -> str:
        """The folder that all working trees share."""

    @property
    def launch(self) -> tuple[str, str, str]:
        """Interpreter, guard, and the folder that the guard imports its driver from."""

    def alone(self) -> AbstractContextManager[None]:
        """Keep every other who sets up or takes down out, until the block ends."""

    def look(self, path: str) -> Seen:
        """Tell what stands at a path."""

    def exists(self, path: str) -> bool:
        """Tell whether there is anything at a path, at the end of a link too."""

    def write(self, path: str, content: bytes, before: Seen, mode: int) -> None:
        """Put a file there whole or not at all, in place of what was seen there before.

        ``mode`` is that of a new file, less the umask; an old one keeps its own.
        """

    def permit(self, path: str, mode: int) -> None:
        """Set the permission bits of a file."""

    def keep(self, path: str, aside: str) -> None:
        """Give what stands at a path a second name; what has that name already gets a number."""

    def rename(self, old: str, new: str) -> None:
        """Rename, replacing what is there."""

    def remove(self, path: str) -> None:
        """Remove a file."""

    def remove_folder(self, path: str) -> None:
        """Remove a folder if it is there and empty."""

    def hooks_folder(self) -> str:
        """Say where git looks for hooks in this working tree."""

    def real(self, path: str) -> str:
        """Return a path with its links followed."""

    def ignored(self, path: str) -> bool:
        """Tell whether git ignores a path of the working tree."""

    def setting(self, name: str) -> str | None:
        """Return a setting of this clone's git, None if it has none."""

    def set_setting(self, name: str, value: str) -> None:
        """Give a setting of this clone's git this one value."""

    def forget_settings(self, section: str) -> None:
        """Take a section out of the settings of this clone's git."""


class Lost(Record):
    """Something of ours that is not as it was written; ``gone`` if nothing is left of it."""

    what: str
    reason: str
    gone: bool = False


def reason_of(error: Unavailable) -> str:
    """Say in a few words why something could not be done."""
    reason = error.values.get("reason")
    return str(reason) if reason else error.message.rstrip(".")

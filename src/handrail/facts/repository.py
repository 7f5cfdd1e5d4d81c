"""Where we are: the repository, its working tree and the folder that all its worktrees share.

Found by reading git's own files, because a git process costs more than a whole claim. Where the
environment points git elsewhere (``GIT_DIR``), git itself is asked.

    place = locate(os.getcwd(), os.environ)
    place.common_dir   # where the store lives
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from handrail.core.record import Record
from handrail.errors import BareRepository, FactsUnavailable, NoRepository
from handrail.text import shell_quote
from handrail.typed import Final

MAIN_WORKTREE: Final = "."
_POINTER_BYTES_MAX: Final = 8_192


class Place(Record):
    """A working tree of a repository.

    ``worktree`` is ``.`` for the main one and git's own id for a linked one: it survives a move of
    the folder and betrays no path.
    """

    toplevel: str
    git_dir: str
    common_dir: str
    worktree: str

    @property
    def folder(self) -> str:
        """The working tree's folder name."""
        return os.path.basename(self.toplevel) or "root"


def locate(start: str, environment: Mapping[str, str]) -> Place:
    """Find the working tree around ``start``; raises NoRepository, BareRepository."""
    if environment.get("GIT_DIR") or environment.get("GIT_WORK_TREE"):
        return _ask_git(start)
    folder = os.path.realpath(start)
    while True:
        pointer = os.path.join(folder, ".git")
        if os.path.isdir(pointer) and _is_git_dir(pointer):
            return _place(folder, pointer)
        if os.path.isfile(pointer):
            return _place(folder, _follow(pointer, folder))
        if _is_git_dir(folder):
            inside = os.path.basename(folder) == ".git"
            step = f"cd {shell_quote(os.path.dirname(folder))}" if inside else None
            raise BareRepository(path=folder, next=step)
        parent = os.path.dirname(folder)
        if parent == folder:
            raise NoRepository(path=start)
        folder = parent


def locate_bare(start: str, environment: Mapping[str, str]) -> Place:
    """Find the bare repository around ``start``; raises NoRepository, NotBare.

    Its own folder stands for the working tree: nobody edits there, but git can be asked in it.
    """
    from handrail.errors.landing import NotBare
    from handrail.facts.git import ask

    try:
        place = locate(os.path.join(start, environment.get("GIT_DIR") or "."), {})
    except BareRepository as found:
        folder = str(found.values["path"])
        if ask(folder, ["rev-parse", "--is-bare-repository"]).strip() == b"true":
            return Place(folder, folder, folder, MAIN_WORKTREE)
        step = f"{found.next} && handrail init" if folder.endswith("/.git") else None
        raise NotBare(path=folder, next=step) from found
    raise NotBare(path=place.toplevel)


def _is_git_dir(folder: str) -> bool:
    return os.path.lexists(os.path.join(folder, "HEAD")) and os.path.isdir(
        os.path.join(folder, "objects")
    )


def _follow(pointer: str, folder: str) -> str:
    text = _read(pointer)
    if not text.startswith("gitdir:"):
        raise NoRepository(path=folder)
    target = os.path.join(folder, text[len("gitdir:") :].strip())
    if not os.path.isdir(target):
        raise FactsUnavailable(what=f"the repository behind {pointer}", reason="it is gone")
    return os.path.realpath(target)


def _place(toplevel: str, git_dir: str) -> Place:
    common_dir, worktree = git_dir, MAIN_WORKTREE
    shared = os.path.join(git_dir, "commondir")
    if os.path.isfile(shared):
        common_dir = os.path.realpath(os.path.join(git_dir, _read(shared).strip()))
        worktree = _own_id(git_dir)
    return Place(toplevel, git_dir, common_dir, worktree)


def _own_id(git_dir: str) -> str:
    r"""Return git's id of a linked worktree as text that can be kept anywhere.

    Bytes that are not UTF-8 are written as ``\xff``, which git never puts into such an id.
    """
    raw = os.fsencode(os.path.basename(git_dir))
    return raw.decode("utf-8", "backslashreplace")


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read(_POINTER_BYTES_MAX))
    except OSError as error:
        raise FactsUnavailable(what=path, reason=error.strerror) from error


def _ask_git(start: str) -> Place:
    from handrail.facts.git import ask

    words = ["rev-parse", "--is-bare-repository", "--absolute-git-dir", "--git-common-dir"]
    bare, git_dir, common_dir = ask(start, words).decode("utf-8", "surrogateescape").split("\n")[:3]
    if bare == "true":
        raise BareRepository(path=git_dir)
    toplevel = os.fsdecode(ask(start, ["rev-parse", "--show-toplevel"])).rstrip("\n")
    common_dir = os.path.realpath(os.path.join(start, common_dir))
    linked = os.path.realpath(git_dir) != common_dir
    worktree = _own_id(git_dir) if linked else MAIN_WORKTREE
    return Place(toplevel, git_dir, common_dir, worktree)

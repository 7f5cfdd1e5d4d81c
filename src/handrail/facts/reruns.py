"""A working tree of its own for one commit, in which somebody else's evidence is run again.

Promises: it lies in a folder that only its user can enter, holds what the commit holds and nothing
else, and is taken away at the end, whatever happens; what a killed process left behind the next one
takes away. Of the caller's working tree, index, branches and configuration nothing is touched: no
hook runs, what is shared is a symbolic link, and only to what git does not track. Submodules and
the files of Git LFS are not fetched.

Not promised: a command that follows a link writes where the link leads, and git in the tree sees
the repository's refs.

    with temporary_tree(place, commit) as tree:
        tree.link([".venv"])
        tree.run(("make", "test"), 600_000)
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import unquote, urlsplit

from handrail.errors import FactsUnavailable
from handrail.facts.files import read_bounded
from handrail.facts.git import TIMEOUT_S
from handrail.facts.reports import Passed, load_report, mark_of
from handrail.facts.repository import Place
from handrail.facts.running import Order, Ran, Runner
from handrail.facts.standing import look
from handrail.gates.facts import Standing

PREFIX: Final = "handrail-rerun-"
ELSEWHERE: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR")
"""Variables that point git at a repository: in the tree they would point out of it."""
HIDDEN: Final = (*ELSEWHERE, "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_NAMESPACE", "OLDPWD")
NAMED_MAX: Final = 5
UNSHARED_MAX: Final = 1_000
ATTEMPTS: Final = 3
_WHAT: Final = "a working tree for the re-run"
_LFS: Final = b"filter=lfs"
_SETTINGS: Final = (f"core.hooksPath={os.devnull}", "core.fsmonitor=false")


class TemporaryTree:
    """The working tree of one commit; ``folder`` is its root."""

    def __init__(self, place: Place, commit: str, folder: str) -> None:
        self.folder = folder
        self._place = place
        self._commit = commit
        self._linked: tuple[str, ...] = ()
        self._runner = Runner()

    def link(self, paths: Sequence[str]) -> None:
        """Share paths of the caller's working tree; raises FactsUnavailable for each that cannot.

        They are there, inside the working tree, and not tracked, neither there nor in the commit.
        """
        for path in paths:
            try:
                reason = self._link(path)
            except OSError as error:
                reason = error.strerror or str(error)
            if reason is not None:
                raise FactsUnavailable(what=f"the input {path}", reason=reason)
            self._linked = (*self._linked, path)

    def _link(self, path: str) -> str | None:
        """Share one path; returns why it cannot be."""
        root = os.path.realpath(self._place.toplevel)
        source, target = os.path.join(root, path), os.path.join(self.folder, path)
        if not os.path.exists(source):
            return "it is not in this working tree"
        real = os.path.realpath(source)
        kept = os.path.realpath(self._place.common_dir)
        if not _within(real, root) or real == root or _within(real, kept):
            return "it leads out of this working tree"
        words = ["--literal-pathspecs", "ls-files", "-z", "--", path]
        if os.path.lexists(target) or _git(root, words):
            return "it is tracked, and a re-run has what the commit has"
        above = os.path.dirname(target)
        # What the commit holds may be a link that leads anywhere.
        there = above
        while not os.path.lexists(there):
            there = os.path.dirname(there)
        if not _within(os.path.realpath(there), self.folder):
            return "in the commit it lies behind a link that leads out"
        os.makedirs(above, exist_ok=True)
        os.symlink(source, target)
        return None

    def run(
        self, argv: tuple[str, ...], timeout_ms: int, env: tuple[tuple[str, str], ...] = ()
    ) -> Ran:
        """Run a command in the root of the tree."""
        pairs = (("PWD", self.folder), *env)
        return self._runner.run(Order(argv, self.folder, timeout_ms, pairs, HIDDEN))

    def standing(self, reports: Collection[str]) -> Standing:
        """Return how the tree stands; neither reports nor what is shared counts as dirt."""
        git_dir = os.path.join(self._place.common_dir, "worktrees", os.path.basename(self.folder))
        return look(self.folder, git_dir, (*reports, *self._linked))

    def report_mark(self, path: str) -> object:
        """Return what changes when a report is written anew; None if there is none."""
        return mark_of(os.path.join(self.folder, path))

    def report(self, path: str) -> Passed:
        """Read a report of the tree."""
        return load_report(self.folder, path)

    def unfetched(self) -> tuple[str, ...]:
        """Name what the commit only refers to: submodules, and files of Git LFS."""
        found: list[str] = []
        lfs = False
        listed = _git(self.folder, ["ls-tree", "-r", "-z", "--full-tree", self._commit])
        for row in listed.split(b"\0"):
            about, _, raw = row.partition(b"\t")
            name = os.fsdecode(raw)
            if about.startswith(b"160000"):
                found.append(f"the submodule {name}")
            elif os.path.basename(name) == ".gitattributes" and not lfs:
                with suppress(OSError, FactsUnavailable):
                    lfs = _LFS in (read_bounded(os.path.join(self.folder, name)) or b"")
        return (*found[:NAMED_MAX], *(("the files of Git LFS",) if lfs else ()))

    def unshared(self) -> tuple[str, ...]:
        """Name what lies untracked in the caller's working tree and is not in this one."""
        words = ["ls-files", "-z", "--others", "--directory"]
        listed = _git(self._place.toplevel, words).split(b"\0")
        names = [os.fsdecode(name).rstrip("/") for name in listed[:UNSHARED_MAX] if name]
        return tuple(name for name in names if not os.path.lexists(os.path.join(self.folder, name)))

    def borrowed(self, reports: Collection[str]) -> str | None:
        """Return the folder of the caller's that code comes from by a link, unless it is the same.

        A Python environment with an editable install names its project's folder: what is imported
        is then what lies there. That is no other code while the caller's tree is clean at the
        commit.
        """
        root = os.path.realpath(self._place.toplevel)
        sources = (
            source
            for path in self._linked
            for source in _editable(os.path.join(root, path))
            if _within(os.path.realpath(source), root)
        )
        found = next(sources, None)
        if found is None:
            return None
        here = look(self._place.toplevel, self._place.git_dir, (*reports, *self._linked))
        return None if (here.commit, here.fingerprint) == (self._commit, "") else found


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _editable(environment: str) -> Iterator[str]:
    """Yield the folders whose packages a Python environment takes as they are."""
    library = os.path.join(environment, "lib")
    for version in _names(library):
        packages = os.path.join(library, version, "site-packages")
        for name in _names(packages):
            if not name.endswith(".dist-info"):
                continue
            try:
                raw = read_bounded(os.path.join(packages, name, "direct_url.json"))
                told = json.loads(raw or b"{}")
                if told["dir_info"]["editable"] is True:
                    yield unquote(urlsplit(told["url"]).path)
            except (FactsUnavailable, OSError, ValueError, KeyError, TypeError, RecursionError):
                continue


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


@contextmanager
def temporary_tree(place: Place, commit: str) -> Iterator[TemporaryTree]:
    """Make a working tree of a commit, and take it away; raises FactsUnavailable."""
    pointed = next((name for name in ELSEWHERE if os.environ.get(name)), None)
    if pointed is not None:
        raise FactsUnavailable(what=_WHAT, reason=f"{pointed} is set")
    sweep(place.common_dir)
    try:
        private = os.path.realpath(tempfile.mkdtemp(prefix=PREFIX))
    except OSError as error:
        raise FactsUnavailable(what=_WHAT, reason=error.strerror) from error
    folder = os.path.join(private, os.path.basename(private))
    lock = -1
    try:
        lock = _locked(private)
        words = ["worktree", "add", "--quiet", "--detach", folder, commit]
        # A git that outlives us keeps the lock: nobody takes away what it still writes.
        _git(place.toplevel, words, keep=(lock,))
        yield TemporaryTree(place, commit, folder)
    finally:
        _remove(place.common_dir, private)
        if lock >= 0:
            os.close(lock)


def sweep(common_dir: str) -> None:
    """Take away what processes left behind that were killed."""
    for name in _names(os.path.join(common_dir, "worktrees")):
        if not name.startswith(PREFIX):
            continue
        pointer = _text(os.path.join(common_dir, "worktrees", name, "gitdir"))
        private = os.path.dirname(os.path.dirname(pointer.rstrip("\n")))
        if os.path.basename(private) != name or not os.path.isabs(private):
            continue
        lock = -1
        if os.path.lexists(private):
            about = os.lstat(private)
            if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
                continue
            try:
                lock = _locked(private)
            except FactsUnavailable:
                continue  # somebody works in it
        _remove(common_dir, private)
        if lock >= 0:
            os.close(lock)


def _locked(private: str) -> int:
    """Hold a private folder for as long as this process lives; raises FactsUnavailable."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        lock = os.open(os.path.join(private, "lock"), flags, 0o600)
    except OSError as error:
        raise FactsUnavailable(what=_WHAT, reason=error.strerror) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise FactsUnavailable(what=_WHAT, reason="another process has it") from error
    return lock


def _remove(common_dir: str, private: str) -> None:
    """Take away a tree and what git knows of it; its links are taken away, not what is behind."""
    folder = os.path.join(private, os.path.basename(private))
    for _ in range(ATTEMPTS):
        if os.path.islink(folder):  # a command put it there; what it leads to is not ours
            with suppress(OSError):
                os.unlink(folder)
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            break
        _open_folders(folder)
    about = os.path.join(common_dir, "worktrees", os.path.basename(private))
    if os.path.isdir(about) and not os.path.lexists(folder):
        with suppress(FactsUnavailable):
            _git(common_dir, ["worktree", "remove", "--force", "--force", folder])
    if not os.path.isdir(about):
        shutil.rmtree(private, ignore_errors=True)


def _open_folders(folder: str) -> None:
    """Let folders be emptied that a command closed; no link is followed."""
    with suppress(OSError):
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            return
        os.chmod(folder, stat.S_IRWXU)
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                _open_folders(entry.path)


def _git(folder: str, words: Sequence[str], keep: Sequence[int] = ()) -> bytes:
    """Run git without hooks, in a session of its own, so that it ends with us and not before.

    It shares the files ``keep``. Raises FactsUnavailable.
    """
    environment = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    more = {"GIT_LFS_SKIP_SMUDGE": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    what = f"git {next(word for word in words if not word.startswith('-'))}"
    try:
        child = subprocess.Popen(
            ["git", *settings, *words],
            cwd=folder,
            env={**environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=keep,
        )
    except OSError as error:
        raise FactsUnavailable(what=what, reason=error.strerror) from error
    with child:
        try:
            out, complaint = child.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            _end(child)
            raise FactsUnavailable(what=what, reason="it took too long") from error
        except BaseException:
            _end(child)
            raise
    if child.returncode != 0:
        lines = complaint.decode("utf-8", "replace").strip().splitlines() or ["no reason"]
        raise FactsUnavailable(what=what, reason=lines[0].removeprefix("fatal: "))
    return out


def _end(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _text(path: str) -> str:
    try:
        return os.fsdecode(read_bounded(path) or b"")
    except FactsUnavailable:
        return ""

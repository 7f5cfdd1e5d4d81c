"""What tests hold in their hands: a real repository, the real command line, one quiet machine.

Example:
    def test_a_claim_is_granted(repo: Repo, handrail: Handrail) -> None:
        repo.write("src/a.py", "pass")
        repo.commit("a")
        assert handrail("claim", "src", "--json").json()["scope"] == ["src"]
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from tests import warm

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "src" / "handrail"

RUN_TIMEOUT_S: Final = 60
# 2026-01-01T00:00:00Z; each commit of a test's repository is a minute later than the one before.
FIRST_COMMIT_AT_S: Final = 1_767_225_600
SECONDS_BETWEEN_COMMITS: Final = 60


@dataclass(frozen=True)
class Result:
    """How a command ended: exit status, what it said to stdout and to stderr."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Read stdout as one JSON value."""
        return json.loads(self.out)


class Repo:
    """A real git repository in a folder of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._commits = 0

    @classmethod
    def create(cls, path: Path) -> Repo:
        """Make a repository with one commit on ``main``."""
        path.mkdir(parents=True, exist_ok=True)
        repo = cls(path)
        repo.git("init", "--quiet", "--initial-branch=main")
        # Housekeeping in the background would outlive the test and write into its folder.
        repo.git("config", "gc.auto", "0")
        repo.git("config", "maintenance.auto", "false")
        repo.write("README.md", "# A repository\n")
        repo.commit("first")
        return repo

    @classmethod
    def copied(cls, template: Repo, path: Path) -> Repo:
        """Copy a repository: several times quicker than making it; git finds nothing changed."""
        shutil.copytree(template.path, path, symlinks=True)
        repo = cls(path)
        repo._commits = template._commits
        repo.git("update-index", "-q", "--refresh")  # the copies are other files to the index
        return repo

    def git(
        self,
        *args: str,
        check: bool = True,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        input: str | None = None,
    ) -> str:
        """Run git here and return its stdout, stripped; a failure raises with what git said."""
        environment = {**os.environ, **(env or {})}
        done = run(("git", *args), cwd or self.path, environment, input, RUN_TIMEOUT_S)
        if check and done.code != 0:
            raise AssertionError(f"git {args} exited with {done.code}\n{done.out}{done.err}")
        return done.out.strip()

    def write(self, path: str | os.PathLike[str], text: str | bytes) -> Path:
        """Write a file, with the folders it needs; returns its absolute path."""
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        return target

    def commit(self, message: str = "change", *paths: str, cwd: Path | None = None) -> str:
        """Commit everything, or the given paths only, also when nothing changed; returns its id."""
        at = f"{FIRST_COMMIT_AT_S + self._commits * SECONDS_BETWEEN_COMMITS} +0000"
        self._commits += 1
        self.git("add", "--all", "--", *(paths or (".",)), cwd=cwd)
        self.git(
            *("commit", "--quiet", "--allow-empty", f"--message={message}"),
            cwd=cwd,
            env={"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at},
        )
        return self.git("rev-parse", "HEAD", cwd=cwd)

    def worktree(self, name: str, branch: str | None = None) -> Path:
        """Add a linked worktree beside the repository, on a new branch; returns its folder."""
        path = self.path.parent / name
        self.git("worktree", "add", "--quiet", "-b", branch or name, str(path))
        return path


class Handrail:
    """The command line as its users run it: a process of its own."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd

    def __call__(
        self,
        *args: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        input: str | None = None,
        timeout_s: float = RUN_TIMEOUT_S,
    ) -> Result:
        """Run ``handrail ARGS`` to its end; ``env`` comes on top of the test's environment."""
        environment = {**os.environ, **_path_to_source(), **(env or {})}
        return run((*launcher(), *args), cwd or self.cwd, environment, input, timeout_s)

    def start(
        self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start ``handrail ARGS`` and return at once; the caller waits for it or ends it."""
        return subprocess.Popen(
            (*launcher(), *args),
            cwd=cwd or self.cwd,
            env={**os.environ, **_path_to_source(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
        )


def launcher() -> tuple[str, ...]:
    """Say how to start Handrail: the installed script, else the module of this checkout."""
    script = Path(sys.executable).with_name("handrail")
    if script.exists():
        return (str(script),)
    return (sys.executable, "-P", "-m", "handrail")


def _path_to_source() -> dict[str, str]:
    """Let the module be found where the project is not installed beside the interpreter."""
    return {} if len(launcher()) == 1 else {"PYTHONPATH": str(SOURCE.parent)}


def run(
    argv: tuple[str, ...],
    cwd: Path,
    env: Mapping[str, str],
    input: str | None,
    timeout_s: float,
) -> Result:
    """Run a program to its end, in this environment and no other."""
    if not warm.starts_cold(argv, env, input):
        ended = warm.run(argv, cwd=cwd, env=env, input=input, timeout_s=timeout_s)
        out, err = (text.decode("utf-8", "surrogateescape") for text in (ended.out, ended.err))
        return Result(argv, ended.code, out, err)
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL if input is None else None,
        input=input,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=timeout_s,
        check=False,
    )
    return Result(argv, done.returncode, done.stdout, done.stderr)


class Machine:
    """The machine that parallel test processes share: many at once, or one alone.

    A ``serial`` test waits until no other runs, and no other starts before it is done. Whoever
    waits holds the turnstile, so that a stream of ordinary tests cannot starve a serial one.
    """

    def __init__(self, folder: Path) -> None:
        self._turnstile = folder / "turnstile"
        self._room = folder / "room"

    @contextmanager
    def shared(self, *, alone: bool) -> Iterator[None]:
        """Be on the machine, among others or alone."""
        with locked(self._turnstile, fcntl.LOCK_EX) as turnstile, self._room.open("a") as room:
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            fcntl.flock(turnstile, fcntl.LOCK_UN)
            yield


@contextmanager
def locked(path: Path, how: int) -> Iterator[IO[str]]:
    """Hold ``path`` locked as ``how`` says, ``fcntl.LOCK_*``."""
    with path.open("a") as file:
        fcntl.flock(file, how)
        yield file


class NetworkTouched(BaseException):
    """A test reached for the network; no ``except Exception`` may swallow that."""


def forbid_network() -> None:
    """Let sockets of this process reach this machine only."""

    def guarded(name: str) -> None:
        original = getattr(socket.socket, name)

        def guard(self: socket.socket, *args: Any) -> Any:
            if self.family in {socket.AF_INET, socket.AF_INET6}:
                host = str(args[-1][0])
                if host != "localhost" and not host.startswith("127.") and host != "::1":
                    self.close()  # nobody else will: the exception passes every handler
                    raise NetworkTouched(f"{name} to {args[-1]!r}")
            return original(self, *args)

        setattr(socket.socket, name, guard)

    for name in ("connect", "connect_ex", "sendto"):
        guarded(name)

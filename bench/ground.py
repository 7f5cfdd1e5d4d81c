"""Where measurements happen: scratch repositories, as ``handrail init`` leaves them.

They lie beside the results, on the file system of the checkout, because a temporary folder may be
in memory, where a durable write costs nothing.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from bench.process import run
from handrail.edge.cli.main import GARBAGE_THRESHOLD
from handrail.service.sessions import Sessions
from handrail.service.setup import initialise
from handrail.wiring import Application

RESULTS: Final = Path(__file__).resolve().parent / "results"
IN_A_FOLDER: Final = 100
PROGRAM: Final = Path(sys.executable).with_name("handrail")


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder that is gone afterwards."""
    RESULTS.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=RESULTS))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def environment(session: str | None = None) -> dict[str, str]:
    """Return an environment without anything of the caller's but the way to programs."""
    plain = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(RESULTS),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_NAME": "bench" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "bench@example.org" for who in ("AUTHOR", "COMMITTER")},
    }
    return plain if session is None else {**plain, "HANDRAIL_SESSION": session}


def found(folder: Path) -> None:
    """Make a repository and set Handrail up in it."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, env=environment(), check=True)
    application = Application.open(str(folder), environment(), terminal=False)
    initialise(application.ground, "minimal")
    application.close()


def guarded(folder: Path) -> None:
    """Make a repository with one commit, set up by ``handrail init``: every hook is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for words in (["init", "--quiet"], ["symbolic-ref", "HEAD", "refs/heads/main"]):
        git(folder, *words)
    run([str(PROGRAM), "init", "--quiet"], folder, environment())
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "set up")


def git(folder: Path, *words: str, stdin: str = "") -> str:
    """Run git without any hook; returns what it printed."""
    told = subprocess.run(
        ["git", "-c", f"core.hooksPath={os.devnull}", *words],
        cwd=folder,
        env=environment(),
        input=stdin,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return told.stdout


def filled(folder: Path, files: int, changed: int) -> None:
    """Commit many files, change a few, stage these."""
    head = (
        "commit refs/heads/main\ncommitter bench <bench@example.org> 1767225600 +0000\n"
        "data <<END\nmany files\nEND\nfrom refs/heads/main^0\n"
    )
    rows = [
        f"M 100644 inline {_path(number)}\ndata <<END\nline {number}\nEND\n"
        for number in range(files)
    ]
    git(folder, "fast-import", "--quiet", "--force", stdin=head + "".join(rows) + "\n")
    git(folder, "reset", "--quiet", "--hard")
    for number in range(0, files, files // changed):
        (folder / _path(number)).write_text("changed\n")
    git(folder, "add", "--all")


def _path(number: int) -> str:
    return f"src/area-{number // IN_A_FOLDER}/part-{number % IN_A_FOLDER}.py"


def like_the_program() -> None:
    """Let this process search for garbage as seldom as every process of Handrail does."""
    gc.set_threshold(GARBAGE_THRESHOLD)


def session(folder: Path, name: str) -> Application:
    """Start a session; returns an application that acts in its name."""
    like_the_program()
    application = Application.open(str(folder), environment(), terminal=False)
    Sessions(application.context).start(id=name, agent=name)
    application.close()
    return Application.open(str(folder), environment(name), terminal=False)


class InsertOnly:
    """The floor of durable work: SQLite that does nothing but insert one row a transaction.

    WAL, ``synchronous=FULL``, no index but the row number, no questions asked; the row has the
    bytes of the ledger entry that a claim writes.
    """

    def __init__(self, folder: Path) -> None:
        self._connection = apsw.Connection(str(folder / "insert-only.db"))
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(
            "CREATE TABLE entry (seq INTEGER PRIMARY KEY, kind TEXT, subject TEXT,"
            " header BLOB, payload BLOB)"
        )
        self._row = ("lease.granted", "s", b"h" * 330, b"p" * 230)

    def shape(self, header: bytes, payload: bytes) -> None:
        """Give the row the bytes of a real entry."""
        self._row = ("lease.granted", "s", header, payload)

    def insert(self, times: int) -> None:
        """Insert rows, each in a transaction of its own."""
        run, row = self._connection.execute, self._row
        for _ in range(times):
            run("BEGIN IMMEDIATE")
            run("INSERT INTO entry (kind, subject, header, payload) VALUES (?,?,?,?)", row)
            run("COMMIT")

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()


def shaped_floor(application: Application, folder: Path) -> InsertOnly:
    """Return the floor whose row has the bytes of the newest entry."""
    floor = InsertOnly(folder)
    with application.store.read() as reader:
        newest = reader.newest(1)[0]
    floor.shape(newest.header, newest.payload or b"")
    return floor

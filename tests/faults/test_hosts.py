"""Three hosts and one PostgreSQL: of all who claim a scope at once, on whatever host, one wins."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.core.events import LeaseGranted
from handrail.core.ledger import format_token, read_event
from tests.faults.hosts import NEEDED, PATIENCE_S
from tests.linear.sites import Site, found_site, sound
from tests.postgres import DATABASE, OWNER, server
from tests.support import ROOT, Repo

HOSTS: Final = 3
PROCESSES: Final = 8
ROUNDS: Final = 6
ROUNDS_BY_NIGHT: Final = 50


def on_hosts(site: Site, parts: list[dict[str, Any]], **plan: Any) -> list[Any]:
    """Let each host do its part, in namespaces of their own."""
    for program, package in NEEDED.items():
        assert shutil.which(program), f"no hosts can be made here: install the package {package}"
    at = server()
    whole = {
        **plan,
        "parts": parts,
        "schema": site.schema,
        "socket": str(at.folder / f".s.PGSQL.{at.port}"),
        "user": OWNER,
        "database": DATABASE,
    }
    # Root reaches the server's socket, which is an ordinary user's; whoever is that user is root
    # in a user namespace only.
    whose = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    done = subprocess.run(
        [
            *("unshare", *whose, "--net", "--mount", "--pid", "--fork"),
            *("--kill-child", "--mount-proc"),
            *(sys.executable, "-P", "-m", "tests.faults.hosts", json.dumps(whole)),
        ],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: list[Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize(
    "rounds", [ROUNDS, pytest.param(ROUNDS_BY_NIGHT, marks=pytest.mark.nightly)]
)
def test_of_twenty_four_processes_on_three_hosts_one_wins_the_scope_of_each_round(
    repo: Repo, tmp_path: Path, rounds: int
) -> None:
    """By day some rounds, at night fifty."""
    site = found_site(repo.path, server().url())
    names = [[f"h{host}-{n}" for n in range(PROCESSES)] for host in range(HOSTS)]
    site.start([name for own in names for name in own])
    parts = [{"root": str(repo.path), "sessions": own} for own in names]
    told = on_hosts(site, parts, rounds=rounds, meeting=str(tmp_path), racers=HOSTS * PROCESSES)
    assert len({row["host"] for row in told}) == HOSTS
    assert len({row["boot"] for row in told}) == HOSTS, "each was started for itself"
    assert all(row["processes"] < HOSTS * PROCESSES for row in told), "none sees the others'"
    won = sorted(tuple(one) for row in told for one in row["won"])
    assert [number for number, _, _ in won] == list(range(rounds)), "one winner each"
    assert len({name for _, name, _ in won}) > 1, "not always the same one"
    app = site.open()
    with app.store.read() as reader:
        granted = {
            (event.patterns[0], event.session): format_token(reader.epoch, entry.seq)
            for entry in reader.entries()
            if isinstance(event := read_event(entry), LeaseGranted)
        }
    assert granted == {(f"round/{number}", name): token for number, name, token in won}
    assert sound(app.store)
    app.close()

"""A real PostgreSQL that follows another one: while it starts, while it follows, after it leads.

Both are found at one address, as a name that moves from host to host is: a link to the folder of
the server that has the name.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import psycopg
import pytest

from handrail.config import render_preset
from tests import postgres
from tests.cli.world import Person, Refusal, World, eventually, refusal
from tests.postgres import DATABASE, OWNER, Server, connected
from tests.support import Handrail, Repo

WORKSPACE: Final = "follows"
SETTINGS: Final = (*postgres.UNSYNCED, *postgres.COPIED, "listen_addresses=")
WRITING: Final = ("handrail claim lib", "handrail release --all", "handrail session start --id s-c")
READING: Final = ("handrail status", "handrail ledger verify")


class Pair(NamedTuple):
    """A server that leads, the folder of one that is to follow it, and the address of both."""

    leads: Server
    follower: Path
    name: Path

    @property
    def url(self) -> str:
        return f"postgresql://{OWNER}@/{DATABASE}?host={self.name}&port={self.leads.port}"

    def leads_to(self, folder: Path) -> None:
        """Let the name be another server's."""
        self.name.unlink(missing_ok=True)
        self.name.symlink_to(folder)

    def follow(self) -> tuple[Server, subprocess.Popen[bytes]]:
        """Let the follower begin to start; it goes on once there is a file ``go``."""
        with (self.follower / "data" / "postgresql.auto.conf").open("a") as settings:
            gate = self.follower / "go"
            settings.write(f"restore_command = 'until test -e {gate}; do sleep 0.02; done; false'")
        return postgres.launch(self.follower, SETTINGS, self.leads.port)

    def lag(self, replica: Server) -> None:
        """Let nothing that is written from now on reach the one that follows."""
        with connected(replica) as line:
            line.execute("ALTER SYSTEM SET primary_conninfo = ''")
            line.execute("SELECT pg_reload_conf()")
            receiving = "SELECT 1 FROM pg_stat_wal_receiver"
            assert eventually(lambda: line.execute(receiving).fetchone() is None)


@pytest.fixture
def world(repo: Repo, tmp_path: Path) -> Iterator[tuple[World, Pair]]:
    folder = postgres.make_cluster()
    leads = postgres.start(folder, SETTINGS)
    follower = None
    try:
        repo.write("handrail.toml", render_preset("minimal", WORKSPACE))
        name = folder / "name"
        pair = Pair(leads, folder, name)
        pair.leads_to(folder)
        text = (repo.path / "handrail.toml").read_text()
        repo.write("handrail.toml", f'{text}\n[store]\nurl = "{pair.url}"\n')
        done = Handrail(repo.path)("init")
        assert done.code == 0, done
        repo.commit("adopt")
        follower = postgres.copied(leads)
        yield World(repo, tmp_path / "scratch"), pair._replace(follower=follower)
    finally:
        leads.end()
        for made in (folder, follower):
            if made is not None:
                (made / "go").touch()  # whoever still waits for it ends
                postgres.end_in(made)
                postgres.remove_cluster(made)


def all_say(who: Person, lines: tuple[str, ...], code: str, said: str) -> Refusal:
    """Let each line be refused with one code, sentence and exit status 3; returns the last."""
    last: Refusal | None = None
    for line in lines:
        last = refusal(who.types(line))
        assert (last.code, last.status, said in last.sentence) == (code, 3, True), (line, last)
    assert last is not None
    return last


def follow_the_advice(line: str) -> str:
    """Type what a refusal says comes next, with PostgreSQL's own programs at hand."""
    programs = Path(postgres.program(Path(), "psql")).parent
    env = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.defpath}", "PGUSER": OWNER}
    done = subprocess.run(
        ["sh", "-c", line], env=env, capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout + done.stderr


def test_a_postgres_that_follows_another_one_serves_nobody_until_it_leads(
    world: tuple[World, Pair],
) -> None:
    here, pair = world
    ada = here.shell()
    assert ada.types('eval "$(handrail session start --id s-ada)"').code == 0
    assert ada.types("handrail claim src").code == 0
    before = ada.types("handrail log --json").out

    replica, process = pair.follow()
    pair.leads_to(pair.follower)
    assert eventually(lambda: "starting up" in refusal(ada.types("handrail status")).sentence)
    waits = all_say(ada, (WRITING[0], READING[0]), "store_unreachable", "starting up")
    assert "rejecting connections" in follow_the_advice(waits.next)
    (pair.follower / "go").touch()
    assert postgres.answers(replica, process), replica.log()
    reads = all_say(ada, (*WRITING, *READING), "store_read_only", "the server only reads")
    assert " on\n" in follow_the_advice(reads.next)
    found = json.loads((here.folder / "store.json").read_text())
    any_server = {**found, "url": f"{pair.url}&target_session_attrs=any"}
    (here.folder / "store.json").write_text(json.dumps(any_server))
    all_say(ada, (WRITING[0], READING[0]), "store_read_only", "the server only reads")
    (here.folder / "store.json").write_text(json.dumps(found))

    pair.leads_to(pair.leads.folder)
    assert ada.types("handrail log --json").out == before, "nothing was written"
    pair.lag(replica)
    lost = json.loads(ada.types("handrail claim docs --json").out)["token"]
    head = ada.types("handrail ledger verify").out.split()[-1]
    pair.leads.end()
    all_say(ada, WRITING[:1], "store_unreachable", "")
    pair.leads_to(pair.follower)
    postgres.promote(replica)
    assert ada.types("handrail ledger verify").code == 0
    again = ada.types("handrail claim lib --json")
    assert (again.code, json.loads(again.out)["token"]) == (0, lost), "given twice, as we warn"
    assert ada.types(f"handrail ledger verify --head {head}").code == 3
    founds_a_successor(here, ada, lost)
    ends_while_somebody_is_there(replica, ada)


def founds_a_successor(here: World, ada: Person, lost: str) -> None:
    """Do what the guide says after a failover that may have gone back."""
    eve = here.shell()
    assert eve.types("handrail ledger export -o ../ledger.txt").code == 0
    done = eve.types("handrail store rebuild --from ../ledger.txt", terminal=True)
    assert done.code == 0, done
    assert ada.types('eval "$(handrail session start --id s-ada)"').code == 0
    dead = refusal(ada.types(f"handrail renew {lost}"))
    assert (dead.code, dead.status) == ("foreign_epoch", 2)
    assert ada.types("handrail claim docs").code == 0


def ends_while_somebody_is_there(server: Server, ada: Person) -> None:
    """Let the server end once its last guest has gone, and nobody new is let in."""
    guest = psycopg.connect(server.url())
    os.kill(server.pid, signal.SIGTERM)
    all_say(ada, (WRITING[0], READING[0]), "store_unreachable", "shutting down")
    guest.close()
    assert eventually(lambda: not server.runs())
    all_say(ada, WRITING[:1], "store_unreachable", "")

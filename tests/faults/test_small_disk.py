"""A real PostgreSQL on a full disk: nothing is half written, and with room again all goes on.

Where only its tables have no room it answers, and goes on reading; where its log has none it falls,
and does not get up before there is some.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

import psycopg

from handrail import errors
from handrail.config import render_preset
from handrail.core.ledger import format_token
from handrail.service.claims import Asked
from tests.cli.world import World, refusal
from tests.faults.small_disk import DATA, LOG, SmallDisk, small_disk
from tests.postgres import connected
from tests.support import Handrail, Repo

CLAIMS_MAX: Final = 400
LONG: Final = "/".join(["x" * 240] * 4)


def claim_until_refused(
    world: World, acknowledged: list[str], disk: SmallDisk, *, switching: bool = False
) -> errors.HandrailError:
    """Claim until somebody says no; ``switching``: each claim begins in a new part of the log."""
    with world.open("s-ada") as app:
        for number in range(len(acknowledged), len(acknowledged) + CLAIMS_MAX):
            if switching:
                with suppress(psycopg.Error), connected(disk.server) as line:
                    line.execute("SELECT pg_switch_wal()")
            try:
                granted = app.leases.claim(Asked((f"src/{LONG}/{number}",)))
            except errors.HandrailError as refused:
                return refused
            acknowledged.append(str(granted.token))
    raise AssertionError("there is room without end")


def ledger_of(world: World) -> list[tuple[bytes, bytes | None]]:
    with world.open("s-ada") as app, app.store.read() as reader:
        return [(entry.header, entry.payload) for entry in reader.entries()]


def goes_on(
    world: World, before: list[tuple[bytes, bytes | None]], acknowledged: list[str]
) -> None:
    """Check that all is there that anybody was told of, nothing by half, and that work goes on."""
    after = ledger_of(world)
    assert after[: len(before)] == before
    ada = world.shell(HANDRAIL_SESSION="s-ada")
    with world.open("s-ada") as app, app.store.read() as reader:
        epoch = reader.epoch
        held = {format_token(epoch, lease.token) for lease in reader.leases()}
    assert held >= set(acknowledged)
    assert ada.types("handrail store verify").code == 0
    done = ada.types("handrail claim later --json")
    assert done.code == 0, done
    assert ada.types("handrail release later").code == 0
    assert ada.types("handrail doctor").code == 0


def test_a_postgres_without_room_writes_nothing_by_half_and_goes_on_once_there_is_some(
    repo: Repo, tmp_path: Path
) -> None:
    assert shutil.which("unshare"), "no disk can be made here: install the package util-linux"
    with small_disk() as disk:
        text = render_preset("minimal", "small-disk")
        repo.write("handrail.toml", f'{text}\n[store]\nurl = "{disk.server.url()}"\n')
        assert Handrail(repo.path)("init").code == 0
        world = World(repo, tmp_path / "scratch")
        ada = world.shell(HANDRAIL_SESSION="s-ada")
        assert ada.types("handrail session start --id s-ada").code == 0
        acknowledged: list[str] = []

        disk.does(f"fill {DATA}")
        refused = claim_until_refused(world, acknowledged, disk)
        assert (refused.code, refused.exit_status) == ("store_read_only", 3), refused
        before = ledger_of(world)
        said = refusal(ada.types(f"handrail claim lib/{LONG} lib/2/{LONG}"))
        assert (said.code, said.status) == ("store_read_only", 3), (said, disk.server.log())
        assert "No space left on device" in said.sentence
        assert said.next.endswith("-c 'SHOW data_directory'")
        for line in ("handrail status", "handrail ledger verify", "handrail store verify"):
            assert ada.types(line).code == 0
        assert ledger_of(world) == before
        disk.does("free")
        goes_on(world, before, acknowledged)

        disk.does(f"fill {LOG}")
        before = ledger_of(world)
        refused = claim_until_refused(world, acknowledged, disk, switching=True)
        assert (refused.code, refused.exit_status) == ("store_unreachable", 3), refused
        said = refusal(ada.types("handrail status"))
        assert (said.code, said.status) == ("store_unreachable", 3)
        disk.does("free")
        disk.does("start")
        goes_on(world, before, acknowledged)

"""A workspace's schema in PostgreSQL that somebody damaged: what is wrong is named, and mended."""

from __future__ import annotations

import os
from pathlib import Path

from handrail.config import render_preset
from tests.cli.world import World
from tests.postgres import connected, server
from tests.support import Handrail, Repo


def test_what_is_gone_from_a_postgres_schema_is_named_and_a_successor_is_founded(
    repo: Repo, tmp_path: Path
) -> None:
    workspace = f"damaged-{os.getpid()}"
    text = render_preset("minimal", workspace)
    repo.write("handrail.toml", f'{text}\n[store]\nurl = "{server().url()}"\n')
    assert Handrail(repo.path)("init").code == 0
    eve = World(repo, tmp_path / "scratch").shell()
    assert eve.types("handrail doctor").code == 0
    with connected(server()) as line:
        schema = f'"handrail_{workspace}"'
        line.execute(f"DROP INDEX {schema}.entry_subject")
        for command, status in (("doctor", 1), ("store verify", 3)):
            said = eve.types(f"handrail {command}")
            assert (said.code, "there is no index entry_subject: CREA" in said.out) == (
                status,
                True,
            )
        line.execute(f"ALTER TABLE {schema}.state DROP COLUMN commits")
        said = eve.types("handrail doctor")
        assert "it is damaged: there is no column state.commits" in said.out, said
        assert "next: handrail store rebuild" in said.out
        done = eve.types("handrail store rebuild", terminal=True)
        assert (done.code, "damaged-1" in done.out) == (0, True), done
        assert eve.types("handrail doctor").code == 0
        line.execute(f'DROP SCHEMA {schema}, "handrail_{workspace}.damaged-1" CASCADE')

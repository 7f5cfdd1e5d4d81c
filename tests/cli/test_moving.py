"""``store migrate`` and ``store copy`` between the file and a real PostgreSQL server."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Final

import pytest

from handrail.config import render_preset
from handrail.core.ledger import format_head
from tests.cli.world import Person, World
from tests.postgres import server
from tests.support import Handrail, Repo

MIGRATE: Final = "handrail store migrate"
_numbers: Final = itertools.count(1)


def names(world: World, url: str) -> None:
    """Let handrail.toml name a store."""
    path = world.path / "handrail.toml"
    text = path.read_text().partition("\n[store]\n")[0]
    path.write_text(f'{text}\n[store]\nurl = "{url}"\n')


def head_of(world: World) -> str:
    with world.open() as application, application.store.read() as reader:
        return format_head(reader.epoch, reader.head)


@pytest.fixture
def world(repo: Repo, tmp_path: Path) -> World:
    """A repository whose workspace no other test has: its name is that of its schema."""
    workspace = f"moves-{os.getpid()}-{next(_numbers)}"
    repo.write("handrail.toml", render_preset("minimal", workspace))
    done = Handrail(repo.path)("init")
    assert done.code == 0, done
    repo.commit("adopt")
    return World(repo, tmp_path / "scratch")


@pytest.fixture
def eve(world: World) -> Person:
    return world.shell()


def test_a_workspace_moves_to_postgres_and_back(world: World, eve: Person) -> None:
    session = world.session()
    world.claim(session, "src")
    ada = world.shell(HANDRAIL_SESSION=session)
    names(world, server().url())
    refused = eve.types("handrail config apply", terminal=True)
    assert (refused.code, f"next: {MIGRATE}" in refused.err) == (2, True), refused
    assert eve.types(MIGRATE).code == 1, "a person's to do"
    told = eve.types(f"{MIGRATE} --dry-run")
    assert (told.code, "would move" in told.out, "end 1 session" in told.out) == (0, True, True)
    assert ada.types("handrail renew").code == 0, "a dry run ends nothing"
    moved = eve.types(MIGRATE, terminal=True)
    assert moved.code == 0, moved
    head = head_of(world)
    assert f"both ledgers verify; head {head}" in moved.out
    assert eve.types("handrail config apply", terminal=True).code == 0
    assert "wrong_worktree" in ada.types("handrail renew").err, "its tree has another name now"
    bob = world.shell()
    assert bob.types('eval "$(handrail session start --id s-bob)"').code == 0
    assert bob.types("handrail claim src").code == 0, "nothing of before stands in the way"
    assert "0 of" not in bob.types("handrail status").out
    assert eve.types("handrail store verify").code == 0
    names(world, "sqlite")
    back = eve.types(MIGRATE, terminal=True)
    assert back.code == 0, back
    assert (world.folder / "state.db.moved-1").exists()
    assert not (world.folder / "guard.db").exists(), "the guard asks the store that is here"
    assert eve.types("handrail store verify").code == 0
    assert eve.types("handrail log --json").out.count('"store.created"') == 1


def test_a_clone_whose_store_moved_to_postgres_joins_it(world: World, eve: Person) -> None:
    names(world, server().url())
    assert eve.types(MIGRATE, terminal=True).code == 0
    note = world.folder / "store.json"
    note.unlink()
    said = eve.types("handrail status")
    assert (said.code, "store_moved" in said.err, f"next: {MIGRATE}" in said.err) == (3, True, True)
    joined = eve.types(MIGRATE, terminal=True)
    assert (joined.code, "this clone uses" in joined.out) == (0, True), joined
    assert note.exists()
    assert eve.types("handrail status").code == 0


def test_a_clone_with_a_store_of_its_own_leaves_it_for_the_one_in_postgres(
    world: World, eve: Person, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    world.repo.git("clone", "--quiet", str(world.path), str(other))
    bob = world.shell(cwd=other)
    assert bob.types("handrail init").code == 0
    assert bob.types('eval "$(handrail session start)" && handrail claim src').code == 0
    names(world, server().url())
    assert eve.types(MIGRATE, terminal=True).code == 0
    (other / "handrail.toml").write_text((world.path / "handrail.toml").read_text())
    person = world.shell(cwd=other)
    refused = person.types(MIGRATE, terminal=True)
    assert (refused.code, "Another store is at" in refused.err) == (2, True), refused
    assert f"next: {MIGRATE} --join" in refused.err
    text = (other / "handrail.toml").read_text()
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUCo0Lkx5sQoUjCkzRZcWqUGbM0pQvYtVh4kPq1pT3a"
    row = f'\n[[epoch]]\nid = "zzzz2222"\nkey = "{key}"\nholder = "ada"\n'
    (other / "handrail.toml").write_text(text + row)
    foreign = person.types(f"{MIGRATE} --join", terminal=True)
    assert (foreign.code, "store_not_enrolled" in foreign.err) == (3, True), foreign
    (other / "handrail.toml").write_text(text)
    told = person.types(f"{MIGRATE} --join --dry-run")
    assert "1 lease" in told.out, told
    done = person.types(f"{MIGRATE} --join", terminal=True)
    assert done.code == 0, done
    assert head_of(world) in person.types("handrail ledger verify").out
    assert "unknown_session" in bob.types("handrail claim src").err


def test_nothing_goes_where_no_postgres_answers(world: World, eve: Person) -> None:
    head = head_of(world)
    names(world, "postgresql://127.0.0.1:1/nowhere")
    for words in (MIGRATE, f"{MIGRATE} --join"):
        said = eve.types(words, terminal=True)
        assert (said.code, "store_unreachable" in said.err) == (3, True), said
    assert head_of(world) == head
    (world.path / "handrail.toml").write_text("[workspace\n")
    assert eve.types(MIGRATE, terminal=True).code == 2, "a broken file leads nowhere"


def test_a_copy_in_postgres_or_a_file_is_the_same_ledger(
    world: World, eve: Person, tmp_path: Path
) -> None:
    world.claim(world.session(), "src")
    head = head_of(world)
    for target in (server().url(), str(tmp_path / "copy.db")):
        done = eve.types(f"handrail store copy '{target}'")
        assert (done.code, head in done.out) == (0, True), done
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0
    foreign = tmp_path / "foreign.db"
    foreign.write_text("no database at all, but somebody's notes\n" * 40)
    said = eve.types(f"handrail store copy {foreign}")
    assert (said.code, foreign.read_text()[:2]) == (3, "no"), said


def test_after_a_failover_a_successor_is_founded_in_postgres_and_old_tokens_are_dead(
    world: World, eve: Person
) -> None:
    names(world, server().url())
    assert eve.types(MIGRATE, terminal=True).code == 0
    assert eve.types("handrail config apply", terminal=True).code == 0
    ada = world.shell()
    assert ada.types('eval "$(handrail session start --id s-ada)"').code == 0
    token = json.loads(ada.types("handrail claim src --json").out)["token"]
    assert eve.types("handrail ledger export -o ../ledger.txt").code == 0
    head = head_of(world)
    done = eve.types("handrail store rebuild --from ../ledger.txt", terminal=True)
    assert (done.code, f"which follows {head}" in done.out) == (0, True), done
    assert "damaged-1" in done.out, "the schema that was there is kept"
    assert head_of(world).partition(":")[0] != head.partition(":")[0]
    assert ada.types('eval "$(handrail session start --id s-ada)"').code == 0
    dead = ada.types(f"handrail renew {token}")
    assert (dead.code, "foreign_epoch" in dead.err) == (2, True), dead
    assert ada.types("handrail claim src").code == 0
    assert eve.types("handrail doctor --replay").code == 0

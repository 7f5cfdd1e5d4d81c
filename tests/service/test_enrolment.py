"""Enrolling a store: one block in ``handrail.toml``, by a person, and not a byte besides."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from handrail import errors
from handrail.config import parse_config
from handrail.errors.landing import MalformedKey
from handrail.facts.keys import make_key, signer_from_file
from handrail.service.enrolment import ADDED, REPLACED, SAME, Enrolled
from handrail.wiring.sharing import enrolment
from tests.cli.world import World, refusal


def enroll(world: World, **given: str | None) -> Enrolled:
    with world.open(terminal=True) as application:
        return enrolment(application).enroll(file=given.get("file"), holder=given.get("holder"))


def config(world: World) -> Path:
    return world.path / "handrail.toml"


def epochs(world: World) -> list[tuple[str, str, str]]:
    rows = parse_config(config(world).read_bytes()).epochs
    return [(row.id, row.key, row.holder) for row in rows]


def epoch_of(world: World) -> str:
    with world.open() as application, application.store.read() as reader:
        return reader.epoch


def test_a_store_is_enrolled_with_a_key_of_its_own(world: World) -> None:
    before = config(world).read_bytes()
    done = enroll(world)
    after = config(world).read_bytes()
    assert (done.outcome, done.epoch) == (ADDED, epoch_of(world))
    assert after == before + b"\n" + done.block.encode()
    key = world.folder / "epoch.key"
    assert done.key_file == str(key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    public = signer_from_file(str(key)).public_key
    assert epochs(world) == [(epoch_of(world), public, f"repo@{os.uname().nodename}")]
    assert key.read_text().splitlines()[1] not in after.decode()


def test_enrolling_again_changes_nothing(world: World) -> None:
    first = enroll(world)
    before = config(world).read_bytes()
    again = enroll(world, holder="somebody else")
    assert (again.outcome, again.key, again.block) == (SAME, first.key, first.block)
    assert config(world).read_bytes() == before


def test_another_key_takes_the_place_of_the_one_before_and_of_nothing_else(
    world: World, tmp_path: Path
) -> None:
    enroll(world, holder="ada")
    other = '\n[[epoch]]\nid = "aaaa"\nkey = "ssh-ed25519 AAAA"\nholder = "bob"\n'
    text = config(world).read_text().replace("key = ", "  key  =  ") + f"# a comment\n{other}"
    config(world).write_text(text)
    before = epochs(world)
    make_key(str(tmp_path / "key"))
    done = enroll(world, file=str(tmp_path / "key"))
    assert (done.outcome, done.before) == (REPLACED, before[0][1])
    public = signer_from_file(str(tmp_path / "key")).public_key
    assert epochs(world) == [(before[0][0], public, "ada"), before[1]]
    assert config(world).read_text() == text.replace(before[0][1], public)
    with world.open() as application:
        assert application.keys.place == str(tmp_path / "key"), "later syncs find it"


@pytest.mark.parametrize(
    "ending", [b"", b"\n", b"\n\n# the end", b"\r\n"], ids=["none", "one", "a comment", "windows"]
)
def test_whatever_the_file_ends_in_it_is_kept_to_the_byte(world: World, ending: bytes) -> None:
    before = config(world).read_bytes().rstrip(b"\n") + ending
    if ending == b"\r\n":
        before = before.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    config(world).write_bytes(before)
    config(world).chmod(0o640)
    enroll(world)
    after = config(world).read_bytes()
    assert after.startswith(before)
    assert len(epochs(world)) == 1
    assert (b"\n" in after.replace(b"\r\n", b"")) == (ending != b"\r\n")
    assert stat.S_IMODE(config(world).stat().st_mode) == 0o640


def test_a_file_of_another_form_is_left_alone_and_said(world: World) -> None:
    workspace = parse_config(config(world).read_bytes()).workspace.id
    start = f'epoch = []\n[workspace]\nid = "{workspace}"\n'
    config(world).write_text(f'{start}[[role]]\nname = "worker"\nlane = ["**"]\n')
    before = config(world).read_bytes()
    with pytest.raises(errors.MalformedConfig):
        enroll(world)
    assert config(world).read_bytes() == before


def test_a_key_that_is_not_on_a_line_of_its_own_is_left_to_a_person(
    world: World, tmp_path: Path
) -> None:
    enroll(world)
    (row,) = epochs(world)
    text = config(world).read_text().replace(f'"{row[1]}"', f'"""{row[1]}"""')
    config(world).write_text(text)
    make_key(str(tmp_path / "key"))
    with pytest.raises(errors.MalformedConfig, match="by hand"):
        enroll(world, file=str(tmp_path / "key"))
    assert config(world).read_text() == text


def test_nothing_is_written_through_a_link_or_into_a_file_that_is_not_there(
    world: World, tmp_path: Path
) -> None:
    aside = tmp_path / "aside.toml"
    config(world).rename(aside)
    with pytest.raises(errors.FactsUnavailable, match="not in this working tree"):
        enroll(world)
    config(world).symlink_to(aside)
    before = aside.read_bytes()
    with pytest.raises(errors.FactsUnavailable, match="link"):
        enroll(world)
    assert aside.read_bytes() == before


def test_a_broken_file_stays_as_it_is(world: World) -> None:
    config(world).write_text("[workspace\n")
    with pytest.raises(errors.MalformedConfig):
        enroll(world)
    assert config(world).read_text() == "[workspace\n"
    assert not (world.folder / "epoch.key").exists(), "and no key is made for nothing"


@pytest.mark.parametrize("holder", ["", " ", "a\nb", "a\x1b[0m", "\udcff", "x" * 300])
def test_what_is_no_name_of_a_holder_is_refused(world: World, holder: str) -> None:
    before = config(world).read_bytes()
    with pytest.raises(errors.Malformed):
        enroll(world, holder=holder)
    assert config(world).read_bytes() == before


def test_a_holder_may_have_quotes_and_any_letters(world: World) -> None:
    enroll(world, holder='Ada "the \\ first" Łódź')
    assert epochs(world)[0][2] == 'Ada "the \\ first" Łódź'


def test_only_a_person_enrolls(world: World) -> None:
    person = world.person()
    assert refusal(person.types("handrail enroll")).code == "needs_person"
    refused = refusal(person.types("handrail enroll", terminal=True))
    assert refused.code == "needs_person"
    assert not epochs(world)
    done = person.types(refused.next, terminal=True)
    assert done.code == 0
    assert len(epochs(world)) == 1


def test_a_dry_run_shows_the_block_and_makes_nothing(world: World) -> None:
    before = config(world).read_bytes()
    done = world.shell().types("handrail enroll --dry-run --holder ada", terminal=True)
    assert done.code == 0
    assert "[[epoch]]" in done.out
    assert 'holder = "ada"' in done.out
    assert config(world).read_bytes() == before
    assert not (world.folder / "epoch.key").exists()


def test_what_is_said_leads_on_to_a_ledger_that_is_signed(world: World, tmp_path: Path) -> None:
    world.repo.git("init", "--quiet", "--bare", str(tmp_path / "remote.git"))
    world.repo.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    person = world.shell()
    done = person.types("handrail enroll", terminal=True)
    step = done.err.splitlines()[-1].removeprefix("next: ")
    done = person.types(step, terminal=True)
    assert done.code == 0, done
    again = person.types("handrail ledger sync --json")
    assert '"signed": true, "enrolled": true' in again.out
    told = person.types("handrail enroll --json", terminal=True)
    assert '"outcome": "same"' in told.out
    assert '"in_force": true' in told.out


def test_a_key_that_cannot_sign_is_refused_and_the_way_on_works(
    world: World, tmp_path: Path
) -> None:
    person = world.shell()
    own = world.folder / "epoch.key"
    own.write_text("garbage")
    own.chmod(0o600)
    refused = refusal(person.types("handrail enroll", terminal=True))
    assert refused.code == "malformed_key"
    assert not epochs(world)
    assert person.types(refused.next, terminal=True).code == 0
    assert len(epochs(world)) == 1
    assert own.with_name("epoch.key.damaged").read_text() == "garbage"
    (tmp_path / "open").write_bytes(own.read_bytes())
    (tmp_path / "open").chmod(0o644)
    refused = refusal(person.types(f"handrail enroll --key {tmp_path}/open", terminal=True))
    assert person.types(refused.next, terminal=True).code == 0
    assert person.types(f"handrail enroll --key {tmp_path}/open", terminal=True).code == 0
    (tmp_path / "open").unlink()
    refused = refusal(person.types("handrail enroll", terminal=True))
    assert person.types(refused.next, terminal=True).code == 0
    with pytest.raises(MalformedKey):
        enroll(world, file=str(tmp_path / "gone"))

"""A configuration that landed comes into force here, if somebody stands for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from handrail.config import blob_id
from handrail.service.following import Followed, Following
from tests.cli.world import World
from tests.service.test_verification import attest

ROLES = """
[[role]]
name = "dev"
lane = ["src/**"]

[[role]]
name = "lead"
lane = ["**"]
coordinates = true
"""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", str(path))
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.fixture
def lanes(world: World, key: Path) -> World:
    """A workspace with roles and a person, in force and committed."""
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    person = f'\n[[person]]\nname = "Ada"\nsigning_keys = ["{public}"]\n'
    world.configure(f'default_role = "dev"\n{ROLES}{person}')
    world.repo.commit("roles")
    return world


def changed(world: World, note: str = "a word more") -> str:
    """Return the configuration with a comment more."""
    return f"{(world.path / 'handrail.toml').read_text()}# {note}\n"


def follow(world: World, tip: str = "HEAD") -> Followed | None:
    commit = world.repo.git("rev-parse", tip)
    with world.open() as application:
        return Following(application.context).follow(commit, "main")


def in_force(world: World) -> str:
    with world.open() as application, application.store.read() as reader:
        found = reader.config()
        assert found is not None
        return found.text


def coordinator_commits(world: World, text: str) -> None:
    lead = world.session(role="lead")
    world.claim(lead, "handrail.toml")
    world.repo.write("handrail.toml", text)
    world.repo.commit("change the law", "handrail.toml")
    attest(world, lead)
    world.release(lead)


def test_what_a_coordinator_landed_comes_into_force(lanes: World) -> None:
    text = changed(lanes)
    coordinator_commits(lanes, text)
    lanes.repo.commit("something after it")
    followed = follow(lanes)
    assert followed is not None
    assert (followed.reason, followed.blob) == ("", blob_id(text.encode()))
    assert followed.seq is not None
    assert in_force(lanes) == text
    assert follow(lanes) is None, "there is nothing new"


def test_what_a_person_signed_comes_into_force(lanes: World, key: Path) -> None:
    text = changed(lanes)
    lanes.repo.write("handrail.toml", text)
    lanes.repo.git("add", "handrail.toml")
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}")
    lanes.repo.git(*signing, "commit", "--quiet", "-S", "-m", "by hand")
    followed = follow(lanes)
    assert followed is not None
    assert followed.reason == ""
    assert in_force(lanes) == text


def test_what_nobody_stands_for_does_not(lanes: World) -> None:
    before = in_force(lanes)
    lanes.repo.write("handrail.toml", changed(lanes))
    commit = lanes.repo.commit("weaker", "handrail.toml")
    followed = follow(lanes)
    assert followed is not None
    assert (followed.seq, followed.commit) == (None, commit)
    assert "knows nothing of it" in followed.reason
    assert in_force(lanes) == before


def test_a_person_who_names_himself_is_not_asked(lanes: World, key: Path, tmp_path: Path) -> None:
    """The keys that count are those in force, not those of the text that would come."""
    mine = tmp_path / "mine"
    words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", str(mine))
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    public = " ".join(mine.with_suffix(".pub").read_text().split()[:2])
    before = in_force(lanes)
    text = f'{before}\n[[person]]\nname = "Me"\nsigning_keys = ["{public}"]\n'
    lanes.repo.write("handrail.toml", text)
    lanes.repo.git("add", "handrail.toml")
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={mine}")
    lanes.repo.git(*signing, "commit", "--quiet", "-S", "-m", "by hand")
    followed = follow(lanes)
    assert followed is not None
    assert followed.seq is None
    assert in_force(lanes) == before


def test_an_older_text_undoes_nothing(lanes: World) -> None:
    """A person applied a newer one here, which has not landed yet."""
    lanes.repo.write("handrail.toml", changed(lanes))
    lanes.configure(f'default_role = "dev"\n{ROLES}')
    newer = in_force(lanes)
    assert follow(lanes, "HEAD") is None
    assert in_force(lanes) == newer


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            '[workspace]\nid = "another"\n[[role]]\nname = "dev"\nlane = ["src/**"]\n',
            "workspace.id is another",
        ),
        ("[[[\n", "handrail.toml:1"),
    ],
)
def test_what_cannot_be_in_force_here_is_told(lanes: World, text: str, reason: str) -> None:
    before = in_force(lanes)
    coordinator_commits(lanes, text)
    followed = follow(lanes)
    assert followed is not None
    assert followed.seq is None
    assert reason in followed.reason
    assert in_force(lanes) == before


def test_a_tip_without_a_configuration_says_nothing(lanes: World) -> None:
    lanes.repo.git("rm", "--quiet", "handrail.toml")
    lanes.repo.git("commit", "--quiet", "-m", "gone")
    assert follow(lanes) is None

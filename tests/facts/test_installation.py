"""Files around a repository: replaced whole, links seen as links, no name lost on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from handrail.errors import FactsUnavailable, StoreReadOnly
from handrail.facts.files import CONFIG_BYTES_MAX
from handrail.facts.installation import Found, Installation
from handrail.facts.repository import locate
from tests.support import Repo

NOTHING = Found("nothing")


@pytest.fixture
def site(repo: Repo) -> Installation:
    return Installation(locate(str(repo.path), {}), ("/python", "/guard", "/site"))


def path_of(repo: Repo, name: str) -> str:
    return str(repo.path / name)


def test_what_stands_somewhere_is_told_by_its_kind(repo: Repo, site: Installation) -> None:
    repo.write("file", "x").chmod(0o640)
    repo.write("large", "x" * (CONFIG_BYTES_MAX + 2))
    (repo.path / "link").symlink_to("nowhere")
    os.mkfifo(repo.path / "pipe")
    assert site.look(path_of(repo, "file")) == Found("file", b"x", 0o640)
    assert site.look(path_of(repo, "link")) == Found("link", b"nowhere")
    assert site.look(path_of(repo, "pipe")).kind == "other"
    assert site.look(path_of(repo, ".git")).kind == "folder"
    assert not site.look(path_of(repo, "large")).whole
    for name in ("none", "file/below", "none/below"):
        assert site.look(path_of(repo, name)) == NOTHING


def test_a_file_is_written_with_the_folders_it_needs(repo: Repo, site: Installation) -> None:
    path = path_of(repo, "a/b/file")
    site.write(path, b"one", NOTHING, 0o600)
    assert site.look(path) == Found("file", b"one", 0o600)
    assert list((repo.path / ".git").glob("*.part")) == []


def test_a_file_keeps_the_permissions_that_it_had(repo: Repo, site: Installation) -> None:
    path = path_of(repo, "file")
    repo.write("file", "old").chmod(0o640)
    site.write(path, b"new", site.look(path), 0o777)
    assert site.look(path) == Found("file", b"new", 0o640)


def test_what_somebody_changed_meanwhile_is_not_replaced(repo: Repo, site: Installation) -> None:
    path = path_of(repo, "file")
    repo.write("file", "old")
    seen = site.look(path)
    repo.write("file", "newer")
    for before in (seen, NOTHING):
        with pytest.raises(FactsUnavailable):
            site.write(path, b"mine", before, 0o666)
    assert (repo.path / "file").read_text() == "newer"
    assert list((repo.path / ".git").glob("*.part")) == []


def test_what_a_killed_process_left_half_written_is_no_obstacle(
    repo: Repo, site: Installation
) -> None:
    (repo.path / ".git" / f"handrail.{os.getpid()}.part").write_text("half")
    site.write(path_of(repo, "file"), b"whole", NOTHING, 0o666)
    assert (repo.path / "file").read_bytes() == b"whole"


def test_what_cannot_be_written_says_why(repo: Repo, site: Installation) -> None:
    repo.write("file", "x")
    with pytest.raises(StoreReadOnly) as told:
        site.write(path_of(repo, "file/below"), b"x", NOTHING, 0o666)
    assert told.value.values["reason"]


def test_what_is_kept_has_both_names_until_another_takes_the_first(
    repo: Repo, site: Installation
) -> None:
    path, aside = path_of(repo, "hook"), path_of(repo, "hook.aside")
    repo.write("hook", "foreign").chmod(0o750)
    site.keep(path, aside)
    assert site.look(path) == site.look(aside) == Found("file", b"foreign", 0o750)
    site.write(path, b"ours", site.look(path), 0o777)
    assert site.look(aside).content == b"foreign"


def test_a_link_is_kept_as_a_link(repo: Repo, site: Installation) -> None:
    (repo.path / "hook").symlink_to("../elsewhere")
    site.keep(path_of(repo, "hook"), path_of(repo, "hook.aside"))
    assert os.readlink(repo.path / "hook.aside") == "../elsewhere"


def test_what_was_kept_before_gets_a_number_and_stays(repo: Repo, site: Installation) -> None:
    path, aside = path_of(repo, "hook"), path_of(repo, "hook.aside")
    for text in ("one", "one", "two", "three"):
        repo.write("hook.new", text)
        os.replace(path_of(repo, "hook.new"), path)
        site.keep(path, aside)
    kept = {each.name: each.read_text() for each in repo.path.glob("hook.aside*")}
    assert kept == {"hook.aside": "three", "hook.aside.1": "one", "hook.aside.2": "two"}


def test_only_an_empty_folder_is_removed(repo: Repo, site: Installation) -> None:
    repo.write("full/file", "x")
    (repo.path / "empty").mkdir()
    for name in ("full", "empty", "none"):
        site.remove_folder(path_of(repo, name))
    assert (repo.path / "full" / "file").exists()
    assert not (repo.path / "empty").exists()


def test_git_says_where_it_looks_for_hooks(repo: Repo, site: Installation, tmp_path: Path) -> None:
    assert site.hooks_folder() == path_of(repo, ".git/hooks")
    for value, folder in (
        ("tools/my hooks", path_of(repo, "tools/my hooks")),
        (str(tmp_path / "two\nlines"), str(tmp_path / "two\nlines")),
        ("~/hooks", os.path.expanduser("~/hooks")),
    ):
        repo.git("config", "core.hooksPath", value)
        assert site.hooks_folder() == folder
    (repo.path / ".git" / "config").write_text("[broken")
    with pytest.raises(FactsUnavailable):
        site.hooks_folder()
    assert not site.ignored(path_of(repo, "file"))


def test_git_says_what_it_ignores(repo: Repo, site: Installation) -> None:
    repo.write(".gitignore", "/out/\n")
    assert site.ignored(path_of(repo, "out/file"))
    assert not site.ignored(path_of(repo, "file"))

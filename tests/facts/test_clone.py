"""The name of a clone, for a store that serves several."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from handrail.errors import FactsUnavailable, StoreCorrupt
from handrail.facts.clone import clone_name


def named(folder: Path, host: str = "ada-laptop") -> str:
    return clone_name(str(folder / "handrail"), str(folder), host)


def test_a_clone_keeps_its_name(tmp_path: Path) -> None:
    first = named(tmp_path)
    assert first.startswith("ada-laptop-")
    assert first == named(tmp_path)
    assert (tmp_path / "handrail").stat().st_mode & 0o077 == 0


def test_a_copy_is_another_clone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first = named(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert named(tmp_path / "b") != first, "in another folder"
    assert named(tmp_path / "a", "bob-laptop")[-6:] != first[-6:], "on another host"
    shutil.rmtree(tmp_path / "a" / "handrail")
    assert named(tmp_path / "a") != first, "cloned anew where one was before"


@pytest.mark.parametrize("host", ["", "-x", "a b\n", "h" * 300, "\N{SNOWMAN}", "\udcff"])
def test_any_host_gives_a_name_that_can_be_kept_and_shown(tmp_path: Path, host: str) -> None:
    name = named(tmp_path, host)
    assert name.isascii()
    assert name.isprintable()
    assert name[0] not in ".-"
    assert len(name) <= 31


def test_what_was_changed_names_nobody(tmp_path: Path) -> None:
    named(tmp_path)
    (tmp_path / "handrail" / "clone").write_text("short\n")
    with pytest.raises(StoreCorrupt):
        named(tmp_path)


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "handrail").write_text("")
    with pytest.raises(FactsUnavailable):
        named(tmp_path)

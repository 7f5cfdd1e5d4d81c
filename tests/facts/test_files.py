"""Handrail's own files: whole or not there, never through a link, secrets for nobody else."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest

from handrail.errors import DiskFull, FactsUnavailable, StoreReadOnly
from handrail.facts.files import CONFIG_BYTES_MAX, Secrets, create_file, read_bounded


def test_a_file_is_read_to_one_byte_past_the_limit_and_no_further(tmp_path: Path) -> None:
    file = tmp_path / "file"
    assert read_bounded(str(file)) is None
    file.write_bytes(b"")
    assert read_bounded(str(file)) == b""
    file.write_bytes(b"x" * 11)
    assert read_bounded(str(file), 11) == b"x" * 11
    assert read_bounded(str(file), 10) == b"x" * 11
    assert read_bounded(str(file), 9) == b"x" * 10
    file.write_bytes(b"x" * (CONFIG_BYTES_MAX + 9))
    assert len(read_bounded(str(file)) or b"") == CONFIG_BYTES_MAX + 1


@pytest.mark.parametrize("make", ["folder", "loop", "below a file"])
def test_what_is_no_readable_file_is_not_taken_for_none(tmp_path: Path, make: str) -> None:
    path = tmp_path / "file"
    if make == "folder":
        path.mkdir()
    elif make == "loop":
        path.symlink_to(path)
    else:
        path.write_text("x")
        path = path / "below"
    with pytest.raises(FactsUnavailable):
        read_bounded(str(path))


def test_a_file_is_written_and_one_that_is_there_stays(tmp_path: Path) -> None:
    scratch, target = tmp_path / "scratch", tmp_path / "file"
    scratch.mkdir()
    create_file(str(target), b"one", str(scratch))
    assert target.read_bytes() == b"one"
    assert target.stat().st_nlink == 1
    create_file(str(target), b"two", str(scratch))
    assert target.read_bytes() == b"one", "of two who come at once, one is first"
    assert sorted(tmp_path.iterdir()) == [target, scratch]
    assert list(scratch.iterdir()) == []


def test_a_file_system_without_second_names_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    create_file(str(tmp_path / "file"), b"one", str(tmp_path))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"one"]


def test_a_link_to_nothing_is_replaced_and_nothing_is_written_through_a_link(
    tmp_path: Path,
) -> None:
    victim, target = tmp_path / "victim", tmp_path / "file"
    victim.write_text("mine")
    target.symlink_to(tmp_path / "nothing")
    (tmp_path / f"file.{os.getpid()}.part").symlink_to(victim)
    create_file(str(target), b"new", str(tmp_path))
    assert victim.read_text() == "mine"
    assert not target.is_symlink()
    assert not (tmp_path / "nothing").exists()
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("failing", ["write", "fsync", "link"])
def test_a_write_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    if failing == "write":
        monkeypatch.setattr("builtins.open", fail)
    else:
        monkeypatch.setattr(os, failing, fail)
        monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(DiskFull):
        create_file(str(tmp_path / "file"), b"new", str(tmp_path))
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreReadOnly) as refused:
        create_file("/proc/nothing-here", b"x", str(tmp_path))
    assert refused.value.values["path"] == "/proc/nothing-here"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("at", range(1, 6))
def test_a_process_killed_half_way_leaves_no_file_or_all_of_it(tmp_path: Path, at: int) -> None:
    scratch, target = tmp_path / "scratch", tmp_path / "file"
    scratch.mkdir()
    child = os.fork()
    if child == 0:
        left = at

        def dying(name: str) -> object:
            real = getattr(os, name)

            def call(*args: object, **given: object) -> object:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **given)

            return call

        try:
            for name in ("open", "fsync", "link", "unlink", "stat"):
                setattr(os, name, dying(name))
            create_file(str(target), b"new" * 10_000, str(scratch))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert not target.exists() or target.read_bytes() == b"new" * 10_000
    assert {path.name for path in tmp_path.iterdir()} <= {"file", "scratch"}
    target.unlink(missing_ok=True)
    create_file(str(target), b"after", str(scratch))
    assert target.read_bytes() == b"after"


def test_a_secret_is_kept_read_and_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "secrets"
    secrets = Secrets(str(folder))
    assert secrets.read("s-1") is None
    secrets.forget("s-1")
    secrets.keep("s-1", "one")
    secrets.keep("s-2", "two")
    secrets.keep("s-1", "three")
    assert (secrets.read("s-1"), secrets.read("s-2")) == ("three", "two")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    secrets.forget("s-1")
    assert secrets.read("s-1") is None
    assert [file.name for file in folder.iterdir()] == ["s-2"]


def test_a_secret_that_is_no_text_is_none(tmp_path: Path) -> None:
    secrets = Secrets(str(tmp_path))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "long").write_bytes(b"x" * 10_000)
    assert [secrets.read(name) for name in ("bytes", "folder", "loop")] == [None, None, None]
    assert len(secrets.read("long") or "") == 256


def test_a_secret_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in ("/proc/nothing-here", str(tmp_path / "file")):
        with pytest.raises(StoreReadOnly):
            Secrets(folder).keep("s-1", "one")
    (tmp_path / "s-1").mkdir()
    with pytest.raises(StoreReadOnly):
        Secrets(str(tmp_path)).forget("s-1")

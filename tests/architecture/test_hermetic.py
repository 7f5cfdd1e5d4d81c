"""What surrounds every test: nothing of the person, the harness or the network around the run."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

import pytest

from tests.support import Machine, NetworkTouched, Repo, locked


def test_the_home_is_empty_and_not_the_real_one() -> None:
    home = Path(os.environ["HOME"])
    assert list(home.iterdir()) == []
    assert Path.home() == home


def test_no_identity_reaches_a_test_from_outside() -> None:
    foreign = ("HANDRAIL_", "AGENT_", "CLAUDE", "CODEX", "GEMINI")
    assert [name for name in os.environ if name.startswith(foreign)] == []
    assert "GIT_DIR" not in os.environ
    assert "NO_COLOR" not in os.environ


def test_a_socket_reaches_this_machine_and_no_other() -> None:
    with pytest.raises(NetworkTouched):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_a_repository_is_the_same_to_the_last_bit_each_time(tmp_path: Path) -> None:
    one, two = Repo.create(tmp_path / "one"), Repo.create(tmp_path / "two")
    assert one.commit("second") == two.commit("second")
    assert one.git("log", "-1", "--format=%an <%ae>") == "Ada Test <ada@example.org>"


def test_who_is_on_the_machine_keeps_out_whoever_must_be_alone(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with machine.shared(alone=False), machine.shared(alone=False):
        assert not _free(tmp_path)
    with machine.shared(alone=True):
        assert not _free(tmp_path)
    assert _free(tmp_path)


def _free(folder: Path) -> bool:
    try:
        with locked(folder / "room", fcntl.LOCK_EX | fcntl.LOCK_NB):
            return True
    except BlockingIOError:
        return False

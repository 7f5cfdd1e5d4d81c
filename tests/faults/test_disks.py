"""A disk that is full or read-only: every command says so, by a stable code, and harms nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Final

import pytest

from handrail.core.events import Event
from handrail.core.handed import WaiverAdded
from handrail.core.lease import Actor
from handrail.edge.cli.nouns import COMMANDS
from handrail.service.handoffs import Offering
from handrail.service.tasks import Tasks
from tests.cli.world import World, make_world
from tests.conftest import surround
from tests.faults.disks import ELSEWHERE, FULL, LINES, READ_ONLY, RENEWING, ROOM, WRITING
from tests.races.handing import Quick
from tests.support import ROOT

CODES: Final = {FULL: "disk_full", READ_ONLY: "store_read_only"}
READING: Final = frozenset(
    {"status", "why", "log", "session list", "task list", "handoff list", "inbox", "store verify"}
)
TIMEOUT_S: Final = 300


def furnish(world: World) -> dict[str, str]:
    """Let there be something for every command to do; returns the numbers that some lines name."""
    world.session(id="ada-1", agent="ada")
    for scope in ("src/api", "docs", "README.md", "gift"):
        world.claim("ada-1", scope)
    with world.open("ada-1") as app:
        handoffs = Quick(app.context, app.packet_files)
        for task in ("fix", "port", "given", "halted"):
            Tasks(app.context).open(task)
        for task in ("fix", "given"):
            handoffs.accept(task)
        handoffs.offer(Offering(task="given", scope=("gift",), message="all of it"))
        for declined in range(3):
            handoffs.decline("halted", "no")
            if declined < 2:
                handoffs.offer(Offering(task="halted", message="again"))
        waiver: Event = WaiverAdded("pushed", None, "no remote", "ada", "terminal", None, None)
        with app.store.transaction() as tx:
            number = tx.commit([waiver], Actor())[-1].seq
        with app.store.read() as reader:
            opened = reader.latest("task.opened", "fix")
    assert opened is not None
    world.repo.write("README.md", "changed\n")
    world.repo.commit("change")
    return {"WAIVER": str(number), "TASK": str(opened.seq)}


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, dict[str, str]]:
    folder = tmp_path_factory.mktemp("disks")
    with pytest.MonkeyPatch.context() as environment:
        # What surrounds a test is not there yet when the first of them asks for this.
        surround(environment, folder, "disks")
        world = make_world(folder / "world", tmp_path_factory.mktemp("templates"))
        return world, furnish(world)


def on_disk(furnished: tuple[World, dict[str, str]], kind: str) -> dict[str, Any]:
    """Run the commands on a disk of a kind, in mounts of their own."""
    world, words = furnished
    point = world.path.parent / kind
    point.mkdir()
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "--net"),
            *(sys.executable, "-P", "-m", "tests.faults.disks"),
            *(str(point), json.dumps(words), kind),
        ],
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "TEMPLATE": str(world.path),
            "HANDRAIL_SESSION": "ada-1",
        },
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)[kind]
    return told


def code_of(row: dict[str, Any]) -> str:
    """Return the stable code of a command that ended with ``row``; '' if it has none to give."""
    assert "Traceback" not in row["out"] + row["err"], row
    assert row["code"] in (0, 1, 2, 3), row
    if row["code"] != 3:
        return ""
    if row["out"] == "":
        # What cannot write its answer says so where it still can.
        return str(row["err"]).split(": ")[1]
    return str(json.loads(row["out"])["error"]["code"])


@pytest.mark.parametrize("kind", CODES)
def test_every_command_says_what_kind_of_disk_it_met_and_harms_nothing(
    furnished: tuple[World, dict[str, str]], kind: str
) -> None:
    told = on_disk(furnished, kind)
    assert told["lines"].keys() == (LINES.keys() if kind == FULL else WRITING)
    codes = {name: code_of(row) for name, row in told["lines"].items()}
    wrong = {name: told["lines"][name] for name in WRITING if codes[name] != CODES[kind]}
    assert wrong == {}
    assert set(codes.values()) <= {"", CODES[kind], "facts_unavailable", "output_closed"}
    for name in READING & codes.keys():
        assert told["lines"][name]["code"] == 0, told["lines"][name]
    assert told["same"], "nothing was entered, and nothing was lost"
    assert told["verifies"]
    assert told["goes on"], "with room again, everything goes on"


@pytest.mark.nightly
def test_what_is_said_to_write_does_so_where_there_is_room(
    furnished: tuple[World, dict[str, str]],
) -> None:
    told = on_disk(furnished, ROOM)["lines"]
    assert {name for name, row in told.items() if row["grown"]} == WRITING - RENEWING
    for name in WRITING | READING:
        assert told[name]["code"] == 0, told[name]


def test_every_command_is_tried() -> None:
    assert {command.path for command in COMMANDS} == LINES.keys() | ELSEWHERE
    assert LINES.keys() >= WRITING | READING

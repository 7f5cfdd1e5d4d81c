"""``backtest`` and the ``lanes`` commands as they are typed: what they need, bound and say."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest

from handrail.edge.cli.commands import backtest as command
from handrail.edge.cli.commands import lanes
from handrail.edge.cli.invocation import Invocation
from handrail.edge.reply import Reply
from tests.cli.world import World, unharmed
from tests.support import Handrail, Repo


@pytest.fixture
def clone(tmp_path: Path) -> Repo:
    """A repository that knows nothing of Handrail, with a branch for each of twelve folders."""
    repo = Repo.create(tmp_path / "clone")
    repo.git("tag", "start")
    for number in range(12):
        repo.git("switch", "--quiet", "-c", f"b{number}", "start")
        repo.write(f"f{number}/a", "a")
        repo.commit("a")
        repo.git("commit", "--quiet", "--amend", "--no-edit", "--author=E\x1b[31mve <eve@host>")
        repo.git("switch", "--quiet", "main")
        repo.git("merge", "--quiet", "--no-ff", "-m", f"Merge branch 'b{number}'", f"b{number}")
    return repo


def everything(root: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != "index"
    }


def test_a_clone_without_handrail_is_enough_and_stays_as_it_is(clone: Repo) -> None:
    handrail, before = Handrail(clone.path), everything(clone.path)
    done = handrail("backtest", "--since", "start")
    assert done.code == 0
    assert done.err == "note: there is no policy, so no lanes to judge by\n"
    assert "in no lane: 12 of 12 paths" in done.out
    policy = clone.path.parent / "policy.toml"
    policy.write_text(
        '[workspace]\nid = "w"\ndefault_role = "f"\n[[role]]\nname = "f"\nlane = ["f0", "f1*/**"]\n'
    )
    done = handrail("backtest", "--since", "start", "--policy", str(policy))
    assert (done.code, done.err) == (0, "")
    assert "would have been refused: 8 outside_lane" in done.out
    assert everything(clone.path) == before


def test_rows_are_bounded_and_hostile_names_are_shown(clone: Repo) -> None:
    policy = clone.path.parent / "policy.toml"
    policy.write_text(
        '[workspace]\nid = "w"\ndefault_role = "f"\n[[role]]\nname = "f"\nlane = ["none"]\n'
    )
    handrail = Handrail(clone.path)
    done = handrail("backtest", "--since", "start", "--policy", str(policy))
    lines = done.out.splitlines()
    assert sum(line.startswith("outside_lane ") for line in lines) == command.TOP
    assert lines.count("and 2 more; --json has them") == 2
    assert "E\\x1b[31mve" in done.out
    assert all(line.isprintable() for line in lines)
    told = handrail("backtest", "--since", "start", "--policy", str(policy), "--json")
    assert told.out.isascii()
    assert len(told.json()["refusals"]) == 12
    with patch.object(command, "ROWS_MAX", 3):
        rows = _run(clone, policy=str(policy)).data["refusals"]
        assert isinstance(rows, list)
        assert len(rows) == 3


def _run(clone: Repo, **values: str | bool) -> Reply:
    invocation = Invocation("backtest", {"directory": str(clone.path), "since": "start", **values})
    try:
        return command.backtest(invocation)
    finally:
        invocation.close()


def test_what_takes_longer_says_how_far_it_is_unless_asked_not_to(
    clone: Repo, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(clone)
    assert capsys.readouterr().err == ""
    with patch.object(command, "QUIET_S", 0):
        _run(clone)
        assert capsys.readouterr().err == "24 commits read; judging\n"
        _run(clone, quiet=True)
        assert capsys.readouterr().err == ""


def test_what_an_import_tells_is_bounded_and_json_has_all_of_it(world: World) -> None:
    person = world.shell()
    text = "".join(f"!f{number} @x\n" for number in range(lanes.TOLD_MAX + 5)) + "/docs @docs\n"
    world.repo.write("CODEOWNERS", text)
    with unharmed(world.store):
        done = person.handrail("lanes", "import", "--dry-run")
        assert done.err.count("not translated") == lanes.TOLD_MAX
        assert "and 5 more; --json has them all" in done.err
        told = person.handrail("lanes", "import", "--dry-run", "--json")
    assert len(told.json()["untranslated"]) == lanes.TOLD_MAX + 5


def test_what_an_import_says_next_puts_the_lanes_into_force(world: World) -> None:
    person = world.shell()
    world.repo.write("CODEOWNERS", "/docs/ @acme/docs\n")
    done = person.handrail("lanes", "import")
    step = done.err.splitlines()[-1]
    assert step.startswith("next: ")
    assert person.types(step.removeprefix("next: "), terminal=True).code == 0
    exported = person.handrail("lanes", "export", "-q")
    assert exported.out.splitlines()[1:] == ["* @worker", "/docs @worker @docs"]


def test_an_export_is_whole_and_replaces_nothing(world: World) -> None:
    person = world.shell()
    target = world.repo.write("OWNERS", "mine\n")
    assert person.handrail("lanes", "export", "-o", "OWNERS").code == 2
    assert target.read_text() == "mine\n"
    assert person.handrail("lanes", "export", "-o", os.path.join("no", "folder")).code == 3
    done = person.handrail("lanes", "export", "-o", "NEW")
    assert (done.code, done.err) == (0, "")
    assert (world.path / "NEW").read_text() == person.handrail("lanes", "export").out

"""The guide for directives: its transcript is what happens, and every deviation has its test."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from tests.compat.directive_ground import Ground, make_ground
from tests.support import ROOT, launcher

GUIDE: Final = (ROOT / "docs" / "guides" / "directive.md").read_text(encoding="utf-8")
TESTS: Final = ROOT / "tests"
MODULES: Final = (
    *("compat/test_directive_commands.py", "compat/test_directive_flow.py"),
    *("projections/test_directive.py", "service/test_directives.py"),
)


def part(name: str) -> str:
    """Return what stands between the marks of a name."""
    found = re.search(rf"<!-- begin: {name} -->\n(.*?)<!-- end: {name} -->", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A repository whose people follow the directives' documents."""
    return make_ground(tmp_path, tmp_path_factory.mktemp("directive-template"))


def test_the_transcript_is_what_happens_each_line_in_a_process_of_its_own(
    ground: Ground, tmp_path: Path
) -> None:
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ |```).*\n)*)", part("transcript"), re.MULTILINE)
    assert len(steps) > 15
    program = tmp_path / "bin" / "handrail"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(launcher())} "$@"\n')
    program.chmod(0o755)
    environment = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    for line, wanted in steps:
        if line.startswith("export "):
            name, _, value = shlex.split(line)[1].partition("=")
            value = value.replace("$PWD", str(ground.path))
            environment[name] = value.replace("$PATH", environment["PATH"])
            continue
        done = ground.types(line, environment)
        said = done.out if done.code == 0 else "".join(done.err.partition("  next: ")[:1])
        told = said + (f"[exit {done.code}]\n" if done.code else "")
        assert told == wanted, done


def test_every_deviation_has_its_test() -> None:
    names: set[str] = set()
    for module in MODULES:
        text = (TESTS / module).read_text("utf-8")
        names |= set(re.findall(r"^def (test_\w+)\(", text, re.MULTILINE))
    rows = [row.split(" | ") for row in part("deviations").splitlines()[2:]]
    assert len(rows) >= 15
    for row in rows:
        assert len(row) == 3, row
        assert row[2].strip(" |`") in names, row

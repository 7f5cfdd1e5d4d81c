"""The guide for cooperation: its transcript is what happens, and every deviation has its test."""

from __future__ import annotations

import re
from typing import Final

from handrail.service.install.preset_table import PRESET_FILES, Script
from tests.compat.cooperation_ground import MOB, Ground
from tests.support import ROOT

GUIDE: Final = (ROOT / "docs" / "guides" / "cooperation.md").read_text(encoding="utf-8")
TESTS: Final = ROOT / "tests"
SHOWN: Final = "coop-20260601-090000-tid"
RESOURCES: Final = ROOT / "src" / "handrail" / "presets" / "cooperation"


def part(name: str) -> str:
    """Return what stands between the marks of a name."""
    found = re.search(rf"<!-- begin: {name} -->\n(.*?)<!-- end: {name} -->", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_transcript_is_what_happens_each_line_in_a_process_of_its_own(mob: Ground) -> None:
    text = part("transcript")
    steps = re.findall(r"^(\w+)\$ (.*)\n((?:(?!\w+\$ |```).*\n)*)", text, re.MULTILINE)
    assert len(steps) > 15
    person, agent = mob.shell(), mob.shell(HANDRAIL_SESSION=MOB)
    task = SHOWN
    for who, line, wanted in steps:
        typed = line.replace(SHOWN, task)
        if who == "ada":
            done = person.types(typed, terminal=True)
        else:
            done = agent.types(typed)
        if task == SHOWN:
            task = done.out.split("task=")[1].split()[0]
            assert re.fullmatch(r"coop-\d{8}-\d{6}-tid", task)
        assert (done.code, done.out.replace(task, SHOWN)) == (0, wanted), (line, done.err)


def test_every_deviation_has_its_test() -> None:
    names = set()
    modules = (
        *TESTS.glob("compat/test_cooperation_*.py"),
        TESTS / "projections/test_cooperation.py",
    )
    for module in modules:
        names |= set(re.findall(r"^def (test_\w+)\(", module.read_text("utf-8"), re.MULTILINE))
    rows = [row.split(" | ") for row in part("deviations").splitlines()[2:]]
    assert len(rows) >= 20
    for row in rows:
        assert len(row) == 3, row
        assert row[2].strip(" |`") in names, row


def test_no_command_puts_what_was_typed_into_a_shell() -> None:
    scripts = [one for one in PRESET_FILES["cooperation"] if isinstance(one, Script)]
    texts = [(RESOURCES / one.resource).read_text("utf-8") for one in scripts if not one.runs]
    assert len(texts) == 5
    for text in texts:
        lines = text.splitlines()
        assert lines[:2] == ["---", "# handrail:shim"]
        assert "!`" not in text
        assert "allowed-tools" not in text
        for at, line in enumerate(lines):
            if "$ARGUMENTS" in line:
                assert (line, lines[at - 1][:1]) == ("$ARGUMENTS", "<")

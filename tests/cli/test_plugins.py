"""Gates that an installed distribution brings: named before they run, not believed blindly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.config import parse_config
from handrail.config.compiled import compile_settings, load_compiled
from handrail.errors import MalformedConfig
from tests.cli.world import Person, World

ROLE: Final = '\n[[role]]\nname = "worker"\nlane = ["**"]\n[gates]\n'
GOOD: Final = """
from handrail.gates.facts import Facts, Standing
from handrail.gates.gate import Gate, Objection

print("on stdout while it is loaded")
CLEAN = Facts(standing=Standing("1" * 40, "2" * 40, None, (), ""))
DIRTY = Facts(standing=CLEAN.standing._replace(dirty=("LICENCE.draft",)))


def judge(facts):
    print("on stdout while it judges")
    return [
        Objection("draft_left", "a draft is left", path, "rm LICENCE.draft")
        for path in facts.standing.dirty
        if path.endswith(".draft")
    ]


gate = Gate("x", ("pre-handoff",), ("standing",), judge, "No draft is left.", cases=(CLEAN, DIRTY))
no_cases = gate._replace(cases=None)
broken = gate._replace(cases=(DIRTY, CLEAN))
raises = gate._replace(judge=lambda facts: 1 / 0)
leaves = gate._replace(judge=lambda facts: exit(0))
babbles = gate._replace(judge=lambda facts: ["pass"])
stageless = gate._replace(stages=("whenever",))
needy = gate._replace(needs=("secrets",))
nothing = "pass"
"""
NAMES: Final = ("gate", "no_cases", "broken", "raises", "leaves", "babbles", "stageless", "needy")


@pytest.fixture
def person(world: World, tmp_path: Path) -> Person:
    """A distribution is installed beside Handrail, and one more that cannot even be imported."""
    site = tmp_path / "site"
    about = site / "acme_gates-1.0.dist-info"
    about.mkdir(parents=True)
    about.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: acme-gates\nVersion: 1.0\n")
    points = [f"{name} = acme_gates:{name}" for name in (*NAMES, "nothing", "absent")]
    points += ["crash = acme_crash:gate"]
    about.joinpath("entry_points.txt").write_text("\n".join(["[handrail.gates]", *points, ""]))
    site.joinpath("acme_gates.py").write_text(GOOD)
    site.joinpath("acme_crash.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\nraise OSError\n"
    )
    return world.shell(PYTHONPATH=str(site))


def told(person: Person, *words: str) -> tuple[int, dict[str, Any]]:
    done = person.handrail("check", *words, "--json")
    return done.code, {one["gate"]: one for one in json.loads(done.out)["gates"]}


def test_a_plugin_runs_if_it_is_named_and_as_much_as_it_is_said_to(
    world: World, person: Person, tmp_path: Path
) -> None:
    world.repo.write("LICENCE.draft", "x\n")
    off = 'committed = "off"\n'
    code, gates = told(person, "pre-handoff")
    assert "plugin:gate" not in gates
    for level, wanted in (("block", 1), ("advise", 0)):
        world.configure(f'{ROLE}{off}"plugin:gate" = "{level}"\n')
        code, gates = told(person, "pre-handoff")
        assert (code, gates["plugin:gate"]["verdict"]) == (wanted, "fail")
    world.configure(f'{ROLE}{off}"plugin:gate" = "block"\n"plugin:crash" = "off"\n')
    done = person.handrail("check", "pre-handoff", "--only", "plugin:gate")
    assert done.out.splitlines()[-1] == "next: rm LICENCE.draft"
    assert person.types("rm LICENCE.draft && handrail check pre-handoff").code == 0
    assert "plugin:gate" not in told(person, "land")[1]
    assert not (tmp_path / "ran").exists()


BROKEN: Final = {
    "missing": "no installed distribution offers it",
    "absent": "cannot be loaded (AttributeError",
    "crash": "cannot be loaded (OSError",
    "nothing": "is no handrail.gates.gate.Gate",
    "stageless": "names a stage that is none",
    "needy": "there is no fact secrets",
    "raises": "ZeroDivisionError",
    "leaves": "wanted to end the program",
    "babbles": "no list of at most",
}


def test_of_a_plugin_that_does_not_work_nobody_can_tell(world: World, person: Person) -> None:
    levels = "".join(f'"plugin:{name}" = "block"\n' for name in BROKEN)
    world.configure(f'{ROLE}committed = "off"\n{levels}')
    code, gates = told(person, "pre-handoff")
    assert code == 3
    for name, why in BROKEN.items():
        found = gates[f"plugin:{name}"]
        assert found["verdict"] == "cannot-tell", name
        assert why in found["reason"], name


def test_a_plugin_that_is_missing_says_how_it_is_installed(world: World, person: Person) -> None:
    world.configure(f'{ROLE}committed = "off"\n"plugin:missing" = "block"\n')
    done = person.handrail("check", "pre-handoff")
    assert done.out.splitlines()[-1] == "next: python -m pip install DISTRIBUTION"
    assert person.handrail("check", "publish").code == 3


def test_the_self_test_tries_what_a_plugin_brings(world: World, person: Person) -> None:
    levels = "".join(f'"plugin:{name}" = "block"\n' for name in ("gate", "no_cases", "broken"))
    world.configure(f"{ROLE}{levels}")
    code, gates = told(person, "--self-test")
    assert code == 1
    assert [gates[f"plugin:{name}"]["verdict"] for name in ("gate", "no_cases", "broken")] == [
        *("pass", "pass", "fail")
    ]
    assert not gates["plugin:no_cases"]["applicable"]


@pytest.mark.parametrize("key", ["plugin:", "plugin:a b", "plugin", "Plugin:gate", "plugin:a/b"])
def test_a_plugin_is_named_as_such_or_the_configuration_is_refused(key: str) -> None:
    text = f'[workspace]\nid = "x"{ROLE}"{key}" = "block"\n'
    with pytest.raises(MalformedConfig) as refused:
        parse_config(text.encode())
    assert "there is no key" in refused.value.message


def test_what_plugins_are_switched_on_is_pinned_with_the_configuration() -> None:
    text = f'[workspace]\nid = "x"{ROLE}pushed = "off"\n"plugin:b" = "advise"\n"plugin:a" = "off"\n'
    settings = parse_config(text.encode())
    assert [row.id for row in settings.builtin_gates] == ["pushed", "plugin:a", "plugin:b"]
    assert settings.gate_level("plugin:b") == "advise"
    assert load_compiled(compile_settings(settings)) == settings
    many = "".join(f'"plugin:p{number}" = "block"\n' for number in range(33))
    with pytest.raises(MalformedConfig):
        parse_config(f'[workspace]\nid = "x"{ROLE}{many}'.encode())

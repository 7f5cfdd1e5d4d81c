"""Several presets as one text: joined by tables and keys, refused where they contradict."""

from __future__ import annotations

import doctest
import tomllib
from itertools import permutations
from typing import Any

import pytest

from handrail.config import joining, parse_config, preset_names, render_preset
from handrail.config.joining import joined, listed
from handrail.config.vocabulary import LEVELS
from handrail.errors import Usage


def both(one: str, other: str) -> dict[str, Any]:
    """Join two texts and read what comes of them."""
    return tomllib.loads(joined((("one", one), ("other", other))))


def contradiction(one: str, other: str) -> Usage:
    with pytest.raises(Usage) as caught:
        joined((("one", one), ("other", other), ("third", "")))
    return caught.value


def test_the_examples_hold() -> None:
    assert doctest.testmod(joining).failed == 0


@pytest.mark.parametrize("names", list(permutations(preset_names(), 3)))
def test_presets_join_in_any_order_to_the_same_settings(names: tuple[str, ...]) -> None:
    settings = parse_config(render_preset(",".join(names), "acme-web-3fk2ap").encode())
    alone = [parse_config(render_preset(name, "acme-web-3fk2ap").encode()) for name in names]
    roles = {role for one in alone for role in one.roles if role.lane != ("**",)}
    assert set(settings.roles) == roles
    assert settings.phases == tuple(phase for one in alone for phase in one.phases)
    assert set(settings.references.docs) == {doc for one in alone for doc in one.references.docs}
    for one in alone:
        if one.workspace.roles_per_session == "many":
            assert settings.workspace.roles_per_session == "many"
        assert set(one.projections) <= set(settings.projections)
        assert set(one.folders) <= set(settings.folders)
        for level in one.builtin_gates:
            assert LEVELS.index(settings.gate_level(level.id)) <= LEVELS.index(level.level)


@pytest.mark.parametrize("name", preset_names())
def test_minimal_adds_nothing_and_a_preset_joined_with_itself_is_itself(name: str) -> None:
    alone = render_preset(name, "w")
    assert render_preset(f"{name},minimal", "w") == alone
    assert render_preset(f" minimal , {name},{name}", "w") == alone


def test_a_joined_text_keeps_every_reason_of_both() -> None:
    text = render_preset("lanes,mosaic", "w")
    of_the_role_left_out = "# One role owns everything"
    for name in ("lanes", "mosaic"):
        for line in render_preset(name, "w").splitlines():
            if line.startswith("#"):
                assert text.count(line) == (not line.startswith(of_the_role_left_out)), line
    assert max(map(len, text.splitlines())) <= 100


def test_what_only_one_says_stands_as_it_says_it() -> None:
    one = "# Why so\n[limits]\nttl = '2h'  # long\n"
    other = '[handoff]\n# and this\nhalt_after = 5\n\n# [[person]]\n# name = "Ada"\n'
    assert joined((("one", one), ("other", other))) == one + "\n" + other


def test_rows_of_one_name_that_say_the_same_are_one() -> None:
    row = '[[role]]\nname = "docs"\nlane = ["docs/**"]\n'
    more = '\n[[role]]\nname = "web"\nlane = ["site/**"]\n'
    assert [role["name"] for role in both(row + more, row)["role"]] == ["docs", "web"]
    assert [role["name"] for role in both(row, more)["role"]] == ["docs", "web"]


def test_a_role_with_another_lane_is_refused_with_both_names() -> None:
    refused = contradiction(
        '[[role]]\nname = "docs"\nlane = ["docs/**"]\n',
        '[[role]]\nname = "docs"\nlane = ["*.md"]\n',
    )
    assert refused.message == (
        'The presets one and other contradict each other: role "docs": lane is ["docs/**"] in one'
        ' and ["*.md"] in other.'
    )
    assert refused.next == "handrail init --preset one,third"


@pytest.mark.parametrize(
    ("table", "named", "key", "one", "other"),
    [
        ("[[role]]", "name", "note", '"a.md"', None),
        ("[[phase]]", "name", "role", '"a"', '"b"'),
        ("[[gate]]", "id", "run", '["make"]', '["just"]'),
        ("[[projection]]", "path", "format", '"lanes-note"', '"mosaic-log"'),
    ],
)
def test_any_row_of_one_name_that_says_something_else_is_refused(
    table: str, named: str, key: str, one: str, other: str | None
) -> None:
    head = f'{table}\n{named} = "x"\n'
    rest = f"{key} = {other}\n" if other else ""
    refused = contradiction(f"{head}{key} = {one}\n", head + rest)
    assert f'"x": {key} is {one} in one and {other or "not there"} in other' in refused.message


def test_of_two_values_of_a_key_the_one_that_is_not_the_default_counts() -> None:
    default, other = '[limits]\nttl = "90m"\n', '[limits]\nttl = "30m"\n'
    assert both(default, other)["limits"]["ttl"] == "30m"
    assert both(other, default)["limits"]["ttl"] == "30m"
    refused = contradiction(other, '[limits]\nttl = "1h"\n')
    assert 'ttl of [limits] is "30m" in one and "1h" in other.' in refused.message


@pytest.mark.parametrize("levels", list(permutations(("block", "advise", "off"), 2)))
def test_of_two_levels_of_a_gate_the_stricter_counts(levels: tuple[str, str]) -> None:
    one, other = (f'[gates]\npushed = "{level}"\n' for level in levels)
    strictest = min(levels, key=("block", "advise", "off").index)
    assert both(one, other)["gates"]["pushed"] == strictest


def test_lists_are_joined() -> None:
    one = '[references]\n# read these\ndocs = ["a.md", "b.md"]\n'
    other = '[references]\ndocs = [\n  "b.md",\n  "c.md",\n]\n'
    text = joined((("one", one), ("other", other)))
    assert text == '[references]\n# read these\ndocs = ["a.md", "b.md", "c.md"]\n'


def test_a_role_that_owns_everything_is_left_out_where_others_divide() -> None:
    worker = '[[role]]\nname = "worker"\nlane = ["**"]\n'
    web = '[[role]]\nname = "web"\nlane = ["site/**"]\n'
    assert both(worker, web)["role"] == both(web, worker)["role"]
    assert [role["name"] for role in both(worker, web)["role"]] == ["web"]
    assert [role["name"] for role in both(worker, worker)["role"]] == ["worker"]


@pytest.mark.parametrize("values", [[], ["a"], ['say "hi"', "ä"], [f"{n:030d}" for n in range(9)]])
def test_a_list_is_written_as_it_is_read(values: list[str]) -> None:
    lines = listed("key", values)
    assert tomllib.loads("\n".join(lines)) == {"key": values}
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("asked", ["", ",", "lanes,", "lanes;mosaic", "minimal,x\ny", "../lanes"])
def test_what_is_no_preset_is_refused_by_name(asked: str) -> None:
    with pytest.raises(Usage) as caught:
        render_preset(asked, "w")
    assert caught.value.message.startswith('There is no preset "')
    assert f"known: {', '.join(preset_names())}." in caught.value.message
    assert "\n" not in caught.value.message

"""The presets: each renders to a right configuration; the minimal one teaches in forty lines."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

from handrail.config import parse_config, preset_names, render_preset
from handrail.errors import MalformedConfig, Usage
from tests.config.samples import SMALL


def test_every_preset_renders_to_a_right_configuration_of_the_workspace() -> None:
    assert "minimal" in preset_names()
    for name in preset_names():
        for mode in ("shadow", "warn", "enforce"):
            settings = parse_config(render_preset(name, "acme-web-3fk2ap", mode=mode).encode())
            assert settings.workspace.id == "acme-web-3fk2ap"
            assert settings.workspace.mode == mode


def test_the_minimal_preset_lets_one_role_work_everywhere_and_enforces() -> None:
    settings = parse_config(render_preset("minimal", "w").encode())
    assert [(role.name, role.lane) for role in settings.roles] == [("worker", ("**",))]
    assert settings.workspace.default_role == "worker"
    assert settings.mode("edit") == "enforce"


def test_the_minimal_preset_is_short_enough_to_be_read() -> None:
    lines = render_preset("minimal", "acme-web-3fk2ap").split("\n")
    assert len(lines) <= 41
    assert max(map(len, lines)) <= 100


def test_each_key_that_the_minimal_preset_offers_in_a_comment_is_right() -> None:
    offered = []
    for line in render_preset("minimal", "w").split("\n"):
        bare = line.removeprefix("# ")
        is_key = bare.startswith("[") or bare.partition(" = ")[0].isidentifier()
        offered.append(bare if is_key else "")
    settings = parse_config("\n".join(offered).encode())
    assert settings.workspace.exempt
    assert settings.contended
    assert settings.roles[0].reading
    assert [role.name for role in settings.roles] == ["worker", "docs"]
    assert [gate.id for gate in settings.gates] == ["unit-tests"]


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(Usage) as caught:
        render_preset("minimum", "w")
    known = ", ".join(preset_names())
    assert caught.value.message == f'There is no preset "minimum"; known: {known}.'
    assert caught.value.next == "handrail init --preset minimal"


@pytest.mark.parametrize(
    "workspace_id", ["", "two words", 'x"\nmode = "shadow', "x\\", "\x7f", "é", "\udce9", "😀"]
)
def test_what_is_no_workspace_id_is_refused_and_cannot_write_other_keys(workspace_id: str) -> None:
    with pytest.raises(MalformedConfig) as caught:
        render_preset("minimal", workspace_id)
    assert caught.value.values["line"] == 5


def test_what_is_no_mode_is_refused() -> None:
    with pytest.raises(MalformedConfig):
        render_preset("minimal", "w", mode="strict")


@pytest.mark.parametrize(
    "module", ["lines", "settings", "records", "kinds", "parse", "preset", "vocabulary"]
)
def test_the_examples_in_the_documentation_of_the_code_hold(module: str) -> None:
    names = {"settings": parse_config(SMALL.encode())}
    result = doctest.testmod(import_module(f"handrail.config.{module}"), extraglobs=names)
    assert result.attempted > 0
    assert result.failed == 0


def test_the_example_of_the_role_record_holds() -> None:
    assert doctest.testmod(import_module("handrail.core.role")).failed == 0

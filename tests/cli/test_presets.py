"""Presets from the command line: begun with, repeated, where the original runs, taken out again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.config import parse_config, preset_names, split_presets
from handrail.service.install.preset_files import is_shim
from handrail.service.install.preset_table import PRESET_FILES, Script
from tests.cli.test_init import tree, uninstall
from tests.support import Handrail, Repo

CONTRACTS: Final[dict[str, Any]] = {
    "role_order": ["topic00", "topic07", "website", "ops-tooling", "mobile", "integrator"],
    "owned_lane_roles": ["topic00", "topic07", "website", "ops-tooling", "mobile"],
    "lane_note_by_role": {
        "topic00": "content/topics/topic00_basics/topic00_agent_working_note.md",
        "mobile": "apps/mobile/mobile_agent_working_note.md",
    },
    "ignored_prefixes": ["site/_site/", "build"],
    "legacy_website_source_files": ["index.qmd"],
    "legacy_website_source_prefixes": ["pages/"],
    "role_ordre": [],
}
COORDINATION: Final = {
    "schema_version": 1,
    "leases": [],
    "handoffs": [
        {
            "timestamp": "2026-02-15T10:00:00.000000Z",
            "session_id": "2026-02-15-a",
            "from_role": "topic03",
            "to_role": "website",
            "scope": "site/src",
            "note": "moved",
        }
    ],
    "conflicts": [],
}
THEIR_SCRIPT: Final = "#!/usr/bin/env python3\nprint('theirs')\n"


def steps(done: dict[str, Any], root: Path) -> dict[str, str]:
    """Return what became of each file, by its path from the top."""
    files = {step["what"].removeprefix(f"{root}/"): step["outcome"] for step in done["files"]}
    shown = {one["path"]: one["outcome"] for one in done["projections"]}
    return {**shown, **files}


def settings(repo: Repo) -> Any:
    return parse_config((repo.path / "handrail.toml").read_bytes())


def original(repo: Repo) -> None:
    """Let the original of the lanes run here."""
    repo.write("ops/tracker/contracts.json", json.dumps(CONTRACTS))
    repo.write("ops/tracker/coordination.json", json.dumps(COORDINATION, indent=2) + "\n")
    repo.write("scripts/agent_coord.py", THEIR_SCRIPT).chmod(0o755)
    repo.write("ops/HUMAN_QUICKSTART.md", "# Theirs\n")
    repo.commit("the original")


@pytest.mark.parametrize(
    "asked",
    [
        "lanes,mosaic",
        pytest.param("lanes", marks=pytest.mark.nightly),
        pytest.param("mosaic", marks=pytest.mark.nightly),
    ],
)
def test_a_preset_is_begun_with_repeated_and_taken_out_without_a_trace(
    repo: Repo, handrail: Handrail, tmp_path: Path, asked: str
) -> None:
    before = tree(repo.path)
    planned = handrail("init", "--preset", asked, "--dry-run", "--json")
    assert planned.code == 0, planned.err
    assert tree(repo.path) == before
    done = handrail("init", "--preset", asked, "--json")
    assert done.code == 0, done.err
    root = repo.path
    assert set(steps(done.json(), root)) == set(steps(planned.json(), root))
    files = {file.path for name in split_presets(asked) for file in PRESET_FILES[name]}
    for path in files | {".gitattributes", "handrail.toml"}:
        assert (root / path).is_file(), path
    after = tree(root)
    again = handrail("init", "--json").json()
    assert {step["outcome"] for step in again["files"]} == {"kept"}
    assert tree(root) == after
    assert handrail("doctor").code == 0
    uninstall(repo, tmp_path / "scratch")
    assert tree(root) == before
    assert "merge.handrail" not in repo.git("config", "--local", "--list")


def test_where_the_original_runs_its_roles_and_history_are_taken_and_its_scripts_kept(
    repo: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    original(repo)
    before = tree(repo.path)
    foreseen = handrail("init", "--preset", "lanes", "--dry-run")
    assert tree(repo.path) == before
    done = handrail("init", "--preset", "lanes", "--json")
    assert done.code == 0, done.err
    after = tree(repo.path)
    scripts = {
        file.path for file in PRESET_FILES["lanes"] if isinstance(file, Script)
    } & before.keys()
    for path in scripts:
        assert after[f"{path}.before-handrail"] == before[path]
        assert is_shim((repo.path / path).read_bytes())
    assert {path: after[path] for path in before if path not in scripts} == {
        path: seen for path, seen in before.items() if path not in scripts
    }
    shown = {one["path"]: one for one in done.json()["projections"]}
    assert shown["ops/tracker/coordination.json"]["kept"] == 1
    told = shown["ops/tracker/contracts.json"]["told"]
    assert [(one["place"], one["suggestion"]) for one in told] == [("role_ordre", "role_order")]
    assert "ops/tracker/contracts.json: role_ordre: " in foreseen.err
    assert "would be imported  ops/tracker/coordination.json: 1 row\n" in foreseen.out
    log = handrail("log", "--json").json()
    imported = [entry for entry in log["entries"] if entry["kind"] == "projection.row"]
    assert len(imported) == 1
    uninstall(repo, tmp_path / "scratch")
    assert tree(repo.path) == before


def test_roles_notes_and_outputs_are_those_of_the_original(repo: Repo, handrail: Handrail) -> None:
    original(repo)
    assert handrail("init", "--preset", "lanes").code == 0
    found = settings(repo)
    roles = {role.name: role for role in found.roles}
    assert list(roles) == CONTRACTS["role_order"]
    assert roles["topic00"].note == CONTRACTS["lane_note_by_role"]["topic00"]
    assert roles["topic07"].lane == ("content/topics/topic07_*/**",)
    assert roles["mobile"].lane == ("apps/mobile/**",)
    assert roles["website"].lane == ("site/**", "pages/**", "index.qmd")
    assert [role.name for role in found.roles if role.coordinates] == ["integrator"]
    assert found.workspace.exempt == ("site/_site/**", "build*", "build*/**")
    notes = {one.path for one in found.projections if one.format == "lanes-note"}
    assert notes == {role.note for role in found.roles if role.note}
    text = (repo.path / "handrail.toml").read_text()
    assert "# A role owns the paths of its lane" in text
    assert max(map(len, text.splitlines())) <= 100


ODD_CONTRACTS: Final = ("", "[]", '{"role_order": 7}', "<<<<<<< a\n", "\x00")


@pytest.mark.parametrize(
    "content", ["{", *(pytest.param(odd, marks=pytest.mark.nightly) for odd in ODD_CONTRACTS)]
)
def test_contracts_that_cannot_be_read_are_said_and_the_preset_counts(
    repo: Repo, handrail: Handrail, content: str
) -> None:
    repo.write("ops/tracker/contracts.json", content)
    done = handrail("init", "--preset", "lanes")
    assert done.code == 0, done.err
    assert "note: ops/tracker/contracts.json: " in done.err
    assert [role.name for role in settings(repo).roles][-1] == "integrator"
    assert (repo.path / "ops/tracker/contracts.json").read_text() == content


def test_the_prompt_may_lie_where_the_original_keeps_it(repo: Repo, handrail: Handrail) -> None:
    elsewhere = ".ai-agents/AI_AGENT_PROMPT.md"
    repo.write(elsewhere, "# Theirs\n")
    (repo.path / ".mosaic").mkdir()
    (repo.path / ".mosaic/LATEST_HANDOFF.md").symlink_to("SESSION_HANDOFF_2026-01-19_PATHFINDER.md")
    done = handrail("init", "--preset", "mosaic")
    assert done.code == 0, done.err
    dangling = "the link leads to SESSION_HANDOFF_2026-01-19_PATHFINDER.md, and there is no such"
    assert dangling in done.err
    assert (repo.path / ".mosaic/LATEST_HANDOFF.md").is_symlink()
    assert not (repo.path / "AI_AGENT_PROMPT.md").exists()
    text = (repo.path / elsewhere).read_text()
    assert text.startswith("# Theirs\n\n<!-- handrail:begin mosaic-")
    assert "--pre-handoff" in text
    assert "--post-handoff" in text
    assert elsewhere in settings(repo).references.docs


def test_state_files_as_the_original_left_them_are_read_told_of_and_left(
    repo: Repo, handrail: Handrail
) -> None:
    blocker = {"id": "B001", "title": "x", "severity": "high", "status": "active"}
    repo.write(".mosaic/agent_state.json", '{"version": 1, "last_mo')
    repo.write(".mosaic/blockers.json", json.dumps({"version": 1, "blockers": [blocker]}))
    repo.write(".mosaic/current_task.json", "[]")
    gate = repo.write(".mosaic/enforcement/session-gate.sh", "#!/bin/sh\nexit 0\n")
    gate.chmod(0o755)
    before = tree(repo.path)
    done = handrail("init", "--preset", "mosaic", "--json")
    assert done.code == 0, done.err
    after = tree(repo.path)
    moved = ".mosaic/enforcement/session-gate.sh"
    assert after[f"{moved}.before-handrail"] == before[moved]
    assert all(after[path] == seen for path, seen in before.items() if path != moved)
    shown = {one["path"]: one for one in done.json()["projections"]}
    outcomes = {path: one["outcome"] for path, one in shown.items()}
    assert outcomes[".mosaic/agent_state.json"] == outcomes[".mosaic/current_task.json"] == "left"
    told = shown[".mosaic/blockers.json"]["told"]
    assert ("blockers[0].status", "open") in [(one["place"], one["suggestion"]) for one in told]


def test_a_configuration_that_is_there_counts_and_that_is_said(
    repo: Repo, handrail: Handrail
) -> None:
    assert handrail("init").code == 0
    before = tree(repo.path)
    done = handrail("init", "--preset", "lanes")
    assert done.code == 0, done.err
    assert "note: handrail.toml was there and counts; nothing of --preset" in done.err
    assert tree(repo.path) == before


def test_presets_that_are_none_are_refused_before_anything_is_written(
    repo: Repo, handrail: Handrail
) -> None:
    done = handrail("init", "--preset", "lanes,lane")
    assert done.code == 2
    assert f'There is no preset "lane"; known: {", ".join(preset_names())}.' in done.err
    assert not (repo.path / "handrail.toml").exists()


def test_what_is_lost_of_a_preset_is_said_and_comes_back(repo: Repo, handrail: Handrail) -> None:
    handrail("init", "--preset", "lanes")
    repo.git("config", "--remove-section", "merge.handrail")
    (repo.path / ".gitattributes").write_text("*.png binary\n")
    lost = handrail("doctor")
    assert lost.code == 1
    assert ".git/config: merge.handrail is not as written" in lost.out
    assert ".gitattributes: the lines for merging are not as written" in lost.out
    mended = handrail("doctor", "--repair")
    assert mended.code == 0, mended.out
    assert (repo.path / ".gitattributes").read_text().startswith("*.png binary\n\n# handrail:begin")
    assert handrail("doctor").code == 0


@pytest.mark.sampled(2)
@pytest.mark.parametrize("preset", sorted(PRESET_FILES))
def test_where_nothing_was_before_all_that_is_watched_is_there_or_to_come(
    repo: Repo, preset: str
) -> None:
    handrail = Handrail(repo.path)
    assert handrail("init", "--preset", preset).code == 0
    repo.commit("the preset")
    done = handrail("check", "--self-test", "--json")
    told = {one["gate"]: one for one in done.json()["gates"]}
    assert (done.code, told["watched-paths"]["verdict"]) == (0, "pass"), done.out

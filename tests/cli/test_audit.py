"""``handrail audit`` as a command: statuses, formats, paths, and a person who lets it write."""

from __future__ import annotations

import pytest

from tests.audit_support import FIVE_TRIGGERS, READMES, ROLES, RULES
from tests.cli.world import World, refusal
from tests.formats import check_sarif


@pytest.fixture
def ruled(world: World) -> World:
    """A world with the rule files of four roles, and these roles in force."""
    for path, text in RULES.items():
        world.repo.write(path, text)
    world.configure(ROLES)
    return world


def test_a_person_closes_the_gaps_by_what_is_told_and_nobody_else_can(ruled: World) -> None:
    person, agent = ruled.shell(), ruled.person()
    assert person.handrail("audit", "--strict").code == 1
    assert refusal(agent.types("handrail audit --fix", terminal=True)).code == "needs_person"
    done = person.types("handrail audit --fix", terminal=True)
    assert done.code == 0
    step = done.err.strip().splitlines()[-1].removeprefix("next: ")
    assert person.types(step, terminal=True).code == 0
    after = person.handrail("audit", "--strict", "--json")
    assert (after.code, after.json()["coverage"]["percent"]) == (0, 100)


def test_sarif_is_valid_and_points_to_the_lines(ruled: World) -> None:
    log = ruled.shell().handrail("audit", "--format", "sarif").json()
    check_sarif(log)
    results = log["runs"][0]["results"]
    assert [one["level"] for one in results] == ["warning"] * 5
    place = results[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].endswith("startup-and-initialization.md")
    assert place["region"]["startLine"] == 7


def test_readmes_give_no_finding_by_the_five_triggers_either(ruled: World) -> None:
    ruled.configure(ROLES + FIVE_TRIGGERS)
    for name, text in READMES.items():
        ruled.repo.write(f"{name}/README.md", text)
    done = ruled.shell().handrail("audit", "--json", "--strict", *READMES)
    assert (done.code, done.json()["findings"]) == (0, [])
    assert len(done.json()["without_finding"]) == 3


def test_paths_are_seen_from_the_folder_that_one_is_in_and_lead_nowhere_else(
    ruled: World,
) -> None:
    person = ruled.shell(cwd=ruled.path / ".directive-cli")
    found = person.handrail("audit", "docs/agent-rules/pair", "--json").json()
    assert [one["from"] for one in found["findings"]] == ["pair"]
    for path in ("../../outside.md", "/etc/passwd", "../.git/config"):
        assert refusal(person.handrail("audit", path)).code == "usage"
    assert refusal(person.handrail("audit", "nowhere.md")).code == "facts_unavailable"
    assert refusal(person.handrail("audit", "--format", "junit")).code == "usage"
    assert refusal(person.handrail("audit", "--fix", "--format", "sarif")).code == "usage"


def test_a_clone_without_a_store_is_audited_by_its_file_and_by_words_alone(ruled: World) -> None:
    (ruled.folder).rename(ruled.scratch / "away")
    person = ruled.shell()
    by_file = person.handrail("audit", "--json").json()
    assert by_file["configuration"] == "handrail.toml of this working tree"
    (ruled.path / "handrail.toml").unlink()
    by_words = person.handrail("audit", "--json").json()
    assert by_words["configuration"] is None
    titles = [[one["title"] for one in told["findings"]] for told in (by_file, by_words)]
    assert titles[0] == titles[1]
    assert len(titles[0]) == 5

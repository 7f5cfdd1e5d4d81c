"""Replaying real histories: who is who, and that nothing is needed and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from handrail.config import Settings, parse_config
from handrail.core.backtest import Findings
from handrail.service.backtest import BRANCH, COMMIT, Asked, Replayed, replay_past, settings_here
from handrail.wiring import Application
from tests.cli.world import World
from tests.guard.histories import Model, read_history, rebuild
from tests.support import Repo

COMMITS = 1_000


def policy(text: str) -> Settings:
    return parse_config(b'[workspace]\nid = "w"\n' + text.encode())


def replay(
    repo: Repo, settings: Settings | None, by: str = BRANCH, until: str = "main"
) -> Replayed:
    ground = Application.open(str(repo.path), {}, terminal=False).ground
    return replay_past(ground, Asked("start", until, by), settings, lambda _: None)


def codes(found: Findings) -> list[tuple[str, str, str | None, str]]:
    return [(row.code, row.agent, row.role, row.path) for row in found.refusals]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """Two branches of two authors that meet at ``log``, one of which leaves its lane."""
    repo = Repo.create(tmp_path / "repo")
    repo.git("tag", "start")
    for name, author in (("fix/a", "Ada <ada@example.org>"), ("bot/b/c", "ci[bot] <1+ci@host>")):
        repo.git("switch", "--quiet", "-c", name, "start")
        for path in ("log", f"src/{name}"):
            repo.write(path, name)
            repo.commit(f"{path} by {name}")
            repo.git("commit", "--quiet", "--amend", "--no-edit", f"--author={author}")
    repo.git("switch", "--quiet", "main")
    repo.git("merge", "--quiet", "--no-ff", "-m", "Merge branch 'fix/a'", "fix/a")
    subject = "Merge pull request #7 from acme/bot/b/c"
    repo.git("merge", "--quiet", "--no-ff", "-X", "ours", "-m", subject, "bot/b/c")
    return repo


ROLE = '[[role]]\nname = "{0}"\nlane = ["{1}"]\n'
WEB = ROLE.format("web", "src/fix")
BOT = ROLE.format("bot", "src") + '[[agent]]\nname = "robot"\nrole = "bot"\nmatch = {{ {} }}\n'


@pytest.mark.parametrize(
    "match",
    [
        'author = "ci[bot]"',
        'author = "1+ci@host"',
        'author = "ci[[]bot] <*>"',
        'author = "ci?bot? <*@host>"',
        'branch = "bot/*"',
        'author = "ci*", branch = "bot/*"',
    ],
)
def test_agents_are_known_by_author_and_branch(repo: Repo, match: str) -> None:
    default = 'default_role = "web"\n'
    found = replay(repo, policy(default + WEB + BOT.format(match))).findings
    known = "[[]" not in match  # brackets stand for themselves
    assert codes(found)[:2] == [
        ("outside_lane", "Ada", "web", "log"),
        ("outside_lane", *(("robot", "bot") if known else ("ci[bot]", "web")), "log"),
    ]


@pytest.mark.parametrize(
    "match", ['author = "ada"', 'branch = "fix"', 'author = "*", branch = "x"']
)
def test_a_row_of_which_anything_does_not_fit_is_nobody(repo: Repo, match: str) -> None:
    found = replay(repo, policy(WEB + BOT.format(match))).findings
    assert found.without_role == found.units == 2
    assert {row.code for row in found.refusals} == {"scope_held"}


def test_each_commit_may_be_what_is_judged(repo: Repo) -> None:
    settings = policy('default_role = "web"\n' + WEB + BOT.format('branch = "bot/*"'))
    found = replay(repo, settings, COMMIT).findings
    assert (found.units, found.branches) == (4, 2)
    assert codes(found) == [
        ("outside_lane", "Ada", "web", "log"),
        ("outside_lane", "robot", "bot", "log"),
        ("scope_held", "robot", "bot", "log"),
    ]


def test_the_configuration_is_that_of_the_working_tree_else_the_one_in_force(world: World) -> None:
    application = Application.open(str(world.repo.path), {}, terminal=False)
    text = (world.repo.path / "handrail.toml").read_text()
    world.repo.write("handrail.toml", text.replace('"worker"', '"other"'))

    def role(*, in_force_first: bool = False, store: bool = True) -> tuple[str, str]:
        given = application.store if store else None
        found = settings_here(application.ground, given, in_force_first=in_force_first)
        assert found is not None
        return found[0].roles[0].name, found[1]

    assert role() == ("other", "of this working tree")
    assert role(in_force_first=True) == ("worker", "in force")
    assert role(in_force_first=True, store=False) == ("other", "of this working tree")
    (world.repo.path / "handrail.toml").unlink()
    assert role() == ("worker", "in force")
    assert settings_here(application.ground, None) is None
    application.close()


def test_a_real_history_is_judged_as_its_model_says(tmp_path: Path) -> None:
    history = read_history("one", COMMITS)
    repo = Repo.create(tmp_path / "rebuilt")
    ids = rebuild(Model(history), repo.path)
    repo.git("tag", "start", ids[0])
    settings = policy('default_role = "docs"\n' + ROLE.format("docs", "docs"))
    before = sorted(repo.path.rglob("*"))
    done = replay(repo, settings, until="all")
    merges = sum(len(made.parents) > 1 for made in history)
    assert (done.commits, done.merges) == (COMMITS, merges + 1)
    found = done.findings
    changed = {path for made in history[1:] if len(made.parents) < 2 for path in made.modes}
    assert found.paths == len(changed)
    assert found.uncovered_paths == sum(not path.startswith("docs/") for path in changed)
    assert 0 < found.sharing < found.branches
    outside = [row for row in found.refusals if row.code == "outside_lane"]
    assert all(not row.path.startswith("docs/") for row in outside)
    assert 0 < len(outside) <= found.units
    assert sorted(repo.path.rglob("*")) == before


def test_what_landed_without_a_merge_is_of_no_branch(repo: Repo) -> None:
    repo.git("tag", "--force", "start", "main")
    repo.write("direct", "d")
    repo.commit("direct")
    found = replay(repo, policy(WEB + BOT.format('branch = "*"'))).findings
    assert (found.units, found.without_role) == (1, 1)

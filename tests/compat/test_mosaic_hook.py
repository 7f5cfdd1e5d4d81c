"""The suite as a hook of git, as the documents want it in the future, and in other places."""

from __future__ import annotations

import pytest

from tests.compat.mosaic_ground import PRE, STATE, VALIDATOR, Ground
from tests.support import Handrail

# The documents' own hook, and a `#!` line before it.
HOOK = f"""\
#!/bin/sh
# .git/hooks/pre-commit

# Run pre-handoff validation before allowing commit
{PRE} || exit 1
"""
COMMITS = 'git commit --quiet --message="the search"'


def hooked(ground: Ground) -> None:
    """Put the documents' hook in the place of Handrail's."""
    hook = ground.repo.write(".git/hooks/pre-commit", HOOK)
    hook.chmod(0o755)


def session(ground: Ground) -> dict[str, str]:
    """Start a session; returns what its shell has."""
    done = Handrail(ground.path)("session", "start", "--json")
    return {"HANDRAIL_SESSION": done.json()["session"]}


def test_as_a_hook_of_a_commit_it_judges_the_commit_and_no_handoff(ground: Ground) -> None:
    hooked(ground)
    ground.repo.write("search.py", "pass\n")
    ground.repo.write("unfinished.py", "pass\n")
    ground.repo.git("add", "search.py")
    assert ground.types(PRE).code == 1  # no hook: the handoff would be refused
    done = ground.types(COMMITS, session(ground))
    assert done.code == 0, done.out + done.err
    said = done.out + done.err  # git shows what a hook prints as talk
    assert "🔍 PRE-COMMIT VALIDATION TESTS\n" in said
    assert "🧪 Test: Gate lease-live\n  ✅ PASS: Passed\n" in said
    assert "✅ All pre-commit tests passed. The commit can be made; it is no handoff.\n" in said
    assert "Safe to mark complete" not in said


def test_as_a_hook_it_stops_a_commit_over_what_another_session_holds(ground: Ground) -> None:
    hooked(ground)
    Handrail(ground.path)("claim", "search.py", env=session(ground))
    ground.repo.write("search.py", "pass\n")
    ground.repo.git("add", "search.py")
    done = ground.types(COMMITS, session(ground))
    assert done.code == 1
    assert "🧪 Test: Gate lease-live\n  ❌ FAIL: search.py: " in done.out + done.err
    assert "⚠️  Cannot commit until all tests pass.\n" in done.out + done.err
    head = ground.repo.git("rev-parse", "HEAD")
    assert head == ground.repo.git("rev-parse", "origin/main")


@pytest.mark.nightly
def test_as_a_hook_it_lets_a_person_commit_and_a_broken_state_file_does_not_pass(
    ground: Ground,
) -> None:
    hooked(ground)
    ground.repo.write("search.py", "pass\n")
    ground.repo.git("add", "search.py")
    done = ground.types(COMMITS)
    assert done.code == 0
    assert "no session commits here" in done.out + done.err
    ground.repo.write(STATE, "{")
    ground.repo.git("add", STATE)
    done = ground.types(COMMITS)
    assert done.code == 1
    assert f"  - Cannot read state file: {STATE}: it is no JSON" in done.out + done.err


@pytest.mark.parametrize(
    "variable", ["GIT_INDEX_FILE", pytest.param("GIT_DIR", marks=pytest.mark.nightly)]
)
def test_a_variable_alone_makes_no_hook_of_it(ground: Ground, variable: str) -> None:
    ground.repo.write("search.py", "pass\n")
    value = {"GIT_INDEX_FILE": ".git/index", "GIT_DIR": ".git"}[variable]
    done = ground.types(PRE, {variable: value})
    assert (done.code, "🔍 PRE-HANDOFF VALIDATION TESTS" in done.out) == (1, True)


@pytest.mark.nightly
def test_under_git_without_an_index_it_is_no_hook_of_a_commit(ground: Ground) -> None:
    done = ground.types(f"git -c alias.validate='!{PRE}' validate")
    assert (done.code, "🔍 PRE-HANDOFF VALIDATION TESTS" in done.out) == (0, True)


@pytest.mark.nightly
def test_in_another_working_tree_and_from_any_folder_it_judges_its_own_tree(
    ground: Ground,
) -> None:
    other = ground.repo.worktree("other")
    ground.repo.git("push", "--quiet", "--set-upstream", "origin", "other")
    (other / "new.py").write_text("pass\n")
    done = ground.types(f"python3 {other / VALIDATOR} --pre-handoff", cwd=ground.folder)
    assert done.code == 1
    assert "  - Uncommitted changes exist:\n?? new.py\n" in done.out
    assert ground.types(f"cd .mosaic && python3 ../{VALIDATOR} --pre-handoff").code == 0


@pytest.mark.nightly
def test_with_a_session_that_is_none_nobody_can_tell(ground: Ground) -> None:
    done = ground.types(PRE, {"HANDRAIL_SESSION": "gone"})
    assert done.code == 1
    assert "(unknown_session) Next: " in done.out
    assert "📊 PRE-HANDOFF RESULTS: 0/6 tests passed\n" in done.out


def test_the_way_to_handrail_is_typed_like_any_command(ground: Ground) -> None:
    handrail = Handrail(ground.path)
    done = handrail("compat", "mosaic", "facts", "--stage", "pre-handoff")
    assert done.code == 0
    assert (done.json()["format"], done.json()["stage"]) == (1, "pre-handoff")
    assert len(done.json()["tests"]) == 6
    for words in (("facts",), ("facts", "--stage", "edit"), ("gate",), ()):
        done = handrail("compat", "mosaic", *words)
        assert (done.code, done.out, done.err.startswith("usage: ")) == (2, "", True)
    done = handrail("compat", "mosaic", "facts", "--stage", "commit", cwd=ground.folder)
    assert (done.code, done.json()["error"]["code"]) == (3, "no_repository")

"""What a claim means in a real working tree: links, subfolders, other worktrees, lanes, case."""

from __future__ import annotations

import os
import sys

import pytest

from handrail import errors
from tests.cli.world import World, refusal
from tests.support import Repo

CONTENDED = '[[contended]]\npaths = ["**/*.lock", "CHANGELOG*"]\n'


# ------------------------------------------------------------------------------- symbolic links


def test_claiming_a_linked_folder_claims_what_it_points_to(world: World) -> None:
    (world.path / "real" / "deep").mkdir(parents=True)
    (world.path / "link").symlink_to("real")
    first, second = world.session(), world.session()
    granted = world.claim(first, "link/deep/*.py")
    assert granted.scope == ("real/deep/*.py",)
    with pytest.raises(errors.ScopeHeld) as refused:
        world.claim(second, "real/deep/a.py")
    assert refused.value.values["witness"] == "real/deep/a.py"


def test_claiming_the_link_itself_claims_link_and_target(world: World) -> None:
    world.repo.write("real.py", "a")
    (world.path / "link.py").symlink_to("real.py")
    first, second = world.session(), world.session()
    assert sorted(world.claim(first, "link.py").scope) == ["link.py", "real.py"]
    for scope in ("link.py", "real.py"):
        with pytest.raises(errors.ScopeHeld):
            world.claim(second, scope)


def test_links_over_links_are_followed_to_the_end(world: World) -> None:
    (world.path / "real").mkdir()
    (world.path / "one").symlink_to("two")
    (world.path / "two").symlink_to(world.path / "real", target_is_directory=True)
    assert world.claim(world.session(), "one/a.py").scope == ("real/a.py",)


def test_a_link_to_nothing_yet_is_claimed_with_what_it_names(world: World) -> None:
    (world.path / "link").symlink_to("not-there")
    assert sorted(world.claim(world.session(), "link").scope) == ["link", "not-there"]
    assert world.claim(world.session(), "neither/is/this").scope == ("neither/is/this",)


@pytest.mark.parametrize("scope", ["out", "out/a.py", "out/*.py", "out/**", "up/a"])
def test_a_link_that_leads_out_of_the_working_tree_is_refused(world: World, scope: str) -> None:
    (world.path / "out").symlink_to(world.scratch)
    (world.path / "up").symlink_to("..")
    with pytest.raises(errors.MalformedScope) as refused:
        world.claim(world.session(), scope)
    assert "leads out of the working tree" in refused.value.message
    # A working tree whose name begins like this one's is not inside of it.
    (world.path.parent / f"{world.path.name}-2").mkdir()
    (world.path / "near").symlink_to(f"../{world.path.name}-2")
    with pytest.raises(errors.MalformedScope):
        world.claim(world.session(), "near/a")


def test_a_link_into_gits_own_folder_is_refused(world: World) -> None:
    (world.path / "inside").symlink_to(".git")
    with pytest.raises(errors.MalformedScope):
        world.claim(world.session(), "inside/config")


def test_a_link_that_turns_in_a_circle_ends_in_an_answer(world: World) -> None:
    (world.path / "a").symlink_to("b")
    (world.path / "b").symlink_to("a")
    done = world.person().handrail("claim", "a/x")
    assert done.code in (0, 2)
    assert "Traceback" not in done.err


def test_a_wildcard_does_not_follow_links_it_only_might_mean(world: World) -> None:
    (world.path / "real").mkdir()
    (world.path / "link").symlink_to("real")
    assert world.claim(world.session(), "li*/a.py").scope == ("li*/a.py",)


# ---------------------------------------------------------------------------- from where one asks


def test_whoever_types_a_path_seen_from_a_subfolder_is_asked_what_was_meant(world: World) -> None:
    world.repo.write("src/api/a.py", "a")
    person = world.person()
    person.cwd = world.path / "src"
    done = person.handrail("claim", "api/a.py")
    assert (done.code, world.holds(person.session, "api/a.py")) == (0, True)
    assert "did you mean src/api/a.py?" in done.err
    assert person.handrail("claim", "src/api").err == ""
    person.cwd = world.path
    assert person.handrail("claim", "src/other").err == ""


def test_why_takes_a_path_as_seen_from_the_folder(world: World) -> None:
    world.repo.write("src/api/a.py", "a")
    person = world.person()
    person.cwd = world.path / "src"
    assert person.handrail("why", "api/a.py", "--json").json()["path"] == "src/api/a.py"
    assert person.handrail("why", "../x", "--json").json()["path"] == "x"
    assert person.handrail("why", "../../x", "--json").json()["verdict"] == "outside"
    above = person.handrail("why", "api/a.py", "-C", str(world.path), "--json")
    assert above.json()["path"] == "api/a.py"


# ---------------------------------------------------------------------------- other working trees


def test_a_linked_worktree_shares_the_store_and_conflicts(world: World) -> None:
    beside = world.repo.worktree("beside")
    first, second = world.session(), world.session(cwd=beside)
    token = world.claim(first, "src").token
    with pytest.raises(errors.ScopeHeld) as refused:
        world.claim(second, "src/a.py", cwd=beside)
    assert (refused.value.values["session"], refused.value.values["token"]) == (first, token)
    assert not (beside / ".git" / "handrail").exists()
    assert [path.name for path in world.path.parent.rglob("state.db")] == ["state.db"]


def test_a_worktree_that_was_moved_is_still_the_same(world: World) -> None:
    beside = world.repo.worktree("beside")
    session = world.session(cwd=beside)
    token = world.claim(session, "src", cwd=beside).token
    moved = world.path.parent / "moved"
    world.repo.git("worktree", "move", str(beside), str(moved))
    with world.open(session, cwd=moved) as application:
        assert [lease.token for lease in application.leases.renew(())] == [token]


def test_shared_claims_in_two_worktrees_stand_side_by_side_and_both_are_told(world: World) -> None:
    beside = world.repo.worktree("beside")
    here, there, again = world.person(), world.person(cwd=beside), world.person()
    first = here.handrail("claim", "--shared", "src", "--json").json()
    assert (first["kind"], "parallel_edit" in first) == ("local", False)
    told = there.handrail("claim", "--shared", "src/b.py", "--json")
    assert told.json()["parallel_edit"] == [first["token"]]
    done = there.handrail("claim", "--shared", "src/a.py")
    assert f"parallel_edit: also held locally in another working tree: {first['token']}" in done.err
    assert refusal(again.handrail("claim", "--shared", "src/b.py")).code == "scope_held"
    assert refusal(again.handrail("claim", "src/b.py")).code == "scope_held"
    assert refusal(there.handrail("claim", "src/a.py")).code == "scope_held"


def test_what_one_holds_locally_and_alone_can_be_claimed_by_hand(world: World) -> None:
    session = world.session()
    local = world.claim(session, "src", shared=True)
    exclusive = world.claim(session, "src")
    assert (local.kind, exclusive.kind, exclusive.renewed) == ("local", "exclusive", False)
    assert exclusive.token != local.token


def test_contended_paths_are_local_however_they_are_claimed(world: World) -> None:
    world.configure(CONTENDED + '[[role]]\nname = "worker"\nlane = ["**"]\n')
    beside = world.repo.worktree("beside")
    first, second, third = world.session(), world.session(cwd=beside), world.session()
    held = world.claim(first, "web/yarn.lock", "CHANGELOG.md")
    assert held.kind == "local"
    granted = world.claim(second, "web/yarn.lock", cwd=beside)
    assert (granted.kind, granted.beside) == ("local", (held.token,))
    with pytest.raises(errors.ScopeHeld):
        world.claim(third, "CHANGELOG.md")
    wider = world.claim(second, "docs", "CHANGELOG.md", cwd=beside)
    assert (wider.kind, wider.beside) == ("exclusive", (held.token,))
    with pytest.raises(errors.ScopeHeld) as refused:
        world.claim(first, "docs/a.md")
    assert refused.value.values["witness"] == "docs/a.md"


def test_a_worktree_works_under_what_is_in_force_whatever_its_own_file_says(world: World) -> None:
    beside = world.repo.worktree("beside")
    (beside / "handrail.toml").write_text('[workspace]\nid = "other"\n[[role]]\nname = "none"\n')
    session = world.session(cwd=beside)
    assert world.claim(session, "src", cwd=beside).role == "worker"


# ---------------------------------------------------------------------------------------- lanes


def test_a_lane_of_top_level_files_lets_one_of_them_be_claimed(world: World) -> None:
    world.configure(
        'default_role = "docs"\n[[role]]\nname = "docs"\nlane = ["docs/**", "*.md"]\n'
        '[[role]]\nname = "api"\nlane = ["src/**"]\n'
    )
    session = world.session()
    for scope in ("README.md", "NEW.md", "*.md", "docs/*.txt", "docs"):
        assert world.claim(session, scope).scope == (scope,)
    for scope in ("src/a.md", "*.txt", "**/*.md", "**"):
        with pytest.raises(errors.OutsideLane):
            world.claim(session, scope)


def test_a_folder_named_like_a_file_of_the_lane_is_no_file(world: World) -> None:
    world.configure('default_role = "docs"\n[[role]]\nname = "docs"\nlane = ["*.md"]\n')
    (world.path / "folder.md").mkdir()
    with pytest.raises(errors.OutsideLane) as refused:
        world.claim(world.session(), "folder.md")
    assert str(refused.value.values["witness"]).startswith("folder.md/")


# ---------------------------------------------------------------------------- GIT_DIR, letter case


def test_where_git_is_pointed_elsewhere_handrail_follows(world: World, tmp_path: object) -> None:
    outside = world.path.parent / "elsewhere"
    outside.mkdir()
    session = world.session()
    person = world.shell(
        outside,
        GIT_DIR=str(world.path / ".git"),
        GIT_WORK_TREE=str(world.path),
        HANDRAIL_SESSION=session,
    )
    done = person.handrail("claim", "src", "--json")
    assert (done.code, done.json()["session"]) == (0, session), done.err
    with pytest.raises(errors.ScopeHeld):
        world.claim(world.session(), "src/a")


def test_git_dir_of_a_linked_worktree_means_that_worktree(world: World) -> None:
    beside = world.repo.worktree("beside")
    session = world.session(cwd=beside)
    git_dir = world.path / ".git" / "worktrees" / "beside"
    person = world.shell(beside, GIT_DIR=str(git_dir), HANDRAIL_SESSION=session)
    done = person.handrail("claim", "src", "--json")
    assert (done.code, done.json()["session"]) == (0, session), done.err


def test_with_fold_case_names_that_differ_in_case_are_the_same(world: World) -> None:
    world.configure('fold_case = true\n[[role]]\nname = "worker"\nlane = ["**"]\n')
    session = world.session()
    world.claim(session, "Src/API")
    for scope in ("src/api/x.py", "SRC/Api", "s*/a*"):
        with pytest.raises(errors.ScopeHeld):
            world.claim(world.session(), scope)
    world.repo.write("SRC/api/X.py", "x")
    commit = world.repo.commit("x", "SRC")
    from handrail.service.attestation import Attestation

    with world.open(session) as application:
        assert Attestation(application.context).attest("HEAD").commits == (commit,)
    person = world.shell(HANDRAIL_SESSION=session)
    assert person.handrail("why", "sRc/aPi/new", "--json").json()["verdict"] == "yes"


def test_without_fold_case_they_are_not(world: World) -> None:
    world.claim(world.session(), "Src")
    assert world.claim(world.session(), "src").scope == ("src",)


def test_names_are_compared_composed(world: World) -> None:
    world.claim(world.session(), "caf\u00e9")
    with pytest.raises(errors.ScopeHeld):
        world.claim(world.session(), "cafe\u0301/menu")


# --------------------------------------------------------------------------------- where it lies


def test_a_state_dir_of_ones_own_is_another_store(world: World) -> None:
    world.claim(world.session(), "src")
    elsewhere = world.scratch / "state"
    person = world.shell(HANDRAIL_STATE_DIR=str(elsewhere))
    assert refusal(person.handrail("claim", "src")).code == "not_initialised"
    for line in ("handrail init", 'eval "$(handrail session start)"', "handrail claim src"):
        assert person.types(line).code == 0, line
    assert (elsewhere / "state.db").exists()


def test_a_submodule_is_a_workspace_of_its_own_and_a_path_here(world: World) -> None:
    inner = Repo.create(world.path.parent / "inner")
    add = (
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "--quiet",
        str(inner.path),
        "sub",
    )
    world.repo.git(*add)
    world.repo.commit("sub")
    person = world.person()
    assert person.handrail("claim", "sub").code == 0
    assert person.handrail("attest", "HEAD").code == 1, ".gitmodules is held by nobody"
    assert person.handrail("claim", ".gitmodules").code == 0
    assert person.handrail("attest", "HEAD").code == 0
    person.cwd = world.path / "sub"
    assert refusal(person.handrail("claim", "README.md")).code == "not_initialised"


def test_a_working_tree_whose_folder_has_any_name_works(world: World) -> None:
    name = os.fsdecode(b"b\xff'\n$x") if sys.platform == "linux" else "b'\n$x"
    beside = world.repo.worktree(name, "beside")
    session = world.session(cwd=beside)
    assert world.claim(session, "src", cwd=beside).session == session

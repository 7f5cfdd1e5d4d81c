"""Edits in a real repository: what is claimed by the way, what is left, what is stale."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from handrail import errors
from handrail.core.events import LeaseRenewed, ProcessRegistered
from handrail.core.lease import Actor
from handrail.core.ledger import read_event, read_header
from handrail.facts.process import process
from handrail.service.attestation import Attestation
from handrail.service.claims import Asked
from handrail.service.committing import Committing
from handrail.service.edits import Edits
from tests.cli.world import World, eventually
from tests.service.guarding import (
    asked_of_hook,
    edit,
    land,
    left_by,
    object_of,
    run_out,
    scopes,
    told,
    write,
)


@pytest.fixture
def tree(world: World) -> Path:
    """A linked worktree on a branch of its own."""
    return world.repo.worktree("beside")


def committed(world: World, path: str, text: str) -> None:
    """Commit a file before anybody works here."""
    world.repo.write(path, text)
    world.repo.commit("base", path)


# --- claimed by the way --------------------------------------------------------------------------


def test_an_edit_claims_its_file_and_the_next_one_changes_nothing(world: World) -> None:
    ada = world.session()
    first = edit(world, ada, "src/a.py")
    assert [grant.scope for grant in first.granted] == [("src/a.py",)]
    again = edit(world, ada, "src/a.py")
    assert (again.granted, again.renewed) == ((), ())
    assert world.holds(ada, "src/a.py")


def test_an_edit_of_what_somebody_holds_is_refused_and_changes_nothing(world: World) -> None:
    ada, bob = world.session(agent="ada"), world.session(agent="bob")
    edit(world, ada, "src/a.py")
    with pytest.raises(errors.ScopeHeld):
        edit(world, bob, "src/b.py", "src/a.py")
    assert scopes(world, bob) == []


def test_who_edits_beside_each_other_is_told_once_each(world: World, tree: Path) -> None:
    ada, bob = world.session(agent="ada"), world.session(agent="bob", cwd=tree)
    edit(world, ada, "src/a.py")
    edit(world, bob, "src/a.py", cwd=tree)
    assert [(t.kind, t.agent, t.paths) for t in told(world, ada)] == [
        ("parallel_edit", "bob", ("src/a.py",))
    ]
    assert [(t.kind, t.session) for t in told(world, bob, cwd=tree)] == [("parallel_edit", ada)]
    edit(world, bob, "src/a.py", cwd=tree)
    assert told(world, ada) == told(world, bob, cwd=tree) == []


def test_a_claim_beside_somebody_tells_both_too(world: World, tree: Path) -> None:
    ada, bob = world.session(agent="ada"), world.session(agent="bob", cwd=tree)
    world.claim(ada, "src", shared=True)
    world.claim(bob, "src/a.py", shared=True, cwd=tree)
    assert [t.agent for t in told(world, ada)] == ["bob"]
    assert [t.agent for t in told(world, bob, cwd=tree)] == ["ada"]


def test_the_holder_is_told_once_who_waits(world: World) -> None:
    ada, bob = world.session(agent="ada"), world.session(agent="bob")
    world.claim(ada, "src")
    heard: list[object] = []

    def listen(refusal: errors.Refused, place: int) -> None:
        if not heard:
            heard.extend(told(world, ada))
            heard.extend(told(world, ada))
            world.release(ada)

    with world.open(bob) as application:
        application.leases.claim_waiting(Asked(("src/x",)), wait_ms=30_000, on_wait=listen)
    assert [(t.kind, t.session, t.agent, t.paths) for t in heard] == [  # type: ignore[attr-defined]
        ("waiter", bob, "bob", ("src/x",))
    ]


def test_an_edit_renews_what_is_past_half_of_its_life(world: World) -> None:
    ada = world.session()
    token = world.claim(ada, "docs", ttl_ms=3_600_000).token
    edit(world, ada, "src/a.py")
    with world.open() as application, application.store.transaction() as tx:
        seq = int(token.partition(":")[2])
        tx.commit([LeaseRenewed(seq, tx.now + 60_000)], Actor())
    assert edit(world, ada, "src/a.py").renewed == (token,)


def test_what_ran_out_is_held_again_by_the_edit_itself(world: World) -> None:
    ada = world.session()
    world.claim(ada, "src")
    run_out(world, ada)
    assert [grant.scope for grant in edit(world, ada, "src/a.py").granted] == [("src",)]


# --- what is left unfinished ---------------------------------------------------------------------


def test_a_release_over_unfinished_work_leaves_it_to_its_agent(world: World) -> None:
    committed(world, "src/a.py", "one\n")
    ada, bob = world.session(agent="ada"), world.session(agent="bob")
    write(world, ada, "src/a.py", "two\n")
    edit(world, ada, "src/clean.py")
    with world.open(ada) as application:
        done = application.leases.release((), everything=True)
    assert done.left == ("src/a.py",)
    assert left_by(world, ada) == ["src/a.py"]
    with pytest.raises(errors.Orphaned) as refused:
        edit(world, bob, "src/a.py")
    assert refused.value.next == "handrail claim src/a.py --adopt"
    edit(world, bob, "src/clean.py")
    assert world.claim(bob, "src/a.py", adopt=True).scope == ("src/a.py",)
    assert left_by(world, ada) == []


def test_a_folder_over_somebodys_unfinished_file_is_refused_too(world: World) -> None:
    ada, bob = world.session(agent="ada"), world.session(agent="bob")
    write(world, ada, "src/new.py", "one\n")
    world.release(ada)
    with pytest.raises(errors.Orphaned):
        world.claim(bob, "src")
    (world.path / "src/new.py").unlink()
    assert world.claim(bob, "src").scope == ("src",)
    assert left_by(world, ada) == []


def test_what_is_left_binds_in_its_working_tree_only(world: World, tree: Path) -> None:
    ada, bob = world.session(agent="ada"), world.session(agent="bob", cwd=tree)
    write(world, ada, "src/a.py", "one\n")
    world.release(ada)
    assert edit(world, bob, "src/a.py", cwd=tree).granted


def test_the_same_agent_goes_on_without_asking(world: World) -> None:
    ada = world.session(agent="ada")
    write(world, ada, "src/a.py", "one\n")
    world.release(ada)
    again = world.session(agent="ada")
    assert edit(world, again, "src/a.py").granted
    assert left_by(world, ada) == []


def test_a_lease_that_ran_out_over_unfinished_work_is_nobody_elses(
    world: World, tree: Path
) -> None:
    ada, bob = world.session(agent="ada"), world.session(agent="bob")
    far = world.session(agent="eve", cwd=tree)
    write(world, ada, "src/a.py", "one\n")
    edit(world, ada, "src/b.py")
    run_out(world, ada)
    world.claim(far, "src", cwd=tree)
    world.release(far, cwd=tree)
    edit(world, bob, "src/b.py")
    with pytest.raises(errors.Orphaned):
        edit(world, bob, "src/a.py")


def test_where_git_fails_nothing_is_granted_over_what_may_be_somebodys(world: World) -> None:
    ada, bob = world.session(agent="ada"), world.session(agent="bob")
    write(world, ada, "src/a.py", "one\n")
    run_out(world, ada)
    world.repo.write(".git/index", b"broken")
    with pytest.raises(errors.FactsUnavailable):
        edit(world, bob, "src/a.py")
    assert edit(world, bob, "docs/x").granted


# --- commits -------------------------------------------------------------------------------------


def test_a_commit_of_free_paths_is_attested_and_leaves_nothing_held(world: World) -> None:
    ada = world.session()
    world.repo.write("src/a.py", "one\n")
    commit = land(world, ada, "src/a.py")
    assert scopes(world, ada) == []
    with world.open() as application, application.store.read() as reader:
        assert reader.attestation(commit) is not None


def test_what_is_dirty_beside_a_commit_stays_held(world: World) -> None:
    committed(world, "src/a.py", "one\n")
    ada = world.session()
    write(world, ada, "src/a.py", "two\n")
    write(world, ada, "src/b.py", "new\n")
    commit = object_of(world, "src/a.py", "src/b.py")
    (world.path / "src/a.py").write_text("three\n")
    asked_of_hook(world, ada, commit)
    assert scopes(world, ada) == [("src/a.py",)]


def test_what_was_claimed_by_hand_outlives_a_commit(world: World) -> None:
    ada = world.session()
    world.claim(ada, "src", shared=True)
    write(world, ada, "src/a.py", "one\n")
    land(world, ada, "src/a.py")
    assert scopes(world, ada) == [("src",)]


def test_a_commit_is_refused_with_every_path_in_its_way(world: World) -> None:
    ada, bob = world.session(agent="ada"), world.session(agent="bob")
    edit(world, ada, "src/a.py", "src/b.py")
    for name in "abc":
        world.repo.write(f"src/{name}.py", "mine\n")
    commit = object_of(world, "src")
    with pytest.raises(errors.NotCovered) as refused:
        asked_of_hook(world, bob, commit)
    assert refused.value.values["paths"] == ("src/a.py", "src/b.py")
    assert scopes(world, bob) == []


def test_a_commit_asked_for_again_is_attested_once(world: World) -> None:
    ada = world.session()
    world.repo.write("src/a.py", "one\n")
    commit = object_of(world, "src/a.py")
    assert asked_of_hook(world, ada, commit).commits == (commit,)
    assert asked_of_hook(world, ada, commit).before == (commit,)


def test_moves_of_refs_are_recorded_by_whom_they_were_made(world: World) -> None:
    ada = world.session()
    moved = (("refs/heads/x", "0" * 40, "1" * 40),)
    with world.open(ada) as application:
        Committing(application.context).unattested(moved, ("1" * 40,) * 2_000, "several")
        Committing(application.context).unattributed(moved, ("1" * 40,), "nobody")
        with application.store.read() as reader:
            first, second = reader.newest(2)
            assert read_header(first.header).session == ada
            assert read_header(second.header).session is None
            event = read_event(first)
            assert event is not None
            assert len(event.commits) == 1_000  # type: ignore[union-attr]


# --- stale bytes ---------------------------------------------------------------------------------

BASE: Final = "".join(f"line {number}\n" for number in range(20))
HERS: Final = BASE.replace("line 2\n", "hers\n")
HIS: Final = BASE.replace("line 17\n", "his\n")


def zombie(world: World) -> tuple[str, str]:
    """Let Ada oversleep, Bob land a change of the same file in the same tree, Ada write hers."""
    committed(world, "x.txt", BASE)
    ada, bob = world.session(agent="ada"), world.session(agent="bob")
    edit(world, ada, "x.txt")
    run_out(world, ada)
    write(world, bob, "x.txt", HIS)
    commit = land(world, bob, "x.txt")
    world.repo.write("x.txt", HERS)
    return ada, commit


def test_a_stale_writer_cannot_claim_its_bytes_again_nor_commit_them(world: World) -> None:
    ada, landed = zombie(world)
    for attempt in (
        lambda: edit(world, ada, "x.txt"),
        lambda: world.claim(ada, "x.txt"),
        lambda: world.claim(ada, "*.txt", shared=True),
        lambda: world.claim(ada, "x.txt", adopt=True),
    ):
        with pytest.raises(errors.StaleBytes) as refused:
            attempt()
        assert refused.value.values["commit"] == landed
    with pytest.raises(errors.NotCovered) as vetoed:
        land(world, ada, "x.txt")
    reasons: Any = vetoed.value.values["reasons"]
    assert [code for _, code, _ in reasons] == ["stale_bytes"]


def test_bytes_older_than_a_merge_that_settled_their_file_are_stale(world: World) -> None:
    committed(world, "x.txt", BASE)
    world.repo.git("switch", "--quiet", "-c", "side")
    committed(world, "x.txt", BASE.replace("line 17\n", "side\n"))
    world.repo.git("switch", "--quiet", "main")
    committed(world, "x.txt", BASE.replace("line 17\n", "main\n"))
    ada, bob = world.session(agent="ada"), world.session(agent="bob")
    edit(world, ada, "x.txt")
    run_out(world, ada)
    world.claim(bob, "x.txt")
    world.repo.git("merge", "side", check=False)
    world.repo.write("x.txt", HIS)
    world.repo.git("commit", "--quiet", "--all", "--no-edit")
    with world.open(bob) as application:
        (merge,) = Attestation(application.context).attest("HEAD").commits
    world.release(bob)
    world.repo.write("x.txt", HERS)
    with pytest.raises(errors.StaleBytes) as refused:
        edit(world, ada, "x.txt")
    assert refused.value.values["commit"] == merge


def test_following_the_refusal_loses_nothing_and_leads_to_the_claim(world: World) -> None:
    ada, _ = zombie(world)
    person = world.shell(HANDRAIL_SESSION=ada)
    refused = person.types("handrail claim x.txt")
    step = refused.err.rpartition("next: ")[2].strip()
    assert person.types(step).code == 0
    assert (world.path / "x.txt").read_text() == HIS
    assert world.repo.git("show", "stash@{0}:x.txt") == HERS.strip()


def test_bytes_that_hold_both_changes_are_not_stale(world: World) -> None:
    ada, _ = zombie(world)
    world.repo.write("x.txt", HIS.replace("line 2\n", "hers\n"))
    assert edit(world, ada, "x.txt").granted


def test_work_begun_on_what_landed_is_not_stale(world: World) -> None:
    committed(world, "x.txt", BASE)
    bob = world.session(agent="bob")
    write(world, bob, "x.txt", HIS)
    land(world, bob, "x.txt")
    ada = world.session(agent="ada")
    world.repo.write("x.txt", HIS.replace("his", "hers"))
    assert edit(world, ada, "x.txt").granted


def test_work_on_what_landed_outlives_its_lease(world: World, tree: Path) -> None:
    committed(world, "x.txt", BASE)
    world.repo.git("reset", "--quiet", "--hard", "main", cwd=tree)
    ada, bob = world.session(agent="ada"), world.session(agent="bob", cwd=tree)
    write(world, bob, "x.txt", HIS, cwd=tree)
    world.repo.git("merge", "--quiet", "--ff-only", land(world, bob, "x.txt", cwd=tree))
    write(world, ada, "x.txt", HIS.replace("his", "hers"))
    run_out(world, ada)
    land(world, ada, "x.txt")


def test_a_clean_file_that_somebody_landed_is_claimed_as_ever(world: World) -> None:
    ada, _ = zombie(world)
    world.repo.git("checkout", "--", "x.txt")
    assert edit(world, ada, "x.txt").granted


def test_a_staged_version_can_be_stale_by_itself(world: World) -> None:
    ada, _ = zombie(world)
    world.repo.git("add", "x.txt")
    world.repo.write("x.txt", HIS)
    with pytest.raises(errors.StaleBytes):
        edit(world, ada, "x.txt")


def test_a_file_that_was_deleted_meanwhile_here_is_stale_where_it_was_changed(world: World) -> None:
    ada, _ = zombie(world)
    (world.path / "x.txt").unlink()
    with pytest.raises(errors.StaleBytes):
        edit(world, ada, "x.txt")


def overslept(world: World, tree: Path) -> tuple[str, str]:
    """Let Ada oversleep over unfinished work, and Bob land in another tree what he claimed."""
    committed(world, "x.txt", BASE)
    world.repo.git("reset", "--quiet", "--hard", "main", cwd=tree)
    ada, bob = world.session(agent="ada"), world.session(agent="bob", cwd=tree)
    write(world, ada, "x.txt", HERS)
    run_out(world, ada)
    world.claim(bob, "x.txt", cwd=tree)
    (tree / "x.txt").write_text(HIS)
    landed = land(world, bob, "x.txt", cwd=tree)
    world.release(bob, cwd=tree)
    return ada, landed


def test_a_zombie_in_another_tree_is_stopped_at_its_claim_and_its_commit(
    world: World, tree: Path
) -> None:
    ada, landed = overslept(world, tree)
    with pytest.raises(errors.StaleBytes) as refused:
        edit(world, ada, "x.txt")
    assert refused.value.values["commit"] == landed
    with pytest.raises(errors.NotCovered):
        land(world, ada, "x.txt")
    world.repo.git("update-ref", "refs/heads/main", landed)
    with pytest.raises(errors.StaleBytes):
        world.claim(ada, "x.txt")


def test_a_zombie_that_merges_goes_on(world: World, tree: Path) -> None:
    ada, landed = overslept(world, tree)
    world.repo.git("stash", "push", "--", "x.txt")
    world.repo.git("merge", "--quiet", landed)
    world.repo.git("stash", "pop")
    assert edit(world, ada, "x.txt").granted
    land(world, ada, "x.txt")
    text = (world.path / "x.txt").read_text()
    assert "hers" in text
    assert "his" in text


def test_parallel_local_work_in_two_trees_is_never_stale(world: World, tree: Path) -> None:
    committed(world, "x.txt", BASE)
    world.repo.git("reset", "--quiet", "--hard", "main", cwd=tree)
    ada, bob = world.session(agent="ada"), world.session(agent="bob", cwd=tree)
    write(world, ada, "x.txt", HERS)
    write(world, bob, "x.txt", HIS, cwd=tree)
    run_out(world, ada)
    land(world, bob, "x.txt", cwd=tree)
    write(world, bob, "x.txt", HIS + "more\n", cwd=tree)  # records that hers ran out
    land(world, bob, "x.txt", cwd=tree)
    assert left_by(world, ada) == ["?"]
    edit(world, ada, "x.txt")
    land(world, ada, "x.txt")


def test_the_next_session_of_an_agent_does_not_inherit_stale_bytes(
    world: World, tree: Path
) -> None:
    _, landed = overslept(world, tree)
    world.repo.git("update-ref", "refs/heads/main", landed)
    again = world.session(agent="ada")
    with pytest.raises(errors.StaleBytes):
        edit(world, again, "x.txt")


def test_an_older_session_cannot_pass_its_stale_bytes_off_as_what_another_left(
    world: World,
) -> None:
    committed(world, "x.txt", BASE)
    ada, bob = world.session(agent="ada"), world.session(agent="bob")
    write(world, bob, "x.txt", HIS)
    land(world, bob, "x.txt")
    write(world, bob, "x.txt", HIS + "more\n")
    world.release(bob)
    assert world.claim(ada, "x.txt", adopt=True).scope == ("x.txt",)
    write(world, ada, "x.txt", HIS)
    world.release(ada)
    write(world, bob, "y.txt", "y\n")
    world.repo.write("x.txt", HIS)
    edit(world, bob, "x.txt")
    world.repo.write("x.txt", HIS + "left\n")
    world.release(bob)
    world.repo.write("x.txt", HERS)
    with pytest.raises(errors.StaleBytes):
        world.claim(ada, "x.txt", adopt=True)


def test_an_old_commit_is_not_attested_over_what_another_landed_since(
    world: World, tree: Path
) -> None:
    committed(world, "x.txt", BASE)
    world.repo.git("reset", "--quiet", "--hard", "main", cwd=tree)
    ada, bob = world.session(agent="ada"), world.session(agent="bob", cwd=tree)
    world.claim(ada, "x.txt")
    world.repo.write("x.txt", HERS)
    old = world.repo.commit("hers", "x.txt")
    run_out(world, ada)
    world.claim(bob, "x.txt", cwd=tree)
    (tree / "x.txt").write_text(HIS)
    landed = land(world, bob, "x.txt", cwd=tree)
    world.release(bob, cwd=tree)
    world.claim(ada, "x.txt")
    with world.open(ada) as application:
        with pytest.raises(errors.StaleBytes) as refused:
            Attestation(application.context).attest(old)
        assert refused.value.next == f"git rebase {landed}"
    world.repo.git("rebase", "--quiet", landed)
    with world.open(ada) as application:
        assert Attestation(application.context).attest("HEAD").commits


# --- who is gone ---------------------------------------------------------------------------------


def test_whose_process_is_gone_stands_in_nobodys_way(world: World) -> None:
    ada, bob = world.session(agent="ada"), world.session(agent="bob")
    write(world, ada, "src/a.py", "one\n")
    edit(world, ada, "src/b.py")
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    known = process(child.pid)
    assert known is not None
    with world.open() as application, application.store.transaction() as tx:
        tx.commit([ProcessRegistered(ada, *known)], Actor())
    with pytest.raises(errors.ScopeHeld):
        edit(world, bob, "src/b.py")
    child.communicate()
    assert eventually(lambda: process(child.pid) != known)
    assert edit(world, bob, "src/b.py").granted
    with pytest.raises(errors.Orphaned):
        edit(world, bob, "src/a.py")
    assert scopes(world, ada) == []


def test_a_path_of_git_is_never_granted(world: World) -> None:
    with pytest.raises(errors.GuardedPath):
        edit(world, world.session(), ".git/hooks/pre-commit")


def test_the_edges_of_names_are_held_as_they_are(world: World) -> None:
    ada = world.session()
    names = ["a b.txt", "[x].txt", "é.txt", "st*r.txt", os.fsdecode(b"\xff.txt")]
    with world.open(ada) as application:
        edited = Edits(application.context).edit(names)
    assert len(edited.granted) == len(names)
    for name in names:
        assert world.holds(ada, name)

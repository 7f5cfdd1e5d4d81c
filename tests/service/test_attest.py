"""A commit is attested only if live leases of the asking session cover every path it changes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import pytest

from handrail import errors
from handrail.service.attestation import Attestation, Attested
from handrail.service.verification import Verification
from tests.cli.world import World, entries_of, eventually, refusal, unharmed

LANES: Final = """
default_role = "docs"
[[role]]
name = "docs"
lane = ["docs/**", "*.md"]
[[role]]
name = "api"
lane = ["src/**"]
"""


def attest(world: World, session: str, text: str = "HEAD", **given: Any) -> Attested:
    cwd: Path | None = given.pop("cwd", None)
    with world.open(session, cwd=cwd) as application:
        return Attestation(application.context).attest(text, **given)


def change(world: World, *paths: str) -> str:
    """Commit a change of these paths and of no other."""
    for path in paths:
        target = world.path / path
        world.repo.write(path, f"{target.read_text() if target.exists() else ''}changed\n")
    return world.repo.commit("change", *(f":(literal){path}" for path in paths))


def attestations(world: World) -> list[dict[str, Any]]:
    """Read what the ledger says of attested commits."""
    return [
        json.loads(payload)
        for header, payload in entries_of(world.store)
        if payload is not None and json.loads(header)["kind"] == "commit.attested"
    ]


# ------------------------------------------------------------------------------------ covered


def test_a_commit_is_attested_with_all_that_it_was_made_under(world: World) -> None:
    session = world.session()
    token = world.claim(session, "src", "docs/*.md").token
    parent = world.repo.git("rev-parse", "HEAD")
    commit = change(world, "src/a.py", "src/deep/b.py", "docs/x.md")
    done = attest(world, session)
    assert (done.commits, done.before) == ((commit,), ())
    (told,) = attestations(world)
    assert told["commit"] == commit
    assert told["tree"] == world.repo.git("rev-parse", "HEAD^{tree}")
    assert told["parents"] == [parent]
    assert told["paths"] == 3
    raw = b"docs/x.md\0src/a.py\0src/deep/b.py"
    assert told["paths_hash"] == hashlib.sha256(raw).hexdigest()
    with world.open(session) as application:
        until = application.leases.renew(())[0].expires_at
    ((seq, expiry),) = told["cover"]
    assert seq == int(token.partition(":")[2])
    assert 0 < expiry <= until


def test_no_lease_is_wide_enough_to_attest_the_configuration_or_what_a_gate_protects(
    world: World,
) -> None:
    gate = '[[gate]]\nid = "t"\nstages = ["land"]\nrun = ["make"]\nprotects = ["Makefile"]\n'
    role = '[[role]]\nname = "maker"\nlane = ["**"]\n'
    world.configure(role + gate)
    session = world.session(role="maker")
    world.claim(session, "**")
    for path in ("handrail.toml", "Makefile"):
        change(world, path)
        with pytest.raises(errors.GuardedPath):
            attest(world, session)
    assert attestations(world) == []


def test_a_range_is_attested_together_and_only_once(world: World) -> None:
    session = world.session()
    world.claim(session, "src")
    commits = [change(world, f"src/{number}") for number in range(4)]
    assert attest(world, session, "HEAD~1").commits == (commits[2],)
    done = attest(world, session, "HEAD~4..HEAD")
    assert done.commits == (commits[0], commits[1], commits[3])
    assert done.before == (commits[2],)
    again = attest(world, session, "HEAD~4..HEAD")
    assert (again.commits, again.before) == ((), tuple(commits))
    assert [told["commit"] for told in attestations(world)] == [
        commits[2],
        commits[0],
        commits[1],
        commits[3],
    ]


def test_a_commit_attested_before_is_so_whatever_landed_since(world: World) -> None:
    mine, theirs = world.session(), world.session()
    world.claim(mine, "src")
    commit = change(world, "src/a")
    assert attest(world, mine).commits == (commit,)
    world.release(mine)
    world.claim(theirs, "src")
    later = change(world, "src/a")
    assert attest(world, theirs).commits == (later,)
    world.release(theirs)
    world.claim(mine, "src")
    again = attest(world, mine, commit)
    assert (again.commits, again.before) == ((), (commit,))


def test_a_commit_attested_before_needs_no_lease_any_more(world: World) -> None:
    session = world.session()
    world.claim(session, "src")
    commit = change(world, "src/a")
    attest(world, session)
    world.release(session)
    assert attest(world, session).before == (commit,)


def test_the_root_commit_has_all_its_paths(world: World) -> None:
    session = world.session()
    root = world.repo.git("rev-list", "--max-parents=0", "HEAD")
    with pytest.raises(errors.NotHolder) as refused:
        attest(world, session, root)
    assert refused.value.values["paths"] == ("README.md",)
    world.claim(session, "README.md")
    assert attest(world, session, root).commits == (root,)
    assert attestations(world)[0]["parents"] == []


def test_a_commit_without_changes_needs_no_lease(world: World) -> None:
    commit = world.repo.commit("empty")
    assert attest(world, world.session()).commits == (commit,)
    assert attestations(world)[0]["cover"] == []


def test_a_dry_run_attests_nothing(world: World) -> None:
    session = world.session()
    world.claim(session, "src")
    change(world, "src/a")
    before = entries_of(world.store)
    assert len(attest(world, session, dry_run=True).commits) == 1
    assert entries_of(world.store) == before


def test_what_is_exempt_needs_no_lease(world: World) -> None:
    world.configure('exempt = ["dist/**", "*.gen"]\n[[role]]\nname = "worker"\nlane = ["**"]\n')
    session = world.session()
    change(world, "dist/deep/a.js", "x.gen")
    assert attest(world, session).commits
    change(world, "dist/b.js", "src/x.gen")
    with pytest.raises(errors.NotHolder) as refused:
        attest(world, session)
    assert refused.value.values["paths"] == ("src/x.gen",)


# ---------------------------------------------------------------------------------- not covered


def test_all_paths_that_nothing_covers_are_listed_and_nothing_is_attested(world: World) -> None:
    person = world.person()
    assert person.session is not None
    world.claim(person.session, "src")
    change(world, "src/a")
    change(world, "src/b", "lib/x", "docs/y z.md")
    change(world, "lib/x", "top")
    with unharmed(world.store):
        said = refusal(person.handrail("attest", "HEAD~3..HEAD"))
    assert said.code == "not_holder"
    for path in ("docs/y z.md", "lib/x", "top"):
        assert path in said.sentence
    assert "src/" not in said.sentence
    assert attestations(world) == []
    assert person.types(said.next).code == 0
    assert person.handrail("attest", "HEAD~3..HEAD").code == 0


def test_of_very_many_paths_some_are_told_and_all_are_counted(world: World) -> None:
    session = world.session()
    change(world, *(f"many/{number:03}" for number in range(150)))
    with pytest.raises(errors.NotHolder) as refused:
        attest(world, session)
    assert refused.value.values["paths_count"] == 150
    told = refused.value.values["paths"]
    assert isinstance(told, tuple)
    assert told == tuple(f"many/{number:03}" for number in range(20))


@pytest.mark.parametrize("since", ["nothing", "somebody else held it"])
def test_an_expired_lease_attests_nothing(world: World, since: str) -> None:
    session, other = world.session(), world.session()
    token = world.claim(session, "src", ttl_ms=1_000).token
    commit = change(world, "src/a")
    assert eventually(lambda: not world.holds(session, "src/a"))
    if since != "nothing":
        world.claim(other, "src/a")
        world.release(other)
    expected = errors.LeaseExpired if since == "nothing" else errors.StaleToken
    with pytest.raises(expected) as refused:
        attest(world, session)
    assert refused.value.values["token"] == token
    assert attestations(world) == []
    world.claim(session, "src")
    assert attest(world, session).commits == (commit,), "held anew, and nobody held it since"


def test_what_another_session_holds_is_theirs_to_attest(world: World) -> None:
    holder, session = world.session(), world.session()
    token = world.claim(holder, "src").token
    world.claim(session, "docs")
    change(world, "src/a", "docs/x")
    with pytest.raises(errors.ScopeHeld) as refused:
        attest(world, session)
    assert refused.value.values["token"] == token
    assert refused.value.values["witness"] == "src/a"
    with pytest.raises(errors.ScopeHeld):
        attest(world, holder)
    assert attestations(world) == []


def test_a_released_lease_attests_nothing(world: World) -> None:
    session = world.session()
    world.claim(session, "src")
    change(world, "src/a")
    world.release(session)
    with pytest.raises(errors.NotHolder):
        attest(world, session)


def test_a_lease_of_another_working_tree_does_not_cover_here(world: World) -> None:
    beside = world.repo.worktree("beside")
    here, there = world.session(), world.session(cwd=beside)
    world.claim(there, "src", cwd=beside)
    change(world, "src/a")
    with pytest.raises(errors.ScopeHeld):
        attest(world, here)
    with pytest.raises(errors.WrongWorktree):
        attest(world, there)


# ----------------------------------------------------------------------------------------- merges


def conflicting(world: World, path: str = "file") -> tuple[str, str]:
    """Let ``main`` and ``side`` change a line each in its way; returns both, and stays on main."""
    world.repo.write(path, "before\n")
    world.repo.commit("base", path)
    world.repo.git("switch", "--quiet", "-c", "side")
    world.repo.write(path, "side\n")
    side = world.repo.commit("side", path)
    world.repo.git("switch", "--quiet", "main")
    world.repo.write(path, "main\n")
    return world.repo.commit("main", path), side


def resolve(world: World, path: str = "file", text: str = "both\n", other: str = "side") -> str:
    """Merge and settle the conflict; returns the merge."""
    world.repo.git("merge", "--quiet", "--no-edit", other, check=False)
    world.repo.write(path, text)
    world.repo.git("commit", "--quiet", "--all", "--no-edit")
    return world.repo.git("rev-parse", "HEAD")


def judged(world: World, commit: str) -> str:
    with world.open() as application:
        (judgment,) = Verification(application.context).verify([commit]).judgments
    return judgment.code


def adopted(world: World) -> None:
    """Let ``origin/main`` have what HEAD has: from here on commits are judged."""
    world.repo.git("update-ref", "refs/remotes/origin/main", "HEAD")


@pytest.mark.parametrize("text", ["main\n", "side\n", "both\n"])
def test_a_resolved_conflict_is_attested_by_who_holds_its_path(world: World, text: str) -> None:
    adopted(world)
    main, side = conflicting(world)
    session = world.session()
    merge = resolve(world, text=text)
    with unharmed(world.store), pytest.raises(errors.NotHolder) as refused:
        attest(world, session)
    assert refused.value.values["paths"] == ("file",)
    world.claim(session, "file")
    assert attest(world, session).commits == (merge,)
    (told,) = attestations(world)
    assert told["parents"] == [main, side]
    assert (told["paths"], told["paths_hash"]) == (1, hashlib.sha256(b"file").hexdigest())
    assert len(told["cover"]) == 1
    assert judged(world, merge) == "attested"


def test_a_resolution_of_what_another_holds_is_theirs(world: World) -> None:
    adopted(world)
    conflicting(world)
    holder, session = world.session(), world.session()
    world.claim(holder, "file")
    merge = resolve(world)
    with pytest.raises(errors.ScopeHeld) as refused:
        attest(world, session)
    assert refused.value.values["witness"] == "file"
    assert judged(world, merge) == "unseen"
    assert attest(world, holder).commits == (merge,)


def test_only_what_a_merge_adds_to_its_sides_must_be_held(world: World) -> None:
    conflicting(world)
    world.repo.git("switch", "--quiet", "side")
    change(world, "only/theirs", "src/a")
    world.repo.git("switch", "--quiet", "main")
    change(world, "only/ours", "src/b")
    session = world.session()
    world.repo.git("merge", "--no-commit", "side", check=False)
    world.repo.write("file", "both\n")
    world.repo.write("evil/slipped in", "x")
    world.repo.git("add", "--all")
    world.repo.git("commit", "--quiet", "--no-edit")
    with pytest.raises(errors.NotHolder) as refused:
        attest(world, session)
    assert refused.value.values["paths"] == ("evil/slipped in", "file")


def test_what_a_merge_drops_must_be_held(world: World) -> None:
    world.repo.git("switch", "--quiet", "-c", "side")
    change(world, "theirs/a", "theirs/b")
    world.repo.git("switch", "--quiet", "main")
    change(world, "ours")
    world.repo.git("merge", "--quiet", "--no-edit", "--strategy=ours", "side")
    with pytest.raises(errors.NotHolder) as refused:
        attest(world, world.session())
    assert refused.value.values["paths"] == ("theirs/a", "theirs/b")


def test_a_clean_merge_needs_no_lease(world: World) -> None:
    world.repo.git("switch", "--quiet", "-c", "side")
    change(world, "src/side")
    world.repo.git("switch", "--quiet", "main")
    change(world, "src/main")
    world.repo.git("merge", "--quiet", "--no-edit", "side")
    assert attest(world, world.session()).commits
    (told,) = attestations(world)
    assert (told["paths"], told["cover"]) == (0, [])


def test_a_range_with_merges_is_attested_together(world: World) -> None:
    adopted(world)
    start = world.repo.git("rev-parse", "HEAD")
    main, side = conflicting(world)
    merge = resolve(world)
    session = world.session()
    world.claim(session, "file")
    assert set(attest(world, session, f"{start}..HEAD").commits) >= {main, side, merge}


def test_a_merge_is_not_stale_for_what_it_merges_and_is_for_what_it_lacks(world: World) -> None:
    conflicting(world)
    session, other = world.session(), world.session()
    world.claim(other, "file")
    attest(world, other, "side")
    world.release(other)
    world.claim(session, "file")
    merge = resolve(world)
    assert attest(world, session).commits == (merge,)
    world.repo.git("switch", "--quiet", "--detach", "main^1")
    world.repo.git("branch", "--quiet", "late", "side^")
    world.release(session)
    world.claim(other, "file")
    world.repo.git("switch", "--quiet", "late")
    world.repo.write("file", "late\n")
    world.repo.commit("late", "file")
    late = resolve(world, other="main^1")
    with pytest.raises(errors.StaleBytes) as refused:
        attest(world, other)
    assert refused.value.values["commit"] == merge, "a merge lands what it resolved"
    assert late not in [told["commit"] for told in attestations(world)]


def test_a_merge_of_many_is_refused_and_the_rest_of_its_range_can_be_attested(
    world: World,
) -> None:
    person = world.person()
    assert person.session is not None
    world.claim(person.session, "**")
    start = world.repo.git("rev-parse", "HEAD")
    sides = []
    for name in ("one", "two"):
        world.repo.git("switch", "--quiet", "-c", name, start)
        sides.append(change(world, f"src/{name}"))
    world.repo.git("switch", "--quiet", "main")
    main = change(world, "src/main")
    world.repo.git("merge", "--quiet", "--no-edit", "one", "two")
    assert refusal(person.handrail("attest", "HEAD")).code == "unsupported_commit"
    with unharmed(world.store):
        said = refusal(person.handrail("attest", f"{start}..HEAD"))
    assert said.code == "unsupported_commit"
    assert person.types(said.next).code == 0
    assert {told["commit"] for told in attestations(world)} == {*sides, main}


# ------------------------------------------------------------------------------- kinds of changes


def test_both_names_of_a_renamed_file_must_be_held(world: World) -> None:
    world.repo.write("old/a.txt", "the same text, long enough to be found again\n" * 9)
    world.repo.commit("base", "old")
    session = world.session()
    world.repo.git("mv", "old/a.txt", "new.txt")
    world.repo.git("commit", "--quiet", "-m", "renamed")
    for held, missing in (("new.txt", "old/a.txt"), ("old", "new.txt")):
        world.claim(session, held)
        with pytest.raises(errors.NotHolder) as refused:
            attest(world, session)
        assert refused.value.values["paths"] == (missing,)
        world.release(session)
    world.claim(session, "old", "new.txt")
    assert attest(world, session).commits


@pytest.mark.parametrize("kind", ["deleted", "mode", "symlink", "gitlink", "file to folder"])
def test_every_kind_of_change_needs_the_path(world: World, kind: str) -> None:
    world.repo.write("src/thing", "x")
    world.repo.commit("base", "src")
    path = world.path / "src" / "thing"
    expected = {"src/thing"}
    if kind == "mode":
        path.chmod(0o755)
    elif kind != "gitlink":
        path.unlink()
    if kind == "symlink":
        path.symlink_to("../handrail.toml")
    if kind == "file to folder":
        path.mkdir()
        (path / "inner").write_text("x")
        expected |= {"src/thing/inner"}
    if kind == "gitlink":
        head = world.repo.git("rev-parse", "HEAD")
        world.repo.git("rm", "--quiet", "--cached", "src/thing")
        world.repo.git("update-index", "--add", "--cacheinfo", f"160000,{head},src/thing")
        world.repo.git("commit", "--quiet", "-m", kind)
    else:
        world.repo.commit(kind, "src")
    session = world.session()
    with pytest.raises(errors.NotHolder) as refused:
        attest(world, session)
    paths = refused.value.values["paths"]
    assert isinstance(paths, tuple)
    assert set(paths) == expected
    world.claim(session, "src/thing")
    assert attest(world, session).commits


@pytest.mark.parametrize(
    "name", ["a\nb", 'quo"te', "tab\t", "back\\slash", "bytes-\udcff", "*", "-x", "\u00e4", "a b"]
)
def test_odd_names_are_covered_by_the_folder_and_told_when_they_are_not(
    world: World, name: str
) -> None:
    session = world.session()
    world.repo.write(f"odd/{name}", "x")
    world.repo.commit("odd", "odd")
    with pytest.raises(errors.NotHolder) as refused:
        attest(world, session)
    assert refused.value.values["paths"] == (f"odd/{name}",)
    assert refused.value.message.isprintable()
    world.claim(session, "odd")
    assert attest(world, session).commits
    raw = f"odd/{name}".encode("utf-8", "surrogateescape")
    assert attestations(world)[0]["paths_hash"] == hashlib.sha256(raw).hexdigest()


def test_a_name_that_git_keeps_decomposed_is_covered_by_the_composed_one(world: World) -> None:
    session = world.session()
    world.claim(session, "caf\u00e9")
    change(world, "cafe\u0301/menu")
    assert attest(world, session).commits


# ------------------------------------------------------------------------------------------ lanes


def test_a_path_outside_the_lane_is_not_attested_although_a_lease_covers_it(world: World) -> None:
    world.configure('default_role = "docs"\n[[role]]\nname = "docs"\nlane = ["**"]\n')
    session = world.session()
    world.claim(session, "src", "docs")
    change(world, "docs/a.md")
    change(world, "src/a.py")
    world.configure(LANES)
    assert attest(world, session, "HEAD~1").commits, "still in the lane that got smaller"
    with unharmed(world.store), pytest.raises(errors.OutsideLane) as refused:
        attest(world, session)
    assert refused.value.values["witness"] == "src/a.py"
    assert "--role api" in str(refused.value.next)


def test_the_claim_of_a_file_may_be_of_a_lane_that_takes_only_files(world: World) -> None:
    world.configure(LANES)
    session = world.session()
    world.claim(session, "NEW.md")
    change(world, "NEW.md")
    assert attest(world, session).commits
    (world.path / "NEW.md").unlink()
    world.repo.write("NEW.md/inner", "x")
    world.repo.commit("folder", "NEW.md")
    with pytest.raises(errors.OutsideLane) as refused:
        attest(world, session)
    assert refused.value.values["witness"] == "NEW.md/inner"

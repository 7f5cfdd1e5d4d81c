"""Rule V on real repositories: what was made under leases lands, and nothing else does."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw
import pytest

from handrail import errors
from handrail.core.events import (
    CommitAttested,
    CommitUnattested,
    CommitUnattributed,
    ConfigApplied,
    Event,
    LeaseExpired,
    LeaseGranted,
    LeaseReleased,
    PayloadRedacted,
)
from handrail.core.landing import CANNOT_TELL, PASS, REFUSED
from handrail.core.lease import Actor
from handrail.service import evidence, ranges
from handrail.service.attestation import Attestation
from handrail.service.evidence import SharedLedger
from handrail.service.records import Records
from handrail.service.verification import Found, Verification, Verified
from tests.cli.world import World, make_world

ZERO: Final = "0" * 40
CODE: Final = "".join(f"def f{number}():\n    return {number}\n\n" for number in range(20))


@pytest.fixture
def landed(world: World) -> str:
    """Put what is there on ``origin/main``; returns that commit."""
    return protect(world)


def protect(world: World) -> str:
    """Let the remote have what HEAD has."""
    commit = head(world)
    world.repo.git("update-ref", "refs/remotes/origin/main", commit)
    return commit


def head(world: World) -> str:
    return world.repo.git("rev-parse", "HEAD")


def change(world: World, *paths: str, text: str = "changed\n") -> str:
    """Commit a change of these paths and of no other."""
    for path in paths:
        target = world.path / path
        world.repo.write(path, f"{target.read_text() if target.exists() else ''}{text}")
    return world.repo.commit("change", *(f":(literal){path}" for path in paths))


def attest(world: World, session: str, text: str = "HEAD") -> None:
    """Attest a commit as its rule does, under all that the session holds."""
    with world.open(session) as application, application.context.outside.history() as history:
        commit = world.repo.git("rev-parse", text)
        told = history.changes([commit])[commit]
        with application.store.transaction() as tx:
            leases = [lease for lease in tx.leases(session) if lease.live(tx.now)]
            cover = tuple((lease.token, lease.expires_at) for lease in leases)
            paths = len(told.paths or ())
            event = CommitAttested(commit, told.tree, told.parents, paths, told.paths_hash, cover)
            tx.commit([event], Actor(session, session, None))


def work(world: World, *paths: str, session: str | None = None, text: str = "changed\n") -> str:
    """Commit these paths under a lease that is released at once; returns the commit."""
    who = session or world.session()
    world.claim(who, *paths)
    commit = change(world, *paths, text=text)
    attest(world, who)
    world.release(who)
    return commit


def verify(world: World, *ranges: str) -> Verified:
    with world.open() as application:
        return Verification(application.context).verify(ranges)


def push(world: World, *lines: str) -> Verified:
    with world.open() as application:
        return Verification(application.context).verify_updates(lines)


def codes(verified: Verified) -> list[str]:
    return [judgment.code for judgment in verified.judgments]


def only(verified: Verified) -> tuple[str, str | None]:
    (judgment,) = verified.judgments
    return judgment.code, judgment.path


def enter(world: World, *events: Event, session: str | None = None) -> None:
    """Append entries, whatever they say."""
    with world.open() as application, application.store.transaction() as tx:
        tx.commit(events, Actor(session, session, None))


def recorded(world: World, kind: type[CommitUnattested | CommitUnattributed], *ids: str) -> None:
    enter(world, kind((("refs/heads/main", ZERO, ids[0]),), ids, "nobody could ask"))


# ---------------------------------------------------------------------------------------- attested


def test_a_landed_commit_stays_good_whoever_works_there_after_it(world: World, landed: str) -> None:
    first = work(world, "src/a.py")
    second = work(world, "src/a.py", "src/b.py")
    assert codes(verify(world)) == ["attested", "attested"]
    for number in range(100):
        enter(world, CommitUnattributed((), (f"{number:040x}",), "later"))
    session = world.session()
    world.claim(session, "**")
    world.release(session)
    world.configure('[[role]]\nname = "docs"\nlane = ["docs/**"]\n')
    again = verify(world)
    assert [j.commit for j in again.judgments] == [first, second]
    assert (codes(again), again.verdict, again.base) == (["attested"] * 2, PASS, landed)


def test_no_entry_that_comes_later_changes_what_was_said(world: World, landed: str) -> None:
    attested = work(world, "src/a.py")
    reworded = work(world, "src/b.py")
    world.repo.git("commit", "--quiet", "--amend", "--message", "reworded")
    inherited = head(world)
    named = change(world, "src/c.py"), change(world, "src/d.py")
    recorded(world, CommitUnattributed, named[0])
    recorded(world, CommitUnattested, named[1])
    commits = (attested, reworded, inherited, *named)
    before = verify(world)
    assert codes(before) == ["attested", "inherited", "unattributed", "unattested"]
    with world.open() as application, application.store.read() as reader:
        seqs = range(1, reader.head.seq + 1)
    text = (world.path / "handrail.toml").read_text().replace('["**"]', '["docs/**"]')
    grant = LeaseGranted("eve", None, "exclusive", ".", ("**",), 1_000, 1 << 50, True, ())
    enter(
        world,
        ConfigApplied("0" * 40, text, "terminal"),
        *[LeaseReleased(seq, "released") for seq in seqs],
        *[LeaseExpired(seq, 0) for seq in seqs],
        grant,
        *[CommitAttested(commit, "t", (), 1, "h", ()) for commit in commits],
        CommitUnattested((), commits, "later"),
        CommitUnattributed((), commits, "later"),
        session="eve",
    )
    assert verify(world) == before


def test_commits_are_judged_oldest_first_and_exactly_the_range(world: World, landed: str) -> None:
    made = [work(world, f"src/{number}") for number in range(4)]
    assert [j.commit for j in verify(world).judgments] == made
    two = verify(world, f"{made[0]}..{made[2]}")
    assert [j.commit for j in two.judgments] == made[1:3]
    assert [j.commit for j in verify(world, "HEAD~1").judgments] == [made[2]]
    several = verify(world, "HEAD", f"{made[0]}..{made[1]}", "HEAD")
    assert {j.commit for j in several.judgments} == {made[3], made[1]}
    assert verify(world, "HEAD..HEAD").judgments == ()
    assert verify(world, "HEAD..HEAD").verdict == PASS


def test_nothing_is_to_be_judged_where_the_protected_ref_has_all(world: World, landed: str) -> None:
    assert verify(world) == Verified((), landed, (), frozenset())


@pytest.mark.parametrize("text", ["nonsense", "a..b", "HEAD..nonsense", "--all", "", "HEAD:x"])
def test_what_names_no_commits_is_refused(world: World, landed: str, text: str) -> None:
    with pytest.raises(errors.MalformedRange):
        verify(world, text)


def test_without_a_protected_ref_a_range_is_asked_for(world: World) -> None:
    world.repo.git("branch", "--move", "main", "trunk")
    with pytest.raises(errors.Usage, match="main"):
        verify(world)
    commit = work(world, "src/a")
    assert verify(world, "HEAD").judgments[0].commit == commit


def test_two_sides_are_judged_with_three_dots(world: World, landed: str) -> None:
    world.repo.git("switch", "--quiet", "-c", "side")
    side = work(world, "src/s")
    world.repo.git("switch", "--quiet", "main")
    main = work(world, "src/m")
    found = verify(world, "main...side")
    assert {j.commit for j in found.judgments} == {main, side}
    assert [j.commit for j in verify(world, "main..side").judgments] == [side]


def test_every_kind_of_path_is_judged_by_its_name(world: World, landed: str) -> None:
    session = world.session()
    world.repo.write("src/before", CODE)
    world.repo.write("src/gone", "g")
    world.claim(session, "**")
    world.repo.commit("base", "src")
    attest(world, session)
    world.repo.git("mv", "src/before", "src/after")
    world.repo.git("rm", "--quiet", "src/gone")
    (world.path / "src/link").symlink_to("after")
    world.repo.write("src/run", "r")
    world.repo.git("add", "src")
    world.repo.git("update-index", "--chmod=+x", "src/run")
    world.repo.git("update-index", "--add", "--cacheinfo", f"160000,{landed},src/sub")
    world.repo.git("commit", "--quiet", "-m", "all")
    attest(world, session)
    world.release(session)
    assert codes(verify(world)) == ["attested", "attested"]


def test_a_commit_that_another_program_attested_too_widely_is_refused(
    world: World, landed: str
) -> None:
    session = world.session()
    token = int(world.claim(session, "src").token.partition(":")[2])
    commit = change(world, "docs/x", "src/a")
    with world.open() as application, application.context.outside.history() as history:
        told = history.changes([commit])[commit]
    until = 1 << 50
    enter(
        world,
        CommitAttested(commit, told.tree, told.parents, 2, told.paths_hash, ((token, until),)),
        session=session,
    )
    assert only(verify(world)) == ("not_covered", "docs/x")
    assert verify(world).verdict == REFUSED


def test_lanes_are_those_that_were_in_force_when_it_was_attested(world: World, landed: str) -> None:
    world.configure('exempt = ["dist/**"]\n[[role]]\nname = "worker"\nlane = ["**"]\n')
    world.repo.git("checkout", "--quiet", "handrail.toml")
    session = world.session()
    world.claim(session, "src")
    change(world, "src/a", "dist/b")
    attest(world, session)
    world.configure('[[role]]\nname = "docs"\nlane = ["docs/**"]\n')
    world.configure('[[role]]\nname = "other"\nlane = ["x/**"]\n')
    world.repo.git("checkout", "--quiet", "handrail.toml")
    assert codes(verify(world)) == ["attested"]


def test_ledgers_are_read_once_however_often_the_law_of_what_landed_changed(
    world: World, landed: str
) -> None:
    config = (world.path / "handrail.toml").read_text()
    for number in range(3):
        world.repo.write("handrail.toml", f"{config}\n# {number}\n")
        world.repo.commit("the law", "handrail.toml")
    protect(world)
    asked = []

    class Shared:
        def read(self, *question: object) -> list[SharedLedger]:
            asked.append(question)
            return []

    with world.open() as application:
        context = application.context
        sources = Found(context.store, context.outside, Shared())
        verified = Verification(sources).verify([f"{landed}..HEAD"])
    assert (len(verified.judgments), len(asked)) == (3, 1)


# -------------------------------------------------------------------------------- nobody's commits


def test_an_unseen_commit_is_refused_and_named_with_a_path(world: World, landed: str) -> None:
    good = work(world, "src/a.py")
    bad = change(world, "src/b.py")
    found = verify(world)
    assert codes(found) == ["attested", "unseen"]
    assert [j.commit for j in found.judgments] == [good, bad]
    assert found.judgments[1].path == "src/b.py"
    assert found.verdict == REFUSED


@pytest.mark.parametrize(
    ("setting", "code", "verdict"),
    [("report", "unattributed", PASS), ("refuse", "unattributed_refused", REFUSED)],
)
def test_unattributed_commits_land_or_not_by_the_setting_of_the_base(
    world: World, setting: str, code: str, verdict: str
) -> None:
    toml = (world.path / "handrail.toml").read_text()
    changed = toml.replace("[workspace]\n", f'[workspace]\nunattributed = "{setting}"\n')
    world.repo.write("handrail.toml", changed)
    world.repo.commit("setting")
    protect(world)
    other = "report" if setting == "refuse" else "refuse"
    world.repo.write(
        "handrail.toml", toml.replace("[workspace]\n", f'[workspace]\nunattributed = "{other}"\n')
    )
    commits = [world.repo.commit("the judged one says otherwise"), change(world, "src/a")]
    recorded(world, CommitUnattributed, *commits[::-1])
    found = verify(world)
    assert (codes(found), found.verdict) == ([code] * 2, verdict)
    assert "nobody could ask" in found.judgments[0].sentence


def test_unattested_commits_are_refused_and_the_first_word_counts(
    world: World, landed: str
) -> None:
    one, two = change(world, "src/a"), change(world, "src/b")
    recorded(world, CommitUnattested, one)
    recorded(world, CommitUnattributed, two, one)
    recorded(world, CommitUnattested, two)
    assert codes(verify(world)) == ["unattested", "unattributed"]


def test_an_unattested_commit_passes_once_it_is_attested(world: World, landed: str) -> None:
    commit = change(world, "src/a")
    recorded(world, CommitUnattested, commit)
    session = world.session()
    world.claim(session, "src")
    attest(world, session)
    assert codes(verify(world)) == ["attested"]


def test_what_was_unattributed_stays_so_whatever_is_attested_later(
    world: World, landed: str
) -> None:
    early, late = change(world, "src/a"), change(world, "src/b")
    false = [CommitAttested(commit, "t", (), 1, "h", ()) for commit in (early, late)]
    recorded(world, CommitUnattributed, early)
    enter(world, *false, session="eve")
    recorded(world, CommitUnattributed, late)
    assert codes(verify(world)) == ["unattributed", "not_as_attested"]


# ------------------------------------------------------------------------------------------ merges


def fork(world: World) -> tuple[str, str]:
    """Let ``side`` and ``main`` each have an attested commit."""
    work(world, "file", text=CODE)
    world.repo.git("switch", "--quiet", "-c", "side")
    side = work(world, "src/side", "shared-by-nobody")
    world.repo.git("switch", "--quiet", "main")
    return work(world, "src/main"), side


def merge(world: World, *words: str) -> str:
    world.repo.git("merge", "--quiet", "--no-edit", "--no-ff", *words)
    return head(world)


def test_a_clean_merge_needs_no_lease(world: World, landed: str) -> None:
    fork(world)
    merge(world, "side")
    assert sorted(codes(verify(world))) == ["attested", "attested", "attested", "clean_merge"]


def test_a_merge_that_drops_what_another_landed_is_refused(world: World, landed: str) -> None:
    fork(world)
    commit = merge(world, "--strategy=ours", "side")
    found = verify(world)
    assert found.verdict == REFUSED
    assert found.judgments[-1].commit == commit
    assert (found.judgments[-1].code, found.judgments[-1].path) == ("unseen", "shared-by-nobody")
    assert found.to_redo == {commit}


def test_a_history_that_shares_nothing_is_judged_like_any_other(world: World, landed: str) -> None:
    world.repo.git("switch", "--quiet", "--orphan", "pages")
    work(world, "pages", "README.md", text="pages\n")
    world.repo.git("switch", "--quiet", "main")
    commit = change(world, "src/a.py")
    assert only(verify(world)) == ("unseen", "src/a.py"), "the branch beside it is no obstacle"
    merged = merge(world, "--allow-unrelated-histories", "--strategy=ours", "pages")
    found = verify(world)
    assert [j.commit for j in found.judgments if j.verdict == REFUSED] == [commit, merged]


def test_a_resolved_conflict_needs_an_attestation(world: World, landed: str) -> None:
    work(world, "file", text=CODE)
    world.repo.git("switch", "--quiet", "-c", "side")
    work(world, "file", text="side\n")
    world.repo.git("switch", "--quiet", "main")
    work(world, "file", text="main\n")
    world.repo.git("merge", "side", check=False)
    world.repo.write("file", CODE + "main\nside\n")
    world.repo.git("commit", "--quiet", "--all", "--no-edit")
    assert verify(world).judgments[-1].code == "unseen"
    session = world.session()
    world.claim(session, "file")
    attest(world, session)
    assert verify(world).judgments[-1].code == "attested"


def test_more_than_two_parents_are_refused(world: World, landed: str) -> None:
    for name in ("a", "b"):
        world.repo.git("switch", "--quiet", "-c", name, landed)
        work(world, f"src/{name}")
    world.repo.git("switch", "--quiet", "main")
    merge(world, "a", "b")
    found = verify(world)
    assert (found.judgments[-1].code, found.verdict) == ("octopus", REFUSED)


# ------------------------------------------------------------------------------------- inheritance


def branch(world: World, name: str = "feature") -> None:
    world.repo.git("switch", "--quiet", "-c", name)


def test_rebased_cherry_picked_and_reworded_commits_inherit(world: World, landed: str) -> None:
    work(world, "code.py", text=CODE)
    branch(world)
    session = world.session()
    world.claim(session, "code.py")
    text = (world.path / "code.py").read_text()
    world.repo.write("code.py", text.replace("return 17\n", "return -17\n"))
    origin = world.repo.commit("negative", "code.py")
    attest(world, session)
    world.release(session)
    world.repo.git("switch", "--quiet", "main")
    world.repo.write("code.py", text.replace("return 1\n", "return 1  # one\n"))
    world.repo.commit("other", "code.py")
    other = world.session()
    world.claim(other, "code.py")
    attest(world, other)
    world.release(other)
    world.repo.git("rebase", "--quiet", "main", "feature")
    found = verify(world).judgments[-1]
    assert (found.code, found.commit != origin) == ("inherited", True)
    assert origin[:12] in found.sentence
    assert session in found.sentence
    world.repo.git("commit", "--quiet", "--amend", "--message", "other words")
    assert verify(world).judgments[-1].code == "inherited"
    world.repo.git("switch", "--quiet", "-c", "picked", "main")
    world.repo.git("cherry-pick", origin)
    assert verify(world).judgments[-1].code == "inherited"


@pytest.mark.parametrize("new", ["return  17\n", "\treturn 17\n", "return 18\n"])
def test_a_line_indented_otherwise_inherits_nothing(world: World, landed: str, new: str) -> None:
    work(world, "code.py", text=CODE)
    work(world, "code.py", text="def g():\n    return 17\n")
    text = (world.path / "code.py").read_text()
    world.repo.write("code.py", text.removesuffix("    return 17\n") + "    " + new)
    world.repo.git("commit", "--quiet", "--amend", "--all", "--no-edit")
    assert verify(world).judgments[-1].code == "unseen"


def test_nothing_is_inherited_from_what_does_not_pass_or_is_gone(world: World, landed: str) -> None:
    commit = change(world, "src/a")
    with world.open() as application, application.context.outside.history() as history:
        told = history.changes([commit])[commit]
    attested = CommitAttested(commit, told.tree, told.parents, 1, told.paths_hash, ())
    enter(world, attested, session="eve")
    world.repo.git("commit", "--quiet", "--amend", "--message", "reworded")
    assert only(verify(world)) == ("unseen", "src/a")
    gone = attested._replace(commit="f" * 40)
    enter(world, gone, session="eve")
    assert only(verify(world)) == ("unseen", "src/a")


def test_a_changed_picture_inherits_nothing(world: World, landed: str) -> None:
    session = world.session()
    world.claim(session, "picture")
    world.repo.write("picture", b"\0\1\2")
    world.repo.commit("picture", "picture")
    attest(world, session)
    world.release(session)
    world.repo.write("picture", b"\0\1\3")
    world.repo.git("commit", "--quiet", "--amend", "--all", "--no-edit")
    assert codes(verify(world)) == ["unseen"]


# ------------------------------------------------------------------------------------------- forges


def squash(world: World, name: str) -> str:
    world.repo.git("merge", "--quiet", "--squash", name)
    world.repo.git("commit", "--quiet", "--message", f"{name} (#1)")
    return head(world)


def test_a_squash_made_by_a_forge_passes_as_the_head_it_merges(world: World, landed: str) -> None:
    work(world, "file", text=CODE)
    branch(world)
    work(world, "src/one")
    work(world, "src/two", "src/one")
    tip = head(world)
    world.repo.git("switch", "--quiet", "main")
    work(world, "docs/x")
    squash(world, "feature")
    found = verify(world)
    assert (found.judgments[-1].code, found.verdict) == ("forge_merge", PASS)
    assert tip[:12] in found.judgments[-1].sentence
    world.repo.git("update-ref", "refs/pull/1/head", tip)
    world.repo.git("branch", "--quiet", "-D", "feature")
    assert verify(world).judgments[-1].code == "forge_merge"
    world.repo.git("update-ref", "-d", "refs/pull/1/head")
    assert verify(world).judgments[-1].code == "forge_merge", "its commits are known to the ledger"


def test_a_squash_with_a_word_more_than_its_head_is_refused(world: World, landed: str) -> None:
    branch(world)
    work(world, "src/one")
    work(world, "src/two")
    world.repo.git("switch", "--quiet", "main")
    squash(world, "feature")
    world.repo.write("src/two", "changed\nevil\n")
    world.repo.git("commit", "--quiet", "--amend", "--all", "--no-edit")
    assert codes(verify(world)) == ["unseen"]


def test_a_squash_of_what_does_not_pass_is_refused(world: World, landed: str) -> None:
    branch(world)
    work(world, "src/one")
    change(world, "src/two")
    world.repo.git("switch", "--quiet", "main")
    squash(world, "feature")
    assert codes(verify(world)) == ["unseen"]


# --------------------------------------------------------------------------------------- signatures


def make_key(folder: Path, name: str) -> str:
    assert shutil.which("ssh-keygen"), "tests need ssh-keygen: apt-get install openssh-client"
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
    subprocess.run(words, check=True)
    return (folder / f"{name}.pub").read_text().strip()


def sign(world: World, key: Path, *paths: str) -> str:
    for path in paths:
        world.repo.write(path, "signed")
        world.repo.git("add", path)
    by = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key}")
    world.repo.git(*by, "commit", "--quiet", "-S", "--message", "signed")
    return head(world)


def with_person(world: World, key: str) -> str:
    toml = (world.path / "handrail.toml").read_text()
    person = f'\n[[person]]\nname = "Ada"\nsigning_keys = ["{key}"]\n'
    world.repo.write("handrail.toml", toml + person)
    return toml + person


def test_what_a_person_of_the_base_signed_passes(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, eve = make_key(tmp_path, "ada"), make_key(tmp_path, "eve")
    with_person(world, ada)
    world.repo.commit("a person")
    protect(world)
    sign(world, tmp_path / "ada", "src/a")
    assert only(verify(world)) == ("signed", None)
    assert "Ada" in verify(world).judgments[0].sentence
    world.repo.write(
        "handrail.toml",
        (world.path / "handrail.toml").read_text()
        + (f'\n[[person]]\nname = "Eve"\nsigning_keys = ["{eve}"]\n'),
    )
    world.repo.git("add", "handrail.toml")
    sign(world, tmp_path / "eve", "src/b")
    assert codes(verify(world)) == ["signed", "unseen"]
    assert codes(verify(world, "HEAD~1..HEAD")) == ["unseen"], "the base is what is protected"
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(folder))
    found = verify(world)
    assert (codes(found), found.verdict) == (["signer_unknown"] * 2, CANNOT_TELL)


# ----------------------------------------------------------------------------------------- adoption


def test_the_mode_for_landing_is_that_of_the_base(world: World) -> None:
    toml = (world.path / "handrail.toml").read_text()
    for mode in ("warn", "shadow", "enforce"):
        world.repo.write("handrail.toml", f'{toml}\n[mode]\nland = "{mode}"\n')
        world.repo.commit("mode")
        protect(world)
        world.repo.write("handrail.toml", toml)
        world.repo.commit("the judged one says otherwise")
        found = verify(world)
        assert (found.mode, found.verdict) == (mode, REFUSED)


def test_what_comes_before_a_configuration_and_with_it_passes_as_adoption(world: World) -> None:
    root = world.repo.git("rev-list", "--max-parents=0", "HEAD")
    world.repo.git("update-ref", "refs/remotes/origin/main", root)
    change(world, "src/late")
    found = verify(world)
    assert (codes(found), found.base) == (["adoption", "unseen"], root)
    world.repo.git("switch", "--quiet", "-c", "never", root)
    change(world, "src/never")
    assert codes(verify(world)) == ["adoption"]


def test_a_branch_from_before_the_adoption_is_judged_by_the_base_of_today(world: World) -> None:
    root = world.repo.git("rev-list", "--max-parents=0", "HEAD")
    protect(world)
    world.repo.git("switch", "--quiet", "-c", "old", root)
    change(world, "src/old")
    assert codes(verify(world)) == ["unseen"]
    assert codes(verify(world, f"{root}..HEAD")) == ["unseen"]


def test_a_broken_configuration_of_the_base_cannot_be_judged_by(world: World) -> None:
    world.repo.write("handrail.toml", "[workspace\n")
    world.repo.commit("broken")
    protect(world)
    change(world, "src/a")
    with pytest.raises(errors.FactsUnavailable, match=r"handrail\.toml"):
        verify(world)


# ------------------------------------------------------------------------------------------ pushes


def test_a_push_is_judged_from_what_the_protected_refs_were(world: World) -> None:
    old = head(world)
    first, second = work(world, "src/a"), change(world, "src/b")
    found = push(world, f"{old} {second} refs/heads/main", "")
    assert [j.commit for j in found.judgments] == [first, second]
    assert (codes(found), found.base) == (["attested", "unseen"], old)
    assert push(world, f"{old} {first} refs/heads/main").verdict == PASS
    assert push(world, f"{first} {first} refs/heads/main").judgments == ()


def test_before_a_push_the_remote_counts_and_not_ones_own_branch(world: World) -> None:
    old = protect(world)
    commit = change(world, "src/a")
    line = f"refs/heads/main {commit} refs/heads/main {old}"
    assert codes(push(world, line)) == ["unseen"]
    fresh = f"refs/heads/main {commit} refs/heads/main {ZERO}"
    assert codes(push(world, fresh)) == ["unseen"]


def test_other_refs_are_named_and_not_judged_and_a_deletion_lands_nothing(world: World) -> None:
    old, commit = head(world), change(world, "src/a")
    lines = (
        f"{ZERO} {commit} refs/heads/feature",
        f"{ZERO} {commit} refs/tags/main",
        f"{ZERO} {commit} refs/heads/main/x",
        f"{old} {ZERO} refs/heads/main",
    )
    found = push(world, *lines)
    assert found.judgments == ()
    assert found.skipped == ("refs/heads/feature", "refs/tags/main", "refs/heads/main/x")


def test_the_first_push_of_all_is_adoption(world: World) -> None:
    world.repo.git("switch", "--quiet", "-c", "local")
    world.repo.git("branch", "--quiet", "-D", "main")
    late = change(world, "src/a")
    found = push(world, f"{ZERO} {late} refs/heads/main")
    assert codes(found) == ["adoption", "adoption", "unseen"]


def test_a_branch_named_by_a_pattern_is_protected(world: World) -> None:
    toml = (world.path / "handrail.toml").read_text()
    world.repo.write("handrail.toml", toml.replace('["main"]', '["main", "release/*"]'))
    old = world.repo.commit("patterns")
    commit = change(world, "src/a")
    world.repo.git("update-ref", "refs/heads/main", old)
    found = push(world, f"{ZERO} {commit} refs/heads/release/1", f"{ZERO} {old} refs/heads/x/y")
    assert (codes(found), found.skipped) == (["unseen"], ("refs/heads/x/y",))


def test_what_any_protected_ref_has_already_does_not_land_again(world: World) -> None:
    toml = (world.path / "handrail.toml").read_text()
    world.repo.write("handrail.toml", toml.replace('["main"]', '["main", "release/*"]'))
    old = world.repo.commit("patterns")
    commit = change(world, "src/a")
    assert codes(push(world, f"{old} {commit} refs/heads/main")) == ["unseen"]
    world.repo.git("branch", "release/1", commit)
    assert push(world, f"{old} {commit} refs/heads/main").judgments == ()


def test_replacing_objects_is_refused(world: World, landed: str) -> None:
    found = push(world, f"{ZERO} {landed} refs/replace/{landed}")
    assert (codes(found), found.verdict, found.skipped) == (["replace_ref"], REFUSED, ())


@pytest.mark.parametrize(
    "line", ["nonsense", "a b c", f"{ZERO} {ZERO}", f"{ZERO} x refs/heads/main", f"{ZERO}  {ZERO}"]
)
def test_a_line_that_git_would_not_give_is_malformed(world: World, line: str) -> None:
    with pytest.raises(errors.MalformedRange):
        push(world, line)


def test_a_push_of_what_is_not_here_cannot_be_judged(world: World, landed: str) -> None:
    with pytest.raises(errors.FactsUnavailable):
        push(world, f"{landed} {'f' * 40} refs/heads/main")


# ------------------------------------------------------------------------------------- cannot tell


def test_replaced_objects_have_no_effect(world: World, landed: str) -> None:
    good = work(world, "src/a")
    bad = change(world, "src/b")
    world.repo.git("replace", bad, good)
    assert [j.commit for j in verify(world).judgments] == [good, bad]
    assert codes(verify(world)) == ["attested", "unseen"]


def test_a_ledger_that_does_not_verify_is_not_judged_by(world: World, landed: str) -> None:
    work(world, "src/a")
    connection = apsw.Connection(str(world.store))
    spoilt = "CAST(replace(CAST(payload AS TEXT), 'src', 'sra') AS BLOB)"
    changed = f"UPDATE entry SET payload = {spoilt} WHERE kind = ?"
    connection.execute(changed, ("lease.granted",))
    connection.close()
    with pytest.raises(errors.LedgerBroken):
        verify(world)


def test_an_entry_that_is_none_of_its_kind_is_named(world: World, landed: str) -> None:
    commit = change(world, "src/a")
    enter(world, CommitAttested(commit, 7, (), 1, "h", ()))  # type: ignore[arg-type]
    with world.open() as application, application.store.read() as reader:
        seq = reader.head.seq
    with pytest.raises(errors.LedgerBroken) as refused:
        verify(world)
    assert refused.value.values["seq"] == seq


def test_an_attestation_of_hostile_ids_is_nobodys_candidate(world: World, landed: str) -> None:
    good = work(world, "src/a")
    with world.open() as application, application.context.outside.history() as history:
        told = history.changes([good])[good]
    for name in ("HEAD", "\n", "é", "--all", "", "f" * 40):
        enter(world, CommitAttested(name, told.tree, (), 1, told.paths_hash, ((1, 1), (-5, 1))))
    world.repo.git("commit", "--quiet", "--amend", "--message", "reworded")
    assert codes(verify(world)) == ["inherited"]
    world.repo.git("commit", "--quiet", "--amend", "--message", "", "--allow-empty-message")
    assert verify(world).judgments[0].subject == ""


def test_a_repository_that_lacks_objects_is_not_judged(world: World, landed: str) -> None:
    work(world, "src/a")
    tree = world.repo.git("rev-parse", "HEAD^{tree}")
    (world.path / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(errors.FactsUnavailable):
        verify(world)


def test_a_redacted_grant_leaves_a_commit_that_cannot_be_judged(world: World, landed: str) -> None:
    work(world, "src/a")
    with world.open() as application, application.store.transaction() as tx:
        grant = max(e.seq for e in tx.entries() if b"lease.granted" in e.header)
        tx.redact(grant)
        tx.commit([PayloadRedacted(grant, "a name")], Actor())
    found = verify(world)
    assert (codes(found), found.verdict) == (["redacted"], CANNOT_TELL)


def ledger_head(world: World) -> str:
    with world.open() as application:
        return Records(application.context).head()


@pytest.mark.parametrize("spoilt", [False, True])
def test_a_head_in_a_trailer_must_be_one_of_this_ledger(
    world: World, landed: str, spoilt: bool
) -> None:
    session = world.session()
    world.claim(session, "src")
    known = ledger_head(world)
    epoch, seq, digest = known.split(":")
    named = f"{epoch}:{seq}:{'0' * 64}" if spoilt else known
    world.repo.write("src/a", "a")
    world.repo.git("add", "src")
    message = f"change\n\nHandrail-Ledger: {named}\nSigned-off-by: x\n"
    world.repo.git("commit", "--quiet", "--message", message)
    attest(world, session)
    assert codes(verify(world)) == ["head_differs" if spoilt else "attested"]
    far = f"zzzzzzzz:{seq}:{digest}"
    for trailer in (far, "nonsense", ""):
        world.repo.git("commit", "--quiet", "--amend", "-m", f"x\n\nHandrail-Ledger: {trailer}")
        # What is not believed hands nothing down either, and neither does a head that holds it.
        assert codes(verify(world)) == ["unseen" if spoilt else "inherited"]
    beyond = f"{epoch}:{10**6}:{digest}"
    world.repo.git("commit", "--quiet", "--amend", "-m", f"x\n\nHandrail-Ledger: {beyond}")
    assert verify(world).verdict == (REFUSED if spoilt else CANNOT_TELL)


# ------------------------------------------------------------------------------------------ bounds


def test_too_many_commits_are_refused(
    world: World, landed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "COMMITS_MAX", 2)
    for number in range(3):
        change(world, f"src/{number}")
    with pytest.raises(errors.MalformedRange, match="more than 2"):
        verify(world)
    assert len(verify(world, "HEAD~2..HEAD").judgments) == 2


def test_spans_of_the_ledger_are_read_once() -> None:
    spans: Sequence[tuple[int, int]] = [(5, 9), (1, 3), (2, 4), (20, 21), (9, 10)]
    assert evidence._joined(list(spans)) == [(1, 4), (5, 10), (20, 21)]


def test_nothing_in_the_repository_or_the_store_is_changed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = make_world(tmp_path, tmp_path_factory.getbasetemp())
    protect(world)
    fork(world)
    merge(world, "--strategy=ours", "side")
    before = {path: path.stat().st_mtime_ns for path in (world.path / ".git").rglob("*")}
    verify(world)
    after = {path: path.stat().st_mtime_ns for path in (world.path / ".git").rglob("*")}
    known = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    assert {path for path in known if path.parent != world.folder and path != world.folder} == set()


# --------------------------------------------------------- what an attestation says of the change


def attested_and_gone(world: World, *paths: str, text: str = "changed\n") -> str:
    """Attest a change as the command does, reword it, and let git forget the first of the two."""
    who = world.session()
    world.claim(who, *paths)
    first = change(world, *paths, text=text)
    with world.open(who) as application:
        Attestation(application.context).attest("HEAD")
    world.release(who)
    world.repo.git("commit", "--quiet", "--amend", "-m", "in other words")
    forget(world)
    assert world.repo.git("cat-file", "-t", first, check=False) == ""
    return head(world)


def forget(world: World) -> None:
    world.repo.git("reflog", "expire", "--expire=now", "--all")
    world.repo.git("gc", "--quiet", "--prune=now")


def test_a_commit_inherits_from_one_that_git_has_forgotten(world: World, landed: str) -> None:
    attested_and_gone(world, "src/a.py", "src/b.py")
    assert only(verify(world)) == ("inherited", None)


def test_what_is_another_change_inherits_nothing_from_it(world: World, landed: str) -> None:
    attested_and_gone(world, "src/a.py", text="if x:\n    y = 1\n")
    world.repo.write("src/a.py", "if x:\n     y = 1\n")
    world.repo.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    forget(world)
    assert only(verify(world)) == ("unseen", "src/a.py")


def test_another_mode_is_another_change(world: World, landed: str) -> None:
    attested_and_gone(world, "src/empty.py", text="")
    (world.path / "src/empty.py").chmod(0o755)
    world.repo.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    forget(world)
    assert only(verify(world)) == ("unseen", "src/empty.py")


def test_an_heir_is_judged_by_what_was_held_when_its_forerunner_was_attested(
    world: World, landed: str
) -> None:
    """An entry that names a change, but whose session held nothing, gives nothing on."""
    first = change(world, "src/a.py")
    with world.open() as application:
        (row,) = application.ground.commits("HEAD")
    assert row.change is not None
    event = CommitAttested(first, row.tree, row.parents, 1, row.paths_hash, (), row.change)
    enter(world, event, session=world.session())
    world.repo.git("commit", "--quiet", "--amend", "-m", "in other words")
    assert only(verify(world)) == ("unseen", "src/a.py")


# ------------------------------------------------------------------- what landed, judged once more


def landed_history(world: World, tmp_path: Path, *, vouched: bool) -> str:
    """Land a change that names a person, then what that person signed; returns where it began."""
    eve = make_key(tmp_path, "eve")
    world.configure('[[role]]\nname = "lead"\nlane = ["**"]\ncoordinates = true\n')
    world.repo.commit("adopt")
    start = head(world)
    with_person(world, eve)
    world.repo.commit("a person more", "handrail.toml")
    if vouched:
        lead = world.session(role="lead")
        world.claim(lead, "handrail.toml")
        attest(world, lead)
        world.release(lead)
    sign(world, tmp_path / "eve", "src/eve.py")
    protect(world)
    return start


def test_what_landed_is_judged_by_the_law_that_had_landed_before_it(
    world: World, tmp_path: Path
) -> None:
    start = landed_history(world, tmp_path, vouched=True)
    assert codes(verify(world, f"{start}..HEAD")) == ["attested", "signed"]


def test_a_law_that_does_not_pass_judges_nothing(world: World, tmp_path: Path) -> None:
    start = landed_history(world, tmp_path, vouched=False)
    assert codes(verify(world, f"{start}..HEAD")) == ["unseen", "unseen"]


def test_a_law_that_has_not_landed_judges_nothing(world: World, tmp_path: Path) -> None:
    """In one push with what needs it, it does not count yet."""
    start = landed_history(world, tmp_path, vouched=True)
    world.repo.git("update-ref", "refs/remotes/origin/main", start)
    assert codes(verify(world)) == ["attested", "unseen"]
    assert codes(verify(world, f"{start}..HEAD")) == ["attested", "unseen"]


def test_the_caller_may_name_the_base(world: World, tmp_path: Path) -> None:
    start = landed_history(world, tmp_path, vouched=True)
    with world.open() as application:
        verified = Verification(application.context).verify([f"{start}..HEAD"], start)
    assert codes(verified) == ["attested", "unseen"]
    assert verified.base == start

"""Merges under the hooks of git: attested where what they add is held, never vetoed, judged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.guard.conftest import Agents
from tests.guard.support import Agent, ledger
from tests.support import Handrail, Repo, launcher


def newest(repo: Repo, handrail: Handrail, kind: str) -> dict[str, Any]:
    found = [entry for entry in ledger(repo.path, handrail) if entry["kind"] == kind]
    return dict(found[-1])


def recorded(repo: Repo, handrail: Handrail, reason: str) -> bool:
    """Tell whether HEAD is recorded as unattested for this reason, and nothing attests it."""
    head = repo.git("rev-parse", "HEAD")
    entries = ledger(repo.path, handrail)
    said = [str(entry) for entry in entries if entry["kind"] == "commit.unattested"]
    attested = [str(entry) for entry in entries if entry["kind"] == "commit.attested"]
    return any(head in one and reason in one for one in said) and not any(
        f"'commit': '{head}'" in one for one in attested
    )


def verdict(repo: Repo, handrail: Handrail) -> tuple[int, str]:
    done = handrail("verify", repo.git("rev-parse", "HEAD"))
    return done.code, done.out


def both_changed(repo: Repo, ada: Agent) -> None:
    """Let Ada change one file on ``topic`` and on ``main``, each attested; she is on ``main``."""
    for branch, words in (("topic", ("-b",)), ("main", ())):
        assert ada.git("checkout", "--quiet", *words, branch).code == 0
        ada.edit("src/a.py", f"{branch}'s\n")
        done = ada.commits(branch)
        assert done.code == 0, done
    assert repo.git("status", "--porcelain") == ""


@pytest.mark.sampled(2)
def test_a_conflict_that_the_holder_resolves_is_attested(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    ada = agents("s-ada")
    ada.begins()
    both_changed(guarded, ada)
    assert ada.git("merge", "--no-edit", "topic").code != 0
    assert not ada.edit("src/a.py", "both's\n").refused
    done = ada.commits("merged")
    assert (done.code, done.err) == (0, "")
    head = guarded.git("rev-parse", "HEAD")
    assert len(guarded.git("rev-parse", "HEAD^@").split()) == 2
    assert head in str(newest(guarded, handrail, "commit.attested"))
    code, said = verdict(guarded, handrail)
    assert (code, "attested" in said) == (0, True), said
    assert handrail("status", "--json").json()["leases"] == [], "a clean path is free again"


@pytest.mark.sampled(2)
def test_a_resolution_over_what_another_holds_is_recorded_and_not_vetoed(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    ada, bob = agents("s-ada", name="ada"), agents("s-bob", name="bob")
    ada.begins()
    both_changed(guarded, ada)
    bob.begins()
    assert bob.run([*launcher(), "claim", "src/a.py"]).code == 0
    assert ada.git("merge", "--no-edit", "topic").code != 0
    assert ada.edit("src/a.py", "both's\n").refused
    done = ada.shell("echo both > src/a.py && git commit -qam merged")
    assert done.code == 0
    assert "src/a.py" in done.err, "it is said all the same"
    assert guarded.git("status", "--porcelain") == ""
    assert len(guarded.git("rev-parse", "HEAD^@").split()) == 2
    assert recorded(guarded, handrail, "not_covered")
    code, said = verdict(guarded, handrail)
    assert (code, "src/a.py" in said) == (1, True), said


def test_a_resolution_that_nobody_held_is_attested_afterwards(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    ada = agents("s-ada")
    ada.begins()
    both_changed(guarded, ada)
    ada.git("merge", "--no-edit", "topic")
    assert ada.shell("echo both > src/a.py && git commit -qam merged").code == 0
    assert recorded(guarded, handrail, "not_covered")
    step = verdict(guarded, handrail)[1].splitlines()[-1].removeprefix("next: ")
    assert step.startswith("handrail attest")
    assert ada.run([*launcher(), "claim", "src/a.py"]).code == 0
    assert ada.run([*launcher(), "attest", step.split()[-1]]).code == 0
    assert verdict(guarded, handrail)[0] == 0


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seen", [True, False])
def test_a_merge_that_drops_what_another_landed_is_recorded_and_refused(
    guarded: Repo, agents: Agents, handrail: Handrail, seen: bool
) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.begins()
    bob.begins()
    bob.git("checkout", "--quiet", "-b", "topic")
    bob.edit("src/bobs.py", "bob's\n")
    assert bob.commits("bob's").code == 0
    bob.ends()
    ada.git("checkout", "--quiet", "main")
    line = "git merge -q --no-edit -s ours topic"
    done = ada.bash(line) if seen else ada.shell(line)
    assert done.code == 0, done
    assert not (guarded.path / "src/bobs.py").exists()
    assert recorded(guarded, handrail, "not_covered"), "that it is free now is no leave to drop it"
    code, said = verdict(guarded, handrail)
    assert (code, "src/bobs.py" in said) == (1, True), said
    assert "next: git rebase" in said


def test_a_clean_merge_is_attested_without_a_lease(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.begins()
    ada.git("checkout", "--quiet", "-b", "topic")
    ada.edit("src/a.py", "ada's\n")
    ada.commits("topic")
    ada.git("checkout", "--quiet", "main")
    ada.edit("src/b.py", "ada's\n")
    ada.commits("main")
    bob.begins()
    assert bob.run([*launcher(), "claim", "src"]).code == 0
    done = ada.git("merge", "--quiet", "--no-edit", "topic")
    assert (done.code, done.err) == (0, ""), "what it brings was attested where it was made"
    entry = newest(guarded, handrail, "commit.attested")
    assert guarded.git("rev-parse", "HEAD") in str(entry)
    assert entry["session"] == "s-ada"
    assert verdict(guarded, handrail)[0] == 0
    subject, trailers = guarded.git("log", "-1", "--format=%s%n%(trailers:keyonly)").split("\n", 1)
    assert subject == "Merge branch 'topic'", "the trailers stand apart from the subject"
    assert trailers.split() == ["Handrail-Session", "Handrail-Ledger"]


def test_a_merge_of_many_is_recorded_and_refused(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    ada = agents("s-ada")
    ada.begins()
    for name in ("one", "two"):
        ada.git("checkout", "--quiet", "-b", name, "main")
        ada.edit(f"src/{name}.py", name)
        ada.commits(name)
    ada.git("checkout", "--quiet", "main")
    assert ada.git("merge", "--quiet", "--no-edit", "--no-ff", "one", "two").code == 0
    assert recorded(guarded, handrail, "unsupported_commit")
    assert verdict(guarded, handrail)[0] == 1


def test_what_others_landed_meanwhile_may_be_merged(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    beside = guarded.worktree("beside")
    ada, bob = agents("s-ada", beside), agents("s-bob")
    ada.begins()
    bob.begins()
    ada.edit("src/a.py", "ada's\n")
    assert ada.commits("ada's").code == 0
    assert bob.run([*launcher(), "claim", "src/a.py"]).code == 0
    bob.edit("src/a.py", "bob's\n")
    assert bob.commits("bob's").code == 0
    assert bob.run([*launcher(), "release", "--all"]).code == 0
    assert ada.git("merge", "--no-edit", "main").code != 0
    assert not ada.edit("src/a.py", "both's\n").refused
    done = ada.commits("merged")
    assert (done.code, done.err) == (0, "")
    assert len(guarded.git("rev-parse", "HEAD^@", cwd=beside).split()) == 2
    assert handrail("verify", guarded.git("rev-parse", "HEAD", cwd=beside)).code == 0


def test_an_amended_or_forced_merge_is_never_vetoed(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.begins()
    both_changed(guarded, ada)
    ada.git("merge", "--no-edit", "topic")
    ada.edit("src/a.py", "both's\n")
    ada.commits("merged")
    bob.begins()
    assert bob.run([*launcher(), "claim", "src/a.py"]).code == 0
    assert ada.git("commit", "--quiet", "--amend", "--message", "reworded").code == 0
    assert recorded(guarded, handrail, "not_covered")
    assert verdict(guarded, handrail)[0] == 1
    made = "git commit-tree -p HEAD^1 -p HEAD^2 -m forced HEAD^{tree}"
    assert ada.shell(f"git update-ref refs/heads/main $({made})").code == 0
    assert recorded(guarded, handrail, "not_covered")

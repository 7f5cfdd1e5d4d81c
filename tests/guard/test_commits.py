"""Commits under the hooks of git: attested; vetoed only where that harms nothing; else recorded."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from handrail.service.leases import Asked
from handrail.service.sessions import Sessions
from tests.guard.conftest import Agents
from tests.guard.support import Hooked, ledger
from tests.races.workers import opened
from tests.support import Handrail, Repo, launcher


def kinds(repo: Repo, handrail: Handrail) -> list[str]:
    return [entry["kind"] for entry in ledger(repo.path, handrail)]


def newest(repo: Repo, handrail: Handrail, kind: str) -> dict[str, object]:
    found = [entry for entry in ledger(repo.path, handrail) if entry["kind"] == kind]
    return dict(found[-1])


def test_every_commit_of_an_agent_is_attested_and_says_by_whom(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    ada = agents("s-ada")
    ada.edit("src/a.py", "one\n")
    done = ada.commits("work")
    assert done.code == 0, done
    head = guarded.git("rev-parse", "HEAD")
    assert newest(guarded, handrail, "commit.attested")["session"] == "s-ada"
    message = guarded.git("log", "-1", "--format=%B")
    assert message.count("Handrail-Session: s-ada") == 1
    assert message.count("Handrail-Ledger: ") == 1
    assert handrail("verify", head).code == 0
    assert handrail("status", "--json").json()["leases"] == [], "a clean path is free again"


def test_the_trailers_are_written_once(guarded: Repo, agents: Agents) -> None:
    ada = agents("s-ada")
    ada.edit("src/a.py", "one\n")
    ada.commits("work")
    ada.edit("src/a.py", "two\n")
    ada.git("add", "--all")
    assert ada.git("commit", "--quiet", "--amend", "--no-edit").code == 0
    message = guarded.git("log", "-1", "--format=%B")
    assert message.count("Handrail-Session: ") == message.count("Handrail-Ledger: ") == 1


def test_a_commit_that_was_never_edited_through_a_tool_takes_what_is_free(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    ada = agents("s-ada")
    ada.begins()
    assert ada.shell("echo x > src/new.py && git add -A && git commit -qm new").code == 0
    assert newest(guarded, handrail, "commit.attested")["session"] == "s-ada"


def test_a_person_without_a_session_is_recorded_and_not_stopped(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    ada = agents("s-ada")
    ada.edit("src/a.py", "one\n")
    guarded.write("src/a.py", "a person's\n")
    guarded.commit("by hand")
    entry = newest(guarded, handrail, "commit.unattributed")
    assert guarded.git("rev-parse", "HEAD") in str(entry)


def test_an_agent_without_a_session_is_recorded_as_such(guarded: Repo, handrail: Handrail) -> None:
    guarded.write("src/a.py", "an unknown agent's\n")
    guarded.git("add", "--all")
    guarded.git("commit", "--quiet", "--message", "x", env={"CLAUDECODE": "1"})
    assert newest(guarded, handrail, "commit.unattested")["session"] is None


@pytest.mark.parametrize("words", [(), ("--no-verify",)])
def test_a_commit_over_what_another_holds_is_vetoed(
    guarded: Repo, agents: Agents, words: tuple[str, ...]
) -> None:
    ada, bob = agents("s-ada", name="ada"), agents("s-bob", name="bob")
    ada.edit("src/a.py", "one\n")
    bob.edit("src/b.py", "two\n")
    before = guarded.git("rev-parse", "HEAD")
    done = bob.commits("everything", *words)
    assert done.code != 0
    assert "src/a.py" in done.err
    assert "ada" in done.err
    assert guarded.git("rev-parse", "HEAD") == before
    assert guarded.git("status", "--porcelain").splitlines() == ["M  src/a.py", "M  src/b.py"]


def test_pre_commit_names_everything_at_once(agents: Agents) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.edit("src/a.py", "one\n")
    ada.edit("lib/c.py", "one\n")
    bob.edit("src/b.py", "two\n")
    done = bob.commits("everything")
    assert "2 paths" in done.err
    assert "src/a.py" in done.err
    assert "lib/c.py" in done.err


def test_update_ref_is_vetoed_too(guarded: Repo, agents: Agents) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.edit("src/a.py", "one\n")
    bob.begins()
    made = bob.shell(
        "git add -A && git commit-tree -p HEAD -m forced $(git write-tree)"
    ).out.strip()
    done = bob.git("update-ref", "refs/heads/main", made)
    assert done.code != 0
    assert guarded.git("rev-parse", "HEAD") != made


def test_renames_deletes_and_modes_need_both_paths(guarded: Repo, agents: Agents) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.edit("src/a.py", "one\n")
    bob.begins()
    for change in (
        "git mv src/b.py src/a2.py && git rm -q --cached src/a.py",
        "chmod +x src/a.py",
    ):
        done = bob.shell(f"{change} && git add -A src && git commit -qm change")
        assert done.code != 0, change
        bob.shell("git reset -q")


PASSES = {
    "reset --hard": "git reset -q --hard HEAD~1",
    "merge --ff-only": "git merge -q --ff-only topic",
    "cherry-pick": "git cherry-pick topic",
    "revert": "git revert --no-edit HEAD",
    "am": "git format-patch -q -1 --stdout topic > ../x.patch && git am -q ../x.patch",
    "rebase --abort": "git rebase clash || git rebase --abort",
    "cherry-pick --abort": "git cherry-pick clash || git cherry-pick --abort",
    "a concluded cherry-pick": (
        "git cherry-pick clash || { echo x > src/b.py; git add -A; git commit -q --no-edit; }"
    ),
    "a concluded revert": (
        "git revert --no-edit HEAD~1 || { echo x > src/b.py; git add -A; git commit -q --no-edit; }"
    ),
    "checkout -b": "git checkout -q -b other topic",
    "branch": "git branch -f other topic",
    "stash": "echo dirty >> lib/c.py && git stash -q && git stash pop -q",
    "fetch": "git fetch -q . topic:fetched",
    "pull": "git pull -q --ff-only . topic",
    "merge": "git merge -q --no-edit --no-ff topic",
    "rebase": "git checkout -q side && git rebase -q main",
}


@pytest.mark.sampled(2)
@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", PASSES)
def test_what_would_be_left_half_way_is_never_vetoed(
    guarded: Repo, agents: Agents, handrail: Handrail, name: str
) -> None:
    git = guarded.git
    git("checkout", "--quiet", "-b", "topic")
    guarded.write("docs/topic.md", "topic\n")
    guarded.commit("topic")
    git("checkout", "--quiet", "-b", "clash", "main")
    guarded.write("src/b.py", "clash\n")
    guarded.commit("clash")
    git("checkout", "--quiet", "-b", "side", "main")
    guarded.write("docs/side.md", "side\n")
    guarded.commit("side")
    git("checkout", "--quiet", "main")
    guarded.write("src/b.py", "ours\n")
    guarded.commit("ours") if name not in ("merge --ff-only", "pull") else None
    git("checkout", "--quiet", "--", ".")
    assert handrail("session", "start", "--id", "s-ada", "--json").code == 0
    claimed = handrail("claim", "src", "docs", env={"HANDRAIL_SESSION": "s-ada"})
    assert claimed.code == 0, claimed
    bob = agents("s-bob")
    bob.begins()
    done: Hooked = bob.shell(PASSES[name])
    assert done.code == 0, done
    assert guarded.git("status", "--porcelain") in ("", "M lib/c.py", " M lib/c.py")
    assert not (guarded.path / ".git" / "rebase-merge").exists()


def test_an_amended_commit_is_recorded_and_not_vetoed_by_the_branch(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    bob.edit("src/b.py", "two\n")
    assert bob.commits("two").code == 0
    ada.edit("src/a.py", "one\n")
    bob.git("add", "--all")
    assert bob.git("commit", "--quiet", "--amend", "--no-edit", "--no-verify").code == 0
    assert newest(guarded, handrail, "commit.unattested")["session"] == "s-bob"
    assert handrail("verify", "HEAD~1..HEAD").code == 1


def test_an_agent_in_a_linked_tree_commits_there(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    beside = guarded.worktree("beside")
    ada = agents("s-ada", beside)
    ada.edit("src/a.py", "one\n")
    assert ada.commits("beside").code == 0
    assert newest(guarded, handrail, "commit.attested")["session"] == "s-ada"


def test_a_solo_session_never_hears_of_handrail(agents: Agents, handrail: Handrail) -> None:
    ada = agents("s-1")
    ada.begins()
    for number in range(3):
        assert not ada.edit("src/a.py", f"{number}\n").refused
        assert not ada.edit(f"src/new{number}.py", f"{number}\n").refused
        assert ada.bash("python3 -c 'print(1)'").code == 0
        assert ada.commits(f"work {number}").code == 0
    ada.edit("src/b.py", "unfinished\n")
    ada.ends("clear")
    ada.begins("clear", "s-2")
    assert not ada.edit("src/b.py", "more\n").refused
    assert ada.commits("more").code == 0
    ada.ends()
    ada.begins("resume", "s-2")
    assert not ada.edit("src/b.py", "again\n").refused
    assert ada.commits("again").code == 0
    assert handrail("verify", "HEAD~4..HEAD").code == 0
    assert [done for _, done in ada.calls if done.code != 0] == []


def test_a_zombie_is_vetoed_refused_anew_and_found_when_it_forces_its_way(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    old, new = agents("s-old", name="old"), agents("s-new", name="new")
    old.begins()
    new.begins()
    old.edit("src/a.py", "the zombie's\n")
    stale = guarded.path / "src/a.py"
    # Its lease is given back behind its back, as an expiry would; its bytes stay where they are.
    assert old.run([*launcher(), "release", "src/a.py"]).code == 0
    stale.write_text("the successor's\n")
    taken = new.run([*launcher(), "claim", "src/a.py", "--adopt"])
    assert taken.code == 0, taken
    assert new.commits("landed").code == 0
    assert new.run([*launcher(), "release", "--all"]).code == 0
    stale.write_text("the zombie's\n")
    refused = old.hook("PreToolUse", tool_name="Edit", tool_input={"file_path": str(stale)})
    assert refused.refused
    assert "stale_bytes" in refused.err
    claim = old.run([*launcher(), "claim", "src/a.py", "--json"])
    assert json.loads(claim.out)["error"]["code"] == "stale_bytes"
    for words in ((), ("--no-verify",)):
        assert old.commits("undo", *words).code != 0
    head = guarded.git("rev-parse", "HEAD")
    old.git("add", "--all")
    forced = old.git("-c", "core.hooksPath=/dev/null", "commit", "--quiet", "-m", "forced")
    assert forced.code == 0
    verdict = handrail("verify", f"{head}..HEAD")
    assert verdict.code == 1
    assert guarded.git("rev-parse", "--short", "HEAD")[:7] in verdict.out
    assert "src/a.py" in verdict.out


def test_a_commit_stays_good_whatever_comes_after_it(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.edit("src/a.py", "ada's\n")
    ada.commits("ada's")
    first = guarded.git("rev-parse", "HEAD")
    ada.ends()
    bob.edit("src/a.py", "bob's\n")
    bob.commits("bob's")
    bob.ends()
    assert handrail("verify", f"{first}~1..HEAD").code == 0
    for number in range(34):
        with closing(opened(guarded.path)) as nobody:
            Sessions(nobody.context).start(id=f"s-{number}", agent="other")
        with closing(opened(guarded.path, f"s-{number}")) as other:
            other.leases.claim(Asked(("src",)))
            Sessions(other.context).end()
    assert handrail("verify", f"{first}~1..HEAD").code == 0

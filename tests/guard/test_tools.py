"""The tools of a harness between their hooks: what is held may be written, what others hold not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guard.conftest import Agents
from tests.guard.support import at_a_terminal, ledger
from tests.support import Handrail, Repo


def test_the_first_edit_of_a_free_path_takes_it(agents: Agents, handrail: Handrail) -> None:
    ada = agents("s-ada")
    assert not ada.edit("src/a.py", "one").refused
    (lease,) = handrail("status", "--json").json()["leases"]
    assert (lease["scope"], lease["kind"], lease["session"]) == (["src/a.py"], "local", "s-ada")
    assert not ada.edit("src/a.py", "two").refused
    assert len(handrail("status", "--json").json()["leases"]) == 1


def test_what_another_holds_in_the_same_tree_cannot_be_edited(agents: Agents) -> None:
    ada, bob = agents("s-ada", name="ada"), agents("s-bob", name="bob")
    ada.edit("src/a.py", "one")
    refused = bob.edit("src/a.py", "two")
    assert refused.refused
    assert "scope_held" in refused.err
    assert "ada" in refused.err
    assert "next: " in refused.err
    assert not bob.edit("src/b.py", "mine").refused


def test_what_somebody_claimed_cannot_be_edited_in_any_tree(
    guarded: Repo, agents: Agents, handrail: Handrail
) -> None:
    beside = guarded.worktree("beside")
    started = handrail("session", "start", "--id", "s-ada", "--json")
    assert started.code == 0, started
    assert handrail("claim", "src", env={"HANDRAIL_SESSION": "s-ada"}).code == 0
    bob = agents("s-bob", beside)
    assert bob.edit("src/a.py", "two").refused
    assert not bob.edit("lib/c.py", "mine").refused


def test_two_trees_may_edit_one_file_and_both_are_told(guarded: Repo, agents: Agents) -> None:
    beside = guarded.worktree("beside")
    ada, bob = agents("s-ada", name="ada"), agents("s-bob", beside, name="bob")
    ada.edit("src/a.py", "one")
    told = bob.edit("src/a.py", "two")
    assert not told.refused
    assert "ada" in told.context
    assert "another working tree" in told.context
    heard = ada.edit("src/b.py", "three")
    assert "bob" in heard.context
    assert ada.edit("src/b.py", "four").context == "", "told once"


@pytest.mark.parametrize(
    "path", [".git/config", ".git/hooks/pre-commit", ".handrail/hook", "handrail.toml"]
)
def test_what_keeps_handrail_working_is_nobodys_to_edit(agents: Agents, path: str) -> None:
    ada = agents("s-ada")
    refused = ada.edit(path, "x")
    assert refused.refused
    assert "guarded_path" in refused.err


def test_ignored_files_and_what_lies_outside_need_no_lease(
    agents: Agents, handrail: Handrail, tmp_path: Path
) -> None:
    ada = agents("s-ada")
    assert not ada.edit("build/out.txt", "x").refused
    assert not ada.edit(str(tmp_path / "elsewhere.txt"), "x").refused
    assert handrail("status", "--json").json()["leases"] == []


def test_a_link_is_its_end_too(guarded: Repo, agents: Agents) -> None:
    (guarded.path / "alias.py").symlink_to("src/a.py")
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.edit("src/a.py", "one")
    assert bob.edit("alias.py", "two").refused


@pytest.mark.parametrize("tool", ["Write", "MultiEdit"])
def test_every_edit_tool_is_asked_about(agents: Agents, tool: str) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.edit("src/a.py", "one")
    path = str(ada.root / "src/a.py")
    assert bob.tool(tool, lambda: None, file_path=path, content="x").refused


def test_notebooks_and_file_tools_of_servers_are_asked_about(agents: Agents) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.edit("src/a.py", "one")
    path = str(ada.root / "src/a.py")
    assert bob.tool("NotebookEdit", lambda: None, notebook_path=path).refused
    assert bob.tool("mcp__files__write_file", lambda: None, path="src/a.py").refused
    assert bob.tool("mcp__files__move_file", lambda: None, source=path, destination="x").refused
    assert not bob.tool("mcp__files__read_file", lambda: None, path=path).refused
    assert not bob.tool("Read", lambda: None, file_path=path).refused


def test_a_shell_line_that_writes_there_is_stopped_before_it_runs(agents: Agents) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.edit("src/a.py", "one")
    assert bob.bash("echo two > src/a.py").refused
    assert bob.bash("cd src && sed -i s/one/two/ a.py").refused
    assert bob.bash("rm -rf src").refused
    assert (ada.root / "src/a.py").read_text() == "one"
    assert not bob.bash("cat src/a.py | grep one").refused
    assert not bob.bash("rm -rf lib").refused


def test_what_a_program_wrote_unseen_is_told_and_recorded(
    agents: Agents, handrail: Handrail
) -> None:
    ada, bob = agents("s-ada", name="ada"), agents("s-bob", name="bob")
    bob.begins()
    ada.edit("src/a.py", "one")
    bob.edit("gen.py", "open('src/a.py', 'w').write('two'); open('src/new.py', 'w').write('2')")
    before = len(bob.calls)
    bob.bash("python3 gen.py")
    seen = [done.context for event, done in bob.calls[before:] if event == "PostToolUse"]
    assert "src/a.py" in seen[0]
    assert "ada" in seen[0]
    assert "src/new.py" not in seen[0]
    found = [entry for entry in ledger(ada.root, handrail) if entry["kind"] == "write.unheld"]
    assert [entry["session"] for entry in found] == ["s-bob"]
    held = handrail("status", "--json").json()["leases"]
    assert {"src/new.py", "gen.py"} == {
        p for x in held if x["session"] == "s-bob" for p in x["scope"]
    }


def test_nobody_is_blamed_for_the_edits_of_another(agents: Agents) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    bob.begins()
    for number in range(3):
        ada.edit("src/a.py", f"one {number}")
        assert bob.bash("true").code == 0
    assert [done.context for event, done in bob.calls if event == "PostToolUse"] == ["", "", ""]


def test_a_session_is_told_who_it_is_and_who_else_is_here(agents: Agents) -> None:
    ada, bob = agents("s-ada", name="ada"), agents("s-bob", name="bob")
    told = ada.begins().context
    assert "s-ada" in told
    assert len(told.splitlines()) <= 3
    ada.edit("src/a.py", "one")
    assert "ada holds src/a.py" in bob.begins().context


def test_what_is_clean_is_free_when_a_session_ends(agents: Agents, handrail: Handrail) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.edit("src/a.py", "# src/a.py\n")
    ada.ends()
    assert handrail("status", "--json").json()["leases"] == []
    assert not bob.edit("src/a.py", "mine").refused


def test_a_cleared_session_goes_on_with_its_own_unfinished_work(agents: Agents) -> None:
    ada = agents("s-1")
    ada.begins()
    ada.edit("src/a.py", "unfinished")
    ada.ends("clear")
    told = ada.begins("clear", "s-2")
    assert "src/a.py" in told.context
    assert not ada.edit("src/a.py", "more").refused
    assert ada.commits("done").code == 0


def test_a_crashed_agent_leaves_its_unfinished_work_to_the_next_of_its_name(
    agents: Agents,
) -> None:
    ada = agents("s-1", name="ada")
    ada.edit("src/a.py", "unfinished")
    ada.dies()
    bob = agents("s-bob", name="bob")
    assert bob.edit("src/a.py", "mine").refused
    again = agents("s-2", name="ada")
    assert "src/a.py" in again.begins().context
    assert not again.edit("src/a.py", "more").refused


def test_a_subdirectory_and_another_tree_are_asked_about_by_their_own_paths(
    guarded: Repo, agents: Agents
) -> None:
    beside = guarded.worktree("beside")
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.edit("src/a.py", "one")
    bob.cwd = bob.root / "src"
    assert bob.edit("src/a.py", "two").refused
    assert bob.bash("echo x > a.py").refused
    told = bob.edit(str(beside / "src/a.py"), "two")
    assert not told.refused, "another tree's file is another file"
    cara = agents("s-cara", beside)
    assert cara.edit("src/a.py", "three").refused


def test_shadow_records_warn_says_and_enforce_refuses(guarded: Repo, agents: Agents) -> None:
    ada, bob = agents("s-ada"), agents("s-bob")
    ada.edit("src/a.py", "one")
    config = guarded.path / "handrail.toml"
    log = guarded.path / ".git" / "handrail" / "hook.log"
    for mode in ("shadow", "warn"):
        config.write_text(config.read_text().replace('mode = "enforce"', f'mode = "{mode}"'))
        config.write_text(config.read_text().replace('mode = "shadow"', f'mode = "{mode}"'))
        assert at_a_terminal(guarded.path, "config", "apply") == 0
        done = bob.hook(
            "PreToolUse", tool_name="Edit", tool_input={"file_path": str(ada.root / "src/a.py")}
        )
        assert done.code == 0
        assert ("scope_held" in done.out) == (mode == "warn")
        assert "scope_held" in log.read_text()


def test_settings_may_be_edited_as_long_as_they_keep_our_entries(agents: Agents) -> None:
    ada = agents("s-ada")
    path = ada.root / ".claude/settings.json"
    text = path.read_text()
    more = text.replace("{\n", '{\n  "model": "opus",\n', 1)
    for content, refused in ((more, False), ("{}", True), ("no JSON", True)):
        done = ada.tool("Write", lambda: None, file_path=str(path), content=content)
        assert done.refused is refused, content
    edits = (("PreToolUse", "PreToolUsed", True), ("{\n", '{\n  "env": {},\n', False))
    for old, new, refused in edits:
        inputs = {"old_string": old, "new_string": new}
        done = ada.tool("Edit", lambda: None, file_path=str(path), **inputs)
        assert done.refused is refused, old


def test_what_a_shell_line_writes_after_a_pull_is_not_stale(guarded: Repo, agents: Agents) -> None:
    guarded.write("gen.py", "open('src/a.py', 'w').write('ada')\n")
    guarded.commit("a program whose writes no shell line shows")
    beside = guarded.worktree("beside")
    ada, bob = agents("s-ada", name="ada"), agents("s-bob", beside, name="bob")
    ada.begins()
    bob.edit("src/a.py", "bob's\n")
    assert bob.commits("bob's").code == 0
    bob.ends()
    assert ada.bash("git merge -q --ff-only beside").code == 0
    before = len(ada.calls)
    assert ada.bash("python3 gen.py").code == 0
    assert [done.context for _, done in ada.calls[before:]] == ["", ""]
    assert ada.commits("on top").code == 0


def test_what_cannot_be_told_of_a_shell_line_is_counted(agents: Agents, handrail: Handrail) -> None:
    ada = agents("s-ada")
    assert ada.bash('for f in $(ls src); do echo x > "$OUT/$f"; done').code != 2
    told = handrail("doctor")
    assert "shell_undecided_total: 1" in told.out, told


def test_the_settings_let_the_end_of_a_turn_be_asked_about_and_solo_work_hears_nothing(
    agents: Agents, handrail: Handrail
) -> None:
    ada = agents("s-ada")
    ada.begins()
    ada.edit("src/a.py", "one")
    before = len(ledger(ada.root, handrail))
    for event in ("Stop", "SubagentStop", "TaskCompleted"):
        assert ada.hook(event, stop_hook_active=False) == (0, "", "")
    assert len(ledger(ada.root, handrail)) == before
    assert ada.hook("PreCompact", trigger="manual") == (0, "", "")
    assert len(ledger(ada.root, handrail)) == before + 1

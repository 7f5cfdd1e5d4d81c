"""What `init` writes, `uninstall` takes out again, and `doctor` finds lost and brings back."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.service.install.guidance import BEGIN
from handrail.service.install.scripts import HOOKS, harness_hook, is_ours
from handrail.service.install.settings import COMMAND
from tests.cli.test_hooks import ODD_NAMES, StandIn, as_harness, put, run
from tests.cli.world import World
from tests.support import Handrail, Repo, Result

TRACKED: Final = ("handrail.toml", ".handrail/hook", ".claude/settings.json", "AGENTS.md")
FOREIGN: Final = b"#!/bin/sh\necho foreign >>.git/foreign.out\n"


def tree(root: Path) -> dict[str, tuple[str, int]]:
    """List a working tree and its hooks: what each file holds, and its permissions."""
    listed = {}
    folders = [root, root / ".git" / "hooks"] if (root / ".git").is_dir() else [root]
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(root))
            if name.partition("/")[0] == ".git" and "/hooks/" not in f"/{name}":
                continue
            told = path.lstat()
            if path.is_symlink():
                content = f"-> {os.readlink(path)}"
            else:
                content = sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
            listed[name] = (content, stat.S_IMODE(told.st_mode))
    return listed


OF_COMMITS: Final = tuple(name for name in HOOKS if name != "pre-push")
"""The hooks that a commit runs."""


def steps(done: Result) -> dict[str, str]:
    """Return what became of each file of a report in JSON."""
    assert done.code == 0, done.err
    return {step["what"]: step["outcome"] for step in done.json()["files"]}


def left(done: Result, name: str) -> str:
    """Return what is said of a file that was left as it was."""
    [note] = [
        step["note"]
        for step in done.json()["files"]
        if step["outcome"] == "left" and step["what"].endswith(name)
    ]
    assert isinstance(note, str)
    return note


def at(world_path: Path, *names: str) -> list[str]:
    return [str(world_path / name) for name in names]


def uninstall(repo: Repo, scratch: Path, *words: str, cwd: Path | None = None) -> Result:
    """Uninstall as a person at a terminal."""
    person = World(repo, scratch).shell(cwd)
    done = person.types(" ".join(("handrail uninstall", *words)), terminal=True)
    assert done.code == 0, done.err
    return done


# ------------------------------------------------------------------------------------------ init


def test_init_writes_what_binds_and_says_so(repo: Repo, handrail: Handrail) -> None:
    planned = steps(handrail("init", "--dry-run", "--json"))
    assert tree(repo.path).keys() == {"README.md"} | samples(repo)
    done = steps(handrail("init", "--json"))
    assert list(done) == list(planned)
    assert set(done.values()) == set(planned.values()) == {"created"}
    git = repo.path / ".git"
    assert set(done) == {
        "handrail.toml",
        *at(repo.path, *TRACKED[1:]),
        *at(git, "handrail/state.db", "handrail/launch"),
        *at(git / "hooks", *HOOKS),
    }
    status = repo.git("status", "--porcelain", "--untracked-files=all").splitlines()
    assert sorted(status) == sorted(f"?? {name}" for name in TRACKED)
    repo.git("add", ".")
    assert repo.git("ls-files", "--stage", ".handrail/hook").startswith("100755 ")


def samples(repo: Repo) -> set[str]:
    return {name for name in tree(repo.path) if name.endswith(".sample")}


def test_init_again_changes_no_byte(repo: Repo, handrail: Handrail) -> None:
    put(repo.path / ".git" / "hooks" / "pre-commit", FOREIGN)
    repo.write("AGENTS.md", "# Rules")
    repo.write(".claude/settings.json", '{"model": "x"}')
    first = steps(handrail("init", "--json"))
    assert first[str(repo.path / "AGENTS.md")] == "merged"
    assert first[str(repo.path / ".claude/settings.json")] == "merged"
    assert first[str(repo.path / ".git/hooks/pre-commit")] == "chained"
    before = tree(repo.path)
    for _ in range(2):
        assert set(steps(handrail("init", "--json")).values()) == {"kept"}
        assert tree(repo.path) == before


def test_everybody_who_sets_up_at_once_keeps_the_hook_that_was_there(
    repo: Repo, handrail: Handrail
) -> None:
    hooks = repo.path / ".git" / "hooks"
    put(hooks / "pre-commit", FOREIGN)
    started = [handrail.start("init", "--json") for _ in range(4)]
    for each in started:
        with each:
            _, err = each.communicate(timeout=60)
            assert each.returncode == 0, err
    assert (hooks / "pre-commit.before-handrail").read_bytes() == FOREIGN
    assert is_ours((hooks / "pre-commit").read_bytes())
    assert {path.name for path in hooks.iterdir() if "before" in path.name} == {
        "pre-commit.before-handrail"
    }
    assert set(steps(handrail("init", "--json")).values()) == {"kept"}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ODD_NAMES)
def test_init_works_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    repo = Repo.create(tmp_path / name)
    handrail = Handrail(repo.path)
    assert handrail("init").code == 0
    stand_in = StandIn(tmp_path / "stand-in")
    stand_in.install(repo.path / ".git")
    assert as_harness(repo.path).code == 0
    repo.commit("handrail")
    assert stand_in.words()[:2] == [["hook"], ["hook", "git", "pre-commit"]]
    assert handrail("doctor", "--repair").code in (0, 1)
    assert set(steps(handrail("init", "--json")).values()) <= {"kept", "updated"}


def test_a_linked_worktree_and_a_subdirectory_set_up_their_own_tree(
    repo: Repo, handrail: Handrail
) -> None:
    repo.write("sub/file", "x")
    repo.commit("sub")
    beside = repo.worktree("beside")
    done = steps(handrail("init", "--json", cwd=beside / "sub"))
    assert at(beside, *TRACKED[1:])[0] in done
    assert (repo.path / ".git" / "hooks" / "pre-commit").exists()
    assert not (repo.path / "handrail.toml").exists()
    again = steps(handrail("init", "--json", cwd=repo.path / "sub"))
    assert again[str(repo.path / ".handrail/hook")] == "created"
    assert again[str(repo.path / ".git/hooks/pre-commit")] == "kept"
    assert again[str(repo.path / ".git/handrail/launch")] == "kept"


def test_in_a_fresh_clone_init_adds_only_what_no_clone_brings(
    repo: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    assert handrail("init").code == 0
    StandIn(tmp_path / "stand-in").install(repo.path / ".git")
    repo.commit("handrail")
    clone = tmp_path / "clone"
    repo.git("clone", "--quiet", str(repo.path), str(clone))
    assert as_harness(clone).err.startswith("handrail: this clone does not run Handrail")
    done = steps(handrail("init", "--json", cwd=clone))
    assert {done["handrail.toml"], *(done[path] for path in at(clone, *TRACKED[1:]))} == {"kept"}
    assert {done[str(clone / ".git/hooks" / name)] for name in HOOKS} == {"created"}
    assert repo.git("status", "--porcelain", cwd=clone) == ""


def test_init_needs_no_home_and_no_way_to_a_harness(repo: Repo, handrail: Handrail) -> None:
    path = os.path.dirname(shutil.which("git") or "")
    done = handrail("init", "--json", env={"HOME": "/nonexistent", "PATH": path})
    assert steps(done)[str(repo.path / ".claude/settings.json")] == "created"


def test_the_state_folder_moves_the_store_and_nothing_else(
    repo: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    env = {"HANDRAIL_STATE_DIR": str(tmp_path / "state")}
    done = steps(handrail("init", "--json", env=env))
    assert str(tmp_path / "state" / "state.db") in done
    assert os.listdir(repo.path / ".git" / "handrail") == ["launch"]
    person = World(repo, tmp_path / "scratch").shell(None, **env)
    assert person.types("handrail uninstall", terminal=True).code == 0
    assert not (repo.path / ".git" / "handrail").exists()
    assert (tmp_path / "state.retired-1" / "state.db").exists()
    assert set(os.listdir(repo.path)) == {".git", "README.md"}


def test_a_harness_that_is_to_come_is_named_and_any_other_is_refused(
    repo: Repo, handrail: Handrail
) -> None:
    done = handrail("init", "--harness", "claude, codex,cursor")
    assert done.code == 0
    assert "note: hooks for codex, cursor are not in this release yet" in done.err
    assert (repo.path / ".claude" / "settings.json").exists()
    before = tree(repo.path)
    for name in ("clod", "claude,", ""):
        refused = handrail("init", "--harness", name or ",", "--json")
        assert refused.json()["error"]["code"] == "usage"
    assert tree(repo.path) == before


def test_the_hook_of_the_settings_blocks_on_failure_in_enforce_only(
    repo: Repo, handrail: Handrail
) -> None:
    assert handrail("init").code == 0
    path, config = repo.path / ".claude" / "settings.json", repo.path / "handrail.toml"

    def entry() -> dict[str, Any]:
        loaded = json.loads(path.read_text())
        [group] = loaded["hooks"]["PreToolUse"]
        found: dict[str, Any] = group["hooks"][0]
        return found

    wanted = {"type": "command", "command": COMMAND, "timeout": 10}
    assert entry() == {**wanted, "onFailure": "block"}
    config.write_text(config.read_text().replace('mode = "enforce"', 'mode = "warn"'))
    assert 'mode = "warn"' in config.read_text()
    assert steps(handrail("init", "--json"))[str(path)] == "merged"
    assert entry() == wanted


# -------------------------------------------------------------------- what cannot be written there


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{ // why\n "a": 1 }\n', "no JSON at line 1"),
        (b'{"a": 1,}\n', "no JSON"),
        (b'{"hooks": []}\n', "its hooks are no object"),
        (b"[]\n", "it holds no object"),
        (b"\xff\xfe{}\n", "not UTF-8"),
        (b"{" + b" " * (1 << 20) + b"}", "larger than 1 MiB"),
    ],
)
def test_settings_that_cannot_be_merged_are_left_and_said(
    repo: Repo, handrail: Handrail, text: bytes, reason: str
) -> None:
    path = put(repo.path / ".claude" / "settings.json", text, 0o644)
    done = handrail("init", "--json")
    assert done.code == 0
    assert reason in left(done, "settings.json")
    assert COMMAND in left(done, "settings.json")
    assert path.read_bytes() == text
    assert "1 file could not be written" in handrail("init").err
    found = handrail("doctor")
    assert (found.code, ".claude/settings.json" in found.out) == (1, True)


def test_what_is_read_only_is_left_and_said(repo: Repo, handrail: Handrail) -> None:
    for name in (".claude/settings.json", "AGENTS.md"):
        put(repo.path / name, "{}\n", 0o444)
    before = tree(repo.path)
    done = handrail("init", "--json")
    assert done.code == 0
    for name in (".claude/settings.json", "AGENTS.md"):
        assert "it is read-only" in left(done, name)
        assert tree(repo.path)[name] == before[name]


@pytest.mark.parametrize("name", [".claude/settings.json", "AGENTS.md", ".handrail/hook"])
def test_nothing_is_written_through_a_link(
    repo: Repo, handrail: Handrail, tmp_path: Path, name: str
) -> None:
    target = put(tmp_path / "target", "{}\n", 0o644)
    (repo.path / name).parent.mkdir(exist_ok=True)
    (repo.path / name).symlink_to(target)
    done = handrail("init", "--json")
    assert "symbolic link" in left(done, name)
    assert (target.read_text(), (repo.path / name).is_symlink()) == ("{}\n", True)


def test_what_git_ignores_is_written_and_said(repo: Repo, handrail: Handrail) -> None:
    repo.write(".gitignore", ".claude/\n")
    done = handrail("init", "--json")
    notes = {each["what"]: each["note"] for each in done.json()["files"]}
    assert "git ignores it" in notes[str(repo.path / ".claude/settings.json")]
    assert notes[str(repo.path / ".handrail/hook")] == ""
    (repo.path / ".handrail" / "hook").unlink()
    (repo.path / ".claude" / "settings.json").unlink()
    [hint] = [line for line in handrail("init").err.splitlines() if "git add" in line]
    assert hint.endswith("git add .handrail/hook")


def test_a_settings_folder_that_is_a_link_is_left(
    repo: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    (tmp_path / "dotfiles").mkdir()
    (repo.path / ".claude").symlink_to(tmp_path / "dotfiles")
    assert ".claude is a symbolic link" in left(handrail("init", "--json"), "settings.json")
    assert os.listdir(tmp_path / "dotfiles") == []


def test_what_somebody_else_put_into_our_place_stays(
    repo: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    put(repo.path / ".handrail" / "hook", "#!/bin/sh\necho mine\n")
    (repo.path / "AGENTS.md").mkdir()
    (repo.path / ".git" / "hooks" / "pre-commit").mkdir(parents=True)
    done = handrail("init", "--json")
    assert "something else stands there" in left(done, ".handrail/hook")
    assert "no ordinary file" in left(done, "AGENTS.md")
    assert "a folder stands there" in left(done, "hooks/pre-commit")
    assert (repo.path / ".handrail" / "hook").read_text().endswith("mine\n")
    stand_in = StandIn(tmp_path / "stand-in")
    stand_in.install(repo.path / ".git")
    # git itself fails where a folder stands in the place of a hook, unless it is told to pass it.
    repo.git("commit", "--quiet", "--no-verify", "--allow-empty", "-m", "git goes on")
    assert [words[2] for words in stand_in.words()] == list(OF_COMMITS[1:])


def test_a_folder_that_cannot_be_written_is_said_and_the_rest_is_done(
    repo: Repo, handrail: Handrail
) -> None:
    (repo.path / ".claude").write_text("a file, no folder")
    done = handrail("init", "--json")
    assert left(done, "settings.json")
    assert steps(done)[str(repo.path / ".git/hooks/pre-commit")] == "created"


def test_a_hook_without_its_permission_gets_it_back(repo: Repo, handrail: Handrail) -> None:
    assert handrail("init").code == 0
    hook, git_hook = repo.path / ".handrail" / "hook", repo.path / ".git" / "hooks" / "pre-commit"
    hook.chmod(0o644)
    git_hook.chmod(0o644)
    found = handrail("doctor")
    assert "it is not executable" in found.out
    done = steps(handrail("init", "--json"))
    assert (done[str(hook)], done[str(git_hook)]) == ("updated", "updated")
    assert os.access(hook, os.X_OK)
    assert os.access(git_hook, os.X_OK)


# ---------------------------------------------------------------------------- where the hooks are


@pytest.mark.parametrize("absolute", [False, True])
def test_hooks_go_where_git_looks_for_them(
    repo: Repo, handrail: Handrail, tmp_path: Path, absolute: bool
) -> None:
    folder = repo.path / "tools" / "git hooks"
    repo.git("config", "core.hooksPath", str(folder) if absolute else "tools/git hooks")
    put(folder / "pre-commit", FOREIGN)
    repo.commit("hooks")
    config = (repo.path / ".git" / "config").read_bytes()
    before = tree(repo.path)
    done = handrail("init", "--json")
    assert steps(done)[str(folder / "pre-commit")] == "chained"
    note = [each["note"] for each in done.json()["files"] if each["what"].endswith("pre-commit")]
    assert "in the working tree, by core.hooksPath" in note[0]
    assert (repo.path / ".git" / "config").read_bytes() == config
    assert not (repo.path / ".git" / "hooks" / "pre-commit").exists()
    stand_in = StandIn(tmp_path / "stand-in")
    stand_in.install(repo.path / ".git")
    repo.write("new", "x")
    repo.git("add", "new")
    assert run(["git", "commit", "-m", "x"], repo.path / "tools").code == 0
    assert (repo.path / ".git" / "foreign.out").exists()
    assert ["hook", "git", "pre-commit"] in stand_in.words()
    repo.git("reset", "--quiet", "--soft", "HEAD^")
    repo.git("rm", "--quiet", "--force", "new")
    uninstall(repo, tmp_path / "scratch")
    assert tree(repo.path) == before
    assert repo.git("status", "--porcelain") == ""


def test_a_folder_of_hooks_that_git_ignores_is_nobody_elses_business(
    repo: Repo, handrail: Handrail
) -> None:
    repo.git("config", "core.hooksPath", ".husky/_")
    put(repo.path / ".husky" / "_" / ".gitignore", "*", 0o644)
    done = handrail("init", "--json")
    notes = {each["note"] for each in done.json()["files"] if ".husky" in each["what"]}
    assert notes == {""}


def test_hooks_of_every_repository_of_a_person_stay_inert_elsewhere(
    repo: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    shared = tmp_path / "all hooks"
    put(shared / "pre-commit", FOREIGN)
    env = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath"}
    env["GIT_CONFIG_VALUE_0"] = str(shared)
    done = handrail("init", "--json", env=env)
    [note] = [each["note"] for each in done.json()["files"] if each["outcome"] == "chained"]
    assert "other repositories may use it" in note
    other = Repo.create(tmp_path / "other")
    quiet = run(["git", "commit", "--quiet", "--allow-empty", "-m", "x"], other.path, **env)
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert (other.path / ".git" / "foreign.out").exists()


def test_a_folder_of_hooks_may_be_a_link(repo: Repo, handrail: Handrail, tmp_path: Path) -> None:
    hooks, target = repo.path / ".git" / "hooks", tmp_path / "hooks"
    shutil.rmtree(hooks)
    target.mkdir()
    hooks.symlink_to(target)
    put(target / "pre-commit", FOREIGN)
    assert steps(handrail("init", "--json"))[str(hooks / "pre-commit")] == "chained"
    assert (hooks.is_symlink(), is_ours((target / "pre-commit").read_bytes())) == (True, True)
    uninstall(repo, tmp_path / "scratch")
    assert os.listdir(target) == ["pre-commit"]
    assert (target / "pre-commit").read_bytes() == FOREIGN


def test_hooks_that_are_switched_off_are_said_and_left(repo: Repo, handrail: Handrail) -> None:
    repo.git("config", "core.hooksPath", "/dev/null")
    done = handrail("init", "--json")
    assert "git runs no hooks here" in left(done, "/dev/null")
    assert handrail("doctor").code == 1


def test_a_missing_folder_of_hooks_is_made(repo: Repo, handrail: Handrail) -> None:
    shutil.rmtree(repo.path / ".git" / "hooks")
    assert handrail("init").code == 0
    assert (repo.path / ".git" / "hooks" / "pre-commit").exists()


# ---------------------------------------------------------------------------- what was there before


def test_a_hook_that_was_there_runs_on_and_comes_back_as_it_was(
    repo: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    hooks = repo.path / ".git" / "hooks"
    put(hooks / "pre-commit", FOREIGN, 0o750)
    put(hooks / "reference-transaction", b"\x7fELF no script at all", 0o644)
    (hooks / "prepare-commit-msg").symlink_to("../../tools/hook")
    put(repo.path / "tools" / "hook", "#!/bin/sh\necho linked >>.git/linked.out\n")
    put(hooks / "commit-msg", "#!/bin/sh\nexit 0\n")
    repo.commit("tools")
    (repo.path / ".git" / "linked.out").unlink()
    (repo.path / ".git" / "foreign.out").unlink()
    before = tree(repo.path)
    assert handrail("init").code == 0
    StandIn(tmp_path / "stand-in").install(repo.path / ".git")
    repo.write("file", "x")
    repo.git("add", "file")
    repo.git("commit", "--quiet", "-m", "x")
    assert (repo.path / ".git" / "foreign.out").read_text() == "foreign\n"
    assert (repo.path / ".git" / "linked.out").read_text() == "linked\n"
    repo.git("reset", "--quiet", "--hard", "HEAD^")
    uninstall(repo, tmp_path / "scratch")
    assert tree(repo.path) == before


DISPATCHER: Final = """\
#!/bin/sh
echo "$(basename "$0") $*" >>.git/dispatched
cat >>.git/dispatched
"""


def test_one_script_behind_links_of_many_names_still_hears_its_names(
    repo: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    """As dispatchers do that are one file, and a link to it for each hook."""
    hooks = repo.path / ".git" / "hooks"
    put(hooks / "pre-commit", DISPATCHER)
    for name in ("commit-msg", "prepare-commit-msg", "reference-transaction"):
        (hooks / name).symlink_to("pre-commit")
    before = tree(repo.path)
    repo.git("commit", "--quiet", "--amend", "--no-edit", "--allow-empty")
    told = (repo.path / ".git" / "dispatched").read_text().splitlines()
    names = ["pre-commit", "prepare-commit-msg", "commit-msg", "reference-transaction"]
    assert [line.split()[0] for line in told][:4] == names
    (repo.path / ".git" / "dispatched").unlink()
    assert handrail("init").code == 0
    stand_in = StandIn(tmp_path / "stand-in")
    stand_in.install(repo.path / ".git")
    repo.git("commit", "--quiet", "--amend", "--message=again", "--allow-empty")
    new = repo.git("rev-parse", "HEAD")
    told = (repo.path / ".git" / "dispatched").read_text().splitlines()
    assert told[:4] == [
        "pre-commit ",
        "prepare-commit-msg .git/COMMIT_EDITMSG message",
        "commit-msg .git/COMMIT_EDITMSG",
        "reference-transaction prepared",
    ]
    moved = told[4 : told.index("reference-transaction committed")]
    assert moved[-1].endswith(f" {new} refs/heads/main")
    assert stand_in.calls[-1]["stdin"].splitlines() == moved
    names = [words[2] for words in stand_in.words()]
    assert sorted(names) == sorted(OF_COMMITS)
    again = steps(handrail("init", "--json"))
    assert {again[str(hooks / name)] for name in HOOKS} == {"kept"}
    uninstall(repo, tmp_path / "scratch")
    assert tree(repo.path) == before


def test_a_tool_that_writes_its_hook_anew_is_chained_again_and_none_is_lost(
    repo: Repo, handrail: Handrail
) -> None:
    hooks = repo.path / ".git" / "hooks"
    put(hooks / "pre-commit", FOREIGN)
    assert handrail("init").code == 0
    newer = FOREIGN.replace(b"foreign", b"newer")
    put(hooks / "pre-commit", newer)
    found = handrail("doctor")
    assert (found.code, "another hook stands in its place" in found.out) == (1, True)
    assert handrail("doctor", "--repair").code in (0, 1)
    assert is_ours((hooks / "pre-commit").read_bytes())
    assert (hooks / "pre-commit.before-handrail").read_bytes() == newer
    assert (hooks / "pre-commit.before-handrail.1").read_bytes() == FOREIGN
    put(hooks / "pre-commit", newer)
    assert handrail("init").code == 0
    assert (hooks / "pre-commit.before-handrail").read_bytes() == newer
    assert not (hooks / "pre-commit.before-handrail.2").exists()


def test_the_pre_commit_framework_may_stand_before_ours(
    repo: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    """It keeps what it finds as ``pre-commit.legacy`` and runs that first, as we do."""
    hooks = repo.path / ".git" / "hooks"
    put(hooks / "pre-commit", FOREIGN)
    assert handrail("init").code == 0
    framework = b'#!/bin/sh\n# by pre-commit\n"$(dirname "$0")/pre-commit.legacy" "$@"\n'
    (hooks / "pre-commit").rename(hooks / "pre-commit.legacy")
    put(hooks / "pre-commit", framework)
    before = tree(repo.path)
    assert "pre-commit" not in handrail("doctor").out.replace("handrail", "")
    assert set(steps(handrail("init", "--json")).values()) == {"kept"}
    assert tree(repo.path) == before
    stand_in = StandIn(tmp_path / "stand-in")
    stand_in.install(repo.path / ".git")
    repo.git("commit", "--quiet", "--allow-empty", "-m", "x")
    assert (repo.path / ".git" / "foreign.out").read_text() == "foreign\n"
    assert stand_in.words().count(["hook", "git", "pre-commit"]) == 1
    uninstall(repo, tmp_path / "scratch")
    assert (hooks / "pre-commit").read_bytes() == framework
    assert (hooks / "pre-commit.legacy").read_bytes() == FOREIGN


# ------------------------------------------------------------------------------------- uninstall


def test_uninstall_leaves_exactly_its_removals(
    repo: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    repo.write("AGENTS.md", "# Rules\r\n\r\nBe kind.")
    repo.write(".claude/settings.json", '{\n\t"hooks": {"Notification": []},\n\t"model": "x"\n}')
    repo.write(".claude/agents/a.md", "x")
    put(repo.path / ".git" / "hooks" / "pre-commit", FOREIGN)
    put(repo.path / ".git" / "hooks" / "reference-transaction", b"#!/bin/sh\nexit 0\n", 0o700)
    repo.commit("before")
    before = tree(repo.path)
    assert handrail("init").code == 0
    planned = uninstall(repo, tmp_path / "a", "--dry-run", "--json").json()["steps"]
    assert tree(repo.path).keys() > before.keys()
    done = uninstall(repo, tmp_path / "b", "--json").json()["steps"]
    assert done[:-1] == planned[:-1]
    assert tree(repo.path) == before
    assert repo.git("status", "--porcelain") == ""


def test_uninstall_of_what_is_committed_shows_as_removals_only(
    repo: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    repo.write("AGENTS.md", "# Rules\n")
    repo.commit("before")
    assert handrail("init").code == 0
    StandIn(tmp_path / "stand-in").install(repo.path / ".git")
    repo.commit("handrail")
    uninstall(repo, tmp_path / "scratch")
    status = repo.git("status", "--porcelain").splitlines()
    assert sorted(line.strip() for line in status) == [
        "D .claude/settings.json",
        "D .handrail/hook",
        "D handrail.toml",
        "M AGENTS.md",
    ]
    assert not (repo.path / ".claude").exists()
    assert not (repo.path / ".handrail").exists()
    assert repo.git("show", "HEAD^:AGENTS.md") == "# Rules"
    assert (repo.path / "AGENTS.md").read_text() == "# Rules\n"
    assert not (repo.path / ".git" / "handrail").exists()


def test_uninstall_says_what_it_cannot_take_out(
    repo: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    (repo.path / "AGENTS.md").symlink_to("README.md")
    repo.write(".claude/settings.json", '{"model": "x"}')
    assert handrail("init").code == 0
    settings = repo.path / ".claude" / "settings.json"
    settings.chmod(0o444)
    before = settings.read_bytes()
    done = uninstall(repo, tmp_path / "scratch")
    assert (
        "left  .claude/settings.json: it is read-only; take Handrail's part out by hand" in done.out
    )
    assert "AGENTS.md" not in done.out
    assert settings.read_bytes() == before


def test_uninstall_leaves_what_others_put_into_our_places(
    repo: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    assert handrail("init").code == 0
    settings = repo.path / ".claude" / "settings.json"
    settings.write_text('{ // mine\n "a": 1 }')
    put(repo.path / ".handrail" / "hook", "#!/bin/sh\necho mine\n")
    repo.write(".handrail/notes", "mine")
    repo.write("AGENTS.md", BEGIN + b"\nno end\n")
    put(repo.path / ".git" / "hooks" / "pre-commit", FOREIGN)
    before = tree(repo.path)
    uninstall(repo, tmp_path / "scratch")
    after = tree(repo.path)
    gone = before.keys() - after.keys()
    assert gone == {"handrail.toml", *(f".git/hooks/{name}" for name in HOOKS[1:])}
    assert after == {name: told for name, told in before.items() if name not in gone}


def test_uninstall_reaches_the_hooks_of_before_somebody_moved_them(
    repo: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    put(repo.path / ".git" / "hooks" / "pre-commit", FOREIGN)
    before = tree(repo.path)
    assert handrail("init").code == 0
    repo.git("config", "core.hooksPath", ".husky")
    assert handrail("doctor", "--repair").code in (0, 1)
    assert is_ours((repo.path / ".husky" / "pre-commit").read_bytes())
    uninstall(repo, tmp_path / "scratch")
    (repo.path / ".husky").rmdir()
    assert tree(repo.path) == before


# ---------------------------------------------------------------------------------------- doctor


def findings(done: Result) -> dict[str, list[str]]:
    """Return what the doctor says of hooks, by how bad it is."""
    found: dict[str, list[str]] = {}
    for each in done.json()["findings"]:
        if each["name"] in ("hooks", "repaired"):
            found.setdefault(each["level"], []).append(each["sentence"])
    return found


@pytest.fixture
def installed(repo: Repo, handrail: Handrail, tmp_path: Path) -> StandIn:
    """A repository under Handrail whose launch line leads to a stand-in."""
    assert handrail("init").code == 0
    stand_in = StandIn(tmp_path / "stand-in")
    stand_in.install(repo.path / ".git")
    return stand_in


def test_the_doctor_finds_nothing_where_nothing_was_lost(
    handrail: Handrail, installed: StandIn
) -> None:
    done = handrail("doctor", "--json")
    assert (done.code, findings(done)) == (0, {"good": ["all in their places"]})


def test_the_doctor_notes_a_clone_that_never_had_hooks(world: World) -> None:
    done = world.shell().handrail("doctor", "--json")
    assert done.code == 0
    assert list(findings(done)) == ["note"]


LOSSES: Final = {
    "git hook": ".git/hooks/reference-transaction",
    "harness hook": ".handrail/hook",
    "settings": ".claude/settings.json",
    "launch line": ".git/handrail/launch",
}


@pytest.mark.parametrize("what", LOSSES)
def test_the_doctor_finds_what_was_deleted_and_brings_it_back(
    repo: Repo, handrail: Handrail, installed: StandIn, what: str
) -> None:
    path = repo.path / LOSSES[what]
    before = path.read_bytes()
    path.unlink()
    lost = handrail("doctor", "--json")
    assert (lost.code, findings(lost)) == (1, {"bad": [f"{LOSSES[what]}: it is gone"]})
    assert not path.exists()
    assert lost.json()["findings"][-1]["next"] == "handrail doctor --repair"
    mended = handrail("doctor", "--repair", "--json")
    assert any(LOSSES[what] in line for line in findings(mended)["note"])
    if what != "launch line":
        assert (mended.code, path.read_bytes()) == (0, before)
        assert findings(handrail("doctor", "--json")) == {"good": ["all in their places"]}
    assert path.exists()


def test_the_doctor_finds_entries_lost_from_settings(
    repo: Repo, handrail: Handrail, installed: StandIn
) -> None:
    path = repo.path / ".claude" / "settings.json"
    path.write_text('{"model": "x"}')
    assert "entries are not in it" in findings(handrail("doctor", "--json"))["bad"][0]
    assert handrail("doctor", "--repair").code == 0
    assert json.loads(path.read_text())["model"] == "x"
    [group] = json.loads(path.read_text())["hooks"]["PreToolUse"]
    assert group["hooks"][0]["command"] == COMMAND


def test_the_doctor_finds_a_launch_line_whose_interpreter_is_gone(
    repo: Repo, handrail: Handrail, installed: StandIn
) -> None:
    launch = repo.path / ".git" / "handrail" / "launch"
    installed.script.unlink()
    [sentence] = findings(handrail("doctor", "--json"))["bad"]
    assert f"it names {installed.script}, which is gone" in sentence
    handrail("doctor", "--repair")
    assert str(installed.script) not in launch.read_text()
    assert "guard/__main__.py" in launch.read_text()


def test_the_doctor_finds_hooks_that_git_no_longer_looks_for(
    repo: Repo, handrail: Handrail, installed: StandIn
) -> None:
    repo.git("config", "core.hooksPath", ".husky/_")
    found = findings(handrail("doctor", "--json"))["bad"]
    assert len(found) == len(HOOKS)
    assert all("git looks for hooks there now (core.hooksPath)" in line for line in found)
    assert handrail("doctor", "--repair").code == 0
    repo.git("commit", "--quiet", "--allow-empty", "-m", "x")
    assert ["hook", "git", "pre-commit"] in installed.words()
    assert (repo.git("config", "core.hooksPath")) == ".husky/_"


def test_a_session_mends_the_clone_and_leaves_the_working_tree(
    repo: Repo, handrail: Handrail, installed: StandIn, tmp_path: Path
) -> None:
    from handrail.service.install import lost_hooks, repair

    (repo.path / ".git" / "hooks" / "pre-commit").unlink()
    (repo.path / ".handrail" / "hook").unlink()
    with World(repo, tmp_path / "scratch").open() as application:
        mended = repair(application.site, "enforce", tracked=False)
        assert [step.what for step in mended] == [str(repo.path / ".git/hooks/pre-commit")]
        lost = lost_hooks(application.site, "enforce")
        assert [each.what for each in lost] == [str(repo.path / ".handrail/hook")]
    assert not (repo.path / ".handrail" / "hook").exists()
    assert harness_hook() not in (repo.path / ".git" / "hooks" / "pre-commit").read_bytes()


def test_who_sets_up_keeps_others_out(repo: Repo, tmp_path: Path) -> None:
    world = World(repo, tmp_path / "scratch")
    with world.open() as application:
        other = os.open(repo.path / ".git", os.O_RDONLY)
        with application.site.alone(), pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)

"""The scripts that `init` writes, run by a real sh and a real git; a stand-in takes the words."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from handrail.service.install.scripts import (
    HOOKS,
    git_hook,
    harness_hook,
    is_ours,
    launch_line,
    launch_targets,
)
from handrail.service.install.settings import COMMAND
from tests.support import Handrail, Repo, Result

SHELLS: Final = [
    pytest.param([shutil.which(name) or name, *options], id=name)
    for name, *options in (["dash"], ["bash", "--posix"], ["busybox", "sh"])
    if shutil.which(name)
]
INSTALL_LINE: Final = (
    "handrail: this clone does not run Handrail; next: pipx install handrail && handrail init\n"
)
EDIT: Final = '{"session_id":"s","hook_event_name":"PreToolUse","tool_name":"Edit"}'
DENY: Final = '[workspace]\nid = "w"\nuninstalled = "deny"\n'
ODD_NAMES: Final = ["a b", "it's", 'say "hi"', "two\nlines", "$HOME `x`", "back\\slash", "*"]

RECORDER: Final = """\
import json, os, sys
with open({out!r}, "a") as file:
    said = {{"words": sys.argv[1:], "stdin": sys.stdin.read(), "cwd": os.getcwd()}}
    file.write(json.dumps({{**said, "pid": os.getpid()}}) + "\\n")
sys.exit({status})
"""


class StandIn:
    """Takes the guard's place in a clone: notes words and stdin, ends with a status."""

    def __init__(self, folder: Path, name: str = "guard") -> None:
        folder.mkdir(exist_ok=True)
        self.script, self.out = folder / f"{name}.py", folder / f"{name}.out"

    def install(self, common: Path, status: int = 0) -> None:
        """Let the launch line of a clone lead here."""
        self.script.write_text(RECORDER.format(out=str(self.out), status=status))
        launch = common / "handrail" / "launch"
        launch.parent.mkdir(exist_ok=True)
        launch.write_bytes(launch_line(sys.executable, str(self.script), "/the/site"))

    @property
    def calls(self) -> list[dict[str, Any]]:
        """What was noted so far, oldest first."""
        if not self.out.exists():
            return []
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def words(self) -> list[list[str]]:
        """Return the words of each call, without the folder of the driver before them."""
        assert all(call["words"][0] == "/the/site" for call in self.calls)
        return [call["words"][1:] for call in self.calls]


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path / "stand-in")


def run(argv: Sequence[str], cwd: Path, stdin: str = "", **env: str) -> Result:
    done = subprocess.run(
        argv,
        cwd=cwd,
        env={**os.environ, **env},
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=60,
        check=False,
    )
    return Result(tuple(argv), done.returncode, done.stdout, done.stderr)


def put(path: Path, content: bytes | str, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def put_harness_hook(repo: Repo) -> Path:
    return put(repo.path / ".handrail" / "hook", harness_hook())


def put_git_hooks(folder: Path) -> None:
    for name in HOOKS:
        before = folder / f"{name}.before-handrail"
        put(folder / name, git_hook(name, before.read_bytes() if before.exists() else None))


def as_harness(folder: Path, stdin: str = EDIT, cwd: Path | None = None) -> Result:
    """Start the hook as a harness does: the command of the settings, by a shell."""
    return run(["sh", "-c", COMMAND], cwd or folder, stdin, CLAUDE_PROJECT_DIR=str(folder))


# ------------------------------------------------------------------------------ the launch line


@pytest.mark.parametrize("name", ["plain", *ODD_NAMES])
@pytest.mark.parametrize("shell", SHELLS)
def test_any_path_can_stand_in_a_launch_line(tmp_path: Path, shell: list[str], name: str) -> None:
    folder = tmp_path / name
    stand_in = StandIn(folder)
    stand_in.install(tmp_path)
    line = (tmp_path / "handrail" / "launch").read_bytes()
    assert launch_targets(line) == (sys.executable, str(stand_in.script))
    script = 'launch=$1; shift; . "$launch"'
    words = ["", "a b", "it's", '"', "*", "\n"]
    argv = [*shell, "-c", script, "sh", str(tmp_path / "handrail/launch"), *words]
    assert run(argv, tmp_path, "in").code == 0
    assert stand_in.words() == [words]
    assert stand_in.calls[0]["stdin"] == "in"


def test_a_path_of_no_text_can_stand_in_a_launch_line() -> None:
    line = launch_line("/a\udcff", "/b\n'c", "/d")
    assert b"/a\xff" in line
    assert launch_targets(line) == ("/a\udcff", "/b\n'c")


@pytest.mark.parametrize("line", [b"", b"exec python", b"'", b"\xff\0", b"rm -rf /\n"])
def test_what_is_no_launch_line_names_nothing(line: bytes) -> None:
    assert launch_targets(line) == ()


# ------------------------------------------------------------------------------ the harness hook


def test_the_harness_hook_hands_over_its_words_and_stdin(repo: Repo, stand_in: StandIn) -> None:
    put_harness_hook(repo)
    stand_in.install(repo.path / ".git", status=2)
    payload = '{"a": "\\n", "b": "ü\\\\"}\n\n  trailing'
    assert as_harness(repo.path, payload).code == 2
    assert [call["stdin"] for call in stand_in.calls] == [payload]
    assert stand_in.words() == [["hook"]]
    hook = str(repo.path / ".handrail" / "hook")
    assert run([hook, "--x", "a b", ""], repo.path).code == 2
    assert stand_in.words()[1:] == [["hook", "--x", "a b", ""]]


def test_the_harness_hook_becomes_the_guard_and_starts_nothing_beside_it(
    repo: Repo, stand_in: StandIn
) -> None:
    hook = put_harness_hook(repo)
    stand_in.install(repo.path / ".git")
    with subprocess.Popen([str(hook)], cwd=repo.path, stdin=subprocess.DEVNULL) as started:
        assert started.wait(60) == 0
    assert stand_in.calls[0]["pid"] == started.pid


def test_the_harness_hook_finds_its_clone_from_anywhere(
    repo: Repo, stand_in: StandIn, tmp_path: Path
) -> None:
    put_harness_hook(repo)
    repo.write("sub/deep/file", "x")
    repo.commit("hook")
    beside = repo.worktree("beside tree", "beside")
    stand_in.install(repo.path / ".git")
    link = tmp_path / "link"
    link.symlink_to(repo.path)
    elsewhere = tmp_path / "bin" / "hook"
    elsewhere.parent.mkdir()
    elsewhere.symlink_to(repo.path / ".handrail" / "hook")
    put(repo.path / "sub" / ".handrail" / "hook", harness_hook())
    starts = [
        ([str(repo.path / ".handrail/hook")], Path("/")),
        ([str(repo.path / ".handrail/hook")], repo.path / "sub/deep"),
        ([".handrail/hook"], repo.path),
        (["./hook"], repo.path / ".handrail"),
        (["sh", "hook"], repo.path / ".handrail"),
        (["../../.handrail/hook"], repo.path / "sub/deep"),
        ([str(beside / ".handrail/hook")], Path("/")),
        ([str(beside / ".handrail/hook")], beside / "sub"),
        ([str(link / ".handrail/hook")], Path("/")),
        ([str(repo.path / "sub/.handrail/hook")], Path("/")),
        ([str(elsewhere)], repo.path / "sub"),
    ]
    for number, (argv, cwd) in enumerate(starts, 1):
        assert run(argv, cwd).code == 0, argv
        assert len(stand_in.calls) == number, argv
        assert stand_in.calls[-1]["cwd"] == str(cwd), "the hook moved the guard away"


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_harness_hook_runs_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    repo = Repo.create(tmp_path / name)
    put_harness_hook(repo)
    repo.commit("hook")
    beside = repo.worktree(f"beside {name}", "beside")
    stand_in = StandIn(tmp_path / "stand-in")
    stand_in.install(repo.path / ".git")
    for folder in (repo.path, beside):
        assert as_harness(folder).code == 0
    assert stand_in.words() == [["hook"], ["hook"]]


def test_a_submodule_is_a_clone_of_its_own(repo: Repo, stand_in: StandIn, tmp_path: Path) -> None:
    inner = Repo.create(tmp_path / "inner")
    put_harness_hook(inner)
    inner.commit("hook")
    allow = ("-c", "protocol.file.allow=always")
    repo.git(*allow, "submodule", "--quiet", "add", str(inner.path), "part")
    stand_in.install(repo.path / ".git" / "modules" / "part")
    for cwd in (repo.path / "part", repo.path, Path("/")):
        assert as_harness(repo.path / "part", cwd=cwd).code == 0
    assert stand_in.words() == [["hook"]] * 3


BROKEN: Final[Mapping[str, bytes | None]] = {
    "none": None,
    "empty": b"",
    "an interpreter that is gone": launch_line("/gone/python", "/gone/guard", "/"),
    "a guard that is gone": launch_line(sys.executable, "/gone/guard", "/"),
    "no program": b"exec /gone/python\n",
    "no permission": b"exec /etc/passwd\n",
    "a folder": b"exec /\n",
    "broken grammar": b"if then 'x\n",
    "a wrong ending": b"exit 127\n",
    "bytes": b"\x80\xff\0\n",
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("how", BROKEN)
def test_a_launch_line_that_leads_nowhere_allows_with_one_line(
    repo: Repo, shell: list[str], how: str
) -> None:
    hook = put_harness_hook(repo)
    break_launch(repo, how)
    done = run([*shell, str(hook)], repo.path, EDIT)
    assert (done.code, done.out) == (0, "")
    assert done.err.endswith(INSTALL_LINE)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("how", BROKEN)
def test_a_launch_line_that_leads_nowhere_denies_where_that_is_configured(
    repo: Repo, shell: list[str], how: str
) -> None:
    hook = put_harness_hook(repo)
    repo.write("handrail.toml", DENY)
    break_launch(repo, how)
    done = run([*shell, str(hook)], repo.path, EDIT)
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith(INSTALL_LINE)


def break_launch(repo: Repo, how: str) -> None:
    line = BROKEN[how]
    if line is not None:
        put(repo.path / ".git" / "handrail" / "launch", line, 0o600)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ('uninstalled = "deny"', 2),
        ("uninstalled='deny'\r\n", 2),
        ('  uninstalled  =  "deny" # because', 2),
        ('# uninstalled = "deny"', 0),
        ('uninstalled = "allow"', 0),
        ('note = "uninstalled = deny"', 0),
        ("", 0),
    ],
)
def test_what_an_uninstalled_clone_does_is_read_from_a_plain_line(
    repo: Repo, text: str, status: int
) -> None:
    put_harness_hook(repo)
    repo.write("handrail.toml", text)
    assert as_harness(repo.path).code == status


@pytest.mark.parametrize(
    ("event", "status"),
    [
        *((event, 2) for event in ("PreToolUse", "PermissionRequest", "BeforeTool", "Unknown")),
        *((event, 0) for event in ("SessionStart", "SessionEnd", "UserPromptSubmit", "Stop")),
        *((event, 0) for event in ("PostToolUse", "PostToolUseFailure", "SubagentStop")),
        *((event, 0) for event in ("PreCompact", "TaskCompleted")),
    ],
)
def test_only_what_is_about_to_happen_is_denied(repo: Repo, event: str, status: int) -> None:
    put_harness_hook(repo)
    repo.write("handrail.toml", DENY)
    content = {"content": '"hook_event_name":"Stop"'}
    for indent in (None, 2):
        payload = {"session_id": "s", "hook_event_name": event, "tool_input": content}
        assert as_harness(repo.path, json.dumps(payload, indent=indent)).code == status
    assert as_harness(repo.path, "").code == 2
    assert as_harness(repo.path, "not json").code == 2


def test_outside_of_every_repository_the_hook_allows(tmp_path: Path) -> None:
    hook = put(tmp_path / "hook", harness_hook())
    done = run([str(hook)], Path("/"), EDIT)
    assert (done.code, done.out, done.err) == (0, "", INSTALL_LINE)


# ---------------------------------------------------------------------------------- hooks of git


def test_each_hook_of_git_hands_over_its_name_words_and_stdin(
    repo: Repo, stand_in: StandIn
) -> None:
    put_git_hooks(repo.path / ".git" / "hooks")
    stand_in.install(repo.path / ".git")
    before = repo.git("rev-parse", "HEAD")
    after = repo.commit("second")
    repo.git("commit", "--quiet", "--amend", "--allow-empty", "--message=again")
    amended = repo.git("rev-parse", "HEAD")
    git_words = ["hook", "git"]
    commit = [
        [*git_words, "pre-commit"],
        [*git_words, "prepare-commit-msg", ".git/COMMIT_EDITMSG", "message"],
        [*git_words, "reference-transaction", "prepared"],
    ]
    assert stand_in.words() == [*commit, *commit]
    for call, old, new in ((2, before, after), (5, after, amended)):
        lines = stand_in.calls[call]["stdin"].splitlines()
        assert f"{old} {new} refs/heads/main" in lines or f"{'0' * 40} {new} HEAD" in lines
        assert any(line.endswith(f" {new} refs/heads/main") for line in lines)
    assert {call["cwd"] for call in stand_in.calls} == {str(repo.path)}


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_of_git_ends_as_the_guard_ends(repo: Repo, stand_in: StandIn, name: str) -> None:
    hooks = repo.path / ".git" / "hooks"
    put(hooks / name, git_hook(name))
    stand_in.install(repo.path / ".git", status=3)
    words = ["prepared"] if name == "reference-transaction" else [".git/COMMIT_EDITMSG"]
    done = run([f".git/hooks/{name}", *words], repo.path, "0 1 refs/heads/x\n")
    assert done.code == 3


def test_hooks_of_git_find_the_launch_line_from_every_working_tree(
    repo: Repo, stand_in: StandIn
) -> None:
    repo.write("sub/file", "x")
    repo.commit("sub")
    beside = repo.worktree("beside")
    put_git_hooks(repo.path / ".git" / "hooks")
    stand_in.install(repo.path / ".git")
    for number, (cwd, env) in enumerate(
        (
            (repo.path / "sub", {}),
            (repo.path / ".git", {}),
            (repo.path / ".git" / "refs", {}),
            (beside / "sub", {}),
            (Path("/"), {"GIT_DIR": str(repo.path / ".git")}),
        )
    ):
        repo.git("update-ref", f"refs/heads/b{number}", "HEAD", cwd=cwd, env=env)
        assert len(stand_in.calls) == number + 1, cwd


def test_a_fetch_and_a_rebase_start_no_interpreter_for_each_ref_and_commit(
    repo: Repo, stand_in: StandIn, tmp_path: Path
) -> None:
    base = repo.git("rev-parse", "HEAD")
    repo.write("other", "x")
    repo.commit("other")
    repo.git("checkout", "--quiet", "-b", "topic", base)
    for number in range(5):
        repo.write(f"file-{number}", "x")
        repo.commit(f"topic {number}")
    origin = Repo.create(tmp_path / "origin")
    for number in range(30):
        origin.git("branch", f"b{number}")
    repo.git("remote", "add", "origin", str(origin.path))
    put_git_hooks(repo.path / ".git" / "hooks")
    stand_in.install(repo.path / ".git")
    repo.git("fetch", "--quiet", "origin")
    assert stand_in.words() == []
    repo.git("rebase", "--quiet", "main")
    assert stand_in.words() == [["hook", "git", "reference-transaction", "prepared"]]
    rebased = repo.git("rev-parse", "topic")
    assert stand_in.calls[0]["stdin"].endswith(f" {rebased} refs/heads/topic\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_thousands_of_refs_reach_the_guard_in_their_order(
    repo: Repo, stand_in: StandIn, shell: list[str]
) -> None:
    hook = put(repo.path / ".git" / "hooks" / "reference-transaction", git_hook(HOOKS[2]))
    stand_in.install(repo.path / ".git")
    lines = [f"{number:040x} {number + 1:040x} refs/tags/t\\{number}" for number in range(3_000)]
    lines[1_500] = f"{'0' * 40} {'1' * 40} refs/heads/it's $HOME `x` \\n"
    stdin = "".join(f"{line}\n" for line in lines)
    assert run([*shell, str(hook), "prepared"], repo.path, stdin).code == 0
    assert [call["stdin"] for call in stand_in.calls] == [stdin]
    for state in ("committed", "aborted", "preparing"):
        assert run([*shell, str(hook), state], repo.path, stdin).code == 0
    del lines[1_500]
    stdin = "".join(f"{line}\n" for line in lines)
    assert run([*shell, str(hook), "prepared"], repo.path, stdin).code == 0
    assert len(stand_in.calls) == 1


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_of_git_whose_launch_line_leads_nowhere_lets_through(
    repo: Repo, shell: list[str], how: str, name: str
) -> None:
    put(repo.path / ".git" / "hooks" / name, git_hook(name))
    repo.write("handrail.toml", DENY)
    break_launch(repo, how)
    argv = [*shell, f".git/hooks/{name}", "prepared"]
    done = run(argv, repo.path, "0 1 refs/heads/x\n")
    assert (done.code, done.out) == (0, "")
    assert done.err.endswith(INSTALL_LINE) == (name == "pre-commit")


def test_in_a_repository_that_knows_no_handrail_a_shared_hook_is_silent(repo: Repo) -> None:
    put_git_hooks(repo.path / ".git" / "hooks")
    repo.write("file", "x")
    repo.git("add", ".")
    done = run(["git", "commit", "--quiet", "-m", "x"], repo.path)
    assert (done.code, done.out, done.err) == (0, "", "")


# ------------------------------------------------------------------------- what was there before

FOREIGN: Final = """\
#!/bin/sh
{{ echo "$0"; for word; do echo "<$word>"; done; echo "-- "; cat; }} >>"{out}"
exit {status}
"""


def foreign(folder: Path, name: str, out: Path, status: int = 0, mode: int = 0o755) -> Path:
    return put(folder / f"{name}.before-handrail", FOREIGN.format(out=out, status=status), mode)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", HOOKS)
def test_what_was_there_before_runs_first_with_the_same_words_and_stdin(
    repo: Repo, stand_in: StandIn, tmp_path: Path, shell: list[str], name: str
) -> None:
    hooks, out = repo.path / ".git" / "hooks", tmp_path / "out"
    foreign(hooks, name, out)
    put_git_hooks(hooks)
    stand_in.install(repo.path / ".git")
    stdin = "0 1 refs/heads/x\n2 3 refs/tags/y \\z\n" if name in HOOKS[2:] else ""
    words = ["prepared", "a b", ""]
    assert run([*shell, f".git/hooks/{name}", *words], repo.path, stdin).code == 0
    told = "".join(f"<{word}>\n" for word in words)
    assert out.read_text() == f".git/hooks/{name}.before-handrail\n{told}-- \n{stdin}"
    assert stand_in.words() == [["hook", "git", name, *words]]
    assert stand_in.calls[0]["stdin"] == stdin


@pytest.mark.parametrize("name", HOOKS)
def test_the_failure_of_what_was_there_before_is_the_hooks_failure(
    repo: Repo, stand_in: StandIn, tmp_path: Path, name: str
) -> None:
    hooks = repo.path / ".git" / "hooks"
    foreign(hooks, name, tmp_path / "out", status=7)
    put_git_hooks(hooks)
    stand_in.install(repo.path / ".git")
    done = run([f".git/hooks/{name}", "prepared"], repo.path, "0 1 refs/heads/x\n")
    assert done.code == 7
    assert stand_in.calls == []


@pytest.mark.parametrize("name", HOOKS)
def test_what_was_not_executable_before_does_not_run(
    repo: Repo, stand_in: StandIn, tmp_path: Path, name: str
) -> None:
    hooks, out = repo.path / ".git" / "hooks", tmp_path / "out"
    foreign(hooks, name, out, status=7, mode=0o644)
    put_git_hooks(hooks)
    stand_in.install(repo.path / ".git")
    assert run([f".git/hooks/{name}", "prepared"], repo.path, "0 1 refs/heads/x\n").code == 0
    assert not out.exists()
    assert len(stand_in.calls) == 1


def test_a_transaction_hook_from_before_sees_every_state_of_every_ref(
    repo: Repo, stand_in: StandIn, tmp_path: Path
) -> None:
    hooks, out = repo.path / ".git" / "hooks", tmp_path / "out"
    foreign(hooks, "reference-transaction", out)
    put_git_hooks(hooks)
    stand_in.install(repo.path / ".git")
    repo.git("tag", "v1")
    states = [line for line in out.read_text().splitlines() if line.startswith("<")]
    assert states == ["<prepared>", "<committed>"]
    assert out.read_text().count("refs/tags/v1") == 2
    assert stand_in.calls == []


def test_large_input_reaches_both_and_leaves_no_file_behind(
    repo: Repo, stand_in: StandIn, tmp_path: Path
) -> None:
    hooks, out, scratch = repo.path / ".git" / "hooks", tmp_path / "out", tmp_path / "scratch"
    scratch.mkdir()
    foreign(hooks, "reference-transaction", out)
    put_git_hooks(hooks)
    stand_in.install(repo.path / ".git")
    lines = (f"{number:040x} {number + 1:040x} refs/heads/b{number}" for number in range(4_000))
    stdin = "".join(f"{line}\n" for line in lines)
    argv = [".git/hooks/reference-transaction", "prepared"]
    done = run(argv, repo.path, stdin, TMPDIR=str(scratch))
    assert done.code == 0
    assert out.read_text().endswith(f"-- \n{stdin}")
    assert stand_in.calls[0]["stdin"] == stdin
    assert list(scratch.iterdir()) == []


def test_a_script_that_goes_by_its_own_name_finds_it(
    repo: Repo, stand_in: StandIn, tmp_path: Path
) -> None:
    """As those of husky 9 do, which look for a script of their own name a folder above."""
    hooks, out = repo.path / ".husky" / "_", tmp_path / "out"
    repo.git("config", "core.hooksPath", ".husky/_")
    dispatch = 'n=$(basename "$0")\ns=$(dirname "$(dirname "$0")")/$n\nsh -e "$s" "$@"\nexit $?\n'
    put(hooks / "h", dispatch)
    put(hooks / "pre-commit.before-handrail", '#!/usr/bin/env sh\n. "$(dirname "$0")/h"')
    put(repo.path / ".husky" / "pre-commit", f'echo "$0" >"{out}"\nexit 5\n', 0o644)
    put_git_hooks(hooks)
    stand_in.install(repo.path / ".git")
    assert run(["git", "commit", "--allow-empty", "-m", "x"], repo.path).code != 0
    assert out.read_text() == ".husky/pre-commit\n"
    put(repo.path / ".husky" / "pre-commit", "exit 0\n", 0o644)
    assert run(["git", "commit", "--allow-empty", "-m", "x"], repo.path).code == 0
    assert ["hook", "git", "pre-commit"] in stand_in.words()


def test_only_our_own_scripts_are_taken_for_ours() -> None:
    assert is_ours(harness_hook())
    assert all(is_ours(git_hook(name)) for name in HOOKS)
    assert not is_ours(None)
    assert not is_ours(b"#!/bin/sh\n" + b"#\n" * 200 + b"# handrail:hook\n")
    assert not is_ours(b"#!/bin/sh\nhandrail check commit\n")


# ------------------------------------------------------------------------------- the real target


def test_init_writes_a_launch_line_that_leads_to_this_handrail(
    repo: Repo, handrail: Handrail
) -> None:
    assert handrail("init").code == 0
    launch = repo.path / ".git" / "handrail" / "launch"
    interpreter, guard = launch_targets(launch.read_bytes())
    assert os.path.isabs(interpreter)
    assert os.access(interpreter, os.X_OK)
    assert guard.endswith("/handrail/edge/guard/__main__.py")
    site = launch.read_text().split("'")[-2]
    program = "import sys; sys.path.insert(0, sys.argv[1]); import apsw"
    done = run([interpreter, "-I", "-S", "-c", program, site], repo.path)
    assert done.code == 0, done.err
    assert (launch.stat().st_mode & 0o777, os.path.exists(guard)) == (0o600, True)

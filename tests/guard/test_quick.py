"""The quick answer: never yes where the rule would say no or change anything, and mostly yes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.core.scope import matches, parse_pattern
from handrail.edge.guard import quick
from handrail.edge.shell.scan import may_write
from handrail.store.sqlite import SqliteStore, connection
from handrail.wiring import Application
from tests.guard.conftest import Agents
from tests.support import Handrail, Repo

NAMES: Final = st.sampled_from(["a", "b", "a.py", "src", "**", "*", "*.py", "s?c"])
PATHS: Final = st.lists(st.sampled_from(["a", "b", "a.py", "src", "x"]), min_size=1, max_size=4)


def payload(tool: str, session: str = "s-ada", **inputs: object) -> bytes:
    event = {"hook_event_name": "PreToolUse", "session_id": session, "tool_name": tool}
    return json.dumps({**event, "tool_input": inputs}).encode()


@given(st.lists(NAMES, min_size=1, max_size=4), PATHS)
def test_it_takes_no_pattern_for_more_than_it_means(names: list[str], path: list[str]) -> None:
    text, asked = "/".join(names), "/".join(path)
    pattern = parse_pattern(text)
    if quick.means(pattern.text, asked):
        assert matches(pattern, asked)
    elif pattern.is_literal or pattern.text == "**":
        assert not matches(pattern, asked), "the usual patterns are all known to it"


def test_it_reads_the_format_that_stores_have() -> None:
    assert quick.FORMAT == connection.FORMAT


@pytest.fixture
def held(guarded: Repo, agents: Agents) -> Repo:
    ada = agents("s-ada")
    for path in ("src/a.py", "lib/c.py"):
        assert not ada.edit(path, "x").refused
    return guarded


def says_yes(path: Path | str, session: str = "s-ada") -> bool:
    return quick.nothing_to_say(payload("Edit", session, file_path=str(path)))


def test_it_says_yes_to_what_is_held_and_is_silent_about_everything_else(
    held: Repo, handrail: Handrail, tmp_path: Path
) -> None:
    root = held.path
    assert says_yes(root / "src/a.py")
    assert says_yes(root / "lib/c.py")
    for path in (
        *(root / "src/b.py", root / "src", root, root / "src/a.py/x", "src/a.py", ""),
        *(f"{root}/src/../src/a.py", f"{root}//src/a.py", root / ".git/config", "/", "//"),
        *(root / ".handrail/hook", root / "handrail.toml", root / ".claude/settings.json"),
        *(tmp_path / "x", f"{root}/src/a.py\0", f"{root}/src/\u00e9.py"),
    ):
        assert not says_yes(path), path
    assert not says_yes(root / "src/a.py", "s-bob")
    (root / "linked").symlink_to("src")
    assert not says_yes(root / "linked/a.py")
    beside = held.worktree("beside")
    assert not says_yes(beside / "src/a.py"), "held in the other tree"
    assert handrail("session", "end", "s-ada").code in (0, 1)


def test_what_has_run_out_or_is_past_half_of_its_life_is_for_the_rule(held: Repo) -> None:
    application = Application.open(str(held.path), {}, terminal=False)
    assert isinstance(application.store, SqliteStore)
    connection = application.store._connection
    connection.execute("UPDATE may_write SET renew_at = 1 WHERE pattern = 'src/a.py'")
    application.close()
    assert not says_yes(held.path / "src/a.py")
    assert says_yes(held.path / "lib/c.py")


def test_another_boot_another_format_and_no_store_are_for_the_rule(
    held: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = held.path / "src/a.py"
    with monkeypatch.context() as patch:
        patch.setattr(quick, "FORMAT", quick.FORMAT + 1)
        assert not says_yes(path)
    application = Application.open(str(held.path), {}, terminal=False)
    assert isinstance(application.store, SqliteStore)
    application.store._connection.execute("UPDATE state SET boot = 'another'")
    application.close()
    assert not says_yes(path)
    (held.path / ".git/handrail/state.db").unlink()
    assert not says_yes(path)
    assert not (held.path / ".git/handrail/state.db").exists()


@pytest.mark.parametrize("tool", sorted(quick.READS_ONLY))
def test_tools_that_read_need_nobody(tool: str) -> None:
    assert quick.nothing_to_say(payload(tool, file_path="/x"))


def test_shell_lines_go_by_the_scan() -> None:
    for line in ("ls -la", "make test", "echo x > y", "rm -rf z", "git status"):
        assert quick.nothing_to_say(payload("Bash", command=line)) is not may_write(line)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b"7", b"\xff", b'{"hook_event_name": "PreToolUse"}', b"{}" * 9],
)
def test_what_is_no_payload_is_not_for_it(text: bytes) -> None:
    assert not quick.nothing_to_say(text)


def modules_after(program: str, asked: bytes) -> set[str]:
    """Return what a bare interpreter has imported after a program that reads ``asked``."""
    source = Path(quick.__file__).parents[3]
    driver = Path(str(apsw.__file__)).parents[1]
    whole = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        f"{program}\n"
        "print('\\n'.join(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", whole, str(source), str(driver)],
        input=asked,
        capture_output=True,
        check=True,
    )
    return set(done.stdout.decode().split())


def test_it_imports_next_to_nothing(held: Repo) -> None:
    """The row of the bench that says what it costs rests on this."""
    loaded = modules_after(
        "from handrail.edge.guard.quick import nothing_to_say\n"
        "assert nothing_to_say(sys.stdin.buffer.read())",
        payload("Edit", file_path=str(held.path / "src/a.py")),
    )
    ours = {name for name in loaded if name.startswith("handrail")}
    assert ours == {"handrail", "handrail.edge", "handrail.edge.guard", "handrail.edge.guard.quick"}
    assert not loaded & {"json", "re", "typing", "subprocess", "sqlite3", "click", "dataclasses"}


@pytest.mark.parametrize("session", ["s-ada", "s-bob"])
def test_an_edit_that_is_decided_imports_nothing_that_it_could_do_without(
    held: Repo, session: str
) -> None:
    """Each of these takes a third of a bare interpreter's start or more.

    A module that an edit needs takes the words of annotations from ``handrail.typed`` and JSON
    from ``handrail.jsontext``.
    """
    path = "src/new.py" if session == "s-ada" else "src/a.py"
    fields = {**json.loads(payload("Edit", session, file_path=str(held.path / path)))}
    loaded = modules_after(
        "import os; from handrail.edge.guard.tools import answered\n"
        "answer = answered(sys.stdin.buffer.read(), os.environ)\n"
        f"assert answer.status == {0 if session == 's-ada' else 2}, answer",
        json.dumps({**fields, "cwd": str(held.path)}).encode(),
    )
    assert "handrail.core.decide.edit" in loaded
    needless = {"typing", "re", "enum", "json", "subprocess", "signal", "click", "dataclasses"}
    assert loaded & {*needless, "handrail.service.install"} == set()

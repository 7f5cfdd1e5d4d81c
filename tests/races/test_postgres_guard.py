"""The guard of a clone whose store is on a server: with the server, and without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from handrail.edge.guard import quick
from handrail.service.setup import apply_config
from handrail.wiring import Application
from tests.races.test_postgres import Clones
from tests.support import Result

TRUST_MS = 90 * 60_000 - 30_000


def payload(path: Path, session: str = "s-ada", **more: object) -> str:
    event = {"hook_event_name": "PreToolUse", "session_id": session, "tool_name": "Edit"}
    return json.dumps({**event, "tool_input": {"file_path": str(path)}, **more})


def edits(clones: Clones, where: Path, path: str, session: str = "s-ada") -> Result:
    """Announce an edit as the harness does."""
    return clones.run("hook", cwd=where, input=payload(where / path, session, cwd=str(where)))


def says_yes(where: Path, path: str, session: str = "s-ada") -> bool:
    return quick.nothing_to_say(payload(where / path, session).encode())


@contextmanager
def no_server(where: Path) -> Iterator[None]:
    """Let a clone look for its server where nobody listens."""
    note = where / ".git" / "handrail" / "store.json"
    found = note.read_text()
    url = json.loads(found)["url"]
    words = {**json.loads(found), "url": f"{url}{'&' if '?' in url else '?'}host=127.0.0.1&port=1"}
    note.write_text(json.dumps(words))
    try:
        yield
    finally:
        note.write_text(found)


def age(where: Path, ms: int) -> None:
    """Let the copy be so much older than it is."""
    copy = apsw.Connection(str(where / ".git" / "handrail" / "guard.db"))
    copy.execute("UPDATE state SET offset_ms = offset_ms + ?", (ms,))
    copy.close()


@pytest.fixture
def held(clones: Clones) -> Clones:
    for name in ("src/f", "lib/g"):
        (clones.first.path / name).parent.mkdir(exist_ok=True)
        (clones.first.path / name).write_text("1\n")
    clones.first.commit("files")
    assert edits(clones, clones.first.path, "src/f").code == 0
    return clones


def test_with_postgres_the_usual_answer_is_a_look_into_the_copy(held: Clones) -> None:
    first, second = held.first.path, held.second
    assert says_yes(first, "src/f")
    assert not says_yes(first, "lib/g")
    assert not says_yes(second, "src/f"), "it is the working tree of another clone"
    assert edits(held, second, "lib/h", "s-bob").code == 0
    assert says_yes(second, "lib/h", "s-bob")
    ada = {"HANDRAIL_SESSION": "s-ada"}
    assert held.at(first, "claim", "lib", **ada).code == 1, "it is held in the other clone"
    assert held.at(first, "claim", "docs", **ada).code == 0
    assert says_yes(first, "docs/new")
    assert held.at(first, "release", "docs", **ada).code == 0
    assert not says_yes(first, "docs/new"), "what was given back is gone with the answer"
    assert held.at(first, "session", "end", **ada).code == 0
    assert not says_yes(first, "src/f")


def test_without_postgres_what_is_held_may_be_written_until_it_is_doubted(held: Clones) -> None:
    first = held.first.path
    with no_server(first):
        assert says_yes(first, "src/f")
        age(first, TRUST_MS // 2 + 60_000)
        assert not says_yes(first, "src/f"), "past half of its life it would be renewed"
        assert edits(held, first, "src/f").code == 0, "but it is still trusted"
        denied = edits(held, first, "lib/g")
        assert denied.code == 2
        assert "store_unreachable" in denied.err
        assert "lib/g is not known to be held" in denied.err
        assert "what session s-ada may rely on: src/f until 20" in denied.err
        age(first, TRUST_MS // 2)
        late = edits(held, first, "src/f")
        assert (late.code, "this session is known to hold nothing" in late.err) == (2, True), late
    assert edits(held, first, "src/f").code == 0, "the server is back"


def test_without_postgres_a_command_says_until_when_what_is_held_is_trusted(held: Clones) -> None:
    first = held.first.path
    with no_server(first):
        said = held.at(first, "claim", "docs", "--json", HANDRAIL_SESSION="s-ada")
        error = json.loads(said.out)["error"]
        assert (said.code, error["code"]) == (3, "store_unreachable")
        assert "src/f until 20" in error["message"]
        assert error["trusted_until"][:2] == "20"
        other = held.at(first, "status", "--json", HANDRAIL_SESSION="s-bob")
        assert "trusted_until" not in json.loads(other.out)["error"]


def test_while_a_change_is_under_way_the_copy_of_postgres_is_silent(held: Clones) -> None:
    first = held.first.path
    copy = apsw.Connection(str(first / ".git" / "handrail" / "guard.db"))
    copy.execute("UPDATE state SET boot = ''")
    copy.close()
    assert not says_yes(first, "src/f")
    with no_server(first):
        assert edits(held, first, "src/f").code == 2, "nobody knows what it took away"
    assert edits(held, first, "src/f").code == 0


@pytest.mark.parametrize("mode", ["warn", "shadow"])
def test_without_postgres_the_mode_that_was_in_force_counts(held: Clones, mode: str) -> None:
    first = held.first.path
    text = (first / "handrail.toml").read_text()
    assert 'mode = "enforce"' in text
    (first / "handrail.toml").write_text(text.replace('mode = "enforce"', f'mode = "{mode}"'))
    person = Application.open(str(first), {}, terminal=True)
    apply_config(person.context)
    person.close()
    with no_server(first):
        done = edits(held, first, "lib/g")
    assert done.code == 0
    assert ("store_unreachable" in done.out) is (mode == "warn")
    log = (first / ".git" / "handrail" / "hook.log").read_text()
    assert f"{mode}: lib/g is not known to be held" in log


def test_by_its_secret_a_session_is_kept_and_ended_from_another_clone_on_postgres(
    held: Clones,
) -> None:
    first, second = held.first.path, held.second
    secret = (first / ".git" / "handrail" / "secrets" / "s-ada").read_text()
    for words in (("renew",), ("whoami",), ("session", "end")):
        said = held.at(second, *words, HANDRAIL_SESSION="s-ada")
        assert (said.code, "wrong_worktree" in said.err) == (1, True), said
        done = held.at(second, *words, HANDRAIL_SESSION="s-ada", HANDRAIL_SECRET=secret)
        assert done.code == 0, done

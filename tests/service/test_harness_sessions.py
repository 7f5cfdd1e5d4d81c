"""Sessions that a harness's events begin and end, in a real repository."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from handrail import errors
from handrail.core.lease import Process
from handrail.facts.process import alive, ancestors, process
from handrail.service.harness_sessions import Begun, HarnessSessions
from handrail.service.sessions import Ended
from tests.cli.world import World, eventually
from tests.service.guarding import edit, land, left_by, scopes, write

FIRST, SECOND = "0f3c0001-aaaa", "0f3c0002-bbbb"


def begin(
    world: World, id: str, known: Process | None = None, cwd: Path | None = None, **env: Any
) -> Begun:
    with world.open(cwd=cwd, **env) as application:
        sessions = HarnessSessions(application.context)
        return sessions.started(id, harness="claude", process=known)


def end(world: World, id: str, reason: str = "logout", cwd: Path | None = None) -> Ended | None:
    with world.open(cwd=cwd) as application:
        return HarnessSessions(application.context).ended(id, reason)


def registered(world: World, *known: Process) -> str | None:
    with world.open() as application:
        return HarnessSessions(application.context).registered(known)


@contextmanager
def harness() -> Iterator[tuple[Process, Any]]:
    """Run a process as a harness would be one; the second value ends it."""
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)

    def stop() -> None:
        child.communicate()
        assert eventually(lambda: alive(known) is False)

    found = process(child.pid)
    assert found is not None
    known = found
    try:
        yield known, stop
    finally:
        child.communicate() if child.returncode is None else None


def test_a_harness_session_is_the_session_of_the_same_id(world: World) -> None:
    begun = begin(world, FIRST)
    session = begun.started.session
    assert (session.id, session.agent, session.worktree) == (FIRST, "claude@repo", ".")
    assert session.role == "worker"
    assert begin(world, FIRST).started.resumed
    named = begin(world, SECOND, HANDRAIL_AGENT="web-1").started.session
    assert named.agent == "web-1"


def test_a_role_that_is_not_there_is_said(world: World) -> None:
    with pytest.raises(errors.UnknownRole):
        begin(world, FIRST, HANDRAIL_ROLE="nobody")


def test_the_nearest_registered_process_names_the_session(world: World) -> None:
    with harness() as (known, _), harness() as (other, _):
        begin(world, FIRST, known)
        begin(world, SECOND, other, HANDRAIL_AGENT="web-2")
        assert registered(world, known) == FIRST
        assert registered(world, other, known) == SECOND
        assert registered(world, known._replace(started=1)) is None
        end(world, SECOND)
        assert registered(world, other, known) == FIRST


def test_a_process_above_this_one_is_found_among_its_ancestors(world: World) -> None:
    above = ancestors(os.getpid())
    assert above[0].pid == os.getppid()
    begin(world, FIRST, above[-1])
    assert registered(world, *above) == FIRST


def test_the_end_of_a_session_frees_what_is_clean_and_its_agent_goes_on_with_the_rest(
    world: World,
) -> None:
    begin(world, FIRST)
    write(world, FIRST, "src/a.py", "one\n")
    edit(world, FIRST, "src/clean.py")
    ended = end(world, FIRST)
    assert ended is not None
    assert ended.left == ("src/a.py",)
    assert left_by(world, FIRST) == ["src/a.py"]
    begun = begin(world, SECOND)
    assert len(begun.adopted) == 1
    assert scopes(world, SECOND) == [("src/a.py",)]
    assert [lease.scope for lease in begun.held] == [("src/a.py",)]
    land(world, SECOND, "src/a.py")


def test_ending_twice_or_what_never_began_is_nothing(world: World) -> None:
    begin(world, FIRST)
    assert end(world, FIRST) is not None
    assert end(world, FIRST) is None
    assert end(world, SECOND) is None


def test_clearing_gives_the_same_process_a_new_session_that_goes_on(world: World) -> None:
    with harness() as (known, _):
        begin(world, FIRST, known)
        write(world, FIRST, "src/a.py", "one\n")
        begun = begin(world, SECOND, known)
        assert scopes(world, SECOND) == [("src/a.py",)]
        assert len(begun.adopted) == 1
        assert registered(world, known) == SECOND
        with world.open() as application, application.store.read() as reader:
            first = reader.session(FIRST)
            assert first is not None
            assert not first.live
        edit(world, SECOND, "src/a.py")
        land(world, SECOND, "src/a.py")


def test_after_a_crash_the_next_session_goes_on_at_once(world: World) -> None:
    with harness() as (known, stop):
        begin(world, FIRST, known)
        write(world, FIRST, "src/a.py", "one\n")
        edit(world, FIRST, "src/b.py")
        stop()
        with harness() as (other, _):
            begin(world, SECOND, other)
    assert scopes(world, SECOND) == [("src/a.py",)]


def test_a_session_whose_process_lives_is_left_alone(world: World) -> None:
    with harness() as (known, _), harness() as (other, _):
        begin(world, FIRST, known)
        edit(world, FIRST, "src/b.py")
        begun = begin(world, SECOND, other)
        assert [lease.session for lease in begun.others] == [FIRST]
        assert scopes(world, FIRST) == [("src/b.py",)]


def test_a_resumed_session_is_the_same_again_with_its_unfinished_work(world: World) -> None:
    with harness() as (known, stop):
        begin(world, FIRST, known)
        write(world, FIRST, "src/a.py", "one\n")
        end(world, FIRST)
        stop()
    with harness() as (other, _):
        begun = begin(world, FIRST, other)
        assert not begun.started.resumed
        assert scopes(world, FIRST) == [("src/a.py",)]
        assert registered(world, other) == FIRST


def test_what_another_agent_left_is_told_and_not_taken(world: World) -> None:
    ada = world.session(agent="ada")
    write(world, ada, "src/a.py", "one\n")
    world.release(ada)
    begun = begin(world, FIRST)
    assert begun.adopted == ()
    assert [orphan.session for orphan in begun.left] == [ada]
    (world.path / "src/a.py").unlink()
    assert begin(world, SECOND, HANDRAIL_AGENT="web-2").left == ()


def test_a_session_without_a_word_of_handrail_is_never_refused(world: World) -> None:
    """Edit, commit, be cleared, resume, commit again: alone in a repository."""
    world.repo.write("src/a.py", "base\n")
    world.repo.commit("base", "src/a.py")
    with harness() as (known, _):
        begin(world, FIRST, known)
        for number in range(3):
            write(world, FIRST, "src/a.py", f"{number}\n")
            write(world, FIRST, f"src/new-{number}.py", "new\n")
            land(world, FIRST, "src")
        write(world, FIRST, "src/a.py", "dirty over the clear\n")
        begin(world, SECOND, known)
        write(world, SECOND, "src/a.py", "more\n")
        land(world, SECOND, "src")
        write(world, SECOND, "src/a.py", "dirty over the end\n")
        end(world, SECOND)
        begin(world, SECOND, known)
        write(world, SECOND, "src/a.py", "done\n")
        land(world, SECOND, "src")
    assert scopes(world, SECOND) == []


def test_a_process_is_gone_when_its_boot_is_and_unknown_in_another_namespace() -> None:
    own = process(os.getpid())
    assert own is not None
    assert alive(own) is True
    assert alive(own._replace(started=own.started + 1)) is False
    assert alive(own._replace(boot="another")) is False
    assert alive(own._replace(pid_ns="pid:[1]")) is None

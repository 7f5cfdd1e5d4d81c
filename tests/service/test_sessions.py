"""Sessions begin, are resumed, act as one role, and end with all that they hold."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from handrail import errors
from handrail.core.events import SessionRoleChanged
from handrail.core.ledger import read_event, read_header
from handrail.service import claims
from handrail.service.leases import Asked
from handrail.service.sessions import Sessions
from tests.cli.world import World, eventually, unharmed

LANES = """
[[role]]
name = "docs"
lane = ["docs/**"]
[[role]]
name = "api"
lane = ["src/**"]
"""
MANY = 'roles_per_session = "many"\ndefault_role = "docs"' + LANES


def kinds_after(world: World, seq: int) -> list[str]:
    """List the kinds of the entries after one."""
    with world.open() as application, application.store.read() as reader:
        return [read_header(entry.header).kind for entry in reader.entries(seq)]


def head_of(world: World) -> int:
    """Return the number of the newest entry."""
    with world.open() as application, application.store.read() as reader:
        return reader.head.seq


def test_a_session_has_an_id_an_agent_and_a_role_without_being_asked(world: World) -> None:
    with world.open() as application:
        sessions = Sessions(application.context)
        first, second = sessions.start(), sessions.start()
    assert re.fullmatch(r"s-[a-z2-9]{12}", first.session.id)
    assert first.session.id != second.session.id
    assert first.secret != second.secret
    assert (first.session.agent, first.session.role) == ("agent@repo", "worker")
    assert (first.session.worktree, first.resumed) == (".", False)


@pytest.mark.parametrize(
    ("env", "agent", "role"),
    [
        ({"HANDRAIL_AGENT": "bot"}, "bot", "docs"),
        ({"AGENT_ID": "stand-in"}, "stand-in", "docs"),
        ({"HANDRAIL_AGENT": "bot", "AGENT_ID": "stand-in"}, "bot", "docs"),
        ({"HANDRAIL_ROLE": "api"}, "agent@repo", "api"),
    ],
)
def test_the_environment_names_agent_and_role(
    world: World, env: dict[str, str], agent: str, role: str
) -> None:
    world.configure('default_role = "docs"' + LANES)
    with world.open(None, terminal=False, cwd=None, **env) as application:
        session = Sessions(application.context).start().session
    assert (session.agent, session.role) == (agent, role)


def test_an_option_is_stronger_than_the_environment(world: World) -> None:
    world.configure('default_role = "docs"' + LANES)
    with world.open(HANDRAIL_AGENT="bot", HANDRAIL_ROLE="api") as application:
        session = Sessions(application.context).start(agent="ada", role="docs").session
    assert (session.agent, session.role) == ("ada", "docs")


def test_without_a_default_a_session_has_no_role(world: World) -> None:
    world.configure(LANES)
    with world.open() as application:
        assert Sessions(application.context).start().session.role is None


def test_a_role_that_is_none_starts_nothing(world: World) -> None:
    with (
        unharmed(world.store),
        world.open() as application,
        pytest.raises(errors.UnknownRole) as caught,
    ):
        Sessions(application.context).start(role="walker")
    assert caught.value.values["nearest"] == "worker"
    assert kinds_after(world, 2) == []


def test_the_same_session_is_resumed_and_nothing_is_recorded(world: World) -> None:
    session = world.session(id="mine", agent="ada")
    before = head_of(world)
    with world.open() as application:
        again = Sessions(application.context).start(id="mine", agent="ada")
    assert (again.resumed, again.session.id) == (True, session)
    assert head_of(world) == before


def test_a_live_id_is_nobody_elses(world: World) -> None:
    world.configure('default_role = "docs"' + LANES)
    world.session(id="mine", agent="ada", role="docs")
    beside = world.repo.worktree("beside")
    with world.open() as application:
        sessions = Sessions(application.context)
        with pytest.raises(errors.SessionExists):
            sessions.start(id="mine", agent="eve")
        with pytest.raises(errors.RoleFixed):
            sessions.start(id="mine", agent="ada", role="api")
    with world.open(cwd=beside) as application, pytest.raises(errors.SessionExists):
        Sessions(application.context).start(id="mine", agent="ada")


def test_an_id_may_be_used_again_when_its_session_has_ended(world: World) -> None:
    session = world.session(id="mine")
    world.claim(session, "src")
    with world.open(session) as application:
        Sessions(application.context).end()
    assert world.session(id="mine") == "mine"
    assert not world.holds("mine", "src/a.py")


def test_ending_frees_what_is_held_and_records_each_lease_then_the_end(world: World) -> None:
    session = world.session()
    tokens = [world.claim(session, scope).token for scope in ("src", "docs")]
    before = head_of(world)
    with world.open(session) as application:
        ended = Sessions(application.context).end(reason="done")
    assert [f"{ended.epoch}:{token}" for token in ended.released] == tokens
    assert kinds_after(world, before) == ["lease.released", "lease.released", "session.ended"]
    assert world.claim(world.session(), "src", "docs").renewed is False


def test_an_expired_lease_is_recorded_as_expired_at_the_end_of_its_session(world: World) -> None:
    session = world.session()
    world.claim(session, "src", ttl_ms=1_000)
    assert eventually(lambda: not world.holds(session, "src/a.py"))
    before = head_of(world)
    with world.open(session) as application:
        assert Sessions(application.context).end().released == ()
    assert kinds_after(world, before) == ["lease.expired", "session.ended"]


def test_ending_gives_up_every_place_in_the_queue(world: World) -> None:
    holder, waiting = world.session(), world.session()
    world.claim(holder, "src")
    refused: list[errors.HandrailError] = []

    def wait() -> None:
        with world.open(waiting) as application:
            try:
                application.leases.claim_waiting(Asked(("src",)), wait_ms=None)
            except errors.HandrailError as error:
                refused.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert eventually(lambda: world.waiters() == 1)
    with world.open(waiting) as application:
        Sessions(application.context).end()
    assert world.waiters() == 0
    waiter.join(30)
    assert [error.code for error in refused] == ["unknown_session"]


def test_a_session_ends_once(world: World) -> None:
    session = world.session()
    with world.open(session) as application:
        sessions = Sessions(application.context)
        sessions.end()
        with pytest.raises(errors.UnknownSession), unharmed(world.store):
            sessions.end()


def test_whoever_can_read_its_secret_may_end_another_session(world: World) -> None:
    other = world.session()
    world.claim(other, "src")
    with world.open() as application:
        assert Sessions(application.context).end(other).session.id == other
    assert not world.holds(other, "src/a.py")
    third = world.session()
    (world.folder / "secrets" / third).unlink()
    with world.open() as application, pytest.raises(errors.WrongSecret):
        Sessions(application.context).end(third)


def test_only_live_sessions_are_listed_with_what_they_hold_now(world: World) -> None:
    gone, there = world.session(), world.session()
    world.claim(there, "src")
    world.claim(there, "docs", ttl_ms=1_000)
    assert eventually(lambda: not world.holds(there, "docs/a.md"))
    with world.open(gone) as application:
        sessions = Sessions(application.context)
        sessions.end()
        listed = sessions.all()
    assert [(one.session.id, [lease.scope for lease in one.leases]) for one in listed] == [
        (there, [("src",)])
    ]


def test_a_session_that_has_ended_can_still_be_looked_at(world: World) -> None:
    session = world.session(agent="ada")
    with world.open(session) as application:
        sessions = Sessions(application.context)
        sessions.end()
        shown = sessions.show(session)
    assert (shown.session.agent, shown.session.live, shown.leases) == ("ada", False, ())


# ------------------------------------------------------------------------------------------- roles


def test_one_role_is_for_the_whole_session(world: World) -> None:
    world.configure('default_role = "docs"' + LANES)
    session = world.session()
    with world.open(session) as application, unharmed(world.store):
        sessions = Sessions(application.context)
        with pytest.raises(errors.RoleFixed) as caught:
            sessions.change_role("api", "because")
        assert sessions.change_role("docs", "the same").role == "docs"
    assert caught.value.next == 'eval "$(handrail session start --role api)"'


def test_where_many_roles_are_allowed_a_session_changes_its_own_and_that_is_recorded(
    world: World,
) -> None:
    world.configure(MANY)
    session = world.session()
    with world.open(session) as application:
        Sessions(application.context).change_role("api", "the tests need it")
        assert application.leases.claim(Asked(("src",))).role == "api"
        with application.store.read() as reader:
            entry = reader.latest("session.role", session)
    assert entry is not None
    expected = SessionRoleChanged(session, "api", "the tests need it", "roles_per_session")
    assert read_event(entry) == expected


def test_a_person_changes_the_role_of_another_session(world: World) -> None:
    world.configure('default_role = "docs"' + LANES)
    session = world.session()
    with world.open(terminal=True) as application:
        changed = Sessions(application.context).reset_role(session, "api", "moved on")
        with application.store.read() as reader:
            entry = reader.latest("session.role", session)
    assert changed.role == "api"
    assert world.claim(session, "src").role == "api"
    assert entry is not None
    assert read_header(entry.header).session is None, "a person has no session"
    assert read_event(entry) == SessionRoleChanged(session, "api", "moved on", "terminal")


@pytest.mark.parametrize(
    ("env", "terminal"),
    [({}, False), ({"CLAUDECODE": "1"}, True), ({"HANDRAIL_SESSION": "mine"}, True)],
    ids=["no terminal", "a harness", "a session"],
)
def test_nobody_but_a_person_changes_the_role_of_another_session(
    world: World, env: dict[str, str], terminal: bool
) -> None:
    world.configure('default_role = "docs"' + LANES)
    session = world.session(id="mine")
    with (
        world.open(None, terminal=terminal, cwd=None, **env) as application,
        unharmed(world.store),
        pytest.raises(errors.NeedsPerson) as caught,
    ):
        Sessions(application.context).reset_role(session, "api", "it's mine")
    assert caught.value.next == (
        "env -u HANDRAIL_SESSION -u AGENT_SESSION_ID handrail session role api --session mine"
        " --reason 'it'\"'\"'s mine'"
    )


def test_a_session_that_is_none_or_has_ended_gets_no_role(world: World) -> None:
    world.configure('default_role = "docs"' + LANES)
    ended = world.session()
    with world.open(ended) as application:
        Sessions(application.context).end()
    with world.open(terminal=True) as application, unharmed(world.store):
        sessions = Sessions(application.context)
        for name in ("nobody", ended):
            with pytest.raises(errors.UnknownSession):
                sessions.reset_role(name, "api", "because")
        with pytest.raises(errors.MalformedName):
            sessions.reset_role("../nobody", "api", "because")


def test_ctrl_c_just_after_a_place_was_taken_gives_it_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, waiting = world.session(), world.session()
    world.claim(holder, "src")
    whole = claims._queue

    def interrupted(*words: Any) -> Any:
        whole(*words)
        raise KeyboardInterrupt

    monkeypatch.setattr(claims, "_queue", interrupted)
    with world.open(waiting) as application, pytest.raises(KeyboardInterrupt):
        application.leases.claim_waiting(Asked(("src",)), wait_ms=None)
    assert world.waiters() == 0

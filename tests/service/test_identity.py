"""Nothing is done in a session's name unless its secret was shown, or is readable here."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from handrail import errors
from handrail.service.attestation import Attestation
from handrail.service.leases import Asked
from handrail.service.sessions import Sessions
from handrail.wiring import HARNESS_MARKERS, Application
from tests.cli.world import World, refusal, unharmed

ACTS: Final[dict[str, Callable[[Application], object]]] = {
    "claim": lambda app: app.leases.claim(Asked(("docs",))),
    "claim and wait": lambda app: app.leases.claim_waiting(Asked(("docs",)), wait_ms=0),
    "renew": lambda app: app.leases.renew(()),
    "release": lambda app: app.leases.release((), everything=True),
    "attest": lambda app: Attestation(app.context).attest("HEAD"),
    "end": lambda app: Sessions(app.context).end(),
    "show": lambda app: Sessions(app.context).show(),
    "change the role": lambda app: Sessions(app.context).change_role("worker", "because"),
}


@pytest.mark.parametrize("act", ACTS)
def test_a_wrong_secret_lets_nobody_act(world: World, act: str) -> None:
    session = world.session()
    token = world.claim(session, "src").token
    for wrong in ("wrong", "\udcff", " ", "x" * 4_000):
        with (
            world.open(session, HANDRAIL_SECRET=wrong) as application,
            unharmed(world.store),
            pytest.raises(errors.WrongSecret),
        ):
            ACTS[act](application)
    assert world.holds_in(world.path, session, token)


@pytest.mark.parametrize("act", ACTS)
def test_an_unknown_an_ended_and_a_missing_session_let_nobody_act(world: World, act: str) -> None:
    ended = world.session()
    with world.open(ended) as application:
        Sessions(application.context).end()
    for session in ("s-nobody", ended, None):
        with (
            world.open(session) as application,
            unharmed(world.store),
            pytest.raises(errors.UnknownSession),
        ):
            ACTS[act](application)


@pytest.mark.parametrize("act", ACTS)
def test_a_session_of_another_working_tree_lets_nobody_act(world: World, act: str) -> None:
    session = world.session()
    beside = world.repo.worktree("beside")
    with (
        world.open(session, cwd=beside) as application,
        unharmed(world.store),
        pytest.raises(errors.WrongWorktree) as refused,
    ):
        ACTS[act](application)
    assert refused.value.values["worktree"] == "."
    linked = world.session(cwd=beside)
    with world.open(linked) as application, pytest.raises(errors.WrongWorktree):
        ACTS[act](application)


def test_the_secret_can_be_shown_where_its_file_cannot_be_read(world: World) -> None:
    session = world.session()
    file = world.folder / "secrets" / session
    secret = file.read_text()
    file.unlink()
    with world.open(session) as application, pytest.raises(errors.WrongSecret):
        ACTS["claim"](application)
    with (
        world.open(session, HANDRAIL_SECRET="") as application,
        pytest.raises(errors.WrongSecret),
    ):
        ACTS["claim"](application)
    with world.open(session, HANDRAIL_SECRET=secret) as application:
        assert application.leases.claim(Asked(("docs",))).session == session
    for content in (b"wrong", b"", b"\xff" * 40, secret.encode() + b"\n"):
        file.write_bytes(content)
        with world.open(session) as application, pytest.raises(errors.WrongSecret):
            ACTS["renew"](application)


def test_another_sessions_secret_is_not_ones_own(world: World) -> None:
    mine, other = world.session(), world.session()
    secret = (world.folder / "secrets" / other).read_text()
    with (
        world.open(mine, HANDRAIL_SECRET=secret) as application,
        pytest.raises(errors.WrongSecret),
    ):
        ACTS["claim"](application)


def test_a_live_session_is_resumed_only_with_its_secret(world: World) -> None:
    session = world.session(id="mine")
    assert world.session(id="mine") == session
    with (
        world.open(None, HANDRAIL_SECRET="wrong") as application,
        pytest.raises(errors.WrongSecret),
    ):
        Sessions(application.context).start(id="mine")
    with pytest.raises(errors.SessionExists):
        world.session(id="mine", agent="somebody-else")
    with pytest.raises(errors.SessionExists):
        world.session(id="mine", cwd=world.repo.worktree("beside"))


def test_a_session_begun_again_has_a_new_secret_and_none_of_the_old_leases(world: World) -> None:
    world.session(id="mine")
    token = world.claim("mine", "src").token
    secret = (world.folder / "secrets" / "mine").read_text()
    with world.open("mine") as application:
        Sessions(application.context).end()
    world.session(id="mine")
    assert not world.holds_in(world.path, "mine", token)
    with (
        world.open("mine", HANDRAIL_SECRET=secret) as application,
        pytest.raises(errors.WrongSecret),
    ):
        ACTS["claim"](application)


# ------------------------------------------------------------------------------- the environment


@pytest.mark.parametrize("marker", HARNESS_MARKERS)
def test_in_a_harness_without_a_session_nobody_acts_and_nobody_is_a_person(
    world: World, marker: str
) -> None:
    inside: dict[str, Any] = {marker: "1"}
    with world.open(None, terminal=True, **inside) as application:
        with pytest.raises(errors.UnknownSession) as refused:
            ACTS["claim"](application)
        assert marker in refused.value.message
        with pytest.raises(errors.NeedsPerson):
            Sessions(application.context).reset_role("s-any", "worker", "because")
    outside: dict[str, Any] = {marker: ""}
    with world.open(None, terminal=True, **outside) as application:
        with pytest.raises(errors.UnknownSession) as refused:
            ACTS["claim"](application)
        assert marker not in refused.value.message


def test_a_harness_with_a_session_acts_in_it(world: World) -> None:
    session = world.session()
    with world.open(session, CLAUDECODE="1") as application:
        assert application.leases.claim(Asked(("docs",))).session == session


def test_common_names_stand_in_for_our_own_and_ours_come_first(world: World) -> None:
    session, other = world.session(), world.session()
    with world.open(None, AGENT_SESSION_ID=session) as application:
        assert application.leases.claim(Asked(("a",))).session == session
    with world.open(other, AGENT_SESSION_ID=session) as application:
        assert application.leases.claim(Asked(("b",))).session == other
    with world.open("", AGENT_SESSION_ID=session) as application:
        assert application.leases.claim(Asked(("c",))).session == session
    given: dict[str, Any] = {"AGENT_ID": "stand-in"}
    environment: dict[str, Any]
    for agent, environment in (
        ("stand-in", given),
        ("own", {**given, "HANDRAIL_AGENT": "own"}),
        (f"agent@{world.path.name}", {}),
    ):
        with world.open(None, **environment) as application:
            assert Sessions(application.context).start().session.agent == agent
    with world.open(None, **given) as application:
        assert Sessions(application.context).start(agent="said").session.agent == "said"


def test_stand_ins_work_for_the_command_line_too(world: World) -> None:
    session = world.session()
    person = world.shell(AGENT_SESSION_ID=session, AGENT_ID="stand-in")
    assert person.handrail("claim", "src", "--json").json()["session"] == session
    started = person.handrail("session", "start", "--json").json()
    assert (started["agent"], started["session"] != session) == ("stand-in", True)


@pytest.mark.parametrize(
    "make", ["an ended session", "an unknown session", "another working tree", "a wrong secret"]
)
def test_whoever_may_not_act_is_told_what_leads_on(world: World, make: str) -> None:
    person = world.person()
    if make == "an ended session":
        assert person.handrail("session", "end").code == 0
    elif make == "an unknown session":
        person.env["HANDRAIL_SESSION"] = "s-nobody"
    elif make == "another working tree":
        person.cwd = world.repo.worktree("beside")
    else:
        person.env["HANDRAIL_SECRET"] = "wrong"
    with unharmed(world.store):
        step = refusal(person.handrail("claim", "src")).next
    assert person.types(step).code == 0
    assert person.types("handrail claim src").code == 0


# ------------------------------------------------------------------------------------- the secret


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_nobody_else_may_read_the_secret_or_the_store(tmp_path: Path, mask: int) -> None:
    from tests.support import Repo

    before = os.umask(mask)
    try:
        repo = Repo.create(tmp_path / "fresh")
        fresh = World(repo, tmp_path / "scratch")
        from handrail.service.setup import initialise

        with fresh.open() as application:
            initialise(application.ground, "minimal")
        session = fresh.session()
    finally:
        os.umask(before)
    assert mode(fresh.folder / "secrets" / session) == 0o600
    assert mode(fresh.folder / "secrets") == 0o700
    assert mode(fresh.folder) == 0o700
    assert mode(fresh.store) == 0o600


def test_a_secret_is_gone_with_its_session(world: World) -> None:
    session, other = world.session(), world.session()
    with world.open(session) as application:
        Sessions(application.context).end()
    assert [path.name for path in (world.folder / "secrets").iterdir()] == [other]


def test_a_secret_is_not_written_through_a_link_that_lies_in_its_place(world: World) -> None:
    victim = world.repo.write("victim", "mine")
    folder = world.folder / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "linked").symlink_to(victim)
    (folder / f"linked.{os.getpid()}").symlink_to(victim)
    world.session(id="linked")
    assert victim.read_text() == "mine"
    assert not (folder / "linked").is_symlink()
    assert mode(folder / "linked") == 0o600


def test_no_answer_no_ledger_and_no_other_file_holds_a_secret(world: World) -> None:
    person = world.shell()
    said = [person.types('eval "$(handrail session start)"; env')]
    session = person.session
    assert session is not None
    secret = (world.folder / "secrets" / session).read_text()
    assert len(secret) == 40
    lines = (
        "session show --json",
        "session list --json",
        "claim src --json -v",
        "status --json",
        "log --json",
        "ledger export",
        "doctor --json",
        "run --claim lib -- env",
        "session start --id again --json",
    )
    said += [person.types(f"handrail {line}") for line in lines]
    said.append(person.handrail("claim", "x", env={"HANDRAIL_SECRET": f"{secret}x"}))
    assert said[-1].code == 1
    for done in said:
        assert secret not in done.out + done.err, done.argv
    for path in world.path.rglob("*"):
        if path.is_file() and path.parent != world.folder / "secrets":
            assert secret.encode() not in path.read_bytes(), path

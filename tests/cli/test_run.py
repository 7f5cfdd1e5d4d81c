"""``handrail run``: hold a scope while a command runs, and no longer.

The commands that are run are small shell scripts; they tell through files what happened to them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from handrail.errors import EXIT_LEASE_LOST
from handrail.service.sessions import Sessions
from tests.cli.world import (
    PATIENCE_S,
    Person,
    World,
    eventually,
    refusal,
    refusal_in_json,
    unharmed,
)

READY = 'touch "$SIGNS/ready"; '
# `wait` is interrupted by a trapped signal; `sleep` in the foreground would not be.
UNTIL_TOLD = 'while [ ! -e "$SIGNS/stop" ]; do sleep 0.02 & wait $!; done'

# Waits for Ctrl-C, then half a second for another; its exit status is how many came.
COUNTING = """
import os, pathlib, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
count = 0
pathlib.Path(os.environ["SIGNS"], "ready").touch()
while signal.sigtimedwait([signal.SIGINT], 30 if count == 0 else 0.5) is not None:
    count += 1
sys.exit(count)
"""


class Signs:
    """A folder through which a command and a test speak."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def seen(self, name: str, seconds: float = PATIENCE_S) -> bool:
        """Wait for a sign."""
        return eventually((self.folder / name).exists, seconds)

    def give(self, name: str) -> None:
        """Give a sign."""
        (self.folder / name).touch()

    def text(self, name: str) -> str:
        """Read what was written to a sign."""
        return (self.folder / name).read_text()


@pytest.fixture
def signs(tmp_path: Path) -> Signs:
    """A folder through which a command and a test speak."""
    return Signs(tmp_path / "signs")


def started(person: Person, signs: Signs, script: str, *options: str) -> subprocess.Popen[str]:
    """Start ``handrail run --claim src -- bash -c SCRIPT`` and wait until the script is ready."""
    person.env["SIGNS"] = str(signs.folder)
    running = person.handrail_starts("run", "--claim", "src", *options, "--", "bash", "-c", script)
    assert signs.seen("ready"), running.communicate(timeout=5)
    return running


def ended(running: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end; returns exit status, stdout and stderr."""
    out, err = running.communicate(timeout=60)
    assert "Traceback" not in err, err
    return running.returncode, out, err


def held(world: World) -> bool:
    """Tell whether anybody holds anything."""
    with world.open() as application, application.store.read() as reader:
        return any(lease.live(reader.now) for lease in reader.leases())


# ------------------------------------------------------------------------------------------- plain


@pytest.mark.parametrize("status", [0, 1, 7, 75, 130, 255])
def test_the_exit_status_is_the_commands_own(world: World, status: int) -> None:
    with unharmed(world.store):
        done = world.person().handrail("run", "--claim", "src", "--", "sh", "-c", f"exit {status}")
    assert done.code == status
    assert not held(world)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_command_that_dies_of_a_signal_is_told_as_a_shell_tells_it(
    world: World, number: signal.Signals
) -> None:
    done = world.person().handrail(
        "run", "--claim", "src", "--", "sh", "-c", f"kill -{number.value} $$"
    )
    assert done.code == 128 + number
    assert not held(world)


def test_the_command_runs_under_the_lease_with_the_session_of_the_run(
    world: World, signs: Signs
) -> None:
    person = world.shell()
    running = started(
        person, signs, READY + 'echo "$HANDRAIL_SESSION" >"$SIGNS/who"; ' + UNTIL_TOLD
    )
    assert signs.seen("who")
    assert eventually(lambda: signs.text("who").strip())
    assert world.holds(signs.text("who").strip(), "src/a.py")
    signs.give("stop")
    assert ended(running)[0] == 0
    assert not held(world)


def test_a_run_without_a_session_has_one_of_its_own_that_ends_with_it(world: World) -> None:
    person = world.shell()
    done = person.handrail("run", "--claim", "src", "--", "handrail", "session", "show", "--json")
    assert done.code == 0, done.err
    session = done.json()["session"]
    with world.open() as application:
        shown = Sessions(application.context).show(session)
    assert not shown.session.live
    assert list((world.folder / "secrets").iterdir()) == []


def test_a_run_in_a_session_leaves_the_session_and_what_it_held_before(world: World) -> None:
    person = world.person()
    assert person.session is not None
    before = world.claim(person.session, "lib")
    assert person.handrail("run", "--claim", "src", "--", "true").code == 0
    assert person.handrail("run", "--claim", "lib/core", "--", "true").code == 0
    with world.open(person.session) as application:
        leases = Sessions(application.context).show().leases
    assert [lease.token for lease in leases] == [int(before.token.partition(":")[2])]


def test_several_scopes_and_options_are_passed_on(world: World) -> None:
    person = world.person()
    script = 'handrail status --json; printf "%s|" "$@" >&2'
    done = person.handrail(
        *("run", "-q", "--claim", "src", "--claim", "docs/*.md", "--shared", "--ttl", "10m"),
        *("--", "sh", "-c", script, "sh", "--claim", "a b", "--help", "-x"),
    )
    assert done.code == 0, done.err
    lease = done.json()["leases"][0]
    assert (lease["scope"], lease["kind"]) == (["src", "docs/*.md"], "local")
    assert done.err == "--claim|a b|--help|-x|"


def test_stdin_and_stdout_are_the_commands_own(world: World) -> None:
    text = "one\ntwo\x00three"
    done = world.person().handrail("run", "-q", "--claim", "src", "--", "cat", input=text)
    assert (done.out, done.err) == (text, "")


def test_a_command_that_cannot_be_started_is_said_and_nothing_stays_held(world: World) -> None:
    for program in ("/nonexistent/program", "", "README.md", str(world.path)):
        person = world.shell()
        argv = ("run", "-q", "--claim", "src", "--", program)
        assert (refusal(person.handrail(*argv)).code, held(world)) == ("usage", False)
        json = person.handrail("run", "-q", "--json", "--claim", "src", "--", program)
        assert refusal_in_json(json).status == 2
    with world.open() as application:
        assert Sessions(application.context).all() == []


def test_a_refused_claim_starts_nothing(world: World, signs: Signs) -> None:
    world.claim(world.session(), "src")
    for person in (world.person(), world.shell()):
        done = person.handrail("run", "--claim", "src", "--", "touch", str(signs.folder / "ran"))
        assert refusal(done).code == "scope_held"
    assert not (signs.folder / "ran").exists()


def test_a_run_can_wait_for_its_scope(world: World) -> None:
    holder = world.session()
    world.claim(holder, "src")
    with world.when_somebody_waits(lambda: world.release(holder)):
        done = world.person().handrail("run", "--claim", "src", "--wait", "--", "echo", "served")
    assert (done.code, done.out) == (0, "served\n")


# ----------------------------------------------------------------------------------------- signals


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2"])
def test_signals_are_passed_on_and_the_command_decides(
    world: World, signs: Signs, name: str
) -> None:
    trap = f"trap 'echo got >>\"$SIGNS/got\"; exit 42' {name}; " + READY
    person = world.shell()
    running = started(person, signs, trap + UNTIL_TOLD)
    running.send_signal(getattr(signal, f"SIG{name}"))
    assert ended(running)[0] == 42
    assert signs.text("got") == "got\n"
    assert not held(world)


def test_a_command_that_ignores_the_signal_goes_on_under_its_lease(
    world: World, signs: Signs
) -> None:
    person = world.shell()
    script = "trap 'echo got >>\"$SIGNS/got\"' TERM; " + READY + UNTIL_TOLD + "; exit 5"
    running = started(person, signs, script)
    for _ in range(3):
        (signs.folder / "got").unlink(missing_ok=True)
        running.send_signal(signal.SIGTERM)
        assert signs.seen("got")
        assert held(world)
    signs.give("stop")
    assert ended(running)[0] == 5


def test_ctrl_c_at_a_terminal_reaches_the_command_once(world: World, signs: Signs) -> None:
    person = world.shell(SIGNS=str(signs.folder), PYTHON=sys.executable)
    (signs.folder / "script").write_text(COUNTING)
    line = 'handrail run --claim src -- "$PYTHON" "$SIGNS/script"; echo $? >"$SIGNS/status"'
    with person.at_a_terminal(f"trap : INT; {line}") as terminal:
        assert signs.seen("ready")
        terminal.press("\x03")
        assert signs.seen("status")
        assert eventually(lambda: signs.text("status").strip() != "")
    assert signs.text("status") == "1\n", "the exit status counts how often Ctrl-C came"
    assert not held(world)


def test_ctrl_c_at_a_terminal_is_not_carried_to_a_command_that_left_the_foreground(
    world: World, signs: Signs
) -> None:
    person = world.shell(SIGNS=str(signs.folder), PYTHON=sys.executable)
    alone = COUNTING.replace("count = 0", "os.setpgid(0, 0); count = 0").replace("30", "1.5")
    (signs.folder / "script").write_text(alone)
    script = '"$PYTHON" "$SIGNS/script"; echo $? >"$SIGNS/status"'
    line = f"handrail run --claim src -- {script}"
    with person.at_a_terminal(f"trap : INT; {line}") as terminal:
        assert signs.seen("ready")
        assert eventually(lambda: held(world))
        terminal.press("\x03")
        assert signs.seen("status")
        assert eventually(lambda: signs.text("status").strip() != "")
    assert signs.text("status") == "0\n", "it came although the terminal did not send it"


def test_a_second_ctrl_c_while_giving_back_leaves_nothing_behind(
    world: World, signs: Signs
) -> None:
    running = started(world.shell(), signs, READY + "exec sleep 60")
    running.send_signal(signal.SIGINT)
    while running.poll() is None:
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGTERM)
        time.sleep(0.001)
    status, _, err = ended(running)
    # Once all is given back and told, a signal may end the process as it ends any other.
    assert status in (130, 143, -signal.SIGINT, -signal.SIGTERM), err
    assert not held(world)
    with world.open() as application:
        assert Sessions(application.context).all() == []


# ------------------------------------------------------------------------------- keeping the lease


def test_the_lease_outlives_its_time_as_long_as_the_command_runs(
    world: World, signs: Signs
) -> None:
    running = started(world.shell(), signs, READY + UNTIL_TOLD, "--ttl", "1s")
    until = time.monotonic() + 3
    while time.monotonic() < until:
        assert held(world), "the lease ran out under a running command"
        time.sleep(0.05)
    signs.give("stop")
    assert ended(running)[0] == 0
    assert not held(world)


def test_a_lease_that_is_lost_stops_the_command_with_75(world: World, signs: Signs) -> None:
    script = "trap 'echo got >\"$SIGNS/got\"; exit 0' TERM; " + READY + UNTIL_TOLD
    person = world.person()
    running = started(person, signs, script, "--ttl", "1s")
    assert person.handrail("session", "end").code == 0
    status, _, err = ended(running)
    assert status == EXIT_LEASE_LOST
    assert signs.text("got") == "got\n"
    assert "handrail: unknown_session: " in err


def test_a_run_whose_own_session_is_ended_elsewhere_ends_with_75(
    world: World, signs: Signs
) -> None:
    running = started(world.shell(), signs, READY + UNTIL_TOLD, "--ttl", "1s")
    with world.open() as application:
        session = Sessions(application.context).all()[0].session.id
    assert world.shell().handrail("session", "end", session).code == 0
    status, _, err = ended(running)
    assert status == EXIT_LEASE_LOST, err


def test_a_keeper_that_was_stopped_too_long_tells_that_the_lease_is_lost(
    world: World, signs: Signs
) -> None:
    running = started(world.shell(), signs, READY + UNTIL_TOLD, "--ttl", "1s")
    running.send_signal(signal.SIGSTOP)
    assert eventually(lambda: not held(world))
    other = world.session()
    world.claim(other, "src")
    running.send_signal(signal.SIGCONT)
    status, _, err = ended(running)
    assert status == EXIT_LEASE_LOST
    assert "handrail: stale_token: " in err
    assert world.holds(other, "src/a.py")


def test_a_command_that_ended_while_the_keeper_was_stopped_is_not_called_a_success(
    world: World, signs: Signs
) -> None:
    script = READY + UNTIL_TOLD + '; touch "$SIGNS/done"'
    running = started(world.shell(), signs, script, "--ttl", "1s")
    running.send_signal(signal.SIGSTOP)
    assert eventually(lambda: not held(world))
    signs.give("stop")
    assert signs.seen("done")
    running.send_signal(signal.SIGCONT)
    status, _, err = ended(running)
    assert status == EXIT_LEASE_LOST, err


def test_no_process_is_left_behind(world: World, signs: Signs) -> None:
    script = READY + 'echo $$ >"$SIGNS/pid"; ' + UNTIL_TOLD
    running = started(world.shell(), signs, script)
    assert eventually(lambda: (signs.folder / "pid").exists() and signs.text("pid").strip())
    child = int(signs.text("pid"))
    running.send_signal(signal.SIGTERM)
    assert ended(running)[0] == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)

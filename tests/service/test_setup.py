"""Setting a workspace up, changing its configuration, taking Handrail out again."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw
import pytest

from handrail import errors
from handrail.config import parse_config
from handrail.service.health import verify_store
from handrail.service.setup import apply_config, initialise
from handrail.wiring import HARNESS_MARKERS, Application
from tests.cli.world import World, check_chain, entries_of, refusal, unharmed
from tests.support import Handrail, Repo

COORDINATED: Final = """
default_role = "worker"
[[role]]
name = "worker"
lane = ["**"]
[[role]]
name = "lead"
lane = []
may_write = []
coordinates = true
"""
ANOTHER: Final = '[workspace]\nid = "another"\n[[role]]\nname = "own"\nlane = ["**"]\n'
CHANGE: Final = '[limits]\nttl = "30m"\n'


def bytes_of(folder: Path) -> dict[str, bytes | str]:
    """Read every file below a folder, but for who waits and reads at the store and git's index."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if (path.is_symlink() or path.is_file())
        and not path.name.endswith(("-shm", "index", ".turn"))
    }


def written(world: World, change: str = CHANGE) -> None:
    """Change the working tree's configuration, without applying it."""
    path = world.path / "handrail.toml"
    text = path.read_text()
    path.write_text(text + change if "[limits]" not in text else text.replace('"90m"', '"30m"'))


def ttl_in_force(world: World) -> int:
    with world.open() as application, application.store.read() as reader:
        config = reader.config()
    assert config is not None
    return parse_config(config.text.encode()).limits.ttl_ms


# ---------------------------------------------------------------------------------------- init


def test_init_can_be_repeated(repo: Repo, handrail: Handrail) -> None:
    first = handrail("init", "--json")
    assert first.code == 0, first.err
    assert {step["outcome"] for step in first.json()["files"]} == {"created"}
    before = bytes_of(repo.path)
    for _ in range(2):
        again = handrail("init", "--json")
        assert {step["outcome"] for step in again.json()["files"]} == {"kept"}
        assert again.json()["epoch"] == first.json()["epoch"]
    assert bytes_of(repo.path) == before


@pytest.mark.parametrize("folder", ["x", "UPPER Case", "\u00e4\u00f6", "---", "a\nb", "x" * 200])
def test_any_name_of_a_folder_gives_a_workspace(tmp_path: Path, folder: str) -> None:
    repo = Repo.create(tmp_path / folder)
    with World(repo, tmp_path / "scratch").open() as application:
        done = initialise(application.ground, "minimal")
    settings = parse_config((repo.path / "handrail.toml").read_bytes())
    assert settings.workspace.id == done.workspace


def test_what_is_there_already_is_adopted(repo: Repo, handrail: Handrail) -> None:
    text = '[workspace]\nid = "mine"\n[[role]]\nname = "own"\nlane = ["**"]\n'
    repo.write("handrail.toml", text)
    done = handrail("init", "--json").json()
    assert (done["workspace"], done["config"]) == ("mine", "applied")
    assert [step["outcome"] for step in done["files"]][:2] == ["kept", "created"]
    assert (repo.path / "handrail.toml").read_text() == text
    assert handrail("status", "--json").json()["config"] == "same"
    assert handrail("session", "start", "--role", "own").code == 0


def test_init_in_another_worktree_writes_what_is_in_force(world: World) -> None:
    beside = world.repo.worktree("beside")
    (beside / "handrail.toml").unlink()
    done = world.shell(beside).handrail("init", "--json").json()
    assert [step["outcome"] for step in done["files"]][:2] == ["created", "kept"]
    assert (beside / "handrail.toml").read_bytes() == (world.path / "handrail.toml").read_bytes()


def test_init_puts_no_other_configuration_into_force(world: World) -> None:
    written(world)
    with unharmed(world.store):
        done = world.shell().handrail("init")
    assert done.code == 0
    assert "handrail.toml differs from what is in force" in done.err
    assert ttl_in_force(world) == 90 * 60_000


@pytest.mark.parametrize("command", [("init",), ("init", "--dry-run"), ("config", "apply")])
def test_the_store_of_another_workspace_is_refused(world: World, command: tuple[str, ...]) -> None:
    (world.path / "handrail.toml").write_text(ANOTHER)
    before = bytes_of(world.path)
    said = refusal(world.shell().types(f"handrail {' '.join(command)}"))
    assert (said.code, said.status) == ("malformed_config", 2)
    assert "another" in said.sentence
    assert bytes_of(world.path) == before


def test_a_broken_configuration_makes_no_store(repo: Repo, handrail: Handrail) -> None:
    repo.write("handrail.toml", "[workspace]\nid = 3\n")
    assert refusal(handrail("init")).code == "malformed_config"
    assert not (repo.path / ".git" / "handrail").exists()


def test_a_dry_run_of_init_changes_nothing(repo: Repo, handrail: Handrail) -> None:
    before = bytes_of(repo.path)
    done = handrail("init", "--dry-run")
    assert done.code == 0
    assert "would be created" in done.out
    assert handrail("init", "--dry-run", "--json").json()["dry_run"] is True
    assert bytes_of(repo.path) == before
    assert not (repo.path / ".git" / "handrail").exists()
    repo.write("handrail.toml", ANOTHER)
    assert handrail("init", "--dry-run").code == 0
    assert not (repo.path / ".git" / "handrail").exists()


def test_two_who_set_up_at_once_make_one_store(repo: Repo, handrail: Handrail) -> None:
    started = [handrail.start("init", "--json") for _ in range(4)]
    for each in started:
        with each:
            _, err = each.communicate(timeout=60)
            assert each.returncode == 0, err
    assert handrail("store", "verify").code == 0
    status = handrail("status", "--json").json()
    settings = parse_config((repo.path / "handrail.toml").read_bytes())
    assert (status["workspace"], status["config"]) == (settings.workspace.id, "same")


# ------------------------------------------------------------------------- killed between its steps

KILLED_AT: Final = 24
CHANGES: Final = frozenset({"os.rename", "os.mkdir", "os.remove", "os.chmod", "os.truncate"})


class Death(NamedTuple):
    """How a child ended: whether it was killed, and how many steps it took."""

    killed: bool
    steps: int


def initialise_and_die(root: Path, at: int) -> Death:
    """Set up in a child that kills itself before its n-th change of a file or statement of SQL."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            left = at

            def burn(*seen: object) -> bool:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return True

            def watch(event: str, args: tuple[object, ...]) -> None:
                writes = event == "open" and isinstance(args[2], int) and args[2] & os.O_ACCMODE
                if event in CHANGES or writes:
                    burn()

            def trace(connection: apsw.Connection) -> None:
                connection.exec_trace = burn

            application = Application.open(str(root), {}, terminal=False)
            apsw.connection_hooks.append(trace)
            sys.addaudithook(watch)
            initialise(application.ground, "minimal")
            os.write(writing, str(at - left).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as told:
        steps = int(told.read() or b"0")
    _, status = os.waitpid(child, 0)
    return Death(os.WIFSIGNALED(status), steps)


def rounds(root: Path, number: int) -> Iterator[int]:
    """Spread so many deaths over all steps of setting up; the first and the last are among them."""
    total = initialise_and_die(root, 1 << 30).steps
    clean(root)
    assert total > number
    yield from sorted({1 + round(at * (total - 1) / (number - 1)) for at in range(number)})


def clean(root: Path) -> None:
    (root / "handrail.toml").unlink(missing_ok=True)
    shutil.rmtree(root / ".git" / "handrail", ignore_errors=True)


def test_killed_at_any_step_init_completes_when_it_is_run_again(repo: Repo) -> None:
    before = set(os.listdir(repo.path))
    for at in rounds(repo.path, KILLED_AT):
        assert initialise_and_die(repo.path, at).killed, at
        assert set(os.listdir(repo.path)) - before <= {"handrail.toml"}, at
        written_first = None
        if (repo.path / "handrail.toml").exists():
            written_first = (repo.path / "handrail.toml").read_bytes()
            assert parse_config(written_first).workspace.id
        complete(repo, at, written_first)
        clean(repo.path)


def complete(repo: Repo, at: int, written_first: bytes | None) -> None:
    """Set up once more and look at everything."""
    application = Application.open(str(repo.path), {}, terminal=False)
    try:
        done = initialise(application.ground, "minimal")
        text = (repo.path / "handrail.toml").read_bytes()
        assert written_first in (None, text), at
        assert verify_store(application.store, application.store.integrity()).good, at
        with application.store.read() as reader:
            config = reader.config()
            assert config is not None
            assert config.text.encode() == text
            assert reader.workspace == done.workspace == parse_config(text).workspace.id
            assert reader.head.seq == 2, "one store.created, one config.applied"
        again = initialise(application.ground, "minimal")
        assert [step.outcome for step in again.steps] == ["kept", "kept"]
        assert again.config == "same"
    finally:
        application.close()
    check_chain(entries_of(repo.path / ".git" / "handrail" / "state.db"))


# ------------------------------------------------------------------------------------ config apply


def test_a_person_at_a_terminal_applies_a_configuration(world: World) -> None:
    written(world)
    person = world.shell()
    assert refusal(person.types("handrail config apply")).code == "needs_person"
    assert ttl_in_force(world) == 90 * 60_000
    with unharmed(world.store):
        done = person.types("handrail config apply", terminal=True)
    assert done.code == 0, done.err
    assert ttl_in_force(world) == 30 * 60_000
    assert "is in force already" in person.types("handrail config apply").out


def test_a_coordinators_session_applies_a_configuration_and_is_named(world: World) -> None:
    world.configure(COORDINATED)
    path = world.path / "handrail.toml"
    path.write_text(path.read_text() + CHANGE)
    lead = world.session(role="lead")
    with world.open(lead) as application:
        assert apply_config(application.context).changed
    assert ttl_in_force(world) == 30 * 60_000
    last = world.shell().handrail("log", "--json", "-n", "1").json()["entries"][0]
    assert (last["kind"], last["session"], last["role"]) == ("config.applied", lead, "lead")
    assert last["payload"]["proof"] == "coordinator"


def test_nobody_else_applies_a_configuration(world: World) -> None:
    world.configure(COORDINATED)
    path = world.path / "handrail.toml"
    path.write_text(path.read_text() + CHANGE)
    worker, ended = world.session(role="worker"), world.session(role="lead")
    world.shell(HANDRAIL_SESSION=ended).handrail("session", "end")
    env: Any
    with unharmed(world.store):
        for session, terminal, env in (
            (None, False, {}),
            (worker, False, {}),
            (worker, True, {}),
            *((None, True, {marker: "1"}) for marker in HARNESS_MARKERS),
        ):
            with (
                world.open(session, terminal=terminal, **env) as application,
                pytest.raises(errors.NeedsPerson),
            ):
                apply_config(application.context)
        for dead, env in ((ended, {}), ("s-nobody", {}), (worker, {"HANDRAIL_SECRET": "x"})):
            with (
                world.open(dead, terminal=True, **env) as application,
                pytest.raises((errors.UnknownSession, errors.WrongSecret)),
            ):
                apply_config(application.context)
    assert ttl_in_force(world) == 90 * 60_000


def test_what_is_said_to_who_may_not_apply_leads_a_person_on(world: World) -> None:
    written(world)
    person = world.person()
    step = refusal(person.types("handrail config apply", terminal=True)).next
    assert person.types(step, terminal=True).code == 0
    assert ttl_in_force(world) == 30 * 60_000


def test_a_dry_run_of_apply_changes_nothing(world: World) -> None:
    written(world)
    before = bytes_of(world.path)
    done = world.shell().types("handrail config apply --dry-run", terminal=True)
    assert (done.code, "would come into force" in done.out) == (0, True)
    assert bytes_of(world.path) == before


def test_status_says_whether_the_file_is_what_is_in_force(world: World) -> None:
    person = world.shell()
    assert person.handrail("status", "--json").json()["config"] == "same"
    written(world)
    assert person.handrail("status", "--json").json()["config"] == "differs"
    assert "handrail.toml differs from the configuration in force" in person.handrail("status").out
    (world.path / "handrail.toml").unlink()
    assert person.handrail("status", "--json").json()["config"] == "missing"
    assert "handrail.toml is missing here" in person.handrail("status").out
    (world.path / "handrail.toml").write_bytes(b"\xff[[[")
    assert person.handrail("status", "--json").json()["config"] == "differs"


# --------------------------------------------------------------------------------------- uninstall


def test_uninstall_takes_out_what_init_brought_and_loses_nothing(world: World) -> None:
    session = world.session()
    world.claim(session, "src")
    ledger = entries_of(world.store)
    person = world.shell()
    planned = person.types("handrail uninstall --dry-run", terminal=True)
    assert planned.code == 0
    assert world.store.exists()
    done = person.types("handrail uninstall", terminal=True)
    assert done.code == 0, done.err
    assert "no longer in force: 1 live lease" in done.err
    assert world.repo.git("status", "--porcelain") == "D handrail.toml"
    aside = world.path / ".git" / "handrail.retired-1"
    assert not world.folder.exists()
    assert entries_of(aside / "state.db") == ledger
    assert (aside / "secrets" / session).exists()
    assert refusal(person.handrail("claim", "src")).code == "not_initialised"
    world.repo.git("checkout", "--", "handrail.toml")
    assert person.handrail("init").code == 0
    assert person.types("handrail uninstall", terminal=True).code == 0
    assert (world.path / ".git" / "handrail.retired-2").exists()
    assert entries_of(aside / "state.db") == ledger


def test_uninstall_leaves_a_configuration_that_somebody_changed(world: World) -> None:
    written(world)
    text = (world.path / "handrail.toml").read_bytes()
    done = world.shell().types("handrail uninstall", terminal=True)
    assert (done.code, "kept     handrail.toml" in done.out) == (0, True)
    assert (world.path / "handrail.toml").read_bytes() == text
    assert world.repo.git("status", "--porcelain") == "M handrail.toml"


def test_uninstall_of_what_is_gone_already_is_no_error(world: World) -> None:
    (world.path / "handrail.toml").unlink()
    assert world.shell().types("handrail uninstall", terminal=True).code == 0
    assert world.repo.git("status", "--porcelain") == "D handrail.toml"


def test_only_a_person_uninstalls(world: World) -> None:
    world.configure(COORDINATED)
    before = bytes_of(world.path)
    lead = world.session(role="lead")
    for person, terminal in (
        (world.shell(), False),
        (world.shell(HANDRAIL_SESSION=lead), True),
        (world.shell(CLAUDECODE="1"), True),
    ):
        done = person.types("handrail uninstall", terminal=terminal)
        assert (done.code, "needs_person" in done.err) == (1, True), done
    assert (world.path / "handrail.toml").read_bytes() == before["handrail.toml"]
    assert world.store.exists()


def test_a_dry_run_of_uninstall_changes_nothing(world: World) -> None:
    before = bytes_of(world.path)
    assert world.shell().types("handrail uninstall --dry-run", terminal=True).code == 0
    assert bytes_of(world.path) == before

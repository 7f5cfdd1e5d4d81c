"""A repository under Handrail, and people who type at shells in it.

``World`` arranges quickly, in this process; what a test is about is typed by a ``Person`` into a
real bash, or run as a process. ``unharmed`` holds the promise that every test of bad input shares.

    ada = world.person()
    done = ada.types("handrail claim src/api")
    assert refusal(world.person().types("handrail claim src/api")).code == "scope_held"
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, cast

import apsw

from handrail.edge.cli.nouns import COMMANDS
from handrail.service.claims import Asked, Granted
from handrail.service.health import verify_store
from handrail.service.judged import JudgedHandoffs
from handrail.service.sessions import Sessions
from handrail.service.setup import apply_config, initialise
from handrail.wiring import Application
from handrail.wiring.gates import Gates
from tests.support import RUN_TIMEOUT_S, SOURCE, Handrail, Repo, Result, launcher, run

PATIENCE_S: Final = 30.0
GENESIS: Final = "0" * 64
REFUSAL: Final = re.compile(r"handrail: (?P<code>[a-z_]+): (?P<sentence>.+)")
NEXT: Final = "  next: "
NOUNS: Final = {command.path.partition(" ")[0] for command in COMMANDS}
KNOWN_COMMANDS: Final = {command.path for command in COMMANDS} | NOUNS | {""}
PLAIN: Final = re.compile(r"handrail(?: [\w./:=,@%+-]+)*", re.ASCII)
# Of a shell's own making: not what somebody set.
SHELL_ONLY: Final = frozenset({"_", "SHLVL", "PWD", "OLDPWD"})


@dataclass(frozen=True)
class Refusal:
    """How a command said no: code, sentence, next command, and how it ended."""

    code: str
    sentence: str
    next: str
    status: int


def refusal(done: Result) -> Refusal:
    """Read the refusal of a command that said no in text; anything unusual in it fails the test."""
    assert done.code != 0, f"{done.argv} was not refused: {done.out}"
    assert done.out == "", f"{done.argv} wrote data although it was refused: {done.out[:200]!r}"
    assert "Traceback" not in done.err, done.err
    lines = done.err.splitlines()
    found = REFUSAL.fullmatch(lines[0]) if lines else None
    assert found is not None, f"{done.argv} did not say why: {done.err[:500]!r}"
    assert len(lines) == 2, f"more than a sentence and a next command: {lines}"
    assert lines[1].startswith(NEXT), lines
    _check_sentence(found["sentence"])
    step = lines[1].removeprefix(NEXT)
    assert commands_in(step) <= KNOWN_COMMANDS, step
    return Refusal(found["code"], found["sentence"], step, done.code)


def refusal_in_json(done: Result) -> Refusal:
    """Read the refusal of a command that was asked for JSON: one object on stdout, nothing else."""
    assert done.code != 0, f"{done.argv} was not refused: {done.out}"
    assert done.err == "", done.err
    assert done.out.count("\n") == 1, done.out
    assert done.out.isascii(), done.out
    error = json.loads(done.out)["error"]
    _check_sentence(error["message"])
    assert error["next"], error
    return Refusal(error["code"], error["message"], error["next"], done.code)


def commands_in(line: str) -> set[str]:
    """Find the commands of Handrail that a line types: known ones, or the words that are none."""
    found = set()
    for words in re.findall(r"\bhandrail((?: [a-z]+){0,2})(?= |$|\))", line):
        path = words.strip()
        known = [one for one in (path, path.partition(" ")[0]) if one in KNOWN_COMMANDS]
        found.add(known[0] if known else path)
    return found


def _check_sentence(sentence: str) -> None:
    """One sentence: it begins somewhere, ends once, and fits on a screen."""
    assert sentence.strip() == sentence, sentence
    assert sentence
    assert sentence[-1] in ".?", sentence
    assert sentence.isprintable(), sentence
    assert len(sentence) <= 4_000, len(sentence)


# ------------------------------------------------------------------------------------- the ledger


def entries_of(store: Path) -> list[tuple[bytes, bytes | None]]:
    """Read all (header, payload) of a store's ledger, oldest first, past everything of Handrail."""
    connection = apsw.Connection(str(store), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # touch nothing
        connection.set_busy_timeout(10_000)
        rows = connection.execute("SELECT header, payload FROM entry ORDER BY seq").fetchall()
        return cast("list[tuple[bytes, bytes | None]]", rows)
    finally:
        connection.close()


def check_chain(entries: Sequence[tuple[bytes, bytes | None]]) -> None:
    """Verify a ledger as an outsider would, sharing no code with ``handrail.core.ledger``."""
    before = GENESIS
    for number, (header, payload) in enumerate(entries, 1):
        fields = json.loads(header)
        assert fields["seq"] == number
        assert fields["prev"] == before, f"entry {number} is not linked to the one before"
        if payload is not None:
            assert fields["payload_hash"] == sha256(payload).hexdigest(), f"entry {number}"
        before = sha256(header).hexdigest()


@contextmanager
def unharmed(store: Path) -> Iterator[None]:
    """Check that the ledger before is a prefix of the ledger after, and that it verifies."""
    before = entries_of(store)
    yield
    after = entries_of(store)
    redacted = {
        json.loads(payload)["seq"]
        for header, payload in after
        if payload is not None and json.loads(header)["kind"] == "payload.redacted"
    }
    assert len(after) >= len(before), "the ledger was cut off"
    for seq, ((header, payload), now) in enumerate(zip(before, after, strict=False), 1):
        assert now[0] == header, f"entry {seq} was changed"
        gone = now[1] is None and seq in redacted
        assert gone or now[1] == payload, f"the payload of entry {seq} was changed"
    check_chain(after)


# ------------------------------------------------------------------------------------------ people


class Terminal:
    """A terminal of a size with a program in it, whose controlling terminal it is."""

    def __init__(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], columns: int = 100
    ) -> None:
        self.master, self.slave = pty.openpty()
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, size)
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        self.process = subprocess.Popen(
            ("setsid", "--ctty", *argv),
            cwd=cwd,
            env={"TERM": "xterm-256color", **_source(), **env},
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
        )

    def drain(self) -> str:
        """Read what is there; returns all that was read."""
        ready, _, _ = select.select([self.master], [], [], 0.1)
        if ready:
            self.text += os.read(self.master, 65_536).decode("utf-8", "replace")
        return self.text

    def reads(self, text: str) -> bool:
        """Read until a text was seen."""
        return eventually(lambda: text in self.drain())

    def fills(self) -> bool:
        """Read until the board must have been drawn."""
        return eventually(lambda: len(self.drain()) > 100)

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self.master, keys.encode())

    def ends(self) -> int:
        """Wait for the end; returns the exit status."""
        assert eventually(lambda: (self.drain(), self.process.poll())[1] is not None)
        while select.select([self.master], [], [], 0)[0]:
            self.drain()
        return self.process.wait()

    def close(self) -> None:
        """End the program and give the terminal back."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@dataclass
class Person:
    """Somebody at a shell: what is typed changes the environment of what is typed next."""

    cwd: Path
    env: dict[str, str]
    scratch: Path
    typed: int = field(default=0)

    def types(
        self,
        line: str,
        *,
        terminal: bool = False,
        fresh: bool = False,
        timeout_s: float = RUN_TIMEOUT_S,
    ) -> Result:
        """Type a line into bash and wait for it; ``terminal``: stdin and stderr are a terminal.

        Of a plain line bash makes its words and nothing else, and it runs without bash unless
        ``fresh`` asks for a shell and a start of its own.
        """
        if not (terminal or fresh) and self._is_plain(line):
            words = (*launcher(), *line.split(" ")[1:])
            done = run(words, self.cwd, self.env, None, timeout_s)
            return Result((line,), done.code, done.out, done.err)
        self.typed += 1
        state = self.scratch / f"state-{self.typed}"
        script = 'eval "$1"; status=$?; env -0 >"$2"; pwd -P >"$3"; exit $status'
        where = state.with_suffix(".cwd")
        argv = ("bash", "--norc", "-c", script, "shell", line, str(state), str(where))
        done = (_at_terminal if terminal else _in_pipes)(argv, self.cwd, self.env, timeout_s)
        if where.exists():
            pairs = [os.fsdecode(each) for each in state.read_bytes().split(b"\0") if each]
            told = dict(pair.split("=", 1) for pair in pairs)
            self.env = {name: value for name, value in told.items() if name not in SHELL_ONLY}
            self.cwd = Path(os.fsdecode(where.read_bytes())[:-1])
        return Result((line,), done.code, done.out, done.err)

    def _is_plain(self, line: str) -> bool:
        """Tell whether a line is the words of a command, of the Handrail that the tests run."""
        found = shutil.which("handrail", path=self.env.get("PATH", ""))
        return PLAIN.fullmatch(line) is not None and found == launcher()[0]

    @contextmanager
    def at_a_terminal(self, line: str) -> Iterator[Terminal]:
        """Type a line at a terminal and go on; what is pressed reaches it as from a keyboard."""
        terminal = Terminal(("bash", "--norc", "-c", line), self.cwd, self.env)
        try:
            yield terminal
        finally:
            terminal.close()

    def starts(self, line: str) -> subprocess.Popen[str]:
        """Type a line and go on at once; the caller waits for it."""
        return subprocess.Popen(
            ("bash", "--norc", "-c", line),
            cwd=self.cwd,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
        )

    @property
    def session(self) -> str | None:
        """The session this person's shell speaks for."""
        return self.env.get("HANDRAIL_SESSION")

    def handrail(self, *args: str, **given: Any) -> Result:
        """Run Handrail in this person's environment, without a shell between."""
        env = {**self.env, **given.pop("env", {})}
        return Handrail(self.cwd)(*args, env=env, **given)

    def handrail_starts(self, *args: str) -> subprocess.Popen[str]:
        """Start Handrail in this person's environment; the caller waits for it."""
        return Handrail(self.cwd).start(*args, env=self.env)


def _in_pipes(argv: Sequence[str], cwd: Path, env: Mapping[str, str], timeout_s: float) -> Result:
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=timeout_s,
        check=False,
    )
    return Result(tuple(argv), done.returncode, done.stdout, done.stderr)


def handing_over(
    app: Application, folder: Path, told: Callable[[str], None] = lambda line: None
) -> JudgedHandoffs:
    """Return the use cases of handing over with all of their gates, as the commands have them."""
    gates = Gates(app, str(folder), reruns=True)
    return JudgedHandoffs(app.context, app.packet_files, gates.around(told))


def _at_terminal(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], timeout_s: float
) -> Result:
    master, slave = pty.openpty()
    seen: list[bytes] = []

    def listen() -> None:
        try:
            while chunk := os.read(master, 65_536):
                seen.append(chunk)
        except OSError:
            pass  # the last one at the other end has closed it

    with subprocess.Popen(argv, cwd=cwd, env=env, stdin=slave, stderr=slave, stdout=-1) as started:
        os.close(slave)
        listener = threading.Thread(target=listen)
        listener.start()
        out, _ = started.communicate(timeout=timeout_s)
        listener.join(timeout_s)
    os.close(master)
    err = b"".join(seen).replace(b"\r\n", b"\n")
    decoded = [each.decode("utf-8", "surrogateescape") for each in (out, err)]
    return Result(tuple(argv), started.returncode, *decoded)


# ------------------------------------------------------------------------------------------- world


class World:
    """A real repository with a store, and quick ways to put it into any state."""

    def __init__(self, repo: Repo, scratch: Path) -> None:
        self.repo = repo
        self.path = repo.path
        self.scratch = scratch
        scratch.mkdir(exist_ok=True)
        self._people = 0

    @property
    def folder(self) -> Path:
        """Where the store and what belongs to it lie."""
        return self.path / ".git" / "handrail"

    @property
    def store(self) -> Path:
        """The store's file."""
        return self.folder / "state.db"

    @contextmanager
    def open(
        self,
        session: str | None = None,
        *,
        terminal: bool = False,
        cwd: Path | None = None,
        **env: str,
    ) -> Iterator[Application]:
        """Open the application in this process, in the name of a session."""
        named = {} if session is None else {"HANDRAIL_SESSION": session}
        application = Application.open(str(cwd or self.path), {**env, **named}, terminal=terminal)
        try:
            yield application
        finally:
            application.close()

    def session(
        self,
        *,
        id: str | None = None,
        agent: str | None = None,
        role: str | None = None,
        cwd: Path | None = None,
    ) -> str:
        """Start a session; returns its id."""
        with self.open(cwd=cwd) as application:
            started = Sessions(application.context).start(id=id, agent=agent, role=role)
            return started.session.id

    def claim(self, session: str, *scope: str, cwd: Path | None = None, **given: Any) -> Granted:
        """Claim in the name of a session."""
        with self.open(session, cwd=cwd) as application:
            return application.leases.claim(Asked(tuple(scope), **given))

    def release(self, session: str, cwd: Path | None = None) -> None:
        """Release all that a session holds."""
        with self.open(session, cwd=cwd) as application:
            application.leases.release((), everything=True)

    def configure(self, text: str) -> None:
        """Put a configuration into force, as a person would; ``{id}`` is the workspace's."""
        with self.open(terminal=True) as application:
            with application.store.read() as reader:
                workspace = reader.workspace
            self.repo.write("handrail.toml", f'[workspace]\nid = "{workspace}"\n{text}')
            apply_config(application.context)

    def shell(self, cwd: Path | None = None, **env: str) -> Person:
        """Sit somebody down at a shell that has no session."""
        self._people += 1
        scratch = self.scratch / f"person-{self._people}"
        scratch.mkdir()
        path = f"{_bin(self.scratch)}{os.pathsep}{os.environ['PATH']}"
        return Person(cwd or self.path, {**os.environ, "PATH": path, **env}, scratch)

    def person(self, *, cwd: Path | None = None, **given: Any) -> Person:
        """Sit somebody down at a shell with a session of its own."""
        session = self.session(cwd=cwd, **given)
        return self.shell(cwd, HANDRAIL_SESSION=session)

    def waiters(self) -> int:
        """Count who waits."""
        with self.open() as application, application.store.read() as reader:
            return sum(waiter.until > reader.now for waiter in reader.waiters())

    def sound(self) -> None:
        """Check the ledger, and the tables against it."""
        with self.open() as application:
            store = application.store
            assert verify_store(store, store.integrity()).differences == ()

    def holds(self, session: str | None, path: str) -> bool:
        """Tell whether a session holds a path by a live lease."""
        with self.open() as application, application.store.read() as reader:
            return reader.may_write(".", session or "", path)

    def holds_in(self, cwd: Path, session: str | None, token: str) -> bool:
        """Tell whether a token is a live lease of a session of the working tree at ``cwd``."""
        with self.open(cwd=cwd) as application, application.store.read() as reader:
            lease = reader.lease(int(token.partition(":")[2]))
            known = None if session is None else reader.session(session)
            return (
                lease is not None
                and known is not None
                and lease.live(reader.now)
                and (lease.session, reader.epoch) == (known.id, token.partition(":")[0])
                and lease.worktree == known.worktree == application.place.worktree
            )

    def when_somebody_waits(self, act: Callable[[], object]) -> AbstractContextManager[None]:
        """Let the world move on: once somebody waits, ``act`` happens."""
        return self.when_waiters(1, act)

    @contextmanager
    def when_waiters(self, number: int, act: Callable[[], object]) -> Iterator[None]:
        """Let the world move on: once so many wait, ``act`` happens."""
        over = threading.Event()
        failed: list[BaseException] = []

        def move() -> None:
            try:
                seen = eventually(lambda: over.is_set() or self.waiters() >= number)
                if seen and not over.is_set():
                    act()
            except BaseException as error:  # noqa: BLE001 - told to the test below
                failed.append(error)

        mover = threading.Thread(target=move)
        mover.start()
        try:
            yield
        finally:
            over.set()
            mover.join(PATIENCE_S)
        assert failed == []


def eventually(true: Callable[[], object], seconds: float = PATIENCE_S) -> bool:
    """Look again and again until something is the case; False if it never was."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def _source() -> dict[str, str]:
    """Let the module be found where the project is not installed beside the interpreter."""
    return {} if len(launcher()) == 1 else {"PYTHONPATH": str(SOURCE.parent)}


def _bin(scratch: Path) -> Path:
    """Return a folder for PATH in which ``handrail`` is what the tests run."""
    words = launcher()
    if len(words) == 1:
        return Path(words[0]).parent
    folder = scratch / "bin"
    if not folder.exists():
        folder.mkdir()
        program = folder / "handrail"
        lines = ("import sys", f"sys.path.insert(0, {str(SOURCE.parent)!r})")
        start = ("from handrail.edge.cli.main import entry", "entry()")
        program.write_text("\n".join([f"#!{words[0]} -P", *lines, *start, ""]))
        program.chmod(0o755)
    return folder


_templates: dict[str, Path] = {}


def make_world(tmp_path: Path, templates: Path) -> World:
    """Copy a repository that was set up once; ``templates`` lives as long as this process."""
    template = _templates.get("minimal")
    if template is None:
        template = templates / "template"
        repo = Repo.create(template)
        application = Application.open(str(template), {}, terminal=False)
        initialise(application.ground, "minimal")
        repo.commit("handrail")
        _templates["minimal"] = template
    target = tmp_path / "repo"
    shutil.copytree(template, target, symlinks=True)
    return World(Repo(target), tmp_path / "scratch")

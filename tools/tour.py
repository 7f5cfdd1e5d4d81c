"""Run the tour of README.md in a scratch repository, as its readers would.

Promise: every ``console`` block of the page is typed into a real shell, line for line, and what
comes back is compared with what the page shows, once ids, times and hashes are masked. An id that
the page shows and types again later is typed as it really came. A block belongs to the terminal
that a comment before it names (``<!-- terminal: bob -->``); with ``; goes on`` its last command is
still running when the block ends, and the next block of that terminal shows the rest.

To take the outputs of the page anew from the program, from the root of the project:

    python -m tools.tour
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "README.md"
COMMAND: Final = "python -m tools.tour"
FIRST_TERMINAL: Final = "ada"
ANSWER_TIMEOUT_S: Final = 60
_END: Final = "-- the command has ended --"

_BLOCK: Final = re.compile(
    r"(?:<!-- terminal: (?P<terminal>\w+)(?P<goes_on>; goes on)? -->\n)?"
    r"```console\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_IDS: Final = (
    (r"\b[0-9a-f]{64}\b", "HASH"),
    (r"\b[0-9a-f]{40}\b", "COMMIT"),
    (r"\bs-[a-z2-9]{12}\b", "SESSION"),
    (r"\bshop-[a-z2-9]{6}\b", "WORKSPACE"),
    (r"\b[a-z2-9]{8}(?=:\d)", "EPOCH"),
)
_MASKS: Final = (
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME"),
    *_IDS,
    (r"<1s|\b\d+[dhms](?: \d+[hms])?\b", "SPAN"),
    (r"[ \t]+", " "),
)


class Step(NamedTuple):
    """One command of a block and what the page shows of its answer; "" continues the one before."""

    command: str
    answer: tuple[str, ...]


class Block(NamedTuple):
    """A console block: where it stands in the page, its terminal, its steps."""

    start: int
    end: int
    terminal: str
    goes_on: bool
    steps: tuple[Step, ...]


class Difference(NamedTuple):
    """A step that answered something else than the page shows."""

    step: Step
    answered: tuple[str, ...]


def blocks(page: str) -> Iterator[Block]:
    """Yield the console blocks of a page."""
    for found in _BLOCK.finditer(page):
        start, end = found.span("text")
        terminal = found["terminal"] or FIRST_TERMINAL
        yield Block(start, end, terminal, bool(found["goes_on"]), tuple(_steps(found["text"])))


def _steps(text: str) -> Iterator[Step]:
    command, answer = "", list[str]()
    for line in text.splitlines():
        if line.startswith("$ "):
            if command or answer:
                yield Step(command, tuple(answer))
            command, answer = line[2:], []
        else:
            answer.append(line)
    yield Step(command, tuple(answer))


def masked(line: str) -> str:
    """Return a line without what differs from run to run."""
    for pattern, word in _MASKS:
        line = re.sub(pattern, word, line)
    return line.strip()


def ids(line: str) -> list[str]:
    """List the ids in a line."""
    return re.findall("|".join(pattern for pattern, _ in _IDS), line)


class Terminal:
    """A shell that somebody types into; what commands say on stdout and stderr comes in order."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._shell.stdout is not None
        for line in self._shell.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def type(self, command: str) -> None:
        """Enter a command; its exit status stays in ``$?``."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{command}\nended=$?; echo '{_END}'; (exit $ended)\n")
        self._shell.stdin.flush()

    def answer(self, lines_max: int | None = None) -> tuple[str, ...]:
        """Return what the command says until it ends, or its next ``lines_max`` lines."""
        lines: list[str] = []
        while lines_max is None or len(lines) < lines_max:
            line = self._lines.get(timeout=ANSWER_TIMEOUT_S)
            if line is None or line == _END:
                break
            lines.append(line)
        return tuple(lines)

    def close(self) -> None:
        """End the shell and what still runs in it."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait()
        self._reader.join()
        self._shell.stdin.close()
        self._shell.stdout.close()


def take(page: str, folder: Path, environment: Mapping[str, str]) -> list[tuple[Block, list[Step]]]:
    """Take the tour in ``folder``; returns each block with the steps as they were answered."""
    terminals: dict[str, Terminal] = {}
    real: dict[str, str] = {}
    taken = []
    try:
        for block in blocks(page):
            if block.terminal not in terminals:
                terminals[block.terminal] = Terminal(folder, environment)
            terminal = terminals[block.terminal]
            answered = []
            for number, step in enumerate(block.steps, 1):
                command = step.command
                for shown in ids(command):
                    command = command.replace(shown, real.get(shown, shown))
                if command:
                    terminal.type(command)
                open_end = block.goes_on and number == len(block.steps)
                answer = terminal.answer(len(step.answer) if open_end else None)
                for line, came in zip(step.answer, answer, strict=False):
                    if masked(line) == masked(came):
                        real |= zip(ids(line), ids(came), strict=True)
                answered.append(Step(command, answer))
            taken.append((block, answered))
    finally:
        for terminal in terminals.values():
            terminal.close()
    return taken


def differences(taken: list[tuple[Block, list[Step]]]) -> list[Difference]:
    """List the steps that answered something else than the page shows."""
    return [
        Difference(step, answered.answer)
        for block, steps in taken
        for step, answered in zip(block.steps, steps, strict=True)
        if [*map(masked, step.answer)] != [*map(masked, answered.answer)]
    ]


def rewritten(page: str, taken: list[tuple[Block, list[Step]]]) -> str:
    """Return the page with the answers that were given."""
    for block, steps in reversed(taken):
        lines = []
        for step in steps:
            lines += [f"$ {step.command}"] if step.command else []
            lines += step.answer
        page = page[: block.start] + "".join(f"{line}\n" for line in lines) + page[block.end :]
    return page


def prepare(folder: Path, program: tuple[str, ...]) -> dict[str, str]:
    """Make the repository ``shop`` and put ``handrail`` on the PATH; returns the environment."""
    programs, home = folder / "bin", folder / "home"
    programs.mkdir()
    home.mkdir()
    script = programs / "handrail"
    script.write_text("#!/bin/sh\nexec " + " ".join(map(_quoted, program)) + ' "$@"\n')
    script.chmod(0o755)
    environment = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{role}_NAME": "Ada" for role in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{role}_EMAIL": "ada@example.org" for role in ("AUTHOR", "COMMITTER")},
    }
    shop = folder / "shop"
    (shop / "src" / "api").mkdir(parents=True)
    (shop / "docs").mkdir()
    (shop / "src" / "api" / "users.py").write_text("users = []\n")
    (shop / "docs" / "index.md").write_text("# Shop\n")
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", *words], cwd=shop, env=environment, check=True)
    return environment


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def main() -> int:
    """Take the tour with the program beside this interpreter; write its answers into the page."""
    program = (str(Path(sys.executable).with_name("handrail")),)
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="handrail-tour-") as name:
        folder = Path(name)
        taken = take(page, folder, prepare(folder, program))
    if not differences(taken):
        print("the tour is as the page shows it")
        return 0
    PAGE.write_text(rewritten(page, taken), encoding="utf-8", newline="\n")
    for difference in differences(taken):
        print(f"changed: $ {difference.step.command}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

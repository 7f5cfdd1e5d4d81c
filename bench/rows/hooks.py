"""The guard as a harness starts it: the hook line of the written settings, through ``/bin/sh``.

The benchmark stands where the harness stands. Its session holds one file; fifty others hold a
thousand scopes, and in a second repository a hundred thousand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from bench.ground import environment, guarded, scratch
from bench.measure import Result, Target, in_turn, median, seconds, spread
from bench.process import NOTHING, Start, run
from bench.seed import seed_leases
from handrail.wiring import Application

SIZES = (1_000, 100_000)
SIZES_QUICK = (100, 1_000)
SESSION = "bench"
HELD = "mine/held.py"
DENIED = 2
AT_ONCE: Final = Target("<=", 2.25)

READS = "git status --short && python3 -m pytest -q tests/test_held.py 2>&1 | tail -20"
WRITES = f"cd mine && sed -i 's/one/two/' held.py && cat >> ../{HELD} <<'END'\nthree\nEND"


class Hook(NamedTuple):
    """The hook line of a repository, and the surroundings that a harness gives it."""

    folder: Path
    line: str
    environment: Mapping[str, str]

    def asked(self, event: str, **fields: object) -> Start:
        """Return how the harness starts it with the payload of an event."""
        told = {
            "session_id": SESSION,
            "transcript_path": "/nowhere/transcript.jsonl",
            "cwd": str(self.folder),
            "permission_mode": "default",
            "hook_event_name": event,
            **fields,
        }
        words = ("/bin/sh", "-c", self.line)
        return Start(words, self.folder, self.environment, json.dumps(told).encode())

    def fire(self, event: str, status: int = 0, **fields: object) -> float:
        """Feed it the payload of an event; returns the processor time that it took."""
        return self.asked(event, **fields).run(status)

    def before(self, tool: str, inputs: Mapping[str, str]) -> Start:
        """Return how the harness starts it before a tool is used."""
        fields = {"tool_name": tool, "tool_input": inputs, "tool_use_id": "toolu_1"}
        return self.asked("PreToolUse", **fields)

    def editing(self, path: str) -> Start:
        """Return how the harness starts it before a file is edited."""
        inputs = {
            "file_path": str(self.folder / path),
            "old_string": "one\n",
            "new_string": "two\n",
        }
        return self.before("Edit", inputs)

    def edit(self, path: str, status: int = 0) -> float:
        """Announce an edit; returns the seconds until it is answered."""
        start = self.editing(path)
        return seconds(lambda: start.run(status))

    def bash(self, command: str) -> float:
        """Announce a shell line; returns the seconds until it is let through."""
        start = self.before("Bash", {"command": command, "description": "measured"})
        return seconds(start.run)


def guard(quick: bool) -> Sequence[Result]:
    """Let all that a hook can meet take turns with an interpreter that does nothing."""
    sizes = SIZES_QUICK if quick else SIZES
    with ExitStack() as open_things:
        few, many = (open_things.enter_context(held_in(size)) for size in sizes)
        first, other = first_edits(), _others(sizes[0])
        subjects: dict[str, Callable[[], float]] = {
            "floor": lambda: seconds(lambda: run(NOTHING, few.folder, few.environment)),
            "held, few": lambda: few.edit(HELD),
            "held, many": lambda: many.edit(HELD),
            "denied": lambda: few.edit(next(other), DENIED),
            "first": lambda: few.edit(next(first)),
            "reads": lambda: few.bash(READS),
            "writes": lambda: few.bash(WRITES),
        }
        in_turn(1, *subjects.values())
        rounds = in_turn(3 if quick else 80, *subjects.values())
    samples = dict(zip(subjects, rounds, strict=True))
    floor = samples["floor"]
    rows = (
        ("held, few", f"edit, held path, {_spaced(sizes[0])} leases", AT_ONCE),
        ("held, many", f"edit, held path, {_spaced(sizes[1])} leases", AT_ONCE),
        ("denied", "edit, denied", Target("<=", 6)),
        ("first", "first edit, claimed by the way", Target("<=", 6)),
        ("reads", "Bash, no word that writes", AT_ONCE),
        ("writes", "Bash, a held path by the grammar", Target("<=", 7)),
    )
    return [
        Result(
            "guard",
            f"guard: {what}",
            median(samples[name]) * 1000,
            "ms",
            median(floor) * 1000,
            "python3 -I -S -c pass",
            target,
            {
                "hook_ms": spread(samples[name], 1000),
                "floor_ms": spread(floor, 1000),
                "ratio_of_the_least": min(samples[name]) / min(floor),
            },
        )
        for name, what, target in rows
    ]


@contextmanager
def held_in(leases: int) -> Iterator[Hook]:
    """Give the hook of a repository with so many leases, and one file of the session's own."""
    with scratch() as folder:
        yield hooked(folder, leases)


def hooked(folder: Path, leases: int) -> Hook:
    """Make such a repository in a folder."""
    guarded(folder)
    application = Application.open(str(folder), environment(), terminal=False)
    seed_leases(application, leases)
    application.close()
    (folder / "mine").mkdir()
    (folder / HELD).write_text("one\n")
    settings = json.loads((folder / ".claude" / "settings.json").read_text())
    line = settings["hooks"]["PreToolUse"][0]["hooks"][0]["command"]
    around = {**environment(), "CLAUDECODE": "1", "CLAUDE_PROJECT_DIR": str(folder)}
    hook = Hook(folder, line, around)
    hook.fire("SessionStart", source="startup")
    hook.edit(HELD)
    return hook


def first_edits() -> Iterator[str]:
    """Name files that nobody holds, each once."""
    number = 0
    while True:
        number += 1
        yield f"mine/part-{number % 7}/new-{number}.py"


def _others(leases: int) -> Iterator[str]:
    """Name files that somebody else holds."""
    number = 0
    while True:
        number = (number + 7919) % leases
        yield f"src/area-{number // 10}/part-{number}/deep/file.py"


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")

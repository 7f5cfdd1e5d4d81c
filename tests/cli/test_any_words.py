"""Every command, with every argument and option of it set to every kind of nonsense.

What may come of it: it is done, or it is refused in one sentence with a next command. Never a bug,
a traceback, a hang, or a byte that moves somebody's cursor. Each line is a process of its own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

import pytest

from handrail.edge.cli.nouns import COMMANDS
from handrail.edge.cli.spec import COMMON, Command
from tests.cli.world import World, refusal, refusal_in_json, unharmed
from tests.support import Result

LONG: Final = "x" * 4_000
WORDS: Final = (
    *("", " ", "-", "--", "-1", "0", "1s", "9" * 40, "1e9h", ".", "/", "../..", "~", "HEAD", "[["),
    *("a\nb", "a\rb", "\t", "\x1b[31mred", "\x85", "\u202e", "a\udcff\udcfeb", "é", "\u0130"),
    *("a\"b'c", "$(touch pwned)", "`touch pwned`", "; touch pwned", "%s{0}{x}", "{a}", "*" * 50),
    *(LONG, "/".join(["x" * 9] * 400), "x:1", "x:1:" + "0" * 64, "**", "!a", "a\\b", "a\u0301"),
)
# What a command needs so that the word under test is reached at all.
ORDINARY: Final = {
    "stage": "commit",
    "scope": "src",
    "target": "src",
    "command": "true",
    "role": "worker",
    "range": "HEAD",
    "file": "nothing-there",
    "seq": "4",
    "shell": "bash",
    "task": "fix-login",
    "files": "GUIDE.md",
    "gate": "pushed",
    "number": "41",
    "checkpoint": "plan_check",
}
NO_TEXT: Final = {"ledger export", "config schema", "completion"}
"""Write bytes or a program, whatever is asked."""
LEFT_OUT: Final = {"demo", "uninstall", "hook"}
SAMPLE: Final = 3
HANG_S: Final = 30


def lines_of(command: Command, word: str) -> Iterator[list[str]]:
    """Put a word into each place of a command that takes one."""
    path = command.path.split()
    needed = [ORDINARY[argument.name] for argument in command.arguments if argument.required]
    first = ["-q", "--claim", "src"] if command.path == "run" else ["-q"]
    for _ in command.arguments:
        yield [*path, *first, "--", word]
    for option in (*command.options, *COMMON):
        if option.kind == "flag":
            continue
        flag = option.flags[-1]
        given = [f"{flag}={word}"] if flag.startswith("--") else [flag, word]
        yield [*path, *([] if option.name == "claim" else first), *given, "--", *needed]


LISTS: Final = {"check", "config validate", "doctor", "store verify", "verify"}


def check(command: Command, done: Result) -> None:
    """Done, or refused as everything is refused."""
    told = done.out + done.err
    assert done.code in (0, 1, 2, 3), done
    assert "Traceback" not in told, done
    assert "Exception ignored" not in told, done
    as_json = "--json" in done.argv
    if as_json:
        assert done.out.isascii(), done
    elif command.path not in NO_TEXT or told.startswith("wrote "):
        assert all(line.isprintable() for line in told.split("\n")), done
    lists_problems = command.path in LISTS
    if done.code != 0 and not (lists_problems and "error" not in told[:10]):
        said = (refusal_in_json if as_json else refusal)(done)
        assert said.code not in ("bug", "error", "malformed"), done


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "sample", [SAMPLE, pytest.param(len(WORDS), marks=pytest.mark.nightly)], ids=["some", "all"]
)
@pytest.mark.sampled(12)
@pytest.mark.parametrize(
    "path", [command.path for command in COMMANDS if command.path not in LEFT_OUT]
)
def test_a_command_takes_any_word_or_says_why_not(world: World, path: str, sample: int) -> None:
    command = next(command for command in COMMANDS if command.path == path)
    person = world.person()
    chance = random.Random(path)
    slots = len(list(lines_of(command, "")))
    chosen = [["\x1b[31mred", *chance.sample(WORDS, sample)] for _ in range(slots)]
    with unharmed(world.store):
        for slot in range(slots):
            for number, word in enumerate(chosen[slot]):
                argv = list(lines_of(command, word))[slot]
                if number % 2 and path not in NO_TEXT:
                    argv[1:1] = [] if path.count(" ") else ["--json"]
                check(command, person.handrail(*argv, timeout_s=HANG_S))
    assert not list(world.path.rglob("pwned"))
    assert person.handrail("status").code == 0


USAGE: Final = (
    *("nonsense", "--nonsense", "claim", "claim --nonsense", "claim src --ttl", "why", "why a b"),
    *(
        "status extra",
        "session nonsense",
        "session role",
        "log -n",
        "log -n x",
        "log -n 0",
        "log x",
    ),
    *("run --claim x", "run -- true", "completion", "completion tcsh", "attest", "attest a b"),
    *("init --preset nonsense", "ledger nonsense", "ledger redact", "-C"),
    *("config nonsense", "-C /nonexistent status", "-C README.md status", "release", "store what"),
)


def test_wrong_arguments_are_one_object_for_programs(world: World) -> None:
    person = world.person()
    with unharmed(world.store):
        for line in USAGE:
            words = line.split()
            words = ["--json", *words] if "run" not in words else ["run", "--json", *words[1:]]
            said = refusal_in_json(person.handrail(*words))
            assert (said.code, said.status) == ("usage", 2), line


@pytest.mark.parametrize("duration", ["-1", "-x", "--", "-5m", "soon", "1e3s"])
def test_a_wait_that_is_no_duration_is_not_a_wait_for_ever(world: World, duration: str) -> None:
    world.claim(world.session(), "held")
    person = world.person()
    for argv in (
        ("claim", "held", f"--wait={duration}"),
        ("run", "--claim", "held", f"--wait={duration}", "--", "true"),
    ):
        said = refusal(person.handrail(*argv, timeout_s=20))
        assert (said.code, said.status) == ("malformed_ttl", 2)

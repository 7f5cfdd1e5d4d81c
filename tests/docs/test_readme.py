"""The README says first what counts, and its tour is what really happens."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from handrail import errors
from tests.support import ROOT, SOURCE, launcher
from tools import tour

README: Final = ROOT / "README.md"
FIRST_SCREEN: Final = 45


def first_screen() -> str:
    """Return what one sees without scrolling, as one line."""
    lines = README.read_text(encoding="utf-8").splitlines()[:FIRST_SCREEN]
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize(
    "words",
    [
        # what it does
        "an edit of what somebody else holds is refused before it happens",
        # what it does not promise
        "A hook before an edit is early advice",
        "any local hook can be switched off",
        "The check that counts runs where the agent has no say",
        "`pre-receive`",
        "required check in CI",
        "stale, confused and careless agents, not a hostile process with the same user id",
        "neither is on by itself",
        # how to install it
        "python3 -m venv",
        "pip install .",
        "pipx install .",
        "pip install git+<address of this repository>",
        # the two commands
        "make demo",
        "make test",
    ],
)
def test_the_first_screen_says(words: str) -> None:
    assert words in first_screen()


def test_every_exit_status_is_explained() -> None:
    text = README.read_text(encoding="utf-8")
    statuses = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert {status for status in statuses if f"| {status} |" not in text} == set()


def test_the_tour_is_what_a_reader_sees(tmp_path: Path) -> None:
    program = launcher()
    environment = tour.prepare(tmp_path, program)
    if len(program) > 1:
        environment["PYTHONPATH"] = str(SOURCE.parent)
    taken = tour.take(README.read_text(encoding="utf-8"), tmp_path, environment)
    assert len(taken) > 5
    told = [
        f"$ {step.command}\n  the page shows: {step.answer}\n  what came was:  {answered}"
        for step, answered in tour.differences(taken)
    ]
    assert told == [], f"to take the outputs anew, run: {tour.COMMAND}\n" + "\n".join(told)


def test_a_block_is_read_with_its_terminal_and_its_steps() -> None:
    page = "<!-- terminal: bob; goes on -->\n```console\n$ one\nanswer\n$ two\n```\n"
    (block,) = tour.blocks(page)
    assert (block.terminal, block.goes_on) == ("bob", True)
    assert block.steps == (tour.Step("one", ("answer",)), tour.Step("two", ()))


def test_what_differs_from_run_to_run_is_masked_and_nothing_else() -> None:
    line = "granted 7xk2mq4d:4  src  (until 2026-11-21T09:30:00.000Z; 30s before)"
    assert tour.masked(line) == "granted EPOCH:4 src (until TIME; SPAN before)"
    assert tour.masked("granted src/api for s-1 at 7") == "granted src/api for s-1 at 7"

"""What a line writes, by a table, and with input that means no good."""

from __future__ import annotations

import doctest
import importlib
import random
import time
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.edge.shell.grammar import written
from handrail.edge.shell.state import State
from handrail.edge.shell.writes import Writes, plain
from tests.shell.lines import CLEARED, HOME, QUIET, READ, RUN, ground

MODULES: Final = (
    *("braces", "call", "commands.patches", "folders", "grammar", "heredocs", "parameters"),
    *("scan", "state", "tree", "words", "writes"),
)
GIVEN: Final = {"GIVEN": "given.txt"}
SECONDS_MAX: Final = 5  # of this process; the line itself is given half of one


def told(line: str, folder: Path) -> set[str]:
    """Give what ``line`` writes in ``folder``, spelt as in the tables."""
    return spelt(written(line, str(folder), HOME, GIVEN))


def spelt(writes: Writes) -> set[str]:
    """Spell targets as in the tables, with whole paths."""
    return {target.path + ("/**" if target.below else "") for target in writes.targets}


def whole(paths: tuple[str, ...], folder: Path) -> set[str]:
    """Give the whole path of each."""
    return {plain(path if path[0] == "/" else f"{folder}/{path}") for path in paths}


@pytest.mark.parametrize(("line", "paths"), RUN)
def test_a_line_that_writes_is_told_with_its_paths(
    line: str, paths: tuple[str, ...], tmp_path: Path
) -> None:
    ground(tmp_path)
    writes = written(line, str(tmp_path), HOME, GIVEN)
    assert (spelt(writes), writes.undecided) == (whole(paths, tmp_path), 0)


@pytest.mark.parametrize(("line", "paths", "undecided"), READ)
def test_a_line_is_told_with_its_paths_and_what_is_undecided(
    line: str, paths: tuple[str, ...], undecided: int, tmp_path: Path
) -> None:
    ground(tmp_path)
    writes = written(line, str(tmp_path), HOME, GIVEN)
    assert (spelt(writes), writes.undecided) == (whole(paths, tmp_path), undecided)


@pytest.mark.parametrize("line", [*QUIET, *CLEARED])
def test_a_line_that_reads_or_builds_writes_nothing(line: str, tmp_path: Path) -> None:
    ground(tmp_path)
    assert told(line, tmp_path) == set()


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_the_docstrings_hold(module: str) -> None:
    loaded = importlib.import_module(f"handrail.edge.shell.{module}")
    done = doctest.testmod(loaded, extraglobs={"State": State})
    assert (done.failed, done.attempted > 0) == (0, True)


DEEP: Final = 50_000
HOSTILE: Final = {
    "a megabyte of words": "rm " + "a " * 500_000,
    "a megabyte in one word": "rm " + "a" * 1_000_000,
    "two megabytes": "rm " + "a " * 1_000_000,
    "a megabyte of commands": "echo a > b; " * 90_000,
    "a megabyte of substitutions": "rm $(x) " * 120_000,
    "deep brackets": "(" * DEEP + "rm a" + ")" * DEEP,
    "deep substitutions": "$(" * DEEP + "rm a" + ")" * DEEP,
    "deep defaults": "rm " + "${a:-" * DEEP + "}" * DEEP,
    "deep ifs": "if " * DEEP,
    "deep functions": "f(){ " * 5_000,
    "braces": "rm " + "{a,b}" * 200,
    "nested braces": "rm " + "{a," * 5_000 + "}" * 5_000,
    "long sequence": "rm {1..999999999}",
    "open quotes": "\"'`$(" * DEEP,
    "only signs": ">|;&<()" * DEEP,
    "here-documents": "<<A " * DEEP,
    "here-documents that end": "cat <<A\nA\n" * 20_000,
    "here-document without end": "cat > f <<A\n" + "x\n" * 400_000,
    "stars": "rm " + "*a" * 2_000,
    "loops in loops": "for i in {1..200}; do " * 8 + "rm $i; " + "done; " * 8,
    "a function that calls itself": "f() { f; f; f; rm a; }; f",
    "functions that call each other": "f() { g; g; }; g() { f; f; }; f; rm a",
    "eval in eval": "eval eval eval eval " * 2_000 + "rm a",
    "growing": "x=aaaaaaaaaa; " + "x=$x$x$x$x; " * 40 + "rm $x",
    "nul": "r\0m a\0.txt",
    "surrogates": "rm \udcff\udcfe \ud800",
    "signs of all kinds": "rm é ∞ 𝒳 \u2028 \x0b \x7f",
    "python in depth": "python3 -c '" + "(" * 5_000 + "'",
    "python in length": "python3 -c 'x=" + "1+" * 40_000 + "1'",
    "find everything": "find / -name '*.never' -delete",
    "wide cut": "x=" + "a" * 100_000 + "; rm ${x##*b*c*d}",
    "alternation": "a && " * 20_000 + "rm b",
    "pipes": "a | " * 20_000 + "rm b",
    "xargs of xargs": "xargs " * 5_000 + "rm",
    "git within git": "git -c alias.a='!git -c alias.a=!rm a' a",
    "patterns": "sed -i '" + "w" * 50_000 + "' f",
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_hostile_lines_end_soon_and_never_raise(line: str, tmp_path: Path) -> None:
    start = time.process_time()
    written(line, str(tmp_path), HOME, {})
    assert time.process_time() - start < SECONDS_MAX


def test_what_is_plain_is_told_though_the_rest_makes_no_sense(tmp_path: Path) -> None:
    writes = written("rm a.txt; ) fi ;; done\nrm b.txt", str(tmp_path), HOME, {})
    assert whole(("a.txt", "b.txt"), tmp_path) <= spelt(writes)
    assert writes.undecided > 0


def test_what_is_given_up_is_counted(tmp_path: Path) -> None:
    assert written("rm " + "a" * 2_000_000, str(tmp_path), HOME, {}).undecided == 1
    assert written("echo a > b; " * 90_000, str(tmp_path), HOME, {}).undecided > 0


def test_bytes_that_are_no_text_stay_what_they_are(tmp_path: Path) -> None:
    writes = written("rm caf\udce9 é", str(tmp_path), HOME, {})
    assert spelt(writes) == whole(("caf\udce9", "é"), tmp_path)


PIECES: Final = (
    *("rm", "mv", ">", ">>", "<", "<<", "<<EOF", "\nEOF\n", "'", '"', "`", "$(", "${", ")", "}"),
    *(
        "{",
        "(",
        ";",
        "&",
        "&&",
        "||",
        "|",
        "\\",
        "\n",
        "if",
        "then",
        "fi",
        "for",
        "in",
        "do",
        "done",
    ),
    *("while", "case", "esac", "$x", "${x%y}", "*", "?", "[a]", "{a,b}", "~", "a.txt", "src/"),
    *("-r", "-i", "--", "=", "x=", "python3", "-c", "sed", "find", "-exec", "+", "xargs", "cd"),
    *("eval", "bash", "<(", ">(", "<<<", "#", "!", "[[", "]]", "((", "))", "function", "f()"),
    *("\0", "\udcff", "é", " "),
)


@settings(max_examples=150)
@given(st.lists(st.sampled_from(PIECES), max_size=25), st.sampled_from(("", " ")))
def test_no_line_raises(pieces: list[str], between: str) -> None:
    written(between.join(pieces), "/nowhere/at/all", HOME, {"x": "y"})


@settings(max_examples=100)
@given(st.text(max_size=80))
def test_no_text_raises(text: str) -> None:
    written(text, "/nowhere/at/all", HOME, {})


def test_any_cut_of_a_line_is_read(tmp_path: Path) -> None:
    for seed in range(60):
        rng = random.Random(seed)
        line = rng.choice(RUN)[0]
        written(line[: rng.randrange(len(line) + 1)], str(tmp_path), HOME, {})

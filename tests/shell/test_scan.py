"""The quick scan: what it lets pass, and that it lets nothing pass that writes."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.edge.shell import scan
from handrail.edge.shell.commands import COMMANDS
from handrail.edge.shell.commands.git import NOTHING
from handrail.edge.shell.grammar import written
from handrail.edge.shell.scan import may_write
from tests.shell.lines import HOME, QUIET, READ, RUN
from tests.shell.test_grammar import HOSTILE, PIECES
from tests.support import SOURCE

# Commands of the tables that print, fill variables or change the folder, and write nothing.
HARMLESS: Final = frozenset(
    {
        *("echo", "printf", "cat", "mkdir", "cd", "pushd", "popd", "read", "mapfile"),
        *("readarray", "getopts", "let", "source", "."),
    }
)


@pytest.mark.parametrize("line", QUIET)
def test_what_reads_or_builds_passes(line: str) -> None:
    assert not may_write(line)


@pytest.mark.parametrize("line", [line for line, paths in RUN if paths])
def test_what_writes_goes_to_the_grammar(line: str) -> None:
    assert may_write(line)


@pytest.mark.parametrize("line", [line for line, paths, undecided in READ if paths or undecided])
def test_what_may_write_goes_to_the_grammar(line: str) -> None:
    assert may_write(line)


@pytest.mark.parametrize(
    "line",
    [
        *("r\\m a", "'rm' a", 'r""m a', "$'\\x72m' a", "\\rm a", "/bin/rm a", "env X=1 rm a"),
        *("command rm a", "X=rm; $X a", "X=r Y=m; $X$Y a", "r$(true)m a", "`echo rm` a"),
        *("r[m] a", "{rm,a}", "r{m,} a", "/bin/r? a", "xargs $X", "sudo $X a", '"$X" a'),
        *('A="b c" $X a', "if $X; then :; fi", "! $X a", "(rm a)", "a&rm b", "a\nrm b"),
        *("ls # a\\\nrm b", "r\\\nm a", "echo >a", "echo >>a", "echo >|a", "echo >&a", "echo &>a"),
        *("echo <>a", "echo >/dev/nullx", "echo >/dev/null/../../a", "echo 2>&1a", "echo >\\\na"),
        *("sed -ni p a", "sed --in-place p a", "sed -n '1w b' a", "sed $O p a -$Y", "gsed -i p a"),
        *(
            "git -C a/b restore c",
            "git co c",
            "git $X",
            "git --git-dir=x rm a",
            "git.exe; git rm b",
        ),
        *("find . -delete", "sort -uo a a", "python3.12 -c 'open(1)'", "bash -c x", "bash; ls"),
        *("echo x | sh", "sh <a", "python <<A\nopen(1)\nA", "perl -pi -e x a", "ruby -i -pe x a"),
    ],
)
def test_nothing_hides_a_command_that_can_write(line: str) -> None:
    assert may_write(line)


def test_each_command_of_the_tables_is_known_to_the_scan() -> None:
    known = scan.WRITES | scan.RUNS | scan.CAREFUL | HARMLESS
    assert COMMANDS.keys() - known == set()


def test_what_the_scan_takes_for_reading_git_is_nothing_to_the_grammar_either() -> None:
    assert scan.GIT_READS - {*NOTHING, "diff", "log", "show"} == set()


FRAGMENTS: Final = (
    *PIECES,
    *(piece for line, _ in RUN for piece in line.split(" ")),
    *(piece for line, _, _ in READ for piece in line.split(" ")),
    *(line for line, _ in RUN),
    *QUIET,
)


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=8),
    st.sampled_from((" ", " ", "", "; ", "\n", " | ", "\\\n")),
)
def test_the_scan_never_passes_what_the_grammar_sees_written(
    pieces: list[str], between: str
) -> None:
    line = between.join(pieces)
    if not may_write(line):
        assert written(line, "/nowhere/at/all", HOME, {}).targets == ()


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_hostile_lines_are_scanned_soon(line: str) -> None:
    start = time.monotonic()
    may_write(line)
    assert time.monotonic() - start < 3


def test_the_scan_imports_nothing() -> None:
    program = (
        "import sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]); "
        "from handrail.edge.shell.scan import may_write; print(*set(sys.modules) - before)"
    )
    command = [sys.executable, "-I", "-S", "-c", program, str(SOURCE.parent)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert {name for name in done.stdout.split() if not name.startswith("handrail")} == set()

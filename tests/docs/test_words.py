"""Everything that a user can meet is in the documents, and they name nothing that is not there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from handrail import errors
from handrail.config import json_schema
from handrail.core.events import KINDS
from handrail.edge.cli.nouns import COMMANDS
from handrail.edge.cli.spec import COMMON, Command
from tests.support import ROOT, SOURCE
from tools.docs import leaves

DOCS: Final = ROOT / "docs"
BLOCK: Final = re.compile(r"^```(?:sh|console|)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN: Final = re.compile(r"`([^`]+)`")
# Words that stand for something in an example.
PLACES: Final = frozenset({"COMMAND"})
# Commands of features still to come, which settings that are accepted already speak of.
TO_COME: Final = frozenset({"enroll"})


def pages() -> list[Path]:
    """List the documents that speak of this release: all but the road map and the changes."""
    at_root = [ROOT / name for name in ("README.md", "AGENTS.md", "CONTRIBUTING.md")]
    return [*at_root, *sorted(DOCS.rglob("*.md"))]


def text_of(name: str) -> str:
    """Read a page of docs."""
    return (DOCS / name).read_text(encoding="utf-8")


def mentions(page: Path, word: str) -> Iterator[list[str]]:
    """Yield each line of code that begins with ``word``, as a shell would split it."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    spans = SPAN.findall(re.sub(r"\s+", " ", BLOCK.sub("", text)))
    for line in (*lines, *spans):
        code = line.removeprefix("$ ").strip()
        if code.startswith(word + " ") and "…" not in code.split(word)[0]:
            yield split(code)


def split(code: str) -> list[str]:
    """Split a line into words up to its comment or the end of the command."""
    try:
        words = shlex.split(code, comments=True)
    except ValueError:
        words = code.split()
    ends = [words.index(end) for end in ("--", "&&", "||", ";", "|", ">") if end in words]
    return words[: min(ends, default=len(words))]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.path)
def test_every_command_and_option_is_in_the_reference(command: Command) -> None:
    reference = text_of("commands.md")
    assert f"`handrail {command.path}`" in reference
    for option in (*command.options, *COMMON):
        assert all(flag in reference for flag in option.flags)


@pytest.mark.parametrize("code", sorted({e.code for e in leaves(errors.HandrailError)}))
def test_every_code_is_in_the_list_of_errors(code: str) -> None:
    groups = {errors.Refused.code, errors.Malformed.code, errors.Unavailable.code}
    assert code in groups or f"`{code}`" in text_of("errors.md")


def keys(schema: Any) -> Iterator[str]:
    """Yield every key that a JSON Schema names."""
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict):
            yield from properties
        for part in schema.values():
            yield from keys(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from keys(part)


@pytest.mark.parametrize("key", sorted(set(keys(json_schema()))))
def test_every_setting_is_in_the_reference_of_the_configuration(key: str) -> None:
    assert re.search(
        rf"`\[*{re.escape(key)}\]*`|\b{re.escape(key)} = ", text_of("configuration.md")
    )


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_entry_is_on_the_page_of_the_ledger(kind: str) -> None:
    assert f"`{kind}`" in text_of("ledger.md")


def test_every_variable_that_is_read_is_documented() -> None:
    read = {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r'"((?:HANDRAIL|AGENT)_[A-Z_]+)"', path.read_text(encoding="utf-8"))
    }
    assert {name for name in read if f"`{name}`" not in text_of("concepts.md")} == set()


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_handrail_command_that_a_page_shows_exists(page: Path) -> None:
    paths = {tuple(command.path.split()): command for command in COMMANDS}
    nouns = {path[0] for path in paths if len(path) > 1}
    wrong = []
    for words in mentions(page, "handrail"):
        rest = words[1:]
        path = next((p for p in (tuple(rest[:2]), tuple(rest[:1])) if p in paths), None)
        if path is None:
            known = rest[0].startswith("-") or rest[0] in PLACES | TO_COME | nouns
            wrong += [] if known else [words]
            continue
        options = (*paths[path].options, *COMMON)
        flags = {flag for option in options for flag in option.flags} | {"--help", "-h"}
        used = {word.partition("=")[0] for word in rest if word.startswith("-")}
        wrong += [words] if used - flags else []
    assert wrong == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_make_command_that_a_page_shows_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    used = {
        word
        for words in mentions(page, "make")
        for word in words[1:2]
        if "=" not in word and word.islower()
    }
    assert used <= targets


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_page_says_that_handrail_can_be_had_by_name(page: Path) -> None:
    text = re.sub(r"\s+", " ", page.read_text(encoding="utf-8")).lower()
    for tool in ("pip install", "pipx install", "uv tool install", "uv pip install", "uvx"):
        assert f"{tool} handrail" not in text
        assert f"{tool} --upgrade handrail" not in text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("handrail claim 'a b' --wait # why", ["handrail", "claim", "a b", "--wait"]),
        ("handrail run --claim x -- make test", ["handrail", "run", "--claim", "x"]),
        ("handrail init && handrail status", ["handrail", "init"]),
    ],
)
def test_a_line_of_code_is_split_like_a_shell_does(code: str, words: list[str]) -> None:
    assert split(code) == words

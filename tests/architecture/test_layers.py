"""What import-linter cannot say about the layers: read from the syntax trees of ``src``.

Who imports whom is in pyproject.toml, under ``tool.importlinter``. Here is what each layer must not
*do*, how large a module and a function may grow, and that both know every module there is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support import SOURCE

LINES_OF_A_MODULE_MAX: Final = 450
LINES_OF_A_FUNCTION_MAX: Final = 80

# What stands directly in src/handrail. Whatever is new has to be placed in a layer first.
KNOWN: Final = frozenset(
    {
        *("__init__", "__main__", "config", "core", "edge", "errors", "facts", "gates"),
        *("jsontext", "presets", "projections", "service", "store", "text", "typed", "wiring"),
    }
)
PURE: Final = ("core", "errors", "text", "jsontext", "typed")
# Standard library modules that hold values and arithmetic, and nothing of the world outside.
VALUES: Final = frozenset(
    {
        *("__future__", "abc", "base64", "binascii", "bisect", "collections", "contextlib"),
        *("copy", "dataclasses", "decimal", "difflib", "enum", "fractions", "functools"),
        *(
            "_json",
            "_sha2",
            "_sha256",
            "hashlib",
            "heapq",
            "hmac",
            "itertools",
            "json",
            "keyword",
            "math",
            "numbers",
        ),
        *("operator", "re", "string", "struct", "textwrap", "types", "typing", "unicodedata"),
    }
)
# gmtime and strftime are arithmetic on an instant that somebody else read from a clock.
EXCUSED: Final = frozenset({("text", "time")})

# Time is an argument: these layers are told what time it is.
CLOCKLESS: Final = (*PURE, "config", "gates", "projections", "service", "store.port")
CLOCKS: Final = frozenset(
    {
        *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns"),
        *("time.perf_counter", "time.perf_counter_ns", "time.clock_gettime", "time.sleep"),
        *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
        *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.date.today"),
    }
)

# Programs are started by facts; and by the two commands whose business it is.
STARTERS: Final = ("facts", "edge.demo", "edge.cli.demo", "edge.cli.commands.run")
START: Final = frozenset(
    {
        *("os.system", "os.popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.posix_spawnp"),
        *("os.spawnl", "os.spawnle", "os.spawnlp", "os.spawnv", "os.spawnve", "os.spawnvp"),
        *("asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
    }
)
START_MODULES: Final = frozenset({"subprocess", "multiprocessing", "pty"})


class Module:
    """One module of ``src``: its name below ``handrail``, its text and its syntax tree."""

    def __init__(self, path: Path) -> None:
        below = path.relative_to(SOURCE).with_suffix("")
        parts = below.parts[:-1] if below.name == "__init__" and below.parts[:-1] else below.parts
        self.name = ".".join(parts)
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text, str(path))

    def is_in(self, *layers: str) -> bool:
        """Say whether this module is one of ``layers`` or stands below one."""
        return any(self.name == layer or self.name.startswith(layer + ".") for layer in layers)

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield line and dotted name of whatever is imported, at whatever depth."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node.lineno, alias.name
            elif isinstance(node, ast.ImportFrom):
                yield node.lineno, "." * node.level + (node.module or "")

    def names(self) -> Iterator[tuple[int, str]]:
        """Yield line and dotted name of what is used, aliases undone: ``t.x`` is ``time.x``."""
        spelt: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                spelt.update({alias.asname: alias.name for alias in node.names if alias.asname})
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    spelt[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute | ast.Name):
                head, *rest = _dotted(node)
                yield node.lineno, ".".join((spelt.get(head, head), *rest))


def _dotted(node: ast.expr) -> list[str]:
    """Return the names of a dotted name; what is no name at its head is ''."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id if isinstance(node, ast.Name) else "", *reversed(names)]


@cache
def modules() -> tuple[Module, ...]:
    """Read every module of the package, once; scripts for other people's repositories are data."""
    scripts = SOURCE / "presets"
    paths = [path for path in sorted(SOURCE.rglob("*.py")) if path.parent.parent != scripts]
    return tuple(Module(path) for path in paths)


def found(offences: Iterator[tuple[Module, int, str]]) -> list[str]:
    """Write offences as lines that an editor can jump to."""
    return [f"handrail.{module.name}:{line}: {what}" for module, line, what in offences]


def test_every_module_stands_in_a_known_layer() -> None:
    assert {module.name.split(".")[0] for module in modules()} <= KNOWN


def test_every_module_begins_with_a_docstring() -> None:
    assert [module.name for module in modules() if not ast.get_docstring(module.tree)] == []


def test_no_module_grows_past_its_limit() -> None:
    sizes = {module.name: len(module.text.splitlines()) for module in modules()}
    assert {name: size for name, size in sizes.items() if size > LINES_OF_A_MODULE_MAX} == {}


def test_no_function_grows_past_its_limit() -> None:
    def offences() -> Iterator[tuple[Module, int, str]]:
        for module in modules():
            for node in ast.walk(module.tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    size = (node.end_lineno or node.lineno) - node.lineno + 1
                    if size > LINES_OF_A_FUNCTION_MAX:
                        yield module, node.lineno, f"{node.name}: {size} lines"

    assert found(offences()) == []


def test_pure_modules_import_values_only() -> None:
    def offences() -> Iterator[tuple[Module, int, str]]:
        for module in modules():
            for line, name in module.imports() if module.is_in(*PURE) else ():
                top = name.split(".")[0]
                if top not in VALUES | {"handrail"} and (module.name, name) not in EXCUSED:
                    yield module, line, name

    assert found(offences()) == []


def test_layers_that_are_told_the_time_read_no_clock() -> None:
    def offences() -> Iterator[tuple[Module, int, str]]:
        for module in modules():
            for line, name in module.names() if module.is_in(*CLOCKLESS) else ():
                if name in CLOCKS:
                    yield module, line, name

    assert found(offences()) == []


def test_nothing_below_the_edge_prints() -> None:
    def offences() -> Iterator[tuple[Module, int, str]]:
        for module in modules():
            for line, name in () if module.is_in("edge") else module.names():
                if name in {"print", "sys.stdout", "sys.stderr", "sys.__stdout__", "input"}:
                    yield module, line, name

    assert found(offences()) == []


def test_only_facts_and_the_commands_that_run_programs_start_processes() -> None:
    def offences() -> Iterator[tuple[Module, int, str]]:
        for module in modules():
            if module.is_in(*STARTERS):
                continue
            for line, name in module.imports():
                if name.split(".")[0] in START_MODULES:
                    yield module, line, name
            for line, name in module.names():
                if name in START:
                    yield module, line, name

    assert found(offences()) == []


def test_no_process_is_started_through_a_shell() -> None:
    def offences() -> Iterator[tuple[Module, int, str]]:
        for module in modules():
            for node in ast.walk(module.tree):
                if not isinstance(node, ast.Call):
                    continue
                for keyword in node.keywords:
                    off = isinstance(keyword.value, ast.Constant) and not keyword.value.value
                    if keyword.arg == "shell" and not off:
                        yield module, node.lineno, "shell="

    assert found(offences()) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import time as t\nt.time()", "time.time"),
        ("from time import monotonic as m\nm()", "time.monotonic"),
        ("import datetime\ndatetime.datetime.now()", "datetime.datetime.now"),
        ("from datetime import datetime\ndatetime.now()", "datetime.datetime.now"),
    ],
)
def test_a_clock_is_recognised_under_another_name(source: str, expected: str) -> None:
    module = Module(SOURCE / "__init__.py")
    module.tree = ast.parse(source)
    assert expected in {name for _, name in module.names()}


def test_what_an_object_has_to_have_is_said_with_the_one_protocol() -> None:
    """A class below both that of ``typing`` and our stand-in cannot be made."""
    wrong = [
        path.relative_to(SOURCE).as_posix()
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "typing"
        if any(name.name == "Protocol" for name in node.names) and path.name != "typed.py"
    ]
    assert wrong == []

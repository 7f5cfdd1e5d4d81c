"""What surrounds every test: an empty home, a clean environment, no network, nothing skipped in CI.

A test that needs the machine for itself is marked ``serial``. Time zone and locale differ from test
to test, by the test's name, so that they are the same whenever that test runs again.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest
from hypothesis.database import DirectoryBasedExampleDatabase

from tests import postgres
from tests.support import ROOT, Handrail, Machine, Repo, forbid_network

# Set by a shell, a harness, a git hook or a CI runner around the tests; none may reach a test.
FOREIGN: Final = (
    *("AGENT_", "HANDRAIL_", "GIT_", "PYTHON", "XDG_", "LC_", "SSH_"),
    *("CLAUDE", "CODEX", "COPILOT", "CURSOR", "GEMINI", "GITHUB_", "GITLAB_", "OPENCODE"),
)
FOREIGN_NAMES: Final = (
    *("CI", "COLUMNS", "EDITOR", "FORCE_COLOR", "LANGUAGE", "LINES", "NO_COLOR", "PAGER", "TERM"),
    "VISUAL",
)
ZONES: Final = ("UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati")
LOCALES: Final = ("C.UTF-8", "C", "tr_TR.UTF-8")
PERSON: Final = {"NAME": "Ada Test", "EMAIL": "ada@example.org"}

IN_CI: Final = os.environ.get("CI") == "true"
MACHINE: Final = pytest.StashKey[Path]()
DESELECTED: Final = pytest.StashKey[int]()
EXAMPLES: Final = {"default": 100, "ci": 25, "nightly": 5_000}


# ------------------------------------------------------------------------------------ Hypothesis

for profile, examples in EXAMPLES.items():
    hypothesis.settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,  # two busy cores: a slow example says nothing about the code
        print_blob=True,
        database=DirectoryBasedExampleDatabase(ROOT / ".hypothesis" / "examples"),
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if IN_CI else "default")
)


# ---------------------------------------------------------------------- one machine, many workers


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backwards", action="store_true", help="take the tests in the opposite order"
    )
    parser.addoption("--part", default="1/1", help="run the N-th of M parts of the files, as N/M")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave files to another part: what is not even imported costs none of the workers anything."""
    number, parts = map(int, config.getoption("--part").split("/"))
    assert 1 <= number <= parts, "a part is written N/M"
    if parts == 1 or not collection_path.name.startswith("test_"):
        return None
    place = collection_path.relative_to(ROOT).as_posix()
    return True if zlib.crc32(place.encode()) % parts != number - 1 else None


@pytest.hookimpl(tryfirst=True, specname="pytest_collection_modifyitems")
def pytest_leave_most_of_a_sample_to_the_night(items: list[pytest.Item]) -> None:
    """Of tests that are marked ``sampled(n)``, always the same n-th part runs by day."""
    for item in items:
        mark = item.get_closest_marker("sampled")
        if mark is not None and zlib.crc32(item.nodeid.encode()) // 2 % mark.args[0]:
            item.add_marker(pytest.mark.nightly)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--backwards"):
        items.reverse()
    items.sort(key=lambda item: item.get_closest_marker("serial") is not None)


def pytest_configure(config: pytest.Config) -> None:
    forbid_network()
    # A shell starts background jobs deaf to Ctrl-C, and they would hand that on to every command.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if not hasattr(config, "workerinput"):
        config.stash[MACHINE] = Path(tempfile.mkdtemp(prefix="handrail-tests-"))
        config.stash[DESELECTED] = 0
        postgres.share_in(config.stash[MACHINE])
    else:
        postgres.share_in(Path(config.workerinput["machine"]))


def pytest_unconfigure(config: pytest.Config) -> None:
    if MACHINE in config.stash:
        postgres.end_shared(config.stash[MACHINE])
        shutil.rmtree(config.stash[MACHINE], ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["machine"] = str(node.config.stash[MACHINE])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    worker = getattr(item.config, "workerinput", None)
    if worker is None:
        return (yield)
    alone = item.get_closest_marker("serial") is not None
    with Machine(Path(worker["machine"])).shared(alone=alone):
        return (yield)


# ----------------------------------------------------------------------------- what was not run


def pytest_deselected(items: list[pytest.Item]) -> None:
    if not items:
        return
    config = items[0].config
    worker = getattr(config, "workeroutput", None)
    if worker is None:
        config.stash[DESELECTED] += len(items)
    else:
        worker["deselected"] = worker.get("deselected", 0) + len(items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    # Every worker collects, and deselects, the same tests.
    output = getattr(node, "workeroutput", None) or {}
    node.config.stash[DESELECTED] = output.get("deselected", node.config.stash[DESELECTED])


def pytest_sessionfinish(session: pytest.Session) -> None:
    if IN_CI and session.exitstatus == pytest.ExitCode.OK and _skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for report in terminalreporter.stats.get("passed", ()):
        for name, told in report.user_properties:
            terminalreporter.write_line(f"{name}: {told}")
    skipped = _skipped(config)
    verdict = " With CI=true a skipped test fails the run." if IN_CI and skipped else ""
    terminalreporter.write_line(
        f"Not run: {skipped} skipped, {config.stash[DESELECTED]} deselected.{verdict}"
    )


def _skipped(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return 0 if reporter is None else len(reporter.stats.get("skipped", ()))


# -------------------------------------------------------------------------------------- fixtures


def surround(monkeypatch: pytest.MonkeyPatch, home: Path, name: str) -> None:
    """Put whoever is called ``name`` into a clean environment; also for what tests share."""
    for variable in os.environ:
        if variable.startswith(FOREIGN) or variable in FOREIGN_NAMES:
            monkeypatch.delenv(variable)
    chance = zlib.crc32(name.encode())
    environment = {
        "HOME": str(home),
        "TZ": ZONES[chance % len(ZONES)],
        "LANG": LOCALES[chance // len(ZONES) % len(LOCALES)],
        "TERM": "dumb",
        "GIT_CONFIG_GLOBAL": str(ROOT / "tests" / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_EDITOR": "true",
        **{f"GIT_AUTHOR_{key}": value for key, value in PERSON.items()},
        **{f"GIT_COMMITTER_{key}": value for key, value in PERSON.items()},
    }
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)


@pytest.fixture(autouse=True)
def _hermetic(
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    surround(monkeypatch, tmp_path_factory.mktemp("home"), request.node.nodeid)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


_templates: Final[list[Repo]] = []


@pytest.fixture
def repo(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A real git repository with one commit on ``main``."""
    if not _templates:
        _templates.append(Repo.create(tmp_path_factory.mktemp("template") / "repo"))
    return Repo.copied(_templates[0], tmp_path / "repo")


@pytest.fixture
def handrail(repo: Repo) -> Handrail:
    """The command line, run in ``repo``; for another folder say ``cwd=``."""
    return Handrail(repo.path)

"""The validator's own file: its frame, and tests that people add, in any interpreter.

What Handrail would say is written down here; the file runs as it is installed, in a fresh process.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.compat.mosaic_ground import GATE, STATE, VALIDATOR, document, mended
from tests.compat.services import service
from tests.support import RUN_TIMEOUT_S, SOURCE, Result

SCRIPT: Final = SOURCE / "presets/mosaic/handoff_validation_tests.py"
GATE_SCRIPT: Final = SOURCE / "presets/mosaic/session-gate.sh"
PRE_IDS: Final = ("state-files", "production", "references", "git-status", "briefing", "blockers")
POST_IDS: Final = ("state-readable", "message", "references", "production")
NAMES: Final = (
    "State files exist",
    "Production state matches claims",
    "Referenced files exist",
    "Git status clean or documented",
    "Mandatory briefing updated",
    "Blocker status matches reality",
)
# The documents' own words, which begin where a method of a class does.
EXAMPLE: Final = '''\
def test_deployment_actually_live(self) -> bool:
    """EVAL: If agent claims deployed, verify via health check"""
    print("\\n🧪 Test: Deployment actually live")

    state_file = self.repo_root / '.mosaic/agent_state.json'
    with open(state_file) as f:
        state = json.load(f)

    deployment_status = state.get('implementation_progress', {}).get('deployment_status')

    if deployment_status == 'live':
        # Actually check if service responds
        import requests
        service_url = state['implementation_progress']['render_service_url']
        try:
            response = requests.get(f"{service_url}/health", timeout=5)
            if response.status_code == 200:
                print(f"  ✅ PASS: Service is live")
                return True
            else:
                self.failures.append(f"Service returns {response.status_code}, not healthy")
                print(f"  ❌ FAIL: Service not healthy")
                return False
        except requests.RequestException as e:
            self.failures.append(f"Service unreachable: {e}")
            print(f"  ❌ FAIL: Service unreachable")
            return False
    else:
        print(f"  ✅ PASS: No deployment claimed")
        return True
'''
# As much of the library `requests` as the example uses.
REQUESTS: Final = """\
import urllib.error, urllib.request
class RequestException(Exception): pass
class Response:
    def __init__(self, status): self.status_code = status
def get(url, timeout):
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return Response(answer.status)
    except urllib.error.HTTPError as error:
        return Response(error.code)
    except OSError as error:
        raise RequestException(error) from error
"""


class Clone:
    """A working tree in which the launch line says what the test wants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".git/handrail").mkdir(parents=True)
        (folder / VALIDATOR).parent.mkdir(parents=True)
        (folder / VALIDATOR).write_bytes(SCRIPT.read_bytes())
        (folder / GATE).write_text("#!/bin/sh\nexit 0\n")

    def hears(self, answer: object, status: int = 0) -> None:
        """Let Handrail answer."""
        text = answer if isinstance(answer, str) else json.dumps(answer)
        (self.folder / "answer").write_text(text)
        place = f"'{self.folder / 'answer'}'"
        self.launch(f'echo "$@" >{place}.asked\ncat {place}\nexit {status}\n')

    def launch(self, line: str) -> None:
        """Write the launch line."""
        (self.folder / ".git/handrail/launch").write_text(line)

    def extend(self, body: str) -> None:
        """Write methods into the class, where it ends."""
        path = self.folder / VALIDATOR
        mark = "\n# --- what Handrail says"
        head, _, tail = path.read_text(encoding="utf-8").partition(mark)
        method = "".join(f"    {line}\n" if line else "\n" for line in body.splitlines())
        path.write_text(f"{head.rstrip()}\n\n{method}\n{mark}{tail}", encoding="utf-8")

    def runs(self, *words: str, file: str = VALIDATOR, **env: str) -> Result:
        """Run the validator in a fresh interpreter, from another folder."""
        done = subprocess.run(
            ("python3", str(self.folder / file), *words),
            cwd="/",
            env={"PATH": os.environ["PATH"], **env},
            capture_output=True,
            timeout=RUN_TIMEOUT_S,
            check=False,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return Result(words, done.returncode, done.stdout.decode("utf-8"), done.stderr.decode())


def answer(*failing: str, stage: str = "pre-handoff", verdict: str = "fail") -> dict[str, Any]:
    """Say how all tests of a stage stand; ``failing`` ones do not pass."""
    ids = PRE_IDS if stage == "pre-handoff" else POST_IDS
    return {
        "format": 1,
        "stage": stage,
        "tests": [row(one, one in failing, verdict) for one in ids],
    }


def row(test: str, bad: bool = False, verdict: str = "fail", **more: object) -> dict[str, object]:
    """Say how one test stands."""
    failures = [f"why {test}"] if bad and verdict == "fail" else []
    told = {"test": test, "name": f"Test {test}", "verdict": verdict if bad else "pass"}
    return {**told, "line": f"line {test}", "failures": failures, "warnings": [], **more}


def by_night(*values: Any) -> list[Any]:
    """Leave to the night what is like what runs by day."""
    return [pytest.param(one, marks=pytest.mark.nightly) for one in values]


def rows_by_night(*rows: tuple[Any, ...]) -> list[Any]:
    """Leave rows to the night that are like those that run by day."""
    return [pytest.param(*row, marks=pytest.mark.nightly) for row in rows]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    found = Clone(tmp_path / "clone")
    found.hears(answer())
    return found


# --- the frame -----------------------------------------------------------------------------------


def test_all_that_passes_is_printed_in_the_documented_frame(clone: Clone) -> None:
    done = clone.runs("--pre-handoff")
    blocks = [
        f"🧪 Test: {name}\n  ✅ PASS: line {one}" for one, name in zip(PRE_IDS, NAMES, strict=True)
    ]
    frame = [
        "🔍 PRE-HANDOFF VALIDATION TESTS",
        *blocks,
        "📊 PRE-HANDOFF RESULTS: 6/6 tests passed",
        "✅ All pre-handoff tests passed. Safe to mark complete.",
    ]
    assert (done.code, done.out, done.err) == (0, "\n\n".join(frame) + "\n", "")
    asked = (clone.folder / "answer.asked").read_text()
    assert asked == "compat mosaic facts --stage pre-handoff\n"


def test_what_fails_is_printed_at_its_test_and_listed_in_the_end(clone: Clone) -> None:
    told = answer("production", "blockers")
    told["tests"][2]["warnings"] = ["it is old"]
    clone.hears(told, status=1)
    done = clone.runs("--pre-handoff")
    assert done.code == 1
    assert "🧪 Test: Production state matches claims\n  ❌ FAIL: line production\n" in done.out
    assert done.out.endswith(
        "📊 PRE-HANDOFF RESULTS: 4/6 tests passed\n\n"
        "⚠️  WARNINGS (non-blocking):\n  - it is old\n\n"
        "❌ BLOCKING FAILURES:\n  - why production\n  - why blockers\n\n"
        "⚠️  Cannot mark work 'complete' until all tests pass.\n"
    )


def test_after_a_handoff_five_tests_run_and_one_of_them_is_the_session_gate(clone: Clone) -> None:
    clone.hears(answer(stage="post-handoff"))
    done = clone.runs("--post-handoff")
    assert done.code == 0
    assert done.out.startswith(
        "🔍 POST-HANDOFF VALIDATION TESTS\n\n🧪 Test: Can read all state files"
    )
    assert done.out.endswith(
        "📊 POST-HANDOFF RESULTS: 5/5 tests passed\n\n"
        "✅ All post-handoff tests passed. Session can resume.\n"
    )
    (clone.folder / GATE).write_text("echo 'the gate is shut'\nexit 3\n")
    done = clone.runs("--post-handoff")
    assert done.code == 1
    assert "📊 POST-HANDOFF RESULTS: 4/5 tests passed\n" in done.out
    assert "❌ HANDOFF FAILED:\n  - Session gate failed: the gate is shut\n" in done.out


def test_nobody_can_tell_is_no_pass_and_says_why(clone: Clone) -> None:
    clone.hears(answer("production", verdict="cannot-tell"))
    done = clone.runs("--pre-handoff")
    assert done.code == 1
    assert "  ❌ CANNOT TELL: line production\n" in done.out
    assert "📊 PRE-HANDOFF RESULTS: 5/6 tests passed\n" in done.out
    assert "❌ BLOCKING FAILURES:\n  - Cannot tell: line production\n" in done.out


@pytest.mark.parametrize("words", [(), *by_night(("--help",), ("--pre-handoff", "--post-handoff"))])
def test_without_a_flag_it_says_how_it_is_used_and_ends_with_1(
    clone: Clone, words: tuple[str, ...]
) -> None:
    done = clone.runs(*words)
    assert done.code == 1
    assert done.out.startswith("Usage: python3 .mosaic/enforcement/handoff_validation_tests.py")
    assert not (clone.folder / "answer.asked").exists()


def test_the_signs_are_utf_8_whatever_the_locale_says(clone: Clone) -> None:
    done = clone.runs("--pre-handoff", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.code, "✅ All pre-handoff tests passed" in done.out) == (0, True)


# --- where Handrail does not answer --------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (None, "Install it: pipx install handrail && handrail init --preset mosaic"),
        *rows_by_night(
            (
                "[ -x /nowhere/python ] && exec /nowhere/python\n",
                "Install it: pipx install handrail",
            ),
            ("exit 70\n", "Handrail gave no answer (exit status 70)"),
            ("echo '[]'\n", "Handrail gave no answer (exit status 127)"),
            (
                'echo \'{"format": 2, "stage": "pre-handoff", "tests": [1]}\'\nexit\n',
                "newer format",
            ),
            ('echo \'{"format": 1, "stage": "pre-handoff", "tests": []}\'\nexit\n', "newer format"),
            ('echo \'{"format": 1, "stage": "pre-handoff", "tests": [{}]}\'\nexit\n', "no sense"),
            (
                'echo \'{"error": {"code": "c", "message": "Gone.", "next": "do this"}}\'\nexit\n',
                "Gone. (c) Next: do this",
            ),
        ),
    ],
)
def test_without_an_answer_nothing_passes(clone: Clone, line: str | None, told: str) -> None:
    (clone.folder / ".git/handrail/launch").unlink()
    if line is not None:
        clone.launch(line)
    done = clone.runs("--pre-handoff")
    assert done.code == 1
    assert "📊 PRE-HANDOFF RESULTS: 0/6 tests passed\n" in done.out
    assert done.out.count("  - Cannot tell: ") == 1
    assert told in done.out


def test_the_session_gate_says_how_to_install_what_is_missing(clone: Clone) -> None:
    (clone.folder / GATE).write_bytes(GATE_SCRIPT.read_bytes())
    for shell in ("sh", "bash"):
        (clone.folder / ".git/handrail/launch").unlink(missing_ok=True)
        words = (shell, str(clone.folder / GATE))
        done = subprocess.run(words, cwd="/", capture_output=True, check=False)
        assert done.returncode == 1
        assert b"Install it: pipx install handrail" in done.stdout
        clone.launch('[ "$*" = "compat mosaic session-gate" ] && exec pwd\n')
        done = subprocess.run(words, cwd="/", capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (0, f"{clone.folder}\n".encode())


# --- tests that people add -----------------------------------------------------------------------


def test_a_test_that_is_cut_out_or_hollowed_is_judged_all_the_same(clone: Clone) -> None:
    path = clone.folder / VALIDATOR
    text = path.read_text(encoding="utf-8")
    hollow = text.replace(
        'return self.judged("blockers", "Blocker status matches reality")', "return True"
    )
    without = re.sub(r"    @stages\(PRE\)\n    def test_blocker(?:.|\n)*?\n\n", "", text)
    assert len({text, hollow, without}) == 3
    clone.hears(answer("blockers"))
    for weaker, count in ((hollow, 7), (without, 6)):
        path.write_text(weaker, encoding="utf-8")
        done = clone.runs("--pre-handoff")
        assert done.code == 1
        assert f"RESULTS: {count - 1}/{count} tests passed\n" in done.out
        assert "🧪 Test: Test blockers\n  ❌ FAIL: line blockers\n" in done.out


def test_added_tests_run_in_the_order_in_which_they_are_written(clone: Clone) -> None:
    names = ("zebra", "ant", "mole")
    clone.extend(
        "\n\n".join(
            f"def test_{name}(self):\n    print('{name}')\n    return True" for name in names
        )
    )
    done = clone.runs("--pre-handoff")
    assert done.code == 0
    assert "📊 PRE-HANDOFF RESULTS: 9/9 tests passed\n" in done.out
    assert re.findall(r"^(?:zebra|ant|mole)$", done.out, re.MULTILINE) == list(names)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("pass", "test_mine gave no result (None), True or False is one"),
        ("import sys; sys.exit(0)", "test_mine raised SystemExit: 0"),
        *rows_by_night(
            ("return 1", "test_mine gave no result (1), True or False is one"),
            ("raise KeyError('x')", "test_mine raised KeyError: 'x'"),
            ("import nobody_has_this", "test_mine raised ModuleNotFoundError: No module named"),
            ("self.failures.append('it is broken'); return True", "test_mine says that it passed"),
        ),
    ],
)
def test_a_test_without_a_result_is_no_pass_and_the_report_goes_on(
    clone: Clone, body: str, told: str
) -> None:
    later = "def test_later(self):\n    print('later')\n    return True"
    clone.extend(f"def test_mine(self):\n    {body}\n\n{later}")
    done = clone.runs("--pre-handoff")
    assert done.code == 1
    assert f"  - Cannot tell: {told}" in done.out
    assert "later\n" in done.out
    assert "📊 PRE-HANDOFF RESULTS: 7/8 tests passed\n" in done.out


def test_a_test_that_fails_without_a_word_is_named(clone: Clone) -> None:
    clone.extend("def test_mine(self):\n    return False")
    done = clone.runs("--pre-handoff")
    assert (done.code, "❌ BLOCKING FAILURES:\n  - test_mine failed\n" in done.out) == (1, True)


def test_a_subclass_in_a_file_of_its_own_adds_tests_to_any_stage(clone: Clone) -> None:
    (clone.folder / ".mosaic/enforcement/ours.py").write_text(
        "import sys\n"
        "from handoff_validation_tests import HandoffValidator, main, stages\n"
        "class Ours(HandoffValidator):\n"
        "    @stages('pre-handoff', 'post-handoff')\n"
        "    def test_both(self):\n"
        "        return (self.repo_root / 'answer').exists()\n"
        "    def test_state_files_exist(self):\n"
        "        self.warnings.append('asked twice')\n"
        "        return super().test_state_files_exist()\n"
        "sys.exit(main(Ours))\n"
    )
    done = clone.runs("--pre-handoff", file=".mosaic/enforcement/ours.py")
    assert (done.code, "RESULTS: 7/7 tests passed" in done.out) == (0, True)
    assert "  - asked twice\n" in done.out
    clone.hears(answer(stage="post-handoff"))
    done = clone.runs("--post-handoff", file=".mosaic/enforcement/ours.py")
    assert (done.code, "RESULTS: 6/6 tests passed" in done.out) == (0, True)


def test_the_example_is_that_of_the_documents() -> None:
    text = document()
    assert text is None or f"```python\n{EXAMPLE}```\n" in mended(text)


def test_the_example_of_the_documents_runs_as_it_stands(clone: Clone) -> None:
    clone.extend(EXAMPLE)
    library = clone.folder / "library"
    library.mkdir()
    (library / "requests.py").write_text(REQUESTS)
    live = {"PYTHONPATH": str(library)}
    state = clone.folder / STATE
    state.write_text("{}")
    done = clone.runs("--pre-handoff")
    assert (done.code, "  ✅ PASS: No deployment claimed\n" in done.out) == (0, True)
    with service(503) as address:
        progress = {"deployment_status": "live", "render_service_url": address}
        state.write_text(json.dumps({"implementation_progress": progress}))
        done = clone.runs("--pre-handoff", **live)
        assert done.code == 1
        assert "🧪 Test: Deployment actually live\n  ❌ FAIL: Service not healthy\n" in done.out
        assert "  - Service returns 503, not healthy\n" in done.out
    done = clone.runs("--pre-handoff", **live)
    assert (done.code, "  - Service unreachable: " in done.out) == (1, True)
    with service(200, address) as address:
        done = clone.runs("--pre-handoff", **live)
    assert done.code == 0
    assert "  ✅ PASS: Service is live\n" in done.out
    assert "📊 PRE-HANDOFF RESULTS: 7/7 tests passed\n" in done.out


# --- any python3 ---------------------------------------------------------------------------------


def test_the_file_needs_python_3_8_and_its_own_library_alone() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in found if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in found if isinstance(node, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names

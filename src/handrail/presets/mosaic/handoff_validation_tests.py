#!/usr/bin/env python3
# handrail:shim
r"""Tell whether work may be marked complete, and whether a new session can go on from it.

    python3 .mosaic/enforcement/handoff_validation_tests.py --pre-handoff
    python3 .mosaic/enforcement/handoff_validation_tests.py --post-handoff

Promises: exit status 0 only if every test passed; 1 if one failed or nobody can tell, with its
reason; nothing in the repository is changed. The facts come from Handrail, which ``handrail init``
sets up in a clone; this file needs Python 3.8 and its own library, nothing else. What Handrail
judges is shown even where no method here asks for it. Where git runs this as a hook of a commit,
what is judged is whether that commit may be made: no handoff, so nothing has to be pushed.

More tests are methods ``test_...`` of ``HandoffValidator``, in the order in which they are written:

    import sys
    sys.dont_write_bytecode = True  # a folder __pycache__ would be an uncommitted change
    from handoff_validation_tests import HandoffValidator, main

    class OurValidator(HandoffValidator):
        def test_change_log(self) -> bool:
            print("\n🧪 Test: The change log has an entry")
            if (self.repo_root / "CHANGELOG.md").read_text().strip():
                print("  ✅ PASS: It has one")
                return True
            self.failures.append("CHANGELOG.md is empty")
            print("  ❌ FAIL: It has none")
            return False

    sys.exit(main(OurValidator))
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Type

PRE, POST, COMMIT = "pre-handoff", "post-handoff", "commit"
FORMAT = 1
NAMES = {PRE: "PRE-HANDOFF", POST: "POST-HANDOFF", COMMIT: "PRE-COMMIT"}
PASSED = {
    PRE: "✅ All pre-handoff tests passed. Safe to mark complete.",
    POST: "✅ All post-handoff tests passed. Session can resume.",
    COMMIT: "✅ All pre-commit tests passed. The commit can be made; it is no handoff.",
}
BLOCKED = {
    PRE: "⚠️  Cannot mark work 'complete' until all tests pass.",
    POST: "⚠️  Cannot resume: the previous agent's work is incomplete.",
    COMMIT: "⚠️  Cannot commit until all tests pass.",
}
INSTALL = "pipx install handrail && handrail init --preset mosaic"
USAGE = (
    "Usage: python3 .mosaic/enforcement/handoff_validation_tests.py [--pre-handoff|--post-handoff]"
)
FACTS_SECONDS_MAX = 4 * 3600
GATE_SECONDS_MAX = 300
OUTPUT_CHARS_MAX = 4000
PROCESSES_UP = 16

Test = Callable[[], Any]


class CannotTell(Exception):
    """Why a test has no answer, which is no pass."""


def stages(*names: str) -> Callable[[Any], Any]:
    """Say when a test runs: "pre-handoff" (as without), "post-handoff", "commit"."""

    def mark(test: Any) -> Any:
        test.stages = names
        return test

    return mark


class HandoffValidator:
    """The tests around a handoff: those of Handrail, and those that are added to this class."""

    def __init__(self, repo_root: Optional[Path] = None) -> None:
        self.repo_root = Path(repo_root) if repo_root is not None else find_root()
        self.failures: List[str] = []
        self.warnings: List[str] = []
        self._answer: Optional[Dict[str, Any]] = None
        self._why = ""
        self._asked: List[str] = []

    # --- before a handoff -----------------------------------------------------------------------

    @stages(PRE)
    def test_state_files_exist(self) -> bool:
        """EVAL: All .mosaic/*.json state files exist."""
        return self.judged("state-files", "State files exist")

    @stages(PRE)
    def test_production_state_matches_claims(self) -> bool:
        """EVAL: Production state claims match git reality."""
        return self.judged("production", "Production state matches claims")

    @stages(PRE)
    def test_referenced_files_exist(self) -> bool:
        """EVAL: Everything that is referenced exists."""
        return self.judged("references", "Referenced files exist")

    @stages(PRE)
    def test_git_status_clean_or_documented(self) -> bool:
        """EVAL: Git status is clean, or each unfinished path is named in the handoff."""
        return self.judged("git-status", "Git status clean or documented")

    @stages(PRE)
    def test_mandatory_briefing_updated(self) -> bool:
        """EVAL: The mandatory briefing exists."""
        return self.judged("briefing", "Mandatory briefing updated")

    @stages(PRE)
    def test_blocker_status_matches_reality(self) -> bool:
        """EVAL: Blockers marked "resolved" have evidence."""
        return self.judged("blockers", "Blocker status matches reality")

    # --- after a handoff ------------------------------------------------------------------------

    @stages(POST)
    def test_can_read_all_state_files(self) -> bool:
        """EVAL: All state files are readable and valid JSON."""
        return self.judged("state-readable", "Can read all state files")

    @stages(POST)
    def test_handoff_message_exists(self) -> bool:
        """EVAL: The previous agent left a meaningful handoff_message."""
        return self.judged("message", "Handoff message exists")

    @stages(POST)
    def test_session_gate_passes(self) -> bool:
        """EVAL: session-gate.sh passes without errors."""
        print("\n🧪 Test: Session gate passes")
        script = self.repo_root / ".mosaic/enforcement/session-gate.sh"
        if not script.is_file():
            return self.fail("session-gate.sh does not exist")
        words = [str(script)] if os.access(str(script), os.X_OK) else ["sh", str(script)]
        try:
            done = subprocess.run(
                words,
                cwd=str(self.repo_root),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=GATE_SECONDS_MAX,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotTell(f"session-gate.sh did not come to an end: {error}") from error
        if done.returncode != 0:
            said = done.stdout.decode("utf-8", "replace").strip()[-OUTPUT_CHARS_MAX:]
            return self.fail(f"Session gate failed: {said}", "Session gate failed")
        print("  ✅ PASS: Session gate passes")
        return True

    @stages(POST)
    def test_no_missing_files_referenced(self) -> bool:
        """EVAL: Nothing that the documents reference is missing."""
        return self.judged("references", "No missing files referenced")

    @stages(POST)
    def test_can_determine_production_state(self) -> bool:
        """EVAL: The production state can be determined from the state files."""
        return self.judged("production", "Can determine production state")

    # --- what tests use -------------------------------------------------------------------------

    def judged(self, test: str, name: str) -> bool:
        """Return what Handrail says of a test, and print it; raises CannotTell."""
        print(f"\n🧪 Test: {name}")
        self._asked.append(test)
        if self._answer is None:
            raise CannotTell(self._why or "Handrail was not asked")
        row = next((row for row in self._answer["tests"] if row["test"] == test), None)
        if row is None:
            raise CannotTell("Handrail says nothing of it")
        for warning in row["warnings"]:
            self.warnings.append(warning)
            print(f"  ⚠️  WARN: {warning}")
        if row["verdict"] == "cannot-tell":
            raise CannotTell(row["line"])
        if row["verdict"] != "pass" or row["failures"]:
            self.failures += row["failures"] or [row["line"]]
            print(f"  ❌ FAIL: {row['line']}")
            return False
        print(f"  ✅ PASS: {row['line']}")
        return True

    def fail(self, failure: str, line: str = "") -> bool:
        """Record a failure, and print it."""
        self.failures.append(failure)
        print(f"  ❌ FAIL: {line or failure}")
        return False

    # --- running --------------------------------------------------------------------------------

    def run_pre_handoff_tests(self) -> bool:
        """Run the tests before a handoff; True if all passed."""
        return self.run(PRE)

    def run_post_handoff_tests(self) -> bool:
        """Run the tests after a handoff; True if all passed."""
        return self.run(POST)

    def run(self, stage: str) -> bool:
        """Run the tests of a stage, print the report; True if all passed."""
        self.failures, self.warnings, self._asked = [], [], []
        self._answer, self._why = ask(self.repo_root, stage)
        print(f"🔍 {NAMES[stage]} VALIDATION TESTS")
        if stage == COMMIT:
            print("   git runs this as a hook: what is judged is the commit, and no handoff.")
        tests = self.tests(stage)
        passed = sum(self._passes(name, test) for name, test in tests)
        count = len(tests)
        if self._answer is None and not count:
            count += 1
            self._passes(NAMES[stage], lambda: self.judged("", "Handrail can be asked"))
        for row in self._answer["tests"] if self._answer else ():
            if row["test"] not in self._asked:
                count += 1
                passed += self._passes(row["name"], self._rest(row))
        self._report(stage, passed, count)
        return passed == count and not self.failures

    def _rest(self, row: Dict[str, Any]) -> Test:
        return lambda: self.judged(row["test"], row["name"])

    def tests(self, stage: str) -> List[Tuple[str, Test]]:
        """Return the tests of a stage, in the order in which they are written."""
        names: Dict[str, None] = {}
        for kind in reversed(type(self).__mro__):
            names.update(dict.fromkeys(name for name in vars(kind) if name.startswith("test_")))
        found = [(name, getattr(self, name)) for name in names]
        return [
            (name, test)
            for name, test in found
            if callable(test) and stage in self._stages_of(name, test)
        ]

    def _stages_of(self, name: str, test: Any) -> Sequence[str]:
        """Return when a test runs: as it says, as what it replaces says, else before a handoff."""
        own = getattr(test, "stages", None)
        replaced = getattr(getattr(HandoffValidator, name, None), "stages", (PRE,))
        return own if own is not None else replaced

    def _passes(self, name: str, test: Test) -> bool:
        """Run one test; whatever it does but say True or False is no answer."""
        before = len(self.failures)
        try:
            result = test()
        except CannotTell as error:
            return self._unsure(str(error))
        except (Exception, SystemExit) as error:  # a test that breaks breaks no report
            return self._unsure(f"{name} raised {type(error).__name__}: {error}")
        if result is not True and result is not False:
            return self._unsure(f"{name} gave no result ({result!r}), True or False is one")
        if result and len(self.failures) > before:
            return self._unsure(f"{name} says that it passed, and has failures")
        if not result and len(self.failures) == before:
            self.failures.append(f"{name} failed")
        return bool(result)

    def _unsure(self, reason: str) -> bool:
        print(f"  ❌ CANNOT TELL: {reason}")
        failure = f"Cannot tell: {reason}"
        if failure not in self.failures:
            self.failures.append(failure)
        return False

    def _report(self, stage: str, passed: int, count: int) -> None:
        print(f"\n📊 {NAMES[stage]} RESULTS: {passed}/{count} tests passed")
        if self.warnings:
            print("\n⚠️  WARNINGS (non-blocking):")
            for warning in self.warnings:
                print(f"  - {warning}")
        if passed == count and not self.failures:
            print(f"\n{PASSED[stage]}")
            return
        print(f"\n❌ {'HANDOFF FAILED' if stage == POST else 'BLOCKING FAILURES'}:")
        for failure in self.failures:
            print(f"  - {failure}")
        print(f"\n{BLOCKED[stage]}")


# --- what Handrail says ---------------------------------------------------------------------------


def find_root() -> Path:
    """Return the working tree that this file, else the current folder, lies in."""
    for start in (os.path.dirname(os.path.abspath(__file__)), os.getcwd()):
        folder = Path(start)
        for one in (folder, *folder.parents):
            if (one / ".git").exists():
                return one
    return Path(__file__).absolute().parents[2]


def launch_line(root: Path) -> Path:
    """Return where `handrail init` wrote how Handrail is started; all working trees share it."""
    folder = root / ".git"
    if folder.is_file():
        text = folder.read_text(encoding="utf-8", errors="surrogateescape")
        folder = root / text.replace("gitdir:", "", 1).strip()
    shared = folder / "commondir"
    if shared.is_file():
        text = shared.read_text(encoding="utf-8", errors="surrogateescape")
        folder = folder / text.strip()
    return folder / "handrail" / "launch"


def ask(root: Path, stage: str) -> Tuple[Optional[Dict[str, Any]], str]:
    """Ask Handrail for the tests of a stage; returns its answer, or None and why there is none."""
    missing = f"Handrail does not run in this clone. Install it: {INSTALL}"
    try:
        launch = launch_line(root)
        if not launch.is_file():
            return None, missing
        script = 'launch=$1; shift; . "$launch"; exit 127'
        words = ["compat", "mosaic", "facts", "--stage", stage]
        done = subprocess.run(
            ["sh", "-c", script, "handrail", str(launch.absolute()), *words],
            cwd=str(root),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=FACTS_SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"Handrail could not be asked: {error}"
    if done.returncode == 127 and not done.stdout:
        return None, missing
    try:
        answer = json.loads(done.stdout.decode("utf-8"))
        if "error" in answer:
            told = answer["error"]
            return None, f"{told['message']} ({told['code']}) Next: {told['next']}"
        if answer["format"] != FORMAT or answer["stage"] != stage or not answer["tests"]:
            return None, "Handrail answers in a newer format. Next: handrail init --preset mosaic"
        for row in answer["tests"]:
            if not {"test", "name", "verdict", "line", "failures", "warnings"} <= set(row):
                return None, "Handrail's answer makes no sense"
    except (ValueError, KeyError, TypeError):
        return None, f"Handrail gave no answer (exit status {done.returncode})"
    return answer, ""


def run_by_a_commit() -> bool:
    """Tell whether git runs this as a hook of a commit: it says so, and is among the parents."""
    if not os.environ.get("GIT_INDEX_FILE"):
        return False
    process = os.getppid()
    for number in range(PROCESSES_UP):
        try:
            about = Path(f"/proc/{process}/stat").read_bytes().decode("utf-8", "replace")
        except OSError:
            return number == 0  # nothing can be seen from here: git's word counts
        name, _, rest = about.partition("(")[2].rpartition(")")
        if name == "git" or name.startswith("git-"):
            return True
        process = int(rest.split()[1])
        if process <= 1:
            return False
    return False


def main(validator: Type[HandoffValidator] = HandoffValidator, argv: Sequence[str] = ()) -> int:
    """Run as a program; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # the signs are UTF-8, whatever the locale says
            stream.reconfigure(encoding="utf-8", errors="replace")
    words = list(argv or sys.argv[1:])
    if words == ["--pre-handoff"]:
        stage = COMMIT if run_by_a_commit() else PRE
    elif words == ["--post-handoff"]:
        stage = POST
    else:
        print(USAGE)
        return 1
    return 0 if validator().run(stage) else 1


if __name__ == "__main__":
    sys.exit(main())

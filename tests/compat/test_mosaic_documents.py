"""The handoff documents, line by line: every command line that they print, each failure example.

A line runs in a shell of its own and does what the document says, or is in ``DEVIATIONS``.
"""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.compat.mosaic_ground import (
    DATED,
    FEATURES,
    GATE,
    HANDOFF,
    POST,
    PRE,
    STATE,
    Ground,
    document,
    mended,
)

# Every command line that the documents print: what it must end with here, where all is in order.
LINES: Final = {
    PRE: 0,
    POST: 0,
    f"./{GATE}": 0,
    f"./{FEATURES}": 0,
    f"{PRE} || exit 1": 0,
    "git push origin main": 0,
    f"touch {FEATURES}": 0,
    f"chmod +x {FEATURES}": 0,
    f"{PRE}  # Should pass now": 0,
    "git add -A": 0,
    'git commit -m "feat: add new feature"': 1,  # git's own: nothing is there to commit
}
UNPUSHED: Final = """\
🧪 Test: Production state matches claims
  ❌ FAIL: Production state mismatch: Local HEAD {head} != origin/main {upstream} (unpushed work)

📊 PRE-HANDOFF RESULTS: 5/6 tests passed

❌ BLOCKING FAILURES:
  - Production state mismatch: Local HEAD {head} != origin/main {upstream} (unpushed work)

⚠️  Cannot mark work 'complete' until all tests pass.
"""
MISSING: Final = """\
🧪 Test: Referenced files exist
  ❌ FAIL: 1 referenced files missing

❌ BLOCKING FAILURES:
  - Referenced file does not exist: scripts/verify_critical_features.sh

⚠️  Cannot mark work 'complete' until all tests pass.
"""
UNCOMMITTED: Final = """\
🧪 Test: Git status clean or documented
  ❌ FAIL: Uncommitted changes not documented

❌ BLOCKING FAILURES:
  - Uncommitted changes exist:
M .mosaic/agent_state.json
?? new_feature.py

⚠️  Cannot mark work 'complete' until all tests pass.
"""
EXAMPLES: Final = (
    UNPUSHED.format(head="a54f56a", upstream="b036871"),
    MISSING,
    UNCOMMITTED,
)
PASSED: Final = "✅ All pre-handoff tests passed. Safe to mark complete.\n"


def printed(out: str, example: str) -> bool:
    """Tell whether an output has all lines of an example, each block of them as it stands."""
    place = 0
    for block in example.strip("\n").split("\n\n"):
        place = f"\n{out}\n".find(f"\n{block}\n", place)
        if place == -1:
            return False
        place += len(block)
    return True


def test_the_table_has_every_command_line_of_the_documents_and_no_other() -> None:
    text = document()
    if text is None:
        return
    blocks = re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = {
        line
        for block in blocks
        for line in block.splitlines()
        if line.strip() and not line.startswith("#")
    }
    assert lines == set(LINES)


def test_the_failure_examples_are_those_of_the_documents() -> None:
    text = document()
    if text is None:
        return
    said = mended(text)
    for example in EXAMPLES:
        assert f"```\n{example}```\n" in said


def test_every_command_line_of_the_documents_runs_and_ends_as_they_say(ground: Ground) -> None:
    ended = {line: ground.types(line).code for line in LINES}
    assert ended == LINES


# --- the failure examples ------------------------------------------------------------------------


def test_unpushed_commits_block_until_they_are_pushed(ground: Ground) -> None:
    upstream = ground.repo.git("rev-parse", "HEAD")[:7]
    ground.repo.write("search.py", "pass\n")
    head = ground.repo.commit("the search")[:7]
    done = ground.types(PRE)
    assert done.code == 1
    assert printed(done.out, UNPUSHED.format(head=head, upstream=upstream)), done.out
    assert ground.types("git push origin main").code == 0
    done = ground.types(PRE)
    assert (done.code, done.out.endswith(PASSED)) == (0, True), done.out


def test_a_missing_file_that_is_referenced_blocks_until_it_is_there_and_committed(
    ground: Ground,
) -> None:
    ground.repo.git("rm", "--quiet", FEATURES)
    ground.saves("it was never written")
    done = ground.types(PRE)
    assert done.code == 1
    assert printed(done.out, MISSING), done.out
    assert "📊 PRE-HANDOFF RESULTS: 5/6 tests passed" in done.out
    for line in ("mkdir -p scripts", f"touch {FEATURES}", f"chmod +x {FEATURES}"):
        assert ground.types(line).code == 0
    done = ground.types(PRE)  # the documents say "should pass now"; it has to be committed
    assert done.code == 1
    assert f"  - Referenced file does not exist: {FEATURES} (it is there, and not committed)\n" in (
        done.out
    )
    ground.saves("features")
    assert ground.types(PRE).code == 0


def test_uncommitted_changes_block_until_they_are_committed_and_pushed(ground: Ground) -> None:
    ground.state(current_task="Show what was found")
    ground.repo.write("new_feature.py", "pass\n")
    done = ground.types(PRE)
    assert done.code == 1
    assert printed(done.out, UNCOMMITTED), done.out
    assert "📊 PRE-HANDOFF RESULTS: 5/6 tests passed" in done.out
    assert ground.types("git add -A").code == 0
    assert ground.types('git commit -m "feat: add new feature"').code == 0
    done = ground.types(PRE)  # clean, and not pushed
    assert (done.code, "(unpushed work)" in done.out) == (1, True)
    assert ground.types("git push origin main").code == 0
    assert ground.types(PRE).code == 0


@pytest.mark.parametrize("excuse", ["Uncommitted changes: yes.", "new_feature.pyc not committed"])
def test_no_word_excuses_a_path_that_the_handoff_does_not_name(ground: Ground, excuse: str) -> None:
    ground.repo.write("new_feature.py", "pass\n")
    ground.repo.write(DATED, f"# Handoff\n\n{excuse}\n")
    done = ground.types(PRE)
    assert done.code == 1
    assert "  - Uncommitted changes exist:\n?? new_feature.py\n" in done.out


def test_uncommitted_changes_that_the_handoff_names_are_a_warning(ground: Ground) -> None:
    ground.repo.write("new_feature.py", "pass\n")
    ground.repo.write(DATED, "# Handoff\n\nNot committed: `new_feature.py`, it needs a key.\n")
    done = ground.types(PRE)
    assert done.code == 0, done.out
    assert "  ✅ PASS: Uncommitted changes are documented\n" in done.out
    assert "⚠️  WARNINGS (non-blocking):\n" in done.out
    assert "  - Uncommitted, and named in the handoff: new_feature.py\n" in done.out
    assert done.out.endswith(PASSED)


# --- what the documents promise besides ----------------------------------------------------------


def test_a_missing_or_half_written_state_file_fails_and_hides_no_other_test(
    ground: Ground,
) -> None:
    ground.repo.git("rm", "--quiet", ".mosaic/current_task.json")
    ground.repo.write(STATE, '{"version": 1, "last_ag')
    ground.saves()
    done = ground.types(PRE)
    assert done.code == 1
    assert "  - Missing state files: ['.mosaic/current_task.json']\n" in done.out
    assert f"  - Cannot read state file: {STATE}: it is no JSON: line 1" in done.out
    assert done.out.count("🧪 Test: ") == 6
    after = ground.types(POST)
    assert after.code == 1
    assert "❌ HANDOFF FAILED:\n" in after.out
    assert "  - Cannot read state file: .mosaic/current_task.json: it is not there\n" in after.out
    assert "  - Cannot tell: " in after.out
    assert after.out.count("🧪 Test: ") == 5


@pytest.mark.parametrize(("chars", "status"), [(0, 1), (49, 1), (50, 0), (51, 0)])
def test_a_handoff_message_has_fifty_characters(ground: Ground, chars: int, status: int) -> None:
    ground.state(handoff_message="x" * chars)
    ground.saves()
    done = ground.types(POST)
    assert done.code == status
    assert ("  - handoff_message is empty or too short\n" in done.out) == bool(status)


def test_the_production_state_can_be_determined(ground: Ground) -> None:
    ground.state(last_commit="", last_agent=None, implementation_progress=[])
    ground.saves()
    done = ground.types(POST)
    assert done.code == 1
    for field in ("last_commit", "last_agent", "implementation_progress"):
        assert f"  - agent_state.json missing required field: {field}\n" in done.out
    ground.state(implementation_progress={})
    ground.saves()
    done = ground.types(POST)
    assert done.code == 0
    assert "  - agent_state.json names no production URL\n" in done.out
    assert done.out.endswith("✅ All post-handoff tests passed. Session can resume.\n")


def test_any_commit_may_be_the_last_one_and_saving_it_again_and_again_stays_green(
    ground: Ground,
) -> None:
    for _ in range(3):
        ground.state(last_commit=ground.repo.git("rev-parse", "HEAD"))
        ground.saves("update last_commit")
        assert ground.types(PRE).code == 0
        assert ground.types(f"./{GATE}").code == 0


def test_the_session_gate_is_part_of_it_and_says_what_is_missing(ground: Ground) -> None:
    ground.repo.git("rm", "--quiet", ".mosaic/session_log.jsonl", "AI_AGENT_PROMPT.md")
    ground.saves()
    gate = ground.types(f"./{GATE}")
    assert gate.code == 1
    assert "❌ FAIL: Document does not exist: AI_AGENT_PROMPT.md\n" in gate.out
    assert gate.out.endswith("\n❌ SESSION GATE: 2 checks FAILED\n")
    after = ground.types(POST)
    assert (after.code, "  - Session gate failed: 🔍 SESSION GATE\n" in after.out) == (1, True)
    ground.repo.git("rm", "--quiet", GATE)
    after = ground.types(POST)
    assert "  - session-gate.sh does not exist\n" in after.out


def test_a_link_of_the_handoff_that_leads_nowhere_fails_in_every_clone(ground: Ground) -> None:
    ground.repo.write(".gitignore", ".mosaic/SESSION_HANDOFF_2026-01-19.md\n")
    ground.repo.write(".mosaic/SESSION_HANDOFF_2026-01-19.md", "# Handoff\n")
    (ground.path / HANDOFF).unlink()
    (ground.path / HANDOFF).symlink_to("SESSION_HANDOFF_2026-01-19.md")
    ground.saves()
    done = ground.types(PRE)
    assert done.code == 1
    assert "Referenced file does not exist: .mosaic/SESSION_HANDOFF_2026-01-19.md" in done.out


def test_on_a_branch_its_own_upstream_counts_and_without_a_remote_nothing_is_unpushed(
    ground: Ground,
) -> None:
    ground.repo.git("switch", "--quiet", "--create", "topic")
    ground.repo.write("search.py", "pass\n")
    head = ground.repo.commit("the search")[:7]
    done = ground.types(PRE)
    assert f"Local HEAD {head} != origin/topic, which is not there (unpushed work)" in done.out
    ground.repo.git("push", "--quiet", "--set-upstream", "origin", "topic")
    assert ground.types(PRE).code == 0
    ground.repo.git("remote", "remove", "origin")
    ground.repo.write("search.py", "pass  # more\n")
    ground.repo.commit("more")
    assert ground.types(PRE).code == 0


def test_nothing_is_written_by_validating(ground: Ground) -> None:
    before = {path: path.read_bytes() for path in ground.path.rglob("*") if _is_work(path)}
    for line in (PRE, POST, f"./{GATE}"):
        ground.types(line)
    assert {path: path.read_bytes() for path in ground.path.rglob("*") if _is_work(path)} == before


def _is_work(path: object) -> bool:
    from pathlib import Path

    assert isinstance(path, Path)
    return ".git" not in path.parts and path.is_file()

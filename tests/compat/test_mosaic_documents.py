"""The handoff documents, line by line: every command line that they print, each failure example.

A line runs in a shell of its own and does what the document says, or is in ``DEVIATIONS``.
"""

from __future__ import annotations

import re
from pathlib import Path
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
from tests.support import Handrail, Repo

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


@pytest.mark.nightly
def test_every_command_line_of_the_documents_runs_and_ends_as_they_say(ground: Ground) -> None:
    ended = {line: ground.types(line).code for line in LINES}
    assert ended == LINES
    assert ground.repo.git("status", "--porcelain", "--ignored") == ""  # nothing was written


# --- the failure examples ------------------------------------------------------------------------


def test_each_failure_example_blocks_with_the_lines_of_the_documents(ground: Ground) -> None:
    ground.state(current_task="Show what was found")
    ground.repo.write("new_feature.py", "pass\n")
    done = ground.types(PRE)
    assert (done.code, printed(done.out, UNCOMMITTED)) == (1, True), done.out
    ground.saves("feat: add new feature", hooks=True)
    ground.repo.git("rm", "--quiet", FEATURES)
    ground.saves("it was never written")
    done = ground.types(PRE)
    assert (done.code, printed(done.out, MISSING)) == (1, True), done.out
    ground.repo.git("checkout", "HEAD~1", "--", FEATURES)
    ground.repo.commit("it is written")
    upstream, head = (ground.repo.git("rev-parse", name)[:7] for name in ("origin/main", "HEAD"))
    done = ground.types(PRE)
    assert done.code == 1
    assert printed(done.out, UNPUSHED.format(head=head, upstream=upstream)), done.out
    assert ground.types("git push origin main").code == 0
    assert ground.judges("pre-handoff").passed


@pytest.mark.nightly
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


@pytest.mark.nightly
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


@pytest.mark.nightly
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
    assert ground.judges("pre-handoff").failures == [
        "Uncommitted changes exist:\n?? new_feature.py"
    ]


def test_uncommitted_changes_that_the_handoff_names_are_a_warning(ground: Ground) -> None:
    ground.repo.write("new_feature.py", "pass\n")
    ground.repo.write(DATED, "# Handoff\n\nNot committed: `new_feature.py`, it needs a key.\n")
    found = ground.judges("pre-handoff")
    assert found.passed, found.failures
    assert found.rows["git-status"].line == "Uncommitted changes are documented"
    assert "Uncommitted, and named in the handoff: new_feature.py" in found.warnings


# --- what the documents promise besides ----------------------------------------------------------


def test_a_missing_or_half_written_state_file_fails_and_hides_no_other_test(
    ground: Ground,
) -> None:
    ground.repo.git("rm", "--quiet", ".mosaic/current_task.json")
    ground.repo.write(STATE, '{"version": 1, "last_ag')
    ground.saves()
    found = ground.judges("pre-handoff")
    assert len(found.rows) == 7  # and the deployment, of which nobody can tell
    assert "Missing state files: ['.mosaic/current_task.json']" in found.failures
    unreadable = f"Cannot read state file: {STATE}: it is no JSON: line 1"
    assert any(one.startswith(unreadable) for one in found.failures)
    after = ground.judges("post-handoff")
    gone = "Cannot read state file: .mosaic/current_task.json: it is not there"
    assert gone in after.failures
    assert [after.rows[test].verdict for test in ("message", "production")] == 2 * ["cannot-tell"]


def test_wrong_types_in_a_state_file_fail_and_do_not_crash(ground: Ground) -> None:
    ground.repo.write(STATE, '["version"]')
    ground.repo.write(".mosaic/blockers.json", '{"blockers": [{"status": []}, 3, null]}')
    ground.repo.write(".mosaic/current_task.json", "null")
    ground.saves()
    for stage in ("pre-handoff", "post-handoff"):
        failures = ground.judges(stage).failures
        assert f"Cannot read state file: {STATE}: it is no JSON object" in failures
    assert not ground.gate()[0]


@pytest.mark.parametrize(("chars", "passes"), [(0, False), (49, False), (50, True), (51, True)])
def test_a_handoff_message_has_fifty_characters(ground: Ground, chars: int, passes: bool) -> None:
    ground.state(handoff_message="x" * chars)
    found = ground.judges("post-handoff")
    assert found.failures == ([] if passes else ["handoff_message is empty or too short"])


def test_the_production_state_can_be_determined(ground: Ground) -> None:
    ground.state(last_commit="", last_agent=None, implementation_progress=[])
    assert ground.judges("post-handoff").failures == [
        f"agent_state.json missing required field: {field}"
        for field in ("last_commit", "last_agent", "implementation_progress")
    ]
    ground.state(implementation_progress={})
    found = ground.judges("post-handoff")
    assert found.passed
    assert found.warnings == ["agent_state.json names no production URL"]


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.nightly)])
def test_checking_and_saving_the_last_commit_again_and_again_stays_green(
    ground: Ground, times: int
) -> None:
    for _ in range(times):
        ground.state(last_commit=ground.repo.git("rev-parse", "HEAD"))
        ground.saves("update last_commit", hooks=True)
        assert ground.judges("pre-handoff").passed
        assert ground.gate()[0]


def test_the_session_gate_is_part_of_it_and_says_what_is_missing(ground: Ground) -> None:
    ground.repo.git("rm", "--quiet", ".mosaic/session_log.jsonl", "AI_AGENT_PROMPT.md")
    ground.saves()
    after = ground.types(POST)
    assert (after.code, "  - Session gate failed: 🔍 SESSION GATE\n" in after.out) == (1, True)
    assert "❌ FAIL: Document does not exist: AI_AGENT_PROMPT.md\n" in after.out
    assert "\n❌ SESSION GATE: 2 checks FAILED\n" in after.out
    assert "  ❌ FAIL: Session gate failed\n" in after.out
    assert "❌ HANDOFF FAILED:\n" in after.out


def test_a_briefing_that_nobody_acknowledged_is_only_said(ground: Ground) -> None:
    passed, text = ground.gate()
    assert passed
    assert "  ⚠️  WARN: agent_state.json has no briefing_acknowledgment\n" in text


@pytest.mark.nightly
def test_a_mandatory_briefing_that_is_there_is_to_be_up_to_date(ground: Ground) -> None:
    assert (
        ground.judges("pre-handoff").rows["briefing"].line == "No mandatory briefing is kept here"
    )
    ground.repo.write(".mosaic/MANDATORY_AGENT_BRIEFING.md", "# Read this\n")
    assert ground.judges("pre-handoff").rows["briefing"].warnings == ()
    ground.saves()  # a test's commits are of the past
    told = ground.judges("pre-handoff").rows["briefing"]
    assert told.warnings == (
        ".mosaic/MANDATORY_AGENT_BRIEFING.md was not updated in the last 24 hours",
    )
    lane = 'lane = ["**"]\n'
    ground.configure(old=lane, new=f'{lane}reading = ["MANDATORY_AGENT_BRIEFING.md"]\n')
    ground.repo.git("rm", "--quiet", ".mosaic/MANDATORY_AGENT_BRIEFING.md")
    told = ground.judges("pre-handoff").rows["briefing"]
    assert told.failures == ("MANDATORY_AGENT_BRIEFING.md does not exist",)


def test_a_link_of_the_handoff_that_leads_nowhere_fails_in_every_clone(ground: Ground) -> None:
    ground.repo.write(".gitignore", ".mosaic/SESSION_HANDOFF_2026-01-19.md\n")
    ground.repo.write(".mosaic/SESSION_HANDOFF_2026-01-19.md", "# Handoff\n")
    (ground.path / HANDOFF).unlink()
    (ground.path / HANDOFF).symlink_to("SESSION_HANDOFF_2026-01-19.md")
    ground.saves()
    missing = ".mosaic/SESSION_HANDOFF_2026-01-19.md (it is there, and not committed)"
    assert f"Referenced file does not exist: {missing}" in ground.judges("pre-handoff").failures
    (ground.path / ".mosaic/SESSION_HANDOFF_2026-01-19.md").unlink()
    assert (
        f"Referenced file does not exist: {missing.split(maxsplit=1)[0]}"
        in ground.judges("post-handoff").failures
    )


def test_the_upstream_of_the_branch_counts_and_without_a_remote_nothing_is_unpushed(
    ground: Ground,
) -> None:
    ground.repo.git("switch", "--quiet", "--create", "topic")
    ground.repo.write("search.py", "pass\n")
    head = ground.commits("the search")[:7]
    mismatch = f"Production state mismatch: Local HEAD {head} != origin/"
    here = "topic, which is not there (unpushed work)"
    assert ground.judges("pre-handoff").failures == [f"{mismatch}{here}"]
    ground.repo.git("branch", "--quiet", "--set-upstream-to=origin/main")
    there = ground.repo.git("rev-parse", "origin/main")[:7]
    assert ground.judges("pre-handoff").failures == [f"{mismatch}main {there} (unpushed work)"]
    ground.repo.git("push", "--quiet", "origin", "topic")
    assert ground.judges("pre-handoff").passed
    ground.repo.write("search.py", "pass  # more\n")
    ground.commits("more")
    ground.repo.git("remote", "remove", "origin")
    assert ground.judges("pre-handoff").passed


@pytest.mark.nightly
def test_a_detached_head_and_an_unfinished_merge_are_said_and_block(ground: Ground) -> None:
    ground.repo.write("search.py", "pass\n")
    ground.commits("the search")
    ground.repo.git("checkout", "--quiet", "--detach")
    (ground.path / ".git/MERGE_HEAD").write_text(ground.repo.git("rev-parse", "HEAD") + "\n")
    failures = ground.judges("pre-handoff").failures
    assert failures[0].startswith("Cannot check git state: HEAD is detached at ")
    assert failures[1] == "Uncommitted changes exist:\na merge is not over"


@pytest.mark.nightly
def test_a_gate_that_is_off_or_only_advises_is_said(ground: Ground) -> None:
    ground.set_gates('pushed = "off"', 'references = "advise"')
    ground.repo.git("rm", "--quiet", FEATURES)
    ground.repo.write("AI_AGENT_PROMPT.md", "See [this](gone.md).\n")
    ground.commits("not pushed")
    found = ground.judges("pre-handoff")
    assert "gate pushed is switched off in handrail.toml" in found.warnings
    assert "Referenced file does not exist: gone.md" in found.warnings
    assert found.failures == [f"Referenced file does not exist: {FEATURES}"]


@pytest.mark.nightly
def test_the_gates_of_the_configuration_are_tests_of_their_own(ground: Ground) -> None:
    ground.configure(
        '\n[[gate]]\nid = "unit-tests"\nstages = ["pre-handoff"]\nrun = ["test", "-e", "ready"]\n'
    )
    done = ground.types(PRE)
    assert done.code == 1
    assert "🧪 Test: Gate unit-tests\n  ❌ FAIL: test ended with status 1\n" in done.out
    assert "📊 PRE-HANDOFF RESULTS: 6/7 tests passed\n" in done.out
    ground.repo.write("ready", "")
    ground.saves()
    assert ground.judges("pre-handoff").passed


@pytest.mark.nightly
def test_a_repository_that_begins_with_it_lacks_a_message_and_nothing_else(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    Repo.create(ground.path)
    done = Handrail(ground.path)("init", "--preset", "mosaic")
    assert done.code == 0, done.err
    ground.commits("handrail")
    short = ["handoff_message is empty or too short"]
    assert ground.judges("pre-handoff").failures == short
    assert ground.judges("post-handoff").failures == short
    assert ground.gate()[0]
    ground.repo.write(HANDOFF, "# Handoff\n")  # what is there has to be in the commit
    missing = f"Referenced file does not exist: {HANDOFF} (it is there, and not committed)"
    assert missing in ground.judges("pre-handoff").failures

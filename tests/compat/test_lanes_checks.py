"""The tracking check: each of the documents' ids, and what they leave open.

Asked in this process; that the scripts ask the same is in ``test_lanes_documents``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from tests.compat.lanes_ground import (
    CHECK,
    CLAIM,
    ME,
    NOTES,
    SESSION,
    TRACKER,
    Ground,
    make_ground,
)

STATE: Final = "ops/tracker/coordination.json"
LEASE: Final = {
    "role": "website",
    "agent_id": "bot-2",
    "scope": "site",
    "session_id": "s",
    "expires_at": "2999-01-01T00:00:00.000000Z",
}


@pytest.fixture
def ground(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A repository whose people follow the lanes' document."""
    return make_ground(tmp_path, tmp_path_factory.mktemp("lanes-template"))


def test_each_fault_has_its_documented_id(ground: Ground) -> None:
    assert ground.checks() == []
    ground.repo.write("odd/file.txt", "x")
    ground.repo.write("site/src/a.qmd", "b\n")
    (ground.path / "ops/HUMAN_QUICKSTART.md").unlink()
    (ground.path / "ops/SESSION_HANDOFF_AGENT.md").unlink()
    assert ground.checks() == [
        "missing_human_quickstart: ops/HUMAN_QUICKSTART.md",
        "missing_agent_handoff: ops/SESSION_HANDOFF_AGENT.md",
        "unknown_scope_owner:odd/file.txt",
        "missing_lane_note_update:website",
        "missing_role_activity:website",
    ]
    ground.repo.git("checkout", "-q", "--", "ops")
    (ground.path / "odd/file.txt").unlink()
    ground.works("website", "site/src/a.qmd")
    assert ground.checks() == ["missing_or_expired_lease:website"]
    assert ground.claims("website", "site/src", "bot-9", "s-9").code == 0
    assert ground.checks() == ["session_or_agent_mismatch:website:s-9:bot-9"]
    ground.adds_row("s-9", "website", "bot-9")
    assert ground.checks() == []
    ground.repo.write(TRACKER, "# Nothing\n")
    faults = ground.checks()
    assert faults[0] == (
        "missing_role_ledger_section: expected heading '## 2) Role Activity Ledger'"
    )
    (ground.path / TRACKER).unlink()
    assert ground.checks() == [f"missing_master_tracker: {TRACKER}"]


def test_work_in_several_lanes_needs_the_integrators_row_and_lease(ground: Ground) -> None:
    ground.works("website", "site/src/a.qmd")
    ground.works("topic01", "content/topics/topic01_intro/a.md")
    for role, scope in (("website", "site/src"), ("topic01", "content/topics/topic01_intro")):
        assert ground.claims(role, scope).code == 0
    lease = "missing_or_expired_lease:integrator"
    assert ground.checks() == ["missing_integrator_coordination", lease]
    ground.adds_coordination(SESSION, "website, topic01")
    assert ground.checks() == [lease]
    assert ground.claims("integrator", "AGENTS.md", "boss", "s-boss").code == 0
    assert ground.checks() == ["session_or_agent_mismatch:integrator:s-boss:boss"]
    ground.adds_coordination("s-boss", "website, topic01")
    assert ground.checks() == []


def test_the_integrators_row_in_section_2_is_accepted_with_a_notice(ground: Ground) -> None:
    ground.works("website", "site/src/a.qmd")
    ground.works("topic01", "content/topics/topic01_intro/a.md")
    for role, scope in (("website", "site/src"), ("topic01", "content/topics/topic01_intro")):
        assert ground.claims(role, scope).code == 0
    assert ground.claims("integrator", "AGENTS.md", "boss", "s-boss").code == 0
    ground.adds_row("s-boss", "integrator", "boss")
    done = ground.asks("check-tracking", "--check")
    assert done.code == 0, done
    assert done.out.splitlines() == [
        "[tracking][notice] the integrator's row stands in section 2; section 3 is its place",
        "[tracking] tracking contracts OK",
    ]


def test_a_lease_counts_for_what_it_covers_and_no_row_of_the_past_for_anything(
    ground: Ground,
) -> None:
    ground.works("website", "site/src/a.qmd", "old-bot", "2026-02-01-first")
    assert (
        ground.claims("website", "site/totally/unrelated", "old-bot", "2026-02-01-first").code == 0
    )
    assert ground.checks() == ["missing_or_expired_lease:website"]
    assert ground.claims("website", "site/src", "old-bot", "2026-02-01-first").code == 0
    assert ground.checks() == []
    ground.repo.git("checkout", "-q", "--", TRACKER)
    assert "2026-02-01-first | website | old-bot" in (ground.path / TRACKER).read_text()
    assert ground.checks() == ["missing_role_activity:website"]


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        ("[]", "invalid_coord_state:not-an-object"),
        ('{"leases": [', "invalid_coord_state:not-an-object"),
        ({"leases": {}}, "invalid_coord_state:missing-or-invalid-leases"),
        ({"handoffs": None}, "invalid_coord_state:missing-or-invalid-handoffs"),
        ({"conflicts": "x"}, "invalid_coord_state:missing-or-invalid-conflicts"),
        ({"leases": [{**LEASE, "scope": ""}]}, "invalid_lease_record:missing-required-fields"),
        ({"leases": ["x"]}, "invalid_lease_record:missing-required-fields"),
        (
            {"leases": [{**LEASE, "expires_at": "soon"}]},
            "invalid_lease_record:bad-expires-at:website:bot-2",
        ),
        (
            {"leases": [{**LEASE, "session_id": "manual-session"}]},
            "invalid_lease_session:website:bot-2:manual-session",
        ),
        ({"leases": [LEASE, LEASE]}, "multi_active_lease_conflict:website"),
    ],
)
def test_a_state_file_that_somebody_wrote_is_judged_as_documented(
    ground: Ground, state: str | dict[str, object], fault: str
) -> None:
    whole: dict[str, object] = {"leases": [], "handoffs": [], "conflicts": []}
    text = state if isinstance(state, str) else json.dumps({**whole, **state})
    ground.repo.write(STATE, text)
    assert fault in ground.checks()


def test_what_cannot_be_told_is_no_pass(ground: Ground) -> None:
    done = ground.asks("check-tracking", "--check", "--base-ref", "origin/nowhere")
    assert done.code == 1
    assert done.out.startswith("[tracking][fail] cannot tell: facts_unavailable: "), done
    done = ground.asks("check-tracking", "--check", env={"GITHUB_BASE_REF": "main"})
    assert done.out.startswith("[tracking][fail] cannot tell: "), done
    ground.repo.write("ops/tracker/contracts.json", "{")
    done = ground.asks("check-tracking", "--check")
    told = "[tracking][fail] invalid tracking contract JSON: ops/tracker/contracts.json ("
    assert (done.code, done.out[: len(told)]) == (1, told)
    done = ground.asks("check-tracking")
    assert (done.code, done.out) == (1, "Use --check\n")
    assert ground.asks("check-tracking", "--check", "--mode", "none").code == 2


def test_after_the_release_a_range_is_judged_by_the_leases_it_was_attested_under(
    ground: Ground,
) -> None:
    ground.repo.git("branch", "base")
    assert ground.claims("website", "site/src").code == 0
    ground.works("website", "site/src/a.qmd")
    ground.repo.git("add", "--all")
    ground.repo.git("commit", "-qm", "nav", env={"AGENT_SESSION_ID": SESSION})
    release = ("--release", "--role", "website", "--agent-id", "bot-2")
    done = ground.asks("agent-coord", *release)
    assert done.code == 0
    told = ground.asks("check-tracking", "--check", "--base-ref", "base", "--verbose")
    assert (told.code, told.out.splitlines()) == (
        0,
        [
            "[tracking] changed_files=3",
            "[tracking] live_lease_mode=0",
            "[tracking] roles_touched=website,integrator",
            "[tracking] tracking contracts OK",
        ],
    )
    assert ground.checks("--base-ref", "base", "--mode", "live") == [
        "missing_or_expired_lease:website"
    ]
    ground.works("website", "site/src/a.qmd", text="more")
    ground.repo.git("add", "--all")
    ground.repo.git("-c", "core.hooksPath=/dev/null", "commit", "-qm", "unseen")
    assert ground.checks("--base-ref", "base") == ["missing_or_expired_lease:website"]


def test_historical_mode_looks_at_the_newest_lease_of_each_role_also_when_it_is_over(
    ground: Ground,
) -> None:
    release = ("--release", "--agent-id", "bot-2", "--role")
    for role, scope in (("website", "site/src"), ("topic01", "content/topics/topic01_intro")):
        assert ground.claims(role, scope).code == 0
        assert ground.asks("agent-coord", *release, role).code == 0
    assert ground.claims("integrator", "AGENTS.md", "boss", "s-boss").code == 0
    ground.works("website", "site/src/a.qmd", "bot-9")
    ground.works("topic01", "content/topics/topic01_intro/a.md")
    ground.adds_coordination("s-boss", "website, topic01")
    told = ground.asks("check-tracking", "--check", "--mode", "historical", "--verbose")
    assert (told.code, told.out.splitlines()) == (
        1,
        [
            "[tracking] changed_files=5",
            "[tracking] live_lease_mode=0",
            "[tracking] roles_touched=topic01,website,integrator",
            "[tracking] historical mode integrator lease=s-boss:boss",
            "[tracking][fail] tracking contract violations",
            f"- session_or_agent_mismatch:website:{SESSION}:bot-2",
        ],
    )
    ground.adds_row(SESSION, "website", "bot-2")
    assert ground.checks("--mode", "historical") == []


@pytest.mark.nightly
def test_check_commit_check_commit_twenty_times_stays_green_with_all_hooks(ground: Ground) -> None:
    for number in range(20):
        assert ground.types(CLAIM, ME).code == 0
        ground.works("website", "site/src/a.qmd", text=f"work {number}")
        assert ground.types(CHECK, ME).code == 0
        done = ground.types("git add --all && git commit --quiet --message work", ME)
        assert done.code == 0, done
        assert ground.types(CHECK, ME).code == 0
        assert ground.repo.git("status", "--porcelain") == ""


def test_check_commit_check_commit_twenty_times_stays_green(ground: Ground) -> None:
    hooks = ("-c", "core.hooksPath=/dev/null")
    for number in range(20):
        assert ground.claims("website", "site/src").code == 0
        ground.works("website", "site/src/a.qmd", text=f"work {number}")
        assert ground.checks() == []
        ground.repo.git("add", "--all")
        ground.repo.git(*hooks, "commit", "-qm", "work")
        assert ground.checks() == []
    assert NOTES["website"] in ground.repo.git("show", "--name-only")

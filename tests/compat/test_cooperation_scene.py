"""The mob's scene by the calls under the slash commands alone, and the lines that they print."""

from __future__ import annotations

import json

import pytest

from handrail import errors
from tests.compat.cooperation_ground import COMMAND, EVIDENCE, Ground


def test_a_mob_goes_through_all_phases_with_a_revise_and_a_red_test(mob: Ground) -> None:
    person = mob.shell()

    def decides(gate: str, decision: str, out: str) -> None:
        done = person.types(f"{COMMAND} checkpoint {gate} {decision}", terminal=True)
        assert (done.code, done.out) == (0, out), done

    told = mob.does("cooperate", "Tidy the menu component")
    task = told.split("task=")[1].split()[0]
    assert told == (
        f"[mob-orchestrator] task={task} phase=plan role=architect sandbox=read-only\n"
        "next: product-planner via /handoff architect\n"
        "planned implementer: frontend-ux\n"
    )
    assert mob.handoff(task, 1)["from_role"] == "system"
    assert (mob.path / EVIDENCE / task).is_dir()

    def hands(word: str, number: int, ways: str, phase: str, sandbox: str, *more: str) -> None:
        assert mob.does("handoff", word, *more) == (
            f"[handoff] task={task} seq={number:03d} {ways}\n"
            f"next phase: {phase} sandbox: {sandbox}\n"
        )

    hands("architect", 1, "system → architect", "plan", "read-only")
    refused = mob.asks("handoff", "reviewer")
    assert (refused.code, "plan_check" in refused.err) == (1, True)
    mob.leaves(task, "plan.md", "1. Tidy src/menu.ts\n")
    # Agents decide nothing: the refusal has the line for the person.
    refused = mob.asks("checkpoint", "plan_check", "approve")
    assert (refused.code, refused.out) == (1, "")
    assert f"handrail checkpoint approve plan_check --task {task}\n" in refused.err
    decides(
        *("plan_check", "revise"),
        f"[checkpoint] task={task} gate=plan_check decision=revise\n"
        "next phase: plan role: architect\nrevise count: 1/2\n",
    )
    decides(
        *("plan_check", "approve"),
        f"[checkpoint] task={task} gate=plan_check decision=approve\n"
        "next phase: claude_review role: reviewer\nrevise count: 1/2\n",
    )
    hands("reviewer", 2, "architect → reviewer", "claude_review", "read-only")
    with pytest.raises(errors.SandboxReadOnly):
        mob.edits("src/menu.ts")
    mob.leaves(task, "claude-review.md")
    person.types(f"{COMMAND} checkpoint review_check approve", terminal=True)
    hands(
        *("implementer:frontend-ux", 3, "reviewer → implementer", "implement", "workspace-write"),
        *("--scope", "src/menu.ts", "--scope", "tests"),
    )
    mob.edits("src/menu.ts")
    with pytest.raises(errors.Refused) as caught:
        mob.edits("src/other.ts")
    assert caught.value.code == "scope_needs_handoff"
    mob.leaves(task, "implementation-result.md")
    hands("test-runner", 4, "implementer → implementer", "test", "read-only")
    with pytest.raises(errors.SandboxReadOnly):
        mob.edits("src/menu.ts")
    mob.edits("tests/menu.test.ts")

    # A red test sends the work back; a green one leads on.
    mob.leaves(task, "test-report.md", "## Verdict\nred\n")
    hands("frontend-ux", 5, "implementer → implementer", "implement", "workspace-write")
    mob.edits("src/menu.ts")
    hands("test-runner", 6, "implementer → implementer", "test", "read-only")
    mob.leaves(task, "test-report.md", "## Verdict\ngreen\n")
    hands("reviewer", 7, "implementer → reviewer", "claude_final", "read-only")
    mob.leaves(task, "claude-final-critique.md")
    decides(
        *("final_check", "approve"),
        f"[checkpoint] task={task} gate=final_check decision=approve\n"
        "next phase: done role: —\nrevise count: 0/2\n",
    )
    (shown,) = mob.tasks()
    assert (shown["status"], shown["revise_count"]) == ("completed", {"plan_check": 1})
    assert [row["seq"] for row in shown["recent_handoffs"]] == ["003", "004", "005", "006", "007"]
    assert [(row["gate"], row["decision"]) for row in shown["checkpoints"]] == [
        *(("plan_check", "revise"), ("plan_check", "approve"), ("review_check", "approve")),
        ("final_check", "approve"),
    ]
    sources = json.loads((mob.path / EVIDENCE / task / "sources.json").read_text())
    assert sources["task_id"] == task
    assert mob.asks("handoff", "reviewer").err.startswith("no active cooperation\n")
    mob.sound()

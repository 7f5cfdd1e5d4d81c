"""The rules and anti-patterns of the cooperation documents, line by line."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from handrail import errors
from handrail.projections.cooperation import FAMILIES
from handrail.projections.cooperation_handoffs import FOLDER
from handrail.projections.port import Known
from handrail.service.evidence_runs import EvidenceRuns
from handrail.service.sessions import Sessions
from tests.compat.cooperation_ground import (
    EVIDENCE,
    HANDOFFS,
    MOB,
    TASKS,
    Ground,
    document,
)


def refused(mob: Ground, path: str, session: str = MOB) -> str:
    with pytest.raises(errors.Refused) as caught:
        mob.edits(path, session=session)
    return caught.value.code


SHAPE: Final[dict[str, Any]] = {
    "task_id": "coop-20260601-090000-nav",
    "timestamp": "2026-06-01T09:20:00Z",
    "from_role": "architect",
    "to_role": "reviewer",
    "context": {
        "task_description": "Tidy the menu",
        "requirements": ["two levels"],
        "constraints": ["no new dependency"],
        "files_in_scope": ["src/menu.ts"],
        "sandbox": "read-only",
    },
    "artifacts": {
        "produced": [".cooperations/evidence/coop-20260601-090000-nav/plan.md"],
        "consumed": ["specs/product.md"],
    },
    "metadata": {"phase": "plan", "next_phase": "claude_review", "next_checkpoint": "plan_check"},
}
"""A handoff in the fields of the document's example, in their order."""


def example() -> dict[str, Any]:
    """Return the handoff that the document shows; where that is not there, one of its shape."""
    text = document()
    found = SHAPE if text is None else json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert keys(found) == keys(SHAPE)
    return found


def keys(value: object) -> object:
    """Return the fields of an object, and of those within it."""
    return {name: keys(one) for name, one in value.items()} if isinstance(value, dict) else None


def test_a_handoff_has_the_fields_of_the_documents_example_in_their_order(mob: Ground) -> None:
    wanted = example()
    task = mob.begins(to="claude_review")
    written = mob.handoff(task, 2)
    for part in ("context", "artifacts", "metadata"):
        assert list(written[part])[: len(wanted[part])] == list(wanted[part])
    assert list(written) == list(wanted)
    assert written["metadata"] == {
        "phase": "plan",
        "next_phase": "claude_review",
        "next_checkpoint": "review_check",
    }
    assert written["artifacts"]["produced"] == [f"{EVIDENCE}/{task}/plan.md"]
    told = FOLDER.read(Known(0), {f"{wanted['task_id']}-001.json": json.dumps(wanted).encode()})
    assert told.told == ()


# --- rules ---------------------------------------------------------------------------------------


def test_a_specialist_may_not_start_unless_the_newest_handoff_is_for_its_family(
    mob: Ground,
) -> None:
    task = mob.begins(to="plan")
    for role, code in (
        ("frontend-ux", "no_handoff"),
        ("deployment-reviewer", "no_handoff"),
        ("mob-orchestrator", "no_handoff"),
    ):
        mob.session(id=role, agent=role, role=role)
        assert refused(mob, "src/menu.ts", role) == code
    mob.leaves(task, "plan.md")
    mob.decides("plan_check", "approve", task)
    # The reviewer is there in a session of its own: the handoff waits for it, and for nobody else.
    told = mob.asks("handoff", "reviewer")
    assert told.code == 0
    assert f"handrail handoff accept {task}" in told.err
    assert refused(mob, "src/menu.ts", "frontend-ux") == "not_your_handoff"
    assert refused(mob, "src/menu.ts", MOB) == "handed_off"
    mob.does("handoff", "reviewer", "--task", task, session="deployment-reviewer")
    assert refused(mob, "src/menu.ts", MOB) == "handed_off"
    assert refused(mob, "src/menu.ts", "deployment-reviewer") == "sandbox_read_only"


def test_every_handoff_is_a_row_of_the_ledger_and_five_are_kept(mob: Ground) -> None:
    task = mob.begins(to="claude_final")
    (shown,) = mob.tasks()
    assert [row["seq"] for row in shown["recent_handoffs"]] == ["001", "002", "003", "004", "005"]
    assert shown["recent_handoffs"][0] == {
        "seq": "001",
        "from_role": "system",
        "to_role": "architect",
        "timestamp": mob.handoff(task, 1)["timestamp"],
    }
    mob.does("handoff", "navigator", "--task", task)
    (shown,) = mob.tasks()
    assert [row["seq"] for row in shown["recent_handoffs"]] == ["002", "003", "004", "005", "006"]


def test_numbers_rise_and_are_never_used_again_whatever_is_deleted(mob: Ground) -> None:
    task = mob.begins(to="implement")
    for file in (mob.path / HANDOFFS).iterdir():
        file.unlink()
    mob.leaves(task, "implementation-result.md")
    mob.does("handoff", "test-runner")
    assert [file.name for file in (mob.path / HANDOFFS).iterdir()] == [f"{task}-004.json"]
    mob.exports()
    names = sorted(file.name for file in (mob.path / HANDOFFS).iterdir())
    assert names == [f"{task}-{number:03d}.json" for number in (1, 2, 3, 4)]


def test_times_are_the_stores_in_utc_to_the_second_and_in_the_order_of_events(mob: Ground) -> None:
    task = mob.begins(to="implement")
    stamps = [mob.handoff(task, number)["timestamp"] for number in (1, 2, 3)]
    decided = [row["timestamp"] for row in mob.tasks()[0]["checkpoints"]]
    every = [stamps[0], decided[0], stamps[1], decided[1], stamps[2]]
    assert every == sorted(every)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp) for stamp in every)
    assert all(datetime.fromisoformat(stamp) for stamp in every)


def test_to_widen_the_scope_takes_another_handoff(mob: Ground) -> None:
    task = mob.begins(to="implement")
    assert mob.handoff(task, 3)["context"]["files_in_scope"] == ["src/menu.ts", "tests"]
    mob.edits("src/menu.ts", "tests/menu.test.ts")
    assert refused(mob, "src/wider.ts") == "scope_needs_handoff"
    mob.does("handoff", "frontend-ux", "--scope", "src/menu.ts", "--scope", "src/wider.ts")
    mob.edits("src/wider.ts")
    assert mob.handoff(task, 4)["metadata"]["kind"] == "block"


def test_roles_of_a_handoff_are_of_the_documented_families(mob: Ground) -> None:
    task = mob.begins(to="claude_final")
    for number in range(1, 6):
        handoff = mob.handoff(task, number)
        assert {handoff["from_role"], handoff["to_role"]} <= set(FAMILIES)
    assert mob.handoff(task, 4)["to_role"] == "implementer"
    assert mob.handoff(task, 4)["context"]["implementer_agent"] == "test-runner"
    (shown,) = mob.tasks()
    assert (shown["current_role"], shown["current_phase"]) == ("reviewer", "claude_final")


def test_a_handoff_whose_artifact_is_missing_is_refused(mob: Ground) -> None:
    task = mob.begins(to="implement")
    done = mob.asks("handoff", "test-runner")
    assert done.code == 1
    assert "artifact_missing" in done.err
    assert f"{EVIDENCE}/{task}/implementation-result.md" in done.err
    mob.leaves(task, "implementation-result.md")
    # Nor may a phase be skipped that has to leave one.
    done = mob.asks("handoff", "reviewer")
    assert (done.code, "wrong_phase" in done.err, "test-report.md" in done.err) == (1, True, True)
    mob.does("handoff", "test-runner")


def test_another_session_goes_on_where_the_one_before_it_ended(mob: Ground) -> None:
    task = mob.begins(to="implement")
    with mob.open(MOB) as application:
        Sessions(application.context).end()
    mob.session(id="next", agent="bot")
    assert "next step: /handoff frontend-ux\n" in mob.does("status", task, session="next")
    assert refused(mob, "src/menu.ts", "next") == "no_handoff"
    told = mob.does("handoff", "frontend-ux", session="next")
    assert told.startswith(f"[handoff] task={task} seq=003 reviewer → implementer\n")
    mob.edits("src/menu.ts", session="next")
    assert not (mob.path / HANDOFFS / f"{task}-004.json").exists()
    mob.leaves(task, "implementation-result.md")
    with mob.open("next") as application:
        Sessions(application.context).end()
    mob.session(id="third", agent="bot")
    told = mob.does("handoff", "test-runner", session="third")
    assert told.startswith(f"[handoff] task={task} seq=004 implementer → implementer\n")


def test_of_two_handoffs_at_once_the_second_is_refused(mob: Ground) -> None:
    task = mob.begins(to="plan")
    mob.leaves(task, "plan.md")
    mob.decides("plan_check", "approve", task)
    mob.session(id="rev", agent="rev", role="deployment-reviewer")
    mob.does("handoff", "reviewer")
    done = mob.asks("handoff", "architect", "--task", task)
    assert (done.code, done.err.startswith("handoff refused: packet_open: ")) == (1, True)


def test_the_review_is_never_skipped_and_only_people_decide(mob: Ground) -> None:
    task = mob.begins(to="plan")
    mob.leaves(task, "plan.md")
    done = mob.asks("handoff", "frontend-ux")
    assert (done.code, "plan_check" in done.err) == (1, True)
    mob.decides("plan_check", "approve", task)
    done = mob.asks("handoff", "frontend-ux")
    assert (done.code, "wrong_phase" in done.err, "--to reviewer" in done.err) == (1, True, True)
    mob.does("handoff", "reviewer")
    mob.leaves(task, "claude-review.md")
    done = mob.asks("checkpoint", "review_check", "approve")
    assert (done.code, done.err.startswith("checkpoint refused: needs_person: ")) == (1, True)
    assert [row["gate"] for row in mob.tasks()[0]["checkpoints"]] == ["plan_check"]


def test_what_a_review_asks_for_comes_back_as_it_was_written(mob: Ground) -> None:
    task = mob.begins(to="claude_review")
    mob.leaves(task, "claude-review.md")
    mob.decides("review_check", "approve", task)
    conditions = ["RC1 (binding) keep the fallback", "RC2 (advisory) name it better"]
    said = {
        "to_role": "test-runner",
        "context": {
            "requirements": ["the menu folds"],
            "conditions": conditions,
            "files_in_scope": ["src/menu.ts"],
            "user_choices": {"colour": "blue"},
        },
        "artifacts": {"consumed": ["specs/product.md"]},
        "metadata": {"phase": "null", "next_phase": None},
    }
    mob.repo.write(".cooperations/scratch/handoff.json", json.dumps(said))
    file = str(mob.path / ".cooperations/scratch/handoff.json")
    mob.does("handoff", "implementer", "--packet", file)
    context = mob.handoff(task, 3)["context"]
    assert context["conditions"] == conditions
    assert context["requirements"] == ["the menu folds"]
    assert context["constraints"] == ["demo-mode parity preserved", "no spec drift"]
    assert context["task_description"] == "Tidy the menu component"
    assert context["implementer_agent"] == "frontend-ux"
    assert context["user_choices"] == {"colour": "blue"}


# --- anti-patterns -------------------------------------------------------------------------------


def test_src_is_not_edited_without_a_handoff_that_points_at_one(mob: Ground) -> None:
    assert refused(mob, "src/menu.ts") == "no_handoff"
    assert refused(mob, "README.md") == "no_handoff"
    mob.begins(to="plan")
    assert refused(mob, "src/menu.ts") == "sandbox_read_only"


def test_no_lane_of_an_implementer_has_what_is_never_written(mob: Ground) -> None:
    mob.begins(to="implement")
    for path in ("specs/product.md", ".env", ".env.local", "node_modules/x.js", ".next/x.js"):
        assert refused(mob, path) in ("scope_needs_handoff", "outside_lane")
    # Nor does a handoff that names it give it.
    mob.does("handoff", "frontend-ux", "--scope", "specs/product.md", "--scope", "src/menu.ts")
    assert refused(mob, "specs/product.md") == "outside_lane"
    mob.edits("src/menu.ts")


def test_a_handoff_always_leads_to_a_phase(mob: Ground) -> None:
    task = mob.begins(to="claude_final")
    for number in range(1, 6):
        assert mob.handoff(task, number)["metadata"]["next_phase"]


def test_a_handoff_file_that_somebody_typed_is_none(mob: Ground) -> None:
    task = mob.begins(to="plan")
    typed = {**mob.handoff(task, 1), "from_role": "architect", "to_role": "implementer"}
    path = f"{HANDOFFS}/{task}-002.json"
    assert refused(mob, path) == "sandbox_read_only"
    mob.repo.write(path, json.dumps(typed))
    assert refused(mob, "src/menu.ts") == "sandbox_read_only"
    # A packet's own file is written anew, and what was typed into it is told.
    mob.repo.write(f"{HANDOFFS}/{task}-001.json", json.dumps(typed))
    shown = next(one for one in mob.exports() if one.path == HANDOFFS)
    assert [one.code for one in shown.told] == ["tool_field", "tool_field"]
    assert mob.handoff(task, 1)["to_role"] == "architect"
    assert json.loads((mob.path / path).read_text()) == typed


def test_a_decision_that_an_agent_typed_into_the_ledger_is_told_and_counts_for_nothing(
    mob: Ground,
) -> None:
    task = mob.begins(to="plan")
    mob.leaves(task, "plan.md")
    file = json.loads((mob.path / TASKS).read_text())
    decided = {"gate": "plan_check", "decision": "approve", "timestamp": "2026-06-01T09:00:00Z"}
    file["tasks"][0]["checkpoints"] = [decided]
    mob.repo.write(TASKS, json.dumps(file))
    assert refused(mob, TASKS) == "sandbox_read_only"
    assert mob.asks("handoff", "reviewer").code == 1
    shown = next(one for one in mob.exports() if one.path == TASKS)
    assert [(one.place, one.code) for one in shown.told] == [("tasks[0].checkpoints", "tool_field")]
    assert mob.tasks()[0]["checkpoints"] == []


def test_the_first_handoff_names_no_files(mob: Ground) -> None:
    first = mob.handoff(mob.begins(to="plan"), 1)
    assert first["context"]["files_in_scope"] == []
    assert (first["from_role"], first["to_role"]) == ("system", "architect")
    assert first["metadata"] == {
        "phase": None,
        "next_phase": "plan",
        "next_checkpoint": "plan_check",
    }


# --- one cooperation at a time -------------------------------------------------------------------


def test_one_cooperation_is_in_progress_unless_somebody_says_interleave(mob: Ground) -> None:
    first = mob.begins(to="plan")
    done = mob.asks("cooperate", "Another one")
    assert (done.code, done.err.splitlines()[0]) == (1, f"active cooperation: {first}")
    mob.does("cooperate", "--interleave", "Another one")
    done = mob.asks("cooperate", "--interleave", "A third")
    assert (done.code, done.err.splitlines()[0]) == (1, "settle existing cooperation first")
    told = mob.does("status")
    assert told == f"several cooperations are in progress: {first}, {mob.tasks()[1]['id']}\n"
    assert mob.asks("cooperate", "  ").err.splitlines()[0] == "cooperate needs a task description"
    mob.decides("plan_check", "stop", first)
    assert [row["status"] for row in mob.tasks()] == ["halted", "in_progress"]


def test_a_description_is_data_however_it_reads(mob: Ground, tmp_path: Path) -> None:
    hostile = 'a$(touch /tmp/x) `id` "; rm -rf . #\n--interleave \x1b[2J\u202e {"tasks": []}'
    (tmp_path / "task.txt").write_text(hostile)
    told = mob.does("cooperate", "--file", str(tmp_path / "task.txt"))
    task = told.split("task=")[1].split()[0]
    assert mob.tasks()[0]["description"] == hostile
    assert mob.handoff(task, 1)["context"]["task_description"] == hostile
    shown = mob.does("status")
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\n--interleave" not in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("handoff", "revewer"), "did you mean reviewer"),
        (("handoff", ""), "There is no role"),
        (("handoff", "human"), "people decide at checkpoints"),
        (("handoff", "system"), "There is no role"),
        (("handoff", "implementer:deployment-reviewer"), "There is no role"),
        (("checkpoint", "plan_check", "ok"), "No decision is 'ok': approve, revise, stop."),
        (("checkpoint", "", "stop"), "Which gate"),
        (("status", "coop-1"), "unknown_task"),
        (("handoff", "architect", "--packet", "/nowhere"), "There is no file"),
    ],
)
def test_words_that_mean_nothing_are_refused_with_what_is_possible(
    mob: Ground, words: tuple[str, ...], said: str
) -> None:
    mob.begins(to="plan")
    done = mob.asks(*words)
    assert done.code in (1, 2)
    assert said in done.err, done.err
    assert "\n  next: " in done.err


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"context": {"files_in_scope": ["src/a.ts (only if needed)"]}}, "prose_in_path"),
        ({"artifacts": {"produced": ["src/a.ts and more"]}}, "prose_in_path"),
        ({"context": {"files_in_scope": ["/etc/passwd"]}}, "malformed_packet"),
        ({"context": {"files_in_scope": "src"}}, "malformed_packet"),
        ({"context": {"requirements": None}}, ""),
        ("not json", "malformed_packet"),
        ([], "malformed_packet"),
    ],
)
def test_a_draft_is_checked_before_anything_is_handed_over(
    mob: Ground, said: object, code: str
) -> None:
    task = mob.begins(to="claude_review")
    mob.leaves(task, "claude-review.md")
    mob.decides("review_check", "approve", task)
    text = said if isinstance(said, str) else json.dumps(said)
    mob.repo.write(".cooperations/scratch/handoff.json", text)
    file = str(mob.path / ".cooperations/scratch/handoff.json")
    done = mob.asks("handoff", "frontend-ux", "--packet", file)
    assert (done.code == 0) == (code == ""), done
    assert code in done.err
    assert (mob.path / HANDOFFS / f"{task}-003.json").exists() == (code == "")


# --- the bundle ----------------------------------------------------------------------------------


def test_the_bundle_is_made_from_what_was_committed_and_run_and_from_nothing_typed(
    mob: Ground,
) -> None:
    task = mob.begins(to="implement")
    mob.repo.write("src/menu.ts", "export const menu = 2;\n")
    mob.commits("Tidy the menu", "src/menu.ts")
    with mob.open(MOB) as application:
        runs = EvidenceRuns(application.context, application.bench(str(mob.path)))
        runs.run(("true",))
        runs.run(("sh", "-c", "echo broken; exit 1"))
    with mob.open() as application:  # what somebody else ran is no evidence of this task
        EvidenceRuns(application.context, application.bench(str(mob.path))).run(("sh", "-c", "no"))
    typed = b'{"everything": "green"}'
    mob.repo.write(f"{EVIDENCE}/{task}/health.json", typed.decode())
    assert not (mob.path / EVIDENCE / task / "sources.json").exists()
    mob.leaves(task, "implementation-result.md")
    mob.does("handoff", "test-runner")
    mob.leaves(task, "test-report.md")
    mob.does("handoff", "reviewer")
    mob.leaves(task, "claude-final-critique.md")
    mob.decides("final_check", "approve", task)
    folder = mob.path / EVIDENCE / task
    sources = json.loads((folder / "sources.json").read_text())
    head = mob.repo.git("rev-parse", "HEAD")
    assert sources == {
        "task_id": task,
        "specs_touched": [],
        "src_touched": ["src/menu.ts"],
        "tests_touched": [],
        "commits": [{"sha": head, "subject": "Tidy the menu"}],
    }
    health = json.loads((folder / "health.json").read_text())
    assert health == {
        "true": "green",
        "sh -c 'echo broken; exit 1'": "red",
        "working tree": "clean",
    }
    assert (folder / "health.json.before-1").read_bytes() == typed
    assert (folder / "outputs" / "sh-c-echo-broken-exit-1.txt").read_text().endswith("broken\n")

"""Files as the two cooperation systems leave them: what a hundred of them may look like.

``handoffs`` and ``tasks`` are of the adaptation, ``arrays`` and ``bare_tasks`` of the Go tool.
"""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import strategies as st

from handrail.projections.cooperation import DECISIONS, GATES, PHASES

words: Final = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=24)
lists: Final = st.lists(words, max_size=3)
roles: Final = st.sampled_from(
    ("architect", "implementer", "reviewer", "navigator", "human", "system", "test-runner", "boss")
)
instants: Final = st.integers(0, 99).map(lambda n: f"2026-05-{n % 28 + 1:02d}T12:{n % 60:02d}:43Z")
ids: Final = st.from_regex(r"coop-2026051[0-9]-12[0-5][0-9]43-[a-z]{3}", fullmatch=True)
go_ids: Final = st.integers(10**18, 2 * 10**18).map(str)
paths: Final = st.sampled_from(
    ("src/a.ts", "tests/**", "src/server/crypto.ts (only if a real bug is found)", "specs/p.md")
)
checkpoints: Final = st.sampled_from((*GATES, None, "(none until claude_final)", "null"))
phases: Final = st.sampled_from((*PHASES, None, "done"))
EXTRA: Final = {
    "implementer_agent": words,
    "lead_implementer": words,
    "user_choices": st.dictionaries(words, words, max_size=2),
    "review_verdict": words,
    "plan_verdict": words,
    "implement_verdict": words,
    "test_verdict": words,
    "summary": lists,
    "conditions": st.lists(
        st.sampled_from(("RC1 (binding) keep it", "RC2 (advisory)", "C7")), max_size=2
    ),
    "review_focus": lists,
    "requirements_for_claude_final": lists,
    "files_in_scope_for_reading": st.lists(paths, max_size=2),
    "files_likely_in_scope_for_implementer": st.lists(paths, max_size=2),
    "open_design_questions_for_plan": lists,
    "cross_domain_authorized": st.booleans(),
    "spec_edits_landed": lists,
    "trigger": words,
    "note": words,
    "something else": words,
}


def handoffs() -> st.SearchStrategy[dict[str, Any]]:
    """Handoffs of the adaptation, with all that real ones carry."""
    context = st.fixed_dictionaries(
        {"task_description": words, "sandbox": st.sampled_from(("read-only", "workspace-write"))},
        optional={
            "requirements": lists,
            "constraints": lists,
            "files_in_scope": st.lists(paths, max_size=3),
            **EXTRA,
        },
    )
    return st.fixed_dictionaries(
        {
            "task_id": ids,
            "timestamp": instants,
            "from_role": roles,
            "to_role": roles,
            "context": context,
            "artifacts": st.fixed_dictionaries(
                {"produced": st.lists(paths, max_size=2), "consumed": st.lists(paths, max_size=2)}
            ),
            "metadata": st.fixed_dictionaries(
                {"phase": phases},
                optional={"next_phase": phases, "next_checkpoint": checkpoints},
            ),
        }
    )


def tasks() -> st.SearchStrategy[dict[str, Any]]:
    """Ledgers of the adaptation."""
    row = st.fixed_dictionaries(
        {"seq": st.integers(1, 9), "from_role": roles, "to_role": roles, "timestamp": instants}
    )
    decision = st.fixed_dictionaries(
        {
            "gate": st.sampled_from(GATES),
            "decision": st.sampled_from(DECISIONS),
            "timestamp": instants,
        }
    )
    task = st.fixed_dictionaries(
        {
            "id": ids,
            "description": words,
            "created_at": instants,
            "status": st.sampled_from(("in_progress", "completed", "halted", "done")),
            "current_phase": phases,
            "current_role": roles,
        },
        optional={
            "sandbox": st.sampled_from(("read-only", "workspace-write")),
            "current_sandbox": st.just("read-only"),
            "planned_implementer": words,
            "recent_handoffs": st.lists(row, max_size=5),
            "checkpoints": st.lists(decision, max_size=4),
            "revise_count": st.dictionaries(st.sampled_from(GATES), st.integers(0, 2)),
            "completed_at": instants,
            "user_choices": st.dictionaries(words, words, max_size=2),
            "close_out": words,
        },
    )
    many = st.lists(task, max_size=4, unique_by=lambda one: str(one["id"]))
    return st.fixed_dictionaries({"tasks": many}, optional={"version": st.integers(0, 3)})


def arrays() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Handoffs of the Go tool: a file of them."""
    one = st.fixed_dictionaries(
        {
            "task_id": go_ids,
            "timestamp": instants,
            "from_role": roles,
            "to_role": roles,
            "context": st.fixed_dictionaries(
                {"task_description": words, "requirements": lists, "constraints": lists},
                optional={"files_in_scope": st.lists(paths, max_size=2)},
            ),
            "artifacts": st.fixed_dictionaries(
                {}, optional={"design_doc": words, "interfaces": lists, "code": words}
            ),
            "metadata": st.fixed_dictionaries(
                {"tokens_used": st.integers(0, 9999), "model": words},
                optional={"duration_ms": st.integers(0, 9999), "confidence": st.floats(0, 1)},
            ),
        }
    )
    return st.lists(one, max_size=3)


def bare_tasks() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Ledgers of the Go tool: a bare array."""
    one = st.fixed_dictionaries(
        {
            "id": go_ids,
            "description": words,
            "created_at": instants,
            "status": st.sampled_from(("pending", "in_progress", "completed", "failed")),
        }
    )
    return st.lists(one, max_size=4, unique_by=lambda one: str(one["id"]))


layouts: Final = st.sampled_from((2, 4, "\t", None))


def written(value: Any, indent: int | str | None) -> bytes:
    """Write a file as the usual writers do."""
    return (json.dumps(value, indent=indent, ensure_ascii=False) + "\n").encode()

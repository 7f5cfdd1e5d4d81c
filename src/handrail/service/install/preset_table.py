"""The files of each preset: scripts, documents, parts of documents. The only list.

PRESET_FILES["lanes"]
"""

from __future__ import annotations

from typing import Final

from handrail.core.record import Record


class Script(Record):
    """A script that takes the place of the original's; its first line says what runs it.

    To one that is ``open`` people may add lines. One that nothing ``runs`` is a text that leads a
    harness, in whose first lines a remark may stand.
    """

    path: str
    resource: str
    open: bool = False
    runs: bool = True


class Document(Record):
    """A document that the original names, or a script to be filled; only where nothing is.

    ``or_at`` is another place where some keep it; there it counts as well.
    """

    path: str
    resource: str
    runnable: bool = False
    or_at: str = ""


class Block(Record):
    """A part of a document that is there, between marks with a name.

    It is not written where the document has the bytes ``unless`` in it already.
    """

    path: str
    resource: str
    name: str
    unless: bytes
    or_at: str = ""


AGENT_RULES: Final = ".directive-cli/docs/agent-rules"
PROMPT_ELSEWHERE: Final = ".ai-agents/AI_AGENT_PROMPT.md"

PRESET_FILES: Final[dict[str, tuple[Script | Document | Block, ...]]] = {
    "lanes": (
        Document("ops/PROJECT_TRACKER.md", "PROJECT_TRACKER.md"),
        Script("scripts/agent_coord.py", "agent_coord.py"),
        Script("scripts/check_tracking_contracts.py", "check_tracking_contracts.py"),
        Script("scripts/agent_run.sh", "agent_run.sh"),
        Script("scripts/check_fast.sh", "check_fast.sh"),
        Script("scripts/check_all.sh", "check_all.sh"),
        Document("ops/HUMAN_QUICKSTART.md", "HUMAN_QUICKSTART.md"),
        Document("ops/SESSION_HANDOFF_AGENT.md", "SESSION_HANDOFF_AGENT.md"),
    ),
    "mosaic": (
        Script(
            ".mosaic/enforcement/handoff_validation_tests.py",
            "handoff_validation_tests.py",
            open=True,
        ),
        Script(".mosaic/enforcement/session-gate.sh", "session-gate.sh"),
        *(
            Document(f".mosaic/schemas/{name}.schema.json", f"schemas/{name}.schema.json")
            for name in ("agent_state", "blockers", "current_task", "session_log")
        ),
        Document(
            "scripts/verify_critical_features.sh", "verify_critical_features.sh", runnable=True
        ),
        Document("AI_AGENT_PROMPT.md", "ai_agent_prompt.md", or_at=PROMPT_ELSEWHERE),
        Block(
            *("AI_AGENT_PROMPT.md", "ai_agent_start.md", "mosaic-start"),
            b"handoff_validation_tests.py --post-handoff",
            or_at=PROMPT_ELSEWHERE,
        ),
        Block(
            *("AI_AGENT_PROMPT.md", "ai_agent_end.md", "mosaic-end"),
            b"handoff_validation_tests.py --pre-handoff",
            or_at=PROMPT_ELSEWHERE,
        ),
    ),
    "directive": (
        Script(".directive-cli/bin/dc", "dc"),
        Script(".directive-cli/bin/newhandoff", "newhandoff"),
        *(
            Document(f"{AGENT_RULES}/{role}/README.md", f"{role}.md")
            for role in ("architect", "executor", "auditor", "pair")
        ),
        *(
            Block(
                *(f"{AGENT_RULES}/{role}/README.md", "reading.md", "directive-reading"),
                b"role-handoff-automation.md",
            )
            for role in ("architect", "executor", "auditor", "pair")
        ),
        Document(f"{AGENT_RULES}/shared/critical-enforcement.md", "critical-enforcement.md"),
        Block(
            *(f"{AGENT_RULES}/shared/critical-enforcement.md", "role-lock.md", "directive-roles"),
            b"role-handoff-automation.md",
        ),
    ),
    "cooperation": (
        Script(".cooperations/cooperate", "cooperate.py"),
        Document(".cooperations/.gitignore", "gitignore"),
        *(
            Script(f".claude/commands/{name}.md", f"commands/{name}.md", runs=False)
            for name in ("cooperate", "handoff", "checkpoint", "cooperation-status")
        ),
        Script(".claude/skills/handoff-discipline/SKILL.md", "SKILL.md", runs=False),
    ),
}
"""In the order in which they are written; ``resource`` is seen from ``presets/<preset>/``."""

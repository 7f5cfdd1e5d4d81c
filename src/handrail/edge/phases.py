"""How the phase of a task is told: as data, and as lines of text."""

from __future__ import annotations

from handrail.core.handing import REVISES_MAX
from handrail.core.task import OPEN, Task
from handrail.edge.reply import Data


def phase_data(task: Task, pending: str | None) -> Data:
    """Return where a task is in its workflow as data."""
    return {
        "phase": task.phase,
        "next_phase": task.next_phase,
        "pending_checkpoint": pending,
        "revises": dict(task.revises),
        "revises_max": REVISES_MAX,
        "waits": task.waits_at is not None,
    }


def phase_lines(task: Task, pending: str | None, artifact: str | None = None) -> list[str]:
    """Return where a task is in its workflow as text; nothing where it is in none."""
    lines = []
    if task.phase is not None:
        to = f", decided: on to {task.next_phase}" if task.next_phase and task.state == OPEN else ""
        lines.append(f"phase {task.phase}{to}")
    if artifact is not None:
        lines.append(f"to be left there: {artifact}")
    if task.waits_at is not None:
        where = f"at {task.waits_at}" if task.loops is None else f"about trigger {task.loops}"
        lines.append(f"nothing goes on until a person decides {where}")
    elif pending is not None:
        lines.append(f"checkpoint {pending} waits for a person's decision")
    if task.revises:
        lines.append("revised: " + ", ".join(revised(name, n) for name, n in task.revises))
    return lines


def revised(checkpoint: str, times: int) -> str:
    """Return how often a checkpoint was revised, as ``plan_check 1/2``."""
    return f"{checkpoint} {times}/{REVISES_MAX}"

"""What the words mean that mosaic's files really hold, and that its formats do not know.

Promise: one table; a word that is not in it, nor a known one in other letters, means nothing.

    >>> meant("last_mode", "EMERGENCY_HANDOFF", ("BUILD", "HANDOFF"))
    'HANDOFF'
    >>> meant("severity", "High", ("high", "low")), meant("severity", "urgent", ("high", "low"))
    ('high', None)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_MODES: Final = {
    "AUTONOMOUS": "BUILD",
    "NORMAL": "BUILD",
    "TASK_EXECUTION": "BUILD",
    "GOVERNANCE_IMPLEMENTATION": "BUILD",
    "DEPLOY": "VERIFY",
    "REGRESSION_PREVENTION": "VERIFY",
    "EMERGENCY_HANDOFF": "HANDOFF",
}
MOSAIC: Final[dict[str, dict[str, str]]] = {
    "agent": {"claude_code_sonnet_4_5": "claude_code_terminal"},
    "last_mode": _MODES,
    "mode": _MODES,
    "status": {"active": "open"},
}
"""Field, the word that stands there, the word that is meant."""


def meant(field: str, word: str, known: Iterable[str]) -> str | None:
    """Return the known word that a word stands for; None if nobody can tell."""
    found = MOSAIC.get(field, {}).get(word)
    words = tuple(known)
    if found in words:
        return found
    folded = word.strip().casefold().replace("_", "-")
    return next((one for one in words if one.casefold() == folded), None)

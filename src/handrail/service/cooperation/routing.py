"""Who is planned to implement a task, by the words of its description; and what a task is called.

Promises: pure; the same words give the same answer; of two specialists with as many hits nobody is
chosen. A word counts where it stands as a word, alone or in the plural: "email" is no "ai".

    >>> routed("Move the compose layout next to the inbox").planned
    'frontend-ux'
    >>> task_id(1_780_304_400_000, "Tidy the menu")
    'coop-20260601-090000-tid'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from handrail.core.record import Record
from handrail.projections.cooperation import IMPLEMENTERS, UNDECIDED
from handrail.text import rfc3339

REVIEWER: Final = "deployment-reviewer"
KEYWORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "frontend-ux": (
        *("ui", "component", "inbox", "compose", "reader", "pwa", "manifest", "service worker"),
        *("layout", "mobile"),
    ),
    "email-integration": (
        *("gmail", "microsoft", "graph", "imap", "smtp", "oauth", "adapter", "provider"),
        "account",
    ),
    "ai-features": (
        *("summary", "draft", "prioritize", "priority", "anthropic", "ai", "sparkle", "triage"),
    ),
    REVIEWER: ("vercel", "env", "deploy", "security", "crypto", "secret", "token"),
}
_RULES: Final = {
    specialist: re.compile(
        rf"\b(?:{'|'.join(map(re.escape, words))})(?:s|es)?\b".replace(r"\ ", r"\s+"), re.IGNORECASE
    )
    for specialist, words in KEYWORDS.items()
}
SLUG_CHARS: Final = 3
SLUG: Final = "tsk"
_FILLERS: Final = frozenset(("the", "and", "for", "with", "from", "into", "that", "this"))


class Routed(Record):
    """Whom the words of a task ask for: hits by specialist, and who is planned to implement it.

    ``reviewed`` says that most of it is the deployment reviewer's, who reviews and needs somebody
    who implements.
    """

    planned: str
    hits: tuple[tuple[str, int], ...]
    reviewed: bool


def routed(description: str) -> Routed:
    """Count the words of each specialist; the most hits win, a tie is nobody's."""
    hits = {name: len(rule.findall(description)) for name, rule in _RULES.items()}
    most = max(hits[name] for name in IMPLEMENTERS)
    best = [name for name in IMPLEMENTERS if hits[name] == most > 0]
    planned = best[0] if len(best) == 1 else UNDECIDED
    return Routed(planned, tuple(hits.items()), hits[REVIEWER] > most)


def task_id(at_ms: int, description: str, attempt: int = 0) -> str:
    """Name a cooperation by its moment in UTC and three letters of what it is about.

    ``attempt`` gives other letters, where somebody else has the name.
    """
    when = rfc3339(at_ms)
    stamp = when[:10].replace("-", "") + "-" + when[11:19].replace(":", "")
    words = [word for word in re.findall(r"[a-z]+", description.lower()) if len(word) >= SLUG_CHARS]
    words = [word for word in words if word not in _FILLERS] or [SLUG]
    slug = words[0][:SLUG_CHARS] if attempt == 0 else _letters(attempt)
    return f"coop-{stamp}-{slug}"


def _letters(number: int) -> str:
    letters = ""
    for _ in range(SLUG_CHARS):
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
        number += 1
    return letters

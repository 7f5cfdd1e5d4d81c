"""Names of sessions and agents: short, printable, safe as a file name, as a word and in a log.

>>> check_name("agent", "claude@web-2")
'claude@web-2'
"""

from __future__ import annotations

from handrail.errors import TASK_PREFIX, MalformedName
from handrail.typed import Final

NAME_CHARS_MAX: Final = 128
_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-+:")


def check_name(what: str, text: str) -> str:
    """Return ``text`` if it can name a session or an agent, else raise MalformedName."""
    if not text or len(text) > NAME_CHARS_MAX:
        raise MalformedName(
            what=what, value=text[:200], reason=f"it must have 1 to {NAME_CHARS_MAX} characters"
        )
    if not _NAME.issuperset(text) or text[0] in ".-":
        raise MalformedName(
            what=what,
            value=text,
            reason="use letters, digits and . _ @ - + : and begin with none of . -",
        )
    if text.startswith(TASK_PREFIX):
        raise MalformedName(what=what, value=text, reason=f"only tasks begin with {TASK_PREFIX}")
    return text


def plain_name(text: str) -> str:
    """Make a part of a name out of any text: what a name may not hold becomes a dash."""
    return "".join(char if char in _NAME else "-" for char in text)[: NAME_CHARS_MAX // 2]

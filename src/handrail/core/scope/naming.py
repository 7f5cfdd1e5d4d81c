r"""A scope for any path: what somebody can claim in order to write there.

Git knows paths that no pattern can spell: with control characters, backslashes, bytes that are not
UTF-8, or too long. Advice that names such a path must not end in another refusal.

    >>> scope_for("src/a\nb.py")
    'src/a?b.py'
"""

from __future__ import annotations

from handrail.core.scope.match import matches
from handrail.core.scope.pattern import normalise_path, parse_pattern
from handrail.errors import MalformedScope

EVERYTHING = "**"


def scope_for(path: str) -> str | None:
    """Return a pattern, as narrow as can be, that means ``path``; None for what is git's own.

    The path itself where that is a pattern; else with ``?`` for what cannot be spelled; else the
    nearest folder above it for which there is one; else the whole repository.
    """
    if ".git" in path.lower().split("/"):
        return None
    plain = normalise_path(path)
    if _means(path, plain):
        return path
    spelled = "".join(char if char.isprintable() and char not in "\\!" else "?" for char in path)
    while spelled:
        if _means(spelled, plain):
            return spelled
        spelled = spelled.rpartition("/")[0]
    return EVERYTHING


def _means(text: str, plain: str) -> bool:
    try:
        return matches(parse_pattern(text), plain)
    except MalformedScope:
        return False

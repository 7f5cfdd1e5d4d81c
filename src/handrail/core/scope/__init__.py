"""Scopes: which paths a pattern means, whether two patterns meet, whether one holds another.

A pattern is a path relative to the root of the repository, its segments separated by ``/``. In a
segment ``*`` stands for any number of characters and ``?`` for exactly one; the segment ``**``
stands for any number of segments, also none; ``[ ] { } !`` stand for themselves. A pattern whose
last segment is literal means that path and everything below it; any other pattern means exactly
what it matches. A valid path has at least one segment, and none that is empty, ``.``, ``..`` or,
in any case, ``.git``: git takes no others.

Promises:

- ``witness`` and ``uncovered`` are exact over all valid paths in normal form: they return a path
  exactly if there is one, and it is a valid path that ``normalise_path`` leaves as it is.
- ``matches`` and ``witness`` end in polynomial time whatever they are given; ``uncovered`` and
  ``parse_scope`` end after a bounded number of steps.
- Nothing here reads a clock, a file or a setting. Importing it loads no ``re`` and no ``typing``.

Not promised:

- ``matches`` and ``normalise_path`` do not validate: what they say of ``a//b``, ``../x`` or
  ``.git/config`` means nothing. Guarding ``.git`` is somebody else's work.
- ``?`` stands for one code point of the NFC form, which may be less than what a reader sees as one
  character, and, with ``fold_case``, for one code point of the folded form (``ß`` is two).
- No symbolic link is resolved, and nobody asks whether a path exists.
- ``uncovered`` decides containment in a union of patterns, which is hard in the worst case. Beyond
  ``COVER_WORK_MAX`` it refuses (``MalformedScope``), and never says "contained" unproved.
- ``parse_scope`` may keep a pattern that lies inside another, where finding out is too much work.

    >>> witness(parse_pattern("lib/*/x.py"), parse_pattern("lib/core/*.py"))
    'lib/core/x.py'
    >>> uncovered(parse_pattern("src/*"), parse_scope(["src/*.py", "src/api"]))
    'src/x'
"""

from __future__ import annotations

from handrail.core.scope.match import matches
from handrail.core.scope.pattern import (
    PATTERN_CHARS_MAX,
    SCOPE_PATTERNS_MAX,
    SCOPE_WILD_MAX,
    SEGMENT_CHARS_MAX,
    UNANCHORED_LIVE_MAX,
    WILDCARDS_MAX,
    Pattern,
    ancestors,
    normalise_path,
    parse_pattern,
    stored_pattern,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.core.scope.cover import COVER_WORK_MAX, overlap_outside, parse_scope, uncovered
    from handrail.core.scope.meet import Overlap, overlap, witness

__all__ = [
    "COVER_WORK_MAX",
    "PATTERN_CHARS_MAX",
    "SCOPE_PATTERNS_MAX",
    "SCOPE_WILD_MAX",
    "SEGMENT_CHARS_MAX",
    "UNANCHORED_LIVE_MAX",
    "WILDCARDS_MAX",
    "Overlap",
    "Pattern",
    "ancestors",
    "matches",
    "normalise_path",
    "overlap",
    "overlap_outside",
    "parse_pattern",
    "parse_scope",
    "stored_pattern",
    "uncovered",
    "witness",
]


def __getattr__(name: str) -> object:
    """Load what compares patterns when it is first asked for: the guard only matches paths."""
    if name in ("COVER_WORK_MAX", "overlap_outside", "parse_scope", "uncovered"):
        from handrail.core.scope import cover

        value: object = getattr(cover, name)
    elif name in ("Overlap", "overlap", "witness"):
        from handrail.core.scope import meet

        value = getattr(meet, name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value

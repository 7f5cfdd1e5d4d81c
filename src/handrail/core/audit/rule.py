r"""A rule of detection: what it finds, and the sentences that show where it begins and ends.

Promise: a value; the patterns are compiled when a sentence is first looked at.

    Rule("role-lock", "a role may not be changed", (r"\\bnever switch roles\\b",), (…), (…))
"""

from __future__ import annotations

import re
from functools import cache

from handrail.core.record import Record


class Rule(Record):
    """One rule; its patterns see what ``names.Names.marked`` returns, ``to`` names a receiver.

    ``examples`` are sentences that it must find, ``counter_examples`` such that it must not, both
    with the roles architect, executor, auditor, pair and reviewer.
    """

    id: str
    what: str
    patterns: tuple[str, ...]
    examples: tuple[str, ...]
    counter_examples: tuple[str, ...]

    def find(self, text: str) -> re.Match[str] | None:
        """Return the first place where a marked sentence says it."""
        found = (pattern.search(text) for pattern in _compiled(self.patterns))
        hits = [one for one in found if one is not None]
        return min(hits, key=lambda one: one.start(), default=None)


@cache
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)

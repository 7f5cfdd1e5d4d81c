"""The known word that looks most like an unknown one.

Promise: one of the known words, or None where there are none; case does not count; the work is
bounded whatever the words are.

    >>> nearest("lanes", ["name", "lane", "note"])
    'lane'
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from handrail.typed import Final

KNOWN_MAX: Final = 500
LETTERS_MAX: Final = 64


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Give the known word with the most letters in common; the first of equals."""
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(word[:LETTERS_MAX].casefold())
    best, found = -1.0, None
    for candidate in islice(known, KNOWN_MAX):
        matcher.set_seq1(candidate[:LETTERS_MAX].casefold())
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best:
            ratio = matcher.ratio()
            if ratio > best:
                best, found = ratio, candidate
    return found

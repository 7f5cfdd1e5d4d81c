"""Whom a row ``[[agent]] match`` means: one reading of its globs, wherever agents are told so.

Promise: ``*`` stands for anything, ``?`` for one character, all else for itself, brackets too:
``*[bot]`` means the names that forges give to bots. An author is told by ``Name <mail>``, by the
name alone or by the mail alone.

    >>> means_author("*[bot]", "dependabot[bot] <bot@example.org>")
    True
"""

from __future__ import annotations

from handrail.core.scope.match import segment_matches


def means_author(glob: str, author: str) -> bool:
    """Tell whether a glob means an author, written ``Name <mail>`` or in one word."""
    name, bracket, mail = author.partition(" <")
    spellings = (author, name, mail.removesuffix(">")) if bracket else (author,)
    return any(segment_matches(glob, spelling) for spelling in spellings)


def means_branch(glob: str, branch: str) -> bool:
    """Tell whether a glob means a branch, written without ``refs/heads/``."""
    return segment_matches(glob, branch)

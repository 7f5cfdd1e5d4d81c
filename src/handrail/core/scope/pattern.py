"""One pattern: reading it, refusing it, its canonical text; and the normal form of paths.

Promise: what ``parse_pattern`` returns is canonical (parsing its text again gives an equal value)
and within every bound below, and ``stored_pattern`` of that text is equal to it. Not promised:
``stored_pattern`` and ``normalise_path`` validate nothing.

    >>> parse_pattern("./src/**/**/test_*.py").text
    'src/**/test_*.py'
    >>> stored_pattern("src/**/test_*.py").anchor
    'src'
"""

from __future__ import annotations

from itertools import pairwise

from handrail.core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

PATTERN_CHARS_MAX = 1024
SEGMENT_CHARS_MAX = 255
"""File systems take names of at most 255 bytes; no normal form of one is longer in characters."""
WILDCARDS_MAX = 32
"""Of one pattern: its ``*``, its ``?`` and its ``**``, each counted once."""
SCOPE_PATTERNS_MAX = 256
SCOPE_WILD_MAX = 32
UNANCHORED_LIVE_MAX = 64
"""Live patterns without an anchor in one workspace: no index narrows the search for these."""


class Pattern(Record):
    """A pattern in canonical form."""

    text: str
    segments: tuple[str, ...]
    anchor: str
    """The leading literal segments, joined; every path that is meant lies at or below it."""
    is_literal: bool


def parse_pattern(text: str, *, fold_case: bool = False) -> Pattern:
    """Read a pattern that somebody typed; raise ``MalformedScope`` if it is none."""
    if text in (".", "./"):
        refuse(text, "the whole repository is written '**'", "handrail claim '**'")
    body = text.removeprefix("./")
    reason = _fault_in_text(body)
    if reason is not None:
        refuse(text, reason)
    segments: list[str] = []
    for segment in normalise_path(body.removesuffix("/"), fold_case=fold_case).split("/"):
        reason = reason or _fault_in_segment(segment)
        if segment != "**" or segments[-1:] != ["**"]:
            segments.append(segment)
    reason = reason or _fault_in_whole(segments)
    if reason is not None:
        refuse(text, reason)
    return stored_pattern("/".join(segments))


def stored_pattern(text: str) -> Pattern:
    """Re-read the ``text`` of a pattern; fast, because nothing is validated or normalised."""
    star, mark = text.find("*"), text.find("?")
    if star < 0 and mark < 0:
        return Pattern(text, tuple(text.split("/")), text, True)
    wild = mark if star < 0 else star if mark < 0 else min(star, mark)
    anchor = text[: max(text.rfind("/", 0, wild), 0)]
    return Pattern(text, tuple(text.split("/")), anchor, False)


def normalise_path(path: str, *, fold_case: bool = False) -> str:
    """Return the form of a path in which it is compared: NFC, and folded if case is.

    Any string is taken, also undecodable bytes as surrogates; nothing is validated.
    """
    if path.isascii():
        return path.lower() if fold_case else path
    # Paths are rarely more than ASCII, so the table is loaded only for those that are.
    from unicodedata import normalize

    path = normalize("NFC", path)
    return normalize("NFC", path.casefold()) if fold_case else path


def ancestors(anchor: str) -> list[str]:
    """List an anchor and all above it, from ``''`` down: ``'a/b'`` gives ``['', 'a', 'a/b']``."""
    found = [""]
    if anchor:
        end = anchor.find("/")
        while end >= 0:
            found.append(anchor[:end])
            end = anchor.find("/", end + 1)
        found.append(anchor)
    return found


def _fault_in_text(body: str) -> str | None:
    """Say what is wrong with the characters and both ends, before anything is split."""
    if not body:
        return "it is empty"
    if len(body) > PATTERN_CHARS_MAX:
        return f"it has more than {PATTERN_CHARS_MAX} characters"
    if not body.isprintable():
        for char in body:
            if char < " " or "\x7f" <= char <= "\x9f":
                return "it has a control character"
            if "\ud800" <= char <= "\udfff":
                return "it has bytes that are not UTF-8"
    if body[0] == "/":
        return "it is absolute, and scopes start at the root of the repository"
    if body[0] == "!":
        return "there is no negation"
    if "\\" in body:
        return "it has a backslash, and segments are separated by '/'"
    return None


def _fault_in_segment(segment: str) -> str | None:
    """Say what is wrong with one segment in normal form."""
    if not segment:
        return "it has an empty segment"
    if segment in (".", ".."):
        return f"it has the segment '{segment}'"
    if segment.lower() == ".git":
        return "what lies in '.git' belongs to git"
    if "**" in segment and segment != "**":
        return "'**' stands only alone between slashes"
    if len(segment) > SEGMENT_CHARS_MAX:
        return f"it has a segment of more than {SEGMENT_CHARS_MAX} characters"
    if not segment.isascii():
        for before, char in pairwise(segment):
            if before in "*?" and _joins(char):
                return "it has a combining mark after a wildcard"
    return None


def _joins(char: str) -> bool:
    """Tell whether normalisation may join or reorder a character with the ones before it.

    After a wildcard such a character would mean different things for different neighbours, and
    two patterns could meet only in text that no normal form contains. So it is refused there,
    and comparing character by character is exact for normalised paths.
    """
    from unicodedata import category

    return category(char)[0] == "M" or "\u1160" <= char <= "\u11ff"


def _fault_in_whole(segments: list[str]) -> str | None:
    """Say what is wrong with the canonical pattern as a whole."""
    text = "/".join(segments)
    if len(text) > PATTERN_CHARS_MAX:
        return f"it has more than {PATTERN_CHARS_MAX} characters"
    if text.count("*") + text.count("?") - segments.count("**") > WILDCARDS_MAX:
        return f"it has more than {WILDCARDS_MAX} wildcards"
    return None


def refuse(scope: str | None, reason: str, command: str | None = None) -> NoReturn:
    """Raise ``MalformedScope`` with the raw text; ``command`` stands in for its usual advice."""
    # Imported here because only who is refused should pay for it.
    from handrail.errors import MalformedScope

    raise MalformedScope(scope=scope, reason=reason, next=command)

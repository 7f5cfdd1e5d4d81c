"""How values are written down: words for a shell, instants, durations, hostile text made visible.

Pure and standard library only; the lowest layer, so that an error can speak of a path or an
instant in the same way as every screen does.

    >>> shell_quote("a b")
    "'a b'"
    >>> rfc3339(0)
    '1970-01-01T00:00:00.000Z'
"""

from __future__ import annotations

import time

WORD_CHARS_MAX = 300
WORDS_MAX = 8
"""Of one value in a sentence; ``--json`` has all of it."""
FRAGMENTS = ("or_else", "remedy", "trusted")
"""Values that are parts of a sentence, written by us."""

_SHELL_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-")
_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def shell_quote(text: str) -> str:
    """Quote one word for bash; control characters become ``$'…'`` escapes: a line stays a line."""
    if text and _SHELL_SAFE.issuperset(text):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "'\"'\"'") + "'"
    escaped = []
    for byte in _bytes_of(text):
        plain = 32 <= byte < 127 and byte not in b"\\'"
        escaped.append(chr(byte) if plain else f"\\x{byte:02x}")
    return "$'" + "".join(escaped) + "'"


def _bytes_of(text: str) -> bytes:
    """Return the bytes a shell must write; half a surrogate pair is none, and passes as it is."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def scope_word(text: str) -> str:
    """Quote a word that may be a scope: one that begins with a dash would be taken for an option.

    The same scope with ``./`` before it is not.
    """
    return shell_quote("./" + text if text.startswith("-") else text)


def visible(text: str) -> str:
    """Show control characters, bidirectional marks and undecodable bytes as backslash escapes.

    Paths and names come from hostile places; written raw they could move a terminal's cursor or
    hide the end of a line.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def rfc3339(at_ms: int) -> str:
    """Write milliseconds since 1970 as RFC 3339 in UTC with milliseconds."""
    seconds, ms = divmod(at_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{ms:03d}Z"


def parse_duration_ms(text: str) -> int | None:
    """Read ``500ms``, ``90m``, ``1h30m``, ``2d`` as milliseconds; None if it is no duration."""
    rest, total, seen = text.strip(), 0, False
    while rest:
        digits = 0
        while digits < len(rest) and rest[digits] in "0123456789":
            digits += 1
        unit = digits
        while unit < len(rest) and rest[unit].isascii() and rest[unit].isalpha():
            unit += 1
        factor = _UNITS_MS.get(rest[digits:unit])
        if not 0 < digits <= 12 or factor is None:
            return None
        total, seen, rest = total + int(rest[:digits]) * factor, True, rest[unit:]
    return total if seen else None


def looks_like_duration(text: str) -> bool:
    """Tell whether a word was meant for a duration, be it right or wrong: ``5min``."""
    return text[:1].isdigit() and text.isascii() and text.isalnum()


def format_duration(ms: int) -> str:
    """Write milliseconds as the shortest exact ``1h30m`` form that ``parse_duration_ms`` reads."""
    if ms <= 0:
        return "0s"
    parts, rest = [], ms
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, _UNITS_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


class Sentence(dict[str, object]):
    """Values as words of a sentence: instants written out, hostile text made visible."""

    def __getitem__(self, key: str) -> str:
        value = self.get(key)
        if key.endswith("_at") and isinstance(value, int):
            return rfc3339(value)
        if key in FRAGMENTS:
            return "" if value is None else visible(str(value))
        words = value if isinstance(value, list | tuple) else (value,)
        told = ["-" if word is None else _shortened(str(word)) for word in words[:WORDS_MAX]]
        more = len(words) - len(told)
        return ", ".join([*told, f"and {more} more"] if more > 0 else told)


def _shortened(text: str) -> str:
    """Show hostile text, and of long text both ends."""
    if len(text) > WORD_CHARS_MAX:
        half = WORD_CHARS_MAX // 2
        text = f"{text[:half]} … {text[-half:]}"
    shown = visible(text)
    return shown if shown.strip() else f"'{shown}'"


def add_step(path: str, *, there: bool) -> str:
    """Return what brings a file into the commit: one that lies ``there``, or has to be written."""
    place, folder = shell_quote(f"./{path}"), path.rpartition("/")[0]
    make = f"mkdir -p {shell_quote(f'./{folder}')} && " if folder else ""
    write = "" if there else f'{make}"${{EDITOR:-vi}}" {place} && '
    return f"{write}git add --force -- {place} && git commit -m {shell_quote(f'Add {path}')}"


class Command(dict[str, object]):
    """Values as words of a shell command, each quoted; no scope is taken for an option."""

    def __getitem__(self, key: str) -> str:
        value = self.get(key)
        words = value if isinstance(value, list | tuple) else (value,)
        quote = scope_word if key == "asked" else shell_quote
        return " ".join(quote("" if word is None else str(word)) for word in words)

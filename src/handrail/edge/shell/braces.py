"""Brackets in the source of a word: where one closes, and what ``{a,b}`` and ``{1..3}`` stand for.

Braces are expanded first of all, in the source itself: what a variable holds is never a brace.

    >>> braces("a{1..2}.{py,pyi}", 100)
    ['a1.py', 'a1.pyi', 'a2.py', 'a2.pyi']
"""

from __future__ import annotations

__all__ = ["braces", "closing"]

OPEN = {"(": ")", "{": "}"}
NESTED_MAX = 50


def closing(text: str, start: int) -> int:
    """Give the index behind the bracket that closes the one at ``start``, quotes minded."""
    stack = [OPEN[text[start]]]
    index = start + 1
    while index < len(text) and stack:
        letter = text[index]
        if letter == "\\":
            index += 1
        elif stack[-1] == '"':
            if letter == '"':
                stack.pop()
            elif letter == "$" and text[index + 1 : index + 2] in OPEN:
                index += 1
                stack.append(OPEN[text[index]])
        elif letter == stack[-1]:
            stack.pop()
        elif letter == '"':
            stack.append('"')
        elif letter == "'":
            end = text.find("'", index + 1)
            index = end if end >= 0 else len(text)
        elif letter in OPEN:
            stack.append(OPEN[letter])
        index += 1
    return min(index, len(text)) if not stack else len(text) + 1


def _skip(text: str, index: int) -> int:
    """Step over one character, or over all of what is quoted or expanded there."""
    letter = text[index]
    if letter == "\\":
        return index + 2
    if letter == "'":
        end = text.find("'", index + 1)
        return end + 1 if end >= 0 else len(text)
    if letter == '"':
        index += 1
        while index < len(text) and text[index] != '"':
            index += 1 + (text[index] == "\\")
        return index + 1
    if letter == "$" and text[index + 1 : index + 2] in OPEN:
        return min(closing(text, index + 1), len(text))
    return index + 1


def _sequence(inner: str) -> list[str] | None:
    """Give what ``1..3``, ``01..10..2`` or ``a..c`` counts through."""
    parts = inner.split("..")
    if len(parts) not in (2, 3):
        return None
    low, high, step = parts[0], parts[1], parts[2] if len(parts) == 3 else "1"
    try:
        by = abs(int(step)) or 1
        if len(low) == len(high) == 1 and (low + high).isalpha() and (low + high).isascii():
            first, last, width, letters = ord(low), ord(high), 0, True
        else:
            first, last, letters = int(low), int(high), False
            padded = any(x.lstrip("-").startswith("0") and len(x) > 1 for x in (low, high))
            width = max(len(low), len(high)) if padded else 0
    except ValueError:
        return None
    numbers = range(first, last + 1, by) if first <= last else range(first, last - 1, -by)
    if len(numbers) > 4_096:
        return None
    return [chr(n) if letters else f"{n:0{width}d}" for n in numbers]


def _first(text: str, start: int) -> tuple[int, int, list[str]] | None:
    """Find the first brace from ``start`` that expands: where it begins and ends, its parts."""
    index = start
    while index < len(text):
        if text[index] != "{":
            index = _skip(text, index)
            continue
        depth, commas, at = 1, [index], index + 1
        while at < len(text) and depth:
            if text[at] == "{":
                depth += 1
            elif text[at] == "}":
                depth -= 1
            elif text[at] == "," and depth == 1:
                commas.append(at)
            at = _skip(text, at) if depth else at
        if depth:
            return None
        if len(commas) > 1:
            ends = [*commas[1:], at]
            pairs = zip(commas, ends, strict=True)
            return index, at, [text[left + 1 : right] for left, right in pairs]
        if (counted := _sequence(text[index + 1 : at])) is not None:
            return index, at, counted
        index += 1
    return None


def braces(text: str, words_max: int, nested: int = 0) -> list[str] | None:
    """Expand the braces of a word; None if that makes more than ``words_max`` words."""
    if "{" not in text or "}" not in text or nested > NESTED_MAX:
        return [text]
    found = _first(text, 0)
    if found is None:
        return [text]
    begin, end, parts = found
    tails = braces(text[end + 1 :], words_max, nested + 1)
    heads: list[str] = []
    for part in parts:
        expanded = braces(part, words_max, nested + 1)
        if expanded is None or tails is None:
            return None
        heads.extend(expanded)
        if len(heads) * len(tails) > words_max:
            return None
    return [text[:begin] + head + tail for head in heads for tail in tails or ()]

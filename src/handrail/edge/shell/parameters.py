"""What ``$NAME`` and the inside of ``${…}`` stand for, with defaults, cuts and replacements.

A name that nobody gave a value here is unknown, not empty: its value may come from outside.

    >>> parameter("X%.py", State("/", "/", {"X": "a.py"}), str)
    'a'
"""

from __future__ import annotations

from handrail.edge.shell.folders import has_glob, literal, matches, pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from handrail.edge.shell.state import Field, State, Value

__all__ = ["parameter"]

LONGEST_CUT = 4_096


def _variable(name: str, state: State) -> Value:
    """Give the value of a plain name."""
    if name in ("@", "*"):
        return state.arguments
    if name.isdigit():
        given = state.arguments
        if name == "0" or given is None:
            return None
        return given[int(name) - 1] if len(name) < 5 and int(name) <= len(given) else ""
    if name == "PWD":
        return state.cwd
    if name == "HOME" and name not in state.variables:
        return state.home
    value = state.variables.get(name)
    return value[0] if isinstance(value, tuple) and value else value


def _item(name: str, index: str, state: State) -> Value:
    """Give one item of an array, or all."""
    value = state.variables.get(name)
    if index in ("@", "*"):
        return value
    if isinstance(value, tuple) and index.isdigit() and len(index) < 5:
        return value[int(index)] if int(index) < len(value) else ""
    return None


def _cut(value: str, operator: str, cut: str) -> Field:
    """Cut a matching beginning (``#``) or end (``%``) off, the longest where doubled."""
    if not has_glob(cut):
        cut = literal(cut)
        if operator[0] == "#":
            return value.removeprefix(cut)
        return value.removesuffix(cut) if cut else value
    if len(value) > LONGEST_CUT:
        return None
    parts = pattern(cut)
    if operator[0] == "#":
        at = [i for i in range(len(value) + 1) if matches(parts, value[:i])]
        return value[at[-1] if len(operator) == 2 else at[0] :] if at else value
    at = [i for i in range(len(value) + 1) if matches(parts, value[i:])]
    return value[: at[0] if len(operator) == 2 else at[-1]] if at else value


def _replaced(value: str, rest: str, word: Callable[[str], Field]) -> Field:
    """Replace what ``/old/new`` names, once or everywhere."""
    everywhere = rest.startswith("/")
    old, _, new = rest.removeprefix("/").partition("/")
    if has_glob(old) or old.startswith(("#", "%")):
        return None
    before, after = word(old), word(new)
    if before is None or after is None or not before:
        return None
    return value.replace(before, after, -1 if everywhere else 1)


def _sliced(value: str, rest: str) -> Field:
    """Take the part that ``:offset:length`` names."""
    offset, _, length = rest.partition(":")
    try:
        start = int(offset)
        start = max(0, len(value) + start) if start < 0 else start
        if not length:
            return value[start:]
        end = int(length)
        return value[start : len(value) + end if end < 0 else start + end]
    except ValueError:
        return None


def _changed(value: str, rest: str, word: Callable[[str], Field]) -> Field:
    """Apply what follows a name to its value."""
    for operator in ("##", "%%", "#", "%"):
        if rest.startswith(operator):
            cut = rest[len(operator) :]
            expanded = word(cut) if "$" in cut or "`" in cut else cut
            return None if expanded is None else _cut(value, operator, expanded)
    if rest.startswith("/"):
        return _replaced(value, rest[1:], word)
    if rest.startswith(":"):
        return _sliced(value, rest[1:])
    return {"^^": value.upper(), ",,": value.lower()}.get(rest)


def parameter(inner: str, state: State, word: Callable[[str], Field]) -> Value:
    """Expand the inside of ``${…}``; ``word`` expands a default that stands there."""
    if inner in ("@", "*", "#", "?", "$", "!", "-"):
        return _variable(inner, state)
    end = 0
    while end < len(inner) and (inner[end] == "_" or inner[end].isalnum()):
        end += 1
    name, rest = inner[:end], inner[end:]
    if not name:
        return None
    value = _variable(name, state)
    if rest.startswith("[") and (close := rest.find("]")) > 0:
        value, rest = _item(name, rest[1:close], state), rest[close + 1 :]
    if not rest:
        return value
    known = name in state.variables or value is not None
    operator = rest[:2] if rest.startswith(":") else rest[:1]
    if operator in (":-", "-", ":=", "="):
        if value is None:
            return None
        return value if value or not operator.startswith(":") else word(rest[len(operator) :])
    if operator in (":+", "+"):
        if not known or value is None:
            return None
        return word(rest[len(operator) :]) if value or not operator.startswith(":") else ""
    if operator in (":?", "?"):
        return value
    return _changed(value, rest, word) if isinstance(value, str) else None

"""Is a file what its name says? JSON, lines of JSON and TOML; of everything else nothing is said.

>>> problem_of("a.json", b'{"x":}')
'it is no JSON: line 1, column 6: Expecting value'
>>> problem_of("a.md", b"?") is None
True
"""

from __future__ import annotations

import json

from handrail.typed import Final

STATE_BYTES_MAX: Final = 4 << 20


def problem_of(path: str, content: bytes) -> str | None:
    """Say why a file is not what its name says; None if it is, or if its name says nothing."""
    _, dot, end = path.rpartition("/")[2].rpartition(".")
    kind = end.lower()
    if not dot or kind not in ("json", "jsonl", "toml"):
        return None
    if len(content) > STATE_BYTES_MAX:
        return f"it has more than {STATE_BYTES_MAX} bytes"
    try:
        text = content.decode("utf-8")
        if kind == "toml":
            return _problem_of_toml(text)
        if kind == "json":
            json.loads(text)
            return None
        return _problem_of_lines(text)
    except UnicodeDecodeError:
        return "it is not UTF-8"
    except json.JSONDecodeError as error:
        return f"it is no JSON: line {error.lineno}, column {error.colno}: {error.msg}"
    except (ValueError, RecursionError) as error:
        return f"it cannot be read: {type(error).__name__}"


def _problem_of_toml(text: str) -> str | None:
    import tomllib

    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return f"it is no TOML: {error}"
    return None


def _problem_of_lines(text: str) -> str | None:
    for number, line in enumerate(text.split("\n"), 1):
        try:
            if line.strip():
                json.loads(line)
        except json.JSONDecodeError as error:
            return f"line {number} is no JSON: column {error.colno}: {error.msg}"
    return None

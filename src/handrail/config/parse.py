r"""`handrail.toml` from bytes to settings, or to everything that is wrong with it, by line.

Promises: whatever the bytes are, the answer is settings or problems, never another exception; all
problems of a file are found (the first ``PROBLEMS_MAX`` are told), in line order; time and memory
are bounded by ``BYTES_MAX``. Settings that come from here satisfy every rule of ``config.schema``:
types, words, ranges, patterns, references, no name twice.

    >>> validate_config(b'[workspace]\nid = "w"\nmod = "warn"\n')[-1].reason
    'there is no key "mod" in [workspace]; the nearest is "mode"'
"""

from __future__ import annotations

from handrail.config.lines import Lines, locate
from handrail.config.report import Problem, Report
from handrail.config.schema import HANDRAIL_TOML
from handrail.config.settings import CONFIG_FILE, Settings
from handrail.errors import MalformedConfig
from handrail.typed import Any, Final

BYTES_MAX: Final = 1 << 20


def parse_config(text: bytes, *, file: str = CONFIG_FILE) -> Settings:
    """Read a configuration, or raise MalformedConfig for the first of its `problems`.

    The error carries file, line, key and reason of the first problem, and ``problems``: (line,
    reason) of them all.
    """
    settings, problems = _examine(text)
    if settings is None:
        first = problems[0]
        told = [(problem.line, problem.reason) for problem in problems]
        raise MalformedConfig(
            file=file, line=first.line, reason=first.reason, key=first.key, problems=told
        )
    return settings


def validate_config(text: bytes) -> list[Problem]:
    """Give all that is wrong with a configuration, in line order; nothing if it is right."""
    return _examine(text)[1]


def blob_id(text: bytes) -> str:
    """Give the id that git gives to a file with these bytes, in a SHA-1 repository."""
    import hashlib

    return hashlib.sha1(b"blob %d\0" % len(text) + text, usedforsecurity=False).hexdigest()


def _examine(text: bytes) -> tuple[Settings | None, list[Problem]]:
    """Give settings and no problems, or no settings and at least one problem."""
    decoded = _decode(text)
    if isinstance(decoded, Problem):
        return None, [decoded]
    lines = locate(decoded)
    if lines.excess is not None:
        line, what = lines.excess
        return None, [Problem(line, "", f"{what}, which no configuration needs", None)]
    document = _load(decoded)
    if isinstance(document, Problem):
        return None, [document]
    return _check(document, lines)


def _check(document: dict[str, Any], lines: Lines) -> tuple[Settings | None, list[Problem]]:
    """Check a document against the table."""
    workspace = document.get("workspace")
    fold_case = isinstance(workspace, dict) and workspace.get("fold_case") is True
    report = Report(fold_case=fold_case)
    settings = HANDRAIL_TOML.check(document, (), report)
    report.resolve()
    problems = report.problems(lines)
    return (None, problems) if problems else (settings, problems)


def _decode(text: bytes) -> str | Problem:
    """Turn bytes into text, or say which line is at fault."""
    if len(text) > BYTES_MAX:
        return Problem(1, "", f"is larger than {BYTES_MAX} bytes", None)
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        return Problem(line, "", "is not UTF-8", None)
    if decoded.startswith("\ufeff"):
        return Problem(1, "", "begins with a byte order mark; save it without one", None)
    if "\0" in decoded:
        line = decoded.count("\n", 0, decoded.index("\0")) + 1
        return Problem(line, "", "holds a NUL character", None)
    return decoded


def _load(text: str) -> dict[str, Any] | Problem:
    """Read TOML, or say what tomllib says, with its line."""
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        line, reason = _syntax_error(str(error), text)
        return Problem(line, "", f"is no TOML: {reason}", None)


def _syntax_error(message: str, text: str) -> tuple[int, str]:
    """Split tomllib's message into line and reason."""
    import re

    match = re.search(r" \(at line (\d+), column \d+\)$", message)
    if match is not None:
        return int(match.group(1)), message[: match.start()]
    at_end = " (at end of document)"
    if message.endswith(at_end):
        return text.rstrip("\n").count("\n") + 1, message.removesuffix(at_end)
    return 1, message

"""Who owns a path by CODEOWNERS, as forges document it; shares no code with the core.

A pattern becomes a regular expression over whole paths of files. With a slash at the beginning or
inside it starts at the root, else anywhere; a slash at the end means what lies in such a folder; a
literal end means a file or a folder with all in it, a wildcard at the end nothing below what it
matches.
"""

from __future__ import annotations

import re
from collections.abc import Sequence


def expression(pattern: str) -> re.Pattern[str]:
    """Translate a pattern."""
    rooted = "/" in pattern.rstrip("/")
    inside = pattern.endswith("/")
    text = "" if rooted else "(?:.*/)?"
    parts = pattern.replace("\\ ", " ").strip("/").split("/")
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            text += ".+" if last else "(?:[^/]+/)*"
            continue
        body = "".join({"*": "[^/]*", "?": "[^/]"}.get(c, re.escape(c)) for c in part)
        text += body + ("" if last else "/")
    final = parts[-1]
    if inside:
        text += "/.+"
    elif final == "*" and not rooted:
        text = ".+"
    elif "*" not in final and "?" not in final:
        text += "(?:/.+)?"
    return re.compile(text)


def owners_of(lines: Sequence[str], path: str) -> tuple[str, ...] | None:
    """Return the owners of the last line that means a path; None if none does."""
    found = None
    for line in lines:
        words = re.findall(r"(?:\\ |[^ ])+", line)
        if expression(words[0]).fullmatch(path):
            found = tuple(words[1:])
    return found

r"""What a pattern names in the file system: globs as a shell resolves them, and walks for ``find``.

A pattern is written with ``\`` before each character that means itself. Reading folders is
bounded; past the bound the answer is None: it cannot be told.

    >>> matches(pattern("[a-c]*.py"), "bench.py")
    True
"""

from __future__ import annotations

from posix import scandir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Part = str | tuple[bool, frozenset[str], tuple[tuple[str, str], ...]]

__all__ = ["glob", "has_glob", "literal", "matches", "pattern", "walk"]

ENTRIES_MAX = 5_000
ANY, ONE = "**", "??"  # two letters, so that no single character equals them
GLOBS = "*?["


def has_glob(text: str) -> bool:
    """Say whether ``text`` has a character that stands for others."""
    index = 0
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] in GLOBS:
            return True
        index += 1
    return False


def literal(text: str) -> str:
    r"""Take the ``\`` away that make characters mean themselves."""
    if "\\" not in text:
        return text
    out, index = [], 0
    while index < len(text):
        if text[index] == "\\" and index + 1 < len(text):
            index += 1
        out.append(text[index])
        index += 1
    return "".join(out)


def _set(text: str, start: int) -> tuple[Part, int] | None:
    """Read a set such as ``[a-c]`` after its bracket; None where it does not end."""
    negated = text[start : start + 1] in ("!", "^")
    index = start + negated
    ones: set[str] = set()
    spans: list[tuple[str, str]] = []
    first = index
    while index < len(text) and (text[index] != "]" or index == first):
        if text[index] == "\\":
            index += 1
        if text[index + 1 : index + 2] == "-" and text[index + 2 : index + 3] not in ("", "]"):
            spans.append((text[index], text[index + 2]))
            index += 3
        else:
            ones.update(text[index : index + 1])
            index += 1
    if index >= len(text):
        return None
    return (negated, frozenset(ones), tuple(spans)), index + 1


def pattern(text: str) -> list[Part]:
    """Read a pattern into its parts."""
    parts: list[Part] = []
    index = 0
    while index < len(text):
        letter = text[index]
        index += 1
        if letter == "*":
            if not parts or parts[-1] != ANY:
                parts.append(ANY)
        elif letter == "?":
            parts.append(ONE)
        elif letter == "[" and (read := _set(text, index)):
            parts.append(read[0])
            index = read[1]
        elif letter == "\\" and index < len(text):
            parts.append(text[index])
            index += 1
        else:
            parts.append(letter)
    return parts


def _fits(part: Part, letter: str) -> bool:
    if isinstance(part, tuple):
        negated, ones, spans = part
        inside = letter in ones or any(low <= letter <= high for low, high in spans)
        return inside != negated
    return part in (ONE, letter)


def matches(parts: list[Part], name: str) -> bool:
    """Say whether the whole of ``name`` fits, in time that grows with the product of the two."""
    at = index = 0
    star, mark = -1, 0
    while index < len(name):
        if at < len(parts) and parts[at] != ANY and _fits(parts[at], name[index]):
            at += 1
            index += 1
        elif at < len(parts) and parts[at] == ANY:
            star, mark = at, index
            at += 1
        elif star >= 0:
            mark += 1
            at, index = star + 1, mark
        else:
            return False
    return all(part == ANY for part in parts[at:])


def _names(folder: str) -> Iterator[tuple[str, bool]]:
    """Yield name and whether it is a folder for what stands in ``folder``."""
    try:
        with scandir(folder) as entries:
            for entry in entries:
                yield entry.name, entry.is_dir(follow_symlinks=False)
    except (OSError, ValueError):
        return


def glob(text: str, base: str) -> list[str] | None:
    """Give what ``text`` matches from ``base``, as spelt; itself if nothing; None if too much."""
    left = ENTRIES_MAX
    found = ["/" if text.startswith("/") else ""]
    for part in text.split("/"):
        if not part:
            continue
        further: list[str] = []
        if not has_glob(part):
            further = [f"{prefix}{literal(part)}/" for prefix in found]
        else:
            parts, hidden = pattern(part), part.startswith((".", "\\."))
            for prefix in found:
                folder = prefix if prefix.startswith("/") else f"{base}/{prefix}"
                for name, _ in _names(folder):
                    left -= 1
                    if left < 0:
                        return None
                    if (hidden or not name.startswith(".")) and matches(parts, name):
                        further.append(f"{prefix}{name}/")
        found = further
    return sorted(path.rstrip("/") or "/" for path in found) or [literal(text)]


def walk(root: str, spelt: str, depth_max: int) -> list[tuple[str, str, bool, int]] | None:
    """List path as spelt, name, whether a folder, and depth of all at and below ``root``."""
    top = spelt.rstrip("/") or "/"
    out = [(spelt, top.rpartition("/")[2] or "/", True, 0)]
    queue = [(root, top, 1)]
    while queue:
        folder, prefix, depth = queue.pop()
        if depth > depth_max:
            continue
        for name, is_folder in _names(folder):
            if len(out) >= ENTRIES_MAX:
                return None
            path = f"{prefix.rstrip('/')}/{name}"
            out.append((path, name, is_folder, depth))
            if is_folder:
                queue.append((f"{folder}/{name}", path, depth + 1))
    return out

"""The gate ``references``: every path that is named must exist in the commit.

What counts as naming a path: the target of a Markdown link, and a word in backquotes that has a
slash and nothing but the letters of a path, and besides a dot in its last part, a slash at its end
or a first part that is there. A target is seen from its document's folder, a word from there or
from the root. Web addresses, wildcards, placeholders, options and absolute paths are
no paths of the repository.

    >>> named_paths("see `src/a.py`, [this](b.md#x) and `make all`")
    [('src/a.py', False), ('b.md', True)]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from handrail.gates.facts import Facts, Tree
from handrail.gates.gate import CannotTell, Objection
from handrail.text import add_step
from handrail.typed import Final

NAMED_MAX: Final = 10_000
LINKS_FOLLOWED_MAX: Final = 40
ALLOWED: Final = "metadata.worktree_allowlist_paths"
_FENCE: Final = re.compile(r"^ {0,3}(```|~~~)[^\n]*\n.*?^ {0,3}\1[^\n]*$", re.MULTILINE | re.DOTALL)
_NAMED: Final = re.compile(
    r"`(?P<word>[^`\s]{1,1000})`"
    r"|\]\([ ]*(?:<(?P<angle>[^<>\n]{1,1000})>|(?P<target>[^()\s]{1,1000}))(?:[ ][^()\n]*)?\)"
)
_PATH: Final = re.compile(r"[\w.@+~-][\w.@+~ -]*(?:/[\w.@+~ -]*)*")
_LINE: Final = re.compile(r":\d+(?:[:-]\d+)?$")


def named_paths(text: str) -> list[tuple[str, bool]]:
    """Return the paths that a document names, and whether each is the target of a link."""
    found: dict[tuple[str, bool], None] = {}
    for match in _NAMED.finditer(_FENCE.sub("", text)):
        word = match["word"]
        is_link = word is None
        path = _LINE.sub("", word or "") if not is_link else _target(match)
        if path is None or not path or (not is_link and "/" not in path):
            continue
        is_path = _PATH.fullmatch(path) or (is_link and path.startswith("."))
        if is_path and "//" not in path and not path.startswith(("-", "~", "@")):
            found[path, is_link] = None
    return list(found)


def _target(match: re.Match[str]) -> str | None:
    raw = match["angle"] or match["target"]
    if raw.startswith(("#", "/")) or re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", raw):
        return None
    from urllib.parse import unquote

    return unquote(re.split(r"[#?]", raw, maxsplit=1)[0])


def normal(folder: str, path: str) -> str | None:
    """Return a path seen from a folder as one seen from the root; None if it leads out."""
    parts: list[str] = folder.split("/") if folder else []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def references(facts: Facts) -> Sequence[Objection] | None:
    """Object to each path that is named and is not there."""
    tree = facts.tree
    if tree is None:
        raise CannotTell("nobody looked at the commit")
    packet = facts.handed.named if facts.handed is not None else ()
    if not (tree.documents or tree.links or facts.reading or packet):
        return None
    there = _Paths(tree)
    found = _of_packet(facts, there)
    for role, path in facts.reading:
        if path not in there:
            sentence = f"required reading of role {role} is not in the commit"
            found.append(_missing(path, sentence, path))
    for document, text in tree.documents:
        if text is None:
            sentence = "a document of [references] is not in the commit, or is no file"
            found.append(_missing(document, sentence, document))
            continue
        found += _of_document(there, document, text)
    for link, target in tree.links:
        if not target.startswith("/") and there.follow(link) is None:
            sentence = f"the link leads to {target}, which is not in the commit"
            place = normal(link.rpartition("/")[0], target)
            found.append(Objection("dangling_link", sentence, link, missing=place or target))
    return found


def _missing(document: str, sentence: str, path: str, step: str | None = None) -> Objection:
    """Object to a document, or what else names paths, because of one that is not there."""
    return Objection("missing_reference", sentence, document, step, missing=path)


def _of_packet(facts: Facts, there: _Paths) -> list[Objection]:
    """Object to each path of a packet that is not in the commit.

    Files of the evidence folder may lie in the working tree alone, and what is declared as
    unfinished may be an unfinished path. What the message mentions is advice: it may tell of a file
    that is gone.
    """
    handed, found = facts.handed, []
    dirty = facts.standing.dirty if facts.standing is not None else ()
    for one in handed.named if handed is not None else ():
        if one.path in there or one.here is not None:
            continue
        if one.field == ALLOWED and any(
            path == one.path or path.startswith(f"{one.path}/") for path in dirty
        ):
            continue
        sentence = f"{one.field} names it, and it is not in the commit"
        step = add_step(one.path, there=one.path in dirty)
        found.append(_missing(one.path, sentence, one.path, step))
    for path, is_link in named_paths(str(handed.part("message") or "")) if handed else ():
        place = normal("", path)
        if place is not None and (is_link or there.is_meant(path)) and place not in there:
            sentence = "the message names it, and it is not in the commit"
            found.append(Objection("missing_reference", sentence, path, advice=True))
    return found


def _of_document(there: _Paths, document: str, text: str) -> Iterator[Objection]:
    named = named_paths(text)
    if len(named) > NAMED_MAX:
        raise CannotTell(f"{document} names more than {NAMED_MAX} paths")
    folder = document.rpartition("/")[0]
    for path, is_link in named:
        if not is_link and not there.is_meant(path):
            continue
        places = [normal(folder, path)] + ([] if is_link else [normal("", path)])
        inside = [place for place in places if place is not None]
        if inside and not any(place in there for place in inside):
            sentence = f"it names {path}, which is not in the commit"
            yield _missing(document, sentence, path.removeprefix("./"))


class _Paths:
    """The paths of a commit, folders among them."""

    def __init__(self, tree: Tree) -> None:
        self._links = dict(tree.links)
        self._files = tree.files

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self.follow(path) is not None

    def is_meant(self, word: str) -> bool:
        """Tell whether a word in backquotes is a path, and not `origin/main` or `text/plain`."""
        first, _, last = word.rstrip("/").partition("/")
        return word.endswith("/") or "." in last.rpartition("/")[2] or self._is_there(first)

    def follow(self, path: str) -> str | None:
        """Return where a path leads through links; None if it is not there in the end."""
        for _ in range(LINKS_FOLLOWED_MAX):
            link = self._link_on(path)
            if link is None:
                return path if self._is_there(path) else None
            target = self._links[link]
            if target.startswith("/"):
                return path
            folder = normal(link.rpartition("/")[0], target)
            if folder is None:
                return path  # it leads out of the repository: nothing can be said of that
            path = f"{folder}{path[len(link) :]}"
        return None

    def _is_there(self, path: str) -> bool:
        return not path or path in self._files or self._files.has_folder(path)

    def _link_on(self, path: str) -> str | None:
        """Return the first part of a path that is a link."""
        if not self._links:
            return None
        end = path.find("/")
        while end != -1:
            if path[:end] in self._links:
                return path[:end]
            end = path.find("/", end + 1)
        return path if path in self._links else None

"""What happened between two commits: who changed which paths, with branches and merges.

Promises: one ``git log`` over nothing but objects, as ``facts.neutral`` says: no mail map, no
replaced or grafted history, no configuration; renames are two paths; merges come without paths.
Names, mail addresses, subjects and paths are git's bytes, undecodable ones as surrogates. More
than COMMITS_MAX commits, or a name that means no commit, is MalformedRange; whatever git cannot
read is FactsUnavailable.

    read_past("repo", "v1.0", "HEAD", print)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from handrail.core.history import PastCommit
from handrail.errors import FactsUnavailable, MalformedRange
from handrail.facts.git import HEX
from handrail.facts.history import History
from handrail.facts.neutral import neutral

COMMITS_MAX: Final = 100_000
PATHS_MAX: Final = 5_000_000
COMMITS_BETWEEN_TOLD: Final = 1_000
SECONDS_CHARS_MAX: Final = 12
_HEAD: Final = ("%H", "%P", "%an", "%ae", "%at", "%s")


def read_past(
    folder: str, since: str, until: str, tell: Callable[[int], None]
) -> tuple[str, list[PastCommit]]:
    """Return the commit that ``until`` means, and what it has and ``since`` has not.

    Parents come before their children. ``tell`` hears from time to time how many commits are read.
    """
    with neutral(folder) as git:
        ends = History(folder, git).resolve((since, until))
        for name, end in zip((since, until), ends, strict=True):
            if end is None:
                raise MalformedRange(range=name, reason="git knows no such commit")
        first, last = (str(end) for end in ends)
        words = ["log", "-z", "--raw", "--no-renames", "--no-abbrev", "--topo-order", "--reverse"]
        words += [f"--max-count={COMMITS_MAX + 1}", f"--format={'%x00'.join(_HEAD)}"]
        words += ["--no-ext-diff", "--no-textconv", "--end-of-options", last, f"^{first}", "--"]
        found: list[PastCommit] = []
        for commit in _commits(_fields(git.stream(words))):
            found.append(commit)
            if len(found) > COMMITS_MAX:
                reason = f"it holds more than {COMMITS_MAX} commits"
                raise MalformedRange(range=f"{since}..{until}", reason=reason)
            if len(found) % COMMITS_BETWEEN_TOLD == 0:
                tell(len(found))
        return last, found


def committed_at(folder: str, name: str) -> int | None:
    """Return when a commit was made, in ms since 1970; None where the name means none here."""
    with neutral(folder) as git:
        commit = History(folder, git).resolve((name,))[0]
        if commit is None:
            return None
        words = ["log", "-1", "--format=%ct", "--end-of-options", commit, "--"]
        said = b"".join(git.stream(words)).strip()
    if not said.isdigit() or len(said) > SECONDS_CHARS_MAX:
        raise FactsUnavailable(what="git log", reason="its answer makes no sense")
    return int(said) * 1000


def _fields(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Split a stream at its NULs."""
    rest: list[bytes] = []
    for piece in pieces:
        head, *more = piece.split(b"\0")
        rest.append(head)
        for part in more:
            yield b"".join(rest)
            rest = [part]
    yield b"".join(rest)


def _commits(fields: Iterator[bytes]) -> Iterator[PastCommit]:
    """Read commits: six fields each, then a row and a path for each change."""
    same: dict[bytes, str] = {}
    """One text for one path, however often it changes."""
    changes = 0
    field = _next_field(fields)
    while field is not None:
        head = [field, *(next(fields, b"") for _ in _HEAD[1:])]
        paths = []
        field = _next_field(fields)
        while field is not None and field.startswith(b":"):
            raw = next(fields, b"")
            paths.append(same.setdefault(raw, raw.decode("utf-8", "surrogateescape")))
            field = _next_field(fields)
        changes += len(paths)
        if changes > PATHS_MAX:
            reason = f"its commits change more than {PATHS_MAX} paths"
            raise FactsUnavailable(what="git log", reason=reason)
        yield _commit(head, tuple(paths))


def _next_field(fields: Iterator[bytes]) -> bytes | None:
    """Return the next field that holds something, without the line break before it."""
    for field in fields:
        text = field.lstrip(b"\n")
        if text:
            return text
    return None


def _commit(head: list[bytes], paths: tuple[str, ...]) -> PastCommit:
    commit, parents, author, mail, at, subject = (
        field.decode("utf-8", "surrogateescape") for field in head
    )
    if not (HEX.issuperset(commit + parents.replace(" ", "")) and at.lstrip("-").isdigit()):
        raise FactsUnavailable(what="git log", reason="its answer makes no sense")
    told = (author, mail, int(at), subject)
    return PastCommit(commit, tuple(parents.split()), *told, paths)

"""Which commits a question is about, and from where it is judged: ranges, pushes, protected refs.

Promise: nothing here reads what is judged to find out who judges: the base is the tip of a
protected ref, the remote's before one's own, or where the range begins.

    commits_of(history, ["main..HEAD"])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from handrail import errors
from handrail.config import CONFIG_FILE, Settings
from handrail.core.landing import Change
from handrail.core.record import Record
from handrail.service.context import History
from handrail.typed import Final

COMMITS_MAX: Final = 10_000
FIRST_GUESSES: Final = (
    "refs/remotes/origin/HEAD",
    "refs/remotes/origin/main",
    "refs/remotes/origin/master",
    "HEAD",
)
"""Where a repository without a store is asked which of its refs are protected."""


class Update(Record):
    """A ref that is pushed: what it was, what it shall be; None where it is not there."""

    ref: str
    old: str | None
    new: str | None


class Base(Record):
    """What judges: the base commit and its settings, None where it has no configuration."""

    commit: str | None
    settings: Settings | None


def commits_of(history: History, ranges: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the commits of some ranges, parents first, and where the first of them begins."""
    commits: dict[str, None] = {}
    first: str | None = None
    for text in ranges:
        left, dots, right = text.partition("..")
        if not dots:
            commits[_named(history, text)] = None
            continue
        symmetric, right = right.startswith("."), right.removeprefix(".")
        one, two = _named(history, left or "HEAD", text), _named(history, right or "HEAD", text)
        first = first or one
        if symmetric:
            found = walk(history, [one, two], history.merge_bases(one, two))
        else:
            found = walk(history, [two], [one])
        commits.update(dict.fromkeys(found))
    return list(commits), first


def _named(history: History, name: str, text: str | None = None) -> str:
    commit = history.resolve([name])[0]
    if commit is None:
        raise errors.MalformedRange(range=text or name, reason=f"{name or repr(name)} is no commit")
    return commit


def walk(history: History, include: Sequence[str], exclude: Sequence[str]) -> list[str]:
    """Return what ``include`` reaches and ``exclude`` does not, parents first, within the bound."""
    found = history.walk(include, exclude, COMMITS_MAX)
    if len(found) > COMMITS_MAX:
        reason = f"it holds more than {COMMITS_MAX} commits"
        raise errors.MalformedRange(range=f"{include[0]} and others", reason=reason)
    return found[::-1]


class Batch(Record):
    """Commits that landed under one configuration: that of ``base``."""

    base: str | None
    commits: tuple[str, ...]


def batches(
    commits: Sequence[str], changes: Mapping[str, Change], tip: str, base: str | None
) -> list[Batch]:
    """Cut what landed on a branch where its configuration changed, oldest first.

    Each step of the branch, along first parents, brought what the steps before had not.
    """
    chain: list[str] = []
    step: str | None = tip
    while step is not None and step in changes:
        chain.append(step)
        step = next(iter(changes[step].parents), None)
    place = {commit: number for number, commit in enumerate(commits)}
    found: list[Batch] = []
    current: list[str] = []
    seen: set[str] = set()
    for step in reversed(chain):
        brought = _brought(step, changes, seen)
        current += brought
        if any(row.path == CONFIG_FILE for one in brought for row in changes[one].paths or ()):
            found.append(Batch(base, tuple(sorted(current, key=place.__getitem__))))
            base, current = step, []
    current += [commit for commit in commits if commit not in seen]
    return [*found, Batch(base, tuple(sorted(current, key=place.__getitem__)))]


def _brought(step: str, changes: Mapping[str, Change], seen: set[str]) -> list[str]:
    """Return what a step reaches of these commits and no step before it did."""
    brought, waiting = [], [step]
    while waiting:
        commit = waiting.pop()
        if commit in changes and commit not in seen:
            seen.add(commit)
            brought.append(commit)
            waiting += changes[commit].parents
    return brought


def protected_tip(history: History, protected: Sequence[str]) -> str | None:
    """Return the first protected ref that is here, as the remote has it before one's own."""
    for name in protected:
        for folder in ("refs/remotes/origin/", "refs/heads/"):
            rows = [row for row in history.refs(folder + name) if _fits(row[0], folder + name)]
            if rows:
                return rows[0][1]
    return None


def standing_refs(
    history: History, protected: Sequence[str], pushed: bool, updated: set[str]
) -> list[str]:
    """Return what the protected refs are now, without those that are about to change.

    Before a push, one's own branch may hold what is pushed: what the remote has is asked instead.
    """
    folder = "refs/remotes/*/" if pushed else "refs/heads/"
    rows = [row for name in protected for row in history.refs(folder + name)]
    fitting = [row for row in rows if any(_fits(row[0], folder + name) for name in protected)]
    return list(dict.fromkeys(commit for ref, commit in fitting if ref not in updated))


def is_protected(ref: str, protected: Sequence[str]) -> bool:
    """Tell whether a ref is one of the protected branches."""
    return any(_fits(ref, "refs/heads/" + name) for name in protected)


def _fits(ref: str, pattern: str) -> bool:
    """Match a ref segment by segment: ``*`` crosses no slash."""
    parts, wanted = ref.split("/"), pattern.split("/")
    same = len(parts) == len(wanted)
    return same and all(map(fnmatchcase, parts, wanted))


def read_update(line: str) -> Update:
    """Read ``OLD NEW REF`` (pre-receive) or ``REF NEW REMOTE-REF OLD`` (pre-push).

    Raises MalformedRange.
    """
    words = line.rstrip("\n").split(" ")
    if len(words) == 4:
        words = [words[3], words[1], words[2]]
    hexadecimal = frozenset("0123456789abcdef")
    ids = [word for word in words[:2] if len(word) in (40, 64) and hexadecimal.issuperset(word)]
    if len(words) != 3 or len(ids) != 2 or not words[2]:
        reason = "a line is OLD NEW REF, as git gives it to pre-receive, or what it gives pre-push"
        raise errors.MalformedRange(range=line, reason=reason, next="handrail verify --help")
    old, new = (None if set(one) == {"0"} else one for one in ids)
    return Update(words[2], old, new)


def protected_by(history: History) -> tuple[str, ...]:
    """Return what counts as protected where no store says it; empty where nothing was adopted.

    The first of ``FIRST_GUESSES`` that is here and has a configuration is asked.
    """
    for commit in history.resolve(FIRST_GUESSES):
        settings = base_at(history, commit).settings
        if settings is not None:
            return settings.workspace.protected_refs
    return ()


def base_at(history: History, base: str | None) -> Base:
    """Return a commit as what judges; raises FactsUnavailable if its configuration is broken."""
    text = None if base is None else history.file_at(base, CONFIG_FILE)
    if text is None:
        return Base(base, None)
    from handrail.config import parse_config

    try:
        return Base(base, parse_config(text))
    except errors.MalformedConfig as error:
        reason = f"line {error.values['line']} {error.values['reason']}"
        raise errors.FactsUnavailable(what=f"{CONFIG_FILE} of {base}", reason=reason) from error

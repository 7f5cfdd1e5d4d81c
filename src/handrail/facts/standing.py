"""How a working tree stands: its commit, what is unfinished, whether it was pushed, what it names.

Promises: as in ``facts.git``; nothing is written. Two working trees of one fingerprint hold the
same bytes in all that git knows of; what git ignores is not looked at, nor what somebody told git
to leave out of sight (``assume-unchanged``).

    look("/repo", "/repo/.git").dirty      # ("src/a.py",)
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence

from handrail.core.digest import sha256
from handrail.core.receipts import UNKNOWN_DIRT
from handrail.errors import FactsUnavailable
from handrail.facts.begun import LIST, LISTING, REMOTES, STATUS, Begun
from handrail.facts.dirt import dirty, dirty_of
from handrail.facts.git import ask
from handrail.facts.refs import head_of, ref_value
from handrail.gates.facts import Pushed, Standing, Tree
from handrail.gates.listing import Listing
from handrail.gates.references import LINKS_FOLLOWED_MAX, normal
from handrail.typed import Final

DOCUMENT_BYTES_MAX: Final = 1 << 20
LINK_BYTES_MAX: Final = 4_096
LINKS_MAX: Final = 10_000
# What lies in the folder of git while something is not over yet.
OPERATIONS: Final = (
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
)


def look(
    toplevel: str, git_dir: str, reports: Collection[str] = (), begun: Begun | None = None
) -> Standing:
    """Return how the working tree stands; untracked ``reports`` are not counted as dirt."""
    said = None if begun is None else begun.take(STATUS)
    if begun is None or said is None:
        (commit, tree), found = head_of(toplevel), dirty(toplevel, ["."])
    else:
        commit, tree, found = begun.commit, begun.tree, dirty_of(toplevel, said)
    rows = [row for row in found if row.head or row.staged or row.path not in reports]
    digest = sha256()
    unknown = False
    for row in sorted(rows):
        unknown = unknown or (not row.blob and os.path.isdir(os.path.join(toplevel, row.path)))
        digest.update(f"{row.blob} {row.path}\0".encode("utf-8", "surrogateescape"))
    print_of = digest.hexdigest() if rows else ""
    return Standing(
        commit=commit,
        tree=tree,
        operation=operation(git_dir),
        dirty=tuple(sorted(row.path for row in rows)),
        fingerprint=UNKNOWN_DIRT if unknown else print_of,
    )


def operation(git_dir: str) -> str | None:
    """Return what git has not finished: a rebase, merge, cherry-pick or revert."""
    there = (told for name, told in OPERATIONS if os.path.lexists(os.path.join(git_dir, name)))
    return next(there, None)


def look_pushed(toplevel: str, begun: Begun | None = None) -> Pushed:
    """Return whether any remote is known to have what HEAD has."""
    said = None if begun is None else begun.take(REMOTES)
    said = ask(toplevel, ["remote"]) if said is None else said
    remotes = tuple(said.decode("utf-8", "surrogateescape").splitlines())
    if not remotes:
        return Pushed("", None, (), contained=False, shallow=False)
    commit = ref_value(toplevel, "HEAD")
    branch = _lines(toplevel, ["symbolic-ref", "--quiet", "--short", "HEAD"], fine=(0, 1))
    found: list[str] = []
    if commit and remotes:
        words = ["for-each-ref", "--contains=HEAD", "--count=1", "--format=%(refname)"]
        found = _lines(toplevel, [*words, "refs/remotes"])
    shallow = _lines(toplevel, ["rev-parse", "--is-shallow-repository"]) == ["true"]
    known = Pushed(
        commit=commit,
        branch=branch[0] if branch else None,
        remotes=remotes,
        contained=bool(found),
        shallow=shallow,
    )
    return known._replace(narrow=not found and _is_narrow(toplevel, known))


def _is_narrow(toplevel: str, known: Pushed) -> bool:
    """Tell whether a push of the branch would leave no remote-tracking ref here."""
    if known.branch is None:
        return False
    specs = _lines(toplevel, ["config", "--get-all", f"remote.{known.remote}.fetch"], fine=(0, 1))
    sources = [spec.lstrip("+").partition(":")[0] for spec in specs if not spec.startswith("^")]
    ref = f"refs/heads/{known.branch}"
    return not any(_covers(source, ref) for source in sources)


def _covers(source: str, ref: str) -> bool:
    """Tell whether the left side of a refspec means a ref; it has one star at most."""
    before, star, after = source.partition("*")
    if not star:
        return source == ref
    return ref.startswith(before) and ref.endswith(after) and len(ref) >= len(before + after)


def _lines(toplevel: str, words: Sequence[str], fine: Sequence[int] = (0,)) -> list[str]:
    return ask(toplevel, words, fine=fine).decode("utf-8", "surrogateescape").splitlines()


def look_tree(toplevel: str, documents: Sequence[str], begun: Begun | None = None) -> Tree:
    """Return what the commit holds: its paths, its symbolic links, the texts of some documents."""
    listed = None if begun is None else begun.take(LISTING)
    commit = ref_value(toplevel, "HEAD") if begun is None or listed is None else begun.commit
    if not commit:
        return Tree("", Listing(), (), tuple((path, None) for path in documents))
    files = Listing(ask(toplevel, [*LIST, commit]) if listed is None else listed)
    links = list(files.links())
    blobs = {path: files.blob(path) for path in documents}
    wanted = [(path, blob) for path, blob in blobs.items() if blob is not None]
    if len(links) > LINKS_MAX:
        reason = f"it holds more than {LINKS_MAX} symbolic links"
        raise FactsUnavailable(what=f"commit {commit}", reason=reason)
    texts = _blobs(toplevel, [blob for _, blob in (*links, *wanted)])
    targets = tuple((path, texts[blob][:LINK_BYTES_MAX]) for path, blob in links)
    told = {path: texts[blob] for path, blob in wanted}
    told |= _behind(toplevel, files, dict(targets), documents)
    for path, document in told.items():
        if len(document) > DOCUMENT_BYTES_MAX:
            reason = f"it is longer than {DOCUMENT_BYTES_MAX} bytes"
            raise FactsUnavailable(what=path, reason=reason)
    return Tree(commit, files, targets, tuple((path, told.get(path)) for path in documents))


def _behind(
    toplevel: str, files: Listing, links: Mapping[str, str], documents: Sequence[str]
) -> dict[str, str]:
    """Return the texts of the documents that are links to files of the commit."""
    ends: dict[str, str] = {}
    for path in documents:
        place: str | None = path
        for _ in range(LINKS_FOLLOWED_MAX):
            if place is None or place not in links:
                break
            absolute = links[place].startswith("/")
            place = None if absolute else normal(place.rpartition("/")[0], links[place])
        if path in links and place is not None:
            ends[path] = place
    blobs = {path: files.blob(end) for path, end in ends.items()}
    found = {path: blob for path, blob in blobs.items() if blob is not None}
    texts = _blobs(toplevel, list(found.values()))
    return {path: texts[blob] for path, blob in found.items()}


def _blobs(toplevel: str, ids: Sequence[str]) -> dict[str, str]:
    """Return the texts of blobs, by their ids."""
    if not ids:
        return {}
    lines = "".join(f"{one}\n" for one in dict.fromkeys(ids)).encode("ascii")
    said = ask(toplevel, ["cat-file", "--batch"], lines)
    texts: dict[str, str] = {}
    place = 0
    while place < len(said):
        end = said.index(b"\n", place)
        words = said[place:end].split()
        if len(words) != 3:
            raise FactsUnavailable(what="git cat-file", reason="an object is missing")
        size = int(words[2])
        content = said[end + 1 : end + 1 + size]
        texts[words[0].decode("ascii")] = content.decode("utf-8", "surrogateescape")
        place = end + size + 2
    return texts

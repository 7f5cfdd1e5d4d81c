"""Commits as rule V looks at them: what each changes, and a digest of its diff.

Promises: parents are those in the commit itself; the paths of a commit with one parent (or none)
are those of its raw diff, renames as two paths; those of a merge of two are where it differs from
what git makes of the two by itself, conflict markers and all. Paths are git's bytes, undecodable
ones as surrogates. A few processes for any number of commits.

    changes(git, ["9f2c…"])["9f2c…"].paths
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

from handrail.core.landing import Change, ChangedPath, digest_of
from handrail.core.record import Record
from handrail.errors import FactsUnavailable
from handrail.facts.git import HEX, RawCommit
from handrail.facts.neutral import Neutral, neutral
from handrail.typed import Final

ID_CHARS: Final = (40, 64)
SUBJECT_CHARS_MAX: Final = 200
REPEATED_MAX: Final = 10_000
SSH_SIGNATURE: Final = b"-----BEGIN SSH SIGNATURE-----"
TRAILER: Final = b"Handrail-Ledger:"
_RAW: Final = ("-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv")


class _Head(Record):
    """What a commit object says of itself."""

    tree: str
    parents: tuple[str, ...]
    subject: str
    ssh_signed: bool
    ledger: str | None


def walk(git: Neutral, include: Sequence[str], exclude: Sequence[str], limit: int) -> list[str]:
    """Return what is reached from ``include`` and not from ``exclude``, children first.

    At most ``limit`` and one more, so that a caller can tell that there are more.
    """
    asked = "".join([f"{one}\n" for one in include] + [f"^{one}\n" for one in exclude])
    words = ["rev-list", "--topo-order", f"--max-count={limit + 1}", "--stdin"]
    return git.ask(words, asked.encode("ascii")).decode("ascii", "replace").split()


def present(git: Neutral, commits: Sequence[str]) -> list[str]:
    """Return those that are ids of commits and still there, in the same order."""
    ids = [one for one in commits if len(one) in ID_CHARS and HEX.issuperset(one)]
    asked = "".join(f"{one}\n" for one in ids).encode("ascii")
    lines = git.ask(["cat-file", "--batch-check"], asked).decode("ascii", "replace").splitlines()
    there = {line.split()[0] for line in lines if line.split()[1:2] == ["commit"]}
    return [one for one in ids if one in there]


def file_at(git: Neutral, commit: str, path: str) -> bytes | None:
    """Return a file of a commit; None if it has none of that name.

    Its tree is asked first: of a file that is lost, git says no more than of one that never was.
    """
    row = git.ask(["ls-tree", "--full-tree", "-z", commit, "--", path])
    if not row:
        return None
    _, kind, blob = row.partition(b"\t")[0].split(b" ")
    if kind != b"blob":
        raise FactsUnavailable(what=f"{path} of {commit}", reason="it is no file")
    return git.ask(["cat-file", "blob", blob.decode("ascii", "replace")])


def last_change(git: Neutral, commit: str, path: str) -> str | None:
    """Return the commit that gave a file the bytes it has at ``commit``; None if it has none."""
    if file_at(git, commit, path) is None:
        return None
    words = ["rev-list", "--max-count=1", commit, "--", _literal(path)]
    return git.ask(words).decode("ascii", "replace").strip() or None


def changes(git: Neutral, commits: Sequence[str]) -> dict[str, Change]:
    """Return what each commit changes; raises FactsUnavailable where one cannot be read."""
    heads = _heads(git, commits)
    plain = [one for one in heads if len(heads[one].parents) < 2]
    merges = [one for one in heads if len(heads[one].parents) == 2]
    rows = {**_plain_rows(git, plain), **_merge_rows(git, merges)}
    found = {}
    for commit, head in heads.items():
        own = rows.get(commit, []) if len(head.parents) < 3 else None
        names = sorted(name for name, _ in own or ())
        digest = sha256(b"\0".join(names)).hexdigest()
        paths = None if own is None else tuple(_changed(name, row) for name, row in sorted(own))
        about = (head.ssh_signed, head.ledger)
        found[commit] = Change(commit, head.tree, head.parents, head.subject, paths, digest, *about)
    return found


def changes_here(folder: str, commits: Sequence[str]) -> dict[str, Change]:
    """Return what each commit of the repository around ``folder`` changes."""
    with neutral(folder) as git:
        return changes(git, commits)


def as_judged(folder: str, rows: Sequence[RawCommit]) -> list[RawCommit]:
    """Return these commits as ``changes`` tells them: merges of two with their paths.

    Those with one parent or none come with the digest of what they change; without, where their
    diff is too long to be looked at.
    """
    few = [row.commit for row in rows if len(row.parents) <= 2]
    single = [row.commit for row in rows if len(row.parents) < 2 and row.paths]
    with neutral(folder) as git:
        told = changes(git, few)
        try:
            digests = patches(git, single)
        except FactsUnavailable:
            digests = {}
    return [
        _as_told(told[row.commit], digests.get(row.commit)) if row.commit in told else row
        for row in rows
    ]


def _as_told(change: Change, patch: str | None) -> RawCommit:
    paths = tuple(row.path for row in change.paths or ())
    digest = None if patch is None else digest_of(change, patch)
    return RawCommit(change.commit, change.tree, change.parents, paths, change.paths_hash, digest)


_Row = tuple[bytes, bytes]


def _changed(name: bytes, row: bytes) -> ChangedPath:
    """Read ``:old-mode new-mode old-id new-id status`` with its path."""
    words = row.decode("ascii", "replace")[1:].split(" ")
    if len(words) != 5:
        raise FactsUnavailable(what="git diff", reason="its answer makes no sense")
    return ChangedPath(name.decode("utf-8", "surrogateescape"), *words[:4])


def _plain_rows(git: Neutral, commits: Sequence[str]) -> dict[str, list[_Row]]:
    words = ["diff-tree", "--stdin", "--root", *_RAW]
    return _rows(git, words, commits) if commits else {}


def _merge_rows(git: Neutral, commits: Sequence[str]) -> dict[str, list[_Row]]:
    # ``diff-tree`` cannot: only log and show have a place for the objects of the merge made anew.
    words = ["log", "--no-walk=unsorted", "--stdin", "--remerge-diff", "--format=%H", *_RAW]
    return _rows(git, words, commits) if commits else {}


def _rows(git: Neutral, words: Sequence[str], commits: Sequence[str]) -> dict[str, list[_Row]]:
    said = git.ask(words, "".join(f"{one}\n" for one in commits).encode("ascii"))
    found: dict[str, list[_Row]] = {}
    current: list[_Row] = []
    fields = iter(said.split(b"\0"))
    for field in fields:
        text = field.strip(b"\n")
        if text.startswith(b":"):
            current.append((next(fields, b""), text))
        elif text:
            current = found.setdefault(text.decode("ascii", "replace"), [])
    if not set(found) <= set(commits):
        raise FactsUnavailable(what=f"git {words[0]}", reason="its answer makes no sense")
    return found


# --- commit objects ------------------------------------------------------------------------------


def _heads(git: Neutral, commits: Sequence[str]) -> dict[str, _Head]:
    said = git.ask(["cat-file", "--batch"], "".join(f"{one}\n" for one in commits).encode("ascii"))
    heads: dict[str, _Head] = {}
    start = 0
    for commit in commits:
        end = said.find(b"\n", start)
        words = said[start:end].split(b" ")
        if end < 0 or len(words) != 3 or words[1] != b"commit":
            reason = "it is missing or no commit; a shallow clone lacks what came before"
            raise FactsUnavailable(what=f"commit {commit}", reason=reason)
        size = int(words[2])
        heads[commit] = _head(said[end + 1 : end + 1 + size])
        start = end + 2 + size
    return heads


def _head(content: bytes) -> _Head:
    top, _, message = content.partition(b"\n\n")
    lines = top.split(b"\n")
    trees = [line[5:].decode("ascii", "replace") for line in lines if line.startswith(b"tree ")]
    parents = [line[7:].decode("ascii", "replace") for line in lines if line[:7] == b"parent "]
    subject = message.strip(b"\n").partition(b"\n")[0].decode("utf-8", "replace")
    signed = any(line.startswith(b"gpgsig") and line.endswith(SSH_SIGNATURE) for line in lines)
    if len(trees) != 1 or not HEX.issuperset("".join((*trees, *parents))):
        raise FactsUnavailable(what="a commit", reason="it is damaged")
    last = message.rstrip(b"\n").rpartition(b"\n\n")[2].split(b"\n")
    heads = [line[len(TRAILER) :].strip() for line in last if line.startswith(TRAILER)]
    ledger = heads[-1].decode("ascii", "replace") if heads else None
    return _Head(trees[0], tuple(parents), subject[:SUBJECT_CHARS_MAX], signed, ledger)


# --- diffs ---------------------------------------------------------------------------------------


def repeated(git: Neutral, commits: Sequence[str], base: str, path: str) -> list[str]:
    """Return those that change a file as a commit in the history of ``base`` did before."""
    before = _changing(git, base, path)
    made = patches(git, [*commits, *before], path)
    known = {made[one] for one in before if one in made}
    return [one for one in commits if made.get(one) in known]


def held(git: Neutral, commit: str, path: str, content: bytes) -> bool:
    """Tell whether a file had this content at a commit or in its history."""
    wanted = git.ask(["hash-object", "--stdin"], content).strip()
    asked = "".join(f"{one}:{path}\n" for one in _changing(git, commit, path))
    said = git.ask(["cat-file", "--batch-check=%(objectname)"], asked.encode("utf-8"))
    return wanted in said.split(b"\n")


def _changing(git: Neutral, commit: str, path: str) -> list[str]:
    """Return the commits of a history that change a file."""
    words = ["rev-list", "--full-history", f"--max-count={REPEATED_MAX + 1}", commit]
    found = git.ask([*words, "--", _literal(path)]).decode("ascii", "replace").split()
    if len(found) > REPEATED_MAX:
        reason = f"more than {REPEATED_MAX} commits changed it"
        raise FactsUnavailable(what=f"the history of {path}", reason=reason)
    return found


def _literal(path: str) -> str:
    return f":(top,literal){path}"


def patches(git: Neutral, commits: Sequence[str], path: str | None = None) -> dict[str, str]:
    """Return a digest of each commit's diff: equal exactly where the diffs are, but for places.

    With a path, of what it does to that file, and without those that leave it alone.

    Finer than ``git patch-id --verbatim``, which reads a line only up to its first NUL: whatever
    shares this digest shares that id. Line numbers and the ids of the files as a whole do not
    count; where git shows no lines (binary files), the ids do. For commits with one parent or none.
    """
    if not commits:
        return {}
    words = ["diff-tree", "--stdin", "--root", "-r", "-p", "--full-index", "--no-renames"]
    words += ["--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short"]
    words += ["--src-prefix=a/", "--dst-prefix=b/", "--diff-algorithm=myers", "--unified=3"]
    words += [] if path is None else ["--", _literal(path)]
    asked = "".join(f"{one}\n" for one in commits).encode("ascii")
    known = {f"{one}\n".encode("ascii"): one for one in commits}
    return dict(_digests(git.stream(words, asked), known))


def _digests(lines: Iterable[bytes], known: Mapping[bytes, str]) -> Iterator[tuple[str, str]]:
    """Digest each commit's part of a stream of diffs.

    Lines of content begin with a blank, ``+``, ``-`` or a backslash; so no content is taken for
    a header, and no header for content.
    """
    commit: str | None = None
    digest, index = sha256(), b""
    begins = True
    for line in lines:
        whole, begins = begins, line.endswith(b"\n")
        if whole and line in known:
            if commit is not None:
                digest.update(index)
                yield commit, digest.hexdigest()
            commit, digest, index = known[line], sha256(), b""
        elif whole and line.startswith(b"diff --git "):
            digest.update(index + line)
            index = b""
        elif whole and line.startswith(b"index "):
            index = line
        elif whole and line.startswith(b"@@ "):
            digest.update(b"@@\n")
            index = b""
        else:
            digest.update(line)
    if commit is not None:
        digest.update(index)
        yield commit, digest.hexdigest()

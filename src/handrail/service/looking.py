"""Looking at the working tree for a decision that depends on what is unfinished in it.

Promise: nobody pays for a look who does not need one. A decision is made without facts first; only
where it says what it lacks (``NeedsFacts``) is git asked, outside every transaction, about those
paths alone, and the decision is made again.

    looked = look(context, rules, session, patterns)   # one git status, or more
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handrail import errors
from handrail.core.decide import Dirty, Landed, Looked, NeedsFacts
from handrail.core.events import CommitAttested
from handrail.core.lease import Landing, Lease, Orphan, Session, conflict
from handrail.core.ledger import read_header, read_if
from handrail.core.record import Record
from handrail.core.scope import Pattern, matches, normalise_path
from handrail.service.context import Context, DirtyRow
from handrail.service.identity import require_session
from handrail.service.policy import Rules, rules_in_force
from handrail.store.port import Reader
from handrail.typed import Final, TypeVar

LOOKS_MAX: Final = 4
Outcome = TypeVar("Outcome")


class Maker(Record):
    """Whose the bytes of a dirty path may be: an ended lease's, the asking session's, or either.

    ``knew_at`` is the store time up to which the asker knew what others landed.
    """

    orphan: Orphan | None
    asker: bool
    knew_at: int


def with_looks(
    attempt: Callable[[Looked], Outcome], look_again: Callable[[Sequence[Pattern]], Looked]
) -> Outcome:
    """Let ``attempt`` decide, looking as often as it asks to; raises FactsUnavailable."""
    looked = Looked()
    for _ in range(LOOKS_MAX):
        try:
            return attempt(looked)
        except NeedsFacts as lack:
            looked = look_again(lack.patterns)
    raise errors.FactsUnavailable(what="the working tree", reason="others keep landing commits")


def look(context: Context, rules: Rules, session: Session, patterns: Sequence[Pattern]) -> Looked:
    """Look at what is dirty under the patterns, and whether its bytes are stale.

    In the session's working tree: from any other, nobody could look.
    """
    with context.store.read() as reader:
        head = reader.head.seq
    if session.worktree != context.caller.worktree:
        return Looked(tuple(patterns), head, None)
    try:
        rows = under(context, rules, patterns)
        if not rows:
            return Looked(tuple(patterns), head, ())
        with context.store.read() as reader:
            dirty = _judged(context, rules, reader, session, rows)
    except errors.FactsUnavailable:
        return Looked(tuple(patterns), head, None)
    return Looked(tuple(patterns), head, tuple(dirty))


def look_at_own(context: Context) -> Looked:
    """Look at what is dirty under the leases of the asking session, which are about to end."""
    with context.store.read() as reader:
        rules = rules_in_force(reader)
        session = require_session(reader, context, anywhere=True)
        leases = reader.leases(session.id)
    return look(context, rules, session, [p for lease in leases for p in lease.patterns])


def under(context: Context, rules: Rules, patterns: Sequence[Pattern]) -> list[DirtyRow]:
    """Return what is dirty under the patterns, as git spells it."""
    if not patterns:
        return []
    fold = rules.settings.workspace.fold_case
    roots = [""] if fold else sorted({pattern.anchor for pattern in patterns})
    return [row for row in context.outside.dirty(roots) if _means(patterns, plain(rules, row.path))]


def plain(rules: Rules, path: str) -> str:
    """Return the form of a path in which this workspace compares it."""
    return normalise_path(path, fold_case=rules.settings.workspace.fold_case)


def _judged(
    context: Context, rules: Rules, reader: Reader, session: Session, rows: Sequence[DirtyRow]
) -> list[Dirty]:
    """Find for each dirty path whether another session changed it since its holder knew it."""
    orphans = reader.orphans(session.worktree)
    landings = reader.landings(0 if orphans else session.started_at, session.id)
    found = [Dirty(plain(rules, row.path), row.blob, row.staged, row.head) for row in rows]
    suspects = {
        row.path: one
        for row, one in zip(rows, found, strict=True)
        if any(_means(landing.patterns, one.path) for landing in landings)
    }
    if not suspects:
        return found
    touched = _touched(context, reader, tuple(suspects)) if _has_head(rows) else []
    judged = {}
    run_out = [lease for lease in reader.leases(session.id) if not lease.live(reader.now)]
    for spelled, one in suspects.items():
        maker = _maker(session, orphans, run_out, one)
        commits = [commit for commit, paths in touched if spelled in paths]
        judged[one.path] = _in_head(context, reader, session, maker, commits, spelled, one)
    missing = [one for one in judged.values() if one.landed is None]
    ahead = _ahead(context, rules, reader, session, orphans, missing)
    return [ahead.get(one.path) or judged.get(one.path) or one for one in found]


def _touched(
    context: Context, reader: Reader, paths: Sequence[str]
) -> list[tuple[str, tuple[str, ...]]]:
    """Return the commits below HEAD that changed any of these paths; of merges, attested ones."""
    touched = context.outside.touching(paths)
    merges = [c for c, found in touched if not found and reader.attestation(c) is not None]
    if not merges:
        return touched
    changed = context.outside.changed_by(merges)
    return [(commit, found or tuple(changed.get(commit, ()))) for commit, found in touched]


def _has_head(rows: Sequence[DirtyRow]) -> bool:
    """Tell whether anything of it was ever committed; without HEAD there is no history."""
    return any(row.head for row in rows)


def _in_head(
    context: Context,
    reader: Reader,
    session: Session,
    maker: Maker,
    commits: Sequence[str],
    spelled: str,
    one: Dirty,
) -> Dirty:
    """Say whether HEAD's version of a path came after its holder knew it, and what merging gives.

    HEAD's version is that of the newest attested commit that changed the path.
    """
    newest: Landed | None = None
    oldest = ""
    for commit in commits:
        landed = _attested(reader, commit)
        if landed is None:
            continue
        if not _news_to(reader, session, maker, landed):
            break
        newest, oldest = newest or landed, commit
    if newest is None:
        return one
    merged = context.outside.merged(spelled, f"{oldest}^", "HEAD")
    return one._replace(landed=newest, merged=merged)


def _attested(reader: Reader, commit: str) -> Landed | None:
    seq = reader.attestation(commit)
    entry = None if seq is None else next(reader.entries(seq - 1, seq), None)
    if entry is None:
        return None
    return Landed(commit, read_header(entry.header).session or "", entry.seq)


def _maker(
    session: Session, orphans: Sequence[Orphan], run_out: Sequence[Lease], one: Dirty
) -> Maker:
    """Say whose unfinished bytes these may be.

    What an ended lease left with this very blob, or left by the asker's own agent, is its holder's.
    Where nobody looked, or the file has changed since, it may be either's. The asker knew all up to
    the end of its own lease over the path, though nobody has recorded that it ran out.
    """
    held = [lease.expires_at for lease in run_out if _means(lease.patterns, one.path)]
    knew_at = max(held, default=session.started_at)
    left = next((orphan for orphan in orphans if _means(orphan.patterns, one.path)), None)
    if left is None:
        return Maker(None, asker=True, knew_at=knew_at)
    known = left.agent == session.agent or (one.path, one.blob) in (left.blobs or ())
    return Maker(left, asker=not known, knew_at=knew_at)


def _news_to(reader: Reader, session: Session, maker: Maker, landed: Landed) -> bool:
    """Tell whether a landing is of another session, and came after who made the bytes knew of it.

    An ended lease's holder knew all up to its end, a session all from before its beginning.
    """
    if landed.session == session.id:
        return False
    left = maker.orphan
    if left is not None and landed.session != left.session and landed.seq > left.since:
        return True
    entry = next(reader.entries(landed.seq - 1, landed.seq))
    return maker.asker and read_header(entry.header).at >= maker.knew_at


def _ahead(
    context: Context,
    rules: Rules,
    reader: Reader,
    session: Session,
    orphans: Sequence[Orphan],
    dirty: Sequence[Dirty],
) -> dict[str, Dirty]:
    """Find unfinished work that was overtaken by a landing which HEAD does not contain yet.

    Only a landing that could not have stood beside the lost lease overtakes it: what two working
    trees hold locally is git's to merge.
    """
    lost = [(one, o) for one in dirty for o in orphans if _means(o.patterns, one.path)]
    if not lost:
        return {}
    since = min(orphan.since for _, orphan in lost)
    landings = landed_since(reader, since, session.id)
    behind = context.outside.not_in("HEAD", [landed.commit for landed, _ in landings])
    changed = changed_paths(context, rules, [landed.commit for landed, _ in landings])
    found = {}
    for one, orphan in lost:
        for landed, scopes in landings:
            if (
                landed.commit in behind
                and landed.session != orphan.session
                and landed.seq > orphan.since
                and one.path in changed.get(landed.commit, frozenset())
                and any(excludes(rules, orphan, scope) for scope in scopes)
            ):
                found[one.path] = one._replace(landed=landed, merged=None)
    return found


def landed_since(
    reader: Reader, since: int, without: str
) -> list[tuple[Landed, tuple[Landing, ...]]]:
    """Return what others attested after an entry, oldest first, with the scopes it stood under."""
    found = []
    for commit, seq in sorted(reader.attestations(since).items(), key=lambda row: row[1]):
        entry = next(reader.entries(seq - 1, seq))
        session = read_header(entry.header).session or ""
        if session == without:
            continue
        event = read_if(entry, "commit.attested")
        if not isinstance(event, CommitAttested):
            continue
        scopes = [reader.landing(token) for token, _ in event.cover]
        known = tuple(scope for scope in scopes if scope is not None)
        found.append((Landed(commit, session, seq), known))
    return found


def changed_paths(
    context: Context, rules: Rules, commits: Sequence[str]
) -> dict[str, frozenset[str]]:
    """Return which paths each commit changed, as they are compared here."""
    changed = context.outside.changed_by(commits)
    return {c: frozenset(plain(rules, path) for path in paths) for c, paths in changed.items()}


def excludes(rules: Rules, held: Orphan | Lease, other: Landing) -> bool:
    """Tell whether two scopes could not have been held beside each other."""
    found = conflict(held, other.patterns, other.kind, other.worktree, rules.policy.contended)
    return found is not None and found[0] == "refuse"


def _means(patterns: Sequence[Pattern], path: str) -> bool:
    return any(matches(pattern, path) for pattern in patterns)

"""The rule for attesting: every path of a commit under a live lease of the one who asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from handrail import errors
from handrail.core.decide.claim import texts
from handrail.core.decide.dirt import literal
from handrail.core.decide.edit import (
    check_duty,
    check_judged_by,
    decide_edit,
    is_exempt,
    moved_on,
    own_cover,
)
from handrail.core.decide.view import (
    Attest,
    Changes,
    Commit,
    NeedsFacts,
    NotCovered,
    Uncovered,
    View,
)
from handrail.core.events import CommitAttested, LeaseGranted, LeaseReleased, Move
from handrail.core.lease import LOCAL, Actor, Lease
from handrail.core.scope import Pattern, ancestors, matches, stored_pattern
from handrail.core.state import lease_of
from handrail.text import scope_word, shell_quote
from handrail.typed import Final

PATHS_TOLD_MAX: Final = 20
PARENTS_MAX: Final = 2


def decide_attest(view: View, attest: Attest, now: int) -> Changes:
    """Attest every commit, or raise NotCovered with all the paths that nothing covers."""
    by_anchor: dict[str, list[tuple[Pattern, Lease]]] = {}
    for lease in view.leases:
        own = (lease.session, lease.worktree) == (attest.session.id, attest.session.worktree)
        if own and lease.live(now):
            for pattern in lease.patterns:
                by_anchor.setdefault(pattern.anchor, []).append((pattern, lease))
    changes: Changes = []
    missing: list[Uncovered] = []
    for commit in attest.commits:
        if len(commit.parents) > PARENTS_MAX:
            raise errors.UnsupportedCommit(commit=commit.commit, parents=len(commit.parents))
        cover: dict[int, int] = {}
        clean = dict(commit.written)
        for path in commit.paths:
            if path in clean or is_exempt(view.policy, path):
                continue
            check_duty(view, attest.session.id, path)
            covering = _covering(by_anchor, path)
            if covering is None:
                missing.append(Uncovered(commit.commit, path))
            else:
                _check_lane(view, covering, path)
                cover[covering.token] = covering.expires_at
        changes.append(
            CommitAttested(
                commit=commit.commit,
                tree=commit.tree,
                parents=commit.parents,
                paths=len(commit.paths),
                paths_hash=commit.paths_hash,
                cover=tuple(sorted(cover.items())),
                change=commit.change,
                written=tuple(sorted(set(clean.values()))),
            )
        )
    if missing:
        raise NotCovered(tuple(missing))
    _check_overtaken(attest)
    return [*changes, *_finished(by_anchor, attest)]


def decide_commit(view: View, commit: Commit, now: int) -> Changes:
    """Attest a commit that is being made; what is free of its paths is claimed by the way.

    Not so of a merge: what it drops of what others landed is free as well, and nobody wrote there.
    Raises NotCovered (of ``errors``) with every path that is neither held nor free for it, and
    NeedsFacts for all that must be looked at.
    """
    merges = any(len(facts.parents) > 1 for facts in commit.attest.commits)
    edit = commit.edit._replace(auto_claim="off") if merges else commit.edit
    view = view._replace(leases=tuple(view.leases))
    changes: Changes = []
    refused: list[tuple[str, errors.HandrailError]] = []
    wanted: list[Pattern] = []
    clean = {path for facts in commit.attest.commits for path, _ in facts.written}
    for path in dict.fromkeys(path for facts in commit.attest.commits for path in facts.paths):
        try:
            check_judged_by(view.policy, edit.session, path)
        except errors.GuardedPath as refusal:
            refused.append((path, refusal))
            continue
        # Where a duty binds, the rule for an edit says it also of what is held.
        if (path in clean or is_exempt(view.policy, path)) or (
            view.duty is None
            and own_cover(view.leases, edit.session.id, edit.session.worktree, path, now)
        ):
            continue
        if any(
            isinstance(change, LeaseGranted)
            and any(matches(stored_pattern(text), path) for text in change.patterns)
            for change in changes
        ):
            continue
        try:
            step = decide_edit(view, edit._replace(paths=(path,)), now)
        except errors.Refused as refusal:
            refused.append((path, refusal))
        except NeedsFacts as lack:
            wanted += lack.patterns
        else:
            changes += [change for change in step if change not in changes]
            view = moved_on(view, step)
    if wanted:
        raise NeedsFacts(wanted)
    if refused:
        raise _not_covered(edit.session.id, refused)
    token, fresh = view.head, []
    actor = Actor(edit.session.id, edit.session.agent, edit.session.role)
    for change in changes:
        token += not isinstance(change, Move)
        if isinstance(change, LeaseGranted):
            fresh.append(lease_of(token, now, actor, change))
    held = view._replace(leases=(*view.leases, *fresh))
    return [*changes, *decide_attest(held, commit.attest, now)]


def _not_covered(
    session: str, refused: Sequence[tuple[str, errors.HandrailError]]
) -> errors.NotCovered:
    paths = tuple(path for path, _ in refused)
    first = refused[0][1]
    return errors.NotCovered(
        session=session,
        paths=paths,
        paths_count=len(paths),
        asked=literal(paths[:PATHS_TOLD_MAX]),
        witness=paths[0],
        reasons=tuple((path, why.code, why.message) for path, why in refused),
        next=first.next,
    )


def _check_overtaken(attest: Attest) -> None:
    """Refuse commits that do not know what another session landed on their paths meanwhile."""
    if not attest.overtaken:
        return
    first = attest.overtaken[0]
    paths = tuple(dict.fromkeys(one.path for one in attest.overtaken))
    raise errors.StaleBytes(
        path=first.path,
        paths=paths[:PATHS_TOLD_MAX],
        paths_count=len(paths),
        commit=first.landed.commit,
        session=first.landed.session,
        asked=literal(paths[:PATHS_TOLD_MAX]),
        next=f"git rebase {first.landed.commit}",
    )


def _finished(by_anchor: Mapping[str, Sequence[tuple[Pattern, Lease]]], attest: Attest) -> Changes:
    """End the local leases that the commits used and whose paths are clean now."""
    if attest.left is None:
        return []
    paths = [path for commit in attest.commits for path in commit.paths]
    used = {
        lease.token: lease
        for path in paths
        for anchor in ancestors(path)
        for pattern, lease in by_anchor.get(anchor, ())
        if lease.kind == LOCAL and not lease.lasting and matches(pattern, path)
    }
    return [
        LeaseReleased(token, "clean")
        for token, lease in sorted(used.items())
        if not any(matches(pattern, path) for pattern in lease.patterns for path in attest.left)
    ]


def _check_lane(view: View, lease: Lease, path: str) -> None:
    """Refuse a path outside the lane of the role that holds it: a lease may reach further.

    Where there are roles, one that is not among them has no lane. In a read-only phase the duty
    has said already what may be written.
    """
    policy = view.policy
    if view.duty is not None and view.duty.allowed is not None:
        return
    lane = (*policy.lanes.get(lease.role or "", ()), *policy.commons)
    if not policy.lanes or any(matches(pattern, path) for pattern in lane):
        return
    fitting = [name for name, own in policy.lanes.items() if any(matches(p, path) for p in own)]
    start = f'eval "$(handrail session start --role {shell_quote(fitting[0])})"' if fitting else ""
    raise errors.OutsideLane(
        role=lease.role,
        scope=path,
        lane=texts(lane) or ("nothing",),
        witness=path,
        remedy="" if fitting else "; no role owns it, so a lane in handrail.toml has to grow first",
        next=f"{start} && handrail claim {scope_word(path)}" if fitting else None,
    )


def _covering(by_anchor: Mapping[str, Sequence[tuple[Pattern, Lease]]], path: str) -> Lease | None:
    """Find the lease over ``path`` that lives longest; looks only at the path's ancestors."""
    found = [
        lease
        for anchor in ancestors(path)
        for pattern, lease in by_anchor.get(anchor, ())
        if matches(pattern, path)
    ]
    return max(found, key=lambda lease: (lease.expires_at, lease.token), default=None)


def writable(leases: Iterable[Lease], session: str, worktree: str, path: str, now: int) -> bool:
    """Tell whether the session may write ``path`` in ``worktree``: what the guard looks up."""
    return any(
        lease.session == session
        and lease.worktree == worktree
        and lease.live(now)
        and any(matches(pattern, path) for pattern in lease.patterns)
        for lease in leases
    )

"""The rule for attesting: every path of a commit under a live lease of the one who asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from handrail import errors
from handrail.core.decide.claim import texts
from handrail.core.decide.view import Attest, Changes, NotCovered, Policy, Uncovered, View
from handrail.core.events import CommitAttested
from handrail.core.lease import Lease
from handrail.core.scope import Pattern, ancestors, matches
from handrail.text import scope_word, shell_quote


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
        if len(commit.parents) > 1:
            raise errors.UnsupportedCommit(commit=commit.commit, parents=len(commit.parents))
        cover: dict[int, int] = {}
        for path in commit.paths:
            if any(matches(pattern, path) for pattern in view.policy.exempt):
                continue
            covering = _covering(by_anchor, path)
            if covering is None:
                missing.append(Uncovered(commit.commit, path))
            else:
                _check_lane(view.policy, covering, path)
                cover[covering.token] = covering.expires_at
        changes.append(
            CommitAttested(
                commit=commit.commit,
                tree=commit.tree,
                parents=commit.parents,
                paths=len(commit.paths),
                paths_hash=commit.paths_hash,
                cover=tuple(sorted(cover.items())),
            )
        )
    if missing:
        raise NotCovered(tuple(missing))
    return changes


def _check_lane(policy: Policy, lease: Lease, path: str) -> None:
    """Refuse a path outside the lane of the role that holds it: a lease may reach further.

    Where there are roles, one that is not among them has no lane.
    """
    lane = policy.lanes.get(lease.role or "", ())
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

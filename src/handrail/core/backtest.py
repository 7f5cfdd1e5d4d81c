"""Replaying a past against a policy: what it would have refused, and what it leaves open.

Facts in, findings out. A *unit* is what one session would have done: a merged branch, or a commit.
Everything else happened as it did: a refusal changes nothing of what comes after it.

What would have been refused:

- ``outside_lane``: a path outside the lane of the role that the unit's agent acts as;
- ``sandbox_read_only``: a path that a role which only reads may not write;
- ``scope_held``: a path that another branch touched too, which left the main line earlier and was
  not merged yet. Contended and exempt paths are held by nobody.

Promises: pure; overlaps of lanes are exact, each with a witness; a unit without a role is counted
and not judged. Not promised: that the agents would have done the same under the policy.

    report = replay(branches, direct, units, policy)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from handrail.core.decide import Policy
from handrail.core.history import Branch, PastCommit
from handrail.core.record import Record
from handrail.core.role import READ_ONLY
from handrail.core.scope import Pattern, matches, normalise_path, overlap

CONTENDED_LEAST: Final = 3
"""So many branches must have met another at a path before it is worth being called contended."""
FOLDER_DEPTH: Final = 2

OUTSIDE_LANE: Final = "outside_lane"
SANDBOX_READ_ONLY: Final = "sandbox_read_only"
SCOPE_HELD: Final = "scope_held"


class Unit(Record):
    """What one session would have done; ``role`` is None where nobody says what its agent is."""

    name: str
    commit: str
    agent: str
    role: str | None
    paths: tuple[str, ...]


class Refusal(Record):
    """A unit that would have been refused: at ``path``, and at ``paths`` in all."""

    code: str
    unit: str
    commit: str
    agent: str
    role: str | None
    path: str
    paths: int
    holder: str | None = None
    holder_commit: str | None = None


class LanesMeet(Record):
    """Two roles whose lanes mean a path in common."""

    role: str
    pattern: str
    other_role: str
    other_pattern: str
    witness: str


class Open(Record):
    """A folder with paths in no lane: how many of them, changed how often, and one of them."""

    folder: str
    paths: int
    changes: int
    witness: str


class Hot(Record):
    """A path at which so many branches met another that was open."""

    path: str
    branches: int


class Findings(Record):
    """All that a replay found; ``sharing`` branches share a path with another open one."""

    units: int
    without_role: int
    branches: int
    direct: int
    sharing: int
    paths: int
    refusals: tuple[Refusal, ...]
    lanes_meet: tuple[LanesMeet, ...]
    uncovered: tuple[Open, ...]
    contended: tuple[Hot, ...]

    @property
    def uncovered_paths(self) -> int:
        """Return how many paths lie in no lane."""
        return sum(row.paths for row in self.uncovered)


class Reading:
    """What a policy says of paths; each path is compared with each set of patterns once."""

    def __init__(self, policy: Policy, *, fold_case: bool) -> None:
        self._policy = policy
        self._fold_case = fold_case
        self._known: dict[tuple[str, str], bool] = {}

    def in_lane(self, role: str, path: str) -> bool:
        """Tell whether the role may write a path."""
        return self._means(f"lane {role}", self._policy.lanes.get(role, ()), path)

    def in_any_lane(self, path: str) -> bool:
        """Tell whether any role may write a path."""
        return any(self.in_lane(role, path) for role in self._policy.lanes)

    def exempt(self, path: str) -> bool:
        """Tell whether a path needs no lease."""
        return self._means("exempt", self._policy.exempt, path)

    def contended(self, path: str) -> bool:
        """Tell whether leases over a path are local, whoever asks."""
        return self._means("contended", self._policy.contended, path)

    def _means(self, name: str, patterns: Sequence[Pattern], path: str) -> bool:
        known = self._known.get((name, path))
        if known is None:
            plain = normalise_path(path, fold_case=self._fold_case)
            known = any(matches(pattern, plain) for pattern in patterns)
            self._known[name, path] = known
        return known


def replay(
    branches: Sequence[Branch],
    direct: Sequence[PastCommit],
    units: Sequence[Unit],
    policy: Policy,
    *,
    names: Mapping[str, Unit],
    fold_case: bool = False,
) -> Findings:
    """Judge the units by lane and sandbox, and the branches by each other.

    ``names`` says of each merge's branch, by ``merge`` and first commit, as which unit it counts.
    """
    reading = Reading(policy, fold_case=fold_case)
    held, sharing, hot = _meetings(branches, names, reading)
    changes = Counter(path for one in direct for path in one.paths)
    changes.update(path for one in branches for commit in one.commits for path in commit.paths)
    return Findings(
        units=len(units),
        without_role=sum(unit.role is None for unit in units),
        branches=len(branches),
        direct=len(direct),
        sharing=sharing,
        paths=len(changes),
        refusals=(*_beyond_lanes(units, policy, reading), *held),
        lanes_meet=tuple(lanes_meet(policy)),
        uncovered=tuple(_uncovered(changes, reading)),
        contended=tuple(hot),
    )


def key_of(branch: Branch) -> str:
    """Return what tells a branch from the others that the same merge brought."""
    return f"{branch.merge} {branch.commits[0].commit}"


def _beyond_lanes(units: Sequence[Unit], policy: Policy, reading: Reading) -> list[Refusal]:
    found = []
    for unit in units:
        role = policy.roles.get(unit.role or "")
        if role is None:
            continue
        beyond = [
            path
            for path in unit.paths
            if not reading.in_lane(role.name, path) and not reading.exempt(path)
        ]
        if beyond:
            code = SANDBOX_READ_ONLY if role.sandbox == READ_ONLY else OUTSIDE_LANE
            found.append(
                Refusal(
                    *(code, unit.name, unit.commit, unit.agent, unit.role),
                    *(beyond[0], len(beyond)),
                )
            )
    return found


def _meetings(
    branches: Sequence[Branch], names: Mapping[str, Unit], reading: Reading
) -> tuple[list[Refusal], int, list[Hot]]:
    """Return the branches that came second at a path, how many met another, and where most did.

    Who left the main line first is first; of those that left together, whose work is older.
    """
    order = sorted(branches, key=lambda one: (one.opened, one.commits[0].at, one.landed))
    open_at: dict[str, list[Branch]] = {}
    sharing: set[str] = set()
    hot: Counter[str] = Counter()
    refusals = []
    for branch in order:
        unit = names[key_of(branch)]
        first: tuple[str, Branch] | None = None
        met = 0
        for path in branch.paths:
            still = [one for one in open_at.get(path, ()) if one.landed > branch.opened]
            if still:
                # The figure speaks of branches as git sees them, whatever the policy exempts.
                sharing.update(key_of(one) for one in (*still, branch))
                if not reading.contended(path) and not reading.exempt(path):
                    hot[path] += 1
                    met += 1
                    first = first or (path, still[0])
            open_at[path] = [*still, branch]
        if first is not None:
            path, holder = first
            other = names[key_of(holder)]
            refusals.append(
                Refusal(
                    *(SCOPE_HELD, unit.name, unit.commit, unit.agent, unit.role),
                    *(path, met, other.name, other.commit),
                )
            )
    rows = [Hot(path, count) for path, count in hot.items() if count >= CONTENDED_LEAST]
    rows.sort(key=lambda row: (-row.branches, row.path))
    return refusals, len(sharing), rows


def lanes_meet(policy: Policy) -> list[LanesMeet]:
    """Return the pairs of roles whose lanes mean a path in common."""
    roles = list(policy.lanes.items())
    found = []
    for index, (role, lane) in enumerate(roles):
        for other_role, other in roles[index + 1 :]:
            both = overlap(lane, other)
            if both is not None:
                left, right = both.left.text, both.right.text
                found.append(LanesMeet(role, left, other_role, right, both.witness))
    return found


def _uncovered(changes: Mapping[str, int], reading: Reading) -> list[Open]:
    folders: dict[str, list[str]] = {}
    for path in changes:
        if not reading.exempt(path) and not reading.in_any_lane(path):
            folder = "/".join(path.split("/")[:-1][:FOLDER_DEPTH])
            folders.setdefault(folder, []).append(path)
    rows = [
        Open(folder, len(paths), sum(changes[path] for path in paths), min(paths))
        for folder, paths in folders.items()
    ]
    return sorted(rows, key=lambda row: (-row.changes, row.folder))

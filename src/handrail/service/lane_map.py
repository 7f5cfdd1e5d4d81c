"""Which role owns which path, and what a change did to lanes and to the tracker.

Promise: a path has one owner: the first role, in the order of the configuration, whose lane means
it. What everybody may write, and what Handrail itself brings, is nobody's to track.

    lanes_of(rules).owner("site/src/a.qmd")   # "website"
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from handrail import errors
from handrail.config import Settings
from handrail.core.decide.edit import guarded
from handrail.core.record import Record
from handrail.core.role import Role
from handrail.core.scope import Pattern, matches, normalise_path
from handrail.gates.facts import ActivityRow, Publisher, Tracked
from handrail.service.identity import require_session
from handrail.service.policy import Rules

if TYPE_CHECKING:
    from handrail.service.context import Context
    from handrail.service.packet_facts import Grounds

TRACKER_FORMAT: Final = "lanes-tracker"
COORDINATION_FORMAT: Final = "lanes-coordination"
COORDINATION: Final = "ops/tracker/coordination.json"
Rows = Mapping[str, Sequence[dict[str, str]]]
"""The rows of a tracker by section, their cells by column."""
ACTIVITY, LOG = "activity", "coordination"
"""The sections of a tracker, as ``projections.tracker_rows`` names them."""
OWN_FILES: Final = ("handrail.toml", ".gitattributes", ".handrail", ".claude")


class Map(Record):
    """Which role owns which path: the first in the configuration's order whose lane means it."""

    roles: tuple[tuple[Role, tuple[Pattern, ...]], ...]
    free: tuple[Pattern, ...]
    fold_case: bool

    def owner(self, path: str) -> str | None:
        """Return the role that owns a path; '' for nobody needs to, None for nobody does."""
        plain = normalise_path(path, fold_case=self.fold_case)
        for role, lane in self.roles:
            if path == role.note or any(matches(pattern, plain) for pattern in lane):
                return role.name
        if any(matches(pattern, plain) for pattern in self.free):
            return ""
        if guarded(plain) is not None or plain.partition("/")[0] in OWN_FILES:
            return next((role.name for role, _ in self.roles if role.coordinates), "")
        return None


def lanes_of(rules: Rules) -> Map:
    """Return who owns what under a configuration."""
    settings = rules.settings
    roles = tuple((role, tuple(map(rules.pattern, role.lane))) for role in settings.roles)
    free = (*settings.workspace.exempt, *settings.contended)
    return Map(roles, tuple(map(rules.pattern, free)), settings.workspace.fold_case)


def file_of(settings: Settings, format: str) -> str:
    """Return where the projection of a format lies; '' where the configuration has none."""
    return next((one.path for one in settings.projections if one.format == format), "")


def touched_by(rules: Rules, paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the roles whose lanes some paths lie in, in the configuration's order."""
    lanes = lanes_of(rules)
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        owner = lanes.owner(path)
        if owner:
            found.setdefault(owner, []).append(path)
    order = [role.name for role in rules.settings.roles]
    return {name: found[name] for name in order if name in found}


def tracked_of(grounds: Grounds, rules: Rules, base: str | None) -> Tracked:
    """Return what the commits since ``base`` did to lanes and tracker."""
    tracker = file_of(rules.settings, TRACKER_FORMAT)
    if not tracker or base is None:
        return Tracked("")
    touched = touched_by(rules, grounds.changed_since(base))
    before, now = (grounds.held(one, [tracker]).get(tracker) for one in (base, "HEAD"))
    return tracked_in(rules, tracker, touched, rows_in(tracker, before), rows_in(tracker, now))


def tracked_in(
    rules: Rules, tracker: str, touched: Mapping[str, Sequence[str]], before: Rows, now: Rows
) -> Tracked:
    """Return what a change did to lanes and tracker, from the tracker's rows before and now."""
    coordinators = [role.name for role in rules.settings.roles if role.coordinates]
    owned = [(name, paths[0]) for name, paths in touched.items() if name not in coordinators]
    activity = tuple(
        ActivityRow(*(row.get(name, "") for name in ("session_id", "role", "agent_id")))
        for row in _added(before, now, ACTIVITY)
    )
    log = tuple(row.get("session_id", "") for row in _added(before, now, LOG))
    return Tracked(tracker, tuple(owned), tuple(coordinators), activity, log)


def rows_in(path: str, content: bytes | None) -> Rows:
    """Return the rows of a tracker's sections as cells by column; raises FactsUnavailable."""
    from handrail.projections.tracker import parse

    try:
        found = parse(content or b"").rows
    except ValueError as error:
        raise errors.FactsUnavailable(what=path, reason=str(error)) from error
    return {name: [dict(row.fields) for row in rows] for name, rows in found.items()}


def _added(before: Rows, now: Rows, section: str) -> list[dict[str, str]]:
    """Return the rows that a change adds or changes."""
    left = Counter(tuple(row.items()) for row in before[section])
    found = []
    for row in now[section]:
        same = tuple(row.items())
        left[same] -= 1
        if left[same] < 0:
            found.append(row)
    return found


def publisher_of(context: Context, rules: Rules) -> Publisher:
    """Return who asks to publish: as what the session acts, and in what roles it holds leases."""
    coordinators = tuple(role.name for role in rules.settings.roles if role.coordinates)
    caller = context.caller
    if caller.session is None:
        return Publisher((), coordinators, caller.terminal and caller.harness is None)
    with context.store.read() as reader:
        session = require_session(reader, context)
        held = [lease.role for lease in reader.leases(session.id) if lease.live(reader.now)]
    roles = tuple(dict.fromkeys(role for role in (session.role, *held) if role is not None))
    return Publisher(roles, coordinators)

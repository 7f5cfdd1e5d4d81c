"""Is a change tracked? Lanes, notes, rows and leases, by the configuration in force.

Promises: what cannot be found out is raised, never "no changes"; a lease counts for the paths that
it covers, a row only where this change adds or changes it; a projection that is as Handrail wrote
it is no change. The ids are those of the lanes' documents.

    Tracking(context, bench, sources).check(Question("origin/main", "auto")).violations
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from handrail.core.events import CommitAttested, LeaseGranted
from handrail.core.landing import PASS
from handrail.core.lease import Lease
from handrail.core.ledger import Entry, read_event, read_header
from handrail.core.record import Record
from handrail.core.scope import Pattern, matches, normalise_path, stored_pattern
from handrail.core.task import task_of
from handrail.gates.facts import Tracked
from handrail.gates.tracking import by_activity
from handrail.service.clean import clean_among
from handrail.service.context import Context
from handrail.service.evidence import Ledger
from handrail.service.lane_files import state_faults
from handrail.service.lane_map import (
    ACTIVITY,
    COORDINATION,
    COORDINATION_FORMAT,
    TRACKER_FORMAT,
    file_of,
    lanes_of,
    rows_in,
    touched_by,
    tracked_in,
)
from handrail.service.packet_facts import Grounds
from handrail.service.policy import Rules, rules_in_force
from handrail.service.verification import Sources, Verification
from handrail.store.port import Reader

QUICKSTART: Final = "ops/HUMAN_QUICKSTART.md"
HANDOFF_DOCUMENT: Final = "ops/SESSION_HANDOFF_AGENT.md"
TRACKER: Final = "ops/PROJECT_TRACKER.md"
HEADING: Final = "## 2) Role Activity Ledger"
CONTRACTS: Final = "ops/tracker/contracts.json"
GRANTS_MAX: Final = 20_000
"""So many of the newest entries are searched for the newest lease of a role."""


class Question(Record):
    """What is asked: against which ref ('' for the working tree), live, historical or auto."""

    base_ref: str = ""
    mode: str = "auto"


class Answered(Record):
    """What was found; ``notices`` bind nobody. ``historical`` is the coordinator's lease there."""

    violations: tuple[str, ...]
    notices: tuple[str, ...]
    changed: int
    live: bool
    roles: tuple[str, ...]
    historical: str = ""


class Held(Record):
    """A lease as the check compares it: live now, or as it was when a commit was attested."""

    role: str
    session: str
    agent: str
    patterns: tuple[Pattern, ...]

    def covers(self, path: str) -> bool:
        """Tell whether the lease means a path."""
        return any(matches(pattern, path) for pattern in self.patterns)


class Change(Record):
    """A change set: path to blob ('' where it is gone), and the tracker before and after it."""

    blobs: Mapping[str, str]
    tracker_before: bytes | None
    tracker_now: bytes | None


class Tracking:
    """The use case of the lanes' own check."""

    def __init__(self, context: Context, bench: Grounds, sources: Sources) -> None:
        self._context = context
        self._bench = bench
        self._sources = sources

    def check(self, question: Question) -> Answered:
        """Judge a change set; raises what git and the store raise where they cannot tell."""
        with self._context.store.read() as reader:
            rules = rules_in_force(reader)
        tracker = file_of(rules.settings, TRACKER_FORMAT) or TRACKER
        change = self._change(question.base_ref, tracker)
        with self._context.store.read() as reader:
            clean = clean_among(reader, change.blobs)
        counted = [path for path in change.blobs if path not in clean]
        live = question.mode == "live" or (
            question.mode == "auto" and not question.base_ref and bool(counted)
        )
        lanes, touched = lanes_of(rules), touched_by(rules, counted)
        found = [self._missing(path, name) for path, name in _DOCUMENTS]
        found += [f"unknown_scope_owner:{p}" for p in sorted(counted) if lanes.owner(p) is None]
        found += [
            f"missing_lane_note_update:{role.name}"
            for role in rules.settings.roles
            if role.name in touched and role.note is not None and role.note not in change.blobs
        ]
        answered = Answered((), (), len(counted), live, tuple(touched))
        if change.tracker_now is None:
            found.append(f"missing_master_tracker: {TRACKER}")
            return answered._replace(violations=_plain(found))
        before, now = (
            rows_in(tracker, text) for text in (change.tracker_before, change.tracker_now)
        )
        if not now[ACTIVITY]:
            found.append(f"missing_role_ledger_section: expected heading '{HEADING}'")
        coordination = file_of(rules.settings, COORDINATION_FORMAT) or COORDINATION
        content = self._bench.here(coordination)
        if content is not None and coordination not in clean:
            with self._context.store.read() as reader:
                found += state_faults(content, reader.now)
        tracked = tracked_in(rules, tracker, touched, before, now)
        if live:
            held = self._live()
            found += _role_faults(rules, tracked, touched, held, live=True)
        else:
            held = self._past(question.base_ref, rules, found)
            found += _role_faults(rules, tracked, touched, held, live=False)
        told: list[str] = []
        answered = answered._replace(historical=_coordination(tracked, held, found, told, live))
        return answered._replace(violations=_plain(found), notices=tuple(told))

    def _missing(self, path: str, name: str) -> str:
        return "" if self._bench.here(path) is not None else f"{name}: {path}"

    # --- looking ---------------------------------------------------------------------------------

    def _change(self, base_ref: str, tracker: str) -> Change:
        """Return the change set: since a ref or since HEAD, with untracked files in both cases."""
        rows = self._context.outside.dirty((".",))
        if base_ref:
            base, blobs = self._bench.compared(base_ref)
            loose = {row.path: row.blob for row in rows if not row.head and not row.staged}
            now = self._bench.held("HEAD", [tracker]).get(tracker)
            blobs = {**blobs, **loose}
        else:
            base = self._bench.head()
            now = self._bench.here(tracker)
            blobs = {row.path: row.blob for row in rows}
        before = self._bench.held(base, [tracker]).get(tracker) if base else None
        return Change(blobs, before, now)

    def _live(self) -> list[Held]:
        """Return the live leases of this working tree."""
        tree = self._context.caller.worktree
        with self._context.store.read() as reader:
            return [
                _held(lease)
                for lease in reader.leases()
                if lease.live(reader.now)
                and lease.worktree == tree
                and task_of(lease.session) is None
            ]

    def _past(self, base_ref: str, rules: Rules, found: list[str]) -> list[Held]:
        """Return the leases that the commits were attested under; the newest where there are none.

        A commit that may not land is one without a lease, for the roles that it touches.
        """
        if not base_ref:
            with self._context.store.read() as reader:
                return list(_newest(reader))
        merge_base, _ = self._bench.compared(base_ref)
        if merge_base == self._bench.head():
            return []
        words = f"{merge_base}..HEAD"
        verified = Verification(self._sources).verify([words])
        bad = {one.commit for one in verified.judgments if one.verdict != PASS}
        rows = self._context.outside.commits(words)
        for row in rows:
            if row.commit in bad:
                found += [f"missing_or_expired_lease:{role}" for role in _owned(rules, row.paths)]
        with self._context.store.read() as reader:
            shared = self._sources.shared
            others = [] if shared is None else shared.read(rules.settings, {}, reader.epoch)
            ledgers = [reader, *(one.ledger for one in others if one.ledger is not None)]
            good = [row.commit for row in rows if row.commit not in bad]
            return [held for ledger in ledgers for one in good for held in _attested(ledger, one)]


_DOCUMENTS: Final = (
    (QUICKSTART, "missing_human_quickstart"),
    (HANDOFF_DOCUMENT, "missing_agent_handoff"),
)


def _plain(found: Iterable[str]) -> tuple[str, ...]:
    """Return what was found once each, in order."""
    return tuple(dict.fromkeys(one for one in found if one))


def _owned(rules: Rules, paths: Iterable[str]) -> list[str]:
    coordinators = {role.name for role in rules.settings.roles if role.coordinates}
    return [role for role in touched_by(rules, paths) if role not in coordinators]


# --- leases --------------------------------------------------------------------------------------


def _held(lease: Lease) -> Held:
    return Held(lease.role or "", lease.session, lease.agent, lease.patterns)


def _granted(entry: Entry, grant: LeaseGranted) -> Held:
    agent = grant.holder or read_header(entry.header).agent or ""
    return Held(grant.role or "", grant.session, agent, tuple(map(stored_pattern, grant.patterns)))


def _newest(reader: Reader) -> Iterable[Held]:
    """Yield the newest lease of each role, over or not."""
    seen: set[str] = set()
    for entry in reversed(reader.newest(GRANTS_MAX)):
        if read_header(entry.header).kind != "lease.granted":
            continue
        grant = read_event(entry)
        if not isinstance(grant, LeaseGranted) or task_of(grant.session) is not None:
            continue
        if (grant.role or "") not in seen:
            seen.add(grant.role or "")
            yield _granted(entry, grant)


def _attested(ledger: Ledger, commit: str) -> Iterable[Held]:
    """Yield the leases that a commit was attested under."""
    for entry in ledger.attestations_of(commit):
        event = read_event(entry)
        for token, _ in event.cover if isinstance(event, CommitAttested) else ():
            granted = next(iter(ledger.entries(token - 1, token)), None)
            grant = None if granted is None else read_event(granted)
            if granted is not None and isinstance(grant, LeaseGranted):
                yield _granted(granted, grant)


def _role_faults(
    rules: Rules,
    tracked: Tracked,
    touched: Mapping[str, Sequence[str]],
    held: Sequence[Held],
    *,
    live: bool,
) -> list[str]:
    """Compare rows and leases of each lane that was touched; a missing row hides the rest."""
    found = []
    lanes = lanes_of(rules)
    notes = {role.note for role in rules.settings.roles}
    for role, _ in tracked.touched:
        rows = {(row.session, row.agent) for row in tracked.activity if row.role == role}
        if not rows:
            found.append(f"missing_role_activity:{role}")
            continue
        paths = [
            normalise_path(path, fold_case=lanes.fold_case)
            for path in touched[role]
            if path not in notes
        ]
        own = [lease for lease in held if lease.role == role]
        bare = [path for path in paths if not any(lease.covers(path) for lease in own)]
        if live and (bare or not own):
            found.append(f"missing_or_expired_lease:{role}")
        for lease in own:
            meant = any(lease.covers(path) for path in paths) or not paths
            if meant and (lease.session, lease.agent) not in rows:
                found.append(f"session_or_agent_mismatch:{role}:{lease.session}:{lease.agent}")
    return found


def _coordination(
    tracked: Tracked, held: Sequence[Held], found: list[str], told: list[str], live: bool
) -> str:
    """Ask for the coordinator's row and lease where several lanes were touched."""
    if len(tracked.touched) < 2:
        return ""
    own = [lease for lease in held if lease.role in tracked.coordinators]
    misplaced = by_activity(tracked)
    if not tracked.coordination and not misplaced:
        found.append("missing_integrator_coordination")
    elif not tracked.coordination:
        told.append("the integrator's row stands in section 2; section 3 is its place")
    if not live:
        return f"{own[0].session}:{own[0].agent}" if own else ""
    name = tracked.coordinators[0] if tracked.coordinators else "integrator"
    if not own:
        found.append(f"missing_or_expired_lease:{name}")
    pairs = {(row.session, row.agent) for row in misplaced}
    found += [
        f"session_or_agent_mismatch:{name}:{lease.session}:{lease.agent}"
        for lease in (own if tracked.coordination or misplaced else ())
        if lease.session not in tracked.coordination and (lease.session, lease.agent) not in pairs
    ]
    return ""

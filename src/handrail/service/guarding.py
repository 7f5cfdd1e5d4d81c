"""What a tool of a harness may do: before it writes, and after it may have written.

Promises: what git ignores and what is exempt needs no lease; a refusal names all that a claim's
refusal names; what a shell line wrote is claimed if it is free and told if it is not, and of what
somebody else's edit tools wrote meanwhile nobody is blamed.

    guarding = Guarding(context)
    guarding.mode("edit")                       # "enforce", "warn" or "shadow"; paused: "shadow"
    guarding.edit(("src/api.py",))              # raises ScopeHeld, OutsideLane, …
    guarding.wrote(before, after, known)        # (("src/api.py", ScopeHeld(…)),)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from handrail import errors
from handrail.core.decide.edit import guarded
from handrail.core.events import WriteUnheld
from handrail.core.lease import LOCAL, Answer, Session, conflict
from handrail.core.scope import Overlap, Pattern, matches, normalise_path, overlap, parse_pattern
from handrail.core.scope.naming import scope_for
from handrail.service.clean import but_clean
from handrail.service.context import Context
from handrail.service.edits import Edited, Edits
from handrail.service.enforcement import paused_until
from handrail.service.identity import actor_of, require_session
from handrail.service.policy import Rules, duty_in, rules_in_force
from handrail.store.port import Reader
from handrail.typed import Final

LOOKED_AT_MAX: Final = 200
"""Paths that are judged one by one after a tool; a build that leaves more is left to the commit."""
SHADOW: Final = "shadow"
NOTHING_DONE: Final = Edited((), ())

Unheld = tuple[tuple[str, errors.HandrailError], ...]


class Guarding:
    """The use cases of the guard."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def mode(self, stage: str) -> str:
        """Return how a stage is enforced now; while it is switched off, nothing is refused."""
        with self._store.read() as reader:
            if paused_until(reader) is not None:
                return SHADOW
            return rules_in_force(reader).settings.mode(stage)

    def edit(self, paths: Sequence[str], *, own_settings: bool = False) -> Edited:
        """Let the asking session write these repo-relative paths; raises the first refusal.

        ``own_settings``: the harness settings among them keep Handrail's entries.
        """
        wanted = self._not_ignored(paths)
        if not wanted:
            return NOTHING_DONE
        return Edits(self._context).edit(wanted, own_settings=own_settings)

    def sweep(self, folder: str, *, dirty_only: bool) -> None:
        """Let a tool change anything below a folder; raises if somebody else holds of it.

        Nothing is claimed: what really changes is seen afterwards. ``dirty_only``: only what
        differs from HEAD is at stake.
        """
        text = scope_for(folder) if folder else "**"
        if text is None:
            return
        pattern = parse_pattern(text)
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            session = require_session(reader, self._context)
            if not dirty_only:
                _check_duty(reader, rules, session, pattern)
            tree = session.worktree
            rivals = [
                lease
                for lease in reader.near((pattern,))
                if lease.live(reader.now)
                and lease.session != session.id
                and _refuses(conflict(lease, (pattern,), LOCAL, tree, rules.policy.contended))
            ]
        if not rivals:
            return
        rows = self._context.outside.dirty((folder or ".",)) if dirty_only else None
        fold = rules.settings.workspace.fold_case
        dirty = None if rows is None else [normalise_path(r.path, fold_case=fold) for r in rows]
        for lease in rivals:
            met = overlap(lease.patterns, (pattern,))
            meant = _first(lease.patterns, dirty)
            if met is not None and (dirty is None or meant is not None):
                Edits(self._context).edit([meant or met.witness])

    def wrote(
        self, before: Mapping[str, str], after: Mapping[str, str], known: Collection[str]
    ) -> Unheld:
        """Judge what became dirty between two looks at the working tree, but for ``known`` edits.

        What is free is claimed by the way; what may not be written is returned with the refusal,
        and recorded.
        """
        changed = [path for path, version in after.items() if before.get(path) != version != ""]
        changed = [path for path in changed if path not in known and guarded(path) != "git"]
        changed = list(
            but_clean(self._context, {path: after[path].partition(" ")[0] for path in changed})
        )
        if not changed or len(changed) > LOOKED_AT_MAX:
            return ()
        try:
            Edits(self._context).edit(changed, seen=before)
        except errors.Refused:
            found = tuple(self._one_by_one(changed, before))
        else:
            return ()
        if found:
            self._record(found)
        return found

    def _one_by_one(self, paths: Sequence[str], before: Mapping[str, str]) -> Unheld:
        found: list[tuple[str, errors.HandrailError]] = []
        for path in paths:
            try:
                Edits(self._context).edit([path], seen=before)
            except errors.Refused as refusal:
                found.append((path, refusal))
        return tuple(found)

    def _record(self, found: Unheld) -> None:
        with self._store.transaction() as tx:
            session = require_session(tx, self._context)
            rows = tuple((path, refusal.code) for path, refusal in found)
            tx.commit([WriteUnheld(session.id, session.worktree, rows)], actor_of(session))

    def _not_ignored(self, paths: Sequence[str]) -> list[str]:
        """Leave out what git ignores; git is asked only about what is not held already."""
        with self._store.read() as reader:
            rules = rules_in_force(reader)
            session = require_session(reader, self._context)
            fold = rules.settings.workspace.fold_case
            open_ = [
                path
                for path in paths
                if guarded(path) is None
                and not reader.may_write(
                    session.worktree, session.id, normalise_path(path, fold_case=fold)
                )
            ]
        unheld = self._context.outside.ignored(open_) if open_ else frozenset()
        return [path for path in paths if path not in unheld]


def _check_duty(reader: Reader, rules: Rules, session: Session, pattern: Pattern) -> None:
    """Refuse to change a folder that the session's task does not let it write."""
    duty = duty_in(reader, rules, session)
    if duty is not None:
        from handrail.core.decide import Claim
        from handrail.core.duty import check_claim

        check_claim(duty, Claim(session, (pattern,), LOCAL, rules.settings.limits.ttl_ms))


def _refuses(met: tuple[Answer, Overlap] | None) -> bool:
    return met is not None and met[0] == "refuse"


def _first(patterns: Sequence[Pattern], paths: Sequence[str] | None) -> str | None:
    """Return the first of these paths that a pattern means."""
    for path in paths or ():
        if any(matches(pattern, path) for pattern in patterns):
            return path
    return None
